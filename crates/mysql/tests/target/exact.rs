//! Changes of tables without a key: once, with the checkpoint.

use super::*;
use wherry_engine::ports::ApplyMode::Strict;
use wherry_model::{Class, Exactness};

const BODY: &str =
    "a INT, s VARCHAR(20), f FLOAT, t DATETIME(3), j JSON, b BIT(9), e ENUM('k','l'), g GEOMETRY";

fn image<'a>(number: &'a str, text: &'a str) -> Vec<&'a str> {
    vec![
        number,
        text,
        "3.4028234663852886e38",
        "2024-01-02 03:04:05.678",
        "{\"k\": [1, \"ä\"]}",
        "\u{1}\u{7f}",
        "l",
        "NULL",
    ]
}

#[tokio::test]
async fn rows_without_a_key_are_found_by_all_their_bytes() {
    let server = start(Flavour::MySql97).await;
    let target = claimed(&server).await;
    let table = planned(&server, &target, "t", BODY).await;
    let mut group = target.open_commit(Strict).await.expect("a group");
    group
        .add(&[
            insert(&table, &image("1", "a")),
            insert(&table, &image("1", "a")),
            insert(&table, &image("1", "A ")),
            insert(&table, &image("NULL", "NULL")),
        ])
        .await
        .expect("inserts");
    let outcome = group
        .add(&[
            delete(&table, &image("1", "a")),
            update(&table, &image("1", "A "), &image("2", "b")),
            update(&table, &image("NULL", "NULL"), &image("3", "NULL")),
        ])
        .await
        .expect("changes");
    assert_eq!(outcome.divergences, 0);
    group.finish(&at(1), &at(2)).await.expect("a commit");
    assert_eq!(
        show(&server, "SELECT a, s FROM d.t ORDER BY a").await,
        "1,a;2,b;3,NULL"
    );
    let stored = target.stored().await.expect("a state").expect("a task");
    assert_eq!(stored.checkpoint, Some(at(2)));
}

#[tokio::test]
async fn zeros_are_told_apart_by_their_sign() {
    let server = start(Flavour::MySql97).await;
    let target = claimed(&server).await;
    let table = planned(&server, &target, "t", "a INT, d DOUBLE ZEROFILL, f FLOAT").await;
    let mut group = target.open_commit(Strict).await.expect("a group");
    group
        .add(&[
            insert(&table, &["1", "0", "-0"]),
            insert(&table, &["1", "-0", "-0"]),
            insert(&table, &["1", "-0", "0"]),
            delete(&table, &["1", "-0", "-0"]),
            update(&table, &["1", "-0", "0"], &["2", "0", "0"]),
        ])
        .await
        .expect("changes");
    group.finish(&at(1), &at(2)).await.expect("a commit");
    assert_eq!(
        show(&server, "SELECT a, d, f FROM d.t ORDER BY a").await,
        format!("1,{0}0,-0;2,{0}0,0", "0".repeat(21))
    );
}

#[tokio::test]
async fn a_missing_row_is_a_divergence() {
    let server = start(Flavour::MySql97).await;
    let target = claimed(&server).await;
    let table = planned(&server, &target, "t", "a INT, s VARCHAR(9)").await;
    let mut group = target.open_commit(Strict).await.expect("a group");
    let outcome = group
        .add(&[
            delete(&table, &["1", "x"]),
            update(&table, &["2", "y"], &["2", "z"]),
        ])
        .await
        .expect("changes");
    assert_eq!(outcome.divergences, 2);
    group.finish(&at(1), &at(2)).await.expect("a commit");
    assert_eq!(show(&server, "SELECT * FROM d.t").await, "2,z");
}

/// The checkpoint and the rows move together or not at all.
#[tokio::test]
async fn a_group_from_a_wrong_checkpoint_leaves_nothing() {
    for flavour in [Flavour::MySql97, Flavour::MySql56, Flavour::MariaDb] {
        let server = start(flavour).await;
        let target = claimed(&server).await;
        let table = planned(&server, &target, "t", "a INT").await;
        let mut group = target.open_commit(Strict).await.expect("a group");
        group.add(&[insert(&table, &["1"])]).await.expect("a row");
        let fault = group
            .finish(&at(5), &at(6))
            .await
            .expect_err("another checkpoint is stored");
        assert_eq!(fault.class, Class::Bug, "{fault}");
        assert_eq!(show(&server, "SELECT COUNT(*) FROM d.t").await, "0");
        let stored = target.stored().await.expect("a state").expect("a task");
        assert_eq!(stored.checkpoint, Some(at(1)));
        let mut group = target.open_commit(Strict).await.expect("a group");
        group.add(&[insert(&table, &["1"])]).await.expect("a row");
        group.finish(&at(1), &at(2)).await.expect("a commit");
        assert_eq!(show(&server, "SELECT COUNT(*) FROM d.t").await, "1");
    }
}

