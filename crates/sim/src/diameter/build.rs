//! Building a message: append AVPs to a byte vector, write the length last.

use super::{HEADER, VENDOR_3GPP};

/// The header fields that a sender chooses.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Head {
    /// Command flags: R, P, E and T bits.
    pub flags: u8,
    /// Command code, 24 bits.
    pub command: u32,
    /// Application-Id.
    pub application: u32,
    /// Hop-by-Hop Identifier.
    pub hop_by_hop: u32,
    /// End-to-End Identifier.
    pub end_to_end: u32,
}

/// One message under construction at the end of a borrowed buffer, which may hold others before it.
///
/// Grouped AVPs are opened and closed; [`Message::finish`] must come last, or the length is wrong.
pub struct Message<'a> {
    out: &'a mut Vec<u8>,
    start: usize,
}

impl<'a> Message<'a> {
    /// Starts a message behind what `out` already holds.
    //= RFC 6733 §3
    // Version 1, a 24-bit length over header and padded AVPs, flags, a 24-bit command code.
    pub fn new(out: &'a mut Vec<u8>, head: Head) -> Self {
        let start = out.len();
        let [_, c1, c2, c3] = head.command.to_be_bytes();
        out.extend_from_slice(&[1, 0, 0, 0, head.flags, c1, c2, c3]);
        out.extend_from_slice(&head.application.to_be_bytes());
        out.extend_from_slice(&head.hop_by_hop.to_be_bytes());
        out.extend_from_slice(&head.end_to_end.to_be_bytes());
        debug_assert_eq!(out.len() - start, HEADER);
        Self { out, start }
    }

    //= RFC 6733 §4.1
    // The AVP length counts header and data but not the padding to a multiple of four.
    fn avp(&mut self, code: u32, flags: u8, vendor: Option<u32>, data: &[u8]) {
        let header = if vendor.is_some() { 12 } else { 8 };
        let [_, l1, l2, l3] = u32::try_from(header + data.len()).unwrap_or(u32::MAX).to_be_bytes();
        self.out.extend_from_slice(&code.to_be_bytes());
        self.out.extend_from_slice(&[flags, l1, l2, l3]);
        if let Some(vendor) = vendor {
            self.out.extend_from_slice(&vendor.to_be_bytes());
        }
        self.out.extend_from_slice(data);
        self.pad();
    }

    fn pad(&mut self) {
        while !(self.out.len() - self.start).is_multiple_of(4) {
            self.out.push(0);
        }
    }

    /// Appends a base AVP with the M bit.
    pub fn bytes(&mut self, code: u32, data: &[u8]) -> &mut Self {
        self.avp(code, 0x40, None, data);
        self
    }

    /// Appends a base AVP without the M bit.
    pub fn optional(&mut self, code: u32, data: &[u8]) -> &mut Self {
        self.avp(code, 0, None, data);
        self
    }

    /// Appends a base AVP of type Unsigned32 or Enumerated, with the M bit.
    pub fn number(&mut self, code: u32, value: u32) -> &mut Self {
        self.bytes(code, &value.to_be_bytes())
    }

    /// Appends a 3GPP AVP with the M and V bits.
    pub fn bytes_3gpp(&mut self, code: u32, data: &[u8]) -> &mut Self {
        self.avp(code, 0xc0, Some(VENDOR_3GPP), data);
        self
    }

    /// Appends a 3GPP AVP of type Unsigned32 or Enumerated, with the M and V bits.
    pub fn number_3gpp(&mut self, code: u32, value: u32) -> &mut Self {
        self.bytes_3gpp(code, &value.to_be_bytes())
    }

    /// Appends a grouped base AVP (M bit) whose content `fill` writes.
    pub fn group(&mut self, code: u32, fill: impl FnOnce(&mut Self)) -> &mut Self {
        self.nested(code, 0x40, None, fill)
    }

    /// Appends a grouped 3GPP AVP (M and V bits) whose content `fill` writes.
    pub fn group_3gpp(&mut self, code: u32, fill: impl FnOnce(&mut Self)) -> &mut Self {
        self.nested(code, 0xc0, Some(VENDOR_3GPP), fill)
    }

    fn nested(
        &mut self,
        code: u32,
        flags: u8,
        vendor: Option<u32>,
        fill: impl FnOnce(&mut Self),
    ) -> &mut Self {
        let at = self.out.len();
        self.avp(code, flags, vendor, &[]);
        fill(self);
        let length = self.out.len() - at;
        put24(self.out, at + 5, length);
        self
    }

    /// Appends bytes that already are whole, padded AVPs.
    pub fn raw(&mut self, avps: &[u8]) -> &mut Self {
        self.out.extend_from_slice(avps);
        self.pad();
        self
    }

    /// Writes the Message Length and returns the offset in the buffer at which this message starts.
    pub fn finish(self) -> usize {
        let length = self.out.len() - self.start;
        put24(self.out, self.start + 1, length);
        self.start
    }
}

fn put24(out: &mut [u8], at: usize, value: usize) {
    let [_, a, b, c] = u32::try_from(value).unwrap_or(u32::MAX).to_be_bytes();
    if let Some(place) = out.get_mut(at..at + 3) {
        place.copy_from_slice(&[a, b, c]);
    }
}
