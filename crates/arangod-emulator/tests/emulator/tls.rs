//! Endpoints with TLS: what is shown, what is said of it, and keyfiles that will not do.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::path::Path;
use std::sync::Arc;

use rcgen::{CertifiedKey, generate_simple_self_signed};
use rustls::crypto::ring;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, ClientConnection, RootCertStore, StreamOwned};
use serde_json::{Value, json};

use crate::support::{Place, Port, Server};

/// A self-signed certificate for this machine, and the keyfile with it.
fn made() -> (CertificateDer<'static>, String) {
    let CertifiedKey { cert, signing_key } =
        generate_simple_self_signed(vec![String::from("127.0.0.1")]).unwrap();
    let keyfile = format!("{}{}", cert.pem(), signing_key.serialize_pem());
    (cert.der().clone(), keyfile)
}

type Stream = StreamOwned<ClientConnection, TcpStream>;

/// A connection of a client that trusts only this certificate and speaks these protocols, after the handshake.
fn connect(
    address: SocketAddr,
    trusted: &CertificateDer<'static>,
    protocols: &[&str],
) -> Result<Stream, std::io::Error> {
    let mut roots = RootCertStore::empty();
    roots.add(trusted.clone()).unwrap();
    let provider = Arc::new(ring::default_provider());
    let mut config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth();
    config.alpn_protocols = protocols
        .iter()
        .map(|name| name.as_bytes().to_vec())
        .collect();
    let name = ServerName::try_from("127.0.0.1").unwrap();
    let connection = ClientConnection::new(Arc::new(config), name).unwrap();
    let mut stream = StreamOwned::new(connection, TcpStream::connect(address)?);
    while stream.conn.is_handshaking() {
        stream.conn.complete_io(&mut stream.sock)?;
    }
    Ok(stream)
}

/// One request on a connection that stays.
fn version(stream: &mut Stream) -> Value {
    let token = crate::support::superuser_token();
    let request =
        format!("GET /_api/version HTTP/1.1\r\nhost: h\r\nauthorization: bearer {token}\r\n\r\n");
    stream.write_all(request.as_bytes()).unwrap();
    let mut reader = BufReader::new(stream);
    let (mut line, mut length) = (String::new(), 0);
    while line != "\r\n" {
        line.clear();
        reader.read_line(&mut line).unwrap();
        if let Some(text) = line.to_ascii_lowercase().strip_prefix("content-length: ") {
            length = text.trim().parse().unwrap();
        }
    }
    let mut body = vec![0; length];
    reader.read_exact(&mut body).unwrap();
    serde_json::from_slice(&body).unwrap()
}

/// A server with one endpoint without TLS and one with it.
fn start(place: &Place, port: &Port, keyfile: &Path, more: &[&str]) -> Server {
    let endpoint = format!("ssl://{}", port.address);
    let keyfile = keyfile.display().to_string();
    let mut args = vec!["--server.endpoint", &endpoint, "--ssl.keyfile", &keyfile];
    args.extend(more);
    place.start(&args)
}

#[test]
fn a_new_keyfile_is_shown_to_new_connections_and_old_ones_live_on() {
    let (place, port) = (Place::new(), Port::hold());
    let path = place.file("server.pem");
    let (first, keyfile) = made();
    std::fs::write(&path, &keyfile).unwrap();
    let server = start(&place, &port, &path, &[]);
    let mut old = connect(port.address, &first, &[]).unwrap();
    assert_eq!(version(&mut old)["server"], "arango");
    assert!(place.log().contains("for ssl-encrypted requests"));

    let said = server.client().get("/_admin/server/tls").json();
    assert_eq!(
        (&said["error"], &said["code"]),
        (&json!(false), &json!(200))
    );
    let said = &said["result"];
    assert_eq!(said["clientCA"], json!({}));
    assert!(said.get("SNI").is_none());
    let shown = said["keyfile"]["certificates"][0].as_str().unwrap();
    assert!(keyfile.starts_with(shown) && shown.ends_with("-----END CERTIFICATE-----"));
    for hash in ["sha256", "SHA256", "privateKeySha256", "privateKeySHA256"] {
        assert_eq!(said["keyfile"][hash].as_str().unwrap().len(), 64, "{hash}");
    }

    let (second, keyfile) = made();
    std::fs::write(&path, &keyfile).unwrap();
    // Nobody has told the server yet.
    connect(port.address, &first, &[]).unwrap();
    let root = server.anonymous().basic("root", "");
    let refused = root.post("/_admin/server/tls", &json!({}));
    assert_eq!(refused.error(), (403, 11));
    let message = &refused.json()["errorMessage"];
    assert_eq!(message, "only superusers may reload TLS data");
    assert_eq!(
        server.client().delete("/_admin/server/tls").error(),
        (403, 11)
    );
    let before = said["keyfile"]["sha256"].clone();
    let said = server.client().post("/_admin/server/tls", &json!({}));
    assert_eq!(said.status, 200);
    assert_ne!(said.json()["result"]["keyfile"]["sha256"], before);
    connect(port.address, &second, &[]).unwrap();
    assert!(connect(port.address, &first, &[]).is_err());
    assert_eq!(version(&mut old)["server"], "arango");

    std::fs::write(&path, "nothing of the kind").unwrap();
    let refused = server.client().post("/_admin/server/tls", &json!({}));
    assert_eq!(refused.error(), (400, 34));
    assert_eq!(
        refused.json()["errorMessage"],
        "Could not reload TLS context from files."
    );
    assert!(place.log().contains("[feffe]"));
    connect(port.address, &second, &[]).unwrap();
}

