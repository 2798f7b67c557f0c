//! Columns that only the target has, through load, stream, DDL, lanes, verify and cutover.

use crate::exact::Writers;
use crate::lanes::{becomes, joined};
use crate::runner::{Finished, Running, Wherry};
use crate::shape::{assert_same, server};
use wherry_testkit::{Flavour, Random, Server};

const DATA: &str = "CREATE DATABASE shop DEFAULT CHARACTER SET utf8mb4; USE shop; SET NAMES utf8mb4;
    CREATE TABLE person (id INT PRIMARY KEY, name VARCHAR(20), n INT, secret VARCHAR(9), born DATE, email VARCHAR(20) UNIQUE) ENGINE=InnoDB;
    INSERT INTO person VALUES (1, 'ann', 1, 'a', '2000-01-02', 'a'), (2, 'bÄrbel', 20, 'x', NULL, 'b'), (3, NULL, NULL, NULL, NULL, NULL), (4, 'dee', 400, 'd', NULL, 'd');
    CREATE TABLE bare (a INT, b VARCHAR(9)) ENGINE=InnoDB;
    INSERT INTO bare VALUES (1, 'x'), (1, 'x'), (2, 'yx'), (NULL, 'z');
    CREATE TABLE both_of (id INT PRIMARY KEY, v VARCHAR(20)) ENGINE=InnoDB;
    INSERT INTO both_of VALUES (1, 'one'), (2, 'two'), (3, 'drop')";

/// A value may look at columns that do not move, and a script at values.
const RULES: &str = r#"tables: [
    {table: 'shop.*', add: [{name: shard, type: "VARCHAR(64) NOT NULL COMMENT 'which table'", value: __TB__}, {name: origin, type: "INT NOT NULL DEFAULT 7", value: "42"}]},
    {table: shop.person, without: [secret], filter: n < 100 OR n IS NULL, add: [
        {name: imported, type: DATETIME, value: __COMMIT_TIMESTAMP__},
        {name: kind, type: "ENUM('big','small','none') NOT NULL", value: "(op_is_null(`n`) ? 'none' : (op_gt(`n`, 10) ? 'big' : 'small'))"},
        {name: Whole, type: "VARCHAR(60) CHARACTER SET latin1", value: "op_add(`name`, '-', __DB__, `secret`)"},
        {name: loaded, type: "DATETIME(3) NOT NULL", value: dt_now_millis()}]},
    {table: shop.both_of, add: [
        {name: shard, type: "VARCHAR(9)", value: "op_add(__TB__, '!')"},
        {name: seen, type: TIMESTAMP(3), value: dt_now_millis()}],
     etl: {script: "e_compose(e_if(op_eq(`v`, 'drop'), e_drop()), e_set(`shard`, str_upper(`shard`)), e_set(`v`, op_add(`v`, `shard`)))"}}],
    mapping: {columns: {shop.person.name: called}}"#;

/// What SQL queries on the source make of its rows is what the target holds.
async fn assert_added(source: &Server, target: &Server) {
    let there = "SELECT id, name, n, born, email, IF(n IS NULL, 'none', IF(n > 10, 'big', 'small')), CONCAT(name, '-shop', secret) \
                 FROM shop.person WHERE n < 100 OR n IS NULL ORDER BY id";
    let here = "SELECT id, called, n, born, email, kind, CONVERT(Whole USING utf8mb4) FROM shop.person ORDER BY id";
    assert_same(source, there, target, here).await;
    let there = "SELECT a, b, 'bare', 42 FROM shop.bare ORDER BY a, b";
    let here = "SELECT a, b, shard, origin FROM shop.bare ORDER BY a, b";
    assert_same(source, there, target, here).await;
    let there = "SELECT id, CONCAT(v, 'BOTH_OF!'), 'BOTH_OF!' FROM shop.both_of WHERE v <> 'drop' ORDER BY id";
    let here = "SELECT id, v, shard FROM shop.both_of ORDER BY id";
    assert_same(source, there, target, here).await;
    let untimed = "SELECT COUNT(*) FROM shop.person WHERE imported IS NULL OR ABS(TIMESTAMPDIFF(SECOND, imported, UTC_TIMESTAMP())) > 3600 OR ABS(TIMESTAMPDIFF(SECOND, loaded, UTC_TIMESTAMP())) > 3600";
    let untimed = target.value(untimed).await.expect("a count");
    assert_eq!(untimed.as_deref(), Some("0"));
}

