//! Families of exact tables: what happens to one of a family happens to all.
//!
//! Rows of tables that cascades tie together change by foreign keys that the source does not log;
//! tables that are merged are one table in the target. So the tables of a family have one start, and
//! where one of them stops the others cannot go on: a cascade, or rows, would be missing.

use crate::policy::stop_table;
use crate::ports::Target;
use crate::progress::Board;
use crate::schema::set_stage;
use crate::state::{TableStage, TableState};
use std::collections::BTreeMap;
use wherry_model::{Class, Family, Fault, Position, Table, TableName};

/// The tables of each family.
pub(crate) fn families<'s>(
    tables: impl IntoIterator<Item = &'s TableState>,
) -> BTreeMap<Family<'s>, Vec<&'s TableState>> {
    let mut families: BTreeMap<Family<'s>, Vec<&TableState>> = BTreeMap::new();
    for state in tables {
        if let Some(family) = state.table.family() {
            families.entry(family).or_default().push(state);
        }
    }
    families
}

/// Stops the rest of every family of which a table has stopped; returns what it stopped.
pub(crate) async fn stop_rest(
    target: &dyn Target,
    board: &Board,
    position: &Position,
) -> Result<Vec<TableName>, Fault> {
    let Some(task) = target.stored().await? else {
        return Ok(Vec::new());
    };
    let mut names = Vec::new();
    for family in families(&task.tables).into_values() {
        let is_stopped = |state: &&&TableState| state.stopped.is_some();
        let Some(first) = family.iter().find(is_stopped) else {
            continue;
        };
        for state in family.iter().filter(|state| state.stopped.is_none()) {
            let fault = left_alone(&state.table, &first.table.name);
            stop_table(target, board, &state.table.name, &fault, position).await?;
            names.push(state.table.name.clone());
        }
    }
    Ok(names)
}

fn left_alone(table: &Table, stopped: &TableName) -> Fault {
    let name = &table.name;
    let tie = match table.family() {
        Some(Family::Merged(target)) => format!("becomes {target} together with"),
        _ => "is tied by foreign keys to".to_owned(),
    };
    Fault::new(
        "LOAD-006",
        Class::Operator,
        format!("table {name} {tie} table {stopped}, which has stopped"),
    )
    .hint("Remove the cause at that table, then load these tables anew with `wherry resync`.")
    .table(name)
}

/// The families that must be loaded: each as a whole, once a table of it is not copied.
pub(crate) fn to_load(tables: &[TableState]) -> Vec<Vec<TableState>> {
    let going = tables.iter().filter(|state| state.stopped.is_none());
    let open = families(going).into_values();
    open.filter(|family| family.iter().any(|state| state.stage < TableStage::Copied))
        .map(|family| family.into_iter().cloned().collect())
        .collect()
}

/// Adds the foreign keys of a family that is loaded: its changes need them.
pub(crate) async fn complete(target: &dyn Target, board: &Board) -> Result<(), Fault> {
    let Some(task) = target.stored().await? else {
        return Ok(());
    };
    let waiting = |state: &&TableState| {
        state.table.is_cascading() && state.stopped.is_none() && state.stage == TableStage::Indexed
    };
    for state in task.tables.iter().filter(waiting) {
        let name = &state.table.name;
        match target.add_foreign_keys(&state.table).await {
            Ok(()) => set_stage(target, board, name, TableStage::Complete).await?,
            Err(fault) if fault.class == Class::Operator => {
                stop_table(target, board, name, &fault, &state.start).await?;
                stop_rest(target, board, &state.start).await?;
                return Ok(());
            }
            Err(fault) => return Err(fault),
        }
    }
    Ok(())
}
