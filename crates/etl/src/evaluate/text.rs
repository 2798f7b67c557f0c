//! Functions of texts. Positions and counts are in characters. Every function is NULL where an argument is.

use std::borrow::Cow;

use crate::expression::Expr;
use crate::fault::{Reason, RunError, Span};
use crate::number;
use crate::record::Record;
use crate::signature::Function;
use crate::value::{VALUE_BYTES_MAX, Value};

/// No function of texts has more arguments.
const ARGUMENTS_MAX: usize = 4;

pub(super) fn call<'e>(
    function: Function,
    arguments: &'e [Expr],
    record: &'e Record<'_>,
    span: Span,
) -> Result<Value<'e>, RunError> {
    let mut values = [const { Value::Null }; ARGUMENTS_MAX];
    for (value, argument) in values.iter_mut().zip(arguments) {
        *value = argument.compute(record)?;
        if value.is_null() {
            return Ok(Value::Null);
        }
    }
    let [first, second, third, fourth] = values;
    let result = match (first, second, third) {
        (Value::Integer(number), _, _) => Ok(owned(itoa::Buffer::new().format(number).to_owned())),
        (Value::Text(text), Value::Null, _) => of_one(function, text),
        (Value::Text(text), Value::Text(other), Value::Null) => of_two(function, text, &other),
        (Value::Text(text), Value::Text(other), Value::Text(third)) => match function {
            Function::Between => Ok(between(&text, &other, &third)),
            _ => replace(&text, &other, &third, &fourth).map(owned),
        },
        _ => Ok(Value::Null),
    };
    result.map_err(|reason| reason.at(span))
}

fn owned<'e>(text: String) -> Value<'e> {
    Value::Text(Cow::Owned(text))
}

fn of_one(function: Function, text: Cow<'_, str>) -> Result<Value<'_>, Reason> {
    Ok(match function {
        Function::Lower => owned(changed_case(&text, char::to_lowercase)?),
        Function::Upper => owned(changed_case(&text, char::to_uppercase)?),
        Function::TextToLong => {
            let number = number::read_integer(text.as_bytes());
            Value::Integer(number.ok_or(Reason::Unreadable)?)
        }
        Function::IsAlphabetic => {
            Value::Bool(!text.is_empty() && text.chars().all(char::is_alphabetic))
        }
        Function::IsDigits => {
            Value::Bool(!text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit()))
        }
        _ => Value::Null,
    })
}

fn of_two<'e>(function: Function, text: Cow<'e, str>, other: &str) -> Result<Value<'e>, Reason> {
    Ok(match function {
        Function::Strip => {
            let kept = text.trim_matches(|letter| other.contains(letter));
            owned(kept.to_owned())
        }
        Function::Count if other.is_empty() => Value::Integer(0),
        Function::Count => Value::Integer(text.matches(other).count() as i128),
        Function::Find => Value::Integer(match text.find(other) {
            Some(place) => text[..place].chars().count() as i128,
            None => -1,
        }),
        Function::Contains => Value::Bool(text.contains(other)),
        Function::After => owned(
            text.split_once(other)
                .map_or("", |(_, after)| after)
                .to_owned(),
        ),
        Function::Before => owned(
            text.split_once(other)
                .map_or(&*text, |(before, _)| before)
                .to_owned(),
        ),
        _ => Value::Null,
    })
}

/// Letter by letter, as MySQL does: a letter without a single counterpart stays.
fn changed_case<I>(text: &str, change: fn(char) -> I) -> Result<String, Reason>
where
    I: Iterator<Item = char>,
{
    let mut out = String::with_capacity(text.len());
    for letter in text.chars() {
        let mut changed = change(letter);
        match (changed.next(), changed.next()) {
            (Some(single), None) => out.push(single),
            _ => out.push(letter),
        }
    }
    match out.len() > VALUE_BYTES_MAX {
        true => Err(Reason::ValueTooLong),
        false => Ok(out),
    }
}

