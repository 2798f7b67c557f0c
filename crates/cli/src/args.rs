//! What the user typed, as clap reads it. Nothing is validated across flags here; that is the
//! work of `task`.

use clap::{Args, Parser, Subcommand, ValueEnum};
use std::path::PathBuf;
use wherry_model::task::{ByteSize, ConflictPolicy, Phases, StopWrites, TlsMode};

/// Moves a live MySQL-compatible database to another one: schema, rows, and every change made
/// meanwhile, with proof that both are equal.
#[derive(Debug, Parser)]
#[command(name = "wherry", version, propagate_version = true)]
#[command(subcommand_required = true, arg_required_else_help = true)]
#[command(after_help = EXIT_CODES)]
pub struct Cli {
    #[command(flatten)]
    pub global: GlobalArgs,
    #[command(subcommand)]
    pub command: Command,
}

const EXIT_CODES: &str = "\
Exit codes:
  0    done
  1    a defect in Wherry
  2    bad input, nothing was touched
  3    the operator must act, the error says what
  4    source and target differ, or keys stayed unsettled
  5    another runner took the task over, or it is cut over: do not restart
  130  stopped at a checkpoint by the user

`wherry errors CODE` explains an error code.";

#[derive(Debug, Args)]
pub struct GlobalArgs {
    /// How results and progress are printed
    ///
    /// `auto` shows live bars on a terminal and plain lines elsewhere; `plain` always prints
    /// lines; `json` prints one JSON object a line on standard output.
    #[arg(long, global = true, value_enum, default_value_t = OutputArg::Auto, help_heading = "Output")]
    pub output: OutputArg,

