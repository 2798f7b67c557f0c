//! The source: a MySQL or MariaDB server behind the engine's port.
//!
//! Owns what is asked of a source and by which session. Must not write to the source, except
//! `read_only` at cutover and, where the task asks for it, the table of the `heartbeat`. Read on in `precheck`, `exact`, and the crate's `catalog`, `reader` and
//! `binlog`.

mod accounts;
mod checks;
mod exact;
mod exact_scan;
mod heartbeat;
mod objects;
mod online;
mod precheck;
mod selected;
mod settings;

use crate::binlog::{self, MysqlStream, StreamOptions};
use crate::catalog::{self, Scope};
use crate::merge;
use crate::names::Names;
use crate::object::{broken_view, read_objects};
use crate::reader::{Origin, TableReader};
use crate::script;
use crate::session::{Endpoint, Pool, PooledSession, Session, SessionKind};
use crate::shape;
use async_trait::async_trait;
use std::sync::Arc;
use wherry_engine::pipe::RowSender;
use wherry_engine::ports::{Catalog, ChangeStream, ExactSnapshot, RowReader, Source};
use wherry_engine::state::{Checkpoint, KeyRange};
use wherry_model::select::is_system_database;
use wherry_model::task::{SelectSpec, StreamFrom, TableRule};
use wherry_model::{
    Account, AccountChoice, CheckItem, Ddl, Fault, ObjectName, Position, Row, SchemaObject, Table,
    TableName, Verdict,
};

/// Sessions for questions: one for the engine's loop and one for a table that restarts.
const CONTROL_SESSIONS: usize = 2;

/// Server errors that mean "not for this account": `ER_XAER_RMERR`, which `XA RECOVER` gives
/// without its privilege, and `ER_SPECIFIC_ACCESS_DENIED_ERROR`.
const NOT_ALLOWED: [u16; 2] = [1401, 1227];

#[derive(Debug, Clone)]
pub struct SourceOptions {
    /// Sessions that read rows.
    pub readers: usize,
}

/// Reads one server. Cheap to share; sessions are opened when needed.
pub struct MysqlSource {
    endpoint: Endpoint,
    control: Pool,
    reader: TableReader,
    lock_tries: u32,
    names: Arc<Names>,
    /// One session that writes the heartbeat.
    heartbeat: Pool,
}

impl MysqlSource {
    pub fn new(endpoint: Endpoint, options: SourceOptions) -> MysqlSource {
        let readers = Pool::new(endpoint.clone(), SessionKind::Read, options.readers.max(1));
        MysqlSource {
            control: Pool::new(endpoint.clone(), SessionKind::Control, CONTROL_SESSIONS),
            reader: TableReader::new(readers, Origin::Source),
            lock_tries: exact::LOCK_TRIES,
            names: Arc::default(),
            heartbeat: heartbeat::pool(&endpoint),
            endpoint,
        }
    }

    /// Writes these names of the target into every table that is read.
    #[must_use]
    pub fn with_names(mut self, names: Arc<Names>) -> MysqlSource {
        self.names = names;
        self
    }

    /// Asks for a lock on exact tables this often before writers count as never pausing.
    #[must_use]
    pub fn with_lock_tries(mut self, lock_tries: u32) -> MysqlSource {
        self.lock_tries = lock_tries;
        self
    }

    async fn session(&self) -> Result<PooledSession, Fault> {
        Ok(self.control.get().await?)
    }

    /// The databases of which anything moves; tells the names of the task what there is, where
    /// patterns need it.
    async fn learn(
        &self,
        session: &mut Session,
        selection: &SelectSpec,
    ) -> Result<Vec<String>, Fault> {
        let databases = selected::databases(session, selection).await?;
        if self.names.map().await?.needs_to_know() {
            let known = selected::known(session, &databases).await?;
            self.names.learn(known).await?;
        }
        Ok(databases)
    }
}

#[async_trait]
impl RowReader for MysqlSource {
    async fn key_after(
        &self,
        table: &Table,
        after: Option<&Row>,
        row_count: u64,
    ) -> Result<Option<Row>, Fault> {
        self.reader
            .key_after(&table.at_source(), after, row_count)
            .await
    }

    async fn read_range(
        &self,
        table: &Table,
        range: &KeyRange,
        rows: &RowSender,
    ) -> Result<(), Fault> {
        self.reader
            .read_range(&table.at_source(), range, rows)
            .await
    }

    async fn read_keys(&self, table: &Table, keys: &[Row]) -> Result<Vec<Row>, Fault> {
        self.reader.read_keys(&table.at_source(), keys).await
    }
}

