//! Binlog dumps.

use super::{ALL, mover};
use bytes::Bytes;
use std::time::Duration;
use wherry_mysql::session::{BinlogConnection, DumpRequest, Session, SessionKind};
use wherry_testkit::{Flavour, Server, ServerOptions};

const ROTATE: u8 = 4;
const HEARTBEAT: u8 = 27;

fn request(file: &str, non_blocking: bool) -> DumpRequest {
    DumpRequest {
        server_id: 4_000_000,
        file: file.to_owned(),
        offset: 4,
        gtids: None,
        heartbeat: Duration::from_millis(500),
        non_blocking,
    }
}

async fn start(flavour: Flavour, gtid: bool) -> Server {
    let options = ServerOptions {
        gtid,
        ..ServerOptions::default()
    };
    Server::start(flavour, options).await.expect("a server")
}

async fn first_file(server: &Server) -> String {
    let files = server.rows("SHOW BINARY LOGS").await.expect("files");
    files[0][0].clone().expect("a name")
}

async fn open(server: &Server, request: DumpRequest) -> BinlogConnection {
    let session = Session::connect(&mover(server), SessionKind::Control)
        .await
        .expect("a session");
    session.binlog_dump(request).await.expect("a dump")
}

async fn read_all(dump: &mut BinlogConnection) -> Vec<Bytes> {
    let mut events = Vec::new();
    while let Some(event) = dump.next_event().await.expect("an event") {
        let size = u32::from_le_bytes(event[9..13].try_into().expect("four bytes"));
        assert_eq!(size as usize, event.len());
        events.push(event);
    }
    events
}

#[tokio::test]
async fn a_dump_that_does_not_wait_ends() {
    for flavour in ALL {
        let server = start(flavour, false).await;
        server
            .sql("CREATE DATABASE shop; CREATE TABLE shop.t (id INT PRIMARY KEY, v LONGTEXT) ENGINE=MyISAM; \
                  INSERT INTO shop.t VALUES (1, 'find me'), (2, REPEAT('large', 4000000)); FLUSH LOGS; \
                  INSERT INTO shop.t VALUES (3, 'and me')")
            .await
            .expect("changes");
        let mut dump = open(&server, request(&first_file(&server).await, true)).await;
        let events = read_all(&mut dump).await;
        assert_eq!(events[0][4], ROTATE);
        let holds = |text: &[u8]| {
            events
                .iter()
                .any(|event| event.windows(text.len()).any(|part| part == text))
        };
        assert!(holds(b"find me") && holds(b"and me"), "{flavour:?}");
        assert!(
            events.iter().any(|event| event.len() > 16 << 20),
            "{flavour:?}"
        );
        // The sizes on the wire are those in the file: nothing was cut off or added.
        let files = server.rows("SHOW BINARY LOGS").await.expect("files");
        let size: usize = files[0][1]
            .as_deref()
            .and_then(|size| size.parse().ok())
            .expect("a size");
        let real_rotate = events
            .iter()
            .skip(1)
            .position(|event| event[4] == ROTATE)
            .expect("a rotation")
            + 1;
        let sent: usize = events[1..=real_rotate].iter().map(Bytes::len).sum();
        // MariaDB keeps the texts of statements back, which nobody asked for.
        let kept_back = if flavour == Flavour::MariaDb {
            size - sent - 4
        } else {
            0
        };
        assert_eq!(sent + kept_back + 4, size, "{flavour:?}");
        assert!(kept_back < 200, "{kept_back}");
    }
}

#[tokio::test]
async fn a_waiting_dump_gets_heartbeats_and_changes() {
    for flavour in ALL {
        let server = start(flavour, false).await;
        let mut dump = open(&server, request(&first_file(&server).await, false)).await;
        loop {
            let event = dump.next_event().await.expect("an event").expect("no end");
            if event[4] == HEARTBEAT {
                break;
            }
        }
        server
            .sql("CREATE DATABASE live_change")
            .await
            .expect("a change");
        loop {
            let event = dump.next_event().await.expect("an event").expect("no end");
            if event.windows(11).any(|part| part == b"live_change") {
                break;
            }
        }
        server.kill9().expect("killed");
        let error = dump.next_event().await.expect_err("lost");
        assert!(error.is_transient(), "{error:?}");
    }
}

#[tokio::test]
async fn two_dumps_live_side_by_side() {
    let server = start(Flavour::MySql97, true).await;
    let file = first_file(&server).await;
    let mut one = open(&server, request(&file, false)).await;
    one.next_event().await.expect("an event");
    let mut other = open(&server, request(&file, false)).await;
    other.next_event().await.expect("an event");
    server
        .sql("CREATE DATABASE both_see")
        .await
        .expect("a change");
    for dump in [&mut one, &mut other] {
        while !dump
            .next_event()
            .await
            .expect("an event")
            .expect("no end")
            .windows(8)
            .any(|part| part == b"both_see")
        {}
    }
}

/// A GTID set with one interval of one server, as the protocol writes it.
fn encode(uuid: &str, from: u64, to: u64) -> Vec<u8> {
    let digits: String = uuid.chars().filter(|c| *c != '-').collect();
    let mut bytes = 1u64.to_le_bytes().to_vec();
    for place in (0..32).step_by(2) {
        bytes.push(u8::from_str_radix(&digits[place..place + 2], 16).expect("hexadecimal"));
    }
    for number in [1, from, to + 1] {
        bytes.extend_from_slice(&number.to_le_bytes());
    }
    bytes
}

#[tokio::test]
async fn gtids_name_what_is_not_wanted() {
    for flavour in [Flavour::MySql97, Flavour::MySql56] {
        let server = start(flavour, true).await;
        server
            .sql("CREATE DATABASE seen_before")
            .await
            .expect("a change");
        let executed = server
            .value("SELECT @@GLOBAL.gtid_executed")
            .await
            .expect("a set")
            .expect("not null");
        server
            .sql("CREATE DATABASE seen_after")
            .await
            .expect("a change");
        let (uuid, interval) = executed.split_once(':').expect("one server");
        let last = interval
            .rsplit('-')
            .next()
            .and_then(|last| last.parse().ok())
            .expect("a number");
        let mut wanted = request("ignored", true);
        wanted.gtids = Some(encode(uuid, 1, last));
        let events = read_all(&mut open(&server, wanted).await).await;
        let holds = |text: &[u8]| {
            events
                .iter()
                .any(|event| event.windows(text.len()).any(|part| part == text))
        };
        assert!(
            holds(b"seen_after") && !holds(b"seen_before"),
            "{flavour:?}"
        );
    }
}

#[tokio::test]
async fn impossible_dumps_say_so() {
    for flavour in ALL {
        let server = start(flavour, false).await;
        let mut dump = open(&server, request("no-such-file.000001", true)).await;
        let error = loop {
            match dump.next_event().await {
                Ok(Some(_)) => {}
                Ok(None) => panic!("an end"),
                Err(error) => break error,
            }
        };
        assert_eq!(error.server_code(), Some(1236), "{flavour:?}: {error:?}");
        let session = Session::connect(&mover(&server), SessionKind::Control)
            .await
            .expect("a session");
        let far = DumpRequest {
            offset: 1 << 32,
            ..request("any", true)
        };
        assert!(session.binlog_dump(far).await.is_err());
    }
}
