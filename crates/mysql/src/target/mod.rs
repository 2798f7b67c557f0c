//! The target: writes rows, definitions and the task's own state into a MySQL-compatible server.
//!
//! Owns every write to a target and the tables in which a task remembers itself. Must not decide
//! what happens next: that is the engine's. Invariants: no transaction without a look at the
//! epoch (`transaction`), no change of a definition outside the DDL road (`road`).
//! Read on in `state` for what is stored, `load` and `apply` for rows, `definition_change` for DDL.

mod account_state;
mod accounts;
mod adopt;
mod apply;
mod choice;
mod claim;
mod commit;
mod ddl_database;
mod ddl_differs;
mod ddl_merged;
mod ddl_names;
mod ddl_plan;
mod ddl_refused;
mod ddl_restart;
mod ddl_shape;
mod definition_change;
mod exact;
mod fault;
mod feed;
mod idempotent;
mod keep;
mod lane;
mod leaving;
mod left_out;
mod load;
mod names;
mod nature;
mod object_diff;
mod object_make;
mod object_names;
mod object_precheck;
mod object_rules;
mod object_state;
mod object_triggers;
mod objects;
mod online;
mod owed;
mod parents;
mod precheck;
mod precheck_names;
mod road;
mod schema;
mod schema_diff;
mod shadow;
mod skipped;
mod state;
mod statement;
mod store;
mod strict;
mod transaction;
mod try_out;
mod writer;

use crate::ddl::Dialect;
use crate::ddl::rules::Flavours;
use crate::flavour::ServerVersion;
use crate::names::Names;
use crate::reader::{Origin, TableReader, read_range_in};
use crate::session::{Activity, Endpoint, Pool, Session, SessionError, SessionKind};
use async_trait::async_trait;
use owed::OwedMark;
use state::State;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use wherry_engine::accounts::{AccountReport, AccountStep};
use wherry_engine::objects::ObjectReport;
use wherry_engine::pipe::{RowReceiver, RowSender};
use wherry_engine::ports::{
    ApplyMode, ApplyOutcome, Catalog, DatabaseDefinition, DdlEffect, GroupCommit, LoadOutcome,
    RowReader, SchemaDifference, Target, Unanswered,
};
use wherry_engine::state::{
    Checkpoint, Choice, Chunk, KeyRange, Owed, StoredTask, TableStage, TableState,
};
use wherry_model::task::{SchemaSpec, SelectSpec};
use wherry_model::{
    Account, Change, CheckItem, Ddl, Fault, Loss, Phase, Position, Row, RuleChange, SchemaObject,
    Table, TableName,
};

/// What servers allow by default since MySQL 5.6.6; used until the target was asked.
const DEFAULT_PACKET_BYTES: usize = 4 << 20;

/// Left free in a packet for the words around the values.
const PACKET_HEADROOM_BYTES: usize = 1 << 10;

/// Sessions beside loaders and workers: state, progress, commit.
const SPARE_SESSIONS: usize = 4;

/// How a target is used by one task.
#[derive(Debug, Clone)]
pub struct TargetOptions {
    /// Name of the task; at most 64 characters.
    pub task: String,
    /// The database that holds Wherry's own tables.
    pub state_database: String,
    /// Parts of groups that are applied at once.
    pub workers: usize,
    /// Chunks that are written at once.
    pub writers: usize,
    /// Of the source: which flavour rules its definitions need.
    pub source_version: ServerVersion,
    /// What moves, and how tables are made.
    pub select: SelectSpec,
}

/// Writes to one server for one task. Cheap to clone; sessions are opened when needed.
#[derive(Clone)]
pub struct MysqlTarget {
    inner: Arc<Inner>,
}

/// A target as the main stream or the lane sees it. What belongs to the process is shared.
struct Inner {
    state: State,
    shared: Arc<Shared>,
    last_checkpoint: Mutex<Option<Checkpoint>>,
    /// One change of a definition at a time.
    road: tokio::sync::Mutex<()>,
}

impl std::ops::Deref for Inner {
    type Target = Shared;

    fn deref(&self) -> &Shared {
        &self.shared
    }
}

struct Shared {
    pool: Pool,
    reads: Pool,
    reader: TableReader,
    activity: Arc<Activity>,
    source_version: ServerVersion,
    select: SelectSpec,
    /// Known since the claim or the first question.
    version: tokio::sync::Mutex<Option<ServerVersion>>,
    /// 0 until the task is claimed.
    epoch: AtomicU64,
    /// This process has cut the task over.
    fenced: AtomicBool,
    owed: OwedMark,
    packet_bytes: AtomicUsize,
    local_infile_off: AtomicBool,
    names: Arc<Names>,
}

