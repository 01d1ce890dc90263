//! Several runs that share one budget, each with a core of its own: none takes what another has, and none waits for ever.

use std::collections::VecDeque;
use std::sync::Arc;

use armadillo_orchestrator::Topology;
use armadillo_orchestrator::random::Random;

use super::super::budget::LIMIT;
use super::super::{
    Action, ClientNo, Ended, Found, Input, LeaseNo, Leases, Moment, Offer, Others, PollNo, Wish,
};
use super::world::topology;
use crate::needs::LeaseMode;
use crate::resources::Resources;

const CLIENT: ClientNo = ClientNo(0);

/// A run: its core, and what goes on in it.
struct Run {
    core: Leases,
    inbox: VecDeque<Input>,
    /// What takes a while: starts, stops and repairs.
    later: Vec<Input>,
    running: Vec<LeaseNo>,
    left: usize,
    refused: usize,
    polls: u64,
    /// Since when it waits for others, as these see it.
    waits_since: Option<Moment>,
    /// Whether it is to look.
    looks: bool,
}

/// Runs on one machine.
struct Machine {
    random: Random,
    now: Moment,
    total: u64,
    runs: Vec<Run>,
}

fn resources(memory_mib: u64) -> Resources {
    Resources {
        memory_mib,
        cpu_percent: 0,
    }
}

impl Run {
    /// Each test needs these topologies, which take so much each.
    fn new(total: u64, takes: &[u64], tests: &[Vec<usize>]) -> Self {
        let offer = |(number, takes): (usize, &u64)| Offer {
            topology: Arc::<Topology>::new(topology(number)),
            conditions: 0,
            apart: 0,
            takes: resources(*takes),
            copies: 1,
        };
        let wish = |(ticket, needs): (usize, &Vec<usize>)| Wish {
            ticket: ticket as u64,
            test: "t".into(),
            needs: needs.iter().map(|at| (*at, LeaseMode::Shared)).collect(),
            expected_us: 1,
            begins_later: false,
            held: false,
            quiet: false,
        };
        let inbox = [
            Input::Joined {
                client: CLIENT,
                slots: 2,
                shared: None,
            },
            Input::Wished {
                client: CLIENT,
                offers: takes.iter().enumerate().map(offer).collect(),
                wishes: tests.iter().enumerate().map(wish).collect(),
                keep: false,
            },
        ];
        let mut run = Self {
            core: Leases::new(resources(total), false).sharing(total),
            inbox: inbox.into(),
            later: Vec::new(),
            running: Vec::new(),
            left: tests.len(),
            refused: 0,
            polls: 0,
            waits_since: None,
            looks: false,
        };
        run.poll();
        run.poll();
        run
    }

    fn poll(&mut self) {
        self.polls += 1;
        self.inbox.push_back(Input::Polled {
            client: CLIENT,
            poll: PollNo(self.polls),
            wait: true,
            plain: false,
        });
    }

    fn act(&mut self, action: Action) {
        match action {
            Action::Start { deployment, .. } => self.later.push(Input::Started {
                deployment,
                outcome: Ok(()),
            }),
            Action::Repair { deployment, .. } => self.later.push(Input::Repaired {
                deployment,
                outcome: Ok(()),
            }),
            Action::Stop { deployment, .. } => self.later.push(Input::Stopped { deployment }),
            Action::Grant { lease, .. } => self.inbox.push_back(Input::Begun { lease }),
            Action::Begin { lease, .. } => self.running.push(lease),
            Action::Examine {
                lease, deployment, ..
            } => self.inbox.push_back(Input::Examined {
                lease,
                deployment,
                found: Found::default(),
            }),
            Action::Conclude { .. } => {
                self.left -= 1;
                self.poll();
            }
            Action::Refuse { .. } => {
                self.left -= 1;
                self.refused += 1;
                self.poll();
            }
            Action::Look => self.looks = true,
            Action::Plain { .. } | Action::Nothing { .. } | Action::DropFixtures { .. } => {}
        }
    }
}

impl Machine {
    fn holds(&self) -> u64 {
        self.runs.iter().map(|run| run.core.holds_mib()).sum()
    }

    /// One thing that can happen, in one of the runs.
    fn step(&mut self) {
        self.now += 1_000;
        let at = self.random.below(self.runs.len());
        let ends = self.random.chance(10);
        let comes = self.random.chance(30);
        let looks = self.random.chance(10);
        let any = self.random.below(self.runs[at].later.len());
        let run = &mut self.runs[at];
        if let Some(input) = run.inbox.pop_front() {
            self.take(at, input);
        } else if comes && any < run.later.len() {
            let input = run.later.swap_remove(any);
            self.take(at, input);
        } else if std::mem::take(&mut run.looks) || run.core.waits_for_look() && looks {
            self.look(at);
        } else if ends && let Some(lease) = run.running.pop() {
            let how = Ended::default();
            self.take(at, Input::Released { lease, how });
        }
        assert!(self.holds() <= self.total, "they hold more than there is");
    }

