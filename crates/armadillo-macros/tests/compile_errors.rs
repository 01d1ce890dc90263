//! What wrong use of the attributes and of fixtures looks like: errors at the place of the mistake, in its words.

#[test]
fn wrong_use_is_explained() {
    let cases = trybuild::TestCases::new();
    for wrong in [
        "cases",
        "collect",
        "cycle",
        "fixture_attribute",
        "flag_types",
        "flags",
        "kept_fixtures",
        "kill_on_shared",
        "not_a_deployment",
        "not_a_fixture",
        "not_clone",
        "on",
        "options",
        "said_twice",
        "signature",
        "topology_without_deployment",
        "two_topologies",
        "unknown_topology",
        "which_deployment",
        "wrong_return",
    ] {
        cases.compile_fail(format!("tests/ui/{wrong}.rs"));
    }
}