impl MysqlTarget {
    /// A target in which every name is that of the source.
    pub fn new(endpoint: Endpoint, options: TargetOptions) -> MysqlTarget {
        MysqlTarget::with_names(endpoint, options, Arc::default())
    }

    pub fn with_names(
        endpoint: Endpoint,
        options: TargetOptions,
        names: Arc<Names>,
    ) -> MysqlTarget {
        let activity = Arc::new(Activity::default());
        // The stream and the lane beside it each have their workers and a last transaction.
        let sessions = 2 * (options.workers + 1) + options.writers + SPARE_SESSIONS;
        let pool =
            |kind| Pool::new(endpoint.clone(), kind, sessions).with_activity(Arc::clone(&activity));
        let reads = pool(SessionKind::Read);
        let shared = Shared {
            pool: pool(SessionKind::Write),
            reader: TableReader::new(reads.clone(), Origin::Target),
            reads,
            activity,
            source_version: options.source_version,
            select: options.select,
            version: tokio::sync::Mutex::new(None),
            epoch: AtomicU64::new(0),
            fenced: AtomicBool::new(false),
            owed: OwedMark::default(),
            packet_bytes: AtomicUsize::new(DEFAULT_PACKET_BYTES),
            local_infile_off: AtomicBool::new(false),
            names,
        };
        let state = State::new(&options.state_database, &options.task);
        MysqlTarget::seen_by(state, Arc::new(shared))
    }

    fn seen_by(state: State, shared: Arc<Shared>) -> MysqlTarget {
        MysqlTarget {
            inner: Arc::new(Inner {
                state,
                shared,
                last_checkpoint: Mutex::new(None),
                road: tokio::sync::Mutex::new(()),
            }),
        }
    }
}

impl Inner {
    /// Bytes that one statement may have.
    fn packet_bytes_max(&self) -> usize {
        self.packet_bytes
            .load(Ordering::Relaxed)
            .saturating_sub(PACKET_HEADROOM_BYTES)
    }

    async fn version(&self) -> Result<ServerVersion, Fault> {
        let mut known = self.version.lock().await;
        if let Some(version) = known.as_ref() {
            return Ok(version.clone());
        }
        let version = self.session().await?.version().clone();
        *known = Some(version.clone());
        Ok(version)
    }

    /// What the target calls this table of the source.
    async fn target_name(&self, table: &TableName) -> Result<TableName, Fault> {
        Ok(self.names.map().await?.table(table))
    }

    async fn dialect(&self) -> Result<Dialect, Fault> {
        Ok(dialect_of(&self.version().await?))
    }

    fn source_dialect(&self) -> Dialect {
        dialect_of(&self.source_version)
    }

    /// How definitions of the source become the target's.
    async fn flavours(&self) -> Result<Flavours, Fault> {
        Ok(Flavours::new(self.source_dialect(), self.dialect().await?))
    }

    /// As `flavours`, with the engine that this table of the source is to have.
    async fn flavours_of(&self, table: &TableName) -> Result<Flavours, Fault> {
        let engine = self.select.engine_by(table).0;
        Ok(self.flavours().await?.engine(engine))
    }

    /// A session of its own, for work that changes session variables.
    async fn own_session(&self, kind: SessionKind) -> Result<Session, Fault> {
        let mut session = Session::connect(self.pool.endpoint(), kind)
            .await
            .map_err(SessionError::into_fault)?;
        session.set_activity(Arc::clone(&self.activity));
        Ok(session)
    }

    async fn read_exact(&self, table: &Table, rows: &RowSender) -> Result<Checkpoint, Fault> {
        let mut session = self.reads.get().await.map_err(SessionError::into_fault)?;
        session
            .execute_many(
                "ROLLBACK;SET TRANSACTION ISOLATION LEVEL REPEATABLE READ;\
                 START TRANSACTION WITH CONSISTENT SNAPSHOT",
            )
            .await
            .map_err(SessionError::into_fault)?;
        let stored = session
            .query(self.state.select_checkpoint())
            .await
            .map_err(|error| self.state_fault(error))?;
        let checkpoint = store::checkpoint_of(&stored)?
            .ok_or_else(|| fault::state_moved("the task has no checkpoint"))?;
        read_range_in(&mut session, table, &KeyRange::all(), Origin::Target, rows).await?;
        if !session.is_broken() {
            session
                .execute("ROLLBACK")
                .await
                .map_err(SessionError::into_fault)?;
        }
        Ok(checkpoint)
    }
}

fn dialect_of(version: &ServerVersion) -> Dialect {
    let number = u32::from(version.major) * 10_000
        + u32::from(version.minor) * 100
        + u32::from(version.patch);
    if version.is_mariadb() {
        Dialect::mariadb(number)
    } else {
        Dialect::mysql(number)
    }
}

