//! The handsets: a state machine each, no sockets and no clock. Time is nanoseconds, given.

use std::cmp::Reverse;
use std::collections::{BinaryHeap, VecDeque};

use super::config::{RoamersConfig, Stack};
use super::request::{Cause, Request, Said, Step};
use super::stats::Stats;
use crate::ids::{Plmn, Random};

/// A request that the nodes of a handset's network shall send.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Ask {
    pub(super) network: usize,
    pub(super) customer: usize,
    pub(super) imsi: u64,
    pub(super) tag: Tag,
}

/// What comes back with an answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Tag {
    pub(super) handset: usize,
    pub(super) request: Request,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Detached,
    Authenticating,
    Registering,
    Waiting,
    Settled,
    Purging,
}

struct Handset {
    customer: usize,
    imsi: u64,
    sticky: bool,
    random: Random,
    state: State,
    country: usize,
    network: usize,
    /// Requests of the present step that have not ended yet, and the worst of what has.
    pending: u8,
    worst: Option<Cause>,
    /// Bit n: the nth access of the country has refused in this attach.
    refused: u64,
    tries: u32,
}

/// All handsets, who of them waits for what, and the counters of what became of them.
pub(super) struct Population {
    config: RoamersConfig,
    /// Accesses by country.
    countries: Vec<Vec<usize>>,
    /// Countries by customer.
    travels: Vec<Vec<usize>>,
    handsets: Vec<Handset>,
    detached: VecDeque<usize>,
    timers: BinaryHeap<Reverse<(u64, usize)>>,
    in_progress: usize,
    pub(super) stats: Stats,
}

impl Population {
    pub(super) fn new(config: RoamersConfig) -> Self {
        let mut names: Vec<&str> = config.networks.iter().map(|n| n.country.as_str()).collect();
        names.sort_unstable();
        names.dedup();
        let of = |name: &str| {
            let all = config.networks.iter().enumerate();
            all.filter(|(_, n)| n.country == name).map(|(i, _)| i).take(64).collect()
        };
        let countries: Vec<Vec<usize>> = names.iter().map(|name| of(name)).collect();
        let index = |country: &String| names.iter().position(|n| n == country);
        let travels =
            config.customers.iter().map(|c| c.countries.iter().filter_map(index).collect());
        let travels = travels.collect();
        let (handsets, detached) = populate(&config);
        let stats = Stats::new(&config);
        Self {
            countries,
            travels,
            handsets,
            detached,
            timers: BinaryHeap::new(),
            in_progress: 0,
            stats,
            config,
        }
    }

    /// Starts the attach of the handset that has been away longest; false when there is none, or no
    /// room.
    pub(super) fn begin(&mut self, asks: &mut Vec<Ask>) -> bool {
        if self.in_progress >= self.config.in_progress {
            return false;
        }
        let Some(id) = self.detached.pop_front() else { return false };
        let Some(handset) = self.handsets.get_mut(id) else { return false };
        let travels = self.travels.get(handset.customer).map_or(&[][..], Vec::as_slice);
        let Some(country) = travels.get(handset.random.below(travels.len())) else { return false };
        handset.country = *country;
        handset.refused = 0;
        handset.tries = 0;
        self.in_progress += 1;
        self.stats.attaches += 1;
        self.pick(id, None);
        self.attempt(id, asks);
        true
    }

    /// Lets the next handset go on whose timer has run out: with a retry, a purge, or by leaving
    /// silently. False when there is none.
    pub(super) fn due(&mut self, now: u64, asks: &mut Vec<Ask>) -> bool {
        if self.timers.peek().is_none_or(|Reverse((at, _))| *at > now) {
            return false;
        }
        let Some(Reverse((_, id))) = self.timers.pop() else { return false };
        let Some(handset) = self.handsets.get_mut(id) else { return true };
        match handset.state {
            State::Waiting => self.attempt(id, asks),
            State::Settled if handset.random.unit() >= self.config.silent_share => {
                self.step(id, State::Purging, Step::Purge, asks);
            }
            _ => self.detach(id),
        }
        true
    }

