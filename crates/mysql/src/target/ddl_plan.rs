//! What each kind of DDL means for the target: its statements, its states, its effects.
//!
//! Plans only; running stands in `definition_change`. Planning is repeatable: after a crash the
//! same plan is made from the same stored states.

use super::Inner;
use super::ddl_differs::reload_reason;
use super::ddl_names::rename_leg;
use super::ddl_restart::{Entered, RENAMED_IN};
use super::ddl_shape::written_otherwise;
use super::definition_change::{Leg, Plan, Request, Test};
use super::shadow::{DryRun, ShadowFault};
use super::store::{Dialect, StoredTable};
use crate::ddl::{
    self, AlterNotes, Refusal, Role, StatementKind, carried, converts_moments, plain_alter,
};
use crate::shape;
use wherry_engine::ports::DdlEffect;
use wherry_engine::state::{TableStage, TableState};
use wherry_model::task::RefusedDdl;
use wherry_model::{Class, ColumnKind, DdlKind, Exactness, Fault, Operation, Table, TableName};

const LEAVES_SELECTION: &str = "it is renamed to a database that is not selected";

impl Inner {
    pub(super) async fn plan(&self, request: &Request<'_>) -> Result<Plan, Fault> {
        if request.is_of_the_stream() {
            return Ok(Plan::default());
        }
        if let Some(plan) = self.plan_chosen(request).await? {
            return Ok(plan);
        }
        if let Some(plan) = self.plan_left_out(request).await? {
            return Ok(plan);
        }
        if let Some(plan) = self.plan_adopted(request)? {
            return Ok(plan);
        }
        if let Some(plan) = self.plan_online(request).await? {
            return Ok(plan);
        }
        if let Some(plan) = self.plan_tied(request).await? {
            return Ok(plan);
        }
        match request.ddl.kind {
            DdlKind::CreateTable | DdlKind::CreateTableSelect => self.plan_create(request).await,
            DdlKind::AlterTable => self.plan_alter(request).await,
            DdlKind::DropTable => self.plan_drop(request),
            DdlKind::RenameTable => self.plan_rename(request).await,
            DdlKind::TruncateTable => Ok(plan_truncate(request)),
            DdlKind::CreateDatabase | DdlKind::AlterDatabase => self.plan_database(request).await,
            DdlKind::DropDatabase => self.plan_drop_database(request).await,
            // The engine syncs objects; such a statement never comes here.
            DdlKind::Object => Ok(Plan::default()),
            DdlKind::Unsupported => self.plan_unsupported(request),
        }
    }

    /// A table that is the target's own is not Wherry's to change: every table that such a
    /// statement names stops. `None` where it names none.
    fn plan_adopted(&self, request: &Request<'_>) -> Result<Option<Plan>, Fault> {
        let makes = matches!(
            request.ddl.kind,
            DdlKind::CreateTable | DdlKind::CreateTableSelect
        );
        if makes && !request.statement.or_replace {
            return Ok(None);
        }
        let live: Vec<&TableName> = request
            .stored
            .keys()
            .filter(|name| {
                request
                    .tracked(name)
                    .or_else(|| request.beside(name))
                    .is_some_and(|stored| stored.state.stopped.is_none())
            })
            .filter(|name| {
                request.ddl.kind != DdlKind::DropTable
                    || request.carries(Operation::DropTable, name)
            })
            .collect();
        if !live.iter().any(|name| request.is_kept(name)) {
            return Ok(None);
        }
        let mut plan = Plan::default();
        for name in live {
            let refusal = cannot_carry(
                name,
                "it names a table that the target had before and that the policy keeps as it is",
            );
            self.plan_stop(request, &mut plan, name, &refusal)?;
        }
        Ok(Some(plan))
    }

