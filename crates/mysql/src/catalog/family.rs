//! Foreign keys as the definitions state them, and which tables they tie into one family.
//!
//! Definitions and not `information_schema`: MariaDB shows foreign keys there only to accounts
//! that may do more than SELECT.

use crate::ddl::definition::{Definition, ForeignKey};
use crate::ddl::{Context, Dialect};
use crate::session::Session;
use std::collections::HashSet;
use wherry_model::{Exactness, Fault, Table, TableName};

/// A foreign key of a table.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ForeignKeyFact {
    pub child: TableName,
    pub constraint: String,
    pub parent: TableName,
    /// The columns of the parent.
    pub referenced: Vec<String>,
    /// Like `ON DELETE CASCADE`, where a change of the parent changes rows of the child.
    pub rule: Option<String>,
}

/// Every foreign key of these tables, in their order.
///
/// Errors: a definition that cannot be read; the fault names its table.
pub fn foreign_keys(tables: &[Table], dialect: Dialect) -> Result<Vec<ForeignKeyFact>, Fault> {
    let mut facts = Vec::new();
    for table in tables {
        let context = Context::new(&table.name.database, dialect);
        let definition = Definition::parse(&table.definition, &context)
            .map_err(|error| Fault::from(error).table(&table.name))?;
        facts.extend(definition.foreign_keys.iter().map(|key| ForeignKeyFact {
            child: table.name.clone(),
            constraint: key.name.clone(),
            parent: key.references.clone(),
            referenced: key.referenced_columns.clone(),
            rule: cascade_of(key),
        }));
    }
    Ok(facts)
}

/// The action of a foreign key that changes child rows.
pub(crate) fn cascade_of(key: &ForeignKey) -> Option<String> {
    let acts = |rule: &Option<String>| {
        let rule = rule.as_deref().unwrap_or_default();
        matches!(rule, "CASCADE" | "SET NULL" | "SET DEFAULT").then(|| rule.to_owned())
    };
    let on_delete = acts(&key.on_delete).map(|rule| format!("ON DELETE {rule}"));
    on_delete.or_else(|| acts(&key.on_update).map(|rule| format!("ON UPDATE {rule}")))
}

/// True where the source writes the child rows of a cascade to its binlog.
pub async fn cascades_are_logged(session: &mut Session) -> Result<bool, Fault> {
    if !session.version().can_log_cascades() {
        return Ok(false);
    }
    let rows = session
        .query("SHOW GLOBAL VARIABLES LIKE 'innodb\\_native\\_foreign\\_keys'")
        .await?;
    Ok(!matches!(rows.text(0, 1), Some("ON" | "1")))
}

/// Marks the tables that unlogged cascades tie together.
///
/// Their changes are applied with foreign keys checked, so whatever a foreign key ties to them
/// belongs to them too, also without a cascade: applied beside them, its rows would come too
/// early or too late for the check.
pub fn mark_family(tables: &mut [Table], facts: &[ForeignKeyFact]) {
    let known: HashSet<TableName> = tables.iter().map(|table| folded(&table.name)).collect();
    let mut family: HashSet<TableName> = HashSet::new();
    let mut ties: Vec<(TableName, TableName)> = Vec::new();
    for fact in facts {
        let (child, parent) = (folded(&fact.child), folded(&fact.parent));
        if !known.contains(&child) || !known.contains(&parent) {
            continue;
        }
        if fact.rule.is_some() {
            family.extend([child.clone(), parent.clone()]);
        }
        ties.push((child, parent));
    }
    let mut before = usize::MAX;
    while family.len() != before {
        before = family.len();
        for (child, parent) in &ties {
            if family.contains(child) || family.contains(parent) {
                family.extend([child.clone(), parent.clone()]);
            }
        }
    }
    for table in tables {
        if family.contains(&folded(&table.name)) {
            table.exactness = Exactness::Cascading;
        }
    }
}

/// One name for what a server may write in several letter cases.
fn folded(name: &TableName) -> TableName {
    TableName::new(name.database.to_lowercase(), name.table.to_lowercase())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(definitions: &[(&str, &str)], expected: &[&str]) {
        let mut tables: Vec<Table> = definitions
            .iter()
            .map(|(name, key)| Table {
                name: TableName::new("shop", *name),
                engine: "innodb".to_owned(),
                columns: Vec::new(),
                keys: Vec::new(),
                exactness: Exactness::Keyed,
                definition: format!(
                    "CREATE TABLE `{name}` (\n  `id` int NOT NULL,\n  `p` int{key}\n) ENGINE=InnoDB"
                ),
                row_count_estimate: 0,
                byte_count_estimate: 0,
                adopted: None,
                shape: None,
                in_target: None,
            })
            .collect();
        let facts = foreign_keys(&tables, Dialect::mysql(50_600)).expect("definitions");
        mark_family(&mut tables, &facts);
        let found: Vec<&str> = tables
            .iter()
            .filter(|table| table.is_cascading())
            .map(|table| table.name.table.as_str())
            .collect();
        assert_eq!(found, expected);
    }

    fn key(parent: &str, rule: &str) -> String {
        format!(",\n  CONSTRAINT `x` FOREIGN KEY (`p`) REFERENCES {parent} (`id`){rule}")
    }

    #[test]
    fn cascades_tie_tables_and_plain_keys_follow() {
        let plain = key("`a`", "");
        let cascade = key("`b`", " ON DELETE CASCADE");
        let update = key("`c`", " ON DELETE NO ACTION ON UPDATE SET NULL");
        check(&[("a", ""), ("b", &plain), ("d", "")], &[]);
        check(
            &[("a", ""), ("b", &plain), ("c", &cascade), ("d", "")],
            &["a", "b", "c"],
        );
        check(&[("c", ""), ("e", &update), ("f", "")], &["c", "e"]);
    }

    #[test]
    fn a_table_may_cascade_to_itself() {
        check(&[("a", &key("`a`", " ON DELETE CASCADE"))], &["a"]);
    }

    #[test]
    fn a_parent_outside_ties_nothing() {
        let outside = key("`other`.`a`", " ON DELETE CASCADE");
        check(&[("a", ""), ("b", &outside)], &[]);
    }
}
