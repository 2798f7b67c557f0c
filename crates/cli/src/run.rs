//! Commands that work on both ends: run and its phases, precheck, verify.

use crate::checks;
use crate::exit::Exit;
use crate::figures::{bytes, number};
use crate::live;
use crate::output::{Output, line};
use crate::picture::tables;
use crate::report::Failure;
use crate::signals;
use crate::task::Task;
use crate::verification;
use crate::wire::{self, Goal, Job, Summary};
use serde_json::json;
use tokio_util::sync::CancellationToken;
use wherry_engine::progress::ObjectProgress;
use wherry_model::{Fault, Phase};

/// Checks both ends and prints every item.
pub async fn precheck(task: &Task, output: Output) -> Result<Exit, Failure> {
    let job = wire::open(task).await?;
    checks::print(job.precheck().await?, output)?;
    Ok(Exit::Done)
}

/// Runs the task up to `goal`, showing its progress.
pub async fn run(task: &Task, goal: Goal, output: Output) -> Result<Exit, Failure> {
    let job = wire::open(task).await?;
    run_job(task, &job, goal, output).await
}

async fn run_job(task: &Task, job: &Job, goal: Goal, output: Output) -> Result<Exit, Failure> {
    let cancel = watch_signals()?;
    output.note(&format!("task {}", task.name));
    let summary = shown(job, output, job.run(goal, cancel)).await?;
    print_summary(task, &summary, output);
    finish(&summary)
}

/// Runs a task whose load is done, up to `goal`.
pub async fn run_loaded(task: &Task, goal: Goal, output: Output) -> Result<Exit, Failure> {
    let target = wire::target(task).await?;
    let phase = target.stored().await?.map(|stored| stored.phase);
    drop(target);
    if goal == Goal::Stream && !task.spec.phases.stream {
        let phases = task.spec.phases;
        let fault = Fault::operator(
            "CLI-057",
            format!("the task does not stream; its phases: {phases}"),
        )
        .hint("Begin a new task with another name that has the phase stream.");
        return Err(fault.into());
    }
    if phase.is_none_or(|phase| phase < Phase::Stream) {
        let fault = Fault::operator("CLI-053", "the load of this task is not done yet")
            .hint("Run `wherry load` or `wherry run` first.");
        return Err(fault.into());
    }
    if phase == Some(Phase::Cutover) {
        let job = wire::open_behind_fence(task).await?;
        return run_job(task, &job, goal, output).await;
    }
    run(task, goal, output).await
}

/// Compares both ends.
pub async fn verify(task: &Task, output: Output) -> Result<Exit, Failure> {
    let cancel = watch_signals()?;
    let job = wire::open(task).await?;
    let report = match shown(&job, output, job.verify(cancel)).await {
        // Comparing writes nothing, so there is nothing to tell when it is stopped.
        Err(fault) if Exit::of(&fault) == Exit::Stopped => return Ok(Exit::Stopped),
        report => report?,
    };
    if verification::print(&report, output) {
        Ok(Exit::Done)
    } else {
        Ok(Exit::Differences)
    }
}

fn watch_signals() -> Result<CancellationToken, Fault> {
    signals::watch().map_err(|error| Fault::bug("CLI-092", "could not watch signals").cause(error))
}

/// Shows progress while `work` is under way; bars are gone when it returns.
async fn shown<T>(
    job: &Job,
    output: Output,
    work: impl Future<Output = Result<T, Fault>>,
) -> Result<T, Fault> {
    let pictures = job.pictures();
    tokio::select! {
        biased;
        result = work => result,
        () = show_forever(pictures, output) => unreachable!("showing does not end by itself"),
    }
}

async fn show_forever(
    pictures: tokio::sync::watch::Receiver<wherry_engine::progress::Progress>,
    output: Output,
) {
    live::show(pictures, output).await;
    std::future::pending::<()>().await;
}

