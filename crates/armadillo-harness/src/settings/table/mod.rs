//! The table of all settings of the harness, in the order of `--help`.

mod running;
mod selecting;
mod showing;

use super::setting::{Setting, SystemFlags};

/// Every setting: the harness's, then those systems add. A flag that several systems declare is one setting, which each of
/// them reads.
pub fn all(systems: &[SystemFlags]) -> Vec<Setting> {
    let mut all = [selecting::TABLE, running::TABLE, showing::TABLE].concat();
    for flag in systems.iter().flat_map(|system| system.flags) {
        if all.iter().all(|setting| setting.name != flag.name) {
            all.push(Setting::of_system(flag));
        }
    }
    all
}
