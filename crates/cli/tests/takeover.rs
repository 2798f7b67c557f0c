//! Two runners on one task: the older one ends by itself and writes nothing more.

use crate::runner::Wherry;
use wherry_testkit::{Flavour, Server, ServerOptions};

async fn servers() -> (Server, Server) {
    let source = Server::start(Flavour::MySql97, ServerOptions::default())
        .await
        .expect("source");
    let target = Server::start(Flavour::MySql97, ServerOptions::default())
        .await
        .expect("target");
    source
        .sql(
            "CREATE DATABASE shop;
             CREATE TABLE shop.item (id BIGINT PRIMARY KEY AUTO_INCREMENT, name VARCHAR(40));
             INSERT INTO shop.item (name) VALUES ('a'), ('b'), ('c')",
        )
        .await
        .expect("source data");
    (source, target)
}

#[tokio::test(flavor = "multi_thread")]
async fn the_older_runner_ends_with_code_5() {
    let (source, target) = servers().await;
    let wherry = Wherry::new(&source, &target, &["shop"]);
    let older = wherry.start(&["run"]);
    older.hear_strict();
    let newer = wherry.start(&["run"]);
    newer.hear_strict();
    // The older one notices at its next write, which this brings.
    source
        .sql("INSERT INTO shop.item (name) VALUES ('d')")
        .await
        .expect("insert");
    older.wait().expect_code(5);
    newer.stop();
    let count = target
        .value("SELECT COUNT(*) FROM shop.item")
        .await
        .expect("count");
    assert_eq!(count.as_deref(), Some("4"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_runner_that_slept_through_the_takeover_writes_nothing() {
    let (source, target) = servers().await;
    let wherry = Wherry::new(&source, &target, &["shop"]);
    let sleeper = wherry.start(&["run"]);
    sleeper.hear_strict();
    sleeper.signal("STOP");
    source
        .sql("INSERT INTO shop.item (name) VALUES ('d')")
        .await
        .expect("insert");
    let newer = wherry.start(&["run"]);
    newer.hear_strict();
    newer.stop();
    // Nobody streams now; what the sleeper would write must not appear.
    source
        .sql("INSERT INTO shop.item (name) VALUES ('e')")
        .await
        .expect("insert");
    sleeper.signal("CONT");
    sleeper.wait().expect_code(5);
    let count = target
        .value("SELECT COUNT(*) FROM shop.item")
        .await
        .expect("count");
    assert_eq!(count.as_deref(), Some("4"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_runner_after_cutover_refuses() {
    let (source, target) = servers().await;
    let wherry = Wherry::new(&source, &target, &["shop"])
        .extra("cutover: {stop_writes: {command: \"true\"}}");
    let finished = wherry.finish(&["run", "--cutover"]).expect_code(0);
    assert_eq!(finished.of_type("summary").len(), 1);
    let again = wherry.finish(&["run"]).expect_code(5);
    assert_eq!(again.error_code(), "RUN-005");
    target
        .sql("INSERT INTO shop.item (name) VALUES ('after')")
        .await
        .expect("the target takes writes");
    let next = target
        .value("SELECT MAX(id) FROM shop.item")
        .await
        .expect("max");
    assert_eq!(next.as_deref(), Some("4"));
}
