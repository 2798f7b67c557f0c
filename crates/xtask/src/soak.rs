//! `make soak`: the runs that are too long for `make test`.
//!
//! First the long forms of tests (`WHERRY_SOAK` makes them long), then peak memory with a large table and huge rows.

use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

use wherry_testkit::{Flavour, Server, ServerOptions, compare};

use crate::commands;
use crate::migration::{self, Migration, Outcome, Running, failed};

/// What a task may use, by its default configuration.
const PEAK_MIB_MAX: u64 = 512;
const HUGE_ROWS: u32 = 20;
/// Rows in one large transaction, of about 1 KiB each.
const TRANSACTION_ROWS: u64 = 200_000;
const STREAM_TIME_MAX: Duration = Duration::from_secs(1800);

pub struct SoakOptions {
    /// Only the memory part.
    pub memory_only: bool,
    /// Size of the large table, of rows of about 1 KiB.
    pub table_mib: u64,
}

pub fn soak(options: &SoakOptions) -> Result<(), String> {
    if !options.memory_only {
        long_tests()?;
    }
    let program = migration::build()?;
    migration::block_on(memory(&program, options.table_mib << 10))
}

fn long_tests() -> Result<(), String> {
    let mut tests = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    tests
        .args([
            "nextest",
            "run",
            "--workspace",
            "--release",
            "--profile",
            "soak",
            "-E",
            "test(/kill|soak|random_program|share_a_hash/)",
        ])
        .env("WHERRY_SOAK", "1");
    commands::run(&mut tests)
}

/// Moves a large table and rows of 16 MiB, in the load and in the stream, and looks at the peak.
async fn memory(program: &Path, table_rows: u64) -> Outcome<()> {
    let options = || ServerOptions {
        gtid: true,
        buffer_pool_mib: 512,
        ..ServerOptions::default()
    };
    let source = Server::start(Flavour::MySql97, options())
        .await
        .map_err(failed("start the source"))?;
    let target = Server::start(Flavour::MySql97, options())
        .await
        .map_err(failed("start the target"))?;
    println!(
        "soak: filling a table of {} MiB and {HUGE_ROWS} rows of 16 MiB",
        table_rows >> 10
    );
    fill(&source, table_rows).await?;
    let migration = Migration::new(program, &source, &target, "large", "")?;
    let running = migration.start(&["run"], true)?;
    mark(&source, &target, 1).await?;
    println!("soak: loaded; now inserting, updating and deleting huge rows");
    change(&source).await?;
    mark(&source, &target, 2).await?;
    finish(running, &source, &target).await
}

async fn fill(source: &Server, table_rows: u64) -> Outcome<()> {
    let make = "CREATE DATABASE large; USE large; CREATE TABLE marks (id INT PRIMARY KEY); \
                CREATE TABLE huge (id INT PRIMARY KEY, data LONGBLOB); \
                CREATE TABLE many (id BIGINT PRIMARY KEY AUTO_INCREMENT, a VARCHAR(64), data VARBINARY(1000)); \
                INSERT INTO many (a, data) VALUES (UUID(), RANDOM_BYTES(960))";
    source.sql(make).await.map_err(failed("make the tables"))?;
    let mut rows = 1;
    while rows < table_rows {
        let step = rows.min(1 << 16);
        let double = format!(
            "INSERT INTO large.many (a, data) SELECT UUID(), RANDOM_BYTES(960) FROM large.many LIMIT {step}"
        );
        source
            .sql(&double)
            .await
            .map_err(failed("fill the large table"))?;
        rows += step;
    }
    insert_huge(source, 0).await?;
    // What follows is the stream's; replaying the filling as well would only take longer.
    source
        .sql("FLUSH BINARY LOGS")
        .await
        .map_err(failed("rotate the binlog"))
}

async fn insert_huge(source: &Server, first: u32) -> Outcome<()> {
    for id in first..first + HUGE_ROWS {
        let insert =
            format!("INSERT INTO large.huge VALUES ({id}, REPEAT(RANDOM_BYTES(1024), 16384))");
        source
            .sql(&insert)
            .await
            .map_err(failed("insert a huge row"))?;
    }
    Ok(())
}

async fn change(source: &Server) -> Outcome<()> {
    insert_huge(source, 1000).await?;
    let statements = [
        "UPDATE large.huge SET data = CONCAT(data, 'x')".to_owned(),
        format!(
            "DELETE FROM large.huge WHERE id >= {}",
            1000 + HUGE_ROWS / 2
        ),
        "UPDATE large.many SET a = 'changed' WHERE id % 100 = 0".to_owned(),
        format!(
            "INSERT INTO large.many (a, data) SELECT 'new', RANDOM_BYTES(960) FROM large.many LIMIT {TRANSACTION_ROWS}"
        ),
    ];
    for statement in statements {
        source
            .sql(&statement)
            .await
            .map_err(failed("change rows"))?;
    }
    Ok(())
}

/// Waits until a row that is written now has come to the target.
async fn mark(source: &Server, target: &Server, number: u32) -> Outcome<()> {
    source
        .sql(&format!("INSERT INTO large.marks VALUES ({number})"))
        .await
        .map_err(failed("write a mark"))?;
    let begun = Instant::now();
    let query = format!("SELECT COUNT(*) FROM large.marks WHERE id = {number}");
    // Until the schema is there, the question itself fails.
    while target.value(&query).await.ok().flatten().as_deref() != Some("1") {
        if begun.elapsed() > STREAM_TIME_MAX {
            return Err("a mark did not come to the target".to_owned());
        }
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
    Ok(())
}

async fn finish(running: Running, source: &Server, target: &Server) -> Outcome<()> {
    let finished = running.interrupt().await?;
    let comparison = compare(&source.url("root"), &target.url("root"), &["large"])
        .await
        .map_err(failed("compare"))?;
    if let Some(difference) = comparison.differences.first() {
        return Err(format!("source and target differ: {difference}"));
    }
    println!(
        "soak: {} rows are equal, peak memory {} MiB",
        comparison.rows, finished.peak_mib
    );
    match finished.peak_mib <= PEAK_MIB_MAX {
        true => Ok(()),
        false => Err(format!("peak memory is over {PEAK_MIB_MAX} MiB")),
    }
}
