//! The changes of online-DDL tools, carried as one ALTER at the swap where the task asks for it.
//!
//! Owns what is remembered of a tool's copy and when its change may be made in place. The copy is
//! followed in a shadow table of ours from its first statement on; at the swap the table with the
//! tool's ALTER must be defined exactly as the copy then is, and nothing in the change may depend
//! on when a row was copied. A table of which that is not known is loaded anew: nothing is guessed.
//! The rules on text stand in `ddl::online`.

use super::Inner;
use super::adopt::column_problem;
use super::definition_change::{Plan, Request};
use super::fault;
use super::shadow::{DryRun, ShadowFault};
use super::state::{State, text};
use super::store::{Dialect, StoredTable, to_text};
use crate::ddl::definition::Definition;
use crate::ddl::{
    Context, Statement, StatementKind, classify, copies_otherwise, moves_values, rewrite_names,
    rules, sets_counter_only,
};
use serde::{Deserialize, Serialize};
use wherry_engine::state::{TableStage, TableState};
use wherry_model::change::DdlSession;
use wherry_model::{Column, ColumnKind, Ddl, DdlKind, Fault, Table, TableName};

/// What is remembered of a copy that a tool fills, until it stands in the place of its table.
#[derive(Debug, Clone, Serialize, Deserialize)]
struct OnlineChange {
    /// The table that the copy will replace.
    base: TableName,
    /// The copy as it was made and as it is now, in the target's SQL; none where it is in doubt.
    made: Option<Table>,
    now: Option<Table>,
    /// The statement that changed it.
    alter: Option<Alter>,
    /// Why the change cannot be made in place.
    doubt: Option<String>,
}

/// An `ALTER TABLE` as the source logged it.
#[derive(Debug, Clone, Serialize, Deserialize)]
struct Alter {
    statement: String,
    default_database: String,
    session: DdlSession,
}

/// A rename that puts a copy in the place of its table.
struct Swap {
    base: TableName,
    shadow: TableName,
}

/// The inner error says why the change is not sure to give the same rows.
type Carried<T> = Result<Result<T, String>, Fault>;

impl Inner {
    /// `None` where the statement is to be planned like any other.
    pub(super) async fn plan_online(&self, request: &Request<'_>) -> Result<Option<Plan>, Fault> {
        if !request.selection.online.carries_final_change() || request.in_lane {
            return Ok(None);
        }
        let is_table = |name: TableName| {
            shadowed(request, &name).is_some() && request.tracked(&name).is_some()
        };
        if request.statement.subjects().any(is_table) {
            // Followed since the task took it for a table like all others.
            return Ok(None);
        }
        if let Some(swap) = swap_of(request)
            && let Some(base) = request.tracked(&swap.base)
        {
            return self.plan_swap(request, &swap, base).await.map(Some);
        }
        self.doubt_changes(request).await?;
        let mut shadows = request.statement.subjects().filter_map(|name| {
            let base = shadowed(request, &name)?;
            Some((name, base))
        });
        let Some((shadow, base)) = shadows.next() else {
            return Ok(None);
        };
        match request.ddl.kind {
            DdlKind::CreateTable => {
                let change = self.made(request, &shadow, base).await?;
                self.plan_remember(&shadow, &change).map(Some)
            }
            DdlKind::AlterTable if request.statement.renames().is_empty() => {
                self.plan_altered(request, &shadow).await.map(Some)
            }
            _ => {
                let mut forget = vec![self.state.forget_online(&shadow)];
                forget.extend(shadows.map(|(name, _)| self.state.forget_online(&name)));
                self.write_state(&forget).await?;
                Ok(None)
            }
        }
    }

    fn plan_remember(&self, shadow: &TableName, change: &OnlineChange) -> Result<Plan, Fault> {
        Ok(Plan {
            states: vec![self.state.put_online(shadow, &to_text(change)?)],
            ..Plan::default()
        })
    }

