//! Time zones: an offset like `GMT+08`, or a name of the time zone database.

use jiff::civil::DateTime;
use jiff::tz::{Offset, TimeZone, TimeZoneDatabase};

use crate::fault::Reason;
use crate::moment::{Moment, SECOND};

#[derive(Debug, Clone)]
pub(crate) enum Zone {
    /// Seconds east of Greenwich.
    Fixed(i32),
    Named(TimeZone),
}

/// No zone is further from Greenwich.
const HOURS_MAX: i32 = 14;

impl Zone {
    pub(crate) const UTC: Zone = Zone::Fixed(0);

    /// Reads `UTC`, `GMT`, `Z`, an offset like `GMT+8`, `UTC-03:30`, `+08:00`, or a name like `Asia/Shanghai`.
    pub(crate) fn parse(text: &str) -> Option<Zone> {
        let rest = text
            .strip_prefix("GMT")
            .or_else(|| text.strip_prefix("UTC"))
            .unwrap_or(if text == "Z" { "" } else { text });
        if rest.is_empty() {
            return (!text.is_empty()).then_some(Zone::UTC);
        }
        if let Some(seconds) = offset(rest) {
            return Some(Zone::Fixed(seconds));
        }
        TimeZoneDatabase::bundled().get(text).ok().map(Zone::Named)
    }

    /// Microseconds since 1970 UTC of a moment in this zone. Where clocks were set back, the earlier of two
    /// instants; where they were set forward, the time as far behind the change as the clock shows.
    pub(crate) fn epoch_of(&self, moment: Moment) -> Result<i64, Reason> {
        let local = moment.to_micros()?;
        let offset = match self {
            Zone::Fixed(seconds) => *seconds,
            Zone::Named(zone) => {
                let civil = civil(moment).ok_or(Reason::Moment)?;
                let instant = zone.to_timestamp(civil).map_err(|_| Reason::Moment)?;
                return Ok(instant.as_microsecond());
            }
        };
        Ok(local - i64::from(offset) * SECOND)
    }

    pub(crate) fn moment_at(&self, micros: i64) -> Result<Moment, Reason> {
        let seconds = match self {
            Zone::Fixed(seconds) => *seconds,
            Zone::Named(zone) => {
                let instant =
                    jiff::Timestamp::from_microsecond(micros).map_err(|_| Reason::Moment)?;
                Offset::seconds(zone.to_offset(instant))
            }
        };
        let local = micros.checked_add(i64::from(seconds) * SECOND);
        Moment::from_micros(local.ok_or(Reason::Moment)?)
    }
}

fn civil(moment: Moment) -> Option<DateTime> {
    let small = |number: u8| i8::try_from(number).ok();
    DateTime::new(
        i16::try_from(moment.year).ok()?,
        small(moment.month)?,
        small(moment.day)?,
        small(moment.hour)?,
        small(moment.minute)?,
        small(moment.second)?,
        i32::try_from(moment.micros).ok()? * 1000,
    )
    .ok()
}

/// Reads `+8`, `+08`, `-0330`, `+08:00` as seconds.
fn offset(text: &str) -> Option<i32> {
    let (sign, digits) = match text.split_at_checked(1)? {
        ("+", digits) => (1, digits),
        ("-", digits) => (-1, digits),
        _ => return None,
    };
    let (hours, minutes) = match digits.split_once(':') {
        Some((hours, minutes)) if minutes.len() == 2 => (hours, minutes),
        Some(_) => return None,
        None if digits.len() == 4 => digits.split_at_checked(2)?,
        None => (digits, "0"),
    };
    let number = |text: &str| -> Option<i32> {
        let valid = (1..=2).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_digit());
        text.parse().ok().filter(|_| valid)
    };
    let (hours, minutes) = (number(hours)?, number(minutes)?);
    (hours <= HOURS_MAX && minutes < 60).then_some(sign * (hours * 3600 + minutes * 60))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn offsets_and_names_are_read() {
        for (text, expected) in [
            ("GMT+08", 8 * 3600),
            ("GMT+8", 8 * 3600),
            ("GMT+08:00", 8 * 3600),
            ("UTC-03:30", -(3 * 3600 + 1800)),
            ("+0530", 5 * 3600 + 1800),
            ("UTC", 0),
            ("Z", 0),
        ] {
            assert!(
                matches!(Zone::parse(text), Some(Zone::Fixed(found)) if found == expected),
                "{text}"
            );
        }
        assert!(matches!(Zone::parse("Asia/Shanghai"), Some(Zone::Named(_))));
        for text in [
            "",
            "GMT+",
            "GMT+25",
            "+08:0",
            "Asia/Nowhere",
            "+1:99",
            "\u{e9}",
        ] {
            assert!(Zone::parse(text).is_none(), "{text}");
        }
    }

    #[test]
    fn summer_time_is_that_of_the_moment() {
        let zone = Zone::parse("Europe/Berlin").unwrap();
        let moment = |text: &str| Moment::parse(text.as_bytes()).unwrap();
        let utc = |text: &str| moment(text).to_micros().unwrap();
        for (local, at_utc) in [
            ("2021-01-01 10:00:00", "2021-01-01 09:00:00"),
            ("2021-07-01 10:00:00", "2021-07-01 08:00:00"),
            // Twice on the clock: the earlier one.
            ("2021-10-31 02:30:00", "2021-10-31 00:30:00"),
            // Never on the clock.
            ("2021-03-28 02:30:00", "2021-03-28 01:30:00"),
        ] {
            assert_eq!(zone.epoch_of(moment(local)), Ok(utc(at_utc)), "{local}");
        }
        let back = zone.moment_at(utc("2021-07-01 08:00:00")).unwrap();
        assert_eq!(back, moment("2021-07-01 10:00:00"));
    }
}
