//! Reading rows in key order, as canonical bytes; the same for source, target and snapshots.
//!
//! Owns the statements that walk a key, read a range of it and look keys up. Order and equality
//! are always the server's: bounds are literals that are compared by the column's own collation,
//! and the key's index is forced. Names are those of the target; who reads from the source passes
//! `Table::at_source`. Must not know what the rows are for. Read on in `literal`.

use crate::filter::Filter;
use crate::flavour::ServerVersion;
use crate::json;
use crate::literal::{push_key_comparison, push_key_condition, push_key_literal};
use crate::member::travels_by_number;
use crate::script::RowProgram;
use crate::session::{Pool, RowSet, Session, SessionError};
use async_trait::async_trait;
use wherry_engine::pipe::{BATCH_BYTES, RowSender};
use wherry_engine::ports::RowReader;
use wherry_engine::state::KeyRange;
use wherry_model::name::quote;
use wherry_model::row::{Values, push_value};
use wherry_model::{Column, ColumnKind, Fault, Key, Row, RowBatch, Table};

/// Keys looked up by one statement.
const KEYS_PER_STATEMENT: usize = 500;

/// Bytes of keys looked up by one statement, far below any server's `max_allowed_packet`.
const KEY_BYTES_PER_STATEMENT: usize = 256 << 10;

/// Reads rows through a pool of sessions of kind `Read`.
#[derive(Clone)]
pub struct TableReader {
    sessions: Pool,
    origin: Origin,
}

/// Whose rows are read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Origin {
    /// Only the rows that the filter of the table selects.
    Source,
    Target,
}

impl Origin {
    /// What the rows must meet, as SQL.
    fn condition(self, table: &Table) -> Result<Option<String>, Fault> {
        match self {
            Origin::Source => Ok(Filter::of(table)?.map(|filter| filter.sql().to_owned())),
            Origin::Target => Ok(None),
        }
    }

    /// What changes the rows.
    fn program(self, table: &Table) -> Result<Option<RowProgram>, Fault> {
        match self {
            Origin::Source => RowProgram::of(table),
            Origin::Target => Ok(None),
        }
    }

    /// True where the value of a column is asked for. A script may look at columns that stay behind;
    /// what only the target has is NULL until its value is computed.
    fn reads(self, table: &Table, column: usize) -> bool {
        match self {
            Origin::Source if table.is_added(column) => false,
            Origin::Source if table.is_rewritten() => true,
            Origin::Source | Origin::Target => !table.is_left_out(column),
        }
    }
}

impl TableReader {
    pub fn new(sessions: Pool, origin: Origin) -> TableReader {
        TableReader { sessions, origin }
    }
}

#[async_trait]
impl RowReader for TableReader {
    async fn key_after(
        &self,
        table: &Table,
        after: Option<&Row>,
        row_count: u64,
    ) -> Result<Option<Row>, Fault> {
        let mut session = self.sessions.get().await?;
        let sql = key_after_statement(table, after, row_count, session.version())?;
        session.set_label(format!("cut chunk of {}", table.name));
        let rows = session.query(sql).await.map_err(|error| at(table, error))?;
        Ok(rows.rows.into_iter().next())
    }

    async fn read_range(
        &self,
        table: &Table,
        range: &KeyRange,
        rows: &RowSender,
    ) -> Result<(), Fault> {
        let mut session = self.sessions.get().await?;
        read_range_in(&mut session, table, range, self.origin, rows).await
    }

    async fn read_keys(&self, table: &Table, keys: &[Row]) -> Result<Vec<Row>, Fault> {
        let mut session = self.sessions.get().await?;
        session.set_label(format!("look keys up in {}", table.name));
        let program = self.origin.program(table)?;
        let mut found = Vec::new();
        let mut rest = keys;
        while !rest.is_empty() {
            let (now, later) = rest.split_at(keys_that_fit(rest));
            rest = later;
            let sql = read_keys_statement(table, now, self.origin, session.version())?;
            let rows: RowSet = session.query(sql).await.map_err(|error| at(table, error))?;
            let documents = Documents::of(table, self.origin);
            for row in rows.rows {
                let row = documents.row(table, row)?;
                found.extend(written(&program, table, row)?);
            }
        }
        Ok(found)
    }
}

