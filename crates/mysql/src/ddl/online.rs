//! Changes that online-DDL tools make: on an empty copy, which they fill by the names of columns.
//!
//! Owns when the same `ALTER TABLE` on a table with rows gives the same rows. What is not sure to
//! do so is named; nothing is guessed.

use super::alter::clauses;
use super::definition::{AttributeKind, ColumnParts, Definition, KeyClause, KeyKind};
use super::lexer::Token;
use super::statement::{Context, Statement, StatementKind};

/// First words of the clauses that do to rows only what the definition shows afterwards.
const PLAIN: [&str; 25] = [
    "ADD",
    "DROP",
    "MODIFY",
    "CHANGE",
    "ALTER",
    "RENAME",
    "FORCE",
    "DEFAULT",
    "CHARACTER",
    "CHARSET",
    "COLLATE",
    "ENGINE",
    "AUTO_INCREMENT",
    "COMMENT",
    "ROW_FORMAT",
    "KEY_BLOCK_SIZE",
    "STATS_PERSISTENT",
    "STATS_AUTO_RECALC",
    "STATS_SAMPLE_PAGES",
    "MIN_ROWS",
    "MAX_ROWS",
    "AVG_ROW_LENGTH",
    "COMPRESSION",
    "ALGORITHM",
    "LOCK",
];

/// True for an `ALTER TABLE` that only sets the counter.
pub fn sets_counter_only(sql: &str, statement: &Statement) -> bool {
    let clauses = clauses(statement);
    statement.kind == StatementKind::AlterTable
        && !clauses.is_empty()
        && clauses
            .into_iter()
            .all(|clause| statement.tokens[clause.start].is_word(sql, "AUTO_INCREMENT"))
}

/// Why the statement may give other rows on a filled table; `kept` are the names of the columns
/// that stand in the table before and after it.
pub fn moves_values(sql: &str, statement: &Statement, kept: &[&str]) -> Option<&'static str> {
    if statement.kind != StatementKind::AlterTable {
        return Some("its copy was changed by something else than ALTER TABLE");
    }
    let tokens = |clause: std::ops::Range<usize>| &statement.tokens[clause];
    clauses(statement)
        .into_iter()
        .find_map(|clause| clause_moves_values(sql, tokens(clause), kept))
}

fn clause_moves_values(sql: &str, clause: &[Token], kept: &[&str]) -> Option<&'static str> {
    let is = |at: usize, word: &str| clause.get(at).is_some_and(|token| token.is_word(sql, word));
    let name = |at: usize| {
        clause
            .get(at)
            .map(|token| token.name(sql))
            .unwrap_or_default()
    };
    let column = 1 + usize::from(is(1, "COLUMN"));
    if !PLAIN.iter().any(|word| is(0, word)) {
        return Some("its change has a clause that may move or convert rows");
    }
    if is(0, "RENAME") && !is(1, "INDEX") && !is(1, "KEY") {
        return Some("its change renames a column, and how the tool copied it is not known");
    }
    if is(0, "CHANGE") {
        let from = column + 2 * usize::from(is(column, "IF") && is(column + 1, "EXISTS"));
        if !name(from).eq_ignore_ascii_case(&name(from + 1)) {
            return Some("its change renames a column, and how the tool copied it is not known");
        }
    }
    let others = [
        "INDEX",
        "KEY",
        "PRIMARY",
        "FOREIGN",
        "CONSTRAINT",
        "CHECK",
        "PARTITION",
    ];
    if is(0, "DROP") && !others.iter().any(|word| is(1, word)) {
        let from = column + 2 * usize::from(is(column, "IF") && is(column + 1, "EXISTS"));
        if kept
            .iter()
            .any(|kept| kept.eq_ignore_ascii_case(&name(from)))
        {
            return Some(
                "its change drops a column and adds one of the same name, whose values the tool copies",
            );
        }
    }
    None
}

/// Why rows that were copied from a table like `before` into an empty one like `after` may differ
/// from rows that were changed in place. Columns that both have are not looked at.
pub fn copies_otherwise(
    before: &Definition,
    after: &Definition,
    context: &Context,
) -> Option<&'static str> {
    if !before.foreign_keys.is_empty() || !after.foreign_keys.is_empty() {
        return Some("it has foreign keys, which a tool makes anew under other names");
    }
    if before.partitions != after.partitions || before.others != after.others {
        return Some("its partitions change, and a tool passes over rows that fit into none");
    }
    if after
        .checks
        .iter()
        .any(|check| !before.checks.contains(check))
    {
        return Some("its change adds a CHECK, and a tool passes over rows that break it");
    }
    if unique_keys(after).any(|key| !unique_keys(before).any(|old| old == key)) {
        return Some(
            "its change adds a unique key, and a tool passes over rows that meet others on it",
        );
    }
    if before.primary_key != after.primary_key {
        return Some("its primary key changes");
    }
    let old = |name: &str| {
        before
            .columns
            .iter()
            .any(|column| column.name.eq_ignore_ascii_case(name))
    };
    after
        .columns
        .iter()
        .filter(|column| !old(&column.name) && !column.generated)
        .find_map(|column| added_value_varies(&column.text, context))
}

