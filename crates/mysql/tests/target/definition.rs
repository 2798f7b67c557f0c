//! Definitions: schema phase, deferred indexes, foreign keys, and DDL of the source.

use super::*;
use wherry_engine::ports::{DatabaseDefinition, DdlEffect};
use wherry_model::change::DdlSession;
use wherry_model::task::SelectSpec;
use wherry_model::{Ddl, DdlKind};

fn selection() -> SelectSpec {
    SelectSpec {
        databases: vec!["d".to_owned()],
        ..SelectSpec::default()
    }
}

fn ddl(kind: DdlKind, number: u64, statement: &str, tables: &[&str]) -> Ddl {
    Ddl {
        kind,
        statement: statement.to_owned(),
        default_database: "d".to_owned(),
        tables: tables
            .iter()
            .map(|name| {
                let (database, table) = name.split_once('.').unwrap_or(("d", name));
                TableName::new(database, table)
            })
            .collect(),
        session: DdlSession {
            sql_mode: Some(0),
            timestamp: 1_700_000_000,
            ..DdlSession::default()
        },
        begin: position(number),
        end: position(number + 1),
    }
}

async fn run(target: &MysqlTarget, ddl: &Ddl) -> Vec<DdlEffect> {
    let before = target
        .stored()
        .await
        .expect("a state")
        .expect("a task")
        .checkpoint
        .expect("a checkpoint");
    let after = Checkpoint::at(ddl.end.clone());
    target
        .run_ddl(ddl, &before, &after, &selection())
        .await
        .expect("a definition change")
}

fn names(effects: &[DdlEffect]) -> Vec<String> {
    effects
        .iter()
        .map(|effect| match effect {
            DdlEffect::Defined(table, _) => {
                let columns: Vec<&str> = table
                    .columns
                    .iter()
                    .map(|column| column.name.as_str())
                    .collect();
                format!("{}({})", table.name.table, columns.join(","))
            }
            DdlEffect::Gone(name) => format!("-{}", name.table),
            DdlEffect::Stopped(name, reason) => format!("!{} {reason}", name.table),
            DdlEffect::Left(name) => format!("={}", name.table),
            DdlEffect::Restart(name) => format!("+{}", name.table),
        })
        .collect()
}

#[tokio::test]
async fn a_schema_is_made_in_steps() {
    let server = start(Flavour::MySql97).await;
    let source = start(Flavour::MySql97).await;
    source
        .sql(
            "CREATE DATABASE d DEFAULT CHARACTER SET latin1; USE d; \
             CREATE TABLE p (id INT PRIMARY KEY, v INT, KEY v (v)) ENGINE=InnoDB; \
             CREATE TABLE c (id INT AUTO_INCREMENT PRIMARY KEY, p_id INT, s TEXT, u INT UNIQUE, KEY s (s(10)), FULLTEXT KEY ft (s), \
               CONSTRAINT fk FOREIGN KEY (p_id) REFERENCES p (id)) ENGINE=InnoDB AUTO_INCREMENT=50",
        )
        .await
        .expect("a schema");
    let target = claimed(&server).await;
    let database = DatabaseDefinition {
        name: "d".to_owned(),
        charset: "latin1".to_owned(),
        collation: "latin1_swedish_ci".to_owned(),
        comment: String::new(),
    };
    target.create_database(&database).await.expect("a database");
    target.create_database(&database).await.expect("again");
    let tables = [read(&source, "p").await, read(&source, "c").await];
    for table in &tables {
        let state = TableState {
            table: table.as_ref().clone(),
            start: position(1),
            stage: TableStage::Planned,
            stopped: None,
            lane: None,
        };
        target.plan_table(&state).await.expect("a plan");
        for _ in 0..2 {
            target.create_table(table, true).await.expect("a table");
        }
    }
    let keys = "SELECT GROUP_CONCAT(DISTINCT INDEX_NAME ORDER BY INDEX_NAME) FROM information_schema.STATISTICS WHERE TABLE_SCHEMA='d' AND TABLE_NAME='c'";
    assert_eq!(show(&server, keys).await, "PRIMARY,u");
    server
        .sql("SET foreign_key_checks=0; INSERT INTO d.c (id, p_id) VALUES (1, 77)")
        .await
        .expect("an orphan");
    for table in &tables {
        for _ in 0..2 {
            target.add_indexes(table).await.expect("indexes");
        }
    }
    assert_eq!(show(&server, keys).await, "fk,ft,PRIMARY,s,u");
    let fault = target
        .add_foreign_keys(&tables[1])
        .await
        .expect_err("an orphan");
    assert_eq!(fault.code, "TGT-031");
    server.sql("DELETE FROM d.c").await.expect("no orphan");
    for table in &tables {
        for _ in 0..2 {
            target.add_foreign_keys(table).await.expect("foreign keys");
        }
    }
    let list: Vec<Table> = tables.iter().map(|table| table.as_ref().clone()).collect();
    let differences = target.schema_diff(&[], &list).await.expect("a comparison");
    let real: Vec<_> = differences
        .iter()
        .filter(|difference| difference.rule.is_none())
        .collect();
    assert!(real.is_empty(), "{real:?}");
    let name = TableName::new("d", "c");
    target
        .raise_auto_increment(&name, 90)
        .await
        .expect("raised");
    target.raise_auto_increment(&name, 60).await.expect("kept");
    let text = show(&server, "SHOW CREATE TABLE d.c").await;
    assert!(text.contains("AUTO_INCREMENT=90"), "{text}");
    server.sql("DROP TABLE d.p").await.expect_err("referenced");
    server
        .sql("ALTER TABLE d.c DROP KEY s")
        .await
        .expect("a difference");
    let differences = target.schema_diff(&[], &list).await.expect("a comparison");
    assert!(
        differences
            .iter()
            .any(|difference| difference.rule.is_none())
    );
    target.drop_table(&name).await.expect("a drop");
    assert_eq!(show(&server, "SHOW TABLES FROM d").await, "p");
}

