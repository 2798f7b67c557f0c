//! Online-DDL tools change a table of a real server while it is written.

use wherry_testkit::{
    Flavour, Ghost, Percona, SchemaChange, Server, ServerOptions, TableWriters, make_table,
};

fn change(alter: &str) -> SchemaChange {
    SchemaChange {
        database: "shop".to_owned(),
        table: "t".to_owned(),
        alter: alter.to_owned(),
        arguments: vec!["--chunk-size=200".to_owned()],
    }
}

async fn columns(server: &Server) -> Vec<String> {
    let rows = server
        .rows("SELECT COLUMN_NAME FROM information_schema.COLUMNS WHERE TABLE_SCHEMA = 'shop' AND TABLE_NAME = 't' ORDER BY ORDINAL_POSITION")
        .await
        .expect("columns");
    rows.into_iter().filter_map(|row| row[0].clone()).collect()
}

/// Rows and sums of the table; with the writers at rest the tool must have lost nothing.
async fn check(flavour: Flavour) {
    let server = Server::start(flavour, ServerOptions::default())
        .await
        .expect("a server");
    make_table(&server, "shop", 1500).await.expect("a table");
    let writers = TableWriters::start(&server, "shop", 2, 7);
    writers.wait_for(20).await.expect("writes");

    let mut ghost = Ghost::begin(&server, &change("ADD COLUMN extra INT NOT NULL DEFAULT 3"))
        .await
        .expect("the copy");
    ghost.copy(1).await.expect("a chunk");
    writers.wait_for(20).await.expect("writes");
    // What the copy must hold, written down by the server itself under the lock would need another
    // tool; so the writers rest here, and the rest of the run must not change a row.
    writers.stop().await.expect("the writers end");
    let sums = "SELECT COUNT(*), SUM(id), SUM(CRC32(CONCAT_WS('#', id, name, amount, code, label, spare))) FROM shop.t";
    let before = server.rows(sums).await.expect("sums");
    ghost.finish().await.expect("the swap");
    assert_eq!(server.rows(sums).await.expect("sums"), before);
    assert!(columns(&server).await.contains(&"extra".to_owned()));

    let writers = TableWriters::start(&server, "shop", 2, 8);
    let tool = Percona::find().expect("pt-online-schema-change");
    let said = tool
        .change(
            &server,
            &change("DROP COLUMN spare_too, ADD COLUMN spare_too INT"),
        )
        .await
        .expect_err("there is no such column");
    assert!(said.to_string().contains("spare_too"), "{said}");
    let said = tool
        .change(&server, &change("ADD COLUMN more VARCHAR(9) DEFAULT 'x'"))
        .await
        .expect("the tool's run");
    assert!(said.contains("Successfully altered `shop`.`t`"), "{said}");
    writers.stop().await.expect("the writers end");
    assert!(columns(&server).await.contains(&"more".to_owned()));
    let left = server
        .rows("SELECT TABLE_NAME FROM information_schema.TABLES WHERE TABLE_SCHEMA = 'shop'")
        .await
        .expect("tables");
    assert_eq!(left, [[Some("t".to_owned())]], "nothing is left over");
}

#[tokio::test(flavor = "multi_thread")]
async fn tools_change_a_table_on_mysql97() {
    check(Flavour::MySql97).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn tools_change_a_table_on_mysql56() {
    check(Flavour::MySql56).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn tools_change_a_table_on_mariadb() {
    check(Flavour::MariaDb).await;
}
