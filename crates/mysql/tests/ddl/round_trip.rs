//! Tables of one 9.7, taken apart and put together again in another database.

use super::{dialect, show_create, start};
use wherry_model::TableName;
use wherry_mysql::ddl::definition::{Definition, Keys, RenderOptions};
use wherry_mysql::ddl::{Context, rules};
use wherry_testkit::Flavour;

/// Bodies of CREATE TABLE statements; the table `p (id, a, b)` stands beside each.
const BODIES: &[&str] = &[
    "(a int)",
    "(a int PRIMARY KEY)",
    "(a int, b int, KEY (a), KEY k (b, a DESC))",
    "(id int AUTO_INCREMENT PRIMARY KEY, a varchar(20), KEY (a(5))) AUTO_INCREMENT=77",
    "(id bigint unsigned NOT NULL AUTO_INCREMENT, a int, UNIQUE (id), KEY (a))",
    "(a int, id int NOT NULL AUTO_INCREMENT, b int, PRIMARY KEY (a), KEY x (b), KEY i (id), KEY y (b, a))",
    "(a int, id int NOT NULL AUTO_INCREMENT, KEY i (id, a), KEY j (a, id))",
    "(a tinyint(1), b tinyint(1) unsigned, c smallint zerofill, d mediumint unsigned, e int(5) zerofill, f bigint)",
    "(a decimal(10,3), b numeric, c float, d float(7,3), e double, f double(10,2) unsigned, g real)",
    "(a bit, b bit(64), c bool DEFAULT TRUE, d bit(3) DEFAULT b'101')",
    "(a date, b time, c time(3), d datetime, e datetime(6), f timestamp, g timestamp(2) NULL, h year)",
    "(a timestamp DEFAULT CURRENT_TIMESTAMP ON UPDATE CURRENT_TIMESTAMP, b datetime(6) DEFAULT CURRENT_TIMESTAMP(6) ON UPDATE CURRENT_TIMESTAMP(6))",
    "(a char(3), b varchar(300), c tinytext, d text, e mediumtext, f longtext)",
    "(a binary(3) DEFAULT 'a', b varbinary(10) DEFAULT x'00FF', c tinyblob, d blob, e mediumblob, f longblob)",
    "(a enum('x','y,z','it''s') DEFAULT 'y,z', b set('a','b(') NOT NULL)",
    "(a json, b json DEFAULT (JSON_OBJECT('k', 1)), c text DEFAULT ('it''s, (x)'))",
    "(a point NOT NULL SRID 4326, b geometry, SPATIAL KEY s (a))",
    "(a linestring, b polygon, c multipoint, d multilinestring, e multipolygon, f geometrycollection)",
    "(a vector(3))",
    "(a int, b int AS (a + 1), c int AS (a * 2) STORED NOT NULL, KEY (b), KEY (c))",
    "(a json, b varchar(20) AS (a->>'$.x'), KEY (b))",
    "(a int, b varchar(9), KEY ((a + 1)), KEY f ((lower(b)), a))",
    "(a json, KEY m ((CAST(a->'$.x' AS UNSIGNED ARRAY))))",
    "(a int INVISIBLE, b int)",
    "(a int, b int, KEY i (a) INVISIBLE, KEY c (b) COMMENT 'it''s, KEY (x)')",
    "(a varchar(50), b text, FULLTEXT KEY f (a, b))",
    "(a varchar(50), b text, FULLTEXT KEY f (a) WITH PARSER ngram, FULLTEXT KEY g (b))",
    "(a varchar(50), b text, g point NOT NULL SRID 0, FULLTEXT KEY f (a), FULLTEXT KEY e (b), KEY k (a), SPATIAL KEY s (g), KEY z (b(5), a))",
    "(a int CHECK (a > 0), b int, CONSTRAINT c CHECK (a < b), CHECK (b <> 5) NOT ENFORCED)",
    "(a int, CONSTRAINT f1 FOREIGN KEY (a) REFERENCES p (id))",
    "(a int, b int, CONSTRAINT f2 FOREIGN KEY (a) REFERENCES p (id) ON DELETE CASCADE ON UPDATE SET NULL, KEY (b))",
    "(a int, b int, KEY ab (a, b), CONSTRAINT f3 FOREIGN KEY (a, b) REFERENCES p (a, b) ON DELETE RESTRICT)",
    "(a int PRIMARY KEY, b int, CONSTRAINT f4 FOREIGN KEY (b) REFERENCES t (a))",
    "(a int, b int, KEY long_one (a, b), CONSTRAINT f5 FOREIGN KEY (a) REFERENCES p (id), CONSTRAINT f6 FOREIGN KEY (b) REFERENCES p (id) ON UPDATE CASCADE)",
    "(a int COMMENT 'a`b\\'c\"d -- e /* f */ # g \\\\ \\n', b int COMMENT '')",
    "(`a b` int, `c``d` int, `select` int, `ü` int, `PRIMARY KEY (` int, KEY `k,(` (`a b`), KEY `key` (`select`))",
    "(a varchar(9) CHARACTER SET latin1, b varchar(9) COLLATE utf8mb4_bin, c varchar(9) CHARACTER SET ascii COLLATE ascii_bin)",
    "(a varchar(9), b text) DEFAULT CHARSET latin1 COLLATE latin1_german1_ci",
    "(a varchar(9) CHARACTER SET utf8mb4, b varchar(9) CHARACTER SET utf8mb4 COLLATE utf8mb4_general_ci) DEFAULT CHARSET utf8mb3",
    "(a char(3) CHARACTER SET gbk, b char(3) CHARACTER SET utf16, c char(3) CHARACTER SET sjis) DEFAULT CHARSET utf8mb4 COLLATE utf8mb4_unicode_520_ci",
    "(a varchar(9), KEY (a)) COLLATE utf8mb4_general_ci",
    "(a int) COMMENT 'it''s a ) comment' ROW_FORMAT=COMPRESSED KEY_BLOCK_SIZE=8",
    "(a int) ROW_FORMAT=DYNAMIC STATS_PERSISTENT=0 STATS_AUTO_RECALC=1 STATS_SAMPLE_PAGES=9",
    "(a int) MIN_ROWS=1 MAX_ROWS=1000 AVG_ROW_LENGTH=50 CHECKSUM=1 DELAY_KEY_WRITE=1 PACK_KEYS=0",
    "(a int) COMPRESSION='zlib'",
    "(a int) AUTOEXTEND_SIZE=4M",
    "(a int COMMENT 'x', b int COLUMN_FORMAT DYNAMIC STORAGE DISK)",
    "(a int NOT NULL, b int, PRIMARY KEY (a), KEY (b)) PARTITION BY RANGE (a) (PARTITION p0 VALUES LESS THAN (10) COMMENT 'x', PARTITION p1 VALUES LESS THAN MAXVALUE)",
    "(a int NOT NULL, b date, PRIMARY KEY (a, b)) PARTITION BY RANGE (YEAR(b)) SUBPARTITION BY HASH (a) SUBPARTITIONS 2 (PARTITION p0 VALUES LESS THAN (2000), PARTITION p1 VALUES LESS THAN MAXVALUE)",
    "(a int NOT NULL, KEY (a)) PARTITION BY LIST (a) (PARTITION p0 VALUES IN (1, 2), PARTITION p1 VALUES IN (3, NULL))",
    "(a int, b varchar(9), KEY (a)) PARTITION BY RANGE COLUMNS (a, b) (PARTITION p0 VALUES LESS THAN (1, 'x'))",
    "(a int, KEY (a)) PARTITION BY HASH ((a + 1)) PARTITIONS 3",
    "(a int PRIMARY KEY, b int, KEY (b)) PARTITION BY LINEAR KEY ALGORITHM=2 (a) PARTITIONS 4",
    "(a int DEFAULT 5, b int NOT NULL DEFAULT '-3', c decimal(5,2) DEFAULT 1.5, d double DEFAULT 1e3, e varchar(5) DEFAULT '', f date DEFAULT '2020-01-02')",
    "(a varchar(36) DEFAULT (uuid()), b int DEFAULT (1 + 2), c date DEFAULT (CURRENT_DATE))",
    "(a int NOT NULL, b int, c int NOT NULL, UNIQUE u (a, b), UNIQUE v (c), KEY w (c), KEY x (b), PRIMARY KEY (c, a))",
    "(a varchar(100) NOT NULL, b varchar(100), UNIQUE u (a(10)), UNIQUE v (b(20), a), KEY w (a(3) DESC, b))",
    "(a int, KEY h (a) USING HASH, KEY b (a, a2) USING BTREE, a2 int)",
    "(a int, KEY k (a) KEY_BLOCK_SIZE=1024)",
    "(a int, KEY (a)) ENGINE=MyISAM ROW_FORMAT=FIXED",
    "(a int, b int, KEY (a), UNIQUE (b) USING BTREE) ENGINE=MEMORY",
    "(a int NOT NULL, b varchar(9) NOT NULL) ENGINE=CSV",
    "(a int, b varchar(10) AS (concat(a, ',', 'x)')) VIRTUAL COMMENT 'c', FULLTEXT f (c), c text)",
    "(a int, b int NOT SECONDARY)",
];

