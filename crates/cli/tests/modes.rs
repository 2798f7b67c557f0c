//! Tasks that leave out schema, load or stream, and streams that begin in the past.

use crate::kinds::assert_rows;
use crate::runner::{Finished, Wherry};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use tokio::task::JoinHandle;
use wherry_testkit::{Flavour, Server, ServerOptions};

async fn pair(source: Flavour) -> (Server, Server) {
    let options = || ServerOptions {
        gtid: true,
        ..ServerOptions::default()
    };
    let (source, target) = tokio::join!(
        Server::start(source, options()),
        Server::start(Flavour::MySql97, ServerOptions::default())
    );
    (source.expect("source"), target.expect("target"))
}

/// File and offset of the end of the binlog.
async fn end_of(source: &Server) -> (String, u64) {
    let statement = match source.flavour() {
        Flavour::MySql97 => "SHOW BINARY LOG STATUS",
        _ => "SHOW MASTER STATUS",
    };
    let rows = source.rows(statement).await.expect("a status");
    let text = |column: usize| rows[0][column].clone().expect("a value");
    (text(0), text(1).parse().expect("a number"))
}

async fn gtids_of(source: &Server) -> String {
    let name = match source.flavour() {
        Flavour::MariaDb => "gtid_binlog_pos",
        _ => "gtid_executed",
    };
    let value = source.value(&format!("SELECT @@GLOBAL.{name}")).await;
    value.expect("GTIDs").expect("a value").replace('\n', "")
}

/// Now, by the clock of the source, when another second has begun.
async fn next_second(source: &Server) -> String {
    source.sql("DO SLEEP(1.2)").await.expect("a second");
    let sql = "SELECT DATE_FORMAT(UTC_TIMESTAMP(), '%Y-%m-%dT%H:%i:%sZ')";
    source.value(sql).await.expect("a clock").expect("a moment")
}

const TABLES: &str = "CREATE DATABASE shop DEFAULT CHARACTER SET utf8mb4 COLLATE utf8mb4_bin; USE shop;
     CREATE TABLE item (id INT PRIMARY KEY, u INT, v VARCHAR(40) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin, UNIQUE KEY u (u));
     CREATE TABLE calm (id INT PRIMARY KEY, v INT);
     INSERT INTO item VALUES (1, 1, 'one'), (2, 2, 'two'), (3, 3, 'three'), (4, 4, 'four'); INSERT INTO calm VALUES (1, 1)";

/// What comes behind the place where streams begin: a row that nothing brings again, then unique values
/// change hands, and keys too.
const PAST: &str = "INSERT INTO shop.calm VALUES (9, 9); UPDATE shop.item SET u = 20 WHERE id = 2; UPDATE shop.item SET u = 2 WHERE id = 1;
     UPDATE shop.item SET u = 1 WHERE id = 2; DELETE FROM shop.item WHERE id = 3; INSERT INTO shop.item VALUES (5, 3, 'five');
     UPDATE shop.item SET id = 6 WHERE id = 4; INSERT INTO shop.item VALUES (4, 40, 'new four')";

const ITEMS: &str = "SELECT id, u, v FROM shop.item ORDER BY id";

/// Writes to the source until it is told to stop, no faster than an unoptimised build keeps up with.
fn write_on(source: &Server, first: i32) -> (Arc<AtomicBool>, JoinHandle<()>) {
    let stop = Arc::new(AtomicBool::new(false));
    let told = Arc::clone(&stop);
    let pool = source.pool();
    let work = tokio::spawn(async move {
        use mysql_async::prelude::Queryable as _;
        let mut session = pool.get_conn().await.expect("a session");
        let mut id = first;
        while !told.load(Ordering::SeqCst) {
            let sql = format!(
                "DO SLEEP(0.02); INSERT INTO shop.item VALUES ({id}, {id}, 'w'); UPDATE shop.item SET v = CONCAT(v, 'x') WHERE id = {id} - 3; DELETE FROM shop.item WHERE id = {id} - 5 AND id >= {first}"
            );
            session.query_drop(sql).await.expect("a write");
            id += 1;
        }
    });
    (stop, work)
}

fn streaming(source: &Server, target: &Server, state: &str, from: &str) -> Wherry {
    Wherry::new(source, target, &["shop"]).extra(&format!(
        "phases: [stream]\nstream: {{from: {{{from}}}}}\nstate: {{database: {state}}}"
    ))
}

