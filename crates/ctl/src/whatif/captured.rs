//! Traffic out of a capture: requests described by the stacks, answers found by the numbers that their
//! ends gave them.

use std::collections::HashMap;
use std::path::Path;

use capture::{Flow, Message, Protocol};
use config::Gateway;
use journal::Key;
use procedure::{Act, Code, LinkId, Procedure, Refusal, StackId, Time, Vocabulary};
use relay::{Arrival, Exchange, Part, Stack};
use stacks::diameter::{Config as DiameterConfig, Diameter};
use stacks::ss7::Ss7;
use stacks::ss7::config::{Config as Ss7Config, Timers};
use stacks::ss7::translate::Table;
use stacks::ss7::view::m3ua::{PointCode, Variant};

use super::progress::Progress;
use super::traffic::{Asker, End, Event, Traffic};

/// Requests whose answers are waited for at once.
const OPEN_MAX: usize = 1 << 16;
/// How long an answer is waited for where room is scarce.
const OPEN_US: u64 = 60_000_000;
/// Requests that are remembered, so that the same behind a relay is known.
const SEEN_MAX: usize = 1 << 20;
/// How long one is: as long as its sender may repeat it.
//= RFC 6733 §3
const SEEN_US: u64 = 240_000_000;
/// Keys hashes of this run only.
const SECRET: u64 = 0x6361_7074_7572_6564;

const DIAMETER: StackId = StackId(0);
const SS7: StackId = StackId(1);

/// Reads a capture file.
///
/// # Errors
/// It cannot be read or is none.
pub(crate) fn read(path: &Path, gateway: &Gateway, key: &Key) -> Result<Traffic, String> {
    let mut reader = Reader::new(gateway, key);
    let mut progress = Progress::new("messages read");
    let tally = capture::read(path, |message| {
        reader.take(&message);
        progress.step();
    });
    progress.end();
    let tally = tally.map_err(|error| format!("{}: {error}", path.display()))?;
    let mut traffic = reader.traffic;
    traffic.reading.capture = true;
    traffic.reading.files = 1;
    traffic.reading.unread += tally.unread + tally.lost;
    traffic.reading.torn = tally.torn;
    let is_open = |event: &&Event| event.end == End::Else;
    traffic.reading.unanswered = traffic.events.iter().filter(is_open).count() as u64;
    traffic.finish();
    Ok(traffic)
}

/// By what an answer is known.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Label {
    /// The asker's own number on its connection.
    Hop(Flow, u32),
    /// The opener's address and number.
    Dialogue(u64),
}

/// A registration whose answer has not come.
#[derive(Clone, Copy, Debug)]
struct Open {
    event: usize,
    at_us: u64,
}

struct Reader<'k> {
    key: &'k Key,
    hosts: HashMap<Vec<u8>, LinkId>,
    diameter: Diameter,
    ss7: Ss7,
    words: Box<dyn Vocabulary>,
    traffic: Traffic,
    open: HashMap<Label, Open>,
    seen: HashMap<(StackId, u64), u64>,
}

impl<'k> Reader<'k> {
    fn new(gateway: &Gateway, key: &'k Key) -> Self {
        let host = |(peer, link): (&config::Peer, u32)| {
            Some((peer.diameter()?.origin_host.as_bytes().to_ascii_lowercase(), LinkId(link)))
        };
        let ansi = gateway.ss7.as_ref().is_some_and(|ss7| ss7.variant == config::Variant::Ansi);
        Self {
            key,
            hosts: gateway.peers.iter().zip(0..).filter_map(host).collect(),
            // Nobody's: what passed through the gateway itself is no loop here.
            diameter: Diameter::new(DiameterConfig::new("", "")),
            ss7: Ss7::new(ss7(if ansi { Variant::Ansi } else { Variant::Itu }), SECRET),
            words: Box::new(stacks::vocabulary()),
            traffic: Traffic::default(),
            open: HashMap::new(),
            seen: HashMap::new(),
        }
    }

    fn take(&mut self, message: &Message) {
        match message.protocol {
            Protocol::Diameter => self.diameter(message),
            Protocol::M3ua if is_data(&message.octets) => self.signalling(message),
            Protocol::M3ua => {}
        }
    }

    fn diameter(&mut self, message: &Message) {
        let stack = self.diameter.clone();
        let Ok(view) = stack.view(&message.octets) else {
            self.traffic.reading.unread += 1;
            return;
        };
        match stack.correlate(&view) {
            Exchange::Opens { label, .. } => {
                let procedure = stack.describe(&view, &arrival(DIAMETER));
                // The base protocol's own is between neighbours.
                if procedure.application != 0 {
                    self.request(message, &procedure, Some(Label::Hop(message.flow, label)), true);
                }
            }
            Exchange::Closes { label, .. } => {
                let label = Label::Hop(message.flow.back(), label);
                self.answer(label, message.time_us, stack.outcome(&view));
            }
            Exchange::Passes { .. } => {}
        }
    }

