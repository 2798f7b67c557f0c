//! A checked filter and its value for one row.

use super::text::{Outcome, TextTest};
use super::{Answers, Questions, Truth, moment};
use std::cmp::Ordering;

#[derive(Debug, Clone)]
pub(super) enum Condition {
    And(Box<Condition>, Box<Condition>),
    Or(Box<Condition>, Box<Condition>),
    Xor(Box<Condition>, Box<Condition>),
    Not(Box<Condition>),
    Is(Box<Condition>, Truth),
    Any(Vec<Condition>),
    Constant(Truth),
    NullColumn(usize),
    NullNumber(Number),
    Compare(&'static str, Number, Number),
    NonZero(Number),
    /// Index into the tests of the filter.
    Text(usize),
}

/// A number, or a moment as one: an integer of units that the check has made alike on both sides.
#[derive(Debug, Clone)]
pub(super) enum Number {
    Constant(i128),
    /// With so many decimals.
    Column(usize, u8),
    Date(usize),
    Moment(usize),
    Time(usize),
    Times(Box<Number>, i128),
    Add(Box<Number>, Box<Number>),
    Subtract(Box<Number>, Box<Number>),
    Multiply(Box<Number>, Box<Number>),
    Divide(Box<Number>, Box<Number>),
    Rest(Box<Number>, Box<Number>),
    Negative(Box<Number>),
    Absolute(Box<Number>),
    First(Vec<Number>),
    Length(usize),
    Characters(usize),
    Year(usize),
    Month(usize),
    Day(usize),
}

pub(super) struct Evaluation<'e> {
    pub row: &'e [Option<&'e [u8]>],
    pub tests: &'e [TextTest],
    pub answers: &'e Answers,
    pub questions: &'e mut Questions,
    /// Something was asked whose answer is not there.
    pub open: bool,
}

impl Evaluation<'_> {
    pub fn truth(&mut self, condition: &Condition) -> Truth {
        match condition {
            Condition::And(left, right) => match (self.truth(left), self.truth(right)) {
                (Truth::False, _) | (_, Truth::False) => Truth::False,
                (Truth::True, Truth::True) => Truth::True,
                _ => Truth::Unknown,
            },
            Condition::Or(left, right) => match (self.truth(left), self.truth(right)) {
                (Truth::True, _) | (_, Truth::True) => Truth::True,
                (Truth::False, Truth::False) => Truth::False,
                _ => Truth::Unknown,
            },
            Condition::Xor(left, right) => match (self.truth(left), self.truth(right)) {
                (Truth::Unknown, _) | (_, Truth::Unknown) => Truth::Unknown,
                (left, right) => Truth::of(left != right),
            },
            Condition::Not(inner) => self.truth(inner).not(),
            Condition::Is(inner, wanted) => Truth::of(self.truth(inner) == *wanted),
            Condition::Any(members) => {
                let found: Vec<Truth> = members.iter().map(|member| self.truth(member)).collect();
                match found {
                    found if found.contains(&Truth::True) => Truth::True,
                    found if found.contains(&Truth::Unknown) => Truth::Unknown,
                    _ => Truth::False,
                }
            }
            Condition::Constant(truth) => *truth,
            Condition::NullColumn(column) => Truth::of(self.value(*column).is_none()),
            Condition::NullNumber(number) => Truth::of(self.number(number).is_none()),
            Condition::Compare(operator, left, right) => {
                match (self.number(left), self.number(right)) {
                    (Some(left), Some(right)) => Truth::of(holds(operator, left.cmp(&right))),
                    _ => Truth::Unknown,
                }
            }
            Condition::NonZero(number) => match self.number(number) {
                None => Truth::Unknown,
                Some(value) => Truth::of(value != 0),
            },
            Condition::Text(index) => self.text(*index),
        }
    }

    fn text(&mut self, index: usize) -> Truth {
        let test = &self.tests[index];
        match test.outcome(self.row) {
            Outcome::Known(truth) => truth,
            Outcome::Ask(sql) => match self.answers.get(&sql) {
                Some(truth) => test.with_null(truth),
                None => {
                    self.open = true;
                    self.questions.asked.insert(sql);
                    Truth::Unknown
                }
            },
        }
    }

    fn value(&self, column: usize) -> Option<&[u8]> {
        self.row.get(column).copied().flatten()
    }

    fn number(&self, number: &Number) -> Option<i128> {
        let both = |left: &Number, right: &Number| Some((self.number(left)?, self.number(right)?));
        match number {
            Number::Constant(value) => Some(*value),
            Number::Column(column, scale) => scaled(self.value(*column)?, *scale),
            Number::Date(column) => moment::date(self.value(*column)?),
            Number::Moment(column) => moment::datetime(self.value(*column)?),
            Number::Time(column) => moment::time(self.value(*column)?),
            Number::Times(inner, factor) => Some(self.number(inner)? * factor),
            Number::Add(left, right) => both(left, right).map(|(left, right)| left + right),
            Number::Subtract(left, right) => both(left, right).map(|(left, right)| left - right),
            Number::Multiply(left, right) => both(left, right).map(|(left, right)| left * right),
            Number::Divide(left, right) => {
                let (left, right) = both(left, right)?;
                left.checked_div(right)
            }
            Number::Rest(left, right) => {
                let (left, right) = both(left, right)?;
                left.checked_rem(right)
            }
            Number::Negative(inner) => Some(-self.number(inner)?),
            Number::Absolute(inner) => Some(self.number(inner)?.abs()),
            Number::First(members) => members.iter().find_map(|member| self.number(member)),
            Number::Length(column) => Some(self.value(*column)?.len() as i128),
            Number::Characters(column) => {
                // Every byte but those that continue a character.
                let bytes = self.value(*column)?.iter();
                Some(bytes.filter(|byte| **byte & 0xC0 != 0x80).count() as i128)
            }
            Number::Year(column) => moment::part(self.value(*column)?, 0..4),
            Number::Month(column) => moment::part(self.value(*column)?, 5..7),
            Number::Day(column) => moment::part(self.value(*column)?, 8..10),
        }
    }
}

pub(super) fn holds(operator: &str, ordering: Ordering) -> bool {
    match operator {
        "=" => ordering.is_eq(),
        "<>" => ordering.is_ne(),
        "<" => ordering.is_lt(),
        "<=" => ordering.is_le(),
        ">" => ordering.is_gt(),
        _ => ordering.is_ge(),
    }
}

/// The digits of a number with exactly so many decimals behind the point.
pub(super) fn scaled(text: &[u8], scale: u8) -> Option<i128> {
    let text = std::str::from_utf8(text).ok()?;
    let (negative, digits) = match text.strip_prefix('-') {
        Some(digits) => (true, digits),
        None => (false, text),
    };
    let (whole, fraction) = digits.split_once('.').unwrap_or((digits, ""));
    let mut value: i128 = 0;
    let padded = fraction.bytes().chain(std::iter::repeat(b'0'));
    for digit in whole.bytes().chain(padded.take(scale.into())) {
        let digit = digit.is_ascii_digit().then(|| i128::from(digit - b'0'))?;
        value = value.checked_mul(10)?.checked_add(digit)?;
    }
    Some(if negative { -value } else { value })
}
