//! Canonical bytes of a column to a value.

use std::borrow::Cow;

use wherry_model::{Column, ColumnKind};

use crate::charset::Charset;
use crate::decimal::Decimal;
use crate::fault::{Mistake, Reason};
use crate::moment::{Clock, Moment};
use crate::number;
use crate::value::{Kind, Value};

/// How the bytes of one column are read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Reader {
    Integer,
    Bit,
    Decimal,
    Float,
    Moment,
    Clock,
    Text(Charset),
    Json,
    Bytes,
}

/// Marks in the canonical form of a JSON document whose text hides types: the first byte of such a document, and
/// the byte that stands before a letter. Both forms stand in `wherry_mysql`'s module `json`.
const JSON_TYPED: u8 = 0x01;
const JSON_MARK: u8 = 0x02;

impl Reader {
    /// Why not, where the column can only be copied or tested for NULL.
    pub(crate) fn of(column: &Column) -> Result<Reader, (Mistake, String)> {
        let opaque = |what: &str| Err((Mistake::Kind, format!("a script cannot read {what}")));
        match &column.kind {
            ColumnKind::Year if column.column_type == "year(2)" => opaque("a YEAR(2)"),
            ColumnKind::Integer { .. } | ColumnKind::Year => Ok(Reader::Integer),
            ColumnKind::Decimal { .. } => Ok(Reader::Decimal),
            ColumnKind::Float | ColumnKind::Double => Ok(Reader::Float),
            ColumnKind::Bit { .. } => Ok(Reader::Bit),
            ColumnKind::Date | ColumnKind::Datetime { .. } | ColumnKind::Timestamp { .. } => {
                Ok(Reader::Moment)
            }
            ColumnKind::Time { .. } => Ok(Reader::Clock),
            ColumnKind::Char { .. } | ColumnKind::Varchar { .. } | ColumnKind::Text => {
                text_charset(column).map(Reader::Text)
            }
            ColumnKind::Binary { .. } | ColumnKind::Varbinary { .. } | ColumnKind::Blob => {
                Ok(Reader::Bytes)
            }
            ColumnKind::Enum { labels } | ColumnKind::Set { labels } => {
                match label_charset(column, labels) {
                    Some(charset) => Ok(Reader::Text(charset)),
                    None => opaque("an ENUM or SET with an empty label or another character set"),
                }
            }
            ColumnKind::Json => Ok(Reader::Json),
            ColumnKind::Geometry => opaque("a geometry"),
            ColumnKind::Vector => opaque("a vector"),
        }
    }

    pub(crate) fn kind(self) -> Kind {
        match self {
            Reader::Integer | Reader::Bit => Kind::Integer,
            Reader::Decimal => Kind::Decimal,
            Reader::Float => Kind::Float,
            Reader::Moment => Kind::Moment,
            Reader::Clock => Kind::Clock,
            Reader::Text(_) | Reader::Json => Kind::Text,
            Reader::Bytes => Kind::Bytes,
        }
    }

    pub(crate) fn read(self, bytes: &[u8]) -> Result<Value<'_>, Reason> {
        Ok(match self {
            Reader::Integer => {
                Value::Integer(number::read_integer(bytes).ok_or(Reason::InvalidText)?)
            }
            Reader::Text(charset) => Value::Text(charset.decode(bytes)?),
            Reader::Bytes => Value::Bytes(Cow::Borrowed(bytes)),
            Reader::Bit => Value::Integer(bits(bytes).ok_or(Reason::InvalidText)?),
            Reader::Decimal => Value::Decimal(Decimal::parse(bytes)?),
            Reader::Float => Value::Float(number::read_float(bytes).ok_or(Reason::InvalidText)?),
            Reader::Moment => Value::Moment(Moment::parse(bytes).ok_or(Reason::InvalidText)?),
            Reader::Clock => Value::Clock(Clock::parse(bytes).ok_or(Reason::InvalidText)?),
            Reader::Json => Value::Text(json_text(bytes)?),
        })
    }
}

/// The character set of a text column.
pub(crate) fn text_charset(column: &Column) -> Result<Charset, (Mistake, String)> {
    let name = column.charset.as_deref().unwrap_or("binary");
    Charset::of(name).ok_or_else(|| {
        (
            Mistake::Charset,
            format!("a script cannot read or write the character set {name}"),
        )
    })
}

/// The set in which an ENUM's or SET's values are their labels; `None` where a value may be its number.
pub(crate) fn label_charset(column: &Column, labels: &[String]) -> Option<Charset> {
    if labels.iter().any(String::is_empty) {
        return None;
    }
    match column.charset.as_deref() {
        Some("utf8mb4" | "utf8mb3" | "utf8") => Some(Charset::Utf8mb4),
        None | Some("ascii" | "latin1" | "binary")
            if labels.iter().all(|label| label.is_ascii()) =>
        {
            Some(Charset::Ascii)
        }
        _ => None,
    }
}

fn bits(bytes: &[u8]) -> Option<i128> {
    (bytes.len() <= 8).then(|| {
        bytes
            .iter()
            .fold(0, |number, byte| (number << 8) | i128::from(*byte))
    })
}

/// The server's text of a document, without marks.
fn json_text(bytes: &[u8]) -> Result<Cow<'_, str>, Reason> {
    let invalid = |_| Reason::InvalidText;
    let Some((&JSON_TYPED, typed)) = bytes.split_first() else {
        return std::str::from_utf8(bytes)
            .map(Cow::Borrowed)
            .map_err(invalid);
    };
    let mut text = Vec::with_capacity(typed.len());
    let mut rest = typed.iter();
    while let Some(&byte) = rest.next() {
        match byte {
            JSON_MARK => {
                rest.next();
            }
            _ => text.push(byte),
        }
    }
    String::from_utf8(text)
        .map(Cow::Owned)
        .map_err(|_| Reason::InvalidText)
}
