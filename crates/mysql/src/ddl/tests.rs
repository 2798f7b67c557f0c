//! One table of statements: what each is, and which names it holds.

use super::statement::{Context, Dialect, NameKind, Role, Statement, StatementKind, XaVerb};
use super::{carried, classify, plain_alter, rewrite_names, sql_mode_names, strip_hints};
use proptest::prelude::*;
use wherry_model::{DdlKind, TableName};

pub(super) const MYSQL: Dialect = Dialect::mysql(90_704);
pub(super) const MARIADB: Dialect = Dialect::mariadb(101_106);

fn names(statement: &Statement) -> String {
    let texts: Vec<String> = statement
        .names
        .iter()
        .map(|name| {
            let role = match (name.role, name.kind) {
                (_, NameKind::Database) => return format!("db:{}", name.database),
                (_, NameKind::Other) => return format!("obj:{}.{}", name.database, name.name),
                (Role::Subject, NameKind::Table) => "",
                (Role::Other, NameKind::Table) => "other:",
                (Role::RenameFrom, NameKind::Table) => "from:",
                (Role::RenameTo, NameKind::Table) => "to:",
            };
            format!("{role}{}.{}", name.database, name.name)
        })
        .collect();
    texts.join(" ")
}

fn kind(statement: &Statement) -> String {
    let text = format!("{:?}", statement.kind);
    text.split([' ', '(']).next().unwrap_or_default().to_owned()
}

/// Lines of kind, names in brackets, statement.
fn check(dialect: Dialect, lines: &str) -> usize {
    let context = Context::new("d", dialect);
    let mut count = 0;
    for line in lines.lines().filter(|line| !line.trim().is_empty()) {
        let (head, sql) = line
            .trim()
            .split_once("] ")
            .expect("kind [names] statement");
        let (expected_kind, expected_names) = head.split_once(" [").expect("names in brackets");
        let statement = classify(sql, &context);
        assert_eq!(kind(&statement), expected_kind, "{sql}");
        assert_eq!(names(&statement), expected_names, "{sql}");
        same_after_rewriting(sql, &statement, dialect);
        count += 1;
    }
    count
}

/// Names written out are read again as the same, from any default database.
fn same_after_rewriting(sql: &str, statement: &Statement, dialect: Dialect) {
    let rewritten = rewrite_names(sql, statement, &TableName::clone).expect(sql);
    let again = classify(&rewritten, &Context::new("elsewhere", dialect));
    assert_eq!(again.kind, statement.kind, "{rewritten}");
    assert_eq!(
        again.tables().collect::<Vec<_>>(),
        statement.tables().collect::<Vec<_>>(),
        "{rewritten}"
    );
}

