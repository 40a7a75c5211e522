//! What steering remembers: of subscribers, of visited areas, of who answers and who does not, and of
//! shares. It survives every reload and never grows past its limits.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};

use parking_lot::Mutex;

use super::areas::Areas;
use super::crossings::Crossings;
use super::episode::Episode;
use super::health::Health;
use super::packed::{Key, Tick};
use super::shares::Shares;
use super::subscribers::Subscribers;
use crate::hash;

/// Tables that one subscriber's key chooses from: workers seldom wait for each other, and a table
/// that grows moves few.
pub const SHARDS: usize = 1024;
/// Most subscribers remembered unless the owner says otherwise: 40 octets each and the table's own
/// share, 256 MiB at most.
pub const SUBSCRIBERS_MAX: usize = 1 << 22;
/// Entries looked at for expiry when a new one comes: memory is swept a little at a time.
const SWEEP: usize = 4;
/// Entries looked at when a shard is full.
const SWEEP_FULL: usize = 32;

/// Steering's memory. Owned beside the compiled rules, shared by every version of them.
#[derive(Debug)]
pub struct Memory {
    shards: Box<[Shard]>,
    /// Most entries in one shard.
    shard_max: usize,
    seed: u64,
    full: AtomicU64,
    pub(crate) learned: Arc<Learned>,
    /// Nothing that is decided from it is to teach anything.
    dry: bool,
    /// Until then some of what was said before a restart may not be known, in ticks.
    unsure_until: AtomicU64,
}

/// A table and where it stands, so that a processor can be told to fetch from it ahead of the lock.
#[derive(Debug, Default)]
struct Shard {
    table: Mutex<Subscribers>,
    base: AtomicUsize,
    places: AtomicUsize,
}

/// What the outcomes of all registrations taught.
#[derive(Debug, Default)]
pub(crate) struct Learned {
    pub(crate) areas: Areas,
    pub(crate) health: Health,
    pub(crate) shares: Shares,
    pub(crate) crossings: Crossings,
}

/// Gauges of the memory, for people and metrics.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MemoryUse {
    /// Subscribers remembered now.
    pub subscribers: usize,
    /// Most that may be.
    pub subscribers_max: usize,
    /// Octets that they take.
    pub octets: usize,
    /// Decisions made without steering because the memory was full.
    pub full: u64,
    /// Visited areas of which something has been learned.
    pub areas: usize,
    /// Areas forgotten to make room for others.
    pub areas_forgotten: u64,
}

impl Memory {
    /// A memory for at most this many subscribers; `seed` keys its hash, for the keys come from
    /// outside, and draws who is probed.
    #[must_use]
    pub fn new(subscribers_max: usize, seed: u64) -> Self {
        Self {
            shards: (0..SHARDS).map(|_| Shard::default()).collect(),
            shard_max: subscribers_max.div_ceil(SHARDS).max(1),
            seed,
            full: AtomicU64::new(0),
            learned: Arc::default(),
            dry: false,
            unsure_until: AtomicU64::new(0),
        }
    }

    /// Room for one subscriber, beside what this memory has learned, which it leaves as it is.
    pub(crate) fn dry(beside: Option<&Self>) -> Self {
        let learned = beside.map(|memory| Arc::clone(&memory.learned)).unwrap_or_default();
        let seed = beside.map_or(0, |memory| memory.seed);
        Self { learned, dry: true, ..Self::new(1, seed) }
    }

    pub(crate) const fn is_dry(&self) -> bool {
        self.dry
    }

