//! The checker: holds every outstanding request of one connection and judges every answer.
//!
//! Time is an argument, in nanoseconds since a start of the caller's choosing. Requests are numbered
//! in the order they are sent, and the number is in all three places an answer must return:
//! Hop-by-Hop (with the connection's number above it), End-to-End and Session-Id. So a request is
//! found by subtraction, and an answer that belongs elsewhere cannot look right.

use std::collections::{HashSet, VecDeque};

use crate::diameter::parse::{Message, Outcome};
use crate::diameter::{S6A, avp};
use crate::ids;
use crate::tally::Tally;

/// Digits of the request's number at the end of each Session-Id.
pub const SESSION_DIGITS: usize = 10;
const HOP_BITS: u32 = 24;
const HOP_MASK: u64 = (1 << HOP_BITS) - 1;
/// Lost requests that are remembered, to tell a late answer from a foreign one.
const REMEMBERED_LOST: usize = 1 << 20;

#[derive(Debug)]
struct Entry<T> {
    /// When it should have been sent; latency counts from here.
    intended: u64,
    /// When it was sent; the timeout counts from here.
    sent: u64,
    command: u32,
    /// Taken when the request ends.
    tag: Option<T>,
}

/// The identifiers of a new request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ids {
    /// Hop-by-Hop Identifier.
    pub hop_by_hop: u32,
    /// End-to-End Identifier.
    pub end_to_end: u32,
    /// The number to write at the end of the Session-Id.
    pub number: u64,
}

/// What the checker says of an answer; the tally has counted it already.
#[derive(Debug, PartialEq, Eq)]
pub enum Verdict<T> {
    /// The right answer to an outstanding request.
    Answered(T, Outcome),
    /// An answer whose fields contradict the request that its Hop-by-Hop names, which is ended
    /// (`Some`), or that fits no request (`None`).
    Mismatched(Option<T>),
    /// The request was answered before.
    Duplicated,
    /// The request had been counted as lost.
    Late,
}

/// Outstanding requests of one connection. `T` is what the caller wants back with the answer.
#[derive(Debug)]
pub struct Checker<T> {
    connection: u32,
    base_e2e: u32,
    session_prefix: Vec<u8>,
    /// The number of the first entry.
    front: u64,
    entries: VecDeque<Entry<T>>,
    outstanding: usize,
    lost: HashSet<u64>,
    /// Numbers below this went out on an earlier connection.
    since: u64,
    /// The counters.
    pub tally: Tally,
}

impl<T> Checker<T> {
    /// A checker for the connection numbered `connection` (its low 8 bits stand in Hop-by-Hop).
    /// Session-Ids are `session_prefix` and ten digits; End-to-End starts at `base_e2e`.
    #[must_use]
    pub fn new(connection: u32, base_e2e: u32, session_prefix: &str) -> Self {
        Self {
            connection,
            base_e2e,
            session_prefix: session_prefix.as_bytes().to_vec(),
            front: 0,
            entries: VecDeque::new(),
            outstanding: 0,
            lost: HashSet::new(),
            since: 0,
            tally: Tally::default(),
        }
    }

    /// Requests that wait for their answer.
    #[must_use]
    pub fn outstanding(&self) -> usize {
        self.outstanding
    }

    /// Enters a request that is sent now and gives it its identifiers.
    pub fn issue(&mut self, command: u32, tag: T, intended: u64, now: u64) -> Ids {
        let number = self.front + u64::try_from(self.entries.len()).unwrap_or(0);
        self.entries.push_back(Entry { intended, sent: now, command, tag: Some(tag) });
        self.outstanding += 1;
        self.tally.sent += 1;
        Ids {
            hop_by_hop: (self.connection << HOP_BITS) | low32(number & HOP_MASK),
            end_to_end: self.end_to_end(number),
            number,
        }
    }

    fn end_to_end(&self, number: u64) -> u32 {
        self.base_e2e.wrapping_add(low32(number))
    }

