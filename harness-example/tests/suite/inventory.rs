//! One body on several systems: with `types(..)` a generic function becomes a test for each type, and each of them runs
//! where its fixture needs it. `inventory::two_buyers_never_get_the_same_apple::keys` is a test on an etcd cluster,
//! `..::documents` one on a single server, and `..::memory` needs nothing.

use std::sync::Arc;

use armadillo::prelude::*;
use harness_example::{Inventory, Order, Store, TakeError};
use tokio::task::JoinSet;

use crate::hooks::BUYERS;
use crate::stores::{Documents, Keys, Memory};

#[armadillo::test(
    types(memory = Memory, documents = Documents, keys = Keys),
    markers(inventory, rta_suite("inventory"))
)]
async fn what_is_delivered_can_be_taken<S: Store>(store: S) -> TestResult {
    let inventory = Inventory::new(store);
    assert_eq!(inventory.count("apples").await?, 0);
    assert_eq!(inventory.add(&"3 apples".parse()?).await?, 3);
    assert_eq!(inventory.add(&"2 apples".parse()?).await?, 5);
    assert_eq!(inventory.take(&"4 apples".parse()?).await?, 1);
    let refused = inventory.take(&"2 apples".parse()?).await;
    assert!(
        matches!(refused, Err(TakeError::OutOfStock { left: 1 })),
        "{refused:?}"
    );
    assert_eq!(inventory.count("apples").await?, 1);
    Ok(())
}

/// More buyers than apples, all at once.
#[armadillo::test(
    types(memory = Memory, documents = Documents, keys = Keys),
    markers(inventory, rta_suite("inventory"))
)]
async fn two_buyers_never_get_the_same_apple<S: Store + 'static>(store: S) -> TestResult {
    let sold = sell(Inventory::new(store), 10, 4, 5).await?;
    assert_eq!(sold, 10);
    Ok(())
}

/// The same with more of everything, and with as many buyers as `--buyers` says. It puts load on the servers, and so runs only with
/// `--stress`.
#[armadillo::test(
    types(documents = Documents, keys = Keys),
    markers(inventory, stress_test),
    timeout = "2m"
)]
async fn four_hundred_apples_are_sold_once_each<S: Store + 'static>(store: S) -> TestResult {
    let sold = sell(Inventory::new(store), 400, BUYERS.get(), 400).await?;
    assert_eq!(sold, 400);
    Ok(())
}

/// Delivers `apples`, and lets `buyers` take one at a time, `tries` times each. Returns how many were sold.
async fn sell<S: Store + 'static>(
    inventory: Inventory<S>,
    apples: u64,
    buyers: u64,
    tries: u64,
) -> TestResult<u64> {
    inventory.add(&Order::new(apples, "apples")).await?;
    let inventory = Arc::new(inventory);
    let mut tasks = JoinSet::new();
    for _ in 0..buyers {
        let inventory = inventory.clone();
        tasks.spawn(async move {
            let apple = Order::new(1, "apples");
            let mut bought = 0;
            for _ in 0..tries {
                match inventory.take(&apple).await {
                    Ok(_) => bought += 1,
                    Err(TakeError::OutOfStock { .. }) => break,
                    Err(TakeError::Store(error)) => return Err(error),
                }
            }
            Ok(bought)
        });
    }
    let mut sold = 0;
    while let Some(bought) = tasks.join_next().await {
        sold += bought??;
    }
    let left = inventory.count("apples").await?;
    assert_eq!(left + sold, apples, "{sold} were sold");
    Ok(sold)
}

/// Random orders against a model. `cx.seed()` is the run's seed mixed with the test's name: `--seed N` with the number that
/// the run printed draws the same orders again. What was ordered is kept with the results, whatever comes out.
#[armadillo::test(markers(inventory))]
async fn random_orders_agree_with_arithmetic(store: Memory, cx: &TestContext) -> TestResult {
    let inventory = Inventory::new(store);
    let mut random = cx.seed() | 1;
    let mut expected = 0_u64;
    let mut protocol = String::new();
    for _ in 0..200 {
        // xorshift: a generator that is good enough here and fits in a line.
        random ^= random << 13;
        random ^= random >> 7;
        random ^= random << 17;
        let order = Order::new(1 + random % 9, "apples");
        if random & 1024 == 0 {
            expected += order.count();
            assert_eq!(inventory.add(&order).await?, expected);
            protocol.push_str(&format!("+{}\n", order.count()));
        } else if let Ok(left) = inventory.take(&order).await {
            expected -= order.count();
            assert_eq!(left, expected);
            protocol.push_str(&format!("-{}\n", order.count()));
        }
    }
    let file = cx.attach("orders.txt", &protocol)?;
    assert_eq!(std::fs::read_to_string(file)?, protocol);
    Ok(())
}
