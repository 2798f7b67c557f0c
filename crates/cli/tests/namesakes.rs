//! Statements after which a name means another table than before: one that was never made in the
//! target, one that is left there, one of others, one that another table points to.

use crate::kill_ddl::{AT_COMMIT, kill_at};
use crate::kinds::{assert_rows, pair};
use crate::lanes::{becomes, joined};
use crate::runner::{Running, Wherry};
use wherry_testkit::{Flavour, Server};

const STOPPED: &str = "SELECT GROUP_CONCAT(table_name ORDER BY table_name) FROM wherry.table_state WHERE stopped IS NOT NULL";

/// Waits until everything before this moment is in.
async fn passed(source: &Server, target: &Server, running: &Running, mark: u32) {
    let sql = format!("INSERT INTO shop.plain VALUES ({mark})");
    source.sql(&sql).await.expect("a mark");
    let there = format!("SELECT COUNT(*) FROM shop.plain WHERE id = {mark}");
    becomes(target, &there, "1", running).await;
}

/// Tables whose names others have in the target are refused. Whatever the source does to them
/// later, the tables of the others stay, and its other tables go on.
#[tokio::test(flavor = "multi_thread")]
async fn tables_of_others_stay_whatever_the_source_does_to_their_namesakes() {
    let (source, target) = pair(Flavour::MariaDb).await;
    source
        .sql("CREATE DATABASE shop; CREATE TABLE shop.t (id INT PRIMARY KEY); CREATE DATABASE shed; CREATE TABLE shed.t (id INT PRIMARY KEY)")
        .await
        .expect("source data");
    let wherry = Wherry::new(&source, &target, &["shop", "shed"]);
    let running = wherry.start(&["run"]);
    running.hear_strict();
    let others = [
        "shop.moved",
        "shop.altered",
        "shop.dropped",
        "shop.replaced",
    ];
    for table in others.into_iter().chain(["shop.emptied", "shed.gone"]) {
        let sql = format!("CREATE TABLE {table} (a INT); INSERT INTO {table} VALUES (7)");
        target.sql(&sql).await.expect("tables of others");
        let sql = format!("CREATE TABLE {table} (id INT PRIMARY KEY)");
        source.sql(&sql).await.expect("namesakes");
    }
    source
        .sql(
            "RENAME TABLE shop.moved TO shop.aside, shop.aside TO shop.away;
             ALTER TABLE shop.altered RENAME TO shop.other; INSERT INTO shop.other VALUES (1);
             DROP TABLE shop.dropped; CREATE OR REPLACE TABLE shop.replaced (id INT PRIMARY KEY);
             TRUNCATE TABLE shop.emptied; DROP DATABASE shed; INSERT INTO shop.t VALUES (1)",
        )
        .await
        .expect("changes");
    becomes(&target, "SELECT COUNT(*) FROM shop.t", "1", &running).await;
    for table in others.into_iter().chain(["shop.emptied", "shed.gone"]) {
        let rows = target.value(&format!("SELECT a FROM {table}")).await;
        assert_eq!(rows.expect(table).as_deref(), Some("7"), "{table}");
    }
    let gone = "SELECT COUNT(*) FROM information_schema.tables WHERE table_schema = 'shed' AND table_name = 't'";
    assert_eq!(
        target.value(gone).await.expect("tables").as_deref(),
        Some("0")
    );
    let stopped = "SELECT GROUP_CONCAT(table_name ORDER BY table_name) FROM wherry.table_state WHERE stopped IS NOT NULL";
    let stopped = target.value(stopped).await.expect("tables");
    assert_eq!(stopped.as_deref(), Some("away,emptied,other,replaced"));
    running.stop();
}

