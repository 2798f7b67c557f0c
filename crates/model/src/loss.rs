//! One entry of the loss ledger: something of the source that the target does not have.

use crate::name::TableName;
use serde::Serialize;

/// Written when it happened, and kept for ever; a count of rows begins anew with a new load of its table.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Loss {
    /// The table's name is empty for a database.
    pub table: TableName,
    pub code: String,
    /// A sentence fragment without values of rows.
    pub reason: String,
    /// Of the statement or row at the source.
    pub position: String,
    /// The user has asked for it.
    pub chosen: bool,
}
