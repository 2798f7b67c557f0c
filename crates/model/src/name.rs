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
    /// What a message is about: the table, or the database where the table's name is empty.
    pub fn object(&self) -> String {
        match self.table.as_str() {
            "" => format!("database {}", quote(&self.database)),
            _ => self.to_string(),
        }
    }

    pub fn new(database: impl Into<String>, table: impl Into<String>) -> TableName {
        TableName {
            database: database.into(),
            table: table.into(),
        }
    }

    /// Reads what a user writes: `shop.orders`, or in backticks where a name holds a point or a
    /// backtick, as [`Display`](fmt::Display) prints it.
    pub fn parse(text: &str) -> Option<TableName> {
        let (database, rest) = parse_part(text)?;
        let (table, rest) = parse_part(rest.strip_prefix('.')?)?;
        rest.is_empty().then(|| TableName::new(database, table))
    }

    /// Reads a column in its table, like `shop.orders.note`.
    pub fn parse_column(text: &str) -> Option<(TableName, String)> {
        let (database, rest) = parse_part(text)?;
        let (table, rest) = parse_part(rest.strip_prefix('.')?)?;
        let (column, rest) = parse_part(rest.strip_prefix('.')?)?;
        rest.is_empty()
            .then(|| (TableName::new(database, table), column))
    }
}

/// One name at the head of a text, and what follows it.
pub(crate) fn parse_part(text: &str) -> Option<(String, &str)> {
    let Some(mut rest) = text.strip_prefix('`') else {
        let end = text.find(['.', '`']).unwrap_or(text.len());
        let (name, rest) = text.split_at(end);
        return (!name.is_empty()).then(|| (name.to_owned(), rest));
    };
    let mut name = String::new();
    loop {
        let (part, behind) = rest.split_once('`')?;
        name.push_str(part);
        match behind.strip_prefix('`') {
            Some(behind) => {
                name.push('`');
                rest = behind;
            }
            None => return (!name.is_empty()).then_some((name, behind)),
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
        assert_eq!(TableName::parse(&name.to_string()), Some(name));
    }

    #[test]
    fn names_are_read_as_users_write_them() {
        let name = |database: &str, table: &str| Some(TableName::new(database, table));
        assert_eq!(TableName::parse("shop.orders"), name("shop", "orders"));
        assert_eq!(TableName::parse("`a.b`.c"), name("a.b", "c"));
        assert_eq!(TableName::parse("shop"), None);
        assert_eq!(TableName::parse("shop."), None);
        assert_eq!(TableName::parse("a.b.c"), None);
        assert_eq!(TableName::parse("``.c"), None);
        assert_eq!(TableName::parse("`a.c"), None);
        let column = TableName::parse_column("shop.`or.ders`.`no``te`");
        assert_eq!(
            column,
            name("shop", "or.ders").map(|table| (table, "no`te".to_owned()))
        );
        assert_eq!(TableName::parse_column("shop.orders"), None);
        assert_eq!(TableName::parse_column("shop.orders.a.b"), None);
    }
}