/// A server that dies in the middle of a COMMIT: either both are there or neither, and the
/// answer of `finish` says which.
#[tokio::test]
async fn a_lost_commit_is_resolved() {
    let server = start_with(Flavour::MySql97, &["--innodb-flush-log-at-trx-commit=1"]).await;
    let mut target = claimed(&server).await;
    let table = planned(&server, &target, "t", "a INT").await;
    let mut stored = 1;
    let mut written = 0;
    for round in 0..4u64 {
        let mut group = target.open_commit(Strict).await.expect("a group");
        group.add(&[insert(&table, &["1"])]).await.expect("a row");
        let finish = tokio::spawn(async move { group.finish(&at(stored), &at(stored + 1)).await });
        tokio::time::sleep(Duration::from_micros(300 * round)).await;
        server.kill9().expect("a kill");
        let result = finish.await.expect("a task");
        server.restart().await.expect("a restart");
        // A pool may still hold a session to the dead server: what asks next is a new runner.
        target = unclaimed(&server).await;
        target.claim().await.expect("a claim");
        let task = target.stored().await.expect("a state").expect("a task");
        let now = task.checkpoint.expect("a checkpoint");
        if now == at(stored + 1) {
            written += 1;
            stored += 1;
        } else {
            assert_eq!(now, at(stored));
            assert!(result.is_err(), "a commit was called sure and is not there");
        }
        assert_eq!(
            show(&server, "SELECT COUNT(*) FROM d.t").await,
            written.to_string()
        );
    }
}

/// The session of the commit is killed while another one holds up its checkpoint's row.
#[tokio::test]
async fn an_answer_lost_with_the_connection_is_resolved() {
    let server = start(Flavour::MySql97).await;
    let target = claimed(&server).await;
    let table = planned(&server, &target, "t", "a INT").await;
    let mut group = target.open_commit(Strict).await.expect("a group");
    group.add(&[insert(&table, &["1"])]).await.expect("a row");
    let mut admin = control(&server).await;
    let list = admin.query("SHOW PROCESSLIST").await.expect("a list");
    let own = admin.connection_id().to_string();
    for index in 0..list.rows.len() {
        let id = list.text(index, 0).expect("an id").to_owned();
        if id != own && list.text(index, 1) == Some("mover") {
            let _ = admin.execute(format!("KILL {id}")).await;
        }
    }
    let fault = group
        .finish(&at(1), &at(2))
        .await
        .expect_err("nothing was committed");
    assert_eq!(fault.class, Class::Transient);
    assert_eq!(show(&server, "SELECT COUNT(*) FROM d.t").await, "0");
}

/// Tables of a family, as a source that does not log its cascades has them.
async fn family(server: &Server, target: &MysqlTarget) -> [Arc<Table>; 2] {
    let cascading = |table: Arc<Table>| {
        Arc::new(Table {
            exactness: Exactness::Cascading,
            ..table.as_ref().clone()
        })
    };
    let parent = planned(server, target, "p", "id INT PRIMARY KEY, v VARCHAR(9)").await;
    let body = "id INT PRIMARY KEY, p INT, FOREIGN KEY (p) REFERENCES d.p (id) ON DELETE CASCADE ON UPDATE CASCADE";
    let child = planned(server, target, "c", body).await;
    [cascading(parent), cascading(child)]
}

