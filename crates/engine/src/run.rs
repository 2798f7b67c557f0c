//! A task through its phases: the one runner.

use crate::cutover::{self, Cutover, CutoverReport};
use crate::heartbeat::Heartbeat;
use crate::lane::{self, LaneOptions};
use crate::load::Load;
use crate::objects::ObjectSync;
use crate::pipe::Budget;
use crate::plan::{plan, plan_without_load};
use crate::policy::{cancelled, retry};
use crate::ports::{Catalog, Source, Target};
use crate::progress::{Board, publish_forever};
use crate::schema;
use crate::state::{Checkpoint, ChoiceAction, StoredTask, TableStage, TableState};
use crate::stream::{Role, Stream};
use crate::verify::Verify;
use crate::verify::report::VerifyReport;
use std::future::Future;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;
use wherry_model::task::{CutoverSpec, HeartbeatSpec, Phases, SchemaSpec, SelectSpec};
use wherry_model::{
    CheckItem, Class, Fault, Loss, Phase, Position, RuleChange, TableName, Verdict,
};

/// Share of the memory limit that rows under way may take; the rest is buffers and statements.
const BUDGET_SHARE: u64 = 6;

/// Prechecks in a row that definition changes may spoil.
const PRECHECK_COUNT_MAX: usize = 20;

#[derive(Debug, Clone)]
pub struct RunOptions {
    pub task: String,
    pub selection: SelectSpec,
    pub readers: usize,
    pub writers: usize,
    pub workers: usize,
    pub defer_indexes: bool,
    pub schema: SchemaSpec,
    /// Bytes of memory for the whole process.
    pub memory: u64,
    pub cutover: CutoverSpec,
    /// Nothing is ever written to the source where this is `None`.
    pub heartbeat: Option<HeartbeatSpec>,
}

/// Runs a task. One engine for the command line and every later front.
pub struct Runner {
    source: Arc<dyn Source>,
    target: Arc<dyn Target>,
    options: RunOptions,
    board: Arc<Board>,
    budget: Budget,
}

/// Up to which phase to go.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Until {
    /// Tables exist in the target.
    Schema,
    /// Every row is in.
    Load,
    /// Stream until cancelled.
    Stream,
    /// Stream, then cut over.
    Cutover,
}

/// How a run ended.
#[derive(Debug)]
pub enum Outcome {
    /// The asked phase is done.
    Reached(Phase),
    CutOver(Box<CutoverReport>),
}

impl Runner {
    pub fn new(source: Arc<dyn Source>, target: Arc<dyn Target>, options: RunOptions) -> Runner {
        let board = Board::new(&options.task);
        let budget = Budget::new(options.memory / BUDGET_SHARE);
        Runner {
            source,
            target,
            options,
            board,
            budget,
        }
    }

    pub fn board(&self) -> &Arc<Board> {
        &self.board
    }

    /// Checks both ends; touches nothing. What fails is checked again where definitions changed
    /// meanwhile: tables that were read one after the other may never have been together.
    pub async fn precheck(&self) -> Result<Vec<CheckItem>, Fault> {
        self.board.phase(Phase::Precheck.as_str());
        for _ in 1..PRECHECK_COUNT_MAX {
            let begun = self.source.end().await;
            let checked = self.check_once().await;
            let failed = checked.as_ref().map_or(true, |items| any_failed(items));
            let Ok(begun) = begun else {
                return checked;
            };
            if !failed || !self.definitions_changed(&begun).await {
                return checked;
            }
            tracing::info!("definitions changed during the precheck; checking again");
        }
        self.check_once().await
    }

    async fn definitions_changed(&self, since: &Position) -> bool {
        let selection = &self.options.selection;
        let changed = async {
            let end = self.source.end().await?;
            self.source.ddl_between(since, &end, selection).await
        };
        // A source that cannot be asked has failed the check for another reason.
        changed.await.is_ok_and(|changes| !changes.is_empty())
    }

