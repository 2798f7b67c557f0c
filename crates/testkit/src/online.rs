//! A table under writes, and what gh-ost does to such a table.
//!
//! Every statement here is issued as gh-ost's documents and its behaviour describe it. The real tool learns of changes
//! from the binlog; here the writers keep a log of row images in a database beside, in the same transactions.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use mysql_async::prelude::Queryable;
use mysql_async::{Conn, Error};
use tokio::sync::watch;
use tokio::task::JoinHandle;

use crate::failure::{Failure, Result};
use crate::percona::SchemaChange;
use crate::random::Random;
use crate::server::Server;
use crate::shop::connect;

/// Where the writers keep their log.
const LOG: &str = "wherry_tool.log";

/// Columns that the writers name; a change must leave them.
const COLUMNS: &str = "id, name, amount, code, label, spare";

/// Rows of one copied chunk.
const CHUNK_ROWS: u64 = 500;

/// Between two transactions of a writer, so that an unoptimised build on a busy machine keeps up.
const PAUSE: Duration = Duration::from_millis(8);

/// How long somebody else may take before this counts as a fault of the test.
const PATIENCE: Duration = Duration::from_secs(120);

/// A deadlock, a lock wait that took too long, a duplicate key, a table that is not there for a moment.
const HARMLESS_CODES: [u16; 4] = [1213, 1205, 1062, 1146];

/// Makes a database with table `t` of so many rows, and the log of its writers.
pub async fn make_table(server: &Server, database: &str, rows: u64) -> Result<()> {
    let columns = "name VARCHAR(40) NOT NULL, amount DECIMAL(10,2), code INT, label VARCHAR(24), spare INT DEFAULT 5";
    server
        .sql(&format!(
            "CREATE DATABASE {database} DEFAULT CHARACTER SET utf8mb4;
             CREATE TABLE {database}.t (id INT UNSIGNED NOT NULL AUTO_INCREMENT, {columns},
                 PRIMARY KEY (id), UNIQUE KEY by_label (label), KEY by_code (code)) ENGINE=InnoDB;
             CREATE DATABASE IF NOT EXISTS wherry_tool DEFAULT CHARACTER SET utf8mb4;
             CREATE TABLE {LOG} (seq BIGINT NOT NULL AUTO_INCREMENT PRIMARY KEY, op CHAR(1) NOT NULL,
                 id INT UNSIGNED NOT NULL, {columns}) ENGINE=InnoDB;
             INSERT INTO {database}.t (name, amount, code) VALUES ('first', 1.25, 1), ('second', NULL, 2)"
        ))
        .await?;
    let mut connection = server.connect().await?;
    let mut count = 2;
    while count < rows {
        let more = count.min(rows - count);
        let statement = format!(
            "INSERT INTO {database}.t (name, amount, code) SELECT CONCAT('name ', id), id / 4, id % 97 FROM {database}.t LIMIT {more}"
        );
        connection.query_drop(statement).await?;
        count += more;
    }
    let labels = format!("UPDATE {database}.t SET label = CONCAT('L', id) WHERE id % 3 = 0");
    connection.query_drop(labels).await?;
    connection.disconnect().await?;
    Ok(())
}

/// Running writers on table `t`. Dropping it ends them without waiting.
pub struct TableWriters {
    go_on: watch::Sender<bool>,
    writers: Vec<JoinHandle<Result<()>>>,
    transactions: Arc<AtomicU64>,
}

impl TableWriters {
    pub fn start(server: &Server, database: &str, count: u64, seed: u64) -> TableWriters {
        let (go_on, _) = watch::channel(true);
        let transactions = Arc::new(AtomicU64::new(0));
        let writers = (0..count)
            .map(|number| {
                let writer = Writer {
                    url: server.url("root"),
                    table: format!("{database}.t"),
                    random: Random::new(seed.wrapping_mul(31).wrapping_add(number)),
                    go_on: go_on.subscribe(),
                    transactions: Arc::clone(&transactions),
                };
                tokio::spawn(writer.run())
            })
            .collect();
        TableWriters {
            go_on,
            writers,
            transactions,
        }
    }

