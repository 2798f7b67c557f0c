//! Hashed identities against what servers call equal, over all their collations.

use super::*;
use std::collections::BTreeSet;
use wherry_model::{Change, ChangeKind, Column, ColumnKind, Exactness, Key, KeyPart, Row, Table};
use wherry_mysql::binlog::identity::Identities;
use wherry_testkit::Random;

/// Texts of one collation.
const TEXTS: u64 = 110;

/// Groups that some collation calls equal; texts are made of a few groups, so that many meet.
const GROUPS: [&[&str]; 34] = [
    &[
        "a", "A", "á", "ａ", "a\u{301}", "ⓐ", "ª", "Å", "a\u{30a}", "aa", "Aa",
    ],
    &[
        "o", "O", "ö", "o\u{308}", "Ｏ", "ø", "Ø", "o\u{338}", "oe", "œ",
    ],
    &["ss", "ß", "SS", "ẞ", "s", "ſ"],
    &["ae", "æ", "Æ", "AE", "ä", "a\u{308}", "ǽ"],
    &["c", "ch", "Ch", "CH", "cz", "cs", "č", "c\u{30c}", "ç"],
    &["d", "dz", "dzs", "dž", "ǆ", "đ", "ð"],
    &["l", "ll", "lj", "ǉ", "ł", "l·", "ŀ", "L\u{387}"],
    &["n", "nj", "ny", "ñ", "n\u{303}", "ng"],
    &["i", "I", "ı", "İ", "i\u{307}", "ij", "ĳ", "y", "ý"],
    &["u", "ü", "u\u{308}", "ű", "w", "v", "V"],
    &["z", "zs", "ž", "ż", "sz", "gy", "ty"],
    &["1", "１", "①", "¹", "\u{661}"],
    &["kg", "㎏", "Kg", "\u{212a}g"],
    &["fi", "ﬁ", "ｆi"],
    &[
        "й",
        "Й",
        "и\u{306}",
        "И\u{306}",
        "и",
        "І\u{308}",
        "ї",
        "ё",
        "е\u{308}",
    ],
    &["б", "Б", "в", "В"],
    &["α", "Α", "ά", "α\u{301}", "ᾳ", "α\u{345}"],
    &["か", "カ", "が", "か\u{3099}", "ｶ", "ｶﾞ", "ガ", "ヵ"],
    &["ー", "アー", "ああ", "あー", "ゝ", "かゝ", "々"],
    &["中", "国", "國", "㊥", "丐"],
    &["한", "하\u{11ab}", "\u{1112}\u{1161}\u{11ab}", "가"],
    &["เก", "กเ", "เ", "ก", "แ", "ไก"],
    &[
        "\u{fb2}\u{f71}",
        "\u{fb2}\u{f71}\u{f80}",
        "\u{f76}",
        "\u{f77}",
        "\u{fb2}",
        "\u{f80}",
    ],
    &[
        "\u{bc6}",
        "\u{bbe}",
        "\u{bca}",
        "\u{bc6}\u{bbe}",
        "\u{ccb}",
        "\u{cc6}\u{cc2}\u{cd5}",
    ],
    &[
        "\u{627}",
        "\u{622}",
        "\u{627}\u{653}",
        "\u{623}",
        "\u{627}\u{654}",
    ],
    &["\u{5d0}", "\u{5d0}\u{5b7}", "\u{fb2e}"],
    &[
        "", "\u{200b}", "\u{ad}", "\u{301}", "\0", "\u{1}", "\u{feff}", "\u{200d}",
    ],
    &[" ", "\u{a0}", "\u{3000}", "\t", "\n"],
    &["-", "_", "\u{2010}", "'", ".", ","],
    &[
        "😀",
        "😁",
        "\u{10400}",
        "\u{10428}",
        "\u{20000}",
        "\u{fffd}",
        "?",
    ],
    &["x", "X", "ｘ"],
    &["q", "Q"],
    &["č", "ć", "š", "ś"],
    &["ổ", "o\u{302}\u{309}", "ơ", "ư", "đ"],
];

