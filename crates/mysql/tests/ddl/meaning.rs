//! Statements of 5.6 and MariaDB mean the same in 9.7; modes by bit are what servers say.

use super::{dialect, show_create, start};
use mysql_async::prelude::Queryable;
use wherry_model::TableName;
use wherry_mysql::ddl::{Context, carried, classify, rules, sql_mode_names};
use wherry_testkit::{Flavour, Server, ServerOptions};

const BOTH: &[&str] = &[
    "CREATE TABLE t (a timestamp, b varchar(9) CHARACTER SET utf8mb4, c int) CHARSET utf8mb4",
    "ALTER TABLE t ADD d text CHARACTER SET utf8mb4 NOT NULL, ADD e varchar(5) AFTER a, LOCK=NONE",
    "ALTER TABLE t CONVERT TO CHARACTER SET utf8mb4, MODIFY c bigint(20) unsigned",
    "ALTER TABLE t ADD KEY (c), ADD UNIQUE KEY u (b(3)), ALGORITHM=INPLACE",
    "ALTER TABLE t DEFAULT CHARSET latin1, ADD f varchar(3), CHANGE e g datetime(3)",
    "CREATE INDEX i ON t (f) LOCK=NONE",
];

const ONLY_56: &[&str] = &[
    "ALTER TABLE t ADD x int REFERENCES p (id) ON DELETE CASCADE",
    "ALTER TABLE t ADD y int CHECK (y > 0), ADD CHECK (x > 5), ADD z int",
];

const ONLY_MARIADB: &[&str] = &[
    "ALTER ONLINE TABLE t WAIT 5 ADD COLUMN x json DEFAULT NULL",
    "ALTER TABLE t MODIFY x json NOT NULL, ADD y int CHECK (y > 0)",
    "ALTER TABLE t DROP COLUMN x",
    "SET STATEMENT lock_wait_timeout=5 FOR ALTER TABLE t ADD z int DEFAULT (1 + 2)",
    "CREATE OR REPLACE INDEX j ON t (z)",
];

async fn follow(from: Flavour, programs: &[&[&str]]) {
    // 5.6 fixes this setting at its start and does not log it.
    let options = ServerOptions {
        arguments: vec!["--explicit-defaults-for-timestamp=0".to_owned()],
        ..ServerOptions::default()
    };
    let options = if from == Flavour::MySql56 {
        options
    } else {
        ServerOptions::default()
    };
    let source = Server::start(from, options).await.expect("server");
    let target = start(Flavour::MySql97).await;
    let (from, to) = (dialect(&source).await, dialect(&target).await);
    for server in [&source, &target] {
        let sql = "CREATE DATABASE d CHARACTER SET latin1; CREATE TABLE d.p (id int PRIMARY KEY)";
        server.sql(sql).await.expect("database");
    }
    let settings = from.unlogged_settings().join(", ");
    let table = TableName::new("d", "t");
    for sql in programs.iter().copied().flatten() {
        source
            .sql(&format!("USE d; {sql}"))
            .await
            .unwrap_or_else(|error| panic!("{sql}: {error}"));
        let statement = classify(sql, &Context::new("d", from));
        let there = carried(sql, &statement, &TableName::clone)
            .expect(sql)
            .replace("OR REPLACE ", "");
        let script = format!("SET {settings}; {there}");
        target
            .sql(&script)
            .await
            .unwrap_or_else(|error| panic!("{script}: {error}"));
        let texts = (
            show_create(&source, &table).await,
            show_create(&target, &table).await,
        );
        let found = rules::diff(&texts.0, &texts.1, &table, rules::Flavours::new(from, to))
            .expect("readable");
        let real: Vec<_> = found.iter().filter(|found| found.rule.is_none()).collect();
        assert!(
            real.is_empty(),
            "{there}\n{real:#?}\n{}\n{}",
            texts.0,
            texts.1
        );
    }
}

#[tokio::test]
async fn statements_of_mysql_56() {
    follow(Flavour::MySql56, &[BOTH, ONLY_56]).await;
}

#[tokio::test]
async fn statements_of_mariadb() {
    follow(Flavour::MariaDb, &[BOTH, ONLY_MARIADB]).await;
}

/// What a server calls each bit of `sql_mode`; bits that it refuses are left out.
async fn modes(server: &Server) -> Vec<(u32, String)> {
    let mut session = server.connect().await.expect("session");
    let mut found = Vec::new();
    for bit in 0..36u32 {
        let set = format!("SET sql_mode = {}", 1u64 << bit);
        if session.query_drop(set).await.is_err() {
            continue;
        }
        let names = session
            .query_first("SELECT @@sql_mode")
            .await
            .expect("answer");
        found.push((bit, names.expect("one row")));
    }
    session.disconnect().await.expect("end");
    found
}

#[tokio::test]
async fn modes_have_the_names_of_the_servers() {
    for flavour in [Flavour::MySql97, Flavour::MySql56, Flavour::MariaDb] {
        let server = start(flavour).await;
        let mariadb = dialect(&server).await.mariadb;
        let found = modes(&server).await;
        assert!(found.len() > 15, "{found:?}");
        for (bit, names) in found {
            let ours = sql_mode_names(1 << bit, mariadb);
            let Some(mode) = ours.first() else {
                assert!(
                    matches!(names.as_str(), "" | "," | "NOT_USED"),
                    "{bit}: {names}"
                );
                continue;
            };
            // A mode like ANSI stands for others as well, and is among them.
            assert!(
                names.split(',').any(|name| name == mode.name),
                "{bit}: {names}"
            );
            assert!(
                flavour != Flavour::MySql97 || mode.accepted,
                "{bit}: {names}"
            );
        }
    }
}
