//! Idempotent and strict apply of keyed changes.

use super::*;
use wherry_engine::ports::ApplyMode::{Idempotent, Strict};
use wherry_model::Class;

const BODY: &str = "id INT PRIMARY KEY, u VARCHAR(20) UNIQUE, v INT";

/// Replaying any prefix again and then the whole gives what the source has.
#[tokio::test]
async fn replay_converges_although_unique_values_move() {
    let server = start(Flavour::MySql97).await;
    let target = claimed(&server).await;
    let table = planned(&server, &target, "t", BODY).await;
    // At the source a value is swapped between two rows, and a third takes part.
    let history = [
        insert(&table, &["1", "a", "0"]),
        insert(&table, &["2", "b", "0"]),
        update(&table, &["1", "a", "0"], &["1", "x", "0"]),
        update(&table, &["2", "b", "0"], &["2", "a", "1"]),
        update(&table, &["1", "x", "0"], &["1", "b", "1"]),
        insert(&table, &["3", "c", "0"]),
        delete(&table, &["3", "c", "0"]),
        update(&table, &["2", "a", "1"], &["7", "a", "2"]),
        insert(&table, &["2", "c", "NULL"]),
    ];
    let end = "1,b,1;2,c,NULL;7,a,2";
    for prefix in 0..=history.len() {
        target
            .apply(0, &history[..prefix], Idempotent)
            .await
            .expect("a prefix");
        target
            .apply(1, &history, Idempotent)
            .await
            .expect("the whole");
        assert_eq!(
            show(&server, "SELECT id, u, v FROM d.t ORDER BY id").await,
            end,
            "after a prefix of {prefix}"
        );
        assert!(target.owed().await.expect("owed").is_empty(), "{prefix}");
    }
}

/// A removed row is owed until its own change comes.
#[tokio::test]
async fn a_removed_row_is_owed() {
    let server = start(Flavour::MySql97).await;
    let target = claimed(&server).await;
    let table = planned(&server, &target, "t", BODY).await;
    // The chunk saw row 2 late, when it already had the value that row 1 has at this change.
    server
        .sql("INSERT INTO d.t VALUES (2, 'a', 5)")
        .await
        .expect("a row");
    let outcome = target
        .apply(0, &[insert(&table, &["1", "a", "0"])], Idempotent)
        .await
        .expect("a change");
    assert_eq!(outcome.removed, 1);
    let owed = target.owed().await.expect("owed");
    assert_eq!(owed.len(), 1);
    assert_eq!(owed[0].key, row(&["2"]));
    let later = [
        delete(&table, &["1", "a", "0"]),
        update(&table, &["2", "b", "5"], &["2", "a", "5"]),
    ];
    target.apply(0, &later, Idempotent).await.expect("the rest");
    assert!(target.owed().await.expect("owed").is_empty());
    assert_eq!(show(&server, "SELECT * FROM d.t").await, "2,a,5");
}

/// What a prefix or an expression holds up is found by the server, whatever the identity is.
#[tokio::test]
async fn holders_are_found_behind_prefixes_and_expressions() {
    let server = start(Flavour::MySql97).await;
    let target = claimed(&server).await;
    for (name, body, held, wanted) in [
        (
            "prefix",
            "id INT PRIMARY KEY, t TEXT, UNIQUE (t(3))",
            "(2, 'ABCx'), (5, 'other')",
            [["1", "abcy"], ["3", "q"]],
        ),
        (
            "expression",
            "id INT PRIMARY KEY, v INT, UNIQUE ((v % 41))",
            "(2, 42), (5, 7)",
            [["1", "1"], ["3", "3"]],
        ),
        (
            "prefix_key",
            "k VARCHAR(20), v INT, PRIMARY KEY (k(2))",
            "('abX', 0), ('other', 1)",
            [["ABy", "1"], ["q", "1"]],
        ),
        (
            "bits",
            "k BIT(10), v INT, PRIMARY KEY (k), UNIQUE ((v + 1))",
            "(b'1', 1), (b'1111', 9)",
            [["\0\u{2}", "1"], ["\0\u{3}", "3"]],
        ),
        (
            "moments",
            "k TIMESTAMP(3), e ENUM('x','y') DEFAULT 'y', v INT, PRIMARY KEY (k, e), UNIQUE ((v + 1))",
            "('2024-01-01 00:00:00.125', 'x', 1), ('2024-01-01 00:00:01', 'y', 9)",
            [
                ["2024-01-01 00:00:00.500", "1"],
                ["2024-01-02 00:00:00.000", "3"],
            ],
        ),
    ] {
        let table = planned(&server, &target, name, body).await;
        server
            .sql(&format!("INSERT INTO d.{name} VALUES {held}"))
            .await
            .expect("rows");
        let full = |values: &[&str; 2]| match name {
            "moments" => insert(&table, &[values[0], "y", values[1]]),
            _ => insert(&table, values),
        };
        let changes: Vec<_> = wanted.iter().map(full).collect();
        let outcome = target.apply(0, &changes, Idempotent).await.expect(name);
        assert_eq!(outcome.removed, 1, "{name}");
        let owed = target.owed().await.expect("owed");
        assert_eq!(owed.len(), 1, "{name}");
        let count = show(&server, &format!("SELECT COUNT(*) FROM d.{name}")).await;
        assert_eq!(count, "3", "{name}");
        // What is owed is paid under the key that the row had.
        let key = owed[0]
            .key
            .values()
            .map(|value| value.unwrap_or(b"").to_vec());
        let texts: Vec<String> = key
            .map(|value| String::from_utf8_lossy(&value).into_owned())
            .collect();
        let mut gone: Vec<&str> = texts.iter().map(String::as_str).collect();
        gone.resize(table.columns.len(), "NULL");
        target
            .apply(0, &[delete(&table, &gone)], Idempotent)
            .await
            .expect(name);
        assert!(target.owed().await.expect("owed").is_empty(), "{name}");
    }
}

