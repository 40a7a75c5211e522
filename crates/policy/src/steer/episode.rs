//! One subscriber in one visited country: what steering has done to them. 40 octets.
//!
//! An **episode** begins with the first refusal. It ends when the subscriber is **held**: accepted
//! on a network, by exit control or by the home network's own yes, and left there for a while; or
//! when they reached a preferred network and were not refused for as long as an episode may last;
//! or when it is [`FORGET`] old. Only then can refusals begin again, so that never more of them than
//! a plan allows fall into any stretch of an episode's length.

use procedure::{Domain, Exit, Imsi, Plmn, Refusal, Time};

use crate::hash;
use crate::networks::Country;

/// Most forced refusals of one subscriber on one network, whatever a plan says.
pub const REFUSALS_MAX: u8 = 4;
/// Networks that are told apart within one episode; on a further one the subscriber is accepted.
pub const NETWORKS_MAX: usize = 4;
/// Verdicts kept for repeats: one attach reaches us over up to three domains.
pub const RECENTS_MAX: usize = 3;

/// Time in memory: steps of 50 ms, enough for six years. What happened before the gateway's start,
/// as its journal tells, has room before [`Tick::START`].
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Tick(u32);

impl Tick {
    const MS: u64 = 50;
    pub(crate) const ZERO: Self = Self(0);
    /// The gateway's start: eight days, more than any hold, after the beginning.
    const START: u32 = (8 * 86_400_000 / Self::MS) as u32;

    /// So long.
    pub(crate) const fn from_ms(ms: u64) -> Self {
        let ticks = ms / Self::MS;
        Self(if ticks > u32::MAX as u64 { u32::MAX } else { ticks as u32 })
    }

    pub(crate) const fn of(time: Time) -> Self {
        Self(Self::START.saturating_add(Self::from_ms(time.as_ms()).0))
    }

    /// So long before the gateway's start; the beginning where that is too long ago.
    pub(crate) const fn before_start(ms: u64) -> Self {
        Self(Self::START.saturating_sub(Self::from_ms(ms).0))
    }

    pub(crate) const fn plus(self, other: Self) -> Self {
        Self(self.0.saturating_add(other.0))
    }

    pub(crate) const fn since(self, earlier: Self) -> Self {
        Self(self.0.saturating_sub(earlier.0))
    }

    pub(crate) const fn word(self) -> u32 {
        self.0
    }
}

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

/// A network and what happened there: twelve bits that tell it from its neighbours, one of
/// "accepted", three of refusals. Two networks of a country that share the twelve bits count as one,
/// which only ever refuses less.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Slot(u16);

impl Slot {
    const SETTLED: u16 = 0x8;

    const fn new(network: u16) -> Self {
        Self(network << 4)
    }

    /// The twelve bits, never zero.
    const fn name(network: Plmn) -> u16 {
        let name = (hash::word(0, network.word() as u64) & 0xfff) as u16;
        if name == 0 { 1 } else { name }
    }

    const fn network(self) -> u16 {
        self.0 >> 4
    }

    const fn refusals(self) -> u8 {
        (self.0 & 0x7) as u8
    }

    const fn is_settled(self) -> bool {
        self.0 & Self::SETTLED != 0
    }
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

/// What an [`Episode`] is kept under: the subscriber's digits as a number behind a one, which keeps
/// leading zeros apart, and the country. A subscriber is one customer's.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Key(u64);

impl Key {
    pub(crate) fn new(imsi: Imsi, country: Country) -> Self {
        let mut room = [0; Imsi::DIGITS_MAX];
        let digits = imsi.write(&mut room);
        let number = digits.iter().fold(1, |all, digit| all * 10 + u64::from(digit & 0xf));
        Self(number << 10 | u64::from(country.number()))
    }

    /// Nobody's.
    pub(crate) const NONE: Self = Self(0);

    pub(crate) const fn word(self) -> u64 {
        self.0
    }

    #[cfg(test)]
    pub(crate) const fn of_word(word: u64) -> Self {
        Self(word)
    }
}

/// The small things, in one word: from the lowest bit what was said in the recent exchanges (four
/// bits each), the domains of the latest attempt (four), its slot (two), where the next recent goes
/// (two), preferred networks that failed this subscriber (eight), and four marks.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Flags(u32);

impl Flags {
    /// Accepted, and left in peace.
    const HELD: u32 = 1 << 28;
    /// Accepted on a preferred network since the episode began.
    const REACHED: u32 = 1 << 29;
    /// In the episode before this one, refusals did not move the device.
    const STUBBORN: u32 = 1 << 30;
    /// The latest attempt is on a network with a slot.
    const PLACED: u32 = 1 << 31;

