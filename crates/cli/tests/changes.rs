//! Kinds of changes of rows that the task leaves out, on real servers: what the target then has is
//! what a model says that knows nothing of Wherry, also behind kills.

use crate::kinds::{assert_rows, pair};
use crate::lanes::becomes;
use crate::runner::{Running, Wherry};
use serde_json::Value;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use wherry_testkit::{Flavour, Random, Server};

/// The letters say what is carried.
const CARRIED: [&str; 8] = ["", "i", "u", "d", "iu", "id", "ud", "iud"];
/// Of the tables with a filter that judges updates by the row before.
const FILTERED: [&str; 4] = ["iud", "ud", "iu", "id"];
const KEYS: u64 = 24;
const TRANSACTIONS: u32 = 400;
const KILLS: u32 = 5;

/// One table: the rows of the source, and what the target is to have.
struct Model {
    carried: &'static str,
    /// Only rows with an even value move, and an update is judged by the row before it.
    is_filtered: bool,
    source: BTreeMap<u64, u64>,
    target: BTreeMap<u64, u64>,
    left: BTreeMap<&'static str, u64>,
}

impl Model {
    fn name(&self) -> String {
        let kind = if self.is_filtered { "f" } else { "c" };
        format!("{kind}_{}", self.carried)
    }

    fn selects(&self, value: u64) -> bool {
        !self.is_filtered || value.is_multiple_of(2)
    }

    /// True where this kind is carried; else it is counted.
    fn carries(&mut self, kind: &'static str) -> bool {
        let carries = self.carried.contains(&kind[..1]);
        if !carries {
            *self.left.entry(kind).or_default() += 1;
        }
        carries
    }

    fn insert(&mut self, key: u64, value: u64) {
        self.source.insert(key, value);
        if self.selects(value) && self.carries("insert") {
            self.target.insert(key, value);
        }
    }

    /// The row of the old key, if the target has it, becomes that of the new one.
    fn update(&mut self, old: u64, new: u64, value: u64) {
        let before = self.source.remove(&old).expect("the row is there");
        self.source.insert(new, value);
        match (self.selects(before), self.selects(value)) {
            (true, true) => {
                if self.carries("update") && self.target.remove(&old).is_some() {
                    self.target.insert(new, value);
                }
            }
            (true, false) => self.leave(old),
            (false, _) => {}
        }
    }

    fn delete(&mut self, key: u64) {
        let before = self.source.remove(&key).expect("the row is there");
        if self.selects(before) {
            self.leave(key);
        }
    }

    /// What comes to the target as a delete.
    fn leave(&mut self, key: u64) {
        if self.carries("delete") {
            self.target.remove(&key);
        }
    }

    /// One random statement that the source takes.
    fn step(&mut self, random: &mut Random, value: u64) -> String {
        let name = self.name();
        let key = random.below(KEYS);
        let other = random.below(KEYS);
        match (self.source.contains_key(&key), random.below(4)) {
            (false, _) => {
                let mut rows = vec![format!("({key},{value})")];
                self.insert(key, value);
                if key != other && !self.source.contains_key(&other) {
                    rows.push(format!("({other},{value})"));
                    self.insert(other, value);
                }
                format!("INSERT INTO {name} VALUES {}", rows.join(","))
            }
            (true, 0) => {
                self.delete(key);
                format!("DELETE FROM {name} WHERE id={key}")
            }
            (true, 1) if !self.source.contains_key(&other) => {
                self.update(key, other, value);
                format!("UPDATE {name} SET id={other}, v={value} WHERE id={key}")
            }
            (true, _) => {
                self.update(key, key, value);
                format!("UPDATE {name} SET v={value} WHERE id={key}")
            }
        }
    }

    /// What `verify` is to explain: rows only in the target, only in the source, and other ones.
    fn explained(&self) -> [u64; 3] {
        let only = |one: &BTreeMap<u64, u64>, other: &BTreeMap<u64, u64>| {
            one.keys().filter(|key| !other.contains_key(key)).count() as u64
        };
        let differ = |(key, value): &(&u64, &u64)| {
            let there = self.target.get(key);
            there.is_some_and(|there| there != *value)
        };
        let moving = self
            .source
            .iter()
            .filter(|(_, value)| self.selects(**value));
        let source = moving.map(|(key, value)| (*key, *value)).collect();
        let different = BTreeMap::iter(&source).filter(differ).count() as u64;
        [
            only(&self.target, &source),
            only(&source, &self.target),
            different,
        ]
    }
}

