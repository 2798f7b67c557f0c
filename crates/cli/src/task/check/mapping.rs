//! Rules of `select.mapping`, as far as they can be judged without a server.

use super::Problem;
use super::select::bad_expression;
use wherry_model::names::{MappingFault, MappingProblem, problem_of};
use wherry_model::pattern::{Pattern, TablePattern};
use wherry_model::select::is_system_database;
use wherry_model::task::TaskSpec;
use wherry_model::{NameMap, TableName};

/// The first rule that cannot be right.
pub(super) fn check(spec: &TaskSpec) -> Result<(), Problem> {
    let mapping = &spec.select.mapping;
    if let Err(problem) = NameMap::new(&spec.select, false) {
        return Err(unreadable(problem));
    }
    for (from, to) in mapping.databases.iter() {
        let pattern = Pattern::alone(from).ok();
        check_selected(spec, "databases", from, pattern.as_ref())?;
        check_database(spec, "databases", to)?;
    }
    for (from, to) in mapping.tables.iter() {
        let (Ok(source), Some(target)) = (TablePattern::parse(from), TableName::parse(to)) else {
            continue;
        };
        check_selected(spec, "tables", from, Some(&source.database))?;
        check_database(spec, "tables", &target.database)?;
        check_name("tables", &target.table)?;
    }
    for (from, to) in mapping.columns.iter() {
        let Ok((table, _)) = TablePattern::parse_column(from) else {
            continue;
        };
        check_selected(spec, "columns", from, Some(&table.database))?;
        check_name("columns", to)?;
    }
    Ok(())
}

fn unreadable(problem: MappingProblem) -> Problem {
    let MappingProblem { part, rule, why } = problem;
    let key = format!("select.mapping.{part}");
    let shown = rule.escape_debug().to_string();
    match why {
        MappingFault::Form(text) => wrong(
            part,
            format!(
                "`{}` is not the name of a table or column",
                text.escape_debug()
            ),
            "Write tables like shop.orders and columns like shop.orders.note; a name with a point stands in backticks.",
        ),
        MappingFault::Expression(reason) => bad_expression(&key, &rule, &reason),
        MappingFault::Group { wanted, count } => Problem::new(
            "SEL-005",
            key,
            format!(
                "the rule for `{shown}` takes group {{{wanted}}}, and its left side has {count}"
            ),
            "Put what is wanted in round brackets in the regular expression, or write `*`; groups are counted from 1, through all parts.",
        ),
        MappingFault::GroupOfTable(group) => Problem::new(
            "SEL-006",
            key,
            format!(
                "the rule for `{shown}` takes group {{{group}}} of the table in the name of the database"
            ),
            "Name the database with groups of the source's database alone: which databases there are must be known before their tables.",
        ),
    }
}

fn wrong(part: &str, message: String, hint: &str) -> Problem {
    let key = format!("select.mapping.{part}");
    Problem::new("NAM-004", key.trim_end_matches('.'), message, hint)
}

/// Which databases a pattern means is known at run time.
fn check_selected(
    spec: &TaskSpec,
    part: &str,
    rule: &str,
    database: Option<&Pattern>,
) -> Result<(), Problem> {
    let name = database.and_then(Pattern::exact);
    if name.is_none_or(|name| spec.select.includes_database(name)) {
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
    if is_system_database(name) || own.iter().any(|own| own.eq_ignore_ascii_case(name)) {
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
