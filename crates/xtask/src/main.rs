//! Developer commands behind `make`: checks, tests, servers, the demo and the benchmark.
//!
//! Nothing here is shipped. The binary `wherry` is run from outside, as a user would.
#![allow(
    clippy::print_stdout,
    reason = "a command line program talks on standard output"
)]

mod commands;
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
}

fn main() -> ExitCode {
    let done = match Arguments::parse().command {
        Command::Check => commands::check(),
        Command::Tidy => commands::tidy(),
        Command::Unit => commands::unit(),
        Command::Test => commands::test(),
        Command::Servers => commands::servers(),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(message) => {
            eprintln!("error: {message}");
            ExitCode::FAILURE
        }
    }
}
