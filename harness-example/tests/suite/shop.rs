//! Fixtures of our own that have something to undo, or are kept longer than a test.
//!
//! [`PriceList`] is made once for each process that runs tests, [`Shop`] for each test; the shop's teardown is `async`, runs
//! however the test ended, and may fail a test that had passed.

use std::sync::atomic::{AtomicU64, Ordering};

use armadillo::prelude::*;
use harness_example::{Inventory, Order, Prices};

use crate::stores::Documents;

/// Prices, read once for each worker: a worker is a process that runs one test after the other.
pub(crate) struct PriceList(Prices);

/// How often this process has read them.
static READ: AtomicU64 = AtomicU64::new(0);

#[armadillo::fixture(per = "worker")]
fn price_list() -> Result<PriceList, String> {
    READ.fetch_add(1, Ordering::Relaxed);
    Ok(PriceList(Prices::parse("apples 35\npears 50\nplums 20")?))
}

/// A shop with a hundred apples and a till.
pub(crate) struct Shop {
    inventory: Inventory<Documents>,
    sold: AtomicU64,
    till: AtomicU64,
}

/// Every test of a shop is about the inventory, and has its marker.
#[armadillo::fixture(teardown = audit, markers(inventory))]
async fn shop(store: Documents) -> TestResult<Shop> {
    let inventory = Inventory::new(store);
    inventory.add(&Order::new(100, "apples")).await?;
    Ok(Shop {
        inventory,
        sold: AtomicU64::new(0),
        till: AtomicU64::new(0),
    })
}

/// Every test of a shop ends with an audit, in one place, and not at the end of each test.
async fn audit(shop: &Shop) -> TestResult {
    let left = shop.inventory.count("apples").await?;
    let sold = shop.sold.load(Ordering::Relaxed);
    if left + sold == 100 {
        Ok(())
    } else {
        Err(format!("of 100 apples, {sold} were sold and {left} are left").into())
    }
}

impl Shop {
    async fn sell(&self, order: &Order, prices: &PriceList) -> TestResult<u64> {
        let cents = prices.0.of(order).ok_or("not sold here")?;
        self.inventory.take(order).await?;
        self.sold.fetch_add(order.count(), Ordering::Relaxed);
        self.till.fetch_add(cents, Ordering::Relaxed);
        Ok(cents)
    }
}

#[armadillo::test]
async fn what_is_sold_is_in_the_till(shop: &Shop, prices: &PriceList) -> TestResult {
    assert_eq!(shop.sell(&"3 apples".parse()?, prices).await?, 105);
    assert_eq!(shop.sell(&"1 apples".parse()?, prices).await?, 35);
    assert_eq!(shop.till.load(Ordering::Relaxed), 140);
    Ok(())
}

#[armadillo::test]
async fn what_is_not_there_is_not_charged(shop: &Shop, prices: &PriceList) -> TestResult {
    let refused = shop.sell(&"101 apples".parse()?, prices).await;
    let refused = refused.err().ok_or("there were only 100")?.to_string();
    assert_eq!(refused, "out of stock: 100 left");
    assert_eq!(shop.till.load(Ordering::Relaxed), 0);
    Ok(())
}

/// However many tests of this process have asked for the prices.
#[armadillo::test(cases(apples(35), pears(50), plums(20)), markers(fast))]
fn prices_are_read_once_for_each_process(prices: &PriceList, cx: &TestContext, #[case] cents: u64) {
    assert_eq!(READ.load(Ordering::Relaxed), 1);
    let article = cx.name().rsplit("::").next().unwrap_or_default();
    assert_eq!(prices.0.of(&Order::new(1, article)), Some(cents));
}
