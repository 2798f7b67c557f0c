//! Each flavour rule by example, and what the diff says.

use super::*;

const MYSQL_97: Dialect = Dialect::mysql(90_704);
const MYSQL_57: Dialect = Dialect::mysql(50_744);
const MYSQL_56: Dialect = Dialect::mysql(50_624);
const MARIADB: Dialect = Dialect::mariadb(101_106);

fn table() -> TableName {
    TableName::new("d", "t")
}

/// Applies the rules to a table of one column and the options.
fn column(
    column: &str,
    from: Dialect,
    to: Dialect,
) -> Result<(String, Vec<&'static str>), &'static str> {
    let text = format!("CREATE TABLE `t` (\n  {column}\n) ENGINE=InnoDB");
    let (text, applied) =
        apply(&text, &table(), Flavours::new(from, to)).map_err(|refusal| refusal.code)?;
    let line = text.lines().nth(1).unwrap_or_default().trim().to_owned();
    Ok((line, applied.iter().map(|applied| applied.rule).collect()))
}

fn check(before: &str, from: Dialect, to: Dialect, after: &str, rules: &[&str]) {
    let (text, applied) = column(before, from, to).expect("the column is carried");
    assert_eq!(
        (text.as_str(), applied.as_slice()),
        (after, rules),
        "{before}"
    );
}

fn options(before: &str, from: Dialect) -> Result<String, &'static str> {
    let text = format!("CREATE TABLE `t` (\n  `a` int\n) {before}");
    let (text, _) =
        apply(&text, &table(), Flavours::new(from, MYSQL_97)).map_err(|refusal| refusal.code)?;
    Ok(text
        .lines()
        .last()
        .unwrap_or_default()
        .trim_start_matches(") ")
        .to_owned())
}

#[test]
fn columns_of_mysql_56() {
    let check = |before, after, rules: &[&str]| check(before, MYSQL_56, MYSQL_97, after, rules);
    check(
        "`a` int(11) NOT NULL",
        "`a` int NOT NULL",
        &["display-width"],
    );
    check(
        "`a` int(10) unsigned zerofill",
        "`a` int(10) unsigned zerofill",
        &[],
    );
    check(
        "`a` tinyint(1) DEFAULT '0'",
        "`a` tinyint(1) DEFAULT '0'",
        &[],
    );
    check("`a` tinyint(4)", "`a` tinyint", &["display-width"]);
    check("`a` year(4)", "`a` year", &["display-width"]);
    check("`a` float(7,3)", "`a` float(7,3)", &[]);
    check(
        "`a` varchar(9) CHARACTER SET utf8",
        "`a` varchar(9) CHARACTER SET utf8mb3",
        &["utf8mb3-name"],
    );
    check(
        "`a` text COLLATE utf8_bin",
        "`a` text COLLATE utf8mb3_bin",
        &["utf8mb3-name"],
    );
    check(
        "`a` text CHARACTER SET utf8mb4 NOT NULL",
        "`a` text CHARACTER SET utf8mb4 COLLATE utf8mb4_general_ci NOT NULL",
        &["default-collation"],
    );
    check(
        "`a` timestamp NOT NULL DEFAULT '0000-00-00 00:00:00' ON UPDATE CURRENT_TIMESTAMP",
        "`a` timestamp NOT NULL DEFAULT '0000-00-00 00:00:00' ON UPDATE CURRENT_TIMESTAMP",
        &[],
    );
    assert_eq!(column("`a` year(2)", MYSQL_56, MYSQL_97), Err("DDL-102"));
}

