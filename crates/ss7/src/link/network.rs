//! Signalling network management: which destinations are out of reach, and who is to know.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{PoisonError, RwLock};

use procedure::Time;
use relay::{ConnId, Effect, Effects};

use super::frames::{self, Flow};
use super::table::Asp;
use super::{Machine, note};
use crate::config::Role;
use crate::view::m3ua::{Kind, Message, PointCode, error, tag};

/// Point codes, or ranges of them, that one peer may have said something of at the same time.
pub(crate) const DESTINATIONS_MAX: usize = 1024;
/// Point codes that one message names at most.
pub(super) const AFFECTED_MAX: usize = 128;
/// Congestion reports that are taken from one message.
const CONGESTED_MAX: usize = 16;

/// A point code, with how many of its low bits do not matter.
//= RFC 4666 §3.4.1
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Range {
    mask: u8,
    code: u32,
}

impl Range {
    const fn of(number: u32) -> Self {
        Self { mask: (number >> 24) as u8, code: number & 0x00ff_ffff }
    }

    fn has(self, code: u32) -> bool {
        let shift = u32::from(self.mask);
        self.code.checked_shr(shift).unwrap_or(0) == code.checked_shr(shift).unwrap_or(0)
    }

    fn covers(self, other: Self) -> bool {
        self.mask >= other.mask && self.has(other.code)
    }
}

/// What a link's peer said of destinations. The last word about a point code holds.
#[derive(Debug, Default)]
pub(super) struct Destinations {
    /// Whether it is out of reach, oldest first.
    said: RwLock<Vec<(Range, bool)>>,
    count: AtomicUsize,
}

impl Destinations {
    pub(super) fn is_unavailable(&self, code: PointCode) -> bool {
        if self.count.load(Ordering::Acquire) == 0 {
            return false;
        }
        let said = self.said.read().unwrap_or_else(PoisonError::into_inner);
        said.iter().rev().find(|(range, _)| range.has(code.0)).is_some_and(|(_, is_gone)| *is_gone)
    }

    /// Takes in what was said; false where there is no more room for it.
    fn say(&self, number: u32, is_gone: bool) -> bool {
        let mut said = self.said.write().unwrap_or_else(PoisonError::into_inner);
        let range = Range::of(number);
        said.retain(|(old, _)| !range.covers(*old));
        // That a destination is there needs saying only inside of what is not.
        let matters = is_gone || said.iter().any(|(old, _)| old.covers(range));
        let has_room = said.len() < DESTINATIONS_MAX;
        if matters && has_room {
            said.push((range, is_gone));
        }
        self.count.store(said.len(), Ordering::Release);
        has_room || !matters
    }

    fn forget(&self) -> bool {
        let mut said = self.said.write().unwrap_or_else(PoisonError::into_inner);
        said.clear();
        self.count.swap(0, Ordering::AcqRel) > 0
    }

    /// What is out of reach, as it was said.
    fn gone(&self) -> Vec<u32> {
        let said = self.said.read().unwrap_or_else(PoisonError::into_inner);
        let gone = said.iter().filter(|(_, is_gone)| *is_gone);
        gone.map(|(range, _)| u32::from(range.mask) << 24 | range.code).take(AFFECTED_MAX).collect()
    }
}

impl Machine {
    /// A message about the network.
    pub(super) fn network(
        &mut self,
        now: Time,
        conn: ConnId,
        message: &Message<'_>,
        fx: &mut Effects<'_>,
    ) {
        let frame = message.octets();
        let kind = message.kind();
        let asks = matches!(kind, Kind::DAUD);
        let is_ours = match self.config.role {
            Role::Sgp => asks || kind == Kind::SCON,
            Role::Asp => !asks,
            Role::IpspSingle { .. } | Role::IpspDouble => kind == Kind::SCON,
        };
        let is_there = self.keeper.max(self.asker.asp()) > Asp::Down;
        if !is_ours || !is_there {
            return self.complain(now, conn, error::UNEXPECTED, &[], frame, fx);
        }
        let Some(affected) = message.find(tag::AFFECTED_POINT_CODE) else {
            return self.complain(now, conn, error::MISSING_PARAMETER, &[], frame, fx);
        };
        if affected.value.is_empty() || !affected.value.len().is_multiple_of(4) {
            return self.complain(now, conn, error::PARAMETER_FIELD, &[], frame, fx);
        }
        let affected = affected.numbers();
        match kind {
            Kind::DAUD => self.audit(conn, affected, fx),
            Kind::DUNA => self.learn(affected, true, fx),
            Kind::DAVA | Kind::DRST => self.learn(affected, false, fx),
            Kind::SCON => {
                let level = message.find(tag::CONGESTION).and_then(|level| level.number());
                for number in affected.take(CONGESTED_MAX) {
                    self.state.congested(self.link, PointCode(number & 0x00ff_ffff), level);
                }
                note("a destination is congested", level.unwrap_or_default(), fx);
                fx.list.push(Effect::Tidings);
            }
            _ => note("a user part is not there (DUPU)", 0, fx),
        }
    }

