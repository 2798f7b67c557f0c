//! `LOAD DATA LOCAL INFILE` from memory.

use super::{ALL, mover, start};
use async_trait::async_trait;
use wherry_model::Fault;
use wherry_mysql::session::{LoadFeed, Session, SessionError, SessionKind};
use wherry_testkit::{Flavour, Server};

const SQL: &str = "LOAD DATA LOCAL INFILE 'memory' INTO TABLE shop.t CHARACTER SET binary (id, v)";

/// Gives `pieces`, then ends or fails.
struct Pieces {
    pieces: std::vec::IntoIter<Vec<u8>>,
    fails: bool,
}

#[async_trait]
impl LoadFeed for Pieces {
    async fn fill(&mut self, out: &mut Vec<u8>) -> Result<bool, Fault> {
        match self.pieces.next() {
            Some(piece) => out.extend_from_slice(&piece),
            None if self.fails => return Err(Fault::transient("TEST-001", "the source is gone")),
            None => {}
        }
        Ok(self.fails || !self.pieces.as_slice().is_empty())
    }
}

fn rows(from: usize, count: usize, bytes: usize) -> Vec<u8> {
    (from..from + count)
        .flat_map(|id| format!("{id}\t{}\n", "v".repeat(bytes)).into_bytes())
        .collect()
}

fn feed(pieces: Vec<Vec<u8>>, fails: bool) -> Pieces {
    Pieces {
        pieces: pieces.into_iter(),
        fails,
    }
}

async fn session(server: &Server) -> Session {
    Session::connect(&mover(server), SessionKind::Write)
        .await
        .expect("a session")
}

async fn count(server: &Server) -> Option<String> {
    server
        .value("SELECT COUNT(*) FROM shop.t")
        .await
        .expect("a count")
}

#[tokio::test]
async fn rows_from_memory_arrive() {
    for flavour in ALL {
        let server = start(flavour).await;
        server
            .sql("SET GLOBAL local_infile = ON; CREATE DATABASE shop; CREATE TABLE shop.t (id INT PRIMARY KEY, v LONGTEXT)")
            .await
            .expect("a table");
        let mut session = session(&server).await;
        let outcome = session
            .load_data(
                SQL,
                &mut feed(
                    vec![rows(0, 1000, 10), Vec::new(), rows(1000, 3, 5 << 20)],
                    false,
                ),
            )
            .await
            .expect("loaded");
        assert_eq!(outcome.affected_rows, 1003);
        assert_eq!(outcome.warnings, 0);
        assert!(
            outcome
                .info
                .starts_with("Records: 1003  Deleted: 0  Skipped: 0"),
            "{}",
            outcome.info
        );
        assert_eq!(count(&server).await.as_deref(), Some("1003"));
        let nothing = session
            .load_data(SQL, &mut feed(Vec::new(), false))
            .await
            .expect("nothing");
        assert_eq!(nothing.affected_rows, 0);
        // LOCAL skips a duplicate, and MySQL 5.6 does not even warn.
        let again = session
            .load_data(SQL, &mut feed(vec![rows(0, 2, 1)], false))
            .await
            .expect("skipped");
        assert!(
            again.info.contains("Skipped: 2"),
            "{flavour:?}: {}",
            again.info
        );
        let silent = flavour == Flavour::MySql56;
        assert_eq!(again.warnings, if silent { 0 } else { 2 }, "{flavour:?}");
        let error = session
            .load_data(
                SQL.replace("shop.t", "shop.none"),
                &mut feed(vec![rows(0, 2, 1)], false),
            )
            .await
            .expect_err("no table");
        assert_eq!(error.server_code(), Some(1146));
        assert!(!session.is_broken());
        session.execute("DO 1").await.expect("still usable");
        let plain = session
            .load_data("DO 1", &mut feed(vec![rows(0, 2, 1)], false))
            .await;
        assert!(plain.is_ok());
        session.close().await;
    }
}

#[tokio::test]
async fn a_failed_feed_leaves_no_row() {
    for flavour in ALL {
        let server = start(flavour).await;
        server
            .sql("SET GLOBAL local_infile = ON; CREATE DATABASE shop; CREATE TABLE shop.t (id INT PRIMARY KEY, v LONGTEXT)")
            .await
            .expect("a table");
        for begin in ["START TRANSACTION", "DO 1"] {
            let mut session = session(&server).await;
            let id = session.connection_id();
            session.execute(begin).await.expect("begun");
            let error = session
                .load_data(
                    SQL,
                    &mut feed(vec![rows(0, 1000, 100), b"2000\thalf a r".to_vec()], true),
                )
                .await
                .expect_err("a fault");
            assert!(matches!(&error, SessionError::Feed(fault) if fault.code == "TEST-001"));
            assert!(error.is_transient());
            assert!(session.is_broken());
            let gone =
                format!("SELECT COUNT(*) FROM information_schema.processlist WHERE id = {id}");
            while server.value(&gone).await.expect("a count").as_deref() != Some("0") {
                tokio::task::yield_now().await;
            }
            assert_eq!(
                count(&server).await.as_deref(),
                Some("0"),
                "{flavour:?} after {begin}"
            );
        }
    }
}

#[tokio::test]
async fn a_server_that_forbids_it_says_so() {
    for flavour in ALL {
        let server = start(flavour).await;
        server
            .sql("SET GLOBAL local_infile = OFF; CREATE DATABASE shop; CREATE TABLE shop.t (id INT PRIMARY KEY, v TEXT)")
            .await
            .expect("a table");
        let mut session = session(&server).await;
        let error = session
            .load_data(SQL, &mut feed(vec![rows(0, 2, 1)], false))
            .await
            .expect_err("forbidden");
        assert_eq!(error.into_fault().code, "CONN-029", "{flavour:?}");
    }
}
