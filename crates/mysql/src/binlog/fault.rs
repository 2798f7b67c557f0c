//! What can go wrong between the source's binlog and a change, with codes and remedies.

use super::decode::DecodeError;
use super::event::EventError;
use super::plan::PlanError;
use wherry_model::{Fault, Position, TableName};

const RESYNCHRONISE: &str = "Remove the cause, then load the table anew: `wherry resync`.";

pub(super) fn event(error: EventError, position: &Position) -> Fault {
    match &error {
        EventError::Unknown { .. } => Fault::operator(
            "BIN-002",
            format!("an event behind {position} has a type that Wherry does not know"),
        )
        .hint("Check that the source's version is a supported one; report the event type otherwise."),
        EventError::Checksum { .. } => Fault::operator(
            "BIN-001",
            format!("an event behind {position} arrives damaged again and again"),
        )
        .hint("Run `mysqlbinlog --verify-binlog-checksum` on that file at the source: its binlog or the network path is damaged."),
        EventError::Truncated { .. }
        | EventError::Damaged { .. }
        | EventError::Payload(_)
        | EventError::Compression(_) => Fault::operator(
            "BIN-001",
            format!("an event behind {position} cannot be read"),
        )
        .hint("Run `mysqlbinlog` on that file at the source; if it reads the event, please report this."),
    }
    .cause(error)
}

pub(super) fn incident(code: u16, position: &Position) -> Fault {
    Fault::operator(
        "BIN-003",
        format!("the source reports incident {code} behind {position}: changes are missing from its binlog"),
    )
    .hint("Start a new task: what is missing cannot be read from this binlog.")
}

pub(super) fn purged(position: &Position, first: &str, last: &str) -> Fault {
    Fault::operator(
        "BIN-004",
        format!("the source's binlog no longer holds {position}; it holds {first} to {last}"),
    )
    .hint("Start a new task, and keep the source's binlog longer than the load takes.")
}

pub(super) fn beyond_end(position: &Position, first: &str, last: &str) -> Fault {
    Fault::operator(
        "BIN-004",
        format!("{position} lies behind the end of the source's binlog, which holds {first} to {last}"),
    )
    .hint("Check that this is the same source: a crash, a restore or `RESET` has taken back what was already read. Start a new task.")
}

pub(super) fn gtids_purged(missing: &str) -> Fault {
    Fault::operator(
        "BIN-004",
        format!("the source has purged transactions that are still needed: {missing}"),
    )
    .hint("Start a new task, and keep the source's binlog longer than the load takes.")
}

pub(super) fn gtids_unknown(unknown: &str) -> Fault {
    Fault::operator(
        "BIN-005",
        format!("the source does not know transactions that were already read: {unknown}"),
    )
    .hint("Check that this is the same source: a crash, a restore or `RESET` has taken them back. Start a new task.")
}

pub(super) fn other_server(wanted: &str, found: &str) -> Fault {
    Fault::operator(
        "BIN-006",
        format!("the source is now server {found}, reading began on {wanted}"),
    )
    .hint("Point the task at the server that it began with; a binlog position means nothing on another one.")
}

pub(super) fn gave_up(tries: u32, cause: Fault) -> Fault {
    let hint = cause.hint.clone();
    Fault::transient(
        "BIN-007",
        format!("the source's binlog could not be read on after {tries} tries"),
    )
    .hint(hint)
    .cause(cause)
}

pub(super) fn unknown_xa(xid: &str, position: &Position) -> Fault {
    Fault::operator(
        "BIN-008",
        format!(
            "XA transaction {xid} ends behind {position}, but it was prepared before reading began"
        ),
    )
    .hint("End all transactions that `XA RECOVER` lists at the source, then start a new task.")
}

pub(super) fn park_full(limit_bytes: usize) -> Fault {
    Fault::operator(
        "BIN-009",
        format!(
            "prepared XA transactions hold more than {} MiB of changes",
            limit_bytes >> 20
        ),
    )
    .hint("Commit or roll back transactions that `XA RECOVER` lists at the source, then resume.")
}

pub(super) fn rolled_back(position: &Position) -> Fault {
    Fault::operator(
        "BIN-010",
        format!("the transaction behind {position} was rolled back after a part of it was applied"),
    )
    .hint(
        "It mixes transactional and other tables. Start a new task when no such transaction runs.",
    )
}

pub(super) fn no_savepoint(position: &Position) -> Fault {
    Fault::operator(
        "BIN-028",
        format!("the transaction behind {position} goes back to a savepoint that it does not have"),
    )
    .hint("Look at it with `mysqlbinlog`, report it, and start a new task.")
}

pub(super) fn plan(error: PlanError, table: &TableName) -> Fault {
    Fault::operator(
        "BIN-011",
        format!("row events of {table} do not fit its columns"),
    )
    .hint(RESYNCHRONISE)
    .table(table)
    .cause(error)
}

pub(super) fn decode(error: DecodeError, table: &TableName) -> Fault {
    let (code, hint) = match &error {
        DecodeError::PartialImage => (
            "BIN-012",
            "Set `binlog_row_image = FULL` at the source for every session, then load the table anew: `wherry resync`.",
        ),
        DecodeError::ColumnCount { .. } => ("BIN-011", RESYNCHRONISE),
        DecodeError::Damaged | DecodeError::UnknownLabel => ("BIN-019", RESYNCHRONISE),
        DecodeError::PartialUpdate { .. } => (
            "BIN-013",
            "Set `binlog_row_value_options = ''` at the source for every session, then load the table anew: `wherry resync`.",
        ),
        DecodeError::Document { .. } => (
            "BIN-030",
            "Write these documents anew at the source with values that JSON has, like strings in place of binary ones, then load the table anew: `wherry resync`.",
        ),
    };
    Fault::operator(code, format!("a row event of {table} cannot be carried"))
        .hint(hint)
        .table(table)
        .cause(error)
}

