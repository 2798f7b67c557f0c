//! Binlog events: framing, checksums, and the bodies that the stream needs.
//!
//! Owns the layout of events of MySQL 5.6 to 9.x and MariaDB 10. Knows nothing of tables being
//! moved. Read on in [`super::table_map`], [`super::query`] and [`super::payload`] for the
//! larger bodies, and in [`super::decode`] for rows.

use super::cursor::{Cursor, Truncated};
use super::gtid::{Gtid, GtidError, GtidSet, Issuer, MariaGtid, MariaPosition, decode_tag};
use super::query::QueryEvent;
use super::table_map::{TableMap, TableMapHead};
use crate::ddl::Xid;
use bytes::Bytes;

pub const HEADER_BYTES: usize = 19;
const CHECKSUM_BYTES: usize = 4;

/// Set in the first event of a file while the server writes it; not part of the checksum.
const FLAG_IN_USE: u16 = 0x01;
/// The server made the event up while sending; it is in no file.
const FLAG_ARTIFICIAL: u16 = 0x20;
/// A reader that does not know the event may pass over it.
const FLAG_IGNORABLE: u16 = 0x80;

/// Event type numbers.
mod kind {
    pub const UNKNOWN: u8 = 0;
    pub const START_V3: u8 = 1;
    pub const QUERY: u8 = 2;
    pub const STOP: u8 = 3;
    pub const ROTATE: u8 = 4;
    pub const INTVAR: u8 = 5;
    pub const APPEND_BLOCK: u8 = 9;
    pub const DELETE_FILE: u8 = 11;
    pub const RAND: u8 = 13;
    pub const USER_VAR: u8 = 14;
    pub const FORMAT_DESCRIPTION: u8 = 15;
    pub const XID: u8 = 16;
    pub const BEGIN_LOAD_QUERY: u8 = 17;
    pub const EXECUTE_LOAD_QUERY: u8 = 18;
    pub const TABLE_MAP: u8 = 19;
    pub const WRITE_ROWS_V1: u8 = 23;
    pub const UPDATE_ROWS_V1: u8 = 24;
    pub const DELETE_ROWS_V1: u8 = 25;
    pub const INCIDENT: u8 = 26;
    pub const HEARTBEAT: u8 = 27;
    pub const IGNORABLE: u8 = 28;
    pub const ROWS_QUERY: u8 = 29;
    pub const WRITE_ROWS_V2: u8 = 30;
    pub const UPDATE_ROWS_V2: u8 = 31;
    pub const DELETE_ROWS_V2: u8 = 32;
    pub const GTID: u8 = 33;
    pub const ANONYMOUS_GTID: u8 = 34;
    pub const PREVIOUS_GTIDS: u8 = 35;
    pub const TRANSACTION_CONTEXT: u8 = 36;
    pub const VIEW_CHANGE: u8 = 37;
    pub const XA_PREPARE: u8 = 38;
    pub const PARTIAL_UPDATE_ROWS: u8 = 39;
    pub const TRANSACTION_PAYLOAD: u8 = 40;
    pub const HEARTBEAT_V2: u8 = 41;
    pub const GTID_TAGGED: u8 = 42;
    pub const MARIA_ANNOTATE: u8 = 160;
    pub const MARIA_CHECKPOINT: u8 = 161;
    pub const MARIA_GTID: u8 = 162;
    pub const MARIA_GTID_LIST: u8 = 163;
    pub const MARIA_START_ENCRYPTION: u8 = 164;
    pub const MARIA_QUERY_COMPRESSED: u8 = 165;
    pub const MARIA_WRITE_COMPRESSED_V1: u8 = 166;
    pub const MARIA_DELETE_COMPRESSED: u8 = 171;
}

