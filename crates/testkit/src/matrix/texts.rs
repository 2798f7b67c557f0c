//! Text columns in every character set of the servers, and labels in them.

use super::draw::Draw;
use super::{Column, Flavour, Group, drawn, group, is_mysql97, listed};

/// A character set, texts in its own bytes that break careless code, and a word of it for labels.
struct Charset {
    name: &'static str,
    raw: &'static [&'static str],
    word: &'static str,
}

const fn charset(name: &'static str, raw: &'static [&'static str], word: &'static str) -> Charset {
    Charset { name, raw, word }
}

/// Bytes that no careful program may touch, in sets where each byte is a character.
const SINGLE: &[&str] = &[
    "00", "5C", "27", "22", "80FF", "E9A0", "0D0A1A", "81", "610020",
];

const CHARSETS: [Charset; 41] = [
    // UTF-8 in a column that says latin1, and bytes that are letters in cp1252 only.
    charset(
        "latin1",
        &[
            "C3A4C3B6",
            "E697A5E69CAC",
            "818D8F909D",
            "80FF",
            "5C27",
            "F09F9880",
        ],
        "é€",
    ),
    charset(
        "utf8mb4",
        &["F09F9880", "E697A5", "C3A4", "5C", "EFBFBD", "F48FBFBF"],
        "日本",
    ),
    charset("utf8mb3", &["E697A5", "C3A4", "EFBFBD", "EFBFBE"], "ü"),
    // A backslash or a quote as the second byte of a character.
    charset(
        "gbk",
        &["815C", "D55C", "FE5C", "C4E3", "A1A1", "E95C27"],
        "表嘅",
    ),
    charset("gb2312", &["C4E3", "A1A1", "F7FE"], "你"),
    charset(
        "gb18030",
        &[
            "815C",
            "81308130",
            "FE5C",
            "8139EF30",
            "C4E3",
            "94 39 DA 33",
        ],
        "你好",
    ),
    charset("big5", &["A55C", "AE5C", "B35C", "A440", "C6FC"], "功許"),
    charset(
        "sjis",
        &["955C", "835C", "5C", "B1B2", "8160", "7E"],
        "表ソ",
    ),
    charset(
        "cp932",
        &["955C", "8160", "817C", "ED40", "FA40", "8790", "5C"],
        "表ソ",
    ),
    charset("ujis", &["A4A2", "8FB0A1", "8EB1"], "あ"),
    charset("eucjpms", &["A4A2", "8FF3F3", "ADA1"], "あ"),
    charset("euckr", &["B0A1", "C8FE"], "가"),
    charset(
        "ucs2",
        &["0041", "00E9", "005C", "0027", "D83D", "0000", "2020"],
        "é日",
    ),
    charset(
        "utf16",
        &["0041", "D83DDE00", "005C", "0000", "2000"],
        "é日",
    ),
    charset("utf16le", &["4100", "3DD800DE", "5C00", "0000"], "é日"),
    charset(
        "utf32",
        &["00000041", "0001F600", "0000005C", "00000000"],
        "é日",
    ),
    charset("ascii", &["00", "5C", "7F", "27"], "plain"),
    charset("armscii8", SINGLE, "z"),
    charset("cp1250", SINGLE, "ž"),
    charset("cp1251", SINGLE, "щ"),
    charset("cp1256", SINGLE, "ب"),
    charset("cp1257", SINGLE, "ž"),
    charset("cp850", SINGLE, "é"),
    charset("cp852", SINGLE, "ž"),
    charset("cp866", SINGLE, "щ"),
    charset("dec8", SINGLE, "é"),
    charset("geostd8", SINGLE, "z"),
    charset("greek", SINGLE, "λ"),
    charset("hebrew", SINGLE, "ש"),
    charset("hp8", SINGLE, "é"),
    charset("keybcs2", SINGLE, "ž"),
    charset("koi8r", SINGLE, "щ"),
    charset("koi8u", SINGLE, "щ"),
    charset("latin2", SINGLE, "ž"),
    charset("latin5", SINGLE, "ş"),
    charset("latin7", SINGLE, "ž"),
    charset("macce", SINGLE, "ž"),
    charset("macroman", SINGLE, "é"),
    charset("swe7", &["5B", "5C", "7D", "27"], "ö"),
    charset("tis620", SINGLE, "ก"),
    charset("binary", &["00", "FF", "5C", "C3"], "b"),
];

const TEXTS: [&str; 6] = [
    "''",
    "'a'",
    "'trail  '",
    "'  '",
    "'it''s \\\\ \\\" \\0 \\n'",
    "_utf8mb4 X'C3A4E697A5F09F9880'",
];

fn charsets(flavour: Flavour) -> impl Iterator<Item = &'static Charset> {
    CHARSETS
        .iter()
        .filter(move |charset| is_mysql97(flavour) || charset.name != "gb18030")
}

/// MySQL 5.6 knows it by its old name only.
fn name_of(charset: &Charset, flavour: Flavour) -> &'static str {
    match (charset.name, flavour) {
        ("utf8mb3", Flavour::MySql56) => "utf8",
        (name, _) => name,
    }
}

/// One table per kind of text, with a column per character set.
pub(super) fn groups(flavour: Flavour) -> Vec<Group> {
    let table = |name, kind: &str| {
        let column = |charset: &'static Charset| text_column(kind, charset, flavour);
        group(name, charsets(flavour).map(column).collect())
    };
    vec![
        table("text_varchar", "VARCHAR(40)"),
        table("text_char", "CHAR(40)"),
        table("text_text", "TEXT"),
        group(
            "enum_charset",
            charsets(flavour)
                .filter_map(|charset| member_column("ENUM", charset, flavour))
                .collect(),
        ),
        group(
            "set_charset",
            charsets(flavour)
                .filter_map(|charset| member_column("SET", charset, flavour))
                .collect(),
        ),
    ]
}

fn text_column(kind: &str, charset: &'static Charset, flavour: Flavour) -> Column {
    let name = name_of(charset, flavour);
    let mut edges: Vec<String> = TEXTS.iter().map(|text| (*text).to_owned()).collect();
    edges.extend(
        charset
            .raw
            .iter()
            .map(|raw| format!("_{name} X'{}'", raw.replace(' ', ""))),
    );
    let mut column = drawn(
        name,
        format!("{kind} CHARACTER SET {name}"),
        &[],
        Draw::Text { longest: 12 },
    );
    column.edges = edges;
    column
}

/// Labels in the character set: a plain one, a word of the set, and one that looks like a number.
fn member_column(kind: &str, charset: &'static Charset, flavour: Flavour) -> Option<Column> {
    let name = name_of(charset, flavour);
    // MySQL 5.6 cuts the labels of the two in half when it makes the table.
    let is_cut = flavour == Flavour::MySql56 && ["ucs2", "utf16"].contains(&name);
    if name == "binary" || is_cut {
        return None;
    }
    let definition = format!("{kind}('a','{}','12') CHARACTER SET {name}", charset.word);
    // A value without a label cannot be written again in sets whose characters have several bytes each.
    let wide = ["ucs2", "utf16", "utf16le", "utf32"].contains(&name);
    let edges: &[&str] = match (kind, wide) {
        ("ENUM", true) => &["1", "2", "3"],
        ("ENUM", false) => &["1", "2", "3", "0"],
        _ => &["0", "1", "2", "3", "4", "5", "6", "7"],
    };
    Some(listed(name, definition, edges))
}
