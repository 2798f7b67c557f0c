//! The words for a task's progress: pure functions from a picture of the task to lines of text
//! or JSON. `live` decides when they are printed.

use crate::figures::{bytes, count, number, percent, seconds};
use serde_json::{Value, json};
use wherry_engine::progress::{Progress, TableProgress};
use wherry_engine::state::TableStage;

/// Tables under way that the terminal shows at most; the rest is in `wherry status --all`.
const TABLES_SHOWN_MAX: usize = 8;
const BAR_CHARACTERS: usize = 24;

/// One line of everything that matters now.
pub fn plain_line(progress: &Progress) -> String {
    let mut parts = vec![work(progress)];
    let stopped = stopped_tables(progress).count() as u64;
    if stopped > 0 {
        parts.push(format!("{} stopped", tables(stopped)));
    }
    if let Some(lane) = &progress.lane {
        parts.push(format!("beside: {}", lane_words(lane)));
    }
    if let Some(waiting) = &progress.waiting_on {
        parts.push(format!(
            "target has not answered for {}: {}",
            seconds(waiting.since_seconds),
            waiting.statement
        ));
    }
    format!("{}: {}", progress.phase, parts.join("; "))
}

/// What a plain line says when a phase is entered.
pub fn phase_words(phase: &str) -> String {
    match phase {
        "done" => "the task is done".to_owned(),
        phase => format!("phase {phase} begins"),
    }
}

/// The lines of the live display, each at most one terminal row.
pub fn live_lines(progress: &Progress) -> Vec<String> {
    let elapsed = progress
        .updated_at_us
        .saturating_sub(progress.started_at_us)
        / 1_000_000;
    let mut lines = vec![format!(
        "{} · {} · {}",
        progress.task,
        progress.phase,
        seconds(elapsed)
    )];
    let (estimate, done) = (rows_estimate(progress), progress.load.rows);
    if estimate > 0 || done > 0 {
        let share = load_share(progress);
        lines.push(format!(
            "  load    {} {share:>3} %  {}",
            bar(share),
            load_words(progress)
        ));
    }
    for table in under_way(progress).take(TABLES_SHOWN_MAX) {
        let share = table_share(table);
        lines.push(format!(
            "          {} {share:>3} %  {} {} rows",
            bar(share),
            table.table,
            count(table.rows)
        ));
    }
    if in_stream(progress) {
        lines.push(format!("  stream  {}", stream_words(progress)));
    }
    if let Some(lane) = &progress.lane {
        lines.push(format!("  beside  {}", lane_words(lane)));
    }
    for table in stopped_tables(progress).take(TABLES_SHOWN_MAX) {
        lines.push(format!("  stopped {}: {}", table.table, reason(table)));
    }
    if let Some(waiting) = &progress.waiting_on {
        lines.push(format!(
            "  target has not answered for {}: {}",
            seconds(waiting.since_seconds),
            waiting.statement
        ));
    }
    if !progress.message.is_empty() {
        lines.push(format!("  {}", progress.message));
    }
    lines
}

/// The line for machines. `tables` holds only those under way or stopped, so that a task with
/// thousands of tables stays readable; the totals count all.
pub fn json_line(progress: &Progress) -> Value {
    let listed: Vec<&TableProgress> = progress
        .tables
        .iter()
        .filter(|table| table.stopped.is_some() || is_under_way(table))
        .collect();
    json!({
        "type": "progress",
        "task": progress.task,
        "phase": progress.phase,
        "started_at_us": progress.started_at_us,
        "updated_at_us": progress.updated_at_us,
        "table_count": progress.tables.len(),
        "table_done_count": done_count(progress),
        "table_stopped_count": stopped_tables(progress).count(),
        "tables": listed,
        "load": progress.load,
        "stream": progress.stream,
        "exact_snapshot_age_seconds": progress.exact_snapshot_age_seconds,
        "waiting_on": progress.waiting_on,
        "lane": progress.lane,
        "message": progress.message,
    })
}

/// How far the tables are that are loaded beside the stream.
pub fn lane_words(lane: &Progress) -> String {
    let names: Vec<&str> = lane.tables.iter().map(|it| it.table.as_str()).collect();
    let names = names.join(", ");
    match lane.stream.position.as_str() {
        "" => format!("{names} loading, {}", load_words(lane)),
        _ => format!("{names} catching up, {}", stream_words(lane)),
    }
}

