//! What must be right of the names that the target is to have.
//!
//! Owns the item `target-names`: every collision is listed, since each needs a decision.

use crate::ddl::definition::Definition;
use crate::ddl::{Context, Dialect};
use crate::shape::unknown_columns;
use std::collections::{BTreeMap, BTreeSet};
use wherry_model::names::problem_of;
use wherry_model::pattern::{Pattern, TablePattern};
use wherry_model::task::{Mapping, SelectSpec};
use wherry_model::{CheckItem, NameMap, Table, TableName};

const ID: &str = "target-names";

/// Nothing where every name stays.
pub(super) fn check(
    names: &NameMap,
    selection: &SelectSpec,
    tables: &[Table],
    source: Dialect,
) -> Option<CheckItem> {
    if names.is_identity() {
        return None;
    }
    let mut problems = Vec::new();
    one_table_for_several(names, tables, &mut problems);
    one_column_for_several(tables, &mut problems);
    one_constraint_for_several(tables, source, &mut problems);
    not_allowed(tables, &mut problems);
    if !problems.is_empty() {
        return Some(CheckItem::fail(
            ID,
            problems.join("; "),
            "Change select.mapping or select.capitalization.",
        ));
    }
    let unknown = unknown_columns(selection, tables);
    if !unknown.is_empty() {
        return Some(CheckItem::fail(
            ID,
            format!(
                "rules of select.tables name columns that are not there: {}",
                unknown.join(", ")
            ),
            "Check their spelling.",
        ));
    }
    let idle = about_nothing(selection, tables);
    if !idle.is_empty() {
        return Some(CheckItem::warn(
            ID,
            format!(
                "these rules name nothing that the source has now: {}",
                idle.join(", ")
            ),
            "Check their spelling; a rule for what is made later may stay.",
        ));
    }
    Some(CheckItem::pass(ID, "no two names become one"))
}

fn one_table_for_several(names: &NameMap, tables: &[Table], problems: &mut Vec<String>) {
    let folded = |table: &Table| {
        let name = table.target_name().to_string();
        match names.target_folds() {
            true => name.to_lowercase(),
            false => name,
        }
    };
    for group in groups(tables.iter(), folded) {
        let one =
            |table: &&Table| table.is_merged() && table.target_name() == group[0].target_name();
        if group.iter().all(one) {
            continue;
        }
        let sources: Vec<String> = group.iter().map(|table| table.name.to_string()).collect();
        let target = group[0].target_name();
        problems.push(format!(
            "{} would be one table, {target}, which select.merge does not name",
            sources.join(" and ")
        ));
    }
}

/// Servers do not tell the letters of columns apart.
fn one_column_for_several(tables: &[Table], problems: &mut Vec<String>) {
    for table in tables {
        let columns = table.columns.iter();
        for group in groups(columns, |column| column.target_name().to_lowercase()) {
            let sources: Vec<&str> = group.iter().map(|column| column.name.as_str()).collect();
            problems.push(format!(
                "columns `{}` of {} would be one column, `{}`",
                sources.join("` and `"),
                table.name,
                group[0].target_name()
            ));
        }
    }
}

/// Foreign keys and checks have names that are unique in their database.
fn one_constraint_for_several(tables: &[Table], source: Dialect, problems: &mut Vec<String>) {
    let mut constraints: Vec<(&Table, String)> = Vec::new();
    let mut merged: BTreeSet<&TableName> = BTreeSet::new();
    for table in tables {
        if table.is_merged() && !merged.insert(table.target_name()) {
            continue;
        }
        let context = Context::new(&table.name.database, source);
        // A definition that cannot be read is an item of its own.
        let Ok(definition) = Definition::parse(&table.definition, &context) else {
            continue;
        };
        let foreign_keys = definition.foreign_keys.iter().map(|key| &key.name);
        let own = foreign_keys.map(|name| (table, format!("foreign key `{name}`")));
        constraints.extend(own);
        if !source.mariadb {
            let checks = definition.checks.iter().map(|check| &check.name);
            constraints.extend(checks.map(|name| (table, format!("check `{name}`"))));
        }
    }
    let place = |(table, name): &(&Table, String)| {
        let database = &table.target_name().database;
        format!("{}.{}", database.to_lowercase(), name.to_lowercase())
    };
    for group in groups(constraints.iter(), |constraint| place(constraint)) {
        let sources: Vec<String> = group
            .iter()
            .map(|(table, _)| table.name.to_string())
            .collect();
        let (table, name) = group[0];
        problems.push(format!(
            "{} each have {name}, and would be in one database, `{}`",
            sources.join(" and "),
            table.target_name().database
        ));
    }
}

