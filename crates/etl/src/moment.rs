//! Dates with a time of day, and spans of time: reading, printing, adding.

use std::fmt::{self, Write as _};

use crate::fault::Reason;

pub(crate) const SECOND: i64 = 1_000_000;
pub(crate) const DAY: i64 = 86_400 * SECOND;
pub(crate) const YEAR_MAX: i64 = 9999;
/// The longest TIME, 838:59:59, in microseconds.
const TIME_MAX: i64 = (838 * 3600 + 59 * 60 + 59) * SECOND + 999_999;

/// A date and a time of day without a zone. A column may hold days that no calendar has, like `2021-02-00`; they
/// compare and copy, and nothing can be computed with them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct Moment {
    pub(crate) year: u16,
    pub(crate) month: u8,
    pub(crate) day: u8,
    pub(crate) hour: u8,
    pub(crate) minute: u8,
    pub(crate) second: u8,
    pub(crate) micros: u32,
}

/// What `dt_add` adds; months and years keep the day where the month has it, else its last day is taken.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Delta {
    pub(crate) months: i64,
    pub(crate) micros: i64,
}

impl Moment {
    /// Reads `YYYY-MM-DD`, and behind it nothing or ` HH:MM:SS` with up to six digits of a fraction.
    pub(crate) fn parse(text: &[u8]) -> Option<Moment> {
        let mut moment = Moment {
            year: u16::try_from(digits(text.get(0..4)?)?).ok()?,
            month: two(text, 5)?,
            day: two(text, 8)?,
            hour: 0,
            minute: 0,
            second: 0,
            micros: 0,
        };
        if text[4] != b'-' || text[7] != b'-' || moment.month > 12 || moment.day > 31 {
            return None;
        }
        if text.len() == 10 {
            return Some(moment);
        }
        if text.get(10) != Some(&b' ') || text.get(13) != Some(&b':') || text.get(16) != Some(&b':')
        {
            return None;
        }
        (moment.hour, moment.minute, moment.second) =
            (two(text, 11)?, two(text, 14)?, two(text, 17)?);
        moment.micros = fraction(&text[19..])?;
        (moment.hour < 24 && moment.minute < 60 && moment.second < 60).then_some(moment)
    }

    /// True for a day of the calendar.
    pub(crate) fn is_real(self) -> bool {
        (1..=12).contains(&self.month)
            && (1..=days_of(self.year.into(), self.month)).contains(&self.day)
    }

    pub(crate) fn is_zero(self) -> bool {
        (self.year, self.month, self.day) == (0, 0, 0)
    }

    /// Microseconds from 1970-01-01 00:00:00, as if there were no zones.
    pub(crate) fn to_micros(self) -> Result<i64, Reason> {
        if !self.is_real() {
            return Err(Reason::Moment);
        }
        let days = days_to(self.year.into(), self.month.into(), self.day.into());
        let seconds =
            i64::from(self.hour) * 3600 + i64::from(self.minute) * 60 + i64::from(self.second);
        Ok(days * DAY + seconds * SECOND + i64::from(self.micros))
    }

    pub(crate) fn from_micros(micros: i64) -> Result<Moment, Reason> {
        let (days, rest) = (micros.div_euclid(DAY), micros.rem_euclid(DAY));
        let (year, month, day) = date_of(days);
        if !(0..=YEAR_MAX).contains(&year) {
            return Err(Reason::Moment);
        }
        let seconds = rest / SECOND;
        Ok(Moment {
            year: year as u16,
            month: month as u8,
            day: day as u8,
            hour: (seconds / 3600) as u8,
            minute: (seconds / 60 % 60) as u8,
            second: (seconds % 60) as u8,
            micros: (rest % SECOND) as u32,
        })
    }

    pub(crate) fn add(mut self, delta: Delta) -> Result<Moment, Reason> {
        if !self.is_real() {
            return Err(Reason::Moment);
        }
        if delta.months != 0 {
            let months = i64::from(self.year) * 12 + i64::from(self.month) - 1;
            let months = months.checked_add(delta.months).ok_or(Reason::Moment)?;
            let year = months.div_euclid(12);
            if !(0..=YEAR_MAX).contains(&year) {
                return Err(Reason::Moment);
            }
            (self.year, self.month) = (year as u16, months.rem_euclid(12) as u8 + 1);
            self.day = self.day.min(days_of(year, self.month));
        }
        let micros = self.to_micros()?.checked_add(delta.micros);
        Moment::from_micros(micros.ok_or(Reason::Moment)?)
    }

