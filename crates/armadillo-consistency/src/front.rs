//! One of the servers that clients talk through.

use armadillo_orchestrator::ServerKey;

use armadillo_orchestrator::random::Random;

/// A front, and who talks through it.
#[derive(Clone, Debug)]
pub(crate) struct Front {
    pub(crate) server: ServerKey,
    index: usize,
    /// How many there are.
    of: usize,
}

impl Front {
    /// One of them; `None` if there is none.
    pub(crate) fn one_of(fronts: &[ServerKey], random: &mut Random) -> Option<Self> {
        let index = random.below(fronts.len());
        let server = fronts.get(index)?.clone();
        let of = fronts.len();
        Some(Self { server, index, of })
    }

    /// Whether this client talks through it.
    pub(crate) fn serves(&self, client: usize) -> bool {
        client % self.of == self.index
    }
}
