//! A simulated population: visited networks, home networks' subscribers, and their handsets.
#![allow(clippy::disallowed_methods, reason = "the simulator's sockets and clock live here")]

mod config;
mod handset;
mod stats;
mod visited;

use std::io;
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use parking_lot::Mutex;
use tokio::task::JoinSet;
use tokio::time::{MissedTickBehavior, interval};

use crate::peer::Stop;
use crate::tally::Tally;
use handset::{Ask, Population};
use visited::Visited;

pub use config::{Customer, RoamersConfig, VisitedNetwork};
pub use stats::{CustomerSnapshot, NetworkSnapshot, RoamersSnapshot};

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

impl Shared {
    fn nanos(&self, at: Instant) -> u64 {
        let since = at.saturating_duration_since(self.start);
        u64::try_from(since.as_nanos()).unwrap_or(u64::MAX)
    }

    /// Hands a request to the MME that shall send it.
    fn dispatch(&self, ask: Ask) {
        if let Some(visited) = self.visited.get(ask.network) {
            visited.enqueue(ask);
        }
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
        let visited = (0..config.networks.len()).map(|i| Visited::new(&config, i, unix)).collect();
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
    /// starts; each MME waits for its outstanding answers, sends DPR and closes.
    ///
    /// # Errors
    /// None at present: an MME that cannot connect tries again for ever.
    pub async fn run(self, mut stop: Stop) -> io::Result<()> {
        let mut tasks = JoinSet::new();
        for index in 0..self.shared.visited.len() {
            tasks.spawn(visited::run(self.shared.clone(), index, stop.clone()));
        }
        tokio::select! {
            () = pace(&self.shared) => {}
            () = stop.stopped() => {}
        }
        while tasks.join_next().await.is_some() {}
        Ok(())
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
        let mut population = shared.population.lock();
        while let Some(due) = population.due(shared.nanos(now)) {
            if let Some(ask) = due {
                shared.dispatch(ask);
            }
        }
        while tokens >= 1.0 {
            tokens -= 1.0;
            let Some(ask) = population.begin() else { break };
            shared.dispatch(ask);
        }
    }
}

impl RoamersCounters {
    /// The population as it stands; `seconds` and `rate` count from its making.
    #[must_use]
    pub fn snapshot(&self) -> RoamersSnapshot {
        let shared = &self.0;
        let mut snapshot = shared.population.lock().stats.snapshot(&shared.config);
        let mut sum = Tally::default();
        for (visited, network) in shared.visited.iter().zip(&mut snapshot.networks) {
            visited.read(network, &mut sum);
        }
        snapshot.report = sum.report(shared.start.elapsed().as_secs_f64());
        snapshot
    }
}
