//! What a definition change must leave as it is: the engine, and the family of a table.
//!
//! Both were decided at the table's start, by the source. A change that would decide them anew
//! stops the table, because what follows would have to be applied in another way.

use super::Inner;
use super::ddl_plan::cannot_carry;
use super::definition_change::{Plan, Request};
use super::store::{Dialect, StoredTable};
use crate::catalog::cascade_of;
use crate::ddl::definition::{Definition, ForeignKey};
use crate::ddl::{Context, names_engine};
use crate::script::writes_one;
use crate::shape::{lacks_rows, leaves_rows_out};
use wherry_model::{DdlKind, Exactness, Fault, Table, TableName};

/// The inner error says why the table must stop.
type Kept = Result<Result<Table, Fault>, Fault>;

/// What of a foreign key decides about rows.
type Tie = (Vec<String>, TableName, Vec<String>, Option<String>);

impl Request<'_> {
    /// Selected names that are those of other tables behind the statement, but for tables of a
    /// family that move.
    fn names_of_other_tables(&self) -> Vec<TableName> {
        let mut moved: Vec<(TableName, TableName)> = Vec::new();
        for (old, new) in self.statement.renames() {
            let place = moved.iter().position(|(_, name)| *name == old);
            let origin = place.map_or_else(|| old.clone(), |place| moved.remove(place).0);
            moved.push((origin, new));
        }
        let in_family = |name: &TableName| {
            let stored = self.stored.get(name);
            stored.is_some_and(|stored| stored.state.table.is_cascading())
        };
        moved.retain(|(origin, _)| !in_family(origin));
        let mut names: Vec<TableName> = moved.into_iter().map(|(_, name)| name).collect();
        if matches!(
            self.ddl.kind,
            DdlKind::CreateTable | DdlKind::CreateTableSelect
        ) {
            let there =
                |name: &TableName| !self.statement.or_replace && self.stored.contains_key(name);
            names.extend(self.statement.subjects().filter(|name| !there(name)));
        }
        names.retain(|name| self.is_selected(name) && !self.is_behind(name));
        names
    }
}

impl Inner {
    /// A new table, as the statement left its shadow.
    pub(super) async fn nature_made(
        &self,
        request: &Request<'_>,
        mut table: Table,
        like: Option<&StoredTable>,
    ) -> Kept {
        if let Some(like) = like {
            // The shadow of the model is InnoDB whatever the source has.
            table.engine.clone_from(&like.state.table.engine);
        } else if table.engine != "innodb" {
            return Ok(Err(other_engine(&table)));
        }
        let ties = self
            .ties(&table.definition, &table.name, Dialect::Target)
            .await?;
        if let Some(refusal) = self.refuse_ties(request, &table.name, &ties).await? {
            return Ok(Err(refusal));
        }
        Ok(Ok(table))
    }

    /// A changed table, as the statement left its shadow.
    pub(super) async fn nature_kept(
        &self,
        request: &Request<'_>,
        stored: &StoredTable,
        mut table: Table,
    ) -> Kept {
        let before = &stored.state.table;
        if names_engine(&request.ddl.statement, &request.statement) {
            if table.engine != "innodb" {
                return Ok(Err(other_engine(&table)));
            }
        } else {
            // The target has it as InnoDB whatever the source has.
            table.engine.clone_from(&before.engine);
        }
        let old = self
            .ties(&before.definition, &before.name, stored.dialect)
            .await?;
        let new = self
            .ties(&table.definition, &table.name, Dialect::Target)
            .await?;
        if before.is_cascading() {
            let same = old.len() == new.len() && old.iter().all(|tie| new.contains(tie));
            if !same {
                return Ok(Err(cannot_carry(
                    &before.name,
                    "its foreign keys changed, and their cascades are not in the source's binlog",
                )));
            }
            table.exactness = Exactness::Cascading;
            return Ok(Ok(table));
        }
        let added: Vec<Tie> = new.into_iter().filter(|tie| !old.contains(tie)).collect();
        match self.refuse_ties(request, &before.name, &added).await? {
            Some(refusal) => Ok(Err(refusal)),
            None => Ok(Ok(table)),
        }
    }