/// Cases 86, 98, 156 to 159: the target cascades where the source did, and nowhere else.
#[tokio::test]
async fn changes_of_a_family_cascade_as_at_the_source() {
    for flavour in [Flavour::MySql97, Flavour::MySql56, Flavour::MariaDb] {
        let server = start(flavour).await;
        let target = claimed(&server).await;
        let [p, c] = family(&server, &target).await;
        let mut group = target.open_commit(Strict).await.expect("a group");
        let mut changes = vec![
            insert(&p, &["1", "a"]),
            insert(&p, &["2", "b"]),
            insert(&p, &["3", "c"]),
            insert(&c, &["1", "1"]),
            insert(&c, &["2", "2"]),
            insert(&c, &["3", "3"]),
            update(&p, &["1", "a"], &["10", "a"]),
            delete(&p, &["2", "b"]),
            // A statement on both tables logs the child behind the parent that took it along.
            delete(&c, &["2", "2"]),
            insert(&p, &["2", "again"]),
        ];
        // Sent with checks off at the source: its child stays, and the parent comes back.
        let unchecked = |change| Change {
            unchecked: true,
            ..change
        };
        changes.push(unchecked(delete(&p, &["3", "c"])));
        changes.push(unchecked(insert(&p, &["3", "d"])));
        let outcome = group.add(&changes).await.expect("changes");
        assert_eq!(outcome.divergences, 0, "{flavour:?}");
        group.finish(&at(1), &at(2)).await.expect("a commit");
        let rows = "SELECT id, v FROM d.p UNION ALL SELECT id, p FROM d.c ORDER BY 1, 2";
        assert_eq!(
            show(&server, rows).await,
            "1,10;2,again;3,3;3,d;10,a",
            "{flavour:?}"
        );
    }
}

#[tokio::test]
async fn a_family_that_differs_is_mended_without_removing_rows() {
    let server = start(Flavour::MySql97).await;
    let target = claimed(&server).await;
    let [p, c] = family(&server, &target).await;
    server
        .sql("INSERT INTO d.p VALUES (1, 'other'); INSERT INTO d.c VALUES (1, 1)")
        .await
        .expect("rows");
    let mut group = target.open_commit(Strict).await.expect("a group");
    let outcome = group
        .add(&[
            insert(&p, &["1", "a"]),
            update(&p, &["2", "b"], &["2", "c"]),
            insert(&c, &["2", "2"]),
        ])
        .await
        .expect("changes");
    assert_eq!(outcome.divergences, 2);
    group.finish(&at(1), &at(2)).await.expect("a commit");
    assert_eq!(show(&server, "SELECT * FROM d.p").await, "1,a;2,c");
    assert_eq!(show(&server, "SELECT * FROM d.c").await, "1,1;2,2");
    // A delete that no cascade explains is one as well.
    let mut group = target.open_commit(Strict).await.expect("a group");
    let outcome = group
        .add(&[delete(&c, &["9", "9"])])
        .await
        .expect("changes");
    assert_eq!(outcome.divergences, 1);
    let fault = group.add(&[insert(&c, &["7", "7"])]).await;
    let fault = fault.expect_err("no parent");
    assert_eq!((fault.code, fault.class), ("TGT-026", Class::Operator));
    drop(group);
    // The next transaction of the pool checks nothing again.
    let mut group = target.open_commit(Strict).await.expect("a group");
    let unchecked = Change {
        unchecked: true,
        ..insert(&c, &["8", "8"])
    };
    group.add(&[unchecked]).await.expect("an orphan");
    group.finish(&at(2), &at(3)).await.expect("a commit");
}

/// MySQL 9.7 cascades above its engine unless told otherwise, and then not far within one table.
#[tokio::test]
async fn a_cascade_that_the_target_refuses_says_so() {
    let server = start(Flavour::MySql97).await;
    let target = claimed(&server).await;
    let body =
        "id INT PRIMARY KEY, up INT, FOREIGN KEY (up) REFERENCES d.tree (id) ON DELETE CASCADE";
    let table = planned(&server, &target, "tree", body).await;
    let table = Arc::new(Table {
        exactness: Exactness::Cascading,
        ..table.as_ref().clone()
    });
    server
        .sql("INSERT INTO d.tree VALUES (1,NULL),(2,1),(3,1),(4,2),(5,2),(6,3),(7,3)")
        .await
        .expect("a tree");
    let mut group = target.open_commit(Strict).await.expect("a group");
    let fault = group.add(&[delete(&table, &["1", "NULL"])]).await;
    let fault = fault.expect_err("too many");
    assert_eq!(fault.code, "TGT-026");
    assert!(fault.message.ends_with("6575"), "{}", fault.message);
    assert!(fault.hint.contains("innodb_native_foreign_keys"));
    drop(group);
    assert_eq!(show(&server, "SELECT COUNT(*) FROM d.tree").await, "7");
    let selection = wherry_model::task::SelectSpec {
        databases: vec!["d".to_owned()],
        ..wherry_model::task::SelectSpec::default()
    };
    let items = target
        .precheck(&selection, &catalog_of(&[table.as_ref().clone()]))
        .await;
    let items = items.expect("items");
    assert!(items.iter().any(|item| item.id == "target-self-cascades"));
}
