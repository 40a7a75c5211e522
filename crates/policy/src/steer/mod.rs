//! The steering stage: asks a device that registers on the wrong network to try another one, at most
//! a few times, and always knows when to give in.
//!
//! ```text
//! plan ▷ terms ▷ role ┬ barred ──▷ refuse, uncounted
//!                     ├ allowed ─▷ accept
//!                     ├ preferred ▷ accept, but for a better tier or a share that has drifted
//!                     └ other ──▷ episode: replay? same attempt? settled? counts used up?
//!                                   ▷ give in? (home, preferred networks, what areas taught)
//!                                   ▷ refuse and count
//! ```
//!
//! Only [`Act::Register`](procedure::Act::Register) is ever refused here: no standard has a "roaming
//! not allowed" for the others that would move a device, and an authentication refused for it bars
//! the SIM.
//!
//! | file | answers |
//! |---|---|
//! | `plan`, `calendar` | what a customer wants, of whom, when |
//! | `episode`, `packed`, `subscribers`, `memory` | what was done to a subscriber; where that is kept |
//! | `areas`, `health`, `shares`, `crossings`, over `cells` | what the outcomes taught |
//! | `learn`, `restore` | how outcomes come in, and those of the run before this one |
//! | `read`, `check` | a plan as it stands in a file, and what is wrong with it |
//= TS 29.272 §7.4.3
//= TS 29.002 §7.6.1

mod areas;
#[cfg(test)]
mod beside;
pub(crate) mod calendar;
mod cells;
pub(crate) mod check;
mod crossings;
pub(crate) mod episode;
mod health;
mod learn;
pub(crate) mod memory;
pub(crate) mod packed;
pub(crate) mod plan;
pub(crate) mod read;
pub(crate) mod restore;
mod shares;
mod subscribers;

use std::collections::BTreeMap;

use procedure::{
    Decision, Exit, Imsi, Outcome, Plmn, Procedure, Refusal, Stage, Symbol, Time, Verdict,
};

use crate::hash::{self, WordMap};
use crate::matcher::Facts;
use crate::networks::Country;
use crate::reading::Mode;
use areas::{AreaKey, Estimate, RANGE_DIGITS};
use cells::Place;
use episode::{Ask, Episode, How, Limits, Said};
pub(crate) use learn::Meanings;
use memory::Memory;
use packed::{Key, Tick};
use plan::{Plan, Role, Terms};
use read::EPISODE_S_MAX;

/// All plans; the first that holds for a customer's subscriber on a network speaks.
#[derive(Debug, Default)]
pub(crate) struct Steering {
    pub(crate) plans: Vec<Plan>,
    /// By customer and country: where its candidates begin and how many there are.
    index: WordMap<(u32, u32)>,
    /// Plans that may speak there, in the order of the file.
    candidates: Vec<Candidate>,
    /// Customers and countries whose visitors are remembered for somebody's border.
    watched: WordMap<bool>,
    meanings: Meanings,
    /// Seconds since 1970 at the gateway's start.
    started_unix_s: u64,
    /// The name under which the memory's own limit speaks.
    full: Option<Symbol>,
}

/// A plan that may speak in a country.
#[derive(Clone, Copy, Debug)]
struct Candidate {
    place: u32,
    /// It speaks on every network there.
    everywhere: bool,
}

/// Who registers where, as far as steering needs it.
#[derive(Clone, Copy)]
struct Visit<'p> {
    now: Tick,
    plan: &'p Plan,
    terms: &'p Terms,
    key: Key,
    country: Country,
    visited: Plmn,
    operator: Plmn,
    ask: Ask,
    area: AreaKey,
}

/// Why a registration that the counts would refuse is not worth it, or that it is.
#[derive(Clone, Copy, Debug, Default)]
struct Outlook {
    exit: Option<Exit>,
    place: Option<Place>,
    estimate: Option<Estimate>,
    /// When the refusals began that the subscriber met across a border just before.
    since: Option<Tick>,
}

