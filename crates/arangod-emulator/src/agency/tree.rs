//! The tree of the agency: JSON objects are nodes, everything else is a leaf.

use serde_json::{Map, Value};

/// The parts of a path. Slashes at the ends and doubled ones mean nothing.
pub(crate) fn split(path: &str) -> Vec<&str> {
    path.split('/').filter(|part| !part.is_empty()).collect()
}

/// The path in one spelling.
pub(crate) fn join(parts: &[&str]) -> String {
    format!("/{}", parts.join("/"))
}

/// What is at a path.
pub(crate) fn get<'a>(root: &'a Value, parts: &[&str]) -> Option<&'a Value> {
    parts
        .iter()
        .try_fold(root, |node, part| node.as_object()?.get(*part))
}

/// The same with a path as text.
pub(crate) fn at<'a>(root: &'a Value, path: &str) -> Option<&'a Value> {
    get(root, &split(path))
}

/// Puts something at a path; leaves on the way become nodes.
pub(crate) fn put(root: &mut Value, parts: &[&str], value: Value) {
    let mut node = root;
    for part in parts {
        if !node.is_object() {
            *node = Value::Object(Map::new());
        }
        let Some(children) = node.as_object_mut() else {
            return;
        };
        node = children.entry(*part).or_insert(Value::Null);
    }
    *node = value;
}

/// Removes what is at a path; the root stays, empty.
pub(crate) fn remove(root: &mut Value, parts: &[&str]) {
    let Some((last, parents)) = parts.split_last() else {
        *root = Value::Object(Map::new());
        return;
    };
    let parent = parents
        .iter()
        .try_fold(root, |node, part| node.as_object_mut()?.get_mut(*part));
    if let Some(children) = parent.and_then(Value::as_object_mut) {
        children.remove(*last);
    }
}

/// The tree with nothing but these paths. A path that is not there adds nothing.
pub(crate) fn cut_out<'a>(root: &Value, paths: impl IntoIterator<Item = &'a str>) -> Value {
    let mut paths: Vec<Vec<&str>> = paths.into_iter().map(split).collect();
    paths.sort();
    let mut result = Value::Object(Map::new());
    let mut whole: Option<&[&str]> = None;
    for path in &paths {
        // What lies below a path that was taken is there already.
        if whole.is_some_and(|whole| path.starts_with(whole)) {
            continue;
        }
        if let Some(found) = get(root, path) {
            put(&mut result, path, found.clone());
            whole = Some(path);
        }
    }
    result
}

/// Equality of JSON where 1 and 1.0 are the same.
pub(crate) fn same(a: &Value, b: &Value) -> bool {
    match (a, b) {
        (Value::Number(x), Value::Number(y)) => x == y || x.as_f64() == y.as_f64(),
        (Value::Array(x), Value::Array(y)) => {
            x.len() == y.len() && x.iter().zip(y).all(|(x, y)| same(x, y))
        }
        (Value::Object(x), Value::Object(y)) => {
            x.len() == y.len()
                && x.iter()
                    .all(|(key, x)| y.get(key).is_some_and(|y| same(x, y)))
        }
        _ => a == b,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn cutting_out() {
        let tree = json!({"a": {"b": 1, "c": {"d": 2}}, "e": {}});
        let cut = |paths: &[&str]| cut_out(&tree, paths.iter().copied());
        assert_eq!(cut(&["/"]), tree);
        assert_eq!(
            cut(&["a//c/d", "/e/"]),
            json!({"a": {"c": {"d": 2}}, "e": {}})
        );
        assert_eq!(cut(&["/a/c", "/a"]), json!({"a": {"b": 1, "c": {"d": 2}}}));
        assert_eq!(cut(&["/a/x", "/y"]), json!({}));
    }

    #[test]
    fn numbers_are_equal_by_value() {
        assert!(same(&json!([1, {"a": 2.0}]), &json!([1.0, {"a": 2}])));
        assert!(!same(&json!([1]), &json!(["1"])));
    }
}
