//! What `select` says of databases and tables, as far as it can be judged without a server.

use super::Problem;
use std::collections::BTreeSet;
use wherry_model::pattern::{Pattern, PatternError, TablePattern};
use wherry_model::select::is_system_database;
use wherry_model::task::TaskSpec;

const TABLE_FORM: &str = "Write it like shop.orders or shop.log_*, or with regular expressions like /shard_.*/.orders; a name with a point stands in backticks.";

pub(super) fn check(spec: &TaskSpec) -> Result<(), Problem> {
    check_databases(spec)?;
    check_include(spec)?;
    check_exclude(spec)?;
    check_merge(spec)?;
    check_nothing_left(spec)?;
    check_table_rules(spec)
}

/// An expression that cannot be read.
pub(super) fn bad_expression(key: &str, text: &str, reason: &str) -> Problem {
    let shown = text.escape_debug();
    Problem::new(
        "SEL-001",
        key,
        format!("`{shown}` begins with a slash and is no regular expression: {reason}"),
        "Write it between two slashes, in the syntax of Rust\'s `regex`, with `\\/` for a slash; a name that begins with a slash stands in backticks.",
    )
}

fn check_databases(spec: &TaskSpec) -> Result<(), Problem> {
    let databases = &spec.select.databases;
    if databases.is_empty() && spec.select.include.is_empty() {
        return Err(Problem::new(
            "CLI-012",
            "select.databases",
            "no database is selected",
            "Name at least one database.",
        ));
    }
    let mut seen = BTreeSet::new();
    for (index, database) in databases.iter().enumerate() {
        let key = format!("select.databases.{index}");
        let shown = database.escape_debug();
        if database.trim().is_empty() {
            return Err(Problem::new(
                "CLI-012",
                key,
                "a database name is empty",
                "Remove it or write the name.",
            ));
        }
        let pattern = database_pattern(&key, database)?;
        if !seen.insert(pattern.to_string()) {
            return Err(Problem::new(
                "CLI-013",
                key,
                format!("database `{shown}` stands there twice"),
                "Name each database once.",
            ));
        }
        check_owner(spec, key, &pattern)?;
    }
    Ok(())
}

fn database_pattern(key: &str, text: &str) -> Result<Pattern, Problem> {
    Pattern::alone(text).map_err(|error| match error {
        PatternError::Expression(reason) => bad_expression(key, text, &reason),
        PatternError::Form => Problem::new(
            "SEL-002",
            key,
            format!("`{}` is not the name of a database", text.escape_debug()),
            "Close the backtick or slash that it begins with, and write nothing behind that.",
        ),
    })
}

/// Patterns never mean these databases; a name is a mistake.
fn check_owner(spec: &TaskSpec, key: String, pattern: &Pattern) -> Result<(), Problem> {
    let Some(name) = pattern.exact() else {
        return Ok(());
    };
    let beats = spec.source.heartbeat.as_ref();
    let beats = beats.is_some_and(|beats| name.eq_ignore_ascii_case(&beats.database));
    let own = beats || name.eq_ignore_ascii_case(&spec.state.database);
    if !own && !is_system_database(name) {
        return Ok(());
    }
    let what = match own {
        true => "holds Wherry\'s own tables",
        false => "belongs to the server",
    };
    Err(Problem::new(
        "CLI-014",
        key,
        format!(
            "database `{}` {what} and cannot be moved",
            name.escape_debug()
        ),
        "Remove it from the selection.",
    ))
}

fn table_pattern(key: &str, text: &str, code: &'static str) -> Result<TablePattern, Problem> {
    TablePattern::parse(text).map_err(|error| match error {
        PatternError::Expression(reason) => bad_expression(key, text, &reason),
        PatternError::Form => {
            let shown = text.escape_debug();
            let message = format!("`{shown}` is not the name of a table");
            Problem::new(code, key, message, TABLE_FORM)
        }
    })
}

fn check_include(spec: &TaskSpec) -> Result<(), Problem> {
    for (index, text) in spec.select.include.iter().enumerate() {
        let key = format!("select.include.{index}");
        let pattern = table_pattern(&key, text, "SEL-002")?;
        check_owner(spec, key.clone(), &pattern.database)?;
        let database = pattern.database.exact();
        if database.is_some_and(|name| spec.select.includes_whole(name)) {
            return Err(Problem::new(
                "SEL-003",
                key,
                format!(
                    "`{}` is of a database that is selected as a whole",
                    text.escape_debug()
                ),
                "Remove it, or take the database out of select.databases.",
            ));
        }
    }
    Ok(())
}

fn check_merge(spec: &TaskSpec) -> Result<(), Problem> {
    for (index, text) in spec.select.merge.iter().enumerate() {
        table_pattern(&format!("select.merge.{index}"), text, "SEL-002")?;
    }
    Ok(())
}

fn check_exclude(spec: &TaskSpec) -> Result<(), Problem> {
    for (index, text) in spec.select.exclude.iter().enumerate() {
        let key = format!("select.exclude.{index}");
        let of_table = TablePattern::parse(text);
        if of_table.is_ok() || Pattern::part(text).is_ok() {
            continue;
        }
        let error = match of_table {
            Err(PatternError::Expression(reason)) => bad_expression(&key, text, &reason),
            _ => Problem::new(
                "SEL-002",
                key,
                format!(
                    "`{}` is not the name of a database or table",
                    text.escape_debug()
                ),
                TABLE_FORM,
            ),
        };
        return Err(error);
    }
    Ok(())
}

/// Where nothing but exact names is selected, excluding all of them is a mistake.
fn check_nothing_left(spec: &TaskSpec) -> Result<(), Problem> {
    let select = &spec.select;
    for (index, text) in select.exclude.iter().enumerate() {
        let excludes = |name: &String| match Pattern::part(text) {
            Ok(pattern) => {
                pattern.matches(name) && Pattern::alone(name).is_ok_and(|it| it.is_exact())
            }
            Err(_) => false,
        };
        if let Some(name) = select.databases.iter().find(|name| excludes(name)) {
            return Err(Problem::new(
                "SEL-004",
                format!("select.exclude.{index}"),
                format!(
                    "database `{}` is selected by its name and excluded",
                    name.escape_debug()
                ),
                "Keep one of the two.",
            ));
        }
    }
    Ok(())
}

fn check_table_rules(spec: &TaskSpec) -> Result<(), Problem> {
    let mut seen = BTreeSet::new();
    for (index, rule) in spec.select.tables.iter().enumerate() {
        let key = format!("select.tables.{index}.table");
        let shown = rule.table.escape_debug();
        let pattern = table_pattern(&key, &rule.table, "CLI-024")?;
        let exact = pattern.exact();
        if exact.is_some_and(|name| !spec.select.includes(&name)) {
            return Err(Problem::new(
                "CLI-024",
                key,
                format!("table `{shown}` is in no selected database"),
                "Add its database to select.databases, or remove the rule.",
            ));
        }
        if !seen.insert(pattern.to_string()) {
            return Err(Problem::new(
                "CLI-024",
                key,
                format!("table `{shown}` has two rules"),
                "Keep one of the two.",
            ));
        }
    }
    Ok(())
}
