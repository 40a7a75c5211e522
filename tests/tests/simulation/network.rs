//! The virtual network: sockets with delays, chunks and deaths, posts between workers, one clock.

use std::collections::BTreeMap;

use procedure::{LinkId, Record, Time, WorkerId};
use relay::{ConnId, Gateway, Output, Post, Side};
use sim::diameter::parse;
use sim::ids::Random;
use tests::desk::{Desk, Peer, Settings};

/// Longest way of octets through a socket, and of a post to another worker.
const SOCKET_DELAY_MS: usize = 20;
const POST_DELAY_MS: usize = 8;
/// Of a hundred attempts of the gateway to connect, so many fail.
const DIAL_FAILURES: usize = 20;

/// Names a connection for good, though the gateway uses its numbers again.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct SocketId(pub(crate) usize);

/// One connection between the gateway and a peer.
#[derive(Debug)]
pub(crate) struct Socket {
    pub(crate) link: LinkId,
    pub(crate) alive: bool,
    conn: ConnId,
    /// When the last octets on their way arrive, so that none overtake others.
    to_gateway: Time,
    to_peer: Time,
    /// What arrived and was no whole frame yet.
    gateway_tail: Vec<u8>,
    peer_tail: Vec<u8>,
}

/// What happens at a moment.
#[derive(Debug)]
pub(crate) enum Event {
    ToGateway(SocketId, Vec<u8>),
    ToPeer(SocketId, Vec<u8>),
    Ends(SocketId),
    Posted {
        to: WorkerId,
        post: Post,
    },
    Dialled {
        link: LinkId,
        side: Side,
    },
    /// For the peers: theirs to read.
    Peer(PeerEvent),
}

/// What a peer wants to be woken up for.
#[derive(Clone, Debug)]
pub(crate) enum PeerEvent {
    Ask(LinkId),
    Redial(LinkId),
    Break,
    Say(SocketId, Vec<u8>),
}

/// What the peers are told.
#[derive(Debug)]
pub(crate) enum News {
    Opened(SocketId, Side),
    Frame(SocketId, Vec<u8>),
    Ended(SocketId),
    DialFailed(LinkId),
    Woken(PeerEvent),
}

/// Frames that the gateway took in, by link.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Taken {
    pub(crate) requests: usize,
    pub(crate) answers: usize,
}

pub(crate) struct Network {
    pub(crate) now: Time,
    pub(crate) desk: Desk,
    pub(crate) random: Random,
    pub(crate) sockets: Vec<Socket>,
    pub(crate) records: Vec<Record>,
    pub(crate) taken: Vec<Taken>,
    events: BTreeMap<(Time, u64), Event>,
    serial: u64,
    /// The socket behind each open connection.
    open: BTreeMap<(u8, u32), SocketId>,
    /// When the last post between two workers arrives.
    posts: BTreeMap<(u8, u8), Time>,
}

impl Network {
    pub(crate) fn new(peers: &[Peer], settings: Settings) -> Self {
        let mut network = Self {
            now: Time::default(),
            desk: Desk::new(peers, settings),
            random: Random::new(settings.seed),
            sockets: Vec::new(),
            records: Vec::new(),
            taken: vec![Taken::default(); peers.len()],
            events: BTreeMap::new(),
            serial: 0,
            open: BTreeMap::new(),
            posts: BTreeMap::new(),
        };
        for worker in 0..settings.workers {
            network.settle(worker);
        }
        network
    }

    pub(crate) fn at(&mut self, time: Time, event: Event) {
        self.serial += 1;
        self.events.insert((time, self.serial), event);
    }

    pub(crate) fn wake(&mut self, wait_ms: u64, event: PeerEvent) {
        self.at(self.now.plus_ms(wait_ms), Event::Peer(event));
    }

    /// Octets from a peer, in chunks, each a while after the one before.
    pub(crate) fn say(&mut self, id: SocketId, octets: &[u8]) {
        let mut rest = octets;
        while !rest.is_empty() && self.sockets[id.0].alive {
            let whole = self.random.below(4) > 0;
            let chunk = if whole { rest.len() } else { 1 + self.random.below(rest.len()) };
            let (head, tail) = rest.split_at(chunk);
            rest = tail;
            let delay = self.delay(SOCKET_DELAY_MS);
            let socket = &mut self.sockets[id.0];
            socket.to_gateway = socket.to_gateway.max(self.now.plus_ms(delay));
            let time = socket.to_gateway;
            self.at(time, Event::ToGateway(id, head.to_vec()));
        }
    }

