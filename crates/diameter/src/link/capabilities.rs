//! CER and CEA: who we are, and whether the other is who we think.

use octets::be32;
use procedure::{Code, Malformed};

use crate::answer;
use crate::config::{PeerConfig, Shared};
use crate::view::{
    Avp, Avps, HEADER_OCTETS, Header, Limits, REQUEST, TGPP, base, check, code, complaint,
};
use crate::write::{Writer, base_request};

/// The application that a relay advertises: it has every other in common.
//= RFC 6733 §2.4
const RELAY: u32 = 0xffff_ffff;
/// DIAMETER_SUCCESS.
const SUCCESS: u32 = 2001;

/// What a CER or CEA says of its sender.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Capabilities<'a> {
    pub(crate) header: Header,
    pub(crate) origin_host: Option<&'a [u8]>,
    origin_realm: Option<&'a [u8]>,
    result: Option<u32>,
    has_address: bool,
    has_vendor: bool,
    has_product: bool,
    /// It advertises some application, the relay's included.
    has_application: bool,
    /// It wants TLS inside this connection.
    wants_tls: bool,
    /// It can do without.
    wants_none: bool,
}

impl<'a> Capabilities<'a> {
    /// Reads one CER or CEA.
    //= RFC 6733 §5.3.1, §5.3.2
    pub(crate) fn read(frame: &'a [u8], limits: &Limits<'_>) -> Result<Self, Malformed> {
        let header = check(frame, limits.frame_octets_max)?;
        let mut read = Self {
            header,
            origin_host: None,
            origin_realm: None,
            result: None,
            has_address: false,
            has_vendor: false,
            has_product: false,
            has_application: false,
            wants_tls: false,
            wants_none: false,
        };
        let octets = frame.get(HEADER_OCTETS..).unwrap_or_default();
        let mut avps = Avps::new(octets, HEADER_OCTETS);
        for count in 0.. {
            let offset = avps.offset();
            let Some(avp) = avps.next() else { break };
            if count >= limits.avps_max {
                return Err(complaint("AVP", offset, "is one more than the limit", 5009));
            }
            if let Some(field) = read.take(&avp?) {
                return Err(complaint(field, offset, "occurs a second time", 5009));
            }
        }
        Ok(read)
    }

