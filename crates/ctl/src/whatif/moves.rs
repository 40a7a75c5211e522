//! What refused devices did in the records: turned up on a preferred network, or not.

use std::collections::{BTreeMap, HashMap};

use policy::{Compiled, Country};
use procedure::Plmn;
use serde::Serialize;

use super::traffic::{End, Event, Traffic};

/// How long after its first refusal a device is waited for on a preferred network.
pub(crate) const TRIAL_US: u64 = 120_000_000;
/// Trials on a network from which on its own share is believed.
pub(crate) const TRIALS_MIN: u64 = 10;

/// Refused devices by the network that they were refused on.
#[derive(Debug, Default)]
pub(crate) struct Moves {
    networks: BTreeMap<Plmn, Network>,
    /// Where those who moved went.
    landed: HashMap<Plmn, u64>,
    /// What is taken where too few were seen, in hundredths.
    assumed_pct: u8,
}

/// What was seen of those refused on one network.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub(crate) struct Network {
    /// Episodes that began with a refusal there.
    pub(crate) trials: u64,
    /// Of these, those that led to a preferred network in time.
    pub(crate) moved: u64,
}

/// An episode that is under way.
struct Open {
    network: Plmn,
    since_us: u64,
}

impl Moves {
    /// What the records tell. `compiled` are the policies in force: which networks are one operator's,
    /// and which are preferred where a record does not say.
    pub(crate) fn seen(traffic: &Traffic, compiled: &Compiled, assumed_pct: u8) -> Self {
        let mut moves = Self { assumed_pct, ..Self::default() };
        let mut open: HashMap<(u32, Country), Open> = HashMap::new();
        let preferred = Preferred::new(compiled);
        let networks = compiled.networks();
        for event in &traffic.events {
            let Some(visited) = visited(event, traffic, compiled) else { continue };
            let key = (event.who, networks.country(visited));
            let network = networks.operator(visited);
            let late = |open: &Open| event.opened_us.saturating_sub(open.since_us) > TRIAL_US;
            match event.end {
                End::Refused if open.get(&key).is_none_or(late) => {
                    moves.networks.entry(network).or_default().trials += 1;
                    open.insert(key, Open { network, since_us: event.opened_us });
                }
                End::Accepted => {
                    let Some(trial) = open.remove(&key).filter(|open| !late(open)) else {
                        continue;
                    };
                    let told = event.preferred.unwrap_or_else(|| {
                        preferred.is(traffic, event, networks.country(visited), network)
                    });
                    if told && let Some(seen) = moves.networks.get_mut(&trial.network) {
                        seen.moved += 1;
                        *moves.landed.entry(network).or_default() += 1;
                    }
                }
                _ => {}
            }
        }
        // Of who was refused at the very end nobody knows what became.
        for trial in open.into_values() {
            if traffic.reading.last_us.saturating_sub(trial.since_us) <= TRIAL_US
                && let Some(seen) = moves.networks.get_mut(&trial.network)
            {
                seen.trials = seen.trials.saturating_sub(1);
            }
        }
        moves
    }

    /// Which share of the devices refused on a network turn up on a preferred one, and whether that
    /// had to be assumed.
    pub(crate) fn share(&self, network: Plmn) -> (f64, bool) {
        match self.networks.get(&network) {
            Some(seen) if seen.trials >= TRIALS_MIN => {
                (seen.moved as f64 / seen.trials as f64, false)
            }
            _ => (f64::from(self.assumed_pct) / 100.0, true),
        }
    }

    /// How many of those who moved went to this network.
    pub(crate) fn landed(&self, network: Plmn) -> u64 {
        self.landed.get(&network).copied().unwrap_or(0)
    }

    /// The networks with trials.
    pub(crate) fn networks(&self) -> impl Iterator<Item = (Plmn, Network)> + '_ {
        self.networks.iter().map(|(plmn, network)| (*plmn, *network))
    }
}

/// The visited network: as the message named it, or whose the serving node's number is.
pub(crate) fn visited(event: &Event, traffic: &Traffic, compiled: &Compiled) -> Option<Plmn> {
    event.visited.or_else(|| {
        let serving = traffic.nodes.get(event.node as usize)?.serving?;
        compiled.networks().of_title(serving)
    })
}

/// Which networks are preferred for whose subscribers.
struct Preferred<'c> {
    plans: Vec<Own>,
    networks: &'c policy::Networks,
}

/// A plan: of which home networks, where, to which networks.
struct Own {
    homes: Vec<Plmn>,
    countries: Vec<Country>,
    preferred: Vec<Plmn>,
}

impl<'c> Preferred<'c> {
    fn new(compiled: &'c Compiled) -> Self {
        let customers = compiled.customers();
        let plan = |plan: policy::PlanOutline| {
            let own = customers.iter().find(|customer| customer.name == plan.customer);
            let homes = own.map(|customer| customer.plmns.clone()).unwrap_or_default();
            Own { homes, countries: plan.countries, preferred: plan.preferred }
        };
        let plans = compiled.plans().into_iter().map(plan).collect();
        Self { plans, networks: compiled.networks() }
    }

    fn is(&self, traffic: &Traffic, event: &Event, country: Country, network: Plmn) -> bool {
        let who = traffic.people.get(event.who as usize);
        let Some(home) = who.and_then(|who| self.networks.home(who.imsi)) else { return false };
        self.plans.iter().any(|plan| {
            plan.homes.contains(&home)
                && plan.countries.contains(&country)
                && plan.preferred.contains(&network)
        })
    }
}
