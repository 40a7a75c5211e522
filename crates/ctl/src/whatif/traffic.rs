//! What was recorded, as a replay needs it: registrations in the order of their time, who asked, and
//! which authentications went before them.

use std::collections::HashMap;

use journal::PSEUDONYM_OCTETS;
use procedure::{Access, Code, Digits, Domain, Imsi, LinkId, Plmn, StackId};
use serde::Serialize;

/// Most registrations that are replayed; of more, those that were read first.
pub(crate) const EVENTS_MAX: usize = 1 << 22;
/// Most authentications that are looked at for what they went before.
const AUTHENTICATIONS_MAX: usize = 1 << 22;
/// Most askers that are told apart.
const NODES_MAX: usize = 1 << 16;
/// Octets of an asker's name that are looked at: a DiameterIdentity has no more.
const NAME_OCTETS_MAX: usize = 255;
/// Messages of one attach come within this time.
pub(crate) const ATTACH_US: u64 = 3_000_000;
/// An authentication so long before a registration belongs to it.
const DRAGGED_WITHIN_US: u64 = 10_000_000;

/// One registration as it was.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Event {
    /// When it arrived, in microseconds since 1970.
    pub(crate) opened_us: u64,
    pub(crate) latency_us: u32,
    /// The subscriber's place in [`Traffic::people`].
    pub(crate) who: u32,
    /// The asker's place in [`Traffic::nodes`].
    pub(crate) node: u32,
    pub(crate) visited: Option<Plmn>,
    pub(crate) tac: Option<u32>,
    pub(crate) stack: StackId,
    pub(crate) application: u32,
    pub(crate) operation: u32,
    pub(crate) domain: Domain,
    pub(crate) access: Access,
    pub(crate) exchange: u64,
    pub(crate) repeat: bool,
    /// Authentications that went before it.
    pub(crate) dragged: u8,
    /// Whether the plan then in force preferred the network; nothing where that was not said.
    pub(crate) preferred: Option<bool>,
    /// The number of the refusal on its network, as recorded.
    pub(crate) attempt: u8,
    /// Steering gave in after refusals on this network: the device is one that insists.
    pub(crate) insists: bool,
    /// Steering left the subscriber in peace for what happened before.
    pub(crate) held: bool,
    pub(crate) end: End,
}

/// How it ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum End {
    /// The home network said yes.
    Accepted,
    /// Steering refused it.
    Refused,
    /// The customer's subscribers did not roam there.
    Barred,
    /// The home network said no.
    Home(Code),
    /// It said nothing.
    Expired,
    /// In a way that says nothing of subscriber and home.
    Else,
}

/// Who asked.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub(crate) struct Asker {
    pub(crate) link: Option<LinkId>,
    pub(crate) host: Vec<u8>,
    /// As the message had it; a record has none.
    pub(crate) realm: Option<Vec<u8>>,
    pub(crate) serving: Option<Digits>,
}

/// A subscriber.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Subscriber {
    pub(crate) pseudonym: [u8; PSEUDONYM_OCTETS],
    pub(crate) imsi: Imsi,
    /// The pseudonym is of another key, so that only the home network is known.
    pub(crate) made_up: bool,
}

/// How the reading went.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub(crate) struct Reading {
    /// It was a capture, and no records.
    pub(crate) capture: bool,
    /// Files that were read.
    pub(crate) files: u64,
    /// Exchanges of any kind.
    pub(crate) records: u64,
    /// Registrations among them.
    pub(crate) registrations: u64,
    /// Authentications among them.
    pub(crate) authentications: u64,
    /// Lines, or frames and messages, that could not be read.
    pub(crate) unread: u64,
    /// Registrations past the limit.
    pub(crate) left_out: u64,
    /// Registrations that name no subscriber, or one without a home network.
    pub(crate) unnamed: u64,
    /// Registrations that screening refused then.
    pub(crate) screened: u64,
    /// Registrations of a capture whose answer is not in it.
    pub(crate) unanswered: u64,
    /// Segments in a capture of messages that came in several.
    pub(crate) segments: u64,
    /// Requests of a capture that it holds twice, before and behind a relay.
    pub(crate) second_legs: u64,
    /// Subscribers of the registrations.
    pub(crate) subscribers: u64,
    /// Subscribers whose IMSI was made up.
    pub(crate) made_up: u64,
    /// Registrations that steering refused, as recorded.
    pub(crate) refused_then: u64,
    /// Registrations that a bar refused, as recorded.
    pub(crate) barred_then: u64,
    /// Authentications before the refused, as recorded.
    pub(crate) dragged_then: u64,
    /// The first and the last registration, in microseconds since 1970.
    pub(crate) first_us: u64,
    pub(crate) last_us: u64,
    /// A file ended in the middle.
    pub(crate) torn: bool,
}

