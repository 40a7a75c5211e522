//! The load pair, the same for every relay: simulated homes that answer, simulated MMEs that ask
//! and check every answer.

use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::Duration;

use sim::hss::{Hss, HssConfig, HssCounters};
use sim::mme::{Live, Load, MmeConfig};
use sim::tally::Report;
use sim::{ImsiRange, StopHandle};
use tests::children::eventually;

use super::place::Place;
use super::{HOME, Outcome, VISITED};

/// The subscribers; [`super::gateway`] steers one in twenty of them.
pub(crate) const SUBSCRIBERS: &str = "214070000000000..214070001999999";

/// Simulated homes, each an own peer, on one thread.
pub(crate) struct Homes {
    counters: Vec<HssCounters>,
    stop: StopHandle,
    thread: Option<JoinHandle<()>>,
}

impl Homes {
    /// Starts `count` of them.
    pub(crate) fn start(place: &Place, count: usize) -> Outcome<Self> {
        let mut homes = Vec::new();
        for number in 1..=count {
            let mut config = HssConfig::new(&home_host(number));
            config.listen.push(place.home(number));
            homes.push(Hss::bind(config).map_err(|error| format!("home {number}: {error}"))?);
        }
        let counters = homes.iter().map(Hss::counters).collect();
        let (handle, stop) = sim::stop();
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
        let runtime = runtime.map_err(|error| format!("homes: {error}"))?;
        let thread = std::thread::spawn(move || {
            runtime.block_on(async {
                let mut tasks = tokio::task::JoinSet::new();
                for home in homes {
                    tasks.spawn(home.run(stop.clone()));
                }
                while tasks.join_next().await.is_some() {}
            });
        });
        Ok(Self { counters, stop: handle, thread: Some(thread) })
    }

    /// Waits until a relay has a connection to each of them.
    pub(crate) fn connected(&self) -> Outcome<()> {
        let open = |counters: &HssCounters| counters.snapshot().open > 0;
        let all = || self.counters.iter().all(open).then_some(());
        eventually(Duration::from_secs(20), all).ok_or("it did not connect to all homes")?;
        // The capabilities exchange that follows.
        std::thread::sleep(Duration::from_millis(500));
        Ok(())
    }

    /// Requests that reached them.
    pub(crate) fn requests(&self) -> u64 {
        self.counters.iter().map(HssCounters::total).sum()
    }

    /// Requests that reached them twice without saying so.
    pub(crate) fn repeated(&self) -> u64 {
        self.counters.iter().map(|counters| counters.snapshot().duplicates_unflagged).sum()
    }
}

impl Drop for Homes {
    fn drop(&mut self) {
        self.stop.stop();
        if let Some(thread) = self.thread.take() {
            let _panicked = thread.join();
        }
    }
}

/// What a load is made of.
#[derive(Clone, Copy)]
pub(crate) struct Shape {
    /// Connections, each an own MME.
    pub(crate) connections: usize,
    /// Closed or open loop.
    pub(crate) load: Load,
    /// Its end: after so many requests,
    pub(crate) count: Option<u64>,
    /// or after so long.
    pub(crate) lasting: Option<Duration>,
}

/// Runs a load through the relay (or straight to the homes) and returns what the MMEs saw.
pub(crate) fn run(place: &Place, shape: Shape, direct: bool) -> Outcome<Report> {
    let imsi: ImsiRange = SUBSCRIBERS.parse()?;
    let visited = "23410".parse()?;
    let mut config = MmeConfig::new(place.relay, &visited_host("{n}"), imsi, visited);
    if direct {
        config.connect = (1..=shape.connections).map(|number| place.home(number)).collect();
    }
    config.source_ip = Some(place.asker);
    config.connections = shape.connections;
    config.load = shape.load;
    config.count = shape.count;
    config.duration = shape.lasting;
    config.destination_realm = HOME.into();
    let (_handle, stop) = sim::stop();
    sim::mme::run(config, &stop, Arc::new(Live::default()))
        .map_err(|error| format!("load: {error}"))
}

/// Requests that did not get exactly one right answer in time.
pub(crate) fn faults(report: &Report) -> u64 {
    let Report { transactions, answered, duplicated, mismatched, late, .. } = report;
    transactions.saturating_sub(*answered) + duplicated + mismatched + late
}

/// The Origin-Host of an MME.
pub(crate) fn visited_host(number: impl std::fmt::Display) -> String {
    format!("mme{number}.{VISITED}")
}

/// The Origin-Host of a home.
pub(crate) fn home_host(number: impl std::fmt::Display) -> String {
    format!("hss{number}.{HOME}")
}
