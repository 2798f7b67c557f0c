//! The target on real servers: fencing, load, apply, exact changes and the DDL road.

mod apply;
mod databases;
mod definition;
mod exact;
mod fence;
mod load;
mod names;
mod objects;
mod skipped;
mod state;
mod try_out;

use std::sync::Arc;
use std::time::Duration;
use wherry_engine::pipe::{Budget, RowReceiver, row_pipe};
use wherry_engine::ports::{Catalog, Target};
use wherry_engine::state::{Checkpoint, TableStage, TableState};
use wherry_model::task::SelectSpec;
use wherry_model::{Change, ChangeKind, Position, Row, RowBatch, Table, TableName};
use wherry_mysql::ServerVersion;
use wherry_mysql::catalog::read_table;
use wherry_mysql::names::Names;
use wherry_mysql::session::{Endpoint, Secret, Session, SessionKind};
use wherry_mysql::target::{MysqlTarget, TargetOptions};
use wherry_testkit::{Flavour, Server, ServerOptions};

async fn start(flavour: Flavour) -> Server {
    start_with(flavour, &[]).await
}

async fn start_with(flavour: Flavour, arguments: &[&str]) -> Server {
    let options = ServerOptions {
        arguments: arguments.iter().map(|&text| text.to_owned()).collect(),
        ..ServerOptions::default()
    };
    Server::start(flavour, options).await.expect("a server")
}

fn endpoint(server: &Server) -> Endpoint {
    let mut endpoint = Endpoint::new("127.0.0.1", server.port(), "mover");
    endpoint.password = Some(Secret::new("mover"));
    endpoint
}

async fn version(server: &Server) -> ServerVersion {
    let session = control(server).await;
    session.version().clone()
}

async fn control(server: &Server) -> Session {
    Session::connect(&endpoint(server), SessionKind::Control)
        .await
        .expect("a session")
}

/// A target for task `t`, not claimed yet. The source is a server of the same version.
async fn unclaimed(server: &Server) -> MysqlTarget {
    let options = TargetOptions {
        task: "t".to_owned(),
        state_database: "wherry".to_owned(),
        workers: 2,
        writers: 2,
        source_version: version(server).await,
        select: SelectSpec::default(),
    };
    let select = SelectSpec {
        databases: vec!["d".to_owned()],
        ..SelectSpec::default()
    };
    let names = Arc::new(Names::new(&select, endpoint(server)));
    MysqlTarget::with_names(endpoint(server), options, names)
}

/// A claimed target whose task is stored, with its first checkpoint.
async fn claimed(server: &Server) -> MysqlTarget {
    let target = unclaimed(server).await;
    target.claim().await.expect("a claim");
    target.create_task("source").await.expect("a task");
    target.set_checkpoint(&at(1)).await.expect("a checkpoint");
    target
}

/// A catalog of these tables, whose databases nobody asks for.
fn catalog_of(tables: &[Table]) -> Catalog {
    Catalog {
        databases: Vec::new(),
        tables: tables.to_vec(),
        refused: Vec::new(),
    }
}

fn position(number: u64) -> Position {
    Position::new("bin.000001", number * 100, None)
}

fn at(number: u64) -> Checkpoint {
    Checkpoint::at(position(number))
}

/// Makes a table by SQL and plans it, so that the target follows it from position 1 on.
async fn planned(server: &Server, target: &MysqlTarget, name: &str, body: &str) -> Arc<Table> {
    server
        .sql(&format!(
            "CREATE DATABASE IF NOT EXISTS d; CREATE TABLE d.{name} ({body}) ENGINE=InnoDB DEFAULT CHARACTER SET utf8mb4"
        ))
        .await
        .expect("a table");
    let table = read(server, name).await;
    let state = TableState {
        table: table.as_ref().clone(),
        start: position(1),
        stage: TableStage::Complete,
        stopped: None,
        lane: None,
    };
    target.plan_table(&state).await.expect("a plan");
    table
}

async fn read(server: &Server, name: &str) -> Arc<Table> {
    let mut session = control(server).await;
    let name = TableName::new("d", name);
    let table = read_table(&mut session, &name).await.expect("a catalog");
    Arc::new(table.expect("a table"))
}

fn row(values: &[&str]) -> Row {
    Row::from_values(values.iter().map(|&value| match value {
        "NULL" => None,
        other => Some(other.as_bytes()),
    }))
}

/// Identities as a decoder would attach them: one for each value of each unique key.
fn identities(table: &Table, images: &[&Row]) -> Vec<u64> {
    let mut found = Vec::new();
    for (index, key) in table.keys.iter().enumerate().filter(|(_, key)| key.unique) {
        for image in images {
            let values: Vec<Option<&[u8]>> = key
                .parts
                .iter()
                .map(|part| image.get(part.column).flatten())
                .collect();
            if values.iter().all(Option::is_some) {
                let text = format!("{index} {values:?}");
                found.push(hash(&text));
            }
        }
    }
    found.sort_unstable();
    found.dedup();
    found
}

fn hash(text: &str) -> u64 {
    use std::hash::{DefaultHasher, Hash, Hasher};
    let mut hasher = DefaultHasher::new();
    text.hash(&mut hasher);
    hasher.finish()
}

fn insert(table: &Arc<Table>, after: &[&str]) -> Change {
    let after = row(after);
    Change {
        table: Arc::clone(table),
        identities: identities(table, &[&after]),
        unchecked: false,
        kind: ChangeKind::Insert { after },
    }
}

fn update(table: &Arc<Table>, before: &[&str], after: &[&str]) -> Change {
    let (before, after) = (row(before), row(after));
    Change {
        table: Arc::clone(table),
        identities: identities(table, &[&before, &after]),
        unchecked: false,
        kind: ChangeKind::Update { before, after },
    }
}

fn delete(table: &Arc<Table>, before: &[&str]) -> Change {
    let before = row(before);
    Change {
        table: Arc::clone(table),
        identities: identities(table, &[&before]),
        unchecked: false,
        kind: ChangeKind::Delete { before },
    }
}

/// A pipe that already holds these rows.
async fn rows(rows: &[Row]) -> RowReceiver {
    let (sender, receiver) = row_pipe(&Budget::new(64 << 20));
    let mut batch = RowBatch::default();
    for row in rows {
        batch.push_encoded(row.encoded());
    }
    assert!(sender.send(batch).await);
    receiver
}

/// What a query gives, rows joined by `;` and values by `,`.
async fn show(server: &Server, query: &str) -> String {
    let rows = server.rows(query).await.expect("rows");
    rows.iter()
        .map(|row| {
            row.iter()
                .map(|value| value.clone().unwrap_or_else(|| "NULL".to_owned()))
                .collect::<Vec<_>>()
                .join(",")
        })
        .collect::<Vec<_>>()
        .join(";")
}
