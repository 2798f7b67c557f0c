//! Functions of dates and times. Every function is NULL where an argument is.

use crate::expression::{Expr, TimeUnit};
use crate::fault::{Reason, RunError, Span};
use crate::moment::Delta;
use crate::record::Record;
use crate::value::Value;
use crate::zone::Zone;

/// `unit` is how many microseconds one of the number is.
pub(super) fn moment_at<'e>(
    value: &Value<'_>,
    zone: &Zone,
    unit: i64,
) -> Result<Value<'e>, Reason> {
    let Value::Integer(number) = value else {
        return Ok(Value::Null);
    };
    let micros = i64::try_from(*number)
        .ok()
        .and_then(|number| number.checked_mul(unit))
        .ok_or(Reason::Moment)?;
    zone.moment_at(micros).map(Value::Moment)
}

/// Smaller units than the result's are cut off.
pub(super) fn epoch_of<'e>(value: &Value<'_>, zone: &Zone, unit: i64) -> Result<Value<'e>, Reason> {
    let Value::Moment(moment) = value else {
        return Ok(Value::Null);
    };
    let micros = zone.epoch_of(*moment)?;
    Ok(Value::Integer(micros.div_euclid(unit).into()))
}

pub(super) fn add<'e>(
    value: &'e Expr,
    deltas: &'e [(TimeUnit, Expr)],
    record: &'e Record<'_>,
    span: Span,
) -> Result<Value<'e>, RunError> {
    let outside = || Reason::Moment.at(span);
    let Value::Moment(moment) = value.compute(record)? else {
        return Ok(Value::Null);
    };
    let mut delta = Delta::default();
    for (unit, number) in deltas {
        let Value::Integer(number) = number.compute(record)? else {
            return Ok(Value::Null);
        };
        let number = i64::try_from(number).map_err(|_| outside())?;
        let (total, factor) = match unit {
            TimeUnit::Months(factor) => (&mut delta.months, factor),
            TimeUnit::Micros(factor) => (&mut delta.micros, factor),
        };
        let added = number
            .checked_mul(*factor)
            .and_then(|added| total.checked_add(added));
        *total = added.ok_or_else(outside)?;
    }
    moment.add(delta).map(Value::Moment).map_err(|_| outside())
}
