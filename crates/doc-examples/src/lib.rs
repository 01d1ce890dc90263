//! Finds the examples in a page of the documentation, so that each can be compiled.
//!
//! The build script makes a module of every block of Rust in `README.md` and `docs`, and `examples/documentation.rs` compiles
//! them. `cargo test` fails if one does not compile, with the file and the line of the page in the message.
//!
//! Examples are whole: they name what they use. What a block needs that no reader has to see is in a comment before it:
//!
//! ```text
//! <!-- compiled with
//! use serde_json::json;
//! -->
//! ```
//!
//! A block that cannot be compiled is marked `rust,ignore`, and the line before it is `<!-- not compiled: REASON -->`.

use std::fmt::Write as _;

/// What begins the comment with a block's context.
const CONTEXT: &str = "<!-- compiled with";

/// What begins the reason why a block is not compiled.
const REASON: &str = "<!-- not compiled: ";

/// A block of Rust in a page.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Example {
    /// The line of the page on which its code begins, from 1.
    pub line: usize,
    /// What it needs and the page does not show.
    pub context: String,
    /// What the page shows.
    pub code: String,
}

/// A page whose examples cannot be found.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PageError {
    /// A block has no end.
    #[error("line {0}: this block has no end")]
    Open(usize),
    /// A block does not say what it is.
    #[error("line {line}: a block of `{kind}`: say `rust`, `text`, `sh` or `toml`")]
    Kind {
        /// The line on which it begins.
        line: usize,
        /// What it says.
        kind: String,
    },
    /// A block is not compiled, and nobody says why.
    #[error("line {0}: this block is not compiled; say why in the line before: {REASON}... -->")]
    NoReason(usize),
}

/// The blocks of Rust in a page that are to be compiled.
///
/// # Errors
/// When a block has no end, is of no known kind, or is left out without a reason.
pub fn examples(page: &str) -> Result<Vec<Example>, PageError> {
    let lines: Vec<&str> = page.lines().collect();
    let mut found = Vec::new();
    let mut at = 0;
    while let Some(line) = lines.get(at) {
        let Some(kind) = line.trim_start().strip_prefix("```") else {
            at += 1;
            continue;
        };
        let (begin, fence) = (at + 1, at + 1);
        let length = lines[begin..]
            .iter()
            .position(|line| line.trim_start().starts_with("```"))
            .ok_or(PageError::Open(fence))?;
        let before = &lines[..at];
        match kind {
            "rust" => found.push(Example {
                line: begin + 1,
                context: context(before),
                code: lines[begin..begin + length].join("\n"),
            }),
            "rust,ignore" => {
                let reason = before.last().and_then(|line| line.strip_prefix(REASON));
                if reason.is_none_or(|reason| reason.len() <= " -->".len()) {
                    return Err(PageError::NoReason(fence));
                }
            }
            "text" | "sh" | "toml" => {}
            other => {
                return Err(PageError::Kind {
                    line: fence,
                    kind: other.to_owned(),
                });
            }
        }
        at = begin + length + 1;
    }
    Ok(found)
}

/// What a comment that ends directly before a block says it is compiled with.
fn context(before: &[&str]) -> String {
    let Some((&"-->", before)) = before.split_last() else {
        return String::new();
    };
    match before.iter().rposition(|line| line.starts_with("<!--")) {
        Some(begin) if before[begin] == CONTEXT => before[begin + 1..].join("\n"),
        _ => String::new(),
    }
}

impl Example {
    /// The source of a module, whose lines have the numbers that they have in the page: the compiler's messages name these.
    #[must_use]
    pub fn module(&self) -> String {
        let context: Vec<&str> = self.context.lines().map(str::trim).collect();
        let mut source = context.join(" ");
        source.push_str(&"\n".repeat(self.line.saturating_sub(1)));
        source.push_str(&self.code);
        source.push('\n');
        source
    }
}

/// The declaration of a module for each of these files, by its name.
#[must_use]
pub fn declarations(modules: &[(String, String)]) -> String {
    let mut source = String::new();
    for (name, path) in modules {
        // Writing to a string cannot fail.
        let _ = writeln!(source, "#[path = {path:?}]\nmod {name};");
    }
    source
}

#[cfg(test)]
mod tests {
    use super::*;

    const PAGE: &str = "\
# Page

```rust
fn shown() {}
```

<!-- compiled with
use std::fs;
fn hidden() {}
-->
```rust
fn main() {
    hidden();
}
```

<!-- not compiled: it is not Rust yet -->
```rust,ignore
fn
```

```sh
cargo test
```
";

    #[test]
    fn blocks_of_rust_are_found_with_what_they_need() {
        let found = examples(PAGE).unwrap();
        let [shown, main] = &found[..] else {
            panic!("{found:#?}");
        };
        assert_eq!((shown.line, shown.code.as_str()), (4, "fn shown() {}"));
        assert_eq!(shown.context, "");
        assert_eq!(main.context, "use std::fs;\nfn hidden() {}");
        let module = main.module();
        let lines: Vec<&str> = module.lines().collect();
        let first = "use std::fs; fn hidden() {}";
        assert_eq!(lines[0], first);
        // As in the page.
        assert_eq!(lines[main.line - 1], "fn main() {");
        assert_eq!(PAGE.lines().nth(main.line - 1), Some("fn main() {"));
    }

    #[test]
    fn nothing_is_left_out_by_mistake() {
        assert_eq!(examples("```rust\nfn a() {}"), Err(PageError::Open(1)));
        for kind in ["", " rust", "rs", "rust,no_run"] {
            let error = examples(&format!("\n```{kind}\n```\n")).unwrap_err();
            let kind = kind.to_owned();
            assert_eq!(error, PageError::Kind { line: 2, kind });
        }
        let ignored = |before: &str| examples(&format!("{before}\n```rust,ignore\n```\n"));
        assert_eq!(ignored("text"), Err(PageError::NoReason(2)));
        assert_eq!(
            ignored("<!-- not compiled:  -->"),
            Err(PageError::NoReason(2))
        );
        assert_eq!(ignored("<!-- not compiled: why -->"), Ok(Vec::new()));
    }
}
