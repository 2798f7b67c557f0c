//! `wherry skip` and `wherry replace`: a paused table goes on behind a statement that the target
//! does not take as it is.
//!
//! Owns how the table looks behind that statement: only where it is the last one about the table,
//! the source's catalog tells it. Whether the target suits that is the target's to say.

use super::resync::paused;
use crate::ports::{Source, Target};
use crate::state::{Choice, ChoiceAction};
use crate::stream::drops_database_of;
use wherry_model::task::SelectSpec;
use wherry_model::{Ddl, Fault, Position, Table, TableName};

/// Takes the task over, records the choice, and has the table go on with it.
///
/// Errors: as `retry`; `LAN-011` where the table behind the statement is not known; those of
/// `Target::choose`.
pub async fn choose(
    source: &dyn Source,
    target: &dyn Target,
    selection: &SelectSpec,
    name: &TableName,
    action: ChoiceAction,
) -> Result<(), Fault> {
    let names = std::slice::from_ref(name);
    paused(target.stored().await?.as_ref(), names)?;
    target.claim().await?;
    let states = paused(target.stored().await?.as_ref(), names)?;
    for state in &states {
        let (statement, after) = behind(source, selection, &state.start, name).await?;
        if after.exactness != state.table.exactness {
            return Err(unknown(
                name,
                "whether its rows can be told apart is another now",
            ));
        }
        let choice = Choice {
            table: name.clone(),
            position: statement.begin,
            action: action.clone(),
            after,
        };
        target.choose(&choice).await?;
        target.plan_table(state).await?;
    }
    Ok(())
}

/// The statement that paused the table, and the table behind it.
async fn behind(
    source: &dyn Source,
    selection: &SelectSpec,
    from: &Position,
    name: &TableName,
) -> Result<(Ddl, Table), Fault> {
    // Read first: a statement that comes meanwhile is then met below.
    let catalog = source.catalog(selection).await?;
    let end = source.end().await?;
    let statements = source.ddl_between(from, &end, selection).await?;
    let mut named: Vec<Ddl> = statements
        .into_iter()
        .filter(|ddl| drops_database_of(ddl, name) || ddl.tables.contains(name))
        .collect();
    let table = catalog.tables.into_iter().find(|table| table.name == *name);
    match (named.pop(), named.is_empty(), table) {
        (Some(statement), true, Some(table)) => Ok((statement, table)),
        (_, _, None) => Err(unknown(
            name,
            "it is gone at the source, or has another name there",
        )),
        _ => Err(unknown(
            name,
            "the source has changed its definition again behind the statement that paused it",
        )),
    }
}

fn unknown(name: &TableName, reason: &str) -> Fault {
    Fault::operator(
        "LAN-011",
        format!("the columns of table {name} behind the statement that paused it are not known: {reason}"),
    )
    .hint(format!(
        "Load it anew: `wherry resync` with {}.{}.",
        name.database, name.table
    ))
    .table(name)
}
