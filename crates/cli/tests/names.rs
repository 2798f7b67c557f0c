//! Other names in the target: databases, tables and columns, through load, stream, DDL and cutover.

use crate::runner::Wherry;
use wherry_testkit::{
    Flavour, Naming, Server, ServerOptions, Shop, Workload, WorkloadOptions, compare_named,
};

async fn server(flavour: Flavour) -> Server {
    server_with(flavour, &[]).await
}

async fn server_with(flavour: Flavour, arguments: &[&str]) -> Server {
    let options = ServerOptions {
        gtid: true,
        arguments: arguments.iter().map(|word| (*word).to_owned()).collect(),
        ..ServerOptions::default()
    };
    Server::start(flavour, options).await.expect("a server")
}

const MAPPING: &str = "mapping: {databases: {shop: shop_new}, \
    tables: {shop.orders: archive.orders2, shop.left: shop_new.right, shop.right: shop_new.left}, \
    columns: {shop.orders.id: note, shop.orders.note: id, shop.orders.later: since, \
      shop.orders.moved: place, shop.item.id: item_id, shop.right.v: w}}";

/// The same, said once more.
fn naming() -> Naming {
    let table = |database: &str, table: &str| {
        let (database, table) = match (database, table) {
            ("shop", "orders") => ("archive", "orders2"),
            ("shop", "left") => ("shop_new", "right"),
            ("shop", "right") => ("shop_new", "left"),
            ("shop", table) => ("shop_new", table),
            same => same,
        };
        (database.to_owned(), table.to_owned())
    };
    let column = |database: &str, table: &str, column: &str| {
        let name = match (database, table, column) {
            ("shop", "orders", "id") => "note",
            ("shop", "orders", "note") => "id",
            ("shop", "orders", "later") => "since",
            ("shop", "orders", "moved") => "place",
            ("shop", "item", "id") => "item_id",
            ("shop", "right", "v") => "w",
            (_, _, column) => column,
        };
        name.to_owned()
    };
    Naming {
        table: Box::new(table),
        column: Box::new(column),
    }
}

const DATA: &str = "CREATE DATABASE shop;
    USE shop;
    CREATE TABLE item (id INT AUTO_INCREMENT PRIMARY KEY, name VARCHAR(20) UNIQUE) ENGINE=InnoDB;
    INSERT INTO item (name) VALUES ('one'), ('two'), ('three');
    CREATE TABLE orders (id INT AUTO_INCREMENT PRIMARY KEY, note VARCHAR(40), item_id INT, n INT, KEY note (note), KEY item_id (item_id),
        CONSTRAINT bought FOREIGN KEY (item_id) REFERENCES item (id)) ENGINE=InnoDB;
    INSERT INTO orders (note, item_id, n) VALUES ('a', 1, 10), ('b', 2, 20), (NULL, 3, 30);
    CREATE TABLE `left` (id INT PRIMARY KEY, v INT) ENGINE=InnoDB;
    CREATE TABLE `right` (id INT PRIMARY KEY, v INT) ENGINE=InnoDB;
    INSERT INTO `left` VALUES (1, 1);
    INSERT INTO `right` VALUES (2, 2);
    CREATE TABLE bare (id INT, v VARCHAR(9)) ENGINE=InnoDB;
    INSERT INTO bare VALUES (1, 'x'), (1, 'x')";

