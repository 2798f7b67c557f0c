//! A target whose disk is full: it hangs, Wherry says so, and goes on when there is space.

use crate::runner::Wherry;
use wherry_testkit::Shim;
use wherry_testkit::{Flavour, Server, ServerOptions, compare};

#[tokio::test(flavor = "multi_thread")]
async fn a_full_disk_is_told_and_outlived() {
    let source = Server::start(Flavour::MySql97, ServerOptions::default())
        .await
        .expect("source");
    let shim = Shim::disk_full().expect("a shim");
    let options = shim.add_to(ServerOptions {
        durable: true,
        ..ServerOptions::default()
    });
    let target = Server::start(Flavour::MySql97, options)
        .await
        .expect("target");
    source
        .sql("CREATE DATABASE shop; CREATE TABLE shop.item (id INT PRIMARY KEY, body LONGTEXT); INSERT INTO shop.item VALUES (1, 'first')")
        .await
        .expect("source data");
    let wherry = Wherry::new(&source, &target, &["shop"]);
    let running = wherry.start(&["run"]);
    running.hear_strict();
    shim.switch_on().expect("the disk is full");
    source
        .sql("USE shop; INSERT INTO shop.item WITH RECURSIVE n AS (SELECT 2 AS i UNION ALL SELECT i + 1 FROM n WHERE i < 200) SELECT i, REPEAT('x', 200000) FROM n")
        .await
        .expect("many rows");
    let told = running.hear("that the target does not answer", |line| {
        !line["waiting_on"].is_null() && line["type"] == "progress"
    });
    let waiting = &told["waiting_on"];
    assert!(
        waiting["since_seconds"]
            .as_u64()
            .is_some_and(|seconds| seconds <= 30),
        "{waiting}"
    );
    assert!(
        waiting["statement"]
            .as_str()
            .is_some_and(|text| !text.is_empty()),
        "{waiting}"
    );
    let status = wherry.finish(&["status"]);
    let text = format!("{:?}", status.lines);
    assert!(
        text.contains("not answer") || text.contains("waiting_on"),
        "{text}\n{}",
        status.stderr
    );
    shim.switch_off().expect("there is space again");
    wherry.finish(&["verify"]).expect_code(0);
    running.stop();
    compare(&source.url("root"), &target.url("root"), &["shop"])
        .await
        .expect("comparison")
        .assert_equal();
}
