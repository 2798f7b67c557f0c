//! JSON documents with their inner types: one canonical form for load, stream and verify.
//!
//! Owns the form's grammar, its construction from a server's answers, and its way back into SQL.
//! Must not know binlog events or sessions. Read on in `answer` for what is asked of a server, in
//! `expression` for how a document is written, and in `crate::binlog::json` for the printer.
//!
//! A document whose text, parsed by a server, gives the same document is that text. Any other is
//!
//! ```text
//! typed  = 0x01 text        the server's text, with marks in it
//! mark   = 0x02 letter      before a scalar; the letter says what it is, see `Inner`
//! ```
//!
//! JSON text never holds control bytes, so a typed form cannot be confused with text, and without
//! its control bytes and letters it is the text again. A scalar without a mark is what the
//! server's parser makes of its text. That parser has three habits: an integer above 4294967295
//! becomes UNSIGNED INTEGER, one up to that INTEGER (MySQL 9.7.4, by `JSON_TYPE`), and a number with
//! a point or exponent a DOUBLE, in older servers not always the nearest one. 9.7.4 finds the
//! nearest; both ends must have one form, so doubles are marked as for the older ones.

mod answer;
mod expression;
pub(crate) mod fault;
mod tokens;

pub(crate) use answer::{Asked, push_document_comparison, push_types_query, with_types};
pub(crate) use expression::push_expression;

use std::borrow::Cow;
use tokens::{Token, Tokens};

/// First byte of a typed form.
pub(crate) const TYPED: u8 = 0x01;

/// Stands before the letter of a mark.
const MARK: u8 = 0x02;

/// The SQL types of opaque scalars that an expression can make. The number is the server's.
mod opaque {
    pub(super) const VARCHAR: u8 = 15;
    pub(super) const BIT: u8 = 16;
    pub(super) const TINY_BLOB: u8 = 249;
    pub(super) const MEDIUM_BLOB: u8 = 250;
    pub(super) const LONG_BLOB: u8 = 251;
    pub(super) const BLOB: u8 = 252;
    pub(super) const STRING: u8 = 254;
}

/// Longest value of a BINARY column, the only way to make an opaque scalar of type STRING.
const BINARY_BYTES_MAX: usize = 255;

/// Why a document has no form.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum FormError {
    #[error("a JSON document is damaged")]
    Damaged,
    #[error("a JSON document holds a value of SQL type {0}, which no SQL expression makes")]
    Opaque(u8),
    #[error("the server did not name the types in a JSON document")]
    Unnamed,
}

/// What a scalar is where its text alone would say something else.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Inner {
    Unsigned,
    Signed,
    Decimal,
    /// A double whose text may be parsed to another one.
    Double,
    Date,
    Time,
    Datetime,
    Timestamp,
    Opaque,
}

impl Inner {
    fn letter(self) -> u8 {
        match self {
            Inner::Unsigned => b'u',
            Inner::Signed => b'i',
            Inner::Decimal => b'd',
            Inner::Double => b'f',
            Inner::Date => b'D',
            Inner::Time => b'T',
            Inner::Datetime => b'A',
            Inner::Timestamp => b'S',
            Inner::Opaque => b'o',
        }
    }

    fn from_letter(letter: u8) -> Option<Inner> {
        Some(match letter {
            b'u' => Inner::Unsigned,
            b'i' => Inner::Signed,
            b'd' => Inner::Decimal,
            b'f' => Inner::Double,
            b'D' => Inner::Date,
            b'T' => Inner::Time,
            b'A' => Inner::Datetime,
            b'S' => Inner::Timestamp,
            b'o' => Inner::Opaque,
            _ => return None,
        })
    }
}

/// Appends the mark of the scalar that is printed next.
pub(crate) fn push_mark(out: &mut Vec<u8>, inner: Inner) {
    out.extend_from_slice(&[MARK, inner.letter()]);
}

/// True for a value of a JSON column that is not plain text.
pub(crate) fn is_typed(value: &[u8]) -> bool {
    value.first() == Some(&TYPED)
}

/// The text that a server prints for the document.
fn server_text(value: &[u8]) -> Cow<'_, [u8]> {
    let Some((&TYPED, mut rest)) = value.split_first() else {
        return Cow::Borrowed(value);
    };
    let mut text = Vec::with_capacity(rest.len());
    while let Some(index) = memchr::memchr(MARK, rest) {
        text.extend_from_slice(&rest[..index]);
        rest = rest.get(index + 2..).unwrap_or_default();
    }
    text.extend_from_slice(rest);
    Cow::Owned(text)
}

