//! Prints the items of a precheck.

use crate::output::{Output, line};
use serde_json::{Value, json};
use wherry_model::{CheckItem, Fault, RuleChange, Verdict};

/// Prints every item, worst last so that it stays in view, and fails where one failed.
pub fn print(mut items: Vec<CheckItem>, output: Output) -> Result<(), Fault> {
    items.sort_by_key(|item| item.verdict);
    if output == Output::Json {
        for item in &items {
            line(&item_json(item).to_string());
        }
    } else {
        line(&table(&items));
    }
    outcome(&items)
}

fn outcome(items: &[CheckItem]) -> Result<(), Fault> {
    let failed: Vec<&str> = items
        .iter()
        .filter(|item| item.verdict == Verdict::Fail)
        .map(|item| item.id)
        .collect();
    if failed.is_empty() {
        return Ok(());
    }
    Err(
        Fault::operator("CLI-050", format!("precheck failed: {}", failed.join(", ")))
            .hint("Do what the failed items say, then run the command again."),
    )
}

fn item_json(item: &CheckItem) -> Value {
    let mut value = json!({
        "type": "check",
        "id": item.id,
        "verdict": item.verdict,
        "evidence": item.evidence,
        "fix": item.fix,
    });
    if !item.changes.is_empty() {
        value["changes"] = json!(item.changes);
    }
    value
}

/// One change of a rule as a line.
pub fn change_text(change: &RuleChange) -> String {
    let after = match change.after.as_str() {
        "" => "(left out)",
        after => after,
    };
    format!(
        "{} [{}]: {} -> {after}",
        change.object, change.rule, change.before
    )
}

/// Verdict, id and evidence in columns; the fix on a line of its own, ready to be copied.
fn table(items: &[CheckItem]) -> String {
    let width = items.iter().map(|item| item.id.len()).max().unwrap_or(0);
    let mut lines = Vec::new();
    for item in items {
        lines.push(format!(
            "{:<4}  {:<width$}  {}",
            verdict_name(item.verdict),
            item.id,
            item.evidence
        ));
        if !item.fix.is_empty() {
            for fix in item.fix.lines() {
                lines.push(format!("      {:<width$}  fix: {fix}", ""));
            }
        }
        for change in &item.changes {
            lines.push(format!("      {:<width$}  {}", "", change_text(change)));
        }
    }
    let number = |verdict| items.iter().filter(|item| item.verdict == verdict).count();
    lines.push(format!(
        "{} passed, {} warned, {} failed",
        number(Verdict::Pass),
        number(Verdict::Warn),
        number(Verdict::Fail)
    ));
    lines.join("\n")
}

fn verdict_name(verdict: Verdict) -> &'static str {
    match verdict {
        Verdict::Pass => "pass",
        Verdict::Warn => "warn",
        Verdict::Fail => "FAIL",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn items() -> Vec<CheckItem> {
        vec![
            CheckItem::pass("source-version", "MySQL 8.0.36"),
            CheckItem::fail(
                "source-binlog-format",
                "binlog_format is MIXED",
                "SET PERSIST binlog_format = 'ROW';",
            ),
        ]
    }

    #[test]
    fn a_table_with_its_fix() {
        assert_eq!(
            table(&items()),
            "pass  source-version        MySQL 8.0.36\n\
             FAIL  source-binlog-format  binlog_format is MIXED\n      \
             \u{20}                     fix: SET PERSIST binlog_format = 'ROW';\n\
             1 passed, 0 warned, 1 failed"
        );
    }

    #[test]
    fn one_failed_item_fails_the_precheck() {
        let fault = outcome(&items()).expect_err("one item failed");
        assert_eq!(fault.code, "CLI-050");
        assert!(fault.message.contains("source-binlog-format"));
        assert!(outcome(&items()[..1]).is_ok());
    }

    #[test]
    fn every_change_of_a_rule_is_listed() {
        let change = RuleChange {
            object: "`s`.`t` column `a`".to_owned(),
            rule: "display-width".to_owned(),
            before: "int(11)".to_owned(),
            after: "int".to_owned(),
        };
        let item = CheckItem::pass("target-rules", "1 change").changes(vec![change]);
        let text = table(std::slice::from_ref(&item));
        assert!(
            text.contains("`s`.`t` column `a` [display-width]: int(11) -> int"),
            "{text}"
        );
        assert_eq!(item_json(&item)["changes"][0]["rule"], "display-width");
    }

    #[test]
    fn machines_get_every_field() {
        let value = item_json(&items()[1]);
        assert_eq!(value["verdict"], "fail");
        assert_eq!(value["id"], "source-binlog-format");
    }
}
