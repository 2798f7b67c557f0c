//! A checker that was shown to fail: what is planted in the target is found, with table and key.

use crate::runner::Wherry;
use serde_json::Value;
use wherry_testkit::{Flavour, Server, ServerOptions};

#[tokio::test(flavor = "multi_thread")]
async fn verify_finds_what_is_planted() {
    let source = Server::start(Flavour::MySql97, ServerOptions::default())
        .await
        .expect("source");
    let target = Server::start(Flavour::MySql97, ServerOptions::default())
        .await
        .expect("target");
    source
        .sql(
            "SET SESSION cte_max_recursion_depth = 100000;
             CREATE DATABASE shop;
             USE shop;
             CREATE TABLE shop.item (id INT PRIMARY KEY, body VARBINARY(40), note VARCHAR(20));
             INSERT INTO shop.item WITH RECURSIVE n AS (SELECT 1 AS i UNION ALL SELECT i + 1 FROM n WHERE i < 60000)
                 SELECT i, LEFT(SHA2(i, 256), 40), NULL FROM n;
             CREATE TABLE shop.loose (a INT, b VARCHAR(10));
             INSERT INTO shop.loose VALUES (1, 'x'), (1, 'x'), (2, NULL)",
        )
        .await
        .expect("source data");
    let wherry = Wherry::new(&source, &target, &["shop"]);
    let running = wherry.start(&["run"]);
    running.hear_strict();
    let clean = wherry.finish(&["verify"]).expect_code(0);
    assert_eq!(
        rows_compared(&clean.lines),
        60_003,
        "a clean report states what it compared"
    );

    target
        .sql(
            "UPDATE shop.item SET body = CONCAT(LEFT(body, 39), 'Z') WHERE id = 123;
             DELETE FROM shop.item WHERE id = 45678;
             INSERT INTO shop.item VALUES (70001, 'extra', NULL);
             UPDATE shop.item SET note = '' WHERE id = 777;
             DELETE FROM shop.loose LIMIT 1",
        )
        .await
        .expect("planted faults");
    let found = wherry.finish(&["verify"]).expect_code(4);
    running.stop();
    let report = found.of_type("verify");
    let mismatches: Vec<&Value> = report
        .iter()
        .flat_map(|line| line["mismatches"].as_array().into_iter().flatten())
        .collect();
    for (key, kind) in [
        ("123", "different"),
        ("45678", "missing"),
        ("70001", "extra"),
        ("777", "different"),
    ] {
        let named = |row: &&&Value| {
            row["table"]
                .as_str()
                .is_some_and(|table| table.contains("item"))
                && row["key"] == key
                && row["kind"] == kind
        };
        assert!(
            mismatches.iter().any(|row| named(&row)),
            "{kind} row {key} in {mismatches:?}"
        );
    }
    let loose = |row: &&Value| {
        row["table"]
            .as_str()
            .is_some_and(|table| table.contains("loose"))
    };
    assert!(mismatches.iter().any(loose), "{mismatches:?}");
    assert_eq!(mismatches.len(), 5, "{mismatches:?}");
}

/// The last image in the binlog is what a row must be, unless the source itself shows another one.
#[tokio::test(flavor = "multi_thread")]
async fn verify_finds_what_the_binlog_does_not_tell() {
    // Without GTIDs the start is the beginning of the file, so that every image below is in view.
    let options = ServerOptions {
        gtid: false,
        ..ServerOptions::default()
    };
    let source = Server::start(Flavour::MySql97, options)
        .await
        .expect("source");
    let target = Server::start(Flavour::MySql97, ServerOptions::default())
        .await
        .expect("target");
    source
        .sql(
            "CREATE DATABASE shop; CREATE TABLE shop.item (id INT PRIMARY KEY, note VARCHAR(20));
              INSERT INTO shop.item VALUES (1, 'a'), (2, 'a')",
        )
        .await
        .expect("source data");
    let wherry = Wherry::new(&source, &target, &["shop"]);
    let running = wherry.start(&["run"]);
    running.hear_strict();
    source
        .sql("UPDATE shop.item SET note = 'b'")
        .await
        .expect("a change in the binlog");
    wherry.finish(&["verify"]).expect_code(0);
    source
        .sql("SET sql_log_bin = 0; UPDATE shop.item SET note = 'hidden' WHERE id = 2")
        .await
        .expect("a change past the binlog");
    let found = wherry.finish(&["verify"]).expect_code(4);
    running.stop();
    let report = found.of_type("verify");
    let unsettled = report[0]["unsettled"].as_array().expect("a list");
    assert_eq!(unsettled.len(), 1, "{unsettled:?}");
    assert_eq!(unsettled[0]["key"], "2");
}

fn rows_compared(lines: &[Value]) -> u64 {
    let reports = lines.iter().filter(|line| line["type"] == "verify");
    let tables = reports.flat_map(|line| line["tables"].as_array().into_iter().flatten());
    tables
        .map(|table| table["rows"].as_u64().unwrap_or(0))
        .sum()
}

/// A table that no statement of the binlog has brought is not passed over.
#[tokio::test(flavor = "multi_thread")]
async fn a_table_that_the_binlog_does_not_tell_of_is_named() {
    let options = || ServerOptions::default();
    let source = Server::start(Flavour::MySql97, options())
        .await
        .expect("a source");
    let target = Server::start(Flavour::MySql97, options())
        .await
        .expect("a target");
    source
        .sql("CREATE DATABASE shop; CREATE TABLE shop.a (id INT PRIMARY KEY)")
        .await
        .expect("a table");
    let wherry = Wherry::new(&source, &target, &["shop"]);
    let running = wherry.start(&["run"]);
    running.hear_strict();
    source
        .sql("SET sql_log_bin = 0; CREATE TABLE shop.ghost (id INT PRIMARY KEY); INSERT INTO shop.ghost VALUES (1)")
        .await
        .expect("a table that is not logged");
    let said = wherry.finish(&["verify"]).expect_code(4);
    let report = format!("{:?}", said.of_type("verify"));
    assert!(
        report.contains("`shop`.`ghost`: the source has the table"),
        "{report}"
    );
    running.stop();
    let running = wherry.start(&["run"]);
    crate::lanes::joined(&target, "shop.ghost", &running).await;
    wherry.finish(&["verify"]).expect_code(0);
    running.stop();
}

/// A table is named by definitions of others as well, long before: it was not redefined by them.
#[tokio::test(flavor = "multi_thread")]
async fn a_planted_fault_of_a_parent_is_told() {
    let source = Server::start(Flavour::MySql97, ServerOptions::default())
        .await
        .expect("source");
    let target = Server::start(Flavour::MySql97, ServerOptions::default())
        .await
        .expect("target");
    source
        .sql(
            "CREATE DATABASE shop; USE shop; CREATE TABLE parent (id INT PRIMARY KEY, v INT);
             CREATE TABLE child (id INT PRIMARY KEY, p INT, FOREIGN KEY (p) REFERENCES parent (id));
             INSERT INTO parent VALUES (1, 1); INSERT INTO child VALUES (1, 1)",
        )
        .await
        .expect("source data");
    let wherry = Wherry::new(&source, &target, &["shop"]);
    let running = wherry.start(&["run"]);
    running.hear_strict();
    let fault = target.sql("UPDATE shop.parent SET v = 2").await;
    fault.expect("a planted fault");
    let found = wherry.finish(&["verify"]).expect_code(4);
    running.stop();
    let report = &found.of_type("verify")[0];
    assert_eq!(report["unsettled"], serde_json::json!([]));
    assert_eq!(report["mismatch_count"], 1);
}
