//! One subscriber of one customer in one visited country: what steering has done to them. 64 octets.
//!
//! An **episode** begins with the first refusal. It ends when the subscriber is **held**: accepted
//! on a network, by exit control or by the home network's own yes, and left there for a while; or
//! when they reached a preferred network and were not refused for as long as an episode may last;
//! or when it is [`FORGET`] old. Only then can refusals begin again, so that never more of them than
//! a plan allows fall into any stretch of an episode's length.

use procedure::{Domain, Exit, Plmn, Refusal, Symbol, Time};

/// Most forced refusals of one subscriber on one network, whatever a plan says.
pub const REFUSALS_MAX: u8 = 4;
/// Networks that are told apart within one episode; on a further one the subscriber is accepted.
pub const NETWORKS_MAX: usize = 5;
/// Verdicts kept for repeats: one attach reaches us over up to three domains.
pub const RECENTS_MAX: usize = 3;

/// Time in memory: steps of 50 ms since the gateway's start, enough for six years.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Tick(u32);

impl Tick {
    pub(crate) const MS: u64 = 50;

    pub(crate) fn from_ms(ms: u64) -> Self {
        Self(u32::try_from(ms / Self::MS).unwrap_or(u32::MAX))
    }

    pub(crate) fn of(time: Time) -> Self {
        Self::from_ms(time.as_ms())
    }

    const fn plus(self, other: Self) -> Self {
        Self(self.0.saturating_add(other.0))
    }

    const fn since(self, earlier: Self) -> Self {
        Self(self.0.saturating_sub(earlier.0))
    }
}

/// How long a sender may repeat a message; a stored verdict is replayed for so long.
//= RFC 6733 §3
const REPEAT: Tick = Tick(240_000 / Tick::MS as u32);
/// A subscriber whose refusals began so long ago, and who was not accepted since, begins afresh.
pub(crate) const FORGET: Tick = Tick(3_600_000 / Tick::MS as u32);

/// How far a plan may go.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Limits {
    /// Forced refusals on one network.
    pub(crate) refusals: u8,
    /// Forced refusals in one episode.
    pub(crate) total: u8,
    /// From the first refusal on, refusals only for so long.
    pub(crate) episode: Tick,
    /// How long an accepted subscriber is left in peace.
    pub(crate) hold: Tick,
    /// Messages of other domains inside this time belong to the same attempt.
    pub(crate) coalesce: Tick,
    /// Whether there is a preferred network to go to.
    pub(crate) available: bool,
}

/// One message that asks to register on a network that is not preferred.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Ask {
    pub(crate) network: Plmn,
    pub(crate) domain: Domain,
    pub(crate) exchange: u64,
    /// How a refusal would be worded.
    pub(crate) refusal: Refusal,
}

/// What steering says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Said {
    /// No, for this time on this network.
    Refused { refusal: Refusal, attempt: u8 },
    /// Gave in, after so many refusals.
    Exited { exit: Exit, attempt: u8 },
    /// Was accepted here before.
    Settled,
}

/// A network and what happened there: 24 bits of PLMN, one of "accepted", seven of refusals.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Slot(u32);

impl Slot {
    const SETTLED: u32 = 0x80;

    const fn network(self) -> u32 {
        self.0 >> 8
    }

    const fn refusals(self) -> u8 {
        (self.0 & 0x7f) as u8
    }

    const fn is_settled(self) -> bool {
        self.0 & Self::SETTLED != 0
    }
}

/// The memory of one subscriber.
#[derive(Clone, Debug)]
pub(crate) struct Episode {
    imsi: u64,
    customer: Symbol,
    country: u16,
    /// What was said in the recent exchanges, packed.
    said: [u8; RECENTS_MAX],
    /// Domains that the latest attempt has come over; [`REACHED`].
    domains: u8,
    /// The slot of the latest attempt.
    latest: u8,
    /// Where the next recent exchange goes.
    next: u8,
    slots: [Slot; NETWORKS_MAX],
    /// When the episode began.
    since: Tick,
    /// Held until then; zero when not held.
    until: Tick,
    /// When the latest attempt was counted.
    counted: Tick,
    /// The recent exchanges, folded.
    recents: [u32; RECENTS_MAX],
}

/// The subscriber was accepted on a preferred network since the episode began.
const REACHED: u8 = 0x80;

const _: () = assert!(size_of::<Episode>() == 64);

