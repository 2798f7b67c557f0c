//! Runs the `wherry` binary against test servers and reads what it says.

use serde_json::Value;
use std::io::{BufRead, BufReader};
use std::panic::Location;
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Condvar, Mutex};
use std::time::{Duration, Instant};
use wherry_testkit::Server;

/// A bound for hangs, not a check of speed.
const PATIENCE: Duration = Duration::from_secs(180);

/// One task between two servers.
pub struct Wherry {
    folder: tempfile::TempDir,
    /// Addresses as they stand in the task file.
    source: String,
    target: String,
    databases: Vec<String>,
    /// Further YAML under `source`, in flow style.
    source_keys: String,
    /// Further YAML under `select`, in flow style.
    select: String,
    /// Further YAML for the task file.
    extra: String,
}

/// How a finished command ended and what it said.
#[derive(Debug)]
pub struct Finished {
    pub code: i32,
    pub lines: Vec<Value>,
    pub stderr: String,
}

impl Finished {
    /// The lines of one type.
    pub fn of_type(&self, kind: &str) -> Vec<&Value> {
        self.lines
            .iter()
            .filter(|line| line["type"] == kind)
            .collect()
    }

    /// The code of the error line, empty without one.
    pub fn error_code(&self) -> String {
        let errors = self.of_type("error");
        errors
            .last()
            .and_then(|line| line["code"].as_str())
            .unwrap_or_default()
            .to_owned()
    }

    #[track_caller]
    pub fn expect_code(self, code: i32) -> Finished {
        assert_eq!(
            self.code,
            code,
            "exit code; it said:\n{}\n{}",
            self.tail(),
            self.stderr
        );
        self
    }

    fn tail(&self) -> String {
        let skip = self.lines.len().saturating_sub(12);
        self.lines
            .iter()
            .skip(skip)
            .map(|line| format!("{line}\n"))
            .collect()
    }
}

impl Wherry {
    pub fn new(source: &Server, target: &Server, databases: &[&str]) -> Wherry {
        Wherry::with_urls(&source.url("mover"), &target.url("mover"), databases)
    }

    pub fn with_urls(source: &str, target: &str, databases: &[&str]) -> Wherry {
        Wherry {
            folder: tempfile::tempdir().expect("a temporary folder"),
            source: source.to_owned(),
            target: target.to_owned(),
            databases: databases.iter().map(|name| (*name).to_owned()).collect(),
            source_keys: String::new(),
            select: String::new(),
            extra: String::new(),
        }
    }

    /// Adds keys under `select`, like `policy: keep`.
    #[must_use]
    pub fn select(mut self, yaml: &str) -> Wherry {
        self.select = format!(", {yaml}");
        self
    }

    /// Adds keys under `source`, like `heartbeat: {}`.
    #[must_use]
    pub fn source(mut self, yaml: &str) -> Wherry {
        self.source_keys = format!(", {yaml}");
        self
    }

    /// Adds YAML lines to the task file.
    #[must_use]
    pub fn extra(mut self, yaml: &str) -> Wherry {
        self.extra = yaml.to_owned();
        self
    }

    /// Runs a command to its end.
    pub fn finish(&self, words: &[&str]) -> Finished {
        self.start(words).wait()
    }

    /// Starts a command and leaves it running.
    pub fn start(&self, words: &[&str]) -> Running {
        let mut command = Command::new(env!("CARGO_BIN_EXE_wherry"));
        let (verb, rest) = words.split_first().expect("a verb");
        command.arg(verb).arg(self.task_file()).args(rest);
        command.args(["--output", "json", "--log-level", "info"]);
        Running::spawn(command)
    }

    fn task_file(&self) -> std::path::PathBuf {
        let path = self.folder.path().join("task.yaml");
        let text = format!(
            "task: test\nsource: {{url: \"{}\"{}}}\ntarget: {{url: \"{}\"}}\nselect: {{databases: [{}]{}}}\n{}\n",
            self.source,
            self.source_keys,
            self.target,
            self.databases.join(", "),
            self.select,
            self.extra
        );
        std::fs::write(&path, text).expect("the task file can be written");
        path
    }
}

/// A running `wherry`; killed when it is dropped.
pub struct Running {
    child: Child,
    heard: Arc<Heard>,
    stderr: Arc<Mutex<String>>,
    readers: Vec<std::thread::JoinHandle<()>>,
}

#[derive(Default)]
struct Heard {
    state: Mutex<(Vec<Value>, bool)>,
    news: Condvar,
}