/// Sends the rows of a range through one session, which may be inside a snapshot.
///
/// A closed pipe ends it early without a fault; the session is broken then.
pub async fn read_range_in(
    session: &mut Session,
    table: &Table,
    range: &KeyRange,
    origin: Origin,
    rows: &RowSender,
) -> Result<(), Fault> {
    let sql = read_range_statement(table, range, origin, session.version())?;
    session.set_label(format!("read rows of {}", table.name));
    let mut stream = session
        .query_stream(sql)
        .await
        .map_err(|error| at(table, error))?;
    let documents = Documents::of(table, origin);
    let program = origin.program(table)?;
    loop {
        let mut batch = RowBatch::default();
        let more = stream
            .next_batch(&mut batch, BATCH_BYTES)
            .await
            .map_err(|error| at(table, error))?;
        let mut batch = documents.batch(table, batch)?;
        if let Some(program) = &program {
            batch = program.batch(table, &batch)?;
        }
        let is_wanted = !batch.is_empty() || !batch.skipped.is_nothing();
        if is_wanted && !rows.send(batch).await {
            return Ok(());
        }
        if !more {
            break;
        }
    }
    Ok(())
}

/// What a row of the source becomes; `None` where it is left out.
fn written(program: &Option<RowProgram>, table: &Table, row: Row) -> Result<Option<Row>, Fault> {
    match program {
        Some(program) => program.row(table, &row),
        None => Ok(Some(row)),
    }
}

fn at(table: &Table, error: SessionError) -> Fault {
    error.into_fault().table(&table.name)
}

/// How many of the first keys one statement looks up; at least one.
fn keys_that_fit(keys: &[Row]) -> usize {
    let mut bytes = 0;
    keys.iter()
        .take(KEYS_PER_STATEMENT)
        .take_while(|key| {
            bytes += key.encoded().len();
            bytes <= KEY_BYTES_PER_STATEMENT
        })
        .count()
        .max(1)
}

fn key_after_statement(
    table: &Table,
    after: Option<&Row>,
    row_count: u64,
    version: &ServerVersion,
) -> Result<Vec<u8>, Fault> {
    let key = identity(table)?;
    let columns: Vec<&Column> = key
        .parts
        .iter()
        .map(|part| &table.columns[part.column])
        .collect();
    let mut sql = b"SELECT ".to_vec();
    push_select_list(&mut sql, columns.into_iter(), version);
    push_from(&mut sql, table, Some(key));
    let lower = after.cloned();
    push_where(&mut sql, table, key, &KeyRange { lower, upper: None });
    push_order(&mut sql, table, key);
    let skipped = row_count.max(1) - 1;
    sql.extend_from_slice(format!(" LIMIT 1 OFFSET {skipped}").as_bytes());
    Ok(sql)
}

fn read_range_statement(
    table: &Table,
    range: &KeyRange,
    origin: Origin,
    version: &ServerVersion,
) -> Result<Vec<u8>, Fault> {
    let mut sql = b"SELECT ".to_vec();
    push_row_list(&mut sql, table, origin, version)?;
    let condition = origin.condition(table)?;
    match table.identity() {
        Some(key) => {
            push_from(&mut sql, table, Some(key));
            let bounded = push_where(&mut sql, table, key, range);
            if let Some(condition) = condition {
                let word = if bounded { "AND" } else { "WHERE" };
                sql.extend_from_slice(format!(" {word} {condition}").as_bytes());
            }
            push_order(&mut sql, table, key);
        }
        // A table without a key has one range: all of it, in no order.
        None if *range == KeyRange::all() => {
            push_from(&mut sql, table, None);
            if let Some(condition) = condition {
                sql.extend_from_slice(format!(" WHERE {condition}").as_bytes());
            }
        }
        None => return Err(no_key(table)),
    }
    Ok(sql)
}

