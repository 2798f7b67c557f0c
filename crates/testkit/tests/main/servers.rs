//! Starting and stopping each flavour.

use std::path::Path;

use wherry_testkit::{Flavour, Server, ServerOptions};

async fn check_flavour(flavour: Flavour, gtid: bool, version: &str) {
    let server = Server::start(
        flavour,
        ServerOptions {
            gtid,
            ..ServerOptions::default()
        },
    )
    .await
    .expect("a server");
    let rows = server
        .rows("SELECT VERSION(), @@log_bin, @@binlog_format, @@server_id, NULL")
        .await
        .expect("rows");
    let row = &rows[0];
    assert!(
        row[0]
            .as_deref()
            .is_some_and(|text| text.starts_with(version)),
        "{row:?}"
    );
    assert_eq!(row[1..3], [Some("1".to_owned()), Some("ROW".to_owned())]);
    assert_eq!(row[3], Some(server.server_id().to_string()));
    assert_eq!(row[4], None);
    server.sql("CREATE DATABASE d; CREATE TABLE d.t (a INT PRIMARY KEY); INSERT INTO d.t VALUES (1), (2)").await.expect("sql");
    server.kill9().expect("kill");
    assert!(server.rows("SELECT 1").await.is_err());
    server.restart().await.expect("restart");
    assert_eq!(
        server
            .value("SELECT COUNT(*) FROM d.t")
            .await
            .expect("value")
            .as_deref(),
        Some("2")
    );
    let mover = mysql_async::Pool::new(server.url("mover").as_str());
    let mut connection = mover.get_conn().await.expect("mover connects");
    mysql_async::prelude::Queryable::query_drop(&mut connection, "DROP DATABASE d")
        .await
        .expect("mover may drop");
    drop(connection);
    mover.disconnect().await.expect("disconnect");
    if flavour != Flavour::MariaDb {
        let mode = server.value("SELECT @@gtid_mode").await.expect("value");
        assert_eq!(mode.as_deref(), Some(if gtid { "ON" } else { "OFF" }));
    }
    let (pid, folder) = (server.pid(), server.folder().to_path_buf());
    drop(server);
    assert!(!Path::new(&format!("/proc/{pid}")).exists() && !folder.exists());
}

#[tokio::test]
async fn server_mysql97_with_gtid() {
    check_flavour(Flavour::MySql97, true, "9.").await;
}

#[tokio::test]
async fn server_mysql97_without_gtid() {
    check_flavour(Flavour::MySql97, false, "9.").await;
}

#[tokio::test]
async fn server_mysql56_with_gtid() {
    check_flavour(Flavour::MySql56, true, "5.6").await;
}

#[tokio::test]
async fn server_mysql56_without_gtid() {
    check_flavour(Flavour::MySql56, false, "5.6").await;
}

#[tokio::test]
async fn server_mariadb() {
    check_flavour(Flavour::MariaDb, false, "10.11").await;
}

#[tokio::test]
async fn server_that_cannot_start_shows_its_log() {
    let options = ServerOptions {
        arguments: vec!["--no-such-option=1".to_owned()],
        ..ServerOptions::default()
    };
    let failure = Server::start(Flavour::MySql56, options)
        .await
        .err()
        .expect("no server");
    assert!(failure.to_string().contains("no-such-option"), "{failure}");
}

#[tokio::test]
async fn a_paused_server_keeps_still_until_it_is_resumed() {
    let server = Server::start(Flavour::MySql56, ServerOptions::default())
        .await
        .expect("a server");
    server.pause().expect("pause");
    let asked = tokio::time::timeout(
        std::time::Duration::from_millis(500),
        server.rows("SELECT 1"),
    )
    .await;
    assert!(asked.is_err());
    server.resume().expect("resume");
    assert_eq!(
        server.value("SELECT 1").await.expect("value").as_deref(),
        Some("1")
    );
}
