//! MAP's errors, and which of them an operation may be answered with.
//!
//! An error outside an operation's list would show that it was not the home network that said it.
//= TS 29.002 §17.3.2

use procedure::Refusal;

use crate::describe::map::operation as op;

/// Errors.
//= TS 29.002 §17.6.6
#[allow(missing_docs, reason = "the standard's own names")]
pub mod error {
    pub const UNKNOWN_SUBSCRIBER: u8 = 1;
    pub const UNIDENTIFIED_SUBSCRIBER: u8 = 5;
    pub const ROAMING_NOT_ALLOWED: u8 = 8;
    pub const FACILITY_NOT_SUPPORTED: u8 = 21;
    pub const SYSTEM_FAILURE: u8 = 34;
    pub const DATA_MISSING: u8 = 35;
    pub const UNEXPECTED_DATA: u8 = 36;
}
use error::*;

/// By operation, the errors that it may be answered with, as far as the gateway uses them. The
/// first six rows are those of the location management and authentication services.
const LEGAL: &[(u32, &[u8])] = &[
    (
        op::UPDATE_LOCATION,
        &[SYSTEM_FAILURE, DATA_MISSING, UNEXPECTED_DATA, UNKNOWN_SUBSCRIBER, ROAMING_NOT_ALLOWED],
    ),
    (
        op::UPDATE_GPRS_LOCATION,
        &[SYSTEM_FAILURE, UNEXPECTED_DATA, UNKNOWN_SUBSCRIBER, ROAMING_NOT_ALLOWED],
    ),
    (op::SEND_AUTHENTICATION, &[SYSTEM_FAILURE, DATA_MISSING, UNEXPECTED_DATA, UNKNOWN_SUBSCRIBER]),
    (op::CANCEL_LOCATION, &[DATA_MISSING, UNEXPECTED_DATA]),
    (op::PURGE_MS, &[DATA_MISSING, UNEXPECTED_DATA, UNKNOWN_SUBSCRIBER]),
    (op::RESTORE_DATA, &[SYSTEM_FAILURE, DATA_MISSING, UNEXPECTED_DATA, UNKNOWN_SUBSCRIBER]),
    (op::INSERT_SUBSCRIBER_DATA, &[DATA_MISSING, UNEXPECTED_DATA, UNIDENTIFIED_SUBSCRIBER]),
    (op::DELETE_SUBSCRIBER_DATA, &[DATA_MISSING, UNEXPECTED_DATA, UNIDENTIFIED_SUBSCRIBER]),
    (
        op::SEND_ROUTING_INFO_SM,
        &[
            SYSTEM_FAILURE,
            DATA_MISSING,
            UNEXPECTED_DATA,
            FACILITY_NOT_SUPPORTED,
            UNKNOWN_SUBSCRIBER,
        ],
    ),
    (op::MT_FORWARD_SM, &[SYSTEM_FAILURE, DATA_MISSING, UNEXPECTED_DATA, FACILITY_NOT_SUPPORTED]),
    (op::MO_FORWARD_SM, &[SYSTEM_FAILURE, UNEXPECTED_DATA, FACILITY_NOT_SUPPORTED]),
    (
        op::ANY_TIME_INTERROGATION,
        &[SYSTEM_FAILURE, DATA_MISSING, UNEXPECTED_DATA, UNKNOWN_SUBSCRIBER],
    ),
    (op::PROVIDE_SUBSCRIBER_INFO, &[DATA_MISSING, UNEXPECTED_DATA]),
    (
        op::SEND_ROUTING_INFO,
        &[
            SYSTEM_FAILURE,
            DATA_MISSING,
            UNEXPECTED_DATA,
            FACILITY_NOT_SUPPORTED,
            UNKNOWN_SUBSCRIBER,
        ],
    ),
    (
        op::PROVIDE_ROAMING_NUMBER,
        &[SYSTEM_FAILURE, DATA_MISSING, UNEXPECTED_DATA, FACILITY_NOT_SUPPORTED],
    ),
    (op::PROCESS_USSD, &[SYSTEM_FAILURE, DATA_MISSING, UNEXPECTED_DATA]),
    (op::USSD_REQUEST, &[SYSTEM_FAILURE, DATA_MISSING, UNEXPECTED_DATA]),
    (op::USSD_NOTIFY, &[SYSTEM_FAILURE, DATA_MISSING, UNEXPECTED_DATA]),
];

/// The errors that an operation may be answered with; none where it has none, or is not known.
#[must_use]
pub fn legal(operation: u32) -> &'static [u8] {
    LEGAL.iter().find(|row| row.0 == operation).map_or(&[], |row| row.1)
}

/// The error that a refusal would like to be.
#[must_use]
pub const fn wanted(refusal: Refusal) -> u8 {
    match refusal {
        Refusal::RoamingNotAllowed | Refusal::RatNotAllowed => ROAMING_NOT_ALLOWED,
        Refusal::UnknownSubscription | Refusal::UnknownSubscriber => UNKNOWN_SUBSCRIBER,
        Refusal::Unauthorised => UNEXPECTED_DATA,
        Refusal::Congestion
        | Refusal::Unroutable
        | Refusal::RealmNotServed
        | Refusal::Loop
        | Refusal::SystemFailure => SYSTEM_FAILURE,
    }
}

/// The refusal that an error stands for where it is asked for by its number.
#[must_use]
pub const fn refusal(error: u8) -> Option<Refusal> {
    match error {
        ROAMING_NOT_ALLOWED => Some(Refusal::RoamingNotAllowed),
        UNKNOWN_SUBSCRIBER => Some(Refusal::UnknownSubscriber),
        UNEXPECTED_DATA => Some(Refusal::Unauthorised),
        SYSTEM_FAILURE => Some(Refusal::SystemFailure),
        _ => None,
    }
}

/// The error that an operation is refused with: the wanted one if it may be, else the next that
/// says as little as possible of why; `None` where the operation has none.
#[must_use]
pub fn choose(operation: u32, refusal: Refusal) -> Option<u8> {
    let legal = legal(operation);
    let order = [wanted(refusal), SYSTEM_FAILURE, UNEXPECTED_DATA];
    order.into_iter().find(|error| legal.contains(error))
}

/// An error's parameter as an element, as this version of MAP demands it.
//= TS 29.002 §17.7.7
#[must_use]
pub const fn parameter(error: u8, version: Option<u8>) -> &'static [u8] {
    // plmnRoamingNotAllowed, or the PLMN as the network resource that failed: both are number 0.
    const BARE: &[u8] = &[0x0a, 1, 0];
    const SEQUENCE: &[u8] = &[0x30, 3, 0x0a, 1, 0];
    match (error, version) {
        (ROAMING_NOT_ALLOWED | SYSTEM_FAILURE, Some(3..)) => SEQUENCE,
        (ROAMING_NOT_ALLOWED, Some(2)) | (SYSTEM_FAILURE, Some(1 | 2)) => BARE,
        _ => &[],
    }
}
