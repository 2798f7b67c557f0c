//! What of a table moves: columns and rows, through load, stream, DDL, lanes, verify and cutover.

use crate::lanes::{becomes, joined};
use crate::runner::Wherry;
use std::sync::Arc;
use wherry_testkit::{Flavour, Server, ServerOptions};

pub async fn server(flavour: Flavour) -> Arc<Server> {
    let server = Server::start(flavour, ServerOptions::default()).await;
    Arc::new(server.expect("a server"))
}

/// The rows of one query at the source are those of another one in the target.
pub async fn assert_same(source: &Server, there: &str, target: &Server, here: &str) {
    let wanted = source.rows(there).await.expect("rows of the source");
    let found = target.rows(here).await.expect("rows of the target");
    assert!(!wanted.is_empty(), "{there} gives nothing");
    assert_eq!(found, wanted, "{there}");
}

/// The columns of a table in the target, in order.
async fn assert_columns(target: &Server, table: &str, wanted: &str) {
    let found = target
        .value(&format!(
            "SELECT GROUP_CONCAT(column_name ORDER BY ordinal_position) FROM information_schema.columns \
             WHERE CONCAT(table_schema, '.', table_name) = '{table}'"
        ))
        .await;
    assert_eq!(found.expect("columns").as_deref(), Some(wanted), "{table}");
}

const DATA: &str = "CREATE DATABASE shop; USE shop;
    CREATE TABLE person (id INT AUTO_INCREMENT PRIMARY KEY, name VARCHAR(20), ssn VARCHAR(20) NOT NULL, born DATE,
        UNIQUE KEY ssn (ssn), KEY both_of (name, ssn), KEY name (name)) ENGINE=InnoDB;
    INSERT INTO person (name, ssn, born) VALUES ('ann', '1', '2000-01-02'), ('bob', '2', NULL), ('cy', '3', '1999-09-09');
    CREATE TABLE orders (id INT PRIMARY KEY, note VARCHAR(40), hidden TEXT, n INT, person_id INT, KEY n (n)) ENGINE=InnoDB;
    INSERT INTO orders VALUES (1, 'a', 'x', 10, 1), (2, 'b', 'y', 20, 2), (3, NULL, NULL, 30, 3);
    CREATE TABLE bare (a INT, secret INT, b VARCHAR(9)) ENGINE=InnoDB;
    INSERT INTO bare VALUES (1, 1, 'x'), (1, 2, 'x'), (2, 3, 'y');
    CREATE TABLE old_orders (id INT PRIMARY KEY, note VARCHAR(40), hidden TEXT, n INT) ENGINE=InnoDB;
    INSERT INTO old_orders VALUES (100, 'old', 'o', 1)";

const RULES: &str = "tables: [{table: shop.person, without: [SSN]}, \
    {table: shop.orders, columns: [id, note, n]}, {table: shop.bare, without: [secret]}, \
    {table: shop.late, without: [ssn]}], mapping: {columns: {shop.orders.note: remark}}";

/// Rows, with definitions that need no new load.
const CHANGES: &str = "USE shop;
             INSERT INTO person (name, ssn) VALUES ('dee', '4');
             UPDATE person SET ssn = '22' WHERE name = 'bob';
             UPDATE person SET name = 'Cy', ssn = '1' WHERE ssn = '3' AND id = 99;
             INSERT INTO person (name, ssn) SELECT name, CONCAT(ssn, 'x') FROM person WHERE id = 1;
             DELETE FROM person WHERE name = 'cy';
             DELETE FROM bare WHERE secret = 2;
             UPDATE bare SET secret = 9 WHERE secret = 3;
             UPDATE bare SET b = 'z' WHERE secret = 1;
             ALTER TABLE orders ADD COLUMN more INT AFTER id, ADD INDEX by_hidden (hidden(10));
             INSERT INTO orders VALUES (4, 7, 'd', 'z', 40, 4);
             ALTER TABLE orders DROP COLUMN hidden, DROP COLUMN person_id;
             ALTER TABLE orders MODIFY note VARCHAR(80) DEFAULT 'none', ADD INDEX both_of (n, note);
             INSERT INTO orders (id, n) VALUES (5, 50);
             ALTER TABLE person ADD COLUMN age INT;
             UPDATE person SET age = 20 WHERE id = 1;
             CREATE TABLE late LIKE person;
             INSERT INTO late (name, ssn, age) VALUES ('l', 's', 1)";

