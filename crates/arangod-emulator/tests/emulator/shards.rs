//! Replicated shards: what is acknowledged is on every copy, whoever fails.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicBool, Ordering};

use rustix::process::Signal;
use serde_json::{Value, json};

use crate::clusters::spawn;
use crate::sharded::Sharded;
use crate::support::wait_for;

#[test]
fn a_shard_is_served_by_its_leader() {
    let sharded = Sharded::start(3, 3, 1);
    let answer = sharded.insert(0, "k", &json!(1));
    assert_eq!(answer.status, 202, "{}", answer.text);
    assert_eq!(answer.json()["_id"], "c/k");
    let answer = sharded.get(0, "k");
    assert_eq!((answer.status, &answer.json()["v"]), (200, &json!(1)));
    assert_eq!(answer.json()["_id"], "c/k");
    assert_eq!(sharded.count(0), 1);
    for follower in [1, 2] {
        assert_eq!(sharded.get(follower, "k").error(), (421, 1491));
        assert_eq!(
            sharded.insert(follower, "k", &json!(2)).error(),
            (421, 1491)
        );
    }
    // Nobody tells a leader what to do, and only its leader tells a follower.
    let replicated = format!(
        "{}&isSynchronousReplication=PRMR-stranger",
        Sharded::path("")
    );
    for (server, error) in [(0, (406, 1489)), (1, (406, 1490))] {
        let answer = sharded
            .client(server)
            .post(&replicated, &json!({ "_key": "r" }));
        assert_eq!(answer.error(), error, "{}", answer.text);
    }
    // Errors, revisions and batches are those of a single server.
    let client = sharded.client(0);
    assert_eq!(sharded.get(0, "other").error(), (404, 1202));
    let body = json!({ "_key": "k" });
    assert_eq!(client.post(&Sharded::path(""), &body).error(), (409, 1210));
    let batch = client.post(&Sharded::path(""), &json!([{"_key": "a"}, {"_key": "k"}]));
    assert_eq!(
        (batch.status, batch.header("x-arango-error-codes")),
        (202, Some("{\"1210\":1}"))
    );
    let both = format!("{}&onlyget=true", Sharded::path(""));
    let both = client.put(&both, &json!(["a", "k"])).json();
    assert_eq!((&both[0]["_id"], &both[1]["v"]), (&json!("c/a"), &json!(1)));
    assert_eq!(client.delete(&Sharded::path("a")).status, 202);
    let path = "/_api/collection/s1001/truncate";
    assert_eq!(client.put(path, &json!({})).status, 200);
    assert_eq!(sharded.count(0), 0);
    assert_eq!(client.get("/_api/document/s77/k").error(), (421, 1491));
    sharded.drop_collection();
    wait_for("nobody to lead", || {
        (sharded.get(0, "k").status == 421).then_some(())
    });
}

#[test]
fn what_a_killed_leader_has_acknowledged_is_on_the_next() {
    let mut sharded = Sharded::start(3, 3, 2);
    for number in 0..50 {
        sharded.put(&format!("k{number}"), &json!(number));
    }
    let first = sharded.leader();
    sharded.kill(first);
    sharded.fail_over(first);
    for number in 0..50 {
        assert_eq!(sharded.look(&format!("k{number}")).json()["v"], number);
    }
    // The one that was killed comes back as a follower, with what it has missed.
    sharded.put("late", &json!("l"));
    sharded.put("k1", &json!("new"));
    sharded.boot(first);
    sharded.wait_until_in_sync();
    // And leads when the others are gone.
    let next = sharded.leader();
    let other = 3 - next - first;
    sharded.kill(other);
    wait_for("one follower less", || {
        sharded.put("again", &json!(1));
        (sharded.current().as_array().unwrap().len() == 2).then_some(())
    });
    sharded.kill(next);
    assert_eq!(sharded.fail_over(next), first);
    for (key, value) in [
        ("late", json!("l")),
        ("k1", json!("new")),
        ("again", json!(1)),
        ("k2", json!(2)),
    ] {
        assert_eq!(sharded.look(key).json()["v"], value, "{key}");
    }
    // Alone it is one copy, and the collection wants two.
    wait_for("the followers to be taken out", || {
        (sharded.current() == json!([sharded.ids[first]])).then_some(())
    });
    assert_eq!(sharded.insert(first, "k", &json!(1)).error(), (403, 1004));
    assert_eq!(sharded.look("late").status, 200);
}

