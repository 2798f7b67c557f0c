//! What can be wrong with a script and with a value: codes, messages and the next action, all in one place.
//!
//! Messages hold no row values.

use std::fmt;

/// Bytes of the script, from `start` up to and without `end`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Span {
    pub start: usize,
    pub end: usize,
}

impl Span {
    pub fn new(start: usize, end: usize) -> Span {
        Span { start, end }
    }

    /// From the begin of this one to the end of `last`.
    pub(crate) fn to(self, last: Span) -> Span {
        Span::new(self.start, last.end)
    }
}

/// A script that cannot be used, found before any row is touched.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct ScriptError {
    pub code: &'static str,
    pub span: Span,
    /// A lowercase fragment without a final point.
    pub message: String,
    /// A full sentence with the next action.
    pub hint: String,
}

/// What is wrong with a script.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Mistake {
    Syntax,
    Literal,
    Bound,
    SeveralExpressions,
    UnknownFunction,
    Arguments,
    NotHere,
    UnknownVariable,
    UnknownColumn,
    Type,
    ColumnType,
    NotAssignable,
    Charset,
    Kind,
    Constant,
    VaryingKey,
    KeyInOperationScript,
    NullPolicy,
    Place,
    New,
    RecordOnly,
}

impl Mistake {
    pub(crate) fn code(self) -> &'static str {
        match self {
            Mistake::Syntax => "ETL-001",
            Mistake::Literal => "ETL-002",
            Mistake::Bound => "ETL-003",
            Mistake::SeveralExpressions => "ETL-004",
            Mistake::UnknownFunction => "ETL-005",
            Mistake::Arguments => "ETL-006",
            Mistake::NotHere => "ETL-007",
            Mistake::UnknownVariable => "ETL-008",
            Mistake::UnknownColumn => "ETL-010",
            Mistake::Type => "ETL-011",
            Mistake::ColumnType => "ETL-012",
            Mistake::NotAssignable => "ETL-013",
            Mistake::Charset => "ETL-014",
            Mistake::Kind => "ETL-015",
            Mistake::Constant => "ETL-016",
            Mistake::VaryingKey => "ETL-017",
            Mistake::KeyInOperationScript => "ETL-018",
            Mistake::NullPolicy => "ETL-019",
            Mistake::Place => "ETL-020",
            Mistake::New => "ETL-021",
            Mistake::RecordOnly => "ETL-022",
        }
    }

    pub(crate) fn at(
        self,
        span: Span,
        message: impl Into<String>,
        hint: impl Into<String>,
    ) -> ScriptError {
        ScriptError {
            code: self.code(),
            span,
            message: message.into(),
            hint: hint.into(),
        }
    }
}

/// Why a value cannot be computed or stored.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reason {
    NumberRange,
    DivisionByZero,
    ColumnRange,
    TextTooLong,
    Character,
    Moment,
    Unreadable,
    InvalidText,
    MaskPositions,
    Null,
    ValueTooLong,
    Label,
    DigitsLost,
}

impl Reason {
    pub fn code(self) -> &'static str {
        self.texts().0
    }

    pub fn message(self) -> &'static str {
        self.texts().1
    }

    pub fn hint(self) -> &'static str {
        self.texts().2
    }

    fn texts(self) -> (&'static str, &'static str, &'static str) {
        match self {
            Reason::NumberRange => (
                "ETL-100",
                "a number is out of the range that can be computed with",
                "Compute with smaller numbers, or let the script pass over such rows.",
            ),
            Reason::DivisionByZero => (
                "ETL-101",
                "a number was divided by zero",
                "Test the divisor first, like (op_eq(`d`, 0) ? null : `n` / `d`).",
            ),
            Reason::ColumnRange => (
                "ETL-102",
                "a number is out of the range of its column",
                "Widen the column, or limit the number in the script.",
            ),
            Reason::TextTooLong => (
                "ETL-103",
                "a value is too long for its column",
                "Widen the column, or shorten the value in the script.",
            ),
            Reason::Character => (
                "ETL-104",
                "a text has a character that the column's character set lacks",
                "Give the column the character set utf8mb4, or replace the character in the script.",
            ),
            Reason::Moment => (
                "ETL-105",
                "a date or time does not exist or is out of range",
                "Test for such dates first, or let the script pass over such rows.",
            ),
            Reason::Unreadable => (
                "ETL-106",
                "a text is not the number, date or time that the script reads from it",
                "Test the text first, with regex_match, or let the script pass over such rows.",
            ),
            Reason::InvalidText => (
                "ETL-107",
                "a value is not valid in its column's character set or type",
                "Correct the row in the source, or let the script pass over such rows.",
            ),
            Reason::MaskPositions => (
                "ETL-108",
                "the positions given to str_mask do not lie inside the text",
                "Mask only texts that are long enough, with e_if and regex_match.",
            ),
            Reason::Null => (
                "ETL-109",
                "NULL was assigned to a column that takes none",
                "Give another value where the script yields NULL, with op_is_null.",
            ),
            Reason::ValueTooLong => (
                "ETL-110",
                "a value became longer than 16 MiB",
                "Shorten the value in the script.",
            ),
            Reason::Label => (
                "ETL-111",
                "a text is no label of its ENUM or SET column",
                "Assign one of the column's labels, in its exact spelling.",
            ),
            Reason::DigitsLost => (
                "ETL-112",
                "a number or moment has more digits than its column",
                "Round it in the script, with op_round or dt_str, or widen the column.",
            ),
        }
    }

    pub(crate) fn at(self, span: Span) -> RunError {
        RunError { reason: self, span }
    }

    /// The same, found while the script was compiled.
    pub(crate) fn in_script(self, span: Span) -> ScriptError {
        ScriptError {
            code: self.code(),
            span,
            message: self.message().to_owned(),
            hint: self.hint().to_owned(),
        }
    }
}

/// A value of one row that the script cannot compute, with the place in the script.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RunError {
    pub reason: Reason,
    pub span: Span,
}

impl fmt::Display for RunError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.reason.message())
    }
}

impl std::error::Error for RunError {}
