//! Says whether two servers hold the same tables, in a way that shares nothing with Wherry.
//!
//! The servers themselves print each value, our client only counts rows: a row of the source adds one to its
//! digest's count, a row of the target takes one away, and whatever is not zero at the end differs. So it needs no
//! key and no idea of a collation's order. Both sides are read from snapshots opened at the beginning, so the
//! target may be written to as soon as the oracle has been opened; the schema must stand still.

use std::collections::hash_map::Entry;
use std::collections::{BTreeMap, HashMap};
use std::fmt;
use std::hash::{DefaultHasher, Hash, Hasher};

mod naming;

pub use naming::Naming;

use mysql_async::prelude::Queryable;
use mysql_async::{Conn, Opts, OptsBuilder, Row, Value};

use crate::failure::{Failure, Result};

/// How many differing rows of a table are kept with their values; others are only counted.
const KEPT_ROWS_MAX: usize = 2000;
/// How many differences of a table are described.
const DESCRIBED_MAX: usize = 10;

/// What a comparison found.
#[derive(Debug, Default)]
pub struct Comparison {
    pub tables: usize,
    /// Rows of the source that were read and compared.
    pub rows: u64,
    pub differences: Vec<Difference>,
}

/// One thing that is not the same on both sides.
#[derive(Debug, Clone)]
pub struct Difference {
    /// `database`.`table`
    pub table: String,
    /// The row's primary key as text; the whole row where there is none; empty for the definition.
    pub key: String,
    pub what: String,
}

impl fmt::Display for Difference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}: {}", self.table, self.key, self.what)
    }
}

impl Comparison {
    pub fn is_equal(&self) -> bool {
        self.differences.is_empty()
    }

    /// Ends the test with a list of what differs.
    pub fn assert_equal(&self) {
        let lines: Vec<String> = self.differences.iter().map(Difference::to_string).collect();
        assert!(
            self.is_equal(),
            "source and target differ:\n{}",
            lines.join("\n")
        );
    }
}

/// Two open snapshots, one of each side.
pub struct Oracle {
    source: Conn,
    target: Conn,
}

/// Compares all base tables of the databases now. Both sides should be quiet.
pub async fn compare(source_url: &str, target_url: &str, databases: &[&str]) -> Result<Comparison> {
    Oracle::open(source_url, target_url)
        .await?
        .compare(databases)
        .await
}

/// Compares all base tables of the databases with those that they have become.
pub async fn compare_named(
    source_url: &str,
    target_url: &str,
    databases: &[&str],
    naming: &Naming,
) -> Result<Comparison> {
    Oracle::open(source_url, target_url)
        .await?
        .compare_named(databases, naming)
        .await
}

impl Oracle {
    /// Opens both snapshots; what is committed later is not seen.
    pub async fn open(source_url: &str, target_url: &str) -> Result<Oracle> {
        Ok(Oracle {
            source: snapshot(source_url).await?,
            target: snapshot(target_url).await?,
        })
    }

    pub async fn compare(self, databases: &[&str]) -> Result<Comparison> {
        self.compare_named(databases, &Naming::same()).await
    }

