//! **view**: one validating pass over a frame that remembers where the few fields stand that the
//! other verbs need. Nothing is copied or allocated; what is unknown is only measured.

mod avp;
mod header;

pub use avp::{Avp, Avps, MANDATORY, VENDOR, code};
pub use header::{
    ERROR, HEADER_OCTETS, Header, PROXIABLE, REPEATED, REQUEST, base, check, frame_octets,
};

use procedure::{Code, Layer, Malformed};

use crate::config::same_name;
use crate::vocabulary::S6A;

/// 3GPP's Vendor-Id.
pub const TGPP: u32 = 10_415;

/// What a pass is measured against.
#[derive(Clone, Copy, Debug)]
pub struct Limits<'a> {
    /// Most octets of a frame.
    pub frame_octets_max: usize,
    /// Most AVPs at the outer level of a message.
    pub avps_max: usize,
    /// Our own identity, to find it among the Route-Records.
    pub identity: &'a [u8],
}

/// A message whose framing is sound, with its needed fields found.
#[derive(Clone, Copy, Debug)]
pub struct View<'a> {
    /// The whole frame.
    pub frame: &'a [u8],
    /// Its header.
    pub header: Header,
    /// Session-Id.
    pub session: Option<&'a [u8]>,
    /// Origin-Host.
    pub origin_host: Option<&'a [u8]>,
    /// Origin-Realm.
    pub origin_realm: Option<&'a [u8]>,
    /// Destination-Host.
    pub destination_host: Option<&'a [u8]>,
    /// Destination-Realm.
    pub destination_realm: Option<&'a [u8]>,
    /// User-Name: the IMSI in 3GPP's subscriber applications.
    pub user_name: Option<&'a [u8]>,
    /// Visited-PLMN-Id.
    pub visited: Option<&'a [u8]>,
    /// RAT-Type.
    pub rat: Option<u32>,
    /// ULR-Flags.
    pub ulr_flags: Option<u32>,
    /// IMEI of the Terminal-Information.
    pub imei: Option<&'a [u8]>,
    /// An AIR asks for E-UTRAN vectors.
    pub wants_eutran: bool,
    /// An AIR asks for UTRAN or GERAN vectors.
    pub wants_utran: bool,
    /// Result-Code, or else Experimental-Result.
    pub result: Code,
    /// Our own identity stands in a Route-Record.
    pub routed: bool,
}

impl<'a> View<'a> {
    /// Checks a whole frame and finds its fields.
    ///
    /// # Errors
    /// What is wrong, where, and the Result-Code that says so.
    #[inline]
    pub fn new(frame: &'a [u8], limits: &Limits<'_>) -> Result<Self, Malformed> {
        let header = check(frame, limits.frame_octets_max)?;
        let mut view = Self::empty(frame, header);
        let avps = frame.get(HEADER_OCTETS..).unwrap_or_default();
        let mut avps = Avps::new(avps, HEADER_OCTETS);
        let mut count = 0_usize;
        loop {
            let offset = avps.offset();
            let Some(avp) = avps.next() else { break };
            count += 1;
            if count > limits.avps_max {
                return Err(complaint("AVP", offset, "is one more than the limit", 5009));
            }
            let again = view.take(&avp?, limits);
            if let (Some(field), true) = (again, header.is_request()) {
                return Err(complaint(field, offset, "occurs a second time", 5009));
            }
        }
        if header.is_request() {
            view.check_request()?;
        }
        Ok(view)
    }

    const fn empty(frame: &'a [u8], header: Header) -> Self {
        Self {
            frame,
            header,
            session: None,
            origin_host: None,
            origin_realm: None,
            destination_host: None,
            destination_realm: None,
            user_name: None,
            visited: None,
            rat: None,
            ulr_flags: None,
            imei: None,
            wants_eutran: false,
            wants_utran: false,
            result: Code::None,
            routed: false,
        }
    }

