//! Events to transactions: the stream without its connection.
//!
//! Takes raw events in order and yields what the engine is to see. Does no I/O, so that every
//! path can be tested with bytes. Positions move at the end of transactions only.

use super::group::{AnyGtid, Group, NoWayBack};
use super::park::{Parked, Parks};
use super::tables::{Lookup, Tables};
use crate::binlog::event::{
    DUMMY_TABLE_ID, Event, EventError, GtidEvent, MariaGtidEvent, RawEvent, RowsEvent,
};
use crate::binlog::fault;
use crate::binlog::gtid::GtidState;
use crate::binlog::payload::PayloadReader;
use crate::binlog::place::{Boundary, Place};
use crate::binlog::query::QueryEvent;
use crate::binlog::statement::{Judge, Meaning};
use crate::ddl::{self, SavepointVerb, XaVerb, Xid};
use bytes::Bytes;
use std::collections::VecDeque;
use std::sync::Arc;
use wherry_engine::ports::{StreamItem, TransactionPart};
use wherry_engine::state::Checkpoint;
use wherry_model::{Change, Ddl, DdlKind, Fault, Position, SkippedRows, Table, TableName};

/// What a change takes beside its images: itself and its identities.
const CHANGE_BYTES: usize = size_of::<Change>() + 32;

/// Why an event could not be taken.
#[derive(Debug)]
pub enum Trouble {
    /// The bytes are wrong; reading them again may help.
    Event(EventError),
    Fault(Fault),
}

impl From<Fault> for Trouble {
    fn from(fault: Fault) -> Trouble {
        Trouble::Fault(fault)
    }
}

/// What the events are read for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Purpose {
    /// Changes of tracked tables.
    Changes,
    /// Only definitions; rows and everything about them are passed over.
    Definitions,
}

#[derive(Debug)]
pub struct Assembler {
    purpose: Purpose,
    judge: Judge,
    part_bytes_max: usize,
    tables: Tables,
    parks: Parks,
    place: Place,
    boundary: Boundary,
    /// Up to here everything is applied; events only fill parks.
    applied_to: Position,
    group: Option<Group>,
    /// A transaction of which parts were given out before the connection was lost.
    half_delivered: Option<HalfDelivered>,
    payload: Option<PayloadReader>,
    items: VecDeque<StreamItem>,
    /// Something was passed over since the last checkpoint was given out.
    passed: bool,
    /// Commit time of the last transaction that was read.
    committed_at_us: Option<u64>,
}

#[derive(Debug, Clone)]
struct HalfDelivered {
    begin: Position,
    row_event_count: u64,
}

impl Assembler {
    pub fn new(
        from: &Checkpoint,
        gtids: Option<GtidState>,
        judge: Judge,
        purpose: Purpose,
        part_bytes_max: usize,
    ) -> Assembler {
        let mut position = from.read_from.clone();
        position.gtids = gtids.as_ref().map(|gtids| gtids.to_string().into());
        Assembler {
            purpose,
            judge,
            part_bytes_max,
            tables: Tables::default(),
            parks: Parks::default(),
            place: Place::new(&position.file, position.offset),
            boundary: Boundary::new(position, gtids),
            applied_to: from.applied_to.clone(),
            group: None,
            half_delivered: None,
            payload: None,
            items: VecDeque::new(),
            passed: false,
            committed_at_us: None,
        }
    }

    pub fn track(&mut self, table: Arc<Table>, start: Position) {
        self.tables.track(table, start);
    }

    pub fn untrack(&mut self, table: &TableName) {
        self.tables.untrack(table);
        if let Some(group) = &mut self.group {
            group.forget(table);
        }
    }

    pub fn next_item(&mut self) -> Option<StreamItem> {
        self.items.pop_front()
    }

    /// Where reading goes on after a lost connection.
    pub fn boundary(&self) -> &Boundary {
        &self.boundary
    }

