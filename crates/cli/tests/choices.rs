//! What the user chooses for a definition change that has paused a table.

use crate::kill_ddl::{AT_COMMIT, kill_at};
use crate::kinds::{assert_rows, pair};
use crate::lanes::becomes;
use crate::runner::Wherry;
use wherry_testkit::{Flavour, compare};

const PAUSED: &str = "SELECT COUNT(*) FROM wherry.table_state WHERE stopped LIKE '%wherry skip%' AND stopped LIKE '%wherry replace%'";
const WAITING: &str = "SELECT (SELECT COUNT(*) FROM wherry.lane_table) + (SELECT COUNT(*) FROM wherry.table_state WHERE stopped IS NOT NULL)";

#[tokio::test(flavor = "multi_thread")]
async fn a_paused_table_goes_on_as_the_user_chooses() {
    let (source, target) = pair(Flavour::MySql97).await;
    source
        .sql(
            "CREATE DATABASE shop;
             CREATE TABLE shop.hand (id INT PRIMARY KEY, v INT); CREATE TABLE shop.other (id INT PRIMARY KEY, v INT);
             CREATE TABLE shop.twice (id INT PRIMARY KEY, v INT);
             INSERT INTO shop.hand VALUES (1, 1); INSERT INTO shop.other VALUES (1, 1); INSERT INTO shop.twice VALUES (1, 1)",
        )
        .await
        .expect("source data");
    let wherry = Wherry::new(&source, &target, &["shop"]);
    let running = wherry.start(&["run"]);
    running.hear_strict();
    // In the target each of them has a part of the change already, so that it refuses the rest.
    target
        .sql(
            "ALTER TABLE shop.hand ADD COLUMN c INT DEFAULT 5 FIRST; ALTER TABLE shop.other ADD KEY k (v);
             ALTER TABLE shop.twice ADD KEY k (v)",
        )
        .await
        .expect("changes by hand");
    source
        .sql(
            "ALTER TABLE shop.hand ADD COLUMN c INT DEFAULT 5; INSERT INTO shop.hand VALUES (2, 2, 2);
             ALTER TABLE shop.other ADD COLUMN d INT DEFAULT 7, ADD KEY k (v); UPDATE shop.other SET d = 8 WHERE id = 1;
             INSERT INTO shop.other VALUES (3, 3, 3);
             ALTER TABLE shop.twice ADD COLUMN d INT, ADD KEY k (v); ALTER TABLE shop.twice ADD COLUMN e INT",
        )
        .await
        .expect("changes");
    becomes(&target, PAUSED, "3", &running).await;
    running.stop();
    assert_refused(&wherry);
    wherry.finish(&["skip", "shop.hand"]).expect_code(0);
    let unfit = "ALTER TABLE shop.other ADD COLUMN e INT";
    wherry
        .finish(&["replace", "shop.other", "--with", unfit])
        .expect_code(0);
    let running = wherry.start(&["run"]);
    let again = "SELECT COUNT(*) FROM wherry.table_state WHERE stopped LIKE '%TGT-153%'";
    becomes(&target, again, "1", &running).await;
    running.stop();
    let fit = "ALTER TABLE shop.other ADD COLUMN d INT DEFAULT 7";
    wherry
        .finish(&["replace", "shop.other", "--with", fit])
        .expect_code(0);
    wherry.finish(&["resync", "shop.twice"]).expect_code(0);
    kill_at(&wherry, &source, &target, AT_COMMIT, "DO 0").await;
    let running = wherry.start(&["run"]);
    becomes(&target, WAITING, "0", &running).await;
    wherry.finish(&["verify"]).expect_code(0);
    running.stop();
    assert_rows(
        &target,
        "SELECT id, v, c FROM shop.hand ORDER BY 1",
        &["1/1/5", "2/2/2"],
    )
    .await;
    assert_rows(
        &target,
        "SELECT id, v, d FROM shop.other ORDER BY 1",
        &["1/1/8", "3/3/3"],
    )
    .await;
    let chosen = "SELECT table_name, JSON_EXTRACT(content, '$.action'), chosen_by <> '', done FROM wherry.ddl_choice ORDER BY 1";
    let expected = [
        "hand/\"skip\"/1/1",
        "other/{\"replace\": \"ALTER TABLE shop.other ADD COLUMN d INT DEFAULT 7\"}/1/1",
    ];
    assert_rows(&target, chosen, &expected).await;
}

/// What cannot be sure to be right touches nothing.
fn assert_refused(wherry: &Wherry) {
    let refused = |words: &[&str], code: i32, expected: &str| {
        let finished = wherry.finish(words).expect_code(code);
        assert_eq!(finished.error_code(), expected, "{words:?}");
    };
    refused(&["skip", "shop.other"], 3, "TGT-153");
    refused(&["skip", "shop.twice"], 3, "LAN-011");
    refused(&["skip", "shop.hand", "shop.other"], 2, "LAN-013");
    let drop = "DROP TABLE shop.other";
    refused(&["replace", "shop.other", "--with", drop], 2, "LAN-012");
    let hand = "ALTER TABLE shop.hand ADD d INT";
    refused(&["replace", "shop.other", "--with", hand], 2, "LAN-012");
}

