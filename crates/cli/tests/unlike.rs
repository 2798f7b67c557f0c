//! Definition changes of which the target would make something else than the source did, or which
//! it refuses.

use crate::kill_ddl::{AT_COMMIT, kill_at};
use crate::lanes::{becomes, joined};
use crate::runner::{Running, Wherry};
use mysql_async::prelude::Queryable;
use wherry_testkit::{Flavour, Server, ServerOptions, compare};

const RELOAD: &str = "stream: {refused_ddl: reload}";

async fn server(flavour: Flavour) -> Server {
    let options = ServerOptions {
        gtid: false,
        ..ServerOptions::default()
    };
    Server::start(flavour, options).await.expect("a server")
}

async fn pair(flavour: Flavour) -> (Server, Server) {
    (server(flavour).await, server(Flavour::MySql97).await)
}

/// Waits until each table has this row and follows the stream.
async fn arrived(target: &Server, tables: &[&str], id: u32, running: &Running) {
    for table in tables {
        let row = format!("SELECT COUNT(*) FROM shop.{table} WHERE id = {id}");
        becomes(target, &row, "1", running).await;
        joined(target, &format!("shop.{table}"), running).await;
    }
}

async fn equal(wherry: &Wherry, source: &Server, target: &Server, running: Running) {
    wherry.finish(&["verify"]).expect_code(0);
    running.stop();
    for table in ["divergence", "loss_ledger"] {
        let count = format!("SELECT COUNT(*) FROM wherry.{table}");
        let count = target.value(&count).await.expect("a count");
        assert_eq!(count.as_deref(), Some("0"), "{table}");
    }
    compare(&source.url("root"), &target.url("root"), &["shop"])
        .await
        .expect("a comparison")
        .assert_equal();
}

