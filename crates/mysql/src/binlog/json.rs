//! JSON documents in their binary form, to the canonical form of `crate::json`.
//!
//! One pass over the document in its own order: the server has already sorted and deduplicated
//! the keys. Numbers, dates and binary scalars are printed as the server prints them, with a mark
//! where their text alone would be read as something else.

use super::cursor::{Cursor, Truncated};
use super::table_map::column_type;
use super::{decimal, temporal};
use crate::json::{self, FormError, Inner};
use wherry_model::double::push_double;

/// Depth that the server allows, with room.
const DEPTH_MAX: usize = 128;

/// A document's text is never longer than this many times its binary form: the longest way to
/// print a byte is `\u0001`, and containers have at least three bytes an element.
const GROWTH_MAX: usize = 12;

impl From<Truncated> for FormError {
    fn from(_: Truncated) -> FormError {
        FormError::Damaged
    }
}

/// Appends the canonical form of a document.
pub fn print(document: &[u8], out: &mut Vec<u8>) -> Result<(), FormError> {
    let Some((kind, value)) = document.split_first() else {
        // A JSON column added as NOT NULL to existing rows has no bytes; it reads as null.
        out.extend_from_slice(b"null");
        return Ok(());
    };
    let mut printer = Printer::new(out, document.len());
    printer.value(*kind, value, 0)?;
    printer.finish();
    Ok(())
}

pub(super) mod kind {
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

/// Appends the parts of one document.
pub(super) struct Printer<'a> {
    out: &'a mut Vec<u8>,
    begin: usize,
    length_max: usize,
    /// A mark was printed.
    is_typed: bool,
}

