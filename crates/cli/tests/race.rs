//! The visibility race: a commit stands in the binlog before other sessions see it.
//!
//! A stalled commit makes it deterministic. The load does not see the row, so the stream must
//! bring it, which it does only when the start lies before the stalled commit.

use crate::runner::Wherry;
use std::sync::Arc;
use std::time::Duration;
use tokio::task::JoinHandle;
use wherry_testkit::{CommitStall, Flavour, Server, ServerOptions, compare};

const POLL: Duration = Duration::from_millis(20);

/// File and offset of the source's binlog.
async fn binlog_end(source: &Server) -> (String, u64) {
    let query = match source.flavour() {
        Flavour::MySql97 => "SHOW BINARY LOG STATUS",
        Flavour::MySql56 | Flavour::MariaDb => "SHOW MASTER STATUS",
    };
    let rows = source.rows(query).await.expect("binlog status");
    let text = |column: usize| rows[0][column].clone().unwrap_or_default();
    (text(0), text(1).parse().expect("an offset"))
}

/// Begins a commit that stalls, and returns when it stands in the binlog.
async fn stalled(source: &Arc<Server>, statement: &str) -> JoinHandle<()> {
    let before = binlog_end(source).await;
    let server = Arc::clone(source);
    let statement = statement.to_owned();
    let commit =
        tokio::spawn(async move { server.sql(&statement).await.expect("the stalled commit") });
    while binlog_end(source).await == before {
        assert!(!commit.is_finished(), "the commit did not stall");
        tokio::time::sleep(POLL).await;
    }
    commit
}

async fn race(flavour: Flavour, gtid: bool, rotate: bool) {
    let arguments = if rotate {
        vec!["--max-binlog-size=4096".to_owned()]
    } else {
        Vec::new()
    };
    let options = ServerOptions {
        gtid,
        arguments,
        ..ServerOptions::default()
    };
    let (stall, options) = CommitStall::prepare(flavour, options).expect("a way to stall");
    let source = Arc::new(Server::start(flavour, options).await.expect("source"));
    let target = Server::start(Flavour::MySql97, ServerOptions::default())
        .await
        .expect("target");
    source
        .sql(
            "CREATE DATABASE shop;
             CREATE TABLE shop.item (id INT PRIMARY KEY, v LONGTEXT) ENGINE=InnoDB;
             INSERT INTO shop.item VALUES (1, 'seen'), (2, 'seen')",
        )
        .await
        .expect("source data");
    stall.arm(&source).await.expect("armed");
    let (file, _) = binlog_end(&source).await;
    // When it is larger than a file may be, the server goes on to the next file before it waits.
    let length = if rotate { 9000 } else { 9 };
    let statement = format!("INSERT INTO shop.item VALUES (1000, REPEAT('x', {length}))");
    let commit = stalled(&source, &statement).await;
    assert_eq!(
        binlog_end(&source).await.0 != file,
        rotate,
        "rotation by size"
    );
    let seen = source
        .value("SELECT COUNT(*) FROM shop.item WHERE id >= 1000")
        .await
        .expect("count");
    assert_eq!(
        seen.as_deref(),
        Some("0"),
        "the stalled rows are not visible yet"
    );
    let wherry = Wherry::new(&source, &target, &["shop"]);
    let running = wherry.start(&["run"]);
    running.hear("the load", |line| {
        line["phase"] == "load" || line["phase"] == "stream"
    });
    running.hear("the table's rows", |line| {
        line["load"]["rows"].as_u64().is_some_and(|rows| rows >= 2)
    });
    let seen = source
        .value("SELECT COUNT(*) FROM shop.item WHERE id >= 1000")
        .await
        .expect("count");
    assert_eq!(
        seen.as_deref(),
        Some("0"),
        "the load ran while the rows were invisible"
    );
    stall.disarm(&source).await.expect("disarmed");
    commit.await.expect("the stalled commit ends");
    running.hear_strict();
    wherry.finish(&["verify"]).expect_code(0);
    running.stop();
    compare(&source.url("root"), &target.url("root"), &["shop"])
        .await
        .expect("comparison")
        .assert_equal();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stalled_commit_is_not_lost_on_97_with_gtid() {
    race(Flavour::MySql97, true, false).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stalled_commit_is_not_lost_on_97_without_gtid() {
    race(Flavour::MySql97, false, false).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stalled_commit_is_not_lost_on_56_with_gtid() {
    race(Flavour::MySql56, true, false).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stalled_commit_is_not_lost_on_56_without_gtid() {
    race(Flavour::MySql56, false, false).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stalled_commit_is_not_lost_on_mariadb() {
    race(Flavour::MariaDb, true, false).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stalled_commit_is_not_lost_when_mariadb_rotates_by_size() {
    race(Flavour::MariaDb, true, true).await;
}
