//! At which `.await` a future waits: it is polled once more, with a waker that notes who takes it.
//!
//! A future that waits hands its waker to whatever will wake it, inside its own `poll`, which the `poll`s of the functions
//! that await it have called. A backtrace taken at that moment holds them all. `std::future::pending` takes no waker, so
//! nothing is found for it.

use std::cell::RefCell;
use std::future::Future;
use std::pin::Pin;
use std::ptr;
use std::task::{Context, Poll, RawWaker, RawWakerVTable, Waker};

use crate::trace::Origin;

/// How many branches of a `join!` or `select!` are told apart.
const MOST: usize = 16;

thread_local! {
    /// Where wakers were taken, while this thread asks.
    static TAKEN: RefCell<Option<Vec<Origin>>> = const { RefCell::new(None) };
}

/// What came of asking.
pub(crate) enum Asked {
    /// The future has ended.
    Ended,
    /// Where it waits: each place where it handed its waker on.
    Waits(Vec<Origin>),
}

/// Polls a future once more. It must be polled again with its real waker afterwards, or dropped: whatever it waits for
/// now wakes nobody.
pub(crate) fn ask(future: Pin<&mut (dyn Future<Output = ()> + '_)>) -> Asked {
    TAKEN.set(Some(Vec::new()));
    let _ends = EndsAsking;
    // SAFETY: the functions of the table never look at the data, so every pointer fulfils their contract; they are
    // thread-safe, because what they share is thread-local.
    let waker = unsafe { Waker::from_raw(RawWaker::new(ptr::null(), &TABLE)) };
    // A test's future may use up tokio's budget for one poll, and then waits for nothing but its next turn.
    let mut future = std::pin::pin!(tokio::task::unconstrained(future));
    match future.as_mut().poll(&mut Context::from_waker(&waker)) {
        Poll::Ready(()) => Asked::Ended,
        Poll::Pending => Asked::Waits(TAKEN.take().unwrap_or_default()),
    }
}

/// Also if the future panics.
struct EndsAsking;

impl Drop for EndsAsking {
    fn drop(&mut self) {
        TAKEN.set(None);
    }
}

static TABLE: RawWakerVTable = RawWakerVTable::new(
    |_| {
        note();
        RawWaker::new(ptr::null(), &TABLE)
    },
    |_| note(),
    |_| note(),
    |_| {},
);

/// Notes the place, if this thread asks. A waker that somebody keeps may be cloned and woken at any later time.
fn note() {
    let asks = TAKEN.try_with(|taken| taken.try_borrow().is_ok_and(|taken| taken.is_some()));
    if asks != Ok(true) {
        return;
    }
    let origin = Origin::at(None);
    TAKEN.with_borrow_mut(|taken| {
        if let Some(taken) = taken.as_mut().filter(|taken| taken.len() < MOST) {
            taken.push(origin);
        }
    });
}
