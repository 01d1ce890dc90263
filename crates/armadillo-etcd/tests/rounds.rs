//! What etcd has acknowledged survives the loss of its leader: seeded rounds of kill or pause under writes.
//!
//! `ARMADILLO_ROUNDS` (5) rounds that count, from `ARMADILLO_SEED` (1). A round counts if the faulted member led right
//! before the fault, if at least one write was in flight at that moment, and if then another member led in a newer term.

#![allow(clippy::unwrap_used, reason = "all of it is a test")]

mod support;

use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::time::{Duration, Instant};

use armadillo_etcd::{EtcdClient, GROUP, etcd};
use armadillo_orchestrator::random::Random;
use armadillo_orchestrator::{Operation, ServerKey};
use support::{Cluster, LIMIT, number_from_env, with_cluster};
use tokio::sync::watch;
use tokio::task::LocalSet;

/// How many write at once.
const WRITERS: usize = 6;

/// How many writes must be acknowledged before the fault, and again under the new leader.
const ACKNOWLEDGED: usize = 30;

/// How long a write may take: longer than an election, shorter than a pause.
const WRITE_LIMIT: Duration = Duration::from_millis(300);

/// A write and what became of it.
struct Write {
    key: String,
    value: String,
    begun: Instant,
    ended: Instant,
    acknowledged: bool,
}

/// The writes of a round, told to whoever waits for their number.
struct Book {
    writes: RefCell<Vec<Write>>,
    in_flight: Cell<usize>,
    acknowledged: watch::Sender<usize>,
    over: Cell<bool>,
}

/// What became of a round.
enum Round {
    Counts { acknowledged: usize, lost: usize },
    DoesNot(String),
}

#[test]
fn acknowledged_writes_survive_the_loss_of_the_leader() {
    let rounds = number_from_env("ARMADILLO_ROUNDS", 5);
    let seed = number_from_env("ARMADILLO_SEED", 1);
    with_cluster(etcd(), async |cluster| {
        let mut random = Random::new(seed);
        let (mut counted, mut acknowledged, mut lost) = (0, 0, 0);
        let mut not_counted = Vec::new();
        for number in 1..=rounds * 2 {
            if counted == rounds {
                break;
            }
            match LocalSet::new()
                .run_until(round(cluster, number, &mut random))
                .await
            {
                Round::Counts {
                    acknowledged: more,
                    lost: these,
                } => {
                    counted += 1;
                    acknowledged += more;
                    lost += these;
                }
                Round::DoesNot(why) => not_counted.push(format!("round {number}: {why}")),
            }
        }
        println!(
            "seed {seed}: {counted} rounds, {acknowledged} writes acknowledged, {lost} lost; {} rounds did not count{}",
            not_counted.len(),
            not_counted
                .iter()
                .map(|why| format!("\n  {why}"))
                .collect::<String>()
        );
        assert_eq!(lost, 0);
        assert_eq!(counted, rounds, "too few rounds counted");
    });
}

async fn round(cluster: &Cluster, number: u64, random: &mut Random) -> Round {
    cluster.wait_good().await;
    let client = EtcdClient::for_lease(cluster.view(), &format!("round-{number}"));
    let book = Rc::new(Book {
        writes: RefCell::default(),
        in_flight: Cell::new(0),
        acknowledged: watch::Sender::new(0),
        over: Cell::new(false),
    });
    let writers: Vec<_> = (0..WRITERS)
        .map(|writer| {
            let members = cluster.members();
            tokio::task::spawn_local(write(book.clone(), client.clone(), members, writer))
        })
        .collect();
    let kill = random.below(2) == 0;
    let patience = ACKNOWLEDGED + random.below(100);
    book.wait(patience).await;

    let leader = cluster.client.leader().await;
    let outcome = match leader {
        Ok(leader) => fault(cluster, &book, &leader, kill).await,
        Err(error) => Err(format!("no leader before the fault: {error}")),
    };
    book.over.set(true);
    for writer in writers {
        tokio::time::timeout(LIMIT, writer).await.unwrap().unwrap();
    }
    let begun = match outcome {
        Ok(begun) => begun,
        Err(why) => return Round::DoesNot(why),
    };
    let writes = book.writes.take();
    let spanning = |write: &&Write| write.begun < begun && write.ended > begun;
    if writes.iter().filter(spanning).count() == 0 {
        return Round::DoesNot("no write was in flight".to_owned());
    }
    let lost = lost(cluster, &client, &writes).await;
    let acknowledged = writes.iter().filter(|write| write.acknowledged).count();
    client.delete_prefix("").await.unwrap();
    Round::Counts { acknowledged, lost }
}

