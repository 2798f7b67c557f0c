//! Decides whether a table statement can be carried.

use super::statement::Statement;
use wherry_model::Fault;

/// What the caller must know about a statement that can be carried.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct AlterNotes {
    /// Gives a column AUTO_INCREMENT: rows of a table without an identity would be numbered in
    /// another order than at the source.
    pub adds_auto_increment: bool,
}

/// Why a statement cannot be carried.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct Refusal {
    pub code: &'static str,
    /// Names the feature; a lowercase fragment.
    pub message: String,
    pub hint: &'static str,
}

impl From<Refusal> for Fault {
    fn from(refusal: Refusal) -> Fault {
        Fault::operator(refusal.code, refusal.message).hint(refusal.hint)
    }
}

/// Says whether the effect of a table statement on the rows of the target is the same as at the
/// source. For CREATE TABLE, ALTER TABLE, CREATE INDEX and the like; others pass.
pub fn plain_alter(_sql: &str, _statement: &Statement) -> Result<AlterNotes, Refusal> {
    unimplemented!()
}

pub(super) fn only_renames(_statement: &Statement) -> bool {
    unimplemented!()
}
