//! `wherry errors`: the pages of `docs/errors`, built into the program.

use crate::output::Output;
use serde_json::json;
use wherry_model::Fault;

const PAGES: &[&str] = include!(concat!(env!("OUT_DIR"), "/error_pages.rs"));

/// One row of a page.
#[derive(Debug, PartialEq, Eq)]
struct Entry {
    code: String,
    what: String,
    action: String,
}

/// Prints one code, or all of them.
pub fn explain(code: Option<&str>, output: Output) -> Result<(), Fault> {
    let entries: Vec<Entry> = PAGES.iter().flat_map(|page| rows(page)).collect();
    let wanted = code.map(|code| code.trim().to_ascii_uppercase());
    let mut found = false;
    for entry in &entries {
        if wanted.as_ref().is_some_and(|wanted| *wanted != entry.code) {
            continue;
        }
        found = true;
        let text = match wanted {
            Some(_) => format!("{}: {}\n  next: {}", entry.code, entry.what, entry.action),
            None => format!("{:<9} {}", entry.code, entry.what),
        };
        let value = json!({
            "type": "error-code", "code": entry.code, "what": entry.what, "action": entry.action,
        });
        output.result(&text, &value);
    }
    if found {
        return Ok(());
    }
    Err(Fault::input(
        "CLI-040",
        format!("there is no error code `{}`", code.unwrap_or("")),
    )
    .hint("Run `wherry errors` without a code to list all of them."))
}

/// The rows of every table in a page whose first cell is a code.
fn rows(page: &str) -> Vec<Entry> {
    page.lines().filter_map(row).collect()
}

fn row(line: &str) -> Option<Entry> {
    let inner = line.trim().strip_prefix('|')?.strip_suffix('|')?;
    // A bar inside a cell is written `\|`.
    let marked = inner.replace("\\|", "\u{0}");
    let cells: Vec<String> = marked
        .split('|')
        .map(|cell| cell.trim().replace('\u{0}', "|"))
        .collect();
    let [code, what, action] = cells.as_slice() else {
        return None;
    };
    let code = code.trim_matches('`');
    let (area, number) = code.split_once('-')?;
    let is_code = !area.is_empty()
        && area.chars().all(|c| c.is_ascii_uppercase())
        && !number.is_empty()
        && number.chars().all(|c| c.is_ascii_digit());
    is_code.then(|| Entry {
        code: code.to_owned(),
        what: what.clone(),
        action: action.clone(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    #[test]
    fn rows_are_found_among_other_lines() {
        let page = "# Title\n\n| code | what | do |\n|---|---|---|\n| `A-1` | x \\| y | Z. |\n";
        assert_eq!(
            rows(page),
            [Entry {
                code: "A-1".to_owned(),
                what: "x | y".to_owned(),
                action: "Z.".to_owned()
            }]
        );
    }

    #[test]
    fn every_code_stands_there_once() {
        let mut seen = BTreeSet::new();
        for entry in PAGES.iter().flat_map(|page| rows(page)) {
            assert!(
                seen.insert(entry.code.clone()),
                "{} stands there twice",
                entry.code
            );
        }
        assert!(seen.contains("CLI-001"));
    }
}
