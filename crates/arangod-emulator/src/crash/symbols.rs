//! The names of functions: of the executable from its symbol table, of libraries from the loader.

use std::ffi::CStr;
use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;

/// Longer names are cut off.
const LONGEST: usize = 512;

/// A frame: where it is, and the function with the offset in it if it is known.
#[derive(Debug, PartialEq)]
pub(super) struct Frame {
    /// The address, or the offset in the executable.
    pub(super) place: Place,
    pub(super) function: Option<(String, usize)>,
}

/// An address.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Place {
    InExecutable(usize),
    Elsewhere(usize),
}

/// What is at these addresses.
pub(super) fn resolve(addresses: &[usize]) -> Vec<Frame> {
    let base = loaded(resolve as fn(&[usize]) -> Vec<Frame> as usize).map(|found| found.base);
    let mut frames: Vec<Frame> = addresses
        .iter()
        .map(|address| {
            let found = loaded(*address);
            match (base, found) {
                (Some(base), Some(found)) if found.base == base => Frame {
                    place: Place::InExecutable(address - base),
                    function: None,
                },
                (_, found) => Frame {
                    place: Place::Elsewhere(*address),
                    function: found.and_then(|found| found.function),
                },
            }
        })
        .collect();
    // Without a symbol table they stay without names.
    drop(name(&mut frames, base.unwrap_or(0)));
    frames
}

/// What the loader knows about an address.
struct Loaded {
    base: usize,
    function: Option<(String, usize)>,
}

fn loaded(address: usize) -> Option<Loaded> {
    // SAFETY: all-zero is a valid value of this plain C structure. `dladdr` accepts any address, and
    // writes only into the structure.
    let (found, about) = unsafe {
        let mut about: libc::Dl_info = std::mem::zeroed();
        let found = libc::dladdr(address as *const libc::c_void, &raw mut about);
        (found != 0, about)
    };
    if !found {
        return None;
    }
    let function = (!about.dli_sname.is_null()).then(|| {
        // SAFETY: a name that the loader knows ends with a zero, and stays where it is.
        let name = unsafe { CStr::from_ptr(about.dli_sname) };
        let offset = address.wrapping_sub(about.dli_saddr as usize);
        (demangled(&name.to_string_lossy()), offset)
    });
    Some(Loaded {
        base: about.dli_fbase as usize,
        function,
    })
}

fn demangled(name: &str) -> String {
    format!("{:#}", rustc_demangle::demangle(name))
}

/// Numbers of a file in the byte order of this machine.
struct Bytes<'a>(&'a [u8]);

impl Bytes<'_> {
    fn number<const N: usize>(&self, at: usize) -> usize {
        let mut bytes = [0; 8];
        if let Some(found) = self.0.get(at..at + N) {
            bytes[..N].copy_from_slice(found);
        }
        usize::try_from(u64::from_le_bytes(bytes)).unwrap_or(usize::MAX)
    }
}

fn read(file: &File, at: usize, length: usize) -> io::Result<Vec<u8>> {
    let mut bytes = vec![0; length];
    file.read_exact_at(&mut bytes, at as u64)?;
    Ok(bytes)
}

/// Looks up the frames of the executable in the symbol table of a 64-bit little-endian ELF file.
fn name(frames: &mut [Frame], base: usize) -> io::Result<()> {
    const HEADER: usize = 64;
    const SECTION: usize = 64;
    const SYMBOL: usize = 24;
    let file = File::open("/proc/self/exe")?;
    let header = read(&file, 0, HEADER)?;
    if !header.starts_with(b"\x7fELF\x02\x01") {
        return Ok(());
    }
    let header = Bytes(&header);
    // A file that is loaded anywhere counts from its own beginning.
    let anywhere = header.number::<2>(16) == 3;
    let sections = read(
        &file,
        header.number::<8>(40),
        header.number::<2>(60) * SECTION,
    )?;
    let section = |index: usize| Bytes(sections.get(index * SECTION..).unwrap_or(&[]));
    let tables = (0..sections.len() / SECTION).map(section);
    let Some(table) = tables.into_iter().find(|table| table.number::<4>(4) == 2) else {
        return Ok(());
    };
    let names = section(table.number::<4>(40)).number::<8>(24);
    let symbols = read(&file, table.number::<8>(24), table.number::<8>(32))?;
    let mut wanted: Vec<(usize, usize)> = Vec::new();
    for (index, frame) in frames.iter().enumerate() {
        if let Place::InExecutable(offset) = frame.place {
            wanted.push((if anywhere { offset } else { offset + base }, index));
        }
    }
    wanted.sort_unstable();
    for symbol in symbols.chunks_exact(SYMBOL).map(Bytes) {
        let (kind, start, size) = (
            symbol.number::<1>(4) & 15,
            symbol.number::<8>(8),
            symbol.number::<8>(16),
        );
        if kind != 2 || size == 0 {
            continue;
        }
        let first = wanted.partition_point(|(address, _)| *address < start);
        let inside = wanted.iter().skip(first);
        for (address, index) in inside.take_while(|(address, _)| *address < start + size) {
            let text = text(&file, names + symbol.number::<4>(0))?;
            if let Some(frame) = frames.get_mut(*index) {
                frame.function = Some((demangled(&text), address - start));
            }
        }
    }
    Ok(())
}

/// The text at a place of the file, up to its zero.
fn text(file: &File, at: usize) -> io::Result<String> {
    let mut bytes = vec![0; LONGEST];
    let length = file.read_at(&mut bytes, at as u64)?;
    bytes.truncate(length);
    let end = bytes.iter().position(|byte| *byte == 0);
    bytes.truncate(end.unwrap_or(bytes.len()));
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn functions_of_the_executable_and_of_libraries() {
        let own = functions_of_the_executable_and_of_libraries as fn() as usize;
        let frames = resolve(&[own + 1, libc::getpid as *const () as usize, 1]);
        let (name, offset) = frames[0].function.clone().unwrap();
        assert!(
            name.ends_with("functions_of_the_executable_and_of_libraries"),
            "{name}"
        );
        assert_eq!(offset, 1);
        assert!(matches!(frames[0].place, Place::InExecutable(_)));
        let nowhere = Frame {
            place: Place::Elsewhere(1),
            function: None,
        };
        assert_eq!(frames[2], nowhere);
        // A static executable has it inside.
        if let Place::Elsewhere(_) = frames[1].place {
            assert!(frames[1].function.as_ref().unwrap().0.contains("getpid"));
        }
    }
}