/// `IF NOT EXISTS` makes nothing where the source has the table, whatever became of it in the target.
#[tokio::test(flavor = "multi_thread")]
async fn if_not_exists_makes_nothing_of_a_table_that_stopped() {
    let (source, target) = pair(Flavour::MySql97).await;
    source
        .sql("CREATE DATABASE shop; CREATE TABLE shop.plain (id INT PRIMARY KEY); CREATE TABLE shop.own (id INT PRIMARY KEY); INSERT INTO shop.own VALUES (1);
              CREATE TABLE shop.old (id INT PRIMARY KEY); INSERT INTO shop.old VALUES (1)")
        .await
        .expect("source data");
    let wherry = Wherry::new(&source, &target, &["shop"])
        .select("tables: [{table: 'shop.old', operations: [all, -rename-table]}, {table: 'shop.new', operations: [all, -rename-table]}]");
    let running = wherry.start(&["run"]);
    running.hear_strict();
    let others = "CREATE TABLE shop.taken (a INT); CREATE TABLE shop.other (a INT)";
    target.sql(others).await.expect("tables of others");
    source
        .sql("CREATE TABLE shop.taken (id INT PRIMARY KEY); INSERT INTO shop.taken VALUES (1); RENAME TABLE shop.own TO shop.other; RENAME TABLE shop.old TO shop.new")
        .await
        .expect("changes");
    passed(&source, &target, &running, 1).await;
    let gone = "DROP TABLE shop.taken; DROP TABLE shop.other";
    target.sql(gone).await.expect("the names are free");
    for table in ["taken", "other", "new"] {
        let sql = format!(
            "CREATE TABLE IF NOT EXISTS shop.{table} (id INT PRIMARY KEY); INSERT INTO shop.{table} VALUES (2)"
        );
        source.sql(&sql).await.expect("nothing is made");
    }
    passed(&source, &target, &running, 2).await;
    assert_rows(&target, STOPPED, &["new,old,other,own,taken"]).await;
    let made = "SELECT COUNT(*) FROM information_schema.TABLES WHERE TABLE_SCHEMA = 'shop' AND TABLE_NAME IN ('taken', 'other', 'new')";
    assert_rows(&target, made, &["0"]).await;
    running.stop();
    wherry
        .finish(&["resync", "shop.taken", "shop.other"])
        .expect_code(0);
    let running = wherry.start(&["run"]);
    for table in ["taken", "other"] {
        joined(&target, &format!("shop.{table}"), &running).await;
        let rows = format!("SELECT id FROM shop.{table} ORDER BY id");
        assert_rows(&target, &rows, &["1", "2"]).await;
    }
    running.stop();
}

/// A stopped table is followed by its name alone, also where a statement says more, so that another
/// one may have its name later.
#[tokio::test(flavor = "multi_thread")]
async fn a_stopped_table_gives_its_name_to_another_one() {
    let (source, target) = pair(Flavour::MySql97).await;
    source
        .sql("CREATE DATABASE shop; CREATE TABLE shop.plain (id INT PRIMARY KEY); CREATE TABLE shop.x (id INT PRIMARY KEY); INSERT INTO shop.x VALUES (1);
              CREATE TABLE shop.y (id INT PRIMARY KEY); INSERT INTO shop.y VALUES (1)")
        .await
        .expect("source data");
    let wherry = Wherry::new(&source, &target, &["shop"]);
    let running = wherry.start(&["run"]);
    running.hear_strict();
    source
        .sql(
            "CREATE TABLE shop.t (id INT PRIMARY KEY) ENGINE=MyISAM; ALTER TABLE shop.t ENGINE=InnoDB, RENAME TO shop.u;
             RENAME TABLE shop.x TO shop.t; INSERT INTO shop.t VALUES (2);
             CREATE TABLE shop.v (id INT PRIMARY KEY) ENGINE=MyISAM; ALTER TABLE shop.v ENGINE=InnoDB, RENAME TO shop.w;
             ALTER TABLE shop.y ADD COLUMN c INT DEFAULT 3, RENAME TO shop.v; INSERT INTO shop.v VALUES (2, 2)",
        )
        .await
        .expect("changes");
    passed(&source, &target, &running, 1).await;
    assert_rows(&target, "SELECT id FROM shop.t ORDER BY id", &["1", "2"]).await;
    assert_rows(
        &target,
        "SELECT id, c FROM shop.v ORDER BY id",
        &["1/3", "2/2"],
    )
    .await;
    assert_rows(&target, STOPPED, &["u,w"]).await;
    running.stop();
}

/// What `operations` keeps in the target is not dropped for a table that comes under its name, and
/// what is in trouble does not become something that was left out on purpose.
#[tokio::test(flavor = "multi_thread")]
async fn a_table_that_is_kept_is_not_dropped_for_its_namesake() {
    let (source, target) = pair(Flavour::MariaDb).await;
    source
        .sql(
            "CREATE DATABASE shop; CREATE DATABASE barn; CREATE TABLE shop.plain (id INT PRIMARY KEY);
             CREATE TABLE shop.dropped (id INT PRIMARY KEY); INSERT INTO shop.dropped VALUES (1);
             CREATE TABLE barn.enters (id INT PRIMARY KEY); INSERT INTO barn.enters VALUES (5);
             CREATE TABLE shop.moved (id INT PRIMARY KEY); INSERT INTO shop.moved VALUES (1);
             CREATE TABLE shop.hand (id INT PRIMARY KEY, v INT)",
        )
        .await
        .expect("source data");
    let wherry = Wherry::new(&source, &target, &["shop"]).select(
        "tables: [{table: shop.dropped, operations: [all, -drop-table]}, {table: 'shop.moved*', operations: [all, -rename-table]}, {table: shop.hand, operations: [all, -create-table]}]",
    );
    let running = wherry.start(&["run"]);
    running.hear_strict();
    let by_hand = "ALTER TABLE shop.hand ADD KEY k (v)";
    target.sql(by_hand).await.expect("a change by hand");
    source
        .sql(
            "DROP TABLE shop.dropped; RENAME TABLE barn.enters TO shop.dropped; INSERT INTO shop.dropped VALUES (6);
             RENAME TABLE shop.moved TO shop.moved_on; CREATE OR REPLACE TABLE shop.moved (id INT PRIMARY KEY); INSERT INTO shop.moved VALUES (7);
             ALTER TABLE shop.hand ADD KEY k (v), ADD COLUMN c INT; CREATE TABLE IF NOT EXISTS shop.hand (id INT PRIMARY KEY)",
        )
        .await
        .expect("changes");
    passed(&source, &target, &running, 1).await;
    assert_rows(&target, "SELECT id FROM shop.dropped", &["1"]).await;
    assert_rows(&target, "SELECT id FROM shop.moved", &["1"]).await;
    let trouble = "SELECT GROUP_CONCAT(table_name ORDER BY table_name) FROM wherry.table_state WHERE JSON_EXTRACT(stopped, '$.left') = FALSE OR (stopped IS NOT NULL AND JSON_EXTRACT(stopped, '$.left') IS NULL)";
    assert_rows(&target, trouble, &["dropped,hand,moved"]).await;
    running.stop();
}

/// A database goes with what the task made in it, and stays where somebody else made more.
#[tokio::test(flavor = "multi_thread")]
async fn a_database_that_holds_routines_of_others_stays() {
    let (source, target) = pair(Flavour::MySql97).await;
    let objects = |database: &str| {
        format!(
            "CREATE DATABASE {database}; CREATE TABLE {database}.t (id INT PRIMARY KEY); CREATE VIEW {database}.v AS SELECT id FROM {database}.t;
             CREATE PROCEDURE {database}.p() SELECT 1; CREATE EVENT {database}.e ON SCHEDULE EVERY 1 DAY DO SELECT 1;"
        )
    };
    source
        .sql(&format!(
            "CREATE DATABASE shop; CREATE TABLE shop.plain (id INT PRIMARY KEY); {} {}",
            objects("shed"),
            objects("barn")
        ))
        .await
        .expect("source data");
    let wherry = Wherry::new(&source, &target, &["shop", "shed", "barn"]);
    let running = wherry.start(&["run"]);
    running.hear_strict();
    let own = "CREATE PROCEDURE shed.own() SELECT 1";
    target.sql(own).await.expect("a routine of others");
    let gone = "DROP DATABASE shed; DROP DATABASE barn";
    source.sql(gone).await.expect("two databases less");
    passed(&source, &target, &running, 1).await;
    let databases =
        "SELECT SCHEMA_NAME FROM information_schema.SCHEMATA WHERE SCHEMA_NAME IN ('shed', 'barn')";
    assert_rows(&target, databases, &["shed"]).await;
    let left = "SELECT ROUTINE_NAME FROM information_schema.ROUTINES WHERE ROUTINE_SCHEMA = 'shed'";
    becomes(
        &target,
        &left.replace("ROUTINE_NAME FROM", "GROUP_CONCAT(ROUTINE_NAME) FROM"),
        "own",
        &running,
    )
    .await;
    running.stop();
}

/// A rename is refused, since another has the name. The runner dies while the table is taken away to
/// be loaded anew under that name, and the table of the other one is not taken for it then.
#[tokio::test(flavor = "multi_thread")]
async fn a_crash_behind_a_refused_rename_takes_over_nothing() {
    let (source, target) = pair(Flavour::MySql97).await;
    source
        .sql("CREATE DATABASE shop; CREATE TABLE shop.plain (id INT PRIMARY KEY); CREATE TABLE shop.a (id INT PRIMARY KEY); INSERT INTO shop.a VALUES (1)")
        .await
        .expect("source data");
    let wherry = Wherry::new(&source, &target, &["shop"]).extra("stream: {refused_ddl: reload}");
    let running = wherry.start(&["run"]);
    running.hear_strict();
    running.stop();
    let others = "CREATE TABLE shop.b (id INT PRIMARY KEY); INSERT INTO shop.b VALUES (7)";
    target.sql(others).await.expect("a table of others");
    let rename = "RENAME TABLE shop.a TO shop.b";
    kill_at(&wherry, &source, &target, AT_COMMIT, rename).await;
    source
        .sql("INSERT INTO shop.b VALUES (2)")
        .await
        .expect("a row");
    let running = wherry.start(&["run"]);
    passed(&source, &target, &running, 1).await;
    assert_rows(&target, "SELECT id FROM shop.b", &["7"]).await;
    becomes(&target, STOPPED, "b", &running).await;
    running.stop();
}