pub fn stopped_tables(progress: &Progress) -> impl Iterator<Item = &TableProgress> {
    progress
        .tables
        .iter()
        .filter(|table| table.stopped.is_some())
}

/// Tables whose rows are all in.
pub fn done_count(progress: &Progress) -> usize {
    progress
        .tables
        .iter()
        .filter(|table| stage(table) >= Some(TableStage::Copied))
        .count()
}

pub fn under_way(progress: &Progress) -> impl Iterator<Item = &TableProgress> {
    progress.tables.iter().filter(|table| is_under_way(table))
}

pub fn in_stream(progress: &Progress) -> bool {
    matches!(progress.phase.as_str(), "stream" | "cutover" | "done")
}

pub fn reason(table: &TableProgress) -> &str {
    table.stopped.as_deref().unwrap_or("")
}

/// `1 table`, `2 tables`.
pub fn tables(value: u64) -> String {
    number(value, "table", "tables")
}

/// Rows, bytes, rates and rest of the load.
pub fn load_words(progress: &Progress) -> String {
    let load = &progress.load;
    if in_stream(progress) && load.rows == 0 {
        // Counts begin anew with each runner.
        return "all rows were in before this runner began".to_owned();
    }
    let estimate = rows_estimate(progress);
    let mut words = format!("{} rows", count(load.rows));
    if load.rows < estimate {
        words = format!("{} of about {} rows", count(load.rows), count(estimate));
    }
    words.push_str(&format!(", {}", bytes(load.bytes)));
    if load.rows_per_second > 0 {
        words.push_str(&format!(
            ", {} rows/s, {}/s",
            count(load.rows_per_second),
            bytes(load.bytes_per_second)
        ));
    }
    if let Some(eta) = load.eta_seconds.filter(|_| progress.phase == "load") {
        words.push_str(&format!(", about {} left", seconds(eta)));
    }
    words
}

/// Lag, rates and place of the stream, and what an operator should look at.
pub fn stream_words(progress: &Progress) -> String {
    let stream = &progress.stream;
    let lag = match stream.lag_seconds {
        Some(lag) => format!("lag {}", seconds(lag)),
        None => "lag not known yet".to_owned(),
    };
    let mut words = format!(
        "{lag}, {} changes/s, {} in {}",
        count(stream.changes_per_second),
        number(stream.changes, "change", "changes"),
        number(stream.transactions, "transaction", "transactions")
    );
    if !stream.position.is_empty() {
        words.push_str(&format!(", at {}", stream.position));
    }
    let extras = [
        (stream.divergences, "divergence", "divergences"),
        (stream.removed, "row removed", "rows removed"),
        (stream.owed, "key owed", "keys owed"),
    ];
    for (value, one, many) in extras.into_iter().filter(|(value, ..)| *value > 0) {
        words.push_str(&format!(", {}", number(value, one, many)));
    }
    if let Some(heartbeat) = &stream.heartbeat {
        words.push_str(&format!(", {heartbeat}"));
    }
    words
}

/// Share of the load in percent.
pub fn load_share(progress: &Progress) -> u64 {
    if in_stream(progress) {
        return 100;
    }
    // The estimate may be short, so the last percent belongs to what is surely done.
    percent(progress.load.rows, rows_estimate(progress)).min(99)
}

fn work(progress: &Progress) -> String {
    match progress.phase.as_str() {
        "load" => format!(
            "{} %, {}, {} of {} done",
            load_share(progress),
            load_words(progress),
            done_count(progress),
            tables(progress.tables.len() as u64)
        ),
        "stream" | "cutover" => stream_words(progress),
        _ if progress.message.is_empty() => tables(progress.tables.len() as u64),
        _ => progress.message.clone(),
    }
}

fn rows_estimate(progress: &Progress) -> u64 {
    progress.tables.iter().map(table_estimate).sum()
}

fn table_estimate(table: &TableProgress) -> u64 {
    if stage(table) >= Some(TableStage::Copied) {
        return table.rows;
    }
    table.rows_estimate.max(table.rows)
}

