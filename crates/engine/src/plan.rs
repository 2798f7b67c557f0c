//! The plan of a task: which tables, with which start.
//!
//! A table's column list belongs to its start. The catalog is read after the start; a DDL found
//! between the two moves that table's start to the DDL's end (its exclusive metadata lock proves
//! that every earlier change is visible) and the catalog is read again, until no DDL lies
//! between a start and the read.

use crate::ports::{Catalog, Source};
use crate::state::{TableStage, TableState};
use std::collections::HashMap;
use wherry_model::task::SelectSpec;
use wherry_model::{Ddl, DdlKind, Fault, Position, Table, TableName};

/// Readings of the catalog before the plan gives up on a source that never rests.
const PLAN_ROUND_COUNT_MAX: usize = 100;

/// The catalog together with the positions it belongs to.
#[derive(Debug)]
pub struct Plan {
    pub start: Position,
    pub catalog: Catalog,
    /// Starts that a DDL moved; every other table starts at `start`.
    pub moved: StartMoves,
    /// The binlog up to here holds no DDL that the plan does not know.
    pub scanned_to: Position,
}

impl Plan {
    /// Errors: the first selected table that cannot be carried.
    pub fn whole(mut self) -> Result<Plan, Fault> {
        self.catalog = self.catalog.whole()?;
        Ok(self)
    }

    /// The state that each table begins with.
    pub fn states(&self) -> Vec<TableState> {
        let state = |table: &Table| TableState {
            table: table.clone(),
            start: self
                .moved
                .start_of(&table.name)
                .unwrap_or(&self.start)
                .clone(),
            stage: TableStage::Planned,
            stopped: None,
            lane: None,
        };
        self.catalog.tables.iter().map(state).collect()
    }
}

/// For each table and database the end of the last DDL that named it.
#[derive(Debug, Default)]
pub struct StartMoves {
    tables: HashMap<TableName, Position>,
    databases: HashMap<String, Position>,
    /// The defaults of a database changed, which touches no table's start.
    database_altered: bool,
}

impl StartMoves {
    pub fn record(&mut self, ddl: &Ddl) {
        for table in &ddl.tables {
            self.tables.insert(table.clone(), ddl.end.clone());
        }
        if matches!(ddl.kind, DdlKind::CreateDatabase | DdlKind::DropDatabase) {
            self.databases
                .insert(ddl.default_database.clone(), ddl.end.clone());
        }
        self.database_altered |= ddl.kind == DdlKind::AlterDatabase;
    }

    /// The later of the table's own and its database's last DDL.
    pub fn start_of(&self, table: &TableName) -> Option<&Position> {
        let own = self.tables.get(table);
        let database = self.databases.get(&table.database);
        match (own, database) {
            (Some(own), Some(database)) if !own.reaches(database) => Some(database),
            (None, database) => database,
            (own, _) => own,
        }
    }

    /// Databases that were made or dropped.
    pub fn databases(&self) -> impl Iterator<Item = &str> {
        self.databases.keys().map(String::as_str)
    }

    pub fn is_empty(&self) -> bool {
        self.tables.is_empty() && self.databases.is_empty() && !self.database_altered
    }
}

/// Reads start and catalog so that each table's columns are those at its start.
///
/// Errors: `RUN-003` where definitions change faster than they can be read.
pub async fn plan(source: &dyn Source, selection: &SelectSpec) -> Result<Plan, Fault> {
    let start = source.start().await?;
    let mut plan = Plan {
        catalog: source.catalog(selection).await?,
        moved: StartMoves::default(),
        scanned_to: start.clone(),
        start,
    };
    for _ in 0..PLAN_ROUND_COUNT_MAX {
        let end = source.end().await?;
        let statements = source
            .ddl_between(&plan.scanned_to, &end, selection)
            .await?;
        plan.scanned_to = end;
        if statements.is_empty() {
            return Ok(plan);
        }
        for ddl in &statements {
            tracing::info!(position = %ddl.end, "a definition changed before the start of its table");
            plan.moved.record(ddl);
        }
        plan.catalog = source.catalog(selection).await?;
    }
    Err(Fault::operator(
        "RUN-003",
        "definitions change faster than the catalog can be read",
    )
    .hint("Pause the DDL at the source until the load has begun, then run again."))
}

#[cfg(test)]
mod tests {
    use super::*;
    use wherry_model::change::DdlSession;

    fn ddl(kind: DdlKind, database: &str, tables: &[&str], end: u64) -> Ddl {
        Ddl {
            kind,
            statement: String::new(),
            default_database: database.to_owned(),
            tables: tables
                .iter()
                .map(|table| TableName::new(database, *table))
                .collect(),
            session: DdlSession::default(),
            begin: Position::new("bin.000001", end - 1, None),
            end: Position::new("bin.000001", end, None),
        }
    }

    #[test]
    fn the_last_ddl_of_a_table_or_its_database_wins() {
        let mut moves = StartMoves::default();
        moves.record(&ddl(DdlKind::AlterTable, "shop", &["a", "b"], 10));
        moves.record(&ddl(DdlKind::CreateDatabase, "shop", &[], 20));
        moves.record(&ddl(DdlKind::AlterTable, "shop", &["b"], 30));
        let offset = |table: &str| {
            moves
                .start_of(&TableName::new("shop", table))
                .map(|position| position.offset)
        };
        assert_eq!(offset("a"), Some(20));
        assert_eq!(offset("b"), Some(30));
        assert_eq!(offset("c"), Some(20));
        assert_eq!(moves.start_of(&TableName::new("crm", "a")), None);
    }
}
