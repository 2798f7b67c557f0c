//! Prints what a comparison found.

use crate::figures::{bytes, count, number, seconds};
use crate::output::{Output, line};
use crate::picture::tables;
use crate::wire::{Report, ReportRow, ReportTable};
use serde_json::{Value, json};

/// Differing rows that the text shows at most; JSON has every one that the report holds.
const ROWS_SHOWN_MAX: usize = 50;

/// Prints the report; true where both sides were equal and everything was settled.
pub fn print(report: &Report, output: Output) -> bool {
    if output == Output::Json {
        line(&report_json(report).to_string());
    } else {
        line(&text(report));
    }
    is_clean(report)
}

/// A report is clean only when rows were compared and nothing differed or stayed open.
pub fn is_clean(report: &Report) -> bool {
    report.mismatches.is_empty()
        && report.mismatch_count == 0
        && report.unsettled.is_empty()
        && report.unsettled_count == 0
        && report.schema_differences.is_empty()
        && report.left_out.is_empty()
}

fn report_json(report: &Report) -> Value {
    let mut value = serde_json::to_value(report).unwrap_or_else(|_| json!({}));
    value["type"] = json!("verify");
    value["equal"] = json!(is_clean(report));
    value
}

fn text(report: &Report) -> String {
    let mut lines = vec![format!(
        "compared {}: {}, {} in {}, in {}",
        tables(report.tables.len() as u64),
        number(
            report.tables.iter().map(|table| table.rows).sum(),
            "row",
            "rows"
        ),
        bytes(report.tables.iter().map(|table| table.bytes).sum()),
        number(
            report.tables.iter().map(|table| table.ranges).sum(),
            "range",
            "ranges"
        ),
        seconds(report.seconds),
    )];
    for difference in &report.schema_differences {
        lines.push(format!("  definition differs: {difference}"));
    }
    for explained in &report.schema_explained {
        lines.push(format!("  definition differs by rule: {explained}"));
    }
    if !report.rule_changes.is_empty() {
        let number = report.rule_changes.len() as u64;
        lines.push(format!(
            "  {} of definitions by rules: `wherry status --all` lists them",
            crate::figures::number(number, "change", "changes")
        ));
    }
    for table in report.tables.iter().filter(|table| explained(table) > 0) {
        lines.push(explained_text(table));
    }
    for table in report.tables.iter().filter(|table| table.skipped > 0) {
        lines.push(format!(
            "  {}: {} of the source left out, since the script cannot change them",
            table.table,
            number(table.skipped, "row", "rows")
        ));
    }
    for table in &report.tables {
        if !table.not_compared.is_empty() {
            lines.push(format!(
                "  {}: not compared, since their values depend on when or how a row came: {}",
                table.table,
                table.not_compared.join(", ")
            ));
        }
    }
    push_rows(&mut lines, &report.mismatches, report.mismatch_count);
    push_rows(&mut lines, &report.unsettled, report.unsettled_count);
    for left in &report.left {
        lines.push(format!("  not followed {}: {}", left.table, left.reason));
    }
    for left_out in &report.left_out {
        lines.push(format!(
            "  left out {}: {}",
            left_out.table, left_out.reason
        ));
    }
    lines.push(verdict(report));
    lines.join("\n")
}

/// Rows that differ as a key of the task file wants it.
fn explained(table: &ReportTable) -> u64 {
    table.kept + table.missing + table.different
}

fn explained_text(table: &ReportTable) -> String {
    let name = &table.table;
    if !table.apart {
        let rows = number(table.kept, "row", "rows");
        return format!("  {name}: {rows} of the target's own, kept by the policy");
    }
    let parts = [
        (table.kept, "only in the target"),
        (table.missing, "only in the source"),
        (table.different, "with other values"),
    ];
    let parts = parts.into_iter().filter(|(count, _)| *count > 0);
    let parts: Vec<String> = parts
        .map(|(count, what)| format!("{} {what}", number(count, "row", "rows")))
        .collect();
    format!(
        "  {name}: {}, since the task leaves out what made them so",
        parts.join(", ")
    )
}

fn push_rows(lines: &mut Vec<String>, rows: &[ReportRow], total: u64) {
    for row in rows.iter().take(ROWS_SHOWN_MAX) {
        lines.push(format!("  {}", row_text(row)));
    }
    let shown = rows.len().min(ROWS_SHOWN_MAX) as u64;
    if total > shown {
        lines.push(format!("  and {} more", count(total - shown)));
    }
}

fn row_text(row: &ReportRow) -> String {
    let what = match row.kind.as_str() {
        "missing" => "missing in the target",
        "extra" => "only in the target",
        "different" => "different",
        "multiset" => "other rows, or another number of the same rows",
        other => other,
    };
    let mut text = match row.key.as_str() {
        "" => format!("{}: {what}", row.table),
        key => format!("{} key ({key}): {what}", row.table),
    };
    if !row.columns.is_empty() {
        text.push_str(&format!(" in {}", row.columns.join(", ")));
    }
    if let Some(detail) = &row.detail {
        text.push_str(&format!(" ({detail})"));
    }
    text
}

