//! Writers that change a shop's database from several connections while it is moved.
//!
//! They live in the calling process, outlast errors of every kind, and can be held and turned round to another
//! server, as a cutover wants. Each append to `audit_log` carries the writer's number and a sequence, so that a
//! missing or doubled row of that keyless table can be counted afterwards.

mod transactions;

use std::collections::BTreeMap;
use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use mysql_async::Conn;
use mysql_async::prelude::Queryable;
use tokio::sync::watch;
use tokio::task::JoinHandle;

use crate::failure::{Failure, Result};
use crate::random::Random;
use crate::shop::{self, Shop};
use transactions::{Ids, Writer};

/// Pause after a failed connection, so that a server that is down is not flooded.
const RECONNECT_PAUSE: Duration = Duration::from_millis(50);
/// How long writers may take to come to rest before this counts as a fault of the test.
const REST_TIME_MAX: Duration = Duration::from_secs(60);

/// How to write.
#[derive(Clone, Debug)]
pub struct WorkloadOptions {
    pub shop: Shop,
    pub writers: u32,
    /// Limit for all writers together; none writes as fast as the server takes it.
    pub transactions_per_second_max: Option<u32>,
    /// Choose with [`Random::fresh_seed`] and print it, or fix it.
    pub seed: u64,
    /// Also updates and deletes rows of `visits`, which has no key.
    pub keyless_changes: bool,
}

impl WorkloadOptions {
    pub fn new(shop: Shop) -> WorkloadOptions {
        WorkloadOptions {
            shop,
            writers: 4,
            transactions_per_second_max: Some(400),
            seed: Random::fresh_seed(),
            keyless_changes: true,
        }
    }
}

/// What the writers did so far.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counters {
    /// Transactions whose commit was confirmed.
    pub committed: u64,
    /// Transactions that the server refused as a whole: deadlocks, duplicate keys, read-only.
    pub refused: u64,
    /// Commits without an answer.
    pub unknown: u64,
}

/// What the writers did, after they have ended.
#[derive(Debug)]
pub struct WorkloadReport {
    pub seed: u64,
    pub counters: Counters,
    pub seconds: f64,
    /// Per writer: appended sequence numbers, confirmed or (false) without an answer.
    appended: BTreeMap<u32, BTreeMap<u64, bool>>,
}

/// How the keyless `audit_log` compares with what was appended.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct AuditReport {
    pub appended: u64,
    pub missing: u64,
    pub doubled: u64,
    /// Rows that no writer says it has appended.
    pub unexpected: u64,
}

impl AuditReport {
    pub fn is_exact(&self) -> bool {
        self.missing == 0 && self.doubled == 0 && self.unexpected == 0
    }
}

impl fmt::Display for AuditReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{} appended, {} missing, {} doubled, {} unexpected",
            self.appended, self.missing, self.doubled, self.unexpected
        )
    }
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Order {
    Write { url: String },
    Rest,
    End,
}

#[derive(Default)]
pub(crate) struct Tally {
    committed: AtomicU64,
    refused: AtomicU64,
    unknown: AtomicU64,
}

/// Running writers. Dropping it ends them without waiting.
pub struct Workload {
    orders: watch::Sender<Order>,
    resting: Vec<watch::Receiver<bool>>,
    writers: Vec<JoinHandle<BTreeMap<u64, bool>>>,
    tally: Arc<Tally>,
    ids: Arc<Ids>,
    options: WorkloadOptions,
    begun: Instant,
}

impl Workload {
    /// Starts the writers on the server at `url`.
    pub async fn start(url: &str, options: WorkloadOptions) -> Result<Workload> {
        let ids = Arc::new(Ids::read(url, &options.shop).await?);
        let (orders, _) = watch::channel(Order::Write {
            url: url.to_owned(),
        });
        let tally = Arc::new(Tally::default());
        let (mut writers, mut resting) = (Vec::new(), Vec::new());
        for number in 1..=options.writers {
            let (rest, rests) = watch::channel(false);
            let worker = Worker {
                orders: orders.subscribe(),
                rest,
                tally: Arc::clone(&tally),
                interval: options
                    .transactions_per_second_max
                    .map(|limit| Duration::from_secs(u64::from(options.writers)) / limit.max(1)),
            };
            let random = Random::new(
                options
                    .seed
                    .wrapping_mul(31)
                    .wrapping_add(u64::from(number)),
            );
            let writer = Writer::new(number, options.clone(), Arc::clone(&ids), random);
            writers.push(tokio::spawn(worker.run(writer)));
            resting.push(rests);
        }
        Ok(Workload {
            orders,
            resting,
            writers,
            tally,
            ids,
            options,
            begun: Instant::now(),
        })
    }

