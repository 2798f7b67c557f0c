//! Results, compared value by value with the oracle.

use super::{ALL, mover, start};
use mysql_async::prelude::Queryable;
use mysql_async::{Conn, Opts, Value};
use wherry_model::RowBatch;
use wherry_model::row::Values;
use wherry_mysql::session::{Session, SessionError, SessionKind};
use wherry_testkit::{Flavour, Server};

type Rows = Vec<Vec<Option<Vec<u8>>>>;

/// Every type that all three servers have, with extremes and NULLs.
const TABLE: &str = "CREATE DATABASE shop; CREATE TABLE shop.everything (
    id INT NOT NULL PRIMARY KEY, a TINYINT, b BIGINT UNSIGNED, c DECIMAL(30,10), d DOUBLE,
    e DATE, f DATETIME(6), g TIMESTAMP(6) NULL, h TIME(6), i YEAR, j BIT(13),
    k VARCHAR(100) CHARACTER SET utf8mb4, l VARCHAR(100) CHARACTER SET latin1,
    m VARCHAR(100) CHARACTER SET gbk, n BINARY(5), o VARBINARY(300), p LONGBLOB, q LONGTEXT,
    r ENUM('a','b,c'), s SET('x','y','z'), t GEOMETRY) DEFAULT CHARSET = utf8mb4";

const ROWS: &str = "INSERT INTO shop.everything VALUES
    (1, -128, 18446744073709551615, -12345678901234567890.1234567891, 1.7976931348623157e308,
     '9999-12-31', '2020-02-29 23:59:59.999999', '2020-02-29 23:59:59.000001', '-838:59:59', 2155,
     b'1010101010101', 'gr\u{fc}\u{df} \u{1F980}', 'caf\u{e9}', '\u{4e2d}\u{6587}', 'ab', 0x00FF0A0D5C27,
     REPEAT('blob', 20000), REPEAT('text', 70), 'b,c', 'x,z', ST_GEOMFROMTEXT('POINT(1 2)')),
    (2, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL,
     NULL, NULL, NULL, NULL, NULL),
    (3, 0, 0, 0, -0.1, '1000-01-01', '1000-01-01', '1971-01-01', '00:00:00.000001', 1901, b'0', '',
     '', '', '', '', '', '', 'a', '', ST_GEOMFROMTEXT('LINESTRING(0 0, 1 1)'))";

async fn oracle(server: &Server, setup: &str, query: &str) -> Rows {
    let opts = Opts::from_url(&server.url("mover")).expect("a URL");
    let opts = mysql_async::OptsBuilder::from_opts(opts)
        .prefer_socket(false)
        .max_allowed_packet(Some(1 << 30));
    let mut connection = Conn::new(opts).await.expect("the oracle's connection");
    connection
        .query_drop(setup)
        .await
        .expect("the oracle's setup");
    let rows: Vec<mysql_async::Row> = connection.query(query).await.expect("the oracle's rows");
    connection.disconnect().await.expect("closed");
    rows.into_iter()
        .map(|row| {
            row.unwrap()
                .into_iter()
                .map(|value| match value {
                    Value::NULL => None,
                    Value::Bytes(bytes) => Some(bytes),
                    other => panic!("not text: {other:?}"),
                })
                .collect()
        })
        .collect()
}

fn owned<'a>(values: impl Iterator<Item = Option<&'a [u8]>>) -> Vec<Option<Vec<u8>>> {
    values.map(|value| value.map(<[u8]>::to_vec)).collect()
}

async fn streamed(session: &mut Session, query: &str, bytes_max: usize) -> Rows {
    let mut stream = session.query_stream(query).await.expect("a stream");
    let (mut rows, mut batch) = (Rows::new(), RowBatch::default());
    loop {
        batch.clear();
        let more = stream
            .next_batch(&mut batch, bytes_max)
            .await
            .expect("a batch");
        rows.extend(batch.iter().map(|row| owned(Values::of(row))));
        if !more {
            return rows;
        }
    }
}

