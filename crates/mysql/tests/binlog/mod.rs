//! The binlog against real servers: values, transactions, definitions, lost connections.

mod definitions;
mod identities;
mod json;
mod transactions;
mod values;
mod xa;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;
use wherry_engine::pipe::{Budget, row_pipe};
use wherry_engine::ports::{ChangeStream, RowReader, StreamItem};
use wherry_engine::state::{Checkpoint, KeyRange};
use wherry_model::task::{SelectSpec, TlsMode};
use wherry_model::{Change, ChangeKind, Fault, Position, Row, Table, TableName};
use wherry_mysql::binlog::{self, MysqlStream, StreamOptions};
use wherry_mysql::catalog::read_table;
use wherry_mysql::reader::{Origin, TableReader};
use wherry_mysql::session::{Endpoint, Pool, Secret, Session, SessionKind};
use wherry_testkit::{Flavour, Server, ServerOptions};

const ALL: [Flavour; 3] = [Flavour::MySql97, Flavour::MySql56, Flavour::MariaDb];

/// No single item takes so long on a quiet machine; a hung stream fails with its name.
const ITEM_TIME_MAX: Duration = Duration::from_secs(60);

async fn start(flavour: Flavour, gtid: bool, arguments: &[&str]) -> Server {
    let options = ServerOptions {
        gtid,
        arguments: arguments.iter().map(|text| (*text).to_owned()).collect(),
        ..ServerOptions::default()
    };
    let server = Server::start(flavour, options).await.expect("a server");
    server.sql("CREATE DATABASE d").await.expect("a database");
    server
}

fn endpoint(server: &Server) -> Endpoint {
    let mut endpoint = Endpoint::new("127.0.0.1", server.port(), "mover");
    endpoint.password = Some(Secret::new("mover"));
    endpoint.tls.mode = TlsMode::Preferred;
    endpoint
}

fn selection() -> SelectSpec {
    SelectSpec {
        databases: vec!["d".to_owned()],
        ..SelectSpec::default()
    }
}

async fn table(server: &Server, name: &str) -> Table {
    let mut session = Session::connect(&endpoint(server), SessionKind::Control)
        .await
        .expect("a session");
    read_table(&mut session, &TableName::new("d", name))
        .await
        .expect("a readable catalog")
        .expect("the table")
}

async fn start_of(server: &Server) -> Position {
    binlog::start(&endpoint(server)).await.expect("a start")
}

async fn end_of(server: &Server) -> Position {
    binlog::end(&endpoint(server)).await.expect("an end")
}

async fn open(server: &Server, from: &Checkpoint) -> MysqlStream {
    open_with(server, from, StreamOptions::PART_BYTES_MAX).await
}

async fn open_with(server: &Server, from: &Checkpoint, part_bytes_max: usize) -> MysqlStream {
    let options = StreamOptions {
        part_bytes_max,
        ..StreamOptions::usual()
    };
    MysqlStream::open(&endpoint(server), from, &selection(), options)
        .await
        .expect("a stream")
}

/// A stream of what happens to these tables from now on, and where that is.
async fn follow(server: &Server, names: &[&str]) -> (MysqlStream, Position) {
    follow_with(server, names, StreamOptions::PART_BYTES_MAX).await
}

async fn follow_with(
    server: &Server,
    names: &[&str],
    part_bytes_max: usize,
) -> (MysqlStream, Position) {
    let here = end_of(server).await;
    let from = Checkpoint {
        read_from: start_of(server).await,
        applied_to: here.clone(),
    };
    let mut stream = open_with(server, &from, part_bytes_max).await;
    track(&mut stream, server, &here, names).await;
    (stream, here)
}

/// Tracks tables of the server's present catalog from `start` on.
async fn track(stream: &mut MysqlStream, server: &Server, start: &Position, names: &[&str]) {
    for name in names {
        stream.track(Arc::new(table(server, name).await), start.clone());
    }
}

async fn next(stream: &mut MysqlStream) -> Result<StreamItem, Fault> {
    tokio::time::timeout(ITEM_TIME_MAX, stream.next())
        .await
        .expect("an item in time")
}

