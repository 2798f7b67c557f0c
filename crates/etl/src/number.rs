//! Numbers: reading, printing, and the arithmetic of each kind.

use crate::decimal::Decimal;
use crate::fault::Reason;
use crate::value::Value;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Arithmetic {
    Add,
    Subtract,
    Multiply,
    Divide,
    Modulo,
}

/// The number where it lies between the least BIGINT and the greatest BIGINT UNSIGNED.
pub(crate) fn integer(number: Option<i128>) -> Result<i128, Reason> {
    number
        .filter(|number| (i128::from(i64::MIN)..=i128::from(u64::MAX)).contains(number))
        .ok_or(Reason::NumberRange)
}

fn finite(number: f64) -> Result<f64, Reason> {
    match number.is_finite() {
        true => Ok(number),
        false => Err(Reason::NumberRange),
    }
}

/// Reads a sign and digits, nothing else.
#[inline]
pub(crate) fn read_integer(text: &[u8]) -> Option<i128> {
    /// So many digits always fit.
    const SHORT: usize = 18;
    let (negative, digits) = match text {
        [b'-', rest @ ..] => (true, rest),
        [b'+', rest @ ..] => (false, rest),
        rest => (false, rest),
    };
    if digits.is_empty() || !digits.iter().all(u8::is_ascii_digit) {
        return None;
    }
    let number = if digits.len() <= SHORT {
        let short = digits
            .iter()
            .fold(0i64, |number, digit| number * 10 + i64::from(digit - b'0'));
        i128::from(short)
    } else {
        std::str::from_utf8(digits).ok()?.parse().ok()?
    };
    integer(Some(if negative { -number } else { number })).ok()
}

pub(crate) fn read_float(text: &[u8]) -> Option<f64> {
    let number: f64 = std::str::from_utf8(text).ok()?.parse().ok()?;
    number.is_finite().then_some(number)
}

/// As the server prints a DOUBLE.
pub(crate) fn float_text(number: f64) -> String {
    let mut out = Vec::new();
    wherry_model::double::push_double(&mut out, number);
    String::from_utf8(out).unwrap_or_default()
}

/// The decimal with the fewest digits that stands for this float.
pub(crate) fn float_to_decimal(number: f64) -> Result<Decimal, Reason> {
    Decimal::parse(format!("{number}").as_bytes())
}

/// As MySQL compares and computes integers with floats.
pub(crate) fn nearest_float(number: i128) -> f64 {
    number as f64
}

pub(crate) fn decimal_to_float(number: Decimal) -> Result<f64, Reason> {
    read_float(number.to_string().as_bytes()).ok_or(Reason::NumberRange)
}

/// Of two numbers of one kind; NULL where one is NULL.
pub(crate) fn compute<'a>(
    arithmetic: Arithmetic,
    one: &Value<'_>,
    two: &Value<'_>,
) -> Result<Value<'a>, Reason> {
    match (one, two) {
        (Value::Integer(one), Value::Integer(two)) => {
            integers(arithmetic, *one, *two).map(Value::Integer)
        }
        (Value::Decimal(one), Value::Decimal(two)) => {
            let result = match arithmetic {
                Arithmetic::Add => one.add(*two),
                Arithmetic::Subtract => one.subtract(*two),
                Arithmetic::Multiply => one.multiply(*two),
                Arithmetic::Divide => one.divide(*two),
                Arithmetic::Modulo => one.modulo(*two),
            };
            result.map(Value::Decimal)
        }
        (Value::Float(one), Value::Float(two)) => floats(arithmetic, *one, *two).map(Value::Float),
        _ => Ok(Value::Null),
    }
}

fn integers(arithmetic: Arithmetic, one: i128, two: i128) -> Result<i128, Reason> {
    let divides = matches!(arithmetic, Arithmetic::Divide | Arithmetic::Modulo);
    if divides && two == 0 {
        return Err(Reason::DivisionByZero);
    }
    integer(match arithmetic {
        Arithmetic::Add => one.checked_add(two),
        Arithmetic::Subtract => one.checked_sub(two),
        Arithmetic::Multiply => one.checked_mul(two),
        Arithmetic::Divide => one.checked_div(two),
        Arithmetic::Modulo => one.checked_rem(two),
    })
}

fn floats(arithmetic: Arithmetic, one: f64, two: f64) -> Result<f64, Reason> {
    let divides = matches!(arithmetic, Arithmetic::Divide | Arithmetic::Modulo);
    if divides && two == 0.0 {
        return Err(Reason::DivisionByZero);
    }
    finite(match arithmetic {
        Arithmetic::Add => one + two,
        Arithmetic::Subtract => one - two,
        Arithmetic::Multiply => one * two,
        Arithmetic::Divide => one / two,
        Arithmetic::Modulo => one % two,
    })
}

/// To so many places behind the point, half away from zero; a negative count rounds tens, hundreds and so on.
pub(crate) fn round<'a>(number: &Value<'_>, places: i128) -> Result<Value<'a>, Reason> {
    let places = i8::try_from(places.clamp(-39, 39)).map_err(|_| Reason::NumberRange)?;
    match number {
        Value::Integer(number) => {
            let rounded = round_decimal(Decimal::from_integer(*number), places)?;
            integer(rounded.integer()).map(Value::Integer)
        }
        Value::Decimal(number) => round_decimal(*number, places).map(Value::Decimal),
        Value::Float(number) => match float_to_decimal(*number) {
            Ok(decimal) => decimal_to_float(round_decimal(decimal, places)?).map(Value::Float),
            // A float that has too many digits for a decimal is large or tiny.
            Err(_) if number.abs() < 1.0 => Ok(Value::Float(0.0)),
            Err(_) => Ok(Value::Float(*number)),
        },
        _ => Ok(Value::Null),
    }
}

fn round_decimal(number: Decimal, places: i8) -> Result<Decimal, Reason> {
    if let Ok(places) = u8::try_from(places) {
        return number.round(places);
    }
    let Some(unit) = 10i128.checked_pow(places.unsigned_abs().into()) else {
        return Ok(Decimal::from_integer(0));
    };
    // First to whole units in one step, so that no half is rounded twice.
    let shifted = Decimal {
        digits: number.digits,
        scale: number.scale.saturating_add(places.unsigned_abs()),
    };
    if shifted.scale > 38 {
        return Ok(Decimal::from_integer(0));
    }
    let whole = shifted.round(0)?.digits;
    let digits = whole.checked_mul(unit).ok_or(Reason::NumberRange)?;
    Ok(Decimal { digits, scale: 0 })
}
