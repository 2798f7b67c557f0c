//! Definition changes that MySQL 5.6 takes in another sense than later servers.

use crate::lanes::{becomes, joined};
use crate::runner::Wherry;
use wherry_testkit::{Flavour, Server, ServerOptions, compare};

async fn server(flavour: Flavour) -> Server {
    let options = ServerOptions {
        gtid: false,
        ..ServerOptions::default()
    };
    Server::start(flavour, options).await.expect("a server")
}

/// What the source made is what arrives: `verify` compares definitions, the oracle rows.
#[tokio::test(flavor = "multi_thread")]
async fn what_only_56_does_is_done_in_the_target() {
    let (source, target) = (
        server(Flavour::MySql56).await,
        server(Flavour::MySql97).await,
    );
    source
        .sql(
            "CREATE DATABASE shop DEFAULT CHARACTER SET latin1; USE shop;
             CREATE TABLE dates (id INT PRIMARY KEY); INSERT INTO dates VALUES (1), (2);
             CREATE TABLE lone (id INT PRIMARY KEY, v INT); INSERT INTO lone VALUES (1, 1);
             CREATE TABLE text (id INT PRIMARY KEY, s VARCHAR(9) CHARACTER SET utf8mb4);
             INSERT INTO text VALUES (1, 'é')",
        )
        .await
        .expect("source data");
    let wherry = Wherry::new(&source, &target, &["shop"]);
    let running = wherry.start(&["run"]);
    running.hear_strict();
    source
        .sql(
            "USE shop;
             SET sql_mode = 'STRICT_TRANS_TABLES,NO_ZERO_IN_DATE,NO_ZERO_DATE';
             ALTER TABLE dates ADD a DATETIME NOT NULL, ADD b DATE NOT NULL;
             SET sql_mode = 'TRADITIONAL';
             ALTER TABLE dates ADD c DATETIME(3) NOT NULL FIRST;
             SET sql_mode = 'STRICT_ALL_TABLES';
             ALTER TABLE lone CONVERT TO CHARACTER SET utf8mb4;
             ALTER TABLE lone ADD s VARCHAR(9);
             INSERT INTO lone VALUES (2, 2, 'é');
             ALTER TABLE text CONVERT TO CHARACTER SET utf8mb4, LOCK=SHARED;
             ALTER TABLE text ADD t VARCHAR(9) DEFAULT 'ä';
             INSERT INTO text VALUES (2, '日', 'é');
             ALTER TABLE text CONVERT TO CHARACTER SET utf8mb4 COLLATE utf8mb4_bin;
             INSERT INTO text VALUES (3, '日', '日');
             ALTER TABLE text CHARSET latin1, CONVERT TO CHARACTER SET latin1,
               CONVERT TO CHARACTER SET utf8mb4, ADD u TEXT;
             INSERT INTO text VALUES (4, '日', 'é', 'é');
             ALTER TABLE lone MODIFY s MEDIUMTEXT CHARACTER SET latin1, CONVERT TO CHARACTER SET utf8mb4;
             INSERT INTO lone VALUES (3, 3, '日')",
        )
        .await
        .expect("definition changes");
    // The last change of `lone` had it loaded anew.
    let last_row = "SELECT COUNT(*) FROM shop.lone WHERE id = 3";
    becomes(&target, last_row, "1", &running).await;
    joined(&target, "shop.lone", &running).await;
    wherry.finish(&["verify"]).expect_code(0);
    running.stop();
    let compared = compare(&source.url("root"), &target.url("root"), &["shop"])
        .await
        .expect("a comparison");
    compared.assert_equal();
    assert_eq!(compared.tables, 3);
}
