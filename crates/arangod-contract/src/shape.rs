//! The shape of a JSON body: its keys and their types.

use std::collections::BTreeMap;
use std::rc::Rc;

use serde_json::Value;

/// What a body, or a part of one, may be.
#[derive(Clone, Debug, PartialEq)]
pub enum Shape {
    /// `any`: nothing is known of it.
    Any,
    /// `null`
    Null,
    /// `bool`
    Bool,
    /// `int`: a number without fraction.
    Int,
    /// `number`
    Number,
    /// `string`
    Text,
    /// A value that is written as it is: `"SINGLE"`, `200`, `true`.
    Exactly(Value),
    /// `[T]`
    List(Rc<Shape>),
    /// `{*:T}`: an object whose keys are names.
    Map(Rc<Shape>),
    /// `{a:T, b?:T}`: an object with these keys.
    Object(Fields),
    /// `T|T`
    OneOf(Vec<Shape>),
}

/// The keys of an object.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Fields {
    /// By name: whether the key may be missing, and what it is.
    pub(crate) known: BTreeMap<String, (bool, Shape)>,
    /// `...`: there are other keys, which no source names.
    pub(crate) open: bool,
}

impl Shape {
    /// What is wrong with a value, each with its path. A key that the shape does not have is wrong, and so is a missing one that
    /// is not optional.
    #[must_use]
    pub fn complaints(&self, value: &Value) -> Vec<String> {
        let mut found = Vec::new();
        self.check("", value, &mut found);
        found
    }

    fn check(&self, path: &str, value: &Value, found: &mut Vec<String>) {
        let fits = match (self, value) {
            (Self::Any, _)
            | (Self::Null, Value::Null)
            | (Self::Bool, Value::Bool(_))
            | (Self::Number, Value::Number(_))
            | (Self::Text, Value::String(_)) => true,
            (Self::Int, Value::Number(number)) => number.is_i64() || number.is_u64(),
            (Self::Exactly(wanted), _) => wanted == value,
            (Self::List(element), Value::Array(list)) => {
                for (index, value) in list.iter().enumerate() {
                    element.check(&format!("{path}[{index}]"), value, found);
                }
                true
            }
            (Self::Map(element), Value::Object(object)) => {
                for (key, value) in object {
                    element.check(&format!("{path}.{key}"), value, found);
                }
                true
            }
            (Self::Object(fields), Value::Object(object)) => {
                for (key, (optional, shape)) in &fields.known {
                    match object.get(key) {
                        Some(value) => shape.check(&format!("{path}.{key}"), value, found),
                        None if *optional => {}
                        None => found.push(format!("{path}.{key} is missing")),
                    }
                }
                for key in object.keys() {
                    if !fields.open && !fields.known.contains_key(key) {
                        found.push(format!("{path}.{key} is not in the contract"));
                    }
                }
                true
            }
            (Self::OneOf(shapes), _) => {
                // The complaints of the alternative that fits best.
                let complaints = shapes.iter().map(|shape| {
                    let mut own = Vec::new();
                    shape.check(path, value, &mut own);
                    own
                });
                if let Some(fewest) = complaints.min_by_key(Vec::len) {
                    found.extend(fewest);
                }
                true
            }
            _ => false,
        };
        if !fits {
            found.push(format!("{path} is {value}, not {}", self.name()));
        }
    }

    /// What it is called in a complaint.
    fn name(&self) -> String {
        match self {
            Self::Any => "any".to_owned(),
            Self::Null => "null".to_owned(),
            Self::Bool => "bool".to_owned(),
            Self::Int => "int".to_owned(),
            Self::Number => "number".to_owned(),
            Self::Text => "string".to_owned(),
            Self::Exactly(value) => value.to_string(),
            Self::List(_) => "a list".to_owned(),
            Self::Map(_) | Self::Object(_) => "an object".to_owned(),
            Self::OneOf(shapes) => {
                let names: Vec<String> = shapes.iter().map(Self::name).collect();
                names.join(" or ")
            }
        }
    }
}
