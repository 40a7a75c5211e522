//! The world as handsets find it: which node serves where, how well it is heard, who prefers what.

use policy::{Country, Networks};

use super::calendar::seconds;
use super::plans::Numbers;
use super::reading::low_bits;
use super::scenario::{AREAS_MAX, Class, NETWORKS_MAX, Network, Scenario};

/// No network, no node, no area.
pub(super) const NONE: u8 = u8::MAX;
/// A network heard so well is taken at random among its like; under it, the best first.
//= TS 23.122 §4.4.3.1.1
pub(super) const GOOD_SIGNAL: u32 = 50;

/// One MME, VLR and SGSN: a network's in an area.
#[derive(Clone, Copy, Debug)]
pub(super) struct Node {
    pub(super) network: u8,
}

/// Everything that does not change in a run.
#[derive(Debug)]
pub(super) struct Ground {
    pub(super) scenario: Scenario,
    pub(super) nodes: Vec<Node>,
    node_at: [[u8; AREAS_MAX]; NETWORKS_MAX],
    /// By network: its country, numbered.
    pub(super) countries: Vec<u8>,
    /// By customer: the networks that its plans prefer, as bits.
    pub(super) preferred: Vec<u16>,
    /// The first digits of nodes' numbers.
    pub(super) numbers: Numbers,
    /// By customer: its own network.
    homes: Vec<u8>,
    /// By class: the first subscriber; then their end.
    pub(super) firsts: Vec<u32>,
}

impl Ground {
    /// `preferred` by customer, as bits of networks.
    pub(super) fn new(
        scenario: Scenario,
        known: &Networks,
        preferred: Vec<u16>,
        numbers: Numbers,
    ) -> Self {
        let mut nodes = Vec::new();
        let mut node_at = [[NONE; AREAS_MAX]; NETWORKS_MAX];
        for (network, (one, places)) in (0_u8..).zip(scenario.networks.iter().zip(&mut node_at)) {
            let areas = (0_u8..).zip(places.iter_mut()).take(scenario.areas.len());
            for (_, place) in areas.filter(|(area, _)| one.areas >> area & 1 != 0) {
                *place = u8::try_from(nodes.len()).unwrap_or(NONE);
                nodes.push(Node { network });
            }
        }
        let mut names: Vec<Country> = Vec::new();
        let country = |network: &Network| {
            let country = known.country(network.plmn);
            let found = names.iter().position(|known| *known == country);
            let place = found.unwrap_or_else(|| {
                names.push(country);
                names.len() - 1
            });
            u8::try_from(place).unwrap_or(NONE)
        };
        let countries = scenario.networks.iter().map(country).collect();
        let own = |plmn| scenario.networks.iter().position(|network| network.plmn == plmn);
        let homes = scenario.customers.iter().map(|customer| own(customer.plmn));
        let homes = homes.map(|home| home.and_then(|home| u8::try_from(home).ok()).unwrap_or(NONE));
        let homes = homes.collect();
        let firsts = firsts(&scenario);
        Self { nodes, node_at, countries, preferred, numbers, homes, firsts, scenario }
    }

    /// The node of a network in an area, if it covers it now.
    pub(super) fn node(&self, network: u8, area: u8, tick: u32) -> Option<u8> {
        let node = *self.node_at.get(usize::from(network))?.get(usize::from(area))?;
        let one = self.scenario.networks.get(usize::from(network))?;
        let is_out = one.outages.iter().any(|outage| {
            let now = (seconds(outage.from_s)..seconds(outage.to_s)).contains(&tick);
            now && outage.areas >> area & 1 != 0
        });
        (node != NONE && !is_out).then_some(node)
    }

    /// The networks that a customer's device of this class can use in an area now, as bits.
    pub(super) fn heard(&self, class: &Class, customer: u8, area: u8, tick: u32) -> u16 {
        let all = (0_u8..).zip(&self.scenario.networks);
        let usable = all.filter(|(network, one)| {
            let band = class.networks >> network & 1 != 0;
            let is_own = self.home(customer) == *network;
            let radio = class.access.has_4g() && one.access.has_4g()
                || class.access.has_2g() && one.access.has_2g();
            band && (radio || is_own)
        });
        let there = usable.filter(|(network, _)| self.node(*network, area, tick).is_some());
        there.fold(0, |bits, (network, _)| bits | 1 << network)
    }

    /// How well a handset hears a network, from 0 to 100: the same each time that it is there.
    pub(super) fn signal(&self, network: u8, area: u8, handset: u32) -> u32 {
        let Some(one) = self.scenario.networks.get(usize::from(network)) else { return 0 };
        let place = u64::from(network) << 40 | u64::from(area) << 32 | u64::from(handset);
        let bits = crate::ids::Random::new(place).bits();
        // The sum of four even ones is near enough to normal; its deviation is 1.15 of their half.
        let sum: u64 = (0..4).map(|part| bits >> (16 * part) & 0xffff).sum();
        let deviation = (i64::try_from(sum).unwrap_or(0) - 2 * 0xffff) * i64::from(one.spread);
        let level = i64::from(one.signal) + deviation * 100 / (115 * 0x8000);
        u32::try_from(level.clamp(0, 100)).unwrap_or(0)
    }

    pub(super) fn home(&self, customer: u8) -> u8 {
        self.homes.get(usize::from(customer)).copied().unwrap_or(NONE)
    }

    pub(super) fn network(&self, network: u8) -> Option<&Network> {
        self.scenario.networks.get(usize::from(network))
    }

    pub(super) fn class(&self, class: u8) -> Option<&Class> {
        self.scenario.classes.get(usize::from(class))
    }

    pub(super) fn preferred(&self, customer: u8) -> u16 {
        self.preferred.get(usize::from(customer)).copied().unwrap_or(0)
    }

    pub(super) fn country(&self, network: u8) -> u8 {
        self.countries.get(usize::from(network)).copied().unwrap_or(NONE)
    }

    /// The class of a subscriber.
    pub(super) fn class_of(&self, handset: u32) -> u8 {
        let after = self.firsts.partition_point(|first| *first <= handset);
        u8::try_from(after.saturating_sub(1)).unwrap_or(NONE)
    }

    /// The areas in which a class arrives.
    pub(super) fn arrivals(&self, class: &Class) -> u16 {
        class.areas & low_bits(self.scenario.areas.len())
    }
}

/// Subscribers by class: shares of the whole, rounded so that they add up to it.
fn firsts(scenario: &Scenario) -> Vec<u32> {
    let whole: u64 = scenario.classes.iter().map(|class| u64::from(class.share)).sum();
    let mut firsts = vec![0];
    let mut sum = 0;
    for class in &scenario.classes {
        sum += u64::from(class.share);
        let first = u64::from(scenario.subscribers) * sum / whole.max(1);
        firsts.push(u32::try_from(first).unwrap_or(0));
    }
    firsts
}