#[tokio::test]
async fn a_table_with_foreign_rows_is_not_touched() {
    let server = start(Flavour::MySql97).await;
    let target = claimed(&server).await;
    let table = planned(&server, &target, "t", "id INT PRIMARY KEY").await;
    server
        .sql("INSERT INTO d.t VALUES (1)")
        .await
        .expect("a row");
    let items = target
        .precheck(&selection(), &catalog_of(&[table.as_ref().clone()]))
        .await
        .expect("a precheck");
    let item = items
        .iter()
        .find(|item| item.id == "target-empty")
        .expect("an item");
    assert_eq!(item.verdict, wherry_model::Verdict::Fail);
    let fault = target
        .create_table(&table, true)
        .await
        .expect_err("rows of someone else");
    assert_eq!(fault.code, "TGT-032");
    assert_eq!(show(&server, "SELECT * FROM d.t").await, "1");
}

#[tokio::test]
async fn a_precheck_leaves_nothing_behind() {
    for flavour in [Flavour::MySql97, Flavour::MySql56, Flavour::MariaDb] {
        let server = start(flavour).await;
        let before = show(&server, "SHOW DATABASES").await;
        let target = unclaimed(&server).await;
        let items = target
            .precheck(&selection(), &catalog_of(&[]))
            .await
            .expect("a precheck");
        let failed: Vec<_> = items
            .iter()
            .filter(|item| item.verdict == wherry_model::Verdict::Fail)
            .collect();
        assert!(failed.is_empty(), "{failed:?}");
        assert_eq!(show(&server, "SHOW DATABASES").await, before);
    }
}

/// A precheck that was killed leaves its probe; the next one takes it away, and nothing else.
#[tokio::test]
async fn a_precheck_tells_its_own_left_over_from_a_table_of_that_name() {
    let server = start(Flavour::MySql97).await;
    let target = unclaimed(&server).await;
    let failed = async || -> usize {
        let items = target
            .precheck(&selection(), &catalog_of(&[]))
            .await
            .expect("items");
        let failed = |item: &&wherry_model::CheckItem| item.verdict == wherry_model::Verdict::Fail;
        items.iter().filter(failed).count()
    };
    server
        .sql(
            "CREATE DATABASE d; CREATE TABLE d.wherry_probe (id INT) COMMENT='probe of the wherry precheck'",
        )
        .await
        .expect("a left over probe");
    assert_eq!(failed().await, 0);
    assert_eq!(show(&server, "SHOW TABLES FROM d").await, "");
    server
        .sql("CREATE TABLE d.wherry_probe (id INT); INSERT INTO d.wherry_probe VALUES (7)")
        .await
        .expect("a table of someone");
    assert_eq!(failed().await, 1);
    assert_eq!(show(&server, "SELECT id FROM d.wherry_probe").await, "7");
}

