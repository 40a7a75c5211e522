//! Attribute-Value Pairs, as an iterator over the frame.

use octets::padded_len;
use procedure::{Layer, Malformed};

/// AVP codes that the gateway itself reads or writes.
#[allow(missing_docs, reason = "the standards' own names")]
pub mod code {
    pub const USER_NAME: u32 = 1;
    pub const HOST_IP_ADDRESS: u32 = 257;
    pub const AUTH_APPLICATION_ID: u32 = 258;
    pub const ACCT_APPLICATION_ID: u32 = 259;
    pub const VENDOR_SPECIFIC_APPLICATION_ID: u32 = 260;
    pub const SESSION_ID: u32 = 263;
    pub const ORIGIN_HOST: u32 = 264;
    pub const SUPPORTED_VENDOR_ID: u32 = 265;
    pub const VENDOR_ID: u32 = 266;
    pub const FIRMWARE_REVISION: u32 = 267;
    pub const RESULT_CODE: u32 = 268;
    pub const PRODUCT_NAME: u32 = 269;
    pub const DISCONNECT_CAUSE: u32 = 273;
    pub const AUTH_SESSION_STATE: u32 = 277;
    pub const ORIGIN_STATE_ID: u32 = 278;
    pub const FAILED_AVP: u32 = 279;
    pub const ERROR_MESSAGE: u32 = 281;
    pub const ROUTE_RECORD: u32 = 282;
    pub const DESTINATION_REALM: u32 = 283;
    pub const PROXY_INFO: u32 = 284;
    pub const DESTINATION_HOST: u32 = 293;
    pub const ORIGIN_REALM: u32 = 296;
    pub const EXPERIMENTAL_RESULT: u32 = 297;
    pub const EXPERIMENTAL_RESULT_CODE: u32 = 298;
    pub const INBAND_SECURITY_ID: u32 = 299;
    pub const RAT_TYPE: u32 = 1032;
    pub const TERMINAL_INFORMATION: u32 = 1401;
    pub const IMEI: u32 = 1402;
    pub const ULR_FLAGS: u32 = 1405;
    pub const VISITED_PLMN_ID: u32 = 1407;
    pub const REQUESTED_EUTRAN_AUTHENTICATION_INFO: u32 = 1408;
    pub const REQUESTED_UTRAN_GERAN_AUTHENTICATION_INFO: u32 = 1409;
}

/// V: a Vendor-ID follows.
pub const VENDOR: u8 = 0x80;
/// M: who does not know it must refuse the message.
pub const MANDATORY: u8 = 0x40;

/// One AVP where it stands.
#[derive(Clone, Copy, Debug)]
pub struct Avp<'a> {
    /// AVP Code.
    pub code: u32,
    /// V, M and P.
    pub flags: u8,
    /// Vendor-ID, 0 without one.
    pub vendor: u32,
    /// What it carries.
    pub data: &'a [u8],
    /// Header, data and padding.
    pub whole: &'a [u8],
}

impl Avp<'_> {
    /// The data as one unsigned number.
    #[must_use]
    #[inline]
    pub fn number(&self) -> Option<u32> {
        Some(u32::from_be_bytes(self.data.try_into().ok()?))
    }
}

/// The AVPs in a run of octets, which is a message without its header or a grouped AVP's data.
/// Ends after the first error.
#[derive(Clone, Copy, Debug)]
pub struct Avps<'a> {
    rest: &'a [u8],
    /// Where `rest` ends in the frame.
    end: usize,
}

impl<'a> Avps<'a> {
    /// Over `octets`, which stand at `offset` in their frame.
    #[must_use]
    #[inline]
    pub const fn new(octets: &'a [u8], offset: usize) -> Self {
        Self { rest: octets, end: offset + octets.len() }
    }

    /// Where the next AVP begins in the frame.
    #[must_use]
    #[inline]
    pub const fn offset(&self) -> usize {
        self.end - self.rest.len()
    }

    #[cold]
    fn fail(&mut self, why: &'static str) -> Malformed {
        let offset = u32::try_from(self.offset()).unwrap_or(u32::MAX);
        self.rest = &[];
        Malformed { layer: Layer::Diameter, field: "AVP Length", offset, why, code: 5014 }
    }
}

impl<'a> Iterator for Avps<'a> {
    type Item = Result<Avp<'a>, Malformed>;

    //= RFC 6733 §4.1
    #[inline]
    fn next(&mut self) -> Option<Self::Item> {
        let rest = self.rest;
        if rest.is_empty() {
            return None;
        }
        let Some(&[a, b, c, d, flags, e, f, g]) = rest.first_chunk() else {
            return Some(Err(self.fail("leaves no room for an AVP's header")));
        };
        let code = u32::from_be_bytes([a, b, c, d]);
        let length = u32::from_be_bytes([0, e, f, g]) as usize;
        let (vendor, head) = if flags & VENDOR == 0 {
            (0, 8)
        } else {
            let vendor = rest.get(8..).and_then(|rest| rest.first_chunk());
            (vendor.map_or(0, |vendor| u32::from_be_bytes(*vendor)), 12)
        };
        let Some(data) = rest.get(head..length) else {
            let why = if length < head {
                "is shorter than the AVP's header"
            } else {
                "reaches past the end of what encloses it"
            };
            return Some(Err(self.fail(why)));
        };
        // The frame's length is a multiple of four, so padding is missing only inside a group,
        // where the last AVP may go without.
        let (whole, rest) = rest.split_at_checked(padded_len(length)).unwrap_or((rest, &[]));
        self.rest = rest;
        Some(Ok(Avp { code, flags, vendor, data, whole }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    type Read = (u32, u32, Vec<u8>);

    fn read(octets: &[u8]) -> Vec<Result<Read, Malformed>> {
        Avps::new(octets, 20)
            .map(|avp| avp.map(|avp| (avp.code, avp.vendor, avp.data.to_vec())))
            .collect()
    }

    #[test]
    fn reads_with_and_without_vendor() {
        let octets = [
            0, 0, 1, 7, 0x40, 0, 0, 9, b'x', 0, 0, 0, // Session-Id "x" and padding
            0, 0, 5, 127, 0xc0, 0, 0, 15, 0, 0, 0x28, 0xaf, 0x12, 0xf4, 0x70, 0,
        ];
        let avps = read(&octets);
        assert_eq!(avps[0], Ok((263, 0, b"x".to_vec())));
        assert_eq!(avps[1], Ok((1407, 10_415, vec![0x12, 0xf4, 0x70])));
    }

    #[test]
    fn lengths_that_lie_are_errors() {
        let cases: [&[u8]; 5] = [
            &[0, 0, 1, 7, 0x40, 0, 0, 0],              // zero length
            &[0, 0, 1, 7, 0x40, 0, 0, 7],              // shorter than its header
            &[0, 0, 1, 7, 0xc0, 0, 0, 8, 0, 0, 0, 1],  // V, and no room for the vendor
            &[0, 0, 1, 7, 0x40, 0, 0, 13, 1, 2, 3, 4], // past the end
            &[0, 0, 1, 7],                             // no header
        ];
        for octets in cases {
            let avps = read(octets);
            assert_eq!(avps.len(), 1, "{octets:?}");
            let error = avps[0].clone().expect_err("an error");
            assert_eq!((error.code, error.offset, error.field), (5014, 20, "AVP Length"));
        }
    }
}