    /// Forgets what was read behind the boundary; reading begins there again.
    pub fn restart(&mut self) {
        if let Some(group) = self.group.take()
            && group.delivered_count > 0
        {
            self.half_delivered = Some(HalfDelivered {
                begin: group.begin,
                row_event_count: group.delivered_count,
            });
        }
        self.payload = None;
        self.tables.forget_maps();
        let position = self.boundary.position();
        self.place = Place::new(&position.file, position.offset);
        if position.reaches(&self.applied_to) {
            // With GTIDs a transaction is sent from its begin, also where the boundary lies
            // between a definition and its rows.
            self.applied_to = position.clone();
        }
    }

    /// The checkpoint that may be stored now.
    fn checkpoint(&self) -> Checkpoint {
        let applied_to = self.boundary.position().clone();
        let read_from = self.parks.oldest().cloned();
        Checkpoint {
            read_from: read_from.unwrap_or_else(|| applied_to.clone()),
            applied_to,
        }
    }

    /// True while everything that is read was applied before.
    fn is_replaying(&self) -> bool {
        self.place.is_within(&self.applied_to)
    }

    /// True when there is a checkpoint behind the last one given out.
    pub fn has_passed(&self) -> bool {
        self.passed && self.may_pass()
    }

    /// False behind a part of a transaction: its rows must not be stored with a place before it.
    fn may_pass(&self) -> bool {
        let group = self.group.as_ref();
        let is_inside =
            self.half_delivered.is_some() || group.is_some_and(|group| group.delivered_count > 0);
        !is_inside && self.boundary.position().reaches(&self.applied_to)
    }

    /// Gives out the checkpoint of the last whole transaction.
    pub fn push_passed(&mut self, caught_up: bool) {
        if self.may_pass() {
            self.passed = false;
            let checkpoint = self.checkpoint();
            self.items.push_back(StreamItem::Passed {
                checkpoint,
                committed_at_us: self.committed_at_us,
                caught_up,
            });
        }
    }

    /// True while a compressed transaction has events left.
    pub fn has_inner_events(&self) -> bool {
        self.payload.is_some()
    }

    /// Takes the next event inside a compressed transaction.
    pub fn take_inner(&mut self) -> Result<(), Trouble> {
        let Some(payload) = &mut self.payload else {
            return Ok(());
        };
        match payload.next_event().map_err(Trouble::Event)? {
            Some(raw) => self.handle(&raw),
            None => {
                self.payload = None;
                Ok(())
            }
        }
    }

    /// Takes the next event as the server sent it.
    pub fn take(&mut self, bytes: &Bytes) -> Result<(), Trouble> {
        let raw = self.place.take(bytes).map_err(Trouble::Event)?;
        self.handle(&raw)?;
        if self.group.is_none() && self.payload.is_none() {
            self.pass_to_here();
        }
        Ok(())
    }

    /// Moves the boundary over events that belong to no transaction.
    fn pass_to_here(&mut self) {
        let before = self.boundary.position();
        if self.place.position(None).compare(before).is_gt() {
            self.boundary.advance(&self.place);
            self.passed = true;
        }
    }