    async fn plan_create(&self, request: &Request<'_>) -> Result<Plan, Fault> {
        let mut plan = Plan::default();
        let Some(subject) = subject_of(request) else {
            return Ok(plan);
        };
        if !request.is_selected(&subject) {
            return Ok(plan);
        }
        if self.is_made_already(request, &mut plan, &subject)? {
            return Ok(plan);
        }
        if let Some(reason) = self.made_unlike(request, &subject).await? {
            self.plan_restart(request, &mut plan, &subject, reason)?;
            return Ok(plan);
        }
        let like_stored = match &like_of(request) {
            Some(name) => match self.stored_table(name).await? {
                Some(stored) if request.knows_now(&stored) => Some(stored),
                _ => {
                    let reason = "it was made like a table whose definition is not at hand";
                    self.plan_restart(request, &mut plan, &subject, reason)?;
                    return Ok(plan);
                }
            },
            None => None,
        };
        let there = request.names.table(&subject);
        if self.is_taken(request, &subject, &there).await? {
            let refusal = cannot_carry(
                &subject,
                "the target has a table of this name that is not Wherry's",
            );
            self.plan_stop(request, &mut plan, &subject, &refusal)?;
            return Ok(plan);
        }
        let like = like_stored.as_ref();
        let made = self
            .try_out(request, &subject, &subject, None, like)
            .await?;
        let dialect = self.dialect().await?;
        let table = match made.and_then(|table| shaped(request, table, dialect)) {
            Ok(table) => table,
            Err(refusal) => return self.plan_refused_there(request, &subject, &refusal).await,
        };
        if let Some(reason) = self.unlike(request, None, &table) {
            self.plan_restart(request, &mut plan, &subject, reason)?;
            return Ok(plan);
        }
        let sql = match self.create_statement(request, &table, like).await {
            Ok(sql) => sql,
            Err(refusal) if refusal.class != Class::Operator => return Err(refusal),
            Err(refusal) => return self.plan_refused_there(request, &subject, &refusal).await,
        };
        if request.statement.or_replace {
            plan.legs.push(drop_leg(request, &subject));
        }
        plan.legs.push(Leg {
            sql,
            table: subject.clone(),
            test: Test::Made(there.clone()),
            there,
            own: like.is_some() || !request.names.is_identity(),
        });
        self.define(request, &mut plan, table, TableStage::Complete)?;
        plan.states.push(self.state.set_made(&subject, true));
        Ok(plan)
    }

    /// True where a CREATE does nothing, or the lane has the table.
    fn is_made_already(
        &self,
        request: &Request<'_>,
        plan: &mut Plan,
        subject: &TableName,
    ) -> Result<bool, Fault> {
        if let Some(stored) = request.beside(subject) {
            // One that waits may be gone at the source; behind this place it is there again.
            let waits = stored.state.lane.as_ref().is_some_and(|mark| !mark.open);
            if request.statement.or_replace || waits {
                self.plan_restart(request, plan, subject, "it was made anew")?;
            }
            return Ok(true);
        }
        let Some(stored) = request.stored.get(subject) else {
            return Ok(false);
        };
        if request.statement.or_replace {
            return Ok(false);
        }
        if request.tracked(subject).is_none() {
            // Its start is later.
            return Ok(true);
        }
        if request.statement.if_exists && stored.state.is_left() {
            let refusal = cannot_carry(
                subject,
                "`operations` has left the table out, so nobody knows whether this made it",
            );
            self.plan_stop(request, plan, subject, &refusal)?;
        }
        // Already there at the source, so IF NOT EXISTS did nothing.
        Ok(request.statement.if_exists)
    }

    /// The statement with qualified names. `LIKE` copies the table as it is in the target now,
    /// where indexes may still be missing, so what it made of the shadow is written out instead.
    async fn create_statement(
        &self,
        request: &Request<'_>,
        made: &Table,
        like: Option<&StoredTable>,
    ) -> Result<String, Fault> {
        if like.is_some() || !request.names.is_identity() {
            return self.create_named(made).await;
        }
        let sql = &request.ddl.statement;
        carried(sql, &request.statement, &TableName::clone)
            .map_err(|refusal| Fault::from(refusal).table(&made.name))
    }

    /// True where the name in the target belongs to another table than this one.
    async fn is_taken(
        &self,
        request: &Request<'_>,
        subject: &TableName,
        there: &TableName,
    ) -> Result<bool, Fault> {
        let stored = request.stored.get(subject);
        let is_own = |stored: &StoredTable| !stored.is_unmade() && !stored.state.is_left();
        let replaces = request.statement.or_replace && stored.is_some_and(is_own);
        Ok(!request.resumed && !replaces && self.is_in_the_way(there).await?)
    }

    async fn is_in_the_way(&self, table: &TableName) -> Result<bool, Fault> {
        Ok(self.fingerprint(table).await? != "absent")
    }

