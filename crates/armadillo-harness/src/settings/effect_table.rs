//! The manual's table of what settings do wherever tests can run.

use super::effect::{Effect, Surroundings, effect};
use super::setting::{Group, Setting};
use crate::options::Isolation;

const TOP: &str = "
## Where settings apply

`--isolation` chooses where tests run: in worker processes that are reused (`workers`), each test in its own process
(`process`), on threads of the runner (`in-process`), or as trials of libtest-mimic (`none`, and with a
[custom main function](writing-tests.md#a-main-function-of-ones-own)). Under nextest, under a debugger, and for a single
test with `--nocapture` (as editors start it), the default is `in-process`: Armadillo runs the tests and prints the results.
Only with `none` and with a custom main function does libtest-mimic schedule and print the tests.

If a setting works differently in one of these cases, the run prints a note at the start. If a setting would have no effect,
the run ends with exit code 2 before any test starts. Settings of systems and flags of a suite apply everywhere.

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
            "custom `main`",
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
        Effect::Holds => "yes".to_owned(),
        Effect::Differently(how) => format!("({})", number(capital(how) + ".", notes)),
        Effect::Refused { why, instead } => {
            let note = format!("{}: {}.", capital(why), instead);
            format!("error ({})", number(note, notes))
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