    /// A statement of somebody else on a table whose copy is being filled reaches only one of the
    /// two. Written at once: to forget too early is always safe.
    async fn doubt_changes(&self, request: &Request<'_>) -> Result<(), Fault> {
        let rows = self.read_state(&self.state.select_onlines()).await?;
        for row in 0..rows.rows.len() {
            let name = |column| rows.text(row, column).unwrap_or_default();
            let shadow = TableName::new(name(1), name(2));
            let mut change = parse(name(0))?;
            let gone = request.ddl.kind == DdlKind::DropDatabase
                && request.statement.database() == Some(shadow.database.as_str());
            if gone {
                self.write_state(&[self.state.forget_online(&shadow)])
                    .await?;
            } else if request
                .statement
                .subjects()
                .any(|table| table == change.base)
            {
                change.doubt =
                    Some("the table itself was changed while its copy was filled".to_owned());
                self.write_state(&[self.state.put_online(&shadow, &to_text(&change)?)])
                    .await?;
            }
        }
        Ok(())
    }

    async fn online_change(&self, shadow: &TableName) -> Result<Option<OnlineChange>, Fault> {
        let rows = self.read_state(&self.state.select_online(shadow)).await?;
        rows.text(0, 0).map(parse).transpose()
    }

    /// A new copy: it must be the table as it is, or what the tool does to rows is not known.
    async fn made(
        &self,
        request: &Request<'_>,
        shadow: &TableName,
        base: TableName,
    ) -> Result<OnlineChange, Fault> {
        let mut change = OnlineChange {
            base,
            made: None,
            now: None,
            alter: None,
            doubt: None,
        };
        let stored = self.stored_table(&change.base).await?;
        let Some(stored) = stored.filter(|stored| request.knows_now(stored)) else {
            change.doubt = Some("its copy was made before the table was followed".to_owned());
            return Ok(change);
        };
        let sql = format!("CREATE TABLE {shadow} LIKE {}", change.base);
        let own = classify(&sql, &Context::new(&shadow.database, self.source_dialect()));
        let like = Ddl {
            statement: sql,
            ..request.ddl.clone()
        };
        let run = |ddl, statement, like| DryRun {
            ddl,
            statement,
            subject: shadow,
            renamed: shadow,
            before: None,
            like,
        };
        let wanted = self.tried(&run(&like, &own, Some(&stored))).await?;
        let found = match request.statement.kind {
            StatementKind::CreateTableLike => {
                let of_base = request
                    .statement
                    .tables()
                    .any(|(_, name)| name == change.base);
                if of_base {
                    wanted.clone()
                } else {
                    Err("another table".to_owned())
                }
            }
            _ => {
                self.tried(&run(request.ddl, &request.statement, None))
                    .await?
            }
        };
        match (wanted, found) {
            (Ok(wanted), Ok(found)) if self.same_definition(&wanted, &found).await? => {
                change.now = Some(found.clone());
                change.made = Some(found);
            }
            _ => change.doubt = Some("its copy was not made like the table".to_owned()),
        }
        Ok(change)
    }

    async fn plan_altered(&self, request: &Request<'_>, shadow: &TableName) -> Result<Plan, Fault> {
        let (sql, statement) = (&request.ddl.statement, &request.statement);
        let Some(mut change) = self.online_change(shadow).await? else {
            return Ok(Plan::default());
        };
        // The counter is raised at the cutover.
        if sets_counter_only(sql, statement) {
            return Ok(Plan::default());
        }
        if change.alter.is_some() {
            change.doubt = Some("its copy was changed by several statements".to_owned());
        }
        if let (None, Some(now)) = (&change.doubt, change.now.take()) {
            let before = as_stored(&now, request);
            let run = DryRun {
                ddl: request.ddl,
                statement,
                subject: shadow,
                renamed: shadow,
                before: Some(&before),
                like: None,
            };
            match self.tried(&run).await? {
                Ok(table) => change.now = Some(table),
                Err(reason) => change.doubt = Some(reason),
            }
            change.alter = Some(Alter {
                statement: sql.clone(),
                default_database: request.ddl.default_database.clone(),
                session: request.ddl.session.clone(),
            });
        }
        self.plan_remember(shadow, &change)
    }

