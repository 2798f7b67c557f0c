//! Starts and ends: which place of the binlog is surely visible, and which surely written.
//!
//! A commit is in the binlog before other sessions can see it. So a start is the beginning of
//! the current binlog file: rotation waits until the transactions of older files are visible.
//! An end is the end of the binlog, file and offset. The account needs REPLICATION CLIENT and
//! REPLICATION SLAVE only.

use super::event::Event;
use super::fault;
use super::gtid::{GtidSet, GtidState};
use super::place::Place;
use crate::session::{DumpRequest, Endpoint, RowSet, Session, SessionError, SessionKind};
use std::time::Duration;
use wherry_model::{Fault, Position};

/// Offset of the first event of every file.
pub(super) const FILE_BEGIN: u64 = 4;

/// A dump that only looks at the head of a file never waits, so this is no more than a default.
const HEARTBEAT: Duration = Duration::from_secs(1);

/// How long a transaction that was already sent may take until its GTID is listed.
const LISTING_DELAY: Duration = Duration::from_millis(500);
const LISTING_TRIES: u32 = 6;

/// A position at which every earlier change is surely visible to a read that begins later.
pub async fn start(endpoint: &Endpoint) -> Result<Position, Fault> {
    let mut session = Session::connect(endpoint, SessionKind::Control).await?;
    let version = session.version().clone();
    let current = current_end(&mut session).await?;
    let with_gtids = version.is_mariadb() || gtid_mode_is_on(&mut session).await?;
    let mut file = current.file.to_string();
    if has_other_binlog_writer(&mut session).await {
        let files = files(&mut session).await?;
        let place = files.iter().position(|candidate| candidate.name == file);
        if let Some(earlier) = place.and_then(|index| index.checked_sub(1)) {
            file = files[earlier].name.clone();
        }
    }
    session.close().await;
    let mut head = read_head(endpoint, &file).await?;
    if let Some(checkpoint) = head.checkpoint_file.take().filter(|name| *name != file) {
        // MariaDB rotates without waiting for the commits of older files, and says here how far
        // back an unfinished one may lie.
        file = checkpoint;
        head = read_head(endpoint, &file).await?;
    }
    let gtids = head
        .gtids
        .filter(|_| with_gtids)
        .map(|gtids| gtids.to_string());
    Ok(Position::new(&file, FILE_BEGIN, gtids.as_deref()))
}

/// The end of the binlog: surely behind every change that a finished read has seen.
///
/// It has no GTIDs: the executed set is not exactly that of this place, and an end is only
/// compared, by file and offset.
pub async fn end(endpoint: &Endpoint) -> Result<Position, Fault> {
    let mut session = Session::connect(endpoint, SessionKind::Control).await?;
    let position = current_end(&mut session).await?;
    session.close().await;
    Ok(position)
}

pub(super) async fn current_end(session: &mut Session) -> Result<Position, Fault> {
    let statement = session.version().binlog_status_statement();
    let status = session.query(statement).await?;
    let file = status.named(0, "File").filter(|file| !file.is_empty());
    let offset = status
        .named(0, "Position")
        .and_then(|text| text.parse().ok());
    match (file, offset) {
        (Some(file), Some(offset)) => Ok(Position::new(file, offset, None)),
        _ => Err(fault::no_binlog()),
    }
}

/// A binlog file that the source still has.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BinlogFile {
    pub name: String,
    pub size: u64,
}

/// The source's binlog files, oldest first.
pub async fn files(session: &mut Session) -> Result<Vec<BinlogFile>, Fault> {
    let rows = session.query("SHOW BINARY LOGS").await?;
    let file = |row| {
        Some(BinlogFile {
            name: rows.text(row, 0)?.to_owned(),
            size: rows.text(row, 1)?.parse().ok()?,
        })
    };
    Ok((0..rows.rows.len()).filter_map(file).collect())
}

/// Fails with the available range where the source cannot go on from `position`.
pub async fn check_available(session: &mut Session, position: &Position) -> Result<(), Fault> {
    let files = files(session).await?;
    let (Some(first), Some(last)) = (files.first(), files.last()) else {
        return Err(fault::no_binlog());
    };
    let last_end = Position::new(&last.name, last.size, None);
    match files.iter().find(|file| file.name == *position.file) {
        Some(file) if position.offset <= file.size => Ok(()),
        Some(_) => Err(fault::beyond_end(
            position,
            &first.name,
            &last_end.to_string(),
        )),
        None if position.reaches(&last_end) => Err(fault::beyond_end(
            position,
            &first.name,
            &last_end.to_string(),
        )),
        None => Err(fault::purged(position, &first.name, &last_end.to_string())),
    }
}

