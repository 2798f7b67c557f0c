//! Checks across the values of a task, each with the key and the flag it came by.

use crate::args::TaskArgs;
use crate::report::Failure;
use crate::taskfile::TaskFile;
use url::Url;
use wherry_model::Fault;
use wherry_model::select::is_system_database;
use wherry_model::task::{EndpointSpec, TaskSpec, TlsMode};

/// Smallest memory that holds one row of 16 MiB in each of its copies beside the program.
const MEMORY_BYTES_MIN: u64 = 128 << 20;
const CONNECTION_COUNT_MAX: usize = 64;
/// `GET_LOCK` takes names of 64 characters; `wherry/` and `/ddl` around the task's take 11.
const TASK_NAME_CHARACTERS_MAX: usize = 48;
/// The limit of MySQL for a database name, less the suffixes that Wherry appends.
const STATE_DATABASE_CHARACTERS_MAX: usize = 48;

/// One value that cannot be right.
#[derive(Debug)]
pub struct Problem {
    pub code: &'static str,
    /// Dotted path in a task file.
    pub key: String,
    pub message: String,
    pub hint: String,
}

impl Problem {
    fn new(
        code: &'static str,
        key: impl Into<String>,
        message: impl Into<String>,
        hint: impl Into<String>,
    ) -> Problem {
        Problem {
            code,
            key: key.into(),
            message: message.into(),
            hint: hint.into(),
        }
    }
}

/// Points at the file where the value came from there, else names the flag.
pub fn problems_as_failure<T>(
    result: Result<T, Problem>,
    file: Option<&TaskFile>,
    args: &TaskArgs,
) -> Result<T, Failure> {
    result.map_err(|problem| {
        let flag = flag_of(&problem.key);
        match file {
            Some(file) if !is_given(&problem.key, args) => Failure::TaskFile(Box::new(
                file.error_at(&problem.key, problem.code, problem.message, problem.hint),
            )),
            _ => Failure::Fault(
                Fault::input(problem.code, format!("{} (from {flag})", problem.message))
                    .hint(problem.hint),
            ),
        }
    })
}

fn flag_of(key: &str) -> &'static str {
    match key.split('.').collect::<Vec<_>>().as_slice() {
        [.., "operations"]
        | ["stream", "online_ddl" | "from", ..]
        | ["source" | "target", "heartbeat", ..] => "the task file",
        ["phases"] => "--phases",
        ["source", "url"] => "--source",
        ["target", "url"] => "--target",
        ["source", "tls", ..] => "--source-tls and its companions",
        ["target", "tls", ..] => "--target-tls and its companions",
        ["select", "policy"] => "--policy",
        [
            "select",
            "mapping" | "capitalization" | "include" | "exclude" | "tables",
            ..,
        ] => "the task file",
        ["select", ..] => "--databases",
        ["load", "readers"] => "--readers",
        ["load", "writers"] => "--writers",
        ["stream", "workers"] => "--workers",
        ["limits", ..] => "--memory",
        ["state", ..] => "--state-database",
        ["cutover", ..] => "--stop-writes",
        _ => "--task",
    }
}

fn is_given(key: &str, args: &TaskArgs) -> bool {
    match flag_of(key) {
        "--source" => args.source.source_url.is_some(),
        "--target" => args.target.target_url.is_some(),
        "--databases" => args.databases.is_some(),
        "--policy" => args.policy.is_some(),
        "--phases" => args.phases.is_some(),
        "--readers" => args.tuning.readers.is_some(),
        "--writers" => args.tuning.writers.is_some(),
        "--workers" => args.tuning.workers.is_some(),
        "--memory" => args.tuning.memory.is_some(),
        "--state-database" => args.tuning.state_database.is_some(),
        "--task" => args.task.is_some(),
        _ => false,
    }
}

/// Everything that can be known to be wrong without a connection; the first problem found.
pub fn check(spec: &TaskSpec) -> Result<(), Problem> {
    check_task_name(spec)?;
    let source = address(&spec.source, "source")?;
    let target = address(&spec.target, "target")?;
    check_state_database(spec)?;
    heartbeat::check(spec)?;
    select::check(spec)?;
    shape::check(spec)?;
    mapping::check(spec)?;
    operations::check(spec)?;
    phases::check(spec)?;
    if source == target {
        return Err(Problem::new(
            "CLI-015",
            "target.url",
            "source and target are the same server",
            "Name two different servers; databases keep their names, so one server cannot be both.",
        ));
    }
    check_tls(&spec.source, "source")?;
    check_tls(&spec.target, "target")?;
    check_numbers(spec)
}

/// `status` needs no source and no databases.
pub fn check_for_status(spec: &TaskSpec) -> Result<(), Problem> {
    check_task_name(spec)?;
    address(&spec.target, "target")?;
    check_state_database(spec)?;
    check_tls(&spec.target, "target")
}

