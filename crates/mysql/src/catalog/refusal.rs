//! Which tables a live move refuses, each with its reason and the way out.
//!
//! Owns the rules that go beyond a single column's type: engines and cascades. Read on in
//! the crate's `catalog` for what is read, in `source::precheck` for how it is reported.

use super::Survey;
use super::family::{ForeignKeyFact, foreign_keys, mark_family};
use crate::ddl::Dialect;
use std::collections::HashSet;
use wherry_model::{Fault, Table, TableName};

/// The tables of a survey that a live move carries, with their place in the family, and a fault
/// for each of the others. Where one of the family is refused, all are: its cascades would be missing.
///
/// Errors: a definition that cannot be read; the fault names its table.
pub fn carried(
    found: Survey,
    dialect: Dialect,
    cascades_are_logged: bool,
    is_selected: &dyn Fn(&TableName) -> bool,
) -> Result<(Vec<Table>, Vec<Fault>), Fault> {
    let facts = foreign_keys(&found.tables, dialect)?;
    let mut refused = found.refused;
    refused.extend(refusals(&found.tables, &facts, is_selected));
    let named = |refused: &[Fault]| -> HashSet<TableName> {
        refused
            .iter()
            .filter_map(Fault::table_name)
            .cloned()
            .collect()
    };
    let mut names = named(&refused);
    let mut tables = found.tables;
    if !cascades_are_logged {
        let readable = found.drafts.iter().map(|draft| {
            let draft = std::slice::from_ref(draft);
            foreign_keys(draft, dialect).unwrap_or_default()
        });
        let facts = readable.flatten().chain(facts).collect::<Vec<_>>();
        tables.extend(found.drafts);
        mark_family(&mut tables, &facts);
        let lost = |table: &Table| table.is_cascading() && names.contains(&table.name);
        if let Some(lost) = tables
            .iter()
            .find(|table| lost(table))
            .map(|table| table.name.clone())
        {
            let tied = |table: &&Table| table.is_cascading() && !names.contains(&table.name);
            refused.extend(
                tables
                    .iter()
                    .filter(tied)
                    .map(|table| torn(&table.name, &lost)),
            );
            names = named(&refused);
        }
    }
    tables.retain(|table| !names.contains(&table.name));
    Ok((tables, refused))
}

fn torn(table: &TableName, lost: &TableName) -> Fault {
    Fault::operator(
        "SRC-095",
        format!("table {table} is tied to {lost} by foreign keys whose cascades the source does not log, and that table cannot be carried"),
    )
    .table(table)
    .hint(format!("Remove what hinders {lost} or the foreign keys between them."))
}

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
        ..
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
            shape: None,
            in_target: None,
        }
    }

    fn cascade(parent_database: &str) -> ForeignKeyFact {
        ForeignKeyFact {
            child: TableName::new("shop", "item"),
            constraint: "item_fk".to_owned(),
            parent: TableName::new(parent_database, "orders"),
            referenced: vec!["id".to_owned()],
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

    /// The tables that are carried where the parent of a cascade is not.
    fn carried_without_parent(cascades_are_logged: bool) -> (Vec<String>, Vec<&'static str>) {
        let define = |name: &str, engine: &str, key: &str| Table {
            definition: format!("CREATE TABLE `{name}` (\n  `id` int NOT NULL,\n  `p` int{key}\n)"),
            ..table(name, engine)
        };
        let key =
            ",\n  CONSTRAINT `x` FOREIGN KEY (`p`) REFERENCES `orders` (`id`) ON DELETE CASCADE";
        let found = Survey {
            tables: vec![
                define("free", "innodb", ""),
                define("item", "innodb", key),
                define("orders", "blackhole", ""),
            ],
            ..Survey::default()
        };
        let dialect = Dialect::mysql(50_700);
        let (tables, refused) =
            carried(found, dialect, cascades_are_logged, &|_| true).expect("tables");
        let names = tables.into_iter().map(|table| table.name.table);
        (
            names.collect(),
            refused.iter().map(|fault| fault.code).collect(),
        )
    }

    #[test]
    fn a_family_is_carried_whole_or_not_at_all() {
        let names = |names: &[&str]| names.iter().map(ToString::to_string).collect();
        assert_eq!(
            carried_without_parent(true),
            (names(&["free", "item"]), vec!["SRC-010"])
        );
        let both = vec!["SRC-010", "SRC-095"];
        assert_eq!(carried_without_parent(false), (names(&["free"]), both));
    }
}
