//! Computes expressions over one record; read on in `action` for what runs them.

mod action;
mod text;
mod time;

use std::borrow::Cow;

use crate::decimal::Decimal;
use crate::expression::{Code, Comparison, Expr, MemberValues, Members};
use crate::fault::{Reason, RunError};
use crate::moment::{Moment, SECOND};
use crate::number;
use crate::reader::Reader;
use crate::record::Record;
use crate::value::{Kind, Value, push_bounded};

pub(crate) use action::{Flow, Manner};

type Computed<'e> = Result<Value<'e>, RunError>;

impl Expr {
    pub(crate) fn compute<'e>(&'e self, record: &'e Record<'_>) -> Computed<'e> {
        let here = |reason: Reason| reason.at(self.span);
        match &self.code {
            Code::Constant(value) => Ok(value.borrowed()),
            Code::Column {
                column,
                reader,
                image,
            } => match record.column(*column, *image) {
                Some(bytes) => reader.read(bytes).map_err(here),
                None => Ok(Value::Null),
            },
            Code::Operation => Ok(Value::Operation(record.operation)),
            Code::Position => Ok(Value::Text(Cow::Borrowed(record.context.position))),
            Code::And(both) => junction(both, record, false),
            Code::Or(both) => junction(both, record, true),
            Code::Not(value) => Ok(match value.compute(record)? {
                Value::Bool(value) => Value::Bool(!value),
                _ => Value::Null,
            }),
            Code::IsNull {
                wanted,
                column,
                value,
            } => {
                let null = match (column, value) {
                    (Some((column, image)), _) => record.column(*column, *image).is_none(),
                    (None, Some(value)) => value.compute(record)?.is_null(),
                    (None, None) => true,
                };
                Ok(Value::Bool(null == *wanted))
            }
            Code::IsText(value) => Ok(Value::Bool(!value.compute(record)?.is_null())),
            Code::Compare(comparison, both) => {
                let truth = compare(*comparison, both, record)?;
                Ok(truth.map_or(Value::Null, Value::Bool))
            }
            Code::Choice(parts) => match parts[0].compute(record)? {
                Value::Bool(true) => parts[1].compute(record),
                _ => parts[2].compute(record),
            },
            Code::Arithmetic(arithmetic, both) => {
                let (one, two) = (both[0].compute(record)?, both[1].compute(record)?);
                number::compute(*arithmetic, &one, &two).map_err(here)
            }
            Code::Round(both) => {
                let number = both[0].compute(record)?;
                match both[1].compute(record)? {
                    Value::Integer(places) => number::round(&number, places).map_err(here),
                    _ => Ok(Value::Null),
                }
            }
            Code::Convert(value) => convert(value.compute(record)?, self.kind).map_err(here),
            Code::In(value, members) => Ok(members.holds(&value.compute(record)?)),
            Code::Concatenate(values) => concatenate(values, record, self),
            Code::Format(pieces, values) => format(pieces, values, record, self),
            Code::Text(function, values) => text::call(*function, values, record, self.span),
            Code::Mask { parts, letter } => text::mask(parts, *letter, record, self.span),
            Code::Match(value, regex) => Ok(match value.text(record)? {
                Some(text) => Value::Bool(regex.is_match(&text)),
                None => Value::Null,
            }),
            _ => self.compute_time(record),
        }
    }

    /// The value of an expression of kind int, without the way over [`Value`] where that is short.
    fn integer(&self, record: &Record<'_>) -> Result<Option<i128>, RunError> {
        match &self.code {
            Code::Constant(Value::Integer(number)) => return Ok(Some(*number)),
            Code::Column {
                column,
                reader: Reader::Integer,
                image,
            } => {
                let Some(bytes) = record.column(*column, *image) else {
                    return Ok(None);
                };
                let number = number::read_integer(bytes);
                return number
                    .map(Some)
                    .ok_or_else(|| Reason::InvalidText.at(self.span));
            }
            _ => {}
        }
        match self.compute(record)? {
            Value::Integer(number) => Ok(Some(number)),
            _ => Ok(None),
        }
    }

    /// The value of an expression of kind string, in the same manner.
    fn text<'e>(&'e self, record: &'e Record<'_>) -> Result<Option<Cow<'e, str>>, RunError> {
        match &self.code {
            Code::Constant(Value::Text(text)) => return Ok(Some(Cow::Borrowed(text))),
            Code::Column {
                column,
                reader: Reader::Text(charset),
                image,
            } => {
                let Some(bytes) = record.column(*column, *image) else {
                    return Ok(None);
                };
                let text = charset.decode(bytes).map(Some);
                return text.map_err(|reason| reason.at(self.span));
            }
            _ => {}
        }
        match self.compute(record)? {
            Value::Text(text) => Ok(Some(text)),
            _ => Ok(None),
        }
    }

    fn compute_time<'e>(&'e self, record: &'e Record<'_>) -> Computed<'e> {
        let here = |reason: Reason| reason.at(self.span);
        match &self.code {
            Code::CommitTime => whole_seconds(record.context.commit_micros).map_err(here),
            Code::Now { millis } => now(record.context.now_micros, *millis).map_err(here),
            Code::FromEpoch { value, zone, unit } => {
                time::moment_at(&value.compute(record)?, zone, *unit).map_err(here)
            }
            Code::ToEpoch { value, zone, unit } => {
                time::epoch_of(&value.compute(record)?, zone, *unit).map_err(here)
            }
            Code::Print(value, pattern) => Ok(match value.compute(record)? {
                Value::Moment(moment) => Value::Text(Cow::Owned(pattern.print(moment))),
                _ => Value::Null,
            }),
            Code::Read(value, pattern) => match value.compute(record)? {
                Value::Text(text) => pattern.read(&text).map(Value::Moment).map_err(here),
                _ => Ok(Value::Null),
            },
            Code::AddTime(value, deltas) => time::add(value, deltas, record, self.span),
            // Every other form was computed before.
            _ => Ok(Value::Null),
        }
    }

    /// True where the condition holds; NULL does not.
    pub(crate) fn holds(&self, record: &Record<'_>) -> Result<bool, RunError> {
        if let Code::Compare(comparison, both) = &self.code {
            return Ok(compare(*comparison, both, record)? == Some(true));
        }
        Ok(matches!(self.compute(record)?, Value::Bool(true)))
    }
}

