//! How tests run, and what they run on.

use std::path::PathBuf;

use crate::options::{IfInconclusive, Isolation, NoTests};
use crate::settings::error::Wrong;
use crate::settings::setting::{Group, Setting};
use crate::settings::value::{
    choice, copies, duration, factor, last, mebibytes, number, parallel, policies, seed, switch,
};

const HOW: Group = Group::Running;

pub(super) const TABLE: &[Setting] = &[
    Setting::valued(
        "parallel",
        "N|auto",
        HOW,
        "How many tests run at once; `auto` is the number of cores. Deployments are shared, so more tests do not mean more \
         servers.",
    )
    .short('n')
    .default("auto")
    .apply(|options, values| {
        options.running.parallel = parallel(values)?;
        Ok(())
    }),
    Setting::valued(
        "test-threads",
        "N",
        HOW,
        "libtest's name for --parallel.",
    )
    .apply(|options, values| {
        options.running.parallel = parallel(values)?;
        Ok(())
    }),
    Setting::switch(
        "failfast",
        HOW,
        "End the run after the first failure; what runs is ended, what waits is not started.",
    )
    .short('x')
    .aliases(&["fail-fast"])
    .apply(|options, values| {
        if switch(values)? {
            options.running.max_fail = Some(1);
        }
        Ok(())
    }),
    Setting::valued(
        "maxfail",
        "N",
        HOW,
        "End the run after this many failures, as --failfast does after one; 0 never does.",
    )
    .default("0")
    .apply(|options, values| {
        let limit: u32 = number(values)?;
        if options.running.max_fail.is_none() {
            options.running.max_fail = (limit > 0).then_some(limit);
        }
        Ok(())
    }),
    Setting::valued(
        "isolation",
        "HOW",
        HOW,
        "Where test bodies run. `workers`: in worker processes, one test at a time each, kept for the next. `process`: each \
         in a process of its own. `in-process`: on threads of this process, without capture. `none`: the same, run and \
         printed by libtest-mimic. `auto`: workers, but in-process under a debugger (where nothing is limited in time), \
         under nextest, and for a single test with --nocapture.",
    )
    .default("auto")
    .again()
    .apply(|options, values| {
        let choices = [
            ("auto", Isolation::Auto),
            ("workers", Isolation::Workers),
            ("process", Isolation::Process),
            ("in-process", Isolation::InProcess),
            ("none", Isolation::None),
        ];
        options.running.isolation = choice(values, &choices)?;
        Ok(())
    }),
    Setting::valued(
        "timeout",
        "TIME",
        HOW,
        "How long the body of a test may take, if the test does not say so itself: `500ms`, `30s`, `3m`, `1h30m`. Setting \
         its fixtures up and tearing them down have clocks of their own; waiting for a deployment counts in none.",
    )
    .default("1m")
    .again()
    .apply(|options, values| {
        options.running.timeout = duration(values)?;
        Ok(())
    }),
    Setting::valued(
        "run-timeout",
        "TIME",
        HOW,
        "How long the whole run may take. When it is over, what runs is ended and the exit code is 124.",
    )
    .apply(|options, values| {
        options.running.run_timeout = Some(duration(values)?);
        Ok(())
    }),
    Setting::valued(
        "slow-timeout",
        "TIME",
        HOW,
        "Say of a test that has run this long where it is, and again after each further such time. It goes on.",
    )
    .default("30s")
    .apply(|options, values| {
        options.running.slow_timeout = duration(values)?;
        Ok(())
    }),
    Setting::valued(
        "timeout-factor",
        "FACTOR",
        HOW,
        "Multiplies every time limit of tests, fixtures and deployments: 3 for a slow machine.",
    )
    .default("1")
    .again()
    .apply(|options, values| {
        options.running.timeout_factor = factor(values)?;
        Ok(())
    }),
    Setting::valued(
        "retries",
        "N",
        HOW,
        "How often a failed test is tried again, in a fresh worker, if the test does not say so itself. A test that passes \
         then is reported as flaky.",
    )
    .default("0")
    .apply(|options, values| {
        options.running.retries = number(values)?;
        Ok(())
    }),
    Setting::valued("repeat", "N", HOW, "How often every selected test is run.")
        .default("1")
        .apply(|options, values| {
            options.running.repeat = number(values)?;
            if options.running.repeat == 0 {
                let help = "write 1 or more; `--list` shows what would run";
                return Err(Wrong::new("0 runs would say nothing", help));
            }
            Ok(())
        }),
    Setting::valued(
        "seed",
        "N",
        HOW,
        "The seed of everything random in the run: the order with --shuffle, what tests draw, the choice of victims. A run \
         prints it.",
    )
    .apply(|options, values| {
        options.running.seed = Some(seed(values)?);
        Ok(())
    }),
    Setting::valued(
        "rounds",
        "N",
        HOW,
        "How many rounds a test plays that does the same again and again with other choices, such as a proof of \
         consistency; each such test has its own number otherwise.",
    )
    .apply(|options, values| {
        let rounds = number(values)?;
        if rounds == 0 {
            let help = "write 1 or more; without it each test plays its own number";
            return Err(Wrong::new("0 rounds would prove nothing", help));
        }
        options.running.rounds = Some(rounds);
        Ok(())
    }),
    Setting::switch("shuffle", HOW, "Run the tests in random order.").apply(|options, values| {
        options.running.shuffle = switch(values)?;
        Ok(())
    }),
    Setting::valued(
        "shuffle-seed",
        "N",
        HOW,
        "libtest's way to say --shuffle and --seed at once.",
    )
    .apply(|options, values| {
        options.running.shuffle = true;
        options.running.seed = Some(seed(values)?);
        Ok(())
    }),
    Setting::valued(
        "no-tests",
        "WHAT",
        HOW,
        "What an empty selection is: `pass`, `warn` or `fail` (exit code 4). `auto` warns, because other test binaries may \
         match, and fails when one test was asked for by name under nextest.",
    )
    .default("auto")
    .apply(|options, values| {
        let choices = [
            ("auto", NoTests::Auto),
            ("pass", NoTests::Pass),
            ("warn", NoTests::Warn),
            ("fail", NoTests::Fail),
        ];
        options.running.no_tests = choice(values, &choices)?;
        Ok(())
    }),
    Setting::valued(
        "inconclusive",
        "WHAT",
        HOW,
        "What a test is that could not find out what it was to find out: `fail` (it failed as inconclusive) or `ignore` \
         (it is ignored, with the reason).",
    )
    .default("fail")
    .again()
    .apply(|options, values| {
        let choices = [
            ("fail", IfInconclusive::Fail),
            ("ignore", IfInconclusive::Ignore),
        ];
        options.running.if_inconclusive = choice(values, &choices)?;
        Ok(())
    }),
    Setting::valued(
        "thread-per-test",
        "BOOL",
        HOW,
        "Whether each test in a worker has a thread of its own, named after it. `false` saves some microseconds a test.",
    )
    .default("true")
    .again()
    .apply(|options, values| {
        options.running.thread_per_test = switch(values)?;
        Ok(())
    }),
    Setting::valued(
        "missing",
        "SYSTEM=WHAT",
        Group::Deployments,
        "What to do when the program of a system is not found. `error`: end before the run starts, exit code 3. `ignore`: \
         ignore the tests that need it, with the reason. `fail`: fail them and run the others. May be given several times. \
         Also `[system.NAME] missing = \"ignore\"` in the file and `ARMADILLO_<NAME>_MISSING=ignore`.",
    )
    .repeats()
    .again(),
    Setting::valued(
        "checker",
        "NAME=WHAT",
        Group::Deployments,
        "What to do about what a checker finds. `fail`: a test that left it fails as leaked; a deployment on which it is found \
         while nobody uses it is replaced. `warn`: say it. `off`: do not look. May be given several times. A test says it for \
         itself: `checkers(databases = \"warn\")`. `log` is the checker of lines in servers' logs that say they crashed or \
         gave up; the others are their systems'.",
    )
    .repeats()
    .again()
    .apply(|options, values| {
        options.checkers = policies(values)?;
        Ok(())
    }),
    Setting::valued(
        "memory",
        "SIZE",
        Group::Deployments,
        "The memory that deployments may use together: `4096` (MiB), `512M`, `4G`. Without it, three quarters of what the machine \
         has available.",
    )
    .again()
    .apply(|options, values| {
        options.running.memory_mib = Some(mebibytes(values)?);
        Ok(())
    }),
    Setting::valued(
        "copies",
        "N|auto",
        Group::Deployments,
        "How many deployments of each topology tests may share at the same time. `1` starts each topology once. A number allows \
         that many, as far as there are tests for them and memory: tests that want one alone no longer wait for each other. `auto` \
         looks at the durations of earlier runs, and starts another copy where the run ends sooner by more than its start costs. \
         The header of a run and --plan say what comes of it.",
    )
    .default("1")
    .apply(|options, values| {
        options.running.copies = copies(values)?;
        Ok(())
    }),
    Setting::switch(
        "keep-on-failure",
        Group::Deployments,
        "Leave a deployment running on which a test failed, and say how to reach it and how to end it.",
    )
    .apply(|options, values| {
        options.running.keep_on_failure = switch(values)?;
        Ok(())
    }),
    Setting::valued(
        "cgroup",
        "WHAT",
        Group::Deployments,
        "Whether a run puts what it starts into a control group of its own. `auto`: where version 2 of control groups is \
         mounted and this user may write there. `off`: never. With one, nothing that a run started can hide from its end.",
    )
    .default("auto")
    .apply(|options, values| {
        options.running.cgroup = choice(values, &[("auto", true), ("off", false)])?;
        Ok(())
    }),
    Setting::valued(
        "runtime-dir",
        "DIR",
        Group::Deployments,
        "The directory for sockets, pipes, secrets and the temporary directories of tests. It must belong to you, and nobody \
         else may enter it. Its path is short, because that of a socket must be. A run ends what dead runs of the same \
         directory have left. Without it, `/tmp/armadillo-<uid>`.",
    )
    .apply(|options, values| {
        options.running.runtime_directory = Some(PathBuf::from(last(values)));
        Ok(())
    }),
    Setting::valued(
        "output-dir",
        "DIR",
        Group::Showing,
        "The directory for the files of runs (events, reports, logs of servers). Without it, `armadillo` in cargo's target \
         directory.",
    )
    .apply(|options, values| {
        options.running.output_directory = Some(PathBuf::from(last(values)));
        Ok(())
    }),
    Setting::valued(
        "history",
        "FILE",
        Group::Showing,
        "The file with the durations of earlier runs, by which tests are ordered. Without it, `history.json` in the \
         directory for the files of runs.",
    )
    .apply(|options, values| {
        options.running.history = Some(PathBuf::from(last(values)));
        Ok(())
    }),
];