fn read_keys_statement(
    table: &Table,
    keys: &[Row],
    origin: Origin,
    version: &ServerVersion,
) -> Result<Vec<u8>, Fault> {
    let key = identity(table)?;
    let mut sql = b"SELECT ".to_vec();
    push_row_list(&mut sql, table, origin, version)?;
    push_from(&mut sql, table, Some(key));
    sql.extend_from_slice(b" WHERE ");
    let condition = origin.condition(table)?;
    if condition.is_some() {
        sql.push(b'(');
    }
    match key.parts.as_slice() {
        [part] if compares_well_in_a_list(&table.columns[part.column]) => {
            let column = &table.columns[part.column];
            sql.extend_from_slice(quote(column.target_name()).as_bytes());
            sql.extend_from_slice(b" IN (");
            for (index, key) in keys.iter().enumerate() {
                if index > 0 {
                    sql.push(b',');
                }
                push_key_literal(&mut sql, column, key.values().next().flatten());
            }
            sql.push(b')');
        }
        _ => {
            for (index, key) in keys.iter().enumerate() {
                if index > 0 {
                    sql.extend_from_slice(b" OR ");
                }
                push_key_condition(&mut sql, table, key);
            }
        }
    }
    if let Some(condition) = condition {
        sql.extend_from_slice(format!(") AND {condition}").as_bytes());
    }
    Ok(sql)
}

/// Servers convert the members of a list by rules of their own for temporal values, labels and
/// years; for these kinds a list compares as `=` does.
fn compares_well_in_a_list(column: &Column) -> bool {
    matches!(
        column.kind,
        ColumnKind::Integer { .. }
            | ColumnKind::Decimal { .. }
            | ColumnKind::Char { .. }
            | ColumnKind::Varchar { .. }
            | ColumnKind::Binary { .. }
            | ColumnKind::Varbinary { .. }
    )
}

/// Appends every column of the table, so that a row of the answer is a row of the table, and
/// behind them the types in each JSON document; `Documents` makes both one value.
fn push_row_list(
    sql: &mut Vec<u8>,
    table: &Table,
    origin: Origin,
    version: &ServerVersion,
) -> Result<(), Fault> {
    for (index, column) in table.columns.iter().enumerate() {
        if index > 0 {
            sql.push(b',');
        }
        if origin.reads(table, index) {
            push_select_list(sql, std::iter::once(column), version);
        } else {
            sql.extend_from_slice(b"NULL");
        }
    }
    if let Some(fault) = json::fault::unreadable(table, version) {
        return Err(fault);
    }
    for index in documents(table, origin) {
        sql.push(b',');
        json::push_types_query(sql, &quote(table.columns[index].target_name()));
    }
    Ok(())
}

/// The JSON columns that are read.
fn documents(table: &Table, origin: Origin) -> impl Iterator<Item = usize> {
    let is_json = |index: &usize| table.columns[*index].kind == ColumnKind::Json;
    (0..table.columns.len())
        .filter(is_json)
        .filter(move |&index| origin.reads(table, index))
}

/// Where the JSON columns of a table are, to turn a server's answers into canonical rows.
struct Documents {
    columns: Vec<usize>,
    column_count: usize,
}

impl Documents {
    fn of(table: &Table, origin: Origin) -> Documents {
        Documents {
            columns: documents(table, origin).collect(),
            column_count: table.columns.len(),
        }
    }

    fn batch(&self, table: &Table, answer: RowBatch) -> Result<RowBatch, Fault> {
        if self.columns.is_empty() {
            return Ok(answer);
        }
        let mut batch = RowBatch::default();
        let mut scratch = Vec::new();
        for answered in answer.iter() {
            scratch.clear();
            self.push(table, answered, &mut scratch)?;
            batch.push_encoded(&scratch);
        }
        Ok(batch)
    }

    fn row(&self, table: &Table, answered: Row) -> Result<Row, Fault> {
        if self.columns.is_empty() {
            return Ok(answered);
        }
        let mut out = Vec::with_capacity(answered.encoded().len());
        self.push(table, answered.encoded(), &mut out)?;
        Ok(Row::from_encoded(out.into()))
    }

