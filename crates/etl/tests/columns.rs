//! Assignments: each kind of column takes a value exactly or not at all.

use crate::fixture::{CONTEXT, STRICT, compile, place, row, table};
use wherry_etl::{Reason, RowOutcome};
use wherry_model::{ColumnKind, Row};

/// What the column holds after `e_set`, or the code of the error.
fn set(column: &str, value: &str) -> Result<Option<Vec<u8>>, &'static str> {
    let program = compile(&format!("e_set(`{column}`, {value})")).map_err(|error| error.code)?;
    let mut out = Vec::new();
    match program.run_row(row().encoded(), &CONTEXT, &mut out) {
        Ok(RowOutcome::Changed) => {
            let changed = Row::from_encoded(out.into());
            for (index, (old, new)) in row().values().zip(changed.values()).enumerate() {
                assert!(
                    index == place(column) || old == new,
                    "column {index} changed"
                );
            }
            assert_eq!(changed.values().count(), row().values().count());
            Ok(changed.get(place(column)).unwrap().map(<[u8]>::to_vec))
        }
        Ok(other) => panic!("{other:?}"),
        Err(error) => Err(error.reason.code()),
    }
}

#[track_caller]
fn check(column: &str, value: &str, expected: &[u8]) {
    assert_eq!(
        set(column, value),
        Ok(Some(expected.to_vec())),
        "{column} = {value}"
    );
}

/// The same mistake is found in the script where the value is a constant, and in the row where it is not.
#[track_caller]
fn refused(column: &str, value: &str, code: &str) {
    assert_eq!(set(column, value), Err(code), "{column} = {value}");
}

#[test]
fn integers() {
    check("flag", "255", b"255");
    check("flag", "op_eq(`id`, 42)", b"1");
    check("flag", "`amount` * 2", b"25");
    check("flag", "2.0", b"2");
    refused("flag", "256", "ETL-102");
    refused("flag", "-1", "ETL-102");
    refused("flag", "`id` - 43", "ETL-102");
    refused("flag", "`amount`", "ETL-112");
    refused("flag", "1.5", "ETL-112");
    refused("flag", "1e300", "ETL-102");
    refused("flag", "`name`", "ETL-012");
    check("filled", "12", b"000012");
    check("filled", "1234567", b"1234567");
    check("bits", "513", b"\x02\x01");
    check("bits", "1", b"\x00\x01");
    refused("bits", "1024", "ETL-102");
    check("made", "2024", b"2024");
    check("made", "0", b"0000");
    refused("made", "1900", "ETL-102");
}

#[test]
fn decimals_and_floats() {
    check("amount", "1", b"1.00");
    check("amount", "1.1", b"1.10");
    check("amount", "-0.5", b"-0.50");
    check("amount", "99999999.99", b"99999999.99");
    refused("amount", "100000000", "ETL-102");
    refused("amount", "1.005", "ETL-112");
    refused("amount", "`amount` / 3", "ETL-112");
    check("amount", "op_round(`amount` / 3, 2)", b"4.17");
    check("amount", "`ratio`", b"0.50");
    refused("amount", "1e300", "ETL-102");
    check("ratio", "1", b"1");
    check("ratio", "`amount`", b"12.5");
    check("ratio", "1e20", b"1e20");
    refused("ratio", "9007199254740993", "ETL-112");
    check("single", "0.1", b"0.10000000149011612");
    refused("single", "1e300", "ETL-102");
    refused("single", "16777217", "ETL-112");
}

