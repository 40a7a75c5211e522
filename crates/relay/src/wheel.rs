//! One wheel for every timer: constant cost to start, move and stop.
//!
//! A ring of buckets, each a doubly linked list through one slab of entries. An entry whose moment
//! lies further ahead than the ring is long simply waits for another round.

use procedure::Time;

/// Length of one bucket. Timers fire up to this much late, never early.
const TICK_MS: u64 = 10;
/// Buckets in the ring: 40.96 s a round.
const BUCKETS: usize = 4096;
const NONE: u32 = u32::MAX;

/// Names a running timer. Stale keys are harmless: the slab knows their age.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct TimerKey {
    index: u32,
    age: u32,
}

#[derive(Debug)]
struct Entry<T> {
    at: Time,
    what: Option<T>,
    age: u32,
    bucket: u32,
    next: u32,
    previous: u32,
}

/// The wheel; `T` says what a timer is for.
#[derive(Debug)]
pub(crate) struct Wheel<T> {
    entries: Vec<Entry<T>>,
    free: Vec<u32>,
    heads: Box<[u32]>,
    /// The first tick that has not been looked at.
    tick: u64,
    running: usize,
}

impl TimerKey {
    /// Names no timer.
    pub(crate) const NONE: Self = Self { index: NONE, age: 0 };
}

impl<T: Copy> Wheel<T> {
    pub(crate) fn new() -> Self {
        let heads = vec![NONE; BUCKETS].into_boxed_slice();
        Self { entries: Vec::new(), free: Vec::new(), heads, tick: 0, running: 0 }
    }

    /// Starts a timer.
    pub(crate) fn start(&mut self, at: Time, what: T) -> TimerKey {
        let index = self.free.pop().unwrap_or_else(|| {
            let entry = Entry { at, what: None, age: 0, bucket: 0, next: NONE, previous: NONE };
            self.entries.push(entry);
            u32::try_from(self.entries.len() - 1).unwrap_or(NONE)
        });
        // A moment that is past goes where the wheel looks next.
        let bucket = ((at.as_ms() / TICK_MS).max(self.tick) % BUCKETS as u64) as u32;
        let next = self.head(bucket);
        let mut age = 0;
        if let Some(entry) = self.entry(index) {
            age = entry.age;
            *entry = Entry { at, what: Some(what), age, bucket, next, previous: NONE };
        }
        if let Some(entry) = self.entry(next) {
            entry.previous = index;
        }
        self.set_head(bucket, index);
        self.running += 1;
        TimerKey { index, age }
    }

    /// Stops a timer; nothing happens when it has fired or was stopped before.
    pub(crate) fn stop(&mut self, key: TimerKey) {
        let alive = |entry: &&mut Entry<T>| entry.age == key.age && entry.what.is_some();
        let Some(entry) = self.entry(key.index).filter(alive) else { return };
        let (bucket, next, previous) = (entry.bucket, entry.next, entry.previous);
        entry.what = None;
        entry.age = entry.age.wrapping_add(1);
        if let Some(entry) = self.entry(next) {
            entry.previous = previous;
        }
        if let Some(entry) = self.entry(previous) {
            entry.next = next;
        } else {
            self.set_head(bucket, next);
        }
        self.free.push(key.index);
        self.running -= 1;
    }

    /// Takes one timer whose moment has come; call until `None`.
    pub(crate) fn fire(&mut self, now: Time) -> Option<T> {
        let last = now.as_ms() / TICK_MS;
        if self.running == 0 {
            self.tick = self.tick.max(last);
            return None;
        }
        while self.tick <= last {
            if let Some(what) = self.fire_in_bucket(now) {
                return Some(what);
            }
            // The tick of `now` itself stays open: more timers of it may still come.
            if self.tick == last {
                return None;
            }
            // A long sleep needs each bucket looked at once, not once a tick.
            let behind = last - self.tick;
            self.tick += if behind > BUCKETS as u64 { behind - BUCKETS as u64 } else { 1 };
        }
        None
    }

