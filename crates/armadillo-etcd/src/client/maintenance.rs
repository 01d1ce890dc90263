//! What keeps a store small and safe: compaction, defragmentation, snapshots.

use std::fs::{File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use armadillo_orchestrator::{Deadline, HttpError, Login, ServerKey};
use serde_json::json;

use super::wire::{PlainAnswer, SnapshotPart, decode};
use super::{EtcdClient, EtcdError, Kind, session};

const SNAPSHOT: &str = "/v3/maintenance/snapshot";

/// The end of a snapshot: a checksum. What is before it is a database, whose size is a multiple of its pages.
const CHECKSUM: u64 = 32;
const PAGE: u64 = 512;

/// A snapshot of a store, in a file: what `etcdutl snapshot restore` takes. Only its owner can read the file: it has the users of
/// the cluster, too.
#[derive(Clone)]
pub struct Snapshot {
    /// The file.
    pub path: PathBuf,
    /// Its size in bytes.
    pub bytes: u64,
    /// The member whose store it is.
    pub member: ServerKey,
    /// The store's revision shortly before it was taken: it has that one, and perhaps later ones.
    pub revision: u64,
    /// A login of the cluster it is from, if that needs one.
    pub(crate) login: Option<Login>,
}

impl std::fmt::Debug for Snapshot {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Snapshot")
            .field("path", &self.path)
            .field("bytes", &self.bytes)
            .field("member", &self.member)
            .field("revision", &self.revision)
            .finish_non_exhaustive()
    }
}

impl EtcdClient {
    /// Forgets all revisions before this one, and returns when they are gone from the databases of all members. The newest version
    /// of each key stays. The space in the files is reused; [`Self::defragment`] gives it back.
    ///
    /// # Errors
    /// [`Code::OutOfRange`](super::Code::OutOfRange) if it was compacted before, or is not there yet; those of any request.
    pub async fn compact(&self, revision: u64) -> Result<(), EtcdError> {
        let _: PlainAnswer = self
            .call(
                Kind::Write,
                format!("compact at revision {revision}"),
                "/v3/kv/compaction",
                &json!({ "revision": revision.to_string(), "physical": true }),
            )
            .await?;
        Ok(())
    }

    /// Gives back the space that one member's database does not use. The member answers nothing meanwhile.
    ///
    /// # Errors
    /// When it does not answer within the client's limit ([`Self::with_limit`]), or is not one of the client's.
    pub async fn defragment(&self, server: &ServerKey) -> Result<(), EtcdError> {
        let _: PlainAnswer = self
            .at(server)?
            .call(
                Kind::Write,
                format!("defragment {server}"),
                "/v3/maintenance/defragment",
                &json!({}),
            )
            .await?;
        Ok(())
    }

    /// Writes a snapshot of one member's whole store into a new file, as it arrives. It has the keys of all tests, the users, and
    /// etcd's leases.
    ///
    /// # Errors
    /// When the file exists or cannot be written; when the member does not answer, or the snapshot is not complete. An incomplete
    /// file is removed.
    pub async fn snapshot(
        &self,
        server: &ServerKey,
        path: impl AsRef<Path>,
    ) -> Result<Snapshot, EtcdError> {
        let path = path.as_ref();
        let own = self.at(server)?;
        // The request that follows is not repeated: here a token is renewed that the member does not know.
        if self.login.is_some() {
            own.users().await?;
        }
        let revision = own.status(server).await?.revision;
        let cannot = |reason: String| EtcdError::File {
            path: path.to_owned(),
            reason,
        };
        let mut new = OpenOptions::new();
        let file = new.write(true).create_new(true).mode(0o600).open(path);
        let file = file.map_err(|error| cannot(error.to_string()))?;
        let taken = own.take_snapshot(file).await;
        let bytes = taken.inspect_err(|_| {
            // What went wrong before says more.
            let _ = std::fs::remove_file(path);
        })?;
        Ok(Snapshot {
            path: path.to_owned(),
            bytes,
            member: server.clone(),
            revision,
            login: self.login.as_ref().map(|session| session.login().clone()),
        })
    }

