//! Who plays whom: every peer of the configuration that belongs to a real network.
//!
//! A Diameter peer whose realm is a customer's is played as its HSS, any other as a visited MME. An
//! application server whose nodes' numbers are a customer's is played as its HLR, over the
//! associations of all its peers; any other as a visited transfer point with a VLR and an SGSN
//! behind it. Peers of the test networks (MCC 001 and 999) are left for the user's own.

use std::net::{IpAddr, SocketAddr};

use config::{Gateway, M3uaPeer, Peer, PeerRole, Server, Speaks, Ss7Settings, Title, TitlePlan};
use policy::{Compiled, CustomerOutline};
use procedure::{Digits, LinkId, Plmn};
use sim::hss::{HssConfig, Subscribers};
use sim::roaming::{Access, Customer, VisitedNetwork};
use sim::ss7::asp::AspConfig;
use sim::ss7::home::HomeConfig;
use sim::ss7::links::{LinkConfig, Member};
use sim::ss7::title::MobileTitle;
use sim::{Identity, ImsiRange};

/// Mobile country codes that no real network has.
const TEST_MCCS: [u16; 2] = [1, 999];
/// Digits of a simulated node's number, where the network's own leave room.
const NUMBER_DIGITS: usize = 12;

/// Where the gateway is reached.
#[derive(Clone, Debug)]
pub(super) struct Doors {
    pub(super) diameter: SocketAddr,
    /// SCTP, where it has an SS7 side.
    pub(super) m3ua: Option<sctp::Peer>,
}

/// A peer that is left to the user, and how to be it.
pub(super) struct Spare {
    pub(super) name: String,
    pub(super) how: String,
}

/// Who plays whom.
#[derive(Default)]
pub(super) struct Cast {
    pub(super) hsss: Vec<HssConfig>,
    pub(super) hlrs: Vec<(HomeConfig, LinkConfig)>,
    /// Names of the home networks' peers, in both stacks.
    pub(super) homes: Vec<String>,
    pub(super) visited: Vec<VisitedNetwork>,
    /// Peers of test networks: the user's own, by stack.
    pub(super) spare_diameter: Vec<Spare>,
    pub(super) spare_m3ua: Vec<Spare>,
    /// Home networks that have an HSS, and an HLR.
    with_hss: Vec<Plmn>,
    with_hlr: Vec<Plmn>,
}

impl Cast {
    pub(super) fn new(
        settings: &Gateway,
        titles: &[Title],
        rules: &Compiled,
        doors: &Doors,
    ) -> Self {
        let mut cast = Self::default();
        for peer in &settings.peers {
            cast.add_diameter(peer, rules, doors.diameter);
        }
        if let Some(ss7) = &settings.ss7 {
            let stage = Stage { settings, ss7, titles, rules, gateway: doors.m3ua.as_ref() };
            let mut played = Vec::new();
            for server in &ss7.servers {
                cast.add_server(server, &stage, &mut played);
            }
        }
        cast
    }

    fn add_diameter(&mut self, peer: &Peer, rules: &Compiled, gateway: SocketAddr) {
        let Some(own) = peer.diameter() else { return };
        let plmn = rules.networks().of_realm(own.realm.as_bytes());
        let Some(plmn) = plmn.filter(is_real) else {
            let (host, realm) = (&own.origin_host, &own.realm);
            let how = format!("Origin-Host {host}  Origin-Realm {realm}");
            return self.spare_diameter.push(Spare { name: peer.name.clone(), how });
        };
        let source_ip: Option<IpAddr> = peer.addresses.first().copied();
        match home(rules, plmn) {
            Some(home) => {
                let mut hss = HssConfig::new(&own.origin_host);
                hss.connect = vec![gateway];
                hss.source_ip = source_ip;
                hss.cancel = true;
                hss.subscribers = subscribers(&home);
                self.hsss.push(hss);
                self.homes.push(peer.name.clone());
                self.with_hss.extend(home.plmns);
            }
            None => {
                let identity = Identity::new(&own.origin_host);
                self.visit(plmn, Access::Mme { identity, source_ip }, rules);
            }
        }
    }

