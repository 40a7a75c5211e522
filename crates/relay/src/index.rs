//! Finds exchanges that we only stand between: their two ends number them themselves, so nothing
//! of ours travels in the messages. Shared by all workers, for the answer may come in anywhere.

use std::collections::HashMap;
use std::hash::{BuildHasherDefault, Hasher};
use std::sync::{Mutex, MutexGuard, PoisonError};

use procedure::{LinkId, Symbol};

/// Locks that share the table; a worker rarely meets another one at the same.
const SHARDS: usize = 64;

/// By an end's own number for an exchange.
#[derive(Debug)]
pub(crate) struct Index {
    shards: Box<[Mutex<Shard>]>,
}

type Shard = HashMap<u64, Known, BuildHasherDefault<Already>>;

/// What every worker knows of an open exchange.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Known {
    /// Our label of it.
    pub(crate) label: u32,
    /// The link that its opener came over.
    pub(crate) opener: LinkId,
    /// The group that was asked.
    pub(crate) asked: Option<Symbol>,
}

/// The keys are hashes with a secret already.
#[derive(Debug, Default)]
struct Already(u64);

impl Hasher for Already {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, _: &[u8]) {}

    fn write_u64(&mut self, key: u64) {
        self.0 = key;
    }
}

impl Default for Index {
    fn default() -> Self {
        Self { shards: (0..SHARDS).map(|_| Mutex::default()).collect() }
    }
}

impl Index {
    /// The exchange that an end numbers so.
    pub(crate) fn find(&self, key: u64) -> Option<Known> {
        self.shard(key)?.get(&key).copied()
    }

    /// Notes how an end numbers an exchange, unless the number is taken; whether it was free. Each
    /// open exchange has two at most, so the table is bounded as they are.
    pub(crate) fn insert(&self, key: u64, known: Known) -> bool {
        let Some(mut shard) = self.shard(key) else { return false };
        shard.entry(key).or_insert(known).label == known.label
    }

    /// The exchange is over. Another one that took the number meanwhile keeps it.
    pub(crate) fn remove(&self, key: u64, label: u32) {
        let Some(mut shard) = self.shard(key) else { return };
        if shard.get(&key).is_some_and(|known| known.label == label) {
            shard.remove(&key);
        }
    }

    fn shard(&self, key: u64) -> Option<MutexGuard<'_, Shard>> {
        // The table uses the low and the high bits; these are in between.
        let shard = self.shards.get((key >> 40) as usize % SHARDS)?;
        Some(shard.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_number_names_one_exchange_until_it_is_over() {
        let index = Index::default();
        let known = |label| Known { label, opener: LinkId(3), asked: None };
        assert!(index.insert(7, known(1)) && !index.insert(7, known(2)));
        index.remove(7, 2);
        assert_eq!(index.find(7), Some(known(1)));
        index.remove(7, 1);
        assert_eq!(index.find(7), None);
        assert!(index.insert(7, known(2)));
    }
}