#[test]
fn create_table() {
    let count = check(MYSQL, r#"
        CreateTable [d.t] CREATE TABLE t (a int)
        CreateTable [x.t] CREATE TABLE IF NOT EXISTS x.t (a int PRIMARY KEY) ENGINE=InnoDB
        CreateTable [x y.t`u] CREATE TABLE `x y`.`t``u` (`a` int)
        CreateTable [d.t] create temporary table t (a int)
        CreateTable [d.t] /* a.b */ CREATE /* c */ TABLE -- t2
        CreateTable [d.t other:d.p] CREATE TABLE t (a int, FOREIGN KEY (a) REFERENCES p (id))
        CreateTable [d.t other:x.p other:d.q] CREATE TABLE t (a int REFERENCES x . p (id), CONSTRAINT c FOREIGN KEY (b) REFERENCES `q`(id) ON DELETE SET NULL)
        CreateTable [d.t] CREATE TABLE t (a int COMMENT 'REFERENCES p (id)', b text DEFAULT ('SELECT'))
        CreateTable [d.t] CREATE TABLE t (a int) PARTITION BY RANGE (a) (PARTITION p0 VALUES LESS THAN (10), PARTITION p1 VALUES LESS THAN MAXVALUE)
        CreateTable [d.t] CREATE TABLE t (a int) /*!50100 PARTITION BY HASH ((a + 1)) PARTITIONS 4 */
        CreateTable [d.t] CREATE TABLE t (a int, b int GENERATED ALWAYS AS ((a + 1)) STORED, CHECK ((a > 0)))
        CreateTable [d.t] CREATE TABLE t (a json, KEY ((CAST(a->'$.x' AS UNSIGNED ARRAY)))) DEFAULT CHARSET utf8mb4 COLLATE utf8mb4_bin
        CreateTable [d.t] CREATE TABLE t (a int /*!80023 INVISIBLE */, b int) ENGINE = InnoDB /*!50100 TABLESPACE ts */
        CreateTable [d.t other:d.a other:d.b] CREATE TABLE t (a int) ENGINE=MERGE UNION=(a, b) INSERT_METHOD=LAST
        CreateTable [d.t] CREATE TABLE t (a int);
        CreateTable [d.tabelle_ü] CREATE TABLE tabelle_ü (größe int)
        CreateTable [d.1a] CREATE TABLE 1a (a int)
        CreateTable [d.select] CREATE TABLE `select` (`from` int, `references` int, `as` int)
        CreateTableLike [d.t other:d.u] CREATE TABLE t LIKE u
        CreateTableLike [d.t other:x.u] CREATE TABLE t (LIKE x.u)
        CreateTableLike [d.t other:x.u] CREATE TEMPORARY TABLE IF NOT EXISTS t LIKE x.u
        CreateTableSelect [d.t other:d.u] CREATE TABLE t SELECT * FROM u
        CreateTableSelect [d.t other:d.u other:x.v] CREATE TABLE t AS SELECT * FROM u JOIN x.v ON u.a = v.a
        CreateTableSelect [d.t other:d.u] CREATE TABLE t (SELECT EXTRACT(YEAR FROM a) FROM u WHERE b IN (1, 2))
        CreateTableSelect [d.t other:d.u other:d.v] CREATE TABLE t (a int) ENGINE=InnoDB IGNORE AS SELECT * FROM u, v
        CreateTableSelect [d.t] CREATE TABLE t ((SELECT 1 AS a))
        CreateTableSelect [d.t] CREATE TABLE `t` (`a` int) START TRANSACTION
        CreateTableSelect [d.t] CREATE TABLE t VALUES ROW(1)
    "#.replace("-- t2\n", "/* t2 */ t (a int)\n").as_str());
    assert_eq!(count, 28);
}

#[test]
fn alter_table() {
    let count = check(
        MYSQL,
        r#"
        AlterTable [d.t] ALTER TABLE t ADD COLUMN b int
        AlterTable [x.t] ALTER TABLE x.t ADD b int FIRST, ADD COLUMN c int AFTER b
        AlterTable [d.t] ALTER TABLE t ADD COLUMN (b int, c varchar(10) DEFAULT 'a,b')
        AlterTable [d.t] ALTER TABLE t DROP COLUMN b, DROP c
        AlterTable [d.t] ALTER TABLE t MODIFY b bigint NOT NULL DEFAULT 0
        AlterTable [d.t] ALTER TABLE t CHANGE b c bigint
        AlterTable [d.t] ALTER TABLE t RENAME COLUMN a TO b, RENAME COLUMN b TO a
        AlterTable [d.t] ALTER TABLE t RENAME INDEX i TO j
        AlterTable [d.t] ALTER TABLE t RENAME KEY i TO j
        AlterTable [from:d.t to:d.u] ALTER TABLE t RENAME TO u
        AlterTable [from:d.t to:x.u] ALTER TABLE t RENAME AS x.u
        AlterTable [from:d.t to:d.u] ALTER TABLE t RENAME u
        AlterTable [from:d.t to:d.u] ALTER TABLE t RENAME = u
        AlterTable [from:d.t to:d.u] ALTER TABLE t ADD b int, RENAME TO u, ADD c int
        AlterTable [d.t] ALTER TABLE t ADD INDEX i (a), ADD UNIQUE KEY j (b), ADD PRIMARY KEY (c)
        AlterTable [d.t] ALTER TABLE t ADD FULLTEXT KEY f (a) WITH PARSER ngram
        AlterTable [d.t] ALTER TABLE t ADD SPATIAL INDEX s (g), DROP INDEX i, DROP PRIMARY KEY
        AlterTable [d.t other:d.p] ALTER TABLE t ADD CONSTRAINT f FOREIGN KEY (a) REFERENCES p (id) ON DELETE CASCADE
        AlterTable [d.t other:x.p other:d.q] ALTER TABLE t ADD FOREIGN KEY (a) REFERENCES x.p (id), ADD b int, ADD FOREIGN KEY (b) REFERENCES q (id)
        AlterTable [d.t] ALTER TABLE t DROP FOREIGN KEY f, DROP CHECK c, DROP CONSTRAINT k
        AlterTable [d.t] ALTER TABLE t ADD CONSTRAINT c CHECK (a > 0) NOT ENFORCED, ALTER CHECK d ENFORCED
        AlterTable [d.t] ALTER TABLE t ALTER COLUMN a SET DEFAULT 5, ALTER b DROP DEFAULT, ALTER INDEX i INVISIBLE
        AlterTable [d.t] ALTER TABLE t CONVERT TO CHARACTER SET utf8mb4 COLLATE utf8mb4_bin
        AlterTable [d.t] ALTER TABLE t DEFAULT CHARACTER SET = latin1
        AlterTable [d.t] ALTER TABLE t ENGINE=InnoDB ROW_FORMAT=DYNAMIC COMMENT='RENAME TO x'
        AlterTable [d.t] ALTER TABLE t AUTO_INCREMENT = 100
        AlterTable [d.t] ALTER TABLE t FORCE, ALGORITHM=INPLACE, LOCK=NONE
        AlterTable [d.t] ALTER TABLE t ORDER BY a DESC, b
        AlterTable [d.t] ALTER TABLE t DISABLE KEYS
        AlterTable [d.t] ALTER TABLE t ADD PARTITION (PARTITION p3 VALUES LESS THAN (30))
        AlterTable [d.t] ALTER TABLE t DROP PARTITION p0, p1
        AlterTable [d.t] ALTER TABLE t TRUNCATE PARTITION ALL
        AlterTable [d.t] ALTER TABLE t REORGANIZE PARTITION p0 INTO (PARTITION a VALUES LESS THAN (5), PARTITION b VALUES LESS THAN (10))
        AlterTable [d.t] ALTER TABLE t COALESCE PARTITION 2
        AlterTable [d.t d.u] ALTER TABLE t EXCHANGE PARTITION p0 WITH TABLE u WITHOUT VALIDATION
        AlterTable [d.t] ALTER TABLE t REMOVE PARTITIONING
        AlterTable [d.t] ALTER TABLE t PARTITION BY KEY (a) PARTITIONS 3
        AlterTable [d.t] ALTER TABLE t DISCARD TABLESPACE
        AlterTable [d.t] ALTER TABLE t ADD COLUMN `rename` int, ADD COLUMN `x y` int
        AlterTable [d.t] ALTER TABLE t
        AlterTable [d._t_gho] ALTER /* gh-ost `d`.`t` */ TABLE `d`.`_t_gho` add column b int
        Irrelevant [d.t] ALTER TABLE t SECONDARY_LOAD
    "#,
    );
    assert_eq!(count, 42);
}

#[test]
fn other_table_statements() {
    let count = check(
        MYSQL,
        r#"
        DropTable [d.t] DROP TABLE t
        DropTable [d.t x.u d.v] DROP TABLE IF EXISTS t, x.u, `v` CASCADE
        DropTable [d.t] DROP TEMPORARY TABLE IF EXISTS `t` /* generated by server */
        DropTable [d.t] DROP TABLES t
        RenameTable [from:d.a to:d.b] RENAME TABLE a TO b
        RenameTable [from:d.t to:d._t_del from:d._t_gho to:d.t] RENAME TABLE `d`.`t` TO `d`.`_t_del`, `d`.`_t_gho` TO `d`.`t`
        RenameTable [from:x.a to:y.b] RENAME TABLES x.a TO y.b
        TruncateTable [d.t] TRUNCATE t
        TruncateTable [x.t] TRUNCATE TABLE x.t
        CreateIndex [d.t] CREATE INDEX i ON t (a)
        CreateIndex [x.t] CREATE UNIQUE INDEX i USING BTREE ON x.t (a, b(10) DESC) COMMENT 'ON u' ALGORITHM=INPLACE LOCK=NONE
        CreateIndex [d.t] CREATE FULLTEXT INDEX i ON t (a) WITH PARSER ngram
        CreateIndex [d.t] CREATE SPATIAL INDEX i ON t (g)
        CreateIndex [d.t] CREATE INDEX i ON t ((a + b))
        DropIndex [d.t] DROP INDEX i ON t
        DropIndex [x.t] DROP INDEX `PRIMARY` ON x.t LOCK=NONE
        CreateDatabase [db:x] CREATE DATABASE x
        CreateDatabase [db:x y] CREATE SCHEMA IF NOT EXISTS `x y` CHARACTER SET utf8mb4 ENCRYPTION 'N'
        AlterDatabase [db:x] ALTER DATABASE x COLLATE utf8mb4_bin
        AlterDatabase [db:d] ALTER DATABASE CHARACTER SET latin1
        AlterDatabase [db:x] ALTER SCHEMA `x` READ ONLY = 1
        DropDatabase [db:x] DROP DATABASE IF EXISTS x
    "#,
    );
    assert_eq!(count, 22);
}

#[test]
fn objects_without_rows() {
    let count = check(
        MYSQL,
        r#"
        Other [d.v] CREATE VIEW v AS SELECT * FROM t
        Other [d.v] CREATE OR REPLACE ALGORITHM=UNDEFINED DEFINER=`root`@`localhost` SQL SECURITY DEFINER VIEW `d`.`v` AS select 1 AS `a`
        Other [d.v] ALTER VIEW v AS SELECT 2
        Other [d.v x.w] DROP VIEW IF EXISTS v, x.w
        Other [obj:d.p] CREATE DEFINER=CURRENT_USER() PROCEDURE p() BEGIN INSERT INTO t VALUES (1); DROP TABLE u; END
        Other [obj:x.f] CREATE FUNCTION x.f(a int) RETURNS int DETERMINISTIC RETURN a + 1
        Other [obj:d.f] CREATE AGGREGATE FUNCTION f RETURNS INTEGER SONAME 'f.so'
        Other [obj:d.f] CREATE FUNCTION f() RETURNS INT LANGUAGE JAVASCRIPT AS $$ return "it's"; $$
        Other [obj:d.p] DROP PROCEDURE IF EXISTS p
        Other [obj:d.p] ALTER PROCEDURE p SQL SECURITY INVOKER
        Other [obj:d.g other:x.t] CREATE DEFINER='a'@'%' TRIGGER g BEFORE INSERT ON x.t FOR EACH ROW SET NEW.a = 1
        Other [obj:d.g] DROP TRIGGER g
        Other [obj:d.e] CREATE EVENT IF NOT EXISTS e ON SCHEDULE EVERY 1 DAY DO DELETE FROM t
        Other [obj:d.e] ALTER EVENT e DISABLE
        Other [obj:d.e] DROP EVENT e
        Other [] CREATE TABLESPACE ts ADD DATAFILE 'ts.ibd'
        Other [] CREATE SERVER s FOREIGN DATA WRAPPER mysql OPTIONS (HOST 'h')
        Other [] CREATE SPATIAL REFERENCE SYSTEM 4120 NAME 'x'
        Other [] DROP RESOURCE GROUP g
    "#,
    );
    assert_eq!(count, 19);
}

#[test]
fn statements_that_are_passed_over() {
    let count = check(
        MYSQL,
        r#"
        Irrelevant [] GRANT SELECT ON d.t TO 'a'@'%'
        Irrelevant [] REVOKE ALL PRIVILEGES ON *.* FROM a
        Irrelevant [] CREATE USER 'a'@'%' IDENTIFIED WITH 'caching_sha2_password' AS '$A$005'
        Irrelevant [] ALTER USER a ACCOUNT LOCK
        Irrelevant [] DROP USER IF EXISTS a
        Irrelevant [] RENAME USER a TO b
        Irrelevant [] CREATE ROLE r
        Irrelevant [] ANALYZE TABLE t
        Irrelevant [] ANALYZE TABLE t UPDATE HISTOGRAM ON a WITH 4 BUCKETS
        Irrelevant [] OPTIMIZE TABLE t
        Irrelevant [] REPAIR NO_WRITE_TO_BINLOG TABLE t
        Irrelevant [] FLUSH PRIVILEGES
        Irrelevant [] FLUSH TABLES t WITH READ LOCK
        Irrelevant [] RESET MASTER
        Irrelevant [] INSTALL PLUGIN p SONAME 'p.so'
        Irrelevant [] CHANGE REPLICATION SOURCE TO SOURCE_HOST='h'
        Irrelevant [] STOP REPLICA
        Irrelevant [] START REPLICA
        Irrelevant [] LOCK TABLES t WRITE
        Irrelevant [] LOAD INDEX INTO CACHE t
        Irrelevant [] DROP PREPARE p
        Irrelevant [] # Dummy event replacing event type 160 that slave cannot handle.
        Irrelevant [] /* nothing */
        Set [] SET PASSWORD FOR a = 'x'
        Set [] SET GLOBAL x = 1
        Begin [] BEGIN
        Begin [] START TRANSACTION
        Commit [] COMMIT
        Rollback [] ROLLBACK
        Rollback [] ROLLBACK WORK
        Savepoint [] SAVEPOINT `a`
        Savepoint [] ROLLBACK TO `a`
        Savepoint [] ROLLBACK WORK TO SAVEPOINT a
        Savepoint [] RELEASE SAVEPOINT a
        Xa [] XA START 'a'
        Dml [d.t] INSERT INTO t VALUES (1)
        Dml [x.t] INSERT LOW_PRIORITY IGNORE x.t (a) SELECT a FROM u
        Dml [d.t] REPLACE INTO t SET a = 1
        Dml [d.t] UPDATE t SET a = 1
        Dml [d.t x.u] UPDATE t JOIN x.u ON t.a = u.a SET t.a = 2
        Dml [d.t d.u] UPDATE t AS x, u SET x.a = 1
        Dml [d.t] DELETE FROM t WHERE a = 1
        Dml [d.t d.u] DELETE a FROM t a JOIN u b ON a.a = b.a
        Dml [d.t d.u] DELETE FROM a USING t a, u WHERE a.a = u.a
        Dml [d.t] LOAD DATA INFILE 'x' INTO TABLE t (a)
        Dml [] CALL p()
        Dml [] DO f(1)
        Dml [] SELECT `d`.`f`(1)
        Unknown [] FROBNICATE TABLE t
        Unknown [] CREATE NONSENSE t
        Unknown [] CREATE TABLE
        Unknown [d.t] DROP TABLE t; DROP TABLE u
        Unknown [d.t] CREATE TABLE t (a int COMMENT 'x)
    "#,
    );
    assert_eq!(count, 53);
}

#[test]
fn mariadb_forms() {
    let count = check(
        MARIADB,
        r#"
        CreateTable [d.t] CREATE OR REPLACE TABLE t (a int)
        CreateTable [d.t] CREATE TABLE t (a int) WITH SYSTEM VERSIONING
        CreateTable [d.t] CREATE TABLE t (a int /*M!100301 COMPRESSED*/)
        CreateTable [d.t] SET STATEMENT max_statement_time=60 FOR CREATE TABLE t (a int)
        AlterTable [d.t] ALTER ONLINE TABLE IF EXISTS t WAIT 10 ADD COLUMN IF NOT EXISTS b int
        AlterTable [d.t] ALTER TABLE t NOWAIT ADD b int
        AlterTable [d.t d.u] ALTER TABLE t CONVERT PARTITION p TO TABLE u
        AlterTable [d.t d.u] ALTER TABLE t CONVERT TABLE u TO PARTITION p VALUES LESS THAN (5)
        DropTable [d.t d.u] DROP TABLE IF EXISTS t, u WAIT 5
        RenameTable [from:d.a to:d.b] RENAME TABLE IF EXISTS a WAIT 3 TO b
        CreateIndex [d.t] CREATE OR REPLACE INDEX IF NOT EXISTS i ON t (a) WAIT 3
        DropIndex [d.t] DROP INDEX IF EXISTS i ON t
        Other [obj:d.s] CREATE SEQUENCE s START WITH 1
        Other [obj:d.p] CREATE PACKAGE BODY p AS END
        Dml [] BEGIN NOT ATOMIC INSERT INTO t VALUES (1); END
    "#
        .replace(
            "BEGIN NOT ATOMIC INSERT INTO t VALUES (1); END",
            "BEGIN NOT ATOMIC SELECT 1",
        )
        .as_str(),
    );
    assert_eq!(count, 15);
}

#[test]
fn kinds_for_the_engine() {
    let context = Context::new("d", MYSQL);
    let check = |sql: &str, kind: Option<DdlKind>, tables: &str| {
        let statement = classify(sql, &context);
        assert_eq!(statement.ddl_kind(), kind, "{sql}");
        let found: Vec<String> = statement
            .ddl_tables()
            .iter()
            .map(|table| table.table.clone())
            .collect();
        assert_eq!(found.join(" "), tables, "{sql}");
    };
    check(
        "ALTER TABLE a RENAME b, LOCK=NONE",
        Some(DdlKind::RenameTable),
        "a b",
    );
    check(
        "ALTER TABLE a RENAME b, ADD c int",
        Some(DdlKind::AlterTable),
        "a b",
    );
    check(
        "RENAME TABLE a TO b, c TO a",
        Some(DdlKind::RenameTable),
        "a b c a",
    );
    check("CREATE INDEX i ON a (b)", Some(DdlKind::AlterTable), "a");
    check("CREATE TABLE a LIKE b", Some(DdlKind::CreateTable), "a b");
    check("CREATE VIEW v AS SELECT 1", Some(DdlKind::Object), "");
}

#[test]
fn xa_names() {
    let context = Context::new("d", MYSQL);
    let check = |sql: &str, verb: XaVerb, format: u32, gtrid: &[u8], bqual: &[u8]| {
        let StatementKind::Xa { verb: found, xid } = classify(sql, &context).kind else {
            panic!("{sql}");
        };
        let xid = xid.expect("the statement names a transaction");
        assert_eq!(
            (
                found,
                xid.format,
                xid.gtrid.as_slice(),
                xid.bqual.as_slice()
            ),
            (verb, format, gtrid, bqual),
            "{sql}"
        );
    };
    check("XA START X'6162',X'',1", XaVerb::Start, 1, b"ab", b"");
    check("XA END X'6162',X'63',7", XaVerb::End, 7, b"ab", b"c");
    check(
        "XA PREPARE 'a''b\\'','c'",
        XaVerb::Prepare,
        1,
        b"a'b'",
        b"c",
    );
    check(
        "XA COMMIT 0x6162 ONE PHASE",
        XaVerb::CommitOnePhase,
        1,
        b"ab",
        b"",
    );
    check("XA ROLLBACK 'a'", XaVerb::Rollback, 1, b"a", b"");
}

#[test]
fn names_are_rewritten_in_place() {
    let context = Context::new("d", MYSQL);
    let check = |sql: &str, expected: &str| {
        let statement = classify(sql, &context);
        let map = |table: &TableName| TableName::new("new", format!("{}2", table.table));
        assert_eq!(rewrite_names(sql, &statement, &map).expect(sql), expected);
    };
    check(
        "ALTER TABLE  `t` /* t */ ADD FOREIGN KEY (t) REFERENCES x.t (t) COMMENT 't'",
        "ALTER TABLE  `new`.`t2` /* t */ ADD FOREIGN KEY (t) REFERENCES `new`.`t2` (t) COMMENT 't'",
    );
    check(
        "RENAME TABLE a TO b, c TO a",
        "RENAME TABLE `new`.`a2` TO `new`.`b2`, `new`.`c2` TO `new`.`a2`",
    );
    check("DROP DATABASE x", "DROP DATABASE `new`");
}

#[test]
fn hints_go() {
    let check = |dialect: Dialect, sql: &str, expected: &str| {
        let statement = classify(sql, &Context::new("d", dialect));
        assert_eq!(strip_hints(sql, &statement).expect(sql), expected);
    };
    check(
        MYSQL,
        "ALTER TABLE t ADD a int, ALGORITHM=INPLACE, LOCK=NONE",
        "ALTER TABLE t ADD a int",
    );
    check(
        MYSQL,
        "ALTER TABLE t ALGORITHM = INPLACE, LOCK NONE, ADD a int",
        "ALTER TABLE t ADD a int",
    );
    check(
        MYSQL,
        "ALTER TABLE t ADD a int, LOCK=NONE, ADD b int",
        "ALTER TABLE t ADD a int, ADD b int",
    );
    check(
        MYSQL,
        "ALTER TABLE t ADD a int, LOCK=NONE PARTITION BY HASH (a)",
        "ALTER TABLE t ADD a int PARTITION BY HASH (a)",
    );
    check(
        MYSQL,
        "ALTER TABLE t ADD `lock` int, ADD COLUMN nowait int",
        "ALTER TABLE t ADD `lock` int, ADD COLUMN nowait int",
    );
    check(
        MYSQL,
        "ALTER TABLE t PARTITION BY KEY ALGORITHM = 1 (a)",
        "ALTER TABLE t PARTITION BY KEY ALGORITHM = 1 (a)",
    );
    check(
        MYSQL,
        "CREATE INDEX i ON t (a) ALGORITHM=INPLACE LOCK=NONE",
        "CREATE INDEX i ON t (a) ",
    );
    check(MYSQL, "DROP INDEX i ON t LOCK = NONE", "DROP INDEX i ON t ");
    check(
        MYSQL,
        "CREATE TABLE `t` (`a` int) START TRANSACTION",
        "CREATE TABLE `t` (`a` int) ",
    );
    check(
        MARIADB,
        "CREATE OR REPLACE TABLE t (a int)",
        "CREATE TABLE t (a int)",
    );
    check(
        MARIADB,
        "SET STATEMENT lock_wait_timeout=1 FOR ALTER ONLINE TABLE t WAIT 5 ADD a int",
        "ALTER TABLE t ADD a int",
    );
    check(MARIADB, "DROP TABLE t, wait NOWAIT", "DROP TABLE t, wait ");

    let sql = "ALTER TABLE t LOCK=NONE, RENAME TO u";
    let statement = classify(sql, &Context::new("d", MYSQL));
    assert_eq!(
        carried(sql, &statement, &TableName::clone).expect(sql),
        "ALTER TABLE `d`.`t` RENAME TO `d`.`u`"
    );
}

/// Compares a statement as it is carried, with the name of table `t` as it was.
pub(super) fn check_carried(dialect: Dialect, sql: &str, expected: &str) {
    let statement = classify(sql, &Context::new("d", dialect));
    let text = carried(sql, &statement, &TableName::clone).expect(sql);
    assert_eq!(text.replace("`d`.`t`", "t"), expected, "{sql}");
}

#[test]
fn json_of_mariadb_stays_text() {
    let json = |name: &str| {
        format!("longtext CHARACTER SET utf8mb4 COLLATE utf8mb4_bin CHECK (json_valid(`{name}`))")
    };
    let same = |dialect: Dialect, sql: &str| check_carried(dialect, sql, sql);
    check_carried(
        MARIADB,
        "CREATE TABLE t (a json NOT NULL, json int)",
        &format!("CREATE TABLE t (a {} NOT NULL, json int)", json("a")),
    );
    check_carried(
        MARIADB,
        "ALTER TABLE t ADD COLUMN IF NOT EXISTS json JSON AFTER b",
        &format!(
            "ALTER TABLE t ADD COLUMN IF NOT EXISTS json {} AFTER b",
            json("json")
        ),
    );
    check_carried(
        MARIADB,
        "ALTER TABLE t ADD (a int, b json), CHANGE json json json",
        &format!(
            "ALTER TABLE t ADD (a int, b {}), CHANGE json json longtext CHARACTER SET utf8mb4 COLLATE utf8mb4_bin",
            json("b")
        ),
    );
    same(MYSQL, "CREATE TABLE t (a json NOT NULL)");
    same(MARIADB, "CREATE TABLE t (a int, KEY json (json))");
}

#[test]
fn clauses_without_effect_at_the_source_go() {
    let same = |dialect: Dialect, sql: &str| check_carried(dialect, sql, sql);
    let old = Dialect::mysql(50_624);
    check_carried(
        old,
        "CREATE TABLE t (a int REFERENCES x.p (id) ON DELETE SET NULL ON UPDATE CASCADE NOT NULL, b int)",
        "CREATE TABLE t (a int  NOT NULL, b int)",
    );
    check_carried(
        old,
        "CREATE TABLE t (a int CHECK (a > 0), CHECK (a < 5), CONSTRAINT c CHECK (a <> 3), KEY (a))",
        "CREATE TABLE t (a int , KEY (a))",
    );
    check_carried(
        old,
        "ALTER TABLE t ADD CONSTRAINT c CHECK (a > 0), ADD b int",
        "ALTER TABLE t  ADD b int",
    );
    check_carried(
        old,
        "ALTER TABLE t ADD CONSTRAINT c CHECK (a > 0), ADD CHECK (a > 1), ADD b int",
        "ALTER TABLE t   ADD b int",
    );
    check_carried(
        old,
        "ALTER TABLE t ADD b int, ADD CHECK (a > 0), ADD CHECK (a > 1)",
        "ALTER TABLE t ADD b int",
    );
    check_carried(
        old,
        "ALTER TABLE t ADD CHECK (a > 0), ADD b int, ADD CHECK (a > 1)",
        "ALTER TABLE t  ADD b int",
    );
    check_carried(
        old,
        "ALTER TABLE t ALGORITHM=COPY, ADD CHECK (a > 0), ADD b int",
        "ALTER TABLE t  ADD b int",
    );
    check_carried(
        old,
        "ALTER TABLE t ADD b int, LOCK=SHARED, ADD CHECK (a > 0)",
        "ALTER TABLE t ADD b int",
    );
    check_carried(
        old,
        "ALTER TABLE t ADD CHECK (a > 0), LOCK=SHARED, ADD CHECK (a > 1), ADD b int",
        "ALTER TABLE t   ADD b int",
    );
    check_carried(
        old,
        "ALTER TABLE t ADD b int, ADD CHECK (a > 0), LOCK=SHARED, ADD CHECK (a > 1)",
        "ALTER TABLE t ADD b int",
    );
    check_carried(
        old,
        "ALTER TABLE t ADD CHECK (a > 0), ADD CHECK (a > 1)",
        "ALTER TABLE t  ",
    );
    check_carried(
        old,
        "ALTER TABLE t ADD b int CONSTRAINT c CHECK (b > 0) NOT NULL",
        "ALTER TABLE t ADD b int  NOT NULL",
    );
    same(
        old,
        "CREATE TABLE t (a int, CONSTRAINT f FOREIGN KEY (a) REFERENCES `d`.`p` (id))",
    );
    same(
        MYSQL,
        "CREATE TABLE t (a int REFERENCES `d`.`p` (id), CHECK (a > 0))",
    );
}

#[test]
fn the_default_collation_of_the_source_is_named() {
    let old = Dialect::mysql(50_624);
    let same = |dialect: Dialect, sql: &str| check_carried(dialect, sql, sql);
    let general = "COLLATE utf8mb4_general_ci";
    check_carried(
        old,
        "CREATE TABLE t (a text CHARACTER SET utf8mb4 NOT NULL, b text CHARSET utf8mb4 COLLATE utf8mb4_bin) CHARSET=utf8mb4",
        &format!(
            "CREATE TABLE t (a text CHARACTER SET utf8mb4 {general} NOT NULL, b text CHARSET utf8mb4 COLLATE utf8mb4_bin) CHARSET=utf8mb4 {general}"
        ),
    );
    check_carried(
        old,
        "ALTER TABLE t ADD a text COLLATE utf8mb4_bin, CONVERT TO CHARACTER SET utf8mb4",
        &format!(
            "ALTER TABLE t ADD a text COLLATE utf8mb4_bin, CONVERT TO CHARACTER SET utf8mb4 {general}"
        ),
    );
    check_carried(
        MARIADB,
        "CREATE DATABASE x CHARACTER SET = 'utf8mb4'",
        &format!("CREATE DATABASE `x` CHARACTER SET = 'utf8mb4' {general}"),
    );
    same(
        old,
        "CREATE TABLE t (a text) COLLATE=utf8mb4_bin, CHARSET=utf8mb4",
    );
    same(MYSQL, "CREATE TABLE t (a text CHARACTER SET utf8mb4)");
    same(
        old,
        "CREATE TABLE t (a text CHARACTER SET utf8, b text CHARACTER SET latin1)",
    );
}

#[test]
fn alters_that_cannot_be_carried() {
    let check = |sql: &str, code: Option<&str>| {
        let statement = classify(sql, &Context::new("d", MARIADB));
        let refused = plain_alter(sql, &statement).err();
        assert_eq!(refused.map(|refusal| refusal.code), code, "{sql}");
    };
    check(
        "ALTER TABLE t EXCHANGE PARTITION p WITH TABLE u",
        Some("DDL-012"),
    );
    check("ALTER TABLE t IMPORT TABLESPACE", Some("DDL-012"));
    check(
        "ALTER TABLE t DISCARD PARTITION p TABLESPACE",
        Some("DDL-012"),
    );
    check(
        "ALTER TABLE t CONVERT PARTITION p TO TABLE u",
        Some("DDL-012"),
    );
    check("ALTER TABLE t ADD SYSTEM VERSIONING", Some("DDL-012"));
    check(
        "ALTER TABLE t ADD a varchar(36) DEFAULT (UUID())",
        Some("DDL-013"),
    );
    check(
        "ALTER TABLE t ADD a varchar(36) DEFAULT uuid ()",
        Some("DDL-013"),
    );
    check(
        "ALTER TABLE t ADD b int, ADD a double DEFAULT (1 + rand())",
        Some("DDL-013"),
    );
    check("ALTER IGNORE TABLE t ADD UNIQUE KEY (a)", Some("DDL-011"));
    check("ALTER TABLE t FROBNICATE", Some("DDL-010"));
    check("FROBNICATE t", Some("DDL-010"));
    check("ALTER TABLE t ADD a int DEFAULT 5, ALGORITHM=INSTANT", None);
    check(
        "ALTER TABLE t ADD a datetime DEFAULT CURRENT_TIMESTAMP",
        None,
    );
    check("ALTER TABLE t CONVERT TO CHARACTER SET utf8mb4", None);
    check("CREATE TABLE t (a varchar(36) DEFAULT (uuid()))", None);

    let notes = |sql: &str| {
        let statement = classify(sql, &Context::new("d", MYSQL));
        plain_alter(sql, &statement)
            .expect("plain")
            .adds_auto_increment
    };
    assert!(notes("ALTER TABLE t ADD id int AUTO_INCREMENT PRIMARY KEY"));
    assert!(!notes("ALTER TABLE t ADD id int, AUTO_INCREMENT=5"));
}

#[test]
fn modes_by_bit() {
    let names = |bits: u64, mariadb: bool| -> Vec<(&str, bool)> {
        sql_mode_names(bits, mariadb)
            .into_iter()
            .map(|mode| (mode.name, mode.accepted))
            .collect()
    };
    assert_eq!(
        names(1_436_549_152, false),
        [
            ("ONLY_FULL_GROUP_BY", true),
            ("STRICT_TRANS_TABLES", true),
            ("NO_ZERO_IN_DATE", true),
            ("NO_ZERO_DATE", true),
            ("ERROR_FOR_DIVISION_BY_ZERO", true),
            ("NO_AUTO_CREATE_USER", false),
            ("NO_ENGINE_SUBSTITUTION", true),
        ]
    );
    assert_eq!(names(1 << 32, false), [("TIME_TRUNCATE_FRACTIONAL", true)]);
    assert_eq!(names(1 << 32, true), [("EMPTY_STRING_IS_NULL", false)]);
}

proptest! {
    #[test]
    fn random_statements_do_no_harm(
        sql in r#"((CREATE|ALTER|DROP|RENAME|TABLE|TO|WAIT|XA|START|X'|DEFINER|=|@|OR|REPLACE|SET STATEMENT|FOR|LIKE|SELECT|FROM|UNION|REFERENCES|LOCK|ALGORITHM|INDEX|ON|DATABASE|UPDATE|DELETE|LOAD|INTO|\(|\)|,|;|\.|`a`|b|'|5|é|/\*!80000|\*/) ?){0,25}"#,
        mariadb in any::<bool>(),
    ) {
        let dialect = if mariadb { MARIADB } else { MYSQL };
        let statement = classify(&sql, &Context::new("d", dialect));
        rewrite_names(&sql, &statement, &TableName::clone).expect(&sql);
        // Garbage may be refused; it must not panic.
        let _ = carried(&sql, &statement, &TableName::clone);
        let _ = plain_alter(&sql, &statement);
    }

    #[test]
    fn random_bytes_do_no_harm(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        let sql = String::from_utf8_lossy(&bytes);
        classify(&sql, &Context::new("d", MYSQL));
    }
}
