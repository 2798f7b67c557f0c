//! Keeps one server process from outliving the test that started it.
//!
//! A small shell stands between: it starts the server and reads orders from a pipe that only the test process holds.
//! However the test ends, also by SIGKILL, the pipe closes, and the shell kills the server and removes its folder.
//! The shell leads a process group of its own, so a signal to the test's group does not reach it first.

use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};

use crate::failure::{Failure, Result};

/// Orders: `start`, `signal NAME`, `release`; each is answered by one line. The end of the orders ends everything.
const SCRIPT: &str = r#"
folder=$1
pid=
while read -r order argument; do
    case $order in
        start)
            sh "$folder/start.sh" </dev/null >>"$folder/server.log" 2>&1 &
            pid=$!
            echo "$pid" ;;
        signal)
            kill -s "$argument" "$pid" 2>/dev/null
            if [ "$argument" = KILL ]; then wait "$pid" 2>/dev/null; fi
            echo done ;;
        release)
            echo done
            exit 0 ;;
    esac
done
if [ -n "$pid" ]; then
    kill -s KILL "$pid" 2>/dev/null
    wait "$pid" 2>/dev/null
fi
rm -rf "$folder"
"#;

pub(crate) struct Supervisor {
    shell: Child,
    orders: Option<ChildStdin>,
    answers: BufReader<ChildStdout>,
    folder: PathBuf,
    pid: Option<u32>,
}

impl Supervisor {
    /// Takes a folder into care: it is removed when the test process ends.
    pub fn new(folder: &Path) -> Result<Supervisor> {
        let mut command = Command::new("sh");
        command
            .arg("-c")
            .arg(SCRIPT)
            .arg("wherry-test-server")
            .arg(folder);
        command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .process_group(0);
        let mut shell = command
            .spawn()
            .map_err(|error| Failure::because("could not start a shell", error))?;
        let orders = shell.stdin.take();
        let answers = BufReader::new(shell.stdout.take().expect("standard output is piped"));
        Ok(Supervisor {
            shell,
            orders,
            answers,
            folder: folder.to_path_buf(),
            pid: None,
        })
    }

    /// Starts the program with these words and environment.
    pub fn start(&mut self, words: &[String], environment: &[(String, String)]) -> Result<u32> {
        let mut text = String::new();
        for (name, value) in environment {
            text.push_str(&format!("export {name}={}\n", quoted(value)));
        }
        let words: Vec<String> = words.iter().map(|word| quoted(word)).collect();
        text.push_str(&format!("exec {}\n", words.join(" ")));
        fs::write(self.folder.join("start.sh"), text)
            .map_err(|error| Failure::because("could not write the start script", error))?;
        let answer = self.order("start")?;
        let pid = answer.parse().map_err(|_| {
            Failure::new(format!(
                "the supervising shell answered {answer:?} instead of a process id"
            ))
        })?;
        self.pid = Some(pid);
        Ok(pid)
    }

    pub fn pid(&self) -> Option<u32> {
        self.pid
    }

    /// Sends a signal to the server; after `KILL` the process is gone when this returns.
    pub fn signal(&mut self, name: &str) -> Result<()> {
        self.order(&format!("signal {name}")).map(|_| ())
    }

    /// Whether the server process has ended. A zombie has.
    pub fn ended(&self) -> bool {
        let Some(pid) = self.pid else { return true };
        let Ok(stat) = fs::read_to_string(format!("/proc/{pid}/stat")) else {
            return true;
        };
        stat.rsplit_once(") ")
            .is_none_or(|(_, rest)| rest.starts_with(['Z', 'X']))
    }

    /// Whether every thread of the server stands still. One thread takes a stop signal and stops the
    /// others, which may run on until that one gets its turn.
    pub fn stands_still(&self) -> bool {
        let Some(pid) = self.pid else { return false };
        let Ok(tasks) = fs::read_dir(format!("/proc/{pid}/task")) else {
            return false;
        };
        tasks.flatten().all(|task| {
            fs::read_to_string(task.path().join("stat")).is_ok_and(|stat| {
                stat.rsplit_once(") ")
                    .is_some_and(|(_, rest)| rest.starts_with('T'))
            })
        })
    }

    /// Lets the server and its folder outlive this process.
    pub fn release(mut self) -> Result<()> {
        self.order("release").map(|_| ())
    }

    fn order(&mut self, order: &str) -> Result<String> {
        let lost = |error: std::io::Error| {
            Failure::because("lost the shell that supervises a server", error)
        };
        let orders = self
            .orders
            .as_mut()
            .ok_or_else(|| Failure::new("the server was already given up"))?;
        orders
            .write_all(format!("{order}\n").as_bytes())
            .and_then(|()| orders.flush())
            .map_err(lost)?;
        let mut answer = String::new();
        self.answers.read_line(&mut answer).map_err(lost)?;
        Ok(answer.trim().to_owned())
    }
}

impl Drop for Supervisor {
    fn drop(&mut self) {
        drop(self.orders.take());
        // The shell ends when its orders end; an error here means that it is gone already.
        let _ = self.shell.wait();
    }
}

/// Quotes a word for the shell.
fn quoted(word: &str) -> String {
    format!("'{}'", word.replace('\'', r"'\''"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(list: &[&str]) -> Vec<String> {
        list.iter().map(|word| (*word).to_owned()).collect()
    }

    #[test]
    fn a_dropped_supervisor_leaves_neither_process_nor_folder() {
        let folder = tempfile::tempdir().expect("folder").keep();
        let mut supervisor = Supervisor::new(&folder).expect("supervisor");
        let pid = supervisor
            .start(&words(&["sleep", "600"]), &[])
            .expect("start");
        assert!(!supervisor.ended());
        drop(supervisor);
        assert!(!Path::new(&format!("/proc/{pid}")).exists());
        assert!(!folder.exists());
    }

    #[test]
    fn a_killed_program_is_seen_as_ended_and_can_be_started_again() {
        let folder = tempfile::tempdir().expect("folder").keep();
        let mut supervisor = Supervisor::new(&folder).expect("supervisor");
        supervisor
            .start(&words(&["sleep", "600"]), &[])
            .expect("start");
        supervisor.signal("KILL").expect("signal");
        assert!(supervisor.ended());
        let environment = [("GREETING".to_owned(), "it's".to_owned())];
        supervisor
            .start(
                &words(&["sh", "-c", "echo \"$GREETING\"; exec sleep 600"]),
                &environment,
            )
            .expect("start again");
        let log = folder.join("server.log");
        let seen = (0..200).any(|_| {
            std::thread::sleep(std::time::Duration::from_millis(10));
            fs::read_to_string(&log).is_ok_and(|text| text.contains("it's"))
        });
        assert!(seen);
        assert!(!supervisor.ended());
    }
}
