//! The heartbeat at the source: written while the task streams, only where it is asked for, and
//! never behind the end of writes.

use crate::runner::{Running, Wherry};
use mysql_async::prelude::Queryable;
use serde_json::Value;
use std::process::Command;
use wherry_testkit::{Flavour, Server, ServerOptions};

const OFTEN: &str = "heartbeat: {interval_seconds: 1}";
const BEATS: &str = "SELECT CONCAT(task, ' ', beat_at) FROM wherry_heartbeat.heartbeat";
const DATABASES: &str =
    "SELECT COUNT(*) FROM information_schema.schemata WHERE schema_name = 'wherry_heartbeat'";

async fn servers(flavour: Flavour) -> (Server, Server) {
    let source = Server::start(flavour, ServerOptions::default());
    let target = Server::start(Flavour::MySql97, ServerOptions::default());
    let (source, target) = (source.await.expect("source"), target.await.expect("target"));
    source
        .sql(
            "CREATE DATABASE shop;
             CREATE TABLE shop.item (id BIGINT PRIMARY KEY, name VARCHAR(40));
             INSERT INTO shop.item VALUES (1, 'a'), (2, 'b')",
        )
        .await
        .expect("source data");
    (source, target)
}

async fn value(server: &Server, query: &str) -> String {
    let value = server.value(query).await.expect("an answer");
    value.unwrap_or_default()
}

/// The end of the source's binlog.
async fn end(source: &Server) -> String {
    let rows = match source.flavour() {
        Flavour::MySql97 => source.rows("SHOW BINARY LOG STATUS").await,
        Flavour::MySql56 | Flavour::MariaDb => source.rows("SHOW MASTER STATUS").await,
    };
    format!("{:?}", &rows.expect("a status")[0][..2])
}

fn place(line: &Value) -> &str {
    line["stream"]["position"].as_str().unwrap_or_default()
}

/// Waits until the stream has read on, which nothing but a beat lets it do at a quiet source.
fn hear_beat(running: &Running) -> Value {
    let before = running.last("progress").expect("it has shown progress");
    running.hear("another place in the binlog", |line| {
        !place(line).is_empty()
            && place(line) != place(&before)
            && line["updated_at_us"].as_u64() > before["updated_at_us"].as_u64()
            && line["stream"]["lag_seconds"]
                .as_u64()
                .is_some_and(|lag| lag <= 3)
    })
}

/// Changes that were applied so far; a stream begins before its load.
fn changes(running: &Running) -> Option<u64> {
    running.last("progress")?["stream"]["changes"].as_u64()
}

async fn beats(flavour: Flavour) {
    let (source, target) = servers(flavour).await;
    // A pattern for everything does not mean the heartbeat.
    let wherry = Wherry::new(&source, &target, &["'*'"]).source(OFTEN);
    let checked = wherry.finish(&["precheck"]).expect_code(0);
    assert_eq!(verdict(&checked.lines), "pass");
    assert_eq!(
        value(&source, DATABASES).await,
        "0",
        "a precheck writes nothing"
    );
    let running = wherry.start(&["run"]);
    running.hear_strict();
    hear_beat(&running);
    let first = value(&source, BEATS).await;
    assert!(first.starts_with("test "), "{first}");
    hear_beat(&running);
    hear_beat(&running);
    let later = value(&source, BEATS).await;
    assert!(later > first, "{later} is not behind {first}");
    wherry.finish(&["verify"]).expect_code(0);
    running.stop();
    let last = value(&source, BEATS).await;
    assert_eq!(value(&target, DATABASES).await, "0");
    let checked = wherry.finish(&["precheck"]);
    assert_eq!(verdict(&checked.lines), "pass", "the table is there");
    assert_eq!(value(&source, BEATS).await, last);
}

/// The verdict of the precheck's item about the heartbeat.
fn verdict(lines: &[Value]) -> String {
    let item = lines.iter().find(|line| line["id"] == "source-heartbeat");
    let item = item.unwrap_or_else(|| panic!("no item in {lines:?}"));
    item["verdict"].as_str().unwrap_or_default().to_owned()
}

