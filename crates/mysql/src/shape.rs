//! Whether a task can move the part of a table that its rule asks for.
//!
//! Owns what can be judged from the table alone; its definition is judged when it is projected, see
//! `ddl::definition`.

use wherry_model::pattern::TablePattern;
use wherry_model::task::SelectSpec;
use wherry_model::{CheckItem, Exactness, Fault, Table};

/// Why this table cannot be moved as its rule says; the fault names it.
pub(crate) fn problem(table: &Table) -> Option<Fault> {
    table.shape.as_ref()?;
    let name = &table.name;
    if table.exactness == Exactness::Keyed && table.identity().is_none() {
        return Some(
            Fault::operator(
                "TRF-003",
                format!("no key is left that tells the rows of table {name} apart: each has a column that does not move"),
            )
            .table(name)
            .hint("Let every column of its primary key, or of a unique key without NULLs, move."),
        );
    }
    None
}

/// Moves the tables that cannot be carried as their rules say to those that are refused.
pub(crate) fn refuse(tables: &mut Vec<Table>, refused: &mut Vec<Fault>) {
    tables.retain(|table| match problem(table) {
        Some(fault) => {
            refused.push(fault);
            false
        }
        None => true,
    });
}

/// The item of the precheck about the rules of tables, from what the catalog refused.
pub(crate) fn items(refused: &[Fault]) -> Vec<CheckItem> {
    let ours = refused.iter().filter(|fault| is_ours(fault));
    let items = ours.map(|fault| {
        let evidence = format!("{}: {}", fault.code, fault.message);
        CheckItem::fail("source-transform", evidence, fault.hint.clone())
    });
    let items: Vec<CheckItem> = items.collect();
    if items.is_empty() {
        let evidence = "every table can be moved as its rule says";
        return vec![CheckItem::pass("source-transform", evidence)];
    }
    items
}

fn is_ours(fault: &Fault) -> bool {
    ["TRF-", "FLT-", "MRG-"]
        .iter()
        .any(|area| fault.code.starts_with(area))
}

/// Columns in the rules of tables that no table has which a rule is about, like `shop.orders.note`.
pub(crate) fn unknown_columns(selection: &SelectSpec, tables: &[Table]) -> Vec<String> {
    let mut unknown = Vec::new();
    for rule in selection.tables.iter().filter(|rule| rule.shapes()) {
        let Ok(pattern) = TablePattern::parse(&rule.table) else {
            continue;
        };
        let meant: Vec<&Table> = tables
            .iter()
            .filter(|table| pattern.matches(&table.name))
            .collect();
        let has = |name: &str| {
            let mut columns = meant.iter().flat_map(|table| &table.columns);
            columns.any(|column| column.name.to_lowercase() == name.to_lowercase())
        };
        let lists = [&rule.columns, &rule.without].into_iter().flatten();
        let names = lists
            .flatten()
            .filter(|name| !meant.is_empty() && !has(name));
        unknown.extend(names.map(|name| format!("{pattern}.{name}")));
    }
    unknown
}