    /// The same where the target calls its tables and columns otherwise.
    pub async fn compare_named(
        mut self,
        databases: &[&str],
        naming: &Naming,
    ) -> Result<Comparison> {
        let mut comparison = Comparison::default();
        let mut targets: BTreeMap<String, BTreeMap<String, Definition>> = BTreeMap::new();
        for database in databases {
            let own = (naming.table)(database, "").0;
            self.read_target(own, &mut targets).await?;
            for (name, definition) in tables(&mut self.source, database).await? {
                let table = format!("`{database}`.`{}`", name.replace('`', "``"));
                let (there, other) = (naming.table)(database, &name);
                self.read_target(there.clone(), &mut targets).await?;
                let found = targets.get_mut(&there);
                let Some(target) = found.and_then(|tables| tables.remove(&other)) else {
                    let lost = missing(&table, "is missing in the target");
                    comparison.differences.push(lost);
                    continue;
                };
                let wanted = definition.named(database, &name, naming);
                for what in wanted.differences(&target) {
                    comparison.differences.push(missing(&table, &what));
                }
                if wanted.column_names().eq(target.column_names()) {
                    let queries = [
                        select(&table, &definition),
                        select(
                            &format!("`{there}`.`{}`", other.replace('`', "``")),
                            &target,
                        ),
                    ];
                    self.compare_rows(&table, &definition, queries, &mut comparison)
                        .await?;
                }
                comparison.tables += 1;
            }
        }
        for (database, tables) in &targets {
            let extra = tables.keys().map(|name| {
                let table = format!("`{database}`.`{name}`");
                missing(&table, "is in the target only")
            });
            comparison.differences.extend(extra);
        }
        comparison
            .differences
            .sort_by(|a, b| (&a.table, &a.key).cmp(&(&b.table, &b.key)));
        self.source.disconnect().await?;
        self.target.disconnect().await?;
        Ok(comparison)
    }

    /// Reads a database of the target once; tables that were compared are taken out of it.
    async fn read_target(
        &mut self,
        database: String,
        targets: &mut BTreeMap<String, BTreeMap<String, Definition>>,
    ) -> Result<()> {
        if let std::collections::btree_map::Entry::Vacant(entry) = targets.entry(database) {
            let found = tables(&mut self.target, entry.key()).await?;
            entry.insert(found);
        }
        Ok(())
    }

    async fn compare_rows(
        &mut self,
        table: &str,
        source: &Definition,
        queries: [String; 2],
        into: &mut Comparison,
    ) -> Result<()> {
        let mut unmatched = Unmatched::default();
        let mut left = self
            .source
            .query_iter(queries[0].as_str())
            .await
            .map_err(|error| Failure::because(format!("source: {}", queries[0]), error))?;
        let mut right = self
            .target
            .query_iter(queries[1].as_str())
            .await
            .map_err(|error| Failure::because(format!("target: {}", queries[1]), error))?;
        let (mut left_open, mut right_open) = (true, true);
        // In turns, so that equal rows of two equally ordered results cancel out at once and memory stays small.
        while left_open || right_open {
            if left_open {
                match left.next().await? {
                    Some(row) => {
                        into.rows += 1;
                        unmatched.count(row, 1);
                    }
                    None => left_open = false,
                }
            }
            if right_open {
                match right.next().await? {
                    Some(row) => unmatched.count(row, -1),
                    None => right_open = false,
                }
            }
        }
        into.differences.extend(unmatched.describe(table, source));
        Ok(())
    }
}

fn missing(table: &str, what: &str) -> Difference {
    Difference {
        table: table.to_owned(),
        key: String::new(),
        what: what.to_owned(),
    }
}

async fn snapshot(url: &str) -> Result<Conn> {
    let options =
        Opts::from_url(url).map_err(|error| Failure::because("not a server address", error))?;
    let options = OptsBuilder::from_opts(options)
        .prefer_socket(false)
        .max_allowed_packet(Some(1 << 30));
    let mut connection = Conn::new(options).await?;
    for statement in [
        "SET NAMES utf8mb4",
        "SET time_zone = '+00:00', sql_mode = '', net_write_timeout = 3600",
        "SET TRANSACTION ISOLATION LEVEL REPEATABLE READ",
        "START TRANSACTION WITH CONSISTENT SNAPSHOT",
    ] {
        connection
            .query_drop(statement)
            .await
            .map_err(|error| Failure::because(statement, error))?;
    }
    Ok(connection)
}

/// A table as `information_schema` tells it, reduced to what means the same on every version.
#[derive(Debug, Default)]
struct Definition {
    columns: Vec<Column>,
    /// Index name, uniqueness and parts, as one line each.
    indexes: Vec<String>,
    primary: Vec<String>,
    foreign_keys: Vec<String>,
}

#[derive(Debug)]
struct Column {
    name: String,
    kind: String,
    nullable: bool,
}

