//! DPR and DPA: parting in order, and when to come back.

use procedure::Time;
use relay::{Effects, LinkTimer};

use super::Machine;
use crate::answer;
use crate::config::Shared;
use crate::view::{View, base, code};
use crate::write::base_request;

/// Disconnect-Cause: our process ends and will be back.
const REBOOTING: u32 = 0;
/// Doublings of the first wait; more would not fit the longest one.
const DOUBLINGS_MAX: u32 = 20;

impl Machine {
    /// I- or R-Snd-DPR.
    pub(super) fn send_dpr(&mut self, now: Time, fx: &mut Effects<'_>) {
        if let Some(conn) = self.open {
            let hop_by_hop = self.next_hop_by_hop(fx);
            let end_to_end = super::watchdog::end_to_end(fx);
            let frame = request(&self.shared, hop_by_hop, end_to_end);
            self.send(conn, frame, fx);
        }
        self.part(now, fx);
    }

    /// I- or R-Snd-DPA. The peer closes; we only make sure that it does.
    //= RFC 6733 §5.4
    pub(super) fn send_dpa(&mut self, now: Time, fx: &mut Effects<'_>) {
        if let (Some(conn), Some(dpr)) = (self.open, self.dpr.take()) {
            let mut frame = Vec::with_capacity(128);
            answer::base(&self.shared, &dpr, None, 2001, &mut frame);
            self.send(conn, frame, fx);
        }
        self.part(now, fx);
    }

    /// No more traffic; the rest of the way is the teardown timer's.
    fn part(&mut self, now: Time, fx: &mut Effects<'_>) {
        self.down(fx);
        self.disarm(LinkTimer::Watchdog, fx);
        self.drop_rival(fx);
        self.disarm(LinkTimer::Handshake, fx);
        if !self.is_armed(LinkTimer::Teardown) {
            self.arm(LinkTimer::Teardown, now.plus_ms(self.shared.config.teardown_ms), fx);
        }
    }

    /// A DPR came: what it says decides how soon we may call again.
    //= RFC 6733 §5.4.3
    // After BUSY and DO_NOT_WANT_TO_TALK_TO_YOU the standard would not have us call again; we do
    // after a long wait, since an operator who changed their mind cannot tell us otherwise. The
    // peer itself may call at any time.
    pub(super) fn note_dpr(&mut self, view: &View<'_>, fx: &mut Effects<'_>) {
        let mut avps = view.avps();
        let cause = avps.find(|avp| avp.code == code::DISCONNECT_CAUSE && avp.vendor == 0);
        let cause = cause.and_then(|avp| avp.number()).unwrap_or(REBOOTING);
        self.is_unwanted = cause != REBOOTING;
        self.dpr = Some(view.header);
        super::note("the peer parts (DPR)", cause, fx);
    }

    /// Sets the time to connect again: a back-off that doubles, jittered over its upper half.
    //= RFC 6733 §2.1
    pub(super) fn retry_later(&mut self, now: Time, fx: &mut Effects<'_>) {
        let config = &self.shared.config;
        let longest = config.reconnect_max_ms.max(1);
        let doubled = config.reconnect_min_ms.saturating_mul(1 << self.tries.min(DOUBLINGS_MAX));
        let wait = if std::mem::take(&mut self.is_unwanted) {
            config.unwanted_ms.max(longest)
        } else {
            doubled.clamp(1, longest)
        };
        self.tries = self.tries.saturating_add(1);
        let wait = wait - wait / 2 + fx.rng.below(wait / 2 + 1);
        self.arm(LinkTimer::Reconnect, now.plus_ms(wait), fx);
    }
}

/// Our DPR.
//= RFC 6733 §5.4.1
fn request(shared: &Shared, hop_by_hop: u32, end_to_end: u32) -> Vec<u8> {
    base_request(shared, base::DISCONNECT, (hop_by_hop, end_to_end), |writer| {
        writer.number(code::DISCONNECT_CAUSE, REBOOTING);
    })
}
