//! Tests that print more, less or other things than they should.

use std::io::Write;
use std::process::Command;

use armadillo_selftest::junk;

#[armadillo::test]
fn panics_after_a_megabyte() {
    let mut stdout = std::io::stdout();
    stdout.write_all(&junk::megabyte()).unwrap();
    stdout.flush().unwrap();
    let child = Command::new("sh")
        .args(["-c", "echo x > /dev/stdout"])
        .status();
    assert!(child.unwrap().success());
    panic!("after a megabyte");
}

#[armadillo::test]
fn prints_binary_junk() {
    let mut stdout = std::io::stdout();
    stdout.write_all(&junk::bytes()).unwrap();
    stdout.flush().unwrap();
    panic!("after junk");
}

#[armadillo::test]
fn prints_without_end() {
    let line = [b'x'; 64 * 1024];
    while std::io::stdout().write_all(&line).is_ok() {}
}

#[armadillo::test]
fn closes_its_stdout() {
    println!("before it is closed");
    std::io::stdout().flush().unwrap();
    // SAFETY: the descriptor belongs to this process, and nothing in this function uses it afterwards.
    drop(unsafe { rustix::stdio::take_stdout() });
}

#[armadillo::test]
fn prints_to_both_streams_in_order() {
    for number in 0..3 {
        println!("stdout {number}");
        eprintln!("stderr {number}");
    }
    panic!("at the end");
}
