//! Snapshots of exact tables: a consistent read together with the position it stands at.
//!
//! Two ways, as the design's section on exact tables decides. *By GTID*: open a snapshot, then prove
//! from the binlog that nothing happened to the tables around it. *By lock*: hold writers back, for
//! seconds at most, while the snapshot opens. A table without transactions has no snapshot, so it is
//! read whole while the lock is held; the lock lasts no longer for it.

use super::exact_scan::changed_between;
use crate::binlog;
use crate::binlog::gtid::GtidSet;
use crate::catalog;
use crate::ddl::definition::{Definition, Keys, RenderOptions};
use crate::ddl::{Context, Dialect};
use crate::reader::{Origin, read_range_in};
use crate::session::{Endpoint, Session, SessionError, SessionKind};
use async_trait::async_trait;
use std::time::Duration;
use tokio::time::{Instant, sleep, timeout, timeout_at};
use tracing::debug;
use wherry_engine::pipe::RowSender;
use wherry_engine::ports::ExactSnapshot;
use wherry_engine::state::KeyRange;
use wherry_model::{Fault, Position, Table, TableName};

/// Snapshots opened before writers count as never pausing.
const SNAPSHOT_TRIES: u32 = 5;

/// Locks asked for before writers count as never pausing, over about five minutes. Each waits a
/// second a table at most. Writers that hold rows for each other may bar many tries in a row: one
/// waits behind the lock that is asked for, and holds a row that another one needs to end.
pub(super) const LOCK_TRIES: u32 = 60;

/// Between two tries, longer with each, because writers queue behind a lock that is asked for.
const PAUSE_FIRST: Duration = Duration::from_millis(500);
const PAUSE_MAX: Duration = Duration::from_secs(5);

/// Tables stay locked no longer than this, whatever the second session meets.
const LOCK_HOLD_MAX: Duration = Duration::from_secs(5);

/// Server errors by what they mean here.
const LOCK_WAIT_TIMEOUT: u16 = 1205;
const TABLE_CHANGED: u16 = 1412;
const NO_SUCH_TABLE: u16 = 1146;
const DENIED: [u16; 3] = [1044, 1142, 1227];

/// Opens a snapshot of the tables, all at one position.
///
/// Errors: `SRC-030` when writers never leave a gap, `SRC-031` without the privilege to lock,
/// `SRC-032` when a table is gone.
pub(super) async fn open(
    endpoint: &Endpoint,
    tables: &[Table],
    lock_tries: u32,
) -> Result<Snapshot, Fault> {
    let names: Vec<TableName> = tables.iter().map(|table| table.name.clone()).collect();
    let holds = tables.iter().any(|table| !table.is_transactional());
    if !holds && can_prove_by_gtid(endpoint).await? {
        for attempt in 1..=SNAPSHOT_TRIES {
            if let Some(snapshot) = try_by_gtid(endpoint, &names).await? {
                return snapshot.finish(endpoint, &names).await;
            }
            debug!(table = %names[0], attempt, "tables changed while their snapshot was opened");
            pause(attempt).await;
        }
    }
    for attempt in 1..=lock_tries {
        if let Some(snapshot) = try_by_lock(endpoint, &names, holds).await? {
            return snapshot.finish(endpoint, &names).await;
        }
        debug!(table = %names[0], attempt, "tables could not be locked for their snapshot");
        pause(attempt).await;
    }
    Err(no_gap(&names))
}

/// The end of the binlog while nobody writes to this table without transactions.
///
/// Such a change is visible before it is in the binlog, and in the binlog before its statement
/// gives the table back (seen on 9.7, 5.6 and MariaDB 10.11). So whatever a finished read has seen
/// lies before an end that is read under a lock.
pub(super) async fn end_behind(
    endpoint: &Endpoint,
    name: &TableName,
    lock_tries: u32,
) -> Result<Position, Fault> {
    let names = std::slice::from_ref(name);
    for attempt in 1..=lock_tries {
        if let Some(mut lock) = Lock::take(endpoint, names, SessionKind::Control).await? {
            let end = timeout(LOCK_HOLD_MAX, binlog::end(endpoint)).await;
            if lock.give_back().await
                && let Ok(end) = end
            {
                return end;
            }
        }
        debug!(table = %name, attempt, "table could not be locked for its end");
        pause(attempt).await;
    }
    Err(no_gap(names))
}

