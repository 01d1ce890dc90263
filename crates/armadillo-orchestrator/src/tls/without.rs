//! An executable without the feature `tls` has no authority.

use std::collections::BTreeSet;

use super::{Certificate, TlsError};
use crate::secret::Secret;

/// There is none.
pub(crate) enum Authority {}

/// There is none.
pub(crate) struct Issued {
    pub(crate) certificate: String,
    pub(crate) der: Vec<u8>,
    pub(crate) key: Secret,
}

impl Authority {
    pub(crate) fn of_this_process() -> Result<&'static Self, TlsError> {
        Err(TlsError::NotBuiltIn)
    }

    pub(crate) fn certificate(&self) -> &str {
        match *self {}
    }

    pub(crate) fn server(&self, _: &BTreeSet<String>, _: Certificate) -> Result<Issued, TlsError> {
        match *self {}
    }

    pub(crate) fn client(&self) -> Result<Issued, TlsError> {
        match *self {}
    }
}
