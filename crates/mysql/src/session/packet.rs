//! What the packets of the protocol mean.
//!
//! Owns parsing of what a server sends outside of row values, and nothing that does I/O. Every
//! function takes bytes that may be hostile: what does not parse is `None`, never a panic.

use super::Outcome;
use super::error::SessionError;
use super::redact::redact;
use super::rows::ColumnInfo;

pub(super) const OK_MARK: u8 = 0x00;
pub(super) const LOCAL_FILE_MARK: u8 = 0xFB;
pub(super) const EOF_MARK: u8 = 0xFE;
pub(super) const ERROR_MARK: u8 = 0xFF;

/// Status flags of an answer.
pub(super) const STATUS_IN_TRANSACTION: u16 = 0x0001;
pub(super) const STATUS_AUTOCOMMIT: u16 = 0x0002;
pub(super) const STATUS_MORE_RESULTS: u16 = 0x0008;

/// Capability flags. Only what is asked for or looked at.
pub(super) mod capability {
    pub const LONG_PASSWORD: u32 = 1;
    pub const FOUND_ROWS: u32 = 1 << 1;
    pub const LONG_FLAG: u32 = 1 << 2;
    pub const LOCAL_FILES: u32 = 1 << 7;
    pub const PROTOCOL_41: u32 = 1 << 9;
    pub const SSL: u32 = 1 << 11;
    pub const TRANSACTIONS: u32 = 1 << 13;
    pub const SECURE_CONNECTION: u32 = 1 << 15;
    pub const MULTI_STATEMENTS: u32 = 1 << 16;
    pub const MULTI_RESULTS: u32 = 1 << 17;
    pub const PLUGIN_AUTH: u32 = 1 << 19;
    pub const CONNECT_ATTRS: u32 = 1 << 20;
    pub const PLUGIN_AUTH_LENENC: u32 = 1 << 21;
}

/// Walks the bytes of a packet.
pub(super) struct Cursor<'a>(pub(super) &'a [u8]);

impl<'a> Cursor<'a> {
    pub(super) fn take(&mut self, count: usize) -> Option<&'a [u8]> {
        let (taken, rest) = self.0.split_at_checked(count)?;
        self.0 = rest;
        Some(taken)
    }

    fn little_endian(&mut self, count: usize) -> Option<u64> {
        let bytes = self.take(count)?;
        Some(
            bytes
                .iter()
                .rev()
                .fold(0, |number, byte| (number << 8) | u64::from(*byte)),
        )
    }

    pub(super) fn u8(&mut self) -> Option<u8> {
        self.take(1).map(|bytes| bytes[0])
    }

    pub(super) fn u16(&mut self) -> Option<u16> {
        self.little_endian(2).map(|number| number as u16)
    }

    pub(super) fn u32(&mut self) -> Option<u32> {
        self.little_endian(4).map(|number| number as u32)
    }

    pub(super) fn length(&mut self) -> Option<u64> {
        match self.u8()? {
            0xFC => self.little_endian(2),
            0xFD => self.little_endian(3),
            0xFE => self.little_endian(8),
            0xFB | 0xFF => None,
            short => Some(u64::from(short)),
        }
    }

    pub(super) fn string(&mut self) -> Option<&'a [u8]> {
        let length = usize::try_from(self.length()?).ok()?;
        self.take(length)
    }

    pub(super) fn zero_terminated(&mut self) -> Option<&'a [u8]> {
        let end = memchr::memchr(0, self.0)?;
        let text = self.take(end)?;
        self.0 = &self.0[1..];
        Some(text)
    }
}

/// Appends a length-encoded string.
pub(super) fn put_string(out: &mut Vec<u8>, text: &[u8]) {
    wherry_model::row::push_value(out, Some(text));
}

/// What a server says of itself before the login.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Greeting {
    pub version: String,
    pub connection_id: u32,
    pub capabilities: u32,
    pub plugin: String,
    pub nonce: Vec<u8>,
}

impl Greeting {
    pub(super) fn parse(payload: &[u8]) -> Option<Greeting> {
        let mut cursor = Cursor(payload);
        if cursor.u8()? != 10 {
            return None;
        }
        let version = String::from_utf8_lossy(cursor.zero_terminated()?).into_owned();
        let connection_id = cursor.u32()?;
        let mut nonce = cursor.take(8)?.to_vec();
        cursor.take(1)?;
        let low = u32::from(cursor.u16()?);
        let _collation = cursor.u8()?;
        let _status = cursor.u16()?;
        let high = u32::from(cursor.u16()?);
        let nonce_length = usize::from(cursor.u8()?);
        // MariaDB keeps its own capabilities in the last four of these; none is asked for.
        cursor.take(10)?;
        let rest_length = nonce_length.saturating_sub(8).max(13).min(cursor.0.len());
        let rest = cursor.take(rest_length)?;
        nonce.extend_from_slice(rest.strip_suffix(&[0]).unwrap_or(rest));
        // Some servers leave out the final zero byte.
        let plugin = cursor.0.strip_suffix(&[0]).unwrap_or(cursor.0);
        Some(Greeting {
            version,
            connection_id,
            capabilities: low | high << 16,
            plugin: String::from_utf8_lossy(plugin).into_owned(),
            nonce,
        })
    }
}

