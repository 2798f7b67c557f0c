//! Flavour rules: what must be said differently so that another server means the same.
//!
//! Each rule has a stable name, which reports show. A feature that the target does not have is
//! refused with its reason, never dropped in silence.

use super::alter::Refusal;
use super::statement::Dialect;
use wherry_model::TableName;

/// A place where a rule changed the definition.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AppliedRule {
    pub rule: &'static str,
    pub before: String,
    pub after: String,
}

/// A difference between two definitions of one table.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Difference {
    pub description: String,
    /// The rule that explains it; `None` is a real difference.
    pub rule: Option<&'static str>,
}

/// Rewrites the `SHOW CREATE TABLE` text of a source so that the target accepts it and means the
/// same. Errors name the feature that the target lacks, code `DDL-1xx`.
pub fn apply(
    _definition: &str,
    _table: &TableName,
    _from: Dialect,
    _to: Dialect,
) -> Result<(String, Vec<AppliedRule>), Refusal> {
    unimplemented!()
}

/// Compares the meaning of two `SHOW CREATE TABLE` texts: `source` of a `from` server and
/// `target` of a `to` server. Names and AUTO_INCREMENT counters are ignored.
pub fn diff(
    _source: &str,
    _target: &str,
    _table: &TableName,
    _from: Dialect,
    _to: Dialect,
) -> Result<Vec<Difference>, Refusal> {
    unimplemented!()
}
