//! The proof can fail: a system in memory with one defect at a time, and each is caught; without any there is no alarm.
//!
//! Time is virtual, so that hundreds of rounds take seconds.

#![expect(clippy::unwrap_used, reason = "a test fails where it stands")]

mod toy;

use std::time::Duration;

use armadillo_consistency::{Fault, Kind, NoProof, Proof, ProofError, Report, Servers};
use armadillo_harness::outcome::{Outcome, of_error};
use armadillo_orchestrator::Deadline;
use toy::{Defect, Toy};

/// How many rounds a defect may survive. Each is one of chance: the fault must come at the wrong moment.
const PATIENCE: u32 = 60;

async fn play(
    defect: Option<Defect>,
    seed: u64,
    rounds: u32,
    faults: &[Fault],
) -> Result<Report, ProofError> {
    let toy = Toy::new(defect);
    Proof::new(seed)
        .rounds(rounds)
        .faults(faults.iter().copied())
        .patience(Duration::from_millis(100))
        .limit(Duration::from_secs(20))
        .run(&toy, &toy)
        .await
}

#[tokio::test(start_paused = true)]
async fn a_system_without_defects_raises_no_alarm_in_two_hundred_rounds() {
    let report = play(None, 1, 200, &faults()).await.unwrap();
    assert_eq!(
        (report.counted(), report.lost(), report.violations().count()),
        (200, 0, 0)
    );
    assert!(report.acknowledged() > 10_000, "{report}");
    for fault in faults() {
        let counted = report
            .rounds
            .iter()
            .filter(|round| round.fault == fault && round.counts());
        assert!(counted.count() >= 200 / faults().len(), "{fault}");
    }
}

/// What can be done to the toy.
fn faults() -> Vec<Fault> {
    let toy = Toy::new(None);
    Fault::ALL
        .into_iter()
        .filter(|fault| toy.offers(*fault) && *fault != Fault::RollingUpgrade)
        .collect()
}

/// Plays until the defect is caught, and checks what it is called.
async fn caught(defect: Defect, kinds: &[Kind]) {
    let error = play(Some(defect), 7, PATIENCE, &faults())
        .await
        .unwrap_err();
    let found: Vec<Kind> = error
        .report
        .violations()
        .map(|violation| violation.kind)
        .collect();
    assert!(
        !found.is_empty(),
        "{defect:?} came out as something else: {error}"
    );
    assert!(
        found.iter().all(|kind| kinds.contains(kind)),
        "{defect:?}: {error}"
    );
    // The history of that round is at hand, and says the same when it is read back.
    let lines = error.history.to_json_lines().unwrap();
    let history = armadillo_consistency::History::from_json_lines(&lines).unwrap();
    assert_eq!(
        armadillo_consistency::violations(&history).len(),
        found.len()
    );
}

macro_rules! planted {
    ($($name:ident: $defect:ident as $($kind:ident)|+;)*) => {
        $(#[tokio::test(start_paused = true)]
        async fn $name() {
            caught(Defect::$defect, &[$(Kind::$kind),+]).await;
        })*
    };
}

planted! {
    an_acknowledgement_before_the_copies_is_caught: AcknowledgesFirst as Lost | Stale;
    a_write_that_is_acknowledged_and_dropped_is_caught: Drops as Lost | Stale;
    a_read_from_a_deposed_leader_is_caught: ReadsWithoutLease as Stale | Lost;
    a_read_by_way_of_a_front_that_knows_only_a_deposed_leader_is_caught:
        ReadsWithoutLeaseBehindAFront as Stale | Lost;
    a_write_applied_twice_is_caught: AppliesTwice as Stale | Lost | BeforeItsTime;
    a_leader_that_lacks_writes_is_caught: PromotesAnybody as Lost | Stale;
    a_copy_that_lacks_writes_is_caught: ClaimsToBeInSync as Lost | Stale;
    a_write_refused_and_done_is_caught: RefusesAndApplies as RefusedAndSeen;
    a_mixed_up_body_is_caught: MixesUp as Invented;
}

