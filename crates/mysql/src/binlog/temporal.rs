//! Dates and times in their packed forms, to the text that the server sends.
//!
//! Covers the forms with fractions (MySQL 5.6.4 on) and the older ones that tables upgraded in
//! place still have. Zero dates and days that no calendar has are printed as they are stored.

use super::cursor::{Cursor, Truncated};

/// Appends `value` with at least `width` digits.
fn push_padded(out: &mut Vec<u8>, value: u64, width: usize) {
    let mut digits = itoa::Buffer::new();
    let text = digits.format(value).as_bytes();
    out.extend(std::iter::repeat_n(b'0', width.saturating_sub(text.len())));
    out.extend_from_slice(text);
}

fn push_date(out: &mut Vec<u8>, year: u64, month: u64, day: u64) {
    push_padded(out, year, 4);
    out.push(b'-');
    push_padded(out, month, 2);
    out.push(b'-');
    push_padded(out, day, 2);
}

fn push_clock(out: &mut Vec<u8>, hour: u64, minute: u64, second: u64) {
    push_padded(out, hour, 2);
    out.push(b':');
    push_padded(out, minute, 2);
    out.push(b':');
    push_padded(out, second, 2);
}

/// Appends the first `fraction` digits of `microseconds`.
fn push_fraction(out: &mut Vec<u8>, microseconds: u64, fraction: u8) {
    if fraction > 0 {
        let digits = u32::from(fraction.min(6));
        out.push(b'.');
        push_padded(out, microseconds / 10u64.pow(6 - digits), digits as usize);
    }
}

/// Reads the fraction behind a temporal value, in microseconds.
fn read_fraction(cursor: &mut Cursor<'_>, fraction: u8) -> Result<u64, Truncated> {
    let bytes = usize::from(fraction.min(6).div_ceil(2));
    let value = cursor.big_endian(bytes)?;
    Ok(value * 100u64.pow(3 - bytes as u32))
}

/// YEAR: 0 is 0000, else years since 1900.
pub fn year(cursor: &mut Cursor<'_>, out: &mut Vec<u8>) -> Result<(), Truncated> {
    let value = u64::from(cursor.u8()?);
    push_padded(out, if value == 0 { 0 } else { 1900 + value }, 4);
    Ok(())
}

/// YEAR(2) of MySQL 5.6: the last two digits.
pub fn short_year(cursor: &mut Cursor<'_>, out: &mut Vec<u8>) -> Result<(), Truncated> {
    push_padded(out, u64::from(cursor.u8()?) % 100, 2);
    Ok(())
}

pub fn date(cursor: &mut Cursor<'_>, out: &mut Vec<u8>) -> Result<(), Truncated> {
    let packed = cursor.unsigned(3)?;
    push_date(out, packed >> 9, (packed >> 5) & 0x0F, packed & 0x1F);
    Ok(())
}

/// TIME before 5.6.4: a signed number whose decimal digits are `HHMMSS`.
pub fn old_time(cursor: &mut Cursor<'_>, out: &mut Vec<u8>) -> Result<(), Truncated> {
    let packed = cursor.unsigned(3)? as u32;
    let signed = ((packed << 8) as i32) >> 8;
    if signed < 0 {
        out.push(b'-');
    }
    let digits = u64::from(signed.unsigned_abs());
    push_clock(out, digits / 10_000, digits / 100 % 100, digits % 100);
    Ok(())
}

/// DATETIME before 5.6.4: a number whose decimal digits are `YYYYMMDDHHMMSS`.
pub fn old_datetime(cursor: &mut Cursor<'_>, out: &mut Vec<u8>) -> Result<(), Truncated> {
    let digits = cursor.u64()?;
    let (day, clock) = (digits / 1_000_000, digits % 1_000_000);
    push_date(out, day / 10_000, day / 100 % 100, day % 100);
    out.push(b' ');
    push_clock(out, clock / 10_000, clock / 100 % 100, clock % 100);
    Ok(())
}

/// TIMESTAMP before 5.6.4.
pub fn old_timestamp(cursor: &mut Cursor<'_>, out: &mut Vec<u8>) -> Result<(), Truncated> {
    let seconds = cursor.u32()?;
    push_timestamp(out, u64::from(seconds), 0, 0);
    Ok(())
}