fn models() -> Vec<Model> {
    let model = |carried, is_filtered| Model {
        carried,
        is_filtered,
        source: (0..KEYS / 2).map(|key| (key, 0)).collect(),
        target: (0..KEYS / 2).map(|key| (key, 0)).collect(),
        left: BTreeMap::new(),
    };
    let plain = CARRIED.into_iter().map(|carried| model(carried, false));
    let filtered = FILTERED.into_iter().map(|carried| model(carried, true));
    plain.chain(filtered).collect()
}

fn rules(models: &[Model]) -> String {
    let rule = |model: &Model| {
        let carried = model.carried;
        let words = [("i", "insert"), ("u", "update"), ("d", "delete")];
        let words = words
            .iter()
            .filter(|(letter, _)| carried.contains(letter))
            .map(|(_, word)| format!(", {word}"));
        let words: String = words.collect();
        let filter = match model.is_filtered {
            true => ", filter: 'v MOD 2 = 0', filter_updates: pre-image",
            false => "",
        };
        let name = model.name();
        format!("{{table: shop.{name}, operations: [ddl{words}]{filter}}}")
    };
    let rules: Vec<String> = models.iter().map(rule).collect();
    format!("tables: [{}]", rules.join(", "))
}

async fn filled(source: &Server, models: &[Model]) {
    source
        .sql("CREATE DATABASE shop")
        .await
        .expect("a database");
    for model in models {
        let name = model.name();
        let rows: Vec<String> = model
            .source
            .keys()
            .map(|key| format!("({key},0)"))
            .collect();
        let sql = format!(
            "CREATE TABLE shop.{name} (id INT PRIMARY KEY, v INT) ENGINE=InnoDB; INSERT INTO shop.{name} VALUES {}",
            rows.join(",")
        );
        source.sql(&sql).await.expect("a table");
    }
}

/// The program that runs is killed in the midst of random changes, several times.
async fn write_and_kill(
    (wherry, source): (&Wherry, &Server),
    mut running: Running,
    models: &mut [Model],
    random: &mut Random,
) -> Running {
    let mut value = 0;
    for number in 0..TRANSACTIONS {
        let mut statements = vec!["USE shop; BEGIN".to_owned()];
        for _ in 0..=random.below(8) {
            value += 1;
            let place = random.below(models.len() as u64) as usize;
            statements.push(models[place].step(random, value));
        }
        statements.push("COMMIT".to_owned());
        source.sql(&statements.join(";")).await.expect("changes");
        if number % (TRANSACTIONS / KILLS) == TRANSACTIONS / KILLS - 1 {
            running.signal("KILL");
            drop(running);
            running = wherry.start(&["run"]);
        }
    }
    running
}

async fn assert_as_modelled(target: &Server, models: &[Model]) {
    for model in models {
        let expected: Vec<String> = model
            .target
            .iter()
            .map(|(key, value)| format!("{key}/{value}"))
            .collect();
        let expected: Vec<&str> = expected.iter().map(String::as_str).collect();
        let query = format!("SELECT * FROM shop.{} ORDER BY id", model.name());
        assert_rows(target, &query, &expected).await;
    }
}

fn assert_explained(report: &Value, models: &[Model]) {
    for model in models {
        let name = format!("`shop`.`{}`", model.name());
        let tables = report["tables"].as_array().expect("tables");
        let table = tables.iter().find(|table| table["table"] == *name);
        let table = table.expect("the table is reported");
        let told =
            ["kept", "missing", "different"].map(|key| table[key].as_u64().expect("a count"));
        assert_eq!(told, model.explained(), "{name}");
    }
}

