//! DDL after which a table is loaded anew, beside the stream: its rows are not in the binlog, or
//! it came from outside the selection.
//!
//! Plans only, as `ddl_plan`. Also what a statement of the stream means to a table of the lane:
//! the lane carries plain changes of one table in its own reading; what moves or drops tables is
//! the stream's, and such a table begins anew under its new name.

use super::Inner;
use super::ddl_plan::{cannot_carry, drop_leg, unknown_table};
use super::definition_change::{Plan, Request};
use super::leaving::cannot_load_anew;
use super::store::{Dialect, StoredTable, to_text};
use wherry_engine::ports::DdlEffect;
use wherry_engine::state::{LaneMark, Stopped, TableStage, TableState};
use wherry_model::{DdlKind, Fault, Table, TableName};

pub(super) const RENAMED_IN: &str = "it was renamed into the selection";

/// Tables that a list of renames brings into the selection.
#[derive(Default)]
pub(super) struct Entered {
    names: Vec<TableName>,
    /// Names of this task's tables in the target whose tables have left the selection.
    left: Vec<TableName>,
}

impl Entered {
    pub(super) fn add(&mut self, request: &Request<'_>, new: &TableName) {
        if request.is_selected(new) && !request.is_behind(new) {
            self.names.push(new.clone());
        }
    }

    /// True where an earlier rename of the list has brought `old` in.
    pub(super) fn moves_on(
        &mut self,
        request: &Request<'_>,
        old: &TableName,
        new: &TableName,
    ) -> bool {
        let Some(place) = self.names.iter().position(|name| name == old) else {
            return false;
        };
        self.names.remove(place);
        self.add(request, new);
        true
    }

    pub(super) fn note_left(&mut self, request: &Request<'_>, old: &TableName, origin: &TableName) {
        if request.stored.get(origin).is_some_and(|stored| stored.made) {
            self.left.push(old.clone());
        }
    }
}

impl Request<'_> {
    /// Why a table stops at this statement. A plain change of one table only pauses it: its rows
    /// are as they were before the statement, and it can go on from there.
    pub(super) fn stop(&self, table: &TableName, refusal: &Fault) -> Stopped {
        let can_go_on = self.tracked(table).is_some_and(|stored| {
            let state = &stored.state;
            let is_own = !state.table.is_kept() && !state.table.is_cascading();
            is_own && state.stopped.is_none() && state.stage >= TableStage::Indexed
        });
        let plain = self.ddl.kind == DdlKind::AlterTable && self.ddl.tables.len() == 1;
        let paused = self.before.clone().filter(|_| can_go_on && plain);
        let mut reason = refusal.message.clone();
        if !refusal.hint.is_empty() {
            reason.push_str("; next: ");
            reason.push_str(&refusal.hint);
        }
        if paused.is_some() {
            reason.push_str(
                " Choose: `wherry retry` tries it again once the target can take it; `wherry skip` goes on without it, where the target's table suits; \
                 `wherry replace` runs another statement in its place; `wherry resync` loads the table anew.",
            );
        }
        Stopped {
            code: refusal.code.to_owned(),
            reason,
            position: self.ddl.begin.clone(),
            paused,
            left: false,
        }
    }

    /// The name of the table behind the statement.
    pub(super) fn renamed(&self, subject: &TableName) -> TableName {
        let renames = self.statement.renames();
        let first = renames.into_iter().next();
        first.map_or_else(|| subject.clone(), |(_, new)| new)
    }

    /// True where the stored definition is the table's at this place.
    pub(super) fn knows_now(&self, stored: &StoredTable) -> bool {
        stored.state.is_followed() && !stored.state.start.reaches(&self.ddl.end)
    }
}

/// A table of which only the names are known.
pub(super) fn named(request: &Request<'_>, name: &TableName) -> Table {
    let mut table = unknown_table(name);
    request.names.apply(&mut table);
    table
}

