//! Databases that the source has dropped or altered, in Wherry's own tables.

use super::{NAME, State, text};
use wherry_model::{Fault, TableName};

impl State {
    fn of_database(&self, name: &str) -> String {
        format!("{} AND database_name={}", self.mine(), text(name))
    }

    /// Whatever has this name in the target now is not what the source will call so.
    pub(in crate::target) fn set_gone(&self, name: &str) -> String {
        format!(
            "INSERT IGNORE INTO {} (task, database_name) VALUES ({},{})",
            self.table("gone_database"),
            text(self.task_name()),
            text(name)
        )
    }

    pub(in crate::target) fn clear_gone(&self, name: &str) -> String {
        let gone = self.table("gone_database");
        format!("DELETE FROM {gone} WHERE {}", self.of_database(name))
    }

    pub(in crate::target) fn select_gone(&self, name: &str) -> String {
        let gone = self.table("gone_database");
        format!(
            "SELECT database_name FROM {gone} WHERE {}",
            self.of_database(name)
        )
    }

    /// Sessions of the source may hold older defaults of it.
    pub(in crate::target) fn set_altered(&self, name: &str) -> String {
        format!(
            "INSERT IGNORE INTO {} (task, database_name) VALUES ({},{})",
            self.table("altered_database"),
            text(self.task_name()),
            text(name)
        )
    }

    pub(in crate::target) fn select_altered(&self, name: &str) -> String {
        format!(
            "SELECT database_name FROM {} WHERE {}",
            self.table("altered_database"),
            self.of_database(name)
        )
    }

    /// The table's name is empty.
    pub(in crate::target) fn add_refused_database(
        &self,
        database: &TableName,
        refusal: &Fault,
        position: &str,
    ) -> String {
        let reason = format!(
            "the target refused a statement on the database: {}",
            refusal.message
        );
        self.add_loss(database, "TGT-140", &reason, position)
    }
}

pub(super) fn definitions() -> [(&'static str, String); 2] {
    ["gone_database", "altered_database"].map(|table| {
        let columns =
            format!("task {NAME}, database_name {NAME}, PRIMARY KEY (task, database_name)");
        (table, columns)
    })
}
