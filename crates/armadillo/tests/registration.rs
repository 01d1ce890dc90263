//! What `#[armadillo::test]` registers, and that it runs.

use std::time::Duration;

use armadillo::deployment::Condition;
use armadillo::harness::fixture::{Hooks, ProcessFixtures, execute};
use armadillo::harness::flags::FlagValues;
use armadillo::harness::inventory;
use armadillo::harness::outcome::Outcome;
use armadillo::harness::protocol::worker::{Assignment, End, Phase, PhaseLimits};
use armadillo::harness::test_def::{ShouldPanic, TestDef};
use armadillo::orchestrator::Fut;
use armadillo::prelude::*;

mod suite {
    use armadillo::consistency::{Act, Leadership, Proof, Servers, Subject, Wrote};
    use armadillo::deployment::ServerKey;
    use armadillo::prelude::*;

    #[armadillo::test]
    fn plain() {}

    #[armadillo::test(
        ignore = "not today",
        retries = 2,
        markers(slow, rta_suite("auth", "tls")),
        isolated,
        timeout = "3m"
    )]
    #[should_panic(expected = "text")]
    async fn with_everything() {
        panic!("some text");
    }

    /// Counts its instances, by way of a file in the test's directory.
    pub(crate) struct Counted(u32);

    #[armadillo::fixture(teardown = discount)]
    async fn counted(cx: &TestContext) -> TestResult<Counted> {
        let file = cx.temporary_directory().join("count");
        let before = std::fs::read(&file).unwrap_or_default();
        std::fs::write(file, vec![b'x'; before.len() + 1])?;
        Ok(Counted(u32::try_from(before.len())? + 1))
    }

    async fn discount(counted: &Counted) -> Result<(), String> {
        match counted.0 {
            1 => Ok(()),
            more => Err(format!("made {more} times")),
        }
    }

    #[armadillo::test(cases(one(1, "one"), two(1 + 1, "two")))]
    fn cases(#[case] number: usize, counted: &Counted, cx: TestContext, #[case] name: &str) {
        assert_eq!((counted.0, cx.name()), (1, "suite::cases::one"));
        assert_eq!(["", "one", "two"][number], name);
    }

    trait Named: Send + Sync {
        fn name(&self) -> String;
    }

    impl Named for TestContext {
        fn name(&self) -> String {
            TestContext::name(self).to_owned()
        }
    }

    impl Named for Counted {
        fn name(&self) -> String {
            "counted".into()
        }
    }

    #[armadillo::test(types(context = TestContext, counted = Counted), cases(long(20), short(7)))]
    async fn generic<T: Named>(named: &T, #[case] length: usize) -> Result<(), String> {
        match named.name().len() {
            found if found == length => Ok(()),
            found => Err(format!("{found} letters")),
        }
    }

    #[derive(Debug, thiserror::Error)]
    #[error("outer")]
    struct Outer(#[source] std::fmt::Error);

    #[armadillo::test]
    async fn fails() -> Result<(), Outer> {
        Err(Outer(std::fmt::Error))
    }

    /// Nothing is asked of it in no rounds.
    #[derive(Clone)]
    struct Nothing;

    impl Subject for Nothing {
        async fn write(&self, _client: usize, _key: &str, _body: &str) -> Wrote {
            Wrote::Acknowledged
        }

        async fn read(&self, _client: usize, _key: &str) -> Result<Option<String>, String> {
            Ok(None)
        }

        async fn leadership(&self, _key: &str) -> Result<Leadership, String> {
            Err("nobody leads".to_owned())
        }

        async fn not_in_sync(&self, _except: &[ServerKey]) -> Vec<String> {
            Vec::new()
        }
    }

    impl Servers for Nothing {
        async fn act(&self, _server: &ServerKey, _act: Act) -> Result<(), TestError> {
            Ok(())
        }

        async fn wait_healthy(
            &self,
            _limit: std::time::Duration,
        ) -> Result<Vec<String>, TestError> {
            Ok(Vec::new())
        }
    }

    #[armadillo::test]
    async fn proves(cx: &TestContext) -> TestResult {
        assert_ne!(cx.seed(), cx.run_seed());
        let proof = Proof::of_test(cx).rounds(0);
        let report = proof.run(&Nothing, &Nothing).await?;
        Err(report.to_string().into())
    }

    #[armadillo::test]
    async fn skips() -> TestResult {
        skip!("no {}", "luck")
    }
}