#[tokio::test]
async fn every_type_equals_the_oracle() {
    const SETUP: &str = "SET NAMES utf8mb4, character_set_results = NULL, time_zone = '+00:00'";
    const QUERY: &str =
        "SELECT *, d + 0e0, id AS `Ganz \u{fc}ber` FROM shop.everything ORDER BY id";
    for flavour in ALL {
        let server = start(flavour).await;
        server.sql(TABLE).await.expect("a table");
        server
            .sql(&format!("SET NAMES utf8mb4, time_zone = '+00:00'; {ROWS}"))
            .await
            .expect("rows");
        let expected = oracle(&server, SETUP, QUERY).await;
        assert_eq!(expected.len(), 3);
        let mut session = Session::connect(&mover(&server), SessionKind::Read)
            .await
            .expect("a session");
        let set = session.query(QUERY).await.expect("rows");
        let found: Rows = set.rows.iter().map(|row| owned(row.values())).collect();
        assert_eq!(found, expected, "{flavour:?}");
        assert_eq!(set.columns.len(), 23);
        assert_eq!(set.column("ID"), Some(0));
        assert_eq!(set.columns[22].name, "Ganz \u{fc}ber");
        assert_eq!(set.named(0, "r"), Some("b,c"));
        assert_eq!(set.text(1, 1), None);
        for bytes_max in [1, 100, 1 << 20] {
            assert_eq!(streamed(&mut session, QUERY, bytes_max).await, expected);
        }
        assert!(!session.is_broken());
        session.close().await;
    }
}

/// Values around the frame limit of 16 MiB, in both directions.
#[tokio::test]
async fn values_of_16_mib_come_back() {
    for flavour in ALL {
        let server = start(flavour).await;
        let mut session = Session::connect(&mover(&server), SessionKind::Write)
            .await
            .expect("a session");
        session
            .execute("CREATE DATABASE shop")
            .await
            .expect("a database");
        session
            .execute("CREATE TABLE shop.large (id INT PRIMARY KEY, v LONGBLOB) ENGINE=MyISAM")
            .await
            .expect("a table");
        // The row packet holds 1 byte for the key, 1 for its length, then length and value.
        let exact = 0xFF_FFFF - 2 - 4;
        let sizes = [
            exact - 1,
            exact,
            exact + 1,
            (16 << 20) + 5,
            2 * 0xFF_FFFF - 2 - 9,
        ];
        for (id, size) in sizes.into_iter().enumerate() {
            let mut sql = format!("INSERT INTO shop.large VALUES ({id}, '").into_bytes();
            sql.resize(sql.len() + size, b'a' + id as u8);
            sql.extend_from_slice(b"')");
            // One of these statements fills frames exactly: `sql` and the command byte.
            assert_eq!(
                session.execute(&sql).await.expect("inserted").affected_rows,
                1
            );
        }
        let frames = b"INSERT INTO shop.large VALUES (9, '')".len() + 1;
        let mut sql = b"INSERT INTO shop.large VALUES (9, '".to_vec();
        sql.resize(sql.len() + 0xFF_FFFF - frames, b'x');
        sql.extend_from_slice(b"')");
        assert_eq!(sql.len() + 1, 0xFF_FFFF);
        session.execute(&sql).await.expect("inserted");
        drop(sql);
        let query = "SELECT * FROM shop.large ORDER BY id";
        let expected = oracle(&server, "SET NAMES utf8mb4", query).await;
        let set = session.query(query).await.expect("rows");
        assert_eq!(set.rows.len(), expected.len());
        for (row, expected) in set.rows.iter().zip(&expected) {
            assert!(owned(row.values()) == *expected, "{flavour:?}");
        }
        drop(set);
        assert!(streamed(&mut session, query, 1 << 20).await == expected);
        session.close().await;
    }
}

#[tokio::test]
async fn several_statements_end_at_the_first_error() {
    for flavour in ALL {
        let server = start(flavour).await;
        let mut session = Session::connect(&mover(&server), SessionKind::Write)
            .await
            .expect("a session");
        let outcomes = session
            .execute_many(
                "CREATE DATABASE shop; CREATE TABLE shop.t (id INT PRIMARY KEY AUTO_INCREMENT, v INT); \
                 INSERT INTO shop.t (v) VALUES (1), (2), (3); SELECT * FROM shop.t; \
                 UPDATE shop.t SET v = 1; UPDATE shop.t SET v = 1 WHERE id = 1",
            )
            .await
            .expect("outcomes");
        let affected: Vec<u64> = outcomes
            .iter()
            .map(|outcome| outcome.affected_rows)
            .collect();
        // The last update changes nothing but matches a row.
        assert_eq!(affected, [1, 0, 3, 0, 3, 1]);
        assert_eq!(outcomes[2].last_insert_id, 1);
        assert!(
            outcomes[2].info.starts_with("Records: 3"),
            "{}",
            outcomes[2].info
        );
        let error = session
            .execute_many(
                "START TRANSACTION; INSERT INTO shop.t VALUES (7, 7); INSERT INTO shop.t VALUES (1, 4711); \
                 INSERT INTO shop.t VALUES (8, 8)",
            )
            .await
            .expect_err("a duplicate");
        let SessionError::Server {
            code,
            statement_index,
            message,
            ..
        } = error
        else {
            panic!("{error:?}");
        };
        assert_eq!((code, statement_index), (1062, 2), "{message}");
        assert!(
            message.starts_with("Duplicate entry '..' for key '"),
            "{message}"
        );
        assert!(!session.is_broken());
        assert!(session.in_transaction());
        session.execute("ROLLBACK").await.expect("rolled back");
        assert!(!session.in_transaction());
        let count = session
            .query("SELECT COUNT(*) FROM shop.t")
            .await
            .expect("a count");
        assert_eq!(count.text(0, 0), Some("3"));
        check_procedure(&mut session).await;
        session.close().await;
    }
}

