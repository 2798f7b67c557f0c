//! Databases, tables, indexes and foreign keys of the schema and load phases.
//!
//! Owns how a stored definition becomes the target's, through the flavour rules, and that every
//! step may be repeated. The source's own DDL goes through `definition_change`.

use super::Inner;
use super::fault;
use super::road::Road;
use super::state::View;
use super::store::Dialect;
use crate::catalog::{definition_of, read_databases};
use crate::ddl::definition::{Definition, KeyKind, Keys, RenderOptions};
use crate::ddl::rules::{self, AppliedRule};
use crate::ddl::{Context, Dialect as TextDialect};
use crate::session::{Session, SessionError, SessionKind};
use wherry_engine::ports::DatabaseDefinition;
use wherry_engine::state::{TableStage, TableState};
use wherry_model::name::quote;
use wherry_model::{Fault, Table, TableName};

#[derive(Debug, Default)]
struct MergedWith {
    /// One of them was made by this task.
    made: bool,
    /// One of them is there, as the source defines it now.
    begun: bool,
}

impl Inner {
    /// Makes the database with its character set, and every other one that its tables go to. One
    /// that exists gets the character set too: later tables that name none take it.
    pub(super) async fn create_database(&self, database: &DatabaseDefinition) -> Result<(), Fault> {
        let (wanted, applied) =
            rules::database(database, self.flavours().await?).map_err(Fault::from)?;
        let name = TableName::new(database.name.as_str(), "");
        let mut statements = self.state.put_rules(&name, &applied);
        for name in self.names.map().await?.databases_of(&database.name) {
            if self.create_database_as(&name, &wanted, true).await? {
                statements.push(self.state.set_altered(&database.name));
            }
        }
        statements.push(self.state.clear_gone(&database.name));
        self.write_state(&statements).await.map(drop)
    }

    /// Makes what is missing of it, and leaves the defaults of what is there.
    pub(super) async fn ensure_database(&self, database: &DatabaseDefinition) -> Result<(), Fault> {
        let (wanted, _) = rules::database(database, self.flavours().await?).map_err(Fault::from)?;
        for name in self.names.map().await?.databases_of(&database.name) {
            self.create_database_as(&name, &wanted, false).await?;
        }
        Ok(())
    }

    /// True where it was there with other defaults.
    async fn create_database_as(
        &self,
        name: &str,
        wanted: &DatabaseDefinition,
        alters: bool,
    ) -> Result<bool, Fault> {
        let mut session = self.own_session(SessionKind::Control).await?;
        let there = read_databases(&mut session, &[name.to_owned()]).await?;
        session.close().await;
        let verb = match there.first() {
            Some(there) if !alters || same_defaults(there, wanted) => return Ok(false),
            Some(_) => "ALTER DATABASE",
            None => "CREATE DATABASE IF NOT EXISTS",
        };
        let mut road = self.open_road().await?;
        let sql = format!(
            "{verb} {} DEFAULT CHARACTER SET {} COLLATE {}",
            quote(name),
            quote(&wanted.charset),
            quote(&wanted.collation)
        );
        if let Err(error) = road.run("create a database", sql).await {
            if !fault::is_answered(&error) {
                return Err(error.into_fault());
            }
            return Err(Fault::operator(
                "TGT-030",
                format!(
                    "could not create database `{name}`: {}",
                    fault::redacted(&error)
                ),
            )
            .hint("Create the database in the target by hand, or grant CREATE and ALTER on it."));
        }
        road.close().await?;
        Ok(!there.is_empty())
    }

    /// Makes the table anew, empty.
    pub(super) async fn create_table(&self, table: &Table, defer: bool) -> Result<(), Fault> {
        if table.adopted.is_some() {
            return Ok(());
        }
        let (name, there) = (&table.name, table.target_name());
        let definition = self.definition_for_target(table).await?;
        let Some(stored) = self.stored_table(name).await? else {
            return Err(fault::state_moved("the table is not planned").table(name));
        };
        let mut statements = Vec::new();
        if stored.dialect == Dialect::Source {
            let (_, applied) = self.carry(&table.definition, name).await?;
            statements = self.state.put_rules(name, &applied);
        }
        let merged = self.merged_with(table).await?;
        if merged.begun {
            // It is there and another one's rows may be in it; the whole family is emptied before
            // its load.
            statements.push(self.state.set_made(name, true));
            return self.write_state(&statements).await.map(drop);
        }
        let mut road = self.open_road().await?;
        if !stored.made && !merged.made {
            if holds_rows(road.session(), there).await? {
                return Err(not_empty(name));
            }
            self.check_alone(table).await?;
        }
        if !stored.made {
            // Written before the table is touched, so that a restart knows whose it is.
            statements.push(self.state.set_made(name, true));
        }
        if !statements.is_empty() {
            self.write_state(&statements).await?;
        }
        prepare_for_definitions(&mut road, there).await?;
        road.change(name, format!("DROP TABLE IF EXISTS {there}"))
            .await?;
        let sql = definition.render(&RenderOptions {
            name: there,
            keys: if defer {
                Keys::WithoutDeferrable
            } else {
                Keys::All
            },
            foreign_keys: false,
            auto_increment: true,
        });
        road.change(name, sql).await?;
        road.close().await
    }

