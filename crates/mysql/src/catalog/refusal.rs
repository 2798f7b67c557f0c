//! Which tables a live move refuses, each with its reason and the way out.
//!
//! Owns the rules that go beyond a single column's type: engines and cascades. Read on in
//! the crate's `catalog` for what is read, in `source::precheck` for how it is reported.

use super::{in_list, required};
use crate::session::Session;
use wherry_model::{Fault, Table, TableName};

/// A foreign key whose action changes rows of `child` when `parent` changes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CascadeFact {
    pub child: TableName,
    pub constraint: String,
    pub parent: TableName,
    /// Like `ON DELETE CASCADE`.
    pub rule: String,
}

/// The cascading foreign keys of tables in these databases.
pub async fn cascades(
    session: &mut Session,
    databases: &[String],
) -> Result<Vec<CascadeFact>, Fault> {
    let names: Vec<&str> = databases.iter().map(String::as_str).collect();
    let mut sql = b"SELECT CONSTRAINT_SCHEMA, TABLE_NAME, CONSTRAINT_NAME, \
                    UNIQUE_CONSTRAINT_SCHEMA, REFERENCED_TABLE_NAME, DELETE_RULE, UPDATE_RULE \
                    FROM information_schema.REFERENTIAL_CONSTRAINTS WHERE "
        .to_vec();
    sql.extend(in_list(b"CONSTRAINT_SCHEMA", &names));
    let rows = session.query(sql).await?;
    let mut facts = Vec::new();
    for row in 0..rows.rows.len() {
        let child = TableName::new(required(&rows, row, 0)?, required(&rows, row, 1)?);
        let on_delete = required(&rows, row, 5)?;
        let on_update = required(&rows, row, 6)?;
        let rule = if acts(&on_delete) {
            format!("ON DELETE {on_delete}")
        } else if acts(&on_update) {
            format!("ON UPDATE {on_update}")
        } else {
            continue;
        };
        if databases.contains(&child.database) {
            facts.push(CascadeFact {
                child,
                constraint: required(&rows, row, 2)?,
                parent: TableName::new(required(&rows, row, 3)?, required(&rows, row, 4)?),
                rule,
            });
        }
    }
    facts.sort_by(|one, other| {
        (&one.child, &one.constraint).cmp(&(&other.child, &other.constraint))
    });
    Ok(facts)
}

fn acts(rule: &str) -> bool {
    matches!(rule, "CASCADE" | "SET NULL" | "SET DEFAULT")
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

/// Every table that a live move of these tables refuses.
///
/// `is_selected` answers for tables outside the list too.
pub fn refusals(
    tables: &[Table],
    cascades: &[CascadeFact],
    cascades_are_logged: bool,
    is_selected: &dyn Fn(&TableName) -> bool,
) -> Vec<Fault> {
    let mut faults: Vec<Fault> = tables.iter().filter_map(refuse_alone).collect();
    for fact in cascades.iter().filter(|fact| is_selected(&fact.child)) {
        faults.extend(refuse_cascade(fact, cascades_are_logged, is_selected));
    }
    faults
}

fn refuse_alone(table: &Table) -> Option<Fault> {
    let name = &table.name;
    if table.engine != "innodb" {
        let engine = &table.engine;
        return Some(
            Fault::operator(
                "SRC-010",
                format!("table {name} uses the non-transactional engine {engine}"),
            )
            .table(name)
            .hint(format!(
                "Convert it with `ALTER TABLE {name} ENGINE = InnoDB`, or leave its database out \
                 of the selection."
            )),
        );
    }
    None
}

fn refuse_cascade(
    fact: &CascadeFact,
    logged: bool,
    is_selected: &dyn Fn(&TableName) -> bool,
) -> Option<Fault> {
    let CascadeFact {
        child,
        constraint,
        parent,
        rule,
    } = fact;
    if !logged {
        return Some(
            Fault::operator(
                "SRC-011",
                format!(
                    "table {child} has the foreign key `{constraint}` with {rule}, and the source \
                     does not log the rows that it changes"
                ),
            )
            .table(child)
            .hint(format!(
                "Replace the action: `ALTER TABLE {child} DROP FOREIGN KEY `{constraint}`` and add \
                 the key again with NO ACTION, or move from MySQL 9.6 or later with \
                 `innodb_native_foreign_keys` off."
            )),
        );
    }
    if !is_selected(parent) {
        return Some(
            Fault::operator(
                "SRC-012",
                format!(
                    "table {child} has the foreign key `{constraint}` with {rule} to {parent}, \
                     which is not selected"
                ),
            )
            .table(child)
            .hint(format!(
                "Select the database `{}` as well, or drop the foreign key.",
                parent.database
            )),
        );
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;
    use wherry_model::{Exactness, Scope};

    fn table(name: &str, engine: &str) -> Table {
        Table {
            name: TableName::new("shop", name),
            engine: engine.to_owned(),
            columns: Vec::new(),
            keys: Vec::new(),
            exactness: Exactness::Keyless,
            definition: String::new(),
            row_count_estimate: 0,
            byte_count_estimate: 0,
            adopted: None,
        }
    }

    fn cascade(parent_database: &str) -> CascadeFact {
        CascadeFact {
            child: TableName::new("shop", "item"),
            constraint: "item_fk".to_owned(),
            parent: TableName::new(parent_database, "orders"),
            rule: "ON DELETE CASCADE".to_owned(),
        }
    }

    fn check(tables: &[Table], cascades: &[CascadeFact], logged: bool, expected: &[(&str, &str)]) {
        let faults = refusals(tables, cascades, logged, &|name| name.database == "shop");
        let found: Vec<(&str, String)> = faults
            .iter()
            .map(|fault| (fault.code, fault.message.clone()))
            .collect();
        let expected: Vec<(&str, String)> = expected
            .iter()
            .map(|&(code, text)| (code, text.to_owned()))
            .collect();
        assert_eq!(found, expected);
        for fault in faults {
            assert!(matches!(fault.scope, Scope::Table(_)), "{fault}");
            assert!(fault.hint.ends_with('.'), "{}", fault.hint);
        }
    }

    #[test]
    fn engines_without_transactions_are_refused() {
        check(&[table("a", "innodb")], &[], false, &[]);
        check(
            &[table("a", "myisam")],
            &[],
            true,
            &[(
                "SRC-010",
                "table `shop`.`a` uses the non-transactional engine myisam",
            )],
        );
    }

    #[test]
    fn cascades_are_refused_where_they_are_not_logged() {
        check(&[], &[cascade("shop")], true, &[]);
        check(
            &[],
            &[cascade("shop")],
            false,
            &[(
                "SRC-011",
                "table `shop`.`item` has the foreign key `item_fk` with ON DELETE CASCADE, and \
                 the source does not log the rows that it changes",
            )],
        );
    }

    #[test]
    fn a_cascading_parent_must_be_selected() {
        check(
            &[],
            &[cascade("other")],
            true,
            &[(
                "SRC-012",
                "table `shop`.`item` has the foreign key `item_fk` with ON DELETE CASCADE to \
                 `other`.`orders`, which is not selected",
            )],
        );
    }
}
