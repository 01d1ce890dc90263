//! The table of `docs/consistency.md`: the proof catches each defect that can be planted in the emulator, as what and
//! within how many rounds it says there; without a defect there is no alarm.
//!
//! Every run has another seed, which is in the report. With `ARMADILLO_ROUNDS` (6) so many rounds are played without a
//! defect, a third of them where links are cut, and a sixth of that many runs with each.

#![expect(
    clippy::unwrap_used,
    reason = "clippy knows test functions, not the helpers beside them"
)]

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::sync::Mutex;
use std::time::Duration;

use armadillo::consistency::Kind;
use armadillo_selftest::cargo::{cargo, workspace};
use armadillo_selftest::rounds::rounds;
use armadillo_selftest::{Ran, Suite, wait};

const SUITE: &str = env!("CARGO_BIN_EXE_planted");
const PAGE: &str = include_str!("../../../docs/consistency.md");

/// What the names of the programs with a defect begin with.
const PLANTED: &str = "arangod-emulator-planted-";

/// What violations come to.
const KINDS: [Kind; 5] = [
    Kind::Lost,
    Kind::Stale,
    Kind::RefusedAndSeen,
    Kind::Invented,
    Kind::BeforeItsTime,
];

/// So many suites run at once: they wait most of the time.
const AT_ONCE: usize = 4;

/// A round takes less, on any machine.
const ROUND: Duration = Duration::from_secs(60);

/// A line of the table.
#[derive(Debug)]
struct Row {
    defect: &'static str,
    kinds: Vec<Kind>,
    test: &'static str,
    measured: Measured,
    most: u32,
}

/// After how many rounds it was seen: `4 (6)`.
#[derive(Debug)]
struct Measured {
    median: u32,
    worst: u32,
}

fn table() -> Vec<Row> {
    let (_, table) = PAGE.split_once("| defect |").unwrap();
    let lines = table.lines().skip(2).take_while(|line| !line.is_empty());
    let rows = lines.map(|line| {
        let cells: Vec<&str> = line.trim_matches('|').split('|').map(str::trim).collect();
        let [defect, _wrong, kinds, test, rounds, most] = cells[..] else {
            panic!("{line}");
        };
        Row {
            defect: defect.trim_matches('`'),
            kinds: kinds.split(" or ").map(kind).collect(),
            test: test.trim_matches('`'),
            measured: measured(rounds).unwrap_or_else(|| panic!("{line}")),
            most: most.parse().unwrap(),
        }
    });
    rows.collect()
}

fn measured(cell: &str) -> Option<Measured> {
    let (median, worst) = cell.strip_suffix(')')?.split_once(" (")?;
    Some(Measured {
        median: median.parse().ok()?,
        worst: worst.parse().ok()?,
    })
}

/// The names of all defects that can be planted.
fn defects() -> BTreeSet<String> {
    let manifest = workspace().join("crates/arangod-emulator/Cargo.toml");
    let manifest = std::fs::read_to_string(manifest).unwrap();
    let names = manifest.lines().filter_map(|line| {
        let name = line.strip_prefix("name = \"")?.strip_suffix('"')?;
        Some(String::from(name.strip_prefix(PLANTED)?))
    });
    names.collect()
}

/// Builds only the programs with a defect, so that none of them can be mistaken for the emulator.
fn build() -> BTreeMap<String, PathBuf> {
    let mut command = cargo(SUITE);
    command
        .args(["build", "--locked", "--offline", "--message-format=json"])
        .args(["-p", "arangod-emulator", "--features=planted"]);
    for defect in defects() {
        command.arg(format!("--bin={PLANTED}{defect}"));
    }
    let built = command.output().unwrap();
    let said = String::from_utf8_lossy(&built.stderr);
    assert!(built.status.success(), "{said}");
    let messages = String::from_utf8(built.stdout).unwrap();
    let programs = messages.lines().filter_map(|line| {
        let message: serde_json::Value = serde_json::from_str(line).ok()?;
        let defect = message["target"]["name"].as_str()?.strip_prefix(PLANTED)?;
        let program = message["executable"].as_str()?;
        Some((String::from(defect), PathBuf::from(program)))
    });
    programs.collect()
}

