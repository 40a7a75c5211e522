//! A bounded table of small counters: sets of [`WAYS`] cells behind a lock each. A full set forgets
//! the cell that was not asked for the longest, so it can neither grow nor be filled for good.

use std::sync::atomic::{AtomicU64, Ordering};

use parking_lot::Mutex;

use super::packed::Tick;

/// Cells that a key can stand in.
const WAYS: usize = 8;

/// What a cell counts.
pub(crate) trait Cell: Copy + Default {}

#[derive(Clone, Copy, Debug, Default)]
struct Entry<C> {
    /// Zero where nobody is.
    key: u64,
    asked: Tick,
    cell: C,
}

/// The table.
#[derive(Debug)]
pub(crate) struct Cells<C> {
    sets: Box<[Mutex<[Entry<C>; WAYS]>]>,
    forgotten: AtomicU64,
}

/// Where a cell stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Place(pub(crate) u16);

impl Place {
    /// Where no cell stands.
    pub(crate) const NONE: Self = Self(u16::MAX);
}

impl<C: Cell> Cells<C> {
    /// A table of this many sets.
    pub(crate) fn new(sets: usize) -> Self {
        let sets = (0..sets).map(|_| Mutex::new([Entry::default(); WAYS])).collect();
        Self { sets, forgotten: AtomicU64::new(0) }
    }

    /// Works on the cell of a key, a fresh one where there was none.
    pub(crate) fn with<R>(
        &self,
        key: u64,
        now: Tick,
        work: impl FnOnce(Place, &mut C) -> R,
    ) -> Option<R> {
        self.asked(key, now, true, work)
    }

    /// Works on the cell of a key if there is one, as asked for now.
    pub(crate) fn with_place<R>(
        &self,
        key: u64,
        now: Tick,
        work: impl FnOnce(Place, &mut C) -> R,
    ) -> Option<R> {
        self.asked(key, now, false, work)
    }

    fn asked<R>(
        &self,
        key: u64,
        now: Tick,
        makes: bool,
        work: impl FnOnce(Place, &mut C) -> R,
    ) -> Option<R> {
        let key = key.max(1);
        let set = self.set(key);
        let mut entries = self.sets.get(set)?.lock();
        let known = entries.iter().position(|entry| entry.key == key);
        if known.is_none() && !makes {
            return None;
        }
        let way = known.or_else(|| {
            let (way, oldest) =
                entries.iter_mut().enumerate().min_by_key(|(_, e)| (e.key != 0, e.asked))?;
            self.forgotten.fetch_add(u64::from(oldest.key != 0), Ordering::Relaxed);
            *oldest = Entry { key, asked: now, cell: C::default() };
            Some(way)
        })?;
        let entry = entries.get_mut(way)?;
        entry.asked = now;
        let place = Place(u16::try_from(set * WAYS + way).unwrap_or(u16::MAX));
        Some(work(place, &mut entry.cell))
    }

    /// Works on the cell of a key if there is one.
    pub(crate) fn with_known<R>(&self, key: u64, work: impl FnOnce(&mut C) -> R) -> Option<R> {
        let key = key.max(1);
        let mut entries = self.sets.get(self.set(key))?.lock();
        entries.iter_mut().find(|entry| entry.key == key).map(|entry| work(&mut entry.cell))
    }

    fn set(&self, key: u64) -> usize {
        (key >> 32) as usize % self.sets.len().max(1)
    }

    /// Works on the cell at a place, whosever it is by now.
    pub(crate) fn at<R>(&self, place: Place, work: impl FnOnce(&mut C) -> R) -> Option<R> {
        let place = usize::from(place.0);
        let mut entries = self.sets.get(place / WAYS)?.lock();
        entries.get_mut(place % WAYS).filter(|entry| entry.key != 0).map(|e| work(&mut e.cell))
    }

    /// Cells in use.
    pub(crate) fn len(&self) -> usize {
        let used = |set: &Mutex<[Entry<C>; WAYS]>| {
            set.lock().iter().filter(|entry| entry.key != 0).count()
        };
        self.sets.iter().map(used).sum()
    }

    /// Cells that had to go.
    pub(crate) fn forgotten(&self) -> u64 {
        self.forgotten.load(Ordering::Relaxed)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    impl Cell for u32 {}

    #[test]
    fn it_holds_no_more_than_its_cells_and_forgets_the_oldest() {
        let cells: Cells<u32> = Cells::new(4);
        for n in 1..=100_u64 {
            let now = Tick::from_ms(n * 1_000);
            assert_eq!(cells.with(n << 32, now, |_, cell| std::mem::replace(cell, 1)), Some(0));
        }
        assert_eq!(cells.len(), 4 * WAYS);
        assert_eq!(cells.forgotten(), 100 - 32);
        assert_eq!(cells.with_known(100 << 32, |cell| *cell), Some(1));
        assert_eq!(cells.with_known(1 << 32, |cell| *cell), None);
        let place = cells.with(100 << 32, Tick::ZERO, |place, _| place).expect("a place");
        assert_eq!(cells.at(place, |cell| *cell), Some(1));
    }
}
