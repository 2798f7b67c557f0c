//! Columns that only the target has, as far as they can be judged without a server.

use super::Problem;
use crate::wire;
use wherry_model::Additional;
use wherry_model::task::TableRule;

/// Far more than anybody needs to mark rows; each is computed for every row.
const COLUMN_COUNT_MAX: usize = 16;

/// What servers allow.
const NAME_CHARACTERS_MAX: usize = 64;

pub(super) fn check(rule: &TableRule, index: usize) -> Result<(), Problem> {
    let added = rule.add.as_deref().unwrap_or_default();
    let key = format!("select.tables.{index}.add");
    if added.len() > COLUMN_COUNT_MAX {
        return Err(Problem::new(
            "ADD-001",
            key,
            format!("{} additional columns are too many", added.len()),
            format!("Give a table at most {COLUMN_COUNT_MAX}."),
        ));
    }
    for (place, column) in added.iter().enumerate() {
        let key = |part: &str| format!("{key}.{place}.{part}");
        if let Some(why) = name_mistake(column, &added[..place]) {
            return Err(Problem::new(
                "ADD-001",
                key("name"),
                format!(
                    "`{}` cannot be the name of an additional column: {why}",
                    column.name.escape_debug()
                ),
                format!(
                    "Use 1 to {NAME_CHARACTERS_MAX} letters; servers do not tell upper from lower case."
                ),
            ));
        }
        if let Some(why) = column.type_mistake() {
            return Err(Problem::new(
                "ADD-002",
                key("type"),
                format!("the type of an additional column is not taken: {why}"),
                "Write it like VARCHAR(64) NOT NULL or DATETIME; docs/task-file.md tells what may stand there.",
            ));
        }
        if let Some(fault) = wire::value_mistake(&column.value) {
            return Err(Problem::new(
                fault.code,
                key("value"),
                fault.message,
                fault.hint,
            ));
        }
    }
    Ok(())
}

fn name_mistake(column: &Additional, before: &[Additional]) -> Option<&'static str> {
    let name = &column.name;
    let mut others = before.iter();
    if name.is_empty() || name.chars().count() > NAME_CHARACTERS_MAX {
        Some("it is empty or too long")
    } else if name.ends_with(' ') || name.chars().any(char::is_control) {
        Some("it has a letter that no server takes there")
    } else if others.any(|other| other.name.to_lowercase() == name.to_lowercase()) {
        Some("another one has it")
    } else {
        None
    }
}
