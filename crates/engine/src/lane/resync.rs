//! `wherry resync` has tables of a running task loaded anew, `wherry retry` has a paused one go on.
//!
//! Both only mark them; the next run does it beside its stream.

use crate::ports::Target;
use crate::state::{LaneMark, StoredTask, TableStage, TableState};
use wherry_model::task::SelectSpec;
use wherry_model::{Class, Fault, Phase, TableName};

/// Takes the task over and marks the tables, with the whole family where one belongs to it.
/// Returns all that were marked.
///
/// Errors: class `Input` before anything is touched, `LAN-003` where the task is not in its
/// stream, class `Fenced` behind the cutover.
pub async fn resync(
    target: &dyn Target,
    selection: &SelectSpec,
    names: &[TableName],
) -> Result<Vec<TableName>, Fault> {
    if !selection.phases.load {
        return Err(Fault::input(
            "LAN-014",
            "the task does not load, so no table of it is loaded anew",
        )
        .hint("Load these tables by a task of its own that has the phase load."));
    }
    let stored = target.stored().await?;
    chosen(stored.as_ref(), selection, names)?;
    target.claim().await?;
    // Only now nobody else changes it.
    let stored = target.stored().await?;
    let chosen = chosen(stored.as_ref(), selection, names)?;
    for state in &chosen {
        target.plan_table(state).await?;
    }
    Ok(chosen.into_iter().map(|state| state.table.name).collect())
}

/// Takes the task over and has tables go on that a definition change has paused: it is tried again,
/// and what came behind it is read from there.
///
/// Errors: as `resync`, and `LAN-009` for a table that is not paused.
pub async fn retry(target: &dyn Target, names: &[TableName]) -> Result<Vec<TableName>, Fault> {
    let stored = target.stored().await?;
    paused(stored.as_ref(), names)?;
    target.claim().await?;
    let stored = target.stored().await?;
    let paused = paused(stored.as_ref(), names)?;
    for state in &paused {
        target.forget_choices(&state.table.name).await?;
        target.plan_table(state).await?;
    }
    Ok(paused.into_iter().map(|state| state.table.name).collect())
}

pub(super) fn paused(
    stored: Option<&StoredTask>,
    names: &[TableName],
) -> Result<Vec<TableState>, Fault> {
    let task = streaming(stored)?;
    let state_of = |name: &TableName| {
        let state = task.tables.iter().find(|state| state.table.name == *name);
        let stopped = state.and_then(|state| state.stopped.as_ref());
        let from = stopped.and_then(|stopped| stopped.paused.clone());
        let (Some(state), Some(from)) = (state, from) else {
            return Err(not_paused(name));
        };
        let reason = format!(
            "`wherry retry` tries the definition change at {} again",
            from.applied_to
        );
        Ok(TableState {
            start: from.applied_to.clone(),
            stopped: None,
            lane: Some(LaneMark {
                from: Some(from),
                ..LaneMark::waiting(reason)
            }),
            ..state.clone()
        })
    };
    names.iter().map(state_of).collect()
}

fn not_paused(name: &TableName) -> Fault {
    Fault::input(
        "LAN-009",
        format!("table {name} is not paused by a definition change that could be tried again"),
    )
    .hint("`wherry status` tells how it is; `wherry resync` loads a table anew.")
}

/// The states with which the tables wait for their lane.
fn chosen(
    stored: Option<&StoredTask>,
    selection: &SelectSpec,
    names: &[TableName],
) -> Result<Vec<TableState>, Fault> {
    let task = streaming(stored)?;
    let start = task.checkpoint.as_ref().ok_or_else(not_streaming)?;
    let mut families = Vec::new();
    for name in names {
        let state = task.tables.iter().find(|state| state.table.name == *name);
        let state = state.ok_or_else(|| unknown(selection, name))?;
        if state.table.is_kept() {
            return Err(kept(name));
        }
        families.extend(state.table.family());
    }
    let is_chosen = |state: &&TableState| {
        let family = state.table.family();
        names.contains(&state.table.name) || family.is_some_and(|family| families.contains(&family))
    };
    let marked = |state: &TableState| {
        let mut marked = state.clone();
        marked.start = start.applied_to.clone();
        marked.stage = TableStage::Planned;
        marked.stopped = None;
        marked.lane = Some(LaneMark::waiting("asked for by `wherry resync`"));
        // Loaded anew it is the source's again.
        marked.table.adopted = None;
        marked
    };
    Ok(task.tables.iter().filter(is_chosen).map(marked).collect())
}

fn streaming(stored: Option<&StoredTask>) -> Result<&StoredTask, Fault> {
    match stored {
        Some(task) if task.phase == Phase::Stream => Ok(task),
        Some(task) if task.phase > Phase::Stream => Err(Fault::new(
            "LAN-006",
            Class::Fenced,
            "the task is cut over, so its tables are not loaded again",
        )
        .hint("To move data again, begin a new task with another name.")),
        _ => Err(not_streaming()),
    }
}

fn not_streaming() -> Fault {
    Fault::operator("LAN-003", "the load of this task is not done yet")
        .hint("Let `wherry run` go on: what is loaded now needs no second load.")
}

fn unknown(selection: &SelectSpec, name: &TableName) -> Fault {
    if selection.includes(name) {
        Fault::input("LAN-004", format!("the task does not know table {name}")).hint(
            "Check the spelling, with its letter case. `wherry run` loads a newly selected table by itself.",
        )
    } else {
        Fault::input(
            "LAN-004",
            format!("table {name} is not selected by the task"),
        )
        .hint("Add its database to the selection; `wherry run` then loads it by itself.")
    }
}

fn kept(name: &TableName) -> Fault {
    Fault::input(
        "LAN-005",
        format!("table {name} is the target's own (policy `keep`): its rows cannot be told from loaded ones"),
    )
    .hint("Move it by a task of its own into an empty table.")
}
