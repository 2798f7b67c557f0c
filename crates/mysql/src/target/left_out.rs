//! Statements that the key `operations` leaves out: what they mean for the tables that they name.
//!
//! Plans only, as `ddl_plan`. Each statement that is left out stands in the loss ledger. What of
//! the source's changes is no longer in the target is remembered with the table, so that its rows
//! are written by the columns that both have and nothing is called equal that is not. Where that
//! cannot be sure, the table stops.

use super::Inner;
use super::adopt::{Difference, apart_of};
use super::choice::CHOSEN;
use super::ddl_plan::{subject_of, unknown_table};
use super::definition_change::{Plan, Request};
use super::store::{Dialect, StoredTable};
use crate::ddl::definition::Definition;
use crate::ddl::{Context, StatementKind, moves_values, plain_alter};
use crate::session::SessionKind;
use crate::shape;
use wherry_engine::ports::DdlEffect;
use wherry_engine::state::{Stopped, TableStage, TableState};
use wherry_model::{Apart, Class, DdlKind, Fault, Loss, Operation, Table, TableName};

/// Of the ledger's entries for statements that were left out.
pub(super) const LEFT_OUT: &str = "TGT-150";

impl Request<'_> {
    pub(super) fn carries(&self, operation: Operation, table: &TableName) -> bool {
        self.selection.carries(operation, table)
    }

    pub(super) fn is_left(&self, table: &TableName) -> bool {
        self.stored
            .get(table)
            .is_some_and(|stored| stored.state.is_left())
    }

    /// What the statement is to the table that it changes.
    fn alteration(&self) -> Operation {
        match self.statement.kind {
            StatementKind::CreateIndex => Operation::CreateIndex,
            StatementKind::DropIndex => Operation::DropIndex,
            _ => Operation::AlterTable,
        }
    }

    pub(super) fn changes_index_only(&self) -> bool {
        self.alteration() != Operation::AlterTable
    }
}

impl Inner {
    /// `None` where the statement is to be planned like any other: `DROP` is left out table by
    /// table there.
    pub(super) async fn plan_left_out(&self, request: &Request<'_>) -> Result<Option<Plan>, Fault> {
        match request.ddl.kind {
            DdlKind::CreateTable | DdlKind::CreateTableSelect => self.leave_create(request),
            DdlKind::AlterTable => self.leave_alter(request).await,
            DdlKind::RenameTable => self.leave_rename(request),
            DdlKind::TruncateTable => self.leave_truncate(request),
            DdlKind::CreateDatabase => Ok(self.leave_database(request, Operation::CreateDatabase)),
            DdlKind::AlterDatabase => Ok(self.leave_database(request, Operation::AlterDatabase)),
            DdlKind::DropTable | DdlKind::DropDatabase | DdlKind::Object | DdlKind::Unsupported => {
                Ok(None)
            }
        }
    }

    fn leave_create(&self, request: &Request<'_>) -> Result<Option<Plan>, Fault> {
        let Some(subject) = subject_of(request).filter(|name| request.is_selected(name)) else {
            return Ok(None);
        };
        let replaces = request.statement.or_replace;
        let operation = match request.carries(Operation::CreateTable, &subject) {
            false => Operation::CreateTable,
            true if replaces && !request.carries(Operation::DropTable, &subject) => {
                Operation::DropTable
            }
            true => return Ok(None),
        };
        let stored = request.stored.get(&subject).filter(|_| !replaces);
        let is_there = stored.is_some_and(|stored| stored.state.stopped.is_none());
        if is_there || request.beside(&subject).is_some() {
            // The statement made nothing, or what it made is loaded.
            return Ok(None);
        }
        let mut plan = Plan::default();
        if stored.is_some_and(|stored| !stored.state.is_left()) {
            // One that stopped stays so: leaving it out would hide that.
            return Ok(Some(plan));
        }
        self.leave(request, &mut plan, &subject, operation)?;
        Ok(Some(plan))
    }

    /// Every table that it names is left: which one a later statement means is then sure.
    fn leave_rename(&self, request: &Request<'_>) -> Result<Option<Plan>, Fault> {
        let renames = request.statement.renames();
        let ruled = renames.iter().filter_map(|(old, new)| {
            let names = [old, new].into_iter();
            names.into_iter().find(|name| request.is_selected(name))
        });
        let carried: Vec<bool> = ruled
            .map(|name| request.carries(Operation::RenameTable, name))
            .collect();
        if !carried.contains(&false) {
            return Ok(None);
        }
        let mut plan = Plan::default();
        if carried.contains(&true) {
            let refusal = cannot_leave(
                &renames[0].0,
                "it renames a table whose rule leaves that out together with one whose rule does not",
            );
            self.stop_all(request, &mut plan, &renames[0].0, &refusal)?;
            return Ok(Some(plan));
        }
        for (place, (old, new)) in renames.iter().enumerate() {
            let is_stored = request.stored.contains_key(old);
            let moved_here = renames[..place].iter().any(|(_, name)| name == old);
            if is_stored {
                self.leave(request, &mut plan, old, Operation::RenameTable)?;
            } else if request.is_selected(old) && !moved_here {
                // A view.
                continue;
            }
            let moves_on = renames[place + 1..].iter().any(|(name, _)| name == new);
            if request.is_selected(new) && !request.stored.contains_key(new) && !moves_on {
                self.leave(request, &mut plan, new, Operation::RenameTable)?;
            }
        }
        Ok(Some(plan))
    }

