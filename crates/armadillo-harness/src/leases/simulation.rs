//! Random schedules: whatever clients, servers and time do, what the core promises holds.
//!
//! A world of clients and deployments drives the core as the daemon does, one random step after the other, and keeps books
//! of its own. It then lets everything come to its end: every wish must be granted or refused.

mod acts;
mod books;
mod budget;
mod slots;
mod steps;
mod world;

use armadillo_orchestrator::random::Random;
use world::World;

/// Plays the schedules of these seeds; a failure names its seed.
fn play(seeds: std::ops::Range<u64>, shape: world::Shape) {
    for seed in seeds {
        let played = std::panic::catch_unwind(|| {
            let mut world = World::new(Random::new(seed), shape);
            world.play();
        });
        assert!(
            played.is_ok(),
            "the schedule with seed {seed} of {shape:?} failed"
        );
    }
}

#[test]
fn one_client_with_one_deployment() {
    play(0..30_000, world::Shape::ONE);
}

#[test]
fn several_copies_of_each_deployment() {
    play(400_000..410_000, world::Shape::COPIES);
}

#[test]
fn several_clients_share_deployments() {
    play(100_000..130_000, world::Shape::SEVERAL);
}

#[test]
fn tests_with_several_deployments_never_block_each_other() {
    play(200_000..220_000, world::Shape::SETS);
}

#[test]
fn clients_share_their_slots() {
    play(600_000..620_000, world::Shape::SLOTS);
}

#[test]
fn other_runs_hold_memory_too() {
    play(500_000..510_000, world::Shape::SHARED);
}

#[test]
fn memory_for_few_deployments() {
    play(300_000..310_000, world::Shape::NARROW);
}
