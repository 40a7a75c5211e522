//! **describe**: what somebody is trying to do, in neutral words.

mod s6a;

use procedure::{Access, Act, Code, Domain, Imsi, Node, Plmn, Procedure};
use relay::Arrival;

use crate::config::Shared;
use crate::view::{REPEATED, View};
use crate::vocabulary::{S6A, S6C, S13, SGD, SLG, SLH, SWX};

/// What an opening message attempts.
#[inline]
pub(crate) fn describe<'a>(shared: &Shared, view: &View<'a>, arrival: &Arrival) -> Procedure<'a> {
    let header = &view.header;
    let (act, domain) = attempt(view);
    let origin = node(view.origin_host, view.origin_realm);
    // Whoever was answered by us may take us for the node that it wants; any node of the realm will
    // do then, and `rewrite` says so too.
    let host = view.destination_host.filter(|host| !shared.is_own(host));
    let destination = node(host, view.destination_realm);
    let named = (!destination.host.is_empty()).then(|| shared.find(destination.host)).flatten();
    Procedure {
        act,
        domain,
        access: if header.application == S6A { s6a::access(view) } else { Access::Unknown },
        application: header.application,
        operation: header.command,
        imsi: imsi(view),
        tac: view.imei.and_then(tac),
        visited: view.visited.and_then(|octets| Plmn::from_octets(octets.try_into().ok()?)),
        origin,
        destination,
        named,
        exchange: exchange(view),
        repeat: header.flags & REPEATED != 0,
        //= RFC 6733 §6.1.3
        looped: view.routed || shared.is_own(origin.host),
        initial: s6a::initial(act, view),
        spoofed: !shared.may_originate(arrival.link, origin.realm, origin.host),
        ..Procedure::unknown(arrival.stack, arrival.link, arrival.time)
    }
}

/// Act and domain of a request, which also say how it may be refused.
#[inline]
pub(crate) fn attempt(view: &View<'_>) -> (Act, Domain) {
    if view.header.application != S6A {
        return (Act::Transit, Domain::Unknown);
    }
    let act = s6a::act(view.header.command);
    (act, s6a::domain(act, view))
}

/// An answer's result, and whether that is success.
//= RFC 6733 §7.1.2
//= TS 29.272 §7.4.1
pub(crate) fn outcome(view: &View<'_>) -> (Code, bool) {
    let number = crate::answer::number(view.result);
    (view.result, number / 1000 == 2)
}

const fn node<'a>(host: Option<&'a [u8]>, realm: Option<&'a [u8]>) -> Node<'a> {
    const fn or_empty(field: Option<&[u8]>) -> &[u8] {
        match field {
            Some(field) => field,
            None => &[],
        }
    }
    Node { host: or_empty(host), realm: or_empty(realm) }
}

/// User-Name, where the application carries an IMSI in it.
//= TS 29.272 §6.3
fn imsi(view: &View<'_>) -> Option<Imsi> {
    let carries = matches!(view.header.application, S6A | S13 | S6C | SGD | SLG | SLH | SWX);
    if carries { view.user_name.and_then(Imsi::from_ascii) } else { None }
}

/// The Type Allocation Code that an IMEI begins with.
//= TS 23.003 §6.2.1
//= TS 29.272 §7.3.4
fn tac(imei: &[u8]) -> Option<u32> {
    imei.get(..8)?.iter().try_fold(0, |tac, digit| {
        digit.is_ascii_digit().then(|| tac * 10 + u32::from(digit - b'0'))
    })
}

/// The same for every repeat of a request, whichever way it came: origin and End-to-End Identifier
/// name it, and the command keeps a careless sender's other messages apart.
//= RFC 6733 §3
#[inline]
fn exchange(view: &View<'_>) -> u64 {
    let header = &view.header;
    let seed = u64::from(header.end_to_end) << 32 | u64::from(header.command);
    crate::config::hash(view.origin_host.unwrap_or_default(), seed)
}

#[cfg(test)]
mod tests;
