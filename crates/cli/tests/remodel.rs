//! A random program of definition changes and rows, from 4 connections, against a live task.
//!
//! The short form is bounded by definition changes. The long form, behind `WHERRY_SOAK=1`, runs
//! `WHERRY_RANDOM_SEEDS` programs (1) of `WHERRY_RANDOM_SECONDS` (30) each, from `WHERRY_RANDOM_SEED`
//! on, and prints every seed with its result and what the program did. `WHERRY_RANDOM_SHOW` prints
//! each definition change.

use crate::lanes::becomes;
use crate::runner::{Finished, Running, Wherry};
use crate::seeds;
use std::collections::BTreeMap;
use std::time::{Duration, Instant};
use wherry_testkit::{
    Flavour, Naming, REMODEL_DATABASES, Random, Remodel, RemodelOptions, Server, ServerOptions,
    compare_named,
};

/// A rate that an unoptimised build on a busy machine keeps up with: speed is not what is tested.
const STEPS_PER_SECOND: u32 = 40;

#[derive(Clone, Copy)]
enum Length {
    Definitions(u64),
    Time(Duration),
}

/// One program over one pair of servers.
#[derive(Clone, Copy)]
struct Plan {
    flavour: Flavour,
    seed: u64,
    length: Length,
    kills: u64,
    /// Under other names in the target.
    mapped: bool,
}

/// Names of the program's tables with those that they get: some in the same database, some in
/// another one. One of them is the name that swaps go through.
fn tables() -> impl Iterator<Item = (String, String, String)> {
    REMODEL_DATABASES.into_iter().flat_map(|database| {
        let numbered = (0..40).map(|number| format!("t{number}"));
        numbered
            .chain(["aside".to_owned()])
            .enumerate()
            .map(move |(number, table)| {
                let (there, name) = match (database, number % 4) {
                    ("mill", 2) => ("depot".to_owned(), table.clone()),
                    (_, 1) => (database_named(database), format!("table {number}")),
                    _ => (database_named(database), table.clone()),
                };
                (format!("{database}.{table}"), there, name)
            })
    })
}

fn database_named(database: &str) -> String {
    match database {
        "mill" => "works",
        "shed" => "hut",
        same => same,
    }
    .to_owned()
}

/// Alike in every table, because a rename that gives columns other names is not always carried.
const COLUMNS: [(&str, &str); 6] = [
    ("id", "number"),
    ("v", "V_1"),
    ("c1", "c2"),
    ("c2", "c1"),
    ("c5", "a `b"),
    ("r3", "c30"),
];

fn mapping() -> String {
    let (mut names, mut columns) = (Vec::new(), Vec::new());
    for (table, there, name) in tables() {
        names.push(format!("{table}: '{there}.{name}'"));
        columns.extend(COLUMNS.map(|(from, to)| format!("{table}.{from}: '{to}'")));
    }
    format!(
        "mapping: {{databases: {{mill: works, shed: hut}}, tables: {{{}}}, columns: {{{}}}}}",
        names.join(", "),
        columns.join(", ")
    )
}

/// The same for the comparison.
fn naming() -> Naming {
    let renamed: BTreeMap<String, (String, String)> = tables()
        .map(|(table, there, name)| (table, (there, name)))
        .collect();
    let table = move |database: &str, table: &str| {
        let found = renamed.get(&format!("{database}.{table}"));
        let same = || (database_named(database), table.to_owned());
        found.cloned().unwrap_or_else(same)
    };
    let column = |_: &str, _: &str, column: &str| {
        let found = COLUMNS.iter().find(|(from, _)| *from == column);
        found.map_or(column, |(_, to)| *to).to_owned()
    };
    Naming {
        table: Box::new(table),
        column: Box::new(column),
    }
}

async fn start(flavour: Flavour, seed: u64) -> Server {
    let options = ServerOptions {
        // MySQL 5.6 refuses CREATE TABLE ... SELECT with GTIDs.
        gtid: flavour == Flavour::MySql97 && seed.is_multiple_of(2),
        ..ServerOptions::default()
    };
    Server::start(flavour, options).await.expect("a server")
}

