//! JSON documents keep the types in them: by load, by stream, with and without a key.
//!
//! Documents are made by the source from SQL expressions; what arrived is judged by what both
//! servers say of text, types and storage.

use crate::runner::Wherry;
use wherry_testkit::{Flavour, Random, Server, ServerOptions, compare};

/// Random documents before the start, and inserted while the stream runs.
const LOADED: u64 = 2000;
const STREAMED: u64 = 1000;

/// Rows of the table without a key: each of its changes is a search.
const KEYLESS: u64 = 120;

/// Every type that a column can put into a document.
const TABLES: &str = "\
    CREATE DATABASE d; USE d; \
    CREATE TABLE typed (y YEAR, d DATE, t TIME(6), dt DATETIME(6), ts TIMESTAMP(6), tb TINYBLOB, b BLOB, \
        mb MEDIUMBLOB, lb LONGBLOB, vb VARBINARY(20), bi BINARY(3), b1 BIT(1), b9 BIT(9), b64 BIT(64), \
        e ENUM('a','b') CHARACTER SET binary, s SET('a','b') CHARACTER SET binary, de DECIMAL(30,10), f FLOAT, \
        g GEOMETRY, bu BIGINT UNSIGNED, bs BIGINT); \
    INSERT INTO typed VALUES \
        (2024,'2024-02-29','-838:59:59','9999-12-31 23:59:59.999999','2024-01-02 03:04:05.6','tb',X'00FF0A',\
         'mb',REPEAT(X'00FF',200),X'0102','x',b'1',b'101',~0,'a','a,b',-1.5,1.1,POINT(1,2),~0,-9223372036854775808), \
        (0,'0000-00-00','00:00:00','0000-00-00 00:00:00','0000-00-00 00:00:00','','',\
         '','','','',b'0',b'0',0,'b','',0,-0e0,POINT(0,0),4294967296,4294967296); \
    CREATE TABLE sample (id INT PRIMARY KEY AUTO_INCREMENT, j JSON); \
    CREATE TABLE doc (id INT PRIMARY KEY AUTO_INCREMENT, u INT UNIQUE, j JSON, k JSON NOT NULL, \
        g JSON AS (JSON_EXTRACT(j, '$.a')) VIRTUAL); \
    CREATE TABLE patched (id INT PRIMARY KEY AUTO_INCREMENT, j JSON); \
    CREATE TABLE bare (n INT, j JSON)";

const SAMPLED: &[&str] = &[
    "y", "d", "t", "dt", "ts", "tb", "b", "mb", "lb", "vb", "bi", "b1", "b9", "b64", "e", "s",
    "de", "f", "g", "bu", "bs",
];

const SCALARS: &[&str] = &[
    "NULL",
    "true",
    "false",
    "0",
    "-1",
    "4294967295",
    "4294967296",
    "9223372036854775807",
    "-9223372036854775808",
    "18446744073709551615",
    "CAST(0 AS UNSIGNED)",
    "CAST(70000 AS UNSIGNED)",
    "CAST(4294967295 AS UNSIGNED)",
    "CAST(4294967296 AS UNSIGNED)",
    "0.0",
    "5.",
    "-1.50",
    "12345.67",
    "12345.67e0",
    "99999999999999999999999999999999999.999999999999999999999999999999",
    "-0e0",
    "1e0",
    "1e22",
    "1e23",
    "1e308",
    "-1.7976931348623157e308",
    "5e-324",
    "2.2250738585072014e-308",
    "0.1e0 + 0.2e0",
    "1 / 3",
    "DATE'2024-02-29'",
    "TIME'838:59:59'",
    "TIMESTAMP'1000-01-01 00:00:00.000001'",
    "X''",
    "X'00'",
    "REPEAT(X'00FF41', 90)",
    "''",
    "'2024-02-29'",
    "'base64:type15:AA=='",
    "'5'",
    "'\"\\\\\\\\ / \\b\\n\\r\\t\\0 \\Z 😀 ä'",
    "CAST('{}' AS JSON)",
    "CAST('[]' AS JSON)",
    "CAST('null' AS JSON)",
    "CAST('[5, -5, 4294967296, 1.5, -0.0, 1e5, \"\\\\u0001\\\\ud83d\\\\ude00\"]' AS JSON)",
];

const KEYS: &[&str] = &[
    "'a'",
    "'A'",
    "'a '",
    "''",
    "'ä'",
    "'😀'",
    "'\"'",
    "'\\\\'",
    "'\\0\\n'",
    "'$.x[0]'",
    "'bb'",
    "'\\'; --'",
];

