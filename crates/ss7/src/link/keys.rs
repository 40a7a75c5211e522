//! Routing keys: a peer registers for a server that is configured for it.

use procedure::Time;
use relay::{ConnId, Effects};

use super::frames::{self, Outcome};
use super::table::Asp;
use super::{Machine, note};
use crate::view::m3ua::{Message, Parameters, SERVICE_SCCP, error, tag};

/// Keys that one message registers, or contexts that one gives up.
const KEYS_MAX: usize = 16;
/// Point codes that one key names.
const CODES_MAX: usize = 64;

/// Registration Status.
//= RFC 4666 §3.6.2
mod status {
    pub(super) const SUCCESS: u32 = 0;
    pub(super) const INVALID_DPC: u32 = 2;
    pub(super) const INVALID_APPEARANCE: u32 = 3;
    pub(super) const INVALID_KEY: u32 = 4;
    pub(super) const DENIED: u32 = 5;
    pub(super) const NOT_UNIQUE: u32 = 6;
    pub(super) const NOT_PROVISIONED: u32 = 7;
    pub(super) const NO_RESOURCES: u32 = 8;
    pub(super) const UNSUPPORTED_FIELD: u32 = 9;
    pub(super) const UNSUPPORTED_MODE: u32 = 10;
    pub(super) const CHANGE_REFUSED: u32 = 11;
    pub(super) const ALREADY: u32 = 12;
}

/// Deregistration Status.
//= RFC 4666 §3.6.4
mod gone {
    pub(super) const SUCCESS: u32 = 0;
    pub(super) const INVALID_CONTEXT: u32 = 2;
    pub(super) const NOT_REGISTERED: u32 = 4;
    pub(super) const STILL_ACTIVE: u32 = 5;
}

/// A routing key as it was asked for.
#[derive(Debug, Default)]
struct Key {
    codes: Vec<u32>,
    context: Option<u32>,
    mode: Option<u32>,
    appearance: Option<u32>,
}

impl Key {
    /// Reads a key.
    ///
    /// # Errors
    /// The status that it is refused with.
    //= RFC 4666 §3.6.1
    fn read(value: &[u8]) -> Result<Self, u32> {
        let mut key = Self::default();
        for parameter in Parameters::inside(value) {
            let number = parameter.number().ok_or(status::INVALID_KEY);
            match parameter.tag {
                tag::LOCAL_KEY => {}
                tag::ROUTING_CONTEXT => key.context = Some(number?),
                tag::TRAFFIC_MODE => key.mode = Some(number?),
                tag::NETWORK_APPEARANCE => key.appearance = Some(number?),
                tag::DESTINATION if key.codes.len() < CODES_MAX => match number? {
                    // A range would take what others have.
                    code if code >> 24 != 0 => return Err(status::NOT_UNIQUE),
                    code => key.codes.push(code),
                },
                tag::DESTINATION => return Err(status::NO_RESOURCES),
                // What is not SCCP is nobody's here.
                tag::SERVICE_INDICATORS if parameter.value.contains(&SERVICE_SCCP) => {}
                // A narrower key would get more than it asked for.
                _ => return Err(status::UNSUPPORTED_FIELD),
            }
        }
        key.codes.sort_unstable();
        key.codes.dedup();
        if key.codes.is_empty() { Err(status::INVALID_KEY) } else { Ok(key) }
    }
}

