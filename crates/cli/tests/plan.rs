//! What `wherry plan`, `wherry etl` and `wherry import-dts` print, and that they write nothing.

use crate::runner::Wherry;
use serde_json::{Value, json};
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use wherry_testkit::{Flavour, Server, ServerOptions};

const DATA: &str = "CREATE DATABASE shop; CREATE DATABASE crm;
    CREATE TABLE shop.orders (id INT PRIMARY KEY, note VARCHAR(9), n INT) ENGINE=InnoDB;
    CREATE TABLE shop.tmp_1 (id INT PRIMARY KEY) ENGINE=InnoDB;
    CREATE TABLE shop.old (id INT PRIMARY KEY) ENGINE=MyISAM;
    CREATE TABLE crm.log_a (id INT PRIMARY KEY, data VARBINARY(4), name VARCHAR(9) CHARACTER SET latin1) ENGINE=InnoDB;
    CREATE TABLE crm.secret (id INT PRIMARY KEY) ENGINE=InnoDB;
    CREATE VIEW shop.v AS SELECT id FROM shop.orders;
    CREATE TRIGGER shop.t BEFORE INSERT ON shop.orders FOR EACH ROW SET NEW.n = 1;
    CREATE PROCEDURE crm.p() SELECT 1;
    CREATE PROCEDURE shop.q() SELECT 1";

const PLAN: &str = "\
crm.log_a -> logs.a
    selected by select.include `crm.log_*`, named by select.mapping.tables `crm.log_*`
    columns: id, data, name -> called
    operations: all (select.operations)
    policy: fail (select.policy)
    engine: innodb (schema.engine)
shop.old -> shop_new.old
    selected by select.databases `shop`, named by select.mapping.databases `shop`
    columns: id
    operations: all but drop-table (select.databases `shop`)
    policy: fail (select.policy)
    engine: innodb (schema.engine)
shop.orders -> shop_new.orders
    selected by select.databases `shop`, named by select.mapping.databases `shop`
    columns: id, note, n
    operations: all but truncate-table (select.tables `*.orders`)
    policy: keep (select.tables `*.orders`)
    engine: that of the target's table, where it has one (policy keep)
procedure shop.q stays behind (schema)
view shop.v -> shop_new.v
trigger shop.t -> shop_new.t
task test: 3 tables, 3 views, routines, triggers and events, 0 refused; phases: schema, load, stream
";

async fn pair() -> (Server, Server) {
    let start = || Server::start(Flavour::MySql97, ServerOptions::default());
    let (source, target) = tokio::join!(start(), start());
    (source.expect("a server"), target.expect("a server"))
}

fn wherry(words: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_wherry"));
    command.args(words).output().expect("the program runs")
}

fn text(path: &Path) -> &str {
    path.to_str().expect("a path in UTF-8")
}

fn write(folder: &Path, name: &str, text: &str) -> PathBuf {
    let path = folder.join(name);
    std::fs::write(&path, text).expect("a file can be written");
    path
}

fn task_file(folder: &Path, source: &Server, target: &Server, rest: &str) -> PathBuf {
    let (source, target) = (source.url("mover"), target.url("mover"));
    let text =
        format!("task: test\nsource: {{url: \"{source}\"}}\ntarget: {{url: \"{target}\"}}\n{rest}");
    write(folder, "task.yaml", &text)
}

async fn databases(server: &Server) -> Vec<Vec<Option<String>>> {
    server.rows("SHOW DATABASES").await.expect("databases")
}

