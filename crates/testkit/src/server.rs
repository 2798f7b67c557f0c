//! One running test server on a loopback port, in a folder of its own.

use std::fs;
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Mutex, MutexGuard};
use std::time::{Duration, Instant};

use mysql_async::prelude::Queryable;
use mysql_async::{Conn, Opts, OptsBuilder, Pool, Row, Value};

use crate::cache;
use crate::failure::{Failure, Result};
use crate::fetch::last_lines;
use crate::flavour::Flavour;
use crate::program::Program;
use crate::supervisor::Supervisor;

/// How long a server may take until it answers, also on a machine with much other work.
const START_TIME_MAX: Duration = Duration::from_secs(120);
/// How long a server may take to shut down in an orderly way.
const STOP_TIME_MAX: Duration = Duration::from_secs(60);
/// How often a start is tried when another process took the free port first.
const START_TRIES_MAX: u32 = 4;

/// What differs from a plain, fast, small server.
#[derive(Clone, Debug)]
pub struct ServerOptions {
    /// MySQL only: MariaDB always has GTIDs, and here they become strict.
    pub gtid: bool,
    pub binlog: bool,
    /// Syncs the binlog and the redo log at each commit. Off makes commits much faster and a power failure unsafe.
    pub durable: bool,
    pub performance_schema: bool,
    pub buffer_pool_mib: u32,
    /// Further arguments of the server; they come last, so they win.
    pub arguments: Vec<String>,
    pub environment: Vec<(String, String)>,
    /// Libraries loaded before all others, e.g. from [`crate::shim`].
    pub preload: Vec<PathBuf>,
}

impl Default for ServerOptions {
    fn default() -> ServerOptions {
        ServerOptions {
            gtid: false,
            binlog: true,
            durable: false,
            performance_schema: false,
            buffer_pool_mib: 64,
            arguments: Vec::new(),
            environment: Vec::new(),
            preload: Vec::new(),
        }
    }
}

/// A running server. Dropping it kills the server and removes its folder.
///
/// `root` has an empty password from this machine; `mover`@`%` has the password `mover` and all privileges.
pub struct Server {
    program: Program,
    options: ServerOptions,
    folder: PathBuf,
    port: u16,
    server_id: u32,
    supervisor: Mutex<Supervisor>,
    pool: Mutex<Option<Pool>>,
}

impl Server {
    /// Starts a server on a copy of the flavour's template data folder; fetches what is missing.
    pub async fn start(flavour: Flavour, options: ServerOptions) -> Result<Server> {
        let prepare = move || -> Result<(Program, PathBuf)> {
            let program = Program::find(flavour)?;
            let template = program.template()?;
            Ok((program, template))
        };
        let (program, template) = tokio::task::spawn_blocking(prepare)
            .await
            .map_err(|error| Failure::because("preparing a server", error))??;
        Server::start_on(program, &template, options).await
    }

    async fn start_on(program: Program, template: &Path, options: ServerOptions) -> Result<Server> {
        let failed =
            |error: std::io::Error| Failure::because("could not make a server's folder", error);
        let prefix = format!("wherry-{}-", program.flavour.name());
        let folder = tempfile::Builder::new()
            .prefix(&prefix)
            .tempdir()
            .map_err(failed)?
            .keep();
        let supervisor = Mutex::new(Supervisor::new(&folder)?);
        cache::copy_folder(template, &folder.join("data")).map_err(failed)?;
        fs::create_dir(folder.join("tmp")).map_err(failed)?;
        let (port, server_id) = (free_port()?, fresh_server_id());
        let mut server = Server {
            program,
            options,
            folder,
            port,
            server_id,
            supervisor,
            pool: Mutex::new(None),
        };
        for attempt in 1.. {
            match server.launch().await {
                Ok(()) => break,
                Err(failure) if attempt < START_TRIES_MAX && server.log_says_port_taken() => {
                    drop(failure);
                    server.port = free_port()?;
                }
                Err(failure) => return Err(failure),
            }
        }
        Ok(server)
    }

    pub fn flavour(&self) -> Flavour {
        self.program.flavour
    }

    pub fn port(&self) -> u16 {
        self.port
    }

    pub fn server_id(&self) -> u32 {
        self.server_id
    }

    /// `mysql://` address for a user that this crate made: `root` or `mover`.
    pub fn url(&self, user: &str) -> String {
        let password = if user == "mover" { ":mover" } else { "" };
        format!("mysql://{user}{password}@127.0.0.1:{}", self.port)
    }

