//! One shard's subscribers: open addressing over 40-octet entries that stand in the table itself, so
//! that finding one among millions costs one miss of the cache, and that grows by an eighth at a
//! time, so that nobody's memory is half empty.
//!
//! Linear probing; an entry that goes is filled by those behind it, so there are no tombstones. A
//! shard that grows moves all its entries: with [`SHARDS`](super::memory::SHARDS) shards for ten
//! million subscribers, ten thousand of them.

use super::episode::Episode;
use super::packed::{Key, Tick};

/// Most of a table that is in use, in hundredths.
const LOAD_MAX: usize = 72;
/// Places of a table that holds anybody.
const PLACES_MIN: usize = 8;

/// A table of subscribers.
#[derive(Debug, Default)]
pub(crate) struct Subscribers {
    /// An entry without a key is a free place.
    places: Vec<Episode>,
    used: usize,
    /// The place that the sweep looks at next.
    hand: usize,
}

impl Subscribers {
    pub(crate) const fn len(&self) -> usize {
        self.used
    }

    /// Octets of the table.
    pub(crate) const fn octets(&self) -> usize {
        self.places.capacity() * size_of::<Episode>()
    }

    pub(crate) fn find(&mut self, hash: u64, key: Key) -> Option<&mut Episode> {
        let place = self.search(hash, key).ok()?;
        self.places.get_mut(place)
    }

    /// Adds somebody who is not there yet.
    pub(crate) fn add(
        &mut self,
        hash: u64,
        episode: Episode,
        rehash: impl Fn(Key) -> u64,
    ) -> Option<&mut Episode> {
        if (self.used + 1) * 100 > self.places.len() * LOAD_MAX {
            self.grow(rehash);
        }
        let place = self.search(hash, episode.key()).err()??;
        self.used += 1;
        let entry = self.places.get_mut(place)?;
        *entry = episode;
        Some(entry)
    }

    /// Forgets the idle among the next few places.
    pub(crate) fn sweep(&mut self, now: Tick, count: usize, rehash: impl Fn(Key) -> u64) {
        for _ in 0..count.min(self.places.len()) {
            self.hand %= self.places.len().max(1);
            let idle = self.places.get(self.hand).is_some_and(|e| is_taken(e) && e.is_idle(now));
            match idle {
                // Whoever moves up into the place is looked at next.
                true => self.remove(self.hand, &rehash),
                false => self.hand += 1,
            }
        }
    }

    /// Everybody.
    #[cfg(test)]
    pub(crate) fn iter(&self) -> impl Iterator<Item = &Episode> {
        self.places.iter().filter(|episode| is_taken(episode))
    }

    /// Where the table is in memory, and how many places it has.
    pub(crate) fn whereabouts(&self) -> (usize, usize) {
        (self.places.as_ptr().addr(), self.places.len())
    }

    /// How far into a table of so many places a hash would like to stand, in octets.
    pub(crate) const fn offset(hash: u64, places: usize) -> usize {
        home(hash, places) * size_of::<Episode>()
    }

    const fn home(&self, hash: u64) -> usize {
        home(hash, self.places.len())
    }

    /// The place of a key, or else a free one for it, if there is any.
    fn search(&self, hash: u64, key: Key) -> Result<usize, Option<usize>> {
        let home = self.home(hash);
        let (before, behind) = self.places.split_at_checked(home).unwrap_or((&[], &[]));
        for (offset, episode) in behind.iter().chain(before).enumerate() {
            let place = || (home + offset) % self.places.len();
            if episode.key() == key {
                return Ok(place());
            }
            if !is_taken(episode) {
                return Err(Some(place()));
            }
        }
        Err(None)
    }

    fn grow(&mut self, rehash: impl Fn(Key) -> u64) {
        let places = (self.places.len() + self.places.len() / 8 + 1).max(PLACES_MIN);
        let mut wider = Vec::new();
        wider.reserve_exact(places);
        wider.resize(places, free());
        let old = std::mem::replace(&mut self.places, wider);
        for episode in old.into_iter().filter(is_taken) {
            let place = self.search(rehash(episode.key()), episode.key());
            if let Some(entry) = place.err().flatten().and_then(|at| self.places.get_mut(at)) {
                *entry = episode;
            }
        }
    }

    /// Frees a place, and moves up those behind it that would otherwise not be found.
    fn remove(&mut self, place: usize, rehash: impl Fn(Key) -> u64) {
        let count = self.places.len();
        let (mut hole, mut next) = (place, (place + 1) % count);
        while let Some(episode) = self.places.get(next).filter(|episode| is_taken(episode)) {
            let home = self.home(rehash(episode.key()));
            let from_home = (next + count - home) % count;
            let from_hole = (next + count - hole) % count;
            if from_home >= from_hole {
                self.places.swap(hole, next);
                hole = next;
            }
            next = (next + 1) % count;
            if next == place {
                break;
            }
        }
        if let Some(entry) = self.places.get_mut(hole) {
            *entry = free();
        }
        self.used = self.used.saturating_sub(1);
    }
}

/// Where a hash would like to stand: its upper half, spread over the places.
const fn home(hash: u64, places: usize) -> usize {
    (((hash >> 32) * places as u64) >> 32) as usize
}

const fn is_taken(episode: &Episode) -> bool {
    episode.key().word() != 0
}

const fn free() -> Episode {
    Episode::new(Key::NONE, Tick::ZERO)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::super::episode::FORGET;
    use super::*;
    use crate::hash;

    fn hash(key: Key) -> u64 {
        hash::word(7, key.word())
    }

    #[test]
    fn whoever_came_is_found_and_whoever_went_is_not() {
        let mut table = Subscribers::default();
        let mut known = BTreeSet::new();
        let mut now = 0;
        for step in 1..40_000_u64 {
            let key = Key::of_word(hash::word(3, step) % 3_000 + 1);
            let tick = Tick::from_ms(step * 1_000);
            if table.find(hash(key), key).is_none() {
                assert!(table.add(hash(key), Episode::new(key, tick), hash).is_some());
            }
            known.insert(key.word());
            if step % 97 == 0 {
                now = step;
                table.sweep(tick, 50, hash);
                known = table.iter().map(|episode| episode.key().word()).collect();
            }
            assert_eq!(table.len(), known.len());
        }
        assert!(now > 0);
        for word in 1..=3_000 {
            let key = Key::of_word(word);
            assert_eq!(table.find(hash(key), key).is_some(), known.contains(&word), "{word}");
        }
        table.sweep(Tick::from_ms(50_000_000).plus(FORGET), usize::MAX, hash);
        table.sweep(Tick::from_ms(50_000_000).plus(FORGET), usize::MAX, hash);
        assert_eq!(table.len(), 0);
    }

    #[test]
    fn nobody_takes_more_than_64_octets_whatever_the_number() {
        let mut table = Subscribers::default();
        for word in 1..100_000 {
            let key = Key::of_word(word);
            assert!(table.add(hash(key), Episode::new(key, Tick::ZERO), hash).is_some());
            if word > 64 {
                assert!(table.octets() <= 64 * table.len(), "{word}");
            }
        }
    }
}
