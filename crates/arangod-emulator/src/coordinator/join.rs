//! Waiting for several things at once.

use std::future::{Future, poll_fn};
use std::pin::Pin;
use std::task::Poll;

/// What all of them give, in their order. Dropped, it drops all of them: nothing goes on unowned.
pub(crate) async fn join_all<F: Future>(futures: impl IntoIterator<Item = F>) -> Vec<F::Output> {
    let mut waiting: Vec<(usize, Pin<Box<F>>)> = futures
        .into_iter()
        .map(|future| Box::pin(future))
        .enumerate()
        .collect();
    let mut done: Vec<(usize, F::Output)> = Vec::with_capacity(waiting.len());
    poll_fn(|context| {
        waiting.retain_mut(|(place, future)| match future.as_mut().poll(context) {
            Poll::Ready(output) => {
                done.push((*place, output));
                false
            }
            Poll::Pending => true,
        });
        if waiting.is_empty() {
            Poll::Ready(())
        } else {
            Poll::Pending
        }
    })
    .await;
    done.sort_by_key(|(place, _)| *place);
    done.into_iter().map(|(_, output)| output).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::sync::Barrier;

    #[tokio::test]
    async fn all_at_once_and_in_order() {
        // Nobody comes past it before all are there.
        let barrier = &Barrier::new(3);
        let meet = |number: u8| async move {
            barrier.wait().await;
            number
        };
        assert_eq!(join_all([3, 1, 2].map(meet)).await, [3, 1, 2]);
        let nobody = Vec::<std::future::Ready<u8>>::new();
        assert!(join_all(nobody).await.is_empty());
    }
}
