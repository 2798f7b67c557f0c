//! Several tables of the source become one in the target: load, stream, DDL, clashes, verify, cutover.

use crate::exact::Writers;
use crate::lanes::becomes;
use crate::runner::{Running, Wherry};
use crate::shape::{assert_same, server};
use std::sync::Arc;
use wherry_testkit::{Flavour, Random, Server};

const DATABASES: u64 = 4;
const TABLES: u64 = 16;
const PARTS: u64 = DATABASES * TABLES;
const ROWS: u64 = 60;

const SELECT: &str = r#"mapping: {databases: {"/shard_(\\d+)/": plant}, tables: {"/shard_(\\d+)/./orders_(\\d+)/": "plant.orders"}}, merge: [plant.orders]"#;

fn part(number: u64) -> String {
    format!("shard_{}.orders_{number}", number % DATABASES)
}

const COLUMNS: &str =
    "(id BIGINT PRIMARY KEY, code VARCHAR(40) NOT NULL, v INT, note VARCHAR(20) DEFAULT 'n',
    UNIQUE KEY code (code), KEY v (v)) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4";

/// The rows that a part holds have ids that end with its number.
async fn fill(source: &Server) {
    for database in 0..DATABASES {
        let sql = format!("CREATE DATABASE shard_{database}");
        source.sql(&sql).await.expect("a database");
    }
    for number in 0..PARTS {
        let table = part(number);
        let row = |row: u64| {
            let id = row * 1000 + number;
            format!("({id}, 'c{id}', {row}, DEFAULT)")
        };
        let rows: Vec<String> = (0..ROWS).map(row).collect();
        let rows = rows.join(",");
        let sql = format!("CREATE TABLE {table} {COLUMNS}; INSERT INTO {table} VALUES {rows}");
        source.sql(&sql).await.expect("a part");
    }
}

/// Writes to any part; a row never leaves its part.
fn on_any_part(random: &mut Random) -> String {
    let number = random.below(PARTS);
    let table = part(number);
    let id = random.below(ROWS * 2) * 1000 + number;
    let v = random.below(1000);
    match random.below(4) {
        0 => format!("DELETE FROM {table} WHERE id = {id}"),
        1 => format!(
            "INSERT INTO {table} (id, code, v) VALUES ({id}, 'c{id}', {v}) ON DUPLICATE KEY UPDATE v = {v}"
        ),
        2 => format!(
            "UPDATE {table} SET v = {v}, note = 'changed' WHERE id < {id} ORDER BY id LIMIT 5"
        ),
        _ => format!("UPDATE {table} SET code = CONCAT('x', id, '-', {v}) WHERE id = {id}"),
    }
}

fn union(columns: &str) -> String {
    let parts = (0..PARTS).map(|number| format!("SELECT {columns} FROM {}", part(number)));
    parts.collect::<Vec<_>>().join(" UNION ALL ") + " ORDER BY id"
}

async fn none_waits(target: &Server, running: &Running) {
    let waiting = "SELECT COUNT(*) FROM wherry.lane_table";
    becomes(target, waiting, "0", running).await;
}

