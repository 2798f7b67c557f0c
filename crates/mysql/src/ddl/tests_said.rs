//! What statements are said as, so that the target takes them as the source did.

use super::classify;
use super::definition::Definition;
use super::settle::{Settled, settle};
use super::statement::{Context, Dialect};
use super::tests::{MARIADB, MYSQL, check_carried};

#[test]
fn version_comments_are_settled_by_the_source() {
    let old = Dialect::mysql(50_624);
    check_carried(
        old,
        "ALTER TABLE t /*!50100 ADD a int */, ADD b int /*!80000 INVISIBLE */",
        "ALTER TABLE t   ADD a int  , ADD b int  ",
    );
    check_carried(
        MARIADB,
        "/*M!100100 ALTER */ TABLE t ADD a int /*!80013 NOT NULL */ /* b */",
        "  ALTER   TABLE t ADD a int   /* b */",
    );
}

#[test]
fn keys_are_said_as_the_source_took_them() {
    let old = Dialect::mysql(50_624);
    let same = |dialect: Dialect, sql: &str| check_carried(dialect, sql, sql);
    check_carried(
        old,
        "ALTER TABLE t ADD KEY k (a DESC, b(3) ASC), ADD `desc` int, ORDER BY a DESC",
        "ALTER TABLE t ADD KEY k (a , b(3) ASC), ADD `desc` int, ORDER BY a DESC",
    );
    check_carried(
        old,
        "CREATE INDEX k ON t (a DESC)",
        "CREATE INDEX k ON t (a )",
    );
    same(MYSQL, "CREATE INDEX k ON t (a DESC)");
    check_carried(
        MARIADB,
        "ALTER TABLE t ALTER INDEX k NOT IGNORED, ALTER KEY `ignored` IGNORED, ADD KEY (a) IGNORED",
        "ALTER TABLE t ALTER INDEX k VISIBLE, ALTER KEY `ignored` INVISIBLE, ADD KEY (a) INVISIBLE",
    );
}

#[test]
fn defaults_of_mariadb_get_parentheses() {
    check_carried(
        MARIADB,
        "CREATE TABLE t (a text DEFAULT 'x' NOT NULL, b int DEFAULT -1, c date DEFAULT curdate(), d datetime(3) DEFAULT now(3), h datetime(3) DEFAULT CURRENT_TIMESTAMP, i timestamp DEFAULT now(6), j datetime(6) DEFAULT now(2), k datetime(2) DEFAULT (now()) ON UPDATE localtime, l datetime(3) DEFAULT (now()+1), e char(9) DEFAULT current_user, f int DEFAULT (1), g int AS (a) PERSISTENT)",
        "CREATE TABLE t (a text DEFAULT ('x') NOT NULL, b int DEFAULT -1, c date DEFAULT (curdate()), d datetime(3) DEFAULT now(3), h datetime(3) DEFAULT CURRENT_TIMESTAMP(3), i timestamp DEFAULT CURRENT_TIMESTAMP, j datetime(6) DEFAULT (CURRENT_TIMESTAMP(2)), k datetime(2) DEFAULT CURRENT_TIMESTAMP(2) ON UPDATE CURRENT_TIMESTAMP(2), l datetime(3) DEFAULT (now()+1), e char(9) DEFAULT (current_user), f int DEFAULT (1), g int AS (a) STORED)",
    );
}

/// Compares what is left of a statement on table `t (id, a, KEY k (a))`.
fn check_settled(dialect: Dialect, sql: &str, expected: &str) {
    let context = Context::new("d", dialect);
    let definition = Definition::parse(
        "CREATE TABLE `t` (\n  `id` int NOT NULL,\n  `a` int DEFAULT NULL,\n  PRIMARY KEY (`id`),\n  KEY `k` (`a`)\n) ENGINE=InnoDB\n/*!50100 PARTITION BY RANGE (id)\n(PARTITION p1 VALUES LESS THAN (9) ENGINE = InnoDB) */",
        &context,
    )
    .expect("a definition");
    let statement = classify(sql, &context);
    let settled = match settle(sql, &statement, Some(&definition)) {
        Settled::Same => sql.to_owned(),
        Settled::Nothing => String::new(),
        Settled::Text(text) => text,
        Settled::Refused(refusal) => refusal.message,
    };
    let words: Vec<&str> = settled.split_whitespace().collect();
    assert_eq!(words.join(" "), expected, "{sql}");
}

