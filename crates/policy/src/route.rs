//! The route stage: which group of links. First match speaks; an index by destination realm keeps
//! that cheap with many routes.

use procedure::{Decision, Group, LinkId, Member, Outcome, Stage, Symbol, Verdict};

use crate::document::{At, Section};
use crate::hash::NameMap;
use crate::matcher::{Facts, Matcher};
use crate::reading::{Mode, Reading};

/// One route.
#[derive(Debug)]
pub(crate) struct Route {
    pub(crate) name: Symbol,
    pub(crate) mode: Mode,
    pub(crate) matcher: Matcher,
    pub(crate) to: Symbol,
}

/// All routes in the order of the file.
#[derive(Debug, Default)]
pub(crate) struct Routes {
    pub(crate) list: Vec<Route>,
    /// Places of routes that ask for exact destination realms, by realm.
    exact: NameMap<Vec<u32>>,
    /// Places of all others.
    others: Vec<u32>,
}

impl Routes {
    pub(crate) fn new(list: Vec<Route>) -> Self {
        let mut routes = Self { list, ..Self::default() };
        for (place, route) in routes.list.iter().enumerate() {
            let place = u32::try_from(place).unwrap_or(u32::MAX);
            match route.matcher.exact_realms() {
                Some(realms) => {
                    for realm in realms {
                        routes.exact.entry(realm.as_bytes()).push(place);
                    }
                }
                None => routes.others.push(place),
            }
        }
        routes
    }

    pub(crate) fn decide(&self, facts: &Facts<'_>, decision: &mut Decision) {
        for route in self.candidates(facts.procedure.destination.realm) {
            if route.mode == Mode::Off || !route.matcher.matches(facts) {
                continue;
            }
            decision.because.push(Stage::Route, route.name, Outcome::To(route.to));
            if route.mode == Mode::Enforce {
                decision.verdict = Verdict::Forward { group: Some(route.to) };
                return;
            }
        }
    }

    /// The routes that may match, in the order of the file: two sorted lists merged.
    fn candidates(&self, realm: &[u8]) -> impl Iterator<Item = &Route> {
        let mut exact = self.exact.get(realm).map_or(&[][..], Vec::as_slice).iter().peekable();
        let mut others = self.others.iter().peekable();
        std::iter::from_fn(move || {
            let next = match (exact.peek(), others.peek()) {
                (Some(a), Some(b)) if a <= b => exact.next(),
                (Some(_), None) => exact.next(),
                _ => others.next(),
            };
            self.list.get(*next? as usize)
        })
    }

    /// Reads one `[[route]]`.
    pub(crate) fn read(
        section: &Section<'_>,
        reading: &Reading<'_>,
        customers: &[Symbol],
        groups: &[Symbol],
    ) -> Option<Route> {
        let name = reading.rule_name(section);
        let mode = Reading::mode(section);
        let matcher = Matcher::read(section, reading, customers);
        let to = section.required("to").and_then(|to| reading.declared("group", &to, groups));
        section.finish();
        Some(Route { name: name?, mode, matcher, to: to? })
    }
}

/// Reads one `[[group]]`; `peers` are the names that a member may have, if they are to be checked.
pub(crate) fn read_group(
    section: &Section<'_>,
    reading: &Reading<'_>,
    peers: Option<&[(String, LinkId)]>,
) -> Option<(Symbol, Group)> {
    let name = section.required("name");
    let mut members: Vec<Member> = Vec::new();
    for member in section.sections("members") {
        let peer = member.required("peer");
        let priority = member.number("priority", 0..=u16::MAX.into()).unwrap_or(0);
        let weight = member.number("weight", 1..=u16::MAX.into()).unwrap_or(1);
        member.finish();
        let Some(link) = peer.and_then(|peer| link_of(&peer, reading, peers, members.len())) else {
            continue;
        };
        if members.iter().any(|known| known.link == link) {
            member.push(member.at().complain("this peer is twice in the group"));
            continue;
        }
        let small = |value: u64| u16::try_from(value).unwrap_or(u16::MAX);
        members.push(Member { link, priority: small(priority), weight: small(weight) });
    }
    section.finish();
    if members.is_empty() && peers.is_some() {
        section.push(section.at().complain("this group has no member that exists"));
    }
    members.sort_by_key(|member| member.priority);
    Some((reading.symbols.intern(name?.value), Group { members }))
}

/// The link of a peer. Where peers are not checked, members are told apart by their place only.
fn link_of(
    peer: &At<'_, &str>,
    reading: &Reading<'_>,
    peers: Option<&[(String, LinkId)]>,
    place: usize,
) -> Option<LinkId> {
    let Some(peers) = peers else { return u32::try_from(place).ok().map(LinkId) };
    let found = peers.iter().find(|(name, _)| name == peer.value).map(|(_, link)| *link);
    if found.is_none() {
        let complaint = peer.complain(format!("there is no peer `{}`", peer.value));
        let names = peers.iter().map(|(name, _)| name.as_str());
        reading.complaints.push(complaint.with_nearest(peer.value, names));
    }
    found
}
