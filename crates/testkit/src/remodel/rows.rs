//! Statements of the random program on rows.

use super::columns::literal;
use super::picture::{Column, Scene, Table};
use crate::random::Random;

/// One transaction, on one table or two.
pub(super) fn transaction(scene: &Scene, random: &mut Random) -> Vec<String> {
    let mut statements = vec!["START TRANSACTION".to_owned()];
    for _ in 0..1 + random.below(3) {
        let table = if random.one_in(3) {
            &scene.other
        } else {
            &scene.table
        };
        if let Some(table) = table {
            statements.extend(statement(table, random));
        }
    }
    statements.push(
        if random.one_in(20) {
            "ROLLBACK"
        } else {
            "COMMIT"
        }
        .to_owned(),
    );
    statements
}

fn statement(table: &Table, random: &mut Random) -> Option<String> {
    let name = &table.name;
    match random.below(10) {
        0..4 => insert("INSERT", table, random),
        4 => insert("REPLACE", table, random),
        5..8 => {
            let column = table.plain_column(random)?;
            let value = literal(column, random);
            Some(format!(
                "UPDATE {name} SET `{}` = {value} WHERE RAND() < 0.2",
                column.name
            ))
        }
        8 => Some(format!("DELETE FROM {name} WHERE RAND() < 0.15")),
        _ => {
            let column = table.plain_column(random)?;
            let value = literal(column, random);
            Some(format!(
                "DELETE FROM {name} WHERE `{}` = {value}",
                column.name
            ))
        }
    }
}

fn insert(verb: &str, table: &Table, random: &mut Random) -> Option<String> {
    let columns: Vec<&Column> = table
        .plain()
        .into_iter()
        .filter(|column| table.primary.contains(&column.name) || !random.one_in(8))
        .collect();
    if columns.is_empty() {
        return Some(format!("{verb} INTO {} () VALUES ()", table.name));
    }
    let names: Vec<String> = columns
        .iter()
        .map(|column| format!("`{}`", column.name))
        .collect();
    let row = |random: &mut Random| {
        let values: Vec<String> = columns
            .iter()
            .map(|column| literal(column, random))
            .collect();
        format!("({})", values.join(","))
    };
    let rows: Vec<String> = (0..1 + random.below(3)).map(|_| row(random)).collect();
    Some(format!(
        "{verb} INTO {} ({}) VALUES {}",
        table.name,
        names.join(","),
        rows.join(",")
    ))
}
