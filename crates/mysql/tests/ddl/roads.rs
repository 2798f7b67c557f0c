//! Tables of 5.6 and MariaDB, made in 9.7 by the rules.

use super::{dialect, show_create, start};
use wherry_model::TableName;
use wherry_mysql::ddl::rules;
use wherry_testkit::Flavour;

const BOTH: &[&str] = &[
    "(a int)",
    "(id int(11) NOT NULL AUTO_INCREMENT, a varchar(20) DEFAULT NULL, PRIMARY KEY (id), KEY (a)) ENGINE=InnoDB",
    "(a tinyint(1), b tinyint, c tinyint(3) unsigned, d int(5) zerofill, e bigint(20) unsigned, f year, g bool)",
    "(a decimal(10,3) DEFAULT 1.5, b float(7,3), c double DEFAULT 1e3, d int NOT NULL DEFAULT 7, e decimal(5,2) DEFAULT '-0.50', f float DEFAULT 0.1)",
    "(a timestamp NOT NULL DEFAULT CURRENT_TIMESTAMP ON UPDATE CURRENT_TIMESTAMP, b datetime DEFAULT CURRENT_TIMESTAMP, c timestamp NULL, d timestamp NOT NULL DEFAULT '0000-00-00 00:00:00')",
    "(a datetime(3) DEFAULT CURRENT_TIMESTAMP(3) ON UPDATE CURRENT_TIMESTAMP(3), b timestamp(6) NOT NULL DEFAULT CURRENT_TIMESTAMP(6), c time(2))",
    "(a timestamp, b timestamp, c int)",
    "(a char(3), b varchar(300), c text, d blob, e binary(3) DEFAULT 'a', f varbinary(10) DEFAULT 'xy')",
    "(a enum('x','y,z','it''s') DEFAULT 'y,z', b set('a','b(') NOT NULL DEFAULT 'a')",
    "(a bit(3) DEFAULT b'101', b bit(64))",
    "(a varchar(9), b varchar(9) COLLATE utf8_unicode_ci, c text CHARACTER SET latin1) DEFAULT CHARSET utf8",
    "(a varchar(9), b varchar(9) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin, c varchar(9) CHARACTER SET utf8mb4) DEFAULT CHARSET utf8mb4",
    "(a varchar(9), b varchar(9) CHARACTER SET utf8mb4, c varchar(9) CHARACTER SET latin1 COLLATE latin1_bin) DEFAULT CHARSET utf8mb4 COLLATE utf8mb4_unicode_ci",
    "(a varchar(9), b varchar(9) CHARACTER SET utf8, c enum('ä') CHARACTER SET gbk) DEFAULT CHARSET latin1 COLLATE latin1_german2_ci",
    "(a varchar(9) CHARACTER SET ucs2, b varchar(9) CHARACTER SET utf16, c varchar(9) CHARACTER SET cp1251, d varchar(9) CHARACTER SET sjis)",
    "(a int, b int, UNIQUE u (a, b), KEY k (b) USING BTREE COMMENT 'it''s', KEY l (a))",
    "(a varchar(50), b text, FULLTEXT KEY f (a, b), KEY (b(10)))",
    "(a int, b int, CONSTRAINT f1 FOREIGN KEY (a) REFERENCES p (id) ON DELETE CASCADE, CONSTRAINT f2 FOREIGN KEY (b) REFERENCES p (id) ON DELETE SET NULL ON UPDATE NO ACTION)",
    "(a int) ROW_FORMAT=COMPACT COMMENT='it''s ) x'",
    "(a int, b varchar(9)) ROW_FORMAT=DYNAMIC STATS_PERSISTENT=1",
    "(a int NOT NULL, b int, PRIMARY KEY (a)) PARTITION BY RANGE (a) (PARTITION p0 VALUES LESS THAN (10) COMMENT = 'x', PARTITION p1 VALUES LESS THAN MAXVALUE)",
    "(a int NOT NULL, KEY (a)) PARTITION BY LIST (a) (PARTITION p0 VALUES IN (1,2), PARTITION p1 VALUES IN (3))",
    "(a int, KEY (a)) PARTITION BY HASH (a) PARTITIONS 3",
    "(a int PRIMARY KEY) PARTITION BY KEY () PARTITIONS 2",
    "(a int NOT NULL, d date NOT NULL, PRIMARY KEY (a, d)) PARTITION BY RANGE (TO_DAYS(d)) SUBPARTITION BY HASH (a) SUBPARTITIONS 2 (PARTITION p0 VALUES LESS THAN (TO_DAYS('2020-01-01')), PARTITION p1 VALUES LESS THAN MAXVALUE)",
    "(a int, b varchar(9)) PARTITION BY RANGE COLUMNS (a, b) (PARTITION p0 VALUES LESS THAN (1, 'x'), PARTITION p1 VALUES LESS THAN (MAXVALUE, MAXVALUE))",
    "(a int COMMENT 'a`b\\'c\"d -- e /* f */ # g', `select` int, `rank` int, `groups` int, `system` int, `lateral` int, KEY `rank` (`rank`))",
    "(g geometry NOT NULL, p point, l linestring, SPATIAL KEY (g)) ENGINE=MyISAM",
    "(a int, KEY (a)) ENGINE=MyISAM ROW_FORMAT=FIXED",
    "(g int(5) NOT NULL, id int NOT NULL AUTO_INCREMENT, PRIMARY KEY (g, id), KEY (id)) ENGINE=MyISAM",
    "(a int, b varchar(9), KEY (a) USING HASH, UNIQUE (b)) ENGINE=MEMORY MAX_ROWS=100",
    "(a int, b text, PRIMARY KEY (a), FULLTEXT (b)) ENGINE=MyISAM PACK_KEYS=1 CHECKSUM=1 DELAY_KEY_WRITE=1 KEY_BLOCK_SIZE=2 COMMENT='x'",
];

