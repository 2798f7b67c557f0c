//! Verify: proof that both sides are equal, row for row, while the source goes on changing.
//!
//! Both sides are read in key order as canonical bytes and hashed here, per key range. Unequal
//! ranges are split down to keys. A key that differs counts as a mismatch only when, at a
//! re-read after the stream has passed the end of the binlog read after the source's read, both
//! sides still differ and the stream held no change of that key between. Exact tables are
//! compared as multisets at an exact snapshot; those of a family with unlogged cascades by key,
//! since the binlog does not tell which of their rows changed.

mod compare;
mod exact;
mod hash;
pub mod report;
mod settle;
mod watch;

use crate::objects::ObjectSync;
use crate::pipe::Budget;
use crate::ports::{Catalog, SchemaDifference, Source, Target};
use crate::progress::Board;
use crate::state::{StoredTask, TableState};
use report::{TableReport, VerifyReport};
use std::sync::Arc;
use std::time::Duration;
use wherry_model::task::{Phases, SelectSpec};
use wherry_model::{Fault, Phase, Position, Table, TableName};

pub use watch::{ChangedKeys, changed_keys};

/// Looks at definitions that change while they are compared.
const SCHEMA_LOOK_COUNT_MAX: usize = 5;
const SCHEMA_LOOK_PAUSE: Duration = Duration::from_secs(1);

/// What a verification works with. Takes nothing: the runner may go on beside it.
#[derive(Clone)]
pub struct Verify {
    pub source: Arc<dyn Source>,
    pub target: Arc<dyn Target>,
    pub board: Arc<Board>,
    pub budget: Budget,
    pub selection: SelectSpec,
    pub objects: ObjectSync,
}

impl Verify {
    /// Compares definitions and every row of every selected table.
    pub async fn full(&self) -> Result<VerifyReport, Fault> {
        let (task, schema) = self.schema().await?;
        let mut report = VerifyReport {
            schema,
            ..VerifyReport::default()
        };
        for state in &task.tables {
            if let Some(stopped) = &state.stopped {
                let list = match stopped.left {
                    true => &mut report.left,
                    false => &mut report.left_out,
                };
                list.push((state.table.name.clone(), stopped.reason.clone()));
                continue;
            }
            if let Some(mark) = &state.lane {
                let reason = format!("it is being loaded beside the stream: {}", mark.reason);
                report.left_out.push((state.table.name.clone(), reason));
                continue;
            }
            if !leads(&task, state) {
                continue;
            }
            self.board
                .message(format!("verifying {}", state.table.name));
            report.tables.push(self.table(state).await?);
        }
        Ok(report)
    }

    /// Compares only rows whose keys changed in (from, to], both behind the stream.
    ///
    /// Exact tables among the changed ones are compared whole.
    pub async fn changed(&self, from: &Position, to: &Position) -> Result<VerifyReport, Fault> {
        let task = self.ready_task().await?;
        let mut report = VerifyReport::default();
        let tables: Vec<TableState> = live(&task).cloned().collect();
        let changed =
            changed_keys(self.source.as_ref(), &self.selection, &tables, from, to).await?;
        for state in live(&task).filter(|state| leads(&task, state)) {
            let parts = exact::parts(&task, state);
            let mut changed_parts = parts.iter().filter_map(|part| changed.of(&part.table.name));
            let Some(keys) = changed_parts.next() else {
                continue;
            };
            let table_report = match keys {
                watch::TableChanges::Keys(keys) => self.keys(state, keys).await?,
                watch::TableChanges::Whole => self.table(state).await?,
            };
            report.tables.push(table_report);
        }
        Ok(report)
    }

    /// Compares definitions alone.
    pub async fn definitions(&self) -> Result<Vec<SchemaDifference>, Fault> {
        Ok(self.schema().await?.1)
    }

    async fn table(&self, state: &TableState) -> Result<TableReport, Fault> {
        let by_key = state.table.is_cascading() && state.table.identity().is_some();
        if state.table.is_exact() && !by_key {
            return self.exact_table(state).await;
        }
        let mut report = TableReport::new(&state.table);
        let suspects = self.compare_ranges(&state.table, &mut report).await?;
        self.settle(state, suspects, &mut report).await?;
        Ok(report)
    }

    async fn keys(
        &self,
        state: &TableState,
        keys: &[wherry_model::Row],
    ) -> Result<TableReport, Fault> {
        let mut report = TableReport::new(&state.table);
        report.rows = keys.len() as u64;
        self.settle(state, keys.to_vec(), &mut report).await?;
        Ok(report)
    }

    /// The task, its tables without the columns that nobody can compare.
    pub(super) async fn ready_task(&self) -> Result<StoredTask, Fault> {
        let phases = self.selection.phases;
        if !phases.is_whole() {
            return Err(not_whole(phases));
        }
        let mut task = self.target.stored().await?.ok_or_else(not_loaded)?;
        let compared = |state: TableState| {
            let varying = self.source.varying_columns(&state.table);
            let table = state.table.compared(&varying);
            TableState { table, ..state }
        };
        task.tables = task.tables.into_iter().map(compared).collect();
        let passed = task.has_passed_end();
        if task.phase < Phase::Stream || !passed {
            return Err(not_loaded());
        }
        Ok(task)
    }

