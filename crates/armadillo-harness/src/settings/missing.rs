//! What is done about missing programs.
//!
//! It is said of one system each, so places add up, system by system, instead of replacing each other.

use armadillo_orchestrator::closest::closest;

use super::error::{Source, UsageError, Wrong};
use super::resolve::{SEPARATOR, Sources};
use super::setting::Settled;
use super::value::choice;
use crate::options::{Missing, Options};

/// The variables with the user and the password of servers that somebody else started. A password stands neither on the
/// command line nor in `armadillo.toml`, so these have no setting.
pub(crate) fn attach_variables(system: &str) -> [String; 3] {
    let system = system.to_uppercase().replace('-', "_");
    ["USER", "PASSWORD", "TOKEN"].map(|what| format!("ARMADILLO_ATTACH_{system}_{what}"))
}

impl Sources<'_> {
    /// Takes in everything that was said of it, the weakest place first.
    pub(super) fn missing(&self, options: &mut Options) -> Result<(), UsageError> {
        for section in [&self.file.base].into_iter().chain(self.profile_section()) {
            for (system, settled) in &section.missing {
                set_missing(options, system, settled)?;
            }
            if let Some(settled) = section.values.get("missing") {
                self.missing_pairs(options, settled)?;
            }
        }
        if let Some(text) = self.input.environment.text("ARMADILLO_MISSING")? {
            let settled = Settled {
                values: text.split(SEPARATOR).map(str::to_owned).collect(),
                source: Source::Variable("ARMADILLO_MISSING".to_owned()),
            };
            self.missing_pairs(options, &settled)?;
        }
        for system in &self.input.linked.systems {
            let variable = missing_variable(system.system);
            if let Some(text) = self.input.environment.text(&variable)? {
                let settled = Settled {
                    values: vec![text],
                    source: Source::Variable(variable),
                };
                set_missing(options, system.system, &settled)?;
            }
        }
        if let Some(values) = self.line.given.get("missing") {
            let settled = Settled {
                values: values.clone(),
                source: Source::CommandLine("--missing".to_owned()),
            };
            self.missing_pairs(options, &settled)?;
        }
        Ok(())
    }

    /// `SYSTEM=WHAT`, each.
    fn missing_pairs(&self, options: &mut Options, settled: &Settled) -> Result<(), UsageError> {
        for pair in &settled.values {
            let Some((system, what)) = pair.split_once('=') else {
                let help = "write `SYSTEM=ignore`";
                return Err(Wrong::new(format!("`{pair}` does not name a system"), help)
                    .said_by(&settled.source));
            };
            let names = || self.input.linked.systems.iter().map(|system| system.system);
            if !names().any(|name| name == system) {
                let help = match closest(system, names()) {
                    Some(meant) => format!("did you mean `{meant}`?"),
                    None => format!(
                        "this executable has: {}",
                        names().collect::<Vec<_>>().join(", ")
                    ),
                };
                let wrong = Wrong::new(format!("unknown system `{system}`"), help);
                return Err(wrong.said_by(&settled.source));
            }
            let one = Settled {
                values: vec![what.to_owned()],
                source: settled.source.clone(),
            };
            set_missing(options, system, &one)?;
        }
        Ok(())
    }
}

/// `ARMADILLO_<NAME>_MISSING`.
pub(super) fn missing_variable(system: &str) -> String {
    format!(
        "ARMADILLO_{}_MISSING",
        system.replace('-', "_").to_uppercase()
    )
}

fn set_missing(options: &mut Options, system: &str, settled: &Settled) -> Result<(), UsageError> {
    let choices = [
        ("error", Missing::Error),
        ("ignore", Missing::Ignore),
        ("fail", Missing::Fail),
    ];
    let what = choice(&settled.values, &choices).map_err(|wrong| wrong.said_by(&settled.source))?;
    options.missing.insert(system.to_owned(), what);
    Ok(())
}
