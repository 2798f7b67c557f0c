//! Names that a task has given its tables must stay for as long as it lives.

use super::Inner;
use wherry_model::{Fault, NameMap, Phase, Table, TableName};

impl Inner {
    /// Refuses a task file that maps a table otherwise than the task did when it planned it.
    pub(super) async fn check_names(&self) -> Result<(), Fault> {
        let Some(task) = self.stored().await? else {
            return Ok(());
        };
        // A plan that was never begun is made anew, with these names.
        if matches!(task.phase, Phase::Precheck | Phase::Cutover | Phase::Done) {
            return Ok(());
        }
        let names = self.names.map().await?;
        let gone = |name: &TableName| !names.selects_table(name);
        let followed = task.tables.iter().filter(|state| !state.is_left());
        let mut followed = followed.map(|state| &state.table.name);
        if let Some(name) = followed.find(|name| gone(name)) {
            return Err(Fault::input(
                "SEL-015",
                format!("table {name} belongs to this task and is not selected any more"),
            )
            .hint("Take back the change of select.databases, select.include, select.exclude or stream.online_ddl, or begin a new task with another name."));
        }
        let changed = task
            .tables
            .iter()
            .find_map(|state| change(&names, &state.table));
        let Some(change) = changed else {
            return Ok(());
        };
        Err(Fault::input(
            "NAM-003",
            format!("the names of a planned table cannot change: {change}"),
        )
        .hint("Take back the change of select.mapping, select.capitalization or the table's rule, or begin a new task with another name."))
    }
}

/// The first name that is another one now.
fn change(names: &NameMap, stored: &Table) -> Option<String> {
    let mut now = stored.clone();
    names.apply(&mut now);
    let (before, after) = (stored.target_name(), now.target_name());
    if before != after {
        return Some(format!(
            "table {} was {before} and would be {after}",
            stored.name
        ));
    }
    if stored.is_merged() != now.is_merged() {
        return Some(format!(
            "table {} was not merged as it would be now",
            stored.name
        ));
    }
    if stored.shape != now.shape {
        return Some(format!(
            "other columns or rows of table {} would move",
            stored.name
        ));
    }
    let columns = stored.columns.iter().zip(&now.columns);
    columns
        .map(|(stored, now)| (&stored.name, stored.target_name(), now.target_name()))
        .find(|(_, before, after)| before != after)
        .map(|(column, before, after)| {
            format!(
                "column `{column}` of table {} was `{before}` and would be `{after}`",
                stored.name
            )
        })
}
