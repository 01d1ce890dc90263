//! Which deployments arguments use.

use armadillo_orchestrator::topology::ANY_SHAPE;

use super::*;

const CLUSTER: Needs = Needs::of(StaticTopology::new("db", "cluster"));
const SINGLE: Needs = Needs::of(StaticTopology::new("db", "single"));
const QUEUE: Needs = Needs::of(StaticTopology::new("queue", "cluster"));
const ANY: Needs = Needs::of(StaticTopology::new("db", ANY_SHAPE));
const WHATEVER: Needs = Needs::WHATEVER_THERE_IS;

const fn fresh(needs: Needs) -> Needs {
    needs.lease(LeaseMode::Fresh)
}

const fn exclusive(needs: Needs) -> Needs {
    needs.lease(LeaseMode::Exclusive)
}

/// A fixture that is made from these.
fn made_from(needs: &[Needs]) -> Needs {
    let joined = joined(needs);
    assert_eq!(joined.problem, None);
    joined.needs()
}

fn joined(needs: &[Needs]) -> Joined {
    let arguments: Vec<Argument> = needs.iter().map(|needs| Argument::new(*needs)).collect();
    join(&arguments)
}

fn said(needs: Needs, servers: u32) -> Argument {
    let topology = StaticTopology::new("db", "cluster").with("servers", servers);
    Argument::new(needs).topology(topology).unwrap()
}

const fn on(needs: Needs, others: &'static [usize]) -> Argument {
    Argument::new(needs).on(others)
}

/// The deployments, and what each argument uses of them: `db cluster shared; [0] [0]`.
fn written(joined: &Joined) -> String {
    let needs = joined.needs();
    let deployments = (0..needs.count()).filter_map(|index| needs.get(index));
    let deployments: Vec<String> = deployments
        .map(|need| {
            let topology = need
                .topology
                .map(|topology| topology.to_topology().to_string());
            let topology = topology.as_deref().unwrap_or("whatever");
            format!("{topology} {}", need.lease)
        })
        .collect();
    let uses = (0..8).map(|argument| needs.bindings().of(argument));
    let uses: Vec<String> = uses
        .map(|binding| format!("{:?}", binding.numbers().collect::<Vec<_>>()))
        .collect();
    let uses = uses.join(" ");
    format!(
        "{}; {}",
        deployments.join(", "),
        uses.trim_end_matches(" []")
    )
}

fn found(needs: &[Needs]) -> String {
    let joined = joined(needs);
    assert_eq!(joined.problem, None);
    written(&joined)
}

fn found_of(arguments: &[Argument]) -> String {
    let joined = join(arguments);
    assert_eq!(joined.problem, None);
    written(&joined)
}

/// What is wrong, with the arguments named `a`, `b`, ...
fn refused(arguments: &[Argument]) -> String {
    let names = ["a", "b", "c", "d", "e", "f", "g", "h"];
    let joined = join(arguments);
    let texts = (0..8).filter_map(|argument| joined.complaint(argument, &names));
    let texts: Vec<String> = texts.map(|text| text.as_str().to_owned()).collect();
    assert_eq!(texts.len(), 1, "{texts:?}");
    texts.concat()
}

fn refused_all(needs: &[Needs]) -> String {
    let arguments: Vec<Argument> = needs.iter().map(|needs| Argument::new(*needs)).collect();
    refused(&arguments)
}

#[test]
fn each_system_and_each_shape_is_a_deployment_in_the_order_of_the_arguments() {
    assert_eq!(
        found(&[QUEUE, SINGLE, CLUSTER]),
        "queue cluster shared, db single shared, db cluster shared; [0] [1] [2]"
    );
    assert_eq!(
        found(&[CLUSTER, Needs::NOTHING, CLUSTER]),
        "db cluster shared; [0] [] [0]"
    );
    assert_eq!(found(&[]), "; []");
}

