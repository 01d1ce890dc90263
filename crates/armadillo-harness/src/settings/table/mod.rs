//! The table of all settings of the harness, in the order of `--help`.

mod running;
mod selecting;
mod showing;

use super::setting::{Setting, SystemFlags};

/// Every setting: the harness's, then those systems add.
pub fn all(systems: &[SystemFlags]) -> Vec<Setting> {
    let own = [selecting::TABLE, running::TABLE, showing::TABLE].concat();
    let flags = systems.iter().flat_map(|system| system.flags);
    own.into_iter()
        .chain(flags.map(Setting::of_system))
        .collect()
}
