//! What a message means, and what is wrong with it.

use procedure::Time;
use relay::{ConnId, Effects, Passage};

use super::frames;
use super::{Machine, Seat, note};
use crate::config::Role;
use crate::view::m3ua::{
    Data, HEADER_OCTETS, Kind, Label, Message, Parameters, SERVICE_SCCP, Variant, Writer, error,
    tag,
};
use crate::view::sccp::scmg::{Management, format};
use crate::view::sccp::{Unitdata, write};

/// ERR and DUPU that one link is told in one second.
pub(super) const ERRORS_A_SECOND_MAX: u32 = 10;
/// Octets of the longest SCCP message that may be one of SCCP management.
const MANAGEMENT_OCTETS_MAX: usize = 96;
/// The subsystem of SCCP management.
//= Q.713 §3.4.2.2
const SSN_MANAGEMENT: u8 = 1;
/// Hop counter of what we answer.
const HOPS: u8 = 15;

impl Machine {
    /// A message of the base protocol.
    pub(super) fn base(&mut self, now: Time, conn: ConnId, frame: &[u8], fx: &mut Effects<'_>) {
        let message = match Message::new(frame) {
            Ok(message) => message,
            Err(wrong) => return self.complain(now, conn, wrong.code, &[], frame, fx),
        };
        match message.kind() {
            Kind::ERROR => heard_error(&message, fx),
            Kind::BEAT => self.answer_beat(now, conn, &message, fx),
            Kind::BEAT_ACK => {}
            Kind::ASP_UP if self.keeps() => self.peer_up(now, conn, &message, fx),
            Kind::ASP_DOWN if self.keeps() => self.peer_down(now, conn, fx),
            Kind::ASP_ACTIVE if self.keeps() => self.peer_active(now, conn, &message, fx),
            Kind::ASP_INACTIVE if self.keeps() => self.peer_inactive(now, conn, &message, fx),
            Kind::REG_REQ if self.keeps() => self.register(now, conn, &message, fx),
            Kind::DEREG_REQ if self.keeps() => self.deregister(now, conn, &message, fx),
            Kind::NOTIFY if self.asks() => self.notified(now, &message, fx),
            Kind::ASP_UP_ACK if self.asks() => self.up_acked(now, fx),
            Kind::ASP_DOWN_ACK if self.asks() => self.down_acked(now, fx),
            Kind::ASP_ACTIVE_ACK if self.asks() => self.active_acked(now, &message, fx),
            Kind::ASP_INACTIVE_ACK if self.asks() => self.inactive_acked(now, &message, fx),
            Kind(2, 1..=6) => self.network(now, conn, &message, fx),
            // An equal may tell its state to whoever asked, whether or not we listen.
            Kind::NOTIFY if self.config.role != Role::Sgp => {}
            kind => self.complain(now, conn, what_is_wrong_with(kind), &[], frame, fx),
        }
    }

    /// BEAT comes back as it was.
    //= RFC 4666 §3.5.6
    fn answer_beat(
        &mut self,
        now: Time,
        conn: ConnId,
        message: &Message<'_>,
        fx: &mut Effects<'_>,
    ) {
        let data = message.find(tag::HEARTBEAT_DATA).map(|data| data.value);
        if data.is_some_and(|data| data.len() > frames::HEARTBEAT_OCTETS_MAX) {
            return self.complain(now, conn, error::INVALID_VALUE, &[], message.octets(), fx);
        }
        self.send(conn, frames::beat(Kind::BEAT_ACK, data), fx);
    }

    /// A message that carries traffic.
    pub(super) fn data(
        &mut self,
        now: Time,
        conn: ConnId,
        frame: &[u8],
        fx: &mut Effects<'_>,
    ) -> Passage {
        let parameters = frame.get(HEADER_OCTETS..).unwrap_or_default();
        let mut parameters = Parameters::inside(parameters);
        let context = parameters.find(|found| found.tag == tag::ROUTING_CONTEXT);
        let context = context.and_then(|found| found.numbers().next());
        let seat = match (context, self.seats.as_slice()) {
            (Some(_), _) => self.seats.iter().find(|seat| seat.context == context),
            (None, [seat]) => Some(seat),
            (None, []) => None,
            (None, _) => {
                self.complain(now, conn, error::MISSING_PARAMETER, &[], frame, fx);
                return Passage::Premature;
            }
        };
        let Some(seat) = seat.copied() else {
            let code = if context.is_some() { error::INVALID_CONTEXT } else { error::NO_SERVER };
            self.complain(now, conn, code, context.as_slice(), frame, fx);
            return Passage::Premature;
        };
        if !self.takes(&seat) {
            self.complain(now, conn, error::UNEXPECTED, seat.context.as_slice(), frame, fx);
            return Passage::Premature;
        }
        self.own_business(now, conn, &seat, frame, fx).unwrap_or(Passage::Traffic)
    }

