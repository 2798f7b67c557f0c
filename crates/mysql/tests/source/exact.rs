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
        let table = snapshot.tables()[0].clone();
        let result = snapshot.read_all(&table, &sender).await;
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
        let mut snapshot = source
            .exact_snapshot(std::slice::from_ref(&table))
            .await
            .expect("a snapshot");
        assert_eq!(snapshot.tables()[0].name, name());
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
    match source.exact_snapshot(std::slice::from_ref(table)).await {
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
    let fault = fault_of(&source(&server).with_lock_tries(2), &table).await;
    assert_eq!(fault.code, "SRC-030");
    assert_eq!(
        fault.message,
        "writers of table `zoo`.`log` left no gap for an exact place in the binlog"
    );
    writer.execute("COMMIT").await.expect("committed");
    let mut snapshot = source(&server)
        .exact_snapshot(std::slice::from_ref(&table))
        .await
        .expect("a snapshot");
    assert_eq!(row_count(snapshot.as_mut()).await, 2);
}

/// Behind a snapshot's place no definition change before it is looked for, so it must see them all,
/// also those that leave the columns as they are. A counter that moves is none.
#[tokio::test]
async fn a_snapshot_tells_whether_the_table_is_as_planned() {
    for flavour in FLAVOURS {
        let server = start(flavour, false).await;
        server
            .sql("CREATE DATABASE zoo; CREATE TABLE zoo.log (a INT AUTO_INCREMENT, b VARCHAR(20), KEY (a)) ENGINE=InnoDB")
            .await
            .expect("a table");
        let mut session = control(&server).await;
        let table = read_table(&mut session, &name()).await.expect("a catalog");
        let table = table.expect("the table");
        let changes = [
            ("INSERT INTO zoo.log VALUES (7, 'b')", true),
            ("ALTER TABLE zoo.log ADD KEY (b)", false),
            ("ALTER TABLE zoo.log DROP KEY b", true),
            ("ALTER TABLE zoo.log COMMENT 'c'", false),
        ];
        for (sql, expected) in changes {
            server.sql(sql).await.expect(sql);
            let snapshot = source(&server)
                .exact_snapshot(std::slice::from_ref(&table))
                .await
                .expect("a snapshot");
            let found = snapshot.is_as_planned(&table).expect("an answer");
            assert_eq!(found, expected, "{flavour:?} {sql}");
        }
    }
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

/// A family's snapshot holds all of its tables at one position.
#[tokio::test]
async fn several_tables_stand_at_one_position() {
    for (flavour, gtid) in [(Flavour::MySql97, true), (Flavour::MySql56, false)] {
        let server = start(flavour, gtid).await;
        let log = make(&server).await;
        let mut session = control(&server).await;
        let noise = TableName::new("zoo", "noise");
        let noise = read_table(&mut session, &noise).await.expect("a catalog");
        let tables = [log, noise.expect("the table")];
        let source = source(&server);
        let mut snapshot = source.exact_snapshot(&tables).await.expect("a snapshot");
        assert_eq!(snapshot.tables()[1].name, tables[1].name);
        server
            .sql("INSERT INTO zoo.log VALUES (1, 'later'); INSERT INTO zoo.noise VALUES ()")
            .await
            .expect("later rows");
        assert_eq!(row_count(snapshot.as_mut()).await, 1);
        let mut session = control(&server).await;
        session
            .execute("SET SESSION lock_wait_timeout = 1")
            .await
            .expect("a limit");
        session
            .execute("ALTER TABLE zoo.noise ADD COLUMN x INT")
            .await
            .expect_err("its definition is held as well");
    }
}

/// Waits until the server runs a statement like this.
async fn wait_for(server: &Server, statement: &str) {
    while !runs(server, statement).await {
        tokio::task::yield_now().await;
    }
}

async fn runs(server: &Server, statement: &str) -> bool {
    let mut watch = control(server).await;
    let running = format!(
        "SELECT COUNT(*) FROM information_schema.PROCESSLIST WHERE INFO LIKE '{statement}'"
    );
    let count = watch.query(&running).await.expect("processes");
    count.text(0, 0) != Some("0")
}

/// What a read of a table without transactions has seen lies before the end that is read behind
/// it, also while a commit stands between the table and the binlog.
#[tokio::test]
async fn a_table_without_transactions_is_locked_for_its_end() {
    for flavour in FLAVOURS {
        let server = start(flavour, false).await;
        server
            .sql("CREATE DATABASE zoo; CREATE TABLE zoo.m (id INT PRIMARY KEY) ENGINE=MyISAM")
            .await
            .expect("a table");
        let mut session = control(&server).await;
        let name = TableName::new("zoo", "m");
        let table = read_table(&mut session, &name).await.expect("a catalog");
        let table = table.expect("the table");
        assert!(!table.is_transactional());
        let source = super::source(&server);
        // A statement that has begun to write, and waits for the test.
        let mut gate = control(&server).await;
        gate.execute("DO GET_LOCK('gate', 60)")
            .await
            .expect("a gate");
        let mut writer = control(&server).await;
        let insert = "INSERT INTO zoo.m SELECT 1 + GET_LOCK('gate', 60)";
        let slow = tokio::spawn(async move { writer.execute(insert).await });
        let before = source.end().await.expect("an end");
        wait_for(&server, "INSERT INTO zoo.m%").await;
        let asked = tokio::spawn({
            let table = table.clone();
            let source = super::source(&server);
            async move { source.end_behind(&table).await }
        });
        while !asked.is_finished() && !runs(&server, "LOCK TABLES%").await {
            tokio::task::yield_now().await;
        }
        assert!(!asked.is_finished(), "{flavour:?}: an end beside a writer");
        gate.execute("DO RELEASE_LOCK('gate')").await.expect("open");
        slow.await.expect("a writer").expect("an insert");
        let end = asked.await.expect("no panic").expect("an end");
        assert!(
            !before.reaches(&end),
            "{flavour:?}: the insert is not covered"
        );
        let weak = weak_source(&server).await;
        let fault = weak.end_behind(&table).await.expect_err("no privilege");
        assert_eq!(fault.code, "SRC-031");
    }
}

#[tokio::test]
async fn a_table_without_key_and_transactions_is_read_under_its_lock() {
    for flavour in FLAVOURS {
        let server = start(flavour, false).await;
        server
            .sql(
                "CREATE DATABASE zoo; CREATE TABLE zoo.m (a INT) ENGINE=MyISAM; \
                 INSERT INTO zoo.m VALUES (1), (1), (NULL)",
            )
            .await
            .expect("a table");
        let mut session = control(&server).await;
        let name = TableName::new("zoo", "m");
        let table = read_table(&mut session, &name).await.expect("a catalog");
        let table = table.expect("the table");
        let source = source(&server);
        let tables = std::slice::from_ref(&table);
        let mut snapshot = source.exact_snapshot(tables).await.expect("a snapshot");
        let insert = "INSERT INTO zoo.m VALUES (2)";
        let mut writer = control(&server).await;
        let waiting = tokio::spawn(async move {
            writer.execute(insert).await.expect("it is given back");
            writer
        });
        wait_for(&server, "INSERT INTO zoo.m%").await;
        assert_eq!(row_count(snapshot.as_mut()).await, 3);
        let mut writer = waiting.await.expect("a writer");

        // A reader that does not keep up loses the table, not the writers.
        let mut snapshot = source.exact_snapshot(tables).await.expect("a snapshot");
        let (sender, receiver) = row_pipe(&Budget::new(1));
        let mut batch = wherry_model::RowBatch::default();
        batch.push_encoded(wherry_model::Row::from_values([None]).encoded());
        assert!(sender.send(batch).await, "the pipe is full now");
        let fault = snapshot
            .read_all(&table, &sender)
            .await
            .expect_err("out of time");
        assert_eq!(fault.code, "SRC-035");
        drop((snapshot, receiver));
        writer.execute(insert).await.expect("it is given back");
    }
}
