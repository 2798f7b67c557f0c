//! What moves: patterns, single tables and exclusion, through precheck, load, stream, DDL, objects and cutover.

use crate::lanes::{becomes, joined};
use crate::runner::Wherry;
use wherry_testkit::{Flavour, Naming, Server, ServerOptions, compare_named};

async fn server(flavour: Flavour) -> Server {
    let options = ServerOptions {
        gtid: true,
        ..ServerOptions::default()
    };
    Server::start(flavour, options).await.expect("a server")
}

const SELECT: &str = r#"include: [crm.orders, "crm.log_*", crm.seen, "audit.day_*"],
    exclude: [shard_old, "shop.tmp_*", "/.*/./.*_bak/"],
    tables: [{table: "shard_*.*", operations: [all, -drop-index]}, {table: "shard_?.item", operations: [all]}],
    mapping: {databases: {"/shard_(\\d+)/": "part{1}"},
      tables: {"/shard_(\\d+)/.orders": "merged.orders_{1}", "crm.log_*": "crm.l_{1}"},
      columns: {"/shard_(\\d+)/.*.note": "remark_{1}", "shard_1.orders.n": number}}"#;

const DATA: &str = "CREATE DATABASE shop; CREATE DATABASE shard_1; CREATE DATABASE shard_2; CREATE DATABASE shard_old;
    CREATE DATABASE crm; CREATE DATABASE audit; CREATE DATABASE other;
    CREATE TABLE shop.item (id INT PRIMARY KEY, v INT) ENGINE=InnoDB;
    CREATE TABLE shop.going (id INT PRIMARY KEY, v INT) ENGINE=InnoDB;
    CREATE TABLE shop.tmp_1 (id INT PRIMARY KEY, v INT) ENGINE=InnoDB;
    CREATE TABLE shop.tmp_2 (id INT PRIMARY KEY, v INT) ENGINE=InnoDB;
    CREATE TABLE shop.item_bak LIKE shop.item;
    CREATE TABLE shard_1.orders (id INT PRIMARY KEY, note VARCHAR(9), n INT, KEY n (n)) ENGINE=InnoDB;
    CREATE TABLE shard_2.orders LIKE shard_1.orders;
    CREATE TABLE shard_1.item (id INT PRIMARY KEY, note VARCHAR(9), KEY note (note)) ENGINE=InnoDB;
    CREATE TABLE shard_2.item LIKE shard_1.item;
    CREATE TABLE shard_old.orders LIKE shard_1.orders;
    CREATE TABLE crm.orders (id INT PRIMARY KEY, v INT) ENGINE=InnoDB;
    CREATE TABLE crm.log_a (id INT PRIMARY KEY, v INT) ENGINE=InnoDB;
    CREATE TABLE crm.log_x (id INT PRIMARY KEY, v INT) ENGINE=InnoDB;
    CREATE TABLE crm.secret (id INT PRIMARY KEY, v INT) ENGINE=InnoDB;
    CREATE TABLE audit.day_1 (id INT PRIMARY KEY, v INT) ENGINE=InnoDB;
    CREATE TABLE audit.users (id INT PRIMARY KEY, v INT) ENGINE=InnoDB;
    CREATE TABLE other.t (id INT PRIMARY KEY, v INT) ENGINE=InnoDB;
    CREATE VIEW crm.seen AS SELECT id FROM crm.orders;
    CREATE VIEW crm.hidden AS SELECT id FROM crm.secret;
    CREATE VIEW shop.all_orders AS SELECT id, note FROM shard_1.orders;
    CREATE TRIGGER crm.t BEFORE INSERT ON crm.orders FOR EACH ROW SET NEW.v = 1;
    CREATE TRIGGER crm.u BEFORE INSERT ON crm.secret FOR EACH ROW SET NEW.v = 1;
    CREATE PROCEDURE crm.p() SELECT 1;
    CREATE PROCEDURE shop.p() SELECT COUNT(*) FROM shard_1.orders;
    INSERT INTO shop.item VALUES (1, 1); INSERT INTO shop.tmp_1 VALUES (2, 2); INSERT INTO shop.tmp_2 VALUES (3, 3);
    INSERT INTO shop.going VALUES (4, 4);
    INSERT INTO shard_1.orders VALUES (1, 'a', 1); INSERT INTO shard_2.orders VALUES (2, 'b', 2);
    INSERT INTO shard_old.orders VALUES (9, 'old', 9);
    INSERT INTO shard_1.item VALUES (1, 'x'); INSERT INTO crm.orders VALUES (1, 1);
    INSERT INTO crm.log_a VALUES (1, 1); INSERT INTO crm.log_x VALUES (2, 2); INSERT INTO crm.secret VALUES (3, 3);
    INSERT INTO audit.day_1 VALUES (1, 1); INSERT INTO audit.users VALUES (1, 1); INSERT INTO other.t VALUES (1, 1)";