/// A TIMESTAMP that becomes NOT NULL gets the statement's moment for NULL, also where the `sql_mode`
/// is strict: of MySQL where it copies the table, of MariaDB always.
async fn null_becomes_the_moment(flavour: Flavour) {
    let (source, target) = pair(flavour).await;
    source
        .sql(
            "CREATE DATABASE shop; USE shop;
             CREATE TABLE a (id INT PRIMARY KEY, t TIMESTAMP NULL, u TIMESTAMP(3) NULL);
             CREATE TABLE b (id INT PRIMARY KEY, t TIMESTAMP NULL);
             INSERT INTO a VALUES (1, NULL, NULL), (2, '2020-01-01', NULL); INSERT INTO b VALUES (1, NULL)",
        )
        .await
        .expect("source data");
    let wherry = Wherry::new(&source, &target, &["shop"]);
    let running = wherry.start(&["run"]);
    running.hear_strict();
    source
        .sql(
            "SET sql_mode = 'STRICT_ALL_TABLES';
             ALTER TABLE shop.a MODIFY u TIMESTAMP(3) NOT NULL FIRST, ALGORITHM=COPY;
             ALTER TABLE shop.a ALGORITHM=COPY, CHANGE t w TIMESTAMP NOT NULL;
             INSERT INTO shop.b VALUES (2, NULL)",
        )
        .await
        .expect("definition changes");
    let key = match flavour {
        Flavour::MariaDb => "SET sql_mode = 'STRICT_ALL_TABLES'",
        _ => "SET sql_mode = ''",
    };
    let key = format!("{key}; ALTER TABLE shop.b DROP PRIMARY KEY, ADD PRIMARY KEY (t, id)");
    source.sql(&key).await.expect("another key");
    source
        .sql("DELETE FROM shop.a WHERE id = 1; UPDATE shop.b SET id = 7 WHERE id = 2")
        .await
        .expect("rows");
    // From MariaDB both are loaded anew.
    arrived(&target, &["b"], 7, &running).await;
    joined(&target, "shop.a", &running).await;
    equal(&wherry, &source, &target, running).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn null_becomes_the_moment_from_97() {
    null_becomes_the_moment(Flavour::MySql97).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn null_becomes_the_moment_from_56() {
    null_becomes_the_moment(Flavour::MySql56).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn null_becomes_the_moment_from_mariadb() {
    null_becomes_the_moment(Flavour::MariaDb).await;
}

/// MySQL 5.6 makes parts of keys shorter than it was asked to, and logs what it was asked.
#[tokio::test(flavor = "multi_thread")]
async fn keys_that_56_makes_shorter_arrive_shorter() {
    let (source, target) = pair(Flavour::MySql56).await;
    source
        .sql(
            "CREATE DATABASE shop DEFAULT CHARACTER SET utf8mb4; USE shop;
             CREATE TABLE wide (id INT PRIMARY KEY, c VARCHAR(100), d VARCHAR(200) CHARACTER SET latin1, KEY c (c), KEY d (d));
             CREATE TABLE later (id INT PRIMARY KEY, c VARCHAR(300), b VARBINARY(900));
             CREATE TABLE calm (id INT PRIMARY KEY, c VARCHAR(300), KEY c (c(20)))",
        )
        .await
        .expect("source data");
    let wherry = Wherry::new(&source, &target, &["shop"]);
    let running = wherry.start(&["run"]);
    running.hear_strict();
    source
        .sql(
            "USE shop; SET sql_mode = '';
             ALTER TABLE wide MODIFY c VARCHAR(300);
             ALTER TABLE wide CONVERT TO CHARACTER SET utf8mb4;
             CREATE INDEX c ON later (c, id);
             ALTER TABLE later ADD KEY b (b);
             CREATE TABLE made (id INT PRIMARY KEY, t TEXT, KEY t (t(700)));
             ALTER TABLE calm MODIFY c VARCHAR(400);
             INSERT INTO wide VALUES (1, 'a', 'b'); INSERT INTO later VALUES (1, 'a', 'b');
             INSERT INTO made VALUES (1, 'a'); INSERT INTO calm VALUES (1, 'a')",
        )
        .await
        .expect("definition changes");
    arrived(&target, &["wide", "later", "made", "calm"], 1, &running).await;
    let reloads = running.said("`shop`.`calm` is to be loaded anew");
    assert_eq!(reloads.len(), 0, "{reloads:?}");
    equal(&wherry, &source, &target, running).await;
}

/// What MariaDB does and MySQL refuses, with tables that are loaded anew instead of paused.
#[tokio::test(flavor = "multi_thread")]
async fn refused_changes_have_their_tables_loaded_anew() {
    let (source, target) = pair(Flavour::MariaDb).await;
    source
        .sql(
            "CREATE DATABASE shop; USE shop;
             CREATE TABLE sums (id INT PRIMARY KEY, a INT, b INT AS (a + 1) STORED);
             CREATE TABLE checked (id INT PRIMARY KEY, a INT, CONSTRAINT small CHECK (a < 100));
             CREATE TABLE calm (id INT PRIMARY KEY);
             INSERT INTO sums (id, a) VALUES (1, 1); INSERT INTO checked VALUES (1, 1)",
        )
        .await
        .expect("source data");
    let wherry = Wherry::new(&source, &target, &["shop"]).extra(RELOAD);
    let running = wherry.start(&["run"]);
    running.hear_strict();
    source
        .sql(
            "USE shop;
             ALTER TABLE sums RENAME COLUMN a TO c;
             ALTER TABLE checked RENAME COLUMN a TO c;
             INSERT INTO sums (id, c) VALUES (2, 2); INSERT INTO checked VALUES (2, 2); INSERT INTO calm VALUES (2)",
        )
        .await
        .expect("definition changes");
    arrived(&target, &["sums", "checked"], 2, &running).await;
    let reloads = running.said("is to be loaded anew");
    assert_eq!(reloads.len(), 2, "{reloads:?}");
    equal(&wherry, &source, &target, running).await;
}

/// The second of two renames is refused, and the runner dies before it has stored what becomes of
/// both tables. Nothing of them stays under a name that the source does not have.
#[tokio::test(flavor = "multi_thread")]
async fn a_refused_list_of_renames_is_loaded_anew_also_after_a_crash() {
    let (source, target) = pair(Flavour::MariaDb).await;
    source
        .sql(
            "CREATE DATABASE shop; CREATE DATABASE crm; USE shop;
             CREATE TABLE first (id INT PRIMARY KEY, v INT);
             CREATE TABLE held (id INT PRIMARY KEY, CONSTRAINT same CHECK (id > 0));
             CREATE TABLE crm.second (id INT PRIMARY KEY, CONSTRAINT same CHECK (id > 0));
             INSERT INTO first VALUES (1, 1); INSERT INTO held VALUES (1); INSERT INTO crm.second VALUES (1)",
        )
        .await
        .expect("source data");
    let wherry = Wherry::new(&source, &target, &["shop", "crm"]).extra(RELOAD);
    let running = wherry.start(&["run"]);
    running.hear_strict();
    running.stop();
    let renames = "RENAME TABLE shop.first TO shop.third, crm.second TO shop.fourth";
    kill_at(&wherry, &source, &target, AT_COMMIT, renames).await;
    source
        .sql("INSERT INTO shop.third VALUES (2, 2); ALTER TABLE shop.fourth DROP CONSTRAINT same; INSERT INTO shop.fourth VALUES (2)")
        .await
        .expect("rows");
    let running = wherry.start(&["run"]);
    joined(&target, "shop.third", &running).await;
    joined(&target, "shop.fourth", &running).await;
    equal(&wherry, &source, &target, running).await;
}

/// A table that is loaded beside the stream has the name of a CHECK that another table has at the
/// place where the stream is: that one is loaded anew too, whatever `refused_ddl` says.
#[tokio::test(flavor = "multi_thread")]
async fn a_name_that_a_later_table_holds_stops_nothing() {
    let (source, target) = pair(Flavour::MySql97).await;
    source
        .sql(
            "CREATE DATABASE shop; USE shop;
             CREATE TABLE early (id INT PRIMARY KEY, v INT); CREATE TABLE late (id INT PRIMARY KEY, v INT);
             CREATE TABLE held (id INT PRIMARY KEY, v INT);
             INSERT INTO early VALUES (1, 1); INSERT INTO late VALUES (1, 1); INSERT INTO held VALUES (1, 1)",
        )
        .await
        .expect("source data");
    let wherry = Wherry::new(&source, &target, &["shop"]);
    let running = wherry.start(&["run"]);
    running.hear_strict();
    running.stop();
    wherry.finish(&["resync", "shop.late"]).expect_code(0);
    // The lane begins at once and reads `late` as it is by then; the stream comes to the names later.
    let update = "UPDATE shop.held SET v = v + 1;".repeat(2000);
    source.sql(&update).await.expect("rows before");
    source
        .sql(
            "USE shop;
             ALTER TABLE early ADD CONSTRAINT one CHECK (v > 0);
             ALTER TABLE early DROP CONSTRAINT one;
             ALTER TABLE late ADD CONSTRAINT one CHECK (v > 0);
             INSERT INTO early VALUES (2, 0)",
        )
        .await
        .expect("definition changes");
    let running = wherry.start(&["run"]);
    becomes(
        &target,
        "SELECT COUNT(*) FROM shop.early WHERE id = 2",
        "1",
        &running,
    )
    .await;
    joined(&target, "shop.early", &running).await;
    joined(&target, "shop.late", &running).await;
    equal(&wherry, &source, &target, running).await;
}

/// Where MariaDB makes another value of what a column held than MySQL does, the table is loaded anew.
#[tokio::test(flavor = "multi_thread")]
async fn values_are_converted_as_mariadb_converts_them() {
    let (source, target) = pair(Flavour::MariaDb).await;
    source
        .sql(
            "SET sql_mode = ''; CREATE DATABASE shop; USE shop;
             CREATE TABLE moments (id INT PRIMARY KEY, a DATETIME(6), b VARCHAR(40), c INT);
             CREATE TABLE fills (id INT PRIMARY KEY, a INT DEFAULT 4, b TIMESTAMP NULL DEFAULT '2021-03-04 05:06:07');
             INSERT INTO fills VALUES (1, NULL, NULL);
             CREATE TABLE numbers (id INT PRIMARY KEY, a VARCHAR(9), b INT, c DOUBLE);
             CREATE TABLE calm (id INT PRIMARY KEY, a INT, b VARCHAR(9), c DATETIME(1));
             INSERT INTO moments VALUES (1, '2020-12-31 23:59:59.999999', '2020-12-30 10:11:12.5+02:00', 1000058);
             INSERT INTO numbers VALUES (1, '1.5', 4, 1.5);
             INSERT INTO calm VALUES (1, 7, 'x', '2020-12-31 23:59:59.9')",
        )
        .await
        .expect("source data");
    let wherry = Wherry::new(&source, &target, &["shop"]);
    let running = wherry.start(&["run"]);
    running.hear_strict();
    source
        .sql(
            "SET sql_mode = ''; USE shop;
             ALTER TABLE moments MODIFY a DATETIME, CHANGE b d DATETIME, MODIFY c DATE;
             ALTER TABLE fills MODIFY a INT NOT NULL;
             SET sql_mode = 'STRICT_ALL_TABLES'; ALTER TABLE fills MODIFY b TIMESTAMP NOT NULL; SET sql_mode = '';
             ALTER TABLE numbers MODIFY a INT, MODIFY b SET('a', 'b', 'c'), CHANGE c c TIME;
             ALTER TABLE calm MODIFY a BIGINT, CHANGE b text TEXT, MODIFY c DATETIME(3);
             ALTER TABLE calm DROP text, ADD d TIME;
             INSERT INTO calm VALUES (2, 8, NULL, NULL)",
        )
        .await
        .expect("definition changes");
    becomes(&target, "SELECT COUNT(*) FROM shop.calm", "2", &running).await;
    for table in ["moments", "numbers", "fills"] {
        joined(&target, &format!("shop.{table}"), &running).await;
    }
    let calm = running.said("`shop`.`calm` is to be loaded anew");
    assert!(calm.is_empty(), "{calm:?}");
    equal(&wherry, &source, &target, running).await;
}

/// MySQL gives the CHECKs of a copy names of their own, MariaDB those of the table that was copied.
async fn checks_of_a_copy(flavour: Flavour) {
    let (source, target) = pair(flavour).await;
    source
        .sql(
            "CREATE DATABASE shop; CREATE DATABASE crm; USE shop;
             CREATE TABLE model (id INT PRIMARY KEY, v INT, CONSTRAINT named CHECK (v < 100), KEY v (v))",
        )
        .await
        .expect("source data");
    let wherry = Wherry::new(&source, &target, &["shop", "crm"]);
    let running = wherry.start(&["run"]);
    running.hear_strict();
    let name = if flavour == Flavour::MariaDb {
        "named"
    } else {
        "model_chk_1"
    };
    source
        .sql(&format!(
            "CREATE TABLE crm.model LIKE shop.model; INSERT INTO crm.model VALUES (1, 1);
             ALTER TABLE crm.model DROP CONSTRAINT {name}; INSERT INTO crm.model VALUES (2, 200)"
        ))
        .await
        .expect("definition changes");
    if flavour != Flavour::MariaDb {
        let here = "CREATE TABLE shop.copy LIKE shop.model; ALTER TABLE shop.copy DROP CONSTRAINT copy_chk_1; INSERT INTO shop.copy VALUES (1, 100)";
        source.sql(here).await.expect("a copy beside its model");
    }
    equal(&wherry, &source, &target, running).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn checks_of_a_copy_from_97() {
    checks_of_a_copy(Flavour::MySql97).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn checks_of_a_copy_from_mariadb() {
    checks_of_a_copy(Flavour::MariaDb).await;
}

/// Servers log such a table by the columns that it got, with backslashes that escape, also where the
/// session's do not.
async fn texts_of_a_copy(flavour: Flavour) {
    let (source, target) = pair(flavour).await;
    source
        .sql(
            "CREATE DATABASE shop; USE shop;
             CREATE TABLE a (id INT PRIMARY KEY, c VARCHAR(9) DEFAULT 'p\\\\q' COMMENT 'x \\\\ y''\\n', e ENUM('m\\\\n','z'));
             INSERT INTO a VALUES (1, DEFAULT, 1), (2, 'c', 2)",
        )
        .await
        .expect("source data");
    let wherry = Wherry::new(&source, &target, &["shop"]);
    let running = wherry.start(&["run"]);
    running.hear_strict();
    source
        .sql(
            "SET sql_mode = 'NO_BACKSLASH_ESCAPES'; CREATE TABLE shop.b AS SELECT * FROM shop.a;
             INSERT INTO shop.b (id, e) VALUES (3, 'm\\n')",
        )
        .await
        .expect("a copy");
    arrived(&target, &["b"], 3, &running).await;
    let label = "SELECT GROUP_CONCAT(HEX(e) ORDER BY id) FROM shop.b";
    let wanted = source.value(label).await.expect("labels");
    assert_eq!(target.value(label).await.expect("labels"), wanted);
    equal(&wherry, &source, &target, running).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn texts_of_a_copy_from_97() {
    texts_of_a_copy(Flavour::MySql97).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn texts_of_a_copy_from_56() {
    texts_of_a_copy(Flavour::MySql56).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn texts_of_a_copy_from_mariadb() {
    texts_of_a_copy(Flavour::MariaDb).await;
}

/// A server that chooses how to add an AUTO_INCREMENT column cannot do it beside two FULLTEXT keys, and
/// can where it is told to copy the table, as the source was.
async fn keys_beside_numbers(flavour: Flavour) {
    let (source, target) = pair(flavour).await;
    source
        .sql(
            "CREATE DATABASE shop; USE shop;
             CREATE TABLE a (id INT PRIMARY KEY, t TEXT, s VARCHAR(50), FULLTEXT KEY t (t), FULLTEXT KEY s (s)) ENGINE=InnoDB;
             CREATE TABLE b (id INT PRIMARY KEY, t TEXT, s VARCHAR(50)) ENGINE=InnoDB;
             INSERT INTO a VALUES (1, 'x', 'y'), (2, 'z', 'z'); INSERT INTO b SELECT * FROM a",
        )
        .await
        .expect("source data");
    let wherry = Wherry::new(&source, &target, &["shop"]);
    let running = wherry.start(&["run"]);
    running.hear_strict();
    source
        .sql(
            "ALTER TABLE shop.a ADD n INT NOT NULL AUTO_INCREMENT, ADD UNIQUE KEY n (n), ALGORITHM=COPY;
             ALTER TABLE shop.b ADD FULLTEXT KEY t (t), ADD FULLTEXT KEY s (s), ALGORITHM=COPY;
             INSERT INTO shop.a (id) VALUES (3); INSERT INTO shop.b (id) VALUES (3)",
        )
        .await
        .expect("definition changes");
    arrived(&target, &["a", "b"], 3, &running).await;
    assert_eq!(running.said("beside the stream"), Vec::<String>::new());
    equal(&wherry, &source, &target, running).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn keys_beside_numbers_from_97() {
    keys_beside_numbers(Flavour::MySql97).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn keys_beside_numbers_from_56() {
    keys_beside_numbers(Flavour::MySql56).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn keys_beside_numbers_from_mariadb() {
    keys_beside_numbers(Flavour::MariaDb).await;
}

/// A session that has entered a database before its defaults changed: one of MariaDB makes tables
/// with the old ones, each takes them for `DEFAULT`, and no binlog tells.
async fn a_default_is_that_of_its_session(flavour: Flavour) {
    let (source, target) = pair(flavour).await;
    source
        .sql(
            "CREATE DATABASE shop DEFAULT CHARACTER SET latin2; USE shop;
             CREATE TABLE turned (id INT PRIMARY KEY, s VARCHAR(10), t TEXT) DEFAULT CHARSET=utf8mb4;
             INSERT INTO turned VALUES (1, 'a', 'b')",
        )
        .await
        .expect("source data");
    let wherry = Wherry::new(&source, &target, &["shop"]);
    let running = wherry.start(&["run"]);
    running.hear_strict();
    let mut old = source.connect().await.expect("a session");
    old.query_drop("USE shop").await.expect("it enters");
    source
        .sql("ALTER DATABASE shop CHARACTER SET latin1")
        .await
        .expect("another default");
    // MySQL 9.7 takes the word for a conversion alone.
    let default = match flavour {
        Flavour::MySql97 => "",
        _ => "CHARACTER SET = DEFAULT",
    };
    old.query_drop(format!(
        "SET NAMES utf8mb4; CREATE TABLE made (id INT PRIMARY KEY, s VARCHAR(10), t TEXT);
         CREATE TABLE asked (id INT PRIMARY KEY, s VARCHAR(10), t TEXT) {default};
         ALTER TABLE turned CONVERT TO CHARACTER SET DEFAULT;
         INSERT INTO made VALUES (1, 'é', 'ü'); INSERT INTO asked VALUES (1, 'é', 'ü');
         INSERT INTO turned VALUES (2, 'é', 'ü');
         ALTER TABLE made ADD late CHAR(8) NOT NULL DEFAULT 'é'; INSERT INTO made VALUES (2, 'ö', 'ä', 'ß')"
    ))
    .await
    .expect("tables of an old session");
    arrived(&target, &["made", "turned"], 2, &running).await;
    arrived(&target, &["asked"], 1, &running).await;
    equal(&wherry, &source, &target, running).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_default_is_that_of_its_session_from_97() {
    a_default_is_that_of_its_session(Flavour::MySql97).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_default_is_that_of_its_session_from_56() {
    a_default_is_that_of_its_session(Flavour::MySql56).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_default_is_that_of_its_session_from_mariadb() {
    a_default_is_that_of_its_session(Flavour::MariaDb).await;
}

/// What a table, with and without text or labels, its columns and its rows become that a statement converts, in one or several clauses.
async fn conversions_mean_the_same(flavour: Flavour) {
    const CLAUSES: [&str; 11] = [
        "CONVERT TO CHARACTER SET utf8mb4",
        "CONVERT TO CHARACTER SET utf8mb4, CONVERT TO CHARACTER SET utf8mb4",
        "CONVERT TO CHARACTER SET utf8mb4, CHARSET utf8mb4 COLLATE utf8mb4_general_ci",
        "CHARSET utf8mb4 COLLATE utf8mb4_general_ci, CONVERT TO CHARACTER SET utf8mb4",
        "CONVERT TO CHARACTER SET utf8mb4 COLLATE utf8mb4_unicode_ci, CHARSET utf8mb4 COLLATE utf8mb4_general_ci",
        "CHARSET utf8mb4 COLLATE utf8mb4_general_ci, CONVERT TO CHARACTER SET utf8mb4 COLLATE utf8mb4_unicode_ci",
        "DEFAULT CHARACTER SET = latin1, CONVERT TO CHARACTER SET latin1",
        "CONVERT TO CHARACTER SET utf8mb4, MODIFY s VARCHAR(11)",
        "CONVERT TO CHARACTER SET utf8mb4 COLLATE utf8mb4_unicode_ci, CONVERT TO CHARACTER SET utf8mb4",
        "CONVERT TO CHARACTER SET utf8mb4, CONVERT TO CHARACTER SET utf8mb4 COLLATE utf8mb4_unicode_ci",
        "CONVERT TO CHARACTER SET utf8mb4, DROP KEY k, ADD KEY k (n)",
    ];
    let (source, target) = pair(flavour).await;
    source
        .sql("CREATE DATABASE shop DEFAULT CHARACTER SET utf8mb4")
        .await
        .expect("a database");
    let mut names = Vec::new();
    for (number, collation) in [
        "latin1_swedish_ci",
        "utf8mb4_unicode_ci",
        "utf8mb4_general_ci",
    ]
    .iter()
    .enumerate()
    {
        for (place, clauses) in CLAUSES.into_iter().enumerate() {
            // A server may take a conversion that finds no text for nothing at all.
            for (kind, text) in [
                ("t", ", s VARCHAR(10), e ENUM('ä', 'b'), g SET('a', 'é')"),
                ("l", ", e ENUM('ä', 'b'), g SET('a', 'é')"),
                ("n", ""),
            ] {
                // One conversion tells of labels alone.
                if (kind == "l" && place > 0) || (kind == "n" && clauses.contains("MODIFY s")) {
                    continue;
                }
                let name = format!("{kind}{number}_{place}");
                let table = format!(
                    "CREATE TABLE shop.{name} (id INT PRIMARY KEY, n INT, KEY k (n){text}) COLLATE {collation}"
                );
                source.sql(&table).await.expect("a table");
                if kind != "n" {
                    let rows =
                        format!("INSERT INTO shop.{name} (id, e, g) VALUES (2, 1, 2), (3, 2, 3)");
                    source.sql(&rows).await.expect("rows");
                }
                names.push((name, clauses));
            }
        }
    }
    let wherry = Wherry::new(&source, &target, &["shop"]);
    let running = wherry.start(&["run"]);
    running.hear_strict();
    for (name, clauses) in &names {
        // What a source refuses is not asked of the target.
        let _ = source
            .sql(&format!("ALTER TABLE shop.{name} {clauses}"))
            .await;
        let row = format!(
            "ALTER TABLE shop.{name} ADD late VARCHAR(5); INSERT INTO shop.{name} (id, late) VALUES (1, 'b')"
        );
        source.sql(&row).await.expect("a row");
    }
    let names: Vec<&str> = names.iter().map(|(name, _)| name.as_str()).collect();
    arrived(&target, &names, 1, &running).await;
    equal(&wherry, &source, &target, running).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn conversions_mean_the_same_from_97() {
    conversions_mean_the_same(Flavour::MySql97).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn conversions_mean_the_same_from_56() {
    conversions_mean_the_same(Flavour::MySql56).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn conversions_mean_the_same_from_mariadb() {
    conversions_mean_the_same(Flavour::MariaDb).await;
}

/// Names that the server made of a table's own follow its RENAME, also in what is tried out first.
async fn generated_names_follow_a_rename(names: &str, there: [&str; 2]) {
    let (source, target) = pair(Flavour::MySql97).await;
    source
        .sql(
            "CREATE DATABASE shop; USE shop;
             CREATE TABLE parent (id INT PRIMARY KEY);
             CREATE TABLE old (id INT PRIMARY KEY, v INT, w INT, CHECK (v > 0), CHECK (w > 0), CHECK (id > 0), KEY own (v), FOREIGN KEY (v) REFERENCES parent (id));
             CREATE TABLE model (id INT PRIMARY KEY, v INT, CONSTRAINT c CHECK (v > 0))",
        )
        .await
        .expect("source data");
    let wherry = Wherry::new(&source, &target, &["shop"]).select(names);
    let running = wherry.start(&["run"]);
    running.hear_strict();
    source
        .sql(
            "USE shop; CREATE TABLE like_it LIKE model; RENAME TABLE old TO new, like_it TO liked;
             ALTER TABLE new ALTER CHECK new_chk_1 NOT ENFORCED, DROP CHECK new_chk_2, DROP FOREIGN KEY new_ibfk_1;
             ALTER TABLE new RENAME TO last, ADD moved INT DEFAULT 1, ADD CHECK (moved > 0);
             ALTER TABLE last DROP CONSTRAINT last_chk_3, ADD CONSTRAINT last_ibfk_7 FOREIGN KEY (v) REFERENCES parent (id);
             ALTER TABLE liked ADD w INT; ALTER TABLE liked DROP CHECK liked_chk_1;
             SET foreign_key_checks = 0; INSERT INTO last VALUES (-1, -1, -1, 2), (1, -1, -1, 2); INSERT INTO liked VALUES (1, -1, 1)",
        )
        .await
        .expect("definition changes");
    for table in there {
        let row = format!("SELECT COUNT(*) FROM shop.{table} WHERE id = 1");
        becomes(&target, &row, "1", &running).await;
    }
    assert_eq!(running.said("loaded anew"), Vec::<String>::new());
    wherry.finish(&["verify"]).expect_code(0);
    let constraints = format!(
        "SELECT GROUP_CONCAT(CONSTRAINT_NAME ORDER BY CONSTRAINT_NAME) FROM information_schema.TABLE_CONSTRAINTS WHERE TABLE_SCHEMA = 'shop' AND TABLE_NAME = '{0}' AND CONSTRAINT_TYPE <> 'PRIMARY KEY'",
        there[0]
    );
    let found = target.value(&constraints).await.expect("constraints");
    assert_eq!(
        found,
        Some(
            ["chk_1", "chk_4", "ibfk_7"]
                .map(|kind| format!("{}_{kind}", there[0]))
                .join(",")
        )
    );
    running.stop();
}

#[tokio::test(flavor = "multi_thread")]
async fn generated_names_follow_a_rename_under_the_same_names() {
    generated_names_follow_a_rename("policy: fail", ["last", "liked"]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn generated_names_follow_a_rename_under_other_names() {
    let names = "mapping: {tables: {shop.old: shop.elder, shop.new: shop.old, shop.last: shop.new, shop.liked: shop.loved}, columns: {shop.old.v: x, shop.new.v: x, shop.last.v: x}}";
    generated_names_follow_a_rename(names, ["new", "loved"]).await;
}

/// Where a statement is tried out under the source's names, the real table may have others.
#[tokio::test(flavor = "multi_thread")]
async fn a_foreign_key_may_point_to_columns_of_another_name() {
    let (source, target) = pair(Flavour::MySql97).await;
    source
        .sql(
            "CREATE DATABASE shop; USE shop; CREATE TABLE parent (id INT PRIMARY KEY);
             CREATE TABLE child (id INT PRIMARY KEY, p INT, KEY (p)); INSERT INTO parent VALUES (1)",
        )
        .await
        .expect("source data");
    let wherry = Wherry::new(&source, &target, &["shop"])
        .select("mapping: {columns: {shop.parent.id: number}}");
    let running = wherry.start(&["run"]);
    running.hear_strict();
    source
        .sql(
            "USE shop; ALTER TABLE child ADD CONSTRAINT f FOREIGN KEY (p) REFERENCES parent (id) ON DELETE CASCADE;
             ALTER TABLE child ADD w INT; INSERT INTO child VALUES (1, 1, 1)",
        )
        .await
        .expect("definition changes");
    arrived(&target, &["child"], 1, &running).await;
    assert_eq!(running.said("loaded anew"), Vec::<String>::new());
    let points_to = "SELECT REFERENCED_COLUMN_NAME FROM information_schema.KEY_COLUMN_USAGE WHERE CONSTRAINT_SCHEMA = 'shop' AND CONSTRAINT_NAME = 'f'";
    let column = target.value(points_to).await.expect("a foreign key");
    assert_eq!(column.as_deref(), Some("number"));
    wherry.finish(&["verify"]).expect_code(0);
    running.stop();
}
