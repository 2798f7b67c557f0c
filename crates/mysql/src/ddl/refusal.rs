//! Why a statement or a definition cannot be carried, with the codes for it.

use wherry_model::Fault;

pub(super) const UNREADABLE: &str = "DDL-001";
pub(super) const NOT_UNDERSTOOD: &str = "DDL-010";
pub(super) const ALTER_IGNORE: &str = "DDL-011";
pub(super) const UNLOGGED_ROWS: &str = "DDL-012";
pub(super) const UNSTABLE_DEFAULT: &str = "DDL-013";
pub(super) const FOREIGN_TYPE: &str = "DDL-101";
pub(super) const YEAR_2: &str = "DDL-102";
pub(super) const COMPRESSED_COLUMN: &str = "DDL-103";
pub(super) const VERSIONING: &str = "DDL-104";
pub(super) const UNKNOWN_COLLATION: &str = "DDL-105";
pub(super) const FOREIGN_OPTION: &str = "DDL-106";
pub(super) const SEQUENCE: &str = "DDL-107";
pub(super) const EXPRESSION_DEFAULT: &str = "DDL-108";
pub(super) const UPDATE_DECIMALS: &str = "DDL-109";
pub(super) const FOREIGN_ENGINE: &str = "DDL-111";
pub(super) const GROUP_NUMBERS: &str = "DDL-112";
pub(super) const OVERLAP: &str = "DDL-130";
pub(super) const UNPROVED_NAME: &str = "NAM-001";
pub(super) const NEEDED_KEY: &str = "TRF-001";
pub(super) const NEEDED_COLUMN: &str = "TRF-002";
pub(super) const X_ENGINE_LACKS: &str = "DDL-080";
pub(super) const NO_TRANSACTIONS: &str = "DDL-081";

/// Why a statement or definition cannot be carried.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct Refusal {
    pub code: &'static str,
    /// Names the feature; a lowercase fragment.
    pub message: String,
    pub hint: &'static str,
}

impl Refusal {
    /// The statement changes rows in a way that the binlog does not tell, so that loading its
    /// tables anew is the only way to have them right.
    pub fn changes_rows_unseen(&self) -> bool {
        [ALTER_IGNORE, UNLOGGED_ROWS, UNSTABLE_DEFAULT].contains(&self.code)
    }
}

impl From<Refusal> for Fault {
    fn from(refusal: Refusal) -> Fault {
        Fault::operator(refusal.code, refusal.message).hint(refusal.hint)
    }
}
