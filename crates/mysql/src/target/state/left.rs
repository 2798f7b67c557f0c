//! How many changes of rows were left out, by table and kind.
//!
//! A count stands under the name that the table had, and is never taken away.

use super::{NAME, State, TEXT, text};
use wherry_model::TableName;

pub(super) fn definition() -> (&'static str, String) {
    (
        "left_change",
        format!(
            "task {NAME}, database_name {NAME}, table_name {NAME}, kind {NAME}, change_count BIGINT UNSIGNED NOT NULL, position {TEXT}, PRIMARY KEY (task, database_name, table_name, kind)"
        ),
    )
}

impl State {
    /// Adds to a count; the position of its first change stays.
    pub(in crate::target) fn add_left_changes(
        &self,
        table: &TableName,
        kind: &str,
        count: u64,
        position: &str,
    ) -> String {
        format!(
            "INSERT INTO {} (task, database_name, table_name, kind, change_count, position) VALUES ({}, {}, {count}, {}) ON DUPLICATE KEY UPDATE change_count = change_count + {count}",
            self.table("left_change"),
            self.triple(table),
            text(kind),
            text(position)
        )
    }

    /// `database_name`, `table_name`, `kind`, `change_count`, `position` of every count.
    pub(in crate::target) fn select_left_changes(&self) -> String {
        format!(
            "SELECT database_name, table_name, kind, change_count, position FROM {} WHERE {} ORDER BY database_name, table_name, kind",
            self.table("left_change"),
            self.mine()
        )
    }
}
