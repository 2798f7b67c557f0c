//! One task that uses every option at once, on the shop's workload: the target is what independent
//! queries make of the source.

use crate::lanes::becomes;
use crate::runner::Wherry;
use crate::shape::{assert_same, server};
use wherry_testkit::{Flavour, Server, Shop, Workload, WorkloadOptions};

const SELECT: &str = r#"include: ["old_*.deals", old_1.notes], exclude: [shop.shelves, "shop.pay*"], operations: [all, -drop-table],
  tables: [
    {table: shop.reviews, filter: "stars > 2 AND season IS NOT NULL", etl: {script: "e_if(op_gt(`stars`, 4), e_set(`body`, 'great'))"}},
    {table: shop.images, without: [data]},
    {table: shop.customers, etl: {script: "e_set(`name`, str_upper(`email`))"}},
    {table: old_1.notes, policy: keep},
    {table: shop.visits, operations: [all, -truncate-table]},
    {table: "old_*.*", operations: [all]},
    {table: "shop.product*", columns: [id, sku, name, price, stock, status]}],
  mapping: {
    databases: {shop: store},
    tables: {"/shop/./order(.*)/": "sales.o{1}", "/old_\\d/.deals": sales.deals},
    columns: {shop.orders.note: remark, "shop.*.customer_id": buyer}},
  merge: [sales.deals], capitalization: source"#;

/// What of the source is what of the target.
const ROWS: [(&str, &str); 10] = [
    (
        "SELECT id, v FROM old_1.notes UNION ALL SELECT 100, 1 ORDER BY id",
        "SELECT id, v FROM old_1.notes ORDER BY id",
    ),
    (
        "SELECT id, sku, name, price, stock, status FROM shop.products ORDER BY id",
        "SELECT * FROM store.products ORDER BY id",
    ),
    (
        "SELECT id, product_id, customer_id, stars, season, IF(stars > 4, 'great', body) FROM shop.reviews
         WHERE stars > 2 AND season IS NOT NULL ORDER BY id",
        "SELECT id, product_id, buyer, stars, season, body FROM store.reviews ORDER BY id",
    ),
    (
        "SELECT id, product_id, HEX(digest) FROM shop.images ORDER BY id",
        "SELECT id, product_id, HEX(digest) FROM store.images ORDER BY id",
    ),
    (
        "SELECT id, email, UPPER(email), phone, balance, birthday, created_at, updated_at FROM shop.customers ORDER BY id",
        "SELECT id, email, name, phone, balance, birthday, created_at, updated_at FROM store.customers ORDER BY id",
    ),
    (
        "SELECT id, customer_id, address_id, status, total, note FROM shop.orders ORDER BY id",
        "SELECT id, buyer, address_id, status, total, remark FROM sales.os ORDER BY id",
    ),
    (
        "SELECT order_id, line, product_id, quantity, price FROM shop.order_items ORDER BY order_id, line",
        "SELECT order_id, line, product_id, quantity, price FROM sales.o_items ORDER BY order_id, line",
    ),
    (
        "SELECT code, holder_id, percent, valid_until FROM shop.coupons ORDER BY code",
        "SELECT code, holder_id, percent, valid_until FROM store.coupons ORDER BY code",
    ),
    (
        "SELECT page, customer_id, seen_at, COUNT(*) FROM shop.visits GROUP BY 1, 2, 3 ORDER BY 1, 2, 3",
        "SELECT page, buyer, seen_at, COUNT(*) FROM store.visits GROUP BY 1, 2, 3 ORDER BY 1, 2, 3",
    ),
    (
        "SELECT * FROM old_1.deals UNION ALL SELECT * FROM old_2.deals ORDER BY id",
        "SELECT * FROM sales.deals ORDER BY id",
    ),
];

async fn data(source: &Server, target: &Server) {
    source
        .sql(
            "CREATE DATABASE old_1; CREATE DATABASE old_2;
             CREATE TABLE old_1.deals (id INT PRIMARY KEY, v INT) ENGINE=InnoDB; CREATE TABLE old_2.deals LIKE old_1.deals;
             CREATE TABLE old_1.notes (id INT PRIMARY KEY, v INT) ENGINE=InnoDB; INSERT INTO old_1.notes VALUES (1, 1), (2, 2);
             INSERT INTO old_1.deals VALUES (1, 1), (3, 3); INSERT INTO old_2.deals VALUES (2, 2), (4, 4)",
        )
        .await
        .expect("old shards");
    target
        .sql(
            "CREATE DATABASE old_1; CREATE TABLE old_1.notes (id INT PRIMARY KEY, v INT, own INT DEFAULT 5);
             INSERT INTO old_1.notes VALUES (100, 1, 1)",
        )
        .await
        .expect("a table of the target's own");
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
        .extra("cutover: {stop_writes: {command: \"true\"}}");
    let running = wherry.start(&["run"]);
    running.hear("the load", |line| line["phase"] == "load");
    running.signal("KILL");
    drop(running);
    let running = wherry.start(&["run"]);
    running.hear_strict();
    writers.wait_for(300).await.expect("writes go on");
    source
        .sql(
            "UPDATE old_1.deals SET v = v + 10; UPDATE old_1.notes SET v = 7 WHERE id = 2; INSERT INTO old_1.notes VALUES (3, 3); INSERT INTO old_2.deals VALUES (6, 6); DELETE FROM old_2.deals WHERE id = 2;
             ALTER TABLE shop.images ADD COLUMN alt VARCHAR(20) DEFAULT 'x'; ALTER TABLE shop.reviews ADD COLUMN likes INT DEFAULT 1",
        )
        .await
        .expect("changes");
    writers.wait_for(100).await.expect("writes go on");
    let column = "SELECT COUNT(*) FROM information_schema.columns WHERE table_schema = 'store' AND column_name IN ('alt', 'likes')";
    becomes(&target, column, "2", &running).await;
    writers.hold().await.expect("writers rest");
    becomes(
        &target,
        "SELECT COUNT(*) FROM wherry.lane_table",
        "0",
        &running,
    )
    .await;
    wherry.finish(&["verify"]).expect_code(0);
    running.signal("KILL");
    drop(running);
    wherry.finish(&["cutover"]).expect_code(0);
    for (there, here) in ROWS {
        assert_same(&source, there, &target, here).await;
    }
    let left = "SELECT COUNT(*) FROM information_schema.tables WHERE table_schema = 'store' AND table_name IN ('shelves', 'payments')";
    assert_eq!(
        target.value(left).await.expect("tables").as_deref(),
        Some("0")
    );
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