async fn ddl_of_every_kind_is_carried(flavour: Flavour) {
    let server = start(flavour).await;
    let target = claimed(&server).await;
    planned(&server, &target, "t", "id INT PRIMARY KEY, v INT").await;
    let effects = run(
        &target,
        &ddl(
            DdlKind::AlterTable,
            1,
            "ALTER TABLE t ADD COLUMN w VARCHAR(9) DEFAULT 'x' AFTER id, ADD KEY (v)",
            &["t"],
        ),
    )
    .await;
    assert_eq!(names(&effects), ["t(id,w,v)"]);
    assert_eq!(
        *read(&server, "t").await.columns,
        {
            let DdlEffect::Defined(table, start) = &effects[0] else {
                panic!("a definition");
            };
            assert_eq!(*start, position(2));
            table.columns.clone()
        }[..]
    );
    let effects = run(
        &target,
        &ddl(
            DdlKind::CreateTable,
            2,
            "CREATE TABLE n LIKE t",
            &["n", "t"],
        ),
    )
    .await;
    assert_eq!(names(&effects), ["n(id,w,v)"]);
    let effects = run(
        &target,
        &ddl(
            DdlKind::CreateTable,
            3,
            "CREATE TABLE IF NOT EXISTS d.m (a INT, b INT)",
            &["m"],
        ),
    )
    .await;
    assert_eq!(names(&effects), ["m(a,b)"]);
    // A swap through a third name.
    let effects = run(
        &target,
        &ddl(
            DdlKind::RenameTable,
            4,
            "RENAME TABLE t TO x, m TO t, x TO m",
            &["t", "x", "m", "t", "x", "m"],
        ),
    )
    .await;
    let mut found = names(&effects);
    found.sort();
    assert_eq!(found, ["m(id,w,v)", "t(a,b)"]);
    server
        .sql("INSERT INTO d.m VALUES (1, 'y', 2)")
        .await
        .expect("a row");
    let effects = run(
        &target,
        &ddl(DdlKind::TruncateTable, 5, "TRUNCATE m", &["m"]),
    )
    .await;
    assert!(effects.is_empty());
    assert_eq!(show(&server, "SELECT COUNT(*) FROM d.m").await, "0");
    let effects = run(
        &target,
        &ddl(
            DdlKind::DropTable,
            6,
            "DROP TABLE t, other.z, n",
            &["t", "other.z", "n"],
        ),
    )
    .await;
    assert_eq!(names(&effects), ["-t", "-n"]);
    assert_eq!(show(&server, "SHOW TABLES FROM d").await, "m");
    let stored = target.stored().await.expect("a state").expect("a task");
    assert_eq!(stored.tables.len(), 1);
    assert_eq!(stored.tables[0].table.name, TableName::new("d", "m"));
    assert_eq!(stored.checkpoint, Some(at(7)));
    assert_eq!(
        show(&server, "SELECT COUNT(*) FROM wherry.ddl_intent").await,
        "0"
    );
    assert!(!show(&server, "SHOW DATABASES").await.contains("shadow"));
}

#[tokio::test]
async fn ddl_of_every_kind_is_carried_on_mysql_97() {
    ddl_of_every_kind_is_carried(Flavour::MySql97).await;
}

#[tokio::test]
async fn ddl_of_every_kind_is_carried_on_mysql_56() {
    ddl_of_every_kind_is_carried(Flavour::MySql56).await;
}

#[tokio::test]
async fn ddl_of_every_kind_is_carried_on_mariadb() {
    ddl_of_every_kind_is_carried(Flavour::MariaDb).await;
}

/// The process died after the statement ran and before the checkpoint moved.
#[tokio::test]
async fn a_change_that_ran_before_a_crash_is_not_run_again() {
    let server = start(Flavour::MySql97).await;
    let target = claimed(&server).await;
    planned(&server, &target, "t", "id INT PRIMARY KEY, v INT").await;
    planned(&server, &target, "u", "id INT PRIMARY KEY, z INT").await;
    let alter = ddl(DdlKind::AlterTable, 1, "ALTER TABLE t ADD w INT", &["t"]);
    crash_after_statement(&server, &target, &alter).await;
    let effects = run(&target, &alter).await;
    assert_eq!(names(&effects), ["t(id,v,w)"]);

    let swap = ddl(
        DdlKind::RenameTable,
        2,
        "RENAME TABLE t TO x, u TO t, x TO u",
        &["t", "x", "u", "t", "x", "u"],
    );
    crash_after_statement(&server, &target, &swap).await;
    // As if the crash had come before the last leg, and then after it and before its mark.
    for back in ["RENAME TABLE d.u TO d.x", "DO 0"] {
        server
            .sql(&format!(
                "{back}; UPDATE wherry.ddl_intent SET done=0 WHERE leg=2"
            ))
            .await
            .expect("one leg back");
        crash_after_statement(&server, &target, &swap).await;
    }
    let mut found = names(&run(&target, &swap).await);
    found.sort();
    assert_eq!(found, ["t(id,z)", "u(id,v,w)"]);

    let create = ddl(DdlKind::CreateTable, 3, "CREATE TABLE n (a INT)", &["n"]);
    crash_after_statement(&server, &target, &create).await;
    assert_eq!(names(&run(&target, &create).await), ["n(a)"]);
    assert_eq!(
        show(&server, "SHOW COLUMNS FROM d.t LIKE 'z'")
            .await
            .split(',')
            .next(),
        Some("z")
    );
}

