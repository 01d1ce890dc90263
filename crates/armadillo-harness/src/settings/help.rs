//! `--help`: the table, grouped, with examples, exit codes and the other two places.

use std::fmt::Write;

use super::setting::{Group, Said, Setting};
use crate::exit_code::Exit;

/// The width of the text in columns. It fits every terminal, so the real width is not looked up.
const WIDTH: usize = 80;
const INDENT: usize = 6;

const TOP: &str = "\
Runs the tests of this binary. They share deployments: the servers and clusters
that the tests need, each started once.

Usage: cargo test -- [OPTIONS] [FILTER]...

  A FILTER selects the tests whose names contain it. With several filters, a
  test runs if any of them matches.

Examples:
  cargo test -- -m \"not slow\" -n 4
      run everything except slow tests, four at a time
  cargo test -- leader --nocapture
      run tests with `leader` in their names, without capturing output
  cargo test -- -m \"smoke_test or regression\" --plan
      show what would run where, without starting anything
  cargo test -- --exact net::reconnects --repeat 50 -x
      run one test up to 50 times, and stop when it fails
";

const BOTTOM: &str = "\
Settings come from three places. The first one that sets a value wins:
  the command line   --timeout-factor 3
  the environment    ARMADILLO_TIMEOUT_FACTOR=3
                     (switches: =true; several values: separated by `;`)
  armadillo.toml     timeout-factor = 3
                     (in [profile.NAME], only with --profile NAME)
To turn off a switch, pass false: --shuffle=false. If none of these places sets
a setting, libtest's variables apply: RUST_TEST_THREADS, RUST_TEST_NOCAPTURE,
RUST_TEST_SHUFFLE and RUST_TEST_SHUFFLE_SEED. cargo nextest does not pass flags
on: use the environment.
";

/// The whole text.
pub(super) fn help(table: &[Setting]) -> String {
    let mut text = TOP.to_owned();
    for group in Group::ALL {
        let mut settings = table
            .iter()
            .filter(|setting| setting.group == group)
            .peekable();
        if settings.peek().is_none() {
            continue;
        }
        text.push_str(&format!("\n{}:\n", group.title()));
        for setting in settings {
            entry(&mut text, setting);
        }
        if group == Group::Settings {
            text.push_str(
                "  -h, --help\n      Print this help.\n  -V, --version\n      Print the version.\n",
            );
        }
    }
    text.push('\n');
    text.push_str(BOTTOM);
    text.push_str("\nExit codes:\n");
    let mut exits = Exit::BY_PRECEDENCE;
    exits.sort_by_key(|exit| exit.code());
    for exit in exits {
        // Writing to a String cannot fail.
        _ = writeln!(text, "  {:>3}  {}", exit.code(), exit.meaning());
    }
    text
}

fn entry(text: &mut String, setting: &Setting) {
    let mut head = String::from("  ");
    if let Some(short) = setting.short {
        head.push_str(&format!("-{short}"));
    }
    let on_line_only = setting.said == Said::OnCommandLine && setting.short.is_some();
    if !on_line_only {
        let longs = [setting.name]
            .into_iter()
            .chain(setting.aliases.iter().copied());
        for long in longs {
            if head.len() > 2 {
                head.push_str(", ");
            }
            head.push_str(&format!("--{long}"));
        }
    }
    if !setting.is_switch() {
        head.push_str(&setting.value_as_written());
    }
    text.push_str(&head);
    text.push('\n');
    let mut paragraph = setting.help.to_owned();
    if !setting.is_switch() && !setting.default.is_empty() {
        paragraph.push_str(&format!(" [default: {}]", setting.default));
    }
    for line in wrapped(&paragraph, WIDTH - INDENT) {
        text.push_str(&format!("{}{line}\n", " ".repeat(INDENT)));
    }
}

/// The words of a paragraph in lines of at most this many characters.
pub(super) fn wrapped(paragraph: &str, width: usize) -> Vec<String> {
    let mut lines: Vec<String> = Vec::new();
    for word in paragraph.split_whitespace() {
        match lines.last_mut() {
            Some(line) if line.chars().count() + 1 + word.chars().count() <= width => {
                line.push(' ');
                line.push_str(word);
            }
            _ => lines.push(word.to_owned()),
        }
    }
    lines
}