impl Definition {
    fn column_names(&self) -> impl Iterator<Item = &String> {
        self.columns.iter().map(|column| &column.name)
    }

    fn differences(&self, target: &Definition) -> Vec<String> {
        let columns = |definition: &Definition| -> Vec<String> {
            let line = |column: &Column| {
                format!(
                    "{} {}{}",
                    column.name,
                    column.kind,
                    if column.nullable { "" } else { " not null" }
                )
            };
            definition.columns.iter().map(line).collect()
        };
        let compared = [
            ("columns", columns(self), columns(target)),
            ("indexes", self.indexes.clone(), target.indexes.clone()),
            (
                "foreign keys",
                self.foreign_keys.clone(),
                target.foreign_keys.clone(),
            ),
        ];
        let mut differences = Vec::new();
        for (what, source, target) in compared {
            let gone: Vec<&String> = source
                .iter()
                .filter(|line| !target.contains(line))
                .collect();
            let new: Vec<&String> = target
                .iter()
                .filter(|line| !source.contains(line))
                .collect();
            if source != target {
                differences.push(format!(
                    "its {what} differ: only in the source {gone:?}, only in the target {new:?}"
                ));
            }
        }
        differences
    }
}

async fn tables(connection: &mut Conn, database: &str) -> Result<BTreeMap<String, Definition>> {
    let mut tables: BTreeMap<String, Definition> = Default::default();
    let schema = database.replace('\'', "''");
    let names = format!(
        "SELECT TABLE_NAME FROM information_schema.TABLES WHERE TABLE_SCHEMA = '{schema}' AND TABLE_TYPE = 'BASE TABLE'"
    );
    for name in connection.query::<String, _>(names).await? {
        tables.insert(name, Definition::default());
    }
    let columns = format!(
        "SELECT TABLE_NAME, COLUMN_NAME, DATA_TYPE, IS_NULLABLE FROM information_schema.COLUMNS \
         WHERE TABLE_SCHEMA = '{schema}' ORDER BY TABLE_NAME, ORDINAL_POSITION"
    );
    for (table, name, kind, nullable) in connection
        .query::<(String, String, String, String), _>(columns)
        .await?
    {
        if let Some(definition) = tables.get_mut(&table) {
            definition.columns.push(Column {
                name,
                // The newer of two names of one type.
                kind: kind
                    .to_lowercase()
                    .replace("geometrycollection", "geomcollection"),
                nullable: nullable == "YES",
            });
        }
    }
    let indexes = format!(
        "SELECT TABLE_NAME, INDEX_NAME, CAST(NON_UNIQUE AS CHAR), GROUP_CONCAT(CONCAT_WS(':', COLUMN_NAME, SUB_PART) ORDER BY SEQ_IN_INDEX) \
         FROM information_schema.STATISTICS WHERE TABLE_SCHEMA = '{schema}' GROUP BY CAST(TABLE_NAME AS BINARY), TABLE_NAME, INDEX_NAME, NON_UNIQUE ORDER BY 1, 2"
    );
    for (table, index, non_unique, parts) in connection
        .query::<(String, String, String, Option<String>), _>(indexes)
        .await?
    {
        let Some(definition) = tables.get_mut(&table) else {
            continue;
        };
        let parts = parts.unwrap_or_default();
        if index == "PRIMARY" {
            definition.primary = parts
                .split(',')
                .map(|part| part.split(':').next().unwrap_or(part).to_owned())
                .collect();
        }
        definition.indexes.push(format!(
            "{index}{} ({parts})",
            if non_unique == "0" { " unique" } else { "" }
        ));
    }
    let keys = format!(
        "SELECT TABLE_NAME, CONSTRAINT_NAME, REFERENCED_TABLE_NAME, \
         GROUP_CONCAT(CONCAT(COLUMN_NAME, '=', REFERENCED_COLUMN_NAME) ORDER BY ORDINAL_POSITION) \
         FROM information_schema.KEY_COLUMN_USAGE WHERE TABLE_SCHEMA = '{schema}' AND REFERENCED_TABLE_NAME IS NOT NULL \
         GROUP BY CAST(TABLE_NAME AS BINARY), TABLE_NAME, CONSTRAINT_NAME, REFERENCED_TABLE_NAME ORDER BY 1, 2"
    );
    for (table, name, referenced, parts) in connection
        .query::<(String, String, String, String), _>(keys)
        .await?
    {
        if let Some(definition) = tables.get_mut(&table) {
            definition
                .foreign_keys
                .push(format!("{name} to {referenced} ({parts})"));
        }
    }
    Ok(tables)
}

