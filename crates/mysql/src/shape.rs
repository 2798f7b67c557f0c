//! Whether a task can move the part of a table that its rule asks for.
//!
//! Owns what can be judged from the table alone; its definition is judged when it is projected, see
//! `ddl::definition`.

use crate::additional;
use crate::catalog::foreign_keys;
use crate::ddl::Dialect;
use crate::filter::Filter;
use crate::script::{self, RowProgram};
use wherry_model::pattern::TablePattern;
use wherry_model::task::SelectSpec;
use wherry_model::{CheckItem, Exactness, Fault, Table, TableName};

/// Why this table cannot be moved as its rule says; the fault names it.
pub(crate) fn problem(table: &Table, dialect: Dialect) -> Option<Fault> {
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
    let is_changed = table.filter().is_some() || table.script().is_some();
    if is_changed && table.is_cascading() {
        // Its rows change where nobody could filter or change them.
        let message = format!(
            "table {name} has a filter or a script, and foreign keys tie it to tables whose cascades the source does not log"
        );
        return Some(Fault::operator("FLT-008", message).table(name).hint(
            "Let its rows move as they are, or remove the foreign keys with CASCADE or SET NULL at the source.",
        ));
    }
    let filter = Filter::of(table).err();
    filter
        .or_else(|| script::problem(table, dialect))
        .or_else(|| cannot_leave(table, dialect))
}

/// Why kinds of changes of this table cannot be left out.
fn cannot_leave(table: &Table, dialect: Dialect) -> Option<Fault> {
    let leaves = table.leaves();
    if leaves.is_nothing() {
        return None;
    }
    let name = &table.name;
    let why = match table.exactness {
        Exactness::Merged if leaves.entering => Some("it becomes one table with others"),
        // Of a merged one `operations` is judged with all else that it needs.
        Exactness::Keyed | Exactness::Merged => None,
        Exactness::Keyless => Some("no key tells which of its rows are there"),
        Exactness::Cascading => {
            Some("foreign keys tie it to tables whose cascades the source does not log")
        }
    };
    if let Some(why) = why {
        let message = format!("changes of rows of table {name} cannot be left out: {why}");
        let hint = "Let its rule carry `dml`, and `both-images` where it has a filter.";
        return Some(Fault::operator("TRF-020", message).table(name).hint(hint));
    }
    if !leaves.update && !leaves.delete {
        return None;
    }
    match foreign_keys(std::slice::from_ref(table), dialect) {
        Err(fault) => Some(fault),
        Ok(facts) => facts
            .first()
            .map(|fact| loose_key(name, &fact.child, &fact.parent)),
    }
}

/// A foreign key that would not hold in the target: its parent lacks rows, or its child keeps rows,
/// that the source has otherwise.
fn loose_key(name: &TableName, child: &TableName, parent: &TableName) -> Fault {
    let message = format!(
        "changes of rows of table {name} cannot be left out: the foreign key of {child} to {parent} would not hold in the target"
    );
    Fault::operator("TRF-021", message).table(name).hint(
        "A child needs `update` and `delete`, a parent `insert` and `update`: let the rule carry them, or remove the foreign key at the source.",
    )
}

/// Tables that foreign keys point to, and that may come to lack rows.
fn loose_parents(tables: &[Table], dialect: Dialect) -> Result<Vec<Fault>, Fault> {
    if !tables.iter().any(lacks_rows) {
        return Ok(Vec::new());
    }
    let facts = foreign_keys(tables, dialect)?;
    let parents = tables.iter().filter(|table| lacks_rows(table));
    Ok(parents
        .filter_map(|table| {
            let mut facts = facts.iter();
            let fact = facts.find(|fact| fact.parent == table.name)?;
            Some(loose_key(&table.name, &fact.child, &fact.parent))
        })
        .collect())
}

/// True where rows that others refer to may be missing in the target. Those that a filter leaves
/// out are judged by it.
pub(crate) fn lacks_rows(table: &Table) -> bool {
    let leaves = table.leaves();
    leaves.insert || leaves.update
}

/// What of a table's rule may leave rows behind.
pub(crate) fn leaves_rows_out(table: &Table) -> Option<&'static str> {
    let drops = || matches!(RowProgram::of(table), Ok(Some(program)) if program.may_drop());
    if table.filter().is_some() {
        Some("a filter")
    } else {
        drops().then_some("a script that may leave rows out")
    }
}

/// Tables that foreign keys of other tables, or their own, point to, and of which rows stay behind
/// or referenced columns are written.
fn lost_parents(tables: &[Table], dialect: Dialect) -> Result<Vec<Fault>, Fault> {
    if !tables.iter().any(Table::is_looked_at) {
        return Ok(Vec::new());
    }
    let facts = foreign_keys(tables, dialect)?;
    let refusal = |table: &Table| {
        let mut facts = facts.iter().filter(|fact| fact.parent == table.name);
        match leaves_rows_out(table) {
            Some(what) => {
                let fact = facts.next()?;
                Some(filtered_parent(&table.name, what, &fact.child))
            }
            None => {
                let program = RowProgram::of(table).ok()??;
                let is_written =
                    |name: &&String| program.written(table).any(|column| *column == **name);
                let column = facts.find_map(|fact| fact.referenced.iter().find(is_written))?;
                Some(script::writes_needed(table, column))
            }
        }
    };
    Ok(tables.iter().filter_map(refusal).collect())
}

fn filtered_parent(parent: &TableName, what: &str, child: &TableName) -> Fault {
    let message = format!(
        "table {parent} has {what}, and rows of {child} may refer to rows that stay behind"
    );
    let hint =
        format!("Let all its rows move, or remove the foreign key of {child} at the source.");
    Fault::operator("FLT-007", message).table(parent).hint(hint)
}

/// Moves the tables that cannot be carried as their rules say to those that are refused.
///
/// Errors: a definition that cannot be read.
pub(crate) fn refuse(
    tables: &mut Vec<Table>,
    refused: &mut Vec<Fault>,
    selection: &SelectSpec,
    dialect: Dialect,
) -> Result<(), Fault> {
    let of_table = |table| problem(table, dialect).or_else(|| additional::kept(table, selection));
    let mut found: Vec<Fault> = tables.iter().filter_map(of_table).collect();
    found.extend(lost_parents(tables, dialect)?);
    found.extend(loose_parents(tables, dialect)?);
    tables.retain(|table| {
        let mut of_tables = found.iter().filter_map(Fault::table_name);
        !of_tables.any(|name| *name == table.name)
    });
    refused.extend(found);
    Ok(())
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
    ["TRF-", "FLT-", "MRG-", "ETL-", "ADD-"]
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
            let mut columns = meant.iter().flat_map(|table| table.source_columns());
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