    pub(super) async fn plan_alter(&self, request: &Request<'_>) -> Result<Plan, Fault> {
        let mut plan = Plan::default();
        let Some(subject) = subject_of(request) else {
            return Ok(plan);
        };
        let notes = plain_alter(&request.ddl.statement, &request.statement);
        if let Err(refusal) = &notes
            && refusal.changes_rows_unseen()
        {
            let reason = "a statement changed its rows without the binlog";
            self.plan_restart_named(request, &mut plan, reason)?;
            return Ok(plan);
        }
        let Some(stored) = request.tracked(&subject) else {
            self.plan_alter_beside(request, &mut plan, &subject)?;
            return Ok(plan);
        };
        if stored.state.stopped.is_some() {
            // A name is all of it that is followed.
            return self.plan_rename(request).await;
        }
        let reload = match carried_notes(request, stored, notes) {
            Ok(notes) => reload_reason(request, &stored.state.table, &notes)
                .or_else(|| request.changes_what_is_looked_at(&stored.state.table)),
            Err(refusal) => return self.plan_refused(request, &subject, &refusal),
        };
        if let Some(reason) = reload {
            self.plan_restart_named(request, &mut plan, reason)?;
            return Ok(plan);
        }
        let renamed = request.renamed(&subject);
        if !request.is_selected(&renamed) {
            let refusal = cannot_carry(&subject, LEAVES_SELECTION);
            return self.plan_refused(request, &subject, &refusal);
        }
        if renamed != subject && request.is_behind(&renamed) {
            // Another table has the name by now, and is loaded as it became behind this place.
            self.plan_gone(request, &mut plan, &subject, &subject);
            return Ok(plan);
        }
        if let Some(refusal) = request.loses_rows(&subject, &subject, &renamed) {
            return self.plan_refused(request, &subject, &refusal);
        }
        if self.plan_altered_shape(request, &mut plan, &subject, &renamed)? {
            return Ok(plan);
        }
        self.plan_in_place(request, plan, stored, &renamed).await
    }

    /// An ALTER that can be carried in place, if the target shows the same for it.
    async fn plan_in_place(
        &self,
        request: &Request<'_>,
        mut plan: Plan,
        stored: &StoredTable,
        renamed: &TableName,
    ) -> Result<Plan, Fault> {
        let subject = &stored.state.table.name;
        let dialect = self.dialect().await?;
        let table = match self
            .try_out(request, subject, renamed, Some(stored), None)
            .await?
            .and_then(|table| shaped(request, table, dialect))
        {
            Ok(mut table) => {
                table.adopted.clone_from(&stored.state.table.adopted);
                table
            }
            Err(refusal) => return self.plan_refused_there(request, subject, &refusal).await,
        };
        let unlike = self.unlike(request, Some(&stored.state.table), &table);
        let unlike = unlike
            .or_else(|| written_otherwise(&stored.state.table, &table))
            .or_else(|| numbers_rows(&stored.state.table, &table));
        if let Some(reason) = unlike {
            self.plan_restart_named(request, &mut plan, reason)?;
            return Ok(plan);
        }
        match self.legs_of_alter(request, stored, &table).await {
            Ok(legs) => plan.legs.extend(legs),
            Err(ShadowFault::Failed(fault)) => return Err(fault),
            Err(ShadowFault::Refused(_)) if request.is_shaped(&stored.state.table, renamed) => {
                let reason = "what it does to the columns that move could not be proved";
                self.plan_restart_named(request, &mut plan, reason)?;
                return Ok(plan);
            }
            Err(ShadowFault::Refused(refusal)) => {
                return self.plan_refused_there(request, subject, &refusal).await;
            }
        }
        if renamed != subject {
            plan.states.extend(self.state.forget_table(renamed));
            plan.states
                .extend(self.state.rename_table(subject, renamed));
            plan.effects.push(DdlEffect::Gone(subject.clone()));
        }
        self.define(request, &mut plan, table, stored.state.stage)?;
        Ok(plan)
    }

    fn plan_drop(&self, request: &Request<'_>) -> Result<Plan, Fault> {
        let mut plan = Plan::default();
        for subject in request.statement.subjects() {
            if request.tracked(&subject).is_none() && request.beside(&subject).is_none() {
                continue;
            }
            if request.carries(Operation::DropTable, &subject) {
                self.plan_gone(request, &mut plan, &subject, &subject);
            } else if !request.is_left(&subject) {
                self.leave(request, &mut plan, &subject, Operation::DropTable)?;
            }
        }
        Ok(plan)
    }