#[tokio::test(flavor = "multi_thread")]
async fn an_idle_source_of_97_beats() {
    beats(Flavour::MySql97).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_idle_source_of_56_beats() {
    beats(Flavour::MySql56).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_idle_source_of_mariadb_beats() {
    beats(Flavour::MariaDb).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn without_the_key_nothing_is_written() {
    let (source, target) = servers(Flavour::MySql97).await;
    let before = end(&source).await;
    let wherry = Wherry::new(&source, &target, &["shop"]);
    let running = wherry.start(&["run"]);
    running.hear_strict();
    running.stop();
    wherry.finish(&["verify"]).expect_code(0);
    assert_eq!(end(&source).await, before);
    assert_eq!(value(&source, DATABASES).await, "0");
}

#[tokio::test(flavor = "multi_thread")]
async fn no_beat_comes_behind_the_end_of_writes() {
    let (source, target) = servers(Flavour::MySql97).await;
    let folder = tempfile::tempdir().expect("a folder");
    let pipe = folder.path().join("writes-stopped");
    let made = Command::new("mkfifo").arg(&pipe).status();
    assert!(made.expect("mkfifo runs").success());
    let stop = format!(
        "cutover: {{stop_writes: {{command: \"cat {}\"}}}}",
        pipe.display()
    );
    let wherry = Wherry::new(&source, &target, &["shop"])
        .source(OFTEN)
        .extra(&stop);
    let running = wherry.start(&["run", "--cutover"]);
    let began = running.hear("the end of writes", |line| {
        line["message"] == "running the command that stops writes"
    });
    let before = (value(&source, BEATS).await, end(&source).await);
    assert!(before.0.starts_with("test "), "{before:?}");
    let later = began["updated_at_us"].as_u64().map(|at| at + 3_500_000);
    running.hear("some intervals later", |line| {
        line["updated_at_us"].as_u64() > later
    });
    let after = (value(&source, BEATS).await, end(&source).await);
    assert_eq!(after, before);
    std::fs::write(&pipe, "").expect("the pipe is read");
    running.wait().expect_code(0);
    let after = (value(&source, BEATS).await, end(&source).await);
    assert_eq!(after, before);
}

/// An account that may move `shop`, and nothing else.
async fn poor(source: &Server) -> String {
    let routines = match source.flavour() {
        Flavour::MySql97 => "GRANT SHOW_ROUTINE, XA_RECOVER_ADMIN ON *.* TO poor@'%'",
        Flavour::MySql56 | Flavour::MariaDb => "GRANT SELECT ON mysql.proc TO poor@'%'",
    };
    source
        .sql(&format!(
            "CREATE USER poor@'%' IDENTIFIED BY 'poor';
             GRANT SELECT, SHOW VIEW, TRIGGER, EVENT ON shop.* TO poor@'%';
             GRANT REPLICATION SLAVE, REPLICATION CLIENT ON *.* TO poor@'%';
             {routines}"
        ))
        .await
        .expect("an account");
    source.url("mover").replace("mover:mover", "poor:poor")
}

const RIGHTS: &str = "CREATE, INSERT, UPDATE ON `wherry_heartbeat`.*";

async fn wants_rights(flavour: Flavour) {
    let (source, target) = servers(flavour).await;
    let url = poor(&source).await;
    let wherry = Wherry::with_urls(&url, &target.url("mover"), &["shop"]).source(OFTEN);
    for right in ["", "CREATE", "INSERT, UPDATE"] {
        if !right.is_empty() {
            let grant = format!("GRANT {right} ON wherry_heartbeat.* TO poor@'%'");
            source.sql(&grant).await.expect("a grant");
        }
        let checked = wherry.finish(&["precheck"]);
        let all = format!("{:?}", checked.lines);
        let whole = right == "INSERT, UPDATE";
        let expected = if whole { "pass" } else { "fail" };
        assert_eq!(verdict(&checked.lines), expected, "{right}: {all}");
        assert_eq!(all.contains(RIGHTS), !whole, "{all}");
        assert_eq!(checked.code == 0, whole, "{all}");
        assert_eq!(value(&source, DATABASES).await, "0");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_precheck_names_the_rights_at_97() {
    wants_rights(Flavour::MySql97).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_precheck_names_the_rights_at_56() {
    wants_rights(Flavour::MySql56).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_precheck_names_the_rights_at_mariadb() {
    wants_rights(Flavour::MariaDb).await;
}

/// Beats that the binlog does not hold tell nothing.
#[tokio::test(flavor = "multi_thread")]
async fn the_precheck_tells_a_filter_of_the_binlog() {
    let options = ServerOptions {
        arguments: vec!["--binlog-ignore-db=wherry_heartbeat".to_owned()],
        ..ServerOptions::default()
    };
    let source = Server::start(Flavour::MySql97, options);
    let target = Server::start(Flavour::MySql97, ServerOptions::default());
    let (source, target) = (source.await.expect("source"), target.await.expect("target"));
    source
        .sql("CREATE DATABASE shop; CREATE TABLE shop.item (id INT PRIMARY KEY)")
        .await
        .expect("source data");
    let wherry = Wherry::new(&source, &target, &["shop"]);
    wherry.finish(&["precheck"]).expect_code(0);
    let beating = Wherry::new(&source, &target, &["shop"]).source(OFTEN);
    let checked = beating.finish(&["precheck"]);
    assert_eq!(verdict(&checked.lines), "fail");
    assert!(
        format!("{:?}", checked.lines).contains("binlog_ignore_db"),
        "{:?}",
        checked.lines
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stream_goes_on_without_the_right_to_beat() {
    let (source, target) = servers(Flavour::MySql97).await;
    let url = poor(&source).await;
    let grant = format!("GRANT {RIGHTS} TO poor@'%'");
    source.sql(&grant).await.expect("a grant");
    let wherry = Wherry::with_urls(&url, &target.url("mover"), &["shop"]).source(OFTEN);
    let running = wherry.start(&["run"]);
    running.hear_strict();
    hear_beat(&running);
    let revoke = format!("REVOKE {RIGHTS} FROM poor@'%'");
    source.sql(&revoke).await.expect("a revoke");
    let refused = running.hear("a beat that is refused", |line| {
        line["stream"]["heartbeat"].is_string()
    });
    let words = refused["stream"]["heartbeat"].to_string();
    assert!(words.contains("`wherry_heartbeat`.`heartbeat`"), "{words}");
    // Without beats the lag is no longer known, and grows.
    running.hear("more than one refusal", |line| {
        line["stream"]["heartbeat"].is_string() && line["stream"]["lag_seconds"].as_u64() >= Some(4)
    });
    let before = changes(&running);
    source
        .sql("INSERT INTO shop.item VALUES (3, 'c')")
        .await
        .expect("insert");
    running.hear("the change", |line| {
        line["stream"]["heartbeat"].is_string() && line["stream"]["changes"].as_u64() > before
    });
    source.sql(&grant).await.expect("a grant");
    running.hear_log("the heartbeat is written again");
    hear_beat(&running);
    assert_eq!(running.said("SRC-054").len(), 1, "{}", running.stderr());
    running.stop();
    assert_eq!(value(&target, "SELECT COUNT(*) FROM shop.item").await, "3");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_lag_grows_while_the_target_cannot_follow() {
    let (source, target) = servers(Flavour::MySql97).await;
    let wherry = Wherry::new(&source, &target, &["shop"]).source(OFTEN);
    let running = wherry.start(&["run"]);
    running.hear_strict();
    hear_beat(&running);
    let before = changes(&running);
    let mut lock = target.connect().await.expect("a session");
    lock.query_drop("LOCK TABLES shop.item READ")
        .await
        .expect("a lock");
    source
        .sql("INSERT INTO shop.item VALUES (3, 'c')")
        .await
        .expect("insert");
    let now = running.last("progress").expect("it has shown progress");
    let later = now["updated_at_us"].as_u64().map(|at| at + 8_000_000);
    let held_up = running.hear("some intervals later", |line| {
        line["updated_at_us"].as_u64() > later
    });
    let lag = held_up["stream"]["lag_seconds"].as_u64();
    assert!(lag >= Some(5), "{held_up}");
    lock.query_drop("UNLOCK TABLES").await.expect("no lock");
    running.hear("the change", |line| {
        line["stream"]["changes"].as_u64() > before
    });
    hear_beat(&running);
    running.stop();
}
