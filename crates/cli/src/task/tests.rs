//! Task files and flags, right and wrong.

use super::*;
use crate::args::{Cli, Command};
use clap::Parser as _;
use std::path::PathBuf;
use wherry_model::AccountChoice;
use wherry_model::task::{ByteSize, StopWrites, TlsMode};

const WHOLE: &str = r#"
task: shop-to-polardb
source: {url: "mysql://mover@aurora:3306", password: {env: SOURCE_PASSWORD}, tls: {mode: verify-identity, ca: rds.pem}}
target: {url: "mysql://mover@polardb:3306", password: {command: "get-token"}, tls: {mode: required}}
select: {databases: [shop, crm]}
load: {readers: 6, writers: 3, defer_indexes: false}
stream: {workers: 8}
cutover: {stop_writes: {command: "stop.sh"}, lag_max_seconds: 3}
limits: {memory: 1GiB}
state: {database: moving}
"#;

/// Writes `text` to a file and reads it as `wherry run` would, with more flags.
fn load(text: &str, flags: &[&str]) -> Result<Task, Failure> {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let path = folder.path().join("task.yaml");
    std::fs::write(&path, text).expect("writes the file");
    let mut words = vec!["wherry", "run", path.to_str().expect("a plain path")];
    words.extend_from_slice(flags);
    by_words(&words)
}

fn by_words(words: &[&str]) -> Result<Task, Failure> {
    let cli = Cli::try_parse_from(words).expect("flags parse");
    let Command::Run(run) = cli.command else {
        panic!("not a run");
    };
    Task::from_args(&run.task, &run.stop)
}

/// Expects one error with this code that points at a place where `at` begins, with these words in
/// its page.
fn broken(text: &str, code: &str, at: &str, words: &str) {
    let failure = load(text, &[]).expect_err("the file is broken");
    let page = failure.page(false);
    let value = failure.json();
    assert_eq!(value["code"], code, "{page}");
    assert_eq!(value["exit_code"], 2, "{page}");
    assert!(page.contains(words), "`{words}` is not in:\n{page}");
    assert!(page.contains("help: "), "no next step in:\n{page}");
    assert!(!page.contains("hunter2"), "a password is in:\n{page}");
    let number = |name: &str| {
        let number = value[name].as_u64().expect("a number");
        usize::try_from(number).expect("a small number")
    };
    let (line, column) = (number("line"), number("column"));
    assert!(
        page.contains(&format!("task.yaml:{line}:{column}]")),
        "{page}"
    );
    let rest = text
        .lines()
        .nth(line - 1)
        .unwrap_or("")
        .get(column - 1..)
        .unwrap_or("");
    assert!(
        rest.starts_with(at),
        "expected `{at}` at line {line}, column {column}:\n{page}"
    );
}

fn base(rest: &str) -> String {
    format!("source: {{url: \"mysql://a@s:3306\"}}\ntarget: {{url: \"mysql://b@t:3306\"}}\n{rest}")
}

const SELECT: &str = "select: {databases: [shop]}\n";

#[test]
fn a_whole_file() {
    let task = load(WHOLE, &[]).expect("reads");
    assert_eq!(task.name, "shop-to-polardb");
    assert_eq!(task.spec.source.tls.mode, TlsMode::VerifyIdentity);
    assert_eq!(task.spec.select.databases, ["shop", "crm"]);
    assert_eq!(task.spec.load.readers, 6);
    assert!(!task.spec.load.defer_indexes);
    assert_eq!(task.spec.stream.workers, 8);
    assert_eq!(task.spec.limits.memory, ByteSize(1 << 30));
    assert_eq!(task.spec.state.database, "moving");
    let command = StopWrites::Command("stop.sh".to_owned());
    assert_eq!(task.spec.cutover.stop_writes, command);
    // Relative to the file, not to the current folder.
    let ca = PathBuf::from(task.spec.source.tls.ca.expect("a CA"));
    assert!(ca.is_absolute() && ca.ends_with("rds.pem"), "{ca:?}");
}