    /// A peer connects.
    pub(crate) fn dial(&mut self, link: LinkId) {
        let delay = self.delay(SOCKET_DELAY_MS);
        self.at(self.now.plus_ms(delay), Event::Dialled { link, side: Side::Responder });
    }

    /// The network loses a connection: both ends notice, whatever was on its way is gone.
    pub(crate) fn kill(&mut self, id: SocketId) {
        if !std::mem::replace(&mut self.sockets[id.0].alive, false) {
            return;
        }
        let (worker, conn) = (self.worker(self.sockets[id.0].link), self.sockets[id.0].conn);
        if !self.is_open(id) {
            return;
        }
        self.open.remove(&(worker, conn.0));
        let now = self.now;
        self.gateway(worker).closed(now, conn, "");
        self.settle(worker);
    }

    /// The next thing that happens up to `end`, and what the peers hear of it.
    pub(crate) fn step(&mut self, end: Time) -> Option<Vec<News>> {
        let due = self.desk.gateways.iter().enumerate();
        let due = due.filter_map(|(worker, gateway)| Some((gateway.deadline()?, worker))).min();
        let event = self.events.first_key_value().map(|((time, _), _)| *time);
        let next = due.map(|(time, _)| time).into_iter().chain(event).min()?;
        if next > end {
            self.now = end;
            return None;
        }
        self.now = self.now.max(next);
        if let Some((_, worker)) = due.filter(|(time, _)| *time <= self.now) {
            let worker = u8::try_from(worker).unwrap();
            let now = self.now;
            self.gateway(worker).expire(now);
            self.settle(worker);
            return Some(Vec::new());
        }
        let (_, event) = self.events.pop_first()?;
        Some(self.happen(event))
    }

    fn happen(&mut self, event: Event) -> Vec<News> {
        match event {
            Event::ToGateway(id, octets) => self.reach_gateway(id, &octets),
            Event::ToPeer(id, octets) => return self.reach_peer(id, &octets),
            Event::Ends(id) => {
                self.kill(id);
                return vec![News::Ended(id)];
            }
            Event::Posted { to, post } => {
                let now = self.now;
                self.gateway(to.0).posted(now, &post);
                self.settle(to.0);
            }
            Event::Dialled { link, side } => return vec![self.dialled(link, side)],
            Event::Peer(event) => return vec![News::Woken(event)],
        }
        Vec::new()
    }

    fn reach_gateway(&mut self, id: SocketId, octets: &[u8]) {
        let now = self.now;
        if !self.is_open(id) {
            return;
        }
        let socket = &mut self.sockets[id.0];
        socket.gateway_tail.extend_from_slice(octets);
        let mut tail = std::mem::take(&mut socket.gateway_tail);
        let (link, conn) = (socket.link, socket.conn);
        let worker = self.worker(link);
        let before = self.frames_in(link);
        let consumed = self.gateway(worker).received(now, conn, &tail);
        let rest = tail.split_off(consumed);
        // What stands behind the frame that made the gateway close is thrown away unread.
        let read = usize::try_from(self.frames_in(link) - before).unwrap();
        for frame in frames(&mut tail).iter().take(read) {
            let message = parse::Message::parse(frame).unwrap();
            let taken = &mut self.taken[link.0 as usize];
            taken.requests += usize::from(message.application != 0 && message.is_request());
            taken.answers += usize::from(message.application != 0 && !message.is_request());
        }
        self.sockets[id.0].gateway_tail = rest;
        self.settle(worker);
    }

    fn reach_peer(&mut self, id: SocketId, octets: &[u8]) -> Vec<News> {
        let socket = &mut self.sockets[id.0];
        if !socket.alive {
            return Vec::new();
        }
        socket.peer_tail.extend_from_slice(octets);
        let whole = frames(&mut socket.peer_tail);
        whole.into_iter().map(|frame| News::Frame(id, frame)).collect()
    }

