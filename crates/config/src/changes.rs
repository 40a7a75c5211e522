//! What of `gateway.toml` is not in force, because it changed after the start.

use crate::gateway::{Gateway, Peer};

/// The parts that differ, as people call them.
pub(crate) fn changes(before: &Gateway, now: &Gateway) -> Vec<String> {
    let own = |gateway: &Gateway| {
        let Gateway { origin_host, origin_realm, product_name, policies, .. } = gateway.clone();
        let names = (origin_host, origin_realm, product_name, policies);
        (names, gateway.workers, gateway.subscribers_max)
    };
    let parts = [
        ("[gateway]", own(before) != own(now)),
        ("[diameter]", before.diameter != now.diameter),
        ("[sctp]", before.sctp != now.sctp),
        ("[ss7] and [[server]]", before.ss7 != now.ss7),
        ("[[listen]]", before.listens != now.listens),
        ("[admin]", before.admin != now.admin),
        ("[journal]", before.journal != now.journal),
        ("[log]", before.log != now.log),
    ];
    let changed = parts.into_iter().filter(|(_, changed)| *changed);
    changed.map(|(part, _)| part.to_owned()).chain(peers(&before.peers, &now.peers)).collect()
}

fn peers(before: &[Peer], now: &[Peer]) -> Vec<String> {
    let named = |list: &[Peer], name: &str| list.iter().find(|peer| peer.name == name).cloned();
    let mut changed = Vec::new();
    for peer in now {
        match named(before, &peer.name) {
            None => changed.push(format!("peer `{}` (new)", peer.name)),
            Some(old) if old != *peer => changed.push(format!("peer `{}`", peer.name)),
            Some(_) => {}
        }
    }
    let gone = before.iter().filter(|peer| named(now, &peer.name).is_none());
    changed.extend(gone.map(|peer| format!("peer `{}` (gone)", peer.name)));
    changed
}