    /// Folder of the server; its data is in `data`, its log in `server.log`.
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    pub fn data_folder(&self) -> PathBuf {
        self.folder.join("data")
    }

    pub fn program(&self) -> &Program {
        &self.program
    }

    /// A client program of MySQL 9.7 (`mysql`, `mysqldump`, ...) that already knows where this server is.
    pub fn client(&self, name: &str) -> Command {
        let mut command = self.program.client(name);
        command
            .args([
                "--no-defaults",
                "--protocol=TCP",
                "--host=127.0.0.1",
                "--user=root",
            ])
            .arg(format!("--port={}", self.port));
        command
    }

    /// The server's process id.
    pub fn pid(&self) -> u32 {
        self.supervisor().pid().unwrap_or(0)
    }

    /// The last lines of the server's log, without the steps of an orderly shutdown.
    pub fn log_tail(&self) -> String {
        let text = fs::read(self.folder.join("server.log")).unwrap_or_default();
        let text = String::from_utf8_lossy(&text);
        let telling: Vec<&str> = text
            .lines()
            .filter(|line| !line.contains("Shutting down plugin"))
            .collect();
        last_lines(telling.join("\n").as_bytes(), 25)
    }

    /// Connections as `root`, shared by all callers.
    pub fn pool(&self) -> Pool {
        let mut pool = self
            .pool
            .lock()
            .unwrap_or_else(|poisoned| poisoned.into_inner());
        pool.get_or_insert_with(|| Pool::new(self.options_for("root")))
            .clone()
    }

    /// A connection of its own, as `root`.
    pub async fn connect(&self) -> Result<Conn> {
        Ok(Conn::new(self.options_for("root")).await?)
    }

    /// Runs one or more statements, separated by semicolons, in one session as `root`; rows are thrown away.
    pub async fn sql(&self, statements: &str) -> Result<()> {
        let mut connection = self.connect().await?;
        let mut result = connection
            .query_iter(statements)
            .await
            .map_err(|error| Failure::because(short(statements), error))?;
        while !result.is_empty() {
            result
                .for_each(drop)
                .await
                .map_err(|error| Failure::because(short(statements), error))?;
        }
        drop(result);
        connection.disconnect().await?;
        Ok(())
    }

    /// The rows of one query as text; NULL is `None`, bytes that are no UTF-8 are replaced.
    pub async fn rows(&self, query: &str) -> Result<Vec<Vec<Option<String>>>> {
        let mut connection = self.connect().await?;
        let rows: Vec<Row> = connection
            .query(query)
            .await
            .map_err(|error| Failure::because(short(query), error))?;
        connection.disconnect().await?;
        Ok(rows
            .into_iter()
            .map(|row| row.unwrap().into_iter().map(text_value).collect())
            .collect())
    }

    /// The first column of the first row, as text.
    pub async fn value(&self, query: &str) -> Result<Option<String>> {
        Ok(self
            .rows(query)
            .await?
            .into_iter()
            .next()
            .and_then(|row| row.into_iter().next())
            .flatten())
    }

    /// Kills the server at once, as a crash does. [`Server::restart`] brings it back.
    pub fn kill9(&self) -> Result<()> {
        self.supervisor().signal("KILL")
    }

    /// Holds the server's process still: connections stay open and nobody answers. Returns when it stands.
    pub fn pause(&self) -> Result<()> {
        self.supervisor().signal("STOP")?;
        let deadline = Instant::now() + STOP_TIME_MAX;
        while !self.supervisor().stands_still() {
            if Instant::now() > deadline {
                let name = self.program.flavour.name();
                return Err(Failure::new(format!("{name} does not stand still")));
            }
            std::thread::sleep(Duration::from_millis(1));
        }
        Ok(())
    }

    pub fn resume(&self) -> Result<()> {
        self.supervisor().signal("CONT")
    }