#[test]
fn columns_of_mariadb() {
    let check = |before, after, rules: &[&str]| check(before, MARIADB, MYSQL_97, after, rules);
    check(
        "`a` timestamp NOT NULL DEFAULT current_timestamp() ON UPDATE current_timestamp()",
        "`a` timestamp NOT NULL DEFAULT CURRENT_TIMESTAMP ON UPDATE CURRENT_TIMESTAMP",
        &["current-timestamp", "current-timestamp"],
    );
    check(
        "`a` datetime(3) DEFAULT current_timestamp(3)",
        "`a` datetime(3) DEFAULT CURRENT_TIMESTAMP(3)",
        &["current-timestamp"],
    );
    check(
        "`a` datetime(3) DEFAULT current_timestamp()",
        "`a` datetime(3) DEFAULT (current_timestamp())",
        &["expression-default"],
    );
    check(
        "`a` text DEFAULT 'it''s'",
        "`a` text DEFAULT ('it''s')",
        &["text-default"],
    );
    check("`a` text DEFAULT NULL", "`a` text DEFAULT NULL", &[]);
    check(
        "`a` varchar(36) DEFAULT uuid()",
        "`a` varchar(36) DEFAULT (uuid())",
        &["expression-default"],
    );
    check(
        "`a` decimal(5,2) DEFAULT -1.50",
        "`a` decimal(5,2) DEFAULT -1.50",
        &[],
    );
    check(
        "`a` bit(3) DEFAULT b'101'",
        "`a` bit(3) DEFAULT b'101'",
        &[],
    );
    check(
        "`a` longtext CHARACTER SET utf8mb4 COLLATE utf8mb4_bin DEFAULT NULL CHECK (json_valid(`a`))",
        "`a` longtext CHARACTER SET utf8mb4 COLLATE utf8mb4_bin DEFAULT NULL CHECK (json_valid(`a`))",
        &[],
    );
    check(
        "`a` point REF_SYSTEM_ID=4326",
        "`a` point",
        &["ref-system-id"],
    );
    for (text, code) in [
        ("`a` uuid", "DDL-101"),
        ("`a` inet6 DEFAULT NULL", "DDL-101"),
        ("`a` text /*M!100301 COMPRESSED*/ DEFAULT NULL", "DDL-103"),
        ("`a` timestamp(6) GENERATED ALWAYS AS ROW START", "DDL-104"),
        ("`a` text COLLATE utf8mb4_uca1400_ai_ci", "DDL-105"),
        ("`a` text COLLATE utf8mb3_general_nopad_ci", "DDL-105"),
        ("`a` int DEFAULT nextval(`d`.`s`)", "DDL-107"),
        ("`a` datetime(3) ON UPDATE current_timestamp()", "DDL-109"),
        ("PERIOD FOR SYSTEM_TIME (`x`, `y`)", "DDL-104"),
    ] {
        assert_eq!(column(text, MARIADB, MYSQL_97), Err(code), "{text}");
    }
    assert_eq!(
        column("`a` varchar(36) DEFAULT uuid()", MARIADB, MYSQL_57),
        Err("DDL-108")
    );
}

#[test]
fn older_targets() {
    check(
        "`a` int(11) DEFAULT '1'",
        MYSQL_56,
        MYSQL_57,
        "`a` int(11) DEFAULT '1'",
        &[],
    );
    check(
        "`a` text CHARACTER SET utf8",
        MYSQL_56,
        MYSQL_57,
        "`a` text CHARACTER SET utf8",
        &[],
    );
    assert_eq!(
        column("`a` text COLLATE utf8mb4_0900_ai_ci", MYSQL_97, MYSQL_57),
        Err("DDL-105")
    );
    check(
        "`a` text COLLATE utf8mb3_bin",
        MYSQL_97,
        MYSQL_57,
        "`a` text COLLATE utf8_bin",
        &["utf8mb3-name"],
    );
}