/// Every column as the server prints it, in bytes; by primary key where there is one.
fn select(table: &str, definition: &Definition) -> String {
    let expression = |column: &Column| {
        let name = format!("`{}`", column.name.replace('`', "``"));
        match column.kind.as_str() {
            "json" => {
                format!(
                    "CAST(CONCAT(JSON_TYPE({name}), ' ', CAST({name} AS CHAR CHARACTER SET utf8mb4)) AS BINARY)"
                )
            }
            // As it is, the text would show six digits of a FLOAT, and of others those declared. A sum would lose
            // the sign of zero, and a cast the last digits: MySQL 9.7 casts to 22 characters.
            "float" | "double" => format!("{name} * 1e0"),
            // Two values may have the same text: the one without a label, and an empty label.
            "enum" | "set" => {
                format!("CONCAT(CAST({name} AS UNSIGNED), ':', HEX({name}))")
            }
            "geometry" | "point" | "linestring" | "polygon" | "multipoint" | "multilinestring"
            | "multipolygon" | "geomcollection" | "geometrycollection" | "vector" => {
                format!("HEX({name})")
            }
            _ => format!("CAST({name} AS BINARY)"),
        }
    };
    let columns: Vec<String> = definition.columns.iter().map(expression).collect();
    let quoted = |name: &String| format!("`{}`", name.replace('`', "``"));
    // Equal orders only keep memory small. Servers cannot sort by several long values.
    let is_short = |column: &&Column| {
        let long = ["blob", "text", "json", "char", "binary"];
        !long.iter().any(|kind| column.kind.ends_with(kind))
    };
    let order: Vec<String> = if definition.primary.is_empty() {
        let short = definition.columns.iter().filter(is_short);
        short.map(|column| quoted(&column.name)).collect()
    } else {
        definition.primary.iter().map(quoted).collect()
    };
    let order = if order.is_empty() {
        String::new()
    } else {
        format!(" ORDER BY {}", order.join(", "))
    };
    format!("SELECT {} FROM {table}{order}", columns.join(", "))
}

/// Rows seen more often on one side than on the other so far.
#[derive(Default)]
struct Unmatched {
    rows: HashMap<(u64, u64), (i64, Option<Values>)>,
}

impl Unmatched {
    fn count(&mut self, row: Row, side: i64) {
        let values: Vec<Option<Vec<u8>>> = row.unwrap().into_iter().map(bytes).collect();
        let digest = |salt: u8| {
            let mut hasher = DefaultHasher::new();
            (salt, &values).hash(&mut hasher);
            hasher.finish()
        };
        let kept = self.rows.len();
        match self.rows.entry((digest(1), digest(2))) {
            Entry::Occupied(mut entry) => {
                entry.get_mut().0 += side;
                if entry.get().0 == 0 {
                    entry.remove();
                }
            }
            Entry::Vacant(entry) => {
                entry.insert((side, (kept < KEPT_ROWS_MAX).then_some(values)));
            }
        }
    }

