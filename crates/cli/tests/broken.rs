//! Task files that cannot be right: each gives one error with its line, the reason and what to do, ends
//! with code 2, and reaches for no server.

mod rules;

use std::net::TcpListener;
use std::process::Command;

/// Stands before the line of the error, and is taken out.
const HERE: char = '@';

/// A whole file, or what stands behind two right ends.
enum Text {
    Whole(&'static str),
    Behind(&'static str),
    /// What stands under `select`, beside `databases: [shop, crm]`, on a line of its own.
    Select(&'static str),
}

use Text::{Behind, Select, Whole};

/// Code, words of the message or the hint, and the file.
type Case = (&'static str, &'static str, Text);

const CASES: &[Case] = &[
    // Form.
    ("CLI-002", "ends too early", Whole("")),
    ("CLI-002", "", Whole("@source: {url: \"mysql://a@s\n")),
    ("CLI-002", "", Behind("@select: [databases: {shop]\n")),
    (
        "CLI-002",
        "",
        Behind("select:\n  databases: [shop]\n@   exclude: [a]\n"),
    ),
    (
        "CLI-005",
        "missing key `source`",
        Whole("target: {url: mysql://a@t}\nselect: {databases: [a]}\n"),
    ),
    (
        "CLI-005",
        "missing key `target`",
        Whole("source: {url: mysql://a@t}\nselect: {databases: [a]}\n"),
    ),
    ("CLI-005", "missing key `select`", Behind("")),
    (
        "CLI-005",
        "missing key `url`",
        Whole(
            "@source: {tls: {mode: off}}\ntarget: {url: mysql://a@t}\nselect: {databases: [a]}\n",
        ),
    ),
    (
        "CLI-006",
        "stands there twice",
        Behind("select: {databases: [a]}\n@select: {databases: [b]}\n"),
    ),
    (
        "CLI-006",
        "stands there twice",
        Behind("@select: {databases: [a], databases: [b]}\n"),
    ),
    (
        "CLI-003",
        "unknown key `slect`",
        Behind("@slect: {databases: [a]}\n"),
    ),
    ("CLI-003", "unknown key `filters`", Select("@filters: [x]")),
    ("CLI-003", "unknown key `only`", Select("@only: [x]")),
    (
        "CLI-003",
        "unknown key `threads`",
        Behind("select: {databases: [a]}\n@load: {threads: 4}\n"),
    ),
    (
        "CLI-003",
        "unknown key `writers`",
        Behind("select: {databases: [a]}\n@stream: {writers: 4}\n"),
    ),
    (
        "CLI-003",
        "unknown key `memory`",
        Behind("select: {databases: [a]}\n@memory: 1GiB\n"),
    ),
    (
        "CLI-003",
        "unknown key `host`",
        Whole("@source: {host: a}\ntarget: {url: mysql://a@t}\nselect: {databases: [a]}\n"),
    ),
    (
        "CLI-003",
        "unknown key `rename`",
        Select("@tables: [{table: shop.a, rename: {a: b}}]"),
    ),
    (
        "CLI-003",
        "unknown key `table`",
        Select("@mapping: {table: {shop.a: shop.b}}"),
    ),
    (
        "CLI-003",
        "unknown key `views`",
        Behind("select: {databases: [a]}\n@schema: {views: keep}\n"),
    ),
    // Ends.
    (
        "CLI-011",
        "mysql://",
        Whole(
            "@source: {url: \"http://a@s\"}\ntarget: {url: mysql://a@t}\nselect: {databases: [a]}\n",
        ),
    ),
    (
        "CLI-011",
        "names no user",
        Whole(
            "source: {url: mysql://a@s}\n@target: {url: \"mysql://t\"}\nselect: {databases: [a]}\n",
        ),
    ),
    (
        "CLI-011",
        "databases belong under select",
        Whole(
            "@source: {url: \"mysql://a@s/shop\"}\ntarget: {url: mysql://a@t}\nselect: {databases: [a]}\n",
        ),
    ),
    (
        "CLI-011",
        "has parameters",
        Whole(
            "@source: {url: \"mysql://a@s?x=1\"}\ntarget: {url: mysql://a@t}\nselect: {databases: [a]}\n",
        ),
    ),
    (
        "CLI-011",
        "source URL",
        Whole(
            "@source: {url: \"nonsense\"}\ntarget: {url: mysql://a@t}\nselect: {databases: [a]}\n",
        ),
    ),
    (
        "CLI-015",
        "the same server",
        Whole(
            "source: {url: mysql://a@s}\n@target: {url: mysql://b@s}\nselect: {databases: [a]}\n",
        ),
    ),
    (
        "CLI-004",
        "must be a reference",
        Whole(
            "@source: {url: mysql://a@s, password: secret}\ntarget: {url: mysql://a@t}\nselect: {databases: [a]}\n",
        ),
    ),
    (
        "CLI-004",
        "unknown value `maybe`",
        Whole(
            "@source: {url: mysql://a@s, tls: {mode: maybe}}\ntarget: {url: mysql://a@t}\nselect: {databases: [a]}\n",
        ),
    ),
    (
        "CLI-022",
        "TLS is off",
        Whole(
            "@source: {url: mysql://a@s, tls: {mode: off, ca: a.pem}}\ntarget: {url: mysql://a@t}\nselect: {databases: [a]}\n",
        ),
    ),
    (
        "CLI-022",
        "belong together",
        Whole(
            "@source: {url: mysql://a@s, tls: {mode: required, key: a.pem}}\ntarget: {url: mysql://a@t}\nselect: {databases: [a]}\n",
        ),
    ),
    (
        "CLI-022",
        "checks no certificate",
        Whole(
            "@source: {url: mysql://a@s, tls: {mode: required, ca: a.pem}}\ntarget: {url: mysql://a@t}\nselect: {databases: [a]}\n",
        ),
    ),
    (
        "CLI-019",
        "cannot be the name of a task",
        Behind("@task: 'a b'\nselect: {databases: [a]}\n"),
    ),
    (
        "CLI-019",
        "cannot be the name of a task",
        Behind(
            "@task: aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa\nselect: {databases: [a]}\n",
        ),
    ),
    // Databases.
    ("CLI-012", "no database", Behind("@select: {}\n")),
    (
        "CLI-012",
        "no database",
        Behind("@select: {databases: []}\n"),
    ),
    (
        "CLI-012",
        "is empty",
        Behind("@select: {databases: ['']}\n"),
    ),
    ("CLI-002", "", Behind("@select: {databases: shop}\n")),
    (
        "CLI-013",
        "twice",
        Behind("@select: {databases: [shop, shop]}\n"),
    ),
    (
        "CLI-013",
        "twice",
        Behind("@select: {databases: ['shop_*', 'shop_*']}\n"),
    ),
    (
        "CLI-014",
        "belongs to the server",
        Behind("@select: {databases: [mysql]}\n"),
    ),
    (
        "CLI-014",
        "Wherry's own",
        Behind("@select: {databases: [wherry]}\n"),
    ),
    (
        "SEL-001",
        "no regular expression",
        Behind("@select: {databases: ['/shop']}\n"),
    ),
    (
        "SEL-001",
        "unclosed group",
        Behind("@select: {databases: ['/shop(/']}\n"),
    ),
    (
        "SEL-001",
        "it is empty",
        Behind("@select: {databases: ['//']}\n"),
    ),
    (
        "SEL-001",
        "unopened group",
        Behind("select:\n  databases:\n    - shop\n@    - '/a)|(b/'\n"),
    ),
    (
        "SEL-002",
        "not the name of a database",
        Behind("@select: {databases: ['`shop']}\n"),
    ),
    (
        "SEL-002",
        "not the name of a database",
        Behind("@select: {databases: ['/a/b']}\n"),
    ),
    (
        "CLI-003",
        "unknown key `name`",
        Behind("@select: {databases: [{name: shop}]}\n"),
    ),
    (
        "CLI-005",
        "missing key `database`",
        Behind("@select: {databases: [{policy: keep}]}\n"),
    ),
    (
        "CLI-004",
        "expected",
        Behind("@select: {databases: [[shop]]}\n"),
    ),
    // Single tables and exclusion.
    (
        "SEL-002",
        "not the name of a table",
        Select("@include: [logs]"),
    ),
    (
        "SEL-002",
        "not the name of a table",
        Select("@include: [a.b.c]"),
    ),
    (
        "SEL-001",
        "no regular expression",
        Select("@include: ['log./a']"),
    ),
    (
        "SEL-002",
        "not the name of a table",
        Select("@merge: [orders]"),
    ),
    ("SEL-001", "unclosed", Select("@merge: ['plant./(a/']")),
    ("CLI-002", "expected", Select("@merge: plant.orders")),
    ("SEL-001", "unclosed", Select("@include: ['log./[a/']")),
    (
        "SEL-003",
        "selected as a whole",
        Select("@include: [shop.orders]"),
    ),
    (
        "CLI-014",
        "belongs to the server",
        Select("@include: [mysql.user]"),
    ),
    ("CLI-014", "Wherry's own", Select("@include: [wherry.task]")),
    (
        "SEL-002",
        "not the name of a database or table",
        Select("@exclude: [a.b.c]"),
    ),
    (
        "SEL-002",
        "not the name of a database or table",
        Select("@exclude: ['']"),
    ),
    (
        "SEL-001",
        "no regular expression",
        Select("@exclude: ['/a(/']"),
    ),
    ("SEL-004", "and excluded", Select("@exclude: [shop]")),
    ("SEL-004", "and excluded", Select("@exclude: ['c*']")),
    ("CLI-002", "", Select("@exclude: shop")),
    // What is done, and with what.
    (
        "CLI-004",
        "unknown value `overwrite`",
        Select("@policy: overwrite"),
    ),
    (
        "CLI-004",
        "unknown value `copy`",
        Behind("select: {databases: [a]}\n@phases: [schema, copy]\n"),
    ),
    (
        "CLI-004",
        "at least one",
        Behind("select: {databases: [a]}\n@phases: []\n"),
    ),
    (
        "CLI-055",
        "do not load",
        Behind("select: {databases: [a]}\n@stream: {from: {position: \"bin.000001:4\"}}\n"),
    ),
    (
        "CLI-055",
        "schema, load",
        Behind(
            "select: {databases: [a]}\nphases: [schema, load]\n@stream: {from: {position: \"bin.000001:4\"}}\n",
        ),
    ),
    (
        "CLI-055",
        "made and loaded",
        Behind("phases: [load, stream]\nselect:\n  databases: [a]\n@  merge: [a.b]\n"),
    ),
    (
        "CLI-056",
        "is no position",
        Behind(
            "select: {databases: [a]}\nphases: [stream]\n@stream: {from: {position: \"bin.000001\"}}\n",
        ),
    ),
    (
        "CLI-056",
        "is no moment",
        Behind(
            "select: {databases: [a]}\nphases: [stream]\n@stream: {from: {timestamp: \"2026-11-30T12:00:00\"}}\n",
        ),
    ),
    (
        "CLI-056",
        "GTID set is empty",
        Behind("select: {databases: [a]}\nphases: [stream]\n@stream: {from: {gtid: \" \"}}\n"),
    ),
    (
        "CLI-002",
        "expected end of mapping",
        Behind(
            "select: {databases: [a]}\nphases: [stream]\n@stream: {from: {gtid: \"a\", position: \"b:4\"}}\n",
        ),
    ),
    ("CLI-004", "is empty", Select("@operations: []")),
    (
        "DDL-142",
        "final-change",
        Behind(
            "select: {databases: [a], operations: [all, -rename-table]}\n@stream: {online_ddl: {mode: final-change}}\n",
        ),
    ),
    // Names.
    (
        "NAM-004",
        "not selected",
        Select("@mapping: {databases: {hr: x}}"),
    ),
    (
        "NAM-004",
        "not the name",
        Select("@mapping: {tables: {orders: a.b}}"),
    ),
    (
        "NAM-004",
        "`b` is not the name",
        Select("@mapping: {tables: {shop.orders: b}}"),
    ),
    (
        "NAM-004",
        "not the name",
        Select("@mapping: {columns: {shop.note: b}}"),
    ),
    (
        "NAM-004",
        "belongs to the server",
        Select("@mapping: {databases: {shop: mysql}}"),
    ),
    (
        "NAM-004",
        "or to Wherry itself",
        Select("@mapping: {databases: {shop: wherry_shadow}}"),
    ),
    (
        "NAM-004",
        "ends with a blank",
        Select("@mapping: {tables: {shop.a: 'b.c '}}"),
    ),
    (
        "NAM-004",
        "is empty",
        Select("@mapping: {databases: {shop: ''}}"),
    ),
    (
        "SEL-001",
        "no regular expression",
        Select("@mapping: {databases: {'/shop(/': x}}"),
    ),
    (
        "SEL-001",
        "no regular expression",
        Select("@mapping: {columns: {'shop.a./b(/': x}}"),
    ),
    (
        "SEL-005",
        "takes group {2}",
        Select("@mapping: {databases: {'/sh(.*)/': 'x{2}'}}"),
    ),
    (
        "SEL-005",
        "takes group {1}",
        Select("@mapping: {tables: {shop.a: 'shop.a{1}'}}"),
    ),
    (
        "SEL-005",
        "takes group {0}",
        Select("@mapping: {columns: {'shop.a.*': 'x{0}'}}"),
    ),
    (
        "SEL-006",
        "in the name of the database",
        Select("@mapping: {tables: {'shop.log_*': 'l_{1}.log'}}"),
    ),
    (
        "CLI-006",
        "stands there twice",
        Select("@mapping: {databases: {shop: a, shop: b}}"),
    ),
    (
        "CLI-004",
        "unknown value `title`",
        Select("@capitalization: title"),
    ),
    ("CLI-002", "", Select("@mapping: {databases: [shop]}")),
    // Numbers and sizes.
    (
        "CLI-016",
        "out of range",
        Behind("select: {databases: [a]}\n@load: {readers: 0}\n"),
    ),
    (
        "CLI-016",
        "out of range",
        Behind("select: {databases: [a]}\n@stream: {workers: 65}\n"),
    ),
    (
        "CLI-004",
        "whole number",
        Behind("select: {databases: [a]}\n@load: {writers: many}\n"),
    ),
    (
        "CLI-004",
        "true or false",
        Behind("select: {databases: [a]}\n@load: {defer_indexes: 3}\n"),
    ),
    (
        "CLI-017",
        "below 128MiB",
        Behind("select: {databases: [a]}\n@limits: {memory: 1MiB}\n"),
    ),
    (
        "CLI-004",
        "unknown unit",
        Behind("select: {databases: [a]}\n@limits: {memory: 1GB}\n"),
    ),
    (
        "CLI-020",
        "cannot be the database",
        Behind("select: {databases: [a]}\n@state: {database: mysql}\n"),
    ),
    (
        "CLI-020",
        "cannot be the database",
        Behind("select: {databases: [a]}\n@state: {database: 'a-b'}\n"),
    ),
    // Schema, stream and cutover.
    (
        "CLI-004",
        "unknown value `root`",
        Behind("select: {databases: [a]}\n@schema: {definer: root}\n"),
    ),
    (
        "CLI-004",
        "unknown value `never`",
        Behind("select: {databases: [a]}\n@schema: {triggers: never}\n"),
    ),
    (
        "CLI-004",
        "unknown value `rocksdb`",
        Behind("select: {databases: [a]}\n@schema: {engine: rocksdb}\n"),
    ),
    (
        "CLI-004",
        "user@host",
        Behind("select: {databases: [a]}\n@schema: {accounts: [app]}\n"),
    ),
    (
        "CLI-004",
        "no group",
        Behind("select: {databases: [a]}\n@stream: {online_ddl: {shadow: '^_x$'}}\n"),
    ),
    (
        "CLI-004",
        "not a regular expression",
        Behind("select: {databases: [a]}\n@stream: {online_ddl: {useless: '^(x$'}}\n"),
    ),
    (
        "CLI-004",
        "unknown value `force`",
        Behind("select: {databases: [a]}\n@cutover: {stop_writes: force}\n"),
    ),
    (
        "CLI-058",
        "every 0 s",
        Whole(
            "@source: {url: \"mysql://a@s\", heartbeat: {interval_seconds: 0}}\ntarget: {url: \"mysql://a@t\"}\nselect: {databases: [a]}\n",
        ),
    ),
];

fn text_of(text: &Text, source: u16, target: u16) -> String {
    let ends = format!(
        "source: {{url: \"mysql://a@127.0.0.1:{source}\"}}\ntarget: {{url: \"mysql://b@127.0.0.1:{target}\"}}\n"
    );
    match text {
        Whole(text) => (*text).to_owned(),
        Behind(text) => format!("{ends}{text}"),
        // The mark stands before the line, which is indented.
        Select(text) => {
            let text = text
                .strip_prefix(HERE)
                .map_or_else(|| format!("  {text}"), |text| format!("@  {text}"));
            format!("{ends}select:\n  databases: [shop, crm]\n{text}\n")
        }
    }
}

/// What is wrong with how the case ends; `None` where it ends as it should.
fn judge(case: &Case, folder: &std::path::Path, ports: [u16; 2]) -> Option<String> {
    let (code, words, text) = case;
    let text = text_of(text, ports[0], ports[1]);
    let line = text.lines().position(|line| line.starts_with(HERE));
    let text: String = text
        .split_inclusive('\n')
        .map(|line| line.strip_prefix(HERE).unwrap_or(line))
        .collect();
    let path = folder.join("task.yaml");
    std::fs::write(&path, &text).expect("the task file can be written");
    let mut command = Command::new(env!("CARGO_BIN_EXE_wherry"));
    command.arg("run").arg(&path).args(["--output", "json"]);
    let ended = command.output().expect("the program runs");
    let said = String::from_utf8_lossy(&ended.stdout).into_owned();
    let fail = |what: &str| Some(format!("{what}\n{text}\n{said}"));
    if ended.status.code() != Some(2) {
        return fail(&format!("exit code {:?}", ended.status.code()));
    }
    let lines: Vec<serde_json::Value> = said
        .lines()
        .map(|line| serde_json::from_str(line).expect("JSON"))
        .collect();
    let [error] = lines.as_slice() else {
        return fail("more or less than one line");
    };
    let reason = format!("{} {}", error["message"], error["hint"]);
    let next = error["hint"].as_str().unwrap_or_default();
    if error["code"] != **code {
        return fail(&format!("the code is not {code}"));
    }
    if !reason.contains(words) || next.len() < 10 {
        return fail(&format!("`{words}` is not said, or no next step"));
    }
    match line {
        Some(line) if error["line"] != line + 1 => fail(&format!("not at line {}", line + 1)),
        _ if error["line"].as_u64().is_none() => fail("no line"),
        _ => None,
    }
}

#[test]
fn each_broken_file_gives_one_clear_error() {
    let cases = || CASES.iter().chain(rules::CASES);
    let count = cases().count();
    assert!(count >= 100, "{count}");
    let [source, target] = [0, 1].map(|_| TcpListener::bind("127.0.0.1:0").expect("a port"));
    let port = |listener: &TcpListener| listener.local_addr().expect("an address").port();
    let ports = [port(&source), port(&target)];
    let folder = tempfile::tempdir().expect("a folder");
    let wrong: Vec<String> = cases()
        .filter_map(|case| judge(case, folder.path(), ports))
        .collect();
    assert!(
        wrong.is_empty(),
        "{} of {}:\n{}",
        wrong.len(),
        count,
        wrong.join("\n")
    );
    for listener in [source, target] {
        listener.set_nonblocking(true).expect("a listener");
        assert!(listener.accept().is_err(), "a server was asked for");
    }
}