#[test]
fn a_small_file_has_defaults() {
    let task = load(&base(SELECT), &[]).expect("reads");
    assert_eq!(task.spec.load.readers, 4);
    assert_eq!(task.spec.limits.memory, ByteSize(512 << 20));
    assert_eq!(task.spec.state.database, "wherry");
    assert_eq!(task.spec.cutover.stop_writes, StopWrites::Wait);
}

#[test]
fn a_heartbeat_has_a_database_of_its_own() {
    let task = load(&base(SELECT), &[]).expect("reads");
    assert!(task.spec.source.heartbeat.is_none());
    let with = |heartbeat: &str, rest: &str| {
        format!(
            "source: {{url: \"mysql://a@s:3306\", heartbeat: {{{heartbeat}}}}}\ntarget: {{url: \"mysql://b@t:3306\"}}\n{rest}"
        )
    };
    let all = "select: {databases: ['*', wherry_x]}\n";
    let task = load(&with("database: pulse", all), &[]).expect("reads");
    let heartbeat = task.spec.source.heartbeat.expect("a heartbeat");
    assert_eq!(heartbeat.interval_seconds, 10);
    let table = |database: &str| wherry_model::TableName::new(database, "heartbeat");
    assert!(!task.spec.select.includes(&table("pulse")));
    assert!(task.spec.select.includes(&table("pulses")));
    let task = load(&with("", SELECT), &[]).expect("reads");
    let heartbeat = task.spec.source.heartbeat.expect("a heartbeat");
    assert_eq!(heartbeat.database, "wherry_heartbeat");
    for select in [
        "select: {databases: [shop, Wherry_heartbeat]}\n",
        "select: {include: [Wherry_heartbeat.heartbeat]}\n",
    ] {
        let place = &select[select.find('[').expect("a list") + 1..];
        let place = place.strip_prefix("shop, ").unwrap_or(place);
        broken(
            &with("", select),
            "CLI-014",
            place.trim_end(),
            "cannot be moved",
        );
    }
    for (heartbeat, place) in [
        ("database: mysql", "mysql}"),
        ("database: 'a-b'", "'a-b'"),
        ("interval_seconds: 3601", "3601"),
    ] {
        broken(&with(heartbeat, SELECT), "CLI-058", place, "heartbeat");
    }
    let text = "source: {url: \"mysql://a@s:3306\"}\ntarget: {url: \"mysql://b@t:3306\", heartbeat: {}}\nselect: {databases: [shop]}\n";
    broken(text, "CLI-058", "{}", "to the source");
}

#[test]
fn tables_of_online_ddl_tools_are_told_by_the_selection() {
    let copy = wherry_model::TableName::new("shop", "_orders_gho");
    let task = load(&base(SELECT), &[]).expect("reads");
    assert!(task.spec.select.includes(&copy));
    let with = |keys: &str| base(&format!("{SELECT}stream: {{online_ddl: {{{keys}}}}}\n"));
    let task = load(&with("mode: final-change"), &[]).expect("reads");
    assert!(!task.spec.select.includes(&copy) && task.spec.select.watches(&copy));
    let task = load(&with("mode: final-change, names: dms"), &[]).expect("reads");
    assert!(task.spec.select.includes(&copy));
    let task = load(&with("mode: final-change, useless: '_(orders)_'"), &[]).expect("reads");
    assert!(!task.spec.select.includes(&copy));
    let text = with("mode: final-change, shadow: '^tmp_'");
    broken(&text, "CLI-004", "'^tmp_'", "has no group");
}

#[test]
fn flags_win_over_the_file() {
    let flags = [
        "--readers",
        "2",
        "--databases",
        "other",
        "--task",
        "mine",
        "--stop-writes",
        "read-only",
        "--memory",
        "256MiB",
        "--source-password-file",
        "p",
        "--target",
        "mysql://x@elsewhere",
    ];
    let task = load(WHOLE, &flags).expect("reads");
    assert_eq!(task.name, "mine");
    assert_eq!(task.spec.load.readers, 2);
    assert_eq!(task.spec.load.writers, 3);
    assert_eq!(task.spec.select.databases, ["other"]);
    assert_eq!(task.spec.cutover.stop_writes, StopWrites::ReadOnly);
    assert_eq!(task.spec.limits.memory, ByteSize(256 << 20));
    assert_eq!(
        task.spec.source.password,
        Some(SecretSpec::File("p".to_owned()))
    );
    assert_eq!(task.spec.target.url.0, "mysql://x@elsewhere");
}