    /// What is not sure to give the same rows is loaded anew.
    async fn plan_swap(
        &self,
        request: &Request<'_>,
        swap: &Swap,
        base: &StoredTable,
    ) -> Result<Plan, Fault> {
        let mut plan = match self.final_change(request, swap, base).await? {
            _ if base.state.stopped.is_some() => Plan::default(),
            Ok(plan) => plan,
            Err(doubt) => {
                let reason = format!(
                    "the change that an online-DDL tool made of it cannot be made in its place: {doubt}"
                );
                let mut plan = Plan::default();
                self.plan_restart(request, &mut plan, &swap.base, &reason)?;
                plan
            }
        };
        plan.states.push(self.state.forget_online(&swap.shadow));
        Ok(plan)
    }

    /// The tool's ALTER on the table itself, proved against the copy.
    async fn final_change(
        &self,
        request: &Request<'_>,
        swap: &Swap,
        base: &StoredTable,
    ) -> Carried<Plan> {
        let refuse = |doubt: &str| Ok(Err(doubt.to_owned()));
        let Some(change) = self.online_change(&swap.shadow).await? else {
            return refuse("its copy was not followed from its beginning");
        };
        if let Some(doubt) = &change.doubt {
            return refuse(doubt);
        }
        let (Some(made), Some(now), Some(alter)) = (&change.made, &change.now, &change.alter)
        else {
            return refuse("its copy was put in its place without a change");
        };
        if base.state.table.is_exact() {
            return refuse("its rows have no key, or foreign keys tie them to others");
        }
        if let Some(reason) = self.rows_differ(made, now, alter).await? {
            return refuse(&reason);
        }
        let mut plan = self.plan_alter_of(request, swap, alter).await?;
        let Some(changed) = plan.defined() else {
            return Ok(Ok(plan));
        };
        if !self.same_definition(changed, now).await? {
            return refuse("its own change leaves another table than the copy is");
        }
        if self.same_definition(made, now).await? {
            // Nothing but a rebuild.
            plan.legs.clear();
        }
        plan.session = Some(alter.session.clone());
        Ok(Ok(plan))
    }

    /// Plans the tool's ALTER as if the source had logged it for the table, at the swap.
    async fn plan_alter_of(
        &self,
        request: &Request<'_>,
        swap: &Swap,
        alter: &Alter,
    ) -> Result<Plan, Fault> {
        let there = self.statement_of(alter);
        let rename = |name: &TableName| {
            if *name == swap.shadow {
                swap.base.clone()
            } else {
                name.clone()
            }
        };
        let ddl = Ddl {
            kind: DdlKind::AlterTable,
            statement: rewrite_names(&alter.statement, &there, &rename)?,
            default_database: alter.default_database.clone(),
            tables: vec![swap.base.clone()],
            session: alter.session.clone(),
            ..request.ddl.clone()
        };
        let context = self.context_of(&ddl.default_database, &ddl.session);
        // The source logged another statement here, which a second try would meet.
        let before = None;
        let inner = self.request_of(&ddl, context, before, request).await?;
        self.plan_alter(&inner).await
    }

    /// Why rows copied into the changed copy may not be those of the changed table.
    async fn rows_differ(
        &self,
        made: &Table,
        now: &Table,
        alter: &Alter,
    ) -> Result<Option<String>, Fault> {
        let kept: Vec<&str> = made
            .columns
            .iter()
            .filter(|column| column_of(now, &column.name).is_some())
            .map(|column| column.name.as_str())
            .collect();
        let statement = self.statement_of(alter);
        if let Some(reason) = moves_values(&alter.statement, &statement, &kept) {
            return Ok(Some(reason.to_owned()));
        }
        let context = Context::new(&made.name.database, self.dialect().await?);
        let (before, after) = (definition(made, &context)?, definition(now, &context)?);
        if let Some(reason) = copies_otherwise(&before, &after, &context) {
            return Ok(Some(reason.to_owned()));
        }
        Ok(now.columns.iter().find_map(|column| {
            let before = column_of(made, &column.name)?;
            converted(before, column)
        }))
    }

    fn statement_of(&self, alter: &Alter) -> Statement {
        let context = self.context_of(&alter.default_database, &alter.session);
        classify(&alter.statement, &context)
    }

