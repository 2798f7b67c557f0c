//! What must be right at the target before anything is written for good.
//!
//! Owns the items `target-*`. Tries privileges by using them and leaves nothing behind.

use super::Inner;
use super::adopt::{NOT_THERE, fit_in};
use super::fault;
use super::precheck_names;
use super::schema::holds_rows;
use crate::catalog;
use crate::json;
use crate::session::{RowSet, Session, SessionKind};
use wherry_engine::ports::Catalog;
use wherry_model::name::quote;
use wherry_model::task::{ConflictPolicy, SelectSpec};
use wherry_model::{CheckItem, ColumnKind, Fault, Table, TableName, Verdict};

/// Names shown as evidence.
const NAMES_SHOWN_MAX: usize = 5;

/// Servers older than this were never tried.
const OLDEST_MYSQL: (u16, u16, u16) = (5, 6, 0);
const OLDEST_MARIADB: (u16, u16, u16) = (10, 2, 0);

impl Inner {
    pub(super) async fn precheck(
        &self,
        selection: &SelectSpec,
        catalog: &Catalog,
    ) -> Result<Vec<CheckItem>, Fault> {
        let tables = &catalog.tables;
        let mut session = match Session::connect(self.pool.endpoint(), SessionKind::Control).await {
            Ok(session) => session,
            Err(error) => {
                let fault = error.into_fault();
                return Ok(vec![CheckItem::fail(
                    "target-connect",
                    fault.message,
                    fault.hint,
                )]);
            }
        };
        session.set_activity(self.activity.clone());
        session.set_label("check the target");
        let address = self.pool.endpoint().address();
        let mut items = vec![CheckItem::pass(
            "target-connect",
            format!("{address} answers"),
        )];
        items.push(check_version(&session));
        items.push(check_read_only(&mut session).await?);
        items.push(check_primaries(&mut session).await?);
        let privileges = self.check_privileges(&mut session, selection).await?;
        let may_write = privileges.iter().all(|item| item.verdict == Verdict::Pass);
        items.extend(privileges);
        items.push(self.check_empty(&mut session, selection, tables).await?);
        items.extend(self.check_adopted(&mut session, selection, tables).await?);
        items.extend(check_unloaded(selection, tables));
        items.push(check_names(&mut session, tables).await?);
        let names = self.names.map().await?;
        let source = self.source_dialect();
        items.extend(precheck_names::check(&names, selection, tables, source));
        items.extend(check_json(&session, tables));
        let definitions = self.check_definitions(&mut session, selection, catalog, may_write);
        items.extend(definitions.await?);
        items.extend(self.check_cascades(&mut session, tables).await?);
        items.push(check_local_infile(&mut session).await?);
        items.push(check_packet(&mut session, tables).await?);
        items.push(check_primary_key(&mut session, tables).await?);
        session.close().await;
        Ok(items)
    }

    /// A server that cascades above its engine gives up on a tree of a few rows inside one table
    /// (error 6575, seen on 9.7 with seven rows); InnoDB does not.
    async fn check_cascades(
        &self,
        session: &mut Session,
        tables: &[Table],
    ) -> Result<Option<CheckItem>, Fault> {
        let family: Vec<Table> = tables
            .iter()
            .filter(|table| table.is_cascading())
            .cloned()
            .collect();
        let facts = catalog::foreign_keys(&family, self.source_dialect())?;
        let loops: Vec<String> = facts
            .iter()
            .filter(|fact| fact.rule.is_some() && fact.child == fact.parent)
            .map(|fact| fact.child.to_string())
            .collect();
        if loops.is_empty() || !catalog::cascades_are_logged(session).await? {
            return Ok(None);
        }
        Ok(Some(CheckItem::warn(
            "target-self-cascades",
            format!(
                "rows of {} cascade to others of the same table, of which this target does fewer at once than the source; a change beyond that stops the table",
                shown(&loops)
            ),
            "Start the target with innodb_native_foreign_keys = ON, at least until the cutover.",
        )))
    }