const ONLY_56: &[&str] = &[
    "(a int) ENGINE=InnoDB ROW_FORMAT=FIXED",
    "(a int) ENGINE=InnoDB ROW_FORMAT=DYNAMIC KEY_BLOCK_SIZE=8",
    "(a varchar(10)) DEFAULT CHARSET utf8 COLLATE utf8_general_mysql500_ci",
    "(a int, KEY (a)) PARTITION BY KEY ALGORITHM=1 (a) PARTITIONS 2",
    "(a varchar(9)) DEFAULT CHARSET utf8mb4 COLLATE utf8mb4_croatian_ci",
];

const ONLY_MARIADB: &[&str] = &[
    "(a json)",
    "(a json NOT NULL DEFAULT '{}', b longtext CHECK (json_valid(b)))",
    "(a text DEFAULT 'it''s', b blob DEFAULT 'x', c tinytext DEFAULT '', d longtext DEFAULT (concat('a', 'b')))",
    "(a varchar(36) DEFAULT uuid(), b int DEFAULT (1 + 2), c date DEFAULT curdate(), d date DEFAULT current_timestamp(), e datetime(3) DEFAULT current_timestamp())",
    "(a int, b int AS (a + 1) VIRTUAL, c int AS (a * 2) PERSISTENT, d varchar(20) GENERATED ALWAYS AS (concat(a, ',', b)) STORED COMMENT 'x', KEY (c))",
    "(a int CHECK (a > 0), b int, CONSTRAINT c CHECK (a < b), CHECK (b <> 5))",
    "(a int INVISIBLE DEFAULT 4, b int)",
    "(a int, b int, KEY i (a) IGNORED, KEY d (a, b DESC))",
    "(a varchar(9), b varchar(9) COLLATE utf8mb4_croatian_mysql561_ci) DEFAULT CHARSET utf8mb4",
    "(a int) ENGINE=InnoDB TRANSACTIONAL=1",
    "(a int, b varchar(9), PRIMARY KEY (a), KEY (b)) ENGINE=Aria TRANSACTIONAL=0 PAGE_CHECKSUM=0 ROW_FORMAT=PAGE",
    "(a point REF_SYSTEM_ID=4326, b int)",
    "(a int unsigned DEFAULT 0, b varchar(9) DEFAULT 'NULL', c char(3) DEFAULT 'x', d bit(1) DEFAULT b'1', e double DEFAULT 1e-5)",
    "(a varchar(9)) DEFAULT CHARSET ucs2",
];

