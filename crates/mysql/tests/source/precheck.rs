//! The precheck on servers that are right, and on ones that are wrong in a known way.

use super::{FLAVOURS, endpoint, source, start};
use wherry_engine::ports::Source;
use wherry_model::task::SelectSpec;
use wherry_model::{CheckItem, Verdict};
use wherry_mysql::session::{Endpoint, Secret};
use wherry_mysql::source::{MysqlSource, SourceOptions};
use wherry_testkit::{Flavour, Server, ServerOptions};

fn selection(databases: &[&str]) -> SelectSpec {
    SelectSpec {
        databases: databases.iter().map(|&name| name.to_owned()).collect(),
        ..SelectSpec::default()
    }
}

async fn items(source: &MysqlSource, databases: &[&str]) -> Vec<CheckItem> {
    let items = source
        .precheck(&selection(databases))
        .await
        .expect("a precheck");
    for item in &items {
        assert_eq!(
            item.fix.is_empty(),
            item.verdict == Verdict::Pass,
            "{item:?}"
        );
        assert!(
            item.id.starts_with("source-") && !item.evidence.is_empty(),
            "{item:?}"
        );
    }
    items
}

fn verdict(items: &[CheckItem], id: &str) -> Verdict {
    let found = items
        .iter()
        .filter(|item| item.id == id)
        .map(|item| item.verdict)
        .max();
    found.unwrap_or_else(|| panic!("no item {id} in {items:#?}"))
}

fn as_user(server: &Server, user: &str) -> MysqlSource {
    let mut endpoint: Endpoint = endpoint(server);
    endpoint.user = user.to_owned();
    endpoint.password = Some(Secret::new(user));
    MysqlSource::new(endpoint, SourceOptions { readers: 1 })
}

const TABLES: &str = "CREATE DATABASE shop; CREATE TABLE shop.a (id INT PRIMARY KEY) ENGINE=InnoDB";

#[tokio::test]
async fn a_sound_source_passes_and_bare_accounts_do_not() {
    for flavour in FLAVOURS {
        let arguments = vec!["--sync-binlog=1".to_owned()];
        let options = ServerOptions {
            arguments,
            ..ServerOptions::default()
        };
        let server = Server::start(flavour, options).await.expect("a server");
        server.sql(TABLES).await.expect("tables");
        let good = items(&source(&server), &["shop"]).await;
        let wrong: Vec<&CheckItem> = good
            .iter()
            .filter(|item| item.verdict != Verdict::Pass)
            .collect();
        assert!(wrong.is_empty(), "{flavour:?}: {wrong:#?}");

        server
            .sql(
                "CREATE TABLE shop.b (a INT) ENGINE=InnoDB; CREATE VIEW shop.v AS SELECT 1; \
                 CREATE TABLE shop.m (a INT PRIMARY KEY) ENGINE=MyISAM; \
                 CREATE TABLE shop.h (a INT NOT NULL) ENGINE=CSV; \
                 CREATE USER bare@'%' IDENTIFIED BY 'bare'; GRANT SELECT ON shop.a TO bare@'%'; \
                 GRANT SELECT ON shop.b TO bare@'%'; \
                 CREATE USER some@'%' IDENTIFIED BY 'some'; GRANT SELECT, LOCK TABLES ON shop.* TO some@'%'; \
                 GRANT REPLICATION SLAVE, REPLICATION CLIENT ON *.* TO some@'%'",
            )
            .await
            .expect("accounts");
        let bare = items(&as_user(&server, "bare"), &["shop"]).await;
        for id in [
            "source-privilege-replication-client",
            "source-privilege-select",
            "source-exact-tables",
        ] {
            assert_eq!(verdict(&bare, id), Verdict::Fail, "{flavour:?} {id}");
        }
        let some = items(&as_user(&server, "some"), &["shop", "nowhere", "mysql"]).await;
        for id in [
            "source-privilege-replication-client",
            "source-privilege-replication-slave",
            "source-privilege-select",
            "source-exact-tables",
        ] {
            assert_eq!(
                verdict(&some, id),
                Verdict::Pass,
                "{flavour:?} {id} {some:#?}"
            );
        }
        let xa = if flavour == Flavour::MySql97 {
            Verdict::Warn
        } else {
            Verdict::Pass
        };
        assert_eq!(verdict(&some, "source-prepared-xa"), xa);
        assert_eq!(verdict(&some, "source-engines"), Verdict::Warn);
        assert_eq!(verdict(&some, "source-databases"), Verdict::Fail);
        assert_eq!(verdict(&some, "source-tables"), Verdict::Fail);
        assert!(
            some.iter()
                .any(|item| item.evidence.starts_with("SRC-010: ")),
            "{some:#?}"
        );
        // An account that may only read would leave triggers, events and routines behind unseen.
        assert_eq!(
            verdict(&some, "source-objects"),
            Verdict::Fail,
            "{flavour:?}"
        );
        let see = match flavour {
            Flavour::MySql97 => "GRANT SHOW_ROUTINE ON *.* TO some@'%'",
            _ => "GRANT SELECT ON mysql.proc TO some@'%'",
        };
        let grants = format!("{see}; GRANT SHOW VIEW, TRIGGER, EVENT ON shop.* TO some@'%'");
        server.sql(&grants).await.expect("grants");
        let some = items(&as_user(&server, "some"), &["shop"]).await;
        let objects: Vec<&CheckItem> = some
            .iter()
            .filter(|item| item.id == "source-objects")
            .collect();
        assert_eq!(objects.len(), 1);
        assert_eq!(objects[0].verdict, Verdict::Pass, "{objects:?}");
        assert_eq!(objects[0].evidence, "1 views");
    }
}

