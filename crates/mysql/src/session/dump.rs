//! Binlog dumps: a session turned into a stream of raw events.

use super::Session;
use super::error::SessionError;
use super::packet::{ERROR_MARK, OK_MARK, is_eof, server_error};
use bytes::{Buf, Bytes};
use std::time::Duration;

const COMMAND_BINLOG_DUMP: u8 = 0x12;
const COMMAND_REGISTER_REPLICA: u8 = 0x15;
const COMMAND_BINLOG_DUMP_GTID: u8 = 0x1E;

const DUMP_NON_BLOCKING: u16 = 0x01;
const DUMP_THROUGH_GTID: u16 = 0x04;

/// Where the events of every binlog file begin.
const FIRST_OFFSET: u64 = 4;

/// Limit for the first event: the server may search its files for a GTID set before it.
const FIRST_EVENT_TIMEOUT: Duration = Duration::from_secs(600);

/// Least limit for later events, also of a dump that does not wait and so has no heartbeat.
const EVENT_TIMEOUT_MIN: Duration = Duration::from_secs(30);

/// Heartbeats that may be missing before the connection counts as lost.
const HEARTBEATS_MISSED_MAX: u32 = 3;

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

impl DumpRequest {
    fn command(&self) -> Result<(u8, Vec<u8>), SessionError> {
        let flags = if self.non_blocking {
            DUMP_NON_BLOCKING
        } else {
            0
        };
        let mut body = Vec::new();
        if let Some(gtids) = &self.gtids {
            body.extend_from_slice(&(flags | DUMP_THROUGH_GTID).to_le_bytes());
            body.extend_from_slice(&self.server_id.to_le_bytes());
            body.extend_from_slice(&0u32.to_le_bytes());
            body.extend_from_slice(&FIRST_OFFSET.to_le_bytes());
            let length = u32::try_from(gtids.len())
                .map_err(|_| SessionError::protocol("a GTID set above 4 GiB"))?;
            body.extend_from_slice(&length.to_le_bytes());
            body.extend_from_slice(gtids);
            return Ok((COMMAND_BINLOG_DUMP_GTID, body));
        }
        let offset = u32::try_from(self.offset).map_err(|_| {
            SessionError::protocol(
                "without GTIDs no server can begin behind 4 GiB of a binlog file",
            )
        })?;
        body.extend_from_slice(&offset.to_le_bytes());
        body.extend_from_slice(&flags.to_le_bytes());
        body.extend_from_slice(&self.server_id.to_le_bytes());
        body.extend_from_slice(self.file.as_bytes());
        Ok((COMMAND_BINLOG_DUMP, body))
    }

    fn event_timeout(&self) -> Duration {
        (self.heartbeat * HEARTBEATS_MISSED_MAX).max(EVENT_TIMEOUT_MIN)
    }
}

impl Session {
    /// Turns the session into a stream of binlog events.
    ///
    /// Each event carries a checksum where the server's own `binlog_checksum` says so; the format
    /// event tells.
    pub async fn binlog_dump(
        mut self,
        request: DumpRequest,
    ) -> Result<BinlogConnection, SessionError> {
        if self.version.is_mariadb() && request.gtids.is_some() {
            return Err(SessionError::protocol(
                "a MySQL GTID set for a MariaDB server",
            ));
        }
        let (command, body) = request.command()?;
        self.execute(dump_settings(self.version.is_mariadb(), request.heartbeat))
            .await?;
        self.register(request.server_id).await?;
        self.begin(command, &body, "waiting for binlog events")
            .await?;
        self.unwatch();
        self.wire.set_time_limit(FIRST_EVENT_TIMEOUT);
        Ok(BinlogConnection {
            session: self,
            event_timeout: request.event_timeout(),
        })
    }

    /// Makes the reader visible in the server's list of replicas.
    async fn register(&mut self, server_id: u32) -> Result<(), SessionError> {
        let mut body = server_id.to_le_bytes().to_vec();
        // Empty host, user and password, then port, rank and the number of the source.
        body.extend_from_slice(&[0; 3 + 2 + 4 + 4]);
        self.command(COMMAND_REGISTER_REPLICA, &body, "registering as a replica")
            .await
    }
}

/// The user variables that a server looks at when a dump begins, under all names it may know.
fn dump_settings(is_mariadb: bool, heartbeat: Duration) -> String {
    let period = heartbeat.as_nanos();
    let mut list = vec![
        // The server's own algorithm: it then sends the events as they are.
        "@master_binlog_checksum = @@GLOBAL.binlog_checksum".to_owned(),
        format!("@master_heartbeat_period = {period}"),
    ];
    if is_mariadb {
        // 4: knows GTID events, so the server need not replace them.
        list.push("@mariadb_slave_capability = 4".to_owned());
    } else {
        // Without a UUID of its own the server takes two readers with one number for one.
        list.push("@slave_uuid = UUID(), @replica_uuid = UUID()".to_owned());
        list.push("@source_binlog_checksum = @@GLOBAL.binlog_checksum".to_owned());
        list.push(format!("@source_heartbeat_period = {period}"));
    }
    format!("SET {}", list.join(", "))
}

/// A connection that sends binlog events.
pub struct BinlogConnection {
    session: Session,
    event_timeout: Duration,
}

impl BinlogConnection {
    /// The next event, whole, without the leading OK byte; `None` at the end of a dump that does
    /// not wait. A large event is not copied.
    ///
    /// Errors: after any the connection is of no more use.
    pub async fn next_event(&mut self) -> Result<Option<Bytes>, SessionError> {
        let wire = &mut self.session.wire;
        let payload = wire.read().await?;
        if is_eof(payload) {
            return Ok(None);
        }
        match payload.first() {
            Some(&OK_MARK) => {}
            Some(&ERROR_MARK) => return Err(server_error(payload, 0)),
            _ => return Err(SessionError::protocol("no event in a binlog dump")),
        }
        wire.set_time_limit(self.event_timeout);
        let mut event = wire.take_payload();
        event.advance(1);
        Ok(Some(event))
    }
}
