//! What a transaction does to a key (`Node.cpp` of arangodb/arangodb, `applyOp`).

use serde_json::{Map, Value, json};

use super::tree;

/// Why a transaction cannot be carried out.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Refusal {
    /// It has not the form of a transaction.
    #[error("{0}")]
    Malformed(String),
    /// arangod could do it.
    #[error("the emulator does not implement {0}")]
    NotImplemented(String),
    /// arangod cannot do it either: it fails as if a precondition had failed.
    #[error("{0}")]
    Failing(String),
}

/// A change of one key.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Operation {
    /// Replaces what is there, for so many seconds.
    Set(Value, Option<f64>),
    /// Removes it.
    Delete,
    /// Adds to a number; what is no number counts as 0.
    Add(Value, bool),
    /// Adds at the end of an array; what is no array counts as an empty one, here and below.
    Push(Value),
    /// Removes the last element.
    Pop,
    /// Adds in front of an array.
    Prepend(Value),
    /// Removes the first element.
    Shift,
    /// Removes the elements that equal it.
    Erase(Value),
    /// Removes the element at a place.
    EraseAt(u64),
    /// Replaces the elements that equal the first by the second.
    Replace(Value, Value),
}

impl Operation {
    /// Reads an operation; a value that is not an object with `op` is to be set.
    pub(crate) fn parse(value: &Value) -> Result<Self, Refusal> {
        let Some(name) = value.get("op") else {
            return Ok(Self::Set(value.clone(), None));
        };
        let name = name
            .as_str()
            .ok_or_else(|| Refusal::Failing(String::from("op is no string")))?;
        let need = |key: &str| {
            let missing = || Refusal::Failing(format!("operation '{name}' needs '{key}'"));
            value.get(key).cloned().ok_or_else(missing)
        };
        let step = || value.get("step").cloned().unwrap_or(json!(1));
        Ok(match name {
            "set" => Self::Set(need("new")?, value.get("ttl").and_then(Value::as_f64)),
            "delete" => Self::Delete,
            "increment" => Self::Add(step(), true),
            "decrement" => Self::Add(step(), false),
            "push" => Self::Push(need("new")?),
            "pop" => Self::Pop,
            "prepend" => Self::Prepend(need("new")?),
            "shift" => Self::Shift,
            "erase" => match value.get("pos").and_then(Value::as_u64) {
                Some(place) => Self::EraseAt(place),
                None => Self::Erase(need("val")?),
            },
            "replace" => Self::Replace(need("val")?, need("new")?),
            "observe" | "unobserve" | "read-lock" | "read-unlock" | "write-lock"
            | "write-unlock" | "push-queue" => {
                return Err(Refusal::NotImplemented(format!("the operation '{name}'")));
            }
            other => return Err(Refusal::Failing(format!("unknown operation '{other}'"))),
        })
    }

    /// What is there afterwards; nothing if it is removed.
    pub(crate) fn result(&self, before: Option<&Value>) -> Option<Value> {
        let list = || {
            before
                .and_then(Value::as_array)
                .cloned()
                .unwrap_or_default()
        };
        let changed = |change: &dyn Fn(&mut Vec<Value>)| {
            let mut list = list();
            change(&mut list);
            Some(Value::Array(list))
        };
        match self {
            Self::Set(value, _) => Some(value.clone()),
            Self::Delete => None,
            Self::Add(step, up) => Some(add(before, step, *up)),
            Self::Push(value) => changed(&|list| list.push(value.clone())),
            Self::Pop => changed(&|list| drop(list.pop())),
            Self::Prepend(value) => changed(&|list| list.insert(0, value.clone())),
            Self::Shift => changed(&|list| {
                if !list.is_empty() {
                    list.remove(0);
                }
            }),
            Self::Erase(value) => changed(&|list| list.retain(|each| !tree::same(each, value))),
            Self::EraseAt(place) => changed(&|list| {
                if let Ok(place) = usize::try_from(*place)
                    && place < list.len()
                {
                    list.remove(place);
                }
            }),
            Self::Replace(old, new) => changed(&|list| {
                for each in list.iter_mut().filter(|each| tree::same(each, old)) {
                    *each = new.clone();
                }
            }),
        }
    }
}

fn add(before: Option<&Value>, step: &Value, up: bool) -> Value {
    let zero = json!(0);
    let before = before.filter(|value| value.is_number()).unwrap_or(&zero);
    let exact = before.as_i64().zip(step.as_i64()).and_then(|(a, b)| {
        if up {
            a.checked_add(b)
        } else {
            a.checked_sub(b)
        }
    });
    match exact {
        Some(sum) => json!(sum),
        None => {
            let (a, b) = (before.as_f64().unwrap_or(0.0), step.as_f64().unwrap_or(1.0));
            json!(if up { a + b } else { a - b })
        }
    }
}

