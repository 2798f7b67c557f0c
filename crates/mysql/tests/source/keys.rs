//! Every kind of key: chunks cover each row once, in the server's order, and keys are found again.

use super::{FLAVOURS, control, read_range, source, start};
use std::collections::HashSet;
use wherry_engine::ports::RowReader;
use wherry_engine::state::KeyRange;
use wherry_model::{Row, Table};
use wherry_mysql::catalog::{Scope, read_tables};
use wherry_testkit::{Flavour, Server};

const TEXTS: &str = "(''),('a'),('B'),('c '),('cc'),('ä'),('ß'),('z'),('Zz'),('é'),('日本'),('表'),('😀'),('x''y'),('back\\\\slash'),('~'),('_')";
const BYTES: &str =
    "(X'00'),(X'0000'),(X'01'),(X'27'),(X'5C'),(X'FF'),(X'FF00'),(X'80'),(X'C3'),(X'61')";

/// Name, columns with the key, and values of all rows.
type Sample = (&'static str, String, String);

fn text(name: &'static str, kind: &str) -> Sample {
    (name, format!("k {kind} PRIMARY KEY"), TEXTS.to_owned())
}

fn bytes(name: &'static str, kind: &str) -> Sample {
    (name, format!("k {kind} PRIMARY KEY"), BYTES.to_owned())
}

fn plain(name: &'static str, kind: &str, values: &str) -> Sample {
    let rows: Vec<String> = values
        .split(' ')
        .map(|value| format!("({value})"))
        .collect();
    (name, format!("k {kind} PRIMARY KEY"), rows.join(","))
}

fn samples(flavour: Flavour) -> Vec<Sample> {
    let mut samples = numbers_and_times();
    samples.extend(labels_texts_and_bytes());
    if flavour == Flavour::MySql97 {
        samples.push(text(
            "k_0900",
            "VARCHAR(20) CHARACTER SET utf8mb4 COLLATE utf8mb4_0900_ai_ci",
        ));
        samples.push(text(
            "k_ja",
            "VARCHAR(20) CHARACTER SET utf8mb4 COLLATE utf8mb4_ja_0900_as_cs_ks",
        ));
    }
    samples.push((
            "k_down",
            "a VARCHAR(9) NOT NULL, b DATE NOT NULL, c INT NOT NULL, PRIMARY KEY (a DESC, b, c DESC)".to_owned(),
            "('a','2024-01-01',1),('A','2024-01-01',2),('b','2024-01-02',1),('b','2024-01-01',1),('c','2024-01-01',-5)".to_owned(),
        ));
    samples.push((
        "k_desc",
        "a INT NOT NULL, b INT NOT NULL, PRIMARY KEY (a DESC, b)".to_owned(),
        "(1,1),(1,2),(2,1),(3,1),(3,2),(3,3)".to_owned(),
    ));
    samples
}

fn numbers_and_times() -> Vec<Sample> {
    vec![
        plain("k_int", "INT", "-2147483648 -7 -1 0 1 2 3 2147483647"),
        plain("k_bigint", "BIGINT UNSIGNED", "0 1 9223372036854775808 18446744073709551615 5"),
        plain("k_zerofill", "SMALLINT(6) ZEROFILL", "0 1 9 10 65535"),
        plain("k_decimal", "DECIMAL(30,10)", "-5 -0.0000000001 0 0.1 0.10001 99999999999999999999.9999999999 7"),
        plain("k_double", "DOUBLE", "-1.7e308 -1.5 -1e-300 0 1e-300 0.1 0.3 1e22 1.7976931348623157e308 123456789.123456789"),
        plain("k_float", "FLOAT", "-3.4e38 -1.1 0 1e-30 0.1 1.1 16777217 3.4e38 0.3"),
        plain("k_bit", "BIT(10)", "0 1 255 256 511 512 1023"),
        plain("k_bit64", "BIT(64)", "0 1 9223372036854775808 18446744073709551615"),
        plain("k_year", "YEAR", "0 1901 1969 1970 1999 2000 2001 2155"),
        plain("k_date", "DATE", "'0000-00-00' '1000-01-01' '2024-02-29' '2024-02-30' '2024-01-00' '9999-12-31'"),
        plain("k_time", "TIME(3)", "'-838:59:59' '-00:00:00.001' '00:00:00' '00:00:00.5' '12:00:00' '838:59:59'"),
        (
            "k_datetime",
            "k DATETIME(6) PRIMARY KEY".to_owned(),
            "('0000-00-00'),('1000-01-01'),('2024-03-31 02:30:00'),('2024-03-31 02:30:00.000001'),('9999-12-31 23:59:59.999999')".to_owned(),
        ),
        (
            "k_timestamp",
            "k TIMESTAMP(3) PRIMARY KEY DEFAULT '2000-01-01'".to_owned(),
            "('0000-00-00'),('1970-01-02'),('2024-10-27 00:30:00'),('2024-10-27 01:30:00'),('2024-10-27 01:30:00.001'),('2038-01-18')".to_owned(),
        ),
    ]
}

fn labels_texts_and_bytes() -> Vec<Sample> {
    vec![
        plain("k_enum", "ENUM('z','a','m','it''s','Ü')", "'z' 'a' 'm' 'it''s' 'Ü'"),
        plain("k_enum1", "ENUM('z','é','a') CHARACTER SET latin1", "'z' 'a' 'é'"),
        plain("k_set1", "SET('z','é','a') CHARACTER SET latin1", "'' 'z' 'é' 'z,é' 'a' 'z,é,a'"),
        plain("k_set2", "SET('z','中','a') CHARACTER SET gbk", "'' 'z' '中' 'z,中' 'a' 'z,中,a'"),
        plain("k_set16", "SET('z','é','a') CHARACTER SET ucs2", "'' 'z' 'é' 'z,é' 'a' 'z,é,a'"),
        plain("k_set", "SET('z','a','m')", "'' 'z' 'a' 'z,a' 'm' 'z,m' 'a,m' 'z,a,m'"),
        bytes("k_binary", "BINARY(4)"),
        bytes("k_varbinary", "VARBINARY(9)"),
        ("k_blob", "k BLOB NOT NULL, PRIMARY KEY (k(5))".to_owned(), BYTES.to_owned()),
        ("k_text", "k TEXT CHARACTER SET utf8mb4 NOT NULL, PRIMARY KEY (k(5))".to_owned(), TEXTS.to_owned()),
        text("k_general", "VARCHAR(20) CHARACTER SET utf8mb4 COLLATE utf8mb4_general_ci"),
        text("k_unicode", "VARCHAR(20) CHARACTER SET utf8mb4 COLLATE utf8mb4_unicode_ci"),
        text("k_bin", "CHAR(20) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin"),
        text("k_utf8", "VARCHAR(20) CHARACTER SET utf8 COLLATE utf8_unicode_ci"),
        text("k_latin1", "VARCHAR(20) CHARACTER SET latin1 COLLATE latin1_german2_ci"),
        text("k_gbk", "VARCHAR(20) CHARACTER SET gbk"),
        text("k_sjis", "VARCHAR(20) CHARACTER SET sjis"),
        text("k_utf16", "VARCHAR(20) CHARACTER SET utf16"),
        text("k_ucs2", "VARCHAR(20) CHARACTER SET ucs2"),
        (
            "k_composite",
            "a INT NOT NULL, b VARCHAR(9) CHARACTER SET utf8mb4 COLLATE utf8mb4_general_ci NOT NULL, c DATE NOT NULL, v INT, PRIMARY KEY (a, b, c)".to_owned(),
            "(1,'a','2024-01-01',1),(1,'a','2024-01-02',2),(1,'B','2024-01-01',3),(1,'c','2024-01-01',4),(-1,'z','2024-01-01',5),(2,'','2024-01-01',6),(2,'ä','2024-01-01',NULL)".to_owned(),
        ),
        (
            "k_unique",
            "v INT, k INT NOT NULL, UNIQUE KEY `odd ``name` (k)".to_owned(),
            "(NULL,3),(1,2),(2,9),(3,-4)".to_owned(),
        ),
    ]
}

async fn walk(reader: &dyn RowReader, table: &Table, row_count: u64) -> Vec<KeyRange> {
    let mut ranges = Vec::new();
    let mut lower = None;
    loop {
        let upper = reader
            .key_after(table, lower.as_ref(), row_count)
            .await
            .expect("a walk");
        ranges.push(KeyRange {
            lower: lower.clone(),
            upper: upper.clone(),
        });
        assert!(
            ranges.len() < 1000,
            "the walk of {} does not end",
            table.name
        );
        match upper {
            Some(_) => lower = upper,
            None => return ranges,
        }
    }
}

fn key_of(table: &Table, row: &Row) -> Row {
    let identity = table.identity().expect("a key");
    Row::from_values(
        identity
            .parts
            .iter()
            .map(|part| row.get(part.column).expect("a value")),
    )
}

async fn check(reader: &dyn RowReader, table: &Table) {
    let name = &table.name;
    let whole = read_range(reader, table, &KeyRange::all()).await;
    assert!(whole.len() >= 3, "{name} has {} rows", whole.len());
    for row_count in [1, 2, 3] {
        let ranges = walk(reader, table, row_count).await;
        let wanted = whole.len() as u64 / row_count + 1;
        assert_eq!(
            ranges.len() as u64,
            wanted,
            "{name} in steps of {row_count}"
        );
        let mut rows = Vec::new();
        for range in &ranges {
            rows.extend(read_range(reader, table, range).await);
        }
        assert_eq!(rows, whole, "{name} in steps of {row_count}");
    }
    let keys: Vec<Row> = whole.iter().map(|row| key_of(table, row)).collect();
    let found: Vec<Row> = reader.read_keys(table, &keys).await.expect("a lookup");
    assert_eq!(found.len(), whole.len(), "{name}");
    let found: HashSet<Row> = found.into_iter().collect();
    assert_eq!(found, whole.iter().cloned().collect(), "{name}");
    let one = reader
        .read_keys(table, &keys[1..2])
        .await
        .expect("a lookup");
    assert_eq!(one, whole[1..2], "{name}");
}

#[tokio::test]
async fn chunks_cover_every_row_once() {
    for flavour in FLAVOURS {
        let server = start(flavour, false).await;
        let mut sql = "SET sql_mode = 'ALLOW_INVALID_DATES', NAMES utf8mb4, time_zone = '+00:00'; CREATE DATABASE zoo; USE zoo;".to_owned();
        let samples = samples(flavour);
        for (name, columns, values) in &samples {
            sql.push_str(&format!(
                "CREATE TABLE {name} ({columns}) ENGINE=InnoDB; INSERT IGNORE INTO {name} VALUES {values};"
            ));
        }
        server.sql(&sql).await.expect("a zoo");
        server
            .sql("SET GLOBAL log_output = 'TABLE', GLOBAL general_log = ON")
            .await
            .expect("a statement log");
        let source = source(&server);
        let mut session = control(&server).await;
        let databases = ["zoo".to_owned()];
        let found = read_tables(&mut session, Scope::Databases(&databases))
            .await
            .expect("a catalog");
        assert_eq!(found.len(), samples.len());
        for table in &found {
            let count = server
                .value(&format!("SELECT COUNT(*) FROM {}", table.name))
                .await
                .expect("a count");
            let whole = read_range(&source, table, &KeyRange::all()).await;
            assert_eq!(count, Some(whole.len().to_string()), "{}", table.name);
            check(&source, table).await;
        }
        server
            .sql("SET GLOBAL general_log = OFF, GLOBAL sql_mode = 'ALLOW_INVALID_DATES'")
            .await
            .expect("no log");
        check_plans(&server).await;
    }
}

/// Every statement with a bound walks its index, except where order or comparison cannot.
async fn check_plans(server: &Server) {
    let statements = server
        .rows("SELECT CONVERT(argument USING utf8) FROM mysql.general_log WHERE argument LIKE 'SELECT %FORCE INDEX%WHERE%'")
        .await
        .expect("statements");
    assert!(statements.len() > 500, "{} statements", statements.len());
    for statement in statements {
        let sql = statement[0].clone().expect("a statement");
        // A prefix is not in our order; a year 0 is compared as a number.
        if ["`k_blob`", "`k_text`"]
            .iter()
            .any(|name| sql.contains(name))
            || sql.contains("+0 ")
        {
            continue;
        }
        let plan = server
            .rows(&format!("EXPLAIN FORMAT=TRADITIONAL {sql}"))
            .await;
        let plan = plan.unwrap_or_else(|error| panic!("{sql}: {error}"));
        let texts: Vec<&str> = plan[0].iter().flatten().map(String::as_str).collect();
        // Few rows are cheaper to scan; what counts is that the key is possible, and is the order.
        let keys = texts
            .iter()
            .filter(|text| matches!(**text, "PRIMARY" | "odd `name"));
        let empty = texts
            .iter()
            .any(|text| text.starts_with("Impossible") || text.starts_with("no matching"));
        let sorts = texts.iter().any(|text| text.contains("filesort"));
        assert!((keys.count() >= 2 || empty) && !sorts, "{sql}: {texts:?}");
    }
}