    async fn check_once(&self) -> Result<Vec<CheckItem>, Fault> {
        let selection = &self.options.selection;
        let mut items = self.source.precheck(selection).await?;
        if let Some(heartbeat) = self.heartbeat() {
            let database = &heartbeat.spec.database;
            items.push(self.source.check_heartbeat(database).await);
        }
        let failed = any_failed(&items);
        let catalog = self.source.catalog(selection).await;
        let catalog = match catalog.and_then(Catalog::whole) {
            Ok(catalog) => catalog,
            // The source's own items already say why its catalog cannot be read.
            Err(_) if failed => Catalog::default(),
            Err(fault) => return self.without_catalog(items, fault).await,
        };
        let of_target = self.target.precheck(selection, &catalog).await?;
        let failed = failed || any_failed(&of_target);
        items.extend(of_target);
        if !failed {
            // Objects are tried out in the target, so it must be known to be fit for that.
            let objects = self.source.objects(selection).await?;
            let schema = &self.options.schema;
            let tried = self.target.precheck_objects(&objects, selection, schema);
            items.extend(tried.await?);
            items.extend(self.objects().account_item().await?);
        }
        Ok(items)
    }

    /// The names of tables need the target: where it fails its own checks, those say why.
    async fn without_catalog(
        &self,
        mut items: Vec<CheckItem>,
        fault: Fault,
    ) -> Result<Vec<CheckItem>, Fault> {
        let nothing = Catalog::default();
        let selection = &self.options.selection;
        items.extend(self.target.precheck(selection, &nothing).await?);
        if any_failed(&items) {
            return Ok(items);
        }
        Err(fault)
    }

    /// Takes the task over and goes through its phases up to `until`.
    ///
    /// Errors: class `Fenced` when another runner has it or it is cut over; `RUN-130` when
    /// cancelled; whatever a phase says.
    /// Cancel: stops at a checkpoint; the same call later goes on.
    pub async fn run(&self, until: Until, cancel: &CancellationToken) -> Result<Outcome, Fault> {
        if let Some(outcome) = self.begin(until).await? {
            return Ok(outcome);
        }
        let _publishing = Owned(tokio::spawn(publish_forever(
            Arc::clone(&self.board),
            Arc::clone(&self.target),
        )));
        let reached = retry("the task", &self.board, cancel, || {
            self.advance(until, cancel)
        })
        .await;
        self.board.publish();
        let text = serde_json::to_string(&self.board.snapshot()).unwrap_or_default();
        if reached
            .as_ref()
            .err()
            .is_none_or(|fault| fault.class != Class::Fenced)
        {
            let _ = tokio::time::timeout(LAST_WORD, self.target.put_progress(&text)).await;
        }
        reached
    }

    /// What flavour rules changed when the task's databases and tables were made.
    pub async fn rule_changes(&self) -> Result<Vec<RuleChange>, Fault> {
        self.target.rule_changes().await
    }

    /// What the target does not have of the source; needs the target alone.
    pub async fn losses(&self) -> Result<Vec<Loss>, Fault> {
        self.target.losses().await
    }

    /// Compares both sides; takes nothing.
    pub async fn verify(&self, cancel: &CancellationToken) -> Result<VerifyReport, Fault> {
        self.board.phase("verify");
        let verify = self.verifier();
        let compare = retry("the verification", &self.board, cancel, || verify.full());
        tokio::select! {
            report = compare => report,
            () = cancel.cancelled() => Err(cancelled()),
        }
    }

    /// Has tables loaded anew, beside the stream of the next run. Returns all that will be.
    pub async fn resync(&self, tables: &[TableName]) -> Result<Vec<TableName>, Fault> {
        lane::resync(self.target.as_ref(), &self.options.selection, tables).await
    }

    /// Has paused tables go on from where they are. Returns all that will.
    pub async fn retry(&self, tables: &[TableName]) -> Result<Vec<TableName>, Fault> {
        lane::retry(self.target.as_ref(), tables).await
    }

    /// Has a paused table go on with something else in the place of the statement that paused it.
    pub async fn choose(&self, table: &TableName, action: ChoiceAction) -> Result<(), Fault> {
        let (source, target) = (self.source.as_ref(), self.target.as_ref());
        lane::choose(source, target, &self.options.selection, table, action).await
    }