    fn handle(&mut self, raw: &RawEvent) -> Result<(), Trouble> {
        if self.purpose == Purpose::Definitions
            && (raw.header.is_rows() || raw.header.is_table_map())
        {
            return Ok(());
        }
        if raw.header.is_table_map() {
            // The most frequent event beside rows: mostly a repetition, so not decoded anew.
            self.open_group();
            return self.tables.map(raw, &self.place);
        }
        match self.place.parse(raw).map_err(Trouble::Event)? {
            Event::Format(format) => {
                self.place.set_format(format);
                self.tables.forget_maps();
                self.abandon_group()
            }
            Event::Rotate { file, offset } => {
                self.place.rotate(&file, offset);
                Ok(())
            }
            Event::Gtid(event) => self.begin_mysql(event),
            Event::MariaGtid(event) => self.begin_maria(event, raw.header.timestamp),
            Event::Query(query) => self.query(&query, raw.header.timestamp),
            Event::Rows(rows) => self.rows(&rows, raw.header.timestamp),
            Event::CompressedRows { table_id, .. } => {
                self.refuse_rows(table_id, fault::compressed_rows);
                Ok(())
            }
            Event::CompressedQuery { database } => self.compressed_query(&database),
            Event::Payload(body) => {
                self.payload = Some(PayloadReader::open(&body).map_err(Trouble::Event)?);
                Ok(())
            }
            Event::Xid => self.commit(raw.header.timestamp),
            Event::XaPrepare { xid, one_phase } => {
                if one_phase {
                    self.commit(raw.header.timestamp)
                } else {
                    self.park(&xid)
                }
            }
            Event::Heartbeat => {
                self.push_heartbeat();
                Ok(())
            }
            Event::Incident { code } => Err(fault::incident(code, self.boundary.position()).into()),
            Event::TableMap(_)
            | Event::PreviousGtids(_)
            | Event::MariaGtidList(_)
            | Event::MariaCheckpoint { .. }
            | Event::Ignored => Ok(()),
        }
    }

    fn push_heartbeat(&mut self) {
        if self.group.is_none() {
            self.pass_to_here();
        }
        self.push_passed(true);
    }

    // Transactions.

    fn open_group(&mut self) -> &mut Group {
        let boundary = &self.boundary;
        self.group
            .get_or_insert_with(|| Group::at(boundary.position().clone()))
    }

    /// A new transaction or file begins, so one that has no end was rolled back: the source
    /// crashed while it wrote it.
    fn abandon_group(&mut self) -> Result<(), Trouble> {
        match self.group.take() {
            Some(group) if group.delivered_count > 0 => {
                Err(fault::rolled_back(&group.begin).into())
            }
            _ => Ok(()),
        }
    }

    fn begin_mysql(&mut self, event: GtidEvent) -> Result<(), Trouble> {
        self.abandon_group()?;
        if event.gtid.is_none() {
            self.boundary.forget_gtids();
        }
        let group = self.open_group();
        group.opened = false;
        group.gtid = event.gtid.map(AnyGtid::MySql);
        group.committed_at_us = event.committed_at_us;
        Ok(())
    }

    /// This event has the time of the commit, too.
    fn begin_maria(&mut self, event: MariaGtidEvent, timestamp: u32) -> Result<(), Trouble> {
        self.abandon_group()?;
        let group = self.open_group();
        group.committed_at_us = Some(micros(timestamp));
        group.opened = !event.standalone;
        group.xa = event.prepares;
        group.gtid = Some(AnyGtid::MariaDb(event.gtid));
        Ok(())
    }

    /// Moves the boundary behind the transaction that ends here.
    fn close_group(&mut self, gtid: Option<AnyGtid>) {
        self.half_delivered = None;
        self.boundary
            .advance_with(&self.place, |gtids| match (gtids, gtid) {
                (GtidState::MySql(set), Some(AnyGtid::MySql(gtid))) => set.add(&gtid),
                (GtidState::MariaDb(position), Some(AnyGtid::MariaDb(gtid))) => position.add(gtid),
                _ => {}
            });
        self.passed = true;
    }

    fn commit(&mut self, timestamp: u32) -> Result<(), Trouble> {
        let Some(group) = self.group.take() else {
            return Ok(());
        };
        self.close_group(group.gtid);
        let committed_at_us = group.committed_at_us.unwrap_or(micros(timestamp));
        self.committed_at_us = Some(committed_at_us);
        let (changes, byte_count) = match group.xa {
            None => (group.changes, group.byte_count),
            Some(_) => self.wanted(group.changes),
        };
        // A part that was given out needs its last part, even an empty one.
        if !changes.is_empty() || group.delivered_count > 0 {
            self.push_part(changes, byte_count, true, committed_at_us);
        }
        Ok(())
    }

