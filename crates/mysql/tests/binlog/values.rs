//! Every type: what the binlog gives is byte for byte what a SELECT gives.

use super::{changes_until, end_of, follow, loaded, replay, start, table, text};
use mysql_async::prelude::Queryable;
use wherry_model::Row;
use wherry_testkit::{Flavour, Random};

const FLOATS: &[&str] = &[
    "0",
    "-0e0",
    "1",
    "-1.5",
    "0.1",
    "3.4028235e38",
    "-3.4028235e38",
    "1.17549435e-38",
    "1e-45",
    "16777217",
    "1e15",
    "1e14",
    "123456789",
    "1e-15",
    "1e-16",
    "0.3333333333",
];
const DOUBLES: &[&str] = &[
    "0",
    "-0e0",
    "1",
    "-1.5",
    "0.1",
    "1e14",
    "1e15",
    "1e16",
    "1e20",
    "123456789012345",
    "1234567890123456",
    "1234567890123456.7",
    "-1234567890123456.7",
    "1e-14",
    "1e-15",
    "1e-16",
    "1.5e-10",
    "1.2345678901234567e-10",
    "1.7976931348623157e308",
    "2.2250738585072014e-308",
    "5e-324",
    "4.9e-322",
    "1e100",
    "1e-100",
    "12345.678e10",
    "9007199254740993",
    "0.30000000000000004",
    "123456789.12345678",
    "100000000000000000000",
];
const TIMES: &[&str] = &[
    "'00:00:00'",
    "'-838:59:59'",
    "'838:59:59'",
    "'-00:00:00.000001'",
    "'-00:00:00.1'",
    "'-00:00:01.5'",
    "'12:34:56.789012'",
    "'-12:34:56.999999'",
    "'100:00:00.01'",
];
const DATETIMES: &[&str] = &[
    "'0000-00-00 00:00:00'",
    "'1000-01-01 00:00:00'",
    "'9999-12-31 23:59:59'",
    "'2024-02-29 12:34:56.789012'",
    "'2024-00-10 01:02:03.1'",
    "'2024-02-00 00:00:00.000001'",
    "'0001-01-01 00:00:00'",
];
const TIMESTAMPS: &[&str] = &[
    "'0000-00-00 00:00:00'",
    "'1970-01-01 00:00:01'",
    "'2038-01-19 03:14:07'",
    "'2024-10-27 01:30:00.999999'",
    "'2000-02-29 23:59:59.5'",
    "'2024-12-31 00:00:00.000001'",
];
const TEXTS: &[&str] = &[
    "''",
    "'a'",
    "'trail  '",
    "'\\0\\n\\\\'",
    "'äöü'",
    "'x'",
    "'   '",
    "'12345'",
];
const WIDE_TEXTS: &[&str] = &[
    "''",
    "'日本'",
    "'a😀b'",
    "'trail '",
    "REPEAT('ä', 60)",
    "'é'",
];
const BYTES: &[&str] = &[
    "''",
    "X'00'",
    "X'610000'",
    "X'FF00FE'",
    "X'2020'",
    "X'0000000000'",
    "X'30'",
];
const INTEGERS: &[&str] = &[
    "0",
    "1",
    "-1",
    "127",
    "-128",
    "255",
    "65535",
    "-32768",
    "8388607",
    "-8388608",
    "16777215",
    "2147483647",
    "-2147483648",
    "4294967295",
    "9223372036854775807",
    "-9223372036854775808",
    "18446744073709551615",
];
const DECIMALS: &[&str] = &[
    "0",
    "-0.0",
    "1",
    "-1",
    "0.5",
    "-0.5",
    "1.005",
    "12345.67891",
    "-99999999.99",
    "99999999999999999999999999999999999.999999999999999999999999999999",
    "0.00001",
    "-0.00001",
    "123456789.123456789",
    "1000000000",
    "-1000000000.000000001",
];

const BITS: &[&str] = &[
    "b'0'",
    "b'1'",
    "b'1010101'",
    "b'1111111111111'",
    "18446744073709551615",
];

