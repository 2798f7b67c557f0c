//! Which phases a task has, and where its stream begins.
//!
//! Owns the keys `phases` and `stream.from`: their forms, and what follows from a combination. Knows
//! no server: the places that texts name are looked up by the source.

use schemars::JsonSchema;
use serde::Deserialize;
use std::fmt;

/// A part of the work that a task may leave out.
#[derive(Debug, Clone, Copy, Deserialize, JsonSchema, PartialEq, Eq)]
#[serde(rename_all = "kebab-case")]
pub enum Part {
    /// Databases and tables are made in the target, and views, routines, triggers and events.
    Schema,
    /// The rows are copied.
    Load,
    /// Changes are carried until the task is stopped or cut over.
    Stream,
}

impl Part {
    pub const ALL: [Part; 3] = [Part::Schema, Part::Load, Part::Stream];

    pub fn as_str(self) -> &'static str {
        match self {
            Part::Schema => "schema",
            Part::Load => "load",
            Part::Stream => "stream",
        }
    }

    pub fn parse(text: &str) -> Option<Part> {
        Part::ALL.into_iter().find(|part| part.as_str() == text)
    }
}

/// What a task does: any of the three, at least one.
#[derive(Debug, Clone, Copy, Deserialize, JsonSchema, PartialEq, Eq)]
#[serde(try_from = "Vec<Part>")]
#[schemars(with = "Vec<Part>")]
pub struct Phases {
    pub schema: bool,
    pub load: bool,
    pub stream: bool,
}

impl Default for Phases {
    fn default() -> Phases {
        Phases {
            schema: true,
            load: true,
            stream: true,
        }
    }
}

impl TryFrom<Vec<Part>> for Phases {
    type Error = String;

    fn try_from(parts: Vec<Part>) -> Result<Phases, String> {
        let has = |part| parts.contains(&part);
        let phases = Phases {
            schema: has(Part::Schema),
            load: has(Part::Load),
            stream: has(Part::Stream),
        };
        match parts.is_empty() {
            true => Err("a task has at least one of schema, load and stream".to_owned()),
            false => Ok(phases),
        }
    }
}

impl Phases {
    /// Reads words with commas between them.
    pub fn parse(text: &str) -> Result<Phases, String> {
        let words = text.split(',').map(str::trim);
        let part = |word: &str| {
            Part::parse(word).ok_or_else(|| format!("`{word}` is none of schema, load and stream"))
        };
        let parts: Result<Vec<Part>, String> = words.map(part).collect();
        Phases::try_from(parts?)
    }

    pub fn parts(self) -> impl Iterator<Item = Part> {
        let has = move |part: &Part| match part {
            Part::Schema => self.schema,
            Part::Load => self.load,
            Part::Stream => self.stream,
        };
        Part::ALL.into_iter().filter(has)
    }

    /// True where every row of the source is meant to be in the target: loaded, or there before.
    /// Tables that the task has made empty and does not load have only what changes.
    pub fn is_whole(self) -> bool {
        self.load || (self.stream && !self.schema)
    }

    /// True where the tables of the target are its own, used as they were found.
    pub fn uses_given_tables(self) -> bool {
        !self.schema
    }
}

impl fmt::Display for Phases {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, part) in self.parts().enumerate() {
            if index > 0 {
                f.write_str(", ")?;
            }
            f.write_str(part.as_str())?;
        }
        Ok(())
    }
}

/// Where the stream of a task without a load begins.
#[derive(Debug, Clone, Deserialize, JsonSchema, PartialEq, Eq)]
#[serde(rename_all = "kebab-case")]
pub enum StreamFrom {
    /// A place between two transactions, like `mysql-bin.000004:1234`.
    Position(String),
    /// The transactions that the target holds.
    Gtid(String),
    /// The target holds at least what was committed before, like `2026-11-30T12:00:00Z`.
    Timestamp(String),
}

/// As `StreamFrom`, taken apart.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Begin {
    Place {
        file: String,
        offset: u64,
    },
    Gtids(String),
    /// Microseconds since 1970 UTC.
    Moment(u64),
}

impl StreamFrom {
    /// Errors: what is wrong with the text, as a sentence fragment.
    pub fn begin(&self) -> Result<Begin, String> {
        match self {
            StreamFrom::Position(text) => {
                let place = text.trim().rsplit_once(':').and_then(|(file, offset)| {
                    let offset = offset.parse().ok()?;
                    let file = file.to_owned();
                    (!file.is_empty()).then_some(Begin::Place { file, offset })
                });
                place.ok_or_else(|| format!("`{text}` is no position like mysql-bin.000004:1234"))
            }
            StreamFrom::Gtid(text) if text.trim().is_empty() => {
                Err("the GTID set is empty".to_owned())
            }
            StreamFrom::Gtid(text) => Ok(Begin::Gtids(text.split_whitespace().collect())),
            StreamFrom::Timestamp(text) => moment(text.trim()).map(Begin::Moment).ok_or_else(|| {
                format!("`{text}` is no moment like 2026-11-30T12:00:00Z or 2026-11-30T14:00:00+02:00")
            }),
        }
    }
}

impl fmt::Display for StreamFrom {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            StreamFrom::Position(text) => write!(f, "position {text}"),
            StreamFrom::Gtid(text) => write!(f, "GTID set {text}"),
            StreamFrom::Timestamp(text) => write!(f, "timestamp {text}"),
        }
    }
}