fn text(random: &mut Random) -> String {
    let mut text = String::new();
    // Some groups come more often, so that whole texts meet.
    let first = random.below(GROUPS.len() as u64) as usize;
    for number in 0..random.below(4) {
        let other = random.below(GROUPS.len() as u64) as usize;
        let group = GROUPS[if number % 2 == 0 { first } else { other }];
        text.push_str(random.pick(group));
    }
    if random.one_in(4) {
        text.push_str(random.pick(&[" ", "  ", "\t"]));
    }
    text
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02X}")).collect()
}

fn unhex(text: &str) -> Vec<u8> {
    (0..text.len() / 2)
        .map(|at| u8::from_str_radix(&text[at * 2..at * 2 + 2], 16).expect("hex"))
        .collect()
}

/// A table whose only unique key is one text column.
fn text_table(charset: &str, collation: &str, prefix: Option<u32>) -> Arc<Table> {
    let column = Column {
        name: "t".to_owned(),
        kind: ColumnKind::Varchar { length: 40 },
        column_type: "varchar(40)".to_owned(),
        nullable: false,
        charset: Some(charset.to_owned()),
        collation: Some(collation.to_owned()),
        generated: false,
        auto_increment: false,
        in_target: None,
    };
    let key = Key {
        name: "PRIMARY".to_owned(),
        primary: true,
        unique: true,
        parts: vec![KeyPart {
            column: 0,
            prefix,
            descending: false,
        }],
        functional: false,
    };
    Arc::new(Table {
        name: TableName::new("d", collation),
        engine: "innodb".to_owned(),
        columns: vec![column],
        keys: vec![key],
        exactness: Exactness::Keyed,
        definition: String::new(),
        row_count_estimate: 0,
        byte_count_estimate: 0,
        adopted: None,
        shape: None,
        in_target: None,
    })
}

async fn hashes(identities: &mut Identities, table: &Arc<Table>, texts: &[Vec<u8>]) -> Vec<u64> {
    let change = |text: &Vec<u8>| Change {
        table: Arc::clone(table),
        kind: ChangeKind::Insert {
            after: Row::from_values([Some(text.as_slice())]),
        },
        identities: Vec::new(),
        unchecked: false,
    };
    let mut changes: Vec<Change> = texts.iter().map(change).collect();
    identities.attach(&mut changes).await.expect("identities");
    changes.iter().map(|change| change.identities[0]).collect()
}

/// The texts as this server stores them in the collation's character set.
async fn stored(server: &Server, charset: &str, random: &mut Random) -> Vec<Vec<u8>> {
    let texts: Vec<String> = (0..TEXTS)
        .map(|_| {
            format!(
                "HEX(CONVERT(_utf8mb4 X'{}' USING {charset}))",
                hex(text(random).as_bytes())
            )
        })
        .collect();
    let rows = server
        .rows(&format!("SELECT {}", texts.join(",")))
        .await
        .expect("texts");
    let mut texts: Vec<Vec<u8>> = rows[0].iter().flatten().map(|text| unhex(text)).collect();
    if !charset.starts_with('u') && !charset.starts_with("gb") {
        // Any bytes, also those that no conversion gives.
        texts.extend((0..TEXTS / 4).map(|_| {
            (0..=random.below(3))
                .map(|_| random.below(256) as u8)
                .collect()
        }));
    }
    texts
}

