//! Several futures at once, in one task: dropping the whole drops each, and nothing needs to outlive anything.

use std::future::poll_fn;
use std::task::Poll;

use crate::system::Fut;

/// A future, and later what it gave.
enum Slot<'a, T, E> {
    Open(Fut<'a, Result<T, E>>),
    Done(T),
}

impl<T, E> Slot<'_, T, E> {
    fn answer(self) -> Option<T> {
        match self {
            Self::Open(_) => None,
            Self::Done(value) => Some(value),
        }
    }
}

/// Waits for all; the answers are in the order of the futures.
pub fn join_all<'a, T: Send + 'a>(
    futures: impl IntoIterator<Item = impl Future<Output = T> + Send + 'a>,
) -> Fut<'a, Vec<T>> {
    let all = try_join_all(
        futures
            .into_iter()
            .map(|future| async move { Ok::<T, ()>(future.await) }),
    );
    Box::pin(async move { all.await.unwrap_or_default() })
}

/// Waits for all, or for the first that fails; the others are dropped then.
pub fn try_join_all<'a, T: Send + 'a, E: Send + 'a>(
    futures: impl IntoIterator<Item = impl Future<Output = Result<T, E>> + Send + 'a>,
) -> Fut<'a, Result<Vec<T>, E>> {
    let mut open: Vec<Slot<'a, T, E>> = futures
        .into_iter()
        .map(|future| Slot::Open(Box::pin(future)))
        .collect();
    Box::pin(poll_fn(move |context| {
        let mut waiting = false;
        for slot in &mut open {
            if let Slot::Open(future) = slot {
                match future.as_mut().poll(context) {
                    Poll::Ready(Ok(value)) => *slot = Slot::Done(value),
                    Poll::Ready(Err(error)) => return Poll::Ready(Err(error)),
                    Poll::Pending => waiting = true,
                }
            }
        }
        if waiting {
            return Poll::Pending;
        }
        let answers = std::mem::take(&mut open).into_iter();
        Poll::Ready(Ok(answers.filter_map(Slot::answer).collect()))
    }))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn block_on<F: Future>(future: F) -> F::Output {
        tokio::runtime::Builder::new_current_thread()
            .enable_time()
            .build()
            .unwrap()
            .block_on(future)
    }

    #[test]
    fn answers_keep_their_order_and_a_failure_ends_the_wait() {
        let turns = |yields: usize| async move {
            for _ in 0..yields {
                tokio::task::yield_now().await;
            }
            yields
        };
        let answers = block_on(join_all([3, 0, 2].map(turns)));
        assert_eq!(answers, [3, 0, 2]);
        let endless = |fails: bool| async move {
            if !fails {
                std::future::pending::<()>().await;
            }
            Err::<(), &str>("no")
        };
        assert_eq!(
            block_on(try_join_all([false, true].map(endless))),
            Err("no")
        );
    }
}
