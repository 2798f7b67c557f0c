//! The two ports: what the engine needs of a source and of a target.
//!
//! Called per batch, never per row. Every method may fail with a [`Fault`]; `Transient` ones are
//! retried by the engine from the last stored state, so no method retries on its own beyond what
//! its contract says. Implemented by the `mysql` crate; one conformance suite covers both.

use crate::accounts::{AccountReport, AccountStep};
use crate::objects::ObjectReport;
use crate::pipe::{RowReceiver, RowSender};
use crate::state::{Checkpoint, Choice, Chunk, KeyRange, Owed, StoredTask, TableStage, TableState};
use async_trait::async_trait;
use std::sync::Arc;
use wherry_model::task::{SchemaSpec, SelectSpec, StreamFrom};
use wherry_model::{
    Account, AccountChoice, Change, CheckItem, Ddl, Fault, Loss, ObjectName, Phase, Position, Row,
    RuleChange, SchemaObject, SkippedRows, Table, TableName,
};

/// Reads rows of one side in key order, as canonical bytes.
#[async_trait]
pub trait RowReader: Send + Sync {
    /// The key of the row that stands `row_count` places after `after` in key order; `None` where
    /// fewer rows remain. Keys hold the values of `table.identity()`'s parts in their order.
    async fn key_after(
        &self,
        table: &Table,
        after: Option<&Row>,
        row_count: u64,
    ) -> Result<Option<Row>, Fault>;

    /// Sends every row of the range in key order, all columns of `table.columns`, by one short
    /// statement. Returns when all were sent; a closed pipe ends it early without a fault.
    async fn read_range(
        &self,
        table: &Table,
        range: &KeyRange,
        rows: &RowSender,
    ) -> Result<(), Fault>;

    /// The rows with these keys, in any order; absent keys are simply not there.
    async fn read_keys(&self, table: &Table, keys: &[Row]) -> Result<Vec<Row>, Fault>;
}

/// The database to move from.
#[async_trait]
pub trait Source: RowReader {
    /// Identifies the server: its UUID where it has one, host and port otherwise.
    async fn identity(&self) -> Result<String, Fault>;

    async fn precheck(&self, selection: &SelectSpec) -> Result<Vec<CheckItem>, Fault>;

    /// Whether the account may make the heartbeat's table in this database and write it; writes nothing.
    async fn check_heartbeat(&self, database: &str) -> CheckItem;

    /// Writes the task's row of the heartbeat's table in this database, which is made where it is
    /// missing. Ends within a bounded time at the server too, also where it is refused.
    async fn beat(&self, database: &str, task: &str) -> Result<(), Fault>;

    /// Databases and base tables of the selection; what this version cannot carry stands apart.
    async fn catalog(&self, selection: &SelectSpec) -> Result<Catalog, Fault>;

    /// A position at which every earlier change is surely visible to a read that begins later.
    async fn start(&self) -> Result<Position, Fault>;

    /// The border between two transactions that the user has named: a target that holds what lies
    /// before it, and perhaps more, is brought up to date by what lies behind it.
    async fn begin(&self, from: &StreamFrom) -> Result<Position, Fault>;

    /// The end of the binlog: surely behind every change that a finished read has seen.
    async fn end(&self) -> Result<Position, Fault>;

    /// Like `end`, and surely behind every change of this table that a finished read has seen, also
    /// where the table is not transactional: its changes are visible before they are logged, so
    /// its writers are shut out for a moment.
    async fn end_behind(&self, table: &Table) -> Result<Position, Fault>;

    /// Every DDL between two positions that names a selected table or database.
    async fn ddl_between(
        &self,
        from: &Position,
        to: &Position,
        selection: &SelectSpec,
    ) -> Result<Vec<Ddl>, Fault>;

    /// Views, routines, triggers and events of the selection as they are defined now.
    async fn objects(&self, selection: &SelectSpec) -> Result<Vec<SchemaObject>, Fault>;

    /// The chosen accounts, but those of the system and the one that reads them.
    async fn accounts(&self, choice: &AccountChoice) -> Result<Vec<Account>, Fault>;

    /// Of these views, those that the source itself cannot resolve, with its reason.
    async fn broken_views(&self, views: &[ObjectName]) -> Result<Vec<(ObjectName, String)>, Fault>;

    /// Columns whose value in the target depends on when or how a row came, and not on the source's
    /// row alone.
    fn varying_columns(&self, table: &Table) -> Vec<usize>;