const CHANGES: &str = "USE shop;
    INSERT INTO orders (note, item_id, n) VALUES ('c', 1, 40);
    UPDATE orders SET note = 'bb', n = 21 WHERE id = 2;
    ALTER TABLE orders ADD COLUMN later DATETIME NULL AFTER note, ADD INDEX (n, note);
    UPDATE orders SET later = '2024-05-06 07:08:09' WHERE id = 1;
    ALTER TABLE orders MODIFY note VARCHAR(80) DEFAULT 'none', ADD UNIQUE (later);
    CREATE INDEX by_both ON orders (note(10), n);
    INSERT INTO orders (item_id, n) VALUES (2, 50);
    ALTER TABLE orders CHANGE n moved BIGINT, ADD CONSTRAINT FOREIGN KEY (item_id) REFERENCES item (id);
    UPDATE orders SET moved = moved * 1000000000 WHERE id > 2;
    ALTER TABLE orders CHANGE moved n BIGINT;
    DELETE FROM orders WHERE id = 1;
    ALTER TABLE orders DROP COLUMN later, DROP INDEX note;
    ALTER TABLE item ADD COLUMN price DECIMAL(10,2) DEFAULT 1.5 FIRST;
    INSERT INTO item (name, price) VALUES ('four', 4.25);
    DELETE FROM bare LIMIT 1;
    CREATE TABLE fresh (id INT PRIMARY KEY, orders_id INT, CONSTRAINT back FOREIGN KEY (orders_id) REFERENCES orders (id)) ENGINE=InnoDB;
    INSERT INTO fresh VALUES (1, 2);
    CREATE TABLE copy_of LIKE orders;
    INSERT INTO copy_of SELECT * FROM orders;
    RENAME TABLE `left` TO tmp, `right` TO `left`, tmp TO `right`;
    INSERT INTO `left` VALUES (7, 70);
    INSERT INTO `right` VALUES (8, 80);
    CREATE TABLE passing (id INT PRIMARY KEY) ENGINE=InnoDB;
    DROP TABLE passing;
    CREATE TABLE gone (id INT PRIMARY KEY) ENGINE=InnoDB;
    INSERT INTO gone VALUES (1);
    TRUNCATE TABLE gone;
    INSERT INTO gone VALUES (2);
    ALTER TABLE bare RENAME TO bare_no_more;
    UPDATE bare_no_more SET v = 'y'";

/// What only MySQL 8 and later can say.
const NEWER: &str = "USE shop;
    ALTER TABLE orders RENAME COLUMN n TO moved, RENAME INDEX by_both TO both_of;
    RENAME TABLE orders TO orders_old, copy_of TO orders;
    INSERT INTO orders (note, n) VALUES ('new', 1);
    INSERT INTO orders_old (note, moved) VALUES ('old', 2);
    RENAME TABLE orders TO copy_of, orders_old TO orders;
    ALTER TABLE orders ADD CHECK (note <> 'forbidden'), ADD COLUMN length BIGINT AS (char_length(note)), ADD INDEX ((lower(note)));
    INSERT INTO orders (note, moved) VALUES ('Zz', 5);
    CREATE TABLE picked AS SELECT id, note FROM orders";