    /// Compares definitions: the source's as read now with the target's after the stream has
    /// passed that place. A definition that changed meanwhile is looked at again.
    async fn schema(&self) -> Result<(StoredTask, Vec<SchemaDifference>), Fault> {
        let mut looks = 0;
        loop {
            let task = self.ready_task().await?;
            let (catalog, listed) = self.current_catalog(&task).await?;
            let end = self.source.end().await?;
            let passed = self.wait_until_passed(&end).await?;
            let task = self.ready_task().await?;
            let mut differences = self
                .target
                .schema_diff(&catalog.databases, &catalog.tables)
                .await?;
            differences.extend(unreadable(&task, &catalog.refused));
            differences.extend(unknown(&task, listed));
            differences.extend(self.objects.diff().await?);
            looks += 1;
            let explained = differences
                .iter()
                .all(|difference| difference.rule.is_some());
            if explained || !passed || looks == SCHEMA_LOOK_COUNT_MAX {
                return Ok((task, differences));
            }
            // A busy stream makes objects alike a moment behind their statements.
            tokio::time::sleep(SCHEMA_LOOK_PAUSE).await;
        }
    }

    /// Databases and tables as the source defines them now, for the schema's comparison, and the
    /// names of all tables that it has.
    async fn current_catalog(&self, task: &StoredTask) -> Result<(Catalog, Vec<TableName>), Fault> {
        let mut catalog = self.source.catalog(&self.selection).await?;
        let listed = catalog.tables.iter().map(|table| table.name.clone());
        let listed = listed.collect();
        let known = |mut table: Table| {
            let state = live(task).find(|state| state.table.name == table.name)?;
            table.adopted = state.table.adopted.clone();
            Some(table)
        };
        catalog.tables = catalog.tables.into_iter().filter_map(known).collect();
        Ok((catalog, listed))
    }
}

/// Tables of the selection that the source has and the task, behind that place, has never met.
fn unknown(task: &StoredTask, listed: Vec<TableName>) -> impl Iterator<Item = SchemaDifference> {
    let is_known = |name: &TableName| task.tables.iter().any(|state| state.table.name == *name);
    let unknown: Vec<TableName> = listed.into_iter().filter(|name| !is_known(name)).collect();
    unknown.into_iter().map(|table| SchemaDifference {
        table,
        foreign_key: false,
        description: "the source has the table, and the task does not follow it".to_owned(),
        rule: None,
    })
}

/// Tables that are followed and whose definition at the source cannot be carried any more.
fn unreadable(task: &StoredTask, refused: &[Fault]) -> Vec<SchemaDifference> {
    let followed = |fault: &&Fault| {
        let name = fault.table_name();
        live(task).any(|state| Some(&state.table.name) == name)
    };
    let difference = |fault: &Fault| {
        Some(SchemaDifference {
            table: fault.table_name()?.clone(),
            foreign_key: false,
            description: format!(
                "the source's definition cannot be carried: {}: {}",
                fault.code, fault.message
            ),
            rule: None,
        })
    };
    refused
        .iter()
        .filter(followed)
        .filter_map(difference)
        .collect()
}

/// True for a table that is compared by itself, and for the first of those that become one table.
fn leads(task: &StoredTask, state: &TableState) -> bool {
    if !state.table.is_merged() {
        return true;
    }
    let family = state.table.family();
    let first = live(task).find(|other| other.table.family() == family);
    first.is_some_and(|first| first.table.name == state.table.name)
}

fn live(task: &StoredTask) -> impl Iterator<Item = &TableState> {
    task.tables.iter().filter(|state| state.is_followed())
}

fn not_whole(phases: Phases) -> Fault {
    Fault::operator(
        "VER-003",
        format!("a task with the phases {phases} alone does not bring every row, so there is nothing to compare"),
    )
    .hint("Compare by a task that loads too.")
}

fn not_loaded() -> Fault {
    Fault::operator(
        "VER-001",
        "the load and its replay are not finished, so there is nothing to compare yet",
    )
    .hint("Wait until `wherry status` shows the phase stream with a lag, then verify again.")
}

/// The key of a row: the values of the identity's parts in their order.
fn key_of(table: &Table, row: &wherry_model::Row) -> wherry_model::Row {
    let identity = table.identity().expect("a keyed table has an identity");
    let values: Vec<Option<&[u8]>> = row.values().collect();
    wherry_model::Row::from_values(
        identity
            .parts
            .iter()
            .map(|part| values.get(part.column).copied().flatten()),
    )
}

fn unknown_table(table: &TableName) -> Fault {
    Fault::bug(
        "VER-002",
        format!("table {table} vanished from the verification"),
    )
    .table(table)
}