async fn columns_of(target: &Server, table: &str) -> String {
    let sql = format!(
        "SELECT GROUP_CONCAT(column_name ORDER BY ordinal_position) FROM information_schema.columns \
         WHERE CONCAT(table_schema, '.', table_name) = '{table}'"
    );
    target
        .value(&sql)
        .await
        .expect("columns")
        .unwrap_or_default()
}

fn hear_beside(running: &Running) {
    running.hear("the new load", |line| {
        let message = line["message"].as_str();
        message.is_some_and(|text| text.contains("beside the stream"))
    });
}

/// What every source does to rows and definitions without a new load.
const CHANGES: &str = "USE shop; SET NAMES utf8mb4;
    UPDATE person SET n = 11 WHERE id = 1;
    UPDATE person SET secret = 'y' WHERE id = 2;
    UPDATE person SET n = 5 WHERE id = 4;
    INSERT INTO person VALUES (5, 'eve', 5, 'e', NULL, 'e'), (6, 'six', 600, NULL, NULL, 'f');
    UPDATE person SET id = 50, name = 'Eve' WHERE id = 5;
    DELETE FROM person WHERE id = 3;
    INSERT INTO bare VALUES (3, 'xx'), (NULL, NULL);
    UPDATE bare SET b = 'y' WHERE a = 1 LIMIT 1;
    DELETE FROM bare WHERE b = 'x' LIMIT 1;
    UPDATE both_of SET v = 'three' WHERE id = 3;
    UPDATE both_of SET v = 'drop' WHERE id = 1;
    INSERT INTO both_of VALUES (4, 'four');
    ALTER TABLE person ADD COLUMN more INT, ADD COLUMN front INT FIRST;
    INSERT INTO person VALUES (9, 9, 'nine', 9, NULL, NULL, 'i', 9);
    ALTER TABLE person MODIFY email VARCHAR(40), DROP COLUMN front;
    ALTER TABLE bare ADD COLUMN c INT DEFAULT 3, ADD INDEX c (c);
    INSERT INTO bare VALUES (7, 'seven', 7);
    ALTER TABLE bare DROP COLUMN c;
    CREATE TABLE late (id INT PRIMARY KEY) ENGINE=InnoDB;
    INSERT INTO late VALUES (1), (2);
    CREATE TABLE alike LIKE late;
    INSERT INTO alike VALUES (1)";

/// Each row has the time of its own change, tables that came have their marks, and times are not
/// called equal.
async fn assert_marks(target: &Server, latest: &str, verified: &Finished) {
    let anew =
        format!("SELECT GROUP_CONCAT(id ORDER BY id) FROM shop.person WHERE loaded > '{latest}'");
    let anew = target.value(&anew).await.expect("ids");
    assert_eq!(anew.as_deref(), Some("1,2,4,9,50"));
    for (table, rows) in [("late", "1 late 42,2 late 42"), ("alike", "1 alike 42")] {
        let sql = format!(
            "SELECT GROUP_CONCAT(CONCAT(id, ' ', shard, ' ', origin) ORDER BY id) FROM shop.{table}"
        );
        let found = target.value(&sql).await.expect("rows");
        assert_eq!(found.as_deref(), Some(rows));
    }
    let report = &verified.of_type("verify")[0];
    assert_eq!(report["schema_differences"], serde_json::json!([]));
    let tables = report["tables"].as_array().expect("tables");
    let of = |name: &str| {
        let mut tables = tables.iter();
        let table = tables.find(|table| table["table"] == format!("`shop`.`{name}`"));
        table.expect("the table")["not_compared"].clone()
    };
    assert_eq!(of("person"), serde_json::json!(["imported", "loaded"]));
    assert_eq!(of("bare"), serde_json::json!([]));
    assert_eq!(of("both_of"), serde_json::json!(["seen"]));
}