    fn signalling(&mut self, message: &Message) {
        let stack = self.ss7.clone();
        let Ok(view) = stack.view(&message.octets) else {
            self.traffic.reading.unread += 1;
            return;
        };
        if stack.segment(&view).is_some() {
            self.traffic.reading.segments += 1;
            return;
        }
        let Exchange::Passes { part, keys } = stack.correlate(&view) else { return };
        match part {
            Part::Opens | Part::Continues | Part::Alone => {
                let procedure = stack.describe(&view, &arrival(SS7));
                let opens = part != Part::Continues;
                if opens || procedure.act == Act::Register {
                    self.request(message, &procedure, keys.from.map(Label::Dialogue), opens);
                }
            }
            Part::Ends => {
                let outcome = stack.outcome(&view);
                for key in [keys.to, keys.from].into_iter().flatten() {
                    self.answer(Label::Dialogue(key), message.time_us, outcome);
                }
            }
        }
    }

    /// A request; `opens` where it begins an exchange of its own.
    fn request(
        &mut self,
        message: &Message,
        procedure: &Procedure<'_>,
        label: Option<Label>,
        opens: bool,
    ) {
        if self.was_seen(procedure, message.time_us, opens) {
            self.traffic.reading.second_legs += 1;
            return;
        }
        self.traffic.reading.records += u64::from(opens);
        match (procedure.act, procedure.imsi) {
            (Act::Authenticate, Some(imsi)) => {
                self.traffic.authentication(message.time_us, self.key.pseudonym(imsi));
            }
            (Act::Register, _) => {
                if let Some(event) = self.register(message, procedure)
                    && let Some(label) = label
                {
                    self.wait(label, event, message.time_us);
                }
            }
            _ => {}
        }
    }

    /// The place of a registration that can be replayed.
    fn register(&mut self, message: &Message, procedure: &Procedure<'_>) -> Option<usize> {
        self.traffic.reading.registrations += 1;
        let Some(imsi) = procedure.imsi else {
            self.traffic.reading.unnamed += 1;
            return None;
        };
        if !self.traffic.has_room() {
            return None;
        }
        let who = self.traffic.who(self.key.pseudonym(imsi), || Some((imsi, false)))?;
        let origin = procedure.origin;
        let node = self.traffic.node(Asker {
            link: self.hosts.get(&origin.host.to_ascii_lowercase()).copied(),
            host: origin.host.to_vec(),
            realm: Some(origin.realm.to_vec()),
            serving: procedure.serving,
        });
        self.traffic.events.push(Event {
            opened_us: message.time_us,
            latency_us: 0,
            who,
            node,
            visited: procedure.visited,
            tac: procedure.tac,
            stack: procedure.stack,
            application: procedure.application,
            operation: procedure.operation,
            domain: procedure.domain,
            access: procedure.access,
            exchange: procedure.exchange,
            repeat: procedure.repeat,
            dragged: 0,
            preferred: None,
            attempt: 0,
            insists: false,
            held: false,
            end: End::Else,
        });
        Some(self.traffic.events.len() - 1)
    }

    /// Whether a request was captured before, as it came in or goes on.
    fn was_seen(&mut self, procedure: &Procedure<'_>, at_us: u64, opens: bool) -> bool {
        if procedure.exchange == 0 {
            return false;
        }
        if self.seen.len() >= SEEN_MAX {
            self.seen.retain(|_, seen| at_us.saturating_sub(*seen) <= SEEN_US);
        }
        if self.seen.len() >= SEEN_MAX {
            self.seen.clear();
        }
        // What continues a dialogue has its number.
        let own = procedure.exchange ^ u64::from(!opens);
        let before = self.seen.insert((procedure.stack, own), at_us);
        before.is_some_and(|before| at_us.saturating_sub(before) <= SEEN_US)
    }

    fn wait(&mut self, label: Label, event: usize, at_us: u64) {
        if self.open.len() >= OPEN_MAX {
            self.open.retain(|_, open| at_us.saturating_sub(open.at_us) <= OPEN_US);
        }
        if self.open.len() < OPEN_MAX {
            self.open.insert(label, Open { event, at_us });
        }
    }

