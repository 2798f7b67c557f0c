//! What the user has chosen for a statement that has paused a table: nothing, or another statement.
//!
//! Owns the record of the choice and when it may be followed: only where the target's table then
//! holds every row of the source's. Plans only, as `ddl_plan`.

use super::Inner;
use super::adopt::{suits, unsuitable};
use super::ddl_plan::subject_of;
use super::definition_change::{Plan, Request};
use super::state::{State, text};
use super::store::{Dialect, StoredTable, parse, to_text};
use crate::ddl::{Context, Statement, StatementKind, classify};
use crate::session::SessionKind;
use wherry_engine::ports::DdlEffect;
use wherry_engine::state::{Choice, ChoiceAction, TableState};
use wherry_model::{Ddl, DdlKind, Fault, Table, TableName};

/// Of the ledger's entries for statements that were passed over or replaced by choice.
pub(super) const CHOSEN: &str = "TGT-152";

impl Inner {
    /// Records a choice, where the target suits it.
    pub(super) async fn choose(&self, choice: &Choice) -> Result<(), Fault> {
        let table = &choice.table;
        match &choice.action {
            ChoiceAction::Skip => {
                let mut session = self.own_session(SessionKind::Control).await?;
                let problems = suits(&mut session, &choice.after).await?;
                session.close().await;
                if !problems.is_empty() {
                    return Err(does_not_suit(table, &problems));
                }
            }
            ChoiceAction::Replace(sql) => {
                let context = Context::new(&table.database, self.dialect().await?);
                if !is_alteration(&classify(sql, &context), table) {
                    return Err(no_replacement(table));
                }
            }
        }
        let sql = self.state.put_choice(choice, &to_text(choice)?);
        self.write_state(&[sql]).await.map(drop)
    }

    /// `None` where nothing was chosen for the statement.
    pub(super) async fn plan_chosen(&self, request: &Request<'_>) -> Result<Option<Plan>, Fault> {
        if request.ddl.kind != DdlKind::AlterTable || request.ddl.tables.len() != 1 {
            return Ok(None);
        }
        let Some(subject) = subject_of(request) else {
            return Ok(None);
        };
        let Some(stored) = request.tracked(&subject) else {
            return Ok(None);
        };
        let position = request.ddl.begin.to_string();
        let select = self.state.select_choice(&subject, &position);
        let rows = self.read_state(&select).await?;
        let Some(content) = rows.text(0, 0) else {
            return Ok(None);
        };
        let mut choice: Choice = parse(content, "a choice")?;
        request.names.apply(&mut choice.after);
        if let Some(reason) = request.changes_what_is_looked_at(&stored.state.table) {
            let mut plan = Plan::default();
            let refusal = does_not_suit(&subject, &[reason.to_owned()]);
            self.plan_stop(request, &mut plan, &subject, &refusal)?;
            return Ok(Some(plan));
        }
        match &choice.action {
            ChoiceAction::Skip => self.plan_skip(request, stored, &choice).await.map(Some),
            ChoiceAction::Replace(sql) => {
                let plan = self.plan_replacement(request, stored, &choice, sql);
                plan.await.map(Some)
            }
        }
    }

    async fn plan_skip(
        &self,
        request: &Request<'_>,
        stored: &StoredTable,
        choice: &Choice,
    ) -> Result<Plan, Fault> {
        let mut plan = Plan::default();
        let mut session = self.own_session(SessionKind::Control).await?;
        let problems = suits(&mut session, &choice.after).await?;
        session.close().await;
        if problems.is_empty() {
            self.follow(request, &mut plan, stored, choice)?;
        } else {
            let refusal = does_not_suit(&choice.table, &problems);
            self.plan_stop(request, &mut plan, &choice.table, &refusal)?;
        }
        Ok(plan)
    }

