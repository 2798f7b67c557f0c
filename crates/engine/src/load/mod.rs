//! The load phase: every row of every table into the target, in chunks.
//!
//! Works in rounds. A round loads what is not loaded yet; then the binlog up to an end read after
//! the last chunk is searched for DDL. A table whose definition changed after its start is made
//! anew with a new start and loaded again in the next round, alone. The load is done when a
//! round's binlog holds no such DDL: that end is the end of idempotent replay.

mod chunker;
mod jobs;

use crate::family;
use crate::lane::{self, MainPlace};
use crate::pipe::Budget;
use crate::plan::{Plan, StartMoves, plan};
use crate::policy::stop_table;
use crate::ports::{Source, Target};
use crate::progress::Board;
use crate::schema::{create_tables, prove, stop_refused};
use crate::state::{TableStage, TableState};
use std::collections::HashMap;
use std::sync::Arc;
use tokio_util::sync::CancellationToken;
use wherry_model::task::SelectSpec;
use wherry_model::{Class, Ddl, Family, Fault, Position, TableName};

/// Rounds before a source whose definitions never rest fails the load.
const LOAD_ROUND_COUNT_MAX: usize = 50;

/// What the load works with.
#[derive(Clone)]
pub struct Load {
    pub source: Arc<dyn Source>,
    pub target: Arc<dyn Target>,
    pub board: Arc<Board>,
    pub budget: Budget,
    pub selection: SelectSpec,
    pub job_count: usize,
    pub defer_indexes: bool,
    /// The tables of the lane, beside the main stream: others of the selection are not its business.
    pub beside: Option<MainPlace>,
}

impl Load {
    /// Loads everything and returns the end of idempotent replay.
    ///
    /// Cancel: by the token, within a chunk; unfinished chunks leave nothing behind.
    /// Errors: transient ones leave a state that a new call goes on from.
    pub async fn run(&self, cancel: &CancellationToken) -> Result<Position, Fault> {
        let stored = self.stored_tables().await?;
        let mut scanned_to = self.first_start().await?;
        let mut tables = stored;
        for _ in 0..LOAD_ROUND_COUNT_MAX {
            self.create(&tables, cancel).await?;
            tables = self.stored_tables().await?;
            let mut suspects = jobs::round(self, &tables, cancel).await?;
            let end = self.end_of_round(&tables, &mut suspects).await?;
            let moves = self.moves_between(&scanned_to, &end, &tables).await?;
            scanned_to = end.clone();
            self.stop_suspects(&suspects, &moves, &end).await?;
            if moves.is_empty() {
                family::complete(self.target.as_ref(), &self.board).await?;
                prove(self.target.as_ref(), &self.board, &end).await?;
                return Ok(end);
            }
            self.restart(&moves, &tables).await?;
            tables = self.stored_tables().await?;
        }
        Err(
            Fault::operator("LOAD-002", "definitions changed in every round of the load")
                .hint("Pause the DDL at the source until the load is done, then run again."),
        )
    }

    /// Makes the tables. In the lane one may need the name of a CHECK that another table has where the
    /// main stream is, and had no more where this one was planned: it is made behind that place.
    async fn create(&self, tables: &[TableState], cancel: &CancellationToken) -> Result<(), Fault> {
        let (target, board) = (self.target.as_ref(), self.board.as_ref());
        let mut refused = create_tables(target, board, tables, self.defer_indexes).await?;
        if let (Some(main), false) = (&self.beside, refused.is_empty()) {
            let names: Vec<String> = refused
                .iter()
                .map(|(state, _)| state.table.name.to_string())
                .collect();
            board.message(format!(
                "the target refuses {}; tried again where the stream has come here",
                names.join(", ")
            ));
            main.passes(&self.source.end().await?, cancel).await?;
            let again = refused.iter().map(|(state, _)| *state);
            refused = create_tables(target, board, again, self.defer_indexes).await?;
        }
        stop_refused(target, board, &refused).await
    }

    /// An end behind every change that the round's chunks have seen.
    async fn end_of_round(
        &self,
        tables: &[TableState],
        suspects: &mut Vec<(TableName, Fault)>,
    ) -> Result<Position, Fault> {
        let in_chunks = |state: &&TableState| {
            state.stopped.is_none() && !state.table.is_exact() && !state.table.is_transactional()
        };
        for state in tables.iter().filter(in_chunks) {
            match self.source.end_behind(&state.table).await {
                Ok(_) => {}
                Err(fault) if is_suspect(&fault) => {
                    suspects.push((state.table.name.clone(), fault));
                }
                Err(fault) => return Err(fault),
            }
        }
        // A later end is always safe, so this one serves all tables.
        self.source.end().await
    }

