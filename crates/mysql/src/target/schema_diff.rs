//! How the definitions in the target differ from those of the source, and which rule explains it.
//!
//! Owns the comparison of databases, tables and what only the target has. Changes nothing. Read on in
//! `ddl::rules` for what two definitions mean.

use super::Inner;
use super::choice::CHOSEN;
use super::left_out::LEFT_OUT;
use super::schema::{neutral_definition, same_defaults};
use super::store::{Dialect, StoredTable};
use crate::catalog::{names_in, read_databases, required};
use crate::ddl::Context;
use crate::ddl::definition::{Definition, Keys, RenderOptions};
use crate::ddl::rules::{self, Flavours};
use crate::session::{Session, SessionError, SessionKind};
use std::collections::HashSet;
use wherry_engine::ports::{DatabaseDefinition, SchemaDifference};
use wherry_model::{Fault, OwnRows, RuleChange, Table, TableName};

/// Rule of what `wherry skip` and `wherry replace` have left otherwise than the source has it.
const CHOICE: &str = "choice";

/// Rule of what the key `operations` has left out.
const OPERATIONS: &str = "operations";

/// Rule of databases that a task without a schema has found in the target.
const GIVEN: &str = "phases";

impl Inner {
    /// Compares definitions of the source with those in the target.
    pub(super) async fn schema_diff(
        &self,
        databases: &[DatabaseDefinition],
        tables: &[Table],
    ) -> Result<Vec<SchemaDifference>, Fault> {
        let mut session = self.own_session(SessionKind::Control).await?;
        let mut found = self.database_differences(&mut session, databases).await?;
        let losses = self.losses().await?;
        let with = |code: &str| -> HashSet<TableName> {
            let losses = losses.iter().filter(|loss| loss.code == code);
            losses.map(|loss| loss.table.clone()).collect()
        };
        let (left_out, chosen) = (with(LEFT_OUT), with(CHOSEN));
        for difference in &mut found {
            if difference.rule.is_none() && left_out.contains(&difference.table) {
                difference.rule = Some(OPERATIONS);
            }
        }
        for table in tables {
            let is_left_out = left_out.contains(&table.name);
            let mut differences = self
                .table_differences(&mut session, table, is_left_out)
                .await?;
            if chosen.contains(&table.name) {
                for difference in &mut differences {
                    difference.rule.get_or_insert(CHOICE);
                }
            }
            found.extend(differences);
        }
        found.extend(self.strangers(&mut session, databases, tables).await?);
        session.close().await;
        Ok(found)
    }

    async fn table_differences(
        &self,
        session: &mut Session,
        table: &Table,
        left_out: bool,
    ) -> Result<Vec<SchemaDifference>, Fault> {
        let name = &table.name;
        let difference = |description: String, foreign_key, rule| SchemaDifference {
            table: name.clone(),
            foreign_key,
            description,
            rule,
        };
        let there = table.target_name();
        let Some(text) = neutral_definition(session, there).await? else {
            let missing = "table is missing in the target".to_owned();
            return Ok(vec![difference(missing, false, None)]);
        };
        let mut flavours = self.flavours_of(name).await?;
        let stored = self.stored_table(name).await?;
        if stored.as_ref().is_some_and(|stored| {
            stored.dialect == Dialect::Target && stored.state.table.definition == table.definition
        }) {
            // After a DDL the stored text is the target's own.
            flavours = Flavours::new(flavours.to, flavours.to);
        }
        let wanted = self.text_for_target(table, flavours.from).await?;
        let (text, of_added) = self.added_differences(table, text).await?;
        let mut differences = rules::diff(&wanted, &text, there, flavours)
            .map_err(|refusal| Fault::from(refusal).table(name))?;
        differences.extend(of_added);
        let mut keep = table.own_rows().map(|rows| match rows {
            OwnRows::Kept => "keep",
            OwnRows::Replaced => "replace",
            OwnRows::Same => GIVEN,
        });
        if table.apart().is_some_and(|apart| apart.definition) {
            keep = Some(OPERATIONS);
        } else if left_out && let Some(stored) = &stored {
            // Every statement that was carried has left what is stored: what else differs is what
            // was left out.
            keep = keep.or(self
                .is_as_stored(stored, &text)
                .await?
                .then_some(OPERATIONS));
        }
        Ok(differences
            .into_iter()
            .map(|found| difference(found.description, found.foreign_key, keep.or(found.rule)))
            .collect())
    }

    /// What the target has without its added columns, and where these are not as the task file says.
    async fn added_differences(
        &self,
        table: &Table,
        text: String,
    ) -> Result<(String, Vec<rules::Difference>), Fault> {
        let added = table.added();
        if added.is_empty() {
            return Ok((text, Vec::new()));
        }
        let (to, there) = (self.dialect().await?, table.target_name());
        let found = Definition::parse(&text, &Context::new(&there.database, to))
            .map_err(|error| Fault::from(error).table(&table.name))?;
        let shown = |definition: Definition| {
            definition.render(&RenderOptions {
                name: there,
                keys: Keys::All,
                foreign_keys: true,
                auto_increment: true,
            })
        };
        let wanted = shown(found.clone().with_added(added));
        let is = shown(found.clone().with_added_last(added));
        let mut differences = rules::diff(&wanted, &is, there, Flavours::new(to, to))
            .map_err(|refusal| Fault::from(refusal).table(&table.name))?;
        for difference in &mut differences {
            let said = &difference.description;
            difference.description = said.replace(" in the source", " in the task file");
        }
        Ok((shown(found.without_added(added)), differences))
    }

