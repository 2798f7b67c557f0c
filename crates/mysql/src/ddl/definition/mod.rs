//! The definition of a table, read from the text of `SHOW CREATE TABLE`.
//!
//! Clauses keep their text; only what must be moved (keys, foreign keys, options) is taken apart.

use super::statement::Context;
use std::ops::Range;
use wherry_model::{Fault, TableName};

/// One table definition. Clause texts are as the server wrote them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Definition {
    pub name: TableName,
    pub columns: Vec<ColumnClause>,
    pub primary_key: Option<KeyClause>,
    pub keys: Vec<KeyClause>,
    pub foreign_keys: Vec<ForeignKey>,
    pub checks: Vec<CheckClause>,
    /// In order, each with its text.
    pub options: Vec<TableOption>,
    /// `PARTITION BY ...` with its version comment, untouched.
    pub partitions: Option<String>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ColumnClause {
    pub name: String,
    /// The whole clause with its name.
    pub text: String,
    pub auto_increment: bool,
    pub generated: bool,
    pub invisible: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum KeyKind {
    Primary,
    Unique,
    Plain,
    Fulltext,
    Spatial,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeyClause {
    pub kind: KeyKind,
    /// Empty for the primary key.
    pub name: String,
    /// Names of the columns, prefixes left out; an expression part is `None`.
    pub columns: Vec<Option<String>>,
    pub text: String,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ForeignKey {
    pub name: String,
    pub columns: Vec<String>,
    pub references: TableName,
    pub referenced_columns: Vec<String>,
    /// Upper case, like `CASCADE`; `None` where the text has no clause.
    pub on_delete: Option<String>,
    pub on_update: Option<String>,
    pub text: String,
    /// The referenced table's name in `text`.
    pub references_span: Range<usize>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CheckClause {
    pub name: String,
    pub text: String,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TableOption {
    /// Upper case with single blanks, like `ENGINE`, `CHARSET`, `ROW_FORMAT`.
    pub name: String,
    pub value: String,
    pub text: String,
}

/// Which keys a rendered definition has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Keys {
    All,
    /// Leaves out the secondary keys that are not unique and that no AUTO_INCREMENT column needs.
    WithoutDeferrable,
}

#[derive(Debug, Clone, Copy)]
pub struct RenderOptions<'a> {
    pub name: &'a TableName,
    pub keys: Keys,
    pub foreign_keys: bool,
    /// The `AUTO_INCREMENT=n` counter; the attribute of the column always stays.
    pub auto_increment: bool,
}

#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum DefinitionError {
    #[error("could not read the definition of table {table}: {reason}")]
    Unreadable { table: String, reason: String },
}

impl From<DefinitionError> for Fault {
    fn from(error: DefinitionError) -> Fault {
        Fault::operator("DDL-001", error.to_string())
            .hint("Please report this with the output of SHOW CREATE TABLE.")
    }
}

impl Definition {
    /// Reads the text of `SHOW CREATE TABLE`. The context's database is the table's own.
    pub fn parse(_text: &str, _context: &Context) -> Result<Definition, DefinitionError> {
        unimplemented!()
    }

    /// A complete `CREATE TABLE` statement.
    pub fn render(&self, _options: &RenderOptions) -> String {
        unimplemented!()
    }

    /// One `ALTER TABLE` that adds exactly the keys that `Keys::WithoutDeferrable` leaves out.
    pub fn deferred_keys_alter(&self, _name: &TableName) -> Option<String> {
        unimplemented!()
    }

    /// One `ALTER TABLE` that adds every foreign key.
    pub fn foreign_keys_alter(&self, _name: &TableName) -> Option<String> {
        unimplemented!()
    }

    /// The same definition with the tables that foreign keys point to mapped.
    #[must_use]
    pub fn map_references(&self, _map: &dyn Fn(&TableName) -> TableName) -> Definition {
        unimplemented!()
    }

    /// The `AUTO_INCREMENT=n` counter.
    pub fn auto_increment(&self) -> Option<u64> {
        unimplemented!()
    }

    /// The text for fingerprints: the whole definition without name and counter.
    pub fn fingerprint_text(&self) -> String {
        unimplemented!()
    }
}

impl ForeignKey {
    /// `SELECT COUNT(*)` of the rows of `child` whose non-null key has no row in the parent.
    pub fn orphan_count_sql(&self, _child: &TableName) -> String {
        unimplemented!()
    }
}
