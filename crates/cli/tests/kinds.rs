//! Kinds of statements that the task leaves out, at each level, on real servers.

use crate::runner::Wherry;
use wherry_testkit::{Flavour, Server, ServerOptions};

pub async fn pair(source: Flavour) -> (Server, Server) {
    let start = |flavour| Server::start(flavour, ServerOptions::default());
    let source = start(source).await.expect("a source");
    let target = start(Flavour::MySql97).await.expect("a target");
    (source, target)
}

async fn rows(server: &Server, query: &str) -> Vec<String> {
    let rows = server.rows(query).await.expect(query);
    let text = |row: Vec<Option<String>>| {
        let values: Vec<String> = row
            .into_iter()
            .map(|value| value.unwrap_or_else(|| "NULL".to_owned()))
            .collect();
        values.join("/")
    };
    rows.into_iter().map(text).collect()
}

pub async fn assert_rows(server: &Server, query: &str, expected: &[&str]) {
    assert_eq!(rows(server, query).await, expected, "{query}");
}

const FIRST: &str = "CREATE DATABASE shop; CREATE DATABASE crm; CREATE DATABASE gone;
     CREATE TABLE shop.keyed (id INT PRIMARY KEY, v INT);
     CREATE TABLE shop.altered (id INT PRIMARY KEY, v INT);
     CREATE TABLE shop.emptied (id INT PRIMARY KEY, v INT);
     CREATE TABLE shop.dropped (id INT PRIMARY KEY);
     CREATE TABLE shop.named (id INT PRIMARY KEY);
     CREATE TABLE shop.one (id INT PRIMARY KEY);
     CREATE TABLE shop.two (id INT PRIMARY KEY, v INT);
     CREATE TABLE shop.free (id INT PRIMARY KEY, v INT);
     CREATE VIEW shop.seen AS SELECT id FROM shop.keyed;
     CREATE TABLE crm.free (id INT PRIMARY KEY, v INT);
     CREATE TABLE crm.dropped (id INT PRIMARY KEY);
     CREATE TABLE crm.own (id INT PRIMARY KEY, v INT);
     CREATE TABLE gone.item (id INT PRIMARY KEY);
     CREATE VIEW crm.seen AS SELECT id FROM crm.own;
     INSERT INTO shop.keyed VALUES (1, 1); INSERT INTO shop.altered VALUES (1, 1), (2, 2);
     INSERT INTO shop.emptied VALUES (1, 1), (2, 2), (3, 3); INSERT INTO shop.dropped VALUES (1);
     INSERT INTO shop.named VALUES (1); INSERT INTO shop.one VALUES (1); INSERT INTO shop.two VALUES (2, 2);
     INSERT INTO shop.free VALUES (1, 1); INSERT INTO crm.free VALUES (1, 1);
     INSERT INTO crm.own VALUES (1, 1), (2, 2); INSERT INTO gone.item VALUES (1)";

/// Nothing is carried where no deeper rule says it.
const LATER: &str = "CREATE INDEX by_v ON shop.keyed (v); INSERT INTO shop.keyed VALUES (2, 2);
     DROP INDEX by_v ON shop.keyed; CREATE UNIQUE INDEX only_v ON shop.keyed (v); UPDATE shop.keyed SET v = 9 WHERE id = 1;
     ALTER TABLE shop.altered ADD COLUMN first INT DEFAULT 5 FIRST, ADD INDEX (v), COMMENT 'x';
     INSERT INTO shop.altered VALUES (7, 3, 3); UPDATE shop.altered SET first = 8, v = 20 WHERE id = 2;
     ALTER TABLE shop.altered ADD COLUMN last VARCHAR(9); DELETE FROM shop.altered WHERE id = 1;
     INSERT INTO shop.altered VALUES (7, 4, 4, 'x');
     TRUNCATE TABLE shop.emptied; INSERT INTO shop.emptied VALUES (1, 10), (4, 4); UPDATE shop.emptied SET v = 5 WHERE id = 4;
     DROP TABLE shop.dropped;
     RENAME TABLE shop.named TO shop.other_name; INSERT INTO shop.other_name VALUES (2);
     RENAME TABLE shop.one TO shop.aside, shop.two TO shop.one, shop.aside TO shop.two; INSERT INTO shop.one VALUES (3, 3);
     CREATE TABLE shop.fresh (id INT PRIMARY KEY); INSERT INTO shop.fresh VALUES (1);
     CREATE TABLE shop.filled AS SELECT * FROM shop.keyed;
     ALTER DATABASE shop DEFAULT CHARACTER SET latin1;
     DROP DATABASE gone; CREATE DATABASE gone;
     ALTER TABLE shop.free ADD COLUMN c INT; CREATE INDEX by_v ON shop.free (v); TRUNCATE TABLE shop.free; INSERT INTO shop.free VALUES (1, 2, 3);
     ALTER TABLE crm.free ADD COLUMN c INT; TRUNCATE TABLE crm.free; INSERT INTO crm.free VALUES (1, 2, 3);
     RENAME TABLE crm.free TO crm.freed; CREATE TABLE crm.fresh (id INT PRIMARY KEY); INSERT INTO crm.fresh VALUES (1);
     DROP TABLE crm.dropped;
     TRUNCATE TABLE crm.own; INSERT INTO crm.own VALUES (2, 20); ALTER TABLE crm.own ADD COLUMN c INT DEFAULT 1; INSERT INTO crm.own VALUES (3, 3, 3)";

