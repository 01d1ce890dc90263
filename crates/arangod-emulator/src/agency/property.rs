//! Operations and preconditions against a second, naive idea of them: a flat map from paths to
//! leaves, in which every node is looked for by its prefix.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::state::{Outcome, State, replay};
use crate::raft::Random;

/// Leaves by path; a node without children is an empty object.
type Flat = BTreeMap<String, Value>;

fn flatten(prefix: &str, value: &Value, into: &mut Flat) {
    match value {
        Value::Object(map) if !map.is_empty() => {
            for (key, value) in map {
                flatten(&format!("{prefix}/{key}"), value, into);
            }
        }
        leaf => drop(into.insert(String::from(prefix), leaf.clone())),
    }
}

fn below(flat: &Flat, path: &str) -> Flat {
    let inner = format!("{path}/");
    flat.iter()
        .filter(|(key, _)| *key == path || key.starts_with(&inner))
        .map(|(key, value)| (key.clone(), value.clone()))
        .collect()
}

fn found(flat: &Flat, path: &str) -> Option<Flat> {
    Some(below(flat, path)).filter(|found| !found.is_empty())
}

fn put(flat: &mut Flat, path: &str, value: Option<&Value>) {
    let present = found(flat, path).is_some();
    for key in below(flat, path).keys() {
        flat.remove(key);
    }
    let parents: Vec<&str> = path.match_indices('/').map(|(at, _)| &path[..at]).collect();
    match value {
        Some(value) => {
            // A leaf, or an empty node, on the way makes room.
            for parent in &parents {
                flat.remove(*parent);
            }
            flatten(path, value, flat);
        }
        None if present => {
            // The parent of the last child is left as an empty node.
            if let Some(parent) = parents.last()
                && below(flat, parent).is_empty()
            {
                flat.insert(String::from(*parent), json!({}));
            }
        }
        None => {}
    }
}

fn of(value: &Value, path: &str) -> Flat {
    let mut flat = Flat::new();
    flatten(path, value, &mut flat);
    flat
}

fn naive(flat: &mut Flat, query: &Value) -> bool {
    let empty = serde_json::Map::new();
    let conditions = query[1].as_object().unwrap_or(&empty);
    for (path, condition) in conditions {
        let there = found(flat, path);
        let list = there.as_ref().and_then(|there| there.get(path)?.as_array());
        let holds = match condition.as_object().and_then(|map| map.iter().next()) {
            None => there == Some(of(condition, path)),
            Some((name, value)) => match name.as_str() {
                "old" => there == Some(of(value, path)),
                "oldNot" => there != Some(of(value, path)),
                "oldEmpty" => there.is_none() == (*value == json!(true)),
                "isArray" => list.is_some() == (*value == json!(true)),
                "in" => list.is_some_and(|list| list.contains(value)),
                "notin" => there.is_none() || list.is_some_and(|list| !list.contains(value)),
                "intersectionEmpty" => {
                    let others = value.as_array().unwrap();
                    let apart = |list: &Vec<Value>| !list.iter().any(|each| others.contains(each));
                    there.is_none() || list.is_some_and(apart)
                }
                _ => false,
            },
        };
        if !holds {
            return false;
        }
    }
    for (path, operation) in query[0].as_object().unwrap() {
        let there = found(flat, path);
        let leaf = there.as_ref().and_then(|there| there.get(path).cloned());
        let mut list = leaf
            .clone()
            .and_then(|leaf| leaf.as_array().cloned())
            .unwrap_or_default();
        let number = leaf.and_then(|leaf| leaf.as_i64()).unwrap_or(0);
        let (new, val) = (operation["new"].clone(), operation["val"].clone());
        match operation["op"].as_str() {
            None => put(flat, path, Some(operation)),
            Some("set") => put(flat, path, Some(&new)),
            Some("delete") => put(flat, path, None),
            Some("increment") => put(flat, path, Some(&json!(number + 1))),
            Some("decrement") => put(flat, path, Some(&json!(number - 1))),
            Some(name) => {
                match name {
                    "push" => list.push(new),
                    "prepend" => list.insert(0, new),
                    "pop" => drop(list.pop()),
                    "shift" => drop((!list.is_empty()).then(|| list.remove(0))),
                    "erase" => list.retain(|each| *each != val),
                    _ => list
                        .iter_mut()
                        .filter(|each| **each == val)
                        .for_each(|each| *each = new.clone()),
                }
                put(flat, path, Some(&Value::Array(list)));
            }
        }
    }
    true
}

fn pick<'a, T>(random: &mut Random, of: &'a [T]) -> &'a T {
    &of[random.below(of.len() as u64) as usize]
}