    /// Opens one snapshot of exact tables together with the position it stands at. A table without
    /// transactions comes alone.
    async fn exact_snapshot(&self, tables: &[Table]) -> Result<Box<dyn ExactSnapshot>, Fault>;

    /// Opens the stream. Transactions up to `applied_to` only fill parked XA groups.
    async fn stream(
        &self,
        from: &Checkpoint,
        selection: &SelectSpec,
    ) -> Result<Box<dyn ChangeStream>, Fault>;

    /// The AUTO_INCREMENT counter from `SHOW CREATE TABLE`, `None` without one.
    async fn auto_increment(&self, table: &TableName) -> Result<Option<u64>, Fault>;

    /// Names of prepared XA transactions; `None` where the account may not see them.
    async fn prepared_xa(&self) -> Result<Option<Vec<String>>, Fault>;

    /// Switches `read_only` at the source, for `stop_writes: read-only`.
    async fn set_read_only(&self, on: bool) -> Result<(), Fault>;
}

#[derive(Debug, Default)]
pub struct Catalog {
    pub databases: Vec<DatabaseDefinition>,
    pub tables: Vec<Table>,
    /// For each selected table that cannot be carried the reason; the fault names the table.
    pub refused: Vec<Fault>,
}

impl Catalog {
    /// Errors: the first table that cannot be carried.
    pub fn whole(mut self) -> Result<Catalog, Fault> {
        if self.refused.is_empty() {
            return Ok(self);
        }
        Err(self.refused.swap_remove(0))
    }

    /// Why this table cannot be carried.
    pub fn refusal(&self, table: &TableName) -> Option<&Fault> {
        self.refused
            .iter()
            .find(|fault| fault.table_name() == Some(table))
    }
}

#[derive(Debug, Clone)]
pub struct DatabaseDefinition {
    pub name: String,
    pub charset: String,
    pub collation: String,
    /// MariaDB's; empty elsewhere.
    pub comment: String,
}

/// One open snapshot of exact tables. Dropping it ends the transaction.
#[async_trait]
pub trait ExactSnapshot: Send {
    /// Every change of the tables up to here is in the snapshot, none after.
    fn position(&self) -> &Position;

    /// The tables as defined inside the snapshot, in the order in which they were asked for.
    fn tables(&self) -> &[Table];

    /// True where the table is defined inside the snapshot as it was planned.
    fn is_as_planned(&self, table: &Table) -> Result<bool, Fault>;

    /// Sends every row of one of the tables. Each can be read once.
    async fn read_all(&mut self, table: &Table, rows: &RowSender) -> Result<(), Fault>;
}

/// Changes in source order. Reconnects by itself; a fault means that it gave up.
#[async_trait]
pub trait ChangeStream: Send {
    /// The next item. After a `Ddl` the caller must call `track` or `untrack` for what it
    /// changed before it asks again.
    async fn next(&mut self) -> Result<StreamItem, Fault>;

    /// From now on decodes changes of this table after `start` with these columns.
    fn track(&mut self, table: Arc<Table>, start: Position);

    /// From now on drops events of this table before their rows are decoded.
    fn untrack(&mut self, table: &TableName);
}

#[derive(Debug)]
pub enum StreamItem {
    /// A whole transaction, or a part of one that is too large to hold.
    Changes(TransactionPart),
    Ddl(Ddl),
    /// Something about a tracked table that cannot be carried; the fault names the table.
    Refused {
        fault: Fault,
        position: Position,
    },
    /// Nothing to apply up to here: other transactions, a rotation, a heartbeat.
    Passed {
        checkpoint: Checkpoint,
        /// When the source committed the last transaction before it, of whatever tables; `None`
        /// where none was read since the stream was opened.
        committed_at_us: Option<u64>,
        /// The source had nothing more to read.
        caught_up: bool,
    },
}

#[derive(Debug)]
pub struct TransactionPart {
    pub changes: Vec<Change>,
    /// Of its changes those whose rows are left out.
    pub skipped: SkippedRows,
    pub byte_count: usize,
    /// True for the last or only part; only then `checkpoint` may be stored.
    pub last: bool,
    /// For the last part the place right behind the transaction; for an earlier part the border
    /// before it.
    pub checkpoint: Checkpoint,
    /// When the source committed, microseconds since 1970 UTC; in a part that is not the last one
    /// perhaps when it ran the statement.
    pub committed_at_us: u64,
}