#[tokio::test(start_paused = true)]
async fn a_system_that_does_not_come_back_is_no_proof() {
    let error = play(Some(Defect::NeverFailsOver), 1, 4, &[Fault::KillLeader])
        .await
        .unwrap_err();
    let why = error.why.to_string();
    assert!(why.contains("waiting for another leader: "), "{error}");
    assert_eq!(error.report.counted(), 0);
}

#[tokio::test(start_paused = true)]
async fn rounds_that_prove_nothing_do_not_count() {
    let toy = Toy::alone();
    let proof = Proof::new(1).rounds(2).faults([Fault::KillFollower]);
    let error = proof.run(&toy, &toy).await.unwrap_err();
    assert_eq!(error.why.to_string(), "only 0 of 2 rounds counted");
    assert!(is_inconclusive(error).contains("has no follower"));
}

/// What a test comes to that returns this error, if that is inconclusive.
fn is_inconclusive(error: ProofError) -> String {
    match of_error(&error) {
        Outcome::Inconclusive(why) => why,
        other => panic!("{other:?}"),
    }
}

/// Nobody knows what would have come: that is no violation, and no system that does not come back.
#[tokio::test(start_paused = true)]
async fn a_proof_whose_time_is_up_says_nothing_of_the_system() {
    let toy = Toy::new(None);
    let proof = Proof::new(1).rounds(2).end(Deadline::after(Duration::ZERO));
    let error = proof.run(&toy, &toy).await.unwrap_err();
    let (counted, wanted) = (0, 2);
    assert_eq!(error.why, NoProof::OutOfTime { counted, wanted });
    assert!(is_inconclusive(error).contains("before the time limit"));
}

/// A machine that is slow gets more time, and a system that does not come back fails all the same.
#[tokio::test(start_paused = true)]
async fn waits_grow_with_the_factor() {
    let toy = Toy::new(Some(Defect::NeverFailsOver));
    for (factor, waited) in [
        (1.0, "timed out after 20.0s"),
        (4.0, "timed out after 80.0s"),
    ] {
        let proof = Proof::new(1).limit(Duration::from_secs(20)).factor(factor);
        let proof = proof.rounds(4).faults([Fault::KillLeader]);
        let error = proof.run(&toy, &toy).await.unwrap_err();
        assert!(error.to_string().starts_with(waited), "{error}");
        assert!(matches!(of_error(&error), Outcome::Failed(_)));
    }
}

#[tokio::test(start_paused = true)]
async fn what_is_missing_is_in_the_report() {
    let toy = Toy::alone();
    let proof = Proof::new(1).rounds(2).faults([Fault::KillFollower]);
    let error = proof.run(&toy, &toy).await.unwrap_err();
    assert!(error.to_string().contains("has no follower"), "{error}");
}

/// What only those see whose front was frozen together with the leader, no other fault shows.
#[tokio::test(start_paused = true)]
async fn a_front_must_be_frozen_to_see_whom_it_believes_in() {
    let defect = Some(Defect::ReadsWithoutLeaseBehindAFront);
    let others: Vec<Fault> = faults()
        .into_iter()
        .filter(|fault| *fault != Fault::PauseLeaderAndFront)
        .collect();
    play(defect, 7, PATIENCE, &others).await.unwrap();
    let error = play(defect, 7, 1, &[Fault::PauseLeaderAndFront]).await;
    assert!(error.unwrap_err().report.violations().next().is_some());
}

/// Nothing is asked of the system: a proof of nothing is refused before.
async fn refused(proof: Proof) -> ProofError {
    let toy = Toy::alone();
    let error = proof.run(&toy, &toy).await.unwrap_err();
    assert_eq!(error.report.rounds.len(), 0);
    assert_eq!(error.history.marks.len(), 0);
    error
}

#[tokio::test(start_paused = true)]
async fn no_rounds_are_no_proof() {
    let error = refused(Proof::new(1).rounds(0)).await;
    assert_eq!(error.why, NoProof::NoRounds);
    let said = error.to_string();
    assert!(said.starts_with("0 rounds prove nothing"), "{said}");
}

