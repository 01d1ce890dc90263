//! Flags of a suite's own among the settings: which names they may have, and whether their values make sense.

use std::collections::BTreeMap;

use super::error::{Source, UsageError, Wrong};
use super::missing::{attach_variables, missing_variable};
use super::pairs::Rank;
use super::setting::{Linked, Setting, Settled};
use super::table::all;
use crate::flags::{FlagDeclaration, FlagValues};
use crate::group::GROUP;
use crate::main_entry::DEPTH;
use crate::session::SESSION;

/// Long names that are no settings.
const OWN_NAMES: [&str; 2] = ["help", "version"];

/// Variables of the harness that are no settings.
pub(super) const OWN_VARIABLES: [&str; 5] =
    [DEPTH, GROUP, SESSION, "ARMADILLO_RUN", "ARMADILLO_BIN"];

/// The first flag whose name is taken, or whose default is none.
pub(super) fn check_declarations(linked: &Linked) -> Result<(), UsageError> {
    if linked.suite.is_empty() {
        return Ok(());
    }
    let others = all(&Linked {
        systems: linked.systems.clone(),
        suite: Vec::new(),
    });
    for (number, flag) in linked.suite.iter().enumerate() {
        let before = linked.suite.iter().take(number);
        if let Some(owner) = owner(flag, &others, before, linked) {
            let reason = format!("the name is taken by {owner}");
            let help = "rename the constant that declares the flag";
            return Err(Wrong::new(reason, help).said_by(&declared(flag)));
        }
        (flag.check)(&flag.default_values()).map_err(|why| {
            let help = format!("write a default of the type `{}`", flag.type_name);
            Wrong::new(format!("the default is wrong: {why}"), help).said_by(&declared(flag))
        })?;
    }
    Ok(())
}

fn declared(flag: &FlagDeclaration) -> Source {
    Source::Code {
        place: flag.place(),
        flag: flag.name,
    }
}

/// Whose name or variable a flag has.
fn owner<'a>(
    flag: &FlagDeclaration,
    others: &[Setting],
    mut before: impl Iterator<Item = &'a FlagDeclaration>,
    linked: &Linked,
) -> Option<String> {
    if let Some(other) = before.find(|other| other.name == flag.name) {
        return Some(format!("the flag that is declared at {}", other.place()));
    }
    let has_it =
        |setting: &&Setting| setting.name == flag.name || setting.aliases.contains(&flag.name);
    if let Some(setting) = others.iter().find(has_it) {
        return Some(format!("the setting --{}", setting.name));
    }
    let variable = Setting::of_suite(flag).variable();
    let of_systems = linked.systems.iter().flat_map(|system| {
        let attach = attach_variables(system.system);
        attach.into_iter().chain([missing_variable(system.system)])
    });
    let mut own = OWN_VARIABLES
        .into_iter()
        .map(str::to_owned)
        .chain(of_systems);
    if OWN_NAMES.contains(&flag.name) {
        return Some(format!("--{}", flag.name));
    }
    own.find(|known| *known == variable)
        .map(|known| format!("the variable {known}"))
}

/// What was said of the flags. Every value can be read as the type of its flag.
pub(super) fn values(
    suite: &[FlagDeclaration],
    found: &BTreeMap<&'static str, (Rank, Settled)>,
) -> Result<FlagValues, UsageError> {
    let mut values = FlagValues::new();
    for flag in suite {
        let Some((_, settled)) = found.get(flag.name) else {
            continue;
        };
        (flag.check)(&settled.values).map_err(|why| {
            let help = format!(
                "write a value of the type `{}`; the flag is declared at {}",
                flag.type_name,
                flag.place()
            );
            Wrong::new(why, help).said_by(&settled.source)
        })?;
        values.insert(flag.name.to_owned(), settled.values.clone());
    }
    Ok(values)
}