#[tokio::test]
async fn wrong_settings_fail() {
    let options = |arguments: &[&str]| ServerOptions {
        arguments: arguments
            .iter()
            .map(|&argument| argument.to_owned())
            .collect(),
        ..ServerOptions::default()
    };
    let server = Server::start(
        Flavour::MySql97,
        options(&[
            "--binlog-format=MIXED",
            "--binlog-row-image=MINIMAL",
            "--binlog-ignore-db=shop",
            "--sync-binlog=7",
            "--binlog-expire-logs-seconds=60",
        ]),
    )
    .await
    .expect("a server");
    server.sql(TABLES).await.expect("tables");
    let found = items(&source(&server), &["shop"]).await;
    for id in [
        "source-binlog-format",
        "source-binlog-row-image",
        "source-binlog-filter",
    ] {
        assert_eq!(verdict(&found, id), Verdict::Fail, "{id}");
    }
    for id in ["source-sync-binlog", "source-binlog-retention"] {
        assert_eq!(verdict(&found, id), Verdict::Warn, "{id}");
    }
    drop(server);

    let off = ServerOptions {
        binlog: false,
        ..ServerOptions::default()
    };
    for flavour in FLAVOURS {
        let server = Server::start(flavour, off.clone()).await.expect("a server");
        server.sql(TABLES).await.expect("tables");
        assert_eq!(
            verdict(&items(&source(&server), &["shop"]).await, "source-binlog"),
            Verdict::Fail
        );
    }

    let maria = Server::start(Flavour::MariaDb, options(&["--log-bin-compress=ON"]))
        .await
        .expect("a server");
    assert_eq!(
        verdict(
            &items(&source(&maria), &[]).await,
            "source-log-bin-compress"
        ),
        Verdict::Fail
    );
}

#[tokio::test]
async fn managed_services_are_known_by_their_marks() {
    let server = start(Flavour::MySql97, true).await;
    server.sql(TABLES).await.expect("tables");
    server
        .sql(
            "CREATE TABLE mysql.rds_configuration (name VARCHAR(100), value VARCHAR(100)); \
             INSERT INTO mysql.rds_configuration VALUES ('binlog retention hours', NULL)",
        )
        .await
        .expect("a mark of RDS");
    let found = items(&source(&server), &["shop"]).await;
    let retention = found
        .iter()
        .find(|item| item.id == "source-binlog-retention")
        .expect("an item");
    assert_eq!(retention.verdict, Verdict::Warn);
    assert!(
        retention
            .fix
            .starts_with("CALL mysql.rds_set_configuration('binlog retention hours', ")
    );
}

#[tokio::test]
async fn a_source_that_cannot_be_reached_is_one_item() {
    let server = start(Flavour::MySql97, false).await;
    let mut wrong = endpoint(&server);
    wrong.password = Some(Secret::new("wrong"));
    let found = items(
        &MysqlSource::new(wrong, SourceOptions { readers: 1 }),
        &["shop"],
    )
    .await;
    assert_eq!(found.len(), 1);
    assert_eq!(verdict(&found, "source-connect"), Verdict::Fail);
    assert!(found[0].evidence.starts_with("CONN-"), "{found:?}");
}

/// Servers print `?` for characters like emoji. A default tells its bytes when it is asked for, also over an empty
/// table; MySQL 9.7 prints it in hexadecimal, so it is carried from there.
#[tokio::test]
async fn defaults_that_are_printed_as_others_are_refused() {
    for flavour in FLAVOURS {
        let server = start(flavour, false).await;
        server
            .sql(
                "SET NAMES utf8mb4; CREATE DATABASE plain; CREATE DATABASE lost;
                 CREATE TABLE plain.a (id INT PRIMARY KEY, v VARCHAR(9) CHARACTER SET utf8mb4 DEFAULT 'why?', w VARCHAR(9) CHARACTER SET utf8mb4 DEFAULT 'é日?') ENGINE=InnoDB;
                 CREATE TABLE lost.a (id INT PRIMARY KEY, v VARCHAR(9) CHARACTER SET utf8mb4 DEFAULT 'a😀') ENGINE=InnoDB COMMENT 'a😀'",
            )
            .await
            .expect("tables");
        let source = source(&server);
        let found = items(&source, &["plain"]).await;
        assert_eq!(verdict(&found, "source-tables"), Verdict::Pass);
        assert_eq!(verdict(&found, "source-comments"), Verdict::Pass);
        let found = items(&source, &["lost"]).await;
        let expected = match flavour {
            Flavour::MySql97 => Verdict::Pass,
            Flavour::MySql56 | Flavour::MariaDb => Verdict::Fail,
        };
        assert_eq!(verdict(&found, "source-tables"), expected, "{flavour:?}");
        assert_eq!(verdict(&found, "source-comments"), Verdict::Warn);
    }
}
