//! Tables about single statements: what users chose for them, and what online-DDL tools have begun.

use super::{LONG_NAME, LONG_TEXT, NAME};

/// `content` of a choice is JSON of `wherry_engine::state::Choice`; `done` says that it happened.
pub(super) fn definitions() -> Vec<(&'static str, String)> {
    const TABLE: &str = "task, database_name, table_name";
    let names = format!("task {NAME}, database_name {NAME}, table_name {NAME}");
    vec![
        (
            "ddl_choice",
            format!(
                "{names}, begin_position {LONG_NAME}, content {LONG_TEXT} NOT NULL, chosen_by {LONG_NAME}, chosen_at BIGINT NOT NULL, done TINYINT NOT NULL DEFAULT 0, PRIMARY KEY ({TABLE}, begin_position)"
            ),
        ),
        (
            "online_change",
            format!("{names}, content {LONG_TEXT} NOT NULL, PRIMARY KEY ({TABLE})"),
        ),
    ]
}
