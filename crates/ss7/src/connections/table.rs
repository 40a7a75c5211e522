//! The connections that pass through us, by our own references. Shared by all workers behind one
//! lock: a connection is rare beside what needs none.

use std::collections::VecDeque;

use procedure::{Symbol, Time};

use crate::correlate::mix;
use crate::view::m3ua::PointCode;
use crate::view::sccp::connection::Reference;

/// Connections that may be open at the same time; one more is refused.
pub const CONNECTIONS_MAX: usize = 16_000;
/// Connections that one server may have opened, so that no peer takes all of them.
pub const SERVER_CONNECTIONS_MAX: usize = 4_000;
/// Places that are looked at for something overdue whenever a connection opens.
const SWEEP: usize = 8;
/// Between two looks at all places, where there is no room.
const SWEEP_ALL_MS: u64 = 1_000;

/// A reference of ours is an age, a place and a side.
const AGE_BITS: u32 = 9;
const PLACE_BITS: u32 = 14;
/// All ones is nobody's reference, and never one of ours.
//= Q.713 §3.2
const _: () = assert!(CONNECTIONS_MAX < (1 << PLACE_BITS) - 1);
const _: () = assert!(AGE_BITS + PLACE_BITS + 1 == 24);

/// Which end of a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Side {
    /// Who opened it.
    Opener,
    /// Whom it was opened to.
    Other,
}

impl Side {
    pub(crate) const fn across(self) -> Self {
        match self {
            Self::Opener => Self::Other,
            Self::Other => Self::Opener,
        }
    }
}

/// One end of a connection, and our section to it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct End {
    /// The server it is behind.
    pub(crate) server: Symbol,
    /// Its point code.
    pub(crate) code: PointCode,
    /// Our point code toward it.
    pub(crate) own: PointCode,
    /// How it numbers the connection; `None` until it has said so.
    pub(crate) reference: Option<Reference>,
}

/// Names a connection. A name of one that is over names nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Place {
    index: u16,
    age: u16,
}

/// An open connection.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Open {
    /// The opener's end and the other.
    ends: [End; 2],
    /// One end has said that it is over.
    pub(crate) releases: bool,
    /// When it is over although nobody said so.
    pub(crate) deadline: Time,
}

impl Open {
    pub(crate) const fn end(&self, side: Side) -> &End {
        let [opener, other] = &self.ends;
        match side {
            Side::Opener => opener,
            Side::Other => other,
        }
    }

    pub(crate) const fn bind(&mut self, reference: Reference) {
        let [_, other] = &mut self.ends;
        other.reference = Some(reference);
    }
}

#[derive(Debug)]
struct Slot {
    age: u16,
    open: Option<Open>,
}

/// All of them.
#[derive(Debug)]
pub(crate) struct Connections {
    secret: u64,
    slots: Vec<Slot>,
    /// Places that were used before, the longest unused in front.
    free: VecDeque<u16>,
    /// How many each server has opened.
    opened: Vec<(Symbol, usize)>,
    hand: usize,
    swept: Option<Time>,
}

impl Connections {
    pub(crate) const fn new(secret: u64) -> Self {
        Self {
            secret,
            slots: Vec::new(),
            free: VecDeque::new(),
            opened: Vec::new(),
            hand: 0,
            swept: None,
        }
    }

    /// Opens a connection between two ends; `None` where there is no room.
    pub(crate) fn open(&mut self, now: Time, ends: [End; 2], deadline: Time) -> Option<Place> {
        self.sweep(now, SWEEP);
        let [End { server, .. }, _] = ends;
        if !self.has_room(server) {
            let is_due = self.swept.is_none_or(|swept| swept.plus_ms(SWEEP_ALL_MS) <= now);
            if !is_due {
                return None;
            }
            self.swept = Some(now);
            self.sweep(now, self.slots.len());
            if !self.has_room(server) {
                return None;
            }
        }
        let index = self.take_place()?;
        let slot = self.slots.get_mut(usize::from(index))?;
        slot.open = Some(Open { ends, releases: false, deadline });
        let age = slot.age;
        *self.opened_by(server) += 1;
        Some(Place { index, age })
    }

    /// A place whose references were not in use for as long as can be.
    //= Q.714 §3.3
    fn take_place(&mut self) -> Option<u16> {
        if self.slots.len() >= CONNECTIONS_MAX {
            return self.free.pop_front();
        }
        let index = u16::try_from(self.slots.len()).ok()?;
        // After a restart the numbers are others than before.
        let age = mix(self.secret, u64::from(index)) as u16 & ((1 << AGE_BITS) - 1);
        self.slots.push(Slot { age, open: None });
        Some(index)
    }

    fn has_room(&mut self, server: Symbol) -> bool {
        let has_place = self.slots.len() < CONNECTIONS_MAX || !self.free.is_empty();
        has_place && *self.opened_by(server) < SERVER_CONNECTIONS_MAX
    }

    /// There are no more of these than servers.
    fn opened_by(&mut self, server: Symbol) -> &mut usize {
        let place = self.opened.iter().position(|(name, _)| *name == server);
        let place = place.unwrap_or_else(|| {
            self.opened.push((server, 0));
            self.opened.len() - 1
        });
        #[allow(clippy::indexing_slicing, reason = "it was found or added just now")]
        &mut self.opened[place].1
    }

    /// The connection that a reference of ours names, and which end knows it by that.
    pub(crate) fn find(&mut self, now: Time, reference: Reference) -> Option<(Place, Side)> {
        let [a, b, c] = reference;
        let number = u32::from_be_bytes([0, a, b, c]);
        let side = if number & 1 == 0 { Side::Opener } else { Side::Other };
        let index = (number >> 1) as u16 & ((1 << PLACE_BITS) - 1);
        let place = Place { index, age: (number >> (PLACE_BITS + 1)) as u16 };
        if self.get(place)?.deadline <= now {
            self.close(place);
            return None;
        }
        Some((place, side))
    }

    pub(crate) fn get(&mut self, place: Place) -> Option<&mut Open> {
        let slot = self.slots.get_mut(usize::from(place.index))?;
        if slot.age == place.age { slot.open.as_mut() } else { None }
    }

    /// The connection is over; whether it was open.
    pub(crate) fn close(&mut self, place: Place) -> bool {
        let Some(slot) = self.slots.get_mut(usize::from(place.index)) else { return false };
        if slot.age != place.age {
            return false;
        }
        let Some(ended) = slot.open.take() else { return false };
        slot.age = (slot.age + 1) & ((1 << AGE_BITS) - 1);
        self.free.push_back(place.index);
        let opened = self.opened_by(ended.end(Side::Opener).server);
        *opened = opened.saturating_sub(1);
        true
    }

    /// Looks at so many places for what is overdue.
    fn sweep(&mut self, now: Time, places: usize) {
        for _ in 0..places.min(self.slots.len()) {
            self.hand = if self.hand + 1 < self.slots.len() { self.hand + 1 } else { 0 };
            let Some(slot) = self.slots.get(self.hand) else { return };
            if slot.open.is_some_and(|open| open.deadline <= now) {
                let (Ok(index), age) = (u16::try_from(self.hand), slot.age) else { return };
                self.close(Place { index, age });
            }
        }
    }
}

/// How we number a connection toward one of its ends.
pub(crate) fn reference(place: Place, side: Side) -> Reference {
    let side = u32::from(side == Side::Other);
    let number = u32::from(place.age) << (PLACE_BITS + 1) | u32::from(place.index) << 1 | side;
    let [_, a, b, c] = number.to_be_bytes();
    [a, b, c]
}

#[cfg(test)]
mod tests;
