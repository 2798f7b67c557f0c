//! Taking over, waiting for the runner before, and the point of no return.

use super::*;
use wherry_engine::ports::ApplyMode;
use wherry_model::{Class, Phase};

async fn an_old_runner_is_fenced(flavour: Flavour) {
    let server = start(flavour).await;
    let old = claimed(&server).await;
    let table = planned(&server, &old, "t", "id INT PRIMARY KEY, v INT").await;
    old.apply(0, &[insert(&table, &["1", "1"])], ApplyMode::Strict)
        .await
        .expect("a write of the runner");
    let open = old.open_commit(ApplyMode::Strict).await.expect("a group");
    drop(open);

    let new = unclaimed(&server).await;
    new.claim().await.expect("a takeover");

    let fault = old
        .apply(0, &[insert(&table, &["2", "2"])], ApplyMode::Strict)
        .await
        .expect_err("the old runner is fenced");
    assert_eq!(fault.class, Class::Fenced);
    let fault = old.put_progress("{}").await.expect_err("fenced");
    assert_eq!(fault.class, Class::Fenced);
    let fault = old.set_end(&position(9)).await.expect_err("fenced");
    assert_eq!(fault.class, Class::Fenced);
    let fault = old.add_indexes(&table).await.expect_err("fenced");
    assert_eq!(fault.class, Class::Fenced);
    let Err(fault) = old.open_commit(ApplyMode::Strict).await else {
        panic!("a fenced runner opened a group");
    };
    assert_eq!(fault.class, Class::Fenced);

    new.apply(0, &[insert(&table, &["3", "3"])], ApplyMode::Strict)
        .await
        .expect("a write of the new runner");
    assert_eq!(show(&server, "SELECT id FROM d.t ORDER BY id").await, "1;3");
}

#[tokio::test]
async fn an_old_runner_is_fenced_on_mysql_97() {
    an_old_runner_is_fenced(Flavour::MySql97).await;
}

#[tokio::test]
async fn an_old_runner_is_fenced_on_mysql_56() {
    an_old_runner_is_fenced(Flavour::MySql56).await;
}

#[tokio::test]
async fn an_old_runner_is_fenced_on_mariadb() {
    an_old_runner_is_fenced(Flavour::MariaDb).await;
}

/// The open transaction of the old runner ends before the new one has its epoch.
#[tokio::test]
async fn a_takeover_waits_for_open_transactions() {
    let server = start(Flavour::MySql97).await;
    let old = claimed(&server).await;
    let table = planned(&server, &old, "t", "id INT PRIMARY KEY, v INT").await;
    let mut group = old.open_commit(ApplyMode::Strict).await.expect("a group");
    group
        .add(&[insert(&table, &["1", "1"])])
        .await
        .expect("a change");
    let new = unclaimed(&server).await;
    let claim = tokio::spawn(async move { new.claim().await });
    tokio::time::sleep(Duration::from_millis(700)).await;
    assert!(!claim.is_finished());
    group
        .finish(&at(1), &at(2))
        .await
        .expect("the transaction was there first");
    claim.await.expect("a task").expect("a takeover");
    assert_eq!(show(&server, "SELECT id FROM d.t").await, "1");
}

/// A takeover waits for the lock of definitions, and ends its holder after a limit.
#[tokio::test]
async fn a_takeover_waits_for_the_definition_lock() {
    let server = start(Flavour::MariaDb).await;
    let first = unclaimed(&server).await;
    first.claim().await.expect("a claim");
    let mut holder = control(&server).await;
    let held = holder
        .query("SELECT GET_LOCK('wherry/t/ddl', 0)")
        .await
        .expect("a lock");
    assert_eq!(held.text(0, 0), Some("1"));
    let new = unclaimed(&server).await;
    let claim = tokio::spawn(async move { new.claim().await });
    tokio::time::sleep(Duration::from_millis(700)).await;
    assert!(!claim.is_finished());
    holder.close().await;
    claim.await.expect("a task").expect("a takeover");
}

#[tokio::test]
async fn nobody_writes_after_the_fence() {
    let server = start(Flavour::MySql97).await;
    let target = claimed(&server).await;
    let table = planned(&server, &target, "t", "id INT PRIMARY KEY, v INT").await;
    for (from, to) in [
        (Phase::Precheck, Phase::Schema),
        (Phase::Schema, Phase::Load),
        (Phase::Load, Phase::Stream),
    ] {
        target.set_phase(from, to).await.expect("the next phase");
    }
    target.fence().await.expect("the fence");
    let fault = target
        .apply(0, &[insert(&table, &["1", "1"])], ApplyMode::Strict)
        .await
        .expect_err("nobody writes");
    assert_eq!(fault.class, Class::Fenced);
    let late = unclaimed(&server).await;
    let fault = late.claim().await.expect_err("nobody takes it");
    assert_eq!((fault.class, fault.code), (Class::Fenced, "TGT-002"));
    target.put_progress("{\"a\":1}").await.expect("last words");
    late.set_phase(Phase::Cutover, Phase::Done)
        .await
        .expect("a forward step, also in a new process");
    let stored = late.stored().await.expect("a state").expect("a task");
    assert_eq!(stored.phase, Phase::Done);
}

#[tokio::test]
async fn a_write_without_a_claim_is_a_defect() {
    let server = start(Flavour::MySql97).await;
    let target = unclaimed(&server).await;
    assert!(target.stored().await.expect("an answer").is_none());
    assert!(target.progress().await.expect("an answer").is_none());
    let fault = target.set_end(&position(1)).await.expect_err("no claim");
    assert_eq!(fault.class, Class::Bug);
}