/// What must be true of a key (`Store.cpp` of arangodb/arangodb, `check`).
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Condition {
    /// It is there and equals this.
    Old(Value),
    /// It does not equal this.
    OldNot(Value),
    /// It is not there; or it is.
    OldEmpty(bool),
    /// It is an array; or not.
    IsArray(bool),
    /// It is an array with this element.
    In(Value),
    /// It is not there, or an array without this element.
    NotIn(Value),
    /// It is not there, or an array without any of these elements.
    Disjoint(Vec<Value>),
}

impl Condition {
    /// Reads the conditions on one key; a value that is no object is to be equalled.
    pub(crate) fn parse(value: &Value) -> Result<Vec<Self>, Refusal> {
        let Value::Object(map) = value else {
            return Ok(vec![Self::Old(value.clone())]);
        };
        map.iter()
            .map(|(name, value)| Self::parse_one(name, value))
            .collect()
    }

    fn parse_one(name: &str, value: &Value) -> Result<Self, Refusal> {
        let wrong = || Refusal::Failing(format!("precondition '{name}' of the wrong type"));
        let flag = || value.as_bool().ok_or_else(wrong);
        Ok(match name {
            "old" => Self::Old(value.clone()),
            "oldNot" => Self::OldNot(value.clone()),
            "oldEmpty" => Self::OldEmpty(flag()?),
            "isArray" => Self::IsArray(flag()?),
            "in" => Self::In(value.clone()),
            "notin" => Self::NotIn(value.clone()),
            "intersectionEmpty" => Self::Disjoint(value.as_array().cloned().ok_or_else(wrong)?),
            "is-write-locked" | "is-read-locked" | "can-read-lock" | "can-write-lock" => {
                return Err(Refusal::NotImplemented(format!(
                    "the precondition '{name}'"
                )));
            }
            other => return Err(Refusal::Failing(format!("unknown precondition '{other}'"))),
        })
    }

    /// Whether it holds of what is there.
    pub(crate) fn holds(&self, found: Option<&Value>) -> bool {
        let has = |value: &Value| {
            let list = found.and_then(Value::as_array);
            list.map(|list| list.iter().any(|each| tree::same(each, value)))
        };
        match self {
            Self::Old(value) => found.is_some_and(|found| tree::same(found, value)),
            Self::OldNot(value) => !found.is_some_and(|found| tree::same(found, value)),
            Self::OldEmpty(empty) => found.is_none() == *empty,
            Self::IsArray(array) => found.is_some_and(Value::is_array) == *array,
            Self::In(value) => has(value) == Some(true),
            Self::NotIn(value) => found.is_none() || has(value) == Some(false),
            Self::Disjoint(values) => {
                found.is_none()
                    || values.iter().all(|value| has(value) == Some(false))
                        && found.is_some_and(Value::is_array)
            }
        }
    }
}

/// One transaction: what it does if everything it supposes is true.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Transaction {
    /// Keys with what is done to them.
    pub(crate) operations: Vec<(String, Operation)>,
    /// Keys with what must be true of them.
    pub(crate) conditions: Vec<(String, Vec<Condition>)>,
    /// By which the client can ask what became of it.
    pub(crate) client: Option<String>,
}

impl Transaction {
    /// Reads `[{operations}, {preconditions}?, "client"?]`.
    pub(crate) fn parse(value: &Value) -> Result<Self, Refusal> {
        let malformed = |text: &str| Refusal::Malformed(String::from(text));
        let parts = value
            .as_array()
            .ok_or_else(|| malformed("Expecting array of arrays as body for writes"))?;
        let object = |place: usize| match parts.get(place) {
            None | Some(Value::Null) => Ok(Map::new()),
            Some(Value::Object(map)) => Ok(map.clone()),
            Some(_) => Err(malformed("Expecting objects in a transaction")),
        };
        if parts.is_empty() || parts.len() > 3 {
            return Err(malformed(
                "Expecting one to three elements in a transaction",
            ));
        }
        let client = match parts.get(2) {
            None | Some(Value::Null) => None,
            Some(Value::String(text)) => Some(text.clone()).filter(|text| !text.is_empty()),
            Some(_) => return Err(malformed("Expecting a string as the client's id")),
        };
        let operations = object(0)?
            .iter()
            .map(|(key, value)| Ok((key.clone(), Operation::parse(value)?)))
            .collect::<Result<_, _>>()?;
        let conditions = object(1)?
            .iter()
            .map(|(key, value)| Ok((key.clone(), Condition::parse(value)?)))
            .collect::<Result<_, _>>()?;
        Ok(Self {
            operations,
            conditions,
            client,
        })
    }

    /// The keys whose conditions do not hold.
    pub(crate) fn failing(&self, root: &Value) -> Vec<&str> {
        self.conditions
            .iter()
            .filter(|(key, conditions)| {
                let found = tree::at(root, key);
                conditions.iter().any(|condition| !condition.holds(found))
            })
            .map(|(key, _)| key.as_str())
            .collect()
    }
}
