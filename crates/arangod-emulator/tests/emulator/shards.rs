//! Replicated shards: what is acknowledged is on every copy, whoever fails.

use rustix::process::Signal;
use serde_json::{Value, json};

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
        assert_eq!(sharded.get(follower, "k").error(), (421, 1496));
        assert_eq!(
            sharded.insert(follower, "k", &json!(2)).error(),
            (421, 1496)
        );
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
    assert_eq!(client.get("/_api/document/s77/k").error(), (421, 1496));
    sharded.drop_collection();
    wait_for("nobody to lead", || {
        (sharded.get(0, "k").status == 421).then_some(())
    });
}

#[test]
fn what_a_killed_leader_has_acknowledged_is_on_the_next() {
    let mut sharded = Sharded::start(3, 3, 2);
    for number in 0..50 {
        let answer = sharded.insert(0, &format!("k{number}"), &json!(number));
        assert_eq!(answer.status, 202, "{}", answer.text);
    }
    assert_eq!(sharded.client(0).delete(&Sharded::path("k7")).status, 202);
    sharded.kill(0);
    let next = sharded.fail_over(0);
    assert_ne!(next, 0);
    assert_eq!(sharded.get_when_leading(next, "k7").status, 404);
    for number in (0..50).filter(|number| *number != 7) {
        let answer = sharded.get(next, &format!("k{number}"));
        assert_eq!(answer.json()["v"], number);
    }
    // The one that was killed comes back as a follower, with what it has missed.
    assert_eq!(sharded.insert(next, "late", &json!("l")).status, 202);
    assert_eq!(sharded.insert(next, "k1", &json!("new")).status, 202);
    sharded.boot(0);
    sharded.wait_until_in_sync();
    assert_eq!(sharded.current()[0], json!(sharded.ids[next]));
    // And leads when the others are gone.
    let other = 3 - next;
    sharded.kill(other);
    wait_for("one follower less", || {
        let answer = sharded.insert(next, "again", &json!(1));
        let gone = sharded.current().as_array().unwrap().len() == 2;
        assert_eq!(answer.status, 202, "{}", answer.text);
        gone.then_some(())
    });
    sharded.kill(next);
    assert_eq!(sharded.fail_over(next), 0);
    for (key, value) in [
        ("late", json!("l")),
        ("k1", json!("new")),
        ("again", json!(1)),
    ] {
        assert_eq!(sharded.get_when_leading(0, key).json()["v"], value, "{key}");
    }
    assert_eq!(sharded.get(0, "k7").status, 404);
    // Alone it is one copy, and the collection wants two.
    wait_for("the followers to be taken out", || {
        (sharded.current() == json!([sharded.ids[0]])).then_some(())
    });
    assert_eq!(sharded.insert(0, "k", &json!(1)).error(), (403, 1004));
    assert_eq!(sharded.get(0, "late").status, 200);
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
    assert_eq!(sharded.get(1, "k").error(), (421, 1496));
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
        let next = sharded.fail_over(0);
        let answer = wait_for("the next leader", || {
            let answer = sharded.insert(next, "k", &json!("new"));
            (answer.status != 421).then_some(answer)
        });
        assert_eq!(answer.status, 202, "{}", answer.text);
        sharded.signal(0, Signal::CONT);
        for reader in readers {
            let answer = reader.join().unwrap();
            assert_eq!(answer.error(), (421, 1496), "{}", answer.text);
        }
        for writer in writers {
            let (answer, key) = writer.join().unwrap();
            let error = answer.error();
            assert!(
                [(421, 1496), (503, 1457)].contains(&error),
                "{}",
                answer.text
            );
            assert_eq!(sharded.get(next, &key).status, 404);
        }
        sharded.wait_until_in_sync();
        assert_eq!(sharded.get(next, "k").json()["v"], "new");
        assert_eq!(sharded.get(0, "k").error(), (421, 1496));
        // Nor has the third one taken anything from it.
        let third = 3 - next;
        let old = sharded.planned();
        let (from, to) = (&sharded.ids[next], &sharded.ids[third]);
        let resigned = json!([format!("_{from}"), to, sharded.ids[0]]);
        sharded.replan(&old, &resigned);
        wait_for("the resignation", || {
            (sharded.current()[0] == resigned[0]).then_some(())
        });
        let new = json!([to, from, sharded.ids[0]]);
        sharded.replan(&resigned, &new);
        let answer = sharded.get_when_leading(third, "k");
        assert_eq!(answer.json()["v"], "new");
        assert_eq!(sharded.count(third), 1);
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
    assert_eq!(sharded.get(0, "k").error(), (421, 1496));
    assert_eq!(sharded.insert(0, "k", &json!(2)).error(), (421, 1496));
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
    assert_eq!(sharded.get(0, "k").error(), (421, 1496));
    assert_eq!(sharded.current()[0], json!(ids[1]));
    sharded.replan(&wrong, &less);
    let answer = sharded.get_when_leading(1, "k");
    assert_eq!(answer.json()["v"], Value::from(3));
}