impl<'a> Printer<'a> {
    pub(super) fn new(out: &'a mut Vec<u8>, document_bytes: usize) -> Printer<'a> {
        Printer {
            begin: out.len(),
            length_max: out.len() + 64 + document_bytes.saturating_mul(GROWTH_MAX),
            out,
            is_typed: false,
        }
    }

    pub(super) fn finish(self) {
        if self.is_typed {
            self.out.insert(self.begin, json::TYPED);
        }
    }

    pub(super) fn raw(&mut self, text: &[u8]) {
        self.out.extend_from_slice(text);
    }

    pub(super) fn value(&mut self, kind: u8, bytes: &[u8], depth: usize) -> Result<(), FormError> {
        if depth > DEPTH_MAX || self.out.len() > self.length_max {
            return Err(FormError::Damaged);
        }
        let mut cursor = Cursor::new(bytes);
        match kind {
            kind::SMALL_OBJECT => self.container(bytes, true, 2, depth),
            kind::LARGE_OBJECT => self.container(bytes, true, 4, depth),
            kind::SMALL_ARRAY => self.container(bytes, false, 2, depth),
            kind::LARGE_ARRAY => self.container(bytes, false, 4, depth),
            kind::LITERAL => self.literal(cursor.u8()?),
            kind::INT16 => self.signed(i64::from(cursor.u16()? as i16)),
            kind::UINT16 => self.unsigned(cursor.u16()?.into()),
            kind::INT32 => self.signed(i64::from(cursor.u32()? as i32)),
            kind::UINT32 => self.unsigned(cursor.u32()?.into()),
            kind::INT64 => self.signed(cursor.u64()? as i64),
            kind::UINT64 => self.unsigned(cursor.u64()?),
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
            _ => Err(FormError::Damaged),
        }
    }

    fn mark(&mut self, inner: Inner) {
        self.is_typed = true;
        json::push_mark(self.out, inner);
    }

    fn signed(&mut self, number: i64) -> Result<(), FormError> {
        if number > i64::from(u32::MAX) {
            self.mark(Inner::Signed);
        }
        self.number(number)
    }

    fn unsigned(&mut self, number: u64) -> Result<(), FormError> {
        if number <= u64::from(u32::MAX) {
            self.mark(Inner::Unsigned);
        }
        self.number(number)
    }

    fn number(&mut self, number: impl itoa::Integer) -> Result<(), FormError> {
        let mut digits = itoa::Buffer::new();
        self.out.extend_from_slice(digits.format(number).as_bytes());
        Ok(())
    }

    fn literal(&mut self, literal: u8) -> Result<(), FormError> {
        let text: &[u8] = match literal {
            0 => b"null",
            1 => b"true",
            2 => b"false",
            _ => return Err(FormError::Damaged),
        };
        self.out.extend_from_slice(text);
        Ok(())
    }

    fn double(&mut self, number: f64) {
        let begin = self.out.len();
        push_double(self.out, number);
        // A double keeps its type in the text: `1.0`, not `1`.
        let integral = |byte: &u8| byte.is_ascii_digit() || *byte == b'-';
        if self.out[begin..].iter().all(integral) {
            self.out.extend_from_slice(b".0");
        }
        if !json::double_survives(&self.out[begin..]) {
            let text = self.out.split_off(begin);
            self.mark(Inner::Double);
            self.out.extend_from_slice(&text);
        }
    }

    /// Prints an object or array; `size` is the width of offsets and counts in it.
    fn container(
        &mut self,
        bytes: &[u8],
        object: bool,
        size: usize,
        depth: usize,
    ) -> Result<(), FormError> {
        self.out.push(if object { b'{' } else { b'[' });
        let mut first = true;
        for child in Children::of(bytes, object, size)? {
            let child = child?;
            if !first {
                self.out.extend_from_slice(b", ");
            }
            first = false;
            if let Some(key) = child.key {
                self.string(key);
                self.out.extend_from_slice(b": ");
            }
            self.value(child.kind, child.bytes, depth + 1)?;
        }
        self.out.push(if object { b'}' } else { b']' });
        Ok(())
    }

    /// Prints a string in quotes, escaped as the server escapes it.
    pub(super) fn string(&mut self, text: &[u8]) {
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
    fn opaque(&mut self, column_type: u8, bytes: &[u8]) -> Result<(), FormError> {
        use temporal::JsonTemporal;
        let (temporal, inner) = match column_type {
            column_type::NEWDECIMAL => {
                self.mark(Inner::Decimal);
                let mut cursor = Cursor::new(bytes);
                let (precision, scale) = (cursor.u8()?, cursor.u8()?);
                decimal::print(&mut cursor, precision.into(), scale.into(), self.out)?;
                return Ok(());
            }
            column_type::DATE | column_type::NEWDATE => (JsonTemporal::Date, Inner::Date),
            column_type::TIME | column_type::TIME2 => (JsonTemporal::Time, Inner::Time),
            column_type::DATETIME | column_type::DATETIME2 => {
                (JsonTemporal::Datetime, Inner::Datetime)
            }
            column_type::TIMESTAMP | column_type::TIMESTAMP2 => {
                (JsonTemporal::Datetime, Inner::Timestamp)
            }
            _ => {
                json::check_opaque(column_type, bytes.len())?;
                self.mark(Inner::Opaque);
                let mut text = format!("base64:type{column_type}:").into_bytes();
                push_base64(&mut text, bytes);
                self.string(&text);
                return Ok(());
            }
        };
        self.mark(inner);
        let packed = bytes.try_into().map_err(|_| FormError::Damaged)?;
        self.out.push(b'"');
        temporal::json_temporal(packed, temporal, self.out);
        self.out.push(b'"');
        Ok(())
    }
}

/// A member or an element, still in its binary form.
#[derive(Debug, Clone, Copy)]
pub(super) struct Child<'a> {
    pub(super) key: Option<&'a [u8]>,
    pub(super) kind: u8,
    /// Begins with the value; what follows belongs to others.
    pub(super) bytes: &'a [u8],
}

/// Walks the children of an object or array in their order.
pub(super) struct Children<'a> {
    bytes: &'a [u8],
    object: bool,
    size: usize,
    keys: Cursor<'a>,
    values: Cursor<'a>,
    left: usize,
}

