//! Quantiles in fixed memory: logarithmic buckets, each octave cut into 32.

/// Buckets in each octave; the error of a quantile is below one part in this.
const STEPS: u64 = 32;
/// The largest value told apart is 2^36 (19 hours in microseconds).
const OCTAVES: u64 = 32;
const BUCKETS: usize = ((OCTAVES + 1) * STEPS) as usize;

/// A histogram of whole numbers, exact below 32 and within 3 % above; the last bucket takes
/// everything that is larger.
#[derive(Clone, Debug)]
pub struct Histogram {
    buckets: Box<[u64]>,
    count: u64,
    max: u64,
}

impl Default for Histogram {
    fn default() -> Self {
        Self { buckets: vec![0; BUCKETS].into(), count: 0, max: 0 }
    }
}

impl Histogram {
    /// Counts `value`.
    pub fn record(&mut self, value: u64) {
        if let Some(bucket) = self.buckets.get_mut(place(value).min(BUCKETS - 1)) {
            *bucket += 1;
        }
        self.count += 1;
        self.max = self.max.max(value);
    }

    /// How many values were counted.
    #[must_use]
    pub const fn count(&self) -> u64 {
        self.count
    }

    /// The largest value counted, 0 when there was none.
    #[must_use]
    pub const fn max(&self) -> u64 {
        self.max
    }

    /// The value that the share `q` (0 to 1) of all values does not exceed, 0 when there was none.
    #[must_use]
    pub fn quantile(&self, q: f64) -> u64 {
        let rank = ((q.clamp(0.0, 1.0) * self.count as f64).ceil() as u64).max(1);
        let mut seen = 0;
        for (place, count) in self.buckets.iter().enumerate() {
            seen += count;
            if seen >= rank {
                return top(place).min(self.max);
            }
        }
        self.max
    }
}

const fn place(value: u64) -> usize {
    if value < STEPS {
        return value as usize;
    }
    let octave = (value.ilog2() - STEPS.ilog2()) as u64;
    (octave * STEPS + (value >> octave)) as usize
}

/// The largest value of a bucket.
const fn top(place: usize) -> u64 {
    let place = place as u64;
    if place < 2 * STEPS {
        return place;
    }
    let octave = place / STEPS - 1;
    ((place % STEPS + STEPS + 1) << octave) - 1
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_value_lies_in_its_bucket() {
        for value in (0..5_000).chain((0..36).map(|bit| 1_u64 << bit)) {
            let place = place(value);
            assert!(value <= top(place), "{value}");
            assert!(place == 0 || value > top(place - 1), "{value}");
            assert!(top(place) - value <= value / STEPS, "{value}");
        }
    }

    #[test]
    fn quantiles_are_near() {
        let mut histogram = Histogram::default();
        assert_eq!(histogram.quantile(0.5), 0);
        (1..=100_000).for_each(|value| histogram.record(value));
        for (q, exact) in [(0.5, 50_000.0), (0.99, 99_000.0), (0.999, 99_900.0)] {
            let value = histogram.quantile(q) as f64;
            assert!((value / exact - 1.0).abs() < 0.032, "{q}: {value}");
        }
        assert_eq!(histogram.quantile(1.0), 100_000);
        histogram.record(u64::MAX);
        assert_eq!((histogram.max(), histogram.count()), (u64::MAX, 100_001));
    }
}
