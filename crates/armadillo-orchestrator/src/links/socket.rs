//! The inode of a connected socket of this machine: asked of the kernel for this one connection, or, where it does not answer
//! such questions, looked for in the table of all of them, which takes a hundred times as long.

use std::fs;
use std::io;
use std::net::{Ipv4Addr, SocketAddr, SocketAddrV4, TcpListener, TcpStream};
use std::os::fd::AsRawFd;
use std::sync::OnceLock;

/// The inode of the socket that is bound to `own` and connected to `peer`.
pub(super) fn inode_of(own: SocketAddr, peer: SocketAddr) -> Option<u64> {
    let (SocketAddr::V4(own), SocketAddr::V4(peer)) = (own, peer) else {
        return None;
    };
    match kernel_answers() {
        true => asked(own, peer),
        false => in_tables(own, peer),
    }
}

/// Whether it is of use to ask the kernel: tried out once, on a connection of this process. Containers may forbid it, and a
/// kernel without that part answers as if there were no such socket.
fn kernel_answers() -> bool {
    static ANSWERS: OnceLock<bool> = OnceLock::new();
    *ANSWERS.get_or_init(|| {
        let tried = || -> io::Result<bool> {
            let listener = TcpListener::bind(SocketAddrV4::new(Ipv4Addr::LOCALHOST, 0))?;
            let own = TcpStream::connect(listener.local_addr()?)?;
            let (SocketAddr::V4(from), SocketAddr::V4(to)) = (own.local_addr()?, own.peer_addr()?)
            else {
                return Ok(false);
            };
            Ok(asked(from, to).is_some_and(|inode| is_of(&own, inode)))
        };
        tried().unwrap_or(false)
    })
}

fn is_of(socket: &TcpStream, inode: u64) -> bool {
    let link = fs::read_link(format!("/proc/self/fd/{}", socket.as_raw_fd()));
    link.is_ok_and(|link| link.as_os_str() == format!("socket:[{inode}]").as_str())
}

#[cfg(target_os = "linux")]
fn asked(own: SocketAddrV4, peer: SocketAddrV4) -> Option<u64> {
    diag::ask(own, peer).ok().flatten()
}

#[cfg(not(target_os = "linux"))]
fn asked(_: SocketAddrV4, _: SocketAddrV4) -> Option<u64> {
    None
}

/// Questions by netlink about one socket. The layout of the messages: `sock_diag(7)`.
#[cfg(target_os = "linux")]
mod diag {
    use std::io;
    use std::net::SocketAddrV4;

    use rustix::net::{
        AddressFamily, RecvFlags, SendFlags, SocketFlags, SocketType, netlink, recv, send,
        socket_with,
    };

    const HEADER: usize = 16;
    /// The length of a question, its header included.
    const QUESTION: usize = 72;
    /// Where the answer has the inode: after its header, four bytes, the addresses, and four numbers.
    const INODE: usize = HEADER + 4 + 48 + 16;
    const SOCK_DIAG_BY_FAMILY: u16 = 20;
    const NLM_F_REQUEST: u16 = 1;
    const AF_INET: u8 = 2;
    const IPPROTO_TCP: u8 = 6;

    /// The inode of the socket with this address that is connected to that one; `None` if there is none.
    pub(super) fn ask(own: SocketAddrV4, peer: SocketAddrV4) -> io::Result<Option<u64>> {
        let socket = socket_with(
            AddressFamily::NETLINK,
            SocketType::DGRAM,
            SocketFlags::CLOEXEC,
            Some(netlink::SOCK_DIAG),
        )?;
        send(&socket, &question(own, peer), SendFlags::empty())?;
        let mut answer = [0; 1024];
        // The answer is there as soon as the question has been taken.
        let (length, _) = recv(&socket, &mut answer, RecvFlags::DONTWAIT)?;
        Ok(inode(&answer[..length.min(answer.len())], own, peer))
    }

    fn question(own: SocketAddrV4, peer: SocketAddrV4) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(QUESTION);
        bytes.extend((QUESTION as u32).to_ne_bytes());
        bytes.extend(SOCK_DIAG_BY_FAMILY.to_ne_bytes());
        bytes.extend(NLM_F_REQUEST.to_ne_bytes());
        // The number of the question, and of who asks.
        bytes.extend([0; 8]);
        bytes.extend([AF_INET, IPPROTO_TCP, 0, 0]);
        // In any state.
        bytes.extend(u32::MAX.to_ne_bytes());
        bytes.extend(addresses(own, peer));
        // On any interface, with any cookie.
        bytes.extend([0; 4]);
        bytes.extend([0xff; 8]);
        bytes
    }

    /// Both ends, as questions and answers write them.
    fn addresses(own: SocketAddrV4, peer: SocketAddrV4) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(36);
        bytes.extend(own.port().to_be_bytes());
        bytes.extend(peer.port().to_be_bytes());
        for end in [own, peer] {
            bytes.extend(end.ip().octets());
            bytes.extend([0; 12]);
        }
        bytes
    }

    /// An answer about a listener, or an error, is none.
    fn inode(answer: &[u8], own: SocketAddrV4, peer: SocketAddrV4) -> Option<u64> {
        let kind = answer.get(4..6)?;
        let ports = &addresses(own, peer)[..4];
        if kind != SOCK_DIAG_BY_FAMILY.to_ne_bytes() || answer.get(HEADER + 4..HEADER + 8)? != ports
        {
            return None;
        }
        let inode = answer.get(INODE..INODE + 4)?.try_into().ok()?;
        let inode = u32::from_ne_bytes(inode);
        // One that nobody has open any more has none.
        (inode != 0).then_some(u64::from(inode))
    }

    #[cfg(test)]
    mod tests {
        use super::*;

        #[test]
        fn answers_that_are_none_are_told_apart() {
            let at = |port| SocketAddrV4::new([127, 0, 0, 1].into(), port);
            let (own, peer) = (at(40_000), at(2_380));
            let mut answer = question(own, peer);
            // As the kernel answers: four bytes less before the addresses, and the inode at the end.
            answer.drain(HEADER..HEADER + 4);
            answer.resize(84, 0);
            answer.extend(47_u32.to_ne_bytes());
            assert_eq!(inode(&answer, own, peer), Some(47));
            assert_eq!(inode(&answer, own, at(0)), None);
            assert_eq!(inode(&answer[..87], own, peer), None);
            let mut error = answer.clone();
            error[4..6].copy_from_slice(&2_u16.to_ne_bytes());
            assert_eq!(inode(&error, own, peer), None);
            answer[84..].fill(0);
            assert_eq!(inode(&answer, own, peer), None);
        }
    }
}