    pub(super) fn context_of<'t>(&self, database: &'t str, session: &DdlSession) -> Context<'t> {
        Context::new(database, self.source_dialect()).sql_mode(session.sql_mode.unwrap_or(0))
    }

    /// The inner error is the target's refusal in words.
    async fn tried(&self, run: &DryRun<'_>) -> Result<Result<Table, String>, Fault> {
        match self.dry_run(run).await {
            Ok(table) => Ok(Ok(table)),
            Err(ShadowFault::Refused(fault)) => Ok(Err(fault.message)),
            Err(ShadowFault::Failed(fault)) => Err(fault),
        }
    }

    /// By meaning: a server prints a character set or not, depending on how a column got it.
    async fn same_definition(&self, one: &Table, other: &Table) -> Result<bool, Fault> {
        let dialect = self.dialect().await?;
        let (one, other) = (one.at_source(), other.at_source());
        let texts = (one.definition.as_str(), other.definition.as_str());
        let differences = rules::diff(
            texts.0,
            texts.1,
            &one.name,
            rules::Flavours::new(dialect, dialect),
        )
        .map_err(|refusal| Fault::from(refusal).table(&one.name))?;
        let same_columns = one.source_columns() == other.source_columns();
        Ok(differences.is_empty() && same_columns && one.keys == other.keys)
    }
}

impl State {
    fn put_online(&self, shadow: &TableName, content: &str) -> String {
        format!(
            "INSERT INTO {} (task, database_name, table_name, content) VALUES ({}, {content}) \
             ON DUPLICATE KEY UPDATE content={content}",
            self.table("online_change"),
            self.triple(shadow),
            content = text(content)
        )
    }

    fn forget_online(&self, shadow: &TableName) -> String {
        let table = self.table("online_change");
        format!("DELETE FROM {table} WHERE {}", self.mine_and(shadow))
    }

    fn select_online(&self, shadow: &TableName) -> String {
        let table = self.table("online_change");
        format!(
            "SELECT content FROM {table} WHERE {}",
            self.mine_and(shadow)
        )
    }

    fn select_onlines(&self) -> String {
        let table = self.table("online_change");
        format!(
            "SELECT content, database_name, table_name FROM {table} WHERE {}",
            self.mine()
        )
    }
}

fn shadowed(request: &Request<'_>, name: &TableName) -> Option<TableName> {
    let selected = request.selection.includes_database(&name.database);
    request.selection.online.shadowed(name).filter(|_| selected)
}

/// The table goes out of the selection and its copy comes in, in one statement.
fn swap_of(request: &Request<'_>) -> Option<Swap> {
    let renames = request.statement.renames();
    let [(base, aside), (shadow, place)] = renames.as_slice() else {
        return None;
    };
    let fits = base == place
        && shadowed(request, shadow).as_ref() == Some(base)
        && request.is_selected(base)
        && !request.is_selected(aside);
    fits.then(|| Swap {
        base: base.clone(),
        shadow: shadow.clone(),
    })
}

fn column_of<'t>(table: &'t Table, name: &str) -> Option<&'t Column> {
    table
        .columns
        .iter()
        .find(|column| column.name.eq_ignore_ascii_case(name))
}

/// Why values of a column may have been converted on their way into the copy.
fn converted(before: &Column, after: &Column) -> Option<String> {
    let longer_list = match (&before.kind, &after.kind) {
        (ColumnKind::Enum { labels }, ColumnKind::Enum { labels: more }) => {
            more.starts_with(labels)
        }
        _ => false,
    };
    let mut like = after.clone();
    if longer_list {
        like.kind.clone_from(&before.kind);
    }
    if before.auto_increment != after.auto_increment {
        return Some(format!(
            "column `{}` begins or ends to number the rows",
            after.name
        ));
    }
    column_problem(before, &like, true).map(|problem| format!("column `{}` {problem}", after.name))
}

fn definition(table: &Table, context: &Context<'_>) -> Result<Definition, Fault> {
    Definition::parse(&table.definition, context)
        .map_err(|error| Fault::from(error).table(&table.name))
}

fn as_stored(table: &Table, request: &Request<'_>) -> StoredTable {
    StoredTable {
        state: TableState {
            table: table.clone(),
            start: request.ddl.begin.clone(),
            stage: TableStage::Complete,
            stopped: None,
            lane: None,
        },
        dialect: Dialect::Target,
        made: false,
    }
}

fn parse(content: &str) -> Result<OnlineChange, Fault> {
    serde_json::from_str(content)
        .map_err(|error| fault::unreadable_state("an online change").cause(error))
}