    /// Keeps what is needed of one AVP; says the name of one that may not come again.
    fn take(&mut self, avp: &Avp<'a>) -> Option<&'static str> {
        if avp.vendor != 0 {
            return None;
        }
        let once = |seen: &mut bool, name| std::mem::replace(seen, true).then_some(name);
        match avp.code {
            code::ORIGIN_HOST => {
                return self.origin_host.replace(avp.data).map(|_| "Origin-Host");
            }
            code::ORIGIN_REALM => {
                return self.origin_realm.replace(avp.data).map(|_| "Origin-Realm");
            }
            code::VENDOR_ID => return once(&mut self.has_vendor, "Vendor-Id"),
            code::PRODUCT_NAME => return once(&mut self.has_product, "Product-Name"),
            code::RESULT_CODE => self.result = self.result.or(avp.number()),
            code::HOST_IP_ADDRESS => self.has_address = true,
            code::AUTH_APPLICATION_ID | code::ACCT_APPLICATION_ID => self.has_application = true,
            code::VENDOR_SPECIFIC_APPLICATION_ID => {
                let mut inside = Avps::new(avp.data, 0).map_while(Result::ok);
                self.has_application |= inside.any(|avp| {
                    matches!(avp.code, code::AUTH_APPLICATION_ID | code::ACCT_APPLICATION_ID)
                });
            }
            code::INBAND_SECURITY_ID => match avp.number() {
                Some(0) => self.wants_none = true,
                _ => self.wants_tls = true,
            },
            _ => {}
        }
        None
    }

    /// Whether this is `peer`, complete, and has something in common with us.
    //= RFC 6733 §5.3
    pub(crate) fn verify(&self, peer: &PeerConfig) -> Result<(), Malformed> {
        let end = self.header.length as usize;
        let missing = |field| Err(complaint(field, end, "is missing", 5005));
        let Some(host) = self.origin_host else { return missing("Origin-Host") };
        let Some(realm) = self.origin_realm else { return missing("Origin-Realm") };
        if !self.has_address {
            return missing("Host-IP-Address");
        }
        if !self.has_vendor {
            return missing("Vendor-Id");
        }
        if !self.has_product {
            return missing("Product-Name");
        }
        let differs = |field| Err(complaint(field, HEADER_OCTETS, "is not the peer's", 3010));
        if !host.eq_ignore_ascii_case(peer.origin_host.as_bytes()) {
            return differs("Origin-Host");
        }
        if !realm.eq_ignore_ascii_case(peer.realm.as_bytes()) {
            return differs("Origin-Realm");
        }
        if !self.has_application {
            return Err(complaint("Auth-Application-Id", end, "names none at all", 5010));
        }
        //= RFC 6733 §13.1
        // TLS is negotiated before the first CER or not at all.
        if self.wants_tls && !self.wants_none {
            return Err(complaint("Inband-Security-Id", end, "asks for TLS in this place", 5017));
        }
        Ok(())
    }

    /// What a CEA that means success must say; the code that it says instead.
    pub(crate) fn succeeded(&self) -> Result<(), Malformed> {
        match self.result {
            Some(2000..=2999) => Ok(()),
            Some(code) => Err(complaint("Result-Code", HEADER_OCTETS, "is not success", code)),
            None => Err(complaint("Result-Code", HEADER_OCTETS, "is missing", 5005)),
        }
    }
}

/// Our CER.
pub(crate) fn request(shared: &Shared, hop_by_hop: u32, end_to_end: u32) -> Vec<u8> {
    base_request(shared, base::CAPABILITIES, (hop_by_hop, end_to_end), |writer| {
        introduce(shared, writer);
    })
}

/// Our CEA to a CER that we accept.
pub(crate) fn accept(shared: &Shared, cer: &Header) -> Vec<u8> {
    let mut out = Vec::with_capacity(256);
    let mut writer = answer::open(shared, cer, None, Code::Base(SUCCESS), &mut out);
    introduce(shared, &mut writer);
    writer.finish();
    out
}

/// Our CEA to a CER that we do not accept.
pub(crate) fn refuse(shared: &Shared, frame: &[u8], malformed: &Malformed) -> Vec<u8> {
    let mut out = Vec::with_capacity(256);
    let Some(header) = Header::read(frame).filter(Header::is_request) else { return out };
    let code = Code::Base(malformed.code);
    let mut writer = answer::open(shared, &header, None, code, &mut out);
    //= RFC 6733 §7.2
    // A protocol error is told by the base protocol's grammar, any other by the command's own.
    if !(3000..4000).contains(&malformed.code) {
        introduce(shared, &mut writer);
        answer::fail_avp(&mut writer, frame, malformed);
    }
    writer.finish();
    out
}

/// Our CEA to a CER that came too much.
//= RFC 6733 §7.1.4
pub(crate) fn lose(shared: &Shared, cer: &Header) -> Vec<u8> {
    let mut out = Vec::with_capacity(256);
    let mut writer = answer::open(shared, cer, None, Code::Base(4003), &mut out);
    introduce(shared, &mut writer);
    writer.finish();
    out
}

/// What we say of ourselves besides our name.
fn introduce(shared: &Shared, writer: &mut Writer<'_>) {
    let config = &shared.config;
    for address in &config.host_addresses {
        writer.address(code::HOST_IP_ADDRESS, *address);
    }
    if config.host_addresses.is_empty() {
        writer.address(code::HOST_IP_ADDRESS, std::net::Ipv4Addr::UNSPECIFIED.into());
    }
    writer.number(code::VENDOR_ID, config.vendor_id);
    writer.avp_with(code::PRODUCT_NAME, 0, 0, config.product_name.as_bytes());
    writer.number(code::ORIGIN_STATE_ID, config.origin_state_id);
    writer.number(code::SUPPORTED_VENDOR_ID, TGPP);
    writer.number(code::AUTH_APPLICATION_ID, RELAY);
}

/// Whether the frame is a CER.
pub(crate) fn is_request(frame: &[u8]) -> bool {
    let command = be32(frame, 4).map(|word| word & 0x80ff_ffff);
    command == Some(u32::from(REQUEST) << 24 | base::CAPABILITIES)
}
