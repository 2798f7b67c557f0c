//! Statements that begin, end or name transactions.

use super::cursor::Cursor;
use super::lexer::TokenKind;
use super::statement::{Statement, StatementKind, XaVerb, Xid};

/// What a statement about a savepoint does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SavepointVerb {
    Set,
    RollBackTo,
    Release,
}

/// What a statement of kind `Savepoint` does, with the name in lower case: servers do not tell
/// its letter cases apart. `None` where it has no name.
pub fn savepoint(sql: &str, statement: &Statement) -> Option<(SavepointVerb, String)> {
    let tokens = statement.tokens.get(statement.start..)?;
    let verb = tokens.first()?;
    let verb = if verb.is_word(sql, "SAVEPOINT") {
        SavepointVerb::Set
    } else if verb.is_word(sql, "ROLLBACK") {
        SavepointVerb::RollBackTo
    } else {
        SavepointVerb::Release
    };
    let is_name = |kind: TokenKind| matches!(kind, TokenKind::Word | TokenKind::Quoted);
    let name = tokens[1..].iter().rfind(|token| is_name(token.kind))?;
    Some((verb, name.name(sql).to_lowercase()))
}

/// `cursor` stands behind the verb. `None` where the statement is not understood.
pub(super) fn kind(verb: &str, cursor: &mut Cursor) -> Option<StatementKind> {
    match verb {
        "BEGIN" if cursor.at_words(&["NOT"]) => Some(StatementKind::Dml),
        "BEGIN" => Some(StatementKind::Begin),
        "START" if cursor.at_any(&["TRANSACTION"]) => Some(StatementKind::Begin),
        "START" => Some(StatementKind::Irrelevant),
        "COMMIT" => Some(StatementKind::Commit),
        "ROLLBACK" => {
            cursor.eat(&["WORK"]);
            if cursor.at_any(&["TO"]) {
                return Some(StatementKind::Savepoint);
            }
            Some(StatementKind::Rollback)
        }
        "SAVEPOINT" | "RELEASE" => Some(StatementKind::Savepoint),
        _ => xa(cursor),
    }
}

fn xa(cursor: &mut Cursor) -> Option<StatementKind> {
    let verb = match cursor.word().as_str() {
        "START" | "BEGIN" => XaVerb::Start,
        "END" => XaVerb::End,
        "PREPARE" => XaVerb::Prepare,
        "COMMIT" => XaVerb::Commit,
        "ROLLBACK" => XaVerb::Rollback,
        "RECOVER" => {
            return Some(StatementKind::Xa {
                verb: XaVerb::Recover,
                xid: None,
            });
        }
        _ => return None,
    };
    let xid = xid(cursor)?;
    let verb = if verb == XaVerb::Commit && cursor.eat(&["ONE", "PHASE"]) {
        XaVerb::CommitOnePhase
    } else {
        verb
    };
    Some(StatementKind::Xa {
        verb,
        xid: Some(xid),
    })
}

fn xid(cursor: &mut Cursor) -> Option<Xid> {
    let gtrid = bytes(cursor)?;
    let mut xid = Xid {
        format: 1,
        gtrid,
        bqual: Vec::new(),
    };
    if cursor.eat_symbol(b',') {
        xid.bqual = bytes(cursor)?;
    }
    if cursor.eat_symbol(b',') {
        let token = cursor.peek(0)?;
        let text = token.text(cursor.sql);
        xid.format = match text.strip_prefix("0x") {
            Some(digits) => u32::from_str_radix(digits, 16).ok()?,
            None => text.parse().ok()?,
        };
        cursor.at += 1;
    }
    Some(xid)
}

/// A string, `X'..'` or `0x..`.
fn bytes(cursor: &mut Cursor) -> Option<Vec<u8>> {
    let hexadecimal = cursor.at_any(&["X"]);
    cursor.at += usize::from(hexadecimal);
    let token = cursor.peek(0)?;
    cursor.at += 1;
    let text = token.text(cursor.sql);
    match token.kind {
        TokenKind::Text if hexadecimal => from_hex(text.trim_matches(['\'', '"'])),
        TokenKind::Text => Some(string_bytes(text)),
        TokenKind::Number => from_hex(text.strip_prefix("0x")?),
        _ => None,
    }
}

fn from_hex(digits: &str) -> Option<Vec<u8>> {
    let digits = digits.as_bytes();
    if !digits.len().is_multiple_of(2) {
        return None;
    }
    digits
        .chunks(2)
        .map(|pair| {
            let text = std::str::from_utf8(pair).ok()?;
            u8::from_str_radix(text, 16).ok()
        })
        .collect()
}

/// The content of a string literal, with doubled quotes and backslash escapes undone.
pub(super) fn string_bytes(literal: &str) -> Vec<u8> {
    let bytes = literal.as_bytes();
    let Some((&mark, rest)) = bytes.split_first() else {
        return Vec::new();
    };
    let inner = rest.strip_suffix(&[mark]).unwrap_or(rest);
    let mut out = Vec::with_capacity(inner.len());
    let mut at = 0;
    while at < inner.len() {
        match inner[at] {
            b'\\' if at + 1 < inner.len() => {
                out.push(match inner[at + 1] {
                    b'0' => 0,
                    b'n' => b'\n',
                    b'r' => b'\r',
                    b't' => b'\t',
                    b'b' => 8,
                    b'Z' => 26,
                    other => other,
                });
                at += 2;
            }
            byte => {
                out.push(byte);
                at += 1 + usize::from(byte == mark);
            }
        }
    }
    out
}
