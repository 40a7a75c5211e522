//! What handsets have their networks ask, and what the answers mean to them, in both stacks.

use std::fmt;

use super::config::Stack;
use crate::diameter::{command, parse, result};
use crate::ss7::map::{Operation, code};
use crate::ss7::outcome;
use crate::ss7::visited::Role;

/// One request or dialogue.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Request {
    /// The MME's request with this command code.
    Diameter(u32),
    /// An operation in a dialogue of the VLR or the SGSN.
    Map(Role, Operation),
}

/// What a handset is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Step {
    Authenticate,
    Register,
    Purge,
}

impl Step {
    /// What its network asks for it, at the same time. Over 2G and 3G the attach is a combined one:
    /// both domains register, and both are purged.
    pub(super) fn requests(self, stack: Stack) -> &'static [Request] {
        use Operation::{PurgeMs, SendAuthenticationInfo, UpdateGprsLocation, UpdateLocation};
        use Request::{Diameter, Map};
        use Role::{Sgsn, Vlr};
        match (self, stack) {
            (Self::Authenticate, Stack::Diameter) => {
                &[Diameter(command::AUTHENTICATION_INFORMATION)]
            }
            (Self::Register, Stack::Diameter) => &[Diameter(command::UPDATE_LOCATION)],
            (Self::Purge, Stack::Diameter) => &[Diameter(command::PURGE_UE)],
            (Self::Authenticate, Stack::Ss7) => &[Map(Vlr, SendAuthenticationInfo)],
            (Self::Register, Stack::Ss7) => {
                &[Map(Vlr, UpdateLocation), Map(Sgsn, UpdateGprsLocation)]
            }
            (Self::Purge, Stack::Ss7) => &[Map(Vlr, PurgeMs), Map(Sgsn, PurgeMs)],
        }
    }
}

/// How a request ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Said {
    Diameter(parse::Outcome),
    Map(outcome::Outcome),
}

impl Said {
    /// What it comes to; `None` for success.
    pub(super) fn cause(self) -> Option<Cause> {
        match self {
            Self::Diameter(said) => (!said.is_success()).then(|| Cause::of_diameter(said)),
            Self::Map(outcome::Outcome::Success) => None,
            Self::Map(said) => Some(Cause::of_map(said)),
        }
    }
}

impl fmt::Display for Said {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Diameter(said) => said.fmt(f),
            Self::Map(said) => said.fmt(f),
        }
    }
}

/// What the visited network tells the handset, and so what it does next. Of two domains' causes the
/// greater one counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Cause {
    /// #15, #17 and the like: the same network again, for now.
    SameNetwork,
    /// #11, #13: look for another network.
    OtherNetwork,
    /// #2, #7, #8: the SIM is of no use here.
    Barred,
}

impl Cause {
    //= TS 29.272 Annex A.1
    // 5001 maps to #8, 5004 to #11 (#13 for 5421), 5420 to #15, other errors to #17 (network failure).
    fn of_diameter(outcome: parse::Outcome) -> Self {
        match outcome {
            parse::Outcome::Experimental(result::USER_UNKNOWN) => Self::Barred,
            parse::Outcome::Experimental(result::ROAMING_NOT_ALLOWED | result::RAT_NOT_ALLOWED) => {
                Self::OtherNetwork
            }
            _ => Self::SameNetwork,
        }
    }

    // unknownSubscriber comes out as #2 (#7 or #8 in the packet domain), roamingNotAllowed as #11 or
    // #13, other errors, and no answer, as #17 (network failure).
    fn of_map(outcome: outcome::Outcome) -> Self {
        match outcome {
            outcome::Outcome::Error(code::UNKNOWN_SUBSCRIBER) => Self::Barred,
            outcome::Outcome::Error(code::ROAMING_NOT_ALLOWED) => Self::OtherNetwork,
            _ => Self::SameNetwork,
        }
    }
}