#[test]
fn conditions_are_settled_by_the_table() {
    let check = |sql: &str, expected: &str| check_settled(MARIADB, sql, expected);
    check(
        "ALTER TABLE IF EXISTS t DROP COLUMN IF EXISTS A, ADD COLUMN IF NOT EXISTS b int",
        "ALTER TABLE t DROP COLUMN A, ADD COLUMN b int",
    );
    check(
        "ALTER TABLE t DROP COLUMN IF EXISTS b, ADD KEY IF NOT EXISTS k (id), MODIFY IF EXISTS a int",
        "ALTER TABLE t MODIFY a int",
    );
    check(
        "ALTER TABLE t ADD b int, DROP IF EXISTS x, DROP KEY IF EXISTS y",
        "ALTER TABLE t ADD b int",
    );
    check("ALTER TABLE t DROP IF EXISTS b, DROP INDEX IF EXISTS x", "");
    check(
        "ALTER TABLE t DROP PARTITION IF EXISTS p1",
        "ALTER TABLE t DROP PARTITION p1",
    );
    check("ALTER TABLE t DROP PARTITION IF EXISTS p2", "");
    check("CREATE INDEX IF NOT EXISTS k ON t (a)", "");
    check(
        "CREATE INDEX IF NOT EXISTS l ON t (a)",
        "CREATE INDEX l ON t (a)",
    );
    check("DROP INDEX IF EXISTS l ON t", "");
    check("DROP INDEX IF EXISTS k ON t", "DROP INDEX k ON t");
    check(
        "CREATE OR REPLACE UNIQUE INDEX k USING BTREE ON d.t (a, id) COMMENT 'x'",
        "ALTER TABLE d.t DROP INDEX k, ADD UNIQUE INDEX k USING BTREE (a, id) COMMENT 'x'",
    );
    check_settled(MYSQL, "ALTER TABLE t ADD b int", "ALTER TABLE t ADD b int");
}

#[test]
fn old_servers_give_keys_a_default() {
    let old = Dialect::mysql(50_624);
    let check = |sql: &str, expected: &str| check_settled(old, sql, expected);
    check(
        "ALTER TABLE t MODIFY id bigint unsigned COMMENT 'x', MODIFY a bigint",
        "ALTER TABLE t MODIFY id bigint unsigned NOT NULL DEFAULT 0 COMMENT 'x', MODIFY a bigint",
    );
    check(
        "ALTER TABLE t CHANGE id i varchar(9) CHARACTER SET utf8 AFTER a",
        "ALTER TABLE t CHANGE id i varchar(9) CHARACTER SET utf8 NOT NULL DEFAULT '' AFTER a",
    );
    check(
        "ALTER TABLE t DROP PRIMARY KEY, ADD PRIMARY KEY (a, id)",
        "ALTER TABLE t DROP PRIMARY KEY, ADD PRIMARY KEY (a, id), ALTER COLUMN `a` SET DEFAULT 0",
    );
    check(
        "ALTER TABLE t MODIFY id enum('it''s', 'b'), DROP PRIMARY KEY, ADD PRIMARY KEY (id)",
        "ALTER TABLE t MODIFY id enum('it''s', 'b') NOT NULL DEFAULT 'it''s', DROP PRIMARY KEY, ADD PRIMARY KEY (id)",
    );
    check(
        "ALTER TABLE t MODIFY id set('a')",
        "ALTER TABLE t MODIFY id set('a') NOT NULL DEFAULT ''",
    );
    check_settled(
        MARIADB,
        "ALTER TABLE t MODIFY id bigint NULL DEFAULT NULL COMMENT 'NULL', ADD b int NULL",
        "ALTER TABLE t MODIFY id bigint COMMENT 'NULL', ADD b int NULL",
    );
    let context = Context::new("d", old);
    let sql = "CREATE TABLE t (a int, b date NOT NULL, c int AUTO_INCREMENT, d int, PRIMARY KEY (a, b, c))";
    assert_eq!(
        settle(sql, &classify(sql, &context), None),
        Settled::Text("CREATE TABLE t (a int NOT NULL DEFAULT 0, b date NOT NULL, c int AUTO_INCREMENT, d int, PRIMARY KEY (a, b, c))".to_owned())
    );
}
