//! A random program that changes definitions and rows at once, from several connections.
//!
//! Each step looks at what the server has at that moment and then chooses a statement that may suit
//! it; other writers may be faster, so statements fail, as an application's do. What a seed fixes is
//! the choices of each writer; how writers interleave is the server's.

mod alter;
mod columns;
mod partition;
mod picture;
mod rows;
mod whole;

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use mysql_async::prelude::Queryable;
use mysql_async::{Conn, Error};
use tokio::sync::watch;
use tokio::task::JoinHandle;

use crate::failure::{Failure, Result};
use crate::flavour::Flavour;
use crate::random::Random;
use crate::shop::connect;
use picture::Scene;

/// The databases that are to be selected; the third comes and goes.
pub const REMODEL_DATABASES: [&str; 3] = ["mill", "yard", "shed"];

/// A database that is not to be selected.
const OUTSIDE: &str = "barn";

/// How long writers may take to get on before this counts as a fault of the test.
const PATIENCE: Duration = Duration::from_secs(240);

/// Steps that change rows, for each one that changes a definition.
const ROW_STEPS: u64 = 3;

#[derive(Clone, Debug)]
pub struct RemodelOptions {
    pub flavour: Flavour,
    pub writers: u32,
    /// Limit for all writers together.
    pub steps_per_second_max: u32,
    pub seed: u64,
    /// Print each change of definitions.
    pub shows: bool,
}

/// Running writers. Dropping it ends them without waiting.
pub struct Remodel {
    orders: watch::Sender<bool>,
    writers: Vec<JoinHandle<Result<()>>>,
    tally: Arc<Tally>,
}

#[derive(Default)]
struct Tally {
    /// Databases may be dropped.
    free: AtomicBool,
    /// No definition changes for now.
    held: AtomicBool,
    definitions: AtomicU64,
    rows: AtomicU64,
    /// For each kind of definition change how often it was done and how often refused.
    kinds: Mutex<BTreeMap<&'static str, [u64; 2]>>,
}

impl Tally {
    fn count(&self, kind: &'static str, done: bool) {
        let mut kinds = self.kinds.lock().unwrap_or_else(PoisonError::into_inner);
        kinds.entry(kind).or_default()[usize::from(!done)] += 1;
        if done {
            self.definitions.fetch_add(1, Ordering::Relaxed);
        }
    }
}

impl Remodel {
    /// Creates the databases and the first tables.
    pub async fn create(url: &str, options: &RemodelOptions) -> Result<()> {
        let mut connection = connect(url).await?;
        for database in ["mill", "yard", "shed", OUTSIDE] {
            let statement = format!("CREATE DATABASE `{database}` DEFAULT CHARACTER SET utf8mb4");
            connection.query_drop(statement).await?;
        }
        let mut random = Random::new(options.seed);
        let outside = format!("CREATE TABLE `{OUTSIDE}`.`o1` (id INT PRIMARY KEY, v INT)");
        connection.query_drop(outside).await?;
        for (index, body) in whole::FIRST_TABLES.iter().enumerate() {
            let database = ["mill", "yard"][index % 2];
            let statement = format!("CREATE TABLE `{database}`.`t{index}` {body}");
            connection
                .query_drop(&statement)
                .await
                .map_err(|error| Failure::because(&statement, error))?;
        }
        for _ in 0..60 {
            let scene = Scene::look(&mut connection, options.flavour, &mut random).await?;
            for statement in rows::transaction(&scene, &mut random) {
                attempt(&mut connection, &statement).await?;
            }
        }
        connection.disconnect().await?;
        Ok(())
    }

    /// Starts the writers on the server at `url`.
    pub fn start(url: &str, options: &RemodelOptions) -> Remodel {
        let (orders, _) = watch::channel(true);
        let tally = Arc::new(Tally::default());
        let writer = |number: u32| Writer {
            url: url.to_owned(),
            flavour: options.flavour,
            random: Random::new(options.seed.wrapping_mul(31).wrapping_add(number.into())),
            orders: orders.subscribe(),
            tally: Arc::clone(&tally),
            shows: options.shows,
            interval: Duration::from_secs(options.writers.into())
                / options.steps_per_second_max.max(1),
        };
        let writers = (1..=options.writers)
            .map(|number| tokio::spawn(writer(number).run()))
            .collect();
        Remodel {
            orders,
            writers,
            tally,
        }
    }

    /// With `true` only rows change, until it is called with `false`.
    pub fn hold_definitions(&self, hold: bool) {
        self.tally.held.store(hold, Ordering::Relaxed);
    }

    /// From now on databases are dropped and made again; until then a new task finds them all.
    pub fn free_databases(&self) {
        self.tally.free.store(true, Ordering::Relaxed);
    }

    /// Definition changes that were done.
    pub fn definitions(&self) -> u64 {
        self.tally.definitions.load(Ordering::Relaxed)
    }