/// One entry a table and kind, with its count.
fn assert_counted(wherry: &Wherry, models: &[Model]) {
    let status = wherry.finish(&["status"]).expect_code(0);
    let status = status.of_type("status")[0].clone();
    let losses = status["losses"].as_array().expect("losses");
    let mut told: Vec<String> = losses
        .iter()
        .map(|loss| {
            assert_eq!(loss["code"], "TGT-170", "{loss}");
            let table = loss["table"]["table"].as_str().unwrap_or_default();
            format!("{table} {}", loss["reason"].as_str().unwrap_or_default())
        })
        .collect();
    told.sort();
    let entries = |model: &Model| {
        let name = model.name();
        let entry = move |(kind, count): (&&str, &u64)| {
            format!(
                "{name} `operations` leaves out {kind}: so many changes of rows since then: {count}"
            )
        };
        model.left.iter().map(entry).collect::<Vec<_>>()
    };
    let mut expected: Vec<String> = models.iter().flat_map(entries).collect();
    expected.sort();
    assert_eq!(told, expected);
}

async fn kinds_of_changes(flavour: Flavour) {
    let seed = Random::fresh_seed();
    eprintln!("changes seed {seed}");
    let mut random = Random::new(seed);
    let (source, target) = pair(flavour).await;
    let mut models = models();
    filled(&source, &models).await;
    let wherry = Wherry::new(&source, &target, &["shop"]).select(&rules(&models));
    let running = wherry.start(&["run"]);
    running.hear_strict();
    let running = write_and_kill((&wherry, &source), running, &mut models, &mut random).await;
    running.hear_strict();
    let verified = wherry.finish(&["verify"]).expect_code(0);
    assert_as_modelled(&target, &models).await;
    assert_explained(verified.of_type("verify")[0], &models);
    assert_counted(&wherry, &models);
    assert_rows(&target, "SELECT COUNT(*) FROM wherry.divergence", &["0"]).await;
    running.stop();
    wherry.finish(&["cutover"]).expect_code(0);
    assert_as_modelled(&target, &models).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn changes_are_left_out_from_97() {
    kinds_of_changes(Flavour::MySql97).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn changes_are_left_out_from_56() {
    kinds_of_changes(Flavour::MySql56).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn changes_are_left_out_from_mariadb() {
    kinds_of_changes(Flavour::MariaDb).await;
}

/// Writes one numbered insert, then a pair of an insert and a delete, until it is told to end.
async fn write_on(source: Arc<Server>, ends: Arc<AtomicBool>) -> u64 {
    let mut number = 0;
    while !ends.load(Ordering::SeqCst) {
        number += 1;
        let sql = format!(
            "INSERT INTO shop.grows VALUES ({number}); INSERT INTO aside.noise VALUES (1); INSERT INTO shop.stays VALUES ({number}); INSERT INTO aside.noise VALUES (1), (2);
             DELETE FROM shop.stays WHERE id={number}; INSERT INTO aside.noise VALUES (1)"
        );
        source.sql(&sql).await.expect("changes");
    }
    number
}

/// Everything up to the load's end is carried, everything behind it is not, whatever was killed: the
/// source's binlog tells what came before that place.
#[tokio::test(flavor = "multi_thread")]
async fn what_came_before_the_end_is_carried() {
    let (source, target) = pair(Flavour::MySql97).await;
    let source = Arc::new(source);
    source
        .sql(
            "CREATE DATABASE aside; CREATE TABLE aside.noise (id INT); CREATE DATABASE shop; CREATE TABLE shop.grows (id INT PRIMARY KEY); CREATE TABLE shop.stays (id INT PRIMARY KEY);
             CREATE TABLE shop.bulk (id BIGINT PRIMARY KEY, b VARCHAR(120)); SET SESSION cte_max_recursion_depth = 1000000;
             INSERT INTO shop.bulk WITH RECURSIVE n AS (SELECT 1 AS i UNION ALL SELECT i + 1 FROM n WHERE i < 150000) SELECT i, SHA2(i, 256) FROM n",
        )
        .await
        .expect("source data");
    let ends = Arc::new(AtomicBool::new(false));
    let writer = tokio::spawn(write_on(Arc::clone(&source), Arc::clone(&ends)));
    let wherry = Wherry::new(&source, &target, &["shop"]).select(
        "tables: [{table: shop.grows, operations: [-insert]}, {table: shop.stays, operations: [-delete]}]",
    );
    let running = wherry.start(&["run"]);
    running.hear("the load", |line| line["phase"] == "load");
    running.hear("the stream", |line| line["phase"] == "stream");
    running.signal("KILL");
    drop(running);
    let running = wherry.start(&["run"]);
    running.hear_strict();
    let behind = "SELECT COUNT(*) > 20 FROM shop.stays";
    becomes(&target, behind, "1", &running).await;
    ends.store(true, Ordering::SeqCst);
    let last = writer.await.expect("the writer");
    wherry.finish(&["verify"]).expect_code(0);
    let [inserted, deleted] = before_the_end(&source, &target).await;
    assert!(
        inserted > 1 && inserted < last,
        "the end lies in the writes"
    );
    let range = "SELECT MIN(id), MAX(id), COUNT(*) FROM shop";
    let grown = format!("1/{inserted}/{inserted}");
    assert_rows(&target, &format!("{range}.grows"), &[&grown]).await;
    let stayed = format!("{}/{last}/{}", deleted + 1, last - deleted);
    assert_rows(&target, &format!("{range}.stays"), &[&stayed]).await;
    running.stop();
}

/// How many inserts of the one table and deletes of the other the source's binlog holds before the
/// stored end of the load.
async fn before_the_end(source: &Server, target: &Server) -> [u64; 2] {
    let end = target.value("SELECT end_position FROM wherry.task").await;
    let end: Value = serde_json::from_str(&end.expect("a row").expect("an end")).expect("JSON");
    let file = end["file"].as_str().expect("a file");
    let place = end["offset"].as_u64().expect("an offset");
    let events = format!("SHOW BINLOG EVENTS IN '{file}'");
    let events = source.rows(&events).await.expect("events");
    let mut counts = [0, 0];
    let mut table = String::new();
    for event in events {
        let [_, at, kind, _, _, info] = event.as_slice() else {
            panic!("{event:?}")
        };
        let at: u64 = at
            .as_deref()
            .and_then(|at| at.parse().ok())
            .expect("a place");
        if at >= place {
            break;
        }
        match kind.as_deref().unwrap_or_default() {
            "Table_map" => table = info.clone().unwrap_or_default(),
            "Write_rows" if table.contains("shop.grows") => counts[0] += 1,
            "Delete_rows" if table.contains("shop.stays") => counts[1] += 1,
            _ => {}
        }
    }
    counts
}

const SPECIAL: &str = "CREATE DATABASE shop; USE shop;
    CREATE TABLE archive (id INT PRIMARY KEY, u INT UNIQUE, v INT) ENGINE=InnoDB;
    CREATE TABLE stale LIKE archive; CREATE TABLE clash LIKE archive; CREATE TABLE away LIKE archive; CREATE TABLE anew LIKE archive;
    CREATE TABLE plain (id INT PRIMARY KEY) ENGINE=InnoDB;
    INSERT INTO archive VALUES (1, 1, 1), (2, 2, 2), (3, 3, 3); INSERT INTO stale SELECT * FROM archive;
    INSERT INTO clash SELECT * FROM archive; INSERT INTO away SELECT * FROM archive; INSERT INTO anew SELECT * FROM archive";

const RULES: &str = "operations: [-delete], tables: [{table: shop.stale, operations: [-update]}, \
    {table: shop.plain, operations: [all]}, {table: shop.other, operations: [all]}]";

fn all_of(table: &str) -> String {
    format!("SELECT * FROM shop.{table} ORDER BY 1")
}

/// Of tables that go on.
const GOES_ON: &str = "USE shop; DELETE FROM archive WHERE id = 1; INSERT INTO archive VALUES (4, 4, 4);
             ALTER TABLE archive ADD COLUMN w INT DEFAULT 7 AFTER id, ADD INDEX by_w (w);
             DELETE FROM archive WHERE id = 2; INSERT INTO archive VALUES (2, 9, 9, 9); UPDATE archive SET id = 1, v = 40 WHERE id = 4;
             RENAME TABLE archive TO archived; DELETE FROM archived WHERE id = 3;
             CREATE TABLE late (id INT PRIMARY KEY); INSERT INTO late VALUES (1), (2); DELETE FROM late WHERE id = 1;
             UPDATE stale SET id = 10, v = 10 WHERE id = 1; DELETE FROM stale WHERE id = 10; DELETE FROM stale WHERE id = 2;
             INSERT INTO stale VALUES (1, 11, 11)";

/// Definitions go on, tables that are made later leave out the same, and nothing that stays is lost
/// by a new load that nobody asked for.
#[tokio::test(flavor = "multi_thread")]
async fn what_stays_is_kept_through_definitions() {
    let (source, target) = pair(Flavour::MySql97).await;
    source.sql(SPECIAL).await.expect("source data");
    let wherry = Wherry::new(&source, &target, &["shop"]).select(RULES);
    let running = wherry.start(&["run"]);
    running.hear_strict();
    source.sql(GOES_ON).await.expect("changes");
    assert_kept(&wherry, &target).await;
    assert_damage_is_found(&wherry, &source, &target).await;
    assert_stops(&running, &source, &target).await;
    running.stop();
    // The rule cannot change under the table; a new load makes it like the source's, and leaves out
    // what comes then.
    let other = Wherry::new(&source, &target, &["shop"]);
    let said = other.finish(&["run"]);
    assert_eq!((said.code, said.error_code().as_str()), (2, "NAM-003"));
    wherry
        .finish(&["resync", "shop.clash", "shop.anew"])
        .expect_code(0);
    let running = wherry.start(&["run"]);
    becomes(
        &target,
        "SELECT COUNT(*) FROM wherry.lane_table",
        "0",
        &running,
    )
    .await;
    source
        .sql("DELETE FROM shop.clash WHERE id = 9; INSERT INTO shop.plain VALUES (77)")
        .await
        .expect("a change, and another one behind it");
    let passed = "SELECT COUNT(*) FROM shop.plain WHERE id = 77";
    becomes(&target, passed, "1", &running).await;
    // The first delete is counted where it was not in the group that met the conflict.
    let counted = "SELECT change_count >= 1 FROM wherry.left_change WHERE table_name = 'clash'";
    becomes(&target, counted, "1", &running).await;
    assert_rows(&target, &all_of("clash"), &["2/2/2", "3/3/3", "9/1/9"]).await;
    running.stop();
}

async fn assert_kept(wherry: &Wherry, target: &Server) {
    let verified = wherry.finish(&["verify"]).expect_code(0);
    assert_rows(
        target,
        &all_of("archived"),
        &["1/7/4/40", "2/9/9/9", "3/7/3/3"],
    )
    .await;
    assert_rows(target, &all_of("late"), &["1", "2"]).await;
    assert_rows(target, &all_of("stale"), &["1/11/11", "3/3/3"]).await;
    let report = verified.of_type("verify")[0];
    let kept = |name: &str| {
        let tables = report["tables"].as_array().expect("tables");
        let table = tables.iter().find(|table| table["table"] == name);
        table.map(|table| (table["kept"].as_u64(), table["apart"].as_bool()))
    };
    assert_eq!(kept("`shop`.`archived`"), Some((Some(1), Some(true))));
    assert_eq!(kept("`shop`.`plain`"), Some((Some(0), Some(false))));
}

/// The binlog file with the definitions is done with first.
async fn assert_damage_is_found(wherry: &Wherry, source: &Server, target: &Server) {
    source.sql("FLUSH BINARY LOGS").await.expect("a new file");
    target
        .sql("UPDATE shop.archived SET v = 0 WHERE id = 2; DELETE FROM shop.late WHERE id = 2")
        .await
        .expect("damage");
    let verified = wherry.finish(&["verify"]).expect_code(4);
    assert_eq!(
        verified.of_type("verify")[0]["mismatch_count"],
        2,
        "{verified:?}"
    );
    target
        .sql("UPDATE shop.archived SET v = 9 WHERE id = 2; INSERT INTO shop.late VALUES (2)")
        .await
        .expect("mended");
}

/// A row meets one that stays; a name has another rule; a change asks for a new load.
async fn assert_stops(running: &Running, source: &Server, target: &Server) {
    source
        .sql(
            "USE shop; DELETE FROM clash WHERE id = 1; INSERT INTO clash VALUES (9, 1, 9);
             DELETE FROM away WHERE id = 1; RENAME TABLE away TO other;
             DELETE FROM anew WHERE id = 1; ALTER TABLE anew ADD COLUMN n INT AUTO_INCREMENT UNIQUE",
        )
        .await
        .expect("changes that stop tables");
    for (table, code) in [
        ("clash", "TGT-052"),
        ("away", "TGT-171"),
        ("anew", "TGT-171"),
    ] {
        let stopped = format!(
            "SELECT COUNT(*) FROM wherry.table_state WHERE table_name = '{table}' AND stopped LIKE '%{code}%'"
        );
        becomes(target, &stopped, "1", running).await;
        let stays = format!("SELECT COUNT(*) FROM shop.{table} WHERE id = 1");
        assert_rows(target, &stays, &["1"]).await;
    }
}

/// Tables of which nobody could tell what is missing, or whose foreign keys would not hold.
async fn refused(flavour: Flavour) {
    let (source, target) = pair(flavour).await;
    source
        .sql(
            "CREATE DATABASE shop; USE shop; CREATE TABLE keyless (v INT) ENGINE=InnoDB;
             CREATE TABLE p (id INT PRIMARY KEY) ENGINE=InnoDB; CREATE TABLE c (id INT PRIMARY KEY, p INT, FOREIGN KEY (p) REFERENCES p (id)) ENGINE=InnoDB;
             CREATE TABLE one (id INT PRIMARY KEY) ENGINE=InnoDB; CREATE TABLE two LIKE one",
        )
        .await
        .expect("tables");
    if flavour != Flavour::MySql97 {
        let sql = "CREATE TABLE shop.tied (id INT PRIMARY KEY, o INT, FOREIGN KEY (o) REFERENCES shop.one (id) ON DELETE CASCADE) ENGINE=InnoDB";
        source.sql(sql).await.expect("a family");
    }
    let check = |select: &str, code: &str| {
        let wherry = Wherry::new(&source, &target, &["shop"]).select(select);
        let said = wherry.finish(&["precheck"]);
        let lines = format!("{:?}", said.lines);
        if code.is_empty() {
            assert_eq!(said.code, 0, "{select}: {lines}");
            return;
        }
        assert!(lines.contains(code), "{select}: {lines}");
        assert_eq!(said.code, 3, "{select}");
        assert_eq!(wherry.finish(&["run"]).code, 3, "{select}");
    };
    let rule = |table: &str, list: &str| {
        format!("tables: [{{table: shop.{table}, operations: [{list}]}}]")
    };
    check(&rule("keyless", "-delete"), "TRF-020");
    check(&rule("c", "-delete"), "TRF-021");
    check(&rule("c", "-update"), "TRF-021");
    check(&rule("p", "-insert"), "TRF-021");
    check(&rule("p", "-update"), "TRF-021");
    check(&rule("p", "-delete"), "");
    check(&rule("c", "-insert"), "");
    if flavour != Flavour::MySql97 {
        check(&rule("one", "-delete"), "TRF-020");
        return;
    }
    let merged = "operations: [-insert], exclude: [shop.p, shop.c, shop.keyless], mapping: {tables: {shop.one: shop.all, shop.two: shop.all}}, merge: [shop.all]";
    check(merged, "MRG-001");
    let merged = merged.replace(
        "operations: [-insert]",
        "tables: [{table: 'shop.*', filter: 'id > 0', filter_updates: pre-image}]",
    );
    check(&merged, "TRF-020");
    target
        .sql("CREATE DATABASE shop; CREATE TABLE shop.one (id INT PRIMARY KEY)")
        .await
        .expect("a table of the target's own");
    check(
        "tables: [{table: shop.one, operations: [-delete], policy: keep}]",
        "its rule leaves out changes of rows",
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn what_cannot_be_left_out_is_refused_97() {
    refused(Flavour::MySql97).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_cannot_be_left_out_is_refused_mariadb() {
    refused(Flavour::MariaDb).await;
}
