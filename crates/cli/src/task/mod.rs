//! From what the user typed to a task that can be run: file and flags are put together, every
//! value is checked, and the name is settled. Nothing here touches a network.

mod check;
mod name;

pub use name::derive_name;

use crate::args::{SourceArgs, StopArgs, TargetArgs, TaskArgs, TuningArgs};
use crate::report::Failure;
use crate::taskfile::{ReadError, TaskFile};
use std::path::Path;
use wherry_model::Fault;
use wherry_model::online::OnlineTables;
use wherry_model::task::{
    CutoverSpec, EndpointSpec, LimitSpec, LoadSpec, Phases, SchemaSpec, SecretSpec, SecretUrl,
    SelectSpec, StateSpec, StreamSpec, TaskSpec, TlsSpec,
};

/// A checked task.
#[derive(Debug)]
pub struct Task {
    pub name: String,
    pub spec: TaskSpec,
}

impl Task {
    /// Reads the task file, if one is given, lets the flags win, and checks everything.
    ///
    /// Relative paths in a file start from the file's folder, those in flags from the current one.
    pub fn from_args(args: &TaskArgs, stop: &StopArgs) -> Result<Task, Failure> {
        let file = args.file.as_deref().map(read).transpose()?;
        let mut spec = match &file {
            Some(file) => from_file(file),
            None => from_flags(args)?,
        };
        apply_flags(&mut spec, args, stop);
        spec.select.online = OnlineTables::new(&spec.stream.online_ddl);
        let state = &spec.state.database;
        spec.select.own_databases = vec![state.clone(), format!("{state}_shadow")];
        let beats = spec.source.heartbeat.iter();
        let beats = beats.map(|heartbeat| heartbeat.database.clone());
        spec.select.own_databases.extend(beats);
        spec.select.refused_ddl = spec.stream.refused_ddl;
        spec.select.phases = spec.phases;
        spec.select.from = spec.stream.from.clone();
        spec.select.engine = spec.schema.engine;
        spec.schema.follow(&spec.select);
        let name = match &spec.task {
            Some(name) => name.clone(),
            None => check::problems_as_failure(derive_name(&spec), file.as_ref(), args)?,
        };
        let loaded = check::shape::load_scripts(&mut spec);
        check::problems_as_failure(loaded, file.as_ref(), args)?;
        check::problems_as_failure(check::check(&spec), file.as_ref(), args)?;
        Ok(Task { name, spec })
    }

    /// The task that `status` asks about: name and target are enough.
    pub fn for_status(args: &TaskArgs) -> Result<Task, Failure> {
        let named_by_flags = args.file.is_none() && args.task.is_some();
        if !named_by_flags || args.source.source_url.is_some() {
            return Task::from_args(args, &StopArgs::default());
        }
        let mut spec = TaskSpec {
            task: args.task.clone(),
            source: endpoint(String::new()),
            target: endpoint(required(&args.target.target_url, "--target")?),
            select: SelectSpec::default(),
            phases: Phases::default(),
            load: LoadSpec::default(),
            stream: StreamSpec::default(),
            schema: SchemaSpec::default(),
            cutover: CutoverSpec::default(),
            limits: LimitSpec::default(),
            state: StateSpec::default(),
        };
        apply_flags(&mut spec, args, &StopArgs::default());
        check::problems_as_failure(check::check_for_status(&spec), None, args)?;
        let name = args.task.clone().unwrap_or_default();
        Ok(Task { name, spec })
    }
}

fn read(path: &Path) -> Result<TaskFile, Failure> {
    TaskFile::read(path).map_err(|error| match error {
        ReadError::File(fault) => Failure::Fault(fault),
        ReadError::Content(error) => Failure::TaskFile(error),
    })
}

fn from_file(file: &TaskFile) -> TaskSpec {
    let mut spec = file.spec.clone();
    for end in [&mut spec.source, &mut spec.target] {
        if let Some(SecretSpec::File(path)) = &mut end.password {
            rebase(path, file.folder());
        }
        let tls = [&mut end.tls.ca, &mut end.tls.certificate, &mut end.tls.key];
        for path in tls.into_iter().flatten() {
            rebase(path, file.folder());
        }
    }
    let scripts = spec.select.tables.iter_mut();
    for path in scripts.filter_map(|rule| rule.etl.as_mut()?.file.as_mut()) {
        rebase(path, file.folder());
    }
    spec
}

