//! What of a table moves: columns, through load, stream, DDL, lanes, verify and cutover.

use crate::lanes::joined;
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
             CREATE TABLE u (code INT NOT NULL UNIQUE, v INT)",
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
    };
    check("{table: shop.p, without: [id]}", "TRF-003");
    check("{table: shop.p, without: [a]}", "TRF-002");
    check("{table: shop.p, without: [code]}", "TRF-002");
    check("{table: shop.c, without: [code]}", "TRF-002");
    check("{table: shop.u, columns: [v]}", "TRF-003");
    check("{table: shop.p, without: [nothing]}", "shop.p.nothing");
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
