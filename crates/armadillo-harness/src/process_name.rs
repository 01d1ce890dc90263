//! The name of a process in `ps` and `top`.

/// Names this process; at most 15 bytes are shown. `/proc/self/exe` would otherwise show as `exe`.
pub(crate) fn set(name: &str) {
    // Only people read it, and only Linux has it. The kernel cuts the name.
    let _ = std::fs::write("/proc/self/comm", name);
}
