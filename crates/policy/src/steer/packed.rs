//! What an episode is made of, packed: times, keys, networks, verdicts.

use procedure::{Domain, Exit, Imsi, Plmn, Time};

use super::episode::{REFUSALS_MAX, Said};
use crate::hash;
use crate::networks::Country;

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

    /// Ticks of [`short`].
    pub(super) const fn of_short(ticks: u16) -> Self {
        Self(ticks as u32)
    }
}

/// What an episode is kept under: the subscriber's digits as a number of fifty bits, how many they
/// are, and the country. A subscriber is one customer's.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Key(u64);

impl Key {
    pub(crate) const fn new(imsi: Imsi, country: Country) -> Self {
        let number = number(imsi.word() >> 4);
        Self((number << 4 | imsi.len() as u64) << 10 | country.number() as u64)
    }

    /// Nobody's.
    pub(crate) const NONE: Self = Self(0);

    pub(crate) const fn word(self) -> u64 {
        self.0
    }

    /// The subscriber's part.
    pub(crate) const fn subscriber(self) -> u64 {
        self.0 >> 10
    }

    #[cfg(test)]
    pub(crate) const fn of_word(word: u64) -> Self {
        Self(word)
    }
}

/// Digits that stand as nibbles, as a number: neighbours are put together, in all places at once.
const fn number(nibbles: u64) -> u64 {
    let pairs = (nibbles & 0x0f0f_0f0f_0f0f_0f0f) + (nibbles >> 4 & 0x0f0f_0f0f_0f0f_0f0f) * 10;
    let fours = (pairs & 0x00ff_00ff_00ff_00ff) + (pairs >> 8 & 0x00ff_00ff_00ff_00ff) * 100;
    let eights = (fours & 0xffff_0000_ffff) + (fours >> 16 & 0xffff_0000_ffff) * 10_000;
    (eights & 0xffff_ffff) + (eights >> 32) * 100_000_000
}

/// A network and what happened there: twelve bits that tell it from its neighbours, one of
/// "accepted", three of refusals. Two networks of a country that share the twelve bits count as one,
/// which only ever refuses less.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Slot(pub(super) u16);

impl Slot {
    pub(super) const SETTLED: u16 = 0x8;

    pub(super) const fn new(network: u16) -> Self {
        Self(network << 4)
    }

    /// The twelve bits, never zero.
    pub(super) const fn name(network: Plmn) -> u16 {
        let name = (hash::word(0, network.word() as u64) & 0xfff) as u16;
        if name == 0 { 1 } else { name }
    }

    pub(super) const fn network(self) -> u16 {
        self.0 >> 4
    }

    pub(super) const fn refusals(self) -> u8 {
        (self.0 & 0x7) as u8
    }

    pub(super) const fn is_settled(self) -> bool {
        self.0 & Self::SETTLED != 0
    }
}

/// The small things, in one word: from the lowest bit what was said in the recent exchanges (four
/// bits each), the domains of the latest attempt (four), its slot (two), where the next recent goes
/// (two), preferred networks that failed this subscriber (eight), and four marks.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Flags(pub(super) u32);

impl Flags {
    /// Accepted, and left in peace.
    pub(super) const HELD: u32 = 1 << 28;
    /// Accepted on a preferred network since the episode began.
    pub(super) const REACHED: u32 = 1 << 29;
    /// In the episode before this one, refusals did not move the device.
    pub(super) const STUBBORN: u32 = 1 << 30;
    /// The latest attempt is on a network with a slot.
    pub(super) const PLACED: u32 = 1 << 31;

    pub(super) const fn has(self, mark: u32) -> bool {
        self.0 & mark != 0
    }

    pub(super) const fn set(&mut self, mark: u32, on: bool) {
        if on {
            self.0 |= mark;
        } else {
            self.0 &= !mark;
        }
    }

    pub(super) const fn get(self, shift: u32, width: u32) -> u32 {
        self.0 >> shift & ((1 << width) - 1)
    }

    pub(super) const fn put(&mut self, shift: u32, width: u32, value: u32) {
        let mask = ((1 << width) - 1) << shift;
        self.0 = self.0 & !mask | value << shift & mask;
    }
}

/// Where the fields of [`Flags`] begin.
pub(super) const DOMAINS: u32 = 12;
pub(super) const LATEST: u32 = 16;
pub(super) const NEXT: u32 = 18;
pub(super) const FAILED: u32 = 20;
/// Preferred networks of a plan whose failures are told apart for a subscriber.
pub(crate) const FAILED_MAX: u32 = 8;

/// Ticks since the episode began, as far as they have room: 54 minutes.
pub(super) fn short(ticks: Tick) -> u16 {
    u16::try_from(ticks.0).unwrap_or(u16::MAX)
}

/// An exchange's identity in four octets, never zero; a zero identity is none.
pub(super) fn fold(exchange: u64) -> Option<u32> {
    (exchange != 0).then(|| ((exchange ^ exchange >> 32) as u32).max(1))
}

pub(super) const fn domain_bit(domain: Domain) -> u32 {
    match domain {
        Domain::Cs => 1,
        Domain::Ps => 2,
        Domain::Eps => 4,
        Domain::Unknown => 8,
    }
}

/// Four bits: 1 to [`REFUSALS_MAX`] a refusal, then settled, then the exits.
pub(super) fn pack(said: Said) -> u32 {
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

pub(super) fn unpack(packed: u32, refusals: u8) -> Option<Said> {
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
        assert_eq!(number(0x0123_4567_8901_2345), 123_456_789_012_345);
        assert_ne!(key("000000", "AA").word(), 0, "zero is nobody's");
        assert_ne!(key("000000", "AA"), key("0000000", "AA"));
        assert_ne!(key("999999999999999", "ZZ").word(), 0);
        assert_eq!(key("999999999999999", "ZZ"), key("999999999999999", "ZZ"));
    }
}
