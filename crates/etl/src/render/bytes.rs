//! The conversions: a value to bytes that the server would give back for it.

use std::borrow::Cow;

use super::Form;
use crate::charset::Charset;
use crate::decimal::Decimal;
use crate::fault::Reason;
use crate::moment::{Clock, Moment};
use crate::number;
use crate::value::Value;

impl Form {
    pub(super) fn render<'v>(&self, value: Value<'v>) -> Result<Cow<'v, [u8]>, Reason> {
        match (self, value) {
            (
                Form::Characters {
                    charset,
                    most,
                    trimmed,
                },
                Value::Text(text),
            ) => {
                let text = if *trimmed {
                    without_end_spaces(text)
                } else {
                    text
                };
                // Characters are counted only where the bytes could be too many.
                if text.len() > *most && text.chars().count() > *most {
                    return Err(Reason::TextTooLong);
                }
                charset.encode(text)
            }
            (Form::Text { charset, most }, Value::Text(text)) => {
                let bytes = charset.encode(text)?;
                fitting(bytes, *most)
            }
            (Form::Bytes { most, length }, Value::Text(text)) => {
                let bytes = Charset::Utf8mb4.encode(text)?;
                Ok(filled(fitting(bytes, *most)?, *length))
            }
            (Form::Bytes { most, length }, Value::Bytes(bytes)) => {
                Ok(filled(fitting(bytes, *most)?, *length))
            }
            (Form::Enum { labels }, Value::Text(text)) => {
                let known = labels.iter().any(|label| *label == *text);
                if known {
                    Charset::Utf8mb4.encode(text)
                } else {
                    Err(Reason::Label)
                }
            }
            (Form::Set { labels }, Value::Text(text)) => members(labels, &text),
            (Form::Date, Value::Moment(moment)) => date(moment),
            (Form::Datetime { places }, Value::Moment(moment)) => datetime(moment, *places),
            (Form::Timestamp { places }, Value::Moment(moment)) => timestamp(moment, *places),
            (Form::Clock { places }, Value::Clock(clock)) => time(clock, *places),
            (Form::Float { single, unsigned }, value) => float(&value, *single, *unsigned),
            (
                Form::Decimal {
                    precision,
                    scale,
                    unsigned,
                },
                value,
            ) => decimal(&value, *precision, *scale, *unsigned),
            (form, value) => form.render_whole(whole(&value)?),
        }
    }

    fn render_whole<'v>(&self, number: i128) -> Result<Cow<'v, [u8]>, Reason> {
        let in_range = match self {
            Form::Integer { least, most, .. } => (*least..=*most).contains(&number),
            Form::Year => number == 0 || (1901..=2155).contains(&number),
            Form::Bit { bits } => number >= 0 && number >> bits == 0,
            _ => false,
        };
        if !in_range {
            return Err(Reason::ColumnRange);
        }
        Ok(Cow::Owned(match self {
            Form::Bit { bits } => {
                let bytes = (number as u64).to_be_bytes();
                bytes[8 - usize::from(bits.div_ceil(8))..].to_vec()
            }
            Form::Year => format!("{number:04}").into_bytes(),
            Form::Integer { width, .. } if *width > 0 => format!("{number:0width$}").into_bytes(),
            _ => itoa::Buffer::new().format(number).as_bytes().to_vec(),
        }))
    }
}

