//! Places in the past from which a stream without a load may begin.
//!
//! Owns what a position, a GTID set or a moment of `stream.from` means: always a border between two
//! transactions, and never one behind what the user says that the target holds. Reads the binlog
//! without waiting for more; rows are passed over unread.

use super::event::Event;
use super::fault;
use super::gtid::{GtidSet, GtidState, MariaPosition};
use super::place::Place;
use super::position::{self, BinlogFile, FILE_BEGIN, FileHead, read_head};
use super::statement::Judge;
use super::stream::assembler::{Assembler, Purpose, Trouble};
use super::stream::fitting_gtids;
use super::stream::link::{SourceFacts, ask_facts, dump_fault};
use crate::session::{BinlogConnection, DumpRequest, Endpoint, Session, SessionKind};
use bytes::Bytes;
use std::time::Duration;
use wherry_engine::state::Checkpoint;
use wherry_model::task::{Begin, SelectSpec, StreamFrom};
use wherry_model::{Fault, Position};

/// The dump ends instead of waiting, so the server has nothing to say in between.
const HEARTBEAT: Duration = Duration::from_secs(1);

const SECOND_US: u64 = 1_000_000;

/// The place that `from` names.
///
/// Errors: `BIN-031` to `BIN-033` where the source does not have it.
pub async fn begin(endpoint: &Endpoint, from: &StreamFrom) -> Result<Position, Fault> {
    let begin = from.begin().map_err(fault::unchecked_begin)?;
    let mut session = Session::connect(endpoint, SessionKind::Control).await?;
    let facts = ask_facts(&mut session).await?;
    let files = position::files(&mut session).await?;
    if files.is_empty() {
        return Err(fault::no_binlog());
    }
    let source = Past {
        endpoint,
        facts,
        files,
    };
    match begin {
        Begin::Place { file, offset } => source.place(&file, offset).await,
        Begin::Gtids(text) => {
            let wanted = source.held(&mut session, &text).await?;
            source.gtids(&wanted).await
        }
        Begin::Moment(moment_us) => {
            let rows = session.query("SELECT UNIX_TIMESTAMP()").await?;
            let now = rows.text(0, 0).and_then(|text| text.parse::<u64>().ok());
            if now.is_some_and(|now| moment_us > (now + 1) * SECOND_US) {
                return Err(fault::in_the_future());
            }
            source.moment(moment_us).await
        }
    }
}

/// The binlog of a source as it is now.
struct Past<'e> {
    endpoint: &'e Endpoint,
    facts: SourceFacts,
    /// Oldest first, at least one.
    files: Vec<BinlogFile>,
}