fn rebase(path: &mut String, folder: &Path) {
    *path = folder.join(&*path).display().to_string();
}

fn from_flags(args: &TaskArgs) -> Result<TaskSpec, Failure> {
    let databases = args.databases.clone().ok_or_else(|| missing("--databases"));
    Ok(TaskSpec {
        task: None,
        source: endpoint(required(&args.source.source_url, "--source")?),
        target: endpoint(required(&args.target.target_url, "--target")?),
        select: SelectSpec {
            databases: databases?,
            ..SelectSpec::default()
        },
        phases: Phases::default(),
        load: LoadSpec::default(),
        stream: StreamSpec::default(),
        schema: SchemaSpec::default(),
        cutover: CutoverSpec::default(),
        limits: LimitSpec::default(),
        state: StateSpec::default(),
    })
}

fn endpoint(url: String) -> EndpointSpec {
    EndpointSpec {
        url: SecretUrl(url),
        password: None,
        tls: TlsSpec::default(),
        heartbeat: None,
    }
}

fn required(value: &Option<String>, flag: &str) -> Result<String, Failure> {
    value.clone().ok_or_else(|| missing(flag))
}

fn missing(flag: &str) -> Failure {
    Failure::Fault(
        Fault::input("CLI-010", format!("neither a task file nor {flag} was given")).hint(
            "Name a task file, or give --source, --target and --databases; `wherry run --help` shows them.",
        ),
    )
}

fn apply_flags(spec: &mut TaskSpec, args: &TaskArgs, stop: &StopArgs) {
    replace(&mut spec.task, args.task.clone().map(Some));
    replace(&mut spec.select.databases, args.databases.clone());
    replace(&mut spec.select.policy, args.policy);
    replace(&mut spec.phases, args.phases);
    apply_source(&mut spec.source, &args.source);
    apply_target(&mut spec.target, &args.target);
    apply_tuning(spec, &args.tuning);
    replace(&mut spec.cutover.stop_writes, stop.stop_writes.clone());
    replace(
        &mut spec.cutover.lag_max_seconds,
        stop.lag_max_seconds.map(Some),
    );
}

fn apply_source(end: &mut EndpointSpec, args: &SourceArgs) {
    replace(&mut end.url, args.source_url.clone().map(SecretUrl));
    let password = secret(
        &args.source_password_env,
        &args.source_password_file,
        &args.source_password_command,
    );
    replace(&mut end.password, password.map(Some));
    replace(&mut end.tls.mode, args.source_tls);
    replace(&mut end.tls.ca, args.source_tls_ca.clone().map(Some));
    replace(
        &mut end.tls.certificate,
        args.source_tls_certificate.clone().map(Some),
    );
    replace(&mut end.tls.key, args.source_tls_key.clone().map(Some));
}

fn apply_target(end: &mut EndpointSpec, args: &TargetArgs) {
    replace(&mut end.url, args.target_url.clone().map(SecretUrl));
    let password = secret(
        &args.target_password_env,
        &args.target_password_file,
        &args.target_password_command,
    );
    replace(&mut end.password, password.map(Some));
    replace(&mut end.tls.mode, args.target_tls);
    replace(&mut end.tls.ca, args.target_tls_ca.clone().map(Some));
    replace(
        &mut end.tls.certificate,
        args.target_tls_certificate.clone().map(Some),
    );
    replace(&mut end.tls.key, args.target_tls_key.clone().map(Some));
}

fn apply_tuning(spec: &mut TaskSpec, args: &TuningArgs) {
    replace(&mut spec.load.readers, args.readers);
    replace(&mut spec.load.writers, args.writers);
    replace(&mut spec.stream.workers, args.workers);
    replace(&mut spec.limits.memory, args.memory);
    replace(&mut spec.state.database, args.state_database.clone());
}

fn replace<T>(place: &mut T, value: Option<T>) {
    if let Some(value) = value {
        *place = value;
    }
}

fn secret(
    env: &Option<String>,
    file: &Option<String>,
    command: &Option<String>,
) -> Option<SecretSpec> {
    env.clone()
        .map(SecretSpec::Env)
        .or_else(|| file.clone().map(SecretSpec::File))
        .or_else(|| command.clone().map(SecretSpec::Command))
}

#[cfg(test)]
mod tests;
