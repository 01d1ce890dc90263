//! A server that shows certificates of this run's authority, and clients that check them.

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use rustls::ServerConfig;
use rustls::crypto::ring;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::WebPkiClientVerifier;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;
use tokio_rustls::TlsAcceptor;

use super::authority::Authority;
use super::*;
use crate::deadline::Deadline;
use crate::http::{Client, HttpError, Request};

const LIMIT: Duration = Duration::from_secs(5);

fn authority() -> &'static Authority {
    Authority::of_this_process().unwrap()
}

fn issued(which: Certificate) -> Issued {
    authority().server(&BTreeSet::new(), which).unwrap()
}

/// What clients of this run know, with a certificate of their own or without.
fn known(with_client: bool) -> Tls {
    let client = with_client.then(|| authority().client().unwrap());
    Tls {
        authority: authority().certificate().to_owned(),
        authority_file: PathBuf::new(),
        client: client.map(|client| ClientCertificate {
            certificate: client.certificate,
            certificate_file: PathBuf::new(),
            key: client.key,
            key_file: PathBuf::new(),
        }),
        servers: BTreeMap::new(),
    }
}

fn acceptor(shown: &Issued, asks_clients: bool) -> TlsAcceptor {
    let provider = Arc::new(ring::default_provider());
    let builder = ServerConfig::builder_with_provider(provider.clone())
        .with_safe_default_protocol_versions()
        .unwrap();
    let builder = if asks_clients {
        let mut roots = rustls::RootCertStore::empty();
        let root = CertificateDer::from_pem_slice(authority().certificate().as_bytes());
        roots.add(root.unwrap()).unwrap();
        let verifier = WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider);
        builder.with_client_cert_verifier(verifier.build().unwrap())
    } else {
        builder.with_no_client_auth()
    };
    let chain = vec![CertificateDer::from(shown.der.clone())];
    let key = PrivateKeyDer::from_pem_slice(shown.key.reveal().as_bytes()).unwrap();
    TlsAcceptor::from(Arc::new(builder.with_single_cert(chain, key).unwrap()))
}

/// Serves one connection after the other, as long as the test goes on, and returns its address.
async fn serve(listener: TcpListener, acceptor: TlsAcceptor) {
    loop {
        let (stream, _) = listener.accept().await.unwrap();
        let Ok(mut stream) = acceptor.accept(stream).await else {
            continue;
        };
        let mut head = Vec::new();
        while !head.ends_with(b"\r\n\r\n") {
            match stream.read_u8().await {
                Ok(byte) => head.push(byte),
                Err(_) => break,
            }
        }
        let answer = b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nhi";
        drop(stream.write_all(answer).await);
        drop(stream.shutdown().await);
    }
}

/// What a client that knows this much of the run says of a server that shows that.
fn ask(shown: &Issued, asks_clients: bool, known: &Tls) -> Result<String, HttpError> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    runtime.block_on(async {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap().to_string();
        let client = Client::tls(address.as_str(), known);
        tokio::select! {
            () = serve(listener, acceptor(shown, asks_clients)) => unreachable!(),
            outcome = async {
                let seen = presented(&address, Deadline::after(LIMIT)).await;
                assert_eq!(seen.as_ref(), Ok(&shown.der));
                client.send(Request::get("/"), LIMIT).await.map(|answer| answer.text())
            } => outcome,
        }
    })
}

#[test]
fn a_server_with_the_right_certificate_is_believed() {
    assert_eq!(
        ask(&issued(Certificate::Valid), false, &known(false)).unwrap(),
        "hi"
    );
    assert_eq!(
        ask(&issued(Certificate::Valid), true, &known(true)).unwrap(),
        "hi"
    );
}

#[test]
fn every_other_is_refused_before_anything_is_sent_to_it() {
    for (which, words) in [
        (Certificate::Expired, "certificate expired 36"),
        (
            Certificate::WrongHost,
            "is not for 127.0.0.1, but for DNS wrong-host.invalid",
        ),
        (
            Certificate::UnknownAuthority,
            "issued by an unknown authority",
        ),
    ] {
        let error = ask(&issued(which), false, &known(false)).unwrap_err();
        assert!(error.is_tls() && error.surely_not_sent());
        assert!(error.to_string().contains(words), "{error}");
    }
}

#[test]
fn a_client_without_a_certificate_learns_that_it_needs_one() {
    let error = ask(&issued(Certificate::Valid), true, &known(false)).unwrap_err();
    assert!(
        error
            .to_string()
            .contains("requires a certificate of its clients"),
        "{error}"
    );
}

#[test]
fn who_speaks_no_tls_is_said_to() {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    let error = runtime.block_on(async {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let client = Client::tls(listener.local_addr().unwrap().to_string(), &known(false));
        let plain = async {
            let (mut stream, _) = listener.accept().await.unwrap();
            stream
                .write_all(b"HTTP/1.1 400 Bad Request\r\n\r\n")
                .await
                .unwrap();
            std::future::pending().await
        };
        tokio::select! {
            () = plain => unreachable!(),
            outcome = client.send(Request::get("/"), LIMIT) => outcome.unwrap_err(),
        }
    });
    assert!(
        error
            .to_string()
            .ends_with("what listens there does not speak TLS"),
        "{error}"
    );
}

#[test]
fn what_is_no_certificate_is_named_and_no_key_is_shown() {
    let mut broken = known(true);
    let key = broken.client.as_ref().unwrap().key.clone();
    assert!(!format!("{broken:?}").contains(key.reveal()));
    broken.client.as_mut().unwrap().key = Secret::new("no key");
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    let client = Client::tls("127.0.0.1:1", &broken);
    let error = runtime.block_on(client.send(Request::get("/"), LIMIT));
    let error = error.unwrap_err().to_string();
    assert!(
        error.contains("cannot use the client certificate"),
        "{error}"
    );
}
