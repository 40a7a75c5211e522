//! What the log is told of each link, and when it has heard enough.

use std::collections::HashMap;

use procedure::{LinkId, Time};

/// Lines that one link may cause in a minute; a peer that comes and goes must not fill the disk.
pub(crate) const LINK_LINES_MAX: u32 = 20;
const MINUTE_MS: u64 = 60_000;

/// The lines of every link of a worker.
#[derive(Debug, Default)]
pub(crate) struct Notes(HashMap<LinkId, Budget>);

#[derive(Debug, Default)]
struct Budget {
    /// When the link's minute ends.
    until: Time,
    lines: u32,
    left_out: u64,
}

impl Notes {
    /// Whether another line about `link` may be written, and how many were left out before it.
    pub(crate) fn admit(&mut self, now: Time, link: LinkId) -> Option<u64> {
        let budget = self.0.entry(link).or_default();
        if budget.until <= now {
            (budget.until, budget.lines) = (now.plus_ms(MINUTE_MS), 0);
        }
        if budget.lines == LINK_LINES_MAX {
            budget.left_out += 1;
            return None;
        }
        budget.lines += 1;
        Some(std::mem::take(&mut budget.left_out))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_link_that_says_too_much_waits_for_its_next_minute_and_no_other_does() {
        let mut notes = Notes::default();
        let (link, other) = (LinkId(1), LinkId(2));
        let mut now = Time::from_ms(5);
        for _ in 0..LINK_LINES_MAX {
            assert_eq!(notes.admit(now, link), Some(0));
        }
        now = now.plus_ms(MINUTE_MS - 1);
        assert_eq!(notes.admit(now, link), None);
        assert_eq!(notes.admit(now, link), None);
        assert_eq!(notes.admit(now, other), Some(0));
        now = now.plus_ms(1);
        assert_eq!(notes.admit(now, link), Some(2));
        assert_eq!(notes.admit(now, link), Some(0));
    }
}