fn scalar(random: &mut Random, samples: u64) -> String {
    let bits = random.number();
    match random.below(9) {
        0 => format!("{}", (bits as i64) >> (bits % 64)),
        1 => format!("CAST({} AS UNSIGNED)", bits >> (bits % 64)),
        2 => format!("{}.{}", (bits as i64) >> (bits % 64), random.below(100_000)),
        3 => {
            let number = f64::from_bits(bits);
            format!("{:e}", if number.is_finite() { number } else { 0.5 })
        }
        4 => format!("{:e}", (bits as i64 >> (bits % 50)) as f64 / 1e4),
        // What the server's own parser makes of a number.
        5 => format!(
            "CAST('[{}, {:e}, {}.{}]' AS JSON)",
            bits >> (bits % 64),
            (bits >> 11) as f64 / 10f64.powi((bits % 300) as i32),
            bits % 1000,
            bits >> 11
        ),
        6 => {
            let id = random.below(samples) + 1;
            format!("(SELECT JSON_EXTRACT(j, '$[0]') FROM d.sample WHERE id = {id})")
        }
        _ => random.pick(SCALARS).to_owned(),
    }
}

fn value(random: &mut Random, samples: u64, depth: u64) -> String {
    if depth == 0 || random.one_in(3) {
        return scalar(random, samples);
    }
    let object = random.one_in(2);
    let parts: Vec<String> = (0..random.below(5))
        .map(|_| {
            let part = value(random, samples, depth - 1);
            if object {
                format!("{}, {part}", random.pick(KEYS))
            } else {
                part
            }
        })
        .collect();
    let name = if object { "JSON_OBJECT" } else { "JSON_ARRAY" };
    format!("{name}({})", parts.join(", "))
}

/// A document: any value; a scalar goes through an array, since few can be cast.
fn document(random: &mut Random, samples: u64) -> String {
    if random.one_in(30) {
        return "NULL".to_owned();
    }
    let depth = random.below(5);
    let value = value(random, samples, depth);
    if value.starts_with("JSON_OBJECT") || value.starts_with("JSON_ARRAY") {
        return value;
    }
    format!("JSON_EXTRACT(JSON_ARRAY({value}), '$[0]')")
}

async fn insert(server: &Server, random: &mut Random, samples: u64, count: u64) {
    for _ in 0..count / 50 {
        let rows: Vec<String> = (0..50)
            .map(|_| {
                format!(
                    "({}, JSON_ARRAY({}))",
                    document(random, samples),
                    document(random, samples)
                )
            })
            .collect();
        let sql = format!("INSERT INTO d.doc (j, k) VALUES {}", rows.join(", "));
        server.sql(&sql).await.expect("documents");
    }
}

async fn insert_keyless(server: &Server, random: &mut Random, samples: u64, count: u64) {
    let rows: Vec<String> = (0..count)
        .map(|_| format!("({}, {})", random.below(3), document(random, samples)))
        .collect();
    let sql = format!("INSERT INTO d.bare VALUES {}", rows.join(", "));
    server.sql(&sql).await.expect("documents");
}

/// Documents that differ in nothing but a type.
const TWINS: &[&str] = &[
    "JSON_ARRAY(5)",
    "JSON_ARRAY(CAST(5 AS UNSIGNED))",
    "JSON_ARRAY(5.)",
    "JSON_ARRAY(1.50)",
    "JSON_ARRAY(1.5)",
    "JSON_ARRAY(1.5e0)",
    "JSON_ARRAY(12345678901)",
    "JSON_ARRAY(CAST(12345678901 AS UNSIGNED))",
    "JSON_ARRAY(DATE'2024-01-01')",
    "JSON_ARRAY('2024-01-01')",
    "JSON_ARRAY(TIMESTAMP'2024-01-01 00:00:00')",
    "JSON_ARRAY('2024-01-01 00:00:00.000000')",
    "JSON_ARRAY(X'00')",
    "JSON_ARRAY('base64:type15:AA==')",
    "JSON_ARRAY(0.1e0 + 0.2e0)",
    "JSON_ARRAY(0.3e0)",
    "CAST('null' AS JSON)",
    "NULL",
];