/// Where the tables of what was learned are kept apart.
const UPGRADE: u64 = 1;
const SHARE: u64 = 2;

impl Steering {
    pub(crate) fn new(
        plans: Vec<Plan>,
        countries: &[Vec<Country>],
        full: Symbol,
        meanings: Meanings,
        started_unix_s: u64,
    ) -> Self {
        let mut places: BTreeMap<u64, Vec<Candidate>> = BTreeMap::new();
        let mut watched: WordMap<bool> = WordMap::default();
        for ((place, plan), countries) in plans.iter().enumerate().zip(countries) {
            for country in countries {
                let places = places.entry(index_key(plan.customer, *country)).or_default();
                let everywhere = plan.networks.is_empty() && plan.countries.contains(country);
                places.extend(u32::try_from(place).map(|place| Candidate { place, everywhere }));
            }
            for from in plan.overrides.iter().flat_map(|special| &special.came_from) {
                *watched.entry(index_key(plan.customer, *from)) = true;
            }
        }
        let (mut index, mut candidates) = (WordMap::default(), Vec::new());
        for (key, places) in places {
            *index.entry(key) = (candidates.len() as u32, places.len() as u32);
            candidates.extend(places);
        }
        Self { plans, index, candidates, watched, meanings, started_unix_s, full: Some(full) }
    }

    /// The plan in force for a customer's subscriber on a network.
    fn plan(&self, now: Time, facts: &Facts<'_>, customer: Symbol) -> Option<&Plan> {
        let (visited, operator) = (facts.visited?, facts.operator?);
        let (first, count) = *self.index.get(index_key(customer, facts.country))?;
        let places = self.candidates.get(first as usize..)?.iter().take(count as usize);
        let unix_s = self.unix_s(now);
        let (access, domain) = (facts.procedure.access, facts.procedure.domain);
        places.copied().find_map(|Candidate { place, everywhere }| {
            let plan = self.plans.get(place as usize)?;
            let there = everywhere || plan.covers(visited, operator, facts.country);
            let holds = plan.terms.mode != Mode::Off
                && there
                && (plan.is_always || plan.holds(access, domain, unix_s));
            holds.then_some(plan)
        })
    }

    /// The time of day and the date, in seconds since 1970.
    pub(crate) const fn unix_s(&self, now: Time) -> u64 {
        self.started_unix_s + now.as_ms() / 1000
    }

    /// Speaks on a registration; true when it is refused.
    pub(crate) fn decide(
        &self,
        now: Time,
        facts: &Facts<'_>,
        memory: &Memory,
        decision: &mut Decision,
    ) -> bool {
        let procedure = facts.procedure;
        let (true, Some(customer), Some(imsi), Some(visited), Some(operator)) = (
            plan::is_steered(procedure.act),
            facts.customer,
            procedure.imsi,
            facts.visited,
            facts.operator,
        ) else {
            return false;
        };
        let Some(plan) = self.plan(now, facts, customer) else { return false };
        let now = Tick::of(now);
        let seen = |country, within| was_seen(memory, imsi, country, now, within);
        let special = if plan.is_plain { None } else { plan.special(facts, seen) };
        if let Some(special) = special {
            decision.because.push(Stage::Steer, special.name, Outcome::Override);
        }
        let terms = special.map_or(&plan.terms, |special| &special.terms);
        let visit = Visit {
            now,
            plan,
            terms,
            key: Key::new(imsi, facts.country),
            country: facts.country,
            visited,
            operator,
            ask: Ask { network: operator, domain: procedure.domain, exchange: exchange(procedure) },
            area: area(plan, facts, imsi),
        };
        self.speak(&visit, procedure, memory, decision)
    }

