//! What a task tells about itself: one board that the phases write and everyone reads.

use crate::ports::{Target, Unanswered};
use crate::state::{StoredTask, TableStage};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};
use tokio::sync::watch;
use wherry_model::{Phase, TableName};

/// How often the board is published and stored in the target.
const PUBLISH_EVERY: Duration = Duration::from_secs(1);
/// A statement without an answer for this long is shown.
const UNANSWERED_SECONDS: u64 = 10;

/// A picture of the task at one moment. Stored in the target as JSON for `wherry status`.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub struct Progress {
    pub task: String,
    pub phase: String,
    pub started_at_us: u64,
    pub updated_at_us: u64,
    pub tables: Vec<TableProgress>,
    pub load: LoadProgress,
    pub stream: StreamProgress,
    #[serde(default)]
    pub objects: ObjectProgress,
    pub exact_snapshot_age_seconds: Option<u64>,
    pub waiting_on: Option<WaitingOn>,
    /// The last thing worth telling, as a sentence fragment.
    pub message: String,
    /// Of the tables that are loaded beside the stream, while there are any.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub lane: Option<Box<Progress>>,
}

#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub struct TableProgress {
    pub table: String,
    pub stage: String,
    pub rows: u64,
    pub rows_estimate: u64,
    pub bytes: u64,
    pub stopped: Option<String>,
    /// Why it is loaded beside the stream, while it is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub lane: Option<String>,
}

#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub struct LoadProgress {
    pub rows: u64,
    pub bytes: u64,
    pub rows_per_second: u64,
    pub bytes_per_second: u64,
    pub eta_seconds: Option<u64>,
}

/// Views, routines, triggers and events.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub struct ObjectProgress {
    /// Made in the target by this runner.
    pub made: u64,
    /// Objects that are other than at the source, by rule.
    pub changed: BTreeMap<String, u64>,
    /// Not in the target yet, with the reason.
    pub pending: Vec<String>,
}

#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub struct StreamProgress {
    pub position: String,
    /// Up to here replay is idempotent.
    pub end: String,
    pub lag_seconds: Option<u64>,
    /// Why the heartbeat cannot be written to the source, while it cannot.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub heartbeat: Option<String>,
    pub transactions: u64,
    pub changes: u64,
    pub changes_per_second: u64,
    pub divergences: u64,
    pub removed: u64,
    pub owed: u64,
}

/// How old the last of what was applied is.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Age {
    /// When the source committed it; `None` where that is not known.
    pub(crate) committed_at_us: Option<u64>,
    /// The source had nothing more.
    pub(crate) caught_up: bool,
}

/// A statement that the target has not answered, or what fails and is tried again.
#[derive(Debug, Clone, Default, Serialize, Deserialize, PartialEq, Eq)]
pub struct WaitingOn {
    pub statement: String,
    pub since_seconds: u64,
}

impl From<&Unanswered> for WaitingOn {
    fn from(unanswered: &Unanswered) -> WaitingOn {
        WaitingOn {
            statement: unanswered.statement.clone(),
            since_seconds: unanswered.since_seconds,
        }
    }
}

/// The board. Cheap to update; published once a second by `publish_until_dropped`.
#[derive(Debug)]
pub struct Board {
    inner: Mutex<Inner>,
    sender: watch::Sender<Progress>,
}

#[derive(Debug)]
struct Inner {
    progress: Progress,
    tables: BTreeMap<TableName, TableProgress>,
    rates: Rates,
    snapshot_since: Option<Instant>,
    age: Age,
    /// The source is written to all the time, so what was read last tells the lag, however quiet the
    /// source is.
    beats: bool,
    /// A statement that the target has not answered.
    unanswered: Option<WaitingOn>,
    /// What fails again and again, since when.
    trouble: Option<(String, Instant)>,
    lane: Option<Arc<Board>>,
}

#[derive(Debug)]
struct Rates {
    at: Instant,
    rows: u64,
    bytes: u64,
    changes: u64,
}

impl Board {
    pub fn new(task: &str) -> Arc<Board> {
        let now = now_us();
        let progress = Progress {
            task: task.to_owned(),
            phase: Phase::Precheck.as_str().to_owned(),
            started_at_us: now,
            updated_at_us: now,
            ..Progress::default()
        };
        let (sender, _) = watch::channel(progress.clone());
        let rates = Rates {
            at: Instant::now(),
            rows: 0,
            bytes: 0,
            changes: 0,
        };
        let inner = Inner {
            progress,
            tables: BTreeMap::new(),
            rates,
            snapshot_since: None,
            age: Age::default(),
            beats: false,
            unanswered: None,
            trouble: None,
            lane: None,
        };
        Arc::new(Board {
            inner: Mutex::new(inner),
            sender,
        })
    }

