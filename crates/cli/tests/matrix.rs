//! The differential type matrix: every value of every type over every road, compared byte for byte.
//!
//! A lane is a pair of servers with the settings that change how a value travels. Rows that are there before the start
//! take the load, the others the stream: idempotent where they lie between the start and its end, strict after
//! it. Values come from `wherry_testkit::matrix`, the judge is `wherry_testkit::compare`: neither shares code
//! with Wherry. `WHERRY_SOAK=1` runs every combination of settings, and thousands of random values a column.

use crate::runner::Wherry;
use mysql_async::Conn;
use mysql_async::prelude::Queryable;
use wherry_testkit::matrix::{Group, Identity, SESSION, groups};
use wherry_testkit::{Flavour, Random, Server, ServerOptions, compare};

/// A clock with a repeated hour, so that a road through local time would show.
const SUMMER_TIME: (&str, &str) = ("TZ", "CET-1CEST,M3.5.0,M10.5.0/3");

/// What an administrator may have set in a target, and must not matter.
const ODD_TARGET: &[&str] = &[
    "--sql-mode=NO_BACKSLASH_ESCAPES,ANSI_QUOTES,PIPES_AS_CONCAT,NO_ZERO_DATE,NO_ZERO_IN_DATE,PAD_CHAR_TO_FULL_LENGTH",
    "--sql-generate-invisible-primary-key=ON",
    "--explicit-defaults-for-timestamp=OFF",
    "--default-time-zone=+05:30",
    "--character-set-server=latin1",
];

/// Settings of a source.
#[derive(Clone, Debug)]
struct Lane {
    flavour: Flavour,
    gtid: bool,
    arguments: Vec<String>,
}

impl Lane {
    fn new(flavour: Flavour, gtid: bool, arguments: &[&str]) -> Lane {
        Lane {
            flavour,
            gtid,
            arguments: arguments.iter().map(|word| (*word).to_owned()).collect(),
        }
    }
}

fn is_soak() -> bool {
    std::env::var_os("WHERRY_SOAK").is_some()
}

fn random_rows() -> usize {
    if is_soak() { 4000 } else { 60 }
}

fn options(gtid: bool, arguments: Vec<String>) -> ServerOptions {
    ServerOptions {
        gtid,
        arguments,
        environment: vec![(SUMMER_TIME.0.to_owned(), SUMMER_TIME.1.to_owned())],
        ..ServerOptions::default()
    }
}

async fn run(connection: &mut Conn, statement: &str) {
    let shown: String = statement.chars().take(300).collect();
    let mut result = connection
        .query_iter(statement)
        .await
        .unwrap_or_else(|error| panic!("{shown}: {error}"));
    while !result.is_empty() {
        result
            .for_each(drop)
            .await
            .unwrap_or_else(|error| panic!("{shown}: {error}"));
    }
}

async fn writer(source: &Server) -> Conn {
    let mut connection = source.connect().await.expect("a connection");
    run(&mut connection, SESSION).await;
    connection
}

/// What lies before the start, and, behind a new binlog file, what lies between the start and the end where the start
/// is the beginning of a file.
async fn write_before(source: &Server, groups: &[Group], random: &mut Random) {
    let mut connection = writer(source).await;
    run(&mut connection, "CREATE DATABASE matrix; USE matrix").await;
    for group in groups {
        run(&mut connection, &group.create()).await;
        run(&mut connection, "BEGIN").await;
        for statement in group.load(random, random_rows()) {
            run(&mut connection, &statement).await;
        }
        run(&mut connection, "COMMIT").await;
    }
    run(&mut connection, "FLUSH BINARY LOGS").await;
    for group in groups
        .iter()
        .filter(|group| group.identity != Identity::None)
    {
        run(&mut connection, &group.copied(3)).await;
        run(&mut connection, &group.updated(3)).await;
        run(&mut connection, &group.copied(4)).await;
        run(&mut connection, &group.deleted(4)).await;
    }
    connection.disconnect().await.expect("a goodbye");
}

