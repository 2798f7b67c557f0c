//! Statements on whole databases: what new tables take afterwards.

use super::*;
use wherry_engine::ports::DatabaseDefinition;
use wherry_model::change::DdlSession;
use wherry_model::task::SelectSpec;
use wherry_model::{Ddl, DdlKind};

async fn run(target: &MysqlTarget, number: u64, statement: &str) {
    let kind = match statement.split(' ').next() {
        Some("DROP") => DdlKind::DropDatabase,
        Some("ALTER") => DdlKind::AlterDatabase,
        _ if statement.contains("OR REPLACE") => DdlKind::DropDatabase,
        _ => DdlKind::CreateDatabase,
    };
    let ddl = Ddl {
        kind,
        statement: statement.to_owned(),
        default_database: "d".to_owned(),
        tables: Vec::new(),
        session: DdlSession {
            sql_mode: Some(0),
            timestamp: 1_700_000_000,
            ..DdlSession::default()
        },
        begin: position(number),
        end: position(number + 1),
    };
    let selection = SelectSpec {
        databases: vec!["d".to_owned()],
        ..SelectSpec::default()
    };
    let task = target.stored().await.expect("a state").expect("a task");
    let before = task.checkpoint.expect("a checkpoint");
    let after = Checkpoint::at(ddl.end.clone());
    target
        .run_ddl(&ddl, &before, &after, &selection)
        .await
        .expect(statement);
}

async fn collation(server: &Server) -> String {
    let query =
        "SELECT DEFAULT_COLLATION_NAME FROM information_schema.SCHEMATA WHERE SCHEMA_NAME = 'd'";
    server
        .value(query)
        .await
        .expect(query)
        .unwrap_or_else(|| "gone".to_owned())
}

/// Statements in their order, each with the default collation that the database then has.
const STEPS: [(&str, &str); 9] = [
    // It did nothing at the source.
    (
        "CREATE DATABASE IF NOT EXISTS d COLLATE latin1_bin",
        "latin1_swedish_ci",
    ),
    ("DROP DATABASE d", "latin1_swedish_ci"),
    // It made another one, and here the old one is still there.
    (
        "CREATE DATABASE IF NOT EXISTS d COLLATE utf8mb4_bin",
        "utf8mb4_bin",
    ),
    (
        "CREATE DATABASE IF NOT EXISTS d COLLATE latin1_bin",
        "utf8mb4_bin",
    ),
    (
        "ALTER DATABASE d CHARACTER SET latin2 ENCRYPTION 'N'",
        "latin2_general_ci",
    ),
    (
        "ALTER DATABASE DEFAULT COLLATE latin2_czech_cs",
        "latin2_czech_cs",
    ),
    ("ALTER DATABASE d ENCRYPTION 'N'", "latin2_czech_cs"),
    (
        "CREATE OR REPLACE DATABASE d CHARACTER SET = ascii",
        "ascii_general_ci",
    ),
    (
        "CREATE DATABASE d COLLATE utf8mb4_da_0900_ai_ci",
        "utf8mb4_da_0900_ai_ci",
    ),
];

#[tokio::test]
async fn a_database_has_the_defaults_of_its_source() {
    let server = start(Flavour::MySql97).await;
    let target = claimed(&server).await;
    let mut database = DatabaseDefinition {
        name: "d".to_owned(),
        charset: "latin1".to_owned(),
        collation: "latin1_swedish_ci".to_owned(),
        comment: String::new(),
    };
    target.create_database(&database).await.expect("a database");
    server
        .sql("CREATE TABLE d.stranger (id INT PRIMARY KEY)")
        .await
        .expect("a table of the target's own");
    for (number, (statement, expected)) in (1..).zip(STEPS) {
        run(&target, number, statement).await;
        assert_eq!(collation(&server).await, expected, "{statement}");
    }
    target
        .ensure_database(&database)
        .await
        .expect("it is there");
    assert_eq!(collation(&server).await, "utf8mb4_da_0900_ai_ci");
    target.forget_database("d").await.expect("it is forgotten");
    run(
        &target,
        20,
        "CREATE DATABASE IF NOT EXISTS d COLLATE latin1_bin",
    )
    .await;
    assert_eq!(collation(&server).await, "latin1_bin");
    "latin1_danish_ci".clone_into(&mut database.collation);
    target.forget_database("d").await.expect("it is forgotten");
    target.create_database(&database).await.expect("it is back");
    run(
        &target,
        21,
        "CREATE DATABASE IF NOT EXISTS d COLLATE latin1_bin",
    )
    .await;
    assert_eq!(collation(&server).await, "latin1_danish_ci");
    run(&target, 22, "ALTER DATABASE d COLLATE nobody_knows_ci").await;
    let lost = "SELECT CONCAT(database_name, table_name, ' ', code) FROM wherry.loss_ledger";
    let lost = server.value(lost).await.expect(lost);
    assert_eq!(lost.as_deref(), Some("d TGT-140"));
    server.sql("DROP TABLE d.stranger").await.expect("it goes");
    run(&target, 23, "DROP DATABASE d").await;
    assert_eq!(collation(&server).await, "gone");
}
