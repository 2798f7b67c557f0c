//! Tests that a page names as a proof exist.

use super::SourceFile;
use std::collections::HashSet;

/// The page whose proofs are tests.
const PAGE: &str = "docs/failure-modes.md";

pub fn findings(sources: &[SourceFile]) -> Vec<String> {
    let functions: HashSet<&str> = sources
        .iter()
        .filter(|source| source.path.ends_with(".rs"))
        .flat_map(|source| source.text.split("fn ").skip(1))
        .map(first_word)
        .collect();
    let page = sources.iter().find(|source| source.path == PAGE);
    page.into_iter()
        .flat_map(|page| page.text.split('`').skip(1).step_by(2))
        .filter(|code| code.contains("::"))
        .filter(|code| !functions.contains(code.rsplit("::").next().unwrap_or_default()))
        .map(|code| format!("{PAGE}: names the test `{code}`, which does not exist"))
        .collect()
}

fn first_word(text: &str) -> &str {
    let is_part = |c: char| c.is_ascii_alphanumeric() || c == '_';
    text.split(|c| !is_part(c)).next().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::super::file;
    use super::*;

    #[test]
    fn a_proof_that_is_gone_is_found() {
        let page = file(PAGE, "| 1 | `NULL` | `binlog::one` and `binlog::two` |");
        let source = file("crates/a/src/lib.rs", "async fn one() {}");
        assert_eq!(
            findings(&[page, source]),
            ["docs/failure-modes.md: names the test `binlog::two`, which does not exist"]
        );
    }
}