    fn leave_truncate(&self, request: &Request<'_>) -> Result<Option<Plan>, Fault> {
        let Some(subject) = subject_of(request).filter(|name| request.is_selected(name)) else {
            return Ok(None);
        };
        if request.carries(Operation::TruncateTable, &subject) {
            return Ok(None);
        }
        let mut plan = Plan::default();
        let Some(stored) = live(request, &subject) else {
            return Ok(Some(plan));
        };
        if stored.state.table.is_exact() {
            let refusal = cannot_leave(
                &subject,
                "rows of a table without a key, or of a family with unlogged cascades, cannot be told from those that would stay",
            );
            self.plan_stop(request, &mut plan, &subject, &refusal)?;
            return Ok(Some(plan));
        }
        let mut table = stored.state.table.clone();
        if !table.is_kept() {
            let adopted = table.adopted.get_or_insert_default();
            adopted.apart.get_or_insert_default().rows = true;
        }
        let reason = "its rows stay in the target";
        self.note_left_out(
            request,
            &mut plan,
            &subject,
            Operation::TruncateTable,
            reason,
        );
        self.define_apart(request, &mut plan, stored, table, stored.dialect)?;
        Ok(Some(plan))
    }

    fn leave_database(&self, request: &Request<'_>, operation: Operation) -> Option<Plan> {
        let named = request.statement.database();
        let database = named.unwrap_or(&request.ddl.default_database);
        let is_out = request.selection.includes_database(database)
            && !request.selection.carries_in(operation, database);
        is_out.then(|| {
            let mut plan = Plan::default();
            let name = TableName::new(database, "");
            let reason = "the database in the target stays as it is";
            self.note_left_out(request, &mut plan, &name, operation, reason);
            plan
        })
    }

    async fn leave_alter(&self, request: &Request<'_>) -> Result<Option<Plan>, Fault> {
        let operation = request.alteration();
        let is_out =
            |name: &TableName| request.is_selected(name) && !request.carries(operation, name);
        let renames = request.statement.renames();
        let rename_is_out = |(old, _): &(TableName, TableName)| {
            request.is_selected(old) && !request.carries(Operation::RenameTable, old)
        };
        let renames_out = renames.iter().any(rename_is_out);
        if !request.statement.subjects().any(|name| is_out(&name)) && !renames_out {
            return Ok(None);
        }
        if renames_out {
            return self
                .leave_renaming_alter(request, is_out(&renames[0].0))
                .map(Some);
        }
        let mut plan = Plan::default();
        let Some(subject) = subject_of(request) else {
            return Ok(None);
        };
        if request.ddl.tables.len() > 1 && request.statement.subjects().count() > 1 {
            let reason = "it changes more than one table, or renames the one that it changes";
            self.stop_all(
                request,
                &mut plan,
                &subject,
                &cannot_leave(&subject, reason),
            )?;
            return Ok(Some(plan));
        }
        let Some(stored) = live(request, &subject) else {
            return Ok(Some(plan));
        };
        if request.changes_index_only() {
            self.leave_index(request, &mut plan, stored).await?;
        } else {
            self.leave_columns(request, &mut plan, stored).await?;
        }
        Ok(Some(plan))
    }

    /// An `ALTER` with other clauses that also renames.
    fn leave_renaming_alter(&self, request: &Request<'_>, all_is_out: bool) -> Result<Plan, Fault> {
        let mut plan = Plan::default();
        let Some((old, new)) = request.statement.renames().into_iter().next() else {
            return Ok(plan);
        };
        if !all_is_out {
            let reason = "it renames the table, which is left out, and changes it, which is not";
            self.stop_all(request, &mut plan, &old, &cannot_leave(&old, reason))?;
            return Ok(plan);
        }
        for name in [&old, &new] {
            if request.is_selected(name) {
                self.leave(request, &mut plan, name, Operation::RenameTable)?;
            }
        }
        Ok(plan)
    }

