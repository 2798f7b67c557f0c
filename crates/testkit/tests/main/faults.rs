//! Stalled commits, a full disk, hurt connections, and a test process that dies.

use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use wherry_testkit::{CommitStall, Fault, FaultProxy, Flavour, Server, ServerOptions, Shim};

/// Long enough for a statement that works, short against the 8 s of a stall.
const SHORT: Duration = Duration::from_secs(2);

async fn check_stall(flavour: Flavour, gtid: bool) {
    let (stall, options) = CommitStall::prepare(
        flavour,
        ServerOptions {
            gtid,
            ..ServerOptions::default()
        },
    )
    .expect("stall");
    let server = Server::start(flavour, options).await.expect("a server");
    server
        .sql("CREATE DATABASE d; CREATE TABLE d.t (a INT PRIMARY KEY)")
        .await
        .expect("sql");
    let status = if flavour == Flavour::MySql97 {
        "SHOW BINARY LOG STATUS"
    } else {
        "SHOW MASTER STATUS"
    };
    let offset = async || {
        server.rows(status).await.expect("status")[0][1]
            .clone()
            .expect("offset")
            .parse::<u64>()
            .expect("number")
    };
    stall.arm(&server).await.expect("arm");
    let before = offset().await;
    let begun = Instant::now();
    let insert = server.sql("INSERT INTO d.t VALUES (1)");
    let watch = async {
        while offset().await == before {
            assert!(
                begun.elapsed() < SHORT,
                "the change does not come into the binlog"
            );
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        let seen = server
            .value("SELECT COUNT(*) FROM d.t")
            .await
            .expect("count");
        assert_eq!(
            seen.as_deref(),
            Some("0"),
            "the change is in the binlog, and must not be visible yet"
        );
        tokio::time::sleep(Duration::from_millis(500)).await;
        assert_eq!(
            server
                .value("SELECT COUNT(*) FROM d.t")
                .await
                .expect("count")
                .as_deref(),
            Some("0")
        );
        stall.disarm(&server).await.expect("disarm");
    };
    let (inserted, ()) = tokio::join!(insert, watch);
    inserted.expect("insert");
    assert_eq!(
        server
            .value("SELECT COUNT(*) FROM d.t")
            .await
            .expect("count")
            .as_deref(),
        Some("1")
    );
    assert!(begun.elapsed() > Duration::from_millis(500));
}

#[tokio::test]
async fn commits_stall_on_mysql97() {
    check_stall(Flavour::MySql97, true).await;
}

#[tokio::test]
async fn commits_stall_on_mysql56() {
    check_stall(Flavour::MySql56, false).await;
}

#[tokio::test]
async fn commits_stall_on_mariadb() {
    check_stall(Flavour::MariaDb, false).await;
}

#[tokio::test]
async fn a_full_disk_makes_the_server_hang() {
    let shim = Shim::disk_full().expect("shim");
    let server = Server::start(Flavour::MySql97, shim.add_to(ServerOptions::default()))
        .await
        .expect("a server");
    server.sql("CREATE DATABASE d; CREATE TABLE d.t (a INT PRIMARY KEY AUTO_INCREMENT, b VARCHAR(3000))").await.expect("sql");
    shim.switch_on().expect("on");
    let insert = async {
        for _ in 0..3 {
            server
                .sql("INSERT INTO d.t (b) VALUES (REPEAT('x', 3000))")
                .await?;
        }
        Ok::<(), wherry_testkit::Failure>(())
    };
    let mut insert = std::pin::pin!(insert);
    let hung = tokio::time::timeout(SHORT, &mut insert).await;
    assert!(
        hung.is_err(),
        "a full disk does not hold the server: {hung:?}"
    );
    shim.switch_off().expect("off");
    // The server looks again once a minute; a restart is quicker.
    server.kill9().expect("kill");
    assert!(insert.await.is_err());
    server.restart().await.expect("restart");
    server
        .sql("INSERT INTO d.t (b) VALUES ('there is room')")
        .await
        .expect("insert");
}

#[tokio::test]
async fn a_proxy_passes_stalls_cuts_resets_and_refuses() {
    let server = Server::start(Flavour::MariaDb, ServerOptions::default())
        .await
        .expect("a server");
    let proxy = FaultProxy::start(server.port()).await.expect("a proxy");
    let url = proxy.url("mover");
    let ask = async |query: &str| -> Result<Option<String>, mysql_async::Error> {
        let mut connection = mysql_async::Conn::new(mysql_async::Opts::from_url(&url)?).await?;
        mysql_async::prelude::Queryable::query_first(&mut connection, query).await
    };
    assert_eq!(
        ask("SELECT 'through'").await.expect("an answer").as_deref(),
        Some("through")
    );
    proxy.set(Fault::Stall);
    assert!(
        tokio::time::timeout(Duration::from_millis(300), ask("SELECT 1"))
            .await
            .is_err()
    );
    proxy.set(Fault::Delay(Duration::from_millis(30)));
    let begun = Instant::now();
    ask("SELECT 1").await.expect("a late answer");
    assert!(begun.elapsed() > Duration::from_millis(100));
    proxy.set(Fault::Refuse);
    assert!(ask("SELECT 1").await.is_err());
    proxy.set(Fault::None);
    proxy.cut_after(100_000);
    assert!(ask("SELECT REPEAT('x', 1000000)").await.is_err());
    assert_eq!(
        ask("SELECT REPEAT('x', 1000000)")
            .await
            .expect("whole")
            .map(|text| text.len()),
        Some(1_000_000)
    );
    for end in [FaultProxy::reset, FaultProxy::half_close] {
        let sleeping = async {
            tokio::time::timeout(SHORT, ask("SELECT SLEEP(5)"))
                .await
                .expect("ends before the server answers")
        };
        let ending = async {
            tokio::time::sleep(Duration::from_millis(300)).await;
            end(&proxy);
        };
        let (slept, ()) = tokio::join!(sleeping, ending);
        assert!(slept.is_err(), "{slept:?}");
    }
    assert!(proxy.connections() >= 8 && proxy.bytes() > 1_000_000);
}

/// Runs itself again as a process that holds a server, and kills that process.
#[tokio::test]
async fn a_killed_test_process_leaves_no_server_behind() {
    let holds = "WHERRY_TEST_HOLDS_A_SERVER";
    if let Some(report) = std::env::var_os(holds) {
        let server = Server::start(Flavour::MySql56, ServerOptions::default())
            .await
            .expect("a server");
        let text = format!("{} {}", server.pid(), server.folder().display());
        std::fs::write(report, text).expect("report");
        return std::future::pending().await;
    }
    let folder = tempfile::tempdir().expect("folder");
    let report = folder.path().join("report");
    let own = std::env::current_exe().expect("own program");
    let mut holder = Command::new(own);
    holder
        .args([
            "--exact",
            "faults::a_killed_test_process_leaves_no_server_behind",
        ])
        .env(holds, &report)
        .stdout(Stdio::null())
        .stderr(Stdio::null());
    let mut holder = holder.spawn().expect("the holder");
    let read = || {
        std::fs::read_to_string(&report)
            .ok()
            .filter(|text| text.contains(' '))
    };
    wait_until("the holder reports", || read().is_some()).await;
    let text = read().expect("report");
    let (pid, server_folder) = text.split_once(' ').expect("two words");
    assert!(Path::new(&format!("/proc/{pid}")).exists() && Path::new(server_folder).exists());
    holder.kill().expect("kill");
    holder.wait().expect("wait");
    wait_until("the server is gone", || {
        !Path::new(&format!("/proc/{pid}")).exists() && !Path::new(server_folder).exists()
    })
    .await;
}

async fn wait_until(what: &str, condition: impl Fn() -> bool) {
    let begun = Instant::now();
    while !condition() {
        assert!(
            begun.elapsed() < Duration::from_secs(60),
            "{what}: not within a minute"
        );
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}
