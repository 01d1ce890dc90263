//! Repeating runs: what is known of one from its events, scripts that repeat it or a part of it, how close a repetition came, and
//! the search for the tests that make another one fail.

mod bisect;
mod company;
mod compare;
mod open;
mod record;

pub use bisect::{Bisection, Found, Question, Seen};
pub use company::{Companion, Company, Where, company};
pub use compare::{Closeness, compare, fails_as, in_words};
pub use open::{OpenError, find, names, of_script, open};
pub use record::{Attempt, Record, RecordError};
