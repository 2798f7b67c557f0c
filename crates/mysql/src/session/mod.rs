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
mod login;
mod packet;
mod pool;
mod redact;
mod rows;
mod setup;
mod tls;
mod wire;

pub use activity::Activity;
pub use dump::{BinlogConnection, DumpRequest};
pub use endpoint::{Endpoint, Secret};
pub use error::{AuthReason, ConnectReason, SessionError, TlsReason};
pub use load::LoadFeed;
pub use pool::{Pool, PooledSession};
pub use rows::{ColumnInfo, RowSet, RowStream};

use crate::flavour::ServerVersion;
use packet::{
    Cursor, ERROR_MARK, LOCAL_FILE_MARK, OK_MARK, STATUS_AUTOCOMMIT, STATUS_IN_TRANSACTION,
    STATUS_MORE_RESULTS, is_eof, parse_column, parse_ok, server_error,
};
use rows::Step;
use std::sync::Arc;
use std::time::Duration;
use tokio::time::timeout;
use wherry_model::{Class, Fault, Row};
use wire::Wire;

const COMMAND_QUIT: u8 = 0x01;
const COMMAND_QUERY: u8 = 0x03;
const COMMAND_PING: u8 = 0x0E;

/// Columns that a result can have at most.
const COLUMN_COUNT_MAX: u64 = 4096;

/// How long a goodbye may take.
const CLOSE_TIMEOUT: Duration = Duration::from_secs(1);

/// How long a sign of life may take.
const PING_TIMEOUT: Duration = Duration::from_secs(5);

/// What a session is for; it decides the session variables.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SessionKind {
    /// Catalog and administration.
    Control,
    /// Rows with their bytes as stored: `character_set_results` is NULL.
    Read,
    /// Strict writes without foreign key checks, READ COMMITTED. The server gives up on it after
    /// 10 s of silence, so that a stopped runner does not hold row locks.
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
    wire: Wire,
    version: ServerVersion,
    connection_id: u32,
    /// Status flags of the last answer.
    status: u16,
    /// False from the begin of a command until its last answer is read.
    ready: bool,
    activity: Option<Arc<Activity>>,
    label: String,
    /// What `watch` notes: the label, or the first words of the statement.
    statement: String,
    /// Number of the statement under way in `activity`.
    watched: Option<u64>,
}

/// The first packet of an answer.
enum Answer {
    Done(Outcome),
    Rows(usize),
    LocalFile,
}

impl Session {
    /// Connects, logs in, sets the session variables and proves that they hold.
    ///
    /// Limits: all of it within `connect_timeout`, once more where TLS is preferred and fails.
    pub async fn connect(endpoint: &Endpoint, kind: SessionKind) -> Result<Session, SessionError> {
        let limit = endpoint.connect_timeout;
        let opened = timeout(limit, async {
            let accepted = login::log_in(endpoint).await?;
            let version = ServerVersion::parse(&accepted.version)
                .ok_or_else(|| SessionError::protocol("no readable version"))?;
            let mut session = Session {
                wire: accepted.wire,
                version,
                connection_id: accepted.connection_id,
                status: accepted.status,
                ready: true,
                activity: None,
                label: String::new(),
                statement: String::new(),
                watched: None,
            };
            setup::set_up(&mut session, kind).await?;
            session.wire.set_time_limit(endpoint.read_timeout);
            Ok(session)
        });
        match opened.await {
            Ok(Err(SessionError::Timeout { .. })) | Err(_) => Err(SessionError::Connect {
                address: endpoint.address(),
                reason: ConnectReason::NoAnswer(limit),
            }),
            Ok(result) => result,
        }
    }

    /// To a source whose binlog is being read: one that does not answer is starting again, or fails
    /// over.
    pub(crate) async fn connect_beside_stream(endpoint: &Endpoint) -> Result<Session, Fault> {
        let connected = Session::connect(endpoint, SessionKind::Read).await;
        connected.map_err(|error| match error {
            SessionError::Connect { .. } => Fault {
                class: Class::Transient,
                ..error.into_fault()
            },
            _ => error.into_fault(),
        })
    }

    pub fn version(&self) -> &ServerVersion {
        &self.version
    }

    pub fn connection_id(&self) -> u32 {
        self.connection_id
    }

    /// True when the session must not be used any more.
    pub fn is_broken(&self) -> bool {
        !self.ready
    }

    /// True while a transaction is open, by the server's own word in its last answer.
    pub fn in_transaction(&self) -> bool {
        self.status & STATUS_IN_TRANSACTION != 0
    }