#[test]
fn table_options() {
    let check = |before: &str, from: Dialect, after: &str| {
        assert_eq!(options(before, from).as_deref(), Ok(after), "{before}");
    };
    check(
        "ENGINE=InnoDB DEFAULT CHARSET=utf8",
        MYSQL_56,
        "ENGINE=InnoDB DEFAULT CHARSET=utf8mb3",
    );
    check(
        "ENGINE=InnoDB DEFAULT CHARSET=utf8mb4",
        MYSQL_56,
        "ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_general_ci",
    );
    check(
        "ENGINE=InnoDB DEFAULT CHARSET=utf8 COLLATE=utf8_unicode_ci ROW_FORMAT=FIXED",
        MYSQL_56,
        "ENGINE=InnoDB DEFAULT CHARSET=utf8mb3 COLLATE=utf8mb3_unicode_ci",
    );
    check(
        "ENGINE=MyISAM ROW_FORMAT=FIXED KEY_BLOCK_SIZE=4",
        MYSQL_56,
        "ENGINE=InnoDB",
    );
    check("ENGINE=Aria TRANSACTIONAL=1", MARIADB, "ENGINE=InnoDB");
    check(
        "ENGINE=InnoDB ROW_FORMAT=DYNAMIC KEY_BLOCK_SIZE=8",
        MYSQL_56,
        "ENGINE=InnoDB ROW_FORMAT=DYNAMIC",
    );
    check(
        "ENGINE=InnoDB ROW_FORMAT=COMPRESSED KEY_BLOCK_SIZE=8",
        MYSQL_56,
        "ENGINE=InnoDB ROW_FORMAT=COMPRESSED KEY_BLOCK_SIZE=8",
    );
    check(
        "/*!50100 TABLESPACE `ts` */ ENGINE=InnoDB DATA DIRECTORY='/x/'",
        MYSQL_97,
        "ENGINE=InnoDB",
    );
    check(
        "ENGINE=InnoDB TRANSACTIONAL=1 PAGE_CHECKSUM=1",
        MARIADB,
        "ENGINE=InnoDB",
    );
    for (text, code) in [
        ("ENGINE=S3", "DDL-111"),
        ("ENGINE=InnoDB WITH SYSTEM VERSIONING", "DDL-104"),
        ("ENGINE=InnoDB SEQUENCE=1", "DDL-107"),
        ("ENGINE=InnoDB `PAGE_COMPRESSED`=1", "DDL-106"),
        (
            "ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_nopad_bin",
            "DDL-105",
        ),
    ] {
        assert_eq!(options(text, MARIADB), Err(code), "{text}");
    }
}

#[test]
fn partitions_lose_their_places() {
    let text = "CREATE TABLE `t` (\n  `a` int\n) ENGINE=InnoDB\n/*!50100 PARTITION BY RANGE (`a`)\n(PARTITION p0 VALUES LESS THAN (1) DATA DIRECTORY = '/x' TABLESPACE = `ts` ENGINE = InnoDB) */";
    let (after, applied) =
        apply(text, &table(), Flavours::new(MYSQL_97, MYSQL_97)).expect("carried");
    assert!(
        after.ends_with("VALUES LESS THAN (1)   ENGINE = InnoDB) */"),
        "{after}"
    );
    assert_eq!(applied.len(), 2);
}

fn differences(source: &str, target: &str, from: Dialect) -> Vec<(String, Option<&'static str>)> {
    let found = diff(source, target, &table(), Flavours::new(from, MYSQL_97)).expect("readable");
    found
        .into_iter()
        .map(|difference| (difference.description, difference.rule))
        .collect()
}

