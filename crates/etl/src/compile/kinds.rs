//! Which kinds go together: implicit conversions, and what they make of two operands.

use super::{Compiled, fold};
use crate::expression::{Code, Expr};
use crate::fault::{Mistake, ScriptError, Span};
use crate::moment::{Clock, Moment};
use crate::number::{self, Arithmetic};
use crate::value::{Kind, Value};

/// The expression as a value of `kind`, or, in the inner error, as it was where it cannot become one.
///
/// Integers become decimals and floats, decimals floats; constant texts are read as dates, times and bytes, and
/// constant floats as the decimal that they are written as.
pub(super) fn fit(expression: Expr, kind: Kind) -> Result<Result<Expr, Expr>, ScriptError> {
    let from = expression.kind;
    if from == kind || kind == Kind::Null {
        return Ok(Ok(expression));
    }
    if from == Kind::Null {
        return Ok(Ok(Expr { kind, ..expression }));
    }
    if expression.literal
        && let Some(value) = read_constant(&expression, kind)?
    {
        return Ok(Ok(Expr::constant(kind, value, expression.span)));
    }
    let widens = matches!(
        (from, kind),
        (Kind::Integer, Kind::Decimal | Kind::Float) | (Kind::Decimal, Kind::Float)
    );
    if !widens {
        return Ok(Err(expression));
    }
    let span = expression.span;
    fold(Expr::new(kind, Code::Convert(Box::new(expression)), span)).map(Ok)
}

/// What a constant of the script means where another kind is wanted.
fn read_constant(expression: &Expr, kind: Kind) -> Result<Option<Value<'static>>, ScriptError> {
    let not_a = |what: &str| {
        Mistake::Constant.at(
            expression.span,
            format!("this text is not a {what}"),
            "Write it like '2021-01-31 10:20:30', a date like '2021-01-31', a time like '10:20:30'.",
        )
    };
    Ok(match (expression.value(), kind) {
        (Some(Value::Text(text)), Kind::Moment) => {
            let moment = moment(text).ok_or_else(|| not_a("datetime"))?;
            Some(Value::Moment(moment))
        }
        (Some(Value::Text(text)), Kind::Clock) => {
            let clock = Clock::parse(text.as_bytes()).ok_or_else(|| not_a("time"))?;
            Some(Value::Clock(clock))
        }
        (Some(Value::Text(text)), Kind::Bytes) => {
            Some(Value::Bytes(text.as_bytes().to_vec().into()))
        }
        (Some(Value::Float(number)), Kind::Decimal) => {
            number::float_to_decimal(*number).ok().map(Value::Decimal)
        }
        _ => None,
    })
}

/// A day of the calendar, or the zero date.
pub(super) fn moment(text: &str) -> Option<Moment> {
    Moment::parse(text.as_bytes()).filter(|moment| moment.is_real() || moment.is_zero())
}

/// Both as values of one kind.
pub(super) fn unify(one: Expr, two: Expr, span: Span) -> Result<(Expr, Expr), ScriptError> {
    if one.kind == Kind::Null && two.kind != Kind::Null {
        return unify(two, one, span).map(|(two, one)| (one, two));
    }
    let two = match fit(two, one.kind)? {
        Ok(two) => return Ok((one, two)),
        Err(two) => two,
    };
    match fit(one, two.kind)? {
        Ok(one) => Ok((one, two)),
        Err(one) => Err(Mistake::Type.at(
            span,
            format!(
                "values of type {} and {} do not go together",
                one.kind.name(),
                two.kind.name()
            ),
            conversion_hint(two.kind, one.kind),
        )),
    }
}

/// How a user makes one kind of another.
pub(super) fn conversion_hint(from: Kind, to: Kind) -> String {
    let one_way = |from: Kind, to: Kind| {
        Some(match (from, to) {
            (Kind::Text, Kind::Integer) => "Convert the text with cast_string_to_long.",
            (Kind::Integer, Kind::Text) => "Convert the number with cast_long_to_string.",
            (Kind::Moment, Kind::Text) => {
                "Print the datetime with dt_str, like dt_str(value, 'yyyy-MM-dd HH:mm:ss')."
            }
            (Kind::Text, Kind::Moment) => {
                "Read the text with dt_strptime, like dt_strptime(value, 'yyyy-MM-dd HH:mm:ss')."
            }
            (Kind::Decimal | Kind::Float | Kind::Bool | Kind::Clock, Kind::Text) => {
                "Convert the value with str_format('{}', value)."
            }
            (Kind::Decimal | Kind::Float, Kind::Integer) => "Round the number with op_round.",
            (Kind::Integer, Kind::Bool) => "Compare the number, like op_eq(value, 1).",
            (Kind::Bool, Kind::Integer) => "Choose a number, like (condition ? 1 : 0).",
            _ => return None,
        })
    };
    one_way(from, to)
        .or_else(|| one_way(to, from))
        .unwrap_or("See docs/etl.md for the types that go together.")
        .to_owned()
}

pub(super) fn arithmetic(arithmetic: Arithmetic, one: Expr, two: Expr, span: Span) -> Compiled {
    for operand in [&one, &two] {
        if !operand.kind.is_number() && operand.kind != Kind::Null {
            let hint = match operand.kind {
                Kind::Text => {
                    "Convert the text with cast_string_to_long, or join texts with op_add."
                }
                _ => "Only numbers can be computed with.",
            };
            return Err(Mistake::Type.at(
                operand.span,
                format!(
                    "expected a number, found a value of type {}",
                    operand.kind.name()
                ),
                hint,
            ));
        }
    }
    let (one, two) = unify(one, two, span)?;
    let kind = one.kind;
    fold(Expr::new(
        kind,
        Code::Arithmetic(arithmetic, Box::new([one, two])),
        span,
    ))
}

pub(super) fn concatenation(parts: Vec<Expr>, span: Span) -> Compiled {
    let mut texts = Vec::with_capacity(parts.len());
    for part in parts {
        if part.kind != Kind::Text && part.kind != Kind::Null {
            return Err(Mistake::Type.at(
                part.span,
                format!(
                    "only texts can be joined, this is a value of type {}",
                    part.kind.name()
                ),
                conversion_hint(part.kind, Kind::Text),
            ));
        }
        texts.push(part);
    }
    fold(Expr::new(Kind::Text, Code::Concatenate(texts.into()), span))
}