    /// Appends the canonical row of an answer.
    fn push(&self, table: &Table, answered: &[u8], out: &mut Vec<u8>) -> Result<(), Fault> {
        let values = || Values::of(answered);
        let mut documents = self.columns.iter().zip(values().skip(self.column_count));
        let mut next = documents.next();
        for (index, value) in values().take(self.column_count).enumerate() {
            let Some((_, types)) = next.filter(|&(&column, _)| column == index) else {
                push_value(out, value);
                continue;
            };
            next = documents.next();
            let asked = value.map(|text| json::with_types(text, types)).transpose();
            let asked = asked.map_err(|error| json::fault::unwritable(table, index, error))?;
            match asked {
                Some(json::Asked::Typed(form)) => push_value(out, Some(&form)),
                Some(json::Asked::Text) | None => push_value(out, value),
            }
        }
        Ok(())
    }
}

/// Appends the columns so that the server answers with canonical values.
///
/// FLOAT is printed with six digits unless it is read as DOUBLE. For ENUM and SET see `member`.
pub(crate) fn push_select_list<'a>(
    sql: &mut Vec<u8>,
    columns: impl Iterator<Item = &'a Column>,
    version: &ServerVersion,
) {
    for (index, column) in columns.enumerate() {
        if index > 0 {
            sql.push(b',');
        }
        let name = quote(column.target_name());
        let expression = match column.kind {
            ColumnKind::Float | ColumnKind::Double if !prints_all_digits(column) => {
                if version.has_cast_as_double() {
                    format!("CAST({name} AS DOUBLE)")
                } else {
                    format!("{name} * 1e0")
                }
            }
            ColumnKind::Enum { .. } | ColumnKind::Set { .. } if travels_by_number(column) => {
                format!("CAST({name} AS UNSIGNED)")
            }
            _ => name,
        };
        sql.extend_from_slice(expression.as_bytes());
    }
}

/// A `DOUBLE(m,d)` is printed with `d` digits, one with ZEROFILL with zeros before its sign.
fn prints_all_digits(column: &Column) -> bool {
    column.kind == ColumnKind::Double
        && !column.column_type.contains('(')
        && !column.column_type.contains("zerofill")
}

fn push_from(sql: &mut Vec<u8>, table: &Table, key: Option<&Key>) {
    sql.extend_from_slice(format!(" FROM {}", table.target_name()).as_bytes());
    if let Some(key) = key {
        sql.extend_from_slice(format!(" FORCE INDEX ({})", quote(&key.name)).as_bytes());
    }
}

/// True where there is a bound.
fn push_where(sql: &mut Vec<u8>, table: &Table, key: &Key, range: &KeyRange) -> bool {
    let mut word: &[u8] = b" WHERE ";
    for (bound, side) in [(&range.lower, Side::Behind), (&range.upper, Side::UpTo)] {
        if let Some(bound) = bound {
            sql.extend_from_slice(word);
            push_bound(sql, table, key, bound, side);
            word = b" AND ";
        }
    }
    range.lower.is_some() || range.upper.is_some()
}

/// Which rows a bound takes, in the order of the key.
#[derive(Clone, Copy)]
enum Side {
    /// Those behind it.
    Behind,
    /// Those before it and itself.
    UpTo,
}

impl Side {
    /// The operator for one part of the key.
    fn operator(self, descending: bool, last: bool) -> &'static str {
        match (self, descending, last) {
            (Side::Behind, false, _) | (Side::UpTo, true, false) => ">",
            (Side::Behind, true, _) | (Side::UpTo, false, false) => "<",
            (Side::UpTo, false, true) => "<=",
            (Side::UpTo, true, true) => ">=",
        }
    }
}

