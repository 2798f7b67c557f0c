//! The heartbeat's table at the source: one row for each task, with the time of its last write.
//!
//! The one thing that Wherry writes there, and only where the task asks for it. Its statements have
//! short limits at the server, so that none of them is still waiting when a cutover goes on.

use super::precheck::{PROBE_TABLE, failed, is_denied};
use crate::literal::push_quoted;
use crate::session::{Endpoint, Pool, Session, SessionError, SessionKind};
use std::time::Duration;
use wherry_model::name::quote;
use wherry_model::{CheckItem, Fault, TableName};

const ITEM: &str = "source-heartbeat";
const TABLE: &str = "heartbeat";

/// Longest wait for a lock, at the server.
const LOCK_SECONDS_MAX: u32 = 5;
/// Longest wait for an answer; above what the server's own limits allow.
const ANSWER_MAX: Duration = Duration::from_secs(30);

/// `ER_BAD_DB_ERROR` and `ER_NO_SUCH_TABLE`.
const MISSING: [u16; 2] = [1049, 1146];
/// `ER_KEY_COLUMN_DOES_NOT_EXITS`.
const NO_COLUMN: u16 = 1072;

/// A pool of the one session that beats.
pub(super) fn pool(endpoint: &Endpoint) -> Pool {
    let endpoint = Endpoint {
        read_timeout: ANSWER_MAX,
        ..endpoint.clone()
    };
    Pool::new(endpoint, SessionKind::Control, 1)
}

/// Writes the row; makes database and table where they are missing.
pub(super) async fn beat(pool: &Pool, database: &str, task: &str) -> Result<(), Fault> {
    let table = TableName::new(database, TABLE);
    let written = async {
        let mut session = pool.get().await?;
        session
            .execute(format!(
                "SET SESSION lock_wait_timeout = {LOCK_SECONDS_MAX}, \
                 SESSION innodb_lock_wait_timeout = {LOCK_SECONDS_MAX}"
            ))
            .await?;
        match session.execute(write(&table, task)).await {
            Err(error) if is_missing(&error) => {}
            other => return other.map(drop),
        }
        for statement in make(&table) {
            session.execute(statement).await?;
        }
        session.execute(write(&table, task)).await.map(drop)
    };
    written.await.map_err(|error| {
        let fault = Fault::operator(
            "SRC-054",
            format!("could not write the heartbeat to table {table} at the source"),
        );
        let hint = match is_denied(&error) {
            true => grant(database),
            false => "Mend what the cause says; it is tried again.".to_owned(),
        };
        fault.hint(hint).cause(error)
    })
}

fn write(table: &TableName, task: &str) -> Vec<u8> {
    let mut sql = format!("INSERT INTO {table} (task, beat_at) VALUES (").into_bytes();
    push_quoted(&mut sql, task.as_bytes());
    sql.extend_from_slice(
        b", UTC_TIMESTAMP(6)) ON DUPLICATE KEY UPDATE beat_at = UTC_TIMESTAMP(6)",
    );
    sql
}

fn make(table: &TableName) -> [String; 2] {
    let database = quote(&table.database);
    [
        format!("CREATE DATABASE IF NOT EXISTS {database}"),
        format!(
            "CREATE TABLE IF NOT EXISTS {table} (task VARCHAR(64) CHARACTER SET latin1 COLLATE latin1_bin \
             NOT NULL PRIMARY KEY, beat_at DATETIME(6) NOT NULL) ENGINE=InnoDB"
        ),
    ]
}

fn is_missing(error: &SessionError) -> bool {
    error
        .server_code()
        .is_some_and(|code| MISSING.contains(&code))
}

fn grant(database: &str) -> String {
    format!(
        "GRANT CREATE, INSERT, UPDATE ON `{database}`.* to the account, as an administrator; or remove `source.heartbeat`"
    )
}

/// Tries what a beat needs, by statements that change nothing.
pub(super) async fn check(endpoint: &Endpoint, database: &str) -> CheckItem {
    let mut session = match Session::connect(endpoint, SessionKind::Control).await {
        Ok(session) => session,
        Err(error) => return failed(ITEM, &error.into_fault()),
    };
    let item = try_out(&mut session, database).await;
    session.close().await;
    item.unwrap_or_else(|error| match is_denied(&error) {
        true => CheckItem::fail(
            ITEM,
            format!("the account may not make and write table `{database}`.`{TABLE}`"),
            grant(database),
        ),
        false => failed(ITEM, &error.into_fault()),
    })
}

async fn try_out(session: &mut Session, database: &str) -> Result<CheckItem, SessionError> {
    if let Some(item) = kept_out(session, database).await? {
        return Ok(item);
    }
    let table = TableName::new(database, TABLE);
    // No row comes of it; the server checks the privileges first.
    let nothing = format!(
        "INSERT INTO {table} (task, beat_at) SELECT '', UTC_TIMESTAMP(6) FROM DUAL WHERE FALSE \
         ON DUPLICATE KEY UPDATE beat_at = UTC_TIMESTAMP(6)"
    );
    let written = CheckItem::pass(ITEM, format!("the account may write table {table}"));
    match session.execute(nothing).await {
        Ok(_) => return Ok(written),
        Err(error) if is_missing(&error) => {}
        Err(error) => return Err(error),
    }
    // It could never be made, for want of the column. Privileges are checked before that.
    let probe = TableName::new(database, PROBE_TABLE);
    let impossible = format!("CREATE TABLE {probe} (a INT, KEY (b))");
    match session.execute(impossible).await {
        Err(error) if error.server_code() != Some(NO_COLUMN) && !is_missing(&error) => Err(error),
        _ => Ok(written),
    }
}

/// A beat that the binlog does not hold would never be read.
async fn kept_out(
    session: &mut Session,
    database: &str,
) -> Result<Option<CheckItem>, SessionError> {
    let statement = session.version().binlog_status_statement();
    let status = match session.query(statement).await {
        Ok(status) => status,
        // Another item says that the account may not see it.
        Err(error) if error.server_code().is_some() => return Ok(None),
        Err(error) => return Err(error),
    };
    let text = |name| status.named(0, name).unwrap_or_default().to_owned();
    let (do_db, ignore_db) = (text("Binlog_Do_DB"), text("Binlog_Ignore_DB"));
    let item = super::checks::binlog_filter(&do_db, &ignore_db, &[database.to_owned()]);
    Ok((!item.fix.is_empty()).then(|| CheckItem::fail(ITEM, item.evidence, item.fix)))
}
