//! Cutover: from a running stream to a target that takes the writes.
//!
//! Steps before the fence write only data and counters, and a failure there leaves the source
//! usable; steps after it only go forward. Wherry's own writes to the source end before anyone else's.

use crate::heartbeat::{Beating, Heartbeat};
use crate::objects::ObjectSync;
use crate::policy::cancelled;
use crate::ports::{Source, Target};
use crate::progress::Board;
use crate::state::StoredTask;
use crate::stream::Stream;
use crate::verify::Verify;
use crate::verify::report::VerifyReport;
use std::process::Stdio;
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;
use wherry_model::task::{CutoverSpec, SchemaSpec, StopWrites};
use wherry_model::{AccountChoice, Class, Fault, Phase, Position};

/// Lag above which a cutover does not begin to stop writes.
const LAG_MAX_SECONDS: u64 = 5;
/// How long the lag may take to fall below it.
const LAG_WAIT_MAX: Duration = Duration::from_secs(60 * 60);
/// Times that the end may move after writes were stopped.
const STRAGGLER_ROUND_COUNT_MAX: usize = 20;
/// With `stop_writes: wait` the source counts as quiet after this long without a change.
const QUIET: Duration = Duration::from_secs(3);
const QUIET_WAIT_MAX: Duration = Duration::from_secs(60 * 60);
const COMMAND_TIME_MAX: Duration = Duration::from_secs(300);
/// Syncs of objects before one that is missing is no matter of lag.
const OBJECT_ROUND_COUNT_MAX: usize = 3;
const POLL: Duration = Duration::from_millis(50);

/// What a cutover works with.
pub struct Cutover {
    pub source: Arc<dyn Source>,
    pub target: Arc<dyn Target>,
    pub board: Arc<Board>,
    pub stream: Stream,
    pub verify: Verify,
    pub objects: ObjectSync,
    pub spec: CutoverSpec,
    pub heartbeat: Option<Heartbeat>,
}

/// What a cutover did.
#[derive(Debug)]
pub struct CutoverReport {
    /// From the return of `stop_writes` to the fence.
    pub writes_stopped: Duration,
    pub end: Position,
    /// The full comparison before writes were stopped.
    pub full: VerifyReport,
    /// The comparison of everything that changed since.
    pub changed: VerifyReport,
}

impl Cutover {
    /// Runs the steps up to the fence and behind it.
    ///
    /// Errors: `CUT-00x` before the fence, with the source left or made usable again.
    pub async fn run(&self, cancel: &CancellationToken) -> Result<CutoverReport, Fault> {
        let (stop_at, stop_receiver) = watch::channel(None);
        let streaming = Streaming::spawn(self.stream.clone(), stop_receiver, cancel);
        let beating = self.heartbeat.as_ref().map(|beat| beat.begin(cancel));
        let steps = self.until_fence(&streaming, &stop_at, beating);
        let report = tokio::select! {
            report = steps => report?,
            () = cancel.cancelled() => return Err(cancelled()),
        };
        finish(self.target.as_ref(), &self.board, &self.objects.schema).await?;
        Ok(report)
    }

    async fn until_fence(
        &self,
        streaming: &Streaming,
        stop_at: &watch::Sender<Option<Position>>,
        beating: Option<Beating>,
    ) -> Result<CutoverReport, Fault> {
        self.gate().await?;
        self.wait_for_small_lag(streaming).await?;
        self.board.phase("verify");
        let since = self.source.end().await?;
        // Found here, a missing object costs no pause of writes.
        streaming.beside(self.complete_objects()).await?;
        streaming.beside(self.objects.make_accounts()).await?;
        let full = streaming.beside(self.verify.full()).await?;
        if !full.is_clean() {
            return Err(differences(&full));
        }
        self.board.phase("cutover");
        if let Some(beating) = beating {
            beating.stop().await?;
        }
        self.stop_writes().await?;
        let stopped_at = Instant::now();
        let result = self.drain_and_fence(streaming, stop_at, &since).await;
        match result {
            Ok((end, changed)) => Ok(CutoverReport {
                writes_stopped: stopped_at.elapsed(),
                end,
                full,
                changed,
            }),
            Err(fault) => Err(self.reopen(fault).await),
        }
    }