    fn take(&mut self, at: usize, input: Input) {
        let run = &mut self.runs[at];
        for action in run.core.handle(self.now, input) {
            run.act(action);
        }
        let waits = run.core.wants_mib().is_some();
        run.waits_since = waits.then(|| run.waits_since.unwrap_or(self.now));
    }

    fn look(&mut self, at: usize) {
        let own = (self.runs[at].waits_since.unwrap_or(Moment::MAX), at);
        let others = || self.runs.iter().enumerate().filter(|(no, _)| *no != at);
        let first = others()
            .filter_map(|(no, run)| Some((run.waits_since?, no, run.core.wants_mib()?)))
            .min();
        let others = Others {
            memory_mib: others().map(|(_, run)| run.core.holds_mib()).sum(),
            wait: first.is_some(),
            first_wants_mib: first
                .filter(|(since, no, _)| (*since, *no) < own)
                .map(|(.., wants)| wants),
        };
        self.take(at, Input::Looked { others });
    }
}

#[test]
fn runs_that_share_a_budget_all_come_to_their_end() {
    for seed in 0..3_000 {
        let mut random = Random::new(seed);
        let total = 4;
        let runs = (0..2 + random.below(2)).map(|_| {
            let takes: Vec<u64> = (0..3).map(|_| 1 + random.below(2) as u64).collect();
            // Two of them fit beside each other in an empty machine.
            let tests: Vec<Vec<usize>> = (0..1 + random.below(4))
                .map(|_| {
                    let first = random.below(3);
                    match random.chance(60) {
                        true => vec![first, (first + 1) % 3],
                        false => vec![first],
                    }
                })
                .collect();
            Run::new(total, &takes, &tests)
        });
        let runs: Vec<Run> = runs.collect();
        let mut machine = Machine {
            random,
            now: 0,
            total,
            runs,
        };
        let mut steps = 0;
        while machine.runs.iter().any(|run| run.left > 0) {
            machine.step();
            steps += 1;
            assert!(steps < 50_000, "with seed {seed} it never ends");
        }
        let refused: usize = machine.runs.iter().map(|run| run.refused).sum();
        assert_eq!(refused, 0, "with seed {seed} somebody got nothing");
    }
}

#[test]
fn a_wait_for_others_has_an_end() {
    let mut run = Run::new(4, &[3], &[vec![0], vec![0]]);
    let held = Others {
        memory_mib: 2,
        ..Others::default()
    };
    while let Some(input) = run.inbox.pop_front() {
        run.core
            .handle(0, input)
            .into_iter()
            .for_each(|action| run.act(action));
    }
    assert!(std::mem::take(&mut run.looks), "it is to look");
    let looked = || Input::Looked { others: held };
    assert!(run.core.handle(1, looked()).is_empty());
    assert_eq!(run.core.wants_mib(), Some(3));
    assert!(run.core.handle(LIMIT + 1, looked()).is_empty());
    // Both tests are refused, and neither waits as long again.
    for now in [LIMIT + 2, LIMIT + 3] {
        let actions = run.core.handle(now, looked());
        let [Action::Refuse { error, .. }] = &actions[..] else {
            panic!("{actions:?}");
        };
        assert!(
            error.contains("other runs of this user hold 2 MiB"),
            "{error}"
        );
    }
    assert!(run.core.handle(LIMIT + 4, looked()).is_empty());
    assert_eq!(run.core.wants_mib(), None);
}

#[test]
fn what_the_first_in_line_can_have_is_left_for_it() {
    let mut run = Run::new(4, &[3], &[vec![0]]);
    while let Some(input) = run.inbox.pop_front() {
        let actions = run.core.handle(0, input);
        actions.into_iter().for_each(|action| run.act(action));
    }
    let looked = |first_wants_mib| Input::Looked {
        others: Others {
            memory_mib: 1,
            wait: true,
            first_wants_mib,
        },
    };
    // It could have 2 of the 3 that are free.
    assert!(run.core.handle(1, looked(Some(2))).is_empty());
    // It cannot have 4, so it keeps nobody from anything.
    let actions = run.core.handle(2, looked(Some(4)));
    assert!(
        matches!(&actions[..], [Action::Start { .. }]),
        "{actions:?}"
    );
}

#[test]
fn a_run_looks_while_its_own_tests_go_on() {
    let mut run = Run::new(4, &[1, 3], &[vec![0], vec![1]]);
    let free = || Input::Looked {
        others: Others::default(),
    };
    while let Some(input) = run.inbox.pop_front() {
        let actions = run.core.handle(0, input);
        actions.into_iter().for_each(|action| run.act(action));
        if std::mem::take(&mut run.looks) {
            let others = Others {
                memory_mib: 2,
                ..Others::default()
            };
            run.inbox.push_back(Input::Looked { others });
        }
        run.inbox.extend(run.later.drain(..));
    }
    assert_eq!(run.running.len(), 1, "the small one runs");
    assert!(run.core.waits_for_look());
    let actions = run.core.handle(1, free());
    assert!(
        matches!(&actions[..], [Action::Start { .. }]),
        "{actions:?}"
    );
}
