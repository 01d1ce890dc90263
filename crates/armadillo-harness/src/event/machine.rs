//! What the machine of a run had to bear.

use serde::{Deserialize, Serialize};

/// How busy the machine was, all its processes together, in the time since the sample before.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct MachineSample {
    /// The cores that the run may use.
    pub cores: u32,
    /// The load average of the last minute: how many tasks ran or waited.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub load: Option<f64>,
    /// The memory that could be had without swapping, in MiB.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub available_mib: Option<u64>,
    /// The part of the time, from 0 to 1, in which some task was ready to run and had no core (`/proc/pressure/cpu`).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub waited_for_cpu: Option<f64>,
    /// The part of the time in which some task waited for memory.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub waited_for_memory: Option<f64>,
    /// The part of the time in which some task waited for a disk.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub waited_for_io: Option<f64>,
}
