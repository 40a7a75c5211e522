//! How dialogues end, and ledgers of it that two ends can compare.

use std::collections::BTreeMap;
use std::fmt;

use serde::{Serialize, Serializer};

use super::map::{Operation, code};

/// How an operation ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Outcome {
    /// With its result.
    Success,
    /// With this error.
    Error(u8),
    /// The dialogue was aborted: a P-Abort's cause, or 255 for the user's.
    Aborted(u8),
    /// SCCP brought the message back with this cause.
    Returned(u8),
    /// The component was rejected.
    Rejected,
}

impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Success => f.write_str("ok"),
            Self::Error(error) => match code::name(*error) {
                Some(name) => f.write_str(name),
                None => write!(f, "error {error}"),
            },
            Self::Aborted(255) => f.write_str("user abort"),
            Self::Aborted(cause) => write!(f, "abort {cause}"),
            Self::Returned(cause) => write!(f, "returned {cause}"),
            Self::Rejected => f.write_str("rejected"),
        }
    }
}

/// An operation and its end.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Answer {
    /// The operation.
    pub operation: Operation,
    /// Its end.
    pub outcome: Outcome,
}

impl fmt::Display for Answer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.operation.name(), self.outcome)
    }
}

/// How often, and an order-independent digest of who: the sum of a hash of each IMSI, operation and
/// outcome. Two ends that saw the same set of triples, each as often, have the same pair.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Entry {
    /// How often.
    pub count: u64,
    /// Sixteen hexadecimal digits.
    #[serde(serialize_with = "hexadecimal")]
    pub digest: u64,
}

fn hexadecimal<S: Serializer>(digest: &u64, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(&format!("{digest:016x}"))
}

/// What became of everything, by operation and outcome.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Ledger(BTreeMap<Answer, Entry>);

impl Ledger {
    /// Enters one outcome.
    pub fn enter(&mut self, imsi: u64, answer: Answer) {
        let entry = self.0.entry(answer).or_default();
        entry.count += 1;
        entry.digest = entry.digest.wrapping_add(hash(imsi, answer));
    }

    /// Adds another node's entries.
    pub fn add(&mut self, other: &Self) {
        for (answer, more) in &other.0 {
            let entry = self.0.entry(*answer).or_default();
            entry.count += more.count;
            entry.digest = entry.digest.wrapping_add(more.digest);
        }
    }

    /// How often an operation ended so.
    #[must_use]
    pub fn count(&self, operation: Operation, outcome: Outcome) -> u64 {
        self.0.get(&Answer { operation, outcome }).map_or(0, |entry| entry.count)
    }

    /// All entries.
    #[must_use]
    pub fn total(&self) -> u64 {
        self.0.values().map(|entry| entry.count).sum()
    }
}

impl Serialize for Ledger {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_map(self.0.iter().map(|(answer, entry)| (answer.to_string(), entry)))
    }
}

/// SplitMix64's finish over the three.
fn hash(imsi: u64, answer: Answer) -> u64 {
    let (kind, detail) = match answer.outcome {
        Outcome::Success => (0u64, 0),
        Outcome::Error(n) => (1, n),
        Outcome::Aborted(n) => (2, n),
        Outcome::Returned(n) => (3, n),
        Outcome::Rejected => (4, 0),
    };
    let operation = u64::try_from(answer.operation.code()).unwrap_or(0);
    let mut z = imsi ^ (operation << 56) ^ (kind << 52);
    z = z.wrapping_add(u64::from(detail).wrapping_mul(0x9e37_79b9_7f4a_7c15));
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_order_does_not_matter_and_everything_else_does() {
        let ok = |operation| Answer { operation, outcome: Outcome::Success };
        let sai = ok(Operation::SendAuthenticationInfo);
        let ul = ok(Operation::UpdateLocation);
        let ledger = |entries: &[(u64, Answer)]| {
            let mut ledger = Ledger::default();
            entries.iter().for_each(|(imsi, answer)| ledger.enter(*imsi, *answer));
            ledger
        };
        let one = ledger(&[(7, sai), (8, sai), (7, ul)]);
        assert_eq!(one, ledger(&[(7, ul), (8, sai), (7, sai)]));
        assert_ne!(one, ledger(&[(7, sai), (9, sai), (7, ul)]));
        assert_ne!(one, ledger(&[(7, sai), (8, sai), (8, ul)]));
        let mut twice = one.clone();
        twice.add(&one);
        assert_eq!(twice.total(), 6);
        let text = serde_json::to_string(&one).unwrap();
        assert!(text.contains("\"sendAuthenticationInfo ok\":{\"count\":2,\"digest\":\""));
    }
}
