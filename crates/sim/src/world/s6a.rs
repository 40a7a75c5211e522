//! The visited MMEs and the home networks' HSSs of the world, without sockets: requests are stamped
//! from templates, answers are read and judged by the simulator's own codec.

use std::net::{IpAddr, Ipv4Addr};

use policy::standard_realm;

use super::calendar::{TICK_MS, TICKS_A_SECOND, millis};
use super::ground::{Ground, NONE};
use super::handset::{Ask, Op, Said};
use crate::Identity;
use crate::check::{Ids, SESSION_DIGITS};
use crate::diameter::parse::{self, Message, Outcome};
use crate::diameter::s6a::{self, Request, Tail};
use crate::diameter::{avp, base, command, result};
use crate::ids::{self, Random};
use crate::mme::template::{Common, Templates};

/// Where simulated nodes say that they are.
pub(super) const ADDRESS: IpAddr = IpAddr::V4(Ipv4Addr::LOCALHOST);
/// The last digits of an IMSI say which subscriber it is.
pub(super) const SUBSCRIBER_DIGITS: usize = 8;
const SUBSCRIBERS: u64 = 100_000_000;
/// Longest wait of an HSS's answer, in ticks.
const WAIT_MAX: u32 = 8 * TICKS_A_SECOND;

//= TS 29.272 §7.3.7
// S6a/S6d-Indicator alone: no Initial-Attach-Indicator where a subscriber moves.
const S6A_INDICATOR: u8 = 0x02;
/// Octets of a Visited-PLMN-Id AVP with its padding.
const VISITED_PLMN_OCTETS: usize = 16;

/// What one of a visited network's nodes heard.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Heard {
    pub(super) handset: u32,
    pub(super) op: Op,
    pub(super) attempt: u8,
    pub(super) said: Said,
}

/// Where a node of the world is found by its place.
pub(super) fn mme_host(ground: &Ground, node: usize) -> String {
    let network = ground.nodes.get(node).and_then(|node| ground.network(node.network));
    let realm = network.map(|network| standard_realm(network.plmn)).unwrap_or_default();
    format!("mme{node:02}.{realm}")
}

/// An HSS's name.
pub(super) fn hss_host(plmn: procedure::Plmn) -> String {
    format!("hss1.{}", standard_realm(plmn))
}

/// One visited node.
pub(super) struct Mme {
    pub(super) identity: Identity,
    /// By customer.
    templates: Vec<Templates>,
    cancelled: Tail,
    next: u32,
}

/// The identifier that comes back with an answer: which handset, of which request and attempt.
pub(super) fn hop(ask: &Ask) -> u32 {
    ask.handset << 8 | (ask.op as u32) << 5 | u32::from(ask.attempt & 0x1f)
}

/// What an identifier stands for.
pub(super) fn unhop(hop: u32, said: Said) -> Option<Heard> {
    let op = *Op::ALL.get((hop >> 5 & 7) as usize)?;
    Some(Heard { handset: hop >> 8, op, attempt: (hop & 0x1f) as u8, said })
}

impl Mme {
    pub(super) fn new(ground: &Ground, node: usize) -> Self {
        let identity = Identity::new(&mme_host(ground, node));
        let session_prefix = format!("{};1;", identity.host);
        let network = ground.nodes.get(node).and_then(|node| ground.network(node.network));
        let visited = network.map_or([0; 3], |network| network.plmn.octets());
        let template = |customer: &super::scenario::Customer| {
            Templates::new(Common {
                me: &identity,
                session_prefix: &session_prefix,
                realm: &standard_realm(customer.plmn),
                host: None,
                imsi_digits: 15,
                visited,
            })
        };
        let templates = ground.scenario.customers.iter().map(template).collect();
        let cancelled = Tail::plain(&identity, Outcome::Base(result::SUCCESS));
        Self { identity, templates, cancelled, next: 0 }
    }

    /// Appends a request.
    pub(super) fn ask(&mut self, ask: &Ask, customer: u8, imsi: u64, out: &mut Vec<u8>) {
        let Some(templates) = self.templates.get(usize::from(customer)) else { return };
        let command = match ask.op {
            Op::Ulr => command::UPDATE_LOCATION,
            Op::Pur => command::PURGE_UE,
            _ => command::AUTHENTICATION_INFORMATION,
        };
        //= RFC 6733 §3
        // Unique for four minutes and more: the run is over before the numbers are.
        self.next = self.next.wrapping_add(1);
        let ids = Ids { hop_by_hop: hop(ask), end_to_end: self.next, number: self.next.into() };
        templates.stamp(out, command, ids, imsi);
        if ask.op == Op::Ulr && !ask.initial {
            // ULR-Flags stand before Visited-PLMN-Id, which ends the request.
            let last = out.len().checked_sub(VISITED_PLMN_OCTETS + 1);
            if let Some(flags) = last.and_then(|last| out.get_mut(last)) {
                *flags = S6A_INDICATOR;
            }
        }
    }

