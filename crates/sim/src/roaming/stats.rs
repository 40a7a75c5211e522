//! What became of the handsets' attaches, and the snapshot for displays.

use std::collections::BTreeMap;

use serde::Serialize;

use super::config::{RoamersConfig, Stack};
use super::request::Said;
use crate::hss::counters::bump;
use crate::tally::Report;

/// Counters of the population.
pub(super) struct Stats {
    pub(super) attaches: u64,
    pub(super) attempts: u64,
    pub(super) abandoned: u64,
    pub(super) barred: u64,
    tries: Vec<u64>,
    /// By stack.
    sides: [Side; Stack::ALL.len()],
    networks: Vec<Place>,
    customers: Vec<CustomerSnapshot>,
    /// By customer and access: `None` where the customer prefers nothing in the country.
    preference: Vec<Vec<Option<bool>>>,
}

/// What came over one stack.
#[derive(Default)]
struct Side {
    refusals: Vec<(Said, u64)>,
    registered: u64,
    preferred: u64,
    comparable: u64,
    home_requests: u64,
}

/// What came of one access of a visited network.
struct Place {
    stack: Stack,
    registered: u64,
    refused: u64,
}

/// One access of a visited network.
#[derive(Clone, Debug, Serialize, PartialEq)]
pub struct NetworkSnapshot {
    /// Its name in the configuration.
    pub name: String,
    /// Its PLMN's digits.
    pub plmn: String,
    /// Its country.
    pub country: String,
    /// What its nodes speak: 4G, or 2G and 3G.
    pub stack: Stack,
    /// Origin-Host of its MME, or the number of its VLR.
    pub node: String,
    /// True while it has a connection to the gateway over which traffic may go.
    pub connected: bool,
    /// Connections opened so far.
    pub opened: u64,
    /// Successful registrations; a combined one of both domains counts once.
    pub registered: u64,
    /// Refused registrations and authentications, each domain's.
    pub refused: u64,
    /// Requests waiting for their answer now.
    pub outstanding: u64,
    /// Requests answered.
    pub answered: u64,
}

/// One home network.
#[derive(Clone, Debug, Default, Serialize, PartialEq)]
pub struct CustomerSnapshot {
    /// Its name in the configuration.
    pub name: String,
    /// Subscribers simulated.
    pub subscribers: u64,
    /// Successful registrations.
    pub registered: u64,
    /// Those in countries where the customer prefers a network.
    pub comparable: u64,
    /// Those on a preferred network.
    pub preferred: u64,
    /// `preferred / comparable`, 0 to 1; 0 where nothing is comparable.
    pub preferred_share: f64,
}

/// What came over one stack.
#[derive(Clone, Debug, Default, Serialize, PartialEq)]
pub struct StackSnapshot {
    /// Attaches that ended in a registration there.
    pub registered: u64,
    /// Refused registrations and authentications by code; experimental ones as `exp:5004`.
    pub refusals: BTreeMap<String, u64>,
    /// Registrations on a preferred network, over those where the customer prefers any; 0 to 1.
    pub preferred_share: f64,
    /// What came from home networks and was answered: CLR, IDR, DSR and RSR; cancelLocation.
    pub home_requests: u64,
    /// Transactions, faults and latency over all nodes.
    #[serde(flatten)]
    pub report: Report,
}

/// The population at one moment. All counts are since its start.
#[derive(Clone, Debug, Default, Serialize, PartialEq)]
pub struct RoamersSnapshot {
    /// Attaches begun; each ends registered, abandoned or barred.
    pub attaches: u64,
    /// Tries of all attaches: authentication, then registration.
    pub attempts: u64,
    /// Attaches that used up their tries.
    pub abandoned: u64,
    /// Attaches ended because the home network does not know the subscriber.
    pub barred: u64,
    /// At index n: registrations that took n+1 tries.
    pub tries: Vec<u64>,
    /// All stacks together.
    #[serde(flatten)]
    pub total: StackSnapshot,
    /// By stack's name.
    pub stacks: BTreeMap<&'static str, StackSnapshot>,
    /// By home network.
    pub customers: Vec<CustomerSnapshot>,
    /// By access of visited networks.
    pub networks: Vec<NetworkSnapshot>,
}

