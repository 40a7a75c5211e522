//! The bounded queue between the workers and the journal's thread.

use std::collections::VecDeque;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use procedure::Record;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::gauge::Gauge;

/// Default limit of records that wait for the journal's thread; past it they are dropped and
/// counted.
pub const QUEUE_RECORDS: usize = 262_144;

/// The thread is woken before its tick when so many records wait, or a quarter of what fits: few
/// enough to be still in the processor's cache when they are read.
const WAKE_RECORDS: usize = 1024;

/// A worker's end of the queue.
#[derive(Clone, Debug)]
pub struct Sink {
    pub(crate) queue: Arc<Queue>,
}

impl Sink {
    /// Hands over a batch: `batch` comes back empty, with the room of an earlier one, so nothing is
    /// allocated in steady state. What finds no place is dropped and counted; never waits for the
    /// disk.
    pub fn submit(&self, batch: &mut Vec<Record>) {
        if !batch.is_empty() {
            self.queue.submit(batch);
        }
    }
}

/// What the thread is asked besides.
#[derive(Debug, Default)]
struct State {
    batches: VecDeque<Vec<Record>>,
    /// Records in `batches`.
    records: usize,
    spares: Vec<Vec<Record>>,
    /// Records that fit into `spares` without allocating.
    spare_records: usize,
    closed: bool,
    /// How often everything up to here was asked to be written, and how often it was.
    asked: u64,
    done: u64,
}

/// The queue and its two bells.
#[derive(Debug)]
pub(crate) struct Queue {
    limit: usize,
    state: Mutex<State>,
    work: Condvar,
    idle: Condvar,
    overflow: Counter,
    depth: Gauge,
}

/// What the thread finds when it wakes.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Wake {
    /// Nothing more will come.
    pub(crate) closed: bool,
    /// To be told back with [`Queue::finished`].
    pub(crate) asked: u64,
}

impl Queue {
    pub(crate) fn new(limit: usize, overflow: Counter, depth: Gauge) -> Self {
        Self {
            limit: limit.max(1),
            state: Mutex::default(),
            work: Condvar::new(),
            idle: Condvar::new(),
            overflow,
            depth,
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn submit(&self, batch: &mut Vec<Record>) {
        let mut state = self.lock();
        let room = if state.closed { 0 } else { self.limit - state.records };
        if batch.len() > room {
            self.overflow.inc_by((batch.len() - room) as u64);
            batch.truncate(room);
            if room == 0 {
                return;
            }
        }
        let spare = state.spares.pop().unwrap_or_default();
        state.spare_records -= spare.capacity();
        let full = std::mem::replace(batch, spare);
        let before = state.records;
        state.records += full.len();
        state.batches.push_back(full);
        let mark = wake_records(self.limit);
        let wake = before <= mark && state.records > mark;
        drop(state);
        if wake {
            self.work.notify_one();
        }
    }

    /// Waits for work, at most `tick`, and swaps what has come against `taken`, which is empty.
    pub(crate) fn take(&self, taken: &mut VecDeque<Vec<Record>>, tick: Duration) -> Wake {
        let mut state = self.lock();
        if !state.is_urgent(self.limit) {
            let rest = |state: &mut State| !state.is_urgent(self.limit);
            let waited = self.work.wait_timeout_while(state, tick, rest);
            state = waited.unwrap_or_else(PoisonError::into_inner).0;
        }
        std::mem::swap(&mut state.batches, taken);
        self.depth.set(i64::try_from(state.records).unwrap_or(i64::MAX));
        state.records = 0;
        Wake { closed: state.closed, asked: state.asked }
    }

    /// Gives a batch's room back, within the queue's own limit.
    pub(crate) fn recycle(&self, batch: Vec<Record>) {
        let mut state = self.lock();
        if batch.capacity() > 0 && state.spare_records + batch.capacity() <= self.limit {
            state.spare_records += batch.capacity();
            state.spares.push(batch);
        }
    }

    /// Everything up to the `asked` of a [`Wake`] is written and folded.
    pub(crate) fn finished(&self, asked: u64) {
        let mut state = self.lock();
        if state.done != asked {
            state.done = asked;
            self.idle.notify_all();
        }
    }

    /// Waits until everything submitted before is written and folded, or the thread is gone.
    pub(crate) fn flush(&self, is_gone: impl Fn() -> bool) {
        const PATIENCE: Duration = Duration::from_millis(100);
        let mut state = self.lock();
        state.asked += 1;
        let asked = state.asked;
        self.work.notify_one();
        while state.done < asked && !is_gone() {
            let waited = self.idle.wait_timeout(state, PATIENCE);
            state = waited.unwrap_or_else(PoisonError::into_inner).0;
        }
    }

    /// Ends the queue: later batches are counted as overflow.
    pub(crate) fn close(&self) {
        self.lock().closed = true;
        self.work.notify_one();
    }
}

const fn wake_records(limit: usize) -> usize {
    if limit / 4 < WAKE_RECORDS { limit / 4 } else { WAKE_RECORDS }
}

impl State {
    const fn is_urgent(&self, limit: usize) -> bool {
        self.closed || self.asked > self.done || self.records > wake_records(limit)
    }
}
