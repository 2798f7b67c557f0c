//! Column types of the catalog, turned into kinds.
//!
//! Pure text work on `DATA_TYPE` and `COLUMN_TYPE`.

use wherry_model::ColumnKind;

/// What the catalog says about the type of one column.
#[derive(Debug, Clone, Default)]
pub(super) struct TypeFacts<'a> {
    /// `DATA_TYPE`, like `int`.
    pub data_type: &'a str,
    /// `COLUMN_TYPE`, like `int(10) unsigned`.
    pub column_type: &'a str,
    pub characters_max: Option<u64>,
    pub bytes_max: Option<u64>,
    pub precision: Option<u64>,
    pub scale: Option<u64>,
    pub fraction: Option<u64>,
}

/// The kind of a column, or why it cannot be carried.
pub(super) fn column_kind(facts: &TypeFacts<'_>) -> Result<ColumnKind, String> {
    if facts.column_type.contains("COMPRESSED") {
        return Err("is stored compressed".to_owned());
    }
    let unsigned = facts.column_type.contains(" unsigned");
    let integer = |bytes| Ok(ColumnKind::Integer { bytes, unsigned });
    let fraction = narrow::<u8>(facts.fraction);
    match facts.data_type {
        "tinyint" => integer(1),
        "smallint" => integer(2),
        "mediumint" => integer(3),
        "int" => integer(4),
        "bigint" => integer(8),
        "decimal" => Ok(ColumnKind::Decimal {
            precision: narrow(facts.precision),
            scale: narrow(facts.scale),
        }),
        "float" => Ok(ColumnKind::Float),
        "double" => Ok(ColumnKind::Double),
        "bit" => Ok(ColumnKind::Bit {
            bits: narrow(facts.precision),
        }),
        // The server prints its values with two digits, so 1900 plus or 2000 plus is lost.
        "year" if facts.column_type.contains("(2)") => Err("has the type YEAR(2)".to_owned()),
        "year" => Ok(ColumnKind::Year),
        "date" => Ok(ColumnKind::Date),
        "time" => Ok(ColumnKind::Time { fraction }),
        "datetime" => Ok(ColumnKind::Datetime { fraction }),
        "timestamp" => Ok(ColumnKind::Timestamp { fraction }),
        other => text_kind(other, facts),
    }
}

fn text_kind(data_type: &str, facts: &TypeFacts<'_>) -> Result<ColumnKind, String> {
    let characters = narrow(facts.characters_max);
    let bytes = narrow(facts.bytes_max);
    match data_type {
        "char" => Ok(ColumnKind::Char { length: characters }),
        "varchar" => Ok(ColumnKind::Varchar { length: characters }),
        "tinytext" | "text" | "mediumtext" | "longtext" => Ok(ColumnKind::Text),
        "binary" => Ok(ColumnKind::Binary { length: bytes }),
        "varbinary" => Ok(ColumnKind::Varbinary { length: bytes }),
        "tinyblob" | "blob" | "mediumblob" | "longblob" => Ok(ColumnKind::Blob),
        "enum" | "set" => {
            let labels = labels(facts.column_type)
                .ok_or_else(|| "has labels that cannot be read".to_owned())?;
            Ok(if data_type == "enum" {
                ColumnKind::Enum { labels }
            } else {
                ColumnKind::Set { labels }
            })
        }
        "json" => Ok(ColumnKind::Json),
        "geometry" | "point" | "linestring" | "polygon" | "multipoint" | "multilinestring"
        | "multipolygon" | "geometrycollection" | "geomcollection" => Ok(ColumnKind::Geometry),
        "vector" => Ok(ColumnKind::Vector),
        other => Err(format!("has the type {}", other.to_uppercase())),
    }
}

fn narrow<T: TryFrom<u64> + Default>(number: Option<u64>) -> T {
    number
        .and_then(|number| T::try_from(number).ok())
        .unwrap_or_default()
}

