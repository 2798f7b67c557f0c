//! What a server says about its databases and tables.
//!
//! Owns reading `information_schema` into [`Table`]s, for source, target and shadow tables alike,
//! and which tables are refused. Must not change anything on the server. Names are compared
//! exactly as the server gives them. Read on in `refusal` for what is refused in a live move.

mod column_type;
mod family;
mod lost;
mod refusal;

pub(crate) use column_type::digits_in_parentheses;
pub(crate) use family::cascade_of;
pub use family::{ForeignKeyFact, cascades_are_logged, foreign_keys, mark_family};
pub(crate) use lost::lost_texts;
pub use refusal::{carried, refusals};

use crate::flavour::ServerVersion;
use crate::literal::push_quoted;
use crate::session::{RowSet, Session};
use column_type::{TypeFacts, column_kind};
use std::collections::{BTreeMap, BTreeSet, HashMap};
use wherry_engine::ports::DatabaseDefinition;
use wherry_model::{Class, Column, ColumnKind, Exactness, Fault, Key, KeyPart, Table, TableName};

/// Names in one `IN` list of a catalog query.
const NAMES_PER_QUERY: usize = 500;

/// Readings of a catalog whose definitions change all the while.
const SURVEY_COUNT_MAX: usize = 20;

/// Which tables to read.
#[derive(Debug, Clone, Copy)]
pub enum Scope<'a> {
    /// Every base table of these databases.
    Databases(&'a [String]),
    /// Exactly these; one that does not exist is simply not in the result.
    Tables(&'a [TableName]),
}

impl Scope<'_> {
    fn includes(&self, name: &TableName) -> bool {
        match self {
            Scope::Databases(databases) => databases.contains(&name.database),
            Scope::Tables(tables) => tables.contains(name),
        }
    }

    fn databases(&self) -> Vec<&str> {
        let mut names: Vec<&str> = match self {
            Scope::Databases(databases) => databases.iter().map(String::as_str).collect(),
            Scope::Tables(tables) => tables.iter().map(|name| name.database.as_str()).collect(),
        };
        names.sort_unstable();
        names.dedup();
        names
    }

    /// Conditions that together cover the scope, each with a bounded list of names.
    fn conditions(&self) -> Vec<Vec<u8>> {
        let databases = self.databases();
        let mut conditions = Vec::new();
        match self {
            Scope::Databases(_) => {
                for names in databases.chunks(NAMES_PER_QUERY) {
                    conditions.push(in_list(b"TABLE_SCHEMA", names));
                }
            }
            Scope::Tables(tables) => {
                for database in databases {
                    let names: Vec<&str> = tables
                        .iter()
                        .filter(|name| name.database == database)
                        .map(|name| name.table.as_str())
                        .collect();
                    for names in names.chunks(NAMES_PER_QUERY) {
                        let mut condition = in_list(b"TABLE_SCHEMA", &[database]);
                        condition.extend_from_slice(b" AND ");
                        condition.extend(in_list(b"TABLE_NAME", names));
                        conditions.push(condition);
                    }
                }
            }
        }
        conditions
    }
}

/// What a scope holds: tables that were read, and a fault for each that cannot be carried.
#[derive(Debug, Default)]
pub struct Survey {
    pub tables: Vec<Table>,
    pub refused: Vec<Fault>,
    /// What could be read of refused tables: enough to see what they are tied to.
    pub drafts: Vec<Table>,
}

impl Survey {
    /// Errors: the first table that cannot be carried.
    pub fn into_tables(mut self) -> Result<Vec<Table>, Fault> {
        if self.refused.is_empty() {
            return Ok(self.tables);
        }
        Err(self.refused.swap_remove(0))
    }
}

/// Reads the tables of a scope, in order of name.
///
/// Errors: the first table with a column that Wherry cannot carry; use [`survey`] for all.
pub async fn read_tables(session: &mut Session, scope: Scope<'_>) -> Result<Vec<Table>, Fault> {
    survey(session, scope).await?.into_tables()
}

/// Reads one table; `None` where it does not exist.
pub async fn read_table(session: &mut Session, name: &TableName) -> Result<Option<Table>, Fault> {
    let names = std::slice::from_ref(name);
    Ok(read_tables(session, Scope::Tables(names)).await?.pop())
}