    /// An answer came.
    pub(super) fn answered(&mut self, tag: Tag, said: Said, now: u64, asks: &mut Vec<Ask>) {
        let cause = said.cause();
        if let (Some(_), Some(handset)) = (cause, self.handsets.get(tag.handset))
            && handset.state != State::Purging
        {
            self.stats.refused(handset.network, said);
        }
        self.ended(tag.handset, cause, now, asks);
    }

    /// No answer came, or a wrong one: the handset sees its timer end.
    pub(super) fn failed(&mut self, tag: Tag, now: u64, asks: &mut Vec<Ask>) {
        self.ended(tag.handset, Some(Cause::SameNetwork), now, asks);
    }

    /// One of the present step's requests has ended; after the last one the handset goes on. In a
    /// combined attach it is registered when both domains are.
    fn ended(&mut self, id: usize, cause: Option<Cause>, now: u64, asks: &mut Vec<Ask>) {
        let Some(handset) = self.handsets.get_mut(id) else { return };
        handset.worst = handset.worst.max(cause);
        handset.pending = handset.pending.saturating_sub(1);
        if handset.pending > 0 {
            return;
        }
        match (handset.state, handset.worst) {
            (State::Authenticating, None) => {
                self.step(id, State::Registering, Step::Register, asks);
            }
            (State::Registering, None) => self.registered(id, now),
            (State::Authenticating | State::Registering, Some(cause)) => {
                self.refused(id, cause, now);
            }
            (State::Purging, _) => self.detach(id),
            _ => {}
        }
    }

    fn attempt(&mut self, id: usize, asks: &mut Vec<Ask>) {
        if let Some(handset) = self.handsets.get_mut(id) {
            handset.tries += 1;
        }
        self.stats.attempts += 1;
        self.step(id, State::Authenticating, Step::Authenticate, asks);
    }

    /// Has the handset's network ask what the step needs.
    fn step(&mut self, id: usize, state: State, step: Step, asks: &mut Vec<Ask>) {
        let Some(handset) = self.handsets.get_mut(id) else { return };
        let network = handset.network;
        let Some(visited) = self.config.networks.get(network) else { return };
        let requests = step.requests(visited.access.stack());
        handset.state = state;
        handset.pending = u8::try_from(requests.len()).unwrap_or(u8::MAX);
        handset.worst = None;
        let (customer, imsi) = (handset.customer, handset.imsi);
        asks.extend(requests.iter().map(|request| {
            let tag = Tag { handset: id, request: *request };
            Ask { network, customer, imsi, tag }
        }));
    }

    fn registered(&mut self, id: usize, now: u64) {
        let Some(handset) = self.handsets.get_mut(id) else { return };
        handset.state = State::Settled;
        let stay = self.config.settled.mul_f64(0.5 + handset.random.unit());
        self.timers.push(Reverse((now.saturating_add(nanos(stay)), id)));
        self.in_progress -= 1;
        self.stats.registered(handset.customer, handset.network, handset.tries);
    }

    //= TS 24.301 §5.5.1.2.5
    // #11 and #13 send the handset to another PLMN; after the rest it tries where it is.
    fn refused(&mut self, id: usize, cause: Cause, now: u64) {
        let Some(handset) = self.handsets.get(id) else { return };
        match cause {
            Cause::Barred => {
                self.stats.barred += 1;
                return self.give_up(id, now);
            }
            // A sticky handset insists on the network, but perhaps over its other access.
            Cause::OtherNetwork if handset.sticky => {
                let here = self.config.networks.get(handset.network).map(|n| n.plmn);
                self.pick(id, here);
            }
            Cause::OtherNetwork => {
                self.forbid(id);
                self.pick(id, None);
            }
            Cause::SameNetwork => {}
        }
        self.retry(id, now);
    }

