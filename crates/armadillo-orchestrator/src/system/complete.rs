//! From a test's wish to a topology, as the settings of the run want it.

use super::{PlanError, System};
use crate::settings::Settings;
use crate::tls::{TLS, TlsError};
use crate::topology::Topology;

/// The wish of a test with everything filled in, and with the word [`TLS`] where the settings say it of all that can.
///
/// # Errors
/// When it makes no sense, with what would.
pub fn completed(
    system: &dyn System,
    wish: &Topology,
    settings: &Settings,
) -> Result<Topology, PlanError> {
    let mut wish = wish.clone();
    if settings.is_on(TLS)
        && settings.attached(system.name()).is_none()
        && system.tls(&wish).is_some()
    {
        wish.words.insert(TLS.to_owned());
    }
    let complete = system.complete(&wish, settings)?;
    if complete.says(TLS) && !cfg!(feature = "tls") {
        return Err(PlanError {
            param: TLS.to_owned(),
            says: TlsError::NotBuiltIn.to_string(),
            help: "enable the feature `tls` of armadillo-test".to_owned(),
        });
    }
    Ok(complete)
}
