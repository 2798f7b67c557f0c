//! Views, routines, triggers and events where databases, tables and columns have other names.

use crate::runner::Wherry;
use wherry_testkit::{Flavour, Naming, Server, ServerOptions, compare_named};

async fn start(flavour: Flavour) -> Server {
    let options = ServerOptions {
        arguments: vec!["--log-bin-trust-function-creators=ON".to_owned()],
        ..ServerOptions::default()
    };
    Server::start(flavour, options).await.expect("a server")
}

/// A whole database that gets another name.
const SHOP: &str = "
    CREATE DATABASE shop DEFAULT CHARACTER SET utf8mb4; USE shop;
    CREATE TABLE item (id INT PRIMARY KEY AUTO_INCREMENT, name VARCHAR(50), price INT) ENGINE=InnoDB;
    CREATE TABLE audit (id INT PRIMARY KEY AUTO_INCREMENT, what VARCHAR(200)) ENGINE=InnoDB;
    CREATE TABLE `odd ``table` (`shop` INT PRIMARY KEY, `from` INT) ENGINE=InnoDB;
    INSERT INTO item (name, price) VALUES ('one', 1), ('ten', 10);
    INSERT INTO `odd ``table` VALUES (1, 2), (3, 4);
    INSERT INTO audit (what) VALUES ('w');
    CREATE VIEW z_q AS SELECT price AS n FROM item;
    CREATE FUNCTION twice(x INT) RETURNS INT DETERMINISTIC NO SQL RETURN x * 2;
    CREATE FUNCTION most() RETURNS INT READS SQL DATA RETURN (SELECT MAX(shop.item.price) + shop.twice(1) FROM shop.item);
    CREATE VIEW z_base AS SELECT id, name, price FROM item;
    CREATE VIEW m_middle AS SELECT shop.id, i.price FROM z_base AS shop JOIN shop.item AS i USING (id) WHERE i.price > 5;
    CREATE VIEW a_top AS SELECT COUNT(*) AS shop, twice(MAX(price)) AS most, shop.most() AS top FROM m_middle;
    CREATE VIEW `odd ``view` AS SELECT t.`shop` AS `a``b`, t.`from` FROM `odd ``table` t ORDER BY `shop` DESC;
    CREATE VIEW nested AS SELECT q.n AS n FROM z_base b LEFT JOIN item shop_new ON b.id = shop_new.id,
        `odd ``table` AS q2 JOIN (`odd ``table` AS o) ON q2.`shop` = o.`shop`
        JOIN (`odd ``table` AS w) ON w.`shop` = o.`shop`, shop.audit q3 JOIN z_q q
        WHERE b.id IN (SELECT shop.id FROM item shop WHERE EXISTS (SELECT 1 FROM shop.item WHERE item.id = shop.id)) GROUP BY q.n;
    CREATE PROCEDURE add_item(IN what VARCHAR(40)) BEGIN
        INSERT INTO shop.item (name, price) SELECT what, MAX(shop.item.price) FROM shop.`item`;
        UPDATE item, shop.audit SET audit.what = CONCAT('more ', audit.what) WHERE audit.id = 1;
    END;
    CREATE PROCEDURE outer_call() CALL shop.add_item('called');
    CREATE TRIGGER logged AFTER INSERT ON item FOR EACH ROW INSERT INTO shop.audit (what) VALUES (CONCAT(NEW.name, twice(NEW.price)));
    CREATE EVENT nightly ON SCHEDULE EVERY 1 DAY STARTS '2020-01-01 03:00:00' DO DELETE FROM shop.audit WHERE id < 0;";

