//! Statements on rows: text only, no sessions.
//!
//! Owns how images become INSERT, UPDATE and DELETE, how long a statement may get, and how a row
//! without a key is found byte by byte. Literals are `crate::literal`'s.

use crate::json;
use crate::literal::{
    push_hex, push_key_comparison, push_key_condition, push_key_literal, push_quoted,
    push_value_literal,
};
use crate::member::travels_by_number;
use wherry_model::{Column, ColumnKind, KeyPart, Row, Table, name::quote};

/// Statements are cut at about this length; a longer row stands alone.
pub(super) const STATEMENT_BYTES: usize = 1 << 20;

/// Rows of one statement. Also the keys of one DELETE: beyond some thousands of ranges, servers
/// give up the index (`range_optimizer_max_mem_size`, 8 MiB, about 230 bytes a key part).
pub(super) const STATEMENT_ROWS: usize = 500;

/// The identity's values of a row that holds all columns.
pub(super) fn key_of(table: &Table, row: &Row) -> Option<Row> {
    let identity = table.identity()?;
    let values: Vec<Option<&[u8]>> = row.values().collect();
    Some(Row::from_values(
        identity
            .parts
            .iter()
            .map(|part| values.get(part.column).copied().flatten()),
    ))
}

/// `INSERT INTO t (columns) VALUES `.
pub(super) fn insert_head(table: &Table) -> Vec<u8> {
    let columns: Vec<String> = table
        .written_columns()
        .map(|column| quote(table.columns[column].target_name()))
        .collect();
    format!(
        "INSERT INTO {} ({}) VALUES ",
        table.target_name(),
        columns.join(",")
    )
    .into_bytes()
}

/// `(value, ..)` of an encoded row with all columns.
pub(super) fn push_row(out: &mut Vec<u8>, table: &Table, encoded: &[u8]) {
    out.push(b'(');
    let mut first = true;
    let values = wherry_model::row::Values::of(encoded);
    for (index, (column, value)) in table.columns.iter().zip(values).enumerate() {
        if !table.is_written(index) {
            continue;
        }
        if !first {
            out.push(b',');
        }
        first = false;
        push_value_literal(out, column, value);
    }
    out.push(b')');
}

/// One INSERT of some rows: its text and how many rows of the input it took.
pub(super) fn insert_rows<'a>(
    table: &Table,
    rows: impl Iterator<Item = &'a [u8]>,
) -> Vec<(Vec<u8>, usize)> {
    let head = insert_head(table);
    let mut statements = Vec::new();
    let mut text = head.clone();
    let mut count = 0;
    for row in rows {
        // The text of a value is at most a little longer than its bytes; twice as long at worst.
        let full =
            count > 0 && (text.len() + row.len() > STATEMENT_BYTES || count == STATEMENT_ROWS);
        if full {
            statements.push((std::mem::replace(&mut text, head.clone()), count));
            count = 0;
        }
        if count > 0 {
            text.push(b',');
        }
        push_row(&mut text, table, row);
        count += 1;
    }
    if count > 0 {
        statements.push((text, count));
    }
    statements
}

/// `DELETE FROM t WHERE ..` statements over keys, each with its number of keys.
pub(super) fn delete_keys(table: &Table, keys: &[Row]) -> Vec<(Vec<u8>, usize)> {
    key_statements("DELETE", table, keys)
}

/// `SELECT COUNT(*) FROM t WHERE ..` statements over keys, each with its number of keys.
pub(super) fn count_keys(table: &Table, keys: &[Row]) -> Vec<(Vec<u8>, usize)> {
    key_statements("SELECT COUNT(*)", table, keys)
}