#[tokio::test(flavor = "multi_thread")]
async fn a_plan_names_every_rule_and_writes_nothing() {
    let (source, target) = pair().await;
    source.sql(DATA).await.expect("source data");
    let before = databases(&target).await;
    let folder = tempfile::tempdir().expect("a folder");
    let rest = "select:
  databases: [{database: shop, operations: [all, -drop-table]}]
  include: ['crm.log_*']
  exclude: ['*.tmp_*']
  tables: [{table: '*.orders', policy: keep, operations: [all, -truncate-table]}]
  mapping:
    databases: {shop: shop_new}
    tables: {'crm.log_*': 'logs.{1}'}
    columns: {'*.*.name': called}
schema: {leave_out: [shop.q]}
";
    let task = task_file(folder.path(), &source, &target, rest);
    let ended = wherry(&["plan", text(&task), "--output", "plain"]);
    let said = String::from_utf8_lossy(&ended.stdout).into_owned();
    assert_eq!(said, PLAN, "{}", String::from_utf8_lossy(&ended.stderr));
    assert_eq!(ended.status.code(), Some(0));
    let lines = Wherry::new(&source, &target, &["shop"]).finish(&["plan"]);
    let lines = lines.expect_code(0);
    let tables = lines.of_type("plan-table");
    assert_eq!(tables.len(), 3);
    let orders = tables.iter().find(|table| table["source"] == "shop.orders");
    let orders = orders.expect("the table");
    assert_eq!(
        orders["columns"][1],
        json!({"source": "note", "target": "note", "type": "varchar(9)"})
    );
    assert_eq!(orders["selected_by"], "select.databases `shop`");
    assert_eq!(orders["left_out"], json!([]));
    assert_eq!(lines.of_type("plan")[0]["tables"], 3);
    assert_eq!(databases(&target).await, before);
    source
        .sql("CREATE TABLE shop.csv (id INT NOT NULL) ENGINE=CSV")
        .await
        .expect("a table that does not move");
    let refused = Wherry::new(&source, &target, &["shop"]).finish(&["plan"]);
    assert_eq!(refused.of_type("plan-refused")[0]["code"], "SRC-010");
    assert_eq!(
        (refused.code, refused.error_code()),
        (3, "PLN-001".to_owned())
    );
}

fn json_of(ended: &Output) -> Value {
    let said = String::from_utf8_lossy(&ended.stdout);
    serde_json::from_str(said.trim()).unwrap_or_else(|_| panic!("one line of JSON, not {said}"))
}

#[tokio::test(flavor = "multi_thread")]
async fn scripts_are_checked_and_tried() {
    let (source, target) = pair().await;
    source.sql(DATA).await.expect("source data");
    let folder = tempfile::tempdir().expect("a folder");
    let rest = "select: {databases: [shop]}\n";
    let task = task_file(folder.path(), &source, &target, rest);
    rows_are_tried(folder.path(), &task);
    mistakes_have_their_place(folder.path(), &task);
    columns_are_added_first(folder.path(), &source, &target);
}

fn run(verb: &str, path: &Path, rest: &[&str]) -> Output {
    wherry(&[&["etl", verb, text(path)], rest, &["--output", "json"]].concat())
}

