//! DECIMAL in its packed form, to the text that the server sends.

use super::cursor::{Cursor, Truncated};

/// Digits in a whole group, and the bytes that a group of fewer digits takes.
const GROUP_DIGITS: usize = 9;
const PARTIAL_BYTES: [usize; GROUP_DIGITS + 1] = [0, 1, 1, 2, 2, 3, 3, 4, 4, 4];

/// Bytes of a packed decimal.
pub fn packed_bytes(precision: usize, scale: usize) -> usize {
    let whole = precision.saturating_sub(scale);
    let group_bytes =
        |digits: usize| (digits / GROUP_DIGITS) * 4 + PARTIAL_BYTES[digits % GROUP_DIGITS];
    group_bytes(whole) + group_bytes(scale)
}

/// Appends the text: no leading zeros but one before the point, all `scale` digits behind it.
pub fn print(
    cursor: &mut Cursor<'_>,
    precision: usize,
    scale: usize,
    out: &mut Vec<u8>,
) -> Result<(), Truncated> {
    let packed = cursor.bytes(packed_bytes(precision, scale))?;
    // The sign bit is inverted, so that packed values sort; negative ones have all bits inverted.
    let Some(negative) = packed.first().map(|byte| byte & 0x80 == 0) else {
        out.push(b'0');
        return Ok(());
    };
    let flip = if negative { 0xFF } else { 0 };
    let mut bytes = packed
        .iter()
        .enumerate()
        .map(|(index, byte)| byte ^ flip ^ if index == 0 { 0x80 } else { 0 });
    let begin = out.len();
    if negative {
        out.push(b'-');
    }
    let whole = precision.saturating_sub(scale);
    let whole_begin = out.len();
    push_group(&mut bytes, whole % GROUP_DIGITS, out);
    for _ in 0..whole / GROUP_DIGITS {
        push_group(&mut bytes, GROUP_DIGITS, out);
    }
    let zeros = out[whole_begin..]
        .iter()
        .take_while(|digit| **digit == b'0')
        .count();
    out.drain(whole_begin..whole_begin + zeros);
    if out.len() == whole_begin {
        out.push(b'0');
    }
    if scale > 0 {
        out.push(b'.');
        for _ in 0..scale / GROUP_DIGITS {
            push_group(&mut bytes, GROUP_DIGITS, out);
        }
        push_group(&mut bytes, scale % GROUP_DIGITS, out);
    }
    // The server never prints a negative zero.
    if negative
        && out[begin + 1..]
            .iter()
            .all(|byte| matches!(byte, b'0' | b'.'))
    {
        out.remove(begin);
    }
    Ok(())
}

/// Appends `digits` digits from the big-endian bytes that they take.
fn push_group(bytes: &mut impl Iterator<Item = u8>, digits: usize, out: &mut Vec<u8>) {
    let value = bytes
        .by_ref()
        .take(PARTIAL_BYTES[digits])
        .fold(0u32, |value, byte| (value << 8) | u32::from(byte));
    let begin = out.len();
    out.resize(begin + digits, b'0');
    let mut rest = value;
    for digit in out[begin..].iter_mut().rev() {
        *digit = b'0' + (rest % 10) as u8;
        rest /= 10;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(packed: &[u8], precision: usize, scale: usize, expected: &str) {
        let mut out = Vec::new();
        print(&mut Cursor::new(packed), precision, scale, &mut out).expect("a decimal");
        assert_eq!(String::from_utf8_lossy(&out), expected);
    }

    #[test]
    fn packed_forms() {
        check(
            &[0x81, 0x0D, 0xFB, 0x38, 0xD2, 0x04, 0xD2],
            14,
            4,
            "1234567890.1234",
        );
        check(
            &[0x7E, 0xF2, 0x04, 0xC7, 0x2D, 0xFB, 0x2D],
            14,
            4,
            "-1234567890.1234",
        );
        check(&[0x80, 0, 0, 0, 0x32], 10, 2, "0.50");
        check(&[0x7F, 0xFF, 0xFF, 0xFF, 0xCD], 10, 2, "-0.50");
        check(&[0x80, 0, 0, 0, 0], 10, 2, "0.00");
        check(&[0x80], 1, 0, "0");
        check(&[0x8C], 2, 2, "0.12");
        check(&[0x80, 0, 7], 5, 0, "7");
    }

    #[test]
    fn short_data_is_an_answer() {
        let mut out = Vec::new();
        assert!(print(&mut Cursor::new(&[0x80]), 10, 2, &mut out).is_err());
    }
}
