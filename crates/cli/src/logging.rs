//! Where the log goes. Passwords and row values never reach it: nothing that holds them prints
//! them.

use crate::args::{GlobalArgs, LogFormat, LogLevel};
use indicatif::MultiProgress;
use std::fs::{File, OpenOptions};
use std::io::{self, Write};
use std::sync::{Mutex, OnceLock};
use tracing_subscriber::filter::{LevelFilter, Targets};
use tracing_subscriber::fmt::MakeWriter;
use tracing_subscriber::layer::SubscriberExt as _;
use tracing_subscriber::util::SubscriberInitExt as _;
use tracing_subscriber::{Layer, Registry, fmt};
use wherry_model::Fault;

/// The bars on the terminal, so that log lines do not tear them.
static BARS: OnceLock<MultiProgress> = OnceLock::new();

/// From now on log lines on standard error make room for these bars.
pub fn share_terminal_with(bars: &MultiProgress) {
    let _ = BARS.set(bars.clone());
}

/// Starts logging; called once, before any work.
pub fn start(args: &GlobalArgs) -> Result<(), Fault> {
    let filter = level(args);
    // Libraries have their own idea of what is worth a line, so theirs start at warnings.
    let targets = Targets::new()
        .with_default(filter.min(LevelFilter::WARN))
        .with_target("wherry", filter);
    let layer: Box<dyn Layer<Registry> + Send + Sync> = match &args.log_file {
        Some(path) => {
            let file = OpenOptions::new()
                .create(true)
                .append(true)
                .open(path)
                .map_err(|error| {
                    Fault::input(
                        "CLI-030",
                        format!("could not open log file `{}`", path.display()),
                    )
                    .hint("Choose a file that this user may write.")
                    .cause(error)
                })?;
            formatted(args.log_format, Mutex::new(file) as Mutex<File>, false)
        }
        None => formatted(args.log_format, TerminalWriter, colour()),
    };
    tracing_subscriber::registry()
        .with(layer.with_filter(targets))
        .init();
    Ok(())
}

fn level(args: &GlobalArgs) -> LevelFilter {
    match (args.log_level, &args.log_file) {
        (Some(LogLevel::Off), _) => LevelFilter::OFF,
        (Some(LogLevel::Error), _) => LevelFilter::ERROR,
        (Some(LogLevel::Warn), _) | (None, None) => LevelFilter::WARN,
        (Some(LogLevel::Info), _) | (None, Some(_)) => LevelFilter::INFO,
        (Some(LogLevel::Debug), _) => LevelFilter::DEBUG,
        (Some(LogLevel::Trace), _) => LevelFilter::TRACE,
    }
}

fn colour() -> bool {
    io::IsTerminal::is_terminal(&io::stderr()) && std::env::var_os("NO_COLOR").is_none()
}

fn formatted<W>(
    format: LogFormat,
    writer: W,
    colour: bool,
) -> Box<dyn Layer<Registry> + Send + Sync>
where
    W: for<'writer> MakeWriter<'writer> + Send + Sync + 'static,
{
    let layer = fmt::layer().with_writer(writer).with_ansi(colour);
    match format {
        LogFormat::Text => Box::new(layer),
        LogFormat::Json => Box::new(layer.json().flatten_event(true)),
    }
}

struct TerminalWriter;

impl Write for TerminalWriter {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match BARS.get() {
            Some(bars) => bars.suspend(|| io::stderr().write(bytes)),
            None => io::stderr().write(bytes),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        io::stderr().flush()
    }
}

impl<'writer> MakeWriter<'writer> for TerminalWriter {
    type Writer = TerminalWriter;

    fn make_writer(&'writer self) -> TerminalWriter {
        TerminalWriter
    }
}
