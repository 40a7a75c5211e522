//! The peers: MMEs that ask and check what comes back, HSSs that answer well, late, twice or never.

use std::collections::{BTreeMap, BTreeSet};

use procedure::{LinkId, Time};
use relay::Side;
use sim::diameter::parse::{Message, Outcome};
use sim::diameter::s6a::{self, Request, Tail};
use sim::diameter::{avp, base, command};
use tests::desk::Peer;
use tests::world;

use crate::network::{Network, News, PeerEvent, SocketId};

/// When an asker is answered at the latest, and how far delays may stretch that.
pub(crate) const REQUEST_TIMEOUT_MS: u64 = 2_000;
const SLACK_MS: u64 = 400;
/// How long a peer that lost its connection waits at most.
const REDIAL_MS: usize = 1_500;
/// How far apart an MME's requests and the network's breaks are at most.
const ASK_MS: usize = 40;
const BREAK_MS: usize = 600;
/// The link on which both sides connect.
pub(crate) const COLLIDING: LinkId = LinkId(5);
const SUBSCRIBERS: usize = 300;

/// One request that an MME waits on.
struct Asked {
    socket: SocketId,
    end_to_end: u32,
    session: String,
    at: Time,
}

pub(crate) struct Peers {
    list: Vec<Peer>,
    answers: Vec<Tail>,
    /// By link: the connection that is up.
    up: Vec<Option<SocketId>>,
    /// By link and Hop-by-Hop Identifier.
    outstanding: BTreeMap<(u32, u32), Asked>,
    /// By link: requests so far.
    asked: Vec<u32>,
    /// By the asker's connection and the HSS's: the last serial number seen, without repeats.
    seen: BTreeMap<(String, SocketId), u32>,
    /// Requests that some HSS has seen without the T flag, by session.
    served: BTreeSet<String>,
    /// New requests end here.
    pub(crate) until: Time,
    pub(crate) counts: Counts,
}

/// What became of the requests.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Counts {
    pub(crate) accepted: usize,
    pub(crate) steered: usize,
    pub(crate) unreachable: usize,
    pub(crate) abandoned: usize,
    pub(crate) resent: usize,
    pub(crate) silent: usize,
    pub(crate) late: usize,
    pub(crate) twice: usize,
    pub(crate) breaks: usize,
}

impl Peers {
    pub(crate) fn new(list: &[Peer], until: Time) -> Self {
        Self {
            answers: list.iter().map(|peer| s6a::ula(&peer.identity())).collect(),
            up: vec![None; list.len()],
            outstanding: BTreeMap::new(),
            asked: vec![0; list.len()],
            seen: BTreeMap::new(),
            served: BTreeSet::new(),
            list: list.to_vec(),
            until,
            counts: Counts::default(),
        }
    }

    pub(crate) fn start(&self, network: &mut Network) {
        for (peer, link) in self.list.iter().zip((0..).map(LinkId)) {
            if calls(peer, link) {
                network.dial(link);
            }
            if !peer.home {
                network.wake(200, PeerEvent::Ask(link));
            }
        }
        network.wake(1_000, PeerEvent::Break);
    }

    pub(crate) fn hear(&mut self, network: &mut Network, news: News) {
        match news {
            News::Opened(id, side) => {
                if side == Side::Responder {
                    let link = network.sockets[id.0].link;
                    network.say(id, &self.list[link.0 as usize].cer());
                }
            }
            News::Frame(id, frame) => self.frame(network, id, &frame),
            News::Ended(id) => self.ended(network, id),
            News::DialFailed(link) => self.redial(network, link),
            News::Woken(PeerEvent::Ask(link)) => self.ask(network, link),
            News::Woken(PeerEvent::Redial(link)) => network.dial(link),
            News::Woken(PeerEvent::Say(id, octets)) => network.say(id, &octets),
            News::Woken(PeerEvent::Break) => self.break_one(network),
        }
    }

    /// Checks that nobody waits any more.
    pub(crate) fn finish(&self) {
        let left: Vec<_> = self.outstanding.values().map(|asked| &asked.session).collect();
        assert!(left.is_empty(), "never answered: {left:?}");
    }

    fn ended(&mut self, network: &mut Network, id: SocketId) {
        let link = network.sockets[id.0].link;
        if self.up[link.0 as usize] == Some(id) {
            self.up[link.0 as usize] = None;
        }
        let before = self.outstanding.len();
        self.outstanding.retain(|_, asked| asked.socket != id);
        self.counts.abandoned += before - self.outstanding.len();
        self.redial(network, link);
    }

    fn redial(&self, network: &mut Network, link: LinkId) {
        if calls(&self.list[link.0 as usize], link) {
            let wait = 100 + network.random.below(REDIAL_MS) as u64;
            network.wake(wait, PeerEvent::Redial(link));
        }
    }

    fn break_one(&mut self, network: &mut Network) {
        if network.now >= self.until {
            return;
        }
        let alive: Vec<_> =
            (0..network.sockets.len()).filter(|at| network.sockets[*at].alive).collect();
        if let Some(at) = alive.get(network.random.below(alive.len())) {
            self.counts.breaks += 1;
            network.kill(SocketId(*at));
            self.ended(network, SocketId(*at));
        }
        let wait = network.random.below(BREAK_MS) as u64;
        network.wake(wait, PeerEvent::Break);
    }

