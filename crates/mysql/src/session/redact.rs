//! Takes row values out of the texts of a server.

/// Errors whose quoted parts are all names of objects, accounts or variables.
const NAMES_ONLY: &[u16] = &[
    1005, 1006, 1007, 1008, 1044, 1045, 1046, 1048, 1049, 1050, 1051, 1054, 1059, 1060, 1061, 1063,
    1067, 1068, 1069, 1070, 1071, 1072, 1073, 1074, 1075, 1091, 1096, 1101, 1103, 1109, 1110, 1114,
    1115, 1129, 1130, 1132, 1133, 1138, 1141, 1142, 1143, 1146, 1147, 1161, 1171, 1193, 1205, 1213,
    1217, 1227, 1238, 1251, 1273, 1286, 1290, 1364, 1370, 1419, 1451, 1452, 1524, 1698, 1815, 1820,
    1822, 1824, 1825, 1826, 1827, 1828, 1830, 1831, 1832, 1833, 1834, 1836, 1862, 1901, 3108, 3118,
    3159, 3730, 3734, 3780, 3819, 3822, 3948, 3959, 4031,
];

/// A quoted part behind one of these words is a name.
const NAME_WORDS: &[&str] = &[
    "column",
    "key",
    "table",
    "database",
    "user",
    "function",
    "procedure",
    "constraint",
    "index",
    "variable",
    "engine",
    "plugin",
    "privilege",
    "collation",
    "set",
];

/// Where the names begin again behind a value, which may itself hold quotes.
const TAILS: &[&str] = &[
    "' for key '",
    "' for column '",
    "' for column `",
    "' for function ",
    "\" at position ",
];

/// Replaces what may be a row's value by dots; names of columns, keys and tables stay.
pub(super) fn redact(code: u16, message: &str) -> String {
    if NAMES_ONLY.contains(&code) {
        return message.to_owned();
    }
    // "Table has no partition for value 42" quotes nothing.
    if let Some((before, _)) = message.split_once("for value ") {
        return format!("{before}for value ..");
    }
    let Some(begin) = first_value(message) else {
        return message.to_owned();
    };
    let end = value_end(message, begin);
    format!("{}'..'{}", &message[..begin], &message[end..])
}

/// Place of the first quote that does not open a name.
fn first_value(message: &str) -> Option<usize> {
    let mut from = 0;
    while let Some(found) = message[from..].find(['\'', '"']) {
        let place = from + found;
        let word = message[..place].trim_end().rsplit(' ').next().unwrap_or("");
        let after_at = message[..place].ends_with('@');
        let is_name = NAME_WORDS
            .iter()
            .any(|name| word.eq_ignore_ascii_case(name));
        if !is_name && !after_at {
            return Some(place);
        }
        let quote = &message[place..=place];
        from = place + 1 + message[place + 1..].find(quote)? + 1;
    }
    None
}

/// Place behind the closing quote of the value that begins at `begin`.
fn value_end(message: &str, begin: usize) -> usize {
    let rest = &message[begin..];
    let tail = TAILS.iter().filter_map(|tail| rest.rfind(tail)).max();
    match tail {
        Some(found) => begin + found + 1,
        None => match rest.rfind(['\'', '"']) {
            Some(close) if close > 0 => begin + close + 1,
            _ => message.len(),
        },
    }
}

#[cfg(test)]
mod tests {
    use super::redact;

    fn check(code: u16, message: &str, expected: &str) {
        assert_eq!(redact(code, message), expected);
    }

    #[test]
    fn values_go_and_names_stay() {
        check(
            1062,
            "Duplicate entry 'anna@x' for key 'users.mail'",
            "Duplicate entry '..' for key 'users.mail'",
        );
        check(
            1366,
            "Incorrect integer value: 'abc' for column 'qty' at row 7",
            "Incorrect integer value: '..' for column 'qty' at row 7",
        );
        check(
            1366,
            "Incorrect string value: '\\xF0\\x9F' for column `shop`.`t`.`c` at row 1",
            "Incorrect string value: '..' for column `shop`.`t`.`c` at row 1",
        );
        check(
            1292,
            "Truncated incorrect DOUBLE value: '12 secret'",
            "Truncated incorrect DOUBLE value: '..'",
        );
        check(
            1292,
            "Incorrect datetime value: '2020-13-01' for column 'd' at row 1",
            "Incorrect datetime value: '..' for column 'd' at row 1",
        );
        check(
            1406,
            "Data too long for column 'name' at row 1",
            "Data too long for column 'name' at row 1",
        );
        check(
            1264,
            "Out of range value for column 'qty' at row 1",
            "Out of range value for column 'qty' at row 1",
        );
        check(
            1526,
            "Table has no partition for value 4711",
            "Table has no partition for value ..",
        );
        check(
            1690,
            "BIGINT value is out of range in '(5 - 9)'",
            "BIGINT value is out of range in '..'",
        );
    }

    #[test]
    fn quotes_inside_a_value_hide_nothing() {
        check(
            1062,
            "Duplicate entry 'it's' for key 'x' 99' for key 'PRIMARY'",
            "Duplicate entry '..' for key 'PRIMARY'",
        );
        check(
            1064,
            "You have an error in your SQL syntax; check the manual for the right syntax to use near 'VALUES ('it's')' at line 1",
            "You have an error in your SQL syntax; check the manual for the right syntax to use near '..' at line 1",
        );
        check(
            3140,
            "Invalid JSON text: \"Missing a name\" at position 1 in value for column 't.j'.",
            "Invalid JSON text: '..' at position 1 in value for column 't.j'.",
        );
        check(9999, "odd value 'x' and 'y'", "odd value '..'");
        check(9999, "odd value 'open", "odd value '..'");
    }

    #[test]
    fn errors_about_names_stay_whole() {
        check(
            1045,
            "Access denied for user 'a'@'b' (using password: YES)",
            "Access denied for user 'a'@'b' (using password: YES)",
        );
        check(
            1146,
            "Table 'shop.orders' doesn't exist",
            "Table 'shop.orders' doesn't exist",
        );
        check(
            1054,
            "Unknown column 'x' in 'field list'",
            "Unknown column 'x' in 'field list'",
        );
    }
}