fn key_statements(verb: &str, table: &Table, keys: &[Row]) -> Vec<(Vec<u8>, usize)> {
    let mut statements = Vec::new();
    let mut text = Vec::new();
    let mut count = 0;
    let listed = listed_column(table);
    let finish = |text: &mut Vec<u8>| {
        if listed.is_some() {
            text.push(b')');
        }
        std::mem::take(text)
    };
    for key in keys {
        if count > 0
            && (text.len() + key.encoded().len() > STATEMENT_BYTES || count == STATEMENT_ROWS)
        {
            statements.push((finish(&mut text), count));
            count = 0;
        }
        if count == 0 {
            text.extend_from_slice(
                format!("{verb} FROM {} WHERE ", table.target_name()).as_bytes(),
            );
            if let Some(column) = listed {
                text.extend_from_slice(quote(column.target_name()).as_bytes());
                text.extend_from_slice(b" IN (");
            }
        } else {
            text.extend_from_slice(if listed.is_some() { b"," } else { b" OR " });
        }
        match listed {
            Some(column) => push_key_literal(&mut text, column, key.get(0).flatten()),
            None => push_key_condition(&mut text, table, key),
        }
        count += 1;
    }
    if count > 0 {
        statements.push((finish(&mut text), count));
    }
    statements
}

/// The identity's only column, where its values can stand in an `IN` list and keep the index.
fn listed_column(table: &Table) -> Option<&Column> {
    let [part] = table.identity()?.parts.as_slice() else {
        return None;
    };
    let column = &table.columns[part.column];
    let plain = matches!(
        column.kind,
        ColumnKind::Integer { .. }
            | ColumnKind::Char { .. }
            | ColumnKind::Varchar { .. }
            | ColumnKind::Binary { .. }
            | ColumnKind::Varbinary { .. }
    );
    plain.then_some(column)
}

/// `UPDATE t SET every written column WHERE key`.
pub(super) fn update_by_key(table: &Table, key: &Row, after: &Row) -> Vec<u8> {
    let mut text = update_head(table, after);
    text.extend_from_slice(b" WHERE ");
    push_key_condition(&mut text, table, key);
    text
}

/// `UPDATE t SET every written column WHERE the row is exactly this LIMIT 1`.
pub(super) fn update_exact(table: &Table, before: &Row, after: &Row) -> Vec<u8> {
    let mut text = update_head(table, after);
    text.extend_from_slice(b" WHERE ");
    push_exact_condition(&mut text, table, before);
    text.extend_from_slice(b" LIMIT 1");
    text
}

pub(super) fn delete_exact(table: &Table, before: &Row) -> Vec<u8> {
    let mut text = format!("DELETE FROM {} WHERE ", table.target_name()).into_bytes();
    push_exact_condition(&mut text, table, before);
    text.extend_from_slice(b" LIMIT 1");
    text
}

fn update_head(table: &Table, after: &Row) -> Vec<u8> {
    let mut text = format!("UPDATE {} SET ", table.target_name()).into_bytes();
    let mut first = true;
    for (index, (column, value)) in table.columns.iter().zip(after.values()).enumerate() {
        if !table.is_written(index) {
            continue;
        }
        if !first {
            text.push(b',');
        }
        first = false;
        text.extend_from_slice(quote(column.target_name()).as_bytes());
        text.push(b'=');
        push_value_literal(&mut text, column, value);
    }
    text
}

/// Finds a row whose every written column has exactly these bytes.
fn push_exact_condition(out: &mut Vec<u8>, table: &Table, row: &Row) {
    let mut first = true;
    for (index, (column, value)) in table.columns.iter().zip(row.values()).enumerate() {
        if !table.is_written(index) {
            continue;
        }
        if !first {
            out.extend_from_slice(b" AND ");
        }
        first = false;
        push_exact_comparison(out, column, value);
    }
}

