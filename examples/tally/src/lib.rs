//! A system of one's own in a hundred lines: a small TCP server, its System, a fixture, and tests.