    /// What the task has made of the other tables that become one with this one.
    async fn merged_with(&self, table: &Table) -> Result<MergedWith, Fault> {
        let mut found = MergedWith::default();
        if !table.is_merged() {
            return Ok(found);
        }
        let tables = self.every_table().await?;
        let family = table.family();
        let is_other =
            |state: &&TableState| state.table.family() == family && state.table.name != table.name;
        for state in tables.iter().filter(is_other) {
            found.begun |= state.stopped.is_none() && state.stage > TableStage::Planned;
            if !found.made {
                let stored = self.stored_table(&state.table.name).await?;
                found.made = stored.is_some_and(|stored| stored.made);
            }
        }
        Ok(found)
    }

    /// Another table of the task may have got this name of the target, since patterns and letters
    /// give names to what comes later too.
    async fn check_alone(&self, table: &Table) -> Result<(), Fault> {
        let there = table.target_name();
        if self.names.map().await?.is_identity() || self.fingerprint(there).await? == "absent" {
            return Ok(());
        }
        // Those of the lane and those of the stream: either may have the name.
        let tables = self.every_table().await?;
        let others = tables.iter().map(|state| &state.table);
        let mut others = others.filter(|other| other.name != table.name);
        let is_alien = |other: &&Table| !(table.is_merged() && other.is_merged());
        match others.find(|other| other.target_name() == there && is_alien(other)) {
            None => Ok(()),
            Some(other) => Err(Fault::operator(
                "SEL-014",
                format!("table {} would be {there} in the target, as {} is already", table.name, other.name),
            )
            .table(&table.name)
            .hint("Change select.mapping in a new task so that no two tables get one name, or leave one of them out with select.exclude.")),
        }
    }

    /// Forgets a table and drops it where this task made it. The lane leaves that to the stream,
    /// which meets the statement that took the table away.
    pub(super) async fn drop_table(&self, table: &TableName) -> Result<(), Fault> {
        if self.state.view() == View::Lane {
            return self.set_aside(table).await;
        }
        let Some(stored) = self.stored_table(table).await? else {
            return Ok(());
        };
        // What several tables become stays, with the rows of the others.
        if stored.made && !stored.state.table.is_merged() {
            let there = stored.state.table.target_name();
            let mut road = self.open_road().await?;
            road.change(table, format!("DROP TABLE IF EXISTS {there}"))
                .await?;
            road.close().await?;
        }
        self.write_state(&self.state.forget_table(table))
            .await
            .map(drop)
    }

    /// Adds every key of the definition that the target does not have yet, by one ALTER.
    pub(super) async fn add_indexes(&self, table: &Table) -> Result<(), Fault> {
        if table.adopted.is_some() {
            return Ok(());
        }
        let (name, there) = (&table.name, table.target_name());
        let wanted = self.definition_for_target(table).await?;
        let mut road = self.open_road().await?;
        let present = self.definition_in_target(name, there).await?;
        let clauses: Vec<String> = wanted
            .keys
            .iter()
            .filter(|key| key.kind != KeyKind::Primary)
            .filter(|key| !present.keys.iter().any(|there| there.name == key.name))
            .map(|key| format!("ADD {}", key.text))
            .collect();
        if !clauses.is_empty() {
            prepare_for_definitions(&mut road, there).await?;
            road.change(name, format!("ALTER TABLE {there} {}", clauses.join(", ")))
                .await?;
        }
        road.close().await
    }