/// Tables that are loaded anew, beside the stream.
async fn new_loads(wherry: &Wherry, source: &Server, target: &Server, running: Running) -> Running {
    // What values are made of changes without a word in the binlog.
    source
        .sql("UPDATE shop.person SET name = '77' WHERE id = 9; ALTER TABLE shop.person MODIFY name CHAR(9); INSERT INTO shop.person VALUES (10, 'ten', 10, 't', NULL, 'j', 10)")
        .await
        .expect("a definition");
    hear_beside(&running);
    joined(target, "shop.person", &running).await;
    // The name is a value.
    source
        .sql("RENAME TABLE shop.late TO shop.later; INSERT INTO shop.later VALUES (3)")
        .await
        .expect("another name");
    joined(target, "shop.later", &running).await;
    running.stop();
    wherry.finish(&["resync", "shop.bare"]).expect_code(0);
    let running = wherry.start(&["run"]);
    hear_beside(&running);
    source
        .sql("INSERT INTO shop.bare VALUES (8, 'eight'); UPDATE shop.both_of SET v = 'again' WHERE id = 1")
        .await
        .expect("changes beside the lane");
    joined(target, "shop.bare", &running).await;
    running
}

async fn columns_are_added(flavour: Flavour) {
    let source = server(flavour).await;
    let target = server(Flavour::MySql97).await;
    source.sql(DATA).await.expect("source data");
    let wherry = Wherry::new(&source, &target, &["shop"])
        .select(RULES)
        .extra("cutover: {stop_writes: {command: \"true\"}}");
    let running = wherry.start(&["run"]);
    running.hear_strict();
    assert_added(&source, &target).await;
    let person = columns_of(&target, "shop.person").await;
    assert_eq!(person, "id,called,n,born,email,imported,kind,Whole,loaded");
    let latest = "SELECT MAX(loaded) FROM shop.person";
    let latest = target.value(latest).await.expect("a time").expect("rows");
    source.sql(CHANGES).await.expect("changes");
    let verified = wherry.finish(&["verify"]).expect_code(0);
    assert_eq!(running.said("beside the stream"), Vec::<String>::new());
    assert_added(&source, &target).await;
    assert_marks(&target, &latest, &verified).await;
    let running = new_loads(&wherry, &source, &target, running).await;
    running.signal("KILL");
    drop(running);
    source
        .sql("UPDATE shop.person SET n = 12 WHERE id = 2; INSERT INTO shop.bare VALUES (9, 'nine'); DELETE FROM shop.person WHERE id = 1; ALTER TABLE shop.both_of ADD COLUMN w INT; UPDATE shop.both_of SET v = 'end' WHERE id = 4")
        .await
        .expect("changes behind a crash");
    let running = wherry.start(&["run"]);
    running.hear_strict();
    wherry.finish(&["verify"]).expect_code(0);
    assert_added(&source, &target).await;
    let there = "SELECT id, 'later', 42 FROM shop.later ORDER BY id";
    let here = "SELECT id, shard, origin FROM shop.later ORDER BY id";
    assert_same(&source, there, &target, here).await;
    damage(&wherry, &target).await;
    running.stop();
    wherry.finish(&["cutover"]).expect_code(0);
    assert_added(&source, &target).await;
    for wrong in ["divergence", "loss_ledger"] {
        let count = format!("SELECT COUNT(*) FROM wherry.{wrong}");
        let count = target.value(&count).await.expect("a count");
        assert_eq!(count.as_deref(), Some("0"), "{wrong}");
    }
}

