//! Names of what tests create. They carry an id, so that it is known whose they are when their maker is gone: the lease's
//! id, or, for what a fixture kept per deployment creates, that of the deployment
//! (`armadillo_harness::fixture::TestContext::unique_name`).

use armadillo_orchestrator::View;

/// Whether `name` carries the lease's id.
pub(crate) fn carries(name: &str, lease: &str) -> bool {
    !lease.is_empty() && name.contains(lease)
}

/// Whether what has that name belongs to the deployment as a whole.
pub(crate) fn is_kept(name: &str, view: &View) -> bool {
    view.deployment
        .rsplit('-')
        .next()
        .is_some_and(|id| carries(name, id))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::system::tests::view;

    #[test]
    fn a_name_says_whose_it_is() {
        assert!(carries("t_1f3a9c20_1", "1f3a9c20"));
        assert!(!carries("t_1f3a9c20_1", "00000000"));
        assert!(!carries("t_1f3a9c20_1", ""));
        let view = view();
        assert!(is_kept("products_00c0ffee_1", &view));
        assert!(!is_kept("t_1f3a9c20_1", &view));
    }
}
