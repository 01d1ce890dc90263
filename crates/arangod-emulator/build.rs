//! Sums up the source files: what tells this emulator from one that somebody has changed.

use std::error::Error;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::path::{Path, PathBuf};
use std::{env, fs};

fn main() -> Result<(), Box<dyn Error>> {
    let package = PathBuf::from(env::var_os("CARGO_MANIFEST_DIR").ok_or("cargo sets it")?);
    let mut files = Vec::new();
    for directory in ["src", "data"] {
        println!("cargo::rerun-if-changed={directory}");
        files_below(&package.join(directory), &mut files)?;
    }
    files.sort();
    let mut sum = DefaultHasher::new();
    for file in files {
        file.strip_prefix(&package)?.hash(&mut sum);
        fs::read(&file)?.hash(&mut sum);
    }
    println!(
        "cargo::rustc-env=ARANGOD_EMULATOR_SOURCES={:016x}",
        sum.finish()
    );
    Ok(())
}

fn files_below(directory: &Path, found: &mut Vec<PathBuf>) -> Result<(), Box<dyn Error>> {
    for entry in fs::read_dir(directory)? {
        let path = entry?.path();
        if path.is_dir() {
            files_below(&path, found)?;
        } else {
            found.push(path);
        }
    }
    Ok(())
}
