//! Builds and runs the `wherry` program from outside, as a user would: a task file, a command line, an exit code.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use tokio::io::{AsyncBufReadExt, AsyncRead, BufReader, Lines};
use tokio::process::{Child, Command};
use tokio::task::JoinHandle;
use wherry_testkit::Server;

use crate::commands;

pub type Outcome<T> = Result<T, String>;

/// How often the program's memory is looked at. The kernel keeps the peak itself.
const MEMORY_EVERY: Duration = Duration::from_millis(100);
/// How long the program may take to stop at a checkpoint.
const STOP_TIME_MAX: Duration = Duration::from_secs(120);

/// Says what was being done when something of the test kit failed.
pub fn failed<E: std::fmt::Display>(doing: &str) -> impl FnOnce(E) -> String {
    move |error| format!("could not {doing}: {error}")
}

/// Builds the release program and gives its path; `WHERRY_PROGRAM` names one that is built already.
pub fn build() -> Outcome<PathBuf> {
    if let Some(path) = std::env::var_os("WHERRY_PROGRAM").filter(|path| !path.is_empty()) {
        return Ok(PathBuf::from(path));
    }
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    commands::run(std::process::Command::new(&cargo).args([
        "build",
        "--release",
        "--package",
        "wherry-cli",
    ]))?;
    let mut command = std::process::Command::new(&cargo);
    command
        .current_dir(commands::root())
        .args(["metadata", "--format-version", "1", "--no-deps"]);
    let output = command
        .output()
        .map_err(failed("ask cargo for its target folder"))?;
    let metadata: serde_json::Value =
        serde_json::from_slice(&output.stdout).map_err(failed("read cargo's metadata"))?;
    let folder = metadata["target_directory"]
        .as_str()
        .ok_or("cargo names no target folder")?;
    Ok(Path::new(folder).join("release/wherry"))
}

/// A task between two test servers, in a folder of its own.
pub struct Migration {
    program: PathBuf,
    folder: tempfile::TempDir,
}

impl Migration {
    /// `extra` is further YAML for the task file.
    pub fn new(
        program: &Path,
        source: &Server,
        target: &Server,
        database: &str,
        extra: &str,
    ) -> Outcome<Migration> {
        let folder = tempfile::tempdir().map_err(failed("make a folder"))?;
        let url = |server: &Server| format!("mysql://mover@127.0.0.1:{}", server.port());
        let text = format!(
            "task: {database}\nsource: {{url: \"{}\", password: {{env: MOVER_PASSWORD}}}}\n\
             target: {{url: \"{}\", password: {{env: MOVER_PASSWORD}}}}\nselect: {{databases: [{database}]}}\n{extra}\n",
            url(source),
            url(target)
        );
        fs::write(folder.path().join("task.yaml"), text).map_err(failed("write a task file"))?;
        Ok(Migration {
            program: program.to_path_buf(),
            folder,
        })
    }

    /// Starts a subcommand on the task file. Its lines are shown behind a mark when `shown`.
    pub fn start(&self, words: &[&str], shown: bool) -> Outcome<Running> {
        let (verb, rest) = words.split_first().ok_or("no subcommand")?;
        let mut command = Command::new(&self.program);
        command
            .arg(verb)
            .arg(self.folder.path().join("task.yaml"))
            .args(rest)
            .args(["--output", "plain"]);
        command
            .env("MOVER_PASSWORD", "mover")
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        let mut child = command
            .kill_on_drop(true)
            .spawn()
            .map_err(failed("start wherry"))?;
        let stdout = BufReader::new(child.stdout.take().ok_or("no output")?).lines();
        let stderr = BufReader::new(child.stderr.take().ok_or("no output")?).lines();
        let peak = Arc::new(AtomicU64::new(0));
        let watch = tokio::spawn(watch_memory(child.id().unwrap_or(0), Arc::clone(&peak)));
        let relays = vec![
            tokio::spawn(relay(stdout, shown)),
            tokio::spawn(relay(stderr, true)),
        ];
        Ok(Running {
            child,
            peak,
            watch,
            relays,
            begun: Instant::now(),
        })
    }

    /// Runs a subcommand that must end with 0.
    pub async fn finish(&self, words: &[&str], shown: bool) -> Outcome<Finished> {
        let finished = self.start(words, shown)?.wait().await?;
        match finished.code {
            0 => Ok(finished),
            code => Err(format!("wherry {} ended with code {code}", words.join(" "))),
        }
    }
}

/// A running `wherry`; killed when dropped.
pub struct Running {
    child: Child,
    peak: Arc<AtomicU64>,
    watch: JoinHandle<()>,
    relays: Vec<JoinHandle<()>>,
    begun: Instant,
}

/// How it ended.
#[derive(Debug)]
pub struct Finished {
    pub code: i32,
    pub seconds: f64,
    pub peak_mib: u64,
}

impl Running {
    pub async fn wait(mut self) -> Outcome<Finished> {
        let status = self.child.wait().await.map_err(failed("wait for wherry"))?;
        let seconds = self.begun.elapsed().as_secs_f64();
        for relay in self.relays {
            // The lines are for reading only.
            let _ = relay.await;
        }
        self.watch.abort();
        Ok(Finished {
            code: status.code().unwrap_or(-1),
            seconds,
            peak_mib: self.peak.load(Ordering::Relaxed) / 1024,
        })
    }

    /// Whether it has ended by itself.
    pub fn ended(&mut self) -> bool {
        matches!(self.child.try_wait(), Ok(Some(_)))
    }

    /// Stops it at a checkpoint, as Ctrl-C does.
    pub async fn interrupt(self) -> Outcome<Finished> {
        let pid = self
            .child
            .id()
            .ok_or("wherry has ended already")?
            .to_string();
        let sent = Command::new("kill")
            .args(["-s", "INT", &pid])
            .status()
            .await
            .map_err(failed("send a signal"))?;
        if !sent.success() {
            return Err("could not send a signal to wherry".to_owned());
        }
        tokio::time::timeout(STOP_TIME_MAX, self.wait())
            .await
            .map_err(|_| "wherry did not stop at a checkpoint".to_owned())?
    }
}

async fn relay<R: AsyncRead + Unpin>(mut lines: Lines<BufReader<R>>, shown: bool) {
    while let Ok(Some(line)) = lines.next_line().await {
        if shown {
            println!("    wherry | {line}");
        }
    }
}

async fn watch_memory(pid: u32, peak: Arc<AtomicU64>) {
    while let Ok(status) = fs::read_to_string(format!("/proc/{pid}/status")) {
        let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
        let kib = line.and_then(|rest| rest.trim().trim_end_matches(" kB").parse::<u64>().ok());
        peak.fetch_max(kib.unwrap_or(0), Ordering::Relaxed);
        tokio::time::sleep(MEMORY_EVERY).await;
    }
}

/// Runs an async command on its own runtime.
pub fn block_on<T>(work: impl Future<Output = Outcome<T>>) -> Outcome<T> {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build();
    runtime.map_err(failed("make a runtime"))?.block_on(work)
}
