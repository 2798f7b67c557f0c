//! The lane in the target's state: its cursor, the marks of its tables, how it opens and joins.
//!
//! Owns that a table belongs to the stream or to the lane and never to both: marks, starts and
//! cursors move in one transaction, which holds the stream's checkpoint. What a lane is stands in
//! ARCHITECTURE.md, "Lanes".

use super::Inner;
use super::fault;
use super::state::View;
use super::store::{Dialect, checkpoint_of, checkpoint_texts, parse, to_text};
use super::transaction::CommitFault;
use wherry_engine::state::{Checkpoint, StoredTask, TableStage, TableState};
use wherry_model::{Fault, Position, TableName};

impl Inner {
    /// What the stored task is in this view: the lane has its own cursor, end and tables.
    pub(super) async fn in_view(&self, task: StoredTask) -> Result<StoredTask, Fault> {
        if self.state.view() == View::Stream {
            return Ok(task);
        }
        let rows = self.read_state(&self.state.select_lane()).await?;
        let end = match rows.text(0, 2) {
            Some(text) => Some(parse(text, "the end position of the lane")?),
            None => None,
        };
        let mine = |mut state: TableState| {
            let mark = state.lane.take()?;
            mark.open.then_some(state)
        };
        Ok(StoredTask {
            checkpoint: checkpoint_of(&rows)?,
            end,
            tables: task.tables.into_iter().filter_map(mine).collect(),
            ..task
        })
    }

    /// Sets or takes away the mark of a table, as its state says. The lane changes no marks.
    pub(super) fn mark_statement(&self, state: &TableState) -> Result<Option<String>, Fault> {
        if self.state.view() == View::Lane {
            return Ok(None);
        }
        let name = &state.table.name;
        Ok(Some(match &state.lane {
            Some(mark) => self.state.mark_lane(name, &to_text(mark)?),
            None => self.state.unmark_lane(name),
        }))
    }

    pub(super) async fn open_lane(
        &self,
        states: &[TableState],
        checkpoint: &Checkpoint,
        end: Option<&Position>,
    ) -> Result<(), Fault> {
        let [read_from, applied_to] = checkpoint_texts(checkpoint)?;
        let mut statements = vec![
            self.state.of_lane().close_lane(),
            self.state.of_lane().put_checkpoint(&read_from, &applied_to),
        ];
        if let Some(end) = end {
            statements.push(self.state.of_lane().set_end(&to_text(end)?));
        }
        for state in states {
            let dialect = self.dialect_of(state).await?;
            statements.extend(self.state.forget_rows(&state.table.name));
            if end.is_none() {
                statements.push(self.state.forget_skipped(&state.table.name));
            }
            statements.extend(self.put_table(state, dialect)?);
        }
        self.write_holding_checkpoint(&statements).await
    }

    /// Whose SQL the definition of a state is: a planned one comes from the source, another one is
    /// as it is stored.
    pub(super) async fn dialect_of(&self, state: &TableState) -> Result<Dialect, Fault> {
        let stored = self.stored_table(&state.table.name).await?;
        let same = stored.filter(|stored| {
            state.stage > TableStage::Planned
                && stored.state.table.definition == state.table.definition
        });
        Ok(same.map_or(Dialect::Source, |stored| stored.dialect))
    }

    pub(super) async fn join_lane(&self, at: &Position) -> Result<(), Fault> {
        let Some(task) = self.stored().await? else {
            return Err(fault::state_moved("the task is not stored"));
        };
        let start = to_text(at)?;
        let mut statements = vec![self.state.close_lane()];
        for state in &task.tables {
            if state.lane.as_ref().is_some_and(|mark| mark.open) {
                statements.push(self.state.set_start(&state.table.name, &start));
                statements.push(self.state.unmark_lane(&state.table.name));
            }
        }
        self.write_holding_checkpoint(&statements).await
    }

    /// Gives a table of the lane back to those that wait.
    pub(super) async fn set_aside(&self, table: &TableName) -> Result<(), Fault> {
        let Some(stored) = self.stored_table(table).await? else {
            return Ok(());
        };
        let mut state = stored.state;
        if let Some(mark) = &mut state.lane {
            mark.open = false;
        }
        state.stage = TableStage::Planned;
        let mut statements = self.state.forget_rows(table);
        statements.extend(self.put_table(&state, stored.dialect)?);
        if let Some(mark) = &state.lane {
            statements.push(self.state.mark_lane(table, &to_text(mark)?));
        }
        self.write_state(&statements).await.map(drop)
    }

    /// Returns when no transaction that moves a cursor is under way, and in the lane's view no
    /// definition is being changed for it: what a dropped session had sent is done or undone.
    pub(super) async fn settle(&self) -> Result<(), Fault> {
        let stream = self.state.of_stream().lock_checkpoint();
        let lane = self.state.of_lane().lock_checkpoint();
        let transaction = self
            .begin_with(self.guard()?, &format!(";{stream};{lane}"))
            .await?;
        transaction.rollback().await;
        if self.state.view() == View::Lane {
            self.open_road().await?.close().await?;
        }
        Ok(())
    }

    pub(super) async fn write_holding_checkpoint(
        &self,
        statements: &[String],
    ) -> Result<(), Fault> {
        let lock = format!(";{}", self.state.lock_checkpoint());
        let mut transaction = self.begin_with(self.guard()?, &lock).await?;
        if let Err(error) = transaction
            .session()
            .execute_many(statements.join(";"))
            .await
        {
            transaction.rollback().await;
            return Err(self.state_fault(error));
        }
        transaction.commit().await.map_err(CommitFault::into_fault)
    }
}
