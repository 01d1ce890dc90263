//! What settings do wherever tests can run: the table is complete, and a run is refused or told by it.

use std::collections::BTreeSet;

use super::Scene;
use crate::options::Isolation;
use crate::settings::effect::{check, settings_of_the_table};
use crate::settings::{Linked, Surroundings, all};

fn surroundings(isolation: Isolation) -> Surroundings {
    Surroundings {
        isolation,
        own_main: false,
        nextest: false,
        debugger: false,
    }
}

#[test]
fn every_setting_has_one_row() {
    let rows = settings_of_the_table();
    let settings: Vec<&str> = all(&Linked::default())
        .iter()
        .map(|setting| setting.name)
        .collect();
    let once: BTreeSet<&str> = rows.iter().copied().collect();
    assert_eq!(once.len(), rows.len(), "two rows of one setting");
    let missing: Vec<&&str> = settings
        .iter()
        .filter(|name| !once.contains(*name))
        .collect();
    assert!(
        missing.is_empty(),
        "no row for {missing:?}: what does it do in each isolation?"
    );
    let strange: Vec<&&str> = rows
        .iter()
        .filter(|name| !settings.contains(*name))
        .collect();
    assert!(strange.is_empty(), "rows of no setting: {strange:?}");
}

#[test]
fn who_said_it_is_said_with_the_reason_and_what_to_use() {
    let none = surroundings(Isolation::None);
    let scene = Scene::with_file("report-time = true\n");
    let said = |args: &[&str], variables: &[(&str, &str)]| {
        let options = scene.options(args, variables);
        check(&options.said, &none).map_err(|error| error.to_string())
    };
    let told = said(&["--report-time=true"], &[]).unwrap_err();
    let expected = "--report-time: has no effect under `--isolation none`: libtest-mimic prints the line of each test, \
                    without times\nhelp: use `--durations 0`, or `--isolation in-process`";
    assert_eq!(told, expected);
    let by_variable = said(&[], &[("ARMADILLO_REPORT_TIME", "true")]).unwrap_err();
    assert!(
        by_variable.starts_with("ARMADILLO_REPORT_TIME: has no effect"),
        "{by_variable}"
    );
    let by_file = said(&[], &[]).unwrap_err();
    assert!(
        by_file.contains("armadillo.toml:1: report-time: has no effect"),
        "{by_file}"
    );
    // The default asks for nothing.
    assert_eq!(said(&["--report-time=false"], &[]), Ok(vec![]));
    let notes = said(&["--report-time=false", "--retries", "2"], &[]).unwrap();
    assert_eq!(notes.len(), 1);
    assert!(
        notes[0].starts_with("--retries when tests run in the process of the runner: "),
        "{notes:?}"
    );
}

#[test]
fn what_surrounds_a_run_counts_beside_its_isolation() {
    let scene = Scene::with_file("");
    let options = scene.options(&["--timeout", "2s", "--parallel", "3"], &[]);
    let notes =
        |surroundings: &Surroundings| check(&options.said, surroundings).unwrap().join("\n");
    let workers = surroundings(Isolation::Workers);
    assert_eq!(notes(&workers), "");
    let debugger = Surroundings {
        debugger: true,
        ..workers
    };
    assert!(notes(&debugger).contains("--timeout under a debugger: "));
    let nextest = Surroundings {
        nextest: true,
        ..workers
    };
    assert!(
        notes(&nextest).contains("-n/--parallel under nextest: "),
        "{}",
        notes(&nextest)
    );
}
