//! Hashed row identities: two changes that may touch the same row share at least one.
//!
//! A collation decides which texts are equal, and weights are not known here yet. So a text
//! column counts as a constant unless its collation compares bytes: then all changes that agree
//! in the rest of the key share an identity, which costs parallel work and never correctness.

use std::ops::Range;
use wherry_model::{Column, ColumnKind, Key, Table};
use xxhash_rust::xxh3::xxh3_64_with_seed;

/// Character sets whose space is more than one byte, so that cutting spaces off bytes is wrong.
const WIDE_CHARSETS: [&str; 4] = ["ucs2", "utf16", "utf16le", "utf32"];

/// How the identities of one table's rows are made.
#[derive(Debug, Clone)]
pub struct IdentityPlan {
    keys: Vec<KeyPlan>,
    /// Shared by all changes of the table; set where the keys cannot tell rows apart.
    whole_table: Option<u64>,
}

#[derive(Debug, Clone)]
struct KeyPlan {
    /// Table and key name, so that equal values of two keys do not meet.
    seed: u64,
    parts: Vec<(usize, Normalise)>,
}

/// What of a value goes into the hash.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Normalise {
    Exact,
    /// Negative zero is zero.
    Number,
    /// Without trailing spaces: most collations ignore them.
    Trimmed,
    BytePrefix(usize),
    Constant,
}

impl IdentityPlan {
    pub fn new(table: &Table) -> IdentityPlan {
        let table_seed = xxh3_64_with_seed(table.name.to_string().as_bytes(), 0);
        let unique = || table.keys.iter().filter(|key| key.primary || key.unique);
        let keys = unique()
            .filter(|key| !key.functional)
            .map(|key| KeyPlan::new(table, key, table_seed))
            .collect();
        // Rows without a key that is never NULL may be equal to any other row, and the value of
        // an expression is not known here.
        let blurred = table.identity().is_none() || unique().any(|key| key.functional);
        IdentityPlan {
            keys,
            whole_table: blurred.then_some(table_seed),
        }
    }

    /// Adds the identities of one row image to `identities`. `spans` are the places of the
    /// values in `row`; `None` is NULL.
    pub fn add(&self, row: &[u8], spans: &[Option<Range<usize>>], identities: &mut Vec<u64>) {
        let keyed = self.keys.iter().filter_map(|key| key.hash(row, spans));
        for identity in keyed.chain(self.whole_table) {
            if !identities.contains(&identity) {
                identities.push(identity);
            }
        }
    }
}

impl KeyPlan {
    fn new(table: &Table, key: &Key, table_seed: u64) -> KeyPlan {
        // The primary key's name is fixed; a prefix keeps it apart from a key of that name.
        let name = format!("{}:{}", u8::from(key.primary), key.name);
        let part = |part: &wherry_model::KeyPart| {
            let column = &table.columns[part.column];
            (part.column, Normalise::of(column, part.prefix))
        };
        KeyPlan {
            seed: xxh3_64_with_seed(name.as_bytes(), table_seed),
            parts: key.parts.iter().map(part).collect(),
        }
    }

    /// `None` where a value is NULL: such a row meets no other one on this key.
    fn hash(&self, row: &[u8], spans: &[Option<Range<usize>>]) -> Option<u64> {
        let mut hash = self.seed;
        for (column, normalise) in &self.parts {
            let value = &row[spans.get(*column)?.clone()?];
            // Chaining the seed keeps ('a', 'bc') and ('ab', 'c') apart.
            hash = xxh3_64_with_seed(normalise.apply(value), hash);
        }
        Some(hash)
    }
}

impl Normalise {
    fn of(column: &Column, prefix: Option<u32>) -> Normalise {
        let by_bytes = column
            .collation
            .as_deref()
            .is_some_and(|collation| collation == "binary" || collation.ends_with("_bin"))
            && !column
                .charset
                .as_deref()
                .is_some_and(|charset| WIDE_CHARSETS.contains(&charset));
        match (&column.kind, prefix) {
            (
                ColumnKind::Binary { .. } | ColumnKind::Varbinary { .. } | ColumnKind::Blob,
                Some(length),
            ) => Normalise::BytePrefix(length as usize),
            (_, Some(_)) => Normalise::Constant,
            (ColumnKind::Float | ColumnKind::Double, None) => Normalise::Number,
            (
                ColumnKind::Char { .. }
                | ColumnKind::Varchar { .. }
                | ColumnKind::Text
                | ColumnKind::Enum { .. }
                | ColumnKind::Set { .. },
                None,
            ) if by_bytes => Normalise::Trimmed,
            (
                ColumnKind::Char { .. }
                | ColumnKind::Varchar { .. }
                | ColumnKind::Text
                | ColumnKind::Enum { .. }
                | ColumnKind::Set { .. }
                | ColumnKind::Json
                | ColumnKind::Geometry
                | ColumnKind::Vector,
                None,
            ) => Normalise::Constant,
            (
                ColumnKind::Integer { .. }
                | ColumnKind::Decimal { .. }
                | ColumnKind::Bit { .. }
                | ColumnKind::Year
                | ColumnKind::Date
                | ColumnKind::Time { .. }
                | ColumnKind::Datetime { .. }
                | ColumnKind::Timestamp { .. }
                | ColumnKind::Binary { .. }
                | ColumnKind::Varbinary { .. }
                | ColumnKind::Blob,
                None,
            ) => Normalise::Exact,
        }
    }

