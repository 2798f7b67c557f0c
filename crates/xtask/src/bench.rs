//! `make bench`: the load against `mysqldump | mysql`, and a stream backlog against a native replica, in one run.
//!
//! Each contender works alone, on the same source and on servers with the same options; afterwards both targets
//! must be equal to the source, or there is no table.

use std::path::Path;
use std::process::Stdio;
use std::time::{Duration, Instant};

use wherry_testkit::{Flavour, Server, ServerOptions, Shop, Workload, WorkloadOptions, compare};

use crate::commands;
use crate::demo::grouped;
use crate::migration::{self, Migration, Outcome, failed};

const PAGE: &str = "docs/performance.md";
const TABLE_BEGIN: &str = "<!-- bench: begin -->";
const TABLE_END: &str = "<!-- bench: end -->";
/// A backlog that takes this long to apply hangs.
const APPLY_TIME_MAX: Duration = Duration::from_secs(3600);
const POLL: Duration = Duration::from_millis(20);

pub struct BenchOptions {
    pub rows: u64,
    pub transactions: u64,
}

pub fn bench(options: &BenchOptions) -> Result<(), String> {
    println!("bench: building wherry");
    let program = migration::build()?;
    let figures = migration::block_on(measure(&program, options))?;
    let table = figures.table(options);
    println!("\n{table}");
    write_page(&table)
}

struct Figures {
    version: String,
    dump_seconds: f64,
    load_seconds: f64,
    load_peak_mib: u64,
    replica_seconds: f64,
    stream_seconds: f64,
    stream_peak_mib: u64,
    compared_rows: u64,
}

/// The three servers: both contenders move the source's shop, each to its own.
struct Servers {
    source: Server,
    target: Server,
    replica: Server,
}

async fn measure(program: &Path, options: &BenchOptions) -> Outcome<Figures> {
    let server_options = || ServerOptions {
        gtid: true,
        buffer_pool_mib: 512,
        ..ServerOptions::default()
    };
    let start = async || {
        Server::start(Flavour::MySql97, server_options())
            .await
            .map_err(failed("start a server"))
    };
    let servers = Servers {
        source: start().await?,
        target: start().await?,
        replica: start().await?,
    };
    let source = &servers.source;
    println!(
        "bench: filling the source with about {} rows",
        grouped(options.rows)
    );
    // Otherwise mysqldump's copy would not be equal.
    let shop = Shop {
        short_floats: true,
        ..Shop::new(Flavour::MySql97, options.rows)
    };
    shop.create(&source.url("root"))
        .await
        .map_err(failed("fill the source"))?;
    // Reads every page once, so that the first contender does not warm the cache for the second.
    compare(&source.url("root"), &source.url("root"), &["shop"])
        .await
        .map_err(failed("read the source"))?;

    println!("bench: mysqldump | mysql");
    let dump_seconds = dump(source, &servers.replica)?;
    println!("bench: {dump_seconds:.1} s; now wherry load");
    let migration = Migration::new(program, source, &servers.target, "shop", "")?;
    let load = migration.finish(&["load"], false).await?;
    println!(
        "bench: {:.1} s; now a backlog of {} transactions",
        load.seconds,
        grouped(options.transactions)
    );
    reach_stream(&migration, source, &servers.target).await?;
    follow(source, &servers.replica).await?;
    backlog(source, shop, options.transactions).await?;
    let mark = set_mark(source, 2).await?;
    let replica_seconds = replica_applies(&servers.replica, &mark).await?;
    println!("bench: the native replica took {replica_seconds:.1} s; now wherry");
    let (stream_seconds, stream_peak_mib) =
        wherry_applies(&migration, &servers.target, &mark).await?;
    println!("bench: {stream_seconds:.1} s; comparing");
    let compared_rows = compare_all(&servers).await?;
    let version = source
        .value("SELECT VERSION()")
        .await
        .map_err(failed("ask for a version"))?
        .unwrap_or_default();
    Ok(Figures {
        version,
        dump_seconds,
        load_seconds: load.seconds,
        load_peak_mib: load.peak_mib,
        replica_seconds,
        stream_seconds,
        stream_peak_mib,
        compared_rows,
    })
}