    /// Takes what came over its connection: answers become what was heard, orders are obeyed into
    /// `out`.
    pub(super) fn take(&self, octets: &[u8], heard: &mut Vec<Heard>, out: &mut Vec<u8>) -> u64 {
        let mut wrong = 0;
        let mut rest = octets;
        while let Some(message) = next(&mut rest) {
            match (message.is_request(), message.command) {
                (false, command::CAPABILITIES_EXCHANGE) => {}
                (false, _) => match unhop(message.hop_by_hop, said(&message)) {
                    Some(one) => heard.push(one),
                    None => wrong += 1,
                },
                (true, command::DEVICE_WATCHDOG) => base::success(out, &self.identity, &message),
                (true, _) => {
                    let session = message.find(avp::SESSION_ID).unwrap_or_default();
                    self.cancelled.answer(out, &message, session);
                }
            }
        }
        wrong + u64::from(!rest.is_empty())
    }
}

/// The next whole message.
fn next<'a>(rest: &mut &'a [u8]) -> Option<Message<'a>> {
    let octets = parse::frame_length(rest).ok()??;
    let (frame, tail) = rest.split_at_checked(octets)?;
    *rest = tail;
    Message::parse(frame).ok()
}

//= TS 29.272 §7.4
fn said(answer: &Message<'_>) -> Said {
    let outcome = answer.avps().map_while(Result::ok).find_map(|found| Outcome::of(&found));
    match outcome {
        Some(outcome) if outcome.is_success() => Said::Yes,
        Some(Outcome::Experimental(result::ROAMING_NOT_ALLOWED)) => Said::NoRoaming,
        Some(Outcome::Experimental(result::RAT_NOT_ALLOWED)) => Said::NoRadio,
        Some(Outcome::Experimental(result::UNKNOWN_EPS_SUBSCRIPTION)) => Said::NoSubscription,
        Some(Outcome::Base(3002 | 3003)) => Said::Unreachable,
        _ => Said::Failed,
    }
}

/// One home network's HSS.
pub(super) struct Hss {
    pub(super) identity: Identity,
    random: Random,
    latency: u32,
    jitter: u32,
    failures: u32,
    silences: u32,
    ula: Tail,
    aia: Tail,
    plain: Tail,
    failed: Tail,
    /// By subscriber: the node that serves it.
    serving: Vec<u8>,
    /// By tick, in turn: what leaves then.
    ring: Vec<Vec<u8>>,
    next: u32,
    pub(super) silent: u64,
}

impl Hss {
    pub(super) fn new(ground: &Ground, customer: usize, seed: u64) -> Option<Self> {
        let one = ground.scenario.customers.get(customer)?;
        let identity = Identity::new(&hss_host(one.plmn));
        let plain = |outcome| Tail::plain(&identity, outcome);
        Some(Self {
            random: Random::new(seed ^ 0x4155 ^ (customer as u64) << 32),
            latency: one.latency_ms,
            jitter: one.jitter_ms,
            failures: one.failures,
            silences: one.silences,
            ula: s6a::ula(&identity),
            aia: s6a::aia(&identity),
            plain: plain(Outcome::Base(result::SUCCESS)),
            failed: plain(Outcome::Base(5012)),
            serving: vec![NONE; ground.scenario.subscribers as usize],
            ring: vec![Vec::new(); WAIT_MAX as usize + 1],
            next: 0,
            silent: 0,
            identity,
        })
    }

    /// What leaves at a tick.
    pub(super) fn due(&mut self, tick: u32) -> Option<&mut Vec<u8>> {
        let slots = self.ring.len();
        self.ring.get_mut(tick as usize % slots)
    }

    /// Orders that it has given: one for each change of the serving node.
    pub(super) fn orders(&self) -> u64 {
        self.next.into()
    }

    /// Whether it has nothing left to say.
    pub(super) fn is_at_rest(&self) -> bool {
        self.ring.iter().all(Vec::is_empty)
    }

    /// Takes what came over its connection; answers leave after a while.
    pub(super) fn take(&mut self, ground: &Ground, octets: &[u8], tick: u32) -> u64 {
        let mut rest = octets;
        while let Some(message) = next(&mut rest) {
            if message.is_request() {
                self.answer(ground, &message, tick);
            }
        }
        u64::from(!rest.is_empty())
    }

