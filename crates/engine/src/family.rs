//! The family of exact tables: what happens to one of them happens to all.
//!
//! Rows of a family change by cascades of foreign keys that the source does not log. So its tables
//! have one start, and where one of them stops the others cannot go on: a cascade would be missing.

use crate::policy::stop_table;
use crate::ports::Target;
use crate::progress::Board;
use crate::schema::set_stage;
use crate::state::{TableStage, TableState};
use wherry_model::{Class, Fault, Position, TableName};

/// Stops the rest of a family of which a table has stopped; returns what it stopped.
pub(crate) async fn stop_rest(
    target: &dyn Target,
    board: &Board,
    position: &Position,
) -> Result<Vec<TableName>, Fault> {
    let Some(task) = target.stored().await? else {
        return Ok(Vec::new());
    };
    let (stopped, going): (Vec<&TableState>, Vec<&TableState>) = task
        .tables
        .iter()
        .filter(|state| state.table.is_cascading())
        .partition(|state| state.stopped.is_some());
    let Some(first) = stopped.first() else {
        return Ok(Vec::new());
    };
    let mut names = Vec::new();
    for state in going {
        let name = &state.table.name;
        let fault = left_alone(name, &first.table.name);
        stop_table(target, board, name, &fault, position).await?;
        names.push(name.clone());
    }
    Ok(names)
}

fn left_alone(table: &TableName, stopped: &TableName) -> Fault {
    Fault::new(
        "LOAD-006",
        Class::Operator,
        format!("table {table} is tied by foreign keys to table {stopped}, which has stopped"),
    )
    .hint("Remove the cause at that table, then load these tables anew with `wherry resync`.")
    .table(table)
}

/// The tables of the family that must be loaded together: all of them, once one is not copied.
pub(crate) fn to_load(tables: &[TableState]) -> Vec<TableState> {
    let family: Vec<TableState> = tables
        .iter()
        .filter(|state| state.table.is_cascading() && state.stopped.is_none())
        .cloned()
        .collect();
    let copied = family.iter().all(|state| state.stage >= TableStage::Copied);
    if copied { Vec::new() } else { family }
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
