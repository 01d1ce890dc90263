//! The authority of a run, and what it issues.

use std::collections::BTreeSet;
use std::net::IpAddr;
use std::sync::OnceLock;
use std::time::Duration;

use rcgen::{
    BasicConstraints, CertificateParams, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair,
    KeyUsagePurpose, SanType,
};
use time::OffsetDateTime;

use super::{Certificate, TlsError};
use crate::random;
use crate::secret::Secret;

/// Since when everything is valid: clocks of containers and their hosts may differ.
const BEFORE: Duration = Duration::from_secs(24 * 60 * 60);

/// For how long: more than any deployment is kept.
const LIFETIME: Duration = Duration::from_secs(365 * 24 * 60 * 60);

/// How long ago an expired certificate expired.
const EXPIRED_SINCE: Duration = Duration::from_secs(60 * 60);

/// A host that nobody has: the domain is reserved (RFC 2606).
const WRONG_HOST: &str = "wrong-host.invalid";

/// The names of this machine that every certificate of a server is for.
const LOOPBACK: [&str; 3] = ["127.0.0.1", "::1", "localhost"];

/// An authority. Its private key is nowhere but here.
pub(crate) struct Authority {
    certificate: String,
    issuer: Issuer<'static, KeyPair>,
}

/// A certificate with its private key.
pub(crate) struct Issued {
    /// The certificate as PEM.
    pub(crate) certificate: String,
    /// The same in its binary form, as a server shows it.
    pub(crate) der: Vec<u8>,
    /// The private key as PEM.
    pub(crate) key: Secret,
}

impl Authority {
    /// The authority of this process, made when it is first needed.
    pub(crate) fn of_this_process() -> Result<&'static Self, TlsError> {
        static OURS: OnceLock<Authority> = OnceLock::new();
        match OURS.get() {
            Some(known) => Ok(known),
            None => {
                let new = Self::new()?;
                Ok(OURS.get_or_init(|| new))
            }
        }
    }

    fn new() -> Result<Self, TlsError> {
        // A name of its own: whoever knows another authority finds that this is none it knows.
        let number = random::hex::<4>().map_err(|error| TlsError::Issue(error.to_string()))?;
        let mut params = params(&format!("authority {number}"), LIFETIME);
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
        let key = KeyPair::generate().map_err(failed)?;
        let certificate = params.self_signed(&key).map_err(failed)?.pem();
        Ok(Self {
            certificate,
            issuer: Issuer::new(params, key),
        })
    }

    /// Its own certificate as PEM.
    pub(crate) fn certificate(&self) -> &str {
        &self.certificate
    }

    /// A certificate for a server that is reached at these hosts, or one that is not right for it. Servers show it also
    /// where they are the client of another one, or of themselves.
    pub(crate) fn server(
        &self,
        hosts: &BTreeSet<String>,
        which: Certificate,
    ) -> Result<Issued, TlsError> {
        let mut params = params("server", LIFETIME);
        params.subject_alt_names = match which {
            Certificate::WrongHost => vec![name(WRONG_HOST)?],
            _ => LOOPBACK
                .into_iter()
                .chain(hosts.iter().map(String::as_str))
                .collect::<BTreeSet<_>>()
                .into_iter()
                .map(name)
                .collect::<Result<_, _>>()?,
        };
        params.extended_key_usages = vec![
            ExtendedKeyUsagePurpose::ServerAuth,
            ExtendedKeyUsagePurpose::ClientAuth,
        ];
        if which == Certificate::Expired {
            params.not_after = OffsetDateTime::now_utc() - EXPIRED_SINCE;
        }
        match which {
            Certificate::UnknownAuthority => Self::new()?.sign(params),
            _ => self.sign(params),
        }
    }

    /// A certificate for clients. It has no common name, which some products take for the name of a user.
    pub(crate) fn client(&self) -> Result<Issued, TlsError> {
        let mut params = params("client", LIFETIME);
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ClientAuth];
        self.sign(params)
    }

    fn sign(&self, mut params: CertificateParams) -> Result<Issued, TlsError> {
        params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
        params.use_authority_key_identifier_extension = true;
        let key = KeyPair::generate().map_err(failed)?;
        let certificate = params.signed_by(&key, &self.issuer).map_err(failed)?;
        Ok(Issued {
            certificate: certificate.pem(),
            der: certificate.der().to_vec(),
            key: Secret::new(key.serialize_pem()),
        })
    }
}

fn params(unit: &str, lifetime: Duration) -> CertificateParams {
    let mut params = CertificateParams::default();
    let now = OffsetDateTime::now_utc();
    params.not_before = now - BEFORE;
    params.not_after = now + lifetime;
    params.distinguished_name = rcgen::DistinguishedName::new();
    let subject = &mut params.distinguished_name;
    subject.push(DnType::OrganizationName, "Armadillo tests");
    subject.push(DnType::OrganizationalUnitName, unit);
    params
}

fn name(host: &str) -> Result<SanType, TlsError> {
    match host.parse::<IpAddr>() {
        Ok(address) => Ok(SanType::IpAddress(address)),
        Err(_) => Ok(SanType::DnsName(host.try_into().map_err(failed)?)),
    }
}

fn failed(error: rcgen::Error) -> TlsError {
    TlsError::Issue(error.to_string())
}