/// Appends `(a > x OR (a = x AND b > y))`: servers use an index for this form, and not for
/// `(a, b) > (x, y)`.
fn push_bound(sql: &mut Vec<u8>, table: &Table, key: &Key, bound: &Row, side: Side) {
    let count = key.parts.len();
    for (index, (part, value)) in key.parts.iter().zip(bound.values()).enumerate() {
        let column = &table.columns[part.column];
        let last = index + 1 == count;
        sql.push(b'(');
        push_key_comparison(sql, column, side.operator(part.descending, last), value);
        if !last {
            sql.extend_from_slice(b" OR (");
            push_key_comparison(sql, column, "=", value);
            sql.extend_from_slice(b" AND ");
        }
    }
    // One bracket for the last part, two for each before it.
    for _ in 0..count * 2 - 1 {
        sql.push(b')');
    }
}

/// Appends the order of the key. Names are qualified, since a bare one could mean an expression
/// of the select list.
fn push_order(sql: &mut Vec<u8>, table: &Table, key: &Key) {
    for (index, part) in key.parts.iter().enumerate() {
        let word = if index == 0 { " ORDER BY " } else { "," };
        let column = quote(table.columns[part.column].target_name());
        let order = if part.descending { " DESC" } else { "" };
        sql.extend_from_slice(format!("{word}{}.{column}{order}", table.target_name()).as_bytes());
    }
}

fn identity(table: &Table) -> Result<&Key, Fault> {
    table.identity().ok_or_else(|| no_key(table))
}

fn no_key(table: &Table) -> Fault {
    Fault::bug(
        "SRC-020",
        format!(
            "keys of table {} were asked for, which has none",
            table.name
        ),
    )
    .table(&table.name)
}

#[cfg(test)]
mod tests {
    use super::*;
    use wherry_model::{Exactness, KeyPart, TableName};

    fn column(name: &str, kind: ColumnKind) -> Column {
        Column {
            name: name.to_owned(),
            kind,
            column_type: String::new(),
            nullable: false,
            charset: Some("utf8mb4".to_owned()),
            collation: None,
            generated: false,
            auto_increment: false,
            in_target: None,
        }
    }

    fn integer() -> ColumnKind {
        ColumnKind::Integer {
            bytes: 8,
            unsigned: false,
        }
    }

    fn table(columns: Vec<Column>, key_width: usize) -> Table {
        let part = |column| KeyPart {
            column,
            prefix: None,
            descending: false,
        };
        let key = Key {
            name: "PRIMARY".to_owned(),
            primary: true,
            unique: true,
            parts: (0..key_width).map(part).collect(),
            functional: false,
        };
        Table {
            name: TableName::new("d", "t"),
            engine: "innodb".to_owned(),
            columns,
            keys: if key_width == 0 {
                Vec::new()
            } else {
                vec![key]
            },
            exactness: Exactness::Keyed,
            definition: String::new(),
            row_count_estimate: 0,
            byte_count_estimate: 0,
            adopted: None,
            shape: None,
            in_target: None,
        }
    }

    fn version(text: &str) -> ServerVersion {
        ServerVersion::parse(text).expect("a version")
    }

    fn row(values: &[&str]) -> Row {
        Row::from_values(values.iter().map(|value| Some(value.as_bytes())))
    }

    fn check(sql: Result<Vec<u8>, Fault>, expected: &str) {
        let sql = sql.expect("a statement");
        assert_eq!(String::from_utf8_lossy(&sql), expected);
    }

    #[test]
    fn a_composite_key_is_expanded_for_its_index() {
        let columns = vec![
            column("a", integer()),
            column("b", ColumnKind::Varchar { length: 9 }),
            column("c", integer()),
        ];
        let table = table(columns, 3);
        let range = KeyRange {
            lower: Some(row(&["-1", "x", "2"])),
            upper: Some(row(&["7", "y", "9"])),
        };
        check(
            read_range_statement(&table, &range, Origin::Source, &version("9.7.4")),
            "SELECT `a`,`b`,`c` FROM `d`.`t` FORCE INDEX (`PRIMARY`) WHERE \
             (`a` > -1 OR (`a` = -1 AND (`b` > _utf8mb4 X'78' OR (`b` = _utf8mb4 X'78' AND (`c` > 2))))) AND \
             (`a` < 7 OR (`a` = 7 AND (`b` < _utf8mb4 X'79' OR (`b` = _utf8mb4 X'79' AND (`c` <= 9))))) \
             ORDER BY `d`.`t`.`a`,`d`.`t`.`b`,`d`.`t`.`c`",
        );
    }