    /// True where somebody else can use the session.
    fn is_reusable(&self) -> bool {
        self.ready && !self.in_transaction() && self.status & STATUS_AUTOCOMMIT != 0
    }

    /// Notes the statements of this session there, under the label of [`Session::set_label`].
    pub fn set_activity(&mut self, activity: Arc<Activity>) {
        self.unwatch();
        self.activity = Some(activity);
    }

    /// Names the statements that follow; with an empty label it is their first two words.
    pub fn set_label(&mut self, label: impl Into<String>) {
        self.label = label.into();
    }

    /// Runs one statement; rows, if any, are dropped.
    pub async fn execute(&mut self, sql: impl AsRef<[u8]>) -> Result<Outcome, SessionError> {
        let outcomes = self.execute_many(sql).await?;
        Ok(outcomes.into_iter().next_back().unwrap_or_default())
    }

    /// Runs several statements, separated by `;`, in one message. The first error ends it and
    /// carries the index of its statement. A statement with rows has an empty outcome.
    pub async fn execute_many(
        &mut self,
        sql: impl AsRef<[u8]>,
    ) -> Result<Vec<Outcome>, SessionError> {
        self.begin(COMMAND_QUERY, sql.as_ref(), "running a statement")
            .await?;
        let mut outcomes = Vec::new();
        loop {
            outcomes.push(self.skip_result(outcomes.len()).await?);
            if self.status & STATUS_MORE_RESULTS == 0 {
                break;
            }
        }
        self.end();
        Ok(outcomes)
    }

    /// Runs a query with a small result.
    pub async fn query(&mut self, sql: impl AsRef<[u8]>) -> Result<RowSet, SessionError> {
        self.begin(COMMAND_QUERY, sql.as_ref(), "running a query")
            .await?;
        let columns = self.columns().await?;
        let mut rows = Vec::new();
        while let Step::Row = self.step(columns.len(), 0).await? {
            rows.push(Row::from_encoded(self.wire.take_payload()));
        }
        self.drain_results(1).await?;
        Ok(RowSet { columns, rows })
    }

