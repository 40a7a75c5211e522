//! The handsets: a state machine each, no sockets and no clock. Time is nanoseconds, given.

use std::cmp::Reverse;
use std::collections::{BinaryHeap, VecDeque};

use super::config::RoamersConfig;
use super::stats::Stats;
use crate::diameter::parse::Outcome;
use crate::diameter::{command, result};
use crate::ids::Random;

/// A request that a handset's MME shall send.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Ask {
    pub(super) network: usize,
    pub(super) handset: usize,
    pub(super) customer: usize,
    pub(super) imsi: u64,
    pub(super) command: u32,
}

/// What comes back with an answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Tag {
    pub(super) handset: usize,
    pub(super) command: u32,
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
    /// Bit n: the nth network of the country has refused in this attach.
    refused: u64,
    tries: u32,
}

/// What the visited network tells the handset, and so what it does next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Cause {
    /// #11, #13: look for another network.
    OtherNetwork,
    /// #15, #17 and the like: the same network again, for now.
    SameNetwork,
    /// #7, #8: the SIM is of no use here.
    Barred,
}

impl Cause {
    //= TS 29.272 Annex A.1
    // 5001 maps to #8, 5004 to #11 (#13 for 5421), 5420 to #15, other errors to #17 (network failure).
    pub(super) fn of(outcome: Outcome) -> Self {
        match outcome {
            Outcome::Experimental(result::USER_UNKNOWN) => Self::Barred,
            Outcome::Experimental(result::ROAMING_NOT_ALLOWED | result::RAT_NOT_ALLOWED) => {
                Self::OtherNetwork
            }
            _ => Self::SameNetwork,
        }
    }
}

/// All handsets, who of them waits for what, and the counters of what became of them.
pub(super) struct Population {
    config: RoamersConfig,
    /// Networks by country.
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

    /// Starts the attach of the handset that has been away longest, if there is one and room.
    pub(super) fn begin(&mut self) -> Option<Ask> {
        if self.in_progress >= self.config.in_progress {
            return None;
        }
        let id = self.detached.pop_front()?;
        let handset = self.handsets.get_mut(id)?;
        let travels = self.travels.get(handset.customer)?;
        handset.country = *travels.get(handset.random.below(travels.len()))?;
        handset.refused = 0;
        handset.tries = 0;
        self.in_progress += 1;
        self.stats.attaches += 1;
        self.pick(id);
        self.attempt(id)
    }

    /// The next handset whose timer has run out: a retry, a purge, or nothing to send.
    pub(super) fn due(&mut self, now: u64) -> Option<Option<Ask>> {
        let Reverse((at, id)) = *self.timers.peek()?;
        if at > now {
            return None;
        }
        self.timers.pop();
        let handset = self.handsets.get_mut(id)?;
        Some(match handset.state {
            State::Waiting => self.attempt(id),
            State::Settled if handset.random.unit() >= self.config.silent_share => {
                handset.state = State::Purging;
                self.ask(id, command::PURGE_UE)
            }
            _ => {
                self.detach(id);
                None
            }
        })
    }

    /// An answer came.
    pub(super) fn answered(&mut self, tag: Tag, outcome: Outcome, now: u64) -> Option<Ask> {
        let state = self.handsets.get(tag.handset)?.state;
        match (state, outcome.is_success()) {
            (State::Authenticating, true) => {
                self.handsets.get_mut(tag.handset)?.state = State::Registering;
                return self.ask(tag.handset, command::UPDATE_LOCATION);
            }
            (State::Registering, true) => self.registered(tag.handset, now),
            (State::Authenticating | State::Registering, false) => {
                self.refused(tag, outcome, now);
            }
            (State::Purging, _) => self.detach(tag.handset),
            _ => {}
        }
        None
    }

    /// No answer came, or a wrong one: the handset sees its timer end.
    pub(super) fn failed(&mut self, tag: Tag, now: u64) {
        match self.handsets.get(tag.handset).map(|h| h.state) {
            Some(State::Authenticating | State::Registering) => self.retry(tag.handset, now),
            Some(State::Purging) => self.detach(tag.handset),
            _ => {}
        }
    }

    fn attempt(&mut self, id: usize) -> Option<Ask> {
        let handset = self.handsets.get_mut(id)?;
        handset.tries += 1;
        handset.state = State::Authenticating;
        self.stats.attempts += 1;
        self.ask(id, command::AUTHENTICATION_INFORMATION)
    }

