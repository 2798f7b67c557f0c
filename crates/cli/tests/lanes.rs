//! Tables that are loaded beside the stream, with a cursor of their own, while all others go on.

use crate::exact::Writers;
use crate::kill_ddl::AT_COMMIT;
use crate::runner::{Running, Wherry};
use mysql_async::prelude::Queryable;
use std::sync::Arc;
use std::time::Duration;
use wherry_testkit::{Flavour, Random, Server, ServerOptions, compare};

const ROWS: u64 = 20_000;

async fn server(flavour: Flavour) -> Arc<Server> {
    let server = Server::start(flavour, ServerOptions::default()).await;
    Arc::new(server.expect("a server"))
}

/// Waits until a query gives this value. The query is the event: nothing tells of it otherwise.
pub async fn becomes(server: &Server, query: &str, wanted: &str, running: &Running) {
    let begin = std::time::Instant::now();
    let mut pace = tokio::time::interval(Duration::from_millis(50));
    loop {
        pace.tick().await;
        let found = server.value(query).await.ok().flatten();
        if found.as_deref() == Some(wanted) {
            return;
        }
        assert!(
            begin.elapsed() < Duration::from_secs(120),
            "{query} gave {found:?}, wanted {wanted}; {}",
            running.stderr()
        );
    }
}

/// Waits until a table is followed by the main stream, none waits and none has stopped.
pub async fn joined(target: &Server, table: &str, running: &Running) {
    let query = format!(
        "SELECT CONCAT((SELECT COUNT(*) FROM wherry.table_state WHERE CONCAT(database_name, '.', table_name) = '{table}' AND stopped IS NULL AND stage = 'complete'), ' ', \
                (SELECT COUNT(*) FROM wherry.lane_table))"
    );
    becomes(target, &query, "1 0", running).await;
}

/// Rows for a table `(id INT PRIMARY KEY, v INT, u VARCHAR(40) UNIQUE)`.
async fn fill(source: &Server, table: &str) {
    let mut values = Vec::new();
    for id in 0..ROWS {
        values.push(format!("({id}, {id}, 'u{id}')"));
        if values.len() == 1000 {
            let sql = format!("INSERT INTO {table} VALUES {}", values.join(","));
            source.sql(&sql).await.expect("rows");
            values.clear();
        }
    }
}

/// Writes to every table that may be there at the moment; what is not there refuses.
fn on_any_table(random: &mut Random) -> String {
    const TABLES: [&str; 7] = [
        "shop.busy",
        "shop.fresh",
        "staging.fresh",
        "staging.next",
        "staging.old",
        "shop.part",
        "crm.late",
    ];
    let table = TABLES[random.below(TABLES.len() as u64) as usize];
    let id = random.below(ROWS + 500);
    match random.below(4) {
        0 => format!("DELETE FROM {table} WHERE id = {id}"),
        1 => format!(
            "INSERT INTO {table} (id, v, u) VALUES ({id}, 1, 'w{}')",
            random.below(ROWS)
        ),
        2 => format!(
            "UPDATE {table} SET u = 'u{}' WHERE id = {id}",
            random.below(ROWS)
        ),
        _ => format!("UPDATE {table} SET v = v + 1 WHERE id = {id}"),
    }
}

async fn assert_equal(wherry: &Wherry, source: &Server, target: &Server, databases: &[&str]) {
    wherry.finish(&["verify"]).expect_code(0);
    compare(&source.url("root"), &target.url("root"), databases)
        .await
        .expect("comparison")
        .assert_equal();
}