/// AND (OR for `decisive`) of three truth values: one decisive operand decides, whatever the other is.
fn junction<'e>(both: &'e [Expr; 2], record: &'e Record<'_>, decisive: bool) -> Computed<'e> {
    let mut unknown = false;
    for operand in both {
        match operand.compute(record)? {
            Value::Bool(value) if value == decisive => return Ok(Value::Bool(decisive)),
            Value::Bool(_) => {}
            _ => unknown = true,
        }
    }
    Ok(if unknown {
        Value::Null
    } else {
        Value::Bool(!decisive)
    })
}

/// `None` where an operand is NULL. Integers and texts, the usual operands, are compared where they lie.
fn compare(
    comparison: Comparison,
    both: &[Expr; 2],
    record: &Record<'_>,
) -> Result<Option<bool>, RunError> {
    let [one, two] = both;
    let order = match one.kind {
        Kind::Integer => match (one.integer(record)?, two.integer(record)?) {
            (Some(one), Some(two)) => Some(one.cmp(&two)),
            _ => None,
        },
        Kind::Text => match (one.text(record)?, two.text(record)?) {
            (Some(one), Some(two)) => Some(one.cmp(&two)),
            _ => None,
        },
        _ => one.compute(record)?.compare(&two.compute(record)?),
    };
    Ok(order.map(|order| match comparison {
        Comparison::Equal => order.is_eq(),
        Comparison::NotEqual => order.is_ne(),
        Comparison::Greater => order.is_gt(),
        Comparison::Less => order.is_lt(),
        Comparison::GreaterOrEqual => order.is_ge(),
        Comparison::LessOrEqual => order.is_le(),
    }))
}

/// To a wider kind of number.
pub(crate) fn convert(value: Value<'_>, kind: Kind) -> Result<Value<'_>, Reason> {
    Ok(match (value, kind) {
        (Value::Integer(number), Kind::Decimal) => Value::Decimal(Decimal::from_integer(number)),
        (Value::Integer(number), Kind::Float) => Value::Float(number::nearest_float(number)),
        (Value::Decimal(number), Kind::Float) => Value::Float(number::decimal_to_float(number)?),
        (value, _) => value,
    })
}

fn whole_seconds<'e>(micros: i64) -> Result<Value<'e>, Reason> {
    Moment::from_micros(micros.div_euclid(SECOND) * SECOND).map(Value::Moment)
}

fn now<'e>(micros: i64, millis: bool) -> Result<Value<'e>, Reason> {
    match millis {
        true => Moment::from_micros(micros.div_euclid(1000) * 1000).map(Value::Moment),
        false => whole_seconds(micros),
    }
}

fn concatenate<'e>(values: &'e [Expr], record: &'e Record<'_>, whole: &Expr) -> Computed<'e> {
    let mut out = String::new();
    for value in values {
        match value.text(record)? {
            Some(text) => push_bounded(&mut out, &text).map_err(|reason| reason.at(whole.span))?,
            None => return Ok(Value::Null),
        }
    }
    Ok(Value::Text(Cow::Owned(out)))
}

fn format<'e>(
    pieces: &'e [String],
    values: &'e [Expr],
    record: &'e Record<'_>,
    whole: &Expr,
) -> Computed<'e> {
    let here = |reason: Reason| reason.at(whole.span);
    let mut out = String::new();
    for (index, piece) in pieces.iter().enumerate() {
        push_bounded(&mut out, piece).map_err(here)?;
        let Some(value) = values.get(index) else {
            continue;
        };
        let value = value.compute(record)?;
        if value.is_null() {
            return Ok(Value::Null);
        }
        value.push_text(&mut out).map_err(here)?;
    }
    Ok(Value::Text(Cow::Owned(out)))
}

impl Members {
    fn holds<'e>(&self, value: &Value<'_>) -> Value<'e> {
        let found = match (&self.values, value) {
            (_, Value::Null) => return Value::Null,
            (MemberValues::Texts(texts), Value::Text(text)) => texts.contains(text.as_ref()),
            (MemberValues::Integers(numbers), Value::Integer(number)) => numbers.contains(number),
            (MemberValues::Others(values), value) => values
                .iter()
                .any(|member| member.compare(value) == Some(std::cmp::Ordering::Equal)),
            _ => false,
        };
        match found {
            false if self.has_null => Value::Null,
            found => Value::Bool(found),
        }
    }
}