    /// True where the target's definition is the one that the task believes in.
    async fn is_as_stored(&self, stored: &StoredTable, text: &str) -> Result<bool, Fault> {
        let to = self.dialect().await?;
        let from = match stored.dialect {
            Dialect::Source => self.source_dialect(),
            Dialect::Target => to,
        };
        let table = &stored.state.table;
        let wanted = self.text_for_target(table, from).await?;
        let engine = self.select.engine_by(&table.name).0;
        let flavours = Flavours::new(from, to).engine(engine);
        let differences = rules::diff(&wanted, text, table.target_name(), flavours)
            .map_err(|refusal| Fault::from(refusal).table(&table.name))?;
        Ok(differences.iter().all(|found| found.rule.is_some()))
    }

    async fn database_differences(
        &self,
        session: &mut Session,
        databases: &[DatabaseDefinition],
    ) -> Result<Vec<SchemaDifference>, Fault> {
        let names: Vec<String> = databases.iter().map(|one| one.name.clone()).collect();
        let map = self.names.map().await?;
        let in_target: Vec<String> = names.iter().flat_map(|one| map.databases_of(one)).collect();
        let there = read_databases(session, &in_target).await?;
        let flavours = self.flavours().await?;
        let mut found = Vec::new();
        for database in databases {
            let mut add = |description: String, rule| {
                found.push(SchemaDifference {
                    table: TableName::new(database.name.as_str(), ""),
                    foreign_key: false,
                    description,
                    rule,
                });
            };
            let (wanted, applied) = rules::database(database, flavours).map_err(Fault::from)?;
            for applied in applied.iter().filter(|one| rules::is_lossy(one.rule)) {
                add(applied.description(), Some(applied.rule));
            }
            for name in map.databases_of(&database.name) {
                match there.iter().find(|one| one.name == name) {
                    None => add("is missing in the target".to_owned(), None),
                    Some(there) if !same_defaults(there, &wanted) => add(
                        format!(
                            "has the collation {} in the target, not {}",
                            there.collation, wanted.collation
                        ),
                        self.select.phases.uses_given_tables().then_some(GIVEN),
                    ),
                    Some(_) => {}
                }
            }
        }
        Ok(found)
    }

    /// Tables of the selected databases that this task does not follow: for information.
    async fn strangers(
        &self,
        session: &mut Session,
        databases: &[DatabaseDefinition],
        tables: &[Table],
    ) -> Result<Vec<SchemaDifference>, Fault> {
        if databases.is_empty() {
            return Ok(Vec::new());
        }
        let stored = self.stored().await?;
        let known: HashSet<&TableName> = stored
            .iter()
            .flat_map(|task| task.tables.iter().map(|state| state.table.target_name()))
            .chain(tables.iter().map(Table::target_name))
            .collect();
        let map = self.names.map().await?;
        let names: Vec<String> = databases
            .iter()
            .flat_map(|one| map.databases_of(&one.name))
            .collect();
        let mut sql = b"SELECT TABLE_SCHEMA, TABLE_NAME FROM information_schema.TABLES \
            WHERE TABLE_TYPE='BASE TABLE' AND "
            .to_vec();
        sql.extend(names_in("TABLE_SCHEMA", &names));
        sql.extend_from_slice(b" ORDER BY TABLE_SCHEMA, TABLE_NAME");
        let rows = session.query(sql).await.map_err(SessionError::into_fault)?;
        let mut found = Vec::new();
        for row in 0..rows.rows.len() {
            let name = TableName::new(required(&rows, row, 0)?, required(&rows, row, 1)?);
            if !known.contains(&name) {
                found.push(SchemaDifference {
                    table: name,
                    foreign_key: false,
                    description: "is only in the target; this task does not follow it".to_owned(),
                    rule: Some("target-only"),
                });
            }
        }
        Ok(found)
    }

    /// What rules changed when this task made databases and tables.
    pub(super) async fn rule_changes(&self) -> Result<Vec<RuleChange>, Fault> {
        let Some(rows) = self.read_if_there(&self.state.select_rules()).await? else {
            return Ok(Vec::new());
        };
        (0..rows.rows.len())
            .map(|row| {
                let table = TableName::new(required(&rows, row, 0)?, required(&rows, row, 1)?);
                Ok(RuleChange {
                    object: object_text(&table, &required(&rows, row, 2)?),
                    rule: required(&rows, row, 3)?,
                    before: required(&rows, row, 4)?,
                    after: required(&rows, row, 5)?,
                })
            })
            .collect()
    }
}

/// A place in a table, or a database where the table's name is empty.
pub(super) fn object_text(table: &TableName, place: &str) -> String {
    let object = table.object();
    match place {
        "" => object,
        place => format!("{object} {place}"),
    }
}