/// A table that leaves out deletes goes on behind its statement, leaves out what the rule says, and
/// applies and counts every change once.
#[tokio::test(flavor = "multi_thread")]
async fn a_table_that_leaves_out_changes_goes_on_too() {
    const NAMES: [&str; 3] = ["again", "by_hand", "instead"];
    let (source, target) = pair(Flavour::MySql97).await;
    let each = |sql: &str| -> String {
        let named = NAMES.map(|name| sql.replace("{}", &format!("shop.{name}")));
        named.join("; ")
    };
    source
        .sql("CREATE DATABASE shop")
        .await
        .expect("a database");
    source
        .sql(&each(
            "CREATE TABLE {} (id INT PRIMARY KEY, v INT); INSERT INTO {} VALUES (1, 1), (2, 2), (3, 3)",
        ))
        .await
        .expect("source data");
    let wherry = Wherry::new(&source, &target, &["shop"])
        .select("tables: [{table: 'shop.*', operations: [ddl, insert, update]}]");
    let running = wherry.start(&["run"]);
    running.hear_strict();
    target
        .sql(&each("ALTER TABLE {} ADD KEY k (v)"))
        .await
        .expect("a change by hand");
    source
        .sql(&each(
            "DELETE FROM {} WHERE id = 1; UPDATE {} SET id = 4 WHERE id = 3;
             ALTER TABLE {} ADD COLUMN d INT DEFAULT 7, ADD KEY k (v);
             DELETE FROM {} WHERE id = 2; INSERT INTO {} VALUES (3, 30, 30); UPDATE {} SET id = 5 WHERE id = 4;
             DELETE FROM {} WHERE id = 3",
        ))
        .await
        .expect("changes");
    becomes(&target, PAUSED, "3", &running).await;
    running.stop();
    target
        .sql("ALTER TABLE shop.again DROP KEY k; ALTER TABLE shop.by_hand ADD COLUMN d INT DEFAULT 7")
        .await
        .expect("mended by hand");
    wherry.finish(&["retry", "shop.again"]).expect_code(0);
    wherry.finish(&["skip", "shop.by_hand"]).expect_code(0);
    let instead = "ALTER TABLE shop.instead ADD COLUMN d INT DEFAULT 7";
    wherry
        .finish(&["replace", "shop.instead", "--with", instead])
        .expect_code(0);
    kill_at(&wherry, &source, &target, AT_COMMIT, "DO 0").await;
    let running = wherry.start(&["run"]);
    becomes(&target, WAITING, "0", &running).await;
    wherry.finish(&["verify"]).expect_code(0);
    running.stop();
    for name in NAMES {
        let rows = format!("SELECT id, v, d FROM shop.{name} ORDER BY 1");
        assert_rows(&target, &rows, &["1/1/7", "2/2/7", "3/30/30", "5/3/7"]).await;
        let counted = format!(
            "SELECT kind, change_count FROM wherry.left_change WHERE table_name = '{name}'"
        );
        assert_rows(&target, &counted, &["delete/3"]).await;
    }
}

/// A lane that goes on behind a paused statement meets what the stream has carried long ago: tables
/// that only point to one of its own, or were made like it, are none of its business.
#[tokio::test(flavor = "multi_thread")]
async fn a_lane_passes_over_what_only_mentions_its_tables() {
    let (source, target) = pair(Flavour::MySql97).await;
    source
        .sql("CREATE DATABASE shop; CREATE TABLE shop.t (id INT PRIMARY KEY, v INT); CREATE TABLE shop.old (id INT PRIMARY KEY, t INT); INSERT INTO shop.old VALUES (1, 2)")
        .await
        .expect("source data");
    let wherry = Wherry::new(&source, &target, &["shop"]);
    let running = wherry.start(&["run"]);
    running.hear_strict();
    let by_hand = "ALTER TABLE shop.t ADD KEY k (v)";
    target.sql(by_hand).await.expect("a change by hand");
    source
        .sql(
            "ALTER TABLE shop.t ADD COLUMN d INT, ADD KEY k (v);
             CREATE TABLE shop.child (id INT PRIMARY KEY, t INT, FOREIGN KEY (t) REFERENCES shop.t (id));
             CREATE TABLE IF NOT EXISTS shop.old (id INT PRIMARY KEY, t INT, FOREIGN KEY (t) REFERENCES shop.t (id));
             CREATE TABLE shop.brief (id INT PRIMARY KEY, t INT, FOREIGN KEY (t) REFERENCES shop.t (id)); DROP TABLE shop.brief;
             CREATE TABLE shop.alike LIKE shop.t; INSERT INTO shop.alike VALUES (1, 1, 1);
             INSERT INTO shop.t VALUES (2, 2, 2); INSERT INTO shop.child VALUES (1, 2); INSERT INTO shop.old VALUES (2, 2)",
        )
        .await
        .expect("changes");
    becomes(&target, "SELECT COUNT(*) FROM shop.old", "2", &running).await;
    becomes(&target, PAUSED, "1", &running).await;
    running.stop();
    let by_hand = "ALTER TABLE shop.t DROP KEY k";
    target.sql(by_hand).await.expect("the cause is gone");
    wherry.finish(&["retry", "shop.t"]).expect_code(0);
    let running = wherry.start(&["run"]);
    becomes(&target, WAITING, "0", &running).await;
    let later = "INSERT INTO shop.child VALUES (3, 2); INSERT INTO shop.old VALUES (3, 3)";
    source.sql(later).await.expect("later rows");
    wherry.finish(&["verify"]).expect_code(0);
    running.stop();
    assert_rows(&target, "SELECT COUNT(*) FROM shop.child", &["2"]).await;
    compare(&source.url("root"), &target.url("root"), &["shop"])
        .await
        .expect("comparison")
        .assert_equal();
}
