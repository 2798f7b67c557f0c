//! `kill -9` between a definition change in the target and its checkpoint.
//!
//! Triggers on Wherry's journal hold the runner exactly there: the statement has run, and what would
//! mark it or move the checkpoint waits for a lock of the test and then fails.

use crate::runner::Wherry;
use mysql_async::prelude::Queryable;
use std::time::Duration;
use wherry_testkit::{Flavour, Server, ServerOptions, compare};

/// Fires when a step of a statement is marked as done.
const AT_MARK: &str = "BEFORE UPDATE ON wherry.ddl_intent";
/// Fires in the transaction that moves the checkpoint: it takes the journal's rows away.
pub const AT_COMMIT: &str = "BEFORE DELETE ON wherry.ddl_intent";
/// For statements that have no step in the target.
const AT_CHECKPOINT: &str = "BEFORE UPDATE ON wherry.checkpoint";

const SWAP: &str =
    "RENAME TABLE shop.item TO shop.aside, shop.other TO shop.item, shop.aside TO shop.other";

const FIRST: &str = "CREATE DATABASE shop; USE shop;
             CREATE TABLE item (id INT PRIMARY KEY, name VARCHAR(20), price INT);
             INSERT INTO item VALUES (1, 'one', 100), (2, 'two', 200);
             CREATE TABLE other (id INT PRIMARY KEY, v INT);
             INSERT INTO other VALUES (1, 1);
             CREATE TABLE gone (id INT PRIMARY KEY);
             INSERT INTO gone VALUES (1);
             CREATE TABLE part (id INT PRIMARY KEY, v INT) PARTITION BY RANGE (id) (PARTITION a VALUES LESS THAN (10), PARTITION b VALUES LESS THAN (20));
             INSERT INTO part VALUES (1, 1), (11, 11);
             CREATE TABLE piece (id INT PRIMARY KEY, v INT);
             INSERT INTO piece VALUES (2, 2)";

/// Where to kill in which statement, and the rows that change behind it.
const CHANGES: [(&str, &str, &str); 12] = [
    (
        AT_COMMIT,
        "ALTER TABLE shop.item ADD COLUMN note VARCHAR(9) DEFAULT 'n' AFTER id",
        "UPDATE shop.item SET note = 'x' WHERE id = 1",
    ),
    (
        AT_COMMIT,
        "ALTER TABLE shop.item MODIFY price DECIMAL(10,2)",
        "UPDATE shop.item SET price = 1.25 WHERE id = 2",
    ),
    (
        AT_COMMIT,
        "ALTER TABLE shop.item ADD INDEX by_name (name), ADD UNIQUE KEY (price)",
        "DELETE FROM shop.item WHERE id = 1",
    ),
    (
        AT_COMMIT,
        "ALTER TABLE shop.item DROP COLUMN note",
        "INSERT INTO shop.item VALUES (3, 'three', 3)",
    ),
    (
        AT_MARK,
        SWAP,
        "INSERT INTO shop.item VALUES (7, 7); INSERT INTO shop.other VALUES (8, 'eight', 8)",
    ),
    (
        AT_COMMIT,
        SWAP,
        "INSERT INTO shop.item VALUES (9, 'nine', 9); INSERT INTO shop.other VALUES (10, 10)",
    ),
    (
        AT_COMMIT,
        "TRUNCATE TABLE shop.other",
        "INSERT INTO shop.other VALUES (1, 11)",
    ),
    (AT_COMMIT, "DROP TABLE shop.gone", "DO 0"),
    (
        AT_COMMIT,
        "CREATE TABLE shop.gone (id INT PRIMARY KEY, v INT)",
        "INSERT INTO shop.gone VALUES (1, 2)",
    ),
    (
        AT_COMMIT,
        "ALTER TABLE shop.part DROP PARTITION b",
        "INSERT INTO shop.part VALUES (3, 3)",
    ),
    (
        AT_COMMIT,
        "ALTER TABLE shop.part TRUNCATE PARTITION a",
        "INSERT INTO shop.part VALUES (4, 4)",
    ),
    (
        AT_CHECKPOINT,
        "ALTER TABLE shop.part EXCHANGE PARTITION a WITH TABLE shop.piece",
        "DROP TABLE shop.part, shop.piece",
    ),
];

async fn start() -> Server {
    Server::start(Flavour::MySql97, ServerOptions::default())
        .await
        .expect("a server")
}

async fn count(server: &Server, query: &str) -> u64 {
    let text = server.value(query).await.expect(query).unwrap_or_default();
    text.parse().expect("a number")
}

async fn wait_until(server: &Server, query: &str) {
    while count(server, query).await == 0 {
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

/// Runs the statement at the source and kills the runner when it has come to `moment`.
pub async fn kill_at(
    wherry: &Wherry,
    source: &Server,
    target: &Server,
    moment: &str,
    statement: &str,
) {
    let mut holder = target.connect().await.expect("a session");
    let held = "SELECT GET_LOCK('moment', 0)";
    let held: Option<u32> = holder.query_first(held).await.expect("a lock");
    assert_eq!(held, Some(1));
    let trigger = format!(
        "CREATE TRIGGER wherry.moment {moment} FOR EACH ROW BEGIN DO GET_LOCK('moment', 600); SIGNAL SQLSTATE '45000'; END"
    );
    holder.query_drop(trigger).await.expect("a trigger");
    let running = wherry.start(&["run"]);
    source.sql(statement).await.expect(statement);
    wait_until(
        target,
        "SELECT COUNT(*) FROM information_schema.PROCESSLIST WHERE STATE = 'User lock'",
    )
    .await;
    running.signal("KILL");
    drop(running);
    holder
        .query_drop("DO RELEASE_LOCK('moment')")
        .await
        .expect("the lock is free");
    holder
        .query_drop("DROP TRIGGER wherry.moment")
        .await
        .expect("no trigger");
    holder.disconnect().await.expect("goodbye");
}

#[tokio::test(flavor = "multi_thread")]
async fn killed_between_a_definition_change_and_its_checkpoint() {
    let (source, target) = (start().await, start().await);
    source.sql(FIRST).await.expect("source data");
    let wherry = Wherry::new(&source, &target, &["shop"]);
    let running = wherry.start(&["run"]);
    running.hear_strict();
    running.stop();
    for (moment, statement, rows) in CHANGES {
        kill_at(&wherry, &source, &target, moment, statement).await;
        source.sql(rows).await.expect(rows);
    }
    let running = wherry.start(&["run"]);
    running.hear_strict();
    wherry.finish(&["verify"]).expect_code(0);
    running.stop();
    compare(&source.url("root"), &target.url("root"), &["shop"])
        .await
        .expect("comparison")
        .assert_equal();
    let stopped =
        "SELECT COUNT(*) FROM wherry.loss_ledger WHERE table_name NOT IN ('part', 'piece')";
    assert_eq!(count(&target, stopped).await, 0);
    assert_eq!(
        count(&target, "SELECT COUNT(*) FROM wherry.divergence").await,
        0
    );
}
