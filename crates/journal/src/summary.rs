//! The numbers an operator looks at while things happen: one small fold for each stack.

use procedure::{Act, Exit, Finish, Outcome, Provenance, Record, StackId};
use serde::Serialize;

use crate::{Histogram, Names};

/// Everything that was folded, in memory that does not grow with traffic: one entry for each
/// stack, at most 256.
#[derive(Clone, Debug, Default)]
pub struct Summary {
    stacks: Vec<Stack>,
}

#[derive(Clone, Debug, Default)]
struct Stack {
    exchanges: u64,
    registrations: u64,
    attaches: u64,
    preferred: u64,
    failovers: u64,
    finishes: [u64; FINISHES.len()],
    refusals: [u64; PROVENANCES.len()],
    exits: [u64; Exit::ALL.len()],
    latency_us: Histogram,
}

const FINISHES: [&str; 7] =
    ["answered", "refused", "discarded", "expired", "stray", "malformed", "passed"];

const PROVENANCES: [Provenance; 8] = [
    Provenance::Steering,
    Provenance::Barring,
    Provenance::Limit,
    Provenance::Screening,
    Provenance::Relayed,
    Provenance::Unroutable,
    Provenance::Expired,
    Provenance::Protocol,
];

/// A summary as it stood at one moment.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Snapshot {
    /// The stacks that had any traffic.
    pub stacks: Vec<StackSnapshot>,
}

/// One stack's numbers.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct StackSnapshot {
    /// The stack's name.
    pub stack: String,
    /// Every record.
    pub exchanges: u64,
    /// Registrations that were tried.
    pub registrations: u64,
    /// Registrations that succeeded.
    pub attaches: u64,
    /// Those of `attaches` on a preferred network.
    pub preferred: u64,
    /// Requests sent again over another link.
    pub failovers: u64,
    /// Exchanges by how they ended, only those that occurred.
    pub finishes: Vec<(&'static str, u64)>,
    /// Refusals by where they came from, only those that occurred.
    pub refusals: Vec<(&'static str, u64)>,
    /// Steering's exits by reason, only those that occurred.
    pub exits: Vec<(&'static str, u64)>,
    /// Latency of answered, refused and expired exchanges.
    pub latency_us: Latency,
}

/// Quantiles of latency in microseconds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Latency {
    /// How many were measured.
    pub count: u64,
    /// Half of them took no longer.
    pub p50: u64,
    /// 99 of 100 took no longer.
    pub p99: u64,
    /// 999 of 1,000 took no longer.
    pub p999: u64,
    /// The longest.
    pub max: u64,
}

impl Summary {
    /// Takes one record in.
    pub fn fold(&mut self, record: &Record) {
        let place = usize::from(record.stack.0);
        if place >= self.stacks.len() {
            self.stacks.resize_with(place + 1, Stack::default);
        }
        if let Some(stack) = self.stacks.get_mut(place) {
            stack.fold(record);
        }
    }

    /// The numbers of this moment.
    #[must_use]
    pub fn snapshot(&self, names: &dyn Names) -> Snapshot {
        let busy = (0_u8..=u8::MAX).zip(&self.stacks).filter(|(_, stack)| stack.exchanges > 0);
        let stacks = busy.map(|(id, stack)| stack.snapshot(names.stack(StackId(id))));
        Snapshot { stacks: stacks.collect() }
    }
}

impl Stack {
    fn fold(&mut self, record: &Record) {
        self.exchanges += 1;
        self.failovers += failovers(record);
        bump(&mut self.finishes, finish_index(record.finish));
        if record.act == Act::Register {
            self.registrations += 1;
            let attached = u64::from(record.success);
            self.attaches += attached;
            self.preferred += attached * u64::from(record.preferred == Some(true));
        }
        if let Some(place) = PROVENANCES.iter().position(|one| *one == record.provenance) {
            bump(&mut self.refusals, place);
        }
        if let Some(exit) = new_exit(record) {
            bump(&mut self.exits, exit as usize);
        }
        if let Some(us) = latency_us(record) {
            self.latency_us.record(us);
        }
    }

    fn snapshot(&self, name: &str) -> StackSnapshot {
        let latency = &self.latency_us;
        StackSnapshot {
            stack: name.to_owned(),
            exchanges: self.exchanges,
            registrations: self.registrations,
            attaches: self.attaches,
            preferred: self.preferred,
            failovers: self.failovers,
            finishes: occurred(FINISHES, &self.finishes),
            refusals: occurred(PROVENANCES.map(Provenance::name), &self.refusals),
            exits: occurred(Exit::ALL.map(Exit::name), &self.exits),
            latency_us: Latency {
                count: latency.count(),
                p50: latency.quantile(0.5),
                p99: latency.quantile(0.99),
                p999: latency.quantile(0.999),
                max: latency.max(),
            },
        }
    }
}

fn occurred<const N: usize>(
    names: [&'static str; N],
    counts: &[u64; N],
) -> Vec<(&'static str, u64)> {
    names.into_iter().zip(*counts).filter(|(_, count)| *count > 0).collect()
}

fn bump(counts: &mut [u64], place: usize) {
    if let Some(count) = counts.get_mut(place) {
        *count += 1;
    }
}

pub(crate) const fn finish_index(finish: Finish) -> usize {
    match finish {
        Finish::Answered => 0,
        Finish::Refused => 1,
        Finish::Discarded => 2,
        Finish::Expired => 3,
        Finish::Stray => 4,
        Finish::Malformed(_) => 5,
        Finish::Passed => 6,
    }
}

/// How often the request was sent again over another link.
pub(crate) fn failovers(record: &Record) -> u64 {
    u64::from(record.sends.saturating_sub(1))
}

/// The latency that somebody waited for: not that of strays, of what was unreadable or unanswered.
pub(crate) fn latency_us(record: &Record) -> Option<u64> {
    let waited = matches!(record.finish, Finish::Answered | Finish::Refused | Finish::Expired);
    let us = record.closed.since(record.opened).as_micros();
    waited.then(|| u64::try_from(us).unwrap_or(u64::MAX))
}

/// Whether the record only repeats a stored decision, which steering counted before: for a repeated
/// message, or for a visited network that insists.
pub(crate) fn is_replay(record: &Record) -> bool {
    let again = |outcome| matches!(outcome, Outcome::Replay | Outcome::Resend);
    record.because.iter().any(|reason| again(reason.outcome))
}

/// Whether a visited network asked again faster than a handset can.
pub(crate) fn is_resend(record: &Record) -> bool {
    record.because.iter().any(|reason| reason.outcome == Outcome::Resend)
}

/// Why steering gave in, unless a repeat is told so again.
pub(crate) fn new_exit(record: &Record) -> Option<Exit> {
    record.exit.filter(|_| !is_replay(record))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn indices_follow_their_tables() {
        for (place, exit) in Exit::ALL.into_iter().enumerate() {
            assert_eq!(exit as usize, place);
        }
        for finish in [Finish::Answered, Finish::Refused, Finish::Discarded, Finish::Expired] {
            assert_eq!(FINISHES[finish_index(finish)], finish.name());
        }
        for finish in [Finish::Stray, Finish::Passed] {
            assert_eq!(FINISHES[finish_index(finish)], finish.name());
        }
    }
}
