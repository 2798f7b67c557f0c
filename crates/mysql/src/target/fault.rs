//! What goes wrong in a target, as faults: codes, wording, and what may be said of a server's text.
//!
//! Server messages may quote row values, so of a refused row only the error number and the column
//! are passed on. Codes are listed in `docs/errors/target.md`.

use crate::session::SessionError;
use wherry_model::{Class, Fault, TableName};

/// Deadlock, and a lock that was not given in time: the transaction may simply be done again.
const RETRY_CODES: [u16; 2] = [1213, 1205];
pub(super) const DUPLICATE_KEY: u16 = 1062;
pub(super) const UNKNOWN_DATABASE: u16 = 1049;
pub(super) const UNKNOWN_TABLE: u16 = 1146;
pub(super) const NULL_NOT_ALLOWED: u16 = 1048;
/// A foreign key refuses a row: its parent is missing, its children are there, or its cascade goes
/// beyond what the server does.
const FOREIGN_KEY_CODES: [u16; 8] = [1216, 1217, 1451, 1452, 1761, 1762, 3008, 6575];
/// `LOAD DATA LOCAL` switched off: at the server, in older servers, by the client's side.
const LOCAL_INFILE_OFF: [u16; 3] = [3948, 1148, 4166];
/// A name that another table's CHECK or foreign key has, and what a foreign key misses in the table
/// that it refers to, or what one of another table needs.
const OTHER_TABLE_CODES: [u16; 14] = [
    1553, 1822, 1824, 1826, 1828, 1829, 1832, 1833, 3730, 3734, 3780, 3822, 6125, 1005,
];
/// Trouble of the account or of the whole server, not of one row.
const SERVER_CODES: [u16; 16] = [
    1021, 1044, 1045, 1114, 1142, 1143, 1205, 1213, 1227, 1290, 1317, 1792, 1836, 3024, 3100, 3101,
];

pub(super) fn is_retry(error: &SessionError) -> bool {
    error
        .server_code()
        .is_some_and(|code| RETRY_CODES.contains(&code))
}

pub(super) fn is_local_infile_off(error: &SessionError) -> bool {
    error
        .server_code()
        .is_some_and(|code| LOCAL_INFILE_OFF.contains(&code))
}

/// True where the statement was answered by the server, so that the connection still stands.
pub(super) fn is_answered(error: &SessionError) -> bool {
    error.server_code().is_some() && !is_lost(error)
}

/// True where nobody knows whether the statement ran.
pub(super) fn is_lost(error: &SessionError) -> bool {
    match error.server_code() {
        // The server was shut down or the session was killed in the middle.
        Some(code) => matches!(code, 1053 | 1077 | 1079 | 1927 | 2006 | 2013 | 3169 | 4031),
        None => !matches!(error, SessionError::Feed(_)),
    }
}

pub(super) fn taken_over() -> Fault {
    Fault::new(
        "TGT-001",
        Class::Fenced,
        "the task was taken over by another runner or is cut over",
    )
    .hint("Let the other runner go on; do not start this one again.")
}

pub(super) fn cut_over() -> Fault {
    Fault::new("TGT-002", Class::Fenced, "the task is already cut over")
        .hint("Nothing is left to do; start a new task under another name to move data again.")
}

pub(super) fn not_claimed() -> Fault {
    Fault::bug(
        "TGT-003",
        "a write was asked for before the task was claimed",
    )
}

pub(super) fn unreadable_state(what: &str) -> Fault {
    Fault::operator(
        "TGT-004",
        format!("stored state is unreadable: {what} in Wherry's own tables"),
    )
    .hint("Restore Wherry's state database from the time before it was edited, or start the task anew in an empty target.")
}

pub(super) fn state_moved(what: &str) -> Fault {
    Fault::bug(
        "TGT-005",
        format!("stored state is not as expected: {what}"),
    )
}

