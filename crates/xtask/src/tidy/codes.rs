//! Error codes: each has one meaning, so it is written in one module and documented in one row.

use std::collections::{BTreeMap, BTreeSet};

use super::SourceFile;

/// Crates whose errors reach a user.
const SHIPPED: [&str; 5] = [
    "crates/model/src/",
    "crates/etl/src/",
    "crates/engine/src/",
    "crates/mysql/src/",
    "crates/cli/src/",
];
const DOCUMENTS: &str = "docs/errors/";
const AREAS: &[&str] = &[
    "CONN", "SRC", "BIN", "DDL", "TGT", "RUN", "LOAD", "STR", "VER", "CUT", "NAM", "OBJ", "LAN",
    "CLI", "TASK", "ETL", "TRF", "MRG", "FLT", "SEL", "PLN", "DTS", "ADD",
];

pub fn findings(sources: &[SourceFile]) -> Vec<String> {
    let used = used_codes(sources);
    let documented = documented_codes(sources);
    let mut findings = Vec::new();
    for (code, files) in &used {
        let modules: BTreeSet<&str> = files.iter().map(|path| module_of(path)).collect();
        if modules.len() > 1 {
            let names: Vec<&str> = files.iter().map(String::as_str).collect();
            findings.push(format!(
                "{code}: written in several modules ({}); a code has one meaning and one place",
                names.join(", ")
            ));
        }
        match documented.get(code).copied().unwrap_or(0) {
            1 => {}
            0 => findings.push(format!("{code}: has no row in {DOCUMENTS}*.md")),
            count => findings.push(format!("{code}: has {count} rows in {DOCUMENTS}*.md")),
        }
        if !AREAS
            .iter()
            .any(|area| code.split('-').next() == Some(area))
        {
            findings.push(format!(
                "{code}: its area is not one of {}",
                AREAS.join(", ")
            ));
        }
    }
    let unused = documented.keys().filter(|code| !used.contains_key(*code));
    findings.extend(unused.map(|code| format!("{code}: documented, and raised nowhere")));
    findings
}

/// The crate's top module that a file belongs to; inside it one file may name what another raises.
fn module_of(path: &str) -> &str {
    let inside = path.find("/src/").map_or(0, |at| at + "/src/".len());
    let end = path[inside..]
        .find(['/', '.'])
        .map_or(path.len(), |at| inside + at);
    &path[..end]
}

/// Codes in string literals of shipped code, without tests, with the files that write them.
fn used_codes(sources: &[SourceFile]) -> BTreeMap<String, BTreeSet<String>> {
    let mut used: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    let shipped = sources.iter().filter(|source| {
        source.path.ends_with(".rs") && SHIPPED.iter().any(|folder| source.path.starts_with(folder))
    });
    for source in shipped
        .filter(|source| !source.path.ends_with("tests.rs") && !source.path.contains("/tests/"))
    {
        let code_part = source.text.split("#[cfg(test)]\nmod ").next().unwrap_or("");
        for line in code_part
            .lines()
            .filter(|line| !line.trim_start().starts_with("//"))
        {
            for piece in line
                .split('"')
                .skip(1)
                .step_by(2)
                .filter(|piece| is_code(piece))
            {
                used.entry(piece.to_owned())
                    .or_default()
                    .insert(source.path.clone());
            }
        }
    }
    used
}

/// Codes in the first cell of table rows, with their count.
fn documented_codes(sources: &[SourceFile]) -> BTreeMap<String, usize> {
    let mut documented = BTreeMap::new();
    for source in sources
        .iter()
        .filter(|source| source.path.starts_with(DOCUMENTS) && source.path.ends_with(".md"))
    {
        for line in source.text.lines() {
            let first_cell = line
                .trim()
                .strip_prefix('|')
                .and_then(|rest| rest.split('|').next());
            let code = first_cell
                .map(|cell| cell.trim().trim_matches(['`', '*']))
                .filter(|cell| is_code(cell));
            if let Some(code) = code {
                *documented.entry(code.to_owned()).or_insert(0) += 1;
            }
        }
    }
    documented
}

/// Three or four capitals, a dash, three digits.
fn is_code(text: &str) -> bool {
    let Some((area, number)) = text.split_once('-') else {
        return false;
    };
    (3..=4).contains(&area.len())
        && area.bytes().all(|byte| byte.is_ascii_uppercase())
        && number.len() == 3
        && number.bytes().all(|byte| byte.is_ascii_digit())
}

#[cfg(test)]
mod tests {
    use super::super::file;
    use super::*;

    #[test]
    fn a_code_in_one_file_with_one_row_is_fine_and_tests_do_not_count() {
        let sources = [
            file(
                "crates/engine/src/a.rs",
                "let x = fault(\"LOAD-001\", \"text\");\n// \"LOAD-009\"\n#[cfg(test)]\nmod tests { \"LOAD-002\" }",
            ),
            file(
                "docs/errors/load.md",
                "| Code | What |\n|---|---|\n| `LOAD-001` | it |\n",
            ),
        ];
        assert_eq!(findings(&sources), Vec::<String>::new());
    }

    #[test]
    fn doubled_undocumented_unused_and_foreign_codes_are_found() {
        let sources = [
            file("crates/engine/src/a.rs", "(\"LOAD-001\", \"XYZ-001\")"),
            file("crates/cli/src/b.rs", "\"LOAD-001\""),
            file(
                "docs/errors/load.md",
                "| XYZ-001 | a |\n| XYZ-001 | b |\n| LOAD-777 | c |\n",
            ),
        ];
        let found = findings(&sources).join("\n");
        for part in [
            "LOAD-001: written in several",
            "LOAD-001: has no row",
            "XYZ-001: has 2 rows",
            "XYZ-001: its area",
            "LOAD-777: documented",
        ] {
            assert!(found.contains(part), "{part} not in {found}");
        }
    }
}
