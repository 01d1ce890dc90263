//! Suites that must fail, and the tests that run them through the front door.
