//! Random scripts over random rows: none panics, none makes a row that is no row.

use std::hash::{BuildHasher, RandomState};

use crate::fixture::{CONTEXT, row_with, table};
use wherry_etl::{ErrorPolicy, Images, Options, Script};
use wherry_model::{ChangeKind, Row, RowWriter};

/// So many must compile and run; three of ten do, so that the mistakes are tried too.
const SCRIPTS: usize = 1000;
const TRIES_MAX: usize = 20 * SCRIPTS;

/// A generator whose whole state is its seed.
struct Dice(u64);

impl Dice {
    /// From `WHERRY_RANDOM_SEED`, else another one each time; it is shown where a test fails.
    fn new() -> Dice {
        let given = std::env::var("WHERRY_RANDOM_SEED")
            .ok()
            .and_then(|seed| seed.parse().ok());
        let seed = given.unwrap_or_else(|| RandomState::new().hash_one(0) | 1);
        eprintln!("WHERRY_RANDOM_SEED={seed}");
        Dice(seed)
    }

    fn below(&mut self, limit: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0.wrapping_mul(0x2545_F491_4F6C_DD1D) >> 33) as usize % limit
    }

    fn one_of<'a>(&mut self, choices: &[&'a str]) -> &'a str {
        choices[self.below(choices.len())]
    }
}

#[derive(Clone, Copy, PartialEq)]
enum Kind {
    Bool,
    Number,
    Text,
    Time,
}

/// Expressions to make a larger one of: two of its own kind, and some of each.
struct Parts {
    own: [String; 2],
    condition: String,
    number: String,
    other: String,
    text: String,
    second: String,
    time: String,
}

/// An expression of a kind, mostly: now and then one of another kind.
fn expression(dice: &mut Dice, kind: Kind, depth: usize) -> String {
    let kind = match dice.below(40) {
        0 => [Kind::Bool, Kind::Number, Kind::Text, Kind::Time][dice.below(4)],
        _ => kind,
    };
    if depth == 0 || dice.below(4) == 0 {
        return leaf(dice, kind).to_owned();
    }
    let mut sub = |kind| expression(dice, kind, depth - 1);
    let parts = Parts {
        own: [sub(kind), sub(kind)],
        condition: sub(Kind::Bool),
        number: sub(Kind::Number),
        other: sub(Kind::Number),
        text: sub(Kind::Text),
        second: sub(Kind::Text),
        time: sub(Kind::Time),
    };
    if dice.below(8) == 0 {
        let [a, b] = &parts.own;
        return format!("({} ? {a} : {b})", parts.condition);
    }
    match kind {
        Kind::Bool => condition(dice, &parts),
        Kind::Number => number(dice, &parts),
        Kind::Text => text(dice, &parts),
        Kind::Time => time(dice, &parts),
    }
}

fn condition(dice: &mut Dice, parts: &Parts) -> String {
    let ([a, b], text, second) = (&parts.own, &parts.text, &parts.second);
    let (number, other, time) = (&parts.number, &parts.other, &parts.time);
    match dice.below(9) {
        0 => format!("op_and({a}, {b})"),
        1 => format!("op_or({a}, {b})"),
        2 => format!("op_not({a})"),
        3 => {
            let function = dice.one_of(&["op_eq", "op_gt", "op_lt", "op_ge", "op_le", "op_ne"]);
            format!("{function}({number}, {other})")
        }
        4 => {
            let function = dice.one_of(&["op_eq", "op_gt", "str_contains"]);
            format!("{function}({text}, {second})")
        }
        5 => format!("op_lt({time}, '2021-01-01 00:00:00')"),
        6 => {
            let pattern = dice.one_of(&["'^a'", "'[0-9]+'", "'('", "'.*x$'"]);
            format!("regex_match({text}, {pattern})")
        }
        7 => format!("op_in({text}, json_array('[\"a\", null]'))"),
        _ => {
            let tests = [
                "str_isalpha",
                "str_isdigit",
                "op_is_null",
                "is_string_value",
            ];
            format!("{}({text})", dice.one_of(&tests))
        }
    }
}

