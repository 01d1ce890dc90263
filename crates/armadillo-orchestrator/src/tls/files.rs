//! The files of a deployment's certificates.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use super::authority::Authority;
use super::{Certificate, ClientCertificate, Issued, KeyFiles, ServerFiles, Tls, TlsError, TlsUse};
use crate::backend::Site;
use crate::secret::Secret;
use crate::server::ServerKey;
use crate::view::Place;

/// The authority's own certificate.
const AUTHORITY: &str = "ca.pem";

/// Issues the certificates of a whole deployment and writes them where its servers find them.
pub(crate) fn issue(site: &dyn Site, used: TlsUse) -> Result<Tls, TlsError> {
    let authority = Authority::of_this_process()?;
    let mut files = vec![public(AUTHORITY, authority.certificate())];
    let client = match used.client_certificates {
        true => Some(authority.client()?),
        false => None,
    };
    if let Some(client) = &client {
        files.extend(pair("client", client));
    }
    for (server, place) in site.places() {
        let hosts = hosts(place);
        let shown = authority.server(&hosts, Certificate::Valid)?;
        files.extend(pair(server.as_str(), &shown));
        if used.peer_certificates {
            let shown = authority.server(&hosts, Certificate::Valid)?;
            files.extend(pair(&peer(server), &shown));
        }
    }
    let directory = site.write_shared(&files)?;
    let servers = site.places().keys().map(|server| {
        let files = ServerFiles {
            client_facing: named(&directory, server.as_str()),
            peer_facing: (used.peer_certificates).then(|| named(&directory, &peer(server))),
        };
        (server.clone(), files)
    });
    Ok(Tls {
        authority: authority.certificate().to_owned(),
        authority_file: directory.join(AUTHORITY),
        client: client.map(|client| {
            let files = named(&directory, "client");
            ClientCertificate {
                certificate: client.certificate,
                certificate_file: files.certificate,
                key: client.key,
                key_file: files.key,
            }
        }),
        servers: servers.collect::<BTreeMap<_, _>>(),
    })
}

/// Issues another certificate that a server shows to clients, and puts it in the place of the one before.
pub(crate) fn renew(
    site: &dyn Site,
    server: &ServerKey,
    which: Certificate,
) -> Result<Issued, TlsError> {
    let hosts = site.places().get(server).map(hosts).unwrap_or_default();
    let issued = Authority::of_this_process()?.server(&hosts, which)?;
    site.write_shared(&pair(server.as_str(), &issued))?;
    Ok(issued)
}

/// The hosts at which a server is reached.
fn hosts(place: &Place) -> BTreeSet<String> {
    let addresses = place.reach.values().chain(place.advertise.values());
    let hosts = addresses.filter_map(|address| address.rsplit_once(':'));
    hosts
        .map(|(host, _)| host.trim_matches(['[', ']']).to_owned())
        .collect()
}

fn peer(server: &ServerKey) -> String {
    format!("{server}-peer")
}

fn named(directory: &Path, name: &str) -> KeyFiles {
    KeyFiles {
        certificate: directory.join(format!("{name}.crt")),
        key: directory.join(format!("{name}.key")),
        both: directory.join(format!("{name}.pem")),
    }
}

fn public(name: &str, text: &str) -> (PathBuf, Secret) {
    (name.into(), Secret::new(text))
}

/// The files of one certificate. A server that reads certificate and key from two files may do so between the two writes:
/// it refuses the pair then, and is right at its next look.
fn pair(name: &str, issued: &Issued) -> Vec<(PathBuf, Secret)> {
    let files = named(Path::new(""), name);
    let both = format!("{}{}", issued.certificate, issued.key.reveal());
    vec![
        (files.key, issued.key.clone()),
        (files.certificate, Secret::new(issued.certificate.as_str())),
        (files.both, Secret::new(both)),
    ]
}
