//! Tables whose keys take every form that a server allows, with values that collide often.
//!
//! A shape is its columns, each with a generator of SQL literals, and its keys. Domains are small on
//! purpose: unique values move between rows, and texts meet that a collation calls equal.

use crate::flavour::Flavour;
use crate::random::Random;

/// Makes one SQL literal.
type Generate = fn(&mut Random) -> String;

/// One table of the random program.
#[derive(Clone, Debug)]
pub(super) struct Shape {
    pub name: &'static str,
    pub columns: Vec<Column>,
    /// Key definitions as they stand in `CREATE TABLE`.
    pub keys: &'static str,
    /// The first so many columns are the key by which rows are found.
    pub key_width: usize,
    /// A column that may be NULL, whose values rows exchange.
    pub swapped: Option<&'static str>,
    /// A whole number under a unique key, which a statement moves by one for many rows.
    pub shifted: Option<&'static str>,
}

#[derive(Clone, Debug)]
pub(super) struct Column {
    pub name: &'static str,
    pub definition: &'static str,
    /// Nothing for a generated column.
    pub generate: Option<Generate>,
}

impl Shape {
    pub fn create_statement(&self) -> String {
        let columns: Vec<String> = self
            .columns
            .iter()
            .map(|column| format!("{} {}", column.name, column.definition))
            .collect();
        let keys = if self.keys.is_empty() { "" } else { ", " };
        format!(
            "CREATE TABLE {} ({}{keys}{}) ENGINE=InnoDB",
            self.name,
            columns.join(", "),
            self.keys
        )
    }

    /// The columns that statements write.
    pub fn written(&self) -> impl Iterator<Item = (&Column, Generate)> {
        self.columns
            .iter()
            .filter_map(|column| Some((column, column.generate?)))
    }
}

fn column(name: &'static str, definition: &'static str, generate: Generate) -> Column {
    Column {
        name,
        definition,
        generate: Some(generate),
    }
}

fn generated(name: &'static str, definition: &'static str) -> Column {
    Column {
        name,
        definition,
        generate: None,
    }
}

fn shape(name: &'static str, columns: Vec<Column>, keys: &'static str, key_width: usize) -> Shape {
    Shape {
        name,
        columns,
        keys,
        key_width,
        swapped: None,
        shifted: None,
    }
}

impl Shape {
    fn swaps(mut self, column: &'static str) -> Shape {
        self.swapped = Some(column);
        self
    }

    fn shifts(mut self, column: &'static str) -> Shape {
        self.shifted = Some(column);
        self
    }
}

/// The shapes that this flavour can have; at least twenty.
pub(super) fn shapes(flavour: Flavour) -> Vec<Shape> {
    let mut shapes = number_shapes();
    shapes.extend(composed_number_shapes());
    shapes.extend(text_shapes(flavour));
    shapes.extend(narrow_text_shapes());
    shapes.extend(prefix_shapes());
    shapes.extend(other_shapes());
    shapes.extend(key_choice_shapes());
    shapes.extend(computed_shapes(flavour));
    shapes
}

fn number_shapes() -> Vec<Shape> {
    vec![
        shape(
            "plain",
            vec![
                column("id", "INT", id),
                column("v", "INT", small),
                column("s", "VARCHAR(40)", word),
            ],
            "PRIMARY KEY (id), KEY by_v (v)",
            1,
        ),
        shape(
            "places",
            vec![
                column("id", "INT", id),
                column("place", "INT NULL", maybe_small),
                column("other", "INT NULL", maybe_small),
            ],
            "PRIMARY KEY (id), UNIQUE KEY (place), UNIQUE KEY (other)",
            1,
        )
        .swaps("place"),
        shape(
            "numbers",
            vec![
                column("id", "BIGINT UNSIGNED", id),
                column("n", "INT NOT NULL", small),
            ],
            "PRIMARY KEY (id), UNIQUE KEY (n)",
            1,
        )
        .shifts("n"),
        shape(
            "moving",
            vec![column("id", "INT", id), column("v", "INT", small)],
            "PRIMARY KEY (id)",
            1,
        )
        .shifts("id"),
    ]
}