    /// As if the source had logged the other statement, in the session of its own; the table is then
    /// the source's, if it suits what the other statement leaves.
    async fn plan_replacement(
        &self,
        request: &Request<'_>,
        stored: &StoredTable,
        choice: &Choice,
        sql: &str,
    ) -> Result<Plan, Fault> {
        let database = choice.table.database.clone();
        let ddl = Ddl {
            statement: sql.to_owned(),
            default_database: database.clone(),
            tables: vec![choice.table.clone()],
            ..request.ddl.clone()
        };
        let mode = request.ddl.session.sql_mode.unwrap_or(0);
        let context = Context::new(&database, self.dialect().await?).sql_mode(mode);
        let before = request.before.clone();
        let inner = self.request_of(&ddl, context, before, request).await?;
        let mut plan = self.plan_alter(&inner).await?;
        let Some(made) = plan.defined() else {
            return Ok(plan);
        };
        let problems = unsuitable(&choice.after, made);
        if !problems.is_empty() {
            let mut stopped = Plan::default();
            let refusal = does_not_suit(&choice.table, &problems);
            self.plan_stop(request, &mut stopped, &choice.table, &refusal)?;
            return Ok(stopped);
        }
        plan.states.clear();
        plan.effects.clear();
        self.follow(request, &mut plan, stored, choice)?;
        Ok(plan)
    }

    /// The table goes on as the source has it behind the statement.
    fn follow(
        &self,
        request: &Request<'_>,
        plan: &mut Plan,
        stored: &StoredTable,
        choice: &Choice,
    ) -> Result<(), Fault> {
        let mut table: Table = choice.after.clone();
        table.engine.clone_from(&stored.state.table.engine);
        table.adopted.clone_from(&stored.state.table.adopted);
        let state = TableState {
            table,
            start: request.ddl.end.clone(),
            ..stored.state.clone()
        };
        plan.states.extend(self.put_table(&state, Dialect::Source)?);
        let position = request.ddl.begin.to_string();
        let what = match &choice.action {
            ChoiceAction::Skip => "the statement was skipped by `wherry skip`",
            ChoiceAction::Replace(_) => {
                "another statement was run in its place by `wherry replace`"
            }
        };
        plan.states
            .push(self.state.add_loss(&choice.table, CHOSEN, what, &position));
        plan.states
            .push(self.state.finish_choice(&choice.table, &position));
        plan.effects
            .push(DdlEffect::Defined(state.table, request.ddl.end.clone()));
        Ok(())
    }
}

impl State {
    fn put_choice(&self, choice: &Choice, content: &str) -> String {
        let (position, content) = (text(&choice.position.to_string()), text(content));
        format!(
            "INSERT INTO {} (task, database_name, table_name, begin_position, content, chosen_by, chosen_at) \
             VALUES ({}, {position}, {content}, USER(), UNIX_TIMESTAMP()) \
             ON DUPLICATE KEY UPDATE content={content}, chosen_by=USER(), chosen_at=UNIX_TIMESTAMP(), done=0",
            self.table("ddl_choice"),
            self.triple(&choice.table)
        )
    }

    fn select_choice(&self, table: &TableName, position: &str) -> String {
        format!(
            "SELECT content FROM {} WHERE {} AND begin_position={}",
            self.table("ddl_choice"),
            self.mine_and(table),
            text(position)
        )
    }

    fn finish_choice(&self, table: &TableName, position: &str) -> String {
        format!(
            "UPDATE {} SET done=1 WHERE {} AND begin_position={}",
            self.table("ddl_choice"),
            self.mine_and(table),
            text(position)
        )
    }

    /// What is tried again is tried as the source has it.
    pub(super) fn forget_choices(&self, table: &TableName) -> String {
        format!(
            "DELETE FROM {} WHERE {} AND done=0",
            self.table("ddl_choice"),
            self.mine_and(table)
        )
    }
}

/// One statement that changes this table alone, under its name at the source, and keeps its name.
fn is_alteration(statement: &Statement, table: &TableName) -> bool {
    let kind = matches!(
        statement.kind,
        StatementKind::AlterTable | StatementKind::CreateIndex | StatementKind::DropIndex
    );
    let mut tables = statement.tables().map(|(_, name)| name);
    kind && statement.renames().is_empty()
        && tables.next().as_ref() == Some(table)
        && tables.next().is_none()
}

fn no_replacement(table: &TableName) -> Fault {
    Fault::input(
        "LAN-012",
        format!("the statement given to `wherry replace` does not change table {table} alone"),
    )
    .hint("Give one ALTER TABLE, CREATE INDEX or DROP INDEX, with the names that the source has.")
}

fn does_not_suit(table: &TableName, problems: &[String]) -> Fault {
    Fault::operator(
        "TGT-153",
        format!(
            "the target's table would not suit the rows of {table} behind the statement that paused it: {}",
            problems.join("; ")
        ),
    )
    .hint("Make the target's table suit and choose again, or load the table anew with `wherry resync`.")
    .table(table)
}
