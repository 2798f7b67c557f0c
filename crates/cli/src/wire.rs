//! Connects the command line to engine and driver; the only module that touches them for work.

use crate::figures::count;
use crate::plan::Found;
use crate::task::Task;
use serde::Serialize;
use std::borrow::Cow;
use std::sync::Arc;
use std::time::Instant;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;
use wherry_engine::cutover::CutoverReport;
use wherry_engine::policy;
use wherry_engine::ports::{Source, Target};
use wherry_engine::progress::{ObjectProgress, Progress};
use wherry_engine::run::{Outcome, RunOptions, Runner, Until};
use wherry_engine::state::ChoiceAction;
use wherry_engine::verify::report::{Mismatch, MismatchKind, VerifyReport, key_text};
use wherry_model::task::SelectSpec;
use wherry_model::{CheckItem, Fault, NameMap, Row, RuleChange, Table, TableName};
use wherry_mysql::ServerVersion;
use wherry_mysql::names::Names;
use wherry_mysql::session::secret::resolve;
use wherry_mysql::session::{Endpoint, Session, SessionError, SessionKind};
use wherry_mysql::source::{MysqlSource, SourceOptions};
use wherry_mysql::target::{MysqlTarget, TargetOptions};
use wherry_mysql::watch::busy_sessions;

/// How far a run goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Goal {
    Schema,
    Load,
    /// Stays in the stream until it is cancelled.
    Stream,
    /// Streams until the lag is small, cuts over and ends.
    RunAndCutover,
    /// Cuts over a task that is in the stream.
    Cutover,
}

/// How a run ended without a fault.
#[derive(Debug, Default, Serialize)]
pub struct Summary {
    /// Stopped at a checkpoint because it was cancelled.
    pub stopped: bool,
    /// The phase that the task is in now.
    pub phase: String,
    pub rows: u64,
    pub bytes: u64,
    pub transactions: u64,
    pub changes: u64,
    pub divergences: u64,
    /// Views, routines, triggers and events: made, changed by rule, and still missing.
    pub objects: ObjectProgress,
    /// Tables that are stopped, with their reasons.
    pub stopped_tables: Vec<ReportLeftOut>,
    /// Where the goal was the schema: what rules changed on the way.
    pub rule_changes: Vec<RuleChange>,
    /// After a cutover: how long writes to the source were stopped.
    pub writes_stopped_milliseconds: Option<u64>,
    /// After a cutover: what was done, in order.
    pub steps: Vec<String>,
}

/// What a comparison found. Field names are those of `--output json`.
#[derive(Debug, Default, Serialize)]
pub struct Report {
    pub tables: Vec<ReportTable>,
    /// Some of the rows that differ; `mismatch_count` counts all.
    pub mismatches: Vec<ReportRow>,
    pub mismatch_count: u64,
    pub unsettled: Vec<ReportRow>,
    pub unsettled_count: u64,
    pub schema_differences: Vec<String>,
    pub schema_explained: Vec<String>,
    pub left_out: Vec<ReportLeftOut>,
    /// Tables that are not followed because `operations` says so.
    pub left: Vec<ReportLeftOut>,
    /// What rules changed when databases and tables were made.
    pub rule_changes: Vec<RuleChange>,
    pub seconds: u64,
}

#[derive(Debug, Serialize)]
pub struct ReportTable {
    pub table: String,
    pub ranges: u64,
    pub rows: u64,
    pub bytes: u64,
    /// Rows that differ or stand only in the target, as the policy `keep` allows.
    pub kept: u64,
    /// Rows that only the source has, as the table's rule wants it.
    pub missing: u64,
    /// Rows with other values, as the table's rule wants it.
    pub different: u64,
    /// Rows of the source that the script skips (`errors: skip`) as they are now.
    pub skipped: u64,
    /// `kept`, `missing` and `different` count what `operations` or `filter_updates` leaves out.
    pub apart: bool,
    /// Columns whose values depend on the time.
    pub not_compared: Vec<String>,
}

/// One row by its key.
#[derive(Debug, Serialize)]
pub struct ReportRow {
    pub table: String,
    pub key: String,
    /// `missing`, `extra`, `different`, `multiset` or `unsettled`.
    pub kind: String,
    /// Columns that differ, where both rows exist.
    pub columns: Vec<String>,
    /// What else is known: counts of a table without a key, why a key is unsettled.
    pub detail: Option<String>,
}

