//! What the stream carries: row changes and definition changes.

use crate::name::TableName;
use crate::position::Position;
use crate::row::Row;
use crate::table::Table;
use serde::{Deserialize, Serialize};
use std::sync::Arc;

/// One row inserted, updated or deleted at the source.
#[derive(Debug, Clone)]
pub struct Change {
    /// The table as it was defined at this place of the binlog.
    pub table: Arc<Table>,
    pub kind: ChangeKind,
    /// Hashed row identities, before and after: two changes that may touch the same row or the
    /// same unique value share at least one. Attached by the stream, which knows collations.
    pub identities: Vec<u64>,
    /// The source made it with `foreign_key_checks = 0`, so it cascaded to no other row.
    pub unchecked: bool,
}

/// The images hold every stored column of the table, in column order; generated columns too.
#[derive(Debug, Clone)]
pub enum ChangeKind {
    Insert { after: Row },
    Update { before: Row, after: Row },
    Delete { before: Row },
}

impl Change {
    pub fn before(&self) -> Option<&Row> {
        match &self.kind {
            ChangeKind::Insert { .. } => None,
            ChangeKind::Update { before, .. } | ChangeKind::Delete { before } => Some(before),
        }
    }

    pub fn after(&self) -> Option<&Row> {
        match &self.kind {
            ChangeKind::Insert { after } | ChangeKind::Update { after, .. } => Some(after),
            ChangeKind::Delete { .. } => None,
        }
    }

    /// Bytes held by the images.
    pub fn byte_count(&self) -> usize {
        let size = |row: Option<&Row>| row.map_or(0, |row| row.encoded().len());
        size(self.before()) + size(self.after())
    }
}

/// A statement that changes the definition of at least one selected table.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Ddl {
    pub kind: DdlKind,
    /// The statement as the source logged it.
    pub statement: String,
    /// The database that unqualified names belong to; for a statement about a database, that
    /// database.
    pub default_database: String,
    /// Every table named by the statement, selected or not, qualified. For `Rename`, pairs in
    /// order: old, new, old, new.
    pub tables: Vec<TableName>,
    /// The session state that the source executed it under.
    pub session: DdlSession,
    /// Where the statement begins: its GTID event.
    pub begin: Position,
    /// Right after the statement.
    pub end: Position,
}

/// What a statement is, as far as the engine must know.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum DdlKind {
    CreateTable,
    /// `CREATE TABLE ... SELECT`: its rows follow in the same transaction.
    CreateTableSelect,
    /// Also `CREATE INDEX` and `DROP INDEX`.
    AlterTable,
    DropTable,
    RenameTable,
    TruncateTable,
    CreateDatabase,
    AlterDatabase,
    DropDatabase,
    /// Makes, changes or drops a view, routine, trigger or event of a selected database: never
    /// replayed, the target is made like the source as it is then.
    Object,
    /// Concerns a selected table, but Wherry cannot carry it.
    Unsupported,
}

/// Session settings from the status variables of a query event.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct DdlSession {
    /// The bit set of `sql_mode` as the source sent it.
    pub sql_mode: Option<u64>,
    /// Seconds and microseconds since 1970 UTC at the source.
    pub timestamp: u32,
    pub microseconds: u32,
    pub time_zone: Option<String>,
    /// The zone was the machine's, which had other offsets at other times; `time_zone` is the one
    /// at the time of the statement.
    #[serde(default)]
    pub zone_varies: bool,
    /// `character_set_client`, `collation_connection`, `collation_server` as collation ids.
    pub charsets: Option<[u16; 3]>,
    /// `default_collation_for_utf8mb4` as collation id, from MySQL 8.0.11 on.
    pub default_collation_utf8mb4: Option<u16>,
    pub explicit_defaults_for_timestamp: Option<bool>,
    pub foreign_key_checks: bool,
    /// The source does not log the rows that cascades of foreign keys change.
    #[serde(default)]
    pub hides_cascades: bool,
}
