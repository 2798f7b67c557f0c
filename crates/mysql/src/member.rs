//! ENUM and SET: when a value is its label, and when it is its number.
//!
//! A server prints labels. That is not enough where two values are printed alike, since an empty label looks like
//! the value without any label, nor where the catalog's label has other bytes than the value. There the
//! canonical form is the number: an ENUM's ordinal, a SET's bits. Must not know statements; read on in `literal`.

use wherry_model::{Column, ColumnKind};

/// Bytes that servers look at when they take a text for the number of an ENUM's label.
const NUMBER_BYTES_MAX: usize = 5;

/// True where the canonical form of this column's values is their number.
pub(crate) fn travels_by_number(column: &Column) -> bool {
    let (ColumnKind::Enum { labels } | ColumnKind::Set { labels }) = &column.kind else {
        return false;
    };
    let charset = column.charset.as_deref();
    labels
        .iter()
        .any(|label| label.is_empty() || !has_bytes_of_value(charset, label))
}

/// True where a value of this character set has the bytes that its label has in the catalog.
fn has_bytes_of_value(charset: Option<&str>, label: &str) -> bool {
    match charset.unwrap_or("binary") {
        "utf8" | "utf8mb3" | "utf8mb4" => true,
        "ucs2" | "utf16" | "utf16le" | "utf32" | "swe7" => false,
        _ => label.is_ascii(),
    }
}

/// The ordinal of an ENUM's canonical value; 0 for the value without a label.
pub(crate) fn enum_number(labels: &[String], value: &[u8]) -> u64 {
    let index = labels.iter().position(|label| label.as_bytes() == value);
    index.map_or(0, |index| index as u64 + 1)
}

/// The bits of a SET's canonical value: bit n for label n.
pub(crate) fn set_number(labels: &[String], value: &[u8]) -> u64 {
    if value.is_empty() {
        return 0;
    }
    value
        .split(|&byte| byte == b',')
        .filter_map(|member| labels.iter().position(|label| label.as_bytes() == member))
        .fold(0, |number, bit| number | 1 << bit)
}

/// The text, in the column's character set, that a strict server stores as the ENUM value without a label: the
/// number 0 would be refused, a text of zeros is not (seen on 9.7.4 and 5.6.24; MariaDB 10.11 refuses that,
/// too). `None` where every such text could be a label.
pub(crate) fn text_without_label(column: &Column, labels: &[String]) -> Option<Vec<u8>> {
    let zero: &[u8] = match column.charset.as_deref() {
        Some("ucs2" | "utf16") => &[0, b'0'],
        Some("utf16le") => &[b'0', 0],
        Some("utf32") => &[0, 0, 0, b'0'],
        _ => b"0",
    };
    (1..=NUMBER_BYTES_MAX / zero.len())
        .find(|&digits| !labels.iter().any(|label| may_be_digits(label, digits)))
        .map(|digits| zero.repeat(digits))
}

/// Collations take digits of other scripts for the same, and pass over spaces and signs.
fn may_be_digits(label: &str, count: usize) -> bool {
    let digits = label.chars().filter(|letter| letter.is_numeric()).count();
    digits == count && !label.chars().any(char::is_alphabetic)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn column(labels: &[&str], charset: &str) -> Column {
        Column {
            name: "c".to_owned(),
            kind: ColumnKind::Enum {
                labels: labels.iter().map(|&label| label.to_owned()).collect(),
            },
            column_type: String::new(),
            nullable: true,
            charset: Some(charset.to_owned()),
            collation: None,
            generated: false,
            auto_increment: false,
            in_target: None,
        }
    }

    fn check(labels: &[&str], charset: &str, by_number: bool, zero: Option<&[u8]>) {
        let column = column(labels, charset);
        assert_eq!(travels_by_number(&column), by_number, "{labels:?}");
        let ColumnKind::Enum { labels } = &column.kind else {
            return;
        };
        let found = text_without_label(&column, labels);
        assert_eq!(found.as_deref(), zero, "{labels:?}");
    }

    #[test]
    fn labels_that_say_less_than_the_value_become_numbers() {
        check(&["a", "é", "日"], "utf8mb4", false, Some(b"0"));
        check(&["a", "b"], "gbk", false, Some(b"0"));
        check(&["a", "é"], "latin1", true, Some(b"0"));
        check(&["a", ""], "utf8mb4", true, Some(b"0"));
        check(&["a"], "ucs2", true, Some(&[0, b'0']));
        check(&["a"], "utf32", true, Some(&[0, 0, 0, b'0']));
    }

    #[test]
    fn no_label_is_taken_for_the_value_without_one() {
        check(&["0", "0 0"], "utf8mb4", false, Some(b"000"));
        check(&["0", "x00"], "utf8mb4", false, Some(b"00"));
        check(&["１"], "utf8mb4", false, Some(b"00"));
        check(&["1", "22", "333", "4444", "55555"], "utf8mb4", false, None);
        check(&["0"], "utf32", true, None);
    }

    #[test]
    fn numbers_are_counted_as_servers_do() {
        let labels: Vec<String> = ["a", "b", "c"].map(str::to_owned).into();
        assert_eq!(enum_number(&labels, b"c"), 3);
        assert_eq!(enum_number(&labels, b""), 0);
        assert_eq!(set_number(&labels, b"a,c"), 5);
        assert_eq!(set_number(&labels, b""), 0);
    }
}