    fn answer(&mut self, label: Label, at_us: u64, (code, success): (Code, bool)) {
        let Some(open) = self.open.remove(&label) else { return };
        let Some(event) = self.traffic.events.get_mut(open.event) else { return };
        let latency = at_us.saturating_sub(open.at_us);
        event.latency_us = u32::try_from(latency).unwrap_or(u32::MAX);
        let number = match code {
            Code::Base(code) | Code::Error(code) | Code::Experimental { code, .. } => Some(code),
            _ => None,
        };
        let meaning =
            number.and_then(|number| self.words.refusal(Act::Register, event.domain, number));
        event.end = match meaning {
            _ if success => End::Accepted,
            // Nobody can tell who said so: steering is the usual reason.
            Some(Refusal::RoamingNotAllowed) => End::Refused,
            _ => End::Home(code),
        };
    }
}

/// Whether an M3UA message carries traffic.
//= RFC 4666 §3.1.2
fn is_data(octets: &[u8]) -> bool {
    octets.get(2..4) == Some(&[1, 1])
}

const fn arrival(stack: StackId) -> Arrival {
    Arrival { link: LinkId(u32::MAX), time: Time(0), stack }
}

/// A stack that only reads.
fn ss7(variant: Variant) -> Ss7Config {
    Ss7Config {
        variant,
        point_codes: vec![PointCode(0)],
        network_indicator: 0,
        links: Vec::new(),
        servers: Vec::new(),
        table: Table::new(Vec::new(), &[]),
        timers: Timers::default(),
        dialogue_timeout_ms: 0,
        abort_expired: false,
        refuse_connections: true,
    }
}

#[cfg(test)]
mod tests {
    use std::net::{IpAddr, Ipv4Addr};

    use proptest::prelude::*;

    use super::*;

    fn flow() -> Flow {
        let here = IpAddr::from(Ipv4Addr::LOCALHOST);
        Flow { from: (here, 1), to: (here, 2) }
    }

    fn reader(key: &Key) -> Reader<'_> {
        let loaded = config::load(None, &stacks::vocabulary()).unwrap();
        Reader::new(&loaded.gateway, key)
    }

    /// A Diameter message of this command around any AVPs, its length right.
    fn diameter(flags: u8, command: u8, avps: &[u8]) -> Vec<u8> {
        let octets = (20 + avps.len()) as u8;
        let mut message = vec![1, 0, 0, octets, flags, 0, 1, command];
        message.extend([1, 0, 0, 35, 0, 0, 0, 7, 0, 0, 0, 9]);
        message.extend(avps);
        message
    }

    /// Protocol data around any user's part, its lengths right.
    fn m3ua(user: &[u8]) -> Vec<u8> {
        let user = user.get(..user.len() / 4 * 4).unwrap_or_default();
        let parameter = 16 + user.len() as u8;
        let mut message = vec![1, 0, 1, 1, 0, 0, 0, 8 + parameter, 2, 16, 0, parameter];
        message.extend([0, 0, 0, 1, 0, 0, 0, 2, 3, 2, 0, 0]);
        message.extend(user);
        message
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(256))]

        #[test]
        fn any_messages(
            all in prop::collection::vec(
                (any::<u64>(), any::<u8>(), 60..64_u8, prop::collection::vec(any::<u8>(), 0..180)),
                0..20,
            ),
        ) {
            let key = Key::new([1; 32]);
            let mut reader = reader(&key);
            for (time_us, kind, command, octets) in all {
                let (protocol, octets) = match kind % 4 {
                    0 => (Protocol::Diameter, diameter(kind, command, &octets)),
                    1 => (Protocol::Diameter, octets),
                    2 => (Protocol::M3ua, m3ua(&octets)),
                    _ => (Protocol::M3ua, octets),
                };
                let flow = if kind & 4 == 0 { flow() } else { flow().back() };
                reader.take(&Message { number: 1, time_us, flow, protocol, octets });
            }
            reader.traffic.finish();
            let reading = &reader.traffic.reading;
            prop_assert!(reader.traffic.events.len() as u64 <= reading.registrations);
        }
    }

    #[test]
    fn what_waits_for_an_answer_and_what_was_seen_is_bounded() {
        let key = Key::new([1; 32]);
        let mut reader = reader(&key);
        for number in 0..OPEN_MAX as u32 + 100 {
            reader.wait(Label::Hop(flow(), number), 0, 5);
        }
        assert_eq!(reader.open.len(), OPEN_MAX);
        reader.wait(Label::Hop(flow(), u32::MAX), 0, 6 + OPEN_US);
        assert_eq!(reader.open.len(), 1, "who waited too long makes room");
    }
}
