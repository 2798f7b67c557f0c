//! Texts of a definition that a server does not print as they are.
//!
//! Servers keep definitions in three-byte UTF-8 and print `?` for a character beyond U+FFFF, like an emoji, in
//! every statement (seen on 9.7.4, 5.6.24 and MariaDB 10.11). For labels see the crate's `catalog`; a default
//! can be asked for by `DEFAULT()`, which gives its bytes; a comment cannot. MySQL 9.7 prints such defaults in
//! hexadecimal, so nothing is lost there.

use super::{in_list, required};
use crate::session::{RowSet, Session};
use std::collections::BTreeMap;
use wherry_model::name::quote;
use wherry_model::{Fault, Table, TableName};

/// What is printed with characters that it does not have.
#[derive(Debug, Default)]
pub(crate) struct LostTexts {
    /// One for each default that would arrive as another.
    pub(crate) defaults: Vec<Fault>,
    /// Tables with comments that hold `?`, which may be one.
    pub(crate) comments: Vec<String>,
}

/// Finds them in the tables of these databases.
pub(crate) async fn lost_texts(
    session: &mut Session,
    databases: &[String],
    tables: &[Table],
) -> Result<LostTexts, Fault> {
    let mut lost = LostTexts::default();
    for (name, columns) in doubtful_defaults(session, databases).await? {
        let Some(table) = tables.iter().find(|table| table.name == name) else {
            continue;
        };
        let list: Vec<String> = columns
            .iter()
            .map(|column| {
                let value = format!("DEFAULT({})", quote(column));
                format!("HEX({value}), HEX(CONVERT({value} USING utf8mb4))")
            })
            .collect();
        // Over no row the values are those of the definition.
        let sql = format!(
            "SELECT {}, COUNT(*) FROM {name} WHERE FALSE",
            list.join(", ")
        );
        let rows = match session.query(sql).await {
            Ok(rows) => rows,
            // A missing privilege is an item of its own.
            Err(error) if error.server_code().is_some() => continue,
            Err(error) => return Err(error.into_fault().table(&name)),
        };
        let found = columns.iter().enumerate();
        lost.defaults.extend(
            found
                .filter(|(index, _)| is_lost(&rows, *index, &table.definition))
                .map(|(_, column)| refuse_default(&name, column)),
        );
    }
    lost.comments = doubtful_comments(session, databases).await?;
    Ok(lost)
}

/// Columns by table whose default shows a `?` and may hold any character.
async fn doubtful_defaults(
    session: &mut Session,
    databases: &[String],
) -> Result<BTreeMap<TableName, Vec<String>>, Fault> {
    let mut sql = b"SELECT TABLE_SCHEMA, TABLE_NAME, COLUMN_NAME FROM information_schema.COLUMNS \
        WHERE COLUMN_DEFAULT LIKE '%?%' \
        AND CHARACTER_SET_NAME IN ('utf8mb4', 'utf16', 'utf16le', 'utf32', 'gb18030') AND "
        .to_vec();
    let names: Vec<&str> = databases.iter().map(String::as_str).collect();
    sql.extend(in_list(b"TABLE_SCHEMA", &names));
    let rows = session.query(sql).await?;
    let mut columns: BTreeMap<TableName, Vec<String>> = BTreeMap::new();
    for row in 0..rows.rows.len() {
        let table = TableName::new(required(&rows, row, 0)?, required(&rows, row, 1)?);
        columns
            .entry(table)
            .or_default()
            .push(required(&rows, row, 2)?);
    }
    Ok(columns)
}

/// True where default `index` has a character of four bytes and the definition does not have it in hexadecimal.
fn is_lost(rows: &RowSet, index: usize, definition: &str) -> bool {
    let (Some(own), Some(utf8)) = (rows.text(0, index * 2), rows.text(0, index * 2 + 1)) else {
        return false;
    };
    let is_long = utf8
        .as_bytes()
        .chunks(2)
        .any(|byte| byte.first() == Some(&b'F'));
    is_long && !definition.contains(&format!("0x{own}"))
}

fn refuse_default(table: &TableName, column: &str) -> Fault {
    Fault::operator(
        "SRC-008",
        format!(
            "default of column `{column}` of table {table} has a character that the source prints as `?`"
        ),
    )
    .table(table)
    .hint("Drop the default at the source, and set it again at both ends after the cutover.")
}

async fn doubtful_comments(
    session: &mut Session,
    databases: &[String],
) -> Result<Vec<String>, Fault> {
    let names: Vec<&str> = databases.iter().map(String::as_str).collect();
    let selected = in_list(b"TABLE_SCHEMA", &names);
    let mut sql = b"SELECT TABLE_SCHEMA, TABLE_NAME FROM information_schema.COLUMNS \
        WHERE COLUMN_COMMENT LIKE '%?%' AND "
        .to_vec();
    sql.extend_from_slice(&selected);
    sql.extend_from_slice(
        b" UNION SELECT TABLE_SCHEMA, TABLE_NAME FROM information_schema.TABLES \
        WHERE TABLE_TYPE = 'BASE TABLE' AND TABLE_COMMENT LIKE '%?%' AND ",
    );
    sql.extend_from_slice(&selected);
    let rows = session.query(sql).await?;
    (0..rows.rows.len())
        .map(|row| {
            let table = TableName::new(required(&rows, row, 0)?, required(&rows, row, 1)?);
            Ok(table.to_string())
        })
        .collect()
}