#[tokio::test]
async fn tables_come_back_as_they_were() {
    let server = start(Flavour::MySql97).await;
    let dialect = dialect(&server).await;
    let parent = "(id int PRIMARY KEY, a int, b int, KEY (a, b))";
    for database in ["src", "dst"] {
        let create = format!("CREATE DATABASE {database}; CREATE TABLE {database}.p {parent}");
        server.sql(&create).await.expect("database");
    }
    let (source, target) = (TableName::new("src", "t"), TableName::new("dst", "t"));
    let mode = "SET sql_mode = '', foreign_key_checks = 0, restrict_fk_on_non_standard_key = OFF";
    let mut problems = Vec::new();
    for body in BODIES {
        let create =
            format!("{mode}; USE src; DROP TABLE IF EXISTS t, dst.t; CREATE TABLE t {body}");
        if let Err(error) = server.sql(&create).await {
            problems.push(format!("{body}\n  at the source: {error}"));
            continue;
        }
        let text = show_create(&server, &source).await;
        let definition = Definition::parse(&text, &Context::new("src", dialect))
            .unwrap_or_else(|error| panic!("{text}: {error}"))
            .map_references(&|table| TableName::new("dst", table.table.as_str()));
        let script = format!("{mode};\n{}", in_steps(&definition, &target));
        if let Err(error) = server.sql(&script).await {
            problems.push(format!("{script}\n  at the target: {error}"));
            continue;
        }
        let again = show_create(&server, &target).await;
        if spelled_once(&again) != spelled_once(&text) {
            problems.push(format!("{text}\n  became\n{again}"));
        }
        let found = rules::diff(
            &text,
            &again,
            &target,
            rules::Flavours::new(dialect, dialect),
        )
        .expect("readable");
        // A rule gives the target another engine; here the definition was made without rules.
        if !found.is_empty() && !body.contains("ENGINE=") {
            problems.push(format!("{text}\n  {found:?}"));
        }
        orphans_are_counted(&server, &definition, &target).await;
    }
    assert!(problems.is_empty(), "{}", problems.join("\n\n"));
}