#[test]
fn flags_alone_are_a_task() {
    let task = by_words(&[
        "wherry",
        "run",
        "--source",
        "mysql://a@s",
        "--target",
        "mysql://b@t",
        "--databases",
        "shop,crm",
    ])
    .expect("reads");
    assert_eq!(task.spec.select.databases, ["shop", "crm"]);
}

#[test]
fn derived_names_are_stable() {
    let name = |source: &str, databases: &str| {
        let words = [
            "wherry",
            "run",
            "--source",
            source,
            "--target",
            "mysql://b@t",
            "--databases",
            databases,
        ];
        by_words(&words).expect("reads").name
    };
    let first = name("mysql://a@aurora.example.com:3306", "shop,crm");
    // The exact name is a promise: a change would orphan running tasks.
    assert_eq!(first, "aurora-3306-to-t-3306-e7ef184f");
    assert_eq!(
        first,
        name("mysql://other:secret@AURORA.example.com", "crm,shop")
    );
    assert_ne!(first, name("mysql://a@aurora.example.com:3307", "shop,crm"));
    assert_ne!(first, name("mysql://a@aurora.example.org", "shop,crm"));
    assert_ne!(first, name("mysql://a@aurora.example.com", "shop"));
    let long = name("mysql://a@a-very-very-long-host:65535", "shop");
    assert!(long.len() <= 45, "{long}");
}

#[test]
fn broken_shapes() {
    broken("", "CLI-002", "", "empty");
    broken("source: [", "CLI-002", "[", "mapping");
    broken("- a\n- b\n", "CLI-002", "- a", "mapping");
    broken("source: {url: \"mysql://a@s", "CLI-002", "", "");
    broken(&base(""), "CLI-005", "target", "missing key `select`");
    broken(
        &base("select: {}\n"),
        "CLI-012",
        "{}",
        "no database is selected",
    );
    broken(
        &base(&format!("{SELECT}slect: 1\n")),
        "CLI-003",
        "slect",
        "unknown key `slect`",
    );
    broken(
        &base("select: {databases: [a], filters: [b]}\n"),
        "CLI-003",
        "filters",
        "Use one of `databases`, `include`, `exclude`, `policy`, `operations`, `tables`, `mapping`",
    );
    let readers = |value: &str| base(&format!("{SELECT}load: {{readers: {value}}}\n"));
    broken(&readers("many"), "CLI-004", "many", "whole number");
    broken(&readers("-1"), "CLI-004", "-1", "whole number");
    broken(&readers("[1]"), "CLI-002", "[1]", "");
    let indexes = base(&format!("{SELECT}load: {{defer_indexes: maybe}}\n"));
    broken(&indexes, "CLI-004", "maybe", "true or false");
    broken(
        &base("select: {databases: shop}\n"),
        "CLI-002",
        "shop",
        "sequence",
    );
    broken(
        &base(&format!("{SELECT}{SELECT}")),
        "CLI-006",
        "select",
        "`select` stands there twice",
    );
    let memory = base(&format!("{SELECT}limits: {{memory: 12 MB}}\n"));
    broken(&memory, "CLI-004", "12 MB", "expected B, KiB, MiB or GiB");
    let cutover = base(&format!("{SELECT}cutover: {{stop_writes: never}}\n"));
    broken(
        &cutover,
        "CLI-004",
        "never",
        "`wait`, `command` or `read-only`",
    );
}

/// A file whose source is broken.
fn broken_source(source: &str, code: &str, at: &str, words: &str) {
    let text =
        format!("source: {source}\ntarget: {{url: \"mysql://b@t\"}}\nselect: {{databases: [a]}}\n");
    broken(&text, code, at, words);
}

