//! Exact tables under writes: families tied by unlogged cascades, and tables without transactions.

use crate::lanes::{becomes, joined};
use crate::runner::{Finished, Running, Wherry};
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::watch;
use tokio::task::JoinSet;
use wherry_testkit::{Flavour, Random, Server, ServerOptions, compare};

/// Sessions that write, each a statement at a time.
const WRITERS: u64 = 3;
/// A rate that an unoptimised build on a busy machine keeps up with: speed is not what is tested.
const PAUSE: Duration = Duration::from_millis(25);
/// Statements written while the stream is already strict.
const LATER_STATEMENTS: u64 = 400;

async fn server(flavour: Flavour, arguments: &[&str]) -> Server {
    let options = ServerOptions {
        gtid: false,
        arguments: arguments.iter().map(|word| (*word).to_owned()).collect(),
        ..ServerOptions::default()
    };
    Server::start(flavour, options).await.expect("a server")
}

/// Sessions that run random statements until they are told to stop. What the server refuses, like
/// a row that is there already, is part of the program.
pub struct Writers {
    stop: watch::Sender<bool>,
    written: watch::Receiver<u64>,
    tasks: JoinSet<()>,
}

impl Writers {
    pub fn start(server: &Arc<Server>, seed: u64, next: fn(&mut Random) -> String) -> Writers {
        let (stop, stopped) = watch::channel(false);
        let (count, written) = watch::channel(0);
        let mut tasks = JoinSet::new();
        for writer in 0..WRITERS {
            let (server, stopped, count) = (Arc::clone(server), stopped.clone(), count.clone());
            tasks.spawn(async move {
                let mut random = Random::new(seed + writer);
                let mut pace = tokio::time::interval(PAUSE);
                while !*stopped.borrow() {
                    pace.tick().await;
                    if server.sql(&next(&mut random)).await.is_ok() {
                        count.send_modify(|count| *count += 1);
                    }
                }
            });
        }
        Writers {
            stop,
            written,
            tasks,
        }
    }

    /// Waits until so many more statements have succeeded.
    pub async fn wait_for(&mut self, more: u64) {
        let wanted = *self.written.borrow() + more;
        let reached = self.written.wait_for(|count| *count >= wanted).await;
        reached.expect("writers go on");
    }

    pub async fn stop(mut self) {
        self.stop.send_replace(true);
        while let Some(ended) = self.tasks.join_next().await {
            ended.expect("a writer");
        }
    }
}

/// Rows that a verification calls different, and the tables it left unsettled.
fn findings(finished: &Finished) -> (Vec<String>, Vec<String>) {
    let list = |name: &str| -> Vec<String> {
        let lines = finished.of_type("verify").into_iter();
        lines
            .flat_map(|line| line[name].as_array().into_iter().flatten())
            .map(ToString::to_string)
            .collect()
    };
    (list("mismatches"), list("unsettled"))
}

async fn count(server: &Server, query: &str) -> u64 {
    let value = server.value(query).await.expect("a count");
    value.expect("a value").parse().expect("a number")
}

// Families.

