//! Prometheus metrics, folded from records and from nothing else. `METRICS.md` lists them.

mod bounded;
mod codes;
mod counts;
pub mod exposition;

use std::sync::Arc;

use prometheus_client::encoding::text::{encode_eof, encode_registry};
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::registry::{Metric, Registry};

pub use counts::Counts;
pub use exposition::Kind;

use crate::Names;

/// Default limit of label sets in each metric; what would go past it is counted under the one set
/// whose labels all say `other`, so that totals stay right.
pub const LABELS_MAX: usize = 4_096;

/// The metrics as a scrape reads them. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Metrics {
    registry: Arc<Registry>,
    names: Arc<[&'static str]>,
    own: Own,
}

/// The journal's numbers about itself.
#[derive(Clone, Debug, Default)]
pub(crate) struct Own {
    pub(crate) queued: Gauge,
    pub(crate) limit: Gauge,
    pub(crate) overflow: Counter,
    pub(crate) written: Counter,
    pub(crate) octets: Counter,
    pub(crate) lost: Counter,
    pub(crate) errors: Counter,
}

impl Metrics {
    /// The metrics and the fold that feeds them; no metric gets more than `labels_max` label sets
    /// and `other`.
    #[must_use]
    pub fn new(labels_max: usize, names: Arc<dyn Names>) -> (Self, Counts) {
        let mut register = Register::default();
        let counts = Counts::new(&mut register, labels_max, names);
        let own = Own::default();
        own.register(&mut register);
        let Register { registry, names } = register;
        (Self { registry: Arc::new(registry), names: names.into(), own }, counts)
    }

    /// The `OpenMetrics` text. `extra` appends families of the daemon's own, by
    /// [`exposition::family`].
    pub fn encode(&self, extra: &mut dyn FnMut(&mut String)) -> String {
        let mut text = String::with_capacity(16 * 1024);
        // Writing to a string does not fail.
        let _ = encode_registry(&mut text, &self.registry);
        extra(&mut text);
        let _ = encode_eof(&mut text);
        text
    }

    /// The registered names as a scrape shows them, `_total` included.
    #[must_use]
    pub fn names(&self) -> &[&'static str] {
        &self.names
    }

    pub(crate) const fn own(&self) -> &Own {
        &self.own
    }
}

/// The registry while it is filled, remembering names.
#[derive(Default)]
pub(crate) struct Register {
    registry: Registry,
    names: Vec<&'static str>,
}

impl Register {
    /// Registers `metric` under the name that a scrape shows.
    fn add(&mut self, name: &'static str, help: &str, metric: impl Metric) {
        self.names.push(name);
        // The encoder puts the suffix of counters and the full stop of the help text itself.
        let stem = name.strip_suffix("_total").unwrap_or(name);
        self.registry.register(stem, help, metric);
    }
}

impl Own {
    fn register(&self, to: &mut Register) {
        to.add(
            "ipx_journal_queued_records",
            "Records that the journal found waiting at its last tick",
            self.queued.clone(),
        );
        to.add(
            "ipx_journal_queue_limit_records",
            "Most records that may wait for the journal",
            self.limit.clone(),
        );
        to.add(
            "ipx_journal_overflow_records_total",
            "Records dropped at a full queue: neither written nor in any other metric",
            self.overflow.clone(),
        );
        to.add(
            "ipx_journal_written_records_total",
            "Records written to the file",
            self.written.clone(),
        );
        to.add(
            "ipx_journal_written_octets_total",
            "Octets written to the file",
            self.octets.clone(),
        );
        to.add(
            "ipx_journal_lost_records_total",
            "Records that a failing disk kept out of the file; the other metrics have them",
            self.lost.clone(),
        );
        to.add(
            "ipx_journal_write_errors_total",
            "Writes that the disk refused",
            self.errors.clone(),
        );
    }
}
