//! Typed documents as SQL expressions.
//!
//! A part without marks is parsed from its text by the server; containers around marks are made
//! by `JSON_ARRAY` and `JSON_OBJECT`, marked scalars by literals of their SQL type. Nothing here can
//! become another value in silence: literals are exact, and what is converted by a column of
//! `JSON_TABLE` fails the statement where it does not fit.

use super::tokens::{Scalar, Token, Tokens};
use super::{FormError, Inner, MARK, TYPED, opaque, read_opaque, unescape};
use crate::literal::{push_hex, push_quoted};

/// Appends the expression that makes a typed document.
///
/// A form that is damaged, which only a defect can bring about, becomes an expression that every
/// server refuses.
pub(crate) fn push_expression(out: &mut Vec<u8>, form: &[u8]) {
    let text = form.strip_prefix(&[TYPED]).unwrap_or(form);
    let begin = out.len();
    if document(out, text).is_err() {
        out.truncate(begin);
        out.extend_from_slice(b"CAST('a damaged document' AS JSON)");
    }
}

fn document(out: &mut Vec<u8>, text: &[u8]) -> Result<(), FormError> {
    let mut tokens = Tokens::new(text);
    match tokens.next()?.ok_or(FormError::Damaged)? {
        Token::Open { object } => container(out, text, &mut tokens, object)?,
        Token::Scalar(scalar) => {
            // Not every type can be cast to JSON, but every one can be an element.
            out.extend_from_slice(b"JSON_EXTRACT(JSON_ARRAY(");
            push_scalar(out, &scalar)?;
            out.extend_from_slice(b"),'$[0]')");
        }
        Token::Close | Token::Key(_) => return Err(FormError::Damaged),
    }
    match tokens.next()? {
        None => Ok(()),
        Some(_) => Err(FormError::Damaged),
    }
}

/// Appends a container whose opening was read, and reads its end.
fn container(
    out: &mut Vec<u8>,
    text: &[u8],
    tokens: &mut Tokens<'_>,
    object: bool,
) -> Result<(), FormError> {
    let begin = tokens.at() - 1;
    let end = end_of_container(text, begin)?;
    if memchr::memchr(MARK, &text[begin..end]).is_none() {
        push_text(out, &text[begin..end]);
        return skip_container(tokens);
    }
    out.extend_from_slice(if object {
        b"JSON_OBJECT("
    } else {
        b"JSON_ARRAY("
    });
    let mut first = true;
    loop {
        let token = tokens.next()?.ok_or(FormError::Damaged)?;
        if token == Token::Close {
            break;
        }
        if !first {
            out.push(b',');
        }
        first = false;
        match token {
            Token::Key(key) => {
                push_key(out, key)?;
            }
            Token::Open { object } => container(out, text, tokens, object)?,
            Token::Scalar(scalar) => push_scalar(out, &scalar)?,
            Token::Close => unreachable!("the loop ends there"),
        }
    }
    out.push(b')');
    Ok(())
}

/// Reads on until the container whose opening was read is closed.
fn skip_container(tokens: &mut Tokens<'_>) -> Result<(), FormError> {
    let mut depth = 1;
    while depth > 0 {
        match tokens.next()?.ok_or(FormError::Damaged)? {
            Token::Open { .. } => depth += 1,
            Token::Close => depth -= 1,
            Token::Key(_) | Token::Scalar(_) => {}
        }
    }
    Ok(())
}

fn end_of_container(text: &[u8], begin: usize) -> Result<usize, FormError> {
    let mut tokens = Tokens::new(&text[begin..]);
    tokens.next()?;
    skip_container(&mut tokens)?;
    Ok(begin + tokens.at())
}

fn push_text(out: &mut Vec<u8>, text: &[u8]) {
    out.extend_from_slice(b"CAST(_utf8mb4");
    push_quoted(out, text);
    out.extend_from_slice(b" AS JSON)");
}

fn push_scalar(out: &mut Vec<u8>, scalar: &Scalar<'_>) -> Result<(), FormError> {
    let Some(mark) = scalar.mark else {
        push_text(out, scalar.text);
        return Ok(());
    };
    match mark {
        Inner::Unsigned => {
            out.extend_from_slice(b"CAST(");
            push_number(out, scalar.text)?;
            out.extend_from_slice(b" AS UNSIGNED)");
        }
        Inner::Signed => push_number(out, scalar.text)?,
        Inner::Decimal => {
            push_number(out, scalar.text)?;
            // The point makes a literal DECIMAL.
            if !scalar.text.contains(&b'.') {
                out.push(b'.');
            }
        }
        Inner::Double => {
            push_number(out, scalar.text)?;
            // The exponent makes a literal DOUBLE.
            if !scalar.text.contains(&b'e') {
                out.extend_from_slice(b"e0");
            }
        }
        Inner::Date => push_temporal(out, b"DATE", scalar.text)?,
        Inner::Time => push_temporal(out, b"TIME", scalar.text)?,
        Inner::Datetime => push_temporal(out, b"TIMESTAMP", scalar.text)?,
        Inner::Timestamp => {
            let quoted = in_quotes(scalar.text)?;
            let push = |out: &mut Vec<u8>| push_quoted(out, quoted);
            push_through_column(out, push, "TIMESTAMP(6)");
        }
        Inner::Opaque => push_opaque(out, scalar.text)?,
    }
    Ok(())
}

