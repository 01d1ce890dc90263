//! Which copies are chosen.

use super::super::forecast::tests::work;
use super::*;

const FIRST: [(usize, LeaseMode); 1] = [(0, LeaseMode::Exclusive)];
const SECOND: [(usize, LeaseMode); 1] = [(1, LeaseMode::Exclusive)];

fn chosen(work: &Work, most: &[usize]) -> Choice {
    choose(work, &forecast(work, &vec![1; most.len()]), most)
}

#[test]
fn a_copy_is_started_if_the_run_ends_sooner_by_more_than_that_costs() {
    let long = work(4, &[(200, 0)]).with(4, &FIRST, 300);
    let choice = chosen(&long, &[2]);
    assert_eq!(
        (choice.copies, choice.end, choice.extra),
        (vec![2], 800, 200)
    );
    // Two more would end it 300 sooner, and cost 400.
    assert_eq!(chosen(&long, &[4]).copies, [2]);
    let short = work(4, &[(200, 0)]).with(4, &FIRST, 90);
    assert_eq!(chosen(&short, &[4]).copies, [1]);
    let nearly = work(4, &[(200, 0)]).with(4, &FIRST, 100);
    assert_eq!(chosen(&nearly, &[4]).copies, [1], "it costs what it brings");
}

#[test]
fn two_that_take_equally_long_are_copied_together() {
    // A copy of one of them alone changes nothing: the other takes as long.
    let both = work(4, &[(200, 0), (200, 0)])
        .with(4, &FIRST, 1_000)
        .with(4, &SECOND, 1_000);
    let choice = chosen(&both, &[4, 4]);
    assert_eq!((choice.copies, choice.end), (vec![2, 2], 2_200));
}

#[test]
fn there_are_no_copies_where_others_end_last() {
    let other = work(4, &[(200, 0)])
        .with(1, &[], 5_000)
        .with(4, &FIRST, 1_000);
    assert_eq!(chosen(&other, &[4]).copies, [1]);
}

#[test]
fn memory_limits_what_is_chosen_and_that_is_known() {
    let mut narrow = work(4, &[(200, 0)]).with(4, &FIRST, 1_000);
    narrow.has.memory_mib = 1;
    assert_eq!(chosen(&narrow, &[4]).copies, [1]);
    let wide = without_limit(&narrow, &[4]).map(|choice| choice.copies);
    assert_eq!(wide, Some(vec![4]));
    narrow.has.memory_mib = 4;
    assert!(without_limit(&narrow, &[4]).is_none());
}