    fn push_part(&mut self, changes: Vec<Change>, byte_count: usize, last: bool, at_us: u64) {
        if last {
            self.passed = false;
        }
        self.items.push_back(StreamItem::Changes(TransactionPart {
            changes,
            skipped: SkippedRows::default(),
            byte_count,
            last,
            checkpoint: self.checkpoint(),
            committed_at_us: at_us,
        }));
    }

    /// What is not transactional stays and counts as committed here.
    fn rollback(&mut self, timestamp: u32) -> Result<(), Trouble> {
        if let Some(group) = &mut self.group
            && group.delivered_count == 0
        {
            group.roll_back();
            if !group.changes.is_empty() {
                return self.commit(timestamp);
            }
        }
        let gtid = self.group.as_ref().and_then(|group| group.gtid.clone());
        self.abandon_group()?;
        self.close_group(gtid);
        Ok(())
    }

    fn savepoint(&mut self, verb: SavepointVerb, name: String) -> Result<(), Trouble> {
        let Some(group) = &mut self.group else {
            return Ok(());
        };
        match verb {
            SavepointVerb::Set => group.set_savepoint(name),
            SavepointVerb::Release => {}
            SavepointVerb::RollBackTo => match group.roll_back_to(&name) {
                Ok(()) => {}
                Err(NoWayBack::GivenOut) => return Err(fault::rolled_back(&group.begin).into()),
                // Before the first change nothing is to be taken back.
                Err(NoWayBack::Unknown) if group.row_event_count == 0 => {}
                Err(NoWayBack::Unknown) => return Err(fault::no_savepoint(&group.begin).into()),
            },
        }
        Ok(())
    }

    /// The transaction waits for its outcome; reading goes on behind its prepare.
    fn park(&mut self, xid: &Xid) -> Result<(), Trouble> {
        let Some(group) = self.group.take() else {
            return Ok(());
        };
        self.close_group(group.gtid);
        if self.purpose == Purpose::Definitions {
            return Ok(());
        }
        let parked = Parked {
            begin: group.begin,
            byte_count: group.byte_count + group.changes.len() * CHANGE_BYTES,
            changes: group.changes,
        };
        if self.parks.park(xid, parked) {
            Ok(())
        } else {
            Err(fault::park_full(super::park::PARKED_BYTES_MAX).into())
        }
    }

    /// `XA COMMIT`: the parked changes become a transaction at this place.
    fn release(&mut self, xid: &Xid, timestamp: u32) -> Result<(), Trouble> {
        let parked = self.parks.release(xid);
        if self.purpose == Purpose::Changes && parked.is_none() && !self.is_replaying() {
            let name = String::from_utf8_lossy(&xid.gtrid).into_owned();
            return Err(fault::unknown_xa(&name, self.boundary.position()).into());
        }
        let group = self.open_group();
        group.changes = parked.map(|parked| parked.changes).unwrap_or_default();
        group.xa = Some(xid.clone());
        self.commit(timestamp)
    }

    /// Of an XA transaction that commits here, the changes that are not applied yet.
    fn wanted(&self, changes: Vec<Change>) -> (Vec<Change>, usize) {
        let wanted: Vec<Change> = changes
            .into_iter()
            .filter(|change| self.wants(&change.table.name))
            .collect();
        let byte_count = wanted.iter().map(Change::byte_count).sum();
        (wanted, byte_count)
    }

    // Statements.

