//! One subscriber in one visited country: what steering has done to them. 40 octets.
//!
//! An **episode** begins with the first refusal. It ends when the subscriber is **held**: accepted
//! on a network, by exit control or by the home network's own yes, and left there for a while; or
//! when they reached a preferred network and were not refused for as long as an episode may last;
//! or when it is [`FORGET`] old. Only then can refusals begin again, so that never more of them than
//! a plan allows fall into any stretch of an episode's length.

use procedure::{Domain, Exit, Plmn};

use super::cells::Place;
use super::packed::{
    DOMAINS, FAILED, FAILED_MAX, Flags, Key, LATEST, NEXT, Slot, Tick, domain_bit, fold, pack,
    short, unpack,
};

/// Most forced refusals of one subscriber on one network, whatever a plan says.
pub const REFUSALS_MAX: u8 = 4;
/// Networks that are told apart within one episode; on a further one the subscriber is accepted.
pub const NETWORKS_MAX: usize = 4;
/// Verdicts kept for repeats: one attach reaches us over up to three domains.
pub const RECENTS_MAX: usize = 3;

/// How long a sender may repeat a message; a stored verdict is replayed for so long.
//= RFC 6733 §3
const REPEAT: Tick = Tick::from_ms(240_000);
/// A subscriber whose refusals began so long ago, and who was not accepted since, begins afresh.
pub(crate) const FORGET: Tick = Tick::from_ms(3_600_000);

/// How long somebody whom a preferred network accepted counts as settled there, without word of them.
const WELCOME: Tick = Tick::from_ms(86_400_000);

/// How far a plan may go.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Limits {
    /// Forced refusals on one network.
    pub(crate) refusals: u8,
    /// Forced refusals in one episode.
    pub(crate) total: u8,
    /// Refusals on one network, no other having been tried, after which the device is taken as set
    /// to that network.
    pub(crate) returns: u8,
    /// From the first refusal on, refusals only for so long.
    pub(crate) episode: Tick,
    /// How long an accepted subscriber is left in peace.
    pub(crate) hold: Tick,
    /// Messages of other domains inside this time belong to the same attempt.
    pub(crate) coalesce: Tick,
    /// What asks again sooner than this is no handset: the visited network itself insists.
    pub(crate) resend: Tick,
    /// Whether there is a preferred network to go to.
    pub(crate) available: bool,
}

/// One message that asks to register on a network that is not preferred.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Ask {
    pub(crate) network: Plmn,
    pub(crate) domain: Domain,
    pub(crate) exchange: u64,
}

/// What steering says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Said {
    /// No, for this time on this network.
    Refused { attempt: u8 },
    /// Gave in, after so many refusals.
    Exited { exit: Exit, attempt: u8 },
    /// Was accepted before and is held.
    Settled,
}

/// How it came to what is said.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum How {
    /// By the rules, and counted.
    Decided,
    /// Another domain of an attempt that was decided on.
    Coalesced,
    /// A repeat of a message that was decided on.
    Replayed,
    /// Asked again faster than a handset can.
    Resent,
}

/// The memory of one subscriber.
#[derive(Clone, Debug)]
pub(crate) struct Episode {
    key: Key,
    /// When the episode began; of a held subscriber, until when.
    stamp: Tick,
    /// The recent exchanges, folded.
    recents: [u32; RECENTS_MAX],
    /// When the latest attempt was counted, in ticks since the episode began.
    counted: u16,
    /// Where the subscriber was refused: a cell of what has been learned.
    pub(crate) area: u16,
    slots: [Slot; NETWORKS_MAX],
    flags: Flags,
}

const _: () = assert!(size_of::<Episode>() == 40);

impl Episode {
    pub(crate) const fn new(key: Key, now: Tick) -> Self {
        Self {
            key,
            stamp: now,
            recents: [0; RECENTS_MAX],
            counted: 0,
            area: Place::NONE.0,
            slots: [Slot(0); NETWORKS_MAX],
            flags: Flags(0),
        }
    }

    pub(crate) const fn key(&self) -> Key {
        self.key
    }

