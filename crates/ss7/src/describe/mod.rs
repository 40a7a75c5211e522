//! **describe**: what a dialogue attempts.
//!
//! A message may carry several components. Each is described, and the one that matters most speaks
//! for the message: what registers somebody first, then what orders, then what asks; so nothing
//! hides behind a harmless first component.

pub mod map;

use procedure::{Act, Code};

use crate::view::tcap::{Component, Dialogue, Kind, Number, Transaction};
use map::Map;

/// What a message attempts; `None` where it asks for nothing.
#[must_use]
pub fn attempt<'a>(transaction: &Transaction<'a>) -> Option<Map<'a>> {
    let version = version(transaction);
    let mut components = transaction.components();
    let mut severest: Option<Map<'a>> = None;
    while let Ok(Some(component)) = components.next() {
        let Component::Invoke { id, operation, argument, .. } = component else { continue };
        let found = Map::read(id, operation, argument, version);
        if severest.is_none_or(|severest| rank(found.act) < rank(severest.act)) {
            severest = Some(found);
        }
    }
    severest
}

/// The version of MAP that a dialogue speaks: that of its application context, or 1 without one.
//= TS 29.002 §5.2.2
#[must_use]
pub fn version(transaction: &Transaction<'_>) -> Option<u8> {
    match transaction.dialogue {
        Some(Dialogue::Request(context) | Dialogue::Response(context)) => {
            context.map().map(|(_, version)| version)
        }
        None if transaction.kind == Kind::Begin => Some(1),
        _ => None,
    }
}

/// Lower speaks before higher.
const fn rank(act: Act) -> u8 {
    match act {
        Act::Register => 0,
        Act::Deregister => 1,
        Act::Provision => 2,
        Act::Recover => 3,
        Act::Authenticate => 4,
        Act::Purge => 5,
        Act::DeliverSms => 6,
        Act::LocateForSms => 7,
        Act::LocateForCall => 8,
        Act::Query => 9,
        Act::Notify => 10,
        Act::Supplementary => 11,
        Act::Transit => 12,
    }
}

/// A closing message's result, and whether that is success.
#[must_use]
pub fn outcome(transaction: &Transaction<'_>) -> (Code, bool) {
    if transaction.kind == Kind::Abort {
        let cause = transaction.p_abort.map_or(Code::USER_ABORT, u32::from);
        return (Code::Abort(cause), false);
    }
    let mut components = transaction.components();
    let mut found = (Code::None, true);
    while let Ok(Some(component)) = components.next() {
        match component {
            Component::Error { error, .. } => {
                let code = match error {
                    Number::Local(code) => u32::try_from(code).unwrap_or(u32::MAX),
                    Number::Global(_) => u32::MAX,
                };
                return (Code::Error(code), false);
            }
            Component::Reject { kind, problem, .. } => {
                found = (Code::Reject(u32::from(kind) << 8 | u32::from(problem)), false);
            }
            Component::Invoke { .. } | Component::Result { .. } => {}
        }
    }
    found
}
