//! The real pt-online-schema-change, run against a test server.
//!
//! Debian's package of it is one Perl script; Perl and its modules are fetched with it and run through their own
//! dynamic loader, so that the machine needs none of them.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use crate::cache;
use crate::failure::{Failure, Result};
use crate::fetch::{self, Packages, Suite, last_lines};
use crate::flavour::Flavour;
use crate::program::loader_words;
use crate::server::Server;

/// The unpacked tool.
#[derive(Debug, Clone)]
pub struct Percona {
    root: PathBuf,
}

/// One change of one table.
#[derive(Debug, Clone)]
pub struct SchemaChange {
    pub database: String,
    pub table: String,
    /// What stands behind `ALTER TABLE t`.
    pub alter: String,
    /// Further arguments of the tool.
    pub arguments: Vec<String>,
}

impl Percona {
    /// Finds the tool in the cache, or fetches it.
    pub fn find() -> Result<Percona> {
        let root = cache::folder_built_once("percona-toolkit", |folder| {
            let packages = Packages {
                suite: Suite::Own,
                whole: &["perl", "libdbd-mysql-perl", "libterm-readkey-perl"],
                // Its debugger is for other tools of the collection.
                alone: &["percona-toolkit"],
                not_unpacked: &["debconf", "dpkg", "mariadb-common", "mysql-common"],
            };
            fetch::debian_packages(&packages, &folder.join("apt"), folder)
                .map_err(|error| Failure::because("could not fetch pt-online-schema-change", error))
        })?;
        Ok(Percona { root })
    }

    /// The tool's own version text.
    pub fn version(&self) -> Result<String> {
        let output = self.run(self.command().arg("--version"))?;
        Ok(output.trim().to_owned())
    }

    /// Changes a table as a user of the tool does; what it printed, or why it failed.
    pub async fn change(&self, server: &Server, change: &SchemaChange) -> Result<String> {
        let mut command = self.command();
        command
            .args(["--execute", "--alter", &change.alter])
            // No replicas to find and none to wait for; progress would only fill the output.
            .args([
                "--recursion-method=none",
                "--no-version-check",
                "--progress=time,3600",
            ])
            .args(&change.arguments)
            .arg(format!(
                "h=127.0.0.1,P={},u=root,D={},t={}",
                server.port(),
                change.database,
                change.table
            ));
        if server.flavour() == Flavour::MySql97 {
            // The ways to log in that a client library does not bring inside.
            let plugins = self.library_folder().join("libmariadb3/plugin");
            command.env("MARIADB_PLUGIN_DIR", plugins);
        }
        let tool = self.clone();
        tokio::task::spawn_blocking(move || tool.run(&mut command))
            .await
            .map_err(|error| Failure::because("running pt-online-schema-change", error))?
    }

    fn library_folder(&self) -> PathBuf {
        self.root.join("usr/lib/x86_64-linux-gnu")
    }

    fn command(&self) -> Command {
        let mut words = loader_words(&self.root);
        let program = |name: &str| {
            self.root
                .join("usr/bin")
                .join(name)
                .to_string_lossy()
                .into_owned()
        };
        words.extend([program("perl"), program("pt-online-schema-change")]);
        let mut command = Command::new(&words[0]);
        command.args(&words[1..]).env("PERL5LIB", self.modules());
        command
    }

    /// Where this root keeps Perl's modules, whatever Perl's version is.
    fn modules(&self) -> String {
        let library = self.library_folder();
        let share = self.root.join("usr/share");
        let mut folders = vec![share.join("perl5"), library.join("perl-base")];
        for parent in [
            library.join("perl5"),
            library.join("perl"),
            share.join("perl"),
        ] {
            folders.extend(inner_folders(&parent));
        }
        let texts: Vec<String> = folders
            .iter()
            .map(|folder| folder.to_string_lossy().into_owned())
            .collect();
        texts.join(":")
    }

    fn run(&self, command: &mut Command) -> Result<String> {
        let output = command
            .stdin(Stdio::null())
            .output()
            .map_err(|error| Failure::because("could not run pt-online-schema-change", error))?;
        let text = [output.stdout, output.stderr].concat();
        if output.status.success() {
            return Ok(String::from_utf8_lossy(&text).into_owned());
        }
        Err(Failure::new(format!(
            "pt-online-schema-change ended with {}:\n{}",
            output.status,
            last_lines(&text, 20)
        )))
    }
}

fn inner_folders(parent: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(parent).into_iter().flatten().flatten();
    let mut folders: Vec<PathBuf> = entries
        .map(|entry| entry.path())
        .filter(|path| path.is_dir())
        .collect();
    folders.sort();
    folders
}
