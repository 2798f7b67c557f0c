//! Checks an ETL script, and tries it on one row, before a task uses it.

use crate::args::{EtlArgs, EtlCommand, EtlTryArgs, StopArgs};
use crate::exit::Exit;
use crate::output::Output;
use crate::report::Failure;
use crate::task::Task;
use crate::taskfile::TaskFileError;
use crate::wire;
use serde_json::{Map, Value, json};
use std::path::Path;
use std::time::{SystemTime, UNIX_EPOCH};
use wherry_etl::{Context, ErrorPolicy, Images, Options, Program, RowOutcome, Script, Span};
use wherry_model::{Column, ColumnKind, Fault, Row, Table, TableName};

/// What a script is checked with: what cannot be computed is an error.
const STRICT: Options = Options {
    errors: ErrorPolicy::Fail,
    images: Images::Both,
};

pub async fn run(command: &EtlCommand, output: Output) -> Result<Exit, Failure> {
    match command {
        EtlCommand::Check(args) => check(args, output).await,
        EtlCommand::Try(args) => attempt(args, output).await,
    }
}

async fn check(args: &EtlArgs, output: Output) -> Result<Exit, Failure> {
    let text = read(&args.script)?;
    let script = parse(args, &text)?;
    let Some(table) = table_of(args).await? else {
        let said = "the script can be read; with --table and a task file it is checked against a table too";
        output.result(said, &json!({"type": "etl-check", "table": null}));
        return Ok(Exit::Done);
    };
    let program = compile(args, &text, &script, &table)?;
    let assigned: Vec<&str> = program
        .assigned_columns()
        .filter_map(|index| table.columns.get(index))
        .map(|column| column.name.as_str())
        .collect();
    let name = table.name.to_string();
    let said = match program.is_empty() {
        true => format!("the script does nothing for table {name}"),
        false => format!(
            "the script suits table {name}; it assigns {}{}",
            listed(&assigned),
            if program.may_drop() {
                ", and may leave rows out"
            } else {
                ""
            }
        ),
    };
    let value = json!({"type": "etl-check", "table": name, "empty": program.is_empty(),
        "assigns": assigned, "may_drop": program.may_drop(), "row_function": program.is_row_function()});
    output.result(&said, &value);
    Ok(Exit::Done)
}

fn listed(names: &[&str]) -> String {
    match names {
        [] => "no column".to_owned(),
        names => names.join(", "),
    }
}

async fn attempt(args: &EtlTryArgs, output: Output) -> Result<Exit, Failure> {
    let text = read(&args.etl.script)?;
    let script = parse(&args.etl, &text)?;
    let table = table_of(&args.etl).await?.ok_or_else(|| {
        Fault::input("PLN-010", "no table was named to try the script on")
            .hint("Give --table shop.orders and a task file, whose source has the table.")
    })?;
    let program = compile(&args.etl, &text, &script, &table)?;
    let row = wire::filled(&table, &row_of(&table, &args.row)?)?;
    let now = SystemTime::now().duration_since(UNIX_EPOCH);
    let now = now.map_or(0, |since| {
        i64::try_from(since.as_micros()).unwrap_or(i64::MAX)
    });
    let context = Context {
        commit_micros: now,
        now_micros: now,
        position: "",
    };
    let mut changed = Vec::new();
    let outcome = program.run_row(row.encoded(), &context, &mut changed);
    let outcome = outcome.map_err(|error| {
        let message = error.reason.message().to_owned();
        at(
            &args.etl,
            &text,
            error.span,
            error.reason.code(),
            message,
            error.reason.hint(),
        )
    })?;
    let after = match outcome {
        RowOutcome::Changed => Some(object_of(&table, &Row::from_encoded(changed.into()))),
        RowOutcome::Unchanged => Some(object_of(&table, &row)),
        RowOutcome::Dropped | RowOutcome::Skipped(_) => None,
    };
    let said = match &after {
        Some(row) => row.to_string(),
        None => "the row is left out".to_owned(),
    };
    let kept = after.is_some();
    output.result(
        &said,
        &json!({"type": "etl-try", "kept": kept, "row": after}),
    );
    Ok(Exit::Done)
}

fn read(path: &Path) -> Result<String, Fault> {
    std::fs::read_to_string(path).map_err(|error| {
        Fault::input(
            "PLN-011",
            format!("could not read script `{}`", path.display()),
        )
        .hint("Check the path and its permissions; the file must be UTF-8 text.")
        .cause(error)
    })
}

fn parse(args: &EtlArgs, text: &str) -> Result<Script, Failure> {
    Script::parse(text).map_err(|error| {
        at(
            args,
            text,
            error.span,
            error.code,
            error.message,
            &error.hint,
        )
    })
}

fn compile(args: &EtlArgs, text: &str, script: &Script, table: &Table) -> Result<Program, Failure> {
    script
        .compile(&wire::for_scripts(table), STRICT)
        .map_err(|error| {
            let message = format!("for table {}: {}", table.name, error.message);
            at(args, text, error.span, error.code, message, &error.hint)
        })
}

