//! Which phases a task has, in Wherry's own tables.

use super::{NAME, State, text};

impl State {
    pub(in crate::target) fn select_phases(&self) -> String {
        format!(
            "SELECT phases FROM {} WHERE {}",
            self.table("task_phases"),
            self.mine()
        )
    }

    pub(in crate::target) fn put_phases(&self, phases: &str) -> String {
        format!(
            "REPLACE INTO {} (task, phases) VALUES ({}, {})",
            self.table("task_phases"),
            text(self.task_name()),
            text(phases)
        )
    }
}

pub(super) fn definition() -> (&'static str, String) {
    (
        "task_phases",
        format!("task {NAME}, phases {NAME}, PRIMARY KEY (task)"),
    )
}
