//! What the lane does by itself, from what is stored: plan, load, replay.
//!
//! Writes only by the lane's view of the target, except that it opens the lane. Every step may be
//! cut off anywhere and goes on, or begins again, from what is stored.

use super::{LaneEnd, LaneOptions, MainPlace, stop_refused, stop_torn_family, stop_torn_merges};
use crate::load::Load;
use crate::objects::ObjectSync;
use crate::pipe::Budget;
use crate::plan::{Plan, plan};
use crate::policy::{retry, stop_table};
use crate::ports::{Source, Target};
use crate::progress::Board;
use crate::state::{Checkpoint, LaneMark, StoredTask, TableStage, TableState};
use crate::stream::{Role, Stream};
use futures_util::future::BoxFuture;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;
use tracing::Instrument;
use wherry_model::task::SelectSpec;
use wherry_model::{Fault, Position, TableName};

/// A replay that took no longer than this has come so near that the main stream may wait for the
/// rest.
const NEAR: Duration = Duration::from_secs(5);

pub(super) struct Work {
    pub(super) source: Arc<dyn Source>,
    /// The target as the main stream sees it.
    pub(super) main: Arc<dyn Target>,
    /// The target as the lane sees it.
    pub(super) target: Arc<dyn Target>,
    pub(super) board: Arc<Board>,
    budget: Budget,
    pub(super) selection: SelectSpec,
    worker_count: usize,
    objects: ObjectSync,
    options: LaneOptions,
    main_at: MainPlace,
    cancel: CancellationToken,
    /// Whether the source has selected tables that the task does not know was asked.
    asked_for_added: AtomicBool,
}

impl Work {
    pub(super) fn new(
        stream: &Stream,
        options: &LaneOptions,
        main_at: MainPlace,
        cancel: &CancellationToken,
    ) -> Work {
        Work {
            source: Arc::clone(&stream.source),
            main: Arc::clone(&stream.target),
            target: stream.target.lane(),
            board: Arc::clone(&stream.board),
            budget: stream.budget.clone(),
            selection: stream.selection.clone(),
            worker_count: stream.worker_count,
            objects: stream.objects.clone(),
            options: options.clone(),
            main_at,
            cancel: cancel.clone(),
            asked_for_added: AtomicBool::new(false),
        }
    }

    /// A table that was found is gone: it may have another name, under which nobody knows it.
    pub(super) fn look_again(&self) {
        self.asked_for_added.store(false, Ordering::SeqCst);
    }

    /// Works until the main stream is needed.
    pub(super) async fn run(&self) -> Result<LaneEnd, Fault> {
        let work = retry("the lane", &self.board, &self.cancel, || self.attempt());
        work.instrument(tracing::info_span!("lane")).await
    }

    async fn attempt(&self) -> Result<LaneEnd, Fault> {
        loop {
            let mine = self.target.stored().await?.ok_or_else(no_task)?;
            if mine.checkpoint.is_some() && !mine.tables.is_empty() {
                let board = self.lane_board();
                if mine.end.is_some() {
                    self.catch_up(&board).await?;
                    return Ok(LaneEnd::Ready);
                }
                let end = self.load(&board).run(&self.cancel).await?;
                self.target.set_end(&end).await?;
                continue;
            }
            let task = self.main.stored().await?.ok_or_else(no_task)?;
            let waiting: Vec<TableState> = task
                .tables
                .iter()
                .filter(|state| state.lane.is_some())
                .cloned()
                .collect();
            if let Some(paused) = waiting.iter().find(|state| from_of(state).is_some()) {
                self.open_paused(paused).await?;
            } else if !waiting.is_empty() && !self.selection.phases.load {
                self.stop_unloaded(&waiting).await?;
            } else if !waiting.is_empty() {
                if let Some(gone) = self.open(&task, waiting).await? {
                    return Ok(LaneEnd::Gone(gone));
                }
            } else if !self.selection.phases.load
                || self.asked_for_added.swap(true, Ordering::SeqCst)
            {
                return Ok(LaneEnd::Idle);
            } else {
                return self.added().await;
            }
        }
    }

