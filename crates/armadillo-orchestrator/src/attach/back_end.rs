//! Servers that somebody else started as a back end: nothing is started or stopped, and none of their files is written. To start
//! a server is to see that it is there, and to stop it is to let go of it.

use std::io;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use tokio::io::AsyncReadExt;
use tokio::net::TcpStream;
use tokio::sync::watch;

use super::{Attached, url};
use crate::backend::{BackEnd, BackEndError, PlaceRequest, Running, Site};
use crate::deadline::Deadline;
use crate::poll::Poll;
use crate::ports::PortOwner;
use crate::process::Exit;
use crate::process::proc_fs::Stat;
use crate::program::Program;
use crate::secret::Secret;
use crate::server::{Launch, ServerKey, Verb};
use crate::system::Fut;
use crate::view::{Place, Share};

/// How long a connection may take.
const CONNECT_LIMIT: Duration = Duration::from_secs(5);

/// How often in a row a server refuses connections before it counts as gone.
const REFUSALS: u32 = 4;

/// How long a new connection must last to show that the server is there.
const LASTS: Duration = Duration::from_millis(100);

/// Between one refused connection and the next try.
const AFTER_REFUSAL: Duration = Duration::from_millis(200);

/// The shortest pause between two connections that a server closes.
const AFTER_CLOSE: Duration = Duration::from_secs(1);

/// Runs tests on servers that somebody else started.
pub struct Foreign {
    attached: Attached,
}

impl Foreign {
    /// A back end for these servers.
    #[must_use]
    pub fn new(attached: Attached) -> Self {
        Self { attached }
    }
}

impl BackEnd for Foreign {
    fn can(&self, _verb: Verb) -> bool {
        false
    }

    fn place<'a>(
        &'a self,
        request: &'a PlaceRequest<'a>,
    ) -> Fut<'a, Result<Box<dyn Site>, BackEndError>> {
        if request.links.is_some() {
            return Box::pin(std::future::ready(Err(BackEndError::NoLinks)));
        }
        // Only notes of the harness go there. Servers that are there do not end for want of disk space.
        if let Err(error) = std::fs::create_dir_all(request.directory) {
            let path = request.directory.display();
            tracing::warn!(%path, %error, "cannot create the directory of an attached deployment");
        }
        let places = request.plan.iter().map(|server| {
            let addresses = self.attached.addresses(&server.key);
            let directory = request.directory.join(server.key.as_str());
            let place = Place {
                role: server.role.to_owned(),
                bind: addresses.clone(),
                advertise: self.attached.advertised(&server.key),
                reach: addresses,
                dir_inside: directory.clone(),
                dir_outside: directory,
                share: Share {
                    memory_mib: server.cost.memory_mib,
                    cores: 1,
                },
            };
            (server.key.clone(), place)
        });
        let site: Box<dyn Site> = Box::new(ForeignSite {
            places: places.collect(),
            encrypted: self.attached.tls.is_some(),
        });
        Box::pin(std::future::ready(Ok(site)))
    }
}

struct ForeignSite {
    places: std::collections::BTreeMap<ServerKey, Place>,
    /// Whether the servers speak TLS.
    encrypted: bool,
}

impl Site for ForeignSite {
    fn places(&self) -> &std::collections::BTreeMap<ServerKey, Place> {
        &self.places
    }

    /// Sees that the server is there.
    fn start<'a>(
        &'a self,
        server: &'a ServerKey,
        _program: &'a Program,
        _launch: &'a Launch,
    ) -> Fut<'a, Result<Box<dyn Running>, BackEndError>> {
        Box::pin(async move {
            let place = self.places.get(server);
            let address = place.and_then(|place| place.reach.values().next());
            let address = address.ok_or_else(|| BackEndError::Unknown {
                server: server.clone(),
            })?;
            let connection = connect(address)
                .await
                .map_err(|source| BackEndError::Gone {
                    address: url(address, self.encrypted),
                    source,
                })?;
            let running: Box<dyn Running> = Box::new(ForeignRunning {
                address: address.clone(),
                url: url(address, self.encrypted),
                connection: tokio::sync::Mutex::new(Some(connection)),
                let_go: watch::Sender::new(false),
                exit: watch::Sender::new(None),
                in_doubt: Arc::default(),
            });
            Ok(running)
        })
    }

    fn write_files(
        &self,
        server: &ServerKey,
        _files: &[(PathBuf, u32, Secret)],
    ) -> Result<(), BackEndError> {
        // Nobody reaches the files of servers that somebody else started.
        Err(BackEndError::Unknown {
            server: server.clone(),
        })
    }

    fn release_ports(&self, _server: &ServerKey) -> bool {
        false
    }

    fn log_size(&self, _server: &ServerKey) -> u64 {
        0
    }

    fn log(&self, _server: &ServerKey, _from: u64, _limit: u64) -> io::Result<Vec<u8>> {
        Ok(Vec::new())
    }

    fn remove_data(&self) -> io::Result<()> {
        Ok(())
    }

    fn remove_secrets(&self) {}
}