async fn write_during(source: &Server, groups: &[Group]) {
    let mut connection = writer(source).await;
    run(&mut connection, "USE matrix").await;
    for group in groups {
        for statement in [group.copied(5), group.updated(1), group.deleted(2)] {
            run(&mut connection, &statement).await;
        }
        for statement in group.changes {
            run(&mut connection, statement).await;
        }
    }
    connection.disconnect().await.expect("a goodbye");
}

async fn servers(lane: &Lane) -> (Server, Server) {
    let source = options(lane.gtid, lane.arguments.clone());
    let odd = ODD_TARGET.iter().map(|word| (*word).to_owned()).collect();
    (
        Server::start(lane.flavour, source).await.expect("source"),
        Server::start(Flavour::MySql97, options(false, odd))
            .await
            .expect("target"),
    )
}

async fn travel(lane: Lane) {
    let seed = Random::fresh_seed();
    eprintln!("matrix seed {seed}, {lane:?}");
    let (source, target) = servers(&lane).await;
    let groups = groups(lane.flavour);
    write_before(&source, &groups, &mut Random::new(seed)).await;
    let wherry = Wherry::new(&source, &target, &["matrix"]);
    let running = wherry.start(&["run"]);
    running.hear_strict();
    write_during(&source, &groups).await;
    wherry.finish(&["verify"]).expect_code(0);
    running.stop();
    let compared = compare(&source.url("root"), &target.url("root"), &["matrix"])
        .await
        .expect("comparison");
    compared.assert_equal();
    assert_eq!(compared.tables, groups.len());
    let divergences = target
        .value("SELECT COUNT(*) FROM wherry.divergence")
        .await
        .expect("divergences");
    assert_eq!(divergences.as_deref(), Some("0"), "changes met other rows");
    eprintln!("{} tables, {} rows equal", compared.tables, compared.rows);
}

/// A lane, and in the soak others of its kind.
async fn travel_each(lane: Lane, others: Vec<Lane>) {
    travel(lane).await;
    if is_soak() {
        for lane in others {
            travel(lane).await;
        }
    }
}

/// Every combination for MySQL 9.7.
fn lanes_of_97() -> Vec<Lane> {
    let mut lanes = Vec::new();
    for gtid in [true, false] {
        for metadata in ["MINIMAL", "FULL"] {
            for compression in ["ON", "OFF"] {
                let metadata = format!("--binlog-row-metadata={metadata}");
                let compression = format!("--binlog-transaction-compression={compression}");
                lanes.push(Lane::new(
                    Flavour::MySql97,
                    gtid,
                    &[&metadata, &compression],
                ));
            }
        }
    }
    lanes
}

#[tokio::test(flavor = "multi_thread")]
async fn mysql97_with_gtid_full_metadata_and_compression() {
    let arguments = [
        "--binlog-row-metadata=FULL",
        "--binlog-transaction-compression=ON",
    ];
    let lane = Lane::new(Flavour::MySql97, true, &arguments);
    travel_each(lane, lanes_of_97()).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn mysql97_without_gtid_minimal_metadata() {
    let arguments = [
        "--binlog-row-metadata=MINIMAL",
        "--explicit-defaults-for-timestamp=OFF",
    ];
    travel(Lane::new(Flavour::MySql97, false, &arguments)).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn mysql97_with_partial_json() {
    let arguments = ["--binlog-row-value-options=PARTIAL_JSON"];
    travel(Lane::new(Flavour::MySql97, true, &arguments)).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn mysql56_with_gtid() {
    travel(Lane::new(Flavour::MySql56, true, &[])).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn mysql56_without_gtid() {
    let arguments = ["--explicit-defaults-for-timestamp=OFF"];
    travel(Lane::new(Flavour::MySql56, false, &arguments)).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn mariadb_full_metadata() {
    let full = ["--binlog-row-metadata=FULL"];
    let others = vec![Lane::new(Flavour::MariaDb, false, &full)];
    travel_each(Lane::new(Flavour::MariaDb, true, &full), others).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn mariadb_minimal_metadata() {
    let minimal = ["--binlog-row-metadata=MINIMAL"];
    let others = vec![Lane::new(Flavour::MariaDb, true, &minimal)];
    travel_each(Lane::new(Flavour::MariaDb, false, &minimal), others).await;
}
