//! Tables, columns and keys as the catalog describes them.

use crate::additional::Additional;
use crate::name::TableName;
use crate::shape::{Leaves, RowScript, Shape};
use serde::{Deserialize, Serialize};
use std::borrow::Cow;

/// A table at one place of the binlog. Stored in the target as JSON with its start.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Table {
    pub name: TableName,
    /// Lower case, like `innodb`.
    pub engine: String,
    /// In the order of row images: hidden and generated columns have their place. Behind them
    /// stand those that only the target has.
    pub columns: Vec<Column>,
    /// The primary key first, if there is one.
    pub keys: Vec<Key>,
    pub exactness: Exactness,
    /// The text of `SHOW CREATE TABLE` at the source.
    pub definition: String,
    /// Estimates of the source, for order and progress only.
    pub row_count_estimate: u64,
    pub byte_count_estimate: u64,
    /// Set where the target's own table is used as it was found (policy `keep`).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub adopted: Option<Adopted>,
    /// Set where not all of it goes to the target; see [`crate::NameMap`].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub shape: Option<Box<Shape>>,
    /// Its name in the target, where that is another one; see [`crate::NameMap`].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub in_target: Option<Box<TableName>>,
}

/// How the target's own table differs from the source's.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Adopted {
    /// Indices into `Table::columns` of those that the target does not have. Their value is NULL
    /// in every row of this table, whichever side it was read from.
    pub left_out: Vec<usize>,
    /// Whose rows stay.
    #[serde(default, skip_serializing_if = "OwnRows::is_kept")]
    pub rows: OwnRows,
    /// Set where the task made the table, and a statement of the source was left out since.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub apart: Option<Apart>,
}

/// What becomes of the rows that an adopted table held before.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum OwnRows {
    /// The load leaves them, the stream overwrites them (policy `keep`).
    #[default]
    Kept,
    /// Load and stream overwrite them; rows that the source does not have stay (policy `replace`).
    Replaced,
    /// They are, or become, those of the source: nothing else is to be there (policy `fail`).
    Same,
}

impl OwnRows {
    fn is_kept(&self) -> bool {
        *self == OwnRows::Kept
    }

    /// True where a row of the source takes the place of every other one that it meets.
    pub fn give_way(self) -> bool {
        self != OwnRows::Kept
    }

    /// True where rows may be there that only the target has.
    pub fn may_be_more(self) -> bool {
        self != OwnRows::Same
    }
}

/// What a table of this task may have other than the source's, since `operations` left out a
/// statement.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Apart {
    /// Rows that the source has removed without naming them.
    pub rows: bool,
    /// Its definition: the stored one is the source's.
    pub definition: bool,
    /// Rows, by the kinds of changes that [`Table::leaves`] names: its load has ended, and from here
    /// on they are left out.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub changes: bool,
}

impl Table {
    /// What SQL for the target calls this table; everything else calls it by `name`.
    pub fn target_name(&self) -> &TableName {
        self.in_target.as_deref().unwrap_or(&self.name)
    }

