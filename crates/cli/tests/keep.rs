//! Policy `keep`: the target's own table is used as it is, its rows stay until the stream brings
//! another value, and what does not suit is refused before anything is written.

use crate::lanes::becomes;
use crate::runner::{Finished, Running, Wherry};
use wherry_testkit::{Flavour, Server, ServerOptions};

async fn pair() -> (Server, Server) {
    let server = || Server::start(Flavour::MySql97, ServerOptions::default());
    let (source, target) = tokio::join!(server(), server());
    (source.expect("source"), target.expect("target"))
}

fn kept(verified: &Finished, table: &str) -> u64 {
    let report = verified.of_type("verify");
    let tables = report[0]["tables"].as_array().expect("tables");
    let found = tables.iter().find(|entry| {
        entry["table"]
            .as_str()
            .is_some_and(|name| name.contains(table))
    });
    found.expect("the table is reported")["kept"]
        .as_u64()
        .expect("a number")
}

async fn items(target: &Server) -> Vec<String> {
    let rows = target
        .rows("SELECT CONCAT_WS('/', id, name, price, own) FROM shop.item ORDER BY id")
        .await
        .expect("rows of the target");
    rows.into_iter()
        .map(|row| row[0].clone().unwrap_or_default())
        .collect()
}

const SOURCE: &str = "CREATE DATABASE shop;
    CREATE TABLE shop.item (id INT PRIMARY KEY, note TEXT, name VARCHAR(20) CHARACTER SET utf8mb4, price INT);
    INSERT INTO shop.item VALUES (1, 'n', 'one', 10), (2, 'n', 'two', 20), (3, 'n', 'three', 30), (4, 'n', 'four', 40);
    CREATE TABLE shop.made (id INT PRIMARY KEY, v INT);
    INSERT INTO shop.made VALUES (1, 1);
    CREATE TABLE shop.anew (id INT PRIMARY KEY, v INT);
    INSERT INTO shop.anew VALUES (1, 1)";

const TARGET: &str = "CREATE DATABASE shop;
    CREATE TABLE shop.item (own INT NOT NULL DEFAULT 7, id BIGINT PRIMARY KEY, price INT, name VARCHAR(40) CHARACTER SET utf8mb4);
    INSERT INTO shop.item (id, name, price, own) VALUES (2, 'own two', 2, 9), (100, 'only here', 1, 9), (101, 'in the way', 1, 9);
    CREATE TABLE shop.anew (id INT PRIMARY KEY, other INT)";

#[tokio::test(flavor = "multi_thread")]
async fn own_rows_stay_until_the_stream_brings_another_value() {
    let (source, target) = pair().await;
    source.sql(SOURCE).await.expect("source data");
    // The start is the beginning of the current file: what it holds counts as later than the load.
    source.sql("FLUSH BINARY LOGS").await.expect("a new file");
    target.sql(TARGET).await.expect("target data");
    let wherry = Wherry::new(&source, &target, &["shop"])
        .select("policy: keep, tables: [{table: shop.anew, policy: fail}]");
    wherry.finish(&["precheck"]).expect_code(0);
    let running = wherry.start(&["run"]);
    running.hear_strict();
    let verified = wherry.finish(&["verify"]).expect_code(0);
    assert_eq!(kept(&verified, "item"), 3);
    let loaded = [
        "1/one/10/7",
        "2/own two/2/9",
        "3/three/30/7",
        "4/four/40/7",
        "100/only here/1/9",
        "101/in the way/1/9",
    ];
    assert_eq!(items(&target).await, loaded);

    source
        .sql(
            "UPDATE shop.item SET price = 21 WHERE id = 2;
             INSERT INTO shop.item VALUES (100, 'n', 'hundred', 100);
             DELETE FROM shop.item WHERE id = 3;
             UPDATE shop.item SET id = 101 WHERE id = 4;
             UPDATE shop.item SET id = 5 WHERE id = 1",
        )
        .await
        .expect("changes");
    let verified = wherry.finish(&["verify"]).expect_code(0);
    assert_eq!(kept(&verified, "item"), 0);
    let streamed = [
        "2/two/21/9",
        "5/one/10/7",
        "100/hundred/100/9",
        "101/four/40/9",
    ];
    assert_eq!(items(&target).await, streamed);
    let divergences = target
        .value("SELECT COUNT(*) FROM wherry.divergence")
        .await
        .expect("divergences");
    assert_eq!(divergences.as_deref(), Some("0"));
    let ledger = target
        .value("SELECT CONCAT(code, ' ', reason) FROM wherry.loss_ledger")
        .await
        .expect("the ledger");
    assert_eq!(
        ledger.as_deref(),
        Some("TGT-051 1 rows of the load were left as the target had them")
    );

    a_lost_row_is_no_kept_row(&wherry, &target).await;
    a_definition_change_stops_the_table(&running, &source, &target).await;
    running.stop();
}

