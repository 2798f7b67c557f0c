//! Tables that stand alone: odd names, limits, other engines, what must be refused, and the parents of foreign keys.

use super::{Sample, quoted};
use crate::flavour::Flavour;

/// Columns of the widest table.
const COLUMNS_MANY: usize = 1000;

fn sample(table: &str, body: &str) -> Sample {
    Sample {
        database: "attr",
        table: table.to_owned(),
        create: vec![format!("CREATE TABLE {} {body}", quoted(table))],
        rows: Vec::new(),
        refused: None,
    }
}

impl Sample {
    /// Adds rows, each the list behind VALUES.
    fn with(mut self, rows: &[&str]) -> Sample {
        let table = quoted(&self.table);
        let row = |values: &&str| format!("INSERT INTO {table} VALUES ({values})");
        self.rows.extend(rows.iter().map(row));
        self
    }

    fn refused_with(mut self, code: &'static str) -> Sample {
        self.refused = Some(code);
        self
    }

    fn before(mut self, statement: &str) -> Sample {
        self.create.insert(0, statement.to_owned());
        self
    }
}

pub(super) fn samples(flavour: Flavour, folder: &str) -> Vec<Sample> {
    let mut all = everywhere();
    all.extend(match flavour {
        Flavour::MySql97 => mysql97(folder),
        Flavour::MySql56 => mysql56(folder),
        Flavour::MariaDb => mariadb(),
    });
    all
}

fn everywhere() -> Vec<Sample> {
    let columns: Vec<String> = (0..COLUMNS_MANY)
        .map(|number| format!("c{number} int"))
        .collect();
    let long = "n".repeat(64);
    let wide = format!("({}) ENGINE=InnoDB", columns.join(", "));
    let mut wide = sample("wide", &wide);
    wide.rows = vec!["INSERT INTO wide (c0, c999) VALUES (1, 2), (3, NULL)".to_owned()];
    vec![
        wide,
        sample(&long, &format!("(`{long}` int PRIMARY KEY, b int, UNIQUE KEY `{}` (b))", "k".repeat(64))).with(&["1, 2"]),
        sample("case", "(a int PRIMARY KEY)").with(&["1"]),
        sample("CASE", "(a int PRIMARY KEY, b int)").with(&["1, 2"]),
        sample("select", "(`from` int PRIMARY KEY, `where` int, KEY `order` (`where`))").with(&["1, 2"]),
        sample("a `b\" 'c", "(a int PRIMARY KEY) COMMENT='it''s a \\\\ table'").with(&["1"]),
        sample("日本 ünï", "(`列` int PRIMARY KEY)").with(&["1"]),
        sample("keyless", "(a int, b varchar(5))").with(&["1, 'x'", "1, 'x'", "NULL, NULL"]),
        sample("row_limit", "(a varchar(65530) CHARACTER SET latin1 NOT NULL) DEFAULT CHARSET=latin1").with(&["'long'"]),
        sample("key_limit", "(a varchar(191) CHARACTER SET utf8mb4 NOT NULL, b varchar(255) CHARACTER SET utf8, PRIMARY KEY (a), KEY (b(255)), KEY many (a(150), b(120))) ROW_FORMAT=COMPACT").with(&["'a', 'b'"]),
        sample("heap", "(a int NOT NULL, b varchar(9), KEY h (a) USING HASH, KEY t (b) USING BTREE) ENGINE=MEMORY").with(&["1, 'x'"]),
        sample("isam", "(a int AUTO_INCREMENT PRIMARY KEY, b text, c int, FULLTEXT KEY (b), KEY (c) KEY_BLOCK_SIZE=2048) ENGINE=MyISAM ROW_FORMAT=DYNAMIC AUTO_INCREMENT=50 MAX_ROWS=99").with(&["1, 'words', 2"]),
        sample("numbered", "(g int NOT NULL, id int NOT NULL AUTO_INCREMENT, PRIMARY KEY (g, id)) ENGINE=MyISAM").refused_with("DDL-112"),
        sample("archive", "(a int) ENGINE=ARCHIVE").refused_with("SRC-010"),
        sample("csv", "(a int NOT NULL) ENGINE=CSV").refused_with("SRC-010"),
        sample("hole", "(a int) ENGINE=BLACKHOLE").refused_with("SRC-010"),
    ]
}