impl Past<'_> {
    fn range(&self) -> String {
        let (first, last) = (&self.files[0], &self.files[self.files.len() - 1]);
        format!("{} to {}:{}", first.name, last.name, last.size)
    }

    async fn place(&self, file: &str, offset: u64) -> Result<Position, Fault> {
        let wanted = Position::new(file, offset, None);
        let known = self.files.iter().find(|known| known.name == file);
        if known.is_none_or(|known| offset > known.size) {
            return Err(fault::no_such_place(&wanted, &self.range()));
        }
        let head = read_head(self.endpoint, file).await?;
        let mut scan = self.scan(file, &head).await?;
        loop {
            let border = scan.border();
            if border.reaches(&wanted) {
                return match wanted.reaches(&border) {
                    true => Ok(border),
                    false => Err(fault::within_a_transaction(&wanted)),
                };
            }
            if !scan.step().await? {
                return Err(fault::within_a_transaction(&wanted));
            }
        }
    }

    /// The GTIDs of the text, which the source must all have.
    async fn held(&self, session: &mut Session, text: &str) -> Result<GtidState, Fault> {
        let form = "Write it as the server does: `SELECT @@GLOBAL.gtid_executed` on MySQL, `SELECT @@GLOBAL.gtid_binlog_pos` on MariaDB.";
        if self.facts.version.is_mariadb() {
            let wanted =
                MariaPosition::parse(text).map_err(|error| fault::no_gtids(error, form))?;
            let rows = session.query("SELECT @@GLOBAL.gtid_binlog_pos").await?;
            let there = MariaPosition::parse(rows.text(0, 0).unwrap_or_default())
                .map_err(|error| fault::no_gtids(error, form))?;
            return match there.contains_all(&wanted) {
                true => Ok(GtidState::MariaDb(wanted)),
                false => Err(fault::gtids_not_held(text)),
            };
        }
        let wanted = GtidSet::parse(text).map_err(|error| fault::no_gtids(error, form))?;
        if !self.facts.gtid_mode_on {
            return Err(fault::without_gtids());
        }
        let rows = session.query("SELECT @@GLOBAL.gtid_executed").await?;
        let there = GtidSet::parse(rows.text(0, 0).unwrap_or_default())
            .map_err(|error| fault::no_gtids(error, form))?;
        match there.contains_set(&wanted) {
            true => Ok(GtidState::MySql(wanted)),
            false => Err(fault::gtids_not_held(&wanted.subtract(&there).to_string())),
        }
    }

    /// The last border before which there is nothing but these transactions. What is among them
    /// and lies behind it is read again, which changes nothing in the end.
    async fn gtids(&self, wanted: &GtidState) -> Result<Position, Fault> {
        let (mut low, mut high) = (0, self.files.len());
        // Files before `low` begin within the set, those from `high` on do not.
        while low < high {
            let middle = low.midpoint(high);
            match holds(wanted, self.head(middle).await?.gtids.as_ref()) {
                true => low = middle + 1,
                false => high = middle,
            }
        }
        let Some(index) = low.checked_sub(1) else {
            return Err(fault::gtids_gone(&self.range()));
        };
        let file = &self.files[index].name;
        let mut scan = self.scan(file, &self.head(index).await?).await?;
        let mut found = scan.border();
        while scan.step().await? {
            if !holds(wanted, scan.assembler.boundary().gtids()) {
                break;
            }
            found = scan.border();
        }
        Ok(found)
    }

    /// A border before which everything was committed before the moment.
    async fn moment(&self, moment_us: u64) -> Result<Position, Fault> {
        let (mut low, mut high) = (0, self.files.len());
        while low < high {
            let middle = low.midpoint(high);
            // A file is begun when what is in the files before it has been committed. Its time is cut
            // off to a second.
            let begun = u64::from(self.head(middle).await?.begun_at);
            match (begun + 1) * SECOND_US <= moment_us {
                true => low = middle + 1,
                false => high = middle,
            }
        }
        let Some(index) = low.checked_sub(1) else {
            let oldest = self.head(0).await?.begun_at;
            return Err(fault::before_the_binlog(&self.range(), u64::from(oldest)));
        };
        let file = self.files[index].name.clone();
        let head = self.head(index).await?;
        // MariaDB rotates before the commits of older files are finished, and purges none before.
        let is_there = |name: &String| self.files.iter().any(|known| known.name == *name);
        let earlier = head.checkpoint_file.clone().filter(|name| *name != file);
        if let Some(earlier) = earlier.filter(is_there) {
            let head = read_head(self.endpoint, &earlier).await?;
            return Ok(self.scan(&earlier, &head).await?.border());
        }
        let mut scan = self.scan(&file, &head).await?;
        let begin = scan.border();
        if self.facts.version.is_mariadb() || !self.facts.version.at_least(8, 0, 1) {
            // Their events tell when a statement began, not when it was committed.
            return Ok(begin);
        }
        loop {
            let border = scan.border();
            if !scan.step().await? {
                return Ok(border);
            }
            match scan.committed_at_us.take() {
                Some(None) => return Ok(begin),
                Some(Some(at_us)) if at_us >= moment_us => return Ok(border),
                Some(Some(_)) | None => {}
            }
        }
    }

    async fn head(&self, index: usize) -> Result<FileHead, Fault> {
        read_head(self.endpoint, &self.files[index].name).await
    }

    /// Reads a file from its beginning.
    async fn scan(&self, file: &str, head: &FileHead) -> Result<Scan, Fault> {
        let gtids = fitting_gtids(head.gtids.clone(), &self.facts);
        let text = gtids.as_ref().map(ToString::to_string);
        let begin = Position::new(file, FILE_BEGIN, text.as_deref());
        let request = DumpRequest {
            server_id: position::random_server_id(),
            file: file.to_owned(),
            offset: FILE_BEGIN,
            gtids: None,
            heartbeat: HEARTBEAT,
            non_blocking: true,
        };
        let session = Session::connect(self.endpoint, SessionKind::Control).await?;
        // Nothing is selected: what was done before does not matter.
        let judge = Judge::new(&SelectSpec::default(), &self.facts);
        let checkpoint = Checkpoint::at(begin);
        Ok(Scan {
            connection: session.binlog_dump(request).await.map_err(dump_fault)?,
            place: Place::new(file, FILE_BEGIN),
            assembler: Assembler::new(&checkpoint, gtids, judge, Purpose::Definitions, usize::MAX),
            committed_at_us: None,
        })
    }
}

fn holds(wanted: &GtidState, there: Option<&GtidState>) -> bool {
    match (wanted, there) {
        (GtidState::MySql(wanted), Some(GtidState::MySql(there))) => wanted.contains_set(there),
        (GtidState::MariaDb(wanted), Some(GtidState::MariaDb(there))) => wanted.contains_all(there),
        // A file without a list begins with nothing, or its transactions have no GTIDs.
        (GtidState::MariaDb(_), None) => true,
        _ => false,
    }
}

/// A reading from border to border.
struct Scan {
    connection: BinlogConnection,
    place: Place,
    assembler: Assembler,
    /// Of a transaction that the last step has begun; the inner `None`: it does not tell.
    committed_at_us: Option<Option<u64>>,
}

impl Scan {
    /// Behind the last whole transaction.
    fn border(&self) -> Position {
        self.assembler.boundary().position().clone()
    }

    /// Takes the next event; false at the end of the binlog.
    async fn step(&mut self) -> Result<bool, Fault> {
        let Some(event) = self.connection.next_event().await.map_err(dump_fault)? else {
            return Ok(false);
        };
        self.peek(&event)?;
        let mut taken = self.assembler.take(&event);
        while taken.is_ok() && self.assembler.has_inner_events() {
            taken = self.assembler.take_inner();
        }
        taken.map_err(|trouble| match trouble {
            Trouble::Fault(fault) => fault,
            Trouble::Event(error) => fault::event(error, self.assembler.boundary().position()),
        })?;
        while self.assembler.next_item().is_some() {}
        Ok(true)
    }

    /// Looks at the head of a transaction, which tells when it was committed.
    fn peek(&mut self, event: &Bytes) -> Result<(), Fault> {
        let unreadable = |error| fault::event(error, self.assembler.boundary().position());
        let raw = self.place.take(event).map_err(unreadable)?;
        if raw.header.is_rows() || raw.header.is_table_map() {
            return Ok(());
        }
        match self.place.parse(&raw).map_err(unreadable)? {
            Event::Format(format) => self.place.set_format(format),
            Event::Rotate { file, offset } => self.place.rotate(&file, offset),
            Event::Gtid(event) => self.committed_at_us = Some(event.committed_at_us),
            _ => {}
        }
        Ok(())
    }
}
