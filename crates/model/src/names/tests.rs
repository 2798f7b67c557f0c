//! Which name of the target each name of the source gets.

use super::*;
use crate::task::{Mapping, MappingSpec};

fn rules(pairs: &[(&str, &str)]) -> Mapping {
    let owned = |(from, to): &(&str, &str)| ((*from).to_owned(), (*to).to_owned());
    pairs.iter().map(owned).collect()
}

fn select(capitalization: Capitalization) -> SelectSpec {
    SelectSpec {
        databases: vec!["shop".to_owned(), "Crm".to_owned()],
        mapping: MappingSpec {
            databases: rules(&[("shop", "shop_new")]),
            tables: rules(&[("shop.orders", "archive.Orders2")]),
            columns: rules(&[("shop.orders.note", "Remark"), ("shop.`a.b`.`x.y`", "z")]),
        },
        capitalization,
        ..SelectSpec::default()
    }
}

fn names(capitalization: Capitalization, folds: bool) -> NameMap {
    NameMap::new(&select(capitalization), folds).expect("rules")
}

#[track_caller]
fn check(names: &NameMap, database: &str, table: &str, column: &str, expected: [&str; 3]) {
    let source = TableName::new(database, table);
    let target = names.table(&source);
    let column = names.column(&source, column);
    assert_eq!([&*target.database, &*target.table, &*column], expected);
}

#[test]
fn a_rule_wins_and_the_rest_keeps_its_letters() {
    let names = names(Capitalization::Default, false);
    check(
        &names,
        "shop",
        "orders",
        "NOTE",
        ["archive", "Orders2", "Remark"],
    );
    check(&names, "shop", "Item", "Note", ["shop_new", "Item", "Note"]);
    check(&names, "shop", "a.b", "x.y", ["shop_new", "a.b", "z"]);
    check(&names, "Crm", "Orders", "note", ["Crm", "Orders", "note"]);
    check(
        &names,
        "other",
        "orders",
        "note",
        ["other", "orders", "note"],
    );
    assert_eq!(names.databases_of("shop"), ["shop_new", "archive"]);
    assert!(!names.is_identity());
}

#[test]
fn letters_change_where_no_rule_speaks() {
    let folding = names(Capitalization::Default, true);
    check(&folding, "Crm", "Orders", "Note", ["crm", "orders", "Note"]);
    check(
        &folding,
        "shop",
        "orders",
        "note",
        ["archive", "Orders2", "Remark"],
    );
    let upper = names(Capitalization::Upper, false);
    check(&upper, "Crm", "Größe", "note", ["CRM", "GRÖßE", "NOTE"]);
    check(
        &upper,
        "other",
        "orders",
        "note",
        ["other", "orders", "note"],
    );
    let lower = names(Capitalization::Lower, false);
    check(&lower, "shop", "Item", "NOTE", ["shop_new", "item", "note"]);
    let source = names(Capitalization::Source, true);
    check(&source, "Crm", "Orders", "Note", ["Crm", "Orders", "Note"]);
}

#[test]
fn without_rules_nothing_changes() {
    let plain = SelectSpec {
        databases: vec!["Shop".to_owned()],
        ..SelectSpec::default()
    };
    assert!(NameMap::new(&plain, false).expect("no rule").is_identity());
    assert!(!NameMap::new(&plain, true).expect("no rule").is_identity());
}

#[test]
fn names_have_limits() {
    assert_eq!(problem_of(&"ä".repeat(64)), None);
    assert!(problem_of(&"ä".repeat(65)).is_some());
    for name in ["", "a ", "a\0b", "\u{1F600}"] {
        assert!(problem_of(name).is_some(), "{name:?}");
    }
}

#[track_caller]
fn broken(part: &'static str, from: &str, to: &str, why: MappingFault) {
    let mut select = SelectSpec {
        databases: vec!["shop".to_owned()],
        ..SelectSpec::default()
    };
    let rule: Mapping = [(from.to_owned(), to.to_owned())].into_iter().collect();
    match part {
        "databases" => select.mapping.databases = rule,
        "tables" => select.mapping.tables = rule,
        _ => select.mapping.columns = rule,
    }
    let rule = from.to_owned();
    let problem = MappingProblem { part, rule, why };
    assert_eq!(NameMap::new(&select, false), Err(problem));
}

