//! DDL of tables that become one table of the target.
//!
//! Plans only, as `ddl_plan`. A statement about one of them would change, empty or drop the rows of
//! all, so none of it reaches the target: whatever changes one of them has all of them loaded anew,
//! also those that have stopped, because the statement may have taken the cause away.

use super::Inner;
use super::ddl_restart::named;
use super::definition_change::{Plan, Request};
use std::collections::BTreeSet;
use wherry_engine::state::TableState;
use wherry_model::{DdlKind, Fault, Table, TableName};

const REASON: &str = "a definition change named a table that becomes one with others";

impl Inner {
    /// `None` where the statement concerns no such table, or drops a whole database.
    pub(super) async fn plan_merged(&self, request: &Request<'_>) -> Result<Option<Plan>, Fault> {
        let is_merged =
            |name: &&TableName| request.is_selected(name) && request.names.is_merged(name);
        let (merged, others): (Vec<&TableName>, Vec<&TableName>) =
            request.ddl.tables.iter().partition(is_merged);
        if merged.is_empty() || request.ddl.kind == DdlKind::DropDatabase {
            return Ok(None);
        }
        let mut plan = Plan::default();
        let news = merged.into_iter().filter(|name| !request.is_behind(name));
        let targets: BTreeSet<TableName> =
            news.clone().map(|name| request.names.table(name)).collect();
        let known: Vec<TableName> = self
            .plan_restart_merges(request, &mut plan, &targets, None)
            .await?;
        for name in news.filter(|name| !known.contains(name) && !request.in_lane) {
            self.restart_as(request, &mut plan, named(request, name), REASON)?;
        }
        for name in others {
            let follows = request.tracked(name).or_else(|| request.beside(name));
            let comes = request.is_selected(name) && !request.in_lane;
            if follows.is_some_and(|stored| stored.state.stopped.is_none())
                || (comes && !request.stored.contains_key(name))
            {
                self.plan_restart(request, &mut plan, name, REASON)?;
            }
        }
        Ok(Some(plan))
    }

    /// Has every table that becomes one of these loaded anew, but those of a database that goes.
    /// Returns their names.
    pub(super) async fn plan_restart_merges(
        &self,
        request: &Request<'_>,
        plan: &mut Plan,
        targets: &BTreeSet<TableName>,
        gone: Option<&str>,
    ) -> Result<Vec<TableName>, Fault> {
        let tables = self
            .stored()
            .await?
            .map_or_else(Vec::new, |task| task.tables);
        let is_meant = |state: &&TableState| {
            let table = &state.table;
            let here = !request.in_lane || state.lane.as_ref().is_some_and(|mark| mark.open);
            let stays = gone != Some(table.name.database.as_str());
            here && stays && table.is_merged() && targets.contains(table.target_name())
        };
        let meant: Vec<Table> = tables
            .iter()
            .filter(is_meant)
            .map(|state| state.table.clone())
            .collect();
        let names = meant.iter().map(|table| table.name.clone()).collect();
        for table in meant {
            self.restart_as(request, plan, table, REASON)?;
        }
        Ok(names)
    }
}
