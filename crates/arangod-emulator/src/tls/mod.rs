//! TLS: what the options say, the keyfile in use, and what is said of it.
//!
//! Source: `SslServerFeature.cpp` and `GeneralServer.cpp` of arangodb/arangodb, 3.12.

mod peer;
mod pem;

use std::cell::RefCell;
use std::path::PathBuf;
use std::sync::Arc;

use rustls::crypto::ring;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::version::{TLS12, TLS13};
use rustls::{ServerConfig, SupportedProtocolVersion};
use serde_json::{Value, json};

use crate::options::Options;

pub(crate) use peer::connect;

/// What the options say about TLS.
#[derive(Debug, Clone)]
pub(crate) struct TlsSettings {
    keyfile: PathBuf,
    cafile: PathBuf,
    protocol: Protocol,
    prefer_http1: bool,
}

/// The versions that are spoken, as `--ssl.protocol` numbers them.
#[derive(Debug, Clone, Copy)]
enum Protocol {
    Generic,
    Tls12,
    Tls13,
}

impl Protocol {
    fn versions(self) -> Vec<&'static SupportedProtocolVersion> {
        match self {
            Self::Generic => vec![&TLS13, &TLS12],
            Self::Tls12 => vec![&TLS12],
            Self::Tls13 => vec![&TLS13],
        }
    }
}

impl TlsSettings {
    /// Reads the options; the text is the reason why one has no meaning here.
    pub(crate) fn new(options: &Options) -> Result<Self, String> {
        let protocol = match options.unsigned("--ssl.protocol") {
            9 => Protocol::Generic,
            5 => Protocol::Tls12,
            6 => Protocol::Tls13,
            other @ 1..5 => {
                return Err(format!(
                    "the emulator does not implement --ssl.protocol {other}"
                ));
            }
            other => return Err(format!("invalid value '{other}' for --ssl.protocol")),
        };
        Ok(Self {
            keyfile: PathBuf::from(options.text("--ssl.keyfile")),
            cafile: PathBuf::from(options.text("--ssl.cafile")),
            protocol,
            prefer_http1: options.flag("--ssl.prefer-http1-in-alpn"),
        })
    }
}

/// Why there is no TLS: the id of the message, and the message.
#[derive(Debug)]
pub(crate) struct TlsError {
    pub(crate) id: &'static str,
    pub(crate) message: String,
    /// What was found wrong with the files, for a message of its own before it.
    pub(crate) cause: Option<String>,
}

/// The keyfile in use.
#[derive(Debug)]
pub(crate) struct Tls {
    settings: TlsSettings,
    current: RefCell<Loaded>,
}

#[derive(Debug, Clone)]
struct Loaded {
    keyfile: String,
    cafile: String,
    config: Arc<ServerConfig>,
}

impl Tls {
    /// Reads the files at the start.
    pub(crate) fn open(settings: &TlsSettings) -> Result<Self, TlsError> {
        let fatal = |id, message, cause| TlsError { id, message, cause };
        if settings.keyfile.as_os_str().is_empty() {
            let message = String::from("no value specified for '--ssl.keyfile'");
            return Err(fatal("f0dca", message, None));
        }
        if !settings.keyfile.exists() {
            let path = settings.keyfile.display();
            let message = format!("unable to find SSL keyfile '{path}'");
            return Err(fatal("51cf0", message, None));
        }
        let loaded = load(settings).map_err(|cause| {
            let message = String::from("cannot create SSL context");
            fatal("997d2", message, Some(cause))
        })?;
        Ok(Self {
            settings: settings.clone(),
            current: RefCell::new(loaded),
        })
    }

    /// Reads the files again. If that fails, what was read before stays in use.
    pub(crate) fn reload(&self) -> Result<(), String> {
        let loaded = load(&self.settings)?;
        *self.current.borrow_mut() = loaded;
        Ok(())
    }

    /// What new connections get.
    pub(crate) fn config(&self) -> Arc<ServerConfig> {
        Arc::clone(&self.current.borrow().config)
    }

    /// The certificates in use, and hashes of what is secret.
    pub(crate) fn described(&self) -> Value {
        let loaded = self.current.borrow();
        json!({
            "keyfile": pem::described(&loaded.keyfile),
            "clientCA": pem::described(&loaded.cafile),
        })
    }
}

fn load(settings: &TlsSettings) -> Result<Loaded, String> {
    let read = |path: &PathBuf| {
        let text = std::fs::read_to_string(path);
        text.map_err(|error| format!("{}: {error}", path.display()))
    };
    let keyfile = read(&settings.keyfile)?;
    let cafile = match settings.cafile.as_os_str().is_empty() {
        true => String::new(),
        false => read(&settings.cafile)?,
    };
    let bad = |error: &dyn std::fmt::Display| format!("{}: {error}", settings.keyfile.display());
    let chain = CertificateDer::pem_slice_iter(keyfile.as_bytes())
        .collect::<Result<Vec<_>, _>>()
        .map_err(|error| bad(&error))?;
    if chain.is_empty() {
        return Err(bad(&"no certificate in it"));
    }
    let key = PrivateKeyDer::from_pem_slice(keyfile.as_bytes()).map_err(|error| bad(&error))?;
    let builder = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()));
    let mut config = builder
        .with_protocol_versions(&settings.protocol.versions())
        // Clients are not asked for certificates: the mode is SSL_VERIFY_NONE.
        .map(|builder| builder.with_no_client_auth())
        .and_then(|builder| builder.with_single_cert(chain, key))
        .map_err(|error| bad(&error))?;
    let mut protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    if settings.prefer_http1 {
        protocols.reverse();
    }
    config.alpn_protocols = protocols;
    Ok(Loaded {
        keyfile,
        cafile,
        config: Arc::new(config),
    })
}
