//! The manual's table of what settings do wherever tests can run.

use super::effect::{Effect, Surroundings, effect};
use super::setting::{Group, Setting};
use crate::options::Isolation;

const TOP: &str = "
## Where they hold

Tests run in workers, in a process each (`--isolation process`), on threads of the runner (`in-process`), or as trials of
libtest-mimic (`none`, and under a [main function of one's own](writing-tests.md#a-main-function-of-ones-own)). nextest, a
debugger and a single test with `--nocapture`, as an editor starts it, get `in-process`: it runs them and prints what they
come to. Only under `none` and under a main function of one's own does libtest-mimic say which test runs when, and print.

A setting that says something else there than what is written above says so when the run starts; one that would do nothing
ends the run before it starts, with exit code 2. Settings of systems hold everywhere.

";

/// The columns of the manual's table: what is said of them, and what they are.
pub(super) const COLUMNS: [(&str, Surroundings); 8] = {
    const fn column(isolation: Isolation) -> Surroundings {
        Surroundings {
            isolation,
            own_main: false,
            nextest: false,
            debugger: false,
        }
    }
    let here = column(Isolation::InProcess);
    [
        ("`workers`", column(Isolation::Workers)),
        ("`process`", column(Isolation::Process)),
        ("`in-process`", here),
        ("`none`", column(Isolation::None)),
        (
            "own `main`",
            Surroundings {
                own_main: true,
                ..column(Isolation::None)
            },
        ),
        (
            "nextest",
            Surroundings {
                nextest: true,
                ..here
            },
        ),
        (
            "debugger",
            Surroundings {
                debugger: true,
                ..here
            },
        ),
        ("one test, `--nocapture`", here),
    ]
};

/// The section: a row for each setting, and what the numbers in it mean.
pub(super) fn section(table: &[Setting]) -> String {
    let mut notes: Vec<String> = Vec::new();
    let mut text = TOP.to_owned();
    let heads = COLUMNS.map(|(head, _)| head);
    text.push_str(&format!("| | {} |\n", heads.join(" | ")));
    text.push_str(&format!("| --- |{}\n", " --- |".repeat(COLUMNS.len())));
    let settings = table.iter();
    for setting in settings.filter(|setting| setting.group != Group::Accepted) {
        let cells =
            COLUMNS.map(|(_, surroundings)| cell(effect(setting.name, &surroundings), &mut notes));
        text.push_str(&format!("| `{}` | {} |\n", setting.name, cells.join(" | ")));
    }
    text.push('\n');
    for (at, note) in notes.iter().enumerate() {
        text.push_str(&format!("{}. {note}\n", at + 1));
    }
    text
}

fn cell(effect: Effect, notes: &mut Vec<String>) -> String {
    match effect {
        Effect::Holds => "holds".to_owned(),
        Effect::Differently(how) => format!("({})", number(capital(how) + ".", notes)),
        Effect::Refused { why, instead } => {
            let note = format!("{}: {}.", capital(why), instead);
            format!("refused ({})", number(note, notes))
        }
    }
}

/// The number of a note; the same note has one.
fn number(note: String, notes: &mut Vec<String>) -> usize {
    match notes.iter().position(|known| *known == note) {
        Some(at) => at + 1,
        None => {
            notes.push(note);
            notes.len()
        }
    }
}

fn capital(text: &str) -> String {
    let mut letters = text.chars();
    let first = letters.next().into_iter().flat_map(char::to_uppercase);
    first.chain(letters).collect()
}