    /// Adds every foreign key that the target does not have yet. Checks are off while it is added,
    /// because the anti-join has proved it and a check would copy the table.
    pub(super) async fn add_foreign_keys(&self, table: &Table) -> Result<(), Fault> {
        if table.is_kept() {
            return Ok(());
        }
        let (name, there) = (&table.name, table.target_name());
        let wanted = self.definition_for_target(table).await?;
        if wanted.foreign_keys.is_empty() {
            return Ok(());
        }
        let mut road = self.open_road().await?;
        let present = self.definition_in_target(name, there).await?;
        let mut missing = wanted;
        missing.foreign_keys.retain(|key| {
            !present
                .foreign_keys
                .iter()
                .any(|there| there.name == key.name)
        });
        for key in &missing.foreign_keys {
            road.session()
                .set_label(format!("prove foreign keys of {name}"));
            let rows = road
                .session()
                .query(key.orphan_count_sql(there))
                .await
                .map_err(|error| fault::ddl_fault(error, name))?;
            let count = rows.text(0, 0).unwrap_or("0").to_owned();
            if count != "0" {
                return Err(Fault::operator(
                    "TGT-031",
                    format!(
                        "{count} rows of table {name} have no row in {} for foreign key `{}`",
                        key.references, key.name
                    ),
                )
                .hint("Mend these rows at the source, or drop the foreign key there; then resume.")
                .table(name));
            }
        }
        if let Some(sql) = missing.foreign_keys_alter(there) {
            prepare_for_definitions(&mut road, there).await?;
            road.change(name, sql).await?;
        }
        road.close().await
    }

    /// Raises the counter; never lowers it.
    pub(super) async fn raise_auto_increment(
        &self,
        table: &TableName,
        next: u64,
    ) -> Result<(), Fault> {
        let there = self.target_name(table).await?;
        let mut road = self.open_road().await?;
        let present = self.definition_in_target(table, &there).await?;
        let has_counter = present.columns.iter().any(|column| column.auto_increment);
        if has_counter && present.auto_increment().unwrap_or(1) < next {
            road.change(table, format!("ALTER TABLE {there} AUTO_INCREMENT={next}"))
                .await?;
        }
        road.close().await
    }

    /// The definition of a table as the target is to have it.
    ///
    /// After a DDL the stored text comes from the target itself and needs no rules.
    pub(super) async fn definition_for_target(&self, table: &Table) -> Result<Definition, Fault> {
        let name = &table.name;
        let stored = self.stored_table(name).await?;
        let is_own = stored.is_some_and(|stored| {
            stored.dialect == Dialect::Target && stored.state.table.definition == table.definition
        });
        let dialect = if is_own {
            Dialect::Target
        } else {
            Dialect::Source
        };
        let definition = self.translate(&table.definition, name, dialect).await?;
        self.named(name, &definition).await
    }

    /// A definition in the target's SQL, under the names that the target has for it.
    pub(super) async fn named(
        &self,
        table: &TableName,
        definition: &Definition,
    ) -> Result<Definition, Fault> {
        let names = self.names.map().await?;
        let context = Context::new(&table.database, self.dialect().await?);
        definition
            .map_names(table, &names, &context)
            .map_err(|refusal| Fault::from(refusal).table(table))
    }

    /// The text of a table's definition in this dialect, under the names of the target and without
    /// added columns, which no rule is about.
    pub(super) async fn text_for_target(
        &self,
        table: &Table,
        dialect: TextDialect,
    ) -> Result<String, Fault> {
        let names = self.names.map().await?;
        if names.is_identity() {
            return Ok(table.definition.clone());
        }
        let context = Context::new(&table.name.database, dialect);
        let definition = Definition::parse(&table.definition, &context)
            .map_err(|error| Fault::from(error).table(&table.name))?;
        let named = definition
            .map_names(&table.name, &names, &context)
            .map_err(|refusal| Fault::from(refusal).table(&table.name))?
            .without_added(table.added());
        Ok(named.render(&RenderOptions {
            name: table.target_name(),
            keys: Keys::All,
            foreign_keys: true,
            auto_increment: true,
        }))
    }

    pub(super) async fn translate(
        &self,
        text: &str,
        name: &TableName,
        dialect: Dialect,
    ) -> Result<Definition, Fault> {
        let to = self.dialect().await?;
        let text = match dialect {
            Dialect::Target => text.to_owned(),
            Dialect::Source => self.carry(text, name).await?.0,
        };
        let definition = Definition::parse(&text, &Context::new(&name.database, to))
            .map_err(|error| Fault::from(error).table(name))?;
        // Qualified, because the table may be made in another database for a dry run.
        Ok(definition.renamed(name).map_references(&TableName::clone))
    }