async fn names_change_on_the_way(flavour: Flavour) {
    let source = server(flavour).await;
    let target = server(Flavour::MySql97).await;
    source.sql(DATA).await.expect("source data");
    let wherry = Wherry::new(&source, &target, &["shop"])
        .select(MAPPING)
        .extra("cutover: {stop_writes: {command: \"true\"}}");
    let running = wherry.start(&["run"]);
    running.hear_strict();
    source.sql(CHANGES).await.expect("changes");
    if flavour == Flavour::MySql97 {
        source.sql(NEWER).await.expect("newer changes");
    }
    wherry.finish(&["verify"]).expect_code(0);
    running.stop();
    wherry.finish(&["cutover"]).expect_code(0);
    compare_named(
        &source.url("root"),
        &target.url("root"),
        &["shop"],
        &naming(),
    )
    .await
    .expect("comparison")
    .assert_equal();
    let counter = |definition: Vec<Vec<Option<String>>>| {
        let text = definition[0][1].clone().unwrap_or_default();
        let counter = text.split(" AUTO_INCREMENT=").nth(1).map(str::to_owned);
        counter.map(|rest| rest.split(' ').next().unwrap_or_default().to_owned())
    };
    let there = target.rows("SHOW CREATE TABLE archive.orders2").await;
    let here = source.rows("SHOW CREATE TABLE shop.orders").await;
    assert_eq!(
        counter(there.expect("a table")),
        counter(here.expect("a table"))
    );
    let databases = target.rows("SHOW DATABASES LIKE 'shop'").await;
    assert_eq!(
        databases.expect("databases"),
        Vec::<Vec<Option<String>>>::new()
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn names_change_on_the_way_from_97() {
    names_change_on_the_way(Flavour::MySql97).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn names_change_on_the_way_from_56() {
    names_change_on_the_way(Flavour::MySql56).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn names_change_on_the_way_from_mariadb() {
    names_change_on_the_way(Flavour::MariaDb).await;
}

/// A whole shop in upper case, under writes.
#[tokio::test(flavor = "multi_thread")]
async fn a_shop_in_upper_case() {
    let source = server(Flavour::MySql97).await;
    let target = server(Flavour::MySql97).await;
    let shop = Shop::new(Flavour::MySql97, 4_000);
    shop.create(&source.url("root")).await.expect("a shop");
    let options = WorkloadOptions {
        transactions_per_second_max: Some(100),
        ..WorkloadOptions::new(shop)
    };
    let mut writers = Workload::start(&source.url("root"), options)
        .await
        .expect("writers");
    let wherry = Wherry::new(&source, &target, &["shop"])
        .select("capitalization: upper, mapping: {databases: {shop: Store}}");
    let running = wherry.start(&["run"]);
    running.hear_strict();
    writers.wait_for(300).await.expect("writes go on");
    writers.hold().await.expect("writers rest");
    wherry.finish(&["verify"]).expect_code(0);
    running.stop();
    let naming = Naming {
        table: Box::new(|_, table| ("Store".to_owned(), table.to_uppercase())),
        column: Box::new(|_, _, column| column.to_uppercase()),
    };
    let compared = compare_named(&source.url("root"), &target.url("root"), &["shop"], &naming)
        .await
        .expect("comparison");
    compared.assert_equal();
    assert!(compared.rows >= 4_000, "{} rows", compared.rows);
    writers.stop().await.expect("writers end");
}

/// A source that stores names in lower case writes statements with the letters of the user.
#[tokio::test(flavor = "multi_thread")]
async fn a_source_that_folds_names() {
    let source = server_with(Flavour::MySql56, &["--lower-case-table-names=1"]).await;
    let target = server(Flavour::MySql97).await;
    source
        .sql(
            "CREATE DATABASE Crm; CREATE TABLE Crm.Gone (id INT PRIMARY KEY) ENGINE=InnoDB;
             CREATE DATABASE Shop; USE Shop;
             CREATE TABLE Item (id INT PRIMARY KEY, v INT) ENGINE=InnoDB;
             CREATE TABLE Other (id INT PRIMARY KEY) ENGINE=InnoDB;
             INSERT INTO ITEM VALUES (1, 1), (2, 2);
             INSERT INTO OTHER VALUES (1), (2)",
        )
        .await
        .expect("source data");
    let wherry = Wherry::new(&source, &target, &["shop", "crm"]);
    let running = wherry.start(&["run"]);
    running.hear_strict();
    source
        .sql(
            "DROP DATABASE CRM;
             USE SHOP;
             TRUNCATE TABLE Shop.ITEM;
             INSERT INTO item VALUES (3, 3);
             ALTER TABLE Item ADD COLUMN more INT, ADD INDEX (v);
             INSERT INTO Item VALUES (4, 4, 4);
             RENAME TABLE OTHER TO Others;
             INSERT INTO others VALUES (5);
             CREATE TABLE Late (id INT PRIMARY KEY) ENGINE=InnoDB;
             INSERT INTO LATE VALUES (1);
             CREATE TABLE Gone (id INT PRIMARY KEY) ENGINE=InnoDB;
             DROP TABLE GONE",
        )
        .await
        .expect("changes");
    wherry.finish(&["verify"]).expect_code(0);
    running.stop();
    let left = target.rows("SHOW DATABASES LIKE 'crm'").await;
    assert!(left.expect("databases").is_empty());
    compare_named(
        &source.url("root"),
        &target.url("root"),
        &["shop"],
        &Naming::same(),
    )
    .await
    .expect("comparison")
    .assert_equal();
}