impl Running {
    fn spawn(mut command: Command) -> Running {
        command
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        let mut child = command.spawn().expect("wherry starts");
        let heard = Arc::new(Heard::default());
        let stderr = Arc::new(Mutex::new(String::new()));
        let out = BufReader::new(child.stdout.take().expect("piped"));
        let err = BufReader::new(child.stderr.take().expect("piped"));
        let listener = Arc::clone(&heard);
        let out_thread = std::thread::spawn(move || {
            for line in out.lines().map_while(Result::ok) {
                let value = serde_json::from_str(&line).unwrap_or(Value::String(line));
                listener.state.lock().expect("not poisoned").0.push(value);
                listener.news.notify_all();
            }
            listener.state.lock().expect("not poisoned").1 = true;
            listener.news.notify_all();
        });
        let kept = Arc::clone(&stderr);
        let err_thread = std::thread::spawn(move || {
            for line in err.lines().map_while(Result::ok) {
                let mut text = kept.lock().expect("not poisoned");
                text.push_str(&line);
                text.push('\n');
            }
        });
        Running {
            child,
            heard,
            stderr,
            readers: vec![out_thread, err_thread],
        }
    }

    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Waits until a line is heard for which `wanted` holds; fails when the program ends first.
    #[track_caller]
    pub fn hear(&self, what: &str, wanted: impl Fn(&Value) -> bool) -> Value {
        let what = format!("{what} ({})", Location::caller());
        blocking(|| self.listen(&what, wanted))
    }

    fn listen(&self, what: &str, wanted: impl Fn(&Value) -> bool) -> Value {
        let begin = Instant::now();
        let mut state = self.heard.state.lock().expect("not poisoned");
        let mut next = 0;
        loop {
            if let Some(line) = state.0[next..].iter().find(|line| wanted(line)) {
                return line.clone();
            }
            next = state.0.len();
            let said = || {
                state
                    .0
                    .iter()
                    .rev()
                    .take(6)
                    .map(ToString::to_string)
                    .collect::<Vec<_>>()
            };
            assert!(
                !state.1,
                "wherry ended before {what}; last lines {:?}\n{}",
                said(),
                self.stderr()
            );
            assert!(
                begin.elapsed() < PATIENCE,
                "never heard {what}; last lines {:?}\n{}",
                said(),
                self.stderr()
            );
            state = self
                .heard
                .news
                .wait_timeout(state, Duration::from_secs(1))
                .expect("not poisoned")
                .0;
        }
    }

    /// Lines of the log that hold `words`: it says each thing once, the progress may skip one.
    pub fn said(&self, words: &str) -> Vec<String> {
        let log = self.stderr();
        log.lines()
            .filter(|line| line.contains(words))
            .map(str::to_owned)
            .collect()
    }

    /// Waits until the log has a line with these words.
    #[track_caller]
    pub fn hear_log(&self, words: &str) {
        let (begin, caller) = (Instant::now(), Location::caller());
        blocking(|| {
            while self.said(words).is_empty() {
                let waits = begin.elapsed() < PATIENCE;
                assert!(waits, "never heard {words} ({caller})\n{}", self.stderr());
                std::thread::sleep(Duration::from_millis(20));
            }
        });
    }

    /// The last line of this type that was heard.
    pub fn last(&self, kind: &str) -> Option<Value> {
        let state = self.heard.state.lock().expect("not poisoned");
        state
            .0
            .iter()
            .rev()
            .find(|line| line["type"] == kind)
            .cloned()
    }

    /// Waits until the stream has passed its end and every change is checked.
    #[track_caller]
    pub fn hear_strict(&self) -> Value {
        self.hear("the stream behind its end", |line| {
            line["type"] == "progress"
                && line["phase"] == "stream"
                && line["message"]
                    .as_str()
                    .is_some_and(|text| text.contains("every change is now checked"))
        })
    }

    pub fn stderr(&self) -> String {
        self.stderr.lock().expect("not poisoned").clone()
    }

    /// Sends a signal by its name, like `KILL` or `TERM`.
    pub fn signal(&self, name: &str) {
        let status = Command::new("kill")
            .arg(format!("-{name}"))
            .arg(self.pid().to_string())
            .status();
        assert!(
            status.expect("kill runs").success(),
            "signal {name} was sent"
        );
    }

    /// Waits for the end.
    pub fn wait(self) -> Finished {
        blocking(|| self.wait_here())
    }

    fn wait_here(mut self) -> Finished {
        let begin = Instant::now();
        let status = loop {
            if let Some(status) = self.child.try_wait().expect("the child can be waited for") {
                break status;
            }
            assert!(
                begin.elapsed() < PATIENCE * 2,
                "wherry did not end\n{}",
                self.stderr()
            );
            std::thread::sleep(Duration::from_millis(20));
        };
        for reader in self.readers.drain(..) {
            let _ = reader.join();
        }
        let lines = std::mem::take(&mut self.heard.state.lock().expect("not poisoned").0);
        Finished {
            code: status.code().unwrap_or(-1),
            lines,
            stderr: self.stderr(),
        }
    }

    /// Stops it as a user does, and expects the exit code for that.
    #[track_caller]
    pub fn stop(self) -> Finished {
        self.signal("TERM");
        self.wait().expect_code(130)
    }
}

/// Waits without holding up the tasks of a test: one that this thread was to run next runs elsewhere.
/// A writer that stood still in the midst of its transaction would keep its locks.
fn blocking<T>(wait: impl FnOnce() -> T) -> T {
    tokio::task::block_in_place(wait)
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
