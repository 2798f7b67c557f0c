//! Snapshots of exact tables: a consistent read together with the position it stands at.
//!
//! Two ways, as the design's section on exact tables decides. *By GTID*: open a snapshot, then prove
//! from the binlog that nothing happened to the table around it. *By lock*: hold writers back, for
//! seconds at most, while the snapshot opens. Must not keep a lock while rows are read.

use super::exact_scan::changed_between;
use crate::binlog;
use crate::binlog::gtid::GtidSet;
use crate::catalog;
use crate::reader::read_range_in;
use crate::session::{Endpoint, Session, SessionError, SessionKind};
use async_trait::async_trait;
use std::time::Duration;
use tokio::time::{sleep, timeout};
use tracing::debug;
use wherry_engine::pipe::RowSender;
use wherry_engine::ports::ExactSnapshot;
use wherry_engine::state::KeyRange;
use wherry_model::{Fault, Position, Table, TableName};

/// Snapshots opened before writers count as never pausing.
const SNAPSHOT_TRIES: u32 = 5;

/// Locks asked for before writers count as never pausing. Each waits a second at most.
const LOCK_TRIES: u32 = 20;

/// Between two tries; writers that queued behind a lock get this long.
const PAUSE_BETWEEN_TRIES: Duration = Duration::from_millis(500);

/// A table stays locked no longer than this, whatever the second session meets.
const LOCK_HOLD_MAX: Duration = Duration::from_secs(5);

/// Server errors by what they mean here.
const LOCK_WAIT_TIMEOUT: u16 = 1205;
const TABLE_CHANGED: u16 = 1412;
const NO_SUCH_TABLE: u16 = 1146;
const DENIED: [u16; 3] = [1044, 1142, 1227];

/// Opens a snapshot of the table.
///
/// Errors: `SRC-030` when writers never leave a gap, `SRC-031` without the privilege to lock,
/// `SRC-032` when the table is gone.
pub(super) async fn open(
    endpoint: &Endpoint,
    name: &TableName,
) -> Result<Box<dyn ExactSnapshot>, Fault> {
    if can_prove_by_gtid(endpoint).await? {
        for attempt in 1..=SNAPSHOT_TRIES {
            if let Some(snapshot) = try_by_gtid(endpoint, name).await? {
                return Ok(Box::new(snapshot.finish(endpoint, name).await?));
            }
            debug!(table = %name, attempt, "table changed while its snapshot was opened");
            sleep(PAUSE_BETWEEN_TRIES).await;
        }
    }
    for attempt in 1..=LOCK_TRIES {
        if let Some(snapshot) = try_by_lock(endpoint, name).await? {
            return Ok(Box::new(snapshot.finish(endpoint, name).await?));
        }
        debug!(table = %name, attempt, "table could not be locked for its snapshot");
        sleep(PAUSE_BETWEEN_TRIES).await;
    }
    Err(no_gap(name))
}

/// An open snapshot before the table's definition is known.
struct Opened {
    session: Session,
    position: Position,
}

impl Opened {
    /// Reads the definition. The snapshot has touched the table, so its metadata lock keeps the
    /// definition as it is; a session of its own reads it outside the snapshot.
    async fn finish(self, endpoint: &Endpoint, name: &TableName) -> Result<Snapshot, Fault> {
        let mut control = Session::connect(endpoint, SessionKind::Control).await?;
        let table = catalog::read_table(&mut control, name).await?;
        control.close().await;
        let Opened { session, position } = self;
        match table {
            Some(table) => Ok(Snapshot {
                session,
                position,
                table,
            }),
            None => Err(gone(name)),
        }
    }
}

/// A snapshot that is read through its one session.
struct Snapshot {
    session: Session,
    position: Position,
    table: Table,
}

#[async_trait]
impl ExactSnapshot for Snapshot {
    fn position(&self) -> &Position {
        &self.position
    }

    fn table(&self) -> &Table {
        &self.table
    }

    async fn read_all(&mut self, rows: &RowSender) -> Result<(), Fault> {
        read_range_in(&mut self.session, &self.table, &KeyRange::all(), rows).await
    }
}

async fn can_prove_by_gtid(endpoint: &Endpoint) -> Result<bool, Fault> {
    let mut session = Session::connect(endpoint, SessionKind::Control).await?;
    let possible = if session.version().lists_gtids_when_visible() {
        let rows = session.query("SELECT @@GLOBAL.gtid_mode").await?;
        rows.text(0, 0) == Some("ON")
    } else {
        false
    };
    session.close().await;
    Ok(possible)
}