/// The labels of `enum('a','b')` or `set(..)`, unquoted; `None` where the text is not of that form.
///
/// Servers double a quote and write a backslash, a NUL and line ends with a backslash.
pub(super) fn labels(column_type: &str) -> Option<Vec<String>> {
    let open = column_type.find('(')?;
    let mut rest = column_type[open + 1..].chars().peekable();
    let mut labels = Vec::new();
    loop {
        if rest.next()? != '\'' {
            return None;
        }
        let mut label = String::new();
        loop {
            match rest.next()? {
                '\'' if rest.peek() == Some(&'\'') => {
                    rest.next();
                    label.push('\'');
                }
                '\'' => break,
                '\\' => label.push(unescape(rest.next()?)),
                other => label.push(other),
            }
        }
        labels.push(label);
        match rest.next()? {
            ',' => {}
            ')' => return Some(labels),
            _ => return None,
        }
    }
}

/// The numbers in `name(m)` or `name(m,d)`.
pub(crate) fn digits_in_parentheses(column_type: &str) -> (Option<usize>, Option<usize>) {
    let inner = column_type
        .split_once('(')
        .and_then(|(_, rest)| rest.split_once(')'))
        .map(|(inner, _)| inner);
    let mut numbers = inner
        .into_iter()
        .flat_map(|inner| inner.split(','))
        .map(|number| number.trim().parse().ok());
    (numbers.next().flatten(), numbers.next().flatten())
}

fn unescape(letter: char) -> char {
    match letter {
        '0' => '\0',
        'n' => '\n',
        'r' => '\r',
        't' => '\t',
        'Z' => '\u{1A}',
        other => other,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(data_type: &str, column_type: &str, expected: Result<ColumnKind, &str>) {
        let facts = TypeFacts {
            data_type,
            column_type,
            characters_max: Some(20),
            bytes_max: Some(80),
            precision: Some(12),
            scale: Some(3),
            fraction: Some(6),
        };
        assert_eq!(column_kind(&facts), expected.map_err(str::to_owned));
    }

    #[test]
    fn kinds_come_from_the_whole_type() {
        let integer = |bytes, unsigned| Ok(ColumnKind::Integer { bytes, unsigned });
        check("tinyint", "tinyint(1)", integer(1, false));
        check(
            "mediumint",
            "mediumint(8) unsigned zerofill",
            integer(3, true),
        );
        check("bigint", "bigint unsigned", integer(8, true));
        check(
            "decimal",
            "decimal(12,3)",
            Ok(ColumnKind::Decimal {
                precision: 12,
                scale: 3,
            }),
        );
        check("bit", "bit(12)", Ok(ColumnKind::Bit { bits: 12 }));
        check(
            "timestamp",
            "timestamp(6)",
            Ok(ColumnKind::Timestamp { fraction: 6 }),
        );
        check(
            "varchar",
            "varchar(20)",
            Ok(ColumnKind::Varchar { length: 20 }),
        );
        check(
            "varbinary",
            "varbinary(80)",
            Ok(ColumnKind::Varbinary { length: 80 }),
        );
        check("geomcollection", "geomcollection", Ok(ColumnKind::Geometry));
    }

    #[test]
    fn types_without_a_kind_are_refused() {
        check("year", "year(2)", Err("has the type YEAR(2)"));
        check("uuid", "uuid", Err("has the type UUID"));
        check(
            "text",
            "text /*M!100301 COMPRESSED*/",
            Err("is stored compressed"),
        );
    }

    #[test]
    fn labels_are_unquoted() {
        let check = |text: &str, expected: &[&str]| {
            let expected: Vec<String> = expected.iter().map(|&label| label.to_owned()).collect();
            assert_eq!(labels(text), Some(expected));
        };
        check("enum('a')", &["a"]);
        check("set('a','b)','c,d')", &["a", "b)", "c,d"]);
        check(
            r"enum('it''s','back\\slash','line\nend','')",
            &["it's", "back\\slash", "line\nend", ""],
        );
        check("enum('é','日本')", &["é", "日本"]);
        assert_eq!(labels("enum('a"), None);
        assert_eq!(labels("int"), None);
    }
}
