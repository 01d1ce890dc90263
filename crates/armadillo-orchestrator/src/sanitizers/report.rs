//! How sanitizers report.

/// How many frames are shown of a finding.
const MOST_FRAMES: usize = 5;

/// Each fault that is reported in a text, with where it was, innermost first.
pub(super) fn read(text: &str) -> Vec<(String, Vec<String>)> {
    let mut found: Vec<(String, Vec<String>)> = Vec::new();
    // Other stacks of the same report follow: where memory was allocated, what another thread did.
    let mut is_first_stack = false;
    for line in text.lines() {
        if let Some((what, place)) = title(line) {
            is_first_stack = true;
            found.push((what, place.into_iter().collect()));
            continue;
        }
        let Some((what, frames)) = found.last_mut() else {
            continue;
        };
        match frame(line) {
            Some((number, frame)) if is_first_stack => {
                if number == 0 {
                    // It says more than the place that the title named.
                    frames.clear();
                }
                if frames.len() < MOST_FRAMES && !is_of_the_sanitizer(&frame) {
                    frames.push(frame);
                }
            }
            None if !frames.is_empty() && !what.starts_with("Undefined") => is_first_stack = false,
            _ => {}
        }
    }
    found
}

/// The fault that a line announces, and its place if the line has it.
fn title(line: &str) -> Option<(String, Option<String>)> {
    if let Some((place, fault)) = line.split_once(": runtime error: ") {
        let what = format!("UndefinedBehaviorSanitizer: {fault}");
        return Some((what, Some(file_name(place).to_owned())));
    }
    let (_, rest) = line
        .split_once("ERROR: ")
        .or_else(|| line.split_once("WARNING: "))?;
    let (sanitizer, fault) = rest.split_once(": ")?;
    if !sanitizer.ends_with("Sanitizer") {
        return None;
    }
    let ends = [" on address", " on unknown address", " (pid", " ("];
    let end = ends.iter().filter_map(|end| fault.find(end)).min();
    let fault = &fault[..end.unwrap_or(fault.len())];
    Some((format!("{sanitizer}: {fault}"), None))
}

/// `    #1 0x55d0 in parse /src/config.c:12:3 (mydb+0x12)` is frame 1, `parse at config.c:12`.
fn frame(line: &str) -> Option<(u32, String)> {
    let rest = line.trim_start().strip_prefix('#')?;
    let (number, rest) = rest.split_once(' ')?;
    let number = number.parse().ok()?;
    let rest = match rest
        .strip_prefix("0x")
        .and_then(|rest| rest.split_once(" in "))
    {
        Some((_, rest)) => rest,
        None => rest,
    };
    // Behind the place there may be where that is in the file: `(mydb+0x12) (BuildId: ..)`.
    let rest = rest.split(" (BuildId").next().unwrap_or(rest);
    let rest = match rest.rsplit_once(" (") {
        Some((before, place)) if place.contains("+0x") => before,
        _ => rest,
    };
    Some((
        number,
        match rest.rsplit_once(' ') {
            Some((name, place)) if place.contains(['/', ':']) => {
                format!("{} at {}", name.trim_end(), file_name(place))
            }
            _ => rest.trim_end().to_owned(),
        },
    ))
}

/// Whether a frame is of the sanitizer's own code, which stands in for the C library's.
fn is_of_the_sanitizer(frame: &str) -> bool {
    [
        "libsanitizer",
        "interceptor",
        "sanitizer_common",
        "asan_malloc",
        "tsan_",
        "asan_",
        "lsan_",
    ]
    .iter()
    .any(|part| frame.contains(part))
}

fn file_name(path: &str) -> &str {
    path.rsplit('/').next().unwrap_or(path)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reports_of_each_kind_are_read() {
        let text = "\
=================================================================
==47==ERROR: AddressSanitizer: heap-buffer-overflow on address 0x602 at pc 0x5 bp 0x7 sp 0x7
READ of size 1 at 0x602 thread T0
    #0 0x55d in read_behind /src/faulty.c:33
    #1 0x55e in commit(std::string const&) /src/faulty.cpp:66:9 (mydb+0x12) (BuildId: 1f)
    #2 0x7f0 in __libc_start_main (/lib/libc.so.6+0x23)

0x602 is located 0 bytes after 8-byte region
allocated by thread T0 here:
    #0 0x7f1 in malloc ../../libsanitizer/asan/asan_malloc_linux.cpp:69
    #1 0x55d in other /src/faulty.c:32

SUMMARY: AddressSanitizer: heap-buffer-overflow /src/faulty.c:33 in read_behind
==================
WARNING: ThreadSanitizer: data race (pid=47)
  Read of size 4 at 0x55 by thread T1:
    #0 increment /src/faulty.c:53 (faulty+0x15)
    #1 <null> <null> (libtsan.so.2+0x3)

  Previous write of size 4 at 0x55 by main thread:
    #0 race /src/faulty.c:60 (faulty+0x16)

/src/faulty.c:41:30: runtime error: signed integer overflow: 1 + 2 cannot be represented
    #0 0x55 in add_too_much /src/faulty.c:41
b.c:1:2: runtime error: shift exponent 40 is too large
==47==ERROR: LeakSanitizer: detected memory leaks

Direct leak of 100 byte(s) in 1 object(s) allocated from:
    #0 0x7f in __interceptor_malloc ../../../../src/libsanitizer/lsan/lsan_interceptors.cpp:75
    #1 0x55 in forget /src/faulty.c:45
";
        let expected = [
            (
                "AddressSanitizer: heap-buffer-overflow",
                vec![
                    "read_behind at faulty.c:33",
                    "commit(std::string const&) at faulty.cpp:66:9",
                    "__libc_start_main",
                ],
            ),
            (
                "ThreadSanitizer: data race",
                vec!["increment at faulty.c:53", "<null> <null>"],
            ),
            (
                "UndefinedBehaviorSanitizer: signed integer overflow: 1 + 2 cannot be represented",
                vec!["add_too_much at faulty.c:41"],
            ),
            (
                "UndefinedBehaviorSanitizer: shift exponent 40 is too large",
                vec!["b.c:1:2"],
            ),
            (
                "LeakSanitizer: detected memory leaks",
                vec!["forget at faulty.c:45"],
            ),
        ];
        let found = read(text);
        let found: Vec<(&str, Vec<&str>)> = found
            .iter()
            .map(|(what, frames)| (what.as_str(), frames.iter().map(String::as_str).collect()))
            .collect();
        assert_eq!(found, expected);
        assert!(read("plain text\n#0 no\n").is_empty());
    }
}
