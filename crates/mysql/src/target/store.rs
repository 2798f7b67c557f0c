//! What a task stores of itself: reads and small writes on Wherry's own tables.
//!
//! Owns how the model's types become stored text and back. The statements stand in `state`.

use super::Inner;
use super::fault;
use super::state::{TableRow, View};
use super::transaction::Guard;
use crate::ddl::definition::Definition;
use crate::ddl::{Context, Dialect as TextDialect};
use crate::session::{RowSet, SessionError};
use bytes::Bytes;
use serde::Serialize;
use serde::de::DeserializeOwned;
use std::sync::atomic::Ordering;
use wherry_engine::state::{
    Checkpoint, Chunk, KeyRange, Owed, Stopped, StoredTask, TableStage, TableState,
};
use wherry_model::{Fault, Phase, Position, Row, Table, TableName};

/// Whose SQL a stored definition is written in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Dialect {
    Source,
    Target,
}

impl Dialect {
    pub(super) fn as_str(self) -> &'static str {
        match self {
            Dialect::Source => "source",
            Dialect::Target => "target",
        }
    }
}

/// A table with what only the target knows of it.
pub(super) struct StoredTable {
    pub(super) state: TableState,
    pub(super) dialect: Dialect,
    pub(super) made: bool,
}

impl StoredTable {
    /// Never made, so what has its name in the target may be another's.
    pub(super) fn is_unmade(&self) -> bool {
        let state = &self.state;
        !self.made && (state.lane.is_some() || state.stopped.is_some())
    }
}

impl Inner {
    pub(super) async fn stored(&self) -> Result<Option<StoredTask>, Fault> {
        let Some(tasks) = self.read_if_there(&self.state.select_task()).await? else {
            return Ok(None);
        };
        if tasks.is_empty() {
            return Ok(None);
        }
        let phase = tasks
            .text(0, 0)
            .and_then(Phase::parse)
            .ok_or_else(|| fault::unreadable_state("the phase"))?;
        let end = match tasks.text(0, 2) {
            Some(text) => Some(parse(text, "the end position")?),
            None => None,
        };
        let source_id = tasks
            .text(0, 1)
            .ok_or_else(|| fault::unreadable_state("the source's identity"))?
            .to_owned();
        let checkpoint = match self.state.view() {
            View::Stream => self.read_checkpoint().await?,
            View::Lane => None,
        };
        let tables = self.every_table().await?;
        let task = StoredTask {
            phase,
            source_id,
            checkpoint,
            end,
            tables,
        };
        self.in_view(task).await.map(Some)
    }

    /// The tables of the task, whoever loads or follows them.
    pub(super) async fn every_table(&self) -> Result<Vec<TableState>, Fault> {
        let rows = match self.read_if_there(&self.state.select_tables()).await? {
            Some(rows) => rows,
            // Nobody has claimed the task since lanes came.
            None => {
                let sql = self.state.select_tables_without_lanes();
                self.read_state(&sql).await?
            }
        };
        (0..rows.rows.len())
            .map(|row| table_state(&rows, row, [0, 1, 2, 3, 4]))
            .collect()
    }

    pub(super) async fn read_checkpoint(&self) -> Result<Option<Checkpoint>, Fault> {
        let rows = self.read_state(&self.state.select_checkpoint()).await?;
        checkpoint_of(&rows)
    }

    pub(super) async fn stored_table(
        &self,
        table: &TableName,
    ) -> Result<Option<StoredTable>, Fault> {
        let rows = self.read_state(&self.state.select_table(table)).await?;
        if rows.is_empty() {
            return Ok(None);
        }
        let dialect = match rows.text(0, 1) {
            Some("source") => Dialect::Source,
            Some("target") => Dialect::Target,
            _ => return Err(fault::unreadable_state("the dialect of a definition")),
        };
        Ok(Some(StoredTable {
            state: table_state(&rows, 0, [0, 2, 3, 4, 6])?,
            dialect,
            made: rows.text(0, 5) == Some("1"),
        }))
    }

    /// The stored definition with the dialect of its text; `None` where of a table only the name is
    /// known.
    pub(super) async fn stored_definition(
        &self,
        stored: &StoredTable,
    ) -> Result<Option<(Definition, TextDialect)>, Fault> {
        let table = &stored.state.table;
        if table.definition.is_empty() {
            return Ok(None);
        }
        let dialect = match stored.dialect {
            Dialect::Source => self.source_dialect(),
            Dialect::Target => self.dialect().await?,
        };
        let context = Context::new(&table.name.database, dialect);
        let definition = Definition::parse(&table.definition, &context)
            .map_err(|error| Fault::from(error).table(&table.name))?;
        Ok(Some((definition, dialect)))
    }

