//! Exact snapshots stand exactly where they say, with writers that do not stop.

use super::{FLAVOURS, control, endpoint, source, start};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;
use wherry_engine::pipe::{Budget, row_pipe};
use wherry_engine::ports::{ExactSnapshot, Source};
use wherry_model::{Fault, Table, TableName};
use wherry_mysql::catalog::read_table;
use wherry_mysql::session::{Secret, Session, SessionKind};
use wherry_mysql::source::{MysqlSource, SourceOptions};
use wherry_testkit::{Flavour, Server};

const WRITERS: usize = 3;

const SNAPSHOTS: usize = 4;

fn name() -> TableName {
    TableName::new("zoo", "log")
}

async fn make(server: &Server) -> Table {
    server
        .sql(
            "CREATE DATABASE zoo; CREATE TABLE zoo.log (a INT, b VARCHAR(20)) ENGINE=InnoDB; \
             CREATE TABLE zoo.noise (id INT AUTO_INCREMENT PRIMARY KEY) ENGINE=InnoDB; \
             INSERT INTO zoo.log VALUES (0, 'first')",
        )
        .await
        .expect("tables");
    let mut session = control(server).await;
    let table = read_table(&mut session, &name()).await.expect("a catalog");
    table.expect("the table")
}

/// Writers that insert single rows until told to stop.
fn write(
    server: &Server,
    pause: Duration,
    stop: &Arc<AtomicBool>,
) -> Vec<tokio::task::JoinHandle<()>> {
    let one = |writer: usize| {
        let (endpoint, stop) = (endpoint(server), Arc::clone(stop));
        tokio::spawn(async move {
            let mut session = Session::connect(&endpoint, SessionKind::Control)
                .await
                .expect("a writer");
            for number in 0.. {
                if stop.load(Ordering::Relaxed) {
                    break;
                }
                let sql = format!("INSERT INTO zoo.log VALUES ({number}, 'w{writer}')");
                session.execute(sql).await.expect("an insert");
                session
                    .execute("INSERT INTO zoo.noise VALUES ()")
                    .await
                    .expect("an insert");
                tokio::time::sleep(pause).await;
            }
        })
    };
    (0..WRITERS).map(one).collect()
}

async fn row_count(snapshot: &mut dyn ExactSnapshot) -> u64 {
    let (sender, mut receiver) = row_pipe(&Budget::new(1 << 20));
    let send = async {
        let result = snapshot.read_all(&sender).await;
        drop(sender);
        result
    };
    let receive = async {
        let mut count = 0;
        while let Some(batch) = receiver.next().await.expect("no fault") {
            count += batch.row_count() as u64;
        }
        count
    };
    let (sent, count) = tokio::join!(send, receive);
    sent.expect("the rows");
    count
}

async fn number(server: &Server, sql: &str) -> u64 {
    let value = server.value(sql).await.expect("a number");
    value.expect("a value").parse().expect("a number")
}

/// An account that may replicate and read, and not lock.
async fn weak_source(server: &Server) -> MysqlSource {
    server
        .sql(
            "CREATE USER weak@'%' IDENTIFIED BY 'weak'; GRANT SELECT ON zoo.* TO weak@'%'; \
             GRANT REPLICATION SLAVE, REPLICATION CLIENT ON *.* TO weak@'%'",
        )
        .await
        .expect("an account");
    let mut weak = endpoint(server);
    weak.user = "weak".to_owned();
    weak.password = Some(Secret::new("weak"));
    MysqlSource::new(weak, SourceOptions { readers: 1 })
}

async fn check(flavour: Flavour, gtid: bool, may_lock: bool, pause: Duration) {
    check_on(&start(flavour, gtid).await, may_lock, pause).await;
}

