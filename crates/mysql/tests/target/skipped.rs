//! Counts of rows that scripts have left out: as sure as what was read beside them.

use super::*;
use wherry_engine::ports::ApplyMode::Strict;
use wherry_engine::state::{Chunk, KeyRange};
use wherry_model::{Exactness, Skipped, SkippedRows};

/// A pipe with these rows, and so many that are left out behind them.
async fn rows_and_skipped(rows: &[Row], count: u64) -> RowReceiver {
    let (sender, receiver) = row_pipe(&Budget::new(64 << 20));
    let mut batch = RowBatch::default();
    for row in rows {
        batch.push_encoded(row.encoded());
    }
    assert!(sender.send(batch).await);
    let mut rest = RowBatch::default();
    rest.skipped.add(skipped(count, "of the load"));
    assert!(sender.send(rest).await);
    receiver
}

fn skipped(row_count: u64, reason: &str) -> Skipped {
    Skipped {
        row_count,
        reason: reason.to_owned(),
    }
}

async fn counts(server: &Server) -> String {
    let query = "SELECT table_name, row_count, reason FROM wherry.skipped_row ORDER BY table_name";
    show(server, query).await
}

#[tokio::test]
async fn a_chunk_counts_once() {
    let server = start_with(Flavour::MySql97, &["--local-infile=1"]).await;
    let target = claimed(&server).await;
    let table = planned(&server, &target, "t", "id INT PRIMARY KEY, u INT UNIQUE").await;
    let chunk = |number| Chunk {
        number,
        range: KeyRange::all(),
        done: false,
        row_count: 0,
        byte_count: 0,
    };
    for number in 0..2 {
        let planned = target.plan_chunk(&table.name, &chunk(number)).await;
        planned.expect("a chunk");
    }
    let first = [row(&["1", "7"])];
    for _ in 0..2 {
        let rows = rows_and_skipped(&first, 2).await;
        let loaded = target.load_chunk(&table, &chunk(0), rows).await;
        loaded.expect("a chunk");
        assert_eq!(counts(&server).await, "t,2,of the load");
    }
    // The unique value is there, so the chunk is written again with care.
    let second = [row(&["2", "7"])];
    let rows = rows_and_skipped(&second, 3).await;
    let loaded = target.load_chunk(&table, &chunk(1), rows).await;
    assert!(loaded.expect("an answer").needs_care);
    assert_eq!(counts(&server).await, "t,2,of the load");
    let rows = rows_and_skipped(&second, 3).await;
    let loaded = target.load_chunk_careful(&table, &chunk(1), rows).await;
    loaded.expect("a chunk");
    assert_eq!(counts(&server).await, "t,5,of the load");
    let losses = target.losses().await.expect("losses");
    assert_eq!((losses.len(), losses[0].code.as_str()), (1, "TGT-172"));
    // A new load begins anew.
    let state = TableState {
        table: table.as_ref().clone(),
        start: position(1),
        stage: TableStage::Planned,
        stopped: None,
        lane: None,
    };
    target.plan_table(&state).await.expect("a plan");
    assert_eq!(counts(&server).await, "");
}

#[tokio::test]
async fn a_copy_that_begins_again_counts_anew() {
    let server = start(Flavour::MySql97).await;
    let target = claimed(&server).await;
    let table = planned(&server, &target, "t", "a INT").await;
    assert_eq!(table.exactness, Exactness::Keyless);
    for count in [4, 3] {
        let tables = [table.as_ref().clone()];
        target.empty_tables(&tables).await.expect("an empty table");
        let rows = rows_and_skipped(&[row(&["1"])], count).await;
        target.load_exact(&table, rows).await.expect("rows");
        assert_eq!(counts(&server).await, format!("t,{count},of the load"));
    }
}

#[tokio::test]
async fn the_stream_counts_with_its_checkpoint() {
    let server = start(Flavour::MySql97).await;
    let target = claimed(&server).await;
    let table = planned(&server, &target, "t", "id INT PRIMARY KEY").await;
    let mut met = SkippedRows::default();
    met.note(&table.name, || "first".to_owned());
    met.note(&table.name, || "second".to_owned());
    let mut lost = target.open_commit(Strict).await.expect("a group");
    lost.note_skipped(&met).await.expect("a count");
    drop(lost);
    for (from, to, wanted) in [(1, 2, "t,2,first"), (2, 3, "t,4,first")] {
        let mut group = target.open_commit(Strict).await.expect("a group");
        let id = to.to_string();
        group.add(&[insert(&table, &[&id])]).await.expect("a row");
        group.note_skipped(&met).await.expect("a count");
        group.finish(&at(from), &at(to)).await.expect("a commit");
        assert_eq!(counts(&server).await, wanted);
    }
    // Nobody could tell whether a commit without a new place has happened.
    let mut group = target.open_commit(Strict).await.expect("a group");
    group.note_skipped(&met).await.expect("a count");
    group
        .finish(&at(3), &at(3))
        .await
        .expect_err("no new place");
    assert_eq!(counts(&server).await, "t,4,first");
}
