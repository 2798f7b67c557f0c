//! Values as SQL text: the one place where canonical bytes become literals.
//!
//! Owns how a value is written into a statement and how a key is compared in one. Must not know
//! sessions. Two families, on purpose: *value* literals carry bytes into a column unchanged, *key*
//! literals are compared with a column so that its own order and its index are used.
//!
//! Columns are called by their names in the target; for SQL to the source see `Table::at_source`.
//! Literals assume a session whose `sql_mode` has no `NO_BACKSLASH_ESCAPES` and whose
//! `character_set_client` is utf8mb4, where no byte of a longer character is a quote or a backslash.

use crate::catalog::digits_in_parentheses;
use crate::json;
use crate::member::{enum_number, set_number, text_without_label, travels_by_number};
use wherry_model::{Column, ColumnKind, Row, Table, name::quote};

/// From this many labels on, a SET's number does not fit a double, which servers compare by.
const SET_LABELS_IN_DOUBLE_MAX: usize = 52;

/// Appends the literal that stores `value` in `column` byte for byte.
///
/// For `INSERT ... VALUES` and `SET column = ...`. `None` is NULL.
pub fn push_value_literal(out: &mut Vec<u8>, column: &Column, value: Option<&[u8]>) {
    let Some(value) = value else {
        out.extend_from_slice(b"NULL");
        return;
    };
    match &column.kind {
        ColumnKind::Integer { .. } | ColumnKind::Decimal { .. } | ColumnKind::Year => {
            push_number(out, value);
        }
        ColumnKind::Float => push_float(out, column, value),
        ColumnKind::Double => push_double(out, value),
        ColumnKind::Date
        | ColumnKind::Time { .. }
        | ColumnKind::Datetime { .. }
        | ColumnKind::Timestamp { .. } => push_quoted(out, value),
        ColumnKind::Bit { .. } => push_hex(out, value),
        // A binary string is refused as JSON; the server's JSON text is always utf8mb4.
        ColumnKind::Json if json::is_typed(value) => json::push_expression(out, value),
        ColumnKind::Json => {
            out.extend_from_slice(b"_utf8mb4");
            push_quoted(out, value);
        }
        ColumnKind::Enum { labels } => push_enum_value(out, column, labels, value),
        ColumnKind::Set { .. } if travels_by_number(column) => push_number(out, value),
        ColumnKind::Char { .. }
        | ColumnKind::Varchar { .. }
        | ColumnKind::Text
        | ColumnKind::Binary { .. }
        | ColumnKind::Varbinary { .. }
        | ColumnKind::Blob
        | ColumnKind::Set { .. }
        | ColumnKind::Geometry
        | ColumnKind::Vector => {
            out.extend_from_slice(b"_binary");
            push_quoted(out, value);
        }
    }
}

/// Appends the literal that is compared with `column` in the column's own order.
///
/// Text gets its character set and no collation, so the column's collation decides. ENUM and SET
/// become numbers, because the server orders them by number and compares them with strings by text.
pub fn push_key_literal(out: &mut Vec<u8>, column: &Column, value: Option<&[u8]>) {
    let Some(value) = value else {
        out.extend_from_slice(b"NULL");
        return;
    };
    match &column.kind {
        ColumnKind::Bit { .. } => push_unsigned(out, big_endian(value)),
        ColumnKind::Float => push_double(out, value),
        ColumnKind::Char { .. } | ColumnKind::Varchar { .. } | ColumnKind::Text => {
            push_introducer(out, column.charset.as_deref());
            push_hex(out, value);
        }
        ColumnKind::Binary { .. } | ColumnKind::Varbinary { .. } | ColumnKind::Blob => {
            push_hex(out, value);
        }
        ColumnKind::Enum { .. } | ColumnKind::Set { .. } if travels_by_number(column) => {
            push_number(out, value);
        }
        ColumnKind::Enum { labels } => push_unsigned(out, enum_number(labels, value)),
        ColumnKind::Set { labels } => push_unsigned(out, set_number(labels, value)),
        _ => push_value_literal(out, column, Some(value)),
    }
}

