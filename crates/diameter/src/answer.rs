//! **answer**: what the gateway says itself, and the one table from refusals to codes.
//!
//! An answer of ours carries our own Origin-Host and Origin-Realm, also where steering refuses: a
//! relay may not speak under the HSS's name. An MME cannot tell it from a home network that answers
//! through its own agent.

use procedure::{Act, Code, Domain, Malformed, Refusal};

use crate::config::Shared;
use crate::describe;
use crate::view::{Avps, ERROR, HEADER_OCTETS, Header, PROXIABLE, TGPP, VENDOR, View, code};
use crate::vocabulary::S6A;
use crate::write::Writer;

/// Octets of an offending AVP that are sent back whole; of a longer one only the header is.
const FAILED_AVP_OCTETS_MAX: usize = 512;

/// Auth-Session-State: no state is maintained.
const NO_STATE_MAINTAINED: u32 = 1;

/// DIAMETER_UNABLE_TO_COMPLY.
const UNABLE_TO_COMPLY: u32 = 5012;

const fn experimental(code: u32) -> Code {
    Code::Experimental { vendor: TGPP, code }
}

/// The code that says `refusal` of `act` in `domain`, if the standards allow one. The vendor's are
/// those that the command's own clause lists; the base protocol's fit every command.
//= TS 29.272 §5.2.1.1.2, §5.2.1.2.2, §5.2.1.3.2, §5.2.2.1.2, §5.2.3.1.2, §5.2.5.1.2
//= TS 29.272 §7.4
//= RFC 6733 §7.1
#[must_use]
pub const fn legal(act: Act, domain: Domain, refusal: Refusal) -> Option<Code> {
    use Act::{Authenticate, Notify, Provision, Purge, Register};
    if matches!(domain, Domain::Cs) {
        return None;
    }
    Some(match (refusal, act) {
        (Refusal::RoamingNotAllowed, Register) => experimental(5004),
        (Refusal::RatNotAllowed, Register) => experimental(5421),
        (Refusal::UnknownSubscription, Register | Authenticate) => experimental(5420),
        (Refusal::UnknownSubscriber, Register | Authenticate | Purge | Provision | Notify) => {
            experimental(5001)
        }
        (
            Refusal::RoamingNotAllowed
            | Refusal::RatNotAllowed
            | Refusal::UnknownSubscription
            | Refusal::UnknownSubscriber,
            _,
        ) => return None,
        (Refusal::Unauthorised, _) => Code::Base(5003),
        (Refusal::Congestion, _) => Code::Base(3004),
        (Refusal::Unroutable, _) => Code::Base(3002),
        (Refusal::RealmNotServed, _) => Code::Base(3003),
        (Refusal::Loop, _) => Code::Base(3005),
        (Refusal::SystemFailure, _) => Code::Base(UNABLE_TO_COMPLY),
    })
}

/// The bare number of a code.
#[must_use]
pub(crate) const fn number(code: Code) -> u32 {
    match code {
        Code::Base(code) | Code::Experimental { code, .. } => code,
        _ => 0,
    }
}

/// Our answer to a request that was refused. A refusal that the standard does not know for it is
/// said as an authorisation that was rejected: policies that compile never ask for that.
pub(crate) fn answer(
    shared: &Shared,
    view: &View<'_>,
    refusal: Refusal,
    out: &mut Vec<u8>,
) -> Code {
    let (act, domain) = describe::attempt(view);
    let code = legal(act, domain, refusal).unwrap_or(Code::Base(5003));
    let mut writer = open(shared, &view.header, view.session, code, out);
    copy_proxy_info(&mut writer, view.frame);
    writer.finish();
    code
}

/// Our answer to a request that could not be read. The answers of others are never answered, nor
/// is what has no header to answer to.
//= RFC 6733 §7
pub(crate) fn complain(
    shared: &Shared,
    frame: &[u8],
    malformed: &Malformed,
    out: &mut Vec<u8>,
) -> Code {
    let trusted = frame.first() == Some(&1);
    let header = Header::read(frame).filter(|header| trusted && header.is_request());
    let Some(header) = header else { return Code::None };
    let number = if malformed.code == 0 { UNABLE_TO_COMPLY } else { malformed.code };
    let code = Code::Base(number);
    let mut avps = Avps::new(frame.get(HEADER_OCTETS..).unwrap_or_default(), HEADER_OCTETS);
    //= RFC 6733 §8.8
    // Session-Id stands right behind the header; further in nothing is certain.
    let session = avps.next().and_then(Result::ok).filter(|avp| avp.code == code::SESSION_ID);
    let mut writer = open(shared, &header, session.map(|avp| avp.data), code, out);
    fail_avp(&mut writer, frame, malformed);
    copy_proxy_info(&mut writer, frame);
    writer.finish();
    code
}

