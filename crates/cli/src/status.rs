//! `wherry status`: what the target knows of a task. Needs neither the source nor the runner.

use crate::checks::change_text;
use crate::figures::seconds;
use crate::output::{Output, line};
use crate::picture;
use crate::task::Task;
use crate::wire::{self, Statement};
use serde_json::{Value, json};
use std::time::Duration;
use wherry_engine::progress::Progress;
use wherry_engine::state::StoredTask;
use wherry_model::{Fault, Loss, Phase, RuleChange};

/// How long the target may take over each question.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(5);
/// A runner stores its progress once a second; older than this, something is wrong.
const SILENCE_SECONDS_MAX: u64 = 10;

/// Entries of the loss ledger that are shown.
const LOSSES_SHOWN_MAX: usize = 10;

/// Everything that was read.
struct Seen {
    task: String,
    stored: StoredTask,
    progress: Option<Progress>,
    /// Seconds since the runner last stored its progress.
    age_seconds: Option<u64>,
    /// What this user's sessions wait for in the target, longest first.
    statements: Vec<Statement>,
    /// What rules changed when databases and tables were made.
    rule_changes: Vec<RuleChange>,
    /// What of the source the target does not have.
    losses: Vec<Loss>,
}

pub async fn print(task: &Task, all: bool, output: Output) -> Result<(), Fault> {
    let seen = read(task).await?;
    if output == Output::Json {
        line(&seen_json(&seen).to_string());
    } else {
        line(&text(&seen, all));
    }
    Ok(())
}

async fn read(task: &Task) -> Result<Seen, Fault> {
    let target = answer("connect", wire::target(task)).await?;
    let stored = answer("read the task", target.stored()).await?;
    let stored = stored.ok_or_else(|| {
        Fault::operator(
            "CLI-051",
            format!("the target holds nothing for task `{}`", task.name),
        )
        .hint("Check the name of the task and the target, or start it with `wherry run`.")
    })?;
    let rule_changes = answer("read the changes by rules", target.rule_changes()).await?;
    let losses = answer("read the loss ledger", target.losses()).await?;
    let progress = answer("read the progress", target.progress()).await?;
    let age_seconds = progress.as_ref().map(|(age, _)| *age);
    let progress = progress.and_then(|(_, text)| serde_json::from_str(&text).ok());
    // Only worth a look, and never worth failing for, when the runner is silent.
    let statements = match age_seconds {
        Some(age) if age > SILENCE_SECONDS_MAX => answer("list sessions", wire::statements(task))
            .await
            .unwrap_or_default(),
        _ => Vec::new(),
    };
    Ok(Seen {
        task: task.name.clone(),
        stored,
        progress,
        age_seconds,
        statements,
        rule_changes,
        losses,
    })
}

async fn answer<T>(
    question: &str,
    work: impl Future<Output = Result<T, Fault>>,
) -> Result<T, Fault> {
    answer_within(ANSWER_TIMEOUT, question, work).await
}

async fn answer_within<T>(
    limit: Duration,
    question: &str,
    work: impl Future<Output = Result<T, Fault>>,
) -> Result<T, Fault> {
    tokio::time::timeout(limit, work).await.unwrap_or_else(|_| {
        Err(Fault::operator(
            "CLI-052",
            format!(
                "the target did not answer within {} s (to {question})",
                limit.as_secs()
            ),
        )
        .hint(
            "Look at the target: a full disk, a lock, a network break. \
                 The runner goes on by itself when the target answers again.",
        ))
    })
}

fn seen_json(seen: &Seen) -> Value {
    let tables: Vec<Value> = seen
        .stored
        .tables
        .iter()
        .map(|state| {
            json!({
                "table": state.table.name.to_string(),
                "stage": state.stage,
                "start": state.start.to_string(),
                "lane": state.lane.as_ref().map(|mark| &mark.reason),
                "stopped": state.stopped.as_ref().map(|stopped| json!({
                    "code": stopped.code,
                    "reason": stopped.reason,
                    "position": stopped.position.to_string(),
                    "left": stopped.left,
                })),
            })
        })
        .collect();
    json!({
        "type": "status",
        "task": seen.task,
        "phase": seen.stored.phase,
        "runner_silent_seconds": seen.age_seconds,
        "tables": tables,
        "applied_to": seen.stored.checkpoint.as_ref().map(|at| at.applied_to.to_string()),
        "end": seen.stored.end.as_ref().map(ToString::to_string),
        "progress": seen.progress,
        "statements": seen.statements,
        "rule_changes": seen.rule_changes,
        "losses": seen.losses,
    })
}

