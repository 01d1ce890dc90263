//! `docs/settings.md`, written from the table.

use super::effect_table;
use super::setting::{Group, Said, Setting};

const TOP: &str = "\
# Settings

<!-- Generated from crates/armadillo-harness/src/settings/table. To update it, run
ARMADILLO_WRITE_DOCS=1 cargo test -p armadillo-harness settings -->

Settings come from several places. If several of them set the same one, the first in this list wins:

1. The command line: `--timeout-factor 3`.
2. The environment: `ARMADILLO_TIMEOUT_FACTOR=3`. Switches are `true` or `false`, several values are separated by `;`, and
   an empty variable counts as not set. `cargo nextest` does not pass flags on, so use the environment there.
3. `armadillo.toml`: `timeout-factor = 3`. Armadillo reads the nearest file, searching from the package directory up
   to the workspace root. With `--profile ci`, keys in `[profile.ci]` override those outside of profiles.
4. libtest's variables `RUST_TEST_THREADS`, `RUST_TEST_NOCAPTURE`, `RUST_TEST_SHUFFLE`, `RUST_TEST_SHUFFLE_SEED`.
5. The default.

To turn off a switch that the file or the environment sets, pass `--NAME=false`. If a setting has several values, the first
place that sets it replaces all values from the others. The exception is `missing`, which is merged per system.

The section `[markers]` declares markers. TOML does not allow a key of the same name beside it, so a file with this section
can set the expression `markers = \"not slow\"` only in a profile.

Each `[[rule]]` adds markers to tests by fixture, name or source file, and `[flags]` sets [flags of a suite](writing-tests.md#flags), which
`--help` of its test binary lists. A key of `[flags]` that a test binary does not have is ignored. [Writing tests](writing-tests.md#the-suite-as-a-whole)
describes both. Rules apply with every profile.

Each system under test, such as a database, adds settings of its own; `--help` of a test binary lists them. In the file, you
can put them in the section of the system. A test binary without that system ignores the section, so several binaries can
share one file.

```toml
parallel = 4

[markers]                 # markers of this workspace and their descriptions
nightly = \"runs only at night\"

[[rule]]                  # tests in this file have the marker
markers = [\"nightly\"]
path = \"tests/suite/upgrade.rs\"

[flags]                   # flags of the suite itself
orders = 500

[system.tally]            # `tally` stands for the name of a system
tally = \"/opt/tally\"      # a setting of the system
missing = \"ignore\"        # the same as --missing tally=ignore or ARMADILLO_TALLY_MISSING=ignore

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
        last.push_str(&setting.value_as_written());
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