fn number(dice: &mut Dice, parts: &Parts) -> String {
    let ([a, b], text, second) = (&parts.own, &parts.text, &parts.second);
    match dice.below(7) {
        0 => format!("({a} {} {b})", dice.one_of(&["+", "-", "*", "/"])),
        1 => {
            const NAMES: [&str; 6] = [
                "op_sum",
                "op_sub",
                "op_mul",
                "op_div_true",
                "op_mod",
                "op_round",
            ];
            format!("{}({a}, {b})", dice.one_of(&NAMES))
        }
        2 => format!(
            "{}({text}, {second})",
            dice.one_of(&["str_count", "str_find"])
        ),
        3 => format!("cast_string_to_long({text})"),
        4 => format!("dt_parsetimestamp({}, 'Europe/Berlin')", parts.time),
        5 => format!("-{a}"),
        _ => format!("op_round({a}, {})", dice.below(50) as i64 - 25),
    }
}

fn text(dice: &mut Dice, parts: &Parts) -> String {
    let ([a, b], third) = (&parts.own, &parts.text);
    let (number, other, time) = (&parts.number, &parts.other, &parts.time);
    match dice.below(10) {
        0 => format!("op_add({a}, {b})"),
        1 => format!("({a} + {b})"),
        2 => format!("str_format('<{{}}>{{}}', {number}, {time})"),
        3 => format!("str_replace({a}, {b}, {third}, {other})"),
        4 => {
            let function = dice.one_of(&["str_strip", "substring_after", "substring_before"]);
            format!("{function}({a}, {b})")
        }
        5 => format!("{}({a})", dice.one_of(&["str_lower", "str_upper"])),
        6 => format!("str_mask({a}, {number}, {other}, '*')"),
        7 => format!("substring_between({a}, {b}, {third})"),
        8 => {
            let pattern = dice.one_of(&["'yyyy-MM-dd'", "'HH:mm:ss.SSS a'", "'yy'", "'Q'"]);
            format!("dt_str({time}, {pattern})")
        }
        _ => format!("cast_long_to_string({number})"),
    }
}

fn time(dice: &mut Dice, parts: &Parts) -> String {
    let (a, number, text) = (&parts.own[0], &parts.number, &parts.text);
    match dice.below(4) {
        0 => format!("dt_fromtimestamp({number}, 'GMT-03:30')"),
        1 => format!("dt_fromtimestamp_millis({number}, 'America/New_York')"),
        2 => format!("dt_strptime({text}, 'yyyy-MM-dd HH:mm:ss')"),
        _ => {
            let unit = dice.one_of(&["years", "months", "days", "hours", "minutes", "seconds"]);
            format!("dt_add({a}, {unit}={number})")
        }
    }
}

fn leaf<'a>(dice: &mut Dice, kind: Kind) -> &'a str {
    match kind {
        Kind::Bool => dice.one_of(&[
            "true",
            "false",
            "null",
            "op_is_null(`empty`)",
            "op_eq(__TB__, 'user_7')",
        ]),
        Kind::Number => dice.one_of(&[
            "0",
            "1",
            "-7",
            "3.5",
            "18446744073709551615",
            "1e308",
            "0.00000000000000000001",
            "`id`",
            "`amount`",
            "`ratio`",
            "`flag`",
            "`bits`",
            "`large`",
            "null",
        ]),
        Kind::Text => dice.one_of(&[
            "''",
            "'a'",
            "'\u{e9}x,b'",
            "'2021-01-01 00:00:00'",
            "`name`",
            "`phone`",
            "`western`",
            "`basic`",
            "`doc`",
            "`tags`",
            "`empty`",
            "`broken`",
            "__TB__",
            "__SCN__",
            "null",
        ]),
        Kind::Time => dice.one_of(&[
            "dt_now()",
            "__COMMIT_TIMESTAMP__",
            "`created`",
            "`precise`",
            "`day`",
            "`zero`",
            "DATETIME('9999-12-31 23:59:59')",
            "null",
        ]),
    }
}

fn action(dice: &mut Dice, depth: usize) -> String {
    if depth == 0 || dice.below(3) == 0 {
        let (column, kind) = [
            ("name", Kind::Text),
            ("phone", Kind::Text),
            ("western", Kind::Text),
            ("plain", Kind::Text),
            ("fixed", Kind::Text),
            ("tags", Kind::Text),
            ("id", Kind::Number),
            ("flag", Kind::Number),
            ("amount", Kind::Number),
            ("single", Kind::Number),
            ("bits", Kind::Number),
            ("created", Kind::Time),
            ("stamp", Kind::Time),
            ("day", Kind::Time),
        ][dice.below(14)];
        return match dice.below(12) {
            0 => "e_drop()".to_owned(),
            1 => "e_set(__OPERATION__, __OP_INSERT__)".to_owned(),
            2 => format!("e_set(`{column}`, v(`name`, __BEFORE__))"),
            _ => format!("e_set(`{column}`, {})", expression(dice, kind, 3)),
        };
    }
    let (one, two) = (action(dice, depth - 1), action(dice, depth - 1));
    let (first, second) = (
        expression(dice, Kind::Bool, 3),
        expression(dice, Kind::Bool, 3),
    );
    match dice.below(5) {
        0 => format!("e_if({first}, {one}, {second}, {two})"),
        1 => format!("e_if_else({first}, {one}, {two})"),
        2 => format!("e_switch({first}, {one}, {second}, {two}, default={one})"),
        3 => format!("e_compose({one}, {two}, e_keep({first}))"),
        _ => format!("e_compose({one}, {two})"),
    }
}

