//! What a client checks of a server, and what it shows.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use rustls::client::Resumption;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{CryptoProvider, ring, verify_tls12_signature, verify_tls13_signature};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName, UnixTime};
use rustls::{CertificateError, ClientConfig, DigitallySignedStruct, Error, RootCertStore};
use rustls::{ConfigBuilder, SignatureScheme};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

use super::{ClientCertificate, Tls, TlsError, explain};
use crate::deadline::Deadline;

/// How many deployments' settings are kept.
const KEPT: usize = 64;

/// What a client checks of the servers of one deployment, and what it shows to them.
#[derive(Clone)]
pub(crate) struct Trust(Arc<ClientConfig>);

impl Trust {
    /// Servers whose certificates this deployment's authority issued, for the host that is asked.
    pub(crate) fn of(tls: &Tls) -> Result<Self, TlsError> {
        static KNOWN: Mutex<BTreeMap<String, Trust>> = Mutex::new(BTreeMap::new());
        let shown = tls
            .client
            .as_ref()
            .map(|client| client.certificate.as_str());
        let key = format!("{}{}", tls.authority, shown.unwrap_or_default());
        let mut known = KNOWN.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(trust) = known.get(&key) {
            return Ok(trust.clone());
        }
        let trust = Self::checking(tls)?;
        if known.len() >= KEPT {
            known.clear();
        }
        known.insert(key, trust.clone());
        Ok(trust)
    }

    fn checking(tls: &Tls) -> Result<Self, TlsError> {
        let unusable = |why: String| TlsError::Unusable {
            what: "authority's certificate",
            why,
        };
        let mut roots = RootCertStore::empty();
        for certificate in CertificateDer::pem_slice_iter(tls.authority.as_bytes()) {
            let certificate = certificate.map_err(|error| unusable(error.to_string()))?;
            let added = roots.add(certificate);
            added.map_err(|error| unusable(error.to_string()))?;
        }
        let builder = builder()?.with_root_certificates(roots);
        Ok(Self(Arc::new(showing(builder, tls.client.as_ref())?)))
    }

    /// Only the server that shows this certificate, whatever is wrong with it: for whoever gave it to the server.
    pub(crate) fn only(
        certificate: &[u8],
        client: Option<&ClientCertificate>,
    ) -> Result<Self, TlsError> {
        Self::without_check(Some(certificate.to_vec()), client)
    }

    fn without_check(
        only: Option<Vec<u8>>,
        client: Option<&ClientCertificate>,
    ) -> Result<Self, TlsError> {
        let verifier = Arc::new(Known {
            only,
            provider: provider(),
        });
        let builder = builder()?
            .dangerous()
            .with_custom_certificate_verifier(verifier);
        Ok(Self(Arc::new(showing(builder, client)?)))
    }

    /// Begins to speak TLS on a connection to this address.
    pub(crate) async fn connect(
        &self,
        address: &str,
        stream: TcpStream,
    ) -> Result<TlsStream<TcpStream>, String> {
        let host = address.rsplit_once(':').map_or(address, |(host, _)| host);
        let host = host.trim_matches(['[', ']']).to_owned();
        let name = ServerName::try_from(host).map_err(|error| error.to_string())?;
        let connected = TlsConnector::from(self.0.clone())
            .connect(name, stream)
            .await;
        connected.map_err(|error| explain(&error).unwrap_or_else(|| error.to_string()))
    }
}

/// The certificate that the server at this address shows now, in its binary form, whatever is wrong with it.
///
/// # Errors
/// When there is none by the deadline, in words.
pub async fn presented(address: &str, deadline: Deadline) -> Result<Vec<u8>, String> {
    let look = async {
        let trust = Trust::without_check(None, None).map_err(|error| error.to_string())?;
        let stream = TcpStream::connect(address).await;
        let stream = stream.map_err(|error| error.to_string())?;
        let stream = trust.connect(address, stream).await?;
        let (_, connection) = stream.get_ref();
        let shown = connection.peer_certificates().and_then(|all| all.first());
        let shown = shown.ok_or_else(|| "it shows no certificate".to_owned())?;
        Ok(shown.to_vec())
    };
    let looked = deadline.bound(look).await;
    looked.unwrap_or_else(|| Err("no response before the deadline".to_owned()))
}

fn provider() -> Arc<CryptoProvider> {
    Arc::new(ring::default_provider())
}

fn builder() -> Result<ConfigBuilder<ClientConfig, rustls::WantsVerifier>, TlsError> {
    let builder = ClientConfig::builder_with_provider(provider());
    let versions = builder.with_safe_default_protocol_versions();
    versions.map_err(|error| TlsError::Unusable {
        what: "TLS library",
        why: error.to_string(),
    })
}

fn showing(
    builder: ConfigBuilder<ClientConfig, rustls::client::WantsClientCert>,
    client: Option<&ClientCertificate>,
) -> Result<ClientConfig, TlsError> {
    let mut config = shown(builder, client)?;
    // A connection that resumes an earlier one is not shown the certificate that the server has now.
    config.resumption = Resumption::disabled();
    Ok(config)
}

fn shown(
    builder: ConfigBuilder<ClientConfig, rustls::client::WantsClientCert>,
    client: Option<&ClientCertificate>,
) -> Result<ClientConfig, TlsError> {
    let Some(client) = client else {
        return Ok(builder.with_no_client_auth());
    };
    let unusable = |why: String| TlsError::Unusable {
        what: "client certificate",
        why,
    };
    let chain = CertificateDer::pem_slice_iter(client.certificate.as_bytes())
        .collect::<Result<Vec<_>, _>>()
        .map_err(|error| unusable(error.to_string()))?;
    let key = PrivateKeyDer::from_pem_slice(client.key.reveal().as_bytes())
        .map_err(|error| unusable(error.to_string()))?;
    let config = builder.with_client_auth_cert(chain, key);
    config.map_err(|error| unusable(error.to_string()))
}

/// Takes a server for what it shows: only this certificate, or any.
#[derive(Debug)]
struct Known {
    only: Option<Vec<u8>>,
    provider: Arc<CryptoProvider>,
}

impl ServerCertVerifier for Known {
    fn verify_server_cert(
        &self,
        shown: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        _: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        match &self.only {
            Some(only) if only.as_slice() != shown.as_ref() => Err(Error::InvalidCertificate(
                CertificateError::ApplicationVerificationFailure,
            )),
            _ => Ok(ServerCertVerified::assertion()),
        }
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        let known = &self.provider.signature_verification_algorithms;
        verify_tls12_signature(message, certificate, signature, known)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        let known = &self.provider.signature_verification_algorithms;
        verify_tls13_signature(message, certificate, signature, known)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        let known = &self.provider.signature_verification_algorithms;
        known.supported_schemes()
    }
}