async fn texts(server: &Server, query: &str) -> Vec<String> {
    let rows = server.rows(query).await.expect(query);
    let text = |row: Vec<Option<String>>| {
        let values: Vec<String> = row.into_iter().map(Option::unwrap_or_default).collect();
        values.join(" ")
    };
    rows.into_iter().map(text).collect()
}

/// What the ledger holds, each with the statement at its place in the source's binlog.
async fn losses(source: &Server, target: &Server) -> Vec<String> {
    let ledger = "SELECT database_name, table_name, reason, position FROM wherry.loss_ledger";
    let mut told = Vec::new();
    for row in target.rows(ledger).await.expect("the ledger") {
        let row: Vec<String> = row.into_iter().map(Option::unwrap_or_default).collect();
        let place = row[3].split([' ', ',']).next().unwrap_or_default();
        let (file, offset) = place.split_once(':').unwrap_or((place, "4"));
        let events = format!("SHOW BINLOG EVENTS IN '{file}' FROM {offset} LIMIT 2");
        let events = source.rows(&events).await.unwrap_or_default();
        let info = |row: &Vec<Option<String>>| row.last().cloned().flatten().unwrap_or_default();
        told.push(format!(
            "{}: {:?}",
            row.join(" "),
            events.iter().map(info).collect::<Vec<_>>()
        ));
    }
    told
}

/// Waits until so many more definition changes are done; says what the source says where they are not.
async fn go_on(program: &mut Remodel, source: &Server, more: u64) {
    if let Err(error) = program.wait_for(more).await {
        panic!("changes do not go on: {error:?}\n{}", source.log_tail());
    }
}

/// Ends the program as a crash does, at random moments while definitions change. The moment itself
/// is what is tested.
async fn kill_and_go_on(
    wherry: &Wherry,
    mut running: Running,
    random: &mut Random,
    kills: u64,
) -> Running {
    for _ in 0..kills {
        tokio::time::sleep(Duration::from_millis(random.below(2500))).await;
        running.signal("KILL");
        if shows() {
            eprintln!("killed: {}", running.stderr());
        }
        running = wherry.start(&["run"]);
        running.hear("a sign of life", |line| line["type"] == "progress");
    }
    running
}

/// The end of the source's binlog. No writer writes any more.
async fn end_of(source: &Server) -> (String, u64) {
    let rows = match source.rows("SHOW MASTER STATUS").await {
        Ok(rows) => rows,
        Err(_) => source
            .rows("SHOW BINARY LOG STATUS")
            .await
            .expect("a place"),
    };
    let place: Vec<String> = rows[0].iter().flatten().cloned().collect();
    (place[0].clone(), place[1].parse().expect("a number"))
}

/// The place up to which progress tells that the stream is in.
fn place_of(line: &serde_json::Value) -> Option<(String, u64)> {
    let text = line["stream"]["position"].as_str().unwrap_or_default();
    let (file, offset) = text.split([' ', ',']).next()?.split_once(':')?;
    let offset = offset.parse().ok()?;
    (line["phase"] == "stream").then(|| (file.to_owned(), offset))
}

/// Waits until the stream is behind the end of the source's binlog, where `verify` can begin. A slow
/// stream is no failure, one that stands still is.
async fn hear_the_end(running: &Running, source: &Server) {
    let end = Some(end_of(source).await);
    let mut place = None;
    while place < end {
        let line = running.hear("the end of the replay", |line| place_of(line) > place);
        place = place_of(&line);
    }
}

fn shows() -> bool {
    std::env::var_os("WHERRY_RANDOM_SHOW").is_some()
}

/// What a verification found, without what it found equal.
fn unequal(verified: &Finished) -> String {
    let parts = ["schema_differences", "left_out", "mismatches", "unsettled"];
    let reports = verified.of_type("verify").into_iter();
    let found = reports.flat_map(|report| parts.map(|part| format!("{part}: {}\n", report[part])));
    found.collect::<String>() + &verified.error_code()
}