#[test]
fn the_same_table_has_no_difference() {
    let source = "CREATE TABLE `t` (\n  `id` int(11) NOT NULL AUTO_INCREMENT,\n  `a` varchar(10) DEFAULT NULL,\n  `n` decimal(5,2) DEFAULT 1.50,\n  `x` text DEFAULT 'q',\n  `g` int(11) GENERATED ALWAYS AS (`id` + 1 MOD 37) VIRTUAL,\n  `ts` timestamp NOT NULL DEFAULT current_timestamp(),\n  PRIMARY KEY (`id`),\n  KEY `k` (`a`),\n  CONSTRAINT `f` FOREIGN KEY (`id`) REFERENCES `p` (`id`) ON DELETE NO ACTION\n) ENGINE=InnoDB AUTO_INCREMENT=9 DEFAULT CHARSET=latin1 COLLATE=latin1_swedish_ci";
    let target = "CREATE TABLE `t` (\n  `id` int NOT NULL AUTO_INCREMENT,\n  `a` varchar(10) DEFAULT NULL,\n  `n` decimal(5,2) DEFAULT '1.50',\n  `x` text DEFAULT (_utf8mb4'q'),\n  `g` int GENERATED ALWAYS AS ((`id` + (1 % 37))) VIRTUAL,\n  `ts` timestamp NOT NULL DEFAULT CURRENT_TIMESTAMP,\n  PRIMARY KEY (`id`),\n  KEY `k` (`a`),\n  CONSTRAINT `f` FOREIGN KEY (`id`) REFERENCES `p` (`id`)\n) ENGINE=InnoDB DEFAULT CHARSET=latin1";
    assert_eq!(differences(source, target, MARIADB), []);
}

#[test]
fn each_real_difference_is_named() {
    let source = "CREATE TABLE `t` (\n  `a` int NOT NULL,\n  `b` varchar(10) DEFAULT 'x',\n  `c` int,\n  KEY `k` (`a`),\n  KEY `l` (`b`(3)),\n  CONSTRAINT `f` FOREIGN KEY (`a`) REFERENCES `p` (`id`) ON DELETE CASCADE,\n  CONSTRAINT `z` CHECK ((`a` > 0))\n) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin COMMENT='x'";
    let target = "CREATE TABLE `t` (\n  `b` varchar(10) DEFAULT 'y',\n  `a` bigint DEFAULT NULL,\n  `d` int,\n  UNIQUE KEY `k` (`a`),\n  KEY `l` (`b`),\n  CONSTRAINT `f` FOREIGN KEY (`a`) REFERENCES `p` (`id`),\n  CONSTRAINT `z` CHECK ((`a` > 1))\n) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_general_ci COMMENT='y'";
    let found = differences(source, target, MYSQL_97);
    assert!(found.iter().all(|(_, rule)| rule.is_none()));
    let text = found
        .iter()
        .map(|(text, _)| text.as_str())
        .collect::<Vec<_>>()
        .join("\n");
    for part in [
        "type of column `a` is int in the source and bigint in the target",
        "nullable of column `a`",
        "default of column `b` is 'x' in the source and 'y' in the target",
        "collation of column `b`",
        "column `c` is missing",
        "column `d` is only in the target",
        "another order",
        "key `k`",
        "key `l`",
        "foreign key `f`",
        "check a > 0 is missing",
        "check a > 1 is only in the target",
        "option COLLATE",
        "option COMMENT",
    ] {
        assert!(text.contains(part), "{part} in:\n{text}");
    }
    assert_eq!(found.len(), 14, "{text}");
}

#[test]
fn what_a_rule_changed_is_explained() {
    let source = "CREATE TABLE `t` (\n  `a` longtext CHARACTER SET utf8mb4 COLLATE utf8mb4_bin DEFAULT NULL CHECK (json_valid(`a`))\n) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_general_ci TRANSACTIONAL=0";
    let target = "CREATE TABLE `t` (\n  `a` longtext CHARACTER SET utf8mb4 COLLATE utf8mb4_bin,\n  CONSTRAINT `t_chk_1` CHECK (json_valid(`a`))\n) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_general_ci";
    let found = differences(source, target, MARIADB);
    let rules: Vec<_> = found.iter().map(|(_, rule)| *rule).collect();
    assert_eq!(rules, [Some("column-check"), Some("mariadb-option")]);
}

fn engine_of(definition: &str, from: Dialect, engine: EngineRule) -> Result<String, &'static str> {
    let flavours = Flavours::new(from, MYSQL_97).engine(engine);
    let (text, _) = apply(definition, &table(), flavours).map_err(|refusal| refusal.code)?;
    Ok(text)
}

