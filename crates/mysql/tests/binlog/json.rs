//! Partial JSON updates: the stream's after image is the document that the server then holds.

use super::{changes_until, end_of, endpoint, follow, loaded, replay, start, table, text};
use std::collections::{BTreeMap, BTreeSet};
use wherry_engine::ports::RowReader;
use wherry_model::{Change, ChangeKind, Row};
use wherry_mysql::reader::{Origin, TableReader};
use wherry_mysql::session::{Pool, SessionKind};
use wherry_testkit::{Flavour, Random};

const ROWS: u64 = 40;
const STATEMENTS: usize = 200;

const VALUES: &[&str] = &[
    "1",
    "-70000",
    "CAST(7 AS UNSIGNED)",
    "12345678901",
    "1.50",
    "0.1e0",
    "1e300",
    "DATE'2024-02-29'",
    "TIME'-12:00:00.5'",
    "TIMESTAMP'2024-02-29 01:02:03.000004'",
    "X'00FF'",
    "NULL",
    "true",
    "'short'",
    "'2024-02-29'",
    "REPEAT('y', 300)",
    "CAST('{}' AS JSON)",
    "CAST('[]' AS JSON)",
    "JSON_ARRAY(1, 2.5, JSON_OBJECT('k', 1, 'kk', NULL))",
    "JSON_OBJECT('x', JSON_ARRAY(3), 'long', REPEAT('z', 70))",
];

const PATHS: &[&str] = &[
    "$.a",
    "$.a[0]",
    "$.a[1]",
    "$.new",
    "$.list[0]",
    "$.list[2]",
    "$.list[last]",
    "$.list[last-1]",
    "$.list[99]",
    "$.list[0].x",
    "$.o.x",
    "$.o.y.z",
    "$.o.new",
    "$.\"\"",
    "$.\"we\\\\\"i.r[0]d\\\\n😀\"",
];

fn update(random: &mut Random) -> String {
    let (path, other) = (random.pick(PATHS), random.pick(PATHS));
    let (value, second) = (random.pick(VALUES), random.pick(VALUES));
    let change = match random.below(6) {
        0 => format!("JSON_REMOVE(j, '{path}')"),
        1 => format!("JSON_REPLACE(j, '{path}', {value}, '{other}', {second})"),
        2 => format!("JSON_REMOVE(JSON_SET(j, '{path}', {value}), '{other}')"),
        3 => format!("JSON_SET(j, '{path}', {value}, '{other}', {second})"),
        _ => format!("JSON_SET(j, '{path}', {value})"),
    };
    let id = random.below(ROWS) + 1;
    match random.below(4) {
        0 => format!("UPDATE d.t SET j = {change}, n = n + 1 WHERE id IN ({id}, {id} + 1)"),
        1 => {
            format!("UPDATE d.t SET j = {change}, k = JSON_SET(k, '$.a', {value}) WHERE id = {id}")
        }
        _ => format!("UPDATE d.t SET j = {change} WHERE id = {id}"),
    }
}

async fn partial_updates(arguments: &[&str]) {
    let server = start(Flavour::MySql97, true, arguments).await;
    server
        .sql(
            "CREATE TABLE d.t (id INT PRIMARY KEY AUTO_INCREMENT, i JSON, n INT, j JSON, k JSON); \
             INSERT INTO d.t (n, j, k) WITH RECURSIVE r AS (SELECT 1 n UNION ALL SELECT n + 1 FROM r LIMIT 40) \
             SELECT n, JSON_OBJECT('pad', REPEAT('x', 900), 'a', n, 'list', JSON_ARRAY(1, n, 'x', 2.5), \
             'o', JSON_OBJECT('x', 'y', 'y', JSON_OBJECT('z', 1))), \
             IF(n % 3 = 0, NULL, JSON_OBJECT('pad', REPEAT('x', 70000), 'a', n)) FROM r",
        )
        .await
        .expect("a table");
    let (mut stream, _) = follow(&server, &["t"]).await;
    let seed = Random::fresh_seed();
    eprintln!("seed {seed}");
    let mut random = Random::new(seed);
    let mut statements = vec![
        "SET binlog_row_value_options='PARTIAL_JSON'".to_owned(),
        // Its own image, so that the rows are in the stream before they change.
        "UPDATE d.t SET n = -n".to_owned(),
    ];
    statements.extend((0..STATEMENTS).map(|_| update(&mut random)));
    statements.push("SET binlog_row_value_options=''".to_owned());
    statements.push("UPDATE d.t SET n = -n".to_owned());
    server.sql(&statements.join(";")).await.expect("updates");
    let changes = changes_until(&mut stream, &end_of(&server).await).await;
    if arguments.is_empty() {
        let events = server.rows("SHOW BINLOG EVENTS").await.expect("events");
        let partial = |row: &&Vec<Option<String>>| row[2].as_deref() == Some("Update_rows_partial");
        assert!(events.iter().filter(partial).count() > STATEMENTS / 4);
    }
    // Each before image, which the server writes whole, is the after image before it.
    let streamed = replay_from(&changes);
    let read = loaded(&server, &table(&server, "t").await).await;
    assert_eq!(streamed.len(), read.len());
    for (id, row) in &read {
        assert_eq!(
            text(row, 3),
            text(&streamed[id], 3),
            "seed {seed}: column j of row {id}"
        );
        assert_eq!(row, &streamed[id], "seed {seed}: row {id}");
    }
}

/// `replay` of rows that were there before: their first change is an update.
fn replay_from(changes: &[Change]) -> BTreeMap<u64, Row> {
    let mut first: Vec<Change> = Vec::new();
    let mut seen = BTreeSet::new();
    for change in changes {
        let before = change.before().expect("an update");
        if seen.insert(text(before, 0)) {
            first.push(Change {
                kind: ChangeKind::Insert {
                    after: before.clone(),
                },
                ..change.clone()
            });
        }
        first.push(change.clone());
    }
    replay(&first)
}

#[tokio::test(flavor = "multi_thread")]
async fn partial_updates_give_whole_documents() {
    partial_updates(&[]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn partial_updates_in_compressed_transactions_give_whole_documents() {
    partial_updates(&["--binlog-transaction-compression=ON"]).await;
}

/// A server cuts such a list off in silence; nothing may be read as if it were whole.
#[tokio::test]
async fn types_that_do_not_fit_into_a_packet_are_an_error() {
    let server = start(Flavour::MySql97, false, &["--max-allowed-packet=1M"]).await;
    server
        .sql(
            "SET cte_max_recursion_depth = 100000; CREATE TABLE d.t (id INT PRIMARY KEY, j JSON); \
             INSERT INTO d.t SELECT 1, JSON_ARRAYAGG(CAST(n AS UNSIGNED)) \
             FROM (WITH RECURSIVE r AS (SELECT 1 n UNION ALL SELECT n + 1 FROM r LIMIT 100000) SELECT n FROM r) q",
        )
        .await
        .expect("a document");
    let reader = TableReader::new(
        Pool::new(endpoint(&server), SessionKind::Read, 1),
        Origin::Source,
    );
    let key = Row::from_values([Some(b"1".as_slice())]);
    let fault = reader
        .read_keys(&table(&server, "t").await, &[key])
        .await
        .expect_err("a list without an end");
    assert_eq!(fault.code, "SRC-052");
}