async fn pause(attempt: u32) {
    sleep((PAUSE_FIRST * attempt).min(PAUSE_MAX)).await;
}

/// Tables that nobody can write to. Dropping it closes its session, which gives them back too.
struct Lock {
    session: Session,
    until: Instant,
}

impl Lock {
    /// `None` where it was not to be had in time.
    async fn take(
        endpoint: &Endpoint,
        names: &[TableName],
        kind: SessionKind,
    ) -> Result<Option<Lock>, Fault> {
        let mut session = Session::connect(endpoint, kind).await?;
        // With `autocommit = 0` the lock waits inside InnoDB too, for commits that are in the binlog
        // and not yet visible.
        session
            .execute(
                "SET SESSION autocommit = 0, SESSION lock_wait_timeout = 1, \
                 SESSION innodb_lock_wait_timeout = 1, SESSION innodb_table_locks = 1",
            )
            .await?;
        let list: Vec<String> = names.iter().map(|name| format!("{name} READ")).collect();
        let sql = format!("LOCK TABLES {}", list.join(", "));
        let until = Instant::now() + LOCK_HOLD_MAX;
        let Ok(locked) = timeout_at(until, session.execute(sql)).await else {
            return Ok(None);
        };
        match locked {
            Ok(_) => Ok(Some(Lock { session, until })),
            Err(error) => match error.server_code() {
                Some(LOCK_WAIT_TIMEOUT) => Ok(None),
                Some(NO_SUCH_TABLE) => Err(gone(names)),
                Some(code) if DENIED.contains(&code) => Err(may_not_lock(names, error)),
                _ => Err(error.into_fault().table(&names[0])),
            },
        }
    }

    /// True where the tables were locked until now, as only the server's answer can tell.
    async fn give_back(&mut self) -> bool {
        self.session.execute("UNLOCK TABLES").await.is_ok()
    }
}

/// An open snapshot before the table's definition is known.
struct Opened {
    session: Session,
    position: Position,
    /// The session holds locks until then, and not a snapshot.
    locked_until: Option<Instant>,
}

impl Opened {
    /// Reads the definitions. The snapshot has touched the tables, so its metadata locks keep the
    /// definitions as they are; a session of its own reads them outside the snapshot.
    async fn finish(self, endpoint: &Endpoint, names: &[TableName]) -> Result<Snapshot, Fault> {
        let mut control = Session::connect(endpoint, SessionKind::Control).await?;
        let scope = catalog::Scope::Tables(names);
        let mut found = catalog::read_tables(&mut control, scope).await?;
        control.close().await;
        let mut tables = Vec::with_capacity(names.len());
        for name in names {
            let place = found.iter().position(|table| table.name == *name);
            let Some(place) = place else {
                return Err(gone(std::slice::from_ref(name)));
            };
            tables.push(found.swap_remove(place));
        }
        let Opened {
            session,
            position,
            locked_until,
        } = self;
        Ok(Snapshot {
            session,
            position,
            tables,
            locked_until,
        })
    }
}

/// A snapshot that is read through its one session.
pub(super) struct Snapshot {
    session: Session,
    position: Position,
    pub(super) tables: Vec<Table>,
    locked_until: Option<Instant>,
}

impl Snapshot {
    pub(super) fn dialect(&self) -> Dialect {
        self.session.version().into()
    }
}

#[async_trait]
impl ExactSnapshot for Snapshot {
    fn position(&self) -> &Position {
        &self.position
    }