fn verdict(report: &Report) -> String {
    let rows: u64 = report.tables.iter().map(explained).sum();
    if is_clean(report) && rows > 0 {
        return format!(
            "equal but for {} that {} left as the target had them",
            number(rows, "row", "rows"),
            explained_by(report)
        );
    }
    let timed: u64 = report
        .tables
        .iter()
        .map(|table| table.not_compared.len() as u64)
        .sum();
    if is_clean(report) && timed > 0 {
        return format!(
            "equal but for {} that cannot be compared",
            number(timed, "column", "columns")
        );
    }
    let skipped: u64 = report.tables.iter().map(|table| table.skipped).sum();
    if is_clean(report) && skipped > 0 {
        return format!(
            "equal but for {} that `errors: skip` leaves out",
            number(skipped, "row", "rows")
        );
    }
    if is_clean(report) {
        return "equal: every row compared is the same on both sides".to_owned();
    }
    let mut parts = Vec::new();
    let numbers = [
        (report.mismatch_count, "differing row", "differing rows"),
        (report.unsettled_count, "unsettled key", "unsettled keys"),
        (
            report.schema_differences.len() as u64,
            "differing definition",
            "differing definitions",
        ),
        (
            report.left_out.len() as u64,
            "table left out",
            "tables left out",
        ),
    ];
    for (value, one, many) in numbers.into_iter().filter(|(value, ..)| *value > 0) {
        parts.push(number(value, one, many));
    }
    format!("NOT equal: {}", parts.join(", "))
}

/// Which keys of the task file explain rows that are not equal.
fn explained_by(report: &Report) -> &'static str {
    let explained = report.tables.iter().filter(|table| explained(table) > 0);
    let (apart, policy): (Vec<_>, Vec<_>) = explained.partition(|table| table.apart);
    match (apart.is_empty(), policy.is_empty()) {
        (false, true) => "`operations` or `filter_updates`",
        (false, false) => "the policy `keep` and `operations` or `filter_updates`",
        (true, _) => "the policy `keep`",
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::ReportLeftOut;

    fn clean() -> Report {
        Report {
            tables: vec![ReportTable {
                table: "`s`.`a`".to_owned(),
                ranges: 3,
                rows: 1500,
                bytes: 2048,
                kept: 0,
                missing: 0,
                different: 0,
                skipped: 0,
                apart: false,
                not_compared: Vec::new(),
            }],
            seconds: 2,
            ..Report::default()
        }
    }

    fn row(kind: &str, columns: &[&str]) -> ReportRow {
        ReportRow {
            table: "`s`.`a`".to_owned(),
            key: "7".to_owned(),
            kind: kind.to_owned(),
            columns: columns.iter().map(|name| (*name).to_owned()).collect(),
            detail: None,
        }
    }

    #[test]
    fn a_clean_report_says_how_much_was_compared() {
        assert_eq!(
            text(&clean()),
            "compared 1 table: 1,500 rows, 2.0 KiB in 3 ranges, in 2 s\n\
             equal: every row compared is the same on both sides"
        );
        assert!(is_clean(&clean()));
    }

    #[test]
    fn kept_rows_are_told() {
        let mut report = clean();
        report.tables[0].kept = 2;
        let text = text(&report);
        assert!(text.contains("`s`.`a`: 2 rows of the target's own, kept by the policy"));
        assert!(
            text.ends_with(
                "equal but for 2 rows that the policy `keep` left as the target had them"
            )
        );
        assert!(is_clean(&report));
        report.tables[0].apart = true;
        report.tables[0].missing = 1;
        let text = super::text(&report);
        assert!(text.contains("2 rows only in the target, 1 row only in the source, since"));
        assert!(
            text.ends_with(
                "3 rows that `operations` or `filter_updates` left as the target had them"
            )
        );
    }

    #[test]
    fn rows_that_the_script_skips_are_told() {
        let mut report = clean();
        report.tables[0].skipped = 1;
        let text = text(&report);
        assert!(text.contains(
            "`s`.`a`: 1 row of the source left out, since the script cannot change them"
        ));
        assert!(text.ends_with("equal but for 1 row that `errors: skip` leaves out"));
        assert!(is_clean(&report));
    }

    #[test]
    fn columns_that_were_not_compared_are_told() {
        let mut report = clean();
        report.tables[0].not_compared = vec!["imported".to_owned()];
        let text = text(&report);
        assert!(text.contains(
            "`s`.`a`: not compared, since their values depend on when or how a row came: imported"
        ));
        assert!(text.ends_with("equal but for 1 column that cannot be compared"));
        assert!(is_clean(&report));
    }

    #[test]
    fn differences_name_table_key_and_columns() {
        let mut report = clean();
        report.mismatches = vec![row("different", &["price", "note"]), row("missing", &[])];
        report.mismatch_count = 5;
        let text = text(&report);
        assert!(text.contains("`s`.`a` key (7): different in price, note"));
        assert!(text.contains("`s`.`a` key (7): missing in the target"));
        assert!(text.contains("and 3 more"));
        assert!(text.ends_with("NOT equal: 5 differing rows"));
        assert!(!is_clean(&report));
    }

    #[test]
    fn what_was_left_out_is_not_equal() {
        let mut report = clean();
        report.left_out = vec![ReportLeftOut {
            table: "`s`.`b`".to_owned(),
            reason: "stopped".to_owned(),
        }];
        assert!(!is_clean(&report));
        assert!(text(&report).contains("left out `s`.`b`: stopped"));
    }

    #[test]
    fn machines_read_equal() {
        let value = report_json(&clean());
        assert_eq!(value["type"], "verify");
        assert_eq!(value["equal"], true);
        assert_eq!(value["tables"][0]["rows"], 1500);
    }
}
