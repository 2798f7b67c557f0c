//! Statements that concern no selected table make no barrier and stop nothing.

use crate::runner::Wherry;
use mysql_async::prelude::Queryable;
use wherry_testkit::{Flavour, Server, ServerOptions, compare};

/// What every server knows.
const COMMON: &str = "
    USE shop;
    CREATE USER some@'%' IDENTIFIED BY 'Secret_1';
    GRANT SELECT, INSERT ON shop.* TO some@'%';
    SET PASSWORD FOR some@'%' = PASSWORD_OF_SOME;
    REVOKE INSERT ON shop.* FROM some@'%';
    RENAME USER some@'%' TO other@'%';
    DROP USER other@'%';
    ANALYZE TABLE item;
    OPTIMIZE TABLE item;
    CHECK TABLE item;
    FLUSH TABLES;
    FLUSH PRIVILEGES;
    CREATE SERVER far FOREIGN DATA WRAPPER mysql OPTIONS (HOST '127.0.0.1', DATABASE 'x');
    ALTER SERVER far OPTIONS (USER 'x');
    DROP SERVER far;
    CREATE TEMPORARY TABLE shop.item_copy (id INT PRIMARY KEY);
    INSERT INTO shop.item_copy VALUES (1);
    ALTER TABLE shop.item_copy ADD v INT;
    TRUNCATE shop.item_copy;
    DROP TEMPORARY TABLE shop.item_copy;
    CREATE DATABASE apart;
    ALTER DATABASE apart CHARACTER SET latin1;
    CREATE TABLE apart.t (id INT PRIMARY KEY, v INT);
    INSERT INTO apart.t VALUES (1, 1), (2, 2);
    UPDATE apart.t SET v = 3;
    ALTER TABLE apart.t ADD w INT, ADD KEY (v);
    CREATE INDEX i ON apart.t (w);
    DROP INDEX i ON apart.t;
    CREATE TABLE apart.u LIKE apart.t;
    CREATE TABLE apart.copy LIKE shop.item;
    INSERT INTO apart.copy SELECT * FROM shop.item;
    RENAME TABLE apart.u TO apart.x, apart.t TO apart.u;
    TRUNCATE apart.x;
    CREATE VIEW apart.seen AS SELECT * FROM shop.item;
    CREATE TRIGGER apart.tr BEFORE INSERT ON apart.u FOR EACH ROW SET NEW.v = 1;
    CREATE FUNCTION apart.f () RETURNS INT DETERMINISTIC RETURN 1;
    CREATE EVENT apart.e ON SCHEDULE EVERY 1 DAY DISABLE DO SELECT 1;
    DROP TABLE apart.x, apart.copy;
    USE apart;
    CREATE TABLE shopping (id INT PRIMARY KEY);
    INSERT INTO shopping VALUES (1);
    DROP TABLE shopping;
    SET GLOBAL max_connections = 200;
    DROP DATABASE apart;
    USE shop;";

const MYSQL: &str = "
    CREATE ROLE reader; GRANT SELECT ON shop.* TO reader; CREATE USER u@'%'; GRANT reader TO u@'%';
    SET DEFAULT ROLE reader TO u@'%'; ALTER USER u@'%' ACCOUNT LOCK; DROP ROLE reader; DROP USER u@'%';
    ANALYZE TABLE item UPDATE HISTOGRAM ON v WITH 4 BUCKETS;
    ANALYZE TABLE item DROP HISTOGRAM ON v;
    INSTALL COMPONENT 'file://component_mysqlbackup';
    CREATE TABLESPACE space ADD DATAFILE 'space.ibd'; DROP TABLESPACE space;
    CREATE UNDO TABLESPACE more ADD DATAFILE 'more.ibu';
    CREATE SPATIAL REFERENCE SYSTEM 900900 NAME 'mine' DEFINITION 'PROJCS[]';
    RESET PERSIST;
    CREATE DATABASE far_off; CREATE TABLE far_off.j (id INT PRIMARY KEY, d JSON) SECONDARY_ENGINE=NULL;
    /*!80013 ALTER TABLE far_off.j ADD k INT INVISIBLE */;
    UPDATE /*+ SET_VAR(sort_buffer_size = 300000) */ far_off.j SET k = 1;
    DROP DATABASE far_off";