    pub(super) async fn create_task(&self, source_id: &str) -> Result<(), Fault> {
        let rows = self.read_state(&self.state.select_task()).await?;
        if rows.text(0, 1) == Some(source_id) {
            return Ok(());
        }
        let sql = self.state.add_task(source_id, Phase::Precheck.as_str());
        self.write_state(&[sql]).await.map(drop)
    }

    pub(super) async fn phases(&self) -> Result<Option<String>, Fault> {
        let rows = self.read_if_there(&self.state.select_phases()).await?;
        Ok(rows.and_then(|rows| rows.text(0, 0).map(str::to_owned)))
    }

    pub(super) async fn put_phases(&self, phases: &str) -> Result<(), Fault> {
        self.write_state(&[self.state.put_phases(phases)])
            .await
            .map(drop)
    }

    pub(super) async fn set_phase(&self, from: Phase, to: Phase) -> Result<(), Fault> {
        if !from.may_become(to) {
            return Err(fault::state_moved("phases go forward one at a time"));
        }
        let guard = if from == Phase::Cutover {
            Guard::AfterFence
        } else {
            self.guard()?
        };
        let sql = self.state.set_phase(from.as_str(), to.as_str());
        let outcomes = self.write_state_guarded(guard, &[sql]).await?;
        expect_one(&outcomes, "the task is in another phase")
    }

    pub(super) async fn set_checkpoint(&self, checkpoint: &Checkpoint) -> Result<(), Fault> {
        let [read_from, applied_to] = checkpoint_texts(checkpoint)?;
        self.write_state(&[self.state.put_checkpoint(&read_from, &applied_to)])
            .await?;
        self.note_checkpoint(checkpoint);
        Ok(())
    }

    pub(super) async fn set_end(&self, end: &Position) -> Result<(), Fault> {
        let outcomes = self
            .write_state(&[self.state.set_end(&to_text(end)?)])
            .await?;
        expect_one(&outcomes, "the task is not stored")
    }

    pub(super) async fn plan_table(&self, state: &TableState) -> Result<(), Fault> {
        let dialect = self.dialect_of(state).await?;
        let mut statements = self.state.forget_rows(&state.table.name);
        statements.push(self.state.forget_skipped(&state.table.name));
        statements.extend(self.put_table(state, dialect)?);
        self.write_state(&statements).await.map(drop)
    }

    pub(super) fn put_table(
        &self,
        state: &TableState,
        dialect: Dialect,
    ) -> Result<Vec<String>, Fault> {
        let definition = to_text(&state.table)?;
        let start = to_text(&state.start)?;
        let stopped = state.stopped.as_ref().map(to_text).transpose()?;
        let row = self.state.put_table(
            &state.table.name,
            &TableRow {
                definition: &definition,
                dialect: dialect.as_str(),
                start: &start,
                stage: state.stage.as_str(),
                stopped: stopped.as_deref(),
            },
        );
        Ok([Some(row), self.mark_statement(state)?]
            .into_iter()
            .flatten()
            .collect())
    }

    pub(super) async fn set_stage(
        &self,
        table: &TableName,
        stage: TableStage,
    ) -> Result<(), Fault> {
        let outcomes = self
            .write_state(&[self.state.set_stage(table, stage.as_str())])
            .await?;
        expect_one(&outcomes, "the table is not planned")
    }

    pub(super) async fn stop_table(&self, fault: &Fault, position: &Position) -> Result<(), Fault> {
        let Some(table) = fault.table_name() else {
            return Err(fault::state_moved(
                "a table was to stop, the fault names none",
            ));
        };
        let mut reason = fault.message.clone();
        for cause in fault.causes() {
            reason.push_str(": ");
            reason.push_str(&cause);
        }
        if !fault.hint.is_empty() {
            reason.push_str("; next: ");
            reason.push_str(&fault.hint);
        }
        let stopped = Stopped {
            code: fault.code.to_owned(),
            reason,
            position: position.clone(),
            paused: None,
            left: false,
        };
        let statements = self.stop_statements(table, &stopped)?;
        self.write_state(&statements).await.map(drop)
    }

