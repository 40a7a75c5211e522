//! Prebuilt requests: copied into the output and patched at four places.

use crate::check::{Ids, SESSION_DIGITS};
use crate::diameter::base::Identity;
use crate::diameter::command;
use crate::diameter::parse::Message;
use crate::diameter::{HEADER, avp, s6a};
use crate::ids::{ImsiRange, digits};

/// What all requests of one connection have in common.
#[derive(Clone, Copy)]
pub(crate) struct Common<'a> {
    pub(crate) me: &'a Identity,
    /// Session-Id up to its last digits.
    pub(crate) session_prefix: &'a str,
    pub(crate) realm: &'a str,
    pub(crate) host: Option<&'a str>,
    pub(crate) imsi_digits: usize,
    pub(crate) visited: [u8; 3],
}

/// One command's request.
struct Template {
    command: u32,
    bytes: Vec<u8>,
    session: std::ops::Range<usize>,
    imsi: std::ops::Range<usize>,
}

/// The requests an MME sends, ready to be stamped.
pub(crate) struct Templates(Vec<Template>);

impl Templates {
    pub(crate) fn new(common: Common<'_>) -> Self {
        let session = format!("{}{:0width$}", common.session_prefix, 0, width = SESSION_DIGITS);
        let imsi = "0".repeat(common.imsi_digits);
        let request = s6a::Request {
            me: common.me,
            session: &session,
            realm: common.realm,
            host: common.host,
            imsi: &imsi,
            visited: common.visited,
            rat: s6a::EUTRAN,
        };
        let build = |command: u32, write: &dyn Fn(&mut Vec<u8>)| {
            let mut bytes = Vec::new();
            write(&mut bytes);
            let session = end_of(&bytes, avp::SESSION_ID, SESSION_DIGITS);
            let imsi = end_of(&bytes, avp::USER_NAME, imsi.len());
            Template { command, bytes, session, imsi }
        };
        Self(vec![
            build(command::UPDATE_LOCATION, &|out| request.ulr(out, (0, 0))),
            build(command::AUTHENTICATION_INFORMATION, &|out| request.air(out, (0, 0))),
            build(command::PURGE_UE, &|out| request.pur(out, (0, 0))),
            build(command::NOTIFY, &|out| request.nor(out, (0, 0))),
        ])
    }

    /// Appends the request `command` with these identifiers; an unknown command appends nothing.
    pub(crate) fn stamp(&self, out: &mut Vec<u8>, command: u32, ids: Ids, imsi: u64) {
        let Some(template) = self.0.iter().find(|t| t.command == command) else { return };
        let at = out.len();
        out.extend_from_slice(&template.bytes);
        let Some(message) = out.get_mut(at..) else { return };
        if let Some(place) = message.get_mut(12..16) {
            place.copy_from_slice(&ids.hop_by_hop.to_be_bytes());
        }
        if let Some(place) = message.get_mut(16..20) {
            place.copy_from_slice(&ids.end_to_end.to_be_bytes());
        }
        if let Some(place) = message.get_mut(template.session.clone()) {
            digits(place, ids.number);
        }
        if let Some(place) = message.get_mut(template.imsi.clone()) {
            digits(place, imsi);
        }
    }
}

/// Where the last `length` bytes of the first AVP `code` stand in `message`.
fn end_of(message: &[u8], code: u32, length: usize) -> std::ops::Range<usize> {
    let mut at = HEADER;
    let avps = Message::parse(message).map(|m| m.avps());
    for found in avps.into_iter().flatten().map_while(Result::ok) {
        if found.is_base(code) {
            let end = at + 8 + found.data.len();
            return end - length.min(found.data.len())..end;
        }
        at += found.raw.len();
    }
    0..0
}

/// The first End-to-End Identifier of a run.
//= RFC 6733 §3
// The high 12 bits hold the low 12 bits of the current time, the low 20 bits are random: the
// identifier must stay unique for four minutes, also across a restart.
pub(crate) fn first_end_to_end(unix_seconds: u64, random: u64) -> u32 {
    u32::try_from((unix_seconds & 0xfff) << 20 | random & 0xf_ffff).unwrap_or(0)
}

/// The subscriber of the `n`th procedure of lane `lane` of `lanes`.
pub(crate) fn subscriber(range: &ImsiRange, lane: u64, lanes: u64, n: u64) -> u64 {
    range.at(lane + n * lanes)
}