/// Where the stream stands behind an item, unless that is inside a transaction.
fn behind(item: &StreamItem) -> Option<&Position> {
    match item {
        StreamItem::Changes(part) if part.last => Some(&part.checkpoint.applied_to),
        StreamItem::Passed { checkpoint, .. } => Some(&checkpoint.applied_to),
        StreamItem::Ddl(ddl) => Some(&ddl.end),
        StreamItem::Changes(_) | StreamItem::Refused { .. } => None,
    }
}

/// The next item that is not a passing checkpoint.
async fn next_telling(stream: &mut MysqlStream) -> Result<StreamItem, Fault> {
    loop {
        let item = next(stream).await?;
        if !matches!(item, StreamItem::Passed { .. }) {
            return Ok(item);
        }
    }
}

/// Every item up to `end`, without those that only pass.
async fn items_until(stream: &mut MysqlStream, end: &Position) -> Vec<StreamItem> {
    let mut items = Vec::new();
    loop {
        let item = next(stream).await.expect("an item");
        let done = behind(&item).is_some_and(|position| position.reaches(end));
        if !matches!(item, StreamItem::Passed { .. }) {
            items.push(item);
        }
        if done {
            return items;
        }
    }
}

async fn changes_until(stream: &mut MysqlStream, end: &Position) -> Vec<Change> {
    let mut changes = Vec::new();
    for item in items_until(stream, end).await {
        match item {
            StreamItem::Changes(part) => changes.extend(part.changes),
            other => panic!("unexpected {other:?}"),
        }
    }
    changes
}

/// The checkpoint of the last whole transaction up to `end`, with the changes up to there.
async fn checkpoint_at(stream: &mut MysqlStream, end: &Position) -> (Checkpoint, Vec<String>) {
    let mut seen = Vec::new();
    loop {
        let checkpoint = match next(stream).await.expect("an item") {
            StreamItem::Changes(part) => {
                seen.extend(sketches(&part.changes));
                part.checkpoint
            }
            StreamItem::Passed { checkpoint, .. } => checkpoint,
            other => panic!("unexpected {other:?}"),
        };
        if checkpoint.applied_to.reaches(end) {
            return (checkpoint, seen);
        }
    }
}

/// The value of a column as text, for assertions.
fn text(row: &Row, column: usize) -> String {
    match row.get(column) {
        Some(Some(value)) => String::from_utf8_lossy(value).into_owned(),
        Some(None) => "NULL".to_owned(),
        None => "absent".to_owned(),
    }
}

/// `+1`, `-1` or `1>2`, by the first column.
fn sketch(change: &Change) -> String {
    match &change.kind {
        ChangeKind::Insert { after } => format!("+{}", text(after, 0)),
        ChangeKind::Delete { before } => format!("-{}", text(before, 0)),
        ChangeKind::Update { before, after } => {
            format!("{}>{}", text(before, 0), text(after, 0))
        }
    }
}

fn sketches(changes: &[Change]) -> Vec<String> {
    changes.iter().map(sketch).collect()
}

/// Rows by their first column, as changes leave them. Checks every before image on the way.
fn replay(changes: &[Change]) -> BTreeMap<u64, Row> {
    let mut rows = BTreeMap::new();
    let id = |row: &Row| text(row, 0).parse::<u64>().expect("a numeric first column");
    for change in changes {
        if let Some(before) = change.before() {
            assert_eq!(rows.remove(&id(before)).as_ref(), Some(before));
        }
        if let Some(after) = change.after() {
            rows.insert(id(after), after.clone());
        }
    }
    rows
}

/// Every row of a table as the load reads it, by its first column.
async fn loaded(server: &Server, table: &Table) -> BTreeMap<u64, Row> {
    let reader = TableReader::new(
        Pool::new(endpoint(server), SessionKind::Read, 1),
        Origin::Source,
    );
    let (sender, mut receiver) = row_pipe(&Budget::new(64 << 20));
    let all = KeyRange::all();
    let read = async {
        reader
            .read_range(table, &all, &sender)
            .await
            .expect("readable rows");
        drop(sender);
    };
    let receive = async {
        let mut rows = BTreeMap::new();
        while let Some(batch) = receiver.next().await.expect("a batch") {
            for encoded in batch.iter() {
                let row = Row::from_encoded(bytes::Bytes::copy_from_slice(encoded));
                rows.insert(text(&row, 0).parse().expect("a number"), row);
            }
        }
        rows
    };
    tokio::join!(read, receive).1
}
