//! Ports that nobody can steal, and the question whose they are.
//!
//! A port is taken by binding `127.0.0.1:0` with `SO_REUSEADDR` and never listening. As long as the socket is open the
//! kernel gives the port to nobody, and yet a server that sets `SO_REUSEADDR` (most do) can bind over it, also after
//! a restart.

use std::fs;
use std::io;
use std::net::{Ipv4Addr, SocketAddrV4};

use socket2::{Domain, Socket, Type};

use crate::process::proc_fs;

/// A port of the loopback interface, held until it is dropped.
#[derive(Debug)]
pub struct HeldPort {
    port: u16,
    _socket: Socket,
}

/// Who listens on a port.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PortOwner {
    /// Nobody does.
    Nobody,
    /// One of the processes asked for.
    Ours,
    /// Somebody else: as much as can be said of them.
    Foreign(String),
}

impl HeldPort {
    /// Takes a free port.
    ///
    /// # Errors
    /// When there is none.
    pub fn take() -> io::Result<Self> {
        Self::bind(0)
    }

    /// Takes this port, which may have been held before.
    ///
    /// # Errors
    /// When somebody else has it.
    pub fn take_again(port: u16) -> io::Result<Self> {
        Self::bind(port)
    }

    fn bind(port: u16) -> io::Result<Self> {
        let socket = Socket::new(Domain::IPV4, Type::STREAM, None)?;
        socket.set_reuse_address(true)?;
        socket.bind(&SocketAddrV4::new(Ipv4Addr::LOCALHOST, port).into())?;
        let bound = socket.local_addr()?.as_socket_ipv4();
        let bound = bound.ok_or_else(|| io::Error::other("not an IPv4 socket address"))?;
        Ok(Self {
            port: bound.port(),
            _socket: socket,
        })
    }

    /// Its number.
    #[must_use]
    pub fn port(&self) -> u16 {
        self.port
    }

    /// Where it is: `127.0.0.1:4711`.
    #[must_use]
    pub fn address(&self) -> String {
        format!("{}:{}", Ipv4Addr::LOCALHOST, self.port)
    }
}

/// Whether the sockets that listen on a loopback port belong to these processes. `None` where that cannot be found out.
#[must_use]
pub fn port_owner(port: u16, pids: &[u32]) -> Option<PortOwner> {
    let mut listening = listeners(&fs::read_to_string("/proc/self/net/tcp").ok()?, port);
    if let Ok(six) = fs::read_to_string("/proc/self/net/tcp6") {
        listening.extend(listeners(&six, port));
    }
    if listening.is_empty() {
        return Some(PortOwner::Nobody);
    }
    let ours: Vec<u64> = pids
        .iter()
        .filter_map(|pid| proc_fs::socket_inodes(*pid).ok())
        .flatten()
        .collect();
    Some(match listening.iter().find(|inode| !ours.contains(inode)) {
        None => PortOwner::Ours,
        Some(inode) => PortOwner::Foreign(holder(*inode)),
    })
}

/// The process that has a socket open, in words.
fn holder(inode: u64) -> String {
    proc_fs::all()
        .into_iter()
        .find(|stat| proc_fs::socket_inodes(stat.pid).is_ok_and(|inodes| inodes.contains(&inode)))
        .map_or_else(
            || "a process of another user".to_owned(),
            |stat| format!("process {} ({})", stat.pid, stat.name),
        )
}

/// The inodes of the sockets in a table of `/proc/net` that listen on `port` and are reached through the loopback
/// interface.
fn listeners(table: &str, port: u16) -> Vec<u64> {
    const LISTENING: &str = "0A";
    table
        .lines()
        .skip(1)
        .filter_map(|line| {
            let fields: Vec<&str> = line.split_ascii_whitespace().collect();
            let (address, digits) = fields.get(1)?.split_once(':')?;
            let is_it = *fields.get(3)? == LISTENING
                && u16::from_str_radix(digits, 16).ok()? == port
                && is_reached_through_loopback(address);
            is_it.then(|| fields.get(9)?.parse().ok())?
        })
        .collect()
}

/// Reads an address as `/proc/net/tcp` writes it: words of 32 bits in the machine's byte order.
fn is_reached_through_loopback(address: &str) -> bool {
    let words: Option<Vec<u32>> = address
        .as_bytes()
        .chunks(8)
        .map(|chunk| u32::from_str_radix(std::str::from_utf8(chunk).ok()?, 16).ok())
        .collect();
    let v4 = |word: u32| {
        let address = Ipv4Addr::from(u32::from_be(word));
        address.is_loopback() || address.is_unspecified()
    };
    match words.as_deref() {
        Some([word]) => v4(*word),
        // `::` takes IPv4 connections too, and `::ffff:a.b.c.d` is one.
        Some([0, 0, 0, 0]) => true,
        Some([0, 0, middle, word]) => u32::from_be(*middle) == 0xffff && v4(*word),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use std::net::TcpListener;
    use std::time::{Duration, Instant};

    use super::*;

    #[test]
    fn a_held_port_is_given_to_nobody_and_yet_can_be_listened_on() {
        let held = HeldPort::take().unwrap();
        let others: Vec<HeldPort> = (0..50).map(|_| HeldPort::take().unwrap()).collect();
        assert!(others.iter().all(|other| other.port() != held.port()));
        let own = std::process::id();
        assert_eq!(port_owner(held.port(), &[own]), Some(PortOwner::Nobody));
        let server = TcpListener::bind(held.address()).unwrap();
        assert_eq!(port_owner(held.port(), &[own]), Some(PortOwner::Ours));
        match port_owner(held.port(), &[1]) {
            Some(PortOwner::Foreign(who)) => assert!(who.contains(&own.to_string()), "{who}"),
            other => panic!("{other:?}"),
        }
        drop(server);
        // A process that another test is starting has a copy of the socket from `fork` to `exec`.
        let end = Instant::now() + Duration::from_secs(20);
        while port_owner(held.port(), &[own]) != Some(PortOwner::Nobody) {
            assert!(
                Instant::now() < end,
                "{:?}",
                port_owner(held.port(), &[own])
            );
            std::thread::yield_now();
        }
        TcpListener::bind(held.address()).unwrap();
    }

    #[test]
    fn only_listening_sockets_on_the_port_count() {
        let table = "\
  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode
   0: 0100007F:1F90 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 11 1 0 100 0 0 10 0
   1: 00000000:1F90 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 12 1 0 100 0 0 10 0
   2: 0100007F:1F90 0100007F:9999 01 00000000:00000000 00:00000000 00000000     0        0 13 1 0 100 0 0 10 0
   3: 0100007F:1F91 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 14 1 0 100 0 0 10 0
   4: 0101A8C0:1F90 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 15 1 0 100 0 0 10 0
";
        assert_eq!(listeners(table, 8080), [11, 12]);
        let six = "\
  sl  local_address                         remote_address                        st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode
   0: 00000000000000000000000000000000:1F90 00000000000000000000000000000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 21 1 0 100 0 0 10 0
   1: 0000000000000000FFFF00000100007F:1F90 00000000000000000000000000000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 22 1 0 100 0 0 10 0
   2: 00000000000000000000000001000000:1F90 00000000000000000000000000000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 23 1 0 100 0 0 10 0
";
        assert_eq!(listeners(six, 8080), [21, 22]);
    }
}
