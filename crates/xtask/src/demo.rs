//! `make demo`: a whole migration of a live shop between two real servers, told in plain words.

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use wherry_testkit::{
    AuditReport, Comparison, Flavour, Oracle, Server, ServerOptions, Shop, Workload,
    WorkloadOptions,
};

use crate::migration::{self, Migration, Outcome, Running, failed};

const ROWS: u64 = 300_000;
const WRITERS: u32 = 6;
const TRANSACTIONS_PER_SECOND_MAX: u32 = 500;
/// How long the writers go on in the new database before the demo ends.
const AFTERWARDS: Duration = Duration::from_secs(3);
/// The migration moves a few hundred thousand rows; whatever takes this long hangs.
const MIGRATION_TIME_MAX: Duration = Duration::from_secs(1800);

pub struct DemoOptions {
    /// Leaves the servers up and says how to connect.
    pub keep: bool,
    pub rows: Option<u64>,
}

/// Fails only when wherry fails or the databases differ.
pub fn demo(options: &DemoOptions) -> Result<(), String> {
    step("Building wherry (the first time takes some minutes)");
    let program = migration::build()?;
    migration::block_on(run(&program, options))
}

/// What the summary tells.
struct Story {
    migration_seconds: f64,
    held: Held,
    committed_in_all: u64,
    /// From the request to rest to the moment when writers were let into the new database.
    quiet: Duration,
    comparison: Comparison,
    audit: AuditReport,
    peak_mib: u64,
    seed: u64,
}

async fn run(program: &Path, options: &DemoOptions) -> Outcome<()> {
    step(
        "Starting two MySQL 9.7 servers on this machine (fetched once, then kept in a cache folder).\n    For speed they do not sync commits to disk; wherry will warn of that",
    );
    let server_options = || ServerOptions {
        gtid: true,
        buffer_pool_mib: 256,
        ..ServerOptions::default()
    };
    let source = Server::start(Flavour::MySql97, server_options())
        .await
        .map_err(failed("start the source"))?;
    let target = Server::start(Flavour::MySql97, server_options())
        .await
        .map_err(failed("start the target"))?;
    println!(
        "    source on port {}, target on port {}",
        source.port(),
        target.port()
    );

    let rows = options.rows.unwrap_or(ROWS);
    step(&format!(
        "Filling a shop's database in the source: 12 tables, about {} rows",
        grouped(rows)
    ));
    let shop = Shop::new(Flavour::MySql97, rows);
    shop.create(&source.url("root"))
        .await
        .map_err(failed("fill the source"))?;
    let story = migrate(program, &source, &target, &shop).await?;
    tell(&story);
    if options.keep {
        keep(source, target)?;
    }
    match story.comparison.is_equal() && story.audit.is_exact() {
        true => Ok(()),
        false => Err("source and target are NOT equal; the differences are above".to_owned()),
    }
}

async fn migrate(program: &Path, source: &Server, target: &Server, shop: &Shop) -> Outcome<Story> {
    step(&format!(
        "Letting {WRITERS} writers loose on the source; they will not stop while the database moves"
    ));
    let options = WorkloadOptions {
        writers: WRITERS,
        transactions_per_second_max: Some(TRANSACTIONS_PER_SECOND_MAX),
        ..WorkloadOptions::new(shop.clone())
    };
    let mut workload = Workload::start(&source.url("root"), options)
        .await
        .map_err(failed("start the writers"))?;
    workload
        .wait_for(100)
        .await
        .map_err(failed("write to the source"))?;
    println!("    seed of the writers: {}", workload.seed());
    let flags = Flags::new()?;
    let cutover = format!(
        "cutover: {{stop_writes: {{command: \"{}\"}}}}",
        flags.command()
    );
    let migration = Migration::new(program, source, target, "shop", &cutover)?;

    step("Running `wherry run task.yaml --cutover`: check, copy, follow, compare, switch over");
    let begun = Instant::now();
    let mut running = migration.start(&["run", "--cutover"], true)?;
    let held = hold_when_asked(&mut workload, &mut running, &flags).await?;
    let finished = running.wait().await?;
    let migration_seconds = begun.elapsed().as_secs_f64();
    if finished.code != 0 {
        return Err(format!(
            "wherry ended with code {}; what it said is above",
            finished.code
        ));
    }
    let held = held.ok_or("wherry ended well without having asked for the writers to stop")?;
    // Both snapshots are taken before the first writer comes to the target, so comparing them needs no quiet.
    let oracle = Oracle::open(&source.url("root"), &target.url("root"))
        .await
        .map_err(failed("open the comparison"))?;
    workload.go_on(&target.url("root"));
    let quiet = held.at.elapsed();

    step(
        "The writers now use the new database. Comparing both, row for row, by means that share nothing with wherry",
    );
    let comparison = oracle.compare(&["shop"]).await.map_err(failed("compare"))?;
    tokio::time::sleep(AFTERWARDS).await;
    let seed = workload.seed();
    let report = workload.stop().await.map_err(failed("stop the writers"))?;
    let audit = report
        .audit(&target.url("root"), "shop")
        .await
        .map_err(failed("count the audit log"))?;
    Ok(Story {
        migration_seconds,
        held,
        committed_in_all: report.counters.committed,
        quiet,
        comparison,
        audit,
        peak_mib: finished.peak_mib,
        seed,
    })
}

