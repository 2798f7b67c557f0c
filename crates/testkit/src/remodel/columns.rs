//! Types, values and attributes of columns.

use super::picture::Column;
use crate::flavour::Flavour;
use crate::random::Random;

const TYPES: [&str; 31] = [
    "INT",
    "INT UNSIGNED",
    "BIGINT",
    "BIGINT UNSIGNED",
    "TINYINT",
    "SMALLINT UNSIGNED",
    "MEDIUMINT",
    "DECIMAL(10,2)",
    "DECIMAL(22,6)",
    "DOUBLE",
    "FLOAT",
    "CHAR(8)",
    "VARCHAR(30)",
    "VARCHAR(300)",
    "VARCHAR(60) CHARACTER SET latin1",
    "VARCHAR(40) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin",
    "TEXT",
    "MEDIUMTEXT CHARACTER SET latin1",
    "BLOB",
    "VARBINARY(20)",
    "BINARY(6)",
    "DATE",
    "DATETIME",
    "DATETIME(3)",
    "TIMESTAMP NULL",
    "TIME",
    "YEAR",
    "ENUM('a','b','c')",
    "ENUM('ä','b,b','it''s','d') CHARACTER SET utf8mb4",
    "SET('x','y','z')",
    "BIT(5)",
];

/// A type without attributes.
pub(super) fn any_type(flavour: Flavour, random: &mut Random) -> &'static str {
    // MariaDB's JSON is text with a CHECK that it does not ask when a column is added.
    if flavour == Flavour::MySql97 && random.one_in(12) {
        return "JSON";
    }
    if random.one_in(20) {
        return "POINT";
    }
    random.pick(&TYPES)
}

/// A type with attributes for a column that is added.
pub(super) fn any_definition(flavour: Flavour, random: &mut Random) -> String {
    let kind = any_type(flavour, random);
    let default = default_for(kind, flavour, random);
    let comment = random.pick(&["", "", "", " COMMENT 'it''s, a (b) `c` -- \\\\ d'"]);
    let null = match random.below(4) {
        0 => "",
        _ if kind == "POINT" => " NULL",
        1 if kind.ends_with("NULL") => "",
        1 => " NULL",
        2 if default == " DEFAULT NULL" || kind.ends_with("NULL") => "",
        2 => " NOT NULL",
        _ if default == " DEFAULT NULL" || kind.ends_with("NULL") => "",
        _ => " NOT NULL",
    };
    format!("{kind}{null}{default}{comment}")
}

fn default_for(kind: &str, flavour: Flavour, random: &mut Random) -> String {
    let fixed = match kind.split(['(', ' ']).next().unwrap_or_default() {
        "INT" | "BIGINT" | "TINYINT" | "SMALLINT" | "MEDIUMINT" | "FLOAT" | "DOUBLE" => "7",
        "DECIMAL" => "1.5",
        "CHAR" | "VARCHAR" => "'a \\\\ b'",
        "VARBINARY" | "BINARY" => "'xy'",
        "DATE" => "'2020-02-29'",
        "DATETIME" | "TIMESTAMP" => "'2021-03-04 05:06:07'",
        "TIME" => "'-12:34:56'",
        "YEAR" => "2001",
        "ENUM" => "'b'",
        "SET" => "'x,z'",
        "BIT" => "b'101'",
        _ => "",
    };
    let fixed = if kind.starts_with("ENUM('ä'") {
        "'it''s'"
    } else {
        fixed
    };
    match random.below(5) {
        0 => String::new(),
        1 => " DEFAULT NULL".to_owned(),
        2 if flavour != Flavour::MySql56 => expression_for(kind, random),
        _ if fixed.is_empty() => String::new(),
        _ => format!(" DEFAULT {fixed}"),
    }
}

fn expression_for(kind: &str, random: &mut Random) -> String {
    let kind = kind.split('(').next().unwrap_or_default();
    let text = match kind {
        "INT" | "BIGINT" | "DOUBLE" => random.pick(&["(1 + 2)", "(LENGTH('abc'))"]),
        "VARCHAR" | "TEXT" => "(CONCAT('a', 1))",
        "DATE" => "(CURRENT_DATE)",
        "DATETIME" => "CURRENT_TIMESTAMP",
        "JSON" => "('{\"a\": 1}')",
        _ => return String::new(),
    };
    // A fraction must be said on both sides.
    format!(" DEFAULT {text}")
}

/// A value as SQL; NULL at times.
pub(super) fn literal(column: &Column, random: &mut Random) -> String {
    if column.nullable && random.one_in(6) {
        return "NULL".to_owned();
    }
    let number = random.below(90);
    match column.kind.as_str() {
        "tinyint" | "smallint" | "mediumint" | "int" | "bigint" => whole(column, random),
        "decimal" | "float" | "double" => format!("{}.{}", number, random.below(4) * 25),
        "bit" => format!("b'{:b}'", random.below(2)),
        "char" | "varchar" | "tinytext" | "text" | "mediumtext" | "longtext" => {
            text(column, random)
        }
        "binary" | "varbinary" | "tinyblob" | "blob" | "mediumblob" | "longblob" => {
            format!("X'{:02X}00FF'", number)
        }
        "date" => format!("'2020-01-{:02}'", 1 + random.below(28)),
        "datetime" | "timestamp" => format!("'2021-02-03 {:02}:00:01.5'", random.below(24)),
        "time" => format!("'{:02}:11:12'", random.below(99)),
        "year" => (1990 + random.below(50)).to_string(),
        "enum" | "set" => (1 + random.below(3)).to_string(),
        "json" => format!("'{{\"k\": [{number}, \"v\", null]}}'"),
        "point" => format!("ST_GeomFromText('POINT({number} 2)')"),
        "geometry" => format!("ST_GeomFromText('LINESTRING(0 0, {number} 2)')"),
        _ => "DEFAULT".to_owned(),
    }
}

fn whole(column: &Column, random: &mut Random) -> String {
    let number = random.below(100);
    match random.below(8) {
        0 if !column.definition.contains("unsigned") => format!("-{number}"),
        1 if column.kind == "int" || column.kind == "bigint" => (1_000_000 + number).to_string(),
        _ => number.to_string(),
    }
}

fn text(column: &Column, random: &mut Random) -> String {
    // JSON is text in MariaDB, with a CHECK that the text is JSON.
    if column.kind == "longtext" {
        return format!("'[{}]'", random.below(50));
    }
    let word = random.pick(&[
        "a",
        "Ab",
        "é",
        "x y ",
        "12",
        "1.5",
        "2020-01-02",
        "日本",
        "zz",
        "b",
    ]);
    let text = format!("{word}{}", random.below(30));
    let short: String = text.chars().take(column.length.min(40) as usize).collect();
    format!("'{short}'")
}