/// Runs the statement with a checkpoint that cannot move: everything up to the last transaction
/// happens, and that one does not.
async fn crash_after_statement(server: &Server, target: &MysqlTarget, ddl: &Ddl) {
    server
        .sql("CREATE TRIGGER wherry.crash BEFORE UPDATE ON wherry.checkpoint FOR EACH ROW SIGNAL SQLSTATE '45000'")
        .await
        .expect("a trigger");
    let stored = target.stored().await.expect("a state").expect("a task");
    let before = stored.checkpoint.expect("a checkpoint");
    let after = Checkpoint::at(ddl.end.clone());
    target
        .run_ddl(ddl, &before, &after, &selection())
        .await
        .expect_err("the checkpoint cannot move");
    server
        .sql("DROP TRIGGER wherry.crash")
        .await
        .expect("no trigger");
    assert_ne!(
        show(server, "SELECT COUNT(*) FROM wherry.ddl_intent").await,
        "0"
    );
}

/// The lane has loaded `b` as it became behind the statement that gave it this name.
#[tokio::test]
async fn a_table_is_not_renamed_to_itself_as_it_became_later() {
    let server = start(Flavour::MySql97).await;
    let target = claimed(&server).await;
    planned(&server, &target, "a", "id INT").await;
    let later = planned(&server, &target, "b", "id INT, x INT").await;
    server
        .sql("INSERT INTO d.b VALUES (1, 2)")
        .await
        .expect("a row");
    let ahead = TableState {
        table: later.as_ref().clone(),
        start: position(9),
        stage: TableStage::Complete,
        stopped: None,
        lane: None,
    };
    target.plan_table(&ahead).await.expect("a plan");
    let statement = "ALTER TABLE a RENAME TO b, ADD x INT";
    let renamed = ddl(DdlKind::AlterTable, 1, statement, &["a", "b"]);
    assert_eq!(names(&run(&target, &renamed).await), ["-a"]);
    assert_eq!(show(&server, "SHOW TABLES FROM d").await, "b");
    assert_eq!(show(&server, "SELECT * FROM d.b").await, "1,2");
    let stored = target.stored().await.expect("a state").expect("a task");
    assert_eq!(stored.tables, [ahead]);
}

#[tokio::test]
async fn what_cannot_be_carried_stops_its_table_alone() {
    let server = start(Flavour::MySql97).await;
    let target = claimed(&server).await;
    planned(&server, &target, "t", "id INT PRIMARY KEY, v INT").await;
    planned(&server, &target, "u", "id INT PRIMARY KEY").await;
    let effects = run(
        &target,
        &ddl(
            DdlKind::AlterTable,
            1,
            "ALTER TABLE t DROP COLUMN nothing",
            &["t"],
        ),
    )
    .await;
    assert_eq!(effects.len(), 1);
    assert!(matches!(&effects[0], DdlEffect::Stopped(name, _) if name.table == "t"));
    let effects = run(
        &target,
        &ddl(
            DdlKind::RenameTable,
            2,
            "RENAME TABLE other.a TO d.a, d.u TO other.u",
            &["other.a", "a", "u", "other.u"],
        ),
    )
    .await;
    let found = names(&effects);
    assert_eq!(found.len(), 2);
    assert_eq!(found, ["-u", "+a"]);
    let stored = target.stored().await.expect("a state").expect("a task");
    let stopped: Vec<_> = stored
        .tables
        .iter()
        .filter(|state| state.stopped.is_some())
        .map(|state| state.table.name.table.as_str())
        .collect();
    assert_eq!(stopped, ["t"]);
    let waiting = stored.tables.iter().find(|state| state.lane.is_some());
    assert_eq!(waiting.expect("one waits").table.name.table, "a");
    assert_eq!(stored.checkpoint, Some(at(3)));
    assert_eq!(show(&server, "SHOW TABLES FROM d").await, "t;u");
}
