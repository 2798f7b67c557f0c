//! Online-DDL tools change a table at the source while it is loaded and while it is streamed.
//!
//! `WHERRY_SOAK=1` takes a table of 200,000 rows instead of 5,000.

use crate::kinds::pair;
use crate::lanes::{becomes, joined};
use crate::runner::{Running, Wherry};
use wherry_testkit::{
    Flavour, Ghost, Percona, SchemaChange, Server, ServerOptions, TableWriters, compare, make_table,
};

fn row_count() -> u64 {
    if std::env::var_os("WHERRY_SOAK").is_some() {
        200_000
    } else {
        5_000
    }
}

fn change(alter: &str) -> SchemaChange {
    SchemaChange {
        database: "shop".to_owned(),
        table: "t".to_owned(),
        alter: alter.to_owned(),
        arguments: Vec::new(),
    }
}

/// A source with a table under writes, and an empty target.
struct Road {
    source: Server,
    target: Server,
    writers: TableWriters,
    tool: Percona,
}

impl Road {
    async fn open(flavour: Flavour, rows: u64) -> Road {
        let source = Server::start(flavour, ServerOptions::default())
            .await
            .expect("source");
        let target = Server::start(Flavour::MySql97, ServerOptions::default())
            .await
            .expect("target");
        make_table(&source, "shop", rows).await.expect("a table");
        let writers = TableWriters::start(&source, "shop", 2, 11);
        writers.wait_for(10).await.expect("writes");
        Road {
            writers,
            source,
            target,
            tool: Percona::find().expect("pt-online-schema-change"),
        }
    }

    async fn ghost(&self, alter: &str) -> Ghost {
        Ghost::begin(&self.source, &change(alter))
            .await
            .expect("gh-ost begins")
    }

    async fn percona(&self, alter: &str) {
        let said = self
            .tool
            .change(&self.source, &change(alter))
            .await
            .expect("pt-online-schema-change");
        assert!(said.contains("Successfully altered"), "{said}");
    }

    /// Lets the writers end; both sides must be equal then, in rows and columns.
    async fn end(self, wherry: &Wherry, running: Running) {
        self.writers.wait_for(20).await.expect("writes");
        self.writers.stop().await.expect("the writers end");
        wherry.finish(&["verify"]).expect_code(0);
        let last = running.last("progress").expect("progress");
        assert_eq!(last["table_stopped_count"], 0, "{last}");
        running.stop();
        compare(
            &self.source.url("root"),
            &self.target.url("root"),
            &["shop"],
        )
        .await
        .expect("comparison")
        .assert_equal();
        assert_eq!(columns(&self.source).await, columns(&self.target).await);
        assert_eq!(keys(&self.source).await, keys(&self.target).await);
    }
}

async fn columns(server: &Server) -> Vec<Vec<Option<String>>> {
    let query = "SELECT TABLE_NAME, COLUMN_NAME, DATA_TYPE, COLUMN_DEFAULT, CHARACTER_MAXIMUM_LENGTH FROM information_schema.COLUMNS WHERE TABLE_SCHEMA = 'shop' ORDER BY TABLE_NAME, ORDINAL_POSITION";
    let mut rows = server.rows(query).await.expect("columns");
    for row in &mut rows {
        // MariaDB says defaults as expressions.
        if let Some(default) = row[3].take() {
            let plain = default.trim_matches('\'').to_owned();
            row[3] = (plain != "NULL").then_some(plain);
        }
    }
    rows
}

async fn keys(server: &Server) -> Vec<Vec<Option<String>>> {
    let query = "SELECT TABLE_NAME, INDEX_NAME, SEQ_IN_INDEX, COLUMN_NAME, NON_UNIQUE FROM information_schema.STATISTICS WHERE TABLE_SCHEMA = 'shop' ORDER BY 1, 2, 3";
    server.rows(query).await.expect("keys")
}

