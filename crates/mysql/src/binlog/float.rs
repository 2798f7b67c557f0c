//! Floating-point numbers, to the text that the server sends.
//!
//! The digits are the fewest that give the same number back; whether they are printed with an
//! exponent follows the rule that the servers' own printing shows (checked against MySQL 9.7,
//! 5.6 and MariaDB 10.11 by the integration tests).

use std::io::Write;

/// Room that the server gives a DOUBLE in a result row: enough for any number.
pub const RESULT_WIDTH: i32 = 331;
/// Room that it gives a number inside a JSON document.
pub const JSON_WIDTH: i32 = 24;

/// Numbers below 1e15 and from 1e-15 on are printed without an exponent.
const POINT_PLACE_MAX: i32 = 15;

/// Appends a DOUBLE without declared digits. `width` decides when there is no room for leading
/// zeros any more.
pub fn push_double(out: &mut Vec<u8>, number: f64, width: i32) {
    // The exponent form gives the shortest digits: `d.ddde-nn`.
    let shortest = format!("{number:e}");
    let (mantissa, exponent) = shortest.split_once('e').unwrap_or((&shortest, "0"));
    let (negative, mantissa) = match mantissa.strip_prefix('-') {
        Some(rest) => (true, rest),
        None => (false, mantissa),
    };
    let digits: Vec<u8> = mantissa.bytes().filter(|byte| *byte != b'.').collect();
    let exponent: i32 = exponent.parse().unwrap_or(0);
    if negative {
        out.push(b'-');
    }
    let count = digits.len() as i32;
    // Where the point stands, counted from the first digit.
    let point = exponent + 1;
    let plain_width = match point {
        ..=0 => count - point + 2,
        _ if point < count => count + 1,
        _ => point,
    };
    let room = if negative && number != 0.0 {
        width - 1
    } else {
        width
    };
    let plain = plain_width <= room
        && point > -POINT_PLACE_MAX
        && (point <= POINT_PLACE_MAX || count > point);
    if plain {
        push_plain(out, &digits, point);
        return;
    }
    out.push(digits[0]);
    if count > 1 {
        out.push(b'.');
        out.extend_from_slice(&digits[1..]);
    }
    out.push(b'e');
    let mut exponent_digits = itoa::Buffer::new();
    out.extend_from_slice(exponent_digits.format(exponent).as_bytes());
}

fn push_plain(out: &mut Vec<u8>, digits: &[u8], point: i32) {
    if point <= 0 {
        out.extend_from_slice(b"0.");
        out.extend(std::iter::repeat_n(b'0', point.unsigned_abs() as usize));
        out.extend_from_slice(digits);
        return;
    }
    let point = point as usize;
    if digits.len() <= point {
        out.extend_from_slice(digits);
        out.extend(std::iter::repeat_n(b'0', point - digits.len()));
    } else {
        out.extend_from_slice(&digits[..point]);
        out.push(b'.');
        out.extend_from_slice(&digits[point..]);
    }
}

/// Appends a `DOUBLE(m, d)`: always `d` digits behind the point.
pub fn push_fixed(out: &mut Vec<u8>, number: f64, decimals: usize) {
    write!(out, "{number:.decimals$}").expect("writing to memory does not fail");
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(number: f64, expected: &str) {
        let mut out = Vec::new();
        push_double(&mut out, number, RESULT_WIDTH);
        assert_eq!(String::from_utf8_lossy(&out), expected);
    }

    #[test]
    fn exponents_begin_at_1e15() {
        check(0.0, "0");
        check(1.0, "1");
        check(-1.5, "-1.5");
        check(1e14, "100000000000000");
        check(1e15, "1e15");
        check(1e20, "1e20");
        check(1.5e-10, "0.00000000015");
        check(1e-15, "0.000000000000001");
        check(1e-16, "1e-16");
        check(f64::MAX, "1.7976931348623157e308");
        check(f64::from_bits(1), "5e-324");
        check(0.1, "0.1");
        check(f64::from(0.1f32), "0.10000000149011612");
    }
}