    pub fn subscribe(&self) -> watch::Receiver<Progress> {
        self.sender.subscribe()
    }

    /// Shows what is stored, as after a restart.
    pub fn show_stored(&self, stored: &StoredTask) {
        self.update(|inner| {
            inner.progress.phase = stored.phase.as_str().to_owned();
            let known: Vec<&TableName> = stored
                .tables
                .iter()
                .map(|state| &state.table.name)
                .collect();
            inner.tables.retain(|name, _| known.contains(&name));
            for state in &stored.tables {
                let shown = inner.tables.entry(state.table.name.clone()).or_default();
                shown.table = state.table.name.to_string();
                shown.stage = state.stage.as_str().to_owned();
                shown.rows_estimate = state.table.row_count_estimate;
                let trouble = state.stopped.as_ref().filter(|stopped| !stopped.left);
                shown.stopped = trouble.map(|stopped| stopped.reason.clone());
                shown.lane = state.lane.as_ref().map(|mark| mark.reason.clone());
            }
            if let Some(end) = &stored.end {
                inner.progress.stream.end = end.to_string();
            }
        });
        self.publish();
    }

    /// A board of its own for the lane, shown as a part of this one; `None` takes it away.
    pub(crate) fn show_lane(&self, lane: Option<&Arc<Board>>) {
        self.update(|inner| inner.lane = lane.map(Arc::clone));
        self.publish();
    }

    pub fn phase(&self, phase: &str) {
        self.update(|inner| inner.progress.phase = phase.to_owned());
        tracing::info!(phase, "phase begins");
        self.publish();
    }

    pub fn message(&self, message: impl Into<String>) {
        let message = message.into();
        tracing::info!("{message}");
        self.update(|inner| inner.progress.message = message);
        self.publish();
    }

    /// What a sync of objects found and did.
    pub fn objects(&self, synced: ObjectProgress) {
        self.update(|inner| {
            let made = inner.progress.objects.made + synced.made;
            inner.progress.objects = ObjectProgress { made, ..synced };
        });
    }

    pub fn stage(&self, table: &TableName, stage: TableStage) {
        self.with_table(table, |shown| shown.stage = stage.as_str().to_owned());
    }

    pub fn stopped(&self, table: &TableName, reason: &str) {
        self.with_table(table, |shown| shown.stopped = Some(reason.to_owned()));
    }

    /// Rows and bytes of a table that are in so far, set to absolute figures.
    pub fn loaded(&self, table: &TableName, rows: u64, bytes: u64) {
        self.with_table(table, |shown| {
            shown.rows = rows;
            shown.bytes = bytes;
        });
    }

    /// More rows and bytes of a table are in.
    pub fn load_more(&self, table: &TableName, rows: u64, bytes: u64) {
        self.update(|inner| inner.trouble = None);
        self.with_table(table, |shown| {
            shown.rows += rows;
            shown.bytes += bytes;
        });
    }

    pub fn exact_snapshot(&self, open: bool) {
        self.update(|inner| inner.snapshot_since = open.then(Instant::now));
    }

    /// A group was applied, or with no age: something else is to be shown.
    pub(crate) fn applied(&self, update: impl FnOnce(&mut StreamProgress), age: Option<Age>) {
        self.update(|inner| {
            inner.trouble = None;
            update(&mut inner.progress.stream);
            let Some(age) = age else {
                return;
            };
            inner.age.caught_up = age.caught_up;
            if age.committed_at_us.is_some() {
                inner.age.committed_at_us = age.committed_at_us;
            }
        });
    }

    pub fn waiting_on(&self, waiting: Option<WaitingOn>) {
        self.update(|inner| inner.unanswered = waiting);
    }

    /// Something failed and is tried again, for the first time at `since`.
    pub fn trouble(&self, what: String, since: Instant) {
        self.update(|inner| inner.trouble = Some((what, since)));
        self.publish();
    }

    /// From now on a heartbeat is written to the source, or no more.
    pub(crate) fn beats(&self, beats: bool) {
        self.update(|inner| {
            inner.beats = beats;
            inner.progress.stream.heartbeat = None;
        });
    }

    /// Why the heartbeat could not be written, or that it was.
    pub(crate) fn beat(&self, trouble: Option<String>) {
        self.update(|inner| inner.progress.stream.heartbeat = trouble);
        self.publish();
    }

    /// Seconds between the last applied commit and now; zero when caught up, however old the last
    /// heartbeat is.
    pub fn lag_seconds(&self) -> Option<u64> {
        let lag_seconds = self.snapshot().stream.lag_seconds;
        let mut caught_up = false;
        self.update(|inner| caught_up = inner.age.caught_up);
        lag_seconds.map(|lag| if caught_up { 0 } else { lag })
    }