async fn large_documents(server: &Server) {
    let nested = |inner: &str| {
        format!(
            "JSON_SET(CAST(CONCAT(REPEAT('[', 99), '1', REPEAT(']', 99)) AS JSON), \
             CONCAT('$', REPEAT('[0]', 99)), {inner})"
        )
    };
    let sql = format!(
        "SET SESSION cte_max_recursion_depth = 100000; \
         INSERT INTO d.doc (j, k) VALUES ({}, JSON_ARRAY({}));
         INSERT INTO d.doc (j, k) VALUES (JSON_OBJECT('a', REPEAT('x', 3000000), 'b', CAST(1 AS UNSIGNED)), \
            JSON_ARRAY(REPEAT('\\\"\\\\\\\\', 700000)));
         INSERT INTO d.doc (j, k) SELECT JSON_OBJECT('numbers', JSON_ARRAYAGG(n / 7e0)), JSON_ARRAYAGG(CAST(n AS UNSIGNED)) \
            FROM (WITH RECURSIVE r AS (SELECT 1 n UNION ALL SELECT n + 1 FROM r LIMIT 30000) SELECT n FROM r) q",
        nested("CAST(1 AS UNSIGNED)"),
        nested("'x'").replace("99", "98"),
    );
    server.sql(&sql).await.expect("large documents");
}

/// What a server says of every document, a line a row.
async fn told(
    server: &Server,
    table: &str,
    column: &str,
    with_size: bool,
) -> Vec<Vec<Option<String>>> {
    let types = |path: &str| {
        format!(
            "(SELECT GROUP_CONCAT(JSON_TYPE(v) ORDER BY o) FROM JSON_TABLE({column}, '{path}' \
             COLUMNS(o FOR ORDINALITY, v JSON PATH '$')) x)"
        )
    };
    // How wide a DECIMAL is stored depends on where it comes from, and nothing shows it but this size.
    let size = if with_size {
        format!(
            "IF(CONCAT_WS(',', JSON_TYPE({column}), {}, {}) LIKE '%DECIMAL%', 0, JSON_STORAGE_SIZE({column}))",
            types("$**.*"),
            types("$**[*]")
        )
    } else {
        "0".to_owned()
    };
    let mut rows = server
        .rows(&format!(
            "SELECT {}, JSON_TYPE({column}) ty, CAST({column} AS CHAR) te, {} m, {} e, {size} s FROM d.{table}",
            if table == "bare" { "n" } else { "id" },
            types("$**.*"),
            types("$**[*]"),
        ))
        .await
        .expect("what the server says");
    rows.sort();
    rows
}

async fn assert_equal(source: &Server, target: &Server, seed: u64) {
    for (table, column, with_size) in [
        ("sample", "j", true),
        ("doc", "j", true),
        ("doc", "k", true),
        ("doc", "g", false),
        ("bare", "j", true),
        ("patched", "j", false),
    ] {
        let left = told(source, table, column, with_size).await;
        let right = told(target, table, column, with_size).await;
        assert_eq!(left.len(), right.len(), "seed {seed}: rows of {table}");
        for (left, right) in left.iter().zip(&right) {
            let short =
                |row: &[Option<String>]| format!("{row:?}").chars().take(2000).collect::<String>();
            assert!(
                left == right,
                "seed {seed}: {table}.{column}\nsource {}\ntarget {}",
                short(left),
                short(right)
            );
        }
    }
    let compared = compare(&source.url("root"), &target.url("root"), &["d"])
        .await
        .expect("comparison");
    compared.assert_equal();
}

async fn change(source: &Server, random: &mut Random, samples: u64) {
    insert(source, random, samples, STREAMED).await;
    insert_keyless(source, random, samples, KEYLESS).await;
    large_documents(source).await;
    for _ in 0..60 {
        let (id, new) = (random.below(LOADED), document(random, samples));
        let sql = format!(
            "UPDATE d.doc SET j = {new}, k = JSON_ARRAY({new}) WHERE id IN ({id}, {id} + 7)"
        );
        source.sql(&sql).await.expect("an update");
    }
    source
        .sql("DELETE FROM d.doc WHERE id % 11 = 0")
        .await
        .expect("a deletion");
    // One of each pair of twins goes or changes: its twin must stay as it is.
    for (index, twin) in TWINS.iter().enumerate() {
        let place = format!("n = {} LIMIT 1", 100 + index);
        if index % 2 == 0 {
            source
                .sql(&format!("DELETE FROM d.bare WHERE {place}"))
                .await
                .expect(twin);
        } else {
            let sql = format!("UPDATE d.bare SET n = -n, j = JSON_ARRAY(j, 1.0) WHERE {place}");
            source.sql(&sql).await.expect(twin);
        }
    }
    source
        .sql("UPDATE d.bare SET j = JSON_ARRAY(j, CAST(n AS UNSIGNED)) WHERE n = 1; DELETE FROM d.bare WHERE n = 2 LIMIT 20")
        .await
        .expect("changes without a key");
    patch(source, random, samples).await;
}