    async fn plan_rename(&self, request: &Request<'_>) -> Result<Plan, Fault> {
        let mut plan = Plan::default();
        // Where each name's table came from, since a swap renames over several legs.
        let mut origins: Vec<(TableName, TableName)> = Vec::new();
        let mut entered = Entered::default();
        for (old, new) in request.statement.renames() {
            if entered.moves_on(request, &old, &new) {
                continue;
            }
            let place = origins.iter().position(|(name, _)| *name == old);
            let origin = place.map_or_else(|| old.clone(), |place| origins.remove(place).1);
            if request.is_selected(&origin) && !request.stored.contains_key(&origin) {
                // Every selected table that there is here is stored: this is a view, which the
                // next sync of objects follows, or a table of which a later name is stored.
                continue;
            }
            if request.is_left(&origin) {
                // It was not moved, so under its new name it comes in like one from outside.
                plan.states.extend(self.state.forget_table(&origin));
                entered.add(request, &new);
                continue;
            }
            if request.tracked(&origin).is_none() {
                self.plan_rename_beside(request, &mut plan, &origin);
                entered.add(request, &new);
                continue;
            }
            if !request.is_selected(&new) {
                self.plan_leave(request, &mut plan, &old, &origin);
                entered.note_left(request, &old, &origin);
                continue;
            }
            if request.is_behind(&new) {
                self.plan_gone(request, &mut plan, &old, &origin);
                continue;
            }
            if let Some(refusal) = request.loses_rows(&origin, &old, &new) {
                return self.plan_refused(request, &old, &refusal);
            }
            if self.plan_other_shape(request, &mut plan, (&old, &origin), &new, &mut entered) {
                continue;
            }
            if request.beside(&new).is_some() {
                self.plan_gone(request, &mut plan, &new, &new);
            }
            if let Some(stored) = request.stored.get(&origin).filter(|it| !it.is_unmade()) {
                let columns = stored.state.table.source_columns();
                match rename_leg(request, &old, &new, columns) {
                    Ok(leg) => plan.legs.extend(leg),
                    Err(refusal) => return self.plan_refused(request, &old, &refusal),
                }
            }
            origins.push((new, origin));
        }
        self.plan_renamed(request, &mut plan, &origins).await?;
        self.plan_entered(request, &mut plan, &entered, RENAMED_IN)?;
        Ok(plan)
    }

    /// The states after all legs. Names are moved aside first, so that a swap meets no name twice.
    async fn plan_renamed(
        &self,
        request: &Request<'_>,
        plan: &mut Plan,
        moved: &[(TableName, TableName)],
    ) -> Result<(), Fault> {
        let aside = |index: usize| TableName::new("", format!("moved {index}"));
        for (index, (_, origin)) in moved.iter().enumerate() {
            plan.states
                .extend(self.state.rename_table(origin, &aside(index)));
            if !moved.iter().any(|(name, _)| name == origin) {
                plan.effects.push(DdlEffect::Gone(origin.clone()));
            }
        }
        for (index, (name, origin)) in moved.iter().enumerate() {
            // What is still stored under it is of a table that the source has under another name.
            plan.states.extend(self.state.forget_table(name));
            plan.states
                .extend(self.state.rename_table(&aside(index), name));
            let Some(stored) = request.stored.get(origin) else {
                continue;
            };
            let mut state = stored.state.clone();
            if let Some(definition) = self.with_parents_behind(request, stored).await? {
                state.table.definition = definition;
            }
            state.table.name = name.clone();
            request.names.apply(&mut state.table);
            state.start = request.ddl.end.clone();
            if let Some(stopped) = &mut state.stopped {
                // Its cursor stands where the binlog calls it by its old name.
                stopped.paused = None;
            }
            plan.states.extend(self.put_table(&state, stored.dialect)?);
            match &state.stopped {
                None => plan
                    .effects
                    .push(DdlEffect::Defined(state.table, request.ddl.end.clone())),
                Some(stopped) => plan
                    .effects
                    .push(DdlEffect::Stopped(name.clone(), stopped.reason.clone())),
            }
        }
        Ok(())
    }

