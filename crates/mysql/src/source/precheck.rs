//! What must be true of a source before anything moves, item by item.
//!
//! Owns the list of items, their ids, and the statement that mends each. Changes nothing. What can
//! be tried is tried (reading a table, opening the binlog), since grants may come by roles that no
//! list shows. Read on in `checks` for the items that need settings alone.

use super::checks;
use super::objects;
use super::online;
use super::selected;
use super::settings::Settings;
use crate::binlog;
use crate::catalog::{self, Scope, Survey};
use crate::json;
use crate::session::{DumpRequest, Endpoint, Session, SessionError, SessionKind};
use std::collections::BTreeMap;
use std::time::Duration;
use wherry_model::select::is_system_database;
use wherry_model::task::SelectSpec;
use wherry_model::{CheckItem, Exactness, Fault, Table, TableName};

const MISSING_DATABASE: &str = "SRC-015";
const NO_DATABASE: &str = "SEL-012";

/// Server errors that mean that the account lacks a privilege.
const DENIED: [u16; 4] = [1044, 1142, 1227, 1370];

/// A table that no one has: asking to read or lock it shows the privilege and does nothing.
pub(super) const PROBE_TABLE: &str = "wherry_no_such_table";

const HEARTBEAT: Duration = Duration::from_secs(10);

/// Runs every check. A source that cannot be reached gives one item.
pub(super) async fn run(
    endpoint: &Endpoint,
    selection: &SelectSpec,
) -> Result<Vec<CheckItem>, Fault> {
    let mut session = match Session::connect(endpoint, SessionKind::Control).await {
        Ok(session) => session,
        Err(error) => return Ok(vec![failed("source-connect", &error.into_fault())]),
    };
    let version = session.version().clone();
    let mut items = vec![CheckItem::pass(
        "source-connect",
        format!(
            "connected to {}, version {}",
            endpoint.address(),
            version.text
        ),
    )];
    let settings = Settings::read(&mut session).await?;
    let cloud = Cloud::detect(&mut session, &settings).await?;
    items.push(checks::version(&version));
    items.extend(checks::settings(&settings, &cloud));
    let status = binlog_status(&mut session, &settings, &mut items).await?;
    let meant = selected::databases(&mut session, selection).await?;
    if let Some((do_db, ignore_db)) = status {
        items.push(checks::binlog_filter(&do_db, &ignore_db, &meant));
        items.push(try_dump(endpoint).await);
    }
    items.push(replica(&mut session, &settings).await);
    items.push(prepared_xa(&mut session).await?);
    items.extend(phases(endpoint, selection).await);

    let selected = existing_databases(&mut session, &meant, &mut items).await?;
    if !selected.is_empty() {
        items.extend(
            of_tables(
                endpoint,
                &mut session,
                selection,
                &selected,
                &settings,
                &cloud,
            )
            .await?,
        );
    }
    session.close().await;
    Ok(items)
}

/// What the task leaves out of its work asks of the source.
async fn phases(endpoint: &Endpoint, selection: &SelectSpec) -> Vec<CheckItem> {
    let mut items = Vec::new();
    if !selection.phases.stream && selection.phases.load {
        items.push(CheckItem::warn(
            "source-rests",
            "the task ends behind its load: what is written to the source after that does not move",
            "Let the source rest until the target takes its place, or let the task stream (`phases`).",
        ));
    }
    if let Some(from) = &selection.from {
        const ID: &str = "source-stream-from";
        items.push(match binlog::begin(endpoint, from).await {
            Ok(place) => CheckItem::pass(ID, format!("the stream begins at {place} ({from})")),
            Err(fault) => failed(ID, &fault),
        });
    }
    items
}

/// What a managed service says about itself.
#[derive(Debug, Default)]
pub(super) struct Cloud {
    pub(super) aurora: Option<String>,
    /// Hours of `mysql.rds_configuration`; the inner `None` is its NULL.
    pub(super) retention_hours: Option<Option<u64>>,
}

impl Cloud {
    async fn detect(session: &mut Session, settings: &Settings) -> Result<Cloud, Fault> {
        let retention = session
            .query(
                "SELECT value FROM mysql.rds_configuration \
                 WHERE name = 'binlog retention hours'",
            )
            .await;
        let retention_hours = match retention {
            Ok(rows) if rows.is_empty() => None,
            Ok(rows) => Some(catalog::number(&rows, 0, 0)),
            Err(error) if error.server_code().is_some() => None,
            Err(error) => return Err(error.into_fault()),
        };
        let aurora = settings.get("aurora_version").map(str::to_owned);
        Ok(Cloud {
            aurora,
            retention_hours,
        })
    }

    pub(super) fn is_managed(&self) -> bool {
        self.aurora.is_some() || self.retention_hours.is_some()
    }
}

