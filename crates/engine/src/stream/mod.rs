//! The stream phase: every change of the source, in order, into the target.
//!
//! A reader task pulls items from the source; the scheduler gathers whole transactions into
//! groups, small ones while the lag is small, large ones on a backlog. Until the end, apply is
//! idempotent; after it, strict. After any transient fault everything is dropped and read again
//! from the stored checkpoint, idempotently up to the source's end as read then.

mod group;
mod objects;
mod reader;
mod schedule;

use crate::family;
use crate::lane::{LaneEnd, LaneOptions, Lanes, MainPlace};
use crate::objects::ObjectSync;
use crate::pipe::Budget;
use crate::policy::{cancelled, retry, stop_table};
use crate::ports::{ApplyMode, DdlEffect, GroupCommit, Source, StreamItem, Target};
use crate::progress::{Age, Board};
use crate::schema::set_stage;
use crate::state::{Checkpoint, StoredTask, TableStage, TableState};
use group::Group;
use objects::{OBJECTS_AFTER_QUIET, ObjectTurn};
use reader::{Reader, Reply};
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::sync::{Mutex, watch};
use tokio_util::sync::CancellationToken;
use wherry_model::task::SelectSpec;
use wherry_model::{Class, Ddl, DdlKind, Fault, Position, SkippedRows, TableName};

/// A quiet stream stores its position this often, so that a restart need not read far.
const IDLE_CHECKPOINT_EVERY: Duration = Duration::from_secs(1);

/// What the stream works with.
#[derive(Clone)]
pub struct Stream {
    pub source: Arc<dyn Source>,
    pub target: Arc<dyn Target>,
    pub board: Arc<Board>,
    pub budget: Budget,
    pub selection: SelectSpec,
    pub worker_count: usize,
    pub objects: ObjectSync,
    pub role: Role,
    /// Ends where everything up to the end of replay is in and no table is loaded beside.
    pub only_to_end: bool,
}

/// Which tables a stream follows.
#[derive(Clone)]
pub enum Role {
    /// All of the task but those of its lane, which works beside it.
    Main(LaneOptions),
    /// Those of the lane; tells how far the main stream has come.
    Lane(MainPlace),
}

impl Stream {
    /// Applies changes until `stop_at` names a position and everything up to it is in.
    ///
    /// Cancel: by the token, at a group's border.
    pub async fn run(
        &self,
        stop_at: watch::Receiver<Option<Position>>,
        cancel: &CancellationToken,
    ) -> Result<Checkpoint, Fault> {
        let lanes = Mutex::new(match &self.role {
            Role::Main(options) => Some(Lanes::beside(self, options, cancel)),
            Role::Lane(_) => None,
        });
        retry("the stream", &self.board, cancel, || {
            self.attempt(&lanes, stop_at.clone(), cancel)
        })
        .await
    }

    /// A table that cannot be written stops alone; the others are read again from the stored
    /// checkpoint, since workers may have committed parts of the group that failed.
    async fn attempt(
        &self,
        lanes: &Mutex<Option<Lanes>>,
        stop_at: watch::Receiver<Option<Position>>,
        cancel: &CancellationToken,
    ) -> Result<Checkpoint, Fault> {
        let mut lanes = lanes.lock().await;
        loop {
            let left = match Session::open(self, lanes.as_mut()).await {
                Ok(session) => session.run(stop_at.clone(), cancel).await,
                Err(fault) => Err(fault),
            };
            let fault = match left {
                Ok(Left::Stopped(checkpoint)) => return Ok(checkpoint),
                Ok(Left::ForLane(checkpoint)) => {
                    if let Some(lanes) = lanes.as_mut() {
                        lanes.join(&checkpoint).await?;
                    }
                    continue;
                }
                Ok(Left::AtEnd) => {
                    self.target.begin_leaving().await?;
                    continue;
                }
                Err(fault) => fault,
            };
            let Some(table) = fault.table_name() else {
                return Err(fault);
            };
            let task = self.target.stored().await?.ok_or_else(no_checkpoint)?;
            let is_live =
                |state: &TableState| state.table.name == *table && state.stopped.is_none();
            if fault.class != Class::Operator || !task.tables.iter().any(is_live) {
                return Err(fault);
            }
            let position = task.checkpoint.ok_or_else(no_checkpoint)?.applied_to;
            stop_table(self.target.as_ref(), &self.board, table, &fault, &position).await?;
        }
    }
}

