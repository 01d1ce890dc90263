//! Where `arangod` may be, how to get it, and what it says of its version.

use armadillo_orchestrator::{Candidate, Settings};

/// The setting that names the program.
pub(crate) const SETTING: &str = "arangod";

/// The word that names the stand-in instead of a file. It is used nowhere else.
const STAND_IN: &str = "emulator";

/// The title of the stand-in in every report.
const TITLE: &str = "arangod-emulator, a stand-in, not ArangoDB";

pub(crate) fn candidates(settings: &Settings) -> Vec<Candidate> {
    vec![match settings.get(SETTING) {
        Some(name) => named(name),
        None => Candidate::OnPath("arangod"),
    }]
}

/// The file of that name, or the stand-in.
pub(crate) fn named(name: &str) -> Candidate {
    match name {
        STAND_IN => Candidate::StandIn {
            applet: "arangod",
            title: TITLE,
        },
        path => Candidate::File(path.into()),
    }
}

pub(crate) const HOW_TO_GET: &str = "\
install ArangoDB 3.12, so that `arangod` is in PATH (https://docs.arangodb.com)
or set its path: --arangod PATH, ARMADILLO_ARANGOD=PATH, or `arangod = \"PATH\"` in armadillo.toml
or use the built-in stand-in, which is not ArangoDB: --arangod emulator";

/// The version in the output of `arangod --version`: the line `server-version: 3.12.10`, or a first line that is nothing
/// but a version (what the ArangoDB Starter reads; the bare line is what older servers print).
pub(crate) fn version_of(output: &str) -> Option<String> {
    let named = output.lines().find_map(|line| {
        let (key, value) = line.split_once(':')?;
        (key.trim() == "server-version").then(|| value.trim())
    });
    let bare = || output.lines().next().map(str::trim);
    let version = named.or_else(bare)?;
    let is_version = version.contains('.') && version.starts_with(|c: char| c.is_ascii_digit());
    (is_version && !version.contains(' ')).then(|| version.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn settings(arangod: &str) -> Settings {
        let mut settings = Settings::default();
        settings.set(SETTING, vec![arangod.to_owned()]);
        settings
    }

    #[test]
    fn the_stand_in_is_used_only_where_it_is_named() {
        assert_eq!(
            candidates(&Settings::default()),
            [Candidate::OnPath("arangod")]
        );
        assert_eq!(
            candidates(&settings("/opt/arangod")),
            [Candidate::File("/opt/arangod".into())]
        );
        assert!(matches!(
            candidates(&settings("emulator"))[..],
            [Candidate::StandIn { applet: "arangod", title }] if title.contains("not ArangoDB")
        ));
    }

    #[test]
    fn the_version_is_read_from_its_line_or_from_a_bare_first_one() {
        let output = "architecture: 64bit\nserver-version: 3.12.10\nfull-version-string: ArangoDB 3.12.4 enterprise";
        assert_eq!(version_of(output).as_deref(), Some("3.12.10"));
        assert_eq!(
            version_of("3.12.4\n\narm: false").as_deref(),
            Some("3.12.4")
        );
        assert_eq!(version_of("3.12.4-devel").as_deref(), Some("3.12.4-devel"));
        assert_eq!(version_of("GNU sed 4.8"), None);
        assert_eq!(version_of("4.8 of something"), None);
        assert_eq!(version_of(""), None);
    }
}