async fn replica_applies(replica: &Server, mark: &str) -> Outcome<f64> {
    let begun = Instant::now();
    replica
        .sql("START REPLICA")
        .await
        .map_err(failed("start the replica"))?;
    wait_for_mark(replica, mark).await?;
    let seconds = begun.elapsed().as_secs_f64();
    replica
        .sql("STOP REPLICA")
        .await
        .map_err(failed("stop the replica"))?;
    Ok(seconds)
}

/// Seconds from the program's start, and its peak memory.
async fn wherry_applies(migration: &Migration, target: &Server, mark: &str) -> Outcome<(f64, u64)> {
    let begun = Instant::now();
    let running = migration.start(&["run"], false)?;
    wait_for_mark(target, mark).await?;
    let seconds = begun.elapsed().as_secs_f64();
    Ok((seconds, running.interrupt().await?.peak_mib))
}

/// Rows compared; an error when either contender's server differs from the source.
async fn compare_all(servers: &Servers) -> Outcome<u64> {
    let source = servers.source.url("root");
    let mut rows = 0;
    for (name, server) in [
        ("wherry's target", &servers.target),
        ("the native replica", &servers.replica),
    ] {
        let comparison = compare(&source, &server.url("root"), &["shop"])
            .await
            .map_err(failed("compare"))?;
        if let Some(difference) = comparison.differences.first() {
            return Err(format!(
                "{name} is not equal to the source, so there are no figures: {difference}"
            ));
        }
        rows = comparison.rows;
    }
    Ok(rows)
}

/// Copies the shop with MySQL's own tools; the target learns the GTIDs, so it can become a replica.
fn dump(source: &Server, target: &Server) -> Outcome<f64> {
    let begun = Instant::now();
    let mut from = source.client("mysqldump");
    from.args([
        "--single-transaction",
        "--set-gtid-purged=ON",
        "--hex-blob",
        "--databases",
        "shop",
    ])
    .stdout(Stdio::piped())
    .stderr(Stdio::null());
    let mut dumping = from.spawn().map_err(failed("start mysqldump"))?;
    let output = dumping.stdout.take().ok_or("mysqldump has no output")?;
    let mut into = target.client("mysql");
    let loaded = into.stdin(output).status().map_err(failed("start mysql"))?;
    let dumped = dumping.wait().map_err(failed("wait for mysqldump"))?;
    if loaded.success() && dumped.success() {
        Ok(begun.elapsed().as_secs_f64())
    } else {
        Err(format!("mysqldump: {dumped}, mysql: {loaded}"))
    }
}

/// Runs wherry until it streams, and stops it at a checkpoint.
async fn reach_stream(migration: &Migration, source: &Server, target: &Server) -> Outcome<()> {
    let mark = set_mark(source, 1).await?;
    let running = migration.start(&["run"], false)?;
    wait_for_mark(target, &mark).await?;
    running.interrupt().await.map(|_| ())
}

async fn follow(source: &Server, replica: &Server) -> Outcome<()> {
    let statement = format!(
        "CHANGE REPLICATION SOURCE TO SOURCE_HOST = '127.0.0.1', SOURCE_PORT = {}, SOURCE_USER = 'mover', SOURCE_PASSWORD = 'mover', \
         SOURCE_AUTO_POSITION = 1, GET_SOURCE_PUBLIC_KEY = 1",
        source.port()
    );
    replica
        .sql(&statement)
        .await
        .map_err(failed("make a replica"))
}