const FAMILY: &str = "CREATE DATABASE kin; USE kin;
    CREATE TABLE region (id INT PRIMARY KEY, v VARCHAR(20)) ENGINE=InnoDB;
    CREATE TABLE p (id INT PRIMARY KEY, region INT, v VARCHAR(20), FOREIGN KEY (region) REFERENCES region (id) ON DELETE SET NULL ON UPDATE CASCADE) ENGINE=InnoDB;
    CREATE TABLE c (id INT PRIMARY KEY, p INT, v VARCHAR(20), touched TIMESTAMP NOT NULL DEFAULT CURRENT_TIMESTAMP ON UPDATE CURRENT_TIMESTAMP, FOREIGN KEY (p) REFERENCES p (id) ON DELETE CASCADE ON UPDATE CASCADE) ENGINE=InnoDB;
    CREATE TABLE g (id INT PRIMARY KEY, c INT, FOREIGN KEY (c) REFERENCES c (id) ON DELETE CASCADE) ENGINE=InnoDB;
    CREATE TABLE k (p INT, v VARCHAR(20), KEY (p), FOREIGN KEY (p) REFERENCES p (id) ON DELETE CASCADE ON UPDATE CASCADE) ENGINE=InnoDB;
    CREATE TABLE note (id INT PRIMARY KEY, p INT, FOREIGN KEY (p) REFERENCES p (id)) ENGINE=InnoDB;
    CREATE TABLE tree (id INT PRIMARY KEY, up INT, FOREIGN KEY (up) REFERENCES tree (id) ON DELETE CASCADE) ENGINE=InnoDB;
    CREATE TABLE a (id INT PRIMARY KEY, b INT) ENGINE=InnoDB;
    CREATE TABLE b (id INT PRIMARY KEY, a INT, FOREIGN KEY (a) REFERENCES a (id) ON DELETE CASCADE) ENGINE=InnoDB;
    ALTER TABLE a ADD FOREIGN KEY (b) REFERENCES b (id) ON DELETE SET NULL;
    CREATE TABLE free (id INT PRIMARY KEY, v INT) ENGINE=InnoDB;
    INSERT INTO region VALUES (1,'r'),(2,'r'),(3,'r'),(4,'r'),(5,'r'),(6,'r'),(7,'r'),(8,'r');
    INSERT INTO p SELECT x.id + 8 * y.id + 64 * z.id, x.id, 'p' FROM region x, region y, region z;
    INSERT INTO c (id, p, v) SELECT x.id + 600 * y.id, x.id, 'c' FROM p x, region y;
    INSERT INTO g SELECT id, id FROM c; INSERT INTO k SELECT id, 'k' FROM p; INSERT INTO k SELECT id, 'k' FROM p;
    INSERT INTO tree VALUES (1,NULL),(2,NULL),(3,NULL),(101,1),(102,2);
    INSERT INTO free SELECT id, 0 FROM c";

/// Makes the load of the family last: it commits 50,000 rows at a time.
const MANY: &str = "USE kin; INSERT INTO c (id, p, v) SELECT x.id * 10000 + y.id * 10 + z.id, x.id, 'many' FROM p x, (SELECT id FROM p ORDER BY id LIMIT 20) y, region z";

fn family_statement(random: &mut Random) -> String {
    let p = 73 + random.below(512);
    let other = 73 + random.below(700);
    let region = 1 + random.below(12);
    let (c, g) = (1 + random.below(6000), 1 + random.below(9000));
    let (one, two) = (1 + random.below(60), 1 + random.below(60));
    let statements = match random.below(26) {
        0..=2 => format!("INSERT INTO p VALUES ({p}, {region}, 'new')"),
        3..=5 => format!("INSERT INTO c (id, p, v) VALUES ({c}, {p}, 'x'), ({c} + 6000, {p}, 'y')"),
        6..=7 => format!("INSERT INTO g VALUES ({g}, {c})"),
        8 => format!("INSERT INTO k VALUES ({p}, 'x'), ({p}, 'x'), (NULL, 'x')"),
        9 => format!("UPDATE p SET id = {other} WHERE id = {p}"),
        10..=11 => format!("DELETE FROM p WHERE id = {p}"),
        12 => format!(
            "UPDATE region SET id = {} WHERE id = {region}",
            1 + random.below(12)
        ),
        13 => format!(
            "DELETE FROM region WHERE id = {region}; INSERT INTO region VALUES ({region}, 'back')"
        ),
        // Two levels: above its engine, MySQL 9.7 cascades not far within one table.
        14..=15 => format!("INSERT INTO tree VALUES ({one} + 100, {})", 1 + two % 3),
        16 => format!(
            "DELETE FROM tree WHERE id = {0}; INSERT INTO tree VALUES ({0}, NULL)",
            1 + two % 3
        ),
        17 => format!(
            "INSERT INTO a VALUES ({one}, NULL); INSERT INTO b VALUES ({one}, {two}); UPDATE a SET b = {one} WHERE id = {two}"
        ),
        18 => format!("DELETE FROM a WHERE id = {one}; DELETE FROM b WHERE id = {two}"),
        19 => format!(
            "BEGIN; DELETE FROM p WHERE id = {p}; INSERT INTO p VALUES ({p}, NULL, 'again'); INSERT INTO c (id, p, v) VALUES ({c}, {p}, 'again'); COMMIT"
        ),
        20 => format!("DELETE p, c FROM p JOIN c ON c.p = p.id WHERE p.id = {p}"),
        21 => format!(
            "UPDATE c SET v = 'u{g}' WHERE p = {p}; UPDATE k SET v = 'u{g}' WHERE p = {other} LIMIT 1"
        ),
        // Checked by nobody: the parent goes and comes, its children stay.
        22 => format!(
            "BEGIN; SET foreign_key_checks = 0; DELETE FROM p WHERE id = {p}; INSERT INTO p VALUES ({p}, NULL, 'unchecked'); COMMIT"
        ),
        23 => format!("INSERT INTO note VALUES ({one}, {p})"),
        24 => format!(
            "DELETE FROM note WHERE id = {one}; UPDATE c SET id = id + 20000 WHERE id = {c}"
        ),
        _ => format!(
            "BEGIN; UPDATE free SET v = v + 1 WHERE id = {c}; DELETE FROM c WHERE id = {c}; UPDATE p SET region = {region} WHERE id = {p}; REPLACE INTO free VALUES ({g}, 7); COMMIT"
        ),
    };
    format!("USE kin; {statements}")
}