#[test]
fn a_restarted_leader_goes_on_with_what_it_had() {
    // However long a restart takes: nobody else is put in its place.
    let patient = ["--agency.supervision-grace-period=300"];
    let mut sharded = Sharded::start_with(&patient, 2, 2, 1);
    assert_eq!(sharded.insert(0, "k", &json!(1)).status, 202);
    sharded.kill(0);
    sharded.boot(0);
    assert_eq!(sharded.get_when_leading(0, "k").json()["v"], 1);
    assert_eq!(sharded.planned()[0], json!(sharded.ids[0]));
    sharded.wait_until_in_sync();
    assert_eq!(sharded.insert(0, "l", &json!(2)).status, 202);
    // All of them at once.
    sharded.kill(0);
    sharded.kill(1);
    sharded.boot(1);
    assert_eq!(sharded.get(1, "k").error(), (421, 1491));
    sharded.boot(0);
    assert_eq!(sharded.get_when_leading(0, "l").json()["v"], 2);
    sharded.wait_until_in_sync();
    assert_eq!(sharded.count(0), 2);
}

#[test]
fn a_follower_that_stands_still_is_taken_out_and_comes_back() {
    let sharded = Sharded::start(2, 2, 1);
    sharded.signal(1, Signal::STOP);
    assert_eq!(sharded.insert(0, "k", &json!(1)).status, 202);
    assert_eq!(sharded.current(), json!([sharded.ids[0]]));
    for number in 0..20 {
        assert_eq!(
            sharded.insert(0, &format!("k{number}"), &json!(0)).status,
            202
        );
    }
    sharded.signal(1, Signal::CONT);
    sharded.wait_until_in_sync();
    assert_eq!(sharded.insert(0, "k", &json!(2)).status, 202);
    sharded.signal(0, Signal::STOP);
    assert_eq!(sharded.fail_over(0), 1);
    assert_eq!(sharded.get_when_leading(1, "k").json()["v"], 2);
    assert_eq!(sharded.count(1), 21);
    sharded.signal(0, Signal::CONT);
    sharded.wait_until_in_sync();
}

#[test]
fn a_follower_comes_level_however_much_is_written_meanwhile() {
    let mut sharded = Sharded::start(2, 2, 1);
    sharded.kill(1);
    assert_eq!(sharded.insert(0, "first", &json!(0)).status, 202);
    let done = AtomicBool::new(false);
    let written = std::thread::scope(|scope| {
        let writers: Vec<_> = (0..8)
            .map(|writer| {
                let (client, done) = (sharded.client(0), &done);
                scope.spawn(move || {
                    let mut written = 0;
                    while !done.load(Ordering::Relaxed) {
                        let body = json!({ "_key": format!("w{writer}-{written}") });
                        let path = Sharded::path("");
                        let answer = client.post(&path, &body);
                        assert_eq!(answer.status, 202, "{}", answer.text);
                        written += 1;
                    }
                    written
                })
            })
            .collect();
        let place = &sharded.cluster.dbservers[1].0;
        let mut server = spawn(&sharded.cluster.agents, place, "PRIMARY");
        server.wait_until_ready();
        let in_sync = catch_unwind(AssertUnwindSafe(|| sharded.wait_until_in_sync()));
        done.store(true, Ordering::Relaxed);
        let written: u64 = writers
            .into_iter()
            .map(|writer| writer.join().unwrap())
            .sum();
        in_sync.unwrap();
        sharded.wait_until_in_sync();
        (written, server)
    });
    assert_eq!(sharded.count(0), written.0 + 1);
    sharded.cluster.dbservers[1].1 = Some(written.1);
    sharded.signal(0, Signal::STOP);
    assert_eq!(sharded.fail_over(0), 1);
    assert_eq!(sharded.count(1), written.0 + 1);
    sharded.signal(0, Signal::CONT);
}

