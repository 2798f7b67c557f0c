//! Rows that a script could not change and that were left out for it, counted on their way.
//!
//! A count goes into the target together with what was read beside its rows.

use crate::name::TableName;
use std::collections::BTreeMap;

/// Rows of one table.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub struct Skipped {
    pub row_count: u64,
    /// Of the first of them, without values of rows; empty where there is none.
    pub reason: String,
}

impl Skipped {
    pub fn note(&mut self, reason: impl FnOnce() -> String) {
        if self.is_nothing() {
            self.reason = reason();
        }
        self.row_count += 1;
    }

    /// Adds what came behind.
    pub fn add(&mut self, later: Skipped) {
        if self.is_nothing() {
            self.reason = later.reason;
        }
        self.row_count += later.row_count;
    }

    pub fn is_nothing(&self) -> bool {
        self.row_count == 0
    }
}

/// Rows of several tables.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub struct SkippedRows {
    tables: BTreeMap<TableName, Skipped>,
}

impl SkippedRows {
    pub fn note(&mut self, table: &TableName, reason: impl FnOnce() -> String) {
        match self.tables.get_mut(table) {
            Some(skipped) => skipped.note(reason),
            None => self.tables.entry(table.clone()).or_default().note(reason),
        }
    }

    /// Adds what came behind.
    pub fn add(&mut self, later: SkippedRows) {
        for (table, skipped) in later.tables {
            self.tables.entry(table).or_default().add(skipped);
        }
    }

    pub fn remove(&mut self, table: &TableName) {
        self.tables.remove(table);
    }

    pub fn is_empty(&self) -> bool {
        self.tables.is_empty()
    }

    pub fn iter(&self) -> impl Iterator<Item = (&TableName, &Skipped)> {
        self.tables.iter()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_reason_stays() {
        let (a, b) = (TableName::new("s", "a"), TableName::new("s", "b"));
        let mut first = SkippedRows::default();
        first.note(&a, || "one".to_owned());
        let mut second = SkippedRows::default();
        second.note(&a, || "two".to_owned());
        second.note(&a, || "three".to_owned());
        second.note(&b, || "four".to_owned());
        first.add(second);
        let all: Vec<(&TableName, u64, &str)> = first
            .iter()
            .map(|(table, rows)| (table, rows.row_count, rows.reason.as_str()))
            .collect();
        assert_eq!(all, [(&a, 3, "one"), (&b, 1, "four")]);
        first.remove(&a);
        first.remove(&b);
        assert!(first.is_empty());
    }
}