#[async_trait]
impl Source for MysqlSource {
    async fn identity(&self) -> Result<String, Fault> {
        let mut session = self.session().await?;
        let rows = session
            .query("SHOW GLOBAL VARIABLES LIKE 'server\\_uuid'")
            .await?;
        Ok(match rows.text(0, 1) {
            Some(uuid) if !uuid.is_empty() => uuid.to_owned(),
            _ => self.endpoint.address(),
        })
    }

    async fn precheck(&self, selection: &SelectSpec) -> Result<Vec<CheckItem>, Fault> {
        let mut items = precheck::run(&self.endpoint, selection).await?;
        let reached = items.iter().all(|item| item.verdict != Verdict::Fail);
        if reached && selection.tables.iter().any(TableRule::shapes) {
            items.extend(shape::items(&self.catalog(selection).await?.refused));
        }
        Ok(items)
    }

    async fn check_heartbeat(&self, database: &str) -> CheckItem {
        heartbeat::check(&self.endpoint, database).await
    }

    async fn beat(&self, database: &str, task: &str) -> Result<(), Fault> {
        heartbeat::beat(&self.heartbeat, database, task).await
    }

    async fn catalog(&self, selection: &SelectSpec) -> Result<Catalog, Fault> {
        let mut session = self.session().await?;
        refuse_system_databases(selection)?;
        // One that is missing was dropped while the task runs: the precheck refuses any other.
        let names = self.learn(&mut session, selection).await?;
        let databases = catalog::read_databases(&mut session, &names).await?;
        let single = selected::tables(&mut session, selection, &names).await?;
        let scope = match &single {
            Some(tables) => Scope::Tables(tables),
            None => Scope::Databases(&names),
        };
        let found = catalog::survey_whole(&mut session, scope).await?;
        let found = online::selected(found, selection);
        let logged = catalog::cascades_are_logged(&mut session).await?;
        let is_selected = |name: &TableName| selection.includes(name);
        let dialect = session.version().into();
        let (mut tables, mut refused) = catalog::carried(found, dialect, logged, &is_selected)?;
        self.names.apply(&mut tables).await?;
        shape::refuse(&mut tables, &mut refused, selection, dialect)?;
        let names = self.names.map().await?;
        merge::refuse(&mut tables, &mut refused, selection, &names, dialect);
        Ok(Catalog {
            databases,
            tables,
            refused,
        })
    }

    async fn start(&self) -> Result<Position, Fault> {
        binlog::start(&self.endpoint).await
    }

    async fn begin(&self, from: &StreamFrom) -> Result<Position, Fault> {
        binlog::begin(&self.endpoint, from).await
    }

    async fn end(&self) -> Result<Position, Fault> {
        binlog::end(&self.endpoint).await
    }

    async fn ddl_between(
        &self,
        from: &Position,
        to: &Position,
        selection: &SelectSpec,
    ) -> Result<Vec<Ddl>, Fault> {
        binlog::scan::ddl_between(&self.endpoint, from, to, selection).await
    }

    async fn accounts(&self, choice: &AccountChoice) -> Result<Vec<Account>, Fault> {
        accounts::read(&self.endpoint, choice).await
    }

    async fn objects(&self, selection: &SelectSpec) -> Result<Vec<SchemaObject>, Fault> {
        let mut session = Session::connect(&self.endpoint, SessionKind::Read).await?;
        let names = self.learn(&mut session, selection).await?;
        let mut objects = read_objects(&mut session, &names).await?;
        session.close().await;
        objects.retain(|object| selection.includes_object(object));
        Ok(objects)
    }

    async fn broken_views(&self, views: &[ObjectName]) -> Result<Vec<(ObjectName, String)>, Fault> {
        let mut broken = Vec::new();
        if views.is_empty() {
            return Ok(broken);
        }
        let mut session = self.session().await?;
        for view in views {
            if let Some(reason) = broken_view(&mut session, view).await? {
                broken.push((view.clone(), reason));
            }
        }
        Ok(broken)
    }

    async fn end_behind(&self, table: &Table) -> Result<Position, Fault> {
        if table.is_transactional() {
            return self.end().await;
        }
        exact::end_behind(&self.endpoint, &table.name, self.lock_tries).await
    }

    fn varying_columns(&self, table: &Table) -> Vec<usize> {
        script::varying_columns(table)
    }

    async fn exact_snapshot(&self, tables: &[Table]) -> Result<Box<dyn ExactSnapshot>, Fault> {
        let mut snapshot = exact::open(&self.endpoint, tables, self.lock_tries).await?;
        self.names.apply(&mut snapshot.tables).await?;
        let dialect = snapshot.dialect();
        let mut problems = snapshot.tables.iter();
        if let Some(fault) = problems.find_map(|table| shape::problem(table, dialect)) {
            return Err(fault);
        }
        Ok(Box::new(snapshot))
    }

