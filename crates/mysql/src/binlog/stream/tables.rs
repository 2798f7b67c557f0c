//! Which tables are decoded, from where on, and how their row events are read.

use crate::binlog::decode::RowPlan;
use crate::binlog::event::RawEvent;
use crate::binlog::fault;
use crate::binlog::place::Place;
use crate::binlog::plan::PlanError;
use crate::binlog::stream::assembler::Trouble;
use bytes::Bytes;
use std::collections::HashMap;
use std::sync::Arc;
use wherry_model::{Fault, Position, Table, TableName};

/// Table maps kept; the server hands out new ids with every definition and after restarts.
const MAP_COUNT_MAX: usize = 10_000;

/// A table whose changes are wanted.
#[derive(Debug, Clone)]
pub struct Tracked {
    pub table: Arc<Table>,
    /// Changes up to here are passed over.
    pub start: Position,
}

/// The tracked tables and the table maps of the current file.
#[derive(Debug, Default)]
pub struct Tables {
    tracked: HashMap<TableName, Tracked>,
    maps: HashMap<u64, Mapped>,
}

/// What a table id stands for.
#[derive(Debug)]
struct Mapped {
    /// The event, to know a repetition from a change.
    body: Bytes,
    name: TableName,
    plan: Option<Arc<RowPlan>>,
}

/// A table of a row event.
pub enum Lookup {
    /// The table is not tracked.
    Unwanted,
    Wanted {
        plan: Arc<RowPlan>,
        /// The place lies before the table's start: the columns may have been others then.
        early: bool,
    },
    Refused(Fault, TableName),
    /// No table map has this id.
    Unknown,
}

impl Tables {
    pub fn track(&mut self, table: Arc<Table>, start: Position) {
        let name = table.name.clone();
        self.forget_plan(&name);
        self.tracked.insert(name, Tracked { table, start });
    }

    pub fn untrack(&mut self, name: &TableName) {
        self.forget_plan(name);
        self.tracked.remove(name);
    }

    pub fn get(&self, name: &TableName) -> Option<&Tracked> {
        self.tracked.get(name)
    }

    pub fn is_empty(&self) -> bool {
        self.tracked.is_empty()
    }

    fn forget_plan(&mut self, name: &TableName) {
        for mapped in self.maps.values_mut().filter(|mapped| mapped.name == *name) {
            mapped.plan = None;
        }
    }

    /// Ids mean nothing in another file.
    pub fn forget_maps(&mut self) {
        self.maps.clear();
    }

    /// Takes a table map event. Its columns are looked at only when rows of a tracked table come.
    pub fn map(&mut self, raw: &RawEvent, place: &Place) -> Result<(), Trouble> {
        let id = place.table_map_id(raw).map_err(Trouble::Event)?;
        if self
            .maps
            .get(&id)
            .is_some_and(|mapped| mapped.body == raw.body)
        {
            return Ok(());
        }
        if self.maps.len() >= MAP_COUNT_MAX {
            self.maps.clear();
        }
        let name = place.table_map_name(raw).map_err(Trouble::Event)?;
        let mapped = Mapped {
            body: detach(&raw.body),
            name,
            plan: None,
        };
        self.maps.insert(id, mapped);
        Ok(())
    }

    /// The name behind an id, where it is that of a tracked table.
    pub fn tracked_name(&self, id: u64) -> Option<TableName> {
        let name = &self.maps.get(&id)?.name;
        self.tracked.contains_key(name).then(|| name.clone())
    }

    /// `parked`: the rows count at the outcome of their XA transaction, which may lie behind the
    /// table's start while they stand before it.
    pub fn lookup(&mut self, id: u64, place: &Place, parked: bool) -> Result<Lookup, Trouble> {
        let Some(mapped) = self.maps.get_mut(&id) else {
            return Ok(Lookup::Unknown);
        };
        let Some(tracked) = self.tracked.get(&mapped.name) else {
            return Ok(Lookup::Unwanted);
        };
        let early = place.is_within(&tracked.start);
        if early && !parked {
            // Written under another definition, so not even its columns are looked at.
            return Ok(Lookup::Unwanted);
        }
        if mapped.plan.is_none() {
            let map = place
                .parse_table_map(&mapped.body)
                .map_err(Trouble::Event)?;
            match RowPlan::new(Arc::clone(&tracked.table), &map) {
                Ok(plan) => mapped.plan = Some(Arc::new(plan)),
                // Then a definition lies between here and the start, and no XA transaction
                // stays open across one.
                Err(_) if early => return Ok(Lookup::Unwanted),
                Err(error) => return Ok(refused(error, &mapped.name)),
            }
        }
        Ok(match &mapped.plan {
            Some(plan) => Lookup::Wanted {
                plan: Arc::clone(plan),
                early,
            },
            None => Lookup::Unknown,
        })
    }
}

fn refused(error: PlanError, name: &TableName) -> Lookup {
    Lookup::Refused(fault::plan(error, name), name.clone())
}

/// A copy, so that a kept map does not keep the whole buffer that it came in.
fn detach(body: &Bytes) -> Bytes {
    Bytes::copy_from_slice(body)
}
