//! A random program over tables of every key shape, run by several writers against a server.
//!
//! Statements are made without looking at the rows, so many of them meet a key that is taken: such a
//! statement fails alone and its transaction goes on, as an application's does. No definitions change.
//! What a seed fixes is the choices of each writer; how writers interleave is the server's.

mod shapes;

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use mysql_async::prelude::Queryable;
use mysql_async::{Conn, Error};
use tokio::sync::watch;
use tokio::task::JoinHandle;

use crate::failure::{Failure, Result};
use crate::flavour::Flavour;
use crate::random::Random;
use crate::shop::connect;
use shapes::{Shape, shapes};

/// Rows that a table is first given, by so many tries: some meet a key that is taken.
const FIRST_ROWS: u64 = 150;

/// How long writers may take to get on before this counts as a fault of the test.
const PATIENCE: Duration = Duration::from_secs(120);

/// Server errors that end the whole transaction: deadlock, lock wait timeout.
const TRANSACTION_CODES: [u16; 2] = [1213, 1205];

/// How to write.
#[derive(Clone, Debug)]
pub struct ChurnOptions {
    pub flavour: Flavour,
    pub database: String,
    pub writers: u32,
    /// Limit for all writers together.
    pub transactions_per_second_max: u32,
    pub seed: u64,
}

/// Running writers. Dropping it ends them without waiting.
pub struct Churn {
    orders: watch::Sender<Order>,
    writers: Vec<JoinHandle<Result<()>>>,
    resting: Vec<watch::Receiver<bool>>,
    tally: Arc<Tally>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Order {
    Write,
    Rest,
}

#[derive(Default)]
struct Tally {
    transactions: AtomicU64,
    statements: AtomicU64,
    refused: AtomicU64,
}

impl Churn {
    /// Creates the database with its tables and first rows; returns how many tables there are.
    pub async fn create(url: &str, options: &ChurnOptions) -> Result<usize> {
        let mut connection = connect(url).await?;
        let database = &options.database;
        let statement = format!("CREATE DATABASE `{database}` DEFAULT CHARACTER SET utf8mb4");
        connection.query_drop(statement).await?;
        prepare(&mut connection, database).await?;
        let shapes = shapes(options.flavour);
        let mut random = Random::new(options.seed);
        for shape in &shapes {
            let statement = shape.create_statement();
            connection
                .query_drop(&statement)
                .await
                .map_err(|error| Failure::because(&statement, error))?;
            connection.query_drop("START TRANSACTION").await?;
            for _ in 0..FIRST_ROWS {
                let statement = insert(shape, &mut random, 1);
                run(&mut connection, &statement).await?;
            }
            connection.query_drop("COMMIT").await?;
        }
        connection.disconnect().await?;
        Ok(shapes.len())
    }

    /// Starts the writers on the server at `url`.
    pub fn start(url: &str, options: &ChurnOptions) -> Churn {
        let (orders, _) = watch::channel(Order::Write);
        let tally = Arc::new(Tally::default());
        let (mut writers, mut resting) = (Vec::new(), Vec::new());
        for number in 1..=options.writers {
            let (rest, rests) = watch::channel(false);
            let seed = options.seed.wrapping_mul(31).wrapping_add(number.into());
            let writer = Writer {
                url: url.to_owned(),
                database: options.database.clone(),
                shapes: shapes(options.flavour),
                random: Random::new(seed),
                orders: orders.subscribe(),
                rest,
                tally: Arc::clone(&tally),
                interval: Duration::from_secs(options.writers.into())
                    / options.transactions_per_second_max.max(1),
            };
            writers.push(tokio::spawn(writer.run()));
            resting.push(rests);
        }
        Churn {
            orders,
            writers,
            resting,
            tally,
        }
    }

    pub fn transactions(&self) -> u64 {
        self.tally.transactions.load(Ordering::Relaxed)
    }

    /// Statements that did their work, and those that met a key.
    pub fn statements(&self) -> (u64, u64) {
        let read = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        (read(&self.tally.statements), read(&self.tally.refused))
    }