pub(super) fn failed(id: &'static str, fault: &Fault) -> CheckItem {
    let mut evidence = format!("{}: {}", fault.code, fault.message);
    for cause in fault.causes() {
        evidence.push_str(": ");
        evidence.push_str(&cause);
    }
    CheckItem::fail(id, evidence, fault.hint.clone())
}

/// A definition that is no SQL: MariaDB names a foreign key after its table, and prints a backtick in that as it is.
fn unreadable_table(fault: &Fault) -> CheckItem {
    let mut item = failed("source-tables", fault);
    if let Some(name) = fault.table_name() {
        item.evidence.push_str(&format!(" (table {name})"));
    }
    item
}

pub(super) fn is_denied(error: &SessionError) -> bool {
    error
        .server_code()
        .is_some_and(|code| DENIED.contains(&code))
}

/// The binlog filters of the server, where the binlog is on and may be seen.
async fn binlog_status(
    session: &mut Session,
    settings: &Settings,
    items: &mut Vec<CheckItem>,
) -> Result<Option<(String, String)>, Fault> {
    if !settings.is_on("log_bin") {
        return Ok(None);
    }
    let id = "source-privilege-replication-client";
    let statement = session.version().binlog_status_statement();
    match session.query(statement).await {
        Ok(rows) => {
            items.push(CheckItem::pass(
                id,
                "the account may see the state of the binlog",
            ));
            let text = |name| rows.named(0, name).unwrap_or_default().to_owned();
            Ok(Some((text("Binlog_Do_DB"), text("Binlog_Ignore_DB"))))
        }
        Err(error) if is_denied(&error) => {
            let grant = if session.version().is_mariadb() {
                "BINLOG MONITOR"
            } else {
                "REPLICATION CLIENT"
            };
            items.push(CheckItem::fail(
                id,
                "the account may not see the state of the binlog",
                format!("GRANT {grant} ON *.* TO CURRENT_USER(); run it as an administrator, with the name of the account"),
            ));
            Ok(None)
        }
        Err(error) => Err(error.into_fault()),
    }
}

/// Opens the binlog as the stream will, and reads one event.
async fn try_dump(endpoint: &Endpoint) -> CheckItem {
    let id = "source-privilege-replication-slave";
    match first_event(endpoint).await {
        Ok(()) => CheckItem::pass(id, "the account may read the binlog"),
        Err(fault) => {
            let mut item = failed(id, &fault);
            item.fix =
                "GRANT REPLICATION SLAVE ON *.* to the account, as an administrator".to_owned();
            item
        }
    }
}

async fn first_event(endpoint: &Endpoint) -> Result<(), Fault> {
    let end = binlog::end(endpoint).await?;
    let session = Session::connect(endpoint, SessionKind::Control).await?;
    let request = DumpRequest {
        server_id: binlog::position::random_server_id(),
        file: end.file.to_string(),
        offset: end.offset,
        gtids: None,
        heartbeat: HEARTBEAT,
        non_blocking: true,
    };
    let mut dump = session.binlog_dump(request).await?;
    dump.next_event().await?;
    Ok(())
}

/// A replica must write what it applies to its own binlog.
async fn replica(session: &mut Session, settings: &Settings) -> CheckItem {
    let id = "source-replica";
    let logs = settings.is_on("log_slave_updates") || settings.is_on("log_replica_updates");
    let statement = session.version().replica_status_statement();
    match session.query(statement).await {
        Ok(rows) if rows.is_empty() => CheckItem::pass(id, "the source replicates from no one"),
        Ok(_) if logs => CheckItem::pass(id, "the source is a replica that logs what it applies"),
        Ok(_) => CheckItem::fail(
            id,
            "the source is a replica, and what it applies is not in its binlog",
            "Set log_replica_updates = ON (log_slave_updates on older servers) and restart the server, or move from its primary.",
        ),
        Err(_) if logs => CheckItem::pass(
            id,
            "what the source may apply as a replica is in its binlog",
        ),
        Err(_) => CheckItem::warn(
            id,
            "the account may not see whether the source is a replica, and it would not log what it applies",
            "Make sure that the source replicates from no one.",
        ),
    }
}

async fn prepared_xa(session: &mut Session) -> Result<CheckItem, Fault> {
    let id = "source-prepared-xa";
    Ok(match session.query("XA RECOVER").await {
        Ok(rows) if rows.is_empty() => CheckItem::pass(id, "no XA transaction is prepared"),
        Ok(rows) => CheckItem::fail(
            id,
            format!("{} XA transactions are prepared", rows.rows.len()),
            "XA COMMIT or XA ROLLBACK each transaction that XA RECOVER lists.",
        ),
        Err(error) if error.server_code().is_some() => CheckItem::warn(
            id,
            "the account may not see prepared XA transactions",
            "GRANT XA_RECOVER_ADMIN ON *.* to the account, or make sure that none is prepared.",
        ),
        Err(error) => return Err(error.into_fault()),
    })
}