    fn answer(&mut self, ground: &Ground, request: &Message<'_>, tick: u32) {
        let jitter = self.random.below(self.jitter as usize + 1);
        let wait = millis(self.latency + u32::try_from(jitter).unwrap_or(0)).min(WAIT_MAX - 1);
        let slots = self.ring.len();
        let Some(out) = self.ring.get_mut((tick + wait) as usize % slots) else { return };
        if request.command == command::DEVICE_WATCHDOG {
            return base::success(out, &self.identity, request);
        }
        let luck = u32::try_from(self.random.below(1000)).unwrap_or(0);
        if luck < self.silences {
            self.silent += 1;
            return;
        }
        let (mut session, mut imsi, mut origin) = (&[][..], &[][..], &[][..]);
        for found in request.avps().map_while(Result::ok).filter(|found| found.vendor == 0) {
            match found.code {
                avp::SESSION_ID => session = found.data,
                avp::USER_NAME => imsi = found.data,
                avp::ORIGIN_HOST => origin = found.data,
                _ => {}
            }
        }
        let tail = match request.command {
            _ if luck < self.silences + self.failures => &self.failed,
            command::UPDATE_LOCATION => &self.ula,
            command::AUTHENTICATION_INFORMATION => &self.aia,
            _ => &self.plain,
        };
        tail.answer(out, request, session);
        let is_update = request.command == command::UPDATE_LOCATION;
        if is_update && luck >= self.silences + self.failures {
            // Hosts of the world are numbered: mme07.epc.…
            let node =
                origin.get(3..5).and_then(ids::number).and_then(|node| u8::try_from(node).ok());
            let imsi = ids::number(imsi).unwrap_or(0);
            self.serve(ground, imsi, node.unwrap_or(NONE), tick + wait);
        }
    }

    /// Another node serves the subscriber now, or its own network: the one before is told.
    //= TS 29.272 §5.2.1.1.3
    pub(super) fn serve(&mut self, ground: &Ground, imsi: u64, node: u8, tick: u32) {
        let subscriber = usize::try_from(imsi % SUBSCRIBERS).unwrap_or(usize::MAX);
        let Some(serving) = self.serving.get_mut(subscriber) else { return };
        let before = std::mem::replace(serving, node);
        if before == NONE || before == node {
            return;
        }
        let host = mme_host(ground, usize::from(before));
        let realm = host.split_once('.').map_or("", |(_, realm)| realm);
        self.next = self.next.wrapping_add(1);
        let session = format!("{};1;{}", self.identity.host, self.next);
        let imsi = format!("{imsi:015}");
        let request = Request {
            me: &self.identity,
            session: &session,
            realm,
            host: Some(&host),
            imsi: &imsi,
            visited: [0; 3],
            rat: s6a::EUTRAN,
        };
        let slots = self.ring.len();
        if let Some(out) = self.ring.get_mut((tick + 1) as usize % slots) {
            request.clr(out, (self.next, self.next));
        }
    }
}

/// Whose subscriber asks, and its IMSI.
pub(super) fn subscriber(ground: &Ground, class: u8, ask: &Ask) -> (u8, u64) {
    let customers = ground.class(class).map(|class| &class.customers);
    let customer = customers.and_then(|all| all.get(usize::from(ask.identity)).copied());
    (customer.unwrap_or(NONE), imsi(ground, class, ask.identity, ask.handset))
}

/// The IMSI of a subscriber: its class's first digits, and its number.
pub(super) fn imsi(ground: &Ground, class: u8, identity: u8, handset: u32) -> u64 {
    let prefix = ground.class(class).and_then(|class| class.prefixes.get(usize::from(identity)));
    let Some(prefix) = prefix else { return 0 };
    let digits: u64 = prefix.parse().unwrap_or(0);
    let scale = 10_u64.pow(15 - u32::try_from(prefix.len()).unwrap_or(15));
    digits * scale + u64::from(handset)
}

const _: () = assert!(TICK_MS == 10 && SESSION_DIGITS == 10 && SUBSCRIBER_DIGITS == 8);

#[cfg(test)]
mod tests {
    use super::*;
    use crate::world::scenario::Scenario;

    fn ground() -> Ground {
        let text = "name = \"t\"\nminutes = 1\nsubscribers = 1\n[[area]]\nname = \"a\"\n\
                    [[network]]\nplmn = \"23410\"\n[[customer]]\nname = \"c\"\nplmn = \"21407\"\n\
                    [[class]]\nname = \"k\"\nimsi_prefixes = [\"2140701\"]\n";
        let scenario: Scenario =
            crate::world::read(&policy::Source::new("t", text)).expect("right");
        {
            let numbers = crate::world::plans::numbers(&scenario, None);
            Ground::new(scenario, &policy::Networks::built_in(), vec![0], numbers)
        }
    }

    /// What is stamped over a template is what the standard wants there.
    #[test]
    fn a_move_is_no_initial_attach() {
        let ground = ground();
        let mut mme = Mme::new(&ground, 0);
        for (initial, flags) in [(true, 0x22), (false, 0x02)] {
            let ask = Ask { handset: 5, identity: 0, node: 0, op: Op::Ulr, attempt: 3, initial };
            let mut out = Vec::new();
            mme.ask(&ask, 0, imsi(&ground, 0, 0, 5), &mut out);
            let message = Message::parse(&out).expect("a message");
            let found = message.avps().flatten().find(|one| one.is_3gpp(avp::ULR_FLAGS));
            assert_eq!(found.and_then(|one| one.number()), Some(flags));
            assert_eq!(message.find(avp::USER_NAME), Some(&b"214070100000005"[..]));
            let heard = unhop(message.hop_by_hop, Said::Yes).expect("ours");
            assert_eq!((heard.handset, heard.op, heard.attempt), (5, Op::Ulr, 3));
        }
    }
}
