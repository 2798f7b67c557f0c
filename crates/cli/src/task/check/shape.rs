//! What of tables moves, as far as it can be judged without a server.

use super::{Problem, additional};
use crate::wire;
use wherry_model::task::{TableRule, TaskSpec};

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
        check_script(rule, index)?;
        additional::check(rule, index)?;
    }
    Ok(())
}

/// What is wrong with a filter whatever its table is.
fn check_filter(rule: &TableRule, index: usize) -> Result<(), Problem> {
    let key = |part: &str| format!("select.tables.{index}.{part}");
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

/// Puts the scripts that stand in files into their rules.
pub(in crate::task) fn load_scripts(spec: &mut TaskSpec) -> Result<(), Problem> {
    for (index, rule) in spec.select.tables.iter_mut().enumerate() {
        let Some(etl) = &mut rule.etl else {
            continue;
        };
        let key = format!("select.tables.{index}.etl");
        if etl.script.is_some() == etl.file.is_some() {
            let message = "exactly one of `script` and `file` is needed";
            let hint =
                "Write the script under `script`, or name a file that holds it under `file`.";
            return Err(Problem::new("TRF-010", key, message, hint));
        }
        if let Some(path) = etl.file.take() {
            let text = std::fs::read_to_string(&path).map_err(|error| {
                let message = format!("could not read script `{path}`: {error}");
                let hint = "Check the path and its permissions; the file must be UTF-8 text.";
                Problem::new("TRF-007", format!("{key}.file"), message, hint)
            })?;
            etl.script = Some(text);
        }
    }
    Ok(())
}

/// What is wrong with a script whatever its table is.
fn check_script(rule: &TableRule, index: usize) -> Result<(), Problem> {
    let Some(etl) = &rule.etl else {
        return Ok(());
    };
    let key = format!("select.tables.{index}.etl");
    match etl.script.as_deref().and_then(wire::script_mistake) {
        Some(fault) => Err(Problem::new(fault.code, key, fault.message, fault.hint)),
        None => Ok(()),
    }
}