/// A procedure answers with several results.
async fn check_procedure(session: &mut Session) {
    session
        .execute("CREATE PROCEDURE shop.p() BEGIN SELECT 1; SELECT 2, 3; SELECT nothing; END")
        .await
        .expect("a procedure");
    let error = session
        .query("CALL shop.p()")
        .await
        .expect_err("a late error");
    assert_eq!(error.server_code(), Some(1054));
    session
        .execute("DROP PROCEDURE shop.p")
        .await
        .expect("dropped");
    session
        .execute("CREATE PROCEDURE shop.p() BEGIN SELECT 1; SELECT 2, 3; DO 1; END")
        .await
        .expect("a procedure");
    assert_eq!(
        session
            .query("CALL shop.p()")
            .await
            .expect("rows")
            .text(0, 0),
        Some("1")
    );
    session.execute("CALL shop.p()").await.expect("an outcome");
    assert!(session.query("DO 1").await.is_err());
    assert!(!session.is_broken());
    assert_eq!(
        session
            .query("SELECT 5; SELECT 6")
            .await
            .expect("rows")
            .text(0, 0),
        Some("5")
    );
    session.ping().await.expect("alive");
}

#[tokio::test]
async fn an_abandoned_stream_breaks_the_session() {
    let server = start(Flavour::MySql56).await;
    let numbers = "SELECT a.help_topic_id, REPEAT('x', 1000) FROM mysql.help_topic a";
    let mut session = Session::connect(&mover(&server), SessionKind::Read)
        .await
        .expect("a session");
    let mut batch = RowBatch::default();
    let mut stream = session.query_stream(numbers).await.expect("a stream");
    if stream.next_batch(&mut batch, 1).await.expect("a batch") {
        stream.finish().await.expect("finished");
    }
    assert!(!session.is_broken());
    let stream = session
        .query_stream("SELECT 1 UNION SELECT 2")
        .await
        .expect("a stream");
    assert_eq!(stream.columns().len(), 1);
    drop(stream);
    assert!(session.is_broken());
    assert!(session.execute("DO 1").await.is_err());
}

#[tokio::test]
async fn a_killed_session_and_a_killed_statement_are_transient() {
    for flavour in ALL {
        let server = start(flavour).await;
        let mut session = Session::connect(&mover(&server), SessionKind::Control)
            .await
            .expect("a session");
        let id = session.connection_id();
        let killer = async {
            tokio::time::sleep(std::time::Duration::from_millis(300)).await;
            server.sql(&format!("KILL {id}")).await.expect("killed");
        };
        let (slept, ()) = tokio::join!(session.execute("SELECT SLEEP(60) FROM mysql.user"), killer);
        let error = slept.expect_err("killed");
        assert!(error.is_transient(), "{flavour:?}: {error:?}");
        assert!(session.is_broken() || session.execute("DO 1").await.is_err());
    }
}

#[tokio::test]
async fn a_statement_that_is_too_large_says_so() {
    for flavour in ALL {
        let server = start(flavour).await;
        server
            .sql("SET GLOBAL max_allowed_packet = 1048576")
            .await
            .expect("a limit");
        for size in [1 << 20, 40 << 20] {
            let mut session = Session::connect(&mover(&server), SessionKind::Write)
                .await
                .expect("a session");
            let mut sql = b"DO '".to_vec();
            sql.resize(size, b'x');
            sql.push(b'\'');
            let error = session.execute(&sql).await.expect_err("too large");
            assert_eq!(error.server_code(), Some(1153), "{flavour:?}: {error:?}");
            assert!(session.is_broken());
            assert_eq!(error.into_fault().code, "CONN-041");
        }
    }
}