    /// Whether there is nothing left in it that anybody may ask for.
    pub(crate) fn is_over(&self, now: Tick) -> bool {
        now >= match self.is_held() {
            true => self.stamp,
            false if self.is_settled() => self.stamp.plus(WELCOME),
            false => self.stamp.plus(FORGET),
        }
    }

    /// Whether it may make room for another: what a device did in its last episode is worth more
    /// than nothing.
    pub(crate) fn is_idle(&self, now: Tick) -> bool {
        let kept = if self.was_stubborn() { FORGET } else { Tick::ZERO };
        now.since(kept) >= self.stamp && self.is_over(now)
    }

    pub(crate) const fn is_held(&self) -> bool {
        self.flags.has(Flags::HELD)
    }

    /// When the episode began; nothing while the subscriber is held.
    pub(crate) fn since(&self) -> Option<Tick> {
        (!self.is_held()).then_some(self.stamp)
    }

    /// Whether refusals did not move the device before this episode.
    pub(crate) const fn was_stubborn(&self) -> bool {
        self.flags.has(Flags::STUBBORN)
    }

    /// Whether a preferred network accepted the subscriber since the episode began.
    pub(crate) const fn has_reached(&self) -> bool {
        self.flags.has(Flags::REACHED)
    }

    /// Forced refusals in this episode.
    pub(crate) fn refusals(&self) -> u32 {
        self.slots.iter().map(|slot| u32::from(slot.refusals())).sum()
    }

    /// Whether all these preferred networks, as bits, failed this subscriber.
    pub(crate) const fn failed_all(&self, networks: u32) -> bool {
        networks != 0 && self.flags.get(FAILED, FAILED_MAX) & networks == networks
    }

    /// A preferred network failed this subscriber.
    pub(crate) const fn fail(&mut self, place: u32) {
        if place < FAILED_MAX {
            let failed = self.flags.get(FAILED, FAILED_MAX) | 1 << place;
            self.flags.put(FAILED, FAILED_MAX, failed);
        }
    }

    /// Where and since when the subscriber was refused, unless that has led somewhere already.
    pub(crate) fn trial(&self, now: Tick, limits: &Limits) -> Option<(u16, Tick)> {
        let open = self.refusals() > 0 && !self.has_reached() && !self.ends(now, limits);
        self.since().filter(|_| open).map(|since| (self.area, since))
    }

    fn ends(&self, now: Tick, limits: &Limits) -> bool {
        let quiet = now.since(self.last()) >= limits.episode;
        self.is_over(now) || (self.has_reached() && !self.is_held() && quiet)
    }

    /// Begins afresh where the time of what is remembered has come.
    fn renew(&mut self, now: Tick, limits: &Limits) {
        if self.ends(now, limits) {
            let stubborn = self.was_stubborn();
            let area = self.area;
            *self = Self { area, ..Self::new(self.key, now) };
            self.flags.set(Flags::STUBBORN, stubborn);
        }
    }

    /// Decides, and counts what it refuses. `give_in` is asked last: what the plan and its
    /// neighbourhood know against a refusal that the counts would allow.
    pub(crate) fn ask(
        &mut self,
        now: Tick,
        limits: &Limits,
        ask: Ask,
        give_in: impl FnOnce(&Self) -> Option<Exit>,
    ) -> (Said, How) {
        if self.is_held() && !self.is_over(now) {
            return (Said::Settled, How::Decided);
        }
        if let Some(said) = self.replay(now, ask) {
            return (said, How::Replayed);
        }
        self.renew(now, limits);
        let place = self.place(ask.network);
        if let Some((said, how)) = self.again(now, limits, ask, place) {
            return (said, how);
        }
        let slot = place.and_then(|place| self.slots.get(place).copied());
        let attempt = slot.map_or(0, Slot::refusals);
        let said = match self.exit(now, limits, slot).or_else(|| give_in(self)) {
            Some(exit) => Said::Exited { exit, attempt },
            None => Said::Refused { attempt: attempt + 1 },
        };
        self.note_attempt(ask.domain, place);
        match said {
            Said::Refused { .. } => self.count(now, ask.network, place),
            // The home's trouble says nothing of where the subscriber is.
            Said::Exited { exit: Exit::HomeFailing, .. } => {}
            _ => self.settle(now, limits, ask.network),
        }
        self.remember(ask.exchange, said);
        (said, How::Decided)
    }