    /// The table with its own names alone, for SQL that is sent to the source.
    pub fn at_source(&self) -> Cow<'_, Table> {
        let mapped = self.columns.iter().any(|column| column.in_target.is_some());
        if self.in_target.is_none() && !mapped {
            return Cow::Borrowed(self);
        }
        let mut table = self.clone();
        table.in_target = None;
        for column in &mut table.columns {
            column.in_target = None;
        }
        Cow::Owned(table)
    }

    /// The best key that identifies a row: primary, else unique over non-null columns only.
    /// `None` makes the table an exact table.
    pub fn identity(&self) -> Option<&Key> {
        self.keys.iter().find(|key| key.primary).or_else(|| {
            self.keys
                .iter()
                .find(|key| key.unique && key.plain() && !self.key_is_nullable(key))
        })
    }

    fn key_is_nullable(&self, key: &Key) -> bool {
        key.parts
            .iter()
            .any(|part| self.columns[part.column].nullable)
    }

    /// Indices of the columns that are written: all but generated and left out ones.
    pub fn written_columns(&self) -> impl Iterator<Item = usize> + '_ {
        (0..self.columns.len()).filter(|column| self.is_written(*column))
    }

    pub fn is_written(&self, column: usize) -> bool {
        !self.columns[column].generated && !self.is_left_out(column)
    }

    /// True where the table in the target does not have this column.
    pub fn is_left_out(&self, column: usize) -> bool {
        let adopted = self.adopted.as_ref();
        adopted.is_some_and(|adopted| adopted.left_out.contains(&column))
            || self.is_unselected(column)
    }

    /// True where the task does not move this column.
    pub fn is_unselected(&self, column: usize) -> bool {
        let shape = self.shape.as_ref();
        shape.is_some_and(|shape| shape.left_out.contains(&column))
    }

    /// Columns that only the target has, the last ones of `columns`.
    pub fn added(&self) -> &[Additional] {
        self.shape.as_ref().map_or(&[], |shape| &shape.added)
    }

    /// The columns that the source has.
    pub fn source_columns(&self) -> &[Column] {
        &self.columns[..self.columns.len() - self.added().len()]
    }

    /// True where only the target has this column.
    pub fn is_added(&self, column: usize) -> bool {
        column >= self.source_columns().len()
    }

    /// Added columns whose values depend on the time, so that both sides cannot be compared.
    pub fn timed_columns(&self) -> impl Iterator<Item = usize> + '_ {
        let added = self.added().iter().enumerate();
        let timed = added.filter(|(_, added)| added.is_timed());
        timed.map(|(index, _)| self.source_columns().len() + index)
    }

    /// The table without what cannot be compared, as NULL on either side: added columns whose values
    /// depend on the time, and these.
    pub fn compared(mut self, varying: &[usize]) -> Table {
        let timed = self.timed_columns();
        let uncompared: Vec<usize> = varying.iter().copied().chain(timed).collect();
        if let Some(shape) = &mut self.shape {
            shape.left_out.extend(&uncompared);
            shape.uncompared = uncompared;
        }
        self
    }

    /// Columns that a verification does not compare.
    pub fn uncompared_columns(&self) -> impl Iterator<Item = &Column> {
        let uncompared = self.shape.iter().flat_map(|shape| &shape.uncompared);
        uncompared.map(|column| &self.columns[*column])
    }

    /// The condition under which its rows move.
    pub fn filter(&self) -> Option<&str> {
        self.shape
            .as_ref()
            .and_then(|shape| shape.filter.as_deref())
    }

    /// True where a filter, a script or the values of added columns look at its rows, and may need
    /// columns that stay behind.
    pub fn is_looked_at(&self) -> bool {
        self.filter().is_some() || self.is_rewritten()
    }

    /// True where its rows are others in the target than at the source.
    pub fn is_rewritten(&self) -> bool {
        self.script().is_some() || !self.added().is_empty()
    }

    /// The script that changes its rows.
    pub fn script(&self) -> Option<&RowScript> {
        self.shape.as_ref().and_then(|shape| shape.script.as_ref())
    }

    /// The target's own, used as it was found: never made, changed or dropped by the task.
    pub fn is_kept(&self) -> bool {
        self.adopted
            .as_ref()
            .is_some_and(|adopted| adopted.apart.is_none())
    }

    /// What becomes of the rows that the target had, where the table is its own.
    pub fn own_rows(&self) -> Option<OwnRows> {
        let adopted = self.adopted.as_ref()?;
        adopted.apart.is_none().then_some(adopted.rows)
    }

    /// What the task's own table has other than the source's by the user's choice.
    pub fn apart(&self) -> Option<Apart> {
        self.adopted.as_ref().and_then(|adopted| adopted.apart)
    }

    /// Kinds of changes that do not reach the target once [`Table::is_leaving`] says so.
    pub fn leaves(&self) -> Leaves {
        self.shape
            .as_ref()
            .map_or_else(Leaves::default, |shape| shape.leaves)
    }

    pub fn is_leaving(&self) -> bool {
        self.apart().is_some_and(|apart| apart.changes)
    }

    /// From here on the kinds of changes that it leaves out are left out.
    pub fn begin_leaving(&mut self) {
        if !self.leaves().is_nothing() {
            let adopted = self.adopted.get_or_insert_default();
            adopted.apart.get_or_insert_default().changes = true;
        }
    }

    /// True where each change must be applied once and in the source's order, because one that was
    /// applied before cannot be applied again.
    pub fn is_applied_once(&self) -> bool {
        self.is_exact() || self.is_leaving()
    }

    /// Rows of the source that the target does not have are as the rule wants it.
    pub fn may_miss_rows(&self) -> bool {
        self.leaves().misses_rows()
    }

    /// Rows that only the target has are as the rule wants it.
    pub fn may_hold_more(&self) -> bool {
        self.leaves().keeps_rows() || self.apart().is_some_and(|apart| apart.rows)
    }

    /// A row may have other values in the target: it was not updated, or another row of its key
    /// came while the old one stayed.
    pub fn may_differ(&self) -> bool {
        self.leaves().update || (self.may_miss_rows() && self.may_hold_more())
    }

    pub fn is_exact(&self) -> bool {
        self.exactness != Exactness::Keyed
    }

    /// Belongs to the family of tables whose rows change each other by unlogged cascades.
    pub fn is_cascading(&self) -> bool {
        self.exactness == Exactness::Cascading
    }

    /// May be true where a text only looks like one.
    pub fn has_foreign_keys(&self) -> bool {
        self.definition.contains("REFERENCES")
    }

    /// One of the tables that become one table in the target.
    pub fn is_merged(&self) -> bool {
        self.exactness == Exactness::Merged
    }

    /// The tables that are loaded, stopped and loaded anew together with this one.
    pub fn family(&self) -> Option<Family<'_>> {
        match self.exactness {
            Exactness::Keyed | Exactness::Keyless => None,
            Exactness::Cascading => Some(Family::Cascades),
            Exactness::Merged => Some(Family::Merged(self.target_name())),
        }
    }

    /// False where a change is visible at the source before it is in the binlog, and stays there
    /// when its transaction is rolled back.
    pub fn is_transactional(&self) -> bool {
        !NON_TRANSACTIONAL.contains(&self.engine.as_str())
    }
}

