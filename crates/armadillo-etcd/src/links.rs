//! What members send each other over links.

use armadillo_orchestrator::LinkUse;

/// Members reach each other and clients reach members on different ports.
pub(crate) const USE: LinkUse = LinkUse {
    peers: Some(&["peer"]),
    clients: Some(&["client"]),
};

/// Where the streams of Raft are (`RaftStreamPrefix` in etcd's `rafthttp/http.go`).
const STREAMS: &[u8] = b"GET /raft/stream/";

/// The stream that begins so: `msgapp` for the entries that a leader appends, `message` for everything else but snapshots. A
/// member opens one of each to every other and reads what that sends, so the data comes back on the connection
/// (`streamReader.dial` in `rafthttp/stream.go`, `peer.pick` in `rafthttp/peer.go`).
pub(crate) fn stream_of(beginning: &[u8]) -> Option<String> {
    let path = beginning.strip_prefix(STREAMS)?;
    let end = path.iter().position(|byte| b"/ ?".contains(byte))?;
    let name = std::str::from_utf8(&path[..end]).ok()?;
    Some(name.to_owned()).filter(|name| !name.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stream_is_named_by_its_path() {
        let named = |text: &str| stream_of(text.as_bytes());
        let request = "GET /raft/stream/message/8e9e05c52164694d HTTP/1.1\r\nHost: x\r\n";
        assert_eq!(named(request).as_deref(), Some("message"));
        let appending = "GET /raft/stream/msgapp/8e9e05c52164694d HTTP/1.1\r\n";
        assert_eq!(named(appending).as_deref(), Some("msgapp"));
        for other in [
            "POST /raft HTTP/1.1\r\n",
            "GET /members HTTP/1.1\r\n",
            "GET /raft/stream/",
            "\x16\x03\x01",
            "",
        ] {
            assert_eq!(named(other), None, "{other}");
        }
    }
}
