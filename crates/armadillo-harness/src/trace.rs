//! Where something went wrong: the place, and the calls of the author's own code that led there.

#[cfg(test)]
mod tests;

use std::backtrace::Backtrace;
use std::cell::Cell;
use std::panic::Location;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};

use serde::{Deserialize, Serialize};

use crate::test_def::TestDef;

/// What is in the name of the function that the attribute on a test makes, and nobody else's.
const GENERATED: &str = "__INVENTORY";

/// How many calls are kept. Of a deeper chain the innermost are.
const MOST_FRAMES: usize = 24;

/// What happened at a place.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum What {
    /// The test failed: a panic, or the `?` that passed an error on.
    #[default]
    Failed,
    /// An asynchronous test waits at this `.await`.
    Waits,
    /// The thread of the test is in this call.
    Blocks,
    /// An asynchronous test waits for something that can never wake it: `std::future::pending`, for example.
    NeverWoken,
    /// It waits or blocks somewhere, but the executable has no line numbers.
    NoLineNumbers,
    /// Something else of the test panicked: a task or a thread that it had spawned.
    Panicked {
        /// The panic's message.
        message: String,
    },
}

/// A place in source code, and the calls that led there.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Trace {
    /// What happened there.
    #[serde(default)]
    pub what: What,
    /// `file:line:column`, if it is known.
    pub place: Option<String>,
    /// The functions under way, the innermost first: those of the test's author, without the standard library, crates of a
    /// registry, and this harness.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub frames: Vec<Frame>,
}

/// A function under way.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Frame {
    /// Its path.
    pub function: String,
    /// `file:line:column` of what it was doing.
    pub place: String,
}

/// A moment in a program, to be resolved when somebody wants to read it: finding names and lines takes much longer than
/// taking the addresses.
#[derive(Debug)]
pub(crate) struct Origin {
    place: Option<String>,
    calls: Backtrace,
}

impl Origin {
    /// Here, said to be at this place.
    pub(crate) fn at(place: Option<&Location<'_>>) -> Self {
        Self {
            place: place.map(ToString::to_string),
            calls: Backtrace::force_capture(),
        }
    }

    /// Whether the executable has line numbers, as far as these calls tell.
    pub(crate) fn has_lines(&self) -> bool {
        let calls = functions(&self.calls.to_string());
        // The standard library always has them, and so may libraries in C.
        let is_known = |place: &String| place.contains(".rs:") && !place.contains("/rustc/");
        calls.iter().any(|(_, place)| is_known(place))
    }

    /// What these calls are.
    pub(crate) fn of(calls: Backtrace) -> Self {
        Self { place: None, calls }
    }

    /// In words. For the code of the test that this thread runs.
    pub(crate) fn resolve(&self, what: What) -> Trace {
        self.resolve_in(&Code::current(), what)
    }

    /// In words.
    pub(crate) fn resolve_in(&self, code: &Code, what: What) -> Trace {
        let frames = code.frames(&self.calls);
        // The place of an error that was converted in a library says nothing.
        let place = (self.place.clone())
            .filter(|place| what != What::Failed || is_own_file(place))
            .or_else(|| Some(frames.first()?.place.clone()))
            .or_else(|| self.place.clone());
        Trace {
            what,
            place,
            frames,
        }
    }
}

impl Trace {
    /// Of something that has no place.
    pub(crate) fn without_place(what: What) -> Self {
        Self {
            what,
            ..Self::default()
        }
    }