    fn visit(&mut self, plmn: Plmn, access: Access, rules: &Compiled) {
        let Ok(simulated) = plmn.to_string().parse() else { return };
        let named = rules.networks().network(plmn).map(|network| network.name.clone());
        self.visited.push(VisitedNetwork {
            name: named.map_or_else(|| plmn.to_string(), |name| name.to_string()),
            plmn: simulated,
            country: rules.networks().country(plmn).as_str().to_owned(),
            access,
            signal: 1.0,
        });
    }

    /// A peer is played for the first server that it serves: one association, one routing context.
    fn add_server(&mut self, server: &Server, stage: &Stage<'_>, played: &mut Vec<LinkId>) {
        let fresh = server.links.iter().filter(|link| !played.contains(link));
        let peers: Vec<(LinkId, &Peer, &M3uaPeer)> =
            fresh.filter_map(|link| stage.peer(*link)).collect();
        played.extend(peers.iter().map(|(link, ..)| *link));
        let Some((_, _, first)) = peers.first() else { return };
        let numbers = stage.numbers(server, first);
        let plmn = numbers.iter().find_map(|own| stage.rules.networks().of_title(*own));
        let (Some(plmn), Some(number), Some(link)) =
            (plmn.filter(is_real), numbers.first(), stage.link(server, &peers))
        else {
            return self.spare_m3ua.extend(peers.iter().map(|(_, peer, own)| Spare {
                name: peer.name.clone(),
                how: stage.how_to_be(server, own),
            }));
        };
        match home(stage.rules, plmn) {
            Some(home) => {
                let mut hlr = HomeConfig::new(&number_of(*number, 1));
                hlr.subscribers = subscribers(&home);
                self.hlrs.push((hlr, link));
                self.homes.extend(peers.iter().map(|(_, peer, _)| peer.name.clone()));
                self.with_hlr.extend(home.plmns);
            }
            None => {
                let (vlr, sgsn) = (number_of(*number, 1), number_of(*number, 2));
                self.visit(plmn, Access::Stp { vlr, sgsn, link }, stage.rules);
            }
        }
    }

    /// The customers that have a home here, and where their plans and our networks meet.
    pub(super) fn customers(
        &self,
        rules: &Compiled,
        subscribers: u64,
    ) -> Result<Vec<Customer>, String> {
        let played = |customer: &&CustomerOutline| {
            let known = |plmn: &Plmn| self.with_hss.contains(plmn) || self.with_hlr.contains(plmn);
            customer.plmns.iter().any(known)
        };
        let customers = rules.customers();
        let customers = customers.iter().filter(played);
        customers.map(|outline| self.customer(outline, rules, subscribers)).collect()
    }

    fn customer(
        &self,
        outline: &CustomerOutline,
        rules: &Compiled,
        subscribers: u64,
    ) -> Result<Customer, String> {
        let plmn = outline.plmns.first();
        let prefix = plmn.map(ToString::to_string).unwrap_or_default();
        let plans = rules.plans();
        let own = || plans.iter().filter(|plan| plan.customer == outline.name);
        let mut countries: Vec<String> = own()
            .flat_map(|plan| plan.countries.iter().map(|country| country.as_str().to_owned()))
            .filter(|country| self.visited.iter().any(|network| network.country == *country))
            .collect();
        countries.dedup();
        let preferred = own().filter(|plan| plan.enforced).flat_map(|plan| &plan.preferred);
        let is_in = |list: &[Plmn]| plmn.is_some_and(|plmn| list.contains(plmn));
        let title = plmn.and_then(|plmn| rules.networks().network(*plmn)?.mgt);
        let title = title.filter(|_| is_in(&self.with_hlr)).map(Digits::in_clear);
        let realm = outline.realms.first().filter(|_| is_in(&self.with_hss));
        Ok(Customer {
            name: outline.name.to_string(),
            realm: realm.cloned(),
            title: title.map(|title| MobileTitle { imsi: prefix.clone(), title }),
            imsi: ImsiRange::of_prefix(&prefix, subscribers)?,
            countries,
            preferred: preferred.filter_map(|plmn| plmn.to_string().parse().ok()).collect(),
        })
    }
}

fn is_real(plmn: &Plmn) -> bool {
    !TEST_MCCS.contains(&plmn.mcc())
}