    fn apply(self, value: &[u8]) -> &[u8] {
        match self {
            Normalise::Exact => value,
            Normalise::Number => {
                let is_zero = value.iter().all(|byte| matches!(byte, b'-' | b'0' | b'.'));
                if is_zero { b"0" } else { value }
            }
            Normalise::Trimmed => {
                let end = value.iter().rposition(|byte| *byte != b' ');
                &value[..end.map_or(0, |last| last + 1)]
            }
            Normalise::BytePrefix(length) => &value[..value.len().min(length)],
            Normalise::Constant => &[],
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use wherry_model::{Exactness, KeyPart, TableName};

    fn column(kind: ColumnKind, collation: Option<&str>) -> Column {
        Column {
            name: "c".to_owned(),
            kind,
            column_type: String::new(),
            nullable: true,
            charset: None,
            collation: collation.map(str::to_owned),
            generated: false,
            auto_increment: false,
        }
    }

    fn key(name: &str, columns: &[usize]) -> Key {
        Key {
            name: name.to_owned(),
            primary: name == "PRIMARY",
            unique: true,
            parts: columns
                .iter()
                .map(|column| KeyPart {
                    column: *column,
                    prefix: None,
                })
                .collect(),
            functional: false,
        }
    }

    fn table(columns: Vec<Column>, keys: Vec<Key>) -> Table {
        Table {
            name: TableName::new("d", "t"),
            engine: "innodb".to_owned(),
            columns,
            keys,
            exactness: Exactness::Keyed,
            definition: String::new(),
            row_count_estimate: 0,
            byte_count_estimate: 0,
            adopted: None,
        }
    }

    fn identities(table: &Table, values: &[Option<&str>]) -> Vec<u64> {
        let mut row = Vec::new();
        let mut spans = Vec::new();
        for value in values {
            spans.push(value.map(|value| {
                row.extend_from_slice(value.as_bytes());
                row.len() - value.len()..row.len()
            }));
        }
        let mut identities = Vec::new();
        IdentityPlan::new(table).add(&row, &spans, &mut identities);
        identities
    }

    fn integer() -> Column {
        column(
            ColumnKind::Integer {
                bytes: 4,
                unsigned: false,
            },
            None,
        )
    }

    #[test]
    fn equal_values_of_two_keys_do_not_meet() {
        let table = table(
            vec![integer(), integer()],
            vec![key("PRIMARY", &[0]), key("u", &[1])],
        );
        let one = identities(&table, &[Some("1"), Some("1")]);
        assert_eq!(one.len(), 2);
        let other = identities(&table, &[Some("2"), Some("1")]);
        assert_eq!(one.iter().filter(|id| other.contains(id)).count(), 1);
        assert_eq!(identities(&table, &[Some("1"), None]).len(), 1);
    }

    #[test]
    fn text_meets_where_a_collation_might_say_so() {
        let varchar = |collation| column(ColumnKind::Varchar { length: 9 }, Some(collation));
        let meet = |collation, left, right| {
            let table = table(vec![varchar(collation)], vec![key("PRIMARY", &[0])]);
            identities(&table, &[Some(left)]) == identities(&table, &[Some(right)])
        };
        assert!(meet("utf8mb4_0900_ai_ci", "a", "x"));
        assert!(meet("utf8mb4_bin", "a", "a  "));
        assert!(!meet("utf8mb4_bin", "a", "A"));
        let double = table(
            vec![column(ColumnKind::Double, None)],
            vec![key("PRIMARY", &[0])],
        );
        assert_eq!(
            identities(&double, &[Some("-0")]),
            identities(&double, &[Some("0")])
        );
    }

    #[test]
    fn tables_without_identity_are_one() {
        let keyless = table(vec![integer()], vec![key("u", &[0])]);
        let null = identities(&keyless, &[None]);
        let one = identities(&keyless, &[Some("1")]);
        assert_eq!(null.len(), 1);
        assert!(one.contains(&null[0]));
    }
}
