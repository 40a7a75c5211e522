//! The messages that a link's machine originates.

use crate::config::TrafficMode;
use crate::view::m3ua::{Kind, PointCode, Writer, tag};

/// Octets of an offending message that an ERR gives back.
const DIAGNOSTIC_OCTETS: usize = 40;
/// Octets that a BEAT ACK gives back at most: more is nobody's heartbeat.
pub(super) const HEARTBEAT_OCTETS_MAX: usize = 1024;

/// What NTFY tells.
//= RFC 4666 §3.8.2
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Status {
    /// AS-State_Change, with the new state's number.
    Server(u16),
    /// Insufficient ASP Resources Active in AS.
    Insufficient,
    /// Alternate ASP Active.
    Alternate,
}

impl Status {
    const fn number(self) -> u32 {
        match self {
            Self::Server(state) => 1 << 16 | state as u32,
            Self::Insufficient => 2 << 16 | 1,
            Self::Alternate => 2 << 16 | 2,
        }
    }
}

fn build(kind: Kind, write: impl FnOnce(Writer<'_>) -> Writer<'_>) -> Vec<u8> {
    let mut out = Vec::with_capacity(64);
    let _ = write(Writer::new(&mut out, kind));
    out
}

/// ERR.
//= RFC 4666 §3.8.1
pub(crate) fn error(code: u32, contexts: &[u32], offending: &[u8]) -> Vec<u8> {
    let head = offending.get(..DIAGNOSTIC_OCTETS).unwrap_or(offending);
    build(Kind::ERROR, |writer| {
        let writer = writer.number(tag::ERROR_CODE, code).numbers(tag::ROUTING_CONTEXT, contexts);
        if head.is_empty() { writer } else { writer.parameter(tag::DIAGNOSTIC, head) }
    })
}

/// NTFY.
//= RFC 4666 §3.8.2
pub(super) fn notify(status: Status, context: Option<u32>) -> Vec<u8> {
    build(Kind::NOTIFY, |writer| {
        writer.number(tag::STATUS, status.number()).maybe(tag::ROUTING_CONTEXT, context)
    })
}

/// ASPUP.
//= RFC 4666 §3.5.1
pub(super) fn up(identifier: Option<u32>) -> Vec<u8> {
    build(Kind::ASP_UP, |writer| writer.maybe(tag::ASP_IDENTIFIER, identifier))
}

/// A message without parameters: ASPUP ACK, ASPDN, ASPDN ACK.
//= RFC 4666 §3.5.2
//= RFC 4666 §3.5.3
//= RFC 4666 §3.5.4
pub(super) fn bare(kind: Kind) -> Vec<u8> {
    build(kind, |writer| writer)
}

/// BEAT or BEAT ACK.
//= RFC 4666 §3.5.5
//= RFC 4666 §3.5.6
pub(super) fn beat(kind: Kind, data: Option<&[u8]>) -> Vec<u8> {
    build(kind, |writer| match data {
        Some(data) => writer.parameter(tag::HEARTBEAT_DATA, data),
        None => writer,
    })
}

/// ASPAC, ASPIA or the ACK of one.
//= RFC 4666 §3.7.1
//= RFC 4666 §3.7.2
//= RFC 4666 §3.7.3
//= RFC 4666 §3.7.4
pub(super) fn traffic(kind: Kind, mode: Option<TrafficMode>, contexts: &[u32]) -> Vec<u8> {
    build(kind, |writer| {
        let mode = mode.map(|mode| mode as u32);
        writer.maybe(tag::TRAFFIC_MODE, mode).numbers(tag::ROUTING_CONTEXT, contexts)
    })
}

/// Where a message about the network belongs.
#[derive(Clone, Debug, Default)]
pub(super) struct Flow {
    /// Network appearance.
    pub(super) appearance: Option<u32>,
    /// Routing contexts.
    pub(super) contexts: Vec<u32>,
}

/// DUNA, DAVA, DAUD: each point code with its mask.
//= RFC 4666 §3.4.1
//= RFC 4666 §3.4.2
//= RFC 4666 §3.4.3
pub(super) fn destinations(kind: Kind, flow: &Flow, affected: &[u32]) -> Vec<u8> {
    build(kind, |writer| {
        writer
            .maybe(tag::NETWORK_APPEARANCE, flow.appearance)
            .numbers(tag::ROUTING_CONTEXT, &flow.contexts)
            .numbers(tag::AFFECTED_POINT_CODE, affected)
    })
}

/// SCON.
//= RFC 4666 §3.4.4
pub(super) fn congestion(flow: &Flow, code: PointCode, level: Option<u32>) -> Vec<u8> {
    build(Kind::SCON, |writer| {
        writer
            .maybe(tag::NETWORK_APPEARANCE, flow.appearance)
            .numbers(tag::ROUTING_CONTEXT, &flow.contexts)
            .number(tag::AFFECTED_POINT_CODE, code.0)
            .maybe(tag::CONGESTION, level)
    })
}

/// DUPU, cause "Unequipped Remote User".
//= RFC 4666 §3.4.5
pub(super) fn user_part(flow: &Flow, code: PointCode, service: u8) -> Vec<u8> {
    build(Kind::DUPU, |writer| {
        writer
            .maybe(tag::NETWORK_APPEARANCE, flow.appearance)
            .numbers(tag::ROUTING_CONTEXT, &flow.contexts)
            .number(tag::AFFECTED_POINT_CODE, code.0)
            .number(tag::USER_CAUSE, 1 << 16 | u32::from(service))
    })
}

/// One result of REG RSP or DEREG RSP.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Outcome {
    /// The peer's number of the key, of a registration.
    pub(super) key: u32,
    /// How it went.
    pub(super) status: u32,
    /// The routing context, 0 where there is none.
    pub(super) context: u32,
}

/// REG RSP.
//= RFC 4666 §3.6.2
pub(super) fn registered(outcomes: &[Outcome]) -> Vec<u8> {
    build(Kind::REG_RSP, |writer| {
        outcomes.iter().fold(writer, |writer, one| {
            writer.nested(tag::REGISTRATION_RESULT, |out| {
                let number = |out: &mut Vec<u8>, tag, value: u32| {
                    let value = value.to_be_bytes();
                    crate::view::m3ua::inner(out, tag, |out| out.extend_from_slice(&value));
                };
                number(out, tag::LOCAL_KEY, one.key);
                number(out, tag::REGISTRATION_STATUS, one.status);
                number(out, tag::ROUTING_CONTEXT, one.context);
            })
        })
    })
}

/// DEREG RSP.
//= RFC 4666 §3.6.4
pub(super) fn deregistered(outcomes: &[Outcome]) -> Vec<u8> {
    build(Kind::DEREG_RSP, |writer| {
        outcomes.iter().fold(writer, |writer, one| {
            writer.nested(tag::DEREGISTRATION_RESULT, |out| {
                for (tag, value) in
                    [(tag::ROUTING_CONTEXT, one.context), (tag::DEREGISTRATION_STATUS, one.status)]
                {
                    let value = value.to_be_bytes();
                    crate::view::m3ua::inner(out, tag, |out| out.extend_from_slice(&value));
                }
            })
        })
    })
}

#[cfg(test)]
pub(crate) mod samples;
