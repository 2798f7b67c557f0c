//! The pool, and what a session does when its server stands still.

use super::{mover, start};
use std::sync::Arc;
use std::time::Duration;
use wherry_mysql::session::{Activity, Pool, Session, SessionKind};
use wherry_testkit::Flavour;

#[tokio::test]
async fn sessions_are_used_again_unless_in_a_transaction() {
    let server = start(Flavour::MySql97).await;
    let pool = Pool::new(mover(&server), SessionKind::Write, 2);
    let first = pool.get().await.expect("a session").connection_id();
    let mut session = pool.get().await.expect("a session");
    assert_eq!(session.connection_id(), first);
    session.execute("START TRANSACTION").await.expect("begun");
    drop(session);
    let mut session = pool.get().await.expect("a session");
    assert_ne!(session.connection_id(), first);
    let other = pool.get().await.expect("a session");
    let waiting = tokio::time::timeout(Duration::from_millis(200), pool.get()).await;
    assert!(waiting.is_err(), "more sessions than allowed");
    session.execute("SET autocommit = 0").await.expect("set");
    let id = session.connection_id();
    drop(session);
    let session = pool.get().await.expect("a session");
    assert_ne!(session.connection_id(), id);
    other.discard().await;
    drop(session);
}

#[tokio::test]
async fn a_session_that_the_server_closed_is_not_handed_out() {
    let server = start(Flavour::MariaDb).await;
    let pool = Pool::new(mover(&server), SessionKind::Write, 1);
    let id = pool.get().await.expect("a session").connection_id();
    server.sql(&format!("KILL {id}")).await.expect("killed");
    tokio::time::sleep(Duration::from_millis(1200)).await;
    let mut session = pool.get().await.expect("a session");
    assert_ne!(session.connection_id(), id);
    session.execute("DO 1").await.expect("usable");
}

#[tokio::test]
async fn a_server_that_stands_still_is_noticed() {
    let server = start(Flavour::MySql97).await;
    let mut endpoint = mover(&server);
    endpoint.read_timeout = Duration::from_secs(3);
    let activity = Arc::new(Activity::default());
    let mut session = Session::connect(&endpoint, SessionKind::Write)
        .await
        .expect("a session");
    session.set_activity(activity.clone());
    session.execute("DO 1").await.expect("usable");
    assert!(activity.unanswered(0).is_empty());
    server.pause().expect("paused");
    session.set_label("insert into shop.orders");
    let watch = async {
        tokio::time::sleep(Duration::from_millis(1500)).await;
        let found = activity.unanswered(1);
        assert_eq!(found.len(), 1);
        assert_eq!(found[0].statement, "insert into shop.orders");
    };
    let (answer, ()) = tokio::join!(
        session.execute("INSERT INTO shop.orders VALUES (4711)"),
        watch
    );
    let error = answer.expect_err("silence");
    assert!(error.is_transient());
    assert_eq!(error.into_fault().code, "CONN-021");
    assert!(session.is_broken());
    drop(session);
    assert!(activity.unanswered(0).is_empty());
    server.resume().expect("resumed");
}
