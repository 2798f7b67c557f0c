//! Prints what a run would do, object by object, and which rule of the task file says so.

use crate::exit::Exit;
use crate::output::Output;
use crate::report::Failure;
use crate::task::Task;
use crate::wire;
use serde::Serialize;
use serde_json::json;
use wherry_engine::ports::Catalog;
use wherry_model::task::{ConflictPolicy, EngineRule, EtlErrors, SelectSpec};
use wherry_model::{
    Additional, Fault, NameMap, ObjectKind, Operation, Operations, SchemaObject, Table, TableName,
};

/// What was found at the source, with the names of the target.
pub struct Found {
    pub catalog: Catalog,
    pub objects: Vec<SchemaObject>,
    pub names: std::sync::Arc<NameMap>,
}

/// One table. Field names are those of `--output json`.
#[derive(Debug, Serialize)]
struct PlannedTable {
    source: String,
    target: String,
    selected_by: String,
    named_by: Option<String>,
    /// Becomes one table with others.
    merged: bool,
    columns: Vec<PlannedColumn>,
    /// Columns that do not move.
    without: Vec<String>,
    /// Columns that only the target has.
    added: Vec<Additional>,
    added_by: Option<String>,
    /// The condition under which its rows move.
    filter: Option<String>,
    /// `pre-image` where updates are judged by the row before them alone.
    #[serde(skip_serializing_if = "Option::is_none")]
    filter_updates: Option<&'static str>,
    /// The script that changes its rows.
    script: Option<String>,
    script_errors: Option<EtlErrors>,
    policy: &'static str,
    policy_by: String,
    /// Kinds of statements that are not carried.
    left_out: Vec<&'static str>,
    operations_by: String,
    engine: String,
    engine_by: String,
}

#[derive(Debug, Serialize)]
struct PlannedColumn {
    source: String,
    target: String,
    #[serde(rename = "type")]
    column_type: String,
}

/// One view, routine, trigger or event.
#[derive(Debug, Serialize)]
struct PlannedObject {
    kind: &'static str,
    source: String,
    target: String,
    /// Why it stays behind; `None` where it moves.
    left_out: Option<&'static str>,
}

/// Prints the plan; writes nothing at either end.
///
/// Errors: `PLN-001` where a table cannot be moved, behind everything else.
pub async fn print(task: &Task, output: Output) -> Result<Exit, Failure> {
    let found = wire::survey(task).await?;
    let spec = &task.spec;
    let tables = found.catalog.tables.iter();
    let tables: Vec<PlannedTable> = tables
        .map(|table| planned(table, &spec.select, &found.names))
        .collect();
    let objects: Vec<PlannedObject> = found
        .objects
        .iter()
        .map(|object| planned_object(object, task, &found.names))
        .collect();
    for table in &tables {
        output.result(&table_text(table), &tagged("plan-table", table)?);
    }
    for object in &objects {
        output.result(&object_text(object), &tagged("plan-object", object)?);
    }
    for fault in &found.catalog.refused {
        let text = format!(
            "cannot be moved [{}]: {fault}\n    next: {}",
            fault.code, fault.hint
        );
        let value = json!({"type": "plan-refused", "code": fault.code,
            "table": fault.table_name().map(plain), "message": fault.message, "hint": fault.hint});
        output.result(&text, &value);
    }
    let refused = found.catalog.refused.len();
    let from = spec.stream.from.as_ref().map(ToString::to_string);
    let counts = json!({"type": "plan", "task": task.name, "tables": tables.len(),
        "objects": objects.len(), "refused": refused,
        "phases": spec.phases.to_string(), "from": from});
    let text = format!(
        "task {}: {} tables, {} views, routines, triggers and events, {refused} refused; phases: {}{}",
        task.name,
        tables.len(),
        objects.len(),
        spec.phases,
        from.map_or_else(String::new, |from| format!(", from {from}"))
    );
    output.result(&text, &counts);
    match refused {
        0 => Ok(Exit::Done),
        _ => Err(
            Fault::operator("PLN-001", format!("{refused} tables cannot be moved"))
                .hint("Do what stands beside each, or take it out with select.exclude.")
                .into(),
        ),
    }
}

fn tagged(kind: &str, value: &impl Serialize) -> Result<serde_json::Value, Fault> {
    let mut value = serde_json::to_value(value)
        .map_err(|error| Fault::bug("PLN-090", "could not print the plan").cause(error))?;
    value["type"] = json!(kind);
    Ok(value)
}

/// `shop.orders`, or quoted where that would not be read as the same name.
fn plain(name: &TableName) -> String {
    let text = format!("{}.{}", name.database, name.table);
    match TableName::parse(&text).as_ref() == Some(name) {
        true => text,
        false => name.to_string(),
    }
}

