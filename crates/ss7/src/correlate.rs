//! **correlate**: which dialogue a message belongs to.
//!
//! The two ends number a dialogue themselves, each for itself, so a number means something only
//! together with the address of the end it belongs to. Both are hashed with a secret: nobody can
//! make two dialogues meet.
//= Q.774 §3.2.1

use relay::{Exchange, Keys, Part};

use crate::view::View;
use crate::view::m3ua::PointCode;
use crate::view::sccp::Address;
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

/// An end's address and number, hashed. A title's digits are the address where there is a title:
/// point codes and translation types change on the way.
fn key(secret: u64, address: &Address<'_>, code: PointCode, tid: &[u8]) -> u64 {
    let tid = tid.iter().fold(tid.len() as u64, |number, octet| number << 8 | u64::from(*octet));
    let digits = address.title.map(|title| title.digits()).filter(|digits| !digits.is_empty());
    let (kind, who) = match digits {
        Some(digits) => (digits.len() as u64, digits.value()),
        None => {
            let code = address.point_code.unwrap_or(code);
            (0, u64::from(code.0) << 8 | u64::from(address.ssn.unwrap_or_default()))
        }
    };
    mix(mix(mix(secret, kind), who), tid)
}

/// Stirs a number into a hash.
pub(crate) const fn mix(hash: u64, number: u64) -> u64 {
    let mixed = (hash ^ number).wrapping_mul(0xff51_afd7_ed55_8ccd);
    let mixed = (mixed ^ mixed >> 33).wrapping_mul(0xc4ce_b9fe_1a85_ec53);
    mixed ^ mixed >> 29
}
