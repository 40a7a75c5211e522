//! A family whose label sets are bounded and whose handles are kept.

use std::borrow::Cow;
use std::collections::HashMap;
use std::hash::{BuildHasherDefault, Hasher};

use prometheus_client::metrics::family::{Family, MetricConstructor};

/// A label's value.
pub(super) type Value = Cow<'static, str>;

/// What stands for everything past a limit and for what nobody knows.
pub(super) const OTHER: &str = "other";

/// A metric's label sets.
pub(super) type Labels<const N: usize> = [(&'static str, Value); N];

/// Handles by a small key, so that a label set is written out once, not for each record. At most
/// `limit` sets are made; all further ones share the set that says `other` everywhere.
pub(super) struct Bounded<M, const N: usize, C = fn() -> M> {
    family: Family<Labels<N>, M, C>,
    keys: [&'static str; N],
    handles: HashMap<u64, M, BuildHasherDefault<Mix>>,
    limit: usize,
    other: Option<M>,
}

impl<M: Clone, const N: usize, C: MetricConstructor<M>> Bounded<M, N, C> {
    pub(super) fn new(
        family: Family<Labels<N>, M, C>,
        keys: [&'static str; N],
        limit: usize,
    ) -> Self {
        Self { family, keys, handles: HashMap::default(), limit, other: None }
    }

    /// The handle of `key`; `values` names it when it is new.
    pub(super) fn get(&mut self, key: u64, values: impl FnOnce() -> [Value; N]) -> &M {
        let (family, keys) = (&self.family, &self.keys);
        let make = |values: [Value; N]| {
            let mut values = values.into_iter();
            let labels = keys.map(|key| (key, values.next().unwrap_or_default()));
            family.get_or_create_owned(&labels)
        };
        if self.handles.len() >= self.limit && !self.handles.contains_key(&key) {
            return self.other.get_or_insert_with(|| make([const { Cow::Borrowed(OTHER) }; N]));
        }
        self.handles.entry(key).or_insert_with(|| make(values()))
    }
}

/// Mixes one word: the tables are small and bounded, so nothing is gained by choosing keys.
#[derive(Default)]
pub(super) struct Mix(u64);

impl Hasher for Mix {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, bytes: &[u8]) {
        bytes.iter().for_each(|byte| self.write_u64(u64::from(*byte)));
    }

    fn write_u64(&mut self, word: u64) {
        let word = (self.0 ^ word).wrapping_mul(0x9e37_79b9_7f4a_7c15);
        self.0 = (word ^ word >> 32).wrapping_mul(0xd6e8_feb8_6659_fd93) ^ word >> 29;
    }
}