fn composed_number_shapes() -> Vec<Shape> {
    vec![
        shape(
            "pairs",
            vec![
                column("id", "INT", id),
                column("a", "INT NULL", maybe_few),
                column("b", "INT NULL", maybe_few),
            ],
            "PRIMARY KEY (id), UNIQUE KEY (a, b)",
            1,
        )
        .swaps("b"),
        shape(
            "only_key",
            vec![column("a", "INT", few), column("b", "INT", few)],
            "PRIMARY KEY (a, b)",
            2,
        ),
        shape(
            "mixed_order",
            vec![
                column("a", "INT", few),
                column("b", "INT", small),
                column("v", "INT NULL", maybe_small),
            ],
            "PRIMARY KEY (a ASC, b DESC), UNIQUE KEY (v DESC)",
            2,
        )
        .swaps("v"),
        shape(
            "decimals",
            vec![
                column("k", "DECIMAL(12,3)", decimal),
                column("d", "DOUBLE NULL", double),
            ],
            "PRIMARY KEY (k), UNIQUE KEY (d)",
            1,
        )
        .swaps("d"),
        shape(
            "bits",
            vec![
                column("k", "BIT(10)", bits),
                column("u", "BIT(6) NULL", few_bits),
            ],
            "PRIMARY KEY (k), UNIQUE KEY (u)",
            1,
        )
        .swaps("u"),
    ]
}

fn text_shapes(flavour: Flavour) -> Vec<Shape> {
    let modern = if flavour == Flavour::MySql97 {
        "VARCHAR(20) CHARACTER SET utf8mb4 COLLATE utf8mb4_0900_ai_ci NULL"
    } else {
        "VARCHAR(20) CHARACTER SET utf8mb4 COLLATE utf8mb4_unicode_520_ci NULL"
    };
    let tailored = if flavour == Flavour::MySql97 {
        "VARCHAR(20) CHARACTER SET utf8mb4 COLLATE utf8mb4_sv_0900_ai_ci NULL"
    } else {
        "VARCHAR(20) CHARACTER SET utf8mb4 COLLATE utf8mb4_swedish_ci NULL"
    };
    vec![
        shape(
            "ci_key",
            vec![
                column(
                    "k",
                    "VARCHAR(20) CHARACTER SET utf8mb4 COLLATE utf8mb4_general_ci",
                    text,
                ),
                column("v", "INT", small),
            ],
            "PRIMARY KEY (k)",
            1,
        ),
        shape(
            "ai_unique",
            vec![
                column("id", "INT", id),
                column("u", modern, maybe_text),
                column("w", tailored, maybe_text),
            ],
            "PRIMARY KEY (id), UNIQUE KEY (u), UNIQUE KEY (w)",
            1,
        )
        .swaps("u"),
    ]
}

fn narrow_text_shapes() -> Vec<Shape> {
    vec![
        shape(
            "old_unicode",
            vec![
                column(
                    "k",
                    "CHAR(12) CHARACTER SET utf8 COLLATE utf8_unicode_ci",
                    short_text,
                ),
                column(
                    "u",
                    "VARCHAR(20) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin NULL",
                    maybe_text,
                ),
            ],
            "PRIMARY KEY (k), UNIQUE KEY (u)",
            1,
        )
        .swaps("u"),
        shape(
            "western",
            vec![
                column("k", "CHAR(12) CHARACTER SET latin1", western),
                column(
                    "u",
                    "VARCHAR(12) CHARACTER SET latin1 COLLATE latin1_german2_ci NULL",
                    western,
                ),
            ],
            "PRIMARY KEY (k), UNIQUE KEY (u)",
            1,
        )
        .swaps("u"),
        shape(
            "wide",
            vec![
                column("k", "VARCHAR(12) CHARACTER SET utf16", text),
                column("u", "VARCHAR(12) CHARACTER SET ucs2 NULL", short_text),
                column("g", "VARCHAR(12) CHARACTER SET gbk NULL", western_ascii),
            ],
            "PRIMARY KEY (k), UNIQUE KEY (u), UNIQUE KEY (g)",
            1,
        )
        .swaps("g"),
        shape(
            "composite",
            vec![
                column("a", "SMALLINT", few),
                column(
                    "b",
                    "VARCHAR(12) CHARACTER SET utf8 COLLATE utf8_unicode_ci",
                    short_text,
                ),
                column("c", "DATE", day),
                column("v", "INT NULL", maybe_small),
            ],
            "PRIMARY KEY (a, b, c), UNIQUE KEY (c, v)",
            3,
        )
        .swaps("v"),
    ]
}