async fn a_lost_row_is_no_kept_row(wherry: &Wherry, target: &Server) {
    target
        .sql("DELETE FROM shop.item WHERE id = 5")
        .await
        .expect("a planted loss");
    wherry.finish(&["verify"]).expect_code(4);
}

async fn a_definition_change_stops_the_table(running: &Running, source: &Server, target: &Server) {
    source
        .sql("ALTER TABLE shop.item ADD COLUMN more INT; INSERT INTO shop.made VALUES (2, 2)")
        .await
        .expect("a definition change");
    running.hear("the stopped table", |line| {
        line.to_string().contains("policy keeps")
    });
    let columns = target
        .value("SELECT COUNT(*) FROM information_schema.COLUMNS WHERE TABLE_SCHEMA='shop' AND TABLE_NAME='item'")
        .await
        .expect("columns");
    assert_eq!(
        columns.as_deref(),
        Some("4"),
        "the table is the target's own"
    );
    source
        .sql("RENAME TABLE shop.item TO shop.other; ALTER TABLE shop.other RENAME TO shop.third; INSERT INTO shop.made VALUES (3, 3)")
        .await
        .expect("other names");
    becomes(target, "SELECT COUNT(*) FROM shop.made", "3", running).await;
    assert_eq!(items(target).await.len(), 3, "it keeps its name there");
}

const WANTED: &str = "CREATE DATABASE shop; USE shop;
    CREATE TABLE narrow (id INT PRIMARY KEY, v BIGINT);
    CREATE TABLE strict (id INT PRIMARY KEY, v INT);
    CREATE TABLE charset (id INT PRIMARY KEY, v VARCHAR(9) CHARACTER SET utf8mb4);
    CREATE TABLE collated (v VARCHAR(9) COLLATE utf8mb4_bin PRIMARY KEY);
    CREATE TABLE needy (id INT PRIMARY KEY);
    CREATE TABLE fires (id INT PRIMARY KEY);
    CREATE TABLE unkeyed (id INT PRIMARY KEY);
    CREATE TABLE keyless (v INT);
    CREATE TABLE good (id INT PRIMARY KEY)";

const UNSUITED: &str = "CREATE DATABASE shop; USE shop;
    CREATE TABLE narrow (id INT PRIMARY KEY, v INT);
    CREATE TABLE strict (id INT PRIMARY KEY, v INT NOT NULL);
    CREATE TABLE charset (id INT PRIMARY KEY, v VARCHAR(9) CHARACTER SET latin1);
    CREATE TABLE collated (v VARCHAR(9) COLLATE utf8mb4_0900_ai_ci PRIMARY KEY);
    CREATE TABLE needy (id INT PRIMARY KEY, more INT NOT NULL);
    CREATE TABLE fires (id INT PRIMARY KEY);
    CREATE TRIGGER shop.t BEFORE INSERT ON fires FOR EACH ROW SET @a = 1;
    CREATE TABLE unkeyed (id INT, KEY (id));
    CREATE TABLE keyless (v INT);
    CREATE TABLE good (id INT PRIMARY KEY)";

