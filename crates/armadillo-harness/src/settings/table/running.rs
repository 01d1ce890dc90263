//! How tests run, and what they run on.

use std::path::PathBuf;

use armadillo_orchestrator::CorePolicy;

use crate::options::{IfInconclusive, Isolation, NoTests};
use crate::settings::error::Wrong;
use crate::settings::setting::{Group, Setting};
use crate::settings::value::{
    choice, copies, duration, factor, interval, last, mebibytes, number, parallel, policies,
    repeat, reuse, seed, switch,
};

const HOW: Group = Group::Running;

pub(super) const TABLE: &[Setting] = &[
    Setting::valued(
        "parallel",
        "N|auto",
        HOW,
        "How many tests run at once. `auto` uses the number of cores. Deployments are shared, so a higher number \
         does not start more servers.",
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
        "Stop the run after the first failure: kill the running tests and start no more.",
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
        "Stop the run after N failures, as --failfast does after the first. 0 means no limit.",
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
        "Where test bodies run. `workers`: in worker processes that are reused and run one test at a time. \
         `process`: each test in its own process. `in-process`: on threads of this process, without output capture. \
         `none`: like `in-process`, but scheduled and printed by libtest-mimic. `auto`: `workers`, or `in-process` \
         under a debugger (without time limits), under nextest, and for a single test with --nocapture.",
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
        "Time limit for the body of a test, unless the test sets its own: `500ms`, `30s`, `3m`, `1h30m`. Setup and \
         teardown of fixtures have separate limits. Waiting for a deployment does not count.",
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
        "Time limit for the whole run. When it is reached, running tests are killed and the exit code is 124.",
    )
    .apply(|options, values| {
        options.running.run_timeout = Some(duration(values)?);
        Ok(())
    }),
    Setting::valued(
        "slow-timeout",
        "TIME",
        HOW,
        "Report a test as slow, with its current location, each time this much time passes. The test keeps running.",
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
        "Multiply all time limits of tests, fixtures and deployments by this factor, for example 3 on a slow \
         machine. The default is 3 if a server was built with sanitizers, and 10 if servers are recorded.",
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
        "How many times to retry a failed test, unless the test sets its own number. Retries run in a new worker. A \
         test that passes on a retry is reported as flaky.",
    )
    .default("0")
    .apply(|options, values| {
        options.running.retries = number(values)?;
        Ok(())
    }),
    Setting::valued(
        "repeat",
        "N|until-fail",
        HOW,
        "How many times to run each selected test. `until-fail` runs them again and again until the first failure. \
         `infinite`, nextest's word, is the same.",
    )
    .aliases(&["stress-count"])
    .default("1")
    .apply(|options, values| {
        let times = repeat(values)?;
        options.running.repeat = times.unwrap_or(1);
        options.running.stress.until_fail = times.is_none();
        Ok(())
    }),
    Setting::valued(
        "stress-for",
        "TIME",
        HOW,
        "Run the selected tests again and again for this time, each at least once: `30s`, `10m`. Failures are counted and do not end \
         it, unless --failfast or --repeat until-fail do. The reports have one record of each test, and how often it passed and failed.",
    )
    .aliases(&["stress-duration"])
    .apply(|options, values| {
        options.running.stress.limit = Some(duration(values)?);
        Ok(())
    }),
    Setting::valued(
        "script",
        "FILE",
        HOW,
        "Run the tests of this script, on the copies of their deployments and in the order that it says. Names and other \
         filters select among its tests; no test is tried again. `armadillo replay` writes such scripts.",
    )
    .apply(|options, values| {
        options.running.script = Some(last(values).into());
        Ok(())
    }),
    Setting::valued(
        "seed",
        "N",
        HOW,
        "Seed for everything random in the run: the order with --shuffle, random values in tests, the choice of \
         faults and of the servers they hit. Every run prints its seed.",
    )
    .apply(|options, values| {
        options.running.seed = Some(seed(values)?);
        Ok(())
    }),
    Setting::valued(
        "rounds",
        "N",
        HOW,
        "Number of rounds for tests that repeat one scenario with varying choices, such as consistency checks. \
         Without it, each test uses its own number.",
    )
    .apply(|options, values| {
        let rounds = number(values)?;
        if rounds == 0 {
            let help = "write 1 or more, or remove it to use each test's own number";
            return Err(Wrong::new("at least 1 round is needed", help));
        }
        options.running.rounds = Some(rounds);
        Ok(())
    }),
    Setting::switch(
        "failed-first",
        HOW,
        "Begin with the tests that failed when they last ran, as the file of --history remembers it.",
    )
    .aliases(&["ff"])
    .apply(|options, values| {
        options.running.failed_first = switch(values)?;
        Ok(())
    }),
    Setting::switch(
        "new-first",
        HOW,
        "Begin with the tests that the file of --history does not know; with --failed-first, after those that failed.",
    )
    .aliases(&["nf"])
    .apply(|options, values| {
        options.running.new_first = switch(values)?;
        Ok(())
    }),
    Setting::switch(
        "shuffle",
        HOW,
        "Run the tests in random order.",
    ).apply(|options, values| {
        options.running.shuffle = switch(values)?;
        Ok(())
    }),
    Setting::valued(
        "shuffle-seed",
        "N",
        HOW,
        "libtest's shorthand for --shuffle and --seed.",
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
        "What to do if no test is selected: `pass`, `warn` or `fail` (exit code 4). `auto` warns, because another \
         test binary may have matches, and fails under nextest if one test was requested by name.",
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
        "How to report a test that could not reach a conclusion: `fail` (failed, as inconclusive) or `ignore` \
         (ignored, with the reason).",
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
        "Run each test in a worker on a new thread named after the test. `false` saves a few microseconds per test.",
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
        "What to do if the program of a system is not found. `error`: exit with code 3 before any test runs. \
         `ignore`: ignore the tests that need it and print the reason. `fail`: fail those tests and run the others. \
         A version that a test names and that is not found: `ignore` by default. May be given several times. In the \
         file: `[system.NAME] missing = \"ignore\"`; in the environment: `ARMADILLO_<NAME>_MISSING=ignore`.",
    )
    .repeats()
    .again(),
    Setting::valued(
        "checker",
        "NAME=WHAT",
        Group::Deployments,
        "What to do if a checker finds something that a test left behind, such as a database. `fail`: the test \
         fails, as leaked. If the deployment was idle when checked, it is replaced. `warn`: print a warning. `off`: \
         do not check. May be given several times. A test can set its own: `checkers(databases = \"warn\")`. The \
         checker `log` looks for crash messages in server logs; systems define the others.",
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
        "Memory that all deployments of this run together may use: `4096` (MiB), `512M`, `4G`. Defaults to three quarters of \
         the available memory, which all runs of a user share: a run starts nothing for which the deployments of the others \
         leave no room.",
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
        "How many deployments of the same topology may run at once. `1` starts one per topology. With a higher \
         number, more copies are started if there are tests, memory and cores for them, so tests that need a deployment to \
         themselves wait less. `auto` uses the durations of earlier runs and starts another copy only if that \
         shortens the run. The run header and --plan show the result.",
    )
    .default("1")
    .apply(|options, values| {
        options.running.copies = copies(values)?;
        Ok(())
    }),
    Setting::switch(
        "keep-on-failure",
        Group::Deployments,
        "Keep the deployment of a failed test running, at most one per topology. At the end of the run, print how to \
         connect to it, and stop it when you press Enter. If stdin is not a terminal, do not wait: only its data is \
         kept.",
    )
    .apply(|options, values| {
        options.running.keep_on_failure = switch(values)?;
        Ok(())
    }),
    Setting::valued(
        "reuse",
        "TIME|off",
        Group::Deployments,
        "Leave deployments running after the run, so that the next run with --reuse starts at once. A deployment is reused only \
         if its topology, programs and settings are the same and its servers are healthy. If a test left something behind, \
         it is repaired or replaced. The run says why a deployment is not reused. Deployments stop when no run has used them for this \
         long (10 minutes, if no time is given). `armadillo ps --all` shows them, and `armadillo down --all` stops them. It has no \
         effect on servers that somebody else started.",
    )
    .bare("10m")
    .apply(|options, values| {
        options.running.reuse = reuse(values)?;
        Ok(())
    }),
    Setting::switch(
        "tls",
        Group::Deployments,
        "Start every deployment with TLS, as if each test's topology said `tls`. Certificates are made for the run, and \
         clients trust no others. It has no effect on systems that do not use TLS, or on servers that somebody else \
         started.",
    )
    .again(),
    Setting::valued(
        "cores",
        "WHAT",
        Group::Deployments,
        "What to do when a server crashes and its core can be found. `keep`: use gdb to show where the server crashed, \
         and keep the core, up to 4 GiB in one run; a core contains secrets. `backtrace`: show where it crashed, then \
         delete the core. `none`: servers write no cores.",
    )
    .default("keep")
    .apply(|options, values| {
        let choices = [
            ("keep", CorePolicy::Keep),
            ("backtrace", CorePolicy::Backtrace),
            ("none", CorePolicy::None),
        ];
        options.running.cores = choice(values, &choices)?;
        Ok(())
    }),
    Setting::valued(
        "record",
        "ROLE",
        Group::Deployments,
        "Record the servers with this role with rr, so that they can be replayed in a debugger. Time limits are multiplied \
         by 10 unless --timeout-factor is set. Refused, with the reason, if rr does not work on this machine. May be given \
         several times.",
    )
    .repeats()
    .apply(|options, values| {
        options.running.record = values.iter().cloned().collect();
        Ok(())
    }),
    Setting::valued(
        "cgroup",
        "WHAT",
        Group::Deployments,
        "Whether to put the processes of a run into their own control group. `auto`: if cgroup v2 is mounted and \
         writable for this user. `off`: never. With a control group, even processes that daemonize end with the run.",
    )
    .default("auto")
    .apply(|options, values| {
        options.running.cgroup = choice(values, &[("auto", true), ("off", false)])?;
        Ok(())
    }),
    Setting::valued(
        "statistics-interval",
        "TIME|off",
        Group::Deployments,
        "How often to record the statistics of every server in the events of the run: requests, connections, memory, \
         CPU time and more. Statistics are also recorded when a deployment is ready and before it stops. `off` records \
         none.",
    )
    .default("5s")
    .apply(|options, values| {
        options.running.sample_every = interval(values)?;
        Ok(())
    }),
    Setting::valued(
        "servers-dir",
        "DIR",
        Group::Deployments,
        "Directory with servers that are named by version, such as `3.6.16`. Defaults to `armadillo/servers` in \
         XDG_CACHE_HOME or in `~/.cache`.",
    )
    .apply(|_, _| Ok(())),
    Setting::valued(
        "runtime-dir",
        "DIR",
        Group::Deployments,
        "Directory for sockets, pipes, secrets and the temporary directories of tests. It must belong to you and be \
         accessible only to you. Its path must be short, because the length of socket paths is limited. Each run \
         cleans up after killed runs that used the same directory. Defaults to `/tmp/armadillo-<uid>`.",
    )
    .apply(|options, values| {
        options.running.runtime_directory = Some(PathBuf::from(last(values)));
        Ok(())
    }),
    Setting::valued(
        "output-dir",
        "DIR",
        Group::Showing,
        "Directory for the files of runs: events, reports, server logs. Defaults to `armadillo` in cargo's target \
         directory, or to `.armadillo` outside of cargo's projects.",
    )
    .apply(|options, values| {
        options.running.output_directory = Some(PathBuf::from(last(values)));
        Ok(())
    }),
    Setting::valued(
        "history",
        "FILE",
        Group::Showing,
        "File to which runs add how tests ended and how long they took; later runs order tests by it. Defaults to `history.jsonl` in the \
         output directory.",
    )
    .apply(|options, values| {
        options.running.history = Some(PathBuf::from(last(values)));
        Ok(())
    }),
];