    fn query(&mut self, query: &QueryEvent, timestamp: u32) -> Result<(), Trouble> {
        match self.judge.meaning(query) {
            Meaning::Begin => {
                self.open_group().opened = true;
                Ok(())
            }
            Meaning::Commit => self.commit(timestamp),
            Meaning::Rollback => self.rollback(timestamp),
            Meaning::Savepoint { verb, name } => self.savepoint(verb, name),
            Meaning::Xa { verb, xid } => self.xa(verb, xid, timestamp),
            Meaning::Ddl { kind, tables } => self.ddl(kind, tables, query),
            Meaning::Dml { tables } => {
                let position = self.boundary.position().clone();
                for table in tables {
                    if self.wants(&table) {
                        let fault = fault::statement_format(&table, &position);
                        self.refuse(&table, fault);
                    }
                }
                self.end_lone_statement();
                Ok(())
            }
            Meaning::Unreadable if self.purpose == Purpose::Changes && !self.is_replaying() => {
                Err(fault::unreadable_statement(&query.database, self.boundary.position()).into())
            }
            Meaning::Unreadable | Meaning::Nothing => {
                self.end_lone_statement();
                Ok(())
            }
        }
    }

    fn xa(&mut self, verb: XaVerb, xid: Xid, timestamp: u32) -> Result<(), Trouble> {
        match verb {
            XaVerb::Start => {
                let group = self.open_group();
                group.opened = true;
                group.xa = Some(xid);
                Ok(())
            }
            XaVerb::End | XaVerb::Recover => Ok(()),
            XaVerb::Prepare => self.park(&xid),
            XaVerb::Commit => self.release(&xid, timestamp),
            XaVerb::CommitOnePhase => self.commit(timestamp),
            XaVerb::Rollback => {
                // What was never read was never applied, so there is nothing to take back.
                self.parks.release(&xid);
                self.rollback(timestamp)
            }
        }
    }

    /// A statement outside a transaction is one by itself.
    fn end_lone_statement(&mut self) {
        if self.group.as_ref().is_none_or(|group| !group.opened) {
            let gtid = self.group.take().and_then(|group| group.gtid);
            self.close_group(gtid);
        }
    }

    fn ddl(
        &mut self,
        kind: DdlKind,
        tables: Vec<TableName>,
        query: &QueryEvent,
    ) -> Result<(), Trouble> {
        let Some(statement) = query.text() else {
            return Err(
                fault::unreadable_statement(&query.database, self.boundary.position()).into(),
            );
        };
        let begin = self.group.as_ref().map_or_else(
            || self.boundary.position().clone(),
            |group| group.begin.clone(),
        );
        let replaying = self.is_replaying();
        if self.has_passed() || !self.parks.is_empty() {
            // The engine learns here how far back reading must begin while XA is open.
            self.push_passed(false);
        }
        // Inside a transaction only `CREATE TABLE ... SELECT` stands; its rows follow.
        let with_rows = self.group.as_ref().is_some_and(|group| group.opened);
        if with_rows {
            // Reading can begin again between the statement and its rows.
            self.boundary.advance(&self.place);
            let boundary = self.boundary.position().clone();
            self.open_group().begin = boundary;
        } else {
            self.end_lone_statement();
        }
        if replaying || self.is_before_starts(&tables) {
            return Ok(());
        }
        self.passed = false;
        let by_server = ddl::is_written_by_server(&statement, with_rows);
        let mut session = self.judge.session_of(query);
        if by_server {
            session.sql_mode = session.sql_mode.map(ddl::with_backslash_escapes);
        }
        self.items.push_back(StreamItem::Ddl(Ddl {
            kind: if with_rows && kind == DdlKind::CreateTable {
                DdlKind::CreateTableSelect
            } else {
                kind
            },
            statement: self.judge.stored_statement(query, statement)?,
            default_database: self.judge.stored_text(query.database.clone()),
            tables,
            session,
            begin,
            end: self.boundary.position().clone(),
        }));
        Ok(())
    }

    /// True for a statement whose selected tables are tracked and all begin behind it.
    fn is_before_starts(&self, tables: &[TableName]) -> bool {
        let here = self.boundary.position();
        let mut selected = tables
            .iter()
            .filter(|table| self.judge.is_selected(table))
            .peekable();
        selected.peek().is_some()
            && selected.all(|table| {
                self.tables
                    .get(table)
                    .is_some_and(|tracked| tracked.start.reaches(here))
            })
    }

