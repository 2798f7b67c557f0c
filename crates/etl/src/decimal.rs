//! Exact decimal numbers: what a DECIMAL column holds, up to 38 digits.
//!
//! An operation that would lose a digit is an error, never a rounding; only division rounds, as MySQL's does.

use std::cmp::Ordering;
use std::fmt;

use crate::fault::Reason;

/// Most digits behind the point, as in MySQL.
pub(crate) const SCALE_MAX: u8 = 30;
/// Digits that a division adds behind the point: MySQL's `div_precision_increment`.
const DIVISION_DIGITS: u8 = 4;

#[derive(Debug, Clone, Copy)]
pub(crate) struct Decimal {
    /// The number without its point.
    pub(crate) digits: i128,
    /// How many of the digits stand behind the point.
    pub(crate) scale: u8,
}

fn power(exponent: u8) -> Result<i128, Reason> {
    10i128
        .checked_pow(exponent.into())
        .ok_or(Reason::NumberRange)
}

impl Decimal {
    pub(crate) fn parse(text: &[u8]) -> Result<Decimal, Reason> {
        let (negative, text) = match text {
            [b'-', rest @ ..] => (true, rest),
            rest => (false, rest),
        };
        let mut digits: i128 = 0;
        let mut scale = None;
        let mut count = 0;
        for &byte in text {
            match byte {
                b'0'..=b'9' => {
                    let digit = i128::from(byte - b'0');
                    digits = digits
                        .checked_mul(10)
                        .and_then(|digits| digits.checked_add(digit))
                        .ok_or(Reason::NumberRange)?;
                    scale = scale.map(|scale: u8| scale.saturating_add(1));
                    count += 1;
                }
                b'.' if scale.is_none() => scale = Some(0),
                _ => return Err(Reason::InvalidText),
            }
        }
        let scale = scale.unwrap_or(0);
        if count == 0 {
            return Err(Reason::InvalidText);
        }
        if scale > SCALE_MAX {
            return Err(Reason::NumberRange);
        }
        let digits = if negative { -digits } else { digits };
        Ok(Decimal { digits, scale })
    }

    pub(crate) fn from_integer(number: i128) -> Decimal {
        Decimal {
            digits: number,
            scale: 0,
        }
    }

    /// The same number with so many digits behind the point.
    pub(crate) fn with_scale(self, scale: u8) -> Result<Decimal, Reason> {
        let digits = match scale.cmp(&self.scale) {
            Ordering::Equal => self.digits,
            Ordering::Greater => power(scale - self.scale)?
                .checked_mul(self.digits)
                .ok_or(Reason::NumberRange)?,
            Ordering::Less => {
                let divisor = power(self.scale - scale)?;
                if self.digits % divisor != 0 {
                    return Err(Reason::DigitsLost);
                }
                self.digits / divisor
            }
        };
        Ok(Decimal { digits, scale })
    }

    /// Half goes away from zero.
    pub(crate) fn round(self, scale: u8) -> Result<Decimal, Reason> {
        if scale >= self.scale {
            return Ok(self);
        }
        let digits = divide_rounded(self.digits, power(self.scale - scale)?)?;
        Ok(Decimal { digits, scale })
    }

    fn aligned(self, other: Decimal) -> Result<(i128, i128, u8), Reason> {
        let scale = self.scale.max(other.scale);
        let one = self.with_scale(scale)?.digits;
        Ok((one, other.with_scale(scale)?.digits, scale))
    }

    pub(crate) fn add(self, other: Decimal) -> Result<Decimal, Reason> {
        let (one, two, scale) = self.aligned(other)?;
        let digits = one.checked_add(two).ok_or(Reason::NumberRange)?;
        Ok(Decimal { digits, scale })
    }

    pub(crate) fn subtract(self, other: Decimal) -> Result<Decimal, Reason> {
        let (one, two, scale) = self.aligned(other)?;
        let digits = one.checked_sub(two).ok_or(Reason::NumberRange)?;
        Ok(Decimal { digits, scale })
    }

    pub(crate) fn multiply(self, other: Decimal) -> Result<Decimal, Reason> {
        let (one, two) = (self.trimmed(), other.trimmed());
        let digits = one
            .digits
            .checked_mul(two.digits)
            .ok_or(Reason::NumberRange)?;
        let scale = one.scale + two.scale;
        if scale > SCALE_MAX {
            return Err(Reason::NumberRange);
        }
        let wanted = (self.scale + other.scale).min(SCALE_MAX);
        let product = Decimal { digits, scale };
        Ok(product.with_scale(wanted).unwrap_or(product))
    }

    /// With four digits more behind the point than the dividend, the last one rounded.
    pub(crate) fn divide(self, other: Decimal) -> Result<Decimal, Reason> {
        if other.digits == 0 {
            return Err(Reason::DivisionByZero);
        }
        let scale = (self.scale + DIVISION_DIGITS).min(SCALE_MAX);
        let shift = i32::from(other.scale) + i32::from(scale) - i32::from(self.scale);
        let shift = u8::try_from(shift).map_err(|_| Reason::NumberRange)?;
        let dividend = power(shift)?
            .checked_mul(self.digits)
            .ok_or(Reason::NumberRange)?;
        let digits = divide_rounded(dividend, other.digits)?;
        Ok(Decimal { digits, scale })
    }

