//! MAP operations of location management and authentication, in versions 1, 2 and 3: which
//! application context each has, and how its argument, result and errors are written.
//!
//! Version 3 is what `gsm_map` models; where versions 1 and 2 differ, the encoding is here.

use gsm_map::operations::auth::{
    AuthenticationQuintuplet, AuthenticationTriplet, SendAuthenticationInfoArg,
    SendAuthenticationInfoRes,
};
use gsm_map::operations::errors::RoamingNotAllowedParam;
use gsm_map::operations::gprs_location::{UpdateGprsLocationArg, UpdateGprsLocationRes};
use gsm_map::operations::location::{
    CancelLocationArg, CancelLocationRes, Identity, PurgeMsArg, PurgeMsRes, UpdateLocationArg,
    UpdateLocationRes,
};
use gsm_map::operations::subscriber_data::{InsertSubscriberDataArg, SubscriberStatus};
use gsm_map::{decode, encode};
use rasn::types::OctetString;

use super::title;

/// A MAP version, 1 to 3.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Version {
    /// GSM phase 1: no dialogue portion.
    V1,
    /// GSM phase 2.
    V2,
    /// Release 97 and later.
    V3,
}

impl Version {
    /// 1, 2 or 3.
    #[must_use]
    pub fn number(self) -> u8 {
        match self {
            Self::V1 => 1,
            Self::V2 => 2,
            Self::V3 => 3,
        }
    }

    /// The version with this number.
    #[must_use]
    pub fn of(number: u8) -> Option<Self> {
        [Self::V1, Self::V2, Self::V3].into_iter().find(|v| v.number() == number)
    }
}

impl std::str::FromStr for Version {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let number = text.trim_start_matches('v').parse().ok();
        number.and_then(Self::of).ok_or_else(|| format!("'{text}': expected 1, 2 or 3"))
    }
}

/// An application context {0 4 0 0 1 0 number version}.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Context {
    /// The context's number.
    pub number: u8,
    /// Its version.
    pub version: u8,
}

/// The operations that are played.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Operation {
    /// Registers at a VLR.
    UpdateLocation,
    /// Ends the registration at the node left behind.
    CancelLocation,
    /// Brings the subscription to the node, inside the dialogue of UL or UGL.
    InsertSubscriberData,
    /// Registers at an SGSN.
    UpdateGprsLocation,
    /// Fetches authentication vectors.
    SendAuthenticationInfo,
    /// Says that the subscriber has gone.
    PurgeMs,
}

impl Operation {
    /// All of them.
    pub const ALL: [Self; 6] = [
        Self::UpdateLocation,
        Self::CancelLocation,
        Self::InsertSubscriberData,
        Self::UpdateGprsLocation,
        Self::SendAuthenticationInfo,
        Self::PurgeMs,
    ];

    /// The operation code.
    //= TS 29.002 §17.5
    #[must_use]
    pub fn code(self) -> i64 {
        match self {
            Self::UpdateLocation => 2,
            Self::CancelLocation => 3,
            Self::InsertSubscriberData => 7,
            Self::UpdateGprsLocation => 23,
            Self::SendAuthenticationInfo => 56,
            Self::PurgeMs => 67,
        }
    }

    /// The operation with this code.
    #[must_use]
    pub fn of(code: i64) -> Option<Self> {
        Self::ALL.into_iter().find(|o| o.code() == code)
    }