    /// A definition of the source as the target is to have it, with what was changed.
    async fn carry(
        &self,
        text: &str,
        name: &TableName,
    ) -> Result<(String, Vec<AppliedRule>), Fault> {
        rules::apply(text, name, self.flavours_of(name).await?)
            .map_err(|refusal| Fault::from(refusal).table(name))
    }

    /// The definition that the target has now for table `name` of the source, under its own names.
    pub(super) async fn definition_in_target(
        &self,
        name: &TableName,
        there: &TableName,
    ) -> Result<Definition, Fault> {
        let mut session = self.own_session(SessionKind::Control).await?;
        let text = neutral_definition(&mut session, there).await?;
        session.close().await;
        let Some(text) = text else {
            return Err(Fault::operator(
                "TGT-033",
                format!("table {there} is gone from the target"),
            )
            .hint("Start the table again; Wherry makes it anew.")
            .table(name));
        };
        let to = self.dialect().await?;
        Definition::parse(&text, &Context::new(&there.database, to))
            .map_err(|error| Fault::from(error).table(name))
    }
}

/// `SHOW CREATE TABLE` in the plain dialect, `None` without the table. The session's `sql_mode`
/// stays changed.
pub(super) async fn neutral_definition(
    session: &mut Session,
    name: &TableName,
) -> Result<Option<String>, Fault> {
    session
        .execute("SET SESSION sql_mode='', SESSION sql_quote_show_create=1")
        .await
        .map_err(SessionError::into_fault)?;
    // A database that is not there has no table either.
    match session
        .query(format!("SHOW COLUMNS FROM {name} LIKE ''"))
        .await
    {
        Ok(_) => definition_of(session, name).await,
        Err(error) if is_missing(&error) => Ok(None),
        Err(error) => Err(error.into_fault().table(name)),
    }
}

/// True where both give the same character set and collation to a table that names none.
pub(super) fn same_defaults(one: &DatabaseDefinition, other: &DatabaseDefinition) -> bool {
    let collation = |database: &DatabaseDefinition| {
        let lower = database.collation.to_ascii_lowercase();
        match lower.strip_prefix("utf8_") {
            Some(rest) => format!("utf8mb3_{rest}"),
            None => lower,
        }
    };
    collation(one) == collation(other)
}

/// False also where the table does not exist.
pub(super) async fn holds_rows(session: &mut Session, name: &TableName) -> Result<bool, Fault> {
    match session.query(format!("SELECT 1 FROM {name} LIMIT 1")).await {
        Ok(rows) => Ok(!rows.is_empty()),
        Err(error) if is_missing(&error) => Ok(false),
        Err(error) => Err(error.into_fault()),
    }
}

fn is_missing(error: &SessionError) -> bool {
    matches!(
        error.server_code(),
        Some(fault::UNKNOWN_DATABASE | fault::UNKNOWN_TABLE)
    )
}

pub(super) fn not_empty(name: &TableName) -> Fault {
    Fault::operator(
        "TGT-032",
        format!("target table {name} holds rows that this task did not write"),
    )
    .hint("Empty or drop the table in the target, then run again.")
    .table(name)
}

/// Sets what decides the meaning of a definition. Settings that a server or account does not have are left.
async fn prepare_for_definitions(road: &mut Road<'_>, name: &TableName) -> Result<(), Fault> {
    let session = road.session();
    session
        .execute(format!("USE {}", quote(&name.database)))
        .await
        .map_err(SessionError::into_fault)?;
    settle_for_definitions(session).await
}

/// Settings under which a target makes a table as the source has it. An older target does not
/// know them and does not need them.
pub(super) async fn settle_for_definitions(session: &mut Session) -> Result<(), Fault> {
    for setting in [
        // A hidden key of the target's own making would be a column that the source lacks.
        "sql_generate_invisible_primary_key=OFF",
        // A source before 8.4 may have foreign keys on keys that are not unique.
        "restrict_fk_on_non_standard_key=OFF",
    ] {
        match session.execute(format!("SET SESSION {setting}")).await {
            Ok(_) => {}
            Err(error) if fault::is_answered(&error) => {}
            Err(error) => return Err(error.into_fault()),
        }
    }
    Ok(())
}