/// Waits until the target shows some of the family's rows, of which more are to come.
async fn hear_copy(running: &Running, target: &Server) {
    running.hear("the load", |line| line["phase"] == "load");
    while count(target, "SELECT COUNT(*) FROM kin.c").await == 0 {
        tokio::task::yield_now().await;
    }
}

/// Kills the run while the family is half copied.
async fn kill_in_copy(running: &Running, target: &Server) {
    hear_copy(running, target).await;
    running.signal("KILL");
    let copied = "SELECT COUNT(*) FROM wherry.table_state WHERE stage <> 'created' AND definition LIKE '%cascading%'";
    assert_eq!(
        count(target, copied).await,
        0,
        "the family was copied already"
    );
}

/// What befalls a run.
#[derive(Clone, Copy, PartialEq)]
enum Trouble {
    Nothing,
    Kills,
    /// A table of the family changes while all of them are copied.
    Definition,
}

async fn family_moves(flavour: Flavour, arguments: &[&str], trouble: Trouble) {
    let kills = trouble == Trouble::Kills;
    let source = Arc::new(server(flavour, arguments).await);
    let target = server(Flavour::MySql97, &[]).await;
    source.sql(FAMILY).await.expect("a family");
    if trouble != Trouble::Nothing {
        source.sql(MANY).await.expect("many rows");
    }
    let seed = Random::fresh_seed();
    eprintln!("seed {seed}");
    let mut writers = Writers::start(&source, seed, family_statement);
    let wherry = Wherry::new(&source, &target, &["kin"])
        .extra("cutover: {stop_writes: {command: \"true\"}}");
    if kills {
        for _ in 0..2 {
            let running = wherry.start(&["run"]);
            kill_in_copy(&running, &target).await;
            drop(running);
        }
    }
    let mut running = wherry.start(&["run"]);
    if trouble == Trouble::Definition {
        hear_copy(&running, &target).await;
        // It waits at the source until the snapshot is closed, so the copy is then out of date.
        source
            .sql("ALTER TABLE kin.c ADD COLUMN extra INT DEFAULT 5")
            .await
            .expect("a column");
    }
    running.hear_strict();
    if kills {
        for _ in 0..3 {
            writers.wait_for(LATER_STATEMENTS / 8).await;
            running.signal("KILL");
            drop(running);
            writers.wait_for(LATER_STATEMENTS / 8).await;
            running = wherry.start(&["run"]);
            running.hear_strict();
        }
    }
    writers.wait_for(LATER_STATEMENTS).await;
    let (mismatches, unsettled) = findings(&wherry.finish(&["verify"]));
    assert!(mismatches.is_empty(), "live: {mismatches:?}");
    let only_keyless = unsettled.iter().all(|line| line.contains("`k`"));
    assert!(only_keyless, "live: {unsettled:?}");
    writers.stop().await;
    wherry.finish(&["verify"]).expect_code(0);
    running.stop();
    wherry.finish(&["cutover"]).expect_code(0);
    let compared = compare(&source.url("root"), &target.url("root"), &["kin"])
        .await
        .expect("comparison");
    compared.assert_equal();
    assert_eq!(compared.tables, 10);
    let divergences = "SELECT COUNT(*) FROM wherry.divergence";
    assert_eq!(count(&target, divergences).await, 0);
    let keys = "SELECT COUNT(*) FROM information_schema.REFERENTIAL_CONSTRAINTS WHERE CONSTRAINT_SCHEMA = 'kin'";
    assert_eq!(count(&target, keys).await, count(&source, keys).await);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_family_of_56_moves_and_survives_kills() {
    family_moves(Flavour::MySql56, &[], Trouble::Kills).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_family_of_mariadb_moves_while_it_changes() {
    family_moves(Flavour::MariaDb, &[], Trouble::Definition).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_family_of_97_with_native_foreign_keys_moves() {
    family_moves(
        Flavour::MySql97,
        &["--innodb-native-foreign-keys=ON"],
        Trouble::Nothing,
    )
    .await;
}

/// A definition change that would make another family stops what it touches, and says so; the
/// rest of the task goes on.
#[tokio::test(flavor = "multi_thread")]
async fn a_family_that_changes_stops_as_a_whole() {
    let source = server(Flavour::MySql56, &[]).await;
    let target = server(Flavour::MySql97, &[]).await;
    source
        .sql(
            "CREATE DATABASE kin; USE kin;
             CREATE TABLE p (id INT PRIMARY KEY) ENGINE=InnoDB;
             CREATE TABLE c (id INT PRIMARY KEY, p INT, CONSTRAINT tie FOREIGN KEY (p) REFERENCES p (id) ON DELETE CASCADE) ENGINE=InnoDB;
             CREATE TABLE one (id INT PRIMARY KEY) ENGINE=InnoDB;
             CREATE TABLE two (id INT PRIMARY KEY, one INT) ENGINE=InnoDB;
             INSERT INTO p VALUES (1), (2); INSERT INTO c VALUES (1, 1), (2, 2); INSERT INTO one VALUES (1)",
        )
        .await
        .expect("tables");
    let wherry = Wherry::new(&source, &target, &["kin"]);
    let running = wherry.start(&["run"]);
    running.hear_strict();
    let stopped = |table: &'static str| {
        running.hear(table, |line| {
            let tables = line["tables"].as_array().into_iter().flatten();
            tables
                .filter(|state| state["stopped"].is_string())
                .any(|state| {
                    state["table"]
                        .as_str()
                        .is_some_and(|name| name.contains(table))
                })
        })
    };
    // Columns of a family may change, and cascades go on.
    source
        .sql("USE kin; ALTER TABLE c ADD COLUMN v INT DEFAULT 7; DELETE FROM p WHERE id = 1; INSERT INTO c VALUES (3, 2, 9)")
        .await
        .expect("a column");
    // A cascade that a table outside gets.
    source
        .sql("USE kin; ALTER TABLE two ADD FOREIGN KEY (one) REFERENCES one (id) ON DELETE CASCADE; INSERT INTO one VALUES (5)")
        .await
        .expect("a cascade");
    stopped("`two`");
    source
        .sql("USE kin; ALTER TABLE c DROP FOREIGN KEY tie; INSERT INTO one VALUES (6)")
        .await
        .expect("a change of the family");
    stopped("`c`");
    stopped("`p`");
    let rows = "SELECT COUNT(*) FROM kin.one WHERE id IN (1, 5, 6)";
    while count(&target, rows).await < 3 {
        tokio::task::yield_now().await;
    }
    assert_eq!(count(&target, "SELECT SUM(v) FROM kin.c").await, 16);
    running.stop();
}

/// A parent that is made anew would have another nature than its family, and rows that its
/// children lose by cascades would stay: all of them stop, and are loaded anew together.
async fn a_new_parent_stops_the_family(flavour: Flavour, anew: &str) {
    let source = server(flavour, &[]).await;
    let target = server(Flavour::MySql97, &[]).await;
    source
        .sql(
            "CREATE DATABASE kin; USE kin;
             CREATE TABLE p (id INT PRIMARY KEY) ENGINE=InnoDB;
             CREATE TABLE c (id INT PRIMARY KEY, p INT, FOREIGN KEY (p) REFERENCES p (id) ON DELETE CASCADE) ENGINE=InnoDB;
             CREATE TABLE plain (id INT PRIMARY KEY) ENGINE=InnoDB;
             INSERT INTO p VALUES (1), (2); INSERT INTO c VALUES (1, 1), (2, 2)",
        )
        .await
        .expect("tables");
    let wherry = Wherry::new(&source, &target, &["kin"]);
    let running = wherry.start(&["run"]);
    running.hear_strict();
    source
        .sql(&format!(
            "USE kin; SET foreign_key_checks = 0; {anew}; INSERT IGNORE INTO p VALUES (1), (2); SET foreign_key_checks = 1; DELETE FROM p WHERE id = 1; INSERT INTO plain VALUES (1)"
        ))
        .await
        .expect("a new parent");
    becomes(&target, "SELECT COUNT(*) FROM kin.plain", "1", &running).await;
    let stopped = "SELECT COUNT(*) FROM wherry.table_state WHERE stopped IS NOT NULL AND table_name IN ('p', 'c')";
    becomes(&target, stopped, "2", &running).await;
    running.stop();
    wherry.finish(&["resync", "kin.p", "kin.c"]).expect_code(0);
    let running = wherry.start(&["run"]);
    joined(&target, "kin.p", &running).await;
    joined(&target, "kin.c", &running).await;
    let cascade = "DELETE FROM kin.p WHERE id = 2; INSERT INTO kin.plain VALUES (2)";
    source.sql(cascade).await.expect("a cascade");
    wherry.finish(&["verify"]).expect_code(0);
    assert_eq!(count(&target, "SELECT COUNT(*) FROM kin.c").await, 0);
    running.stop();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_parent_that_is_made_anew_stops_its_family() {
    let anew = "DROP TABLE p; CREATE TABLE p (id INT PRIMARY KEY) ENGINE=InnoDB";
    a_new_parent_stops_the_family(Flavour::MySql56, anew).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_parent_that_gets_its_name_anew_stops_its_family() {
    let anew = "CREATE TABLE fresh LIKE p; DROP TABLE p; RENAME TABLE fresh TO p";
    a_new_parent_stops_the_family(Flavour::MariaDb, anew).await;
}

// Tables without transactions.

fn plain_tables(flavour: Flavour) -> String {
    let engine = if flavour == Flavour::MariaDb {
        "Aria"
    } else {
        "MyISAM"
    };
    format!(
        "CREATE DATABASE old; USE old;
         CREATE TABLE keyed (id INT PRIMARY KEY, u INT, v VARCHAR(40), UNIQUE (u)) ENGINE={engine};
         CREATE TABLE mine (id INT AUTO_INCREMENT PRIMARY KEY, v VARCHAR(40)) ENGINE=MyISAM;
         CREATE TABLE loose (a INT, v VARCHAR(40), f FLOAT) ENGINE=MyISAM;
         CREATE TABLE brief (id INT PRIMARY KEY, v VARCHAR(40)) ENGINE=MEMORY;
         CREATE TABLE safe (id INT PRIMARY KEY, v INT) ENGINE=InnoDB;
         INSERT INTO safe VALUES (0,0),(1,1),(2,2),(3,3),(4,4),(5,5),(6,6),(7,7),(8,8),(9,9);
         INSERT INTO keyed SELECT a.id + 10 * b.id + 100 * c.id + 1000 * d.id, a.id + 10 * b.id + 100 * c.id + 1000 * d.id, REPEAT('k', 30) FROM safe a, safe b, safe c, safe d;
         INSERT INTO brief SELECT id, 'b' FROM keyed WHERE id < 1000; INSERT INTO loose SELECT id MOD 7, 'l', id / 3 FROM keyed WHERE id < 3000;
         INSERT INTO mine (v) SELECT v FROM keyed"
    )
}

fn plain_statement(random: &mut Random) -> String {
    let (id, other) = (random.below(10_500), random.below(10_500));
    let (few, long) = (random.below(7), random.below(1100));
    let statements = match random.below(13) {
        0 => format!("INSERT INTO keyed VALUES ({id}, {id}, 'one')"),
        // Often fails half-way: what it had inserted by then stays.
        1..=2 => format!(
            "INSERT INTO keyed VALUES ({id} + 20000, NULL, 'a'), ({other} + 20000, {other}, 'b'), ({other}, NULL, 'c'), ({id} + 40000, NULL, 'd')"
        ),
        3 => format!(
            "UPDATE keyed SET u = NULL WHERE id = {id}; UPDATE keyed SET u = {id} WHERE id = {other}"
        ),
        4 => format!("DELETE FROM keyed WHERE id BETWEEN {id} AND {id} + 3"),
        5 => format!("UPDATE keyed SET id = id + 60000 WHERE id = {id}"),
        6 => format!(
            "INSERT INTO mine (v) VALUES ('x'), ('y'); UPDATE mine SET v = 'z{id}' WHERE id = {other}"
        ),
        7 => format!(
            "INSERT INTO loose VALUES ({few}, NULL, 0.1), ({few}, NULL, 0.1), (NULL, 'n', NULL)"
        ),
        8 => format!(
            "UPDATE loose SET v = 'u' WHERE a = {few} LIMIT 2; DELETE FROM loose WHERE a = {few} LIMIT 1"
        ),
        9 => format!(
            "REPLACE INTO brief VALUES ({long}, 'r{id}'); DELETE FROM brief WHERE id = {other}"
        ),
        10 => format!(
            "BEGIN; UPDATE safe SET v = {id} WHERE id = {few}; INSERT INTO mine (v) VALUES ('kept'); UPDATE keyed SET v = 'kept' WHERE id = {id}; ROLLBACK"
        ),
        11 => format!(
            "BEGIN; UPDATE safe SET v = {id} WHERE id = {few}; SAVEPOINT s; UPDATE safe SET v = -1; INSERT INTO loose VALUES ({few}, 's', 1); ROLLBACK TO s; COMMIT"
        ),
        _ => format!(
            "UPDATE safe, keyed SET safe.v = {id}, keyed.v = 'both' WHERE safe.id = {few} AND keyed.id = {id}"
        ),
    };
    // No server sees a deadlock between row locks and table locks; it waits for this long.
    format!("USE old; SET SESSION innodb_lock_wait_timeout = 1; {statements}")
}

async fn plain_tables_move(flavour: Flavour) {
    let source = Arc::new(server(flavour, &[]).await);
    let target = server(Flavour::MySql97, &[]).await;
    source.sql(&plain_tables(flavour)).await.expect("tables");
    let seed = Random::fresh_seed();
    eprintln!("seed {seed}");
    let mut writers = Writers::start(&source, seed, plain_statement);
    let wherry = Wherry::new(&source, &target, &["old"]);
    let running = wherry.start(&["run"]);
    running.hear_strict();
    writers.wait_for(LATER_STATEMENTS).await;
    wherry.finish(&["verify"]).expect_code(0);
    writers.stop().await;
    wherry.finish(&["verify"]).expect_code(0);
    running.stop();
    let compared = compare(&source.url("root"), &target.url("root"), &["old"])
        .await
        .expect("comparison");
    compared.assert_equal();
    assert_eq!(compared.tables, 5);
    let divergences = "SELECT COUNT(*) FROM wherry.divergence";
    assert_eq!(count(&target, divergences).await, 0);
    let others = "SELECT COUNT(*) FROM information_schema.TABLES WHERE TABLE_SCHEMA = 'old' AND ENGINE <> 'InnoDB'";
    assert_eq!(count(&target, others).await, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn tables_without_transactions_of_56_move() {
    plain_tables_move(Flavour::MySql56).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn tables_without_transactions_of_97_move() {
    plain_tables_move(Flavour::MySql97).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn tables_without_transactions_of_mariadb_move() {
    plain_tables_move(Flavour::MariaDb).await;
}
