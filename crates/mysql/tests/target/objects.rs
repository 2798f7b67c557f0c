//! Objects in the bytes of their own character set, and what is never touched or never carried.

use super::{claimed, control, endpoint, show, start, start_with};
use wherry_engine::objects::ObjectReport;
use wherry_engine::ports::Target;
use wherry_model::SchemaObject;
use wherry_model::task::{SchemaSpec, SelectSpec};
use wherry_mysql::object::{broken_view, read_objects};
use wherry_mysql::session::{Session, SessionKind};
use wherry_mysql::target::MysqlTarget;
use wherry_testkit::{Flavour, Server};

/// Trusts its users with functions, as binlog rules demand it.
const TRUST: &str = "--log-bin-trust-function-creators=ON";

fn selection(database: &str) -> SelectSpec {
    SelectSpec {
        databases: vec![database.to_owned()],
        ..SelectSpec::default()
    }
}

async fn objects_of(server: &Server, database: &str) -> Vec<SchemaObject> {
    let mut session = Session::connect(&endpoint(server), SessionKind::Read)
        .await
        .expect("a session");
    read_objects(&mut session, &[database.to_owned()])
        .await
        .expect("objects")
}

async fn sync(source: &Server, target: &MysqlTarget, database: &str) -> ObjectReport {
    let objects = objects_of(source, database).await;
    target
        .sync_objects(&objects, &selection(database), &SchemaSpec::default())
        .await
        .expect("a sync")
}

#[tokio::test]
async fn bodies_arrive_in_the_bytes_of_their_own_character_set() {
    let source = start_with(Flavour::MySql97, &[TRUST]).await;
    let server = start_with(Flavour::MySql97, &[TRUST]).await;
    let database =
        "CREATE DATABASE d DEFAULT CHARACTER SET sjis; CREATE TABLE d.t (id INT PRIMARY KEY)";
    source.sql(database).await.expect("a database");
    server.sql(database).await.expect("a database");
    let mut session = control(&source).await;
    session.execute("USE d").await.expect("a database");
    session.execute("SET NAMES sjis").await.expect("a charset");
    // The second byte of this character is a backslash elsewhere.
    let statements: [&[u8]; 3] = [
        b"CREATE FUNCTION kanji() RETURNS VARCHAR(80) DETERMINISTIC NO SQL RETURN CONCAT(HEX('\x95\x5C'), HEX(_binary '\x95\x5C'))",
        // MySQL cannot print a view that holds the other character: it ends its own text there.
        b"CREATE VIEW kanji_view AS SELECT HEX('\x93\xFA') AS plain, d.kanji() AS deep FROM t",
        b"CREATE FUNCTION brief() RETURNS INT DETERMINISTIC NO SQL RETURN 1",
    ];
    for statement in statements {
        session.execute(statement).await.expect("an object");
    }
    source
        .sql("INSERT INTO d.t VALUES (1)")
        .await
        .expect("rows");
    server
        .sql("INSERT INTO d.t VALUES (1); CREATE VIEW d.own AS SELECT 1 AS one")
        .await
        .expect("the target's own");

    let target = claimed(&server).await;
    let report = sync(&source, &target, "d").await;
    assert!(report.troubles.is_empty(), "{report:?}");
    assert_eq!(report.made.len(), 3);
    let asked = "SELECT d.kanji(), v.plain, v.deep FROM d.kanji_view v";
    let answer = show(&source, asked).await;
    assert_eq!(answer, "955C955C,93FA,955C955C");
    assert_eq!(show(&server, asked).await, answer);
    assert!(sync(&source, &target, "d").await.made.is_empty());
    let objects = objects_of(&source, "d").await;
    let differences = target
        .object_diff(&objects, &selection("d"), &SchemaSpec::default())
        .await
        .expect("a comparison");
    assert!(
        differences
            .iter()
            .all(|difference| difference.rule.is_some()),
        "{differences:?}"
    );

    // What is changed in the target by others is made again, what is gone at the source goes.
    server
        .sql("CREATE OR REPLACE VIEW d.kanji_view AS SELECT 1 AS other")
        .await
        .expect("a change");
    source.sql("DROP FUNCTION d.brief").await.expect("a drop");
    let report = sync(&source, &target, "d").await;
    assert_eq!(
        (report.made.len(), report.dropped.len()),
        (1, 1),
        "{report:?}"
    );
    assert_eq!(show(&server, asked).await, answer);
    let left = "SELECT GROUP_CONCAT(TABLE_NAME ORDER BY 1) FROM information_schema.VIEWS WHERE TABLE_SCHEMA = 'd'";
    assert_eq!(show(&server, left).await, "kanji_view,own");
}

