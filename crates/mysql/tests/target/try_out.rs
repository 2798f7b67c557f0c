//! What the precheck finds out about definitions by trying them.

use super::*;
use wherry_engine::ports::DatabaseDefinition;
use wherry_model::CheckItem;
use wherry_model::task::{EngineRule, SelectSpec};

fn selection() -> SelectSpec {
    SelectSpec {
        databases: vec!["d".to_owned()],
        ..SelectSpec::default()
    }
}

/// A table of the source with this definition; its columns do not matter here.
async fn defined(server: &Server, name: &str, body: &str) -> Table {
    let mut table = read(server, "model").await.as_ref().clone();
    table.name = TableName::new("d", name);
    table.definition = format!("CREATE TABLE `{name}` (\n  {body}");
    table
}

async fn items_of(target: &MysqlTarget, catalog: &Catalog) -> Vec<CheckItem> {
    let items = target.precheck(&selection(), catalog).await;
    items.expect("a precheck")
}

fn evidence(items: &[CheckItem], id: &str) -> Vec<String> {
    let of = items.iter().filter(|item| item.id == id);
    of.map(|item| format!("{:?} {}", item.verdict, item.evidence))
        .collect()
}

async fn with_model() -> (Server, MysqlTarget) {
    let server = start(Flavour::MySql97).await;
    server
        .sql("CREATE DATABASE d; CREATE TABLE d.model (a INT PRIMARY KEY)")
        .await
        .expect("a model");
    let target = unclaimed(&server).await;
    (server, target)
}

#[tokio::test]
async fn definitions_that_the_target_does_not_take_fail_the_precheck() {
    let (server, target) = with_model().await;
    let many: Vec<String> = (0..1018).map(|number| format!("`c{number}` int")).collect();
    let end = ") ENGINE=InnoDB DEFAULT CHARSET=utf8mb4";
    let bodies = [
        (
            "many",
            format!("{}\n{end}", many.join(",\n  ")),
            "1017|Too many columns",
        ),
        (
            "long_key",
            format!("`a` varchar(769) NOT NULL,\n  PRIMARY KEY (`a`)\n{end}"),
            "3072",
        ),
        (
            "long_row",
            format!("`a` varchar(16000),\n  `b` varchar(16000)\n{end}"),
            "Row size",
        ),
        (
            "no_length",
            format!("`a` text,\n  UNIQUE KEY `u` (`a`)\n{end}"),
            "key length",
        ),
        (
            "function",
            format!("`a` varchar(9)\n{end}\nPARTITION BY HASH (crc32(`a`))"),
            "partition",
        ),
        (
            "fine",
            format!(
                "`a` int,\n  CONSTRAINT `f` FOREIGN KEY (`a`) REFERENCES `nowhere` (`b`)\n{end}"
            ),
            "",
        ),
    ];
    let mut tables = Vec::new();
    for (name, body, _) in &bodies {
        tables.push(defined(&server, name, body).await);
    }
    let items = items_of(&target, &catalog_of(&tables)).await;
    let failed = evidence(&items, "target-definitions");
    for (name, _, words) in bodies {
        let found = failed
            .iter()
            .find(|text| text.contains(&format!("`{name}`")));
        if words.is_empty() {
            assert_eq!(found, None);
            continue;
        }
        let text = found.unwrap_or_else(|| panic!("{name} is not refused: {failed:#?}"));
        assert!(text.starts_with("Fail TGT-111"), "{text}");
        assert!(
            words.split('|').any(|words| text.contains(words)),
            "{words} in {text}"
        );
    }
    assert_eq!(failed.len(), 5);
    let databases = show(&server, "SHOW DATABASES LIKE 'wherry%'").await;
    assert_eq!(databases, "", "what was tried is gone");
}

