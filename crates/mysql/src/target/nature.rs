//! What a definition change must leave as it is: the engine, and the family of a table.
//!
//! Both were decided at the table's start, by the source. A change that would decide them anew
//! stops the table, because what follows would have to be applied in another way.

use super::Inner;
use super::ddl_plan::cannot_carry;
use super::definition_change::Request;
use super::store::{Dialect, StoredTable};
use crate::catalog::cascade_of;
use crate::ddl::definition::{Definition, ForeignKey};
use crate::ddl::{Context, names_engine};
use crate::script::writes_one;
use crate::shape::{lacks_rows, leaves_rows_out};
use wherry_model::{Exactness, Fault, Table, TableName};

/// The inner error says why the table must stop.
type Kept = Result<Result<Table, Fault>, Fault>;

/// What of a foreign key decides about rows.
type Tie = (Vec<String>, TableName, Vec<String>, Option<String>);

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
