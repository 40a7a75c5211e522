//! Where records go: the schema, the file, the metrics and the monitoring folds.
//!
//! ```text
//! workers ▷ Sink ▷ bounded queue ▷ thread "ipx-journal" ─┬▷ Schema ▷ Writer ▷ records.jsonl
//!                                                        ├▷ Counts ▷ Metrics ▷ /metrics
//!                                                        └▷ Summary ▷ Snapshot ▷ ipxd lab
//! ```
//!
//! A worker only swaps a full vector of records against an empty one. One thread turns records into
//! lines and folds them into numbers, so a dashboard and a record cannot disagree: a record that
//! finds the queue full reaches *neither*, and is counted in `ipx_journal_overflow_records_total`.
//!
//! [`schema`] documents every field of a line, `METRICS.md` every metric.

mod histogram;
mod journal;
mod json;
mod metrics;
mod names;
pub mod past;
mod pseudonym;
mod queue;
pub mod read;
pub mod schema;
mod summary;
mod writer;

pub use histogram::Histogram;
pub use journal::{Config, Event, Handle, spawn};
pub use metrics::{Counts, Kind, LABELS_MAX, Metrics, exposition};
pub use names::{Lexicon, Name, Names};
pub use past::Registration;
pub use pseudonym::{Key, PSEUDONYM_OCTETS};
pub use queue::{QUEUE_RECORDS, Sink};
pub use read::{Line, Lines};
pub use schema::{Schema, VERSION};
pub use summary::{Latency, Snapshot, StackSnapshot, Summary};
pub use writer::{PENDING_MAX, Rotation, WRITE_OCTETS, Writer};
