//! Developer commands behind `make`: checks, tests, servers, the demo and the benchmark.
//!
//! Nothing here is shipped. The binary `wherry` is run from outside, as a user would.
#![allow(
    clippy::print_stdout,
    reason = "a command line program talks on standard output"
)]

mod bench;
mod commands;
mod demo;
mod migration;
mod soak;
mod tidy;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

#[derive(Parser)]
#[command(about = "Developer commands of Wherry; see the Makefile for the usual way in")]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Formatting, lints and tidy.
    Check,
    /// The rules of the source tree that no compiler checks.
    Tidy,
    /// Tests that need no server.
    Unit,
    /// `check`, then every test on real servers.
    Test,
    /// Fetches the three test servers into the cache folder.
    Servers,
    /// Moves a live database between two servers and tells what happened.
    Demo {
        /// Leave the servers up afterwards and print how to connect.
        #[arg(long)]
        keep: bool,
        /// Rows at the beginning; about 300,000 unless given.
        #[arg(long)]
        rows: Option<u64>,
    },
    /// Load and stream against MySQL's own tools; writes the table in docs/performance.md.
    Bench {
        #[arg(long, default_value_t = 600_000)]
        rows: u64,
        #[arg(long, default_value_t = 40_000)]
        transactions: u64,
    },
    /// The long runs.
    Soak {
        /// Leave out the long forms of tests.
        #[arg(long)]
        memory_only: bool,
        #[arg(long, default_value_t = 2048)]
        table_mib: u64,
    },
}

fn main() -> ExitCode {
    let done = match Arguments::parse().command {
        Command::Check => commands::check(),
        Command::Tidy => commands::tidy(),
        Command::Unit => commands::unit(),
        Command::Test => commands::test(),
        Command::Servers => commands::servers(),
        Command::Demo { keep, rows } => demo::demo(&demo::DemoOptions { keep, rows }),
        Command::Bench { rows, transactions } => {
            bench::bench(&bench::BenchOptions { rows, transactions })
        }
        Command::Soak {
            memory_only,
            table_mib,
        } => soak::soak(&soak::SoakOptions {
            memory_only,
            table_mib,
        }),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(message) => {
            eprintln!("error: {message}");
            ExitCode::FAILURE
        }
    }
}