    /// Shuts the server down in an orderly way and waits for its end.
    pub async fn stop(&self) -> Result<()> {
        self.supervisor().signal("TERM")?;
        let deadline = Instant::now() + STOP_TIME_MAX;
        while !self.supervisor().ended() {
            if Instant::now() > deadline {
                return Err(Failure::new(format!(
                    "{} did not shut down\n{}",
                    self.program.flavour.name(),
                    self.log_tail()
                )));
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        Ok(())
    }

    /// Starts the server again on the same port and data; stops it first when it runs.
    pub async fn restart(&self) -> Result<()> {
        if !self.supervisor().ended() {
            self.stop().await?;
        }
        self.launch().await
    }

    /// Starts the server again with other options, on the same port and data.
    pub async fn restart_with(&mut self, options: ServerOptions) -> Result<()> {
        if !self.supervisor().ended() {
            self.stop().await?;
        }
        self.options = options;
        self.launch().await
    }

    /// Leaves the server running, with its folder, after this process has ended.
    pub fn keep(self) -> Result<()> {
        let Server { supervisor, .. } = self;
        supervisor
            .into_inner()
            .unwrap_or_else(|poisoned| poisoned.into_inner())
            .release()
    }

    fn supervisor(&self) -> MutexGuard<'_, Supervisor> {
        self.supervisor
            .lock()
            .unwrap_or_else(|poisoned| poisoned.into_inner())
    }

    fn options_for(&self, user: &str) -> OptsBuilder {
        let url = Opts::from_url(&self.url(user)).expect("the server's own address is well formed");
        OptsBuilder::from_opts(url)
            .prefer_socket(false)
            .max_allowed_packet(Some(1 << 30))
            .conn_ttl(None)
    }

    async fn launch(&self) -> Result<()> {
        let words = [self.program.words.clone(), self.arguments()].concat();
        let mut environment = self.program.environment.clone();
        environment.extend(self.options.environment.iter().cloned());
        if !self.options.preload.is_empty() {
            let libraries: Vec<String> = self
                .options
                .preload
                .iter()
                .map(|path| path.to_string_lossy().into_owned())
                .collect();
            environment.push(("LD_PRELOAD".to_owned(), libraries.join(":")));
        }
        self.supervisor().start(&words, &environment)?;
        self.wait_until_it_answers().await
    }

    fn arguments(&self) -> Vec<String> {
        let (options, flavour) = (&self.options, self.program.flavour);
        let mut arguments = self.program.place_arguments();
        arguments.extend([
            format!("--datadir={}", self.data_folder().display()),
            format!("--tmpdir={}", self.folder.join("tmp").display()),
            // Relative to the data folder, because a socket's path may have 107 bytes only.
            "--socket=server.sock".to_owned(),
            "--pid-file=server.pid".to_owned(),
            format!("--port={}", self.port),
            "--bind-address=127.0.0.1".to_owned(),
            "--skip-name-resolve".to_owned(),
            format!("--server-id={}", self.server_id),
            format!("--innodb-buffer-pool-size={}M", options.buffer_pool_mib),
            format!(
                "--performance-schema={}",
                if options.performance_schema {
                    "ON"
                } else {
                    "OFF"
                }
            ),
            "--character-set-server=utf8mb4".to_owned(),
            "--max-allowed-packet=1G".to_owned(),
            format!(
                "--innodb-flush-log-at-trx-commit={}",
                if options.durable { 1 } else { 2 }
            ),
        ]);
        arguments.extend(
            flavour
                .base_arguments()
                .iter()
                .map(|text| (*text).to_owned()),
        );
        if options.binlog {
            arguments.push(format!("--sync-binlog={}", u8::from(options.durable)));
            arguments.extend(flavour.binlog_arguments(options.gtid));
        } else {
            arguments.push("--skip-log-bin".to_owned());
        }
        arguments.extend(options.arguments.iter().cloned());
        arguments
    }

    async fn wait_until_it_answers(&self) -> Result<()> {
        let deadline = Instant::now() + START_TIME_MAX;
        loop {
            let asked =
                tokio::time::timeout(Duration::from_secs(10), Conn::new(self.options_for("root")))
                    .await;
            let last = match asked {
                Ok(Ok(connection)) => return Ok(connection.disconnect().await?),
                Ok(Err(error)) => error.to_string(),
                Err(_) => "no answer within 10 s".to_owned(),
            };
            let name = self.program.flavour.name();
            if self.supervisor().ended() {
                return Err(Failure::new(format!(
                    "{name} ended while it started; its log says:\n{}",
                    self.log_tail()
                )));
            }
            if Instant::now() > deadline {
                let seconds = START_TIME_MAX.as_secs();
                return Err(Failure::new(format!(
                    "{name} did not answer within {seconds} s ({last}); its log says:\n{}",
                    self.log_tail()
                )));
            }
            tokio::time::sleep(Duration::from_millis(30)).await;
        }
    }

    fn log_says_port_taken(&self) -> bool {
        self.log_tail().contains("Address already in use")
    }
}

/// Makes the accounts of a fresh template by running a server on it once.
pub(crate) fn add_users(program: &Program, data: &Path) -> Result<()> {
    let made = std::thread::scope(|scope| {
        let worker = scope.spawn(|| {
            let runtime = tokio::runtime::Builder::new_current_thread()
                .enable_all()
                .build();
            let runtime =
                runtime.map_err(|error| Failure::because("could not make a runtime", error))?;
            runtime.block_on(add_users_on(program.clone(), data))
        });
        worker
            .join()
            .map_err(|_| Failure::new("making a template panicked"))?
    });
    made.map_err(|error| {
        Failure::because(
            format!("could not make the accounts of {}", program.flavour.name()),
            error,
        )
    })
}

async fn add_users_on(program: Program, data: &Path) -> Result<()> {
    let options = ServerOptions {
        binlog: false,
        durable: true,
        arguments: vec!["--skip-networking=0".to_owned()],
        ..ServerOptions::default()
    };
    let flavour = program.flavour;
    let init = data.with_file_name("accounts.sql");
    let failed = |error: std::io::Error| Failure::because("could not write a template", error);
    fs::write(&init, account_statements(flavour).join("\n")).map_err(failed)?;
    let mut options = options;
    options
        .arguments
        .push(format!("--init-file={}", init.display()));
    let server = Server::start_on(program, data, options).await?;
    server.stop().await?;
    fs::remove_dir_all(data).map_err(failed)?;
    cache::copy_folder(&server.data_folder(), data).map_err(failed)?;
    // Each copy makes its own server UUID.
    let _ = fs::remove_file(data.join("auto.cnf"));
    fs::remove_file(&init).map_err(failed)
}

/// One statement a line, as `--init-file` wants them.
fn account_statements(flavour: Flavour) -> Vec<String> {
    let mut statements = Vec::new();
    let grants = ["root'@'127.0.0.1", "mover'@'%"];
    match flavour {
        Flavour::MySql56 => {
            statements.push("DELETE FROM mysql.user WHERE User = '' OR (User = 'root' AND Host NOT IN ('localhost', '127.0.0.1'));".to_owned());
            statements.push("FLUSH PRIVILEGES;".to_owned());
            statements.push("GRANT ALL ON *.* TO 'root'@'localhost' WITH GRANT OPTION;".to_owned());
            statements.push("GRANT ALL ON *.* TO 'root'@'127.0.0.1' WITH GRANT OPTION;".to_owned());
            statements.push(
                "GRANT ALL ON *.* TO 'mover'@'%' IDENTIFIED BY 'mover' WITH GRANT OPTION;"
                    .to_owned(),
            );
        }
        Flavour::MySql97 | Flavour::MariaDb => {
            statements
                .push("CREATE USER IF NOT EXISTS 'root'@'127.0.0.1' IDENTIFIED BY '';".to_owned());
            statements
                .push("CREATE USER IF NOT EXISTS 'mover'@'%' IDENTIFIED BY 'mover';".to_owned());
            statements.extend(
                grants
                    .iter()
                    .map(|account| format!("GRANT ALL ON *.* TO '{account}' WITH GRANT OPTION;")),
            );
        }
    }
    statements.push("FLUSH PRIVILEGES;".to_owned());
    statements
}

fn free_port() -> Result<u16> {
    let listener = TcpListener::bind(("127.0.0.1", 0));
    let address = listener.and_then(|listener| listener.local_addr());
    address
        .map(|address| address.port())
        .map_err(|error| Failure::because("found no free port", error))
}

/// Unique among the servers that run at the same time on this machine.
fn fresh_server_id() -> u32 {
    static NEXT: AtomicU32 = AtomicU32::new(1);
    (std::process::id() % 1_000_000) * 1000 + NEXT.fetch_add(1, Ordering::Relaxed)
}

fn text_value(value: Value) -> Option<String> {
    match value {
        Value::NULL => None,
        Value::Bytes(bytes) => Some(String::from_utf8_lossy(&bytes).into_owned()),
        other => Some(other.as_sql(true)),
    }
}

fn short(statement: &str) -> String {
    let cut: String = statement.chars().take(200).collect();
    format!("statement {cut:?} failed")
}
