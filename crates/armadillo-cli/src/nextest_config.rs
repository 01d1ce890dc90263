//! `armadillo nextest-config`: a configuration with which nextest runs tests of one topology one after the other.

use std::collections::BTreeMap;
use std::fmt::Write;
use std::path::PathBuf;
use std::process::ExitCode;

use crate::session::say;
use crate::test::{Build, Planned, Test, TestError, plan};

/// Write a configuration for nextest that knows which deployments tests need
///
/// nextest runs tests in the order of their names. This configuration groups them by topology, so that deployments are not stopped
/// for lack of memory and started again. Tests that need a deployment to themselves run one at a time in a test group, so that they do
/// not block nextest's other threads while they wait. `slow-timeout` is extended by the time that a start may take. Write the file again
/// when you add or remove tests; tests that it does not list run as usual. Ignored tests are not listed.
#[derive(clap::Args)]
#[command(after_help = "Example:\n  \
    armadillo nextest-config --output .config/armadillo-nextest.toml\n  \
    cargo nextest run --tool-config-file \"armadillo:$PWD/.config/armadillo-nextest.toml\"")]
pub(crate) struct Args {
    #[command(flatten)]
    build: Build,
    /// The file to write [default: stdout]
    #[arg(short, long, value_name = "FILE")]
    output: Option<PathBuf>,
    /// nextest's profile
    #[arg(long, default_value = "default", value_name = "NAME")]
    profile: String,
}

/// The highest priority that nextest knows.
const FIRST: i32 = 100;

/// How long a start may take before a test that waits for it is called slow, in seconds: as long as Armadillo waits for it.
const START_LIMIT: u64 = 120;

pub(crate) fn nextest_config(args: &Args) -> ExitCode {
    write(args).unwrap_or_else(|error| error.said())
}

fn write(args: &Args) -> Result<ExitCode, TestError> {
    let planned = plan(&args.build, &[])?;
    let text = config(&planned, &args.profile);
    let Some(path) = &args.output else {
        say(&text);
        return Ok(ExitCode::SUCCESS);
    };
    let written = path.parent().map_or(Ok(()), std::fs::create_dir_all);
    let absolute = written
        .and_then(|()| std::fs::write(path, text))
        // nextest takes no other.
        .and_then(|()| path.canonicalize());
    let absolute = absolute.map_err(|source| TestError::Os {
        action: "write the configuration",
        source,
    })?;
    say(&format!(
        "use it with `cargo nextest run --tool-config-file armadillo:{}`\n",
        absolute.display()
    ));
    Ok(ExitCode::SUCCESS)
}

/// Tests that need the same deployments.
#[derive(Default)]
struct Group<'a> {
    /// Each with its executable, as nextest names it.
    tests: Vec<(String, &'a Test)>,
    expected_ms: u64,
}

fn config(planned: &[Planned], profile: &str) -> String {
    let mut groups: BTreeMap<String, Group> = BTreeMap::new();
    for one in planned {
        let executable = format!("{}::{}", one.plan.package, one.plan.binary);
        let tests = one.plan.tests.iter();
        for test in tests.filter(|test| !test.topologies.is_empty()) {
            let group = groups.entry(test.topologies.join(" + ")).or_default();
            group.expected_ms += test.expected_ms.unwrap_or_default();
            group.tests.push((executable.clone(), test));
        }
    }
    // Those that take longest begin.
    let mut groups: Vec<(String, Group)> = groups.into_iter().collect();
    groups.sort_by_key(|(_, group)| std::cmp::Reverse((group.expected_ms, group.tests.len())));
    let mut text = String::from("# Written by `armadillo nextest-config`.\n");
    for (number, (topology, group)) in groups.iter().enumerate() {
        let priority = FIRST
            .saturating_sub(i32::try_from(number).unwrap_or(i32::MAX))
            .max(1);
        // Writing to a String cannot fail.
        _ = write!(text, "\n# {topology}\n");
        let (alone, shared): (Vec<_>, Vec<_>) =
            group.tests.iter().partition(|(_, test)| test.is_alone());
        overrides(&mut text, profile, &shared, priority, None);
        if !alone.is_empty() {
            let name = format!("@tool:armadillo:alone-{}", number + 1);
            overrides(&mut text, profile, &alone, priority, Some(&name));
            _ = write!(text, "\n[test-groups.\"{name}\"]\nmax-threads = 1\n");
        }
    }
    text
}

fn overrides(
    text: &mut String,
    profile: &str,
    tests: &[&(String, &Test)],
    priority: i32,
    group: Option<&str>,
) {
    let Some(longest_ms) = tests.iter().map(|(_, test)| test.timeout_ms).max() else {
        return;
    };
    let period = longest_ms.div_ceil(1000) + START_LIMIT;
    _ = write!(
        text,
        "\n[[profile.{profile}.overrides]]\nfilter = '''\n{}'''\npriority = {priority}\nslow-timeout = {{ period = \"{period}s\" }}\n",
        filter(tests)
    );
    if let Some(group) = group {
        _ = writeln!(text, "test-group = \"{group}\"");
    }
}

/// nextest's expression for these tests.
fn filter(tests: &[&(String, &Test)]) -> String {
    let mut by_executable: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    for (executable, test) in tests {
        by_executable
            .entry(executable)
            .or_default()
            .push(&test.test);
    }
    let of_one = by_executable.into_iter().map(|(executable, tests)| {
        let tests = tests.iter().map(|test| format!("test(={test})"));
        let tests: Vec<String> = tests.collect();
        format!(
            "(binary_id(={executable}) & (\n  {}\n))",
            tests.join("\n  | ")
        )
    });
    of_one.collect::<Vec<_>>().join("\n| ") + "\n"
}