/// A statement on rows of `table` that the server refused.
pub(super) fn row_fault(error: SessionError, table: &TableName) -> Fault {
    let Some(code) = error.server_code() else {
        return error.into_fault();
    };
    if error.is_transient() || is_lost(&error) || SERVER_CODES.contains(&code) {
        return error.into_fault();
    }
    if FOREIGN_KEY_CODES.contains(&code) {
        return Fault::operator(
            "TGT-026",
            format!("a foreign key of target table {table} refused a change of the source: server error {code}"),
        )
        .hint("Compare both sides with `wherry verify`. Where the target was written to by others, load these tables anew in a task of their own. Errors 3008 and 6575: the target cascades less far than the source; start it with innodb_native_foreign_keys = ON.")
        .table(table);
    }
    let column = quoted_after(&error.to_string(), "column ")
        .map(|column| format!(" for column `{column}`"))
        .unwrap_or_default();
    Fault::operator(
        "TGT-020",
        format!("could not write a row to target table {table}: server error {code}{column}"),
    )
    .hint("Make the target's column hold what the source's holds, then start the table again.")
    .table(table)
}

/// A DDL that the server refused; names may be shown, values may not.
pub(super) fn ddl_fault(error: SessionError, table: &TableName) -> Fault {
    let Some(code) = error.server_code() else {
        return error.into_fault();
    };
    if error.is_transient() || is_lost(&error) {
        return error.into_fault();
    }
    let reason = redacted(&error);
    let message = format!(
        "could not change the definition of target table {table}: server error {code}: {reason}"
    );
    let (code, hint) = match OTHER_TABLE_CODES.contains(&code) {
        true => (
            ABOUT_ANOTHER,
            "Look at the other table in source and target: it has the name, or lacks what is referred to. Make both alike, then start the table again.",
        ),
        false => (
            "TGT-040",
            "Change the definition so that the target accepts it, then start the table again.",
        ),
    };
    Fault::operator(code, message).hint(hint).table(table)
}

/// Of a definition that the server refused for what another table is.
const ABOUT_ANOTHER: &str = "TGT-045";

pub(super) fn is_about_another_table(refusal: &Fault) -> bool {
    refusal.code == ABOUT_ANOTHER
}

/// The server's text without quoted values where the error is known to quote them.
pub(super) fn redacted(error: &SessionError) -> String {
    let SessionError::Server { code, message, .. } = error else {
        return error.to_string();
    };
    if !matches!(
        code,
        1062 | 1264 | 1265 | 1292 | 1366 | 1367 | 1411 | 1525 | 1586 | 3140..=3160
    ) {
        return message.clone();
    }
    let mut parts = message.split('\'');
    let mut text = parts.next().unwrap_or_default().to_owned();
    for (index, part) in parts.enumerate() {
        text.push_str(if index % 2 == 0 { "'..'" } else { part });
    }
    text
}

/// The text in single quotes that follows `word`.
pub(super) fn quoted_after(message: &str, word: &str) -> Option<String> {
    let begin = message.find(&format!("{word}'"))? + word.len() + 1;
    let rest = &message[begin..];
    rest.find('\'').map(|end| rest[..end].to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn server(code: u16, message: &str) -> SessionError {
        SessionError::Server {
            code,
            sqlstate: "HY000".to_owned(),
            message: message.to_owned(),
            statement_index: 0,
        }
    }

    #[test]
    fn a_refused_row_shows_its_column_and_no_value() {
        let error = server(
            1366,
            "Incorrect integer value: 'secret' for column 'qty' at row 1",
        );
        let fault = row_fault(error, &TableName::new("a", "b"));
        assert_eq!(
            fault.message,
            "could not write a row to target table `a`.`b`: server error 1366 for column `qty`"
        );
        assert!(fault.causes().is_empty());
    }

    #[test]
    fn values_in_server_texts_are_hidden() {
        let error = server(1062, "Duplicate entry 'secret' for key 't.u'");
        assert_eq!(redacted(&error), "Duplicate entry '..' for key '..'");
        let error = server(1054, "Unknown column 'c' in 'table'");
        assert_eq!(redacted(&error), "Unknown column 'c' in 'table'");
    }
}