    const fn has(self, mark: u32) -> bool {
        self.0 & mark != 0
    }

    const fn set(&mut self, mark: u32, on: bool) {
        if on {
            self.0 |= mark;
        } else {
            self.0 &= !mark;
        }
    }

    const fn get(self, shift: u32, width: u32) -> u32 {
        self.0 >> shift & ((1 << width) - 1)
    }

    const fn put(&mut self, shift: u32, width: u32, value: u32) {
        let mask = ((1 << width) - 1) << shift;
        self.0 = self.0 & !mask | value << shift & mask;
    }
}

/// Where the fields of [`Flags`] begin.
const DOMAINS: u32 = 12;
const LATEST: u32 = 16;
const NEXT: u32 = 18;
const FAILED: u32 = 20;
/// Preferred networks of a plan whose failures are told apart for a subscriber.
pub(crate) const FAILED_MAX: u32 = 8;

impl Episode {
    pub(crate) const fn new(key: Key, now: Tick) -> Self {
        Self {
            key,
            stamp: now,
            recents: [0; RECENTS_MAX],
            counted: 0,
            area: 0,
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
            false if self.slots.iter().any(|slot| slot.is_settled()) => self.stamp.plus(WELCOME),
            false => self.stamp.plus(FORGET),
        }
    }

    /// Whether it may make room for another: what a device did in its last episode is worth more
    /// than nothing.
    pub(crate) fn is_idle(&self, now: Tick) -> bool {
        let kept = if self.was_stubborn() { FORGET } else { Tick(0) };
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
        self.stamp.plus(Tick(self.counted.into()))
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

/// Ticks since the episode began, as far as they have room: 54 minutes.
fn short(ticks: Tick) -> u16 {
    u16::try_from(ticks.0).unwrap_or(u16::MAX)
}

/// An exchange's identity in four octets, never zero; a zero identity is none.
fn fold(exchange: u64) -> Option<u32> {
    (exchange != 0).then(|| ((exchange ^ exchange >> 32) as u32).max(1))
}

const fn domain_bit(domain: Domain) -> u32 {
    match domain {
        Domain::Cs => 1,
        Domain::Ps => 2,
        Domain::Eps => 4,
        Domain::Unknown => 8,
    }
}

/// Four bits: 1 to [`REFUSALS_MAX`] a refusal, then settled, then the exits.
fn pack(said: Said) -> u32 {
    match said {
        Said::Refused { attempt } => u32::from(attempt.min(REFUSALS_MAX)),
        Said::Settled => SETTLED,
        Said::Exited { exit, .. } => {
            let place = Exit::ALL.iter().position(|known| *known == exit);
            place.map_or(SETTLED, |place| EXITS + place as u32)
        }
    }
}

const SETTLED: u32 = REFUSALS_MAX as u32 + 1;
const EXITS: u32 = SETTLED + 1;
const _: () = assert!(EXITS as usize + Exit::ALL.len() <= 16);
const _: () = assert!(Refusal::ALL.len() < 16);

fn unpack(packed: u32, refusals: u8) -> Option<Said> {
    match packed {
        0 => None,
        SETTLED => Some(Said::Settled),
        attempt @ 1..SETTLED => Some(Said::Refused { attempt: attempt as u8 }),
        exit => {
            let exit = *Exit::ALL.get((exit - EXITS) as usize)?;
            Some(Said::Exited { exit, attempt: refusals })
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_said_survives_packing() {
        for attempt in 1..=REFUSALS_MAX {
            let said = Said::Refused { attempt };
            assert_eq!(unpack(pack(said), 0), Some(said));
        }
        for exit in Exit::ALL {
            let said = Said::Exited { exit, attempt: 3 };
            assert_eq!(unpack(pack(said), 3), Some(said));
        }
        assert_eq!(unpack(pack(Said::Settled), 0), Some(Said::Settled));
        assert_eq!(unpack(0, 0), None);
    }

    #[test]
    fn a_key_tells_subscribers_and_countries_apart() {
        let key = |imsi: &str, country| {
            Key::new(imsi.parse().expect("an IMSI"), Country::parse(country).expect("a country"))
        };
        assert_ne!(key("001010000000001", "GB"), key("01010000000001", "GB"), "leading zeros");
        assert_ne!(key("001010000000001", "GB"), key("001010000000001", "GA"));
        assert_ne!(key("999999999999999", "ZZ").word(), 0);
        assert_eq!(key("999999999999999", "ZZ"), key("999999999999999", "ZZ"));
    }
}
