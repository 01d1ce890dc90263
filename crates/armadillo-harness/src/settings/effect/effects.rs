//! What several settings do in the same way, or one of them in many places.

use super::{Effect, Layer, differently, refused};

pub(super) const NO_LIMITS: (Layer, Effect) = (
    Layer::Debugger,
    differently("tests and runs have no time limits"),
);
pub(super) const NEXTEST_COUNTS: (Layer, Effect) = (
    Layer::Nextest,
    differently("nextest decides how many tests run at once (its `--test-threads`)"),
);
pub(super) const MIMIC_COUNTS: (Layer, Effect) = (
    Layer::OwnMain,
    differently("the command line decides how many tests run at once (`--test-threads`)"),
);
pub(super) const NEXTEST_ORDERS: (Layer, Effect) = (
    Layer::Nextest,
    differently(
        "nextest decides the order of the tests; only the repetitions of a test are shuffled",
    ),
);
pub(super) const STOPS_EARLY: [(Layer, Effect); 2] = [
    (
        Layer::None,
        differently("the remaining tests are shown as ignored"),
    ),
    (
        Layer::Nextest,
        differently(
            "each test is a separate run (use nextest's `--max-fail` to count all of them)",
        ),
    ),
];
pub(super) const COMMAND_LINE_ACTS: (Layer, Effect) = (
    Layer::OwnMain,
    refused(
        "the action is chosen on the command line",
        "pass `--list` there; the other actions need an executable whose main function is `armadillo::main()`",
    ),
);
pub(super) const MIMIC_PRINTS: (Layer, Effect) = (
    Layer::OwnMain,
    refused(
        "libtest-mimic prints the results and reads its options from the command line",
        "set it on the command line",
    ),
);

pub(super) const SCRIPTED: [(Layer, Effect); 3] = [
    (
        Layer::None,
        refused(
            "libtest-mimic decides which test begins when",
            "use `--isolation in-process`, or remove it",
        ),
    ),
    (
        Layer::OwnMain,
        refused(
            "libtest-mimic decides which test begins when",
            "use `armadillo::main()` as the main function",
        ),
    ),
    (
        Layer::Nextest,
        refused(
            "nextest decides which test begins when",
            "run the test executable with it, as `armadillo replay` does",
        ),
    ),
];

pub(super) const STRESSED: [(Layer, Effect); 3] = [
    (
        Layer::None,
        refused(
            "libtest-mimic runs each test once",
            "use `--isolation in-process`, or `--repeat N`",
        ),
    ),
    (
        Layer::OwnMain,
        refused(
            "libtest-mimic runs each test once",
            "run the executable several times",
        ),
    ),
    (
        Layer::Nextest,
        refused(
            "each test is a separate run, and they would take turns",
            "use nextest's `--stress-duration`",
        ),
    ),
];