    /// Prechecks a new task, refuses a finished or foreign one, and claims it.
    async fn begin(&self, until: Until) -> Result<Option<Outcome>, Fault> {
        let phases = self.options.selection.phases;
        if until == Until::Cutover && !phases.is_whole() {
            return Err(not_whole(phases));
        }
        let stored = self.target.stored().await?;
        self.check_same_phases(stored.as_ref()).await?;
        match &stored {
            None => self.check_new_task().await?,
            Some(task) if task.phase == Phase::Precheck => self.check_new_task().await?,
            Some(task) if task.phase == Phase::Cutover && until == Until::Cutover => {
                // Behind the fence there is only forward.
                cutover::finish(self.target.as_ref(), &self.board, &self.options.schema).await?;
                return Ok(Some(Outcome::Reached(Phase::Done)));
            }
            Some(task) if task.phase >= Phase::Cutover => return Err(cut_over()),
            Some(task) => self.check_same_source(task).await?,
        }
        self.target.claim().await?;
        if stored.is_none() {
            let source_id = self.source.identity().await?;
            self.target.create_task(&source_id).await?;
        }
        if stored.is_none_or(|task| task.phase == Phase::Precheck) {
            self.target.put_phases(&phases.to_string()).await?;
        }
        Ok(None)
    }

    /// What was left out cannot be made up for later: a stream that has begun has passed the place
    /// at which a load would have to begin.
    async fn check_same_phases(&self, stored: Option<&StoredTask>) -> Result<(), Fault> {
        if stored.is_none_or(|task| task.phase == Phase::Precheck) {
            return Ok(());
        }
        let all = Phases::default().to_string();
        let before = self.target.phases().await?.unwrap_or(all);
        let now = self.options.selection.phases.to_string();
        if before == now {
            return Ok(());
        }
        Err(Fault::operator(
            "RUN-006",
            format!("the task began with the phases {before}, and is to go on with {now}"),
        )
        .hint("Give it the phases that it began with, or begin a new task with another name."))
    }

    async fn check_new_task(&self) -> Result<(), Fault> {
        let items = self.precheck().await?;
        let failed: Vec<&CheckItem> = items
            .iter()
            .filter(|item| item.verdict == Verdict::Fail)
            .collect();
        for item in items.iter().filter(|item| item.verdict == Verdict::Warn) {
            tracing::warn!(check = item.id, fix = %item.fix, "{}", item.evidence);
        }
        let Some(first) = failed.first() else {
            return Ok(());
        };
        let all: Vec<String> = failed
            .iter()
            .map(|item| format!("{}: {}", item.id, item.evidence))
            .collect();
        Err(Fault::operator(
            "RUN-001",
            format!("the precheck failed: {}", all.join("; ")),
        )
        .hint(format!("{} `wherry precheck` lists every item.", first.fix)))
    }

    async fn check_same_source(&self, task: &StoredTask) -> Result<(), Fault> {
        let source_id = self.source.identity().await?;
        if source_id == task.source_id {
            return Ok(());
        }
        Err(Fault::operator(
            "RUN-002",
            "the source is another server than the one this task began with",
        )
        .hint("Point the task at its own source, or begin a new task with another name."))
    }