fn push_exact_comparison(out: &mut Vec<u8>, column: &Column, value: Option<&[u8]>) {
    let name = quote(column.target_name());
    let Some(bytes) = value else {
        out.extend_from_slice(format!("{name} IS NULL").as_bytes());
        return;
    };
    match &column.kind {
        ColumnKind::Integer { .. }
        | ColumnKind::Decimal { .. }
        | ColumnKind::Bit { .. }
        | ColumnKind::Year => push_key_comparison(out, column, "=", value),
        ColumnKind::Double if !is_zero(bytes) => push_key_comparison(out, column, "=", value),
        ColumnKind::Enum { .. } | ColumnKind::Set { .. } if travels_by_number(column) => {
            out.extend_from_slice(format!("CAST({name} AS UNSIGNED)=").as_bytes());
            out.extend_from_slice(bytes);
        }
        // As a double, as it was read: the float of a literal may round to another one.
        ColumnKind::Float | ColumnKind::Double => {
            out.extend_from_slice(format!("{name}+0e0=").as_bytes());
            push_key_literal(out, column, value);
            push_sign_of_zero(out, &name, bytes);
        }
        // Binary strings compare by bytes; a cast of these is the text that the server prints.
        ColumnKind::Date
        | ColumnKind::Time { .. }
        | ColumnKind::Datetime { .. }
        | ColumnKind::Timestamp { .. }
        | ColumnKind::Char { .. }
        | ColumnKind::Varchar { .. }
        | ColumnKind::Text
        | ColumnKind::Enum { .. }
        | ColumnKind::Set { .. } => {
            out.extend_from_slice(format!("CAST({name} AS BINARY)=").as_bytes());
            push_binary(out, bytes);
        }
        ColumnKind::Json => json::push_document_comparison(out, &name, bytes),
        ColumnKind::Binary { .. } | ColumnKind::Varbinary { .. } | ColumnKind::Blob => {
            out.extend_from_slice(format!("{name}=").as_bytes());
            push_binary(out, bytes);
        }
        // Servers compare these with their own kind only.
        ColumnKind::Geometry | ColumnKind::Vector => {
            out.extend_from_slice(format!("HEX({name})=HEX(").as_bytes());
            push_hex(out, bytes);
            out.push(b')');
        }
    }
}

fn is_zero(value: &[u8]) -> bool {
    value.iter().all(|byte| matches!(byte, b'-' | b'0' | b'.'))
}

/// Zero and negative zero are equal as numbers; only their text differs. The column must not be
/// compared as it is beside this: servers would put the literal in its place here, too. The sign
/// need not come first: ZEROFILL puts its zeros before it.
fn push_sign_of_zero(out: &mut Vec<u8>, name: &str, value: &[u8]) {
    if is_zero(value) {
        let not = if value.starts_with(b"-") { "" } else { "NOT " };
        out.extend_from_slice(format!(" AND CAST({name} AS CHAR) {not}LIKE '%-%'").as_bytes());
    }
}

/// A binary string, in hardly more bytes than it has.
fn push_binary(out: &mut Vec<u8>, bytes: &[u8]) {
    out.extend_from_slice(b"_binary");
    push_quoted(out, bytes);
}

/// `SELECT identity FROM t WHERE (the unique key's values are this row's) OR .. FOR UPDATE` for
/// every other unique key over whole columns that can hold one of the rows up. Keys with a NULL
/// value cannot. A prefix cannot be looked up by an index, and an expression has no value in a row.
pub(super) fn select_holders(table: &Table, rows: &[&Row], select_list: &str) -> Vec<Vec<u8>> {
    let identity = table.identity().map(|key| &key.name);
    let mut statements = Vec::new();
    let others = table
        .keys
        .iter()
        .filter(|key| key.unique && key.plain() && Some(&key.name) != identity);
    for key in others {
        let mut text = Vec::new();
        let mut count = 0;
        for row in rows {
            let values: Vec<Option<&[u8]>> = row.values().collect();
            let value_of = |part: &KeyPart| values.get(part.column).copied().flatten();
            if key.parts.iter().any(|part| value_of(part).is_none()) {
                continue;
            }
            if text.len() > STATEMENT_BYTES || count == STATEMENT_ROWS {
                text.extend_from_slice(b" FOR UPDATE");
                statements.push(std::mem::take(&mut text));
                count = 0;
            }
            if count == 0 {
                let head = format!("SELECT {select_list} FROM {} WHERE ", table.target_name());
                text.extend_from_slice(head.as_bytes());
            } else {
                text.extend_from_slice(b" OR ");
            }
            count += 1;
            for (index, part) in key.parts.iter().enumerate() {
                text.extend_from_slice(if index == 0 { b"(" } else { b" AND " });
                push_key_comparison(&mut text, &table.columns[part.column], "=", value_of(part));
            }
            text.push(b')');
        }
        if count > 0 {
            text.extend_from_slice(b" FOR UPDATE");
            statements.push(text);
        }
    }
    statements
}

