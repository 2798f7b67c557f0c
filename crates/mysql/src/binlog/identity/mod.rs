//! Hashed row identities: two changes that may touch the same row share at least one.
//!
//! A collation decides which texts are equal, so texts are hashed by the source's weights, see
//! [`weights`]. Where those are not proven a text counts as a constant: then all changes that agree
//! in the rest of the key share an identity, which costs parallel work and never correctness.
//! Identities are attached behind the decoder, because asking for weights takes the network.

mod character;
mod weights;

use crate::session::{Endpoint, Session};
use character::Form;
use std::collections::HashMap;
use std::sync::Arc;
use weights::{CollationId, Missing, Weights};
use wherry_model::{Change, Column, ColumnKind, Fault, Key, Row, Table, TableName};
use xxhash_rust::xxh3::xxh3_64_with_seed;

/// Attaches identities to changes, and holds what is needed for it.
pub struct Identities {
    endpoint: Endpoint,
    weights: Weights,
    plans: HashMap<TableName, (Arc<Table>, IdentityPlan)>,
}

impl Identities {
    /// `endpoint` is the source, which is asked for weights.
    pub fn new(endpoint: Endpoint) -> Identities {
        Identities {
            endpoint,
            weights: Weights::default(),
            plans: HashMap::new(),
        }
    }

    /// Sets the identities of changes.
    ///
    /// Errors: a source that does not answer is transient.
    /// Cancel: safe; attaching again gives the same.
    pub async fn attach(&mut self, changes: &mut [Change]) -> Result<(), Fault> {
        self.weights.bound();
        for change in changes.iter() {
            self.plan(&change.table);
        }
        if self.weights.has_open() {
            let mut session = Session::connect_beside_stream(&self.endpoint).await?;
            self.weights.prove(&mut session).await?;
            session.close().await;
        }
        loop {
            let mut missing = Missing::new();
            for change in changes.iter_mut() {
                change.identities = self.identities(change, &mut missing);
            }
            if missing.is_empty() {
                return Ok(());
            }
            let mut session = Session::connect_beside_stream(&self.endpoint).await?;
            self.weights.fetch(&mut session, &missing).await?;
            session.close().await;
        }
    }

    /// Makes the plan of a table, anew where its definition is another one.
    fn plan(&mut self, table: &Arc<Table>) {
        let known = self.plans.get(&table.name);
        if !known.is_some_and(|(planned, _)| Arc::ptr_eq(planned, table)) {
            let plan = IdentityPlan::new(table, &mut self.weights);
            self.plans
                .insert(table.name.clone(), (Arc::clone(table), plan));
        }
    }

    fn identities(&self, change: &Change, missing: &mut Missing) -> Vec<u64> {
        let mut identities = Vec::new();
        if let Some((_, plan)) = self.plans.get(&change.table.name) {
            for row in [change.before(), change.after()].into_iter().flatten() {
                plan.add(row, &self.weights, missing, &mut identities);
            }
        }
        identities
    }
}

/// How the identities of one table's rows are made.
#[derive(Debug, Clone)]
struct IdentityPlan {
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
    /// The characters of a collation that compares bytes, without trailing spaces: most of these
    /// collations ignore them.
    Bytes(Option<(Form, usize)>),
    BytePrefix(usize),
    Weights(CollationId, Option<(Form, usize)>),
    Constant,
}

impl IdentityPlan {
    fn new(table: &Table, weights: &mut Weights) -> IdentityPlan {
        let table_seed = xxh3_64_with_seed(table.name.to_string().as_bytes(), 0);
        let unique = || table.keys.iter().filter(|key| key.primary || key.unique);
        let keys = unique()
            .filter(|key| !key.functional)
            .map(|key| KeyPlan::new(table, key, table_seed, weights))
            .collect();
        // Rows without a key that is never NULL may be equal to any other row, and the value of
        // an expression is not known here.
        let blurred = table.identity().is_none() || unique().any(|key| key.functional);
        IdentityPlan {
            keys,
            whole_table: blurred.then_some(table_seed),
        }
    }

    /// Adds the identities of one row image to `identities`.
    fn add(&self, row: &Row, weights: &Weights, missing: &mut Missing, identities: &mut Vec<u64>) {
        let values: Vec<Option<&[u8]>> = row.values().collect();
        let keyed = self
            .keys
            .iter()
            .filter_map(|key| key.hash(&values, weights, missing));
        for identity in keyed.chain(self.whole_table) {
            if !identities.contains(&identity) {
                identities.push(identity);
            }
        }
    }
}

impl KeyPlan {
    fn new(table: &Table, key: &Key, table_seed: u64, weights: &mut Weights) -> KeyPlan {
        // The primary key's name is fixed; a prefix keeps it apart from a key of that name.
        let name = format!("{}:{}", u8::from(key.primary), key.name);
        let part = |part: &wherry_model::KeyPart| {
            let column = &table.columns[part.column];
            (part.column, Normalise::of(column, part.prefix, weights))
        };
        KeyPlan {
            seed: xxh3_64_with_seed(name.as_bytes(), table_seed),
            parts: key.parts.iter().map(part).collect(),
        }
    }