    /// The time of day in microseconds.
    pub(crate) fn clock(self) -> i64 {
        let seconds =
            i64::from(self.hour) * 3600 + i64::from(self.minute) * 60 + i64::from(self.second);
        seconds * SECOND + i64::from(self.micros)
    }

    pub(crate) fn push_date(self, out: &mut String) {
        let _ = write!(out, "{:04}-{:02}-{:02}", self.year, self.month, self.day);
    }

    /// Prints date and time with so many digits of the fraction; the others must be zero.
    pub(crate) fn push(self, out: &mut String, places: u8) -> Result<(), Reason> {
        self.push_date(out);
        let _ = write!(
            out,
            " {:02}:{:02}:{:02}",
            self.hour, self.minute, self.second
        );
        push_fraction(out, self.micros, places)
    }
}

/// As a text: with a fraction only where there is one.
impl fmt::Display for Moment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut text = String::with_capacity(26);
        let places = if self.micros == 0 { 0 } else { 6 };
        self.push(&mut text, places).map_err(|_| fmt::Error)?;
        f.write_str(&text)
    }
}

/// A TIME: microseconds, negative ones too.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct Clock(pub(crate) i64);

impl Clock {
    /// Reads `[-]HHH:MM:SS` with up to six digits of a fraction.
    pub(crate) fn parse(text: &[u8]) -> Option<Clock> {
        let (negative, text) = match text {
            [b'-', rest @ ..] => (true, rest),
            rest => (false, rest),
        };
        let colon = text.iter().position(|byte| *byte == b':')?;
        let hours = digits(text.get(..colon)?)?;
        let rest = &text[colon..];
        let (minutes, seconds) = (two(rest, 1)?, two(rest, 4)?);
        if rest[3] != b':' || minutes > 59 || seconds > 59 || hours > 838 {
            return None;
        }
        let seconds = i64::from(hours) * 3600 + i64::from(minutes) * 60 + i64::from(seconds);
        let micros = seconds * SECOND + i64::from(fraction(&rest[6..])?);
        (micros <= TIME_MAX).then_some(Clock(if negative { -micros } else { micros }))
    }

    pub(crate) fn push(self, out: &mut String, places: u8) -> Result<(), Reason> {
        let micros = self.0.unsigned_abs();
        let seconds = micros / SECOND as u64;
        let sign = if self.0 < 0 { "-" } else { "" };
        let (hours, minutes) = (seconds / 3600, seconds / 60 % 60);
        let _ = write!(out, "{sign}{hours:02}:{minutes:02}:{:02}", seconds % 60);
        push_fraction(out, (micros % SECOND as u64) as u32, places)
    }
}

impl fmt::Display for Clock {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut text = String::with_capacity(17);
        let places = if self.0 % SECOND == 0 { 0 } else { 6 };
        self.push(&mut text, places).map_err(|_| fmt::Error)?;
        f.write_str(&text)
    }
}

fn push_fraction(out: &mut String, micros: u32, places: u8) -> Result<(), Reason> {
    let places = u32::from(places.min(6));
    let unit = 10u32.pow(6 - places);
    if !micros.is_multiple_of(unit) {
        return Err(Reason::DigitsLost);
    }
    if places > 0 {
        let _ = write!(out, ".{:0width$}", micros / unit, width = places as usize);
    }
    Ok(())
}

/// Nothing, or a point and up to six digits, as microseconds.
fn fraction(text: &[u8]) -> Option<u32> {
    match text {
        [] => Some(0),
        [b'.', rest @ ..] if (1..=6).contains(&rest.len()) => {
            Some(digits(rest)? * 10u32.pow(6 - rest.len() as u32))
        }
        _ => None,
    }
}

fn two(text: &[u8], at: usize) -> Option<u8> {
    u8::try_from(digits(text.get(at..at + 2)?)?).ok()
}

/// A number of one to eight digits.
fn digits(text: &[u8]) -> Option<u32> {
    if text.is_empty() || text.len() > 8 {
        return None;
    }
    text.iter().try_fold(0, |number, byte| {
        byte.is_ascii_digit()
            .then(|| number * 10 + u32::from(byte - b'0'))
    })
}