const REFUSED_MARIADB: &[(&str, &str)] = &[
    ("(a uuid)", "DDL-101"),
    ("(a inet6, b inet4)", "DDL-101"),
    ("(a text COMPRESSED)", "DDL-103"),
    ("(a int) WITH SYSTEM VERSIONING", "DDL-104"),
    (
        "(a int, s timestamp(6) GENERATED ALWAYS AS ROW START, e timestamp(6) GENERATED ALWAYS AS ROW END, PERIOD FOR SYSTEM_TIME (s, e)) WITH SYSTEM VERSIONING",
        "DDL-104",
    ),
    ("(a int, s date, e date, PERIOD FOR x (s, e))", "DDL-104"),
    ("(a varchar(9)) COLLATE utf8mb4_uca1400_ai_ci", "DDL-105"),
    ("(a varchar(9) COLLATE utf8mb3_general_nopad_ci)", "DDL-105"),
    ("(a int) ENGINE=InnoDB PAGE_COMPRESSED=1", "DDL-106"),
    ("(a int DEFAULT nextval(s))", "DDL-107"),
];

const REFUSED: &[(&str, &str)] = &[(
    "(g int NOT NULL, id int NOT NULL AUTO_INCREMENT, PRIMARY KEY (g, id)) ENGINE=MyISAM",
    "DDL-112",
)];

async fn road(from: Flavour, bodies: &[&[&str]], refused: &[(&str, &str)]) {
    let (source, target) = (start(from).await, start(Flavour::MySql97).await);
    let (from, to) = (dialect(&source).await, dialect(&target).await);
    for server in [&source, &target] {
        let sql = "CREATE DATABASE d; CREATE TABLE d.p (id int PRIMARY KEY)";
        server.sql(sql).await.expect("database");
    }
    let table = TableName::new("d", "t");
    let mut problems = Vec::new();
    for body in bodies.iter().copied().flatten() {
        let create = format!(
            "USE d; SET sql_mode = '', SESSION innodb_strict_mode = 0; DROP TABLE IF EXISTS t; CREATE TABLE t {body}"
        );
        if let Err(error) = source.sql(&create).await {
            problems.push(format!("{body}\n  at the source: {error}"));
            continue;
        }
        let text = show_create(&source, &table).await;
        let (made, applied) = match rules::apply(&text, &table, rules::Flavours::new(from, to)) {
            Ok(carried) => carried,
            Err(refusal) => {
                problems.push(format!("{text}\n  refused: {refusal}"));
                continue;
            }
        };
        let create = format!(
            "USE d; SET sql_mode = 'STRICT_ALL_TABLES,NO_AUTO_VALUE_ON_ZERO,ALLOW_INVALID_DATES'; DROP TABLE IF EXISTS t; {made}"
        );
        if let Err(error) = target.sql(&create).await {
            problems.push(format!("{made}\n  at the target: {error}"));
            continue;
        }
        let there = show_create(&target, &table).await;
        let found =
            rules::diff(&text, &there, &table, rules::Flavours::new(from, to)).expect("readable");
        let real: Vec<_> = found.iter().filter(|found| found.rule.is_none()).collect();
        if !real.is_empty() {
            problems.push(format!("{text}\n{there}\n  {real:#?}\n {applied:#?}"));
        }
    }
    if from.mariadb {
        source.sql("CREATE SEQUENCE d.s").await.expect("sequence");
    }
    for (body, code) in refused {
        let create =
            format!("USE d; SET sql_mode = ''; DROP TABLE IF EXISTS t; CREATE TABLE t {body}");
        source
            .sql(&create)
            .await
            .unwrap_or_else(|error| panic!("{body}: {error}"));
        let text = show_create(&source, &table).await;
        match rules::apply(&text, &table, rules::Flavours::new(from, to)) {
            Err(refusal) if refusal.code == *code => {}
            other => problems.push(format!("{text}\n  not refused with {code}: {other:?}")),
        }
    }
    assert!(problems.is_empty(), "{}", problems.join("\n\n"));
}

#[tokio::test]
async fn tables_of_mysql_56() {
    road(Flavour::MySql56, &[BOTH, ONLY_56], REFUSED).await;
}

#[tokio::test]
async fn tables_of_mariadb() {
    let refused = [REFUSED, REFUSED_MARIADB].concat();
    road(Flavour::MariaDb, &[BOTH, ONLY_MARIADB], &refused).await;
}