fn text(seen: &Seen, all: bool) -> String {
    let mut lines = vec![format!("task {}: {}", seen.task, phase_words(seen))];
    lines.push(format!("  runner   {}", runner_words(seen)));
    push_figures(&mut lines, seen);
    push_tables(&mut lines, seen, all);
    push_rules(&mut lines, seen, all);
    push_losses(&mut lines, seen, all);
    if let Some(progress) = &seen.progress {
        for pending in &progress.objects.pending {
            lines.push(format!("  pending  {pending}"));
        }
    }
    if let Some(progress) = &seen.progress {
        if let Some(age) = progress.exact_snapshot_age_seconds {
            lines.push(format!(
                "  snapshot open for {} at the source",
                seconds(age)
            ));
        }
        if let Some(waiting) = &progress.waiting_on {
            let since = waiting.since_seconds + seen.age_seconds.unwrap_or(0);
            lines.push(format!(
                "  waiting  the target has not answered for {}: {}",
                seconds(since),
                waiting.statement
            ));
        }
    }
    for statement in &seen.statements {
        lines.push(format!(
            "  session  {} since {}: {}",
            statement.state,
            seconds(statement.since_seconds),
            statement.text
        ));
    }
    lines.join("\n")
}

fn phase_words(seen: &Seen) -> String {
    match seen.stored.phase {
        Phase::Done => "done, the task is cut over".to_owned(),
        phase => phase.as_str().to_owned(),
    }
}

fn runner_words(seen: &Seen) -> String {
    match seen.age_seconds {
        _ if seen.stored.phase == Phase::Done => "none, none is needed".to_owned(),
        None => "has never reported".to_owned(),
        Some(age) if age > SILENCE_SECONDS_MAX => {
            format!("the runner has not reported for {}", seconds(age))
        }
        Some(age) => format!("last sign of life {} ago", seconds(age)),
    }
}

fn push_figures(lines: &mut Vec<String>, seen: &Seen) {
    let Some(progress) = &seen.progress else {
        return;
    };
    if seen.stored.phase == Phase::Done {
        return;
    }
    // The stored phase is the truth; the picture may be a moment older.
    let mut progress = progress.clone();
    progress.phase = seen.stored.phase.as_str().to_owned();
    lines.push(format!(
        "  load     {} %, {}",
        picture::load_share(&progress),
        picture::load_words(&progress)
    ));
    if picture::in_stream(&progress) {
        lines.push(format!("  stream   {}", picture::stream_words(&progress)));
    }
    if !progress.message.is_empty() {
        lines.push(format!("  last     {}", progress.message));
    }
}

fn push_tables(lines: &mut Vec<String>, seen: &Seen, all: bool) {
    let states = &seen.stored.tables;
    let stopped = states.iter().filter(|state| state.is_in_trouble());
    let done = states
        .iter()
        .filter(|state| state.stage >= wherry_engine::state::TableStage::Copied)
        .count();
    lines.push(format!(
        "  tables   {done} of {} copied, {} stopped",
        states.len(),
        stopped.clone().count()
    ));
    for state in stopped {
        let Some(why) = &state.stopped else { continue };
        lines.push(format!(
            "  stopped  {} [{}]: {}, at {}",
            state.table.name, why.code, why.reason, why.position
        ));
    }
    for state in states {
        if let Some(mark) = &state.lane {
            let how = if mark.open {
                "is loaded"
            } else {
                "waits to be loaded"
            };
            lines.push(format!(
                "  beside   {} {how} beside the stream: {}",
                state.table.name, mark.reason
            ));
        }
    }
    if let Some(lane) = seen.progress.as_ref().and_then(|it| it.lane.as_ref()) {
        lines.push(format!("  beside   {}", picture::lane_words(lane)));
    }
    if all {
        for state in states {
            lines.push(format!(
                "  table    {} {}",
                state.table.name,
                state.stage.as_str()
            ));
        }
    } else if let Some(progress) = &seen.progress {
        for table in picture::under_way(progress) {
            lines.push(format!(
                "  loading  {} {} rows",
                table.table,
                crate::figures::count(table.rows)
            ));
        }
    }
}

fn push_rules(lines: &mut Vec<String>, seen: &Seen, all: bool) {
    if seen.rule_changes.is_empty() {
        return;
    }
    let number = seen.rule_changes.len() as u64;
    lines.push(format!(
        "  rules    {} of definitions{}",
        crate::figures::number(number, "change", "changes"),
        if all { "" } else { "; --all lists them" }
    ));
    if all {
        let changes = seen.rule_changes.iter().map(change_text);
        lines.extend(changes.map(|change| format!("  rule     {change}")));
    }
}