#[tokio::test(flavor = "multi_thread")]
async fn tables_that_enter_a_running_task_are_loaded() {
    let seed = Random::fresh_seed();
    eprintln!("lane seed {seed}");
    let source = server(Flavour::MySql97).await;
    let target = server(Flavour::MySql97).await;
    const COLUMNS: &str = "(id INT PRIMARY KEY, v INT, u VARCHAR(40), UNIQUE KEY u (u), KEY v (v))";
    source
        .sql(&format!(
            "CREATE DATABASE shop; CREATE DATABASE staging; CREATE DATABASE crm;
             CREATE TABLE shop.busy {COLUMNS}; CREATE TABLE staging.fresh {COLUMNS}; CREATE TABLE staging.next {COLUMNS};
             CREATE TABLE crm.late {COLUMNS};
             CREATE TABLE shop.part (id INT PRIMARY KEY, v INT, u VARCHAR(40)) PARTITION BY RANGE (id) (PARTITION low VALUES LESS THAN (1000), PARTITION high VALUES LESS THAN MAXVALUE);
             CREATE TABLE shop.other (id INT PRIMARY KEY, v INT, u VARCHAR(40));
             INSERT INTO shop.part VALUES (1, 1, 'a'), (2000, 2, 'b'); INSERT INTO shop.other VALUES (5, 5, 'e'), (6, 6, 'f')"
        ))
        .await
        .expect("tables");
    for table in ["shop.busy", "staging.fresh", "staging.next", "crm.late"] {
        fill(&source, table).await;
    }
    let wherry = Wherry::new(&source, &target, &["shop"]);
    let running = wherry.start(&["run"]);
    running.hear_strict();
    let mut writers = Writers::start(&source, seed, on_any_table);
    writers.wait_for(50).await;
    source
        .sql("RENAME TABLE staging.fresh TO shop.fresh")
        .await
        .expect("renamed into the selection");
    joined(&target, "shop.fresh", &running).await;
    // One leaves and another one takes its name.
    source
        .sql("RENAME TABLE shop.busy TO staging.old, staging.next TO shop.busy")
        .await
        .expect("a swap over the border");
    becomes(
        &target,
        "SELECT COUNT(*) > 1 FROM wherry.loss_ledger WHERE code = 'TGT-044'",
        "0",
        &running,
    )
    .await;
    source
        .sql(
            "ALTER TABLE shop.part EXCHANGE PARTITION low WITH TABLE shop.other;
             CREATE TABLE shop.alike LIKE staging.old; INSERT INTO shop.alike VALUES (1, 1, 'x')",
        )
        .await
        .expect("rows that no binlog tells");
    joined(&target, "shop.alike", &running).await;
    joined(&target, "shop.other", &running).await;
    joined(&target, "shop.busy", &running).await;
    running.stop();
    // A database that the task file did not have before.
    let wherry = Wherry::new(&source, &target, &["shop", "crm"]);
    let running = wherry.start(&["run"]);
    joined(&target, "crm.late", &running).await;
    writers.wait_for(100).await;
    writers.stop().await;
    assert_equal(&wherry, &source, &target, &["shop", "crm"]).await;
    assert!(
        running
            .last("progress")
            .is_some_and(|line| line["stream"]["divergences"] == 0)
    );
    running.stop();
}

fn on_odd_tables(random: &mut Random) -> String {
    let id = random.below(ROWS);
    match random.below(6) {
        0 => format!("INSERT INTO shop.heap VALUES ({}, 'h')", random.below(50)),
        1 => format!(
            "DELETE FROM shop.heap WHERE a = {} LIMIT 1",
            random.below(50)
        ),
        2 => format!(
            "UPDATE shop.heap SET b = CONCAT(b, 'x') WHERE a = {}",
            random.below(50)
        ),
        3 => format!(
            "UPDATE shop.keyed SET v = v + 1, u = 'x{}' WHERE id = {id}",
            random.below(ROWS)
        ),
        4 => format!("DELETE FROM shop.keyed WHERE id = {id}"),
        _ => format!("REPLACE INTO shop.calm VALUES ({id}, {id}, 'c{id}')"),
    }
}

