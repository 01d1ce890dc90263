//! Bodies that a shape allows, for property tests of those who read them.

use proptest::prelude::*;
use proptest::strategy::{BoxedStrategy, Union};
use serde_json::{Map, Value, json};

use crate::shape::{Fields, Shape};

impl Shape {
    /// Bodies of this shape: required keys are there, optional ones may be missing, and every object may have keys that nobody
    /// knows.
    pub fn answers(&self) -> BoxedStrategy<Value> {
        match self {
            Self::Any => unknown(),
            Self::Null => Just(Value::Null).boxed(),
            Self::Bool => any::<bool>().prop_map(Value::from).boxed(),
            Self::Int => any::<u32>().prop_map(Value::from).boxed(),
            Self::Number => {
                let fraction = (0_u32..10_000).prop_map(|number| json!(f64::from(number) / 64.0));
                prop_oneof![any::<u32>().prop_map(Value::from), fraction].boxed()
            }
            Self::Text => "[a-zA-Z0-9:/. _-]{0,12}".prop_map(Value::from).boxed(),
            Self::Exactly(value) => Just(value.clone()).boxed(),
            Self::List(element) => prop::collection::vec(element.answers(), 0..3)
                .prop_map(Value::from)
                .boxed(),
            Self::Map(element) => {
                let key = "[a-zA-Z]{1,4}-[0-9]{1,4}";
                let entries = prop::collection::btree_map(key, element.answers(), 0..4);
                entries
                    .prop_map(|entries| Value::Object(entries.into_iter().collect()))
                    .boxed()
            }
            Self::Object(fields) => fields.answers(),
            Self::OneOf(shapes) => Union::new(shapes.iter().map(Self::answers)).boxed(),
        }
    }
}

impl Fields {
    fn answers(&self) -> BoxedStrategy<Value> {
        let mut object: BoxedStrategy<Map<String, Value>> = Just(Map::new()).boxed();
        for (key, (optional, shape)) in &self.known {
            let value = match optional {
                true => prop::option::of(shape.answers()).boxed(),
                false => shape.answers().prop_map(Some).boxed(),
            };
            let key = key.clone();
            object = (object, value)
                .prop_map(move |(mut object, value)| {
                    if let Some(value) = value {
                        object.insert(key.clone(), value);
                    }
                    object
                })
                .boxed();
        }
        let strangers = prop::collection::btree_map("unknown[A-Z][a-z]{0,3}", unknown(), 0..2);
        (object, strangers)
            .prop_map(|(mut object, strangers)| {
                object.extend(strangers);
                Value::Object(object)
            })
            .boxed()
    }
}

/// Something of which nothing is known.
fn unknown() -> BoxedStrategy<Value> {
    prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i32>().prop_map(Value::from),
        "[a-z]{0,3}".prop_map(Value::from),
        Just(json!({ "a": [1, { "b": null }] })),
    ]
    .boxed()
}