    fn compressed_query(&mut self, database: &str) -> Result<(), Trouble> {
        let harmless = self.purpose == Purpose::Definitions || self.is_replaying();
        if !harmless && self.judge.is_selected_database(database) {
            let position = self.boundary.position();
            return Err(fault::compressed_statement(database, position).into());
        }
        self.end_lone_statement();
        Ok(())
    }

    // Rows.

    fn rows(&mut self, rows: &RowsEvent, timestamp: u32) -> Result<(), Trouble> {
        let replaying = self.is_replaying();
        let half_delivered = self.half_delivered.clone();
        let group = self.open_group();
        group.row_event_count += 1;
        let delivered = half_delivered.as_ref().is_some_and(|half| {
            half.begin.compare(&group.begin).is_eq()
                && group.row_event_count <= half.row_event_count
        });
        if let Some(half) = half_delivered.filter(|_| delivered) {
            // All of it, so that a second loss in between does not forget the rest.
            group.delivered_count = half.row_event_count;
        }
        let parks = group.xa.is_some();
        // Rows of an XA transaction count at its outcome, which may lie behind.
        if rows.table_id == DUMMY_TABLE_ID
            || self.tables.is_empty()
            || delivered
            || (replaying && !parks)
        {
            return Ok(());
        }
        match self.tables.lookup(rows.table_id, &self.place, parks)? {
            Lookup::Unwanted => Ok(()),
            Lookup::Unknown => Err(fault::unmapped_rows(self.boundary.position()).into()),
            Lookup::Refused(fault, table) => {
                self.refuse(&table, fault);
                Ok(())
            }
            Lookup::Wanted { plan, early } => match plan.decode(rows) {
                Ok(changes) => self.add(changes, timestamp),
                Err(_) if early => Ok(()),
                Err(error) => {
                    let table = plan.table_name().clone();
                    self.refuse(&table, fault::decode(error, &table));
                    Ok(())
                }
            },
        }
    }

    fn add(&mut self, changes: Vec<Change>, timestamp: u32) -> Result<(), Trouble> {
        let room = self.parks.room();
        let part_bytes_max = self.part_bytes_max;
        let group = self.open_group();
        group.add(changes);
        let held_bytes = group.byte_count + group.changes.len() * CHANGE_BYTES;
        if group.xa.is_some() {
            if held_bytes > room {
                return Err(fault::park_full(super::park::PARKED_BYTES_MAX).into());
            }
        } else if held_bytes >= part_bytes_max {
            let (changes, byte_count) = group.give_out();
            // An older source tells the time of the commit at the end alone; until then that of the
            // statement is the latest one.
            let at_us = group.committed_at_us.unwrap_or(micros(timestamp));
            self.push_part(changes, byte_count, false, at_us);
        }
        Ok(())
    }

    /// True for a tracked table whose start lies before this place.
    fn wants(&self, table: &TableName) -> bool {
        let tracked = self.tables.get(table);
        !self.is_replaying() && tracked.is_some_and(|tracked| !self.place.is_within(&tracked.start))
    }

    fn refuse_rows(&mut self, table_id: u64, fault: fn(&TableName) -> Fault) {
        self.open_group().row_event_count += 1;
        if let Some(table) = self.tables.tracked_name(table_id)
            && self.wants(&table)
        {
            self.refuse(&table, fault(&table));
        }
    }

    /// Stops a table: says so once, and passes over it from the begin of this transaction on.
    fn refuse(&mut self, table: &TableName, fault: Fault) {
        self.tables.untrack(table);
        let mut position = self.boundary.position().clone();
        if let Some(group) = &mut self.group {
            group.forget(table);
            position = group.begin.clone();
        }
        self.items
            .push_back(StreamItem::Refused { fault, position });
    }
}

/// Of the time in the header of an event.
fn micros(timestamp: u32) -> u64 {
    u64::from(timestamp) * 1_000_000
}