/// `kill -9` at random moments of the lane, and each row still comes once.
async fn resync_and_kill(flavour: Flavour, kills: u32) {
    let seed = Random::fresh_seed();
    eprintln!("resync seed {seed}");
    let mut random = Random::new(seed);
    let source = server(flavour).await;
    let target = server(Flavour::MySql97).await;
    source
        .sql(
            "CREATE DATABASE shop; USE shop;
             CREATE TABLE heap (a INT, b VARCHAR(200)) ENGINE=InnoDB;
             CREATE TABLE keyed (id INT PRIMARY KEY, v INT, u VARCHAR(40), UNIQUE KEY u (u), KEY v (v)) ENGINE=InnoDB;
             CREATE TABLE calm (id INT PRIMARY KEY, v INT, u VARCHAR(40)) ENGINE=InnoDB",
        )
        .await
        .expect("tables");
    fill(&source, "shop.keyed").await;
    source
        .sql("INSERT INTO shop.heap SELECT id % 50, u FROM shop.keyed LIMIT 300")
        .await
        .expect("rows without a key");
    let wherry = Wherry::new(&source, &target, &["shop"]);
    let running = wherry.start(&["run"]);
    running.hear_strict();
    running.stop();
    let mut writers = Writers::start(&source, seed, on_odd_tables);
    writers.wait_for(50).await;
    for round in 0..kills {
        if round % 3 == 0 {
            // What the lane repairs: rows that the target lost and others that it should not have.
            wherry
                .finish(&["resync", "shop.heap", "shop.keyed"])
                .expect_code(0);
            target
                .sql("DELETE FROM shop.keyed WHERE id < 100; INSERT INTO shop.heap VALUES (-1, 'stranger')")
                .await
                .expect("a damaged target");
        }
        let running = wherry.start(&["run"]);
        running.hear("the stream", |line| line["phase"] == "stream");
        tokio::time::sleep(Duration::from_millis(random.below(2000))).await;
        running.signal("KILL");
        running.wait();
    }
    let running = wherry.start(&["run"]);
    joined(&target, "shop.heap", &running).await;
    joined(&target, "shop.keyed", &running).await;
    writers.wait_for(100).await;
    writers.stop().await;
    assert_equal(&wherry, &source, &target, &["shop"]).await;
    running.stop();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_resync_killed_anywhere_goes_on() {
    resync_and_kill(Flavour::MariaDb, 6).await;
}

async fn kin() -> (Arc<Server>, Arc<Server>) {
    let source = server(Flavour::MySql97).await;
    let target = server(Flavour::MySql97).await;
    source
        .sql(
            "CREATE DATABASE shop; USE shop;
             CREATE TABLE bulk (id INT PRIMARY KEY, v INT, u VARCHAR(40), UNIQUE KEY u (u), KEY v (v));
             CREATE TABLE parent (id INT PRIMARY KEY, v INT, u VARCHAR(40));
             CREATE TABLE child (id INT PRIMARY KEY, p INT, FOREIGN KEY (p) REFERENCES parent (id));
             CREATE TABLE calm (id INT PRIMARY KEY, v INT, u VARCHAR(40))",
        )
        .await
        .expect("tables");
    for table in ["shop.bulk", "shop.parent"] {
        fill(&source, table).await;
    }
    source
        .sql("INSERT INTO shop.child SELECT id, id FROM shop.parent")
        .await
        .expect("children");
    (source, target)
}

#[tokio::test(flavor = "multi_thread")]
async fn definitions_change_while_their_table_is_loaded_beside() {
    let (source, target) = kin().await;
    let wherry = Wherry::new(&source, &target, &["shop"]).extra("load: {readers: 1, writers: 1}");
    wherry.finish(&["resync", "shop.bulk"]).expect_code(3);
    let running = wherry.start(&["run"]);
    running.hear_strict();
    running.stop();
    for (word, code) in [
        ("shop.none", "LAN-004"),
        ("crm.none", "LAN-004"),
        ("none", "LAN-008"),
    ] {
        let refused = wherry.finish(&["resync", word]).expect_code(2);
        assert_eq!(refused.error_code(), code, "{word}");
    }
    wherry
        .finish(&["resync", "shop.bulk", "shop.parent"])
        .expect_code(0);
    let running = wherry.start(&["run"]);
    running.hear("the lane", |line| line["lane"].is_object());
    source
        .sql(
            "USE shop;
             ALTER TABLE bulk ADD COLUMN extra INT DEFAULT 7 FIRST, ALGORITHM=INSTANT;
             UPDATE bulk SET extra = id, v = -v WHERE id % 7 = 0;
             ALTER TABLE calm ADD COLUMN w INT;
             INSERT INTO calm VALUES (1, 1, 'c', 2)",
        )
        .await
        .expect("changes");
    becomes(
        &target,
        "SELECT w FROM shop.calm WHERE id = 1",
        "2",
        &running,
    )
    .await;
    source
        .sql(
            "USE shop;
             RENAME TABLE bulk TO moved;
             CREATE TABLE bulk LIKE moved;
             INSERT INTO bulk SELECT * FROM moved WHERE id < 10;
             TRUNCATE TABLE calm;
             INSERT INTO calm VALUES (2, 2, 'd', 3);
             UPDATE parent SET v = 0 WHERE id < 100",
        )
        .await
        .expect("more changes");
    for table in ["shop.moved", "shop.bulk", "shop.parent"] {
        joined(&target, table, &running).await;
    }
    assert_equal(&wherry, &source, &target, &["shop"]).await;
    running.stop();
}

/// The target refuses a change, the operator mends it, and the table goes on without a load.
#[tokio::test(flavor = "multi_thread")]
async fn a_paused_table_goes_on_from_its_place() {
    let source = server(Flavour::MySql56).await;
    let target = server(Flavour::MySql97).await;
    source
        .sql(
            "CREATE DATABASE shop; USE shop;
             CREATE TABLE heap (a INT, b VARCHAR(200)) ENGINE=InnoDB;
             CREATE TABLE keyed (id INT PRIMARY KEY, v INT, u VARCHAR(40)) ENGINE=InnoDB;
             CREATE TABLE calm (id INT PRIMARY KEY, v INT, u VARCHAR(40)) ENGINE=InnoDB;
             INSERT INTO heap VALUES (1, 'a'), (1, 'a'), (2, 'b'); INSERT INTO keyed VALUES (1, 1, 'a'), (2, 2, 'b')",
        )
        .await
        .expect("tables");
    let wherry = Wherry::new(&source, &target, &["shop"]);
    let running = wherry.start(&["run"]);
    running.hear_strict();
    target
        .sql(
            "ALTER TABLE shop.heap ADD INDEX extra (a); ALTER TABLE shop.keyed ADD INDEX extra (v)",
        )
        .await
        .expect("what stands in the way");
    source
        .sql(
            "USE shop;
             INSERT INTO heap VALUES (3, 'c'); ALTER TABLE heap ADD INDEX extra (b(20)); ALTER TABLE keyed ADD INDEX extra (u);
             INSERT INTO heap VALUES (4, 'd'); ALTER TABLE heap ADD COLUMN c INT DEFAULT 5 FIRST; UPDATE heap SET c = 6 WHERE a = 1;
             TRUNCATE TABLE keyed; ALTER TABLE keyed DROP COLUMN v; INSERT INTO keyed VALUES (7, 'z');
             INSERT INTO calm VALUES (1, 1, 'c')",
        )
        .await
        .expect("changes");
    let stopped = "SELECT COUNT(*) FROM wherry.table_state WHERE stopped LIKE '%wherry retry%'";
    becomes(&target, stopped, "2", &running).await;
    becomes(&target, "SELECT COUNT(*) FROM shop.calm", "1", &running).await;
    running.stop();
    let refused = wherry.finish(&["retry", "shop.calm"]).expect_code(2);
    assert_eq!(refused.error_code(), "LAN-009");
    // Nothing is mended yet, so it is paused again at the same place.
    wherry.finish(&["retry", "shop.keyed"]).expect_code(0);
    let running = wherry.start(&["run"]);
    becomes(
        &target,
        "SELECT COUNT(*) FROM wherry.loss_ledger",
        "3",
        &running,
    )
    .await;
    becomes(&target, stopped, "2", &running).await;
    running.stop();
    target
        .sql("ALTER TABLE shop.heap DROP INDEX extra; ALTER TABLE shop.keyed DROP INDEX extra")
        .await
        .expect("mended");
    wherry
        .finish(&["retry", "shop.heap", "shop.keyed"])
        .expect_code(0);
    let running = wherry.start(&["run"]);
    joined(&target, "shop.heap", &running).await;
    joined(&target, "shop.keyed", &running).await;
    source
        .sql("INSERT INTO shop.heap VALUES (8, 8, 'h'); INSERT INTO shop.keyed VALUES (8, 'h')")
        .await
        .expect("later rows");
    assert_equal(&wherry, &source, &target, &["shop"]).await;
    assert!(
        !running.stderr().contains("loading beside"),
        "nothing is loaded again"
    );
    running.stop();
}

/// A definition that Wherry does not carry stops its table; the others are compared and loaded anew.
#[tokio::test(flavor = "multi_thread")]
async fn a_refused_table_hinders_no_other() {
    let (source, target) = (
        server(Flavour::MySql97).await,
        server(Flavour::MySql97).await,
    );
    source
        .sql(
            "CREATE DATABASE shop; CREATE TABLE shop.good (id INT PRIMARY KEY, v INT);
             CREATE TABLE shop.odd (id INT PRIMARY KEY, v INT);
             INSERT INTO shop.good VALUES (1, 1); INSERT INTO shop.odd VALUES (1, 1)",
        )
        .await
        .expect("tables");
    let wherry = Wherry::new(&source, &target, &["shop"]);
    let running = wherry.start(&["run"]);
    running.hear_strict();
    source
        .sql("ALTER TABLE shop.odd ENGINE = BLACKHOLE; INSERT INTO shop.good VALUES (2, 2)")
        .await
        .expect("an engine that nobody reads");
    let stopped = "SELECT COUNT(*) FROM wherry.table_state WHERE stopped IS NOT NULL";
    becomes(&target, stopped, "1", &running).await;
    becomes(&target, "SELECT COUNT(*) FROM shop.good", "2", &running).await;
    let verified = wherry.finish(&["verify"]);
    assert_eq!(verified.error_code(), "", "{}", verified.stderr);
    let told = format!("{:?}", verified.lines);
    assert!(
        told.contains("`shop`.`good`") && told.contains("`shop`.`odd`"),
        "{told}"
    );
    target
        .sql("DELETE FROM shop.good WHERE id = 1")
        .await
        .expect("damage");
    running.stop();
    wherry
        .finish(&["resync", "shop.good", "shop.odd"])
        .expect_code(0);
    let running = wherry.start(&["run"]);
    joined(&target, "shop.good", &running).await;
    assert_eq!(
        target.rows("SELECT * FROM shop.good").await.expect("rows"),
        source.rows("SELECT * FROM shop.good").await.expect("rows")
    );
    let refused = "SELECT COUNT(*) FROM wherry.table_state WHERE table_name = 'odd' AND stopped LIKE '%SRC-010%'";
    becomes(&target, refused, "1", &running).await;
    running.stop();
}

/// Keeps the stream of the next run from going on: more rows than one worker's are updated, and a
/// session of the target holds them. Such a group does not hold the checkpoint while it waits.
async fn hold_stream(source: &Server, target: &Server) -> mysql_async::Conn {
    let update = source.sql("UPDATE shop.held SET v = v + 1").await;
    update.expect("rows that the stream waits for");
    let mut holder = target.connect().await.expect("a session");
    holder
        .query_drop("BEGIN; SELECT * FROM shop.held FOR UPDATE")
        .await
        .expect("their locks");
    holder
}

/// A stopped task of these tables, and `held` for [`hold_stream`].
async fn stopped_task(tables: &str) -> (Arc<Server>, Arc<Server>, Wherry) {
    let (source, target) = (
        server(Flavour::MySql97).await,
        server(Flavour::MySql97).await,
    );
    let rows: Vec<String> = (1..=200).map(|id| format!("({id}, 1)")).collect();
    let held = format!(
        "CREATE DATABASE shop; USE shop; CREATE TABLE held (id INT PRIMARY KEY, v INT); INSERT INTO held VALUES {}; {tables}",
        rows.join(",")
    );
    source.sql(&held).await.expect("tables");
    let wherry = Wherry::new(&source, &target, &["shop"]);
    let running = wherry.start(&["run"]);
    running.hear_strict();
    running.stop();
    (source, target, wherry)
}

/// The stream, further back, still has the name of its CHECK at another table.
#[tokio::test(flavor = "multi_thread")]
async fn a_table_waits_for_the_name_of_its_check() {
    let (source, target, wherry) = stopped_task(
        "CREATE TABLE had (id INT PRIMARY KEY, v INT, CONSTRAINT k CHECK (v > 0));
         CREATE TABLE has (id INT PRIMARY KEY, v INT); INSERT INTO had VALUES (1, 1); INSERT INTO has VALUES (1, 1)",
    )
    .await;
    let mut holder = hold_stream(&source, &target).await;
    source
        .sql(
            "ALTER TABLE shop.had DROP CHECK k; ALTER TABLE shop.has ADD CONSTRAINT k CHECK (v > 0);
             INSERT INTO shop.has VALUES (2, 2)",
        )
        .await
        .expect("the name moves");
    wherry.finish(&["resync", "shop.has"]).expect_code(0);
    let running = wherry.start(&["run"]);
    running.hear_log("the target refuses `shop`.`has`");
    holder.query_drop("ROLLBACK").await.expect("it goes on");
    joined(&target, "shop.has", &running).await;
    assert_equal(&wherry, &source, &target, &["shop"]).await;
    running.stop();
}

/// The stream meets a foreign key to a table that is loaded beside it, where it has the columns of a
/// later time.
#[tokio::test(flavor = "multi_thread")]
async fn a_foreign_key_to_a_table_of_a_later_time_has_its_own_loaded_anew() {
    let (source, target, wherry) = stopped_task(
        "CREATE TABLE parent (id INT PRIMARY KEY, v INT); CREATE TABLE child (id INT PRIMARY KEY, p INT, KEY (p));
         INSERT INTO parent VALUES (1, 1); INSERT INTO child VALUES (1, 1)",
    )
    .await;
    let mut holder = hold_stream(&source, &target).await;
    source
        .sql(
            "USE shop; ALTER TABLE child ADD CONSTRAINT f FOREIGN KEY (p) REFERENCES parent (id);
             ALTER TABLE child DROP FOREIGN KEY f; ALTER TABLE parent CHANGE id num INT;
             INSERT INTO parent VALUES (2, 2); INSERT INTO child VALUES (2, 2)",
        )
        .await
        .expect("definitions");
    wherry.finish(&["resync", "shop.parent"]).expect_code(0);
    let running = wherry.start(&["run"]);
    let later = "SELECT COUNT(*) FROM information_schema.COLUMNS WHERE TABLE_SCHEMA = 'shop' AND COLUMN_NAME = 'num'";
    becomes(&target, later, "1", &running).await;
    holder.query_drop("ROLLBACK").await.expect("it goes on");
    running.hear_log("`shop`.`child` is to be loaded anew");
    joined(&target, "shop.child", &running).await;
    joined(&target, "shop.parent", &running).await;
    assert_equal(&wherry, &source, &target, &["shop"]).await;
    running.stop();
}

/// The runner dies in the midst of a swap that gives the name of a lane's table to another one. The
/// lane does not go on before the swap is stored: what has that name now is not its table.
#[tokio::test(flavor = "multi_thread")]
async fn a_lane_waits_for_a_definition_change_that_is_half_done() {
    let (source, target, wherry) = stopped_task(
        "CREATE TABLE a (v INT); CREATE TABLE b (v INT); INSERT INTO a VALUES (1), (1); INSERT INTO b VALUES (2)",
    )
    .await;
    wherry.finish(&["resync", "shop.b"]).expect_code(0);
    let mut moment = target.connect().await.expect("a session");
    let trigger = format!(
        "CREATE TRIGGER wherry.moment {AT_COMMIT} FOR EACH ROW BEGIN DO GET_LOCK('moment', 600); SIGNAL SQLSTATE '45000'; END"
    );
    moment.query_drop(trigger).await.expect("a trigger");
    moment
        .query_drop("DO GET_LOCK('moment', 0)")
        .await
        .expect("a lock");
    // The lane cannot read its table before the names have changed.
    let mut holder = source.connect().await.expect("a session");
    let lock = "LOCK TABLES shop.a WRITE, shop.b WRITE";
    holder.query_drop(lock).await.expect("a lock");
    let running = wherry.start(&["run"]);
    let begun =
        "SELECT COUNT(*) FROM wherry.table_state WHERE table_name = 'b' AND stage = 'created'";
    becomes(&target, begun, "1", &running).await;
    let swap = "RENAME TABLE shop.a TO shop.aside, shop.b TO shop.a, shop.aside TO shop.b; UNLOCK TABLES; INSERT INTO shop.b VALUES (1)";
    holder.query_drop(swap).await.expect("a swap");
    let waits = "SELECT COUNT(*) FROM information_schema.PROCESSLIST WHERE STATE = 'User lock'";
    becomes(&target, waits, "1", &running).await;
    running.signal("KILL");
    drop(running);
    // The stream makes the view before it comes to the swap again, so the lane has its chance.
    source
        .sql("CREATE VIEW shop.w AS SELECT 1")
        .await
        .expect("a view");
    moment
        .query_drop(
            "DO RELEASE_LOCK('moment'); DROP TRIGGER wherry.moment;
             CREATE TRIGGER wherry.moment BEFORE INSERT ON wherry.object FOR EACH ROW DO GET_LOCK('moment', 600);
             DO GET_LOCK('moment', 600)",
        )
        .await
        .expect("another trigger");
    let lock = "LOCK TABLES shop.b WRITE";
    holder.query_drop(lock).await.expect("a lock");
    let running = wherry.start(&["run"]);
    becomes(&target, waits, "1", &running).await;
    wherry.finish(&["status"]).expect_code(0);
    running.signal("KILL");
    drop(running);
    moment
        .query_drop("DO RELEASE_LOCK('moment'); DROP TRIGGER wherry.moment")
        .await
        .expect("no trigger");
    let running = wherry.start(&["run"]);
    let stored =
        "SELECT COUNT(*) FROM wherry.table_state WHERE table_name = 'a' AND stage <> 'complete'";
    becomes(&target, stored, "1", &running).await;
    holder.query_drop("UNLOCK TABLES").await.expect("no lock");
    joined(&target, "shop.a", &running).await;
    joined(&target, "shop.b", &running).await;
    assert_equal(&wherry, &source, &target, &["shop"]).await;
    running.stop();
}

/// A table is loaded beside the stream while the one that its foreign key points to gets another
/// name: the key that is added behind the load points to that one.
#[tokio::test(flavor = "multi_thread")]
async fn a_parent_may_be_renamed_while_its_child_is_in_the_lane() {
    let (source, target, wherry) = stopped_task(
        "CREATE TABLE p (id INT PRIMARY KEY); CREATE TABLE c (id INT PRIMARY KEY, p INT, FOREIGN KEY (p) REFERENCES p (id));
         INSERT INTO p VALUES (1); INSERT INTO c VALUES (1, 1)",
    )
    .await;
    wherry.finish(&["resync", "shop.c"]).expect_code(0);
    let mut holder = source.connect().await.expect("a session");
    let lock = "LOCK TABLES shop.p WRITE, shop.c WRITE";
    holder.query_drop(lock).await.expect("a lock");
    let running = wherry.start(&["run"]);
    let begun =
        "SELECT COUNT(*) FROM wherry.table_state WHERE table_name = 'c' AND stage = 'created'";
    becomes(&target, begun, "1", &running).await;
    holder
        .query_drop("RENAME TABLE shop.p TO shop.q; UNLOCK TABLES")
        .await
        .expect("another name");
    source
        .sql("CREATE TABLE shop.p (id INT PRIMARY KEY); INSERT INTO shop.q VALUES (2); INSERT INTO shop.c VALUES (2, 2)")
        .await
        .expect("another table under the old name");
    joined(&target, "shop.c", &running).await;
    assert_equal(&wherry, &source, &target, &["shop"]).await;
    let points = "SELECT REFERENCED_TABLE_NAME FROM information_schema.REFERENTIAL_CONSTRAINTS WHERE CONSTRAINT_SCHEMA = 'shop'";
    assert_eq!(
        target.value(points).await.expect("a key").as_deref(),
        Some("q")
    );
    running.stop();
}