/// The table without deferrable keys, then the keys, then the foreign keys.
fn in_steps(definition: &Definition, name: &TableName) -> String {
    let options = RenderOptions {
        name,
        keys: Keys::WithoutDeferrable,
        foreign_keys: false,
        auto_increment: true,
    };
    let mut statements = vec![definition.render(&options)];
    statements.extend(definition.deferred_keys_alter(name));
    statements.extend(definition.foreign_keys_alter(name));
    statements.join(";\n")
}

/// Leaves out the character set of a column that has a collation: MySQL prints it only where a
/// statement gave the collation for that column, which the second table's did.
fn spelled_once(text: &str) -> String {
    let (mark, end) = (" CHARACTER SET ", " COLLATE ");
    let mut out = String::new();
    let mut rest = text;
    while let Some(at) = rest.find(mark) {
        let name = rest[at + mark.len()..]
            .split(' ')
            .next()
            .unwrap_or_default();
        let after = at + mark.len() + name.len();
        let kept = if rest[after..].starts_with(end) {
            at
        } else {
            after
        };
        out.push_str(&rest[..kept]);
        rest = &rest[after..];
    }
    out + rest
}

async fn orphans_are_counted(
    server: &wherry_testkit::Server,
    definition: &Definition,
    table: &TableName,
) {
    for key in &definition.foreign_keys {
        let count = server
            .value(&key.orphan_count_sql(table))
            .await
            .expect("count");
        assert_eq!(count.as_deref(), Some("0"));
    }
}
