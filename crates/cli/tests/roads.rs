//! The four roads, each under concurrent writes, ending equal by an independent oracle.

use crate::runner::Wherry;
use wherry_testkit::{Flavour, Server, ServerOptions, Shop, Workload, WorkloadOptions, compare};

/// Rows of the shop at the start; the soak uses more.
const ROWS: u64 = 20_000;
/// A rate that an unoptimised build on a busy machine keeps up with: speed is not what is tested.
const TRANSACTIONS_PER_SECOND: u32 = 150;
/// Transactions written while the stream is already strict.
const LATER_TRANSACTIONS: u64 = 600;

async fn travel(flavour: Flavour, gtid: bool) {
    let source = Server::start(
        flavour,
        ServerOptions {
            gtid,
            ..ServerOptions::default()
        },
    )
    .await
    .expect("source");
    let target = Server::start(Flavour::MySql97, ServerOptions::default())
        .await
        .expect("target");
    let shop = Shop::new(flavour, ROWS);
    shop.create(&source.url("root")).await.expect("a shop");
    let options = WorkloadOptions {
        transactions_per_second_max: Some(TRANSACTIONS_PER_SECOND),
        ..WorkloadOptions::new(shop)
    };
    let mut writers = Workload::start(&source.url("root"), options)
        .await
        .expect("writers");
    eprintln!("workload seed {}", writers.seed());
    let wherry = Wherry::new(&source, &target, &["shop"]);
    let running = wherry.start(&["run"]);
    running.hear_strict();
    writers
        .wait_for(LATER_TRANSACTIONS)
        .await
        .expect("writes go on");
    wherry.finish(&["verify"]).expect_code(0);
    writers.hold().await.expect("writers rest");
    wherry.finish(&["verify"]).expect_code(0);
    running.stop();
    let compared = compare(&source.url("root"), &target.url("root"), &["shop"])
        .await
        .expect("comparison");
    compared.assert_equal();
    assert!(
        compared.tables >= 10 && compared.rows >= ROWS,
        "{} tables, {} rows",
        compared.tables,
        compared.rows
    );
    let report = writers.stop().await.expect("writers end");
    assert!(report.counters.committed > LATER_TRANSACTIONS);
    let audit = report
        .audit(&target.url("root"), "shop")
        .await
        .expect("audit");
    assert!(audit.is_exact(), "{audit}");
    let divergences = target
        .value("SELECT COUNT(*) FROM wherry.divergence")
        .await
        .expect("divergences");
    assert_eq!(divergences.as_deref(), Some("0"));
}

#[tokio::test(flavor = "multi_thread")]
async fn from_97_to_97_with_gtid() {
    travel(Flavour::MySql97, true).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn from_97_to_97_without_gtid() {
    travel(Flavour::MySql97, false).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn from_56_to_97() {
    travel(Flavour::MySql56, true).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn from_56_to_97_without_gtid() {
    travel(Flavour::MySql56, false).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn from_mariadb_to_97() {
    travel(Flavour::MariaDb, true).await;
}
