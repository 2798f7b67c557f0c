//! What a statement is and which names it holds.

use super::lexer::Token;
use std::ops::Range;
use wherry_model::{DdlKind, TableName};

/// Flavour and version of a server, as far as its SQL text depends on them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Dialect {
    pub mariadb: bool,
    /// Like `90704` for 9.7.4 and `101100` for 10.11.0.
    pub version: u32,
}

impl Dialect {
    pub const fn mysql(version: u32) -> Dialect {
        Dialect {
            mariadb: false,
            version,
        }
    }

    /// What a server of this version has in a session unless told otherwise, and does not log: to
    /// be set at a MySQL target before the settings that came with a statement.
    pub fn unlogged_settings(self) -> &'static [&'static str] {
        match (self.mariadb, self.version) {
            (false, 80_011..) => &[],
            (false, 80_000..) => &["explicit_defaults_for_timestamp=ON"],
            (true, 101_000..) => &[
                "default_collation_for_utf8mb4=utf8mb4_general_ci",
                "explicit_defaults_for_timestamp=ON",
            ],
            _ => &[
                "default_collation_for_utf8mb4=utf8mb4_general_ci",
                "explicit_defaults_for_timestamp=OFF",
            ],
        }
    }

    /// False where `DESC` in a key was read and forgotten.
    pub fn has_descending_keys(self) -> bool {
        match self.mariadb {
            true => self.version >= 100_800,
            false => self.version >= 80_000,
        }
    }

    /// True where NULL is forgotten for a column of a primary key; later servers refuse it.
    pub fn forgets_null_in_keys(self) -> bool {
        self.mariadb || self.version < 50_700
    }

    /// True where a column becomes NOT NULL by its primary key and then has a default of its type.
    pub fn gives_keys_a_default(self) -> bool {
        !self.mariadb && self.version < 50_700
    }

    /// True where a NOT NULL column that is added gets a zero date in every row, whatever the
    /// `sql_mode` says: what is added in place is not checked.
    ///
    /// Source: measured on MySQL 5.6.24; with `ALGORITHM = COPY` it refuses.
    pub fn adds_zero_dates(self) -> bool {
        !self.mariadb && self.version < 50_700
    }

    /// True where `CONVERT TO CHARACTER SET` leaves the default of the table as it is when it finds
    /// no column to convert.
    ///
    /// Source: measured on MySQL 5.6.24 and 9.7.
    pub fn forgets_lone_conversions(self) -> bool {
        !self.mariadb && self.version < 50_700
    }

    /// True where `CONVERT TO CHARACTER SET` wins over every character set before it in the same
    /// statement; later servers refuse two that differ.
    ///
    /// Source: measured on MySQL 5.6.24 and 9.7.
    pub fn takes_last_conversion(self) -> bool {
        !self.mariadb && self.version < 50_700
    }

    /// True where a column that is changed beside `CONVERT TO CHARACTER SET` gets the type that it is
    /// given. Later servers give it one by the type that it had.
    ///
    /// Source: measured on MySQL 5.6.24, MariaDB 10.11 and MySQL 9.7.
    pub fn converts_to_the_given_type(self) -> bool {
        self.mariadb || self.version < 80_000
    }

    /// True where several clauses of one statement on the table's character set are taken together;
    /// MySQL takes the last one.
    ///
    /// Source: measured on MariaDB 10.11, MySQL 5.6.24 and 9.7.
    pub fn joins_conversions(self) -> bool {
        self.mariadb
    }

    /// True where a session makes tables with the character set that their database had when the
    /// session entered it.
    ///
    /// Source: measured on MariaDB 10.11, MySQL 5.6.24 and 9.7.
    pub fn keeps_entered_charset(self) -> bool {
        self.mariadb
    }

    /// True where a part of a key that is longer than 767 bytes is made shorter under a `sql_mode`
    /// that is not strict, unless the table's row format allows more.
    ///
    /// Source: measured on MySQL 5.6.24, for CREATE, ADD KEY, MODIFY and CONVERT.
    pub fn shortens_keys(self) -> bool {
        !self.mariadb && self.version < 80_000
    }

    /// True where `CREATE TABLE ... LIKE` gives the new table's CHECKs the names of the old one's;
    /// MySQL gives them names of its own.
    ///
    /// Source: measured on MariaDB 10.11 and MySQL 9.7.
    pub fn copies_check_names(self) -> bool {
        self.mariadb
    }

    /// True where a text with a time zone's offset becomes a moment as MySQL 9 makes it.
    ///
    /// Source: MySQL manual, "Date and Time Literals": offsets since 8.0.19; seen on 5.6.24 and 9.7.
    pub fn reads_offsets(self) -> bool {
        !self.mariadb && self.version >= 80_019
    }

    /// True where a conversion copies a table of which nothing but labels is converted. Newer servers do
    /// that only where they must copy for another column.
    ///
    /// Source: measured on MySQL 5.6.24, 9.7 and MariaDB 10.11 with 63 statements.
    pub fn always_copies_labels(self) -> bool {
        self.mariadb || self.version < 80_000
    }

    pub const fn mariadb(version: u32) -> Dialect {
        Dialect {
            mariadb: true,
            version,
        }
    }
}

