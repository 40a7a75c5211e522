//! SCCP addresses of MAP nodes: E.164 numbers, and E.214 titles made from IMSIs.

use std::str::FromStr;

use gsm_map::{AddressString, Imsi};
use sccp::{GlobalTitle, SccpAddress, SubsystemNumber};

/// Subsystem numbers of the nodes that are played.
//= TS 23.003 §7.1
pub mod ssn {
    /// Home location register.
    pub const HLR: u8 = 6;
    /// Visitor location register.
    pub const VLR: u8 = 7;
    /// Serving GPRS support node.
    pub const SGSN: u8 = 149;
}

/// The numbering plans of titles.
//= Q.713 §3.4.2.3.3
pub mod plan {
    /// E.164, telephony.
    pub const E164: u8 = 1;
    /// E.214, mobile global titles.
    pub const E214: u8 = 7;
}

/// Nature of address: international number.
//= Q.713 §3.4.2.3.1
const INTERNATIONAL: u8 = 4;
/// First octet of an AddressString: no extension, international, E.164.
//= TS 29.002 §17.7.8
const ISDN_INTERNATIONAL: u8 = 0x91;
/// Digits of the longest mobile global title.
//= E.214 §4
const E214_DIGITS_MAX: usize = 15;

/// An SCCP address that is routed by a title of this plan; the encoding scheme follows the digits.
#[must_use]
pub fn address(plan: u8, digits: &str, ssn: u8) -> SccpAddress {
    let title = GlobalTitle::Gt0100 {
        translation_type: 0,
        numbering_plan: plan,
        encoding_scheme: if digits.len() % 2 == 1 { 1 } else { 2 },
        nature_of_address: INTERNATIONAL,
        digits: digits.to_owned(),
    };
    SccpAddress::with_gt(title, Some(SubsystemNumber::from_u8(ssn)))
}

/// Plan, digits and subsystem of an address; the plan is 0 and the digits empty without a title.
#[must_use]
pub fn parts(address: &SccpAddress) -> (u8, &str, u8) {
    let ssn = address.ssn.as_ref().map_or(0, SubsystemNumber::value);
    match &address.global_title {
        GlobalTitle::Gt0100 { numbering_plan, digits, .. }
        | GlobalTitle::Gt0011 { numbering_plan, digits, .. } => (*numbering_plan, digits, ssn),
        other => (0, other.digits().unwrap_or_default(), ssn),
    }
}

/// True when a message to `called` was meant for the node `number` with `ssn`: the title may have
/// been translated away on the last hop.
#[must_use]
pub fn is_for(called: &SccpAddress, number: &str, ssn: u8) -> bool {
    let (_, digits, of) = parts(called);
    of == ssn && (digits == number || (digits.is_empty() && called.route_on_ssn))
}

/// Digits two to an octet, the first in the low half, filled up with 0xf.
//= TS 29.002 §17.7.8
// TBCD-STRING
#[must_use]
pub fn tbcd(digits: &str) -> Vec<u8> {
    let value = |c: u8| c.wrapping_sub(b'0') & 0x0f;
    let pair = |pair: &[u8]| match *pair {
        [low, high] => value(high) << 4 | value(low),
        [low] => 0xf0 | value(low),
        _ => 0xff,
    };
    digits.as_bytes().chunks(2).map(pair).collect()
}

/// The IMSI as MAP writes it.
#[must_use]
pub fn imsi(digits: &str) -> Imsi {
    tbcd(digits).into()
}

/// An IMSI's number; `None` when it is not 5 to 15 decimal digits.
#[must_use]
pub fn imsi_number(octets: &[u8]) -> Option<u64> {
    let halves = octets.iter().flat_map(|o| [o & 0x0f, o >> 4]);
    let count = octets.len() * 2;
    let (mut number, mut digits) = (0u64, 0);
    for (place, half) in halves.enumerate() {
        match half {
            0..=9 if digits < 15 => {
                number = number * 10 + u64::from(half);
                digits += 1;
            }
            0xf if place + 1 == count => {}
            _ => return None,
        }
    }
    (digits >= 5).then_some(number)
}

/// An E.164 number as MAP writes it.
#[must_use]
pub fn isdn(digits: &str) -> AddressString {
    let mut octets = vec![ISDN_INTERNATIONAL];
    octets.extend(tbcd(digits));
    octets.into()
}

/// The digits of an AddressString; what is no digit ends it.
#[must_use]
pub fn isdn_digits(octets: &[u8]) -> String {
    let rest = octets.get(1..).unwrap_or_default();
    let halves = rest.iter().flat_map(|o| [o & 0x0f, o >> 4]);
    halves.map_while(|half| char::from_digit(u32::from(half), 10)).collect()
}

/// How an IMSI becomes a mobile global title: the home network's code (E.212) is replaced by its
/// country code and network destination code (E.164). Written `21407=34607`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MobileTitle {
    /// Leading digits of the IMSI, MCC and MNC.
    pub imsi: String,
    /// Leading digits of the title, CC and NDC.
    pub title: String,
}

impl FromStr for MobileTitle {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let wrong = || format!("'{text}' is no title: expected MCCMNC=CCNDC, as in 21407=34607");
        let (imsi, title) = text.split_once('=').ok_or_else(wrong)?;
        let digits =
            |t: &str| !t.is_empty() && t.len() < 15 && t.bytes().all(|b| b.is_ascii_digit());
        if !digits(imsi) || !digits(title) {
            return Err(wrong());
        }
        Ok(Self { imsi: imsi.to_owned(), title: title.to_owned() })
    }
}

impl MobileTitle {
    /// The title of an IMSI, by the first of `list` that fits; without one its own digits.
    //= TS 23.003 §5.1, E.214 §4
    // MCC and MNC become CC and NDC, the MSIN follows, up to 15 digits.
    #[must_use]
    pub fn of(list: &[Self], imsi: &str) -> String {
        let fitting = list.iter().find_map(|t| Some((t, imsi.strip_prefix(t.imsi.as_str())?)));
        let Some((title, msin)) = fitting else { return imsi.to_owned() };
        let mut digits = title.title.clone();
        digits.push_str(msin);
        digits.truncate(E214_DIGITS_MAX);
        digits
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_imsi_becomes_the_customers_title() {
        let list: Vec<MobileTitle> = vec!["21407=34607".parse().unwrap()];
        assert_eq!(MobileTitle::of(&list, "214070000000001"), "346070000000001");
        assert_eq!(MobileTitle::of(&list, "310410000000001"), "310410000000001");
        let long: Vec<MobileTitle> = vec!["21407=3460712".parse().unwrap()];
        assert_eq!(MobileTitle::of(&long, "214070000000001"), "346071200000000");
        assert!("21407".parse::<MobileTitle>().is_err());
    }

    #[test]
    fn digits_are_packed_as_the_standard_shows_them() {
        assert_eq!(tbcd("214070000000001"), [0x12, 0x04, 0x07, 0, 0, 0, 0, 0xf1]);
        assert_eq!(imsi_number(&tbcd("214070000000001")), Some(214_070_000_000_001));
        assert_eq!(imsi_number(&[0x12, 0xff, 0x07]), None);
        assert_eq!(isdn("447700900123").as_ref(), [0x91, 0x44, 0x77, 0, 0x09, 0x10, 0x32]);
        assert_eq!(isdn_digits(&isdn("34607000001")), "34607000001");
    }
}
