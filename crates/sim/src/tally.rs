//! What the askers count: transactions, faults, answers by code, latency.

use std::collections::BTreeMap;
use std::fmt::Display;

use hdrhistogram::Histogram;
use serde::Serialize;

use crate::diameter::parse::Outcome;
use crate::hss::counters::bump;

/// Counters of one asker. Every request that was sent ends in exactly one of `answered`, `lost`,
/// `asker_gone` and `spoiled`; the other faults count answers.
/// `O` is what answers are told apart by.
#[derive(Clone, Debug)]
pub struct Tally<O = Outcome> {
    /// Requests sent.
    pub sent: u64,
    /// Requests that got their right answer in time.
    pub answered: u64,
    /// Requests without an answer within the timeout.
    pub lost: u64,
    /// Requests outstanding when their connection dropped.
    pub asker_gone: u64,
    /// Requests ended by an answer with a wrong End-to-End, Session-Id, command or application.
    pub spoiled: u64,
    /// Answers to requests that were answered before.
    pub duplicated: u64,
    /// Answers that fit no request, or whose fields contradict the request they claim.
    pub mismatched: u64,
    /// Answers to requests that had been counted as lost.
    pub late: u64,
    answers: Vec<(O, u64)>,
    latency: Option<Histogram<u64>>,
}

impl<O> Default for Tally<O> {
    fn default() -> Self {
        Self {
            sent: 0,
            answered: 0,
            lost: 0,
            asker_gone: 0,
            spoiled: 0,
            duplicated: 0,
            mismatched: 0,
            late: 0,
            answers: Vec::new(),
            // 1 µs to 100 s in ns with three digits; `None` cannot be: the bounds are constants.
            latency: Histogram::new_with_bounds(1_000, 100_000_000_000, 3).ok(),
        }
    }
}

impl<O: Copy + PartialEq + Display> Tally<O> {
    /// Counts a right answer and its latency in nanoseconds.
    pub fn answer(&mut self, outcome: O, latency: u64) {
        self.answered += 1;
        bump(&mut self.answers, outcome);
        if let Some(histogram) = &mut self.latency {
            histogram.saturating_record(latency);
        }
    }

    /// Adds another asker's counters.
    pub fn add(&mut self, other: &Self) {
        self.add_counts(other);
        for (outcome, count) in &other.answers {
            match self.answers.iter_mut().find(|(o, _)| o == outcome) {
                Some((_, sum)) => *sum += count,
                None => self.answers.push((*outcome, *count)),
            }
        }
    }

    /// Everything but answers by code.
    fn add_counts<P>(&mut self, other: &Tally<P>) {
        self.sent += other.sent;
        self.answered += other.answered;
        self.lost += other.lost;
        self.asker_gone += other.asker_gone;
        self.spoiled += other.spoiled;
        self.duplicated += other.duplicated;
        self.mismatched += other.mismatched;
        self.late += other.late;
        if let (Some(sum), Some(more)) = (&mut self.latency, &other.latency) {
            // The same bounds: adding cannot fail.
            let _same_bounds = sum.add(more);
        }
    }

    /// The report of these askers and of others, whose answers are told apart by other codes.
    #[must_use]
    pub fn report_with<P>(&self, other: &Tally<P>, seconds: f64) -> Report
    where
        P: Copy + PartialEq + Display,
    {
        let mut sum = self.clone();
        sum.add_counts(other);
        let mut report = sum.report(seconds);
        report.answers.extend(other.answers());
        report
    }

    /// Answers by code; experimental ones as `exp:5004`, an answer without any as `none`.
    #[must_use]
    pub fn answers(&self) -> BTreeMap<String, u64> {
        self.answers.iter().map(|(o, n)| (o.to_string(), *n)).collect()
    }

    /// The latency below which `quantile` (0 to 1) of the answers came, in microseconds.
    #[must_use]
    #[expect(clippy::cast_precision_loss, reason = "a latency under 100 s fits 53 bits")]
    pub fn latency_us(&self, quantile: f64) -> f64 {
        let value = self.latency.as_ref().map_or(0, |h| h.value_at_quantile(quantile));
        if self.answered == 0 { 0.0 } else { value as f64 / 1_000.0 }
    }

    /// The report of a run that took `seconds`.
    #[must_use]
    #[expect(clippy::cast_precision_loss, reason = "a rate needs no more than 53 bits")]
    pub fn report(&self, seconds: f64) -> Report {
        Report {
            transactions: self.sent,
            answered: self.answered,
            lost: self.lost,
            duplicated: self.duplicated,
            mismatched: self.mismatched,
            late: self.late,
            asker_gone: self.asker_gone,
            answers: self.answers(),
            seconds,
            rate: if seconds > 0.0 { self.answered as f64 / seconds } else { 0.0 },
            p50_us: self.latency_us(0.5),
            p90_us: self.latency_us(0.9),
            p99_us: self.latency_us(0.99),
            p999_us: self.latency_us(0.999),
            max_us: self.latency_us(1.0),
        }
    }
}

/// The result of a run, as `--json` prints it.
#[derive(Clone, Debug, Default, Serialize, PartialEq)]
pub struct Report {
    /// Requests sent.
    pub transactions: u64,
    /// Requests that got their right answer in time.
    pub answered: u64,
    /// Requests without an answer within the timeout.
    pub lost: u64,
    /// Answers to requests that were answered before.
    pub duplicated: u64,
    /// Answers that fit no request, or contradict the one they claim.
    pub mismatched: u64,
    /// Answers that came after the timeout.
    pub late: u64,
    /// Requests outstanding when their connection dropped.
    pub asker_gone: u64,
    /// Right answers by code; experimental ones as `exp:5004`.
    pub answers: BTreeMap<String, u64>,
    /// From the first request to the last answer.
    pub seconds: f64,
    /// Right answers a second.
    pub rate: f64,
    /// Median latency in microseconds. In an open loop it counts from the intended send time.
    pub p50_us: f64,
    /// 90th percentile, microseconds.
    pub p90_us: f64,
    /// 99th percentile, microseconds.
    pub p99_us: f64,
    /// 99.9th percentile, microseconds.
    pub p999_us: f64,
    /// The longest, microseconds.
    pub max_us: f64,
}

impl Report {
    /// True when nothing was lost, duplicated, mismatched or late.
    #[must_use]
    pub fn is_clean(&self) -> bool {
        self.lost == 0 && self.duplicated == 0 && self.mismatched == 0 && self.late == 0
    }
}

impl Display for Report {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        writeln!(f, "transactions {} in {:.2} s", self.transactions, self.seconds)?;
        writeln!(f, "rate         {:.0} answers/s", self.rate)?;
        writeln!(
            f,
            "faults       lost {} duplicated {} mismatched {} late {} asker gone {}",
            self.lost, self.duplicated, self.mismatched, self.late, self.asker_gone
        )?;
        write!(f, "answers     ")?;
        self.answers.iter().try_for_each(|(code, count)| write!(f, " {code}: {count}"))?;
        writeln!(f)?;
        write!(
            f,
            "latency µs   p50 {:.1}  p90 {:.1}  p99 {:.1}  p99.9 {:.1}  max {:.1}",
            self.p50_us, self.p90_us, self.p99_us, self.p999_us, self.max_us
        )
    }
}
