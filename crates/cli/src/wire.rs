//! Connects the command line to engine and driver; the only module that touches them for work.

use crate::task::Task;
use serde::Serialize;
use std::sync::Arc;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;
use wherry_engine::ports::Target;
use wherry_engine::progress::Progress;
use wherry_model::{CheckItem, Fault};

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
    /// Tables that are stopped, with their reasons.
    pub stopped_tables: Vec<ReportLeftOut>,
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
    pub seconds: u64,
}

#[derive(Debug, Serialize)]
pub struct ReportTable {
    pub table: String,
    pub ranges: u64,
    pub rows: u64,
    pub bytes: u64,
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
pub struct Job {}

/// Resolves passwords and certificates of both ends.
pub async fn open(task: &Task) -> Result<Job, Fault> {
    let _ = task;
    Err(unlinked())
}

impl Job {
    /// Pictures of the work, about one a second.
    pub fn pictures(&self) -> watch::Receiver<Progress> {
        watch::channel(Progress::default()).1
    }

    /// Checks both ends; writes nothing.
    pub async fn precheck(&self) -> Result<Vec<CheckItem>, Fault> {
        Err(unlinked())
    }

    pub async fn run(&self, goal: Goal, cancel: CancellationToken) -> Result<Summary, Fault> {
        let _ = (goal, cancel);
        Err(unlinked())
    }

    pub async fn verify(&self, cancel: CancellationToken) -> Result<Report, Fault> {
        let _ = cancel;
        Err(unlinked())
    }
}

/// The target alone, for reading; takes nothing over.
pub async fn target(task: &Task) -> Result<Arc<dyn Target>, Fault> {
    let _ = task;
    Err(unlinked())
}

/// What this user's sessions in the target are busy with, longest first.
pub async fn statements(task: &Task) -> Result<Vec<Statement>, Fault> {
    let _ = task;
    Err(unlinked())
}

fn unlinked() -> Fault {
    Fault::bug("CLI-099", "the engine is not linked yet")
}