/// Fails where the source has purged transactions outside `set`, or does not know some inside.
pub(super) async fn check_gtids(session: &mut Session, set: &GtidSet) -> Result<(), Fault> {
    for attempt in 1.. {
        let query = format!(
            "SELECT GTID_SUBTRACT(@@GLOBAL.gtid_purged, '{set}'), \
             GTID_SUBTRACT('{set}', @@GLOBAL.gtid_executed)"
        );
        let rows = session.query(query).await?;
        let text = |column| rows.text(0, column).unwrap_or_default().replace('\n', "");
        let (purged, unknown) = (text(0), text(1));
        if !purged.is_empty() {
            return Err(fault::gtids_purged(&purged));
        }
        if unknown.is_empty() {
            return Ok(());
        }
        // A transaction can be received before its commit is finished and its GTID listed.
        if attempt == LISTING_TRIES {
            return Err(fault::gtids_unknown(&unknown));
        }
        tokio::time::sleep(LISTING_DELAY).await;
    }
    Ok(())
}

/// True where every transaction has a GTID. MySQL only.
pub(super) async fn gtid_mode_is_on(session: &mut Session) -> Result<bool, SessionError> {
    let rows = session.query("SELECT @@GLOBAL.gtid_mode").await?;
    Ok(rows.text(0, 0) == Some("ON"))
}

/// Aurora's enhanced binlog is written by the storage, not by the server.
async fn has_other_binlog_writer(session: &mut Session) -> bool {
    let variable = "SHOW GLOBAL VARIABLES LIKE 'aurora\\_enhanced\\_binlog'";
    // A server without such a function answers with an error: then it is no Aurora.
    if session.query("SELECT aurora_version()").await.is_err() {
        return false;
    }
    let on = |rows: RowSet| {
        rows.text(0, 1)
            .is_some_and(|value| !matches!(value, "OFF" | "0" | ""))
    };
    session.query(variable).await.is_ok_and(on)
}

#[derive(Debug, Default)]
pub(super) struct FileHead {
    pub(super) gtids: Option<GtidState>,
    /// Of MariaDB's first checkpoint event.
    pub(super) checkpoint_file: Option<String>,
    /// When the file was begun, in seconds since 1970.
    pub(super) begun_at: u32,
}

/// Reads the first events of a file: those before the first transaction.
pub(super) async fn read_head(endpoint: &Endpoint, file: &str) -> Result<FileHead, Fault> {
    let session = Session::connect(endpoint, SessionKind::Control).await?;
    let maria = session.version().is_mariadb();
    let request = DumpRequest {
        server_id: random_server_id(),
        file: file.to_owned(),
        offset: FILE_BEGIN,
        gtids: None,
        heartbeat: HEARTBEAT,
        non_blocking: true,
    };
    let mut connection = session.binlog_dump(request).await?;
    let mut place = Place::new(file, FILE_BEGIN);
    let mut head = FileHead::default();
    let unreadable = |error| fault::no_description(file).cause(error);
    while let Some(bytes) = connection.next_event().await? {
        let raw = place.take(&bytes).map_err(unreadable)?;
        match place.parse(&raw).map_err(unreadable)? {
            Event::Format(format) => {
                place.set_format(format);
                head.begun_at = raw.header.timestamp;
            }
            Event::Rotate { file: next, .. } if next != file => break,
            Event::PreviousGtids(set) => {
                head.gtids = Some(GtidState::MySql(set));
                break;
            }
            Event::MariaGtidList(list) => head.gtids = Some(GtidState::MariaDb(list)),
            Event::MariaCheckpoint { file } => {
                head.checkpoint_file = Some(file);
                break;
            }
            Event::Rotate { .. } | Event::Ignored | Event::Heartbeat => {}
            // A transaction: MySQL 5.6 without GTIDs writes no set. A new MariaDB file has its
            // checkpoint event a moment later, perhaps behind the first transactions.
            _ if maria => {}
            _ => break,
        }
    }
    if maria && head.checkpoint_file.is_none() {
        // Not written yet: then an older file may still hold an unfinished commit.
        return Err(fault::no_checkpoint_event(file));
    }
    Ok(head)
}

/// A server id that no replica is likely to have.
pub fn random_server_id() -> u32 {
    use std::hash::{BuildHasher, Hasher};
    // Every state has keys of its own, taken from the system's random source.
    let random = std::collections::hash_map::RandomState::new()
        .build_hasher()
        .finish();
    (random as u32) | 1 << 31
}
