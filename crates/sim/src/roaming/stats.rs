//! What became of the handsets' attaches, and the snapshot for displays.

use std::collections::BTreeMap;

use serde::Serialize;

use super::config::RoamersConfig;
use crate::diameter::command;
use crate::diameter::parse::Outcome;
use crate::hss::counters::bump;
use crate::tally::Report;

/// Counters of the population.
pub(super) struct Stats {
    pub(super) attaches: u64,
    pub(super) attempts: u64,
    pub(super) abandoned: u64,
    pub(super) barred: u64,
    pub(super) cancels: u64,
    refusals: Vec<(Outcome, u64)>,
    registered: u64,
    preferred: u64,
    comparable: u64,
    tries: Vec<u64>,
    networks: Vec<(u64, u64)>,
    customers: Vec<CustomerSnapshot>,
    /// By customer and network: `None` where the customer prefers nothing in the country.
    preference: Vec<Vec<Option<bool>>>,
}

/// One visited MME.
#[derive(Clone, Debug, Default, Serialize, PartialEq)]
pub struct NetworkSnapshot {
    /// Its name in the configuration.
    pub name: String,
    /// Its PLMN's digits.
    pub plmn: String,
    /// Its country.
    pub country: String,
    /// Origin-Host.
    pub origin_host: String,
    /// True while its connection to the gateway is open.
    pub connected: bool,
    /// Connections opened so far.
    pub opened: u64,
    /// Successful registrations.
    pub registered: u64,
    /// Refused ULRs and AIRs.
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

/// The population at one moment. All counts are since its start.
#[derive(Clone, Debug, Default, Serialize, PartialEq)]
pub struct RoamersSnapshot {
    /// Attaches begun; each ends registered, abandoned or barred.
    pub attaches: u64,
    /// Tries of all attaches: AIR, then ULR.
    pub attempts: u64,
    /// Attaches that ended in a registration.
    pub registered: u64,
    /// Attaches that used up their tries.
    pub abandoned: u64,
    /// Attaches ended by 5001, user unknown.
    pub barred: u64,
    /// Refused AIRs and ULRs by code; experimental ones as `exp:5004`.
    pub refusals: BTreeMap<String, u64>,
    /// At index n: registrations that took n+1 tries.
    pub tries: Vec<u64>,
    /// Registrations on a preferred network, over those where the customer prefers any; 0 to 1.
    pub preferred_share: f64,
    /// CLR, IDR, DSR and RSR that came from home networks and were answered.
    pub home_requests: u64,
    /// Transactions, faults and latency over all MMEs.
    #[serde(flatten)]
    pub report: Report,
    /// By home network.
    pub customers: Vec<CustomerSnapshot>,
    /// By visited MME.
    pub networks: Vec<NetworkSnapshot>,
}

impl Stats {
    pub(super) fn new(config: &RoamersConfig) -> Self {
        let customers = config.customers.iter().map(|c| CustomerSnapshot {
            name: c.name.clone(),
            subscribers: c.imsi.count(),
            ..CustomerSnapshot::default()
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
            cancels: 0,
            refusals: Vec::new(),
            registered: 0,
            preferred: 0,
            comparable: 0,
            tries: Vec::new(),
            networks: vec![(0, 0); config.networks.len()],
            customers: customers.collect(),
            preference: preference.collect(),
        }
    }

    pub(super) fn registered(&mut self, customer: usize, network: usize, tries: u32) {
        self.registered += 1;
        let index = usize::try_from(tries.saturating_sub(1)).unwrap_or(0);
        if self.tries.len() <= index {
            self.tries.resize(index + 1, 0);
        }
        if let Some(count) = self.tries.get_mut(index) {
            *count += 1;
        }
        if let Some((registered, _)) = self.networks.get_mut(network) {
            *registered += 1;
        }
        let known = self.preference.get(customer).and_then(|list| list.get(network)).copied();
        let Some(home) = self.customers.get_mut(customer) else { return };
        home.registered += 1;
        if let Some(preferred) = known.flatten() {
            self.comparable += 1;
            home.comparable += 1;
            self.preferred += u64::from(preferred);
            home.preferred += u64::from(preferred);
        }
    }

    pub(super) fn refused(&mut self, network: usize, command: u32, outcome: Outcome) {
        if command == command::PURGE_UE {
            return;
        }
        bump(&mut self.refusals, outcome);
        if let Some((_, refused)) = self.networks.get_mut(network) {
            *refused += 1;
        }
    }

    /// The snapshot without what the MMEs' connections know.
    pub(super) fn snapshot(&self, config: &RoamersConfig) -> RoamersSnapshot {
        let networks =
            config.networks.iter().zip(&self.networks).map(|(n, counts)| NetworkSnapshot {
                name: n.name.clone(),
                plmn: n.plmn.to_string(),
                country: n.country.clone(),
                origin_host: n.identity.host.clone(),
                registered: counts.0,
                refused: counts.1,
                ..NetworkSnapshot::default()
            });
        let customers = self.customers.iter().cloned().map(|mut c| {
            c.preferred_share = share(c.preferred, c.comparable);
            c
        });
        RoamersSnapshot {
            attaches: self.attaches,
            attempts: self.attempts,
            registered: self.registered,
            abandoned: self.abandoned,
            barred: self.barred,
            refusals: self.refusals.iter().map(|(o, n)| (o.to_string(), *n)).collect(),
            tries: self.tries.clone(),
            preferred_share: share(self.preferred, self.comparable),
            home_requests: self.cancels,
            report: Report::default(),
            customers: customers.collect(),
            networks: networks.collect(),
        }
    }
}

#[expect(clippy::cast_precision_loss, reason = "a share needs no more than 53 bits")]
fn share(part: u64, whole: u64) -> f64 {
    if whole == 0 { 0.0 } else { part as f64 / whole as f64 }
}