fn planned(table: &Table, select: &SelectSpec, names: &NameMap) -> PlannedTable {
    let name = &table.name;
    let (policy, policy_by) = select.policy_by(name);
    let (operations, operations_by) = select.operations_by(name);
    let column = |column: &wherry_model::Column| PlannedColumn {
        source: column.name.clone(),
        target: column.target_name().to_owned(),
        column_type: column.column_type.clone(),
    };
    let (engine, engine_by) = engine_of(table, select);
    let stays = |column: &&wherry_model::Column| names.leaves_out(name, &column.name);
    let columns = table.source_columns().iter();
    let (staying, moving): (Vec<_>, Vec<_>) = columns.partition(stays);
    let added = table.added().to_vec();
    PlannedTable {
        source: plain(name),
        target: plain(table.target_name()),
        selected_by: select.selected_by(name).unwrap_or_default(),
        named_by: names.named_by(name),
        merged: table.is_merged(),
        columns: moving.into_iter().map(column).collect(),
        without: staying.iter().map(|column| column.name.clone()).collect(),
        added_by: select.added_by(name).filter(|_| !added.is_empty()),
        added,
        filter: table.filter().map(str::to_owned),
        filter_updates: table.leaves().entering.then_some("pre-image"),
        script: table.script().map(|script| script.text.clone()),
        script_errors: table.script().map(|script| script.errors),
        policy: match policy {
            ConflictPolicy::Fail => "fail",
            ConflictPolicy::Keep => "keep",
            ConflictPolicy::Replace => "replace",
        },
        policy_by,
        left_out: left_out(operations),
        operations_by,
        engine,
        engine_by,
    }
}

fn left_out(operations: &Operations) -> Vec<&'static str> {
    let out = |one: &Operation| !operations.carries(*one) && !one.is_of_database();
    let all = Operation::ALL.into_iter();
    all.filter(out).map(Operation::as_str).collect()
}

fn engine_of(table: &Table, select: &SelectSpec) -> (String, String) {
    let (rule, by) = select.engine_by(&table.name);
    let own = "that of the target's table, where it has one".to_owned();
    match rule {
        _ if select.phases.uses_given_tables() => (own, "phases".to_owned()),
        _ if select.policy_of(&table.name) == ConflictPolicy::Keep => {
            (own, "policy keep".to_owned())
        }
        _ if select.adopts(&table.name).is_some() => (own, "policy replace".to_owned()),
        EngineRule::XEngine => ("xengine".to_owned(), by),
        EngineRule::Keep => (table.engine.clone(), by),
        EngineRule::Innodb if table.is_transactional() => (table.engine.clone(), by),
        EngineRule::Innodb => ("innodb".to_owned(), by),
    }
}

fn planned_object(object: &SchemaObject, task: &Task, names: &NameMap) -> PlannedObject {
    let name = &object.name;
    let own = |table: &str| names.table(&TableName::new(name.database.as_str(), table));
    let target = match (&object.trigger, name.kind) {
        (Some(place), _) => TableName::new(own(&place.table).database, name.name.as_str()),
        (None, ObjectKind::View) => own(&name.name),
        (None, _) => TableName::new(names.database(&name.database), name.name.as_str()),
    };
    let operation = Operation::of_object(name.kind);
    let by_kind = operation.is_some_and(|it| !task.spec.select.carries_in(it, &name.database));
    PlannedObject {
        kind: name.kind.as_str(),
        source: plain(&TableName::new(name.database.as_str(), name.name.as_str())),
        target: plain(&target),
        left_out: match task.spec.schema.leaves_out(name) {
            true if !task.spec.phases.schema => Some("phases"),
            true if by_kind => Some("operations"),
            true => Some("schema"),
            false => None,
        },
    }
}

fn table_text(table: &PlannedTable) -> String {
    let mut lines = vec![arrow(&table.source, &table.target)];
    let named = table.named_by.as_ref();
    lines.push(format!(
        "    selected by {}{}{}",
        table.selected_by,
        named.map_or_else(String::new, |rule| format!(", named by {rule}")),
        match table.merged {
            true => ", one table with others (select.merge)",
            false => "",
        }
    ));
    let columns = table.columns.iter();
    let columns: Vec<String> = columns.map(|it| arrow(&it.source, &it.target)).collect();
    lines.push(format!("    columns: {}", columns.join(", ")));
    if !table.without.is_empty() {
        lines.push(format!("    without: {}", table.without.join(", ")));
    }
    if let Some(rule) = &table.added_by {
        let added = table.added.iter();
        let added: Vec<String> = added
            .map(|it| format!("{} {} = {}", it.name, it.column_type, it.value))
            .collect();
        lines.push(format!("    added: {} ({rule})", added.join("; ")));
    }
    if let Some(filter) = &table.filter {
        let updates = table.filter_updates.map(|image| format!(" ({image})"));
        lines.push(format!(
            "    filter: {filter}{}",
            updates.unwrap_or_default()
        ));
    }
    if let Some(script) = &table.script {
        let words: Vec<&str> = script.split_whitespace().collect();
        lines.push(format!("    script: {}", words.join(" ")));
    }
    let operations = match table.left_out.as_slice() {
        [] => "all".to_owned(),
        some => format!("all but {}", some.join(", ")),
    };
    lines.push(format!(
        "    operations: {operations} ({})",
        table.operations_by
    ));
    lines.push(format!(
        "    policy: {} ({})",
        table.policy, table.policy_by
    ));
    lines.push(format!(
        "    engine: {} ({})",
        table.engine, table.engine_by
    ));
    lines.join("\n")
}

fn object_text(object: &PlannedObject) -> String {
    let place = arrow(&object.source, &object.target);
    match object.left_out {
        None => format!("{} {place}", object.kind),
        Some(why) => format!("{} {} stays behind ({why})", object.kind, object.source),
    }
}

fn arrow(source: &str, target: &str) -> String {
    match source == target {
        true => source.to_owned(),
        false => format!("{source} -> {target}"),
    }
}