/// The proof, played until it is given or something is caught.
fn prove(test: &str, rounds: u32, arangod: &str) -> Ran {
    let rounds_text = rounds.to_string();
    Suite::new(SUITE)
        .args(["--exact", test, "--arangod", arangod])
        .args(["--rounds", &rounds_text])
        // What takes long on a busy machine is no reason for a round not to count.
        .args(["--timeout-factor", "3"])
        .start()
        .wait_within(wait::LIMIT + ROUND * rounds * 2)
}

fn report(ran: &Ran, test: &str) -> String {
    let bytes = ran.file(&format!("tests/{test}/attachments/consistency.txt"));
    String::from_utf8(bytes).unwrap()
}

/// How many rounds were played, of which the last one caught it, and as what; or why it is not so.
fn caught(row: &Row, ran: &Ran) -> Result<(u32, Vec<Kind>), String> {
    if ran.code != Some(101) {
        return Err(format!("it is not caught\n{}", ran.said()));
    }
    let report = report(ran, row.test);
    let is_seen = |kind: &Kind| report.contains(&format!(": {kind}\n"));
    let seen: Vec<Kind> = KINDS.into_iter().filter(is_seen).collect();
    if seen.is_empty() || seen.iter().any(|kind| !row.kinds.contains(kind)) {
        return Err(format!("it is caught as something else\n{report}"));
    }
    let rounds = report.lines().filter(|line| line.starts_with("round "));
    let rounds = u32::try_from(rounds.count()).unwrap();
    if rounds > row.most {
        return Err(format!("{rounds} rounds are more than {}", row.most));
    }
    Ok((rounds, seen))
}

/// What a violation comes to, in the words of the table: those of a history's lines.
fn kind(word: &str) -> Kind {
    serde_json::from_value(word.into()).unwrap()
}

/// What is allowed is near what was measured: a proof that has become much worse fails.
#[test]
fn the_table_allows_no_more_than_it_must() {
    for row in table() {
        let Measured { median, worst } = row.measured;
        assert!(
            0 < median && median <= worst && worst <= row.most,
            "{row:?}"
        );
        assert!(row.most <= (worst * 5).max(10), "{row:?}");
    }
}

#[test]
fn each_planted_defect_is_caught_as_the_table_says() {
    let table = table();
    let named: BTreeSet<String> = table.iter().map(|row| String::from(row.defect)).collect();
    assert_eq!(named, defects());
    let programs = build();
    let runs = rounds().div_ceil(6).max(1);
    let all: Vec<&Row> = (0..runs).flat_map(|_| &table).collect();
    let next = Mutex::new(all.into_iter());
    let wrong = Mutex::new(Vec::new());
    std::thread::scope(|scope| {
        for _ in 0..AT_ONCE {
            scope.spawn(|| {
                loop {
                    let Some(row) = next.lock().unwrap().next() else {
                        break;
                    };
                    let program = programs[row.defect].to_str().unwrap();
                    let ran = prove(row.test, row.most, program);
                    match caught(row, &ran) {
                        Ok((rounds, kinds)) => {
                            println!("{}: {rounds} rounds, {kinds:?}", row.defect)
                        }
                        Err(why) => wrong.lock().unwrap().push(format!("{}: {why}", row.defect)),
                    }
                }
            });
        }
    });
    let wrong = wrong.into_inner().unwrap();
    assert!(wrong.is_empty(), "{}", wrong.join("\n\n"));
}

fn no_alarm(test: &str, rounds: u32) {
    let ran = prove(test, rounds, "emulator");
    assert_eq!(ran.code, Some(0), "{}", ran.said());
    println!("{}", report(&ran, test));
}

#[test]
fn no_alarm_with_two_copies() {
    no_alarm("two_copies", rounds());
}

#[test]
fn no_alarm_with_three_copies() {
    no_alarm("three_copies", rounds());
}

/// One fault only, and a round of it is two failovers longer than others.
#[test]
fn no_alarm_with_cut_links() {
    no_alarm("cut_links", rounds().div_ceil(3));
}