/// The database to move to. Holds the epoch it was claimed with; every transaction checks it.
#[async_trait]
pub trait Target: RowReader {
    async fn precheck(
        &self,
        selection: &SelectSpec,
        catalog: &Catalog,
    ) -> Result<Vec<CheckItem>, Fault>;

    /// Takes the task over: creates Wherry's tables where missing, raises the epoch, waits for
    /// the DDL lock. Refuses with class `Fenced` after cutover.
    async fn claim(&self) -> Result<(), Fault>;

    /// What is stored for the task; `None` where there is nothing. Needs no claim.
    async fn stored(&self) -> Result<Option<StoredTask>, Fault>;

    /// Records a new task.
    async fn create_task(&self, source_id: &str) -> Result<(), Fault>;

    /// What was stored of the task's phases; `None` for a task of an older program, which has all.
    async fn phases(&self) -> Result<Option<String>, Fault>;

    /// Stores the task's phases.
    async fn put_phases(&self, phases: &str) -> Result<(), Fault>;

    /// Stores the next phase; `from` must be the stored one.
    async fn set_phase(&self, from: Phase, to: Phase) -> Result<(), Fault>;

    /// Stores the first checkpoint of the task, before any chunk is read.
    async fn set_checkpoint(&self, checkpoint: &Checkpoint) -> Result<(), Fault>;

    /// Stores the end of idempotent replay.
    async fn set_end(&self, end: &Position) -> Result<(), Fault>;

    /// Marks those tables whose own version in the target is to be used, because their policy is
    /// `keep` and the task has not made them. Refuses one that does not suit.
    async fn adopt(&self, selection: &SelectSpec, states: &mut [TableState]) -> Result<(), Fault>;

    /// Stores a table with its start and stage, forgetting its chunks and owed keys.
    async fn plan_table(&self, state: &TableState) -> Result<(), Fault>;

    /// Forgets a table that is gone at the source and drops what this task made of it.
    async fn drop_table(&self, table: &TableName) -> Result<(), Fault>;

    async fn set_stage(&self, table: &TableName, stage: TableStage) -> Result<(), Fault>;

    /// Records what is to happen in the place of a statement that has paused a table. Refuses where
    /// the rows behind the statement would then have no place in the target's table.
    async fn choose(&self, choice: &Choice) -> Result<(), Fault>;

    /// Forgets what was chosen for a table and has not happened yet.
    async fn forget_choices(&self, table: &TableName) -> Result<(), Fault>;

    /// Stops one table for good, with the reason.
    async fn stop_table(&self, fault: &Fault, position: &Position) -> Result<(), Fault>;

    /// Makes the database, or gives it these defaults.
    async fn create_database(&self, database: &DatabaseDefinition) -> Result<(), Fault>;

    /// Makes the database where it is missing. One that is there keeps its defaults: those at the
    /// place that the stream has come to.
    async fn ensure_database(&self, database: &DatabaseDefinition) -> Result<(), Fault>;

    /// The source has dropped it: what comes under this name is another one.
    async fn forget_database(&self, name: &str) -> Result<(), Fault>;

    /// Makes the table anew, empty; drops what an earlier attempt of this task left.
    async fn create_table(&self, table: &Table, defer_indexes: bool) -> Result<(), Fault>;

    /// Chunks cut so far, in order of number.
    async fn chunks(&self, table: &TableName) -> Result<Vec<Chunk>, Fault>;

    async fn plan_chunk(&self, table: &TableName, chunk: &Chunk) -> Result<(), Fault>;

    /// Writes a chunk's rows, its "done" record and the count of skipped rows in one transaction.
    async fn load_chunk(
        &self,
        table: &Table,
        chunk: &Chunk,
        rows: RowReceiver,
    ) -> Result<LoadOutcome, Fault>;

    /// Writes a chunk row by row where needed, after `load_chunk` asked for care: a row that
    /// another row bars on a secondary unique key is left out and its key owed.
    async fn load_chunk_careful(
        &self,
        table: &Table,
        chunk: &Chunk,
        rows: RowReceiver,
    ) -> Result<LoadOutcome, Fault>;

    /// Removes every row of these tables, which this task has written.
    async fn empty_tables(&self, tables: &[Table]) -> Result<(), Fault>;

