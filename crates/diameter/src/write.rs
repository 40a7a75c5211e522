//! Building messages from scratch: only for those that the gateway originates.

use std::net::IpAddr;

use octets::padded_len;

use crate::config::Shared;
use crate::view::{HEADER_OCTETS, Header, MANDATORY, REQUEST, VENDOR, base, code};

/// Appends one message to a buffer; [`Writer::finish`] repairs its length.
pub(crate) struct Writer<'a> {
    out: &'a mut Vec<u8>,
    start: usize,
}

/// A request of the base protocol with who we are; `fill` adds the rest. `ids` are Hop-by-Hop and
/// End-to-End.
pub(crate) fn base_request(
    shared: &Shared,
    command: u32,
    ids: (u32, u32),
    fill: impl FnOnce(&mut Writer<'_>),
) -> Vec<u8> {
    let mut out = Vec::with_capacity(256);
    let header = Header {
        length: 0,
        flags: REQUEST,
        command,
        application: base::APPLICATION,
        hop_by_hop: ids.0,
        end_to_end: ids.1,
    };
    let mut writer = Writer::new(&mut out, &header);
    writer.avp(code::ORIGIN_HOST, shared.config.origin_host.as_bytes());
    writer.avp(code::ORIGIN_REALM, shared.config.origin_realm.as_bytes());
    fill(&mut writer);
    writer.finish();
    out
}

impl<'a> Writer<'a> {
    pub(crate) fn new(out: &'a mut Vec<u8>, header: &Header) -> Self {
        let start = out.len();
        out.extend_from_slice(&header.octets());
        Self { out, start }
    }

    /// An AVP of the base protocol with the M flag.
    pub(crate) fn avp(&mut self, code: u32, data: &[u8]) {
        self.avp_with(code, MANDATORY, 0, data);
    }

    /// The same for a number.
    pub(crate) fn number(&mut self, code: u32, value: u32) {
        self.avp(code, &value.to_be_bytes());
    }

    /// An AVP with these flags; a `vendor` other than 0 adds the V flag.
    pub(crate) fn avp_with(&mut self, code: u32, flags: u8, vendor: u32, data: &[u8]) {
        self.group_with(code, flags, vendor, |inner| inner.out.extend_from_slice(data));
    }

    /// A grouped AVP of the base protocol with the M flag.
    pub(crate) fn group(&mut self, code: u32, fill: impl FnOnce(&mut Self)) {
        self.group_with(code, MANDATORY, 0, fill);
    }

    fn group_with(&mut self, code: u32, flags: u8, vendor: u32, fill: impl FnOnce(&mut Self)) {
        let start = self.out.len();
        let flags = if vendor == 0 { flags } else { flags | VENDOR };
        self.out.extend_from_slice(&code.to_be_bytes());
        self.out.extend_from_slice(&[flags, 0, 0, 0]);
        if vendor != 0 {
            self.out.extend_from_slice(&vendor.to_be_bytes());
        }
        fill(self);
        let length = self.out.len() - start;
        self.length(start + 5, length);
        self.out.resize(start + padded_len(length), 0);
    }

    /// Host-IP-Address.
    //= RFC 6733 §4.3.1
    pub(crate) fn address(&mut self, code: u32, address: IpAddr) {
        match address {
            IpAddr::V4(v4) => {
                let [a, b, c, d] = v4.octets();
                self.avp(code, &[0, 1, a, b, c, d]);
            }
            IpAddr::V6(v6) => {
                let mut data = [0; 18];
                for (to, from) in data.iter_mut().zip([0, 2].into_iter().chain(v6.octets())) {
                    *to = from;
                }
                self.avp(code, &data);
            }
        }
    }

    /// An AVP as it stands elsewhere, padding included; what is missing of that is added.
    pub(crate) fn copy(&mut self, whole: &[u8]) {
        self.out.extend_from_slice(whole);
        let length = padded_len(whole.len()) - whole.len();
        self.out.resize(self.out.len() + length, 0);
    }

    /// Writes the message's length into its header.
    pub(crate) fn finish(mut self) {
        debug_assert!(self.out.len() - self.start >= HEADER_OCTETS);
        let length = self.out.len() - self.start;
        self.length(self.start + 1, length);
    }

    fn length(&mut self, at: usize, length: usize) {
        let [_, a, b, c] = u32::try_from(length).unwrap_or(u32::MAX).to_be_bytes();
        if let Some(slot) = self.out.get_mut(at..at + 3) {
            slot.copy_from_slice(&[a, b, c]);
        }
    }
}
