//! The keeper's part: the peer is an ASP that asks for traffic.

use procedure::{Symbol, Time};
use relay::{About, ConnId, Effect, Effects};

use super::frames::{self, Status};
use super::table::{Asp, AspAction, AspEvent, Standing, asp};
use super::{Machine, Seat, note};
use crate::config::{SERVERS_A_LINK_MAX, TrafficMode};
use crate::view::m3ua::{Kind, Message, error, tag};

/// What a list of routing contexts, and a traffic mode, come to.
struct Named {
    /// Places of seats.
    good: Vec<usize>,
    /// Contexts that are none of the peer's.
    bad: Vec<u32>,
    /// Contexts of servers that share their traffic in another way.
    other_mode: Vec<u32>,
    has_other_mode: bool,
}

impl Machine {
    /// ASPUP.
    //= RFC 4666 §4.3.4.1
    pub(super) fn peer_up(
        &mut self,
        now: Time,
        conn: ConnId,
        message: &Message<'_>,
        fx: &mut Effects<'_>,
    ) {
        let frame = message.octets();
        let says = message.find(tag::ASP_IDENTIFIER);
        if says.is_some_and(|says| says.number().is_none()) {
            return self.complain(now, conn, error::PARAMETER_FIELD, &[], frame, fx);
        }
        let says = says.and_then(|says| says.number());
        if says.is_some_and(|says| self.config.asp_identifier.is_some_and(|own| own != says)) {
            return self.complain(now, conn, error::INVALID_IDENTIFIER, &[], frame, fx);
        }
        if self.is_stopped {
            return self.complain(now, conn, error::REFUSED, &[], frame, fx);
        }
        let (state, action) = asp(self.keeper, AspEvent::Up);
        self.keeper = state;
        self.tries = 0;
        self.doubt_destinations();
        self.seats.iter_mut().for_each(|seat| seat.keeper = Asp::Inactive);
        self.send(conn, frames::bare(Kind::ASP_UP_ACK), fx);
        if action == AspAction::AckUpAgain {
            self.complain(now, conn, error::UNEXPECTED, &[], frame, fx);
        }
        self.share(now, fx);
    }

    /// ASPDN.
    //= RFC 4666 §4.3.4.2
    pub(super) fn peer_down(&mut self, now: Time, conn: ConnId, fx: &mut Effects<'_>) {
        if self.keeper > Asp::Down {
            note("the peer parts (ASPDN)", 0, fx);
        }
        (self.keeper, _) = asp(self.keeper, AspEvent::Down);
        self.doubt_destinations();
        for seat in &mut self.seats {
            seat.keeper = Asp::Down;
            (seat.told, seat.told_short) = (None, false);
        }
        self.send(conn, frames::bare(Kind::ASP_DOWN_ACK), fx);
        self.share(now, fx);
    }

    /// ASPAC.
    //= RFC 4666 §4.3.4.3
    pub(super) fn peer_active(
        &mut self,
        now: Time,
        conn: ConnId,
        message: &Message<'_>,
        fx: &mut Effects<'_>,
    ) {
        let frame = message.octets();
        if self.keeper == Asp::Down {
            return self.complain(now, conn, error::UNEXPECTED, &[], frame, fx);
        }
        let mode = match message.find(tag::TRAFFIC_MODE).map(|mode| mode.number()) {
            None => None,
            Some(Some(1)) => Some(TrafficMode::Override),
            Some(Some(2)) => Some(TrafficMode::Loadshare),
            Some(Some(3)) => Some(TrafficMode::Broadcast),
            Some(_) => return self.complain(now, conn, error::UNSUPPORTED_MODE, &[], frame, fx),
        };
        let Some(named) = self.named(now, conn, message, mode, fx) else { return };
        if named.has_other_mode {
            self.complain(now, conn, error::UNSUPPORTED_MODE, &named.other_mode, frame, fx);
        }
        if named.good.is_empty() {
            return;
        }
        let (state, action) = asp(self.keeper, AspEvent::Active);
        self.keeper = state;
        if action != AspAction::Activate {
            return;
        }
        for index in &named.good {
            if let Some(seat) = self.seats.get_mut(*index) {
                seat.keeper = Asp::Active;
                // Another may have taken over without our having heard of it yet.
                seat.shared = self.state.asp(seat.server, self.link);
            }
        }
        let contexts = self.contexts(&named.good);
        self.send(conn, frames::traffic(Kind::ASP_ACTIVE_ACK, mode, &contexts), fx);
        self.share(now, fx);
    }

    /// ASPIA.
    //= RFC 4666 §4.3.4.4
    pub(super) fn peer_inactive(
        &mut self,
        now: Time,
        conn: ConnId,
        message: &Message<'_>,
        fx: &mut Effects<'_>,
    ) {
        if self.keeper == Asp::Down {
            return self.complain(now, conn, error::UNEXPECTED, &[], message.octets(), fx);
        }
        let Some(named) = self.named(now, conn, message, None, fx) else { return };
        if named.good.is_empty() {
            return;
        }
        note("the peer takes no traffic (ASPIA)", 0, fx);
        for index in &named.good {
            if let Some(seat) = self.seats.get_mut(*index) {
                seat.keeper = Asp::Inactive;
            }
        }
        (self.keeper, _) = asp(self.keeper, AspEvent::Inactive { rest: self.has_active() });
        let contexts = self.contexts(&named.good);
        self.send(conn, frames::traffic(Kind::ASP_INACTIVE_ACK, None, &contexts), fx);
        self.share(now, fx);
    }

