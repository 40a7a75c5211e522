//! The simulated operators: every peer of the configuration that belongs to a real network.
//!
//! A peer whose realm is a customer's is played as its HSS, any other as a visited MME. Peers of
//! the test networks (MCC 001 and 999) are left for the user's own.

use std::net::{IpAddr, SocketAddr};
use std::thread::JoinHandle;
use std::time::Duration;

use config::{Loaded, Peer};
use policy::{Compiled, CustomerOutline};
use procedure::{Plmn, Symbols};
use sim::hss::{Hss, HssConfig, Subscribers};
use sim::roaming::{
    Customer, Roamers, RoamersConfig, RoamersCounters, RoamersSnapshot, VisitedNetwork,
};
use sim::{Identity, ImsiRange, Stop, StopHandle};

use super::Lab;
use super::gateway::PeerLine;

/// Mobile country codes that no real network has.
const TEST_MCCS: [u16; 2] = [1, 999];
/// A handset waits so long before its next try: time-lapse, real ones wait 10 s.
const RETRY: Duration = Duration::from_millis(100);

/// The world, first built, then begun.
pub(super) struct World {
    gateway: SocketAddr,
    homes: Vec<HssConfig>,
    /// Peers of test networks: the user's own.
    pub(super) spare: Vec<Peer>,
    population: RoamersConfig,
    counters: Option<RoamersCounters>,
    running: Option<(StopHandle, JoinHandle<()>)>,
    homes_running: Option<(StopHandle, JoinHandle<()>)>,
}

impl World {
    /// Works out who is played and connects the home networks.
    pub(super) fn start(
        arguments: &Lab,
        loaded: &Loaded,
        gateway: SocketAddr,
    ) -> Result<Self, String> {
        let vocabulary = stacks::vocabulary();
        let symbols = Symbols::default();
        let links = loaded.gateway.links();
        let groups = loaded.gateway.server_groups();
        let context = policy::Context {
            symbols: &symbols,
            vocabulary: &vocabulary,
            peers: Some(&links),
            groups: &groups,
        };
        let rules = policy::compile(&config::rules(&loaded.sources), &context)
            .map_err(|list| format!("{} mistakes in the policies", list.len()))?;
        let mut cast = Cast::default();
        for peer in &loaded.gateway.peers {
            cast.add(peer, &rules, gateway);
        }
        let customers = cast.customers(&rules, arguments.subscribers)?;
        let mut population = RoamersConfig::new(gateway, cast.visited, customers);
        population.attaches_per_second = arguments.rate;
        population.retry = RETRY;
        population.seed = arguments.seed;
        population.check()?;
        let mut world = Self {
            gateway,
            homes: cast.homes,
            spare: cast.spare,
            population,
            counters: None,
            running: None,
            homes_running: None,
        };
        world.connect()?;
        Ok(world)
    }

    /// Starts the home networks' HSSs.
    fn connect(&mut self) -> Result<(), String> {
        let homes = self.homes.iter().cloned().map(Hss::bind).collect::<Result<Vec<_>, _>>();
        let homes = homes.map_err(|error| format!("a simulated HSS cannot start: {error}"))?;
        let (handle, stop) = sim::stop();
        let thread = on_own_thread("sim-homes", async move {
            let tasks: Vec<_> = homes
                .into_iter()
                .map(|hss| tokio::task::spawn_local(hss.run(stop.clone())))
                .collect();
            for task in tasks {
                let _ = task.await;
            }
        })?;
        self.homes_running = Some((handle, thread));
        Ok(())
    }

    /// Lets the handsets loose.
    pub(super) fn begin(&mut self) -> Result<(), String> {
        let (handle, stop): (StopHandle, Stop) = sim::stop();
        let roamers = Roamers::new(self.population.clone())
            .map_err(|error| format!("the simulated MMEs cannot start: {error}"))?;
        self.counters = Some(roamers.counters());
        let thread = on_own_thread("sim-visited", async move {
            let _ = roamers.run(stop).await;
        })?;
        self.running = Some((handle, thread));
        Ok(())
    }

    /// Ends it: handsets first, so that every answer still arrives, then the homes.
    pub(super) fn stop(&mut self) {
        for (handle, thread) in
            [self.running.take(), self.homes_running.take()].into_iter().flatten()
        {
            handle.stop();
            let _ = thread.join();
        }
    }

    /// What the handsets have seen so far.
    pub(super) fn snapshot(&self) -> RoamersSnapshot {
        self.counters.as_ref().map(RoamersCounters::snapshot).unwrap_or_default()
    }

