//! Faults of links: what they do, what is said of those that do nothing, and that none outlives its test.

use std::time::{Duration, Instant};

use armadillo::deployment::ServerKey;
use armadillo::prelude::*;
use tally_system::{Tally, tally};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::task::JoinHandle;
use tokio::time::sleep;

fn main() -> std::process::ExitCode {
    armadillo::main()
}

const SOON: Duration = Duration::from_millis(300);

const MS: Duration = Duration::from_millis(1);

/// Etcd 3.4.20 to 3.4.41, 3.5.0 to 3.5.21 and 3.6.0 to 3.6.8 answer linearizable reads with old values: a question whether
/// somebody still leads has the same number when it is repeated, so its first answer counts for reads that came after it
/// (<https://github.com/etcd-io/etcd/issues/20418>).
///
/// With etcd's own timers: what is done within an election timeout must be done within it on a busy machine, too.
#[armadillo::test(
    etcd(
        links,
        option("heartbeat-interval", "100"),
        option("election-timeout", "1000")
    ),
    timeout = "10m"
)]
async fn stale_reads(cluster: Exclusive<Etcd>, client: EtcdClient, cx: &TestContext) -> TestResult {
    let (links, rounds, mut stale) = (cluster.links(), cx.rounds(3), 0);
    for round in 0..rounds {
        let old = cluster.leader().await?;
        let (slow, other) = followers(&cluster, &old)?;
        client.put("key", format!("old {round}")).await?;
        // A follower asks the leader twice, and the second time before it has the first answer.
        links.from(&old).to(&slow).hold().await?;
        let asking = begin_to_read(&client, &slow)?;
        sleep(MS * 20).await;
        let questions = links.from(&slow).to(&old);
        questions.clone().at_once().hold().await?;
        cluster.server(&slow).pause().await?;
        sleep(MS * 600).await;
        cluster.server(&slow).resume().await?;
        questions.hold().await?;
        links.from(&old).to(&slow).release().await?;
        sleep(MS * 200).await;
        // The leader is deposed while it is frozen, and is told so last.
        links.from(&other).to(&old).at_once().hold().await?;
        cluster.server(&old).pause().await?;
        let leads = |new: &ServerKey| *new != old;
        let another = when("another leader", |now| {
            now.leader("raft").is_some_and(leads)
        });
        let new = cluster.wait_until(another).await?.leader("raft").cloned();
        let new = client.at(&new.ok_or("nobody leads")?)?;
        let acknowledged = new.put("key", format!("new {round}")).await?;
        let reading = begin_to_read(&client, &old)?;
        let questions = questions.stream("message").at_once();
        questions.bandwidth(4000).await?;
        cluster.server(&old).resume().await?;
        sleep(MS * 100).await;
        questions.release().await?;
        stale += u32::from(reading.await?.is_some_and(|read| read < acknowledged));
        asking.abort();
        links.heal().await?;
        cluster.wait_until(healthy()).await?;
    }
    assert_eq!(stale, 0, "stale reads in {stale} of {rounds} rounds");
    Ok(())
}

/// Reads at one member, linearizably; at which revision what it finds was written.
fn begin_to_read(client: &EtcdClient, member: &ServerKey) -> TestResult<JoinHandle<Option<u64>>> {
    let client = client.at(member)?;
    let read = async move { Some(client.get("key").await.ok()??.mod_revision) };
    Ok(tokio::spawn(read))
}

/// The two members that follow the leader.
fn followers(cluster: &Etcd, leader: &ServerKey) -> TestResult<(ServerKey, ServerKey)> {
    let mut members = cluster
        .members()
        .into_iter()
        .filter(|member| member != leader);
    let two = members.next().zip(members.next());
    Ok(two.ok_or("not three members")?)
}

/// Servers that have nothing to say to each other cannot be seen to be cut off.
mod idle {
    use super::*;