fn left_out(source: &Server, target: &Server) -> Wherry {
    let databases = ["shop", "gone", "{database: crm, operations: [-view]}"];
    Wherry::new(source, target, &databases).select(
        "operations: [dml, view], \
         tables: [{table: shop.free, operations: [all]}, {table: crm.own, operations: [all, -truncate-table]}]",
    )
}

#[tokio::test(flavor = "multi_thread")]
async fn kinds_are_left_out_at_each_level_and_the_deepest_rule_wins() {
    let (source, target) = pair(Flavour::MySql97).await;
    source.sql(FIRST).await.expect("source data");
    let wherry = left_out(&source, &target);
    let running = wherry.start(&["run"]);
    running.hear_strict();
    source.sql(LATER).await.expect("changes");
    let verified = wherry.finish(&["verify"]).expect_code(0);
    assert_what_arrived(&target).await;
    assert_is_explained(verified.of_type("verify")[0]);
    assert_is_told(&wherry);
    // What really differs is still found.
    target.sql("UPDATE shop.emptied SET v = 0 WHERE id = 4; UPDATE shop.altered SET v = 0 WHERE id = 2").await.expect("damage");
    let verified = wherry.finish(&["verify"]).expect_code(4);
    assert_eq!(verified.of_type("verify")[0]["mismatch_count"], 2);
    target.sql("UPDATE shop.emptied SET v = 5 WHERE id = 4; UPDATE shop.altered SET v = 20 WHERE id = 2").await.expect("mended");
    running.stop();
    wherry.finish(&["cutover"]).expect_code(0);
}

async fn assert_what_arrived(target: &Server) {
    assert_rows(
        target,
        "SELECT * FROM shop.keyed ORDER BY 1",
        &["1/9", "2/2"],
    )
    .await;
    assert_rows(
        target,
        "SELECT * FROM shop.altered ORDER BY 1",
        &["2/20", "3/3", "4/4"],
    )
    .await;
    assert_rows(
        target,
        "SELECT * FROM shop.emptied ORDER BY 1",
        &["1/10", "2/2", "3/3", "4/5"],
    )
    .await;
    assert_rows(target, "SELECT * FROM shop.dropped", &["1"]).await;
    assert_rows(target, "SELECT * FROM shop.named", &["1"]).await;
    assert_rows(target, "SELECT * FROM shop.one", &["1"]).await;
    assert_rows(target, "SELECT * FROM shop.two", &["2/2"]).await;
    assert_rows(target, "SELECT * FROM gone.item", &["1"]).await;
    assert_rows(target, "SELECT * FROM shop.free", &["1/2/3"]).await;
    assert_rows(target, "SELECT * FROM crm.freed", &["1/2/3"]).await;
    assert_rows(
        target,
        "SELECT * FROM crm.own ORDER BY 1",
        &["1/1/1", "2/20/1", "3/3/3"],
    )
    .await;
    let names = "SELECT CONCAT(table_schema, '.', table_name) FROM information_schema.tables WHERE table_schema IN ('shop', 'crm') ORDER BY 1";
    let expected = [
        "crm.freed",
        "crm.fresh",
        "crm.own",
        "shop.altered",
        "shop.dropped",
        "shop.emptied",
        "shop.free",
        "shop.keyed",
        "shop.named",
        "shop.one",
        "shop.seen",
        "shop.two",
    ];
    assert_rows(target, names, &expected).await;
    let keys = "SELECT COUNT(*) FROM information_schema.statistics WHERE table_schema = 'shop' AND index_name <> 'PRIMARY'";
    assert_rows(target, keys, &["1"]).await;
}

