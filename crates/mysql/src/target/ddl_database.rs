//! DDL of whole databases: what it means for their tables and for what new tables take.
//!
//! Plans only, as `ddl_plan`. A database that the source has dropped may stay in the target for
//! other tables in it, so its end is remembered: what comes under its name is another one, with
//! defaults of its own.

use super::Inner;
use super::ddl_plan::{cannot_carry, drop_leg};
use super::definition_change::{Leg, Plan, Request, Test};
use super::shadow::{ShadowFault, apply_session};
use crate::catalog::read_databases;
use crate::ddl::{StatementKind, database_options};
use crate::session::{Session, SessionKind};
use std::collections::BTreeSet;
use wherry_engine::ports::{DatabaseDefinition, DdlEffect};
use wherry_engine::state::TableState;
use wherry_model::name::quote;
use wherry_model::{DdlKind, Fault, ObjectName, Operation, TableName};

impl Inner {
    /// CREATE and ALTER. The database in the target gets the defaults that it has at the source
    /// behind the statement, whether it was there or not.
    pub(super) async fn plan_database(&self, request: &Request<'_>) -> Result<Plan, Fault> {
        let mut plan = Plan::default();
        let named = request.statement.database();
        let database = named.unwrap_or(&request.ddl.default_database).to_owned();
        if !request.selection.includes_database(&database) {
            return Ok(plan);
        }
        self.names.learn_database(&database).await?;
        let acts = match request.ddl.kind {
            DdlKind::CreateDatabase => self.is_new(request, &database).await?,
            _ => database_options(&request.ddl.statement, &request.statement).is_some(),
        };
        if acts {
            self.plan_defaults(request, &mut plan, &database).await?;
        }
        Ok(plan)
    }

    /// False where `IF NOT EXISTS` did nothing at the source.
    async fn is_new(&self, request: &Request<'_>, database: &str) -> Result<bool, Fault> {
        if !request.statement.if_exists {
            return Ok(true);
        }
        let gone = self.read_state(&self.state.select_gone(database)).await?;
        if !gone.is_empty() {
            return Ok(true);
        }
        let there = request.names.database(database);
        let mut session = self.own_session(SessionKind::Control).await?;
        let found = read_databases(&mut session, &[there]).await?;
        session.close().await;
        Ok(found.is_empty())
    }

    async fn plan_defaults(
        &self,
        request: &Request<'_>,
        plan: &mut Plan,
        database: &str,
    ) -> Result<(), Fault> {
        let makes = request.statement.kind == StatementKind::CreateDatabase;
        plan.states.push(self.state.set_altered(database));
        if makes {
            plan.states.push(self.state.clear_gone(database));
        }
        let subject = TableName::new(database, "");
        let defaults = match self.try_defaults(request, &subject, makes).await {
            Ok(defaults) => defaults,
            Err(ShadowFault::Failed(fault)) => return Err(fault),
            Err(ShadowFault::Refused(refusal)) => {
                let position = request.ddl.begin.to_string();
                plan.states.push(
                    self.state
                        .add_refused_database(&subject, &refusal, &position),
                );
                return Ok(());
            }
        };
        let options = format!(
            "DEFAULT CHARACTER SET {} COLLATE {}",
            quote(&defaults.charset),
            quote(&defaults.collation)
        );
        for there in request.names.databases_of(database) {
            let name = quote(&there);
            if makes {
                // With the defaults: after a crash behind it IF NOT EXISTS seems to do nothing.
                let sql = format!("CREATE DATABASE IF NOT EXISTS {name} {options}");
                plan.legs.push(leg(database, there.clone(), sql));
            }
            let sql = format!("ALTER DATABASE {name} {options}");
            plan.legs.push(leg(database, there, sql));
        }
        Ok(())
    }

    /// Runs the statement's options on the shadow database and reads them back.
    async fn try_defaults(
        &self,
        request: &Request<'_>,
        subject: &TableName,
        makes: bool,
    ) -> Result<DatabaseDefinition, ShadowFault> {
        let mut session = self.open_shadow(subject).await?;
        let result = self
            .try_defaults_locked(&mut session, request, subject, makes)
            .await;
        self.give_shadow(session)
            .await
            .map_err(ShadowFault::Failed)?;
        result
    }

    async fn try_defaults_locked(
        &self,
        session: &mut Session,
        request: &Request<'_>,
        subject: &TableName,
        makes: bool,
    ) -> Result<DatabaseDefinition, ShadowFault> {
        let shadow = self.shadow_database();
        let there = request.names.database(&subject.database);
        self.make_shadow_database(session, &shadow, &there).await?;
        let name = quote(&shadow);
        let mut verb = "ALTER";
        if makes {
            // One that is made takes nothing of the one before.
            let gone = format!("DROP DATABASE {name}");
            self.try_in_shadow(session, gone, subject).await?;
            verb = "CREATE";
        }
        apply_session(session, &request.ddl.session, &self.source_version).await?;
        let options = database_options(&request.ddl.statement, &request.statement);
        let sql = format!("{verb} DATABASE {name} {}", options.unwrap_or_default());
        self.try_in_shadow(session, sql, subject).await?;
        let found = read_databases(session, std::slice::from_ref(&shadow)).await?;
        found.into_iter().next().ok_or_else(|| {
            ShadowFault::Failed(super::fault::state_moved("the shadow database is gone"))
        })
    }

