//! Databases, tables, indexes and foreign keys of the schema and load phases.
//!
//! Owns how a stored definition becomes the target's, through the flavour rules, and that every
//! step may be repeated. The source's own DDL goes through `definition_change`.

use super::Inner;
use super::fault;
use super::road::Road;
use super::store::Dialect;
use crate::catalog::{definition_of, read_databases};
use crate::ddl::definition::{Definition, KeyKind, Keys, RenderOptions};
use crate::ddl::{Context, rules};
use crate::session::{Session, SessionError, SessionKind};
use wherry_engine::ports::{DatabaseDefinition, SchemaDifference};
use wherry_model::name::quote;
use wherry_model::{Fault, Table, TableName};

impl Inner {
    /// Makes the database with its character set; one that exists is taken as it is.
    pub(super) async fn create_database(&self, database: &DatabaseDefinition) -> Result<(), Fault> {
        let mut session = self.own_session(SessionKind::Control).await?;
        let there = read_databases(&mut session, std::slice::from_ref(&database.name)).await?;
        session.close().await;
        if !there.is_empty() {
            return Ok(());
        }
        let mut road = self.open_road().await?;
        let sql = format!(
            "CREATE DATABASE IF NOT EXISTS {} DEFAULT CHARACTER SET {} COLLATE {}",
            quote(&database.name),
            quote(&database.charset),
            quote(&database.collation)
        );
        if let Err(error) = road.run("create a database", sql).await {
            if !fault::is_answered(&error) {
                return Err(error.into_fault());
            }
            return Err(Fault::operator(
                "TGT-030",
                format!(
                    "could not create database `{}`: {}",
                    database.name,
                    fault::redacted(&error)
                ),
            )
            .hint("Create the database in the target by hand, or grant CREATE on it."));
        }
        road.close().await
    }

    /// Makes the table anew, empty.
    pub(super) async fn create_table(&self, table: &Table, defer: bool) -> Result<(), Fault> {
        if table.adopted.is_some() {
            return Ok(());
        }
        let name = &table.name;
        let definition = self.definition_for_target(table).await?;
        let Some(stored) = self.stored_table(name).await? else {
            return Err(fault::state_moved("the table is not planned").table(name));
        };
        let mut road = self.open_road().await?;
        if !stored.made {
            if holds_rows(road.session(), name).await? {
                return Err(not_empty(name));
            }
            // Written before the table is touched, so that a restart knows whose it is.
            self.write_state(&[self.state.set_made(name, true)]).await?;
        }
        prepare_for_definitions(&mut road, name).await?;
        road.change(name, format!("DROP TABLE IF EXISTS {name}"))
            .await?;
        let sql = definition.render(&RenderOptions {
            name,
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

    /// Forgets a table and drops it where this task made it.
    pub(super) async fn drop_table(&self, table: &TableName) -> Result<(), Fault> {
        let Some(stored) = self.stored_table(table).await? else {
            return Ok(());
        };
        if stored.made {
            let mut road = self.open_road().await?;
            road.change(table, format!("DROP TABLE IF EXISTS {table}"))
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
        let name = &table.name;
        let wanted = self.definition_for_target(table).await?;
        let mut road = self.open_road().await?;
        let present = self.definition_in_target(name).await?;
        let clauses: Vec<String> = wanted
            .keys
            .iter()
            .filter(|key| key.kind != KeyKind::Primary)
            .filter(|key| !present.keys.iter().any(|there| there.name == key.name))
            .map(|key| format!("ADD {}", key.text))
            .collect();
        if !clauses.is_empty() {
            prepare_for_definitions(&mut road, name).await?;
            road.change(name, format!("ALTER TABLE {name} {}", clauses.join(", ")))
                .await?;
        }
        road.close().await
    }

    /// Adds every foreign key that the target does not have yet. Checks are off while it is added,
    /// because the anti-join has proved it and a check would copy the table.
    pub(super) async fn add_foreign_keys(&self, table: &Table) -> Result<(), Fault> {
        if table.adopted.is_some() {
            return Ok(());
        }
        let name = &table.name;
        let wanted = self.definition_for_target(table).await?;
        if wanted.foreign_keys.is_empty() {
            return Ok(());
        }
        let mut road = self.open_road().await?;
        let present = self.definition_in_target(name).await?;
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
                .query(key.orphan_count_sql(name))
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
        if let Some(sql) = missing.foreign_keys_alter(name) {
            prepare_for_definitions(&mut road, name).await?;
            road.change(name, sql).await?;
        }
        road.close().await
    }

    /// Compares definitions of the source with those in the target.
    pub(super) async fn schema_diff(
        &self,
        tables: &[Table],
    ) -> Result<Vec<SchemaDifference>, Fault> {
        let mut session = self.own_session(SessionKind::Control).await?;
        let to = self.dialect().await?;
        let mut found = Vec::new();
        for table in tables {
            let name = &table.name;
            let Some(text) = neutral_definition(&mut session, name).await? else {
                found.push(SchemaDifference {
                    table: name.clone(),
                    description: "table is missing in the target".to_owned(),
                    rule: None,
                });
                continue;
            };
            let differences =
                rules::diff(&table.definition, &text, name, self.source_dialect(), to)
                    .map_err(|refusal| Fault::from(refusal).table(name))?;
            found.extend(differences.into_iter().map(|difference| {
                SchemaDifference {
                    table: name.clone(),
                    description: difference.description,
                    rule: table
                        .adopted
                        .as_ref()
                        .map_or(difference.rule, |_| Some("keep")),
                }
            }));
        }
        session.close().await;
        Ok(found)
    }

    /// Raises the counter; never lowers it.
    pub(super) async fn raise_auto_increment(
        &self,
        table: &TableName,
        next: u64,
    ) -> Result<(), Fault> {
        let mut road = self.open_road().await?;
        let present = self.definition_in_target(table).await?;
        let has_counter = present.columns.iter().any(|column| column.auto_increment);
        if has_counter && present.auto_increment().unwrap_or(1) < next {
            road.change(table, format!("ALTER TABLE {table} AUTO_INCREMENT={next}"))
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
        self.translate(&table.definition, name, dialect).await
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
            Dialect::Source => {
                rules::apply(text, name, self.source_dialect(), to)
                    .map_err(|refusal| Fault::from(refusal).table(name))?
                    .0
            }
        };
        let definition = Definition::parse(&text, &Context::new(&name.database, to))
            .map_err(|error| Fault::from(error).table(name))?;
        // Qualified, because the table may be made in another database for a dry run.
        Ok(definition.map_references(&TableName::clone))
    }

    /// The definition that the target has now.
    pub(super) async fn definition_in_target(&self, name: &TableName) -> Result<Definition, Fault> {
        let mut session = self.own_session(SessionKind::Control).await?;
        let text = neutral_definition(&mut session, name).await?;
        session.close().await;
        let Some(text) = text else {
            return Err(Fault::operator(
                "TGT-033",
                format!("table {name} is gone from the target"),
            )
            .hint("Start the table again; Wherry makes it anew.")
            .table(name));
        };
        let to = self.dialect().await?;
        Definition::parse(&text, &Context::new(&name.database, to))
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