async fn assert_alike(source: &Server, target: &Server, database: &str) {
    let rows = source.rows(ITEMS).await.expect("rows");
    let there = target.rows(&ITEMS.replace("shop", database)).await;
    assert_eq!(there.expect("rows"), rows);
}

/// Streams into a database of its own while the source is written to, and compares.
async fn stream_into(source: &Server, target: &Server, number: i32, database: &str, place: &str) {
    let state = format!("wherry{number}");
    let wherry = streaming(source, target, &state, place)
        .select(&format!("mapping: {{databases: {{shop: {database}}}}}"));
    wherry.finish(&["precheck"]).expect_code(0);
    let (stop, work) = write_on(source, 1_000_000 * (number + 1));
    if number == 0 {
        let running = wherry.start(&["run"]);
        running.hear("the stream", |line| line["phase"] == "stream");
        running.signal("KILL");
        drop(running.wait());
    }
    let running = wherry.start(&["run"]);
    running.hear_strict();
    stop.store(true, Ordering::SeqCst);
    work.await.expect("the writer");
    wherry.finish(&["verify"]).expect_code(0);
    running.stop();
    assert_alike(source, target, database).await;
    let divergences = format!("SELECT COUNT(*) FROM {state}.divergence");
    assert_rows(target, &divergences, &["0"]).await;
}