    fn ask(&self, id: usize, command: u32) -> Option<Ask> {
        let h = self.handsets.get(id)?;
        let (network, customer, imsi) = (h.network, h.customer, h.imsi);
        Some(Ask { network, handset: id, customer, imsi, command })
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
    fn refused(&mut self, tag: Tag, outcome: Outcome, now: u64) {
        let Some(handset) = self.handsets.get(tag.handset) else { return };
        let network = handset.network;
        self.stats.refused(network, tag.command, outcome);
        match Cause::of(outcome) {
            Cause::Barred => {
                self.stats.barred += 1;
                self.give_up(tag.handset, now);
            }
            Cause::OtherNetwork if !handset.sticky => {
                self.forbid(tag.handset);
                self.pick(tag.handset);
                self.retry(tag.handset, now);
            }
            Cause::OtherNetwork | Cause::SameNetwork => self.retry(tag.handset, now),
        }
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

    /// Marks every MME of the handset's present network as refused.
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

    /// Picks one of the country's networks that have not refused yet, by signal; when all have,
    /// the list starts anew, as after a manual search.
    fn pick(&mut self, id: usize) {
        let Some(handset) = self.handsets.get_mut(id) else { return };
        let list = self.countries.get(handset.country).map_or(&[][..], Vec::as_slice);
        if (0..list.len()).all(|bit| handset.refused & (1 << bit) != 0) {
            handset.refused = 0;
        }
        let refused = handset.refused;
        let open = || list.iter().enumerate().filter(move |(bit, _)| refused & (1 << bit) == 0);
        let signal = |n: usize| self.config.networks.get(n).map_or(0.0, |n| n.signal.max(0.001));
        let mut point = handset.random.unit() * open().map(|(_, n)| signal(*n)).sum::<f64>();
        for (_, network) in open() {
            handset.network = *network;
            point -= signal(*network);
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
mod tests {
    use super::*;
    use crate::diameter::base::Identity;
    use crate::roaming::{Customer, VisitedNetwork};

    const STEERED: Outcome = Outcome::Experimental(result::ROAMING_NOT_ALLOWED);
    const SUCCESS: Outcome = Outcome::Base(result::SUCCESS);

    /// One handset in a country of two networks.
    fn population(sticky: f64, tries: u32) -> Population {
        let network = |plmn: &str| VisitedNetwork {
            name: plmn.into(),
            plmn: plmn.parse().unwrap(),
            country: "GB".into(),
            identity: Identity::new("mme1.visited.lab"),
            source_ip: None,
            signal: 1.0,
        };
        let customer = Customer {
            name: "home".into(),
            realm: "home.lab".into(),
            imsi: "214070000000001..214070000000001".parse().unwrap(),
            countries: vec!["GB".into()],
            preferred: Vec::new(),
        };
        let to = std::net::SocketAddr::from(([127, 0, 0, 1], 1));
        let networks = vec![network("23410"), network("23415")];
        let mut config = RoamersConfig::new(to, networks, vec![customer]);
        config.sticky_share = sticky;
        config.tries = tries;
        config.silent_share = 0.0;
        Population::new(config)
    }

    /// Answers an AIR with success and its ULR with `outcome`; gives the network that was tried.
    fn attempt(population: &mut Population, air: Ask, outcome: Outcome) -> usize {
        let tag = |ask: Ask| Tag { handset: ask.handset, command: ask.command };
        assert_eq!(air.command, command::AUTHENTICATION_INFORMATION);
        let ulr = population.answered(tag(air), SUCCESS, 0).unwrap();
        assert_eq!((ulr.command, ulr.network), (command::UPDATE_LOCATION, air.network));
        assert_eq!(population.answered(tag(ulr), outcome, 0), None);
        air.network
    }

    fn tried(sticky: f64, refusals: usize) -> (Vec<usize>, Population) {
        let mut population = population(sticky, 12);
        let mut air = population.begin().unwrap();
        let mut networks = Vec::new();
        for _ in 0..refusals {
            networks.push(attempt(&mut population, air, STEERED));
            air = population.due(u64::MAX).unwrap().unwrap();
        }
        networks.push(attempt(&mut population, air, SUCCESS));
        (networks, population)
    }

    #[test]
    fn a_sticky_handset_insists_and_a_moving_one_goes_round() {
        let (networks, population) = tried(1.0, 4);
        assert!(networks.iter().all(|n| Some(n) == networks.first()), "{networks:?}");
        assert_eq!(population.stats.attempts, 5);
        let (networks, _) = tried(0.0, 1);
        assert_ne!(networks.first(), networks.last());
        // Both networks refuse: every pair of tries covers both.
        let (networks, _) = tried(0.0, 3);
        assert!(networks.chunks(2).all(|two| two.first() != two.last()), "{networks:?}");
    }

    #[test]
    fn a_stay_ends_with_a_purge_and_tries_are_bounded() {
        let (_, mut population) = tried(0.0, 0);
        let pur = population.due(u64::MAX).unwrap().unwrap();
        assert_eq!(pur.command, command::PURGE_UE);
        assert_eq!(population.begin(), None);
        population.answered(Tag { handset: 0, command: pur.command }, SUCCESS, 0);
        assert!(population.begin().is_some());

        let mut population = self::population(1.0, 1);
        let air = population.begin().unwrap();
        attempt(&mut population, air, STEERED);
        assert_eq!((population.stats.abandoned, population.in_progress), (1, 0));
    }
}