    /// Statements on rows that were done.
    pub fn rows(&self) -> u64 {
        self.tally.rows.load(Ordering::Relaxed)
    }

    /// For each kind how often it was done and how often the server refused it.
    pub fn kinds(&self) -> BTreeMap<&'static str, [u64; 2]> {
        let kinds = self.tally.kinds.lock();
        kinds.unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Waits until so many more definition changes have been done.
    pub async fn wait_for(&mut self, more: u64) -> Result<()> {
        let goal = self.definitions() + more;
        let deadline = Instant::now() + PATIENCE;
        while self.definitions() < goal {
            if let Some(ended) = self.writers.iter().position(JoinHandle::is_finished) {
                joined(self.writers.remove(ended)).await?;
                return Err(Failure::new("a writer of the random program has ended"));
            }
            if Instant::now() > deadline {
                return Err(Failure::new("the random program's writers do not get on"));
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        Ok(())
    }

    /// Returns once every writer has ended; they write no more.
    pub async fn stop(self) -> Result<()> {
        self.orders.send_replace(false);
        for writer in self.writers {
            joined(writer).await?;
        }
        Ok(())
    }
}

async fn joined(writer: JoinHandle<Result<()>>) -> Result<()> {
    writer
        .await
        .map_err(|error| Failure::because("a writer panicked", error))?
}

struct Writer {
    url: String,
    flavour: Flavour,
    random: Random,
    orders: watch::Receiver<bool>,
    tally: Arc<Tally>,
    shows: bool,
    interval: Duration,
}

impl Writer {
    async fn run(mut self) -> Result<()> {
        let mut connection = connect(&self.url).await?;
        connection
            .query_drop("SET innodb_lock_wait_timeout = 3, lock_wait_timeout = 5")
            .await?;
        let mut next = tokio::time::Instant::now();
        while self.orders.has_changed().is_ok() && *self.orders.borrow() {
            let mut scene = Scene::look(&mut connection, self.flavour, &mut self.random).await?;
            scene.free_databases = self.tally.free.load(Ordering::Relaxed);
            let held = self.tally.held.load(Ordering::Relaxed);
            if self.random.one_in(ROW_STEPS + 1) && !held {
                self.remodel(&mut connection, &scene).await?;
            } else {
                for statement in rows::transaction(&scene, &mut self.random) {
                    let done = attempt(&mut connection, &statement).await?;
                    self.tally.rows.fetch_add(done.into(), Ordering::Relaxed);
                }
            }
            // A late writer does not catch up.
            next = (next + self.interval).max(tokio::time::Instant::now());
            tokio::time::sleep_until(next).await;
        }
        connection.disconnect().await?;
        Ok(())
    }

    /// One change of definitions, in a session as some application might have it.
    async fn remodel(&mut self, connection: &mut Conn, scene: &Scene) -> Result<()> {
        let Some((kind, statement)) = whole::choose(scene, &mut self.random) else {
            return Ok(());
        };
        let mode = self.random.pick(&MODES);
        let database = self.random.pick(&["mill", "yard", OUTSIDE]);
        attempt(connection, &format!("USE `{database}`")).await?;
        attempt(connection, &format!("SET sql_mode = '{mode}'")).await?;
        // MySQL 5.6 keeps the text of a partition expression with its quotes, and then only sessions
        // with ANSI_QUOTES can open the table: seen on 5.6.24.
        let keeps_quotes = self.flavour == Flavour::MySql56 && statement.contains("PARTITION BY");
        let statement = if mode.contains("ANSI_QUOTES") && !keeps_quotes {
            statement.replace('`', "\"")
        } else {
            statement
        };
        let done = attempt(connection, &statement).await?;
        if self.shows {
            let word = if done { "done" } else { "refused" };
            eprintln!("{word} ({kind}, {database}, {mode}): {statement}");
        }
        self.tally.count(kind, done);
        attempt(connection, "SET sql_mode = 'STRICT_ALL_TABLES'").await?;
        Ok(())
    }
}

const MODES: [&str; 6] = [
    "STRICT_ALL_TABLES",
    "",
    "ANSI_QUOTES,NO_ZERO_DATE",
    "NO_BACKSLASH_ESCAPES",
    "STRICT_TRANS_TABLES,NO_ZERO_IN_DATE,NO_ZERO_DATE,ERROR_FOR_DIVISION_BY_ZERO",
    "ALLOW_INVALID_DATES,PIPES_AS_CONCAT,PAD_CHAR_TO_FULL_LENGTH",
];

/// True where the server did it. A refusal leaves no transaction open.
async fn attempt(connection: &mut Conn, statement: &str) -> Result<bool> {
    match connection.query_drop(statement).await {
        Ok(()) => Ok(true),
        Err(Error::Server(error)) => {
            if [1213, 1205].contains(&error.code) {
                connection.query_drop("ROLLBACK").await?;
            }
            Ok(false)
        }
        Err(error) => Err(Failure::because(statement, error)),
    }
}