#[tokio::test]
async fn an_engine_that_the_target_lacks_fails_the_precheck() {
    let (server, _) = with_model().await;
    let options = TargetOptions {
        task: "t".to_owned(),
        state_database: "wherry".to_owned(),
        workers: 2,
        writers: 2,
        source_version: version(&server).await,
        select: SelectSpec {
            engine: EngineRule::XEngine,
            ..selection()
        },
    };
    let target = MysqlTarget::new(endpoint(&server), options);
    let end = "\n) ENGINE=InnoDB";
    let tables = [
        defined(&server, "plain", &format!("`a` int{end}")).await,
        defined(
            &server,
            "words",
            &format!("`a` text,\n  FULLTEXT KEY `w` (`a`){end}"),
        )
        .await,
    ];
    let items = items_of(&target, &catalog_of(&tables)).await;
    let engine = evidence(&items, "target-engine");
    assert!(
        engine[0].starts_with("Fail TGT-110") && engine[0].contains("XENGINE"),
        "{engine:?}"
    );
    let refused = evidence(&items, "target-definitions");
    assert!(
        refused[0].contains("DDL-080: table `d`.`words`"),
        "{refused:?}"
    );
}

#[tokio::test]
async fn constraints_of_one_name_fail_the_precheck() {
    let (server, target) = with_model().await;
    let body = |column: &str| {
        format!(
            "`{column}` int,\n  CONSTRAINT `positive` CHECK ((`{column}` > 0))\n) ENGINE=InnoDB"
        )
    };
    let tables = [
        defined(&server, "one", &body("a")).await,
        defined(&server, "two", &body("b").replace("positive", "Positive")).await,
    ];
    let items = items_of(&target, &catalog_of(&tables)).await;
    let found = evidence(&items, "target-constraint-names");
    assert!(found[0].contains("`d`.`one` and `d`.`two`"), "{found:?}");
}

/// A table that names no character set takes that of its database.
#[tokio::test]
async fn a_database_with_other_defaults_is_mended() {
    let (server, _) = with_model().await;
    let target = claimed(&server).await;
    let database = DatabaseDefinition {
        name: "d".to_owned(),
        charset: "latin1".to_owned(),
        collation: "latin1_german1_ci".to_owned(),
        comment: String::new(),
    };
    let databases = std::slice::from_ref(&database);
    let differences = target
        .schema_diff(databases, &[])
        .await
        .expect("a comparison");
    let has = |object: &str, rule: Option<&str>| {
        differences
            .iter()
            .any(|one| one.object() == object && one.rule == rule)
    };
    assert!(has("database `d`", None), "{differences:?}");
    assert!(has("`d`.`model`", Some("target-only")), "{differences:?}");
    target.create_database(&database).await.expect("a database");
    let differences = target
        .schema_diff(databases, &[])
        .await
        .expect("a comparison");
    assert!(
        differences.iter().all(|one| one.rule.is_some()),
        "{differences:?}"
    );
}

#[tokio::test]
async fn settings_of_the_target_that_tables_do_not_suit_are_told() {
    let (server, target) = with_model().await;
    server
        .sql("CREATE TABLE d.wide (t LONGTEXT); SET GLOBAL sql_require_primary_key = ON, GLOBAL max_allowed_packet = 1048576")
        .await
        .expect("settings");
    let tables = [read(&server, "wide").await.as_ref().clone()];
    let items = items_of(&target, &catalog_of(&tables)).await;
    let key = evidence(&items, "target-primary-key");
    assert!(
        key[0].starts_with("Fail") && key[0].contains("`d`.`wide`"),
        "{key:?}"
    );
    let packet = evidence(&items, "target-max-allowed-packet");
    assert!(packet[0].starts_with("Warn 1048576"), "{packet:?}");
}

#[tokio::test]
async fn names_that_the_target_makes_one_fail_the_precheck() {
    let source = start(Flavour::MySql97).await;
    let server = start_with(Flavour::MariaDb, &["--lower-case-table-names=1"]).await;
    source
        .sql("CREATE DATABASE d; CREATE TABLE d.model (a INT PRIMARY KEY)")
        .await
        .expect("a model");
    let target = unclaimed(&server).await;
    let end = "`a` int\n) ENGINE=InnoDB";
    let tables = [
        defined(&source, "Case", end).await,
        defined(&source, "case", end).await,
    ];
    let items = items_of(&target, &catalog_of(&tables)).await;
    let names = evidence(&items, "target-lower-case-table-names");
    assert!(
        names[0].starts_with("Fail") && names[0].contains("`d`.`Case` and `d`.`case`"),
        "{names:?}"
    );
}