    fn dialled(&mut self, link: LinkId, side: Side) -> News {
        let (now, worker) = (self.now, self.worker(link));
        if side == Side::Initiator && self.random.below(100) < DIAL_FAILURES {
            self.gateway(worker).failed(now, link);
            self.settle(worker);
            return News::DialFailed(link);
        }
        let Some(conn) = self.gateway(worker).opened(now, link, side) else {
            return News::DialFailed(link);
        };
        let id = SocketId(self.sockets.len());
        self.sockets.push(Socket {
            link,
            alive: true,
            conn,
            to_gateway: now,
            to_peer: now,
            gateway_tail: Vec::new(),
            peer_tail: Vec::new(),
        });
        self.open.insert((worker, conn.0), id);
        self.settle(worker);
        News::Opened(id, side)
    }

    /// Carries out what a gateway wants until it wants nothing more.
    fn settle(&mut self, worker: u8) {
        while let Some(output) = self.gateway(worker).poll() {
            match output {
                Output::Connect(link) => {
                    let delay = self.delay(SOCKET_DELAY_MS);
                    let event = Event::Dialled { link, side: Side::Initiator };
                    self.at(self.now.plus_ms(delay), event);
                }
                Output::Write(conn) => self.write(worker, conn),
                Output::Close(conn) => self.close(worker, conn),
                Output::Post(to) => self.post(WorkerId(worker), to),
                Output::Note { .. } => {}
            }
        }
        let records = std::mem::take(self.gateway(worker).records());
        self.records.extend(records);
    }

    fn write(&mut self, worker: u8, conn: ConnId) {
        let octets = tests::desk::written(self.gateway(worker), conn);
        let Some(id) = self.open.get(&(worker, conn.0)).copied() else { return };
        let delay = self.delay(SOCKET_DELAY_MS);
        let socket = &mut self.sockets[id.0];
        socket.to_peer = socket.to_peer.max(self.now.plus_ms(delay));
        let time = socket.to_peer;
        self.at(time, Event::ToPeer(id, octets));
    }

    fn close(&mut self, worker: u8, conn: ConnId) {
        self.write(worker, conn);
        let now = self.now;
        self.gateway(worker).closed(now, conn, "");
        if let Some(id) = self.open.remove(&(worker, conn.0)) {
            // What was written arrives; then the peer sees the end.
            let time = self.sockets[id.0].to_peer;
            self.at(time, Event::Ends(id));
        }
    }

    fn post(&mut self, from: WorkerId, to: WorkerId) {
        let post = self.gateway(from.0).take_post(to, Post::default());
        let delay = self.delay(POST_DELAY_MS);
        let clock = self.posts.entry((from.0, to.0)).or_default();
        *clock = (*clock).max(self.now.plus_ms(delay));
        let time = *clock;
        self.at(time, Event::Posted { to, post });
    }

    /// Whether the gateway still has it; it may use the number for another afterwards.
    fn is_open(&self, id: SocketId) -> bool {
        let socket = &self.sockets[id.0];
        self.open.get(&(self.worker(socket.link), socket.conn.0)) == Some(&id)
    }

    fn frames_in(&self, link: LinkId) -> u64 {
        self.desk.board.status(link).unwrap().counters.frames_in
    }

    fn gateway(&mut self, worker: u8) -> &mut Gateway {
        &mut self.desk.gateways[usize::from(worker)]
    }

    fn worker(&self, link: LinkId) -> u8 {
        u8::try_from(link.0 as usize % self.desk.gateways.len()).unwrap()
    }

    fn delay(&mut self, limit_ms: usize) -> u64 {
        self.random.below(limit_ms) as u64
    }
}

/// Takes the whole frames off the head of `octets`.
fn frames(octets: &mut Vec<u8>) -> Vec<Vec<u8>> {
    let mut whole = Vec::new();
    while let Some(length) = parse::frame_length(octets).expect("framed") {
        if octets.len() < length {
            break;
        }
        let rest = octets.split_off(length);
        whole.push(std::mem::replace(octets, rest));
    }
    whole
}
