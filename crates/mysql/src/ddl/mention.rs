//! Whether a statement may concern certain columns at all, by the names that it holds.

use super::statement::Statement;

/// Clauses that change rows of columns that they do not name.
const CHANGES_ROWS: [&str; 3] = ["PARTITION", "CONVERT", "ORDER"];

/// True where the statement may change definition or values of a column that `is_one` names. A name
/// behind `AFTER` is a place alone.
pub fn may_concern(sql: &str, statement: &Statement, is_one: &dyn Fn(&str) -> bool) -> bool {
    let tokens = &statement.tokens;
    tokens.iter().enumerate().any(|(at, token)| {
        let is_place = at > 0 && tokens[at - 1].is_word(sql, "AFTER");
        CHANGES_ROWS.iter().any(|word| token.is_word(sql, word))
            || !is_place && token.is_name() && is_one(&token.name(sql))
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ddl::{Context, Dialect, classify};

    #[test]
    fn names_are_found_but_for_places() {
        let check = |sql: &str, expected: bool| {
            let statement = classify(sql, &Context::new("shop", Dialect::mysql(90_704)));
            let concerns = may_concern(sql, &statement, &|name| name.eq_ignore_ascii_case("note"));
            assert_eq!(concerns, expected, "{sql}");
        };
        check("ALTER TABLE t ADD x INT AFTER note", false);
        check("ALTER TABLE t ADD x INT COMMENT 'note'", false);
        check("ALTER TABLE t DROP x, ADD KEY (`Note`)", true);
        check("ALTER TABLE t CONVERT TO CHARACTER SET utf8mb4", true);
        check("ALTER TABLE t TRUNCATE PARTITION p0", true);
        check("CREATE INDEX i ON t (note)", true);
    }
}
