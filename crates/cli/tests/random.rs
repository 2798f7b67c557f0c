//! A random program over tables of every key shape, through load, replay and stream with 8 workers.
//!
//! The short form is bounded by transactions. The long form, behind `WHERRY_SOAK=1`, runs
//! `WHERRY_RANDOM_SEEDS` programs (1) of `WHERRY_RANDOM_SECONDS` (30) each, from `WHERRY_RANDOM_SEED`
//! on, and prints every seed with its result.

use crate::runner::{Running, Wherry};
use crate::seeds;
use std::time::{Duration, Instant};
use wherry_testkit::{Churn, ChurnOptions, Flavour, Random, Server, ServerOptions, compare};

const WORKERS: &str = "stream: {workers: 8}";

/// A rate that an unoptimised build on a busy machine keeps up with: speed is not what is tested.
const TRANSACTIONS_PER_SECOND: u32 = 80;

/// How long the program goes on behind the end.
#[derive(Clone, Copy)]
enum Length {
    Transactions(u64),
    Time(Duration),
}

/// Transactions before the migration starts; they are replayed too.
const EARLIER_TRANSACTIONS: u64 = 150;

/// One program over one pair of servers.
#[derive(Clone, Copy)]
struct Plan {
    flavour: Flavour,
    seed: u64,
    length: Length,
    kills: u64,
}

async fn start(flavour: Flavour) -> Server {
    let options = ServerOptions {
        // Without GTIDs the start is the beginning of a binlog file, so there is more to replay.
        gtid: flavour == Flavour::MySql56,
        ..ServerOptions::default()
    };
    Server::start(flavour, options).await.expect("a server")
}

/// Ends the program as a crash does, at random moments from its first word on. The moment itself
/// is what is tested.
async fn kill_and_go_on(wherry: &Wherry, random: &mut Random, kills: u64) -> Running {
    for _ in 0..kills {
        let running = wherry.start(&["run"]);
        running.hear("a sign of life", |line| line["type"] == "progress");
        tokio::time::sleep(Duration::from_millis(random.below(3000))).await;
        running.signal("KILL");
    }
    wherry.start(&["run"])
}

async fn number(server: &Server, query: &str) -> u64 {
    let text = server.value(query).await.expect(query).unwrap_or_default();
    text.parse().expect("a number")
}

async fn churn(plan: Plan) -> String {
    let (source, target) = (start(plan.flavour).await, start(Flavour::MySql97).await);
    let options = ChurnOptions {
        flavour: plan.flavour,
        database: "zoo".to_owned(),
        writers: 4,
        transactions_per_second_max: TRANSACTIONS_PER_SECOND,
        seed: plan.seed,
    };
    let url = source.url("root");
    let tables = Churn::create(&url, &options).await.expect("tables");
    let churn = Churn::start(&url, &options);
    churn.wait_for(EARLIER_TRANSACTIONS).await.expect("writes");
    let wherry = Wherry::new(&source, &target, &["zoo"]).extra(WORKERS);
    let mut random = Random::new(plan.seed);
    let begun = Instant::now();
    let running = kill_and_go_on(&wherry, &mut random, plan.kills).await;
    running.hear_strict();
    match plan.length {
        Length::Transactions(count) => churn.wait_for(count).await.expect("writes go on"),
        Length::Time(time) => {
            while begun.elapsed() < time {
                churn.wait_for(50).await.expect("writes go on");
            }
        }
    }
    wherry.finish(&["verify"]).expect_code(0);
    let (transactions, statements) = (churn.transactions(), churn.statements());
    churn.stop().await.expect("writers end");
    wherry.finish(&["verify"]).expect_code(0);
    running.stop();
    let compared = compare(&url, &target.url("root"), &["zoo"])
        .await
        .expect("comparison");
    compared.assert_equal();
    assert_eq!(compared.tables, tables, "every table was compared");
    for table in ["divergence", "owed"] {
        let count = number(&target, &format!("SELECT COUNT(*) FROM wherry.{table}")).await;
        assert_eq!(count, 0, "{table}");
    }
    format!(
        "{tables} tables, {} rows, {transactions} transactions, {} statements, {} refused, {} kills",
        compared.rows, statements.0, statements.1, plan.kills
    )
}

async fn travel(flavour: Flavour) {
    let what = format!("random program from {flavour:?}");
    seeds::each(&what, Random::fresh_seed(), |seed, time| {
        churn(Plan {
            flavour,
            seed,
            length: time.map_or(Length::Transactions(400), Length::Time),
            kills: time.map_or(1, |_| seed % 3),
        })
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_random_program_arrives_from_97() {
    travel(Flavour::MySql97).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_random_program_arrives_from_56() {
    travel(Flavour::MySql56).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_random_program_arrives_from_mariadb() {
    travel(Flavour::MariaDb).await;
}