    /// What must hold before anyone stops writing.
    async fn gate(&self) -> Result<(), Fault> {
        let task = self.task().await?;
        if task.phase != Phase::Stream {
            return Err(Fault::operator(
                "CUT-001",
                format!("the task is in phase {}", task.phase.as_str()),
            )
            .hint("Let `wherry run` reach the phase stream first."));
        }
        let stopped: Vec<String> = task
            .tables
            .iter()
            .filter(|state| state.is_in_trouble())
            .map(|state| state.table.name.to_string())
            .collect();
        if !stopped.is_empty() {
            return Err(Fault::operator(
                "CUT-002",
                format!("tables are stopped: {}", stopped.join(", ")),
            )
            .hint("`wherry status` tells why; a task with stopped tables cannot cut over."));
        }
        let beside: Vec<String> = task
            .tables
            .iter()
            .filter(|state| state.lane.is_some())
            .map(|state| state.table.name.to_string())
            .collect();
        if !beside.is_empty() {
            return Err(Fault::operator(
                "LAN-002",
                format!("tables are loaded beside the stream: {}", beside.join(", ")),
            )
            .hint(
                "Let `wherry run` go on until `wherry status` shows none, then cut over again.",
            ));
        }
        self.no_prepared_xa().await
    }

    async fn no_prepared_xa(&self) -> Result<(), Fault> {
        match self.source.prepared_xa().await? {
            Some(names) if !names.is_empty() => Err(Fault::operator(
                "CUT-003",
                format!("{} XA transactions are prepared", names.len()),
            )
            .hint("Commit or roll back what XA RECOVER lists at the source, then cut over again.")),
            _ => Ok(()),
        }
    }

    async fn wait_for_small_lag(&self, streaming: &Streaming) -> Result<(), Fault> {
        let lag_max = self.spec.lag_max_seconds.map_or(LAG_MAX_SECONDS, u64::from);
        self.board
            .message(format!("waiting for a lag of at most {lag_max} s"));
        let begin = Instant::now();
        while begin.elapsed() < LAG_WAIT_MAX {
            streaming.check()?;
            let task = self.task().await?;
            let passed = task.has_passed_end();
            if passed && self.board.lag_seconds().is_some_and(|lag| lag <= lag_max) {
                return Ok(());
            }
            tokio::time::sleep(POLL).await;
        }
        Err(
            Fault::operator("CUT-004", "the lag did not fall below its bound")
                .hint("Give the stream more workers or cut over at a quieter time."),
        )
    }

    async fn drain_and_fence(
        &self,
        streaming: &Streaming,
        stop_at: &watch::Sender<Option<Position>>,
        since: &Position,
    ) -> Result<(Position, VerifyReport), Fault> {
        for _ in 0..STRAGGLER_ROUND_COUNT_MAX {
            let end = self.source.end().await?;
            streaming.beside(self.drained(&end)).await?;
            let changed = streaming.beside(self.changed(since, &end)).await?;
            if !changed.is_equal() {
                return Err(differences(&changed));
            }
            self.no_prepared_xa().await?;
            self.raise_counters().await?;
            streaming.beside(self.complete_objects()).await?;
            if self.source.end().await?.reaches(&end) && end.reaches(&self.source.end().await?) {
                stop_at.send_replace(Some(end.clone()));
                streaming.finished().await?;
                // A statement met since the first look may have stopped a table.
                self.gate().await?;
                self.target.fence().await?;
                return Ok((end, changed));
            }
            tracing::warn!("the source was written to after its writes were stopped");
        }
        Err(Fault::operator(
            "CUT-005",
            "the source was still written to after its writes were stopped",
        )
        .hint("End the sessions that still write to the source, then cut over again."))
    }

    /// Everything that the source has in order is in the target. What is missing may only wait for
    /// the stream, as long as the source is written to.
    async fn complete_objects(&self) -> Result<(), Fault> {
        let mut round = 1;
        loop {
            self.drained(&self.source.end().await?).await?;
            match self.objects.complete().await {
                Ok(_) => return Ok(()),
                Err(fault) if fault.class == Class::Operator && round < OBJECT_ROUND_COUNT_MAX => {
                    round += 1;
                }
                Err(fault) => return Err(fault),
            }
        }
    }

