//! `CONVERT TO CHARACTER SET` as MySQL 5.6 takes it.
//!
//! Where it finds no column to convert, 5.6 takes the statement for one that does nothing and leaves
//! the table's default character set as it was, which later servers change. And it takes the last
//! one of several, which later servers refuse. Pure; the caller knows the table.

use super::alter::clauses;
use super::definition::{AttributeKind, ColumnParts, Definition};
use super::rules::{collation_name, default_collation};
use super::statement::{Context, Dialect, Statement, StatementKind};
use super::translate::{Text, forgotten};
use std::ops::Range;

/// True where the statement did nothing at its source. `before` is the table as it was, in the
/// words of `dialect`.
pub fn converts_nothing(
    sql: &str,
    statement: &Statement,
    before: &Definition,
    dialect: Dialect,
) -> bool {
    let is_alter = statement.kind == StatementKind::AlterTable;
    if !is_alter || !statement.dialect.forgets_lone_conversions() {
        return false;
    }
    let text = Text::new(sql, statement);
    let mut clauses = clauses(statement);
    let forgotten = forgotten(sql, statement);
    // A default that a conversion overrides is a change all the same.
    clauses.retain(|clause| text.only_says_charset(clause) || !forgotten.contains(clause));
    clauses.retain(|clause| !text.only_says_how(clause));
    let converts = |clause: &Range<usize>| text.is(clause.start, &["CONVERT"]);
    let Some(last) = clauses.last().filter(|_| clauses.iter().all(converts)) else {
        return false;
    };
    let wanted = text.wanted_collation(last);
    let all = collations(before, dialect);
    all.iter().all(|found| found.is_some() && *found == wanted)
}

/// True where another server would give changed columns other types, because the statement converts
/// the table as well.
pub fn converts_what_it_changes(sql: &str, statement: &Statement) -> bool {
    statement.dialect.converts_to_the_given_type()
        && converts_table(sql, statement)
        && has_clause(sql, statement, &["MODIFY", "CHANGE"])
}

/// True where the source may have taken a conversion for one that does nothing, and nobody can tell: a
/// key that is dropped and made again as it was is no change to it.
pub fn may_convert_nothing(sql: &str, statement: &Statement) -> bool {
    statement.dialect.forgets_lone_conversions()
        && converts_table(sql, statement)
        && has_clause(sql, statement, &["DROP"])
        && has_clause(sql, statement, &["ADD"])
}

/// True where the table is converted and its character set is said once more: MariaDB takes both
/// together, by rules of its own.
pub fn converts_twice(sql: &str, statement: &Statement) -> bool {
    if !statement.dialect.joins_conversions() || !converts_table(sql, statement) {
        return false;
    }
    let text = Text::new(sql, statement);
    let mut clauses = clauses(statement);
    clauses.retain(|clause| text.says_charset(clause));
    clauses.len() > 1
}

/// True where an `ALTER TABLE` may give a column both another name and another type.
pub fn changes_a_column(sql: &str, statement: &Statement) -> bool {
    statement.kind == StatementKind::AlterTable && has_clause(sql, statement, &["CHANGE"])
}

/// True for an `ALTER TABLE` that converts the whole table to a character set.
pub fn converts_table(sql: &str, statement: &Statement) -> bool {
    statement.kind == StatementKind::AlterTable && has_clause(sql, statement, &["CONVERT"])
}

fn has_clause(sql: &str, statement: &Statement, words: &[&str]) -> bool {
    let text = Text::new(sql, statement);
    let clauses = clauses(statement);
    clauses.iter().any(|clause| text.is(clause.start, words))
}

