//! Rules on single files: module headers, sizes, names, dead modules, and words that belong to one machine.

use super::SourceFile;

const LINES_MAX: usize = 800;

/// Files that may be longer than [`LINES_MAX`], with their limit. This list may only shrink.
const LONGER_FILES: [(&str, usize); 0] = [];

/// Shipped files that may use floating point. In the first four and those of `etl` it is the value itself of a FLOAT, a DOUBLE or a JSON
/// number; in the others no value of a row comes by. A value anywhere else would be rounded.
const FLOATING_FILES: [&str; 13] = [
    "crates/mysql/src/binlog/decode.rs",
    "crates/model/src/double.rs",
    "crates/mysql/src/binlog/json.rs",
    "crates/mysql/src/literal.rs",
    "crates/etl/src/number.rs",
    "crates/etl/src/render/bytes.rs",
    "crates/etl/src/value.rs",
    "crates/mysql/src/ddl/rules/normal.rs",
    "crates/mysql/src/session/setup.rs",
    "crates/mysql/src/source/checks.rs",
    "crates/engine/src/progress.rs",
    "crates/cli/src/figures.rs",
    "crates/cli/src/taskfile.rs",
];

const BANNED_MODULES: [&str; 6] = ["utils", "util", "common", "helpers", "types", "misc"];

/// Hosts of package registries and folders of one machine; written in parts so that this file does not match.
const BANNED_TEXTS: [&str; 6] = [
    concat!("registry.", "npmjs"),
    concat!("deb.deb", "ian."),
    concat!("static.cra", "tes."),
    concat!("/ro", "ot/"),
    concat!("/ho", "me/"),
    concat!("/wo", "rk/"),
];

pub fn findings(sources: &[SourceFile]) -> Vec<String> {
    let mut findings = Vec::new();
    for source in sources {
        findings.extend(banned_texts(source));
        if source.path.ends_with(".rs") {
            findings.extend(missing_header(source));
            findings.extend(too_long(source));
            findings.extend(banned_name(source));
            findings.extend(floating(source));
            findings.extend(dead_module(source, sources));
        }
    }
    for (path, limit) in LONGER_FILES {
        let lines = sources
            .iter()
            .find(|source| source.path == path)
            .map_or(0, |source| source.text.lines().count());
        if lines <= LINES_MAX || lines + 50 < limit {
            findings.push(format!(
                "{path}: has shrunk to {lines} lines; lower or remove its exception"
            ));
        }
    }
    findings
}

fn missing_header(source: &SourceFile) -> Option<String> {
    let has = source.text.starts_with("//! ");
    (!has).then(|| {
        format!(
            "{}: does not begin with a `//!` header that says what the file owns",
            source.path
        )
    })
}

fn too_long(source: &SourceFile) -> Option<String> {
    let lines = source.text.lines().count();
    let limit = LONGER_FILES
        .iter()
        .find(|(path, _)| *path == source.path)
        .map_or(LINES_MAX, |(_, limit)| *limit);
    (lines > limit).then(|| format!("{}: has {lines} lines, more than {limit}", source.path))
}

fn banned_name(source: &SourceFile) -> Option<String> {
    let parts = source.path.trim_end_matches(".rs").split('/');
    let banned = parts
        .into_iter()
        .find(|part| BANNED_MODULES.contains(part))?;
    Some(format!(
        "{}: `{banned}` says nothing; name the noun it holds",
        source.path
    ))
}

fn floating(source: &SourceFile) -> Option<String> {
    let shipped = ["model", "etl", "engine", "mysql", "cli"]
        .iter()
        .any(|name| source.path.starts_with(&format!("crates/{name}/src/")));
    if !shipped || FLOATING_FILES.contains(&source.path.as_str()) {
        return None;
    }
    let is_word = |letter: char| letter.is_ascii_alphanumeric() || letter == '_';
    let mut words = source.text.split(|letter| !is_word(letter));
    let kind = words.find(|word| {
        let kind = word.trim_start_matches(|letter: char| letter.is_ascii_digit() || letter == '_');
        matches!(kind, "f32" | "f64")
    })?;
    Some(format!(
        "{}: uses `{kind}`; a value that passes through it may be rounded",
        source.path
    ))
}

/// A source file that no other file of its crate declares as a module is not compiled.
fn dead_module(source: &SourceFile, sources: &[SourceFile]) -> Option<String> {
    let (folder, inside) = source
        .path
        .split_once("/src/")
        .or_else(|| source.path.split_once("/tests/"))?;
    let name = inside
        .trim_end_matches("/mod.rs")
        .trim_end_matches(".rs")
        .rsplit('/')
        .next()?;
    let is_root = ["main", "lib"].contains(&name)
        || source.path.contains("/src/bin/")
        || source.path.contains("/fixtures/");
    if is_root || (source.path.contains("/tests/") && !inside.contains('/')) {
        return None;
    }
    let declaration = format!("mod {name};");
    let declared = sources
        .iter()
        .any(|other| other.path.starts_with(folder) && other.text.contains(&declaration));
    (!declared).then(|| {
        format!(
            "{}: no file of its crate declares `{declaration}`",
            source.path
        )
    })
}

fn banned_texts(source: &SourceFile) -> Vec<String> {
    let lockfile = source.path.ends_with(".lock");
    let found = BANNED_TEXTS
        .iter()
        .filter(|text| !lockfile && source.text.contains(**text));
    found
        .map(|text| {
            format!(
                "{}: names `{text}`, which belongs to one machine or registry",
                source.path
            )
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::super::file;
    use super::*;

    fn check(path: &str, text: &str, expected: &[&str]) {
        let declaring = file(
            "crates/a/src/lib.rs",
            "//! Root.\nmod good;\n#[cfg(test)] mod utils;\n",
        );
        let found = findings(&[file(path, text), declaring]);
        assert_eq!(found.len(), expected.len(), "{found:?}");
        for (finding, part) in found.iter().zip(expected) {
            assert!(finding.contains(part), "{finding}");
        }
    }

    #[test]
    fn a_good_file_has_no_findings() {
        check("crates/a/src/good.rs", "//! Owns it.\n", &[]);
    }

    #[test]
    fn each_rule_on_files_finds_its_fault() {
        check("crates/a/src/good.rs", "fn f() {}\n", &["header"]);
        check(
            "crates/a/src/good.rs",
            &format!("//! Long.\n{}", "\n".repeat(800)),
            &["801 lines"],
        );
        check("crates/a/src/utils.rs", "//! Any.\n", &["says nothing"]);
        check(
            "crates/a/src/dead.rs",
            "//! Any.\n",
            &["no file of its crate"],
        );
        let lossy = "//! Any.\nfn f(x: &str) { x.parse::<f64>(); }\n";
        let root = format!("{lossy}mod good;");
        let found = findings(&[file("crates/model/src/lib.rs", &root)]);
        assert!(found[0].contains("rounded"), "{found:?}");
        check("crates/a/src/good.rs", lossy, &[]);
        check(
            "docs/page.md",
            concat!("see /ho", "me/someone/x"),
            &["one machine"],
        );
    }
}