    /// A task without a load has no rows for tables that would have to be loaded anew.
    async fn stop_unloaded(&self, waiting: &[TableState]) -> Result<(), Fault> {
        for state in waiting {
            let name = &state.table.name;
            let reason = state.lane.as_ref().map_or("", |mark| &mark.reason);
            let fault = Fault::operator(
                "LAN-014",
                format!(
                    "table {name} would have to be loaded, and the task does not load: {reason}"
                ),
            )
            .hint("Move it by a task of its own that loads, or begin a new task behind this place.")
            .table(name);
            stop_table(self.main.as_ref(), &self.board, name, &fault, &state.start).await?;
        }
        Ok(())
    }

    fn lane_board(&self) -> Arc<Board> {
        let board = Board::new("lane");
        self.board.show_lane(Some(&board));
        board
    }

    /// Plans the tables that wait and opens a lane of them. Where all of them are gone at the
    /// source, returns them.
    async fn open(
        &self,
        task: &StoredTask,
        mut waiting: Vec<TableState>,
    ) -> Result<Option<Vec<TableState>>, Fault> {
        let before = task.checkpoint.as_ref().ok_or_else(no_task)?;
        let plan = plan(self.source.as_ref(), &self.selection).await?;
        stop_refused(self.main.as_ref(), &self.board, &plan, &mut waiting).await?;
        if waiting.is_empty() {
            return Ok(None);
        }
        for database in &plan.catalog.databases {
            self.main.ensure_database(database).await?;
        }
        let mut states = planned(&plan, &waiting);
        if states.is_empty() {
            // Whatever took them away lies before the place up to which the plan was read.
            self.main_at.passes(&plan.scanned_to, &self.cancel).await?;
            return Ok(Some(waiting));
        }
        stop_torn_family(self.main.as_ref(), &self.board, &plan, &mut states).await?;
        stop_torn_merges(self.main.as_ref(), &self.board, &plan, task, &mut states).await?;
        self.main.adopt(&self.selection, &mut states).await?;
        if states.is_empty() {
            return Ok(None);
        }
        let names: Vec<String> = states
            .iter()
            .map(|state| state.table.name.to_string())
            .collect();
        let names = names.join(", ");
        self.board
            .message(format!("loading beside the stream: {names}"));
        // An XA transaction that is prepared before the start and commits behind it is parked by
        // reading from where the main stream would read.
        let read_from = if before.read_from.reaches(&plan.start) {
            plan.start.clone()
        } else {
            before.read_from.clone()
        };
        let cursor = Checkpoint {
            read_from,
            applied_to: plan.start.clone(),
        };
        self.main.open_lane(&states, &cursor, None).await?;
        Ok(None)
    }

    /// Opens a lane of one table that goes on from where it was paused, without a load.
    async fn open_paused(&self, paused: &TableState) -> Result<(), Fault> {
        let mut state = paused.clone();
        let Some(mark) = &mut state.lane else {
            return Ok(());
        };
        let Some(from) = mark.from.clone() else {
            return Ok(());
        };
        mark.open = true;
        state.start = from.applied_to.clone();
        let name = &state.table.name;
        let message = format!("{name} goes on beside the stream from {}", state.start);
        self.board.message(message);
        let end = state.start.clone();
        self.main.open_lane(&[state], &from, Some(&end)).await
    }