    pub fn snapshot(&self) -> Progress {
        let mut inner = self.inner.lock().expect("no holder of the board panics");
        inner.refresh();
        inner.progress.clone()
    }

    pub fn publish(&self) {
        let _ = self.sender.send_replace(self.snapshot());
    }

    fn update(&self, change: impl FnOnce(&mut Inner)) {
        change(&mut self.inner.lock().expect("no holder of the board panics"));
    }

    fn with_table(&self, table: &TableName, change: impl FnOnce(&mut TableProgress)) {
        self.update(|inner| {
            let shown = inner
                .tables
                .entry(table.clone())
                .or_insert_with(|| TableProgress {
                    table: table.to_string(),
                    ..TableProgress::default()
                });
            change(shown);
        });
    }
}

impl Inner {
    fn refresh(&mut self) {
        let progress = &mut self.progress;
        progress.updated_at_us = now_us();
        progress.lane = self.lane.as_ref().map(|lane| Box::new(lane.snapshot()));
        progress.tables = self.tables.values().cloned().collect();
        progress.load.rows = self.tables.values().map(|table| table.rows).sum();
        progress.load.bytes = self.tables.values().map(|table| table.bytes).sum();
        progress.exact_snapshot_age_seconds =
            self.snapshot_since.map(|since| since.elapsed().as_secs());
        let trouble = self.trouble.as_ref().map(|(what, since)| WaitingOn {
            statement: what.clone(),
            since_seconds: since.elapsed().as_secs(),
        });
        progress.waiting_on = self.unanswered.clone().or(trouble);
        let rests = self.age.caught_up && !self.beats;
        progress.stream.lag_seconds = match self.age.committed_at_us.filter(|_| !rests) {
            Some(at) => Some(progress.updated_at_us.saturating_sub(at) / 1_000_000),
            None => progress.stream.lag_seconds.map(|_| 0),
        };
        let elapsed = self.rates.at.elapsed();
        if elapsed < PUBLISH_EVERY {
            return;
        }
        let per_second = |more: u64| (more as f64 / elapsed.as_secs_f64()) as u64;
        progress.load.rows_per_second =
            per_second(progress.load.rows.saturating_sub(self.rates.rows));
        progress.load.bytes_per_second =
            per_second(progress.load.bytes.saturating_sub(self.rates.bytes));
        progress.stream.changes_per_second =
            per_second(progress.stream.changes.saturating_sub(self.rates.changes));
        let estimate: u64 = self
            .tables
            .values()
            .map(|table| table.rows_estimate.max(table.rows))
            .sum();
        let rest = estimate.saturating_sub(progress.load.rows);
        progress.load.eta_seconds = rest.checked_div(progress.load.rows_per_second);
        self.rates = Rates {
            at: Instant::now(),
            rows: progress.load.rows,
            bytes: progress.load.bytes,
            changes: progress.stream.changes,
        };
    }
}

/// Publishes and stores the board once a second, and watches for unanswered statements.
///
/// Cancel: aborting it loses nothing. A store that hangs does not stop the publishing.
pub async fn publish_forever(board: Arc<Board>, target: Arc<dyn Target>) {
    let mut storing: Option<tokio::task::JoinHandle<()>> = None;
    let mut warned: Option<String> = None;
    let mut ticks = tokio::time::interval(PUBLISH_EVERY);
    loop {
        ticks.tick().await;
        let unanswered = target.unanswered(UNANSWERED_SECONDS);
        let worst = unanswered
            .iter()
            .max_by_key(|statement| statement.since_seconds);
        board.waiting_on(worst.map(WaitingOn::from));
        if let Some(worst) = worst
            && warned.as_ref() != Some(&worst.statement)
        {
            tracing::warn!(
                statement = %worst.statement,
                seconds = worst.since_seconds,
                "the target does not answer"
            );
        }
        warned = worst.map(|worst| worst.statement.clone());
        board.publish();
        if storing
            .as_ref()
            .is_none_or(tokio::task::JoinHandle::is_finished)
        {
            let target = Arc::clone(&target);
            let text = serde_json::to_string(&board.snapshot()).unwrap_or_default();
            storing = Some(tokio::spawn(async move {
                if let Err(fault) = target.put_progress(&text).await {
                    tracing::debug!(code = fault.code, "progress was not stored: {fault}");
                }
            }));
        }
    }
}

pub fn now_us() -> u64 {
    let since = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap_or_default();
    u64::try_from(since.as_micros()).unwrap_or(u64::MAX)
}