    /// `None` where a value is NULL: such a row meets no other one on this key.
    fn hash(
        &self,
        values: &[Option<&[u8]>],
        weights: &Weights,
        missing: &mut Missing,
    ) -> Option<u64> {
        let mut hash = self.seed;
        let mut scratch = Vec::new();
        for (column, normalise) in &self.parts {
            let value = (*values.get(*column)?)?;
            scratch.clear();
            normalise.push(value, weights, missing, &mut scratch);
            // Chaining the seed keeps ('a', 'bc') and ('ab', 'c') apart.
            hash = xxh3_64_with_seed(&scratch, hash);
        }
        Some(hash)
    }
}

impl Normalise {
    fn of(column: &Column, prefix: Option<u32>, weights: &mut Weights) -> Normalise {
        match (&column.kind, prefix) {
            (
                ColumnKind::Binary { .. } | ColumnKind::Varbinary { .. } | ColumnKind::Blob,
                Some(length),
            ) => Normalise::BytePrefix(length as usize),
            (ColumnKind::Char { .. } | ColumnKind::Varchar { .. } | ColumnKind::Text, _) => {
                Normalise::of_text(column, prefix, weights)
            }
            (_, Some(_)) | (ColumnKind::Json | ColumnKind::Geometry | ColumnKind::Vector, _) => {
                Normalise::Constant
            }
            (
                ColumnKind::Float
                | ColumnKind::Double
                | ColumnKind::Decimal { .. }
                | ColumnKind::Time { .. },
                None,
            ) => Normalise::Number,
            // Keys hold the number of a label, whatever the collation says of its text.
            (
                ColumnKind::Integer { .. }
                | ColumnKind::Enum { .. }
                | ColumnKind::Set { .. }
                | ColumnKind::Bit { .. }
                | ColumnKind::Year
                | ColumnKind::Date
                | ColumnKind::Datetime { .. }
                | ColumnKind::Timestamp { .. }
                | ColumnKind::Binary { .. }
                | ColumnKind::Varbinary { .. }
                | ColumnKind::Blob,
                None,
            ) => Normalise::Exact,
        }
    }

    fn of_text(column: &Column, prefix: Option<u32>, weights: &mut Weights) -> Normalise {
        let (Some(charset), Some(collation)) = (&column.charset, &column.collation) else {
            return Normalise::Constant;
        };
        let cut = match (prefix, Form::of(charset)) {
            (None, _) => None,
            (Some(length), Some(form)) => Some((form, length as usize)),
            (Some(_), None) => return Normalise::Constant,
        };
        if collation.ends_with("_bin") {
            return Normalise::Bytes(cut);
        }
        match weights.collation(charset, collation) {
            Some(id) => Normalise::Weights(id, cut),
            None => Normalise::Constant,
        }
    }

    fn push(self, value: &[u8], weights: &Weights, missing: &mut Missing, out: &mut Vec<u8>) {
        match self {
            Normalise::Exact => out.extend_from_slice(value),
            Normalise::Number => {
                let is_zero = value
                    .iter()
                    .all(|byte| matches!(byte, b'-' | b'0' | b'.' | b':'));
                out.extend_from_slice(if is_zero { b"0" } else { value });
            }
            Normalise::Bytes(cut) => {
                // In wide character sets a space has zero bytes beside it.
                let text = prefix(value, cut);
                let end = text.iter().rposition(|byte| !matches!(byte, b' ' | 0));
                out.extend_from_slice(&text[..end.map_or(0, |last| last + 1)]);
            }
            Normalise::BytePrefix(length) => {
                out.extend_from_slice(&value[..value.len().min(length)]);
            }
            Normalise::Weights(id, cut) => weights.push(id, prefix(value, cut), out, missing),
            Normalise::Constant => {}
        }
    }
}

fn prefix(text: &[u8], cut: Option<(Form, usize)>) -> &[u8] {
    match cut {
        Some((form, characters)) => form.prefix(text, characters),
        None => text,
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
            charset: collation.map(|_| "utf8mb4".to_owned()),
            collation: collation.map(str::to_owned),
            generated: false,
            auto_increment: false,
            in_target: None,
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
                    descending: false,
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
            shape: None,
            in_target: None,
        }
    }

    fn identities(table: &Table, values: &[Option<&str>]) -> Vec<u64> {
        let row = Row::from_values(values.iter().map(|value| value.map(str::as_bytes)));
        let (mut weights, mut missing) = (Weights::default(), Missing::new());
        let mut identities = Vec::new();
        IdentityPlan::new(table, &mut weights).add(&row, &weights, &mut missing, &mut identities);
        assert!(missing.is_empty(), "nothing is proven yet");
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
