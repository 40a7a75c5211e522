//! A load run: connections over threads, the shared budget, progress and the report.
#![allow(clippy::disallowed_methods, reason = "the simulator's threads and clock live here")]

use std::io;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use tokio::sync::Barrier;
use tokio::task::JoinSet;

use super::config::MmeConfig;
use super::lane::Lane;
use super::template::first_end_to_end;
use crate::peer::Stop;
use crate::tally::{Report, Tally};

/// Live counters of a run, read while it goes on.
#[derive(Debug, Default)]
pub struct Live {
    /// Requests sent.
    pub sent: AtomicU64,
    /// Right answers.
    pub answered: AtomicU64,
    /// Requests that have ended in any way; `sent - ended` are outstanding.
    pub ended: AtomicU64,
    /// Lost, duplicated, mismatched and late together.
    pub faults: AtomicU64,
}

/// What the lanes of one run share.
pub(super) struct Run {
    pub(super) config: MmeConfig,
    pub(super) gate: Barrier,
    /// When the first request may go out: set when the gate opens.
    pub(super) clock: OnceLock<Instant>,
    pub(super) started_unix: u64,
    pub(super) first_end_to_end: u32,
    pub(super) live: Arc<Live>,
    left: AtomicU64,
}

impl Run {
    fn new(config: MmeConfig, live: Arc<Live>) -> Self {
        let unix = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        Self {
            gate: Barrier::new(config.connections),
            clock: OnceLock::new(),
            started_unix: unix.as_secs(),
            first_end_to_end: first_end_to_end(unix.as_secs(), u64::from(unix.subsec_nanos())),
            live,
            left: AtomicU64::new(config.count.unwrap_or(u64::MAX)),
            config,
        }
    }

    pub(super) fn start(&self, now: Instant) -> Instant {
        self.clock.get().copied().unwrap_or(now)
    }

    /// Nanoseconds since the start.
    pub(super) fn nanos(&self, at: Instant) -> u64 {
        let since = at.saturating_duration_since(self.start(at));
        u64::try_from(since.as_nanos()).unwrap_or(u64::MAX)
    }

    pub(super) fn deadline(&self) -> Option<Instant> {
        Some(*self.clock.get()? + self.config.duration?)
    }

    /// Takes up to `wanted` requests from the budget.
    pub(super) fn take(&self, wanted: usize) -> usize {
        let wanted = wanted as u64;
        let less = |left: u64| Some(left - left.min(wanted));
        let before = self.left.fetch_update(Relaxed, Relaxed, less).unwrap_or(0);
        usize::try_from(before.min(wanted)).unwrap_or(0)
    }
}

/// Runs the load to its end on threads of its own; blocks. `live` is updated as it goes on.
///
/// # Errors
/// A text when a connection cannot be opened within 10 s, or a thread cannot be made.
pub fn run(config: MmeConfig, stop: &Stop, live: Arc<Live>) -> io::Result<Report> {
    if config.connections == 0 || (config.count.is_none() && config.duration.is_none()) {
        let text = "a load run needs a connection, and a count or a duration";
        return Err(io::Error::new(io::ErrorKind::InvalidInput, text));
    }
    let threads = config.threads.clamp(1, config.connections);
    let run = Arc::new(Run::new(config, live));
    let workers: Vec<_> = (0..threads)
        .map(|thread| {
            let (run, stop) = (run.clone(), stop.clone());
            std::thread::spawn(move || worker(run, stop, thread, threads))
        })
        .collect();
    let mut sum = Tally::default();
    let mut longest = Duration::ZERO;
    let mut failed = None;
    for worker in workers {
        let done = worker.join().unwrap_or_else(|_| Err(io::Error::other("a thread panicked")));
        match done {
            Ok((tally, took)) => {
                sum.add(&tally);
                longest = longest.max(took);
            }
            Err(error) => failed = Some(error),
        }
    }
    failed.map_or_else(|| Ok(sum.report(longest.as_secs_f64())), Err)
}

fn worker(
    run: Arc<Run>,
    stop: Stop,
    thread: usize,
    threads: usize,
) -> io::Result<(Tally, Duration)> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(async move {
        let mut lanes = JoinSet::new();
        for index in (thread..run.config.connections).step_by(threads) {
            lanes.spawn(Lane::new(run.clone(), stop.clone(), index).go());
        }
        let mut sum = Tally::default();
        let mut took = Duration::ZERO;
        while let Some(done) = lanes.join_next().await {
            let (tally, lasted) = done.map_err(io::Error::other)??;
            sum.add(&tally);
            took = took.max(lasted);
        }
        Ok((sum, took))
    })
}
