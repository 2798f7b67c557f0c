//! Rules of `select.mapping`, as far as they can be judged without a server.

use super::{Problem, is_system};
use wherry_model::names::problem_of;
use wherry_model::task::TaskSpec;
use wherry_model::{NameMap, TableName};

/// The first rule that cannot be right.
pub(super) fn check(spec: &TaskSpec) -> Result<(), Problem> {
    let mapping = &spec.select.mapping;
    if let Err(rule) = NameMap::new(&spec.select, false) {
        let message = format!(
            "`{}` is not the name of a table or column",
            rule.escape_debug()
        );
        return Err(wrong(
            "",
            message,
            "Write tables like shop.orders and columns like shop.orders.note; a name with a point stands in backticks.",
        ));
    }
    for (from, to) in &mapping.databases {
        check_selected(spec, "databases", from, from)?;
        check_database(spec, "databases", to)?;
    }
    for (from, to) in &mapping.tables {
        let (Some(source), Some(target)) = (TableName::parse(from), TableName::parse(to)) else {
            continue;
        };
        check_selected(spec, "tables", from, &source.database)?;
        check_database(spec, "tables", &target.database)?;
        check_name("tables", &target.table)?;
    }
    for (from, to) in &mapping.columns {
        let Some((table, _)) = TableName::parse_column(from) else {
            continue;
        };
        check_selected(spec, "columns", from, &table.database)?;
        check_name("columns", to)?;
    }
    Ok(())
}

fn wrong(part: &str, message: String, hint: &str) -> Problem {
    let key = format!("select.mapping.{part}");
    Problem::new("NAM-004", key.trim_end_matches('.'), message, hint)
}

fn check_selected(spec: &TaskSpec, part: &str, rule: &str, database: &str) -> Result<(), Problem> {
    if spec.select.includes_database(database) {
        return Ok(());
    }
    let rule = rule.escape_debug();
    Err(wrong(
        part,
        format!("the rule for `{rule}` is about a database that is not selected"),
        "Add the database to select.databases, or remove the rule.",
    ))
}

fn check_database(spec: &TaskSpec, part: &str, name: &str) -> Result<(), Problem> {
    let state = &spec.state.database;
    let own = [state.clone(), format!("{state}_shadow")];
    if is_system(name) || own.iter().any(|own| own.eq_ignore_ascii_case(name)) {
        let shown = name.escape_debug();
        return Err(wrong(
            part,
            format!("database `{shown}` of the target belongs to the server or to Wherry itself"),
            "Choose another name.",
        ));
    }
    check_name(part, name)
}

fn check_name(part: &str, name: &str) -> Result<(), Problem> {
    let Some(problem) = problem_of(name) else {
        return Ok(());
    };
    let shown = name.escape_debug();
    Err(wrong(
        part,
        format!("the name `{shown}` {problem}"),
        "Choose another name.",
    ))
}