fn unique_keys(definition: &Definition) -> impl Iterator<Item = &KeyClause> {
    definition
        .keys
        .iter()
        .filter(|key| key.kind == KeyKind::Unique)
}

/// A new column must have the same value in every row, whenever the row is written.
fn added_value_varies(text: &str, context: &Context) -> Option<&'static str> {
    let Some(parts) = ColumnParts::parse(text, context) else {
        return Some("it has a new column that could not be read");
    };
    if parts.has(AttributeKind::AutoIncrement) {
        return Some("it has a new column that numbers the rows");
    }
    match parts.value(AttributeKind::Default) {
        None if parts.has(AttributeKind::NotNull) => {
            Some("it has a new column without NULL and without a default")
        }
        None => None,
        Some(value) if is_constant(value) => None,
        Some(_) => Some("the default of a new column is no constant"),
    }
}

/// A quoted text, a number, NULL or a bit or hexadecimal literal; no function and no expression.
fn is_constant(value: &str) -> bool {
    let value = value.trim();
    let quoted = value.find('\'').is_some_and(|at| {
        value.ends_with('\'')
            && value[..at]
                .chars()
                .all(|letter| letter.is_ascii_alphanumeric() || letter == '_')
    });
    let number = !value.is_empty()
        && value
            .chars()
            .all(|letter| letter.is_ascii_digit() || "+-.eE".contains(letter));
    quoted || number || value.eq_ignore_ascii_case("NULL")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ddl::{Dialect, classify};

    fn context() -> Context<'static> {
        Context::new("d", Dialect::mysql(90_704))
    }

    fn check_clauses(sql: &str, moves: bool) {
        let statement = classify(sql, &context());
        let found = moves_values(sql, &statement, &["id", "kept"]);
        assert_eq!(found.is_some(), moves, "{sql}: {found:?}");
    }

    #[test]
    fn clauses_that_move_values_are_found() {
        check_clauses(
            "ALTER TABLE _t_gho ADD COLUMN a INT, ADD KEY (a), DROP COLUMN gone",
            false,
        );
        check_clauses(
            "ALTER TABLE _t_gho CHANGE kept `KEPT` BIGINT, RENAME INDEX a TO b",
            false,
        );
        check_clauses(
            "ALTER TABLE _t_gho ENGINE=InnoDB, DROP INDEX kept, DROP CHECK kept",
            false,
        );
        check_clauses("ALTER TABLE _t_gho CHANGE COLUMN kept other INT", true);
        check_clauses("ALTER TABLE _t_gho RENAME COLUMN kept TO other", true);
        check_clauses("ALTER TABLE _t_gho RENAME TO other", true);
        check_clauses(
            "ALTER TABLE _t_gho DROP COLUMN `kept`, ADD COLUMN kept INT",
            true,
        );
        check_clauses("ALTER TABLE _t_gho DROP kept", true);
        check_clauses("ALTER TABLE _t_gho ORDER BY kept", true);
        check_clauses("ALTER TABLE _t_gho CONVERT TO CHARACTER SET latin1", true);
        check_clauses("ALTER TABLE _t_gho TRUNCATE PARTITION p", true);
        check_clauses("CREATE INDEX a ON _t_gho (kept)", true);
    }

    fn check_definitions(added: &str, varies: bool) {
        let definition = |more: &str| {
            let text = format!(
                "CREATE TABLE `t` (\n  `id` int NOT NULL,\n  `a` int DEFAULT NULL{more},\n  PRIMARY KEY (`id`)\n) ENGINE=InnoDB"
            );
            Definition::parse(&text, &context()).expect("a definition")
        };
        let after = definition(&format!(",\n  {added}"));
        let found = copies_otherwise(&definition(""), &after, &context());
        assert_eq!(found.is_some(), varies, "{added}: {found:?}");
    }

    #[test]
    fn values_that_depend_on_the_moment_are_found() {
        check_definitions("`b` int NOT NULL DEFAULT '3'", false);
        check_definitions("`b` varchar(9) DEFAULT 'a (b) CURRENT_TIMESTAMP'", false);
        check_definitions("`b` varchar(9) COLLATE utf8mb4_bin DEFAULT NULL", false);
        check_definitions("`b` bit(4) DEFAULT b'101'", false);
        check_definitions("`b` int GENERATED ALWAYS AS (`a` + 1) STORED", false);
        check_definitions("KEY `b` (`a`)", false);
        check_definitions("`b` int NOT NULL", true);
        check_definitions("`b` timestamp NULL DEFAULT CURRENT_TIMESTAMP", true);
        check_definitions("`b` int DEFAULT (`a` + 1)", true);
        check_definitions("`b` varchar(36) DEFAULT (uuid())", true);
        check_definitions("UNIQUE KEY `b` (`a`)", true);
        check_definitions("CONSTRAINT `b` CHECK (`a` > 1)", true);
        check_definitions(
            "CONSTRAINT `b` FOREIGN KEY (`a`) REFERENCES `u` (`id`)",
            true,
        );
    }
}