/// Why a session has ended at a group's border.
enum Left {
    Stopped(Checkpoint),
    /// The lane has caught up and joins here.
    ForLane(Checkpoint),
    /// Everything up to the load's end is in and nothing behind it, and from there on some tables
    /// leave out kinds of changes.
    AtEnd,
}

/// One reading of the stream, from a stored checkpoint to a fault or a stop.
struct Session<'a> {
    stream: &'a Stream,
    /// Of the main stream.
    lanes: Option<&'a mut Lanes>,
    /// The lane waits for the next border.
    lane_joins: bool,
    reader: Reader,
    /// Everything up to here is in the target.
    stored: Checkpoint,
    /// Everything up to here was read and needs no apply; stored with the next group.
    passed: Checkpoint,
    /// What scripts have left out between the two.
    skipped: SkippedRows,
    /// And behind `passed`, of a transaction whose last part has not come yet.
    skipped_inside: SkippedRows,
    mode: ApplyMode,
    /// Up to here apply is idempotent.
    idempotent_to: Position,
    /// Everything up to there is in.
    at_end: bool,
    /// Up to here every definition change is in the stored column lists already.
    defined_to: Position,
    /// The transaction of a large group whose last part has not come yet.
    open: Option<Box<dyn GroupCommit>>,
    checkpoint_at: Instant,
    objects: ObjectTurn,
}

