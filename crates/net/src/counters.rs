//! What the door has counted, by reason.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};

/// Callers by what became of them: `admitted`, or why they were turned away. The reasons are fixed
/// words (ours, and those of [`relay::Hello::Refused`]), so the table cannot grow without bound.
#[derive(Debug, Default)]
pub struct DoorCounters(Mutex<BTreeMap<&'static str, Tally>>);

#[derive(Clone, Copy, Debug, Default)]
struct Tally {
    total: u64,
    /// How much of it has been logged.
    logged: u64,
}

/// What the log has not yet said of one reason.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Unlogged {
    pub(crate) why: &'static str,
    pub(crate) count: u64,
}

impl DoorCounters {
    /// Every reason so far with its count.
    #[must_use]
    pub fn list(&self) -> Vec<(&'static str, u64)> {
        self.table(|table| table.iter().map(|(why, tally)| (*why, tally.total)).collect())
    }

    /// The count of one reason.
    #[must_use]
    pub fn count(&self, why: &str) -> u64 {
        self.table(|table| table.get(why).map_or(0, |tally| tally.total))
    }

    /// Counts one more; whether it is the first of its reason, which is logged at once.
    pub(crate) fn add(&self, why: &'static str) -> bool {
        self.table(|table| {
            let tally = table.entry(why).or_default();
            tally.total += 1;
            let is_first = tally.total == 1;
            tally.logged += u64::from(is_first);
            is_first
        })
    }

    /// What came since the last call, by reason; called once a minute.
    pub(crate) fn take_unlogged(&self) -> Vec<Unlogged> {
        let take = |(why, tally): (&&'static str, &mut Tally)| {
            let count = tally.total - std::mem::replace(&mut tally.logged, tally.total);
            (count > 0).then_some(Unlogged { why, count })
        };
        self.table(|table| table.iter_mut().filter_map(take).collect())
    }

    fn table<T>(&self, with: impl FnOnce(&mut BTreeMap<&'static str, Tally>) -> T) -> T {
        with(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_is_logged_at_once_and_the_rest_by_the_minute() {
        let counters = DoorCounters::default();
        assert!(counters.add("stranger"));
        assert!(!counters.add("stranger"));
        assert!(!counters.add("stranger"));
        assert_eq!(counters.take_unlogged(), [Unlogged { why: "stranger", count: 2 }]);
        assert_eq!(counters.take_unlogged(), []);
        assert!(!counters.add("stranger"));
        assert_eq!(counters.list(), [("stranger", 4)]);
        assert_eq!((counters.count("stranger"), counters.count("other")), (4, 0));
    }
}