async fn check_on(server: &Server, may_lock: bool, pause: Duration) {
    let table = make(server).await;
    let source = if may_lock {
        source(server)
    } else {
        weak_source(server).await
    };
    let stop = Arc::new(AtomicBool::new(false));
    let writers = write(server, pause, &stop);
    let mut seen = Vec::new();
    for _ in 0..SNAPSHOTS {
        let mut snapshot = source.exact_snapshot(&table).await.expect("a snapshot");
        assert_eq!(snapshot.table().name, name());
        // Writers go on before and while the rows are read.
        tokio::time::sleep(pause + Duration::from_millis(50)).await;
        let position = snapshot.position().clone();
        seen.push((position, row_count(snapshot.as_mut()).await));
    }
    stop.store(true, Ordering::Relaxed);
    for writer in writers {
        writer.await.expect("a writer");
    }
    let all = number(server, "SELECT COUNT(*) FROM zoo.log").await;
    assert!(
        seen.last().is_some_and(|(_, count)| *count < all),
        "nothing was written meanwhile"
    );
    for (position, count) in seen {
        // The server's own listing is the oracle: one table map for each later insert.
        let sql = format!(
            "SHOW BINLOG EVENTS IN '{}' FROM {}",
            position.file, position.offset
        );
        let events = server.rows(&sql).await.expect("events");
        let later = events
            .iter()
            .filter(|event| {
                event[5]
                    .as_deref()
                    .is_some_and(|info| info.contains("(zoo.log)"))
            })
            .filter(|event| event[2].as_deref() == Some("Table_map"))
            .count() as u64;
        assert_eq!(count + later, all, "{:?} at {position}", server.flavour());
    }
}

#[tokio::test]
async fn a_snapshot_stands_at_its_position_by_gtid() {
    check(Flavour::MySql97, true, false, Duration::from_millis(800)).await;
}

#[tokio::test]
async fn writers_without_a_pause_are_held_back_by_a_lock() {
    check(Flavour::MySql97, true, true, Duration::ZERO).await;
}

#[tokio::test]
async fn a_snapshot_stands_at_its_position_by_lock() {
    for flavour in FLAVOURS {
        check(flavour, false, true, Duration::ZERO).await;
    }
}

async fn fault_of(source: &MysqlSource, table: &Table) -> Fault {
    match source.exact_snapshot(table).await {
        Ok(_) => panic!("a snapshot"),
        Err(fault) => fault,
    }
}

#[tokio::test]
async fn a_snapshot_that_cannot_be_had_says_why() {
    for flavour in FLAVOURS {
        let server = start(flavour, false).await;
        let table = make(&server).await;
        let weak = weak_source(&server).await;
        let fault = fault_of(&weak, &table).await;
        assert_eq!(fault.code, "SRC-031", "{fault:?}");
        assert!(
            fault.hint.contains("LOCK TABLES on `zoo`.*"),
            "{}",
            fault.hint
        );

        server.sql("DROP TABLE zoo.log").await.expect("dropped");
        let fault = fault_of(&source(&server), &table).await;
        assert_eq!(fault.code, "SRC-032", "{fault:?}");
    }
}

#[tokio::test]
async fn an_open_transaction_leaves_no_gap() {
    let server = start(Flavour::MySql97, false).await;
    let table = make(&server).await;
    let mut writer = control(&server).await;
    writer.execute("START TRANSACTION").await.expect("open");
    writer
        .execute("INSERT INTO zoo.log VALUES (1, 'open')")
        .await
        .expect("a row");
    let fault = fault_of(&source(&server), &table).await;
    assert_eq!(fault.code, "SRC-030");
    assert_eq!(
        fault.message,
        "table `zoo`.`log` has no key, and writers left no gap for an exact start"
    );
    writer.execute("COMMIT").await.expect("committed");
    let mut snapshot = source(&server)
        .exact_snapshot(&table)
        .await
        .expect("a snapshot");
    assert_eq!(row_count(snapshot.as_mut()).await, 2);
}

#[tokio::test]
async fn changes_inside_compressed_transactions_are_seen() {
    let server = start(Flavour::MySql97, true).await;
    server
        .sql("SET GLOBAL binlog_transaction_compression = ON")
        .await
        .expect("compression");
    check_on(&server, true, Duration::from_millis(10)).await;
    let events = server.rows("SHOW BINLOG EVENTS").await.expect("events");
    let is_payload =
        |event: &Vec<Option<String>>| event[2].as_deref() == Some("Transaction_payload");
    assert!(events.iter().any(is_payload), "nothing was compressed");
}
