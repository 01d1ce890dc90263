//! Every setting in every place: it holds, it says that it holds in another way, or it is refused by name with the reason.

mod cases;
mod places;

use armadillo::harness::settings::{Effect, Linked, all, effect};

use cases::{CASES, Case};
use places::{Place, Seen};

#[test]
fn every_setting_has_a_case() {
    let settings = all(&Linked::default());
    let names = settings.iter().map(|setting| setting.name);
    let missing: Vec<_> = names
        .filter(|name| CASES.iter().all(|case| case.setting != *name))
        .collect();
    assert!(missing.is_empty(), "no case for {missing:?}");
}

/// A test for each place, so that they run side by side.
macro_rules! places {
    ($($test:ident $name:literal)*) => {$(
        #[test]
        fn $test() {
            check($name);
        }
    )*};
}

places! {
    in_workers "workers"
    in_a_process_each "process"
    in_the_runner "in-process"
    as_trials_of_libtest_mimic "none"
    under_nextest "nextest"
    in_a_debugger "debugger"
    one_test_with_nocapture "one test"
    with_a_main_function_of_ones_own "own main"
}

fn check(place: &str) {
    let all = Place::all();
    let Some(place) = all.iter().find(|known| known.name == place) else {
        // A debugger that is not there: whoever requires it was told.
        return;
    };
    let problems: Vec<String> = CASES
        .iter()
        .filter(|case| place.has_flags() || !case.only_flag)
        .filter_map(|case| problem(place, case))
        .collect();
    assert!(
        problems.is_empty(),
        "{} in {}:\n{}",
        problems.len(),
        place.name,
        problems.join("\n\n")
    );
}

/// What is not as the table says.
fn problem(place: &Place, case: &Case) -> Option<String> {
    let own_main = place.surroundings.own_main;
    let value = match case.setting {
        "isolation" if own_main => "process",
        "isolation" => place.word,
        _ => case.value,
    };
    let mut settings = vec![(case.setting, value)];
    // It has no repetitions.
    let with = case
        .with
        .iter()
        .filter(|(name, _)| !own_main || *name != "repeat");
    settings.extend(with);
    let tests = if place.many { case.many } else { case.tests };
    let seen = place.run(tests, &settings);
    let holds = || (case.holds)(place, &seen);
    // What is not there at all does not hold, either.
    let holds = || std::panic::catch_unwind(std::panic::AssertUnwindSafe(holds)).unwrap_or(false);
    let wrong = match effect(case.setting, &place.surroundings) {
        Effect::Refused { why, instead } => refused(case, &seen, why, instead),
        Effect::Differently(how) if !seen.ran.stderr.contains(how) => {
            Some("it is not said that it holds in another way")
        }
        Effect::Differently(_) | Effect::Holds => (!holds()).then_some("it does not hold"),
    };
    wrong.map(|wrong| {
        format!(
            "{} ({}): {wrong}\n{:?} {}",
            case.setting,
            tests,
            seen.code,
            seen.ran.said()
        )
    })
}

fn refused(case: &Case, seen: &Seen, why: &str, instead: &str) -> Option<&'static str> {
    let stderr = &seen.ran.stderr;
    let names_it = stderr.contains(&format!("--{}", case.setting))
        || stderr.contains(&format!(
            "ARMADILLO_{}",
            case.setting.replace('-', "_").to_uppercase()
        ));
    if seen.code != Some(2) {
        Some("it is not refused")
    } else if !(names_it
        && stderr.contains("has no effect ")
        && stderr.contains(why)
        && stderr.contains(instead))
    {
        Some("the refusal does not say what, why and what to use")
    } else if !seen.ran.runs().is_empty() {
        Some("a run was begun")
    } else {
        None
    }
}
