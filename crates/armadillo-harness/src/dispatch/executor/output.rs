//! The pipe that a worker's stdout and stderr go to, and the cutting of it into what each test printed.

use std::io::ErrorKind;
use std::path::Path;

use rustix::fs::Mode;
use tokio::net::unix::pipe::{OpenOptions, Receiver};

use super::super::printer::ToPrinter;
use crate::event::Captured;
use crate::worker::mark;

/// More than this from one test ends it.
pub(crate) const LIMIT: usize = 64 << 20;

/// How much of it an event carries; the whole lies in the test's directory.
const IN_EVENT: usize = 4 << 20;

/// The buffer is made smaller again when it has room for more than this.
const MOST_KEPT: usize = 1 << 20;

/// The reading end of a worker's named pipe. The runner holds a writing end too, so that there is never an end of file.
pub(super) struct OutputPipe {
    pipe: Receiver,
    nonce: Vec<u8>,
    /// What has come. Kept from one test to the next, for its room.
    buffer: Vec<u8>,
    /// Where the last mark ends in it.
    from: usize,
    /// Up to where `buffer` was searched for a mark.
    searched: usize,
    /// Where output goes as it comes.
    relay: Option<ToPrinter>,
    relayed: usize,
}

/// What woke a reader of the pipe.
pub(super) enum Progress {
    /// There was more, but not the mark.
    More,
    /// The mark: this is what the test printed.
    Mark(Vec<u8>),
    /// The test has printed more than [`LIMIT`].
    TooMuch,
}

impl OutputPipe {
    /// Makes the named pipe at `path` and opens it.
    pub(super) fn create(
        path: &Path,
        nonce: &str,
        relay: Option<ToPrinter>,
    ) -> std::io::Result<Self> {
        rustix::fs::mkfifoat(rustix::fs::CWD, path, Mode::RUSR | Mode::WUSR)?;
        let pipe = OpenOptions::new().read_write(true).open_receiver(path)?;
        // Larger than the 64 KiB of a new pipe, so that a chatty test seldom waits; a refusal changes nothing else.
        let _ = rustix::pipe::fcntl_setpipe_size(&pipe, 1 << 20);
        Ok(Self {
            pipe,
            nonce: nonce.as_bytes().to_vec(),
            buffer: Vec::new(),
            from: 0,
            searched: 0,
            relay,
            relayed: 0,
        })
    }

    /// Waits for more; cancel-safe.
    pub(super) async fn progress(&mut self, sequence: u64) -> std::io::Result<Progress> {
        if let Some(text) = self.take_marked(sequence) {
            return Ok(Progress::Mark(text));
        }
        self.make_room();
        loop {
            self.pipe.readable().await?;
            match self.pipe.try_read_buf(grown(&mut self.buffer)) {
                Ok(_) => break,
                Err(error)
                    if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::Interrupted) => {}
                Err(error) => return Err(error),
            }
        }
        let marked = self.take_marked(sequence);
        Ok(match marked {
            Some(text) => Progress::Mark(text),
            None if self.buffer.len() - self.from > LIMIT => Progress::TooMuch,
            None => Progress::More,
        })
    }

    /// What is there now, without waiting: after a worker's end.
    pub(super) fn drain(&mut self) -> Vec<u8> {
        // A grandchild may still write: not more than the limit is taken.
        self.make_room();
        while self.buffer.len() <= LIMIT {
            match rustix::io::read(
                &self.pipe,
                rustix::buffer::spare_capacity(grown(&mut self.buffer)),
            ) {
                Ok(0) => break,
                Ok(_) | Err(rustix::io::Errno::INTR) => {}
                Err(_nothing_more) => break,
            }
        }
        self.relay_new(self.buffer.len());
        self.searched = 0;
        self.relayed = 0;
        std::mem::take(&mut self.buffer)
    }

    /// Forgets what was taken.
    fn make_room(&mut self) {
        self.buffer.drain(..self.from);
        self.searched -= self.from;
        self.relayed -= self.from;
        self.from = 0;
        // Few tests print that much.
        self.buffer.shrink_to(MOST_KEPT);
    }

    /// If the mark of `sequence` is there: what came before it. What came before an older mark came too late for its
    /// test, and is nobody's.
    fn take_marked(&mut self, sequence: u64) -> Option<Vec<u8>> {
        loop {
            let Some(at) = self.find_mark() else {
                self.relay_new(self.searched);
                return None;
            };
            let end = at + self.buffer[at..].iter().position(|&byte| byte == b'\n')? + 1;
            let number = self.buffer[at + 1 + self.nonce.len()..end].trim_ascii();
            let found = std::str::from_utf8(number)
                .ok()
                .and_then(|number| number.parse::<u64>().ok());
            self.relay_new(at);
            let text = self.from..at;
            self.from = end;
            self.searched = end;
            self.relayed = end;
            if found == Some(sequence) {
                return Some(self.buffer[text].to_vec());
            }
        }
    }

    /// Where a complete mark begins; moves `searched` to where the next search begins.
    fn find_mark(&mut self) -> Option<usize> {
        loop {
            let Some(offset) = self.buffer[self.searched..]
                .iter()
                .position(|&byte| byte == mark::FIRST_BYTE)
            else {
                self.searched = self.buffer.len();
                return None;
            };
            let at = self.searched + offset;
            let after = &self.buffer[at + 1..];
            let common = after.len().min(self.nonce.len());
            if after[..common] != self.nonce[..common] {
                self.searched = at + 1;
                continue;
            }
            if after.len() > self.nonce.len() && after.contains(&b'\n') {
                return Some(at);
            }
            // The beginning of a mark whose end has not come yet.
            self.searched = at;
            return None;
        }
    }

    /// With `--nocapture`, passes on what has come, up to `end`.
    fn relay_new(&mut self, end: usize) {
        if let Some(relay) = &self.relay
            && self.relayed < end
        {
            relay.output(&self.buffer[self.relayed..end]);
            self.relayed = end;
        }
    }
}