fn table_share(table: &TableProgress) -> u64 {
    percent(table.rows, table_estimate(table)).min(99)
}

fn is_under_way(table: &TableProgress) -> bool {
    table.stopped.is_none() && table.rows > 0 && stage(table) < Some(TableStage::Copied)
}

fn stage(table: &TableProgress) -> Option<TableStage> {
    TableStage::parse(&table.stage)
}

fn bar(share: u64) -> String {
    let full = BAR_CHARACTERS * usize::try_from(share.min(100)).unwrap_or(100) / 100;
    format!(
        "[{}{}]",
        "=".repeat(full),
        " ".repeat(BAR_CHARACTERS - full)
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use wherry_engine::progress::WaitingOn;

    fn table(name: &str, stage: &str, rows: u64, rows_estimate: u64) -> TableProgress {
        TableProgress {
            table: name.to_owned(),
            stage: stage.to_owned(),
            rows,
            rows_estimate,
            bytes: rows * 100,
            stopped: None,
            lane: None,
        }
    }

    fn loading() -> Progress {
        let mut progress = Progress {
            task: "shop".to_owned(),
            phase: "load".to_owned(),
            started_at_us: 1_000_000,
            updated_at_us: 66_000_000,
            tables: vec![
                table("`shop`.`a`", "copied", 500, 400),
                table("`shop`.`b`", "created", 250, 1500),
                table("`shop`.`c`", "planned", 0, 1000),
            ],
            ..Progress::default()
        };
        progress.load.rows = 750;
        progress.load.bytes = 75_000;
        progress.load.rows_per_second = 2250;
        progress.load.bytes_per_second = 225_000;
        progress.load.eta_seconds = Some(61);
        progress
    }

    #[test]
    fn a_plain_line_of_a_load() {
        assert_eq!(
            plain_line(&loading()),
            "load: 25 %, 750 of about 3,000 rows, 73.2 KiB, 2,250 rows/s, 219.7 KiB/s, \
             about 1 min 1 s left, 1 of 3 tables done"
        );
    }

    #[test]
    fn a_plain_line_of_a_stream_with_trouble() {
        let mut progress = loading();
        progress.phase = "stream".to_owned();
        progress.stream.lag_seconds = Some(3);
        progress.stream.changes = 10;
        progress.stream.transactions = 4;
        progress.stream.owed = 2;
        progress.stream.position = "bin.000007:4711".to_owned();
        progress.tables[1].stopped = Some("partial JSON".to_owned());
        progress.waiting_on = Some(WaitingOn {
            statement: "commit".to_owned(),
            since_seconds: 42,
        });
        assert_eq!(
            plain_line(&progress),
            "stream: lag 3 s, 0 changes/s, 10 changes in 4 transactions, at bin.000007:4711, \
             2 keys owed; 1 table stopped; target has not answered for 42 s: commit"
        );
    }

    #[test]
    fn live_lines_show_tables_under_way_only() {
        let lines = live_lines(&loading());
        assert_eq!(lines[0], "shop · load · 1 min 5 s");
        assert!(lines[1].contains(" 25 %"), "{}", lines[1]);
        assert!(lines[2].contains("`shop`.`b`"), "{}", lines[2]);
        assert_eq!(lines.len(), 3);
    }

    #[test]
    fn a_load_is_not_done_before_it_is() {
        let mut progress = loading();
        progress.load.rows = 99_999;
        assert_eq!(load_share(&progress), 99);
        progress.phase = "stream".to_owned();
        assert_eq!(load_share(&progress), 100);
    }

    #[test]
    fn machines_get_totals_and_the_tables_that_matter() {
        let value = json_line(&loading());
        assert_eq!(value["table_count"], 3);
        assert_eq!(value["table_done_count"], 1);
        assert_eq!(value["tables"].as_array().map(Vec::len), Some(1));
        assert_eq!(value["load"]["rows_per_second"], 2250);
        assert_eq!(value["type"], "progress");
    }

    #[test]
    fn bars_have_one_width() {
        for share in [0, 1, 50, 99, 100, 250] {
            assert_eq!(bar(share).chars().count(), BAR_CHARACTERS + 2);
        }
    }
}
