//! Which keys the stream changed between two positions, read from the source's binlog.

use super::{key_of, unknown_table};
use crate::ports::{Source, StreamItem, TransactionPart};
use crate::state::{Checkpoint, TableState};
use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use wherry_model::task::SelectSpec;
use wherry_model::{Change, Fault, Position, Row, TableName};

/// Changed keys kept for one table; beyond it the whole table counts as changed.
const CHANGED_KEY_COUNT_MAX: usize = 500_000;

/// The keys that changed, by table.
#[derive(Debug, Default)]
pub struct ChangedKeys {
    tables: HashMap<TableName, TableKeys>,
}

#[derive(Debug, Default)]
struct TableKeys {
    set: HashSet<Row>,
    list: Vec<Row>,
    whole: bool,
}

pub(super) enum TableChanges<'a> {
    Keys(&'a [Row]),
    /// Too many keys, a definition change, a table without a key, or a family with cascades.
    Whole,
}

impl ChangedKeys {
    pub(super) fn of(&self, table: &TableName) -> Option<TableChanges<'_>> {
        let keys = self.tables.get(table)?;
        Some(if keys.whole {
            TableChanges::Whole
        } else {
            TableChanges::Keys(&keys.list)
        })
    }

    fn mark_whole(&mut self, table: &TableName) {
        let keys = self.tables.entry(table.clone()).or_default();
        keys.whole = true;
        keys.set.clear();
        keys.list.clear();
    }

    fn record(&mut self, change: &Change, tables: &[TableState]) {
        let table = &change.table;
        if table.is_cascading() {
            // Which rows of the family it changed by cascade, the binlog does not say.
            for state in tables.iter().filter(|state| state.table.is_cascading()) {
                self.mark_whole(&state.table.name);
            }
            return;
        }
        if table.is_exact() {
            self.mark_whole(&table.name);
            return;
        }
        let keys = self.tables.entry(table.name.clone()).or_default();
        if keys.whole {
            return;
        }
        for image in [change.before(), change.after()].into_iter().flatten() {
            let key = key_of(table, image);
            if keys.set.insert(key.clone()) {
                keys.list.push(key);
            }
        }
        if keys.list.len() > CHANGED_KEY_COUNT_MAX {
            self.mark_whole(&table.name);
        }
    }
}

/// Reads the binlog in (from, to] and gathers the keys of every change of `tables`.
pub async fn changed_keys(
    source: &dyn Source,
    selection: &SelectSpec,
    tables: &[TableState],
    from: &Position,
    to: &Position,
) -> Result<ChangedKeys, Fault> {
    let mut changed = ChangedKeys::default();
    each_change(
        source,
        selection,
        tables,
        (from, to),
        |change| match change {
            Seen::Change { change, .. } => changed.record(change, tables),
            Seen::Redefined(table) => changed.mark_whole(table),
        },
    )
    .await?;
    Ok(changed)
}

/// True where the part's transaction lies behind `position`. Transactions never straddle a
/// position that was an end of the binlog or a checkpoint.
pub(super) fn lies_behind(part: &TransactionPart, position: &Position) -> bool {
    if part.last {
        !position.reaches(&part.checkpoint.applied_to)
    } else {
        part.checkpoint.applied_to.reaches(position)
    }
}

pub(super) enum Seen<'a> {
    Change {
        change: &'a Change,
        part: &'a TransactionPart,
    },
    /// The table's definition changed; what follows of it is not decoded.
    Redefined(&'a TableName),
}

/// Calls `see` for each change of `tables` in (from, to].
pub(super) async fn each_change(
    source: &dyn Source,
    selection: &SelectSpec,
    tables: &[TableState],
    (from, to): (&Position, &Position),
    mut see: impl FnMut(Seen<'_>),
) -> Result<(), Fault> {
    if from.reaches(to) {
        return Ok(());
    }
    let mut stream = source
        .stream(&Checkpoint::at(from.clone()), selection)
        .await?;
    for state in tables {
        // Its own start: what lies before it was written under another definition.
        stream.track(Arc::new(state.table.clone()), state.start.clone());
    }
    loop {
        let reached = match stream.next().await? {
            StreamItem::Changes(part) if lies_behind(&part, to) => return Ok(()),
            StreamItem::Changes(part) => {
                part.changes.iter().for_each(|change| {
                    see(Seen::Change {
                        change,
                        part: &part,
                    })
                });
                part.last.then_some(part.checkpoint.applied_to)
            }
            StreamItem::Passed { checkpoint, .. } => Some(checkpoint.applied_to),
            StreamItem::Ddl(ddl) => {
                // One that names others too is also met where it lies before a table's start.
                let is_known = |table: &TableName| {
                    let mut states = tables.iter();
                    states.any(|state| state.table.name == *table && state.start.reaches(&ddl.end))
                };
                for table in ddl.tables.iter().filter(|table| !is_known(table)) {
                    see(Seen::Redefined(table));
                    stream.untrack(table);
                }
                Some(ddl.end)
            }
            StreamItem::Refused { fault, .. } => {
                let Some(table) = fault.table_name() else {
                    return Err(fault);
                };
                if !tables.iter().any(|known| known.table.name == *table) {
                    return Err(unknown_table(table));
                }
                see(Seen::Redefined(table));
                stream.untrack(table);
                None
            }
        };
        if reached.is_some_and(|position| position.reaches(to)) {
            return Ok(());
        }
    }
}
