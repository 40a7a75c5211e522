//! MAP: what an operation asks, and for whom; versions 1 to 3 as they differ.
//!
//! Fields are found by their tag and by how many of that tag came before, which tells apart what
//! the versions wrap differently.
//= TS 29.002 §17.6
//= TS 29.002 §17.7

use procedure::{Act, Digits, Domain, Imsi};

use crate::view::ber::{Element, Reader};
use crate::view::tcap::Number;

/// Operation codes.
//= TS 29.002 §17.5
#[allow(missing_docs, reason = "the standard's own names")]
pub mod operation {
    pub const UPDATE_LOCATION: u32 = 2;
    pub const CANCEL_LOCATION: u32 = 3;
    pub const PROVIDE_ROAMING_NUMBER: u32 = 4;
    pub const INSERT_SUBSCRIBER_DATA: u32 = 7;
    pub const DELETE_SUBSCRIBER_DATA: u32 = 8;
    pub const AUTHENTICATION_FAILURE: u32 = 15;
    pub const SEND_ROUTING_INFO: u32 = 22;
    pub const UPDATE_GPRS_LOCATION: u32 = 23;
    pub const SEND_ROUTING_INFO_GPRS: u32 = 24;
    pub const NOTE_MS_PRESENT_GPRS: u32 = 26;
    pub const RESET: u32 = 37;
    pub const FORWARD_CHECK_SS: u32 = 38;
    pub const MT_FORWARD_SM: u32 = 44;
    pub const SEND_ROUTING_INFO_SM: u32 = 45;
    pub const MO_FORWARD_SM: u32 = 46;
    pub const REPORT_SM_DELIVERY: u32 = 47;
    pub const SEND_AUTHENTICATION: u32 = 56;
    pub const RESTORE_DATA: u32 = 57;
    pub const PROCESS_USSD: u32 = 59;
    pub const USSD_REQUEST: u32 = 60;
    pub const USSD_NOTIFY: u32 = 61;
    pub const READY_FOR_SM: u32 = 66;
    pub const PURGE_MS: u32 = 67;
    pub const PROVIDE_SUBSCRIBER_INFO: u32 = 70;
    pub const ANY_TIME_INTERROGATION: u32 = 71;
    pub const NOTE_MM_EVENT: u32 = 89;
}

/// What an invoke asks.
#[derive(Clone, Copy, Debug)]
pub struct Map<'a> {
    /// The invoke's number.
    pub id: i8,
    /// Its operation, where it has a local number.
    pub operation: Option<u32>,
    /// The version it is asked in, where that is known.
    pub version: Option<u8>,
    /// What is attempted.
    pub act: Act,
    /// In which domain, where the operation says so.
    pub domain: Domain,
    /// The subscriber.
    pub imsi: Option<Imsi>,
    /// The Type Allocation Code of the equipment.
    pub tac: Option<u32>,
    /// The subscriber's number.
    pub msisdn: Option<Digits>,
    /// The node that serves the subscriber.
    pub serving: Option<Digits>,
    /// The argument as it lies.
    pub argument: Option<Element<'a>>,
}

const OCTETS: u32 = 0x04;
/// Context-specific primitive tags.
const TAG_0: u32 = 0x80;
const TAG_1: u32 = 0x81;
const TAG_2: u32 = 0x82;
const TAG_3: u32 = 0x83;
const CONSTRUCTED_0: u32 = 0xa0;
const CONSTRUCTED_4: u32 = 0xa4;
const CONSTRUCTED_13: u32 = 0xad;
/// Most fields of an argument that are looked at.
const FIELDS_MAX: usize = 48;