fn in_tables(own: SocketAddrV4, peer: SocketAddrV4) -> Option<u64> {
    let (own, peer) = (in_hex(own), in_hex(peer));
    let table = fs::read_to_string("/proc/self/net/tcp").ok()?;
    if let Some(inode) = find(&table, &own, &peer) {
        return Some(inode);
    }
    // A socket for IPv6 that speaks IPv4.
    let mapped = |address: &str| format!("0000000000000000{}{address}", in_order(0xffff));
    let table = fs::read_to_string("/proc/self/net/tcp6").ok()?;
    find(&table, &mapped(&own), &mapped(&peer))
}

/// An address as `/proc/net/tcp` writes it.
fn in_hex(address: SocketAddrV4) -> String {
    let ip = u32::from_ne_bytes(address.ip().octets());
    format!("{ip:08X}:{:04X}", address.port())
}

/// A word of 32 bits that goes over the network in this order, as the kernel prints it.
fn in_order(word: u32) -> String {
    format!("{:08X}", u32::from_ne_bytes(word.to_be_bytes()))
}

fn find(table: &str, own: &str, peer: &str) -> Option<u64> {
    table.lines().skip(1).find_map(|line| {
        let mut fields = line.split_ascii_whitespace().skip(1);
        if fields.next()? != own || fields.next()? != peer {
            return None;
        }
        let inode = fields.nth(6)?.parse::<u64>().ok()?;
        (inode != 0).then_some(inode)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_connection_is_found_in_a_table_by_both_its_addresses() {
        let table = "\
  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode
   0: 0100007F:1F90 0100007F:9999 01 00000000:00000000 00:00000000 00000000     0        0 13 1 0 100 0 0 10 0
   1: 0100007F:1F90 0100007F:9998 01 00000000:00000000 00:00000000 00000000     0        0 14 1 0 100 0 0 10 0
   2: 0100007F:1F91 0100007F:9999 06 00000000:00000000 00:00000000 00000000     0        0 0 1 0 100 0 0 10 0
";
        let at = |port| SocketAddrV4::new(Ipv4Addr::LOCALHOST, port);
        let found = |own, peer| find(table, &in_hex(at(own)), &in_hex(at(peer)));
        if cfg!(target_endian = "little") {
            assert_eq!(found(0x1f90, 0x9998), Some(14));
            assert_eq!(found(0x1f90, 0x9999), Some(13));
            assert_eq!(found(0x1f91, 0x9999), None);
            assert_eq!(found(0x9999, 0x1f90), None);
            assert_eq!(in_order(0xffff), "FFFF0000");
        }
    }

    /// Both ways, whichever this machine takes.
    #[test]
    #[cfg(target_os = "linux")]
    fn a_socket_for_ipv6_that_speaks_ipv4_is_found() {
        use socket2::{Domain, Socket, Type};
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let SocketAddr::V4(to) = listener.local_addr().unwrap() else {
            panic!("not IPv4");
        };
        let Ok(socket) = Socket::new(Domain::IPV6, Type::STREAM, None) else {
            return;
        };
        let mapped = SocketAddr::from((to.ip().to_ipv6_mapped(), to.port()));
        if socket.connect(&mapped.into()).is_err() {
            return;
        }
        let (_accepted, SocketAddr::V4(from)) = listener.accept().unwrap() else {
            panic!("not IPv4");
        };
        let inode = in_tables(from, to).unwrap();
        let socket = TcpStream::from(socket);
        assert!(is_of(&socket, inode));
        if kernel_answers() {
            assert_eq!(asked(from, to), Some(inode));
        }
    }

    #[test]
    fn what_is_not_connected_is_not_found() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let SocketAddr::V4(own) = listener.local_addr().unwrap() else {
            panic!("not IPv4");
        };
        let nobody = SocketAddrV4::new(Ipv4Addr::LOCALHOST, 1);
        assert_eq!(inode_of(own.into(), nobody.into()), None);
        assert_eq!(in_tables(own, nobody), None);
    }
}