const CHANGES: &str = "UPDATE shard_1.orders SET n = 5; UPDATE shard_old.orders SET n = 5; UPDATE crm.secret SET v = 7;
    CREATE DATABASE shard_3; CREATE DATABASE other_2;
    CREATE TABLE shard_3.orders LIKE shard_1.orders; INSERT INTO shard_3.orders VALUES (3, 'c', 3);
    CREATE TABLE shard_3.item (id INT PRIMARY KEY, note VARCHAR(9)); INSERT INTO shard_3.item VALUES (3, 'c');
    CREATE TABLE shard_3.item_bak (id INT PRIMARY KEY); INSERT INTO shard_3.item_bak VALUES (1);
    CREATE TABLE other_2.t (id INT PRIMARY KEY); INSERT INTO other_2.t VALUES (1);
    CREATE TABLE crm.mine (id INT PRIMARY KEY); INSERT INTO crm.mine VALUES (1);
    CREATE TABLE crm.log_new (id INT PRIMARY KEY); INSERT INTO crm.log_new VALUES (1);
    ALTER TABLE shard_1.orders ADD COLUMN more INT, DROP COLUMN n; ALTER TABLE shard_2.orders ADD COLUMN n2 INT;
    ALTER TABLE shard_1.orders ADD COLUMN n INT; UPDATE shard_1.orders SET n = 8, note = 'new';
    DROP INDEX note ON shard_1.item;
    RENAME TABLE shop.tmp_1 TO shop.kept; UPDATE shop.kept SET v = 20;
    RENAME TABLE shop.going TO shop.tmp_going; UPDATE shop.tmp_going SET v = 40;
    RENAME TABLE crm.secret TO crm.log_b; UPDATE crm.log_b SET v = 30;
    RENAME TABLE crm.log_x TO crm.away; UPDATE crm.away SET v = 50;
    RENAME TABLE shop.item TO crm.log_item; INSERT INTO crm.log_item VALUES (5, 5);
    DROP DATABASE shard_2; DROP DATABASE audit; DROP DATABASE shard_old;
    INSERT INTO shop.all_orders VALUES (11, 'view')";

/// What is not selected, so that the rest can be compared as a whole.
const REST: &str =
    "DROP TABLE shop.tmp_2, shop.tmp_going, shop.item_bak, shard_3.item_bak, crm.mine, crm.away";

fn naming() -> Naming {
    let table = |database: &str, table: &str| {
        let shard = database.strip_prefix("shard_");
        let (database, table) = match (shard, table.strip_prefix("log_")) {
            (Some(shard), _) if table == "orders" => {
                ("merged".to_owned(), format!("orders_{shard}"))
            }
            (Some(shard), _) => (format!("part{shard}"), table.to_owned()),
            (None, Some(rest)) if database == "crm" => (database.to_owned(), format!("l_{rest}")),
            _ => (database.to_owned(), table.to_owned()),
        };
        (database, table)
    };
    let column = |database: &str, table: &str, column: &str| {
        let shard = database.strip_prefix("shard_");
        match (shard, column) {
            (Some(shard), "note") => format!("remark_{shard}"),
            (Some("1"), "n") if table == "orders" => "number".to_owned(),
            _ => column.to_owned(),
        }
    };
    Naming {
        table: Box::new(table),
        column: Box::new(column),
    }
}

async fn names(server: &Server, sql: &str) -> Vec<String> {
    let rows = server.rows(sql).await.expect("an answer");
    rows.into_iter().filter_map(|row| row[0].clone()).collect()
}