fn without_end_spaces(text: Cow<'_, str>) -> Cow<'_, str> {
    match text {
        Cow::Borrowed(text) => Cow::Borrowed(text.trim_end_matches(' ')),
        Cow::Owned(mut text) => {
            text.truncate(text.trim_end_matches(' ').len());
            Cow::Owned(text)
        }
    }
}

fn fitting(bytes: Cow<'_, [u8]>, most: usize) -> Result<Cow<'_, [u8]>, Reason> {
    match bytes.len() <= most {
        true => Ok(bytes),
        false => Err(Reason::TextTooLong),
    }
}

fn filled(bytes: Cow<'_, [u8]>, length: usize) -> Cow<'_, [u8]> {
    if bytes.len() >= length {
        return bytes;
    }
    let mut bytes = bytes.into_owned();
    bytes.resize(length, 0);
    Cow::Owned(bytes)
}

/// The members in the order of the column's labels, each once, as the server stores them.
fn members<'v>(labels: &[String], text: &str) -> Result<Cow<'v, [u8]>, Reason> {
    let mut found: u64 = 0;
    for member in text.split(',').filter(|_| !text.is_empty()) {
        let place = labels.iter().position(|label| label == member);
        found |= 1 << place.ok_or(Reason::Label)?;
    }
    let chosen = labels
        .iter()
        .enumerate()
        .filter(|(place, _)| found >> place & 1 == 1);
    let names: Vec<&str> = chosen.map(|(_, label)| label.as_str()).collect();
    Ok(Cow::Owned(names.join(",").into_bytes()))
}

fn date<'v>(moment: Moment) -> Result<Cow<'v, [u8]>, Reason> {
    if !moment.is_real() {
        return Err(Reason::Moment);
    }
    if moment.clock() != 0 {
        return Err(Reason::DigitsLost);
    }
    let mut out = String::with_capacity(10);
    moment.push_date(&mut out);
    Ok(Cow::Owned(out.into_bytes()))
}

fn datetime<'v>(moment: Moment, places: u8) -> Result<Cow<'v, [u8]>, Reason> {
    if !moment.is_real() {
        return Err(Reason::Moment);
    }
    let mut out = String::with_capacity(26);
    moment.push(&mut out, places)?;
    Ok(Cow::Owned(out.into_bytes()))
}

/// From 1970-01-01 00:00:01 to 2038-01-19 03:14:07.999999, UTC.
fn timestamp<'v>(moment: Moment, places: u8) -> Result<Cow<'v, [u8]>, Reason> {
    let seconds = moment.to_micros()?.div_euclid(crate::moment::SECOND);
    match (1..=i64::from(i32::MAX)).contains(&seconds) {
        true => datetime(moment, places),
        false => Err(Reason::Moment),
    }
}

fn time<'v>(clock: Clock, places: u8) -> Result<Cow<'v, [u8]>, Reason> {
    let mut out = String::with_capacity(17);
    clock.push(&mut out, places)?;
    Ok(Cow::Owned(out.into_bytes()))
}

/// The whole number that a value is.
fn whole(value: &Value<'_>) -> Result<i128, Reason> {
    match value {
        Value::Integer(number) => Ok(*number),
        Value::Bool(value) => Ok(i128::from(*value)),
        Value::Decimal(number) => number.integer().ok_or(Reason::DigitsLost),
        // Floats from here on lie outside every integer column.
        Value::Float(number) if number.abs() >= 1e20 => Err(Reason::ColumnRange),
        Value::Float(number) if number.fract() != 0.0 => Err(Reason::DigitsLost),
        Value::Float(number) => Ok(*number as i128),
        _ => Err(Reason::ColumnRange),
    }
}

fn decimal<'v>(
    value: &Value<'_>,
    precision: u8,
    scale: u8,
    unsigned: bool,
) -> Result<Cow<'v, [u8]>, Reason> {
    let number = match value {
        Value::Decimal(number) => *number,
        Value::Float(number) => {
            number::float_to_decimal(*number).map_err(|_| Reason::ColumnRange)?
        }
        other => Decimal::from_integer(whole(other)?),
    };
    let number = number.trimmed();
    let whole = number.digits.unsigned_abs() / 10u128.pow(number.scale.into());
    let whole_digits = whole.checked_ilog10().map_or(0, |log| log + 1);
    if whole_digits > u32::from(precision - scale) || (unsigned && number.digits < 0) {
        return Err(Reason::ColumnRange);
    }
    if number.scale > scale {
        return Err(Reason::DigitsLost);
    }
    let mut text = number.to_string();
    let missing = usize::from(scale - number.scale);
    if number.scale == 0 && scale > 0 {
        text.push('.');
    }
    text.extend(std::iter::repeat_n('0', missing));
    Ok(Cow::Owned(text.into_bytes()))
}

/// A FLOAT holds the nearest number that it can; a DOUBLE takes integers and decimals only as they are.
fn float<'v>(value: &Value<'_>, single: bool, unsigned: bool) -> Result<Cow<'v, [u8]>, Reason> {
    let wide = match value {
        Value::Float(number) => *number,
        Value::Decimal(number) => {
            let wide = number::decimal_to_float(*number)?;
            if number::float_to_decimal(wide)? != *number {
                return Err(Reason::DigitsLost);
            }
            wide
        }
        other => {
            let number = whole(other)?;
            if number as f64 as i128 != number || (single && number as f32 as i128 != number) {
                return Err(Reason::DigitsLost);
            }
            number as f64
        }
    };
    let number = if single { f64::from(wide as f32) } else { wide };
    if !number.is_finite() || (unsigned && number < 0.0) {
        return Err(Reason::ColumnRange);
    }
    let mut out = Vec::new();
    wherry_model::double::push_double(&mut out, number);
    Ok(Cow::Owned(out))
}
