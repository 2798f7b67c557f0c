//! Patterns of dates and times, with Java's letters: `yyyy-MM-dd HH:mm:ss`.

use std::fmt::Write as _;

use crate::fault::Reason;
use crate::moment::Moment;

#[derive(Debug, Clone, PartialEq)]
enum Piece {
    Literal(String),
    /// A number, with at least so many digits.
    Number(Field, usize),
    /// The first so many digits of the fraction of a second.
    Fraction(usize),
    /// `AM` or `PM`.
    Half,
}

#[derive(Debug, Clone, Copy, PartialEq)]
enum Field {
    Year,
    /// Of 2000 to 2099.
    ShortYear,
    Month,
    Day,
    Hour,
    /// 1 to 12.
    HalfHour,
    Minute,
    Second,
}

#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Pattern(Vec<Piece>);

impl Pattern {
    /// Letters are fields, texts in single quotes and everything else stand for themselves. The error says what
    /// is wrong.
    pub(crate) fn parse(text: &str) -> Result<Pattern, String> {
        let mut pieces = Vec::new();
        let mut rest = text;
        while let Some(first) = rest.chars().next() {
            if first == '\'' {
                let (literal, behind) = quoted(&rest[1..])?;
                push_literal(&mut pieces, &literal);
                rest = behind;
                continue;
            }
            let count = rest.chars().take_while(|letter| *letter == first).count();
            if first.is_ascii_alphabetic() {
                pieces.push(field(first, count)?);
            } else {
                push_literal(&mut pieces, &rest[..count * first.len_utf8()]);
            }
            rest = &rest[count * first.len_utf8()..];
        }
        Ok(Pattern(pieces))
    }

    pub(crate) fn print(&self, moment: Moment) -> String {
        let mut out = String::new();
        for piece in &self.0 {
            match piece {
                Piece::Literal(text) => out.push_str(text),
                Piece::Number(field, width) => {
                    let _ = write!(out, "{:0width$}", number(*field, moment));
                }
                Piece::Fraction(places) => {
                    let _ = write!(out, "{:06}", moment.micros);
                    out.truncate(out.len() - (6 - places));
                }
                Piece::Half => out.push_str(if moment.hour < 12 { "AM" } else { "PM" }),
            }
        }
        out
    }

    /// The moment that the text tells; what the pattern leaves out is the begin of 1970.
    pub(crate) fn read(&self, text: &str) -> Result<Moment, Reason> {
        let mut found = Found {
            moment: Moment {
                year: 1970,
                month: 1,
                day: 1,
                hour: 0,
                minute: 0,
                second: 0,
                micros: 0,
            },
            afternoon: None,
        };
        let mut rest = text;
        for (index, piece) in self.0.iter().enumerate() {
            let next_is_number = matches!(
                self.0.get(index + 1),
                Some(Piece::Number(..) | Piece::Fraction(_))
            );
            rest = found
                .take(piece, rest, next_is_number)
                .ok_or(Reason::Unreadable)?;
        }
        let moment = found.settled();
        let clock = moment.hour < 24 && moment.minute < 60 && moment.second < 60;
        match rest.is_empty() && clock && moment.is_real() {
            true => Ok(moment),
            false => Err(Reason::Unreadable),
        }
    }
}

struct Found {
    moment: Moment,
    afternoon: Option<bool>,
}

impl Found {
    /// Takes what the piece stands for from the head of the text, and gives what is behind.
    fn take<'a>(&mut self, piece: &Piece, text: &'a str, next_is_number: bool) -> Option<&'a str> {
        match piece {
            Piece::Literal(literal) => text.strip_prefix(literal.as_str()),
            Piece::Number(field, width) => {
                let most = match field {
                    _ if next_is_number => *width,
                    Field::Year => 4,
                    _ => 2,
                };
                let digits = leading_digits(text, most);
                if digits.len() < *width {
                    return None;
                }
                self.set(*field, digits.parse().ok()?)?;
                Some(&text[digits.len()..])
            }
            Piece::Fraction(places) => {
                let digits = leading_digits(text, *places);
                if digits.len() != *places {
                    return None;
                }
                let micros: u32 = digits.parse().ok()?;
                self.moment.micros = micros * 10u32.pow(6 - *places as u32);
                Some(&text[digits.len()..])
            }
            Piece::Half => {
                let half = text.get(..2)?.to_ascii_uppercase();
                self.afternoon = Some(match half.as_str() {
                    "AM" => false,
                    "PM" => true,
                    _ => return None,
                });
                Some(&text[2..])
            }
        }
    }

    fn set(&mut self, field: Field, number: u16) -> Option<()> {
        let small = u8::try_from(number);
        match field {
            Field::Year => self.moment.year = number,
            Field::ShortYear => self.moment.year = 2000 + number,
            Field::Month => self.moment.month = small.ok()?,
            Field::Day => self.moment.day = small.ok()?,
            Field::Hour => self.moment.hour = small.ok()?,
            Field::HalfHour => {
                self.moment.hour = small.ok().filter(|hour| (1..=12).contains(hour))?
            }
            Field::Minute => self.moment.minute = small.ok()?,
            Field::Second => self.moment.second = small.ok()?,
        }
        Some(())
    }

    fn settled(mut self) -> Moment {
        if let (Some(afternoon), 0..=12) = (self.afternoon, self.moment.hour) {
            self.moment.hour = self.moment.hour % 12 + if afternoon { 12 } else { 0 };
        }
        self.moment
    }
}