/// Appends `column operator literal`, like `` `id` > 7 ``.
///
/// `operator` is one of `=`, `<`, `<=`, `>`, `>=`.
pub fn push_key_comparison(
    out: &mut Vec<u8>,
    column: &Column,
    operator: &str,
    value: Option<&[u8]>,
) {
    out.extend_from_slice(quote(column.target_name()).as_bytes());
    if compares_by_number_only(column, value) {
        out.extend_from_slice(b"+0");
    }
    out.push(b' ');
    out.extend_from_slice(operator.as_bytes());
    out.push(b' ');
    push_key_literal(out, column, value);
}

/// Appends the condition that finds the row with this key: `(a = 1 AND b = 2)`.
///
/// `key` holds the values of `table.identity()`'s parts. Nothing is appended for a keyless table.
pub fn push_key_condition(out: &mut Vec<u8>, table: &Table, key: &Row) {
    let Some(identity) = table.identity() else {
        return;
    };
    out.push(b'(');
    for (index, (part, value)) in identity.parts.iter().zip(key.values()).enumerate() {
        if index > 0 {
            out.extend_from_slice(b" AND ");
        }
        push_key_comparison(out, &table.columns[part.column], "=", value);
    }
    out.push(b')');
}

/// True where the column must be turned into a number for the comparison to be the server's order.
///
/// Servers read the year 0 as 2000 in a comparison, and compare SET with numbers as doubles. Both
/// cost the index, so this is limited to the values that need it.
fn compares_by_number_only(column: &Column, value: Option<&[u8]>) -> bool {
    match &column.kind {
        ColumnKind::Year => value.is_some_and(|digits| digits.iter().all(|&digit| digit == b'0')),
        ColumnKind::Set { labels } => labels.len() > SET_LABELS_IN_DOUBLE_MAX,
        _ => false,
    }
}

fn push_number(out: &mut Vec<u8>, value: &[u8]) {
    if is_numeric(value) {
        out.extend_from_slice(value);
    } else {
        push_quoted(out, value);
    }
}

/// A literal without exponent would be a DECIMAL, which rounds on its own.
fn push_double(out: &mut Vec<u8>, value: &[u8]) {
    push_number(out, value);
    if is_numeric(value) && !value.iter().any(|byte| matches!(byte, b'e' | b'E')) {
        out.extend_from_slice(b"e0");
    }
}

/// The largest values of a `FLOAT(m,d)` are rounded up when they are stored, so that a strict
/// server would refuse what it holds itself: 9999.999 in a `FLOAT(7,3)` is 10000 afterwards.
fn push_float(out: &mut Vec<u8>, column: &Column, value: &[u8]) {
    let declared = digits_in_parentheses(&column.column_type);
    let number: Option<f64> = std::str::from_utf8(value)
        .ok()
        .and_then(|text| text.parse().ok());
    if let ((Some(digits), Some(decimals)), Some(number)) = (declared, number) {
        let whole = digits.saturating_sub(decimals);
        if number.abs() >= 10f64.powi(whole as i32) {
            let sign = if number < 0.0 { "-" } else { "" };
            let (whole, fraction) = ("9".repeat(whole), "9".repeat(decimals));
            out.extend_from_slice(format!("{sign}0{whole}.{fraction}e0").as_bytes());
            return;
        }
    }
    push_double(out, value);
}

/// What a server prints for a number can stand in a statement as it is; anything else cannot.
fn is_numeric(value: &[u8]) -> bool {
    value.iter().any(u8::is_ascii_digit)
        && value
            .iter()
            .all(|byte| matches!(byte, b'0'..=b'9' | b'+' | b'-' | b'.' | b'e' | b'E'))
        && !value.windows(2).any(|pair| pair == b"--")
}

fn push_unsigned(out: &mut Vec<u8>, number: u64) {
    out.extend_from_slice(itoa::Buffer::new().format(number).as_bytes());
}

/// Appends a quoted string with backslash escapes.
pub fn push_quoted(out: &mut Vec<u8>, value: &[u8]) {
    out.reserve(value.len() + 2);
    out.push(b'\'');
    let mut rest = value;
    while let Some(index) = rest.iter().position(|&byte| escape_of(byte).is_some()) {
        out.extend_from_slice(&rest[..index]);
        out.push(b'\\');
        out.push(escape_of(rest[index]).expect("the position was found by its escape"));
        rest = &rest[index + 1..];
    }
    out.extend_from_slice(rest);
    out.push(b'\'');
}

