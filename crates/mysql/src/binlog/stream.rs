//! The stream of changes: the binlog as the engine sees it.
//!
//! Owns the connection's life: reads ahead, reconnects at the last whole transaction, gives up
//! after a bounded number of tries without progress. What events mean is in [`assembler`].

pub(super) mod assembler;
mod group;
pub(super) mod link;
mod park;
mod tables;
mod zone;

use super::fault;
use super::gtid::{GtidSet, GtidState, MariaPosition};
use super::identity::Identities;
use super::place::Boundary;
use super::statement::Judge;
use crate::filter::stage::{Filtered, Filters};
use crate::session::Endpoint;
use assembler::{Assembler, Purpose, Trouble};
use async_trait::async_trait;
pub(super) use link::SourceFacts;
use link::{Arrival, Dialer, Link};
use std::collections::VecDeque;
use std::sync::Arc;
use std::time::{Duration, Instant};
use wherry_engine::ports::{ChangeStream, StreamItem, TransactionPart};
use wherry_engine::state::Checkpoint;
use wherry_model::task::SelectSpec;
use wherry_model::{Ddl, Fault, Position, Table, TableName};

/// Tries to reach the source again without a transaction read in between.
const RECONNECT_COUNT_MAX: u32 = 10;

/// Wait before the first try; doubled with each further one, up to the limit.
const RECONNECT_DELAY: Duration = Duration::from_millis(200);
const RECONNECT_DELAY_MAX: Duration = Duration::from_secs(20);

/// Checkpoints of transactions that change nothing are given out no more often than this.
const PASSED_INTERVAL: Duration = Duration::from_millis(100);

/// How a stream behaves.
#[derive(Debug, Clone, Copy)]
pub struct StreamOptions {
    /// A transaction with more bytes of images is given out in parts.
    pub part_bytes_max: usize,
    /// Must differ from every other replica of the source.
    pub server_id: u32,
}

impl StreamOptions {
    pub const PART_BYTES_MAX: usize = 8 << 20;

    /// The usual part size, and a server id that no replica is likely to have.
    pub fn usual() -> StreamOptions {
        StreamOptions {
            part_bytes_max: StreamOptions::PART_BYTES_MAX,
            server_id: super::position::random_server_id(),
        }
    }
}

/// Changes of tracked tables in source order.
///
/// Order: for a DDL, a `Passed` with the checkpoint before it comes first while XA transactions
/// are open, so that the caller knows how far back reading must begin.
/// Errors: a transient fault means that reconnecting was given up.
/// Cancel: `next` may be dropped at any time; nothing is lost.
pub struct MysqlStream {
    dialer: Dialer,
    facts: SourceFacts,
    assembler: Assembler,
    filters: Filters,
    /// Changes that may not be selected.
    unfiltered: Option<TransactionPart>,
    /// Tables that are given up before the changes that wait.
    refused: VecDeque<StreamItem>,
    /// Behind the last transaction that was given out whole.
    given_to: Position,
    identities: Identities,
    /// Changes whose identities are not attached yet.
    unattached: Option<TransactionPart>,
    /// A statement whose time zone is not resolved yet.
    unresolved: Option<Ddl>,
    link: Link,
    /// Tries since the boundary last moved.
    tries: u32,
    boundary_at_loss: Option<Position>,
    passed_at: Instant,
}

impl MysqlStream {
    /// Opens the stream behind `from.read_from`; everything up to `from.applied_to` only fills
    /// parked XA transactions.
    pub async fn open(
        endpoint: &Endpoint,
        from: &Checkpoint,
        selection: &SelectSpec,
        options: StreamOptions,
    ) -> Result<MysqlStream, Fault> {
        let dialer = Dialer {
            endpoint: endpoint.clone(),
            server_id: options.server_id,
        };
        let boundary = Boundary::new(from.read_from.clone(), stored_gtids(&from.read_from)?);
        let (connection, facts) = dialer.dial(&boundary, None).await?;
        let gtids = fitting_gtids(boundary.gtids().cloned(), &facts);
        let judge = Judge::new(selection, &facts);
        let assembler =
            Assembler::new(from, gtids, judge, Purpose::Changes, options.part_bytes_max);
        Ok(MysqlStream {
            filters: Filters::new(endpoint.clone(), &facts.version),
            dialer,
            facts,
            assembler,
            unfiltered: None,
            refused: VecDeque::new(),
            given_to: from.applied_to.clone(),
            identities: Identities::new(endpoint.clone()),
            unattached: None,
            unresolved: None,
            link: Link::over(connection),
            tries: 0,
            boundary_at_loss: None,
            passed_at: Instant::now(),
        })
    }

    fn take(&mut self, arrival: Option<Arrival>) -> Result<(), Fault> {
        let Some((event, _permit)) = arrival else {
            // The task ends only behind a fault, unless the runtime is going down.
            return self.reconnect(fault::dump_ended());
        };
        match event {
            Err(fault) if fault.is_transient() => self.reconnect(fault),
            Err(fault) => Err(fault),
            Ok(event) => {
                let taken = self.assembler.take(&event);
                self.settle(taken)
            }
        }
    }

