//! Tables of the source that become one table of the target (`select.merge`).
//!
//! Owns which of them can: their rows must be told apart by a key, and their definitions must be
//! one. What the target does with them stands in `target::ddl_merged` and where exact tables are
//! loaded.

use crate::ddl::definition::Definition;
use crate::ddl::{Context, Dialect};
use std::collections::BTreeMap;
use wherry_model::task::{ConflictPolicy, SelectSpec};
use wherry_model::{Fault, NameMap, Operation, Table, TableName};

/// Moves the tables that cannot be merged as the task asks to those that are refused.
pub(crate) fn refuse(
    tables: &mut Vec<Table>,
    refused: &mut Vec<Fault>,
    selection: &SelectSpec,
    names: &NameMap,
    dialect: Dialect,
) {
    let mut models: BTreeMap<TableName, (TableName, String)> = BTreeMap::new();
    tables.retain(|table| {
        if !names.is_merged(&table.name) {
            return true;
        }
        let context = Context::new(&table.name.database, dialect);
        let verdict = definition_of(table, &context)
            .and_then(|definition| {
                alone(table, &definition, selection)?;
                text_of(table, &definition, names, &context)
            })
            .and_then(|text| {
                let name = table.name.clone();
                let first = models.entry(table.target_name().clone());
                let (model, wanted) = first.or_insert_with(|| (name, text.clone()));
                same(table, &text, model, wanted)
            });
        verdict.map_err(|fault| refused.push(fault)).is_ok()
    });
}

fn definition_of(table: &Table, context: &Context) -> Result<Definition, Fault> {
    Definition::parse(&table.definition, context)
        .map_err(|error| Fault::from(error).table(&table.name))
}

/// Why this table cannot become one with any other.
fn alone(table: &Table, definition: &Definition, selection: &SelectSpec) -> Result<(), Fault> {
    let name = &table.name;
    let cannot = |why: &str, hint: &str| {
        let message = format!(
            "table {name} cannot become {} together with others: {why}",
            table.target_name()
        );
        Err(Fault::operator("MRG-001", message).table(name).hint(hint))
    };
    if table.identity().is_none() {
        return cannot(
            "no key tells its rows apart",
            "Give it a primary key, or a unique key without NULLs, or take the target out of select.merge.",
        );
    }
    if !table.is_transactional() {
        return cannot(
            "its engine has no transactions",
            "Give it the engine InnoDB at the source, or leave it out with select.exclude.",
        );
    }
    if !definition.foreign_keys.is_empty() || table.is_cascading() {
        return cannot(
            "it has foreign keys, or others cascade to it",
            "Drop these foreign keys at the source, or leave the table out with select.exclude.",
        );
    }
    if selection.policy_of(name) != ConflictPolicy::Fail {
        return cannot(
            "its policy is not `fail`",
            "Leave the policy at `fail`: a merged table must begin empty.",
        );
    }
    let operations = selection.operations_by(name).0;
    if !Operation::ALL.iter().all(|one| operations.carries(*one)) {
        return cannot(
            "`operations` leaves out a part of its changes",
            "Let every operation of it be carried.",
        );
    }
    Ok(())
}

/// Its definition as the target is to have it, without what belongs to this table alone.
fn text_of(
    table: &Table,
    definition: &Definition,
    names: &NameMap,
    context: &Context,
) -> Result<String, Fault> {
    let name = &table.name;
    let mapped = definition
        .map_names(name, names, context)
        .map_err(|refusal| Fault::from(refusal).table(name))?;
    Ok(mapped.fingerprint_text())
}

fn same(table: &Table, text: &str, model: &TableName, wanted: &str) -> Result<(), Fault> {
    if text == wanted {
        return Ok(());
    }
    let name = &table.name;
    let mut lines = text
        .lines()
        .filter(|line| !wanted.lines().any(|it| it == *line));
    let mut missing = wanted
        .lines()
        .filter(|line| !text.lines().any(|it| it == *line));
    let line = lines.next().or_else(|| missing.next());
    let line = line.unwrap_or("the order of its columns or keys");
    Err(Fault::operator(
        "MRG-002",
        format!(
            "table {name} is defined otherwise than {model}, with which it is to become {}: {}",
            table.target_name(),
            line.trim().trim_end_matches(',')
        ),
    )
    .table(name)
    .hint("Make the definitions of all tables that become one the same to the letter, comments too; then load them anew with `wherry resync`."))
}