/// A value or a type that is another one is found; a time is nobody's business.
async fn damage(wherry: &Wherry, target: &Server) {
    let one = |sql: &'static str| async { target.sql(sql).await.expect("the target") };
    one("UPDATE shop.person SET loaded = '2000-01-01', imported = NULL WHERE id = 2").await;
    wherry.finish(&["verify"]).expect_code(0);
    one("UPDATE shop.person SET kind = 'none' WHERE id = 2").await;
    let found = wherry.finish(&["verify"]).expect_code(4);
    let report = &found.of_type("verify")[0];
    assert_eq!(
        report["mismatches"][0]["columns"],
        serde_json::json!(["kind"])
    );
    one("UPDATE shop.person SET kind = 'big', loaded = UTC_TIMESTAMP(), imported = UTC_TIMESTAMP() WHERE id = 2").await;
    one("UPDATE shop.bare SET origin = 43 LIMIT 1").await;
    wherry.finish(&["verify"]).expect_code(4);
    one("UPDATE shop.bare SET origin = 42").await;
    one("ALTER TABLE shop.bare MODIFY origin BIGINT NOT NULL DEFAULT 7").await;
    let found = wherry.finish(&["verify"]).expect_code(4);
    let report = &found.of_type("verify")[0];
    let said = report["schema_differences"].to_string();
    assert!(
        said.contains("type of column `origin` is int in the task file"),
        "{said}"
    );
    one("ALTER TABLE shop.bare MODIFY origin INT NOT NULL DEFAULT 7 FIRST").await;
    wherry.finish(&["verify"]).expect_code(0);
}

