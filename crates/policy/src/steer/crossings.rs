//! Who was refused a moment ago, in any country: near a border a device that one country refused tries
//! the next, and its time without service goes on. There the episode goes on as well; and where it
//! ends tells whether refusing was worth it.

use super::cells::{Cell, Cells, Place};
use super::packed::{Key, Tick};
use crate::hash;
use crate::networks::Country;

/// Sets of eight: 131,072 subscribers in the middle of their episodes, of 24 octets. Whoever is
/// forgotten begins afresh across the border.
const SETS: usize = 16_384;
/// Refusals of which nothing came in this time are over.
const OPEN: Tick = Tick::from_ms(180_000);

/// Where refusals began, and when.
#[derive(Clone, Copy, Debug, Default)]
struct Open {
    country: u16,
    /// The learned area.
    area: u16,
    since: Tick,
}

impl Cell for Open {}

/// All of them.
#[derive(Debug)]
pub(crate) struct Crossings(Cells<Open>);

impl Default for Crossings {
    fn default() -> Self {
        Self(Cells::new(SETS))
    }
}

impl Crossings {
    /// When the refusals began that a subscriber met in another country, if that was within this
    /// time.
    pub(crate) fn since(
        &self,
        key: Key,
        country: Country,
        now: Tick,
        within: Tick,
    ) -> Option<Tick> {
        let open = self.0.with_known(subscriber(key), |open| *open)?;
        let elsewhere = open.since != Tick::ZERO && open.country != country.number();
        (elsewhere && now.since(open.since) < within).then_some(open.since)
    }

    /// A subscriber was refused, in an episode that began then; where it began in another country
    /// that stays.
    pub(crate) fn begin(&self, key: Key, country: Country, now: Tick, area: Option<Place>) {
        let (country, area) = (country.number(), area.unwrap_or(Place::NONE).0);
        let _room = self.0.with(subscriber(key), now, |_, open| {
            let free = open.since == Tick::ZERO;
            if free || open.country == country || now.since(open.since) >= OPEN {
                *open = Open { country, area, since: now };
            }
        });
    }

    /// A subscriber was accepted in a country. Where and since when it had been refused in another,
    /// if it was.
    pub(crate) fn end(&self, key: Key, country: Country, now: Tick) -> Option<(Place, Tick)> {
        let open = self.0.with_known(subscriber(key), std::mem::take)?;
        let known = open.since != Tick::ZERO && now.since(open.since) < OPEN;
        (known && open.country != country.number()).then_some((Place(open.area), open.since))
    }
}

const fn subscriber(key: Key) -> u64 {
    hash::word(4, key.subscriber())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_tells_of_other_countries_only_and_only_for_a_while() {
        let crossings = Crossings::default();
        let country = |text| Country::parse(text).expect("a country");
        let key = |text| Key::new("214070000000001".parse().expect("an IMSI"), country(text));
        let at = |s: u64| Tick::from_ms(s * 1_000);
        crossings.begin(key("FR"), country("FR"), at(100), Some(Place(7)));
        crossings.begin(key("BE"), country("BE"), at(105), Some(Place(8)));
        let since = |now| crossings.since(key("BE"), country("BE"), at(now), at(60));
        assert_eq!(since(110), Some(at(100)));
        assert_eq!(since(170), None, "long ago");
        assert_eq!(crossings.since(key("FR"), country("FR"), at(110), at(60)), None);
        assert_eq!(crossings.end(key("BE"), country("BE"), at(120)), Some((Place(7), at(100))));
        assert_eq!(crossings.end(key("BE"), country("BE"), at(121)), None);
        assert_eq!(since(122), None);
    }
}
