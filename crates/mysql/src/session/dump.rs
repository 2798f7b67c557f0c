//! Binlog dumps: a session turned into a stream of raw events.

use super::Session;
use super::error::SessionError;
use bytes::Bytes;
use std::time::Duration;

/// Where a dump begins and how it behaves.
#[derive(Debug, Clone)]
pub struct DumpRequest {
    /// Must differ from every other replica of the server.
    pub server_id: u32,
    /// Ignored where `gtids` is given: a server after a failover has other files.
    pub file: String,
    pub offset: u64,
    /// MySQL only: the transactions that are not wanted, as the encoded SID block.
    pub gtids: Option<Vec<u8>>,
    pub heartbeat: Duration,
    /// Ends at the end of the binlog instead of waiting for more.
    pub non_blocking: bool,
}

/// A connection that sends binlog events.
pub struct BinlogConnection {
    session: Session,
}

impl BinlogConnection {
    /// The next event, whole, without the leading OK byte; `None` at the end of a dump that does
    /// not wait.
    pub async fn next_event(&mut self) -> Result<Option<Bytes>, SessionError> {
        let _ = &mut self.session;
        Err(SessionError::protocol("not connected"))
    }
}