async fn selection_holds_on_every_road(flavour: Flavour) {
    let source = server(flavour).await;
    let target = server(Flavour::MySql97).await;
    source.sql(DATA).await.expect("source data");
    target
        .sql("CREATE DATABASE audit; CREATE TABLE audit.own (id INT PRIMARY KEY)")
        .await
        .expect("a database of somebody else");
    let wherry = Wherry::new(&source, &target, &["shop", "\"shard_*\""])
        .select(SELECT)
        .extra("cutover: {stop_writes: {command: \"true\"}}");
    let checks = wherry.finish(&["precheck"]).expect_code(0);
    let left = checks.lines.iter().map(ToString::to_string);
    let left: Vec<String> = left.filter(|line| line.contains("SEL-011")).collect();
    assert!(left.iter().any(|line| line.contains("hidden")), "{left:?}");
    let running = wherry.start(&["run"]);
    running.hear_strict();
    source.sql(CHANGES).await.expect("changes");
    // The last change of all.
    let last = "SELECT COUNT(*) FROM merged.orders_1 WHERE id = 11";
    becomes(&target, last, "1", &running).await;
    for table in ["shop.kept", "crm.log_b"] {
        joined(&target, table, &running).await;
    }
    wherry.finish(&["verify"]).expect_code(0);
    running.stop();
    wherry.finish(&["cutover"]).expect_code(0);
    source.sql(REST).await.expect("the rest is dropped");
    // Where a table goes out of the selection, the target keeps what it has.
    target
        .sql("DROP TABLE shop.going, crm.l_x")
        .await
        .expect("tables that are not followed any more");
    let databases = ["shop", "shard_1", "shard_3", "crm"];
    compare_named(
        &source.url("root"),
        &target.url("root"),
        &databases,
        &naming(),
    )
    .await
    .expect("comparison")
    .assert_equal();
    let there = names(&target, "SELECT SCHEMA_NAME FROM information_schema.SCHEMATA
        WHERE SCHEMA_NAME NOT IN ('mysql', 'sys', 'information_schema', 'performance_schema') ORDER BY 1").await;
    assert_eq!(
        there,
        ["audit", "crm", "merged", "part1", "part3", "shop", "wherry"]
    );
    let objects = names(&target, "SELECT TABLE_NAME FROM information_schema.VIEWS WHERE TABLE_SCHEMA IN ('crm', 'shop')
        UNION ALL SELECT ROUTINE_NAME FROM information_schema.ROUTINES WHERE ROUTINE_SCHEMA IN ('crm', 'shop')
        UNION ALL SELECT TRIGGER_NAME FROM information_schema.TRIGGERS WHERE TRIGGER_SCHEMA IN ('crm', 'shop') ORDER BY 1").await;
    // The trigger `u` came into the selection with its table.
    assert_eq!(objects, ["all_orders", "p", "seen", "t", "u"]);
    let own = names(
        &target,
        "SELECT TABLE_NAME FROM information_schema.TABLES WHERE TABLE_SCHEMA = 'audit'",
    )
    .await;
    assert_eq!(own, ["own"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn selection_holds_from_mysql() {
    selection_holds_on_every_road(Flavour::MySql97).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn selection_holds_from_mariadb() {
    selection_holds_on_every_road(Flavour::MariaDb).await;
}

/// Precheck items with this code, and whether one of them failed.
fn items(wherry: &Wherry, code: &str) -> (usize, i32) {
    let checks = wherry.finish(&["precheck"]);
    let texts = checks.of_type("check").into_iter().map(ToString::to_string);
    (
        texts.filter(|text| text.contains(code)).count(),
        checks.code,
    )
}

#[tokio::test(flavor = "multi_thread")]
async fn what_means_nothing_is_told_before_anything_is_made() {
    let source = server(Flavour::MySql97).await;
    let target = server(Flavour::MySql97).await;
    let data = "CREATE DATABASE shop; CREATE DATABASE crm;
        CREATE TABLE shop.item (id INT PRIMARY KEY); CREATE TABLE crm.orders (id INT PRIMARY KEY)";
    source.sql(data).await.expect("source data");
    let of =
        |databases: &[&str], select: &str| Wherry::new(&source, &target, databases).select(select);
    let nothing = of(&["\"nope_*\""], "policy: fail");
    assert_eq!(items(&nothing, "SEL-012"), (1, 3));
    let missing = of(&["shop"], "include: [crm.order]");
    assert_eq!(items(&missing, "SEL-013"), (1, 3));
    for idle in [
        "exclude: [shop.none]",
        "exclude: [none]",
        "include: [\"crm.x*\"]",
        "tables: [{table: \"shop.x*\", policy: keep}]",
    ] {
        assert_eq!(items(&of(&["shop"], idle), "SEL-010"), (1, 0), "{idle}");
    }
    assert_eq!(
        items(&of(&["shop", "\"x*\""], "policy: fail"), "SEL-010"),
        (1, 0)
    );
    let idle = of(&["shop"], "mapping: {tables: {\"shop.x*\": \"shop.y{1}\"}}");
    assert_eq!(items(&idle, "name nothing that the source has now"), (1, 0));
    let both = of(
        &["shop"],
        "include: [crm.orders], mapping: {tables: {\"*.*\": shop.one}}",
    );
    assert_eq!(items(&both, "would be one table"), (1, 3));
    // What a pattern would make of a name must not be a database of the server.
    source
        .sql("CREATE DATABASE x_mysql; CREATE TABLE x_mysql.user (id INT PRIMARY KEY)")
        .await
        .expect("a table");
    let dangerous = of(&["\"x_*\""], "mapping: {databases: {\"x_*\": \"{1}\"}}");
    for command in ["precheck", "load"] {
        dangerous.finish(&[command]).expect_code(3);
    }
    a_table_of_the_task_stays_selected(&source, &target).await;
}

/// Nobody would see that its changes are missing when it is selected again.
async fn a_table_of_the_task_stays_selected(source: &Server, target: &Server) {
    let of = |select: &str| Wherry::new(source, target, &["shop"]).select(select);
    let plain = of("include: [crm.orders]");
    plain.finish(&["load"]).expect_code(0);
    let loaded = names(
        target,
        "SELECT CONCAT(TABLE_SCHEMA, '.', TABLE_NAME) FROM information_schema.TABLES
        WHERE TABLE_SCHEMA IN ('shop', 'crm') ORDER BY 1",
    )
    .await;
    assert_eq!(loaded, ["crm.orders", "shop.item"]);
    for select in [
        "exclude: [shop.item], include: [crm.orders]",
        "policy: fail",
    ] {
        let ended = of(select).finish(&["load"]).expect_code(2);
        assert_eq!(ended.error_code(), "SEL-015", "{select}");
    }
    plain.finish(&["load"]).expect_code(0);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_comes_later_never_takes_the_place_of_another() {
    let source = server(Flavour::MariaDb).await;
    let target = server(Flavour::MySql97).await;
    let data = "CREATE DATABASE shop; CREATE TABLE shop.a_1 (id INT PRIMARY KEY) ENGINE=InnoDB;
        CREATE TABLE shop.tmp LIKE shop.a_1; INSERT INTO shop.a_1 VALUES (1)";
    source.sql(data).await.expect("source data");
    let select = "exclude: [shop.tmp], mapping: {tables: {\"shop.a_*\": shop.same}}";
    let wherry = Wherry::new(&source, &target, &["shop"]).select(select);
    let running = wherry.start(&["run"]);
    running.hear_strict();
    let later =
        "DELETE FROM shop.a_1; RENAME TABLE shop.tmp TO shop.a_2; INSERT INTO shop.a_2 VALUES (2)";
    source.sql(later).await.expect("a table that comes in");
    let stopped = |table: &str, code: &str| {
        format!(
            "SELECT COUNT(*) FROM wherry.table_state WHERE table_name = '{table}' AND stopped LIKE '%{code}%'"
        )
    };
    becomes(&target, &stopped("a_2", "SEL-014"), "1", &running).await;
    let later = "CREATE OR REPLACE TABLE shop.a_3 (id INT PRIMARY KEY) ENGINE=InnoDB; INSERT INTO shop.a_1 VALUES (7)";
    source.sql(later).await.expect("a table that is made");
    becomes(
        &target,
        "SELECT GROUP_CONCAT(id) FROM shop.same",
        "7",
        &running,
    )
    .await;
    becomes(&target, &stopped("a_3", "TGT-043"), "1", &running).await;
    becomes(&target, &stopped("a_1", "-"), "0", &running).await;
    running.stop();
}