/// Each table that is not the source's says so.
fn assert_is_explained(report: &serde_json::Value) {
    let kept = |name: &str| {
        let tables = report["tables"].as_array().expect("tables");
        let table = tables.iter().find(|table| table["table"] == name);
        table.map(|table| (table["kept"].as_u64(), table["apart"].as_bool()))
    };
    assert_eq!(kept("`shop`.`emptied`"), Some((Some(2), Some(true))));
    assert_eq!(kept("`crm`.`own`"), Some((Some(1), Some(true))));
    assert_eq!(kept("`shop`.`keyed`"), Some((Some(0), Some(false))));
    let left: Vec<&str> = report["left"]
        .as_array()
        .expect("a list")
        .iter()
        .filter_map(|one| one["table"].as_str())
        .collect();
    let expected = [
        "`gone`.`item`",
        "`shop`.`dropped`",
        "`shop`.`filled`",
        "`shop`.`fresh`",
        "`shop`.`named`",
        "`shop`.`one`",
        "`shop`.`other_name`",
        "`shop`.`two`",
    ];
    assert_eq!(left, expected);
}

/// The ledger has one entry a statement and table, without values.
fn assert_is_told(wherry: &Wherry) {
    let status = wherry.finish(&["status"]).expect_code(0);
    let status = status.of_type("status")[0].clone();
    let entries: Vec<String> = status["losses"]
        .as_array()
        .expect("a list")
        .iter()
        .map(|loss| {
            assert_eq!(loss["code"], "TGT-150", "{loss}");
            assert!(
                loss["position"]
                    .as_str()
                    .is_some_and(|text| text.contains(':'))
            );
            let reason = loss["reason"].as_str().unwrap_or_default();
            let kind = reason.split(['`', ':']).nth(2).unwrap_or_default();
            format!(
                "{}.{}{kind}",
                loss["table"]["database"].as_str().unwrap_or_default(),
                loss["table"]["table"].as_str().unwrap_or_default()
            )
        })
        .collect();
    let expected = [
        "shop.keyed leaves out create-index",
        "shop.keyed leaves out drop-index",
        "shop.keyed leaves out create-index",
        "shop.altered leaves out alter-table",
        "shop.altered leaves out alter-table",
        "shop.emptied leaves out truncate-table",
        "shop.dropped leaves out drop-table",
        "shop.named leaves out rename-table",
        "shop.other_name leaves out rename-table",
        "shop.one leaves out rename-table",
        "shop.two leaves out rename-table",
        "shop.fresh leaves out create-table",
        "shop.filled leaves out create-table",
        "shop. leaves out alter-database",
        "gone.item leaves out drop-database",
        "gone. leaves out create-database",
        "crm.own leaves out truncate-table",
    ];
    assert_eq!(entries, expected);
}

/// The same from a source of another dialect, whose names and types its target spells otherwise.
async fn from_an_old_source(flavour: Flavour) {
    let (source, target) = pair(flavour).await;
    source
        .sql(
            "CREATE DATABASE shop DEFAULT CHARACTER SET utf8;
             CREATE TABLE shop.item (id INT UNSIGNED NOT NULL PRIMARY KEY, name VARCHAR(20) NOT NULL DEFAULT '', at TIMESTAMP NULL, KEY (name)) ENGINE=InnoDB;
             CREATE TABLE shop.keyed (id INT PRIMARY KEY, v INT) ENGINE=InnoDB;
             INSERT INTO shop.item VALUES (1, 'one', '2020-01-01'), (2, 'two', NULL); INSERT INTO shop.keyed VALUES (1, 1)",
        )
        .await
        .expect("source data");
    let wherry = Wherry::new(&source, &target, &["shop"])
        .select("operations: [-alter-table, -create-index, -truncate-table]");
    let running = wherry.start(&["run"]);
    running.hear_strict();
    source
        .sql(
            "ALTER TABLE shop.item ADD COLUMN note VARCHAR(9) CHARACTER SET latin1 AFTER id;
             INSERT INTO shop.item VALUES (3, 'x', 'three', '2021-01-01'); UPDATE shop.item SET note = 'y', name = 'uno' WHERE id = 1;
             CREATE INDEX by_v ON shop.keyed (v); TRUNCATE TABLE shop.keyed; INSERT INTO shop.keyed VALUES (2, 2)",
        )
        .await
        .expect("changes");
    wherry.finish(&["verify"]).expect_code(0);
    assert_rows(
        &target,
        "SELECT id, name FROM shop.item ORDER BY 1",
        &["1/uno", "2/two", "3/three"],
    )
    .await;
    running.stop();
}

