//! What the settings say of servers that somebody else started.

use super::{AttachError, Credentials, url};
use crate::http::{Client, HttpError};
use crate::settings::Settings;
use crate::system::PlanError;
use crate::tls::Tls;

/// The flag that names servers of a system that somebody else started: `attach-mydb`.
#[must_use]
pub fn flag(system: &str) -> String {
    format!("attach-{system}")
}

/// The flag that names the file with user and password: `attach-mydb-login`.
#[must_use]
pub fn login_flag(system: &str) -> String {
    format!("attach-{system}-login")
}

/// The flag that names the file with the certificate of the authority that issued those of the servers: `attach-mydb-ca`.
#[must_use]
pub fn authority_flag(system: &str) -> String {
    format!("attach-{system}-ca")
}

/// Servers that somebody else started, as the settings name them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Attachment {
    /// Where they are: `host:port`, in the order given, each once.
    pub addresses: Vec<String>,
    /// Who asks.
    pub login: Option<Credentials>,
    /// Whether they speak TLS: `https://`.
    pub encrypted: bool,
    /// What is checked of them then. It is not in the settings, which name a file.
    pub tls: Option<Tls>,
}

impl Attachment {
    /// What the settings say of this system, without a login: that is not in the settings.
    ///
    /// # Errors
    /// For the first URL that makes no sense, under the name of its flag.
    pub fn named(system: &str, settings: &Settings) -> Result<Option<Self>, PlanError> {
        let flag = flag(system);
        let wrong = |param: &str, says: &str, help: String| PlanError {
            param: param.to_owned(),
            says: says.to_owned(),
            help,
        };
        let mut addresses: Vec<String> = Vec::new();
        let mut encrypted = None;
        for said in settings.all(&flag).iter().flat_map(|said| said.split(',')) {
            let (address, tls) = address(said.trim())
                .map_err(|(says, help)| wrong(&flag, &says, help.to_owned()))?;
            if *encrypted.get_or_insert(tls) != tls {
                let says = "some addresses are https:// and some are not";
                let help = "give addresses of one kind".to_owned();
                return Err(wrong(&flag, says, help));
            }
            if !addresses.contains(&address) {
                addresses.push(address);
            }
        }
        let Some(encrypted) = encrypted else {
            return Ok(None);
        };
        let authority = authority_flag(system);
        let named = settings.get(&authority).is_some();
        if encrypted && !cfg!(feature = "tls") {
            let says = "https:// needs TLS, and this executable was built without it";
            let help = "add the feature `tls` of the package `armadillo-test`".to_owned();
            return Err(wrong(&flag, says, help));
        }
        if encrypted && !named {
            let says =
                "https:// needs the certificate of the authority that issued those of the servers";
            return Err(wrong(
                &flag,
                says,
                format!("name its file with --{authority} FILE"),
            ));
        }
        if named && !encrypted {
            let says = "it is set, and the servers do not speak TLS";
            let help =
                format!("write https:// in front of the addresses of --{flag}, or remove it");
            return Err(wrong(&authority, says, help));
        }
        Ok(Some(Self {
            addresses,
            login: None,
            encrypted,
            tls: None,
        }))
    }

    /// An address, `host:port`, as a URL.
    #[must_use]
    pub fn url(&self, address: &str) -> String {
        url(address, self.encrypted)
    }

    /// A client for a server at `host:port`, which speaks TLS if the servers do.
    #[must_use]
    pub fn client(&self, address: &str) -> Client {
        match &self.tls {
            Some(tls) => Client::tls(address, tls),
            None => Client::tcp(address),
        }
    }

    /// What is wrong at an address, `host:port`.
    #[must_use]
    pub fn error(
        &self,
        address: &str,
        says: impl Into<String>,
        help: impl Into<String>,
    ) -> AttachError {
        AttachError::at(&self.url(address), says, help)
    }

    /// A request to an address that got no answer.
    #[must_use]
    pub fn silent(&self, address: &str, error: &HttpError) -> AttachError {
        AttachError::silent(&self.url(address), error)
    }
}