    /// A moment at which [`Self::fire`] should be called: not after the first timer's by more than
    /// a tick, and never more than a second ahead of what was looked at.
    pub(crate) fn deadline(&self) -> Option<Time> {
        if self.running == 0 {
            return None;
        }
        let ahead = (0..100).find(|ahead| self.has_any(self.tick + ahead)).unwrap_or(100);
        Some(Time::from_ms((self.tick + ahead + 1) * TICK_MS))
    }

    fn has_any(&self, tick: u64) -> bool {
        self.head((tick % BUCKETS as u64) as u32) != NONE
    }

    fn fire_in_bucket(&mut self, now: Time) -> Option<T> {
        let mut index = self.head((self.tick % BUCKETS as u64) as u32);
        while let Some(entry) = self.entry(index) {
            if entry.at <= now {
                let (what, key) = (entry.what, TimerKey { index, age: entry.age });
                self.stop(key);
                return what;
            }
            index = entry.next;
        }
        None
    }

    fn head(&self, bucket: u32) -> u32 {
        self.heads.get(bucket as usize).copied().unwrap_or(NONE)
    }

    fn set_head(&mut self, bucket: u32, index: u32) {
        if let Some(head) = self.heads.get_mut(bucket as usize) {
            *head = index;
        }
    }

    fn entry(&mut self, index: u32) -> Option<&mut Entry<T>> {
        self.entries.get_mut(index as usize)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Rng;

    fn fired(wheel: &mut Wheel<u32>, now: Time) -> Vec<u32> {
        std::iter::from_fn(|| wheel.fire(now)).collect()
    }

    #[test]
    fn fires_in_time_and_only_once() {
        let mut wheel = Wheel::new();
        let early = wheel.start(Time::from_ms(50), 1);
        wheel.start(Time::from_ms(100_000), 2);
        let stopped = wheel.start(Time::from_ms(55), 3);
        wheel.stop(stopped);
        wheel.stop(stopped);
        assert_eq!(fired(&mut wheel, Time::from_ms(49)), []);
        assert_eq!(fired(&mut wheel, Time::from_ms(51)), [1]);
        wheel.stop(early);
        wheel.start(Time::from_ms(20), 4);
        assert_eq!(fired(&mut wheel, Time::from_ms(51)), [4]);
        assert_eq!(fired(&mut wheel, Time::from_ms(99_999)), []);
        assert_eq!(fired(&mut wheel, Time::from_ms(300_000)), [2]);
        assert_eq!(wheel.deadline(), None);
    }

    /// Against a plain list, with random starts, stops and sleeps, some longer than a round.
    #[test]
    fn agrees_with_a_plain_list() {
        let mut rng = Rng::new(7);
        let mut wheel = Wheel::new();
        let mut list: Vec<(Time, u32, TimerKey)> = Vec::new();
        let mut now = Time::default();
        for id in 0..20_000 {
            let at = now.plus_ms(rng.below(60_000));
            list.push((at, id, wheel.start(at, id)));
            if rng.below(3) == 0 {
                let (_, _, key) = list.swap_remove(rng.below(list.len() as u64) as usize);
                wheel.stop(key);
            }
            let sleep_ms = if rng.below(500) == 0 { 90_000 } else { rng.below(40) };
            now = now.plus_ms(sleep_ms);
            let mut due: Vec<u32> =
                list.iter().filter(|(at, ..)| *at <= now).map(|(_, id, _)| *id).collect();
            list.retain(|(at, ..)| *at > now);
            let mut got = fired(&mut wheel, now);
            due.sort_unstable();
            got.sort_unstable();
            assert_eq!(got, due, "at {now:?}");
            if let Some((first, ..)) = list.iter().min() {
                let deadline = wheel.deadline().expect("timers run");
                assert!(deadline <= first.plus_ms(TICK_MS + 1) && deadline > now);
            }
        }
    }
}
