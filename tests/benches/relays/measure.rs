//! One measurement: a fresh relay, one load through it, what it cost.

use std::time::Duration;

use sim::mme::Load;
use sim::tally::Report;

use crate::relay::Relay;
use crate::rig::load::{Homes, Shape, faults, run};
use crate::rig::place::Place;
use crate::rig::process::Process;
use crate::rig::{Outcome, gateway};

/// Outstanding requests when saturated, over all connections.
const WINDOW: usize = 256;
/// Requests a second of the open loop.
const RATE: f64 = 5_000.0;

/// What one load through one relay showed.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Sample {
    /// Right answers a second.
    pub(crate) rate: f64,
    /// The relay's processor time per transaction, microseconds.
    pub(crate) cpu_us: f64,
    /// Median latency, microseconds.
    pub(crate) p50_us: f64,
    /// 99th percentile, microseconds.
    pub(crate) p99_us: f64,
    /// The relay's peak memory, kB.
    pub(crate) memory_kb: f64,
    /// The share of requests that it refused itself.
    pub(crate) refused: f64,
    /// Requests that did not get exactly one right answer.
    pub(crate) faults: u64,
    /// Records that did not get to disk.
    pub(crate) unwritten: u64,
}

/// Closed loop: as fast as it goes.
pub(crate) fn saturated(
    place: &Place,
    relay: Relay,
    connections: usize,
    lasting: Duration,
) -> Outcome<Sample> {
    let load = Load::Window(WINDOW.max(connections));
    let shape = Shape { connections, load, count: None, lasting: Some(lasting) };
    measure(place, relay, shape)
}

/// Open loop: five thousand a second.
pub(crate) fn paced(
    place: &Place,
    relay: Relay,
    connections: usize,
    lasting: Duration,
) -> Outcome<Sample> {
    let load = Load::Rate(RATE);
    let shape = Shape { connections, load, count: None, lasting: Some(lasting) };
    measure(place, relay, shape)
}

fn measure(place: &Place, relay: Relay, shape: Shape) -> Outcome<Sample> {
    let homes = Homes::start(place, shape.connections)?;
    let mut process = relay.start(place, &homes, shape.connections)?;
    let before = process.as_ref().map(Process::settled_cpu).unwrap_or_default();
    let report = run(place, shape, relay == Relay::None)?;
    let mut sample = Sample {
        rate: report.rate,
        p50_us: report.p50_us,
        p99_us: report.p99_us,
        faults: faults(&report),
        refused: refused(&report, &homes)?,
        ..Sample::default()
    };
    if let Some(process) = &mut process {
        process.check()?;
        let spent = process.settled_cpu().saturating_sub(before);
        sample.cpu_us = spent.as_secs_f64() * 1e6 / report.transactions.max(1) as f64;
        sample.memory_kb = process.peak_memory() as f64;
    }
    if relay == Relay::Ipxd {
        sample.unwritten = unwritten(place, &report)?;
    }
    drop(process);
    drop(homes);
    place.sweep();
    Ok(sample)
}

/// The share of requests that never reached a home; every one of them must have been refused.
fn refused(report: &Report, homes: &Homes) -> Outcome<f64> {
    let kept = report.transactions.saturating_sub(homes.requests());
    let refused = report.answers.get("exp:5004").copied().unwrap_or(0);
    if kept != refused && faults(report) == 0 {
        return Err(format!("{kept} requests did not reach a home, but {refused} were refused"));
    }
    Ok(refused as f64 / report.transactions.max(1) as f64)
}

/// Transactions without a record on disk.
fn unwritten(place: &Place, report: &Report) -> Outcome<u64> {
    let written = gateway::metric(place, "ipx_journal_written_records_total")?;
    Ok((report.transactions as f64 - written).max(0.0) as u64)
}
