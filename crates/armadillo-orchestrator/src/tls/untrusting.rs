//! An executable without the feature `tls` trusts no server.

use tokio::net::TcpStream;

use super::{ClientCertificate, Tls, TlsError};
use crate::deadline::Deadline;

/// There is none.
#[derive(Clone)]
pub(crate) enum Trust {}

impl Trust {
    pub(crate) fn of(_: &Tls) -> Result<Self, TlsError> {
        Err(TlsError::NotBuiltIn)
    }

    pub(crate) fn only(_: &[u8], _: Option<&ClientCertificate>) -> Result<Self, TlsError> {
        Err(TlsError::NotBuiltIn)
    }

    pub(crate) async fn connect(&self, _: &str, _: TcpStream) -> Result<TcpStream, String> {
        match *self {}
    }
}

/// The certificate that the server at this address shows.
///
/// # Errors
/// Always: nobody here can speak TLS.
pub async fn presented(_: &str, _: Deadline) -> Result<Vec<u8>, String> {
    Err(TlsError::NotBuiltIn.to_string())
}