/// Tables and columns that get other names, two of them each other's.
const CRM: &str = "
    CREATE DATABASE crm DEFAULT CHARACTER SET utf8mb4; USE crm;
    CREATE TABLE orders (id INT PRIMARY KEY, note VARCHAR(40), n INT) ENGINE=InnoDB;
    CREATE TABLE `left` (id INT PRIMARY KEY, v INT) ENGINE=InnoDB;
    CREATE TABLE `right` (id INT PRIMARY KEY, v INT) ENGINE=InnoDB;
    CREATE TABLE audit (id INT PRIMARY KEY AUTO_INCREMENT, what VARCHAR(99)) ENGINE=InnoDB;
    INSERT INTO orders VALUES (1, 'a', 10), (2, 'b', 20);
    INSERT INTO `left` VALUES (1, 100), (2, 200);
    INSERT INTO `right` VALUES (1, 7);
    CREATE VIEW plain AS SELECT * FROM orders WHERE note <> 'x' ORDER BY note DESC;
    CREATE VIEW swapped AS SELECT o.note, `left`.v, `right`.v AS w FROM orders AS o JOIN `left` ON o.id = `left`.id LEFT JOIN `right` ON `right`.id = o.id;
    CREATE VIEW above AS SELECT `right`.note AS `left`, COUNT(*) AS n FROM plain AS `right` NATURAL JOIN orders GROUP BY `right`.note;
    CREATE FUNCTION total() RETURNS INT READS SQL DATA RETURN (SELECT SUM(orders.n) + (SELECT MAX(r.id) FROM crm.`right` r) FROM orders JOIN `left` l ON l.id = orders.id);
    CREATE PROCEDURE empty_left() BEGIN DELETE FROM `left` WHERE id > LEFT('1', 1); INSERT INTO crm.orders SET id = 9, n = 90; END;
    CREATE TRIGGER orders_b BEFORE INSERT ON orders FOR EACH ROW SET NEW.note = CONCAT(IFNULL(NEW.note, '-'), '!');
    CREATE TRIGGER orders_a AFTER UPDATE ON orders FOR EACH ROW INSERT INTO audit (what) VALUES (CONCAT(OLD.note, '>', NEW.note));
    CREATE EVENT tidy ON SCHEDULE EVERY 1 DAY STARTS '2020-01-01 03:00:00' DO DELETE FROM orders WHERE orders.id < 0;
    CREATE PROCEDURE guess() SELECT note FROM orders;
    CREATE PROCEDURE run_it() BEGIN SET @s = 'DELETE FROM orders'; PREPARE s FROM @s; EXECUTE s; END;";

const MAPPING: &str = "mapping: {databases: {shop: shop_new}, \
    tables: {crm.orders: archive.orders2, crm.left: crm.right, crm.right: crm.left, crm.above: crm.over}, \
    columns: {crm.orders.note: remark, crm.right.v: w, crm.left.v: x}}";

fn naming() -> Naming {
    let table = |database: &str, table: &str| {
        let (database, table) = match (database, table) {
            ("shop", table) => ("shop_new", table),
            ("crm", "orders") => ("archive", "orders2"),
            ("crm", "left") => ("crm", "right"),
            ("crm", "right") => ("crm", "left"),
            same => same,
        };
        (database.to_owned(), table.to_owned())
    };
    let column = |database: &str, table: &str, column: &str| {
        let name = match (database, table, column) {
            ("crm", "orders", "note") => "remark",
            ("crm", "right", "v") => "w",
            ("crm", "left", "v") => "x",
            (_, _, column) => column,
        };
        name.to_owned()
    };
    Naming {
        table: Box::new(table),
        column: Box::new(column),
    }
}

/// The same question at both ends.
const QUESTIONS: [(&str, &str); 10] = [
    ("SELECT * FROM shop.a_top", "SELECT * FROM shop_new.a_top"),
    (
        "SELECT * FROM shop.m_middle",
        "SELECT * FROM shop_new.m_middle",
    ),
    ("SELECT * FROM shop.nested", "SELECT * FROM shop_new.nested"),
    (
        "SELECT * FROM shop.`odd ``view`",
        "SELECT * FROM shop_new.`odd ``view`",
    ),
    ("SELECT * FROM crm.plain", "SELECT * FROM crm.plain"),
    (
        "SELECT * FROM crm.swapped ORDER BY 1",
        "SELECT * FROM crm.swapped ORDER BY 1",
    ),
    (
        "SELECT * FROM crm.above ORDER BY 1",
        "SELECT * FROM crm.over ORDER BY 1",
    ),
    (
        "SELECT shop.most(), crm.total()",
        "SELECT shop_new.most(), crm.total()",
    ),
    (
        "SELECT TABLE_NAME, COLUMN_NAME FROM information_schema.COLUMNS WHERE TABLE_NAME IN ('a_top', 'm_middle', 'nested', 'plain', 'swapped', 'odd `view') ORDER BY 1, ORDINAL_POSITION",
        "SELECT TABLE_NAME, COLUMN_NAME FROM information_schema.COLUMNS WHERE TABLE_NAME IN ('a_top', 'm_middle', 'nested', 'plain', 'swapped', 'odd `view') ORDER BY 1, ORDINAL_POSITION",
    ),
    (
        "SELECT EVENT_NAME, STATUS FROM information_schema.EVENTS ORDER BY 1",
        "SELECT EVENT_NAME, STATUS FROM information_schema.EVENTS ORDER BY 1",
    ),
];

