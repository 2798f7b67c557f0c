//! Foreign keys that wait for the end of replay, and what comes meanwhile.

use crate::kinds::pair;
use crate::lanes::becomes;
use crate::runner::{Running, Wherry};
use mysql_async::Conn;
use mysql_async::prelude::Queryable;
use wherry_testkit::{Flavour, Server};

const DATA: &str = "CREATE DATABASE shop; USE shop;
    CREATE TABLE parent (id INT PRIMARY KEY); CREATE TABLE child (id INT PRIMARY KEY, v INT, FOREIGN KEY (id) REFERENCES parent (id));
    CREATE TABLE anchor LIKE child; ALTER TABLE anchor ADD FOREIGN KEY (id) REFERENCES parent (id);
    CREATE TABLE other (id INT PRIMARY KEY, v INT); INSERT INTO parent VALUES (1); INSERT INTO child VALUES (1, 1);
    INSERT INTO other VALUES (1, 1); SET foreign_key_checks = 0;";

/// Lets a runner come to where it adds the first key, and holds it there.
async fn held_at_the_key(target: &Server, running: &Running) -> Conn {
    let mut holder = target.connect().await.expect("a session");
    let lock = "BEGIN; SELECT COUNT(*) FROM shop.anchor";
    while holder.query_drop(lock).await.is_err() {}
    let waits = "SELECT COUNT(*) FROM information_schema.PROCESSLIST WHERE STATE LIKE 'Waiting for table metadata lock'";
    becomes(target, waits, "1", running).await;
    holder
}

/// The stream has read on to a definition change of another table by then; its rows keep their columns.
#[tokio::test(flavor = "multi_thread")]
async fn a_table_whose_key_is_refused_stops_alone() {
    let (source, target) = pair(Flavour::MySql97).await;
    let orphan = format!("{DATA} INSERT INTO child VALUES (7, 7)");
    source.sql(&orphan).await.expect("source data");
    let wherry = Wherry::new(&source, &target, &["shop"]);
    let running = wherry.start(&["run"]);
    let mut holder = held_at_the_key(&target, &running).await;
    source
        .sql(
            "ALTER TABLE shop.other ADD COLUMN c INT FIRST; INSERT INTO shop.other VALUES (5, 2, 6);
             ALTER TABLE shop.other DROP COLUMN v, ADD COLUMN w INT; INSERT INTO shop.other VALUES (8, 3, 9)",
        )
        .await
        .expect("definition changes");
    holder.query_drop("COMMIT").await.expect("the lock is free");
    let rows = "SELECT GROUP_CONCAT(CONCAT_WS(' ', c, id, w) ORDER BY id) FROM shop.other";
    let moved = "SELECT COUNT(*) FROM shop.other WHERE id = 3";
    becomes(&target, moved, "1", &running).await;
    let found = target.value(rows).await.expect("rows");
    assert_eq!(found.as_deref(), Some("1,5 2,8 3 9"));
    let stopped =
        "SELECT GROUP_CONCAT(table_name) FROM wherry.table_state WHERE stopped IS NOT NULL";
    let stopped = target.value(stopped).await.expect("tables");
    assert_eq!(stopped.as_deref(), Some("child"));
    running.stop();
}

/// A key points to its parent by the name that this has when the key is added.
#[tokio::test(flavor = "multi_thread")]
async fn a_parent_may_be_renamed_before_the_key_is_added() {
    let (source, target) = pair(Flavour::MySql97).await;
    source.sql(DATA).await.expect("source data");
    let wherry = Wherry::new(&source, &target, &["shop"]);
    let running = wherry.start(&["run"]);
    let mut holder = held_at_the_key(&target, &running).await;
    running.signal("KILL");
    drop(running);
    holder.query_drop("COMMIT").await.expect("the lock is free");
    let key = "SELECT COUNT(*) FROM information_schema.REFERENTIAL_CONSTRAINTS WHERE CONSTRAINT_SCHEMA = 'shop' AND REFERENCED_TABLE_NAME = 'oldest'";
    source
        .sql("RENAME TABLE shop.parent TO shop.older; ALTER TABLE shop.older RENAME TO shop.oldest, ADD COLUMN v INT")
        .await
        .expect("other names");
    let running = wherry.start(&["run"]);
    running.hear_strict();
    becomes(&target, key, "2", &running).await;
    wherry.finish(&["verify"]).expect_code(0);
    running.stop();
}