#[test]
fn a_rule_must_say_what_it_is_about() {
    let form = |text: &str| MappingFault::Form(text.to_owned());
    broken("columns", "shop.orders", "x", form("shop.orders"));
    broken("tables", "shop.a", "b", form("b"));
    let group = |wanted, count| MappingFault::Group { wanted, count };
    broken("databases", "/a(b)/", "x{2}", group(2, 1));
    broken("databases", "shop", "x{1}", group(1, 0));
    broken("columns", "a_*.b*.c*", "x{4}", group(4, 3));
    broken("tables", "shop.*", "s_{1}.x", MappingFault::GroupOfTable(1));
    let bad = NameMap::new(&patterns(&[], &[("/(/.x", "a.b")], &[]), false);
    let why = bad.expect_err("no expression").why;
    assert!(matches!(why, MappingFault::Expression(_)), "{why:?}");
}

fn patterns(
    databases: &[(&str, &str)],
    tables: &[(&str, &str)],
    columns: &[(&str, &str)],
) -> SelectSpec {
    SelectSpec {
        databases: vec!["shard_*".to_owned(), "crm".to_owned()],
        mapping: MappingSpec {
            databases: rules(databases),
            tables: rules(tables),
            columns: rules(columns),
        },
        ..SelectSpec::default()
    }
}

#[test]
fn groups_stand_in_the_names_of_the_target() {
    let select = patterns(
        &[
            ("shard_*", "old_{1}"),
            (r"/shard_(\d+)/", "s{1}"),
            ("shard_7", "seven"),
        ],
        &[
            (r"/shard_(\d+)/./log_(.*)/", "logs{1}.l_{2}"),
            ("crm.*", "crm.c_{1}"),
        ],
        &[("*.*.note_*", "n{3}"), ("crm.a.note_x", "special")],
    );
    let names = NameMap::new(&select, false).expect("rules");
    // The later pattern wins, and an exact name over both.
    check(&names, "shard_1", "t", "id", ["s1", "t", "id"]);
    check(&names, "shard_x", "t", "NOTE_b", ["old_x", "t", "nb"]);
    check(&names, "shard_7", "log_a", "id", ["logs7", "l_a", "id"]);
    check(&names, "crm", "a", "note_x", ["crm", "c_a", "special"]);
    check(&names, "other", "a", "note_x", ["other", "a", "note_x"]);
    let select = patterns(&[("shard_*", "{1}")], &[("shard_*.t", "{1}.x")], &[]);
    let dangerous = NameMap::new(&select, false).expect("rules");
    check(&dangerous, "shard_mysql", "t", "id", ["mysql ", "x", "id"]);
    check(&dangerous, "shard_sys", "y", "id", ["sys ", "y", "id"]);
    assert_eq!(names.databases_of("shard_7"), ["seven", "logs7"]);
    assert_eq!(names.databases_of("shard_x"), ["old_x"]);
}

#[test]
fn what_patterns_mean_is_known_when_the_source_has_told() {
    let select = patterns(
        &[("shard_*", "all")],
        &[("crm.t*", "crm.u{1}")],
        &[("crm.*.a", "b")],
    );
    let names = NameMap::new(&select, false).expect("rules");
    assert!(names.is_shared("shard_1", "all"), "not known yet");
    let columns = vec!["A".to_owned(), "c".to_owned()];
    let known = Known {
        databases: ["shard_1", "crm", "other"].map(str::to_owned).into(),
        tables: [(TableName::new("crm", "t1"), columns)].into(),
    };
    let names = names.knowing(known.clone());
    assert!(!names.is_shared("shard_1", "all"));
    assert_eq!(
        names.selected(),
        ["crm", "shard_1"].map(str::to_owned).into()
    );
    assert_eq!(
        names.renamed_databases(),
        [("shard_1".to_owned(), "all".to_owned())]
    );
    let table = TableName::new("crm", "t1");
    assert_eq!(
        names.renamed_tables(),
        [(table.clone(), TableName::new("crm", "u1"))]
    );
    assert_eq!(
        names.renamed_columns(),
        [(table, "a".to_owned(), "b".to_owned())]
    );
    let mut more = known;
    more.databases.insert("shard_2".to_owned());
    assert!(names.knowing(more).is_shared("shard_1", "all"));
}
