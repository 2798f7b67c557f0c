//! Tables of online-DDL tools at the source: left out where the task says so, and named in the precheck.

use crate::catalog::Survey;
use wherry_model::online::OnlineRole;
use wherry_model::task::SelectSpec;
use wherry_model::{CheckItem, Fault, TableName};

/// How many names one item lists.
const NAMES_MAX: usize = 20;

/// What was found, without what is not selected or what the task leaves out.
pub(super) fn selected(mut found: Survey, selection: &SelectSpec) -> Survey {
    let is_out = |name: &TableName| !selection.includes(name);
    found.tables.retain(|table| !is_out(&table.name));
    found.drafts.retain(|table| !is_out(&table.name));
    found
        .refused
        .retain(|fault| !fault.table_name().is_some_and(is_out));
    found
}

/// Says which tables look like those of an online-DDL tool; `None` where there are none.
pub(super) fn check(found: &Survey, selection: &SelectSpec) -> Option<CheckItem> {
    let tables = found.tables.iter().map(|table| &table.name);
    let names: Vec<&TableName> = tables
        .chain(found.refused.iter().filter_map(Fault::table_name))
        .filter(|name| selection.online.role(name).is_some())
        .collect();
    let is_shadow =
        |name: &&&TableName| matches!(selection.online.role(name), Some(OnlineRole::Shadow(_)));
    let under_way = names.iter().find(is_shadow);
    let id = "source-online-ddl";
    if names.is_empty() {
        return None;
    }
    let (fate, fix) = match (selection.online.carries_final_change(), under_way) {
        (true, Some(_)) => (
            "are left out",
            "Let the tool finish first: a change that began before the task cannot be made in place, so its table is loaded anew. Where the tables are your own, give other expressions under stream.online_ddl.",
        ),
        (true, None) => (
            "are left out",
            "Nothing, where they are left-overs of a tool; where they are your own, give other expressions under stream.online_ddl.",
        ),
        (false, _) => (
            "move like all others",
            "Nothing must be done; to save the way of their rows, let the tool finish or drop its left-overs first.",
        ),
    };
    let begins = if under_way.is_some() {
        "an online-DDL tool seems to be under way: "
    } else {
        ""
    };
    Some(CheckItem::warn(
        id,
        format!(
            "{begins}tables with the names of such tools {fate}: {}",
            listed(&names)
        ),
        fix,
    ))
}

fn listed(names: &[&TableName]) -> String {
    let shown: Vec<String> = names
        .iter()
        .take(NAMES_MAX)
        .map(ToString::to_string)
        .collect();
    let more = names.len() - shown.len();
    let end = if more > 0 {
        format!(" and {more} more")
    } else {
        String::new()
    };
    format!("{}{end}", shown.join(", "))
}