/// What an [`Episode`] is kept under.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Key {
    pub(crate) imsi: u64,
    pub(crate) customer: Symbol,
    pub(crate) country: u16,
}

impl Episode {
    pub(crate) fn new(key: Key, now: Tick) -> Self {
        Self {
            imsi: key.imsi,
            customer: key.customer,
            country: key.country,
            said: [0; RECENTS_MAX],
            domains: 0,
            latest: u8::MAX,
            next: 0,
            slots: [Slot::default(); NETWORKS_MAX],
            since: now,
            until: Tick::default(),
            counted: Tick::default(),
            recents: [0; RECENTS_MAX],
        }
    }

    pub(crate) const fn key(&self) -> Key {
        Key { imsi: self.imsi, customer: self.customer, country: self.country }
    }

    /// Whether there is nothing left in it that anybody may ask for.
    pub(crate) fn is_over(&self, now: Tick) -> bool {
        match self.is_held() {
            true => now >= self.until,
            false => now >= self.since.plus(FORGET),
        }
    }

    const fn is_held(&self) -> bool {
        self.until.0 != 0
    }

    /// Decides, and counts what it refuses. The flag says that this is a repeat's stored answer.
    pub(crate) fn ask(&mut self, now: Tick, limits: &Limits, ask: Ask) -> (Said, bool) {
        if let Some(said) = self.replay(now, ask.exchange) {
            return (said, true);
        }
        let reached = self.domains & REACHED != 0 && !self.is_held();
        if self.is_over(now) || (reached && now.since(self.counted) >= limits.episode) {
            *self = Self::new(self.key(), now);
        }
        let place = self.place(ask.network);
        let slot = place.and_then(|place| self.slots.get(place).copied());
        if self.is_held() && slot.is_some_and(Slot::is_settled) {
            return (Said::Settled, false);
        }
        if let Some(said) = self.coalesce(now, limits, ask, place) {
            return (said, false);
        }
        let attempt = slot.map_or(0, Slot::refusals);
        let said = match self.exit(now, limits, slot) {
            Some(exit) => Said::Exited { exit, attempt },
            None => Said::Refused { refusal: ask.refusal, attempt: attempt + 1 },
        };
        self.domains = self.domains & REACHED | domain_bit(ask.domain);
        self.latest = place.and_then(|place| u8::try_from(place).ok()).unwrap_or(u8::MAX);
        self.counted = now;
        match said {
            Said::Refused { .. } => self.count(now, ask.network, place),
            _ => self.settle(now, limits, ask.network),
        }
        self.remember(ask.exchange, said);
        (said, false)
    }

    /// The home network accepted the subscriber on a network that the plan does not prefer.
    pub(crate) fn settle(&mut self, now: Tick, limits: &Limits, network: Plmn) {
        if self.is_held() && now >= self.until {
            *self = Self::new(self.key(), now);
        }
        self.until = self.until.max(now.plus(limits.hold)).max(Tick(1));
        let place = self.place(network).unwrap_or(0);
        if let Some(slot) = self.slots.get_mut(place) {
            let refusals = if slot.network() == network.word() { slot.refusals() } else { 0 };
            *slot = Slot(network.word() << 8 | Slot::SETTLED | u32::from(refusals));
        }
    }

    /// The home network accepted the subscriber on a preferred network.
    pub(crate) const fn reach(&mut self) {
        self.domains |= REACHED;
    }

    /// Counts refusals that happened elsewhere or are supposed.
    pub(crate) fn suppose(&mut self, network: Plmn, refusals: u8) {
        if let Some(slot) = self.place(network).and_then(|place| self.slots.get_mut(place)) {
            *slot = Slot(network.word() << 8 | u32::from(refusals & 0x7f));
        }
    }

    fn replay(&self, now: Tick, exchange: u64) -> Option<Said> {
        let folded = fold(exchange)?;
        if now.since(self.counted) > REPEAT {
            return None;
        }
        let place = self.recents.iter().position(|recent| *recent == folded)?;
        unpack(*self.said.get(place)?)
    }

    /// A message of another domain in the same attempt: the same verdict, counted once.
    fn coalesce(
        &mut self,
        now: Tick,
        limits: &Limits,
        ask: Ask,
        place: Option<usize>,
    ) -> Option<Said> {
        let bit = domain_bit(ask.domain);
        let same_network = place == Some(usize::from(self.latest));
        let inside = now.since(self.counted) <= limits.coalesce;
        if !same_network || !inside || self.domains & bit != 0 {
            return None;
        }
        let before = (usize::from(self.next) + RECENTS_MAX - 1) % RECENTS_MAX;
        let said = match unpack(*self.said.get(before)?)? {
            Said::Refused { attempt, .. } => Said::Refused { refusal: ask.refusal, attempt },
            other => other,
        };
        self.domains |= bit;
        self.remember(ask.exchange, said);
        Some(said)
    }

