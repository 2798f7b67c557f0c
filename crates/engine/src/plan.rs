//! The plan of a task: which tables, with which start.
//!
//! A table's column list belongs to its start. The catalog is read after the start; a DDL found
//! between the two moves that table's start to the DDL's end (its exclusive metadata lock proves
//! that every earlier change is visible) and the catalog is read again, until no DDL lies
//! between a start and the read.

use crate::ports::{Catalog, Source};
use crate::state::{TableStage, TableState};
use std::collections::{HashMap, HashSet};
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
    /// Tables, and databases with an empty name of a table, that may have been there before a
    /// statement, with other columns or other rows.
    changed: HashMap<TableName, Position>,
    /// Tables that a statement has named.
    named: HashSet<TableName>,
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
        self.note_changed(ddl);
    }

    fn note_changed(&mut self, ddl: &Ddl) {
        let is_first = !ddl.tables.iter().any(|table| self.named.contains(table));
        if !(is_first && surely_makes(ddl)) {
            let places = ddl
                .tables
                .iter()
                .map(|table| (table.clone(), ddl.begin.clone()));
            self.changed.extend(places);
        }
        if ddl.kind == DdlKind::DropDatabase {
            let database = TableName::new(ddl.default_database.as_str(), "");
            self.changed.insert(database, ddl.begin.clone());
        }
        self.named.extend(ddl.tables.iter().cloned());
    }

    /// Without a load nothing makes up for the changes of a table that lie before its start.
    fn check_nothing_is_missed(&self, catalog: &Catalog) -> Result<(), Fault> {
        let missed = |table: &Table| {
            let name = &table.name;
            let database = TableName::new(name.database.as_str(), "");
            let place = self
                .changed
                .get(name)
                .or_else(|| self.changed.get(&database));
            place.map(|place| format!("{name} at {place}"))
        };
        let missed: Vec<String> = catalog.tables.iter().filter_map(missed).collect();
        if missed.is_empty() {
            return Ok(());
        }
        Err(Fault::operator(
            "RUN-007",
            format!(
                "definitions changed behind the place where the stream is to begin, and what was changed before with other columns cannot be carried: {}",
                missed.join(", ")
            ),
        )
        .hint("Begin behind these statements with a target that holds the rows as of then (`stream.from`), leave these tables out (`select.exclude`), or let the task load (`phases`)."))
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

/// True where the statement fails on a table that is there; `EXISTS` and `REPLACE` are words of the
/// forms that do not.
fn surely_makes(ddl: &Ddl) -> bool {
    let text = ddl.statement.to_ascii_uppercase();
    ddl.kind == DdlKind::CreateTable
        && ddl.tables.len() == 1
        && !text.contains("EXISTS")
        && !text.contains("REPLACE")
}

/// Reads start and catalog so that each table's columns are those at its start.
///
/// Errors: `RUN-003` where definitions change faster than they can be read.
pub async fn plan(source: &dyn Source, selection: &SelectSpec) -> Result<Plan, Fault> {
    let start = source.start().await?;
    plan_from(source, selection, start).await
}

/// As `plan`, for a task without a load: it begins at the place that the user has named, if any.
///
/// Errors: as `plan`, and `RUN-007` where the columns that a table had there are not known.
pub async fn plan_without_load(source: &dyn Source, selection: &SelectSpec) -> Result<Plan, Fault> {
    let Some(from) = &selection.from else {
        return plan(source, selection).await?.whole();
    };
    let start = source.begin(from).await?;
    let plan = plan_from(source, selection, start).await?.whole()?;
    plan.moved.check_nothing_is_missed(&plan.catalog)?;
    Ok(plan)
}

async fn plan_from(
    source: &dyn Source,
    selection: &SelectSpec,
    start: Position,
) -> Result<Plan, Fault> {
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

    #[test]
    fn only_a_table_that_was_surely_made_misses_nothing() {
        let made = |statement: &str, database: &str, tables: &[&str]| Ddl {
            statement: statement.to_owned(),
            ..ddl(DdlKind::CreateTable, database, tables, 10)
        };
        let mut moves = StartMoves::default();
        moves.record(&made("CREATE TABLE made (a INT)", "shop", &["made"]));
        moves.record(&made("CREATE TABLE twice (a INT)", "shop", &["twice"]));
        moves.record(&ddl(DdlKind::TruncateTable, "shop", &["twice"], 20));
        moves.record(&made(
            "create table if not exists t (a INT)",
            "shop",
            &["perhaps"],
        ));
        moves.record(&made("CREATE TABLE l LIKE old", "shop", &["l", "old"]));
        moves.record(&ddl(DdlKind::AlterTable, "shop", &["altered"], 30));
        moves.record(&ddl(DdlKind::DropDatabase, "gone", &[], 40));
        moves.record(&made("CREATE TABLE t (a INT)", "gone", &["t"]));
        let missed = |database: &str, table: &str| {
            moves.changed.contains_key(&TableName::new(database, table))
        };
        assert!(!missed("shop", "made"));
        for table in ["twice", "perhaps", "l", "old", "altered"] {
            assert!(missed("shop", table), "{table}");
        }
        assert!(missed("gone", ""));
    }
}