    /// Writes the rows of an exact snapshot into an empty table, in bounded transactions.
    async fn load_exact(&self, table: &Table, rows: RowReceiver) -> Result<LoadOutcome, Fault>;

    /// Stores these states, all of one snapshot, in one transaction.
    async fn finish_exact(&self, states: &[TableState]) -> Result<(), Fault>;

    /// Adds the deferred indexes of a table, by the DDL road. Safe to repeat.
    async fn add_indexes(&self, table: &Table) -> Result<(), Fault>;

    /// Adds the foreign keys of a table by the DDL road, proved by an anti-join. Safe to repeat.
    async fn add_foreign_keys(&self, table: &Table) -> Result<(), Fault>;

    /// Keys still owed.
    async fn owed(&self) -> Result<Vec<Owed>, Fault>;

    /// Applies keyed changes in order in one transaction of worker `worker`. Retries deadlocks
    /// and lock timeouts from the first statement. Safe to repeat.
    async fn apply(
        &self,
        worker: usize,
        changes: &[Change],
        mode: ApplyMode,
    ) -> Result<ApplyOutcome, Fault>;

    /// Opens the transaction that commits a group: exact changes and the checkpoint.
    async fn open_commit(&self, mode: ApplyMode) -> Result<Box<dyn GroupCommit>, Fault>;

    /// Runs a DDL of the source as a barrier: intent, shadow, statement, states, checkpoint.
    /// Returns what became of each selected table named by it.
    async fn run_ddl(
        &self,
        ddl: &Ddl,
        before: &Checkpoint,
        after: &Checkpoint,
        selection: &SelectSpec,
    ) -> Result<Vec<DdlEffect>, Fault>;

    /// Which of these objects the target cannot have.
    async fn precheck_objects(
        &self,
        objects: &[SchemaObject],
        selection: &SelectSpec,
        schema: &SchemaSpec,
    ) -> Result<Vec<CheckItem>, Fault>;

    /// Makes the target's objects like these, except what must not run before the fence: that is
    /// tried and remembered. Drops what this task made and the source has no more. Safe to repeat.
    async fn sync_objects(
        &self,
        objects: &[SchemaObject],
        selection: &SelectSpec,
        schema: &SchemaSpec,
    ) -> Result<ObjectReport, Fault>;

    /// Behind the fence: makes the triggers and enables the events that the last sync remembered.
    /// Safe to repeat.
    async fn release_objects(&self, schema: &SchemaSpec) -> Result<ObjectReport, Fault>;

    /// Makes these accounts where they are missing, locked, with what they may do on what is
    /// selected; never changes one that this task did not make. Safe to repeat.
    async fn sync_accounts(
        &self,
        accounts: &[Account],
        step: AccountStep,
    ) -> Result<AccountReport, Fault>;

    /// Behind the fence: unlocks the accounts that the last sync made. Safe to repeat.
    async fn release_accounts(&self) -> Result<(), Fault>;

    /// Differences between these objects and the target's, each with the rule that explains it.
    async fn object_diff(
        &self,
        objects: &[SchemaObject],
        selection: &SelectSpec,
        schema: &SchemaSpec,
    ) -> Result<Vec<SchemaDifference>, Fault>;

    /// The same target as the task's lane sees it: `stored` gives the lane's cursor, end and
    /// tables, and cursor, end, stages and definitions are moved for the lane alone. There
    /// `drop_table` gives a table back to those that wait for a lane.
    fn lane(&self) -> Arc<dyn Target>;

    /// Opens a lane of these tables at a cursor, all in one transaction; with an end where nothing
    /// is to be loaded. `stored` lists them with their marks.
    async fn open_lane(
        &self,
        states: &[TableState],
        checkpoint: &Checkpoint,
        end: Option<&Position>,
    ) -> Result<(), Fault>;

    /// Gives the lane's tables to the stream, with `at` as their start, and ends the lane, in one
    /// transaction that holds the checkpoint.
    async fn join_lane(&self, at: &Position) -> Result<(), Fault>;

    /// Marks the followed tables that leave out kinds of changes of rows: from the checkpoint on
    /// they do. Everything up to the load's end is in, and nothing behind the checkpoint.
    async fn begin_leaving(&self) -> Result<(), Fault>;

    /// Returns when no transaction of this runner that moves a cursor is under way: one whose
    /// session was dropped may still be. For the lane also when no definition is being changed.
    async fn settle(&self) -> Result<(), Fault>;

