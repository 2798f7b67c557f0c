//! Rules for columns.

use super::charset::{charset_name, says_utf8mb3};
use super::option::{collation, missing_collation};
use super::{Rules, refused};
use crate::ddl::definition::{Attribute, AttributeKind, ColumnParts};
use crate::ddl::refusal::{
    COMPRESSED_COLUMN, EXPRESSION_DEFAULT, FOREIGN_OPTION, FOREIGN_TYPE, Refusal, SEQUENCE,
    UPDATE_DECIMALS, VERSIONING, YEAR_2,
};
use wherry_model::name::quote;

/// Applies every rule to one column; true where something changed.
pub(super) fn apply(rules: &mut Rules, column: &mut ColumnParts) -> Result<bool, Refusal> {
    let before = column.clone();
    refuse_foreign(rules, column)?;
    width(rules, column);
    charset(rules, column)?;
    default(rules, column)?;
    on_update(rules, column)?;
    generated(rules, column);
    Ok(*column != before)
}

fn refuse_foreign(rules: &mut Rules, column: &mut ColumnParts) -> Result<(), Refusal> {
    let name = quote(&column.name);
    let kind = column.type_name();
    if column.column_type().eq_ignore_ascii_case("year(2)") {
        let message = format!("column {name} is YEAR(2), which keeps no century");
        return Err(refused(YEAR_2, message));
    }
    if !rules.leaves_mariadb() {
        return Ok(());
    }
    if matches!(
        kind.as_str(),
        "uuid" | "inet4" | "inet6" | "xmltype" | "row"
    ) {
        let message = format!(
            "type {} of column {name} is MariaDB's alone",
            kind.to_uppercase()
        );
        return Err(refused(FOREIGN_TYPE, message));
    }
    let mut kept = Vec::new();
    for attribute in std::mem::take(&mut column.attributes) {
        let upper = attribute.text.to_ascii_uppercase();
        if attribute.kind != AttributeKind::Other {
            kept.push(attribute);
        } else if upper.starts_with("REF_SYSTEM_ID") {
            rules.note("ref-system-id", &attribute.text, "");
        } else if upper.contains("COMPRESSED") {
            let message = format!("column {name} is compressed, which is MariaDB's alone");
            return Err(refused(COMPRESSED_COLUMN, message));
        } else if upper.contains("ROW ") || upper.starts_with("WITH") || upper == "SYSTEM" {
            return Err(refused(
                VERSIONING,
                "system versioning is MariaDB's alone".to_owned(),
            ));
        } else if upper.starts_with('`') {
            let message = format!("an option of column {name} is MariaDB's alone");
            return Err(refused(FOREIGN_OPTION, message));
        } else {
            kept.push(attribute);
        }
    }
    column.attributes = kept;
    Ok(())
}

/// MySQL dropped the display width in 8.0.19; `tinyint(1)` and ZEROFILL keep it.
fn width(rules: &mut Rules, column: &mut ColumnParts) {
    if rules.flavours.to.mariadb || rules.flavours.to.version < 80_019 {
        return;
    }
    let before = column.column_type().to_owned();
    let after = without_width(&before);
    if after != before {
        rules.note("display-width", &before, &after);
        column.attributes[0].value.clone_from(&after);
        column.attributes[0].text = after;
    }
}

/// The type without the display width that MySQL 8.0.19 and later do not show.
pub(super) fn without_width(column_type: &str) -> String {
    let lower = column_type.to_ascii_lowercase();
    let (Some(open), Some(close)) = (lower.find('('), lower.find(')')) else {
        return column_type.to_owned();
    };
    let kind = &lower[..open];
    let integer = matches!(
        kind,
        "tinyint" | "smallint" | "mediumint" | "int" | "bigint" | "year"
    );
    if !integer || lower.contains("zerofill") || lower == "tinyint(1)" {
        return column_type.to_owned();
    }
    format!("{}{}", &column_type[..open], &column_type[close + 1..])
}

fn charset(rules: &mut Rules, column: &mut ColumnParts) -> Result<(), Refusal> {
    let utf8mb3 = says_utf8mb3(rules.flavours.to);
    let charset = column.value(AttributeKind::Charset).map(str::to_owned);
    if let (Some(attribute), Some(charset)) = (column.get_mut(AttributeKind::Charset), &charset) {
        let named = charset_name(charset, utf8mb3);
        if named != *charset {
            rules.note("utf8mb3-name", charset, &named);
            *attribute = Attribute::new(AttributeKind::Charset, "CHARACTER SET", &named);
        }
    }
    if let Some(attribute) = column.get_mut(AttributeKind::Collate) {
        let name = collation(rules, &attribute.value)?;
        if name != attribute.value {
            *attribute = Attribute::new(AttributeKind::Collate, "COLLATE", &name);
        }
        return Ok(());
    }
    let Some(charset) = charset else {
        return Ok(());
    };
    if let Some(name) = missing_collation(rules, &charset)? {
        rules.note(
            "default-collation",
            &charset,
            &format!("{charset} COLLATE {name}"),
        );
        let place = column
            .attributes
            .iter()
            .position(|attribute| attribute.kind == AttributeKind::Charset)
            .map_or(1, |at| at + 1);
        let attribute = Attribute::new(AttributeKind::Collate, "COLLATE", &name);
        column.attributes.insert(place, attribute);
    }
    Ok(())
}

