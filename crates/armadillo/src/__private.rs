//! What the attributes expand to. Not for people: nothing here is stable.

pub use std::sync::Arc;

pub use armadillo_harness::checking::CheckPolicy;
pub use armadillo_harness::collect::CollectHook;
pub use armadillo_harness::failure::TestError;
pub use armadillo_harness::fixture::{
    Fixture, Inputs, Labels, Run, Scope, SetUp, TestContext, argument,
};
pub use armadillo_harness::inventory;
pub use armadillo_harness::needs::{Needs, StaticNeed, join};
pub use armadillo_harness::outcome::{Outcome, returned};
pub use armadillo_harness::requires::{Bound, Required, Requirement};
pub use armadillo_harness::test_def::{ExpectedFailure, MarkerUse, ShouldPanic, TestDef};

/// A fixture for an argument of type `T`, as opposed to `&T`: fixtures that are handles can be cloned.
pub fn by_value<T: Clone>(fixture: &T) -> T {
    fixture.clone()
}

/// How the fixtures of a test that needs this are set up, the markers that they give it, and their types.
pub const fn set_up<I: Inputs>(needs: &Needs) -> (SetUp<I>, Labels, Types) {
    (SetUp::new(needs), I::LABELS, I::types)
}

/// Adds the types of fixtures.
pub type Types = fn(&mut Vec<&'static str>);

/// What a fixture function returned, with any error.
pub fn made<T, E: Into<TestError>>(returned: Result<T, E>) -> Result<T, TestError> {
    returned.map_err(Into::into)
}

/// What the teardown function of a fixture may return.
#[diagnostic::on_unimplemented(
    message = "a teardown returns `()` or a `Result<(), E>`, not `{Self}`",
    label = "not what a teardown may return"
)]
pub trait IntoTornDown {
    /// The same as a result with any error.
    fn into_torn_down(self) -> Result<(), TestError>;
}

impl IntoTornDown for () {
    fn into_torn_down(self) -> Result<(), TestError> {
        Ok(())
    }
}

impl<E: Into<TestError>> IntoTornDown for Result<(), E> {
    fn into_torn_down(self) -> Result<(), TestError> {
        self.map_err(Into::into)
    }
}
