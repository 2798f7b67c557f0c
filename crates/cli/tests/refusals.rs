//! One clear error each, with the next step, and nothing written by halves.

use crate::runner::{Finished, Wherry};
use wherry_testkit::{Flavour, Server, ServerOptions};

const TABLE: &str = "CREATE DATABASE shop; CREATE TABLE shop.item (id INT PRIMARY KEY); INSERT INTO shop.item VALUES (1)";

async fn server(arguments: &[&str]) -> Server {
    let arguments = arguments.iter().map(|word| (*word).to_owned()).collect();
    let options = ServerOptions {
        arguments,
        ..ServerOptions::default()
    };
    Server::start(Flavour::MySql97, options)
        .await
        .expect("a server")
}

async fn assert_untouched(target: &Server) {
    let databases = target.rows("SHOW DATABASES").await.expect("databases");
    let names: Vec<String> = databases
        .into_iter()
        .filter_map(|row| row[0].clone())
        .collect();
    assert!(
        !names
            .iter()
            .any(|name| name.contains("shop") || name.contains("wherry")),
        "{names:?}"
    );
}

/// The error says what failed in `words` and what to do next.
#[track_caller]
fn assert_clear(finished: &Finished, words: &str) {
    assert!(
        [2, 3].contains(&finished.code),
        "code {}\n{}",
        finished.code,
        finished.stderr
    );
    let errors = finished.of_type("error");
    assert_eq!(errors.len(), 1, "one error, not {errors:?}");
    let text = errors[0].to_string();
    assert!(text.contains(words), "`{words}` in {text}");
    assert!(
        errors[0]["hint"]
            .as_str()
            .is_some_and(|hint| hint.len() > 10),
        "a next step in {text}"
    );
    assert!(!text.contains("mover:mover"), "no password in {text}");
}

#[tokio::test(flavor = "multi_thread")]
async fn connections_that_fail_say_why() {
    let source = server(&[]).await;
    let target = server(&[]).await;
    source.sql(TABLE).await.expect("data");
    let wrong = format!("mysql://mover:wrong@127.0.0.1:{}", source.port());
    let finished = Wherry::with_urls(&wrong, &target.url("mover"), &["shop"]).finish(&["run"]);
    assert_clear(&finished, "password");
    // A port that was free a moment ago.
    let closed = std::net::TcpListener::bind("127.0.0.1:0")
        .expect("a port")
        .local_addr()
        .expect("address")
        .port();
    let unreachable = format!("mysql://mover:mover@127.0.0.1:{closed}");
    let finished =
        Wherry::with_urls(&unreachable, &target.url("mover"), &["shop"]).finish(&["run"]);
    assert_clear(&finished, "127.0.0.1");
    assert_untouched(&target).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn missing_privileges_are_named() {
    let source = server(&[]).await;
    let target = server(&[]).await;
    source.sql(TABLE).await.expect("data");
    source
        .sql("CREATE USER poor@'%' IDENTIFIED BY 'poor'; GRANT SELECT ON shop.* TO poor@'%'")
        .await
        .expect("account");
    target
        .sql("CREATE USER poor@'%' IDENTIFIED BY 'poor'; GRANT SELECT ON *.* TO poor@'%'")
        .await
        .expect("account");
    let poor = |server: &Server| format!("mysql://poor:poor@127.0.0.1:{}", server.port());
    let finished =
        Wherry::with_urls(&poor(&source), &target.url("mover"), &["shop"]).finish(&["run"]);
    assert_clear(&finished, "REPLICATION");
    let finished =
        Wherry::with_urls(&source.url("mover"), &poor(&target), &["shop"]).finish(&["run"]);
    assert_clear(&finished, "privilege");
    assert_untouched(&target).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_source_without_a_usable_binlog_is_refused() {
    let target = server(&[]).await;
    let without = Server::start(
        Flavour::MySql97,
        ServerOptions {
            binlog: false,
            ..ServerOptions::default()
        },
    )
    .await
    .expect("source");
    without.sql(TABLE).await.expect("data");
    let finished = Wherry::new(&without, &target, &["shop"]).finish(&["run"]);
    assert_clear(&finished, "log_bin");
    drop(without);
    let statement = server(&["--binlog-format=STATEMENT"]).await;
    statement.sql(TABLE).await.expect("data");
    let finished = Wherry::new(&statement, &target, &["shop"]).finish(&["run"]);
    assert_clear(&finished, "binlog_format");
    assert_untouched(&target).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_read_only_target_is_refused() {
    let source = server(&[]).await;
    let target = server(&["--super-read-only=ON"]).await;
    source.sql(TABLE).await.expect("data");
    let finished = Wherry::new(&source, &target, &["shop"]).finish(&["run"]);
    assert_clear(&finished, "read_only");
    assert_untouched(&target).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_target_that_holds_rows_is_refused() {
    let source = server(&[]).await;
    let target = server(&[]).await;
    source.sql(TABLE).await.expect("data");
    target.sql(TABLE).await.expect("data");
    let finished = Wherry::new(&source, &target, &["shop"]).finish(&["run"]);
    assert_clear(&finished, "shop");
    let count = target
        .value("SELECT COUNT(*) FROM shop.item")
        .await
        .expect("count");
    assert_eq!(count.as_deref(), Some("1"));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_this_version_cannot_carry_is_refused() {
    let source = server(&["--innodb-native-foreign-keys=ON"]).await;
    let target = server(&[]).await;
    source
        .sql(
            "CREATE DATABASE outside; CREATE TABLE outside.parent (id INT PRIMARY KEY);
             CREATE DATABASE shop;
             CREATE TABLE shop.child (id INT PRIMARY KEY, p INT, FOREIGN KEY (p) REFERENCES outside.parent (id) ON DELETE CASCADE);
             CREATE DATABASE old; CREATE TABLE old.hole (id INT PRIMARY KEY) ENGINE=BLACKHOLE;
             CREATE DATABASE numbers; CREATE TABLE numbers.t (g INT, id INT AUTO_INCREMENT, PRIMARY KEY (g, id)) ENGINE=MyISAM;
             CREATE DATABASE plain; CREATE TABLE plain.t (id INT PRIMARY KEY) ENGINE=MyISAM;
             CREATE USER poor@'%' IDENTIFIED BY 'poor'; GRANT SELECT ON *.* TO poor@'%';
             GRANT REPLICATION SLAVE, REPLICATION CLIENT, XA_RECOVER_ADMIN, TRIGGER, EVENT ON *.* TO poor@'%'",
        )
        .await
        .expect("data");
    let finished = Wherry::new(&source, &target, &["shop"]).finish(&["run"]);
    assert_clear(&finished, "CASCADE");
    let finished = Wherry::new(&source, &target, &["old"]).finish(&["run"]);
    assert_clear(&finished, "blackhole");
    let finished = Wherry::new(&source, &target, &["numbers"]).finish(&["run"]);
    assert_clear(&finished, "numbered within a key");
    let poor = format!("mysql://poor:poor@127.0.0.1:{}", source.port());
    let finished = Wherry::with_urls(&poor, &target.url("mover"), &["plain"]).finish(&["run"]);
    assert_clear(&finished, "LOCK TABLES");
    assert_untouched(&target).await;
}