fn push_number(out: &mut Vec<u8>, text: &[u8]) -> Result<(), FormError> {
    let numeric = |byte: &u8| matches!(byte, b'0'..=b'9' | b'-' | b'+' | b'.' | b'e');
    if !text.iter().all(numeric) {
        return Err(FormError::Damaged);
    }
    out.extend_from_slice(text);
    Ok(())
}

/// `DATE'2024-02-29'`: a literal that the server refuses where it is no such value.
fn push_temporal(out: &mut Vec<u8>, word: &[u8], text: &[u8]) -> Result<(), FormError> {
    out.extend_from_slice(word);
    push_quoted(out, in_quotes(text)?);
    Ok(())
}

fn in_quotes(text: &[u8]) -> Result<&[u8], FormError> {
    text.strip_prefix(b"\"")
        .and_then(|rest| rest.strip_suffix(b"\""))
        .ok_or(FormError::Damaged)
}

fn push_opaque(out: &mut Vec<u8>, text: &[u8]) -> Result<(), FormError> {
    let (column_type, bytes) = read_opaque(text)?;
    let hex = |out: &mut Vec<u8>| push_hex(out, &bytes);
    match column_type {
        opaque::VARCHAR => hex(out),
        opaque::TINY_BLOB => push_through_column(out, hex, "TINYBLOB"),
        opaque::BLOB => push_through_column(out, hex, "BLOB"),
        opaque::MEDIUM_BLOB => push_through_column(out, hex, "MEDIUMBLOB"),
        opaque::LONG_BLOB => push_through_column(out, hex, "LONGBLOB"),
        opaque::STRING => push_through_column(out, hex, &format!("BINARY({})", bytes.len())),
        opaque::BIT => {
            let number = bytes
                .iter()
                .fold(0u64, |number, &byte| (number << 8) | u64::from(byte));
            let number = |out: &mut Vec<u8>| out.extend_from_slice(number.to_string().as_bytes());
            push_through_column(out, number, &format!("BIT({})", bytes.len() * 8));
        }
        other => return Err(FormError::Opaque(other)),
    }
    Ok(())
}

/// A value of the type that a table's column has: no expression makes these, and only an
/// aggregate takes the column's own type.
fn push_through_column(out: &mut Vec<u8>, value: impl Fn(&mut Vec<u8>), column_type: &str) {
    out.extend_from_slice(
        b"(SELECT JSON_EXTRACT(JSON_ARRAYAGG(b),'$[0]') FROM JSON_TABLE(JSON_ARRAY(",
    );
    value(out);
    out.extend_from_slice(
        format!(
            "),'$[0]' COLUMNS(b {column_type} PATH '$' ERROR ON EMPTY ERROR ON ERROR)) wherry_b)"
        )
        .as_bytes(),
    );
}

/// Appends a key as a string literal, from its text in quotes.
fn push_key(out: &mut Vec<u8>, text: &[u8]) -> Result<(), FormError> {
    let key = unescape(in_quotes(text)?)?;
    out.extend_from_slice(b"_utf8mb4");
    push_quoted(out, &key);
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(form: &str, expected: &str) {
        let mut out = Vec::new();
        let form = form.replace('^', "\u{1}").replace('~', "\u{2}");
        push_expression(&mut out, form.as_bytes());
        assert_eq!(String::from_utf8_lossy(&out), expected);
    }

    #[test]
    fn scalars_become_literals_of_their_type() {
        check(
            "^[~u5, ~d1.50, ~d-5, ~f1e300, ~i4294967296, 7]",
            "JSON_ARRAY(CAST(5 AS UNSIGNED),1.50,-5.,1e300,4294967296,CAST(_utf8mb4'7' AS JSON))",
        );
        check(
            r#"^{"a\"\u0001": ~D"2024-01-01", "b": {"c": [1]}}"#,
            "JSON_OBJECT(_utf8mb4'a\\\"\u{1}',DATE'2024-01-01',\
             _utf8mb4'b',CAST(_utf8mb4'{\\\"c\\\": [1]}' AS JSON))",
        );
        check(
            "^~u5",
            "JSON_EXTRACT(JSON_ARRAY(CAST(5 AS UNSIGNED)),'$[0]')",
        );
        check(
            r#"^[~o"base64:type254:AP9C"]"#,
            "JSON_ARRAY((SELECT JSON_EXTRACT(JSON_ARRAYAGG(b),'$[0]') FROM JSON_TABLE(JSON_ARRAY(X'00FF42'),\
             '$[0]' COLUMNS(b BINARY(3) PATH '$' ERROR ON EMPTY ERROR ON ERROR)) wherry_b))",
        );
    }

    #[test]
    fn a_damaged_form_becomes_what_no_server_takes() {
        for form in [
            "^[~u5",
            "^~x5",
            "^[~u5; DROP]",
            "^]",
            "^~D5",
            "^{\"a\\u12\": ~u5}",
        ] {
            check(form, "CAST('a damaged document' AS JSON)");
        }
    }
}
