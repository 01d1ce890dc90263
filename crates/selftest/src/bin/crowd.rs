//! A crowd of tests on one deployment, one of which crashes a server of it; and a crowd of short ones that need none.

use std::time::Duration;

use armadillo::prelude::*;
use armadillo_selftest::meeting;
use tally_system::Tally;

fn main() -> std::process::ExitCode {
    armadillo::main()
}

/// Crashes a server that others may be using, once they had time to come.
#[armadillo::test]
async fn a_culprit(tally: Tally) -> TestResult {
    tokio::time::sleep(Duration::from_millis(30)).await;
    tally.crash("tally-1").await;
    tally.wait_until(healthy().except("tally-1")).await?;
    Ok(())
}

/// Uses a server for a moment, and fails if it is not there.
#[armadillo::test]
async fn uses_it(tally: Tally) -> TestResult {
    let sum = tally.add("tally-1", "sum", 1).await?;
    tokio::time::sleep(Duration::from_millis(10)).await;
    assert!(tally.get("tally-1", "sum").await? >= sum);
    Ok(())
}

/// Does nothing with it.
#[armadillo::test]
fn holds_it(_tally: Tally) {}

/// Keeps its run from ending until it is told to.
#[armadillo::test]
#[ignore]
async fn stays(tally: Tally) -> TestResult {
    meeting::with("stays", "leave").await?;
    tally.get("tally-1", "sum").await?;
    Ok(())
}

/// Prints what would move a terminal's cursor, and what XML cannot carry.
#[armadillo::test]
#[ignore]
fn plays_with_the_terminal() {
    println!("\x1b]0;mine\x07\x1b[2J\x1b[31mred\x1b[0m \x1b[10A10%\r20% \u{fffe}\u{ffff}\u{9b}2J.");
    println!("\x1b[32mgreen and so on");
    panic!("\x1b[1Aafter \x1bc that");
}

/// Short tests, many of which wait in a worker. One of all those that run does what the variable says.
mod short {
    use std::io::Write;
    use std::sync::atomic::{AtomicU32, Ordering};

    use armadillo_selftest::wait::{LIMIT, pause, until};
    use armadillo_selftest::{remains, suite};
    use rustix::process::Signal;

    use super::*;

    /// The number, in its process, of the test that does it.
    const THE_ONE: u32 = 30;

    #[armadillo::test]
    #[ignore]
    fn runs() -> TestResult {
        static NUMBER: AtomicU32 = AtomicU32::new(0);
        let number = NUMBER.fetch_add(1, Ordering::Relaxed) + 1;
        let process = std::process::id();
        println!("{process} {number}");
        let mut begun = std::fs::File::options()
            .create(true)
            .append(true)
            .open(meeting::path("begun")?)?;
        // With one call: others write there, too.
        begun.write_all(format!("{process} {number}\n").as_bytes())?;
        let directory = std::env::current_dir()?;
        assert_ne!(directory, std::path::Path::new("/"));
        match std::env::var("SELFTEST_SHORT") {
            Ok(what) if number == THE_ONE && meeting::is_first(&what)? => deviates(&what),
            _ => Ok(()),
        }
    }

    fn deviates(what: &str) -> TestResult {
        let me = std::process::id();
        match what {
            "aborts" => std::process::abort(),
            "is killed" => suite::send(me, Signal::KILL),
            "fails" => panic!("on purpose"),
            "takes long" => pause(Duration::from_millis(1500)),
            "waits for the others" => {
                let tests: usize = std::env::var("SELFTEST_TESTS")?.parse()?;
                let begun = meeting::path("begun")?;
                let count =
                    || std::fs::read_to_string(&begun).map_or(0, |text| text.lines().count());
                let all = until(LIMIT / 2, || (count() == tests).then_some(()));
                all.ok_or("others have not begun")?;
            }
            "hangs" => pause(LIMIT),
            "moves" => std::env::set_current_dir("/")?,
            "leaves a thread" => _ = std::thread::spawn(|| pause(LIMIT)),
            "stops the runner" => {
                // The daemon is between, and the warden.
                let parents = std::iter::successors(Some(me), |process| remains::parent(*process));
                let runner = parents.clone().nth(3).ok_or("no runner")?;
                suite::send(runner, Signal::STOP);
            }
            "nothing" => {}
            _ => return Err(format!("unknown: {what}").into()),
        }
        Ok(())
    }
}

macro_rules! crowd {
    ($($name:ident)*) => {$(
        #[armadillo::test]
        async fn $name(tally: Tally) -> TestResult {
            uses_it(tally).await
        }
    )*};
}

crowd!(
    b01 b02 b03 b04 b05 b06 b07 b08 b09 b10 b11 b12 b13 b14 b15 b16 b17 b18 b19 b20
    b21 b22 b23 b24 b25 b26 b27 b28 b29 b30 b31 b32 b33 b34 b35 b36 b37
);
