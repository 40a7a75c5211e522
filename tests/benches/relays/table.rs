//! What was measured, for people and for programs.

use serde::Serialize;

use crate::measure::Sample;
use crate::relay::Relay;

/// One relay with so many connections a side: medians over the rounds.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Row {
    pub(crate) relay: Relay,
    /// Connections a side.
    pub(crate) connections: usize,
    /// Saturated: transactions a second.
    pub(crate) transactions_per_second: f64,
    /// Saturated: the relay's processor time, microseconds.
    pub(crate) cpu_us_per_transaction: f64,
    /// At 5,000 a second: the relay's processor time, microseconds.
    pub(crate) cpu_us_per_transaction_paced: f64,
    /// At 5,000 a second, all of the way.
    pub(crate) p50_us: f64,
    /// At 5,000 a second, all of the way.
    pub(crate) p99_us: f64,
    /// At 5,000 a second, what the relay adds.
    pub(crate) added_p50_us: Option<f64>,
    /// At 5,000 a second, what the relay adds.
    pub(crate) added_p99_us: Option<f64>,
    /// Saturated: the most memory it held.
    pub(crate) peak_memory_kb: f64,
    /// The share of requests that it refused itself.
    pub(crate) refused_share: f64,
    /// Requests in all rounds that did not get exactly one right answer.
    pub(crate) faults: u64,
    /// Records in all rounds that did not get to disk.
    pub(crate) unwritten_records: u64,
}

/// How much of another relay's value ours is.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Ratio {
    pub(crate) against: Relay,
    pub(crate) connections: usize,
    /// Ours divided by theirs.
    pub(crate) transactions_per_second: f64,
    /// Ours divided by theirs.
    pub(crate) cpu_per_transaction: f64,
    /// Ours divided by theirs.
    pub(crate) added_p50: Option<f64>,
}

impl Row {
    /// The row of one relay from its rounds, each a saturated and a paced load.
    pub(crate) fn new(relay: Relay, connections: usize, rounds: &[(Sample, Sample)]) -> Self {
        let full = |field: fn(&Sample) -> f64| median(rounds.iter().map(|(full, _)| field(full)));
        let paced =
            |field: fn(&Sample) -> f64| median(rounds.iter().map(|(_, paced)| field(paced)));
        let both = rounds.iter().flat_map(|(full, paced)| [full, paced]);
        Self {
            relay,
            connections,
            transactions_per_second: full(|sample| sample.rate),
            cpu_us_per_transaction: full(|sample| sample.cpu_us),
            cpu_us_per_transaction_paced: paced(|sample| sample.cpu_us),
            p50_us: paced(|sample| sample.p50_us),
            p99_us: paced(|sample| sample.p99_us),
            added_p50_us: None,
            added_p99_us: None,
            peak_memory_kb: full(|sample| sample.memory_kb),
            refused_share: full(|sample| sample.refused),
            faults: both.clone().map(|sample| sample.faults).sum(),
            unwritten_records: both.map(|sample| sample.unwritten).sum(),
        }
    }
}

fn median(values: impl Iterator<Item = f64>) -> f64 {
    let mut values: Vec<f64> = values.collect();
    values.sort_by(f64::total_cmp);
    values.get(values.len() / 2).copied().unwrap_or(0.0)
}

/// Fills in what each relay adds to the way without one.
pub(crate) fn add_latencies(rows: &mut [Row]) {
    let bases: Vec<Row> = rows.iter().filter(|row| row.relay == Relay::None).cloned().collect();
    for row in rows.iter_mut().filter(|row| row.relay != Relay::None) {
        let base = bases.iter().find(|base| base.connections == row.connections);
        row.added_p50_us = base.map(|base| row.p50_us - base.p50_us);
        row.added_p99_us = base.map(|base| row.p99_us - base.p99_us);
    }
}

/// Ours against each other relay.
pub(crate) fn ratios(rows: &[Row]) -> Vec<Ratio> {
    let ours = rows.iter().filter(|row| row.relay == Relay::Ipxd);
    let pairs = ours.flat_map(|ours| {
        let others = rows.iter().filter(|row| !matches!(row.relay, Relay::None | Relay::Ipxd));
        let others = others.filter(|theirs| theirs.connections == ours.connections);
        others.map(move |theirs| (ours, theirs))
    });
    let ratio = |(ours, theirs): (&Row, &Row)| Ratio {
        against: theirs.relay,
        connections: ours.connections,
        transactions_per_second: ours.transactions_per_second / theirs.transactions_per_second,
        cpu_per_transaction: ours.cpu_us_per_transaction / theirs.cpu_us_per_transaction,
        added_p50: ours.added_p50_us.zip(theirs.added_p50_us).map(|(ours, theirs)| ours / theirs),
    };
    pairs.map(ratio).collect()
}

/// The table for people.
pub(crate) fn print(rows: &[Row], ratios: &[Ratio]) {
    println!(
        "\n{:<13}{:>6}{:>12}{:>9}{:>12}{:>12}{:>12}{:>10}{:>9}{:>8}{:>11}",
        "relay",
        "conns",
        "tx/s",
        "cpu µs",
        "cpu µs@5k",
        "added p50",
        "added p99",
        "peak MB",
        "refused",
        "faults",
        "unwritten"
    );
    for row in rows {
        let added =
            |value: Option<f64>| value.map_or("–".into(), |value| format!("{value:.0} µs"));
        println!(
            "{:<13}{:>6}{:>12.0}{:>9.2}{:>12.2}{:>12}{:>12}{:>10.1}{:>8.2}%{:>8}{:>11}",
            row.relay.name(),
            row.connections,
            row.transactions_per_second,
            row.cpu_us_per_transaction,
            row.cpu_us_per_transaction_paced,
            added(row.added_p50_us),
            added(row.added_p99_us),
            row.peak_memory_kb / 1024.0,
            row.refused_share * 100.0,
            row.faults,
            row.unwritten_records,
        );
    }
    if !ratios.is_empty() {
        println!(
            "\n{:<24}{:>6}{:>8}{:>8}{:>11}",
            "ipxd divided by", "conns", "tx/s", "cpu", "added p50"
        );
    }
    for ratio in ratios {
        let added = ratio.added_p50.map_or("–".into(), |value| format!("{value:.2}"));
        println!(
            "{:<24}{:>6}{:>8.2}{:>8.3}{:>11}",
            ratio.against.name(),
            ratio.connections,
            ratio.transactions_per_second,
            ratio.cpu_per_transaction,
            added,
        );
    }
}