fn escape_of(byte: u8) -> Option<u8> {
    match byte {
        0 => Some(b'0'),
        b'\n' => Some(b'n'),
        b'\r' => Some(b'r'),
        0x1A => Some(b'Z'),
        b'\'' | b'"' | b'\\' => Some(byte),
        _ => None,
    }
}

/// Appends `X'..'`.
pub fn push_hex(out: &mut Vec<u8>, value: &[u8]) {
    const DIGITS: &[u8; 16] = b"0123456789ABCDEF";
    out.reserve(value.len() * 2 + 3);
    out.extend_from_slice(b"X'");
    for byte in value {
        out.push(DIGITS[usize::from(byte >> 4)]);
        out.push(DIGITS[usize::from(byte & 0xF)]);
    }
    out.push(b'\'');
}

fn push_introducer(out: &mut Vec<u8>, charset: Option<&str>) {
    let name = charset.unwrap_or("binary");
    if name
        .bytes()
        .all(|byte| byte.is_ascii_alphanumeric() || byte == b'_')
    {
        out.push(b'_');
        out.extend_from_slice(name.as_bytes());
        // Without it the `X` of a hexadecimal literal would belong to the name.
        out.push(b' ');
    }
}

fn big_endian(value: &[u8]) -> u64 {
    value
        .iter()
        .fold(0, |number, &byte| (number << 8) | u64::from(byte))
}

