//! Shows a running task: bars on a terminal, lines elsewhere, JSON for machines.

use crate::logging;
use crate::output::{Output, line};
use crate::picture;
use indicatif::{MultiProgress, ProgressBar, ProgressStyle};
use serde_json::json;
use std::time::{Duration, Instant};
use tokio::sync::watch;
use wherry_engine::progress::Progress;

/// Plain lines come at a phase change and this often.
const PLAIN_EVERY: Duration = Duration::from_secs(10);

/// Shows every picture until the sender is gone or the future is dropped.
pub async fn show(mut pictures: watch::Receiver<Progress>, output: Output) {
    let mut screen = Screen::new(output);
    // The first picture is blank: nothing has been read or done yet.
    pictures.mark_unchanged();
    while pictures.changed().await.is_ok() {
        let picture = pictures.borrow_and_update().clone();
        screen.show(&picture);
    }
}

struct Screen {
    output: Output,
    bars: Bars,
    phase: String,
    message: String,
    stopped: Vec<String>,
    printed_at: Option<Instant>,
}

impl Screen {
    fn new(output: Output) -> Screen {
        let bars = Bars::default();
        if output == Output::Live {
            logging::share_terminal_with(&bars.multi);
        }
        Screen {
            output,
            bars,
            phase: String::new(),
            message: String::new(),
            stopped: Vec::new(),
            printed_at: None,
        }
    }

    fn show(&mut self, picture: &Progress) {
        let new_phase = self.phase != picture.phase;
        self.phase.clone_from(&picture.phase);
        match self.output {
            Output::Live => self.bars.show(&picture::live_lines(picture)),
            Output::Plain => self.show_plain(picture, new_phase),
            Output::Json => show_json(picture, new_phase),
        }
    }

    fn show_plain(&mut self, picture: &Progress, new_phase: bool) {
        if new_phase {
            stamped(&picture::phase_words(&picture.phase));
        }
        if self.message != picture.message && !picture.message.is_empty() {
            stamped(&picture.message);
        }
        self.message.clone_from(&picture.message);
        for table in picture::stopped_tables(picture) {
            if !self.stopped.contains(&table.table) {
                stamped(&format!(
                    "stopped {}: {}",
                    table.table,
                    picture::reason(table)
                ));
                self.stopped.push(table.table.clone());
            }
        }
        let due = self
            .printed_at
            .is_none_or(|printed| printed.elapsed() >= PLAIN_EVERY);
        if due && !new_phase {
            stamped(&picture::plain_line(picture));
        }
        if due || new_phase {
            self.printed_at = Some(Instant::now());
        }
    }
}

fn show_json(picture: &Progress, new_phase: bool) {
    if new_phase {
        let value = json!({
            "type": "phase",
            "task": picture.task,
            "phase": picture.phase,
            "at_us": picture.updated_at_us,
        });
        line(&value.to_string());
    }
    line(&picture::json_line(picture).to_string());
}

fn stamped(text: &str) {
    line(&format!("{:.0} {text}", jiff::Timestamp::now()));
}

/// As many one-line bars as there are lines to show; removed when the screen is dropped.
#[derive(Default)]
struct Bars {
    multi: MultiProgress,
    rows: Vec<ProgressBar>,
}

impl Bars {
    fn show(&mut self, lines: &[String]) {
        while self.rows.len() < lines.len() {
            let style = ProgressStyle::with_template("{wide_msg}")
                .expect("the template is a constant that was tried");
            let row = ProgressBar::new_spinner().with_style(style);
            self.rows.push(self.multi.add(row));
        }
        for row in self.rows.drain(lines.len()..) {
            row.finish_and_clear();
            self.multi.remove(&row);
        }
        for (row, text) in self.rows.iter().zip(lines) {
            row.set_message(text.clone());
            row.tick();
        }
    }
}

impl Drop for Bars {
    fn drop(&mut self) {
        let _ = self.multi.clear();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bars_follow_the_number_of_lines() {
        let mut bars = Bars::default();
        for count in [3, 1, 0, 4] {
            bars.show(&vec!["x".to_owned(); count]);
            assert_eq!(bars.rows.len(), count);
        }
    }

    #[tokio::test]
    async fn showing_ends_with_the_sender() {
        let (sender, receiver) = watch::channel(Progress::default());
        drop(sender);
        show(receiver, Output::Live).await;
    }
}
