//! Checkers: what must hold in every world, judged from what the visited networks and the handsets
//! saw, not from what the engine says of itself. Each of them ends a run with an error.

use std::collections::HashMap;
use std::hash::{BuildHasherDefault, Hasher};

use super::calendar::{TICKS_A_SECOND, seconds};
use super::ground::Ground;
use super::handset::NEVER;
use super::plans::Facts;

/// Refusals that began so long ago are a new story, whatever became of the subscriber.
const FORGET_S: u32 = 3600;

/// A hold begins where the gateway decides, an answer's way before the handset hears of it.
const ON_THE_WAY_S: u32 = 5;

/// What was found wrong.
#[derive(Clone, Debug, PartialEq)]
pub struct Failure {
    /// Which checker.
    pub checker: Checker,
    /// The subscriber's number, where it is about one.
    pub subscriber: Option<u32>,
    /// The network, where it is about one.
    pub network: Option<String>,
    /// When, in seconds of virtual time.
    pub at_s: f64,
    /// What it is.
    pub what: String,
    /// What became of the subscriber until then.
    pub history: Vec<String>,
}

/// What is checked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Checker {
    /// Nobody is refused more often than the limit on a network.
    Refusals,
    /// Refusals keep nobody from service beyond the limit.
    Service,
    /// Nobody is refused where they were accepted and are held.
    Settled,
    /// Every frame is in one record.
    Records,
    /// In the end every counter is empty.
    Rest,
}

impl Checker {
    /// What a failure says.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Refusals => "refused too often on a network",
            Self::Service => "kept from service for too long",
            Self::Settled => "refused where it had been accepted",
            Self::Records => "frames and records disagree",
            Self::Rest => "not at rest in the end",
        }
    }
}

impl std::fmt::Display for Failure {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}: {}", self.checker.name(), self.what)?;
        if let Some(subscriber) = self.subscriber {
            write!(f, "; subscriber {subscriber}")?;
        }
        if let Some(network) = &self.network {
            write!(f, " on {network}")?;
        }
        write!(f, " at {:.2} s", self.at_s)?;
        self.history.iter().try_for_each(|line| write!(f, "\n    {line}"))
    }
}

impl std::error::Error for Failure {}

/// What a plan promises on a network.
#[derive(Clone, Copy, Debug)]
struct Promise {
    refusals_max: u32,
    episode: u32,
    hold: u32,
}

/// A subscriber on a network.
#[derive(Clone, Copy, Debug)]
struct Seen {
    accepted: u32,
    refusals: u16,
    era: u16,
}

/// A subscriber in a country.
#[derive(Clone, Copy, Debug)]
struct Story {
    first: u32,
    last: u32,
    era: u16,
    /// Accepted somewhere since the latest refusal.
    accepted: bool,
}

/// Who was refused and accepted where.
pub(super) struct Watch {
    /// By customer and network.
    promises: Vec<Option<Promise>>,
    networks: usize,
    service_limit: u32,
    enforces_service: bool,
    seen: HashMap<u64, Seen, BuildHasherDefault<Mix>>,
    stories: HashMap<u64, Story, BuildHasherDefault<Mix>>,
    /// Stretches without service beyond the limit.
    pub(super) overlong: u64,
}

/// Who and where of an event.
#[derive(Clone, Copy, Debug)]
pub(super) struct Who {
    pub(super) subscriber: u32,
    pub(super) identity: u8,
    pub(super) customer: u8,
}

impl Watch {
    /// Watches over what plans promise.
    pub(super) fn new(
        ground: &Ground,
        known: &policy::Networks,
        facts: &[Facts],
        enforces_service: bool,
    ) -> Self {
        let scenario = &ground.scenario;
        let promise = |customer: &str, plmn| {
            let plan = super::plans::holding(facts, known, customer, plmn)?;
            Some(Promise {
                refusals_max: plan.refusals_max,
                episode: seconds(plan.episode_s),
                hold: seconds(plan.hold_s.saturating_sub(ON_THE_WAY_S)),
            })
        };
        let customers = scenario.customers.iter();
        let promises = customers.flat_map(|customer| {
            scenario.networks.iter().map(|network| promise(&customer.name, network.plmn))
        });
        Self {
            promises: promises.collect(),
            networks: scenario.networks.len(),
            service_limit: seconds(scenario.service_limit_s),
            enforces_service,
            seen: HashMap::default(),
            stories: HashMap::default(),
            overlong: 0,
        }
    }