/// The outcome and status flags of an OK packet.
pub(super) fn parse_ok(payload: &[u8]) -> Option<(Outcome, u16)> {
    let mut cursor = Cursor(payload);
    cursor.u8()?;
    let affected_rows = cursor.length()?;
    let last_insert_id = cursor.length()?;
    let status = cursor.u16()?;
    let warnings = cursor.u16()?;
    // Without session tracking the rest of the packet is a text with its length before it; some
    // proxies leave the length out.
    let info = Cursor(cursor.0).string().unwrap_or(cursor.0);
    let outcome = Outcome {
        affected_rows,
        last_insert_id,
        warnings,
        info: String::from_utf8_lossy(info).into_owned(),
    };
    Some((outcome, status))
}

/// True for the packet that ends columns, rows and dumps.
pub(super) fn is_eof(payload: &[u8]) -> bool {
    payload.first() == Some(&EOF_MARK) && payload.len() < 9
}

/// Status flags of an EOF packet.
pub(super) fn eof_status(payload: &[u8]) -> Option<u16> {
    let mut cursor = Cursor(payload);
    cursor.take(3)?;
    cursor.u16()
}

/// Number, SQL state and text of an error packet; the state is absent before the login.
pub(super) fn parse_error(payload: &[u8]) -> Option<(u16, String, String)> {
    let mut cursor = Cursor(payload);
    cursor.u8()?;
    let code = cursor.u16()?;
    let mut sqlstate = String::new();
    if cursor.0.first() == Some(&b'#') {
        cursor.u8()?;
        sqlstate = String::from_utf8_lossy(cursor.take(5)?).into_owned();
    }
    let message = redact(code, &String::from_utf8_lossy(cursor.0));
    Some((code, sqlstate, message))
}

pub(super) fn server_error(payload: &[u8], statement_index: usize) -> SessionError {
    match parse_error(payload) {
        Some((code, sqlstate, message)) => SessionError::Server {
            code,
            sqlstate,
            message,
            statement_index,
        },
        None => SessionError::protocol("a broken error packet"),
    }
}

pub(super) fn parse_column(payload: &[u8]) -> Option<ColumnInfo> {
    let mut cursor = Cursor(payload);
    let (_catalog, _database) = (cursor.string()?, cursor.string()?);
    let (_table, _original_table) = (cursor.string()?, cursor.string()?);
    let name = cursor.string()?;
    let _original_name = cursor.string()?;
    let _fixed_length = cursor.length()?;
    let charset = cursor.u16()?;
    let _display_width = cursor.u32()?;
    let kind = cursor.u8()?;
    let flags = cursor.u16()?;
    Some(ColumnInfo {
        name: String::from_utf8_lossy(name).into_owned(),
        kind,
        flags,
        charset,
    })
}

/// True where the payload holds exactly this many values. `wherry_model::row::Values` trusts its
/// bytes, so rows are looked through once before they leave the session.
pub(super) fn is_row(payload: &[u8], column_count: usize) -> bool {
    let mut rest = payload;
    for _ in 0..column_count {
        let Some((&first, after)) = rest.split_first() else {
            return false;
        };
        if first < LOCAL_FILE_MARK {
            let Some((_, after)) = after.split_at_checked(usize::from(first)) else {
                return false;
            };
            rest = after;
        } else if first == LOCAL_FILE_MARK {
            rest = after;
        } else {
            let mut cursor = Cursor(rest);
            if cursor.string().is_none() {
                return false;
            }
            rest = cursor.0;
        }
    }
    rest.is_empty()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use wherry_model::Row;

    proptest! {
        #[test]
        fn nothing_makes_the_parsers_panic(bytes in prop::collection::vec(any::<u8>(), 0..80)) {
            let _ = Greeting::parse(&bytes);
            let _ = parse_ok(&bytes);
            let _ = parse_error(&bytes);
            let _ = parse_column(&bytes);
            let _ = eof_status(&bytes);
            for count in 0..5 {
                if is_row(&bytes, count) {
                    prop_assert_eq!(Row::from_encoded(bytes.clone().into()).values().count(), count);
                }
            }
        }

        #[test]
        fn rows_are_known(values in prop::collection::vec(prop::option::of(prop::collection::vec(any::<u8>(), 0..300)), 0..9)) {
            let row = Row::from_values(values.iter().map(|value| value.as_deref()));
            prop_assert!(is_row(row.encoded(), values.len()));
            prop_assert!(!is_row(row.encoded(), values.len() + 1));
            if !row.encoded().is_empty() {
                prop_assert!(!is_row(&row.encoded()[..row.encoded().len() - 1], values.len()));
            }
        }
    }

    #[test]
    fn ok_packets_carry_counts_and_text() {
        let payload =
            b"\x00\xFC\x2C\x01\x05\x02\x00\x03\x00\x2ARecords: 300  Deleted: 0  Skipped: 0  Warn";
        let (outcome, status) = parse_ok(payload).expect("parsed");
        assert_eq!(outcome.affected_rows, 300);
        assert_eq!(outcome.last_insert_id, 5);
        assert_eq!(outcome.warnings, 3);
        assert_eq!(outcome.info, "Records: 300  Deleted: 0  Skipped: 0  Warn");
        assert_eq!(status, STATUS_AUTOCOMMIT);
    }

    #[test]
    fn errors_come_with_and_without_a_state() {
        let with = parse_error(b"\xFF\x15\x04#28000Access denied for user 'a'@'b'");
        assert_eq!(
            with,
            Some((
                1045,
                "28000".into(),
                "Access denied for user 'a'@'b'".into()
            ))
        );
        let without = parse_error(b"\xFF\x10\x04Too many connections");
        assert_eq!(
            without,
            Some((1040, String::new(), "Too many connections".into()))
        );
    }
}