/// A place that only the source has, and names with another rule.
const NEW_LOADS: &str = "USE shop;
             ALTER TABLE person ADD COLUMN x INT DEFAULT 5 AFTER ssn;
             INSERT INTO person (name, ssn, x) VALUES ('eve', '6', 6);
             RENAME TABLE orders TO gone_orders, old_orders TO orders;
             INSERT INTO orders VALUES (101, 'new', 'h', 2);
             UPDATE gone_orders SET more = 1";

/// What of the source is what of the target.
const ROWS: [(&str, &str); 5] = [
    (
        "SELECT id, name, x, born, age FROM shop.person ORDER BY id",
        "SELECT * FROM shop.person ORDER BY id",
    ),
    (
        "SELECT id, note, n FROM shop.orders ORDER BY id",
        "SELECT * FROM shop.orders ORDER BY id",
    ),
    (
        "SELECT * FROM shop.gone_orders ORDER BY id",
        "SELECT * FROM shop.gone_orders ORDER BY id",
    ),
    (
        "SELECT a, b FROM shop.bare ORDER BY a, b",
        "SELECT * FROM shop.bare ORDER BY a, b",
    ),
    (
        "SELECT id, name, born, age FROM shop.late ORDER BY id",
        "SELECT * FROM shop.late ORDER BY id",
    ),
];

async fn columns_stay_behind(flavour: Flavour) {
    let source = server(flavour).await;
    let target = server(Flavour::MySql97).await;
    source.sql(DATA).await.expect("source data");
    let wherry = Wherry::new(&source, &target, &["shop"])
        .select(RULES)
        .extra("cutover: {stop_writes: {command: \"true\"}}");
    let running = wherry.start(&["run"]);
    running.hear_strict();
    assert_columns(&target, "shop.person", "id,name,born").await;
    assert_columns(&target, "shop.orders", "id,remark,n").await;
    source.sql(CHANGES).await.expect("changes");
    wherry.finish(&["verify"]).expect_code(0);
    assert_eq!(running.said("beside the stream"), Vec::<String>::new());
    assert_columns(&target, "shop.person", "id,name,born,age").await;
    assert_columns(&target, "shop.late", "id,name,born,age").await;
    assert_columns(&target, "shop.orders", "id,remark,n").await;
    source.sql(NEW_LOADS).await.expect("changes with new loads");
    for table in ["shop.person", "shop.orders", "shop.gone_orders"] {
        joined(&target, table, &running).await;
    }
    running.signal("KILL");
    drop(running);
    source
        .sql("INSERT INTO shop.orders VALUES (102, 'more', 'h', 3); DELETE FROM shop.person WHERE id = 2")
        .await
        .expect("changes behind a crash");
    wherry.finish(&["cutover"]).expect_code(0);
    assert_columns(&target, "shop.person", "id,name,x,born,age").await;
    for (there, here) in ROWS {
        assert_same(&source, there, &target, here).await;
    }
    let keys = target
        .value("SELECT GROUP_CONCAT(DISTINCT index_name ORDER BY index_name) FROM information_schema.statistics WHERE table_schema = 'shop' AND table_name = 'person'")
        .await;
    assert_eq!(keys.expect("keys").as_deref(), Some("name,PRIMARY"));
}