    /// Waits until so many more transactions have been committed.
    pub async fn wait_for(&self, more: u64) -> Result<()> {
        let goal = self.transactions() + more;
        let deadline = Instant::now() + PATIENCE;
        while self.transactions() < goal {
            let ended = self.writers.iter().any(JoinHandle::is_finished);
            if ended || Instant::now() > deadline {
                return Err(Failure::new("the random program's writers do not get on"));
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        Ok(())
    }

    /// Returns once every writer has ended its transaction; they write no more.
    pub async fn stop(mut self) -> Result<()> {
        self.orders.send_replace(Order::Rest);
        for rests in &mut self.resting {
            // A writer that has ended says why below.
            let _ = rests.wait_for(|rests| *rests).await;
        }
        for writer in self.writers {
            writer
                .await
                .map_err(|error| Failure::because("a writer panicked", error))??;
        }
        Ok(())
    }
}

struct Writer {
    url: String,
    database: String,
    shapes: Vec<Shape>,
    random: Random,
    orders: watch::Receiver<Order>,
    rest: watch::Sender<bool>,
    tally: Arc<Tally>,
    interval: Duration,
}

impl Writer {
    async fn run(mut self) -> Result<()> {
        let mut connection = connect(&self.url).await?;
        prepare(&mut connection, &self.database).await?;
        let mut next = tokio::time::Instant::now();
        while self.orders.has_changed().is_ok() && *self.orders.borrow() == Order::Write {
            self.transaction(&mut connection).await?;
            // A late writer does not catch up.
            next = (next + self.interval).max(tokio::time::Instant::now());
            tokio::time::sleep_until(next).await;
        }
        connection.disconnect().await?;
        self.rest.send_replace(true);
        Ok(())
    }

    async fn transaction(&mut self, connection: &mut Conn) -> Result<()> {
        connection.query_drop("START TRANSACTION").await?;
        let count = 1 + self.random.below(6);
        for _ in 0..count {
            for statement in self.choose() {
                match run(connection, &statement).await? {
                    Ran::Done => self.tally.statements.fetch_add(1, Ordering::Relaxed),
                    Ran::Refused => self.tally.refused.fetch_add(1, Ordering::Relaxed),
                    Ran::Over => {
                        connection.query_drop("ROLLBACK").await?;
                        return Ok(());
                    }
                };
            }
        }
        let end = if self.random.one_in(30) {
            "ROLLBACK"
        } else {
            "COMMIT"
        };
        connection.query_drop(end).await?;
        self.tally.transactions.fetch_add(1, Ordering::Relaxed);
        Ok(())
    }

    /// One step of a transaction.
    fn choose(&mut self) -> Vec<String> {
        let index = self.random.below(self.shapes.len() as u64) as usize;
        let (shape, random) = (&self.shapes[index], &mut self.random);
        let count = 1 + random.below(4);
        match random.below(20) {
            0..5 => vec![insert(shape, random, count)],
            5..7 => vec![insert(shape, random, count).replacen("INSERT", "REPLACE", 1)],
            7..9 => vec![upsert(shape, random)],
            9..13 => vec![update(shape, random)],
            13..15 => vec![change_key(shape, random)],
            15..17 => vec![delete(shape, random)],
            17 => come_back(shape, random),
            _ => match (shape.swapped, shape.shifted) {
                (Some(column), _) => swap(shape, column, random),
                (None, Some(column)) => vec![shift(shape, column, random)],
                (None, None) => vec![update(shape, random)],
            },
        }
    }
}

enum Ran {
    Done,
    /// The statement met a key, or a value that does not fit; its transaction goes on.
    Refused,
    /// The transaction is over.
    Over,
}

async fn run(connection: &mut Conn, statement: &str) -> Result<Ran> {
    match connection.query_drop(statement).await {
        Ok(()) => Ok(Ran::Done),
        Err(Error::Server(error)) if TRANSACTION_CODES.contains(&error.code) => Ok(Ran::Over),
        // A duplicate key, a value that does not fit.
        Err(Error::Server(error)) if [1062, 1264, 1366, 1406, 1265].contains(&error.code) => {
            Ok(Ran::Refused)
        }
        Err(error) => Err(Failure::because(statement, error)),
    }
}

async fn prepare(connection: &mut Conn, database: &str) -> Result<()> {
    for statement in [
        format!("USE `{database}`"),
        "SET NAMES utf8mb4, time_zone = '+00:00', innodb_lock_wait_timeout = 5".to_owned(),
    ] {
        connection.query_drop(statement).await?;
    }
    Ok(())
}

fn values(shape: &Shape, random: &mut Random) -> String {
    let values: Vec<String> = shape
        .written()
        .map(|(_, generate)| generate(random))
        .collect();
    format!("({})", values.join(","))
}

fn insert(shape: &Shape, random: &mut Random, rows: u64) -> String {
    let names: Vec<&str> = shape.written().map(|(column, _)| column.name).collect();
    let rows: Vec<String> = (0..rows).map(|_| values(shape, random)).collect();
    format!(
        "INSERT INTO {} ({}) VALUES {}",
        shape.name,
        names.join(","),
        rows.join(",")
    )
}

fn upsert(shape: &Shape, random: &mut Random) -> String {
    let insert = insert(shape, random, 1);
    let assignments: Vec<String> = shape
        .written()
        .map(|(column, _)| format!("{0} = VALUES({0})", column.name))
        .collect();
    format!(
        "{insert} ON DUPLICATE KEY UPDATE {}",
        assignments.join(", ")
    )
}

/// New values for the columns behind the key; for the key where there is nothing else.
fn update(shape: &Shape, random: &mut Random) -> String {
    let behind: Vec<String> = shape
        .written()
        .skip(shape.key_width)
        .map(|(column, generate)| format!("{} = {}", column.name, generate(random)))
        .collect();
    if behind.is_empty() {
        return change_key(shape, random);
    }
    format!(
        "UPDATE {} SET {} WHERE {}",
        shape.name,
        behind.join(", "),
        key_condition(shape, random)
    )
}

fn change_key(shape: &Shape, random: &mut Random) -> String {
    let key: Vec<String> = shape
        .written()
        .take(shape.key_width)
        .map(|(column, generate)| format!("{} = {}", column.name, generate(random)))
        .collect();
    format!(
        "UPDATE {} SET {} WHERE {}",
        shape.name,
        key.join(", "),
        key_condition(shape, random)
    )
}

fn delete(shape: &Shape, random: &mut Random) -> String {
    format!(
        "DELETE FROM {} WHERE {}",
        shape.name,
        key_condition(shape, random)
    )
}

/// A row is deleted and another of the same key put in, in one transaction.
fn come_back(shape: &Shape, random: &mut Random) -> Vec<String> {
    vec![delete(shape, random), insert(shape, random, 3)]
}

/// Two rows exchange a unique value.
fn swap(shape: &Shape, column: &str, random: &mut Random) -> Vec<String> {
    let (name, one, other) = (
        shape.name,
        key_condition(shape, random),
        key_condition(shape, random),
    );
    vec![
        format!(
            "SELECT (SELECT {column} FROM {name} WHERE {one} LIMIT 1), (SELECT {column} FROM {name} WHERE {other} LIMIT 1) INTO @one, @other"
        ),
        format!("UPDATE {name} SET {column} = NULL WHERE {one}"),
        format!("UPDATE {name} SET {column} = @one WHERE {other}"),
        format!("UPDATE {name} SET {column} = @other WHERE {one}"),
    ]
}

/// One statement in which each row takes the value that the row before it gave up.
fn shift(shape: &Shape, column: &str, random: &mut Random) -> String {
    let (sign, order) = if random.one_in(2) {
        ("+", "DESC")
    } else {
        ("-", "ASC")
    };
    let from = random.below(200);
    format!(
        "UPDATE {name} SET {column} = {column} {sign} 1 WHERE {column} BETWEEN {from} AND {} ORDER BY {column} {order}",
        from + 1 + random.below(12),
        name = shape.name
    )
}

fn key_condition(shape: &Shape, random: &mut Random) -> String {
    let parts: Vec<String> = shape
        .written()
        .take(shape.key_width)
        .map(|(column, generate)| match generate(random) {
            null if null == "NULL" => format!("{} IS NULL", column.name),
            value => format!("{} = {value}", column.name),
        })
        .collect();
    parts.join(" AND ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_seed_makes_the_same_statements_again() {
        for flavour in [Flavour::MySql97, Flavour::MySql56, Flavour::MariaDb] {
            let list = shapes(flavour);
            assert!(list.len() >= 20, "{} shapes", list.len());
            let (mut one, mut other) = (Random::new(7), Random::new(7));
            for shape in &list {
                assert_eq!(insert(shape, &mut one, 3), insert(shape, &mut other, 3));
                assert_eq!(update(shape, &mut one), update(shape, &mut other));
            }
        }
    }
}
