//! The lane: tables that are loaded beside the stream, with a cursor of their own.
//!
//! A task has one lane at a time. It takes in every table that waits, plans and loads them like
//! any other, replays them from its own cursor by a second reading of the source, and gives them
//! back to the stream at a place that both have reached. All other tables go on meanwhile.
//! ARCHITECTURE.md, "Lanes", tells why nothing is lost or done twice. The main stream owns the
//! lane: it alone starts it, halts it before a statement that moves its tables, and joins it.

mod choice;
mod resync;
mod work;

pub use choice::choose;
pub use resync::{resync, retry};

use crate::family::families;
use crate::plan::Plan;
use crate::policy::{CANCELLED, cancelled, stop_table};
use crate::ports::Target;
use crate::progress::Board;
use crate::state::{Checkpoint, StoredTask, TableState};
use crate::stream::{Stream, drops_database_of};
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;
use tokio_util::task::AbortOnDropHandle;
use wherry_model::{Class, Ddl, DdlKind, Family, Fault, Operation, Position, TableName};
use work::Work;

/// How long the main stream stands still for a lane that reads on to its place.
const JOIN_WAIT_MAX: Duration = Duration::from_secs(60);

/// How a lane loads.
#[derive(Debug, Clone)]
pub struct LaneOptions {
    pub job_count: usize,
    pub defer_indexes: bool,
}

/// How far the main stream has come, for those who work beside it.
#[derive(Clone)]
pub struct MainPlace(watch::Receiver<Option<Position>>);

impl MainPlace {
    /// Waits until the main stream has passed a place.
    pub(crate) async fn passes(
        &self,
        place: &Position,
        cancel: &CancellationToken,
    ) -> Result<(), Fault> {
        let mut at = self.0.clone();
        let passed = at.wait_for(|at| at.as_ref().is_some_and(|at| at.reaches(place)));
        tokio::select! {
            () = cancel.cancelled() => Err(cancelled()),
            passed = passed => passed.map(drop).map_err(|_| cancelled()),
        }
    }

    /// True where it surely has passed a place.
    pub(crate) fn has_passed(&self, place: &Position) -> bool {
        let at = self.0.borrow();
        at.as_ref().is_some_and(|at| at.reaches(place))
    }
}

/// Why the lane's work has ended; the main stream answers each.
#[derive(Debug)]
pub(crate) enum LaneEnd {
    /// No table waits.
    Idle,
    /// Its tables have caught up and want to join.
    Ready,
    /// Selected tables of the source that the task does not know.
    Added(Vec<TableState>),
    /// Tables that wait and are gone at the source, as they were stored.
    Gone(Vec<TableState>),
}

/// The lane of a task, as the main stream holds it. Dropping it ends the lane's work.
pub(crate) struct Lanes {
    work: Arc<Work>,
    task: Option<AbortOnDropHandle<Result<LaneEnd, Fault>>>,
    /// Asked to go while it worked: it may have looked for waiting tables before one came.
    again: bool,
    main_at: watch::Sender<Option<Position>>,
}

impl Lanes {
    pub(crate) fn beside(
        stream: &Stream,
        options: &LaneOptions,
        cancel: &CancellationToken,
    ) -> Lanes {
        let (main_at, at) = watch::channel(None);
        Lanes {
            work: Arc::new(Work::new(stream, options, MainPlace(at), cancel)),
            task: None,
            again: false,
            main_at,
        }
    }

    /// Lets the lane's work begin or go on; it goes on from what is stored.
    pub(crate) fn go(&mut self) {
        if self.task.is_none() {
            let work = Arc::clone(&self.work);
            let task = tokio::spawn(async move { work.run().await });
            self.task = Some(AbortOnDropHandle::new(task));
        } else {
            self.again = true;
        }
    }

    /// True until the lane has found nothing to do.
    pub(crate) fn is_busy(&self) -> bool {
        self.task.is_some()
    }

    /// Halts the lane's work. Returns when nothing of it is under way in the target.
    pub(crate) async fn rest(&mut self) -> Result<(), Fault> {
        if let Some(task) = self.task.take() {
            task.abort();
            // An aborted task ends at its next await; what it answers does not matter.
            drop(task.await);
        }
        self.work.target.settle().await
    }

    /// Tells the lane how far the main stream has come.
    pub(crate) fn show_place(&self, place: &Position) {
        self.main_at.send_if_modified(|at| {
            let moved = at.as_ref() != Some(place);
            *at = Some(place.clone());
            moved
        });
    }

    /// Waits until the lane's work ends. Cancel: safe.
    pub(crate) async fn ended(&mut self) -> Result<LaneEnd, Fault> {
        let Some(task) = &mut self.task else {
            return std::future::pending().await;
        };
        let ended = task.await;
        self.task = None;
        ended.unwrap_or_else(|panic| Err(Fault::bug("LAN-090", "the lane panicked").cause(panic)))
    }