const MARIADB: &str = "
    CREATE OR REPLACE USER u@'%' IDENTIFIED VIA mysql_native_password; CREATE ROLE reader; GRANT reader TO u@'%'; DROP ROLE reader; DROP USER u@'%';
    CREATE DATABASE far_off;
    CREATE SEQUENCE far_off.s START WITH 5; ALTER SEQUENCE far_off.s RESTART 9; DROP SEQUENCE far_off.s;
    CREATE TABLE far_off.v (id INT PRIMARY KEY, x INT) WITH SYSTEM VERSIONING;
    INSERT INTO far_off.v VALUES (1, 1); UPDATE far_off.v SET x = 2; DELETE HISTORY FROM far_off.v;
    ALTER TABLE far_off.v DROP SYSTEM VERSIONING;
    CREATE OR REPLACE TABLE far_off.w (id UUID, a INET6, PRIMARY KEY (id)) PAGE_COMPRESSED=0;
    SET STATEMENT lock_wait_timeout = 5 FOR ALTER ONLINE TABLE IF EXISTS far_off.w NOWAIT ADD COLUMN IF NOT EXISTS z INT;
    CREATE AGGREGATE FUNCTION far_off.total (x INT) RETURNS INT BEGIN DECLARE s INT DEFAULT 0; DECLARE CONTINUE HANDLER FOR NOT FOUND RETURN s; LOOP FETCH GROUP NEXT ROW; SET s = s + x; END LOOP; END;
    /*M!100100 DROP */ TABLE far_off.w;
    DROP DATABASE far_off";

/// Statements that a server of this kind refuses are passed over by the test as well: what counts is
/// that none of those it logs concerns the stream.
async fn run_all(server: &Server, statements: &str) -> usize {
    let mut connection = server.connect().await.expect("a session");
    let mut done = 0;
    let mut open = String::new();
    for piece in statements.split(';') {
        open.push_str(piece);
        if open.contains("BEGIN DECLARE") && !open.trim_end().ends_with("LOOP; END") {
            open.push(';');
            continue;
        }
        let statement = std::mem::take(&mut open);
        match connection.query_drop(statement.trim()).await {
            Ok(()) => done += 1,
            Err(error) => eprintln!("refused: {}: {error}", statement.trim()),
        }
    }
    connection.disconnect().await.expect("goodbye");
    done
}

async fn passed_over(flavour: Flavour, own: &str, password: &str) {
    let options = ServerOptions::default();
    let source = Server::start(flavour, options.clone())
        .await
        .expect("source");
    let target = Server::start(Flavour::MySql97, options)
        .await
        .expect("target");
    source
        .sql("CREATE DATABASE shop; CREATE TABLE shop.item (id INT PRIMARY KEY, v INT); INSERT INTO shop.item VALUES (1, 1)")
        .await
        .expect("source data");
    let wherry = Wherry::new(&source, &target, &["shop"]);
    let running = wherry.start(&["run"]);
    running.hear_strict();
    let all = format!("{}{own}", COMMON.replace("PASSWORD_OF_SOME", password));
    let done = run_all(&source, &all).await;
    let known = all.split(';').count();
    assert!(
        done * 10 >= known * 8,
        "{done} of {known} statements were done"
    );
    source
        .sql("INSERT INTO shop.item VALUES (2, 2)")
        .await
        .expect("a row behind them");
    wherry.finish(&["verify"]).expect_code(0);
    let barriers = running.said("definition change at");
    assert!(barriers.is_empty(), "{barriers:?}");
    running.stop();
    compare(&source.url("root"), &target.url("root"), &["shop"])
        .await
        .expect("comparison")
        .assert_equal();
    let lost = "SELECT COUNT(*) FROM wherry.loss_ledger";
    assert_eq!(
        target.value(lost).await.expect("a count").as_deref(),
        Some("0")
    );
    let apart = "SELECT COUNT(*) FROM information_schema.SCHEMATA WHERE SCHEMA_NAME IN ('apart', 'far_off')";
    assert_eq!(
        target.value(apart).await.expect("a count").as_deref(),
        Some("0")
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn what_concerns_no_selected_table_is_passed_over_from_97() {
    passed_over(Flavour::MySql97, MYSQL, "'Secret_2'").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_concerns_no_selected_table_is_passed_over_from_56() {
    passed_over(Flavour::MySql56, "", "PASSWORD('Secret_2')").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_concerns_no_selected_table_is_passed_over_from_mariadb() {
    passed_over(Flavour::MariaDb, MARIADB, "PASSWORD('Secret_2')").await;
}