impl Machine {
    /// REG REQ.
    //= RFC 4666 §4.4.1
    pub(super) fn register(
        &mut self,
        now: Time,
        conn: ConnId,
        message: &Message<'_>,
        fx: &mut Effects<'_>,
    ) {
        if self.keeper == Asp::Down {
            return self.complain(now, conn, error::UNEXPECTED, &[], message.octets(), fx);
        }
        let mut outcomes = Vec::new();
        let keys = message.parameters().filter(|found| found.tag == tag::ROUTING_KEY);
        for (count, key) in keys.enumerate() {
            let mut inside = Parameters::inside(key.value);
            let local = inside.find(|found| found.tag == tag::LOCAL_KEY);
            let Some(local) = local.and_then(|local| local.number()) else {
                let code = error::MISSING_PARAMETER;
                return self.complain(now, conn, code, &[], message.octets(), fx);
            };
            let done = if count < KEYS_MAX {
                Key::read(key.value).and_then(|key| self.take_key(&key))
            } else {
                Err(status::NO_RESOURCES)
            };
            let (status, context) = match done {
                Ok(context) => (status::SUCCESS, context),
                Err(status) => (status, 0),
            };
            if status != status::SUCCESS {
                note("a registration was refused", status, fx);
            }
            outcomes.push(Outcome { key: local, status, context });
        }
        if outcomes.is_empty() {
            let code = error::MISSING_PARAMETER;
            return self.complain(now, conn, code, &[], message.octets(), fx);
        }
        self.send(conn, frames::registered(&outcomes), fx);
        self.share(now, fx);
    }

    /// Gives the peer the server that a key describes; its routing context.
    fn take_key(&mut self, key: &Key) -> Result<u32, u32> {
        let servers = &self.state.scope.servers;
        let is_meant = |server: usize| {
            servers.get(server).is_some_and(|server| {
                let mut codes: Vec<_> = server.point_codes.iter().map(|code| code.0).collect();
                codes.sort_unstable();
                codes.dedup();
                codes == key.codes
            })
        };
        let mut its = self.seats.iter_mut().filter(|seat| is_meant(seat.server));
        let Some(seat) = its.next() else {
            let owned = |code: &u32| {
                let mut all = servers.iter().flat_map(|server| &server.point_codes);
                all.any(|owned| owned.0 == *code)
            };
            return Err(match key.codes.iter().all(owned) {
                false => status::INVALID_DPC,
                true if (0..servers.len()).any(is_meant) => status::DENIED,
                true => status::NOT_PROVISIONED,
            });
        };
        let Some(server) = servers.get(seat.server) else { return Err(status::NOT_PROVISIONED) };
        if key.appearance.is_some() && key.appearance != server.network_appearance {
            return Err(status::INVALID_APPEARANCE);
        }
        if key.mode.is_some_and(|mode| mode != server.mode as u32) {
            return Err(status::UNSUPPORTED_MODE);
        }
        let Some(context) = seat.context else { return Err(status::NOT_PROVISIONED) };
        if key.context.is_some_and(|asked| asked != context) {
            return Err(status::CHANGE_REFUSED);
        }
        if !seat.registers || seat.is_registered {
            return Err(status::ALREADY);
        }
        seat.is_registered = true;
        seat.keeper = Asp::Inactive;
        Ok(context)
    }

    /// DEREG REQ.
    //= RFC 4666 §4.4.2
    pub(super) fn deregister(
        &mut self,
        now: Time,
        conn: ConnId,
        message: &Message<'_>,
        fx: &mut Effects<'_>,
    ) {
        if self.keeper == Asp::Down {
            return self.complain(now, conn, error::UNEXPECTED, &[], message.octets(), fx);
        }
        let contexts = message.find(tag::ROUTING_CONTEXT);
        let Some(contexts) = contexts.filter(|contexts| !contexts.value.is_empty()) else {
            let code = error::MISSING_PARAMETER;
            return self.complain(now, conn, code, &[], message.octets(), fx);
        };
        let mut outcomes = Vec::new();
        for context in contexts.numbers().take(KEYS_MAX) {
            let seat = self.seats.iter_mut().find(|seat| seat.context == Some(context));
            let status = match seat {
                None => gone::INVALID_CONTEXT,
                Some(seat) if !seat.is_registered => gone::NOT_REGISTERED,
                Some(seat) if seat.keeper == Asp::Active => gone::STILL_ACTIVE,
                Some(seat) => {
                    seat.is_registered = false;
                    (seat.told, seat.told_short) = (None, false);
                    gone::SUCCESS
                }
            };
            outcomes.push(Outcome { key: 0, status, context });
        }
        self.send(conn, frames::deregistered(&outcomes), fx);
        self.share(now, fx);
    }
}