/// True where every server parses the text of a double to that double: at most 15 digits and a
/// power of ten that is exact make one exact multiplication or division. The server's parser takes
/// short cuts beyond that.
pub(crate) fn double_survives(text: &[u8]) -> bool {
    const DIGITS_MAX: usize = 15;
    const EXPONENT_MAX: i64 = 22;
    let end = text.iter().position(|byte| matches!(byte, b'e' | b'E'));
    let (mantissa, exponent) = text.split_at(end.unwrap_or(text.len()));
    let exponent = exponent.get(1..).map_or(Some(0), parse_i64);
    let point = mantissa.iter().position(|&byte| byte == b'.');
    let fraction = point.map_or(0, |point| mantissa.len() - point - 1);
    let digits = mantissa
        .iter()
        .filter(|byte| byte.is_ascii_digit())
        .skip_while(|&&byte| byte == b'0')
        .count();
    let is_exact = |exponent: i64| (exponent - fraction as i64).abs() <= EXPONENT_MAX;
    digits <= DIGITS_MAX && exponent.is_some_and(is_exact)
}

fn parse_i64(text: &[u8]) -> Option<i64> {
    std::str::from_utf8(text)
        .ok()?
        .parse::<i32>()
        .ok()
        .map(i64::from)
}

/// Fails for an opaque scalar that no expression can make.
pub(crate) fn check_opaque(column_type: u8, byte_count: usize) -> Result<(), FormError> {
    let possible = match column_type {
        opaque::VARCHAR
        | opaque::TINY_BLOB
        | opaque::MEDIUM_BLOB
        | opaque::LONG_BLOB
        | opaque::BLOB => true,
        opaque::BIT => (1..=8).contains(&byte_count),
        opaque::STRING => byte_count <= BINARY_BYTES_MAX,
        _ => false,
    };
    if possible {
        Ok(())
    } else {
        Err(FormError::Opaque(column_type))
    }
}

/// Type and bytes of an opaque scalar, from its text in quotes: `"base64:type252:AAEC"`.
fn read_opaque(text: &[u8]) -> Result<(u8, Vec<u8>), FormError> {
    let inner = text
        .strip_prefix(b"\"base64:type")
        .and_then(|rest| rest.strip_suffix(b"\""))
        .ok_or(FormError::Damaged)?;
    let colon = memchr::memchr(b':', inner).ok_or(FormError::Damaged)?;
    let column_type = parse_i64(&inner[..colon])
        .and_then(|number| u8::try_from(number).ok())
        .ok_or(FormError::Damaged)?;
    let bytes = read_base64(&inner[colon + 1..])?;
    check_opaque(column_type, bytes.len())?;
    Ok((column_type, bytes))
}

/// Base64 with a `\n` in two characters wherever the server ended a line.
fn read_base64(text: &[u8]) -> Result<Vec<u8>, FormError> {
    let mut bytes = Vec::with_capacity(text.len() / 4 * 3);
    let (mut bits, mut count) = (0u32, 0);
    let mut rest = text;
    while let Some((&byte, later)) = rest.split_first() {
        rest = later;
        let digit = match byte {
            b'A'..=b'Z' => byte - b'A',
            b'a'..=b'z' => byte - b'a' + 26,
            b'0'..=b'9' => byte - b'0' + 52,
            b'+' => 62,
            b'/' => 63,
            b'=' => continue,
            b'\\' if later.first() == Some(&b'n') => {
                rest = &later[1..];
                continue;
            }
            _ => return Err(FormError::Damaged),
        };
        bits = (bits << 6) | u32::from(digit);
        count += 6;
        if count >= 8 {
            count -= 8;
            bytes.push((bits >> count) as u8);
        }
    }
    Ok(bytes)
}

/// The string that stands in quotes, with a server's escapes undone.
pub(crate) fn unescape(text: &[u8]) -> Result<Vec<u8>, FormError> {
    let mut string = Vec::with_capacity(text.len());
    let mut rest = text;
    while let Some(index) = memchr::memchr(b'\\', rest) {
        string.extend_from_slice(&rest[..index]);
        let letter = *rest.get(index + 1).ok_or(FormError::Damaged)?;
        rest = &rest[index + 2..];
        string.push(match letter {
            b'b' => 0x08,
            b'f' => 0x0C,
            b'n' => b'\n',
            b'r' => b'\r',
            b't' => b'\t',
            b'u' => {
                let (digits, later) = rest.split_at_checked(4).ok_or(FormError::Damaged)?;
                rest = later;
                // Servers write nothing else in this way than control characters.
                std::str::from_utf8(digits)
                    .ok()
                    .and_then(|digits| u8::from_str_radix(digits, 16).ok())
                    .filter(u8::is_ascii)
                    .ok_or(FormError::Damaged)?
            }
            other => other,
        });
    }
    string.extend_from_slice(rest);
    Ok(string)
}