#[async_trait]
impl RowReader for MysqlTarget {
    async fn key_after(
        &self,
        table: &Table,
        after: Option<&Row>,
        row_count: u64,
    ) -> Result<Option<Row>, Fault> {
        self.inner.reader.key_after(table, after, row_count).await
    }

    async fn read_range(
        &self,
        table: &Table,
        range: &KeyRange,
        rows: &RowSender,
    ) -> Result<(), Fault> {
        self.inner.reader.read_range(table, range, rows).await
    }

    async fn read_keys(&self, table: &Table, keys: &[Row]) -> Result<Vec<Row>, Fault> {
        self.inner.reader.read_keys(table, keys).await
    }
}

#[async_trait]
impl Target for MysqlTarget {
    async fn precheck(
        &self,
        selection: &SelectSpec,
        catalog: &Catalog,
    ) -> Result<Vec<CheckItem>, Fault> {
        self.inner.precheck(selection, catalog).await
    }

    async fn claim(&self) -> Result<(), Fault> {
        self.inner.claim().await
    }

    async fn stored(&self) -> Result<Option<StoredTask>, Fault> {
        self.inner.stored().await
    }

    async fn create_task(&self, source_id: &str) -> Result<(), Fault> {
        self.inner.create_task(source_id).await
    }

    async fn phases(&self) -> Result<Option<String>, Fault> {
        self.inner.phases().await
    }

    async fn put_phases(&self, phases: &str) -> Result<(), Fault> {
        self.inner.put_phases(phases).await
    }

    async fn set_phase(&self, from: Phase, to: Phase) -> Result<(), Fault> {
        self.inner.set_phase(from, to).await
    }

    async fn set_checkpoint(&self, checkpoint: &Checkpoint) -> Result<(), Fault> {
        self.inner.set_checkpoint(checkpoint).await
    }

    async fn set_end(&self, end: &Position) -> Result<(), Fault> {
        self.inner.set_end(end).await
    }

    async fn plan_table(&self, state: &TableState) -> Result<(), Fault> {
        self.inner.plan_table(state).await
    }

    async fn drop_table(&self, table: &TableName) -> Result<(), Fault> {
        self.inner.drop_table(table).await
    }

    async fn adopt(&self, selection: &SelectSpec, states: &mut [TableState]) -> Result<(), Fault> {
        self.inner.adopt(selection, states).await
    }

    async fn set_stage(&self, table: &TableName, stage: TableStage) -> Result<(), Fault> {
        self.inner.set_stage(table, stage).await
    }

    async fn choose(&self, choice: &Choice) -> Result<(), Fault> {
        self.inner.choose(choice).await
    }

    async fn forget_choices(&self, table: &TableName) -> Result<(), Fault> {
        let forget = self.inner.state.forget_choices(table);
        self.inner.write_state(&[forget]).await.map(drop)
    }

    async fn stop_table(&self, fault: &Fault, position: &Position) -> Result<(), Fault> {
        self.inner.stop_table(fault, position).await
    }

    async fn create_database(&self, database: &DatabaseDefinition) -> Result<(), Fault> {
        self.inner.create_database(database).await
    }

    async fn ensure_database(&self, database: &DatabaseDefinition) -> Result<(), Fault> {
        self.inner.ensure_database(database).await
    }

    async fn forget_database(&self, name: &str) -> Result<(), Fault> {
        self.inner.forget_database(name).await
    }

    async fn create_table(&self, table: &Table, defer_indexes: bool) -> Result<(), Fault> {
        self.inner.create_table(table, defer_indexes).await
    }

    async fn chunks(&self, table: &TableName) -> Result<Vec<Chunk>, Fault> {
        self.inner.chunks(table).await
    }

    async fn plan_chunk(&self, table: &TableName, chunk: &Chunk) -> Result<(), Fault> {
        self.inner.plan_chunk(table, chunk).await
    }

    async fn load_chunk(
        &self,
        table: &Table,
        chunk: &Chunk,
        rows: RowReceiver,
    ) -> Result<LoadOutcome, Fault> {
        self.inner.load_chunk(table, chunk, rows).await
    }

    async fn load_chunk_careful(
        &self,
        table: &Table,
        chunk: &Chunk,
        rows: RowReceiver,
    ) -> Result<LoadOutcome, Fault> {
        self.inner.load_chunk_careful(table, chunk, rows).await
    }

    async fn empty_tables(&self, tables: &[Table]) -> Result<(), Fault> {
        self.inner.empty_tables(tables).await
    }

    async fn load_exact(&self, table: &Table, rows: RowReceiver) -> Result<LoadOutcome, Fault> {
        self.inner.load_exact(table, rows).await
    }

