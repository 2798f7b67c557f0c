//! DDL of the source as a barrier: intent, shadow, statement, states, checkpoint.
//!
//! Owns what a statement means for the tables that it names and how it survives a crash at any
//! instruction: the intent tells what was under way, the definition in the target tells whether
//! it ran, and states and checkpoint move in one transaction at the end.

use super::Inner;
use super::fault;
use super::road::Road;
use super::shadow::prepare_road;
use super::store::{StoredTable, checkpoint_texts};
use super::transaction::CommitError;
use crate::ddl::{Context, Statement, classify};
use std::collections::BTreeMap;
use wherry_engine::ports::DdlEffect;
use wherry_engine::state::Checkpoint;
use wherry_model::task::SelectSpec;
use wherry_model::{Ddl, Fault, TableName};

/// One statement in the target. A list of tables or renames has one leg for each.
pub(super) struct Leg {
    pub(super) sql: String,
    /// The table that stops when the statement is refused.
    pub(super) table: TableName,
    pub(super) test: Test,
}

/// How to tell after a crash whether a leg ran.
pub(super) enum Test {
    /// It did when the table exists.
    Made(TableName),
    /// It did when the old name is free and the new one is not.
    Renamed(TableName, TableName),
    /// It did when the definition is not what it was.
    Changed(TableName),
    /// It may run again at the barrier.
    Repeatable,
    /// As `Repeatable`, and a refusal of the server is no reason to stop.
    Tolerant,
}

/// What is to be done for one statement.
#[derive(Default)]
pub(super) struct Plan {
    pub(super) legs: Vec<Leg>,
    /// Statements on Wherry's own tables, for the last transaction.
    pub(super) states: Vec<String>,
    pub(super) effects: Vec<DdlEffect>,
}

/// Everything a planner needs to know.
pub(super) struct Request<'a> {
    pub(super) ddl: &'a Ddl,
    pub(super) statement: Statement,
    pub(super) selection: &'a SelectSpec,
    /// Tables named by the statement that are stored, by name.
    pub(super) stored: BTreeMap<TableName, StoredTable>,
    /// An earlier try got as far as its intent.
    pub(super) resumed: bool,
}

impl Request<'_> {
    pub(super) fn is_selected(&self, table: &TableName) -> bool {
        self.selection.includes(table)
    }

    /// The stored state of a table that follows the stream at this place.
    pub(super) fn tracked(&self, table: &TableName) -> Option<&StoredTable> {
        self.stored
            .get(table)
            .filter(|stored| !stored.state.start.reaches(&self.ddl.end))
    }
}

impl Inner {
    pub(super) async fn run_ddl(
        &self,
        ddl: &Ddl,
        before: &Checkpoint,
        after: &Checkpoint,
        selection: &SelectSpec,
    ) -> Result<Vec<DdlEffect>, Fault> {
        let mut road = self.open_road().await?;
        let mut context = Context::new(&ddl.default_database, self.source_dialect());
        if let Some(bits) = ddl.session.sql_mode {
            context = context.sql_mode(bits);
        }
        let position = ddl.begin.to_string();
        let intents = self.intents(&position).await?;
        let request = Request {
            ddl,
            statement: classify(&ddl.statement, &context),
            selection,
            stored: self.stored_tables(ddl).await?,
            resumed: !intents.is_empty(),
        };
        let mut plan = self.plan(&request).await?;
        let fingerprints = if request.resumed {
            intents
        } else {
            self.write_intents(&position, &plan).await?
        };
        self.run_legs(&mut road, &request, &mut plan, &fingerprints)
            .await?;
        self.commit_ddl(&plan, before, after).await?;
        road.close().await?;
        Ok(plan.effects)
    }

    async fn stored_tables(&self, ddl: &Ddl) -> Result<BTreeMap<TableName, StoredTable>, Fault> {
        let mut stored = BTreeMap::new();
        for table in &ddl.tables {
            if let Some(found) = self.stored_table(table).await? {
                stored.insert(table.clone(), found);
            }
        }
        Ok(stored)
    }

    /// Fingerprints by leg, of an earlier try.
    async fn intents(&self, position: &str) -> Result<Vec<String>, Fault> {
        let rows = self
            .read_state(&self.state.select_intents(position))
            .await?;
        (0..rows.rows.len())
            .map(|row| {
                rows.text(row, 1)
                    .map(str::to_owned)
                    .ok_or_else(|| fault::unreadable_state("an intent"))
            })
            .collect()
    }

