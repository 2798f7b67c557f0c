//! Transactions: borders, parts, resuming, lost connections, and what is refused.

use super::{
    ALL, changes_until, checkpoint_at, end_of, endpoint, follow, follow_with, items_until, loaded,
    next, next_telling, open, replay, selection, sketches, start, start_of, table, text, track,
};
use mysql_async::prelude::Queryable;
use std::sync::Arc;
use wherry_engine::ports::{ChangeStream, StreamItem};
use wherry_engine::state::Checkpoint;
use wherry_model::ColumnKind;
use wherry_mysql::binlog::{MysqlStream, StreamOptions};
use wherry_testkit::{Flavour, Server};

const TABLES: &str = "CREATE TABLE d.t (id INT PRIMARY KEY, v VARCHAR(20)) ENGINE=InnoDB;
    CREATE TABLE d.u (id INT PRIMARY KEY, v VARCHAR(20)) ENGINE=InnoDB;
    CREATE DATABASE other; CREATE TABLE other.t (id INT PRIMARY KEY) ENGINE=InnoDB;";

/// Every flavour, with and without GTIDs; MariaDB always has them.
fn lanes() -> Vec<(Flavour, bool)> {
    vec![
        (Flavour::MySql97, true),
        (Flavour::MySql97, false),
        (Flavour::MySql56, true),
        (Flavour::MySql56, false),
        (Flavour::MariaDb, true),
    ]
}

const WORK: &[&str] = &[
    "BEGIN; INSERT INTO d.t VALUES (1,'a'),(2,'b'); UPDATE d.t SET id=3 WHERE id=2; DELETE FROM d.t WHERE id=1; COMMIT",
    "INSERT INTO other.t VALUES (1)",
    "BEGIN; INSERT INTO d.t VALUES (10,''); SAVEPOINT s; INSERT INTO d.t VALUES (11,''); ROLLBACK TO s; INSERT INTO d.u VALUES (12,''); COMMIT",
    "BEGIN; INSERT INTO d.t VALUES (20,''); ROLLBACK",
    "GRANT SELECT ON *.* TO 'mover'@'%'",
    "ANALYZE TABLE d.t",
    "CREATE TEMPORARY TABLE d.tmp (id INT); INSERT INTO d.tmp VALUES (1); DROP TEMPORARY TABLE d.tmp",
    "FLUSH LOGS",
    "INSERT INTO d.t VALUES (30,'x') ON DUPLICATE KEY UPDATE v='y'",
    "REPLACE INTO d.t VALUES (30,'z')",
    "BEGIN; INSERT INTO other.t VALUES (2); INSERT INTO d.u VALUES (31,''); COMMIT",
];

const EXPECTED: &[&[&str]] = &[
    &["+1", "+2", "2>3", "-1"],
    &["+10", "+12"],
    &["+30"],
    &["30>30"],
    &["+31"],
];

/// Rolled back, and yet in part in the binlog or in part still in the tables.
const TAKEN_BACK: &[&str] = &[
    "BEGIN; INSERT INTO d.t VALUES (1,''); SAVEPOINT `A b`; INSERT INTO d.t VALUES (2,''); CREATE TEMPORARY TABLE d.x (a INT); INSERT INTO d.t VALUES (3,''); ROLLBACK TO `a B`; INSERT INTO d.t VALUES (4,''); COMMIT",
    "BEGIN; INSERT INTO d.t VALUES (11,''); SAVEPOINT a; INSERT INTO d.t VALUES (12,''); INSERT INTO d.m VALUES (12,''); SAVEPOINT b; UPDATE d.t, d.m SET d.t.v='x', d.m.v='x'; ROLLBACK TO b; ROLLBACK TO a; COMMIT",
    "BEGIN; INSERT INTO d.t VALUES (21,''); INSERT INTO d.m VALUES (21,''); DELETE d.t, d.m FROM d.t JOIN d.m WHERE d.m.id=21; ROLLBACK",
    "BEGIN; INSERT INTO d.m VALUES (31,''); CREATE TEMPORARY TABLE d.y (a INT); INSERT INTO d.t VALUES (31,''); ROLLBACK",
    "UPDATE d.t, d.m SET d.t.v='y', d.m.v='y'",
    "INSERT INTO d.m VALUES (41,''); DELETE FROM d.m WHERE id=12",
];

