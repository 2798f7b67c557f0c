//! Gathers the pages of `docs/errors` so that `wherry errors` can print them without a network.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::{env, fs, io};

fn main() -> io::Result<()> {
    let pages = Path::new(&env::var("CARGO_MANIFEST_DIR").expect("cargo sets the manifest folder"))
        .join("../../docs/errors");
    println!("cargo::rerun-if-changed={}", pages.display());
    let mut paths: Vec<PathBuf> = fs::read_dir(&pages)?
        .map(|entry| Ok(entry?.path()))
        .collect::<io::Result<_>>()?;
    paths.retain(|path| path.extension().is_some_and(|extension| extension == "md"));
    paths.sort();
    let mut list = String::from("&[\n");
    for path in paths {
        println!("cargo::rerun-if-changed={}", path.display());
        let path = path.canonicalize()?;
        writeln!(list, "    include_str!({path:?}),").expect("writing to a string cannot fail");
    }
    list.push_str("]\n");
    let out = PathBuf::from(env::var("OUT_DIR").expect("cargo sets the output folder"));
    fs::write(out.join("error_pages.rs"), list)
}