/// Two files through which the command in the task file talks with the writers of this process.
struct Flags {
    folder: tempfile::TempDir,
}

impl Flags {
    fn new() -> Outcome<Flags> {
        Ok(Flags {
            folder: tempfile::tempdir().map_err(failed("make a folder"))?,
        })
    }

    fn wanted(&self) -> PathBuf {
        self.folder.path().join("stop-writes")
    }

    fn stopped(&self) -> PathBuf {
        self.folder.path().join("writes-stopped")
    }

    /// Returns when no writer writes any more.
    fn command(&self) -> String {
        format!(
            "touch '{}'; while [ ! -e '{}' ]; do sleep 0.02; done",
            self.wanted().display(),
            self.stopped().display()
        )
    }
}

/// The moment when the writers were asked to rest.
struct Held {
    at: Instant,
    /// Transactions committed while wherry ran, and for how long that was.
    committed: u64,
    seconds: f64,
}

/// Waits until wherry asks for quiet, lets the writers rest, and says so. None when wherry ends first.
async fn hold_when_asked(
    workload: &mut Workload,
    running: &mut Running,
    flags: &Flags,
) -> Outcome<Option<Held>> {
    let (begun, at_first) = (Instant::now(), workload.counters().committed);
    while !flags.wanted().exists() {
        if running.ended() {
            return Ok(None);
        }
        if begun.elapsed() > MIGRATION_TIME_MAX {
            return Err("wherry did not get to the cutover in half an hour".to_owned());
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    let held = Held {
        at: Instant::now(),
        committed: workload.counters().committed - at_first,
        seconds: begun.elapsed().as_secs_f64(),
    };
    workload.hold().await.map_err(failed("hold the writers"))?;
    std::fs::write(flags.stopped(), "").map_err(failed("write a flag file"))?;
    Ok(Some(held))
}

fn tell(story: &Story) {
    let (moved, held) = (&story.comparison, &story.held);
    println!();
    for difference in &moved.differences {
        println!("    DIFFERENT {difference}");
    }
    let equal = moved.is_equal() && story.audit.is_exact();
    let line = |what: &str, value: String| println!("    {what:34} {value}");
    println!("  What happened");
    line(
        "the migration took",
        format!("{:.1} s", story.migration_seconds),
    );
    line(
        "written to the source meanwhile",
        format!(
            "{} transactions, {:.0} a second",
            grouped(held.committed),
            held.committed as f64 / held.seconds
        ),
    );
    line(
        "nobody could write for",
        format!("{:.1} s, at the switch", story.quiet.as_secs_f64()),
    );
    line(
        "compared afterwards",
        format!("{} rows in {} tables", grouped(moved.rows), moved.tables),
    );
    line(
        "source and target are",
        if equal {
            "EQUAL: every row, every byte"
        } else {
            "NOT EQUAL"
        }
        .to_owned(),
    );
    line("rows appended to a keyless log", story.audit.to_string());
    line(
        "transactions in all",
        format!(
            "{}, the last ones in the new database",
            grouped(story.committed_in_all)
        ),
    );
    line(
        "most memory that wherry used",
        format!("{} MiB", story.peak_mib),
    );
    if !equal {
        line("seed of the writers", story.seed.to_string());
    }
    println!();
}

fn keep(source: Server, target: Server) -> Outcome<()> {
    println!("  The servers stay up (root has no password, mover has the password `mover`):");
    for (name, server) in [("source", source), ("target", target)] {
        let (pid, folder) = (server.pid(), server.folder().to_path_buf());
        let client = format!("exec {:?} \"$@\"\n", server.client("mysql"));
        let script = folder.join("mysql");
        std::fs::write(&script, client).map_err(failed("write a script"))?;
        println!("    {name}: {}", server.url("root"));
        println!("      look:  sh {} shop", script.display());
        println!("      stop:  kill {pid}; rm -rf {}", folder.display());
        server.keep().map_err(failed("leave a server running"))?;
    }
    Ok(())
}

fn step(text: &str) {
    println!("\n==> {text}");
}

/// 1234567 as 1 234 567.
pub fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::new();
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            text.push(' ');
        }
        text.push(digit);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_grouped_by_threes() {
        for (number, expected) in [
            (0, "0"),
            (999, "999"),
            (1000, "1 000"),
            (1_234_567, "1 234 567"),
        ] {
            assert_eq!(grouped(number), expected);
        }
    }
}