    /// Its name in the standard.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::UpdateLocation => "updateLocation",
            Self::CancelLocation => "cancelLocation",
            Self::InsertSubscriberData => "insertSubscriberData",
            Self::UpdateGprsLocation => "updateGprsLocation",
            Self::SendAuthenticationInfo => "sendAuthenticationInfo",
            Self::PurgeMs => "purgeMS",
        }
    }

    /// The application context of a dialogue that it opens.
    //= TS 29.002 §17.3.3
    #[must_use]
    pub fn context(self, version: Version) -> Context {
        let number = match self {
            Self::UpdateLocation => 1,
            Self::CancelLocation => 2,
            Self::SendAuthenticationInfo => 14,
            Self::InsertSubscriberData => 16,
            Self::PurgeMs => 27,
            Self::UpdateGprsLocation => 32,
        };
        Context { number, version: version.number() }
    }

    /// The version nearest to `wanted` in which the operation exists.
    //= TS 29.002 §17.3.3
    // sendAuthenticationInfo and purgeMS from version 2, updateGprsLocation in version 3 only.
    #[must_use]
    pub fn nearest(self, wanted: Version) -> Version {
        match self {
            Self::UpdateGprsLocation => Version::V3,
            Self::SendAuthenticationInfo | Self::PurgeMs => wanted.max(Version::V2),
            _ => wanted,
        }
    }

    /// The error codes that it may be answered with.
    //= TS 29.002 §17.6.1, §17.6.2
    #[must_use]
    pub fn may_fail_with(self, error: u8) -> bool {
        use code::{DATA_MISSING, ROAMING_NOT_ALLOWED, SYSTEM_FAILURE, UNEXPECTED_DATA_VALUE};
        let allowed: &[u8] = match self {
            Self::UpdateLocation => &[
                SYSTEM_FAILURE,
                DATA_MISSING,
                UNEXPECTED_DATA_VALUE,
                code::UNKNOWN_SUBSCRIBER,
                ROAMING_NOT_ALLOWED,
            ],
            Self::UpdateGprsLocation => &[
                SYSTEM_FAILURE,
                UNEXPECTED_DATA_VALUE,
                code::UNKNOWN_SUBSCRIBER,
                ROAMING_NOT_ALLOWED,
            ],
            Self::SendAuthenticationInfo => {
                &[SYSTEM_FAILURE, DATA_MISSING, UNEXPECTED_DATA_VALUE, code::UNKNOWN_SUBSCRIBER]
            }
            Self::PurgeMs => &[DATA_MISSING, UNEXPECTED_DATA_VALUE, code::UNKNOWN_SUBSCRIBER],
            Self::CancelLocation => &[DATA_MISSING, UNEXPECTED_DATA_VALUE],
            Self::InsertSubscriberData => {
                &[DATA_MISSING, UNEXPECTED_DATA_VALUE, code::UNIDENTIFIED_SUBSCRIBER]
            }
        };
        allowed.contains(&error)
    }
}

/// Error codes.
//= TS 29.002 §17.5
pub mod code {
    #![allow(missing_docs, reason = "the standard's names say it")]
    pub const UNKNOWN_SUBSCRIBER: u8 = 1;
    pub const UNIDENTIFIED_SUBSCRIBER: u8 = 5;
    pub const ROAMING_NOT_ALLOWED: u8 = 8;
    pub const FACILITY_NOT_SUPPORTED: u8 = 21;
    pub const SYSTEM_FAILURE: u8 = 34;
    pub const DATA_MISSING: u8 = 35;
    pub const UNEXPECTED_DATA_VALUE: u8 = 36;

    /// The error's name, if it is one of those above.
    #[must_use]
    pub fn name(error: u8) -> Option<&'static str> {
        Some(match error {
            UNKNOWN_SUBSCRIBER => "unknownSubscriber",
            UNIDENTIFIED_SUBSCRIBER => "unidentifiedSubscriber",
            ROAMING_NOT_ALLOWED => "roamingNotAllowed",
            FACILITY_NOT_SUPPORTED => "facilityNotSupported",
            SYSTEM_FAILURE => "systemFailure",
            DATA_MISSING => "dataMissing",
            UNEXPECTED_DATA_VALUE => "unexpectedDataValue",
            _ => return None,
        })
    }
}

/// What an argument says about its subscriber and the node that serves it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Subject {
    /// The subscriber; 0 in an insertSubscriberData without IMSI.
    pub imsi: u64,
    /// The serving node's E.164 number, where the operation names it.
    pub node: Option<String>,
}

/// The visited node that writes an argument.
#[derive(Clone, Copy, Debug)]
pub struct Node<'a> {
    /// The VLR's or SGSN's number.
    pub number: &'a str,
    /// The MSC's number (VLR only).
    pub msc: &'a str,
    /// The SGSN's IPv4 address.
    pub gsn: [u8; 4],
    /// True for an SGSN.
    pub packet: bool,
}

const SEQUENCE: u8 = 0x30;
const OCTET_STRING: u8 = 0x04;
const ENUMERATED: u8 = 0x0a;
/// GSN-Address: type IPv4, length 4.
//= TS 23.003 §5.1
const GSN_IPV4: u8 = 0x04;

/// One BER element with content under 128 octets.
fn element(tag: u8, content: &[u8]) -> Vec<u8> {
    let length = u8::try_from(content.len()).unwrap_or(0x7f) & 0x7f;
    [&[tag, length], content].concat()
}

/// The content of the only element in `bytes`, when it has this tag and a short length.
fn content(tag: u8, bytes: &[u8]) -> Option<&[u8]> {
    match bytes {
        [t, length, rest @ ..] if *t == tag && *length < 0x80 => {
            (rest.len() == usize::from(*length)).then_some(rest)
        }
        _ => None,
    }
}

