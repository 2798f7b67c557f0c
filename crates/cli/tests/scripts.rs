//! Rows that a script changes on their way, through load, stream, DDL, lanes, verify and cutover.

use crate::lanes::{becomes, joined};
use crate::runner::Wherry;
use crate::shape::{assert_same, server};
use wherry_testkit::{Flavour, Server};

const DATA: &str = "CREATE DATABASE shop DEFAULT CHARACTER SET utf8mb4; USE shop; SET NAMES utf8mb4;
    CREATE TABLE person (id INT PRIMARY KEY, name VARCHAR(20), phone VARCHAR(20), born DATE, secret VARCHAR(9), n INT, email VARCHAR(20) UNIQUE) ENGINE=InnoDB;
    INSERT INTO person VALUES (1, 'ann', '0123456789', '2000-01-02', 'a', 1, 'a'), (2, 'bÄrbel', '12', NULL, 'x', 2, 'b'),
        (3, 'äö', NULL, '1999-09-09', NULL, 3, 'c'), (4, 'dee', '00000000', NULL, 'd', 400, 'd'), (5, NULL, '99999999999', NULL, 'e', 5, NULL);
    CREATE TABLE bare (a INT, b VARCHAR(9)) ENGINE=InnoDB;
    INSERT INTO bare VALUES (1, 'x'), (1, 'x'), (2, 'yx'), (NULL, 'z');
    CREATE TABLE idle (id INT PRIMARY KEY, hidden INT, v INT) ENGINE=InnoDB;
    INSERT INTO idle VALUES (1, 10, 100)";

/// A column that does not move may decide.
const SCRIPT: &str = r"e_compose(
    e_if(op_eq(`secret`, 'x'), e_drop()),
    e_set(`name`, str_upper(`name`)),
    e_if(regex_match(`phone`, '^\d{8,}$'), e_set(`phone`, str_mask(`phone`, 3, 6, '*'))),
    e_set(`n`, `n` + 1))";

fn rules() -> String {
    // JSON's form of a text is one of YAML's.
    let script = serde_json::Value::from(SCRIPT);
    format!(
        "tables: [{{table: shop.person, without: [secret], filter: n < 100, etl: {{script: {script}}}}}, \
         {{table: shop.idle, without: [hidden], etl: {{script: 'e_if(op_eq(__TB__, ''other''), e_drop())'}}}}, \
         {{table: shop.bare, etl: {{script: 'e_set(`b`, str_replace(`b`, ''x'', ''y''))'}}}}], \
         mapping: {{columns: {{shop.person.name: called}}}}"
    )
}

/// What an SQL query on the source makes of its rows is what the target holds.
async fn assert_changed(source: &Server, target: &Server) {
    let there = "SELECT id, UPPER(name), IF(phone REGEXP '^[0-9]{8,}$', CONCAT(LEFT(phone, 3), '****', SUBSTRING(phone, 8)), phone), born, n + 1, email \
                 FROM shop.person WHERE n < 100 AND (secret <> 'x' OR secret IS NULL) ORDER BY id";
    let here = "SELECT id, called, phone, born, n, email FROM shop.person ORDER BY id";
    assert_same(source, there, target, here).await;
    let there = "SELECT a, REPLACE(b, 'x', 'y') AS c FROM shop.bare ORDER BY a, c";
    let here = "SELECT a, b FROM shop.bare ORDER BY a, b";
    assert_same(source, there, target, here).await;
    let there = "SELECT id, v FROM shop.idle ORDER BY id";
    assert_same(source, there, target, "SELECT * FROM shop.idle ORDER BY id").await;
}

