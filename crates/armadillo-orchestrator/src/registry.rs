//! The systems linked into this executable.

use std::collections::BTreeMap;

use crate::system::System;

/// A system's entry in the registry: `armadillo_orchestrator::register_system!(MyDb)`.
pub struct SystemEntry {
    /// The system.
    pub system: &'static dyn System,
    /// The package that has registered it, with its version.
    pub origin: &'static str,
}

inventory::collect!(SystemEntry);

/// All systems linked into this executable, by name.
#[must_use]
pub fn systems() -> Vec<&'static dyn System> {
    let mut all: Vec<&'static dyn System> = inventory::iter::<SystemEntry>
        .into_iter()
        .map(|entry| entry.system)
        .collect();
    all.sort_by_key(|system| system.name());
    all.dedup_by_key(|system| system.name());
    all
}

/// The system of that name.
#[must_use]
pub fn system(name: &str) -> Option<&'static dyn System> {
    systems().into_iter().find(|system| system.name() == name)
}

/// What tells the systems of this executable from those of others: of each its name, and the package with its version.
#[must_use]
pub fn origins() -> BTreeMap<&'static str, &'static str> {
    inventory::iter::<SystemEntry>
        .into_iter()
        .map(|entry| (entry.system.name(), entry.origin))
        .collect()
}

/// Registers a system: `register_system!(MyDb)`, where `MyDb` is a constant expression.
#[macro_export]
macro_rules! register_system {
    ($system:expr) => {
        $crate::inventory::submit! {
            $crate::SystemEntry {
                system: &$system,
                origin: ::core::concat!(
                    ::core::env!("CARGO_PKG_NAME"),
                    " ",
                    ::core::env!("CARGO_PKG_VERSION")
                ),
            }
        }
    };
}
