//! The message in a server's log that says that it is ready.

use super::Deployment;
use crate::server::ServerKey;

/// How much of a log is read at a time, in bytes.
const PIECE: u64 = 64 << 10;

/// A message that is looked for in what a server logs from its start on. Nothing is read twice.
pub(super) struct ReadyMessage {
    id: &'static str,
    next: u64,
    /// The beginning of a line whose end is not written yet.
    line: Vec<u8>,
    found: bool,
}

impl ReadyMessage {
    /// The message with this id, in the log from this byte on.
    pub(super) fn new(id: &'static str, from: u64) -> Self {
        Self {
            id,
            next: from,
            line: Vec::new(),
            found: false,
        }
    }

    /// What is missing, if the server has not logged it yet.
    pub(super) fn missing(
        &mut self,
        deployment: &Deployment,
        server: &ServerKey,
    ) -> Option<String> {
        let end = deployment.site.log_size(server);
        while !self.found && self.next < end {
            let piece = match deployment.site.log(server, self.next, PIECE) {
                Ok(piece) => piece,
                Err(error) => return Some(format!("its log cannot be read: {error}")),
            };
            // What was given up of a long log is left out of the piece, and so is never found.
            self.next = (self.next + PIECE).min(end);
            self.read(&piece, |line| {
                deployment
                    .system
                    .log_line(line)
                    .and_then(|record| record.id)
            });
        }
        (!self.found).then(|| format!("its log does not have the message {} yet", self.id))
    }

    fn read(&mut self, piece: &[u8], id_of: impl Fn(&str) -> Option<String>) {
        for byte in piece {
            if *byte != b'\n' {
                self.line.push(*byte);
                continue;
            }
            let line = std::mem::take(&mut self.line);
            self.found |= id_of(&String::from_utf8_lossy(&line)).as_deref() == Some(self.id);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_is_found_however_its_line_is_cut() {
        let log = b"a: first\nb: second\nc: third";
        for cut in 0..log.len() {
            let mut message = ReadyMessage::new("b", 0);
            for piece in [&log[..cut], &log[cut..]] {
                message.read(piece, |line| {
                    line.split_once(':').map(|(id, _)| id.to_owned())
                });
            }
            assert!(message.found, "{cut}");
        }
        let mut unfinished = ReadyMessage::new("c", 0);
        unfinished.read(log, |line| {
            line.split_once(':').map(|(id, _)| id.to_owned())
        });
        assert!(!unfinished.found, "its line may go on");
    }
}
