//! The board: what every worker and the admin API may know of every link, without asking it.
//!
//! Each cell is written by the worker that owns the link and read by all; a worker chooses another
//! worker's link by what the board says, and the owner has the last word.

use std::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};

use procedure::LinkId;

use crate::index::Index;

/// The state and counters of all links, by [`LinkId`].
#[derive(Debug)]
pub struct Board {
    cells: Box<[Cell]>,
    /// Exchanges that their two ends number themselves.
    pub(crate) index: Index,
}

#[derive(Debug, Default)]
struct Cell {
    /// Odd while traffic may pass; one more with each change, so that it also says which "up".
    generation: AtomicU32,
    /// Octets in the outbox of its connection.
    waiting_octets: AtomicU32,
    /// Octets that other workers have posted to its owner, who has not seen them yet.
    posted_octets: AtomicU32,
    /// Exchanges sent over this link that wait for their answer.
    pending: AtomicU32,
    /// An exchange got no answer over it, and nothing was heard since.
    silent: AtomicBool,
    state: Mutex<&'static str>,
    counters: Counters,
}

impl Cell {
    /// Octets that wait to be written, wherever they wait.
    fn waiting_octets(&self) -> u32 {
        let posted = self.posted_octets.load(Ordering::Relaxed);
        self.waiting_octets.load(Ordering::Relaxed).saturating_add(posted)
    }
}