    /// A table that leaves the selection is left in the target under its last selected name.
    fn plan_leave(
        &self,
        request: &Request<'_>,
        plan: &mut Plan,
        old: &TableName,
        origin: &TableName,
    ) {
        plan.states.extend(self.state.forget_table(origin));
        plan.states.push(self.state.add_loss(
            old,
            "TGT-044",
            "renamed out of the selection at the source; left in the target and no longer followed",
            &request.ddl.begin.to_string(),
        ));
        plan.effects.push(DdlEffect::Gone(origin.clone()));
    }

    fn plan_unsupported(&self, request: &Request<'_>) -> Result<Plan, Fault> {
        let mut plan = Plan::default();
        for table in &request.ddl.tables {
            let reloads = request.selection.refused_ddl == RefusedDdl::Reload;
            if request.beside(table).is_some() || (reloads && request.tracked(table).is_some()) {
                self.plan_restart(request, &mut plan, table, "its rows may have changed")?;
            } else if request.tracked(table).is_some() && request.is_selected(table) {
                let refusal = cannot_carry(table, "Wherry does not know what it does to the rows");
                self.plan_stop(request, &mut plan, table, &refusal)?;
            }
        }
        Ok(plan)
    }

    /// The table after the statement, or why the target refuses it.
    pub(super) async fn try_out(
        &self,
        request: &Request<'_>,
        subject: &TableName,
        renamed: &TableName,
        before: Option<&StoredTable>,
        like: Option<&StoredTable>,
    ) -> Result<Result<Table, Fault>, Fault> {
        let run = DryRun {
            ddl: request.ddl,
            statement: &request.statement,
            subject,
            renamed,
            before,
            like,
        };
        match self.dry_run(&run).await {
            Ok(table) if needs_the_zone(request, before, &table) => Ok(Err(other_zone(subject))),
            Ok(table) => match before {
                Some(stored) => self.nature_kept(request, stored, table).await,
                None => self.nature_made(request, table, like).await,
            },
            Err(ShadowFault::Refused(fault)) => Ok(Err(fault)),
            Err(ShadowFault::Failed(fault)) => Err(fault),
        }
    }

    fn define(
        &self,
        request: &Request<'_>,
        plan: &mut Plan,
        table: Table,
        stage: TableStage,
    ) -> Result<(), Fault> {
        let mut table = table;
        request.names.apply(&mut table);
        // No statement is run before the end of the load.
        table.begin_leaving();
        let state = TableState {
            table,
            start: request.ddl.end.clone(),
            stage,
            stopped: None,
            lane: None,
        };
        plan.states.extend(self.put_table(&state, Dialect::Target)?);
        plan.effects
            .push(DdlEffect::Defined(state.table, request.ddl.end.clone()));
        Ok(())
    }

    /// Stops a table at this statement; the checkpoint moves on. So does what the source calls it
    /// from now on, or a later `IF NOT EXISTS` would make that.
    pub(super) fn plan_stop(
        &self,
        request: &Request<'_>,
        plan: &mut Plan,
        table: &TableName,
        refusal: &Fault,
    ) -> Result<(), Fault> {
        self.stop_name(request, plan, table, refusal)?;
        let renamed = request.name_after(table);
        let is_known = request.in_lane || request.stored.contains_key(&renamed);
        if renamed == *table || is_known || !request.is_selected(&renamed) {
            return Ok(());
        }
        self.stop_name(request, plan, &renamed, refusal)
    }

    fn stop_name(
        &self,
        request: &Request<'_>,
        plan: &mut Plan,
        table: &TableName,
        refusal: &Fault,
    ) -> Result<(), Fault> {
        let stopped = request.stop(table, refusal);
        if !request.stored.contains_key(table) {
            self.add_stub(request, plan, table, &stopped)?;
        }
        plan.states.extend(self.stop_statements(table, &stopped)?);
        let reason = stopped.reason;
        plan.effects.push(DdlEffect::Stopped(table.clone(), reason));
        Ok(())
    }
}

/// The table with its names and parts in the target, or why it cannot have them.
fn shaped(request: &Request<'_>, mut table: Table, dialect: ddl::Dialect) -> Result<Table, Fault> {
    request.names.apply(&mut table);
    shape::problem(&table, dialect).map_or(Ok(table), Err)
}