/// Partial updates, some in compressed transactions.
async fn patch(source: &Server, random: &mut Random, samples: u64) {
    let mut statements = vec!["SET binlog_row_value_options = 'PARTIAL_JSON'".to_owned()];
    for number in 0..200 {
        if number % 50 == 0 {
            let on = u8::from(number % 100 == 50);
            statements.push(format!("SET binlog_transaction_compression = {on}"));
        }
        let path = random.pick(&[
            "$.a",
            "$.b[0]",
            "$.b[last]",
            "$.o.x",
            "$.\"new\"",
            "$.b[1].k",
        ]);
        let id = random.below(30) + 1;
        let new = if random.one_in(6) {
            format!("JSON_REMOVE(j, '{path}')")
        } else {
            format!("JSON_SET(j, '{path}', {})", scalar(random, samples))
        };
        statements.push(format!("UPDATE d.patched SET j = {new} WHERE id = {id}"));
    }
    source
        .sql(&statements.join(";"))
        .await
        .expect("partial updates");
}

fn options() -> ServerOptions {
    ServerOptions {
        arguments: vec![
            "--group-concat-max-len=100000000".to_owned(),
            // Text goes by LOAD DATA, typed documents by INSERT.
            "--local-infile=1".to_owned(),
        ],
        ..ServerOptions::default()
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn documents_keep_the_types_in_them() {
    let source = Server::start(Flavour::MySql97, options())
        .await
        .expect("source");
    let target = Server::start(Flavour::MySql97, options())
        .await
        .expect("target");
    let seed = std::env::var("WHERRY_SEED")
        .ok()
        .and_then(|seed| seed.parse().ok())
        .unwrap_or_else(Random::fresh_seed);
    eprintln!("seed {seed}");
    let mut random = Random::new(seed);
    source
        .sql(&format!(
            "SET sql_mode = 'ALLOW_INVALID_DATES', time_zone = '+00:00'; {TABLES}"
        ))
        .await
        .expect("tables");
    for column in SAMPLED {
        let sql = format!("INSERT INTO d.sample (j) SELECT JSON_ARRAY({column}) FROM d.typed");
        source.sql(&sql).await.expect(column);
    }
    let samples = 2 * SAMPLED.len() as u64;
    insert(&source, &mut random, samples, LOADED).await;
    insert_keyless(&source, &mut random, samples, KEYLESS).await;
    for (index, twin) in TWINS.iter().enumerate() {
        let sql = format!("INSERT INTO d.bare VALUES ({}, {twin})", 100 + index);
        source.sql(&sql).await.expect(twin);
        // The same rows once more, under one number for all.
        source
            .sql(&format!("INSERT INTO d.bare VALUES (99, {twin})"))
            .await
            .expect(twin);
    }
    large_documents(&source).await;
    source
        .sql("INSERT INTO d.patched (j) SELECT JSON_OBJECT('pad', REPEAT('x', 600), 'a', 1, 'b', \
              JSON_ARRAY(1, JSON_OBJECT('k', 2.50)), 'o', JSON_OBJECT('x', 'y')) FROM d.doc LIMIT 30")
        .await
        .expect("documents to patch");

    let wherry = Wherry::new(&source, &target, &["d"]);
    let running = wherry.start(&["run"]);
    running.hear_strict();
    assert_equal(&source, &target, seed).await;
    change(&source, &mut random, samples).await;
    // The twins under one number, one after the other: only types tell them apart.
    source
        .sql("DELETE FROM d.bare WHERE n = 99 AND JSON_TYPE(JSON_EXTRACT(j, '$[0]')) IN ('UNSIGNED INTEGER', 'DATE', 'DOUBLE')")
        .await
        .expect("a deletion of twins");
    wherry.finish(&["verify"]).expect_code(0);
    running.stop();
    assert_equal(&source, &target, seed).await;
    let partial = source
        .rows("SHOW BINLOG EVENTS")
        .await
        .expect("events")
        .iter()
        .filter(|row| row[2].as_deref() == Some("Update_rows_partial"))
        .count();
    assert!(partial > 20, "{partial} partial updates");
    let divergences = target.value("SELECT COUNT(*) FROM wherry.divergence").await;
    assert_eq!(divergences.expect("divergences").as_deref(), Some("0"));
}