    /// Goes from the stored phase to `until`, one phase after the other.
    async fn advance(&self, until: Until, cancel: &CancellationToken) -> Result<Outcome, Fault> {
        loop {
            let task = self.target.stored().await?.ok_or_else(no_task)?;
            self.board.show_stored(&task);
            match task.phase {
                Phase::Precheck => self.plan_phase(&task, cancel).await?,
                Phase::Schema => self.schema_phase(&task, cancel).await?,
                Phase::Load if until == Until::Schema || self.ends_with_schema() => {
                    return Ok(Outcome::Reached(Phase::Schema));
                }
                Phase::Load if self.loads() => self.load_phase(cancel).await?,
                Phase::Load => self.change_phase(Phase::Load, Phase::Stream).await?,
                Phase::Stream if until < Until::Stream && self.streams() => {
                    return Ok(Outcome::Reached(Phase::Load));
                }
                Phase::Stream if until == Until::Cutover => {
                    let report = self.cutover().run(cancel).await?;
                    return Ok(Outcome::CutOver(Box::new(report)));
                }
                Phase::Stream if !self.streams() => {
                    self.replay(&task, cancel).await?;
                    return Ok(Outcome::Reached(Phase::Load));
                }
                Phase::Stream => {
                    self.board.phase(Phase::Stream.as_str());
                    let (_never_stops, stop_at) = watch::channel(None);
                    let beating = self.heartbeat().map(|beat| beat.begin(cancel));
                    let streamed = self.stream().run(stop_at, cancel).await;
                    if let Some(beating) = beating {
                        beating.end().await;
                    }
                    streamed?;
                }
                Phase::Cutover | Phase::Done => return Err(cut_over()),
            }
        }
    }

    fn loads(&self) -> bool {
        self.options.selection.phases.load
    }

    fn streams(&self) -> bool {
        self.options.selection.phases.stream
    }

    fn ends_with_schema(&self) -> bool {
        !self.loads() && !self.streams()
    }

    /// Behind a load without a stream: what changed while it ran, so that the rows are all of one
    /// moment. Done once.
    async fn replay(&self, task: &StoredTask, cancel: &CancellationToken) -> Result<(), Fault> {
        let is_done = |state: &TableState| {
            state.stopped.is_some() || (state.lane.is_none() && state.stage == TableStage::Complete)
        };
        if task.tables.iter().all(is_done) && task.has_passed_end() {
            return Ok(());
        }
        self.board.phase(Phase::Stream.as_str());
        let (_never_stops, stop_at) = watch::channel(None);
        let stream = Stream {
            only_to_end: true,
            ..self.stream()
        };
        stream.run(stop_at, cancel).await.map(drop)
    }

    /// Reads start and catalog and stores the plan. Repeated from its beginning after a crash.
    async fn plan_phase(&self, task: &StoredTask, cancel: &CancellationToken) -> Result<(), Fault> {
        self.board.phase("plan");
        let (source, selection) = (self.source.as_ref(), &self.options.selection);
        let plan = match self.loads() {
            true => stoppable(cancel, plan(source, selection)).await?.whole()?,
            false => stoppable(cancel, plan_without_load(source, selection)).await?,
        };
        self.target
            .set_checkpoint(&Checkpoint::at(plan.start.clone()))
            .await?;
        if !self.loads() {
            // Up to here the plan knows every definition, and there is no load to wait for.
            self.target.set_end(&plan.scanned_to).await?;
        }
        let mut states = plan.states();
        self.target
            .adopt(&self.options.selection, &mut states)
            .await?;
        for old in &task.tables {
            if !states
                .iter()
                .any(|state| state.table.name == old.table.name)
            {
                self.target.drop_table(&old.table.name).await?;
            }
        }
        for state in &states {
            self.target.plan_table(state).await?;
        }
        // Their defaults belong to the place of the plan, as columns do: what is made behind it takes
        // them from there.
        if selection.phases.schema {
            for database in &plan.catalog.databases {
                self.target.create_database(database).await?;
            }
        }
        self.change_phase(Phase::Precheck, Phase::Schema).await
    }

    async fn schema_phase(
        &self,
        task: &StoredTask,
        cancel: &CancellationToken,
    ) -> Result<(), Fault> {
        self.board.phase(Phase::Schema.as_str());
        let phases = self.options.selection.phases;
        let (target, board) = (self.target.as_ref(), &self.board);
        let defer = self.options.defer_indexes && phases.load;
        let create = schema::create_tables(target, board, &task.tables, defer);
        let refused = stoppable(cancel, create).await?;
        schema::stop_refused(target, board, &refused).await?;
        if !phases.load {
            stoppable(cancel, schema::complete(target, board)).await?;
            stoppable(cancel, self.objects().sync_if_possible()).await?;
        }
        self.change_phase(Phase::Schema, Phase::Load).await
    }