fn prefix_shapes() -> Vec<Shape> {
    vec![
        shape(
            "prefixes",
            vec![
                column("id", "INT", id),
                column(
                    "t",
                    "TEXT CHARACTER SET utf8mb4 COLLATE utf8mb4_unicode_ci NULL",
                    maybe_text,
                ),
                column(
                    "b",
                    "VARCHAR(20) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin NULL",
                    maybe_text,
                ),
            ],
            "PRIMARY KEY (id), UNIQUE KEY (t(3)), UNIQUE KEY (b(2))",
            1,
        )
        .swaps("t"),
        shape(
            "blobs",
            vec![
                column("id", "INT", id),
                column("b", "BLOB NULL", maybe_bytes),
            ],
            "PRIMARY KEY (id), UNIQUE KEY (b(2))",
            1,
        )
        .swaps("b"),
        shape(
            "prefix_key",
            vec![
                column(
                    "k",
                    "VARCHAR(20) CHARACTER SET utf8mb4 COLLATE utf8mb4_general_ci NOT NULL",
                    text,
                ),
                column("v", "INT", small),
            ],
            "PRIMARY KEY (k(2))",
            1,
        ),
    ]
}

fn other_shapes() -> Vec<Shape> {
    vec![
        shape(
            "binaries",
            vec![
                column("k", "BINARY(3)", bytes),
                column("u", "VARBINARY(5) NULL", maybe_bytes),
            ],
            "PRIMARY KEY (k), UNIQUE KEY (u)",
            1,
        )
        .swaps("u"),
        shape(
            "moments",
            vec![
                column("k", "TIMESTAMP(3)", moment),
                column("d", "DATETIME(6) NULL", moment),
                column("t", "TIME(2) NULL", time),
            ],
            "PRIMARY KEY (k), UNIQUE KEY (d), UNIQUE KEY (t)",
            1,
        )
        .swaps("t"),
        shape(
            "labels",
            vec![
                column(
                    "e",
                    "ENUM('z','B','a','ä','10') CHARACTER SET latin1",
                    label,
                ),
                column("y", "YEAR", year),
                column("s", "SET('x','y','z','w') NULL", members),
            ],
            "PRIMARY KEY (e, y), UNIQUE KEY (s, y)",
            2,
        )
        .swaps("s"),
    ]
}

fn key_choice_shapes() -> Vec<Shape> {
    vec![
        shape(
            "sets",
            vec![
                column(
                    "k",
                    "SET('a','B','ç','d','é','f') CHARACTER SET latin1",
                    many_members,
                ),
                column("v", "INT NULL", maybe_small),
            ],
            "PRIMARY KEY (k), UNIQUE KEY (v)",
            1,
        )
        .swaps("v"),
        shape(
            "not_null_unique",
            vec![
                column(
                    "u",
                    "VARCHAR(12) CHARACTER SET utf8mb4 COLLATE utf8mb4_general_ci NOT NULL",
                    text,
                ),
                column("v", "INT NULL", maybe_small),
            ],
            "UNIQUE KEY (u), UNIQUE KEY (v)",
            1,
        )
        .swaps("v"),
        shape(
            "keyless",
            vec![
                column("a", "INT NULL", maybe_few),
                column("b", "VARCHAR(20)", word),
            ],
            "",
            1,
        ),
    ]
}

fn computed_shapes(flavour: Flavour) -> Vec<Shape> {
    let computed = |name, kind| {
        shape(
            name,
            vec![
                column("id", "INT", id),
                column("v", "INT NULL", maybe_small),
                generated("g", kind),
            ],
            "PRIMARY KEY (id), UNIQUE KEY (g)",
            1,
        )
        .swaps("v")
    };
    let mut shapes = Vec::new();
    if flavour != Flavour::MySql56 {
        shapes.push(computed("stored_one", "INT AS (v DIV 3) STORED"));
        shapes.push(computed("virtual_one", "INT AS (v DIV 3) VIRTUAL"));
    }
    if flavour == Flavour::MySql97 {
        shapes.push(
            shape(
                "functional",
                vec![
                    column("id", "INT", id),
                    column("v", "INT NULL", maybe_small),
                    column("s", "VARCHAR(20) NULL", maybe_text),
                ],
                "PRIMARY KEY (id), UNIQUE KEY ((v % 41)), UNIQUE KEY ((UPPER(s)))",
                1,
            )
            .swaps("v"),
        );
    }
    shapes
}

/// Rows of one table by their plainest key.
const IDS: u64 = 200;

fn id(random: &mut Random) -> String {
    (random.below(IDS) + 1).to_string()
}

fn small(random: &mut Random) -> String {
    (random.below(300) as i64 - 20).to_string()
}

fn maybe_small(random: &mut Random) -> String {
    maybe(random, small)
}