/// The selected databases that exist and may be moved.
async fn existing_databases(
    session: &mut Session,
    meant: &[String],
    items: &mut Vec<CheckItem>,
) -> Result<Vec<String>, Fault> {
    let id = "source-databases";
    let found = catalog::read_databases(session, meant).await?;
    let mut selected = Vec::new();
    for name in meant {
        if is_system_database(name) {
            items.push(CheckItem::fail(
                id,
                format!("SRC-014: database `{name}` belongs to the server itself"),
                "Take it out of the selection.",
            ));
        } else if found.iter().any(|database| database.name == *name) {
            selected.push(name.clone());
        } else {
            items.push(CheckItem::fail(
                id,
                format!("{MISSING_DATABASE}: database `{name}` does not exist at the source"),
                "Check the spelling, with its letter case, and that the account may see it.",
            ));
        }
    }
    if selected.is_empty() && meant.is_empty() {
        items.push(CheckItem::fail(
            id,
            format!("{NO_DATABASE}: no database of the source is selected"),
            "Check the patterns under select.databases, and that the account may see these databases.",
        ));
    } else if selected.len() == meant.len() {
        items.push(CheckItem::pass(
            id,
            format!("{} selected databases exist", selected.len()),
        ));
    }
    Ok(selected)
}

async fn of_tables(
    endpoint: &Endpoint,
    session: &mut Session,
    selection: &SelectSpec,
    databases: &[String],
    settings: &Settings,
    cloud: &Cloud,
) -> Result<Vec<CheckItem>, Fault> {
    let single = selected::tables(session, selection, databases).await?;
    let scope = match &single {
        Some(tables) => Scope::Tables(tables),
        None => Scope::Databases(databases),
    };
    let found = catalog::survey_whole(session, scope).await?;
    let tools = online::check(&found, selection);
    let Survey {
        mut tables,
        mut refused,
        ..
    } = online::selected(found, selection);
    let foreign_keys = match catalog::foreign_keys(&tables, session.version().into()) {
        Ok(foreign_keys) => foreign_keys,
        Err(fault) => return Ok(vec![unreadable_table(&fault)]),
    };
    if !catalog::cascades_are_logged(session).await? {
        catalog::mark_family(&mut tables, &foreign_keys);
    }
    let is_selected = |name: &TableName| selection.includes(name);
    refused.extend(catalog::refusals(&tables, &foreign_keys, &is_selected));
    let version = session.version();
    let unreadable = |table| json::fault::unreadable(table, version);
    refused.extend(tables.iter().filter_map(unreadable));
    let lost = catalog::lost_texts(session, databases, &tables).await?;
    refused.extend(lost.defaults);

    let mut items: Vec<CheckItem> = refused
        .iter()
        .map(|fault| failed("source-tables", fault))
        .collect();
    if items.is_empty() {
        items.push(CheckItem::pass(
            "source-tables",
            format!("{} tables can be moved", tables.len()),
        ));
    }
    items.extend(selected::check(session, selection, databases).await?);
    items.push(try_select(session, databases, &tables).await?);
    items.push(exact_tables(endpoint, session, &tables, settings).await?);
    items.extend(engines(&tables));
    items.extend(tools);
    items.push(checks::retention(settings, cloud, &tables));
    items.extend(objects::check(endpoint, session, selection, databases).await?);
    items.push(comments(&lost.comments));
    Ok(items)
}

/// Asks for a table that no one has in each database, and then for each table.
///
/// A table on which the account has no privilege is not in the catalog at all: it would be left
/// behind without a word. So the privilege must hold for the whole database.
async fn try_select(
    session: &mut Session,
    databases: &[String],
    tables: &[Table],
) -> Result<CheckItem, Fault> {
    let id = "source-privilege-select";
    let probes = databases
        .iter()
        .map(|database| TableName::new(database, PROBE_TABLE));
    let names = probes.chain(tables.iter().map(|table| table.name.clone()));
    for name in names {
        // No rows are read: the server checks the privilege first.
        let answer = session.query(format!("SELECT * FROM {name} LIMIT 0")).await;
        match answer {
            Err(error) if is_denied(&error) => {
                let what = if name.table == PROBE_TABLE {
                    format!("all of database `{}`", name.database)
                } else {
                    format!("table {name}")
                };
                let fix = format!(
                    "GRANT SELECT ON `{}`.* to the account, as an administrator",
                    name.database
                );
                return Ok(CheckItem::fail(
                    id,
                    format!("the account may not read {what}"),
                    fix,
                ));
            }
            Err(error) if error.server_code().is_none() => {
                return Err(error.into_fault().table(&name));
            }
            // Any other answer comes behind the check of privileges.
            _ => {}
        }
    }
    Ok(CheckItem::pass(
        id,
        format!(
            "the account may read all of the {} selected databases",
            databases.len()
        ),
    ))
}