fn rows_are_tried(folder: &Path, task: &Path) {
    let script = |text: &str| write(folder, "script.etl", text);
    let good =
        script("e_compose(e_if(op_gt(`id`, 10), e_drop()),\n  e_set(`note`, str_upper(`note`)))");
    assert_eq!(run("check", &good, &[]).status.code(), Some(0));
    let table = [text(task), "--table", "shop.orders"];
    let checked = run("check", &good, &table);
    let value = json_of(&checked);
    assert_eq!(
        (&value["assigns"], &value["may_drop"]),
        (&json!(["note"]), &json!(true)),
        "{value}"
    );
    let tried = |row: &str| json_of(&run("try", &good, &[&table[..], &["--row", row]].concat()));
    assert_eq!(
        tried(r#"{"id": 1, "note": "abc"}"#)["row"],
        json!({"id": "1", "note": "ABC", "n": null})
    );
    let dropped = tried(r#"{"id": 11, "note": "abc"}"#);
    assert_eq!(
        (&dropped["kept"], &dropped["row"]),
        (&json!(false), &Value::Null)
    );
    for row in ["[]", r#"{"id": "x"}"#, r#"{"nope": 1}"#] {
        assert_eq!(tried(row)["code"], "PLN-013", "{row}");
    }
    let bytes = script("e_set(`data`, `data`)");
    let logs = [
        text(task),
        "--table",
        "crm.log_a",
        "--row",
        r#"{"id": 1, "data": "0xff00", "name": "é"}"#,
    ];
    let value = json_of(&run("try", &bytes, &logs));
    assert_eq!(
        value["row"],
        json!({"id": "1", "data": "0xff00", "name": "é"})
    );
}

/// A script finds additional columns with their values, and cannot see those that depend on the time.
fn columns_are_added_first(folder: &Path, source: &Server, target: &Server) {
    let with = |rule: &str| {
        let rest = format!(
            "select: {{databases: [shop], tables: [{{table: shop.orders, without: [n], {rule}}}]}}\n"
        );
        task_file(folder, source, target, &rest)
    };
    let task = with(
        r#"add: [{name: place, type: VARCHAR(40), value: "op_add(__TB__, `note`)"}, {name: twice, type: INT, value: "`n` * 2"}, {name: at, type: DATETIME, value: dt_now()}]"#,
    );
    let table = [text(&task), "--table", "shop.orders"];
    let script = |text: &str| write(folder, "added.etl", text);
    let upper = script("e_set(`place`, str_upper(`place`))");
    let value = json_of(&run("check", &upper, &table));
    assert_eq!(value["assigns"], json!(["place"]), "{value}");
    let tried = |row: &str| json_of(&run("try", &upper, &[&table[..], &["--row", row]].concat()));
    let value = tried(r#"{"id": 1, "note": "a", "n": 4}"#);
    let row = &value["row"];
    assert_eq!(
        (&row["place"], &row["twice"], &row["n"]),
        (&json!("ORDERSA"), &json!("8"), &Value::Null),
        "{value}"
    );
    assert!(row["at"].is_string(), "{value}");
    assert_eq!(tried(r#"{"place": "a"}"#)["code"], "PLN-013");
    let timed = script("e_set(`note`, dt_str(`at`, 'yyyy'))");
    assert_eq!(json_of(&run("check", &timed, &table))["code"], "ETL-010");
    let task = with("add: [{name: note, type: INT, value: '1'}]");
    let refused = run("check", &upper, &[text(&task), "--table", "shop.orders"]);
    assert_eq!(json_of(&refused)["code"], "ADD-003");
}

fn mistakes_have_their_place(folder: &Path, task: &Path) {
    let script = |text: &str| write(folder, "script.etl", text);
    let good = script("e_drop()");
    let table = [text(task), "--table", "shop.orders"];
    let wrong = |path: &Path, rest: &[&str], code: &str, line: u64, column: u64| {
        let ended = run("check", path, rest);
        let value = json_of(&ended);
        assert_eq!(ended.status.code(), Some(2), "{value}");
        let place = (&value["code"], &value["line"], &value["column"]);
        assert_eq!(
            place,
            (&json!(code), &json!(line), &json!(column)),
            "{value}"
        );
    };
    wrong(
        &script("e_compose(e_drop(),\n  e_nothing())"),
        &[],
        "ETL-005",
        2,
        3,
    );
    wrong(&script("e_set(`nope`, 1)"), &table, "ETL-010", 1, 7);
    let missing = [text(task), "--table", "shop.nope"];
    assert_eq!(json_of(&run("check", &good, &missing))["code"], "PLN-012");
    assert_eq!(
        json_of(&run("try", &good, &["--row", "{}"]))["code"],
        "PLN-010"
    );
}

#[test]
fn a_list_of_dts_becomes_a_task_file() {
    let folder = tempfile::tempdir().expect("a folder");
    let list = write(
        folder.path(),
        "list.json",
        r#"{"shop": {"name": "shop_new", "all": true, "state": "normal"}}"#,
    );
    let value = json_of(&wherry(&["import-dts", text(&list), "--output", "json"]));
    assert_eq!(value["not_carried"][0]["place"], "shop.state");
    let file = value["task_file"].as_str().expect("a text");
    assert!(file.contains("'shop': 'shop_new'"), "{file}");
    let ended = wherry(&["import-dts", "nowhere.json", "--output", "json"]);
    assert_eq!(
        (ended.status.code(), &json_of(&ended)["code"]),
        (Some(2), &json!("DTS-001"))
    );
}