/// The argument of an operation that a visited node asks, about the subscriber `imsi` (digits).
//= TS 29.002 §17.7.1
// Version 2: sendAuthenticationInfo has the bare IMSI, purgeMS an untagged SEQUENCE.
#[must_use]
pub fn argument(op: Operation, version: Version, imsi: &str, node: &Node<'_>) -> Vec<u8> {
    let subscriber = title::imsi(imsi);
    let number = title::isdn(node.number);
    let written = match (op, version) {
        (Operation::UpdateLocation, _) => {
            encode(&UpdateLocationArg::new(subscriber, title::isdn(node.msc), number))
        }
        (Operation::UpdateGprsLocation, _) => {
            let gsn: OctetString = [&[GSN_IPV4][..], &node.gsn].concat().into();
            encode(&UpdateGprsLocationArg::new(subscriber, number, gsn))
        }
        (Operation::SendAuthenticationInfo, Version::V3) => {
            let mut arg = SendAuthenticationInfoArg::new(subscriber, 1.into());
            arg.requesting_node_type = Some(u8::from(node.packet).into());
            encode(&arg)
        }
        (Operation::PurgeMs, Version::V3) => {
            let mut arg = PurgeMsArg::new(subscriber);
            let place = if node.packet { &mut arg.sgsn_number } else { &mut arg.vlr_number };
            *place = Some(number);
            encode(&arg)
        }
        (Operation::PurgeMs, _) => {
            let imsi = element(OCTET_STRING, &subscriber);
            let number = element(OCTET_STRING, &number);
            return element(SEQUENCE, &[imsi, number].concat());
        }
        // The bare IMSI: sendAuthenticationInfo in version 2, and what has no version 3 form here.
        _ => return element(OCTET_STRING, &subscriber),
    };
    written.unwrap_or_default()
}

/// The argument of cancelLocation.
//= TS 29.002 §17.7.1
// Versions 1 and 2: the bare Identity; version 3: [3] SEQUENCE.
#[must_use]
pub fn cancel(version: Version, imsi: &str) -> Vec<u8> {
    let subscriber = title::imsi(imsi);
    if version < Version::V3 {
        return element(OCTET_STRING, &subscriber);
    }
    encode(&CancelLocationArg::new(Identity::Imsi(subscriber))).unwrap_or_default()
}

/// A small subscription: category, status, telephony (or none of it for an SGSN).
#[must_use]
pub fn subscription(imsi: &str, packet: bool) -> Vec<u8> {
    let mut arg = InsertSubscriberDataArg {
        imsi: Some(title::imsi(imsi)),
        subscriber_status: Some(SubscriberStatus::ServiceGranted),
        msisdn: Some(title::isdn(imsi.get(..12).unwrap_or(imsi))),
        ..InsertSubscriberDataArg::default()
    };
    if !packet {
        // Ordinary subscriber; telephony; short messages MT and MO.
        arg.category = Some(vec![0x0a].into());
        arg.teleservice_list = Some([0x11, 0x21, 0x22].map(|t| vec![t].into()).to_vec());
    }
    encode(&arg).unwrap_or_default()
}

/// Reads an argument; `None` when it is not what the version demands.
#[must_use]
pub fn subject(op: Operation, version: Version, bytes: &[u8]) -> Option<Subject> {
    let of = |imsi: &[u8], node: Option<&[u8]>| {
        let imsi = title::imsi_number(imsi)?;
        Some(Subject { imsi, node: node.map(title::isdn_digits) })
    };
    match (op, version) {
        (Operation::UpdateLocation, _) => {
            let arg: UpdateLocationArg = decode(bytes).ok()?;
            of(&arg.imsi, Some(&arg.vlr_number))
        }
        (Operation::UpdateGprsLocation, _) => {
            let arg: UpdateGprsLocationArg = decode(bytes).ok()?;
            of(&arg.imsi, Some(&arg.sgsn_number))
        }
        (Operation::SendAuthenticationInfo, Version::V3) => {
            let arg: SendAuthenticationInfoArg = decode(bytes).ok()?;
            of(&arg.imsi, None)
        }
        (Operation::PurgeMs, Version::V3) => {
            let arg: PurgeMsArg = decode(bytes).ok()?;
            let node = arg.vlr_number.or(arg.sgsn_number);
            of(&arg.imsi, node.as_deref())
        }
        (Operation::PurgeMs, _) => {
            let inner = content(SEQUENCE, bytes)?;
            let length = usize::from(*inner.get(1)?) + 2;
            let (imsi, number) = inner.split_at_checked(length)?;
            of(content(OCTET_STRING, imsi)?, Some(content(OCTET_STRING, number)?))
        }
        (Operation::CancelLocation, Version::V3) => {
            let arg: CancelLocationArg = decode(bytes).ok()?;
            match arg.identity {
                Identity::Imsi(imsi) => of(&imsi, None),
                Identity::ImsiWithLmsi(both) => of(&both.imsi, None),
            }
        }
        (Operation::InsertSubscriberData, _) => {
            let arg: InsertSubscriberDataArg = decode(bytes).ok()?;
            let none = Subject { imsi: 0, node: None };
            arg.imsi.map_or(Some(none), |imsi| of(&imsi, None))
        }
        _ => of(content(OCTET_STRING, bytes)?, None),
    }
}

