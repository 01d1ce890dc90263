//! What the settings say of servers that somebody else started.

use super::Login;
use crate::settings::Settings;
use crate::system::PlanError;

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

/// Servers that somebody else started, as the settings name them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Attachment {
    /// Where they are: `host:port`, in the order given, each once.
    pub addresses: Vec<String>,
    /// Who asks.
    pub login: Option<Login>,
}

impl Attachment {
    /// What the settings say of this system, without a login: that is not in the settings.
    ///
    /// # Errors
    /// For the first URL that makes no sense, under the name of its flag.
    pub fn named(system: &str, settings: &Settings) -> Result<Option<Self>, PlanError> {
        let flag = flag(system);
        let mut addresses: Vec<String> = Vec::new();
        for said in settings.all(&flag).iter().flat_map(|said| said.split(',')) {
            let address = address(said.trim()).map_err(|(says, help)| PlanError {
                param: flag.clone(),
                says,
                help: help.to_owned(),
            })?;
            if !addresses.contains(&address) {
                addresses.push(address);
            }
        }
        Ok((!addresses.is_empty()).then_some(Self {
            addresses,
            login: None,
        }))
    }
}

/// `host:port` of a URL. What is wrong with it never repeats what stands before an `@`, which may be a password.
fn address(url: &str) -> Result<String, (String, &'static str)> {
    const EXAMPLE: &str = "write it as http://HOST:PORT";
    if url.contains('@') {
        let says =
            "the URL contains a user or a password, which other users of this machine could see"
                .to_owned();
        return Err((
            says,
            "put `USER:PASSWORD` into a file that only you can read, and name it with the flag that ends with `-login`",
        ));
    }
    let rest = match url.split_once("://") {
        None => url,
        Some(("http" | "tcp", rest)) => rest,
        Some(("https" | "ssl", _)) => {
            return Err((
                format!("{url:?} needs TLS, which is not supported yet"),
                EXAMPLE,
            ));
        }
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
        Some(1..) => Ok(rest.to_owned()),
        Some(0) | None => Err((format!("{url:?} has no host and port"), EXAMPLE)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn named(said: &[&str]) -> Result<Vec<String>, String> {
        let mut settings = Settings::default();
        settings.set(
            "attach-mydb",
            said.iter().map(|&said| said.to_owned()).collect(),
        );
        let named = Attachment::named("mydb", &settings);
        let addresses = named.map(|named| named.map_or(Vec::new(), |named| named.addresses));
        addresses.map_err(|error| error.to_string())
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
        assert!(refused("https://a:1").starts_with("attach-mydb: \"https://a:1\" needs TLS"));
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
