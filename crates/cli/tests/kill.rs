//! `kill -9` at random moments, the same command again, and nothing is lost or doubled.

use crate::runner::{Running, Wherry};
use std::time::Duration;
use wherry_testkit::{
    Flavour, Random, Server, ServerOptions, Shop, Workload, WorkloadOptions, compare,
};

/// A rate that an unoptimised build on a busy machine keeps up with: speed is not what is tested.
const TRANSACTIONS_PER_SECOND: u32 = 150;

/// How often to kill in which phase, and how much there is to load.
struct Plan {
    load_kills: u32,
    definition_kills: u32,
    stream_kills: u32,
    shop_rows: u64,
    /// Rows of one wide table, so that the load lasts.
    bulk_rows: u64,
}

const SHORT: Plan = Plan {
    load_kills: 4,
    definition_kills: 2,
    stream_kills: 4,
    shop_rows: 20_000,
    bulk_rows: 400_000,
};

const LONG: Plan = Plan {
    load_kills: 22,
    definition_kills: 8,
    stream_kills: 22,
    shop_rows: 50_000,
    bulk_rows: 1_500_000,
};

/// Waits a random while: here the moment itself is what is tested.
async fn random_moment(random: &mut Random, milliseconds_max: u64) {
    tokio::time::sleep(Duration::from_millis(random.below(milliseconds_max))).await;
}

async fn fill_bulk(source: &Server, rows: u64) {
    let statements = format!(
        "USE shop; SET SESSION cte_max_recursion_depth = 10000000;
         CREATE TABLE shop.bulk (id BIGINT PRIMARY KEY AUTO_INCREMENT, a INT, b VARCHAR(120), c DATETIME(6), KEY by_a (a), KEY by_b (b(20)));
         INSERT INTO shop.bulk (a, b, c) WITH RECURSIVE n AS (SELECT 1 AS i UNION ALL SELECT i + 1 FROM n WHERE i < {rows})
             SELECT i % 1000, CONCAT(SHA2(i, 256), i), NOW(6) FROM n"
    );
    source.sql(&statements).await.expect("a bulky table");
}

/// True where the last thing heard was still in this phase.
fn is_in(running: &Running, phase: &str) -> bool {
    running
        .last("progress")
        .is_some_and(|line| line["phase"] == phase)
}

async fn kill_in_load(wherry: &Wherry, kills: u32, random: &mut Random) {
    let mut in_load = 0;
    while in_load < kills {
        let running = wherry.start(&["run"]);
        running.hear("the load", |line| {
            line["phase"] == "load" || line["phase"] == "stream"
        });
        random_moment(random, 2000).await;
        assert!(
            is_in(&running, "load"),
            "the load ended after {in_load} kills; give it more rows"
        );
        running.signal("KILL");
        in_load += 1;
    }
}

async fn kill_in_definitions(wherry: &Wherry, source: &Server, kills: u32, random: &mut Random) {
    for number in 0..kills {
        let running = wherry.start(&["run"]);
        running.hear_strict();
        let statement = if number % 2 == 0 {
            format!(
                "ALTER TABLE shop.bulk ADD COLUMN extra{number} VARCHAR(20) DEFAULT 'x', ADD INDEX again{number} (c, a)"
            )
        } else {
            format!("ALTER TABLE shop.bulk DROP INDEX again{}", number - 1)
        };
        source.sql(&statement).await.expect("a definition change");
        running.hear("the definition change", |line| {
            line["message"]
                .as_str()
                .is_some_and(|text| text.contains("definition change"))
        });
        random_moment(random, 300).await;
        running.signal("KILL");
    }
}

async fn kill_in_stream(wherry: &Wherry, kills: u32, random: &mut Random) {
    for _ in 0..kills {
        let running = wherry.start(&["run"]);
        running.hear("the stream", |line| line["phase"] == "stream");
        random_moment(random, 2500).await;
        running.signal("KILL");
    }
}

async fn kill_and_resume(plan: Plan) {
    let seed = Random::fresh_seed();
    eprintln!("kill seed {seed}");
    let mut random = Random::new(seed);
    let options = ServerOptions {
        gtid: true,
        buffer_pool_mib: 256,
        ..ServerOptions::default()
    };
    let source = Server::start(Flavour::MySql97, options.clone())
        .await
        .expect("source");
    let target = Server::start(Flavour::MySql97, options)
        .await
        .expect("target");
    let shop = Shop::new(Flavour::MySql97, plan.shop_rows);
    shop.create(&source.url("root")).await.expect("a shop");
    fill_bulk(&source, plan.bulk_rows).await;
    // The start is the beginning of the current file: what filled the table need not be replayed.
    source.sql("FLUSH BINARY LOGS").await.expect("a new file");
    let options = WorkloadOptions {
        transactions_per_second_max: Some(TRANSACTIONS_PER_SECOND),
        ..WorkloadOptions::new(shop)
    };
    let mut writers = Workload::start(&source.url("root"), options)
        .await
        .expect("writers");
    eprintln!("workload seed {}", writers.seed());
    let wherry = Wherry::new(&source, &target, &["shop"]);

    kill_in_load(&wherry, plan.load_kills, &mut random).await;
    kill_in_definitions(&wherry, &source, plan.definition_kills, &mut random).await;
    kill_in_stream(&wherry, plan.stream_kills, &mut random).await;

    let running = wherry.start(&["run"]);
    running.hear_strict();
    writers.hold().await.expect("writers rest");
    wherry.finish(&["verify"]).expect_code(0);
    running.stop();
    compare(&source.url("root"), &target.url("root"), &["shop"])
        .await
        .expect("comparison")
        .assert_equal();
    let report = writers.stop().await.expect("writers end");
    let audit = report
        .audit(&target.url("root"), "shop")
        .await
        .expect("audit");
    eprintln!(
        "{} transactions, audit log: {audit}",
        report.counters.committed
    );
    assert!(audit.is_exact(), "{audit}");
}

#[tokio::test(flavor = "multi_thread")]
async fn killed_anywhere_it_goes_on() {
    let long = std::env::var_os("WHERRY_SOAK").is_some();
    kill_and_resume(if long { LONG } else { SHORT }).await;
}
