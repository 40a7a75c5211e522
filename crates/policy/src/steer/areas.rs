//! What has been learned of visited areas: whether a device that is refused there turns up on a
//! preferred network.
//!
//! A **trial** is an episode with refusals. It ends well when a preferred network's registration
//! succeeds, badly when steering gives in or when nothing more is heard for [`LOST`]: a device that
//! was refused and fell silent may be without service. From `moved` and `stayed` trials comes an
//! estimate, and from that the share of further devices that are refused at all: all of them where
//! a third or more move, quickly fewer below that, and never fewer than the plan's probe, by which a
//! change is noticed.
//!
//! An area is a node (VLR, SGSN, MME) as one plan's devices of one class see it. Within it every
//! range of IMSIs ([`RANGE_DIGITS`]) is learned apart, for what moves a phone does not move the meter
//! beside it and their SIMs come from different ranges; of a range that is not known yet the area's
//! own estimate is believed.

use super::cells::{Cell, Cells, Place};
use super::packed::Tick;

/// Sets of eight: 65,528 areas and ranges within them, of 40 octets.
const SETS: usize = 8191;
const _: () = assert!(SETS * 8 <= Place::NONE.0 as usize, "no area stands nowhere");
/// First digits that the IMSIs of one range share: ten million numbers.
pub(super) const RANGE_DIGITS: usize = 8;
/// Trials that an estimate remembers; then both counts are halved, so that it follows changes.
const TRIALS_MAX: u16 = 64;
/// What is believed before anything was seen: two of three move.
const BEFORE: f32 = 2.0 / 3.0;
/// As if so many trials had said so.
const TRIALS_BEFORE: f32 = 6.0;
/// Where so many of the refused move, everybody is worth a refusal. From the world of `ipxsim`: below a
/// third the refusals that move nobody outweigh those that do.
const ENOUGH: f32 = 0.35;
/// Open trials in an area of which little is known; further devices are not refused.
const OPEN_MAX: u16 = 512;
/// Ended trials from which on an area is known.
const KNOWN: u16 = 8;
/// Ended trials from which on a range is known without its area.
const KNOWN_WELL: u16 = 32;
/// A trial of which nothing was heard for one to two times this long has ended badly.
const LOST: Tick = Tick::from_ms(180_000);

/// What is known of an area.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Area {
    moved: u16,
    stayed: u16,
    /// Trials that have not ended: begun since the turn, and before it.
    open: [u16; 2],
    turned: Tick,
    /// Of a range: its area's place.
    area: Option<Place>,
}

impl Cell for Area {}

/// What an area's record says for the next device.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Estimate {
    /// How many of a hundred refused devices turn up on a preferred network.
    pub(crate) moved_pct: u8,
    /// Whether anything was seen that says so.
    pub(crate) is_seen: bool,
    /// Which share of devices is to be refused, before the plan's probe.
    pub(crate) share: f32,
}

/// Under what an area and a range within it are kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct AreaKey {
    pub(crate) area: u64,
    pub(crate) range: u64,
}

/// What is believed of a range before it was seen.
#[derive(Clone, Copy, Debug)]
struct Belief {
    likely: f32,
    is_seen: bool,
}

impl Default for Belief {
    fn default() -> Self {
        Self { likely: BEFORE, is_seen: false }
    }
}

/// All areas.
#[derive(Debug)]
pub(crate) struct Areas(Cells<Area>);

impl Default for Areas {
    fn default() -> Self {
        Self(Cells::new(SETS))
    }
}

impl Areas {
    /// What is known of a range in an area, and its place.
    pub(crate) fn estimate(&self, key: AreaKey, now: Tick) -> Option<(Place, Estimate)> {
        // What is known well needs nobody else's word.
        let known = self.0.with_place(key.range, now, |place, range| {
            range.turn(now);
            let is_known = range.area.is_some() && range.moved + range.stayed >= KNOWN_WELL;
            is_known.then(|| (place, range.estimate(range.own_belief())))
        });
        if let Some(known) = known.flatten() {
            return Some(known);
        }
        let (area, before) = self.0.with(key.area, now, |place, area| {
            area.turn(now);
            (place, area.belief())
        })?;
        self.0.with(key.range, now, |place, range| {
            range.turn(now);
            range.area = Some(area);
            (place, range.estimate(before))
        })
    }

    /// The same without a trace that somebody asked.
    pub(crate) fn peek(&self, key: AreaKey) -> Option<Estimate> {
        let range = self.0.with_known(key.range, |range| *range).unwrap_or_default();
        let before = match range.moved + range.stayed >= KNOWN_WELL {
            true => range.own_belief(),
            false => self.0.with_known(key.area, |area| area.belief()).unwrap_or_default(),
        };
        Some(range.estimate(before))
    }

    /// A device was refused there for the first time in its episode.
    pub(crate) fn begin(&self, place: Place) {
        self.at_both(place, |area| {
            let [new, _] = &mut area.open;
            *new = new.saturating_add(1);
        });
    }

    /// A trial that began at `since` has ended.
    pub(crate) fn end(&self, place: Place, since: Tick, moved: bool) {
        self.at_both(place, |area| {
            let [new, old] = &mut area.open;
            let open = if since >= area.turned { new } else { old };
            *open = open.saturating_sub(1);
            area.count(u16::from(moved), u16::from(!moved));
        });
    }