    fn exit(&self, now: Tick, limits: &Limits, slot: Option<Slot>) -> Option<Exit> {
        let total: u32 = self.slots.iter().map(|slot| u32::from(slot.refusals())).sum();
        if !limits.available {
            Some(Exit::NoPreferred)
        } else if slot.is_some_and(|slot| slot.refusals() >= limits.refusals.min(REFUSALS_MAX)) {
            Some(Exit::Attempts)
        } else if slot.is_none() || total >= u32::from(limits.total) {
            Some(Exit::Total)
        } else if total > 0 && now.since(self.since) >= limits.episode {
            Some(Exit::Time)
        } else {
            None
        }
    }

    fn count(&mut self, now: Tick, network: Plmn, place: Option<usize>) {
        if self.slots.iter().all(|slot| slot.refusals() == 0) {
            self.since = now;
        }
        if let Some(slot) = place.and_then(|place| self.slots.get_mut(place)) {
            let settled = slot.0 & Slot::SETTLED;
            *slot = Slot(network.word() << 8 | settled | u32::from(slot.refusals() + 1));
        }
    }

    /// The slot of a network, or a free one; none when all are taken.
    fn place(&self, network: Plmn) -> Option<usize> {
        let own = self.slots.iter().position(|slot| slot.network() == network.word());
        own.or_else(|| self.slots.iter().position(|slot| slot.0 == 0))
    }

    fn remember(&mut self, exchange: u64, said: Said) {
        let next = usize::from(self.next) % RECENTS_MAX;
        if let (Some(recent), Some(packed)) = (self.recents.get_mut(next), self.said.get_mut(next))
        {
            *recent = fold(exchange).unwrap_or(0);
            *packed = pack(said);
        }
        self.next = ((next + 1) % RECENTS_MAX) as u8;
    }
}

/// An exchange's identity in four octets, never zero; a zero identity is none.
fn fold(exchange: u64) -> Option<u32> {
    (exchange != 0).then(|| ((exchange ^ exchange >> 32) as u32).max(1))
}

const fn domain_bit(domain: Domain) -> u8 {
    match domain {
        Domain::Cs => 1,
        Domain::Ps => 2,
        Domain::Eps => 4,
        Domain::Unknown => 8,
    }
}

/// Low nibble: 1 and up a refusal, from [`EXITS`] an exit, 15 settled. High nibble: the attempt.
fn pack(said: Said) -> u8 {
    let place = |place: Option<usize>, from: u8| place.map_or(0, |place| from + place as u8);
    match said {
        Said::Refused { refusal, attempt } => {
            let place = place(Refusal::ALL.iter().position(|known| *known == refusal), 1);
            attempt << 4 | place
        }
        Said::Exited { exit, attempt } => {
            attempt << 4 | place(Exit::ALL.iter().position(|known| *known == exit), EXITS)
        }
        Said::Settled => 15,
    }
}

const EXITS: u8 = 11;
const _: () =
    assert!(Refusal::ALL.len() < EXITS as usize && EXITS as usize + Exit::ALL.len() <= 15);

fn unpack(packed: u8) -> Option<Said> {
    let (kind, attempt) = (packed & 0xf, packed >> 4);
    if kind == 15 {
        return Some(Said::Settled);
    }
    if let Some(place) = kind.checked_sub(EXITS) {
        let exit = *Exit::ALL.get(usize::from(place))?;
        return Some(Said::Exited { exit, attempt });
    }
    let refusal = *Refusal::ALL.get(usize::from(kind.checked_sub(1)?))?;
    Some(Said::Refused { refusal, attempt })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_said_survives_packing() {
        for attempt in 0..=8 {
            for refusal in Refusal::ALL {
                let said = Said::Refused { refusal, attempt };
                assert_eq!(unpack(pack(said)), Some(said));
            }
            for exit in Exit::ALL {
                let said = Said::Exited { exit, attempt };
                assert_eq!(unpack(pack(said)), Some(said));
            }
        }
        assert_eq!(unpack(pack(Said::Settled)), Some(Said::Settled));
        assert_eq!(unpack(0), None);
    }
}
