//! A procedure that somebody makes up, to ask what would happen: what is left open is filled in from
//! the tables as a real message would have it.

use procedure::{
    Access, Act, Digits, Domain, Imsi, LinkId, Node, Plmn, Procedure, StackId, Time, Vocabulary,
};

use crate::Compiled;
use crate::pipeline::is_home_act;

/// A made-up procedure.
#[derive(Clone, Debug)]
pub struct Probe {
    /// What is attempted.
    pub act: Act,
    /// In which domain.
    pub domain: Domain,
    /// Over which radio access.
    pub access: Access,
    /// The subscriber.
    pub imsi: Option<Imsi>,
    /// The first eight digits of the equipment's identity.
    pub tac: Option<u32>,
    /// The visited network.
    pub visited: Option<Plmn>,
    /// The node that serves the subscriber, by its number: names the visited network as MAP does.
    pub node: Option<Digits>,
    /// Who asks; from the networks where left open.
    pub origin_host: Option<String>,
    /// Who asks; from the networks where left open.
    pub origin_realm: Option<String>,
    /// Who is asked; any node of the realm where left open.
    pub destination_host: Option<String>,
    /// Who is asked; from the networks where left open.
    pub destination_realm: Option<String>,
    /// The protocol's application; the usual one for act and domain where left open.
    pub application: Option<u32>,
    /// The protocol's operation; the usual one for act and domain where left open.
    pub operation: Option<u32>,
    /// Which attempt on this network it is, from 1: as if so many less one had been refused.
    pub attempt: Option<u8>,
}

impl Default for Probe {
    fn default() -> Self {
        Self {
            act: Act::Register,
            domain: Domain::Eps,
            access: Access::Unknown,
            imsi: None,
            tac: None,
            visited: None,
            node: None,
            origin_host: None,
            origin_realm: None,
            destination_host: None,
            destination_realm: None,
            application: None,
            operation: None,
            attempt: None,
        }
    }
}

impl Probe {
    /// Fills in what was left open.
    #[must_use]
    pub fn complete(mut self, compiled: &Compiled, vocabulary: &dyn Vocabulary) -> Self {
        let by_home = is_home_act(&self.procedure());
        if self.is_by_number() {
            let (home, visited) = self.numbers(compiled, by_home);
            let (origin, destination) = if by_home { (home, visited) } else { (visited, home) };
            self.origin_host = self.origin_host.or(origin.map(Digits::in_clear));
            self.destination_host = self.destination_host.or(destination.map(Digits::in_clear));
        } else {
            let home = self.home_realm(compiled);
            let visited = self.visited.map(|visited| compiled.networks.realm(visited));
            let (origin, destination) = if by_home { (home, visited) } else { (visited, home) };
            self.origin_realm = self.origin_realm.or(origin);
            self.destination_realm = self.destination_realm.or(destination);
        }
        if self.node.is_some() && self.domain != Domain::Cs {
            // What is usual there is told by names, not by numbers.
            return self;
        }
        let usual = vocabulary.usual(self.act, self.domain);
        self.application = self.application.or(usual.map(|(application, _)| application));
        self.operation = self.operation.or(usual.map(|(_, operation)| operation));
        self
    }

    /// Whether its nodes are named by numbers and not by realms.
    fn is_by_number(&self) -> bool {
        self.node.is_some() || self.domain == Domain::Cs
    }

    /// The home's and the visited node's numbers. Whoever looks for a home only has the IMSI.
    fn numbers(&self, compiled: &Compiled, by_home: bool) -> (Option<Digits>, Option<Digits>) {
        let networks = &compiled.networks;
        let title = |plmn: Plmn| networks.network(plmn)?.title;
        let own = || title(networks.home(self.imsi?)?);
        let asked = || networks.mobile_title(self.imsi?);
        let home = if by_home { own() } else { asked().or_else(own) };
        (home, self.node.or_else(|| title(self.visited?)))
    }

    /// Where the subscriber's home is reached: as the customer says, else as the network does.
    fn home_realm(&self, compiled: &Compiled) -> Option<String> {
        let imsi = self.imsi?;
        let customer = compiled.customers.of(imsi);
        let own = customer.and_then(|customer| customer.realms.first().cloned());
        own.or_else(|| Some(compiled.networks.realm(compiled.networks.home(imsi)?)))
    }

    /// As a decision sees it.
    #[must_use]
    pub fn procedure(&self) -> Procedure<'_> {
        Procedure {
            act: self.act,
            domain: self.domain,
            access: self.access,
            application: self.application.unwrap_or(0),
            operation: self.operation.unwrap_or(0),
            imsi: self.imsi,
            tac: self.tac,
            visited: self.visited,
            serving: self.node,
            origin: node(&self.origin_host, &self.origin_realm),
            destination: node(&self.destination_host, &self.destination_realm),
            initial: true,
            ..Procedure::unknown(StackId(0), LinkId(u32::MAX), Time::default())
        }
    }
}

fn node<'a>(host: &'a Option<String>, realm: &'a Option<String>) -> Node<'a> {
    let octets = |text: &'a Option<String>| text.as_deref().unwrap_or_default().as_bytes();
    Node { host: octets(host), realm: octets(realm) }
}
