//! Rewrites statements in place.

use super::statement::Statement;
use wherry_model::TableName;

/// The statement with every table name qualified, quoted and mapped; the rest unchanged.
pub fn rewrite_names(
    _sql: &str,
    _statement: &Statement,
    _map: &dyn Fn(&TableName) -> TableName,
) -> String {
    unimplemented!()
}

/// The statement without `ALGORITHM`, `LOCK`, `WAIT`, `NOWAIT` and without the `START TRANSACTION`
/// of an atomic `CREATE TABLE ... SELECT`.
pub fn strip_hints(_sql: &str, _statement: &Statement) -> String {
    unimplemented!()
}

/// Both edits at once: the statement as it is to run on the target.
pub fn carried(
    _sql: &str,
    _statement: &Statement,
    _map: &dyn Fn(&TableName) -> TableName,
) -> String {
    unimplemented!()
}
