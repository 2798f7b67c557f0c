//! Expressions and values in a form that does not depend on how a server prints them.

use crate::ddl::lexer::{Token, TokenKind, lex};
use crate::ddl::statement::{Context, Dialect};
use crate::ddl::transaction::string_bytes;

/// An expression without parentheses, character set introducers and quotes around names.
///
/// Servers add parentheses and introducers of their own to what they store, so only the order of
/// names, operators and values is compared.
pub(super) fn expression(text: &str, dialect: Dialect) -> String {
    let tokens = lex(text, &Context::new("", dialect)).tokens;
    let mut out: Vec<String> = Vec::new();
    for (at, token) in tokens.iter().enumerate() {
        if matches!(token.kind, TokenKind::Symbol(b'(' | b')')) || is_introducer(text, &tokens, at)
        {
            continue;
        }
        out.push(match token.kind {
            TokenKind::Text => introduced(text, &tokens, at),
            TokenKind::Quoted => token.name(text).to_lowercase(),
            TokenKind::Symbol(b'!') if !is_unequal(&tokens, at) => "not".to_owned(),
            _ => synonym(&token.text(text).to_lowercase()).to_owned(),
        });
    }
    out.join(" ")
}

/// Like [`expression`], with parentheses and the exact case of names.
pub(super) fn clause(text: &str, dialect: Dialect) -> String {
    let tokens = lex(text, &Context::new("", dialect)).tokens;
    let parts = tokens.iter().enumerate().filter_map(|(at, token)| {
        let text = match token.kind {
            TokenKind::Text => string(token.text(text)),
            TokenKind::Quoted => format!("`{}`", token.name(text)),
            _ if is_introducer(text, &tokens, at) => return None,
            _ => token.text(text).to_lowercase(),
        };
        Some(text)
    });
    parts.collect::<Vec<_>>().join(" ")
}

/// Like [`clause`]; MySQL 8.0.11 gave one type another name.
pub(super) fn column_type(text: &str, dialect: Dialect) -> String {
    let text = clause(text, dialect);
    match text.strip_prefix("geometrycollection") {
        Some(rest) => format!("geomcollection{rest}"),
        None => text,
    }
}

/// MariaDB prints `!` for NOT.
fn is_unequal(tokens: &[Token], at: usize) -> bool {
    tokens
        .get(at + 1)
        .is_some_and(|next| next.is_symbol(b'=') && next.start == tokens[at].end)
}

fn is_introducer(text: &str, tokens: &[Token], at: usize) -> bool {
    tokens[at].kind == TokenKind::Word
        && tokens[at].text(text).starts_with('_')
        && tokens
            .get(at + 1)
            .is_some_and(|next| next.kind == TokenKind::Text)
}

/// A literal as text. A server that gives a constant the character set of its column prints its bytes, which in
/// UTF-16 and UTF-32 are not those of the text.
fn introduced(text: &str, tokens: &[Token], at: usize) -> String {
    let literal = tokens[at].text(text);
    let before = at
        .checked_sub(1)
        .filter(|before| is_introducer(text, tokens, *before));
    let introducer = before.map_or_else(String::new, |before| {
        tokens[before].text(text).to_lowercase()
    });
    let width = match introducer.as_str() {
        "_utf16" | "_ucs2" => 2,
        "_utf32" => 4,
        _ => return string(literal),
    };
    let bytes = string_bytes(literal);
    if !bytes.len().is_multiple_of(width) {
        return string(literal);
    }
    let number = |unit: &[u8]| {
        unit.iter()
            .fold(0_u32, |sum, byte| (sum << 8) | u32::from(*byte))
    };
    let numbers = bytes.chunks(width).map(number);
    let decoded: Option<String> = if width == 4 {
        numbers.map(char::from_u32).collect()
    } else {
        let units = numbers.filter_map(|unit| u16::try_from(unit).ok());
        char::decode_utf16(units).collect::<Result<_, _>>().ok()
    };
    decoded.map_or_else(|| string(literal), |decoded| format!("'{decoded}'"))
}

fn string(literal: &str) -> String {
    format!("'{}'", String::from_utf8_lossy(&string_bytes(literal)))
}

/// Functions and operators that servers print under different names.
fn synonym(word: &str) -> &str {
    match word {
        "current_timestamp" | "localtimestamp" | "localtime" => "now",
        "octet_length" => "length",
        "character_length" => "char_length",
        "substring" | "mid" => "substr",
        "lcase" => "lower",
        "ucase" => "upper",
        "current_date" => "curdate",
        "current_time" => "curtime",
        "utf8" => "utf8mb3",
        "mod" => "%",
        other => other,
    }
}