    pub(crate) fn modulo(self, other: Decimal) -> Result<Decimal, Reason> {
        let (one, two, scale) = self.aligned(other)?;
        if two == 0 {
            return Err(Reason::DivisionByZero);
        }
        let digits = one.checked_rem(two).ok_or(Reason::NumberRange)?;
        Ok(Decimal { digits, scale })
    }

    /// Without zeros at the end of the fraction.
    pub(crate) fn trimmed(mut self) -> Decimal {
        while self.scale > 0 && self.digits % 10 == 0 {
            self.digits /= 10;
            self.scale -= 1;
        }
        self
    }

    /// The part before the point; `None` where there is a fraction.
    pub(crate) fn integer(self) -> Option<i128> {
        self.with_scale(0).ok().map(|whole| whole.digits)
    }
}

/// Half goes away from zero.
fn divide_rounded(dividend: i128, divisor: i128) -> Result<i128, Reason> {
    let quotient = dividend.checked_div(divisor).ok_or(Reason::NumberRange)?;
    let rest = dividend % divisor;
    let up = rest.unsigned_abs() >= divisor.unsigned_abs() - rest.unsigned_abs();
    let away = if (dividend < 0) == (divisor < 0) {
        1
    } else {
        -1
    };
    Ok(if up && rest != 0 {
        quotient + away
    } else {
        quotient
    })
}

/// By value: 1.0 and 1.00 are equal.
impl Ord for Decimal {
    fn cmp(&self, other: &Decimal) -> Ordering {
        if let Ok((one, two, _)) = self.aligned(*other) {
            return one.cmp(&two);
        }
        // Too many digits to align at once: the whole parts decide, else the fractions.
        let split = |number: &Decimal| {
            let unit = 10i128.pow(number.scale.into());
            let fraction = number.digits % unit;
            (
                number.digits / unit,
                fraction * 10i128.pow((SCALE_MAX - number.scale).into()),
            )
        };
        split(self).cmp(&split(other))
    }
}

impl PartialOrd for Decimal {
    fn partial_cmp(&self, other: &Decimal) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl PartialEq for Decimal {
    fn eq(&self, other: &Decimal) -> bool {
        self.cmp(other) == Ordering::Equal
    }
}

impl Eq for Decimal {}

impl fmt::Display for Decimal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let sign = if self.digits < 0 { "-" } else { "" };
        let digits = self.digits.unsigned_abs();
        if self.scale == 0 {
            return write!(f, "{sign}{digits}");
        }
        let unit = 10u128.pow(self.scale.into());
        let (whole, fraction) = (digits / unit, digits % unit);
        write!(
            f,
            "{sign}{whole}.{fraction:0width$}",
            width = usize::from(self.scale)
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn decimal(text: &str) -> Decimal {
        Decimal::parse(text.as_bytes()).unwrap()
    }

    fn check(found: Result<Decimal, Reason>, expected: &str) {
        assert_eq!(found.unwrap().to_string(), expected);
    }

    #[test]
    fn arithmetic_is_exact() {
        check(decimal("0.10").add(decimal("0.2")), "0.30");
        check(decimal("1").subtract(decimal("1.05")), "-0.05");
        check(decimal("1.10").multiply(decimal("1.1")), "1.210");
        check(decimal("10").divide(decimal("3")), "3.3333");
        check(decimal("-2.00").divide(decimal("3")), "-0.666667");
        check(decimal("7.5").modulo(decimal("2")), "1.5");
        check(decimal("-7.5").modulo(decimal("2")), "-1.5");
        check(decimal("2.345").round(2), "2.35");
        check(decimal("-2.345").round(2), "-2.35");
        check(decimal("2.3").round(5), "2.3");
    }

    #[test]
    fn lost_digits_are_errors() {
        let large = decimal("99999999999999999999999999999999999999");
        assert_eq!(large.multiply(decimal("10")), Err(Reason::NumberRange));
        assert_eq!(Decimal::parse(&[b'9'; 40]), Err(Reason::NumberRange));
        assert_eq!(decimal("1.25").with_scale(1), Err(Reason::DigitsLost));
        assert_eq!(
            decimal("1").divide(decimal("0.0")),
            Err(Reason::DivisionByZero)
        );
        assert!(Decimal::parse(b"").is_err() && Decimal::parse(b"1.2.3").is_err());
    }

    #[test]
    fn order_is_by_value_for_every_scale() {
        let large = decimal("99999999999999999999999999999999999999");
        let small = decimal("0.000000000000000000000000000001");
        assert!(large > small && decimal("-1") < small && decimal("1.0") == decimal("1.00"));
        assert!(
            Decimal {
                digits: -large.digits,
                scale: 0
            } < small
        );
    }
}