/// The customer whose network it is.
fn home(rules: &Compiled, plmn: Plmn) -> Option<CustomerOutline> {
    rules.customers().into_iter().find(|customer| customer.plmns.contains(&plmn))
}

fn subscribers(home: &CustomerOutline) -> Subscribers {
    Subscribers::Prefixes(home.plmns.iter().map(ToString::to_string).collect())
}

/// The number of a network's `place`th node.
fn number_of(own: Digits, place: u8) -> String {
    let own = own.in_clear();
    if own.len() >= NUMBER_DIGITS {
        return own;
    }
    format!("{own:0<width$}{place}", width = NUMBER_DIGITS - 1)
}

/// What the SS7 side's cast is made from.
struct Stage<'a> {
    settings: &'a Gateway,
    ss7: &'a Ss7Settings,
    titles: &'a [Title],
    rules: &'a Compiled,
    gateway: Option<&'a sctp::Peer>,
}

impl<'a> Stage<'a> {
    fn peer(&self, link: LinkId) -> Option<(LinkId, &'a Peer, &'a M3uaPeer)> {
        let peer = self.settings.peers.get(usize::try_from(link.0).ok()?)?;
        match &peer.speaks {
            Speaks::M3ua(own) => Some((link, peer, own)),
            Speaks::Diameter(_) => None,
        }
    }

    /// What the numbers of a server's nodes begin with: what its peer may speak for, or what leads
    /// there.
    fn numbers(&self, server: &Server, peer: &M3uaPeer) -> Vec<Digits> {
        if !peer.titles.is_empty() {
            return peer.titles.clone();
        }
        let leads = |title: &&Title| {
            let is_number = matches!(title.plan, None | Some(TitlePlan::E164));
            title.to == server.name && is_number && title.strip == 0
        };
        self.titles.iter().filter(leads).map(|title| title.prefix).collect()
    }

    /// The associations of a server's peers; none where nobody here can be these peers: an ASP of a
    /// gateway that speaks ITU's SS7 is all that is played.
    fn link(&self, server: &Server, peers: &[(LinkId, &Peer, &M3uaPeer)]) -> Option<LinkConfig> {
        let played = |(_, peer, own): &(LinkId, &Peer, &M3uaPeer)| {
            own.role == PeerRole::Asp && peer.connect.is_none()
        };
        if self.ss7.variant != config::Variant::Itu || !peers.iter().all(played) {
            return None;
        }
        let (own, gateway) = (server.point_codes.first()?, self.ss7.point_codes.first()?);
        let mut asp = AspConfig::new(*own, *gateway);
        asp.network_indicator = self.ss7.network_indicator;
        asp.routing_context = server.routing_context;
        asp.traffic_mode = Some(match server.mode {
            config::TrafficMode::Override => 1,
            config::TrafficMode::Loadshare => 2,
            config::TrafficMode::Broadcast => 3,
        });
        let mut link = LinkConfig::new(self.gateway?.clone(), asp);
        let member = |(_, peer, own): &(LinkId, &Peer, &M3uaPeer)| Member {
            asp_id: own.asp_identifier,
            local: peer.addresses.first().copied().into_iter().collect(),
        };
        link.members = peers.iter().map(member).collect();
        Some(link)
    }

    fn how_to_be(&self, server: &Server, own: &M3uaPeer) -> String {
        let code = |code: &u32| match self.ss7.variant {
            config::Variant::Itu => format!("{}-{}-{}", code >> 11, code >> 3 & 0xff, code & 7),
            config::Variant::Ansi => format!("{}-{}-{}", code >> 16, code >> 8 & 0xff, code & 0xff),
        };
        let mut how = Vec::new();
        how.extend(own.asp_identifier.map(|id| format!("ASP identifier {id}")));
        how.extend(server.routing_context.map(|context| format!("routing context {context}")));
        how.extend(server.point_codes.first().map(|own| format!("point code {}", code(own))));
        let titles: Vec<String> =
            self.numbers(server, own).into_iter().map(Digits::in_clear).collect();
        how.push(format!("titles {}", titles.join(", ")));
        how.join("  ")
    }
}
