//! Chunks and exact tables.

use super::*;
use wherry_engine::state::{Chunk, KeyRange};

fn chunk(number: u64) -> Chunk {
    Chunk {
        number,
        range: KeyRange::all(),
        done: false,
        row_count: 0,
        byte_count: 0,
    }
}

async fn every_byte_arrives(flavour: Flavour, arguments: &[&str]) {
    let server = start_with(flavour, arguments).await;
    let target = claimed(&server).await;
    let table = planned(
        &server,
        &target,
        "t",
        "id BIGINT UNSIGNED PRIMARY KEY, b LONGBLOB, s VARCHAR(50) CHARACTER SET latin1, bits BIT(13), \
         d DOUBLE, n DECIMAL(20,5), ts TIMESTAMP(3) NULL, e ENUM('x','y,z')",
    )
    .await;
    let all: Vec<u8> = (0..=255).collect();
    let first = Row::from_values([
        Some(b"18446744073709551615".as_slice()),
        Some(&all),
        Some(b"\xE9\t\\\n'"),
        Some(&[0x1F, 0x03]),
        Some(b"1.7976931348623157e308"),
        Some(b"-1.50000"),
        Some(b"2024-02-29 01:02:03.004"),
        Some(b"y,z"),
    ]);
    let second = Row::from_values([
        Some(b"0".as_slice()),
        None,
        Some(b""),
        None,
        None,
        None,
        None,
        None,
    ]);
    target
        .plan_chunk(&table.name, &chunk(0))
        .await
        .expect("a chunk");
    for _ in 0..2 {
        // The second time finds the chunk done and writes nothing.
        let outcome = target
            .load_chunk(
                &table,
                &chunk(0),
                rows(&[first.clone(), second.clone()]).await,
            )
            .await
            .expect("a chunk");
        assert_eq!((outcome.row_count, outcome.left_out), (2, 0));
        assert!(!outcome.needs_care);
    }
    assert_eq!(
        show(
            &server,
            "SELECT id, HEX(b), HEX(s), HEX(bits), d, n, e FROM d.t ORDER BY id"
        )
        .await,
        format!(
            "0,NULL,,NULL,NULL,NULL,NULL;18446744073709551615,{},E9095C0A27,1F03,1.7976931348623157e308,-1.50000,y,z",
            all.iter()
                .map(|byte| format!("{byte:02X}"))
                .collect::<String>()
        )
    );
    let found = wherry_engine::ports::RowReader::read_keys(
        &target,
        &table,
        &[row(&["18446744073709551615"])],
    )
    .await
    .expect("a row");
    assert_eq!(found, [first]);
}

#[tokio::test]
async fn every_byte_arrives_on_mysql_97() {
    every_byte_arrives(Flavour::MySql97, &["--local-infile=1"]).await;
}

#[tokio::test]
async fn every_byte_arrives_without_load_data() {
    every_byte_arrives(Flavour::MySql97, &["--local-infile=0"]).await;
}

#[tokio::test]
async fn every_byte_arrives_on_mariadb() {
    every_byte_arrives(Flavour::MariaDb, &["--local-infile=1"]).await;
}

#[tokio::test]
async fn every_byte_arrives_on_mysql_56() {
    every_byte_arrives(Flavour::MySql56, &["--local-infile=1"]).await;
}

