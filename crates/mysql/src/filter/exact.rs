//! Numbers and moments of a filter: what is known of them before any row, so that no operator can carry
//! them over what servers compute with.

use super::check::{Checked, Judged};
use super::node::{Condition, Number, scaled};
use super::{FilterError, RANGE};
use wherry_model::name::quote;
use wherry_model::{Column, ColumnKind};

/// Numbers have at most 38 digits, which an `i128` holds.
const MAGNITUDE_MAX: i128 = 10i128.pow(38) - 1;
const DIGITS_MAX: usize = 38;
const SCALE_MAX: u8 = 30;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Sort {
    Number,
    Date,
    Moment,
    Time,
}

#[derive(Debug, Clone)]
pub(super) struct Exact {
    pub node: Number,
    pub sort: Sort,
    /// Decimals behind the point.
    pub scale: u8,
    /// Bounds, without the point.
    pub low: i128,
    pub high: i128,
    /// No decimal.
    pub whole: bool,
    pub unsigned: bool,
    /// Servers do not agree on its type, so nothing is computed with it.
    pub sealed: bool,
    pub constant: bool,
    /// A column of type YEAR: servers add a century to what it is compared with.
    pub year: bool,
    pub sql: String,
}

pub(super) fn number_column(column: &Column, index: usize) -> Option<Exact> {
    let sql = quote(&column.name);
    let exact = |node, sort, scale, low, high| Exact {
        node,
        sort,
        scale,
        low,
        high,
        whole: true,
        unsigned: false,
        sealed: false,
        constant: false,
        year: false,
        sql: sql.clone(),
    };
    Some(match &column.kind {
        ColumnKind::Integer { bytes, unsigned } => {
            let bits = u32::from(*bytes) * 8;
            let (low, high) = match unsigned {
                true => (0, (1i128 << bits) - 1),
                false => (-(1i128 << (bits - 1)), (1i128 << (bits - 1)) - 1),
            };
            Exact {
                unsigned: *unsigned,
                ..exact(Number::Column(index, 0), Sort::Number, 0, low, high)
            }
        }
        ColumnKind::Decimal { precision, scale } if usize::from(*precision) <= DIGITS_MAX => {
            let high = 10i128.pow(u32::from(*precision)) - 1;
            Exact {
                whole: false,
                sealed: column.column_type.contains("unsigned"),
                ..exact(
                    Number::Column(index, *scale),
                    Sort::Number,
                    *scale,
                    -high,
                    high,
                )
            }
        }
        ColumnKind::Year => Exact {
            sealed: true,
            year: true,
            sql: format!("({sql}+0)"),
            ..exact(Number::Column(index, 0), Sort::Number, 0, 0, 2155)
        },
        ColumnKind::Date => exact(Number::Date(index), Sort::Date, 0, 0, 0),
        ColumnKind::Datetime { .. } | ColumnKind::Timestamp { .. } => {
            exact(Number::Moment(index), Sort::Moment, 0, 0, 0)
        }
        ColumnKind::Time { .. } => exact(Number::Time(index), Sort::Time, 0, 0, 0),
        _ => return None,
    })
}

pub(super) fn constant(value: i128, scale: u8) -> Exact {
    Exact {
        node: Number::Constant(value),
        sort: Sort::Number,
        scale,
        low: value,
        high: value,
        whole: scale == 0,
        unsigned: value > i128::from(i64::MAX),
        sealed: false,
        constant: true,
        year: false,
        sql: value.to_string(),
    }
}

pub(super) fn literal(digits: &str, at: usize) -> Checked<Exact> {
    let (whole, fraction) = digits.split_once('.').unwrap_or((digits, ""));
    let too_long = || {
        FilterError::new(
            RANGE,
            at,
            "a number has at most 38 digits, 30 of them decimals",
        )
    };
    let scale = u8::try_from(fraction.len())
        .ok()
        .filter(|scale| *scale <= SCALE_MAX);
    let scale = scale.ok_or_else(too_long)?;
    if whole.len() + fraction.len() > DIGITS_MAX {
        return Err(too_long());
    }
    let value = scaled(digits.as_bytes(), scale).ok_or_else(too_long)?;
    let fits = !digits.contains('.') && value <= i128::from(u64::MAX);
    Ok(Exact {
        whole: fits,
        sql: match digits.strip_suffix('.') {
            Some(whole) => format!("{whole}.0"),
            None => digits.to_owned(),
        },
        ..constant(value, scale)
    })
}

