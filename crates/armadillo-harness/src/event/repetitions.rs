//! How often tests ran that run again and again.

use serde::{Deserialize, Serialize};

/// Counts of repetitions.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Repetitions {
    /// How many passed.
    pub passed: u64,
    /// How many failed.
    pub failed: u64,
    /// Of those that passed: on a retry.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub flaky: u64,
}

#[expect(
    clippy::trivially_copy_pass_by_ref,
    reason = "serde passes a reference"
)]
fn is_zero(count: &u64) -> bool {
    *count == 0
}

impl Repetitions {
    /// How many came to their end.
    #[must_use]
    pub fn all(self) -> u64 {
        self.passed + self.failed
    }

    /// The same with those of another run.
    #[must_use]
    pub fn and(self, other: Self) -> Self {
        Self {
            passed: self.passed + other.passed,
            failed: self.failed + other.failed,
            flaky: self.flaky + other.flaky,
        }
    }
}

/// `998 passed, 2 failed (99.8 % passed)`.
impl std::fmt::Display for Repetitions {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} passed", self.passed)?;
        if self.flaky > 0 {
            write!(f, " ({} on a retry)", self.flaky)?;
        }
        write!(f, ", {} failed", self.failed)?;
        if let Some(tenths) = (1000 * self.passed).checked_div(self.all()) {
            write!(f, " ({}.{} % passed)", tenths / 10, tenths % 10)?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_rate_is_rounded_down() {
        let text = |passed, failed, flaky| {
            Repetitions {
                passed,
                failed,
                flaky,
            }
            .to_string()
        };
        assert_eq!(text(0, 0, 0), "0 passed, 0 failed");
        assert_eq!(text(1999, 1, 0), "1999 passed, 1 failed (99.9 % passed)");
        assert_eq!(
            text(3, 0, 2),
            "3 passed (2 on a retry), 0 failed (100.0 % passed)"
        );
    }
}