async fn same_answers(source: &Server, target: &Server) {
    for (here, there) in QUESTIONS {
        let asked = source.rows(here).await;
        let expected = asked.unwrap_or_else(|error| panic!("{here}: {error}"));
        let found = target.rows(there).await;
        let found = found.unwrap_or_else(|error| panic!("{there}: {error}"));
        assert!(!expected.is_empty(), "{here}");
        assert_eq!(expected, found, "{there}");
    }
}

/// What everybody does at the end, by the names of each side.
const USE_SHOP: &str =
    "CALL shop.outer_call(); CALL crm.empty_left(); UPDATE crm.orders SET note = 'z' WHERE id = 1";
const USE_THERE: &str = "CALL shop_new.outer_call(); CALL crm.empty_left(); UPDATE archive.orders2 SET remark = 'z' WHERE id = 1";

async fn objects_follow_their_names(flavour: Flavour) {
    let (source, target) = (start(flavour).await, start(Flavour::MySql97).await);
    source.sql(SHOP).await.expect("a shop");
    source.sql(CRM).await.expect("customers");
    let refused = Wherry::new(&source, &target, &["shop", "crm"]).select(MAPPING);
    let finished = refused.finish(&["precheck"]).expect_code(3);
    let checks = finished.of_type("check");
    let item = checks.iter().find(|item| item["id"] == "target-objects");
    let said = item.map_or(String::new(), |item| item["evidence"].to_string());
    for words in [
        "procedure `crm`.`guess`: OBJ-020: `note`",
        "procedure `crm`.`run_it`: OBJ-020: `orders`",
    ] {
        assert!(said.contains(words), "{words} in {said}");
    }
    for other in ["`add_item`: ", "`above`: ", "`orders_b`: ", "`total`: "] {
        assert!(!said.contains(other), "{other} in {said}");
    }

    let wherry = Wherry::new(&source, &target, &["shop", "crm"])
        .select(MAPPING)
        .extra("cutover: {stop_writes: read-only}\nschema: {leave_out: [crm.guess, crm.run_it]}");
    let running = wherry.start(&["run"]);
    running.hear_strict();
    let verified = wherry.finish(&["verify"]).expect_code(0);
    let explained = verified.of_type("verify")[0]["schema_explained"].to_string();
    for words in [
        "(rule names)",
        "(rule left-out)",
        "(rule triggers-at-cutover)",
    ] {
        assert!(explained.contains(words), "{words}: {explained}");
    }
    // Definitions change while the stream runs.
    source
        .sql(
            "CREATE OR REPLACE VIEW shop.m_middle AS SELECT id, price FROM shop.z_base WHERE price > 6;
             CREATE VIEW crm.brief AS SELECT 1 AS one; DROP VIEW crm.brief;
             DROP FUNCTION shop.twice; CREATE FUNCTION shop.twice(x INT) RETURNS INT DETERMINISTIC NO SQL RETURN x + x;
             INSERT INTO crm.orders VALUES (3, 'c', 30)",
        )
        .await
        .expect("changes");
    wherry.finish(&["verify"]).expect_code(0);
    running.stop();
    wherry.finish(&["cutover"]).expect_code(0);
    source
        .sql("SET GLOBAL read_only = OFF")
        .await
        .expect("writes");
    let compared = || async {
        let (source, target) = (source.url("root"), target.url("root"));
        let names = naming();
        let both = compare_named(&source, &target, &["shop", "crm"], &names);
        both.await.expect("comparison").assert_equal();
    };
    compared().await;
    same_answers(&source, &target).await;
    source.sql(USE_SHOP).await.expect("routines at the source");
    target.sql(USE_THERE).await.expect("routines in the target");
    compared().await;
    same_answers(&source, &target).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn objects_follow_their_names_from_97() {
    objects_follow_their_names(Flavour::MySql97).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn objects_follow_their_names_from_56() {
    objects_follow_their_names(Flavour::MySql56).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn objects_follow_their_names_from_mariadb() {
    objects_follow_their_names(Flavour::MariaDb).await;
}
