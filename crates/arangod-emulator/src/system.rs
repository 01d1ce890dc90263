//! Small questions to the operating system.

use std::io::Read;
use std::time::{SystemTime, UNIX_EPOCH};

/// The name of this host, `localhost` if it has none.
pub(crate) fn host_name() -> String {
    rustix::system::uname()
        .nodename()
        .to_str()
        .ok()
        .filter(|name| !name.is_empty())
        .map_or_else(|| String::from("localhost"), String::from)
}

/// Name and release of the operating system.
pub(crate) fn operating_system() -> String {
    let uname = rustix::system::uname();
    format!(
        "{} version {} {} {}",
        uname.sysname().to_string_lossy(),
        uname.release().to_string_lossy(),
        uname.version().to_string_lossy(),
        uname.machine().to_string_lossy(),
    )
}

/// Bytes nobody can guess.
pub(crate) fn random<const N: usize>() -> std::io::Result<[u8; N]> {
    let mut bytes = [0; N];
    std::fs::File::open("/dev/urandom")?.read_exact(&mut bytes)?;
    Ok(bytes)
}

/// A fresh random UUID (version 4).
pub(crate) fn uuid() -> std::io::Result<String> {
    let mut bytes = random::<16>()?;
    bytes[6] = (bytes[6] & 0x0f) | 0x40;
    bytes[8] = (bytes[8] & 0x3f) | 0x80;
    let hex = hex(&bytes);
    Ok(format!(
        "{}-{}-{}-{}-{}",
        &hex[..8],
        &hex[8..12],
        &hex[12..16],
        &hex[16..20],
        &hex[20..]
    ))
}

/// The bytes as lower-case hexadecimal digits.
pub(crate) fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Microseconds since 1970.
pub(crate) fn micros() -> u64 {
    SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .map_or(0, |past| {
            u64::try_from(past.as_micros()).unwrap_or(u64::MAX)
        })
}

/// The time as the agency writes it: `2025-01-01T10:00:00.123Z`.
pub(crate) fn timestamp() -> String {
    timestamp_in(0)
}

/// The time in so many seconds.
pub(crate) fn timestamp_in(seconds: u64) -> String {
    let now = micros();
    let date = crate::logging::date((now / 1_000_000).saturating_add(seconds));
    format!("{date}.{:03}Z", now / 1000 % 1000)
}

/// How many bytes the files of a directory have, and of all directories in it.
pub(crate) fn disk_usage(directory: &std::path::Path) -> u64 {
    let entries = std::fs::read_dir(directory).into_iter().flatten().flatten();
    entries
        .map(|entry| match entry.metadata() {
            Ok(about) if about.is_dir() => disk_usage(&entry.path()),
            Ok(about) => about.len(),
            // It was there a moment ago.
            Err(_) => 0,
        })
        .sum()
}

/// What the process uses, as far as `/proc` tells.
#[derive(Debug, Default, Clone, Copy)]
pub(crate) struct Usage {
    /// Minor page faults.
    pub(crate) minor_faults: u64,
    /// Major page faults.
    pub(crate) major_faults: u64,
    /// Seconds in user mode.
    pub(crate) user_seconds: f64,
    /// Seconds in the kernel.
    pub(crate) system_seconds: f64,
    /// Threads.
    pub(crate) threads: u64,
    /// Virtual memory in bytes.
    pub(crate) virtual_bytes: u64,
    /// Resident memory in bytes.
    pub(crate) resident_bytes: u64,
}

/// Reads `/proc/self/stat`; nothing on systems without it.
pub(crate) fn usage() -> Option<Usage> {
    let text = std::fs::read_to_string("/proc/self/stat").ok()?;
    let fields: Vec<u64> = text
        .rsplit_once(')')?
        .1
        .split_whitespace()
        .skip(1)
        .map(|field| field.parse().unwrap_or(0))
        .collect();
    let ticks = rustix::param::clock_ticks_per_second().max(1) as f64;
    let field = |number: usize| fields.get(number - 4).copied().unwrap_or(0);
    Some(Usage {
        minor_faults: field(10),
        major_faults: field(12),
        user_seconds: field(14) as f64 / ticks,
        system_seconds: field(15) as f64 / ticks,
        threads: field(20),
        virtual_bytes: field(23),
        resident_bytes: field(24) * rustix::param::page_size() as u64,
    })
}

/// Physical memory: what the environment says, else what `/proc` says.
pub(crate) fn physical_memory() -> u64 {
    std::env::var("ARANGODB_OVERRIDE_DETECTED_TOTAL_MEMORY")
        .ok()
        .and_then(|text| text.trim().parse().ok())
        .or_else(|| {
            let text = std::fs::read_to_string("/proc/meminfo").ok()?;
            let line = text.lines().find(|line| line.starts_with("MemTotal:"))?;
            let kilobytes: u64 = line.split_whitespace().nth(1)?.parse().ok()?;
            Some(kilobytes * 1024)
        })
        .unwrap_or(0)
}

/// Cores: what the environment says, else what the system says.
pub(crate) fn cores() -> usize {
    std::env::var("ARANGODB_OVERRIDE_DETECTED_NUMBER_OF_CORES")
        .ok()
        .and_then(|text| text.trim().parse().ok())
        .or_else(|| std::thread::available_parallelism().ok().map(usize::from))
        .unwrap_or(1)
}
