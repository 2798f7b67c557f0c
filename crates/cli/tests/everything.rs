//! One task that uses every option at once, on the shop's workload: the target is what independent
//! queries make of the source.

use crate::lanes::becomes;
use crate::runner::{Running, Wherry};
use crate::shape::{assert_same, server};
use mysql_async::prelude::Queryable;
use wherry_testkit::{Flavour, Server, Shop, Workload, WorkloadOptions};

const SELECT: &str = r#"include: ["old_*.deals", "old_1.*", old_2.notes, old_2.flags], exclude: [shop.audit_log, "shop.pay*"], operations: [all, -drop-table],
  tables: [
    {table: shop.reviews, filter: "stars > 2 AND season IS NOT NULL",
     add: [{name: mark, type: VARCHAR(40) NOT NULL, value: "str_format('{}/{}', __TB__, cast_long_to_string(`stars`))"}],
     etl: {script: "e_compose(e_if(op_gt(`stars`, 4), e_set(`body`, 'great')), e_set(`mark`, str_upper(`mark`)))"}},
    {table: shop.images, without: [data]},
    {table: shop.customers, etl: {script: "e_set(`name`, str_upper(`email`))"},
     add: [{name: domain, type: VARCHAR(150), value: "substring_after(`email`, '@')"},
           {name: wealth, type: "ENUM('rich','poor') NOT NULL", value: "(op_gt(`balance`, 1000) ? 'rich' : 'poor')"}]},
    {table: shop.orders,
     add: [{name: came_from, type: VARCHAR(64) NOT NULL, value: __DB__}, {name: large, type: INT NOT NULL DEFAULT 0, value: "(op_gt(`total`, 1000) ? 1 : 0)"},
           {name: imported, type: DATETIME, value: __COMMIT_TIMESTAMP__}]},
    {table: shop.order_items, add: [{name: cost, type: "DECIMAL(20,2)", value: "`price` * `quantity`"}]},
    {table: shop.visits, operations: [all, -truncate-table], add: [{name: origin, type: VARCHAR(70), value: "op_add(__TB__, `page`)"}]},
    {table: shop.shelves, operations: [all, -delete], add: [{name: place, type: INT, value: "`position` * 2"}]},
    {table: "shop.product*", columns: [id, sku, name, price, stock, status], engine: innodb,
     add: [{name: heavy, type: INT, value: "(op_gt(`weight`, 500) ? 1 : 0)"}]},
    {table: "old_*.*", operations: [all], add: [{name: shard, type: VARCHAR(9) NOT NULL, value: __DB__}]},
    {table: old_1.notes, policy: keep, add: []},
    {table: old_2.notes, policy: replace, add: []},
    {table: old_2.flags, engine: innodb, etl: {script: "e_set(`v`, `v` * 100000000)", errors: skip}},
    {table: old_1.grown, operations: [ddl, update, delete]},
    {table: old_1.fixed, operations: [-update]},
    {table: old_1.picked, filter: "v MOD 2 = 0", filter_updates: pre-image}],
  mapping: {
    databases: {shop: store},
    tables: {"/shop/./order(.*)/": "sales.o{1}", "/old_\\d/.deals": sales.deals, old_2.notes: own.notes},
    columns: {shop.orders.note: remark, "shop.*.customer_id": buyer}},
  merge: [sales.deals], capitalization: source"#;