/// Name, type and literals of a column.
type TestColumn = (&'static str, String, &'static [&'static str]);

/// Columns that all flavours have. Values that do not fit are clipped by the server, which is
/// asked what it made of them.
const COLUMNS: &[(&str, &str, &[&str])] = &[
    ("ti", "TINYINT", INTEGERS),
    ("tiu", "TINYINT UNSIGNED", INTEGERS),
    ("si", "SMALLINT", INTEGERS),
    ("siu", "SMALLINT UNSIGNED", INTEGERS),
    ("mi", "MEDIUMINT", INTEGERS),
    ("miu", "MEDIUMINT UNSIGNED", INTEGERS),
    ("i", "INT", INTEGERS),
    ("iu", "INT UNSIGNED", INTEGERS),
    ("y", "YEAR", &["0", "1901", "2155", "2024", "'0000'", "70"]),
    ("bi", "BIGINT", INTEGERS),
    ("biu", "BIGINT UNSIGNED", INTEGERS),
    ("bool", "BOOL", &["0", "1", "2"]),
    ("iz", "INT(7) ZEROFILL", INTEGERS),
    ("bz", "BIGINT ZEROFILL", INTEGERS),
    ("tz", "TINYINT ZEROFILL", INTEGERS),
    ("de", "DECIMAL(65,30)", DECIMALS),
    ("d2", "DECIMAL(10,2)", DECIMALS),
    ("d5", "DECIMAL(5,5)", DECIMALS),
    ("d0", "DECIMAL(20,0)", DECIMALS),
    ("d9", "DECIMAL(18,9) UNSIGNED", DECIMALS),
    ("dz", "DECIMAL(10,3) ZEROFILL", DECIMALS),
    ("dz0", "DECIMAL(12) ZEROFILL", DECIMALS),
    ("dz5", "DECIMAL(5,5) ZEROFILL", DECIMALS),
    ("f", "FLOAT", FLOATS),
    ("fmd", "FLOAT(10,3)", FLOATS),
    ("fz", "FLOAT ZEROFILL", FLOATS),
    ("db", "DOUBLE", DOUBLES),
    ("dmd", "DOUBLE(14,4)", DOUBLES),
    ("dm0", "DOUBLE(20,0)", DOUBLES),
    ("dwide", "DOUBLE(255,30)", DOUBLES),
    ("dbz", "DOUBLE ZEROFILL", DOUBLES),
    ("dmdz", "DOUBLE(12,2) ZEROFILL", DOUBLES),
    ("b1", "BIT(1)", BITS),
    ("b8", "BIT(8)", BITS),
    ("b13", "BIT(13)", BITS),
    ("b64", "BIT(64)", BITS),
    (
        "da",
        "DATE",
        &[
            "'0000-00-00'",
            "'1000-01-01'",
            "'9999-12-31'",
            "'2024-02-29'",
            "'2024-00-00'",
            "'2024-05-00'",
        ],
    ),
    ("c", "CHAR(10) CHARACTER SET utf8mb4", WIDE_TEXTS),
    ("c80", "CHAR(80) CHARACTER SET utf8mb4", WIDE_TEXTS),
    ("c0", "CHAR(0)", &["''"]),
    ("cl", "CHAR(10) CHARACTER SET latin1", TEXTS),
    (
        "cbin",
        "CHAR(10) CHARACTER SET utf8 COLLATE utf8_bin",
        TEXTS,
    ),
    ("cu", "CHAR(10) CHARACTER SET ucs2", TEXTS),
    ("c16", "VARCHAR(10) CHARACTER SET utf16", WIDE_TEXTS),
    ("vc", "VARCHAR(300) CHARACTER SET utf8", TEXTS),
    ("v10", "VARCHAR(10) CHARACTER SET utf8mb4", WIDE_TEXTS),
    (
        "vg",
        "VARCHAR(20) CHARACTER SET gbk",
        &["''", "'日本'", "X'815C'", "'a '"],
    ),
    (
        "vs",
        "VARCHAR(20) CHARACTER SET sjis",
        &["''", "'表'", "'a\\\\'"],
    ),
    ("bn", "BINARY(10)", BYTES),
    ("bn1", "BINARY", BYTES),
    ("bn255", "BINARY(255)", BYTES),
    ("vb", "VARBINARY(300)", BYTES),
    ("vb5", "VARBINARY(5)", BYTES),
    ("tb", "TINYBLOB", BYTES),
    ("bl", "BLOB", BYTES),
    (
        "mb",
        "MEDIUMBLOB",
        &["''", "REPEAT(X'00FF', 40000)", "X'00'"],
    ),
    (
        "lb",
        "LONGBLOB",
        &[
            "''",
            "REPEAT('x', 250)",
            "REPEAT('x', 251)",
            "REPEAT('x', 65535)",
            "REPEAT('x', 65536)",
        ],
    ),
    ("tt", "TINYTEXT", TEXTS),
    ("tx", "TEXT CHARACTER SET utf8mb4", WIDE_TEXTS),
    ("mt", "MEDIUMTEXT CHARACTER SET utf8", TEXTS),
    ("lt", "LONGTEXT CHARACTER SET latin1", TEXTS),
    (
        "en",
        "ENUM('a','b','','ü','c,d','it''s') CHARACTER SET utf8mb4",
        &["1", "2", "3", "4", "5", "6", "0", "'nope'"],
    ),
    (
        "enl",
        "ENUM('é','€','z') CHARACTER SET latin1",
        &["1", "2", "3", "0"],
    ),
    (
        "se",
        "SET('a','b','ü','') CHARACTER SET utf8mb4",
        &["0", "1", "2", "3", "7", "8", "9", "15"],
    ),
    (
        "ge",
        "GEOMETRY",
        &["POINT(1,2)", "LINESTRING(POINT(0,0),POINT(1,1))"],
    ),
    ("po", "POINT", &["POINT(-1.5,1e100)"]),
];

fn columns(flavour: Flavour) -> Vec<TestColumn> {
    let mut columns: Vec<TestColumn> = COLUMNS
        .iter()
        .map(|(name, kind, values)| (*name, (*kind).to_owned(), *values))
        .collect();
    for (name, fraction) in [
        ("t0", 0),
        ("t1", 1),
        ("t2", 2),
        ("t3", 3),
        ("t4", 4),
        ("t5", 5),
        ("t6", 6),
    ] {
        columns.push((name, format!("TIME({fraction})"), TIMES));
    }
    for (name, fraction) in [("dt0", 0), ("dt1", 1), ("dt3", 3), ("dt4", 4), ("dt6", 6)] {
        columns.push((name, format!("DATETIME({fraction})"), DATETIMES));
    }
    for (name, fraction) in [("ts0", 0), ("ts2", 2), ("ts3", 3), ("ts6", 6)] {
        columns.push((name, format!("TIMESTAMP({fraction}) NULL"), TIMESTAMPS));
    }
    let labels = |count: usize| {
        let labels: Vec<String> = (0..count).map(|index| format!("'l{index}'")).collect();
        labels.join(",")
    };
    columns.push((
        "e300",
        format!("ENUM({})", labels(300)),
        &["1", "255", "256", "257", "300", "0"],
    ));
    columns.push((
        "s9",
        format!("SET({})", labels(9)),
        &["0", "256", "511", "1"],
    ));
    columns.push(("s17", format!("SET({})", labels(17)), &["65536", "131071"]));
    columns.push((
        "s64",
        format!("SET({})", labels(64)),
        &["18446744073709551615", "9223372036854775808", "1"],
    ));
    if flavour == Flavour::MySql97 {
        columns.push(("js", "JSON".to_owned(), JSONS));
        columns.push((
            "ve",
            "VECTOR(3)".to_owned(),
            &["TO_VECTOR('[1,2,3]')", "TO_VECTOR('[-0.5]')"],
        ));
        columns.push(("hidden", "INT INVISIBLE".to_owned(), &["1", "NULL"]));
    }
    columns
}

const JSONS: &[&str] = &[
    "'null'",
    "'true'",
    "'false'",
    "'0'",
    "'-1'",
    "'32768'",
    "'-32769'",
    "'65536'",
    "'2147483648'",
    "'-2147483649'",
    "'18446744073709551615'",
    "'1.0'",
    "'1.5'",
    "'-0.0'",
    "'1e20'",
    "'1e15'",
    "'1e-7'",
    "'1.5e-10'",
    "'1.2345678901234567e-10'",
    "'-1.2345678901234567e-5'",
    "'123456789012345680.5'",
    "'1.7976931348623157e308'",
    "'0.00000000012345678901'",
    "'-0.00001234567890123456'",
    "'100000000000000000000'",
    "'\"\"'",
    "'\"a\\\\\"b\\\\\\\\c\\\\/d\\\\n\\\\u0001\\\\u001f\\\\u007f\\\\u00e9😀\"'",
    "'[]'",
    "'{}'",
    "'[1, [2, {\"a\": null}], \"x\"]'",
    "'{\"b\": 1, \"a\": {\"c\": [true, false]}, \"\": 2, \"ü\": 3}'",
    "JSON_OBJECT('d', CAST(1.50 AS DECIMAL(5,2)), 'n', CAST(-123456789.123456789 AS DECIMAL(30,9)), 'z', CAST(0 AS DECIMAL(5,2)))",
    "JSON_ARRAY(CAST('2015-01-15 23:24:25.12' AS DATETIME(2)), CAST('2015-01-15' AS DATE), CAST('-23:24:25.5' AS TIME(1)))",
    "JSON_ARRAY(TIMESTAMP'2024-02-29 00:00:00', CAST('00:00:00' AS TIME), CAST('838:59:59' AS TIME))",
    "CAST(X'0001FF' AS JSON)",
    "JSON_ARRAY(REPEAT(X'00FF41', 60))",
    "JSON_ARRAY(b'101')",
    "JSON_ARRAY(CAST(2024 AS YEAR))",
    "JSON_ARRAY(REPEAT(X'41', 57), REPEAT(X'41', 58), '')",
    "CAST(REPEAT(X'41', 57) AS JSON)",
    "JSON_ARRAY(ST_GeomFromText('POINT(1 2)'))",
    "JSON_ARRAY(REPEAT('x', 70000), 1, 100000, 3000000000, 1.5, true)",
    "JSON_OBJECT('long', REPEAT('y', 66000), 'i', 7, 'l', -70000, 'u', 4000000000, 'o', JSON_OBJECT('n', NULL))",
    "JSON_ARRAY(REPEAT('a', 127), REPEAT('a', 128), REPEAT('a', 16384))",
    "JSON_ARRAY(1e0, 100e0, 1e14, 1e15, 1e16, 1e17, 123456789012345678e0, 0.1e0, 1e-5, 1e-6, 5e-324, 1/3, 2e0/3)",
];

const RANDOM_ROW_COUNT: usize = 300;

async fn check(flavour: Flavour, gtid: bool, arguments: &[&str]) {
    let server = start(flavour, gtid, arguments).await;
    let columns = columns(flavour);
    let mut connection = server.connect().await.expect("a connection");
    create(&mut connection, flavour, &columns).await;
    let table = table(&server, "t").await;
    let (mut stream, _) = follow(&server, &["t"]).await;
    let seed = Random::fresh_seed();
    fill(&mut connection, &columns, seed).await;
    let end = end_of(&server).await;
    let changes = changes_until(&mut stream, &end).await;
    let streamed = replay(&changes);
    let read = loaded(&server, &table).await;
    assert_eq!(streamed.len(), read.len());
    assert!(read.len() > RANDOM_ROW_COUNT / 2);
    let mut wrong = Vec::new();
    for (id, row) in &read {
        let other = streamed.get(id).expect("the row in the stream");
        for (index, column) in table.columns.iter().enumerate() {
            if row.get(index) != other.get(index) && wrong.len() < 60 {
                wrong.push(describe(&column.name, *id, index, row, other));
            }
        }
    }
    assert!(
        wrong.is_empty(),
        "{flavour:?} {arguments:?} seed {seed}:\n{}",
        wrong.join("\n")
    );
    connection.disconnect().await.expect("a goodbye");
}

async fn create(connection: &mut mysql_async::Conn, flavour: Flavour, columns: &[TestColumn]) {
    let mut definition =
        String::from("CREATE TABLE d.t (id INT UNSIGNED PRIMARY KEY AUTO_INCREMENT");
    for (name, kind, _) in columns {
        definition.push_str(&format!(", `{name}` {kind}"));
    }
    if flavour != Flavour::MySql56 {
        definition
            .push_str(", gv INT AS (i DIV 2) VIRTUAL, gs VARCHAR(40) AS (CONCAT(i, 'x')) STORED");
    }
    definition.push_str(") CHARACTER SET utf8");
    for statement in [
        "SET sql_mode = '', time_zone = '+00:00'",
        "SET NAMES utf8mb4",
        &definition,
    ] {
        connection.query_drop(statement).await.expect(statement);
    }
}

/// Inserts every listed literal, random ones, and changes some of it.
async fn fill(connection: &mut mysql_async::Conn, columns: &[TestColumn], seed: u64) {
    let row_count = columns
        .iter()
        .map(|column| column.2.len())
        .max()
        .unwrap_or(0);
    for row in 0..=row_count {
        // The last row is all NULL.
        let values = columns.iter().map(|(_, _, values)| {
            if row == row_count {
                "NULL"
            } else {
                values[row % values.len()]
            }
        });
        insert(connection, columns, values.map(str::to_owned).collect()).await;
    }
    let mut random = Random::new(seed);
    for _ in 0..RANDOM_ROW_COUNT {
        let values = columns
            .iter()
            .map(|(name, _, values)| random_literal(&mut random, name, values));
        insert(connection, columns, values.collect()).await;
    }
    for statement in [
        "UPDATE d.t SET i = i - 1, vc = CONCAT(vc, '!'), db = db / 3 WHERE id % 3 = 0",
        "UPDATE d.t SET f = f / 3, de = de / 7, dt6 = NOW(6), ts6 = NOW(6) WHERE id % 5 = 0",
        "DELETE FROM d.t WHERE id % 7 = 0",
    ] {
        connection.query_drop(statement).await.expect(statement);
    }
}

fn describe(column: &str, id: u64, index: usize, read: &Row, streamed: &Row) -> String {
    let short = |row: &Row| text(row, index).chars().take(120).collect::<String>();
    format!(
        "{column} of row {id}: read {:?}, streamed {:?}",
        short(read),
        short(streamed)
    )
}

async fn insert(connection: &mut mysql_async::Conn, columns: &[TestColumn], values: Vec<String>) {
    let names: Vec<String> = columns
        .iter()
        .map(|(name, _, _)| format!("`{name}`"))
        .collect();
    let statement = format!(
        "INSERT IGNORE INTO d.t ({}) VALUES ({})",
        names.join(","),
        values.join(",")
    );
    connection.query_drop(&statement).await.expect(&statement);
}

/// A random number for numeric columns, one of the listed literals otherwise.
fn random_literal(random: &mut Random, name: &str, values: &[&str]) -> String {
    let bits = random.number();
    match name {
        "f" | "fz" => {
            let number = f32::from_bits(bits as u32);
            if number.is_finite() {
                format!("{number:e}")
            } else {
                "0".to_owned()
            }
        }
        "db" | "js" => {
            let number = f64::from_bits(bits);
            let small = (bits as i64 >> 20) as f64 / 10f64.powi((bits % 30) as i32);
            match (bits >> 8) % 3 {
                0 if number.is_finite() && name == "db" => format!("{number:e}"),
                1 if name == "js" => format!(
                    "JSON_ARRAY({small:e}, {:e})",
                    if number.is_finite() { number } else { 0.5 }
                ),
                _ if name == "db" => format!("{small:e}"),
                _ => values[bits as usize % values.len()].to_owned(),
            }
        }
        "de" | "d2" | "d5" | "d0" | "d9" | "dz" => {
            format!("{}.{}", (bits as i64) >> (bits % 64), random.number())
        }
        "i" | "bi" | "mi" => format!("{}", (bits as i64) >> (bits % 64)),
        "biu" | "iu" => format!("{}", bits >> (bits % 64)),
        _ => values[bits as usize % values.len()].to_owned(),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn every_type_on_97() {
    check(Flavour::MySql97, true, &["--binlog-row-metadata=FULL"]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn every_type_on_97_compressed_without_gtids() {
    let arguments = [
        "--binlog-row-metadata=MINIMAL",
        "--binlog-transaction-compression=ON",
    ];
    check(Flavour::MySql97, false, &arguments).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn every_type_on_56() {
    check(Flavour::MySql56, true, &[]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn every_type_on_56_without_gtids_and_old_rows() {
    check(
        Flavour::MySql56,
        false,
        &["--log-bin-use-v1-row-events=1", "--binlog-checksum=NONE"],
    )
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn every_type_on_mariadb() {
    check(Flavour::MariaDb, true, &["--binlog-row-metadata=FULL"]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn every_type_on_mariadb_without_metadata() {
    check(
        Flavour::MariaDb,
        true,
        &["--binlog-row-metadata=NO_LOG", "--binlog-checksum=NONE"],
    )
    .await;
}