/// Why a statement would write other numbers where not all rows are the source's.
fn numbers_rows(before: &Table, after: &Table) -> Option<&'static str> {
    let counter = |table: &Table| {
        let mut columns = table.columns.iter();
        columns
            .find(|column| column.auto_increment)
            .map(|column| column.name.to_lowercase())
    };
    let has_other_rows = before.may_miss_rows() || before.may_hold_more();
    (has_other_rows && counter(after).is_some() && counter(before) != counter(after))
        .then_some("it numbers the rows, and the target has others than the source")
}

/// What must be known of an ALTER that can be carried, or why it cannot.
fn carried_notes(
    request: &Request<'_>,
    stored: &StoredTable,
    notes: Result<AlterNotes, Refusal>,
) -> Result<AlterNotes, Fault> {
    let table = &stored.state.table;
    let is_other = table.apart().is_some_and(|apart| apart.definition);
    if is_other && !request.changes_index_only() {
        let reason =
            "`operations` left out an earlier one, so the table in the target is another one";
        return Err(cannot_carry(&table.name, reason));
    }
    notes.map_err(Fault::from)
}

/// The source converted moments by its machine's time zone, of which only the offset is known.
fn needs_the_zone(request: &Request<'_>, before: Option<&StoredTable>, after: &Table) -> bool {
    let tables = before.map(|stored| &stored.state.table).into_iter();
    let mut columns = tables.chain([after]).flat_map(Table::source_columns);
    request.ddl.session.zone_varies
        && columns.any(|column| matches!(column.kind, ColumnKind::Timestamp { .. }))
        && converts_moments(&request.ddl.statement, &request.statement)
}

fn other_zone(table: &TableName) -> Fault {
    Fault::operator(
        "TGT-101",
        format!("a definition change of table {table} converts moments by the time zone of the source's machine, whose offset changes in the year"),
    )
    .hint("Load the table anew in a task of its own; change such definitions in a session with SET time_zone = '+00:00'.")
    .table(table)
}

pub(super) fn subject_of(request: &Request<'_>) -> Option<TableName> {
    request.statement.subjects().next()
}

/// The table that a `CREATE TABLE ... LIKE` names as its model.
fn like_of(request: &Request<'_>) -> Option<TableName> {
    let mut tables = request.statement.tables();
    let other = tables.find(|(role, _)| *role == Role::Other);
    other
        .map(|(_, table)| table)
        .filter(|_| request.statement.kind == StatementKind::CreateTableLike)
}

/// A table of which only the name is known.
pub(super) fn unknown_table(name: &TableName) -> Table {
    Table {
        name: name.clone(),
        engine: String::new(),
        columns: Vec::new(),
        keys: Vec::new(),
        exactness: Exactness::Keyless,
        definition: String::new(),
        row_count_estimate: 0,
        byte_count_estimate: 0,
        adopted: None,
        shape: None,
        in_target: None,
    }
}

pub(super) fn cannot_carry(table: &TableName, reason: &str) -> Fault {
    Fault::new(
        "TGT-043",
        Class::Operator,
        format!("a definition change of table {table} could not be carried: {reason}"),
    )
    .hint("Load the table anew with `wherry resync`, once its definition suits the target.")
    .table(table)
}

pub(super) fn drop_leg(request: &Request<'_>, table: &TableName) -> Leg {
    drop_there(table, request.names.table(table))
}

/// As `drop_leg`, for a table that has another name in the target by now.
pub(super) fn drop_there(table: &TableName, there: TableName) -> Leg {
    Leg {
        sql: format!("DROP TABLE IF EXISTS {there}"),
        table: table.clone(),
        there,
        test: Test::Repeatable,
        own: false,
    }
}

/// At the barrier the table holds what the source's held before, so emptying it twice is emptying it.
fn plan_truncate(request: &Request<'_>) -> Plan {
    let mut plan = Plan::default();
    for subject in request.statement.subjects() {
        let follows = request
            .tracked(&subject)
            .is_some_and(|stored| stored.state.stopped.is_none());
        if follows {
            let there = request.names.table(&subject);
            plan.legs.push(Leg {
                sql: format!("TRUNCATE TABLE {there}"),
                table: subject,
                there,
                test: Test::Repeatable,
                own: false,
            });
        }
    }
    plan
}