    /// In lines of text, without an indentation: what happened and where, then who called.
    pub(crate) fn lines(&self) -> Vec<String> {
        let mut frames = self.frames.iter().peekable();
        let place = match (&self.place, frames.peek()) {
            (Some(place), Some(first)) if is_same_line(place, &first.place) => {
                let within = frames.next().map(Frame::within);
                format!("{place}{}", within.unwrap_or_default())
            }
            (Some(place), _) => place.clone(),
            (None, _) => "an unknown location".to_owned(),
        };
        let first = match &self.what {
            What::Failed => format!("at {place}"),
            What::Waits => format!("waiting at {place}"),
            What::NeverWoken => "waiting for something that can never wake it".to_owned(),
            What::NoLineNumbers => {
                "its location is unknown: the executable has no line numbers\n   help: set `debug = \"line-tables-only\"` in its profile"
                    .to_owned()
            }
            What::Blocks => format!("blocked at {place}"),
            What::Panicked { message } => {
                let said = message.lines().next().unwrap_or_default();
                format!("also panicked: {said}\n   at {place}")
            }
        };
        let called = |frame: &Frame| format!("   called at {}{}", frame.place, frame.within());
        let mut lines: Vec<String> = first.lines().map(str::to_owned).collect();
        lines.extend(frames.map(called));
        lines
    }
}

impl Frame {
    /// ` in FUNCTION`, where the function has a name: with line tables only, some have none.
    fn within(&self) -> String {
        match self.function.starts_with('{') {
            true => String::new(),
            false => format!(" in {}", self.function),
        }
    }
}

/// Whether both name the same line of the same file. The columns of a panic and of its frame may differ.
fn is_same_line(a: &str, b: &str) -> bool {
    let line = |place: &str| {
        let mut parts = place.rsplitn(2, ':');
        let column = parts.next().is_some_and(|last| last.parse::<u32>().is_ok());
        parts.next().filter(|_| column).map(str::to_owned)
    };
    line(a).is_some() && line(a) == line(b)
}

thread_local! {
    /// The test that this thread runs.
    static TEST: Cell<Option<&'static TestDef>> = const { Cell::new(None) };
}

/// How many tests run in this process.
static RUNNING: AtomicUsize = AtomicUsize::new(0);

/// Whether this thread runs a test.
pub(crate) fn runs_a_test() -> bool {
    TEST.try_with(Cell::get).ok().flatten().is_some()
}

/// Whether no other test runs in this process than that of this thread.
pub(crate) fn is_only_test() -> bool {
    RUNNING.load(Ordering::Relaxed) == 1
}

/// While it lives, this thread runs a test.
pub(crate) struct Running(());

impl Running {
    pub(crate) fn test(def: &'static TestDef) -> Self {
        TEST.set(Some(def));
        RUNNING.fetch_add(1, Ordering::Relaxed);
        Self(())
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        TEST.set(None);
        RUNNING.fetch_sub(1, Ordering::Relaxed);
    }
}

/// Whose code counts as the author's, and how its files are named.
pub(crate) struct Code {
    /// What the compiler named files relative to: `file!()` begins there.
    root: Option<PathBuf>,
    /// The crate name of the test's package.
    package: String,
    /// The crate of the test binary.
    binary: String,
}

impl Code {
    /// Of the test that this thread runs.
    pub(crate) fn current() -> Self {
        Self::of(TEST.try_with(Cell::get).ok().flatten())
    }

    /// Of this test.
    pub(crate) fn of(test: Option<&TestDef>) -> Self {
        let Some(def) = test else {
            return Self {
                root: None,
                package: String::new(),
                binary: String::new(),
            };
        };
        let mut above = Path::new(def.directory).ancestors();
        Self {
            root: above
                .find(|directory| directory.join(def.file).exists())
                .map(Path::to_owned),
            package: def.package.replace('-', "_"),
            binary: def.binary().to_owned(),
        }
    }

    /// The author's functions that were under way, the innermost first.
    pub(crate) fn frames(&self, calls: &Backtrace) -> Vec<Frame> {
        self.own(functions(&calls.to_string()))
    }