/// True for the text of an integer above `u32::MAX`.
fn is_above_u32(text: &[u8]) -> bool {
    const LIMIT: &[u8] = b"4294967295";
    text.first() != Some(&b'-')
        && (text.len() > LIMIT.len() || (text.len() == LIMIT.len() && text > LIMIT))
}

fn is_number(text: &[u8]) -> bool {
    text.first()
        .is_some_and(|byte| byte.is_ascii_digit() || *byte == b'-')
}

fn is_integer(text: &[u8]) -> bool {
    is_number(text) && !text.iter().any(|byte| matches!(byte, b'.' | b'e' | b'E'))
}

/// True where the text alone says what the document is, if the server holds nothing but what its
/// parser would make.
fn needs_no_mark(text: &[u8]) -> Result<bool, FormError> {
    let mut tokens = Tokens::new(text);
    while let Some(token) = tokens.next()? {
        if let Token::Scalar(scalar) = token
            && is_number(scalar.text)
            && scalar.natural_mark().is_some()
        {
            return Ok(false);
        }
    }
    Ok(true)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn doubles_survive_where_one_exact_step_makes_them() {
        for text in [
            "0.0",
            "-0.0",
            "1.5",
            "1e22",
            "1e-22",
            "123456789.012345",
            "0.00001",
        ] {
            assert!(double_survives(text.as_bytes()), "{text}");
        }
        for text in [
            "1e23",
            "1e308",
            "5e-324",
            "0.1234567890123456",
            "1.5e-22",
            "1e",
            "1e99999999999",
        ] {
            assert!(!double_survives(text.as_bytes()), "{text}");
        }
    }

    #[test]
    fn marks_leave_the_server_text() {
        let form = b"\x01{\"a\": \x02u5, \"b\": [\x02D\"2024-01-01\"]}";
        assert_eq!(&*server_text(form), br#"{"a": 5, "b": ["2024-01-01"]}"#);
        assert_eq!(&*server_text(b"[5]"), b"[5]");
        assert!(is_typed(form) && !is_typed(b"[5]") && !is_typed(b""));
    }

    #[test]
    fn letters_are_different() {
        for letter in 0..=255 {
            if let Some(inner) = Inner::from_letter(letter) {
                assert_eq!(inner.letter(), letter);
            }
        }
    }

    #[test]
    fn opaque_values_are_read_and_judged() {
        assert_eq!(
            read_opaque(b"\"base64:type252:AP9C\""),
            Ok((252, vec![0, 255, 0x42]))
        );
        assert_eq!(
            read_opaque(b"\"base64:type15:QQ==\""),
            Ok((15, b"A".to_vec()))
        );
        assert_eq!(
            read_opaque(b"\"base64:type15:QU\\nI=\""),
            Ok((15, b"AB".to_vec()))
        );
        assert_eq!(
            read_opaque(b"\"base64:type255:\""),
            Err(FormError::Opaque(255))
        );
        assert_eq!(
            read_opaque(b"\"base64:type253:AP9C\""),
            Err(FormError::Opaque(253))
        );
        assert_eq!(
            read_opaque(b"\"base64:typeX:AP9C\""),
            Err(FormError::Damaged)
        );
        assert_eq!(read_opaque(b"\"base64:type15:!\""), Err(FormError::Damaged));
        assert_eq!(check_opaque(16, 9), Err(FormError::Opaque(16)));
        assert_eq!(check_opaque(254, 256), Err(FormError::Opaque(254)));
    }

    proptest! {
        #[test]
        fn hostile_text_does_not_panic(
            typed: bool,
            picks in prop::collection::vec(prop::sample::select(&[
                "{", "}", "[", "]", "\"a\"", "\\", "\"", ", ", ": ", "\u{2}u", "\u{2}d", "\u{2}", "5",
                "-1.5e300", "\"base64:type252:AA==\"", "\u{2}o", "\\u00", "ä", "null",
            ][..]), 0..30),
            types in "[me0-9udDo\", \\[\\]?]{0,20}",
        ) {
            let mut form = if typed { vec![TYPED] } else { Vec::new() };
            form.extend(picks.concat().into_bytes());
            let _ = server_text(&form);
            let _ = answer::expected_types(&form);
            push_expression(&mut Vec::new(), &form);
            let _ = with_types(&form, Some(types.as_bytes()));
            let _ = with_types(&form, None);
        }
    }
}