/// An INSERT of one row that leaves the row which holds it up as it is and notes that row's
/// identity in `@wherry_0` and so on; and the query for that identity, which finds nothing where
/// the row was put in.
///
/// `LENGTH` makes the server look at each value: a comparison with NULL is decided without it for
/// a column that has none.
pub(super) fn insert_or_find(
    table: &Table,
    row: &Row,
    select_list: &str,
) -> Option<(Vec<u8>, Vec<u8>)> {
    let identity = table.identity()?;
    let kept = quote(table.columns[table.written_columns().next()?].target_name());
    let mut lengths = Vec::new();
    let mut conditions = Vec::new();
    for (index, part) in identity.parts.iter().enumerate() {
        let name = quote(table.columns[part.column].target_name());
        lengths.push(format!("LENGTH(@wherry_{index}:={name})"));
        conditions.push(format!("{name}=@wherry_{index}"));
    }
    let mut insert = b"SET @wherry_0=NULL;".to_vec();
    insert.extend(insert_head(table));
    push_row(&mut insert, table, row.encoded());
    let lengths = lengths.join("+");
    insert.extend_from_slice(
        format!(" ON DUPLICATE KEY UPDATE {kept}=IF({lengths}>=0,{kept},{kept})").as_bytes(),
    );
    let find = format!(
        "SELECT {select_list} FROM {} WHERE {} FOR UPDATE",
        table.target_name(),
        conditions.join(" AND ")
    );
    Some((insert, find.into_bytes()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use wherry_model::{Exactness, Key, KeyPart, TableName};

    fn column(name: &str, kind: ColumnKind, generated: bool) -> Column {
        Column {
            name: name.to_owned(),
            kind,
            column_type: String::new(),
            nullable: true,
            charset: Some("utf8mb4".to_owned()),
            collation: None,
            generated,
            auto_increment: false,
            in_target: None,
        }
    }

    fn table() -> Table {
        let number = ColumnKind::Integer {
            bytes: 4,
            unsigned: false,
        };
        let key = |name: &str, column: usize, prefix| Key {
            name: name.to_owned(),
            primary: name == "PRIMARY",
            unique: true,
            parts: vec![KeyPart {
                column,
                prefix,
                descending: false,
            }],
            functional: false,
        };
        let mut id = column("id", number.clone(), false);
        id.nullable = false;
        Table {
            name: TableName::new("a", "t"),
            engine: "innodb".to_owned(),
            columns: vec![
                id,
                column("g", number, true),
                column("s", ColumnKind::Varchar { length: 9 }, false),
            ],
            keys: vec![key("PRIMARY", 0, None), key("s", 2, Some(3))],
            exactness: Exactness::Keyed,
            definition: String::new(),
            row_count_estimate: 0,
            byte_count_estimate: 0,
            adopted: None,
            shape: None,
            in_target: None,
        }
    }

    fn row(id: &str, s: Option<&str>) -> Row {
        Row::from_values([Some(id.as_bytes()), Some(b"0"), s.map(str::as_bytes)])
    }

    fn show(bytes: &[u8]) -> String {
        String::from_utf8_lossy(bytes).into_owned()
    }

    #[test]
    fn generated_columns_are_never_written() {
        let rows = [row("1", Some("x")), row("2", None)];
        let statements = insert_rows(&table(), rows.iter().map(Row::encoded));
        assert_eq!(statements.len(), 1);
        assert_eq!(
            show(&statements[0].0),
            "INSERT INTO `a`.`t` (`id`,`s`) VALUES (1,_binary'x'),(2,NULL)"
        );
        assert_eq!(statements[0].1, 2);
    }

    #[test]
    fn long_lists_are_cut() {
        let rows: Vec<Row> = (0..1201).map(|id| row(&id.to_string(), None)).collect();
        let counts: Vec<usize> = insert_rows(&table(), rows.iter().map(Row::encoded))
            .iter()
            .map(|(_, count)| *count)
            .collect();
        assert_eq!(counts, [500, 500, 201]);
        let keys: Vec<Row> = rows
            .iter()
            .filter_map(|row| key_of(&table(), row))
            .collect();
        let deletes = delete_keys(&table(), &keys);
        assert_eq!(deletes.len(), 3);
        assert!(show(&deletes[2].0).starts_with("DELETE FROM `a`.`t` WHERE `id` IN (1000,1001,"));
        assert!(deletes[2].0.ends_with(b"1200)"));
    }

    #[test]
    fn a_large_row_stands_alone() {
        let large = "x".repeat(STATEMENT_BYTES);
        let rows = [row("1", None), row("2", Some(&large)), row("3", None)];
        let counts: Vec<usize> = insert_rows(&table(), rows.iter().map(Row::encoded))
            .iter()
            .map(|(_, count)| *count)
            .collect();
        assert_eq!(counts, [1, 1, 1]);
    }

    #[test]
    fn exact_rows_are_found_by_their_bytes() {
        assert_eq!(
            show(&delete_exact(&table(), &row("7", Some("ä")))),
            "DELETE FROM `a`.`t` WHERE `id` = 7 AND CAST(`s` AS BINARY)=_binary'ä' LIMIT 1"
        );
        assert_eq!(
            show(&update_exact(&table(), &row("7", None), &row("8", None))),
            "UPDATE `a`.`t` SET `id`=8,`s`=NULL WHERE `id` = 7 AND `s` IS NULL LIMIT 1"
        );
    }

    #[test]
    fn holders_are_looked_up_by_whole_columns() {
        let mut table = table();
        assert!(select_holders(&table, &[&row("7", Some("abcd"))], "`id`").is_empty());
        table.keys[1].parts[0].prefix = None;
        let rows = [row("7", Some("a")), row("8", None), row("9", Some("b"))];
        let found = select_holders(&table, &rows.iter().collect::<Vec<_>>(), "`id`");
        assert_eq!(found.len(), 1);
        assert_eq!(
            show(&found[0]),
            "SELECT `id` FROM `a`.`t` WHERE (`s` = _utf8mb4 X'61') OR (`s` = _utf8mb4 X'62') FOR UPDATE"
        );
        assert!(select_holders(&table, &[&row("7", None)], "`id`").is_empty());
    }

    #[test]
    fn the_server_names_what_holds_a_row_up() {
        let (insert, find) = insert_or_find(&table(), &row("7", None), "`id`").expect("a key");
        assert_eq!(
            show(&insert),
            "SET @wherry_0=NULL;INSERT INTO `a`.`t` (`id`,`s`) VALUES (7,NULL) \
             ON DUPLICATE KEY UPDATE `id`=IF(LENGTH(@wherry_0:=`id`)>=0,`id`,`id`)"
        );
        assert_eq!(
            show(&find),
            "SELECT `id` FROM `a`.`t` WHERE `id`=@wherry_0 FOR UPDATE"
        );
    }
}
