//! The names in a view, as a server prints it for a session without a default database.
//!
//! Every table stands there with its database, every column of a table without an alias with
//! both, every other column with its alias. So each can be replaced; what the target understood
//! is compared behind that by [`references`].

use super::edit::Edit;
use super::object_names::{EITHER, Text, Unproved};
use super::scan::{Place, PlaceRole};
use std::collections::{BTreeMap, BTreeSet};
use wherry_model::TableName;
use wherry_model::name::quote;

pub(super) fn edits(text: &Text<'_>) -> Result<Vec<Edit>, Unproved> {
    let mut edits = Vec::new();
    for place in &text.places {
        match place.role {
            PlaceRole::Table => edits.extend(table(text, &place.parts)?),
            PlaceRole::Alias(_) | PlaceRole::Label | PlaceRole::Routine => {}
            PlaceRole::Other => other(text, place, &mut edits)?,
        }
    }
    let renamed = &text.renamed;
    let lists = [&renamed.databases, &renamed.tables, &renamed.columns];
    let names: BTreeSet<&str> = lists.into_iter().flatten().map(String::as_str).collect();
    text.check_literals(&names, false)?;
    Ok(edits)
}

/// A table with its database; one without is that of a `WITH`.
fn table(text: &Text<'_>, parts: &[usize]) -> Result<Option<Edit>, Unproved> {
    let [database, table, ..] = parts else {
        return Ok(None);
    };
    let source = TableName::new(text.name(*database), text.name(*table));
    text.database(*database)?;
    let names = text.of.names;
    let target = names.table(&source);
    let stays = !names.differ(&source.database, &target.database)
        && !names.differ(&source.table, &target.table);
    match stays {
        true => Ok(None),
        false => text.edit(*database, *table, &target.to_string()).map(Some),
    }
}

fn other(text: &Text<'_>, place: &Place, edits: &mut Vec<Edit>) -> Result<(), Unproved> {
    match (place.parts.as_slice(), place.called) {
        ([_, _, _], _) | ([_, _], false) => column(text, &place.parts, edits)?,
        ([database, _], true) => {
            if let Some(target) = text.database(*database)? {
                edits.push(text.edit(*database, *database, &target)?);
            }
        }
        ([name], true) if text.is_quoted(*name) => {
            let of = text.of;
            if of.home != of.names.database(of.database) {
                let why = "is a function of another database than the view's in the target";
                return Err(Unproved::new(text.name(*name), why));
            }
        }
        // The name of a result, unless the target's table has a column of this name.
        ([name], false)
            if text.is_quoted(*name) && text.renamed.new_columns.contains(&text.folded(*name)) =>
        {
            return Err(Unproved::new(text.name(*name), EITHER));
        }
        _ => {}
    }
    Ok(())
}

/// `table`.`column` or `database`.`table`.`column`: whatever has this name somewhere must be
/// called alike, and give the column one name.
fn column(text: &Text<'_>, parts: &[usize], edits: &mut Vec<Edit>) -> Result<(), Unproved> {
    let Some((column, table)) = parts.split_last() else {
        return Ok(());
    };
    let (first, last) = (table[0], table[table.len() - 1]);
    let names = text.of.names;
    let name = text.name(*column);
    let meant = meant_by(text, table);
    let mut columns: BTreeMap<String, String> = BTreeMap::new();
    let mut tables = BTreeSet::new();
    for one in &meant {
        let (new, database, table) = match one {
            Meant::Table(table) => {
                let target = names.table(table);
                (names.column(table, &name), target.database, target.table)
            }
            Meant::Alias(Some(table)) => {
                let database = names.table(table).database;
                (names.column(table, &name), database, text.name(last))
            }
            Meant::Alias(None) => (name.clone(), String::new(), text.name(last)),
        };
        columns.insert(new.to_lowercase(), new);
        tables.insert(match parts.len() {
            3 => (database, table),
            _ => (String::new(), table),
        });
    }
    let shown = || format!("{}.{name}", text.name(last));
    match columns.first_key_value() {
        Some((folded, new)) if columns.len() == 1 => {
            if *folded != name.to_lowercase() {
                edits.push(text.edit(*column, *column, &quote(new))?);
            }
        }
        None if !text.renamed.columns.contains(&name.to_lowercase()) => {}
        _ => return Err(Unproved::new(shown(), EITHER)),
    }
    match tables.first() {
        Some((database, table)) if tables.len() == 1 => {
            let is_other = names.differ(table, &text.name(last))
                || (parts.len() == 3 && names.differ(database, &text.name(first)));
            if is_other {
                let sql = match parts.len() {
                    3 => format!("{}.{}", quote(database), quote(table)),
                    _ => quote(table),
                };
                edits.push(text.edit(first, last, &sql)?);
            }
            Ok(())
        }
        None => Ok(()),
        _ => Err(Unproved::new(shown(), "is the name of two tables")),
    }
}

