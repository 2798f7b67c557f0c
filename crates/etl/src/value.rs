//! Values while a script runs, and the kinds that the compiler knows them by.

use std::borrow::Cow;
use std::cmp::Ordering;

use crate::decimal::Decimal;
use crate::fault::Reason;
use crate::moment::{Clock, Moment};
use crate::number;

/// Longest value that a script may make.
pub(crate) const VALUE_BYTES_MAX: usize = 16 << 20;

/// What a value is; the compiler knows it before any row is read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    /// The constant NULL, which is of every kind.
    Null,
    Bool,
    Integer,
    Decimal,
    Float,
    Text,
    Bytes,
    Moment,
    Clock,
    Operation,
}

impl Kind {
    /// What messages call it.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Kind::Null => "NULL",
            Kind::Bool => "bool",
            Kind::Integer => "int",
            Kind::Decimal => "decimal",
            Kind::Float => "float",
            Kind::Text => "string",
            Kind::Bytes => "bytes",
            Kind::Moment => "datetime",
            Kind::Clock => "time",
            Kind::Operation => "operation",
        }
    }

    pub(crate) fn is_number(self) -> bool {
        matches!(self, Kind::Integer | Kind::Decimal | Kind::Float)
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Operation {
    Insert,
    Update,
    Delete,
}

#[derive(Debug, Clone)]
pub(crate) enum Value<'a> {
    Null,
    Bool(bool),
    /// From the least BIGINT to the greatest BIGINT UNSIGNED.
    Integer(i128),
    Decimal(Decimal),
    /// Finite.
    Float(f64),
    Text(Cow<'a, str>),
    Bytes(Cow<'a, [u8]>),
    Moment(Moment),
    Clock(Clock),
    Operation(Operation),
}

impl Value<'_> {
    pub(crate) fn is_null(&self) -> bool {
        matches!(self, Value::Null)
    }

    /// The same value, without a copy of its text.
    pub(crate) fn borrowed(&self) -> Value<'_> {
        match self {
            Value::Text(text) => Value::Text(Cow::Borrowed(text)),
            Value::Bytes(bytes) => Value::Bytes(Cow::Borrowed(bytes)),
            Value::Null => Value::Null,
            Value::Bool(value) => Value::Bool(*value),
            Value::Integer(value) => Value::Integer(*value),
            Value::Decimal(value) => Value::Decimal(*value),
            Value::Float(value) => Value::Float(*value),
            Value::Moment(value) => Value::Moment(*value),
            Value::Clock(value) => Value::Clock(*value),
            Value::Operation(value) => Value::Operation(*value),
        }
    }

    pub(crate) fn into_owned(self) -> Value<'static> {
        match self {
            Value::Text(text) => Value::Text(Cow::Owned(text.into_owned())),
            Value::Bytes(bytes) => Value::Bytes(Cow::Owned(bytes.into_owned())),
            Value::Null => Value::Null,
            Value::Bool(value) => Value::Bool(value),
            Value::Integer(value) => Value::Integer(value),
            Value::Decimal(value) => Value::Decimal(value),
            Value::Float(value) => Value::Float(value),
            Value::Moment(value) => Value::Moment(value),
            Value::Clock(value) => Value::Clock(value),
            Value::Operation(value) => Value::Operation(value),
        }
    }

    /// The order of two values of one kind; `None` where one is NULL. Texts by their characters, not by a
    /// collation.
    pub(crate) fn compare(&self, other: &Value<'_>) -> Option<Ordering> {
        match (self, other) {
            (Value::Bool(one), Value::Bool(two)) => Some(one.cmp(two)),
            (Value::Integer(one), Value::Integer(two)) => Some(one.cmp(two)),
            (Value::Decimal(one), Value::Decimal(two)) => Some(one.cmp(two)),
            (Value::Float(one), Value::Float(two)) => one.partial_cmp(two),
            (Value::Text(one), Value::Text(two)) => Some(one.cmp(two)),
            (Value::Bytes(one), Value::Bytes(two)) => Some(one.cmp(two)),
            (Value::Moment(one), Value::Moment(two)) => Some(one.cmp(two)),
            (Value::Clock(one), Value::Clock(two)) => Some(one.cmp(two)),
            (Value::Operation(one), Value::Operation(two)) => Some((*one as u8).cmp(&(*two as u8))),
            _ => None,
        }
    }

    /// Appends what `str_format` puts in the place of `{}`.
    pub(crate) fn push_text(&self, out: &mut String) -> Result<(), Reason> {
        match self {
            Value::Null | Value::Operation(_) | Value::Bytes(_) => return Err(Reason::Null),
            Value::Bool(value) => out.push_str(if *value { "true" } else { "false" }),
            Value::Integer(value) => out.push_str(itoa::Buffer::new().format(*value)),
            Value::Decimal(value) => out.push_str(&value.to_string()),
            Value::Float(value) => out.push_str(&number::float_text(*value)),
            Value::Text(text) => push_bounded(out, text)?,
            Value::Moment(value) => out.push_str(&value.to_string()),
            Value::Clock(value) => out.push_str(&value.to_string()),
        }
        Ok(())
    }
}

/// Appends a text unless the whole gets longer than a value may be.
pub(crate) fn push_bounded(out: &mut String, text: &str) -> Result<(), Reason> {
    if out.len() + text.len() > VALUE_BYTES_MAX {
        return Err(Reason::ValueTooLong);
    }
    out.push_str(text);
    Ok(())
}