/// Case 112 to 114: groups that end with a COMMIT statement or with a rollback, and savepoints.
#[tokio::test(flavor = "multi_thread")]
async fn what_was_rolled_back_is_taken_back_and_nothing_else() {
    for flavour in ALL {
        let server = start(flavour, false, &[]).await;
        server.sql(TABLES).await.expect("tables");
        let engine = "CREATE TABLE d.m (id INT PRIMARY KEY, v VARCHAR(20)) ENGINE=MyISAM";
        server.sql(engine).await.expect("a table");
        let (mut stream, _) = follow(&server, &["t", "m"]).await;
        for statements in TAKEN_BACK {
            server.sql(statements).await.expect(statements);
        }
        // The rows before the one that fails stay, and are logged.
        let half = "INSERT INTO d.m VALUES (51,''),(52,''),(41,''),(53,'')";
        server.sql(half).await.expect_err("a duplicate key");
        let changes = changes_until(&mut stream, &end_of(&server).await).await;
        for name in ["t", "m"] {
            let table = table(&server, name).await;
            let of_table = |change: &&wherry_model::Change| change.table.name == table.name;
            let changes: Vec<_> = changes.iter().filter(of_table).cloned().collect();
            let rows = replay(&changes);
            assert_eq!(rows, loaded(&server, &table).await, "{flavour:?} {name}");
            assert!(rows.len() >= 3, "{flavour:?} {name}: {}", rows.len());
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn transactions_come_whole_and_in_order() {
    for (flavour, gtid) in lanes() {
        let server = start(flavour, gtid, &[]).await;
        server.sql(TABLES).await.expect("tables");
        let (mut stream, here) = follow(&server, &["t", "u"]).await;
        for statements in WORK {
            server.sql(statements).await.expect(statements);
        }
        let end = end_of(&server).await;
        let mut checkpoints = vec![Checkpoint::at(here)];
        let mut seen: Vec<Vec<String>> = Vec::new();
        for item in items_until(&mut stream, &end).await {
            match item {
                StreamItem::Changes(part) => {
                    assert!(part.last);
                    assert!(part.committed_at_us > 1_600_000_000_000_000);
                    assert_eq!(part.checkpoint.read_from, part.checkpoint.applied_to);
                    seen.push(sketches(&part.changes));
                    checkpoints.push(part.checkpoint);
                }
                other => panic!("{flavour:?} {gtid}: unexpected {other:?}"),
            }
        }
        assert_eq!(seen, EXPECTED, "{flavour:?} {gtid}");
        let last = checkpoints.last().expect("checkpoints").applied_to.clone();
        assert_eq!(last.gtids.is_some(), gtid, "{flavour:?}");
        if gtid && flavour != Flavour::MariaDb {
            let executed = server
                .value("SELECT @@GLOBAL.gtid_executed")
                .await
                .expect("a set");
            let executed = executed.unwrap_or_default().replace('\n', "");
            assert_eq!(
                last.gtids.as_deref(),
                Some(executed.as_str()),
                "{flavour:?}"
            );
        }
        resume_everywhere(&server, &checkpoints[1..], &end).await;
    }
}

/// From each checkpoint on, exactly the transactions behind it come again.
async fn resume_everywhere(
    server: &Server,
    checkpoints: &[Checkpoint],
    end: &wherry_model::Position,
) {
    for (index, checkpoint) in checkpoints.iter().enumerate().take(checkpoints.len() - 1) {
        let mut stream = open(server, checkpoint).await;
        let start = checkpoint.applied_to.clone();
        track(&mut stream, server, &start, &["t", "u"]).await;
        let (_, seen) = checkpoint_at(&mut stream, end).await;
        assert_eq!(seen, EXPECTED[index + 1..].concat());
    }
}

const BIG_ROW_COUNT: usize = 400;

/// A transaction larger than what is read ahead, cut off in its middle.
#[tokio::test(flavor = "multi_thread")]
async fn a_big_transaction_survives_lost_connections() {
    for (flavour, gtid, compressed) in [
        (Flavour::MySql97, true, true),
        (Flavour::MySql97, false, false),
        (Flavour::MySql56, false, false),
        (Flavour::MariaDb, true, false),
    ] {
        let arguments: &[&str] = if compressed {
            &[
                "--binlog-transaction-compression=ON",
                "--max-allowed-packet=1G",
            ]
        } else {
            &[]
        };
        let server = start(flavour, gtid, arguments).await;
        server
            .sql("CREATE TABLE d.t (id INT PRIMARY KEY, v LONGBLOB); CREATE TABLE d.unwanted (id INT)")
            .await
            .expect("tables");
        let (mut stream, _) = follow_with(&server, &["t"], 1 << 20).await;
        let mut connection = server.connect().await.expect("a connection");
        connection.query_drop("BEGIN").await.expect("a transaction");
        for id in 0..BIG_ROW_COUNT {
            // Hard to compress, so that compressed transactions are large as well.
            let insert = format!("INSERT INTO d.t SELECT {id}, REPEAT(SHA2({id}, 512), 800)");
            connection.query_drop(insert).await.expect("a row");
        }
        // There is a place to be told that lies right before the transaction.
        let unwanted = "INSERT INTO d.unwanted VALUES (1)";
        server.sql(unwanted).await.expect("an unwanted row");
        connection.query_drop("COMMIT").await.expect("a commit");
        server
            .sql("INSERT INTO d.t VALUES (1000, 'behind')")
            .await
            .expect("a row");
        let end = end_of(&server).await;

        let seen = parts_until(&mut stream, &server, &end).await;
        let mut expected: Vec<String> = (0..BIG_ROW_COUNT).map(|id| format!("+{id}")).collect();
        expected.push("+1000".to_owned());
        assert_eq!(seen, expected, "{flavour:?} {gtid}");
        if compressed {
            continue;
        }
        // Reading goes on behind the statement then, which stands in the transaction of its rows.
        let create = "CREATE TABLE d.made (id INT PRIMARY KEY) SELECT * FROM d.t ORDER BY id";
        server.sql(create).await.expect("a table with rows");
        let end = end_of(&server).await;
        let ddl = loop {
            match next(&mut stream).await.expect("an item") {
                StreamItem::Ddl(ddl) => break ddl,
                StreamItem::Passed { .. } => {}
                other => panic!("unexpected {other:?}"),
            }
        };
        track(&mut stream, &server, &ddl.end, &["made"]).await;
        let seen = parts_until(&mut stream, &server, &end).await;
        assert_eq!(seen, expected, "{flavour:?} {gtid}");
        connection.disconnect().await.expect("a goodbye");
    }
}

/// What comes until then, in parts and over lost connections. No place is told between two parts.
async fn parts_until(
    stream: &mut MysqlStream,
    server: &Server,
    end: &wherry_model::Position,
) -> Vec<String> {
    let (mut seen, mut parts, mut is_inside) = (Vec::new(), 0, false);
    loop {
        match next(stream).await.expect("an item") {
            StreamItem::Changes(part) => {
                seen.extend(sketches(&part.changes));
                parts += 1;
                is_inside = !part.last;
                if parts == 3 || parts == 25 {
                    assert!(is_inside);
                    kill_dumps(server, parts == 3).await;
                }
                if part.last && part.checkpoint.applied_to.reaches(end) {
                    assert!(parts > 20, "{parts}");
                    return seen;
                }
            }
            StreamItem::Passed { .. } => assert!(!is_inside, "behind part {parts}"),
            other => panic!("unexpected {other:?}"),
        }
    }
}

/// Ends every dump. Waits until there is one, unless what was read ahead may not be used up.
async fn kill_dumps(server: &Server, wait: bool) {
    for _ in 0..200 {
        let mut killed = false;
        for row in server.rows("SHOW PROCESSLIST").await.expect("connections") {
            let command = row[4].clone().unwrap_or_default();
            if command.starts_with("Binlog Dump") {
                let id = row[0].clone().unwrap_or_default();
                killed |= server.sql(&format!("KILL {id}")).await.is_ok();
            }
        }
        if killed || !wait {
            return;
        }
        tokio::time::sleep(std::time::Duration::from_millis(50)).await;
    }
    panic!("no dump to kill");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_stream_outlives_a_crash_of_the_source() {
    for flavour in ALL {
        let server = start(flavour, true, &["--sync-binlog=1"]).await;
        server.sql(TABLES).await.expect("tables");
        let (mut stream, _) = follow(&server, &["t"]).await;
        server
            .sql("INSERT INTO d.t VALUES (1,'')")
            .await
            .expect("a row");
        let (_, seen) = checkpoint_at(&mut stream, &end_of(&server).await).await;
        assert_eq!(seen, ["+1"]);
        server.kill9().expect("a kill");
        server.restart().await.expect("a restart");
        server
            .sql("INSERT INTO d.t VALUES (2,'')")
            .await
            .expect("a row");
        let (_, seen) = checkpoint_at(&mut stream, &end_of(&server).await).await;
        assert_eq!(seen, ["+2"], "{flavour:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn tagged_gtids_find_their_place() {
    let server = start(Flavour::MySql97, true, &[]).await;
    server.sql(TABLES).await.expect("tables");
    let (mut stream, _) = follow(&server, &["t"]).await;
    server
        .sql("SET gtid_next='AUTOMATIC:mytag'; INSERT INTO d.t VALUES (1,''); INSERT INTO d.t VALUES (2,''); SET gtid_next='AUTOMATIC'; FLUSH LOGS")
        .await
        .expect("rows");
    let (checkpoint, seen) = checkpoint_at(&mut stream, &end_of(&server).await).await;
    assert_eq!(seen, ["+1", "+2"]);
    let gtids = checkpoint.applied_to.gtids.clone().unwrap_or_default();
    assert!(gtids.ends_with(":mytag:1-2"), "{gtids}");
    let begin = start_of(&server).await;
    assert_eq!(begin.gtids, checkpoint.applied_to.gtids);
    server
        .sql("INSERT INTO d.t VALUES (3,'')")
        .await
        .expect("a row");
    let mut stream = open(&server, &checkpoint).await;
    track(&mut stream, &server, &checkpoint.applied_to, &["t"]).await;
    let (_, seen) = checkpoint_at(&mut stream, &end_of(&server).await).await;
    assert_eq!(seen, ["+3"]);
}

async fn refused_code(stream: &mut MysqlStream) -> (&'static str, String) {
    match next_telling(stream).await.expect("an item") {
        StreamItem::Refused { fault, .. } => (fault.code, format!("{:?}", fault.scope)),
        other => panic!("unexpected {other:?}"),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_cannot_be_carried_stops_its_table_once() {
    let minimal = "SET binlog_row_image='MINIMAL'; UPDATE d.u SET v='n'; UPDATE d.u SET v='m'";
    let statement = "SET binlog_format='STATEMENT'; UPDATE d.u SET v='n'; UPDATE d.u SET v='m'";
    for (flavour, statements, table, code) in [
        (Flavour::MySql97, minimal, "u", "BIN-012"),
        (Flavour::MySql56, minimal, "u", "BIN-012"),
        (Flavour::MySql56, statement, "u", "BIN-014"),
        (Flavour::MariaDb, minimal, "u", "BIN-012"),
        (Flavour::MariaDb, statement, "u", "BIN-014"),
    ] {
        let server = start(flavour, true, &[]).await;
        server.sql(TABLES).await.expect("tables");
        server
            .sql("INSERT INTO d.u VALUES (1,'')")
            .await
            .expect("a row");
        let (mut stream, _) = follow(&server, &["t", table]).await;
        server
            .sql("BEGIN; INSERT INTO d.u VALUES (5,''); INSERT INTO d.t VALUES (1,''); COMMIT")
            .await
            .expect("rows");
        server.sql(statements).await.expect(statements);
        server
            .sql("INSERT INTO d.t VALUES (2,'')")
            .await
            .expect("a row");
        match next_telling(&mut stream).await.expect("an item") {
            StreamItem::Changes(part) => {
                assert!(sketches(&part.changes).contains(&"+1".to_owned()))
            }
            other => panic!("unexpected {other:?}"),
        }
        let (found, scope) = refused_code(&mut stream).await;
        assert_eq!(found, code, "{flavour:?} {statements}");
        assert!(scope.contains(&format!("\"{table}\"")), "{scope}");
        let (_, seen) = checkpoint_at(&mut stream, &end_of(&server).await).await;
        assert_eq!(seen, ["+2"], "{flavour:?} {statements}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn compressed_rows_of_mariadb_are_refused() {
    let server = start(
        Flavour::MariaDb,
        true,
        &["--log-bin-compress=ON", "--log-bin-compress-min-len=10"],
    )
    .await;
    server
        .sql("CREATE TABLE d.u (id INT PRIMARY KEY, v LONGTEXT)")
        .await
        .expect("a table");
    let (mut stream, _) = follow(&server, &["u"]).await;
    server
        .sql("INSERT INTO d.u VALUES (1, REPEAT('x', 5000))")
        .await
        .expect("a row");
    assert_eq!(refused_code(&mut stream).await.0, "BIN-016");
}

#[tokio::test(flavor = "multi_thread")]
async fn columns_that_differ_are_never_guessed() {
    for (flavour, arguments) in [
        (Flavour::MySql97, &["--binlog-row-metadata=FULL"][..]),
        (Flavour::MySql97, &[]),
        (Flavour::MySql56, &[]),
    ] {
        let server = start(flavour, false, arguments).await;
        server
            .sql("CREATE TABLE d.t (id INT PRIMARY KEY, a INT, b INT UNSIGNED, c VARCHAR(10), e ENUM('x','y'), f DECIMAL(5,2), g DATETIME(3), h CHAR(5))")
            .await
            .expect("a table");
        let right = table(&server, "t").await;
        type Spoil = fn(&mut wherry_model::Table);
        let mut spoils: Vec<(&str, Spoil)> = vec![
            ("count", |table| drop(table.columns.pop())),
            ("type", |table| table.columns[1].kind = ColumnKind::Float),
            ("width", |table| {
                table.columns[1].kind = ColumnKind::Integer {
                    bytes: 8,
                    unsigned: false,
                }
            }),
            ("length", |table| {
                table.columns[3].kind = ColumnKind::Varchar { length: 11 }
            }),
            ("scale", |table| {
                table.columns[5].kind = ColumnKind::Decimal {
                    precision: 5,
                    scale: 1,
                }
            }),
            ("fraction", |table| {
                table.columns[6].kind = ColumnKind::Datetime { fraction: 4 }
            }),
            ("char", |table| {
                table.columns[7].kind = ColumnKind::Char { length: 6 }
            }),
        ];
        if flavour == Flavour::MySql97 {
            spoils.push(("sign", |table| {
                table.columns[2].kind = ColumnKind::Integer {
                    bytes: 4,
                    unsigned: false,
                }
            }));
            spoils.push(("binary", |table| {
                table.columns[3].kind = ColumnKind::Varbinary { length: 10 }
            }));
        }
        if !arguments.is_empty() {
            spoils.push(("name", |table| table.columns[1].name = "z".to_owned()));
            spoils.push(("label", |table| {
                table.columns[4].kind = ColumnKind::Enum {
                    labels: vec!["y".into(), "x".into()],
                }
            }));
        }
        for (id, (what, spoil)) in spoils.into_iter().enumerate() {
            let (mut stream, here) = follow(&server, &[]).await;
            let mut wrong = right.clone();
            spoil(&mut wrong);
            stream.track(Arc::new(wrong), here);
            let insert = format!("INSERT INTO d.t VALUES ({id},1,1,'a','x',1,NOW(),'h')");
            server.sql(&insert).await.expect("a row");
            assert_eq!(
                refused_code(&mut stream).await.0,
                "BIN-011",
                "{flavour:?} {what}"
            );
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_place_that_is_gone_is_named_with_the_range() {
    for (flavour, gtid) in lanes() {
        let server = start(flavour, gtid, &[]).await;
        server.sql(TABLES).await.expect("tables");
        let old = start_of(&server).await;
        server
            .sql("INSERT INTO d.t VALUES (1,''); FLUSH LOGS; FLUSH LOGS")
            .await
            .expect("rotations");
        let current = end_of(&server).await;
        purge_to(&server, &current.file).await;
        let from = Checkpoint::at(old);
        let opened = MysqlStream::open(
            &endpoint(&server),
            &from,
            &selection(),
            StreamOptions::usual(),
        )
        .await;
        let fault = opened.err().expect("a refusal");
        assert_eq!(fault.code, "BIN-004", "{flavour:?} {gtid}: {fault}");
        let beyond = wherry_model::Position::new(&current.file, current.offset + 1000, None);
        let from = Checkpoint::at(beyond);
        let opened = MysqlStream::open(
            &endpoint(&server),
            &from,
            &selection(),
            StreamOptions::usual(),
        )
        .await;
        assert_eq!(opened.err().map(|fault| fault.code), Some("BIN-004"));
    }
}

/// A file that is still being sent, or that MariaDB still needs, is not purged at once.
async fn purge_to(server: &Server, file: &str) {
    for _ in 0..200 {
        let purge = format!("PURGE BINARY LOGS TO '{file}'");
        server.sql(&purge).await.expect("a purge");
        let rows = server.rows("SHOW BINARY LOGS").await.expect("files");
        if rows.len() == 1 {
            return;
        }
        tokio::time::sleep(std::time::Duration::from_millis(50)).await;
    }
    panic!("files before {file} stay");
}

#[tokio::test(flavor = "multi_thread")]
async fn heartbeats_and_other_work_move_the_checkpoint() {
    for flavour in ALL {
        let server = start(flavour, true, &[]).await;
        server.sql(TABLES).await.expect("tables");
        let (mut stream, _) = follow(&server, &["t"]).await;
        server
            .sql("INSERT INTO other.t VALUES (1)")
            .await
            .expect("a row");
        let end = end_of(&server).await;
        let (checkpoint, seen) = checkpoint_at(&mut stream, &end).await;
        assert_eq!(seen, Vec::<String>::new());
        assert_eq!(checkpoint.applied_to.offset, end.offset, "{flavour:?}");
        // Nothing happens any more, and still the source says that it is there.
        for _ in 0..2 {
            match next(&mut stream).await.expect("a heartbeat") {
                StreamItem::Passed { checkpoint, .. } => {
                    assert!(checkpoint.applied_to.reaches(&end))
                }
                other => panic!("unexpected {other:?}"),
            }
        }
        server
            .sql("INSERT INTO d.t VALUES (7,'x')")
            .await
            .expect("a row");
        match next_telling(&mut stream).await.expect("an item") {
            StreamItem::Changes(part) => {
                assert_eq!(text(part.changes[0].after().expect("an image"), 1), "x")
            }
            other => panic!("unexpected {other:?}"),
        }
    }
}

/// Also of parts that come before the end of their transaction.
#[tokio::test(flavor = "multi_thread")]
async fn parts_have_the_time_of_their_commit() {
    for flavour in ALL {
        let server = start(flavour, false, &[]).await;
        server.sql(TABLES).await.expect("tables");
        let (mut stream, _) = follow_with(&server, &["t"], 1).await;
        server
            .sql(
                "SET timestamp = 1000; BEGIN; INSERT INTO d.t VALUES (1, ''); INSERT INTO d.t VALUES (2, '');
                 SET timestamp = 2000; COMMIT",
            )
            .await
            .expect("a transaction");
        let mut times = Vec::new();
        for item in items_until(&mut stream, &end_of(&server).await).await {
            let StreamItem::Changes(part) = item else {
                panic!("{flavour:?}: {item:?}");
            };
            times.push(part.committed_at_us / 1_000_000);
        }
        match flavour {
            // Only the commit itself has it there.
            Flavour::MySql56 => assert_eq!(times, [1000, 1000, 2000]),
            Flavour::MariaDb => assert_eq!(times, [2000, 2000, 2000]),
            // A clock that no statement sets.
            Flavour::MySql97 => {
                assert!(times.iter().all(|time| *time == times[2] && *time > 2000));
            }
        }
    }
}