    /// How full it is.
    #[must_use]
    pub fn in_use(&self) -> MemoryUse {
        let sum =
            |of: fn(&Subscribers) -> usize| self.shards.iter().map(|s| of(&s.table.lock())).sum();
        MemoryUse {
            subscribers: sum(Subscribers::len),
            subscribers_max: self.shard_max * SHARDS,
            octets: sum(Subscribers::octets) + self.shards.len() * size_of::<Shard>(),
            full: self.full.load(Ordering::Relaxed),
            areas: self.learned.areas.len(),
            areas_forgotten: self.learned.areas.forgotten(),
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
        let shard = self.shard(hash)?;
        let mut table = shard.table.lock();
        if let Some(episode) = table.find(hash, key) {
            return Some(work(episode));
        }
        let rehash = |key| self.hash(key);
        let full = table.len() >= self.shard_max;
        table.sweep(now, if full { SWEEP_FULL } else { SWEEP }, rehash);
        if table.len() >= self.shard_max {
            return None;
        }
        let done = table.add(hash, Episode::new(key, now), rehash).map(work);
        let (base, places) = table.whereabouts();
        shard.base.store(base, Ordering::Relaxed);
        shard.places.store(places, Ordering::Relaxed);
        done
    }

    /// Counts a decision made without steering for want of room.
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
        let mut table = self.shard(hash)?.table.lock();
        table.find(hash, key).map(work)
    }

    /// A subscriber will be asked for in a moment. Among millions their entry is in no cache: by the
    /// time that the rules have been looked up it is.
    pub(crate) fn expect(&self, key: Key) {
        let hash = self.hash(key);
        if let Some(shard) = self.shard(hash) {
            let base = shard.base.load(Ordering::Relaxed);
            fetch_ahead(base, Subscribers::offset(hash, shard.places.load(Ordering::Relaxed)));
        }
    }

    /// A number below one that is the same for a subscriber as long as an episode lasts.
    pub(crate) fn draw(&self, key: Key, since: Tick, salt: u64) -> f32 {
        let drawn = hash::word(self.seed ^ salt, hash::word(since.word().into(), key.word()));
        (drawn >> 40) as f32 / (1_u32 << 24) as f32
    }

    /// Until then a refusal before the restart may be missing from what was restored.
    pub(crate) fn be_unsure_until(&self, tick: Tick) {
        self.unsure_until.store(tick.word().into(), Ordering::Relaxed);
    }

    pub(crate) fn is_unsure(&self, now: Tick) -> bool {
        u64::from(now.word()) < self.unsure_until.load(Ordering::Relaxed)
    }

    const fn hash(&self, key: Key) -> u64 {
        hash::word(self.seed, key.word())
    }

    /// The bits that choose the shard are not those that the table itself looks at.
    fn shard(&self, hash: u64) -> Option<&Shard> {
        self.shards.get(hash as usize % SHARDS)
    }
}

/// Has the processor fetch the two lines at an address into its caches; elsewhere nothing.
#[allow(unsafe_code, reason = "a hint: it reads nothing, and any address will do")]
fn fetch_ahead(base: usize, offset: usize) {
    #[cfg(target_arch = "x86_64")]
    {
        use std::arch::x86_64::{_MM_HINT_T0, _mm_prefetch};
        let at = std::ptr::without_provenance::<i8>(base.wrapping_add(offset));
        // SAFETY: a prefetch neither faults nor changes anything, whatever the address.
        unsafe {
            _mm_prefetch(at, _MM_HINT_T0);
            _mm_prefetch(at.wrapping_add(64), _MM_HINT_T0);
        }
    }
    #[cfg(not(target_arch = "x86_64"))]
    let _ = (base, offset);
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(imsi: u64) -> Key {
        Key::of_word(imsi << 10 | 7)
    }

    #[test]
    fn it_never_grows_past_its_limit_and_forgets_what_is_over() {
        let memory = Memory::new(SHARDS * 2, 1);
        let day = |days: u64| Tick::from_ms(days * 86_400_000);
        let refused = (1..10_000).filter(|imsi| memory.with(key(*imsi), day(0), |_| ()).is_none());
        let refused = refused.count();
        let used = memory.in_use();
        assert!(used.subscribers <= used.subscribers_max);
        assert_eq!(used.subscribers + refused, 9_999);
        for imsi in 20_000..20_100 {
            assert!(memory.with(key(imsi), day(1), |_| ()).is_some(), "yesterday made room");
        }
        assert!(memory.with_known(key(99_999), |_| ()).is_none());
    }
}