    /// Works on a range and on the area around it.
    fn at_both(&self, place: Place, work: impl Fn(&mut Area)) {
        let area = self.0.at(place, |range| {
            work(range);
            range.area
        });
        if let Some(area) = area.flatten() {
            let _gone = self.0.at(area, work);
        }
    }

    pub(crate) fn len(&self) -> usize {
        self.0.len()
    }

    pub(crate) fn forgotten(&self) -> u64 {
        self.0.forgotten()
    }
}

impl Area {
    /// Takes the trials of which nothing was heard for long as ended.
    fn turn(&mut self, now: Tick) {
        if now.since(self.turned) < LOST {
            return;
        }
        let [new, old] = self.open;
        self.count(0, old);
        self.open = [0, new];
        self.turned = now;
    }

    fn count(&mut self, moved: u16, stayed: u16) {
        self.moved = self.moved.saturating_add(moved);
        self.stayed = self.stayed.saturating_add(stayed);
        while self.moved.saturating_add(self.stayed) > TRIALS_MAX {
            self.moved /= 2;
            self.stayed /= 2;
        }
    }

    /// What a range says of itself.
    fn own_belief(&self) -> Belief {
        let trials = f32::from((self.moved + self.stayed).max(1));
        Belief { likely: f32::from(self.moved) / trials, is_seen: true }
    }

    /// What an area says of the ranges in it.
    fn belief(&self) -> Belief {
        Belief { likely: self.likely(BEFORE), is_seen: self.moved + self.stayed > 0 }
    }

    /// How many of the refused turn up on a preferred network, if `before` was believed at first.
    fn likely(&self, before: f32) -> f32 {
        let moved = f32::from(self.moved) + before * TRIALS_BEFORE;
        moved / (f32::from(self.moved + self.stayed) + TRIALS_BEFORE)
    }

    fn estimate(&self, before: Belief) -> Estimate {
        let likely = self.likely(before.likely);
        let [new, old] = self.open;
        let full = self.moved + self.stayed < KNOWN && new.saturating_add(old) >= OPEN_MAX;
        let share = if full { 0.0 } else { (likely / ENOUGH).min(1.0).powi(2) };
        let is_seen = before.is_seen || self.moved + self.stayed > 0;
        Estimate { moved_pct: (likely * 100.0).round() as u8, is_seen, share }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: u64) -> Tick {
        Tick::from_ms(seconds * 1_000)
    }

    const KEY: AreaKey = AreaKey { area: 1, range: 2 };
    const OTHER: AreaKey = AreaKey { area: 1, range: 3 };

    /// So many trials that end like this; the share after them.
    fn share(areas: &Areas, moved: usize, stayed: usize) -> f32 {
        for (count, well) in [(moved, true), (stayed, false)] {
            for _ in 0..count {
                let (place, _) = areas.estimate(KEY, at(1)).expect("room");
                areas.begin(place);
                areas.end(place, at(1), well);
            }
        }
        areas.estimate(KEY, at(1)).expect("room").1.share
    }

    #[test]
    fn an_area_that_moves_nobody_is_soon_left_alone_and_is_taken_up_again() {
        let areas = Areas::default();
        assert!(share(&areas, 0, 0) >= 1.0, "the benefit of the doubt");
        assert!(share(&areas, 0, 10) < 0.15);
        assert!(share(&areas, 0, 100) < 0.01);
        assert!(share(&areas, 60, 0) >= 1.0, "sixty that move are believed");
        let mixed = Areas::default();
        assert!(share(&mixed, 30, 30) >= 0.9, "half of them moving is worth it");
    }

    #[test]
    fn silence_counts_against_refusing() {
        let areas = Areas::default();
        let (place, _) = areas.estimate(KEY, at(1_000)).expect("room");
        for _ in 0..40 {
            areas.begin(place);
        }
        assert!(areas.estimate(KEY, at(1_100)).expect("room").1.share >= 1.0);
        let _turn = areas.estimate(KEY, at(1_200));
        let after = areas.estimate(KEY, at(1_400)).expect("room").1;
        assert!(after.share < 0.01, "{after:?}");
    }

    #[test]
    fn a_burst_into_the_unknown_is_not_refused_whole() {
        let areas = Areas::default();
        let refused = (0..10_000).filter(|_| {
            let (place, estimate) = areas.estimate(KEY, at(1)).expect("room");
            let refused = estimate.share > 0.0;
            if refused {
                areas.begin(place);
            }
            refused
        });
        assert_eq!(refused.count(), usize::from(OPEN_MAX));
    }

    #[test]
    fn ranges_are_learned_apart_and_a_new_one_goes_by_its_area() {
        let areas = Areas::default();
        assert!(share(&areas, 0, 60) < 0.01, "meters");
        let new = areas.estimate(OTHER, at(1)).expect("room").1;
        assert!(new.share < 0.05, "nothing else is known of the place: {new:?}");
        for _ in 0..30 {
            let (place, _) = areas.estimate(OTHER, at(1)).expect("room");
            areas.begin(place);
            areas.end(place, at(1), true);
        }
        assert!(areas.estimate(OTHER, at(1)).expect("room").1.share >= 1.0, "phones move");
        assert!(areas.estimate(KEY, at(1)).expect("room").1.share < 0.05, "meters still do not");
        assert_eq!(areas.peek(KEY), areas.estimate(KEY, at(1)).map(|(_, estimate)| estimate));
    }
}
