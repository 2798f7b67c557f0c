//! Dates and times as numbers that are ordered as they are.
//!
//! Zero dates and days that no calendar has are numbers too, as servers compare them.

use std::ops::Range;

const DAY_MICROSECONDS: i128 = 86_400_000_000;

/// `YYYY-MM-DD`.
pub(super) fn date(text: &[u8]) -> Option<i128> {
    let [year, month, day] = [part(text, 0..4)?, part(text, 5..7)?, part(text, 8..10)?];
    Some((year * 16 + month) * 32 + day)
}

/// `YYYY-MM-DD HH:MM:SS.ffffff`, also without the fraction or the whole time.
pub(super) fn datetime(text: &[u8]) -> Option<i128> {
    let day = date(text)? * DAY_MICROSECONDS;
    match text.get(11..) {
        None | Some([]) => Some(day),
        Some(rest) => Some(day + clock(rest)?),
    }
}

/// `-HHH:MM:SS.ffffff`.
pub(super) fn time(text: &[u8]) -> Option<i128> {
    match text.strip_prefix(b"-") {
        Some(rest) => clock(rest).map(|value| -value),
        None => clock(text),
    }
}

fn clock(text: &[u8]) -> Option<i128> {
    let text = std::str::from_utf8(text).ok()?;
    let (whole, fraction) = text.split_once('.').unwrap_or((text, ""));
    let mut parts = whole.split(':').map(|part| part.parse::<i128>().ok());
    let [hours, minutes, seconds] = [parts.next()??, parts.next()??, parts.next()??];
    let fraction: i128 = format!("{fraction:0<6}").parse().ok()?;
    Some(((hours * 60 + minutes) * 60 + seconds) * 1_000_000 + fraction)
}

/// One number of a text.
pub(super) fn part(text: &[u8], place: Range<usize>) -> Option<i128> {
    std::str::from_utf8(text.get(place)?).ok()?.parse().ok()
}

/// A day of the calendar, as a user writes it.
pub(super) fn is_day(text: &str) -> bool {
    let digits = text.len() == 10
        && text.bytes().enumerate().all(|(at, byte)| match at {
            4 | 7 => byte == b'-',
            _ => byte.is_ascii_digit(),
        });
    let numbers = || {
        let text = text.as_bytes();
        Some([part(text, 0..4)?, part(text, 5..7)?, part(text, 8..10)?])
    };
    digits
        && numbers().is_some_and(|[year, month, day]| {
            let leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
            let days = match month {
                2 if leap => 29,
                2 => 28,
                4 | 6 | 9 | 11 => 30,
                1..=12 => 31,
                _ => 0,
            };
            year > 0 && (1..=days).contains(&day)
        })
}

/// `HH:MM:SS` with up to six decimals; hours up to `hours_max`.
pub(super) fn is_clock(text: &str, hours_max: i128) -> bool {
    let (whole, fraction) = match text.split_once('.') {
        Some((whole, fraction)) => (whole, Some(fraction)),
        None => (text, None),
    };
    let parts: Vec<&str> = whole.split(':').collect();
    let digits = |part: &str| part.bytes().all(|byte| byte.is_ascii_digit());
    let [hours, minutes, seconds] = parts.as_slice() else {
        return false;
    };
    let number = |part: &str| part.parse::<i128>().unwrap_or(i128::MAX);
    [hours, minutes, seconds].iter().all(|part| digits(part))
        && (2..=3).contains(&hours.len())
        && minutes.len() == 2
        && seconds.len() == 2
        && number(hours) <= hours_max
        && number(minutes) < 60
        && number(seconds) < 60
        && fraction.is_none_or(|part| (1..=6).contains(&part.len()) && digits(part))
}

/// A day, perhaps with a time of the day.
pub(super) fn is_datetime(text: &str) -> bool {
    match text.split_once(' ') {
        Some((day, clock)) => {
            is_day(day) && clock.len() >= 8 && clock.as_bytes()[2] == b':' && is_clock(clock, 23)
        }
        None => is_day(text),
    }
}
