//! Definition changes that MariaDB takes in another sense than MySQL.

use crate::runner::Wherry;
use wherry_testkit::{Flavour, Server, ServerOptions, compare};

/// Without decimals, or with more than its column has, the moment of now has those of the column:
/// rows that are there get that value, and later changes of a table without a key name it.
#[tokio::test(flavor = "multi_thread")]
async fn the_moment_of_now_has_the_decimals_that_mariadb_gives_it() {
    let start = |flavour| Server::start(flavour, ServerOptions::default());
    let source = start(Flavour::MariaDb).await.expect("source");
    let target = start(Flavour::MySql97).await.expect("target");
    source
        .sql(
            "CREATE DATABASE shop; CREATE TABLE shop.heap (a INT); INSERT INTO shop.heap VALUES (1), (2), (3);
             CREATE TABLE shop.keyed (id INT PRIMARY KEY); INSERT INTO shop.keyed VALUES (1), (2)",
        )
        .await
        .expect("source data");
    let wherry = Wherry::new(&source, &target, &["shop"]);
    let running = wherry.start(&["run"]);
    running.hear_strict();
    let columns = "ADD b DATETIME(3) DEFAULT CURRENT_TIMESTAMP, ADD c DATETIME(6) DEFAULT now(2), ADD d TIMESTAMP DEFAULT now(6), \
        ADD e DATETIME(5) DEFAULT (localtime()) ON UPDATE localtimestamp";
    source
        .sql(&format!(
            "ALTER TABLE shop.heap {columns}; ALTER TABLE shop.keyed {columns};
             UPDATE shop.heap SET a = 10 WHERE a = 1; DELETE FROM shop.heap WHERE a = 2; INSERT INTO shop.keyed (id) VALUES (3)"
        ))
        .await
        .expect("changes");
    wherry.finish(&["verify"]).expect_code(0);
    running.stop();
    let diverged = "SELECT COUNT(*) FROM wherry.divergence";
    let diverged = target.value(diverged).await.expect("a count");
    assert_eq!(diverged.as_deref(), Some("0"));
    compare(&source.url("root"), &target.url("root"), &["shop"])
        .await
        .expect("a comparison")
        .assert_equal();
}
