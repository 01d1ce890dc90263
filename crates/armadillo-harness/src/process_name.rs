//! The name of a process in `ps` and `top`.

/// Names this process; at most 15 bytes are shown. `/proc/self/exe` would otherwise show as `exe`.
pub(crate) fn set(name: &str) {
    let short: String = name.chars().take(15).collect();
    if let Ok(name) = std::ffi::CString::new(short) {
        // Only people read it.
        let _ = rustix::thread::set_name(&name);
    }
}
