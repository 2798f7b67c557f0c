//! A statement that the target refuses: its tables stop, or are loaded anew as they are behind it.

use super::Inner;
use super::ddl_plan::drop_there;
use super::ddl_restart::Entered;
use super::definition_change::{Leg, LegProgress, Plan, Request, Test};
use super::fault;
use super::road::Road;
use super::store::StoredTable;
use wherry_engine::ports::DdlEffect;
use wherry_model::task::RefusedDdl;
use wherry_model::{Fault, TableName};

/// A leg that the server refused, with those that ran before it.
pub(super) struct RefusedLeg<'a> {
    pub(super) leg: &'a Leg,
    pub(super) refusal: Fault,
    pub(super) done: &'a [Leg],
    /// An earlier try had begun to drop what is to be loaded anew.
    pub(super) given_up: bool,
}

impl Request<'_> {
    /// The statement's own tables that follow this reading, under the names that they had before it.
    fn origins(&self) -> Vec<(TableName, &StoredTable)> {
        let mut origins: Vec<(TableName, &StoredTable)> = Vec::new();
        for name in self.statement.subjects() {
            let known = origins.iter().any(|(origin, _)| *origin == name);
            if let Some(stored) = self.tracked(&name).filter(|_| !known) {
                origins.push((name, stored));
            }
        }
        origins
    }

    /// What a table is called behind the statement.
    pub(super) fn name_after(&self, origin: &TableName) -> TableName {
        let renames = self.statement.renames();
        let follow = |name: TableName, (old, new): (TableName, TableName)| {
            if name == old { new } else { name }
        };
        renames.into_iter().fold(origin.clone(), follow)
    }
}

impl Inner {
    /// What becomes of the tables of a statement that is refused before anything of it has run.
    pub(super) fn plan_refused(
        &self,
        request: &Request<'_>,
        table: &TableName,
        refusal: &Fault,
    ) -> Result<Plan, Fault> {
        let anew = request.selection.refused_ddl == RefusedDdl::Reload;
        self.plan_refusal(request, table, refusal, anew)
    }

    /// As `plan_refused`, where the target itself has said no to a try.
    pub(super) async fn plan_refused_there(
        &self,
        request: &Request<'_>,
        table: &TableName,
        refusal: &Fault,
    ) -> Result<Plan, Fault> {
        let anew = request.selection.refused_ddl == RefusedDdl::Reload
            || self.comes_from_another(request, refusal).await?;
        self.plan_refusal(request, table, refusal, anew)
    }

    fn plan_refusal(
        &self,
        request: &Request<'_>,
        table: &TableName,
        refusal: &Fault,
        anew: bool,
    ) -> Result<Plan, Fault> {
        if anew && let Some(plan) = self.plan_anew(request, table, refusal, &[])? {
            return Ok(plan);
        }
        let mut plan = Plan::default();
        self.stop_all(request, &mut plan, table, refusal)?;
        Ok(plan)
    }

    /// As `plan_refused`, where some legs may have run.
    pub(super) async fn give_up(
        &self,
        road: &mut Road<'_>,
        request: &Request<'_>,
        plan: &mut Plan,
        refused: &RefusedLeg<'_>,
    ) -> Result<(), Fault> {
        let RefusedLeg {
            leg, refusal, done, ..
        } = refused;
        let anew = request.selection.refused_ddl == RefusedDdl::Reload
            || refused.given_up
            || self.comes_from_another(request, refusal).await?;
        let anew = match anew {
            true => self.plan_anew(request, &leg.table, refusal, done)?,
            false => None,
        };
        let Some(anew) = anew else {
            return self.stop_all(request, plan, &leg.table, refusal);
        };
        if !anew.legs.is_empty() && !refused.given_up {
            // Behind a drop nothing else tells that it is not the leg that ran.
            let position = request.ddl.begin.to_string();
            let progress = LegProgress::GivenUp;
            let mark = self.state.mark_leg(&position, done.len(), progress);
            self.write_state(&[mark]).await?;
        }
        for leg in &anew.legs {
            if let Err(refusal) = self.run_leg(road, &request.ddl.session, leg).await? {
                return self.stop_all(request, plan, &leg.table, &refusal);
            }
        }
        *plan = Plan {
            legs: Vec::new(),
            ..anew
        };
        Ok(())
    }