#[derive(Debug, Serialize)]
pub struct ReportLeftOut {
    pub table: String,
    pub reason: String,
}

/// A statement under way in the target, without its values.
#[derive(Debug, Serialize)]
pub struct Statement {
    pub state: String,
    pub text: String,
    pub since_seconds: u64,
}

/// A task with both ends resolved; nothing is connected or taken over yet.
pub struct Job {
    runner: Runner,
}

/// Resolves the passwords of both ends and asks the source for its version.
pub async fn open(task: &Task) -> Result<Job, Fault> {
    let version = version_of(&resolve(&task.spec.source).await?).await?;
    open_with(task, version).await
}

/// As `open`, for a task whose fence is set: what is left needs the target alone, and the source
/// may be gone.
pub async fn open_behind_fence(task: &Task) -> Result<Job, Fault> {
    let version = version_of(&resolve(&task.spec.target).await?).await?;
    open_with(task, version).await
}

async fn open_with(task: &Task, source_version: ServerVersion) -> Result<Job, Fault> {
    let spec = &task.spec;
    let source = resolve(&spec.source).await?;
    let target = resolve(&spec.target).await?;
    let names = Arc::new(Names::new(&spec.select, target.clone()));
    let target = target_for(task, target, source_version, &names);
    let options = SourceOptions {
        readers: spec.load.readers,
    };
    let source: Arc<dyn Source> = Arc::new(MysqlSource::new(source, options).with_names(names));
    let options = RunOptions {
        task: task.name.clone(),
        selection: spec.select.clone(),
        readers: spec.load.readers,
        writers: spec.load.writers,
        workers: spec.stream.workers,
        defer_indexes: spec.load.defer_indexes,
        schema: spec.schema.clone(),
        memory: spec.limits.memory.0,
        cutover: spec.cutover.clone(),
        heartbeat: spec.source.heartbeat.clone(),
    };
    Ok(Job {
        runner: Runner::new(source, target, options),
    })
}

/// The target alone, for reading what is stored; takes nothing over and needs no source.
pub async fn target(task: &Task) -> Result<Arc<dyn Target>, Fault> {
    let endpoint = resolve(&task.spec.target).await?;
    // Which definitions the source has does not matter to a reader of stored state.
    let version = version_of(&endpoint).await?;
    let names = Arc::new(Names::new(&task.spec.select, endpoint.clone()));
    Ok(target_for(task, endpoint, version, &names))
}

fn target_for(
    task: &Task,
    endpoint: Endpoint,
    source_version: ServerVersion,
    names: &Arc<Names>,
) -> Arc<dyn Target> {
    let spec = &task.spec;
    let options = TargetOptions {
        task: task.name.clone(),
        state_database: spec.state.database.clone(),
        workers: spec.stream.workers,
        writers: spec.load.writers,
        source_version,
        select: spec.select.clone(),
    };
    Arc::new(MysqlTarget::with_names(
        endpoint,
        options,
        Arc::clone(names),
    ))
}

/// Why no table could have this row filter; asks no server.
pub fn filter_mistake(filter: &str) -> Option<Fault> {
    wherry_mysql::filter::check_form(filter).err()
}

/// Why no table could have this script; asks no server.
pub fn script_mistake(script: &str) -> Option<Fault> {
    wherry_mysql::script::check_form(script).err()
}

/// Why no table could have this value in an additional column; asks no server.
pub fn value_mistake(value: &str) -> Option<Fault> {
    wherry_mysql::additional::check_form(value).err()
}

/// What is there at the source and how it is called in the target; writes nothing.
pub async fn survey(task: &Task) -> Result<Found, Fault> {
    let spec = &task.spec;
    let target = resolve(&spec.target).await?;
    let names = Arc::new(Names::new(&spec.select, target));
    let options = SourceOptions {
        readers: spec.load.readers,
    };
    let source = MysqlSource::new(resolve(&spec.source).await?, options);
    let source = source.with_names(Arc::clone(&names));
    let catalog = source.catalog(&spec.select).await?;
    let objects = source.objects(&spec.select).await?;
    Ok(Found {
        catalog,
        objects,
        names: names.resolved().await?,
    })
}

