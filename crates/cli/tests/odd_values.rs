//! Values at the edge of what servers take: large ones, ones that are too large, and text that is none.

use crate::runner::Wherry;
use wherry_testkit::{Flavour, Server, ServerOptions, compare};

/// What the target takes in one packet; a row of a source may be larger.
const TARGET_PACKET: &str = "--max-allowed-packet=48M";

async fn server(arguments: &[&str]) -> Server {
    let options = ServerOptions {
        arguments: arguments.iter().map(|word| (*word).to_owned()).collect(),
        ..ServerOptions::default()
    };
    Server::start(Flavour::MySql97, options)
        .await
        .expect("a server")
}

/// Makes `stops.broken`, a utf8mb4 column with bytes that are no UTF-8. Servers refuse to store them, so the rows
/// are written as bytes and their file is put under the other definition; without its `.cfg` file nobody checks.
async fn make_broken_text(source: &Server) {
    source
        .sql(
            "CREATE TABLE stops.bytes (id INT PRIMARY KEY, v VARBINARY(40)) ROW_FORMAT=DYNAMIC;
             INSERT INTO stops.bytes VALUES (1, 'fine'), (2, X'61FF62'), (3, X'E697');
             CREATE TABLE stops.broken (id INT PRIMARY KEY, v VARCHAR(10) CHARACTER SET utf8mb4) ROW_FORMAT=DYNAMIC;
             ALTER TABLE stops.broken DISCARD TABLESPACE",
        )
        .await
        .expect("tables");
    let folder = source.data_folder().join("stops");
    let mut exporter = source.connect().await.expect("a connection");
    use mysql_async::prelude::Queryable;
    exporter
        .query_drop("FLUSH TABLES stops.bytes FOR EXPORT")
        .await
        .expect("export");
    std::fs::copy(folder.join("bytes.ibd"), folder.join("broken.ibd")).expect("a copy");
    exporter
        .query_drop("UNLOCK TABLES")
        .await
        .expect("export ends");
    exporter.disconnect().await.expect("a goodbye");
    source
        .sql("ALTER TABLE stops.broken IMPORT TABLESPACE; DROP TABLE stops.bytes")
        .await
        .expect("import");
    let found = source
        .value("SELECT HEX(v) FROM stops.broken WHERE id = 2")
        .await
        .expect("a value");
    assert_eq!(found.as_deref(), Some("61FF62"));
}

#[tokio::test(flavor = "multi_thread")]
async fn large_values_arrive_and_impossible_ones_stop_their_table() {
    let source = server(&[]).await;
    let target = server(&[TARGET_PACKET]).await;
    source
        .sql(
            "CREATE DATABASE odd; CREATE DATABASE stops;
             CREATE TABLE odd.large (id INT PRIMARY KEY, v LONGBLOB, t LONGTEXT);
             INSERT INTO odd.large VALUES (1, REPEAT(X'00FF5C27', 6 << 20), 'x'), (2, NULL, REPEAT('ä', 16 << 20));
             CREATE TABLE stops.too_large (id INT PRIMARY KEY, v LONGBLOB);
             INSERT INTO stops.too_large VALUES (1, 'fits');
             CREATE TABLE stops.cut (id INT PRIMARY KEY, v LONGTEXT)",
        )
        .await
        .expect("source data");
    make_broken_text(&source).await;
    source.sql("FLUSH BINARY LOGS").await.expect("a new file");
    let wherry = Wherry::new(&source, &target, &["odd", "stops"]);
    let running = wherry.start(&["run"]);
    running.hear_strict();
    source
        .sql(
            "INSERT INTO odd.large VALUES (3, REPEAT(X'00', 20 << 20), NULL), (4, REPEAT('x', 17 << 20), 'y');
             UPDATE odd.large SET t = 'z' WHERE id = 1;
             INSERT INTO stops.too_large VALUES (2, REPEAT('x', 60 << 20))",
        )
        .await
        .expect("changes");
    running.hear("two tables that stopped", |line| {
        line["table_stopped_count"] == 2
    });
    let verified = wherry.finish(&["verify"]).expect_code(4);
    running.stop();
    let report = verified.of_type("verify")[0].to_string();
    assert!(report.contains("max_allowed_packet"), "{report}");
    assert!(report.contains("server error 1366"), "{report}");
    assert!(report.contains(r#""mismatch_count":0"#), "{report}");
    let kept = target
        .value("SELECT COUNT(*) FROM stops.broken WHERE v <> 'fine'")
        .await
        .expect("a count");
    assert_eq!(
        kept.as_deref(),
        Some("0"),
        "no text was made of broken bytes"
    );
    compare(&source.url("root"), &target.url("root"), &["odd"])
        .await
        .expect("comparison")
        .assert_equal();
}
