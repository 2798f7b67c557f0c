//! What of tables moves, as far as it can be judged without a server.

use super::Problem;
use wherry_model::task::TaskSpec;

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
    }
    Ok(())
}