#[tokio::test(flavor = "multi_thread")]
async fn columns_stay_behind_from_97() {
    columns_stay_behind(Flavour::MySql97).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn columns_stay_behind_from_56() {
    columns_stay_behind(Flavour::MySql56).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn columns_stay_behind_from_mariadb() {
    columns_stay_behind(Flavour::MariaDb).await;
}

/// What cannot be moved in part is refused before anything is made.
#[tokio::test(flavor = "multi_thread")]
async fn parts_that_cannot_move_are_refused() {
    let source = server(Flavour::MySql97).await;
    let target = server(Flavour::MySql97).await;
    source
        .sql(
            "CREATE DATABASE shop; USE shop;
             CREATE TABLE p (id INT PRIMARY KEY, code INT UNIQUE, a INT, g INT AS (a + 1));
             CREATE TABLE c (id INT PRIMARY KEY, code INT, FOREIGN KEY (code) REFERENCES p (code));
             CREATE TABLE u (code INT NOT NULL UNIQUE, v INT); CREATE TABLE bare (v INT)",
        )
        .await
        .expect("tables");
    let check = |rule: &str, code: &'static str| {
        let wherry = Wherry::new(&source, &target, &["shop"]).select(&format!("tables: [{rule}]"));
        let said = wherry.finish(&["precheck"]);
        let lines = format!("{:?}", said.lines);
        assert!(lines.contains(code), "{rule}: {lines}");
        assert_eq!(said.code, 3, "{rule}");
        assert_eq!(wherry.finish(&["run"]).code, 3, "{rule}");
        if code.starts_with("FLT-") {
            let plan = wherry.finish(&["plan"]);
            assert_eq!(plan.of_type("plan-refused")[0]["code"], code, "{rule}");
        }
    };
    check("{table: shop.p, without: [id]}", "TRF-003");
    check("{table: shop.p, without: [a]}", "TRF-002");
    check("{table: shop.p, without: [code]}", "TRF-002");
    check("{table: shop.c, without: [code]}", "TRF-002");
    check("{table: shop.u, columns: [v]}", "TRF-003");
    check("{table: shop.p, without: [nothing]}", "shop.p.nothing");
    check("{table: shop.u, filter: 'w = 1'}", "FLT-002");
    check("{table: shop.u, filter: 'v < RAND()'}", "FLT-003");
    check("{table: shop.p, filter: 'code > 1'}", "FLT-007");
    let before = "{table: shop.bare, filter: 'v = 1', filter_updates: pre-image}";
    check(before, "TRF-020");
    let made = target.rows("SHOW DATABASES LIKE 'shop'").await;
    assert!(made.expect("databases").is_empty());
    let wherry = Wherry::new(&source, &target, &["shop"])
        .select("tables: [{table: shop.p, without: [a], columns: [id]}]");
    let said = wherry.finish(&["run"]);
    assert_eq!((said.code, said.error_code().as_str()), (2, "TRF-010"));
    // What was planned stays.
    let plain = Wherry::new(&source, &target, &["shop"]);
    let running = plain.start(&["run"]);
    running.hear_strict();
    running.stop();
    let other = plain.select("tables: [{table: shop.u, without: [v]}]");
    let said = other.finish(&["run"]);
    assert_eq!((said.code, said.error_code().as_str()), (2, "NAM-003"));
}

const FILTERED: &str = "CREATE DATABASE shop DEFAULT CHARACTER SET utf8mb4 COLLATE utf8mb4_general_ci; USE shop; SET NAMES utf8mb4;
    CREATE TABLE orders (id INT PRIMARY KEY, status VARCHAR(10), total DECIMAL(8,2), note VARCHAR(40), code INT UNIQUE) ENGINE=InnoDB;
    INSERT INTO orders VALUES (1, 'paid', 20, 'a', 1), (2, 'PAID', 5, 'b', 2), (3, 'open', 30, 'c', 3), (4, NULL, 40, 'Ärger', 4), (5, 'Paid', 11.01, NULL, 5);
    CREATE TABLE bare (a INT, b VARCHAR(9)) ENGINE=InnoDB;
    INSERT INTO bare VALUES (1, 'x'), (1, 'x'), (2, 'y'), (NULL, 'z');
    CREATE TABLE plain (id INT PRIMARY KEY, v INT) ENGINE=InnoDB;
    INSERT INTO plain VALUES (1, 1), (2, 2)";

const SELECTED: &str = "status = 'paid' AND total > 10 OR note LIKE 'ä%'";

/// Rows of the table that the filter selects, without the column that stays behind.
async fn assert_selected(source: &Server, target: &Server) {
    let there =
        format!("SELECT id, total, note, code FROM shop.orders WHERE {SELECTED} ORDER BY id");
    let here = "SELECT id, total, note, code FROM shop.orders ORDER BY id";
    assert_same(source, &there, target, here).await;
    let there = "SELECT a, b FROM shop.bare WHERE a % 2 = 1 OR a IS NULL ORDER BY a, b";
    let here = "SELECT a, b FROM shop.bare ORDER BY a, b";
    assert_same(source, there, target, here).await;
}

async fn rows_stay_behind(flavour: Flavour) {
    let source = server(flavour).await;
    let target = server(Flavour::MySql97).await;
    source.sql(FILTERED).await.expect("source data");
    let rules = format!(
        "tables: [{{table: shop.orders, without: [status], filter: \"{SELECTED}\"}}, \
         {{table: shop.bare, filter: \"a MOD 2 = 1 OR a IS NULL\"}}]"
    );
    let wherry = Wherry::new(&source, &target, &["shop"])
        .select(&rules)
        .extra("cutover: {stop_writes: {command: \"true\"}}");
    let running = wherry.start(&["run"]);
    running.hear_strict();
    assert_selected(&source, &target).await;
    // Rows enter, leave, stay and pass by; one takes the unique value of a row that leaves.
    source
        .sql(
            "USE shop; SET NAMES utf8mb4;
             UPDATE orders SET total = 12 WHERE id = 2;
             UPDATE orders SET status = 'open' WHERE id = 1;
             UPDATE orders SET code = 100 WHERE id = 1;
             INSERT INTO orders VALUES (6, 'paid ', 99.99, 'n', 1), (7, 'paidx', 99, 'n', 7), (8, 'x', 1, 'äh', 8);
             UPDATE orders SET note = 'ah' WHERE id = 8;
             UPDATE orders SET note = 'AH' WHERE id = 4;
             UPDATE orders SET id = 50 WHERE id = 5;
             UPDATE orders SET note = 'other' WHERE id = 3;
             DELETE FROM orders WHERE id = 7;
             INSERT INTO bare VALUES (3, 'x'), (4, 'x'), (NULL, NULL);
             UPDATE bare SET a = a + 1 WHERE b = 'y';
             DELETE FROM bare WHERE a = 1 LIMIT 1;
             ALTER TABLE orders ADD COLUMN more INT;
             INSERT INTO orders VALUES (9, 'paid', 77, 'nine', 9, 9);
             UPDATE plain SET v = 3 WHERE id = 1",
        )
        .await
        .expect("changes");
    wherry.finish(&["verify"]).expect_code(0);
    assert_selected(&source, &target).await;
    assert_eq!(running.said("beside the stream"), Vec::<String>::new());
    // Values that the filter looks at change without a word in the binlog.
    source
        .sql("ALTER TABLE shop.orders MODIFY total DECIMAL(8,0); UPDATE shop.orders SET total = 11 WHERE id = 3")
        .await
        .expect("a definition");
    // Before the statement is met, the table is followed too.
    running.hear("the new load", |line| {
        let message = line["message"].as_str();
        message.is_some_and(|text| text.contains("beside the stream"))
    });
    joined(&target, "shop.orders", &running).await;
    running.signal("KILL");
    drop(running);
    source
        .sql("UPDATE shop.orders SET status = 'paid' WHERE id = 3; UPDATE shop.orders SET status = 'gone' WHERE id = 9")
        .await
        .expect("changes behind a crash");
    let running = wherry.start(&["run"]);
    running.hear_strict();
    wherry.finish(&["verify"]).expect_code(0);
    assert_selected(&source, &target).await;
    // What the filter leaves out is not to be in the target.
    target
        .sql("INSERT INTO shop.orders (id, total, note) VALUES (9, 20, 'nine')")
        .await
        .expect("a row too many");
    wherry.finish(&["verify"]).expect_code(4);
    target
        .sql("DELETE FROM shop.orders WHERE id = 9")
        .await
        .expect("a row less");
    running.stop();
    wherry.finish(&["cutover"]).expect_code(0);
    assert_selected(&source, &target).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn rows_stay_behind_from_97() {
    rows_stay_behind(Flavour::MySql97).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn rows_stay_behind_from_56() {
    rows_stay_behind(Flavour::MySql56).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn rows_stay_behind_from_mariadb() {
    rows_stay_behind(Flavour::MariaDb).await;
}

/// Each kind of update across the filter, as DTS does it; what enters stays missing, also when it is
/// changed later and behind a crash, and `verify` says how many rows do.
async fn updates_are_judged_by_the_row_before(flavour: Flavour) {
    let source = server(flavour).await;
    let target = server(Flavour::MySql97).await;
    source
        .sql(
            "CREATE DATABASE shop; CREATE TABLE shop.t (id INT PRIMARY KEY, v INT, n INT) ENGINE=InnoDB;
             INSERT INTO shop.t VALUES (1, 1, 0), (2, 1, 0), (3, 0, 0), (4, 0, 0), (5, 0, 0), (6, 1, 0)",
        )
        .await
        .expect("source data");
    let wherry = Wherry::new(&source, &target, &["shop"]).select(
        "tables: [{table: 'shop.*', filter: 'v = 1'}, {table: shop.t, filter: 'v = 1', filter_updates: pre-image}]",
    );
    let running = wherry.start(&["run"]);
    running.hear_strict();
    source
        .sql(
            "USE shop; UPDATE t SET n = 1 WHERE id = 1; UPDATE t SET v = 0 WHERE id = 2; UPDATE t SET v = 1 WHERE id = 3;
             UPDATE t SET n = 4 WHERE id = 4; UPDATE t SET v = 1 WHERE id = 5; UPDATE t SET n = 5, id = 50 WHERE id = 5;
             INSERT INTO t VALUES (7, 1, 7), (8, 0, 8); DELETE FROM t WHERE id = 6; DELETE FROM t WHERE id = 4;
             ALTER TABLE t ADD COLUMN w INT DEFAULT 9; UPDATE t SET n = 3 WHERE id = 3; UPDATE t SET v = 1 WHERE id = 2",
        )
        .await
        .expect("changes");
    let missing = |wherry: &Wherry| {
        let verified = wherry.finish(&["verify"]).expect_code(0);
        let table = verified.of_type("verify")[0]["tables"][0].clone();
        ["kept", "missing", "different"].map(|key| table[key].as_u64().expect("a count"))
    };
    assert_eq!(missing(&wherry), [0, 3, 0]);
    let all = "SELECT GROUP_CONCAT(CONCAT_WS('/', id, v, n, w) ORDER BY id) FROM shop.t";
    let wanted = "1/1/1/9,7/1/7/9";
    assert_eq!(
        target.value(all).await.expect("rows").as_deref(),
        Some(wanted)
    );
    running.signal("KILL");
    drop(running);
    source
        .sql("UPDATE shop.t SET n = 30 WHERE id = 3; DELETE FROM shop.t WHERE id = 50; UPDATE shop.t SET n = 10 WHERE id = 1")
        .await
        .expect("changes behind a crash");
    let running = wherry.start(&["run"]);
    running.hear_strict();
    assert_eq!(missing(&wherry), [0, 2, 0]);
    let wanted = "1/1/10/9,7/1/7/9";
    assert_eq!(
        target.value(all).await.expect("rows").as_deref(),
        Some(wanted)
    );
    let divergences = target.value("SELECT COUNT(*) FROM wherry.divergence").await;
    assert_eq!(divergences.expect("a count").as_deref(), Some("0"));
    // What really differs is still found. The binlog file with the definition is done with.
    source.sql("FLUSH BINARY LOGS").await.expect("a new file");
    target
        .sql("UPDATE shop.t SET n = 0 WHERE id = 1")
        .await
        .expect("damage");
    wherry.finish(&["verify"]).expect_code(4);
    target
        .sql("UPDATE shop.t SET n = 10 WHERE id = 1")
        .await
        .expect("mended");
    running.stop();
    wherry.finish(&["cutover"]).expect_code(0);
}

#[tokio::test(flavor = "multi_thread")]
async fn updates_are_judged_by_the_row_before_from_97() {
    updates_are_judged_by_the_row_before(Flavour::MySql97).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn updates_are_judged_by_the_row_before_from_56() {
    updates_are_judged_by_the_row_before(Flavour::MySql56).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn updates_are_judged_by_the_row_before_from_mariadb() {
    updates_are_judged_by_the_row_before(Flavour::MariaDb).await;
}

/// A filter that means nothing any more stops its table, and the others go on.
#[tokio::test(flavor = "multi_thread")]
async fn a_filter_whose_column_goes_stops_its_table() {
    let source = server(Flavour::MySql97).await;
    let target = server(Flavour::MySql97).await;
    source.sql(FILTERED).await.expect("source data");
    source
        .sql("ALTER TABLE shop.plain ADD w INT")
        .await
        .expect("a column");
    let rules = "tables: [{table: 'shop.*', filter: 'id > 1'}, {table: shop.plain, filter: 'v > 1'}, \
                 {table: 'shop.plai?', without: [w]}], exclude: [shop.bare]";
    let wherry = Wherry::new(&source, &target, &["shop"]).select(rules);
    let running = wherry.start(&["run"]);
    running.hear_strict();
    let plan = wherry.finish(&["plan"]);
    let plan = plan.of_type("plan-table");
    let filters: Vec<&str> = plan.iter().filter_map(|it| it["filter"].as_str()).collect();
    assert_eq!(filters, ["id > 1", "v > 1"]);
    source
        .sql("ALTER TABLE shop.plain DROP COLUMN v; INSERT INTO shop.plain (id) VALUES (3); INSERT INTO shop.orders (id) VALUES (0), (10)")
        .await
        .expect("a column less");
    let stopped = "SELECT COUNT(*) FROM wherry.table_state WHERE table_name = 'plain' AND stopped LIKE '%FLT-002%'";
    becomes(&target, stopped, "1", &running).await;
    becomes(
        &target,
        "SELECT GROUP_CONCAT(id ORDER BY id) FROM shop.orders",
        "2,3,4,5,10",
        &running,
    )
    .await;
    running.stop();
}