fn not_allowed(tables: &[Table], problems: &mut Vec<String>) {
    let mut check = |source: String, name: &str| {
        if let Some(problem) = problem_of(name) {
            problems.push(format!(
                "the name of {source} in the target, `{name}`, {problem}"
            ));
        }
    };
    for table in tables {
        let target = table.target_name();
        check(
            format!("database `{}`", table.name.database),
            &target.database,
        );
        check(format!("table {}", table.name), &target.table);
        for column in &table.columns {
            let source = format!("column `{}` of {}", column.name, table.name);
            check(source, column.target_name());
        }
    }
}

/// Rules for tables and columns that are not there, and patterns for such databases.
fn about_nothing(selection: &SelectSpec, tables: &[Table]) -> Vec<String> {
    let mapping = &selection.mapping;
    let is_idle_database = |rule: &str| {
        let pattern = Pattern::alone(rule).ok().filter(|it| !it.is_exact());
        let names = |pattern: Pattern| tables.iter().any(|it| pattern.matches(&it.name.database));
        pattern.is_some_and(|pattern| !names(pattern))
    };
    let is_idle_table = |rule: &str| {
        let pattern = TablePattern::parse(rule);
        !pattern.is_ok_and(|pattern| tables.iter().any(|table| pattern.matches(&table.name)))
    };
    let is_idle_column = |rule: &str| {
        let Ok((table, column)) = TablePattern::parse_column(rule) else {
            return true;
        };
        let means = |name: &str| match column.exact() {
            Some(own) => own.to_lowercase() == name.to_lowercase(),
            None => column.matches(name),
        };
        let mut found = tables.iter().filter(|it| table.matches(&it.name));
        !found.any(|table| table.columns.iter().any(|column| means(&column.name)))
    };
    let idle = |rules: &Mapping, is_idle: &dyn Fn(&str) -> bool| -> Vec<String> {
        let rules = rules.iter().map(|(from, _)| from);
        rules
            .filter(|from| is_idle(from))
            .map(str::to_owned)
            .collect()
    };
    let mut found = idle(&mapping.databases, &is_idle_database);
    found.extend(idle(&mapping.tables, &is_idle_table));
    found.extend(idle(&mapping.columns, &is_idle_column));
    found
}