#[test]
fn without_an_endpoint_with_tls_there_is_nothing_to_show() {
    let place = Place::new();
    let server = place.start(&[]);
    for answer in [
        server.client().get("/_admin/server/tls"),
        server.client().post("/_admin/server/tls", &json!({})),
    ] {
        assert_eq!((answer.status, &answer.json()["result"]), (200, &json!({})));
    }
    assert_eq!(server.anonymous().get("/_admin/server/tls").status, 401);
}

#[test]
fn a_keyfile_that_will_not_do_ends_the_start() {
    let place = Place::new();
    let endpoint = format!("ssl://{}", Port::hold().address);
    let (missing, bad) = (place.file("missing.pem"), place.file("bad.pem"));
    let (_, other) = made();
    let (certificate, _) = other.split_once("-----BEGIN PRIVATE").unwrap();
    let missing = missing.display().to_string();
    for (content, keyfile, id, message) in [
        ("", "", "f0dca", "no value specified for '--ssl.keyfile'"),
        ("", &missing, "51cf0", "unable to find SSL keyfile '"),
        ("nonsense", "bad.pem", "997d2", "cannot create SSL context"),
        (certificate, "bad.pem", "997d2", "cannot create SSL context"),
    ] {
        std::fs::write(&bad, content).unwrap();
        let keyfile = match keyfile {
            "bad.pem" => bad.display().to_string(),
            other => String::from(other),
        };
        let mut args = vec!["--server.endpoint", &endpoint];
        if !keyfile.is_empty() {
            args.extend(["--ssl.keyfile", &keyfile]);
        }
        std::fs::remove_file(place.file("log")).ok();
        assert_eq!(place.run(&args), 1, "{id}");
        let log = place.log();
        assert!(
            log.contains(&format!("[{id}] {{ssl}} {message}")),
            "{id}:\n{log}"
        );
        assert_eq!(log.contains("[bd0ba]"), id == "997d2", "{log}");
    }
}

#[test]
fn the_protocol_is_agreed_on_and_versions_can_be_limited() {
    let (place, port) = (Place::new(), Port::hold());
    let path = place.file("server.pem");
    let (certificate, keyfile) = made();
    std::fs::write(&path, keyfile).unwrap();
    let chosen = |protocols: &[&str]| {
        let stream = connect(port.address, &certificate, protocols).unwrap();
        let version = format!("{:?}", stream.conn.protocol_version().unwrap());
        let protocol = stream.conn.alpn_protocol().map(<[u8]>::to_vec);
        (
            String::from_utf8(protocol.unwrap_or_default()).unwrap(),
            version,
        )
    };
    let server = start(&place, &port, &path, &[]);
    assert_eq!(chosen(&["http/1.1", "h2"]).0, "h2");
    assert_eq!(chosen(&["http/1.1"]).0, "http/1.1");
    assert_eq!(chosen(&[]), (String::new(), String::from("TLSv1_3")));
    drop(server);
    let more = ["--ssl.protocol", "5", "--ssl.prefer-http1-in-alpn", "true"];
    let _server = start(&place, &port, &path, &more);
    let expected = (String::from("http/1.1"), String::from("TLSv1_2"));
    assert_eq!(chosen(&["h2", "http/1.1"]), expected);
}