/// Reads the tables of a scope and keeps going where one is refused.
pub async fn survey(session: &mut Session, scope: Scope<'_>) -> Result<Survey, Fault> {
    show_everything(session).await?;
    let mut drafts: BTreeMap<TableName, Draft> = BTreeMap::new();
    for condition in scope.conditions() {
        collect_tables(session, &scope, &condition, &mut drafts).await?;
        collect_columns(session, &condition, &mut drafts).await?;
        collect_keys(session, &condition, &mut drafts).await?;
    }
    let mut survey = Survey::default();
    for (name, draft) in drafts {
        // A table dropped meanwhile is left out, as if it had not been there at all.
        let definition = match (definition_of(session, &name).await, &draft.refused) {
            (Ok(Some(definition)), _) => definition,
            (Err(fault), None) => return Err(fault),
            (Ok(None), None) => continue,
            (_, Some(_)) => String::new(),
        };
        let table = finish(name, draft.table, definition);
        match draft.refused {
            Some(fault) => {
                survey.refused.push(fault);
                survey.drafts.push(table);
            }
            None => survey.tables.push(table),
        }
    }
    Ok(survey)
}

/// As `survey`, again where it was torn apart by a definition change, or a table that it has not met
/// is there behind it: neither is a property of a table. Servers without a data dictionary list the
/// files of a folder, and a RENAME that swaps two tables moves these one by one, before it is in the
/// binlog: nothing else would ever tell of a table that was away for that moment. Seen with swaps in a
/// loop: 5.6 left a table out of 4 of 1162 readings, MariaDB of 1 of 936.
pub async fn survey_whole(session: &mut Session, scope: Scope<'_>) -> Result<Survey, Fault> {
    let mut found = survey(session, scope).await?;
    for _ in 1..SURVEY_COUNT_MAX {
        // The survey has asked for definitions, which waits for whoever moves a table.
        let mut listed = list_tables(session, &scope).await?;
        listed.extend(list_tables(session, &scope).await?);
        let met: BTreeSet<&TableName> = found.tables.iter().map(|table| &table.name).collect();
        let refused = |name: &TableName| {
            let mut refused = found.refused.iter();
            refused.any(|fault| fault.table_name() == Some(name))
        };
        let is_met = |name: &TableName| met.contains(name) || refused(name);
        let torn = |fault: &Fault| fault.class == Class::Transient;
        if listed.iter().all(is_met) && !found.refused.iter().any(torn) {
            break;
        }
        found = survey(session, scope).await?;
    }
    Ok(found)
}

async fn list_tables(session: &mut Session, scope: &Scope<'_>) -> Result<Vec<TableName>, Fault> {
    let mut names = Vec::new();
    for condition in scope.conditions() {
        let mut sql = b"SELECT TABLE_SCHEMA, TABLE_NAME FROM information_schema.TABLES \
                        WHERE TABLE_TYPE IN ('BASE TABLE', 'SYSTEM VERSIONED') AND "
            .to_vec();
        sql.extend_from_slice(&condition);
        let rows = session.query(sql).await?;
        for row in 0..rows.rows.len() {
            names.push(TableName::new(
                required(&rows, row, 0)?,
                required(&rows, row, 1)?,
            ));
        }
    }
    names.retain(|name| scope.includes(name));
    Ok(names)
}

/// Character set, collation and comment of databases that exist, in order of name.
pub async fn read_databases(
    session: &mut Session,
    names: &[String],
) -> Result<Vec<DatabaseDefinition>, Fault> {
    let mut found = Vec::new();
    for chunk in names.chunks(NAMES_PER_QUERY) {
        let chunk: Vec<&str> = chunk.iter().map(String::as_str).collect();
        let comment = if session.version().has_database_comments() {
            "SCHEMA_COMMENT"
        } else {
            "''"
        };
        let mut sql = format!(
            "SELECT SCHEMA_NAME, DEFAULT_CHARACTER_SET_NAME, DEFAULT_COLLATION_NAME, {comment} \
             FROM information_schema.SCHEMATA WHERE "
        )
        .into_bytes();
        sql.extend(in_list(b"SCHEMA_NAME", &chunk));
        let rows = session.query(sql).await?;
        for row in 0..rows.rows.len() {
            let database = DatabaseDefinition {
                name: required(&rows, row, 0)?,
                charset: required(&rows, row, 1)?,
                collation: required(&rows, row, 2)?,
                comment: rows.text(row, 3).unwrap_or_default().to_owned(),
            };
            if names.contains(&database.name) {
                found.push(database);
            }
        }
    }
    found.sort_by(|one, other| one.name.cmp(&other.name));
    Ok(found)
}

