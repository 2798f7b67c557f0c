//! JSON documents in their binary form, to the text that the server sends.
//!
//! One pass over the document in its own order: the server has already sorted and deduplicated
//! the keys. Numbers, dates and binary scalars are printed as the server prints them.

use super::cursor::{Cursor, Truncated};
use super::table_map::column_type;
use super::{decimal, float, temporal};

/// Depth that the server allows, with room.
const DEPTH_MAX: usize = 128;

/// A document's text is never longer than this many times its binary form: the longest way to
/// print a byte is `\u0001`, and containers have at least three bytes an element.
const GROWTH_MAX: usize = 12;

/// A JSON document that no server writes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a JSON document is damaged")]
pub struct Damaged;

impl From<Truncated> for Damaged {
    fn from(_: Truncated) -> Damaged {
        Damaged
    }
}

/// Appends the text of a document.
pub fn print(document: &[u8], out: &mut Vec<u8>) -> Result<(), Damaged> {
    let Some((kind, value)) = document.split_first() else {
        // A JSON column added as NOT NULL to existing rows has no bytes; it reads as null.
        out.extend_from_slice(b"null");
        return Ok(());
    };
    let mut printer = Printer {
        length_max: out.len() + 64 + document.len().saturating_mul(GROWTH_MAX),
        out,
    };
    printer.value(*kind, value, 0)
}

mod kind {
    pub const SMALL_OBJECT: u8 = 0;
    pub const LARGE_OBJECT: u8 = 1;
    pub const SMALL_ARRAY: u8 = 2;
    pub const LARGE_ARRAY: u8 = 3;
    pub const LITERAL: u8 = 4;
    pub const INT16: u8 = 5;
    pub const UINT16: u8 = 6;
    pub const INT32: u8 = 7;
    pub const UINT32: u8 = 8;
    pub const INT64: u8 = 9;
    pub const UINT64: u8 = 10;
    pub const DOUBLE: u8 = 11;
    pub const STRING: u8 = 12;
    pub const OPAQUE: u8 = 15;
}

struct Printer<'a> {
    out: &'a mut Vec<u8>,
    length_max: usize,
}

