//! A simulated population: visited networks, home networks' subscribers, and their handsets.
#![allow(clippy::disallowed_methods, reason = "the simulator's sockets and clock live here")]

mod config;
mod handset;
mod mme;
mod request;
mod stats;
mod stp;

use std::io;
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use parking_lot::Mutex;
use tokio::task::JoinSet;
use tokio::time::{MissedTickBehavior, interval};

use crate::peer::Stop;
use crate::tally::Tally;
use handset::{Ask, Population, Tag};
use mme::Mme;
use stp::Stp;

pub use config::{Access, Customer, RoamersConfig, Stack, VisitedNetwork};
pub use stats::{CustomerSnapshot, NetworkSnapshot, RoamersSnapshot, StackSnapshot};

/// A population that is ready to [`run`](Roamers::run).
pub struct Roamers {
    shared: Arc<Shared>,
}

/// A handle to a population's counters, valid while and after it runs.
#[derive(Clone)]
pub struct RoamersCounters(Arc<Shared>);

struct Shared {
    config: RoamersConfig,
    population: Mutex<Population>,
    visited: Vec<Visited>,
    start: Instant,
}

/// What the population shares with the nodes of one access.
enum Visited {
    Mme(Box<Mme>),
    Stp(Box<Stp>),
}

impl Visited {
    fn new(number: usize, config: &RoamersConfig, unix: Duration) -> Option<Self> {
        let network = config.networks.get(number)?;
        Some(match &network.access {
            Access::Mme { identity, source_ip } => {
                let who = (identity, *source_ip);
                Self::Mme(Box::new(Mme::new(number, network, who, &config.customers, unix)))
            }
            Access::Stp { vlr, sgsn, link } => {
                Self::Stp(Box::new(Stp::new((vlr, sgsn), link, &config.customers)))
            }
        })
    }

    fn enqueue(&self, ask: Ask) {
        match self {
            Self::Mme(mme) => mme.enqueue(ask),
            Self::Stp(stp) => stp.enqueue(ask),
        }
    }

    fn is_connected(&self) -> bool {
        match self {
            Self::Mme(mme) => mme.is_connected(),
            Self::Stp(stp) => stp.is_connected(),
        }
    }
}

impl Shared {
    fn nanos(&self, at: Instant) -> u64 {
        let since = at.saturating_duration_since(self.start);
        u64::try_from(since.as_nanos()).unwrap_or(u64::MAX)
    }

    /// Tells the handsets something, and hands on what they ask for next.
    fn tell(&self, what: impl FnOnce(&mut Population, &mut Vec<Ask>)) {
        let mut asks = Vec::new();
        what(&mut self.population.lock(), &mut asks);
        for ask in asks {
            if let Some(visited) = self.visited.get(ask.network) {
                visited.enqueue(ask);
            }
        }
    }

    /// Tells the handsets that nothing right will come of these requests.
    fn fail(&self, tags: &[Tag]) {
        if tags.is_empty() {
            return;
        }
        let now = self.nanos(Instant::now());
        self.tell(|population, asks| {
            tags.iter().for_each(|tag| population.failed(*tag, now, asks));
        });
    }
}

impl Roamers {
    /// Makes the handsets; nothing is connected yet.
    ///
    /// # Errors
    /// `InvalidInput` with the text of [`RoamersConfig::check`].
    pub fn new(config: RoamersConfig) -> io::Result<Self> {
        config.check().map_err(|text| io::Error::new(io::ErrorKind::InvalidInput, text))?;
        let unix = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        let visited = 0..config.networks.len();
        let visited = visited.filter_map(|number| Visited::new(number, &config, unix)).collect();
        let population = Mutex::new(Population::new(config.clone()));
        let shared = Shared { config, population, visited, start: Instant::now() };
        Ok(Self { shared: Arc::new(shared) })
    }

    /// A handle to the counters.
    #[must_use]
    pub fn counters(&self) -> RoamersCounters {
        RoamersCounters(self.shared.clone())
    }

    /// Connects every visited network and lets the handsets roam until stopped. Then no new request
    /// starts; each node waits for its outstanding answers, takes its leave and closes. Who cannot
    /// connect tries again for ever.
    ///
    /// # Errors
    /// The system's when an SCTP endpoint cannot be bound.
    pub async fn run(self, mut stop: Stop) -> io::Result<()> {
        let mut tasks = JoinSet::new();
        for index in 0..self.shared.visited.len() {
            tasks.spawn(serve(self.shared.clone(), index, stop.clone()));
        }
        let mut done = Ok(());
        tokio::select! {
            () = pace(&self.shared) => {}
            () = stop.stopped() => {}
            Some(Ok(Err(error))) = tasks.join_next() => done = Err(error),
        }
        while tasks.join_next().await.is_some() {}
        done
    }
}

async fn serve(shared: Arc<Shared>, index: usize, stop: Stop) -> io::Result<()> {
    match shared.visited.get(index) {
        Some(Visited::Mme(mme)) => {
            mme::run(&shared, mme, stop).await;
            Ok(())
        }
        Some(Visited::Stp(stp)) => stp::run(&shared, stp, stop).await,
        None => Ok(()),
    }
}

/// Starts attaches at the configured rate and runs the handsets' timers; never ends.
async fn pace(shared: &Shared) {
    let mut tick = interval(Duration::from_millis(1));
    tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let (mut tokens, mut before) = (0.0, Instant::now());
    loop {
        tick.tick().await;
        let now = Instant::now();
        let rate = shared.config.attaches_per_second;
        // What a stall of more than a tenth of a second held back is not made up for.
        let earned = now.duration_since(before).as_secs_f64() * rate;
        tokens = f64::min(tokens + earned, (rate / 10.0).max(1.0));
        before = now;
        if !shared.visited.iter().any(Visited::is_connected) {
            tokens = 0.0;
        }
        shared.tell(|population, asks| {
            while population.due(shared.nanos(now), asks) {}
            while tokens >= 1.0 {
                tokens -= 1.0;
                if !population.begin(asks) {
                    break;
                }
            }
        });
    }
}

impl RoamersCounters {
    /// The population as it stands; `seconds` and `rate` count from its making.
    #[must_use]
    pub fn snapshot(&self) -> RoamersSnapshot {
        let shared = &self.0;
        let mut snapshot = shared.population.lock().stats.snapshot(&shared.config);
        let (mut diameter, mut ss7) = (Tally::default(), Tally::default());
        for (visited, network) in shared.visited.iter().zip(&mut snapshot.networks) {
            match visited {
                Visited::Mme(mme) => mme.read(network, &mut diameter),
                Visited::Stp(stp) => stp.read(network, &mut ss7),
            }
        }
        let seconds = shared.start.elapsed().as_secs_f64();
        for (stack, report) in
            [(Stack::Diameter, diameter.report(seconds)), (Stack::Ss7, ss7.report(seconds))]
        {
            if let Some(one) = snapshot.stacks.get_mut(stack.name()) {
                one.report = report;
            }
        }
        snapshot.total.report = diameter.report_with(&ss7, seconds);
        snapshot
    }
}