/// NULL where one of the delimiters is missing.
fn between<'e>(text: &str, first: &str, last: &str) -> Value<'e> {
    let found = text
        .split_once(first)
        .and_then(|(_, behind)| behind.split_once(last));
    found.map_or(Value::Null, |(between, _)| owned(between.to_owned()))
}

/// The first `count` places, all of them for a negative count. An empty search text is found nowhere.
fn replace(
    text: &str,
    search: &str,
    replacement: &str,
    count: &Value<'_>,
) -> Result<String, Reason> {
    let most = match count {
        Value::Integer(count) => usize::try_from(*count).unwrap_or(usize::MAX),
        _ => usize::MAX,
    };
    if search.is_empty() {
        return Ok(text.to_owned());
    }
    check_length(
        text,
        text.matches(search).take(most).count(),
        search,
        replacement,
    )?;
    Ok(text.replacen(search, replacement, most))
}

fn check_length(text: &str, places: usize, search: &str, replacement: &str) -> Result<(), Reason> {
    let growth = replacement.len().saturating_sub(search.len());
    let length = growth
        .checked_mul(places)
        .and_then(|growth| growth.checked_add(text.len()));
    match length {
        Some(length) if length <= VALUE_BYTES_MAX => Ok(()),
        _ => Err(Reason::ValueTooLong),
    }
}

/// `None` where nothing is found. From the end: overlapping places are taken from there, and without `all` only
/// the last one is replaced.
pub(super) fn replace_from_end(
    text: &str,
    search: &str,
    replacement: &str,
    all: bool,
) -> Result<Option<String>, Reason> {
    if search.is_empty() || !text.contains(search) {
        return Ok(None);
    }
    let most = if all { usize::MAX } else { 1 };
    let mut places: Vec<usize> = text
        .rmatch_indices(search)
        .take(most)
        .map(|(at, _)| at)
        .collect();
    places.reverse();
    check_length(text, places.len(), search, replacement)?;
    let mut out = String::with_capacity(text.len());
    let mut copied = 0;
    for place in places {
        out.push_str(&text[copied..place]);
        out.push_str(replacement);
        copied = place + search.len();
    }
    out.push_str(&text[copied..]);
    Ok(Some(out))
}

/// Both positions count from 0 and are masked, too.
pub(super) fn mask<'e>(
    parts: &'e [Expr; 3],
    letter: char,
    record: &'e Record<'_>,
    span: Span,
) -> Result<Value<'e>, RunError> {
    let text = parts[0].text(record)?;
    let (first, last) = (parts[1].integer(record)?, parts[2].integer(record)?);
    let (Some(text), Some(first), Some(last)) = (text, first, last) else {
        return Ok(Value::Null);
    };
    let outside = || Reason::MaskPositions.at(span);
    let position = |number: i128| usize::try_from(number).map_err(|_| outside());
    let (first, last) = (position(first)?, position(last)?);
    if first > last {
        return Err(outside());
    }
    let masked = match u8::try_from(letter) {
        Ok(byte) if byte.is_ascii() && text.is_ascii() => mask_bytes(text, first, last, letter),
        _ => mask_letters(&text, first, last, letter),
    };
    match masked {
        Some(masked) if masked.len() <= VALUE_BYTES_MAX => Ok(owned(masked)),
        Some(_) => Err(Reason::ValueTooLong.at(span)),
        None => Err(outside()),
    }
}

fn mask_bytes(text: Cow<'_, str>, first: usize, last: usize, letter: char) -> Option<String> {
    if last >= text.len() {
        return None;
    }
    let mut masked = String::with_capacity(text.len());
    masked.push_str(&text[..first]);
    (first..=last).for_each(|_| masked.push(letter));
    masked.push_str(&text[last + 1..]);
    Some(masked)
}

fn mask_letters(text: &str, first: usize, last: usize, letter: char) -> Option<String> {
    let mut count = 0;
    let mut masked = String::with_capacity(text.len());
    for (place, old) in text.chars().enumerate() {
        let hidden = (first..=last).contains(&place);
        masked.push(if hidden { letter } else { old });
        count = place + 1;
    }
    (last < count).then_some(masked)
}