#[test]
fn what_is_new_is_a_deployment_for_each_argument() {
    assert_eq!(
        found(&[fresh(SINGLE), fresh(SINGLE)]),
        "db single fresh, db single fresh; [0] [1]"
    );
    assert_eq!(
        found(&[exclusive(CLUSTER), fresh(CLUSTER)]),
        "db cluster exclusive, db cluster fresh; [0] [1]"
    );
    assert_eq!(
        found(&[exclusive(CLUSTER), exclusive(CLUSTER)]),
        "db cluster exclusive; [0] [0]"
    );
}

#[test]
fn what_fits_any_deployment_is_on_the_one_that_is_there() {
    let database = made_from(&[ANY]);
    assert_eq!(found(&[database]), "db any shared; [0]");
    for handle in [CLUSTER, exclusive(CLUSTER), fresh(CLUSTER)] {
        let lease = handle.get(0).unwrap().lease;
        let expected = format!("db cluster {lease}, queue cluster shared; [0] [0] [1] [0]");
        assert_eq!(found(&[database, handle, QUEUE, ANY]), expected);
    }
    assert_eq!(found(&[WHATEVER, ANY]), "db any shared; [0] [0]");
    assert_eq!(found(&[WHATEVER, WHATEVER]), "whatever shared; [0] [0]");
}

#[test]
fn a_fixture_made_from_a_handle_is_on_the_deployment_of_that_kind() {
    let users = made_from(&[CLUSTER]);
    for handle in [CLUSTER, exclusive(CLUSTER), fresh(CLUSTER)] {
        let lease = handle.get(0).unwrap().lease;
        assert_eq!(
            found(&[users, handle]),
            format!("db cluster {lease}; [0] [0]")
        );
    }
    assert_eq!(
        found(&[made_from(&[exclusive(CLUSTER)]), CLUSTER]),
        "db cluster exclusive; [0] [0]"
    );
    assert_eq!(
        found(&[users, SINGLE]),
        "db cluster shared, db single shared; [0] [1]"
    );
}

#[test]
fn a_fixture_made_from_handles_of_two_systems_brings_both() {
    let app = made_from(&[QUEUE, made_from(&[ANY])]);
    assert_eq!(found(&[app]), "queue cluster shared, db any shared; [0, 1]");
    assert_eq!(
        found(&[fresh(SINGLE), app, exclusive(QUEUE)]),
        "db single fresh, queue cluster exclusive; [0] [1, 0] [1]"
    );
}

#[test]
fn a_new_deployment_inside_a_fixture_is_the_one_that_the_test_asks_for_once() {
    let app = made_from(&[fresh(SINGLE)]);
    assert_eq!(
        found(&[app, fresh(SINGLE), app]),
        "db single fresh; [0] [0] [0]"
    );
    assert_eq!(
        found(&[app, SINGLE]),
        "db single fresh, db single shared; [0] [1]"
    );
    assert_eq!(
        refused_all(&[fresh(SINGLE), fresh(SINGLE), app]),
        "`c` matches the deployments of `a` and `b`: add `#[on(a)]` or `#[on(b)]` to it"
    );
    let mirror = made_from(&[fresh(SINGLE), fresh(SINGLE)]);
    assert_eq!(found(&[mirror]), "db single fresh, db single fresh; [0, 1]");
    assert_eq!(
        refused_all(&[fresh(SINGLE), mirror]),
        "`b` needs several deployments that could be the one of `a`: make `a` a part of that fixture"
    );
}

#[test]
fn what_fits_two_deployments_says_which() {
    let database = made_from(&[ANY]);
    let ambiguous =
        "`a` matches the deployments of `b` and `c`: add `#[on(b)]` or `#[on(c)]` to it";
    for argument in [database, ANY, made_from(&[SINGLE]), WHATEVER] {
        assert_eq!(
            refused_all(&[argument, fresh(SINGLE), fresh(SINGLE)]),
            ambiguous
        );
    }
    assert_eq!(refused_all(&[database, CLUSTER, SINGLE]), ambiguous);
    assert_eq!(refused_all(&[WHATEVER, CLUSTER, QUEUE]), ambiguous);
    let a = Argument::new(fresh(SINGLE));
    for (others, number) in [(&[0][..], 0), (&[1], 1)] {
        assert_eq!(
            found_of(&[a, a, on(database, others)]),
            format!("db single fresh, db single fresh; [0] [1] [{number}]")
        );
    }
    assert!(
        refused(&[a, a, on(database, &[0, 1])])
            .starts_with("`c` matches the deployments of `a` and")
    );
}