    /// Creates and drops a database under each name where the account needs it.
    async fn check_privileges(
        &self,
        session: &mut Session,
        selection: &SelectSpec,
    ) -> Result<Vec<CheckItem>, Fault> {
        const ID: &str = "target-privileges";
        let state = self.state.database().to_owned();
        let shadow = format!("{state}_shadow");
        for database in [state, shadow] {
            if let Some(error) = try_database(session, &database).await? {
                return Ok(vec![CheckItem::fail(
                    ID,
                    format!("the account may not use database `{database}`: {error}"),
                    format!("GRANT ALL ON {}.* TO CURRENT_USER", quote(&database)),
                )]);
            }
        }
        let names = self.names.map().await?;
        let databases = names.selected().into_iter();
        let databases = databases.filter(|name| selection.includes_database(name));
        for database in &databases
            .flat_map(|name| names.databases_of(&name))
            .collect::<Vec<_>>()
        {
            if let Some(error) = try_database(session, database).await? {
                return Ok(vec![CheckItem::fail(
                    ID,
                    format!("the account may not write to database `{database}`: {error}"),
                    format!("GRANT ALL ON {}.* TO CURRENT_USER", quote(database)),
                )]);
            }
        }
        Ok(vec![CheckItem::pass(
            ID,
            "the account may create, write and drop in every database it needs",
        )])
    }

    async fn check_empty(
        &self,
        session: &mut Session,
        selection: &SelectSpec,
        tables: &[Table],
    ) -> Result<CheckItem, Fault> {
        const ID: &str = "target-empty";
        let mut foreign = Vec::new();
        for table in tables {
            let is_to_hold_rows = !selection.phases.load && !selection.phases.schema;
            if selection.policy_of(&table.name) != ConflictPolicy::Fail || is_to_hold_rows {
                continue;
            }
            if holds_rows(session, table.target_name()).await? && !self.is_made(&table.name).await?
            {
                foreign.push(table.name.to_string());
            }
        }
        if foreign.is_empty() {
            return Ok(CheckItem::pass(ID, "no selected table holds foreign rows"));
        }
        Ok(CheckItem::fail(
            ID,
            format!(
                "{} tables hold rows that this task did not write: {}",
                foreign.len(),
                shown(&foreign)
            ),
            "Empty or drop these tables in the target, or give them the policy `keep` or `replace`.",
        ))
    }

    /// Whether tables that the target has already can be used as they are; nothing without any.
    async fn check_adopted(
        &self,
        session: &mut Session,
        selection: &SelectSpec,
        tables: &[Table],
    ) -> Result<Vec<CheckItem>, Fault> {
        const ID: &str = "target-tables";
        const FIX: &str = "Change or make these tables in the target, or let Wherry make them: drop them there, and give the task the phase schema.";
        let mut problems = Vec::new();
        let mut notes = Vec::new();
        let mut used = 0;
        for table in tables {
            let name = &table.name;
            let Some(rows) = selection.adopts(name) else {
                continue;
            };
            if self.is_made(name).await? {
                continue;
            }
            let Some(fit) = fit_in(session, table, rows).await? else {
                if selection.phases.uses_given_tables() {
                    problems.push(format!("{name}: {NOT_THERE}"));
                }
                continue;
            };
            used += 1;
            problems.extend(fit.problems.iter().map(|text| format!("{name}: {text}")));
            notes.extend(fit.notes.iter().map(|text| format!("{name}: {text}")));
        }
        Ok(if !problems.is_empty() {
            vec![CheckItem::fail(ID, shown(&problems), FIX)]
        } else if !notes.is_empty() {
            vec![CheckItem::warn(ID, shown(&notes), FIX)]
        } else if used > 0 {
            vec![CheckItem::pass(
                ID,
                format!("{used} tables of the target are used as they are"),
            )]
        } else {
            Vec::new()
        })
    }

    /// True where this task made the table; false where Wherry's tables do not exist.
    async fn is_made(&self, table: &TableName) -> Result<bool, Fault> {
        if self.stored().await?.is_none() {
            return Ok(false);
        }
        Ok(self
            .stored_table(table)
            .await?
            .is_some_and(|stored| stored.made))
    }
}

fn check_version(session: &Session) -> CheckItem {
    let version = session.version();
    let (major, minor, patch) = if version.is_mariadb() {
        OLDEST_MARIADB
    } else {
        OLDEST_MYSQL
    };
    if version.at_least(major, minor, patch) {
        return CheckItem::pass("target-version", version.text.clone());
    }
    CheckItem::fail(
        "target-version",
        format!("{} is older than {major}.{minor}", version.text),
        "Use a newer server as the target.",
    )
}

/// Changes of such a table are only right on top of all its rows.
fn check_unloaded(selection: &SelectSpec, tables: &[Table]) -> Option<CheckItem> {
    if selection.phases.load || !selection.phases.schema {
        return None;
    }
    let exact = tables.iter().filter(|table| table.is_exact());
    let exact: Vec<String> = exact.map(|table| table.name.to_string()).collect();
    if exact.is_empty() {
        return None;
    }
    Some(CheckItem::fail(
        "target-unloaded",
        format!(
            "the task does not load, and these have no key, or are tied by cascades that the source does not log: {}",
            shown(&exact)
        ),
        "Let the task load (`phases`), or leave these tables out (`select.exclude`).",
    ))
}

