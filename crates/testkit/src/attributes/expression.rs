//! Texts of servers in a form that does not depend on who printed them.

/// An expression without blanks, parentheses, backticks, introducers and escapes, which servers print in many ways.
pub(super) fn plain(text: &str) -> String {
    // A constant of a check in UTF-16 is printed as its bytes.
    let text = text.replace("\\0", "").replace(['\\', '\0'], "");
    let mut out = String::new();
    let letters: Vec<char> = text.chars().collect();
    let mut at = 0;
    while at < letters.len() {
        let begins = at == 0 || !(letters[at - 1].is_alphanumeric() || letters[at - 1] == '_');
        if letters[at] == '_' && begins {
            let end =
                (at + 1..letters.len()).find(|place| !letters[*place].is_ascii_alphanumeric());
            if let Some(end) = end.filter(|end| letters[*end] == '\'') {
                at = end;
                continue;
            }
        }
        if !matches!(letters[at], ' ' | '(' | ')' | '`') {
            out.extend(letters[at].to_lowercase());
        }
        at += 1;
    }
    out.replace("current_timestamp", "now")
        .replace("curdate", "now_date")
        .replace("current_date", "now_date")
        .replace("''", "'")
        .replace("!concat", "notconcat")
        .replace("lcase", "lower")
        .replace("ucase", "upper")
        .replace("mod", "%")
}

/// A type with one spelling: no display width, newer names.
pub(super) fn column_type(text: &str) -> String {
    let lower = text
        .to_lowercase()
        .replace("geometrycollection", "geomcollection");
    let kinds = ["tinyint", "smallint", "mediumint", "int", "bigint", "year"];
    let (Some(open), Some(close)) = (lower.find('('), lower.find(')')) else {
        return text.to_lowercase();
    };
    let keeps =
        lower.contains("zerofill") || lower == "tinyint(1)" || !kinds.contains(&&lower[..open]);
    if keeps {
        // Labels keep their case.
        return if lower.starts_with("enum") || lower.starts_with("set") {
            text.to_owned()
        } else {
            lower
        };
    }
    format!("{}{}", &lower[..open], &lower[close + 1..])
}

/// A character set or collation under its newer name.
pub(super) fn charset(name: &str) -> String {
    let lower = name.to_lowercase();
    match lower.as_str() {
        "utf8" => "utf8mb3".to_owned(),
        _ => lower
            .strip_prefix("utf8_")
            .map_or(lower.clone(), |rest| format!("utf8mb3_{rest}")),
    }
}

/// The value that a quoted literal stands for; `None` where it is none.
pub(super) fn unquoted(text: &str) -> Option<String> {
    let inner = text.strip_prefix('\'')?.strip_suffix('\'')?;
    let mut out = String::new();
    let mut letters = inner.chars();
    while let Some(letter) = letters.next() {
        match letter {
            '\'' => {
                letters.next();
                out.push('\'');
            }
            '\\' => match letters.next() {
                Some('n') => out.push('\n'),
                Some('0') => out.push('\0'),
                Some(other) => out.push(other),
                None => return None,
            },
            other => out.push(other),
        }
    }
    Some(out)
}

/// A number without zeros that say nothing.
pub(super) fn number(text: &str) -> Option<String> {
    let value: f64 = text.trim().parse().ok()?;
    Some(format!("{value}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spellings_meet() {
        assert_eq!(plain("((`a` + 1) > _utf8mb4\\'x\\')"), plain("a + 1 > 'x'"));
        assert_eq!(column_type("int(10) unsigned"), "int unsigned");
        assert_eq!(
            column_type("int(5) unsigned zerofill"),
            "int(5) unsigned zerofill"
        );
        assert_eq!(charset("utf8_bin"), "utf8mb3_bin");
        assert_eq!(unquoted("'it''s\\\\'").as_deref(), Some("it's\\"));
        assert_eq!(number("1.50"), number("1.5"));
    }
}
