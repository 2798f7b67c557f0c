//! The one error of this crate: a sentence a developer can act on.
//!
//! Tests print it and end; nobody matches on it, so it carries text and the cause's text only.

use std::fmt::Display;

/// What went wrong while a test's surroundings were set up or asked.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub struct Failure(String);

impl Failure {
    pub fn new(message: impl Into<String>) -> Failure {
        Failure(message.into())
    }

    /// Puts what was being done in front of the cause.
    pub fn because(doing: impl Display, cause: impl Display) -> Failure {
        Failure(format!("{doing}: {cause}"))
    }
}

impl From<mysql_async::Error> for Failure {
    fn from(error: mysql_async::Error) -> Failure {
        Failure(format!("server answered with an error: {error}"))
    }
}

/// Shorthand of the crate.
pub type Result<T> = std::result::Result<T, Failure>;
