//! Names of databases and tables, and how they are quoted in SQL.

use serde::{Deserialize, Serialize};
use std::fmt;

/// A table in its database. Names are kept exactly as the server gives them.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct TableName {
    pub database: String,
    pub table: String,
}

impl TableName {
    pub fn new(database: impl Into<String>, table: impl Into<String>) -> TableName {
        TableName {
            database: database.into(),
            table: table.into(),
        }
    }
}

/// Prints the qualified and quoted name, ready for SQL and for messages.
impl fmt::Display for TableName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", quote(&self.database), quote(&self.table))
    }
}

/// Quotes an identifier with backticks; a backtick inside is doubled.
pub fn quote(identifier: &str) -> String {
    format!("`{}`", identifier.replace('`', "``"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hostile_names_stay_names() {
        let name = TableName::new("a`b", "c`; DROP TABLE x; --");
        assert_eq!(name.to_string(), "`a``b`.`c``; DROP TABLE x; --`");
    }
}
