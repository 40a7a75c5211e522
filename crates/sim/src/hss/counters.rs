//! What a simulated HSS has seen.

use std::collections::{BTreeMap, HashSet};
use std::sync::Arc;

use parking_lot::Mutex;
use serde::Serialize;

use crate::diameter::command;
use crate::diameter::parse::Outcome;

/// A copy of an HSS's counters at one moment. All counts are since its start.
#[derive(Clone, Debug, Default, Serialize, PartialEq, Eq)]
pub struct HssSnapshot {
    /// Connections open now.
    pub open: u64,
    /// Connections opened so far.
    pub opened: u64,
    /// Requests by command's short name (`ULR`, `AIR`, …).
    pub requests: BTreeMap<String, u64>,
    /// Answers by code; experimental ones as `exp:5004`.
    pub answers: BTreeMap<String, u64>,
    /// Requests seen before (same Origin-Host and End-to-End) that carried the T bit.
    pub duplicates_flagged: u64,
    /// Requests seen before that did not carry the T bit: a fault of the sender or of a relay.
    pub duplicates_unflagged: u64,
    /// Requests with the T bit, seen before or not.
    pub retransmit_flagged: u64,
    /// Successful ULRs.
    pub registrations: u64,
    /// CLRs sent because a subscriber registered elsewhere.
    pub cancels: u64,
    /// Answers to our own requests.
    pub cancels_answered: u64,
    /// Connections closed because of bytes that are no Diameter.
    pub malformed: u64,
}

/// A shared handle to a running HSS's counters.
#[derive(Clone, Debug, Default)]
pub struct HssCounters(pub(super) Arc<Mutex<Tally>>);

impl HssCounters {
    /// The counters as they stand.
    #[must_use]
    pub fn snapshot(&self) -> HssSnapshot {
        self.0.lock().snapshot()
    }

    /// All requests answered so far, for a progress line.
    #[must_use]
    pub fn total(&self) -> u64 {
        self.0.lock().requests.iter().map(|(_, n)| n).sum()
    }
}

/// The counters in the form that is quick to add to.
#[derive(Debug, Default)]
pub(super) struct Tally {
    pub(super) open: u64,
    pub(super) opened: u64,
    requests: Vec<(u32, u64)>,
    answers: Vec<(Outcome, u64)>,
    pub(super) flagged: u64,
    pub(super) unflagged: u64,
    pub(super) retransmits: u64,
    pub(super) registrations: u64,
    pub(super) cancels: u64,
    pub(super) cancels_answered: u64,
    pub(super) malformed: u64,
    pub(super) recent: Recent,
}

/// Adds one to `key`'s count in a short list.
pub(crate) fn bump<K: PartialEq>(list: &mut Vec<(K, u64)>, key: K) {
    match list.iter_mut().find(|(k, _)| *k == key) {
        Some((_, count)) => *count += 1,
        None => list.push((key, 1)),
    }
}

impl Tally {
    pub(super) fn request(&mut self, command: u32) {
        bump(&mut self.requests, command);
    }

    pub(super) fn answer(&mut self, outcome: Outcome) {
        bump(&mut self.answers, outcome);
    }

    fn snapshot(&self) -> HssSnapshot {
        let mut requests = BTreeMap::new();
        for (code, count) in &self.requests {
            *requests.entry(command::name(*code).to_owned()).or_default() += count;
        }
        HssSnapshot {
            open: self.open,
            opened: self.opened,
            requests,
            answers: self.answers.iter().map(|(o, n)| (o.to_string(), *n)).collect(),
            duplicates_flagged: self.flagged,
            duplicates_unflagged: self.unflagged,
            retransmit_flagged: self.retransmits,
            registrations: self.registrations,
            cancels: self.cancels,
            cancels_answered: self.cancels_answered,
            malformed: self.malformed,
        }
    }
}

/// Remembers the last requests in two generations, so that it never grows past twice its limit.
//= RFC 6733 §3
// End-to-End Identifier and Origin-Host together detect duplicates.
#[derive(Debug, Default)]
pub(super) struct Recent {
    limit: usize,
    young: HashSet<u64, std::hash::BuildHasherDefault<Spread>>,
    old: HashSet<u64, std::hash::BuildHasherDefault<Spread>>,
}

/// The keys are hashes already.
#[derive(Debug, Default)]
pub(super) struct Spread(u64);

impl std::hash::Hasher for Spread {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, bytes: &[u8]) {
        self.0 = mix(bytes, self.0);
    }

    fn write_u64(&mut self, key: u64) {
        self.0 = key;
    }
}

/// A quick hash of `bytes`; not for keys that an adversary chooses.
pub(super) fn mix(bytes: &[u8], seed: u64) -> u64 {
    const K: u64 = 0x9e37_79b9_7f4a_7c15;
    let (words, rest) = bytes.as_chunks::<8>();
    let mut hash = seed ^ K;
    for word in words {
        hash = (hash.rotate_left(5) ^ u64::from_le_bytes(*word)).wrapping_mul(K);
    }
    for byte in rest {
        hash = (hash.rotate_left(5) ^ u64::from(*byte)).wrapping_mul(K);
    }
    hash ^ (hash >> 32)
}

/// The pair's key. Senders count End-to-End upwards, so sixteen neighbours get neighbouring keys:
/// they share cache lines, and a look-up seldom waits for memory.
fn key(host: &[u8], end_to_end: u32) -> u64 {
    let low = u64::from(end_to_end & 0xf);
    let block = mix(host, u64::from(end_to_end >> 4).wrapping_mul(0x9e37_79b9_7f4a_7c15));
    // The table takes its tag from the top bits: those differ within the sixteen.
    ((block & !0xf) | low) ^ (low << 60)
}

impl Recent {
    pub(super) fn new(limit: usize) -> Self {
        let young = HashSet::with_capacity_and_hasher(limit, Default::default());
        let old = HashSet::with_capacity_and_hasher(limit, Default::default());
        Self { limit, young, old }
    }

    /// True when the pair was seen among the last `limit` requests or more.
    pub(super) fn seen(&mut self, host: &[u8], end_to_end: u32) -> bool {
        if self.limit == 0 {
            return false;
        }
        let key = key(host, end_to_end);
        if self.old.contains(&key) || !self.young.insert(key) {
            return true;
        }
        if self.young.len() >= self.limit {
            std::mem::swap(&mut self.young, &mut self.old);
            self.young.clear();
        }
        false
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pair_is_remembered_as_long_as_promised_and_the_table_does_not_grow() {
        let mut recent = Recent::new(1_000);
        for id in 0..10_000u32 {
            assert!(!recent.seen(b"mme1.visited.lab", id));
            assert!(!recent.seen(b"mme2.visited.lab", id));
            assert!(recent.seen(b"mme1.visited.lab", id.saturating_sub(400)));
            assert!(recent.young.len() + recent.old.len() <= 2_000);
        }
        assert!(!recent.seen(b"mme1.visited.lab", 0));
    }
}