    async fn write_intents(&self, position: &str, plan: &Plan) -> Result<Vec<String>, Fault> {
        let mut fingerprints = Vec::new();
        // Intents of an older statement are of no use: the checkpoint has passed it.
        let mut statements = vec![self.state.clear_intents()];
        for (index, leg) in plan.legs.iter().enumerate() {
            let fingerprint = match &leg.test {
                Test::Changed(table) => self.fingerprint(table).await?,
                _ => "-".to_owned(),
            };
            statements.push(
                self.state
                    .add_intent(position, index, &leg.sql, &fingerprint),
            );
            fingerprints.push(fingerprint);
        }
        if !plan.legs.is_empty() {
            self.write_state(&statements).await?;
        }
        Ok(fingerprints)
    }

    async fn run_legs(
        &self,
        road: &mut Road<'_>,
        request: &Request<'_>,
        plan: &mut Plan,
        fingerprints: &[String],
    ) -> Result<(), Fault> {
        let legs = std::mem::take(&mut plan.legs);
        for (index, leg) in legs.iter().enumerate() {
            let before = fingerprints.get(index).map_or("-", String::as_str);
            if request.resumed && self.leg_ran(leg, before).await? {
                continue;
            }
            let mariadb = self.source_version.is_mariadb();
            prepare_road(road, request.ddl, &leg.table.database, mariadb).await?;
            let label = format!("carry a definition of {}", leg.table);
            let Err(error) = road.run(&label, &leg.sql).await else {
                continue;
            };
            if !fault::is_answered(&error) || fault::is_retry(&error) {
                return Err(error.into_fault());
            }
            if matches!(leg.test, Test::Tolerant) {
                tracing::warn!(table = %leg.table, code = error.server_code(), "the target refused a statement that is not needed");
                continue;
            }
            let refusal = fault::ddl_fault(error, &leg.table);
            let rest: Vec<TableName> = legs[index..].iter().map(|leg| leg.table.clone()).collect();
            return self.stop_rest(request, plan, &rest, &refusal);
        }
        Ok(())
    }

    /// A leg was refused: its table and those of the legs behind it stop, the others are done.
    fn stop_rest(
        &self,
        request: &Request<'_>,
        plan: &mut Plan,
        tables: &[TableName],
        refusal: &Fault,
    ) -> Result<(), Fault> {
        plan.effects
            .retain(|effect| !tables.contains(effect_table(effect)));
        let mut done: Vec<&TableName> = Vec::new();
        for table in tables {
            if !done.contains(&table) {
                done.push(table);
                self.plan_stop(request, plan, table, refusal)?;
            }
        }
        Ok(())
    }

    async fn leg_ran(&self, leg: &Leg, before: &str) -> Result<bool, Fault> {
        Ok(match &leg.test {
            Test::Made(table) => self.fingerprint(table).await? != "absent",
            Test::Renamed(old, new) => {
                self.fingerprint(old).await? == "absent" && self.fingerprint(new).await? != "absent"
            }
            Test::Changed(table) => self.fingerprint(table).await? != before,
            Test::Repeatable | Test::Tolerant => false,
        })
    }

    /// States and checkpoint in one transaction; the intents are done with.
    async fn commit_ddl(
        &self,
        plan: &Plan,
        before: &Checkpoint,
        after: &Checkpoint,
    ) -> Result<(), Fault> {
        let extra = format!(";{}", self.state.lock_checkpoint());
        let transaction = self.begin_with(self.guard()?, &extra).await?;
        let (from, to) = (checkpoint_texts(before)?, checkpoint_texts(after)?);
        let mut statements = plan.states.clone();
        statements.push(self.state.clear_intents());
        statements.push(
            self.state
                .move_checkpoint([&from[0], &from[1]], [&to[0], &to[1]]),
        );
        statements.push("COMMIT".to_owned());
        match transaction.commit_with(&statements.join(";")).await {
            Ok(_) => {}
            Err(CommitError::Refused(error))
                if error.server_code() == Some(fault::NULL_NOT_ALLOWED) =>
            {
                return Err(fault::state_moved(
                    "the checkpoint was moved by someone else",
                ));
            }
            Err(CommitError::Refused(error)) => return Err(self.state_fault(error)),
            Err(CommitError::Lost(lost)) => self.resolve_commit(lost, before, after).await?,
        }
        self.note_checkpoint(after);
        Ok(())
    }
}

pub(super) fn effect_table(effect: &DdlEffect) -> &TableName {
    match effect {
        DdlEffect::Defined(table, _) => &table.name,
        DdlEffect::Gone(name) | DdlEffect::Stopped(name, _) => name,
    }
}
