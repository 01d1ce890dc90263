//! Random names and secrets from the operating system.

use std::fs::File;
use std::io::{self, Read};

/// `bytes` random bytes as lower-case hexadecimal digits, two for each.
///
/// # Errors
/// When the operating system's source of random numbers cannot be read.
pub fn hex(bytes: usize) -> io::Result<String> {
    let mut buffer = vec![0; bytes];
    File::open("/dev/urandom")?.read_exact(&mut buffer)?;
    Ok(buffer.iter().map(|byte| format!("{byte:02x}")).collect())
}

#[cfg(test)]
mod tests {
    #[test]
    fn it_has_the_length_asked_for_and_differs() {
        let (one, other) = (super::hex(16).unwrap(), super::hex(16).unwrap());
        assert_eq!(one.len(), 32);
        assert_ne!(one, other);
    }
}