    /// Marks a table as stopped and writes it down for ever; one that is not stored yet is added.
    pub(super) fn stop_statements(
        &self,
        table: &TableName,
        stopped: &Stopped,
    ) -> Result<Vec<String>, Fault> {
        let Stopped {
            code,
            reason,
            position,
            ..
        } = stopped;
        Ok(vec![
            self.state.unmark_lane(table),
            self.state.set_stopped(table, &to_text(stopped)?),
            self.state
                .add_loss(table, code, reason, &position.to_string()),
        ])
    }

    pub(super) async fn chunks(&self, table: &TableName) -> Result<Vec<Chunk>, Fault> {
        let rows = self.read_state(&self.state.select_chunks(table)).await?;
        (0..rows.rows.len())
            .map(|row| {
                let counts = |column| number(&rows, row, column);
                Ok(Chunk {
                    number: counts(0)?,
                    range: KeyRange {
                        lower: stored_row(&rows, row, 1)?,
                        upper: stored_row(&rows, row, 2)?,
                    },
                    done: counts(3)? == 1,
                    row_count: counts(4)?,
                    byte_count: counts(5)?,
                })
            })
            .collect()
    }

    pub(super) async fn plan_chunk(&self, table: &TableName, chunk: &Chunk) -> Result<(), Fault> {
        self.write_state(&[self.state.add_chunk(table, chunk)])
            .await
            .map(drop)
    }

    pub(super) async fn owed(&self) -> Result<Vec<Owed>, Fault> {
        let seen = self.owed.read();
        let rows = self.read_state(&self.state.select_owed()).await?;
        if rows.is_empty() {
            self.owed.clear(seen);
        }
        let in_lane = self.state.view() == View::Lane;
        (0..rows.rows.len())
            .filter(|row| rows.text(*row, 3).is_some() == in_lane)
            .map(|row| {
                let text = |column| {
                    rows.text(row, column)
                        .ok_or_else(|| fault::unreadable_state("an owed key"))
                };
                Ok(Owed {
                    table: TableName::new(text(0)?, text(1)?),
                    key: stored_row(&rows, row, 2)?
                        .ok_or_else(|| fault::unreadable_state("an owed key"))?,
                })
            })
            .collect()
    }

    pub(super) async fn put_progress(&self, progress: &str) -> Result<(), Fault> {
        let sql = [self.state.put_progress(progress)];
        let forward_only = self.fenced.load(Ordering::SeqCst);
        let guard = match self.guard() {
            Ok(guard) if !forward_only => guard,
            // Only the forward steps of a cutover write without a claim.
            _ => Guard::AfterFence,
        };
        self.write_state_guarded(guard, &sql).await.map(drop)
    }

    pub(super) async fn progress(&self) -> Result<Option<(u64, String)>, Fault> {
        let Some(rows) = self.read_if_there(&self.state.select_progress()).await? else {
            return Ok(None);
        };
        let Some(text) = rows.text(0, 1) else {
            return Ok(None);
        };
        Ok(Some((number(&rows, 0, 0)?, text.to_owned())))
    }

    pub(super) async fn read_state(&self, sql: &str) -> Result<RowSet, Fault> {
        let mut session = self.session().await?;
        session
            .query(sql)
            .await
            .map_err(|error| self.state_fault(error))
    }

    /// `None` where Wherry's tables do not exist.
    pub(super) async fn read_if_there(&self, sql: &str) -> Result<Option<RowSet>, Fault> {
        let mut session = self.session().await?;
        match session.query(sql).await {
            Ok(rows) => Ok(Some(rows)),
            Err(error)
                if matches!(
                    error.server_code(),
                    Some(fault::UNKNOWN_DATABASE | fault::UNKNOWN_TABLE)
                ) =>
            {
                Ok(None)
            }
            Err(error) => Err(SessionError::into_fault(error)),
        }
    }

    pub(super) fn note_checkpoint(&self, checkpoint: &Checkpoint) {
        *self
            .last_checkpoint
            .lock()
            .unwrap_or_else(std::sync::PoisonError::into_inner) = Some(checkpoint.clone());
    }

    /// Where the stream stands, for records that only need a rough place.
    pub(super) fn last_position(&self) -> String {
        self.last_checkpoint
            .lock()
            .unwrap_or_else(std::sync::PoisonError::into_inner)
            .as_ref()
            .map_or_else(String::new, |checkpoint| {
                format!("after {}", checkpoint.applied_to)
            })
    }
}