    /// The snapshot of the only member of this client.
    async fn take_snapshot(&self, file: File) -> Result<u64, EtcdError> {
        let request = "take a snapshot".to_owned();
        let [member] = &self.members[..] else {
            return Err(EtcdError::all_of(request, Vec::new()));
        };
        let mut message = session::post(SNAPSHOT, &json!({}));
        if let Some(token) = self.login.as_ref().and_then(|session| session.held()) {
            message = message.header("authorization", token.reveal());
        }
        let mut parts = Parts::new(file);
        let deadline = Deadline::after(self.limit);
        let mut sink = |bytes: &[u8]| parts.take(bytes);
        let streamed = member.http.stream(message, &mut sink, deadline).await;
        let response = streamed
            .map_err(|loss: HttpError| EtcdError::of_loss(&request, &member.server, &loss))?;
        if !response.is_success() {
            return Err(EtcdError::of_answer(&request, &member.server, &response));
        }
        parts.end().map_err(|why| EtcdError::Malformed {
            request,
            server: member.server.clone(),
            why: why.to_string(),
        })
    }
}

/// The parts of a snapshot as they arrive: JSON, one value a line.
struct Parts {
    file: File,
    line: Vec<u8>,
    bytes: u64,
}

impl Parts {
    fn new(file: File) -> Self {
        Self {
            file,
            line: Vec::new(),
            bytes: 0,
        }
    }

    fn take(&mut self, mut bytes: &[u8]) -> io::Result<()> {
        while let Some(end) = bytes.iter().position(|byte| *byte == b'\n') {
            self.line.extend_from_slice(&bytes[..end]);
            self.write_line()?;
            bytes = &bytes[end + 1..];
        }
        self.line.extend_from_slice(bytes);
        Ok(())
    }

    fn write_line(&mut self) -> io::Result<()> {
        let line = std::mem::take(&mut self.line);
        if line.trim_ascii().is_empty() {
            return Ok(());
        }
        let part: SnapshotPart = decode(&line).map_err(io::Error::other)?;
        if let Some(error) = part.error {
            return Err(io::Error::other(error.message));
        }
        self.bytes += part.result.blob.len() as u64;
        self.file.write_all(&part.result.blob)
    }

    /// The size, if nothing is missing at the end.
    fn end(&mut self) -> io::Result<u64> {
        self.write_line()?;
        if self.bytes <= CHECKSUM || self.bytes % PAGE != CHECKSUM {
            let text = format!("the snapshot is not complete: it has {} bytes", self.bytes);
            return Err(io::Error::other(text));
        }
        self.file.sync_all()?;
        Ok(self.bytes)
    }
}

#[cfg(test)]
mod tests {
    use std::io::Read;

    use super::*;
    use crate::client::wire::encode;

    #[test]
    fn a_snapshot_is_put_together_however_it_arrives() {
        let database = vec![7; 1024];
        let checksum = vec![1; 32];
        let line = |blob: &[u8]| format!("{{\"result\":{{\"blob\":\"{}\"}}}}\n", encode(blob));
        let stream = line(&database[..100]) + &line(&database[100..]) + &line(&checksum);
        for step in [1, 7, 5000] {
            let mut parts = Parts::new(tempfile::tempfile().unwrap());
            for bytes in stream.as_bytes().chunks(step) {
                parts.take(bytes).unwrap();
            }
            assert_eq!(parts.end().unwrap(), 1056);
            let mut file = parts.file;
            let mut read = Vec::new();
            io::Seek::rewind(&mut file).unwrap();
            file.read_to_end(&mut read).unwrap();
            assert_eq!(read, [&database[..], &checksum].concat());
        }
    }

    #[test]
    fn half_a_snapshot_is_none() {
        let mut parts = Parts::new(tempfile::tempfile().unwrap());
        let line = format!("{{\"result\":{{\"blob\":\"{}\"}}}}", encode([7; 1024]));
        parts.take(line.as_bytes()).unwrap();
        let error = parts.end().unwrap_err().to_string();
        assert!(error.contains("not complete: it has 1024 bytes"), "{error}");
        let broken = parts.take(b"{\"error\":{\"message\":\"stopped\"}}\n");
        assert_eq!(broken.unwrap_err().to_string(), "stopped");
    }
}
