//! A fold over the gateway's records: what it says that it did.

use std::collections::BTreeMap;

use procedure::{Finish, Provenance, Record};

/// What the records of a run add up to.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Ledger {
    /// Exchanges that a request opened.
    pub(super) exchanges: u64,
    /// Frames that the records account for.
    pub(super) frames: u64,
    /// Registrations that steering refused.
    pub(super) refused: u64,
    /// Times that steering gave in, by reason.
    pub(super) exits: BTreeMap<&'static str, u64>,
    /// Answers that no exchange waited for, and frames that could not be read.
    pub(super) odd: u64,
    /// Planted by a test: every so many records one is lost.
    pub(super) loses_every: Option<u64>,
}

impl Ledger {
    /// Takes the records out.
    pub(super) fn fold(&mut self, records: &mut Vec<Record>) {
        for record in records.drain(..) {
            self.add(&record);
        }
    }

    fn add(&mut self, record: &Record) {
        if self.loses_every.is_some_and(|every| (self.exchanges + 1).is_multiple_of(every)) {
            self.exchanges += 1;
            return;
        }
        match record.finish {
            Finish::Stray | Finish::Malformed(_) => self.odd += 1,
            _ => self.exchanges += 1,
        }
        self.frames += u64::from(record.frames);
        self.refused += u64::from(record.provenance == Provenance::Steering);
        if let Some(exit) = record.exit {
            *self.exits.entry(exit.name()).or_default() += 1;
        }
    }
}
