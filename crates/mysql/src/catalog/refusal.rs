//! Which tables a live move refuses, each with its reason and the way out.
//!
//! Owns the rules that go beyond a single column's type: engines and cascades. Read on in
//! the crate's `catalog` for what is read, in `source::precheck` for how it is reported.

use super::family::ForeignKeyFact;
use wherry_model::{Fault, Table, TableName};

/// Every table that a live move of these tables refuses.
///
/// `is_selected` answers for tables outside the list too.
pub fn refusals(
    tables: &[Table],
    foreign_keys: &[ForeignKeyFact],
    is_selected: &dyn Fn(&TableName) -> bool,
) -> Vec<Fault> {
    let mut faults: Vec<Fault> = tables.iter().filter_map(refuse_alone).collect();
    for fact in foreign_keys.iter().filter(|fact| is_selected(&fact.child)) {
        faults.extend(refuse_cascade(fact, is_selected));
    }
    faults
}

fn refuse_alone(table: &Table) -> Option<Fault> {
    let name = &table.name;
    if table.engine != "innodb" && table.is_transactional() {
        let engine = &table.engine;
        return Some(
            Fault::operator(
                "SRC-010",
                format!("table {name} uses the engine {engine}, which Wherry does not read"),
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
    fact: &ForeignKeyFact,
    is_selected: &dyn Fn(&TableName) -> bool,
) -> Option<Fault> {
    let ForeignKeyFact {
        child,
        constraint,
        parent,
        rule,
    } = fact;
    let rule = rule.as_deref()?;
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
            in_target: None,
        }
    }

    fn cascade(parent_database: &str) -> ForeignKeyFact {
        ForeignKeyFact {
            child: TableName::new("shop", "item"),
            constraint: "item_fk".to_owned(),
            parent: TableName::new(parent_database, "orders"),
            rule: Some("ON DELETE CASCADE".to_owned()),
        }
    }

    fn check(tables: &[Table], foreign_keys: &[ForeignKeyFact], expected: &[(&str, &str)]) {
        let faults = refusals(tables, foreign_keys, &|name| name.database == "shop");
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
    fn engines_that_nobody_proved_are_refused() {
        check(&[table("a", "innodb"), table("b", "myisam")], &[], &[]);
        check(
            &[table("a", "blackhole")],
            &[],
            &[(
                "SRC-010",
                "table `shop`.`a` uses the engine blackhole, which Wherry does not read",
            )],
        );
    }

    #[test]
    fn a_cascading_parent_must_be_selected() {
        check(&[], &[cascade("shop")], &[]);
        check(
            &[],
            &[cascade("other")],
            &[(
                "SRC-012",
                "table `shop`.`item` has the foreign key `item_fk` with ON DELETE CASCADE to \
                 `other`.`orders`, which is not selected",
            )],
        );
        let plain = ForeignKeyFact {
            rule: None,
            ..cascade("other")
        };
        check(&[], &[plain], &[]);
    }
}