impl Stats {
    pub(super) fn new(config: &RoamersConfig) -> Self {
        let customers = config.customers.iter().map(|c| CustomerSnapshot {
            name: c.name.clone(),
            subscribers: c.imsi.count(),
            ..CustomerSnapshot::default()
        });
        let networks = config.networks.iter().map(|network| Place {
            stack: network.access.stack(),
            registered: 0,
            refused: 0,
        });
        let preference = config.customers.iter().map(|customer| {
            let prefers = |plmn| customer.preferred.contains(plmn);
            let of = |country: &String| {
                config.networks.iter().any(|n| n.country == *country && prefers(&n.plmn))
            };
            config.networks.iter().map(|n| of(&n.country).then(|| prefers(&n.plmn))).collect()
        });
        Self {
            attaches: 0,
            attempts: 0,
            abandoned: 0,
            barred: 0,
            tries: Vec::new(),
            sides: Default::default(),
            networks: networks.collect(),
            customers: customers.collect(),
            preference: preference.collect(),
        }
    }

    pub(super) fn registered(&mut self, customer: usize, network: usize, tries: u32) {
        let index = usize::try_from(tries.saturating_sub(1)).unwrap_or(0);
        if self.tries.len() <= index {
            self.tries.resize(index + 1, 0);
        }
        if let Some(count) = self.tries.get_mut(index) {
            *count += 1;
        }
        let Some(place) = self.networks.get_mut(network) else { return };
        place.registered += 1;
        let Some(side) = self.sides.get_mut(place.stack as usize) else { return };
        side.registered += 1;
        let known = self.preference.get(customer).and_then(|list| list.get(network)).copied();
        let Some(home) = self.customers.get_mut(customer) else { return };
        home.registered += 1;
        if let Some(preferred) = known.flatten() {
            side.comparable += 1;
            home.comparable += 1;
            side.preferred += u64::from(preferred);
            home.preferred += u64::from(preferred);
        }
    }

    pub(super) fn refused(&mut self, network: usize, said: Said) {
        let Some(place) = self.networks.get_mut(network) else { return };
        place.refused += 1;
        if let Some(side) = self.sides.get_mut(place.stack as usize) {
            bump(&mut side.refusals, said);
        }
    }

    /// A home network's own requests were answered.
    pub(super) fn asked_by_homes(&mut self, stack: Stack, requests: u64) {
        if let Some(side) = self.sides.get_mut(stack as usize) {
            side.home_requests += requests;
        }
    }

    /// The snapshot without what the nodes' connections know.
    pub(super) fn snapshot(&self, config: &RoamersConfig) -> RoamersSnapshot {
        let networks =
            config.networks.iter().zip(&self.networks).map(|(n, place)| NetworkSnapshot {
                name: n.name.clone(),
                plmn: n.plmn.to_string(),
                country: n.country.clone(),
                stack: place.stack,
                node: n.access.node().to_owned(),
                connected: false,
                opened: 0,
                registered: place.registered,
                refused: place.refused,
                outstanding: 0,
                answered: 0,
            });
        let customers = self.customers.iter().cloned().map(|mut c| {
            c.preferred_share = share(c.preferred, c.comparable);
            c
        });
        let stacks = Stack::ALL.iter().zip(&self.sides);
        RoamersSnapshot {
            attaches: self.attaches,
            attempts: self.attempts,
            abandoned: self.abandoned,
            barred: self.barred,
            tries: self.tries.clone(),
            total: Side::snapshot(&self.sides.each_ref()),
            stacks: stacks.map(|(stack, side)| (stack.name(), Side::snapshot(&[side]))).collect(),
            customers: customers.collect(),
            networks: networks.collect(),
        }
    }
}

impl Side {
    /// These together.
    fn snapshot(sides: &[&Self]) -> StackSnapshot {
        let sum = |of: fn(&Self) -> u64| sides.iter().map(|side| of(side)).sum::<u64>();
        let refusals = sides.iter().flat_map(|side| &side.refusals);
        StackSnapshot {
            registered: sum(|side| side.registered),
            refusals: refusals.map(|(said, n)| (said.to_string(), *n)).collect(),
            preferred_share: share(sum(|side| side.preferred), sum(|side| side.comparable)),
            home_requests: sum(|side| side.home_requests),
            report: Report::default(),
        }
    }
}

#[expect(clippy::cast_precision_loss, reason = "a share needs no more than 53 bits")]
fn share(part: u64, whole: u64) -> f64 {
    if whole == 0 { 0.0 } else { part as f64 / whole as f64 }
}