/// The default of a column; `None` for NULL or none.
pub(super) fn default(value: &str, type_name: &str, dialect: Dialect) -> Option<String> {
    let lower = value.to_ascii_lowercase();
    if lower == "null" {
        return None;
    }
    let numeric = ["int", "decimal", "float", "double", "year", "numeric"];
    if numeric.iter().any(|kind| type_name.ends_with(kind)) && !value.starts_with('(') {
        return Some(number(lower.trim_matches('\'')));
    }
    if type_name.ends_with("binary") {
        return Some(format!("{:02x?}", binary(value)));
    }
    if value.starts_with('(') {
        return Some(expression(value, dialect));
    }
    Some(expression(value, dialect))
}

/// The bytes of a binary default, without the zeros that BINARY is filled up with.
fn binary(value: &str) -> Vec<u8> {
    let digits = value.strip_prefix("0x").or_else(|| {
        let inner = value
            .strip_prefix("x'")
            .or_else(|| value.strip_prefix("X'"))?;
        inner.strip_suffix('\'')
    });
    let mut bytes = match digits {
        Some(digits) => (0..digits.len() / 2)
            .filter_map(|at| u8::from_str_radix(digits.get(at * 2..at * 2 + 2)?, 16).ok())
            .collect(),
        None => string_bytes(value.trim_start_matches("_binary")),
    };
    while bytes.last() == Some(&0) {
        bytes.pop();
    }
    bytes
}

/// A number without a plus sign, leading zeros and trailing zeros of the fraction.
fn number(text: &str) -> String {
    match text {
        "true" => return "1".to_owned(),
        "false" => return "0".to_owned(),
        _ => {}
    }
    let (sign, digits) = match text.strip_prefix('-') {
        Some(digits) => ("-", digits),
        None => ("", text.trim_start_matches('+')),
    };
    if digits.is_empty()
        || !digits
            .bytes()
            .all(|byte| byte.is_ascii_digit() || byte == b'.')
    {
        return match text.parse::<f64>() {
            Ok(value) => value.to_string(),
            Err(_) => text.to_owned(),
        };
    }
    let (whole, fraction) = digits.split_once('.').unwrap_or((digits, ""));
    let whole = whole.trim_start_matches('0');
    let whole = if whole.is_empty() { "0" } else { whole };
    let fraction = fraction.trim_end_matches('0');
    let sign = if whole == "0" && fraction.is_empty() {
        ""
    } else {
        sign
    };
    match fraction {
        "" => format!("{sign}{whole}"),
        _ => format!("{sign}{whole}.{fraction}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_compare_by_meaning() {
        let mysql = Dialect::mysql(90_704);
        let same = |left: &str, right: &str, kind: &str| {
            assert_eq!(
                default(left, kind, mysql),
                default(right, kind, mysql),
                "{left} {right}"
            );
        };
        same("0", "'0'", "int");
        same("1.50", "'1.5'", "decimal");
        same("-0.0", "'0.00'", "decimal");
        same("1e3", "'1000'", "double");
        same("'a\\0\\0'", "0x610000", "binary");
        same("(_utf8mb4'it''s')", "'it\\'s'", "text");
        same("(uuid())", "uuid()", "char");
        assert_ne!(
            default("'1'", "char", mysql),
            default("'1.0'", "char", mysql)
        );
        assert_eq!(default("NULL", "int", mysql), None);
    }

    #[test]
    fn expressions_compare_without_parentheses() {
        let mysql = Dialect::mysql(90_704);
        assert_eq!(
            expression("((`a` + 1) > _utf8mb4'x')", mysql),
            expression("`A` + 1 > 'x'", mysql)
        );
        assert_eq!(
            expression("!(`a` <=> 'x')", Dialect::mariadb(101_100)),
            expression("(not((`a` <=> _latin1'x')))", mysql)
        );
        assert_ne!(
            expression("`a` != 1", mysql),
            expression("not `a` = 1", mysql)
        );
        assert_eq!(
            expression("`a` <> _utf16'\\0x\\0`'", mysql),
            expression("`a` <> 'x`'", mysql)
        );
        assert_ne!(expression("`a` + 1", mysql), expression("`a` - 1", mysql));
    }
}
