//! What executables write that is no event: what a main function prints, errors before there is a run, panics.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::os::fd::OwnedFd;
use std::rc::Rc;

use tokio::io::{AsyncBufReadExt, AsyncReadExt, BufReader};
use tokio::net::unix::pipe::Receiver;

use super::super::printer::ToPrinter;

/// A longer line is relayed in pieces.
const LONGEST: u64 = 1 << 20;

/// What lines of the harness begin with that are no error.
const REMARKS: [&str; 2] = ["armadillo: ", "warning: "];

/// Brings it to the printing thread, line by line, so that nothing is torn.
#[derive(Clone)]
pub(super) struct Relays {
    to: ToPrinter,
    remarks: Rc<RefCell<Remarks>>,
}

/// The remarks of the harness, and which executable was the first to make each. Several may have the same settings, and the same to say
/// of them.
#[derive(Default)]
struct Remarks(BTreeMap<String, usize>);

impl Relays {
    pub(super) fn to(to: ToPrinter) -> Self {
        Self {
            to,
            remarks: Rc::default(),
        }
    }

    pub(super) async fn stdout(self, stream: Option<OwnedFd>) {
        lines(stream, |line| self.to.output(line)).await;
    }

    /// The same of stderr. `number` says whose it is.
    pub(super) async fn stderr(self, number: usize, stream: Option<OwnedFd>) {
        lines(stream, |line| {
            let line = String::from_utf8_lossy(line).into_owned();
            if self.remarks.borrow_mut().is_new(number, &line) {
                self.to.note(line);
            }
        })
        .await;
    }
}

impl Remarks {
    /// Whether no other executable has said this before, as far as it is the harness that speaks.
    fn is_new(&mut self, number: usize, line: &str) -> bool {
        if !REMARKS.iter().any(|begin| line.starts_with(begin)) {
            return true;
        }
        *self.0.entry(line.to_owned()).or_insert(number) == number
    }
}

/// Every line of a pipe, with its end; the last one, too, if it has none.
async fn lines(stream: Option<OwnedFd>, mut say: impl FnMut(&[u8])) {
    let receiver = stream.and_then(|stream| Receiver::from_owned_fd(stream).ok());
    let Some(receiver) = receiver else { return };
    let mut reader = BufReader::new(receiver);
    let mut line = Vec::new();
    loop {
        line.clear();
        let mut piece = (&mut reader).take(LONGEST);
        let read = piece.read_until(b'\n', &mut line);
        // A pipe that cannot be read has nothing more to say.
        if !read.await.is_ok_and(|count| count > 0) {
            return;
        }
        if !line.ends_with(b"\n") {
            line.push(b'\n');
        }
        say(&line);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_harness_remarks_is_said_once_and_everything_else_as_often_as_it_is() {
        let mut remarks = Remarks::default();
        let remark = "armadillo: a debugger is attached\n";
        assert!(remarks.is_new(0, remark) && remarks.is_new(0, remark));
        assert!(!remarks.is_new(1, remark));
        assert!(remarks.is_new(1, "warning: full\n"));
        for number in 0..2 {
            assert!(remarks.is_new(number, "hello\n"));
            assert!(remarks.is_new(number, "error: no\n"));
        }
    }
}