/// Microseconds since 1970 of a moment in the form of RFC 3339, which always names its zone.
fn moment(text: &str) -> Option<u64> {
    let (date, rest) = text.split_at_checked(10)?;
    let rest = rest.strip_prefix(['T', 't', ' '])?;
    let (clock, rest) = rest.split_at_checked(8)?;
    let numbers = |text: &str, separator: char| -> Option<[i64; 3]> {
        let parts: Vec<&str> = text.split(separator).collect();
        let digits = |part: &&str| part.bytes().all(|byte| byte.is_ascii_digit());
        if !parts.iter().all(digits) {
            return None;
        }
        let parsed: Option<Vec<i64>> = parts.iter().map(|part| part.parse().ok()).collect();
        parsed?.try_into().ok()
    };
    let [year, month, day] = numbers(date, '-')?;
    let [hour, minute, second] = numbers(clock, ':')?;
    let (fraction, zone) = match rest.strip_prefix('.') {
        None => (0, rest),
        Some(rest) => {
            let end = rest.find(|c: char| !c.is_ascii_digit())?;
            let digits = format!("{:0<6}", &rest[..end]);
            (digits.get(..6)?.parse::<i64>().ok()?, &rest[end..])
        }
    };
    let days = days_since_1970(year, month, day)?;
    if hour > 23 || minute > 59 || second > 59 {
        return None;
    }
    let seconds = ((days * 24 + hour) * 60 + minute) * 60 + second - zone_seconds(zone)?;
    u64::try_from(seconds * 1_000_000 + fraction).ok()
}

fn zone_seconds(zone: &str) -> Option<i64> {
    if matches!(zone, "Z" | "z") {
        return Some(0);
    }
    let sign = match zone.get(..1)? {
        "+" => 1,
        "-" => -1,
        _ => return None,
    };
    let (hours, minutes) = zone.get(1..)?.split_once(':')?;
    let number = |text: &str| -> Option<i64> {
        let is_pair = text.len() == 2 && text.bytes().all(|byte| byte.is_ascii_digit());
        is_pair.then(|| text.parse().ok()).flatten()
    };
    let (hours, minutes) = (number(hours)?, number(minutes)?);
    (hours < 24 && minutes < 60).then_some(sign * (hours * 60 + minutes) * 60)
}

/// Days from 1970-01-01 on in the Gregorian calendar; `None` for a day that it does not have.
fn days_since_1970(year: i64, month: i64, day: i64) -> Option<i64> {
    let is_leap = |year: i64| (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;
    let lengths = [31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31];
    let length =
        |year: i64, month: usize| lengths[month - 1] + i64::from(month == 2 && is_leap(year));
    let month = usize::try_from(month)
        .ok()
        .filter(|month| (1..=12).contains(month))?;
    if !(1970..=9999).contains(&year) || !(1..=length(year, month)).contains(&day) {
        return None;
    }
    let years: i64 = (1970..year)
        .map(|year| 365 + i64::from(is_leap(year)))
        .sum();
    let months: i64 = (1..month).map(|month| length(year, month)).sum();
    Some(years + months + day - 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn combinations_are_lists_of_words() {
        let words = |text: &str| Phases::parse(text).map(|phases| phases.to_string());
        assert_eq!(words("stream,schema").as_deref(), Ok("schema, stream"));
        assert_eq!(words("load").as_deref(), Ok("load"));
        assert!(words("").is_err());
        assert!(words("load,strem").is_err());
        assert_eq!(Phases::default().to_string(), "schema, load, stream");
        assert!(Phases::try_from(Vec::new()).is_err());
    }

    #[track_caller]
    fn check(text: &str, seconds: Option<u64>) {
        let from = StreamFrom::Timestamp(text.to_owned());
        let expected = seconds.map(|seconds| Begin::Moment(seconds * 1_000_000));
        assert_eq!(from.begin().ok(), expected, "{text}");
    }

    #[test]
    fn moments_name_their_zone() {
        check("1970-01-01T00:00:00Z", Some(0));
        check("2026-11-30T12:00:00Z", Some(1_796_040_000));
        check("2026-11-30T14:00:00+02:00", Some(1_796_040_000));
        check("2024-02-29 23:59:59-00:01", Some(1_709_251_259));
        for bad in [
            "2026-11-30",
            "2026-11-30T12:00:00",
            "2026-13-30T12:00:00Z",
            "2025-02-29T12:00:00Z",
            "2026-11-30T24:00:00Z",
            "2026-11-30T12:00:00.Z5",
            "yesterday",
            "",
        ] {
            check(bad, None);
        }
        let text = "2026-11-30T12:00:00.25Z".to_owned();
        let begin = StreamFrom::Timestamp(text).begin();
        assert_eq!(begin, Ok(Begin::Moment(1_796_040_000_250_000)));
    }

    #[test]
    fn positions_are_file_and_offset() {
        let begin = |text: &str| StreamFrom::Position(text.to_owned()).begin();
        let file = "mysql-bin.000004".to_owned();
        let place = Begin::Place { file, offset: 1234 };
        assert_eq!(begin("mysql-bin.000004:1234"), Ok(place));
        assert!(begin("mysql-bin.000004").is_err());
        assert!(begin(":4").is_err());
        assert!(begin("a:b").is_err());
    }
}