    /// Keeps what is needed of one AVP. Says the field's name when it stood there before: what
    /// screening reads must be what the far end reads, so a request has each of them once.
    #[inline]
    fn take(&mut self, avp: &Avp<'a>, limits: &Limits<'_>) -> Option<&'static str> {
        if avp.vendor != 0 {
            return self.take_vendor(avp);
        }
        let (slot, name) = match avp.code {
            code::SESSION_ID => (&mut self.session, "Session-Id"),
            code::ORIGIN_HOST => (&mut self.origin_host, "Origin-Host"),
            code::ORIGIN_REALM => (&mut self.origin_realm, "Origin-Realm"),
            code::DESTINATION_HOST => (&mut self.destination_host, "Destination-Host"),
            code::DESTINATION_REALM => (&mut self.destination_realm, "Destination-Realm"),
            code::USER_NAME => {
                let again = self.user_name.is_some() && self.header.application == S6A;
                self.user_name = self.user_name.or(Some(avp.data));
                return again.then_some("User-Name");
            }
            code::ROUTE_RECORD => {
                self.routed |= same_name(avp.data, limits.identity);
                return None;
            }
            code::RESULT_CODE => {
                if let Some(number) = avp.number() {
                    self.result = Code::Base(number);
                }
                return None;
            }
            code::EXPERIMENTAL_RESULT => {
                if self.result == Code::None {
                    self.result = experimental(avp);
                }
                return None;
            }
            _ => return None,
        };
        if slot.is_some() {
            return Some(name);
        }
        *slot = Some(avp.data);
        None
    }

    /// The same for 3GPP's AVPs; those of other vendors are passed over.
    #[inline]
    fn take_vendor(&mut self, avp: &Avp<'a>) -> Option<&'static str> {
        if avp.vendor != TGPP || self.header.application != S6A {
            return None;
        }
        match avp.code {
            code::VISITED_PLMN_ID => {
                let before = self.visited.replace(avp.data);
                before.map(|_| "Visited-PLMN-Id")
            }
            code::RAT_TYPE => {
                let before = std::mem::replace(&mut self.rat, avp.number());
                before.map(|_| "RAT-Type")
            }
            code::ULR_FLAGS => {
                let before = std::mem::replace(&mut self.ulr_flags, avp.number());
                before.map(|_| "ULR-Flags")
            }
            code::TERMINAL_INFORMATION => {
                let mut inner = Avps::new(avp.data, 0).map_while(Result::ok);
                self.imei = inner.find(|avp| avp.code == code::IMEI).map(|avp| avp.data);
                None
            }
            code::REQUESTED_EUTRAN_AUTHENTICATION_INFO => {
                self.wants_eutran = true;
                None
            }
            code::REQUESTED_UTRAN_GERAN_AUTHENTICATION_INFO => {
                self.wants_utran = true;
                None
            }
            _ => None,
        }
    }

    /// What a request must have to be relayed, whatever its application.
    fn check_request(&self) -> Result<(), Malformed> {
        if self.header.is_base() {
            return Ok(());
        }
        //= RFC 6733 §3
        // Without P the message is for us, and we are no application's server.
        if self.header.flags & PROXIABLE == 0 {
            return Err(complaint("Command Flags", 4, "forbid relaying", 3007));
        }
        //= RFC 6733 §6.3, §6.4
        if self.origin_host.is_none() {
            return Err(complaint("Origin-Host", self.frame.len(), "is missing", 5005));
        }
        if self.origin_realm.is_none() {
            return Err(complaint("Origin-Realm", self.frame.len(), "is missing", 5005));
        }
        Ok(())
    }

    /// The AVPs of the frame; the pass already found them sound.
    pub fn avps(&self) -> impl Iterator<Item = Avp<'a>> + use<'a> {
        let avps = self.frame.get(HEADER_OCTETS..).unwrap_or_default();
        Avps::new(avps, HEADER_OCTETS).map_while(Result::ok)
    }
}

#[cold]
pub(crate) fn complaint(
    field: &'static str,
    offset: usize,
    why: &'static str,
    code: u32,
) -> Malformed {
    let offset = u32::try_from(offset).unwrap_or(u32::MAX);
    Malformed { layer: Layer::Diameter, field, offset, why, code }
}

/// The vendor and the code inside an Experimental-Result; nothing if either cannot be read.
//= RFC 6733 §7.6
fn experimental(group: &Avp<'_>) -> Code {
    let (mut vendor, mut code) = (None, None);
    for avp in Avps::new(group.data, 0).map_while(Result::ok) {
        match avp.code {
            code::VENDOR_ID => vendor = avp.number(),
            code::EXPERIMENTAL_RESULT_CODE => code = avp.number(),
            _ => {}
        }
    }
    match (vendor, code) {
        (Some(vendor), Some(code)) => Code::Experimental { vendor, code },
        _ => Code::None,
    }
}

#[cfg(test)]
mod tests;