/// The one row with random bytes in a few columns: valid and invalid ones.
fn random_row(dice: &mut Dice) -> Row {
    const COLUMNS: [&str; 8] = [
        "id", "name", "amount", "created", "clock", "western", "doc", "bits",
    ];
    const VALUES: [&[u8]; 10] = [
        b"",
        b"0",
        b"-1",
        b"99999999.99",
        b"9999-12-31 23:59:59",
        b"\xFF\xFE",
        b"\x01\x02",
        b"\x01{\x02",
        b"aaaaaaaaaaaaaaaaaaaa",
        b"0000-00-00 00:00:00",
    ];
    let changes: Vec<(&str, Option<&[u8]>)> = (0..3)
        .map(|_| {
            (
                COLUMNS[dice.below(8)],
                Some(VALUES[dice.below(10)]).filter(|_| dice.below(5) > 0),
            )
        })
        .collect();
    row_with(&changes)
}

/// Compiles and runs; true where it compiled and at least one change came through without an error.
fn try_script(dice: &mut Dice, text: &str) -> bool {
    let errors = [ErrorPolicy::Fail, ErrorPolicy::Skip, ErrorPolicy::Null][dice.below(3)];
    let images = [Images::Both, Images::Pre][dice.below(2)];
    let Ok(script) = Script::parse(text) else {
        return false;
    };
    let Ok(program) = script.compile(&table(), Options { errors, images }) else {
        return false;
    };
    program.purity();
    let mut ran = false;
    for _ in 0..4 {
        let (before, after) = (random_row(dice), random_row(dice));
        let mut out = Vec::new();
        let _ = program.run_row(after.encoded(), &CONTEXT, &mut out);
        let changes = [
            ChangeKind::Insert {
                after: after.clone(),
            },
            ChangeKind::Update {
                before: before.clone(),
                after,
            },
            ChangeKind::Delete { before },
        ];
        for change in changes {
            let Ok(outcome) = program.run(&change, &CONTEXT) else {
                continue;
            };
            ran = true;
            if let Some(
                ChangeKind::Insert { after: row }
                | ChangeKind::Update { after: row, .. }
                | ChangeKind::Delete { before: row },
            ) = outcome.change
            {
                let mut writer = RowWriter::default();
                row.values().for_each(|value| writer.push(value));
                assert_eq!(writer.finish(), row, "{text}");
                assert_eq!(row.values().count(), table().columns.len(), "{text}");
            }
        }
    }
    ran
}

#[test]
fn random_scripts_never_panic() {
    let mut dice = Dice::new();
    let mut ran = 0;
    for _ in 0..TRIES_MAX {
        if ran == SCRIPTS {
            return;
        }
        let text = action(&mut dice, 2);
        ran += usize::from(try_script(&mut dice, &text));
    }
    panic!("only {ran} scripts ran");
}

#[test]
fn random_texts_never_panic() {
    let mut dice = Dice::new();
    const PIECES: [&str; 24] = [
        "e_set", "e_if", "op_add", "(", ")", ",", "`name`", "`id`", "'a'", "'", "\"", "`", "1",
        "2.5", "-", "+", "?", ":", "=", " ", "\\", "\u{e9}", "#", "__TB__",
    ];
    for _ in 0..SCRIPTS {
        let whole = action(&mut dice, 1);
        let mut text: String = match dice.below(2) {
            0 => (0..dice.below(30))
                .map(|_| PIECES[dice.below(PIECES.len())])
                .collect(),
            _ => whole,
        };
        for _ in 0..dice.below(4) {
            let places: Vec<usize> = text.char_indices().map(|(at, _)| at).collect();
            if places.is_empty() {
                break;
            }
            let at = places[dice.below(places.len())];
            match dice.below(3) {
                0 => text.insert_str(at, PIECES[dice.below(PIECES.len())]),
                1 => drop(text.remove(at)),
                _ => text.truncate(at),
            }
        }
        try_script(&mut dice, &text);
    }
}
