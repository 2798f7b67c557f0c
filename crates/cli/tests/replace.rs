//! Policy `replace`: rows of the source take the place of the target's own, which else stay.

use crate::kinds::assert_rows;
use crate::runner::Wherry;
use wherry_testkit::{Flavour, Server, ServerOptions};

async fn pair(source: Flavour) -> (Server, Server) {
    let start = |flavour| Server::start(flavour, ServerOptions::default());
    let (source, target) = tokio::join!(start(source), start(Flavour::MySql97));
    (source.expect("source"), target.expect("target"))
}

const SOURCE: &str = "CREATE DATABASE shop; USE shop;
    CREATE TABLE plain (id VARCHAR(9) CHARACTER SET latin1 COLLATE latin1_swedish_ci PRIMARY KEY, e ENUM('a', 'b'), f FLOAT, d DATETIME, left_out INT);
    INSERT INTO plain VALUES ('one', 'b', 0.1, '2020-01-01 00:00:00', 1), ('two', NULL, 2.5, NULL, 2), ('six', 'a', 6, NULL, 6);
    CREATE TABLE item (id INT PRIMARY KEY, u INT, v INT, UNIQUE KEY u (u));
    INSERT INTO item VALUES (1, 10, 1), (2, 20, 2), (3, NULL, 3), (4, 40, 4);
    CREATE TABLE anew (id INT PRIMARY KEY)";

/// Item 1 and 2 have their unique values the other way round, 7 has that of 4, 8 is in nobody's way.
const TARGET: &str = "CREATE DATABASE shop; USE shop;
    CREATE TABLE plain (own INT NOT NULL DEFAULT 7, id VARCHAR(20) CHARACTER SET latin1 COLLATE latin1_swedish_ci PRIMARY KEY, e ENUM('a', 'b'), f DOUBLE, d DATETIME);
    CREATE TABLE item (id INT PRIMARY KEY, u INT, v INT, own INT DEFAULT 5, UNIQUE KEY u (u));
    INSERT INTO item VALUES (1, 20, 0, 1), (2, 10, 0, 2), (3, 3, 0, 3), (7, 40, 0, 7), (8, 80, 0, 8)";

async fn replaced(flavour: Flavour) {
    let (source, target) = pair(flavour).await;
    source.sql(SOURCE).await.expect("source data");
    source.sql("FLUSH BINARY LOGS").await.expect("a new file");
    let target_data = TARGET.replace("f DOUBLE", "f FLOAT");
    target.sql(&target_data).await.expect("target data");
    target
        .sql("INSERT INTO shop.plain VALUES (9, 'ONE', 'a', 1, NULL), (9, 'only', 'a', 1, NULL)")
        .await
        .expect("target rows");
    let wherry = Wherry::new(&source, &target, &["{database: shop, policy: replace}"]);
    wherry.finish(&["precheck"]).expect_code(0);
    let running = wherry.start(&["run"]);
    running.hear_strict();
    let plain = "SELECT own, id, e, f, d FROM shop.plain ORDER BY id";
    let expected = [
        "9/one/b/0.1/2020-01-01 00:00:00",
        "9/only/a/1/NULL",
        "7/six/a/6/NULL",
        "7/two/NULL/2.5/NULL",
    ];
    assert_rows(&target, plain, &expected).await;
    let item = "SELECT id, u, v FROM shop.item ORDER BY id";
    let expected = ["1/10/1", "2/20/2", "3/NULL/3", "4/40/4", "8/80/0"];
    assert_rows(&target, item, &expected).await;
    assert_rows(&target, "SELECT own FROM shop.item WHERE id = 3", &["3"]).await;
    let verified = wherry.finish(&["verify"]).expect_code(0);
    let tables = verified.of_type("verify")[0]["tables"].to_string();
    assert_eq!(tables.matches("\"kept\":1").count(), 2, "{tables}");
    let ledger = "SELECT table_name, code FROM wherry.loss_ledger ORDER BY 1, 2";
    assert_rows(
        &target,
        ledger,
        &["item/TGT-053", "item/TGT-054", "plain/TGT-053"],
    )
    .await;

    // In the stream the target's own rows give way too.
    source
        .sql(
            "INSERT INTO shop.item VALUES (5, 80, 5); UPDATE shop.item SET u = 11 WHERE id = 1; UPDATE shop.item SET u = 10 WHERE id = 2;
             DELETE FROM shop.item WHERE id = 3; UPDATE shop.plain SET id = 'only' WHERE id = 'two'",
        )
        .await
        .expect("changes");
    let verified = wherry.finish(&["verify"]).expect_code(0);
    assert!(
        !verified.of_type("verify")[0]["tables"]
            .to_string()
            .contains("\"kept\":1")
    );
    let expected = ["1/11/1", "2/10/2", "4/40/4", "5/80/5"];
    assert_rows(&target, item, &expected).await;
    assert_rows(&target, "SELECT COUNT(*) FROM wherry.divergence", &["0"]).await;
    // Another value is no row of the target's own any more.
    target
        .sql("UPDATE shop.item SET v = 100 WHERE id = 4; INSERT INTO shop.item VALUES (50, 50, 50, 50)")
        .await
        .expect("damage");
    let verified = wherry.finish(&["verify"]).expect_code(4);
    assert_eq!(verified.of_type("verify")[0]["mismatch_count"], 1);
    target
        .sql("UPDATE shop.item SET v = 4 WHERE id = 4")
        .await
        .expect("mended");
    running.stop();
    wherry.finish(&["cutover"]).expect_code(0);
    assert_rows(&target, "SELECT v FROM shop.item WHERE id = 50", &["50"]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn rows_of_mysql_97_replace_those_of_the_target() {
    replaced(Flavour::MySql97).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn rows_of_mysql_56_replace_those_of_the_target() {
    replaced(Flavour::MySql56).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn other_unique_keys_are_refused() {
    let (source, target) = pair(Flavour::MySql97).await;
    source
        .sql(
            "CREATE DATABASE shop; USE shop;
             CREATE TABLE more (id INT PRIMARY KEY, u INT);
             CREATE TABLE less (id INT PRIMARY KEY, u INT UNIQUE);
             CREATE TABLE part (id INT PRIMARY KEY, u VARCHAR(20), UNIQUE KEY u (u(3)));
             CREATE TABLE bag (id INT)",
        )
        .await
        .expect("source tables");
    target
        .sql(
            "CREATE DATABASE shop; USE shop;
             CREATE TABLE more (id INT PRIMARY KEY, u INT UNIQUE);
             CREATE TABLE less (id INT PRIMARY KEY, u INT);
             CREATE TABLE part (id INT PRIMARY KEY, u VARCHAR(20), UNIQUE KEY u (u(3)));
             CREATE TABLE bag (id INT)",
        )
        .await
        .expect("target tables");
    for (table, reason) in [
        ("more", "unique key `u` is only in the target"),
        ("less", "it does not have the unique key `u`"),
        ("part", "covers beginnings of values alone"),
        ("bag", "rows of a table without a key cannot be told"),
    ] {
        let only = format!("tables: [{{table: shop.{table}, policy: replace}}]");
        let wherry = Wherry::new(&source, &target, &["shop"]).select(&only);
        let refused = wherry.finish(&["run"]).expect_code(3);
        let said = format!("{:?}", refused.of_type("error"));
        assert!(
            said.contains("RUN-001") && said.contains(reason),
            "{table}: {said}"
        );
    }
}