/// Where an end listens.
#[derive(Debug, PartialEq, Eq)]
pub struct Address {
    pub host: String,
    pub port: u16,
}

/// Reads the URL of an end. Messages never repeat it, because it may hold a password.
pub fn address(end: &EndpointSpec, name: &str) -> Result<Address, Problem> {
    let wrong = |message: String| {
        Problem::new(
            "CLI-011",
            format!("{name}.url"),
            message,
            "Write it like mysql://user@host:3306; special characters of a user or password are percent-encoded.",
        )
    };
    let url = Url::parse(&end.url.0).map_err(|error| wrong(format!("{name} URL: {error}")))?;
    if url.scheme() != "mysql" {
        return Err(wrong(format!("{name} URL does not begin with mysql://")));
    }
    let host = url.host_str().unwrap_or("");
    if host.is_empty() {
        return Err(wrong(format!("{name} URL names no host")));
    }
    if url.username().is_empty() {
        return Err(wrong(format!("{name} URL names no user")));
    }
    if !matches!(url.path(), "" | "/") {
        return Err(wrong(format!(
            "{name} URL names a database; databases belong under select"
        )));
    }
    if url.query().is_some() || url.fragment().is_some() {
        return Err(wrong(format!("{name} URL has parameters, which it cannot")));
    }
    Ok(Address {
        host: host
            .trim_matches(|c| c == '[' || c == ']')
            .to_ascii_lowercase(),
        port: url.port().unwrap_or(3306),
    })
}

fn check_task_name(spec: &TaskSpec) -> Result<(), Problem> {
    let Some(name) = &spec.task else {
        return Ok(());
    };
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_.".contains(c);
    if name.is_empty() || name.len() > TASK_NAME_CHARACTERS_MAX || !name.chars().all(plain) {
        return Err(Problem::new(
            "CLI-019",
            "task",
            format!("`{}` cannot be the name of a task", name.escape_debug()),
            format!(
                "Use 1 to {TASK_NAME_CHARACTERS_MAX} letters, digits, `-`, `_` or `.`, or leave it out."
            ),
        ));
    }
    Ok(())
}

fn check_state_database(spec: &TaskSpec) -> Result<(), Problem> {
    let name = &spec.state.database;
    let plain = |c: char| c.is_ascii_alphanumeric() || c == '_';
    let usable = !name.is_empty()
        && name.len() <= STATE_DATABASE_CHARACTERS_MAX
        && name.chars().all(plain)
        && !is_system_database(name);
    if usable {
        return Ok(());
    }
    Err(Problem::new(
        "CLI-020",
        "state.database",
        format!(
            "`{}` cannot be the database of Wherry's own tables",
            name.escape_debug()
        ),
        format!(
            "Use 1 to {STATE_DATABASE_CHARACTERS_MAX} letters, digits or `_`, and no system database."
        ),
    ))
}

mod additional;
mod heartbeat;
mod mapping;
mod operations;
mod phases;
mod select;
pub(super) mod shape;

fn check_tls(end: &EndpointSpec, name: &str) -> Result<(), Problem> {
    let tls = &end.tls;
    let wrong = |part: &str, message: &str, hint: &str| {
        Problem::new("CLI-022", format!("{name}.tls.{part}"), message, hint)
    };
    if tls.mode == TlsMode::Off
        && (tls.ca.is_some() || tls.certificate.is_some() || tls.key.is_some())
    {
        return Err(wrong(
            "mode",
            "certificates are given, but TLS is off",
            "Choose another mode or remove the certificates.",
        ));
    }
    if tls.certificate.is_some() != tls.key.is_some() {
        return Err(wrong(
            if tls.key.is_some() {
                "key"
            } else {
                "certificate"
            },
            "a client certificate and its key belong together",
            "Give both or neither.",
        ));
    }
    let checks_nothing = matches!(tls.mode, TlsMode::Preferred | TlsMode::Required);
    if tls.ca.is_some() && checks_nothing {
        return Err(wrong(
            "ca",
            "a CA is given, but this mode checks no certificate",
            "Use mode verify-ca or verify-identity, or remove the CA.",
        ));
    }
    Ok(())
}

fn check_numbers(spec: &TaskSpec) -> Result<(), Problem> {
    let counts = [
        ("load.readers", spec.load.readers),
        ("load.writers", spec.load.writers),
        ("stream.workers", spec.stream.workers),
    ];
    for (key, count) in counts {
        if !(1..=CONNECTION_COUNT_MAX).contains(&count) {
            return Err(Problem::new(
                "CLI-016",
                key,
                format!("{count} connections are out of range"),
                format!("Use 1 to {CONNECTION_COUNT_MAX}."),
            ));
        }
    }
    if spec.limits.memory.0 < MEMORY_BYTES_MIN {
        return Err(Problem::new(
            "CLI-017",
            "limits.memory",
            "the memory limit is below 128MiB",
            "Give at least 128MiB; 512MiB is the default.",
        ));
    }
    Ok(())
}
