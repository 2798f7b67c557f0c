//! Tables that a query or a statement on rows names.
//!
//! Good enough to tell which table a statement-format change concerns; aliases may be among the
//! names, which errs on the loud side.

use super::cursor::Cursor;
use super::statement::{NameKind, NamedObject, Role, StatementKind};

/// The tables that may be written. `cursor` stands behind the verb.
pub(super) fn written(verb: &str, cursor: &mut Cursor) -> (StatementKind, Vec<NamedObject>) {
    let mut names = Vec::new();
    let modifiers = [
        "LOW_PRIORITY",
        "DELAYED",
        "HIGH_PRIORITY",
        "QUICK",
        "IGNORE",
        "CONCURRENT",
        "LOCAL",
    ];
    while cursor.eat_any(&modifiers) {}
    match verb {
        "LOAD" => {
            if cursor.at_any(&["INDEX"]) {
                return (StatementKind::Irrelevant, names);
            }
            if cursor.skip_to(&["INTO"]) && cursor.eat(&["INTO", "TABLE"]) {
                names.extend(cursor.qualified(NameKind::Table, Role::Subject));
            }
        }
        "INSERT" | "REPLACE" => {
            cursor.eat(&["INTO"]);
            names.extend(cursor.qualified(NameKind::Table, Role::Subject));
        }
        "UPDATE" => names = references(cursor, Role::Subject),
        _ => {
            let begin = cursor.at;
            let using = cursor.at_any(&["FROM"]) && cursor.skip_to(&["USING"]);
            if !using {
                cursor.at = begin;
                cursor.skip_to(&["FROM"]);
            }
            cursor.at += 1;
            names = references(cursor, Role::Subject);
        }
    }
    (StatementKind::Dml, names)
}

/// Every table behind a `FROM` or `JOIN` of a query.
pub(super) fn read(cursor: &mut Cursor) -> Vec<NamedObject> {
    let mut names = Vec::new();
    let mut functions = Vec::new();
    while !cursor.is_end() {
        if cursor.at_symbol(b'(') {
            functions.push(is_function_with_from(cursor));
        } else if cursor.at_symbol(b')') {
            functions.pop();
        }
        let inside_function = functions.last().copied().unwrap_or(false);
        if cursor.eat(&["FROM"]) && !inside_function {
            names.extend(references(cursor, Role::Other));
        } else {
            cursor.at += 1;
        }
    }
    names
}

/// `EXTRACT(x FROM y)` and its like: their FROM names no table.
fn is_function_with_from(cursor: &Cursor) -> bool {
    let Some(before) = cursor.at.checked_sub(1) else {
        return false;
    };
    ["EXTRACT", "TRIM", "SUBSTRING", "SUBSTR", "MID"]
        .iter()
        .any(|word| cursor.tokens[before].is_word(cursor.sql, word))
}

/// Reads table references: a list with commas, joins and parentheses. Stops at the clause that
/// follows, or at a subquery, which the caller walks on.
fn references(cursor: &mut Cursor, role: Role) -> Vec<NamedObject> {
    let ends = [
        "SET", "WHERE", "ORDER", "GROUP", "HAVING", "LIMIT", "UNION", "SELECT", "WINDOW", "FOR",
    ];
    let mut names = Vec::new();
    let mut expecting = true;
    let (mut depth, mut list_depth) = (0i32, 0i32);
    while !cursor.is_end() && !cursor.at_any(&ends) {
        if cursor.eat_symbol(b'(') {
            depth += 1;
        } else if cursor.at_symbol(b')') {
            if depth == 0 {
                break;
            }
            depth -= 1;
            cursor.at += 1;
        } else if cursor.eat_any(&["JOIN", "STRAIGHT_JOIN"])
            || (depth == list_depth && cursor.eat_symbol(b','))
        {
            expecting = true;
        } else if expecting && !cursor.eat_any(&["LATERAL"]) {
            match cursor.qualified(NameKind::Table, role) {
                Some(name) => names.push(name),
                None => cursor.at += 1,
            }
            expecting = false;
            list_depth = depth;
        } else if !expecting {
            cursor.at += 1;
        }
    }
    names
}