/// One table as the source has it, with what the task says of it; `None` where there is none of this name.
pub async fn table(task: &Task, name: &TableName) -> Result<Option<Table>, Fault> {
    let options = SourceOptions { readers: 1 };
    let source = MysqlSource::new(resolve(&task.spec.source).await?, options);
    let selection = SelectSpec {
        include: vec![name.to_string()],
        ..SelectSpec::default()
    };
    let catalog = source.catalog(&selection).await?;
    if let Some(fault) = catalog.refused.into_iter().next() {
        return Err(fault);
    }
    let Some(mut table) = catalog.tables.into_iter().next() else {
        return Ok(None);
    };
    // How the target stores names is not asked: no script sees its names.
    if let Ok(names) = NameMap::new(&task.spec.select, false) {
        names.apply(&mut table);
    }
    wherry_mysql::additional::check(&table)?;
    Ok(Some(table))
}

/// The table as its script sees it.
pub fn for_scripts(table: &Table) -> Cow<'_, Table> {
    wherry_mysql::additional::for_scripts(table)
}

/// A row of the source with the values of additional columns.
pub fn filled(table: &Table, row: &Row) -> Result<Row, Fault> {
    wherry_mysql::additional::filled(table, row)
}

async fn version_of(endpoint: &Endpoint) -> Result<ServerVersion, Fault> {
    let session = Session::connect(endpoint, SessionKind::Control)
        .await
        .map_err(SessionError::into_fault)?;
    let version = session.version().clone();
    session.close().await;
    Ok(version)
}

/// What this account's sessions in the target are busy with, longest first.
pub async fn statements(task: &Task) -> Result<Vec<Statement>, Fault> {
    let sessions = busy_sessions(&resolve(&task.spec.target).await?).await?;
    let statement = |session: wherry_mysql::watch::BusySession| Statement {
        state: session.state,
        text: session.statement,
        since_seconds: session.since_seconds,
    };
    Ok(sessions.into_iter().map(statement).collect())
}

impl Job {
    /// Pictures of the work, about one a second.
    pub fn pictures(&self) -> watch::Receiver<Progress> {
        self.runner.board().subscribe()
    }

    /// Checks both ends; writes nothing.
    pub async fn precheck(&self) -> Result<Vec<CheckItem>, Fault> {
        self.runner.precheck().await
    }

    /// Takes the task over and works until `goal`; being cancelled is a way to end, no fault.
    pub async fn run(&self, goal: Goal, cancel: CancellationToken) -> Result<Summary, Fault> {
        match self.runner.run(until(goal), &cancel).await {
            Ok(outcome) => {
                let mut summary = self.summary(Some(&outcome));
                if goal == Goal::Schema {
                    summary.rule_changes = self.runner.rule_changes().await?;
                }
                Ok(summary)
            }
            Err(fault) if fault.code == policy::CANCELLED => Ok(self.summary(None)),
            Err(fault) => Err(fault),
        }
    }

    /// Takes the task over and marks tables to be loaded anew; all that are marked.
    pub async fn resync(&self, tables: &[TableName]) -> Result<Vec<TableName>, Fault> {
        self.runner.resync(tables).await
    }

    /// Takes the task over and marks paused tables to go on; all that are marked.
    pub async fn retry(&self, tables: &[TableName]) -> Result<Vec<TableName>, Fault> {
        self.runner.retry(tables).await
    }

    /// Takes the task over and has a paused table go on without the statement that paused it, or with
    /// another one in its place.
    pub async fn choose(&self, table: &TableName, instead: Option<&str>) -> Result<(), Fault> {
        let action = match instead {
            None => ChoiceAction::Skip,
            Some(sql) => ChoiceAction::Replace(sql.to_owned()),
        };
        self.runner.choose(table, action).await
    }

    /// Compares both ends; takes nothing over and writes nothing.
    pub async fn verify(&self, cancel: CancellationToken) -> Result<Report, Fault> {
        let began = Instant::now();
        let report = self.runner.verify(&cancel).await?;
        let mut seen = report_of(&report, began.elapsed().as_secs());
        seen.rule_changes = self.runner.rule_changes().await?;
        Ok(seen)
    }