    /// Waits until so many more transactions have been committed.
    pub async fn wait_for(&self, more: u64) -> Result<()> {
        let goal = self.transactions.load(Ordering::Relaxed) + more;
        let deadline = Instant::now() + PATIENCE;
        while self.transactions.load(Ordering::Relaxed) < goal {
            let ended = self.writers.iter().any(JoinHandle::is_finished);
            if ended || Instant::now() > deadline {
                return Err(Failure::new("the table's writers do not get on"));
            }
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        Ok(())
    }

    /// Returns once every writer has ended its transaction.
    pub async fn stop(self) -> Result<()> {
        self.go_on.send_replace(false);
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
    table: String,
    random: Random,
    go_on: watch::Receiver<bool>,
    transactions: Arc<AtomicU64>,
}

impl Writer {
    async fn run(mut self) -> Result<()> {
        let mut connection = connect(&self.url).await?;
        while self.go_on.has_changed().is_ok() && *self.go_on.borrow() {
            let statements = self.choose();
            if transaction(&mut connection, &statements).await? {
                self.transactions.fetch_add(1, Ordering::Relaxed);
            }
            tokio::time::sleep(PAUSE).await;
        }
        connection.disconnect().await?;
        Ok(())
    }

    /// One change and its image in the log.
    fn choose(&mut self) -> Vec<String> {
        let table = &self.table;
        let id = 1 + self.random.below(3000);
        let number = self.random.below(1_000_000);
        let log = |op: &str, condition: &str| {
            format!(
                "INSERT INTO {LOG} (op, {COLUMNS}) SELECT '{op}', {COLUMNS} FROM {table} WHERE {condition}"
            )
        };
        match self.random.below(10) {
            0..3 => vec![
                format!(
                    "INSERT INTO {table} (name, amount, code, label) VALUES ('new {number}', {number} / 8, {number} % 97, IF({number} % 2, CONCAT('W', {number}), NULL))"
                ),
                log("r", "id = LAST_INSERT_ID()"),
            ],
            3..7 => vec![
                format!(
                    "UPDATE {table} SET amount = {number} / 16, name = CONCAT('changed ', {number}) WHERE id = {id}"
                ),
                log("r", &format!("id = {id}")),
            ],
            7 => vec![
                format!(
                    "UPDATE {table} SET label = IF({number} % 3, CONCAT('W', {number}), NULL) WHERE id = {id}"
                ),
                log("r", &format!("id = {id}")),
            ],
            8 => vec![
                log("d", &format!("id = {id} FOR UPDATE")),
                format!("DELETE FROM {table} WHERE id = {id}"),
            ],
            // The row moves to another key.
            _ => vec![
                log("d", &format!("id = {id} FOR UPDATE")),
                format!("UPDATE {table} SET id = {number} + 10000000 WHERE id = {id}"),
                log("r", &format!("id = {number} + 10000000")),
            ],
        }
    }
}

/// True where the transaction was committed.
async fn transaction(connection: &mut Conn, statements: &[String]) -> Result<bool> {
    connection.query_drop("START TRANSACTION").await?;
    for statement in statements {
        match connection.query_drop(statement).await {
            Ok(()) => {}
            Err(Error::Server(error)) if HARMLESS_CODES.contains(&error.code) => {
                connection.query_drop("ROLLBACK").await?;
                return Ok(false);
            }
            Err(error) => return Err(Failure::because(statement, error)),
        }
    }
    connection.query_drop("COMMIT").await?;
    Ok(true)
}

/// A run of gh-ost on table `t`, step by step.
pub struct Ghost {
    server: String,
    connection: Conn,
    table: String,
    changelog: String,
    ghost: String,
    old: String,
    /// Columns that both tables have.
    shared: Vec<String>,
    /// Rows up to here are copied.
    copied_to: u64,
    heartbeat: u64,
}

impl Ghost {
    /// Makes the tool's tables and changes the empty one.
    pub async fn begin(server: &Server, change: &SchemaChange) -> Result<Ghost> {
        let name = |name: String| format!("`{}`.`{name}`", change.database);
        let mut ghost = Ghost {
            server: server.url("root"),
            connection: server.connect().await?,
            table: name(change.table.clone()),
            changelog: name(format!("_{}_ghc", change.table)),
            ghost: name(format!("_{}_gho", change.table)),
            old: name(format!("_{}_del", change.table)),
            shared: Vec::new(),
            copied_to: 0,
            heartbeat: 0,
        };
        let Ghost {
            table,
            changelog,
            ghost: copy,
            ..
        } = &ghost;
        let statements = [
            format!("DROP /* gh-ost */ TABLE IF EXISTS {copy}"),
            format!("DROP /* gh-ost */ TABLE IF EXISTS {changelog}"),
            format!(
                "CREATE /* gh-ost */ TABLE {changelog} (id BIGINT UNSIGNED AUTO_INCREMENT,
                     last_update TIMESTAMP NOT NULL DEFAULT CURRENT_TIMESTAMP ON UPDATE CURRENT_TIMESTAMP,
                     hint VARCHAR(64) CHARSET ascii NOT NULL, value VARCHAR(4096) CHARSET ascii NOT NULL,
                     PRIMARY KEY (id), UNIQUE KEY hint_uidx (hint)) AUTO_INCREMENT=256"
            ),
            format!("CREATE /* gh-ost */ TABLE {copy} LIKE {table}"),
            format!("ALTER /* gh-ost */ TABLE {copy} {}", change.alter),
            format!("ALTER /* gh-ost */ TABLE {copy} AUTO_INCREMENT=3000000"),
        ];
        for statement in statements {
            ghost.run(&statement).await?;
        }
        ghost.note("state", "GhostTableMigrated").await?;
        ghost.shared = ghost.shared_columns(change).await?;
        Ok(ghost)
    }

    /// Copies up to so many chunks with what was written meanwhile; false where all are copied.
    pub async fn copy(&mut self, chunks: u64) -> Result<bool> {
        for _ in 0..chunks {
            let from = self.copied_to;
            let next = format!(
                "SELECT MAX(id) FROM (SELECT id FROM {} WHERE id > {from} ORDER BY id LIMIT {CHUNK_ROWS}) AS chunk",
                self.table
            );
            let next: Option<Option<u64>> = self.connection.query_first(next).await?;
            let Some(to) = next.flatten() else {
                return Ok(false);
            };
            let Ghost { table, ghost, .. } = &self;
            let shared = self.shared.join(", ");
            let copy = format!(
                "INSERT /* gh-ost */ IGNORE INTO {ghost} ({shared}) (SELECT {shared} FROM {table} FORCE INDEX (PRIMARY) \
                 WHERE id > {from} AND id <= {to} LOCK IN SHARE MODE)"
            );
            self.run(&copy).await?;
            self.copied_to = to;
            self.heartbeat += 1;
            self.note("heartbeat", &self.heartbeat.to_string()).await?;
            self.apply_log().await?;
        }
        Ok(true)
    }

    /// Copies the rest, swaps the tables and drops what is left over.
    pub async fn finish(mut self) -> Result<()> {
        while self.copy(16).await? {}
        self.swap().await?;
        for table in [self.changelog.clone(), self.old.clone()] {
            self.run(&format!("DROP /* gh-ost */ TABLE IF EXISTS {table}"))
                .await?;
        }
        self.connection.disconnect().await?;
        Ok(())
    }

    /// The atomic cut-over: one session locks the table and a sentry that keeps the rename of another session waiting.
    async fn swap(&mut self) -> Result<()> {
        let Ghost {
            table, ghost, old, ..
        } = &self;
        let (table, old) = (table.clone(), old.clone());
        let rename = format!("RENAME /* gh-ost */ TABLE {table} TO {old}, {ghost} TO {table}");
        let mut locker = connect(&self.server).await?;
        for statement in [
            format!(
                "CREATE /* gh-ost */ TABLE {old} (id INT AUTO_INCREMENT PRIMARY KEY) ENGINE=InnoDB COMMENT='ghost-cut-over-sentry'"
            ),
            format!("LOCK /* gh-ost */ TABLES {table} WRITE, {old} WRITE"),
        ] {
            locker.query_drop(statement).await?;
        }
        // Nobody writes now, so the log ends here.
        self.apply_log().await?;
        let mut renamer = connect(&self.server).await?;
        let id = renamer.id();
        let renaming = tokio::spawn(async move {
            renamer.query_drop(rename).await?;
            renamer.disconnect().await
        });
        self.wait_for_session(id).await?;
        locker
            .query_drop(format!("DROP /* gh-ost */ TABLE IF EXISTS {old}"))
            .await?;
        self.wait_for_rename(id).await?;
        locker.query_drop("UNLOCK TABLES").await?;
        locker.disconnect().await?;
        renaming
            .await
            .map_err(|error| Failure::because("the rename panicked", error))??;
        Ok(())
    }

    /// Returns when the rename waits for the table itself. Before that, writers would come first
    /// when the table is given back, and their changes would be lost in the table put aside.
    ///
    /// Locks are taken in the order of names, so a rename that holds the copy and waits has
    /// nothing else to wait for.
    async fn wait_for_rename(&mut self, id: u32) -> Result<()> {
        let deadline = Instant::now() + PATIENCE;
        self.run("SET SESSION lock_wait_timeout = 1").await?;
        let probe = format!("SELECT 1 FROM {} LIMIT 0", self.ghost);
        loop {
            match self.connection.query_drop(&probe).await {
                Err(Error::Server(error)) if error.code == 1205 => break,
                Ok(()) if Instant::now() < deadline => {}
                Ok(()) => return Err(Failure::new("the rename does not take the copy")),
                Err(error) => return Err(Failure::because(&probe, error)),
            }
        }
        self.run("SET SESSION lock_wait_timeout = 600").await?;
        self.wait_for_session(id).await
    }

    /// Returns when a session waits for a table's definition.
    async fn wait_for_session(&mut self, id: u32) -> Result<()> {
        let deadline = Instant::now() + PATIENCE;
        let asked = format!(
            "SELECT COUNT(*) FROM information_schema.PROCESSLIST WHERE ID = {id} AND STATE LIKE 'Waiting for table%'"
        );
        while self.connection.query_first(&asked).await? != Some(1) {
            if Instant::now() > deadline {
                return Err(Failure::new("the rename does not wait for the lock"));
            }
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        Ok(())
    }

    /// Repeats on the copy what the writers have logged; each key's images come in the order of its changes.
    async fn apply_log(&mut self) -> Result<()> {
        let ghost = &self.ghost;
        // Nobody writes other columns, so in every row they have their default.
        let logged: Vec<&str> = COLUMNS.split(", ").collect();
        let shared = self.shared.iter().map(String::as_str);
        let shared: Vec<&str> = shared.filter(|name| logged.contains(name)).collect();
        let shared = shared.join(", ");
        loop {
            let some = format!("SELECT seq, op, id FROM {LOG} ORDER BY seq LIMIT 200");
            let entries: Vec<(u64, String, u64)> = self.connection.query(some).await?;
            if entries.is_empty() {
                return Ok(());
            }
            let mut statements = Vec::new();
            for (seq, op, id) in entries {
                statements.push(if op == "d" {
                    format!("DELETE /* gh-ost */ FROM {ghost} WHERE id = {id}")
                } else {
                    format!("REPLACE /* gh-ost */ INTO {ghost} ({shared}) SELECT {shared} FROM {LOG} WHERE seq = {seq}")
                });
                statements.push(format!("DELETE FROM {LOG} WHERE seq = {seq}"));
            }
            let begin = Instant::now();
            while !transaction(&mut self.connection, &statements).await? {
                if begin.elapsed() > PATIENCE {
                    return Err(Failure::new("the log cannot be applied"));
                }
            }
        }
    }

    async fn shared_columns(&mut self, change: &SchemaChange) -> Result<Vec<String>> {
        let SchemaChange {
            database, table, ..
        } = change;
        let query = format!(
            "SELECT a.COLUMN_NAME FROM information_schema.COLUMNS a JOIN information_schema.COLUMNS b \
             ON b.TABLE_SCHEMA = a.TABLE_SCHEMA AND b.TABLE_NAME = '_{table}_gho' AND b.COLUMN_NAME = a.COLUMN_NAME \
             WHERE a.TABLE_SCHEMA = '{database}' AND a.TABLE_NAME = '{table}' ORDER BY a.ORDINAL_POSITION"
        );
        Ok(self.connection.query(query).await?)
    }

    async fn note(&mut self, hint: &str, value: &str) -> Result<()> {
        let changelog = &self.changelog;
        let statement = format!(
            "INSERT /* gh-ost */ INTO {changelog} (hint, value) VALUES ('{hint}', '{value}') \
             ON DUPLICATE KEY UPDATE last_update = NOW(), value = VALUES(value)"
        );
        self.run(&statement).await
    }

    async fn run(&mut self, statement: &str) -> Result<()> {
        let begin = Instant::now();
        loop {
            match self.connection.query_drop(statement).await {
                Ok(()) => return Ok(()),
                // The tool tries again where a writer was in its way.
                Err(Error::Server(error))
                    if [1213, 1205].contains(&error.code) && begin.elapsed() < PATIENCE => {}
                Err(error) => return Err(Failure::because(statement, error)),
            }
        }
    }
}