fn default(rules: &mut Rules, column: &mut ColumnParts) -> Result<(), Refusal> {
    let Some(value) = column.value(AttributeKind::Default).map(str::to_owned) else {
        return Ok(());
    };
    let lower = value.to_ascii_lowercase();
    if rules.leaves_mariadb()
        && ["nextval(", "lastval(", "next value"]
            .iter()
            .any(|call| lower.contains(call))
    {
        let message = format!(
            "the default of column {} uses a sequence",
            quote(&column.name)
        );
        return Err(refused(SEQUENCE, message));
    }
    let (rule, after) = match (now_fraction(&lower), literal(&lower)) {
        (Some(fraction), _) if Some(fraction) == time_fraction(column) => {
            ("current-timestamp", now(fraction))
        }
        (Some(_), _) => ("expression-default", format!("({value})")),
        (None, true) if lower != "null" && needs_expression(&column.type_name()) => {
            ("text-default", format!("({value})"))
        }
        (None, false) if !value.starts_with('(') => ("expression-default", format!("({value})")),
        (None, _) => return Ok(()),
    };
    if after.starts_with('(') && rules.flavours.to.version < 80_013 && !rules.flavours.to.mariadb {
        let message = format!(
            "the default of column {} is an expression, which the target does not have",
            quote(&column.name)
        );
        return Err(refused(EXPRESSION_DEFAULT, message));
    }
    replace_value(
        rules,
        column,
        rule,
        AttributeKind::Default,
        "DEFAULT",
        &after,
    );
    Ok(())
}

fn replace_value(
    rules: &mut Rules,
    column: &mut ColumnParts,
    rule: &'static str,
    kind: AttributeKind,
    keyword: &str,
    after: &str,
) {
    let Some(attribute) = column.get_mut(kind).filter(|found| found.value != after) else {
        return;
    };
    let new = Attribute::new(kind, keyword, after);
    rules.note(rule, &attribute.text, &new.text);
    *attribute = new;
}

fn on_update(rules: &mut Rules, column: &mut ColumnParts) -> Result<(), Refusal> {
    let Some(value) = column.value(AttributeKind::OnUpdate) else {
        return Ok(());
    };
    let Some(fraction) = now_fraction(&value.to_ascii_lowercase()) else {
        return Ok(());
    };
    if Some(fraction) != time_fraction(column) {
        let message = format!(
            "ON UPDATE of column {} has another number of decimals than the column",
            quote(&column.name)
        );
        return Err(refused(UPDATE_DECIMALS, message));
    }
    let after = now(fraction);
    replace_value(
        rules,
        column,
        "current-timestamp",
        AttributeKind::OnUpdate,
        "ON UPDATE",
        &after,
    );
    Ok(())
}

fn generated(rules: &mut Rules, column: &mut ColumnParts) {
    let Some(attribute) = column.get_mut(AttributeKind::Generated) else {
        return;
    };
    if let Some(head) = attribute.text.strip_suffix("PERSISTENT") {
        let after = format!("{head}STORED");
        rules.note("generated-persistent", &attribute.text, &after);
        attribute.text = after;
    }
}

fn now(fraction: u8) -> String {
    match fraction {
        0 => "CURRENT_TIMESTAMP".to_owned(),
        digits => format!("CURRENT_TIMESTAMP({digits})"),
    }
}

/// The decimals of `current_timestamp`, `current_timestamp()` or `current_timestamp(n)`.
fn now_fraction(lower: &str) -> Option<u8> {
    let rest = lower.strip_prefix("current_timestamp")?;
    match rest.trim_start_matches('(').trim_end_matches(')').trim() {
        "" => Some(0),
        digits => digits.parse().ok(),
    }
}

/// The decimals of a DATETIME or TIMESTAMP column.
fn time_fraction(column: &ColumnParts) -> Option<u8> {
    if !matches!(column.type_name().as_str(), "datetime" | "timestamp") {
        return None;
    }
    let digits: String = column
        .column_type()
        .chars()
        .filter(char::is_ascii_digit)
        .collect();
    Some(digits.parse().unwrap_or(0))
}

/// Types that MySQL gives no literal default.
fn needs_expression(type_name: &str) -> bool {
    type_name.ends_with("text")
        || type_name.ends_with("blob")
        || matches!(
            type_name,
            "json"
                | "geometry"
                | "point"
                | "linestring"
                | "polygon"
                | "multipoint"
                | "multilinestring"
                | "multipolygon"
                | "geometrycollection"
                | "geomcollection"
        )
}

/// A string, number, bit literal, NULL or boolean, without an operator.
fn literal(lower: &str) -> bool {
    let number = lower.trim_start_matches(['-', '+']);
    if number.starts_with(|first: char| first.is_ascii_digit() || first == '.') {
        return true;
    }
    matches!(lower, "null" | "true" | "false")
        || ["'", "b'", "x'", "n'"]
            .iter()
            .any(|mark| lower.starts_with(mark))
        || (lower.starts_with('_') && lower.ends_with('\''))
}
