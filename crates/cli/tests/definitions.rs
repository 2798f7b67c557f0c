//! DDL around the start, in the load and in the stream.

use crate::lanes::becomes;
use crate::runner::Wherry;
use mysql_async::prelude::Queryable;
use wherry_testkit::{Flavour, Server, ServerOptions, compare};

async fn servers(gtid: bool) -> (Server, Server) {
    let options = ServerOptions {
        gtid,
        ..ServerOptions::default()
    };
    let source = Server::start(Flavour::MySql97, options.clone())
        .await
        .expect("source");
    let target = Server::start(Flavour::MySql97, options)
        .await
        .expect("target");
    (source, target)
}

async fn all_rows(server: &Server, table: &str) -> Vec<Vec<Option<String>>> {
    server
        .rows(&format!("SELECT * FROM {table} ORDER BY 1"))
        .await
        .expect("rows")
}

async fn definition(server: &Server, table: &str) -> String {
    let rows = server
        .rows(&format!("SHOW CREATE TABLE {table}"))
        .await
        .expect("definition");
    rows[0][1].clone().unwrap_or_default()
}

/// The start is the beginning of the current binlog file, so rows written under older
/// definitions stand between it and the catalog's reading.
async fn ddl_before_the_start(gtid: bool) {
    let (source, target) = servers(gtid).await;
    source
        .sql(
            "CREATE DATABASE shop;
             CREATE TABLE shop.swap (id INT PRIMARY KEY, a INT, b INT);
             INSERT INTO shop.swap VALUES (1, 10, 20), (2, 30, 40);
             UPDATE shop.swap SET a = 11 WHERE id = 1;
             ALTER TABLE shop.swap RENAME COLUMN a TO b, RENAME COLUMN b TO a;
             UPDATE shop.swap SET a = 99 WHERE id = 2;
             CREATE TABLE shop.gone (id INT PRIMARY KEY);
             INSERT INTO shop.gone VALUES (1);
             DROP TABLE shop.gone;
             CREATE TABLE shop.wide (id INT PRIMARY KEY, v INT);
             INSERT INTO shop.wide VALUES (1, 1);
             ALTER TABLE shop.wide ADD COLUMN extra VARCHAR(10) FIRST, MODIFY v BIGINT UNSIGNED;
             INSERT INTO shop.wide (id, v, extra) VALUES (2, 18446744073709551615, 'x');
             CREATE TABLE shop.old_name (id INT PRIMARY KEY);
             INSERT INTO shop.old_name VALUES (5);
             RENAME TABLE shop.old_name TO shop.new_name",
        )
        .await
        .expect("source data");
    let wherry = Wherry::new(&source, &target, &["shop"]);
    let running = wherry.start(&["run"]);
    running.hear_strict();
    source
        .sql("UPDATE shop.swap SET b = 7 WHERE id = 2; INSERT INTO shop.new_name VALUES (6)")
        .await
        .expect("later changes");
    let verified = wherry.finish(&["verify"]).expect_code(0);
    assert!(!verified.of_type("verify").is_empty());
    running.stop();
    for table in ["shop.swap", "shop.wide", "shop.new_name"] {
        assert_eq!(
            all_rows(&source, table).await,
            all_rows(&target, table).await,
            "{table}"
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn ddl_before_the_start_does_no_harm_with_gtid() {
    ddl_before_the_start(true).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn ddl_before_the_start_does_no_harm_without_gtid() {
    ddl_before_the_start(false).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn plain_ddl_in_the_stream_is_carried() {
    let (source, target) = servers(true).await;
    source
        .sql(
            "CREATE DATABASE shop;
             CREATE TABLE shop.item (id INT PRIMARY KEY, name VARCHAR(20), price INT);
             INSERT INTO shop.item VALUES (1, 'one', 100), (2, 'two', 200);
             CREATE TABLE shop.other (id INT PRIMARY KEY, v INT)",
        )
        .await
        .expect("source data");
    let wherry = Wherry::new(&source, &target, &["shop"]);
    let running = wherry.start(&["run"]);
    running.hear_strict();
    source
        .sql(
            "USE shop;
             ALTER TABLE item ADD COLUMN note TEXT AFTER id, ALGORITHM=INPLACE, LOCK=NONE;
             INSERT INTO item VALUES (3, 'a note', 'three', 300);
             ALTER TABLE shop.item MODIFY price DECIMAL(10,2), ADD INDEX by_name (name);
             UPDATE item SET price = 1.25 WHERE id = 3;
             CREATE TABLE fresh (id INT PRIMARY KEY AUTO_INCREMENT, t TIMESTAMP(3) DEFAULT CURRENT_TIMESTAMP(3));
             INSERT INTO fresh () VALUES (), ();
             CREATE TABLE copy_of LIKE item;
             INSERT INTO copy_of SELECT * FROM item;
             CREATE TABLE selected AS SELECT id, name FROM item;
             RENAME TABLE item TO item_old, copy_of TO item;
             DELETE FROM item WHERE id = 1;
             INSERT INTO other VALUES (1, 1), (2, 2);
             TRUNCATE TABLE other;
             INSERT INTO other VALUES (3, 3);
             CREATE TABLE brief (id INT PRIMARY KEY);
             DROP TABLE brief;
             CREATE INDEX by_price ON item (price);
             DROP INDEX by_name ON item;
             GRANT SELECT ON shop.* TO mover@'%';
             ANALYZE TABLE item",
        )
        .await
        .expect("changes");
    wherry.finish(&["verify"]).expect_code(0);
    running.stop();
    for table in [
        "shop.item",
        "shop.item_old",
        "shop.fresh",
        "shop.other",
        "shop.selected",
    ] {
        assert_eq!(
            all_rows(&source, table).await,
            all_rows(&target, table).await,
            "{table}"
        );
        assert_eq!(
            definition(&source, table).await,
            definition(&target, table).await,
            "definition of {table}"
        );
    }
    let tables =
        "SELECT table_name FROM information_schema.tables WHERE table_schema = 'shop' ORDER BY 1";
    assert_eq!(
        source.rows(tables).await.expect("names"),
        target.rows(tables).await.expect("names")
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn ddl_during_the_load_restarts_its_table_alone() {
    let (source, target) = servers(true).await;
    source
        .sql(
            "SET SESSION cte_max_recursion_depth = 1000000;
             CREATE DATABASE shop;
             USE shop;
             CREATE TABLE bulk (id INT PRIMARY KEY, a INT, b VARCHAR(80), KEY by_a (a));
             INSERT INTO bulk WITH RECURSIVE n AS (SELECT 1 AS i UNION ALL SELECT i + 1 FROM n WHERE i < 300000)
                 SELECT i, i, SHA2(i, 256) FROM n;
             CREATE TABLE calm (id INT PRIMARY KEY, v INT);
             INSERT INTO calm VALUES (1, 1);
             CREATE TABLE moved (id INT PRIMARY KEY);
             INSERT INTO moved VALUES (1);
             CREATE TABLE gone (id INT PRIMARY KEY);
             ANALYZE TABLE bulk;
             CREATE DATABASE bare DEFAULT CHARACTER SET latin1;
             CREATE DATABASE brief DEFAULT CHARACTER SET latin1;
             CREATE TABLE one_side (id INT PRIMARY KEY, CONSTRAINT one_check CHECK (id > 0));
             CREATE TABLE other_side (id INT PRIMARY KEY, CONSTRAINT other_check CHECK (id < 9))",
        )
        .await
        .expect("source data");
    // One reader, so that the load lasts longer than the definition changes.
    let databases = ["shop", "bare", "brief"];
    let wherry = Wherry::new(&source, &target, &databases).extra("load: {readers: 1, writers: 1}");
    let running = wherry.start(&["run"]);
    running.hear("the load", |line| line["phase"] == "load");
    source
        .sql(
            "USE shop;
             ALTER TABLE bulk RENAME COLUMN a TO aa, ADD COLUMN extra INT DEFAULT 7 FIRST, ALGORITHM=INSTANT;
             UPDATE bulk SET aa = -aa, extra = id WHERE id % 10 = 0;
             RENAME TABLE moved TO moved_on;
             INSERT INTO moved_on VALUES (2);
             DROP TABLE gone;
             CREATE TABLE fresh (id INT PRIMARY KEY);
             INSERT INTO fresh VALUES (1);
             UPDATE calm SET v = 2;
             RENAME TABLE one_side TO aside, other_side TO one_side, aside TO other_side;
             ALTER DATABASE bare DEFAULT CHARACTER SET utf8mb4 COLLATE utf8mb4_bin;
             DROP DATABASE brief",
        )
        .await
        .expect("changes during the load");
    running.hear_strict();
    source
        .sql("CREATE DATABASE IF NOT EXISTS brief DEFAULT CHARACTER SET latin2")
        .await
        .expect("another database of the same name");
    let brief = "SELECT DEFAULT_CHARACTER_SET_NAME FROM information_schema.SCHEMATA WHERE SCHEMA_NAME = 'brief'";
    becomes(&target, brief, "latin2", &running).await;
    let restarts = running.said("its load starts again");
    assert!(
        restarts.iter().any(|text| text.contains("`bulk`")),
        "{restarts:?}"
    );
    assert!(
        !restarts.iter().any(|text| text.contains("`calm`")),
        "{restarts:?}"
    );
    wherry.finish(&["verify"]).expect_code(0);
    running.stop();
    compare(&source.url("root"), &target.url("root"), &databases)
        .await
        .expect("comparison")
        .assert_equal();
}

/// The source's machine has summer time; `SYSTEM` is what the binlog says of it.
#[tokio::test(flavor = "multi_thread")]
async fn definitions_run_at_the_time_of_the_source() {
    let options = ServerOptions {
        environment: vec![("TZ".to_owned(), "CET-1CEST,M3.5.0,M10.5.0/3".to_owned())],
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
            "SET time_zone = '+00:00';
             CREATE DATABASE shop;
             CREATE TABLE shop.item (id INT PRIMARY KEY);
             INSERT INTO shop.item VALUES (1);
             CREATE TABLE shop.moment (id INT PRIMARY KEY, ts TIMESTAMP NULL);
             INSERT INTO shop.moment VALUES (1, '2024-01-01 00:00:00'), (2, '2024-07-01 00:00:00')",
        )
        .await
        .expect("source data");
    let wherry = Wherry::new(&source, &target, &["shop"]);
    let running = wherry.start(&["run"]);
    running.hear_strict();
    source
        .sql(
            "SET time_zone = 'SYSTEM';
             ALTER TABLE shop.item ADD made DATETIME NOT NULL DEFAULT CURRENT_TIMESTAMP;
             ALTER TABLE shop.moment MODIFY ts VARCHAR(30)",
        )
        .await
        .expect("changes");
    let verified = wherry.finish(&["verify"]).expect_code(4);
    running.stop();
    let made = "SELECT CAST(made AS CHAR) FROM shop.item";
    assert_eq!(
        source.value(made).await.expect("a time"),
        target.value(made).await.expect("a time")
    );
    let report = verified.of_type("verify");
    assert_eq!(report[0]["left_out"][0]["table"], "`shop`.`moment`");
    let code = "SELECT GROUP_CONCAT(code) FROM wherry.loss_ledger";
    let code = target.value(code).await.expect("a code");
    assert_eq!(code.as_deref(), Some("TGT-101"));
}

/// Columns, keys and texts come one after the other: what was torn apart is no property of a table.
async fn the_precheck_bears_definitions_that_change(flavour: Flavour) {
    let source = Server::start(flavour, ServerOptions::default())
        .await
        .expect("source");
    let target = Server::start(Flavour::MySql97, ServerOptions::default())
        .await
        .expect("target");
    source
        .sql("CREATE DATABASE shop; CREATE TABLE shop.turns (id INT PRIMARY KEY, a INT, KEY k (a))")
        .await
        .expect("source data");
    let mut session = source.connect().await.expect("a session");
    let turns = tokio::spawn(async move {
        for (from, to) in [("a", "b"), ("b", "a")].iter().cycle() {
            let turn = format!("ALTER TABLE shop.turns CHANGE {from} {to} INT");
            session.query_drop(turn).await.expect("a turn");
        }
    });
    let wherry = Wherry::new(&source, &target, &["shop"]);
    for _ in 0..12 {
        wherry.finish(&["precheck"]).expect_code(0);
    }
    assert!(!turns.is_finished(), "it turned all the while");
    turns.abort();
}

#[tokio::test(flavor = "multi_thread")]
async fn the_precheck_bears_definitions_that_change_at_97() {
    the_precheck_bears_definitions_that_change(Flavour::MySql97).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_precheck_bears_definitions_that_change_at_mariadb() {
    the_precheck_bears_definitions_that_change(Flavour::MariaDb).await;
}