fn mysql97(folder: &str) -> Vec<Sample> {
    let mut all = vec![
        sample("hidden_key", "(a int, b varchar(9))").before("SET SESSION sql_generate_invisible_primary_key = ON"),
        sample("keys_3072", "(a varchar(768) CHARACTER SET utf8mb4 NOT NULL, PRIMARY KEY (a), KEY d (a DESC))").with(&["'a'"]),
        sample("key_1017", &format!("({}, PRIMARY KEY (c0)) ENGINE=InnoDB", (0..1017).map(|number| format!("c{number} tinyint")).collect::<Vec<_>>().join(", "))),
        sample("spaced", "(a int PRIMARY KEY) TABLESPACE=`shared space`").with(&["1"]),
        sample("elsewhere", &format!("(a int PRIMARY KEY) DATA DIRECTORY='{folder}'")).with(&["1"]),
        sample("parts_elsewhere", &format!("(a int PRIMARY KEY) PARTITION BY RANGE (a) (PARTITION p0 VALUES LESS THAN (10) DATA DIRECTORY='{folder}', PARTITION p1 VALUES LESS THAN MAXVALUE)")).with(&["1", "20"]),
        sample("columns", "(a int COLUMN_FORMAT DYNAMIC STORAGE DISK, b int NOT SECONDARY, c geometry SRID 0 NOT NULL, SPATIAL KEY (c))"),
        sample("accents", "(a varchar(9) CHARACTER SET latin1, b varchar(9) CHARACTER SET cp1251, g varchar(30) CHARACTER SET latin1 AS (concat(a, 'é', _latin1 x'E9')), h varchar(30) CHARACTER SET utf8mb4 AS (concat(a, 'é日', _latin1 x'E9')) STORED, CHECK (a <> 'é'), CHECK (a <> _latin1 x'E9' and b <> 'ж'), KEY k ((concat(a, 'é'))))"),
        sample("odd_checks", "(a int, CONSTRAINT `c h` CHECK (a between -5 and 50 or a is null) NOT ENFORCED, CHECK (a <> 13))").with(&["1"]),
        sample("whole", "(a int PRIMARY KEY, b int GENERATED ALWAYS AS (a + 1) STORED NOT NULL COMMENT 'it''s', UNIQUE KEY u (b DESC) COMMENT 'x' INVISIBLE)"),
        sample("sub_parts", "(id int NOT NULL, d date NOT NULL, PRIMARY KEY (id, d)) PARTITION BY RANGE (TO_DAYS(d)) SUBPARTITION BY KEY ALGORITHM=1 (id) SUBPARTITIONS 2 (PARTITION p0 VALUES LESS THAN (700000), PARTITION p1 VALUES LESS THAN MAXVALUE)").with(&["1, '2020-01-01'"]),
        sample("text_parts", "(a varchar(20) NOT NULL, b datetime NOT NULL) PARTITION BY RANGE COLUMNS (a, b) (PARTITION p0 VALUES LESS THAN ('it''s', '2020-01-01'), PARTITION p1 VALUES LESS THAN (MAXVALUE, MAXVALUE))").with(&["'a', '2020-02-02'"]),
    ];
    all[0].rows = vec!["INSERT INTO hidden_key (a, b) VALUES (1, 'x'), (2, 'y')".to_owned()];
    all[7].rows = vec!["INSERT INTO accents (a, b) VALUES ('x', 'y'), ('ü', 'я')".to_owned()];
    all[9].rows = vec!["INSERT INTO whole (a) VALUES (1), (2)".to_owned()];
    all
}

fn mysql56(folder: &str) -> Vec<Sample> {
    vec![
        sample("fixed", "(a int PRIMARY KEY, b char(9)) ENGINE=InnoDB ROW_FORMAT=FIXED").with(&["1, 'x'"]),
        sample("isam_parts", "(a int PRIMARY KEY) ENGINE=MyISAM PARTITION BY RANGE (a) (PARTITION p0 VALUES LESS THAN (10), PARTITION p1 VALUES LESS THAN MAXVALUE)").with(&["1", "20"]),
        sample("old_hash", "(a int, KEY (a)) PARTITION BY KEY ALGORITHM=1 (a) PARTITIONS 2").with(&["1", "2"]),
        sample("elsewhere", &format!("(a int PRIMARY KEY) DATA DIRECTORY='{folder}'")).with(&["1"]),
        sample("merged", "(a int) ENGINE=MRG_MYISAM UNION=()").refused_with("SRC-010"),
        sample("first_time", "(a timestamp NOT NULL, b timestamp NOT NULL DEFAULT '2020-01-01 00:00:00')").with(&["'2020-01-01', '2020-01-02'"]),
        sample("mysql500", "(a varchar(10)) DEFAULT CHARSET=utf8 COLLATE=utf8_general_mysql500_ci").with(&["'x'"]),
    ]
}