#[test]
fn x_engine_is_spelled_and_what_it_lacks_is_refused() {
    let x_engine = |body: &str| {
        let text = format!("CREATE TABLE `t` (\n  {body}\n) ENGINE=InnoDB ROW_FORMAT=COMPRESSED");
        engine_of(&text, MYSQL_97, EngineRule::XEngine)
    };
    assert_eq!(
        x_engine("`a` int NOT NULL,\n  PRIMARY KEY (`a`)").as_deref(),
        Ok("CREATE TABLE `t` (\n  `a` int NOT NULL,\n  PRIMARY KEY (`a`)\n) ENGINE=XENGINE")
    );
    for body in [
        "`a` int,\n  CONSTRAINT `f` FOREIGN KEY (`a`) REFERENCES `p` (`id`)",
        "`a` text,\n  FULLTEXT KEY `f` (`a`)",
        "`a` geometry NOT NULL,\n  SPATIAL KEY `f` (`a`)",
        "`a` point",
        "`a` int,\n  `b` int GENERATED ALWAYS AS ((`a` + 1)) VIRTUAL",
        "`a` int,\n  KEY `f` (((`a` + 1)))",
    ] {
        assert_eq!(x_engine(body), Err("DDL-080"), "{body}");
    }
    let parts = "CREATE TABLE `t` (\n  `a` int(11)\n) ENGINE=MyISAM\n/*!50100 PARTITION BY HASH (a)\n(PARTITION p0 ENGINE = MyISAM,\n PARTITION p1 ENGINE = MyISAM) */";
    let made = engine_of(parts, MYSQL_56, EngineRule::XEngine).expect("carried");
    assert_eq!(made.matches("XENGINE").count(), 3, "{made}");
    assert!(!made.contains("MyISAM"), "{made}");
}

#[test]
fn keep_refuses_engines_without_transactions() {
    let text = |engine: &str| format!("CREATE TABLE `t` (\n  `a` int\n) ENGINE={engine}");
    let keep = |engine: &str| engine_of(&text(engine), MYSQL_56, EngineRule::Keep);
    assert_eq!(keep("InnoDB"), Ok(text("InnoDB")));
    for engine in ["MyISAM", "MEMORY"] {
        assert_eq!(keep(engine), Err("DDL-081"), "{engine}");
    }
}

#[test]
fn partitions_follow_the_engine_of_their_table() {
    let text = "CREATE TABLE `t` (\n  `a` int(11)\n) ENGINE=MyISAM\n/*!50100 PARTITION BY HASH (a)\n(PARTITION p0 ENGINE = MyISAM) */";
    let made = engine_of(text, MYSQL_56, EngineRule::Innodb).expect("carried");
    assert!(
        made.ends_with("(PARTITION p0 ENGINE = InnoDB) */"),
        "{made}"
    );
}

#[test]
fn every_change_names_its_place() {
    let text = "CREATE TABLE `t` (\n  `a` int(11),\n  KEY `k` (`a`) IGNORED\n) ENGINE=InnoDB";
    let (_, applied) = apply(text, &table(), Flavours::new(MARIADB, MYSQL_97)).expect("carried");
    let places: Vec<(&str, &str)> = applied
        .iter()
        .map(|applied| (applied.place.as_str(), applied.rule))
        .collect();
    assert_eq!(
        places,
        [
            ("column `a`", "display-width"),
            ("key `k`", "ignored-index")
        ]
    );
}

#[test]
fn names_that_mariadb_numbers_are_left_to_the_target() {
    let text = "CREATE TABLE `t` (\n  `a` int,\n  CONSTRAINT `CONSTRAINT_1` CHECK (`a` > 0),\n  CONSTRAINT `own` CHECK (`a` > 1)\n) ENGINE=InnoDB";
    let (made, applied) = apply(text, &table(), Flavours::new(MARIADB, MYSQL_97)).expect("carried");
    assert!(made.contains("  CHECK (`a` > 0)"), "{made}");
    assert!(made.contains("CONSTRAINT `own` CHECK"), "{made}");
    assert_eq!(applied[0].rule, "check-name");
}