fn value(random: &mut Random) -> Value {
    let values = [
        json!(1),
        json!(2),
        json!("x"),
        json!([1, 2]),
        json!([]),
        json!({"a": 1}),
        json!({"b": {"c": [2]}}),
        json!(true),
    ];
    pick(random, &values).clone()
}

fn query(random: &mut Random) -> Value {
    const PATHS: &[&str] = &["/a", "/b", "/a/b", "/a/a", "/a/b/c", "/b/c"];
    const OPERATIONS: &[&str] = &[
        "set",
        "delete",
        "increment",
        "decrement",
        "push",
        "pop",
        "prepend",
        "shift",
        "erase",
        "replace",
    ];
    const CONDITIONS: &[&str] = &[
        "old",
        "oldNot",
        "oldEmpty",
        "isArray",
        "in",
        "notin",
        "intersectionEmpty",
        "nonsense",
    ];
    let (mut operations, mut conditions) = (json!({}), json!({}));
    for _ in 0..=random.below(2) {
        let path = pick(random, PATHS);
        operations[*path] = match random.below(4) {
            0 => value(random),
            _ => {
                json!({"op": pick(random, OPERATIONS), "new": value(random), "val": value(random)})
            }
        };
    }
    if random.below(2) == 0 {
        let path = pick(random, PATHS);
        conditions[*path] = match *pick(random, CONDITIONS) {
            "old" if random.below(2) == 0 => json!("x"),
            name @ ("oldEmpty" | "isArray") => json!({ name: random.below(2) == 0 }),
            name @ "intersectionEmpty" => json!({ name: [1, "x"] }),
            name => json!({ name: value(random) }),
        };
    }
    json!([operations, conditions])
}

#[test]
fn as_the_naive_model() {
    for seed in 1..=300 {
        let mut random = Random::new(seed * 7919);
        let mut state = State::new();
        let mut copy = json!({});
        let mut flat = Flat::from([(String::new(), json!({}))]);
        let mut done = 0;
        for index in 1..=60 {
            let query = query(&mut random);
            let outcome = state.apply(index, &json!({ "time": 1, "query": query }));
            let expected = naive(&mut flat, &query);
            assert_eq!(outcome == Outcome::Done, expected, "seed {seed}: {query}");
            done += u32::from(expected);
            assert_eq!(of(state.root(), ""), flat, "seed {seed}: {query}");
            for (_, operations) in state.changes_from(index) {
                replay(&mut copy, operations).unwrap();
            }
            assert_eq!(copy, *state.root());
        }
        assert!(done > 20);
        let thawed = State::thaw(60, state.freeze()).unwrap();
        assert_eq!((thawed.root(), thawed.applied()), (state.root(), 60));
    }
}

#[test]
fn keys_expire_by_the_time_of_the_log() {
    let mut state = State::new();
    let write = |state: &mut State, index, time, operations: Value| {
        state.apply(index, &json!({ "time": time, "query": [operations] }));
    };
    write(
        &mut state,
        1,
        1000,
        json!({"/a/b": {"op": "set", "new": 1, "ttl": 2}}),
    );
    write(
        &mut state,
        2,
        1001,
        json!({"/a/c": {"op": "set", "new": 1, "ttl": 2}}),
    );
    assert_eq!(state.next_expiry(), Some(3000));
    write(&mut state, 3, 2999, json!({"/a/c": 2}));
    assert_eq!(*state.root(), json!({"a": {"b": 1, "c": 2}}));
    let mut thawed = State::thaw(3, state.freeze()).unwrap();
    for state in [&mut state, &mut thawed] {
        state.apply(4, &json!({ "time": 3000 }));
        assert_eq!(*state.root(), json!({"a": {"c": 2}}));
        // A clock that goes back wakes nothing up and lets nothing live longer.
        write(
            state,
            5,
            10,
            json!({"/a": {"op": "set", "new": {}, "ttl": 1}}),
        );
        assert_eq!(state.next_expiry(), Some(4000));
        let last = state.changes_from(4).next().unwrap();
        assert_eq!(*last, (4, json!({"/a/b": {"op": "delete"}})));
    }
}

#[test]
fn clients_ask_what_became_of_it() {
    let mut state = State::new();
    state.apply(1, &json!({ "time": 1, "query": [{"/a": 1}, {}, "first"] }));
    state.apply(
        2,
        &json!({ "time": 1, "query": [{"/a": 2}, {"/a": 7}, "second"] }),
    );
    let thawed = State::thaw(2, state.freeze()).unwrap();
    for state in [&state, &thawed] {
        let results = ["first", "second", "third"].map(|client| state.result_of(client));
        assert_eq!(results, [Some(1), Some(0), None]);
    }
}