/// Each argument's deployment, whatever the order of the arguments.
#[test]
fn the_order_of_the_arguments_decides_nothing() {
    let all = [
        made_from(&[ANY]),
        made_from(&[QUEUE]),
        exclusive(QUEUE),
        made_from(&[fresh(SINGLE)]),
        fresh(SINGLE),
        made_from(&[SINGLE, exclusive(QUEUE)]),
    ];
    let used = |order: &[usize]| -> Vec<Vec<String>> {
        let needs: Vec<Needs> = order.iter().map(|index| all[*index]).collect();
        let joined = joined(&needs);
        assert_eq!(joined.problem, None, "{order:?}");
        let name = |number| {
            let need = joined.needs().get(number).unwrap();
            format!("{} {}", need.topology.unwrap().to_topology(), need.lease)
        };
        let of = |index: usize| {
            let at = order.iter().position(|other| *other == index).unwrap();
            let binding = joined.needs().bindings().of(at);
            binding.numbers().map(name).collect()
        };
        (0..all.len()).map(of).collect()
    };
    let expected = used(&[0, 1, 2, 3, 4, 5]);
    assert_eq!(expected[5], ["db single fresh", "queue cluster exclusive"]);
    let mut order = [0, 1, 2, 3, 4, 5];
    for _ in 0..6 {
        for at in 1..6 {
            order.swap(0, at);
            assert_eq!(used(&order), expected, "{order:?}");
            let reversed: Vec<usize> = order.iter().rev().copied().collect();
            assert_eq!(used(&reversed), expected, "{reversed:?}");
        }
        order.rotate_left(1);
    }
}

#[test]
fn on_holds_for_what_fits_and_leaves_the_rest() {
    let app = made_from(&[QUEUE, ANY]);
    let a = Argument::new(fresh(SINGLE));
    assert_eq!(
        found_of(&[a, a, on(app, &[1])]),
        "db single fresh, db single fresh, queue cluster shared; [0] [1] [2, 1]"
    );
    let shared = Argument::new(CLUSTER);
    assert_eq!(
        refused(&[shared, on(SINGLE, &[0])]),
        "`b` does not use a deployment that could be the one of `a`"
    );
    assert_eq!(
        refused(&[Argument::new(Needs::NOTHING), on(SINGLE, &[0])]),
        "`b` does not use a deployment that could be the one of `a`"
    );
    assert_eq!(
        found_of(&[Argument::new(exclusive(CLUSTER)), on(CLUSTER, &[0])]),
        "db cluster exclusive; [0] [0]"
    );
    assert_eq!(
        found_of(&[Argument::new(fresh(CLUSTER)), on(fresh(CLUSTER), &[0])]),
        "db cluster fresh; [0] [0]"
    );
}

#[test]
fn a_shared_handle_beside_ones_own_says_what_it_means() {
    let unclear = "`b` could use the deployment of `a` or a separate one: add `#[on(a)]` to it, or \
                   `#[topology(..)]` for a separate deployment";
    for own in [exclusive(CLUSTER), fresh(CLUSTER)] {
        assert_eq!(refused_all(&[own, CLUSTER]), unclear);
    }
    assert_eq!(refused_all(&[CLUSTER, exclusive(CLUSTER)]), unclear);
    assert_eq!(
        refused(&[said(CLUSTER, 5), Argument::new(CLUSTER)]),
        unclear
    );
    assert_eq!(
        found_of(&[Argument::new(fresh(CLUSTER)), said(CLUSTER, 5)]),
        "db cluster fresh, db cluster(servers = 5) shared; [0] [1]"
    );
}