    fn speak(
        &self,
        visit: &Visit<'_>,
        procedure: &Procedure<'_>,
        memory: &Memory,
        decision: &mut Decision,
    ) -> bool {
        let Visit { plan, terms, .. } = *visit;
        let role = plan.role(visit.operator);
        decision.preferred = Some(matches!(role, Role::Preferred { .. }));
        let mut accept = |outcome| {
            decision.because.push(Stage::Steer, plan.name, outcome);
            false
        };
        if terms.mode == Mode::Off {
            return accept(Outcome::Accept);
        }
        let (limits, salt) = match role {
            Role::Allowed => return accept(Outcome::Accept),
            Role::Barred => {
                let refusal = plan.refusal(procedure, visit.visited);
                decision.because.push(Stage::Steer, plan.name, Outcome::Barred);
                return refuse(plan, terms, refusal, decision);
            }
            Role::Other => (terms.limits, 0),
            Role::Preferred { tier, .. } => match visit.newcomer(tier, memory) {
                Some(wanted) => wanted,
                None => return accept(Outcome::Preferred),
            },
        };
        let refusal = plan.refusal(procedure, visit.visited);
        match visit.ask(limits, salt, memory) {
            Some(answer) => answer.tell(plan, terms, refusal, decision),
            None => {
                memory.count_unsteered();
                let name = self.full.unwrap_or(plan.name);
                decision.because.push(Stage::Steer, name, Outcome::Accept);
                false
            }
        }
    }
}

/// What an episode said, and what was known when it did.
struct Answer {
    said: Said,
    how: How,
    outlook: Outlook,
}