/// An ENUM's value, as its label or as its number.
fn push_enum_value(out: &mut Vec<u8>, column: &Column, labels: &[String], value: &[u8]) {
    let by_number = travels_by_number(column);
    let without_label = if by_number {
        value == b"0"
    } else {
        value.is_empty()
    };
    match (without_label, text_without_label(column, labels)) {
        (true, Some(text)) => {
            push_introducer(out, column.charset.as_deref());
            push_hex(out, &text);
        }
        // A strict server refuses it, so that its table stops.
        (true, None) => out.push(b'0'),
        (false, _) if by_number => push_number(out, value),
        (false, _) => {
            out.extend_from_slice(b"_binary");
            push_quoted(out, value);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn column(kind: ColumnKind, charset: Option<&str>) -> Column {
        Column {
            name: "c".to_owned(),
            kind,
            column_type: String::new(),
            nullable: true,
            charset: charset.map(str::to_owned),
            collation: None,
            generated: false,
            auto_increment: false,
            in_target: None,
        }
    }

    fn labels(names: &[&str]) -> Vec<String> {
        names.iter().map(|&name| name.to_owned()).collect()
    }

    fn check_value(kind: ColumnKind, value: &[u8], expected: &str) {
        let mut out = Vec::new();
        push_value_literal(&mut out, &column(kind, None), Some(value));
        assert_eq!(String::from_utf8_lossy(&out), expected);
    }

    fn check_key(kind: ColumnKind, charset: Option<&str>, value: &[u8], expected: &str) {
        let mut out = Vec::new();
        push_key_comparison(&mut out, &column(kind, charset), ">", Some(value));
        assert_eq!(String::from_utf8_lossy(&out), expected);
    }

    #[test]
    fn values_keep_their_bytes() {
        let integer = ColumnKind::Integer {
            bytes: 8,
            unsigned: true,
        };
        check_value(integer, b"18446744073709551615", "18446744073709551615");
        check_value(ColumnKind::Double, b"1.5", "1.5e0");
        check_value(ColumnKind::Double, b"-0", "-0e0");
        check_value(ColumnKind::Float, b"1e-300", "1e-300");
        check_value(ColumnKind::Date, b"2024-02-29", "'2024-02-29'");
        check_value(ColumnKind::Bit { bits: 9 }, &[1, 0xFF], "X'01FF'");
        check_value(
            ColumnKind::Json,
            br#"{"a": "\n'"}"#,
            r#"_utf8mb4'{\"a\": \"\\n\'\"}'"#,
        );
        check_value(
            ColumnKind::Blob,
            b"\0\n\r\x1a'\"\\x",
            r#"_binary'\0\n\r\Z\'\"\\x'"#,
        );
        check_value(ColumnKind::Text, b"", "_binary''");
    }

    #[test]
    fn null_is_null_in_both_families() {
        let mut out = Vec::new();
        push_value_literal(&mut out, &column(ColumnKind::Text, None), None);
        push_key_literal(&mut out, &column(ColumnKind::Text, None), None);
        assert_eq!(out, b"NULLNULL");
    }

    #[test]
    fn a_number_that_is_none_is_quoted() {
        check_value(ColumnKind::Year, b"1; DROP TABLE t", "'1; DROP TABLE t'");
        check_value(ColumnKind::Year, b"--1", "'--1'");
        check_value(ColumnKind::Double, b"nan", "'nan'");
    }

    #[test]
    fn keys_are_compared_in_the_columns_order() {
        check_key(
            ColumnKind::Varchar { length: 9 },
            Some("latin1"),
            b"\xE9",
            "`c` > _latin1 X'E9'",
        );
        check_key(ColumnKind::Binary { length: 1 }, None, b"\0", "`c` > X'00'");
        check_key(ColumnKind::Bit { bits: 10 }, None, &[2, 1], "`c` > 513");
        check_key(ColumnKind::Year, None, b"2005", "`c` > 2005");
        check_key(ColumnKind::Year, None, b"0000", "`c`+0 > 0000");
        check_key(ColumnKind::Float, None, b"1", "`c` > 1e0");
    }

    #[test]
    fn labels_are_compared_by_number() {
        let kind = || ColumnKind::Enum {
            labels: labels(&["z", "a", "é"]),
        };
        check_key(kind(), Some("utf8mb4"), b"a", "`c` > 2");
        check_key(kind(), Some("utf8mb4"), "é".as_bytes(), "`c` > 3");
        check_key(kind(), Some("utf8mb4"), b"", "`c` > 0");
        check_key(kind(), Some("latin1"), b"3", "`c` > 3");
        let set = || ColumnKind::Set {
            labels: labels(&["x", "y", "z"]),
        };
        check_key(set(), Some("utf8mb4"), b"x,z", "`c` > 5");
        check_key(set(), Some("utf8mb4"), b"", "`c` > 0");
    }

    #[test]
    fn declared_floats_stay_in_their_range() {
        let check = |kind: ColumnKind, value: &[u8], expected: &str| {
            let mut out = Vec::new();
            let column = Column {
                column_type: "float(7,3)".to_owned(),
                ..column(kind, None)
            };
            push_value_literal(&mut out, &column, Some(value));
            assert_eq!(String::from_utf8_lossy(&out), expected);
            let mut out = Vec::new();
            push_key_literal(&mut out, &column, Some(value));
            assert!(
                !out.contains(&b'9'),
                "a key is compared with what is stored"
            );
        };
        check(ColumnKind::Float, b"10000", "09999.999e0");
        check(ColumnKind::Float, b"-1e4", "-09999.999e0");
        check(ColumnKind::Float, b"1234.5", "1234.5e0");
    }

    #[test]
    fn values_without_a_label_are_told_from_empty_labels() {
        let kind = |names: &[&str]| ColumnKind::Enum {
            labels: labels(names),
        };
        let check = |names: &[&str], charset, value: &[u8], expected: &str| {
            let mut out = Vec::new();
            push_value_literal(&mut out, &column(kind(names), charset), Some(value));
            assert_eq!(String::from_utf8_lossy(&out), expected);
        };
        check(&["a"], Some("utf8mb4"), b"a", "_binary'a'");
        check(&["a"], Some("utf8mb4"), b"", "_utf8mb4 X'30'");
        check(&["a", ""], Some("utf8mb4"), b"0", "_utf8mb4 X'30'");
        check(&["a", ""], Some("utf8mb4"), b"2", "2");
        check(&["a"], Some("ucs2"), b"0", "_ucs2 X'0030'");
        let set = ColumnKind::Set {
            labels: labels(&["a", ""]),
        };
        check_value(set, b"3", "3");
    }

    #[test]
    fn wide_sets_are_compared_as_integers() {
        let names: Vec<String> = (0..60).map(|number| format!("l{number}")).collect();
        let kind = ColumnKind::Set { labels: names };
        check_key(kind, None, b"l0,l59", "`c`+0 > 576460752303423489");
    }
}