    /// The home network accepted the subscriber on a network that the plan does not prefer, or on
    /// one whose settled subscribers are to be known.
    pub(crate) fn settle(&mut self, now: Tick, limits: &Limits, network: Plmn) {
        if self.is_held() && self.is_over(now) {
            *self = Self::new(self.key, now);
        }
        let until = now.plus(limits.hold);
        if !self.is_held() && self.refusals() > 0 {
            self.flags.set(Flags::STUBBORN, !self.has_reached());
        }
        self.stamp = if self.is_held() { self.stamp.max(until) } else { until };
        self.flags.set(Flags::HELD, true);
        let place = self.place(network).unwrap_or(0);
        if let Some(slot) = self.slots.get_mut(place) {
            let same = slot.network() == Slot::name(network);
            let refusals = if same { u16::from(slot.refusals()) } else { 0 };
            *slot = Slot(Slot::new(Slot::name(network)).0 | Slot::SETTLED | refusals);
        }
    }

    /// Whether the subscriber was accepted on this network.
    pub(crate) fn is_settled_on(&self, network: Plmn) -> bool {
        let name = Slot::name(network);
        self.slots.iter().any(|slot| slot.is_settled() && slot.network() == name)
    }

    /// Whether the subscriber was accepted on any network.
    pub(crate) fn is_settled(&self) -> bool {
        self.slots.iter().any(|slot| slot.is_settled())
    }

    /// Whether the subscriber was refused on this network.
    pub(crate) fn is_asked_on(&self, network: Plmn) -> bool {
        let name = Slot::name(network);
        self.slots.iter().any(|slot| slot.refusals() > 0 && slot.network() == name)
    }

    /// The home network accepted the subscriber on a preferred network; whether that is news.
    pub(crate) const fn reach(&mut self) -> bool {
        let news = !self.has_reached() && !self.is_held();
        self.flags.set(Flags::REACHED, true);
        news
    }

    /// The same of a plan that keeps shares: whoever is settled there is never moved for them.
    pub(crate) fn welcome(&mut self, now: Tick, network: Plmn) -> bool {
        let news = self.reach();
        if !self.is_held() && self.refusals() == 0 {
            self.stamp = now;
        }
        if let Some(slot) = self.place(network).and_then(|place| self.slots.get_mut(place)) {
            let refusals = u16::from(slot.refusals());
            *slot = Slot(Slot::new(Slot::name(network)).0 | Slot::SETTLED | refusals);
        }
        news
    }

    /// The first refusals of this episode were met elsewhere, then.
    pub(crate) fn began(&mut self, since: Tick) {
        let counted = self.last();
        self.stamp = since;
        self.counted = short(counted.since(since));
    }

    /// Counts a refusal of the run before this one.
    pub(crate) fn refused_before(
        &mut self,
        then: Tick,
        limits: &Limits,
        network: Plmn,
        attempt: u8,
    ) {
        self.renew(then, limits);
        if self.refusals() == 0 {
            self.stamp = then;
        }
        self.counted = short(then.since(self.stamp));
        self.suppose(network, attempt);
    }

    /// Counts refusals that happened before or are supposed.
    pub(crate) fn suppose(&mut self, network: Plmn, refusals: u8) {
        if let Some(slot) = self.place(network).and_then(|place| self.slots.get_mut(place)) {
            let settled = slot.0 & Slot::SETTLED;
            let refusals = refusals.min(7);
            *slot = Slot(Slot::new(Slot::name(network)).0 | settled | u16::from(refusals));
        }
    }

    /// When the latest attempt was counted; the beginning where none was.
    fn last(&self) -> Tick {
        self.stamp.plus(Tick::of_short(self.counted))
    }

    fn replay(&self, now: Tick, ask: Ask) -> Option<Said> {
        let folded = fold(ask.exchange)?;
        if now.since(self.last()) > REPEAT {
            return None;
        }
        let recent = self.recents.iter().position(|recent| *recent == folded)?;
        self.said(recent, self.place(ask.network))
    }