    /// The source has dropped it while tables were loaded.
    pub(super) async fn forget_database(&self, name: &str) -> Result<(), Fault> {
        self.write_state(&[self.state.set_gone(name)])
            .await
            .map(drop)
    }

    pub(super) async fn plan_drop_database(&self, request: &Request<'_>) -> Result<Plan, Fault> {
        let mut plan = Plan::default();
        let Some(database) = request.statement.database() else {
            return Ok(plan);
        };
        if !request.selection.includes_database(database) {
            return Ok(plan);
        }
        let Some(task) = self.stored().await? else {
            return Ok(plan);
        };
        let drops_database = request
            .selection
            .carries_in(Operation::DropDatabase, database);
        // A later one is of the database that comes under this name again.
        let (later, before): (Vec<TableState>, Vec<TableState>) = task
            .tables
            .into_iter()
            .filter(|state| state.table.name.database == database)
            .partition(|state| state.start.reaches(&request.ddl.end));
        let (dropped, left): (Vec<TableState>, Vec<TableState>) = before
            .into_iter()
            .filter(|state| !state.is_left())
            .partition(|state| {
                drops_database && request.carries(Operation::DropTable, &state.table.name)
            });
        for state in left {
            let operation = match drops_database {
                true => Operation::DropTable,
                false => Operation::DropDatabase,
            };
            self.leave_stored(request, &mut plan, &state, operation)?;
        }
        if !drops_database {
            return Ok(plan);
        }
        let (adopted, made): (Vec<TableState>, Vec<TableState>) =
            dropped.into_iter().partition(|state| state.table.is_kept());
        for state in adopted.iter().filter(|state| state.stopped.is_none()) {
            let refusal = cannot_carry(
                &state.table.name,
                "the target had it before the task, so it is not dropped there",
            );
            self.plan_stop(request, &mut plan, &state.table.name, &refusal)?;
        }
        let tables: Vec<TableName> = made.into_iter().map(|state| state.table.name).collect();
        let dropped = self
            .plan_gone_with_database(request, &mut plan, database, &tables)
            .await?;
        let there = request.names.database(database);
        if later.is_empty()
            && request.selection.includes_whole(database)
            && !request.names.is_shared(database, &there)
            && self.holds_only(&there, &dropped).await?
        {
            let sql = format!("DROP DATABASE IF EXISTS {}", quote(&there));
            plan.legs.push(leg(database, there, sql));
        }
        plan.states.push(self.state.set_gone(database));
        if request.statement.kind == StatementKind::CreateDatabase {
            self.plan_defaults(request, &mut plan, database).await?;
        }
        Ok(plan)
    }

    /// Drops and forgets the tables of a database that is gone; what one of them becomes together
    /// with tables of others is loaded anew. Returns the names in the target that are gone then.
    async fn plan_gone_with_database(
        &self,
        request: &Request<'_>,
        plan: &mut Plan,
        database: &str,
        tables: &[TableName],
    ) -> Result<Vec<TableName>, Fault> {
        let (mut merges, mut dropped) = (BTreeSet::new(), Vec::new());
        for table in tables {
            let stored = self.stored_table(table).await?;
            let there = request.names.table(table);
            if request.names.is_merged(table) {
                merges.insert(there);
            } else if stored.is_some_and(|stored| !stored.is_unmade()) {
                plan.legs.push(drop_leg(request, table));
                dropped.push(there);
            }
            plan.states.extend(self.state.forget_table(table));
            plan.effects.push(DdlEffect::Gone(table.clone()));
        }
        self.plan_restart_merges(request, plan, &merges, Some(database))
            .await?;
        dropped.extend(merges);
        Ok(dropped)
    }

    /// True where the database in the target has no other table than these, and nothing else that
    /// this task has not made.
    async fn holds_only(&self, database: &str, tables: &[TableName]) -> Result<bool, Fault> {
        let objects = self.objects_there(&[database.to_owned()]).await?;
        let memories = self.memories().await?;
        let is_own = |name: &ObjectName| memories.get(name).is_some_and(|memory| memory.made);
        if !objects.keys().all(is_own) {
            return Ok(false);
        }
        let mut session = self.own_session(SessionKind::Control).await?;
        let sql = format!(
            "SELECT TABLE_NAME FROM information_schema.TABLES WHERE TABLE_SCHEMA={} AND TABLE_TYPE='BASE TABLE'",
            super::state::text(database)
        );
        let rows = session.query(sql).await.map_err(Fault::from)?;
        session.close().await;
        Ok((0..rows.rows.len()).all(|row| {
            rows.text(row, 0).is_some_and(|name| {
                tables
                    .iter()
                    .any(|table| table.database == database && table.table == name)
            })
        }))
    }
}

/// May run again at the barrier.
fn leg(database: &str, there: String, sql: String) -> Leg {
    Leg {
        sql,
        table: TableName::new(database, ""),
        there: TableName::new(there, ""),
        test: Test::Tolerant,
        own: false,
    }
}