/// What of the source is what of the target.
const ROWS: [(&str, &str); 16] = [
    (
        "SELECT id, v FROM old_1.notes UNION ALL SELECT 100, 1 ORDER BY id",
        "SELECT id, v FROM old_1.notes ORDER BY id",
    ),
    (
        "SELECT id, u, v FROM old_2.notes UNION ALL SELECT 8, 80, 0 ORDER BY id",
        "SELECT id, u, v FROM own.notes ORDER BY id",
    ),
    (
        "SELECT id, sku, name, price, stock, status, IF(weight > 500, 1, 0) FROM shop.products ORDER BY id",
        "SELECT * FROM store.products ORDER BY id",
    ),
    (
        "SELECT id, product_id, customer_id, stars, season, IF(stars > 4, 'great', body), CONCAT('REVIEWS/', stars) FROM shop.reviews
         WHERE stars > 2 AND season IS NOT NULL ORDER BY id",
        "SELECT id, product_id, buyer, stars, season, body, mark FROM store.reviews ORDER BY id",
    ),
    (
        "SELECT id, product_id, HEX(digest) FROM shop.images ORDER BY id",
        "SELECT id, product_id, HEX(digest) FROM store.images ORDER BY id",
    ),
    (
        "SELECT id, email, UPPER(email), phone, balance, birthday, created_at, updated_at,
                IF(LOCATE('@', email) = 0, '', SUBSTRING(email, LOCATE('@', email) + 1)), IF(balance > 1000, 'rich', 'poor')
         FROM shop.customers ORDER BY id",
        "SELECT id, email, name, phone, balance, birthday, created_at, updated_at, domain, wealth FROM store.customers ORDER BY id",
    ),
    (
        "SELECT id, customer_id, address_id, status, total, note, 'shop', IF(total > 1000, 1, 0) FROM shop.orders ORDER BY id",
        "SELECT id, buyer, address_id, status, total, remark, came_from, large FROM sales.os ORDER BY id",
    ),
    (
        "SELECT order_id, line, product_id, quantity, price, price * quantity FROM shop.order_items ORDER BY order_id, line",
        "SELECT order_id, line, product_id, quantity, price, cost FROM sales.o_items ORDER BY order_id, line",
    ),
    (
        "SELECT code, holder_id, percent, valid_until FROM shop.coupons ORDER BY code",
        "SELECT code, holder_id, percent, valid_until FROM store.coupons ORDER BY code",
    ),
    (
        "SELECT page, customer_id, seen_at, CONCAT('visits', page), COUNT(*) FROM shop.visits GROUP BY 1, 2, 3, 4 ORDER BY 1, 2, 3",
        "SELECT page, buyer, seen_at, origin, COUNT(*) FROM store.visits GROUP BY 1, 2, 3, 4 ORDER BY 1, 2, 3",
    ),
    (
        "SELECT id, v, 'old_1' FROM old_1.deals UNION ALL SELECT id, v, 'old_2' FROM old_2.deals ORDER BY id",
        "SELECT * FROM sales.deals ORDER BY id",
    ),
    (
        "SELECT id, v * 100000000, 'old_2' FROM old_2.flags WHERE v <= 21 ORDER BY id",
        "SELECT * FROM old_2.flags ORDER BY id",
    ),
    (
        "SELECT id, position, label, floor, position * 2 FROM shop.shelves UNION ALL SELECT 900, 9000, 'stays', 1, 18000 ORDER BY id",
        "SELECT id, position, label, floor, place FROM store.shelves ORDER BY id",
    ),
    (
        "SELECT id, v, 'old_1' FROM old_1.grown WHERE id <> 5 ORDER BY id",
        "SELECT * FROM old_1.grown ORDER BY id",
    ),
    (
        "SELECT 1 AS id, 10 AS v, 'old_1' UNION ALL SELECT 3, 3, 'old_1' UNION ALL SELECT id, v, 'old_1' FROM old_1.fixed WHERE id = 4 ORDER BY id",
        "SELECT * FROM old_1.fixed ORDER BY id",
    ),
    (
        "SELECT id, v, 'old_1' FROM old_1.picked WHERE v % 2 = 0 AND id <> 3 ORDER BY id",
        "SELECT * FROM old_1.picked ORDER BY id",
    ),
];

/// What the target holds beside rows: nothing of what stays behind, the chosen engine, times, and no
/// row that was not as it should have been.
const CHECKS: [(&str, &str); 7] = [
    (
        "SELECT COUNT(*) FROM information_schema.tables WHERE table_schema = 'store' AND table_name IN ('audit_log', 'payments')",
        "0",
    ),
    (
        "SELECT ENGINE FROM information_schema.tables WHERE table_schema = 'old_2' AND table_name = 'flags'",
        "InnoDB",
    ),
    (
        "SELECT COUNT(*) FROM sales.os WHERE imported IS NULL OR ABS(TIMESTAMPDIFF(SECOND, imported, UTC_TIMESTAMP())) > 3600",
        "0",
    ),
    // Rows of the target's own that are replaced are so in place.
    (
        "SELECT GROUP_CONCAT(own ORDER BY id) FROM own.notes WHERE id IN (3, 8)",
        "33,88",
    ),
    ("SELECT COUNT(*) FROM wherry.divergence", "0"),
    (
        "SELECT GROUP_CONCAT(CONCAT(table_name, ' ', kind, ' ', change_count) ORDER BY table_name) FROM wherry.left_change",
        "fixed update 3,grown insert 1,shelves delete 3",
    ),
    // The row 3 is left out behind its update.
    (
        "SELECT GROUP_CONCAT(CONCAT(table_name, ' ', row_count)) FROM wherry.skipped_row",
        "flags 1",
    ),
];