    /// Selected tables of the source that are not stored although the main stream has passed the
    /// place at which the catalog was read: no statement that it met has brought them.
    async fn added(&self) -> Result<LaneEnd, Fault> {
        let catalog = match self.source.catalog(&self.selection).await {
            Ok(catalog) => catalog,
            Err(fault) if fault.is_transient() => return Err(fault),
            Err(fault) => {
                tracing::warn!(
                    code = fault.code,
                    "added tables were not looked for: {fault}"
                );
                return Ok(LaneEnd::Idle);
            }
        };
        let end = self.source.end().await?;
        self.main_at.passes(&end, &self.cancel).await?;
        let task = self.main.stored().await?.ok_or_else(no_task)?;
        let is_known = |name: &TableName| task.tables.iter().any(|state| state.table.name == *name);
        for fault in &catalog.refused {
            if fault.table_name().is_some_and(|name| !is_known(name)) {
                tracing::warn!(code = fault.code, "an added table is left out: {fault}");
            }
        }
        let added: Vec<TableState> = catalog
            .tables
            .into_iter()
            .filter(|table| !is_known(&table.name))
            .map(|table| TableState {
                table,
                start: end.clone(),
                stage: TableStage::Planned,
                stopped: None,
                lane: Some(LaneMark::waiting("it is newly selected")),
            })
            .collect();
        if added.is_empty() {
            return Ok(LaneEnd::Idle);
        }
        Ok(LaneEnd::Added(added))
    }

    /// Replays until it is so near to the source's end that the main stream may wait for the rest.
    async fn catch_up(&self, board: &Arc<Board>) -> Result<(), Fault> {
        loop {
            let began = Instant::now();
            let end = self.source.end().await?;
            self.replay(board, end).await?;
            if began.elapsed() < NEAR {
                return Ok(());
            }
        }
    }

    /// Replays until everything up to `place` is in; returns the place that it has reached.
    pub(super) async fn read_on(&self, place: &Position) -> Result<Position, Fault> {
        let board = self.lane_board();
        let mine = self.target.stored().await?.ok_or_else(no_task)?;
        let reached = mine.checkpoint.ok_or_else(no_task)?.applied_to;
        if reached.reaches(place) {
            return Ok(reached);
        }
        self.replay(&board, place.clone()).await
    }

    /// A stream's future holds that of its lane, which holds a stream's: the box ends the circle.
    fn replay(
        &self,
        board: &Arc<Board>,
        place: Position,
    ) -> BoxFuture<'_, Result<Position, Fault>> {
        let stream = Stream {
            source: Arc::clone(&self.source),
            target: Arc::clone(&self.target),
            board: Arc::clone(board),
            budget: self.budget.clone(),
            selection: self.selection.clone(),
            worker_count: self.worker_count,
            objects: self.objects.clone(),
            role: Role::Lane(self.main_at.clone()),
            only_to_end: false,
        };
        Box::pin(async move {
            let (_stays, stop_at) = watch::channel(Some(place));
            Ok(stream.run(stop_at, &self.cancel).await?.applied_to)
        })
    }

    fn load(&self, board: &Arc<Board>) -> Load {
        Load {
            source: Arc::clone(&self.source),
            target: Arc::clone(&self.target),
            board: Arc::clone(board),
            budget: self.budget.clone(),
            selection: self.selection.clone(),
            job_count: self.options.job_count,
            defer_indexes: self.options.defer_indexes,
            beside: Some(self.main_at.clone()),
        }
    }
}

/// The states of those that the source still has, marked as members of the lane.
fn planned(plan: &Plan, waiting: &[TableState]) -> Vec<TableState> {
    let mark_of = |state: &TableState| {
        let wanted = waiting
            .iter()
            .find(|old| old.table.name == state.table.name)?;
        wanted.lane.clone()
    };
    plan.states()
        .into_iter()
        .filter_map(|mut state| {
            let mark = mark_of(&state)?;
            state.lane = Some(LaneMark { open: true, ..mark });
            Some(state)
        })
        .collect()
}

fn from_of(state: &TableState) -> Option<&Checkpoint> {
    state.lane.as_ref()?.from.as_ref()
}

fn no_task() -> Fault {
    Fault::bug("LAN-091", "the task has no stored state for its lane")
}