    /// Tries again after the pause, unless this attach has had its tries.
    fn retry(&mut self, id: usize, now: u64) {
        let Some(handset) = self.handsets.get_mut(id) else { return };
        if handset.tries >= self.config.tries {
            self.stats.abandoned += 1;
            return self.give_up(id, now);
        }
        handset.state = State::Waiting;
        let pause = self.config.retry.mul_f64(0.75 + handset.random.unit() / 2.0);
        self.timers.push(Reverse((now.saturating_add(nanos(pause)), id)));
    }

    /// Out of service for as long as a stay lasts.
    fn give_up(&mut self, id: usize, now: u64) {
        let Some(handset) = self.handsets.get_mut(id) else { return };
        handset.state = State::Detached;
        self.in_progress -= 1;
        let away = nanos(self.config.settled);
        self.timers.push(Reverse((now.saturating_add(away), id)));
    }

    fn detach(&mut self, id: usize) {
        if let Some(handset) = self.handsets.get_mut(id) {
            handset.state = State::Detached;
            self.detached.push_back(id);
        }
    }

    /// Marks every access of the handset's present network as refused.
    fn forbid(&mut self, id: usize) {
        let Some(handset) = self.handsets.get_mut(id) else { return };
        let plmn = self.config.networks.get(handset.network).map(|n| n.plmn);
        let list = self.countries.get(handset.country).map_or(&[][..], Vec::as_slice);
        for (bit, network) in list.iter().enumerate() {
            if self.config.networks.get(*network).map(|n| n.plmn) == plmn {
                handset.refused |= 1 << bit;
            }
        }
    }

    /// Picks an access that the handset can use: of this network, or else of the country's networks
    /// that have not refused yet, by signal; when all have, the list starts anew, as after a manual
    /// search. Where both are there, the dice say whether it is 4G, or 2G and 3G.
    fn pick(&mut self, id: usize, within: Option<Plmn>) {
        let Some(handset) = self.handsets.get_mut(id) else { return };
        let Some(customer) = self.config.customers.get(handset.customer) else { return };
        let list = self.countries.get(handset.country).map_or(&[][..], Vec::as_slice);
        let usable = list.iter().enumerate().filter_map(|(bit, index)| {
            let network = self.config.networks.get(*index)?;
            let is_open = within.is_none_or(|plmn| network.plmn == plmn);
            let can = is_open && customer.can_use(&network.access);
            can.then(|| (1u64 << bit, *index, network.access.stack(), network.signal.max(0.001)))
        });
        if within.is_some() || usable.clone().all(|(bit, ..)| handset.refused & bit != 0) {
            handset.refused = 0;
        }
        let refused = handset.refused;
        let open = usable.filter(move |(bit, ..)| refused & bit == 0);
        let over_map = handset.random.unit() < self.config.map_share;
        let wanted = if over_map { Stack::Ss7 } else { Stack::Diameter };
        let any = !open.clone().any(|(_, _, stack, _)| stack == wanted);
        let fitting = open.filter(|(_, _, stack, _)| any || *stack == wanted);
        let signal: f64 = fitting.clone().map(|(.., signal)| signal).sum();
        let mut point = handset.random.unit() * signal;
        for (_, network, _, signal) in fitting {
            handset.network = network;
            point -= signal;
            if point < 0.0 {
                return;
            }
        }
    }
}

fn populate(config: &RoamersConfig) -> (Vec<Handset>, VecDeque<usize>) {
    let mut random = Random::new(config.seed);
    let mut handsets = Vec::new();
    for (customer, home) in config.customers.iter().enumerate() {
        for index in 0..home.imsi.count() {
            let mut own = Random::new(random.bits());
            handsets.push(Handset {
                customer,
                imsi: home.imsi.at(index),
                sticky: own.unit() < config.sticky_share,
                random: own,
                state: State::Detached,
                country: 0,
                network: 0,
                pending: 0,
                worst: None,
                refused: 0,
                tries: 0,
            });
        }
    }
    let mut order: Vec<usize> = (0..handsets.len()).collect();
    for last in (1..order.len()).rev() {
        order.swap(last, random.below(last + 1));
    }
    (handsets, order.into())
}

fn nanos(duration: std::time::Duration) -> u64 {
    u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests;
