//! What tests printed and nobody has read yet, under `--nocapture`: bounded, because nobody may ever read it.

use std::sync::{Mutex, MutexGuard, PoisonError};

/// How many bytes may wait to be printed.
const LIMIT: usize = 8 << 20;

/// How much waits to be printed, and how much was left out. What is left out is the newest, and after that everything
/// until what waits has been printed: there is one gap then, not one in every line.
#[derive(Debug, Default)]
pub(super) struct Backlog(Mutex<State>);

#[derive(Debug, Default)]
struct State {
    waiting: usize,
    left_out: usize,
    /// Nothing of it will be printed any more.
    unwanted: bool,
}

impl Backlog {
    /// Whether so many bytes more may wait.
    pub(super) fn takes(&self, bytes: usize) -> bool {
        let mut state = self.state();
        // One piece is taken whatever its length, or a long one would never be.
        let is_full = state.waiting > 0 && state.waiting.saturating_add(bytes) > LIMIT;
        let takes = !is_full && state.left_out == 0 && !state.unwanted;
        if takes {
            state.waiting += bytes;
        } else {
            state.left_out += bytes;
        }
        takes
    }

    /// Whether what waits is still to be printed.
    pub(super) fn is_wanted(&self) -> bool {
        !self.state().unwanted
    }

    /// So many bytes do not wait any more. If there is a gap after them, what is to be said of it.
    pub(super) fn done_with(&self, bytes: usize) -> Option<String> {
        let mut state = self.state();
        state.waiting = state.waiting.saturating_sub(bytes);
        if state.unwanted {
            state.left_out += bytes;
        }
        if state.waiting > 0 || state.left_out == 0 {
            return None;
        }
        let left_out = std::mem::take(&mut state.left_out);
        Some(format!(
            "\n[armadillo: {left_out} bytes of test output omitted: standard output was not read fast enough]\n"
        ))
    }

    /// The run was interrupted: what waits is not printed, so that its last lines are.
    pub(super) fn forget(&self) {
        self.state().unwanted = true;
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn there_is_one_gap_and_it_is_where_nothing_waits_any_more() {
        let backlog = Backlog::default();
        assert!(backlog.takes(LIMIT - 1));
        assert!(backlog.takes(1));
        assert!(!backlog.takes(1));
        assert_eq!(backlog.done_with(LIMIT - 1), None);
        // There is room, but what came before it is missing.
        assert!(!backlog.takes(2));
        let gap = backlog.done_with(1).unwrap();
        assert!(gap.contains(": 3 bytes"), "{gap}");
        assert!(backlog.takes(2 * LIMIT));
        assert_eq!(backlog.done_with(2 * LIMIT), None);
    }

    #[test]
    fn after_an_interrupt_nothing_of_it_is_printed() {
        let backlog = Backlog::default();
        assert!(backlog.takes(5));
        backlog.forget();
        assert!(!backlog.is_wanted());
        assert!(!backlog.takes(5));
        let gap = backlog.done_with(5).unwrap();
        assert!(gap.contains(": 10 bytes"), "{gap}");
    }
}