impl Text<'_> {
    /// The clauses on character sets that stand before the last conversion.
    pub(super) fn overridden(&self) -> Vec<Range<usize>> {
        let statement = self.statement;
        let is_alter = statement.kind == StatementKind::AlterTable;
        if !is_alter || !statement.dialect.takes_last_conversion() {
            return Vec::new();
        }
        let mut clauses = clauses(statement);
        let converts = |clause: &Range<usize>| self.is(clause.start, &["CONVERT"]);
        clauses.truncate(clauses.iter().rposition(converts).unwrap_or(0));
        clauses.retain(|clause| converts(clause) || self.only_says_charset(clause));
        clauses
    }

    /// `[DEFAULT] CHARACTER SET [=] a [COLLATE [=] b]` and nothing else.
    fn only_says_charset(&self, clause: &Range<usize>) -> bool {
        let mut at = clause.start;
        while at < clause.end {
            at += usize::from(self.is(at, &["DEFAULT"]));
            let Some(words) = self.charset_words(at) else {
                return false;
            };
            at += words;
            at += 1 + usize::from(self.is_symbol(at, b'='));
        }
        true
    }

    /// How many words at this token say that a character set or collation follows; `None` where it
    /// does not.
    pub(super) fn charset_words(&self, at: usize) -> Option<usize> {
        let one = self.is(at, &["CHARSET", "COLLATE"]);
        let two = self.is(at, &["CHARACTER", "CHAR"]) && self.is(at + 1, &["SET"]);
        match (one, two) {
            (true, _) => Some(1),
            (_, true) => Some(2),
            _ => None,
        }
    }

    /// A character set or collation of the table, not that of a column.
    fn says_charset(&self, clause: &Range<usize>) -> bool {
        let of_column = self.is(clause.start, &["ADD", "MODIFY", "CHANGE"]);
        !of_column && clause.clone().any(|at| self.charset_words(at).is_some())
    }

    /// `LOCK` and `ALGORITHM`, but not the one that copies the table and with it its default.
    fn only_says_how(&self, clause: &Range<usize>) -> bool {
        let copies = clause.clone().any(|at| self.is(at, &["COPY"]));
        self.is(clause.start, &["LOCK"]) || (self.is(clause.start, &["ALGORITHM"]) && !copies)
    }

    /// `None` where it is that of the database.
    fn wanted_collation(&self, conversion: &Range<usize>) -> Option<String> {
        let behind = |words: &[&str]| {
            let at = conversion.clone().find(|at| self.is(*at, words))? + 1;
            let token = self.tokens.get(at).filter(|_| at < conversion.end)?;
            Some(token.name(self.sql))
        };
        if let Some(collation) = behind(&["COLLATE"]) {
            return Some(collation_name(&collation, true));
        }
        let charset = behind(&["SET", "CHARSET"])?;
        default_collation(&charset, self.statement.dialect)
    }
}

