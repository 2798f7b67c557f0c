//! The oracle finds planted differences, and agrees with MySQL's own replication under the workload.

use wherry_testkit::{Flavour, Server, ServerOptions, Shop, Workload, WorkloadOptions, compare};

async fn shop_on(flavour: Flavour, rows: u64) -> (Server, Shop) {
    let server = Server::start(
        flavour,
        ServerOptions {
            gtid: true,
            ..ServerOptions::default()
        },
    )
    .await
    .expect("a server");
    let shop = Shop::new(flavour, rows);
    shop.create(&server.url("root")).await.expect("a shop");
    (server, shop)
}

#[tokio::test]
async fn planted_differences_are_found_and_named() {
    let (source, _) = shop_on(Flavour::MySql56, 2000).await;
    let (target, _) = shop_on(Flavour::MySql56, 2000).await;
    let urls = (source.url("root"), target.url("root"));
    let equal = compare(&urls.0, &urls.1, &["shop"]).await.expect("compare");
    equal.assert_equal();
    assert!(equal.tables == 12 && equal.rows > 1500, "{equal:?}");
    let plant = "SET foreign_key_checks = 0; UPDATE shop.images SET data = CONCAT(COALESCE(data, ''), x'00') WHERE id = 7; \
                 DELETE FROM shop.orders WHERE id = 5; INSERT INTO shop.visits SELECT * FROM shop.visits LIMIT 1; \
                 UPDATE shop.customers SET score = score + 0.001, birthday = NULL WHERE id = 9; ALTER TABLE shop.reviews DROP KEY reviews_customer";
    target
        .sql("UPDATE shop.customers SET score = 16.5")
        .await
        .expect("sql");
    source
        .sql("UPDATE shop.customers SET score = 16.5")
        .await
        .expect("sql");
    target.sql(plant).await.expect("plant");
    let found = compare(&urls.0, &urls.1, &["shop"])
        .await
        .expect("compare")
        .differences;
    let text: Vec<String> = found.iter().map(ToString::to_string).collect();
    let text = text.join("\n");
    for part in [
        "`shop`.`images` (id=\"7\")",
        "`shop`.`orders` (id=\"5\"): is missing",
        "`shop`.`visits`",
        "birthday is",
        "NULL",
        "score is",
        "reviews_customer",
    ] {
        assert!(text.contains(part), "{part} is not in\n{text}");
    }
    assert_eq!(
        found.len(),
        5 + usize::from(text.contains("foreign keys")),
        "{text}"
    );
}

async fn check_replica(flavour: Flavour) {
    let (source, shop) = shop_on(flavour, 3000).await;
    let replica = Server::start(
        flavour,
        ServerOptions {
            gtid: true,
            ..ServerOptions::default()
        },
    )
    .await
    .expect("a replica");
    let options = WorkloadOptions {
        transactions_per_second_max: None,
        ..WorkloadOptions::new(shop)
    };
    let mut workload = Workload::start(&source.url("root"), options)
        .await
        .expect("a workload");
    eprintln!("seed {}", workload.seed());
    workload.wait_for(300).await.expect("transactions");
    let follow = follow_statements(flavour, source.port());
    replica.sql(&follow).await.expect("follow");
    workload.wait_for(300).await.expect("transactions");
    workload.hold().await.expect("rest");
    let resting = workload.counters();
    caught_up(&source, &replica, flavour).await;
    assert_eq!(workload.counters(), resting);
    compare(&source.url("root"), &replica.url("root"), &["shop"])
        .await
        .expect("compare")
        .assert_equal();
    if flavour == Flavour::MariaDb {
        replica.sql("STOP SLAVE").await.expect("stop");
    } else {
        replica
            .sql(if flavour == Flavour::MySql97 {
                "STOP REPLICA"
            } else {
                "STOP SLAVE"
            })
            .await
            .expect("stop");
    }
    workload.go_on(&replica.url("root"));
    workload
        .wait_for(100)
        .await
        .expect("transactions on the replica");
    let report = workload.stop().await.expect("a report");
    eprintln!("{:?} in {:.1} s", report.counters, report.seconds);
    let audit = report
        .audit(&replica.url("root"), "shop")
        .await
        .expect("audit");
    assert!(audit.is_exact() && audit.appended > 100, "{audit}");
    assert!(
        report.counters.committed > report.counters.refused * 5,
        "{:?}",
        report.counters
    );
    let behind = report
        .audit(&source.url("root"), "shop")
        .await
        .expect("audit");
    assert!(behind.missing > 0, "{behind}");
}

/// Makes a fresh server a replica of the one on `port`.
fn follow_statements(flavour: Flavour, port: u16) -> String {
    match flavour {
        Flavour::MySql97 => format!(
            "CHANGE REPLICATION SOURCE TO SOURCE_HOST='127.0.0.1', SOURCE_PORT={port}, SOURCE_USER='mover', SOURCE_PASSWORD='mover', \
             SOURCE_AUTO_POSITION=1, GET_SOURCE_PUBLIC_KEY=1; START REPLICA"
        ),
        Flavour::MySql56 => format!(
            "CHANGE MASTER TO MASTER_HOST='127.0.0.1', MASTER_PORT={port}, MASTER_USER='mover', MASTER_PASSWORD='mover', MASTER_AUTO_POSITION=1; START SLAVE"
        ),
        Flavour::MariaDb => format!(
            "CHANGE MASTER TO MASTER_HOST='127.0.0.1', MASTER_PORT={port}, MASTER_USER='mover', MASTER_PASSWORD='mover', MASTER_USE_GTID=slave_pos; START SLAVE"
        ),
    }
}

/// Waits until the replica has everything; the source is quiet.
async fn caught_up(source: &Server, replica: &Server, flavour: Flavour) {
    let variable = if flavour == Flavour::MariaDb {
        "SELECT @@gtid_current_pos"
    } else {
        "SELECT REPLACE(@@GLOBAL.gtid_executed, '\\n', '')"
    };
    let goal = source.value(variable).await.expect("value");
    for _ in 0..600 {
        if replica.value(variable).await.expect("value") == goal {
            return;
        }
        tokio::time::sleep(std::time::Duration::from_millis(50)).await;
    }
    let status = if flavour == Flavour::MySql97 {
        "SHOW REPLICA STATUS"
    } else {
        "SHOW SLAVE STATUS"
    };
    panic!("the replica is behind: {:?}", replica.rows(status).await);
}

#[tokio::test]
async fn mysql97_replica_is_equal_under_the_workload() {
    check_replica(Flavour::MySql97).await;
}

#[tokio::test]
async fn mysql56_replica_is_equal_under_the_workload() {
    check_replica(Flavour::MySql56).await;
}

#[tokio::test]
async fn mariadb_replica_is_equal_under_the_workload() {
    check_replica(Flavour::MariaDb).await;
}