    pub fn seed(&self) -> u64 {
        self.options.seed
    }

    pub fn counters(&self) -> Counters {
        let read = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        Counters {
            committed: read(&self.tally.committed),
            refused: read(&self.tally.refused),
            unknown: read(&self.tally.unknown),
        }
    }

    /// Waits until so many more transactions have been committed.
    pub async fn wait_for(&self, more: u64) -> Result<()> {
        let goal = self.counters().committed + more;
        let deadline = Instant::now() + REST_TIME_MAX;
        while self.counters().committed < goal {
            if Instant::now() > deadline {
                return Err(Failure::new(format!(
                    "the writers do not get on: {:?} (seed {}); last error: {}",
                    self.counters(),
                    self.seed(),
                    self.ids.last_error.get()
                )));
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        Ok(())
    }

    /// Returns once every writer has ended its transaction and closed its connection.
    pub async fn hold(&mut self) -> Result<()> {
        self.orders.send_replace(Order::Rest);
        for rests in &mut self.resting {
            let rested = tokio::time::timeout(REST_TIME_MAX, rests.wait_for(|rests| *rests)).await;
            rested
                .map_err(|_| Failure::new("a writer did not come to rest"))?
                .map_err(|_| Failure::new("a writer ended by itself"))?;
        }
        Ok(())
    }

    /// Lets held writers write again, on this server.
    pub fn go_on(&self, url: &str) {
        self.orders.send_replace(Order::Write {
            url: url.to_owned(),
        });
    }

    /// Turns the writers round: nothing is under way on the old server when the first one writes to the new.
    pub async fn redirect(&mut self, url: &str) -> Result<()> {
        self.hold().await?;
        self.go_on(url);
        Ok(())
    }

    /// Ends the writers after their current transaction.
    pub async fn stop(self) -> Result<WorkloadReport> {
        self.orders.send_replace(Order::End);
        let counters_of = |tally: &Tally| Counters {
            committed: tally.committed.load(Ordering::Relaxed),
            refused: tally.refused.load(Ordering::Relaxed),
            unknown: tally.unknown.load(Ordering::Relaxed),
        };
        let mut appended = BTreeMap::new();
        for (number, writer) in (1..).zip(self.writers) {
            let ended = tokio::time::timeout(REST_TIME_MAX, writer).await;
            let ended = ended.map_err(|_| Failure::new("a writer did not end"))?;
            appended.insert(
                number,
                ended.map_err(|error| Failure::because("a writer panicked", error))?,
            );
        }
        let seconds = self.begun.elapsed().as_secs_f64();
        Ok(WorkloadReport {
            seed: self.options.seed,
            counters: counters_of(&self.tally),
            seconds,
            appended,
        })
    }
}

impl WorkloadReport {
    /// Counts the rows of `audit_log` on a server against what the writers appended.
    pub async fn audit(&self, url: &str, database: &str) -> Result<AuditReport> {
        let mut connection = shop::connect(url).await?;
        let query = format!(
            "SELECT writer, sequence, COUNT(*) FROM `{database}`.audit_log WHERE writer > 0 GROUP BY writer, sequence"
        );
        let found: Vec<(u32, u64, u64)> = connection.query(query).await?;
        connection.disconnect().await?;
        Ok(self.judge(found))
    }

    fn judge(&self, found: Vec<(u32, u64, u64)>) -> AuditReport {
        let mut report = AuditReport {
            appended: self.appended.values().map(|list| list.len() as u64).sum(),
            ..AuditReport::default()
        };
        let mut seen = 0;
        for (writer, sequence, count) in found {
            match self
                .appended
                .get(&writer)
                .and_then(|list| list.get(&sequence))
            {
                None => report.unexpected += count,
                Some(confirmed) => {
                    seen += u64::from(*confirmed);
                    report.doubled += count - 1;
                }
            }
        }
        let confirmed = self
            .appended
            .values()
            .flat_map(BTreeMap::values)
            .filter(|confirmed| **confirmed)
            .count() as u64;
        report.missing = confirmed - seen;
        report
    }
}

/// Drives one writer: connects, keeps the pace, obeys.
struct Worker {
    orders: watch::Receiver<Order>,
    rest: watch::Sender<bool>,
    tally: Arc<Tally>,
    interval: Option<Duration>,
}

impl Worker {
    async fn run(mut self, mut writer: Writer) -> BTreeMap<u64, bool> {
        let mut connection: Option<(Conn, String)> = None;
        let mut next = tokio::time::Instant::now();
        loop {
            let order = self.orders.borrow_and_update().clone();
            let url = match order {
                Order::Write { url } => url,
                Order::Rest | Order::End => {
                    if let Some((open, _)) = connection.take() {
                        // The server may be gone; then the connection is closed as well.
                        let _ = open.disconnect().await;
                    }
                    self.rest.send_replace(true);
                    if order == Order::End || self.orders.changed().await.is_err() {
                        return writer.appended;
                    }
                    self.rest
                        .send_replace(matches!(*self.orders.borrow(), Order::Rest));
                    continue;
                }
            };
            connection = self.connected(connection, url, &writer).await;
            if let Some((open, _)) = &mut connection {
                if !self.transaction(&mut writer, open).await {
                    connection = None;
                }
                self.keep_pace(&mut next).await;
            }
            if self.orders.has_changed().is_err() {
                return writer.appended;
            }
        }
    }

    async fn connected(
        &self,
        current: Option<(Conn, String)>,
        url: String,
        writer: &Writer,
    ) -> Option<(Conn, String)> {
        if let Some((_, used)) = &current
            && *used == url
        {
            return current;
        }
        if let Some((old, _)) = current {
            let _ = old.disconnect().await;
        }
        let database = &writer.options.shop.database;
        let opened = async {
            let mut connection = shop::connect(&url).await?;
            connection.query_drop(format!("USE `{database}`")).await?;
            connection
                .query_drop("SET innodb_lock_wait_timeout = 5")
                .await?;
            Ok::<Conn, Failure>(connection)
        };
        match tokio::time::timeout(Duration::from_secs(10), opened).await {
            Ok(Ok(connection)) => Some((connection, url)),
            _ => {
                tokio::time::sleep(RECONNECT_PAUSE).await;
                None
            }
        }
    }

    /// Runs one transaction; false when the connection is of no use any more.
    async fn transaction(&self, writer: &mut Writer, connection: &mut Conn) -> bool {
        match writer.transaction(connection).await {
            transactions::Outcome::Committed => {
                self.tally.committed.fetch_add(1, Ordering::Relaxed);
                true
            }
            transactions::Outcome::RolledBack => true,
            transactions::Outcome::Refused => {
                self.tally.refused.fetch_add(1, Ordering::Relaxed);
                connection.query_drop("ROLLBACK").await.is_ok()
            }
            transactions::Outcome::Lost => {
                self.tally.refused.fetch_add(1, Ordering::Relaxed);
                false
            }
            transactions::Outcome::Unknown => {
                self.tally.unknown.fetch_add(1, Ordering::Relaxed);
                false
            }
        }
    }

    async fn keep_pace(&self, next: &mut tokio::time::Instant) {
        let Some(interval) = self.interval else {
            return tokio::task::yield_now().await;
        };
        // A late writer does not catch up, so that a slow server is not hit by a burst afterwards.
        *next = (*next + interval).max(tokio::time::Instant::now());
        tokio::time::sleep_until(*next).await;
    }
}

/// Keeps the newest error text of all writers for messages.
#[derive(Default)]
pub(crate) struct LastError(Mutex<String>);

impl LastError {
    pub fn set(&self, text: String) {
        *self
            .0
            .lock()
            .unwrap_or_else(|poisoned| poisoned.into_inner()) = text;
    }

    pub fn get(&self) -> String {
        self.0
            .lock()
            .unwrap_or_else(|poisoned| poisoned.into_inner())
            .clone()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn missing_doubled_and_unexpected_rows_are_counted() {
        let lists = BTreeMap::from([
            (1, BTreeMap::from([(1, true), (2, true), (3, false)])),
            (2, BTreeMap::from([(1, true)])),
        ]);
        let report = WorkloadReport {
            seed: 0,
            counters: Counters::default(),
            seconds: 1.0,
            appended: lists,
        };
        let exact = report.judge(vec![(1, 1, 1), (1, 2, 1), (2, 1, 1)]);
        assert!(exact.is_exact() && exact.appended == 4);
        let wrong = report.judge(vec![(1, 1, 3), (1, 3, 1), (2, 9, 1)]);
        assert_eq!((wrong.missing, wrong.doubled, wrong.unexpected), (2, 2, 1));
    }
}