    #[armadillo::test(tally(servers = 2, links))]
    async fn a_cut(tally: Exclusive<Tally>) -> TestResult {
        let link = tally.links().between("tally-1", "tally-2");
        link.within(SOON).cut().await?;
        Ok(())
    }

    #[armadillo::test(tally(servers = 2, links))]
    async fn a_cut_at_once_until_the_end(tally: Exclusive<Tally>) -> TestResult {
        tally
            .links()
            .from("tally-1")
            .to("tally-2")
            .at_once()
            .cut()
            .await?;
        Ok(())
    }

    #[armadillo::test(tally(servers = 2, links))]
    async fn a_cut_at_once_that_is_healed(tally: Exclusive<Tally>) -> TestResult {
        let link = tally.links().from("tally-1").to("tally-2").at_once();
        link.cut().await?;
        link.heal().await?;
        Ok(())
    }

    #[armadillo::test(tally(servers = 2, links))]
    async fn a_reset(tally: Exclusive<Tally>) -> TestResult {
        tally.links().all().reset().await?;
        Ok(())
    }

    #[armadillo::test(tally(servers = 2, links))]
    async fn a_release(tally: Exclusive<Tally>) -> TestResult {
        tally.links().all().release().await?;
        Ok(())
    }
}

/// What cannot be had is refused, each with what would be right.
mod refused {
    use super::*;

    #[armadillo::test(tally(servers = 2))]
    async fn no_links(tally: Exclusive<Tally>) -> TestResult {
        tally.links().all().cut().await?;
        Ok(())
    }

    #[armadillo::test(tally(servers = 2, links))]
    async fn no_client_links(tally: Exclusive<Tally>) -> TestResult {
        tally.client_links().all().cut().await?;
        Ok(())
    }

    #[armadillo::test(tally(servers = 2, links))]
    async fn no_such_server(tally: Exclusive<Tally>) -> TestResult {
        tally.links().between("tally-1", "tally-9").cut().await?;
        Ok(())
    }
}

/// The links of clients: what is asked of a server, and what it answers.
mod client {
    use super::*;

    const TALLY: &str = "tally-1";

    async fn connect(tally: &Tally) -> TestResult<TcpStream> {
        let address = tally.orchestrator().endpoint(TALLY, "main");
        Ok(TcpStream::connect(address.ok_or("no such server")?).await?)
    }

    /// The next answer, whole: it may come in several pieces.
    async fn answer(connection: &mut TcpStream) -> TestResult<String> {
        let mut text = String::new();
        while !text.ends_with('\n') {
            text.push(char::from(connection.read_u8().await?));
        }
        Ok(text)
    }

    /// The request gets through, and its answer does not.
    #[armadillo::test(tally(client_links))]
    async fn an_answer_is_cut(tally: Exclusive<Tally>) -> TestResult {
        let mut connection = connect(&tally).await?;
        connection.write_all(b"get plums\n").await?;
        assert_eq!(answer(&mut connection).await?, "0\n");
        let link = tally.client_links().from(TALLY);
        let cut = link.cut().await?;
        let request = format!("add {}.plums 3\n", tally.orchestrator().lease());
        connection.write_all(request.as_bytes()).await?;
        cut.seen().await?;
        assert!(tally.health().await?.is_good(), "the daemon is no client");
        link.heal().await?;
        assert!(connection.read(&mut [0; 64]).await.is_err());
        assert_eq!(tally.get(TALLY, "plums").await?, 3);
        Ok(())
    }

    /// The request does not get through, and its connection is reset when it is healed.
    #[armadillo::test(tally(client_links))]
    async fn a_request_is_cut(tally: Exclusive<Tally>) -> TestResult {
        let mut connection = connect(&tally).await?;
        connection.write_all(b"pid\n").await?;
        answer(&mut connection).await?;
        let link = tally.client_links().to(TALLY);
        let cut = link.cut().await?;
        connection.write_all(b"add apples 3\n").await?;
        cut.seen().await?;
        link.heal().await?;
        let read = connection.read(&mut [0; 64]).await;
        assert!(read.is_err(), "{read:?}");
        assert_eq!(tally.get(TALLY, "apples").await?, 0);
        Ok(())
    }