/// `None` where the table changed meanwhile, so that the snapshot's place is not known.
///
/// `gtid_executed` lists only what is visible, so the snapshot holds all of it. What the binlog
/// holds beyond it, up to an end read after the snapshot, may or may not be in the snapshot; if none
/// of that concerns the table, the table stands as it does at that end.
async fn try_by_gtid(endpoint: &Endpoint, name: &TableName) -> Result<Option<Opened>, Fault> {
    // Both are connected before the set is read: the time from there to the end must be short.
    let mut control = Session::connect(endpoint, SessionKind::Control).await?;
    let session = Session::connect(endpoint, SessionKind::Read).await?;
    let rows = control.query("SELECT @@GLOBAL.gtid_executed").await?;
    let executed = GtidSet::parse(rows.text(0, 0).unwrap_or_default()).map_err(|error| {
        Fault::bug("SRC-033", "could not read `gtid_executed` of the source").cause(error)
    })?;
    let Some(session) = open_snapshot(session, name).await? else {
        return Ok(None);
    };
    let position = binlog::end(endpoint).await?;
    if changed_between(endpoint, &executed, &position, name).await? {
        return Ok(None);
    }
    // A prepared transaction is in `gtid_executed` and not in the snapshot.
    let prepared = match control.query("XA RECOVER").await {
        Ok(rows) => !rows.is_empty(),
        Err(error) if error.is_transient() => return Err(error.into_fault()),
        Err(_) => false,
    };
    control.close().await;
    Ok((!prepared).then_some(Opened { session, position }))
}

/// A transaction that sees one state of everything and has touched the table, so that no DDL
/// changes it. `None` where a DDL came between the two.
async fn open_snapshot(mut session: Session, name: &TableName) -> Result<Option<Session>, Fault> {
    session
        .execute("SET SESSION TRANSACTION ISOLATION LEVEL REPEATABLE READ")
        .await?;
    session
        .execute("START TRANSACTION WITH CONSISTENT SNAPSHOT")
        .await?;
    match session.query(format!("SELECT 1 FROM {name} LIMIT 1")).await {
        Ok(_) => Ok(Some(session)),
        Err(error) => match error.server_code() {
            Some(TABLE_CHANGED) => Ok(None),
            Some(NO_SUCH_TABLE) => Err(gone(name)),
            _ => Err(error.into_fault().table(name)),
        },
    }
}

/// `None` where the lock was not to be had, or was not held long enough.
async fn try_by_lock(endpoint: &Endpoint, name: &TableName) -> Result<Option<Opened>, Fault> {
    let mut locker = Session::connect(endpoint, SessionKind::Control).await?;
    let reader = Session::connect(endpoint, SessionKind::Read).await?;
    // With `autocommit = 0` the lock waits inside InnoDB too, for commits that are in the binlog
    // and not yet visible.
    locker
        .execute(
            "SET SESSION autocommit = 0, SESSION lock_wait_timeout = 1, \
             SESSION innodb_lock_wait_timeout = 1, SESSION innodb_table_locks = 1",
        )
        .await?;
    if let Err(error) = locker.execute(format!("LOCK TABLES {name} READ")).await {
        return match error.server_code() {
            Some(LOCK_WAIT_TIMEOUT) => Ok(None),
            Some(NO_SUCH_TABLE) => Err(gone(name)),
            Some(code) if DENIED.contains(&code) => Err(may_not_lock(name, error)),
            _ => Err(error.into_fault().table(name)),
        };
    }
    let opened = timeout(LOCK_HOLD_MAX, open_with_end(endpoint, reader, name)).await;
    let unlocked = locker.execute("UNLOCK TABLES").await;
    // Dropping the session unlocks as well, so a failure here leaves nothing behind. But whether
    // the lock was still held when the end was read is known only from the answer.
    if unlocked.is_err() {
        return Ok(None);
    }
    locker.close().await;
    opened.unwrap_or(Ok(None))
}

async fn open_with_end(
    endpoint: &Endpoint,
    reader: Session,
    name: &TableName,
) -> Result<Option<Opened>, Fault> {
    let Some(session) = open_snapshot(reader, name).await? else {
        return Ok(None);
    };
    let position = binlog::end(endpoint).await?;
    Ok(Some(Opened { session, position }))
}

fn gone(name: &TableName) -> Fault {
    Fault::operator(
        "SRC-032",
        format!("table {name} does not exist at the source any more"),
    )
    .table(name)
    .hint("Start the task again; it reads the catalog anew.")
}

fn may_not_lock(name: &TableName, error: SessionError) -> Fault {
    Fault::operator(
        "SRC-031",
        format!("table {name} has no key, and the account may not lock it for its start"),
    )
    .table(name)
    .hint(format!(
        "Grant LOCK TABLES on `{}`.* at the source, give the table a primary key, or use \
         `gtid_mode = ON` on MySQL 5.7 or later.",
        name.database
    ))
    .cause(error)
}

fn no_gap(name: &TableName) -> Fault {
    Fault::operator(
        "SRC-030",
        format!("table {name} has no key, and writers left no gap for an exact start"),
    )
    .table(name)
    .hint("Give the table a primary key, or pause its writers for some seconds and start again.")
}
