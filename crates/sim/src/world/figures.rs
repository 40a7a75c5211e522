//! What is measured of a run.

use std::collections::BTreeMap;

use serde::Serialize;

use super::calendar::TICKS_A_SECOND;
use super::ground::{Ground, NONE};
use super::handset::{Handset, State};
use super::ledger::Ledger;
use super::plans::Facts;

/// Between two points of a curve.
pub(super) const CURVE_S: u32 = 10;

/// One scenario under one policy, in numbers.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Figures {
    /// The scenario.
    pub scenario: String,
    /// The policy.
    pub policy: String,
    /// The seed.
    pub seed: u64,
    /// Subscribers.
    pub subscribers: u32,
    /// Exchanges that visited and home networks opened.
    pub transactions: u64,
    /// Of those abroad a minute after they came into an area, so many of a hundred were registered
    /// on a network that the plan prefers …
    pub preferred_share_1m: f64,
    /// … and of those ten minutes after they had arrived.
    pub preferred_share_10m: f64,
    /// As before, counting only those in areas that a preferred network covered.
    pub reachable_share_10m: f64,
    /// Of those abroad ten minutes after they had arrived, so many of a hundred had service.
    pub served_share_10m: f64,
    /// Registrations refused by steering, and the authentications before them, of a hundred other
    /// transactions.
    pub extra_signalling_pct: f64,
    /// Registrations refused by steering.
    pub refused: u64,
    /// Subscribers ever refused by steering.
    pub subscribers_refused: u64,
    /// How long refusals kept those from service, each's longest stretch.
    pub no_service_s: Spread,
    /// Stretches beyond the scenario's limit.
    pub over_limit: u64,
    /// Modules that took their next identity while refusals kept them from service.
    pub rotations: u64,
    /// Times that refusals left a handset that keeps to the letter of the standards with nothing
    /// but forbidden networks: it waits for its user, and that time is in no other figure.
    pub stranded: u64,
    /// Times that steering gave in, by reason.
    pub exits: BTreeMap<&'static str, u64>,
    /// How far the shares among preferred networks were from their targets ten minutes after
    /// arrival, in points, on the average over the networks; none without targets.
    pub share_error: Option<f64>,
    /// Every ten seconds of virtual time.
    #[serde(skip)]
    pub curve: Vec<Point>,
}

/// A moment of a run.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Point {
    /// Of a hundred abroad, so many on preferred networks.
    pub preferred_share: f64,
    /// Registrations refused by steering since the point before, for each second.
    pub refused_a_second: f64,
}

/// Order statistics, in seconds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize)]
pub struct Spread {
    /// Half are not above it.
    pub p50: f64,
    /// 95 of a hundred are not above it.
    pub p95: f64,
    /// 99 of a hundred are not above it.
    pub p99: f64,
    /// None is above it.
    pub max: f64,
}

impl Spread {
    /// Of values in ticks.
    pub(super) fn of(mut ticks: Vec<u32>) -> Self {
        ticks.sort_unstable();
        let at = |percent: usize| {
            let rank = (ticks.len() * percent).div_ceil(100).max(1) - 1;
            let value = ticks.get(rank).copied().unwrap_or(0);
            f64::from(value) / f64::from(TICKS_A_SECOND)
        };
        Self { p50: at(50), p95: at(95), p99: at(99), max: at(100) }
    }
}

/// A part of a whole.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Share {
    part: u64,
    whole: u64,
}

impl Share {
    pub(super) fn add(&mut self, is_part: bool) {
        self.part += u64::from(is_part);
        self.whole += 1;
    }

    pub(super) fn percent(self) -> f64 {
        if self.whole == 0 {
            return 0.0;
        }
        round(100.0 * self.part as f64 / self.whole as f64)
    }
}

/// Three digits behind the point: what is printed and compared.
pub(super) fn round(value: f64) -> f64 {
    (value * 1000.0).round() / 1000.0
}

/// Measures while a run lasts.
pub(super) struct Meter {
    one_minute: Share,
    ten_minutes: Share,
    reachable: Share,
    served: Share,
    /// By customer and network: who was where ten minutes after arrival.
    places: Vec<u64>,
    networks: usize,
    /// By subscriber: the longest stretch that refusals made; none where there was no refusal.
    stretches: Vec<u32>,
    /// Attempts that steering refused: each had its authentication.
    pub(super) attempts: u64,
    pub(super) rotations: u64,
    pub(super) stranded: u64,
    curve: Vec<Point>,
    refused_before: u64,
}

const UNREFUSED: u32 = u32::MAX;

impl Meter {
    pub(super) fn new(ground: &Ground) -> Self {
        let scenario = &ground.scenario;
        let networks = scenario.networks.len();
        Self {
            one_minute: Share::default(),
            ten_minutes: Share::default(),
            reachable: Share::default(),
            served: Share::default(),
            places: vec![0; networks * scenario.customers.len()],
            networks,
            stretches: vec![UNREFUSED; scenario.subscribers as usize],
            attempts: 0,
            rotations: 0,
            stranded: 0,
            curve: Vec::new(),
            refused_before: 0,
        }
    }