impl<'a> Session<'a> {
    async fn open(
        stream: &'a Stream,
        mut lanes: Option<&'a mut Lanes>,
    ) -> Result<Session<'a>, Fault> {
        if let Some(lanes) = &mut lanes {
            // What a session before this one had sent must not change the state behind its back.
            stream.target.settle().await?;
            // Names of a change that is half done may be those of the lane's tables; it goes on
            // behind that.
            if !stream.target.is_changing_definitions().await? {
                lanes.go();
            }
        }
        let mut task = stream.target.stored().await?.ok_or_else(no_checkpoint)?;
        let stored = task.checkpoint.clone().ok_or_else(no_checkpoint)?;
        // A crash may have come between the stop of one table and that of its family.
        let target = stream.target.as_ref();
        let stopped = family::stop_rest(target, &stream.board, &stored.applied_to).await?;
        if !stopped.is_empty() {
            task = target.stored().await?.ok_or_else(no_checkpoint)?;
        }
        stream.board.show_stored(&task);
        let defined_to = task.end.clone().ok_or_else(no_checkpoint)?;
        let mut cut = task
            .tables
            .iter()
            .any(waits_for_end)
            .then(|| defined_to.clone());
        if cut.is_some() && stored.applied_to.reaches(&defined_to) {
            target.begin_leaving().await?;
            task = target.stored().await?.ok_or_else(no_checkpoint)?;
            cut = None;
        }
        let mut idempotent_to = stream.source.end().await?;
        if !idempotent_to.reaches(&defined_to) {
            idempotent_to = defined_to.clone();
        }
        let mut changes = stream.source.stream(&stored, &stream.selection).await?;
        for state in task.tables.iter().filter(|state| state.is_followed()) {
            changes.track(Arc::new(state.table.clone()), state.start.clone());
        }
        stream
            .board
            .applied(|shown| shown.end = idempotent_to.to_string(), None);
        tracing::info!(from = %stored.read_from, applied_to = %stored.applied_to, idempotent_to = %idempotent_to, "stream opened");
        let mut session = Session {
            reader: Reader::spawn(changes, stream.budget.clone(), cut),
            passed: stored.clone(),
            stored,
            skipped: SkippedRows::default(),
            skipped_inside: SkippedRows::default(),
            stream,
            lanes,
            lane_joins: false,
            mode: ApplyMode::Idempotent,
            idempotent_to,
            at_end: false,
            defined_to,
            open: None,
            checkpoint_at: Instant::now(),
            objects: ObjectTurn::new(),
        };
        if session.stored.applied_to.reaches(&session.idempotent_to) {
            session.reach_end().await?;
        }
        Ok(session)
    }

    async fn run(
        mut self,
        mut stop_at: watch::Receiver<Option<Position>>,
        cancel: &CancellationToken,
    ) -> Result<Left, Fault> {
        loop {
            self.show_place();
            if self.open.is_none() && (self.stop_reached(&stop_at) || self.has_replayed()) {
                self.store_passed().await?;
                return Ok(Left::Stopped(self.stored));
            }
            if self.open.is_none() && self.lane_joins {
                self.store_passed().await?;
                return Ok(Left::ForLane(self.stored));
            }
            let mut group = tokio::select! {
                () = cancel.cancelled() => return self.leave().await,
                () = stop_changed(&mut stop_at) => continue,
                end = lane_ended(&mut self.lanes) => {
                    self.answer_lane(end).await?;
                    continue;
                }
                group = self.reader.next_group() => group?,
                () = tokio::time::sleep(OBJECTS_AFTER_QUIET), if self.objects.changed && self.open.is_none() => {
                    self.sync_objects().await?;
                    continue;
                }
            };
            let barrier = group.barrier.take();
            let at_cut = group.at_cut;
            if self.open.is_none() && self.objects.is_due() {
                self.sync_objects().await?;
            }
            self.apply(group).await?;
            if let Some(item) = barrier {
                if self.is_ahead_of_main(&item).await? {
                    self.store_passed().await?;
                    return Ok(Left::Stopped(self.stored));
                }
                self.pass_barrier(item).await?;
            }
            if at_cut {
                self.store_passed().await?;
                return Ok(Left::AtEnd);
            }
            self.store_passed_sometimes().await?;
            let before = !self.at_end && self.open.is_none();
            if before && self.passed.applied_to.reaches(&self.idempotent_to) {
                self.reach_end().await?;
            }
        }
    }

    async fn answer_lane(&mut self, end: Result<LaneEnd, Fault>) -> Result<(), Fault> {
        if let Some(lanes) = &mut self.lanes {
            self.lane_joins |= lanes.answer(end).await?;
            // A view or guarded trigger may have waited for the table.
            self.objects.changed = true;
        }
        Ok(())
    }

    fn show_place(&self) {
        if let Some(lanes) = &self.lanes {
            lanes.show_place(&self.passed.applied_to);
        }
    }

    /// True in the lane at a definition change of one of its tables that the main stream has not
    /// met yet: the lane joins before it, and the main stream carries it.
    async fn is_ahead_of_main(&mut self, item: &StreamItem) -> Result<bool, Fault> {
        let (Role::Lane(main_at), StreamItem::Ddl(ddl)) = (&self.stream.role, item) else {
            return Ok(false);
        };
        if self.defined_to.reaches(&ddl.end) || main_at.has_passed(&ddl.end) {
            return Ok(false);
        }
        self.concerns(ddl).await
    }

    /// True where a table that this stream follows, and that begins before it, is named.
    async fn concerns(&mut self, ddl: &Ddl) -> Result<bool, Fault> {
        let task = self.stream.target.stored().await?;
        let tables = task.map(|task| task.tables).unwrap_or_default();
        Ok(tables.iter().any(|state| {
            let name = &state.table.name;
            (drops_database_of(ddl, name) || ddl.tables.contains(name))
                && !state.start.reaches(&ddl.end)
        }))
    }

    fn has_replayed(&self) -> bool {
        let beside = self.lanes.as_ref().is_some_and(|lanes| lanes.is_busy());
        self.stream.only_to_end && self.at_end && !beside
    }

    fn stop_reached(&self, stop_at: &watch::Receiver<Option<Position>>) -> bool {
        stop_at
            .borrow()
            .as_ref()
            .is_some_and(|stop| self.passed.applied_to.reaches(stop))
    }

    /// Stops at the last checkpoint. A large transaction that is only half in is left to the
    /// next run, which repeats it.
    async fn leave(mut self) -> Result<Left, Fault> {
        if self.open.is_none() {
            self.store_passed().await?;
        }
        Err(cancelled())
    }

    async fn apply(&mut self, mut group: Group) -> Result<(), Fault> {
        self.skipped_inside.add(std::mem::take(&mut group.skipped));
        if group.checkpoint.is_some() {
            self.skipped.add(std::mem::take(&mut self.skipped_inside));
        }
        if group.changes.is_empty() && self.open.is_none() {
            if let Some(checkpoint) = group.checkpoint {
                self.passed = checkpoint;
                self.show_idle(group.age);
            }
            return Ok(());
        }
        let outcome = schedule::apply(self.stream, &mut self.open, &group, self.mode).await?;
        let age = group.age;
        if let Some(after) = group.checkpoint {
            let open = self
                .open
                .take()
                .expect("the scheduler opened the group's last transaction");
            self.finish(open, &after).await?;
            self.stored = after.clone();
            self.passed = after;
            self.checkpoint_at = Instant::now();
        }
        self.show(
            &outcome,
            group.transactions,
            group.changes.len() as u64,
            age,
        );
        Ok(())
    }

    fn show(
        &self,
        outcome: &crate::ports::ApplyOutcome,
        transactions: u64,
        changes: u64,
        age: Age,
    ) {
        if outcome.divergences > 0 {
            tracing::warn!(
                rows = outcome.divergences,
                position = %self.stored.applied_to,
                "rows in the target differed from the source and were repaired"
            );
        }
        let position = self.stored.applied_to.to_string();
        self.stream.board.applied(
            |shown| {
                shown.position = position;
                shown.transactions += transactions;
                shown.changes += changes;
                shown.divergences += outcome.divergences;
                shown.removed += outcome.removed;
                shown.lag_seconds.get_or_insert(0);
            },
            Some(age),
        );
    }

    fn show_idle(&self, age: Age) {
        let position = self.passed.applied_to.to_string();
        self.stream.board.applied(
            |shown| {
                shown.position = position;
                shown.lag_seconds.get_or_insert(0);
            },
            Some(age),
        );
    }

    /// Something that must stand alone: everything before it is in the target.
    async fn pass_barrier(&mut self, item: StreamItem) -> Result<(), Fault> {
        match item {
            StreamItem::Ddl(ddl) => self.run_ddl(ddl).await,
            StreamItem::Refused { fault, position } => self.stop_table(fault, &position).await,
            StreamItem::Changes(_) | StreamItem::Passed { .. } => Ok(()),
        }
    }

    async fn run_ddl(&mut self, ddl: Ddl) -> Result<(), Fault> {
        if self.defined_to.reaches(&ddl.end) {
            // The plan was read behind it: the table is there as it became, or it is gone.
            self.reader.go_on(Vec::new());
            return Ok(());
        }
        let after = behind(&self.passed, &ddl.end);
        if ddl.kind == DdlKind::Object {
            self.objects.changed = true;
            self.passed = after;
            self.reader.go_on(Vec::new());
            return Ok(());
        }
        if self.lanes.is_none() && !self.concerns(&ddl).await? {
            self.passed = after;
            self.reader.go_on(Vec::new());
            return Ok(());
        }
        if let Some(lanes) = &mut self.lanes
            && lanes.must_rest(&ddl).await?
        {
            lanes.rest().await?;
        }
        if self.objects.changed || ddl.kind == DdlKind::DropDatabase {
            // A trigger that is gone at the source could bar the statement in the target, and a
            // view of Wherry's would keep its database there.
            self.sync_objects().await?;
        }
        if !self.skipped.is_empty() {
            // The statement moves the checkpoint by itself.
            self.store_passed().await?;
        }
        self.stream
            .board
            .message(format!("definition change at {}", ddl.end));
        let effects = self
            .stream
            .target
            .run_ddl(&ddl, &self.stored, &after, &self.stream.selection)
            .await?;
        self.objects.changed = true;
        self.stored = after.clone();
        self.passed = after;
        let mut replies = self.answer_effects(effects, &ddl);
        replies.extend(self.stop_family(&ddl.end).await?);
        self.reader.go_on(replies);
        if let Some(lanes) = &mut self.lanes
            && !self.lane_joins
        {
            lanes.go();
        }
        if let Some(task) = self.stream.target.stored().await? {
            self.stream.board.show_stored(&task);
        }
        Ok(())
    }

    /// Shows what became of each table, and tells the reader.
    fn answer_effects(&self, effects: Vec<DdlEffect>, ddl: &Ddl) -> Vec<Reply> {
        let mut replies = Vec::new();
        for effect in effects {
            match effect {
                DdlEffect::Defined(table, start) => {
                    replies.push(Reply::Track(Arc::new(table), start))
                }
                DdlEffect::Gone(table) => replies.push(Reply::Untrack(table)),
                DdlEffect::Restart(table) => {
                    let message = format!("{table} is to be loaded anew beside the stream");
                    self.stream.board.message(message);
                    replies.push(Reply::Untrack(table));
                }
                DdlEffect::Left(table) => {
                    let message = format!(
                        "{table} stays as it is in the target: `operations` leaves out what became of it"
                    );
                    self.stream.board.message(message);
                    replies.push(Reply::Untrack(table));
                }
                DdlEffect::Stopped(table, reason) => {
                    tracing::error!(%table, position = %ddl.end, "table stopped: {reason}");
                    self.stream.board.stopped(&table, &reason);
                    replies.push(Reply::Untrack(table));
                }
            }
        }
        replies
    }

    async fn sync_objects(&mut self) -> Result<(), Fault> {
        if self.lanes.is_none() {
            // Objects are the main stream's; it syncs them whenever it is opened, also behind a join.
            self.objects.changed = false;
            return Ok(());
        }
        self.objects.begin();
        self.stream.objects.sync_if_possible().await?;
        self.objects.end();
        Ok(())
    }

    /// At a barrier, which this answers.
    async fn stop_table(&mut self, fault: Fault, position: &Position) -> Result<(), Fault> {
        let Some(table) = fault.table_name().cloned() else {
            return Err(fault);
        };
        let Stream { target, board, .. } = self.stream;
        stop_table(target.as_ref(), board, &table, &fault, position).await?;
        let mut replies = vec![Reply::Untrack(table)];
        replies.extend(self.stop_family(position).await?);
        self.reader.go_on(replies);
        Ok(())
    }

    async fn stop_family(&mut self, position: &Position) -> Result<Vec<Reply>, Fault> {
        let Stream { target, board, .. } = self.stream;
        let stopped = family::stop_rest(target.as_ref(), board, position).await?;
        Ok(stopped.into_iter().map(Reply::Untrack).collect())
    }

    async fn store_passed_sometimes(&mut self) -> Result<(), Fault> {
        if self.open.is_none() && self.checkpoint_at.elapsed() >= IDLE_CHECKPOINT_EVERY {
            self.store_passed().await?;
        }
        Ok(())
    }

    async fn store_passed(&mut self) -> Result<(), Fault> {
        self.checkpoint_at = Instant::now();
        if self.objects.changed {
            // Who sees this checkpoint may compare objects up to it.
            self.sync_objects().await?;
        }
        if self.passed == self.stored {
            return Ok(());
        }
        let commit = self.stream.target.open_commit(self.mode).await?;
        let passed = self.passed.clone();
        self.finish(commit, &passed).await?;
        self.stored = passed;
        Ok(())
    }

    /// Moves the stored checkpoint, together with what was counted up to there.
    async fn finish(
        &mut self,
        mut commit: Box<dyn GroupCommit>,
        after: &Checkpoint,
    ) -> Result<(), Fault> {
        let skipped = std::mem::take(&mut self.skipped);
        if !skipped.is_empty() {
            commit.note_skipped(&skipped).await?;
        }
        commit.finish(&self.stored, after).await
    }

    /// Everything up to the end is in: what is still owed is a real conflict, foreign keys can
    /// be added, and from here on every change must touch exactly one row.
    ///
    /// Errors: about one table, which is to stop. The reader stands at no barrier here, so nothing
    /// can be told to it: it is opened anew without the table.
    async fn reach_end(&mut self) -> Result<(), Fault> {
        self.store_passed().await?;
        let task = self.stream.target.stored().await?;
        let task = task.ok_or_else(no_checkpoint)?;
        let is_followed = |name: &TableName| {
            let mut tables = task.tables.iter();
            tables.any(|state| state.table.name == *name && state.is_followed())
        };
        let mut owed = self.stream.target.owed().await?.into_iter();
        if let Some(owed) = owed.find(|owed| is_followed(&owed.table)) {
            return Err(Fault::operator("STR-002", format!("a row of table {} was removed for a unique value that another row holds, and the source never brought it back", owed.table))
                .hint("Compare the unique keys of source and target, make them alike, and start the task again with this table.")
                .table(&owed.table));
        }
        if self.lanes.is_some() {
            self.complete_tables(&task).await?;
        }
        self.at_end = true;
        let mut what = "every change is now checked";
        if self.stream.selection.phases.is_whole() {
            self.mode = ApplyMode::Strict;
        } else {
            what = "rows that never change are not in the target, so changes are not checked";
        }
        self.stream.board.message(format!(
            "replay reached its end at {}; {what}",
            self.idempotent_to
        ));
        Ok(())
    }

    async fn complete_tables(&mut self, task: &StoredTask) -> Result<(), Fault> {
        let waiting =
            |state: &&TableState| state.is_followed() && state.stage == TableStage::Indexed;
        for state in task.tables.iter().filter(waiting) {
            let Stream { target, board, .. } = self.stream;
            target.add_foreign_keys(&state.table).await?;
            let name = &state.table.name;
            set_stage(target.as_ref(), board, name, TableStage::Complete).await?;
        }
        Ok(())
    }
}

