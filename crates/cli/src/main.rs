//! The program `wherry`: reads what the user typed, drives the engine, prints what happened.
//!
//! Owns arguments, task files, output, exit codes. Must not know SQL. Data flows from `args` over
//! `task` to `wire`, and back over `live`, `checks`, `verification` and `status` to the user.

mod args;
mod checks;
mod dts;
mod etl;
mod exit;
mod figures;
mod live;
mod logging;
mod output;
mod pages;
mod picture;
mod plan;
mod report;
mod resync;
mod run;
mod signals;
mod status;
mod task;
mod taskfile;
mod verification;
mod wire;

use args::{Cli, Command, StopArgs};
use clap::Parser as _;
use exit::Exit;
use output::Output;
use report::Failure;
use resync::Again;
use std::process::ExitCode;
use task::Task;
use wherry_model::Fault;
use wherry_model::task::TaskSpec;
use wire::Goal;

fn main() -> ExitCode {
    // Clap ends a wrong command line with 2, the code for bad input.
    let cli = Cli::parse();
    let output = Output::choose(cli.global.output);
    let exit = execute(cli, output).unwrap_or_else(|failure| {
        output.failure(&failure);
        failure.exit()
    });
    ExitCode::from(exit.code())
}

fn execute(cli: Cli, output: Output) -> Result<Exit, Failure> {
    logging::start(&cli.global)?;
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .map_err(|error| Fault::bug("CLI-090", "could not start the runtime").cause(error))?;
    let result = runtime.block_on(dispatch(cli.command, output));
    // A connection that hangs must not keep the process from ending.
    runtime.shutdown_background();
    result
}

async fn dispatch(command: Command, output: Output) -> Result<Exit, Failure> {
    let no_stop = StopArgs::default();
    match command {
        Command::Run(run) => {
            let task = Task::from_args(&run.task, &run.stop)?;
            let goal = if run.cutover {
                Goal::RunAndCutover
            } else {
                Goal::Stream
            };
            run::run(&task, goal, output).await
        }
        Command::Precheck(args) => run::precheck(&Task::from_args(&args, &no_stop)?, output).await,
        Command::Schema(args) => {
            run::run(&Task::from_args(&args, &no_stop)?, Goal::Schema, output).await
        }
        Command::Load(args) => {
            run::run(&Task::from_args(&args, &no_stop)?, Goal::Load, output).await
        }
        Command::Stream(args) => {
            run::run_loaded(&Task::from_args(&args, &no_stop)?, Goal::Stream, output).await
        }
        Command::Verify(args) => run::verify(&Task::from_args(&args, &no_stop)?, output).await,
        Command::Cutover(cutover) => {
            let task = Task::from_args(&cutover.task, &cutover.stop)?;
            run::run_loaded(&task, Goal::Cutover, output).await
        }
        Command::Resync(args) => resync::run(args, Again::Load, output).await,
        Command::Retry(args) => resync::run(args, Again::Definition, output).await,
        Command::Skip(args) => resync::choose(args, None, output).await,
        Command::Replace(args) => resync::choose(args.paused, Some(&args.with), output).await,
        Command::Status(args) => {
            status::print(&Task::for_status(&args.task)?, args.all, output).await?;
            Ok(Exit::Done)
        }
        Command::Plan(args) => plan::print(&Task::from_args(&args, &no_stop)?, output).await,
        Command::ImportDts { file } => dts::print(&file, output),
        Command::Etl { command } => etl::run(&command, output).await,
        Command::TaskSchema => print_task_schema(),
        Command::Errors { code } => {
            pages::explain(code.as_deref(), output)?;
            Ok(Exit::Done)
        }
    }
}

fn print_task_schema() -> Result<Exit, Failure> {
    let schema = schemars::schema_for!(TaskSpec);
    let text = serde_json::to_string_pretty(&schema)
        .map_err(|error| Fault::bug("CLI-091", "could not print the schema").cause(error))?;
    output::line(&text);
    Ok(Exit::Done)
}