#[test]
fn a_leader_that_stood_still_answers_nothing_stale() {
    let sharded = Sharded::start(3, 3, 1);
    assert_eq!(sharded.insert(0, "k", &json!("old")).status, 202);
    sharded.signal(0, Signal::STOP);
    // These wait in its sockets while it stands still.
    std::thread::scope(|scope| {
        let readers: Vec<_> = (0..20)
            .map(|_| scope.spawn(|| sharded.get(0, "k")))
            .collect();
        let writers: Vec<_> = (0..4)
            .map(|number| {
                let key = format!("late{number}");
                let sharded = &sharded;
                scope.spawn(move || (sharded.insert(0, &key, &json!(1)), key))
            })
            .collect();
        sharded.fail_over(0);
        // Those that stand still are not asked.
        let next = sharded.leader();
        wait_for("the next leader", || {
            (sharded.insert(next, "k", &json!("new")).status == 202).then_some(())
        });
        sharded.signal(0, Signal::CONT);
        for reader in readers {
            let answer = reader.join().unwrap();
            assert_eq!(answer.error(), (421, 1491), "{}", answer.text);
        }
        let stuck: Vec<String> = writers
            .into_iter()
            .map(|writer| {
                let (answer, key) = writer.join().unwrap();
                let error = answer.error();
                assert!(
                    [(421, 1491), (500, 1457)].contains(&error),
                    "{}",
                    answer.text
                );
                key
            })
            .collect();
        let check = || {
            assert_eq!(sharded.look("k").json()["v"], "new");
            for key in &stuck {
                assert_eq!(sharded.look(key).status, 404, "{key}");
            }
        };
        check();
        sharded.wait_until_in_sync();
        check();
        // Nor has the third one taken anything from it.
        let third = sharded.ids[3 - next].as_str();
        let old = sharded.planned();
        let from = old[0].as_str().unwrap();
        if from != third {
            let resigned = json!([format!("_{from}"), third, sharded.ids[0]]);
            sharded.replan(&old, &resigned);
            wait_for("the resignation", || {
                (sharded.current()[0] == resigned[0]).then_some(())
            });
            sharded.replan(&resigned, &json!([third, from, sharded.ids[0]]));
        }
        wait_for("the third to lead", || {
            (sharded.current()[0] == third).then_some(())
        });
        check();
    });
}

#[test]
fn a_leader_resigns_and_followers_are_planned_anew() {
    let sharded = Sharded::start(3, 2, 1);
    assert_eq!(sharded.insert(0, "k", &json!(1)).status, 202);
    let ids = &sharded.ids;
    let resigned = format!("_{}", ids[0]);
    let old = json!([ids[0], ids[1]]);
    let new = json!([resigned, ids[1]]);
    sharded.replan(&old, &new);
    wait_for("the resignation", || {
        (sharded.current() == json!([resigned, ids[1]])).then_some(())
    });
    assert_eq!(sharded.get(0, "k").error(), (421, 1491));
    assert_eq!(sharded.insert(0, "k", &json!(2)).error(), (421, 1491));
    let next = json!([ids[1], ids[0]]);
    sharded.replan(&new, &next);
    assert_eq!(sharded.get_when_leading(1, "k").json()["v"], 1);
    sharded.wait_until_in_sync();
    // Another follower, and one less.
    let more = json!([ids[1], ids[0], ids[2]]);
    sharded.replan(&next, &more);
    sharded.wait_until_in_sync();
    assert_eq!(sharded.insert(1, "k", &json!(3)).status, 202);
    let less = json!([ids[1], ids[2]]);
    sharded.replan(&more, &less);
    sharded.wait_for_current(&[1, 2]);
    assert_eq!(sharded.insert(1, "l", &json!(4)).status, 202);
    let files = |index: usize| {
        let journal = sharded.cluster.dbservers[index].0.data();
        std::fs::metadata(journal.join("engine-rocksdb/emulator.journal"))
            .unwrap()
            .len()
    };
    assert!(files(2) > 8);
    // The plan may name first one that is not in sync: it must not lead.
    let wrong = json!([ids[0], ids[1], ids[2]]);
    sharded.replan(&less, &wrong);
    wait_for("the former leader to stop", || {
        (sharded.get(1, "k").status == 421).then_some(())
    });
    assert_eq!(sharded.get(0, "k").error(), (421, 1491));
    assert_eq!(sharded.current()[0], json!(ids[1]));
    sharded.replan(&wrong, &less);
    let answer = sharded.get_when_leading(1, "k");
    assert_eq!(answer.json()["v"], Value::from(3));
}