/// The fault, seen to have taken effect, and healed, seen to have healed. Says when it began, or why it does not count.
async fn fault(
    cluster: &Cluster,
    book: &Book,
    leader: &ServerKey,
    kill: bool,
) -> Result<Instant, String> {
    let (inject, heal) = if kill {
        (Operation::Kill, Operation::Start)
    } else {
        (Operation::Pause, Operation::Resume)
    };
    let term = cluster.client.status(leader).await.unwrap().term;
    while book.in_flight.get() == 0 {
        tokio::task::yield_now().await;
    }
    let begun = Instant::now();
    cluster.operate(leader, inject).await;
    let health = cluster
        .wait("another leader", |health| {
            health.leader(GROUP).is_some_and(|other| other != leader)
        })
        .await;
    let has_changed = health.terms[GROUP] > term;
    let so_far = *book.acknowledged.borrow();
    book.wait(so_far + ACKNOWLEDGED).await;
    cluster.operate(leader, heal).await;
    cluster.wait_good().await;
    if has_changed {
        Ok(begun)
    } else {
        Err(format!("{leader} had ceased to lead before the fault"))
    }
}

/// Writes distinct keys through one member after the other, until the round is over.
async fn write(book: Rc<Book>, client: EtcdClient, members: Vec<ServerKey>, writer: usize) {
    let client = client.with_limit(WRITE_LIMIT);
    let clients: Vec<EtcdClient> = members
        .iter()
        .map(|member| client.at(member).unwrap())
        .collect();
    for number in 0.. {
        if book.over.get() {
            return;
        }
        let key = format!("{writer}/{number}");
        let value = format!("{key}-{}", "x".repeat(number % 50));
        let begun = Instant::now();
        book.in_flight.set(book.in_flight.get() + 1);
        let outcome = clients[(writer + number) % clients.len()]
            .put(&key, &value)
            .await;
        book.in_flight.set(book.in_flight.get() - 1);
        let acknowledged = outcome.is_ok();
        book.writes.borrow_mut().push(Write {
            key,
            value,
            begun,
            ended: Instant::now(),
            acknowledged,
        });
        if acknowledged {
            book.acknowledged.send_modify(|count| *count += 1);
        } else {
            // A refused connection takes no time at all: let the others run.
            tokio::task::yield_now().await;
        }
    }
}

/// How many acknowledged writes are not there as they were written, read by key through one member after the other.
async fn lost(cluster: &Cluster, client: &EtcdClient, writes: &[Write]) -> usize {
    let mut lost = 0;
    let readers: Vec<EtcdClient> = cluster
        .members()
        .iter()
        .map(|member| client.at(member).unwrap())
        .collect();
    let acknowledged = writes.iter().filter(|write| write.acknowledged);
    for (write, reader) in acknowledged.zip(readers.iter().cycle()) {
        let found = reader.get(&write.key).await.unwrap();
        if found.as_ref().map(|kv| kv.value.as_slice()) != Some(write.value.as_bytes()) {
            println!("lost: {} (found {found:?})", write.key);
            lost += 1;
        }
    }
    lost
}

impl Book {
    /// Waits until so many writes were acknowledged.
    async fn wait(&self, count: usize) {
        let mut acknowledged = self.acknowledged.subscribe();
        let enough = acknowledged.wait_for(|known| *known >= count);
        let waited = tokio::time::timeout(LIMIT, enough).await;
        assert!(
            waited.is_ok(),
            "{} of {count} writes were acknowledged",
            *self.acknowledged.borrow()
        );
    }
}
