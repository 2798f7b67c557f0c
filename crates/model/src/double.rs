//! Floating-point numbers, to the text that the server sends.
//!
//! The digits are the fewest that give the same number back; whether they are printed with an
//! exponent follows the rule that the servers' own printing shows (checked against MySQL 9.7,
//! 5.6 and MariaDB 10.11 by the integration tests).

/// Numbers below 1e15 and from 1e-15 on are printed without an exponent.
const POINT_PLACE_MAX: i32 = 15;

/// Appends a DOUBLE without declared digits.
pub fn push_double(out: &mut Vec<u8>, number: f64) {
    let shortest = shortest_digits(number);
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
    let plain = point > -POINT_PLACE_MAX && (point <= POINT_PLACE_MAX || count > point);
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

/// The fewest digits that give the same number back, as `d.ddde-nn`.
///
/// Where two numbers of so many digits are equally near, the server takes the even one.
fn shortest_digits(number: f64) -> String {
    // Fewer digits than this never leave a choice.
    const CHOICE_DIGITS: usize = 16;
    let shortest = format!("{number:e}");
    let count = shortest
        .bytes()
        .take_while(|byte| *byte != b'e')
        .filter(u8::is_ascii_digit)
        .count();
    if count < CHOICE_DIGITS {
        return shortest;
    }
    let rounded = format!("{number:.0$e}", count - 1);
    let same = |back: f64| back.to_bits() == number.to_bits();
    if rounded.parse().is_ok_and(same) {
        rounded
    } else {
        shortest
    }
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

#[cfg(test)]
mod tests {
    use super::*;

    fn check(number: f64, expected: &str) {
        let mut out = Vec::new();
        push_double(&mut out, number);
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
        check(f64::from_bits(0x4058_3638_8000_0000), "96.84719848632812");
        check(1_277_815_941_940_594.2, "1277815941940594.2");
    }
}