    fn has_active(&self) -> bool {
        self.seats.iter().any(|seat| seat.keeper == Asp::Active)
    }

    fn contexts(&self, seats: &[usize]) -> Vec<u32> {
        let found = seats.iter().filter_map(|index| self.seats.get(*index));
        found.filter_map(|seat| seat.context).collect()
    }

    /// The seats that a message is about; what is none is told the peer. `None` where there are
    /// none to speak of.
    fn named(
        &mut self,
        now: Time,
        conn: ConnId,
        message: &Message<'_>,
        mode: Option<TrafficMode>,
        fx: &mut Effects<'_>,
    ) -> Option<Named> {
        let frame = message.octets();
        let has_place = |seat: &Seat| !seat.registers || seat.is_registered;
        let mut named = Named {
            good: Vec::new(),
            bad: Vec::new(),
            other_mode: Vec::new(),
            has_other_mode: false,
        };
        let add = |named: &mut Named, index: usize, seat: &Seat| {
            let server = self.state.scope.servers.get(seat.server);
            if mode.is_some_and(|mode| server.is_none_or(|server| server.mode != mode)) {
                named.has_other_mode = true;
                named.other_mode.extend(seat.context);
            } else if !named.good.contains(&index) {
                named.good.push(index);
            }
        };
        let places = self.seats.iter().enumerate().filter(|(_, seat)| has_place(seat));
        let Some(contexts) = message.find(tag::ROUTING_CONTEXT) else {
            places.for_each(|(index, seat)| add(&mut named, index, seat));
            if named.good.is_empty() && !named.has_other_mode {
                self.complain(now, conn, error::NO_SERVER, &[], frame, fx);
                return None;
            }
            return Some(named);
        };
        if contexts.value.is_empty() || !contexts.value.len().is_multiple_of(4) {
            self.complain(now, conn, error::PARAMETER_FIELD, &[], frame, fx);
            return None;
        }
        for context in contexts.numbers().take(2 * SERVERS_A_LINK_MAX) {
            match places.clone().find(|(_, seat)| seat.context == Some(context)) {
                Some((index, seat)) => add(&mut named, index, seat),
                None => named.bad.push(context),
            }
        }
        if !named.bad.is_empty() {
            let bad = std::mem::take(&mut named.bad);
            self.complain(now, conn, error::INVALID_CONTEXT, &bad, frame, fx);
        }
        Some(named)
    }

    /// Whether becoming active makes the server's other ASPs inactive.
    //= RFC 4666 §4.3.4.3
    pub(super) fn replaces(&self, seat: &Seat) -> bool {
        let server = self.state.scope.servers.get(seat.server);
        self.keeps() && server.is_some_and(|server| server.mode == TrafficMode::Override)
    }

    /// Tells an ASP what changed with the servers that it may serve.
    //= RFC 4666 §4.3.4.5
    pub(super) fn tell_servers(&mut self, now: Time, fx: &mut Effects<'_>) {
        let Some(conn) = self.conn.filter(|_| self.keeper > Asp::Down) else { return };
        let state = std::sync::Arc::clone(&self.state);
        for index in 0..self.seats.len() {
            let Some(seat) = self.seats.get(index).copied() else { continue };
            if seat.shared == Asp::Down {
                continue;
            }
            let mut tells = Vec::new();
            let is_replaced =
                seat.keeper == Asp::Active && state.asp(seat.server, self.link) == Asp::Inactive;
            let standing = state.standing(seat.server);
            if is_replaced {
                note("another ASP took over", 0, fx);
                tells.push(Status::Alternate);
            }
            if seat.told != Some(standing) && standing != Standing::Down {
                tells.push(Status::Server(standing as u16));
            }
            let is_idle = is_replaced || seat.keeper == Asp::Inactive;
            let is_short = is_idle && standing == Standing::Active && state.is_short(seat.server);
            if is_short && !seat.told_short {
                tells.push(Status::Insufficient);
            }
            for status in tells {
                self.send(conn, frames::notify(status, seat.context), fx);
            }
            if let Some(seat) = self.seats.get_mut(index) {
                (seat.told, seat.told_short) = (Some(standing), is_short);
                if is_replaced {
                    (seat.keeper, seat.shared) = (Asp::Inactive, Asp::Inactive);
                }
            }
            if is_replaced {
                let rest = self.has_active();
                (self.keeper, _) = asp(self.keeper, AspEvent::Replaced { rest });
            }
        }
        self.share(now, fx);
    }

    /// Writes a line about a server.
    pub(super) fn note_server(
        &self,
        server: usize,
        about: fn(Symbol) -> About,
        what: &'static str,
        fx: &mut Effects<'_>,
    ) {
        if let Some(server) = self.state.scope.servers.get(server) {
            fx.list.push(Effect::Note { about: about(server.name), what, code: 0 });
        }
    }

    /// The gateway ends: the peer is told that it is down.
    //= RFC 4666 §4.3.4.2
    pub(super) fn dismiss(&mut self, conn: ConnId, fx: &mut Effects<'_>) {
        if self.keeper > Asp::Down {
            (self.keeper, _) = asp(self.keeper, AspEvent::Down);
            self.seats.iter_mut().for_each(|seat| seat.keeper = Asp::Down);
            self.send(conn, frames::bare(Kind::ASP_DOWN_ACK), fx);
        }
    }
}