    /// A table that comes under a name to which a family points belongs to the family, whose tables
    /// have one start: all of them stop. `None` where there is none.
    pub(super) async fn plan_tied(&self, request: &Request<'_>) -> Result<Option<Plan>, Fault> {
        let names = request.names_of_other_tables();
        if names.is_empty() || request.in_lane {
            return Ok(None);
        }
        let task = self.stored().await?;
        let tables = task.map(|task| task.tables).unwrap_or_default();
        for state in tables.iter().filter(|state| state.table.is_cascading()) {
            let child = &state.table.name;
            let Some(stored) = self.stored_table(child).await? else {
                continue;
            };
            if !request.knows_now(&stored) {
                continue;
            }
            let definition = self.stored_definition(&stored).await?;
            let keys = definition.map(|(definition, _)| definition.foreign_keys);
            for key in keys.unwrap_or_default() {
                let parent = request.name_after(&key.references);
                if parent == *child || !names.contains(&parent) {
                    continue;
                }
                let reason = format!(
                    "table {child} points to it by a foreign key, and cascades are not in the source's binlog; load both anew"
                );
                let refusal = cannot_carry(&parent, &reason);
                let mut plan = Plan::default();
                match request.statement.renames().as_slice() {
                    [(old, _)] if request.tracked(old).is_some() => {
                        self.plan_gone(request, &mut plan, old, old);
                        self.plan_stop(request, &mut plan, &parent, &refusal)?;
                    }
                    _ => self.stop_all(request, &mut plan, &parent, &refusal)?,
                }
                if !request.stored.contains_key(child) {
                    self.plan_stop(request, &mut plan, child, &refusal)?;
                }
                return Ok(Some(plan));
            }
        }
        Ok(None)
    }

    async fn ties(
        &self,
        definition: &str,
        name: &TableName,
        dialect: Dialect,
    ) -> Result<Vec<Tie>, Fault> {
        let dialect = match dialect {
            Dialect::Source => self.source_dialect(),
            Dialect::Target => self.dialect().await?,
        };
        let context = Context::new(&name.database, dialect);
        let definition = Definition::parse(definition, &context)
            .map_err(|error| Fault::from(error).table(name))?;
        let tie = |key: &ForeignKey| {
            (
                key.columns.clone(),
                key.references.clone(),
                key.referenced_columns.clone(),
                cascade_of(key),
            )
        };
        Ok(definition.foreign_keys.iter().map(tie).collect())
    }

    /// New foreign keys that would make a family, or a larger one.
    async fn refuse_ties(
        &self,
        request: &Request<'_>,
        table: &TableName,
        ties: &[Tie],
    ) -> Result<Option<Fault>, Fault> {
        for (_, parent, referenced, cascade) in ties {
            if cascade.is_some() && request.ddl.session.hides_cascades {
                return Ok(Some(cannot_carry(
                    table,
                    "it has a foreign key whose cascades are not in the source's binlog",
                )));
            }
            let parent = self.stored_table(parent).await?;
            let is_filtered = |stored: &StoredTable| {
                let table = &stored.state.table;
                leaves_rows_out(table).is_some() || lacks_rows(table)
            };
            if parent.as_ref().is_some_and(is_filtered) {
                return Ok(Some(cannot_carry(
                    table,
                    "it has a foreign key to a table of which not all rows move",
                )));
            }
            let is_written = |stored: &StoredTable| writes_one(&stored.state.table, referenced);
            if parent.as_ref().is_some_and(is_written) {
                return Ok(Some(cannot_carry(
                    table,
                    "it has a foreign key to columns that a script writes",
                )));
            }
            if parent.is_some_and(|stored| stored.state.table.is_cascading()) {
                return Ok(Some(cannot_carry(
                    table,
                    "it has a foreign key to a table that others change by unlogged cascades",
                )));
            }
        }
        Ok(None)
    }
}

fn other_engine(table: &Table) -> Fault {
    cannot_carry(
        &table.name,
        &format!("its engine is {}, which has no transactions", table.engine),
    )
}
