//! The system on real etcd: starts, health, faults, the client, what is found and removed after a test.

mod auth;
#[path = "../support/mod.rs"]
mod support;
mod tls;

use armadillo_etcd::{EtcdClient, Expected, GROUP, Swapped, etcd};
use armadillo_orchestrator::system::Scope;
use armadillo_orchestrator::{Deadline, Operation, State};
use support::{LIMIT, with_cluster};

#[test]
fn one_member_is_a_cluster() {
    with_cluster(etcd().members(1), async |cluster| {
        println!("ready after {:.0?}", cluster.start_took);
        let health = cluster.wait_good().await;
        assert_eq!(health.leader(GROUP), Some(&"member-1".into()));
        let revision = cluster.client.put("k", "v").await.unwrap();
        assert!(revision > 1);
    });
}

#[test]
fn three_members_agree_on_one_leader() {
    with_cluster(etcd(), async |cluster| {
        println!("ready after {:.0?}", cluster.start_took);
        // Leaders may change while the members are asked, so only answers of the same term are compared.
        let (health, statuses) = loop {
            let health = cluster.wait_good().await;
            let mut statuses = Vec::new();
            for server in cluster.members() {
                let status = cluster.client.status(&server).await.unwrap();
                statuses.push((server, status));
            }
            let term = health.terms[GROUP];
            if statuses.iter().all(|(_, status)| status.term == term) {
                break (health, statuses);
            }
        };
        assert_eq!(health.servers.len(), 3);
        let leader = health.leader(GROUP).unwrap();
        for (server, status) in statuses {
            assert_eq!(status.leads(), server == *leader, "{server}: {status:?}");
        }
        let members = cluster.client.members().await.unwrap();
        let mut servers: Vec<_> = members.iter().map(|member| member.server.clone()).collect();
        servers.sort();
        let planned: Vec<_> = cluster.members().into_iter().map(Some).collect();
        assert_eq!(servers, planned);
        let known = cluster.client.leader().await.unwrap();
        assert!(cluster.members().contains(&known), "{known}");
    });
}

/// An entry of the old API in the log keeps 3.6 from starting, and `GET /health` on 3.4 writes one.
#[test]
fn looking_at_a_cluster_writes_nothing_into_its_log() {
    with_cluster(etcd(), async |cluster| {
        let (leader, _) = cluster.leader().await;
        cluster.wait_good().await;
        let index = async || cluster.client.status(&leader).await.unwrap().raft_index;
        // A young cluster agrees on its version after some seconds, and an election writes, too; but if each look did, twenty
        // of them could never pass without an entry.
        let deadline = Deadline::after(LIMIT);
        loop {
            let before = index().await;
            for _ in 0..20 {
                cluster.deployment.health(LIMIT).await;
            }
            let after = index().await;
            if after == before {
                break;
            }
            assert!(!deadline.passed(), "{before} became {after} with each look");
        }
    });
}

#[test]
fn a_killed_leader_is_replaced_in_a_newer_term_and_comes_back() {
    with_cluster(etcd(), async |cluster| {
        cluster.client.put("before", "1").await.unwrap();
        let (old, term) = cluster.leader().await;
        cluster.operate(&old, Operation::Kill).await;
        // The leader is known before the other one follows it.
        let health = cluster
            .wait("another leader, and all of the rest good", |health| {
                let another = health.leader(GROUP).is_some_and(|leader| *leader != old);
                another && health.without(&old).is_good()
            })
            .await;
        assert!(health.terms[GROUP] > term, "{health}");
        assert_eq!(health.servers[&old].0, State::Failed);
        cluster.client.put("meanwhile", "2").await.unwrap();
        let took = cluster.operate(&old, Operation::Start).await;
        println!("{old} ready again after {took:.0?}");
        cluster.wait_good().await;
        let back = cluster.client.at(&old).unwrap();
        for (key, value) in [("before", "1"), ("meanwhile", "2")] {
            let found = back.get(key).await.unwrap().unwrap();
            assert_eq!(found.text(), value);
        }
    });
}

