//! What an account's own sessions are busy with, for people who ask why nothing moves.

use crate::session::{Endpoint, RowSet, Session, SessionKind};
use wherry_model::Fault;

/// Busy for less than this is ordinary work.
const BUSY_SECONDS_MIN: u32 = 5;
/// Longest statement text that is shown.
const TEXT_CHARACTERS_MAX: usize = 80;

/// One busy session.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BusySession {
    /// The server's own word, like `waiting for handler commit`.
    pub state: String,
    /// The head of the statement, without any value.
    pub statement: String,
    pub since_seconds: u64,
}

/// Busy sessions of this account, the longest first. Needs no right: an account always sees its
/// own sessions.
pub async fn busy_sessions(endpoint: &Endpoint) -> Result<Vec<BusySession>, Fault> {
    let mut session = Session::connect(endpoint, SessionKind::Control)
        .await
        .map_err(crate::session::SessionError::into_fault)?;
    let sql = format!(
        "SELECT TIME, STATE, INFO FROM information_schema.PROCESSLIST \
         WHERE USER = SUBSTRING_INDEX(USER(), '@', 1) AND ID <> CONNECTION_ID() \
         AND COMMAND = 'Query' AND TIME >= {BUSY_SECONDS_MIN} ORDER BY TIME DESC LIMIT 20"
    );
    let rows = session
        .query(sql)
        .await
        .map_err(crate::session::SessionError::into_fault)?;
    session.close().await;
    Ok(busy(&rows))
}

fn busy(rows: &RowSet) -> Vec<BusySession> {
    (0..rows.rows.len())
        .map(|row| BusySession {
            since_seconds: rows
                .text(row, 0)
                .and_then(|seconds| seconds.parse().ok())
                .unwrap_or(0),
            state: rows.text(row, 1).unwrap_or("").to_owned(),
            statement: head(&String::from_utf8_lossy(
                rows.bytes(row, 2).unwrap_or_default(),
            )),
        })
        .collect()
}

/// The words of a statement before the first place where a value may stand.
fn head(statement: &str) -> String {
    let cut = statement
        .find(['(', '\'', '"', '='])
        .unwrap_or(statement.len());
    let words: Vec<&str> = statement[..cut]
        .split_whitespace()
        .take_while(|word| !word.eq_ignore_ascii_case("where"))
        .filter(|word| !word.starts_with(|c: char| c.is_ascii_digit()))
        .collect();
    let head: String = words.join(" ").chars().take(TEXT_CHARACTERS_MAX).collect();
    if head.len() < statement.trim().len() {
        format!("{head} ...")
    } else {
        head
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn heads_hold_no_values() {
        let check = |statement: &str, expected: &str| assert_eq!(head(statement), expected);
        check("COMMIT", "COMMIT");
        check(
            "INSERT INTO `s`.`t` (a, b) VALUES (1, 'secret')",
            "INSERT INTO `s`.`t` ...",
        );
        check(
            "UPDATE `s`.`t` SET a = 'secret' WHERE id = 4",
            "UPDATE `s`.`t` SET a ...",
        );
        check("DELETE FROM t WHERE id IN (1, 2)", "DELETE FROM t ...");
        check(
            "ALTER TABLE `s`.`t` ADD KEY k (a)",
            "ALTER TABLE `s`.`t` ADD KEY k ...",
        );
        check("SELECT 4711", "SELECT ...");
    }
}