    /// A visited network was told no for a subscriber. `again`: within an attempt that was counted.
    pub(super) fn refused(
        &mut self,
        ground: &Ground,
        who: Who,
        network: u8,
        again: bool,
        tick: u32,
    ) -> Option<Failure> {
        let place = usize::from(who.customer) * self.networks + usize::from(network);
        let failure = |checker, what: String| {
            Some(Failure {
                checker,
                subscriber: Some(who.subscriber),
                network: ground.network(network).map(|network| network.plmn.to_string()),
                at_s: f64::from(tick) / f64::from(TICKS_A_SECOND),
                what,
                history: Vec::new(),
            })
        };
        let Some(promise) = self.promises.get(place).copied().flatten() else {
            return failure(Checker::Refusals, "no plan holds there".to_owned());
        };
        let story = self.stories.entry(key(who, ground.country(network)));
        let story = story.or_insert(Story { first: tick, last: tick, era: 0, accepted: false });
        let rested = story.accepted && tick - story.last >= promise.episode;
        if rested || tick - story.first >= seconds(FORGET_S) {
            (story.first, story.era) = (tick, story.era.wrapping_add(1));
        }
        (story.last, story.accepted) = (tick, false);
        let era = story.era;
        let fresh = Seen { accepted: NEVER, refusals: 0, era };
        let seen = self.seen.entry(key(who, network)).or_insert(fresh);
        if seen.accepted != NEVER && tick - seen.accepted < promise.hold {
            let ago = f64::from(tick - seen.accepted) / f64::from(TICKS_A_SECOND);
            return failure(Checker::Settled, format!("accepted {ago:.2} s ago"));
        }
        if again {
            return None;
        }
        if seen.era != era {
            (seen.era, seen.refusals) = (era, 0);
        }
        seen.refusals += 1;
        if u32::from(seen.refusals) > promise.refusals_max {
            let (times, most) = (seen.refusals, promise.refusals_max);
            return failure(Checker::Refusals, format!("{times} attempts, {most} at most"));
        }
        None
    }

    /// A subscriber was accepted on a network.
    pub(super) fn accepted(&mut self, ground: &Ground, who: Who, network: u8, tick: u32) {
        let fresh = Seen { accepted: tick, refusals: 0, era: 0 };
        self.seen.entry(key(who, network)).or_insert(fresh).accepted = tick;
        if let Some(story) = self.stories.get_mut(&key(who, ground.country(network))) {
            story.accepted = true;
        }
    }

    /// Refusals kept a subscriber from service for so long.
    pub(super) fn unserved(&mut self, subscriber: u32, ticks: u32, tick: u32) -> Option<Failure> {
        if ticks <= self.service_limit {
            return None;
        }
        self.overlong += 1;
        let whole = f64::from(ticks) / f64::from(TICKS_A_SECOND);
        let limit = f64::from(self.service_limit) / f64::from(TICKS_A_SECOND);
        self.enforces_service.then(|| Failure {
            checker: Checker::Service,
            subscriber: Some(subscriber),
            network: None,
            at_s: f64::from(tick) / f64::from(TICKS_A_SECOND),
            what: format!("{whole:.2} s, {limit:.0} s at most"),
            history: Vec::new(),
        })
    }
}

const fn key(who: Who, place: u8) -> u64 {
    (who.subscriber as u64) << 16 | (who.identity as u64) << 8 | place as u64
}

/// A hash of one word that is good enough for numbers of our own.
#[derive(Default)]
pub(super) struct Mix(u64);

impl Hasher for Mix {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, bytes: &[u8]) {
        for byte in bytes {
            self.write_u64(u64::from(*byte));
        }
    }

    fn write_u64(&mut self, word: u64) {
        let mixed = (self.0 ^ word).wrapping_mul(0x9e37_79b9_7f4a_7c15);
        self.0 = mixed ^ mixed >> 32;
    }
}