fn leading_digits(text: &str, most: usize) -> &str {
    let count = text
        .bytes()
        .take(most)
        .take_while(u8::is_ascii_digit)
        .count();
    &text[..count]
}

fn number(field: Field, moment: Moment) -> u16 {
    match field {
        Field::Year => moment.year,
        Field::ShortYear => moment.year % 100,
        Field::Month => moment.month.into(),
        Field::Day => moment.day.into(),
        Field::Hour => moment.hour.into(),
        Field::HalfHour => match moment.hour % 12 {
            0 => 12,
            hour => hour.into(),
        },
        Field::Minute => moment.minute.into(),
        Field::Second => moment.second.into(),
    }
}

fn field(letter: char, count: usize) -> Result<Piece, String> {
    let field = match (letter, count) {
        ('y', 4) => Field::Year,
        ('y', 2) => Field::ShortYear,
        ('M', 1 | 2) => Field::Month,
        ('d', 1 | 2) => Field::Day,
        ('H', 1 | 2) => Field::Hour,
        ('h', 1 | 2) => Field::HalfHour,
        ('m', 1 | 2) => Field::Minute,
        ('s', 1 | 2) => Field::Second,
        ('S', 1..=6) => return Ok(Piece::Fraction(count)),
        ('a', 1) => return Ok(Piece::Half),
        _ => {
            let letters: String = std::iter::repeat_n(letter, count.min(10)).collect();
            return Err(format!("'{letters}' is no field of a date pattern"));
        }
    };
    Ok(Piece::Number(field, count))
}

/// The text up to the closing quote, and what is behind; two quotes are one, also where they stand alone.
fn quoted(text: &str) -> Result<(String, &str), String> {
    if let Some(rest) = text.strip_prefix('\'') {
        return Ok(("'".to_owned(), rest));
    }
    let mut literal = String::new();
    let mut rest = text;
    loop {
        let (part, behind) = rest
            .split_once('\'')
            .ok_or("a quote in a date pattern is not closed")?;
        literal.push_str(part);
        match behind.strip_prefix('\'') {
            Some(behind) => {
                literal.push('\'');
                rest = behind;
            }
            None => return Ok((literal, behind)),
        }
    }
}

fn push_literal(pieces: &mut Vec<Piece>, text: &str) {
    match pieces.last_mut() {
        Some(Piece::Literal(literal)) => literal.push_str(text),
        _ => pieces.push(Piece::Literal(text.to_owned())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(pattern: &str, text: &str) {
        let moment = Moment::parse(b"2021-03-04 15:06:07.089000").unwrap();
        let pattern = Pattern::parse(pattern).unwrap();
        assert_eq!(pattern.print(moment), text);
    }

    #[test]
    fn moments_are_printed() {
        check("yyyy-MM-dd HH:mm:ss", "2021-03-04 15:06:07");
        check("yyyyMMdd'T'HHmmss.SSS", "20210304T150607.089");
        check("d.M.yy h 'o''clock' a", "4.3.21 3 o'clock PM");
        check("''yyyy", "'2021");
        check("\u{5e74}\u{5e74}MM", "\u{5e74}\u{5e74}03");
    }

    #[test]
    fn texts_are_read() {
        let read = |pattern: &str, text: &str| {
            let moment = Pattern::parse(pattern).unwrap().read(text);
            moment.map(|moment| moment.to_string())
        };
        assert_eq!(
            read("yyyyMMddHHmmss", "20210304150607").unwrap(),
            "2021-03-04 15:06:07"
        );
        assert_eq!(read("d/M/yyyy", "4/3/2021").unwrap(), "2021-03-04 00:00:00");
        assert_eq!(
            read("yyyy-MM-dd hh:mm a", "2021-03-04 12:30 am").unwrap(),
            "2021-03-04 00:30:00"
        );
        assert_eq!(
            read("yyyy-MM-dd HH:mm:ss.SSS", "2021-03-04 01:02:03.500").unwrap(),
            "2021-03-04 01:02:03.500000"
        );
        for (pattern, text) in [
            ("yyyy-MM-dd", "2021-02-29"),
            ("yyyy-MM-dd", "2021-3-04"),
            ("yyyy-MM-dd", "2021-03-04 "),
            ("HH:mm", "24:00"),
            ("hh a", "13 PM"),
            ("yyyy", "\u{661}\u{661}\u{661}\u{661}"),
            ("a", "\u{e9}\u{e9}"),
        ] {
            assert_eq!(
                read(pattern, text),
                Err(Reason::Unreadable),
                "{pattern} {text}"
            );
        }
    }

    #[test]
    fn unknown_letters_are_refused() {
        for pattern in ["YYYY", "yyy", "EEE", "SSSSSSS", "z", "'open"] {
            assert!(Pattern::parse(pattern).is_err(), "{pattern}");
        }
    }
}