#[tokio::test]
async fn strict_changes_touch_exactly_their_rows() {
    let server = start(Flavour::MySql97).await;
    let target = claimed(&server).await;
    let table = planned(&server, &target, "t", BODY).await;
    let history = [
        insert(&table, &["1", "a", "0"]),
        insert(&table, &["2", "b", "0"]),
        update(&table, &["1", "a", "0"], &["1", "a", "0"]),
        update(&table, &["2", "b", "0"], &["9", "b", "3"]),
        delete(&table, &["1", "a", "0"]),
        insert(&table, &["1", "NULL", "4"]),
    ];
    let outcome = target.apply(0, &history, Strict).await.expect("changes");
    assert_eq!((outcome.row_count, outcome.divergences), (6, 0));
    assert_eq!(
        show(&server, "SELECT * FROM d.t ORDER BY id").await,
        "1,NULL,4;9,b,3"
    );
}

#[tokio::test]
async fn divergences_are_recorded_and_mended() {
    let server = start(Flavour::MySql97).await;
    let target = claimed(&server).await;
    let table = planned(&server, &target, "t", BODY).await;
    server
        .sql("INSERT INTO d.t VALUES (1, 'stray', 0), (5, 'taken', 0)")
        .await
        .expect("rows of someone else");
    let changes = [
        insert(&table, &["1", "a", "1"]),
        update(&table, &["2", "b", "0"], &["2", "b", "1"]),
        delete(&table, &["3", "c", "0"]),
        insert(&table, &["4", "taken", "1"]),
        insert(&table, &["6", "f", "1"]),
    ];
    let outcome = target.apply(0, &changes, Strict).await.expect("changes");
    // The row that held `taken` is one more.
    assert_eq!(outcome.divergences, 5);
    assert_eq!(
        show(&server, "SELECT * FROM d.t ORDER BY id").await,
        "1,a,1;2,b,1;4,taken,1;6,f,1"
    );
    assert_eq!(
        show(&server, "SELECT kind FROM wherry.divergence ORDER BY id").await,
        "insert met a row;update found no row;delete found no row;insert met a row;row held another row's unique value"
    );
    assert!(target.owed().await.expect("owed").is_empty());
}

#[tokio::test]
async fn a_deadlock_is_done_again() {
    let server = start(Flavour::MySql97).await;
    let target = claimed(&server).await;
    let table = planned(&server, &target, "t", BODY).await;
    server
        .sql("INSERT INTO d.t VALUES (1, 'a', 0), (2, 'b', 0)")
        .await
        .expect("rows");
    let mut other = control(&server).await;
    other
        .execute_many(
            "SET innodb_lock_wait_timeout=60; START TRANSACTION; UPDATE d.t SET v=8 WHERE id=2",
        )
        .await
        .expect("a lock");
    // Two runs, because both change row 1: the worker locks row 1 and then waits for row 2.
    let changes = [
        update(&table, &["1", "a", "0"], &["1", "a", "1"]),
        update(&table, &["1", "a", "1"], &["1", "a", "2"]),
        update(&table, &["2", "b", "0"], &["2", "b", "2"]),
    ];
    let worker = tokio::spawn({
        let target = target.clone();
        async move { target.apply(0, &changes, Strict).await }
    });
    tokio::time::sleep(Duration::from_millis(500)).await;
    let _ = other.execute("UPDATE d.t SET v=9 WHERE id=1").await;
    let _ = other.execute("ROLLBACK").await;
    let outcome = worker.await.expect("a task").expect("changes");
    assert_eq!(outcome.divergences, 0);
    assert_eq!(
        show(&server, "SELECT * FROM d.t ORDER BY id").await,
        "1,a,2;2,b,2"
    );
}

#[tokio::test]
async fn a_refused_value_stops_its_table_and_is_not_shown() {
    let server = start(Flavour::MySql97).await;
    let target = claimed(&server).await;
    let table = planned(&server, &target, "t", BODY).await;
    server
        .sql("ALTER TABLE d.t MODIFY u VARCHAR(3)")
        .await
        .expect("a narrower column");
    let fault = target
        .apply(0, &[insert(&table, &["1", "secret", "0"])], Strict)
        .await
        .expect_err("too long");
    assert_eq!((fault.class, fault.code), (Class::Operator, "TGT-020"));
    assert!(fault.message.contains("`u`"), "{fault}");
    assert!(!format!("{fault} {:?}", fault.causes()).contains("secret"));
}

#[tokio::test]
async fn a_row_beyond_the_packet_limit_stops_its_table() {
    let server = start_with(Flavour::MySql97, &["--max-allowed-packet=1M"]).await;
    let target = claimed(&server).await;
    let table = planned(&server, &target, "t", "id INT PRIMARY KEY, b LONGBLOB").await;
    let many: Vec<_> = (0..40)
        .map(|id| insert(&table, &[&id.to_string(), &"'".repeat(100_000)]))
        .collect();
    target.apply(0, &many, Strict).await.expect("rows that fit");
    let large = "x".repeat(2 << 20);
    let fault = target
        .apply(0, &[insert(&table, &["99", &large])], Idempotent)
        .await
        .expect_err("a row that does not fit");
    assert_eq!(fault.code, "TGT-021");
    assert_eq!(
        show(&server, "SELECT COUNT(*), SUM(LENGTH(b)) FROM d.t").await,
        "40,4000000"
    );
}