    /// What changed since the full comparison: rows, and definitions where the source had a DDL.
    async fn changed(&self, since: &Position, end: &Position) -> Result<VerifyReport, Fault> {
        let mut report = self.verify.changed(since, end).await?;
        let selection = &self.verify.selection;
        if !self
            .source
            .ddl_between(since, end, selection)
            .await?
            .is_empty()
        {
            report.schema = self.verify.definitions().await?;
        }
        Ok(report)
    }

    async fn drained(&self, end: &Position) -> Result<(), Fault> {
        loop {
            let task = self.task().await?;
            if task
                .checkpoint
                .is_some_and(|checkpoint| checkpoint.applied_to.reaches(end))
            {
                return Ok(());
            }
            tokio::time::sleep(POLL / 5).await;
        }
    }

    async fn raise_counters(&self) -> Result<(), Fault> {
        let task = self.task().await?;
        for state in task.tables.iter().filter(|state| state.is_followed()) {
            if !state
                .table
                .columns
                .iter()
                .any(|column| column.auto_increment)
            {
                continue;
            }
            if let Some(next) = self.source.auto_increment(&state.table.name).await? {
                self.target
                    .raise_auto_increment(&state.table.name, next)
                    .await?;
            }
        }
        Ok(())
    }

    async fn stop_writes(&self) -> Result<(), Fault> {
        match &self.spec.stop_writes {
            StopWrites::Wait => self.wait_until_quiet().await,
            StopWrites::Command(command) => {
                self.board.message("running the command that stops writes");
                run_command(command).await
            }
            StopWrites::ReadOnly => {
                self.board.message("setting the source read-only");
                self.source.set_read_only(true).await
            }
        }
    }

    async fn wait_until_quiet(&self) -> Result<(), Fault> {
        self.board
            .message("stop the writes to the source now; waiting until it is quiet");
        let begin = Instant::now();
        let mut last = self.source.end().await?;
        let mut quiet_since = Instant::now();
        while begin.elapsed() < QUIET_WAIT_MAX {
            tokio::time::sleep(POLL).await;
            let now = self.source.end().await?;
            if now.compare(&last).is_ne() {
                last = now;
                quiet_since = Instant::now();
            } else if quiet_since.elapsed() >= QUIET {
                return Ok(());
            }
        }
        Err(Fault::operator("CUT-006", "the source never became quiet")
            .hint("Stop the applications that write to it, then cut over again."))
    }

    /// Makes the source usable again after a failure before the fence.
    async fn reopen(&self, fault: Fault) -> Fault {
        if self.spec.stop_writes == StopWrites::ReadOnly {
            return match self.source.set_read_only(false).await {
                Ok(()) => fault,
                Err(reopening) => Fault::operator("CUT-007", "the cutover failed and the source could not be reopened")
                    .hint("Run SET GLOBAL super_read_only = OFF, read_only = OFF at the source; then see the cause.")
                    .cause(reopening),
            };
        }
        tracing::warn!(
            "the cutover failed before its point of no return; writes to the source may go on"
        );
        fault
    }

    async fn task(&self) -> Result<StoredTask, Fault> {
        self.target
            .stored()
            .await?
            .ok_or_else(|| Fault::bug("CUT-008", "the task has no stored state"))
    }
}

/// The steps behind the fence; repeatable, only forward. They need the target alone.
pub async fn finish(target: &dyn Target, board: &Board, schema: &SchemaSpec) -> Result<(), Fault> {
    board.message("making triggers and enabling events");
    let report = target.release_objects(schema).await?;
    let troubles: Vec<String> = report
        .troubles
        .iter()
        .map(|trouble| format!("{}: {}", trouble.object, trouble.reason))
        .collect();
    if !troubles.is_empty() {
        return Err(Fault::operator(
            "OBJ-002",
            format!(
                "the fence is set, and these could not be made behind it: {}",
                troubles.join("; ")
            ),
        )
        .hint("Mend what the reason names, then run `wherry cutover` again: it goes on with what is missing. The target must not take writes yet."));
    }
    if schema.accounts != AccountChoice::None {
        target.release_accounts().await?;
    }
    target.set_phase(Phase::Cutover, Phase::Done).await?;
    board.phase(Phase::Done.as_str());
    Ok(())
}