/// What the user chose to leave out, the last of it where it is much.
fn push_losses(lines: &mut Vec<String>, seen: &Seen, all: bool) {
    // The others stand with their tables.
    let is_shown = |loss: &&Loss| all || loss.chosen;
    let losses: Vec<&Loss> = seen.losses.iter().filter(is_shown).collect();
    let hidden = match all {
        true => 0,
        false => losses.len().saturating_sub(LOSSES_SHOWN_MAX),
    };
    if hidden > 0 {
        lines.push(format!(
            "  ledger   {} before these; --all lists them",
            crate::figures::number(hidden as u64, "entry", "entries")
        ));
    }
    for loss in &losses[hidden..] {
        let object = loss.table.object();
        lines.push(format!(
            "  ledger   {object} [{}]: {}, at {}",
            loss.code, loss.reason, loss.position
        ));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use wherry_engine::progress::WaitingOn;
    use wherry_engine::state::{Stopped, TableStage, TableState};
    use wherry_model::{Exactness, Position, Table, TableName};

    fn seen() -> Seen {
        let table = Table {
            name: TableName::new("s", "a"),
            engine: "innodb".to_owned(),
            columns: Vec::new(),
            keys: Vec::new(),
            exactness: Exactness::Keyed,
            definition: String::new(),
            row_count_estimate: 10,
            byte_count_estimate: 100,
            adopted: None,
            shape: None,
            in_target: None,
        };
        let position = Position::new("bin.000002", 99, None);
        let state = TableState {
            table,
            start: position.clone(),
            stage: TableStage::Complete,
            stopped: Some(Stopped {
                code: "BIN-007".to_owned(),
                reason: "partial JSON update".to_owned(),
                position,
                paused: None,
                left: false,
            }),
            lane: None,
        };
        Seen {
            task: "shop".to_owned(),
            stored: StoredTask {
                phase: Phase::Stream,
                source_id: "x".to_owned(),
                checkpoint: None,
                end: None,
                tables: vec![state],
            },
            progress: Some(Progress {
                waiting_on: Some(WaitingOn {
                    statement: "commit".to_owned(),
                    since_seconds: 12,
                }),
                ..Progress::default()
            }),
            age_seconds: Some(42),
            statements: vec![Statement {
                state: "waiting for handler commit".to_owned(),
                text: "COMMIT".to_owned(),
                since_seconds: 54,
            }],
            rule_changes: Vec::new(),
            losses: Vec::new(),
        }
    }

    #[test]
    fn what_was_left_out_is_shown() {
        let loss = |number: usize, code: &str| Loss {
            table: TableName::new("s", if number == 0 { "" } else { "a" }),
            code: code.to_owned(),
            chosen: code == "TGT-150",
            reason: "`operations` leaves out create-index".to_owned(),
            position: format!("bin.000002:{number}"),
        };
        let mut seen = seen();
        seen.losses = (0..LOSSES_SHOWN_MAX + 2)
            .map(|number| loss(number, "TGT-150"))
            .collect();
        seen.losses.push(loss(99, "TGT-040"));
        let short = text(&seen, false);
        assert!(short.contains("ledger   2 entries before these"), "{short}");
        assert!(
            short.contains(
                "`s`.`a` [TGT-150]: `operations` leaves out create-index, at bin.000002:11"
            ),
            "{short}"
        );
        assert!(
            !short.contains("TGT-040") && !short.contains("database `s`"),
            "{short}"
        );
        let long = text(&seen, true);
        assert!(
            long.contains("TGT-040") && long.contains("ledger   database `s` [TGT-150]"),
            "{long}"
        );
    }

    #[test]
    fn silence_and_its_reason_are_told() {
        let text = text(&seen(), false);
        assert!(
            text.contains("the runner has not reported for 42 s"),
            "{text}"
        );
        assert!(
            text.contains("the target has not answered for 54 s: commit"),
            "{text}"
        );
        assert!(
            text.contains("waiting for handler commit since 54 s: COMMIT"),
            "{text}"
        );
    }

    #[test]
    fn stopped_tables_have_code_reason_and_place() {
        assert!(
            text(&seen(), false)
                .contains("`s`.`a` [BIN-007]: partial JSON update, at bin.000002:99")
        );
    }

    #[test]
    fn a_finished_task_needs_no_runner() {
        let mut seen = seen();
        seen.stored.phase = Phase::Done;
        let text = text(&seen, true);
        assert!(text.contains("done, the task is cut over"), "{text}");
        assert!(!text.contains("has not reported"), "{text}");
        assert!(text.contains("table    `s`.`a` complete"), "{text}");
    }

    #[test]
    fn machines_get_silence_as_a_number() {
        let value = seen_json(&seen());
        assert_eq!(value["runner_silent_seconds"], 42);
        assert_eq!(value["tables"][0]["stopped"]["code"], "BIN-007");
        assert_eq!(value["phase"], "stream");
    }

    #[tokio::test]
    async fn a_hanging_target_is_an_answer_too() {
        let silent = std::future::pending::<Result<(), Fault>>();
        let fault = answer_within(Duration::from_millis(1), "connect", silent)
            .await
            .expect_err("nothing answers");
        assert_eq!(fault.code, "CLI-052");
    }
}
