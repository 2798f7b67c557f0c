//! `wherry resync`, `wherry retry`, `wherry skip` and `wherry replace`: have tables of a running task
//! loaded anew, or go on.

use crate::args::{ResyncArgs, StopArgs};
use crate::exit::Exit;
use crate::output::{Output, line};
use crate::report::Failure;
use crate::task::Task;
use crate::wire;
use serde_json::json;
use wherry_model::{Fault, TableName};

/// What is to be done again.
#[derive(Debug, Clone, Copy)]
pub enum Again {
    Load,
    /// The change that has paused the table.
    Definition,
}

pub async fn run(mut args: ResyncArgs, again: Again, output: Output) -> Result<Exit, Failure> {
    take_table_for_file(&mut args);
    let tables = names(&args.tables)?;
    let task = Task::from_args(&args.task, &StopArgs::default())?;
    let job = wire::open(&task).await?;
    let (marked, verb, words) = match again {
        Again::Load => (job.resync(&tables).await?, "resync", "will be loaded anew"),
        Again::Definition => (job.retry(&tables).await?, "retry", "will go on"),
    };
    let marked: Vec<String> = marked.iter().map(ToString::to_string).collect();
    if output == Output::Json {
        line(&json!({"type": verb, "task": task.name, "tables": marked}).to_string());
    } else {
        for table in &marked {
            line(&format!("{table} {words}"));
        }
        line("run `wherry run` to go on");
    }
    Ok(Exit::Done)
}

/// Has one paused table go on, with another statement in the place of the one that paused it.
pub async fn choose(
    mut args: ResyncArgs,
    instead: Option<&str>,
    output: Output,
) -> Result<Exit, Failure> {
    take_table_for_file(&mut args);
    let tables = names(&args.tables)?;
    let [table] = tables.as_slice() else {
        let fault = Fault::input("LAN-013", "more than one table was named")
            .hint("Choose for one table at a time.");
        return Err(fault.into());
    };
    let task = Task::from_args(&args.task, &StopArgs::default())?;
    let job = wire::open(&task).await?;
    job.choose(table, instead).await?;
    if output == Output::Json {
        let verb = if instead.is_some() { "replace" } else { "skip" };
        line(&json!({"type": verb, "task": task.name, "tables": [table.to_string()]}).to_string());
    } else {
        line(&format!("{table} will go on"));
        line("run `wherry run` to go on");
    }
    Ok(Exit::Done)
}

/// A task given by flags has no file, and then the first table stands in its place.
fn take_table_for_file(args: &mut ResyncArgs) {
    let by_flags = args.task.source.source_url.is_some();
    let first = args
        .task
        .file
        .as_ref()
        .filter(|path| by_flags && !path.exists());
    let Some(table) = first.map(|path| path.to_string_lossy().into_owned()) else {
        return;
    };
    args.task.file = None;
    args.tables.insert(0, table);
}

fn names(texts: &[String]) -> Result<Vec<TableName>, Fault> {
    if texts.is_empty() {
        return Err(Fault::input("LAN-007", "no table was named")
            .hint("Name them behind the task file, like `wherry resync task.yaml shop.orders`."));
    }
    let read = |text: &String| {
        TableName::parse(text).ok_or_else(|| {
            Fault::input("LAN-008", format!("`{text}` is no name of a table"))
                .hint("Write the database, a point and the table, like shop.orders.")
        })
    };
    texts.iter().map(read).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tables_are_named_with_their_database() {
        let read = names(&["shop.orders".to_owned(), "`a.b`.c".to_owned()]).expect("read");
        assert_eq!(read[1], TableName::new("a.b", "c"));
        assert_eq!(names(&[]).expect_err("none").code, "LAN-007");
        let one = ["orders".to_owned()];
        assert_eq!(names(&one).expect_err("no database").code, "LAN-008");
    }
}