/// Engines without transactions that Wherry reads, each proved on real servers.
const NON_TRANSACTIONAL: [&str; 3] = ["myisam", "aria", "memory"];

/// Whether changes of a table may be replayed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Exactness {
    /// Has an identity; replaying changes converges.
    Keyed,
    /// Neither a primary key nor a non-null unique key: an exact table.
    Keyless,
    /// Tied to other tables by foreign keys whose cascades the source does not log, directly or
    /// through others. All such tables of a task are one family, with one start: an exact table.
    Cascading,
    /// One of several tables that become one in the target (`select.merge`): an exact table,
    /// because a row that meets another one there must never take its place.
    Merged,
}

/// Tables with one start.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Family<'t> {
    /// A task has one at most.
    Cascades,
    /// Those that become this table of the target.
    Merged(&'t TableName),
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Column {
    pub name: String,
    pub kind: ColumnKind,
    /// `COLUMN_TYPE` of the catalog, like `int(10) unsigned` or `enum('a','b')`.
    pub column_type: String,
    pub nullable: bool,
    /// Of text, ENUM and SET columns.
    pub charset: Option<String>,
    pub collation: Option<String>,
    /// Virtual or stored: read, compared, never written.
    pub generated: bool,
    pub auto_increment: bool,
    /// Its name in the target, where that is another one; see [`crate::NameMap`].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub in_target: Option<String>,
}

impl Column {
    /// What SQL for the target calls this column; everything else calls it by `name`.
    pub fn target_name(&self) -> &str {
        self.in_target.as_ref().unwrap_or(&self.name)
    }
}

/// What the bytes of a column mean; lengths are in characters for text, bytes for binary.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "lowercase")]
pub enum ColumnKind {
    /// TINYINT (1 byte) to BIGINT (8).
    Integer {
        bytes: u8,
        unsigned: bool,
    },
    Decimal {
        precision: u8,
        scale: u8,
    },
    Float,
    Double,
    Bit {
        bits: u8,
    },
    Year,
    Date,
    Time {
        fraction: u8,
    },
    Datetime {
        fraction: u8,
    },
    Timestamp {
        fraction: u8,
    },
    Char {
        length: u32,
    },
    Varchar {
        length: u32,
    },
    /// TINYTEXT to LONGTEXT.
    Text,
    Binary {
        length: u32,
    },
    Varbinary {
        length: u32,
    },
    /// TINYBLOB to LONGBLOB.
    Blob,
    /// Labels in UTF-8, as they stand in the catalog. A value is its label, or its number where
    /// the label says too little.
    Enum {
        labels: Vec<String>,
    },
    Set {
        labels: Vec<String>,
    },
    Json,
    Geometry,
    Vector,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Key {
    pub name: String,
    pub primary: bool,
    pub unique: bool,
    pub parts: Vec<KeyPart>,
    /// A part is an expression; such a key never identifies a row.
    pub functional: bool,
}

impl Key {
    /// True where every part is a whole column.
    pub fn plain(&self) -> bool {
        !self.functional && self.parts.iter().all(|part| part.prefix.is_none())
    }
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct KeyPart {
    /// Index into `Table::columns`.
    pub column: usize,
    /// Length of an index prefix in characters (bytes for binary columns).
    pub prefix: Option<u32>,
    /// The index holds this part from high to low; a walk that does not would sort all rows.
    #[serde(default)]
    pub descending: bool,
}
