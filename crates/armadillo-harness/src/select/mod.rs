//! Which of the collected tests run: libtest's filters, the expressions of `-m` and `-k`, and what is ignored unless it is
//! asked for.

mod decide;
mod error;
mod expression;
mod lexer;
mod parser;
pub(crate) mod shard;
#[cfg(test)]
mod tests;

pub use decide::{Selected, select};
pub use error::ExpressionError;
pub use expression::{Expression, Language, Marked, Node, Term};
