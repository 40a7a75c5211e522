//! How far a long run is, on standard error where somebody looks.

use std::io::{IsTerminal as _, Write as _};

/// Steps between two words.
const STEPS: u64 = 50_000;

/// Counts steps and tells them now and then.
#[derive(Debug)]
pub(crate) struct Progress {
    what: &'static str,
    steps: u64,
    is_told: bool,
}

impl Progress {
    pub(crate) fn new(what: &'static str) -> Self {
        Self { what, steps: 0, is_told: std::io::stderr().is_terminal() }
    }

    pub(crate) fn step(&mut self) {
        self.steps += 1;
        if self.is_told && self.steps.is_multiple_of(STEPS) {
            let _gone = write!(std::io::stderr(), "\r{} {}", self.steps, self.what);
        }
    }

    /// Takes back what was told.
    pub(crate) fn end(&self) {
        if self.is_told && self.steps >= STEPS {
            let _gone = write!(std::io::stderr(), "\r\x1b[K");
        }
    }
}