#[derive(Debug, thiserror::Error)]
pub enum EventError {
    #[error("an event of type {kind} ended too early")]
    Truncated { kind: u8 },
    #[error("the checksum of an event of type {kind} is wrong")]
    Checksum { kind: u8 },
    #[error("an event of type {kind} is damaged: {what}")]
    Damaged { kind: u8, what: &'static str },
    #[error("an event of unknown type {kind} that must not be passed over")]
    Unknown { kind: u8 },
    #[error("a transaction payload could not be unpacked")]
    Payload(#[source] std::io::Error),
    #[error("a transaction payload of unknown compression {0}")]
    Compression(u64),
}

/// The fixed head of every event.
#[derive(Debug, Clone, Copy)]
pub struct Header {
    /// Seconds since 1970 UTC; 0 in artificial events.
    pub timestamp: u32,
    pub kind: u8,
    pub server_id: u32,
    pub size: u32,
    /// Low 32 bits of the offset behind the event; 0 in artificial events.
    pub log_pos: u32,
    flags: u16,
}

impl Header {
    fn read(bytes: &[u8]) -> Result<Header, Truncated> {
        let mut cursor = Cursor::new(bytes);
        Ok(Header {
            timestamp: cursor.u32()?,
            kind: cursor.u8()?,
            server_id: cursor.u32()?,
            size: cursor.u32()?,
            log_pos: cursor.u32()?,
            flags: cursor.u16()?,
        })
    }

    pub fn is_artificial(&self) -> bool {
        self.flags & FLAG_ARTIFICIAL != 0
    }

    /// True for the ways to write rows that the stream decodes.
    pub fn is_rows(&self) -> bool {
        matches!(
            self.kind,
            kind::WRITE_ROWS_V1..=kind::DELETE_ROWS_V1
                | kind::WRITE_ROWS_V2..=kind::DELETE_ROWS_V2
                | kind::PARTIAL_UPDATE_ROWS
        )
    }

    pub fn is_heartbeat(&self) -> bool {
        matches!(self.kind, kind::HEARTBEAT | kind::HEARTBEAT_V2)
    }

    pub fn is_format(&self) -> bool {
        self.kind == kind::FORMAT_DESCRIPTION
    }

    pub fn is_table_map(&self) -> bool {
        self.kind == kind::TABLE_MAP
    }

    fn truncated(&self) -> EventError {
        EventError::Truncated { kind: self.kind }
    }

    fn damaged(&self, what: &'static str) -> EventError {
        EventError::Damaged {
            kind: self.kind,
            what,
        }
    }
}

/// What the format description event of a file says about the events behind it.
#[derive(Debug, Clone, Default)]
pub struct Format {
    /// Every event ends in a CRC32. The server's word, not what was asked for.
    pub checksum: bool,
    mariadb: bool,
    /// Length of the fixed part of a body by event type, from type 1 on.
    post_header_lengths: Vec<u8>,
}

impl Format {
    fn read(header: &Header, body: &[u8]) -> Result<Format, EventError> {
        let read = || -> Result<Format, Truncated> {
            let mut cursor = Cursor::new(body);
            cursor.skip(2)?;
            let version = cursor.bytes(50)?;
            cursor.skip(4 + 1)?;
            // From MySQL 5.6.1 and MariaDB 5.3 on, the list ends in the checksum algorithm, and
            // this event alone always has room for its checksum.
            let list = cursor.bytes(cursor.len().checked_sub(1).ok_or(Truncated)?)?;
            Ok(Format {
                checksum: cursor.u8()? == 1,
                mariadb: memchr::memmem::find(version, b"MariaDB").is_some(),
                post_header_lengths: list.to_vec(),
            })
        };
        read().map_err(|_| header.truncated())
    }

    pub(super) fn table_map_id_bytes(&self) -> usize {
        self.table_id_bytes(kind::TABLE_MAP)
    }

    pub(super) fn parse_table_map(&self, body: &[u8]) -> Result<TableMap, EventError> {
        let kind = kind::TABLE_MAP;
        TableMap::parse(body, self.table_map_id_bytes(), self.mariadb)
            .map_err(|_| EventError::Truncated { kind })
    }

    /// Very old servers wrote table ids of four bytes.
    fn table_id_bytes(&self, kind: u8) -> usize {
        let index = usize::from(kind).wrapping_sub(1);
        match self.post_header_lengths.get(index) {
            Some(6) => 4,
            _ => 6,
        }
    }
}

/// An event without its checksum.
#[derive(Debug, Clone)]
pub struct RawEvent {
    pub header: Header,
    pub body: Bytes,
}

impl RawEvent {
    /// Cuts head and checksum off an event as the server sent it, and verifies the checksum.
    pub fn frame(event: &Bytes, format: &Format) -> Result<RawEvent, EventError> {
        let header = Header::read(event).map_err(|_| EventError::Truncated { kind: 0 })?;
        let has_checksum = match header.kind {
            kind::FORMAT_DESCRIPTION => true,
            // The server makes these up by its own setting of the moment, which may differ from
            // the file's, and sends the first one before it has described the format.
            kind::ROTATE | kind::HEARTBEAT | kind::HEARTBEAT_V2 => {
                verify_checksum(event, &header).is_ok()
            }
            _ => format.checksum,
        };
        if !has_checksum {
            return RawEvent::frame_inner(event.clone());
        }
        let ends_well = verify_checksum(event, &header);
        // A format event of a server without checksums has the room but nothing in it.
        if header.kind != kind::FORMAT_DESCRIPTION || format_has_checksum(event) {
            ends_well?;
        }
        if event.len() < HEADER_BYTES + CHECKSUM_BYTES {
            return Err(header.truncated());
        }
        let body = event.slice(HEADER_BYTES..event.len() - CHECKSUM_BYTES);
        Ok(RawEvent { header, body })
    }

    /// Cuts the head off an event that never has a checksum, like those inside a payload.
    pub fn frame_inner(event: Bytes) -> Result<RawEvent, EventError> {
        let header = Header::read(&event).map_err(|_| EventError::Truncated { kind: 0 })?;
        let body = event.slice(HEADER_BYTES..);
        Ok(RawEvent { header, body })
    }
}

fn format_has_checksum(event: &[u8]) -> bool {
    event
        .len()
        .checked_sub(CHECKSUM_BYTES + 1)
        .and_then(|index| event.get(index))
        == Some(&1)
}

fn verify_checksum(event: &[u8], header: &Header) -> Result<(), EventError> {
    let end = event.len().checked_sub(CHECKSUM_BYTES);
    let end = end
        .filter(|end| *end >= HEADER_BYTES)
        .ok_or_else(|| header.truncated())?;
    let (covered, checksum) = event.split_at(end);
    let mut hasher = crc32fast::Hasher::new();
    if header.flags & FLAG_IN_USE != 0 && header.kind == kind::FORMAT_DESCRIPTION {
        // The server sets this flag after it has computed the checksum.
        let flags = (header.flags & !FLAG_IN_USE).to_le_bytes();
        hasher.update(&covered[..HEADER_BYTES - 2]);
        hasher.update(&flags);
        hasher.update(&covered[HEADER_BYTES..]);
    } else {
        hasher.update(covered);
    }
    if hasher.finalize().to_le_bytes() != checksum {
        return Err(EventError::Checksum { kind: header.kind });
    }
    Ok(())
}

/// A decoded event; what the stream has no use for is `Ignored`.
#[derive(Debug)]
pub enum Event {
    Format(Format),
    /// The next file and the offset in it, never below 4.
    Rotate {
        file: String,
        offset: u64,
    },
    Query(QueryEvent),
    Xid,
    Gtid(GtidEvent),
    PreviousGtids(GtidSet),
    MariaGtid(MariaGtidEvent),
    MariaGtidList(MariaPosition),
    /// The oldest file that the server still needs for crash recovery.
    MariaCheckpoint {
        file: String,
    },
    TableMap(TableMapHead),
    Rows(RowsEvent),
    /// MariaDB's compressed form of rows.
    CompressedRows {
        table_id: u64,
        ends_statement: bool,
    },
    /// MariaDB's compressed form of a statement; only the default database is readable.
    CompressedQuery {
        database: String,
    },
    Payload(Bytes),
    XaPrepare {
        xid: Xid,
        one_phase: bool,
    },
    Heartbeat,
    /// The source says that changes are missing from its binlog.
    Incident {
        code: u16,
    },
    Ignored,
}

/// Begins a transaction on MySQL; `gtid` is absent in anonymous ones.
#[derive(Debug)]
pub struct GtidEvent {
    pub gtid: Option<Gtid>,
    /// Microseconds since 1970 UTC; absent before MySQL 8.0.
    pub committed_at_us: Option<u64>,
}

/// Begins a transaction on MariaDB; takes the place of `BEGIN`.
#[derive(Debug)]
pub struct MariaGtidEvent {
    pub gtid: MariaGtid,
    /// One event follows and no commit, as for DDL.
    pub standalone: bool,
    /// Of a transaction that ends in its prepare.
    pub prepares: Option<Xid>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RowsKind {
    Write,
    Update,
    Delete,
}

/// Rows of one table in images not yet decoded.
#[derive(Debug)]
pub struct RowsEvent {
    pub kind: RowsKind,
    pub table_id: u64,
    pub ends_statement: bool,
    /// The session had `foreign_key_checks = 0`.
    pub unchecked: bool,
    pub column_count: usize,
    /// Bit per column, lowest bit first; of the after image for inserts.
    pub present: Bytes,
    /// Of the after image of an update.
    pub present_after: Option<Bytes>,
    /// After images may hold differences of JSON documents in place of documents.
    pub partial: bool,
    pub rows: Bytes,
}

/// The table id of an event that only ends a statement.
pub const DUMMY_TABLE_ID: u64 = 0xFF_FFFF;

const FLAG_STATEMENT_END: u16 = 1;
const FLAG_NO_FOREIGN_KEY_CHECKS: u16 = 2;

impl Event {
    /// Decodes a body. Types that no reader of this generation knows are passed over only where
    /// the server says that they may be.
    pub fn parse(raw: &RawEvent, format: &Format) -> Result<Event, EventError> {
        let header = &raw.header;
        let body = raw.body.as_ref();
        let truncated = |_: Truncated| header.truncated();
        match header.kind {
            kind::FORMAT_DESCRIPTION => Format::read(header, body).map(Event::Format),
            kind::ROTATE => parse_rotate(body).map_err(truncated),
            kind::QUERY => QueryEvent::parse(header, body, 0)
                .map(Event::Query)
                .map_err(truncated),
            kind::EXECUTE_LOAD_QUERY => QueryEvent::parse(header, body, 4 + 4 + 4 + 1)
                .map(Event::Query)
                .map_err(truncated),
            kind::XID => Ok(Event::Xid),
            kind::GTID | kind::ANONYMOUS_GTID => {
                parse_gtid(header, body).map(Event::Gtid).map_err(truncated)
            }
            kind::GTID_TAGGED => parse_tagged_gtid(header, body).map(Event::Gtid),
            kind::PREVIOUS_GTIDS => GtidSet::decode(body)
                .map(Event::PreviousGtids)
                .map_err(|_| header.damaged("the GTID set")),
            kind::TABLE_MAP => TableMapHead::parse(body, format.table_map_id_bytes())
                .map(Event::TableMap)
                .map_err(truncated),
            kind::TRANSACTION_PAYLOAD => Ok(Event::Payload(raw.body.clone())),
            kind::XA_PREPARE => parse_xa_prepare(body).map_err(truncated),
            kind::HEARTBEAT | kind::HEARTBEAT_V2 => Ok(Event::Heartbeat),
            kind::INCIDENT => {
                let code = Cursor::new(body).u16().map_err(truncated)?;
                Ok(Event::Incident { code })
            }
            _ if header.is_rows() => parse_rows(raw, format).map(Event::Rows).map_err(truncated),
            _ => parse_rare(raw, format),
        }
    }
}

/// MariaDB's own events, and those that carry nothing for a stream of rows.
fn parse_rare(raw: &RawEvent, format: &Format) -> Result<Event, EventError> {
    let header = &raw.header;
    let body = raw.body.as_ref();
    let truncated = |_: Truncated| header.truncated();
    match header.kind {
        kind::MARIA_GTID => parse_maria_gtid(header, body)
            .map(Event::MariaGtid)
            .map_err(truncated),
        kind::MARIA_GTID_LIST => MariaPosition::decode_list(body)
            .map(Event::MariaGtidList)
            .map_err(|_| header.truncated()),
        kind::MARIA_CHECKPOINT => {
            let mut cursor = Cursor::new(body);
            let length = cursor.u32().map_err(truncated)? as usize;
            let file = cursor.bytes(length).map_err(truncated)?;
            Ok(Event::MariaCheckpoint { file: text(file) })
        }
        kind::MARIA_QUERY_COMPRESSED => {
            let database = QueryEvent::parse_database(body).map_err(truncated)?;
            Ok(Event::CompressedQuery { database })
        }
        kind::MARIA_WRITE_COMPRESSED_V1..=kind::MARIA_DELETE_COMPRESSED => rows_head(raw, format)
            .map(|(table_id, flags, _)| Event::CompressedRows {
                table_id,
                ends_statement: flags & FLAG_STATEMENT_END != 0,
            })
            .map_err(truncated),
        // The dump thread decrypts; the event only says that the file is encrypted.
        kind::MARIA_START_ENCRYPTION | kind::MARIA_ANNOTATE => Ok(Event::Ignored),
        // Parts of statements: the statement itself is judged when it comes.
        kind::INTVAR
        | kind::RAND
        | kind::USER_VAR
        | kind::APPEND_BLOCK
        | kind::DELETE_FILE
        | kind::BEGIN_LOAD_QUERY => Ok(Event::Ignored),
        kind::STOP
        | kind::START_V3
        | kind::IGNORABLE
        | kind::ROWS_QUERY
        | kind::TRANSACTION_CONTEXT
        | kind::VIEW_CHANGE => Ok(Event::Ignored),
        kind::UNKNOWN => Err(EventError::Unknown { kind: header.kind }),
        _ if header.flags & FLAG_IGNORABLE != 0 => Ok(Event::Ignored),
        _ => Err(EventError::Unknown { kind: header.kind }),
    }
}

/// Names of files and databases are UTF-8 on every server; anything else matches no selection.
pub(super) fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

fn parse_rotate(body: &[u8]) -> Result<Event, Truncated> {
    let mut cursor = Cursor::new(body);
    let offset = cursor.u64()?.max(4);
    let file = cursor.rest();
    let file = file.strip_suffix(&[0]).unwrap_or(file);
    if file.is_empty() {
        return Err(Truncated);
    }
    Ok(Event::Rotate {
        file: text(file),
        offset,
    })
}

fn parse_gtid(header: &Header, body: &[u8]) -> Result<GtidEvent, Truncated> {
    let mut cursor = Cursor::new(body);
    cursor.skip(1)?;
    let uuid = cursor.array::<16>()?;
    let number = cursor.u64()?;
    let gtid = (header.kind == kind::GTID).then(|| Gtid {
        issuer: Issuer {
            uuid,
            tag: String::new(),
        },
        number,
    });
    let committed_at_us = commit_time(&mut cursor);
    Ok(GtidEvent {
        gtid,
        committed_at_us,
    })
}

/// The immediate commit time, which stands behind two logical clocks where they are there.
fn commit_time(cursor: &mut Cursor<'_>) -> Option<u64> {
    const LOGICAL_CLOCKS: u8 = 2;
    const ORIGINAL_TIME_FOLLOWS: u64 = 1 << 55;
    if cursor.u8().ok()? != LOGICAL_CLOCKS {
        return None;
    }
    cursor.skip(8 + 8).ok()?;
    let time = cursor.unsigned(7).ok()? & !ORIGINAL_TIME_FOLLOWS;
    (time > 0).then_some(time)
}

/// Fields with numbers, in the form of MySQL's serialization library, version 2.
fn parse_tagged_gtid(header: &Header, body: &[u8]) -> Result<GtidEvent, EventError> {
    const FORMAT_VERSION: u8 = 2;
    let truncated = |_: Truncated| header.truncated();
    let mut cursor = Cursor::new(body);
    if cursor.u8().map_err(truncated)? != FORMAT_VERSION {
        return Err(header.damaged("the serialization version"));
    }
    // The whole size and the last field that must be understood.
    cursor.variable_unsigned().map_err(truncated)?;
    let needed_field_last = cursor.variable_unsigned().map_err(truncated)?;
    let (mut uuid, mut number, mut tag, mut committed_at_us) = ([0; 16], 0, String::new(), None);
    while !cursor.is_empty() {
        match cursor.variable_unsigned().map_err(truncated)? {
            0 | 7..=11 => drop(cursor.variable_unsigned().map_err(truncated)?),
            1 => uuid = tagged_uuid(&mut cursor).map_err(truncated)?,
            2 => number = cursor.variable_signed().map_err(truncated)?,
            3 => {
                tag = decode_tag(&mut cursor).map_err(|_: GtidError| header.damaged("the tag"))?;
            }
            4 | 5 => drop(cursor.variable_signed().map_err(truncated)?),
            6 => committed_at_us = Some(cursor.variable_unsigned().map_err(truncated)?),
            field if field <= needed_field_last => {
                return Err(header.damaged("an unknown field"));
            }
            // A field from a later version has an unknown length, and nothing needed follows.
            _ => break,
        }
    }
    let number = u64::try_from(number).map_err(|_| header.damaged("the number"))?;
    if number == 0 {
        return Err(header.damaged("the number"));
    }
    Ok(GtidEvent {
        gtid: Some(Gtid {
            issuer: Issuer { uuid, tag },
            number,
        }),
        committed_at_us,
    })
}

fn tagged_uuid(cursor: &mut Cursor<'_>) -> Result<[u8; 16], Truncated> {
    let mut uuid = [0; 16];
    for byte in &mut uuid {
        *byte = u8::try_from(cursor.variable_unsigned()?).map_err(|_| Truncated)?;
    }
    Ok(uuid)
}

fn parse_maria_gtid(header: &Header, body: &[u8]) -> Result<MariaGtidEvent, Truncated> {
    const STANDALONE: u8 = 1;
    const HAS_COMMIT_ID: u8 = 2;
    const PREPARED_XA: u8 = 64;
    let mut cursor = Cursor::new(body);
    let sequence = cursor.u64()?;
    let domain = cursor.u32()?;
    let flags = cursor.u8()?;
    if flags & HAS_COMMIT_ID != 0 {
        cursor.skip(8)?;
    }
    let prepares = if flags & PREPARED_XA != 0 {
        let format = cursor.u32()?;
        let (gtrid_length, bqual_length) = (cursor.u8()?, cursor.u8()?);
        Some(Xid {
            format,
            gtrid: cursor.bytes(gtrid_length.into())?.to_vec(),
            bqual: cursor.bytes(bqual_length.into())?.to_vec(),
        })
    } else {
        None
    };
    Ok(MariaGtidEvent {
        gtid: MariaGtid {
            domain,
            server: header.server_id,
            sequence,
        },
        standalone: flags & STANDALONE != 0,
        prepares,
    })
}

fn parse_xa_prepare(body: &[u8]) -> Result<Event, Truncated> {
    let mut cursor = Cursor::new(body);
    let one_phase = cursor.u8()? != 0;
    let format = cursor.u32()?;
    let (global_length, branch_length) = (cursor.u32()? as usize, cursor.u32()? as usize);
    let xid = Xid {
        format,
        gtrid: cursor.bytes(global_length)?.to_vec(),
        bqual: cursor.bytes(branch_length)?.to_vec(),
    };
    Ok(Event::XaPrepare { xid, one_phase })
}

/// Table id, flags, and how many bytes of the body they took.
fn rows_head(raw: &RawEvent, format: &Format) -> Result<(u64, u16, usize), Truncated> {
    let mut cursor = Cursor::new(&raw.body);
    let id_bytes = format.table_id_bytes(raw.header.kind);
    let table_id = cursor.unsigned(id_bytes)?;
    let flags = cursor.u16()?;
    Ok((table_id, flags, id_bytes + 2))
}

fn parse_rows(raw: &RawEvent, format: &Format) -> Result<RowsEvent, Truncated> {
    let (table_id, flags, head) = rows_head(raw, format)?;
    let mut cursor = Cursor::new(&raw.body);
    cursor.skip(head)?;
    if raw.header.kind >= kind::WRITE_ROWS_V2 {
        // The length counts its own two bytes. What is inside (partition numbers) is not needed.
        let extra = usize::from(cursor.u16()?);
        cursor.skip(extra.checked_sub(2).ok_or(Truncated)?)?;
    }
    let kind = match raw.header.kind {
        kind::WRITE_ROWS_V1 | kind::WRITE_ROWS_V2 => RowsKind::Write,
        kind::UPDATE_ROWS_V1 | kind::UPDATE_ROWS_V2 | kind::PARTIAL_UPDATE_ROWS => RowsKind::Update,
        _ => RowsKind::Delete,
    };
    let column_count = cursor.length()?;
    let bitmap_bytes = column_count.div_ceil(8);
    let present = raw.body.slice_ref(cursor.bytes(bitmap_bytes)?);
    let present_after = match kind {
        RowsKind::Update => Some(raw.body.slice_ref(cursor.bytes(bitmap_bytes)?)),
        RowsKind::Write | RowsKind::Delete => None,
    };
    Ok(RowsEvent {
        kind,
        table_id,
        ends_statement: flags & FLAG_STATEMENT_END != 0,
        unchecked: flags & FLAG_NO_FOREIGN_KEY_CHECKS != 0,
        column_count,
        present,
        present_after,
        partial: raw.header.kind == kind::PARTIAL_UPDATE_ROWS,
        rows: raw.body.slice_ref(cursor.rest()),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// An event as a server would send it, with its checksum.
    fn event(kind: u8, flags: u16, body: &[u8]) -> Bytes {
        let mut bytes = vec![0, 0, 0, 0, kind, 1, 0, 0, 0];
        let size = (HEADER_BYTES + body.len() + CHECKSUM_BYTES) as u32;
        bytes.extend_from_slice(&size.to_le_bytes());
        bytes.extend_from_slice(&[9, 0, 0, 0]);
        bytes.extend_from_slice(&flags.to_le_bytes());
        bytes.extend_from_slice(body);
        let checksum = crc32fast::hash(&bytes);
        bytes.extend_from_slice(&checksum.to_le_bytes());
        Bytes::from(bytes)
    }

    fn with_checksum() -> Format {
        Format {
            checksum: true,
            mariadb: false,
            post_header_lengths: Vec::new(),
        }
    }

    #[test]
    fn a_changed_bit_is_seen() {
        let good = event(kind::XID, 0, &[1; 8]);
        assert!(RawEvent::frame(&good, &with_checksum()).is_ok());
        let mut bad = good.to_vec();
        bad[20] ^= 1;
        let framed = RawEvent::frame(&Bytes::from(bad), &with_checksum());
        assert!(matches!(framed, Err(EventError::Checksum { .. })));
    }

    #[test]
    fn the_first_rotate_comes_before_the_format() {
        let mut body = 4u64.to_le_bytes().to_vec();
        body.extend_from_slice(b"bin.000007");
        let rotate = event(kind::ROTATE, FLAG_ARTIFICIAL, &body);
        let raw = RawEvent::frame(&rotate, &Format::default()).expect("a rotate event");
        let parsed = Event::parse(&raw, &Format::default()).expect("a rotate event");
        assert!(matches!(parsed, Event::Rotate { file, offset: 4 } if file == "bin.000007"));
    }

    #[test]
    fn unknown_events_stop_unless_ignorable() {
        let parse = |flags| {
            let raw = RawEvent::frame(&event(120, flags, &[]), &with_checksum()).expect("framed");
            Event::parse(&raw, &with_checksum())
        };
        assert!(matches!(parse(0), Err(EventError::Unknown { kind: 120 })));
        assert!(matches!(parse(FLAG_IGNORABLE), Ok(Event::Ignored)));
    }

    proptest! {
        #[test]
        fn hostile_bytes_do_not_panic(kind: u8, body in prop::collection::vec(any::<u8>(), 0..120)) {
            let raw = RawEvent::frame(&event(kind, 0, &body), &with_checksum()).expect("framed");
            let _ = Event::parse(&raw, &with_checksum());
            let bytes = Bytes::from(body);
            let _ = RawEvent::frame(&bytes, &with_checksum());
            let _ = RawEvent::frame(&bytes, &Format::default());
        }
    }
}