#[tokio::test(start_paused = true)]
async fn rounds_without_a_fault_are_no_proof() {
    let error = refused(Proof::new(1).faults([])).await;
    assert_eq!(error.why, NoProof::NoFaults);
}

#[tokio::test(start_paused = true)]
async fn a_fault_that_cannot_happen_is_no_proof() {
    let faults = [Fault::KillLeader, Fault::PauseLeaderAndFront];
    let error = refused(Proof::new(1).faults(faults)).await;
    let why = NoProof::NotOffered(Fault::PauseLeaderAndFront);
    assert_eq!(error.why, why);
}

/// A delay does not outlive its round.
#[tokio::test(start_paused = true)]
async fn a_delay_ends_with_its_round() {
    let toy = Toy::new(None);
    let proof = Proof::new(5).rounds(3).faults([Fault::DelayLeader]);
    let report = proof.run(&toy, &toy).await.unwrap();
    assert_eq!(toy.delays(), (report.rounds.len(), None), "{report}");
    assert_eq!(report.counted(), 3, "{report}");
}

#[tokio::test(start_paused = true)]
async fn a_leader_is_replaced_once_in_each_round() {
    let toy = Toy::new(None);
    let proof = Proof::new(6).rounds(3).faults([Fault::ReplaceLeader]);
    let report = proof.run(&toy, &toy).await.unwrap();
    assert_eq!(toy.replaced(), report.rounds.len(), "{report}");
    assert_eq!(report.counted(), 3, "{report}");
    // A new server that is taken for one that has everything lacks it all.
    let toy = Toy::new(Some(Defect::ClaimsToBeInSync));
    let error = proof.run(&toy, &toy).await.unwrap_err();
    assert!(matches!(error.why, NoProof::Violations { .. }), "{error}");
}

#[tokio::test(start_paused = true)]
async fn there_is_one_upgrade_in_a_proof() {
    let toy = Toy::new(None);
    let faults = [Fault::RollingUpgrade, Fault::KillLeader];
    let proof = Proof::new(2).rounds(6).faults(faults).upgrade(["2", "3"]);
    let report = proof.run(&toy, &toy).await.unwrap();
    assert_eq!(toy.upgrades(), [["2", "3"]], "{report}");
    let upgrades = report
        .rounds
        .iter()
        .filter(|round| round.fault == faults[0]);
    assert_eq!(upgrades.count(), 1, "{report}");
}

#[tokio::test(start_paused = true)]
async fn an_upgrade_to_nothing_is_no_proof() {
    let error = refused(Proof::new(1).faults([Fault::RollingUpgrade])).await;
    assert_eq!(error.why, NoProof::NotOffered(Fault::RollingUpgrade));
    let said = error.to_string();
    assert!(
        said.contains("name the versions with `Proof::upgrade`"),
        "{said}"
    );
}

/// The rule holds for each round that counts, also for those whose fault leaves the leader in place.
#[tokio::test(start_paused = true)]
async fn a_round_counts_only_if_the_leader_was_replaced_in_mid_write() {
    let report = play(None, 3, 20, &[Fault::KillFollower]).await.unwrap();
    assert_eq!(report.counted(), 20);
    // Leaders end what they have begun before they die.
    let toy = Toy::dying_slowly();
    let proof = Proof::new(3).rounds(1).faults([Fault::KillFollower]);
    let error = proof.run(&toy, &toy).await.unwrap_err();
    let said = error.to_string();
    assert!(said.contains("no leader change was observed"), "{said}");
}

/// The same seed makes the same choices.
#[tokio::test(start_paused = true)]
async fn a_seed_replays() {
    let chosen = |report: Report| {
        report
            .rounds
            .iter()
            .map(|round| round.fault)
            .collect::<Vec<_>>()
    };
    let one = play(None, 42, 6, &faults()).await.unwrap();
    let other = play(None, 42, 6, &faults()).await.unwrap();
    assert_eq!(chosen(one), chosen(other));
}
