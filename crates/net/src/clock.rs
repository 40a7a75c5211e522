//! The one place of the gateway that reads time.

#![allow(clippy::disallowed_methods)] // This is where time is read and waited for.

use std::time::{Duration, Instant, SystemTime};

use procedure::Time;

/// Monotonic time since the process started, and the wall-clock moment that was.
///
/// Everything below `net` counts in [`Time`], which never jumps. Only what leaves the process (a
/// record, a log line) is dated, by adding the wall clock as it was at the start: a clock that is
/// set later moves neither a timer nor the order of records.
#[derive(Clone, Copy, Debug)]
pub struct Clock {
    start: Instant,
    base: SystemTime,
}

impl Clock {
    /// Starts now. Make one for the process, and hand copies around.
    #[must_use]
    #[allow(clippy::new_without_default)] // Reading the clock is worth a visible call.
    pub fn new() -> Self {
        Self { start: Instant::now(), base: SystemTime::now() }
    }

    /// The time now.
    #[must_use]
    pub fn now(&self) -> Time {
        Time(u64::try_from(self.start.elapsed().as_nanos()).unwrap_or(u64::MAX))
    }

    /// The wall-clock date of a moment.
    #[must_use]
    pub fn wall(&self, time: Time) -> SystemTime {
        self.base + Duration::from_nanos(time.0)
    }

    /// The time of the start, in seconds since 1970.
    #[must_use]
    pub fn started_unix_s(&self) -> u64 {
        self.base.duration_since(SystemTime::UNIX_EPOCH).map_or(0, |since| since.as_secs())
    }

    /// A moment as tokio's timers want it.
    pub(crate) fn instant(&self, time: Time) -> tokio::time::Instant {
        (self.start + Duration::from_nanos(time.0)).into()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn wall_and_monotonic_time_keep_their_distance() {
        let clock = Clock::new();
        let (a, b) = (clock.now(), clock.now());
        assert!(a <= b);
        let later = Time(b.0 + 1_500_000_000);
        let apart = clock.wall(later).duration_since(clock.wall(b)).expect("later");
        assert_eq!(apart, Duration::from_millis(1500));
    }
}