pub(super) fn statement_format(table: &TableName, position: &Position) -> Fault {
    Fault::operator(
        "BIN-014",
        format!("{table} was changed by a statement that is logged as text behind {position}"),
    )
    .hint("Set `binlog_format = ROW` at the source for every session, then load the table anew: `wherry resync`.")
    .table(table)
}

pub(super) fn unreadable_statement(database: &str, position: &Position) -> Fault {
    Fault::operator(
        "BIN-015",
        format!("a statement in database `{database}` behind {position} cannot be understood"),
    )
    .hint("Look at it with `mysqlbinlog` at the source. If it changes rows, set `binlog_format = ROW` and start a new task.")
}

pub(super) fn compressed_rows(table: &TableName) -> Fault {
    Fault::operator("BIN-016", format!("row events of {table} are compressed"))
        .hint(
            "Set `log_bin_compress = OFF` at the source, then load the table anew: `wherry resync`.",
        )
        .table(table)
}

pub(super) fn compressed_statement(database: &str, position: &Position) -> Fault {
    Fault::operator(
        "BIN-017",
        format!("a statement in database `{database}` behind {position} is compressed"),
    )
    .hint("Set `log_bin_compress = OFF` at the source, then start a new task.")
}

pub(super) fn no_binlog() -> Fault {
    Fault::operator("BIN-020", "the source writes no binlog").hint(
        "Switch the binlog on at the source (`log_bin`, `binlog_format = ROW`) and restart it.",
    )
}

pub(super) fn unmapped_rows(position: &Position) -> Fault {
    Fault::operator("BIN-021", format!("rows behind {position} name no table")).hint(
        "Run `mysqlbinlog` on that file at the source; if it reads the event, please report this.",
    )
}

pub(super) fn refused_dump(message: &str) -> Fault {
    Fault::operator("BIN-022", format!("the source refused to send its binlog: {message}"))
        .hint("Check the account's REPLICATION SLAVE privilege and that no other replica uses the same server id.")
}

pub(super) fn bad_position(text: &str) -> Fault {
    Fault::bug(
        "BIN-023",
        format!("a stored position has no readable GTIDs: `{text}`"),
    )
}

pub(super) fn no_description(file: &str) -> Fault {
    Fault::operator(
        "BIN-024",
        format!("the head of binlog file {file} cannot be read"),
    )
    .hint("Check that the source's binlog files are there and readable.")
}

pub(super) fn no_checkpoint_event(file: &str) -> Fault {
    Fault::transient(
        "BIN-025",
        format!("binlog file {file} has no checkpoint event yet"),
    )
    .hint("Try again in a moment.")
}

pub(super) fn dump_ended() -> Fault {
    Fault::transient("BIN-026", "the source ended the binlog dump")
        .hint("See the source's error log if this repeats.")
}

pub(super) fn scan_ended(position: &Position, to: &Position) -> Fault {
    Fault::transient(
        "BIN-027",
        format!("the source's binlog ended at {position}, before {to}"),
    )
    .hint("Try again; if it repeats, check that this is the same source.")
}

const BEGIN_ELSEWHERE: &str = "Begin at a place that the source has (`stream.from`), with a target that holds the rows as of then, or let the task load (`phases`).";

pub(super) fn no_such_place(position: &Position, range: &str) -> Fault {
    Fault::operator(
        "BIN-031",
        format!("the source's binlog does not hold {position}, where the stream is to begin; it holds {range}"),
    )
    .hint(BEGIN_ELSEWHERE)
}

pub(super) fn within_a_transaction(position: &Position) -> Fault {
    Fault::operator(
        "BIN-031",
        format!("{position}, where the stream is to begin, is no border between two transactions"),
    )
    .hint("Give a position that a server or a dump has told: `SHOW BINARY LOG STATUS`, `SHOW MASTER STATUS`, `mysqldump --source-data`.")
}

pub(super) fn no_gtids(error: super::gtid::GtidError, form: &str) -> Fault {
    Fault::operator(
        "BIN-032",
        format!("the GTIDs of stream.from cannot be read: {error}"),
    )
    .hint(form)
}

pub(super) fn without_gtids() -> Fault {
    Fault::operator(
        "BIN-032",
        "the source's transactions have no GTIDs (`gtid_mode` is not ON)",
    )
    .hint("Give stream.from a position or a timestamp.")
}

pub(super) fn gtids_not_held(unknown: &str) -> Fault {
    Fault::operator(
        "BIN-032",
        format!("the source does not hold these transactions of stream.from: {unknown}"),
    )
    .hint("Check that the GTIDs are those of this source.")
}

pub(super) fn gtids_gone(range: &str) -> Fault {
    Fault::operator(
        "BIN-032",
        format!("the source has purged transactions that the GTIDs of stream.from do not name; its binlog holds {range}"),
    )
    .hint(BEGIN_ELSEWHERE)
}

pub(super) fn before_the_binlog(range: &str, oldest: u64) -> Fault {
    Fault::operator(
        "BIN-033",
        format!("the timestamp of stream.from does not lie behind the beginning of the source's binlog, which holds {range} and was begun {oldest} s after 1970 (UTC)"),
    )
    .hint(BEGIN_ELSEWHERE)
}

pub(super) fn in_the_future() -> Fault {
    Fault::operator(
        "BIN-033",
        "the timestamp of stream.from lies in the source's future",
    )
    .hint("Check its time zone, and the source's clock.")
}

pub(super) fn unchecked_begin(reason: String) -> Fault {
    Fault::bug("BIN-034", reason)
}