/// TIME with a fraction of MariaDB before 10.1 (`mariadb-5.3` in definitions): parts of a second since the earliest
/// time.
pub fn hires_time(
    cursor: &mut Cursor<'_>,
    fraction: u8,
    out: &mut Vec<u8>,
) -> Result<(), Truncated> {
    const ZERO_SECONDS: i64 = 838 * 3600 + 59 * 60 + 59 + 1;
    const BYTES: [usize; 7] = [3, 4, 4, 5, 5, 5, 6];
    let fraction = fraction.min(6);
    let step = 10i64.pow(6 - u32::from(fraction));
    let parts = cursor.big_endian(BYTES[usize::from(fraction)])? as i64;
    let microseconds = parts
        .wrapping_mul(step)
        .wrapping_sub(ZERO_SECONDS * 1_000_000);
    if microseconds < 0 {
        out.push(b'-');
    }
    let (seconds, rest) = split_second(microseconds.unsigned_abs());
    push_clock(out, seconds / 3600, seconds / 60 % 60, seconds % 60);
    push_fraction(out, rest, fraction);
    Ok(())
}

/// DATETIME with a fraction of MariaDB before 10.1: a number in mixed bases.
pub fn hires_datetime(
    cursor: &mut Cursor<'_>,
    fraction: u8,
    out: &mut Vec<u8>,
) -> Result<(), Truncated> {
    const BYTES: [usize; 7] = [5, 6, 6, 7, 7, 7, 8];
    let fraction = fraction.min(6);
    let parts = cursor.big_endian(BYTES[usize::from(fraction)])?;
    let step = 10u64.pow(6 - u32::from(fraction));
    let (seconds, rest) = split_second(parts.wrapping_mul(step));
    let days = seconds / 86_400;
    push_date(out, days / 32 / 13, days / 32 % 13, days % 32);
    out.push(b' ');
    push_clock(out, seconds / 3600 % 24, seconds / 60 % 60, seconds % 60);
    push_fraction(out, rest, fraction);
    Ok(())
}

/// TIMESTAMP with a fraction of MariaDB before 10.1.
pub fn hires_timestamp(
    cursor: &mut Cursor<'_>,
    fraction: u8,
    out: &mut Vec<u8>,
) -> Result<(), Truncated> {
    let fraction = fraction.min(6);
    let seconds = cursor.big_endian(4)?;
    let parts = cursor.big_endian(usize::from(fraction.div_ceil(2)))?;
    let step = 10u64.pow(6 - u32::from(fraction));
    push_timestamp(out, seconds, parts * step, fraction);
    Ok(())
}

fn split_second(microseconds: u64) -> (u64, u64) {
    (microseconds / 1_000_000, microseconds % 1_000_000)
}

pub fn timestamp(
    cursor: &mut Cursor<'_>,
    fraction: u8,
    out: &mut Vec<u8>,
) -> Result<(), Truncated> {
    let seconds = cursor.big_endian(4)?;
    let microseconds = read_fraction(cursor, fraction)?;
    push_timestamp(out, seconds, microseconds, fraction);
    Ok(())
}

/// Appends an instant in UTC; 0 stands for the zero date.
fn push_timestamp(out: &mut Vec<u8>, seconds: u64, microseconds: u64, fraction: u8) {
    if seconds == 0 && microseconds == 0 {
        push_date(out, 0, 0, 0);
        out.push(b' ');
        push_clock(out, 0, 0, 0);
    } else {
        let (year, month, day) = civil_date(seconds / 86_400);
        push_date(out, year, month, day);
        out.push(b' ');
        let clock = seconds % 86_400;
        push_clock(out, clock / 3600, clock / 60 % 60, clock % 60);
    }
    push_fraction(out, microseconds, fraction);
}

/// Year, month and day of a day number since 1970, in the Gregorian calendar.
fn civil_date(days: u64) -> (u64, u64, u64) {
    // Counts from 1 March of year 0, so that the leap day ends a year; 400 years have 146 097
    // days, and five months from March on have 153.
    let shifted = days + 719_468;
    let (era, day_of_era) = (shifted / 146_097, shifted % 146_097);
    let year_of_era =
        (day_of_era - day_of_era / 1460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let month_from_march = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * month_from_march + 2) / 5 + 1;
    let month = if month_from_march < 10 {
        month_from_march + 3
    } else {
        month_from_march - 9
    };
    let year = era * 400 + year_of_era + u64::from(month <= 2);
    (year, month, day)
}

