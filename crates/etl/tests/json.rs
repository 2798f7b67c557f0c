//! Rows as JSON objects, in both directions.

use crate::fixture::{row, table};
use wherry_etl::json::{read_row, write_row};

#[test]
fn a_written_row_is_read_back() {
    let (table, row) = (table(), row());
    let text = write_row(&table, &row);
    assert!(
        text.contains(r#""amount":"12.50""#)
            && text.contains(r#""id":42"#)
            && text.contains(r#""data":"0x00ff""#),
        "{text}"
    );
    assert!(
        text.contains("\"western\":\"caf\u{e9} \u{20AC}\"") && text.contains(r#""empty":null"#),
        "{text}"
    );
    let back = read_row(&table, r#"{"id": 42, "name": "hangzhou", "amount": 12.5, "needed": "n", "data": "0x00ff",
        "created": "2021-03-04 05:06:07", "western": "é", "flag": true, "clock": "-01:02:03.5", "bits": 513}"#).unwrap();
    for (name, expected) in [
        ("id", &b"42"[..]),
        ("amount", b"12.50"),
        ("data", b"\x00\xFF"),
        ("western", b"\xE9"),
        ("flag", b"1"),
        ("clock", b"-01:02:03.500"),
        ("bits", b"\x02\x01"),
    ] {
        let index = table
            .columns
            .iter()
            .position(|column| column.name == name)
            .unwrap();
        assert_eq!(back.get(index), Some(Some(expected)), "{name}");
    }
    assert_eq!(back.values().count(), table.columns.len());
}

#[test]
fn what_is_no_row_is_refused_without_its_values() {
    for text in [
        "[]",
        "{",
        r#"{"id": 1, "needed": "x", "nope": 1}"#,
        r#"{"id": 1}"#,
        r#"{"id": "secret", "needed": "x"}"#,
        r#"{"id": 1, "needed": "secretsecretsecret"}"#,
        r#"{"id": 1, "needed": "x", "day": "2021-02-30"}"#,
    ] {
        let error = read_row(&table(), text).unwrap_err();
        assert!(
            !error.message.contains("secret") && error.hint.ends_with('.'),
            "{error:?}"
        );
    }
}
