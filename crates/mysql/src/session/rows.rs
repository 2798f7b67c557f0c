//! Results of a query: small ones whole in memory, large ones as a stream.

use super::Session;
use super::error::SessionError;
use super::packet::{ERROR_MARK, eof_status, is_eof, is_row, server_error};
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

/// What stands in the place of a row.
pub(super) enum Step {
    Row,
    /// The rows of this result ended; more results may follow.
    End,
}

impl Session {
    /// Reads one packet of a result's rows. The row is then in the wire's payload.
    pub(super) async fn step(
        &mut self,
        column_count: usize,
        statement_index: usize,
    ) -> Result<Step, SessionError> {
        let payload = self.wire.read().await?;
        if is_eof(payload) {
            self.status =
                eof_status(payload).ok_or_else(|| SessionError::protocol("a broken EOF packet"))?;
            return Ok(Step::End);
        }
        if payload.first() == Some(&ERROR_MARK) {
            let error = server_error(payload, statement_index);
            return Err(self.after_server_error(error));
        }
        if !is_row(payload, column_count) {
            return Err(SessionError::protocol("a broken row"));
        }
        Ok(Step::Row)
    }
}

/// A result under way. Dropped before its end it leaves the session broken.
pub struct RowStream<'a> {
    session: &'a mut Session,
    columns: Vec<ColumnInfo>,
    ended: bool,
}

impl<'a> RowStream<'a> {
    pub(super) fn new(session: &'a mut Session, columns: Vec<ColumnInfo>) -> RowStream<'a> {
        RowStream {
            session,
            columns,
            ended: false,
        }
    }
}

impl RowStream<'_> {
    pub fn columns(&self) -> &[ColumnInfo] {
        &self.columns
    }

    /// Appends row payloads until the batch holds `bytes_max` bytes or the rows end.
    ///
    /// Shape: false means that no row is left; the batch may still have got the last ones. A
    /// single row may exceed `bytes_max`.
    pub async fn next_batch(
        &mut self,
        batch: &mut RowBatch,
        bytes_max: usize,
    ) -> Result<bool, SessionError> {
        if self.ended {
            return Ok(false);
        }
        self.session.watch();
        while batch.byte_count() < bytes_max {
            match self.session.step(self.columns.len(), 0).await? {
                Step::Row => batch.push_encoded(self.session.wire.payload()),
                Step::End => {
                    self.end().await?;
                    return Ok(false);
                }
            }
        }
        self.session.unwatch();
        Ok(true)
    }

    /// Reads and drops what is left, so that the session can be used again.
    pub async fn finish(mut self) -> Result<(), SessionError> {
        if self.ended {
            return Ok(());
        }
        self.session.watch();
        while let Step::Row = self.session.step(self.columns.len(), 0).await? {}
        self.end().await
    }

    async fn end(&mut self) -> Result<(), SessionError> {
        self.session.drain_results(1).await?;
        self.ended = true;
        Ok(())
    }
}
