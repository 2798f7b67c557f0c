//! Whether anything in a stretch of binlog may have changed one of some tables.
//!
//! Owns a short reading of the binlog for `exact`. It says yes when in doubt: a yes costs another
//! try, a wrong no would cost rows.

use crate::binlog::event::{Event, Format, RawEvent};
use crate::binlog::gtid::GtidSet;
use crate::binlog::payload::PayloadReader;
use crate::binlog::position::random_server_id;
use crate::session::{DumpRequest, Endpoint, Session, SessionKind};
use std::time::Duration;
use wherry_model::position::file_number;
use wherry_model::{Fault, Position, TableName};

const HEARTBEAT: Duration = Duration::from_secs(10);

/// True when the binlog holds, beyond `after` and up to `to`, an event that may concern one
/// of the tables, or the outcome of any XA transaction.
pub(super) async fn changed_between(
    endpoint: &Endpoint,
    after: &GtidSet,
    to: &Position,
    tables: &[TableName],
) -> Result<bool, Fault> {
    let session = Session::connect(endpoint, SessionKind::Control).await?;
    let request = DumpRequest {
        server_id: random_server_id(),
        file: String::new(),
        offset: 4,
        gtids: Some(after.encode()),
        heartbeat: HEARTBEAT,
        non_blocking: true,
    };
    let mut dump = session.binlog_dump(request).await?;
    let mut format = Format::default();
    let mut file = String::new();
    while let Some(bytes) = dump.next_event().await? {
        let raw = RawEvent::frame(&bytes, &format).map_err(unreadable)?;
        if lies_behind(&raw, &file, to) {
            break;
        }
        match Event::parse(&raw, &format).map_err(unreadable)? {
            Event::Format(new) => format = new,
            Event::Rotate { file: next, .. } => file = next,
            event if may_change(&event, tables)? => return Ok(true),
            _ => {}
        }
    }
    Ok(false)
}

/// True for an event that begins at or behind `to`.
fn lies_behind(raw: &RawEvent, file: &str, to: &Position) -> bool {
    if file_number(file) != file_number(&to.file) {
        return file_number(file) > file_number(&to.file);
    }
    // Events made up by the server have no place. An offset above 32 bits is not comparable, so
    // there the scan runs on to the end of the binlog.
    let header = &raw.header;
    header.log_pos != 0
        && to.offset <= u64::from(u32::MAX)
        && u64::from(header.log_pos.wrapping_sub(header.size)) >= to.offset
}

fn may_change(event: &Event, tables: &[TableName]) -> Result<bool, Fault> {
    Ok(match event {
        Event::TableMap(head) => tables.iter().any(|table| names_same(&head.name, table)),
        Event::Query(query) => tables
            .iter()
            .any(|table| statement_may_change(query.bytes(), table)),
        Event::Payload(body) => {
            let mut payload = PayloadReader::open(body).map_err(unreadable)?;
            while let Some(raw) = payload.next_event().map_err(unreadable)? {
                let inner = Event::parse(&raw, &Format::default()).map_err(unreadable)?;
                if !matches!(inner, Event::Payload(_)) && may_change(&inner, tables)? {
                    return Ok(true);
                }
            }
            false
        }
        Event::Incident { .. } | Event::CompressedQuery { .. } | Event::CompressedRows { .. } => {
            true
        }
        _ => false,
    })
}

/// Equal in any letter case: what a server folds must not be missed.
fn names_same(one: &TableName, other: &TableName) -> bool {
    one.database.to_lowercase() == other.database.to_lowercase()
        && one.table.to_lowercase() == other.table.to_lowercase()
}

/// True for the outcome of an XA transaction and for a statement that holds the table's name.
fn statement_may_change(statement: &[u8], table: &TableName) -> bool {
    let text = String::from_utf8_lossy(statement).to_lowercase();
    let text = text.trim_start();
    let bracket = ["savepoint ", "xa start", "xa end"];
    if matches!(text, "begin" | "commit" | "rollback")
        || bracket.iter().any(|word| text.starts_with(word))
    {
        return false;
    }
    // A name in another character set than UTF-8 is not found in the text.
    ["xa commit", "xa rollback"]
        .iter()
        .any(|outcome| text.starts_with(outcome))
        || !table.table.is_ascii()
        || text.contains(&table.table.to_lowercase())
        || text.contains("database")
        || text.contains("schema")
}

fn unreadable(error: crate::binlog::event::EventError) -> Fault {
    Fault::operator("SRC-034", "could not read the binlog around a snapshot")
        .hint("Check the binlog of the source with mysqlbinlog, then start again.")
        .cause(error)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_table_is_known_in_any_letter_case() {
        let orders = TableName::new("shop", "orders");
        assert!(names_same(&TableName::new("Shop", "ORDERS"), &orders));
        assert!(!names_same(&TableName::new("shop", "order"), &orders));
    }

    #[test]
    fn statements_are_judged_with_suspicion() {
        let orders = TableName::new("shop", "Orders");
        let check = |text: &str, expected| {
            assert_eq!(
                statement_may_change(text.as_bytes(), &orders),
                expected,
                "{text}"
            );
        };
        check("BEGIN", false);
        check("COMMIT", false);
        check("SAVEPOINT `a`", false);
        check("GRANT SELECT ON x.* TO y", false);
        check("ALTER TABLE items ADD a INT", false);
        check("alter table ORDERS add a int", true);
        check("XA COMMIT X'61',X'',1", true);
        check("  xa ROLLBACK X'61',X'',1", true);
        check("DROP DATABASE shop", true);
        let accented = TableName::new("shop", "é");
        assert!(statement_may_change(b"CREATE TABLE x (a INT)", &accented));
        assert!(!statement_may_change(b"BEGIN", &accented));
    }
}
