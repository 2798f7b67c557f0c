//! The short commands: each runs a few programs in the workspace's folder and stops at the first that fails.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use wherry_testkit::{Flavour, Percona, Program};

use crate::tidy;

type Outcome = Result<(), String>;

/// The workspace's folder, wherever the command was called.
pub fn root() -> PathBuf {
    let own = Path::new(env!("CARGO_MANIFEST_DIR"));
    own.ancestors().nth(2).unwrap_or(own).to_path_buf()
}

pub fn check() -> Outcome {
    cargo(&["fmt", "--all", "--check"])?;
    cargo(&[
        "clippy",
        "--workspace",
        "--all-targets",
        "--",
        "-D",
        "warnings",
    ])?;
    tidy()
}

pub fn tidy() -> Outcome {
    let findings = tidy::findings(&root())?;
    for finding in &findings {
        eprintln!("tidy: {finding}");
    }
    match findings.len() {
        0 => {
            println!("tidy: nothing to say");
            Ok(())
        }
        count => Err(format!("tidy has {count} findings")),
    }
}

pub fn unit() -> Outcome {
    match has_nextest() {
        true => cargo(&["nextest", "run", "--workspace", "--lib", "--bins"]),
        false => cargo(&["test", "--workspace", "--lib", "--bins"]),
    }
}

pub fn test() -> Outcome {
    check()?;
    servers()?;
    if has_nextest() {
        return cargo(&["nextest", "run", "--workspace"]);
    }
    println!("cargo-nextest is not installed; running the slower `cargo test`");
    cargo(&[
        "test",
        "--workspace",
        "--no-fail-fast",
        "--",
        "--test-threads=2",
    ])
}

/// Fetches what is missing and prints where each server came from.
pub fn servers() -> Outcome {
    for flavour in Flavour::ALL {
        let program = Program::find(flavour).map_err(|failure| failure.to_string())?;
        let version = program.version().map_err(|failure| failure.to_string())?;
        println!(
            "{:8} {version:12} {}",
            flavour.name(),
            program.words.last().map_or("", String::as_str)
        );
    }
    let tool = Percona::find().and_then(|tool| tool.version());
    println!("{}", tool.map_err(|failure| failure.to_string())?);
    Ok(())
}

fn has_nextest() -> bool {
    let mut command = Command::new("cargo");
    command
        .args(["nextest", "--version"])
        .stdout(Stdio::null())
        .stderr(Stdio::null());
    command.status().is_ok_and(|status| status.success())
}

fn cargo(arguments: &[&str]) -> Outcome {
    run(Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into())).args(arguments))
}

/// Runs a program in the workspace's folder with its output shown.
pub fn run(command: &mut Command) -> Outcome {
    let name = format!("{command:?}").replace('"', "");
    let status = command
        .current_dir(root())
        .status()
        .map_err(|error| format!("could not run {name}: {error}"))?;
    if status.success() {
        Ok(())
    } else {
        Err(format!("{name} failed ({status})"))
    }
}