/// The collation of each column with text.
fn collations(table: &Definition, dialect: Dialect) -> Vec<Option<String>> {
    let own = match (table.option("COLLATE"), table.option("CHARSET")) {
        (Some(collation), _) => Some(collation_name(collation, true)),
        (None, Some(charset)) => default_collation(charset, dialect),
        (None, None) => None,
    };
    let context = Context::new("", dialect);
    let of_column = |parts: ColumnParts| match (
        parts.value(AttributeKind::Collate),
        parts.value(AttributeKind::Charset),
    ) {
        (Some(collation), _) => Some(collation_name(collation, true)),
        (None, Some(charset)) => default_collation(charset, dialect),
        (None, None) => own.clone(),
    };
    table
        .columns
        .iter()
        .filter_map(|column| ColumnParts::parse(&column.text, &context))
        .filter(ColumnParts::has_text)
        .map(of_column)
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ddl::{carried, classify};
    use wherry_model::TableName;

    const OLD: Dialect = Dialect::mysql(50_624);

    fn check(columns: &str, options: &str, clauses: &str, expected: bool) {
        let text =
            format!("CREATE TABLE `t` (`id` int(11) NOT NULL{columns}) ENGINE=InnoDB {options}");
        let context = Context::new("d", OLD);
        let before = Definition::parse(&text, &context).expect("a definition");
        let sql = format!("ALTER TABLE t {clauses}");
        let statement = classify(&sql, &context);
        assert_eq!(
            converts_nothing(&sql, &statement, &before, OLD),
            expected,
            "{columns} {options}: {clauses}"
        );
    }

    /// Each as MySQL 5.6.24 did it.
    #[test]
    fn a_table_that_is_converted_twice_is_seen() {
        let check = |dialect: Dialect, clauses: &str, expected: bool| {
            let sql = format!("ALTER TABLE t {clauses}");
            let statement = classify(&sql, &Context::new("d", dialect));
            assert_eq!(converts_twice(&sql, &statement), expected, "{clauses}");
        };
        let maria = Dialect::mariadb(101_100);
        let twice = "CONVERT TO CHARSET utf8mb4, COMMENT 'x' DEFAULT CHARACTER SET = utf8mb4";
        check(maria, twice, true);
        check(OLD, twice, false);
        check(
            maria,
            "CONVERT TO CHARSET utf8mb4 COLLATE utf8mb4_bin",
            false,
        );
        check(
            maria,
            "CONVERT TO CHARSET utf8mb4, MODIFY s TEXT CHARSET latin1",
            false,
        );
        check(maria, "CHARSET utf8mb4, COLLATE utf8mb4_bin", false);
    }

    #[test]
    fn a_lone_conversion_without_text_to_convert_does_nothing() {
        let latin = "DEFAULT CHARSET=latin1";
        let lone = "CONVERT TO CHARACTER SET utf8mb4";
        check("", latin, lone, true);
        check("", latin, "CONVERT TO CHARSET DEFAULT", true);
        check(
            "",
            latin,
            "LOCK = NONE, CONVERT TO CHARSET utf8mb4, ALGORITHM=DEFAULT",
            true,
        );
        check(
            "",
            latin,
            "CONVERT TO CHARSET utf8mb4, ADD CONSTRAINT c CHECK (id > 0)",
            true,
        );
        check(
            "",
            latin,
            "CONVERT TO CHARSET utf8mb4, ALGORITHM=COPY",
            false,
        );
        check("", latin, "CONVERT TO CHARSET utf8mb4, ADD x INT", false);
        check("", latin, "CONVERT TO CHARSET utf8mb4, COMMENT 'x'", false);
        check("", latin, "CONVERT TO CHARSET utf8mb4, DISABLE KEYS", false);
        check("", latin, "DEFAULT CHARSET utf8mb4", false);
        let (bin, twice) = (
            "CONVERT TO CHARSET utf8mb4 COLLATE utf8mb4_bin",
            "CONVERT TO CHARSET utf8mb4, CONVERT TO CHARSET utf8mb4 COLLATE utf8mb4_bin",
        );
        check("", latin, twice, true);
        let in_bin = ", `v` varchar(10) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin";
        check(in_bin, latin, twice, true);
        check(in_bin, latin, &format!("{bin}, {lone}"), false);
        check("", latin, &format!("CHARSET utf8mb4, {lone}"), false);
        let text = ", `v` varchar(10) CHARACTER SET utf8mb4, `e` enum('a') CHARACTER SET utf8mb4";
        check(text, latin, lone, true);
        check(
            text,
            latin,
            "CONVERT TO CHARSET utf8mb4 COLLATE utf8mb4_general_ci",
            true,
        );
        check(
            text,
            latin,
            "CONVERT TO CHARSET utf8mb4 COLLATE utf8mb4_bin",
            false,
        );
        check(text, latin, "CONVERT TO CHARSET DEFAULT", false);
        check(", `v` varchar(10)", latin, lone, false);
        check(", `v` varchar(10)", "DEFAULT CHARSET=utf8mb4", lone, true);
        check(", `v` blob", latin, lone, true);
        let bin = "DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin";
        check(", `v` varchar(10)", bin, lone, false);
    }

    #[test]
    fn the_last_conversion_wins() {
        let context = Context::new("d", OLD);
        let check = |clauses: &str, expected: &str| {
            let sql = format!("ALTER TABLE t {clauses}");
            let carried = carried(&sql, &classify(&sql, &context), &TableName::clone);
            let carried = carried.expect("a statement");
            let words: Vec<&str> = carried.split_whitespace().collect();
            assert_eq!(words.join(" "), format!("ALTER TABLE `d`.`t` {expected}"));
        };
        check(
            "CONVERT TO CHARSET latin1, CONVERT TO CHARSET utf8, ADD a INT",
            "CONVERT TO CHARSET utf8, ADD a INT",
        );
        check(
            "ADD a INT, DEFAULT CHARACTER SET = latin1 COLLATE latin1_bin, CONVERT TO CHARSET utf8",
            "ADD a INT, CONVERT TO CHARSET utf8",
        );
        let both = "CHARSET latin1 COMMENT 'x', CONVERT TO CHARSET latin1";
        check(both, both);
        let behind = "CONVERT TO CHARSET latin1, CHARSET latin1";
        check(behind, behind);
    }

    #[test]
    fn later_servers_change_the_default() {
        let text = "CREATE TABLE `t` (`id` int NOT NULL) ENGINE=InnoDB DEFAULT CHARSET=latin1";
        let context = Context::new("d", Dialect::mysql(90_700));
        let before = Definition::parse(text, &context).expect("a definition");
        let sql = "ALTER TABLE t CONVERT TO CHARSET utf8mb4";
        let statement = classify(sql, &context);
        assert!(!converts_nothing(
            sql,
            &statement,
            &before,
            statement.dialect
        ));
    }
}