pub(crate) fn days_of(year: i64, month: u8) -> u8 {
    let leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
    match month {
        2 if leap => 29,
        2 => 28,
        4 | 6 | 9 | 11 => 30,
        _ => 31,
    }
}

/// Days from 1970-01-01 in the Gregorian calendar. Years begin in March here, so that the leap day is the last;
/// 400 years have 146,097 days, and 719,468 lie between 0000-03-01 and 1970-01-01.
fn days_to(year: i64, month: i64, day: i64) -> i64 {
    let year = if month <= 2 { year - 1 } else { year };
    let era = year.div_euclid(400);
    let year_of_era = year.rem_euclid(400);
    let day_of_year = (153 * ((month + 9) % 12) + 2) / 5 + day - 1;
    let day_of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;
    era * 146_097 + day_of_era - 719_468
}

/// The inverse of `days_to`.
fn date_of(days: i64) -> (i64, i64, i64) {
    let days = days + 719_468;
    let era = days.div_euclid(146_097);
    let day_of_era = days.rem_euclid(146_097);
    let year_of_era =
        (day_of_era - day_of_era / 1460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let month_from_march = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * month_from_march + 2) / 5 + 1;
    let month = (month_from_march + 2) % 12 + 1;
    let year = year_of_era + era * 400 + i64::from(month <= 2);
    (year, month, day)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn moment(text: &str) -> Moment {
        Moment::parse(text.as_bytes()).unwrap()
    }

    #[test]
    fn every_day_of_the_calendar_comes_back() {
        let mut expected = Moment::parse(b"0000-01-01").unwrap();
        let first = expected.to_micros().unwrap() / DAY;
        // Two whole cycles of the calendar.
        for day in first..first + 2 * 146_097 {
            let found = Moment::from_micros(day * DAY).unwrap();
            assert_eq!(found, expected);
            assert_eq!(found.to_micros(), Ok(day * DAY));
            expected.day += 1;
            if expected.day > days_of(expected.year.into(), expected.month) {
                (expected.month, expected.day) = (expected.month + 1, 1);
            }
            if expected.month > 12 {
                (expected.year, expected.month) = (expected.year + 1, 1);
            }
        }
        assert_eq!(moment("1970-01-01").to_micros(), Ok(0));
        let last = moment("9999-12-31 23:59:59.999999").to_micros().unwrap();
        assert_eq!(
            Moment::from_micros(last),
            Ok(moment("9999-12-31 23:59:59.999999"))
        );
        assert_eq!(Moment::from_micros(last + 1), Err(Reason::Moment));
    }

    #[test]
    fn texts_come_back_and_others_are_refused() {
        for text in [
            "2021-01-01 10:10:01",
            "0000-00-00 00:00:00",
            "2021-02-00 00:00:00.000001",
        ] {
            assert_eq!(moment(text).to_string(), text);
        }
        for text in [
            "2021-1-01",
            "2021-13-01",
            "2021-01-01 24:00:00",
            "2021-01-01T10:00:00",
            "",
            "2021-01-01 10:00:00.",
            "20210101",
            "2021-01-0\u{661}",
        ] {
            assert_eq!(Moment::parse(text.as_bytes()), None, "{text}");
        }
        for text in ["-838:59:59.500000", "00:00:01", "101:00:00"] {
            assert_eq!(Clock::parse(text.as_bytes()).unwrap().to_string(), text);
        }
        for text in ["839:00:00", "1:2:3", "10:00", "x", "10:60:00", ":00:00"] {
            assert_eq!(Clock::parse(text.as_bytes()), None, "{text}");
        }
    }

    #[test]
    fn months_keep_the_day_where_they_can() {
        let add = |text: &str, months| {
            moment(text)
                .add(Delta { months, micros: 0 })
                .unwrap()
                .to_string()
        };
        assert_eq!(add("2021-01-31 00:00:00", 1), "2021-02-28 00:00:00");
        assert_eq!(add("2020-02-29 00:00:00", -12), "2019-02-28 00:00:00");
        assert_eq!(
            moment("9999-12-31").add(Delta {
                months: 1,
                micros: 0
            }),
            Err(Reason::Moment)
        );
        assert_eq!(
            moment("2021-02-00").add(Delta {
                months: 1,
                micros: 0
            }),
            Err(Reason::Moment)
        );
    }
}