impl Visit<'_> {
    /// Whether somebody on a preferred network is to be asked to try another one: under which limits
    /// and for what. Only a newcomer is, and only once in a while.
    fn newcomer(&self, tier: u8, memory: &Memory) -> Option<(Limits, u64)> {
        let better = self.plan.above(tier) & !self.down(memory);
        let own = self.plan.tiers.get(usize::from(tier))?;
        if better == 0 && own.shares.is_empty() {
            return None;
        }
        let fixed = self.plan.fixed_shares;
        let is_new = memory.with_known(self.key, |episode| {
            let fresh = episode.refusals() == 0 || episode.is_asked_on(self.operator);
            !episode.is_settled_on(self.operator) && !episode.is_held() && (fresh || fixed)
        });
        if is_new == Some(false) {
            return None;
        }
        let limits = |refusals| Limits { refusals, returns: refusals, ..self.terms.limits };
        if better != 0 && self.plan.tier_refusals > 0 {
            return Some((limits(self.plan.tier_refusals), UPGRADE));
        }
        if fixed {
            let elsewhere = own.of_subscriber(self.key) != Some(self.operator);
            return elsewhere.then_some((self.terms.limits, SHARE));
        }
        // Whoever was settled on another of the tier has lost it, and comes for want of it.
        let settled = memory.with_known(self.key, |episode| episode.is_settled()) == Some(true);
        (!settled && self.has_drifted(tier, memory)).then(|| (limits(1), SHARE))
    }

    /// Whether this network has more than its share and another of its tier less.
    fn has_drifted(&self, tier: u8, memory: &Memory) -> bool {
        let Some(tier) = self.plan.tiers.get(usize::from(tier)) else { return false };
        let name = self.plan.name;
        let over = |network: Plmn| {
            let target = tier.networks.iter().position(|known| *known == network);
            let target = *tier.shares.get(target?)?;
            let all = tier.networks.iter().copied();
            Some(memory.learned.shares.share(name, network, all, self.now)? - target)
        };
        let others = || tier.networks.iter().filter(|network| **network != self.operator);
        over(self.operator).is_some_and(|over| over > self.plan.drift)
            && others().any(|network| {
                over(*network).is_some_and(|over| over < 0.0) && !self.is_down(*network, memory)
            })
    }

    fn is_down(&self, network: Plmn, memory: &Memory) -> bool {
        memory.learned.health.network_fails(self.plan.customer, network, self.now)
    }

    /// Preferred networks whose registrations fail, as bits of their places.
    fn down(&self, memory: &Memory) -> u32 {
        if memory.learned.health.is_quiet(self.now) {
            return 0;
        }
        let networks = self.plan.preferred().take(plan::PREFERRED_MAX).enumerate();
        let failing = networks.filter(|(_, network)| self.is_down(*network, memory));
        failing.fold(0, |bits, (place, _)| bits | 1 << place)
    }

    /// Asks the subscriber's episode; nothing where there is no room for one.
    fn ask(&self, mut limits: Limits, salt: u64, memory: &Memory) -> Option<Answer> {
        if memory.is_unsure(self.now) {
            limits.refusals = limits.refusals.saturating_sub(1);
        }
        let mut outlook = Outlook::default();
        let mut trial = None;
        let area = self.area.of(salt);
        let crossings = &memory.learned.crossings;
        let (said, how) = memory.with(self.key, self.now, |episode| {
            let open = episode.trial(self.now, &limits);
            let (said, how) = episode.ask(self.now, &limits, self.ask, |episode| {
                outlook = self.outlook(area, episode, memory);
                outlook.exit
            });
            match (said, how, outlook.place) {
                _ if self.terms.mode != Mode::Enforce || memory.is_dry() => {}
                (Said::Refused { .. }, How::Decided, place) if episode.refusals() == 1 => {
                    if let Some(since) = outlook.since {
                        episode.began(since);
                    }
                    crossings.begin(self.key, self.country, self.now, place);
                    episode.area = place.unwrap_or(Place::NONE).0;
                    trial = place.map(|place| (place, None));
                }
                (Said::Exited { exit, .. }, How::Decided, _) if tells_of_place(exit) => {
                    trial = open.map(|(area, since)| (Place(area), Some(since)));
                }
                _ => {}
            }
            (said, how)
        })?;
        match trial {
            Some((place, None)) => memory.learned.areas.begin(place),
            Some((place, Some(since))) => memory.learned.areas.end(place, since, false),
            None => {}
        }
        Some(Answer { said, how, outlook })
    }

    /// What is known against refusing, asked only where the counts allow one.
    fn outlook(&self, area: AreaKey, episode: &Episode, memory: &Memory) -> Outlook {
        let exit = |exit| Outlook { exit: Some(exit), ..Outlook::default() };
        let learned = &memory.learned;
        let quiet = learned.health.is_quiet(self.now);
        if !quiet && learned.health.home_fails(self.plan.customer, self.now) {
            return exit(Exit::HomeFailing);
        }
        let (all, down) = (self.plan.all, self.down(memory));
        if all != 0 && down == all {
            return exit(Exit::PreferredDown);
        }
        if episode.failed_all(all & !down) {
            return exit(Exit::PreferredFailed);
        }
        let first = episode.refusals() == 0;
        let within = Tick::from_ms(EPISODE_S_MAX * 1000);
        let crossed = || learned.crossings.since(self.key, self.country, self.now, within);
        let since = if first { crossed() } else { None };
        if since.is_some_and(|since| self.now.since(since) >= self.terms.limits.episode) {
            return exit(Exit::Time);
        }
        let outlook = Outlook { since, ..Outlook::default() };
        if !self.terms.learn {
            return outlook;
        }
        let known = match memory.is_dry() {
            true => learned.areas.peek(area).map(|estimate| (None, estimate)),
            false => {
                let known = learned.areas.estimate(area, self.now);
                known.map(|(place, estimate)| (Some(place), estimate))
            }
        };
        let Some((place, estimate)) = known else { return outlook };
        let stubborn =
            episode.was_stubborn() && first && place.is_some_and(|place| place.0 == episode.area);
        let share = if stubborn { 0.0 } else { estimate.share }.max(self.terms.probe);
        let begun = episode.since().filter(|_| !first).or(since).unwrap_or(self.now);
        let refuse = share >= 1.0 || memory.draw(self.key, begun, area.area) < share;
        let exit = (!refuse).then_some(Exit::NotReached);
        Outlook { exit, place, estimate: Some(estimate), since }
    }
}