#[tokio::test(flavor = "multi_thread")]
async fn tables_that_do_not_suit_are_refused() {
    let (source, target) = pair().await;
    source.sql(WANTED).await.expect("source tables");
    target.sql(UNSUITED).await.expect("target tables");
    let only = |table: &str| format!("tables: [{{table: shop.{table}, policy: keep}}]");
    for (table, reason) in [
        (
            "narrow",
            "column `v` is int and may not hold every bigint as it is",
        ),
        ("strict", "column `v` is NOT NULL in the target only"),
        (
            "charset",
            "column `v` has the character set latin1 and not utf8mb4",
        ),
        (
            "collated",
            "column `v` has the collation utf8mb4_0900_ai_ci and not utf8mb4_bin",
        ),
        (
            "needy",
            "column `more` is only in the target and has no default",
        ),
        ("fires", "it has triggers"),
        ("unkeyed", "it does not have the key `PRIMARY`"),
        (
            "keyless",
            "rows of a table without a key cannot be told from those that are kept",
        ),
    ] {
        let wherry = Wherry::new(&source, &target, &["shop"]).select(&only(table));
        let refused = wherry.finish(&["run"]).expect_code(3);
        let said = format!("{:?}", refused.of_type("error"));
        assert!(
            said.contains("RUN-001") && said.contains(reason),
            "{table}: {said}"
        );
        let own = target
            .value("SELECT COUNT(*) FROM information_schema.SCHEMATA WHERE SCHEMA_NAME='wherry'")
            .await
            .expect("databases");
        assert_eq!(own.as_deref(), Some("0"), "nothing was written");
    }
    let wherry = Wherry::new(&source, &target, &["shop"]).select(&only("good"));
    wherry.finish(&["precheck"]).expect_code(0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_conflict_on_another_unique_key_stops_the_table() {
    let (source, target) = pair().await;
    source
        .sql(
            "CREATE DATABASE shop; USE shop;
             CREATE TABLE early (id INT PRIMARY KEY, u INT UNIQUE); INSERT INTO early VALUES (1, 1), (2, 2);
             CREATE TABLE late (id INT PRIMARY KEY, u INT UNIQUE); INSERT INTO late VALUES (1, 1)",
        )
        .await
        .expect("source tables");
    target
        .sql(
            "CREATE DATABASE shop; USE shop;
             CREATE TABLE early (id INT PRIMARY KEY, u INT UNIQUE); INSERT INTO early VALUES (9, 2);
             CREATE TABLE late (id INT PRIMARY KEY, u INT UNIQUE); INSERT INTO late VALUES (9, 9)",
        )
        .await
        .expect("target tables");
    let wherry = Wherry::new(&source, &target, &["shop"]).select("policy: keep");
    let running = wherry.start(&["run"]);
    running.hear_strict();
    source
        .sql("INSERT INTO shop.late VALUES (2, 9)")
        .await
        .expect("a conflict");
    running.hear("both tables stopped", |line| {
        line["tables"].as_array().is_some_and(|tables| {
            tables
                .iter()
                .filter(|table| !table["stopped"].is_null())
                .count()
                == 2
        })
    });
    running.stop();
    let rows = target
        .rows("SELECT CONCAT(id, '/', u) FROM shop.early UNION ALL SELECT CONCAT(id, '/', u) FROM shop.late")
        .await
        .expect("rows");
    let mut rows: Vec<String> = rows.into_iter().filter_map(|row| row[0].clone()).collect();
    rows.sort();
    assert_eq!(rows, ["1/1", "9/2", "9/9"]);
    let codes = target
        .rows("SELECT stopped FROM wherry.table_state ORDER BY table_name")
        .await
        .expect("states");
    for row in codes {
        assert!(
            row[0]
                .as_deref()
                .is_some_and(|text| text.contains("TGT-052")),
            "{row:?}"
        );
    }
}