/// A server that is watched: a connection that rests breaks when the server goes away.
struct ForeignRunning {
    address: String,
    /// The same for people.
    url: String,
    /// The first connection, until the watch begins.
    connection: tokio::sync::Mutex<Option<TcpStream>>,
    let_go: watch::Sender<bool>,
    exit: watch::Sender<Option<Exit>>,
    /// The connection broke, and nobody knows yet whether the server is gone.
    in_doubt: Arc<AtomicBool>,
}

/// The end of a server that nobody could see end.
const LOST: Exit = Exit {
    code: None,
    signal: None,
    core: false,
};

impl ForeignRunning {
    /// Returns when the server is gone.
    async fn lost(&self) {
        let mut connection = self.connection.lock().await.take();
        loop {
            if let Some(mut open) = connection.take() {
                let opened = tokio::time::Instant::now();
                until_closed(&mut open).await;
                self.in_doubt.store(true, Ordering::SeqCst);
                connection = self.reconnect().await;
                if connection.is_none() {
                    return;
                }
                self.in_doubt.store(false, Ordering::SeqCst);
                // A server may close whatever rests; it is not asked all the time.
                tokio::time::sleep_until(opened + AFTER_CLOSE).await;
            } else {
                connection = self.reconnect().await;
                if connection.is_none() {
                    return;
                }
            }
        }
    }

    /// A new connection; `None` when the server is gone. A process that is being killed may still accept one, and break it at
    /// once: only what lasts, or a server that accepts to the last, is one that is there.
    async fn reconnect(&self) -> Option<TcpStream> {
        let mut poll = Poll::new(AFTER_REFUSAL, AFTER_REFUSAL);
        let mut accepted = None;
        for _ in 0..REFUSALS {
            accepted = connect(&self.address).await.ok();
            if let Some(connection) = &mut accepted
                && tokio::time::timeout(LASTS, until_closed(connection))
                    .await
                    .is_err()
            {
                break;
            }
            poll.pause(Deadline::after(AFTER_REFUSAL * 2)).await;
        }
        accepted
    }
}

async fn connect(address: &str) -> io::Result<TcpStream> {
    let connected = tokio::time::timeout(CONNECT_LIMIT, TcpStream::connect(address)).await;
    connected.unwrap_or_else(|_| Err(io::ErrorKind::TimedOut.into()))
}

/// Returns when the other side has closed a connection on which nothing is said.
async fn until_closed(connection: &mut TcpStream) {
    let mut ignored = [0; 512];
    while connection
        .read(&mut ignored)
        .await
        .is_ok_and(|read| read > 0)
    {}
}

impl Running for ForeignRunning {
    fn id(&self) -> String {
        self.url.clone()
    }

    fn pid(&self) -> Option<u32> {
        None
    }

