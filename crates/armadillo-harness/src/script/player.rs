//! Carries a script out: which test may begin now, after what has begun and ended. It does no I/O and knows no time.

/// A step of a script, with the numbers of tests.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Move {
    Begin(usize),
    End(usize),
}

/// How far a test is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
enum Progress {
    #[default]
    Waits,
    /// It was said that it may begin.
    Freed,
    Begun,
    Ended,
}

/// A script under way.
#[derive(Debug)]
pub(crate) struct Player {
    moves: Vec<Move>,
    /// All moves before this one have happened.
    at: usize,
    tests: Vec<Progress>,
}

impl Player {
    /// The beginning of a script with so many tests.
    pub(crate) fn new(moves: Vec<Move>, tests: usize) -> Self {
        Self {
            moves,
            at: 0,
            tests: vec![Progress::default(); tests],
        }
    }

    /// The test that may begin now, once.
    pub(crate) fn due(&mut self) -> Option<usize> {
        while let Some(next) = self.moves.get(self.at) {
            match *next {
                Move::Begin(test) if self.progress(test) < Progress::Begun => {
                    if self.progress(test) == Progress::Freed {
                        return None;
                    }
                    self.set(test, Progress::Freed);
                    return Some(test);
                }
                Move::End(test) if self.progress(test) < Progress::Ended => return None,
                Move::Begin(_) | Move::End(_) => self.at += 1,
            }
        }
        None
    }

    /// A test has begun. It may do so again, if its first attempt does not count.
    pub(crate) fn begun(&mut self, test: usize) {
        self.set(test, Progress::Begun);
    }

    /// A test has ended, or will never begin.
    pub(crate) fn ended(&mut self, test: usize) {
        self.set(test, Progress::Ended);
    }

    fn progress(&self, test: usize) -> Progress {
        // What the script does not know holds nothing up.
        self.tests.get(test).copied().unwrap_or(Progress::Ended)
    }

    fn set(&mut self, test: usize, progress: Progress) {
        if let Some(known) = self.tests.get_mut(test) {
            *known = progress.max(*known);
        }
    }
}

#[cfg(test)]
mod tests {
    use armadillo_orchestrator::random::Random;

    use super::*;

    #[test]
    fn a_test_begins_after_what_is_above_it() {
        use Move::{Begin, End};
        let moves = vec![Begin(0), Begin(1), End(0), Begin(2), End(2), End(1)];
        let mut player = Player::new(moves, 3);
        assert_eq!(player.due(), Some(0));
        // Said once, and nothing else before it has begun.
        assert_eq!(player.due(), None);
        player.begun(0);
        assert_eq!(player.due(), Some(1));
        player.begun(1);
        assert_eq!(player.due(), None);
        // Its attempt does not count, and is made again: that is no end.
        player.begun(0);
        assert_eq!(player.due(), None);
        player.ended(0);
        assert_eq!(player.due(), Some(2));
        // It cannot begin at all.
        player.ended(2);
        assert_eq!(player.due(), None);
    }

    /// Whatever order tests end in: each is due once, in the order of the script, and never before what is above it has happened.
    #[test]
    fn every_script_comes_to_its_end() {
        for seed in 0..500 {
            let mut random = Random::new(seed);
            let tests = 1 + random.below(12);
            let (moves, mut running) = (random_moves(&mut random, tests), Vec::new());
            let mut player = Player::new(moves.clone(), tests);
            let (mut begun, mut ended) = (Vec::new(), Vec::new());
            while ended.len() < tests {
                if let Some(test) = player.due() {
                    let place = moves.iter().position(|step| *step == Move::Begin(test));
                    for above in &moves[..place.unwrap()] {
                        match above {
                            Move::Begin(other) => assert!(begun.contains(other), "seed {seed}"),
                            Move::End(other) => assert!(ended.contains(other), "seed {seed}"),
                        }
                    }
                    begun.push(test);
                    if random.chance(10) {
                        player.ended(test);
                        ended.push(test);
                    } else {
                        player.begun(test);
                        running.push(test);
                    }
                } else {
                    assert!(!running.is_empty(), "seed {seed}: it hangs");
                    let test = running.swap_remove(random.below(running.len()));
                    player.ended(test);
                    ended.push(test);
                }
            }
            let order: Vec<usize> = moves
                .iter()
                .filter_map(|step| match step {
                    Move::Begin(test) => Some(*test),
                    Move::End(_) => None,
                })
                .collect();
            assert_eq!(begun, order, "seed {seed}");
        }
    }

    fn random_moves(random: &mut Random, tests: usize) -> Vec<Move> {
        let (mut moves, mut running, mut next) = (Vec::new(), Vec::new(), 0);
        while next < tests || !running.is_empty() {
            if next < tests && (running.is_empty() || random.chance(50)) {
                moves.push(Move::Begin(next));
                running.push(next);
                next += 1;
            } else {
                let test = running.swap_remove(random.below(running.len()));
                moves.push(Move::End(test));
            }
        }
        moves
    }
}
