//! One connection to a server: login, statements, rows, loads, dumps.
//!
//! Owns the wire protocol and the settings that every session has. Must not retry: that is the
//! engine's. A statement is bytes, because its literals hold arbitrary bytes.
//! Read on in [`Session`], then `binlog` and `source` for who uses it.

pub mod secret;

mod activity;
mod dump;
mod endpoint;
mod error;
mod load;
mod pool;
mod rows;

pub use activity::Activity;
pub use dump::{BinlogConnection, DumpRequest};
pub use endpoint::{Endpoint, Secret};
pub use error::{AuthReason, ConnectReason, SessionError, TlsReason};
pub use load::LoadFeed;
pub use pool::{Pool, PooledSession};
pub use rows::{ColumnInfo, RowSet, RowStream};

use crate::flavour::ServerVersion;
use std::sync::Arc;

/// What a session is for; it decides the session variables.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SessionKind {
    /// Catalog and administration.
    Control,
    /// Rows with their bytes as stored: `character_set_results` is NULL.
    Read,
    /// Strict writes without foreign key checks, READ COMMITTED, short timeouts.
    Write,
}

/// What a statement without rows did.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Outcome {
    /// Matched rows, also those that kept their values.
    pub affected_rows: u64,
    pub last_insert_id: u64,
    pub warnings: u16,
    pub info: String,
}

/// One connection, logged in and set up.
///
/// Cancel: a dropped call leaves the session broken; it must then be dropped, not used.
pub struct Session {
    version: ServerVersion,
    connection_id: u32,
}

impl Session {
    pub async fn connect(endpoint: &Endpoint, kind: SessionKind) -> Result<Session, SessionError> {
        let _ = (endpoint, kind);
        Err(SessionError::protocol("not connected"))
    }

    pub fn version(&self) -> &ServerVersion {
        &self.version
    }

    pub fn connection_id(&self) -> u32 {
        self.connection_id
    }

    /// True when the session must not be used any more.
    pub fn is_broken(&self) -> bool {
        true
    }

    /// True while a transaction is open, by the server's own word in its last answer.
    pub fn in_transaction(&self) -> bool {
        false
    }

    /// Notes the statements of this session there, under the label of [`Session::set_label`].
    pub fn set_activity(&mut self, activity: Arc<Activity>) {
        let _ = activity;
    }

    /// Names the statements that follow; without a label it is their first two words.
    pub fn set_label(&mut self, label: impl Into<String>) {
        let _ = label.into();
    }

    /// Runs one statement; rows, if any, are dropped.
    pub async fn execute(&mut self, sql: impl AsRef<[u8]>) -> Result<Outcome, SessionError> {
        let _ = sql.as_ref();
        Err(SessionError::protocol("not connected"))
    }

    /// Runs several statements, separated by `;`, in one message. The first error ends it and
    /// carries the index of its statement.
    pub async fn execute_many(
        &mut self,
        sql: impl AsRef<[u8]>,
    ) -> Result<Vec<Outcome>, SessionError> {
        let _ = sql.as_ref();
        Err(SessionError::protocol("not connected"))
    }

    /// Runs a query with a small result.
    pub async fn query(&mut self, sql: impl AsRef<[u8]>) -> Result<RowSet, SessionError> {
        let _ = sql.as_ref();
        Err(SessionError::protocol("not connected"))
    }

    /// Runs a query with a large result.
    pub async fn query_stream(
        &mut self,
        sql: impl AsRef<[u8]>,
    ) -> Result<RowStream<'_>, SessionError> {
        let _ = sql.as_ref();
        Err(SessionError::protocol("not connected"))
    }

    /// Runs a `LOAD DATA LOCAL INFILE` statement; its bytes come from the feed.
    ///
    /// Errors: a fault of the feed is `Feed`; the connection is then dropped, so that the server
    /// rolls the statement back.
    pub async fn load_data(
        &mut self,
        sql: impl AsRef<[u8]>,
        feed: &mut dyn LoadFeed,
    ) -> Result<Outcome, SessionError> {
        let _ = (sql.as_ref(), feed);
        Err(SessionError::protocol("not connected"))
    }

    /// Turns the session into a stream of binlog events.
    pub async fn binlog_dump(self, request: DumpRequest) -> Result<BinlogConnection, SessionError> {
        let _ = request;
        Err(SessionError::protocol("not connected"))
    }

    pub async fn ping(&mut self) -> Result<(), SessionError> {
        Err(SessionError::protocol("not connected"))
    }

    /// Says goodbye and closes; never fails.
    pub async fn close(self) {}
}