    /// Lets go of it, whatever is asked: a deployment that ends wants no more.
    fn deliver(&self, _verb: Verb, _deadline: Deadline) -> Fut<'_, Result<(), BackEndError>> {
        self.kill_now();
        Box::pin(std::future::ready(Ok(())))
    }

    fn kill_now(&self) {
        self.let_go.send_replace(true);
    }

    fn exited(&self) -> Fut<'_, Exit> {
        Box::pin(async move {
            let mut let_go = self.let_go.subscribe();
            let exit = tokio::select! {
                biased;
                // The sender lives in `self`.
                _ = let_go.wait_for(|let_go| *let_go) => Exit::with_code(0),
                () = self.lost() => LOST,
            };
            self.exit.send_replace(Some(exit));
            exit
        })
    }

    fn try_exit(&self) -> Option<Exit> {
        *self.exit.borrow()
    }

    fn is_ending(&self) -> bool {
        self.in_doubt.load(Ordering::SeqCst)
    }

    fn exit_in_words(&self, exit: Exit) -> Option<String> {
        let words = match exit {
            LOST => format!("no longer reachable at {}", self.id()),
            _ => format!("released {}", self.id()),
        };
        Some(words)
    }

    fn is_paused(&self) -> Option<bool> {
        None
    }

    fn owns_pid(&self, _pid: u32) -> Option<bool> {
        None
    }

    fn port_owner(&self, _address: &str) -> Option<PortOwner> {
        None
    }

    fn processes(&self) -> Vec<Stat> {
        Vec::new()
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;
    use std::path::Path;

    use tokio::net::TcpListener;

    use super::*;
    use crate::server::{Cost, ServerPlan};
    use crate::topology::StaticTopology;

    async fn start(address: &str) -> Result<Box<dyn Running>, BackEndError> {
        start_in(&std::env::temp_dir(), address).await
    }

    async fn start_in(directory: &Path, address: &str) -> Result<Box<dyn Running>, BackEndError> {
        let plan = [ServerPlan {
            key: "s-1".into(),
            role: "single",
            after: Vec::new(),
            stop_after: Vec::new(),
            ports: &["http"],
            cost: Cost {
                memory_mib: 1,
                cpu_percent: 1,
                disk_mib: 1,
            },
            spare: false,
        }];
        let ports = BTreeMap::from([("http".to_owned(), address.to_owned())]);
        let foreign = Foreign::new(Attached {
            topology: StaticTopology::new("fake", "single").to_topology(),
            servers: BTreeMap::from([("s-1".into(), ports)]),
            advertised: BTreeMap::new(),
            addresses: Vec::new(),
            left_out: None,
            version: "1".to_owned(),
            stand_in: None,
            login: None,
            tls: None,
        });
        assert!(!foreign.can(Verb::Kill));
        let request = PlaceRequest {
            links: None,
            deployment: "fake-1",
            plan: &plan,
            directory,
            secrets: None,
            share: None,
        };
        let site = foreign.place(&request).await?;
        let program = Program {
            path: "".into(),
            leading_args: Vec::new(),
            version: None,
            title: String::new(),
            stand_in: false,
            note: None,
            origin: None,
            sanitizers: Default::default(),
            features: Default::default(),
        };
        site.start(&"s-1".into(), &program, &Launch::default())
            .await
    }

    #[tokio::test]
    async fn a_server_that_goes_away_is_noticed_and_one_that_closes_a_connection_is_there() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap().to_string();
        let running = start(&address).await.unwrap();
        let mut exited = running.exited();
        // It closes the first connection and keeps the second.
        let (first, _) = listener.accept().await.unwrap();
        drop(first);
        let second = tokio::select! {
            _ = &mut exited => panic!("it is there"),
            second = listener.accept() => second.unwrap(),
        };
        assert_eq!(running.try_exit(), None);
        drop((second, listener));
        let exit = exited.await;
        assert_eq!(
            running.exit_in_words(exit).unwrap(),
            format!("no longer reachable at http://{address}")
        );
        let error = start(&address).await.err().unwrap();
        assert!(
            error.to_string().contains("connection refused")
                || error.to_string().contains("Connection refused"),
            "{error}"
        );
    }

    /// A process that is killed loses its connections and what it listens on in any order.
    #[tokio::test]
    async fn a_server_that_accepts_a_last_connection_is_in_doubt_until_it_is_gone() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap().to_string();
        let running = start(&address).await.unwrap();
        let mut exited = running.exited();
        let (first, _) = listener.accept().await.unwrap();
        drop(first);
        let last = tokio::select! {
            _ = &mut exited => panic!("nobody refused"),
            last = listener.accept() => last.unwrap(),
        };
        drop((listener, last));
        let mut looks = tokio::time::interval(Duration::from_millis(5));
        loop {
            tokio::select! {
                _ = &mut exited => break,
                _ = looks.tick() => assert!(running.is_ending(), "nobody would wait for its end"),
            }
        }
    }

    #[tokio::test]
    async fn servers_are_attached_where_no_directory_can_be_created() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap().to_string();
        let within_a_file = Path::new("/dev/null/fake-1");
        let running = start_in(within_a_file, &address).await.unwrap();
        assert_eq!(running.try_exit(), None);
    }

    #[tokio::test]
    async fn to_stop_a_server_is_to_let_go_of_it() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let running = start(&listener.local_addr().unwrap().to_string())
            .await
            .unwrap();
        let deadline = Deadline::after(CONNECT_LIMIT);
        running.deliver(Verb::Kill, deadline).await.unwrap();
        assert_eq!(running.exited().await, Exit::with_code(0));
        assert_eq!(running.try_exit(), Some(Exit::with_code(0)));
    }
}
