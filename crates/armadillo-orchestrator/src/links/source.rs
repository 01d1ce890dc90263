//! Who is at the other end of a connection: the process that has its socket open.

use std::collections::BTreeMap;
use std::io;
use std::net::{Ipv4Addr, SocketAddr, SocketAddrV4, TcpListener, TcpStream};

use super::socket::inode_of;
use crate::process::{proc_fs, tree};
use crate::server::ServerKey;

/// The processes of servers, each with its start time: a number may be another process's later.
pub(super) type Pids = BTreeMap<ServerKey, (u32, u64)>;

/// The server that has the socket open which is bound to `own` and connected to `peer`.
pub(super) fn server_of(own: SocketAddr, peer: SocketAddr, pids: &Pids) -> Option<ServerKey> {
    let inode = inode_of(own, peer)?;
    let holds = |pid: u32| proc_fs::socket_inodes(pid).is_ok_and(|open| open.contains(&inode));
    let alive = pids
        .iter()
        .filter(|(_, (pid, started))| proc_fs::start_time(*pid) == Some(*started));
    let alive: Vec<(&ServerKey, u32)> = alive.map(|(key, (pid, _))| (key, *pid)).collect();
    // The process itself nearly always has it; what it has started may, too.
    let direct = alive.iter().find(|(_, pid)| holds(*pid));
    let found = direct.or_else(|| {
        let mut all = alive.iter();
        all.find(|(_, pid)| tree::descendants(*pid).iter().any(|stat| holds(stat.pid)))
    });
    found.map(|(key, _)| (*key).clone())
}

/// Tries out on a connection of this process whether its other end can be found.
///
/// # Errors
/// Why it cannot.
pub fn check() -> Result<(), String> {
    let open = || -> io::Result<(TcpStream, TcpStream)> {
        let listener = TcpListener::bind(SocketAddrV4::new(Ipv4Addr::LOCALHOST, 0))?;
        let own = TcpStream::connect(listener.local_addr()?)?;
        let (accepted, _) = listener.accept()?;
        Ok((own, accepted))
    };
    let (own, accepted) = open().map_err(|error| error.to_string())?;
    let addresses = accepted
        .peer_addr()
        .and_then(|own| Ok((own, accepted.local_addr()?)));
    let (from, to) = addresses.map_err(|error| error.to_string())?;
    let pid = std::process::id();
    let started = proc_fs::start_time(pid).unwrap_or_default();
    let this = ServerKey::from("this");
    let found = server_of(from, to, &[(this.clone(), (pid, started))].into());
    drop(own);
    match found {
        Some(_) => Ok(()),
        None => Err(
            "the socket of a connection of this process was not found in /proc/self/fd".to_owned(),
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_connection_is_of_a_process_that_is_still_the_same() {
        check().unwrap();
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let own = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
        let (from, to) = (own.local_addr().unwrap(), own.peer_addr().unwrap());
        let pid = std::process::id();
        let reused = Pids::from([("this".into(), (pid, u64::MAX))]);
        assert_eq!(server_of(from, to, &reused), None);
    }
}
