//! **rewrite**: patches over the received frame. What is not listed here leaves as it came.

use octets::{Patches, padded_len};
use relay::Onward;

use crate::config::Shared;
use crate::view::{HEADER_OCTETS, Header, MANDATORY, REPEATED, View, code};

/// Octets of an AVP that carries a DiameterIdentity: its header and the longest DNS name.
const IDENTITY_AVP_OCTETS: usize = 8 + 256;

/// Appends the message as it leaves.
pub(crate) fn rewrite(shared: &Shared, view: &View<'_>, onward: &Onward, out: &mut Vec<u8>) {
    match *onward {
        //= RFC 6733 §6.2.2
        // Diameter's exchanges are numbered by each hop; none just passes.
        Onward::Pass { .. } => {}
        Onward::Answer { label } => {
            let start = out.len();
            out.extend_from_slice(view.frame);
            if let Some(slot) = out.get_mut(start + 12..start + 16) {
                slot.copy_from_slice(&label.to_be_bytes());
            }
        }
        Onward::Request { label, asker, resent, hide_origin } => {
            let flags = view.header.flags | if resent { REPEATED } else { 0 };
            let header = Header { flags, hop_by_hop: label, ..view.header };
            let asker = shared.peer(asker).map(|peer| peer.origin_host.as_bytes());
            let asker = asker.unwrap_or_default();
            let is_named = view.destination_host.is_some_and(|host| shared.is_own(host));
            if hide_origin || is_named {
                patched(shared, view, header, (!hide_origin).then_some(asker), out);
            } else {
                request(view, header, asker, out);
            }
        }
    }
}

/// A request with the name of the peer it came from added as the last Route-Record.
//= RFC 6733 §6.1.9
fn request(view: &View<'_>, mut header: Header, asker: &[u8], out: &mut Vec<u8>) {
    let mut buffer = [0; IDENTITY_AVP_OCTETS];
    let record = identity(&mut buffer, code::ROUTE_RECORD, asker);
    header.length = header.length.saturating_add(u32::try_from(record.len()).unwrap_or(0));
    let head = header.octets();
    out.reserve(view.frame.len() + record.len());
    out.extend_from_slice(&head);
    out.extend_from_slice(view.frame.get(HEADER_OCTETS..).unwrap_or_default());
    out.extend_from_slice(record);
}

/// The rarer changes.
///
/// Without an `asker` the request leaves under our own name, and the asker's does not become a
/// Route-Record either: a loop still shows, since the Origin-Host is ours. A Destination-Host that
/// is ours is taken out: whoever was answered by us may take us for the node that it wants, and we
/// are none, so any node of its realm will do.
fn patched(
    shared: &Shared,
    view: &View<'_>,
    mut header: Header,
    asker: Option<&[u8]>,
    out: &mut Vec<u8>,
) {
    let mut buffer = [0; IDENTITY_AVP_OCTETS];
    let (hides, insert) = match asker {
        Some(asker) => (false, identity(&mut buffer, code::ROUTE_RECORD, asker)),
        None => {
            let own = shared.config.origin_host.as_bytes();
            (true, identity(&mut buffer, code::ORIGIN_HOST, own))
        }
    };
    // Both AVPs stand in a request at most once, and there are three patches at most.
    let list = |head| {
        let mut patches = Patches::new();
        let mut fits = patches.replace(0, HEADER_OCTETS, head);
        let mut offset = HEADER_OCTETS;
        for avp in view.avps() {
            let length = avp.whole.len();
            if avp.vendor == 0 && avp.code == code::ORIGIN_HOST && hides {
                fits &= patches.replace(offset, length, insert);
            }
            let names_us = avp.vendor == 0 && avp.code == code::DESTINATION_HOST;
            if names_us && shared.is_own(avp.data) {
                fits &= patches.replace(offset, length, &[]);
            }
            offset += length;
        }
        fits &= hides || patches.replace(offset, 0, insert);
        (patches, fits)
    };
    let growth = list(&[0; HEADER_OCTETS]).0.growth();
    let length = view.frame.len().saturating_add_signed(growth);
    header.length = u32::try_from(length).unwrap_or(header.length);
    let head = header.octets();
    let (patches, fits) = list(&head);
    let done = fits && patches.apply(view.frame, out);
    debug_assert!(done, "three patches, each behind the one before");
}

/// An AVP with a DiameterIdentity, in the caller's buffer. A name longer than DNS allows is cut.
fn identity<'a>(buffer: &'a mut [u8; IDENTITY_AVP_OCTETS], code: u32, name: &[u8]) -> &'a [u8] {
    let length = name.len().min(IDENTITY_AVP_OCTETS - 8);
    let [_, a, b, c] = u32::try_from(length + 8).unwrap_or(0).to_be_bytes();
    let [d, e, f, g] = code.to_be_bytes();
    for (to, from) in buffer.iter_mut().zip([d, e, f, g, MANDATORY, a, b, c]) {
        *to = from;
    }
    if let (Some(to), Some(from)) = (buffer.get_mut(8..8 + length), name.get(..length)) {
        to.copy_from_slice(from);
    }
    buffer.get(..padded_len(8 + length)).unwrap_or_default()
}

#[cfg(test)]
mod tests;
