//! The lane's part of Wherry's own tables: its cursor and the marks of its tables.

use super::{NAME, State, TEXT, text};
use wherry_model::TableName;

impl State {
    /// Makes a table one that is loaded beside the stream.
    pub(in crate::target) fn mark_lane(&self, table: &TableName, mark: &str) -> String {
        format!(
            "REPLACE INTO {} (task, database_name, table_name, mark) VALUES ({}, {})",
            self.table("lane_table"),
            self.triple(table),
            text(mark)
        )
    }

    pub(in crate::target) fn unmark_lane(&self, table: &TableName) -> String {
        format!(
            "DELETE FROM {} WHERE {}",
            self.table("lane_table"),
            self.mine_and(table)
        )
    }

    /// `read_from`, `applied_to`, `end_position` of the lane.
    pub(in crate::target) fn select_lane(&self) -> String {
        format!(
            "SELECT read_from, applied_to, end_position FROM {} WHERE {}",
            self.table("lane"),
            self.mine()
        )
    }

    pub(in crate::target) fn close_lane(&self) -> String {
        format!("DELETE FROM {} WHERE {}", self.table("lane"), self.mine())
    }

    pub(in crate::target) fn set_start(&self, table: &TableName, start: &str) -> String {
        format!(
            "UPDATE {} SET start_position={} WHERE {}",
            self.table("table_state"),
            text(start),
            self.mine_and(table)
        )
    }
}

/// The tables of the lane. The cursor has the columns of the checkpoint and the lane's end.
pub(super) fn definitions() -> Vec<(&'static str, String)> {
    let names = format!("task {NAME}, database_name {NAME}, table_name {NAME}");
    vec![
        (
            "lane",
            format!(
                "task {NAME}, read_from {TEXT} NOT NULL, applied_to {TEXT} NOT NULL, end_position {TEXT}, PRIMARY KEY (task)"
            ),
        ),
        (
            "lane_table",
            format!("{names}, mark {TEXT} NOT NULL, PRIMARY KEY (task, database_name, table_name)"),
        ),
    ]
}
