//! Which member a request goes to, and to which it goes next, against members that are only a socket.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use armadillo_orchestrator::ports::HeldPort;
use armadillo_orchestrator::{ServerKey, View};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;

use super::*;
use crate::canned;

/// A member that gives every request the same answer, or takes it and stays silent.
struct Fake {
    address: String,
    requests: Arc<AtomicUsize>,
    /// Of one where nobody listens.
    _port: Option<HeldPort>,
}

async fn fake(answer: Option<(u16, &'static str)>) -> Fake {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap().to_string();
    let requests = Arc::new(AtomicUsize::new(0));
    let count = requests.clone();
    tokio::spawn(async move {
        loop {
            let (mut stream, _) = listener.accept().await.unwrap();
            let mut buffer = [0; 4096];
            // A request of these tests comes in one or two packets; its end is the end of its body.
            let mut text = String::new();
            while !text.ends_with('}') {
                let read = stream.read(&mut buffer).await.unwrap();
                text.push_str(&String::from_utf8_lossy(&buffer[..read]));
                assert_ne!(read, 0, "a request ended early: {text}");
            }
            count.fetch_add(1, Ordering::SeqCst);
            let Some((status, body)) = answer else {
                // Keeps the connection, as a frozen process does.
                std::mem::forget(stream);
                continue;
            };
            let head = format!(
                "HTTP/1.1 {status} X\r\ncontent-length: {}\r\nconnection: close\r\n\r\n{body}",
                body.len()
            );
            stream.write_all(head.as_bytes()).await.unwrap();
        }
    });
    Fake {
        address,
        requests,
        _port: None,
    }
}

/// The address of a port where nobody listens.
fn nobody() -> Fake {
    let port = HeldPort::take().unwrap();
    Fake {
        address: port.address().to_string(),
        requests: Arc::default(),
        _port: Some(port),
    }
}

const PUT: (u16, &str) = (200, r#"{"header":{"revision":"7"}}"#);
const GOT: (u16, &str) = (
    200,
    r#"{"kvs":[{"key":"L2FybWFkaWxsby9sL2s=","value":"dg==","version":"1"}],"count":"1"}"#,
);
const TIMED_OUT: (u16, &str) = (
    503,
    r#"{"message":"etcdserver: request timed out","code":14}"#,
);
const NO_KEY: (u16, &str) = (
    400,
    r#"{"message":"etcdserver: key is not provided","code":3}"#,
);

fn client(fakes: &[&Fake]) -> EtcdClient {
    let mut view: View = canned::view(u32::try_from(fakes.len()).unwrap());
    view.topology.words.insert("no_auth".to_owned());
    for (fake, place) in fakes.iter().zip(view.places.values_mut()) {
        place.reach.insert("client".into(), fake.address.clone());
    }
    EtcdClient::for_lease(&view, "l").with_limit(Duration::from_millis(300))
}

fn run(test: impl Future<Output = ()>) {
    tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap()
        .block_on(test);
}

fn asked(fakes: &[&Fake]) -> Vec<usize> {
    let counts = fakes
        .iter()
        .map(|fake| fake.requests.load(Ordering::SeqCst));
    counts.collect()
}

#[test]
fn a_write_goes_on_to_the_next_member_only_if_nobody_got_it() {
    run(async {
        let (gone, good, other) = (nobody(), fake(Some(PUT)).await, fake(Some(PUT)).await);
        let members = [&gone, &good, &other];
        let client = client(&members);
        assert_eq!(client.put("k", "v").await.unwrap(), 7);
        assert_eq!(client.put("k", "v").await.unwrap(), 7);
        assert_eq!(
            asked(&members),
            [0, 2, 0],
            "it stays with the one that answered"
        );
    });
}

#[test]
fn a_write_whose_outcome_is_unknown_is_never_repeated() {
    run(async {
        for answer in [None, Some(TIMED_OUT), Some((200, "{"))] {
            let (doubtful, good) = (fake(answer).await, fake(Some(PUT)).await);
            let members = [&doubtful, &good];
            let error = client(&members).put("k", "v").await.unwrap_err();
            assert!(error.is_unknown(), "{error}");
            assert_eq!(asked(&members), [1, 0], "{answer:?}");
        }
    });
}

#[test]
fn a_refusal_is_final_for_both() {
    run(async {
        let (refuses, good) = (fake(Some(NO_KEY)).await, fake(Some(GOT)).await);
        let members = [&refuses, &good];
        let client = client(&members);
        let error = client.put("k", "v").await.unwrap_err();
        assert_eq!(error.code(), Some(Code::InvalidArgument), "{error}");
        let error = client.get("k").await.unwrap_err();
        assert!(error.is_refused(), "{error}");
        assert_eq!(asked(&members), [2, 0]);
    });
}

#[test]
fn a_read_is_asked_of_the_next_member_when_one_is_silent() {
    run(async {
        let (silent, good) = (fake(None).await, fake(Some(GOT)).await);
        let members = [&silent, &good];
        let found = client(&members).get("k").await.unwrap().unwrap();
        assert_eq!((found.key.as_str(), found.text().as_str()), ("k", "v"));
        assert_eq!(asked(&members), [1, 1]);
    });
}

#[test]
fn every_member_that_was_tried_is_named() {
    run(async {
        let (one, two) = (nobody(), nobody());
        let client = client(&[&one, &two]);
        let error = client.put("k", "v").await.unwrap_err();
        assert!(error.is_refused());
        let text = error.to_string();
        assert!(
            text.starts_with("put \"/armadillo/l/k\": no member could be reached: member-1: "),
            "{text}"
        );
        assert!(
            text.contains("; member-2: ") && text.contains(&two.address),
            "{text}"
        );
        let stranger = ServerKey::from("member-9");
        let error = client.at(&stranger).unwrap_err().to_string();
        assert_eq!(
            error,
            "no member named member-9; the members are member-1, member-2"
        );
    });
}

#[test]
fn another_client_gets_addresses_and_prefix() {
    let mut view = canned::view(2);
    view.topology.words.insert("no_auth".to_owned());
    let client = EtcdClient::for_lease(&view, "1f3a9c20");
    let mut environment = BTreeMap::new();
    run(async { environment = client.connection().await.unwrap().env() });
    assert!(!environment.contains_key("ETCDCTL_USER"));
    let mut names = EtcdConnection::variables(false, false);
    names.push(PREFIX_VARIABLE);
    names.sort_unstable();
    assert!(environment.keys().eq(names));
    assert_eq!(
        environment["ETCDCTL_ENDPOINTS"],
        "http://127.0.0.1:12001,http://127.0.0.1:12002"
    );
    assert_eq!(environment["ARMADILLO_ETCD_PREFIX"], "/armadillo/1f3a9c20/");
    assert_eq!(client.for_deployment().prefix(), "/armadillo/deployment/");
}
