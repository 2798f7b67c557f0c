//! What of tables moves, as far as it can be judged without a server.

use super::Problem;
use crate::wire;
use wherry_model::task::{FilterUpdates, TableRule, TaskSpec};

/// The first rule that cannot be right.
pub(super) fn check(spec: &TaskSpec) -> Result<(), Problem> {
    for (index, rule) in spec.select.tables.iter().enumerate() {
        let wrong = |part: &str, message: &str, hint: &str| {
            let key = format!("select.tables.{index}.{part}");
            Err(Problem::new("TRF-010", key, message, hint))
        };
        if rule.columns.is_some() && rule.without.is_some() {
            let hint = "Keep `columns`, which names those that move, or `without`, which names the others.";
            return wrong("without", "`columns` and `without` stand together", hint);
        }
        if rule.columns.as_ref().is_some_and(Vec::is_empty) {
            let hint = "Name the columns that move.";
            return wrong("columns", "no column would move", hint);
        }
        if rule.filter_updates.is_some() && rule.filter.is_none() {
            let hint = "Give the rule a `filter`, or take `filter_updates` away.";
            return wrong("filter_updates", "there is no `filter` beside it", hint);
        }
        check_filter(rule, index)?;
    }
    Ok(())
}

/// What is wrong with a filter whatever its table is.
fn check_filter(rule: &TableRule, index: usize) -> Result<(), Problem> {
    let key = |part: &str| format!("select.tables.{index}.{part}");
    if rule.filter_updates == Some(FilterUpdates::PreImage) {
        return Err(Problem::new(
            "FLT-009",
            key("filter_updates"),
            "`pre-image` is not carried: rows that an update lets enter would be missing in the target, and no comparison could tell them from lost ones",
            "Use both-images, which inserts such rows; a filter over both values does the same in DTS.",
        ));
    }
    let Some(fault) = rule.filter.as_deref().and_then(wire::filter_mistake) else {
        return Ok(());
    };
    Err(Problem::new(
        fault.code,
        key("filter"),
        fault.message,
        fault.hint,
    ))
}