pub(super) fn compute(
    operator: &'static str,
    left: Exact,
    right: Exact,
    at: usize,
) -> Checked<Exact> {
    let whole = left.whole && right.whole;
    if matches!(operator, "%" | "DIV") && !whole {
        let message = format!("{operator} takes integers");
        return Err(FilterError::types(at, message));
    }
    let sql = format!("({} {operator} {})", left.sql, right.sql);
    let constant = left.constant && right.constant;
    let unsigned = match operator {
        "%" => left.unsigned,
        _ => left.unsigned || right.unsigned,
    };
    let out_of_range = || too_large(at);
    let (left, right) = match operator {
        "+" | "-" => aligned(left, right, at)?,
        _ => (left, right),
    };
    let scale = match operator {
        "*" => left.scale + right.scale,
        _ => left.scale,
    };
    if scale > SCALE_MAX {
        return Err(FilterError::new(
            RANGE,
            at,
            "more than 30 decimals are needed",
        ));
    }
    let (low, high) = bounds(operator, &left, &right).ok_or_else(out_of_range)?;
    let (left, right) = (Box::new(left.node), Box::new(right.node));
    let node = match operator {
        "+" => Number::Add(left, right),
        "-" => Number::Subtract(left, right),
        "*" => Number::Multiply(left, right),
        "DIV" => Number::Divide(left, right),
        _ => Number::Rest(left, right),
    };
    let result = Exact {
        node,
        sort: Sort::Number,
        scale,
        low,
        high,
        whole,
        unsigned,
        sealed: false,
        constant,
        year: false,
        sql,
    };
    in_range(result, at)
}

fn bounds(operator: &str, left: &Exact, right: &Exact) -> Option<(i128, i128)> {
    let size = |number: &Exact| number.low.abs().max(number.high.abs());
    let sign = |size: i128| {
        (
            if left.low < 0 { -size } else { 0 },
            if left.high > 0 { size } else { 0 },
        )
    };
    match operator {
        "+" => Some((
            left.low.checked_add(right.low)?,
            left.high.checked_add(right.high)?,
        )),
        "-" => Some((
            left.low.checked_sub(right.high)?,
            left.high.checked_sub(right.low)?,
        )),
        "%" => Some(sign(size(left).min((size(right) - 1).max(0)))),
        _ => {
            let mut corners = Vec::new();
            for one in [left.low, left.high] {
                for other in [right.low, right.high] {
                    corners.push(match operator {
                        "*" => one.checked_mul(other)?,
                        // A divisor of one, or of minus one, leaves the most.
                        _ if right.low < 0 => one.abs().max(-one.abs()),
                        _ => one,
                    });
                }
            }
            let divides_negative = operator == "DIV" && right.low < 0;
            let high = corners.iter().copied().max()?;
            let low = match divides_negative {
                true => -high,
                false => corners.iter().copied().min()?,
            };
            Some(match operator {
                "DIV" => (low.min(0), high.max(0)),
                _ => (low, high),
            })
        }
    }
}

fn too_large(at: usize) -> FilterError {
    FilterError::new(
        RANGE,
        at,
        "with some rows the result would lie outside of what servers compute with",
    )
}

pub(super) fn in_range(number: Exact, at: usize) -> Checked<Exact> {
    let (low, high) = match (number.whole, number.unsigned) {
        (true, true) => (0, i128::from(u64::MAX)),
        (true, false) => (i128::from(i64::MIN), i128::from(i64::MAX)),
        (false, _) => (-MAGNITUDE_MAX, MAGNITUDE_MAX),
    };
    if number.low < low || number.high > high {
        return Err(too_large(at));
    }
    Ok(number)
}

/// Both with the same decimals.
fn aligned(left: Exact, right: Exact, at: usize) -> Checked<(Exact, Exact)> {
    let scale = left.scale.max(right.scale);
    let widen = |number: Exact| {
        let factor = 10i128.pow(u32::from(scale - number.scale));
        if factor == 1 {
            return Ok(number);
        }
        let size = number.low.abs().max(number.high.abs());
        if size
            .checked_mul(factor)
            .is_none_or(|size| size > MAGNITUDE_MAX)
        {
            return Err(too_large(at));
        }
        Ok(Exact {
            node: Number::Times(Box::new(number.node), factor),
            scale,
            low: number.low * factor,
            high: number.high * factor,
            ..number
        })
    };
    Ok((widen(left)?, widen(right)?))
}

pub(super) fn compare_exact(
    operator: &'static str,
    left: Exact,
    right: Exact,
    at: usize,
) -> Checked<Judged> {
    if left.sort != right.sort {
        let reason = "these two are not of one kind";
        return Err(FilterError::types(at, reason));
    }
    if left.constant && right.constant {
        return Err(FilterError::types(at, "one side should depend on the row"));
    }
    let is_year =
        |number: &Exact| number.constant && number.whole && (1901..=2155).contains(&number.low);
    if left.year && !is_year(&right) || right.year && !is_year(&left) {
        let reason = "a YEAR is compared with the numbers from 1901 to 2155";
        return Err(FilterError::types(at, reason));
    }
    let sql = format!("{} {operator} {}", left.sql, right.sql);
    let (left, right) = aligned(left, right, at)?;
    Ok((Condition::Compare(operator, left.node, right.node), sql))
}