/// The result of an operation; `None` when it is empty in this version.
//= TS 29.002 §17.7.1
// updateLocation: version 1 the bare HLR number, later a SEQUENCE. sendAuthenticationInfo: version 2
// a bare SEQUENCE OF triplets, version 3 [3] SEQUENCE.
#[must_use]
pub fn result(op: Operation, version: Version, hlr: &str, packet: bool) -> Option<Vec<u8>> {
    let number = title::isdn(hlr);
    match (op, version) {
        (Operation::UpdateLocation, Version::V1) => Some(element(OCTET_STRING, &number)),
        (Operation::UpdateLocation, _) => encode(&UpdateLocationRes::new(number)).ok(),
        (Operation::UpdateGprsLocation, _) => encode(&UpdateGprsLocationRes::new(number)).ok(),
        (Operation::SendAuthenticationInfo, Version::V3) => {
            let mut res = SendAuthenticationInfoRes::default();
            if packet {
                res.quintuplet_list = Some(vec![quintuplet()]);
            } else {
                res.triplet_list = Some(vec![triplet()]);
            }
            encode(&res).ok()
        }
        (Operation::SendAuthenticationInfo, _) => encode(&vec![triplet()]).ok(),
        (Operation::PurgeMs, Version::V3) => encode(&PurgeMsRes::default()).ok(),
        (Operation::CancelLocation, Version::V3) => encode(&CancelLocationRes::default()).ok(),
        _ => None,
    }
}

fn triplet() -> AuthenticationTriplet {
    AuthenticationTriplet {
        rand: vec![0x11; 16].into(),
        sres: vec![0x22; 4].into(),
        kc: vec![0x33; 8].into(),
    }
}

fn quintuplet() -> AuthenticationQuintuplet {
    AuthenticationQuintuplet {
        rand: vec![0x11; 16].into(),
        xres: vec![0x22; 8].into(),
        ck: vec![0x33; 16].into(),
        ik: vec![0x44; 16].into(),
        autn: vec![0x55; 16].into(),
    }
}

/// True when a result is what this version demands.
#[must_use]
pub fn is_result(op: Operation, version: Version, bytes: Option<&[u8]>) -> bool {
    let Some(bytes) = bytes else {
        return !matches!(
            op,
            Operation::UpdateLocation
                | Operation::UpdateGprsLocation
                | Operation::SendAuthenticationInfo
        );
    };
    match (op, version) {
        (Operation::UpdateLocation, Version::V1) => content(OCTET_STRING, bytes).is_some(),
        (Operation::UpdateLocation, _) => decode::<UpdateLocationRes>(bytes).is_ok(),
        (Operation::UpdateGprsLocation, _) => decode::<UpdateGprsLocationRes>(bytes).is_ok(),
        (Operation::SendAuthenticationInfo, Version::V3) => {
            decode::<SendAuthenticationInfoRes>(bytes)
                .is_ok_and(|r| r.triplet_list.is_some() != r.quintuplet_list.is_some())
        }
        (Operation::SendAuthenticationInfo, _) => {
            decode::<Vec<AuthenticationTriplet>>(bytes).is_ok_and(|list| !list.is_empty())
        }
        (Operation::PurgeMs, Version::V3) => decode::<PurgeMsRes>(bytes).is_ok(),
        (Operation::CancelLocation, Version::V3) => decode::<CancelLocationRes>(bytes).is_ok(),
        _ => true,
    }
}

/// The parameter of roamingNotAllowed with plmnRoamingNotAllowed.
//= TS 29.002 §17.7.7
// Version 1 none, version 2 the bare ENUMERATED, version 3 a SEQUENCE.
#[must_use]
pub fn roaming_not_allowed(version: Version) -> Option<Vec<u8>> {
    match version {
        Version::V1 => None,
        Version::V2 => Some(element(ENUMERATED, &[0])),
        Version::V3 => Some(element(SEQUENCE, &element(ENUMERATED, &[0]))),
    }
}

/// True when an error's parameter is what the version demands (only roamingNotAllowed has a
/// mandatory one).
#[must_use]
pub fn is_error_parameter(error: u8, version: Version, bytes: Option<&[u8]>) -> bool {
    if error != code::ROAMING_NOT_ALLOWED {
        return version > Version::V1 || bytes.is_none();
    }
    match (version, bytes) {
        (Version::V1, None) => true,
        (Version::V2, Some(bytes)) => matches!(content(ENUMERATED, bytes), Some([0..=3])),
        (Version::V3, Some(bytes)) => decode::<RoamingNotAllowedParam>(bytes).is_ok(),
        _ => false,
    }
}