#[tokio::test(flavor = "multi_thread")]
async fn columns_are_added_from_97() {
    columns_are_added(Flavour::MySql97).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn columns_are_added_from_56() {
    columns_are_added(Flavour::MySql56).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn columns_are_added_from_mariadb() {
    columns_are_added(Flavour::MariaDb).await;
}

/// Shards of several databases become one table, each row with the mark of its own.
async fn shards_are_marked(flavour: Flavour) {
    let source = server(flavour).await;
    let target = server(Flavour::MySql97).await;
    for shard in 0..3 {
        source
            .sql(&format!(
                "CREATE DATABASE shard_{shard}; USE shard_{shard};
                 CREATE TABLE orders_{shard} (id INT PRIMARY KEY, v VARCHAR(9)) ENGINE=InnoDB;
                 INSERT INTO orders_{shard} VALUES ({shard}0, 'a'), ({shard}1, 'b'), ({shard}2, 'c')"
            ))
            .await
            .expect("a shard");
    }
    let rules = r#"mapping: {tables: {'/shard_\d+/./orders_\d+/': plant.orders}}, merge: [plant.orders],
        tables: [{table: 'shard_*.*', add: [{name: db, type: "VARCHAR(64) NOT NULL", value: __DB__}, {name: part, type: INT, value: "cast_string_to_long(substring_after(__TB__, '_'))"},
            {name: imported, type: DATETIME, value: __COMMIT_TIMESTAMP__}]}]"#;
    let wherry = Wherry::new(&source, &target, &["\"shard_*\""])
        .select(rules)
        .extra("cutover: {stop_writes: {command: \"true\"}}");
    let union = |extra: &str| {
        let parts = (0..3).map(|shard| {
            format!(
                "SELECT id, v{extra}, 'shard_{shard}', {shard} FROM shard_{shard}.orders_{shard}"
            )
        });
        parts.collect::<Vec<_>>().join(" UNION ALL ") + " ORDER BY id"
    };
    let running = wherry.start(&["run"]);
    running.hear_strict();
    let here = "SELECT id, v, db, part FROM plant.orders ORDER BY id";
    assert_same(&source, &union(""), &target, here).await;
    source
        .sql(
            "UPDATE shard_0.orders_0 SET v = 'x' WHERE id > 0; DELETE FROM shard_1.orders_1 WHERE id = 10;
             INSERT INTO shard_2.orders_2 VALUES (29, 'new'); UPDATE shard_1.orders_1 SET id = 19 WHERE id = 11",
        )
        .await
        .expect("changes");
    let verified = wherry.finish(&["verify"]).expect_code(0);
    let tables = &verified.of_type("verify")[0]["tables"];
    assert_eq!(tables[0]["not_compared"], serde_json::json!(["imported"]));
    assert_same(&source, &union(""), &target, here).await;
    for shard in 0..3 {
        let sql = format!("ALTER TABLE shard_{shard}.orders_{shard} ADD COLUMN w INT DEFAULT 4");
        source.sql(&sql).await.expect("a column");
    }
    let column = "SELECT COUNT(*) FROM information_schema.columns WHERE table_schema = 'plant' AND column_name = 'w'";
    becomes(&target, column, "1", &running).await;
    let waiting = "SELECT COUNT(*) FROM wherry.lane_table";
    becomes(&target, waiting, "0", &running).await;
    running.signal("KILL");
    drop(running);
    source
        .sql("UPDATE shard_2.orders_2 SET w = 5")
        .await
        .expect("a change behind a crash");
    wherry.finish(&["cutover"]).expect_code(0);
    let here = "SELECT id, v, w, db, part FROM plant.orders ORDER BY id";
    assert_same(&source, &union(", w"), &target, here).await;
    let marks = "SELECT COUNT(*) FROM plant.orders WHERE imported IS NULL";
    assert_eq!(
        target.value(marks).await.expect("a count").as_deref(),
        Some("0")
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn shards_are_marked_from_97() {
    shards_are_marked(Flavour::MySql97).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn shards_are_marked_from_56() {
    shards_are_marked(Flavour::MySql56).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn shards_are_marked_from_mariadb() {
    shards_are_marked(Flavour::MariaDb).await;
}

/// A value that does not fit stops its table, in the load and in the stream; so does a column of the
/// source that takes the name.
#[tokio::test(flavor = "multi_thread")]
async fn what_does_not_fit_stops_its_table() {
    let source = server(Flavour::MySql97).await;
    let target = server(Flavour::MySql97).await;
    source
        .sql(
            "CREATE DATABASE shop; USE shop;
             CREATE TABLE early (id INT PRIMARY KEY, v INT); INSERT INTO early VALUES (1, 1), (2, 100);
             CREATE TABLE late (id INT PRIMARY KEY, v INT); INSERT INTO late VALUES (1, 1);
             CREATE TABLE taken (id INT PRIMARY KEY, v INT); INSERT INTO taken VALUES (1, 1);
             CREATE TABLE lost (id INT PRIMARY KEY, v INT); INSERT INTO lost VALUES (1, 1);
             CREATE TABLE plain (id INT PRIMARY KEY, v INT); INSERT INTO plain VALUES (1, 1)",
        )
        .await
        .expect("source data");
    let rules = "tables: [{table: 'shop.*', add: [{name: Twice, type: TINYINT, value: '`v` * 2'}]}, {table: shop.plain, add: []}]";
    let wherry = Wherry::new(&source, &target, &["shop"]).select(rules);
    let running = wherry.start(&["run"]);
    let stopped = |table: &str, code: &str| {
        format!(
            "SELECT COUNT(*) FROM wherry.table_state WHERE table_name = '{table}' AND stopped LIKE '%{code}%'"
        )
    };
    becomes(&target, &stopped("early", "ETL-102"), "1", &running).await;
    running.hear_strict();
    source
        .sql(
            "USE shop; INSERT INTO late VALUES (2, 2); INSERT INTO late VALUES (3, 99);
             INSERT INTO plain VALUES (2, 99); ALTER TABLE plain ADD COLUMN twice INT;
             ALTER TABLE taken ADD COLUMN twice INT; INSERT INTO taken VALUES (2, 2, 2);
             ALTER TABLE lost DROP COLUMN v, ADD COLUMN w INT; INSERT INTO lost VALUES (2, 2)",
        )
        .await
        .expect("changes");
    becomes(&target, &stopped("late", "ETL-102"), "1", &running).await;
    becomes(&target, &stopped("taken", "ADD-003"), "1", &running).await;
    becomes(&target, &stopped("lost", "ETL-010"), "1", &running).await;
    let all = "SELECT GROUP_CONCAT(CONCAT(id, '=', twice) ORDER BY id) FROM shop.";
    becomes(&target, &format!("{all}late"), "1=2,2=4", &running).await;
    becomes(&target, &format!("{all}taken"), "1=2", &running).await;
    assert_eq!(columns_of(&target, "shop.plain").await, "id,v,twice");
    running.stop();
}

/// What cannot be right is refused before anything is made.
#[tokio::test(flavor = "multi_thread")]
async fn columns_that_cannot_be_right_are_refused() {
    let source = server(Flavour::MySql97).await;
    let target = server(Flavour::MySql97).await;
    source
        .sql(
            "CREATE DATABASE shop; USE shop;
             CREATE TABLE p (id INT PRIMARY KEY, name VARCHAR(9), g INT AS (id + 1));
             CREATE TABLE bare (a INT)",
        )
        .await
        .expect("tables");
    let rule = |table: &str, column: &str| {
        format!("tables: [{{table: shop.{table}, add: [{{{column}}}]}}]")
    };
    let check = |select: &str, code: &'static str, words: &str| {
        let wherry = Wherry::new(&source, &target, &["shop"]).select(select);
        let plan = wherry.finish(&["plan"]);
        let refused = plan.of_type("plan-refused");
        assert_eq!(refused[0]["code"], code, "{select}: {:?}", plan.lines);
        let message = refused[0]["message"].as_str().unwrap_or_default();
        assert!(message.contains(words), "{message}");
        let said = wherry.finish(&["precheck"]);
        assert!(format!("{:?}", said.lines).contains(code), "{select}");
        assert_eq!(wherry.finish(&["run"]).code, 3, "{select}");
    };
    let column = |name: &str, column_type: &str, value: &str| {
        format!("name: {name}, type: \"{column_type}\", value: \"{value}\"")
    };
    let of_p =
        |name: &str, column_type: &str, value: &str| rule("p", &column(name, column_type, value));
    check(&of_p("NAME", "INT", "1"), "ADD-003", "`NAME`");
    let mapped = of_p("called", "INT", "1") + ", mapping: {columns: {shop.p.name: Called}}";
    check(&mapped, "ADD-003", "`called`");
    check(&of_p("x", "VARCHAR(99)", "__SCN__"), "ADD-004", "");
    let timed = rule("bare", &column("x", "DATETIME", "dt_now()"));
    check(&timed, "ADD-005", "without a key");
    check(&of_p("x", "INT", "`g`"), "ADD-006", "generated");
    let kept = of_p("x", "INT", "1").replace("add:", "policy: keep, add:");
    check(&kept, "ADD-008", "`keep`");
    for (column_type, value, code) in [
        ("INT", "`w`", "ETL-010"),
        ("INT", "1 + 'a'", "ETL-011"),
        ("INT", "'a'", "ETL-012"),
        ("TINYINT", "1000", "ETL-102"),
        ("INT NOT NULL", "null", "ETL-109"),
        ("VARCHAR(9)", "__OPERATION__", "ETL-022"),
        ("VARCHAR(9)", "v(`name`, __BEFORE__)", "ETL-022"),
        ("INT", "e_drop()", "ETL-020"),
    ] {
        check(&of_p("x", column_type, value), code, "line 1, character 1");
    }
    // A script sees no time.
    let script = of_p("x", "DATETIME", "dt_now()").replace(
        "add:",
        "etl: {script: 'e_set(`name`, dt_str(`x`, ''yyyy''))'}, add:",
    );
    check(&script, "ETL-010", "character");
    // What only the target can know.
    let wherry = Wherry::new(&source, &target, &["shop"]).select(&of_p(
        "x",
        "VARCHAR(65000) COLLATE utf8mb4_bin",
        "'a'",
    ));
    let said = wherry.finish(&["precheck"]);
    assert!(
        format!("{:?}", said.lines).contains("TGT-111"),
        "{:?}",
        said.lines
    );
    let made = target.rows("SHOW DATABASES LIKE 'shop'").await;
    assert!(made.expect("databases").is_empty());
}

/// What was planned stays, and the plan tells what it is.
#[tokio::test(flavor = "multi_thread")]
async fn a_planned_table_keeps_its_columns() {
    let source = server(Flavour::MySql97).await;
    let target = server(Flavour::MySql97).await;
    source
        .sql("CREATE DATABASE shop; CREATE TABLE shop.p (id INT PRIMARY KEY)")
        .await
        .expect("a table");
    let of_p = |name: &str, column_type: &str, value: &str| {
        format!(
            "tables: [{{table: shop.p, add: [{{name: {name}, type: \"{column_type}\", value: \"{value}\"}}]}}]"
        )
    };
    let first = Wherry::new(&source, &target, &["shop"]).select(&of_p("x", "INT", "1"));
    let plan = first.finish(&["plan"]).expect_code(0);
    let tables = plan.of_type("plan-table");
    let added = serde_json::json!([{"name": "x", "type": "INT", "value": "1"}]);
    assert_eq!(tables[0]["added"], added);
    assert_eq!(tables[0]["added_by"], "select.tables `shop.p`");
    let running = first.start(&["run"]);
    running.hear_strict();
    running.stop();
    let mut first = first;
    for select in [
        of_p("x", "INT", "2"),
        of_p("x", "BIGINT", "1"),
        of_p("y", "INT", "1"),
    ] {
        first = first.select(&select);
        let said = first.finish(&["run"]);
        assert_eq!((said.code, said.error_code().as_str()), (2, "NAM-003"));
    }
}

/// Where the source cascades without a word, a value must be the same for all rows.
#[tokio::test(flavor = "multi_thread")]
async fn a_family_takes_marks_alone() {
    let source = server(Flavour::MySql56).await;
    let target = server(Flavour::MySql97).await;
    source
        .sql(
            "CREATE DATABASE shop; USE shop;
             CREATE TABLE p (id INT PRIMARY KEY) ENGINE=InnoDB;
             CREATE TABLE c (id INT PRIMARY KEY, p INT, FOREIGN KEY (p) REFERENCES p (id) ON DELETE CASCADE ON UPDATE CASCADE) ENGINE=InnoDB;
             INSERT INTO p VALUES (1), (2), (3); INSERT INTO c VALUES (1, 1), (2, 2), (3, 3)",
        )
        .await
        .expect("tables");
    let select = |value: &str| {
        format!(
            "tables: [{{table: 'shop.*', add: [{{name: mark, type: VARCHAR(20), value: \"{value}\"}}]}}]"
        )
    };
    let wherry =
        Wherry::new(&source, &target, &["shop"]).select(&select("cast_long_to_string(`id`)"));
    let plan = wherry.finish(&["plan"]).expect_code(3);
    assert_eq!(plan.of_type("plan-refused")[0]["code"], "ADD-007");
    let wherry = wherry.select(&select("op_add(__DB__, '.', __TB__)"));
    let running = wherry.start(&["run"]);
    running.hear_strict();
    source
        .sql("USE shop; DELETE FROM p WHERE id = 1; UPDATE p SET id = 20 WHERE id = 2; INSERT INTO c VALUES (4, 20); UPDATE c SET p = 3 WHERE id = 4")
        .await
        .expect("changes");
    wherry.finish(&["verify"]).expect_code(0);
    let there = "SELECT id, p, 'shop.c' FROM shop.c ORDER BY id";
    assert_same(
        &source,
        there,
        &target,
        "SELECT id, p, mark FROM shop.c ORDER BY id",
    )
    .await;
    running.stop();
}

/// Rows of a table with a key, of one without, and of one whose definition changes are left out.
fn on_any_table(random: &mut Random) -> String {
    let id = random.below(400);
    let v = random.below(1000);
    match random.below(7) {
        0 => format!("DELETE FROM shop.keyed WHERE id = {id}"),
        1 => format!(
            "UPDATE shop.keyed SET v = {v}, note = CONCAT('ü', id) WHERE id < {id} ORDER BY id DESC LIMIT 3"
        ),
        2 => format!("UPDATE IGNORE shop.keyed SET id = {v} WHERE id = {id}"),
        3 => format!("INSERT INTO shop.heap (a, b) VALUES ({v}, 'h{v}')"),
        4 => format!("DELETE FROM shop.heap WHERE a < {id} LIMIT 2"),
        5 => format!("REPLACE INTO shop.apart (id, v) VALUES ({id}, {v})"),
        _ => format!(
            "INSERT INTO shop.keyed (id, v, note) VALUES ({id}, {v}, 'n{v}') ON DUPLICATE KEY UPDATE v = {v}"
        ),
    }
}

async fn columns_are_added_under_writes(flavour: Flavour) {
    let source = server(flavour).await;
    let target = server(Flavour::MySql97).await;
    source
        .sql(
            "CREATE DATABASE shop DEFAULT CHARACTER SET utf8mb4; USE shop; SET NAMES utf8mb4;
             CREATE TABLE keyed (id INT PRIMARY KEY, v INT, note VARCHAR(20)) ENGINE=InnoDB;
             CREATE TABLE heap (a INT, b VARCHAR(9)) ENGINE=InnoDB;
             CREATE TABLE apart (id INT PRIMARY KEY, v INT) ENGINE=InnoDB",
        )
        .await
        .expect("tables");
    for id in 0..300 {
        let sql = format!(
            "USE shop; INSERT INTO keyed VALUES ({id}, {id}, 'n'); INSERT INTO heap VALUES ({id} % 50, 'h'); INSERT INTO apart VALUES ({id}, 1)"
        );
        source.sql(&sql).await.expect("rows");
    }
    let rules = r#"tables: [
        {table: 'shop.*', add: [{name: mark, type: "VARCHAR(80) CHARACTER SET latin1 NOT NULL", value: "op_add(__DB__, '.', __TB__)"}, {name: odd, type: "BIT(1)", value: "op_mod(1, 2)"}]},
        {table: shop.keyed, add: [{name: mark, type: VARCHAR(80), value: "op_add(cast_long_to_string(`v`), ':', `note`)"}, {name: at, type: TIMESTAMP NOT NULL, value: __COMMIT_TIMESTAMP__}]},
        {table: shop.apart, operations: [all, -alter-table]}]"#;
    let wherry = Wherry::new(&source, &target, &["shop"])
        .select(rules)
        .extra("cutover: {stop_writes: {command: \"true\"}}");
    let mut writers = Writers::start(&source, 11, on_any_table);
    let running = wherry.start(&["run"]);
    running.hear("the load", |line| line["phase"] == "load");
    running.signal("KILL");
    drop(running);
    let running = wherry.start(&["run"]);
    running.hear_strict();
    writers.wait_for(100).await;
    source
        .sql(
            "ALTER TABLE shop.keyed ADD COLUMN w INT DEFAULT 3; ALTER TABLE shop.apart ADD COLUMN w INT;
             ALTER TABLE shop.heap MODIFY b VARCHAR(20), ADD COLUMN c INT",
        )
        .await
        .expect("definitions");
    writers.wait_for(50).await;
    running.signal("KILL");
    drop(running);
    let running = wherry.start(&["run"]);
    running.hear_strict();
    wherry.finish(&["verify"]).expect_code(0);
    // The target's table would convert the mark too.
    source
        .sql("ALTER TABLE shop.heap CONVERT TO CHARACTER SET utf8mb4 COLLATE utf8mb4_bin; ALTER TABLE shop.keyed MODIFY v BIGINT")
        .await
        .expect("definitions with new loads");
    hear_beside(&running);
    writers.wait_for(50).await;
    joined(&target, "shop.heap", &running).await;
    joined(&target, "shop.keyed", &running).await;
    writers.stop().await;
    wherry.finish(&["verify"]).expect_code(0);
    running.stop();
    wherry.finish(&["cutover"]).expect_code(0);
    let there = "SELECT id, v, note, w, CONCAT(v, ':', note) FROM shop.keyed ORDER BY id";
    let here = "SELECT id, v, note, w, mark FROM shop.keyed ORDER BY id";
    assert_same(&source, there, &target, here).await;
    let there = "SELECT a, b, c, 'shop.heap', 1 FROM shop.heap ORDER BY a, b";
    let here = "SELECT a, b, c, CONVERT(mark USING utf8mb4), odd + 0 FROM shop.heap ORDER BY a, b";
    assert_same(&source, there, &target, here).await;
    let there = "SELECT id, v, 'shop.apart', 1 FROM shop.apart ORDER BY id";
    let here = "SELECT id, v, CONVERT(mark USING utf8mb4), odd + 0 FROM shop.apart ORDER BY id";
    assert_same(&source, there, &target, here).await;
    let diverged = target.value("SELECT COUNT(*) FROM wherry.divergence").await;
    assert_eq!(diverged.expect("a count").as_deref(), Some("0"));
}

#[tokio::test(flavor = "multi_thread")]
async fn columns_are_added_under_writes_from_97() {
    columns_are_added_under_writes(Flavour::MySql97).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn columns_are_added_under_writes_from_56() {
    columns_are_added_under_writes(Flavour::MySql56).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn columns_are_added_under_writes_from_mariadb() {
    columns_are_added_under_writes(Flavour::MariaDb).await;
}