/// The text of `SHOW CREATE TABLE`; `None` where the table does not exist.
pub async fn definition_of(
    session: &mut Session,
    name: &TableName,
) -> Result<Option<String>, Fault> {
    let rows = match session.query(format!("SHOW CREATE TABLE {name}")).await {
        Ok(rows) => rows,
        Err(error) if error.server_code() == Some(NO_SUCH_TABLE) => return Ok(None),
        Err(error) => return Err(error.into_fault().table(name)),
    };
    match rows.text(0, 1) {
        Some(text) => Ok(Some(text.to_owned())),
        None => Err(Fault::operator(
            "SRC-002",
            format!("could not read the definition of table {name} as UTF-8"),
        )
        .table(name)
        .hint("Rename the objects or labels of this table that are not valid text.")),
    }
}

/// Names in definitions are quoted, and the hidden primary key is shown, only where the server
/// is told so. Sessions have a `sql_mode` under which definitions are printed whole.
async fn show_everything(session: &mut Session) -> Result<(), Fault> {
    let mut sql = "SET SESSION sql_quote_show_create = 1".to_owned();
    if session.version().has_generated_primary_keys() {
        sql.push_str(", SESSION show_gipk_in_create_table_and_information_schema = ON");
    }
    session.execute(sql).await?;
    Ok(())
}

/// Server error `ER_NO_SUCH_TABLE`.
const NO_SUCH_TABLE: u16 = 1146;

/// A table while its parts come in.
struct Draft {
    table: Table,
    refused: Option<Fault>,
    /// Names of keys that the optimiser does not see.
    invisible: BTreeSet<String>,
}

async fn collect_tables(
    session: &mut Session,
    scope: &Scope<'_>,
    condition: &[u8],
    drafts: &mut BTreeMap<TableName, Draft>,
) -> Result<(), Fault> {
    let mut sql = b"SELECT TABLE_SCHEMA, TABLE_NAME, TABLE_TYPE, ENGINE, TABLE_ROWS, DATA_LENGTH, \
                    TABLE_COMMENT FROM information_schema.TABLES WHERE "
        .to_vec();
    sql.extend_from_slice(condition);
    let rows = session.query(sql).await?;
    for row in 0..rows.rows.len() {
        let name = TableName::new(required(&rows, row, 0)?, required(&rows, row, 1)?);
        let kind = required(&rows, row, 2)?;
        if !scope.includes(&name) || !matches!(kind.as_str(), "BASE TABLE" | "SYSTEM VERSIONED") {
            continue;
        }
        let refused = refuse_table(&name, &kind, &rows, row);
        let table = Table {
            name: name.clone(),
            engine: rows.text(row, 3).unwrap_or_default().to_lowercase(),
            columns: Vec::new(),
            keys: Vec::new(),
            exactness: Exactness::Keyless,
            definition: String::new(),
            row_count_estimate: number(&rows, row, 4).unwrap_or(0),
            byte_count_estimate: number(&rows, row, 5).unwrap_or(0),
            adopted: None,
            shape: None,
            in_target: None,
        };
        let draft = Draft {
            table,
            refused,
            invisible: BTreeSet::new(),
        };
        drafts.insert(name, draft);
    }
    Ok(())
}

fn refuse_table(name: &TableName, kind: &str, rows: &RowSet, row: usize) -> Option<Fault> {
    if kind == "SYSTEM VERSIONED" {
        return Some(
            Fault::operator("SRC-003", format!("table {name} is system-versioned"))
                .table(name)
                .hint("Drop its versioning, or leave its database out of the selection."),
        );
    }
    if rows.bytes(row, 3).is_none() {
        let comment = rows.text(row, 6).unwrap_or("no reason given");
        return Some(
            Fault::operator(
                "SRC-004",
                format!("server cannot open table {name}: {comment}"),
            )
            .table(name)
            .hint("Repair or drop the table at the server, then start again."),
        );
    }
    None
}