    async fn stored_tables(&self) -> Result<Vec<TableState>, Fault> {
        let stored = self.target.stored().await?.ok_or_else(no_task)?;
        self.board.show_stored(&stored);
        for state in &stored.tables {
            let chunks = self.target.chunks(&state.table.name).await?;
            let done = chunks.iter().filter(|chunk| chunk.done);
            let (rows, bytes) = done.fold((0, 0), |(rows, bytes), chunk| {
                (rows + chunk.row_count, bytes + chunk.byte_count)
            });
            if rows > 0 {
                self.board.loaded(&state.table.name, rows, bytes);
            }
        }
        Ok(stored.tables)
    }

    async fn first_start(&self) -> Result<Position, Fault> {
        let stored = self.target.stored().await?.ok_or_else(no_task)?;
        let checkpoint = stored.checkpoint.ok_or_else(no_task)?;
        Ok(checkpoint.read_from)
    }

    /// DDL that lies after the start of a table it names.
    async fn moves_between(
        &self,
        from: &Position,
        to: &Position,
        tables: &[TableState],
    ) -> Result<StartMoves, Fault> {
        let starts: HashMap<&TableName, &Position> = tables
            .iter()
            .map(|state| (&state.table.name, &state.start))
            .collect();
        let mut moves = StartMoves::default();
        for mut ddl in self.source.ddl_between(from, to, &self.selection).await? {
            let known = |table: &TableName| {
                starts
                    .get(table)
                    .is_some_and(|start| start.reaches(&ddl.end))
            };
            let all_known = !ddl.tables.is_empty() && ddl.tables.iter().all(known);
            if all_known || self.knows_database(&ddl, tables) {
                continue;
            }
            let names_tables = !ddl.tables.is_empty();
            ddl.tables.retain(|table| {
                self.selection.includes(table)
                    && (self.beside.is_none() || starts.contains_key(table))
            });
            if names_tables && ddl.tables.is_empty() {
                continue;
            }
            moves.record(&ddl);
        }
        Ok(moves)
    }

    /// A database statement is old news when every table of the plan starts behind it. Where there
    /// is none, nothing tells when the database's defaults were read; the lane leaves them alone.
    fn knows_database(&self, ddl: &Ddl, tables: &[TableState]) -> bool {
        let mut in_database = tables
            .iter()
            .filter(|state| state.table.name.database == ddl.default_database)
            .peekable();
        let told = self.beside.is_some() || in_database.peek().is_some();
        let known = in_database.all(|state| state.start.reaches(&ddl.end));
        ddl.tables.is_empty() && told && known
    }

    /// Stops the tables that failed without a DDL to explain it.
    async fn stop_suspects(
        &self,
        suspects: &[(TableName, Fault)],
        moves: &StartMoves,
        end: &Position,
    ) -> Result<(), Fault> {
        for (table, fault) in suspects {
            if moves.start_of(table).is_some() {
                continue;
            }
            stop_table(self.target.as_ref(), &self.board, table, fault, end).await?;
        }
        family::stop_rest(self.target.as_ref(), &self.board, end).await?;
        Ok(())
    }