async fn rows_change(flavour: Flavour) {
    let source = server(flavour).await;
    let target = server(Flavour::MySql97).await;
    source.sql(DATA).await.expect("source data");
    let wherry = Wherry::new(&source, &target, &["shop"])
        .select(&rules())
        .extra("cutover: {stop_writes: {command: \"true\"}}");
    let running = wherry.start(&["run"]);
    running.hear_strict();
    assert_changed(&source, &target).await;
    // Rows enter and leave by the filter and by the script, and values change that it writes.
    source
        .sql(
            "USE shop; SET NAMES utf8mb4;
             UPDATE person SET secret = 'x' WHERE id = 1;
             UPDATE person SET secret = 'y', email = 'a2' WHERE id = 2;
             UPDATE person SET n = 7 WHERE id = 4;
             UPDATE person SET n = 100, email = 'c2' WHERE id = 3;
             UPDATE person SET phone = '1', name = 'ü' WHERE id = 5;
             UPDATE person SET secret = 'z' WHERE id = 5;
             INSERT INTO person VALUES (6, 'six', '1234567', NULL, 'f', 6, 'c'), (7, 'seven', '12345678', NULL, 'x', 7, 'g');
             UPDATE person SET id = 70, secret = NULL WHERE id = 7;
             DELETE FROM person WHERE id = 6;
             INSERT INTO idle VALUES (2, 20, 200);
             UPDATE idle SET hidden = 11 WHERE id = 1;
             INSERT INTO bare VALUES (3, 'xx'), (NULL, NULL);
             UPDATE bare SET a = a + 1 WHERE b = 'yx';
             UPDATE bare SET b = 'y' WHERE a = 1 LIMIT 1;
             DELETE FROM bare WHERE b = 'x' LIMIT 1;
             ALTER TABLE person ADD COLUMN more INT;
             INSERT INTO person VALUES (9, 'nine', '999999999', NULL, NULL, 9, 'i', 9)",
        )
        .await
        .expect("changes");
    wherry.finish(&["verify"]).expect_code(0);
    assert_changed(&source, &target).await;
    assert_eq!(running.said("beside the stream"), Vec::<String>::new());
    // What the script looks at changes without a word in the binlog.
    source
        .sql("UPDATE shop.person SET phone = '87654321' WHERE LENGTH(phone) > 8; ALTER TABLE shop.person MODIFY phone VARCHAR(9); UPDATE shop.person SET n = 11 WHERE id = 9")
        .await
        .expect("a definition");
    running.hear("the new load", |line| {
        let message = line["message"].as_str();
        message.is_some_and(|text| text.contains("beside the stream"))
    });
    joined(&target, "shop.person", &running).await;
    running.signal("KILL");
    drop(running);
    source
        .sql("UPDATE shop.person SET secret = 'b', name = 'again' WHERE id = 1; UPDATE shop.person SET secret = 'x' WHERE id = 9; UPDATE shop.bare SET b = 'zx'")
        .await
        .expect("changes behind a crash");
    let running = wherry.start(&["run"]);
    running.hear_strict();
    wherry.finish(&["verify"]).expect_code(0);
    assert_changed(&source, &target).await;
    // A row as the source has it is not what is to be in the target.
    let one = |sql: &'static str| async { target.sql(sql).await.expect("a row of the target") };
    one("UPDATE shop.person SET called = 'again' WHERE id = 1").await;
    wherry.finish(&["verify"]).expect_code(4);
    one("UPDATE shop.person SET called = 'AGAIN' WHERE id = 1").await;
    running.stop();
    wherry.finish(&["cutover"]).expect_code(0);
    assert_changed(&source, &target).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn rows_change_from_97() {
    rows_change(Flavour::MySql97).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn rows_change_from_56() {
    rows_change(Flavour::MySql56).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn rows_change_from_mariadb() {
    rows_change(Flavour::MariaDb).await;
}

/// A value that cannot be stored stops its table, in the load and in the stream, or becomes NULL.
#[tokio::test(flavor = "multi_thread")]
async fn values_that_do_not_fit_follow_the_policy() {
    let source = server(Flavour::MySql97).await;
    let target = server(Flavour::MySql97).await;
    source
        .sql(
            "CREATE DATABASE shop; USE shop;
             CREATE TABLE early (id INT PRIMARY KEY, v TINYINT); INSERT INTO early VALUES (1, 1), (2, 100);
             CREATE TABLE late (id INT PRIMARY KEY, v TINYINT); INSERT INTO late VALUES (1, 1);
             CREATE TABLE soft (id INT PRIMARY KEY, v TINYINT); INSERT INTO soft VALUES (1, 1), (2, 100);
             CREATE TABLE plain (id INT PRIMARY KEY, v TINYINT); INSERT INTO plain VALUES (1, 1)",
        )
        .await
        .expect("source data");
    let rules = "tables: [{table: 'shop.*', etl: {script: 'e_set(`v`, `v` * 2)'}}, \
                 {table: shop.soft, etl: {script: 'e_set(`v`, `v` * 2)', errors: null}}, \
                 {table: 'shop.pl*', etl: {script: 'e_if(op_eq(__TB__, ''plus''), e_drop())'}}]";
    let wherry = Wherry::new(&source, &target, &["shop"]).select(rules);
    let running = wherry.start(&["run"]);
    let stopped = |table: &str| {
        format!(
            "SELECT COUNT(*) FROM wherry.table_state WHERE table_name = '{table}' AND stopped LIKE '%ETL-102%'"
        )
    };
    becomes(&target, &stopped("early"), "1", &running).await;
    running.hear_strict();
    source
        .sql(
            "USE shop; BEGIN; INSERT INTO late VALUES (2, 2); INSERT INTO late VALUES (3, 99); INSERT INTO late VALUES (4, 4);
             INSERT INTO soft VALUES (3, 3), (4, 99); UPDATE soft SET v = 5 WHERE id = 2; INSERT INTO plain VALUES (2, 99); COMMIT;
             INSERT INTO late VALUES (5, 5); INSERT INTO plain VALUES (3, 3)",
        )
        .await
        .expect("changes");
    becomes(&target, &stopped("late"), "1", &running).await;
    let all = "SELECT GROUP_CONCAT(CONCAT(id, '=', IFNULL(v, 'no')) ORDER BY id) FROM shop.";
    becomes(&target, &format!("{all}plain"), "1=1,2=99,3=3", &running).await;
    becomes(
        &target,
        &format!("{all}soft"),
        "1=2,2=10,3=6,4=no",
        &running,
    )
    .await;
    becomes(&target, &format!("{all}late"), "1=2", &running).await;
    // The script does another thing for the other name.
    source
        .sql("RENAME TABLE shop.plain TO shop.plus")
        .await
        .expect("another name");
    joined(&target, "shop.plus", &running).await;
    let rows = target.value("SELECT COUNT(*) FROM shop.plus").await;
    assert_eq!(rows.expect("rows").as_deref(), Some("0"));
    running.stop();
}

/// What cannot be done right is refused before anything is made.
#[tokio::test(flavor = "multi_thread")]
async fn scripts_that_cannot_be_right_are_refused() {
    let source = server(Flavour::MySql97).await;
    let target = server(Flavour::MySql97).await;
    source
        .sql(
            "CREATE DATABASE shop; USE shop;
             CREATE TABLE p (id INT PRIMARY KEY, code INT UNIQUE, a INT, g INT AS (a + 1), b INT, t DATETIME, n VARCHAR(90));
             CREATE TABLE bare (t DATETIME);
             CREATE TABLE c (id INT PRIMARY KEY, code INT, FOREIGN KEY (code) REFERENCES p (code))",
        )
        .await
        .expect("tables");
    let check = |table: &str, script: &str, code: &'static str, words: &str| {
        let rule = format!("tables: [{{table: shop.{table}, etl: {{script: \"{script}\"}}}}]");
        let wherry = Wherry::new(&source, &target, &["shop"]).select(&rule);
        let plan = wherry.finish(&["plan"]);
        let refused = plan.of_type("plan-refused");
        assert_eq!(refused[0]["code"], code, "{script}: {:?}", plan.lines);
        let message = refused[0]["message"].as_str().unwrap_or_default();
        assert!(message.contains(words), "{message}");
        assert_eq!(wherry.finish(&["run"]).code, 3, "{script}");
    };
    check("p", "e_set(`w`, 1)", "ETL-010", "line 1, character 7");
    check("p", "e_set(`b`, 'x' + 1)", "ETL-011", "character");
    check(
        "p",
        "e_if(op_eq(__OPERATION__, __OP_DELETE__), e_drop())",
        "TRF-004",
        "which rows",
    );
    check(
        "p",
        "e_set(__OPERATION__, __OP_INSERT__)",
        "TRF-004",
        "which rows",
    );
    check("p", "e_set(`n`, __SCN__)", "TRF-004", "place in the log");
    check("bare", "e_set(`t`, dt_now())", "ETL-017", "character");
    check("p", "e_set(`code`, 1)", "TRF-005", "`code`");
    check("p", "e_set(`a`, 1)", "TRF-005", "`a`");
    check("c", "e_set(`code`, 1)", "TRF-005", "`code`");
    check(
        "p",
        "e_if(op_gt(`b`, 1), e_drop())",
        "FLT-007",
        "leave rows out",
    );
    let made = target.rows("SHOW DATABASES LIKE 'shop'").await;
    assert!(made.expect("databases").is_empty());
    let rule = "tables: [{table: shop.p, etl: {script: 'e_set(`b`, 1)'}}]";
    let wherry = Wherry::new(&source, &target, &["shop"]).select(rule);
    let plan = wherry.finish(&["plan"]).expect_code(0);
    let tables = plan.of_type("plan-table");
    let of_p = tables.iter().find(|table| table["source"] == "shop.p");
    assert_eq!(of_p.expect("the table")["script"], "e_set(`b`, 1)");
}

/// Rows of several tables meet in one, each as its filter and script let it.
#[tokio::test(flavor = "multi_thread")]
async fn rows_change_on_their_way_into_one_table() {
    let source = server(Flavour::MySql97).await;
    let target = server(Flavour::MySql97).await;
    source
        .sql(
            "CREATE DATABASE shop; USE shop;
             CREATE TABLE part_1 (id INT PRIMARY KEY, v INT, shard VARCHAR(9)); CREATE TABLE part_2 LIKE part_1;
             INSERT INTO part_1 VALUES (1, 1, NULL), (2, 50, 'x'), (3, 100, NULL);
             INSERT INTO part_2 VALUES (10, 1, NULL), (12, 200, NULL)",
        )
        .await
        .expect("source data");
    let rules = "tables: [{table: 'shop.part_*', filter: v < 100, etl: {script: 'e_set(`shard`, substring_after(__TB__, ''_''))'}}], \
                 mapping: {tables: {'shop.part_*': shop.whole}}, merge: [shop.whole]";
    let wherry = Wherry::new(&source, &target, &["shop"]).select(rules);
    let running = wherry.start(&["run"]);
    running.hear_strict();
    source
        .sql(
            "USE shop; UPDATE part_1 SET v = 100 WHERE id = 2; UPDATE part_2 SET v = 99 WHERE id = 12;
             INSERT INTO part_2 VALUES (13, 5, 'y'), (14, 500, 'y'); UPDATE part_1 SET v = 7 WHERE id = 1",
        )
        .await
        .expect("changes");
    wherry.finish(&["verify"]).expect_code(0);
    let there = "SELECT id, v, '1' FROM shop.part_1 WHERE v < 100 UNION ALL SELECT id, v, '2' FROM shop.part_2 WHERE v < 100 ORDER BY id";
    let here = "SELECT id, v, shard FROM shop.whole ORDER BY id";
    assert_same(&source, there, &target, here).await;
    running.stop();
}

const STAMPS: &str = "e_compose(
    e_switch(op_eq(__OPERATION__, __OP_UPDATE__), e_set(`kind`, 'U'), default=e_set(`kind`, 'I')),
    e_set(`stamp`, __COMMIT_TIMESTAMP__),
    e_set(`was`, v(`v`, __BEFORE__)))";

/// Values that depend on when and how a row came are written, and named as not compared.
async fn time_and_operation_are_written(flavour: Flavour) {
    let source = server(flavour).await;
    let target = server(Flavour::MySql97).await;
    source
        .sql(
            "CREATE DATABASE shop; USE shop;
             CREATE TABLE item (id INT PRIMARY KEY, v INT, at DATETIME, kind VARCHAR(9), stamp DATETIME, was INT) ENGINE=InnoDB;
             INSERT INTO item VALUES (1, 10, UTC_TIMESTAMP(), 'x', NULL, 7), (2, 20, UTC_TIMESTAMP(), 'x', NULL, 7), (3, 30, UTC_TIMESTAMP(), 'x', NULL, 7)",
        )
        .await
        .expect("source data");
    let script = serde_json::Value::from(STAMPS);
    let wherry = Wherry::new(&source, &target, &["shop"])
        .select(&format!(
            "tables: [{{table: shop.item, etl: {{script: {script}}}}}]"
        ))
        .extra("cutover: {stop_writes: {command: \"true\"}}");
    let running = wherry.start(&["run"]);
    running.hear_strict();
    source
        .sql("UPDATE shop.item SET v = 11, at = UTC_TIMESTAMP() WHERE id = 1; INSERT INTO shop.item VALUES (4, 40, UTC_TIMESTAMP(), 'x', NULL, 7)")
        .await
        .expect("changes");
    becomes(&target, "SELECT COUNT(*) FROM shop.item", "4", &running).await;
    running.signal("KILL");
    drop(running);
    source
        .sql("UPDATE shop.item SET v = 21, at = UTC_TIMESTAMP() WHERE id = 2; UPDATE shop.item SET id = 5, v = 41, at = UTC_TIMESTAMP() WHERE id = 4; DELETE FROM shop.item WHERE id = 3")
        .await
        .expect("changes behind a crash");
    let running = wherry.start(&["run"]);
    running.hear_strict();
    let verified = wherry.finish(&["verify"]).expect_code(0);
    let report = &verified.of_type("verify")[0];
    let mut told: Vec<String> =
        serde_json::from_value(report["tables"][0]["not_compared"].clone()).expect("names");
    told.sort();
    assert_eq!(told, ["kind", "stamp", "was"]);
    let rows = target
        .rows("SELECT id, v, kind, was FROM shop.item WHERE stamp BETWEEN at AND UTC_TIMESTAMP() ORDER BY id")
        .await
        .expect("rows");
    let rows: Vec<String> = rows
        .into_iter()
        .map(|row| {
            row.into_iter()
                .map(|value| value.unwrap_or("-".to_owned()))
                .collect::<Vec<_>>()
                .join(" ")
        })
        .collect();
    assert_eq!(rows, ["1 11 U 10", "2 21 U 20", "5 41 U 40"]);
    target
        .sql("UPDATE shop.item SET v = 0 WHERE id = 1")
        .await
        .expect("damage");
    wherry.finish(&["verify"]).expect_code(4);
    target
        .sql("UPDATE shop.item SET v = 11 WHERE id = 1")
        .await
        .expect("it is mended");
    running.stop();
    wherry.finish(&["cutover"]).expect_code(0);
}

#[tokio::test(flavor = "multi_thread")]
async fn time_and_operation_are_written_from_97() {
    time_and_operation_are_written(Flavour::MySql97).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn time_and_operation_are_written_from_56() {
    time_and_operation_are_written(Flavour::MySql56).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn time_and_operation_are_written_from_mariadb() {
    time_and_operation_are_written(Flavour::MariaDb).await;
}