#[test]
fn texts() {
    check("name", "'x '", b"x ");
    check("phone", "'x  '", b"x");
    check("name", "'\u{1F600}'", "\u{1F600}".as_bytes());
    check(
        "basic",
        "'\u{e9}\u{e9}\u{e9}\u{e9}\u{e9}'",
        "\u{e9}\u{e9}\u{e9}\u{e9}\u{e9}".as_bytes(),
    );
    refused("basic", "'123456'", "ETL-103");
    refused("basic", "'\u{1F600}'", "ETL-104");
    refused("plain", "'\u{e9}'", "ETL-104");
    check("western", "'caf\u{e9} \u{20AC}'", b"caf\xE9 \x80");
    refused("western", "'\u{416}'", "ETL-104");
    check("western", "`western` + '!'", b"caf\xE9 \x80!");
    refused("name", "`name` + `name` + `name`", "ETL-103");
    refused("name", "1", "ETL-012");
    refused("chinese", "'x'", "ETL-014");
    refused("name", "`chinese`", "ETL-014");
    check("chinese2", "`chinese`", b"\xC4\xE3");
    check("data", "'ab'", b"ab");
    check("data", "`fixed`", b"ab\0\0");
    check("fixed", "`data`", b"\x00\xFF\0\0");
    refused("fixed", "'abcde'", "ETL-103");
    refused("name", "`data`", "ETL-012");
}

#[test]
fn labels_and_documents() {
    check("status", "'done'", b"done");
    refused("status", "'Done'", "ETL-111");
    refused("status", "`name`", "ETL-111");
    check("tags", "'c,a,c'", b"a,c");
    check("tags", "''", b"");
    refused("tags", "'a,d'", "ETL-111");
    refused("odd", "'x'", "ETL-013");
    check("odd", "`odd`", b"2");
    refused("doc", "'[]'", "ETL-013");
    check("doc", "`doc2`", b"[1]");
    assert_eq!(set("doc", "null"), Ok(None));
    refused("place", "'x'", "ETL-013");
    refused("name", "`place`", "ETL-015");
}

#[test]
fn moments() {
    check("created", "'2021-01-01 00:00:00'", b"2021-01-01 00:00:00");
    check("created", "__COMMIT_TIMESTAMP__", b"2021-01-01 10:10:01");
    check("created", "dt_now()", b"2024-02-29 12:00:00");
    refused("created", "dt_now_millis()", "ETL-112");
    refused("created", "`precise`", "ETL-112");
    check("precise", "`created`", b"2021-03-04 05:06:07.000000");
    check("day", "'2021-01-01'", b"2021-01-01");
    refused("day", "`created`", "ETL-112");
    refused("day", "'2021-02-29'", "ETL-016");
    refused("created", "`name`", "ETL-012");
    refused("created", "'0000-00-00 00:00:00'", "ETL-105");
    check("created", "`zero`", b"0000-00-00 00:00:00");
    refused("precise", "`zero`", "ETL-105");
    check("stamp", "'2038-01-19 03:14:07'", b"2038-01-19 03:14:07");
    refused("stamp", "'2038-01-19 03:14:08'", "ETL-105");
    refused("stamp", "'1970-01-01 00:00:00'", "ETL-105");
    check("clock", "'-100:00:00.25'", b"-100:00:00.250");
    refused("clock", "'900:00:00'", "ETL-016");
}

#[test]
fn nulls() {
    assert_eq!(set("name", "null"), Ok(None));
    assert_eq!(set("name", "`empty`"), Ok(None));
    refused("id", "null", "ETL-109");
    refused("needed", "`empty`", "ETL-109");
    refused("needed", "`empty` + ''", "ETL-109");
    refused("made_of", "'x'", "ETL-013");
}

/// A script that joins a text with itself over and over is stopped, before it fills the memory.
#[test]
fn values_are_bounded() {
    let double = |times: usize| {
        let step = "e_set(`big`, `big` + `big`)";
        format!("e_compose({})", vec![step; times].join(", "))
    };
    let mut table = table();
    table.columns[place("name")].name = "big".to_owned();
    table.columns[place("name")].kind = ColumnKind::Text;
    table.columns[place("name")].column_type = "longtext".to_owned();
    let program = wherry_etl::Script::parse(&double(30))
        .unwrap()
        .compile(&table, STRICT)
        .unwrap();
    let error = program
        .run_row(row().encoded(), &CONTEXT, &mut Vec::new())
        .unwrap_err();
    assert_eq!(error.reason, Reason::ValueTooLong);
}