    async fn finish_exact(&self, states: &[TableState]) -> Result<(), Fault> {
        self.inner.finish_exact(states).await
    }

    async fn add_indexes(&self, table: &Table) -> Result<(), Fault> {
        self.inner.add_indexes(table).await
    }

    async fn add_foreign_keys(&self, table: &Table) -> Result<(), Fault> {
        self.inner.add_foreign_keys(table).await
    }

    async fn owed(&self) -> Result<Vec<Owed>, Fault> {
        self.inner.owed().await
    }

    async fn apply(
        &self,
        _worker: usize,
        changes: &[Change],
        mode: ApplyMode,
    ) -> Result<ApplyOutcome, Fault> {
        self.inner.apply(changes, mode).await
    }

    async fn open_commit(&self, mode: ApplyMode) -> Result<Box<dyn GroupCommit>, Fault> {
        let group = commit::open(Arc::clone(&self.inner), mode).await?;
        Ok(Box::new(group))
    }

    async fn run_ddl(
        &self,
        ddl: &Ddl,
        before: &Checkpoint,
        after: &Checkpoint,
        selection: &SelectSpec,
    ) -> Result<Vec<DdlEffect>, Fault> {
        self.inner.run_ddl(ddl, before, after, selection).await
    }

    async fn precheck_objects(
        &self,
        objects: &[SchemaObject],
        selection: &SelectSpec,
        schema: &SchemaSpec,
    ) -> Result<Vec<CheckItem>, Fault> {
        let inner = &self.inner;
        inner.precheck_objects(objects, selection, schema).await
    }

    async fn sync_objects(
        &self,
        objects: &[SchemaObject],
        selection: &SelectSpec,
        schema: &SchemaSpec,
    ) -> Result<ObjectReport, Fault> {
        self.inner.sync_objects(objects, selection, schema).await
    }

    async fn release_objects(&self, schema: &SchemaSpec) -> Result<ObjectReport, Fault> {
        self.inner.release_objects(schema).await
    }

    async fn sync_accounts(
        &self,
        accounts: &[Account],
        step: AccountStep,
    ) -> Result<AccountReport, Fault> {
        self.inner.sync_accounts(accounts, step).await
    }

    async fn release_accounts(&self) -> Result<(), Fault> {
        self.inner.release_accounts().await
    }

    async fn object_diff(
        &self,
        objects: &[SchemaObject],
        selection: &SelectSpec,
        schema: &SchemaSpec,
    ) -> Result<Vec<SchemaDifference>, Fault> {
        self.inner.object_diff(objects, selection, schema).await
    }

    fn lane(&self) -> Arc<dyn Target> {
        let state = self.inner.state.of_lane();
        Arc::new(MysqlTarget::seen_by(state, Arc::clone(&self.inner.shared)))
    }

    async fn open_lane(
        &self,
        states: &[TableState],
        checkpoint: &Checkpoint,
        end: Option<&Position>,
    ) -> Result<(), Fault> {
        self.inner.open_lane(states, checkpoint, end).await
    }

    async fn join_lane(&self, at: &Position) -> Result<(), Fault> {
        self.inner.join_lane(at).await
    }

    async fn begin_leaving(&self) -> Result<(), Fault> {
        self.inner.begin_leaving().await
    }

    async fn settle(&self) -> Result<(), Fault> {
        self.inner.settle().await
    }

    async fn is_changing_definitions(&self) -> Result<bool, Fault> {
        self.inner.is_changing_definitions().await
    }

    async fn put_progress(&self, progress: &str) -> Result<(), Fault> {
        self.inner.put_progress(progress).await
    }

    async fn progress(&self) -> Result<Option<(u64, String)>, Fault> {
        self.inner.progress().await
    }

    async fn raise_auto_increment(&self, table: &TableName, next: u64) -> Result<(), Fault> {
        self.inner.raise_auto_increment(table, next).await
    }

    async fn fence(&self) -> Result<(), Fault> {
        self.inner.fence().await
    }

    async fn schema_diff(
        &self,
        databases: &[DatabaseDefinition],
        tables: &[Table],
    ) -> Result<Vec<SchemaDifference>, Fault> {
        self.inner.schema_diff(databases, tables).await
    }

    async fn rule_changes(&self) -> Result<Vec<RuleChange>, Fault> {
        self.inner.rule_changes().await
    }

    async fn losses(&self) -> Result<Vec<Loss>, Fault> {
        self.inner.losses().await
    }

    async fn read_exact(&self, table: &Table, rows: &RowSender) -> Result<Checkpoint, Fault> {
        self.inner.read_exact(table, rows).await
    }

    fn unanswered(&self, seconds: u64) -> Vec<Unanswered> {
        self.inner.activity.unanswered(seconds)
    }
}
