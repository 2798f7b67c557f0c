//! Definitions in the stream and in the scan.

use super::{
    ALL, end_of, endpoint, follow, next_telling, selection, sketches, start, start_of, table, track,
};
use std::sync::Arc;
use wherry_engine::ports::{ChangeStream, StreamItem};
use wherry_model::{Ddl, DdlKind, TableName};
use wherry_mysql::binlog;
use wherry_testkit::Flavour;

const WORK: &str = "CREATE DATABASE other; CREATE TABLE other.x (id INT PRIMARY KEY) ENGINE=InnoDB;
    CREATE TABLE d.a (id INT PRIMARY KEY, v INT) ENGINE=InnoDB;
    INSERT INTO d.a VALUES (1, 1);
    USE d; ALTER TABLE a ADD w INT;
    CREATE INDEX v ON a (v);
    USE other; ALTER TABLE x ADD w INT;
    RENAME TABLE d.a TO d.b, other.x TO other.y;
    TRUNCATE TABLE d.b;
    CREATE TEMPORARY TABLE d.tmp (id INT); DROP TEMPORARY TABLE d.tmp;
    ALTER TABLE d.b RENAME TO d.c;
    DROP TABLE d.c;
    CREATE DATABASE d2; DROP DATABASE d2;
    ALTER DATABASE d CHARACTER SET utf8mb4";

fn summary(ddl: &Ddl) -> String {
    let names: Vec<String> = ddl
        .tables
        .iter()
        .map(|name| format!("{}.{}", name.database, name.table))
        .collect();
    format!("{:?} {}", ddl.kind, names.join(" "))
        .trim_end()
        .to_owned()
}

#[tokio::test(flavor = "multi_thread")]
async fn stream_and_scan_see_the_same_definitions() {
    let expected = [
        "CreateTable d.a",
        "AlterTable d.a",
        "AlterTable d.a",
        "RenameTable d.a d.b other.x other.y",
        "TruncateTable d.b",
        "RenameTable d.b d.c",
        "DropTable d.c",
        "AlterDatabase",
    ];
    for (flavour, gtid) in ALL
        .map(|flavour| (flavour, true))
        .into_iter()
        .chain([(Flavour::MySql56, false), (Flavour::MySql97, false)])
    {
        let server = start(flavour, gtid, &[]).await;
        let (mut stream, here) = follow(&server, &[]).await;
        server.sql(WORK).await.expect("definitions");
        let end = end_of(&server).await;
        let mut seen = Vec::new();
        loop {
            match next_telling(&mut stream).await.expect("an item") {
                StreamItem::Ddl(ddl) => {
                    assert!(ddl.end.reaches(&ddl.begin) && ddl.end != ddl.begin);
                    seen.push(ddl);
                }
                other => panic!("unexpected {other:?}"),
            }
            if seen.len() == expected.len() {
                break;
            }
        }
        let summaries: Vec<String> = seen.iter().map(summary).collect();
        assert_eq!(summaries, expected, "{flavour:?}");
        assert_eq!(seen[1].default_database, "d");
        assert_eq!(seen[1].tables, [TableName::new("d", "a")]);

        let scanned = binlog::ddl_between(
            &endpoint(&server),
            &start_of(&server).await,
            &end,
            &selection(),
        )
        .await
        .expect("a scan");
        let behind: Vec<&Ddl> = scanned
            .iter()
            .filter(|ddl| !here.reaches(&ddl.end))
            .collect();
        let summaries: Vec<String> = behind.iter().map(|ddl| summary(ddl)).collect();
        assert_eq!(summaries, expected, "{flavour:?}");
        for (streamed, scanned) in seen.iter().zip(behind) {
            assert_eq!(streamed.end, scanned.end, "{flavour:?}");
            assert_eq!(streamed.begin, scanned.begin, "{flavour:?}");
        }
    }
}

