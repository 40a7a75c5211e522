//! Base-protocol messages of a simulated peer: CER, CEA, DWR, DWA, DPR, DPA and errors.

use std::net::IpAddr;

use super::build::{Head, Message};
use super::parse::{Avp, Message as Parsed};
use super::{FLAG_ERROR, FLAG_PROXIABLE, FLAG_REQUEST, RELAY, S6A, VENDOR_3GPP};
use super::{avp, command, result};

/// Who a simulated peer says it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Identity {
    /// Origin-Host, a fully qualified name.
    pub host: String,
    /// Origin-Realm.
    pub realm: String,
    /// Product-Name in capabilities exchange.
    pub product: String,
    /// Origin-State-Id: grows at every restart of the peer (RFC 6733 §8.16).
    pub state_id: u32,
}

impl Identity {
    /// An identity whose realm is what follows the host's first label.
    #[must_use]
    pub fn new(host: &str) -> Self {
        let realm = host.split_once('.').map_or(host, |(_, realm)| realm);
        Self { host: host.into(), realm: realm.into(), product: "ipxsim".into(), state_id: 1 }
    }

    pub(crate) fn write(&self, message: &mut Message<'_>) {
        message
            .bytes(avp::ORIGIN_HOST, self.host.as_bytes())
            .bytes(avp::ORIGIN_REALM, self.realm.as_bytes());
    }
}

fn request(command: u32, ids: (u32, u32)) -> Head {
    Head { flags: FLAG_REQUEST, command, application: 0, hop_by_hop: ids.0, end_to_end: ids.1 }
}

/// The answer's header: the request's with R and T cleared, P kept.
pub(crate) fn answer_head(request: &Parsed<'_>, error: bool) -> Head {
    Head {
        flags: (request.flags & FLAG_PROXIABLE) | if error { FLAG_ERROR } else { 0 },
        command: request.command,
        application: request.application,
        hop_by_hop: request.hop_by_hop,
        end_to_end: request.end_to_end,
    }
}

//= RFC 6733 §4.3.1
// Address: two octets of address family (1 IPv4, 2 IPv6), then the address.
fn address(ip: IpAddr) -> Vec<u8> {
    match ip {
        IpAddr::V4(v4) => [&[0, 1][..], &v4.octets()].concat(),
        IpAddr::V6(v6) => [&[0, 2][..], &v6.octets()].concat(),
    }
}

fn capabilities(message: &mut Message<'_>, me: &Identity, ip: IpAddr) {
    me.write(message);
    message
        .bytes(avp::HOST_IP_ADDRESS, &address(ip))
        .number(avp::VENDOR_ID, VENDOR_3GPP)
        .optional(avp::PRODUCT_NAME, me.product.as_bytes())
        .number(avp::ORIGIN_STATE_ID, me.state_id)
        .number(avp::SUPPORTED_VENDOR_ID, VENDOR_3GPP)
        .group(avp::VENDOR_SPECIFIC_APPLICATION_ID, |m| {
            m.number(avp::VENDOR_ID, VENDOR_3GPP).number(avp::AUTH_APPLICATION_ID, S6A);
        })
        .optional(avp::FIRMWARE_REVISION, &1u32.to_be_bytes());
}

/// Appends a Capabilities-Exchange-Request; `ids` are Hop-by-Hop and End-to-End.
//= RFC 6733 §5.3.1
// Origin-Host, Origin-Realm, Host-IP-Address, Vendor-Id, Product-Name; applications as advertised.
pub fn cer(out: &mut Vec<u8>, me: &Identity, ip: IpAddr, ids: (u32, u32)) {
    let mut message = Message::new(out, request(command::CAPABILITIES_EXCHANGE, ids));
    capabilities(&mut message, me, ip);
    message.finish();
}

/// Appends the Capabilities-Exchange-Answer to `request` and returns its result code:
/// 2001 where the sides share S6a (or the sender relays), else 5010.
//= RFC 6733 §5.3
// A receiver that shares no application answers DIAMETER_NO_COMMON_APPLICATION and disconnects.
pub fn cea(out: &mut Vec<u8>, me: &Identity, ip: IpAddr, request: &Parsed<'_>) -> u32 {
    let code = if shares_s6a(request) { result::SUCCESS } else { result::NO_COMMON_APPLICATION };
    let mut message = Message::new(out, answer_head(request, false));
    message.number(avp::RESULT_CODE, code);
    capabilities(&mut message, me, ip);
    message.finish();
    code
}

fn shares_s6a(request: &Parsed<'_>) -> bool {
    let ours = |a: &Avp<'_>| {
        a.is_base(avp::AUTH_APPLICATION_ID) && matches!(a.number(), Some(S6A | RELAY))
    };
    request.avps().map_while(Result::ok).any(|a| {
        let grouped = a.is_base(avp::VENDOR_SPECIFIC_APPLICATION_ID);
        ours(&a) || (grouped && a.children().map_while(Result::ok).any(|c| ours(&c)))
    })
}

/// Appends a Device-Watchdog-Request.
//= RFC 6733 §5.5.1
// Origin-Host, Origin-Realm and, where known, Origin-State-Id.
pub fn dwr(out: &mut Vec<u8>, me: &Identity, ids: (u32, u32)) {
    let mut message = Message::new(out, request(command::DEVICE_WATCHDOG, ids));
    me.write(&mut message);
    message.number(avp::ORIGIN_STATE_ID, me.state_id);
    message.finish();
}

/// Appends a Disconnect-Peer-Request with cause REBOOTING.
//= RFC 6733 §5.4.3
// Disconnect-Cause REBOOTING (0): the peer may try again later.
pub fn dpr(out: &mut Vec<u8>, me: &Identity, ids: (u32, u32)) {
    let mut message = Message::new(out, request(command::DISCONNECT_PEER, ids));
    me.write(&mut message);
    message.number(avp::DISCONNECT_CAUSE, 0);
    message.finish();
}

/// Appends a Device-Watchdog-Answer or Disconnect-Peer-Answer with DIAMETER_SUCCESS.
pub fn success(out: &mut Vec<u8>, me: &Identity, request: &Parsed<'_>) {
    let mut message = Message::new(out, answer_head(request, false));
    message.number(avp::RESULT_CODE, result::SUCCESS);
    me.write(&mut message);
    if request.command == command::DEVICE_WATCHDOG {
        message.number(avp::ORIGIN_STATE_ID, me.state_id);
    }
    message.finish();
}

/// Appends a protocol error (E bit) with `code`, a 3xxx result.
//= RFC 6733 §7.2
// The error answer carries Session-Id first if the request had one, and its Proxy-Info AVPs.
pub fn protocol_error(out: &mut Vec<u8>, me: &Identity, request: &Parsed<'_>, code: u32) {
    let mut message = Message::new(out, answer_head(request, true));
    if let Some(session) = request.find(avp::SESSION_ID) {
        message.bytes(avp::SESSION_ID, session);
    }
    me.write(&mut message);
    message.number(avp::RESULT_CODE, code);
    copy_proxy_info(&mut message, request);
    message.finish();
}

//= RFC 6733 §6.2
// An answer returns every Proxy-Info AVP of its request, in order.
pub(crate) fn copy_proxy_info(message: &mut Message<'_>, request: &Parsed<'_>) {
    for found in request.avps().map_while(Result::ok) {
        if found.is_base(avp::PROXY_INFO) {
            message.raw(found.raw);
        }
    }
}