    /// Log lines of this level and above [default: info with --log-file, else warn]
    #[arg(
        long,
        global = true,
        value_enum,
        value_name = "LEVEL",
        help_heading = "Output"
    )]
    pub log_level: Option<LogLevel>,

    /// Append the log to this file instead of standard error
    #[arg(long, global = true, value_name = "FILE", help_heading = "Output")]
    pub log_file: Option<PathBuf>,

    /// Format of the log
    #[arg(long, global = true, value_enum, default_value_t = LogFormat::Text, help_heading = "Output")]
    pub log_format: LogFormat,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum OutputArg {
    Auto,
    Plain,
    Json,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum LogLevel {
    Off,
    Error,
    Warn,
    Info,
    Debug,
    Trace,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum LogFormat {
    Text,
    Json,
}

#[derive(Debug, Subcommand)]
pub enum Command {
    /// Run a task: check, copy schema and rows, then stream changes until stopped
    ///
    /// The same command resumes a task that was stopped or killed. It stays in the stream until
    /// Ctrl-C or SIGTERM; with --cutover it goes on to the cutover and ends.
    Run(RunArgs),
    /// Check both ends and print what would hinder a run; changes nothing
    Precheck(TaskArgs),
    /// Print what a run would do, object by object, and which rule of the task file says so
    ///
    /// Reads the catalog of the source, and of the target only how it stores names; writes nothing.
    Plan(TaskArgs),
    /// Create databases and tables in the target, then stop
    Schema(TaskArgs),
    /// Copy the rows (after the schema, where it is missing), then stop
    Load(TaskArgs),
    /// Stream changes of a loaded task until stopped
    Stream(TaskArgs),
    /// Compare source and target, row for row, also while the task runs
    ///
    /// Takes nothing over and writes nothing. Ends with code 4 where rows differ or stayed
    /// unsettled.
    Verify(TaskArgs),
    /// Switch over: stop writes, drain, compare, and close the task for good
    Cutover(CutoverArgs),
    /// Load tables of a running task anew, while all others go on
    ///
    /// Takes the task over, marks the tables and ends; `wherry run` then goes on and loads them
    /// beside its stream. Tables tied by cascades that the source does not log are loaded
    /// together.
    Resync(ResyncArgs),
    /// Try a definition change again that has paused a table, and go on from there
    ///
    /// For a table that `wherry status` shows as stopped by a change that the target refused, after
    /// the cause in the target is mended. Takes the task over, marks the tables and ends;
    /// `wherry run` then goes on, and what came behind the change is read beside its stream.
    Retry(ResyncArgs),
    /// Let a paused table go on without the definition change that has paused it
    ///
    /// For a change that is made in the target by hand, or is not needed there. Refused where the
    /// target's table does not suit the source's rows behind it. Takes the task over, records the
    /// choice and ends; `wherry run` then goes on.
    Skip(ResyncArgs),
    /// Run another statement in the place of the definition change that has paused a table
    ///
    /// One ALTER TABLE, CREATE INDEX or DROP INDEX with the names of the source. It is tried on an
    /// empty copy first, and the table stops again where it would not suit the source's rows. Takes
    /// the task over, records the choice and ends; `wherry run` then goes on.
    Replace(ReplaceArgs),
    /// Show what a task has done and is doing; reads only the target
    Status(StatusArgs),
    /// Check an ETL script, or try it on one row
    Etl {
        #[command(subcommand)]
        command: EtlCommand,
    },
    /// Make a task file of an object list (DbList) of Alibaba Cloud DTS
    ///
    /// Prints the task file, with what cannot be carried as comments at its head; writes nothing.
    ImportDts {
        /// File with the JSON of the list
        #[arg(value_name = "FILE")]
        file: PathBuf,
    },
    /// Print the JSON Schema of the task file
    TaskSchema,
    /// Explain an error code, or list all of them
    Errors {
        /// A code like CLI-003
        code: Option<String>,
    },
}

#[derive(Debug, Args)]
pub struct RunArgs {
    #[command(flatten)]
    pub task: TaskArgs,
    /// Cut over as soon as the stream has caught up, then end
    #[arg(long, help_heading = "Cutover")]
    pub cutover: bool,
    #[command(flatten)]
    pub stop: StopArgs,
}

#[derive(Debug, Args)]
pub struct CutoverArgs {
    #[command(flatten)]
    pub task: TaskArgs,
    #[command(flatten)]
    pub stop: StopArgs,
}

#[derive(Debug, Args)]
pub struct ResyncArgs {
    #[command(flatten)]
    pub task: TaskArgs,
    /// Tables, like shop.orders; behind the task file
    #[arg(value_name = "TABLE")]
    pub tables: Vec<String>,
}

#[derive(Debug, Args)]
pub struct ReplaceArgs {
    #[command(flatten)]
    pub paused: ResyncArgs,
    /// The statement to run
    #[arg(long, value_name = "SQL")]
    pub with: String,
}

#[derive(Debug, Args)]
pub struct StatusArgs {
    #[command(flatten)]
    pub task: TaskArgs,
    /// List every table, not only those that are under way or stopped
    #[arg(long)]
    pub all: bool,
}

#[derive(Debug, Default, Args)]
#[command(next_help_heading = "Cutover")]
pub struct StopArgs {
    /// How writes to the source end [default: wait]
    ///
    /// `wait`: you stop them, and Wherry waits until the source is quiet. `read-only`: Wherry sets
    /// read_only at the source. `command:SHELL COMMAND`: Wherry runs it; it must return when no
    /// session writes any more.
    #[arg(long, value_name = "HOW", value_parser = parse_stop_writes)]
    pub stop_writes: Option<StopWrites>,
    /// Begin the cutover only when the lag is at most this many seconds [default: 5]
    #[arg(long, value_name = "SECONDS")]
    pub lag_max_seconds: Option<u32>,
}

/// A task: a file, or flags, or a file whose keys some flags replace.
#[derive(Debug, Default, Args)]
pub struct TaskArgs {
    /// Task file; without one, --source, --target and --databases are needed
    #[arg(value_name = "TASK.yaml")]
    pub file: Option<PathBuf>,

    /// Name of the task [default: derived from both ends and the databases]
    #[arg(long, value_name = "NAME")]
    pub task: Option<String>,

    /// Databases to move, separated by commas
    #[arg(long, value_name = "NAME,...", value_delimiter = ',')]
    pub databases: Option<Vec<String>>,

    /// What the task does: schema, load, stream, separated by commas [default: all]
    #[arg(long, value_name = "PHASE,...", value_parser = Phases::parse)]
    pub phases: Option<Phases>,

    /// Tables that the target has already: fail, keep or replace [default: fail]
    #[arg(long, value_name = "POLICY", value_parser = parse_policy)]
    pub policy: Option<ConflictPolicy>,

    #[command(flatten)]
    pub source: SourceArgs,
    #[command(flatten)]
    pub target: TargetArgs,
    #[command(flatten)]
    pub tuning: TuningArgs,
}

#[derive(Debug, Subcommand)]
pub enum EtlCommand {
    /// Check a script: alone, or for a table of the source
    Check(EtlArgs),
    /// Try a script on one row of a table of the source; writes nothing
    Try(EtlTryArgs),
}

#[derive(Debug, Args)]
pub struct EtlArgs {
    /// File with the script
    #[arg(value_name = "SCRIPT")]
    pub script: PathBuf,
    /// The table whose columns the script is checked with, like shop.orders
    #[arg(long, value_name = "TABLE")]
    pub table: Option<String>,
    #[command(flatten)]
    pub task: TaskArgs,
}

#[derive(Debug, Args)]
pub struct EtlTryArgs {
    #[command(flatten)]
    pub etl: EtlArgs,
    /// The row, like {"id": 1, "name": "a"}; columns that are not named are NULL
    #[arg(long, value_name = "JSON")]
    pub row: String,
}

#[derive(Debug, Default, Args)]
#[command(next_help_heading = "Source")]
pub struct SourceArgs {
    /// The database to move from, like mysql://user@host:3306
    #[arg(long = "source", value_name = "URL")]
    pub source_url: Option<String>,
    /// Environment variable that holds the source password
    #[arg(long, value_name = "NAME", conflicts_with_all = ["source_password_file", "source_password_command"])]
    pub source_password_env: Option<String>,
    /// File that holds the source password
    #[arg(long, value_name = "FILE", conflicts_with = "source_password_command")]
    pub source_password_file: Option<String>,
    /// Shell command that prints the source password
    #[arg(long, value_name = "COMMAND")]
    pub source_password_command: Option<String>,
    /// off, preferred, required, verify-ca or verify-identity [default: preferred]
    #[arg(long, value_name = "MODE", value_parser = parse_tls_mode)]
    pub source_tls: Option<TlsMode>,
    /// PEM file with the certificates to trust
    #[arg(long, value_name = "FILE")]
    pub source_tls_ca: Option<String>,
    /// PEM file with the client certificate
    #[arg(long, value_name = "FILE")]
    pub source_tls_certificate: Option<String>,
    /// PEM file with the key of the client certificate
    #[arg(long, value_name = "FILE")]
    pub source_tls_key: Option<String>,
}

#[derive(Debug, Default, Args)]
#[command(next_help_heading = "Target")]
pub struct TargetArgs {
    /// The database to move to, like mysql://user@host:3306
    #[arg(long = "target", value_name = "URL")]
    pub target_url: Option<String>,
    /// Environment variable that holds the target password
    #[arg(long, value_name = "NAME", conflicts_with_all = ["target_password_file", "target_password_command"])]
    pub target_password_env: Option<String>,
    /// File that holds the target password
    #[arg(long, value_name = "FILE", conflicts_with = "target_password_command")]
    pub target_password_file: Option<String>,
    /// Shell command that prints the target password
    #[arg(long, value_name = "COMMAND")]
    pub target_password_command: Option<String>,
    /// off, preferred, required, verify-ca or verify-identity [default: preferred]
    #[arg(long, value_name = "MODE", value_parser = parse_tls_mode)]
    pub target_tls: Option<TlsMode>,
    /// PEM file with the certificates to trust
    #[arg(long, value_name = "FILE")]
    pub target_tls_ca: Option<String>,
    /// PEM file with the client certificate
    #[arg(long, value_name = "FILE")]
    pub target_tls_certificate: Option<String>,
    /// PEM file with the key of the client certificate
    #[arg(long, value_name = "FILE")]
    pub target_tls_key: Option<String>,
}

#[derive(Debug, Default, Args)]
#[command(next_help_heading = "Tuning")]
pub struct TuningArgs {
    /// Connections that read rows at the source, 1 to 64 [default: 4]
    #[arg(long, value_name = "COUNT")]
    pub readers: Option<usize>,
    /// Connections that write rows in the target, 1 to 64 [default: 4]
    #[arg(long, value_name = "COUNT")]
    pub writers: Option<usize>,
    /// Connections that apply changes in the target, 1 to 64 [default: 4]
    #[arg(long, value_name = "COUNT")]
    pub workers: Option<usize>,
    /// Memory of the whole process, at least 128MiB [default: 512MiB]
    #[arg(long, value_name = "SIZE", value_parser = parse_size)]
    pub memory: Option<ByteSize>,
    /// Database in the target for Wherry's own tables [default: wherry]
    #[arg(long, value_name = "NAME")]
    pub state_database: Option<String>,
}

fn parse_size(text: &str) -> Result<ByteSize, String> {
    ByteSize::try_from(text.to_owned())
}

fn parse_policy(text: &str) -> Result<ConflictPolicy, String> {
    match text {
        "fail" => Ok(ConflictPolicy::Fail),
        "keep" => Ok(ConflictPolicy::Keep),
        "replace" => Ok(ConflictPolicy::Replace),
        _ => Err("expected fail, keep or replace".to_owned()),
    }
}

fn parse_tls_mode(text: &str) -> Result<TlsMode, String> {
    Ok(match text {
        "off" => TlsMode::Off,
        "preferred" => TlsMode::Preferred,
        "required" => TlsMode::Required,
        "verify-ca" => TlsMode::VerifyCa,
        "verify-identity" => TlsMode::VerifyIdentity,
        _ => {
            return Err(
                "expected off, preferred, required, verify-ca or verify-identity".to_owned(),
            );
        }
    })
}

/// Reads `wait`, `read-only` or `command:SHELL COMMAND`.
pub fn parse_stop_writes(text: &str) -> Result<StopWrites, String> {
    match text.split_once(':') {
        None if text == "wait" => Ok(StopWrites::Wait),
        None if text == "read-only" => Ok(StopWrites::ReadOnly),
        Some(("command", command)) if !command.trim().is_empty() => {
            Ok(StopWrites::Command(command.trim().to_owned()))
        }
        _ => Err("expected wait, read-only or command:SHELL COMMAND".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory as _;

    #[test]
    fn the_definition_is_sound() {
        Cli::command().debug_assert();
    }

    #[test]
    fn a_run_by_flags_only() {
        let cli = Cli::try_parse_from([
            "wherry",
            "run",
            "--source",
            "mysql://a@s:3306",
            "--target",
            "mysql://b@t:3306",
            "--databases",
            "shop,crm",
            "--source-tls",
            "verify-identity",
            "--stop-writes",
            "command:stop.sh now",
            "--cutover",
            "--output",
            "json",
        ])
        .expect("parses");
        let Command::Run(run) = cli.command else {
            panic!("not a run");
        };
        assert_eq!(
            run.task.databases,
            Some(vec!["shop".to_owned(), "crm".to_owned()])
        );
        assert_eq!(run.task.source.source_tls, Some(TlsMode::VerifyIdentity));
        assert_eq!(
            run.stop.stop_writes,
            Some(StopWrites::Command("stop.sh now".to_owned()))
        );
        assert!(run.cutover);
        assert_eq!(cli.global.output, OutputArg::Json);
    }

    #[test]
    fn one_password_source_each() {
        let error = Cli::try_parse_from([
            "wherry",
            "run",
            "--source-password-env",
            "A",
            "--source-password-file",
            "b",
        ])
        .expect_err("conflict");
        assert_eq!(error.exit_code(), 2);
    }

    #[test]
    fn stop_writes_forms() {
        let check = |text: &str, expected: Option<StopWrites>| {
            assert_eq!(parse_stop_writes(text).ok(), expected, "{text}");
        };
        check("wait", Some(StopWrites::Wait));
        check("read-only", Some(StopWrites::ReadOnly));
        check("command:a b", Some(StopWrites::Command("a b".to_owned())));
        check("command:", None);
        check("command", None);
        check("stop", None);
    }
}