    async fn stream(
        &self,
        from: &Checkpoint,
        selection: &SelectSpec,
    ) -> Result<Box<dyn ChangeStream>, Fault> {
        let stream =
            MysqlStream::open(&self.endpoint, from, selection, StreamOptions::usual()).await?;
        Ok(Box::new(stream))
    }

    async fn auto_increment(&self, table: &TableName) -> Result<Option<u64>, Fault> {
        let mut session = self.session().await?;
        let definition = catalog::definition_of(&mut session, table).await?;
        Ok(definition.as_deref().and_then(auto_increment_of))
    }

    async fn prepared_xa(&self) -> Result<Option<Vec<String>>, Fault> {
        let mut session = self.session().await?;
        let rows = match session.query("XA RECOVER").await {
            Ok(rows) => rows,
            Err(error)
                if error
                    .server_code()
                    .is_some_and(|code| NOT_ALLOWED.contains(&code)) =>
            {
                return Ok(None);
            }
            Err(error) => return Err(error.into_fault()),
        };
        let data = rows.column("data").unwrap_or(3);
        let name = |row| String::from_utf8_lossy(rows.bytes(row, data).unwrap_or_default());
        Ok(Some(
            (0..rows.rows.len())
                .map(|row| name(row).into_owned())
                .collect(),
        ))
    }

    async fn set_read_only(&self, on: bool) -> Result<(), Fault> {
        let mut session = self.session().await?;
        let has_super = session.version().has_super_read_only();
        let sql = match (on, has_super) {
            // This one switches `read_only` on as well.
            (true, true) => "SET GLOBAL super_read_only = ON",
            (true, false) => "SET GLOBAL read_only = ON",
            // And switching `read_only` off switches this one off.
            (false, _) => "SET GLOBAL read_only = OFF",
        };
        session.execute(sql).await.map_err(|error| {
            let denied = error.server_code() == Some(NOT_ALLOWED[1]);
            let fault = error.into_fault();
            if !denied {
                return fault;
            }
            Fault::operator(
                "SRC-040",
                "account may not switch `read_only` at the source",
            )
            .hint(
                "Grant SYSTEM_VARIABLES_ADMIN (SUPER on older servers), or stop the writes \
                     yourself with `stop_writes: wait` or a command.",
            )
            .cause(fault)
        })?;
        Ok(())
    }
}

fn refuse_system_databases(selection: &SelectSpec) -> Result<(), Fault> {
    let databases = selection.exact_databases();
    match databases.iter().find(|name| is_system_database(name)) {
        None => Ok(()),
        Some(name) => Err(Fault::input(
            "SRC-014",
            format!("database `{name}` belongs to the server itself"),
        )
        .hint("Take it out of the selection.")),
    }
}

/// The counter in the options of `SHOW CREATE TABLE`.
///
/// Line ends in comments are printed with a backslash, so the last line that begins with a bracket
/// begins the options; a comment stands behind the counter.
fn auto_increment_of(definition: &str) -> Option<u64> {
    let options = &definition[definition.rfind("\n) ")?..];
    let options = &options[..options.find(" COMMENT='").unwrap_or(options.len())];
    let digits = options.split(" AUTO_INCREMENT=").nth(1)?;
    let end = digits
        .find(|c: char| !c.is_ascii_digit())
        .unwrap_or(digits.len());
    digits[..end].parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(options: &str, expected: Option<u64>) {
        let text = format!("CREATE TABLE `t` (\n  `a` int COMMENT ') AUTO_INCREMENT=9'\n{options}");
        assert_eq!(auto_increment_of(&text), expected);
    }

    #[test]
    fn the_counter_is_read_from_the_options_alone() {
        check(
            ") ENGINE=InnoDB AUTO_INCREMENT=42 DEFAULT CHARSET=utf8mb4",
            Some(42),
        );
        check(") ENGINE=InnoDB AUTO_INCREMENT=7", Some(7));
        check(") ENGINE=InnoDB DEFAULT CHARSET=utf8mb4", None);
        check(") ENGINE=InnoDB COMMENT='x AUTO_INCREMENT=5'", None);
        check(
            ") ENGINE=InnoDB AUTO_INCREMENT=18446744073709551615\n PARTITION BY HASH (`a`)",
            Some(u64::MAX),
        );
    }

    #[test]
    fn system_databases_are_refused_in_any_case() {
        for name in ["mysql", "SYS", "information_schema", "Performance_Schema"] {
            let selection = SelectSpec {
                databases: vec!["shop".to_owned(), name.to_owned()],
                ..SelectSpec::default()
            };
            let fault = refuse_system_databases(&selection).expect_err("refused");
            assert_eq!(fault.code, "SRC-014");
        }
        let selection = SelectSpec {
            databases: vec!["mysql_shop".to_owned()],
            ..SelectSpec::default()
        };
        assert!(refuse_system_databases(&selection).is_ok());
    }
}