    /// Those of these functions, with their places, that are the author's.
    pub(crate) fn own(&self, calls: impl IntoIterator<Item = (String, String)>) -> Vec<Frame> {
        let mut frames: Vec<Frame> = Vec::new();
        for (function, place) in calls {
            if function.contains(GENERATED) {
                // What the attribute on the test has made: what called it is the harness.
                break;
            }
            let place = self.absolute(&place);
            if !self.is_own(&function, &place) {
                continue;
            }
            let place = self.relative(place);
            let function = self.short(&function);
            let known = |frame: &Frame| frame.function == function && frame.place == place;
            if !frames.last().is_some_and(known) {
                frames.push(Frame { function, place });
            }
            if frames.len() == MOST_FRAMES {
                break;
            }
        }
        frames
    }

    fn is_own(&self, function: &str, place: &str) -> bool {
        is_own_file(place) && !self.is_foreign(function)
    }

    /// Whether a function is one of the standard library, of the harness's own crates or of a system's, and not of the
    /// package under test. A debugger names files of the standard library as that was compiled, so that they look like one's
    /// own.
    fn is_foreign(&self, function: &str) -> bool {
        let path = function.trim_start_matches(['<', '&', '(']);
        let name = path.split("::").next().unwrap_or_default();
        let name = name.trim_start_matches("dyn ");
        let is_std = ["std", "core", "alloc"].contains(&name);
        let is_ours = name == "armadillo" || name.starts_with("armadillo_");
        (is_std || is_ours) && name != self.package
    }

    /// A backtrace names files below the working directory relative to it, a debugger as the compiler does.
    fn absolute(&self, place: &str) -> String {
        let base = match (place.strip_prefix("./"), &self.root) {
            (Some(_), _) => std::env::current_dir().ok(),
            (None, root) => root.clone(),
        };
        let relative = place.strip_prefix("./").unwrap_or(place);
        // An absolute path replaces what it is joined to.
        base.map_or_else(
            || place.to_owned(),
            |base| base.join(relative).display().to_string(),
        )
    }

    /// As `file!()` names it, so that a panic's place and its frames look alike.
    fn relative(&self, place: String) -> String {
        let root = self.root.as_deref();
        let relative = root.and_then(|root| Path::new(&place).strip_prefix(root).ok());
        let relative = relative.map(|path| path.display().to_string());
        relative.unwrap_or(place)
    }

    /// A function's path as tests are named: without the crate of the tests, closures, and traits.
    fn short(&self, function: &str) -> String {
        let function = function.trim_end_matches("::{{closure}}");
        let inherent = function.strip_prefix('<').and_then(|rest| {
            let (of, method) = rest.split_once(">::")?;
            let of = of.split(" as ").next()?;
            Some(format!("{of}::{method}"))
        });
        let function = inherent.unwrap_or_else(|| function.to_owned());
        let own = function.strip_prefix(&format!("{}::", self.binary));
        own.map_or(function.clone(), str::to_owned)
    }
}

/// Whether a file is Rust, and neither of the standard library, of a crate from a registry or a repository, nor of this
/// harness.
fn is_own_file(place: &str) -> bool {
    let elsewhere = [
        "/rustc/",
        "/rustlib/src/",
        "/registry/src/",
        "/git/checkouts/",
    ];
    // Where this crate is built from its repository, the others of Armadillo lie next to it.
    let ours = env!("CARGO_MANIFEST_DIR").trim_end_matches("-harness");
    let rest = place.strip_prefix(ours);
    let is_ours = rest.is_some_and(|rest| rest.starts_with(['-', '/']));
    place.contains(".rs:") && !is_ours && !elsewhere.iter().any(|part| place.contains(part))
}

/// Functions and places in the text of a backtrace, which is the only way to read one.
fn functions(text: &str) -> Vec<(String, String)> {
    let mut found = Vec::new();
    let mut function = "";
    for line in text.lines().map(str::trim_start) {
        if let Some(place) = line.strip_prefix("at ") {
            found.push((function.to_owned(), place.to_owned()));
        } else if let Some((number, name)) = line.split_once(": ")
            && number.parse::<u32>().is_ok()
        {
            function = name;
        }
    }
    found
}
