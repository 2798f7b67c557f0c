//! The schema phase: databases and tables in the target, foreign keys not yet.

use crate::ports::{DatabaseDefinition, Target};
use crate::progress::Board;
use crate::state::{TableStage, TableState};
use wherry_model::{Fault, TableName};

/// Creates every database, and every table that is still only planned.
///
/// Safe to repeat: a table that an earlier attempt made is made anew, empty.
pub async fn create(
    target: &dyn Target,
    board: &Board,
    databases: &[DatabaseDefinition],
    tables: &[TableState],
    defer_indexes: bool,
) -> Result<(), Fault> {
    for database in databases {
        target.create_database(database).await?;
    }
    for state in tables
        .iter()
        .filter(|state| state.stage == TableStage::Planned)
    {
        create_table(target, board, state, defer_indexes).await?;
    }
    Ok(())
}

/// Creates one planned table.
pub async fn create_table(
    target: &dyn Target,
    board: &Board,
    state: &TableState,
    defer_indexes: bool,
) -> Result<(), Fault> {
    target.create_table(&state.table, defer_indexes).await?;
    set_stage(target, board, &state.table.name, TableStage::Created).await
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
