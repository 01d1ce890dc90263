//! Write integration tests against real clusters as easily as unit tests.
