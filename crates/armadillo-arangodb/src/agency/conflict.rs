//! What one transaction cannot say: its keys are those of a JSON object, so each is in it once.

use serde_json::Value;

/// Two things that a transaction says of one key, of which the agency would take one.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum Conflict {
    /// Two operations on a key.
    #[error(
        "two operations on {key} in one transaction, {first} and {second}: the agency accepts only one"
    )]
    Operations {
        /// The key.
        key: String,
        /// The operation that was there.
        first: Value,
        /// The one that was added.
        second: Value,
    },
    /// Two preconditions of the same kind on a key, which are not equal.
    #[error(
        "two preconditions \"{kind}\" on {key} in one transaction, {first} and {second}: the agency accepts only one"
    )]
    Preconditions {
        /// The key.
        key: String,
        /// The kind, as the agency calls it: `Empty` and `Present` are both `oldEmpty`.
        kind: &'static str,
        /// The precondition that was there.
        first: Value,
        /// The one that was added.
        second: Value,
    },
}