fn registered(name: &str) -> &'static TestDef {
    let mut found = inventory::iter::<TestDef>
        .into_iter()
        .filter(|def| def.name() == name);
    let def = found.next().unwrap_or_else(|| panic!("no test {name}"));
    assert!(found.next().is_none(), "two tests are named {name}");
    def
}

struct NoHooks;

impl Hooks for NoHooks {
    fn phase(&self, _: Phase) {}

    fn cancelled(&self) -> Fut<'_, ()> {
        Box::pin(std::future::pending())
    }
}

fn run(name: &str) -> End {
    let def = registered(name);
    let directory = tempfile::tempdir();
    let directory = directory.unwrap_or_else(|error| panic!("{error}"));
    let assignment = Assignment {
        sequence: 1,
        test: def.name(),
        attempt: 1,
        seed: 3,
        run_seed: 4711,
        rounds: None,
        temporary_directory: directory.path().to_owned(),
        attachments: directory.path().join("attachments"),
        limits: true,
        phase_limits: PhaseLimits::default(),
        keep_if_failed: false,
        timeout_factor: 1.0,
        leases: Vec::new(),
        flags: FlagValues::new(),
    };
    execute(def, &assignment, &ProcessFixtures::default(), &NoHooks).end
}

fn failure(name: &str) -> String {
    match run(name) {
        End::Returned(Outcome::Failed(failure)) => failure.message,
        End::Panicked(panic) => panic.to_string(),
        other => panic!("{other:?}"),
    }
}

const PASSED: End = End::Returned(Outcome::Passed);

#[test]
fn a_plain_test_has_no_options() {
    let plain = registered("suite::plain");
    assert_eq!(plain.id(), "armadillo-test::registration$suite::plain");
    assert!(plain.file.ends_with("tests/registration.rs"));
    let text = include_str!("registration.rs");
    let line = usize::try_from(plain.line).unwrap();
    assert_eq!(text.lines().nth(line - 1).unwrap().trim(), "fn plain() {}");
    assert!(plain.needs.is_empty() && plain.markers.is_empty());
    assert_eq!((plain.timeout, plain.retries), (None, None));
    assert_eq!((plain.isolated, plain.ignore), (false, None));
    assert_eq!(plain.should_panic, ShouldPanic::No);
    assert_eq!(run("suite::plain"), PASSED);
}

/// The seed of the report is the run's, which `--seed` takes, not the one made from it for this test.
#[test]
fn the_proof_of_a_test_tells_the_seed_that_replays() {
    let report = failure("suite::proves");
    assert!(report.contains("; seed 4711"), "{report}");
}

#[test]
fn options_arrive_whatever_their_order() {
    let def = registered("suite::with_everything");
    let markers: Vec<String> = def.markers.iter().map(ToString::to_string).collect();
    assert_eq!(markers, ["slow", "rta_suite(\"auth\", \"tls\")"]);
    assert_eq!(def.timeout, Some(Duration::from_secs(180)));
    assert_eq!((def.retries, def.isolated), (Some(2), true));
    assert_eq!(def.ignore, Some("not today"));
    assert_eq!(def.should_panic, ShouldPanic::With("text"));
    assert!(failure("suite::with_everything").contains("text"));
}

#[test]
fn each_case_is_a_test_and_gets_its_values_in_the_place_of_its_arguments() {
    assert_eq!(run("suite::cases::one"), PASSED);
    let two = failure("suite::cases::two");
    assert!(two.contains("suite::cases::two"), "{two}");
}

#[test]
fn a_generic_test_is_a_test_for_each_type_and_case() {
    let passed = |name| run(name) == PASSED;
    assert!(passed("suite::generic::counted::short"));
    assert_eq!(failure("suite::generic::counted::long"), "7 letters");
    assert_eq!(failure("suite::generic::context::long"), "29 letters");
    assert!(!passed("suite::generic::context::short"));
}

#[test]
fn errors_and_skips_arrive() {
    let cause = std::fmt::Error;
    assert_eq!(
        failure("suite::fails"),
        format!("outer\n  caused by: {cause}")
    );
    let skipped = Outcome::Skipped("no luck".to_owned());
    assert_eq!(run("suite::skips"), End::Returned(skipped));
}

/// The prelude is what a file of tests needs.
#[test]
fn the_prelude_names_what_tests_use() {
    fn takes(_: impl Condition) {}
    takes(healthy().except("one").and(when("always", |_| true)));
}