    /// Damaged bytes are read again; anything else that is wrong ends the stream.
    fn settle(&mut self, taken: Result<(), Trouble>) -> Result<(), Fault> {
        match taken {
            Ok(()) => Ok(()),
            Err(Trouble::Fault(fault)) => Err(fault),
            Err(Trouble::Event(error)) => {
                let position = self.assembler.boundary().position().clone();
                let is_checksum = matches!(error, super::event::EventError::Checksum { .. });
                let fault = fault::event(error, &position);
                if is_checksum {
                    self.reconnect(fault)
                } else {
                    Err(fault)
                }
            }
        }
    }

    fn reconnect(&mut self, cause: Fault) -> Result<(), Fault> {
        let boundary = self.assembler.boundary().clone();
        if self.boundary_at_loss.as_ref() != Some(boundary.position()) {
            self.boundary_at_loss = Some(boundary.position().clone());
            self.tries = 0;
        }
        if self.tries == RECONNECT_COUNT_MAX {
            return Err(fault::gave_up(self.tries, cause));
        }
        let delay = RECONNECT_DELAY
            .saturating_mul(1 << self.tries)
            .min(RECONNECT_DELAY_MAX);
        self.tries += 1;
        tracing::warn!(
            position = %boundary.position(),
            tries = self.tries,
            reason = %cause,
            "reading the source's binlog again"
        );
        self.assembler.restart();
        self.link = Link::redial(self.dialer.clone(), boundary, self.facts.clone(), delay);
        Ok(())
    }

    /// Stops tables before the transaction that waits.
    fn give_up(&mut self, faults: Vec<Fault>) {
        for fault in faults {
            if let Some(table) = fault.table_name() {
                self.assembler.untrack(table);
            }
            let position = self.given_to.clone();
            self.refused
                .push_back(StreamItem::Refused { fault, position });
        }
    }

    /// Gives out a checkpoint where nothing else does: when caught up, or after a while.
    fn pass(&mut self, caught_up: bool) -> bool {
        let due = caught_up || self.passed_at.elapsed() >= PASSED_INTERVAL;
        if due && self.assembler.has_passed() {
            self.passed_at = Instant::now();
            self.assembler.push_passed(caught_up);
            return true;
        }
        false
    }
}

#[async_trait]
impl ChangeStream for MysqlStream {
    async fn next(&mut self) -> Result<StreamItem, Fault> {
        loop {
            if let Some(part) = &mut self.unfiltered {
                let committed_at_us = part.committed_at_us;
                let filtered = self.filters.apply(&mut part.changes, committed_at_us);
                let Filtered { faults, skipped } = filtered.await?;
                part.skipped = skipped;
                self.give_up(faults);
            }
            if let Some(part) = self.unfiltered.take() {
                if part.last {
                    self.given_to = part.checkpoint.applied_to.clone();
                }
                self.unattached = Some(part);
            }
            if let Some(item) = self.refused.pop_front() {
                return Ok(item);
            }
            if let Some(part) = &mut self.unattached {
                self.identities.attach(&mut part.changes).await?;
            }
            if let Some(part) = self.unattached.take() {
                return Ok(StreamItem::Changes(part));
            }
            if let Some(ddl) = &mut self.unresolved {
                zone::resolve(&self.dialer.endpoint, &mut ddl.session).await?;
            }
            if let Some(ddl) = self.unresolved.take() {
                return Ok(StreamItem::Ddl(ddl));
            }
            match self.assembler.next_item() {
                Some(StreamItem::Changes(part)) => {
                    self.unfiltered = Some(part);
                    continue;
                }
                Some(StreamItem::Ddl(ddl)) => {
                    self.unresolved = Some(ddl);
                    continue;
                }
                Some(item) => return Ok(item),
                None => {}
            }
            if self.assembler.has_inner_events() {
                let taken = self.assembler.take_inner();
                self.settle(taken)?;
                continue;
            }
            let arrival = match self.link.try_next() {
                Some(arrival) => Some(arrival),
                None if self.pass(true) => continue,
                None => self.link.next().await,
            };
            self.take(arrival)?;
            self.pass(false);
            // Decoding never waits while events are there; others must get their turn.
            tokio::task::consume_budget().await;
        }
    }

    fn track(&mut self, table: Arc<Table>, start: Position) {
        self.filters.track(&table.name);
        self.assembler.track(table, start);
    }

    fn untrack(&mut self, table: &TableName) {
        self.assembler.untrack(table);
    }
}

/// The GTIDs of a position as this source continues them; none where it does not.
pub(super) fn fitting_gtids(gtids: Option<GtidState>, facts: &SourceFacts) -> Option<GtidState> {
    match (gtids?, facts.version.is_mariadb()) {
        (GtidState::MySql(set), false) => facts.gtid_mode_on.then_some(GtidState::MySql(set)),
        // Nothing yet looks the same in both flavours.
        (GtidState::MySql(set), true) if set.is_empty() => {
            Some(GtidState::MariaDb(MariaPosition::default()))
        }
        (GtidState::MariaDb(position), true) => Some(GtidState::MariaDb(position)),
        _ => None,
    }
}

/// The GTIDs of a stored position: MariaDB's have no colon, MySQL's always do.
pub(super) fn stored_gtids(position: &Position) -> Result<Option<GtidState>, Fault> {
    let Some(text) = &position.gtids else {
        return Ok(None);
    };
    let state = if text.contains(':') || text.is_empty() {
        GtidSet::parse(text).map(GtidState::MySql)
    } else {
        MariaPosition::parse(text).map(GtidState::MariaDb)
    };
    state.map(Some).map_err(|_| fault::bad_position(text))
}