async fn data(source: &Server, target: &Server) {
    source
        .sql(
            "CREATE DATABASE old_1; CREATE DATABASE old_2;
             CREATE TABLE old_1.deals (id INT PRIMARY KEY, v INT) ENGINE=InnoDB; CREATE TABLE old_2.deals LIKE old_1.deals;
             CREATE TABLE old_1.notes (id INT PRIMARY KEY, v INT) ENGINE=InnoDB; INSERT INTO old_1.notes VALUES (1, 1), (2, 2);
             CREATE TABLE old_2.notes (id INT PRIMARY KEY, u INT UNIQUE, v INT) ENGINE=InnoDB; INSERT INTO old_2.notes VALUES (1, 10, 1), (2, 20, 2), (3, 30, 3);
             CREATE TABLE old_2.flags (id INT PRIMARY KEY, v INT) ENGINE=MyISAM; INSERT INTO old_2.flags VALUES (1, 1), (2, 2);
             CREATE TABLE old_1.grown LIKE old_1.deals; INSERT INTO old_1.grown VALUES (1, 1), (2, 2), (3, 3);
             CREATE TABLE old_1.fixed LIKE old_1.deals; INSERT INTO old_1.fixed VALUES (1, 1), (2, 2), (3, 3);
             CREATE TABLE old_1.picked LIKE old_1.deals; INSERT INTO old_1.picked VALUES (1, 1), (2, 2), (3, 3), (4, 4), (5, 5);
             INSERT INTO shop.shelves VALUES (900, 9000, 'stays'), (901, 9010, 'comes back'), (902, 9020, 'moves'), (903, 9030, 'gives way'), (904, 9040, 'goes');
             INSERT INTO old_1.deals VALUES (1, 1), (3, 3); INSERT INTO old_2.deals VALUES (2, 2), (4, 4); FLUSH BINARY LOGS",
        )
        .await
        .expect("old shards");
    target
        .sql(
            "CREATE DATABASE old_1; CREATE TABLE old_1.notes (id INT PRIMARY KEY, v INT, own INT DEFAULT 5);
             INSERT INTO old_1.notes VALUES (100, 1, 1);
             CREATE DATABASE own; CREATE TABLE own.notes (id INT PRIMARY KEY, u INT UNIQUE, v INT, own INT DEFAULT 5);
             INSERT INTO own.notes VALUES (3, 30, 0, 33), (7, 10, 0, 77), (8, 80, 0, 88)",
        )
        .await
        .expect("tables of the target's own");
}

/// Changes before the end of the load: every kind of them is carried.
const EARLY: &str = "DELETE FROM shop.shelves WHERE id = 904;
     INSERT INTO old_1.grown VALUES (4, 4); UPDATE old_1.grown SET v = 20 WHERE id = 2;
     UPDATE old_1.fixed SET v = 10 WHERE id = 1;
     UPDATE old_1.picked SET v = 12 WHERE id = 1; UPDATE old_1.picked SET v = 7 WHERE id = 2;
     INSERT INTO old_2.flags VALUES (3, 3); UPDATE old_2.flags SET v = 11 WHERE id = 1";

/// Behind it some do nothing. Of `picked`, 3 enters and stays missing, 4 leaves.
const LATE: &str = "UPDATE old_1.deals SET v = v + 10; UPDATE old_1.notes SET v = 7 WHERE id = 2; INSERT INTO old_1.notes VALUES (3, 3);
     INSERT INTO old_2.deals VALUES (6, 6); DELETE FROM old_2.deals WHERE id = 2;
     INSERT INTO old_2.notes VALUES (4, 40, 4); UPDATE old_2.notes SET u = 21 WHERE id = 2; UPDATE old_2.notes SET u = 20 WHERE id = 1;
     DELETE FROM shop.shelves WHERE id IN (900, 901, 903); INSERT INTO shop.shelves VALUES (901, 9011, 'is back'); UPDATE shop.shelves SET id = 903 WHERE id = 902;
     INSERT INTO old_1.grown VALUES (5, 5); UPDATE old_1.grown SET v = 55 WHERE id = 5; UPDATE old_1.grown SET v = 33 WHERE id = 3; DELETE FROM old_1.grown WHERE id = 1;
     UPDATE old_1.fixed SET v = 99 WHERE id < 3; UPDATE old_1.fixed SET id = 30 WHERE id = 3; DELETE FROM old_1.fixed WHERE id = 2; INSERT INTO old_1.fixed VALUES (4, 4);
     UPDATE old_1.picked SET v = 6 WHERE id = 3; UPDATE old_1.picked SET v = 8 WHERE id = 3; UPDATE old_1.picked SET v = 14 WHERE id = 1;
     UPDATE old_1.picked SET v = 9 WHERE id = 4; INSERT INTO old_1.picked VALUES (6, 6), (7, 7);
     UPDATE old_2.flags SET v = 33 WHERE id = 3; DELETE FROM old_2.flags WHERE id = 2; INSERT INTO old_2.flags VALUES (4, 4);
     ALTER TABLE shop.images ADD COLUMN alt VARCHAR(20) DEFAULT 'x'; ALTER TABLE shop.shelves ADD COLUMN floor INT DEFAULT 1;
     ALTER TABLE shop.reviews ADD COLUMN likes INT DEFAULT 1, MODIFY stars SMALLINT NOT NULL";