async fn shards_become_one(flavour: Flavour) {
    let source = server(flavour).await;
    let target = server(Flavour::MySql97).await;
    fill(&source).await;
    let wherry = Wherry::new(&source, &target, &["\"shard_*\""])
        .select(SELECT)
        .extra("cutover: {stop_writes: {command: \"true\"}}");
    let writers = Writers::start(&source, 4, on_any_part);
    let running = wherry.start(&["run"]);
    running.hear("the load", |line| line["phase"] == "load");
    running.signal("KILL");
    drop(running);
    let running = wherry.start(&["run"]);
    running.hear_strict();
    running.signal("KILL");
    drop(running);
    let running = wherry.start(&["run"]);
    running.hear_strict();
    wherry.finish(&["verify"]).expect_code(0);
    // All of them get a column, under writes; each time everything is loaded anew, or waits for the rest.
    for number in 0..PARTS {
        let sql = format!("ALTER TABLE {} ADD COLUMN more INT DEFAULT 7", part(number));
        source.sql(&sql).await.expect("a column");
    }
    let column = "SELECT COUNT(*) FROM information_schema.columns WHERE table_name = 'orders' AND table_schema = 'plant' AND column_name = 'more'";
    becomes(&target, column, "1", &running).await;
    none_waits(&target, &running).await;
    source
        .sql(
            "CREATE TABLE shard_0.orders_64 LIKE shard_0.orders_0;
             INSERT INTO shard_0.orders_64 VALUES (64, 'c64', 1, 'new', 1);
             TRUNCATE TABLE shard_1.orders_1;
             INSERT INTO shard_1.orders_1 VALUES (1, 'again', 1, 'again', 1)",
        )
        .await
        .expect("parts that come and go");
    let new = "SELECT COUNT(*) FROM plant.orders WHERE id IN (1, 64)";
    becomes(&target, new, "2", &running).await;
    none_waits(&target, &running).await;
    writers.stop().await;
    running.signal("KILL");
    drop(running);
    wherry.finish(&["cutover"]).expect_code(0);
    let all = format!(
        "SELECT id, code, v, note, more FROM shard_0.orders_64 UNION ALL {}",
        union("id, code, v, note, more")
    );
    let here = "SELECT id, code, v, note, more FROM plant.orders ORDER BY id";
    assert_same(&source, &all, &target, here).await;
    // While not all of them were altered they may have stopped, which the ledger keeps.
    for wrong in [
        "wherry.divergence",
        "wherry.loss_ledger WHERE reason NOT LIKE '%defined otherwise%' AND reason NOT LIKE '%one table%' AND reason NOT LIKE '%becomes%'",
    ] {
        let count = format!("SELECT COUNT(*) FROM {wrong}");
        let count = target.value(&count).await.expect("a count");
        assert_eq!(count.as_deref(), Some("0"), "{wrong}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn shards_become_one_from_97() {
    shards_become_one(Flavour::MySql97).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn shards_become_one_from_56() {
    shards_become_one(Flavour::MySql56).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn shards_become_one_from_mariadb() {
    shards_become_one(Flavour::MariaDb).await;
}

const TWO: &str =
    r#"tables: [], mapping: {tables: {"shop.a": shop.one, "shop.b": shop.one}}, merge: [shop.one]"#;

async fn two(rows: &str) -> (Arc<Server>, Arc<Server>, Wherry) {
    let source = server(Flavour::MySql97).await;
    let target = server(Flavour::MySql97).await;
    source
        .sql(&format!(
            "CREATE DATABASE shop; USE shop;
             CREATE TABLE a (id INT PRIMARY KEY, v INT, c INT UNIQUE); CREATE TABLE b LIKE a; {rows}"
        ))
        .await
        .expect("two tables");
    let wherry = Wherry::new(&source, &target, &["shop"]).select(TWO);
    (source, target, wherry)
}

async fn stopped(target: &Server, running: &Running) {
    let stopped = "SELECT COUNT(*) FROM wherry.table_state WHERE stopped LIKE '%MRG-003%' OR stopped LIKE '%LOAD-006%'";
    becomes(target, stopped, "2", running).await;
}

/// Two rows of one key never become one: not in the load, not in the stream.
#[tokio::test(flavor = "multi_thread")]
async fn rows_of_one_key_stop_their_tables() {
    let (source, target, wherry) =
        two("INSERT INTO a VALUES (1, 1, 1); INSERT INTO b VALUES (1, 2, 2)").await;
    let running = wherry.start(&["run"]);
    running.hear_strict();
    stopped(&target, &running).await;
    wherry.finish(&["verify"]).expect_code(4);
    source
        .sql("UPDATE shop.b SET id = 2")
        .await
        .expect("another key");
    running.stop();
    let mut running = anew(&wherry, &target).await;
    let all = "SELECT * FROM shop.a UNION ALL SELECT * FROM shop.b ORDER BY id";
    let here = "SELECT * FROM shop.one ORDER BY id";
    becomes(&target, "SELECT COUNT(*) FROM shop.one", "2", &running).await;
    assert_same(&source, all, &target, here).await;
    wherry.finish(&["verify"]).expect_code(0);
    // A unique key of the other one, by an update; then the primary key, by an insert.
    for clash in [
        "UPDATE shop.a SET c = 2",
        "INSERT INTO shop.a VALUES (2, 9, 9)",
    ] {
        source.sql(clash).await.expect("a clash");
        stopped(&target, &running).await;
        let kept = target.value("SELECT v FROM shop.one WHERE id = 2").await;
        assert_eq!(kept.expect("a row").as_deref(), Some("2"), "{clash}");
        source
            .sql("DELETE FROM shop.a WHERE id = 2; UPDATE shop.a SET c = 1")
            .await
            .expect("no clash any more");
        running.signal("KILL");
        drop(running);
        running = anew(&wherry, &target).await;
        assert_same(&source, all, &target, here).await;
    }
    wherry.finish(&["verify"]).expect_code(0);
}

/// Both tables loaded anew, asked for by the name of one.
async fn anew(wherry: &Wherry, target: &Server) -> Running {
    wherry.finish(&["resync", "shop.b"]).expect_code(0);
    let running = wherry.start(&["run"]);
    running.hear_strict();
    none_waits(target, &running).await;
    running
}

/// What can be no part of a merge is refused before anything is made.
#[tokio::test(flavor = "multi_thread")]
async fn tables_that_cannot_be_merged_are_refused() {
    let (source, target, _) = two(
        "CREATE TABLE p (id INT PRIMARY KEY); CREATE TABLE keyless (id INT); CREATE TABLE bare LIKE keyless;
         CREATE TABLE child (id INT PRIMARY KEY, FOREIGN KEY (id) REFERENCES p (id)); CREATE TABLE other (id INT PRIMARY KEY)",
    )
    .await;
    let check = |from: [&str; 2], rest: &str, code: &str| {
        let [one, two] = from;
        let select =
            format!("mapping: {{tables: {{shop.{one}: shop.one, shop.{two}: shop.one}}}}, {rest}");
        let wherry = Wherry::new(&source, &target, &["shop"]).select(&select);
        let said = wherry.finish(&["precheck"]);
        let lines = format!("{:?}", said.lines);
        assert!(lines.contains(code), "{select}: {lines}");
        assert_eq!(said.code, 3, "{select}");
        assert_eq!(wherry.finish(&["run"]).code, 3, "{select}");
    };
    check(
        ["a", "b"],
        "merge: [shop.two]",
        "select.merge does not name",
    );
    check(["keyless", "bare"], "merge: [shop.one]", "MRG-001");
    check(["child", "p"], "merge: [shop.one]", "MRG-001");
    check(["a", "other"], "merge: ['shop.o*']", "MRG-002");
    check(["a", "b"], "policy: keep, merge: [shop.one]", "MRG-001");
    check(
        ["a", "b"],
        "operations: [all, -truncate-table], merge: [shop.one]",
        "MRG-001",
    );
    let made = target.rows("SHOW DATABASES LIKE 'shop'").await;
    assert!(made.expect("databases").is_empty());
}

/// Rows of parts that are dropped or renamed away go, those of the others stay; what has a name of a
/// part in it stays behind.
#[tokio::test(flavor = "multi_thread")]
async fn parts_that_go_take_their_rows_with_them() {
    let source = server(Flavour::MySql97).await;
    let target = server(Flavour::MySql97).await;
    let table = "(id INT PRIMARY KEY, v INT, CHECK (v < 100))";
    source
        .sql(&format!(
            "CREATE DATABASE shard_1; CREATE DATABASE shard_2;
             CREATE TABLE shard_1.a1 {table}; CREATE TABLE shard_1.a2 {table}; CREATE TABLE shard_1.a3 {table};
             CREATE TABLE shard_2.a4 {table}; CREATE TABLE shard_2.other {table};
             INSERT INTO shard_1.a1 VALUES (1, 1); INSERT INTO shard_1.a2 VALUES (2, 2); INSERT INTO shard_1.a3 VALUES (3, 3);
             INSERT INTO shard_2.a4 VALUES (4, 4); INSERT INTO shard_2.other VALUES (5, 5);
             CREATE TRIGGER shard_1.t BEFORE INSERT ON shard_1.a1 FOR EACH ROW SET NEW.v = 7;
             CREATE VIEW shard_2.v AS SELECT id FROM shard_1.a1; CREATE VIEW shard_2.w AS SELECT id FROM shard_2.other"
        ))
        .await
        .expect("parts");
    let wherry = Wherry::new(&source, &target, &["\"shard_*\""]).select(
        r#"mapping: {databases: {shard_1: plant, shard_2: plant}, tables: {"/shard_\\d/./a\\d/": plant.a}}, merge: [plant.a]"#,
    );
    let said = format!("{:?}", wherry.finish(&["run"]).expect_code(3).lines);
    assert!(
        said.contains("OBJ-020") && said.contains("OBJ-021"),
        "{said}"
    );
    let wherry = wherry.extra("schema: {leave_out: [shard_1.t, shard_2.v]}");
    let running = wherry.start(&["run"]);
    running.hear_strict();
    let views = "SELECT GROUP_CONCAT(table_name) FROM information_schema.views WHERE table_schema = 'plant'";
    assert_eq!(
        target.value(views).await.expect("views").as_deref(),
        Some("w")
    );
    let ids = "SELECT GROUP_CONCAT(id ORDER BY id) FROM plant.a";
    assert_eq!(
        target.value(ids).await.expect("rows").as_deref(),
        Some("1,2,3,4")
    );
    for (change, left) in [
        ("DROP TABLE shard_1.a1, shard_2.other", "2,3,4"),
        ("RENAME TABLE shard_1.a2 TO shard_1.away", "3,4"),
        ("DROP DATABASE shard_2", "3"),
        ("RENAME TABLE shard_1.away TO shard_1.a9", "2,3"),
    ] {
        source.sql(change).await.expect(change);
        becomes(&target, ids, left, &running).await;
        none_waits(&target, &running).await;
        let stays = target.value(ids).await.expect("rows");
        assert_eq!(stays.as_deref(), Some(left), "{change}");
    }
    wherry.finish(&["verify"]).expect_code(0);
    let triggers =
        "SELECT COUNT(*) FROM information_schema.triggers WHERE trigger_schema = 'plant'";
    assert_eq!(
        target.value(triggers).await.expect("triggers").as_deref(),
        Some("0")
    );
    running.stop();
}