/// `host:port` of a URL, and whether TLS is spoken there. What is wrong with it never repeats what stands before an `@`, which may be a password.
fn address(url: &str) -> Result<(String, bool), (String, &'static str)> {
    const EXAMPLE: &str = "write it as http://HOST:PORT or https://HOST:PORT";
    if url.contains('@') {
        let says =
            "the URL contains a user or a password, which other users of this machine could see"
                .to_owned();
        return Err((
            says,
            "put `USER:PASSWORD` into a file that only you can read, and name it with the flag that ends with `-login`",
        ));
    }
    let (rest, encrypted) = match url.split_once("://") {
        None => (url, false),
        Some(("http" | "tcp", rest)) => (rest, false),
        Some(("https" | "ssl", rest)) => (rest, true),
        Some((scheme, _)) => return Err((format!("{scheme:?} is not a known scheme"), EXAMPLE)),
    };
    let rest = rest.strip_suffix('/').unwrap_or(rest);
    if rest.contains(['/', '?', '#']) {
        return Err((format!("{url:?} has a path"), EXAMPLE));
    }
    let port = rest.rsplit_once(':').and_then(|(host, port)| {
        let is_host = !host.is_empty()
            && (!host.contains(':') || (host.starts_with('[') && host.ends_with(']')));
        let is_host = is_host && !host.contains(char::is_whitespace);
        is_host.then(|| port.parse::<u16>().ok())?
    });
    match port {
        Some(1..) => Ok((rest.to_owned(), encrypted)),
        Some(0) | None => Err((format!("{url:?} has no host and port"), EXAMPLE)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn named(said: &[&str]) -> Result<Vec<String>, String> {
        found(said, None).map(|found| found.map_or(Vec::new(), |found| found.addresses))
    }

    fn found(said: &[&str], authority: Option<&str>) -> Result<Option<Attachment>, String> {
        let mut settings = Settings::default();
        if let Some(file) = authority {
            settings.set("attach-mydb-ca", vec![file.to_owned()]);
        }
        settings.set(
            "attach-mydb",
            said.iter().map(|&said| said.to_owned()).collect(),
        );
        let named = Attachment::named("mydb", &settings);
        named.map_err(|error| error.to_string())
    }

    #[test]
    fn tls_needs_an_authority_and_the_feature() {
        let wrong = |said: &[&str], authority| found(said, authority).unwrap_err();
        let mixed = wrong(&["https://a:1,http://b:2"], Some("/ca.pem"));
        assert!(mixed.contains("some addresses are https://"), "{mixed}");
        let useless = wrong(&["http://a:1"], Some("/ca.pem"));
        assert!(
            useless.starts_with("attach-mydb-ca: it is set"),
            "{useless}"
        );
        if cfg!(feature = "tls") {
            let none = wrong(&["https://a:1"], None);
            assert!(none.contains("--attach-mydb-ca FILE"), "{none}");
            let found = found(&["https://a:1", "ssl://b:2"], Some("/ca.pem"))
                .unwrap()
                .unwrap();
            assert_eq!(found.addresses, ["a:1", "b:2"]);
            assert_eq!(found.url("a:1"), "https://a:1");
        } else {
            let without = wrong(&["https://a:1"], Some("/ca.pem"));
            assert!(without.contains("built without it"), "{without}");
        }
    }

    #[test]
    fn addresses_are_given_one_by_one_or_with_commas() {
        let all = named(&["http://a:1, b:2/", "tcp://[::1]:3", "a:1"]).unwrap();
        assert_eq!(all, ["a:1", "b:2", "[::1]:3"]);
        assert!(named(&[]).unwrap().is_empty());
    }

    #[test]
    fn what_is_no_address_is_refused_and_no_password_is_repeated() {
        let refused = |said: &str| named(&[said]).unwrap_err();
        assert!(refused("ftp://a:1").contains("\"ftp\" is not a known scheme"));
        for said in [
            "", "a", "a:", ":1", "a:b", "a:0", "a:70000", "::1:8529", "a b:1",
        ] {
            assert!(refused(said).contains("has no host and port"), "{said}");
        }
        assert!(refused("http://a:1/_db/x").contains("has a path"));
        let secret = refused("http://root:s3cret@a:1");
        assert!(
            secret.contains("-login") && !secret.contains("s3cret"),
            "{secret}"
        );
    }
}