/// The buffer with room for another read.
fn grown(buffer: &mut Vec<u8>) -> &mut Vec<u8> {
    buffer.reserve(64 * 1024);
    buffer
}

/// What an event says of this output. The text is kept for failures, or if `show` says so.
pub(in crate::dispatch) fn captured(output: &[u8], show: bool) -> Captured {
    let bytes = output.len() as u64;
    if !show {
        return Captured {
            bytes,
            ..Captured::default()
        };
    }
    if output.len() <= IN_EVENT {
        return Captured {
            bytes,
            text: String::from_utf8_lossy(output).into_owned(),
            omitted: 0,
        };
    }
    let (head, tail) = (
        &output[..IN_EVENT / 2],
        &output[output.len() - IN_EVENT / 2..],
    );
    let omitted = (output.len() - IN_EVENT) as u64;
    let text = format!(
        "{}\n[{omitted} bytes omitted; the full output is in the test's directory]\n{}",
        String::from_utf8_lossy(head),
        String::from_utf8_lossy(tail)
    );
    Captured {
        bytes,
        text,
        omitted,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn pipe_with(input: &[u8]) -> (tempfile::TempDir, OutputPipe) {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("out");
        let pipe = OutputPipe::create(&path, "abc", None).unwrap();
        use std::io::Write;
        std::fs::OpenOptions::new()
            .write(true)
            .open(&path)
            .unwrap()
            .write_all(input)
            .unwrap();
        (directory, pipe)
    }

    async fn until_mark(pipe: &mut OutputPipe, sequence: u64) -> Vec<u8> {
        loop {
            if let Progress::Mark(text) = pipe.progress(sequence).await.unwrap() {
                return text;
            }
        }
    }

    #[tokio::test(flavor = "current_thread")]
    async fn output_is_cut_at_the_marks_and_late_output_is_nobodys() {
        let (_directory, mut pipe) =
            pipe_with(b"one \x1eab \x1exyz 1\n\x1eabc 1\nlate\x1eabc 2\ntwo\n\x1eabc 3\n").await;
        assert_eq!(until_mark(&mut pipe, 1).await, b"one \x1eab \x1exyz 1\n");
        assert_eq!(until_mark(&mut pipe, 3).await, b"two\n");
        assert!(pipe.drain().is_empty());
    }

    #[tokio::test(flavor = "current_thread")]
    async fn half_a_mark_is_output_of_a_worker_that_died() {
        let (_directory, mut pipe) = pipe_with(b"last words \x1eabc").await;
        assert!(matches!(pipe.progress(1).await.unwrap(), Progress::More));
        assert_eq!(pipe.drain(), b"last words \x1eabc");
    }
}