#[test]
fn a_paused_leader_is_failed_and_after_it_resumes_a_follower() {
    with_cluster(etcd(), async |cluster| {
        let (old, term) = cluster.leader().await;
        cluster.operate(&old, Operation::Pause).await;
        let health = cluster
            .wait("another leader", |health| {
                health.leader(GROUP).is_some_and(|leader| *leader != old)
            })
            .await;
        assert!(health.terms[GROUP] > term);
        assert_eq!(health.servers[&old].0, State::Failed);
        cluster.operate(&old, Operation::Resume).await;
        let newer = health.terms[GROUP];
        let health = cluster.wait_good().await;
        // It leads only if there was another election, as on a machine that stands still for a moment.
        let leads = health.leader(GROUP) == Some(&old);
        assert!(health.terms[GROUP] >= newer + u64::from(leads), "{health}");
    });
}

#[test]
fn without_a_majority_there_is_no_leader_and_writes_fail() {
    with_cluster(etcd(), async |cluster| {
        let members = cluster.members();
        // Logged in: without a majority nobody gets a token.
        cluster.client.put("k", "before").await.unwrap();
        cluster.operate(&members[0], Operation::Kill).await;
        cluster.operate(&members[1], Operation::Kill).await;
        let health = cluster
            .wait("no leader", |health| {
                health.leader(GROUP).is_none() && health.servers[&members[2]].0 == State::Degraded
            })
            .await;
        assert_eq!(health.percent(), 0, "{health}");
        let hasty = cluster.client.with_limit(std::time::Duration::from_secs(4));
        let error = hasty.put("k", "v").await.unwrap_err();
        assert!(error.is_unknown(), "{error}");
        let error = hasty.leader().await.unwrap_err();
        assert!(error.to_string().contains("no leader: "), "{error}");
        let found = cluster
            .deployment
            .check(Scope::Lease, "0a0b0c0d", |_| true, LIMIT)
            .await;
        assert_eq!(found, [], "what cannot be asked has left nothing");
        let found = cluster
            .deployment
            .check(Scope::Idle, "", |_| true, LIMIT)
            .await;
        assert!(found[0].1.starts_with("cannot be checked"), "{found:?}");
        // Neither is ready without the other: they must start at the same time.
        tokio::join!(
            cluster.operate(&members[0], Operation::Start),
            cluster.operate(&members[1], Operation::Start)
        );
        cluster.wait_good().await;
    });
}

#[test]
fn a_restart_keeps_the_data_and_the_identity() {
    with_cluster(etcd().members(1), async |cluster| {
        cluster.client.put("k", "kept").await.unwrap();
        let member = cluster.members().remove(0);
        let before = cluster.client.status(&member).await.unwrap();
        cluster.operate(&member, Operation::Restart).await;
        let after = cluster.client.status(&member).await.unwrap();
        assert_eq!(before.id, after.id);
        assert!(after.term > before.term);
        let found = cluster.client.get("k").await.unwrap().unwrap();
        assert_eq!(found.text(), "kept");
    });
}

#[test]
fn leadership_is_handed_over() {
    with_cluster(etcd(), async |cluster| {
        let (old, term) = cluster.leader().await;
        let new = cluster
            .members()
            .into_iter()
            .find(|member| *member != old)
            .unwrap();
        cluster.client.transfer_leadership(&new).await.unwrap();
        let health = cluster
            .wait("the other to lead", |health| {
                health.leader(GROUP) == Some(&new)
            })
            .await;
        assert!(health.terms[GROUP] > term);
    });
}

