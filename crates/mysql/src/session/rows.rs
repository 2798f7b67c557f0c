//! Results of a query: small ones whole in memory, large ones as a stream.

use super::Session;
use super::error::SessionError;
use wherry_model::{Row, RowBatch};

/// One column of a result.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ColumnInfo {
    pub name: String,
    /// The wire type, `MYSQL_TYPE_*`.
    pub kind: u8,
    pub flags: u16,
    /// Number of the collation; 63 is binary.
    pub charset: u16,
}

/// A whole result in memory.
#[derive(Debug, Clone, Default)]
pub struct RowSet {
    pub columns: Vec<ColumnInfo>,
    pub rows: Vec<Row>,
}

impl RowSet {
    pub fn is_empty(&self) -> bool {
        self.rows.is_empty()
    }

    /// The bytes of a value; `None` for NULL, a missing row or a missing column.
    pub fn bytes(&self, row: usize, column: usize) -> Option<&[u8]> {
        self.rows.get(row)?.get(column)?
    }

    /// A value as text; `None` also where it is not UTF-8.
    pub fn text(&self, row: usize, column: usize) -> Option<&str> {
        std::str::from_utf8(self.bytes(row, column)?).ok()
    }

    /// Index of the first column with this name, in any letter case.
    pub fn column(&self, name: &str) -> Option<usize> {
        self.columns
            .iter()
            .position(|column| column.name.eq_ignore_ascii_case(name))
    }

    /// A value as text, by the name of its column.
    pub fn named(&self, row: usize, name: &str) -> Option<&str> {
        self.text(row, self.column(name)?)
    }
}

/// A result under way. Dropped before its end it leaves the session broken.
pub struct RowStream<'a> {
    session: &'a mut Session,
    columns: Vec<ColumnInfo>,
}

impl RowStream<'_> {
    pub fn columns(&self) -> &[ColumnInfo] {
        &self.columns
    }

    /// Appends row payloads until the batch holds `bytes_max` bytes or the rows end.
    ///
    /// Returns false when no row is left. A single row may exceed `bytes_max`.
    pub async fn next_batch(
        &mut self,
        batch: &mut RowBatch,
        bytes_max: usize,
    ) -> Result<bool, SessionError> {
        let _ = (&mut *self.session, batch, bytes_max);
        Err(SessionError::protocol("not connected"))
    }

    /// Reads and drops what is left, so that the session can be used again.
    pub async fn finish(self) -> Result<(), SessionError> {
        Err(SessionError::protocol("not connected"))
    }
}
