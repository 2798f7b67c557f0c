//! The cache folder: unpacked servers and template data folders, made once and shared by every test process.
//!
//! Everything in it is built in a neighbour folder and renamed into place under a lock file, so that two
//! processes, or one that is killed half way, never leave a folder that looks finished and is not.

use std::fs::{self, File};
use std::path::{Path, PathBuf};

use crate::failure::{Failure, Result};

/// Raised when the way a cached folder is made changes, so that old ones are not used.
const FORMAT: u32 = 1;

/// Gives the folder that keeps servers between runs.
pub fn cache_folder() -> Result<PathBuf> {
    let set = |name: &str| {
        std::env::var_os(name)
            .filter(|value| !value.is_empty())
            .map(PathBuf::from)
    };
    set("WHERRY_SERVERS")
        .or_else(|| set("XDG_CACHE_HOME").map(|folder| folder.join("wherry/servers")))
        .or_else(|| set("HOME").map(|folder| folder.join(".cache/wherry/servers")))
        .ok_or_else(|| {
            Failure::new(
                "no cache folder: set WHERRY_SERVERS to a folder that test servers may be kept in",
            )
        })
}

/// Gives the finished folder `name`, building it first when it is not there.
///
/// `build` gets an empty folder; what it leaves there becomes the result, whole or not at all.
pub(crate) fn folder_built_once(
    name: &str,
    build: impl FnOnce(&Path) -> Result<()>,
) -> Result<PathBuf> {
    let cache = cache_folder()?;
    let finished = cache.join(format!("{name}-v{FORMAT}"));
    if finished.is_dir() {
        return Ok(finished);
    }
    let doing = |what: &str| format!("could not {what} in the cache folder {}", cache.display());
    fs::create_dir_all(&cache).map_err(|error| Failure::because(doing("make a folder"), error))?;
    let lock = File::create(cache.join(format!("{name}.lock")))
        .map_err(|error| Failure::because(doing("open the lock"), error))?;
    lock.lock()
        .map_err(|error| Failure::because(doing("take the lock"), error))?;
    if finished.is_dir() {
        return Ok(finished);
    }
    let unfinished = cache.join(format!("{name}-v{FORMAT}.unfinished"));
    let cleared = if unfinished.exists() {
        fs::remove_dir_all(&unfinished)
    } else {
        Ok(())
    };
    cleared
        .and_then(|()| fs::create_dir(&unfinished))
        .map_err(|error| Failure::because(doing("clear a folder"), error))?;
    build(&unfinished)?;
    fs::rename(&unfinished, &finished)
        .map_err(|error| Failure::because(doing("rename a folder"), error))?;
    Ok(finished)
}

/// Copies a folder with everything in it; symbolic links stay links.
pub(crate) fn copy_folder(from: &Path, to: &Path) -> std::io::Result<()> {
    fs::create_dir_all(to)?;
    for entry in fs::read_dir(from)? {
        let entry = entry?;
        let target = to.join(entry.file_name());
        let kind = entry.file_type()?;
        if kind.is_dir() {
            copy_folder(&entry.path(), &target)?;
        } else if kind.is_symlink() {
            std::os::unix::fs::symlink(fs::read_link(entry.path())?, &target)?;
        } else if kind.is_file() {
            fs::copy(entry.path(), &target)?;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_copied_folder_keeps_files_folders_and_links() {
        let temporary = tempfile::tempdir().expect("a temporary folder");
        let from = temporary.path().join("from");
        fs::create_dir_all(from.join("inner")).expect("folder");
        fs::write(from.join("inner/file"), b"content").expect("file");
        std::os::unix::fs::symlink("inner/file", from.join("link")).expect("link");
        let to = temporary.path().join("to");
        copy_folder(&from, &to).expect("copy");
        assert_eq!(
            fs::read(to.join("inner/file")).expect("copied file"),
            b"content"
        );
        assert_eq!(
            fs::read_link(to.join("link")).expect("copied link"),
            Path::new("inner/file")
        );
    }
}