    /// Plans and creates again what the DDL touched, with new starts.
    async fn restart(&self, moves: &StartMoves, tables: &[TableState]) -> Result<(), Fault> {
        let (fresh, tables) = self.plan_again(moves, tables).await?;
        let mut states = fresh.states();
        if self.beside.is_some() {
            let is_mine = |name: &TableName| tables.iter().any(|old| old.table.name == *name);
            states.retain(|state| is_mine(&state.table.name));
            lane::stop_torn_family(self.target.as_ref(), &self.board, &fresh, &mut states).await?;
        }
        let is_fresh = |state: &TableState| {
            let old = tables.iter().find(|old| old.table.name == state.table.name);
            let moved = moves
                .start_of(&state.table.name)
                .or_else(|| fresh.moved.start_of(&state.table.name));
            match (old, moved) {
                (None, _) => true,
                // A foreign key of another table may have taken it into the family or out of it.
                (Some(old), _) if old.table.exactness != state.table.exactness => true,
                (Some(old), Some(moved)) => !old.start.reaches(moved),
                (Some(_), None) => false,
            }
        };
        let has = |old: &&TableState| {
            let mut there = states.iter();
            there.any(|state| state.table.name == old.table.name)
        };
        let fresh_or_gone = states.iter().filter(|state| is_fresh(state));
        let fresh_or_gone = fresh_or_gone.chain(tables.iter().filter(|old| !has(old)));
        let fresh_families: Vec<Family<'_>> = fresh_or_gone
            .filter_map(|state| state.table.family())
            .collect();
        for mut state in states.iter().cloned() {
            let family = state.table.family();
            let with_family = family.is_some_and(|family| fresh_families.contains(&family));
            if !with_family && !is_fresh(&state) {
                continue;
            }
            let moved = moves
                .start_of(&state.table.name)
                .or_else(|| fresh.moved.start_of(&state.table.name));
            let old = tables.iter().find(|old| old.table.name == state.table.name);
            if let Some(old) = old.filter(|old| old.table.adopted.is_some()) {
                self.stop_adopted(old, moved).await?;
                continue;
            }
            // A table that entered the plan starts at the DDL that brought it, which `fresh`
            // need not see again; its own start is only earlier where it does.
            if let Some(moved) = moved
                && !state.start.reaches(moved)
            {
                state.start = moved.clone();
            }
            self.board.message(format!(
                "definition of {} changed: its load starts again",
                state.table.name
            ));
            self.board.loaded(&state.table.name, 0, 0);
            self.target
                .adopt(&self.selection, std::slice::from_mut(&mut state))
                .await?;
            self.target.plan_table(&state).await?;
        }
        Ok(())
    }

    /// A new plan, and those of the tables that it does not refuse. What is gone at the source is dropped.
    async fn plan_again(
        &self,
        moves: &StartMoves,
        tables: &[TableState],
    ) -> Result<(Plan, Vec<TableState>), Fault> {
        let mut fresh = plan(self.source.as_ref(), &self.selection).await?;
        let mut tables = tables.to_vec();
        if self.beside.is_some() {
            lane::stop_refused(self.target.as_ref(), &self.board, &fresh, &mut tables).await?;
        } else {
            fresh = fresh.whole()?;
        }
        self.restart_databases(moves, &fresh).await?;
        for old in &tables {
            let name = &old.table.name;
            if !fresh.catalog.tables.iter().any(|table| table.name == *name) {
                self.board
                    .message(format!("table {name} is gone at the source"));
                self.target.drop_table(name).await?;
            }
        }
        Ok((fresh, tables))
    }

    /// The lane leaves the defaults to the stream, which meets their changes in order.
    async fn restart_databases(&self, moves: &StartMoves, fresh: &Plan) -> Result<(), Fault> {
        let databases = &fresh.catalog.databases;
        if self.beside.is_some() {
            for database in databases {
                self.target.ensure_database(database).await?;
            }
            return Ok(());
        }
        for database in databases.iter().filter(|_| self.selection.phases.schema) {
            self.target.create_database(database).await?;
        }
        for name in moves.databases().chain(fresh.moved.databases()) {
            if !databases.iter().any(|database| database.name == name) {
                self.target.forget_database(name).await?;
            }
        }
        Ok(())
    }

    /// What was loaded of an adopted table cannot be told from the target's own rows, so its load
    /// cannot start again.
    async fn stop_adopted(&self, old: &TableState, moved: Option<&Position>) -> Result<(), Fault> {
        let name = &old.table.name;
        let fault = Fault::operator(
            "LOAD-005",
            format!("definition of table {name} changed while it was loaded into a table of the target's own"),
        )
        .hint("Load the table anew in a task of its own when its definition rests.")
        .table(name);
        let position = moved.unwrap_or(&old.start);
        stop_table(self.target.as_ref(), &self.board, name, &fault, position).await
    }
}

/// True where the fault may come from a definition that changed under the load.
fn is_suspect(fault: &Fault) -> bool {
    matches!(fault.class, Class::Operator | Class::Input) && fault.table_name().is_some()
}

/// True where rows of this table are still to be loaded.
fn needs_load(state: &TableState) -> bool {
    state.stopped.is_none() && state.stage < TableStage::Indexed
}

fn no_task() -> Fault {
    Fault::bug("LOAD-001", "the task has no stored plan to load")
}
