//! What of the source a selection means now.
//!
//! Owns resolving patterns against the databases and tables that there are. Names given exactly
//! are taken as they are: whether they exist says the precheck.

use crate::catalog::{names_in, required};
use crate::session::Session;
use std::collections::BTreeSet;
use wherry_model::names::Known;
use wherry_model::task::SelectSpec;
use wherry_model::{CheckItem, Fault, SchemaObject, TableName};

const NOTHING: &str = "SEL-010";
const LEFT_BEHIND: &str = "SEL-011";
const MISSING: &str = "SEL-013";

/// Names that one item lists.
const NAMES_SHOWN_MAX: usize = 20;

/// Databases of which anything moves, in order of name.
pub(super) async fn databases(
    session: &mut Session,
    selection: &SelectSpec,
) -> Result<Vec<String>, Fault> {
    let exact = selection.exact_databases().into_iter().map(str::to_owned);
    let mut names: BTreeSet<String> = exact.collect();
    if !selection.is_exact() {
        let mut matching = all_databases(session).await?;
        matching.retain(|name| selection.includes_database(name));
        names.extend(matching);
    }
    Ok(names.into_iter().collect())
}

async fn all_databases(session: &mut Session) -> Result<Vec<String>, Fault> {
    let rows = session
        .query("SELECT SCHEMA_NAME FROM information_schema.SCHEMATA")
        .await?;
    (0..rows.rows.len())
        .map(|row| required(&rows, row, 0))
        .collect()
}

/// The databases with all their tables, selected or not.
pub(super) async fn known(session: &mut Session, databases: &[String]) -> Result<Known, Fault> {
    let mut known = Known {
        databases: databases.iter().cloned().collect(),
        ..Known::default()
    };
    let condition = String::from_utf8_lossy(&names_in("c.TABLE_SCHEMA", databases)).into_owned();
    // Tables and columns in one question, so that a table that changes between two has its columns.
    let sql = format!(
        "SELECT c.TABLE_SCHEMA, c.TABLE_NAME, c.COLUMN_NAME FROM information_schema.COLUMNS c \
         JOIN information_schema.TABLES t ON t.TABLE_SCHEMA = c.TABLE_SCHEMA \
         AND t.TABLE_NAME = c.TABLE_NAME WHERE t.TABLE_TYPE = 'BASE TABLE' AND {condition}"
    );
    let rows = session.query(sql).await?;
    for row in 0..rows.rows.len() {
        let name = TableName::new(required(&rows, row, 0)?, required(&rows, row, 1)?);
        let columns = known.tables.entry(name).or_default();
        columns.push(required(&rows, row, 2)?);
    }
    Ok(known)
}

/// The tables to read, where not all of the databases move; tables of online-DDL tools with them.
pub(super) async fn tables(
    session: &mut Session,
    selection: &SelectSpec,
    databases: &[String],
) -> Result<Option<Vec<TableName>>, Fault> {
    if selection.is_by_database() {
        return Ok(None);
    }
    let mut names = names_of(session, databases).await?;
    names.retain(|name| selection.covers(name));
    Ok(Some(names))
}

/// Every table and view of these databases.
async fn names_of(session: &mut Session, databases: &[String]) -> Result<Vec<TableName>, Fault> {
    let mut sql = b"SELECT TABLE_SCHEMA, TABLE_NAME FROM information_schema.TABLES WHERE ".to_vec();
    sql.extend(names_in("TABLE_SCHEMA", databases));
    let rows = session.query(sql).await?;
    let name = |row| {
        Ok(TableName::new(
            required(&rows, row, 0)?,
            required(&rows, row, 1)?,
        ))
    };
    (0..rows.rows.len()).map(name).collect()
}

/// Says which names and patterns mean nothing now, and what the others mean; nothing without any
/// but names of databases.
pub(super) async fn check(
    session: &mut Session,
    selection: &SelectSpec,
    databases: &[String],
) -> Result<Vec<CheckItem>, Fault> {
    const ID: &str = "source-selection";
    let plain = selection.is_by_database() && selection.exclude.is_empty();
    if plain && selection.is_exact() && selection.tables.is_empty() {
        return Ok(Vec::new());
    }
    let there = all_databases(session).await?;
    let names = names_of(session, databases).await?;
    let idle = selection.idle(&there, &names);
    if !idle.missing.is_empty() {
        return Ok(vec![CheckItem::fail(
            ID,
            format!(
                "{MISSING}: these tables of select.include do not exist at the source: {}",
                shown(&idle.missing)
            ),
            "Check the spelling, with its letter case, and that the account may see them.",
        )]);
    }
    if !idle.patterns.is_empty() {
        return Ok(vec![CheckItem::warn(
            ID,
            format!(
                "{NOTHING}: these name nothing that the source has now: {}",
                shown(&idle.patterns)
            ),
            "Check their spelling, with its letter case; one for what is made later may stay.",
        )]);
    }
    Ok(vec![CheckItem::pass(
        ID,
        format!(
            "every name and pattern means something; databases: {}",
            shown(databases)
        ),
    )])
}

/// What stays behind of databases of which single tables move.
pub(super) fn left_behind(selection: &SelectSpec, objects: &[SchemaObject]) -> Option<CheckItem> {
    let left: Vec<String> = objects
        .iter()
        .filter(|object| !selection.includes_object(object))
        .map(|object| object.name.to_string())
        .collect();
    (!left.is_empty()).then(|| {
        CheckItem::warn(
            "source-left-behind",
            format!(
                "{LEFT_BEHIND}: not selected, so they stay behind: {}",
                shown(&left)
            ),
            "Nothing, where that is meant. Routines and events move with their whole database alone, triggers with their table, and views where select.include names them.",
        )
    })
}

fn shown(names: &[String]) -> String {
    let listed = names[..names.len().min(NAMES_SHOWN_MAX)].join(", ");
    match names.len().checked_sub(NAMES_SHOWN_MAX) {
        None | Some(0) => listed,
        Some(more) => format!("{listed} and {more} more"),
    }
}
