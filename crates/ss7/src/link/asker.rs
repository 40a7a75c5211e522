//! The asker's part: we are an ASP of the peer's, and want traffic.

use procedure::Time;
use relay::{ConnId, Effect, Effects, LinkTimer};

use super::table::{Asker, AskerAction, AskerEvent, asker};
use super::{Ask, Machine, Seat, arm, frames, note};
use crate::config::TrafficMode;
use crate::view::m3ua::{Kind, Message, tag};

/// T(ack) is doubled so often at most while nothing comes.
const DOUBLINGS_MAX: u32 = 4;

impl Machine {
    /// One step of the asker's table.
    pub(super) fn ask(&mut self, now: Time, event: AskerEvent, fx: &mut Effects<'_>) {
        let (state, action) = asker(self.asker, event);
        self.asker = state;
        let Some(conn) = self.conn else { return };
        match action {
            AskerAction::None => {}
            AskerAction::SendUp => {
                self.send(conn, frames::up(self.config.asp_identifier), fx);
                self.wait_ack(now, fx);
            }
            AskerAction::SendActive => self.send_active(now, conn, fx),
            AskerAction::Wait => self.wait_ack(now, fx),
            AskerAction::Settle => {
                self.asks = 0;
                fx.list.push(Effect::Disarm { timer: LinkTimer::Handshake });
            }
            AskerAction::Part => self.part(now, conn, fx),
            AskerAction::Close => self.lose(now, true, fx),
        }
    }

    /// T(ack).
    //= RFC 4666 §4.3.4.1
    fn wait_ack(&mut self, now: Time, fx: &mut Effects<'_>) {
        let wait = self.state.scope.timers.ack_ms << self.asks.min(DOUBLINGS_MAX);
        self.asks = self.asks.saturating_add(1);
        arm(LinkTimer::Handshake, now.plus_ms(wait.max(1)), fx);
    }

    fn mode(&self, seat: &Seat) -> Option<TrafficMode> {
        self.state.scope.servers.get(seat.server).map(|server| server.mode)
    }

    /// ASPAC, one for all servers of the same traffic mode.
    //= RFC 4666 §4.3.4.3
    fn send_active(&mut self, now: Time, conn: ConnId, fx: &mut Effects<'_>) {
        let is_wanted = |seat: &Seat| matches!(seat.ask, Ask::Idle | Ask::Asked);
        for mode in [TrafficMode::Override, TrafficMode::Loadshare, TrafficMode::Broadcast] {
            let its = |seat: &&Seat| is_wanted(seat) && self.mode(seat) == Some(mode);
            let contexts: Vec<_> =
                self.seats.iter().filter(its).filter_map(|seat| seat.context).collect();
            if self.seats.iter().any(|seat| its(&seat)) {
                self.send(conn, frames::traffic(Kind::ASP_ACTIVE, Some(mode), &contexts), fx);
            }
        }
        for seat in self.seats.iter_mut().filter(|seat| is_wanted(seat)) {
            seat.ask = Ask::Asked;
        }
        self.wait_ack(now, fx);
        self.settle_asks(now, fx);
    }

    /// ASPIA and ASPDN, and a while for the acknowledgement.
    //= RFC 4666 §4.3.4.2
    fn part(&mut self, now: Time, conn: ConnId, fx: &mut Effects<'_>) {
        let contexts: Vec<_> = (self.seats.iter())
            .filter(|seat| seat.ask == Ask::Active)
            .filter_map(|seat| seat.context)
            .collect();
        if self.seats.iter().any(|seat| seat.ask == Ask::Active) {
            self.send(conn, frames::traffic(Kind::ASP_INACTIVE, None, &contexts), fx);
        }
        self.send(conn, frames::bare(Kind::ASP_DOWN), fx);
        fx.list.push(Effect::Disarm { timer: LinkTimer::Handshake });
        arm(LinkTimer::Teardown, now.plus_ms(2 * self.state.scope.timers.ack_ms.max(1)), fx);
    }

    /// Changes what we want for the servers that a message is about: all, where it names none.
    fn change(&mut self, message: &Message<'_>, from: &[Ask], to: Ask) -> bool {
        let contexts = message.find(tag::ROUTING_CONTEXT);
        let mut is_any = false;
        for seat in self.seats.iter_mut().filter(|seat| from.contains(&seat.ask)) {
            let is_named = contexts
                .is_none_or(|named| named.numbers().any(|context| seat.context == Some(context)));
            if is_named {
                seat.ask = to;
                is_any = true;
            }
        }
        is_any
    }

    /// Whether nothing is open any more.
    fn settle_asks(&mut self, now: Time, fx: &mut Effects<'_>) {
        let has = |ask| self.seats.iter().any(|seat| seat.ask == ask);
        if !has(Ask::Asked) && !has(Ask::Idle) {
            let any = has(Ask::Active);
            self.ask(now, AskerEvent::Settled { any }, fx);
        }
    }

    /// ASPUP ACK.
    pub(super) fn up_acked(&mut self, now: Time, fx: &mut Effects<'_>) {
        if self.asker == Asker::Rising {
            (self.asks, self.tries) = (0, 0);
            self.ask(now, AskerEvent::UpAck, fx);
            self.share(now, fx);
        }
    }

    /// ASPDN ACK, perhaps of the peer's own will.
    pub(super) fn down_acked(&mut self, now: Time, fx: &mut Effects<'_>) {
        if self.asker != Asker::Parting {
            note("the peer took us down", 0, fx);
            self.seats.iter_mut().for_each(|seat| seat.ask = Ask::Idle);
        }
        self.ask(now, AskerEvent::DownAck, fx);
        self.share(now, fx);
    }

    /// ASPAC ACK, perhaps for some only.
    pub(super) fn active_acked(&mut self, now: Time, message: &Message<'_>, fx: &mut Effects<'_>) {
        if self.asker == Asker::Activating && self.change(message, &[Ask::Asked], Ask::Active) {
            self.settle_asks(now, fx);
            self.share(now, fx);
        }
    }

    /// ASPIA ACK of the peer's own will: ask again later.
    pub(super) fn inactive_acked(
        &mut self,
        now: Time,
        message: &Message<'_>,
        fx: &mut Effects<'_>,
    ) {
        if self.asker != Asker::Parting && self.change(message, &[Ask::Active], Ask::Idle) {
            note("the peer made us inactive", 0, fx);
            self.ask(now, AskerEvent::Wanted, fx);
            self.share(now, fx);
        }
    }

    /// NTFY.
    //= RFC 4666 §4.3.4.5
    pub(super) fn notified(&mut self, now: Time, message: &Message<'_>, fx: &mut Effects<'_>) {
        let status = message.find(tag::STATUS).and_then(|status| status.number());
        match status.map(|status| (status >> 16, status & 0xffff)) {
            Some((1, 2 | 4) | (2, 1)) if self.change(message, &[Ask::Standby], Ask::Idle) => {
                self.ask(now, AskerEvent::Wanted, fx);
                self.ask(now, AskerEvent::Retry, fx);
            }
            Some((2, 2)) if self.change(message, &[Ask::Active], Ask::Standby) => {
                note("another ASP took over", 0, fx);
                self.settle_asks(now, fx);
                self.share(now, fx);
            }
            Some((2, 3)) => note("another ASP has failed", 0, fx),
            _ => {}
        }
    }
}
