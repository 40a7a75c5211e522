//! What happens when: one list for each tick of the run, so that putting something in and taking it
//! out cost the same whatever else there is.

/// Ticks of virtual time in a second.
pub(super) const TICKS_A_SECOND: u32 = 100;
/// Milliseconds of a tick.
pub(super) const TICK_MS: u32 = 1000 / TICKS_A_SECOND;

/// Ticks in so many seconds.
pub(super) const fn seconds(seconds: u32) -> u32 {
    seconds.saturating_mul(TICKS_A_SECOND)
}

/// Ticks in so many milliseconds, at least one.
pub(super) const fn millis(ms: u32) -> u32 {
    let ticks = ms / TICK_MS;
    if ticks == 0 { 1 } else { ticks }
}

/// Why a handset is woken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Why {
    /// Its own timer ended; the number tells whether it is still the one that it waits for.
    Timer(u8),
    /// It is there.
    Arrive,
    /// Time for an ordinary authentication.
    Background,
    /// It goes on to the next area.
    Move,
    /// It leaves for good.
    Leave,
    /// The power is back.
    PowerOn(u8),
    /// A minute after it came into an area; the number tells which visit that was.
    OneMinute(u8),
    /// Ten minutes after it arrived.
    TenMinutes,
    /// A module without service looks whether to take its next identity.
    Rotate(u8),
    /// The network sends a refused registration again by itself.
    Resend(u8),
    /// The radio has put a request through to the network; for the second domain of an attach.
    Second(u8),
}

/// A handset and why it is woken, in eight octets.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Event {
    pub(super) handset: u32,
    pub(super) why: Why,
}

const _: () = assert!(size_of::<Event>() == 8);

/// All events of a run.
#[derive(Debug)]
pub(super) struct Calendar {
    days: Vec<Vec<Event>>,
}

impl Calendar {
    /// For a run of so many ticks.
    pub(super) fn new(ticks: u32) -> Self {
        Self { days: vec![Vec::new(); ticks as usize + 1] }
    }

    /// Enters an event; what lies behind the end of the run never happens.
    pub(super) fn at(&mut self, tick: u32, handset: u32, why: Why) {
        if let Some(day) = self.days.get_mut(tick as usize) {
            day.push(Event { handset, why });
        }
    }

    /// Takes out what happens at a tick.
    pub(super) fn take(&mut self, tick: u32) -> Vec<Event> {
        self.days.get_mut(tick as usize).map(std::mem::take).unwrap_or_default()
    }
}