fn differences(report: &VerifyReport) -> Fault {
    let definitions = report.schema.iter().filter(|one| one.rule.is_none());
    let found = format!(
        "{} mismatches, {} unsettled keys, {} tables left out, {} differences of definitions",
        report.mismatch_count(),
        report.unsettled_count(),
        report.left_out.len(),
        definitions.count()
    );
    Fault::operator(
        DIFFERENCES,
        format!("source and target are not proven equal: {found}"),
    )
    .hint("Run `wherry verify` for the list; nothing was switched.")
}

/// Code of the fault that means "differences or unsettled keys".
pub const DIFFERENCES: &str = "CUT-009";

async fn run_command(command: &str) -> Result<(), Fault> {
    let mut child = tokio::process::Command::new("sh");
    child
        .arg("-c")
        .arg(command)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .kill_on_drop(true);
    let failed = |reason: String| {
        Fault::operator(
            "CUT-010",
            format!("the command of stop_writes failed: {reason}"),
        )
        .hint("Run it by hand, mend it, then cut over again; nothing was switched.")
    };
    let status = match tokio::time::timeout(COMMAND_TIME_MAX, child.status()).await {
        Err(_) => {
            return Err(failed(format!(
                "no end after {} s",
                COMMAND_TIME_MAX.as_secs()
            )));
        }
        Ok(Err(error)) => return Err(failed(error.to_string())),
        Ok(Ok(status)) => status,
    };
    if status.success() {
        Ok(())
    } else {
        Err(failed(status.to_string()))
    }
}

/// The stream beside the cutover; dropped, it ends.
struct Streaming {
    task: JoinHandle<()>,
    outcome: watch::Receiver<Option<Arc<Result<(), Fault>>>>,
}

impl Drop for Streaming {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Streaming {
    fn spawn(
        stream: Stream,
        stop_at: watch::Receiver<Option<Position>>,
        cancel: &CancellationToken,
    ) -> Streaming {
        let cancel = cancel.clone();
        let (sender, outcome) = watch::channel(None);
        let task = tokio::spawn(async move {
            let result = stream.run(stop_at, &cancel).await.map(|_| ());
            sender.send_replace(Some(Arc::new(result)));
        });
        Streaming { task, outcome }
    }

    /// Fails when the stream has ended with a fault.
    fn check(&self) -> Result<(), Fault> {
        match self.outcome.borrow().as_deref() {
            Some(Err(fault)) => Err(copy(fault)),
            Some(Ok(())) | None => Ok(()),
        }
    }

    /// Waits until the stream has reached its stop position.
    async fn finished(&self) -> Result<(), Fault> {
        let mut outcome = self.outcome.clone();
        let ended = outcome.wait_for(Option::is_some).await;
        if ended.is_err() {
            return Err(Fault::bug(
                "CUT-011",
                "the stream beside the cutover panicked",
            ));
        }
        self.check()
    }

    /// Runs `work` while the stream runs; the stream's fault ends it.
    async fn beside<T>(&self, work: impl Future<Output = Result<T, Fault>>) -> Result<T, Fault> {
        tokio::select! {
            result = work => result,
            ended = self.finished() => {
                ended?;
                Err(Fault::bug("CUT-012", "the stream ended before the cutover asked it to"))
            }
        }
    }
}

/// The same fault again, with its causes as text: a fault itself cannot be cloned.
fn copy(fault: &Fault) -> Fault {
    let causes = fault.causes().join(": ");
    let message = if causes.is_empty() {
        fault.message.clone()
    } else {
        format!("{}: {causes}", fault.message)
    };
    let mut copy = Fault::new(fault.code, fault.class, message).hint(fault.hint.clone());
    copy.scope = fault.scope.clone();
    copy
}
