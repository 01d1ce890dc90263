//! Makes a module of every example in `README.md` and `docs`.

use std::error::Error;
use std::path::{Path, PathBuf};
use std::{env, fs};

#[path = "src/lib.rs"]
#[allow(dead_code, unreachable_pub)]
mod pages;

fn main() -> Result<(), Box<dyn Error>> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let out = PathBuf::from(env::var_os("OUT_DIR").ok_or("cargo sets OUT_DIR")?);
    println!("cargo::rerun-if-changed=build.rs");
    println!("cargo::rerun-if-changed=src/lib.rs");
    let mut all = vec![root.join("README.md")];
    println!(
        "cargo::rerun-if-changed={}",
        root.join("README.md").display()
    );
    println!("cargo::rerun-if-changed={}", root.join("docs").display());
    pages_below(&root.join("docs"), &mut all)?;
    all.sort();
    let mut modules = Vec::new();
    for page in all {
        let text = fs::read_to_string(&page)?;
        let name = page.strip_prefix(&root)?.display().to_string();
        let found = pages::examples(&text).map_err(|error| format!("{name}: {error}"))?;
        for example in found {
            let module = format!("{}_{}", identifier(&name), example.line);
            let path = out.join(format!("{module}.rs"));
            fs::write(&path, example.module())?;
            modules.push((module, path.display().to_string()));
        }
    }
    if modules.is_empty() {
        return Err("no example in README.md and docs".into());
    }
    fs::write(out.join("examples.rs"), pages::declarations(&modules))?;
    Ok(())
}

/// Every page below a directory.
fn pages_below(directory: &Path, found: &mut Vec<PathBuf>) -> Result<(), Box<dyn Error>> {
    for entry in fs::read_dir(directory)? {
        let path = entry?.path();
        if path.is_dir() {
            pages_below(&path, found)?;
        } else if path.extension().is_some_and(|end| end == "md") {
            found.push(path);
        }
    }
    Ok(())
}

/// `docs/writing-tests.md` as the name of a module.
fn identifier(name: &str) -> String {
    let fits = |letter: char| match letter.is_ascii_alphanumeric() {
        true => letter.to_ascii_lowercase(),
        false => '_',
    };
    name.chars().map(fits).collect()
}