/// Whether giving in for this reason says that the device could not be moved from where it was.
const fn tells_of_place(exit: Exit) -> bool {
    !matches!(exit, Exit::HomeFailing | Exit::PreferredDown | Exit::PreferredFailed)
}

impl Answer {
    /// Writes into the decision what was said; true when that refuses.
    fn tell(&self, plan: &Plan, terms: &Terms, refusal: Refusal, decision: &mut Decision) -> bool {
        let because = &mut decision.because;
        match self.how {
            How::Replayed => because.push(Stage::Steer, plan.name, Outcome::Replay),
            How::Resent => because.push(Stage::Steer, plan.name, Outcome::Resend),
            How::Decided | How::Coalesced => {}
        }
        if let Some(estimate) = self.outlook.estimate.filter(|estimate| estimate.is_seen) {
            let moved_pct = estimate.moved_pct;
            because.push(Stage::Steer, plan.name, Outcome::Learned { moved_pct });
        }
        match self.said {
            Said::Settled => because.push(Stage::Steer, plan.name, Outcome::Settled),
            Said::Exited { exit, attempt } => {
                because.push(Stage::Steer, plan.name, Outcome::Exit(exit));
                decision.exit = Some(exit);
                decision.attempt = attempt;
            }
            Said::Refused { attempt } => {
                decision.attempt = attempt;
                return refuse(plan, terms, refusal, decision);
            }
        }
        false
    }
}

/// Refuses, or says that it would have; true when it does.
fn refuse(plan: &Plan, terms: &Terms, refusal: Refusal, decision: &mut Decision) -> bool {
    let because = &mut decision.because;
    if terms.mode == Mode::Observe {
        because.push(Stage::Steer, plan.name, Outcome::WouldRefuse(refusal));
        return false;
    }
    because.push(Stage::Steer, plan.name, Outcome::Refuse(refusal));
    decision.verdict = Verdict::Refuse(refusal);
    decision.refused_by = Some(Stage::Steer);
    true
}

/// Whether a subscriber was registered in a country within this time, as far as is remembered.
fn was_seen(memory: &Memory, imsi: Imsi, country: Country, now: Tick, within: Tick) -> bool {
    let seen = memory.with_known(Key::new(imsi, country), |episode| match episode.since() {
        None => !episode.is_over(now),
        Some(since) => now.since(since) <= within,
    });
    seen.unwrap_or(false)
}

/// The visited node as a plan's devices of one class see it, and the range of the subscriber's number.
fn area(plan: &Plan, facts: &Facts<'_>, imsi: Imsi) -> AreaKey {
    let node = match facts.procedure.serving {
        Some(number) => hash::word(number.len() as u64, number.value()),
        None => hash::name(0, facts.procedure.origin.host),
    };
    let class = facts.device.map_or(0, |device| 1 + device as u64);
    let area = hash::word(u64::from(plan.name.0) << 8 | class, node);
    AreaKey { area, range: hash::word(u64::from(imsi.prefix(RANGE_DIGITS)), area) }
}

impl AreaKey {
    /// The same place where something else is learned of it.
    const fn of(self, salt: u64) -> Self {
        match salt {
            0 => self,
            _ => Self { area: hash::word(salt, self.area), range: hash::word(salt, self.range) },
        }
    }
}

/// The exchange among those of all stacks, each of which numbers its own; zero is none.
const fn exchange(procedure: &Procedure<'_>) -> u64 {
    match procedure.exchange {
        0 => 0,
        exchange => hash::word(procedure.stack.0 as u64, exchange),
    }
}

const fn index_key(customer: Symbol, country: Country) -> u64 {
    (customer.0 as u64) << 16 | country.number() as u64
}
