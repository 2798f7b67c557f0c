//! Online-DDL tools change a table at the source while it is loaded and while it is streamed.
//!
//! `WHERRY_SOAK=1` takes a table of 200,000 rows instead of 5,000.

use crate::runner::{Running, Wherry};
use wherry_testkit::{
    Flavour, Ghost, Percona, SchemaChange, Server, ServerOptions, TableWriters, compare, make_table,
};

fn row_count() -> u64 {
    if std::env::var_os("WHERRY_SOAK").is_some() {
        200_000
    } else {
        5_000
    }
}

fn change(alter: &str) -> SchemaChange {
    SchemaChange {
        database: "shop".to_owned(),
        table: "t".to_owned(),
        alter: alter.to_owned(),
        arguments: Vec::new(),
    }
}

/// A source with a table under writes, and an empty target.
struct Road {
    source: Server,
    target: Server,
    writers: TableWriters,
    tool: Percona,
}

impl Road {
    async fn open(flavour: Flavour, rows: u64) -> Road {
        let source = Server::start(flavour, ServerOptions::default())
            .await
            .expect("source");
        let target = Server::start(Flavour::MySql97, ServerOptions::default())
            .await
            .expect("target");
        make_table(&source, "shop", rows).await.expect("a table");
        let writers = TableWriters::start(&source, "shop", 2, 11);
        writers.wait_for(10).await.expect("writes");
        Road {
            writers,
            source,
            target,
            tool: Percona::find().expect("pt-online-schema-change"),
        }
    }

    async fn ghost(&self, alter: &str) -> Ghost {
        Ghost::begin(&self.source, &change(alter))
            .await
            .expect("gh-ost begins")
    }

    async fn percona(&self, alter: &str) {
        let said = self
            .tool
            .change(&self.source, &change(alter))
            .await
            .expect("pt-online-schema-change");
        assert!(said.contains("Successfully altered"), "{said}");
    }

    /// Lets the writers end; both sides must be equal then, in rows and columns.
    async fn end(self, wherry: &Wherry, running: Running) {
        self.writers.wait_for(20).await.expect("writes");
        self.writers.stop().await.expect("the writers end");
        wherry.finish(&["verify"]).expect_code(0);
        let last = running.last("progress").expect("progress");
        assert_eq!(last["table_stopped_count"], 0, "{last}");
        running.stop();
        compare(
            &self.source.url("root"),
            &self.target.url("root"),
            &["shop"],
        )
        .await
        .expect("comparison")
        .assert_equal();
        assert_eq!(columns(&self.source).await, columns(&self.target).await);
        assert_eq!(keys(&self.source).await, keys(&self.target).await);
    }
}

async fn columns(server: &Server) -> Vec<Vec<Option<String>>> {
    let query = "SELECT TABLE_NAME, COLUMN_NAME, DATA_TYPE, COLUMN_DEFAULT, CHARACTER_MAXIMUM_LENGTH FROM information_schema.COLUMNS WHERE TABLE_SCHEMA = 'shop' ORDER BY TABLE_NAME, ORDINAL_POSITION";
    let mut rows = server.rows(query).await.expect("columns");
    for row in &mut rows {
        // MariaDB says defaults as expressions.
        if let Some(default) = row[3].take() {
            let plain = default.trim_matches('\'').to_owned();
            row[3] = (plain != "NULL").then_some(plain);
        }
    }
    rows
}

async fn keys(server: &Server) -> Vec<Vec<Option<String>>> {
    let query = "SELECT TABLE_NAME, INDEX_NAME, SEQ_IN_INDEX, COLUMN_NAME, NON_UNIQUE FROM information_schema.STATISTICS WHERE TABLE_SCHEMA = 'shop' ORDER BY 1, 2, 3";
    server.rows(query).await.expect("keys")
}

/// Runs of both tools begun before the task, finished in its load, and whole ones in its stream.
async fn as_ordinary_tables(flavour: Flavour) {
    let road = Road::open(flavour, row_count()).await;
    let wherry = Wherry::new(&road.source, &road.target, &["shop"]);
    let mut ghost = road.ghost("ADD COLUMN one INT NOT NULL DEFAULT 1").await;
    ghost.copy(3).await.expect("some chunks");
    wherry.finish(&["schema"]).expect_code(0);
    // The task knows both tables with the names that they change now.
    ghost
        .finish()
        .await
        .expect("the swap before the first chunk");
    let running = wherry.start(&["run"]);
    running.hear("the load", |line| line["phase"] == "load");
    road.percona("MODIFY name VARCHAR(60) NOT NULL, ADD INDEX by_amount (amount)")
        .await;
    running.hear_strict();
    road.percona("ADD COLUMN two VARCHAR(8) DEFAULT 'two'")
        .await;
    let ghost = road
        .ghost("DROP INDEX by_code, ADD COLUMN three DECIMAL(6,2) DEFAULT 3.5 AFTER id")
        .await;
    ghost.finish().await.expect("the swap in the stream");
    road.end(&wherry, running).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn online_ddl_tools_as_ordinary_tables_mysql97() {
    as_ordinary_tables(Flavour::MySql97).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn online_ddl_tools_as_ordinary_tables_mysql56() {
    as_ordinary_tables(Flavour::MySql56).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn online_ddl_tools_as_ordinary_tables_mariadb() {
    as_ordinary_tables(Flavour::MariaDb).await;
}