async fn collect_columns(
    session: &mut Session,
    condition: &[u8],
    drafts: &mut BTreeMap<TableName, Draft>,
) -> Result<(), Fault> {
    let mut sql = b"SELECT TABLE_SCHEMA, TABLE_NAME, ORDINAL_POSITION, COLUMN_NAME, IS_NULLABLE, \
                    DATA_TYPE, COLUMN_TYPE, CHARACTER_MAXIMUM_LENGTH, CHARACTER_OCTET_LENGTH, \
                    NUMERIC_PRECISION, NUMERIC_SCALE, DATETIME_PRECISION, CHARACTER_SET_NAME, \
                    COLLATION_NAME, EXTRA FROM information_schema.COLUMNS WHERE "
        .to_vec();
    sql.extend_from_slice(condition);
    let rows = session.query(sql).await?;
    let mut order: Vec<(u64, usize)> = (0..rows.rows.len())
        .map(|row| (number(&rows, row, 2).unwrap_or(0), row))
        .collect();
    order.sort_unstable();
    for (_, row) in order {
        let name = TableName::new(required(&rows, row, 0)?, required(&rows, row, 1)?);
        let Some(draft) = drafts.get_mut(&name) else {
            continue;
        };
        let column = match column(&rows, row)? {
            Ok(column) => column,
            Err(reason) => {
                let column = required(&rows, row, 3)?;
                draft
                    .refused
                    .get_or_insert_with(|| refuse_column(&name, &column, &reason));
                continue;
            }
        };
        if has_lost_label(&column) {
            let fault = || refuse_labels(&name, &column.name);
            draft.refused.get_or_insert_with(fault);
        }
        draft.table.columns.push(column);
    }
    Ok(())
}

fn refuse_column(table: &TableName, column: &str, reason: &str) -> Fault {
    Fault::operator(
        "SRC-005",
        format!("column `{column}` of table {table} {reason}"),
    )
    .table(table)
    .hint("Change the column's type, or leave its database out of the selection.")
}

fn refuse_labels(table: &TableName, column: &str) -> Fault {
    Fault::operator(
        "SRC-007",
        format!(
            "column `{column}` of table {table} has a label with `?`, which is also what servers \
             print for characters outside the basic plane, like emoji"
        ),
    )
    .table(table)
    .hint(
        "Rename the label, or change the column's character set to utf8mb3 if it has no such \
         character.",
    )
}

/// True where a label may not be what the catalog says: no server prints a label's characters
/// beyond U+FFFF, in any statement (seen on 9.7.4, 5.6.24 and MariaDB 10.11).
fn has_lost_label(column: &Column) -> bool {
    let (ColumnKind::Enum { labels } | ColumnKind::Set { labels }) = &column.kind else {
        return false;
    };
    let wide = ["utf8mb4", "utf16", "utf16le", "utf32", "gb18030"];
    column
        .charset
        .as_deref()
        .is_some_and(|charset| wide.contains(&charset))
        && labels.iter().any(|label| label.contains('?'))
}

/// One column; the inner error says why it cannot be carried.
fn column(rows: &RowSet, row: usize) -> Result<Result<Column, String>, Fault> {
    let text = |index| rows.text(row, index);
    let column_type = required(rows, row, 6)?;
    let data_type = required(rows, row, 5)?.to_lowercase();
    let extra = text(14).unwrap_or_default().to_uppercase();
    let facts = TypeFacts {
        data_type: &data_type,
        column_type: &column_type,
        characters_max: number(rows, row, 7),
        bytes_max: number(rows, row, 8),
        precision: number(rows, row, 9),
        scale: number(rows, row, 10),
        fraction: number(rows, row, 11),
    };
    let kind = match column_kind(&facts) {
        Ok(kind) => kind,
        Err(reason) => return Ok(Err(reason)),
    };
    Ok(Ok(Column {
        name: required(rows, row, 3)?,
        kind,
        nullable: text(4) == Some("YES"),
        charset: text(12).map(str::to_owned),
        collation: text(13).map(str::to_owned),
        generated: is_generated(&extra),
        auto_increment: extra.contains("AUTO_INCREMENT"),
        in_target: None,
        column_type,
    }))
}

/// `DEFAULT_GENERATED` is a default, not a generated column.
fn is_generated(extra: &str) -> bool {
    ["VIRTUAL", "PERSISTENT", "STORED GENERATED"]
        .iter()
        .any(|word| extra.contains(word))
}

