//! Rows as JSON objects, for trying a script on a row that a user writes.

use serde_json::{Map, Value as Json};
use wherry_model::{Column, Row, Table};

use crate::charset::Charset;
use crate::decimal::Decimal;
use crate::moment::{Clock, Moment};
use crate::number;
use crate::reader::Reader;
use crate::render::Writer;
use crate::value::{Kind, Value};

/// Why a JSON text is no row of its table; without values of the row.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct JsonError {
    /// A lowercase fragment without a final point.
    pub message: String,
    /// A full sentence with the next action.
    pub hint: String,
}

fn wrong(message: impl Into<String>, hint: impl Into<String>) -> JsonError {
    JsonError {
        message: message.into(),
        hint: hint.into(),
    }
}

/// Reads an object with one member for each column; a column that is left out is NULL.
///
/// Numbers and texts are written as such, dates and times as texts like `2021-01-31 10:20:30`, bytes as a text of
/// hexadecimal digits after `0x`.
pub fn read_row(table: &Table, text: &str) -> Result<Row, JsonError> {
    let members: Map<String, Json> = serde_json::from_str(text).map_err(|error| {
        wrong(
            format!(
                "the row is no JSON object (line {}, column {})",
                error.line(),
                error.column()
            ),
            "Write it like {\"id\": 1, \"name\": \"a\"}.",
        )
    })?;
    if let Some(name) = members
        .keys()
        .find(|name| !table.columns.iter().any(|column| column.name == **name))
    {
        return Err(wrong(
            format!("table {} has no column `{name}`", table.name),
            "Write the names of the source; letter case counts.",
        ));
    }
    let mut values = Vec::with_capacity(table.columns.len());
    for column in &table.columns {
        let member = members.get(&column.name).unwrap_or(&Json::Null);
        values.push(read_value(column, member)?);
    }
    Ok(Row::from_values(values.iter().map(Option::as_deref)))
}

fn read_value(column: &Column, member: &Json) -> Result<Option<Vec<u8>>, JsonError> {
    let misfit = || {
        wrong(
            format!(
                "the value of column `{}` is none of type {}",
                column.name, column.column_type
            ),
            "Write a value of the column's type, in its range and length.",
        )
    };
    let text = match member {
        Json::Null if column.nullable || column.generated => return Ok(None),
        Json::Null => {
            return Err(wrong(
                format!("column `{}` has no value and takes no NULL", column.name),
                "Give it a value.",
            ));
        }
        Json::String(text) => text.clone(),
        Json::Bool(value) => u8::from(*value).to_string(),
        Json::Number(number) => number.to_string(),
        Json::Array(_) | Json::Object(_) => member.to_string(),
    };
    let settable = Column {
        generated: false,
        ..column.clone()
    };
    let Ok(writer) = Writer::of(&settable) else {
        // A type that no value can be made for is taken as its bytes.
        let bytes = hexadecimal(&text);
        return Ok(Some(bytes.unwrap_or_else(|| text.into_bytes())));
    };
    let value = value_of(writer.wanted(), &text).ok_or_else(misfit)?;
    let bytes = writer.render(value).map_err(|_| misfit())?;
    Ok(bytes.map(std::borrow::Cow::into_owned))
}

fn value_of(kind: Kind, text: &str) -> Option<Value<'_>> {
    let digits = text.as_bytes();
    Some(match kind {
        Kind::Integer => Value::Integer(number::read_integer(digits)?),
        Kind::Decimal => Value::Decimal(Decimal::parse(digits).ok()?),
        Kind::Float => Value::Float(number::read_float(digits)?),
        Kind::Moment => Value::Moment(Moment::parse(digits)?),
        Kind::Clock => Value::Clock(Clock::parse(digits)?),
        Kind::Bytes => match hexadecimal(text) {
            Some(bytes) => Value::Bytes(bytes.into()),
            None => Value::Bytes(digits.into()),
        },
        _ => Value::Text(text.into()),
    })
}

fn hexadecimal(text: &str) -> Option<Vec<u8>> {
    let digits = text.strip_prefix("0x")?;
    if !digits.len().is_multiple_of(2) || !digits.is_ascii() {
        return None;
    }
    (0..digits.len())
        .step_by(2)
        .map(|at| u8::from_str_radix(&digits[at..at + 2], 16).ok())
        .collect()
}

/// Writes a row as an object. Integers and floats are numbers, decimals and times texts; what is no text in its
/// character set is written as hexadecimal digits.
pub fn write_row(table: &Table, row: &Row) -> String {
    let members = table
        .columns
        .iter()
        .zip(row.values())
        .map(|(column, value)| {
            let value = value.map_or(Json::Null, |bytes| write_value(column, bytes));
            (column.name.clone(), value)
        });
    Json::Object(members.collect()).to_string()
}

fn write_value(column: &Column, bytes: &[u8]) -> Json {
    let value = Reader::of(column)
        .ok()
        .and_then(|reader| reader.read(bytes).ok());
    match value {
        Some(Value::Integer(number)) => match (i64::try_from(number), u64::try_from(number)) {
            (Ok(number), _) => number.into(),
            (_, Ok(number)) => number.into(),
            _ => Json::Null,
        },
        Some(Value::Float(number)) => number.into(),
        Some(Value::Text(text)) => text.into_owned().into(),
        Some(Value::Decimal(_) | Value::Moment(_) | Value::Clock(_)) => {
            String::from_utf8_lossy(bytes).into_owned().into()
        }
        _ => match Charset::Ascii.decode(bytes) {
            Ok(text) if !matches!(value, Some(Value::Bytes(_))) => text.into_owned().into(),
            _ => {
                let digits: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
                format!("0x{digits}").into()
            }
        },
    }
}