    fn summary(&self, outcome: Option<&Outcome>) -> Summary {
        let picture = self.runner.board().snapshot();
        let stopped = |table: &wherry_engine::progress::TableProgress| {
            table.stopped.as_ref().map(|reason| ReportLeftOut {
                table: table.table.clone(),
                reason: reason.clone(),
            })
        };
        let mut summary = Summary {
            stopped: outcome.is_none(),
            phase: picture.phase.clone(),
            rows: picture.load.rows,
            bytes: picture.load.bytes,
            transactions: picture.stream.transactions,
            changes: picture.stream.changes,
            divergences: picture.stream.divergences,
            objects: picture.objects.clone(),
            stopped_tables: picture.tables.iter().filter_map(stopped).collect(),
            rule_changes: Vec::new(),
            writes_stopped_milliseconds: None,
            steps: Vec::new(),
        };
        match outcome {
            Some(Outcome::CutOver(report)) => add_cutover(&mut summary, report),
            Some(Outcome::Reached(phase)) => phase.as_str().clone_into(&mut summary.phase),
            None => {}
        }
        summary
    }
}

fn until(goal: Goal) -> Until {
    match goal {
        Goal::Schema => Until::Schema,
        Goal::Load => Until::Load,
        Goal::Stream => Until::Stream,
        Goal::RunAndCutover | Goal::Cutover => Until::Cutover,
    }
}

fn add_cutover(summary: &mut Summary, report: &CutoverReport) {
    let milliseconds = u64::try_from(report.writes_stopped.as_millis()).unwrap_or(u64::MAX);
    summary.writes_stopped_milliseconds = Some(milliseconds);
    summary.steps = vec![
        format!(
            "compared before writes were stopped: {} rows in {} tables, all equal",
            count(report.full.row_count()),
            report.full.tables.len()
        ),
        format!("applied everything up to {}", report.end),
        format!(
            "compared again what had changed meanwhile: {} rows, all equal",
            count(report.changed.row_count())
        ),
        "AUTO_INCREMENT counters are at least those of the source".to_owned(),
        "the task is fenced: no runner of it can write to the target any more".to_owned(),
        "triggers are made and events are enabled as at the source".to_owned(),
    ];
}

fn report_of(report: &VerifyReport, seconds: u64) -> Report {
    let mut seen = Report {
        seconds,
        mismatch_count: report.mismatch_count() as u64,
        unsettled_count: report.unsettled_count() as u64,
        ..Report::default()
    };
    for table in &report.tables {
        let name = table.table.to_string();
        let differing = table.mismatches.iter().map(|row| mismatch(&name, row));
        seen.mismatches.extend(differing);
        let unsettled = table.unsettled.iter().map(|(key, reason)| ReportRow {
            table: name.clone(),
            key: key_text(key),
            kind: "unsettled".to_owned(),
            columns: Vec::new(),
            detail: Some(reason.clone()),
        });
        seen.unsettled.extend(unsettled);
        seen.tables.push(ReportTable {
            table: name,
            ranges: table.ranges,
            rows: table.rows,
            bytes: table.bytes,
            kept: table.kept,
            missing: table.missing,
            different: table.different,
            skipped: table.skipped,
            apart: table.apart,
            not_compared: table.uncompared.clone(),
        });
    }
    for difference in &report.schema {
        let text = format!("{}: {}", difference.object(), difference.description);
        match difference.rule {
            Some(rule) => seen.schema_explained.push(format!("{text} (rule {rule})")),
            None => seen.schema_differences.push(text),
        }
    }
    let listed = |(table, reason): &(TableName, String)| ReportLeftOut {
        table: table.to_string(),
        reason: reason.clone(),
    };
    seen.left_out.extend(report.left_out.iter().map(listed));
    seen.left.extend(report.left.iter().map(listed));
    seen
}

fn mismatch(table: &str, row: &Mismatch) -> ReportRow {
    let detail = match row.kind {
        MismatchKind::Multiset {
            source_rows,
            target_rows,
        } => Some(format!(
            "{source_rows} rows in the source, {target_rows} in the target"
        )),
        MismatchKind::Missing | MismatchKind::Extra | MismatchKind::Different => None,
    };
    ReportRow {
        table: table.to_owned(),
        key: key_text(&row.key),
        kind: row.kind.as_str().to_owned(),
        columns: row.columns.clone(),
        detail,
    }
}
