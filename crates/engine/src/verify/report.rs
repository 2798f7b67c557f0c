//! What a verification found, and what it really compared.

use crate::ports::SchemaDifference;
use wherry_model::{OwnRows, Row, Table, TableName};

#[derive(Debug, Default)]
pub struct VerifyReport {
    pub tables: Vec<TableReport>,
    pub schema: Vec<SchemaDifference>,
    /// Tables that were not compared, with the reason.
    pub left_out: Vec<(TableName, String)>,
    /// Tables that are not followed because `operations` says so, with the reason.
    pub left: Vec<(TableName, String)>,
}

impl VerifyReport {
    /// True where everything was compared and nothing differs.
    pub fn is_clean(&self) -> bool {
        self.left_out.is_empty() && self.is_equal()
    }

    /// True where nothing that was compared differs or is unsettled.
    pub fn is_equal(&self) -> bool {
        self.schema
            .iter()
            .all(|difference| difference.rule.is_some())
            && self
                .tables
                .iter()
                .all(|table| table.mismatches.is_empty() && table.unsettled.is_empty())
    }

    pub fn row_count(&self) -> u64 {
        self.tables.iter().map(|table| table.rows).sum()
    }

    pub fn byte_count(&self) -> u64 {
        self.tables.iter().map(|table| table.bytes).sum()
    }

    pub fn range_count(&self) -> u64 {
        self.tables.iter().map(|table| table.ranges).sum()
    }

    pub fn mismatch_count(&self) -> usize {
        self.tables.iter().map(|table| table.mismatches.len()).sum()
    }

    pub fn unsettled_count(&self) -> usize {
        self.tables.iter().map(|table| table.unsettled.len()).sum()
    }
}

#[derive(Debug)]
pub struct TableReport {
    pub table: TableName,
    pub ranges: u64,
    /// Rows read and compared at the source.
    pub rows: u64,
    pub bytes: u64,
    pub mismatches: Vec<Mismatch>,
    /// Keys whose rows changed at every look, with why nothing can be said of them.
    pub unsettled: Vec<(Row, String)>,
    /// Rows of an adopted table that differ or stand only in the target, as its policy allows; of
    /// another one those that only the target has, since it leaves out what removed them.
    pub kept: u64,
    /// Rows that only the source has, since the table leaves out what brought them.
    pub missing: u64,
    /// Rows with other values, since the table leaves out what changed them.
    pub different: u64,
    /// Rows of the source that its script skips as they are now; counted where all rows are compared.
    pub skipped: u64,
    /// The three are what `operations` or `filter_updates` leave out, and not the policy.
    pub apart: bool,
    /// Names of columns that were not compared, since their values depend on when or how a row came.
    pub uncompared: Vec<String>,
}

impl TableReport {
    pub fn new(table: &Table) -> TableReport {
        TableReport {
            table: table.name.clone(),
            ranges: 0,
            rows: 0,
            bytes: 0,
            mismatches: Vec::new(),
            unsettled: Vec::new(),
            kept: 0,
            missing: 0,
            different: 0,
            skipped: 0,
            apart: !table.is_kept() && (table.may_miss_rows() || table.may_hold_more()),
            uncompared: table
                .uncompared_columns()
                .map(|column| column.name.clone())
                .collect(),
        }
    }

    /// Counts a row that is not the same on both sides, if the table's rule explains that.
    pub(super) fn explains(
        &mut self,
        table: &Table,
        is_in_source: bool,
        is_in_target: bool,
    ) -> bool {
        let own = table.own_rows();
        let has_more = own.is_some_and(OwnRows::may_be_more) || table.may_hold_more();
        let (is_explained, count) = match (is_in_source, is_in_target) {
            (true, false) => (table.may_miss_rows(), &mut self.missing),
            (false, true) => (has_more, &mut self.kept),
            (true, true) if own == Some(OwnRows::Kept) => (true, &mut self.kept),
            (true, true) => (table.may_differ(), &mut self.different),
            (false, false) => return false,
        };
        *count += u64::from(is_explained);
        is_explained
    }
}

#[derive(Debug, Clone)]
pub struct Mismatch {
    /// The key's values; empty for a table without a key.
    pub key: Row,
    pub kind: MismatchKind,
    /// Names of the columns that differ.
    pub columns: Vec<String>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MismatchKind {
    /// In the source, not in the target.
    Missing,
    /// In the target, not in the source.
    Extra,
    Different,
    /// A table without a key holds other rows, or the same rows another number of times.
    Multiset {
        source_rows: u64,
        target_rows: u64,
    },
}

impl MismatchKind {
    pub fn as_str(self) -> &'static str {
        match self {
            MismatchKind::Missing => "missing",
            MismatchKind::Extra => "extra",
            MismatchKind::Different => "different",
            MismatchKind::Multiset { .. } => "multiset",
        }
    }
}

/// Prints a key's values for reports: text where it is readable, hex where it is not.
pub fn key_text(key: &Row) -> String {
    let parts: Vec<String> = key
        .values()
        .map(|value| match value {
            None => "NULL".to_owned(),
            Some(bytes) => match std::str::from_utf8(bytes) {
                Ok(text) if !text.chars().any(char::is_control) => text.to_owned(),
                _ => bytes
                    .iter()
                    .fold("0x".to_owned(), |text, byte| format!("{text}{byte:02X}")),
            },
        })
        .collect();
    parts.join(",")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_are_readable() {
        let key = Row::from_values([Some(b"7".as_slice()), None, Some(&[0, 255])]);
        assert_eq!(key_text(&key), "7,NULL,0x00FF");
    }

    #[test]
    fn unexplained_differences_are_not_equal() {
        let mut report = VerifyReport::default();
        assert!(report.is_equal());
        report.schema.push(SchemaDifference {
            table: TableName::new("a", "b"),
            foreign_key: false,
            description: "column".to_owned(),
            rule: None,
        });
        assert!(!report.is_equal());
    }
}