#[tokio::test]
async fn what_the_target_has_of_its_own_and_another_collation_are_named() {
    let source = start_with(Flavour::MySql97, &[TRUST]).await;
    let server = start_with(Flavour::MySql97, &[TRUST]).await;
    source
        .sql(
            "CREATE DATABASE d; CREATE VIEW d.v AS SELECT 1 AS one; CREATE TABLE d.gone (id INT);
             CREATE VIEW d.broken AS SELECT id FROM d.gone; DROP TABLE d.gone;
             CREATE FUNCTION d.f() RETURNS VARCHAR(9) DETERMINISTIC NO SQL RETURN 'a'",
        )
        .await
        .expect("objects");
    server
        .sql("CREATE DATABASE d COLLATE utf8mb4_bin; CREATE VIEW d.v AS SELECT 2 AS two")
        .await
        .expect("the target's own");
    let target = claimed(&server).await;
    let report = sync(&source, &target, "d").await;
    let troubles: Vec<String> = report
        .troubles
        .iter()
        .map(|trouble| format!("{}: {}", trouble.object, trouble.reason))
        .collect();
    let said = troubles.join("\n");
    assert_eq!(troubles.len(), 3, "{said}");
    assert!(
        said.contains("view `d`.`v`: the target has another one"),
        "{said}"
    );
    assert!(
        said.contains("view `d`.`broken`: server error 1146"),
        "{said}"
    );
    assert!(
        said.contains("collation utf8mb4_0900_ai_ci, and the target's has utf8mb4_bin"),
        "{said}"
    );
    assert_eq!(show(&server, "SELECT * FROM d.v").await, "2");
    let mut session = control(&source).await;
    for object in objects_of(&source, "d").await {
        let broken = broken_view(&mut session, &object.name)
            .await
            .expect("an answer");
        assert_eq!(broken.is_some(), object.name.name != "v", "{}", object.name);
    }
}

#[tokio::test]
async fn objects_of_mariadb_alone_are_refused_with_their_reason() {
    let server = start(Flavour::MariaDb).await;
    server
        .sql(
            "CREATE DATABASE d; CREATE SEQUENCE d.numbers; CREATE PROCEDURE d.plain() SELECT 1;
             SET sql_mode = ORACLE; CREATE PROCEDURE d.oracle AS BEGIN NULL; END;
             CREATE PACKAGE d.pack AS PROCEDURE p; END",
        )
        .await
        .expect("objects");
    let found: Vec<(String, Option<String>)> = objects_of(&server, "d")
        .await
        .into_iter()
        .map(|object| (object.name.to_string(), object.refused))
        .collect();
    let refused = |name: &str, reason: Option<&str>| (name.to_owned(), reason.map(str::to_owned));
    assert_eq!(
        found,
        [
            refused(
                "procedure `d`.`oracle`",
                Some("it is written in MariaDB's Oracle mode")
            ),
            refused("procedure `d`.`plain`", None),
            refused(
                "sequence `d`.`numbers`",
                Some("sequences exist in MariaDB only")
            ),
            refused("package `d`.`pack`", Some("packages exist in MariaDB only")),
        ]
    );
}
