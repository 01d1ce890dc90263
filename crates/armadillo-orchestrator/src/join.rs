//! Several futures at once, in one task: dropping the whole drops each, and nothing needs to outlive anything.

use std::future::poll_fn;
use std::pin::Pin;
use std::task::Poll;

/// A future, and later what it gave.
enum Slot<'a, T, E> {
    Open(Pin<Box<dyn Future<Output = Result<T, E>> + Send + 'a>>),
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
pub(crate) async fn join_all<'a, T>(
    futures: impl IntoIterator<Item = impl Future<Output = T> + Send + 'a>,
) -> Vec<T> {
    let all = futures
        .into_iter()
        .map(|future| async move { Ok::<T, ()>(future.await) });
    try_join_all(all).await.unwrap_or_default()
}

/// Waits for all, or for the first that fails; the others are dropped then.
pub(crate) async fn try_join_all<'a, T, E>(
    futures: impl IntoIterator<Item = impl Future<Output = Result<T, E>> + Send + 'a>,
) -> Result<Vec<T>, E> {
    let mut open: Vec<Slot<'a, T, E>> = futures
        .into_iter()
        .map(|future| Slot::Open(Box::pin(future)))
        .collect();
    poll_fn(|context| {
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
    })
    .await
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