impl<'a> Map<'a> {
    /// Reads an invoke; what cannot be found in its argument stays unknown.
    #[must_use]
    pub fn read(
        id: i8,
        number: Number<'a>,
        argument: Option<Element<'a>>,
        version: Option<u8>,
    ) -> Self {
        use operation::*;
        let operation = number.local();
        let mut this = Self {
            id,
            operation,
            version,
            act: Act::Transit,
            domain: Domain::Unknown,
            imsi: None,
            tac: None,
            msisdn: None,
            serving: None,
            argument,
        };
        (this.act, this.domain) = act(operation);
        let fields = Fields(argument);
        match operation.unwrap_or(u32::MAX) {
            UPDATE_LOCATION => {
                this.imsi = fields.imsi(OCTETS, 0);
                this.serving = fields.number(OCTETS, 1).or_else(|| fields.number(TAG_1, 0));
                this.tac = fields.tac(CONSTRUCTED_13);
            }
            UPDATE_GPRS_LOCATION => {
                this.imsi = fields.imsi(OCTETS, 0);
                this.serving = fields.number(OCTETS, 1);
                this.tac = fields.tac(CONSTRUCTED_4);
            }
            SEND_AUTHENTICATION => {
                this.imsi = fields.imsi(TAG_0, 0).or_else(|| fields.imsi(OCTETS, 0));
                this.domain = match fields.find(TAG_3, 0) {
                    Some([0]) => Domain::Cs,
                    Some([1]) => Domain::Ps,
                    _ => Domain::Unknown,
                };
            }
            CANCEL_LOCATION => this.imsi = fields.imsi(OCTETS, 0).or_else(|| fields.nested_imsi()),
            PURGE_MS => {
                this.imsi = fields.imsi(OCTETS, 0);
                let vlr = fields.number(TAG_0, 0).or_else(|| fields.number(OCTETS, 1));
                let sgsn = fields.number(TAG_1, 0);
                this.domain = if sgsn.is_some() && vlr.is_none() { Domain::Ps } else { Domain::Cs };
                this.serving = vlr.or(sgsn);
            }
            INSERT_SUBSCRIBER_DATA => {
                this.imsi = fields.imsi(TAG_0, 0);
                this.msisdn = fields.number(TAG_1, 0);
            }
            RESTORE_DATA | AUTHENTICATION_FAILURE => this.imsi = fields.imsi(OCTETS, 0),
            PROVIDE_ROAMING_NUMBER => {
                this.imsi = fields.imsi(TAG_0, 0);
                this.msisdn = fields.number(TAG_2, 0);
            }
            DELETE_SUBSCRIBER_DATA
            | PROVIDE_SUBSCRIBER_INFO
            | MT_FORWARD_SM
            | READY_FOR_SM
            | SEND_ROUTING_INFO_GPRS
            | NOTE_MS_PRESENT_GPRS => this.imsi = fields.imsi(TAG_0, 0),
            MO_FORWARD_SM => {
                this.imsi = fields.imsi(TAG_0, 0).or_else(|| fields.imsi(OCTETS, 1));
                this.msisdn = fields.number(TAG_2, 0);
            }
            SEND_ROUTING_INFO_SM | SEND_ROUTING_INFO | PROCESS_USSD | USSD_REQUEST
            | USSD_NOTIFY => this.msisdn = fields.number(TAG_0, 0),
            REPORT_SM_DELIVERY => this.msisdn = fields.number(OCTETS, 0),
            NOTE_MM_EVENT => {
                this.msisdn = fields.number(TAG_1, 0);
                this.imsi = fields.imsi(TAG_2, 0);
            }
            ANY_TIME_INTERROGATION => {
                let identity = Fields(fields.element(CONSTRUCTED_0, 0));
                this.imsi = identity.imsi(TAG_0, 0);
                this.msisdn = identity.number(TAG_1, 0);
            }
            _ => {}
        }
        this
    }
}

/// What an operation is, whatever its argument.
#[must_use]
pub const fn act(code: Option<u32>) -> (Act, Domain) {
    use operation::*;
    let Some(code) = code else { return (Act::Transit, Domain::Unknown) };
    match code {
        UPDATE_LOCATION => (Act::Register, Domain::Cs),
        UPDATE_GPRS_LOCATION => (Act::Register, Domain::Ps),
        SEND_AUTHENTICATION => (Act::Authenticate, Domain::Unknown),
        CANCEL_LOCATION => (Act::Deregister, Domain::Unknown),
        PURGE_MS => (Act::Purge, Domain::Cs),
        INSERT_SUBSCRIBER_DATA | DELETE_SUBSCRIBER_DATA => (Act::Provision, Domain::Unknown),
        RESTORE_DATA => (Act::Recover, Domain::Cs),
        RESET | FORWARD_CHECK_SS => (Act::Recover, Domain::Unknown),
        SEND_ROUTING_INFO_SM => (Act::LocateForSms, Domain::Unknown),
        MT_FORWARD_SM | MO_FORWARD_SM => (Act::DeliverSms, Domain::Unknown),
        SEND_ROUTING_INFO | PROVIDE_ROAMING_NUMBER => (Act::LocateForCall, Domain::Cs),
        SEND_ROUTING_INFO_GPRS => (Act::LocateForCall, Domain::Ps),
        ANY_TIME_INTERROGATION | PROVIDE_SUBSCRIBER_INFO => (Act::Query, Domain::Unknown),
        AUTHENTICATION_FAILURE
        | NOTE_MM_EVENT
        | READY_FOR_SM
        | REPORT_SM_DELIVERY
        | NOTE_MS_PRESENT_GPRS => (Act::Notify, Domain::Unknown),
        // 11 to 14, 17 and 18: supplementary services; 19: USSD of version 1.
        10..=14 | 17..=19 | PROCESS_USSD | USSD_REQUEST | USSD_NOTIFY => {
            (Act::Supplementary, Domain::Cs)
        }
        _ => (Act::Transit, Domain::Unknown),
    }
}

