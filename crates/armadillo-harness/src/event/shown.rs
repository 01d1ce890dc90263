//! What a test shows on the timeline of its run.

use serde::{Deserialize, Serialize};

/// What an attempt of a test showed of itself, for the timeline.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Shown {
    /// The stretches of time, in the order in which they were shown.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub stretches: Vec<Stretch>,
    /// How many more there were.
    #[serde(default, skip_serializing_if = "super::is_zero")]
    pub more: u32,
}

impl Shown {
    /// Whether it showed nothing.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.stretches.is_empty() && self.more == 0
    }
}

/// A stretch of time, in microseconds from the beginning of the attempt.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Stretch {
    /// Which stretches it is shown with.
    pub lane: String,
    /// What happened.
    pub text: String,
    /// When it began.
    pub from_us: u64,
    /// When it ended.
    pub to_us: u64,
    /// What to think of it.
    pub tone: Tone,
}

/// What to think of something that happened.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum Tone {
    /// Nothing in particular.
    #[default]
    Plain,
    /// It went well.
    Good,
    /// Nobody knows, or it is worth a look.
    Doubtful,
    /// It went wrong.
    Bad,
}