#[test]
fn broken_urls() {
    let check = broken_source;
    let url = "{url: \"mysql://a@s\", ";
    check("{}", "CLI-005", "{}", "missing key `url`");
    check(
        &format!("{url}prot: 1}}"),
        "CLI-003",
        "prot",
        "`url`, `password`, `tls` or `heartbeat`",
    );
    check(
        "{url: \"postgres://a:hunter2@s\"}",
        "CLI-011",
        "\"postgres",
        "mysql://",
    );
    check(
        "{url: \"mysql://s\"}",
        "CLI-011",
        "\"mysql",
        "names no user",
    );
    check(
        "{url: \"mysql://a:hunter2@s/shop\"}",
        "CLI-011",
        "\"mysql",
        "names a database",
    );
    check(
        "{url: \"mysql://a:hunter2@s?x=1\"}",
        "CLI-011",
        "\"mysql",
        "parameters",
    );
    check(
        "{url: \"mysql://a:hunter2@s:99999\"}",
        "CLI-011",
        "\"mysql",
        "port",
    );
}

#[test]
fn broken_tls_and_passwords() {
    let check = broken_source;
    let url = "{url: \"mysql://a@s\", ";
    check(
        &format!("{url}tls: {{mode: strict}}}}"),
        "CLI-004",
        "strict",
        "`verify-identity`",
    );
    check(
        &format!("{url}tls: {{mode: off, ca: x}}}}"),
        "CLI-022",
        "off",
        "TLS is off",
    );
    check(
        &format!("{url}tls: {{ca: x}}}}"),
        "CLI-022",
        "x",
        "checks no certificate",
    );
    check(
        &format!("{url}tls: {{certificate: x}}}}"),
        "CLI-022",
        "x",
        "belong together",
    );
    check(
        &format!("{url}password: hunter2}}"),
        "CLI-004",
        "hunter2",
        "must be a reference",
    );
    check(
        &format!("{url}pasword: hunter2}}"),
        "CLI-003",
        "pasword",
        "unknown key `pasword`",
    );
    let plain = format!("{url}password: {{plain: hunter2}}}}");
    check(&plain, "CLI-004", "plain", "must be a reference");
    check(
        "\n  url: mysql://a@s\n  password:\n    plain: hunter2",
        "CLI-004",
        "plain",
        "must be a reference",
    );
    check(
        "{url: \"mysql://b@t\"}",
        "CLI-015",
        "\"mysql",
        "same server",
    );
}

#[test]
fn broken_values() {
    let databases = |list: &str| base(&format!("select: {{databases: {list}}}\n"));
    broken(&databases("[]"), "CLI-012", "[]", "no database is selected");
    broken(&databases("[\"\"]"), "CLI-012", "\"\"", "name is empty");
    broken(
        &databases("[a, b, a]"),
        "CLI-013",
        "a]",
        "`a` stands there twice",
    );
    let rules = |list: &str| databases(&format!("[a], tables: {list}"));
    let keep = |table: &str| rules(&format!("[{{table: {table}, policy: keep}}]"));
    broken(
        &keep("a"),
        "CLI-024",
        "a, policy",
        "is not the name of a table",
    );
    broken(&keep("b.t"), "CLI-024", "b.t", "is in no selected database");
    broken(
        &rules("[{table: a.t, policy: keep}, {table: a.t, policy: fail}]"),
        "CLI-024",
        "a.t, policy: fail",
        "has two rules",
    );
    broken(
        &rules("[{table: a.t, policy: drop}]"),
        "CLI-004",
        "drop",
        "Use one of `fail`, `keep` or `replace`",
    );
    broken(
        &databases("[wherry]"),
        "CLI-014",
        "wherry",
        "Wherry's own tables",
    );
    let list = base("select:\n  databases:\n    - a\n    - MySQL\n");
    broken(&list, "CLI-014", "MySQL", "belongs to the server");
    let with = |rest: &str| base(&format!("{SELECT}{rest}\n"));
    broken(&with("load: {readers: 0}"), "CLI-016", "0", "out of range");
    broken(&with("stream: {workers: 65}"), "CLI-016", "65", "1 to 64");
    broken(
        &with("limits: {memory: 64MiB}"),
        "CLI-017",
        "64MiB",
        "128MiB",
    );
    broken(
        &with("state: {database: my-db}"),
        "CLI-020",
        "my-db",
        "Wherry's own tables",
    );
    broken(&with("task: a b"), "CLI-019", "a b", "letters, digits");
}

