//! `docs/settings.md`, written from the table.

use super::effect_table;
use super::setting::{Group, Said, Setting};

const TOP: &str = "\
# Settings

<!-- Written from the table in crates/armadillo-harness/src/settings/table; a test compares, and
ARMADILLO_WRITE_DOCS=1 cargo test -p armadillo-harness settings writes it again. -->

Every setting has one name in three places. The first of these that says it counts:

1. the command line: `--timeout-factor 3`;
2. the environment: `ARMADILLO_TIMEOUT_FACTOR=3`. A switch is `true` or `false`, several values are separated by `;`, an
   empty variable counts as not set. `cargo nextest` passes no flags on, so this is the way to say something there;
3. `armadillo.toml`: `timeout-factor = 3`. The nearest one is read, from the package's directory upwards to the root of
   the workspace. With `--profile ci` the keys of `[profile.ci]` count before the others;
4. libtest's variables `RUST_TEST_THREADS`, `RUST_TEST_NOCAPTURE`, `RUST_TEST_SHUFFLE`, `RUST_TEST_SHUFFLE_SEED`;
5. the default.

A switch of the file or the environment is taken back by `--NAME=false`. Values of a stronger place replace those of a
weaker one; only `missing` adds up, system by system.

The section `[markers]` declares markers, so a file that has one can say the expression `markers = \"not slow\"` in a
profile only.

Each system adds settings of its own, in the same three places; `--help` of a test binary shows those it knows. In the
file they may stand in the section of their system, which a test binary without that system skips: so one file can serve
several binaries.

```toml
parallel = 4

[markers]                 # markers of this workspace, with their meanings
nightly = \"runs in the night only\"

[system.tally]
tally = \"/opt/tally\"     # a setting of the system
missing = \"ignore\"        # tally is a system; also: --missing tally=ignore, ARMADILLO_TALLY_MISSING=ignore

[profile.ci]
timeout = \"5m\"

[profile.ci.system.tally]
missing = \"fail\"
```
";

/// The text of the manual's page on settings.
#[must_use]
pub fn manual(table: &[Setting]) -> String {
    let mut text = TOP.to_owned();
    for group in Group::ALL {
        let mut settings = table
            .iter()
            .filter(|setting| setting.group == group)
            .peekable();
        if settings.peek().is_none() {
            continue;
        }
        text.push_str(&format!(
            "\n## {}\n\n| command line | environment | default | |\n| --- | --- | --- | --- |\n",
            group.title()
        ));
        for setting in settings {
            text.push_str(&row(setting));
        }
    }
    text.push_str(&effect_table::section(table));
    text
}

fn row(setting: &Setting) -> String {
    let mut flags = Vec::new();
    flags.extend(setting.short.map(|short| format!("-{short}")));
    if setting.said != Said::OnCommandLine || setting.short.is_none() {
        flags.push(format!("--{}", setting.name));
        flags.extend(setting.aliases.iter().map(|alias| format!("--{alias}")));
    }
    if let Some(last) = flags.last_mut()
        && !setting.is_switch()
    {
        last.push_str(&format!(" {}", setting.value));
    }
    let flags: Vec<String> = flags
        .iter()
        .map(|flag| format!("`{}`", in_cell(flag)))
        .collect();
    let variable = match setting.said {
        Said::OnCommandLine => String::new(),
        Said::Everywhere => format!("`{}`", setting.variable()),
        Said::NotInFile => format!("`{}`, not in the file", setting.variable()),
    };
    let default = match setting.default {
        _ if setting.is_switch() => String::new(),
        "" => String::new(),
        default => format!("`{default}`"),
    };
    format!(
        "| {} | {variable} | {default} | {} |\n",
        flags.join(", "),
        in_cell(setting.help)
    )
}

/// `|` would end the cell.
fn in_cell(text: &str) -> String {
    text.replace('|', "\\|")
}
