//! **correlate**: which dialogue a message belongs to.
//!
//! The two ends number a dialogue themselves, each for itself, so a number means something only
//! together with the address of the end it belongs to. Both are hashed with a secret: nobody can
//! make two dialogues meet.
//= Q.774 §3.2.1

use relay::{Exchange, Keys, Part, Segment};

use crate::view::View;
use crate::view::m3ua::PointCode;
use crate::view::sccp::{Address, Segment as Sccp};
use crate::view::tcap::Kind;

/// What a message does to a dialogue.
pub(crate) fn correlate(secret: u64, view: &View<'_>) -> Exchange {
    let alone = Exchange::Passes { part: Part::Alone, keys: Keys::default() };
    let (Some(unit), Some(tcap)) = (&view.unit, &view.tcap) else { return alone };
    let at =
        |address: &Address<'_>, code, tid: Option<&[u8]>| Some(key(secret, address, code, tid?));
    if unit.is_service() {
        // What is given back comes as if its receiver had sent it. Only a dialogue's beginning ends
        // with that; its sender must know what to do about anything later.
        if tcap.kind != Kind::Begin {
            return alone;
        }
        let keys = Keys { to: at(&unit.called, view.data.dpc, tcap.otid), from: None };
        return Exchange::Passes { part: Part::Ends, keys };
    }
    let part = match tcap.kind {
        Kind::Begin => Part::Opens,
        Kind::Continue => Part::Continues,
        Kind::End | Kind::Abort => Part::Ends,
        Kind::Unidirectional => return alone,
    };
    let to = at(&unit.called, view.data.dpc, tcap.dtid);
    let from = at(&unit.calling, view.data.opc, tcap.otid);
    Exchange::Passes { part, keys: Keys { to, from } }
}

/// How long after its first segment a message has to be whole: T(reass).
//= Q.714 §4.1.1.2
const REASSEMBLY_MS: u64 = 15_000;

/// Which segment of a longer message this is. All of a message have the same routing label and
/// addresses, and so go the same way; what differs in any is another message.
//= Q.713 §3.17
pub(crate) fn segment(secret: u64, view: &View<'_>) -> Option<Segment> {
    let unit = view.unit.as_ref()?;
    let segment = unit.piece().filter(|_| !unit.is_service())?;
    let data = &view.data;
    let label = u64::from(data.opc.0) << 32 | u64::from(data.dpc.0);
    let context = data.context.map_or(u64::MAX, |context| u64::from(context.1));
    let names = u64::from(segment.reference) << 8 | u64::from(data.sls);
    let ends = [unit.calling.octets, unit.called.octets];
    let network = u64::from(data.appearance.unwrap_or(u32::MAX)) << 8 | u64::from(data.network);
    let key = [label, context, network, names].into_iter().fold(secret, mix);
    let key = ends.into_iter().fold(key, |key, octets| {
        octets.iter().fold(mix(key, octets.len() as u64), |key, octet| mix(key, u64::from(*octet)))
    });
    let Sccp { first, remaining, .. } = segment;
    Some(Segment { key, first, remaining, patience_ms: REASSEMBLY_MS })
}

/// An end's address and number, hashed. Where there is a title its digits and the subsystem are the
/// address (a VLR and an SGSN may share the digits): point codes and translation types change on the
/// way.
fn key(secret: u64, address: &Address<'_>, code: PointCode, tid: &[u8]) -> u64 {
    let tid = tid.iter().fold(tid.len() as u64, |number, octet| number << 8 | u64::from(*octet));
    let digits = address.title.map(|title| title.digits()).filter(|digits| !digits.is_empty());
    let (length, who) = match digits {
        Some(digits) => (digits.len() as u64, digits.value()),
        None => (0, u64::from(address.point_code.unwrap_or(code).0)),
    };
    let kind = length << 8 | u64::from(address.ssn.unwrap_or_default());
    mix(mix(mix(secret, kind), who), tid)
}

/// Stirs a number into a hash.
pub(crate) const fn mix(hash: u64, number: u64) -> u64 {
    let mixed = (hash ^ number).wrapping_mul(0xff51_afd7_ed55_8ccd);
    let mixed = (mixed ^ mixed >> 33).wrapping_mul(0xc4ce_b9fe_1a85_ec53);
    mixed ^ mixed >> 29
}