impl Printer<'_> {
    fn value(&mut self, kind: u8, bytes: &[u8], depth: usize) -> Result<(), Damaged> {
        if depth > DEPTH_MAX || self.out.len() > self.length_max {
            return Err(Damaged);
        }
        let mut cursor = Cursor::new(bytes);
        match kind {
            kind::SMALL_OBJECT => self.container(bytes, true, 2, depth),
            kind::LARGE_OBJECT => self.container(bytes, true, 4, depth),
            kind::SMALL_ARRAY => self.container(bytes, false, 2, depth),
            kind::LARGE_ARRAY => self.container(bytes, false, 4, depth),
            kind::LITERAL => self.literal(cursor.u8()?),
            kind::INT16 => self.number(i64::from(cursor.u16()? as i16)),
            kind::UINT16 => self.number(cursor.u16()?),
            kind::INT32 => self.number(i64::from(cursor.u32()? as i32)),
            kind::UINT32 => self.number(cursor.u32()?),
            kind::INT64 => self.number(cursor.u64()? as i64),
            kind::UINT64 => self.number(cursor.u64()?),
            kind::DOUBLE => {
                self.double(f64::from_bits(cursor.u64()?));
                Ok(())
            }
            kind::STRING => {
                let length = variable_length(&mut cursor)?;
                self.string(cursor.bytes(length)?);
                Ok(())
            }
            kind::OPAQUE => {
                let column_type = cursor.u8()?;
                let length = variable_length(&mut cursor)?;
                self.opaque(column_type, cursor.bytes(length)?)
            }
            _ => Err(Damaged),
        }
    }

    fn number(&mut self, number: impl itoa::Integer) -> Result<(), Damaged> {
        let mut digits = itoa::Buffer::new();
        self.out.extend_from_slice(digits.format(number).as_bytes());
        Ok(())
    }

    fn literal(&mut self, literal: u8) -> Result<(), Damaged> {
        let text: &[u8] = match literal {
            0 => b"null",
            1 => b"true",
            2 => b"false",
            _ => return Err(Damaged),
        };
        self.out.extend_from_slice(text);
        Ok(())
    }

    fn double(&mut self, number: f64) {
        let begin = self.out.len();
        float::push_double(self.out, number);
        // A double keeps its type in the text: `1.0`, not `1`.
        let integral = |byte: &u8| byte.is_ascii_digit() || *byte == b'-';
        if self.out[begin..].iter().all(integral) {
            self.out.extend_from_slice(b".0");
        }
    }

    /// Prints an object or array. `size` is the width of offsets and counts in it, and every
    /// offset counts from its first byte.
    fn container(
        &mut self,
        bytes: &[u8],
        object: bool,
        size: usize,
        depth: usize,
    ) -> Result<(), Damaged> {
        let mut cursor = Cursor::new(bytes);
        let count = cursor.unsigned(size)? as usize;
        let total = cursor.unsigned(size)? as usize;
        let bytes = bytes.get(..total).ok_or(Damaged)?;
        let head = 2 * size;
        let key_entry = if object { size + 2 } else { 0 };
        let value_entry = 1 + size;
        let mut keys = Cursor::new(bytes.get(head..).ok_or(Damaged)?);
        let key_bytes = count.checked_mul(key_entry).ok_or(Damaged)?;
        let mut values = keys;
        values.skip(key_bytes)?;
        if count.checked_mul(value_entry).ok_or(Damaged)? > values.len() {
            return Err(Damaged);
        }
        self.out.push(if object { b'{' } else { b'[' });
        for index in 0..count {
            if index > 0 {
                self.out.extend_from_slice(b", ");
            }
            if object {
                let offset = keys.unsigned(size)? as usize;
                let length = usize::from(keys.u16()?);
                let key = bytes.get(offset..).and_then(|rest| rest.get(..length));
                self.string(key.ok_or(Damaged)?);
                self.out.extend_from_slice(b": ");
            }
            let entry = values.bytes(value_entry)?;
            let (kind, place) = (entry[0], &entry[1..]);
            if is_inline(kind, size) {
                self.value(kind, place, depth + 1)?;
            } else {
                let offset = Cursor::new(place).unsigned(size)? as usize;
                let value = bytes.get(offset..).filter(|_| offset >= head);
                self.value(kind, value.ok_or(Damaged)?, depth + 1)?;
            }
        }
        self.out.push(if object { b'}' } else { b']' });
        Ok(())
    }

    /// Prints a string in quotes, escaped as the server escapes it.
    fn string(&mut self, text: &[u8]) {
        const HEX: &[u8; 16] = b"0123456789abcdef";
        self.out.push(b'"');
        for byte in text {
            let escaped = match byte {
                b'"' | b'\\' => *byte,
                0x08 => b'b',
                0x0C => b'f',
                b'\n' => b'n',
                b'\r' => b'r',
                b'\t' => b't',
                0..=0x1F => {
                    self.out.extend_from_slice(b"\\u00");
                    self.out.push(HEX[usize::from(byte >> 4)]);
                    self.out.push(HEX[usize::from(byte & 0x0F)]);
                    continue;
                }
                _ => {
                    self.out.push(*byte);
                    continue;
                }
            };
            self.out.extend_from_slice(&[b'\\', escaped]);
        }
        self.out.push(b'"');
    }

    /// Prints a scalar of an SQL type that JSON does not have.
    fn opaque(&mut self, column_type: u8, bytes: &[u8]) -> Result<(), Damaged> {
        use temporal::JsonTemporal;
        let temporal = match column_type {
            column_type::NEWDECIMAL => {
                let mut cursor = Cursor::new(bytes);
                let (precision, scale) = (cursor.u8()?, cursor.u8()?);
                decimal::print(&mut cursor, precision.into(), scale.into(), self.out)?;
                return Ok(());
            }
            column_type::DATE | column_type::NEWDATE => JsonTemporal::Date,
            column_type::TIME | column_type::TIME2 => JsonTemporal::Time,
            column_type::DATETIME
            | column_type::TIMESTAMP
            | column_type::DATETIME2
            | column_type::TIMESTAMP2 => JsonTemporal::Datetime,
            _ => {
                let mut text = format!("base64:type{column_type}:").into_bytes();
                push_base64(&mut text, bytes);
                self.string(&text);
                return Ok(());
            }
        };
        let packed = bytes.try_into().map_err(|_| Damaged)?;
        self.out.push(b'"');
        temporal::json_temporal(packed, temporal, self.out);
        self.out.push(b'"');
        Ok(())
    }
}