/// Only where a table has JSON.
fn check_json(session: &Session, tables: &[Table]) -> Option<CheckItem> {
    const ID: &str = "target-json";
    let mut columns = tables.iter().flat_map(|table| &table.columns);
    columns.find(|column| column.kind == ColumnKind::Json)?;
    let version = session.version();
    let unreadable = |table| json::fault::unreadable(table, version);
    Some(match tables.iter().find_map(unreadable) {
        Some(fault) => CheckItem::fail(ID, fault.message, fault.hint),
        None => CheckItem::pass(ID, "documents keep the types in them"),
    })
}

async fn check_read_only(session: &mut Session) -> Result<CheckItem, Fault> {
    const ID: &str = "target-read-only";
    if variable(session, "read_only").await?.as_deref() == Some("ON") {
        return Ok(CheckItem::fail(
            ID,
            "the server is read only",
            "SET GLOBAL read_only = OFF, or name the writer's address as the target",
        ));
    }
    Ok(CheckItem::pass(ID, "the server takes writes"))
}

/// With several writable primaries a row lock on the epoch does not fence.
async fn check_primaries(session: &mut Session) -> Result<CheckItem, Fault> {
    const ID: &str = "target-multi-primary";
    let galera = variable(session, "wsrep_on").await?.as_deref() == Some("ON");
    let single = variable(session, "group_replication_single_primary_mode").await?;
    if galera || single.as_deref() == Some("OFF") {
        return Ok(CheckItem::fail(
            ID,
            "the target is a cluster with several writable primaries, where Wherry cannot fence an old runner",
            "Switch the cluster to a single primary, or use another target.",
        ));
    }
    Ok(CheckItem::pass(ID, "one primary takes writes"))
}

async fn check_names(session: &mut Session, tables: &[Table]) -> Result<CheckItem, Fault> {
    const ID: &str = "target-lower-case-table-names";
    let mode = variable(session, "lower_case_table_names").await?;
    let folds = mode.as_deref().is_some_and(|mode| mode != "0");
    let mut seen = std::collections::HashMap::new();
    let mut colliding = Vec::new();
    let mut upper = Vec::new();
    for table in tables {
        let name = table.target_name().to_string();
        let folded = name.to_lowercase();
        if folded != name {
            upper.push(name.clone());
        }
        if let Some(other) = seen.insert(folded, name.clone()) {
            colliding.push(format!("{other} and {name}"));
        }
    }
    if folds && !colliding.is_empty() {
        return Ok(CheckItem::fail(
            ID,
            format!(
                "the target folds names, so these become one: {}",
                shown(&colliding)
            ),
            "Rename one of them at the source, or use a target with lower_case_table_names = 0.",
        ));
    }
    if mode.as_deref() == Some("1") && !upper.is_empty() {
        return Ok(CheckItem::fail(
            ID,
            format!("the target stores names in lower case: {}", shown(&upper)),
            "Use a target with lower_case_table_names = 0, or rename these at the source.",
        ));
    }
    Ok(CheckItem::pass(ID, "names stay as they are"))
}

async fn check_local_infile(session: &mut Session) -> Result<CheckItem, Fault> {
    const ID: &str = "target-local-infile";
    if variable(session, "local_infile").await?.as_deref() == Some("ON") {
        return Ok(CheckItem::pass(ID, "LOAD DATA LOCAL is allowed"));
    }
    Ok(CheckItem::warn(
        ID,
        "LOAD DATA LOCAL is switched off; rows are written by INSERT, which is slower",
        "SET GLOBAL local_infile = ON",
    ))
}

async fn check_packet(session: &mut Session, tables: &[Table]) -> Result<CheckItem, Fault> {
    const ID: &str = "target-max-allowed-packet";
    /// The source's rows are bounded by its own packets; this is what newer servers allow.
    const ENOUGH: u64 = 64 << 20;
    let bytes = variable(session, "max_allowed_packet")
        .await?
        .and_then(|text| text.parse::<u64>().ok())
        .unwrap_or(0);
    let large = tables.iter().any(|table| {
        table.columns.iter().any(|column| {
            let name = column.column_type.to_lowercase();
            name.starts_with("medium") && (name.ends_with("blob") || name.ends_with("text"))
                || name.starts_with("long")
                || name.starts_with("json")
        })
    });
    if bytes >= ENOUGH || !large {
        return Ok(CheckItem::pass(ID, format!("{bytes} bytes")));
    }
    Ok(CheckItem::warn(
        ID,
        format!(
            "{bytes} bytes, and selected columns can hold more: a row that does not fit stops its table"
        ),
        format!("SET GLOBAL max_allowed_packet = {ENOUGH}"),
    ))
}