/// Our answer to a request of the base protocol, which never asks for more than a Result-Code.
pub(crate) fn base(
    shared: &Shared,
    request: &Header,
    session: Option<&[u8]>,
    code: u32,
    out: &mut Vec<u8>,
) {
    open(shared, request, session, Code::Base(code), out).finish();
}

/// Header, Session-Id, result and our own name: what every answer of ours begins with.
//= RFC 6733 §6.2, §7.2
pub(crate) fn open<'a>(
    shared: &Shared,
    request: &Header,
    session: Option<&[u8]>,
    code: Code,
    out: &'a mut Vec<u8>,
) -> Writer<'a> {
    // The E flag says that the answer follows the base protocol's grammar for errors, not the
    // command's own: so it is for protocol errors and for nothing else.
    let is_protocol_error = matches!(code, Code::Base(3000..=3999));
    let flags = request.flags & PROXIABLE | if is_protocol_error { ERROR } else { 0 };
    let mut writer = Writer::new(out, &Header { flags, length: 0, ..*request });
    if let Some(session) = session {
        writer.avp(code::SESSION_ID, session);
    }
    //= TS 29.272 §7.2.4
    let by_grammar = request.application == S6A && !is_protocol_error;
    if by_grammar {
        writer.group(code::VENDOR_SPECIFIC_APPLICATION_ID, |inner| {
            inner.number(code::VENDOR_ID, TGPP);
            inner.number(code::AUTH_APPLICATION_ID, S6A);
        });
    }
    //= TS 29.272 §7.4.1
    // One or the other, never both.
    match code {
        Code::Experimental { vendor, code } => {
            writer.group(code::EXPERIMENTAL_RESULT, |inner| {
                inner.number(code::VENDOR_ID, vendor);
                inner.number(code::EXPERIMENTAL_RESULT_CODE, code);
            });
        }
        _ => writer.number(code::RESULT_CODE, number(code)),
    }
    if by_grammar {
        writer.number(code::AUTH_SESSION_STATE, NO_STATE_MAINTAINED);
    }
    writer.avp(code::ORIGIN_HOST, shared.config.origin_host.as_bytes());
    writer.avp(code::ORIGIN_REALM, shared.config.origin_realm.as_bytes());
    writer
}

/// Gives stateless proxies before us their state back, in their order.
//= RFC 6733 §6.2
fn copy_proxy_info(writer: &mut Writer<'_>, frame: &[u8]) {
    let avps = Avps::new(frame.get(HEADER_OCTETS..).unwrap_or_default(), HEADER_OCTETS);
    for avp in avps.map_while(Result::ok) {
        if avp.code == code::PROXY_INFO && avp.vendor == 0 {
            writer.copy(avp.whole);
        }
    }
}

/// Failed-AVP: the offending AVP; with no data where its length lied, or where it is missing.
//= RFC 6733 §7.5
pub(crate) fn fail_avp(writer: &mut Writer<'_>, frame: &[u8], malformed: &Malformed) {
    let offset = malformed.offset as usize;
    let at = frame.get(offset..).unwrap_or_default();
    match malformed.code {
        5005 => {
            if let Some(code) = missing(malformed.field) {
                writer.group(code::FAILED_AVP, |inner| inner.avp(code, &[]));
            }
        }
        5009 => {
            let Some(Ok(avp)) = Avps::new(at, offset).next() else { return };
            writer.group(code::FAILED_AVP, |inner| {
                if avp.whole.len() <= FAILED_AVP_OCTETS_MAX {
                    inner.copy(avp.whole);
                } else {
                    inner.avp_with(avp.code, avp.flags, avp.vendor, &[]);
                }
            });
        }
        5014 => {
            let Some(&[a, b, c, d, flags, ..]) = at.first_chunk::<8>() else { return };
            let vendor = at.get(8..).and_then(|rest| rest.first_chunk());
            let vendor = vendor.filter(|_| flags & VENDOR != 0);
            let vendor = vendor.map_or(0, |vendor| u32::from_be_bytes(*vendor));
            let (code, flags) = (u32::from_be_bytes([a, b, c, d]), flags & !VENDOR);
            writer.group(code::FAILED_AVP, |inner| inner.avp_with(code, flags, vendor, &[]));
        }
        _ => {}
    }
}

/// The code of an AVP whose absence somebody complains of.
fn missing(field: &str) -> Option<u32> {
    Some(match field {
        "Origin-Host" => code::ORIGIN_HOST,
        "Origin-Realm" => code::ORIGIN_REALM,
        "Host-IP-Address" => code::HOST_IP_ADDRESS,
        "Vendor-Id" => code::VENDOR_ID,
        "Product-Name" => code::PRODUCT_NAME,
        "Disconnect-Cause" => code::DISCONNECT_CAUSE,
        _ => return None,
    })
}

#[cfg(test)]
mod tests;
