//! What is right by itself and wrong beside another: peers, servers and titles that cannot be told
//! apart.

use std::collections::HashMap;
use std::net::IpAddr;

use policy::{At, Section};
use procedure::Digits;

use crate::gateway::{Peer, PeerRole, Server, Speaks, Title};

/// The ASP identifier of a peer that connects to us and introduces itself; `None` for others.
fn introduces(peer: &Peer) -> Option<Option<u32>> {
    match &peer.speaks {
        Speaks::M3ua(own) if own.role != PeerRole::Sg && peer.connect.is_none() => {
            Some(own.asp_identifier)
        }
        Speaks::M3ua(_) | Speaks::Diameter(_) => None,
    }
}

fn share(one: &[IpAddr], other: &[IpAddr]) -> bool {
    one.iter().any(|own| other.iter().any(|its| its.to_canonical() == own.to_canonical()))
}

/// Of those who come from one address, only the identifier tells who is there.
//= RFC 4666 §3.5.1
pub(crate) fn peers(peers: &[(Peer, &Section<'_>)]) {
    for (place, (peer, section)) in peers.iter().enumerate() {
        let Some(own) = introduces(peer) else { continue };
        let mut beside = peers.iter().enumerate().filter(|(other, (beside, _))| {
            *other != place
                && beside.connect.is_none()
                && beside.diameter().is_none()
                && share(&beside.addresses, &peer.addresses)
        });
        if own.is_none() {
            if let Some((_, (other, _))) = beside.next() {
                let what = "`asp_identifier` is missing";
                let help = format!("`{}` comes from the same address", other.name);
                section.push(section.at().complain(what).with_help(help));
            }
            continue;
        }
        let same = beside.find(|(other, (beside, _))| {
            *other < place && introduces(beside).is_some_and(|identifier| identifier == own)
        });
        if let Some((_, (other, _))) = same {
            let at = section.place_of("asp_identifier").unwrap_or_else(|| section.at());
            let what = format!("this is the ASP identifier of `{}`", other.name);
            section.push(at.complain(what).with_help("both come from the same address"));
        }
    }
}

/// A point code leads to one place only.
pub(crate) fn point_code(section: &Section<'_>, code: &At<'_, u32>, own: &[u32], all: &[Server]) {
    if own.contains(&code.value) {
        section.push(code.complain("this is the gateway's own point code"));
    }
    if let Some(other) = all.iter().find(|server| server.point_codes.contains(&code.value)) {
        section.push(code.complain(format!("this is a point code of `{}`", other.name)));
    }
}

/// Rules read so far by their prefix, each with its place as people read it.
pub(crate) type Rules = HashMap<Digits, Vec<(Title, String)>>;

/// Complains of a rule that another before it leaves nothing to, and keeps it for those after it.
pub(crate) fn title(section: &Section<'_>, rule: &Title, rules: &mut Rules) {
    let asks = |rule: &Title| {
        let Title { translation_type, plan, nature, ssn, prefix, .. } = rule.clone();
        (translation_type, plan, nature, ssn, rule.from.clone(), prefix)
    };
    let alike = rules.entry(rule.prefix).or_default();
    if let Some((_, place)) = alike.iter().find(|(other, _)| asks(other) == asks(rule)) {
        let what = format!("this asks for the same as the title at {place}");
        section.push(section.at().complain(what));
    }
    if !rule.prefix.is_empty() && usize::from(rule.strip) > rule.prefix.len() {
        let at = section.place_of("strip").unwrap_or_else(|| section.at());
        let what = format!("`strip` is more than the {} digits of the prefix", rule.prefix.len());
        section.push(at.complain(what).as_warning());
    }
    let at = section.at();
    let (line, _) = at.source.place(at.span.start);
    alike.push((rule.clone(), format!("{}:{line}", at.source.name)));
}