/// Declares the counters once: as atomics, and as the plain values that leave.
macro_rules! counters {
    ($($(#[$doc:meta])* $name:ident),* $(,)?) => {
        #[derive(Debug, Default)]
        pub(crate) struct Counters { $(pub(crate) $name: AtomicU64),* }

        /// What a link has counted since the start.
        #[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
        pub struct LinkCounters { $($(#[$doc])* pub $name: u64),* }

        impl Counters {
            fn read(&self) -> LinkCounters {
                LinkCounters { $($name: self.$name.load(Ordering::Relaxed)),* }
            }
        }

        impl LinkCounters {
            /// Each counter's name and value, for tables and metrics.
            #[must_use]
            pub fn list(&self) -> Vec<(&'static str, u64)> {
                vec![$((stringify!($name), self.$name)),*]
            }
        }
    };
}

counters! {
    /// Times traffic was allowed to pass.
    ups,
    /// Connections made, by either side.
    connections,
    /// Attempts of ours to connect that failed.
    connect_failures,
    /// Frames received, base protocol included.
    frames_in,
    /// Frames of traffic queued to leave.
    frames_out,
    /// Octets received.
    octets_in,
    /// Octets written.
    octets_out,
    /// Requests received.
    requests_in,
    /// Answers that no open exchange waited for.
    strays_in,
    /// Frames that could not be read.
    malformed_in,
    /// Exchanges that moved to another link because this one died.
    failovers,
    /// Exchanges that got no answer over this link in time.
    expiries,
    /// Answers that could not go back because this link was gone.
    undelivered,
}

/// One link's line on the board.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LinkStatus {
    /// Traffic may pass.
    pub up: bool,
    /// The standard's name of its machine's state.
    pub state: &'static str,
    /// Octets that wait to be written.
    pub waiting_octets: u32,
    /// Exchanges sent over it that wait for their answer.
    pub pending: u32,
    /// Since the start.
    pub counters: LinkCounters,
}

impl Board {
    /// A board for `links` links, all down.
    #[must_use]
    pub fn new(links: usize) -> Self {
        Self { cells: (0..links).map(|_| Cell::default()).collect(), index: Index::default() }
    }

    /// How many links there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.cells.len()
    }

    /// Whether there is no link at all.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.cells.is_empty()
    }

    /// What the board says of one link.
    #[must_use]
    pub fn status(&self, link: LinkId) -> Option<LinkStatus> {
        let cell = self.cell(link)?;
        Some(LinkStatus {
            up: cell.generation.load(Ordering::Acquire) % 2 == 1,
            state: *cell.state.lock().unwrap_or_else(PoisonError::into_inner),
            waiting_octets: cell.waiting_octets(),
            pending: cell.pending.load(Ordering::Relaxed),
            counters: cell.counters.read(),
        })
    }

    /// The generation of a link that is up.
    pub(crate) fn up(&self, link: LinkId) -> Option<u32> {
        let generation = self.cell(link)?.generation.load(Ordering::Acquire);
        (generation % 2 == 1).then_some(generation)
    }

    /// Marks a link up or down; the new generation.
    pub(crate) fn set_up(&self, link: LinkId, up: bool) -> u32 {
        let Some(cell) = self.cell(link) else { return 0 };
        let now = cell.generation.load(Ordering::Relaxed);
        let next = if (now % 2 == 1) == up { now } else { now.wrapping_add(1) };
        cell.silent.store(false, Ordering::Relaxed);
        cell.generation.store(next, Ordering::Release);
        next
    }

    pub(crate) fn set_state(&self, link: LinkId, state: &'static str) {
        if let Some(cell) = self.cell(link) {
            *cell.state.lock().unwrap_or_else(PoisonError::into_inner) = state;
        }
    }

    pub(crate) fn waiting_octets(&self, link: LinkId) -> u32 {
        self.cell(link).map_or(0, Cell::waiting_octets)
    }

    pub(crate) fn set_waiting_octets(&self, link: LinkId, octets: usize) {
        if let Some(cell) = self.cell(link) {
            cell.waiting_octets.store(u32::try_from(octets).unwrap_or(u32::MAX), Ordering::Relaxed);
        }
    }

    /// Notes octets that were posted to a link's owner, or that came there.
    pub(crate) fn posted_add(&self, link: LinkId, octets: usize, add: bool) {
        let octets = u32::try_from(octets).unwrap_or(u32::MAX);
        if let Some(cell) = self.cell(link) {
            if add {
                cell.posted_octets.fetch_add(octets, Ordering::Relaxed);
            } else {
                cell.posted_octets.fetch_sub(octets, Ordering::Relaxed);
            }
        }
    }

    /// Whether an exchange got no answer over a link, and nothing was heard of its peer since.
    pub(crate) fn is_silent(&self, link: LinkId) -> bool {
        self.cell(link).is_some_and(|cell| cell.silent.load(Ordering::Relaxed))
    }

    pub(crate) fn set_silent(&self, link: LinkId, silent: bool) {
        // Mostly it is so already, and others read the line.
        if let Some(cell) = self.cell(link).filter(|_| self.is_silent(link) != silent) {
            cell.silent.store(silent, Ordering::Relaxed);
        }
    }

    pub(crate) fn pending_add(&self, link: LinkId, add: bool) {
        if let Some(cell) = self.cell(link) {
            if add {
                cell.pending.fetch_add(1, Ordering::Relaxed);
            } else {
                cell.pending.fetch_sub(1, Ordering::Relaxed);
            }
        }
    }

    pub(crate) fn count(&self, link: LinkId, counter: impl Fn(&Counters) -> &AtomicU64, by: u64) {
        if let Some(cell) = self.cell(link) {
            counter(&cell.counters).fetch_add(by, Ordering::Relaxed);
        }
    }

    fn cell(&self, link: LinkId) -> Option<&Cell> {
        self.cells.get(link.0 as usize)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_up_is_another_generation() {
        let board = Board::new(1);
        let link = LinkId(0);
        assert_eq!(board.up(link), None);
        let first = board.set_up(link, true);
        assert_eq!(board.set_up(link, true), first);
        assert_eq!(board.up(link), Some(first));
        board.set_up(link, false);
        assert_eq!(board.up(link), None);
        assert_ne!(board.set_up(link, true), first);
        assert_eq!(board.up(LinkId(9)), None);
    }
}