async fn backlog(source: &Server, shop: Shop, transactions: u64) -> Outcome<()> {
    let workload_options = WorkloadOptions {
        writers: 8,
        transactions_per_second_max: None,
        seed: 1,
        ..WorkloadOptions::new(shop)
    };
    let workload = Workload::start(&source.url("root"), workload_options)
        .await
        .map_err(failed("start the writers"))?;
    while workload.counters().committed < transactions {
        workload
            .wait_for(1)
            .await
            .map_err(failed("write to the source"))?;
    }
    workload
        .stop()
        .await
        .map(|_| ())
        .map_err(failed("stop the writers"))
}

/// Writes a row after everything else; where it is seen, everything before it is there.
async fn set_mark(source: &Server, number: u32) -> Outcome<String> {
    let insert = format!("INSERT INTO shop.audit_log VALUES (-1, {number}, 'mark', NOW(6))");
    source.sql(&insert).await.map_err(failed("write a mark"))?;
    Ok(format!(
        "SELECT COUNT(*) FROM shop.audit_log WHERE writer = -1 AND sequence = {number}"
    ))
}

async fn wait_for_mark(server: &Server, query: &str) -> Outcome<()> {
    let begun = Instant::now();
    // While a table is made anew, the question itself may fail.
    while server.value(query).await.ok().flatten().as_deref() != Some("1") {
        if begun.elapsed() > APPLY_TIME_MAX {
            return Err("a backlog was not applied within an hour".to_owned());
        }
        tokio::time::sleep(POLL).await;
    }
    Ok(())
}

impl Figures {
    fn table(&self, options: &BenchOptions) -> String {
        let row = |what: &str, native: &str, theirs: f64, ours: f64, peak: u64| {
            format!(
                "| {what} | {native} | {theirs:.1} s | {ours:.1} s | {:.2} | {peak} MiB |",
                ours / theirs
            )
        };
        let cores = std::thread::available_parallelism().map_or(0, std::num::NonZero::get);
        [
            format!("MySQL {}, {cores} cores, all servers and programs on one machine, commits not synced to disk;", self.version),
            format!(
                "the shop's database, {} rows compared after the run and equal on all three servers. Ratio: Wherry's seconds by MySQL's.",
                grouped(self.compared_rows)
            ),
            String::new(),
            "| What | Against | MySQL | Wherry | Ratio | Wherry's peak memory |".to_owned(),
            "|---|---|---:|---:|---:|---:|".to_owned(),
            row(&format!("load of about {} rows", grouped(options.rows)), "`mysqldump \\| mysql`", self.dump_seconds, self.load_seconds, self.load_peak_mib),
            row(
                &format!("backlog of {} transactions", grouped(options.transactions)),
                "native replica, default settings",
                self.replica_seconds,
                self.stream_seconds,
                self.stream_peak_mib,
            ),
        ]
        .join("\n")
    }
}

/// Puts the table between the page's two marks; the text around them is people's.
fn write_page(table: &str) -> Result<(), String> {
    let path = commands::root().join(PAGE);
    let empty = format!(
        "# Performance\n\nFigures of `make bench`, with the machine they were measured on.\n\n{TABLE_BEGIN}\n{TABLE_END}\n"
    );
    let page = std::fs::read_to_string(&path).unwrap_or(empty);
    let (before, rest) = page
        .split_once(TABLE_BEGIN)
        .ok_or(format!("{PAGE} has lost its mark `{TABLE_BEGIN}`"))?;
    let (_, after) = rest
        .split_once(TABLE_END)
        .ok_or(format!("{PAGE} has lost its mark `{TABLE_END}`"))?;
    let folder = path.parent().ok_or("no docs folder")?;
    std::fs::create_dir_all(folder).map_err(failed("make the docs folder"))?;
    std::fs::write(
        &path,
        format!("{before}{TABLE_BEGIN}\n{table}\n{TABLE_END}{after}"),
    )
    .map_err(failed("write the page"))?;
    println!("written to {PAGE}");
    Ok(())
}