/// Runs of both tools begun before the task, finished in its load, and whole ones in its stream.
async fn as_ordinary_tables(flavour: Flavour) {
    let road = Road::open(flavour, row_count()).await;
    let wherry = Wherry::new(&road.source, &road.target, &["shop"]);
    let mut ghost = road.ghost("ADD COLUMN one INT NOT NULL DEFAULT 1").await;
    ghost.copy(3).await.expect("some chunks");
    wherry.finish(&["schema"]).expect_code(0);
    // The task knows both tables with the names that they change now.
    ghost
        .finish()
        .await
        .expect("the swap before the first chunk");
    let running = wherry.start(&["run"]);
    running.hear("the load", |line| line["phase"] == "load");
    road.percona("MODIFY name VARCHAR(60) NOT NULL, ADD INDEX by_amount (amount)")
        .await;
    running.hear_strict();
    road.percona("ADD COLUMN two VARCHAR(8) DEFAULT 'two'")
        .await;
    let ghost = road
        .ghost("DROP INDEX by_code, ADD COLUMN three DECIMAL(6,2) DEFAULT 3.5 AFTER id")
        .await;
    ghost.finish().await.expect("the swap in the stream");
    road.end(&wherry, running).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn online_ddl_tools_as_ordinary_tables_mysql97() {
    as_ordinary_tables(Flavour::MySql97).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn online_ddl_tools_as_ordinary_tables_mysql56() {
    as_ordinary_tables(Flavour::MySql56).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn online_ddl_tools_as_ordinary_tables_mariadb() {
    as_ordinary_tables(Flavour::MariaDb).await;
}

/// The names of all tables of the shop in the target.
async fn tables(server: &Server) -> Vec<String> {
    let query =
        "SELECT TABLE_NAME FROM information_schema.TABLES WHERE TABLE_SCHEMA = 'shop' ORDER BY 1";
    let rows = server.rows(query).await.expect("tables");
    rows.into_iter().filter_map(|row| row[0].clone()).collect()
}

async fn count(server: &Server, query: &str) -> String {
    let value = server.value(query).await.expect("a count");
    value.unwrap_or_default()
}

const FINAL_CHANGE: &str = "stream: {online_ddl: {mode: final-change}}";

/// Neither the tools' tables nor their rows go over; the change does, also where the runner is
/// killed between the tool's first statement and its last.
async fn as_final_changes(flavour: Flavour) {
    let road = Road::open(flavour, row_count()).await;
    let wherry = Wherry::new(&road.source, &road.target, &["shop"]).extra(FINAL_CHANGE);
    let mut ghost = road.ghost("ADD COLUMN one INT NOT NULL DEFAULT 1").await;
    ghost.copy(3).await.expect("some chunks");
    let checked = wherry.finish(&["precheck"]).expect_code(0);
    let warned = checked.lines.iter().map(ToString::to_string);
    let warned: Vec<String> = warned
        .filter(|line| line.contains("source-online-ddl"))
        .collect();
    assert!(
        warned
            .iter()
            .any(|line| line.contains("`shop`.`_t_gho`") && line.contains("under way")),
        "{warned:?}"
    );
    wherry.finish(&["schema"]).expect_code(0);
    ghost
        .finish()
        .await
        .expect("the swap before the first chunk");
    let running = wherry.start(&["run"]);
    running.hear("the load", |line| line["phase"] == "load");
    road.percona("MODIFY name VARCHAR(60) NOT NULL, ADD INDEX by_amount (amount)")
        .await;
    running.hear_strict();
    // The load may have ended before the swap: then the table is loaded anew beside the stream.
    let index = "SELECT COUNT(*) FROM information_schema.statistics WHERE table_schema = 'shop' AND index_name = 'by_amount'";
    becomes(&road.target, index, "1", &running).await;
    joined(&road.target, "shop.t", &running).await;

    let mut ghost = road
        .ghost(
            "DROP INDEX by_code, ADD COLUMN two DECIMAL(6,2) DEFAULT 3.5 AFTER id, DROP COLUMN one",
        )
        .await;
    ghost.copy(2).await.expect("some chunks");
    // A comparison ends when the stream has passed what was there at its beginning.
    wherry.finish(&["verify"]).expect_code(0);
    assert_eq!(tables(&road.target).await, ["t"]);
    let remembered = "SELECT COUNT(*) FROM wherry.online_change";
    assert_eq!(count(&road.target, remembered).await, "1");
    running.signal("KILL");
    running.wait();
    let running = wherry.start(&["run"]);
    running.hear_strict();
    ghost.finish().await.expect("the swap in the stream");
    road.percona("ADD COLUMN three VARCHAR(8) NOT NULL DEFAULT 'three', ENGINE=InnoDB")
        .await;
    wherry.finish(&["verify"]).expect_code(0);
    assert_eq!(tables(&road.target).await, ["t"]);
    assert_eq!(count(&road.target, remembered).await, "0");
    let lost = "SELECT COUNT(*) FROM wherry.loss_ledger";
    assert_eq!(count(&road.target, lost).await, "0");
    road.end(&wherry, running).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn online_ddl_tools_as_final_changes_mysql97() {
    as_final_changes(Flavour::MySql97).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn online_ddl_tools_as_final_changes_mysql56() {
    as_final_changes(Flavour::MySql56).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn online_ddl_tools_as_final_changes_mariadb() {
    as_final_changes(Flavour::MariaDb).await;
}

/// A copy by hand, as a tool makes it, of table `name`.
fn by_hand(name: &str, alter: &str, shared: &str) -> String {
    format!(
        "CREATE TABLE _{name}_gho LIKE {name};
         ALTER TABLE _{name}_gho {alter};
         INSERT IGNORE INTO _{name}_gho ({shared}) SELECT {shared} FROM {name};
         RENAME TABLE {name} TO _{name}_del, _{name}_gho TO {name};
         DROP TABLE _{name}_del;"
    )
}

/// Tables by name, with a change whose rows cannot be known.
const REFUSED: [(&str, &str); 8] = [
    ("moment", "ADD COLUMN at DATETIME DEFAULT CURRENT_TIMESTAMP"),
    ("made", "ADD COLUMN e INT DEFAULT (v + 1)"),
    ("renamed", "CHANGE COLUMN w x INT"),
    ("again", "DROP COLUMN w, ADD COLUMN w INT DEFAULT 9"),
    ("only", "ADD UNIQUE KEY (v)"),
    ("shorter", "MODIFY s VARCHAR(3)"),
    ("strict", "MODIFY w INT NOT NULL DEFAULT 0"),
    ("checked", "ADD CHECK (v > 0)"),
];

/// Tables by name, with a change that can be carried.
const CARRIED: [(&str, &str); 3] = [
    ("rebuilt", "ENGINE=InnoDB"),
    (
        "longer",
        "MODIFY s VARCHAR(30), MODIFY e ENUM('a', 'b', 'c'), MODIFY w BIGINT",
    ),
    (
        "several",
        "ADD COLUMN n INT NOT NULL DEFAULT 4, DROP KEY by_v, COMMENT 'changed'",
    ),
];

/// Tables with a swap that is none of a tool's, and one that nobody swaps.
const OTHERS: [&str; 5] = ["old", "empty", "cut", "strange", "calm"];

const ODD_SWAPS: &str = "RENAME TABLE old TO _old_del, _old_gho TO old;
        CREATE TABLE _empty_new LIKE `empty`;
        RENAME TABLE `empty` TO _empty_old, _empty_new TO `empty`;
        CREATE TABLE _cut_gho LIKE cut; ALTER TABLE _cut_gho ADD COLUMN z INT;
        INSERT INTO _cut_gho (id, v, w, s, e) SELECT * FROM cut; TRUNCATE TABLE cut;
        RENAME TABLE cut TO _cut_del, _cut_gho TO cut;
        CREATE TABLE _strange_new (id INT PRIMARY KEY, v INT); ALTER TABLE _strange_new ADD COLUMN z INT;
        RENAME TABLE strange TO _strange_old, _strange_new TO strange;
        DROP TABLE _old_del, _empty_old, _cut_del, _strange_old;
        UPDATE calm SET v = 6;";

async fn make_small_tables(source: &Server) {
    let names: Vec<&str> = REFUSED
        .iter()
        .chain(&CARRIED)
        .map(|(name, _)| *name)
        .chain(OTHERS)
        .collect();
    let mut setup = "CREATE DATABASE shop; USE shop;".to_owned();
    for name in &names {
        setup += &format!(
            "CREATE TABLE `{name}` (id INT PRIMARY KEY, v INT, w INT, s VARCHAR(20), e ENUM('a', 'b'), KEY by_v (v));
             INSERT INTO `{name}` VALUES (1, 1, NULL, 'short', 'a'), (2, 1, 2, 'longer', 'b');"
        );
    }
    setup += "CREATE TABLE _old_gho LIKE old; ALTER TABLE _old_gho ADD COLUMN z INT;
              INSERT INTO _old_gho (id, v, w, s, e) SELECT * FROM old;";
    source.sql(&setup).await.expect("source data");
}

/// Where rows cannot be known the table is loaded anew; other changes are carried.
#[tokio::test(flavor = "multi_thread")]
async fn online_ddl_that_is_not_sure_loads_its_table_anew() {
    let (source, target) = pair(Flavour::MySql97).await;
    make_small_tables(&source).await;
    let wherry = Wherry::new(&source, &target, &["shop"]).extra(FINAL_CHANGE);
    let running = wherry.start(&["run"]);
    running.hear_strict();
    let mut changes = "USE shop; SET sql_mode = ''; UPDATE calm SET v = 5;".to_owned();
    for (name, alter) in REFUSED.iter().chain(&CARRIED) {
        let shared = match *name {
            "renamed" => "id, v, s",
            "made" => "id, v, w, s",
            _ => "id, v, w, s, e",
        };
        let alter = alter.replace("ADD COLUMN e INT", "DROP COLUMN e, ADD COLUMN d INT");
        changes += &by_hand(name, &alter, shared);
        changes += &format!("UPDATE `{name}` SET v = v + 10;");
    }
    changes += ODD_SWAPS;
    source.sql(&changes).await.expect("changes");
    let passed = "SELECT CONCAT((SELECT SUM(v) FROM shop.calm), ' ', (SELECT COUNT(*) FROM wherry.lane_table))";
    becomes(&target, passed, "12 0", &running).await;
    wherry.finish(&["verify"]).expect_code(0);
    let anew = running.said("is to be loaded anew");
    for name in REFUSED
        .iter()
        .chain(&CARRIED)
        .map(|(name, _)| *name)
        .chain(OTHERS)
    {
        let wanted = name != "calm" && CARRIED.iter().all(|(carried, _)| *carried != name);
        let quoted = format!("`shop`.`{name}`");
        let found = anew.iter().any(|line| line.contains(&quoted));
        assert_eq!(found, wanted, "{name} in {anew:?}");
    }
    running.stop();
    compare(&source.url("root"), &target.url("root"), &["shop"])
        .await
        .expect("comparison")
        .assert_equal();
    for name in CARRIED.iter().map(|(name, _)| *name).chain(["calm"]) {
        let definition = format!("SHOW CREATE TABLE shop.{name}");
        assert_eq!(
            source.rows(&definition).await.expect("definition"),
            target.rows(&definition).await.expect("definition")
        );
    }
}

/// A final change leaves in place what only the target's table has, and rows go on getting it.
#[tokio::test(flavor = "multi_thread")]
async fn a_final_change_keeps_added_columns() {
    let (source, target) = pair(Flavour::MySql97).await;
    make_small_tables(&source).await;
    let added = "tables: [{table: 'shop.*', add: [{name: shard, type: VARCHAR(64) NOT NULL, value: __DB__}, {name: large, type: INT NOT NULL DEFAULT 0, value: '(op_gt(`v`, 10) ? 1 : 0)'}]}]";
    let wherry = Wherry::new(&source, &target, &["shop"])
        .extra(FINAL_CHANGE)
        .select(added);
    let running = wherry.start(&["run"]);
    running.hear_strict();
    let mut changes = "USE shop; SET sql_mode = '';".to_owned();
    for (name, alter) in &CARRIED {
        changes += &by_hand(name, alter, "id, v, w, s, e");
        changes += &format!(
            "UPDATE `{name}` SET v = 20 WHERE id = 2; INSERT INTO `{name}` (id, v) VALUES (3, 30), (4, 4);"
        );
    }
    changes += "UPDATE calm SET v = 6;";
    source.sql(&changes).await.expect("changes");
    let passed = "SELECT CAST(SUM(v) AS CHAR) FROM shop.calm";
    becomes(&target, passed, "12", &running).await;
    wherry.finish(&["verify"]).expect_code(0);
    assert_eq!(running.said("is to be loaded anew"), Vec::<String>::new());
    for (name, _) in CARRIED {
        let rows = format!(
            "SELECT GROUP_CONCAT(CONCAT_WS(' ', id, v, shard, large) ORDER BY id) FROM shop.{name}"
        );
        let found = target.value(&rows).await.expect("rows");
        assert_eq!(
            found.as_deref(),
            Some("1 1 shop 0,2 20 shop 1,3 30 shop 1,4 4 shop 0")
        );
    }
    running.stop();
}
