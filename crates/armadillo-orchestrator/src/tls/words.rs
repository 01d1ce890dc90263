//! What went wrong between two that speak TLS, in plain words.

use std::error::Error;
use std::io;

/// The plain words for an error that has to do with TLS; `None` for any other.
#[cfg(feature = "tls")]
pub(crate) fn explain(error: &(dyn Error + 'static)) -> Option<String> {
    let mut next = Some(error);
    while let Some(error) = next {
        if let Some(known) = error.downcast_ref::<rustls::Error>() {
            return Some(in_words(known));
        }
        // An I/O error does not name what it wraps as its source.
        next = match error
            .downcast_ref::<io::Error>()
            .and_then(io::Error::get_ref)
        {
            Some(inner) => Some(inner),
            None => error.source(),
        };
    }
    None
}

/// Without TLS nothing is wrong with it.
#[cfg(not(feature = "tls"))]
pub(crate) fn explain(_: &(dyn Error + 'static)) -> Option<String> {
    let _ = io::ErrorKind::Other;
    None
}

/// `DnsName("host")` as `DNS host`, and others as they are.
#[cfg(feature = "tls")]
fn plain(name: &str) -> String {
    let inner = name
        .strip_prefix("DnsName(\"")
        .and_then(|rest| rest.strip_suffix("\")"));
    inner.map_or_else(|| name.to_owned(), |host| format!("DNS {host}"))
}

#[cfg(feature = "tls")]
fn in_words(error: &rustls::Error) -> String {
    use rustls::{AlertDescription, CertificateError, Error};
    match error {
        Error::InvalidCertificate(why) => match why {
            CertificateError::Expired => "the server's certificate has expired".to_owned(),
            CertificateError::ExpiredContext { time, not_after } => {
                let ago = time.as_secs().saturating_sub(not_after.as_secs());
                format!("the server's certificate expired {ago} s ago")
            }
            CertificateError::NotValidYet | CertificateError::NotValidYetContext { .. } => {
                "the server's certificate is not valid yet".to_owned()
            }
            CertificateError::NotValidForName => {
                "the server's certificate is for another host".to_owned()
            }
            CertificateError::NotValidForNameContext {
                expected,
                presented,
            } => {
                let expected = expected.to_str();
                let presented: Vec<String> = presented.iter().map(|name| plain(name)).collect();
                let presented = presented.join(", ");
                format!("the server's certificate is not for {expected}, but for {presented}")
            }
            CertificateError::UnknownIssuer => {
                "the server's certificate was issued by an unknown authority".to_owned()
            }
            CertificateError::BadSignature => {
                "the server's certificate was not signed by the authority that it names".to_owned()
            }
            other => format!("the server's certificate is not valid: {other}"),
        },
        Error::AlertReceived(alert) => match alert {
            AlertDescription::CertificateRequired => {
                "the server requires a certificate of its clients".to_owned()
            }
            AlertDescription::BadCertificate
            | AlertDescription::UnknownCA
            | AlertDescription::CertificateUnknown
            | AlertDescription::CertificateExpired => {
                format!(
                    "the server rejects the client's certificate, or that it has none ({alert:?})"
                )
            }
            other => format!("the server ended the TLS handshake: {other:?}"),
        },
        Error::InvalidMessage(_) => "what listens there does not speak TLS".to_owned(),
        other => format!("TLS: {other}"),
    }
}