    /// The columns stay as they are. Only a unique key that the source has no more matters, since
    /// rows of the source may meet on it in the target.
    async fn leave_index(
        &self,
        request: &Request<'_>,
        plan: &mut Plan,
        stored: &StoredTable,
    ) -> Result<(), Fault> {
        let subject = &stored.state.table.name;
        let tried = self
            .try_out(request, subject, subject, Some(stored), None)
            .await?;
        // Refused: the key is not there to be dropped, or its name is there already.
        if let Ok(after) = tried {
            let is_lost = |key: &&wherry_model::Key| {
                key.unique && !after.keys.iter().any(|other| other.name == key.name)
            };
            if let Some(key) = stored.state.table.keys.iter().find(is_lost) {
                let reason = format!(
                    "it drops the unique key `{}`, on which rows of the source could meet in the target",
                    key.name
                );
                return self.plan_stop(request, plan, subject, &cannot_leave(subject, &reason));
            }
        }
        let reason = "the keys in the target stay as they are";
        self.note_left_out(request, plan, subject, request.alteration(), reason);
        Ok(())
    }

    async fn leave_columns(
        &self,
        request: &Request<'_>,
        plan: &mut Plan,
        stored: &StoredTable,
    ) -> Result<(), Fault> {
        let subject = &stored.state.table.name;
        let difference = match self.set_apart(request, stored).await? {
            Ok(difference) => difference,
            Err(reason) => {
                return self.plan_stop(request, plan, subject, &cannot_leave(subject, &reason));
            }
        };
        let reason = match difference.left_out.as_slice() {
            [] => "the table in the target stays as it is".to_owned(),
            names => format!(
                "the table in the target stays as it is; without columns there: {}",
                names.join(", ")
            ),
        };
        self.note_left_out(request, plan, subject, Operation::AlterTable, &reason);
        let dialect = match stored.state.table.is_kept() {
            true => stored.dialect,
            false => Dialect::Target,
        };
        self.define_apart(request, plan, stored, difference.table, dialect)
    }

    /// The table as the source has it behind the statement, with what the target does not have of
    /// it; or why its rows could not be followed.
    async fn set_apart(
        &self,
        request: &Request<'_>,
        stored: &StoredTable,
    ) -> Result<Result<Difference, String>, Fault> {
        let before = &stored.state.table;
        let subject = &before.name;
        let (sql, statement) = (&request.ddl.statement, &request.statement);
        if before.is_exact() || before.is_kept() {
            let reason =
                "it is the target's own, or has no key, or is of a family with unlogged cascades";
            return Ok(Err(reason.to_owned()));
        }
        if let Err(refusal) = plain_alter(sql, statement) {
            return Ok(Err(refusal.message));
        }
        let names: Vec<&str> = before.columns.iter().map(|one| one.name.as_str()).collect();
        if moves_values(sql, statement, &names).is_some() {
            return Ok(Err(
                "it may move or convert values of columns that stay".to_owned()
            ));
        }
        let mut after = match self
            .try_out(request, subject, subject, Some(stored), None)
            .await?
        {
            Ok(after) => after,
            Err(refusal) => {
                let reason = format!("what it does could not be tried: {}", refusal.message);
                return Ok(Err(reason));
            }
        };
        if identity_of(before) != identity_of(&after) {
            return Ok(Err(
                "it changes the key that its rows are told by".to_owned()
            ));
        }
        request.names.apply(&mut after);
        if let Some(refusal) = shape::problem(&after, self.dialect().await?) {
            return Ok(Err(refusal.message));
        }
        let was = self
            .definition_in_target(subject, before.target_name())
            .await?;
        let context = Context::new(&subject.database, self.dialect().await?);
        let is = Definition::parse(&after.definition, &context)
            .map_err(|error| Fault::from(error).table(subject))?;
        if was.partitions != is.partitions {
            return Ok(Err("it changes partitions, and rows with them".to_owned()));
        }
        let mut session = self.own_session(SessionKind::Control).await?;
        let difference = apart_of(&mut session, after).await?;
        session.close().await;
        Ok(difference.map(|mut difference| {
            let apart = before.apart().unwrap_or_default();
            if let Some(adopted) = &mut difference.table.adopted {
                adopted.apart = Some(Apart {
                    definition: true,
                    ..apart
                });
            }
            difference
        }))
    }

    fn define_apart(
        &self,
        request: &Request<'_>,
        plan: &mut Plan,
        stored: &StoredTable,
        table: Table,
        dialect: Dialect,
    ) -> Result<(), Fault> {
        let state = TableState {
            table,
            start: request.ddl.end.clone(),
            ..stored.state.clone()
        };
        plan.states.extend(self.put_table(&state, dialect)?);
        plan.effects
            .push(DdlEffect::Defined(state.table, request.ddl.end.clone()));
        Ok(())
    }