/// Waits until everything is in, and asks Wherry whether both sides are equal. How many tables were
/// loaded anew.
async fn settle(wherry: &Wherry, running: Running, source: &Server, target: &Server) -> usize {
    hear_the_end(&running, source).await;
    // Until then a table that is loaded beside the stream is not compared.
    let beside = "SELECT COUNT(*) FROM wherry.lane_table";
    becomes(target, beside, "0", &running).await;
    let verified = wherry.finish(&["verify"]);
    let found = texts(target, "SELECT * FROM wherry.divergence").await;
    let lost = losses(source, target).await;
    if !(found.is_empty() && lost.is_empty()) && shows() {
        eprintln!("ran: {}\nverify: {verified:?}", running.stderr());
    }
    assert!(found.is_empty(), "divergences: {found:#?}");
    assert!(lost.is_empty(), "nothing is lost: {lost:#?}");
    assert_eq!(verified.code, 0, "verify: {}", unequal(&verified));
    let reloads = running.said("is to be loaded anew").len();
    running.stop();
    for table in ["divergence", "owed", "ddl_intent"] {
        let left = texts(target, &format!("SELECT * FROM wherry.{table}")).await;
        assert!(left.is_empty(), "{table}: {left:?}");
    }
    reloads
}

async fn remodel(plan: Plan) -> String {
    let source = start(plan.flavour, plan.seed).await;
    let target = start(Flavour::MySql97, plan.seed).await;
    let options = RemodelOptions {
        flavour: plan.flavour,
        writers: 4,
        steps_per_second_max: STEPS_PER_SECOND,
        seed: plan.seed,
        shows: shows(),
    };
    let url = source.url("root");
    Remodel::create(&url, &options).await.expect("tables");
    let mut wherry = Wherry::new(&source, &target, &REMODEL_DATABASES);
    if plan.flavour != Flavour::MySql97 {
        // What these servers do and MySQL 9 refuses is loaded anew. From the same server nothing is.
        wherry = wherry.extra("stream: {refused_ddl: reload}");
    }
    let mut naming = Naming::same();
    if plan.mapped {
        wherry = wherry.select(&mapping());
        naming = self::naming();
    }
    let mut random = Random::new(plan.seed);
    let mut program = Remodel::start(&url, &options);
    go_on(&mut program, &source, 5).await;
    let running = wherry.start(&["run"]);
    running.hear("the load", |line| {
        line["phase"] == "load" || line["phase"] == "stream"
    });
    program.free_databases();
    go_on(&mut program, &source, 8).await;
    // A load begins a changed table again and again, so it needs some rest.
    program.hold_definitions(true);
    running.hear("the stream", |line| line["phase"] == "stream");
    program.hold_definitions(false);
    let begun = Instant::now();
    let running = kill_and_go_on(&wherry, running, &mut random, plan.kills).await;
    match plan.length {
        Length::Definitions(count) => go_on(&mut program, &source, count).await,
        Length::Time(time) => {
            while begun.elapsed() < time {
                go_on(&mut program, &source, 10).await;
            }
        }
    }
    let (kinds, rows) = (program.kinds(), program.rows());
    let definitions = program.definitions();
    program.stop().await.expect("writers end");
    let reloads = settle(&wherry, running, &source, &target).await;
    let compared = compare_named(&url, &target.url("root"), &REMODEL_DATABASES, &naming)
        .await
        .expect("comparison");
    compared.assert_equal();
    let done = kinds.values().filter(|[done, _]| *done > 0).count();
    let names = if plan.mapped { "other" } else { "same" };
    format!(
        "{names} names, {definitions} definition changes of {done} kinds, {rows} statements on rows, {} tables, {} rows, {} kills, {reloads} loads anew\n{kinds:?}",
        compared.tables, compared.rows, plan.kills
    )
}

async fn travel(flavour: Flavour) {
    let what = format!("random definitions from {flavour:?}");
    // The short form tells whether a change broke something; what nobody knows yet is for the long
    // one to find. From 5.6 it goes under other names.
    let short = match flavour {
        Flavour::MySql97 => 40,
        Flavour::MySql56 => 42,
        Flavour::MariaDb => 44,
    };
    seeds::each(&what, short, |seed, time| {
        remodel(Plan {
            flavour,
            seed,
            length: time.map_or(Length::Definitions(60), Length::Time),
            kills: time.map_or(1, |_| seed % 4),
            mapped: seed.is_multiple_of(3),
        })
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_random_program_of_definitions_arrives_from_97() {
    travel(Flavour::MySql97).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_random_program_of_definitions_arrives_from_56() {
    travel(Flavour::MySql56).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_random_program_of_definitions_arrives_from_mariadb() {
    travel(Flavour::MariaDb).await;
}
