//! `CREATE DATABASE` and `ALTER DATABASE`: the options that decide what new tables take.

use super::rules::default_collation;
use super::statement::Statement;
use wherry_model::name::quote;

/// The character set and collation that such a statement names. Encryption, comments and the like
/// stay behind. `None` where it names neither.
pub fn database_options(sql: &str, statement: &Statement) -> Option<String> {
    let tokens = &statement.tokens;
    let is = |at: usize, word: &str| tokens.get(at).is_some_and(|token| token.is_word(sql, word));
    let mut options = Vec::new();
    let (mut collated, mut unicode) = (false, false);
    let behind_name = statement.names.first().map_or(0, |name| name.span.end);
    let first = tokens.partition_point(|token| token.start < behind_name);
    for at in first..tokens.len() {
        let words = match () {
            () if is(at, "CHARSET") || is(at, "COLLATE") => 1,
            () if (is(at, "CHARACTER") || is(at, "CHAR")) && is(at + 1, "SET") => 2,
            () => continue,
        };
        let value = at + words;
        let value = value + usize::from(tokens.get(value)?.is_symbol(b'='));
        let name = &sql[tokens.get(value)?.start..tokens.get(value)?.end];
        let collates = is(at, "COLLATE");
        collated |= collates;
        unicode |= !collates
            && name
                .trim_matches(['\'', '"', '`'])
                .eq_ignore_ascii_case("utf8mb4");
        let option = if collates { "COLLATE" } else { "CHARACTER SET" };
        options.push(format!("{option} {name}"));
    }
    if unicode && !collated {
        let collation = default_collation("utf8mb4", statement.dialect);
        options.extend(collation.map(|name| format!("COLLATE {}", quote(&name))));
    }
    (!options.is_empty()).then(|| options.join(" "))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ddl::{Context, Dialect, classify};

    const MARIADB: Dialect = Dialect {
        mariadb: true,
        version: 101_100,
    };
    const MYSQL: Dialect = Dialect {
        mariadb: false,
        version: 90_700,
    };

    fn check(dialect: Dialect, sql: &str, expected: Option<&str>) {
        let statement = classify(sql, &Context::new("d", dialect));
        let options = database_options(sql, &statement);
        assert_eq!(options.as_deref(), expected, "{sql}");
    }

    #[test]
    fn only_character_set_and_collation_are_taken() {
        check(MYSQL, "CREATE DATABASE charset ENCRYPTION 'N'", None);
        check(MYSQL, "ALTER DATABASE d ENCRYPTION='N' READ ONLY = 0", None);
        check(
            MYSQL,
            "ALTER DATABASE DEFAULT CHARACTER SET = latin1 ENCRYPTION 'Y'",
            Some("CHARACTER SET latin1"),
        );
        check(
            MYSQL,
            "CREATE SCHEMA IF NOT EXISTS d CHARSET 'utf8mb4' COLLATE utf8mb4_bin",
            Some("CHARACTER SET 'utf8mb4' COLLATE utf8mb4_bin"),
        );
        check(
            MARIADB,
            "CREATE OR REPLACE DATABASE d COMMENT 'CHARSET x' CHAR SET utf8mb4",
            Some("CHARACTER SET utf8mb4 COLLATE `utf8mb4_general_ci`"),
        );
    }
}