    /// DAUD is answered from the true state.
    //= RFC 4666 §4.5.3
    fn audit(&self, conn: ConnId, affected: impl Iterator<Item = u32>, fx: &mut Effects<'_>) {
        let (mut there, mut gone) = (Vec::new(), Vec::new());
        for number in affected.take(AFFECTED_MAX) {
            let range = Range::of(number);
            let known = self.state.codes().iter().filter(|code| range.has(code.0));
            let mut tell = |code: PointCode| {
                let list = if self.state.is_available(code) { &mut there } else { &mut gone };
                if list.len() < AFFECTED_MAX && !list.contains(&code.0) {
                    list.push(code.0);
                }
            };
            if range.mask == 0 {
                tell(PointCode(range.code));
                continue;
            }
            let own = self.state.scope.point_codes.iter().filter(|code| range.has(code.0));
            let count = known.clone().chain(own.clone()).map(|code| tell(*code)).count();
            if count == 0 {
                gone.push(number);
            }
        }
        for (kind, list) in [(Kind::DAVA, there), (Kind::DUNA, gone)] {
            if !list.is_empty() {
                self.send(conn, frames::destinations(kind, &self.flow(), &list), fx);
            }
        }
    }

    /// DUNA, DAVA and DRST: what the peer's network can reach.
    //= RFC 4666 §4.5.1
    fn learn(&self, affected: impl Iterator<Item = u32>, is_gone: bool, fx: &mut Effects<'_>) {
        let Some(known) = self.state.destinations(self.link) else { return };
        for number in affected {
            if !known.say(number, is_gone) {
                note("too many destinations are out of reach to remember", 0, fx);
                break;
            }
        }
        self.state.bump();
        fx.list.push(Effect::Tidings);
    }

    /// What the peer said of destinations held while we were active with it.
    pub(super) fn forget_destinations(&self, fx: &mut Effects<'_>) {
        if self.state.destinations(self.link).is_some_and(Destinations::forget) {
            self.state.bump();
            fx.list.push(Effect::Tidings);
        }
    }

    /// Asks again about what is out of reach.
    //= RFC 4666 §4.5.3
    pub(super) fn audit_peer(&self, fx: &mut Effects<'_>) {
        let Some(conn) = self.conn.filter(|_| self.is_up) else { return };
        let gone = self.state.destinations(self.link).map(Destinations::gone).unwrap_or_default();
        if !gone.is_empty() {
            self.send(conn, frames::destinations(Kind::DAUD, &self.flow(), &gone), fx);
        }
    }

    /// Tells an active ASP what changed among the destinations that are not its own.
    //= RFC 4666 §4.5.1
    pub(super) fn tell_destinations(&mut self, fx: &mut Effects<'_>) {
        let Some(conn) = self.conn.filter(|_| self.config.role == Role::Sgp) else { return };
        if self.keeper != Asp::Active {
            // What it was told still holds for it, and what changes meanwhile it is told then.
            self.told_reports = None;
            return;
        }
        let state = std::sync::Arc::clone(&self.state);
        let (mut there, mut gone) = (Vec::new(), Vec::new());
        self.told_gone.resize(state.codes().len(), Some(false));
        for (code, told) in state.codes().iter().zip(&mut self.told_gone) {
            let is_gone = !self.own_codes.contains(code) && !state.is_available(*code);
            if told.replace(is_gone) != Some(is_gone) {
                if is_gone { &mut gone } else { &mut there }.push(code.0);
            }
        }
        let flow = self.flow();
        for (kind, list) in [(Kind::DUNA, gone), (Kind::DAVA, there)] {
            for some in list.chunks(AFFECTED_MAX) {
                self.send(conn, frames::destinations(kind, &flow, some), fx);
            }
        }
        self.tell_congestions(conn, &flow, fx);
    }

    /// The peer begins anew: whether it remembers what was out of reach nobody knows, so it is told
    /// of that again either way.
    pub(super) fn doubt_destinations(&mut self) {
        for told in self.told_gone.iter_mut().filter(|told| **told == Some(true)) {
            *told = None;
        }
    }

    /// Passes on what others said of congestion since this ASP became active.
    //= RFC 4666 §4.5.1
    fn tell_congestions(&mut self, conn: ConnId, flow: &Flow, fx: &mut Effects<'_>) {
        let told = self.told_reports;
        let reports = self.state.congestions(told.unwrap_or_default());
        let last = reports.last().map(|report| report.number);
        self.told_reports = Some(last.or(told).unwrap_or_default());
        for report in reports.iter().filter(|report| told.is_some() && report.from != self.link) {
            self.send(conn, frames::congestion(flow, report.code, report.level), fx);
        }
    }

    /// Where messages about the network to this peer belong.
    pub(super) fn flow(&self) -> Flow {
        let servers =
            || self.seats.iter().filter_map(|seat| self.state.scope.servers.get(seat.server));
        Flow {
            appearance: servers().find_map(|server| server.network_appearance),
            contexts: servers().filter_map(|server| server.routing_context).collect(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_word_about_a_range_holds() {
        let known = Destinations::default();
        let gone = |code| known.is_unavailable(PointCode(code));
        assert!(!gone(5));
        assert!(known.say(5, true) && gone(5) && !gone(4));
        assert!(known.say(0x0300_0000, true), "codes 0 to 7");
        assert!(gone(0) && gone(7) && !gone(8));
        assert!(known.say(5, false) && !gone(5) && gone(4));
        assert!(known.say(0x0300_0007, false));
        assert!(!gone(0) && !gone(5));
        assert_eq!(known.count.load(Ordering::Relaxed), 0, "nothing is left to remember");
        assert!(known.say(0xff00_0001, true) && gone(0x3fff), "all of them");
        assert!(known.forget() && !gone(1) && !known.forget());
    }

    #[test]
    fn there_is_room_for_so_many() {
        let known = Destinations::default();
        for code in 0..DESTINATIONS_MAX as u32 {
            assert!(known.say(2 * code, true));
        }
        assert!(!known.say(0x3fff, true));
        assert!(known.say(0, false) && known.say(0x3fff, true));
    }
}