/// True for values that stand in the entry itself instead of an offset.
fn is_inline(kind: u8, size: usize) -> bool {
    match kind {
        kind::LITERAL | kind::INT16 | kind::UINT16 => true,
        kind::INT32 | kind::UINT32 => size == 4,
        _ => false,
    }
}

/// Seven bits a byte, lowest first; the highest bit says that another byte follows.
fn variable_length(cursor: &mut Cursor<'_>) -> Result<usize, Damaged> {
    let mut length = 0u64;
    for shift in (0..35).step_by(7) {
        let byte = cursor.u8()?;
        length |= u64::from(byte & 0x7F) << shift;
        if byte & 0x80 == 0 {
            return usize::try_from(length).map_err(|_| Damaged);
        }
    }
    Err(Damaged)
}

/// Appends base64 as the server writes it: a line feed after every 76 characters but the last.
fn push_base64(out: &mut Vec<u8>, bytes: &[u8]) {
    const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    const LINE_BYTES: usize = 76 / 4 * 3;
    for (index, line) in bytes.chunks(LINE_BYTES).enumerate() {
        if index > 0 {
            out.push(b'\n');
        }
        for group in line.chunks(3) {
            let bits = (0..3).fold(0u32, |bits, place| {
                (bits << 8) | u32::from(group.get(place).copied().unwrap_or(0))
            });
            for place in 0..4 {
                let digit = (bits >> (18 - 6 * place)) & 0x3F;
                out.push(if place <= group.len() {
                    ALPHABET[digit as usize]
                } else {
                    b'='
                });
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn check(document: &[u8], expected: &str) {
        let mut out = Vec::new();
        print(document, &mut out).expect("a document");
        assert_eq!(String::from_utf8_lossy(&out), expected);
    }

    #[test]
    fn scalars() {
        check(&[], "null");
        check(&[4, 1], "true");
        check(&[5, 0xFF, 0xFF], "-1");
        check(
            &[10, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF],
            "18446744073709551615",
        );
        check(&[12, 4, b'a', b'"', b'\n', 1], r#""a\"\n\u0001""#);
        let mut double = vec![11];
        double.extend_from_slice(&1f64.to_le_bytes());
        check(&double, "1.0");
        check(&[15, 246, 4, 3, 2, 0x81, 0x32], "1.50");
        check(&[15, 252, 3, 0, 1, 2], r#""base64:type252:AAEC""#);
    }

    #[test]
    fn containers() {
        check(&[2, 0, 0, 4, 0], "[]");
        check(&[0, 0, 0, 4, 0], "{}");
        // {"a": [1, null]}
        let document = [
            0, 1, 0, 22, 0, 11, 0, 1, 0, 2, 12, 0, b'a', 2, 0, 10, 0, 5, 1, 0, 4, 0, 0,
        ];
        check(&document, r#"{"a": [1, null]}"#);
    }

    proptest! {
        #[test]
        fn hostile_bytes_do_not_panic(
            kind in 0u8..17,
            bytes in prop::collection::vec(prop_oneof![0u8..24, any::<u8>()], 0..200),
        ) {
            let mut document = vec![kind];
            document.extend(bytes);
            let mut out = Vec::new();
            let _ = print(&document, &mut out);
            prop_assert!(out.len() <= (document.len() + 64) * 40);
        }
    }
}
