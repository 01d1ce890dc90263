//! What this suite says of its tests as a whole: flags of its own, and a hook that sees each test when it is collected. The rules in
//! `armadillo.toml` are the third: they add markers without code.

use armadillo::CollectedTest;

armadillo::flags! {
    /// Leave out the tests that kill, restart or change clusters: for a look before a commit.
    static QUICK: bool;

    /// How many buyers compete for the apples in the stress test.
    pub(crate) static BUYERS: u64 = 8;
}

/// `cargo test -- --quick`, or `ARMADILLO_QUICK=true cargo nextest run`. The tests are shown as ignored, with this reason.
#[armadillo::collect]
fn a_quick_run_leaves_clusters_as_they_are(test: &mut CollectedTest) {
    let changes_clusters = ["crash_test", "operations", "failover"];
    if QUICK.get()
        && changes_clusters
            .iter()
            .any(|marker| test.has_marker(marker))
    {
        test.skip("left out by --quick");
    }
}
