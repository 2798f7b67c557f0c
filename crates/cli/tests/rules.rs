//! What rules change is told by every command, and what no rule explains stops its table before the stream.

use crate::runner::{Finished, Wherry};
use serde_json::Value;
use wherry_testkit::{Flavour, Server, ServerOptions};

async fn servers(flavour: Flavour) -> (Server, Server) {
    let options = ServerOptions::default();
    (
        Server::start(flavour, options.clone())
            .await
            .expect("source"),
        Server::start(Flavour::MySql97, options)
            .await
            .expect("target"),
    )
}

/// Object and rule of every change in a list.
fn changes(list: &Value) -> Vec<String> {
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let list = list.as_array().map(Vec::as_slice).unwrap_or_default();
    list.iter()
        .map(|change| {
            format!(
                "{} {} {} {}",
                text(&change["object"]),
                text(&change["rule"]),
                text(&change["before"]),
                text(&change["after"])
            )
        })
        .collect()
}

fn explained(verified: &Finished) -> String {
    verified.of_type("verify")[0]["schema_explained"].to_string()
}

#[tokio::test(flavor = "multi_thread")]
async fn every_command_tells_what_rules_changed() {
    let (source, target) = servers(Flavour::MySql56).await;
    source
        .sql(
            "CREATE DATABASE shop CHARACTER SET utf8;
             CREATE TABLE shop.old (id INT(11) PRIMARY KEY, v VARCHAR(9) CHARACTER SET utf8, KEY k (v) USING HASH) ENGINE=MEMORY;
             CREATE TABLE shop.plain (id BIGINT PRIMARY KEY, d DATE NOT NULL DEFAULT '0000-00-00') ENGINE=InnoDB;
             CREATE TABLE shop.other (id INT PRIMARY KEY) ENGINE=InnoDB",
        )
        .await
        .expect("source data");
    let expected = [
        "`shop`.`old` engine ENGINE=MEMORY ENGINE=InnoDB",
        "`shop`.`old` column `id` display-width int(11) int",
        "`shop`.`old` key `k` engine USING HASH ",
        "database `shop` utf8mb3-name utf8_general_ci utf8mb3_general_ci",
    ];
    let wherry = Wherry::new(&source, &target, &["shop"]);
    let precheck = wherry.finish(&["precheck"]).expect_code(0);
    let checks = precheck.of_type("check");
    let item = checks
        .iter()
        .find(|item| item["id"] == "target-rules")
        .expect("an item");
    let found = changes(&item["changes"]);
    let schema = wherry.finish(&["schema"]).expect_code(0);
    let made = changes(&schema.of_type("summary")[0]["rule_changes"]);
    let status = wherry.finish(&["status"]).expect_code(0);
    let stored = changes(&status.of_type("status")[0]["rule_changes"]);
    for change in expected {
        for list in [&found, &made, &stored] {
            assert!(
                list.iter().any(|one| one == change),
                "{change} in {list:#?}"
            );
        }
    }
    // Somebody changes one table behind Wherry's back, and makes another.
    target
        .sql("ALTER TABLE shop.other COMMENT 'not of the source'; CREATE TABLE shop.stranger (id INT)")
        .await
        .expect("a change");
    let running = wherry.start(&["run"]);
    running.hear_strict();
    let status = wherry.finish(&["status"]).expect_code(0);
    let tables = status.of_type("status")[0]["tables"]
        .as_array()
        .expect("tables")
        .clone();
    let stopped: Vec<&Value> = tables
        .iter()
        .filter(|table| !table["stopped"].is_null())
        .collect();
    assert_eq!(stopped.len(), 1, "{stopped:?}");
    assert_eq!(stopped[0]["table"], "`shop`.`other`");
    assert_eq!(stopped[0]["stopped"]["code"], "TGT-113");
    let verified = wherry.finish(&["verify"]).expect_code(4);
    let explained = explained(&verified);
    assert!(
        explained.contains("`shop`.`stranger`: is only in the target"),
        "{explained}"
    );
    assert!(!explained.contains("`shop`.`other`"), "{explained}");
    assert_eq!(
        changes(&verified.of_type("verify")[0]["rule_changes"]),
        stored
    );
    running.stop();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_definition_that_differs_holds_up_the_cutover() {
    let (source, target) = servers(Flavour::MySql97).await;
    source
        .sql(
            "CREATE DATABASE shop; CREATE TABLE shop.parent (id INT PRIMARY KEY);
             CREATE TABLE shop.child (id INT PRIMARY KEY, p INT, KEY d (p DESC), FOREIGN KEY (p) REFERENCES shop.parent (id));
             INSERT INTO shop.parent VALUES (1); INSERT INTO shop.child VALUES (1, 1)",
        )
        .await
        .expect("source data");
    let wherry = Wherry::new(&source, &target, &["shop"]);
    let running = wherry.start(&["run"]);
    running.hear_strict();
    target
        .sql("ALTER TABLE shop.child DROP KEY d, ADD KEY d (p)")
        .await
        .expect("a change");
    running.stop();
    let refused = wherry
        .finish(&["cutover", "--stop-writes", "wait"])
        .expect_code(4);
    assert_eq!(refused.error_code(), "CUT-009");
    target
        .sql("ALTER TABLE shop.child DROP KEY d, ADD KEY d (p DESC)")
        .await
        .expect("mended");
    wherry
        .finish(&["cutover", "--stop-writes", "wait"])
        .expect_code(0);
}
