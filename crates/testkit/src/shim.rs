//! Small C libraries that a server loads before its own, to make a disk slow or full without being root.
//!
//! They act only while a control file exists, on files under one folder. `cc` builds them at test time.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::failure::{Failure, Result};
use crate::server::ServerOptions;

const SYNC_STALL: &str = include_str!("shim/sync_stall.c");
const DISK_FULL: &str = include_str!("shim/disk_full.c");

/// A built library and the file that switches it on. Removed when dropped.
pub struct Shim {
    folder: tempfile::TempDir,
    library: PathBuf,
    environment: Vec<(String, String)>,
}

impl Shim {
    /// Each sync of a binlog file sleeps while switched on, for as long as `sync_stall.c` says at most.
    ///
    /// With `sync_binlog = 1` a commit then hangs between the binlog and the engine.
    pub fn binlog_sync_stall() -> Result<Shim> {
        Shim::build("sync_stall", SYNC_STALL, "WHERRY_SYNC_STALL")
    }

    /// While switched on, no file below a server's data folder can grow, as on a full disk.
    pub fn disk_full() -> Result<Shim> {
        Shim::build("disk_full", DISK_FULL, "WHERRY_DISK_FULL")
    }

    /// Adds to a server's options what loads this shim.
    pub fn add_to(&self, mut options: ServerOptions) -> ServerOptions {
        options.preload.push(self.library.clone());
        options.environment.extend(self.environment.iter().cloned());
        // Asynchronous writes would go past the library's functions.
        options
            .arguments
            .push("--innodb-use-native-aio=0".to_owned());
        options
    }

    pub fn switch_on(&self) -> Result<()> {
        fs::write(self.control_file(), "")
            .map_err(|error| Failure::because("could not switch a shim on", error))
    }

    pub fn switch_off(&self) -> Result<()> {
        match fs::remove_file(self.control_file()) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
                Err(Failure::because("could not switch a shim off", error))
            }
            _ => Ok(()),
        }
    }

    fn control_file(&self) -> PathBuf {
        self.folder.path().join("on")
    }

    fn build(name: &str, code: &str, variable: &str) -> Result<Shim> {
        let failed = |error: std::io::Error| {
            Failure::because(format!("could not build the shim {name}"), error)
        };
        let folder = tempfile::Builder::new()
            .prefix("wherry-shim-")
            .tempdir()
            .map_err(failed)?;
        let library = folder.path().join(format!("{name}.so"));
        compile(&folder.path().join(format!("{name}.c")), code, &library)?;
        let environment = vec![(
            variable.to_owned(),
            folder.path().join("on").to_string_lossy().into_owned(),
        )];
        Ok(Shim {
            folder,
            library,
            environment,
        })
    }
}

fn compile(source: &Path, code: &str, library: &Path) -> Result<()> {
    fs::write(source, code)
        .map_err(|error| Failure::because("could not write a shim's source", error))?;
    let mut compiler = Command::new("cc");
    compiler
        .args(["-shared", "-fPIC", "-O1", "-o"])
        .arg(library)
        .arg(source)
        .arg("-ldl");
    let output = compiler
        .output()
        .map_err(|error| Failure::because("could not run cc", error))?;
    if output.status.success() {
        return Ok(());
    }
    Err(Failure::new(format!(
        "cc could not build a shim: {}",
        String::from_utf8_lossy(&output.stderr)
    )))
}
