//! How many rows scripts could not change and left out, by table.
//!
//! A table that is loaded anew is counted anew.

use super::{NAME, State, TEXT, text};
use wherry_model::{Skipped, TableName};

pub(super) fn definition() -> (&'static str, String) {
    (
        "skipped_row",
        format!(
            "task {NAME}, database_name {NAME}, table_name {NAME}, row_count BIGINT UNSIGNED NOT NULL, reason {TEXT} NOT NULL, position {TEXT}, PRIMARY KEY (task, database_name, table_name)"
        ),
    )
}

impl State {
    /// Adds to a count; reason and position of its first row stay.
    pub(in crate::target) fn add_skipped(
        &self,
        table: &TableName,
        skipped: &Skipped,
        position: &str,
    ) -> String {
        let count = skipped.row_count;
        format!(
            "INSERT INTO {} (task, database_name, table_name, row_count, reason, position) VALUES ({}, {count}, {}, {}) ON DUPLICATE KEY UPDATE row_count = row_count + {count}",
            self.table("skipped_row"),
            self.triple(table),
            text(&skipped.reason),
            text(position)
        )
    }

    pub(in crate::target) fn forget_skipped(&self, table: &TableName) -> String {
        format!(
            "DELETE FROM {} WHERE {}",
            self.table("skipped_row"),
            self.mine_and(table)
        )
    }

    /// `database_name`, `table_name`, `row_count`, `reason`, `position` of every count.
    pub(in crate::target) fn select_skipped(&self) -> String {
        format!(
            "SELECT database_name, table_name, row_count, reason, position FROM {} WHERE {} ORDER BY database_name, table_name",
            self.table("skipped_row"),
            self.mine()
        )
    }
}
