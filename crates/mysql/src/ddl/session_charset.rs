//! Character sets that a statement takes from its session: no binlog tells which one that is.

use super::statement::{Statement, StatementKind};
use super::translate::Text;

/// True where a table gets the default character set that the session has for its database.
///
/// `altered`: the defaults of the database have changed, so that sessions may hold older ones. A
/// session of MariaDB keeps those that a database had when it entered it, and makes tables with
/// them; one of MySQL does so where the statement asks for `DEFAULT`.
///
/// Source: measured with two sessions, one of which alters the database that the other one is in, on
/// MariaDB 10.11, MySQL 5.6.24 and 9.7.
pub fn takes_session_charset(
    sql: &str,
    statement: &Statement,
    default_database: &str,
    altered: bool,
) -> bool {
    let makes = match statement.kind {
        StatementKind::CreateTable | StatementKind::CreateTableSelect => true,
        StatementKind::AlterTable => false,
        _ => return false,
    };
    let text = Text::new(sql, statement);
    match text.table_charset() {
        Some(value) => text.is(value, &["DEFAULT"]),
        None => {
            let is_entered = statement
                .subjects()
                .next()
                .is_some_and(|table| table.database == default_database);
            makes && altered && is_entered && statement.dialect.keeps_entered_charset()
        }
    }
}

impl Text<'_> {
    /// The token that names the last character set or collation of the table itself.
    fn table_charset(&self) -> Option<usize> {
        let name_end = self.statement.names.first().map_or(0, |name| name.span.end);
        let mut at = self.tokens.partition_point(|token| token.start < name_end);
        let mut found = None;
        while at < self.tokens.len() {
            let Some(words) = self.charset_words(at) else {
                at = self.behind(at);
                continue;
            };
            at += words;
            at += usize::from(self.is_symbol(at, b'='));
            found = Some(at);
        }
        found
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ddl::{Context, Dialect, classify};

    fn check(dialect: Dialect, sql: &str, altered: bool, expected: bool) {
        let statement = classify(sql, &Context::new("d", dialect));
        let found = takes_session_charset(sql, &statement, "d", altered);
        assert_eq!(found, expected, "{sql}");
    }

    #[test]
    fn a_default_of_the_session_is_seen() {
        let (maria, mysql) = (Dialect::mariadb(101_100), Dialect::mysql(90_700));
        let plain = "CREATE TABLE t (s VARCHAR(3) CHARACTER SET latin1) COMMENT 'CHARSET utf8mb4'";
        check(maria, plain, true, true);
        check(maria, plain, false, false);
        check(mysql, plain, true, false);
        check(maria, "CREATE TABLE e.t (s CHAR(3))", true, false);
        check(
            maria,
            "CREATE TABLE `d`.`t` (s CHAR(3)) ENGINE=InnoDB",
            true,
            true,
        );
        check(
            maria,
            "CREATE TABLE t (s CHAR(3)) DEFAULT CHARSET = latin1",
            true,
            false,
        );
        check(
            maria,
            "CREATE TABLE t (s CHAR(3)) COLLATE latin1_bin",
            true,
            false,
        );
        check(maria, "CREATE TABLE charset (s CHAR(3))", true, true);
        check(maria, "CREATE TABLE t LIKE e.u", true, false);
        check(maria, "ALTER TABLE t ADD s CHAR(3)", true, false);
        for dialect in [maria, mysql] {
            check(
                dialect,
                "CREATE TABLE t (s CHAR(3)) CHARSET DEFAULT",
                false,
                true,
            );
            check(
                dialect,
                "ALTER TABLE t CONVERT TO CHARACTER SET DEFAULT",
                false,
                true,
            );
            check(
                dialect,
                "ALTER TABLE e.t ADD x INT, DEFAULT CHARACTER SET = DEFAULT",
                false,
                true,
            );
            check(
                dialect,
                "ALTER TABLE t CONVERT TO CHARSET latin1",
                false,
                false,
            );
            check(
                dialect,
                "ALTER TABLE t MODIFY s CHAR(3) CHARACTER SET latin1 DEFAULT 'x'",
                false,
                false,
            );
        }
    }
}
