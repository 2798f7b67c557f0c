//! The DDL between two places of the binlog.
//!
//! Reads the binlog without waiting for more, passes over rows unread, and keeps what defines a
//! selected table or database.

use super::fault;
use super::position;
use super::position::random_server_id;
use super::statement::Judge;
use super::stream::assembler::{Assembler, Purpose, Trouble};
use super::stream::link::{ask_facts, dump_fault};
use super::stream::{fitting_gtids, stored_gtids};
use crate::session::{DumpRequest, Endpoint, Session, SessionKind};
use std::time::Duration;
use wherry_engine::ports::StreamItem;
use wherry_engine::state::Checkpoint;
use wherry_model::task::SelectSpec;
use wherry_model::{Ddl, DdlKind, Fault, Position};

/// The dump ends instead of waiting, so the server has nothing to say in between.
const HEARTBEAT: Duration = Duration::from_secs(1);

/// Every DDL behind `from` and not behind `to` that defines a selected table or database, in
/// order.
pub async fn ddl_between(
    endpoint: &Endpoint,
    from: &Position,
    to: &Position,
    selection: &SelectSpec,
) -> Result<Vec<Ddl>, Fault> {
    if from.reaches(to) {
        return Ok(Vec::new());
    }
    let mut session = Session::connect(endpoint, SessionKind::Control).await?;
    let facts = ask_facts(&mut session).await?;
    position::check_available(&mut session, from).await?;
    let judge = Judge::new(selection, &facts);
    let request = DumpRequest {
        server_id: random_server_id(),
        file: from.file.to_string(),
        offset: u32::try_from(from.offset).map_or(position::FILE_BEGIN, u64::from),
        gtids: None,
        heartbeat: HEARTBEAT,
        non_blocking: true,
    };
    let mut connection = session.binlog_dump(request).await.map_err(dump_fault)?;
    let checkpoint = Checkpoint::at(from.clone());
    let gtids = fitting_gtids(stored_gtids(from)?, &facts);
    let mut assembler = Assembler::new(&checkpoint, gtids, judge, Purpose::Definitions, usize::MAX);
    let mut found = Vec::new();
    while let Some(event) = connection.next_event().await.map_err(dump_fault)? {
        let mut taken = assembler.take(&event);
        while taken.is_ok() && assembler.has_inner_events() {
            taken = assembler.take_inner();
        }
        taken.map_err(|trouble| match trouble {
            Trouble::Fault(fault) => fault,
            Trouble::Event(error) => fault::event(error, assembler.boundary().position()),
        })?;
        while let Some(item) = assembler.next_item() {
            // An object without rows moves no table's start.
            if let StreamItem::Ddl(ddl) = item
                && ddl.kind != DdlKind::Object
                && to.reaches(&ddl.end)
            {
                found.push(ddl);
            }
        }
        if assembler.boundary().position().reaches(to) {
            return Ok(found);
        }
    }
    // The dump ended at the end of the binlog, which `to` must not lie behind.
    Err(fault::scan_ended(assembler.boundary().position(), to))
}