pub fn datetime(cursor: &mut Cursor<'_>, fraction: u8, out: &mut Vec<u8>) -> Result<(), Truncated> {
    const OFFSET: u64 = 0x80_0000_0000;
    let packed = cursor.big_endian(5)?.wrapping_sub(OFFSET) & (OFFSET - 1);
    let microseconds = read_fraction(cursor, fraction)?;
    push_packed_datetime(out, packed, microseconds, fraction);
    Ok(())
}

/// Appends a datetime from `year*13+month`, day, hour, minute, second in 17, 5, 5, 6, 6 bits.
fn push_packed_datetime(out: &mut Vec<u8>, packed: u64, microseconds: u64, fraction: u8) {
    let (day_part, clock) = (packed >> 17, packed & 0x1_FFFF);
    let year_month = day_part >> 5;
    push_date(out, year_month / 13, year_month % 13, day_part & 0x1F);
    out.push(b' ');
    push_clock(out, clock >> 12, (clock >> 6) & 0x3F, clock & 0x3F);
    push_fraction(out, microseconds, fraction);
}

pub fn time(cursor: &mut Cursor<'_>, fraction: u8, out: &mut Vec<u8>) -> Result<(), Truncated> {
    // Clock and fraction are one number, biased to sort; a negative time is the negative number,
    // so a fraction borrows from the clock. The sign must come off before they are split.
    let fraction_bytes = usize::from(fraction.min(6).div_ceil(2));
    let bits = 8 * (3 + fraction_bytes);
    let packed = cursor.big_endian(3 + fraction_bytes)? as i64 - (1 << (bits - 1));
    let magnitude = packed.unsigned_abs();
    let clock = magnitude >> (8 * fraction_bytes);
    let microseconds =
        (magnitude & ((1 << (8 * fraction_bytes)) - 1)) * 100u64.pow(3 - fraction_bytes as u32);
    push_time(out, packed < 0, clock, microseconds, fraction);
    Ok(())
}

/// Appends a time from hour, minute and second in 10, 6 and 6 bits.
fn push_time(out: &mut Vec<u8>, negative: bool, clock: u64, microseconds: u64, fraction: u8) {
    if negative {
        out.push(b'-');
    }
    push_clock(
        out,
        (clock >> 12) & 0x3FF,
        (clock >> 6) & 0x3F,
        clock & 0x3F,
    );
    push_fraction(out, microseconds, fraction);
}

/// What a temporal value inside a JSON document is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum JsonTemporal {
    Date,
    Time,
    Datetime,
}

