//! What flavour rules changed, in Wherry's own tables.

use super::{NAME, State, TEXT, text};
use crate::ddl::rules::AppliedRule;
use wherry_model::TableName;

impl State {
    /// Replaces what rules changed in one table; the table's name is empty for a database.
    pub(in crate::target) fn put_rules(
        &self,
        table: &TableName,
        rules: &[AppliedRule],
    ) -> Vec<String> {
        let name = self.table("rule_change");
        let mut statements = vec![format!("DELETE FROM {name} WHERE {}", self.mine_and(table))];
        let triple = self.triple(table);
        let values: Vec<String> = rules
            .iter()
            .enumerate()
            .map(|(number, applied)| {
                format!(
                    "({triple},{number},{},{},{},{})",
                    text(&applied.place),
                    text(applied.rule),
                    text(&applied.before),
                    text(&applied.after)
                )
            })
            .collect();
        if !values.is_empty() {
            statements.push(format!(
                "INSERT INTO {name} (task, database_name, table_name, number, place, rule, before_text, after_text) VALUES {}",
                values.join(",")
            ));
        }
        statements
    }

    pub(in crate::target) fn select_rules(&self) -> String {
        format!(
            "SELECT database_name, table_name, place, rule, before_text, after_text FROM {} WHERE {} ORDER BY database_name, table_name, number",
            self.table("rule_change"),
            self.mine()
        )
    }
}

pub(super) fn definition() -> (&'static str, String) {
    (
        "rule_change",
        format!(
            "task {NAME}, database_name {NAME}, table_name {NAME}, number INT UNSIGNED NOT NULL, place {TEXT} NOT NULL, rule {NAME}, before_text {TEXT} NOT NULL, after_text {TEXT} NOT NULL, PRIMARY KEY (task, database_name, table_name, number)"
        ),
    )
}
