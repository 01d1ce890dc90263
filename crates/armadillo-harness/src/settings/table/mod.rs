//! The table of all settings of the harness, in the order of `--help`.

mod running;
mod selecting;
mod showing;

use super::setting::{Linked, Setting};

/// Short names that are no settings: help and version.
const OWN_SHORT: [char; 2] = ['h', 'V'];

/// Every setting: the harness's, then those systems add, then those of the suite. A flag that several systems declare is one setting, which each of
/// them reads. A short name belongs to the first that asks for it. A flag of the suite whose name is taken is refused when settings are
/// resolved.
pub fn all(linked: &Linked) -> Vec<Setting> {
    let mut all = [selecting::TABLE, running::TABLE, showing::TABLE].concat();
    for flag in linked.systems.iter().flat_map(|system| system.flags) {
        if all.iter().all(|setting| setting.name != flag.name) {
            let mut setting = Setting::of_system(flag);
            let is_free = |short: &char| {
                !OWN_SHORT.contains(short) && all.iter().all(|known| known.short != Some(*short))
            };
            setting.short = setting.short.filter(is_free);
            all.push(setting);
        }
    }
    for flag in &linked.suite {
        if all.iter().all(|setting| setting.name != flag.name) {
            all.push(Setting::of_suite(flag));
        }
    }
    all
}