    /// Answers everything but `Ready`, which needs the main stream to stand still. True: join.
    pub(crate) async fn answer(&mut self, end: Result<LaneEnd, Fault>) -> Result<bool, Fault> {
        match end {
            Ok(LaneEnd::Ready) => return Ok(true),
            Ok(LaneEnd::Idle) if !std::mem::take(&mut self.again) => {
                self.work.board.show_lane(None);
                return Ok(false);
            }
            Ok(LaneEnd::Idle) => {}
            Ok(LaneEnd::Added(states)) => self.take_in(states).await?,
            Ok(LaneEnd::Gone(states)) => self.forget(states).await?,
            // The main stream sees the same sign.
            Err(fault) if fault.code == CANCELLED => return Ok(false),
            Err(fault) => self.fail(fault).await?,
        }
        self.go();
        Ok(false)
    }

    /// Gives the lane's tables to the main stream, which stands at `at` and reads nothing.
    ///
    /// The lane reads on until it has reached that place too; where it does not in time, the main
    /// stream goes on without it and is asked again later.
    pub(crate) async fn join(&mut self, at: &Checkpoint) -> Result<(), Fault> {
        self.show_place(&at.applied_to);
        let reading = self.work.read_on(&at.applied_to);
        match tokio::time::timeout(JOIN_WAIT_MAX, reading).await {
            Ok(Ok(reached)) if reached.reaches(&at.applied_to) => {
                self.work.main.join_lane(&reached).await?;
                let message = format!("tables loaded beside the stream join it at {reached}");
                self.work.board.message(message);
                self.work.board.show_lane(None);
            }
            Ok(Ok(_)) => {}
            Err(_) => tracing::warn!("the lane did not reach the stream's place in time"),
            Ok(Err(fault)) if fault.is_transient() => {
                tracing::warn!(code = fault.code, "the lane could not read on: {fault}");
            }
            Ok(Err(fault)) => self.fail(fault).await?,
        }
        self.rest().await?;
        self.go();
        Ok(())
    }

    /// True where the statement moves, drops or makes a table of the lane, so that the lane must
    /// rest. A plain change of one table does not: the lane carries it itself.
    pub(crate) async fn must_rest(&self, ddl: &Ddl) -> Result<bool, Fault> {
        let is_plain = matches!(ddl.kind, DdlKind::AlterTable | DdlKind::TruncateTable)
            && ddl.tables.len() == 1;
        if is_plain {
            return Ok(false);
        }
        let Some(task) = self.work.main.stored().await? else {
            return Ok(false);
        };
        // A table that comes to a merge has all of it loaded anew.
        let merged = self.work.selection.merges_any(&ddl.tables);
        // The keys of a table follow the names of others.
        let renames = matches!(ddl.kind, DdlKind::AlterTable | DdlKind::RenameTable);
        Ok(task.tables.iter().any(|state| {
            let name = &state.table.name;
            let moves = drops_database_of(ddl, name) || ddl.tables.contains(name);
            let follows =
                (merged && state.table.is_merged()) || (renames && state.table.has_foreign_keys());
            state.lane.is_some() && (moves || follows)
        }))
    }

    async fn take_in(&self, states: Vec<TableState>) -> Result<(), Fault> {
        let Some(task) = self.work.main.stored().await? else {
            return Ok(());
        };
        let is_known = |name: &TableName| task.tables.iter().any(|old| old.table.name == *name);
        for state in states.iter().filter(|state| !is_known(&state.table.name)) {
            let name = &state.table.name;
            let board = &self.work.board;
            board.message(format!("{name} is selected and not loaded yet"));
            self.work.main.plan_table(state).await?;
        }
        Ok(())
    }

    /// Forgets tables that are gone, unless the stream has met one of their names meanwhile.
    async fn forget(&self, states: Vec<TableState>) -> Result<(), Fault> {
        let Some(task) = self.work.main.stored().await? else {
            return Ok(());
        };
        for state in states.iter().filter(|state| task.tables.contains(state)) {
            let name = &state.table.name;
            let board = &self.work.board;
            board.message(format!("{name} is gone at the source"));
            if !self.work.selection.carries(Operation::DropTable, name) {
                let fault = Fault::operator(
                    "LAN-010",
                    format!("table {name} is gone at the source, and `operations` leaves out that it is dropped"),
                )
                .hint("Drop it in the target if it is not wanted, or let `operations` carry `drop-table` and load it anew.")
                .table(name);
                stop_table(self.work.main.as_ref(), board, name, &fault, &state.start).await?;
                continue;
            }
            self.work.main.drop_table(name).await?;
        }
        self.work.look_again();
        Ok(())
    }