async fn collect_keys(
    session: &mut Session,
    condition: &[u8],
    drafts: &mut BTreeMap<TableName, Draft>,
) -> Result<(), Fault> {
    let visible = visible_expression(session.version());
    let expression = if session.version().has_functional_keys() {
        "EXPRESSION"
    } else {
        "NULL"
    };
    let mut sql = format!(
        "SELECT TABLE_SCHEMA, TABLE_NAME, INDEX_NAME, SEQ_IN_INDEX, COLUMN_NAME, SUB_PART, \
         NON_UNIQUE, {expression}, {visible}, COLLATION FROM information_schema.STATISTICS WHERE "
    )
    .into_bytes();
    sql.extend_from_slice(condition);
    let rows = session.query(sql).await?;
    let mut parts: BTreeMap<(TableName, String), Vec<(u64, usize)>> = BTreeMap::new();
    for row in 0..rows.rows.len() {
        let table = TableName::new(required(&rows, row, 0)?, required(&rows, row, 1)?);
        let place = number(&rows, row, 3).unwrap_or(0);
        parts
            .entry((table, required(&rows, row, 2)?))
            .or_default()
            .push((place, row));
    }
    for ((table, name), mut places) in parts {
        let Some(draft) = drafts.get_mut(&table) else {
            continue;
        };
        places.sort_unstable();
        if rows.text(places[0].1, 8) == Some("NO") {
            draft.invisible.insert(name.clone());
        }
        let columns = column_indices(&draft.table);
        match key(name, &rows, &places, &columns) {
            Some(key) => draft.table.keys.push(key),
            None if draft.refused.is_none() => draft.refused = Some(changed_meanwhile(&table)),
            None => {}
        }
    }
    for draft in drafts.values_mut() {
        order_keys(draft);
    }
    Ok(())
}

fn visible_expression(version: &ServerVersion) -> &'static str {
    if version.has_functional_keys() {
        "IS_VISIBLE"
    } else if version.has_ignored_keys() {
        "IF(IGNORED = 'YES', 'NO', 'YES')"
    } else {
        "'YES'"
    }
}

/// Columns and keys come from two queries; a DDL between them may tear them apart.
fn changed_meanwhile(table: &TableName) -> Fault {
    Fault::transient(
        "SRC-006",
        format!("the definition of table {table} changed while it was read"),
    )
    .table(table)
    .hint("Wherry reads it again by itself.")
}

fn column_indices(table: &Table) -> HashMap<String, usize> {
    table
        .columns
        .iter()
        .enumerate()
        .map(|(index, column)| (column.name.to_lowercase(), index))
        .collect()
}

fn key(
    name: String,
    rows: &RowSet,
    places: &[(u64, usize)],
    columns: &HashMap<String, usize>,
) -> Option<Key> {
    let mut parts = Vec::with_capacity(places.len());
    let mut functional = false;
    for &(_, row) in places {
        let Some(column) = rows.text(row, 4) else {
            functional = true;
            continue;
        };
        parts.push(KeyPart {
            column: *columns.get(&column.to_lowercase())?,
            prefix: number(rows, row, 5).and_then(|length| u32::try_from(length).ok()),
            descending: rows.text(row, 9) == Some("D"),
        });
    }
    Some(Key {
        primary: name == "PRIMARY",
        unique: rows.text(places[0].1, 6) == Some("0"),
        name,
        parts,
        functional,
    })
}

/// The primary key, then unique keys, then the rest, each by name: two servers with the same
/// definition then choose the same identity. Keys that cannot be forced come last.
fn order_keys(draft: &mut Draft) {
    let invisible = &draft.invisible;
    draft.table.keys.sort_by_cached_key(|key| {
        (
            !key.primary,
            !key.unique,
            invisible.contains(&key.name),
            key.name.clone(),
        )
    });
}

fn finish(name: TableName, mut table: Table, definition: String) -> Table {
    table.name = name;
    table.definition = definition;
    table.exactness = if table.identity().is_some() {
        Exactness::Keyed
    } else {
        Exactness::Keyless
    };
    table
}

/// The condition that a column holds one of these names.
pub(crate) fn names_in(column: &str, names: &[String]) -> Vec<u8> {
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    in_list(column.as_bytes(), &names)
}

fn in_list(column: &[u8], names: &[&str]) -> Vec<u8> {
    let mut out = column.to_vec();
    out.extend_from_slice(b" IN (");
    for (index, name) in names.iter().enumerate() {
        if index > 0 {
            out.push(b',');
        }
        push_quoted(&mut out, name.as_bytes());
    }
    // An empty list is a syntax error; no name is empty.
    if names.is_empty() {
        out.extend_from_slice(b"''");
    }
    out.push(b')');
    out
}

pub(crate) fn number(rows: &RowSet, row: usize, column: usize) -> Option<u64> {
    rows.text(row, column)?.parse().ok()
}

pub(crate) fn required(rows: &RowSet, row: usize, column: usize) -> Result<String, Fault> {
    rows.text(row, column).map(str::to_owned).ok_or_else(|| {
        let name = rows
            .columns
            .get(column)
            .map_or("?", |info| info.name.as_str());
        Fault::operator(
            "SRC-001",
            format!("catalog has no readable value in column `{name}`"),
        )
        .hint("Check that the account may read the selected tables.")
    })
}