impl From<&crate::ServerVersion> for Dialect {
    fn from(version: &crate::ServerVersion) -> Dialect {
        let number = |part: u16| u32::from(part);
        Dialect {
            mariadb: version.is_mariadb(),
            version: number(version.major) * 10_000
                + number(version.minor) * 100
                + number(version.patch),
        }
    }
}

/// How a text is to be read.
#[derive(Debug, Clone, Copy)]
pub struct Context<'a> {
    /// The database that unqualified names belong to.
    pub default_database: &'a str,
    pub ansi_quotes: bool,
    pub no_backslash_escapes: bool,
    /// Decides which version comments are code; the version of the server that wrote the text.
    pub version: u32,
    pub mariadb: bool,
}

impl<'a> Context<'a> {
    /// A text written under an ordinary `sql_mode`.
    pub const fn new(default_database: &'a str, dialect: Dialect) -> Context<'a> {
        Context {
            default_database,
            ansi_quotes: false,
            no_backslash_escapes: false,
            version: dialect.version,
            mariadb: dialect.mariadb,
        }
    }

    /// Takes the two modes that change how a text is read from the bits of `sql_mode`.
    #[must_use]
    pub const fn sql_mode(mut self, bits: u64) -> Context<'a> {
        self.ansi_quotes = bits & super::sql_mode::ANSI_QUOTES != 0;
        self.no_backslash_escapes = bits & super::sql_mode::NO_BACKSLASH_ESCAPES != 0;
        self
    }

    pub const fn dialect(&self) -> Dialect {
        Dialect {
            mariadb: self.mariadb,
            version: self.version,
        }
    }
}

/// A classified statement. Belongs to the text it was made from: spans are byte ranges in it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Statement {
    pub kind: StatementKind,
    /// Every table and database name, in the order of the text.
    pub names: Vec<NamedObject>,
    /// `IF EXISTS`, or `IF NOT EXISTS` for `CREATE`.
    pub if_exists: bool,
    pub temporary: bool,
    /// MariaDB's `CREATE OR REPLACE`.
    pub or_replace: bool,
    pub(super) tokens: Vec<Token>,
    /// Marks of version comments, see the lexer.
    pub(super) marks: Vec<Range<usize>>,
    pub(super) dialect: Dialect,
    /// The first token behind the name of the altered table, or behind the verb.
    pub(super) body: usize,
    /// Where the statement proper begins: behind a `SET STATEMENT ... FOR`.
    pub(super) start: usize,
    /// An `ALTER TABLE` with no clause but `RENAME TO`.
    pub(super) only_renames: bool,
}

