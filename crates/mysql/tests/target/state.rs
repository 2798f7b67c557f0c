//! What a task stores comes back as it was.

use super::*;
use wherry_engine::state::{Chunk, KeyRange};
use wherry_model::{Fault, Phase};

async fn state_comes_back(flavour: Flavour) {
    let server = start(flavour).await;
    let target = claimed(&server).await;
    let table = planned(&server, &target, "t", "id INT PRIMARY KEY, v VARCHAR(9)").await;
    let name = table.name.clone();
    target.set_end(&position(7)).await.expect("an end");
    let chunk = Chunk {
        number: 3,
        range: KeyRange {
            lower: None,
            upper: Some(row(&["\u{0}'\\ä"])),
        },
        done: false,
        row_count: 0,
        byte_count: 0,
    };
    for _ in 0..2 {
        target.plan_chunk(&name, &chunk).await.expect("a chunk");
    }
    assert_eq!(target.chunks(&name).await.expect("chunks"), [chunk]);
    let fault = Fault::operator("X-1", "it broke").table(&name);
    target
        .stop_table(&fault, &position(4))
        .await
        .expect("a stop");
    target.put_progress("{\"rows\":5}").await.expect("progress");
    let (age, text) = target
        .progress()
        .await
        .expect("an answer")
        .expect("progress");
    assert!(age < 30);
    assert_eq!(text, "{\"rows\":5}");

    let stored = unclaimed(&server)
        .await
        .stored()
        .await
        .expect("an answer")
        .expect("a task");
    assert_eq!(stored.phase, Phase::Precheck);
    assert_eq!(stored.source_id, "source");
    assert_eq!(stored.checkpoint, Some(at(1)));
    assert_eq!(stored.end, Some(position(7)));
    assert_eq!(stored.tables.len(), 1);
    assert_eq!(stored.tables[0].table, *table);
    let stopped = stored.tables[0].stopped.as_ref().expect("a stop");
    assert_eq!(
        (stopped.code.as_str(), &stopped.position),
        ("X-1", &position(4))
    );
    assert_eq!(
        show(&server, "SELECT code, reason FROM wherry.loss_ledger").await,
        "X-1,it broke"
    );
    target.plan_table(&stored.tables[0]).await.expect("a plan");
    assert!(target.chunks(&name).await.expect("chunks").is_empty());
}

#[tokio::test]
async fn state_comes_back_on_mysql_97() {
    state_comes_back(Flavour::MySql97).await;
}

#[tokio::test]
async fn state_comes_back_on_mysql_56() {
    state_comes_back(Flavour::MySql56).await;
}

#[tokio::test]
async fn state_comes_back_on_mariadb() {
    state_comes_back(Flavour::MariaDb).await;
}