/// Everything that was recorded.
#[derive(Debug, Default)]
pub(crate) struct Traffic {
    pub(crate) events: Vec<Event>,
    pub(crate) nodes: Vec<Asker>,
    pub(crate) people: Vec<Subscriber>,
    pub(crate) reading: Reading,
    by_pseudonym: HashMap<[u8; PSEUDONYM_OCTETS], u32>,
    by_asker: HashMap<Asker, u32>,
    /// When, and whose.
    authentications: Vec<(u64, [u8; PSEUDONYM_OCTETS])>,
}

impl Traffic {
    /// The place of a subscriber, made now if it is new.
    pub(crate) fn who(
        &mut self,
        pseudonym: [u8; PSEUDONYM_OCTETS],
        imsi: impl FnOnce() -> Option<(Imsi, bool)>,
    ) -> Option<u32> {
        if let Some(place) = self.by_pseudonym.get(&pseudonym) {
            return Some(*place);
        }
        let (imsi, made_up) = imsi()?;
        let place = u32::try_from(self.people.len()).ok()?;
        self.people.push(Subscriber { pseudonym, imsi, made_up });
        self.by_pseudonym.insert(pseudonym, place);
        Some(place)
    }

    /// The place of an asker, made now if it is new; past the limit all are one.
    pub(crate) fn node(&mut self, mut asker: Asker) -> u32 {
        asker.host.truncate(NAME_OCTETS_MAX);
        asker.realm.iter_mut().for_each(|realm| realm.truncate(NAME_OCTETS_MAX));
        if let Some(place) = self.by_asker.get(&asker) {
            return *place;
        }
        if self.nodes.len() >= NODES_MAX {
            return NODES_MAX as u32 - 1;
        }
        let place = self.nodes.len() as u32;
        self.nodes.push(asker.clone());
        self.by_asker.insert(asker, place);
        place
    }

    /// Whether there is room for one more registration; where not, it is counted.
    pub(crate) const fn has_room(&mut self) -> bool {
        let room = self.events.len() < EVENTS_MAX;
        self.reading.left_out += !room as u64;
        room
    }

    pub(crate) fn authentication(&mut self, at_us: u64, pseudonym: [u8; PSEUDONYM_OCTETS]) {
        self.reading.authentications += 1;
        if self.authentications.len() < AUTHENTICATIONS_MAX {
            self.authentications.push((at_us, pseudonym));
        }
    }

    /// Puts everything into the order of its time.
    pub(crate) fn finish(&mut self) {
        self.events.sort_by_key(|event| event.opened_us);
        self.authentications.sort_unstable_by_key(|one| one.0);
        // Whose, how many of late, and when the last one was.
        let mut waiting: HashMap<u32, (u8, u64)> = HashMap::new();
        let mut authentications = self.authentications.drain(..).peekable();
        for event in &mut self.events {
            while let Some((at, whose)) = authentications.next_if(|one| one.0 <= event.opened_us) {
                let Some(who) = self.by_pseudonym.get(&whose) else { continue };
                let (count, last) = waiting.entry(*who).or_default();
                let is_late = at.saturating_sub(*last) > DRAGGED_WITHIN_US;
                (*count, *last) = (if is_late { 1 } else { count.saturating_add(1) }, at);
            }
            if let Some((count, last)) = waiting.remove(&event.who)
                && event.opened_us.saturating_sub(last) <= DRAGGED_WITHIN_US
            {
                event.dragged = count;
            }
        }
        drop(authentications);
        self.join_attaches();
        let of = |end| self.events.iter().filter(move |event| event.end == end);
        let reading = &mut self.reading;
        reading.refused_then = of(End::Refused).count() as u64;
        reading.barred_then = of(End::Barred).count() as u64;
        reading.dragged_then = of(End::Refused).map(|event| u64::from(event.dragged)).sum();
        reading.subscribers = self.people.len() as u64;
        reading.made_up = self.people.iter().filter(|who| who.made_up).count() as u64;
        reading.first_us = self.events.first().map_or(0, |event| event.opened_us);
        reading.last_us = self.events.last().map_or(0, |event| event.opened_us);
        (self.by_pseudonym, self.by_asker) = (HashMap::new(), HashMap::new());
    }