#[test]
fn a_topology_that_is_said_tells_a_deployment_apart() {
    assert_eq!(
        found_of(&[said(CLUSTER, 5), said(CLUSTER, 3), said(CLUSTER, 5)]),
        "db cluster(servers = 5) shared, db cluster(servers = 3) shared; [0] [1] [0]"
    );
    assert_eq!(
        found_of(&[said(fresh(CLUSTER), 5), said(fresh(CLUSTER), 5)]),
        "db cluster(servers = 5) fresh, db cluster(servers = 5) fresh; [0] [1]"
    );
    let app = join(&[said(CLUSTER, 5)]).needs();
    assert_eq!(
        found(&[app, made_from(&[app])]),
        "db cluster(servers = 5) shared; [0] [0]"
    );
    assert_eq!(
        found_of(&[
            said(made_from(&[ANY]), 3),
            Argument::new(made_from(&[CLUSTER]))
        ]),
        "db cluster(servers = 3) shared; [0] [0]"
    );
    let refused = |needs| {
        Argument::new(needs)
            .topology(StaticTopology::new("db", "single"))
            .err()
    };
    assert_eq!(
        refused(CLUSTER),
        Some("the argument uses no deployment of this kind")
    );
    assert_eq!(
        refused(Needs::NOTHING),
        Some("the argument does not use a deployment, so it has no topology")
    );
    let mirror = made_from(&[fresh(SINGLE), fresh(SINGLE)]);
    assert_eq!(
        refused(mirror),
        Some("the argument uses several deployments of this kind")
    );
}

#[test]
fn what_an_attribute_says_counts_before_what_a_handle_says() {
    const ONE: Needs = Needs::of(StaticTopology::new("db", "cluster").with("servers", 1));
    const TWO: Needs = Needs::of(StaticTopology::new("db", "cluster").with("servers", 2));
    let users = Argument::new(made_from(&[ONE]));
    assert_eq!(
        found_of(&[said(ONE, 3), users]),
        "db cluster(servers = 3) shared; [0] [0]"
    );
    let plain = Argument::new(fresh(ONE))
        .topology(StaticTopology::new("db", "cluster"))
        .unwrap();
    assert_eq!(found_of(&[plain, users]), "db cluster fresh; [0] [0]");
    assert_eq!(
        found(&[ONE, TWO]),
        "db cluster(servers = 1) shared, db cluster(servers = 2) shared; [0] [1]"
    );
    assert_eq!(
        found(&[CLUSTER, TWO]),
        "db cluster(servers = 2) shared; [0] [0]"
    );
}

#[test]
fn a_topology_in_the_attribute_is_that_of_the_one_deployment_it_fits() {
    let five = StaticTopology::new("db", "cluster").with("servers", 5);
    let refined = |needs: &[Needs]| made_from(needs).refine(five);
    let text = |needs: &[Needs]| {
        let needs = refined(needs).unwrap();
        let topology = |index| needs.get(index).and_then(|need: StaticNeed| need.topology);
        let topologies = (0..needs.count()).filter_map(topology);
        let texts: Vec<String> = topologies
            .map(|topology| topology.to_topology().to_string())
            .collect();
        texts.join(", ")
    };
    assert_eq!(
        text(&[QUEUE, ANY]),
        "queue cluster, db cluster(servers = 5)"
    );
    assert_eq!(text(&[WHATEVER]), "db cluster(servers = 5)");
    assert_eq!(
        text(&[SINGLE, CLUSTER]),
        "db single, db cluster(servers = 5)"
    );
    let why = |needs: &[Needs]| refined(needs).err().unwrap_or_default();
    assert!(why(&[fresh(CLUSTER), fresh(CLUSTER)]).contains("matches several"));
    assert!(why(&[SINGLE, QUEUE]).contains("does not match the one of the fixtures"));
    assert!(why(&[]).contains("none of its fixtures uses a deployment"));
    let twice = refined(&[CLUSTER]).unwrap().refine(five);
    assert_eq!(
        twice.err(),
        Some("the topology of that deployment is already set")
    );
}

#[test]
fn there_are_eight_deployments_at_most() {
    let eight = made_from(&[fresh(SINGLE); 8]);
    assert_eq!(eight.count(), 8);
    assert_eq!(
        eight.list::<8>().map(|need| need.lease),
        [LeaseMode::Fresh; 8]
    );
    assert_eq!(
        refused_all(&[eight, CLUSTER]),
        "a test can use at most eight deployments"
    );
}
