//! Called and calling party addresses, and the global titles in them.

use procedure::{Digits, Malformed};

use super::malformed;
use crate::view::m3ua::PointCode;

/// Subsystem numbers.
//= Q.713 §3.4.2.2
//= TS 23.003 §8
#[allow(missing_docs, reason = "the standard's own names")]
pub mod ssn {
    pub const MANAGEMENT: u8 = 1;
    pub const HLR: u8 = 6;
    pub const VLR: u8 = 7;
    pub const MSC: u8 = 8;
    pub const EIR: u8 = 9;
    pub const AUC: u8 = 10;
    pub const CAP: u8 = 146;
    pub const GMLC: u8 = 145;
    pub const GSMSCF: u8 = 147;
    pub const SGSN: u8 = 149;
    pub const GGSN: u8 = 150;
}

/// Longest address.
pub const ADDRESS_OCTETS_MAX: usize = 32;

/// An address as it lies in the message.
//= Q.713 §3.4
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Address<'a> {
    /// Its octets, without their length.
    pub octets: &'a [u8],
    /// Route on subsystem number rather than on the title.
    pub routes_on_ssn: bool,
    /// Point code, where it has one.
    pub point_code: Option<PointCode>,
    /// Subsystem number, where it has one; 0 is "not known".
    pub ssn: Option<u8>,
    /// Global title, where it has one.
    pub title: Option<Title<'a>>,
}

/// A global title.
//= Q.713 §3.4.2.3
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Title<'a> {
    /// Which of the fields there are: 1 to 4.
    pub indicator: u8,
    /// Translation type.
    pub translation_type: Option<u8>,
    /// Numbering plan: 1 E.164, 6 E.212, 7 E.214.
    pub plan: Option<u8>,
    /// Encoding scheme: 1 BCD with an odd number of digits, 2 even.
    pub encoding: Option<u8>,
    /// Nature of address: 4 international.
    pub nature: Option<u8>,
    /// The digits, two an octet, the first in the low half.
    pub bcd: &'a [u8],
    /// The last half octet is filler.
    pub is_odd: bool,
}

/// Numbering plans.
//= Q.713 §3.4.2.3.3
#[allow(missing_docs, reason = "the standard's own names")]
pub mod plan {
    pub const E164: u8 = 1;
    pub const E212: u8 = 6;
    pub const E214: u8 = 7;
}

impl<'a> Address<'a> {
    /// Reads an address; `at` is where it lies in the message, for complaints.
    ///
    /// # Errors
    /// It ends before what it says it has.
    #[inline]
    pub fn new(octets: &'a [u8], at: usize, ansi: bool) -> Result<Self, Malformed> {
        let Some((indicator, rest)) = octets.split_first() else {
            return Ok(Self::default());
        };
        if octets.len() > ADDRESS_OCTETS_MAX {
            return Err(malformed("Address", at, "too long"));
        }
        let short = || malformed("Address", at, "ends before what its indicator says");
        let mut parts = Cursor(rest);
        let (point_code, ssn) = if ansi && indicator & 0x80 != 0 {
            //= T1.112.3 §3.4
            let ssn = if indicator & 1 != 0 { Some(parts.one().ok_or_else(short)?) } else { None };
            let code = if indicator & 2 != 0 {
                let [a, b, c] = parts.take().ok_or_else(short)?;
                Some(PointCode(u32::from_be_bytes([0, c, b, a])))
            } else {
                None
            };
            (code, ssn)
        } else {
            let code = if indicator & 1 != 0 {
                let [low, high] = parts.take().ok_or_else(short)?;
                Some(PointCode(u32::from(low) | u32::from(high & 0x3f) << 8))
            } else {
                None
            };
            let ssn = if indicator & 2 != 0 { Some(parts.one().ok_or_else(short)?) } else { None };
            (code, ssn)
        };
        let is_ansi = ansi && indicator & 0x80 != 0;
        let title = match indicator >> 2 & 0x0f {
            0 => None,
            kind => Some(Title::read(kind, parts, is_ansi).ok_or_else(short)?),
        };
        Ok(Self { octets, routes_on_ssn: indicator & 0x40 != 0, point_code, ssn, title })
    }
}

struct Cursor<'a>(&'a [u8]);

impl Cursor<'_> {
    fn one(&mut self) -> Option<u8> {
        let (first, rest) = self.0.split_first()?;
        self.0 = rest;
        Some(*first)
    }

    fn take<const N: usize>(&mut self) -> Option<[u8; N]> {
        let (first, rest) = self.0.split_first_chunk()?;
        self.0 = rest;
        Some(*first)
    }
}

impl<'a> Title<'a> {
    fn read(indicator: u8, mut parts: Cursor<'a>, ansi: bool) -> Option<Self> {
        let (mut translation_type, mut plan, mut nature) = (None, None, None);
        let mut is_odd = false;
        // ANSI's first is ITU's third.
        let fields = if ansi && indicator == 1 { 3 } else { indicator };
        match fields {
            1 => {
                let octet = parts.one()?;
                (nature, is_odd) = (Some(octet & 0x7f), octet & 0x80 != 0);
            }
            2 => translation_type = Some(parts.one()?),
            3 => {
                translation_type = Some(parts.one()?);
                plan = Some(parts.one()?);
            }
            4 => {
                translation_type = Some(parts.one()?);
                plan = Some(parts.one()?);
                nature = Some(parts.one()? & 0x7f);
            }
            // What it has is not known; it can only be passed on.
            _ => {}
        }
        let encoding = plan.map(|octet| octet & 0x0f);
        is_odd |= encoding == Some(1);
        let plan = plan.map(|octet| octet >> 4);
        let bcd = if fields <= 4 { parts.0 } else { &[] };
        Some(Self { indicator, translation_type, plan, encoding, nature, bcd, is_odd })
    }

    /// The digits, up to the first 19; what is no decimal digit ends them.
    #[must_use]
    #[inline]
    pub fn digits(&self) -> Digits {
        let mut digits = Digits::EMPTY;
        for (place, octet) in self.bcd.iter().enumerate() {
            let is_last = place + 1 == self.bcd.len();
            for half in
                [octet & 0x0f, octet >> 4].into_iter().take(2 - usize::from(is_last && self.is_odd))
            {
                match digits.with(half) {
                    Some(more) => digits = more,
                    None => return digits,
                }
            }
        }
        digits
    }
}