    /// Stops the tables of the lane with the reason; the others go on. Where the runner itself must
    /// end, returns the fault.
    async fn fail(&self, fault: Fault) -> Result<(), Fault> {
        if matches!(fault.class, Class::Fenced | Class::Bug) {
            return Err(fault);
        }
        let Work { main, board, .. } = self.work.as_ref();
        let Some(task) = main.stored().await? else {
            return Err(fault);
        };
        let named = fault.table_name();
        let any_open = task.tables.iter().any(TableState::is_in_open_lane);
        let concerned = |state: &&TableState| match (&state.lane, named) {
            (None, _) => false,
            (Some(_), Some(table)) => state.table.name == *table,
            (Some(mark), None) => mark.open || !any_open,
        };
        let concerned: Vec<&TableState> = task.tables.iter().filter(concerned).collect();
        if concerned.is_empty() {
            tracing::warn!(code = fault.code, "the lane failed: {fault}");
            return Ok(());
        }
        for state in concerned {
            let name = &state.table.name;
            let fault = for_table(&fault, name);
            stop_table(main.as_ref(), board, name, &fault, &state.start).await?;
        }
        Ok(())
    }
}

/// The same fault about one table, with its causes as text.
fn for_table(fault: &Fault, table: &TableName) -> Fault {
    let mut message = fault.message.clone();
    for cause in fault.causes() {
        message.push_str(": ");
        message.push_str(&cause);
    }
    let hint = format!(
        "{} Then load it anew: `wherry resync {}.{}`.",
        fault.hint, table.database, table.table
    );
    Fault::operator(fault.code, message)
        .hint(hint.trim_start())
        .table(table)
}

/// Stops those of these tables that the plan refuses, and takes them out of `states`.
pub(crate) async fn stop_refused(
    target: &dyn Target,
    board: &Board,
    plan: &Plan,
    states: &mut Vec<TableState>,
) -> Result<(), Fault> {
    for state in states.iter() {
        let name = &state.table.name;
        if let Some(fault) = plan.catalog.refusal(name) {
            let fault = for_table(fault, name);
            stop_table(target, board, name, &fault, &state.start).await?;
        }
    }
    states.retain(|state| plan.catalog.refusal(&state.table.name).is_none());
    Ok(())
}

/// Stops the tables of a family that is not in the lane as a whole, and takes them out of
/// `states`: cascades would be missing between its parts.
pub(crate) async fn stop_torn_family(
    target: &dyn Target,
    board: &Board,
    plan: &Plan,
    states: &mut Vec<TableState>,
) -> Result<(), Fault> {
    let family = plan.catalog.tables.iter().filter(|it| it.is_cascading());
    let family: Vec<&TableName> = family.map(|table| &table.name).collect();
    let is_here = |name: &TableName| states.iter().any(|state| state.table.name == *name);
    if family.iter().all(|name| is_here(name)) {
        return Ok(());
    }
    for state in states.iter().filter(|state| state.table.is_cascading()) {
        let tie = "is tied to others by foreign keys whose cascades the source does not log";
        let fault = torn(&state.table.name, tie, &family);
        stop_table(target, board, &state.table.name, &fault, &state.start).await?;
    }
    states.retain(|state| !state.table.is_cascading());
    Ok(())
}

/// Stops the tables of a merge of which the lane does not have every table that the task knows and
/// the source has, and takes them out of `states`: their rows would go.
pub(crate) async fn stop_torn_merges(
    target: &dyn Target,
    board: &Board,
    plan: &Plan,
    task: &StoredTask,
    states: &mut Vec<TableState>,
) -> Result<(), Fault> {
    let is_at_source = |name: &TableName| {
        let mut planned = plan.catalog.tables.iter();
        planned.any(|it| it.name == *name) || plan.catalog.refusal(name).is_some()
    };
    let mut stopped: Vec<TableName> = Vec::new();
    for (family, known) in families(&task.tables) {
        let mine = |state: &&TableState| state.table.family() == Some(family);
        let here: Vec<&TableState> = states.iter().filter(mine).collect();
        let missing = known.iter().map(|state| &state.table.name);
        let mut missing = missing
            .filter(|name| is_at_source(name) && !here.iter().any(|it| it.table.name == **name));
        let is_merge = matches!(family, Family::Merged(_));
        if !is_merge || here.is_empty() || missing.next().is_none() {
            continue;
        }
        let names: Vec<&TableName> = known.iter().map(|state| &state.table.name).collect();
        for state in here {
            let fault = torn(&state.table.name, "becomes one table with others", &names);
            stop_table(target, board, &state.table.name, &fault, &state.start).await?;
            stopped.push(state.table.name.clone());
        }
    }
    states.retain(|state| !stopped.contains(&state.table.name));
    Ok(())
}

fn torn(table: &TableName, tie: &str, family: &[&TableName]) -> Fault {
    let words: Vec<String> = family
        .iter()
        .map(|name| format!("{}.{}", name.database, name.table))
        .collect();
    Fault::operator("LAN-001", format!("table {table} {tie}"))
        .hint(format!(
            "Load these tables anew together: `wherry resync {}`.",
            words.join(" ")
        ))
        .table(table)
}
