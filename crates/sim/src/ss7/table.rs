//! The open dialogues of a node, by the transaction identifiers that it gave out: consecutive
//! numbers, so that one is found by subtraction, and an answer that comes twice or late is told
//! from one that belongs elsewhere.

use std::collections::VecDeque;

/// Ended dialogues that are remembered.
const REMEMBERED: usize = 1 << 20;

/// What became of a number.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Found {
    /// It is open.
    Open,
    /// It was answered.
    Answered,
    /// It was given up.
    Lost,
    /// It was never given out, or so long ago that nobody remembers.
    Unknown,
}

#[derive(Debug)]
struct Slot<T> {
    /// When it began; it is given up so long after this.
    began: u64,
    value: Option<T>,
}

/// Open dialogues, each with a value.
#[derive(Debug)]
pub struct Table<T> {
    /// The identifier of the first slot.
    front: u32,
    slots: VecDeque<Slot<T>>,
    open: usize,
    /// How many dialogues had ended before `front`.
    past: usize,
    /// By the low bits of the identifier: whether it was lost.
    lost: Vec<bool>,
}

impl<T> Table<T> {
    /// An empty table whose first identifier is `first`.
    #[must_use]
    pub fn new(first: u32) -> Self {
        let lost = Vec::new();
        Self { front: first, slots: VecDeque::new(), open: 0, past: 0, lost }
    }

    /// How many are open.
    #[must_use]
    pub fn open(&self) -> usize {
        self.open
    }

    /// Opens one at `now`, and gives its identifier.
    pub fn insert(&mut self, value: T, now: u64) -> u32 {
        let offset = u32::try_from(self.slots.len()).unwrap_or(u32::MAX);
        self.slots.push_back(Slot { began: now, value: Some(value) });
        self.open += 1;
        self.front.wrapping_add(offset)
    }

    fn index(&self, id: u32) -> Option<usize> {
        let index = usize::try_from(id.wrapping_sub(self.front)).ok()?;
        (index < self.slots.len()).then_some(index)
    }

    /// What became of the dialogue `id`.
    #[must_use]
    pub fn find(&self, id: u32) -> Found {
        if let Some(slot) = self.index(id).and_then(|i| self.slots.get(i)) {
            return if slot.value.is_some() { Found::Open } else { Found::Answered };
        }
        let age = usize::try_from(self.front.wrapping_sub(id)).unwrap_or(usize::MAX);
        match self.lost.get(place(id)) {
            Some(lost) if (1..=self.past.min(REMEMBERED)).contains(&age) => {
                if *lost {
                    Found::Lost
                } else {
                    Found::Answered
                }
            }
            _ => Found::Unknown,
        }
    }

    /// The value of an open dialogue.
    pub fn get_mut(&mut self, id: u32) -> Option<&mut T> {
        let index = self.index(id)?;
        self.slots.get_mut(index)?.value.as_mut()
    }

    /// Ends the dialogue, and gives its value.
    pub fn remove(&mut self, id: u32) -> Option<T> {
        let index = self.index(id)?;
        let value = self.slots.get_mut(index)?.value.take()?;
        self.open -= 1;
        while self.slots.pop_front_if(|slot| slot.value.is_none()).is_some() {
            self.forget(false);
        }
        Some(value)
    }

    /// Gives up what began longer than `timeout` before `now`.
    pub fn expire(&mut self, now: u64, timeout: u64, mut lost: impl FnMut(T)) {
        let over = |s: &mut Slot<T>| s.value.is_none() || s.began.saturating_add(timeout) <= now;
        while let Some(slot) = self.slots.pop_front_if(over) {
            self.forget(slot.value.is_some());
            if let Some(value) = slot.value {
                self.open -= 1;
                lost(value);
            }
        }
    }

    /// When the oldest began.
    #[must_use]
    pub fn oldest(&self) -> Option<u64> {
        self.slots.front().map(|slot| slot.began)
    }

    fn forget(&mut self, lost: bool) {
        if self.lost.is_empty() {
            self.lost.resize(REMEMBERED, false);
        }
        if let Some(mark) = self.lost.get_mut(place(self.front)) {
            *mark = lost;
        }
        self.front = self.front.wrapping_add(1);
        self.past = self.past.saturating_add(1);
    }
}

fn place(id: u32) -> usize {
    usize::try_from(id).unwrap_or(0) & (REMEMBERED - 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn answered_lost_and_unknown_are_told_apart_past_the_wrap() {
        let mut table = Table::new(u32::MAX - 1);
        let ids: Vec<u32> = (0..4u64).map(|n| table.insert(n, n)).collect();
        assert_eq!(ids, [u32::MAX - 1, u32::MAX, 0, 1]);
        assert_eq!(table.find(u32::MAX - 2), Found::Unknown);
        assert_eq!(table.remove(ids[1]), Some(1));
        assert_eq!((table.find(ids[1]), table.remove(ids[1])), (Found::Answered, None));
        let mut lost = Vec::new();
        table.expire(10, 10, |n| lost.push(n));
        assert_eq!(lost, [0]);
        assert_eq!((table.find(ids[0]), table.find(ids[1])), (Found::Lost, Found::Answered));
        assert_eq!((table.find(ids[2]), table.find(2)), (Found::Open, Found::Unknown));
        assert_eq!(table.open(), 2);
    }
}