    #[test]
    fn a_walk_follows_the_directions_of_its_index() {
        let mut table = table(vec![column("a", integer()), column("b", integer())], 2);
        table.keys[0].parts[1].descending = true;
        let range = KeyRange {
            lower: Some(row(&["1", "2"])),
            upper: Some(row(&["7", "9"])),
        };
        check(
            read_range_statement(&table, &range, Origin::Source, &version("9.7.4")),
            "SELECT `a`,`b` FROM `d`.`t` FORCE INDEX (`PRIMARY`) WHERE \
             (`a` > 1 OR (`a` = 1 AND (`b` < 2))) AND (`a` < 7 OR (`a` = 7 AND (`b` >= 9))) \
             ORDER BY `d`.`t`.`a`,`d`.`t`.`b` DESC",
        );
    }

    #[test]
    fn a_walk_skips_all_but_the_last_row() {
        let table = table(
            vec![column("f", ColumnKind::Float), column("x", integer())],
            1,
        );
        check(
            key_after_statement(&table, None, 1000, &version("8.0.44")),
            "SELECT CAST(`f` AS DOUBLE) FROM `d`.`t` FORCE INDEX (`PRIMARY`) \
             ORDER BY `d`.`t`.`f` LIMIT 1 OFFSET 999",
        );
        check(
            key_after_statement(&table, Some(&row(&["1.5"])), 1, &version("5.6.24")),
            "SELECT `f` * 1e0 FROM `d`.`t` FORCE INDEX (`PRIMARY`) WHERE (`f` > 1.5e0) \
             ORDER BY `d`.`t`.`f` LIMIT 1 OFFSET 0",
        );
    }

    #[test]
    fn keys_are_looked_up_in_lists_where_that_compares_alike() {
        let numbers = table(vec![column("a", integer())], 1);
        check(
            read_keys_statement(
                &numbers,
                &[row(&["1"]), row(&["2"])],
                Origin::Source,
                &version("9.7.4"),
            ),
            "SELECT `a` FROM `d`.`t` FORCE INDEX (`PRIMARY`) WHERE `a` IN (1,2)",
        );
        let days = table(
            vec![column("a", ColumnKind::Date), column("b", integer())],
            1,
        );
        check(
            read_keys_statement(
                &days,
                &[row(&["2024-01-01"])],
                Origin::Source,
                &version("9.7.4"),
            ),
            "SELECT `a`,`b` FROM `d`.`t` FORCE INDEX (`PRIMARY`) WHERE (`a` = '2024-01-01')",
        );
    }

    #[test]
    fn a_table_without_a_key_has_one_range() {
        let table = table(vec![column("a", integer())], 0);
        check(
            read_range_statement(&table, &KeyRange::all(), Origin::Source, &version("9.7.4")),
            "SELECT `a` FROM `d`.`t`",
        );
        let range = KeyRange {
            lower: Some(row(&["1"])),
            upper: None,
        };
        let fault = read_range_statement(&table, &range, Origin::Source, &version("9.7.4"))
            .expect_err("no key");
        assert_eq!(fault.code, "SRC-020");
        assert!(key_after_statement(&table, None, 1, &version("9.7.4")).is_err());
    }

    #[test]
    fn lookups_are_bounded_by_count_and_bytes() {
        let small = vec![row(&["1"]); KEYS_PER_STATEMENT + 1];
        assert_eq!(keys_that_fit(&small), KEYS_PER_STATEMENT);
        let large = vec![row(&["x".repeat(KEY_BYTES_PER_STATEMENT).as_str()]); 2];
        assert_eq!(keys_that_fit(&large), 1);
    }
}