    fn tables(&self) -> &[Table] {
        &self.tables
    }

    fn is_as_planned(&self, table: &Table) -> Result<bool, Fault> {
        let Some(seen) = self.tables.iter().find(|seen| seen.name == table.name) else {
            return Ok(false);
        };
        let context = Context::new(&table.name.database, self.dialect());
        let text = |definition: &str| -> Result<String, Fault> {
            let definition = Definition::parse(definition, &context)
                .map_err(|error| Fault::from(error).table(&table.name))?;
            Ok(definition.render(&RenderOptions {
                name: &table.name,
                keys: Keys::All,
                foreign_keys: true,
                auto_increment: false,
            }))
        };
        let same_text = text(&seen.definition)? == text(&table.definition)?;
        Ok(same_text && seen.columns == table.columns)
    }

    async fn read_all(&mut self, table: &Table, rows: &RowSender) -> Result<(), Fault> {
        let all = KeyRange::all();
        let at_source = table.at_source();
        let read = read_range_in(&mut self.session, &at_source, &all, Origin::Source, rows);
        let Some(until) = self.locked_until else {
            return read.await;
        };
        match timeout_at(until, read).await {
            Ok(result) => result?,
            Err(_) => return Err(too_large(&table.name)),
        }
        // Whether the table was locked until here is known only from the answer.
        match self.session.execute("UNLOCK TABLES").await {
            Ok(_) => Ok(()),
            Err(_) => Err(lock_lost(&table.name)),
        }
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

/// `None` where a table changed meanwhile, so that the snapshot's place is not known.
///
/// `gtid_executed` lists only what is visible, so the snapshot holds all of it. What the binlog
/// holds beyond it, up to an end read after the snapshot, may or may not be in the snapshot; if none
/// of that concerns the tables, they stand as they do at that end.
async fn try_by_gtid(endpoint: &Endpoint, names: &[TableName]) -> Result<Option<Opened>, Fault> {
    // Both are connected before the set is read: the time from there to the end must be short.
    let mut control = Session::connect(endpoint, SessionKind::Control).await?;
    let session = Session::connect(endpoint, SessionKind::Read).await?;
    let rows = control.query("SELECT @@GLOBAL.gtid_executed").await?;
    let executed = GtidSet::parse(rows.text(0, 0).unwrap_or_default()).map_err(|error| {
        Fault::bug("SRC-033", "could not read `gtid_executed` of the source").cause(error)
    })?;
    let Some(session) = open_snapshot(session, names).await? else {
        return Ok(None);
    };
    let position = binlog::end(endpoint).await?;
    if changed_between(endpoint, &executed, &position, names).await? {
        return Ok(None);
    }
    // A prepared transaction is in `gtid_executed` and not in the snapshot.
    let prepared = match control.query("XA RECOVER").await {
        Ok(rows) => !rows.is_empty(),
        Err(error) if error.is_transient() => return Err(error.into_fault()),
        Err(_) => false,
    };
    control.close().await;
    Ok((!prepared).then_some(Opened {
        session,
        position,
        locked_until: None,
    }))
}

/// A transaction that sees one state of everything and has touched the tables, so that no DDL
/// changes them. `None` where a DDL came between the two.
async fn open_snapshot(
    mut session: Session,
    names: &[TableName],
) -> Result<Option<Session>, Fault> {
    session
        .execute("SET SESSION TRANSACTION ISOLATION LEVEL REPEATABLE READ")
        .await?;
    session
        .execute("START TRANSACTION WITH CONSISTENT SNAPSHOT")
        .await?;
    for name in names {
        if let Err(error) = session.query(format!("SELECT 1 FROM {name} LIMIT 1")).await {
            return match error.server_code() {
                Some(TABLE_CHANGED) => Ok(None),
                Some(NO_SUCH_TABLE) => Err(gone(std::slice::from_ref(name))),
                _ => Err(error.into_fault().table(name)),
            };
        }
    }
    Ok(Some(session))
}

/// `None` where the lock was not to be had, or was not held long enough.
async fn try_by_lock(
    endpoint: &Endpoint,
    names: &[TableName],
    holds: bool,
) -> Result<Option<Opened>, Fault> {
    if holds {
        return open_locked(endpoint, names).await;
    }
    // Connected before the lock is taken: the time under it must be short.
    let reader = Session::connect(endpoint, SessionKind::Read).await?;
    let Some(mut lock) = Lock::take(endpoint, names, SessionKind::Control).await? else {
        return Ok(None);
    };
    let opened = timeout_at(lock.until, open_with_end(endpoint, reader, names)).await;
    // Whether the lock was still held when the end was read is known only from the answer.
    if !lock.give_back().await {
        return Ok(None);
    }
    lock.session.close().await;
    opened.unwrap_or(Ok(None))
}

/// Tables without transactions: the session that locks them reads them too, because a writer that
/// waits for the lock goes before any other reader.
async fn open_locked(endpoint: &Endpoint, names: &[TableName]) -> Result<Option<Opened>, Fault> {
    let Some(lock) = Lock::take(endpoint, names, SessionKind::Read).await? else {
        return Ok(None);
    };
    let Lock { session, until } = lock;
    let Ok(position) = timeout_at(until, binlog::end(endpoint)).await else {
        return Ok(None);
    };
    Ok(Some(Opened {
        session,
        position: position?,
        locked_until: Some(until),
    }))
}

async fn open_with_end(
    endpoint: &Endpoint,
    reader: Session,
    names: &[TableName],
) -> Result<Option<Opened>, Fault> {
    let Some(session) = open_snapshot(reader, names).await? else {
        return Ok(None);
    };
    let position = binlog::end(endpoint).await?;
    Ok(Some(Opened {
        session,
        position,
        locked_until: None,
    }))
}

/// The tables of a snapshot for a message: the first, and how many more.
fn shown(names: &[TableName]) -> String {
    match names {
        [] => String::new(),
        [name] => format!("table {name}"),
        [name, more @ ..] => format!("table {name} and {} more", more.len()),
    }
}

fn gone(names: &[TableName]) -> Fault {
    Fault::operator(
        "SRC-032",
        format!("{} does not exist at the source any more", shown(names)),
    )
    .table(&names[0])
    .hint("Start the task again; it reads the catalog anew.")
}

fn may_not_lock(names: &[TableName], error: SessionError) -> Fault {
    Fault::operator(
        "SRC-031",
        format!(
            "account may not lock {}, and nothing else proves its place in the binlog",
            shown(names)
        ),
    )
    .table(&names[0])
    .hint(format!(
        "Grant LOCK TABLES on `{}`.* at the source. A table without a key needs no lock once it has \
         a primary key, or with `gtid_mode = ON` on MySQL 5.7 or later; one without transactions \
         needs none as InnoDB.",
        names[0].database
    ))
    .cause(error)
}

fn no_gap(names: &[TableName]) -> Fault {
    Fault::operator(
        "SRC-030",
        format!("writers of {} left no gap for an exact place in the binlog", shown(names)),
    )
    .table(&names[0])
    .hint("Pause its writers for some seconds and start again, or give it a primary key if it has none.")
}

fn too_large(name: &TableName) -> Fault {
    Fault::operator(
        "SRC-035",
        format!(
            "table {name} has neither a key nor transactions, and is too large to be read within the \
             {} s that it may be locked",
            LOCK_HOLD_MAX.as_secs()
        ),
    )
    .table(name)
    .hint(format!(
        "Give it a primary key, or run `ALTER TABLE {name} ENGINE = InnoDB` at the source; then start again."
    ))
}

fn lock_lost(name: &TableName) -> Fault {
    Fault::transient(
        "SRC-036",
        format!("the lock of table {name} was lost while it was read"),
    )
    .table(name)
}