    /// A message of another domain in the same attempt, or the same again at once: the same verdict,
    /// counted once.
    fn again(
        &mut self,
        now: Tick,
        limits: &Limits,
        ask: Ask,
        place: Option<usize>,
    ) -> Option<(Said, How)> {
        let latest = self.flags.get(LATEST, 2) as usize;
        let same_network = self.flags.has(Flags::PLACED) && place == Some(latest);
        let age = now.since(self.last());
        let domains = self.flags.get(DOMAINS, 4);
        let bit = domain_bit(ask.domain);
        let is_new = domains & bit == 0;
        if !same_network || domains == 0 {
            return None;
        }
        let before = (self.flags.get(NEXT, 2) as usize + RECENTS_MAX - 1) % RECENTS_MAX;
        let said = self.said(before, place)?;
        let how = if is_new && age <= limits.coalesce {
            How::Coalesced
        } else if age < limits.resend
            && now.since(self.stamp) < limits.episode
            && matches!(said, Said::Refused { .. })
        {
            // As long as it goes on like this it is one attempt.
            self.counted = short(now.since(self.stamp));
            How::Resent
        } else {
            return None;
        };
        self.flags.put(DOMAINS, 4, domains | bit);
        self.remember(ask.exchange, said);
        Some((said, how))
    }

    fn exit(&self, now: Tick, limits: &Limits, slot: Option<Slot>) -> Option<Exit> {
        let total = self.refusals();
        let here = slot.map_or(0, Slot::refusals);
        if !limits.available {
            Some(Exit::NoPreferred)
        } else if here >= limits.refusals.min(REFUSALS_MAX) {
            Some(Exit::Attempts)
        } else if slot.is_none() || total >= u32::from(limits.total) {
            Some(Exit::Total)
        } else if total > 0 && now.since(self.stamp) >= limits.episode {
            Some(Exit::Time)
        } else if here >= limits.returns && total == u32::from(here) {
            Some(Exit::Returns)
        } else {
            None
        }
    }

    fn note_attempt(&mut self, domain: Domain, place: Option<usize>) {
        self.flags.put(DOMAINS, 4, domain_bit(domain));
        self.flags.set(Flags::PLACED, place.is_some());
        self.flags.put(LATEST, 2, place.unwrap_or(0) as u32);
    }

    fn count(&mut self, now: Tick, network: Plmn, place: Option<usize>) {
        if self.refusals() == 0 {
            self.stamp = now;
        }
        // Wherever they had arrived, they are there no more.
        self.flags.set(Flags::REACHED, false);
        self.counted = short(now.since(self.stamp));
        if let Some(slot) = place.and_then(|place| self.slots.get_mut(place)) {
            let settled = slot.0 & Slot::SETTLED;
            let refusals = u16::from(slot.refusals() + 1);
            *slot = Slot(Slot::new(Slot::name(network)).0 | settled | refusals);
        }
    }

    /// The slot of a network, or a free one; none when all are taken.
    fn place(&self, network: Plmn) -> Option<usize> {
        let name = Slot::name(network);
        let own = self.slots.iter().position(|slot| slot.network() == name);
        own.or_else(|| self.slots.iter().position(|slot| slot.0 == 0))
    }

    fn remember(&mut self, exchange: u64, said: Said) {
        let next = self.flags.get(NEXT, 2) as usize % RECENTS_MAX;
        if let Some(recent) = self.recents.get_mut(next) {
            *recent = fold(exchange).unwrap_or(0);
        }
        self.flags.put(4 * next as u32, 4, pack(said));
        self.flags.put(NEXT, 2, ((next + 1) % RECENTS_MAX) as u32);
    }

    /// What was said in a recent exchange; an exit tells the refusals on the network it was for.
    fn said(&self, recent: usize, place: Option<usize>) -> Option<Said> {
        let slot = place.and_then(|place| self.slots.get(place));
        unpack(self.flags.get(4 * recent as u32, 4), slot.map_or(0, |slot| slot.refusals()))
    }
}
