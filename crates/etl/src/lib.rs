//! The ETL language: a script that drops, changes and re-labels rows on their way to the target.
//!
//! Owns the language from its text to changed rows. Pure: no I/O, no async, no clock of its own, nothing of
//! servers; the time comes with the [`Context`]. Modules stand in the order in which a script passes them.
//! What the language means is told to users in `docs/etl.md`.

mod fault;
mod lexer;
mod parse;
mod signature;
mod syntax;

mod charset;
mod decimal;
mod moment;
mod number;
mod pattern;
mod value;
mod zone;

mod reader;
mod render;

mod compile;
mod expression;
mod purity;

mod additional;
mod evaluate;
mod program;
mod record;

pub mod json;

pub use additional::Expression;
pub use fault::{Reason, RunError, ScriptError, Span};
pub use program::{ErrorPolicy, Images, Options, Outcome, Program, RowOutcome, Script};
pub use purity::Purity;
pub use record::Context;

/// The names of all functions.
pub fn function_names() -> impl Iterator<Item = &'static str> {
    signature::all().map(|signature| signature.name)
}