fn mariadb() -> Vec<Sample> {
    vec![
        sample("aria", "(a int PRIMARY KEY, b varchar(9), KEY (b)) ENGINE=Aria TRANSACTIONAL=1 PAGE_CHECKSUM=1 ROW_FORMAT=PAGE").with(&["1, 'x'"]),
        sample("defaults", "(a varchar(40) DEFAULT uuid(), b text DEFAULT 'it''s', c blob DEFAULT concat('a', 'b'), d date DEFAULT curdate(), e int DEFAULT (1 + 2), f varchar(9) DEFAULT 'NULL', g datetime(3) DEFAULT current_timestamp())"),
        sample("checked_one", "(a int CHECK (a > -1), b int, CHECK (a < b), CONSTRAINT named_one CHECK (b <> 5))").with(&["1, 2"]),
        sample("checked_two", "(a int, b int, CHECK (a < b), CHECK (b <> 5))").with(&["1, 2"]),
        sample("persistent", "(a int PRIMARY KEY, b int AS (a + 1) PERSISTENT, c int AS (a * 2) VIRTUAL, KEY (b))"),
        sample("ignored", "(a int PRIMARY KEY, b int, KEY i (b) IGNORED, KEY d (b DESC, a))").with(&["1, 2"]),
        sample("renamed_order", "(a varchar(9)) DEFAULT CHARSET=utf8mb3 COLLATE=utf8mb3_croatian_mysql561_ci").with(&["'x'"]),
        sample("spatial_id", "(a point REF_SYSTEM_ID=4326 NOT NULL, SPATIAL KEY (a))"),
        sample("tick`s", "(a int, FOREIGN KEY (a) REFERENCES attr.z_parent (id)) ENGINE=InnoDB").refused_with("DDL-001"),
        sample("versions", "(a int PRIMARY KEY) WITH SYSTEM VERSIONING").refused_with("SRC-003"),
        sample("periods", "(a int, s date, e date, PERIOD FOR p (s, e))").refused_with("DDL-104"),
        sample("no_overlap", "(a int, s date, e date, PERIOD FOR p (s, e), UNIQUE (a, p WITHOUT OVERLAPS))").refused_with("DDL-104"),
        sample("uuids", "(a uuid PRIMARY KEY)").refused_with("SRC-005"),
        sample("addresses", "(a int PRIMARY KEY, b inet6, c inet4)").refused_with("SRC-005"),
        sample("compressed_column", "(a int PRIMARY KEY, b text COMPRESSED)").refused_with("SRC-005"),
        sample("compressed_pages", "(a int PRIMARY KEY) PAGE_COMPRESSED=1").refused_with("DDL-106"),
        sample("other_order", "(a varchar(9)) DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_uca1400_ai_ci").refused_with("DDL-105"),
        sample("no_padding", "(a varchar(9) COLLATE utf8mb4_nopad_bin)").refused_with("DDL-105"),
        sample("from_sequence", "(a int DEFAULT nextval(`numbers`))").before("CREATE SEQUENCE numbers").refused_with("DDL-107"),
        sample("long_unique", "(a int, t text, UNIQUE KEY u (t))").refused_with("TGT-111"),
        sample("same_check_a", "(a int, CONSTRAINT positive CHECK (a > 0))").refused_with("TGT-112"),
        sample("same_check_b", "(a int, CONSTRAINT positive CHECK (a > 0))").refused_with("TGT-112"),
    ]
}

/// What foreign keys refer to; made last.
pub(super) fn parents() -> Vec<Sample> {
    let first = sample(
        "z_parent",
        "(id int NOT NULL, a int, b int, PRIMARY KEY (id), UNIQUE KEY ab (a, b)) ENGINE=InnoDB",
    );
    let mut second = sample(
        "z_other",
        "(id int NOT NULL PRIMARY KEY, above int, FOREIGN KEY (above) REFERENCES attr.z_parent (id) ON DELETE CASCADE) ENGINE=InnoDB",
    );
    second.database = "attr_two";
    vec![
        first.with(&["1, 1, 1", "2, 2, 2", "3, 3, 3"]),
        second.with(&["1, 1", "2, 1", "3, NULL"]),
    ]
}
