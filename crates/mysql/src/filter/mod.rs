//! Row filters: a `WHERE` expression that the source evaluates in the load and Wherry in the stream.
//!
//! Owns that both select the same rows. What is accepted means the same on every server and has one
//! result for a row; numbers and moments are computed here exactly, and a comparison of texts that
//! a collation decides is asked of the source itself, see [`answers`]. Everything else is refused with
//! its place. Read on in `parse`, `check` and `exact` (what means the same), `node` (how it is computed).

pub(crate) mod answers;
mod check;
mod exact;
mod lexer;
mod moment;
mod node;
mod parse;
pub(crate) mod stage;
mod text;

pub use answers::Answers;
use node::Condition;
use std::collections::BTreeSet;
use text::TextTest;
use wherry_model::{Fault, Table};

const SYNTAX: &str = "FLT-001";
const UNKNOWN_COLUMN: &str = "FLT-002";
const UNSUPPORTED: &str = "FLT-003";
const TYPES: &str = "FLT-004";
const RANGE: &str = "FLT-005";
const COLUMN_TYPE: &str = "FLT-006";

/// Why a filter is not taken.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct FilterError {
    pub code: &'static str,
    /// Of the byte in the filter.
    pub at: usize,
    pub message: String,
}

impl FilterError {
    fn new(code: &'static str, at: usize, message: impl Into<String>) -> FilterError {
        FilterError {
            code,
            at,
            message: message.into(),
        }
    }

    fn syntax(at: usize, message: impl Into<String>) -> FilterError {
        FilterError::new(SYNTAX, at, message)
    }

    fn unsupported(at: usize, message: impl Into<String>) -> FilterError {
        FilterError::new(UNSUPPORTED, at, message)
    }

    fn types(at: usize, message: impl Into<String>) -> FilterError {
        FilterError::new(TYPES, at, message)
    }

    /// For the table whose filter it is.
    pub(crate) fn fault(self, table: &Table, filter: &str) -> Fault {
        let subject = format!("the filter of table {}", table.name);
        self.of(&subject, filter).table(&table.name)
    }

    fn without_table(self, filter: &str) -> Fault {
        self.of("the filter", filter)
    }

    fn of(self, subject: &str, filter: &str) -> Fault {
        let place = filter[..self.at.min(filter.len())].chars().count() + 1;
        let message = format!(
            "{subject} is not taken at character {place}: {}",
            self.message
        );
        Fault::operator(self.code, message).hint("docs/filter.md tells what a filter may hold.")
    }
}

/// SQL's three truth values.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Truth {
    True,
    False,
    Unknown,
}

impl Truth {
    fn of(value: bool) -> Truth {
        match value {
            true => Truth::True,
            false => Truth::False,
        }
    }

    fn not(self) -> Truth {
        match self {
            Truth::True => Truth::False,
            Truth::False => Truth::True,
            Truth::Unknown => Truth::Unknown,
        }
    }
}

/// A filter that was checked against a table.
#[derive(Debug)]
pub struct Filter {
    condition: Condition,
    tests: Vec<TextTest>,
    columns: BTreeSet<usize>,
    sql: String,
}

/// What is wrong with a filter whatever its table is.
pub fn check_form(text: &str) -> Result<(), Fault> {
    let parsed = parse::parse(text).map(drop);
    parsed.map_err(|error| error.without_table(text))
}

/// Answers of the source that are needed first.
#[derive(Debug, Default)]
pub struct Questions {
    asked: BTreeSet<String>,
}

impl Questions {
    pub fn is_empty(&self) -> bool {
        self.asked.is_empty()
    }
}

impl Filter {
    /// Reads a filter for a table of the source.
    pub fn compile(text: &str, table: &Table) -> Result<Filter, FilterError> {
        let tree = parse::parse(text)?;
        check::check(&tree, table)
    }

    /// The filter of a table, if it has one.
    pub(crate) fn of(table: &Table) -> Result<Option<Filter>, Fault> {
        let Some(text) = table.filter() else {
            return Ok(None);
        };
        let filter = Filter::compile(text, table);
        filter.map(Some).map_err(|error| error.fault(table, text))
    }

    /// For a source that knows `utf8mb3` as `utf8` alone: a definition that a target of today has
    /// printed says otherwise.
    pub(crate) fn with_old_names(mut self) -> Filter {
        for test in &mut self.tests {
            test.comparison.use_old_names();
        }
        self
    }

    /// The same as SQL for the source, in parentheses.
    pub fn sql(&self) -> &str {
        &self.sql
    }

    /// Indices of the columns that decide.
    pub(crate) fn columns(&self) -> &BTreeSet<usize> {
        &self.columns
    }

    /// Whether the row with these values is selected; `None` where questions must be answered first.
    pub fn selects(
        &self,
        row: &[Option<&[u8]>],
        answers: &Answers,
        questions: &mut Questions,
    ) -> Option<bool> {
        let mut evaluation = node::Evaluation {
            row,
            tests: &self.tests,
            answers,
            questions,
            open: false,
        };
        let truth = evaluation.truth(&self.condition);
        (!evaluation.open).then_some(truth == Truth::True)
    }
}