fn few(random: &mut Random) -> String {
    random.below(16).to_string()
}

fn maybe_few(random: &mut Random) -> String {
    maybe(random, few)
}

fn maybe(random: &mut Random, generate: Generate) -> String {
    if random.one_in(8) {
        "NULL".to_owned()
    } else {
        generate(random)
    }
}

fn word(random: &mut Random) -> String {
    format!("'word {}'", random.below(100_000))
}

/// Groups of texts that some collation calls equal, and some that only look so.
const TEXTS: [&str; 44] = [
    "",
    " ",
    "a",
    "A",
    "á",
    "Á",
    "ａ",
    "Ａ",
    "ª",
    "a ",
    "A  ",
    "ab",
    "AB",
    "aB ",
    "ss",
    "ß",
    "SS",
    "ẞ",
    "æ",
    "ae",
    "Æ",
    "o",
    "ö",
    "o\u{308}",
    "Ö",
    "oe",
    "й",
    "Й",
    "и\u{306}",
    "И\u{306}",
    "x\u{200b}",
    "x",
    "x\u{ad}",
    "1",
    "１",
    "①",
    "kg",
    "㎏",
    "ﬁ",
    "fi",
    "中",
    "か",
    "が",
    "か\u{3099}",
];

fn text(random: &mut Random) -> String {
    let (head, tail) = (random.below(8), random.pick(&TEXTS));
    // Some beyond the basic plane, which old general collations all call equal.
    let middle = if random.one_in(12) {
        "😀"
    } else {
        random.pick(&TEXTS)
    };
    format!("'{head}{middle}{tail}'")
}

fn maybe_text(random: &mut Random) -> String {
    maybe(random, text)
}

/// Without characters beyond the basic plane.
fn short_text(random: &mut Random) -> String {
    format!(
        "'{}{}{}'",
        random.below(8),
        random.pick(&TEXTS),
        random.pick(&TEXTS)
    )
}

const WESTERN: [&str; 16] = [
    "a", "A", "ä", "Ä", "ae", "AE", "ß", "ss", "SS", "o", "ö", "oe", "", " ", "y", "ü",
];

fn western(random: &mut Random) -> String {
    let tail = if random.one_in(3) { " " } else { "" };
    format!(
        "'{}{}{}{tail}'",
        random.below(9),
        random.pick(&WESTERN),
        random.pick(&WESTERN)
    )
}

fn western_ascii(random: &mut Random) -> String {
    let text = random.pick(&["a", "A", "b", "B", "a ", "中", ""]);
    format!("'{}{text}'", random.below(30))
}

fn decimal(random: &mut Random) -> String {
    format!("{}.{:03}", random.below(60) as i64 - 30, random.below(4))
}

fn double(random: &mut Random) -> String {
    let special = ["0", "-0e0", "1.5e300", "-2.5e-300", "0.1", "NULL"];
    if random.one_in(6) {
        return random.pick(&special).to_owned();
    }
    format!("{}e-3", random.below(2000))
}

fn bits(random: &mut Random) -> String {
    random.below(400).to_string()
}

fn few_bits(random: &mut Random) -> String {
    random.below(64).to_string()
}

fn bytes(random: &mut Random) -> String {
    let mut hex = String::new();
    for _ in 0..=random.below(3) {
        hex.push_str(random.pick(&["00", "20", "61", "41", "FF", "0A"]));
    }
    format!("X'{hex}'")
}

fn maybe_bytes(random: &mut Random) -> String {
    maybe(random, bytes)
}

fn day(random: &mut Random) -> String {
    format!("'2024-01-{:02}'", random.below(28) + 1)
}

fn moment(random: &mut Random) -> String {
    format!(
        "'2024-03-31 0{}:{:02}:00.{:03}'",
        random.below(4),
        random.below(12) * 5,
        random.below(3) * 250
    )
}

fn time(random: &mut Random) -> String {
    let sign = if random.one_in(2) { "-" } else { "" };
    format!("'{sign}{}:00:{:02}.5'", random.below(800), random.below(3))
}

fn label(random: &mut Random) -> String {
    format!("'{}'", random.pick(&["z", "B", "a", "ä", "10"]))
}

fn year(random: &mut Random) -> String {
    if random.one_in(9) {
        return "0".to_owned();
    }
    (random.below(60) + 1990).to_string()
}

fn members(random: &mut Random) -> String {
    random.below(16).to_string()
}

fn many_members(random: &mut Random) -> String {
    random.below(64).to_string()
}
