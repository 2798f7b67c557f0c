//! XA transactions: parked at their prepare, given out at their outcome.

use super::{
    checkpoint_at, end_of, follow, items_until, next_telling, open, sketches, start, track,
};
use mysql_async::Conn;
use mysql_async::prelude::Queryable;
use wherry_engine::ports::StreamItem;
use wherry_engine::state::Checkpoint;
use wherry_testkit::{Flavour, Server};

async fn prepare(server: &Server, xid: &str, ids: &[u32]) -> Conn {
    let mut connection = server.connect().await.expect("a connection");
    let mut statements = vec![format!("XA START {xid}")];
    for id in ids {
        statements.push(format!("INSERT INTO d.t VALUES ({id})"));
    }
    statements.push(format!("XA END {xid}"));
    statements.push(format!("XA PREPARE {xid}"));
    for statement in statements {
        connection.query_drop(&statement).await.expect(&statement);
    }
    connection
}

async fn run(connection: &mut Conn, statement: &str) {
    connection.query_drop(statement).await.expect(statement);
}

#[tokio::test(flavor = "multi_thread")]
async fn changes_come_at_the_commit() {
    for (flavour, gtid) in [
        (Flavour::MySql97, true),
        (Flavour::MySql97, false),
        (Flavour::MySql56, true),
        (Flavour::MariaDb, true),
    ] {
        let server = start(flavour, gtid, &[]).await;
        server
            .sql("CREATE TABLE d.t (id INT PRIMARY KEY) ENGINE=InnoDB")
            .await
            .expect("a table");
        let (mut stream, here) = follow(&server, &["t"]).await;
        let before = end_of(&server).await;
        let mut first = prepare(&server, "'one','branch',7", &[1, 2]).await;
        server
            .sql("INSERT INTO d.t VALUES (10)")
            .await
            .expect("a row");
        let mut second = prepare(&server, "X'00FF27'", &[3]).await;
        server
            .sql("INSERT INTO d.t VALUES (11)")
            .await
            .expect("a row");
        let mut third = server.connect().await.expect("a connection");
        for statement in [
            "XA START 'p'",
            "INSERT INTO d.t VALUES (5)",
            "XA END 'p'",
            "XA COMMIT 'p' ONE PHASE",
        ] {
            run(&mut third, statement).await;
        }
        let (open_checkpoint, seen) = checkpoint_at(&mut stream, &end_of(&server).await).await;
        assert_eq!(seen, ["+10", "+11", "+5"], "{flavour:?} {gtid}");
        let logs_prepare = flavour != Flavour::MySql56;
        assert_eq!(
            open_checkpoint.read_from != open_checkpoint.applied_to,
            logs_prepare,
            "{flavour:?}"
        );
        assert!(before.reaches(&open_checkpoint.read_from) || !logs_prepare);

        run(&mut second, "XA ROLLBACK X'00FF27'").await;
        run(&mut first, "XA COMMIT 'one','branch',7").await;
        server
            .sql("INSERT INTO d.t VALUES (12)")
            .await
            .expect("a row");
        let end = end_of(&server).await;
        let (closed, seen) = checkpoint_at(&mut stream, &end).await;
        assert_eq!(seen, ["+1", "+2", "+12"], "{flavour:?} {gtid}");
        assert_eq!(closed.read_from, closed.applied_to);

        // After a restart, reading begins before the prepare and gives nothing out twice.
        let mut resumed = open(&server, &open_checkpoint).await;
        track(&mut resumed, &server, &here, &["t"]).await;
        let (_, seen) = checkpoint_at(&mut resumed, &end).await;
        assert_eq!(seen, ["+1", "+2", "+12"], "{flavour:?} {gtid} resumed");
        drop((first, second, third));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_outcome_without_its_prepare_stops_the_task() {
    for flavour in [Flavour::MySql97, Flavour::MariaDb] {
        let server = start(flavour, true, &[]).await;
        server
            .sql("CREATE TABLE d.t (id INT PRIMARY KEY) ENGINE=InnoDB")
            .await
            .expect("a table");
        let mut first = prepare(&server, "'one'", &[1]).await;
        let mut second = prepare(&server, "'two'", &[2]).await;
        server.sql("FLUSH LOGS").await.expect("a rotation");
        let file_begin = wherry_model::Position::new(&end_of(&server).await.file, 4, None);
        let mut stream = open(&server, &Checkpoint::at(file_begin.clone())).await;
        track(&mut stream, &server, &file_begin, &["t"]).await;
        run(&mut second, "XA ROLLBACK 'two'").await;
        server
            .sql("INSERT INTO d.t VALUES (9)")
            .await
            .expect("a row");
        let items = items_until(&mut stream, &end_of(&server).await).await;
        let changes: Vec<String> = items
            .iter()
            .flat_map(|item| match item {
                StreamItem::Changes(part) => sketches(&part.changes),
                other => panic!("unexpected {other:?}"),
            })
            .collect();
        assert_eq!(changes, ["+9"], "{flavour:?}");
        run(&mut first, "XA COMMIT 'one'").await;
        let fault = next_telling(&mut stream).await.expect_err("a fault");
        assert_eq!(fault.code, "BIN-008", "{flavour:?}");
    }
}