impl Inner {
    /// Has a table loaded anew. What cannot be loaded a second time, or only with others, stops.
    pub(super) fn plan_restart(
        &self,
        request: &Request<'_>,
        plan: &mut Plan,
        table: &TableName,
        reason: &str,
    ) -> Result<(), Fault> {
        let stored = request.stored.get(table);
        let in_family = stored.is_some_and(|stored| stored.state.table.is_cascading());
        if in_family || request.is_kept(table) {
            return self.plan_stop(request, plan, table, &cannot_carry(table, reason));
        }
        if stored.is_some_and(|stored| stored.state.table.is_leaving()) {
            return self.plan_stop(request, plan, table, &cannot_load_anew(table, reason));
        }
        let planned = stored.map_or_else(
            || named(request, table),
            |stored| stored.state.table.clone(),
        );
        self.restart_as(request, plan, planned, reason)
    }

    /// Has a table loaded anew of which this is known.
    pub(super) fn restart_as(
        &self,
        request: &Request<'_>,
        plan: &mut Plan,
        mut planned: Table,
        reason: &str,
    ) -> Result<(), Fault> {
        let mark = LaneMark::waiting(reason);
        planned.adopted = None;
        let table = planned.name.clone();
        let state = TableState {
            table: planned,
            start: request.ddl.end.clone(),
            stage: TableStage::Planned,
            stopped: None,
            lane: Some(mark.clone()),
        };
        plan.states.extend(self.state.forget_rows(&table));
        plan.states.extend(self.put_table(&state, Dialect::Source)?);
        if request.in_lane {
            plan.states
                .push(self.state.mark_lane(&table, &to_text(&mark)?));
        }
        plan.effects.push(DdlEffect::Restart(table));
        Ok(())
    }

    /// Every selected table that the statement names is loaded anew, also one that it has made.
    pub(super) fn plan_restart_named(
        &self,
        request: &Request<'_>,
        plan: &mut Plan,
        reason: &str,
    ) -> Result<(), Fault> {
        for table in &request.ddl.tables {
            let wanted = match request.stored.get(table) {
                Some(stored) => stored.state.stopped.is_none() && !request.is_behind(table),
                None => request.is_selected(table) && !request.in_lane,
            };
            if wanted {
                self.plan_restart(request, plan, table, reason)?;
            }
        }
        Ok(())
    }

    /// A table of the lane was altered: the lane carries it, unless it has another name now.
    pub(super) fn plan_alter_beside(
        &self,
        request: &Request<'_>,
        plan: &mut Plan,
        subject: &TableName,
    ) -> Result<(), Fault> {
        let Some((_, new)) = request.statement.renames().into_iter().next() else {
            return Ok(());
        };
        let mut entered = Entered::default();
        self.plan_rename_beside(request, plan, subject);
        entered.add(request, &new);
        self.plan_entered(request, plan, &entered, RENAMED_IN)
    }

    /// A table of the lane has another name now: what was made of it goes.
    pub(super) fn plan_rename_beside(
        &self,
        request: &Request<'_>,
        plan: &mut Plan,
        origin: &TableName,
    ) {
        if request.beside(origin).is_some() {
            self.plan_gone(request, plan, origin, origin);
        }
    }

    /// Drops a table in the target and forgets the state that it is stored under.
    pub(super) fn plan_gone(
        &self,
        request: &Request<'_>,
        plan: &mut Plan,
        name: &TableName,
        stored_as: &TableName,
    ) {
        let stays = |stored: &StoredTable| stored.state.is_left() || stored.is_unmade();
        if !request.stored.get(stored_as).is_some_and(stays) {
            plan.legs.push(drop_leg(request, name));
        }
        plan.states.extend(self.state.forget_table(stored_as));
        plan.effects.push(DdlEffect::Gone(stored_as.clone()));
    }

    pub(super) fn plan_entered(
        &self,
        request: &Request<'_>,
        plan: &mut Plan,
        entered: &Entered,
        reason: &str,
    ) -> Result<(), Fault> {
        for name in &entered.names {
            if request.is_left(name) && request.stored[name].made {
                let refusal = cannot_carry(
                    name,
                    "`operations` keeps the table that had this name before in the target",
                );
                self.plan_stop(request, plan, name, &refusal)?;
                continue;
            }
            let state = TableState {
                table: named(request, name),
                start: request.ddl.end.clone(),
                stage: TableStage::Planned,
                stopped: None,
                lane: Some(LaneMark::waiting(reason)),
            };
            plan.states.extend(self.put_table(&state, Dialect::Source)?);
            if entered.left.contains(name) {
                plan.states.push(self.state.set_made(name, true));
            }
            plan.effects.push(DdlEffect::Restart(name.clone()));
        }
        Ok(())
    }
}