    /// True where the refusal is about another table, and that one is not as it was at this place:
    /// a table that is loaded beside the stream holds names, and lacks columns and keys, that were
    /// otherwise then.
    async fn comes_from_another(
        &self,
        request: &Request<'_>,
        refusal: &Fault,
    ) -> Result<bool, Fault> {
        if !fault::is_about_another_table(refusal) {
            return Ok(false);
        }
        if request.in_lane {
            return Ok(true);
        }
        let task = self.stored().await?;
        let tables = task.map(|task| task.tables).unwrap_or_default();
        let is_elsewhere = tables
            .iter()
            .any(|state| state.lane.is_some() || state.start.reaches(&request.ddl.end));
        Ok(is_elsewhere)
    }

    /// Has the statement's tables loaded anew under the names that they have behind it. `None` where
    /// one of them cannot be, or leaves the selection.
    fn plan_anew(
        &self,
        request: &Request<'_>,
        table: &TableName,
        refusal: &Fault,
        done: &[Leg],
    ) -> Result<Option<Plan>, Fault> {
        let origins = request.origins();
        let fixed = |stored: &StoredTable| {
            let table = &stored.state.table;
            let fixed = table.is_kept() || table.is_cascading() || table.is_leaving();
            fixed || stored.state.stopped.is_some()
        };
        let names = origins.iter().map(|(origin, _)| request.name_after(origin));
        let leaves = names
            .chain([request.name_after(table)])
            .any(|name| !request.is_selected(&name));
        if leaves || origins.iter().any(|(_, stored)| fixed(stored)) {
            return Ok(None);
        }
        let mut plan = Plan::default();
        if request.statement.renames().is_empty() {
            let names = origins.iter().map(|(origin, _)| origin);
            for name in names.chain(origins.is_empty().then_some(table)) {
                self.plan_restart(request, &mut plan, name, &refusal.message)?;
            }
            return Ok(Some(plan));
        }
        let mut entered = Entered::default();
        for (origin, stored) in &origins {
            if stored.made {
                plan.legs
                    .push(drop_there(origin, place_of(request, origin, done)));
            }
            plan.states.extend(self.state.forget_table(origin));
            plan.effects.push(DdlEffect::Gone(origin.clone()));
            let name = request.name_after(origin);
            if request.beside(&name).is_some() {
                self.plan_gone(request, &mut plan, &name, &name);
            }
            entered.add(request, &name);
        }
        self.plan_entered(request, &mut plan, &entered, &refusal.message)?;
        Ok(Some(plan))
    }

    /// A leg was refused: every table of the statement stops, since some legs may have run. Their
    /// states stay under the names they had before it.
    pub(super) fn stop_all(
        &self,
        request: &Request<'_>,
        plan: &mut Plan,
        refused: &TableName,
        refusal: &Fault,
    ) -> Result<(), Fault> {
        plan.states.clear();
        plan.effects.clear();
        let origins = request.origins().into_iter();
        let mut tables: Vec<TableName> = origins.map(|(origin, _)| origin).collect();
        if tables.is_empty() {
            tables.push(refused.clone());
        }
        for table in &tables {
            self.plan_stop(request, plan, table, refusal)?;
        }
        Ok(())
    }
}

/// The name that the table has in the target behind the legs that ran.
fn place_of(request: &Request<'_>, origin: &TableName, done: &[Leg]) -> TableName {
    let mut place = request.names.table(origin);
    for leg in done {
        if let Test::Renamed(old, new) = &leg.test
            && *old == place
        {
            place.clone_from(new);
        }
    }
    place
}