/// An error at its place in the script.
fn at(
    args: &EtlArgs,
    text: &str,
    span: Span,
    code: &'static str,
    message: String,
    hint: &str,
) -> Failure {
    let place = span.start..span.end;
    let error = TaskFileError::in_script(&args.script, text, place, code, message, hint);
    Failure::TaskFile(Box::new(error))
}

/// The table as the source has it, with its additional columns; `None` where none was named.
async fn table_of(args: &EtlArgs) -> Result<Option<Table>, Failure> {
    let Some(text) = &args.table else {
        return Ok(None);
    };
    let wrong = |what: &str| {
        let shown = text.escape_debug();
        Fault::input("PLN-012", format!("`{shown}` {what}")).hint(
            "Write it like shop.orders, with the letters of the source; a name with a point stands in backticks.",
        )
    };
    let name = TableName::parse(text).ok_or_else(|| wrong("is not the name of a table"))?;
    let task = Task::from_args(&args.task, &StopArgs::default())?;
    let found = wire::table(&task, &name).await?;
    Ok(Some(found.ok_or_else(|| {
        wrong("is no table that the account sees at the source")
    })?))
}

/// A row from `{"column": value}`; columns that are not named are NULL, and so are additional ones.
fn row_of(table: &Table, text: &str) -> Result<Row, Fault> {
    let wrong = |what: String| {
        Fault::input("PLN-013", what).hint(
            "Write the row like {\"id\": 1, \"name\": \"a\"}; binary values as \"0x\" and hexadecimal digits.",
        )
    };
    let object: Map<String, Value> = serde_json::from_str(text)
        .map_err(|error| wrong(format!("the row is no JSON object: {error}")))?;
    let columns = table.source_columns();
    let is_known = |key: &String| columns.iter().any(|column| column.name == **key);
    if let Some(key) = object.keys().find(|key| !is_known(key)) {
        let shown = key.escape_debug();
        return Err(wrong(format!(
            "table {} has no column `{shown}`",
            table.name
        )));
    }
    let value = |column: &Column| match object.get(&column.name) {
        None => Ok(None),
        Some(value) => bytes_of(column, value).ok_or_else(|| {
            wrong(format!(
                "the value of column `{}` cannot be read",
                column.name
            ))
        }),
    };
    let mut values: Vec<Option<Vec<u8>>> = columns.iter().map(value).collect::<Result<_, _>>()?;
    values.resize(table.columns.len(), None);
    Ok(Row::from_values(values.iter().map(Option::as_deref)))
}

/// The value as the source would send it; the outer `None` where it cannot be one of the column.
fn bytes_of(column: &Column, value: &Value) -> Option<Option<Vec<u8>>> {
    let text = match value {
        Value::Null => return Some(None),
        Value::Bool(value) => u8::from(*value).to_string(),
        Value::Number(number) => number.to_string(),
        Value::String(text) => text.clone(),
        Value::Array(_) | Value::Object(_) => value.to_string(),
    };
    if is_binary(&column.kind) {
        return from_hex(text.strip_prefix("0x")?).map(Some);
    }
    if let ColumnKind::Integer { .. } = column.kind {
        text.parse::<i128>().ok()?;
    }
    match column.charset.as_deref() {
        None | Some("utf8mb4" | "utf8mb3" | "utf8") => Some(Some(text.into_bytes())),
        Some("latin1") => {
            let bytes = text
                .chars()
                .map(|letter| u8::try_from(u32::from(letter)).ok());
            bytes.collect::<Option<Vec<u8>>>().map(Some)
        }
        Some(_) => text.is_ascii().then(|| Some(text.into_bytes())),
    }
}

fn is_binary(kind: &ColumnKind) -> bool {
    matches!(
        kind,
        ColumnKind::Bit { .. }
            | ColumnKind::Binary { .. }
            | ColumnKind::Varbinary { .. }
            | ColumnKind::Blob
    )
}

fn from_hex(digits: &str) -> Option<Vec<u8>> {
    let pairs = digits.as_bytes().chunks(2);
    let byte = |pair: &[u8]| match pair {
        [_, _] => u8::from_str_radix(std::str::from_utf8(pair).ok()?, 16).ok(),
        _ => None,
    };
    pairs.map(byte).collect()
}

fn object_of(table: &Table, row: &Row) -> Value {
    let columns = table.columns.iter().enumerate().zip(row.values());
    let moving = columns.filter(|((index, _), _)| !table.is_left_out(*index));
    let pairs = moving.map(|((_, column), value)| (column.name.clone(), shown(column, value)));
    Value::Object(pairs.collect())
}

fn shown(column: &Column, value: Option<&[u8]>) -> Value {
    let Some(bytes) = value else {
        return Value::Null;
    };
    let hex = || {
        let digits: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
        Value::from(format!("0x{digits}"))
    };
    match std::str::from_utf8(bytes) {
        _ if is_binary(&column.kind) => hex(),
        Ok(text) => Value::from(text),
        Err(_) if column.charset.as_deref() == Some("latin1") => Value::from(
            bytes
                .iter()
                .map(|byte| char::from(*byte))
                .collect::<String>(),
        ),
        Err(_) => hex(),
    }
}