    /// A table stays in the target as it is, if it is there, and is no longer followed.
    pub(super) fn leave(
        &self,
        request: &Request<'_>,
        plan: &mut Plan,
        table: &TableName,
        operation: Operation,
    ) -> Result<(), Fault> {
        if request.is_behind(table) {
            return Ok(());
        }
        let what = match request.stored.get(table).is_some_and(|stored| stored.made) {
            true => "the table stays in the target as it is and is no longer followed",
            false => "the table is not moved",
        };
        let stopped = Stopped {
            code: LEFT_OUT.to_owned(),
            reason: text_of(operation, what),
            position: request.ddl.begin.clone(),
            paused: None,
            left: true,
        };
        if !request.stored.contains_key(table) {
            self.add_stub(request, plan, table, &stopped)?;
        }
        self.plan_left(plan, table, &stopped)
    }

    /// As `leave`, for a table that the statement does not name itself.
    pub(super) fn leave_stored(
        &self,
        request: &Request<'_>,
        plan: &mut Plan,
        state: &TableState,
        operation: Operation,
    ) -> Result<(), Fault> {
        let what = "the table stays in the target as it is and is no longer followed";
        let stopped = Stopped {
            code: LEFT_OUT.to_owned(),
            reason: text_of(operation, what),
            position: request.ddl.begin.clone(),
            paused: None,
            left: true,
        };
        self.plan_left(plan, &state.table.name, &stopped)
    }

    fn plan_left(
        &self,
        plan: &mut Plan,
        table: &TableName,
        stopped: &Stopped,
    ) -> Result<(), Fault> {
        plan.states.extend(self.stop_statements(table, stopped)?);
        plan.effects.push(DdlEffect::Left(table.clone()));
        Ok(())
    }

    /// Stores a table of which only the name is known, so that nobody takes it for a new one.
    pub(super) fn add_stub(
        &self,
        request: &Request<'_>,
        plan: &mut Plan,
        table: &TableName,
        stopped: &Stopped,
    ) -> Result<(), Fault> {
        let mut unknown = unknown_table(table);
        request.names.apply(&mut unknown);
        let stub = TableState {
            table: unknown,
            start: request.ddl.end.clone(),
            stage: TableStage::Planned,
            stopped: Some(stopped.clone()),
            lane: None,
        };
        plan.states.extend(self.put_table(&stub, Dialect::Source)?);
        Ok(())
    }

    fn note_left_out(
        &self,
        request: &Request<'_>,
        plan: &mut Plan,
        table: &TableName,
        operation: Operation,
        what: &str,
    ) {
        let reason = text_of(operation, what);
        let position = request.ddl.begin.to_string();
        plan.states
            .push(self.state.add_loss(table, LEFT_OUT, &reason, &position));
    }

    /// Everything in the loss ledger, in the order in which it came.
    pub(super) async fn losses(&self) -> Result<Vec<Loss>, Fault> {
        let Some(rows) = self.read_if_there(&self.state.select_losses()).await? else {
            return Ok(Vec::new());
        };
        let text = |row, column| rows.text(row, column).unwrap_or_default().to_owned();
        let loss = |row| Loss {
            table: TableName::new(text(row, 0), text(row, 1)),
            code: text(row, 2),
            reason: text(row, 3),
            position: text(row, 4),
            chosen: [LEFT_OUT, CHOSEN].contains(&rows.text(row, 2).unwrap_or_default()),
        };
        let mut losses: Vec<Loss> = (0..rows.rows.len()).map(loss).collect();
        losses.extend(self.left_changes().await?);
        losses.extend(self.skipped_rows().await?);
        Ok(losses)
    }
}

/// The key that rows are told by, with the names of its columns.
fn identity_of(table: &Table) -> Option<(&str, Vec<&str>)> {
    let key = table.identity()?;
    let columns = key.parts.iter();
    let names = columns.map(|part| table.columns[part.column].name.as_str());
    Some((key.name.as_str(), names.collect()))
}

/// The stored state of a table that is followed at this place.
fn live<'r>(request: &'r Request<'_>, table: &TableName) -> Option<&'r StoredTable> {
    request
        .tracked(table)
        .filter(|stored| stored.state.stopped.is_none())
}

fn text_of(operation: Operation, what: &str) -> String {
    format!("`operations` leaves out {}: {what}", operation.as_str())
}

fn cannot_leave(table: &TableName, reason: &str) -> Fault {
    Fault::new(
        "TGT-151",
        Class::Operator,
        format!("a definition change of table {table} that `operations` leaves out cannot be left out safely: {reason}"),
    )
    .hint("Let `operations` carry this kind and try it again, or load the table anew with `wherry resync`.")
    .table(table)
}
