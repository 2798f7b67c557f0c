//! The schema phase: tables in the target, foreign keys not yet; and the proof behind the load that
//! nothing of a definition was lost on the way.

use crate::family;
use crate::policy::stop_table;
use crate::ports::Target;
use crate::progress::Board;
use crate::state::{TableStage, TableState};
use std::collections::BTreeMap;
use wherry_model::{Class, Fault, Position, Table, TableName};

/// A table that the target refuses, with its reason.
pub(crate) type RefusedTable<'t> = (&'t TableState, Fault);

/// Without a load: what else belongs to the definitions of tables that are there and empty, or the
/// target's own.
///
/// Safe to repeat.
pub async fn complete(target: &dyn Target, board: &Board) -> Result<(), Fault> {
    let Some(task) = target.stored().await? else {
        return Ok(());
    };
    let waiting =
        |state: &&TableState| state.stopped.is_none() && state.stage < TableStage::Complete;
    for state in task.tables.iter().filter(waiting) {
        let name = &state.table.name;
        match target.add_foreign_keys(&state.table).await {
            Ok(()) => set_stage(target, board, name, TableStage::Complete).await?,
            Err(fault) if is_refusal(&fault) => {
                stop_table(target, board, name, &fault, &state.start).await?;
            }
            Err(fault) => return Err(fault),
        }
    }
    let Some(end) = task.end else {
        return Ok(());
    };
    family::stop_rest(target, board, &end).await?;
    prove(target, board, &end).await
}

/// Creates every planned table and returns those that the target refuses. Safe to repeat: a table that
/// an earlier attempt made is made anew, empty.
///
/// In rounds until a round brings nothing: a table may need the name of a CHECK that what an
/// earlier attempt made of another one still has.
pub(crate) async fn create_tables<'t>(
    target: &dyn Target,
    board: &Board,
    tables: impl IntoIterator<Item = &'t TableState>,
    defer_indexes: bool,
) -> Result<Vec<RefusedTable<'t>>, Fault> {
    let planned =
        |state: &&TableState| state.stage == TableStage::Planned && state.stopped.is_none();
    let mut waiting: Vec<&TableState> = tables.into_iter().filter(planned).collect();
    loop {
        let mut refused = Vec::new();
        for state in &waiting {
            match create_table(target, board, state, defer_indexes).await {
                Err(fault) if is_refusal(&fault) => refused.push((*state, fault)),
                created => created?,
            }
        }
        if refused.len() == waiting.len() {
            return Ok(refused);
        }
        waiting = refused.into_iter().map(|(state, _)| state).collect();
    }
}

pub(crate) async fn stop_refused(
    target: &dyn Target,
    board: &Board,
    refused: &[RefusedTable<'_>],
) -> Result<(), Fault> {
    for (state, fault) in refused {
        stop_table(target, board, &state.table.name, fault, &state.start).await?;
    }
    Ok(())
}

/// True where only this table cannot be made.
fn is_refusal(fault: &Fault) -> bool {
    fault.class == Class::Operator && fault.table_name().is_some()
}

async fn create_table(
    target: &dyn Target,
    board: &Board,
    state: &TableState,
    defer_indexes: bool,
) -> Result<(), Fault> {
    target.create_table(&state.table, defer_indexes).await?;
    set_stage(target, board, &state.table.name, TableStage::Created).await
}

/// Compares what was made of every table with its planned definition, and stops a table with a difference
/// that no rule explains. Foreign keys may still be to come.
pub(crate) async fn prove(
    target: &dyn Target,
    board: &Board,
    position: &Position,
) -> Result<(), Fault> {
    let Some(task) = target.stored().await? else {
        return Ok(());
    };
    let live: Vec<&TableState> = task
        .tables
        .iter()
        .filter(|state| state.stopped.is_none())
        .collect();
    let tables: Vec<Table> = live.iter().map(|state| state.table.clone()).collect();
    let mut wrong: BTreeMap<TableName, Vec<String>> = BTreeMap::new();
    for difference in target.schema_diff(&[], &tables).await? {
        let table = difference.table;
        let waits = difference.foreign_key
            && live
                .iter()
                .any(|state| state.table.name == table && state.stage < TableStage::Complete);
        match difference.rule {
            Some(rule) => tracing::info!(%table, rule, "{}", difference.description),
            None if waits => {
                tracing::info!(%table, rule = "foreign-keys-later", "{}", difference.description);
            }
            None => wrong.entry(table).or_default().push(difference.description),
        }
    }
    for (table, found) in &wrong {
        stop_table(
            target,
            board,
            table,
            &other_definition(table, found),
            position,
        )
        .await?;
    }
    if !wrong.is_empty() {
        family::stop_rest(target, board, position).await?;
    }
    Ok(())
}

fn other_definition(table: &TableName, found: &[String]) -> Fault {
    Fault::operator(
        "TGT-113",
        format!(
            "table {table} is not defined in the target as at the source: {}",
            found.join("; ")
        ),
    )
    .hint("Leave the target's definitions alone, and load this table anew; if nobody changed them, report this.")
    .table(table)
}

/// Stores and shows how far a table is.
pub(crate) async fn set_stage(
    target: &dyn Target,
    board: &Board,
    table: &TableName,
    stage: TableStage,
) -> Result<(), Fault> {
    target.set_stage(table, stage).await?;
    board.stage(table, stage);
    Ok(())
}