/// Tables whose place in the binlog must be exact, by the reason, for reports.
fn exact_groups(tables: &[Table]) -> Vec<String> {
    let group = |words: &str, belongs: &dyn Fn(&Table) -> bool| {
        let names: Vec<String> = tables
            .iter()
            .filter(|table| belongs(table))
            .map(|table| table.name.to_string())
            .collect();
        (!names.is_empty()).then(|| format!("{words}: {}", names.join(", ")))
    };
    [
        group("tables without a key", &|table| {
            table.exactness == Exactness::Keyless
        }),
        group("tables that become one with others", &Table::is_merged),
        group("tables tied by cascades that are not logged", &|table| {
            table.is_cascading()
        }),
        group("tables without transactions", &|table| {
            !table.is_transactional()
        }),
    ]
    .into_iter()
    .flatten()
    .collect()
}

/// Lists the tables that need an exact place in the binlog, and whether it can be had.
async fn exact_tables(
    endpoint: &Endpoint,
    session: &mut Session,
    tables: &[Table],
    settings: &Settings,
) -> Result<CheckItem, Fault> {
    let id = "source-exact-tables";
    let groups = exact_groups(tables);
    if groups.is_empty() {
        return Ok(CheckItem::pass(
            id,
            "every table has a primary key or a non-null unique key",
        ));
    }
    let listed = groups.join("; ");
    let by_gtid =
        session.version().lists_gtids_when_visible() && settings.upper("gtid_mode") == "ON";
    for (database, locks) in databases_to_lock(tables) {
        if may_lock(endpoint, &database).await? {
            continue;
        }
        let grant = format!("GRANT LOCK TABLES ON `{database}`.* to the account");
        let reason = match (locks, by_gtid) {
            (true, _) => {
                "a table without transactions needs a lock of a moment, which the account may not take"
            }
            (false, true) => {
                "their start is proved by GTID, which needs a pause of their writers, and the account may not lock them"
            }
            (false, false) => {
                "without `gtid_mode = ON` on MySQL 5.7 or later their start needs a lock of some seconds, which the account may not take"
            }
        };
        let evidence = format!("{listed}; {reason}");
        return Ok(if by_gtid && !locks {
            CheckItem::warn(id, evidence, grant)
        } else {
            CheckItem::fail(id, evidence, grant)
        });
    }
    let way = if by_gtid {
        "their start is proved by GTID, or else by a lock of some seconds"
    } else {
        "they are locked for some seconds at most when their load starts"
    };
    Ok(CheckItem::pass(id, format!("{listed}; {way}")))
}

/// Databases with tables that may have to be locked, and whether one of them must be.
fn databases_to_lock(tables: &[Table]) -> BTreeMap<String, bool> {
    let mut databases = BTreeMap::new();
    for table in tables {
        if table.is_exact() || !table.is_transactional() {
            *databases.entry(table.name.database.clone()).or_default() |= !table.is_transactional();
        }
    }
    databases
}

/// Says that other engines become InnoDB.
fn engines(tables: &[Table]) -> Option<CheckItem> {
    let names: Vec<String> = tables
        .iter()
        .filter(|table| !table.is_transactional())
        .map(|table| format!("{} ({})", table.name, table.engine))
        .collect();
    let first = tables.iter().find(|table| !table.is_transactional())?;
    Some(CheckItem::warn(
        "source-engines",
        format!(
            "tables without transactions become InnoDB at the target (rule `engine`): {}",
            names.join(", ")
        ),
        format!(
            "Nothing, if InnoDB serves as well; or ALTER TABLE {} ENGINE = InnoDB at the source, which needs no locks later",
            first.name
        ),
    ))
}

/// Asks for a lock on a table that does not exist: without the privilege the server says so first.
async fn may_lock(endpoint: &Endpoint, database: &str) -> Result<bool, Fault> {
    let mut session = Session::connect(endpoint, SessionKind::Control).await?;
    let probe = TableName::new(database, PROBE_TABLE);
    let answer = session.execute(format!("LOCK TABLES {probe} READ")).await;
    session.close().await;
    match answer {
        Ok(_) => Ok(true),
        Err(error) if is_denied(&error) => Ok(false),
        Err(error) if error.server_code().is_some() => Ok(true),
        Err(error) => Err(error.into_fault()),
    }
}

fn comments(tables: &[String]) -> CheckItem {
    let id = "source-comments";
    if tables.is_empty() {
        return CheckItem::pass(id, "no comment holds a `?`");
    }
    CheckItem::warn(
        id,
        format!(
            "comments hold `?`, which is also what the source prints for characters like emoji: {}",
            tables.join(", ")
        ),
        "Where it was such a character, set the comment again at the target after the cutover.",
    )
}
