//! What `SHOW CREATE USER` prints, read so that it can be said again.

use super::edit::replace;
use super::lexer::{Token, lex};
use super::statement::{Context, Dialect};

/// How an account logs in. May hold a hash, so it is never shown.
pub struct Login {
    /// All behind the name but roles, for an account that is locked.
    pub clauses: String,
    /// `None` where the statement does not say it.
    pub locked: Option<bool>,
    /// More than a password is printed.
    pub more: bool,
}

/// Reads the statement; `None` where it is not understood.
///
/// Source: MySQL manual, "CREATE USER Statement"; MariaDB, "CREATE USER".
pub fn login(printed: &str, dialect: Dialect) -> Option<Login> {
    let lexed = lex(printed, &Context::new("", dialect));
    let tokens = &lexed.tokens;
    let is = |at: usize, word: &str| {
        let token: Option<&Token> = tokens.get(at);
        token.is_some_and(|token| token.is_word(printed, word))
    };
    let begin = (0..tokens.len()).find(|at| is(*at, "IDENTIFIED"))?;
    if !lexed.complete {
        return None;
    }
    let (mut locked, mut more, mut edits) = (None, false, Vec::new());
    for at in begin..tokens.len() {
        more |= ["OR", "REQUIRE", "WITH", "EXPIRE", "ACCOUNT"]
            .iter()
            .any(|word| is(at, word));
        if is(at, "DEFAULT") && is(at + 1, "ROLE") {
            let end = (at..tokens.len()).find(|end| is(*end, "REQUIRE"))?;
            edits.push((tokens[at].start..tokens[end].start, String::new()));
        }
        if is(at, "ACCOUNT") && (is(at + 1, "LOCK") || is(at + 1, "UNLOCK")) {
            locked = Some(is(at + 1, "LOCK"));
            edits.push((
                tokens[at].start..tokens[at + 1].end,
                "ACCOUNT LOCK".to_owned(),
            ));
        }
    }
    let start = tokens[begin].start;
    for (range, _) in &mut edits {
        *range = range.start - start..range.end - start;
    }
    Some(Login {
        clauses: replace(&printed[start..], edits).ok()?,
        locked,
        more,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn roles_are_cut_out_and_all_are_locked() {
        let printed = "CREATE USER `a`@`%` IDENTIFIED WITH 'p' AS 0x24 DEFAULT ROLE `REQUIRE x`@`%`,`z`@`%` \
                       REQUIRE SSL PASSWORD EXPIRE DEFAULT ACCOUNT UNLOCK PASSWORD HISTORY DEFAULT ATTRIBUTE '{\"k\": \"ACCOUNT LOCK\"}'";
        let read = login(printed, Dialect::mysql(90_700)).expect("understood");
        assert_eq!(
            read.clauses,
            "IDENTIFIED WITH 'p' AS 0x24 REQUIRE SSL PASSWORD EXPIRE DEFAULT ACCOUNT LOCK PASSWORD HISTORY DEFAULT ATTRIBUTE '{\"k\": \"ACCOUNT LOCK\"}'"
        );
        assert!(read.locked == Some(false) && read.more);
        let maria = Dialect::mariadb(101_100);
        let plain = login("CREATE USER `a`@`%` IDENTIFIED BY PASSWORD '*AB'", maria);
        assert!(!plain.expect("understood").more);
        assert!(login("CREATE USER `a`@`%`", maria).is_none());
    }
}