    /// A subscriber was refused by steering.
    pub(super) fn refused(&mut self, subscriber: u32) {
        self.unserved(subscriber, 0);
    }

    /// It was without service for so long because of refusals.
    pub(super) fn unserved(&mut self, subscriber: u32, ticks: u32) {
        if let Some(longest) = self.stretches.get_mut(subscriber as usize) {
            *longest = if *longest == UNREFUSED { ticks } else { (*longest).max(ticks) };
        }
    }

    /// A minute after it came into an area.
    pub(super) fn one_minute(&mut self, ground: &Ground, handset: &Handset) {
        if is_abroad(ground, handset) {
            self.one_minute.add(is_preferred(ground, handset));
        }
    }

    /// Ten minutes after it arrived.
    pub(super) fn ten_minutes(&mut self, ground: &Ground, handset: &Handset, tick: u32) {
        if !is_abroad(ground, handset) {
            return;
        }
        let is_there = is_preferred(ground, handset);
        self.ten_minutes.add(is_there);
        self.served.add(handset.state == State::Registered);
        let customer = handset.customer(ground);
        let preferred = ground.preferred(customer);
        let class = ground.class(handset.class);
        let heard = class.map_or(0, |class| ground.heard(class, customer, handset.area, tick));
        if heard & preferred != 0 {
            self.reachable.add(is_there);
        }
        let place = usize::from(customer) * self.networks + usize::from(handset.network);
        if let Some(count) = self.places.get_mut(place).filter(|_| is_there) {
            *count += 1;
        }
    }

    /// Looks at everybody, for the curve.
    pub(super) fn look(&mut self, ground: &Ground, handsets: &[Handset], refused: u64) {
        let mut share = Share::default();
        for handset in handsets.iter().filter(|handset| is_abroad(ground, handset)) {
            share.add(is_preferred(ground, handset));
        }
        let since = refused - self.refused_before;
        self.refused_before = refused;
        let refused_a_second = since as f64 / f64::from(CURVE_S);
        self.curve.push(Point { preferred_share: share.percent(), refused_a_second });
    }

    /// The mean distance of shares from their targets, in points.
    fn share_error(
        &self,
        ground: &Ground,
        facts: &[Facts],
        known: &policy::Networks,
    ) -> Option<f64> {
        let scenario = &ground.scenario;
        let mut errors = Vec::new();
        for plan in facts {
            let targets: Vec<_> =
                scenario.targets.iter().filter(|target| target.plan == plan.name).collect();
            let Some(first) = targets.first() else { continue };
            let plmn = ground.network(first.network)?.plmn;
            let holds = |name: &str| {
                super::plans::holding(facts, known, name, plmn).is_some_and(|own| own == plan)
            };
            let customer = scenario.customers.iter().position(|customer| holds(&customer.name))?;
            let count = |network: u8| {
                let place = customer * self.networks + usize::from(network);
                self.places.get(place).copied().unwrap_or(0)
            };
            let whole: u64 = targets.iter().map(|target| count(target.network)).sum();
            errors.extend(targets.iter().map(|target| {
                let share = 100.0 * count(target.network) as f64 / whole.max(1) as f64;
                (share - f64::from(target.percent)).abs()
            }));
        }
        let mean = errors.iter().sum::<f64>() / errors.len().max(1) as f64;
        (!errors.is_empty()).then(|| round(mean))
    }

    /// Everything, at the end.
    pub(super) fn figures(
        self,
        ground: &Ground,
        (facts, known): (&[Facts], &policy::Networks),
        (policy, seed): (&str, u64),
        (ledger, transactions, overlong): (&Ledger, u64, u64),
    ) -> Figures {
        let share_error = self.share_error(ground, facts, known);
        let refused: Vec<u32> =
            self.stretches.iter().copied().filter(|ticks| *ticks != UNREFUSED).collect();
        let extra = ledger.refused + self.attempts;
        let others = transactions.saturating_sub(extra).max(1);
        Figures {
            scenario: ground.scenario.name.clone(),
            policy: policy.to_owned(),
            seed,
            subscribers: ground.scenario.subscribers,
            transactions,
            preferred_share_1m: self.one_minute.percent(),
            preferred_share_10m: self.ten_minutes.percent(),
            reachable_share_10m: self.reachable.percent(),
            served_share_10m: self.served.percent(),
            extra_signalling_pct: round(100.0 * extra as f64 / others as f64),
            refused: ledger.refused,
            subscribers_refused: refused.len() as u64,
            no_service_s: Spread::of(refused),
            over_limit: overlong,
            rotations: self.rotations,
            stranded: self.stranded,
            exits: ledger.exits.clone(),
            share_error,
            curve: self.curve,
        }
    }
}

/// Whether it is there and not in its own network.
fn is_abroad(ground: &Ground, handset: &Handset) -> bool {
    handset.area != NONE && handset.state != State::Off && !handset.is_home(ground)
}

fn is_preferred(ground: &Ground, handset: &Handset) -> bool {
    let preferred = ground.preferred(handset.customer(ground));
    handset.state == State::Registered && preferred >> (handset.network & 15) & 1 != 0
}