#[tokio::test]
async fn json_goes_both_ways() {
    for infile in ["--local-infile=0", "--local-infile=1"] {
        let server = start_with(Flavour::MySql97, &[infile]).await;
        let target = claimed(&server).await;
        let table = planned(&server, &target, "t", "id INT PRIMARY KEY, j JSON").await;
        target
            .plan_chunk(&table.name, &chunk(0))
            .await
            .expect("a chunk");
        let data = [
            row(&["1", r#"{"a": "ä\n\t\\ \"x\""}"#]),
            row(&["2", "NULL"]),
            row(&["3", "null"]),
            row(&["4", "\u{1}[\u{2}u5, 5, \u{2}D\"2024-02-29\"]"]),
        ];
        target
            .load_chunk(&table, &chunk(0), rows(&data).await)
            .await
            .expect("a chunk");
        let keys = [row(&["1"]), row(&["2"]), row(&["3"]), row(&["4"])];
        let found = wherry_engine::ports::RowReader::read_keys(&target, &table, &keys)
            .await
            .expect("rows");
        assert_eq!(found, data, "{infile}");
    }
}

/// A value that moved between two chunks: the second row is left to the stream.
#[tokio::test]
async fn a_row_barred_by_a_secondary_key_is_left_out_and_owed() {
    let server = start_with(Flavour::MySql97, &["--local-infile=1"]).await;
    let target = claimed(&server).await;
    let table = planned(&server, &target, "t", "id INT PRIMARY KEY, u INT UNIQUE").await;
    for number in 0..2 {
        target
            .plan_chunk(&table.name, &chunk(number))
            .await
            .expect("a chunk");
    }
    target
        .load_chunk(&table, &chunk(0), rows(&[row(&["1", "7"])]).await)
        .await
        .expect("a chunk");
    let second = [row(&["2", "8"]), row(&["3", "7"]), row(&["4", "NULL"])];
    let outcome = target
        .load_chunk(&table, &chunk(1), rows(&second).await)
        .await
        .expect("a chunk");
    assert!(outcome.needs_care);
    assert_eq!(show(&server, "SELECT id FROM d.t").await, "1");
    let outcome = target
        .load_chunk_careful(&table, &chunk(1), rows(&second).await)
        .await
        .expect("a careful chunk");
    assert_eq!((outcome.row_count, outcome.left_out), (2, 1));
    assert_eq!(
        show(&server, "SELECT id FROM d.t ORDER BY id").await,
        "1;2;4"
    );
    let owed = target.owed().await.expect("owed");
    assert_eq!(owed.len(), 1);
    assert_eq!(owed[0].key, row(&["3"]));
    let chunks = target.chunks(&table.name).await.expect("chunks");
    assert!(chunks.iter().all(|chunk| chunk.done));
}

#[tokio::test]
async fn a_chunk_that_does_not_fit_its_columns_fails_loudly() {
    let server = start_with(Flavour::MySql97, &["--local-infile=1"]).await;
    let target = claimed(&server).await;
    let table = planned(&server, &target, "t", "id INT PRIMARY KEY, v TINYINT").await;
    target
        .plan_chunk(&table.name, &chunk(0))
        .await
        .expect("a chunk");
    let data = [row(&["1", "300"])];
    let outcome = target
        .load_chunk(&table, &chunk(0), rows(&data).await)
        .await
        .expect("an answer");
    assert!(outcome.needs_care);
    let fault = target
        .load_chunk_careful(&table, &chunk(0), rows(&data).await)
        .await
        .expect_err("out of range");
    assert_eq!(fault.code, "TGT-020");
    assert!(fault.message.contains("`v`"), "{fault}");
    assert_eq!(show(&server, "SELECT COUNT(*) FROM d.t").await, "0");
}

#[tokio::test]
async fn an_exact_table_starts_from_nothing() {
    let server = start(Flavour::MySql97).await;
    let target = claimed(&server).await;
    let table = planned(&server, &target, "t", "a INT, b VARCHAR(9)").await;
    server
        .sql(
            "INSERT INTO d.t VALUES (9, 'left by a crash')"
                .replace("left by a crash", "left")
                .as_str(),
        )
        .await
        .expect("a row of an earlier try");
    let state = TableState {
        table: table.as_ref().clone(),
        start: position(5),
        stage: TableStage::Copied,
        stopped: None,
        lane: None,
    };
    let data = [row(&["1", "x"]), row(&["1", "x"]), row(&["NULL", "y"])];
    let tables = [state.table.clone()];
    target.empty_tables(&tables).await.expect("empty");
    let outcome = target
        .load_exact(&state.table, rows(&data).await)
        .await
        .expect("a load");
    assert_eq!(outcome.row_count, 3);
    let stored = target.stored().await.expect("a state").expect("a task");
    assert_eq!(stored.tables[0].stage, TableStage::Created, "not yet");
    target.finish_exact(&[state]).await.expect("a state");
    assert_eq!(
        show(&server, "SELECT a, b FROM d.t ORDER BY b, a").await,
        "1,x;1,x;NULL,y"
    );
    let stored = target.stored().await.expect("a state").expect("a task");
    assert_eq!(stored.tables[0].stage, TableStage::Copied);
    assert_eq!(stored.tables[0].start, position(5));
}

/// MariaDB keeps such rows where `check_constraint_checks` was off.
#[tokio::test]
async fn a_row_that_breaks_a_check_fails_loudly() {
    let server = start_with(Flavour::MySql97, &["--local-infile=1"]).await;
    let target = claimed(&server).await;
    let body = "id INT PRIMARY KEY, v INT, CONSTRAINT positive CHECK (v > 0)";
    let table = planned(&server, &target, "t", body).await;
    target
        .plan_chunk(&table.name, &chunk(0))
        .await
        .expect("a chunk");
    let data = [row(&["1", "-1"])];
    let outcome = target
        .load_chunk(&table, &chunk(0), rows(&data).await)
        .await
        .expect("an answer");
    assert!(outcome.needs_care);
    let fault = target
        .load_chunk_careful(&table, &chunk(0), rows(&data).await)
        .await
        .expect_err("the check");
    assert_eq!(fault.code, "TGT-020");
    assert_eq!(show(&server, "SELECT COUNT(*) FROM d.t").await, "0");
}