    /// The home networks' peers that the gateway does not have up.
    pub(super) fn missing(&self, peers: &[PeerLine]) -> Vec<String> {
        let up = |host: &&String| {
            peers.iter().any(|peer| peer.origin_host.as_ref() == Some(*host) && peer.up)
        };
        let homes = self.homes.iter().map(|home| &home.identity.host);
        homes.filter(|host| !up(host)).cloned().collect()
    }

    /// A line for people: who is there.
    pub(super) fn cast(&self) -> String {
        let mut countries: Vec<&str> =
            self.population.networks.iter().map(|network| network.country.as_str()).collect();
        countries.sort_unstable();
        countries.dedup();
        let customers: Vec<&str> =
            self.population.customers.iter().map(|customer| customer.name.as_str()).collect();
        format!(
            "{} visited MMEs in {} · {} HSSs of {}",
            self.population.networks.len(),
            countries.join(", "),
            self.homes.len(),
            customers.join(", "),
        )
    }

    /// Where everybody connects to.
    pub(super) fn gateway(&self) -> SocketAddr {
        self.gateway
    }
}

/// Who plays whom.
#[derive(Default)]
struct Cast {
    homes: Vec<HssConfig>,
    visited: Vec<VisitedNetwork>,
    spare: Vec<Peer>,
}

impl Cast {
    fn add(&mut self, peer: &Peer, rules: &Compiled, gateway: SocketAddr) {
        let Some(own) = peer.diameter() else { return };
        let Some(plmn) = rules.networks().of_realm(own.realm.as_bytes()) else {
            return self.spare.push(peer.clone());
        };
        if TEST_MCCS.contains(&plmn.mcc()) {
            return self.spare.push(peer.clone());
        }
        let source_ip: Option<IpAddr> = peer.addresses.first().copied();
        let identity = Identity::new(&own.origin_host);
        let home = rules.customers().into_iter().find(|customer| customer.plmns.contains(&plmn));
        if let Some(home) = home {
            let mut hss = HssConfig::new(&own.origin_host);
            hss.connect = vec![gateway];
            hss.source_ip = source_ip;
            hss.cancel = true;
            let prefixes = home.plmns.iter().map(ToString::to_string).collect();
            hss.subscribers = Subscribers::Prefixes(prefixes);
            self.homes.push(hss);
        } else if let Ok(simulated) = plmn.to_string().parse() {
            let named = rules.networks().network(plmn).map(|network| network.name.clone());
            self.visited.push(VisitedNetwork {
                name: named.map_or_else(|| plmn.to_string(), |name| name.to_string()),
                plmn: simulated,
                country: rules.networks().country(plmn).as_str().to_owned(),
                identity,
                source_ip,
                signal: 1.0,
            });
        }
    }

    /// The customers that have an HSS, and where their plans and our networks meet.
    fn customers(&self, rules: &Compiled, subscribers: u64) -> Result<Vec<Customer>, String> {
        let played = |customer: &CustomerOutline| {
            let known = |plmn: &Plmn| {
                self.homes.iter().any(|home| match &home.subscribers {
                    Subscribers::Prefixes(list) => list.contains(&plmn.to_string()),
                    _ => false,
                })
            };
            customer.plmns.iter().any(known)
        };
        let customers = rules.customers();
        customers
            .iter()
            .filter(|customer| played(customer))
            .map(|c| self.customer(c, rules, subscribers))
            .collect()
    }

    fn customer(
        &self,
        outline: &CustomerOutline,
        rules: &Compiled,
        subscribers: u64,
    ) -> Result<Customer, String> {
        let plmn = outline.plmns.first().map(ToString::to_string).unwrap_or_default();
        let plans = rules.plans();
        let own = || plans.iter().filter(|plan| plan.customer == outline.name);
        let mut countries: Vec<String> = own()
            .flat_map(|plan| plan.countries.iter().map(|country| country.as_str().to_owned()))
            .filter(|country| self.visited.iter().any(|network| network.country == *country))
            .collect();
        countries.dedup();
        let preferred = own().filter(|plan| plan.enforced).flat_map(|plan| &plan.preferred);
        Ok(Customer {
            name: outline.name.to_string(),
            realm: outline.realms.first().cloned().unwrap_or_default(),
            imsi: ImsiRange::of_prefix(&plmn, subscribers)?,
            countries,
            preferred: preferred.filter_map(|plmn| plmn.to_string().parse().ok()).collect(),
        })
    }
}

fn on_own_thread(
    name: &str,
    task: impl Future<Output = ()> + Send + 'static,
) -> Result<JoinHandle<()>, String> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let runtime = runtime.map_err(|error| format!("no event loop for {name}: {error}"))?;
    let body = move || tokio::task::LocalSet::new().block_on(&runtime, task);
    let thread = std::thread::Builder::new().name(name.to_owned()).spawn(body);
    thread.map_err(|error| format!("no thread for {name}: {error}"))
}