/// From one place in three words, each into rows as of that place; and once into rows as of later.
/// Writes go on, and the first runner is killed.
async fn from_the_past(flavour: Flavour) {
    let (source, target) = pair(flavour).await;
    source.sql(TABLES).await.expect("source tables");
    for database in ["into0", "into1", "into2"] {
        let tables = TABLES.replace("shop", database);
        target.sql(&tables).await.expect("the same in the target");
    }
    source.sql("FLUSH BINARY LOGS").await.expect("a new file");
    let moment = next_second(&source).await;
    let (file, offset) = end_of(&source).await;
    let gtids = gtids_of(&source).await;
    source.sql(PAST).await.expect("changes");
    source.sql("FLUSH BINARY LOGS").await.expect("another file");
    let position = format!("position: \"{file}:{offset}\"");
    let gtids = format!("gtid: \"{gtids}\"");
    let moment = format!("timestamp: \"{moment}\"");
    stream_into(&source, &target, 0, "into0", &position).await;
    stream_into(&source, &target, 1, "into1", &gtids).await;
    stream_into(&source, &target, 2, "into2", &moment).await;
    stream_into(&source, &target, 3, "into0", &position).await;
    // What the target has otherwise than the source is found, whoever wrote it.
    target
        .sql("UPDATE into2.calm SET v = 2 WHERE id = 1; INSERT INTO into2.calm VALUES (2, 2)")
        .await
        .expect("damage");
    let wherry = streaming(&source, &target, "wherry2", &moment)
        .select("mapping: {databases: {shop: into2}}");
    let running = wherry.start(&["run"]);
    running.hear_strict();
    let verified = wherry.finish(&["verify"]).expect_code(4);
    assert_eq!(verified.of_type("verify")[0]["mismatch_count"], 2);
    running.stop();
    wherry.finish(&["cutover"]).expect_code(4);
    target
        .sql("UPDATE into2.calm SET v = 1 WHERE id = 1; DELETE FROM into2.calm WHERE id = 2")
        .await
        .expect("mended");
    wherry.finish(&["cutover"]).expect_code(0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stream_begins_in_the_past_of_mysql_97() {
    from_the_past(Flavour::MySql97).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stream_begins_in_the_past_of_mysql_56() {
    from_the_past(Flavour::MySql56).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stream_begins_in_the_past_of_mariadb() {
    from_the_past(Flavour::MariaDb).await;
}

fn assert_refused(refused: &Finished, code: &str) {
    let said = format!("{:?}", refused.of_type("error"));
    assert!(said.contains(code), "{code}: {said}");
}

async fn places_that_are_not_there(flavour: Flavour) {
    let (source, target) = pair(flavour).await;
    source.sql(TABLES).await.expect("source tables");
    target.sql(TABLES).await.expect("target tables");
    let old = end_of(&source).await;
    source.sql("FLUSH BINARY LOGS").await.expect("a new file");
    let moment = next_second(&source).await;
    let start = end_of(&source).await;
    source
        .sql("INSERT INTO shop.calm VALUES (2, 2); FLUSH BINARY LOGS")
        .await
        .expect("a change");
    let purge = format!("PURGE BINARY LOGS TO '{}'", start.0);
    source.sql(&purge).await.expect("purged");
    let unknown = match flavour {
        Flavour::MariaDb => "0-1-999999",
        _ => "3e11fa47-71ca-11e1-9e33-c80aa9429562:1-5",
    };
    for (code, from) in [
        ("BIN-031", format!("position: \"{}:{}\"", old.0, old.1)),
        ("BIN-031", format!("position: \"{}:99999999\"", start.0)),
        (
            "BIN-031",
            format!("position: \"{}:{}\"", start.0, start.1 + 9),
        ),
        ("BIN-032", format!("gtid: \"{unknown}\"")),
        ("BIN-032", "gtid: \"x-y\"".to_owned()),
        ("BIN-033", "timestamp: \"2001-01-01T00:00:00Z\"".to_owned()),
        (
            "BIN-033",
            "timestamp: \"2999-01-01T00:00:00+02:00\"".to_owned(),
        ),
    ] {
        let refused = streaming(&source, &target, "wherry", &from).finish(&["run"]);
        assert_refused(&refused.expect_code(3), code);
    }
    // A table's columns before a statement are known to nobody.
    let (file, offset) = start;
    let from = format!("position: \"{file}:{offset}\"");
    let made = "CREATE TABLE shop.later (id INT PRIMARY KEY); INSERT INTO shop.later VALUES (1)";
    source.sql(made).await.expect("a table");
    target
        .sql("CREATE TABLE shop.later (id INT PRIMARY KEY)")
        .await
        .expect("the same table");
    let wherry = streaming(&source, &target, "wherry", &from);
    let running = wherry.start(&["run"]);
    running.hear_strict();
    running.stop();
    assert_rows(&target, "SELECT id FROM shop.later", &["1"]).await;
    assert_rows(&target, "SELECT id FROM shop.calm", &["1", "2"]).await;
    // MariaDB logs nothing where the table is there.
    let statement = match flavour {
        Flavour::MariaDb => "ALTER TABLE shop.calm ADD INDEX (v)",
        _ => "CREATE TABLE IF NOT EXISTS shop.calm (id INT)",
    };
    source.sql(statement).await.expect("a statement");
    for from in [from, format!("timestamp: \"{moment}\"")] {
        let refused = streaming(&source, &target, "other", &from).finish(&["run"]);
        assert_refused(&refused, "RUN-007");
        refused.expect_code(3);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn places_that_mysql_97_does_not_have_are_refused() {
    places_that_are_not_there(Flavour::MySql97).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn places_that_mariadb_does_not_have_are_refused() {
    places_that_are_not_there(Flavour::MariaDb).await;
}

/// Rows whose sum stays the same, whatever moves between them.
const ACCOUNTS: &str = "CREATE DATABASE bank; USE bank;
     CREATE TABLE digit (d INT); INSERT INTO digit VALUES (0), (1), (2), (3), (4), (5), (6), (7), (8), (9);
     CREATE TABLE account (id INT PRIMARY KEY, amount BIGINT NOT NULL, note CHAR(100), KEY by_amount (amount));
     INSERT INTO account SELECT a.d + 10*b.d + 100*c.d + 1000*d.d + 10000*e.d, 100, REPEAT('x', 100)
         FROM digit a, digit b, digit c, digit d, digit e;
     DROP TABLE digit;
     CREATE TABLE child (id INT PRIMARY KEY, account INT, FOREIGN KEY own (account) REFERENCES account (id)); INSERT INTO child VALUES (1, 7);
     CREATE VIEW rich AS SELECT id FROM account WHERE amount > 100;
     CREATE TRIGGER fill BEFORE INSERT ON child FOR EACH ROW SET NEW.account = COALESCE(NEW.account, 1)";

fn move_on(source: &Server) -> (Arc<AtomicBool>, JoinHandle<()>) {
    let stop = Arc::new(AtomicBool::new(false));
    let told = Arc::clone(&stop);
    let pool = source.pool();
    let work = tokio::spawn(async move {
        use mysql_async::prelude::Queryable as _;
        let mut session = pool.get_conn().await.expect("a session");
        let mut at = 0u32;
        while !told.load(Ordering::SeqCst) {
            at = (at + 7919) % 100_000;
            let sql = format!(
                "BEGIN; UPDATE bank.account SET amount = amount - 1 WHERE id = {at}; UPDATE bank.account SET amount = amount + 1 WHERE id = {}; COMMIT",
                99_999 - at
            );
            session.query_drop(sql).await.expect("a transaction");
        }
    });
    (stop, work)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_load_without_a_stream_is_of_one_moment() {
    let (source, target) = pair(Flavour::MySql97).await;
    source.sql(ACCOUNTS).await.expect("source tables");
    source.sql("FLUSH BINARY LOGS").await.expect("a new file");
    let wherry = Wherry::new(&source, &target, &["bank"]).extra("phases: [schema, load]");
    let checked = wherry.finish(&["precheck"]).expect_code(0);
    assert!(format!("{:?}", checked.lines).contains("source-rests"));
    let (stop, work) = move_on(&source);
    let running = wherry.start(&["run"]);
    running.hear("rows", |line| line["phase"] == "load");
    running.signal("KILL");
    drop(running.wait());
    let ended = wherry.finish(&["run"]).expect_code(0);
    stop.store(true, Ordering::SeqCst);
    work.await.expect("the writer");
    assert_eq!(ended.of_type("summary")[0]["phase"], "load");
    assert_eq!(ended.of_type("summary")[0]["phases"], "schema, load");
    let sum = "SELECT COUNT(*), SUM(amount) FROM bank.account";
    assert_rows(&target, sum, &["100000/10000000"]).await;
    let keys = "SELECT COUNT(*) FROM information_schema.TABLE_CONSTRAINTS WHERE TABLE_SCHEMA='bank' AND CONSTRAINT_TYPE='FOREIGN KEY'";
    assert_rows(&target, keys, &["1"]).await;
    // Nothing more is done: the task has ended.
    let position = "SELECT applied_to FROM wherry.checkpoint";
    let before = target.rows(position).await.expect("a place");
    wherry.finish(&["run"]).expect_code(0);
    assert_eq!(target.rows(position).await.expect("a place"), before);
    let refused = wherry.finish(&["stream"]).expect_code(3);
    assert_eq!(refused.error_code(), "CLI-057");
    // The cutover carries what came since, compares, and makes the trigger.
    wherry.finish(&["cutover"]).expect_code(0);
    let triggers = "SELECT COUNT(*) FROM information_schema.TRIGGERS WHERE TRIGGER_SCHEMA='bank'";
    assert_rows(&target, triggers, &["1"]).await;
    let rows = "SELECT id, amount FROM bank.account ORDER BY id";
    let (there, here) = tokio::join!(source.rows(rows), target.rows(rows));
    assert!(there.expect("rows") == here.expect("rows"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_schema_alone_is_whole_and_has_no_rows() {
    let (source, target) = pair(Flavour::MySql97).await;
    source.sql(ACCOUNTS).await.expect("source tables");
    let wherry = Wherry::new(&source, &target, &["bank"]).extra("phases: [schema]");
    let ended = wherry.finish(&["run"]).expect_code(0);
    assert_eq!(ended.of_type("summary")[0]["phase"], "schema");
    let sum = "SELECT COUNT(*) FROM bank.account UNION ALL SELECT COUNT(*) FROM bank.rich";
    assert_rows(&target, sum, &["0", "0"]).await;
    let keys = "SELECT INDEX_NAME FROM information_schema.STATISTICS WHERE TABLE_SCHEMA='bank' AND TABLE_NAME='account' ORDER BY 1";
    assert_rows(&target, keys, &["by_amount", "PRIMARY"]).await;
    let keys = "SELECT COUNT(*) FROM information_schema.TABLE_CONSTRAINTS WHERE TABLE_SCHEMA='bank' AND CONSTRAINT_TYPE='FOREIGN KEY'";
    assert_rows(&target, keys, &["1"]).await;
    for (verb, code) in [("verify", "VER-003"), ("cutover", "CLI-053")] {
        let refused = wherry.finish(&[verb]).expect_code(3);
        assert_eq!(refused.error_code(), code, "{verb}");
    }
    let refused = wherry.finish(&["run", "--cutover"]).expect_code(3);
    assert_eq!(refused.error_code(), "CUT-013");
    // What was left out cannot be made up for.
    let refused = wherry.finish(&["run", "--phases", "schema,load"]);
    assert_eq!(refused.error_code(), "RUN-006");
    refused.expect_code(3);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stream_into_empty_tables_brings_what_changes() {
    let (source, target) = pair(Flavour::MySql97).await;
    source.sql(TABLES).await.expect("source tables");
    source.sql("FLUSH BINARY LOGS").await.expect("a new file");
    let wherry = Wherry::new(&source, &target, &["shop"]).extra("phases: [schema, stream]");
    let running = wherry.start(&["run"]);
    running.hear("the end of replay", |line| {
        line.to_string().contains("changes are not checked")
    });
    source
        .sql(
            "UPDATE shop.item SET v = 'changed' WHERE id = 1; DELETE FROM shop.item WHERE id = 2;
             ALTER TABLE shop.item ADD COLUMN more INT DEFAULT 7; UPDATE shop.item SET u = 30 WHERE id = 3;
             INSERT INTO shop.item VALUES (9, 9, 'nine', 9); CREATE TABLE shop.bag (a INT); INSERT INTO shop.bag VALUES (1), (1);
             DELETE FROM shop.bag LIMIT 1",
        )
        .await
        .expect("changes");
    source
        .sql("CREATE TABLE shop.sign (id INT PRIMARY KEY); INSERT INTO shop.calm VALUES (2, 2)")
        .await
        .expect("a last change");
    running.hear("the last table", |line| line["table_count"] == 4);
    running.stop();
    let running = wherry.start(&["run"]);
    running.hear("the end of replay", |line| {
        line.to_string().contains("changes are not checked")
    });
    running.stop();
    let rows = "SELECT * FROM shop.item ORDER BY id";
    assert_rows(
        &target,
        rows,
        &["1/1/changed/7", "3/30/three/7", "9/9/nine/9"],
    )
    .await;
    assert_rows(&target, "SELECT a FROM shop.bag", &["1"]).await;
    assert_rows(&target, "SELECT id FROM shop.calm", &["2"]).await;
    assert_rows(&target, "SELECT COUNT(*) FROM wherry.divergence", &["0"]).await;
    let refused = wherry.finish(&["verify"]).expect_code(3);
    assert_eq!(refused.error_code(), "VER-003");
    let refused = wherry.finish(&["resync", "shop.item"]).expect_code(2);
    assert_eq!(refused.error_code(), "LAN-014");
    let refused = wherry.finish(&["cutover"]).expect_code(3);
    assert_eq!(refused.error_code(), "CUT-013");
    // A table without a key would need its rows.
    let other = Wherry::new(&source, &target, &["shop"])
        .select("mapping: {databases: {shop: shop2}}")
        .extra("phases: [schema, stream]\nstate: {database: other}");
    let refused = other.finish(&["run"]).expect_code(3);
    assert!(format!("{:?}", refused.of_type("error")).contains("target-unloaded"));
}

#[tokio::test(flavor = "multi_thread")]
async fn tables_that_are_given_are_loaded_and_followed() {
    let (source, target) = pair(Flavour::MariaDb).await;
    source.sql(TABLES).await.expect("source tables");
    target
        .sql(
            "CREATE DATABASE shop; USE shop;
             CREATE TABLE item (id BIGINT PRIMARY KEY, u INT, v VARCHAR(80) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin, own INT DEFAULT 5, UNIQUE KEY u (u))",
        )
        .await
        .expect("target tables");
    let wherry = Wherry::new(&source, &target, &["shop"]).extra("phases: [load, stream]");
    let refused = wherry.finish(&["run"]).expect_code(3);
    assert!(format!("{:?}", refused.of_type("error")).contains("the task makes no tables"));
    target
        .sql("CREATE TABLE shop.calm (id INT PRIMARY KEY, v INT)")
        .await
        .expect("the missing table");
    let (stop, work) = write_on(&source, 1000);
    let running = wherry.start(&["run"]);
    running.hear_strict();
    source.sql(PAST).await.expect("changes");
    stop.store(true, Ordering::SeqCst);
    work.await.expect("the writer");
    wherry.finish(&["verify"]).expect_code(0);
    assert_alike(&source, &target, "shop").await;
    assert_rows(&target, "SELECT DISTINCT own FROM shop.item", &["5"]).await;
    assert_rows(&target, "SELECT COUNT(*) FROM wherry.divergence", &["0"]).await;
    source
        .sql("ALTER TABLE shop.calm ADD COLUMN more INT")
        .await
        .expect("a definition change");
    running.hear("the stopped table", |line| {
        line["tables"].as_array().is_some_and(|tables| {
            let mut tables = tables.iter();
            tables.any(|it| it["table"] == "`shop`.`calm`" && !it["stopped"].is_null())
        })
    });
    running.stop();
}
