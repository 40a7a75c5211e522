//! The order in which stages speak:
//!
//! ```text
//!                 refuse, discard        refuse
//!                       ▲                  ▲
//! facts ▷ limit ▷───▷ screen ▷─────────▷ steer ▷──▷ route ▷ verdict
//!         (issue 5)   may this sender    is this    which group
//!                     say this?          the right  of links?
//!                                        network?
//! ```
//!
//! A stage that refuses ends the walk; everything that spoke until then is in `because`. A procedure
//! that no route matches goes on without a group: the named node's link may still be there.

use procedure::{Act, Decision, Domain, Plmn, Procedure, Record, Time};

use crate::Compiled;
use crate::matcher::Facts;
use crate::networks::Country;
use crate::screen::Tables;
use crate::steer::memory::Memory;
use crate::steer::packed::Key;
use crate::steer::plan::is_steered;

/// The visited network and its country.
#[derive(Clone, Copy)]
struct Visited {
    network: Option<Plmn>,
    country: Country,
}

impl Compiled {
    /// Decides on one procedure; allocates nothing once the memory knows the subscriber.
    #[must_use]
    pub fn decide(&self, now: Time, procedure: &Procedure<'_>, memory: &Memory) -> Decision {
        let place = self.place(procedure);
        if let (true, Some(imsi)) = (is_steered(procedure.act), procedure.imsi) {
            memory.expect(Key::new(imsi, place.country));
        }
        let facts = self.facts_at(place, procedure);
        let mut decision = Decision::forward(None);
        decision.customer = facts.customer;
        decision.home = facts.home;
        decision.visited = facts.visited;
        let ended = self.screening.decide(self.tables(), &facts, &mut decision)
            || self.steering.decide(now, &facts, memory, &mut decision);
        if !ended {
            self.routes.decide(&facts, &mut decision);
        }
        decision
    }

    /// Takes in what happened.
    pub fn learn(&self, record: &Record, memory: &Memory) {
        let country =
            record.visited.map_or(Country::NONE, |visited| self.networks.country(visited));
        let operator = record.visited.map(|visited| self.networks.operator(visited));
        self.steering.learn(record, operator, country, memory);
    }

    /// What the tables say about a procedure.
    pub(crate) fn facts<'p>(&self, procedure: &'p Procedure<'p>) -> Facts<'p> {
        self.facts_at(self.place(procedure), procedure)
    }

    /// Where it happens.
    fn place(&self, procedure: &Procedure<'_>) -> Visited {
        let networks = &self.networks;
        let network = procedure
            .visited
            .or_else(|| networks.of_title(procedure.serving?))
            .or_else(|| self.visited_by_names(procedure));
        let country = network.map_or(Country::NONE, |network| networks.country(network));
        Visited { network, country }
    }

    fn facts_at<'p>(&self, place: Visited, procedure: &'p Procedure<'p>) -> Facts<'p> {
        let networks = &self.networks;
        let Visited { network: visited, country } = place;
        let (owner, home) = match (procedure.imsi, procedure.subscriber) {
            (Some(imsi), _) => (self.customers.owner(imsi), networks.home(imsi)),
            (None, Some(number)) => {
                let home = networks.of_title(number);
                let customer = home.and_then(|home| self.customers.of_network(home));
                (customer.map(|customer| (customer, None)), home)
            }
            (None, None) => (None, None),
        };
        let device = procedure.tac.and_then(|tac| self.customers.device(tac));
        Facts {
            procedure,
            customer: owner.map(|(customer, _)| customer.name),
            device: device.or_else(|| owner?.1),
            home,
            visited,
            country,
            operator: visited.map(|visited| networks.operator(visited)),
        }
    }

    /// The visited network of a message that does not name one: whoever is not the home.
    fn visited_by_names(&self, procedure: &Procedure<'_>) -> Option<Plmn> {
        match procedure.act {
            _ if is_home_act(procedure) => self.networks.of_node(&procedure.destination),
            Act::Transit => None,
            _ => self.networks.of_node(&procedure.origin),
        }
    }

    pub(crate) const fn tables(&self) -> Tables<'_> {
        Tables { networks: &self.networks, customers: &self.customers }
    }
}

/// Whether it is the home network that does this. A home that lost its data names no subscriber; a
/// VLR that lost its own asks for one at a time.
//= TS 29.002 §8.10.2
pub(crate) const fn is_home_act(procedure: &Procedure<'_>) -> bool {
    match procedure.act {
        Act::Deregister | Act::Provision => true,
        Act::Recover => !(matches!(procedure.domain, Domain::Cs) && procedure.imsi.is_some()),
        _ => false,
    }
}
