//! The simulated operators and their subscribers' handsets, running: see `cast.rs` for who they are.

use std::thread::JoinHandle;
use std::time::Duration;

use config::Loaded;
use procedure::Symbols;
use sim::hss::{Hss, HssConfig};
use sim::roaming::{Roamers, RoamersConfig, RoamersCounters, RoamersSnapshot, Stack};
use sim::ss7::hlr::{Hlr, HlrCounters};
use sim::ss7::home::HomeConfig;
use sim::ss7::links::LinkConfig;
use sim::{Stop, StopHandle};

use super::Lab;
use super::cast::{Cast, Doors, Spare};
use super::gateway::PeerLine;

/// A handset waits so long before its next try: time-lapse, real ones wait 10 s.
const RETRY: Duration = Duration::from_millis(100);

/// An HLR waits so long for a visited node: the least of MAP's medium timer.
const HLR_PATIENCE: Duration = Duration::from_secs(15);

/// The world, first built, then begun.
pub(super) struct World {
    /// Where everybody connects to.
    pub(super) doors: Doors,
    hsss: Vec<HssConfig>,
    hlrs: Vec<(HomeConfig, LinkConfig)>,
    /// Names of the home networks' peers.
    homes: Vec<String>,
    /// Peers of test networks: the user's own, by stack.
    pub(super) spare_diameter: Vec<Spare>,
    pub(super) spare_m3ua: Vec<Spare>,
    population: RoamersConfig,
    counters: Option<RoamersCounters>,
    hlr_counters: Vec<HlrCounters>,
    running: Option<(StopHandle, JoinHandle<()>)>,
    homes_running: Option<(StopHandle, JoinHandle<()>)>,
}

impl World {
    /// Works out who is played and connects the home networks.
    pub(super) fn start(arguments: &Lab, loaded: &Loaded, doors: Doors) -> Result<Self, String> {
        let vocabulary = stacks::vocabulary();
        let symbols = Symbols::default();
        let links = loaded.gateway.links();
        let groups = loaded.gateway.server_groups();
        let context = policy::Context {
            symbols: &symbols,
            vocabulary: &vocabulary,
            peers: Some(&links),
            groups: &groups,
            started_unix_s: 0,
        };
        let rules = policy::compile(&config::rules(&loaded.sources), &context)
            .map_err(|list| format!("{} mistakes in the policies", list.len()))?;
        let titles = loaded.titles(&loaded.sources).map_err(|mistakes| mistakes.to_string())?;
        let cast = Cast::new(&loaded.gateway, &titles.0, &rules, &doors);
        let customers = cast.customers(&rules, arguments.subscribers)?;
        let mut population = RoamersConfig::new(doors.diameter, cast.visited, customers);
        population.attaches_per_second = arguments.rate;
        population.map_share = arguments.map_share.unwrap_or(population.map_share);
        population.retry = RETRY;
        population.seed = arguments.seed;
        population.check()?;
        let mut world = Self {
            doors,
            hsss: cast.hsss,
            hlrs: cast.hlrs,
            homes: cast.homes,
            spare_diameter: cast.spare_diameter,
            spare_m3ua: cast.spare_m3ua,
            population,
            counters: None,
            hlr_counters: Vec::new(),
            running: None,
            homes_running: None,
        };
        world.connect()?;
        Ok(world)
    }

    /// Starts the home networks' HSSs and HLRs.
    fn connect(&mut self) -> Result<(), String> {
        let hsss = self.hsss.iter().cloned().map(Hss::bind).collect::<Result<Vec<_>, _>>();
        let hsss = hsss.map_err(|error| format!("a simulated HSS cannot start: {error}"))?;
        let hlr = |(home, link): (HomeConfig, LinkConfig)| Hlr::new(home, link, HLR_PATIENCE);
        let hlrs: Vec<Hlr> = self.hlrs.iter().cloned().map(hlr).collect();
        self.hlr_counters = hlrs.iter().map(Hlr::counters).collect();
        let (handle, stop) = sim::stop();
        let thread = on_own_thread("sim-homes", async move {
            let mut tasks = tokio::task::JoinSet::new();
            for hss in hsss {
                let stop = stop.clone();
                tasks.spawn_local(async move { drop(hss.run(stop).await) });
            }
            for hlr in hlrs {
                let stop = stop.clone();
                // An HLR that cannot bind its endpoint is missed by name when the others are up.
                tasks.spawn_local(async move { drop(hlr.run(stop).await) });
            }
            while tasks.join_next().await.is_some() {}
        })?;
        self.homes_running = Some((handle, thread));
        Ok(())
    }

    /// Lets the handsets loose.
    pub(super) fn begin(&mut self) -> Result<(), String> {
        let (handle, stop): (StopHandle, Stop) = sim::stop();
        let roamers = Roamers::new(self.population.clone())
            .map_err(|error| format!("the simulated networks cannot start: {error}"))?;
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

    /// What HLRs have seen go wrong: cancelLocations without an answer, and messages that contradict
    /// their dialogue.
    pub(super) fn faults_at_hlrs(&self) -> (u64, u64) {
        let counts = self.hlr_counters.iter().map(|counters| counters.snapshot().counts);
        counts.fold((0, 0), |(lost, wrong), counts| {
            (lost + counts.cancels_lost, wrong + counts.faults.values().sum::<u64>())
        })
    }

    /// The home networks' peers that the gateway does not have up.
    pub(super) fn missing(&self, peers: &[PeerLine]) -> Vec<String> {
        let up = |home: &&String| peers.iter().any(|peer| peer.name == **home && peer.up);
        self.homes.iter().filter(|home| !up(home)).cloned().collect()
    }

    /// A line for people: who is there.
    pub(super) fn cast(&self) -> String {
        let networks = &self.population.networks;
        let mut countries: Vec<&str> = networks.iter().map(|n| n.country.as_str()).collect();
        countries.sort_unstable();
        countries.dedup();
        let customers: Vec<&str> =
            self.population.customers.iter().map(|customer| customer.name.as_str()).collect();
        let of = |stack| networks.iter().filter(|n| n.access.stack() == stack).count();
        format!(
            "{} MMEs and {} STPs with VLR and SGSN in {} · {} HSSs and {} HLRs of {}",
            of(Stack::Diameter),
            of(Stack::Ss7),
            countries.join(", "),
            self.hsss.len(),
            self.hlrs.len(),
            customers.join(", "),
        )
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