async fn check_primary_key(session: &mut Session, tables: &[Table]) -> Result<CheckItem, Fault> {
    const ID: &str = "target-primary-key";
    let required = variable(session, "sql_require_primary_key").await?;
    let without: Vec<String> = tables
        .iter()
        .filter(|table| !table.keys.iter().any(|key| key.primary))
        .map(|table| table.name.to_string())
        .collect();
    let keyless = tables.iter().any(|table| table.identity().is_none());
    if required.as_deref() == Some("ON") && !without.is_empty() {
        return Ok(CheckItem::fail(
            ID,
            format!(
                "the target demands primary keys, and these have none: {}",
                shown(&without)
            ),
            "SET GLOBAL sql_require_primary_key = OFF",
        ));
    }
    if keyless {
        return Ok(CheckItem::pass(ID, "tables without a key are allowed"));
    }
    Ok(CheckItem::pass(ID, "every table has a key"))
}

/// Tells the probe of a precheck that was killed from a table of the same name.
const PROBE_COMMENT: &str = "probe of the wherry precheck";

async fn is_left_over(session: &mut Session, probe: &TableName) -> Result<bool, Fault> {
    let sql = format!(
        "SELECT 1 FROM information_schema.TABLES WHERE TABLE_SCHEMA={} AND TABLE_NAME={} AND TABLE_COMMENT='{PROBE_COMMENT}'",
        super::state::text(&probe.database),
        super::state::text(&probe.table)
    );
    let found = session.query(sql).await.map_err(Fault::from)?;
    Ok(!found.is_empty())
}

/// Why the account may not work in a database; `None` where it may. What was made goes again.
async fn try_database(session: &mut Session, database: &str) -> Result<Option<String>, Fault> {
    let name = quote(database);
    let there = session
        .query(format!(
            "SELECT 1 FROM information_schema.SCHEMATA WHERE SCHEMA_NAME={}",
            super::state::text(database)
        ))
        .await
        .map_err(Fault::from)?;
    let made = there.is_empty();
    let probe = TableName::new(database, "wherry_probe");
    let mut steps = Vec::new();
    if made {
        steps.push(format!("CREATE DATABASE {name}"));
    }
    if is_left_over(session, &probe).await? {
        steps.push(format!("DROP TABLE {probe}"));
    }
    steps.push(format!(
        "CREATE TABLE {probe} (id INT NOT NULL PRIMARY KEY) COMMENT='{PROBE_COMMENT}'"
    ));
    steps.push(format!("INSERT INTO {probe} VALUES (1)"));
    steps.push(format!("UPDATE {probe} SET id=2"));
    steps.push(format!("ALTER TABLE {probe} ADD KEY k (id)"));
    steps.push(format!("SELECT id FROM {probe}"));
    steps.push(format!("DELETE FROM {probe}"));
    let mut refused = None;
    let mut created = [false; 2];
    for step in &steps {
        match session.execute(step).await {
            Ok(_) => {
                created[0] |= step.starts_with("CREATE TABLE");
                created[1] |= step.starts_with("CREATE DATABASE");
            }
            Err(error) if fault::is_answered(&error) => {
                refused = Some(error.to_string());
                break;
            }
            Err(error) => return Err(error.into_fault()),
        }
    }
    let mut clean = Vec::new();
    // What was there before is not ours.
    if created[0] {
        clean.push(format!("DROP TABLE IF EXISTS {probe}"));
    }
    if created[1] {
        clean.push(format!("DROP DATABASE IF EXISTS {name}"));
    }
    for step in clean {
        match session.execute(step).await {
            Ok(_) => {}
            Err(error) if fault::is_answered(&error) => {
                refused.get_or_insert(error.to_string());
            }
            Err(error) => return Err(error.into_fault()),
        }
    }
    Ok(refused)
}

/// A server variable; `None` where the server does not have it.
async fn variable(session: &mut Session, name: &str) -> Result<Option<String>, Fault> {
    let sql = format!(
        "SHOW GLOBAL VARIABLES WHERE Variable_name = {}",
        super::state::text(name)
    );
    let rows: RowSet = session.query(sql).await.map_err(Fault::from)?;
    Ok(rows.text(0, 1).map(str::to_owned))
}

fn shown(names: &[String]) -> String {
    let mut text = names
        .iter()
        .take(NAMES_SHOWN_MAX)
        .cloned()
        .collect::<Vec<_>>()
        .join(", ");
    if names.len() > NAMES_SHOWN_MAX {
        text.push_str(&format!(" and {} more", names.len() - NAMES_SHOWN_MAX));
    }
    text
}
