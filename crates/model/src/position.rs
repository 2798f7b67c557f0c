//! A place in a source's binlog.

use serde::{Deserialize, Serialize};
use std::cmp::Ordering;
use std::fmt;
use std::sync::Arc;

/// A place between two events of a source's binlog.
///
/// Only the `mysql` crate reads the parts; the engine stores it, hands it back and asks which of
/// two comes first. `gtids`, where the source has GTIDs, is the set of everything up to here: it
/// finds the place again, while file and offset are what is compared.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Position {
    pub file: Arc<str>,
    pub offset: u64,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub gtids: Option<Arc<str>>,
}

impl Position {
    pub fn new(file: &str, offset: u64, gtids: Option<&str>) -> Position {
        Position {
            file: file.into(),
            offset,
            gtids: gtids.map(Into::into),
        }
    }

    /// True when everything before `end` lies before this place too.
    pub fn reaches(&self, end: &Position) -> bool {
        self.compare(end) != Ordering::Less
    }

    /// Orders two places of one source by file number, then offset.
    ///
    /// File numbers are compared as numbers: `bin.999999` comes before `bin.1000000`.
    pub fn compare(&self, other: &Position) -> Ordering {
        (file_number(&self.file), self.offset).cmp(&(file_number(&other.file), other.offset))
    }
}

/// The running number at the end of a binlog file name.
pub fn file_number(file: &str) -> u64 {
    file.rsplit('.')
        .next()
        .and_then(|digits| digits.parse().ok())
        .unwrap_or(0)
}

impl fmt::Display for Position {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.file, self.offset)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn file_numbers_are_numbers() {
        let before = Position::new("bin.999999", 900, None);
        let after = Position::new("bin.1000000", 4, None);
        assert!(after.reaches(&before));
        assert!(!before.reaches(&after));
        assert!(before.reaches(&before.clone()));
    }
}