/// A load that a lock in the target keeps from its end, until the program is killed.
async fn killed_in_the_load(source: &Server, target: &Server, wherry: &Wherry) {
    // Definitions would wait for the lock too.
    wherry.finish(&["schema"]).expect_code(0);
    let mut lock = mysql_async::Conn::from_url(target.url("root"))
        .await
        .expect("a session");
    lock.query_drop("BEGIN; SELECT * FROM own.notes FOR UPDATE")
        .await
        .expect("a lock");
    let running = wherry.start(&["run"]);
    running.hear("the load", |line| line["phase"] == "load");
    source.sql(EARLY).await.expect("changes");
    running.signal("KILL");
    drop(running);
    lock.disconnect().await.expect("the lock is given back");
}

/// Writes, and definitions that come meanwhile, are in the target.
async fn changed(source: &Server, target: &Server, writers: &mut Workload, running: &Running) {
    writers.wait_for(300).await.expect("writes go on");
    source.sql(LATE).await.expect("changes");
    writers.wait_for(100).await.expect("writes go on");
    let columns = "SELECT COUNT(*) FROM information_schema.columns WHERE table_schema = 'store'
         AND (column_name IN ('alt', 'floor', 'likes') OR column_name = 'stars' AND data_type = 'smallint')";
    becomes(target, columns, "4", running).await;
    writers.hold().await.expect("writers rest");
    let lane = "SELECT COUNT(*) FROM wherry.lane_table";
    becomes(target, lane, "0", running).await;
    let anew = running.said("beside the stream");
    assert!(!anew.is_empty(), "a table is loaded anew");
}

async fn every_option_at_once(flavour: Flavour) {
    let source = server(flavour).await;
    let target = server(Flavour::MySql97).await;
    let shop = Shop::new(flavour, 4_000);
    shop.create(&source.url("root")).await.expect("a shop");
    data(&source, &target).await;
    let options = WorkloadOptions {
        transactions_per_second_max: Some(100),
        ..WorkloadOptions::new(shop)
    };
    let mut writers = Workload::start(&source.url("root"), options)
        .await
        .expect("writers");
    eprintln!("workload seed {}", writers.seed());
    let wherry = Wherry::new(&source, &target, &["shop"])
        .select(SELECT)
        .extra("cutover: {stop_writes: {command: \"true\"}}\nschema: {engine: keep}");
    killed_in_the_load(&source, &target, &wherry).await;
    let running = wherry.start(&["run"]);
    running.hear_strict();
    changed(&source, &target, &mut writers, &running).await;
    wherry.finish(&["verify"]).expect_code(0);
    running.signal("KILL");
    drop(running);
    wherry.finish(&["cutover"]).expect_code(0);
    for (there, here) in ROWS {
        assert_same(&source, there, &target, here).await;
    }
    for (query, wanted) in CHECKS {
        let found = target.value(query).await.expect("a value");
        assert_eq!(found.as_deref(), Some(wanted), "{query}");
    }
    writers.stop().await.expect("writers end");
}

#[tokio::test(flavor = "multi_thread")]
async fn every_option_at_once_from_97() {
    every_option_at_once(Flavour::MySql97).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn every_option_at_once_from_56() {
    every_option_at_once(Flavour::MySql56).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn every_option_at_once_from_mariadb() {
    every_option_at_once(Flavour::MariaDb).await;
}
