//! The spans that are open, and which of them each thread is in.

use std::cell::RefCell;
use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tracing::Metadata;
use tracing::span::{Attributes, Id, Record};

use super::fields::Fields;

thread_local! {
    /// The spans this thread is in, the innermost last.
    static ENTERED: RefCell<Vec<Id>> = const { RefCell::new(Vec::new()) };
}

/// The spans of one subscriber.
#[derive(Default)]
pub(super) struct Spans(Mutex<HashMap<Id, Arc<Span>>>);

/// One of them. It holds those around it, which may have been closed before it.
pub(super) struct Span {
    pub(super) id: Id,
    pub(super) metadata: &'static Metadata<'static>,
    parent: Option<Arc<Span>>,
    fields: Mutex<String>,
    handles: AtomicUsize,
}

impl Span {
    /// Writes this span and those around it as `outer{id=7}:inner`.
    pub(super) fn describe(&self, line: &mut String) {
        if let Some(parent) = &self.parent {
            parent.describe(line);
            line.push(':');
        }
        line.push_str(self.metadata.name());
        let fields = lock(&self.fields);
        if !fields.is_empty() {
            line.push('{');
            line.push_str(&fields);
            line.push('}');
        }
    }
}

impl Spans {
    pub(super) fn open(&self, span: &Attributes<'_>) -> Id {
        /// No two spans of a process have the same number, whichever subscriber they belong to.
        static NEXT: AtomicU64 = AtomicU64::new(1);
        let id = Id::from_u64(NEXT.fetch_add(1, Ordering::Relaxed));
        let parent = match span.parent() {
            Some(parent) => self.get(parent),
            None if span.is_root() => None,
            None => self.current(),
        };
        let mut fields = Fields::default();
        span.record(&mut fields);
        let span = Arc::new(Span {
            id: id.clone(),
            metadata: span.metadata(),
            parent,
            fields: Mutex::new(fields.text().to_owned()),
            handles: AtomicUsize::new(1),
        });
        lock(&self.0).insert(id.clone(), span);
        id
    }

    pub(super) fn get(&self, id: &Id) -> Option<Arc<Span>> {
        lock(&self.0).get(id).cloned()
    }

    /// The innermost span that this thread is in.
    pub(super) fn current(&self) -> Option<Arc<Span>> {
        let entered = ENTERED.with_borrow(Vec::clone);
        entered.iter().rev().find_map(|id| self.get(id))
    }

    pub(super) fn record(&self, id: &Id, values: &Record<'_>) {
        // Showing the values may run code of theirs, so nothing is locked meanwhile.
        let mut more = Fields::default();
        values.record(&mut more);
        if let Some(span) = self.get(id) {
            let mut fields = lock(&span.fields);
            if !fields.is_empty() {
                fields.push(' ');
            }
            fields.push_str(more.text());
        }
    }

    pub(super) fn enter(&self, id: &Id) {
        ENTERED.with_borrow_mut(|entered| entered.push(id.clone()));
    }

    /// Spans may be left in another order than they were entered.
    pub(super) fn exit(&self, id: &Id) {
        ENTERED.with_borrow_mut(|entered| {
            if let Some(place) = entered.iter().rposition(|entered| entered == id) {
                entered.remove(place);
            }
        });
    }

    pub(super) fn share(&self, id: &Id) -> Id {
        if let Some(span) = self.get(id) {
            span.handles.fetch_add(1, Ordering::Relaxed);
        }
        id.clone()
    }

    /// Gives a handle back; whether it was the last.
    pub(super) fn close(&self, id: &Id) -> bool {
        let mut spans = lock(&self.0);
        let is_last = spans
            .get(id)
            .is_some_and(|span| span.handles.fetch_sub(1, Ordering::AcqRel) == 1);
        let closed = is_last.then(|| spans.remove(id));
        // Its fields and the spans around it go without the lock.
        drop(spans);
        drop(closed);
        is_last
    }
}

/// A thread that panicked while it held a lock has left nothing half done.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