/// The fields of an argument: a sequence's, or the argument itself where it is bare.
#[derive(Clone, Copy)]
struct Fields<'a>(Option<Element<'a>>);

impl<'a> Fields<'a> {
    fn element(self, tag: u32, before: usize) -> Option<Element<'a>> {
        let argument = self.0?;
        if argument.tag & crate::view::ber::CONSTRUCTED == 0 {
            return Some(argument).filter(|bare| bare.tag == tag && before == 0);
        }
        let mut reader = Reader::inside(&argument);
        let mut seen = 0;
        for _ in 0..FIELDS_MAX {
            // Of a first segment the last field is there in part, and not to be trusted.
            let field = reader.next().ok().flatten()?;
            if field.tag == tag {
                if seen == before {
                    return Some(field);
                }
                seen += 1;
            }
        }
        None
    }

    fn find(self, tag: u32, before: usize) -> Option<&'a [u8]> {
        self.element(tag, before).map(|element| element.value)
    }

    fn imsi(self, tag: u32, before: usize) -> Option<Imsi> {
        imsi(self.find(tag, before)?)
    }

    fn number(self, tag: u32, before: usize) -> Option<Digits> {
        number(self.find(tag, before)?)
    }

    /// The Type Allocation Code of an IMEISV in an ADD-Info.
    //= TS 29.002 §7.6.6
    //= TS 23.003 §6.2.2
    fn tac(self, tag: u32) -> Option<u32> {
        let imeisv = Fields(self.element(tag, 0)).find(TAG_0, 0)?;
        halves(imeisv.get(..4)?)
            .try_fold(0, |tac, digit| (digit <= 9).then(|| tac * 10 + u32::from(digit)))
    }

    /// The IMSI beside an LMSI.
    fn nested_imsi(self) -> Option<Imsi> {
        const SEQUENCE: u32 = 0x30;
        match self.0 {
            Some(bare) if bare.tag == SEQUENCE => self.imsi(OCTETS, 0),
            _ => Fields(self.element(SEQUENCE, 0)).imsi(OCTETS, 0),
        }
    }
}

/// An IMSI in TBCD.
//= TS 29.002 §17.7.8
#[must_use]
pub fn imsi(octets: &[u8]) -> Option<Imsi> {
    let mut ascii = [0; Imsi::DIGITS_MAX];
    let mut count = 0;
    for half in halves(octets) {
        if half == 0x0f {
            break;
        }
        *ascii.get_mut(count)? = b'0' + Some(half).filter(|half| *half <= 9)?;
        count += 1;
    }
    Imsi::from_ascii(ascii.get(..count)?)
}

/// A number in an ISDN-AddressString: nature and plan, then TBCD.
//= TS 29.002 §17.7.8
#[must_use]
pub fn number(octets: &[u8]) -> Option<Digits> {
    let (_, digits) = octets.split_first()?;
    let mut all = Digits::EMPTY;
    for half in halves(digits) {
        if half == 0x0f {
            break;
        }
        all = all.with(half)?;
    }
    Some(all).filter(|all| !all.is_empty())
}

fn halves(octets: &[u8]) -> impl Iterator<Item = u8> {
    octets.iter().flat_map(|octet| [octet & 0x0f, octet >> 4])
}

#[cfg(test)]
mod tests;
