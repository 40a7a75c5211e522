//! A running HLR: [`Home`](super::home::Home) on associations to a signalling gateway.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;
use serde::Serialize;

use super::Outbox;
use super::home::{Home, HomeConfig, HomeCounts};
use super::links::{LinkConfig, LinkCounts, Links, Node, Room};
use crate::peer::Stop;

/// A simulated HLR, ready to [`run`](Hlr::run).
pub struct Hlr {
    link: LinkConfig,
    counters: HlrCounters,
    timeout: Duration,
}

/// An HLR's counters at one moment.
#[derive(Clone, Debug, Default, Serialize, PartialEq, Eq)]
pub struct HlrSnapshot {
    /// Associations that carry traffic now.
    pub ready: usize,
    /// Subscribers registered now.
    pub registered: usize,
    /// Dialogues open now.
    pub outstanding: usize,
    /// What was asked and decided.
    #[serde(flatten)]
    pub counts: HomeCounts,
    /// The associations.
    pub links: LinkCounts,
}

/// A shared handle to a running HLR's counters.
#[derive(Clone, Debug)]
pub struct HlrCounters(Arc<Mutex<Shared>>);

#[derive(Debug)]
struct Shared {
    home: Home,
    ready: usize,
    links: LinkCounts,
}

impl HlrCounters {
    /// The counters as they stand.
    #[must_use]
    pub fn snapshot(&self) -> HlrSnapshot {
        let shared = self.0.lock();
        HlrSnapshot {
            ready: shared.ready,
            registered: shared.home.registered(),
            outstanding: shared.home.outstanding(),
            counts: shared.home.counts.clone(),
            links: shared.links.clone(),
        }
    }

    /// Where a subscriber is registered: numbers of VLR and SGSN.
    #[must_use]
    pub fn place(&self, imsi: u64) -> (Option<String>, Option<String>) {
        let shared = self.0.lock();
        let (vlr, sgsn) = shared.home.place(imsi);
        (vlr.map(str::to_owned), sgsn.map(str::to_owned))
    }
}

impl Hlr {
    /// An HLR that gives up a dialogue after `timeout`.
    #[must_use]
    pub fn new(home: HomeConfig, link: LinkConfig, timeout: Duration) -> Self {
        let shared = Shared { home: Home::new(home), ready: 0, links: LinkCounts::default() };
        Self { link, counters: HlrCounters(Arc::new(Mutex::new(shared))), timeout }
    }

    /// A handle to the counters, valid while and after it runs.
    #[must_use]
    pub fn counters(&self) -> HlrCounters {
        self.counters.clone()
    }

    /// Runs until stopped: connects, serves, connects again.
    ///
    /// # Errors
    /// The system's when an endpoint cannot be bound.
    pub async fn run(self, mut stop: Stop) -> io::Result<()> {
        let mut links = Links::bind(self.link)?;
        let timeout = u64::try_from(self.timeout.as_nanos()).unwrap_or(u64::MAX);
        let counters = self.counters;
        let mut desk = Desk { counters: counters.clone(), timeout, stopped: false };
        let done = links.drive(&mut desk, None, &mut stop).await;
        let mut shared = counters.0.lock();
        (shared.ready, shared.links) = (0, links.counts());
        done
    }
}

struct Desk {
    counters: HlrCounters,
    timeout: u64,
    stopped: bool,
}

impl Node for Desk {
    fn receive(&mut self, sccp: &[u8], now: u64, out: &mut Outbox) {
        self.counters.0.lock().home.receive(sccp, now, out);
    }

    fn turn(&mut self, now: u64, room: Room, _: &mut Outbox) -> Option<u64> {
        let mut shared = self.counters.0.lock();
        shared.ready = room.ready;
        shared.home.expire(now, self.timeout);
        None
    }

    fn cut(&mut self, _: u64) {}

    fn stop(&mut self) {
        self.stopped = true;
    }

    fn is_over(&self, _: u64) -> bool {
        self.stopped
    }
}