impl<'a> Children<'a> {
    /// Every offset in `bytes` counts from its first byte.
    pub(super) fn of(
        bytes: &'a [u8],
        object: bool,
        size: usize,
    ) -> Result<Children<'a>, FormError> {
        let mut cursor = Cursor::new(bytes);
        let count = cursor.unsigned(size)? as usize;
        let total = cursor.unsigned(size)? as usize;
        let bytes = bytes.get(..total).ok_or(FormError::Damaged)?;
        let keys = Cursor::new(bytes.get(2 * size..).ok_or(FormError::Damaged)?);
        let key_entry = if object { size + 2 } else { 0 };
        let mut values = keys;
        values.skip(count.checked_mul(key_entry).ok_or(FormError::Damaged)?)?;
        if count.checked_mul(1 + size).ok_or(FormError::Damaged)? > values.len() {
            return Err(FormError::Damaged);
        }
        Ok(Children {
            bytes,
            object,
            size,
            keys,
            values,
            left: count,
        })
    }

    fn child(&mut self) -> Result<Child<'a>, FormError> {
        let mut key = None;
        if self.object {
            let offset = self.keys.unsigned(self.size)? as usize;
            let length = usize::from(self.keys.u16()?);
            let bytes = self.bytes.get(offset..).and_then(|rest| rest.get(..length));
            key = Some(bytes.ok_or(FormError::Damaged)?);
        }
        let entry = self.values.bytes(1 + self.size)?;
        let (kind, place) = (entry[0], &entry[1..]);
        let bytes = if is_inline(kind, self.size) {
            place
        } else {
            let offset = Cursor::new(place).unsigned(self.size)? as usize;
            let value = self.bytes.get(offset..).filter(|_| offset >= 2 * self.size);
            value.ok_or(FormError::Damaged)?
        };
        Ok(Child { key, kind, bytes })
    }
}

impl<'a> Iterator for Children<'a> {
    type Item = Result<Child<'a>, FormError>;

    fn next(&mut self) -> Option<Result<Child<'a>, FormError>> {
        self.left = self.left.checked_sub(1)?;
        Some(self.child())
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
pub(super) fn variable_length(cursor: &mut Cursor<'_>) -> Result<usize, FormError> {
    let mut length = 0u64;
    for shift in (0..35).step_by(7) {
        let byte = cursor.u8()?;
        length |= u64::from(byte & 0x7F) << shift;
        if byte & 0x80 == 0 {
            return usize::try_from(length).map_err(|_| FormError::Damaged);
        }
    }
    Err(FormError::Damaged)
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
        let shown = String::from_utf8_lossy(&out)
            .replace('\u{1}', "^")
            .replace('\u{2}', "~");
        assert_eq!(shown, expected);
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
        check(&[15, 246, 4, 3, 2, 0x81, 0x32], "^~d1.50");
        check(&[15, 252, 3, 0, 1, 2], r#"^~o"base64:type252:AAEC""#);
        check(&[6, 5, 0], "^~u5");
        check(&[9, 0, 0, 0, 0, 1, 0, 0, 0], "^~i4294967296");
        check(&[9, 0xFF, 0xFF, 0xFF, 0xFF, 0, 0, 0, 0], "4294967295");
        check(&[10, 0, 0, 0, 0, 1, 0, 0, 0], "4294967296");
        let mut double = vec![11];
        double.extend_from_slice(&f64::MAX.to_le_bytes());
        check(&double, "^~f1.7976931348623157e308");
    }

    #[test]
    fn a_type_that_cannot_be_written_is_named() {
        let mut out = Vec::new();
        let printed = print(&[15, 253, 1, 9], &mut out);
        assert_eq!(printed, Err(FormError::Opaque(253)));
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