/// True for a table that is to leave out kinds of changes from the load's end on.
fn waits_for_end(state: &TableState) -> bool {
    state.is_followed() && !state.table.leaves().is_nothing() && !state.table.is_leaving()
}

/// Waits for another stop position. A closed channel means that there will be none.
async fn stop_changed(stop_at: &mut watch::Receiver<Option<Position>>) {
    if stop_at.changed().await.is_err() {
        std::future::pending::<()>().await;
    }
}

/// Why the lane's work has ended. A stream without a lane waits for ever. Cancel: safe.
async fn lane_ended(lanes: &mut Option<&mut Lanes>) -> Result<LaneEnd, Fault> {
    match lanes {
        Some(lanes) => lanes.ended().await,
        None => std::future::pending().await,
    }
}

pub(crate) fn drops_database_of(ddl: &Ddl, table: &TableName) -> bool {
    ddl.kind == DdlKind::DropDatabase && table.database == ddl.default_database
}

/// The place behind a definition change.
fn behind(passed: &Checkpoint, end: &Position) -> Checkpoint {
    Checkpoint {
        read_from: later_read_from(passed, end),
        applied_to: end.clone(),
    }
}

/// A DDL ends every ordinary transaction before it, so only parked XA groups hold back where a
/// restart must read from.
fn later_read_from(passed: &Checkpoint, end: &Position) -> Position {
    if passed.read_from == passed.applied_to {
        end.clone()
    } else {
        passed.read_from.clone()
    }
}

fn no_checkpoint() -> Fault {
    Fault::bug(
        "STR-001",
        "the task has no stored checkpoint to stream from",
    )
}