#[test]
fn the_client_does_what_it_says() {
    with_cluster(etcd(), async |cluster| {
        let client = EtcdClient::for_lease(cluster.view(), "0a0b0c0d");
        let other = EtcdClient::for_lease(cluster.view(), "0a0b0c0e");
        assert_eq!(client.get("a").await.unwrap(), None);
        let bytes = [0, 159, 146, 150, 255];
        let revision = client.put("a", bytes).await.unwrap();
        let found = client.get("a").await.unwrap().unwrap();
        assert_eq!((found.key.as_str(), &found.value[..]), ("a", &bytes[..]));
        assert_eq!((found.mod_revision, found.version), (revision, 1));
        assert_eq!(other.get("a").await.unwrap(), None, "another lease's");
        client.put("b/1", "1").await.unwrap();
        client.put("b/2", "2").await.unwrap();
        let keys = |found: Vec<armadillo_etcd::KeyValue>| {
            found.into_iter().map(|kv| kv.key).collect::<Vec<_>>()
        };
        assert_eq!(keys(client.list("").await.unwrap()), ["a", "b/1", "b/2"]);
        assert_eq!(keys(client.list("b/").await.unwrap()), ["b/1", "b/2"]);
        assert!(client.delete("a").await.unwrap());
        assert!(!client.delete("a").await.unwrap());
        assert_eq!(client.delete_prefix("b/").await.unwrap(), 2);

        let swap = |expected: Expected, value: &'static str| {
            let client = client.clone();
            async move {
                client
                    .compare_and_swap("c", &expected, value)
                    .await
                    .unwrap()
            }
        };
        assert_eq!(
            swap(Expected::value("nothing"), "0").await,
            Swapped::Lost { found: None }
        );
        let Swapped::Done { revision } = swap(Expected::Absent, "1").await else {
            panic!("there was no key");
        };
        let Swapped::Lost { found: Some(found) } = swap(Expected::Absent, "2").await else {
            panic!("there was a key");
        };
        assert_eq!((found.text().as_str(), found.mod_revision), ("1", revision));
        assert!(swap(Expected::Revision(revision), "2").await.is_done());
        assert!(!swap(Expected::Revision(revision), "3").await.is_done());
        assert!(swap(Expected::value("2"), "3").await.is_done());

        let refused = EtcdClient::without_prefix(cluster.view())
            .put("", "v")
            .await;
        assert!(refused.unwrap_err().code().is_some());
        let hashes: Vec<u32> = [
            client.hash(&"member-1".into()).await.unwrap(),
            client.hash(&"member-1".into()).await.unwrap(),
        ]
        .into();
        assert_eq!(hashes[0], hashes[1]);
    });
}

#[test]
fn what_a_test_leaves_is_found_and_removed() {
    with_cluster(etcd().members(1), async |cluster| {
        let deployment = &cluster.deployment;
        let check = |scope| deployment.check(scope, "0a0b0c0d", |_| true, LIMIT);
        let nothing: Vec<(String, String)> = Vec::new();
        let client = EtcdClient::for_lease(cluster.view(), "0a0b0c0d");
        client.for_deployment().put("data", "kept").await.unwrap();
        assert_eq!(check(Scope::Lease).await, nothing);
        assert_eq!(check(Scope::Idle).await, nothing);
        for number in 0..25 {
            client.put(&format!("left/{number:02}"), "").await.unwrap();
        }
        EtcdClient::for_lease(cluster.view(), "ffffffff")
            .put("another", "")
            .await
            .unwrap();
        let found = check(Scope::Lease).await;
        assert_eq!(found.len(), 1);
        assert_eq!(found[0].0, "keys");
        assert!(
            found[0].1.contains("key /armadillo/0a0b0c0d/left/00,")
                && found[0]
                    .1
                    .ends_with("5 more keys below /armadillo/0a0b0c0d/"),
            "{found:?}"
        );
        let purged = deployment.purge("0a0b0c0d", LIMIT).await.unwrap();
        assert_eq!(purged.len(), 21);
        assert_eq!(check(Scope::Lease).await, nothing);
        let idle = check(Scope::Idle).await;
        assert_eq!(
            idle,
            [(
                "store".to_owned(),
                "key /armadillo/ffffffff/another".to_owned()
            )]
        );
        deployment.purge("ffffffff", LIMIT).await.unwrap();
        assert_eq!(check(Scope::Idle).await, nothing);
        let kept = client.for_deployment().get("data").await.unwrap();
        assert_eq!(kept.unwrap().text(), "kept");
    });
}

#[test]
fn evidence_leaves_the_members_alone() {
    with_cluster(etcd(), async |cluster| {
        let directory = tempfile::tempdir().unwrap();
        let report = cluster.deployment.evidence(directory.path(), LIMIT).await;
        assert_eq!(report.failed, Vec::<String>::new());
        let read = |name: &str| std::fs::read_to_string(directory.path().join(name)).unwrap();
        assert!(read("member-2.goroutines.txt").contains("goroutine "));
        assert!(read("member-3.metrics.txt").contains("etcd_server_has_leader 1"));
        assert!(read("member-1.status.json").contains("\"raftTerm\""));
        assert!(cluster.wait_good().await.is_good());
    });
}

#[test]
fn an_option_of_the_topology_reaches_every_member() {
    with_cluster(
        etcd().members(1).option("max-request-bytes", "1000"),
        async |cluster| {
            let error = cluster.client.put("k", [0; 2000]).await.unwrap_err();
            assert!(error.to_string().contains("too large"), "{error}");
            assert!(error.is_refused(), "{error}");
        },
    );
}