    /// Puts the leftover rows of both sides together by key.
    fn describe(self, table: &str, definition: &Definition) -> Vec<Difference> {
        let total = self.rows.len();
        let mut by_key: BTreeMap<String, Pair> = Default::default();
        for (count, values) in self.rows.into_values() {
            let Some(values) = values else { continue };
            let pair = by_key.entry(key_text(definition, &values)).or_default();
            let side = if count > 0 {
                &mut pair.source
            } else {
                &mut pair.target
            };
            *side = Some((values, count.unsigned_abs()));
        }
        let described = by_key.into_iter().take(DESCRIBED_MAX);
        let mut differences: Vec<Difference> = described
            .map(|(key, pair)| Difference {
                table: table.to_owned(),
                key,
                what: pair.describe(definition),
            })
            .collect();
        if total > differences.len() * 2 {
            differences.push(missing(
                table,
                &format!("{total} row images are on one side only, the first are shown"),
            ));
        }
        differences
    }
}

/// One row; NULL is none.
type Values = Vec<Option<Vec<u8>>>;
type Counted = (Values, u64);

/// What is left of one key on both sides.
#[derive(Default)]
struct Pair {
    source: Option<Counted>,
    target: Option<Counted>,
}

impl Pair {
    fn describe(&self, definition: &Definition) -> String {
        match (&self.source, &self.target) {
            (Some((source, _)), Some((target, _))) => {
                let differ = definition
                    .columns
                    .iter()
                    .zip(source.iter().zip(target))
                    .filter(|(_, (a, b))| a != b);
                let lines: Vec<String> = differ
                    .map(|(column, (a, b))| {
                        format!("{} is {} and {}", column.name, shown(a), shown(b))
                    })
                    .collect();
                format!("differs, source and target: {}", lines.join("; "))
            }
            (Some((_, count)), None) => format!("is missing in the target ({count} times)"),
            (None, Some((_, count))) => format!("is in the target only ({count} times)"),
            (None, None) => "differs".to_owned(),
        }
    }
}

fn key_text(definition: &Definition, values: &[Option<Vec<u8>>]) -> String {
    let in_key = |column: &Column| {
        definition.primary.is_empty() || definition.primary.contains(&column.name)
    };
    let parts = definition
        .columns
        .iter()
        .zip(values)
        .filter(|(column, _)| in_key(column));
    let parts: Vec<String> = parts
        .map(|(column, value)| format!("{}={}", column.name, shown(value)))
        .collect();
    format!("({})", parts.join(", "))
}

fn shown(value: &Option<Vec<u8>>) -> String {
    match value {
        None => "NULL".to_owned(),
        Some(bytes) => match std::str::from_utf8(bytes) {
            Ok(text) if text.len() <= 60 => format!("{text:?}"),
            Ok(text) => format!(
                "{:?}... ({} bytes)",
                text.chars().take(50).collect::<String>(),
                text.len()
            ),
            Err(_) => {
                let start: String = bytes
                    .iter()
                    .take(24)
                    .map(|byte| format!("{byte:02x}"))
                    .collect();
                format!("0x{start}... ({} bytes)", bytes.len())
            }
        },
    }
}

fn bytes(value: Value) -> Option<Vec<u8>> {
    match value {
        Value::NULL => None,
        Value::Bytes(bytes) => Some(bytes),
        other => Some(other.as_sql(true).into_bytes()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_select_names_every_column_and_orders_by_the_key() {
        let column = |name: &str, kind: &str| Column {
            name: name.to_owned(),
            kind: kind.to_owned(),
            nullable: false,
        };
        let mut definition = Definition {
            columns: vec![
                column("a", "int"),
                column("f`", "float"),
                column("t", "text"),
            ],
            ..Definition::default()
        };
        assert_eq!(
            select("`d`.`t`", &definition),
            "SELECT CAST(`a` AS BINARY), `f``` * 1e0, CAST(`t` AS BINARY) FROM `d`.`t` ORDER BY `a`, `f```"
        );
        definition.primary = vec!["a".to_owned()];
        assert!(select("`d`.`t`", &definition).ends_with("ORDER BY `a`"));
    }

    #[test]
    fn values_are_shown_short() {
        assert_eq!(shown(&None), "NULL");
        assert_eq!(shown(&Some(b"it".to_vec())), "\"it\"");
        assert!(shown(&Some(vec![0xff; 100])).ends_with("... (100 bytes)"));
    }
}