/// Pairs of texts that the server calls equal.
async fn equal_pairs(
    server: &Server,
    charset: &str,
    collation: &str,
    texts: &[Vec<u8>],
) -> Vec<(usize, usize)> {
    let rows: Vec<String> = texts
        .iter()
        .enumerate()
        .map(|(number, text)| format!("({number}, X'{}')", hex(text)))
        .collect();
    // Binary first, so that no conversion touches the bytes.
    let statements = format!(
        "SET sql_mode = ''; DROP TABLE IF EXISTS d.c, d.raw; CREATE TABLE d.raw (id INT PRIMARY KEY, t VARBINARY(160)) ENGINE=InnoDB;
         INSERT INTO d.raw VALUES {}; CREATE TABLE d.c SELECT * FROM d.raw; ALTER TABLE d.c MODIFY t VARCHAR(40) CHARACTER SET {charset} COLLATE {collation}",
        rows.join(",")
    );
    if server.sql(&statements).await.is_err() {
        return Vec::new();
    }
    let rows = server
        .rows("SELECT a.id, b.id FROM d.c a JOIN d.c b ON a.t = b.t AND a.id < b.id
               JOIN d.raw x ON x.id = a.id AND x.t = CAST(a.t AS BINARY) JOIN d.raw y ON y.id = b.id AND y.t = CAST(b.t AS BINARY)")
        .await
        .expect("pairs");
    let number = |text: &Option<String>| text.as_deref().unwrap_or("0").parse().expect("a number");
    rows.iter()
        .map(|row| (number(&row[0]), number(&row[1])))
        .collect()
}

async fn collations(server: &Server) -> Vec<(String, String)> {
    let query = match server.flavour() {
        // Collations of several character sets have their names in a view of their own.
        Flavour::MariaDb => {
            "SELECT CHARACTER_SET_NAME, FULL_COLLATION_NAME FROM information_schema.COLLATION_CHARACTER_SET_APPLICABILITY ORDER BY 2"
        }
        _ => {
            "SELECT CHARACTER_SET_NAME, COLLATION_NAME FROM information_schema.COLLATIONS ORDER BY 2"
        }
    };
    let rows = server.rows(query).await.expect("collations");
    rows.into_iter()
        .map(|row| {
            (
                row[0].clone().unwrap_or_default(),
                row[1].clone().unwrap_or_default(),
            )
        })
        .filter(|(charset, _)| charset != "binary")
        .collect()
}

/// True where plain texts are told apart.
async fn is_proven(identities: &mut Identities, charset: &str, collation: &str) -> bool {
    let wide = |letter: u8| match charset {
        "utf32" => vec![0, 0, 0, letter],
        "ucs2" | "utf16" => vec![0, letter],
        "utf16le" => vec![letter, 0],
        _ => vec![letter],
    };
    let texts = [wide(b'b'), wide(b'd')];
    let found = hashes(identities, &text_table(charset, collation, None), &texts).await;
    found[0] != found[1]
}

/// The collation as the target calls it.
fn name_at(
    list: &BTreeSet<(String, String)>,
    charset: &str,
    collation: &str,
) -> Option<(String, String)> {
    let same = (charset.to_owned(), collation.to_owned());
    let renamed = (
        charset.replace("utf8", "utf8mb3"),
        collation.replacen("utf8_", "utf8mb3_", 1),
    );
    [same, renamed].into_iter().find(|name| list.contains(name))
}

/// Checks random texts of one collation; how many pairs of them are equal.
async fn check(
    identities: &mut Identities,
    servers: (&Server, &Server),
    (charset, collation): (&str, &str),
    at_target: &BTreeSet<(String, String)>,
    random: &mut Random,
) -> usize {
    let (source, target) = servers;
    let texts = stored(source, charset, random).await;
    let found = hashes(identities, &text_table(charset, collation, None), &texts).await;
    let mut equal = equal_pairs(source, charset, collation, &texts).await;
    // The target's opinion counts as well, where it has this collation.
    if let Some((charset, collation)) = name_at(at_target, charset, collation) {
        equal.extend(equal_pairs(target, &charset, &collation, &texts).await);
    }
    for (one, other) in &equal {
        let (left, right) = (hex(&texts[*one]), hex(&texts[*other]));
        assert_eq!(
            found[*one], found[*other],
            "{collation}: X'{left}' and X'{right}' are equal"
        );
    }
    equal.len()
}

/// Where a server calls two texts equal, they share a hash: for collations chosen at random, and
/// with `WHERRY_SOAK=1` for all. Where weights are not proven all texts share one anyway.
#[tokio::test]
async fn equal_texts_share_a_hash() {
    let seed = Random::fresh_seed();
    eprintln!("collation seed {seed}");
    let mut random = Random::new(seed);
    let soak = std::env::var_os("WHERRY_SOAK").is_some();
    let target = start(Flavour::MySql97, false, &[]).await;
    let at_target: BTreeSet<(String, String)> = collations(&target).await.into_iter().collect();
    for flavour in ALL {
        let source = start(flavour, false, &[]).await;
        let mut identities = Identities::new(endpoint(&source));
        let (mut proven, mut pairs) = (0, 0);
        for (charset, collation) in collations(&source).await {
            if !(soak || random.one_in(8) || ALWAYS.contains(&collation.as_str())) {
                continue;
            }
            if is_proven(&mut identities, &charset, &collation).await {
                proven += 1;
                let servers = (&source, &target);
                let names = (charset.as_str(), collation.as_str());
                pairs += check(&mut identities, servers, names, &at_target, &mut random).await;
            }
        }
        eprintln!("{flavour:?}: {proven} collations proven, {pairs} equal pairs");
        assert!(proven > 8 && pairs > 500, "{flavour:?}: {proven}, {pairs}");
    }
}

/// The collations that most tables have.
const ALWAYS: [&str; 7] = [
    "utf8mb4_0900_ai_ci",
    "utf8mb4_0900_as_cs",
    "utf8mb4_general_ci",
    "utf8mb4_unicode_ci",
    "utf8mb4_unicode_520_ci",
    "latin1_swedish_ci",
    "latin1_german2_ci",
];

#[tokio::test]
async fn tailored_collations_are_not_proven() {
    let server = start(Flavour::MySql97, false, &[]).await;
    let mut identities = Identities::new(endpoint(&server));
    for (charset, collation, expected) in [
        ("utf8mb4", "utf8mb4_0900_ai_ci", true),
        ("utf8mb4", "utf8mb4_0900_as_cs", true),
        ("utf8mb4", "utf8mb4_unicode_ci", true),
        ("utf8mb4", "utf8mb4_general_ci", true),
        ("utf16", "utf16_general_ci", true),
        ("latin1", "latin1_swedish_ci", true),
        ("utf8mb4", "utf8mb4_bin", true),
        ("gbk", "gbk_bin", true),
        ("utf8mb4", "utf8mb4_sv_0900_ai_ci", false),
        ("utf8mb4", "utf8mb4_hungarian_ci", false),
        ("utf8mb4", "utf8mb4_ja_0900_as_cs", false),
        ("latin2", "latin2_czech_cs", false),
        ("gbk", "gbk_chinese_ci", false),
        ("utf8mb4", "utf8mb4_of_nobody_ci", false),
    ] {
        let found = is_proven(&mut identities, charset, collation).await;
        assert_eq!(found, expected, "{collation}");
    }
}

#[tokio::test]
async fn prefixes_are_cut_by_characters() {
    let server = start(Flavour::MySql97, false, &[]).await;
    let mut identities = Identities::new(endpoint(&server));
    for (charset, collation, same) in [
        ("utf8mb4", "utf8mb4_general_ci", ["ÄÖÜx", "äöuy"]),
        ("utf8mb4", "utf8mb4_bin", ["ÄÖÜx", "ÄÖÜy"]),
        ("utf8mb4", "utf8mb4_0900_ai_ci", ["ab😀x", "AB😀y"]),
    ] {
        let table = text_table(charset, collation, Some(3));
        let texts: Vec<Vec<u8>> = [same[0], same[1], "zzz"]
            .iter()
            .map(|text| text.as_bytes().to_vec())
            .collect();
        let found = hashes(&mut identities, &table, &texts).await;
        assert!(
            found[0] == found[1] && found[0] != found[2],
            "{collation}: {found:?}"
        );
    }
}