    /// What is held arrives late, whole, and in order, on the same connection.
    #[armadillo::test(tally(client_links))]
    async fn what_is_held_arrives_late(tally: Exclusive<Tally>) -> TestResult {
        let mut connection = connect(&tally).await?;
        let link = tally.client_links().to(TALLY);
        let held = link.hold().await?;
        for line in ["add pears 1\n", "add pears 2\n", "add pears 4\n"] {
            connection.write_all(line.as_bytes()).await?;
        }
        held.seen().await?;
        let early = connection.try_read(&mut [0; 64]);
        assert!(
            early.is_err_and(|error| error.kind() == std::io::ErrorKind::WouldBlock),
            "it has arrived"
        );
        link.release().await?.seen().await?;
        let mut answers = [0; 6];
        connection.read_exact(&mut answers).await?;
        assert_eq!(&answers, b"1\n3\n7\n");
        Ok(())
    }

    #[armadillo::test(tally(client_links))]
    async fn a_delay_is_as_long_as_it_says(tally: Exclusive<Tally>) -> TestResult {
        let link = tally.client_links().of(TALLY);
        let delay = link.delay(SOON).await?;
        let begun = Instant::now();
        tally.get(TALLY, "apples").await?;
        assert!(begun.elapsed() >= SOON * 2, "{:?}", begun.elapsed());
        delay.seen().await?;
        link.heal().await?;
        Ok(())
    }

    #[armadillo::test(tally(client_links))]
    async fn a_bandwidth_is_not_exceeded(tally: Exclusive<Tally>) -> TestResult {
        let mut connection = connect(&tally).await?;
        let link = tally.client_links().to(TALLY);
        let limit = link.bandwidth(10_000).await?;
        let begun = Instant::now();
        let request = format!("get {}\n", "x".repeat(4994));
        connection.write_all(request.as_bytes()).await?;
        assert!(connection.read(&mut [0; 64]).await? > 0);
        assert!(begun.elapsed() >= SOON, "{:?}", begun.elapsed());
        limit.seen().await?;
        link.heal().await?;
        Ok(())
    }

    #[armadillo::test(tally(client_links))]
    async fn a_reset_ends_open_connections_and_no_others(tally: Exclusive<Tally>) -> TestResult {
        let mut connection = connect(&tally).await?;
        connection.write_all(b"pid\n").await?;
        answer(&mut connection).await?;
        tally.client_links().of(TALLY).reset().await?;
        let read = connection.read(&mut [0; 64]).await;
        assert!(
            read.is_err_and(|error| error.kind() == std::io::ErrorKind::ConnectionReset),
            "it is still open"
        );
        tally.get(TALLY, "apples").await?;
        Ok(())
    }
}

/// A fault ends with its test, however that ends: the next one, which is the same again, finds nothing of it.
mod left {
    use super::*;

    async fn cut_everything(
        tally: &Tally,
        links: armadillo::deployment::ClientLinks,
    ) -> TestResult {
        tally.add("tally-1", "apples", 1).await?;
        let cut = links.all().cut().await?;
        assert!(tally.add("tally-1", "apples", 1).await.is_err());
        cut.seen().await?;
        Ok(())
    }

    #[armadillo::test(tally(client_links))]
    async fn by_a_test_that_passes(tally: Exclusive<Tally>) -> TestResult {
        cut_everything(&tally, tally.client_links()).await
    }

    #[armadillo::test(tally(client_links))]
    async fn by_a_test_that_dies(tally: Exclusive<Tally>) -> TestResult {
        cut_everything(&tally, tally.client_links()).await?;
        std::process::abort();
    }
}