/// Every statement must have hit one row.
fn expect_one(outcomes: &[crate::session::Outcome], what: &str) -> Result<(), Fault> {
    if outcomes.iter().all(|outcome| outcome.affected_rows == 1) {
        return Ok(());
    }
    Err(fault::state_moved(what))
}

pub(super) fn to_text(value: &impl Serialize) -> Result<String, Fault> {
    serde_json::to_string(value)
        .map_err(|error| fault::state_moved("a value cannot be stored").cause(error))
}

pub(super) fn checkpoint_texts(checkpoint: &Checkpoint) -> Result<[String; 2], Fault> {
    Ok([
        to_text(&checkpoint.read_from)?,
        to_text(&checkpoint.applied_to)?,
    ])
}

pub(super) fn checkpoint_of(rows: &RowSet) -> Result<Option<Checkpoint>, Fault> {
    let (Some(read_from), Some(applied_to)) = (rows.text(0, 0), rows.text(0, 1)) else {
        return if rows.is_empty() {
            Ok(None)
        } else {
            Err(fault::unreadable_state("the checkpoint"))
        };
    };
    Ok(Some(Checkpoint {
        read_from: parse(read_from, "the checkpoint")?,
        applied_to: parse(applied_to, "the checkpoint")?,
    }))
}

pub(super) fn parse<T: DeserializeOwned>(text: &str, what: &str) -> Result<T, Fault> {
    serde_json::from_str(text).map_err(|error| fault::unreadable_state(what).cause(error))
}

/// Columns hold definition, start, stage, the stop and the mark, in this order of `columns`.
fn table_state(rows: &RowSet, row: usize, columns: [usize; 5]) -> Result<TableState, Fault> {
    let text = |column: usize| {
        rows.text(row, columns[column])
            .ok_or_else(|| fault::unreadable_state("the state of a table"))
    };
    let table: Table = parse(text(0)?, "the definition of a table")?;
    let stage = TableStage::parse(text(2)?)
        .ok_or_else(|| fault::unreadable_state("the stage of a table"))?;
    let stopped = match rows.text(row, columns[3]) {
        Some(text) => Some(parse(text, "the stop of a table")?),
        None => None,
    };
    let lane = match rows.text(row, columns[4]) {
        Some(text) => Some(parse(text, "the mark of a table")?),
        None => None,
    };
    Ok(TableState {
        table,
        start: parse(text(1)?, "the start of a table")?,
        stage,
        stopped,
        lane,
    })
}

fn number(rows: &RowSet, row: usize, column: usize) -> Result<u64, Fault> {
    rows.text(row, column)
        .and_then(|text| text.parse().ok())
        .ok_or_else(|| fault::unreadable_state("a number"))
}

fn stored_row(rows: &RowSet, row: usize, column: usize) -> Result<Option<Row>, Fault> {
    let Some(bytes) = rows.bytes(row, column) else {
        return Ok(None);
    };
    if !is_encoded(bytes) {
        return Err(fault::unreadable_state("a key"));
    }
    Ok(Some(Row::from_encoded(Bytes::copy_from_slice(bytes))))
}

/// True where the bytes are whole values in canonical form, so that walking them is safe.
fn is_encoded(mut bytes: &[u8]) -> bool {
    while let Some((&first, rest)) = bytes.split_first() {
        let width = match first {
            0xFB => {
                bytes = rest;
                continue;
            }
            0xFC => 2,
            0xFD => 3,
            0xFE => 8,
            0xFF => return false,
            _ => 0,
        };
        if rest.len() < width {
            return false;
        }
        let (length, rest) = rest.split_at(width);
        let length = length
            .iter()
            .rev()
            .fold(0u64, |number, byte| (number << 8) | u64::from(*byte));
        let length = if width == 0 { u64::from(first) } else { length };
        match usize::try_from(length) {
            Ok(length) if length <= rest.len() => bytes = &rest[length..],
            _ => return false,
        }
    }
    true
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn damaged_keys_are_noticed() {
        let row = Row::from_values([Some(b"abc".as_slice()), None, Some(&[1; 300])]);
        assert!(is_encoded(row.encoded()));
        assert!(!is_encoded(&row.encoded()[..row.encoded().len() - 1]));
        assert!(!is_encoded(&[0xFF]));
        assert!(!is_encoded(&[0xFE, 255, 255, 255, 255, 255, 255, 255, 255]));
    }
}