/// Appends a temporal value of a JSON document: eight bytes, the lowest 24 bits microseconds.
pub fn json_temporal(bytes: [u8; 8], kind: JsonTemporal, out: &mut Vec<u8>) {
    let packed = i64::from_le_bytes(bytes);
    let magnitude = packed.unsigned_abs();
    let (whole, microseconds) = (magnitude >> 24, magnitude & 0xFF_FFFF);
    match kind {
        JsonTemporal::Time => push_time(out, packed < 0, whole, microseconds, 6),
        JsonTemporal::Datetime => push_packed_datetime(out, whole, microseconds, 6),
        JsonTemporal::Date => {
            let day_part = whole >> 17;
            let year_month = day_part >> 5;
            push_date(out, year_month / 13, year_month % 13, day_part & 0x1F);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    type Print = fn(&mut Cursor<'_>, u8, &mut Vec<u8>) -> Result<(), Truncated>;

    fn check(print: Print, bytes: &[u8], fraction: u8, expected: &str) {
        let mut cursor = Cursor::new(bytes);
        let mut out = Vec::new();
        print(&mut cursor, fraction, &mut out).expect("a value");
        assert_eq!(String::from_utf8_lossy(&out), expected);
        assert!(cursor.is_empty());
    }

    #[test]
    fn times_keep_their_sign_and_fraction() {
        check(time, &[0x80, 0, 0], 0, "00:00:00");
        check(time, &[0xB4, 0x6E, 0xFB], 0, "838:59:59");
        check(time, &[0x4B, 0x91, 0x05], 0, "-838:59:59");
        check(time, &[0x7F, 0xFF, 0xFF, 0xFF], 2, "-00:00:00.01");
        check(time, &[0x7F, 0xFF, 0xFF, 0xFF, 0xF6], 4, "-00:00:00.0010");
        check(
            time,
            &[0x7F, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF],
            6,
            "-00:00:00.000001",
        );
        check(time, &[0x80, 0, 1, 0x0A], 1, "00:00:01.1");
    }

    #[test]
    fn fractions_of_old_mariadb() {
        let time =
            |microseconds: i64| ((838 * 3600 + 59 * 60 + 60) * 1_000_000 + microseconds) as u64;
        let zero = time(0).to_be_bytes();
        check(hires_time, &zero[2..], 6, "00:00:00.000000");
        check(
            hires_time,
            &time(-1).to_be_bytes()[2..],
            6,
            "-00:00:00.000001",
        );
        let short = (time(-3_661_500_000) / 1000).to_be_bytes();
        check(hires_time, &short[3..], 3, "-01:01:01.500");
        let days = (2024 * 13 + 2) * 32 + 31;
        let moment: u64 = (((days * 24 + 23) * 60 + 59) * 60 + 58) * 1_000_000 + 7;
        check(
            hires_datetime,
            &moment.to_be_bytes(),
            6,
            "2024-02-31 23:59:58.000007",
        );
        check(hires_datetime, &[0; 6], 2, "0000-00-00 00:00:00.00");
        check(
            hires_timestamp,
            &[0, 0, 0, 1, 25],
            2,
            "1970-01-01 00:00:01.25",
        );
    }

    #[test]
    fn datetimes_have_no_calendar() {
        check(datetime, &[0x80, 0, 0, 0, 0], 0, "0000-00-00 00:00:00");
        check(
            datetime,
            &[0x80, 0, 0, 0, 0, 0, 0, 0],
            6,
            "0000-00-00 00:00:00.000000",
        );
        let year_month = 2024 * 13 + 2;
        let packed: u64 = ((year_month << 5 | 31) << 17 | 23 << 12 | 59 << 6 | 58) + (1 << 39);
        check(
            datetime,
            &packed.to_be_bytes()[3..],
            0,
            "2024-02-31 23:59:58",
        );
    }

    #[test]
    fn timestamps_are_in_utc() {
        check(timestamp, &[0, 0, 0, 0], 0, "0000-00-00 00:00:00");
        check(timestamp, &[0, 0, 0, 1], 0, "1970-01-01 00:00:01");
        check(
            timestamp,
            &[0x7F, 0xFF, 0xFF, 0xFF],
            0,
            "2038-01-19 03:14:07",
        );
        check(
            timestamp,
            &[0x65, 0xDF, 0xD0, 0x7F, 0x27, 0x06],
            3,
            "2024-02-29 00:31:59.999",
        );
    }

    #[test]
    fn old_forms() {
        let print = |print: fn(&mut Cursor<'_>, &mut Vec<u8>) -> Result<(), Truncated>,
                     bytes: &[u8]| {
            let mut out = Vec::new();
            print(&mut Cursor::new(bytes), &mut out).expect("a value");
            String::from_utf8_lossy(&out).into_owned()
        };
        let le = |number: i64, count: usize| number.to_le_bytes()[..count].to_vec();
        assert_eq!(print(old_time, &le(-8_385_959, 3)), "-838:59:59");
        assert_eq!(print(old_time, &le(10_203, 3)), "01:02:03");
        assert_eq!(
            print(old_datetime, &le(20_240_229_010_203, 8)),
            "2024-02-29 01:02:03"
        );
        assert_eq!(print(old_timestamp, &le(0, 4)), "0000-00-00 00:00:00");
        assert_eq!(print(date, &[0, 0, 0]), "0000-00-00");
        assert_eq!(
            print(date, &le((2024 << 9) | (2 << 5) | 31, 3)),
            "2024-02-31"
        );
        assert_eq!(print(year, &[0]), "0000");
        assert_eq!(print(year, &[255]), "2155");
        assert_eq!(print(short_year, &[99]), "99");
        assert_eq!(print(short_year, &[101]), "01");
    }
}