    /// What is for ourselves alone: SCCP management, and users that we have not.
    fn own_business(
        &mut self,
        now: Time,
        conn: ConnId,
        seat: &Seat,
        frame: &[u8],
        fx: &mut Effects<'_>,
    ) -> Option<Passage> {
        let data = Data::new(frame).ok()?;
        if !self.state.scope.point_codes.contains(&data.dpc) {
            return None;
        }
        if data.service != SERVICE_SCCP {
            //= RFC 4666 §3.4.5
            if self.config.role == Role::Sgp && self.may_complain(now) {
                let server = self.state.scope.servers.get(seat.server);
                let flow = frames::Flow {
                    appearance: server.and_then(|server| server.network_appearance),
                    contexts: seat.context.into_iter().collect(),
                };
                self.send(conn, frames::user_part(&flow, data.dpc, data.service), fx);
            }
            return Some(Passage::Premature);
        }
        if data.user.len() > MANAGEMENT_OCTETS_MAX {
            return None;
        }
        let ansi = self.state.scope.variant == Variant::Ansi;
        let unit = Unitdata::new(data.user, ansi).ok()?;
        if unit.called.ssn != Some(SSN_MANAGEMENT) || unit.is_service() {
            return None;
        }
        let says = Management::read(unit.data, ansi)?;
        match says.format {
            format::SST if self.serves(&says) => {
                let mut out = Vec::with_capacity(96);
                let answer = Management { format: format::SSA, ..says };
                let mut is_whole = true;
                let _ = Writer::new(&mut out, Kind::DATA)
                    .maybe(tag::NETWORK_APPEARANCE, data.appearance)
                    .maybe(tag::ROUTING_CONTEXT, seat.context)
                    .data(&Label::of(&data).back(), |out| {
                        is_whole = write::reply(&unit, HOPS, out, |out| answer.write(ansi, out));
                    });
                if is_whole {
                    self.send(conn, out, fx);
                }
            }
            format::SSP => {
                note("the peer says that a subsystem is prohibited", says.ssn.into(), fx);
            }
            format::SSA => note("the peer says that a subsystem is allowed", says.ssn.into(), fx),
            format::SSC => note("the peer says that a subsystem is congested", says.ssn.into(), fx),
            _ => {}
        }
        Some(Passage::Base)
    }

    /// Whether a subsystem of ours is there: management itself always, others while there is
    /// anybody to relay to. No answer means that it is not.
    //= Q.714 §5.3.4
    fn serves(&self, asked: &Management) -> bool {
        let is_ours = self.state.scope.point_codes.contains(&asked.point_code);
        is_ours && (asked.ssn == SSN_MANAGEMENT || self.state.is_any_active())
    }

    /// ERR, unless it would answer one or there were too many.
    //= RFC 4666 §3.8.1
    pub(super) fn complain(
        &mut self,
        now: Time,
        conn: ConnId,
        code: u32,
        contexts: &[u32],
        frame: &[u8],
        fx: &mut Effects<'_>,
    ) {
        let is_error = frame.get(2..4) == Some(&[Kind::ERROR.0, Kind::ERROR.1]);
        if !is_error && self.may_complain(now) {
            self.send(conn, frames::error(code, contexts, frame), fx);
            note("the peer was told of an error", code, fx);
        }
    }

    fn may_complain(&mut self, now: Time) -> bool {
        let second = now.as_ms() / 1000;
        if self.errors.0 != second {
            self.errors = (second, 0);
        }
        self.errors.1 = self.errors.1.saturating_add(1);
        self.errors.1 <= ERRORS_A_SECOND_MAX
    }
}

/// The peer says that we did something wrong: what was not acknowledged is asked again, later each
/// time.
fn heard_error(message: &Message<'_>, fx: &mut Effects<'_>) {
    let code = message.find(tag::ERROR_CODE).and_then(|code| code.number());
    note("the peer told us of an error", code.unwrap_or_default(), fx);
}

/// The code for a message that has no meaning here.
//= RFC 4666 §3.8.1
const fn what_is_wrong_with(kind: Kind) -> u32 {
    match kind {
        Kind(0, 0..=1) | Kind(1, 1) | Kind(2 | 3, 1..=6) | Kind(4 | 9, 1..=4) => error::UNEXPECTED,
        Kind(0..=4 | 9, _) => error::UNSUPPORTED_TYPE,
        Kind(..) => error::UNSUPPORTED_CLASS,
    }
}