    fn ask(&mut self, network: &mut Network, link: LinkId) {
        if network.now >= self.until {
            return;
        }
        let wait = 1 + network.random.below(ASK_MS) as u64;
        network.wake(wait, PeerEvent::Ask(link));
        let Some(socket) = self.up[link.0 as usize] else { return };
        let serial = &mut self.asked[link.0 as usize];
        *serial += 1;
        let peer = &self.list[link.0 as usize];
        let session = format!("{};{};{serial}", peer.host, socket.0);
        let networks = [world::PREFERRED, world::STEERED, world::ELSEWHERE];
        let visited: sim::Plmn = networks[network.random.below(3)].parse().unwrap();
        let imsi = world::imsi(network.random.below(SUBSCRIBERS) as u64);
        let request = Request {
            me: &peer.identity(),
            session: &session,
            realm: world::HOME_REALM,
            host: None,
            imsi: &imsi,
            visited: visited.octets(),
            rat: s6a::EUTRAN,
        };
        let (hop_by_hop, end_to_end) = (*serial ^ 0x5500, link.0 << 24 | *serial);
        let mut octets = Vec::new();
        request.ulr(&mut octets, (hop_by_hop, end_to_end));
        let asked = Asked { socket, end_to_end, session, at: network.now };
        self.outstanding.insert((link.0, hop_by_hop), asked);
        network.say(socket, &octets);
    }

    fn frame(&mut self, network: &mut Network, id: SocketId, frame: &[u8]) {
        let message = Message::parse(frame).unwrap();
        let link = network.sockets[id.0].link;
        let peer = &self.list[link.0 as usize];
        match (message.command, message.is_request()) {
            (command::CAPABILITIES_EXCHANGE, true) => {
                network.say(id, &peer.cea(frame));
                self.up[link.0 as usize] = Some(id);
            }
            (command::CAPABILITIES_EXCHANGE, false) => {
                if outcome(&message) == Outcome::Base(2001) {
                    self.up[link.0 as usize] = Some(id);
                }
            }
            (command::DEVICE_WATCHDOG | command::DISCONNECT_PEER, true) => {
                let mut octets = Vec::new();
                base::success(&mut octets, &peer.identity(), &message);
                network.say(id, &octets);
            }
            (command::DEVICE_WATCHDOG, false) => {}
            (_, true) => self.serve(network, id, &message),
            (_, false) => self.judge(network, id, &message),
        }
    }

    /// An HSS has got a request.
    fn serve(&mut self, network: &mut Network, id: SocketId, request: &Message<'_>) {
        let session = text(request, avp::SESSION_ID);
        let (asker, serial) = session.rsplit_once(';').expect("a session of ours");
        let serial: u32 = serial.parse().unwrap();
        // Copies may be lost or arrive in any order, over links of their own; one is the first.
        let first = !request.is_retransmit();
        assert!(!first || self.served.insert(session.clone()), "{session}: two without the T flag");
        if !first {
            self.counts.resent += 1;
        } else {
            let last = self.seen.insert((asker.into(), id), serial);
            assert!(last.is_none_or(|last| last < serial), "{session} overtook {last:?}");
        }
        let mut octets = Vec::new();
        let link = network.sockets[id.0].link;
        self.answers[link.0 as usize].answer(&mut octets, request, session.as_bytes());
        let mut wait = network.random.below(60) as u64;
        match network.random.below(100) {
            0..2 => return self.counts.silent += 1,
            2..4 => {
                self.counts.late += 1;
                wait += REQUEST_TIMEOUT_MS + 100;
            }
            4..7 => {
                self.counts.twice += 1;
                octets = octets.repeat(2);
            }
            _ => {}
        }
        network.wake(wait, PeerEvent::Say(id, octets));
    }

    /// An MME has got an answer: of this very exchange, in its session, in time, and once.
    fn judge(&mut self, network: &Network, id: SocketId, answer: &Message<'_>) {
        let link = network.sockets[id.0].link;
        let session = text(answer, avp::SESSION_ID);
        let asked = self.outstanding.remove(&(link.0, answer.hop_by_hop));
        let asked = asked.unwrap_or_else(|| panic!("{session}: answered, but not asked or twice"));
        assert_eq!(asked.socket, id, "{session}: over the asker's connection");
        assert_eq!((answer.end_to_end, &session), (asked.end_to_end, &asked.session));
        let took = network.now.since(asked.at).as_millis();
        assert!(took <= u128::from(REQUEST_TIMEOUT_MS + SLACK_MS), "{session} took {took} ms");
        match outcome(answer) {
            Outcome::Base(2001) => self.counts.accepted += 1,
            Outcome::Experimental(5004) => self.counts.steered += 1,
            Outcome::Base(3002) => self.counts.unreachable += 1,
            other => panic!("{session}: {other}"),
        }
    }
}

/// Whether a peer connects to the gateway. One does though the gateway connects to it as well, so
/// that connections collide.
fn calls(peer: &Peer, link: LinkId) -> bool {
    !peer.initiate || link == COLLIDING
}

fn outcome(message: &Message<'_>) -> Outcome {
    message.avps().flatten().find_map(|avp| Outcome::of(&avp)).unwrap_or(Outcome::Absent)
}

fn text(message: &Message<'_>, code: u32) -> String {
    String::from_utf8_lossy(message.find(code).expect("it is there")).into_owned()
}