    /// Judges an answer that came at `now`, and counts it.
    //= RFC 6733 §6.2
    // An answer has the request's Hop-by-Hop, End-to-End, command, application and Session-Id.
    pub fn judge(&mut self, answer: &Message<'_>, now: u64) -> Verdict<T> {
        let Some(number) = self.number_of(answer.hop_by_hop) else { return self.foreign() };
        let (session, outcome) = essentials(answer);
        let right = answer.end_to_end == self.end_to_end(number)
            && answer.application == S6A
            && self.session_number(session) == Some(number % 10_000_000_000);
        let index = number.checked_sub(self.front).and_then(|i| usize::try_from(i).ok());
        let Some(entry) = index.and_then(|i| self.entries.get_mut(i)) else {
            return if right { self.settled_before(number) } else { self.foreign() };
        };
        let right = right && entry.command == answer.command;
        let intended = entry.intended;
        match (entry.tag.take(), right) {
            (Some(tag), true) => {
                self.outstanding -= 1;
                self.tally.answer(outcome, now.saturating_sub(intended));
                self.trim();
                Verdict::Answered(tag, outcome)
            }
            (Some(tag), false) => {
                self.outstanding -= 1;
                self.tally.spoiled += 1;
                self.tally.mismatched += 1;
                self.trim();
                Verdict::Mismatched(Some(tag))
            }
            (None, true) => self.settled_before(number),
            (None, false) => self.foreign(),
        }
    }

    fn foreign(&mut self) -> Verdict<T> {
        self.tally.mismatched += 1;
        Verdict::Mismatched(None)
    }

    /// An answer to a request that has ended: lost before, or answered before.
    fn settled_before(&mut self, number: u64) -> Verdict<T> {
        if self.lost.remove(&number) {
            self.tally.late += 1;
            return Verdict::Late;
        }
        self.tally.duplicated += 1;
        Verdict::Duplicated
    }

    /// The request's number, if the Hop-by-Hop can be one of this connection's.
    fn number_of(&self, hop_by_hop: u32) -> Option<u64> {
        if hop_by_hop >> HOP_BITS != self.connection & 0xff {
            return None;
        }
        // The number next to `front` that has these low bits.
        let distance = u64::from(hop_by_hop).wrapping_sub(self.front) & HOP_MASK;
        let number = if distance > HOP_MASK / 2 {
            self.front.checked_sub(HOP_MASK + 1 - distance)?
        } else {
            self.front + distance
        };
        let next = self.front + u64::try_from(self.entries.len()).unwrap_or(0);
        (self.since..next).contains(&number).then_some(number)
    }

    fn session_number(&self, session: &[u8]) -> Option<u64> {
        let rest = session.strip_prefix(self.session_prefix.as_slice())?;
        if rest.len() == SESSION_DIGITS { ids::number(rest) } else { None }
    }

    fn trim(&mut self) {
        while self.entries.pop_front_if(|e| e.tag.is_none()).is_some() {
            self.front += 1;
        }
    }

    /// Ends every request that was sent longer than `timeout` before `now`, and gives its tag.
    pub fn expire(&mut self, now: u64, timeout: u64, mut lost: impl FnMut(T)) {
        let over = |e: &mut Entry<T>| e.tag.is_none() || e.sent.saturating_add(timeout) <= now;
        while let Some(entry) = self.entries.pop_front_if(over) {
            if let Some(tag) = entry.tag {
                self.outstanding -= 1;
                self.tally.lost += 1;
                if self.lost.len() < REMEMBERED_LOST {
                    self.lost.insert(self.front);
                }
                lost(tag);
            }
            self.front += 1;
        }
    }

    /// Ends every request, because the connection is gone, and gives their tags.
    pub fn abandon(&mut self, mut gone: impl FnMut(T)) {
        while let Some(entry) = self.entries.pop_front() {
            if let Some(tag) = entry.tag {
                self.tally.asker_gone += 1;
                gone(tag);
            }
            self.front += 1;
        }
        self.outstanding = 0;
        self.since = self.front;
        self.lost.clear();
    }
}

fn low32(value: u64) -> u32 {
    u32::try_from(value & 0xffff_ffff).unwrap_or(0)
}

fn essentials<'a>(answer: &Message<'a>) -> (&'a [u8], Outcome) {
    let (mut session, mut outcome) = (&[][..], Outcome::Absent);
    for found in answer.avps().map_while(Result::ok) {
        if found.is_base(avp::SESSION_ID) {
            session = found.data;
        } else if outcome == Outcome::Absent {
            outcome = Outcome::of(&found).unwrap_or(outcome);
        }
    }
    (session, outcome)
}