/// The table is tracked when the definition is out, and its rows come behind it.
#[tokio::test(flavor = "multi_thread")]
async fn rows_of_create_table_select_follow_the_definition() {
    for (flavour, gtid) in [
        (Flavour::MySql97, true),
        (Flavour::MySql97, false),
        (Flavour::MySql56, false),
        (Flavour::MariaDb, true),
    ] {
        let server = start(flavour, gtid, &[]).await;
        server
            .sql("CREATE TABLE d.a (id INT PRIMARY KEY) ENGINE=InnoDB; INSERT INTO d.a VALUES (1),(2)")
            .await
            .expect("a table");
        let (mut stream, _) = follow(&server, &["a"]).await;
        server
            .sql("CREATE TABLE d.b (PRIMARY KEY (id)) ENGINE=InnoDB SELECT id FROM d.a")
            .await
            .expect("a copy");
        server
            .sql("INSERT INTO d.b VALUES (3)")
            .await
            .expect("a row");
        let ddl = match next_telling(&mut stream).await.expect("an item") {
            StreamItem::Ddl(ddl) => ddl,
            other => panic!("unexpected {other:?}"),
        };
        assert_eq!(ddl.tables, [TableName::new("d", "b")], "{flavour:?}");
        let kinds = [DdlKind::CreateTable, DdlKind::CreateTableSelect];
        assert!(kinds.contains(&ddl.kind), "{:?}", ddl.kind);
        stream.track(Arc::new(table(&server, "b").await), ddl.end.clone());
        let mut seen = Vec::new();
        while seen.len() < 3 {
            match next_telling(&mut stream).await.expect("an item") {
                StreamItem::Changes(part) => seen.extend(sketches(&part.changes)),
                other => panic!("unexpected {other:?}"),
            }
        }
        assert_eq!(seen, ["+1", "+2", "+3"], "{flavour:?} {gtid}");

        // Reading begins again between the definition and its rows.
        let from = wherry_engine::state::Checkpoint::at(ddl.end.clone());
        let mut stream = super::open(&server, &from).await;
        track(&mut stream, &server, &ddl.end, &["a", "b"]).await;
        let (_, seen) = super::checkpoint_at(&mut stream, &end_of(&server).await).await;
        assert_eq!(seen, ["+1", "+2", "+3"], "{flavour:?} {gtid} resumed");
    }
}

/// Rows before a table's start had other columns, and that is nobody's fault.
#[tokio::test(flavor = "multi_thread")]
async fn rows_of_an_older_definition_before_the_start_are_passed_over() {
    for flavour in ALL {
        let server = start(flavour, true, &[]).await;
        let begin = start_of(&server).await;
        server
            .sql(
                "CREATE TABLE d.a (id INT PRIMARY KEY, v INT) ENGINE=InnoDB; INSERT INTO d.a VALUES (1, 1);
                 XA START 'x'; INSERT INTO d.a VALUES (2, 2); XA END 'x'; XA PREPARE 'x'; XA COMMIT 'x';
                 SET binlog_row_image='MINIMAL'; UPDATE d.a SET v = 3;
                 SET binlog_row_image='FULL'; ALTER TABLE d.a MODIFY v VARCHAR(7) FIRST, ADD w INT",
            )
            .await
            .expect("an altered table");
        let here = end_of(&server).await;
        let from = wherry_engine::state::Checkpoint::at(begin);
        let mut stream = super::open(&server, &from).await;
        track(&mut stream, &server, &here, &["a"]).await;
        server
            .sql("INSERT INTO d.a VALUES ('a', 3, 3)")
            .await
            .expect("a row");
        loop {
            match next_telling(&mut stream).await.expect("an item") {
                StreamItem::Ddl(ddl) => assert_ne!(ddl.kind, DdlKind::AlterTable),
                StreamItem::Changes(part) => {
                    assert_eq!(sketches(&part.changes), ["+a"], "{flavour:?}");
                    break;
                }
                other => panic!("unexpected {other:?}"),
            }
        }
    }
}
