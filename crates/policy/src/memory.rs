//! What steering remembers of subscribers: sharded tables that survive every reload and never grow
//! past their limit.

use std::sync::atomic::{AtomicU64, Ordering};

use hashbrown::HashTable;
use hashbrown::hash_table::Entry;
use parking_lot::Mutex;

use crate::episode::{Episode, Key, Tick};
use crate::hash;

/// Tables that one subscriber's key chooses from, so that workers seldom wait for each other.
pub const SHARDS: usize = 256;
/// Most subscribers remembered unless the owner says otherwise: 64 octets each, 256 MiB and the
/// table's own share.
pub const SUBSCRIBERS_MAX: usize = 1 << 22;
/// Entries looked at for expiry when a new one comes: memory is swept a little at a time.
const SWEEP: usize = 4;
/// Entries looked at when a shard is full.
const SWEEP_FULL: usize = 32;

/// Steering's memory. Owned beside the compiled rules, shared by every version of them.
#[derive(Debug)]
pub struct Memory {
    shards: Box<[Mutex<Shard>]>,
    /// Most entries in one shard.
    shard_max: usize,
    seed: u64,
    full: AtomicU64,
}

#[derive(Debug, Default)]
struct Shard {
    episodes: HashTable<Episode>,
    /// The bucket that the sweep looks at next.
    hand: usize,
}

/// Gauges of the memory, for people and metrics.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MemoryUse {
    /// Subscribers remembered now.
    pub subscribers: usize,
    /// Most that may be.
    pub subscribers_max: usize,
    /// Decisions made without steering because the memory was full.
    pub full: u64,
}

impl Memory {
    /// A memory for at most this many subscribers; `seed` keys its hash, for the keys come from
    /// outside.
    #[must_use]
    pub fn new(subscribers_max: usize, seed: u64) -> Self {
        let shards = (0..SHARDS).map(|_| Mutex::default()).collect();
        let shard_max = subscribers_max.div_ceil(SHARDS).max(1);
        Self { shards, shard_max, seed, full: AtomicU64::new(0) }
    }

    /// How full it is.
    #[must_use]
    pub fn in_use(&self) -> MemoryUse {
        MemoryUse {
            subscribers: self.shards.iter().map(|shard| shard.lock().episodes.len()).sum(),
            subscribers_max: self.shard_max * SHARDS,
            full: self.full.load(Ordering::Relaxed),
        }
    }

    /// Works on a subscriber's entry, made now if there is none; `None` when there is no room.
    pub(crate) fn with<R>(
        &self,
        key: Key,
        now: Tick,
        work: impl FnOnce(&mut Episode) -> R,
    ) -> Option<R> {
        let hash = self.hash(key);
        let mut shard = self.shard(hash)?.lock();
        if let Some(episode) = shard.episodes.find_mut(hash, |episode| episode.key() == key) {
            return Some(work(episode));
        }
        let full = shard.episodes.len() >= self.shard_max;
        shard.sweep(now, if full { SWEEP_FULL } else { SWEEP });
        if shard.episodes.len() >= self.shard_max {
            return None;
        }
        let same = |episode: &Episode| episode.key() == key;
        match shard.episodes.entry(hash, same, |episode| self.hash(episode.key())) {
            Entry::Occupied(mut entry) => Some(work(entry.get_mut())),
            Entry::Vacant(entry) => Some(work(entry.insert(Episode::new(key, now)).get_mut())),
        }
    }

    /// Counts a decision that was made without steering for want of room.
    pub(crate) fn count_unsteered(&self) {
        self.full.fetch_add(1, Ordering::Relaxed);
    }

    /// Works on a subscriber's entry if there is one.
    pub(crate) fn with_known<R>(
        &self,
        key: Key,
        work: impl FnOnce(&mut Episode) -> R,
    ) -> Option<R> {
        let hash = self.hash(key);
        let mut shard = self.shard(hash)?.lock();
        shard.episodes.find_mut(hash, |episode| episode.key() == key).map(work)
    }

    const fn hash(&self, key: Key) -> u64 {
        let place = (key.customer.0 as u64) << 16 | key.country as u64;
        hash::word(self.seed, hash::word(self.seed, key.imsi) ^ place)
    }

    /// The bits that choose the shard are not those that the table itself looks at first.
    fn shard(&self, hash: u64) -> Option<&Mutex<Shard>> {
        self.shards.get((hash >> 40) as usize % SHARDS)
    }
}

impl Shard {
    /// Forgets the expired among the next few entries.
    fn sweep(&mut self, now: Tick, count: usize) {
        for _ in 0..count.min(self.episodes.num_buckets()) {
            self.hand = (self.hand + 1) % self.episodes.num_buckets();
            let over = self.episodes.get_bucket(self.hand).is_some_and(|e| e.is_over(now));
            if let (true, Ok(entry)) = (over, self.episodes.get_bucket_entry(self.hand)) {
                entry.remove();
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use procedure::Symbol;

    fn key(imsi: u64) -> Key {
        Key { imsi, customer: Symbol(1), country: 7 }
    }

    #[test]
    fn it_never_grows_past_its_limit_and_forgets_what_is_over() {
        let memory = Memory::new(SHARDS * 2, 1);
        let day = |days: u64| Tick::from_ms(days * 86_400_000);
        let refused = (0..10_000).filter(|imsi| memory.with(key(*imsi), day(0), |_| ()).is_none());
        let refused = refused.count();
        let used = memory.in_use();
        assert!(used.subscribers <= used.subscribers_max);
        assert_eq!(used.subscribers + refused, 10_000);
        for imsi in 20_000..20_100 {
            assert!(memory.with(key(imsi), day(1), |_| ()).is_some(), "yesterday made room");
        }
        assert!(memory.with_known(key(99_999), |_| ()).is_none());
    }
}
