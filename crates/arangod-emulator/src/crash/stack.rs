//! The frames of the thread that crashes, collected inside its signal handler.

use std::ffi::{c_int, c_void};
use std::sync::atomic::{AtomicUsize, Ordering};

/// So many frames are kept, as on arangod.
pub(super) const MOST: usize = 50;

/// What tells the unwinder to go on, and to stop.
const GO_ON: c_int = 0;
const STOP: c_int = 5;

static FRAMES: [AtomicUsize; MOST] = [const { AtomicUsize::new(0) }; MOST];
static COUNT: AtomicUsize = AtomicUsize::new(0);

// The unwinder that panics use, which the standard library links.
unsafe extern "C" {
    fn _Unwind_Backtrace(
        each: extern "C" fn(*mut c_void, *mut c_void) -> c_int,
        data: *mut c_void,
    ) -> c_int;
    fn _Unwind_GetIPInfo(context: *mut c_void, interrupted: *mut c_int) -> usize;
}

/// Collects the frames of this thread.
pub(super) fn collect() {
    COUNT.store(0, Ordering::Relaxed);
    // SAFETY: the function has the signature that the unwinder calls, does not panic, and uses no data.
    // The unwinder takes no memory. It asks the loader where code is, which waits for nobody: this
    // process loads no code after its start.
    unsafe {
        _Unwind_Backtrace(take, std::ptr::null_mut());
    }
}

extern "C" fn take(context: *mut c_void, _: *mut c_void) -> c_int {
    let mut interrupted: c_int = 0;
    // SAFETY: the unwinder passes a valid context, and the other pointer is to a local variable.
    let address = unsafe { _Unwind_GetIPInfo(context, &raw mut interrupted) };
    if address == 0 {
        return STOP;
    }
    // Here the signal came: what was before is the handler.
    if interrupted != 0 {
        COUNT.store(0, Ordering::Relaxed);
    }
    let place = COUNT.fetch_add(1, Ordering::Relaxed);
    let Some(slot) = FRAMES.get(place) else {
        return STOP;
    };
    // A return address is behind the call that it belongs to.
    let behind = usize::from(interrupted == 0);
    slot.store(address - behind, Ordering::Relaxed);
    GO_ON
}

/// The addresses that were collected, the innermost first, and whether there were more.
pub(super) fn collected() -> (Vec<usize>, bool) {
    let count = COUNT.load(Ordering::Relaxed);
    let frames = FRAMES.iter().take(count);
    let frames = frames.map(|frame| frame.load(Ordering::Relaxed));
    (frames.collect(), count > MOST)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn frames_without_a_signal() {
        collect();
        let (frames, cut) = collected();
        assert!(
            frames.len() > 3 && (frames.len() < MOST || cut),
            "{frames:?}"
        );
    }
}
