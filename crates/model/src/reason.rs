//! Which rule of the task file decided what becomes of a table: for people, in the words of the file.

use crate::name::TableName;
use crate::names::NameMap;
use crate::operation::Operations;
use crate::select::{ConflictPolicy, SelectSpec};
use crate::table::OwnRows;
use crate::task::EngineRule;

impl SelectSpec {
    /// Why this table moves; `None` where it does not.
    pub fn selected_by(&self, table: &TableName) -> Option<String> {
        if !self.includes(table) {
            return None;
        }
        let whole = self.entry_of(&table.database);
        let single = || self.include_of(table);
        whole
            .map(|entry| format!("select.databases `{entry}`"))
            .or_else(|| single().map(|entry| format!("select.include `{entry}`")))
    }

    /// What holds where the target has the table already, and why.
    pub fn policy_by(&self, table: &TableName) -> (ConflictPolicy, String) {
        let mut rules = self.rules_of(table);
        if let Some((policy, rule)) = rules.find_map(|rule| Some((rule.policy?, rule))) {
            return (policy, format!("select.tables `{}`", rule.table));
        }
        let mut rules = self.rules_of_database(&table.database);
        match rules.find_map(|rule| Some((rule.policy?, rule))) {
            Some((policy, rule)) => (policy, format!("select.databases `{}`", rule.database)),
            None => (self.policy, "select.policy".to_owned()),
        }
    }

    /// What becomes of the rows of a table that the target has already, where it is used as it is;
    /// `None` where the task makes the table.
    pub fn adopts(&self, table: &TableName) -> Option<OwnRows> {
        match self.policy_of(table) {
            ConflictPolicy::Keep => Some(OwnRows::Kept),
            ConflictPolicy::Replace => Some(OwnRows::Replaced),
            ConflictPolicy::Fail if self.phases.uses_given_tables() => Some(OwnRows::Same),
            ConflictPolicy::Fail => None,
        }
    }

    /// The engine that the table gets where the task makes it, and why.
    pub fn engine_by(&self, table: &TableName) -> (EngineRule, String) {
        let mut rules = self.rules_of(table);
        if let Some((engine, rule)) = rules.find_map(|rule| Some((rule.engine?, rule))) {
            return (engine, format!("select.tables `{}`", rule.table));
        }
        let mut rules = self.rules_of_database(&table.database);
        match rules.find_map(|rule| Some((rule.engine?, rule))) {
            Some((engine, rule)) => (engine, format!("select.databases `{}`", rule.database)),
            None => (self.engine, "schema.engine".to_owned()),
        }
    }

    /// Which rule gives the table its additional columns.
    pub fn added_by(&self, table: &TableName) -> Option<String> {
        let mut rules = self.rules_of(table);
        let rule = rules.find(|rule| rule.add.is_some())?;
        Some(format!("select.tables `{}`", rule.table))
    }

    /// What is carried of the table's operations, and why.
    pub fn operations_by(&self, table: &TableName) -> (&Operations, String) {
        let mut rules = self.rules_of(table);
        if let Some((operations, rule)) =
            rules.find_map(|rule| Some((rule.operations.as_ref()?, rule)))
        {
            return (operations, format!("select.tables `{}`", rule.table));
        }
        let mut rules = self.rules_of_database(&table.database);
        match rules.find_map(|rule| Some((rule.operations.as_ref()?, rule))) {
            Some((operations, rule)) => {
                (operations, format!("select.databases `{}`", rule.database))
            }
            None => (&self.operations, "select.operations".to_owned()),
        }
    }
}

impl NameMap {
    /// Why the table has its name in the target; `None` where it keeps the one of the source.
    pub fn named_by(&self, table: &TableName) -> Option<String> {
        let target = self.table(table);
        if target == *table {
            return None;
        }
        let of_table = self.table_rule_text(table);
        let of_database = || {
            let changes = target.database != table.database;
            changes
                .then(|| self.database_rule_text(&table.database))
                .flatten()
        };
        let rule = of_table
            .map(|rule| format!("select.mapping.tables `{rule}`"))
            .or_else(|| of_database().map(|rule| format!("select.mapping.databases `{rule}`")));
        Some(rule.unwrap_or_else(|| "select.capitalization".to_owned()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::select::{DatabaseRule, Mapping, MappingSpec, TableRule};

    fn rules(pairs: &[(&str, &str)]) -> Mapping {
        let owned = |(from, to): &(&str, &str)| ((*from).to_owned(), (*to).to_owned());
        pairs.iter().map(owned).collect()
    }

    #[test]
    fn the_rule_that_decides_is_named() {
        let words = |words: &[&str]| {
            let words: Vec<String> = words.iter().map(|word| (*word).to_owned()).collect();
            Operations::try_from(words).ok()
        };
        let select = SelectSpec {
            databases: vec!["shop_*".to_owned(), "shop_1".to_owned()],
            include: vec!["crm.log_*".to_owned()],
            database_rules: vec![DatabaseRule {
                database: "shop_*".to_owned(),
                policy: Some(ConflictPolicy::Keep),
                operations: words(&["-view"]),
                engine: Some(EngineRule::Keep),
            }],
            tables: vec![TableRule {
                operations: words(&["-drop-table"]),
                ..TableRule::of("*.a")
            }],
            mapping: MappingSpec {
                databases: rules(&[("shop_*", "s{1}")]),
                tables: rules(&[("crm.log_*", "crm.l{1}")]),
                columns: Mapping::default(),
            },
            ..SelectSpec::default()
        };
        let name = |text: &str| TableName::parse(text).expect("a name");
        let selected = |text: &str| select.selected_by(&name(text)).unwrap_or_default();
        assert_eq!(selected("shop_1.a"), "select.databases `shop_1`");
        assert_eq!(selected("shop_2.a"), "select.databases `shop_*`");
        assert_eq!(selected("crm.log_1"), "select.include `crm.log_*`");
        assert_eq!(selected("crm.x"), "");
        let policy = |text: &str| select.policy_by(&name(text));
        let keep = "select.databases `shop_*`".to_owned();
        let engine = |table: &str| select.engine_by(&TableName::parse(table).expect("a name"));
        let of_database = "select.databases `shop_*`".to_owned();
        assert_eq!(engine("shop_1.x"), (EngineRule::Keep, of_database));
        assert_eq!(engine("crm.x").0, EngineRule::Innodb);
        assert_eq!(policy("shop_1.a"), (ConflictPolicy::Keep, keep));
        assert_eq!(policy("crm.log_1").1, "select.policy");
        let operations = |text: &str| select.operations_by(&name(text)).1;
        assert_eq!(operations("shop_1.a"), "select.tables `*.a`");
        assert_eq!(operations("shop_1.b"), "select.databases `shop_*`");
        assert_eq!(operations("crm.log_1"), "select.operations");
        let names = NameMap::new(&select, false).expect("rules");
        let named = |text: &str| names.named_by(&name(text)).unwrap_or_default();
        assert_eq!(named("shop_1.a"), "select.mapping.databases `shop_*`");
        assert_eq!(named("crm.log_1"), "select.mapping.tables `crm.log_*`");
        assert_eq!(named("crm.x"), "");
    }
}