    /// Steering gave in to an attach, not to the one message of it that was decided on first.
    fn join_attaches(&mut self) {
        let mut insisting: HashMap<(u32, Option<Plmn>), Vec<u64>> = HashMap::new();
        for event in self.events.iter().filter(|event| event.insists) {
            insisting.entry((event.who, event.visited)).or_default().push(event.opened_us);
        }
        for event in self.events.iter_mut().filter(|event| event.end == End::Accepted) {
            let Some(times) = insisting.get(&(event.who, event.visited)) else { continue };
            // Times are in order: only the neighbours can be near.
            let next = times.partition_point(|at| *at < event.opened_us);
            let near = |place: Option<usize>| {
                let at = place.and_then(|place| times.get(place));
                at.is_some_and(|at| at.abs_diff(event.opened_us) <= ATTACH_US)
            };
            event.insists |= near(Some(next)) || near(next.checked_sub(1));
        }
    }

    /// Exchanges that there would have been without steering.
    pub(crate) const fn base(&self) -> u64 {
        let reading = &self.reading;
        reading.records.saturating_sub(reading.refused_then + reading.dragged_then)
    }
}

/// An IMSI in the home network that is the same for the same pseudonym: nobody's, but all that the
/// home network tells holds for it.
pub(crate) fn made_up(home: Plmn, pseudonym: [u8; PSEUDONYM_OCTETS]) -> Option<Imsi> {
    let mut room = [0; 6];
    let mut digits = home.write(&mut room).to_vec();
    let mut number = u128::from_be_bytes(pseudonym);
    while digits.len() < Imsi::DIGITS_MAX {
        digits.push(b'0' + (number % 10) as u8);
        number /= 10;
    }
    Imsi::from_ascii(&digits)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn event(who: u32, at_s: u64, end: End) -> Event {
        Event {
            opened_us: at_s * 1_000_000,
            latency_us: 0,
            who,
            node: 0,
            visited: None,
            tac: None,
            stack: StackId(0),
            application: 0,
            operation: 0,
            domain: Domain::Eps,
            access: Access::Unknown,
            exchange: 0,
            repeat: false,
            dragged: 0,
            preferred: None,
            attempt: 0,
            insists: false,
            held: false,
            end,
        }
    }

    #[test]
    fn authentications_belong_to_the_registration_that_follows_soon() {
        let mut traffic = Traffic::default();
        let imsi = "214070000000001".parse().unwrap();
        let [a, b] =
            [[1; 16], [2; 16]].map(|own| traffic.who(own, || Some((imsi, false))).unwrap());
        let s = |seconds: u64| seconds * 1_000_000;
        for (at, whose) in [(100, 1), (108, 1), (109, 1), (110, 2), (200, 1), (111, 9)] {
            traffic.authentication(s(at), [whose; 16]);
        }
        // In the order of their ends, as a journal writes them.
        traffic.events.push(event(a, 215, End::Accepted));
        traffic.events.push(event(b, 112, End::Refused));
        traffic.events.push(event(a, 110, End::Refused));
        traffic.events.push(event(a, 111, End::Refused));
        traffic.reading.records = 10;
        traffic.finish();
        let dragged: Vec<_> = traffic.events.iter().map(|e| (e.who, e.dragged)).collect();
        assert_eq!(dragged, [(a, 3), (a, 0), (b, 1), (a, 0)], "the last one came too late");
        assert_eq!((traffic.reading.refused_then, traffic.reading.dragged_then), (3, 4));
        assert_eq!(traffic.base(), 3);
        assert_eq!((traffic.reading.first_us, traffic.reading.last_us), (s(110), s(215)));
    }

    #[test]
    fn who_insists_does_so_over_all_domains() {
        let mut traffic = Traffic::default();
        let imsi = "214070000000001".parse().unwrap();
        let who = traffic.who([1; 16], || Some((imsi, false))).unwrap();
        for at_s in [100, 102, 104, 200] {
            traffic.events.push(event(who, at_s, End::Accepted));
        }
        traffic.events[1].insists = true;
        traffic.finish();
        let insists: Vec<_> = traffic.events.iter().map(|event| event.insists).collect();
        assert_eq!(insists, [true, true, true, false]);
    }

    #[test]
    fn a_made_up_subscriber_is_of_its_home_and_always_the_same() {
        let home: Plmn = "310260".parse().unwrap();
        let imsi = made_up(home, [0xab; 16]).unwrap();
        assert!(imsi.starts_with("310260") && imsi.len() == Imsi::DIGITS_MAX);
        assert_eq!(made_up(home, [0xab; 16]), Some(imsi));
        assert_ne!(made_up(home, [0xac; 16]), Some(imsi));
    }

    #[test]
    fn askers_and_their_names_are_bounded() {
        let mut traffic = Traffic::default();
        let asker = |host: String| Asker { host: host.into_bytes(), ..Asker::default() };
        assert_eq!(traffic.node(asker("x".repeat(300))), traffic.node(asker("x".repeat(400))));
        for number in 0..NODES_MAX + 10 {
            traffic.node(asker(number.to_string()));
        }
        assert_eq!(traffic.nodes.len(), NODES_MAX);
    }
}
