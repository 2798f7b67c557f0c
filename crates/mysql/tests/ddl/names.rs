//! Statements with their names written out do the same, from any default database.

use super::{dialect, show_create, start};
use wherry_model::TableName;
use wherry_mysql::ddl::{Context, carried, classify, plain_alter};
use wherry_testkit::Flavour;

/// One program; each statement also runs rewritten, in another database.
const PROGRAM: &[&str] = &[
    "CREATE TABLE p (id int PRIMARY KEY, a int)",
    "CREATE TABLE t (a int, b int, c varchar(20), FOREIGN KEY f (a) REFERENCES p (id)) COMMENT 'REFERENCES p'",
    "CREATE TABLE IF NOT EXISTS `t 2` LIKE t",
    "CREATE TABLE u (LIKE one.p)",
    "CREATE TABLE s AS SELECT t.a, EXTRACT(YEAR FROM NOW()) y FROM t JOIN p ON p.id = t.a",
    "ALTER TABLE t ADD COLUMN d int FIRST, ADD COLUMN (e int, f int), ALGORITHM=INPLACE, LOCK=NONE",
    "ALTER TABLE t LOCK=SHARED, ADD KEY k (b), ADD UNIQUE u (c, d)",
    "ALTER TABLE `t 2` RENAME TO t3",
    "ALTER TABLE t3 ADD COLUMN x int, RENAME AS one.t4, DROP COLUMN b",
    "ALTER TABLE t4 ADD FOREIGN KEY (a) REFERENCES one.p (id) ON DELETE SET NULL, ADD CONSTRAINT z FOREIGN KEY (x) REFERENCES `p`(id)",
    "RENAME TABLE u TO v, s TO u, v TO s",
    "CREATE INDEX i ON t (e) ALGORITHM=INPLACE LOCK=NONE",
    "CREATE FULLTEXT INDEX ft ON one.t (c)",
    "DROP INDEX i ON t LOCK=NONE",
    "ALTER TABLE t RENAME COLUMN e TO f, RENAME COLUMN f TO e, RENAME INDEX k TO l",
    "ALTER TABLE t MODIFY c varchar(30) COMMENT 'x', CHANGE d g bigint AFTER c, ALTER COLUMN b SET DEFAULT 5",
    "ALTER TABLE t CONVERT TO CHARACTER SET latin1",
    "ALTER TABLE u ENGINE=InnoDB ROW_FORMAT=DYNAMIC, COMMENT='u'",
    "CREATE TABLE pt (a int PRIMARY KEY) PARTITION BY RANGE (a) (PARTITION p0 VALUES LESS THAN (10), PARTITION p1 VALUES LESS THAN (20))",
    "ALTER TABLE pt ADD PARTITION (PARTITION p2 VALUES LESS THAN (30))",
    "ALTER TABLE pt REORGANIZE PARTITION p0 INTO (PARTITION a VALUES LESS THAN (5), PARTITION b VALUES LESS THAN (10))",
    "ALTER TABLE pt DROP PARTITION p1",
    "ALTER TABLE pt TRUNCATE PARTITION a",
    "TRUNCATE pt",
    "DROP TABLE IF EXISTS u, one.nothing",
    "CREATE TABLE `a``b` (a int, KEY ((a + 1))) START TRANSACTION",
    "CREATE TABLE no_such_parent (a int, FOREIGN KEY (a) REFERENCES nowhere (id))",
    "ALTER TABLE missing ADD a int",
];

#[tokio::test]
async fn rewritten_statements_do_the_same() {
    let server = start(Flavour::MySql97).await;
    let dialect = dialect(&server).await;
    server
        .sql("CREATE DATABASE one; CREATE DATABASE two")
        .await
        .expect("databases");
    let context = Context::new("one", dialect);
    let map = |table: &TableName| TableName::new("two", table.table.as_str());
    for sql in PROGRAM {
        let statement = classify(sql, &context);
        plain_alter(sql, &statement).expect("plain");
        let own = sql.replace(" START TRANSACTION", "");
        let first = server
            .sql(&format!("USE one; {own}"))
            .await
            .err()
            .map(|error| error.to_string());
        let rewritten = carried(sql, &statement, &map).expect(sql);
        let second = server
            .sql(&format!("USE mysql; {rewritten}"))
            .await
            .err()
            .map(|error| error.to_string());
        assert_eq!(
            first.is_some(),
            second.is_some(),
            "{rewritten}: {first:?} {second:?}"
        );
        assert_eq!(
            tables(&server, "one").await,
            tables(&server, "two").await,
            "{rewritten}"
        );
    }
    assert_eq!(tables(&server, "one").await.len(), 6);
}

async fn tables(server: &wherry_testkit::Server, database: &str) -> Vec<String> {
    let rows = server
        .rows(&format!("SHOW TABLES FROM {database}"))
        .await
        .expect("tables");
    let mut texts = Vec::new();
    for name in rows
        .into_iter()
        .filter_map(|row| row.into_iter().next().flatten())
    {
        texts.push(show_create(server, &TableName::new(database, name)).await);
    }
    texts
}