fn print_summary(task: &Task, summary: &Summary, output: Output) {
    if output == Output::Json {
        let mut value = serde_json::to_value(summary).unwrap_or_else(|_| json!({}));
        value["type"] = json!("summary");
        value["task"] = json!(task.name);
        value["phases"] = json!(task.spec.phases.to_string());
        line(&value.to_string());
    } else {
        line(&summary_text(task, summary));
    }
}

/// Behind a load without a stream.
const RESTS: &str = "  the task does not stream: what is written to the source from now on does not move. `wherry verify` compares; `wherry cutover` also makes triggers and enables events";

fn summary_text(task: &Task, summary: &Summary) -> String {
    let ended = if summary.stopped {
        "stopped at a checkpoint; the same command goes on from there"
    } else {
        "done"
    };
    let mut lines: Vec<String> = summary.steps.clone();
    lines.push(format!(
        "task {}: {ended} (phase {})",
        task.name, summary.phase
    ));
    if !summary.stopped && summary.phase == Phase::Load.as_str() && !task.spec.phases.stream {
        lines.push(RESTS.to_owned());
    }
    if summary.rows > 0 {
        let rows = number(summary.rows, "row", "rows");
        lines.push(format!("  {rows} loaded ({})", bytes(summary.bytes)));
    }
    if summary.changes > 0 {
        lines.push(format!(
            "  {} in {} applied",
            number(summary.changes, "change", "changes"),
            number(summary.transactions, "transaction", "transactions")
        ));
    }
    if summary.divergences > 0 {
        lines.push(format!(
            "  {} repaired and recorded",
            number(summary.divergences, "divergence", "divergences")
        ));
    }
    lines.extend(object_lines(&summary.objects));
    if let Some(milliseconds) = summary.writes_stopped_milliseconds {
        lines.push(format!(
            "  writes were stopped for {}.{:03} s",
            milliseconds / 1000,
            milliseconds % 1000
        ));
    }
    for change in &summary.rule_changes {
        lines.push(format!("  by rule {}", checks::change_text(change)));
    }
    for table in &summary.stopped_tables {
        lines.push(format!("  stopped {}: {}", table.table, table.reason));
    }
    lines.join("\n")
}

fn object_lines(objects: &ObjectProgress) -> Vec<String> {
    let mut lines = Vec::new();
    if objects.made > 0 {
        let rules: Vec<String> = objects
            .changed
            .iter()
            .map(|(rule, count)| format!("{rule} {count}"))
            .collect();
        let changed = match rules.is_empty() {
            true => String::new(),
            false => format!(", changed by rule: {}", rules.join(", ")),
        };
        lines.push(format!(
            "  {} (views, routines, triggers, events) made{changed}",
            number(objects.made, "object", "objects")
        ));
    }
    for pending in &objects.pending {
        lines.push(format!("  not in the target yet: {pending}"));
    }
    lines
}

/// A stop by the user is 130 whatever else is to tell; stopped tables are the operator's.
fn finish(summary: &Summary) -> Result<Exit, Failure> {
    if summary.stopped {
        return Ok(Exit::Stopped);
    }
    if summary.stopped_tables.is_empty() {
        return Ok(Exit::Done);
    }
    let number = summary.stopped_tables.len() as u64;
    let fault = Fault::operator("CLI-054", format!("{} stopped", tables(number)))
        .hint("Read the reasons in `wherry status`; the other tables are fine.");
    Err(fault.into())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::ReportLeftOut;

    #[test]
    fn exit_of_a_summary() {
        let mut summary = Summary::default();
        assert_eq!(finish(&summary).expect("done"), Exit::Done);
        summary.stopped_tables.push(ReportLeftOut {
            table: "`a`.`b`".to_owned(),
            reason: "x".to_owned(),
        });
        assert_eq!(
            finish(&summary).expect_err("stopped").exit(),
            Exit::Operator
        );
        summary.stopped = true;
        assert_eq!(finish(&summary).expect("cancelled"), Exit::Stopped);
    }
}