/// Those of which several have the same key.
fn groups<'t, T>(all: impl Iterator<Item = &'t T>, key: impl Fn(&T) -> String) -> Vec<Vec<&'t T>> {
    let mut groups: BTreeMap<String, Vec<&T>> = BTreeMap::new();
    for one in all {
        groups.entry(key(one)).or_default().push(one);
    }
    groups
        .into_values()
        .filter(|group| group.len() > 1)
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use wherry_model::task::{Capitalization, MappingSpec};
    use wherry_model::{Column, ColumnKind, Exactness, TableName, Verdict};

    fn table(names: &NameMap, name: &str, columns: &[&str], constraints: &str) -> Table {
        let name = TableName::parse(name).expect("a name");
        let column = |name: &&str| Column {
            name: (*name).to_owned(),
            kind: ColumnKind::Text,
            column_type: String::new(),
            nullable: true,
            charset: None,
            collation: None,
            generated: false,
            auto_increment: false,
            in_target: None,
        };
        let mut table = Table {
            definition: format!("CREATE TABLE `{}` (`x` int{constraints})", name.table),
            name,
            engine: String::new(),
            columns: columns.iter().map(column).collect(),
            keys: Vec::new(),
            exactness: Exactness::Keyless,
            row_count_estimate: 0,
            byte_count_estimate: 0,
            adopted: None,
            shape: None,
            in_target: None,
        };
        names.apply(&mut table);
        table
    }

    fn select(rules: [&[(&str, &str)]; 3], capitalization: Capitalization) -> SelectSpec {
        let rules = rules.map(|pairs| {
            let pairs = pairs.iter();
            pairs
                .map(|(from, to)| ((*from).to_owned(), (*to).to_owned()))
                .collect()
        });
        let [databases, tables, columns] = rules;
        SelectSpec {
            databases: vec!["shop".to_owned(), "crm".to_owned()],
            mapping: MappingSpec {
                databases,
                tables,
                columns,
            },
            capitalization,
            ..SelectSpec::default()
        }
    }

    fn check_of(select: &SelectSpec, folds: bool, tables: &[(&str, &[&str], &str)]) -> CheckItem {
        let names = NameMap::new(select, folds).expect("rules");
        let tables: Vec<Table> = tables
            .iter()
            .map(|(name, columns, constraints)| table(&names, name, columns, constraints))
            .collect();
        check(&names, select, &tables, Dialect::mysql(90_704)).expect("an item")
    }

    #[test]
    fn every_collision_is_listed() {
        let both = select(
            [
                &[("shop", "all"), ("crm", "all")],
                &[("shop.a", "all.b"), ("shop.late", "all.later")],
                &[("shop.b.x", "Y"), ("shop.b.none", "z")],
            ],
            Capitalization::Source,
        );
        let own = ", CONSTRAINT `c` CHECK ((`x` > 0)), \
                   CONSTRAINT `f` FOREIGN KEY (`x`) REFERENCES `p` (`y`)";
        let other = ", CONSTRAINT `F` FOREIGN KEY (`x`) REFERENCES `p` (`y`), \
                     CONSTRAINT `C` CHECK ((`x` > 1))";
        let item = check_of(
            &both,
            false,
            &[
                ("shop.a", &["x"], own),
                ("shop.b", &["x", "y"], ""),
                ("crm.c", &["x"], other),
                ("crm.b", &["x"], ""),
            ],
        );
        assert_eq!(item.verdict, Verdict::Fail);
        for words in [
            "`shop`.`a` and `shop`.`b` and `crm`.`b` would be one table, `all`.`b`",
            "columns `x` and `y` of `shop`.`b` would be one column, `Y`",
            "`shop`.`a` and `crm`.`c` each have foreign key `f`",
            "`shop`.`a` and `crm`.`c` each have check `c`",
        ] {
            assert!(
                item.evidence.contains(words),
                "{words} in {}",
                item.evidence
            );
        }
        let idle = check_of(&both, false, &[("shop.b", &["x"], "")]);
        assert_eq!(idle.verdict, Verdict::Warn);
        for rule in ["shop.a", "shop.late", "shop.b.none"] {
            assert!(idle.evidence.contains(rule), "{}", idle.evidence);
        }
    }

    #[test]
    fn letters_collide_where_they_are_folded() {
        let tables: [(&str, &[&str], &str); 2] =
            [("shop.Item", &["a"], ""), ("shop.ITEM", &["a"], "")];
        let plain = select([&[], &[], &[]], Capitalization::Default);
        assert_eq!(check_of(&plain, true, &tables).verdict, Verdict::Fail);
        assert_eq!(check_of(&plain, true, &tables[..1]).verdict, Verdict::Pass);
        let names = NameMap::new(&plain, false).expect("no rule");
        assert!(check(&names, &plain, &[], Dialect::mysql(90_704)).is_none());
        let upper = select([&[], &[], &[]], Capitalization::Upper);
        assert_eq!(check_of(&upper, false, &tables).verdict, Verdict::Fail);
    }
}
