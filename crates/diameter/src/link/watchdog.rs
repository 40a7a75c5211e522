//! DWR and DWA: does the peer live.

use procedure::Time;
use relay::{Effects, LinkTimer, Rng};

use super::Machine;
use super::table::{Event, Silence, State};
use crate::answer;
use crate::config::Shared;
use crate::view::{Header, base, code};
use crate::write::base_request;

/// Watchdog answers that end REOPEN.
//= RFC 3539 §3.4.1
const REOPEN_ANSWERS: i8 = 3;
/// Tw's jitter, either way.
const JITTER_MS: u64 = 2_000;

/// What the watchdog remembers of one connection.
#[derive(Clone, Copy, Debug)]
pub(super) struct Watch {
    /// When the timer was last set. Every message sets it, so the wheel is only told when it runs
    /// out, and then asked to wait for the rest.
    pub(super) since: Time,
    /// Tw with this round's jitter.
    period_ms: u64,
    /// A DWR is unanswered.
    pub(super) is_pending: bool,
    /// In REOPEN: answers so far, -1 after a strike.
    answers: i8,
}

impl Watch {
    pub(super) const fn new() -> Self {
        Self { since: Time(0), period_ms: 0, is_pending: false, answers: 0 }
    }
}

/// Tw of one round: ±2 s around the configured value, less where that is short.
//= RFC 3539 §3.4.1
fn period(watchdog_ms: u64, rng: &mut Rng) -> u64 {
    let jitter = JITTER_MS.min(watchdog_ms / 15);
    (watchdog_ms - jitter) + rng.below(2 * jitter + 1)
}

impl Machine {
    /// SetWatchdog.
    pub(super) fn set_watchdog(&mut self, now: Time, fx: &mut Effects<'_>) {
        self.watch.since = now;
        self.watch.period_ms = period(self.shared.config.watchdog_ms, fx.rng);
        self.arm(LinkTimer::Watchdog, now.plus_ms(self.watch.period_ms), fx);
    }

    /// A connection opened: the watchdog starts afresh, in REOPEN with a request at once.
    pub(super) fn begin_watchdog(&mut self, now: Time, fx: &mut Effects<'_>) {
        self.watch = Watch::new();
        if self.state == State::Reopen {
            self.send_dwr(now, fx);
        } else {
            self.set_watchdog(now, fx);
        }
    }

    /// SendWatchdog, SetWatchdog.
    pub(super) fn send_dwr(&mut self, now: Time, fx: &mut Effects<'_>) {
        self.ask(fx);
        self.set_watchdog(now, fx);
    }

    /// SendWatchdog.
    pub(super) fn ask(&mut self, fx: &mut Effects<'_>) {
        let Some(conn) = self.open else { return };
        let hop_by_hop = self.next_hop_by_hop(fx);
        let frame = request(&self.shared, hop_by_hop, end_to_end(fx));
        self.watch.is_pending = true;
        self.send(conn, frame, fx);
    }

    /// The timer ran out: either messages came since it was set, or the peer is silent.
    pub(super) fn tick(&mut self, now: Time, fx: &mut Effects<'_>) {
        let due = self.watch.since.plus_ms(self.watch.period_ms);
        if now < due {
            self.arm(LinkTimer::Watchdog, due, fx);
            return;
        }
        let silence = match (self.watch.is_pending, self.watch.answers < 0) {
            (false, _) => Silence::Quiet,
            (true, false) => Silence::Once,
            (true, true) => Silence::Twice,
        };
        if self.state == State::Reopen && silence == Silence::Once {
            self.watch.answers = -1;
        }
        self.dispatch(now, Event::Tick(silence), fx);
    }

    /// A DWA came.
    pub(super) fn answered(&mut self, now: Time, fx: &mut Effects<'_>) {
        self.watch.is_pending = false;
        self.watch.since = now;
        self.watch.answers = self.watch.answers.saturating_add(1).min(REOPEN_ANSWERS);
        let enough = self.watch.answers >= REOPEN_ANSWERS;
        self.dispatch(now, Event::Dwa { enough }, fx);
    }
}

pub(super) fn end_to_end(fx: &mut Effects<'_>) -> u32 {
    fx.rng.next_u64() as u32
}

/// Our DWR.
//= RFC 6733 §5.5.1
fn request(shared: &Shared, hop_by_hop: u32, end_to_end: u32) -> Vec<u8> {
    base_request(shared, base::WATCHDOG, (hop_by_hop, end_to_end), |writer| {
        writer.number(code::ORIGIN_STATE_ID, shared.config.origin_state_id);
    })
}

/// Our DWA.
//= RFC 6733 §5.5.2
pub(super) fn answer(shared: &Shared, dwr: &Header) -> Vec<u8> {
    let mut out = Vec::with_capacity(128);
    let mut writer = answer::open(shared, dwr, None, procedure::Code::Base(2001), &mut out);
    writer.number(code::ORIGIN_STATE_ID, shared.config.origin_state_id);
    writer.finish();
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_period_stays_within_its_jitter() {
        let mut rng = Rng::new(1);
        for _ in 0..1000 {
            assert!((28_000..=32_000).contains(&period(30_000, &mut rng)));
            assert!((140..=160).contains(&period(150, &mut rng)));
        }
        assert_eq!(period(0, &mut rng), 0);
    }
}
