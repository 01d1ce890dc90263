//! The answer to a batch: an entry for each document, good or bad, while the HTTP status is a success
//! (documentation, "Multiple document operations").

use serde::Deserialize;
use serde::de::{DeserializeOwned, Deserializer, Error as _};
use serde_json::Value;

use super::error_names::error_name;

/// Why one document of a batch was refused.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error, Deserialize)]
#[error("error {number} ({}): {message}", error_name(*.number).unwrap_or("unknown"))]
pub struct Refusal {
    /// ArangoDB's own number of the error, such as 1210.
    #[serde(rename = "errorNum")]
    pub number: u32,
    /// The server's message.
    #[serde(rename = "errorMessage")]
    pub message: String,
}

/// One entry of the answer.
pub(super) struct Entry<T>(pub(super) Result<T, Refusal>);

impl<'de, T: DeserializeOwned> Deserialize<'de> for Entry<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let value = Value::deserialize(deserializer)?;
        let entry = if value["error"] == true {
            serde_json::from_value(value).map(Err)
        } else {
            serde_json::from_value(value).map(Ok)
        };
        entry.map(Self).map_err(D::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::client::document::DocumentMeta;
    use crate::client::tests::recorded;

    #[test]
    fn a_recorded_batch_has_a_refusal_and_a_success() {
        let (_, response) = recorded("batch-with-a-bad-key", 0);
        assert_eq!(response.status, 202);
        let entries: Vec<Entry<DocumentMeta>> = response.json().unwrap();
        let entries: Vec<_> = entries.into_iter().map(|entry| entry.0).collect();
        assert_eq!(
            entries[0].as_ref().unwrap_err().to_string(),
            "error 1221 (ERROR_ARANGO_DOCUMENT_KEY_BAD): illegal document key"
        );
        assert_eq!(entries[1].as_ref().unwrap().key, "abc");
        assert_eq!(entries.len(), 2);
    }
}