    /// True where a definition change was begun and its checkpoint is not stored.
    async fn is_changing_definitions(&self) -> Result<bool, Fault>;

    /// Stores a line of progress for `status`, as JSON.
    async fn put_progress(&self, progress: &str) -> Result<(), Fault>;

    /// Age in seconds and text of the last progress; needs no claim.
    async fn progress(&self) -> Result<Option<(u64, String)>, Fault>;

    /// Raises the AUTO_INCREMENT counter to at least `next`.
    async fn raise_auto_increment(&self, table: &TableName, next: u64) -> Result<(), Fault>;

    /// The point of no return: phase `Cutover` and an epoch that no runner can take.
    async fn fence(&self) -> Result<(), Fault>;

    /// Differences between the definitions of the source's databases and tables and the target's,
    /// each with the rule that explains it, if one does. Tables that only the target has are named.
    async fn schema_diff(
        &self,
        databases: &[DatabaseDefinition],
        tables: &[Table],
    ) -> Result<Vec<SchemaDifference>, Fault>;

    /// What flavour rules changed when this task made databases and tables; needs no claim.
    async fn rule_changes(&self) -> Result<Vec<RuleChange>, Fault>;

    /// What of the source the target does not have, in the order in which it was recorded; needs no
    /// claim.
    async fn losses(&self) -> Result<Vec<Loss>, Fault>;

    /// Sends every row of an exact table from a snapshot that also holds the checkpoint, and
    /// returns that checkpoint.
    async fn read_exact(&self, table: &Table, rows: &RowSender) -> Result<Checkpoint, Fault>;

    /// Statements under way in the target for longer than `seconds`, for the watchdog.
    fn unanswered(&self, seconds: u64) -> Vec<Unanswered>;
}

#[derive(Debug, Clone, Default)]
pub struct LoadOutcome {
    pub row_count: u64,
    pub byte_count: u64,
    /// Rows left out because another row holds one of their unique values; their keys are owed.
    pub left_out: u64,
    /// Nothing was written, since some row was refused: the same rows must be sent again to
    /// `load_chunk_careful`.
    pub needs_care: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ApplyMode {
    /// Insert and update mean "this row now is so", delete means "no such row".
    Idempotent,
    /// Every change must touch exactly one row; anything else is a divergence, which is
    /// recorded, repaired from the after image and counted.
    Strict,
}

#[derive(Debug, Clone, Default)]
pub struct ApplyOutcome {
    pub row_count: u64,
    /// Rows removed because they held a unique value of another row; their keys are owed.
    pub removed: u64,
    pub divergences: u64,
}

/// The open last transaction of a group.
#[async_trait]
pub trait GroupCommit: Send {
    /// Applies changes in order, exact and keyed ones.
    async fn add(&mut self, changes: &[Change]) -> Result<ApplyOutcome, Fault>;

    /// Adds to the counts of rows that scripts have left out.
    async fn note_skipped(&mut self, skipped: &SkippedRows) -> Result<(), Fault>;

    /// Moves the checkpoint from `before` to `after` by compare-and-set and commits. A lost
    /// answer is resolved by a locking read; returns `Ok` only when the commit is sure.
    async fn finish(self: Box<Self>, before: &Checkpoint, after: &Checkpoint) -> Result<(), Fault>;
}

/// What a DDL did to one selected table.
#[derive(Debug, Clone)]
pub enum DdlEffect {
    /// New or changed; decode with these columns from `start` on.
    Defined(Table, Position),
    Gone(TableName),
    /// Wherry could not carry it; the table is stopped.
    Stopped(TableName, String),
    /// The task leaves out what became of the table, which stays as it is in the target.
    Left(TableName),
    /// The table is to be loaded anew, beside the stream; it waits for a lane.
    Restart(TableName),
}

#[derive(Debug, Clone)]
pub struct SchemaDifference {
    /// The table or other object; a database has an empty name in itself.
    pub table: TableName,
    /// About a foreign key: these are added last.
    pub foreign_key: bool,
    pub description: String,
    /// Name of the rule that explains it; `None` is a real difference.
    pub rule: Option<&'static str>,
}

impl SchemaDifference {
    /// What it is about, quoted.
    pub fn object(&self) -> String {
        self.table.object()
    }
}

/// A statement that the target has not answered yet.
#[derive(Debug, Clone)]
pub struct Unanswered {
    pub statement: String,
    pub since_seconds: u64,
}