#[test]
fn broken_flags_name_the_flag() {
    let check = |words: &[&str], code: &str, text: &str| {
        let mut all = vec!["wherry", "run"];
        all.extend_from_slice(words);
        let failure = by_words(&all).expect_err("is broken");
        let page = failure.page(false);
        assert_eq!(failure.json()["code"], code, "{page}");
        assert!(page.contains(text), "{page}");
        assert!(!page.contains("hunter2"), "{page}");
    };
    check(&[], "CLI-010", "--databases");
    check(
        &["--source", "mysql://a@s", "--databases", "x"],
        "CLI-010",
        "--target",
    );
    let ends = ["--source", "mysql://a@s", "--target"];
    check(
        &[
            ends[0],
            ends[1],
            ends[2],
            "http://a:hunter2@t",
            "--databases",
            "x",
        ],
        "CLI-011",
        "--target",
    );
    check(
        &[
            ends[0],
            ends[1],
            ends[2],
            "mysql://b@t",
            "--databases",
            "x,x",
        ],
        "CLI-013",
        "--databases",
    );
    check(
        &[
            ends[0],
            ends[1],
            ends[2],
            "mysql://b@t",
            "--databases",
            "x",
            "--workers",
            "0",
        ],
        "CLI-016",
        "--workers",
    );
    check(&["nowhere/task.yaml"], "CLI-001", "nowhere/task.yaml");
}

#[test]
fn status_needs_only_target_and_name() {
    let parse = |words: &[&str]| {
        let cli = Cli::try_parse_from(words).expect("flags parse");
        let Command::Status(status) = cli.command else {
            panic!("not a status");
        };
        Task::for_status(&status.task)
    };
    let task = parse(&[
        "wherry",
        "status",
        "--target",
        "mysql://b@t",
        "--task",
        "mine",
    ]);
    assert_eq!(task.expect("is enough").name, "mine");
    assert!(parse(&["wherry", "status", "--target", "mysql://b@t"]).is_err());
}

#[test]
fn names_of_the_target_are_checked() {
    let select = |rest: &str| {
        WHOLE.replace(
            "{databases: [shop, crm]}",
            &format!("{{databases: [shop, crm], {rest}}}"),
        )
    };
    let good = select(
        "capitalization: lower, mapping: {databases: {shop: shop_new}, tables: {shop.orders: archive.orders2}, \
         columns: {'shop.`or.ders`.note': remark}}",
    );
    let mapping = load(&good, &[]).expect("a task").spec.select.mapping;
    let tables: Vec<(&str, &str)> = mapping.tables.iter().collect();
    assert_eq!(tables, [("shop.orders", "archive.orders2")]);
    let rule = |part: &str, rule: &str| select(&format!("mapping: {{{part}: {{{rule}}}}}"));
    let check = |text: &str, at: &str, words: &str| broken(text, "NAM-004", at, words);
    check(
        &rule("tables", "orders: a.b"),
        "{orders",
        "`orders` is not the name",
    );
    check(
        &rule("tables", "shop.orders: b"),
        "{shop",
        "`b` is not the name",
    );
    check(
        &rule("columns", "shop.note: b"),
        "{shop",
        "`shop.note` is not",
    );
    check(&rule("databases", "hr: b"), "{hr", "not selected");
    check(&rule("columns", "hr.a.b: c"), "{hr", "not selected");
    check(
        &rule("databases", "shop: mysql"),
        "{shop",
        "belongs to the server",
    );
    check(
        &rule("tables", "shop.a: moving_shadow.a"),
        "{shop",
        "or to Wherry itself",
    );
    check(
        &rule("tables", "shop.a: 'b.c '"),
        "{shop",
        "ends with a blank",
    );
    let long = "x".repeat(65);
    check(
        &rule("columns", &format!("shop.a.b: {long}")),
        "{shop",
        "is longer than",
    );
    let file = select("capitalization: title");
    broken(&file, "CLI-004", "title", "Use one of");
}

