//! The thread that turns records into lines and numbers.

use std::collections::VecDeque;
use std::io;
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use procedure::Record;

use crate::metrics::Own;
use crate::queue::{Queue, Wake};
use crate::writer::Tally;
use crate::{
    Counts, Key, LABELS_MAX, Metrics, Names, QUEUE_RECORDS, Rotation, Schema, Sink, Snapshot,
    Summary, Writer,
};

/// How the journal works.
#[derive(Clone, Debug)]
pub struct Config {
    /// The moment `Time(0)` of the records, in microseconds since 1970.
    pub epoch_us: u64,
    /// The secret behind pseudonyms.
    pub key: Key,
    /// Write IMSIs in clear beside their pseudonyms.
    pub clear_identities: bool,
    /// Where lines are written; `None` for metrics and summary only.
    pub file: Option<Rotation>,
    /// Most records that wait for the thread.
    pub queue_records: usize,
    /// Most label sets of a metric; see [`LABELS_MAX`].
    pub labels_max: usize,
    /// How long a record may wait for its line and its numbers.
    pub tick: Duration,
}

impl Config {
    /// No file, pseudonyms only, the default limits, a tick of 50 ms.
    #[must_use]
    pub const fn new(epoch_us: u64, key: Key) -> Self {
        Self {
            epoch_us,
            key,
            clear_identities: false,
            file: None,
            queue_records: QUEUE_RECORDS,
            labels_max: LABELS_MAX,
            tick: Duration::from_millis(50),
        }
    }
}

/// What the journal reports to whoever logs, once for each change, not for each record.
#[derive(Debug)]
pub enum Event {
    /// The disk refuses; lines wait in memory and are lost past a limit.
    Failing(io::Error),
    /// The disk takes lines again.
    Recovered {
        /// Records lost since the start of the process because the disk refused.
        lost: u64,
    },
}

/// The journal's owner: asks it and ends it.
#[derive(Debug)]
pub struct Handle {
    queue: Arc<Queue>,
    metrics: Metrics,
    summary: Arc<Mutex<Summary>>,
    names: Shared,
    thread: Option<JoinHandle<()>>,
}

/// The names, quiet in `Debug`.
struct Shared(Arc<dyn Names>);

impl std::fmt::Debug for Shared {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Names")
    }
}

/// Starts the journal. `report` is called on its thread.
///
/// # Errors
/// When the file cannot be opened or the thread not be started.
pub fn spawn(
    config: Config,
    names: Arc<dyn Names>,
    report: impl FnMut(Event) + Send + 'static,
) -> io::Result<(Sink, Handle)> {
    let (metrics, counts) = Metrics::new(config.labels_max, Arc::clone(&names));
    let own = metrics.own().clone();
    own.limit.set(i64::try_from(config.queue_records).unwrap_or(i64::MAX));
    let queue = Queue::new(config.queue_records, own.overflow.clone(), own.queued.clone());
    let queue = Arc::new(queue);
    let summary = Arc::new(Mutex::new(Summary::default()));
    let Config { epoch_us, key, clear_identities, .. } = config;
    let journal = Journal {
        queue: Arc::clone(&queue),
        schema: Schema::new(epoch_us, key, clear_identities, Arc::clone(&names)),
        writer: config.file.map(Writer::open).transpose()?,
        counts,
        summary: Arc::clone(&summary),
        own,
        told: Tally::default(),
        failing: false,
        report,
    };
    let tick = config.tick;
    let thread =
        thread::Builder::new().name("ipx-journal".to_owned()).spawn(move || journal.run(tick))?;
    let sink = Sink { queue: Arc::clone(&queue) };
    Ok((sink, Handle { queue, metrics, summary, names: Shared(names), thread: Some(thread) }))
}

impl Handle {
    /// The metrics, for `/metrics`.
    #[must_use]
    pub const fn metrics(&self) -> &Metrics {
        &self.metrics
    }

    /// The numbers of this moment, for people.
    #[must_use]
    pub fn summary(&self) -> Snapshot {
        let summary = self.summary.lock().unwrap_or_else(PoisonError::into_inner);
        summary.snapshot(&*self.names.0)
    }

    /// Waits until everything submitted so far is folded and, if the disk takes it, written.
    pub fn flush(&self) {
        self.queue.flush(|| self.thread.as_ref().is_none_or(JoinHandle::is_finished));
    }

    /// Writes everything that was submitted, then ends the thread. Later batches are counted as
    /// overflow. Dropping the handle does the same.
    pub fn shutdown(mut self) {
        self.close();
    }

    fn close(&mut self) {
        self.queue.close();
        if let Some(thread) = self.thread.take() {
            // A panic there has already been reported by the panic hook.
            let _ = thread.join();
        }
    }
}

impl Drop for Handle {
    fn drop(&mut self) {
        self.close();
    }
}

struct Journal<R> {
    queue: Arc<Queue>,
    schema: Schema,
    writer: Option<Writer>,
    counts: Counts,
    summary: Arc<Mutex<Summary>>,
    own: Own,
    /// What of the writer's tally the metrics already show.
    told: Tally,
    failing: bool,
    report: R,
}

impl<R: FnMut(Event)> Journal<R> {
    fn run(mut self, tick: Duration) {
        let mut taken = VecDeque::new();
        loop {
            let Wake { closed, asked } = self.queue.take(&mut taken, tick);
            for mut batch in taken.drain(..) {
                self.batch(&batch);
                batch.clear();
                self.queue.recycle(batch);
            }
            self.write(Writer::flush);
            if closed {
                self.write(Writer::sync);
                if let Some(writer) = &mut self.writer {
                    writer.abandon();
                }
                self.tell();
                self.queue.finished(asked);
                return;
            }
            self.queue.finished(asked);
        }
    }

    fn batch(&mut self, batch: &[Record]) {
        batch.iter().for_each(|record| self.counts.fold(record));
        let mut summary = self.summary.lock().unwrap_or_else(PoisonError::into_inner);
        batch.iter().for_each(|record| summary.fold(record));
        drop(summary);
        for record in batch {
            let Some(writer) = &mut self.writer else { return };
            writer.push(|out| self.schema.write(record, out));
            if writer.is_due() {
                self.write(Writer::flush);
            }
        }
    }

    fn write(&mut self, how: fn(&mut Writer) -> io::Result<()>) {
        let Some(writer) = &mut self.writer else { return };
        let result = how(writer);
        let lost = writer.tally().lost;
        self.tell();
        match result {
            Ok(()) if self.failing => {
                self.failing = false;
                (self.report)(Event::Recovered { lost });
            }
            Err(error) if !self.failing => {
                self.failing = true;
                (self.report)(Event::Failing(error));
            }
            _ => {}
        }
    }

    /// Brings the journal's own metrics up to the writer's tally.
    fn tell(&mut self) {
        let Some(writer) = &self.writer else { return };
        let now = writer.tally();
        self.own.written.inc_by(now.records - self.told.records);
        self.own.octets.inc_by(now.octets - self.told.octets);
        self.own.lost.inc_by(now.lost - self.told.lost);
        self.own.errors.inc_by(now.errors - self.told.errors);
        self.told = now;
    }
}