#[tokio::test(flavor = "multi_thread")]
async fn kinds_are_left_out_from_56() {
    from_an_old_source(Flavour::MySql56).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn kinds_are_left_out_from_mariadb() {
    from_an_old_source(Flavour::MariaDb).await;
}

/// Each of these would leave rows that nobody could tell from right ones.
const UNSAFE: [(&str, &str, &str); 9] = [
    ("heap", "id INT, v INT", "TRUNCATE TABLE shop.heap"),
    ("plain", "id INT, v INT", "ALTER TABLE shop.plain ADD c INT"),
    (
        "renamed",
        "id INT PRIMARY KEY, v INT, w INT",
        "ALTER TABLE shop.renamed RENAME COLUMN v TO w, RENAME COLUMN w TO v",
    ),
    (
        "wider",
        "id INT PRIMARY KEY, v INT",
        "ALTER TABLE shop.wider MODIFY v BIGINT",
    ),
    (
        "strict",
        "id INT PRIMARY KEY, v INT",
        "ALTER TABLE shop.strict MODIFY v INT NOT NULL",
    ),
    (
        "again",
        "id INT PRIMARY KEY, v INT",
        "ALTER TABLE shop.again DROP v, ADD v INT",
    ),
    (
        "other",
        "id INT PRIMARY KEY, v INT NOT NULL UNIQUE",
        "ALTER TABLE shop.other DROP PRIMARY KEY",
    ),
    (
        "loose",
        "id INT PRIMARY KEY, v INT, UNIQUE KEY u (v)",
        "DROP INDEX u ON shop.loose",
    ),
    (
        "needed",
        "id INT PRIMARY KEY, v INT NOT NULL",
        "ALTER TABLE shop.needed DROP v",
    ),
];

#[tokio::test(flavor = "multi_thread")]
async fn what_cannot_be_left_out_safely_stops_its_table() {
    let (source, target) = pair(Flavour::MySql97).await;
    source
        .sql("CREATE DATABASE shop")
        .await
        .expect("a database");
    for (name, columns, _) in UNSAFE {
        source
            .sql(&format!("CREATE TABLE shop.{name} ({columns})"))
            .await
            .expect(name);
    }
    source
        .sql(
            "CREATE TABLE shop.part (id INT PRIMARY KEY, v INT) PARTITION BY RANGE (id) (PARTITION a VALUES LESS THAN (10), PARTITION b VALUES LESS THAN (20));
             INSERT INTO shop.part VALUES (1, 1), (11, 11);
             CREATE TABLE shop.fine (id INT PRIMARY KEY)",
        )
        .await
        .expect("tables");
    let wherry = Wherry::new(&source, &target, &["shop"])
        .select("operations: [-alter-table, -truncate-table, -drop-index]");
    let running = wherry.start(&["run"]);
    running.hear_strict();
    for (_, _, statement) in UNSAFE {
        source.sql(statement).await.expect(statement);
    }
    source
        .sql("ALTER TABLE shop.part DROP PARTITION b; INSERT INTO shop.fine VALUES (1)")
        .await
        .expect("changes");
    let verified = wherry.finish(&["verify"]).expect_code(4);
    assert_eq!(verified.of_type("verify")[0]["mismatch_count"], 0);
    let mut expected: Vec<String> = UNSAFE
        .iter()
        .map(|(name, ..)| format!("{name}/TGT-151"))
        .collect();
    expected.push("part/TGT-151".to_owned());
    expected.sort();
    let ledger = "SELECT table_name, code FROM wherry.loss_ledger ORDER BY table_name";
    assert_eq!(rows(&target, ledger).await, expected);
    // Carried after all.
    running.stop();
    let wherry = Wherry::new(&source, &target, &["shop"]);
    wherry
        .finish(&["retry", "shop.wider", "shop.part"])
        .expect_code(0);
    wherry
        .finish(&[
            "resync",
            "shop.heap",
            "shop.plain",
            "shop.renamed",
            "shop.strict",
            "shop.again",
            "shop.other",
            "shop.loose",
            "shop.needed",
        ])
        .expect_code(0);
    let running = wherry.start(&["run"]);
    let waiting = "SELECT COUNT(*) FROM wherry.lane_table";
    crate::lanes::becomes(&target, waiting, "0", &running).await;
    wherry.finish(&["verify"]).expect_code(0);
    running.stop();
}
