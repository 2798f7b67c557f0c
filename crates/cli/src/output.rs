//! Where results go: standard output as text or JSON lines, errors as one page.

use crate::args::OutputArg;
use crate::report::Failure;
use serde_json::Value;
use std::io::{IsTerminal as _, Write as _};

/// How this process prints.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Output {
    /// Live bars; standard error is a terminal.
    Live,
    Plain,
    Json,
}

impl Output {
    pub fn choose(wanted: OutputArg) -> Output {
        match wanted {
            OutputArg::Json => Output::Json,
            OutputArg::Plain => Output::Plain,
            OutputArg::Auto => {
                let live = std::io::stderr().is_terminal() && std::io::stdout().is_terminal();
                if live { Output::Live } else { Output::Plain }
            }
        }
    }

    /// Prints `value` where machines read, `text` where people do.
    pub fn result(self, text: &str, value: &Value) {
        match self {
            Output::Json => line(&value.to_string()),
            Output::Live | Output::Plain => line(text),
        }
    }

    /// Prints only for people.
    pub fn note(self, text: &str) {
        if self != Output::Json {
            line(text);
        }
    }

    pub fn failure(self, failure: &Failure) {
        if self == Output::Json {
            line(&failure.json().to_string());
            return;
        }
        let colour = self == Output::Live && std::env::var_os("NO_COLOR").is_none();
        let mut stderr = std::io::stderr().lock();
        // Nothing is left to tell it to when standard error is closed.
        let _ = writeln!(stderr, "{}", failure.page(colour));
    }
}

/// Prints a line and flushes it; a reader that went away is not an error of the task.
pub fn line(text: &str) {
    let mut stdout = std::io::stdout().lock();
    let _ = writeln!(stdout, "{text}");
    let _ = stdout.flush();
}
