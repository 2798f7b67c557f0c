//! The rules of the source tree that no compiler checks.
//!
//! Each rule is a pure function from file texts to findings; this module reads the tree and calls them.

mod arrows;
mod codes;
mod files;
mod licences;
mod links;
mod proofs;

use std::fs;
use std::path::Path;
use std::process::Command;

use serde_json::Value;

/// One text file of the repository; `path` is relative to its root, with `/`.
pub struct SourceFile {
    pub path: String,
    pub text: String,
}

/// Everything the rules have to say about the tree under `root`; empty is good.
pub fn findings(root: &Path) -> Result<Vec<String>, String> {
    let sources = source_files(root)?;
    let metadata = metadata(root)?;
    let mut findings = Vec::new();
    findings.extend(files::findings(&sources));
    findings.extend(codes::findings(&sources));
    findings.extend(links::findings(&sources, &|path| root.join(path).exists()));
    findings.extend(proofs::findings(&sources));
    findings.extend(arrows::findings(&metadata));
    findings.extend(licences::findings(&metadata));
    findings.sort();
    Ok(findings)
}

/// Tracked and new files, without ignored and deleted ones, and without those that are no text.
fn source_files(root: &Path) -> Result<Vec<SourceFile>, String> {
    let mut command = Command::new("git");
    command.current_dir(root).args([
        "ls-files",
        "-z",
        "--cached",
        "--others",
        "--exclude-standard",
    ]);
    let output = command
        .output()
        .map_err(|error| format!("could not run git: {error}"))?;
    if !output.status.success() {
        return Err("git ls-files failed; tidy needs a git checkout".to_owned());
    }
    let names = String::from_utf8_lossy(&output.stdout).into_owned();
    let read = |path: &str| {
        fs::read_to_string(root.join(path))
            .ok()
            .map(|text| SourceFile {
                path: path.to_owned(),
                text,
            })
    };
    Ok(names
        .split('\0')
        .filter(|path| !path.is_empty())
        .filter_map(read)
        .collect())
}

fn metadata(root: &Path) -> Result<Value, String> {
    let mut command = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    command.current_dir(root).args([
        "metadata",
        "--format-version",
        "1",
        "--filter-platform",
        "x86_64-unknown-linux-gnu",
    ]);
    let output = command
        .output()
        .map_err(|error| format!("could not run cargo metadata: {error}"))?;
    if !output.status.success() {
        return Err(format!(
            "cargo metadata failed: {}",
            String::from_utf8_lossy(&output.stderr)
        ));
    }
    serde_json::from_slice(&output.stdout)
        .map_err(|error| format!("cargo metadata printed no JSON: {error}"))
}

/// A file for the rules' own tests.
#[cfg(test)]
fn file(path: &str, text: &str) -> SourceFile {
    SourceFile {
        path: path.to_owned(),
        text: text.to_owned(),
    }
}