impl Statement {
    /// Every table name with its role, in the order of the text.
    pub fn tables(&self) -> impl Iterator<Item = (Role, TableName)> + '_ {
        self.names
            .iter()
            .filter_map(|name| Some((name.role, name.table()?)))
    }

    /// The tables that the statement itself makes, changes, renames or removes.
    pub fn subjects(&self) -> impl Iterator<Item = TableName> + '_ {
        self.tables()
            .filter(|(role, _)| *role != Role::Other)
            .map(|(_, table)| table)
    }

    /// The database of a database statement.
    pub fn database(&self) -> Option<&str> {
        self.names
            .iter()
            .find(|name| name.kind == NameKind::Database)
            .map(|name| name.database.as_str())
    }

    /// Pairs of old and new name, in order; also for `ALTER TABLE ... RENAME TO`.
    pub fn renames(&self) -> Vec<(TableName, TableName)> {
        let mut pairs = Vec::new();
        let mut old = None;
        for (role, table) in self.tables() {
            match role {
                Role::RenameFrom => old = Some(table),
                Role::RenameTo => pairs.extend(old.take().map(|old| (old, table))),
                Role::Subject | Role::Other => {}
            }
        }
        pairs
    }

    /// What the engine calls this statement; `None` where it defines no table or database.
    ///
    /// `ALTER TABLE` with nothing but `RENAME TO` is `RenameTable`; with other clauses beside it
    /// stays `AlterTable`, and `renames` tells the pair.
    pub fn ddl_kind(&self) -> Option<DdlKind> {
        match self.kind {
            StatementKind::CreateTable | StatementKind::CreateTableLike => {
                Some(DdlKind::CreateTable)
            }
            StatementKind::CreateTableSelect => Some(DdlKind::CreateTableSelect),
            StatementKind::AlterTable if self.only_renames => Some(DdlKind::RenameTable),
            StatementKind::AlterTable | StatementKind::CreateIndex | StatementKind::DropIndex => {
                Some(DdlKind::AlterTable)
            }
            StatementKind::DropTable => Some(DdlKind::DropTable),
            StatementKind::RenameTable => Some(DdlKind::RenameTable),
            StatementKind::TruncateTable => Some(DdlKind::TruncateTable),
            // Everything in the old one goes first.
            StatementKind::CreateDatabase if self.or_replace => Some(DdlKind::DropDatabase),
            StatementKind::CreateDatabase => Some(DdlKind::CreateDatabase),
            StatementKind::AlterDatabase => Some(DdlKind::AlterDatabase),
            StatementKind::DropDatabase => Some(DdlKind::DropDatabase),
            // Tablespaces, servers and the like belong to no database.
            StatementKind::Other(OtherObject::Server) => None,
            StatementKind::Other(_) => Some(DdlKind::Object),
            StatementKind::Begin
            | StatementKind::Commit
            | StatementKind::Rollback
            | StatementKind::Savepoint
            | StatementKind::Xa { .. }
            | StatementKind::Set
            | StatementKind::Dml
            | StatementKind::Irrelevant
            | StatementKind::Unknown => None,
        }
    }

    /// The table names for a `Ddl`: none for an object without rows, pairs old, new where the statement is a rename, otherwise
    /// every table named, in the order of the text.
    pub fn ddl_tables(&self) -> Vec<TableName> {
        if self.ddl_kind() == Some(DdlKind::Object) {
            return Vec::new();
        }
        if self.ddl_kind() == Some(DdlKind::RenameTable) {
            return self
                .renames()
                .into_iter()
                .flat_map(|(old, new)| [old, new])
                .collect();
        }
        self.tables().map(|(_, table)| table).collect()
    }
}

/// One name in a statement.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NamedObject {
    pub role: Role,
    pub kind: NameKind,
    /// As written, or the default database.
    pub database: String,
    /// Empty for a database.
    pub name: String,
    /// The whole name with its qualifier and quotes.
    pub span: Range<usize>,
}

impl NamedObject {
    /// The table name, where this names a table (or a view, which shares the name space).
    pub fn table(&self) -> Option<TableName> {
        (self.kind == NameKind::Table)
            .then(|| TableName::new(self.database.as_str(), self.name.as_str()))
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NameKind {
    /// A table or a view.
    Table,
    Database,
    /// A routine, trigger, event or sequence.
    Other,
}

/// What a name is to its statement.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Role {
    /// Made, changed or removed.
    Subject,
    /// Only mentioned: `LIKE`, `REFERENCES`, `FROM`, the table of a trigger.
    Other,
    RenameFrom,
    RenameTo,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum StatementKind {
    CreateTable,
    CreateTableLike,
    CreateTableSelect,
    AlterTable,
    DropTable,
    RenameTable,
    TruncateTable,
    CreateIndex,
    DropIndex,
    CreateDatabase,
    AlterDatabase,
    DropDatabase,
    /// CREATE, ALTER or DROP of an object that holds no rows.
    Other(OtherObject),
    Begin,
    Commit,
    Rollback,
    /// Also `ROLLBACK TO` and `RELEASE SAVEPOINT`.
    Savepoint,
    Xa {
        verb: XaVerb,
        xid: Option<Xid>,
    },
    Set,
    /// Changes rows by statement: INSERT, UPDATE, DELETE, REPLACE, LOAD, CALL, DO and the like.
    /// `names` holds the tables written where they can be told.
    Dml,
    /// Changes neither rows nor definitions: GRANT, ANALYZE, FLUSH, OPTIMIZE, users.
    Irrelevant,
    /// Not understood; a selected table may be concerned.
    Unknown,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OtherObject {
    View,
    Routine,
    Trigger,
    Event,
    Sequence,
    Package,
    /// Tablespaces, servers, spatial reference systems, libraries and the like.
    Server,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum XaVerb {
    Start,
    End,
    Prepare,
    Commit,
    CommitOnePhase,
    Rollback,
    Recover,
}

/// Name of an XA transaction.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Xid {
    pub format: u32,
    pub gtrid: Vec<u8>,
    pub bqual: Vec<u8>,
}