/// What a name before a column may mean.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Meant {
    /// A table by its own name.
    Table(TableName),
    /// An alias of a table, or of something else.
    Alias(Option<TableName>),
}

/// Servers print an alias alone, but that of a view with the view's database before it.
fn meant_by(text: &Text<'_>, parts: &[usize]) -> Vec<Meant> {
    let [.., name] = parts else {
        return Vec::new();
    };
    let folded = text.folded(*name);
    let database = (parts.len() == 2).then(|| text.folded(parts[0]));
    let is_there = |table: &TableName| {
        let database = database.as_ref();
        database.is_none_or(|database| *database == table.database.to_lowercase())
    };
    let mut found = Vec::new();
    for (at, place) in text.places.iter().enumerate() {
        let last = place.parts.last();
        if last.is_none_or(|last| text.folded(*last) != folded) {
            continue;
        }
        match (&place.role, place.parts.len()) {
            (PlaceRole::Alias(of), _) => {
                let table = of.and_then(|of| real_table(text, &text.places[of]));
                if table.as_ref().map_or(database.is_none(), is_there) {
                    found.push(Meant::Alias(table));
                }
            }
            (PlaceRole::Table, 1) if database.is_none() => found.push(Meant::Alias(None)),
            (PlaceRole::Table, 2) => {
                let mut places = text.places.iter();
                let has_alias = places.any(|other| other.role == PlaceRole::Alias(Some(at)));
                let table = real_table(text, place).filter(|table| !has_alias && is_there(table));
                found.extend(table.map(Meant::Table));
            }
            _ => {}
        }
    }
    // A table without an alias is printed with its database before each of its columns.
    if database.is_none() && found.iter().any(|one| matches!(one, Meant::Alias(_))) {
        found.retain(|one| matches!(one, Meant::Alias(_)));
    }
    if let ([first, last], true) = (parts, found.is_empty()) {
        found.push(Meant::Table(TableName::new(
            text.name(*first),
            text.name(*last),
        )));
    }
    found
}

fn real_table(text: &Text<'_>, place: &Place) -> Option<TableName> {
    let [database, table] = place.parts.as_slice() else {
        return None;
    };
    Some(TableName::new(text.name(*database), text.name(*table)))
}

/// Every table that is read and every column of one, as `database.table.column` in lower case.
pub(super) fn references(text: &Text<'_>) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    let mut add = |table: &TableName, column: &str| {
        found.insert(format!("{table}.{column}").to_lowercase());
    };
    for place in &text.places {
        match (&place.role, place.parts.as_slice()) {
            (PlaceRole::Table, [_, _]) => {
                if let Some(table) = real_table(text, place) {
                    add(&table, "");
                }
            }
            (PlaceRole::Other, [table @ .., column])
                if matches!((table.len(), place.called), (2, _) | (1, false)) =>
            {
                for one in meant_by(text, table) {
                    if let Meant::Table(table) | Meant::Alias(Some(table)) = one {
                        add(&table, &text.name(*column));
                    }
                }
            }
            _ => {}
        }
    }
    found
}
