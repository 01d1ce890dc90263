//! What the options mean to the server.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use crate::agency::AgencySettings;
use crate::cluster::ClusterSettings;
use crate::options::Options;
use crate::role::Role;
use crate::supervision::Rules;
use crate::tls::TlsSettings;
use crate::version::EDITIONS;

/// How long things take.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Pace {
    /// As long as they take here.
    Fast,
    /// About as long as arangod takes.
    Realistic,
}

/// Something that `--pace realistic` stretches.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Step {
    /// From the first log line to the open port.
    Recovery,
    /// From the open port to the end of maintenance mode.
    Bootstrap,
    /// From the end of maintenance mode to the moment in which the users are known.
    LoadUsers,
    /// Creating a database.
    CreateDatabase,
    /// Creating a collection.
    CreateCollection,
    /// From the answer to `DELETE /_admin/shutdown` to the begin of what it asks for.
    ShutdownRequest,
    /// From the signal to the end of the process.
    Shutdown,
}

impl Pace {
    /// How long a step takes at least.
    ///
    /// First log line to "ready for business" took two seconds in the example of the page "ArangoDB
    /// Server Server Options" of the documentation of 3.4 (07:30:42 to 07:30:44); how they divide
    /// into stages is an estimate, nobody measured. So are the times of the other steps.
    pub(crate) fn least(self, step: Step) -> Duration {
        if self == Self::Fast {
            return Duration::ZERO;
        }
        Duration::from_millis(match step {
            Step::Recovery => 1200,
            Step::Bootstrap => 800,
            Step::LoadUsers => 300,
            Step::CreateDatabase => 150,
            Step::CreateCollection => 20,
            Step::ShutdownRequest => 2000,
            Step::Shutdown => 1000,
        })
    }

    /// A timer: as tests like it, or arangod's own.
    pub(crate) fn timer<T>(self, ours: T, arangods: T) -> T {
        match self {
            Self::Fast => ours,
            Self::Realistic => arangods,
        }
    }

    /// Makes a step take as long as the pace says: the delay itself is the purpose.
    pub(crate) async fn spend(self, step: Step) {
        let least = self.least(step);
        if !least.is_zero() {
            tokio::time::sleep(least).await;
        }
    }
}

/// An address to listen on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Endpoint {
    /// As given.
    pub(crate) text: String,
    /// Host, to be resolved at the start.
    host: String,
    /// Port.
    port: u16,
    /// Whether TLS is spoken there.
    pub(crate) encrypted: bool,
}

impl Endpoint {
    /// The port where none is given.
    const DEFAULT_PORT: u16 = 8529;

    /// Reads `tcp://host:port` or `ssl://host:port`; other schemes are refused with the reason.
    pub(crate) fn parse(text: &str) -> Result<Self, String> {
        let wrong = || format!("invalid endpoint '{text}'");
        let (scheme, rest) = text.split_once("://").ok_or_else(wrong)?;
        let encrypted = match scheme {
            "tcp" | "http+tcp" | "http" => false,
            "ssl" | "https" | "http+ssl" => true,
            "unix" | "http+unix" => {
                return Err(format!("the emulator does not implement endpoint '{text}'"));
            }
            _ => return Err(wrong()),
        };
        let rest = rest.trim_end_matches('/');
        let (host, port) = match rest.strip_prefix('[') {
            Some(inner) => {
                let (host, behind) = inner.split_once(']').ok_or_else(wrong)?;
                (host, behind.strip_prefix(':'))
            }
            None => match rest.rsplit_once(':') {
                Some((host, port)) => (host, Some(port)),
                None => (rest, None),
            },
        };
        let port = match port {
            Some(port) => port.parse().map_err(|_| wrong())?,
            None => Self::DEFAULT_PORT,
        };
        if host.is_empty() {
            return Err(wrong());
        }
        Ok(Self {
            text: String::from(text),
            host: String::from(host),
            port,
            encrypted,
        })
    }

    /// The addresses behind the name.
    pub(crate) fn resolve(&self) -> std::io::Result<Vec<SocketAddr>> {
        use std::net::ToSocketAddrs;
        Ok((self.host.as_str(), self.port).to_socket_addrs()?.collect())
    }

    /// As arangod logs it.
    pub(crate) fn log_name(&self) -> String {
        let scheme = if self.encrypted { "ssl" } else { "tcp" };
        format!("http+{scheme}://{}:{}", self.host, self.port)
    }

    /// The name of the host, without a port.
    pub(crate) fn host(&self) -> &str {
        &self.host
    }
}

/// The options that the emulator gives a meaning.
#[derive(Debug, Clone)]
pub(crate) struct Settings {
    pub(crate) role: Role,
    pub(crate) directory: PathBuf,
    pub(crate) endpoints: Vec<Endpoint>,
    pub(crate) tls: TlsSettings,
    pub(crate) pace: Pace,
    /// What the server says that its edition is.
    pub(crate) edition: String,
    /// Whether it is a build with failure tests.
    pub(crate) failure_tests: bool,
    pub(crate) authentication: bool,
    pub(crate) system_only: bool,
    pub(crate) early_connections: bool,
    pub(crate) rest_server: bool,
    pub(crate) harden: bool,
    pub(crate) metrics: bool,
    /// The metrics say how many documents were written.
    pub(crate) write_metrics: bool,
    pub(crate) log_api: String,
    pub(crate) session_timeout: f64,
    pub(crate) extended_names: bool,
    pub(crate) always_sync: bool,
    pub(crate) max_databases: u64,
    pub(crate) keep_alive: Duration,
    /// A stream transaction that is not used for so long is aborted.
    pub(crate) transaction_idle: Duration,
    /// Whether there may be applications in the server; the emulator has none.
    pub(crate) foxx: bool,
    pub(crate) encodings: Encodings,
    pub(crate) supervision: Supervision,
    /// Of an agent only.
    pub(crate) agency: Option<AgencySettings>,
    /// Of a coordinator or dbserver only.
    pub(crate) cluster: Option<ClusterSettings>,
}