#[test]
fn the_deepest_rule_for_operations_wins() {
    use wherry_model::{ObjectKind, ObjectName, Operation, TableName};
    let text = base(
        "select:\n  databases: [crm, {database: shop, operations: [all, -drop-table, -view]}]\n  operations: [dml, create-table]\n  tables: [{table: shop.a, operations: [-alter-table]}, {table: crm.b, policy: keep}]\n",
    );
    let spec = load(&text, &[]).expect("a task").spec;
    assert_eq!(spec.select.databases, ["crm", "shop"]);
    let check = |operation, table: &str, expected| {
        let name = TableName::parse(table).expect("a name");
        assert_eq!(
            spec.select.carries(operation, &name),
            expected,
            "{operation:?} {table}"
        );
    };
    check(Operation::CreateTable, "crm.x", true);
    check(Operation::AlterTable, "crm.b", false);
    check(Operation::AlterTable, "shop.x", true);
    check(Operation::DropTable, "shop.x", false);
    check(Operation::DropTable, "shop.a", true);
    check(Operation::AlterTable, "shop.a", false);
    let is_out = |kind, database: &str| {
        let object = ObjectName::new(kind, database, "o");
        spec.schema.leaves_out(&object)
    };
    assert!(is_out(ObjectKind::View, "shop") && is_out(ObjectKind::Event, "crm"));
    assert!(!is_out(ObjectKind::Event, "shop"));
}

#[test]
fn accounts_are_none_all_or_listed() {
    let with = |value: &str| base(&format!("{SELECT}schema: {{accounts: {value}}}\n"));
    let chosen = |value: &str| load(&with(value), &[]).expect("valid").spec.schema.accounts;
    assert_eq!(chosen("none"), AccountChoice::None);
    assert_eq!(chosen("all"), AccountChoice::All);
    let listed = chosen("[app@%, report@10.%]");
    assert!(listed.includes("app@%") && !listed.includes("app@10.%"));
    broken(
        &with("some"),
        "CLI-004",
        "accounts",
        "`none`, `all` or a list",
    );
    broken(&with("[app]"), "CLI-004", "", "`user@host`, not `app`");
}

#[test]
fn broken_operations() {
    let all = |list: &str| base(&format!("select: {{databases: [a], operations: {list}}}\n"));
    broken(
        &all("[drop]"),
        "CLI-004",
        "[drop]",
        "unknown operation `drop`",
    );
    broken(&all("[]"), "CLI-004", "[]", "`operations` is empty");
    broken(&all("drop-table"), "CLI-002", "drop-table", "");
    let entry = |entry: &str| base(&format!("select: {{databases: [{entry}]}}\n"));
    broken(
        &entry("{database: a, rule: 1}"),
        "CLI-003",
        "rule",
        "Use one of `database`, `policy`, `operations` or `engine`",
    );
    broken(
        &entry("{operations: [all]}"),
        "CLI-005",
        "operations: [all]",
        "missing key `database`",
    );
    let rule = |rule: &str| {
        base(&format!(
            "select: {{databases: [a], tables: [{{table: a.t, operations: {rule}}}]}}\n"
        ))
    };
    broken(
        &rule("[all, -view]"),
        "DDL-140",
        "[all, -view]",
        "`view` is nothing that one table can choose",
    );
    let online = format!(
        "{}stream: {{online_ddl: {{mode: final-change}}}}\n",
        all("[-alter-table]")
    );
    broken(&online, "DDL-142", "final-change", "needs `create-table`");
}