    async fn load_phase(&self, cancel: &CancellationToken) -> Result<(), Fault> {
        self.board.phase(Phase::Load.as_str());
        let end = self.load().run(cancel).await?;
        self.target.set_end(&end).await?;
        stoppable(cancel, self.objects().sync_if_possible()).await?;
        self.change_phase(Phase::Load, Phase::Stream).await
    }

    async fn change_phase(&self, from: Phase, to: Phase) -> Result<(), Fault> {
        assert!(from.may_become(to), "phases go forward one at a time");
        self.target.set_phase(from, to).await
    }

    fn load(&self) -> Load {
        Load {
            source: Arc::clone(&self.source),
            target: Arc::clone(&self.target),
            board: Arc::clone(&self.board),
            budget: self.budget.clone(),
            selection: self.options.selection.clone(),
            job_count: self.options.readers.min(self.options.writers).max(1),
            defer_indexes: self.options.defer_indexes,
            beside: None,
        }
    }

    /// Of a task that streams.
    fn heartbeat(&self) -> Option<Heartbeat> {
        let spec = self.options.heartbeat.clone()?;
        self.streams().then(|| Heartbeat {
            source: Arc::clone(&self.source),
            board: Arc::clone(&self.board),
            spec,
            task: self.options.task.clone(),
        })
    }

    fn objects(&self) -> ObjectSync {
        ObjectSync {
            source: Arc::clone(&self.source),
            target: Arc::clone(&self.target),
            board: Arc::clone(&self.board),
            selection: self.options.selection.clone(),
            schema: self.options.schema.clone(),
        }
    }

    fn stream(&self) -> Stream {
        Stream {
            source: Arc::clone(&self.source),
            target: Arc::clone(&self.target),
            board: Arc::clone(&self.board),
            budget: self.budget.clone(),
            selection: self.options.selection.clone(),
            worker_count: self.options.workers.max(1),
            objects: self.objects(),
            only_to_end: false,
            role: Role::Main(LaneOptions {
                job_count: self.options.readers.min(self.options.writers).max(1),
                defer_indexes: self.options.defer_indexes,
            }),
        }
    }

    fn verifier(&self) -> Verify {
        Verify {
            source: Arc::clone(&self.source),
            target: Arc::clone(&self.target),
            board: Arc::clone(&self.board),
            budget: self.budget.clone(),
            selection: self.options.selection.clone(),
            objects: self.objects(),
        }
    }

    fn cutover(&self) -> Cutover {
        Cutover {
            source: Arc::clone(&self.source),
            target: Arc::clone(&self.target),
            board: Arc::clone(&self.board),
            stream: self.stream(),
            verify: self.verifier(),
            objects: self.objects(),
            spec: self.options.cutover.clone(),
            heartbeat: self.heartbeat(),
        }
    }
}

/// How long the last line of progress may take to be stored.
const LAST_WORD: Duration = Duration::from_secs(2);

/// A spawned task that ends with its handle.
struct Owned(JoinHandle<()>);

impl Drop for Owned {
    fn drop(&mut self) {
        self.0.abort();
    }
}

async fn stoppable<T>(
    cancel: &CancellationToken,
    work: impl Future<Output = Result<T, Fault>>,
) -> Result<T, Fault> {
    tokio::select! {
        result = work => result,
        () = cancel.cancelled() => Err(cancelled()),
    }
}

fn any_failed(items: &[CheckItem]) -> bool {
    items.iter().any(|item| item.verdict == Verdict::Fail)
}

fn cut_over() -> Fault {
    Fault::new(
        "RUN-005",
        Class::Fenced,
        "the task is cut over; the target takes the writes now",
    )
    .hint("Nothing is left to do; to move data again, begin a new task with another name.")
}

fn not_whole(phases: Phases) -> Fault {
    Fault::operator(
        "CUT-013",
        format!("a task with the phases {phases} alone does not bring every row, so nothing can take over from the source"),
    )
    .hint("Begin a new task with another name that loads too.")
}

fn no_task() -> Fault {
    Fault::bug(
        "RUN-004",
        "the task vanished from the target after it was claimed",
    )
}