    /// Runs a query with a large result.
    pub async fn query_stream(
        &mut self,
        sql: impl AsRef<[u8]>,
    ) -> Result<RowStream<'_>, SessionError> {
        self.begin(COMMAND_QUERY, sql.as_ref(), "reading rows")
            .await?;
        let columns = self.columns().await?;
        self.unwatch();
        Ok(RowStream::new(self, columns))
    }

    /// Asks for a sign of life, with a short limit.
    pub async fn ping(&mut self) -> Result<(), SessionError> {
        timeout(
            PING_TIMEOUT,
            self.command(COMMAND_PING, b"", "asking for a sign of life"),
        )
        .await
        .unwrap_or(Err(SessionError::Timeout {
            doing: "asking for a sign of life",
            after: PING_TIMEOUT,
        }))
    }

    /// Says goodbye and closes; never fails.
    pub async fn close(mut self) {
        if !self.ready {
            return;
        }
        // The server closes anyway; a goodbye only spares it a line in its log.
        let _ = timeout(CLOSE_TIMEOUT, async {
            self.begin(COMMAND_QUIT, b"", "closing").await?;
            self.wire
                .shutdown()
                .await
                .map_err(|source| SessionError::Io {
                    doing: "closing",
                    source,
                })
        })
        .await;
    }

    /// Runs a command whose only answer is OK.
    async fn command(
        &mut self,
        command: u8,
        body: &[u8],
        doing: &'static str,
    ) -> Result<(), SessionError> {
        self.begin(command, body, doing).await?;
        match self.answer(0).await? {
            Answer::Done(_) => {
                self.end();
                Ok(())
            }
            _ => Err(SessionError::protocol("no plain answer to a command")),
        }
    }

    /// Sends a command. Until `end` the session counts as broken.
    async fn begin(
        &mut self,
        command: u8,
        body: &[u8],
        doing: &'static str,
    ) -> Result<(), SessionError> {
        if !self.ready {
            return Err(SessionError::protocol(
                "the session was left in the middle of a statement",
            ));
        }
        self.ready = false;
        if self.activity.is_some() {
            self.statement = if self.label.is_empty() {
                first_words(body)
            } else {
                self.label.clone()
            };
        }
        self.watch();
        self.wire.begin(doing);
        self.send(&[command], body).await
    }

    /// Sends a packet. A server that closes in the middle of it has often said why before, for
    /// example that the packet is too large: that is the error then, not the lost connection.
    async fn send(&mut self, head: &[u8], body: &[u8]) -> Result<(), SessionError> {
        let Err(error) = self.wire.send(head, body).await else {
            return Ok(());
        };
        self.unwatch();
        if !matches!(error, SessionError::Io { .. }) {
            return Err(error);
        }
        match timeout(CLOSE_TIMEOUT, self.wire.read()).await {
            Ok(Ok(payload)) if payload.first() == Some(&ERROR_MARK) => {
                Err(server_error(payload, 0))
            }
            _ => Err(error),
        }
    }

    fn end(&mut self) {
        self.unwatch();
        self.ready = true;
    }

    /// Notes that the server owes an answer from now on.
    fn watch(&mut self) {
        self.unwatch();
        if let Some(activity) = &self.activity {
            self.watched = Some(activity.begin(&self.statement));
        }
    }

    fn unwatch(&mut self) {
        if let (Some(activity), Some(number)) = (&self.activity, self.watched.take()) {
            activity.end(number);
        }
    }

    /// An error packet ends the command; the session stays usable unless the server ended it.
    fn after_server_error(&mut self, error: SessionError) -> SessionError {
        self.unwatch();
        if !error.ends_session() {
            self.ready = true;
            // An error packet carries no status; the transaction may be gone or not.
        }
        error
    }

    async fn answer(&mut self, statement_index: usize) -> Result<Answer, SessionError> {
        let payload = self.wire.read().await?;
        match payload.first() {
            Some(&OK_MARK) => {
                let (outcome, status) = parse_ok(payload)
                    .ok_or_else(|| SessionError::protocol("a broken OK packet"))?;
                self.status = status;
                Ok(Answer::Done(outcome))
            }
            Some(&ERROR_MARK) => {
                let error = server_error(payload, statement_index);
                Err(self.after_server_error(error))
            }
            Some(&LOCAL_FILE_MARK) => Ok(Answer::LocalFile),
            _ => {
                let count = Cursor(payload)
                    .length()
                    .filter(|&count| count <= COLUMN_COUNT_MAX);
                match count {
                    Some(count) => Ok(Answer::Rows(count as usize)),
                    None => Err(SessionError::protocol("an unknown answer")),
                }
            }
        }
    }

    /// The columns of a statement that must have rows.
    async fn columns(&mut self) -> Result<Vec<ColumnInfo>, SessionError> {
        match self.answer(0).await? {
            Answer::Rows(count) => self.read_columns(count).await,
            Answer::LocalFile => Err(file_request()),
            Answer::Done(_) => {
                self.drain_results(1).await?;
                Err(SessionError::protocol("no rows for a query"))
            }
        }
    }

    async fn read_columns(&mut self, count: usize) -> Result<Vec<ColumnInfo>, SessionError> {
        let mut columns = Vec::with_capacity(count);
        for _ in 0..count {
            let column = parse_column(self.wire.read().await?)
                .ok_or_else(|| SessionError::protocol("a broken column definition"))?;
            columns.push(column);
        }
        let payload = self.wire.read().await?;
        if payload.first() == Some(&ERROR_MARK) {
            let error = server_error(payload, 0);
            return Err(self.after_server_error(error));
        }
        if !is_eof(payload) {
            return Err(SessionError::protocol("no end of the column definitions"));
        }
        Ok(columns)
    }

    /// Reads one result to its end and drops its rows.
    async fn skip_result(&mut self, statement_index: usize) -> Result<Outcome, SessionError> {
        match self.answer(statement_index).await? {
            Answer::Done(outcome) => Ok(outcome),
            Answer::LocalFile => Err(file_request()),
            Answer::Rows(count) => {
                let columns = self.read_columns(count).await?;
                while let Step::Row = self.step(columns.len(), statement_index).await? {}
                Ok(Outcome::default())
            }
        }
    }

    /// Reads further results, if the last answer announced any, and ends the command.
    async fn drain_results(&mut self, first_index: usize) -> Result<(), SessionError> {
        let mut index = first_index;
        while self.status & STATUS_MORE_RESULTS != 0 {
            self.skip_result(index).await?;
            index += 1;
        }
        self.end();
        Ok(())
    }
}

impl Drop for Session {
    fn drop(&mut self) {
        self.unwatch();
    }
}

/// A server that wants a file unasked is hostile or broken; it gets nothing.
fn file_request() -> SessionError {
    SessionError::protocol("a request for a file that was not offered")
}

/// The first two words of a statement: enough to know it, too little for a value.
fn first_words(sql: &[u8]) -> String {
    let head = &sql[..sql.len().min(64)];
    let text = String::from_utf8_lossy(head);
    let words: Vec<&str> = text
        .split_whitespace()
        .take(2)
        .take_while(|word| word.chars().all(|c| c.is_ascii_alphanumeric() || c == '_'))
        .collect();
    words.join(" ")
}