/// What the options say about compressed bodies.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Encodings {
    /// Answers of this length and more are compressed for those who ask for it; 0 is never.
    pub(crate) threshold: u64,
    /// Compressed requests of those who are not authenticated are understood.
    pub(crate) unauthenticated: bool,
}

/// What the options say about supervision.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Supervision {
    pub(crate) enabled: bool,
    /// The time between two rounds.
    pub(crate) frequency: Duration,
    /// Silent for longer, a server is FAILED.
    pub(crate) grace: Duration,
    /// Silent for no longer, it is GOOD; in between it is BAD.
    pub(crate) ok: Duration,
    pub(crate) rules: Rules,
}

impl Supervision {
    /// arangod's own are 1, 10 and 5 seconds; without options tests wait for less here.
    fn new(options: &Options, pace: Pace) -> Result<Self, String> {
        let seconds = |name: &str, ours: f64| {
            let seconds = if options.given(name) {
                options.double(name)
            } else {
                ours
            };
            if seconds > 0.0 && seconds < 1e6 {
                Ok(Duration::from_secs_f64(seconds))
            } else {
                Err(format!("invalid value for {name}"))
            }
        };
        let grace = seconds("--agency.supervision-grace-period", pace.timer(2.5, 10.0))?;
        let ok = pace.timer(0.4 * grace.as_secs_f64(), 5.0);
        Ok(Self {
            enabled: options.flag("--agency.supervision"),
            frequency: seconds("--agency.supervision-frequency", pace.timer(0.5, 1.0))?,
            grace,
            ok: seconds("--agency.supervision-ok-threshold", ok)?,
            rules: Rules {
                failed_leader_adds_follower: options
                    .flag("--agency.supervision-failed-leader-adds-follower"),
            },
        })
    }
}

impl Settings {
    /// Reads the options; the text is the reason why they make no sense together.
    pub(crate) fn new(options: &Options, role: Role) -> Result<Self, String> {
        let pace = match options.text("--pace") {
            "fast" => Pace::Fast,
            "realistic" => Pace::Realistic,
            other => return Err(format!("invalid value '{other}' for --pace")),
        };
        let edition = options.text("--edition");
        if !EDITIONS.contains(&edition) {
            return Err(format!("invalid value '{edition}' for --edition"));
        }
        let given = options.list("--server.endpoint");
        let endpoints = if given.is_empty() {
            vec![Endpoint::parse("tcp://127.0.0.1:8529")?]
        } else {
            given
                .iter()
                .map(|text| Endpoint::parse(text))
                .collect::<Result<_, _>>()?
        };
        let first = endpoints.first().map_or("", |endpoint| &endpoint.text);
        let agency = match role {
            Role::Agent => Some(AgencySettings::new(options, pace, first)?),
            _ => None,
        };
        let cluster = match role {
            Role::DbServer | Role::Coordinator => Some(ClusterSettings::new(options, pace)?),
            Role::Single | Role::Agent => None,
        };
        Ok(Self {
            failure_tests: options.flag("--failure-tests"),
            cluster,
            foxx: options.flag("--foxx.enable"),
            encodings: Encodings {
                threshold: options.unsigned("--http.compress-response-threshold"),
                unauthenticated: options
                    .flag("--http.handle-content-encoding-for-unauthenticated-requests"),
            },
            supervision: Supervision::new(options, pace)?,
            agency,
            role,
            directory: PathBuf::from(options.text("--database.directory")),
            endpoints,
            tls: TlsSettings::new(options)?,
            pace,
            edition: String::from(edition),
            authentication: options.flag("--server.authentication"),
            system_only: options.flag("--server.authentication-system-only"),
            early_connections: options.flag("--server.early-connections"),
            rest_server: options.flag("--server.rest-server"),
            harden: options.flag("--server.harden"),
            metrics: options.flag("--server.export-metrics-api"),
            write_metrics: options.flag("--server.export-read-write-metrics"),
            log_api: String::from(options.text("--log.api-enabled")),
            session_timeout: options.double("--server.session-timeout"),
            extended_names: options.flag("--database.extended-names"),
            always_sync: options.flag("--database.wait-for-sync"),
            max_databases: options.unsigned("--database.max-databases"),
            // arangod allows two minutes at most.
            transaction_idle: Duration::from_secs_f64(
                options
                    .double("--transaction.streaming-idle-timeout")
                    .clamp(0.0, 120.0),
            ),
            keep_alive: Duration::from_secs_f64(
                options.double("--http.keep-alive-timeout").clamp(0.0, 1e6),
            ),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn endpoints() {
        let names = [
            ("tcp://127.0.0.1:8530", "http+tcp://127.0.0.1:8530"),
            ("tcp://[::1]:1", "http+tcp://::1:1"),
            ("http+tcp://localhost", "http+tcp://localhost:8529"),
            ("ssl://h:1", "http+ssl://h:1"),
        ];
        for (text, name) in names {
            assert_eq!(Endpoint::parse(text).unwrap().log_name(), name);
        }
        for bad in ["127.0.0.1:1", "unix:///x", "tcp://h:p", "tcp://:1"] {
            assert!(Endpoint::parse(bad).is_err(), "{bad}");
        }
    }
}
