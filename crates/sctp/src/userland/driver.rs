//! An endpoint's thread: packets in, to the association they belong to, and out.
//!
//! ```text
//!  sockets ─▷ head, checksum ─┬▷ known address ─▷ its queue ─▷ engine ─▷ events ─▷ owner's inbox
//!                             ├▷ INIT: cookie baked, nothing kept       ▲
//!                             ├▷ COOKIE ECHO: checked, association made │
//!                             └▷ anything else: answered or counted     └── owner's outbox, bell
//! ```
//!
//! All associations share the sockets, and the engine is slower than they are: packets are sorted
//! first and worked on by turns, so that one that floods fills its own queue and nobody else's way.

#![allow(clippy::disallowed_methods, reason = "an endpoint has its own clock, as a kernel has")]

use std::collections::HashMap;
use std::future::poll_fn;
use std::io;
use std::net::IpAddr;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use tokio::sync::{mpsc, oneshot};

use super::carrier::Way;
use super::cookie::{Baker, Cookie};
use super::packet::{self, Head, PACKET_OCTETS_MAX, chunk};
use super::peer::{self, Arrived, Birth, Path, Peer, Stage};
use super::shared::{Bell, Limits, Shared};
use super::{Association, Counters};
use crate::interface::{Admits, Settings};

/// Associations one endpoint may have.
pub const ASSOCIATIONS_MAX: usize = 1_024;
/// Packets sorted in one turn before the associations have theirs.
const PACKETS_A_TURN: usize = 1_024;
/// Packets of one association that may wait for the engine; a further one is as good as lost on the
/// way, which makes its sender slow down.
const PACKETS_WAITING_MAX: usize = 256;
/// Packets of one association that the engine has before the others have theirs.
const PACKETS_OF_ONE_A_TURN: usize = 32;
/// Emptied buffers that are kept for the next packets.
const SPARES_MAX: usize = 1_024;
/// The longest sleep, so that nothing that is missed is missed for long.
const SLEEP_MS_MAX: u64 = 1_000;

/// What an endpoint asks its thread for.
pub(super) struct Connect {
    pub(super) addresses: Vec<IpAddr>,
    pub(super) port: u16,
    pub(super) encapsulation_port: u16,
    pub(super) done: oneshot::Sender<io::Result<Association>>,
}

/// What an endpoint's thread is made from.
pub(super) struct Plan {
    pub(super) ways: Vec<Way>,
    pub(super) port: u16,
    pub(super) settings: Settings,
    pub(super) admits: Admits,
    pub(super) bell: Arc<Bell>,
    pub(super) counters: Arc<Counters>,
    pub(super) accepted: mpsc::Sender<Association>,
    pub(super) connects: mpsc::Receiver<Connect>,
    pub(super) baker: Baker,
}

struct Driver {
    ways: Vec<Way>,
    port: u16,
    settings: Settings,
    admits: Admits,
    bell: Arc<Bell>,
    counters: Arc<Counters>,
    accepted: mpsc::Sender<Association>,
    baker: Baker,
    start: Instant,
    peers: Vec<Option<Peer>>,
    /// Who waits for an association we make, by its number.
    waiting: HashMap<usize, oneshot::Sender<io::Result<Association>>>,
    /// By the peer's address and port.
    paths: HashMap<(IpAddr, u16), usize>,
    /// Numbers of associations that have something to do.
    due: Vec<usize>,
    buffer: Box<[u8]>,
    spares: Vec<Vec<u8>>,
}

/// Runs until the endpoint and all its associations are gone.
pub(super) async fn run(plan: Plan) {
    let (mut driver, mut connects) = Driver::new(plan);
    let bell = Arc::clone(&driver.bell);
    let mut is_open = true;
    while is_open || driver.peers.iter().any(Option::is_some) {
        let sleep = driver.sleep();
        tokio::select! {
            () = poll_fn(|cx| driver.poll_packets(cx)) => {}
            () = bell.notify.notified() => {}
            connect = connects.recv(), if is_open => match connect {
                Some(connect) => driver.connect(connect),
                None => is_open = false,
            },
            () = tokio::time::sleep(sleep) => {}
        }
        driver.turn();
    }
}

impl Driver {
    fn new(plan: Plan) -> (Self, mpsc::Receiver<Connect>) {
        let Plan { ways, port, settings, admits, bell, counters, accepted, connects, baker } = plan;
        let driver = Self {
            ways,
            port,
            settings,
            admits,
            bell,
            counters,
            accepted,
            baker,
            start: Instant::now(),
            peers: Vec::new(),
            waiting: HashMap::new(),
            paths: HashMap::new(),
            due: Vec::new(),
            buffer: vec![0; PACKET_OCTETS_MAX].into_boxed_slice(),
            spares: Vec::new(),
        };
        (driver, connects)
    }

    fn now_ms(&self) -> u64 {
        u64::try_from(self.start.elapsed().as_millis()).unwrap_or(u64::MAX)
    }

    /// How long there is nothing to do.
    fn sleep(&self) -> Duration {
        if !self.due.is_empty() {
            return Duration::ZERO;
        }
        let next = self.peers.iter().flatten().filter_map(Peer::deadline_ms).min();
        let wait = next.map_or(SLEEP_MS_MAX, |at| at.saturating_sub(self.now_ms()));
        Duration::from_millis(wait.min(SLEEP_MS_MAX))
    }

    /// Takes what packets are there; ready when there were any.
    fn poll_packets(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        let mut buffer = std::mem::take(&mut self.buffer);
        let mut taken = 0;
        for way in 0..self.ways.len() {
            while taken < PACKETS_A_TURN {
                let Some(socket) = self.ways.get(way) else { break };
                match socket.poll_receive(cx, &mut buffer) {
                    Poll::Pending => break,
                    Poll::Ready(Ok(received)) => {
                        let packet = buffer.get(received.place).unwrap_or_default();
                        self.packet(packet, received.address, received.port, way);
                    }
                    // An error of an earlier send, told here: nobody listens there.
                    Poll::Ready(Err(_)) => {}
                }
                taken += 1;
            }
        }
        self.buffer = buffer;
        if taken > 0 { Poll::Ready(()) } else { Poll::Pending }
    }

    fn packet(&mut self, packet: &[u8], from: IpAddr, udp_port: u16, way: usize) {
        let Some(head) = packet::head(packet) else { return self.counters.add("unreadable") };
        if head.destination != self.port {
            return self.counters.add("another port");
        }
        if !(self.admits)(&[from]) {
            return self.counters.add("unexpected address");
        }
        let known = self.paths.get(&(from, head.source)).copied();
        let is_init = head.first == chunk::INIT;
        match (known, head.first) {
            (_, chunk::COOKIE_ECHO) => self.cookie(packet, &head, from, udp_port, known),
            (Some(number), _) => self.sort(number, packet, head, from, udp_port),
            (None, chunk::INIT) => self.init(packet, &head, from, udp_port, way),
            (None, _) => {
                self.counters.add("out of the blue");
                if let (Some(answer), Some(way)) =
                    (packet::out_of_the_blue(packet, &head), self.ways.get(way))
                {
                    way.send(&answer, from, udp_port);
                }
            }
        }
        if is_init {
            self.counters.add("INIT");
        }
    }

    /// A packet of an association that there is waits for its turn.
    fn sort(&mut self, number: usize, packet: &[u8], head: Head, from: IpAddr, udp_port: u16) {
        let Some(peer) = self.peers.get_mut(number).and_then(Option::as_mut) else { return };
        if peer.arrived.len() >= PACKETS_WAITING_MAX {
            return self.counters.add("more than an association's share");
        }
        let mut octets = self.spares.pop().unwrap_or_default();
        octets.extend_from_slice(packet);
        peer.arrived.push_back(Arrived { octets, head, from, udp_port });
        self.due.push(number);
    }

    /// An association's packets, as far as it is its turn.
    fn work(&mut self, number: usize) {
        for _ in 0..PACKETS_OF_ONE_A_TURN {
            let peer = self.peers.get_mut(number).and_then(Option::as_mut);
            let Some(arrived) = peer.and_then(|peer| peer.arrived.pop_front()) else { return };
            let Arrived { mut octets, head, from, udp_port } = arrived;
            self.known(number, &octets, &head, from, udp_port);
            if self.spares.len() < SPARES_MAX {
                octets.clear();
                self.spares.push(octets);
            }
        }
    }

    /// A packet of an association that there is, or an INIT of its peer.
    fn known(&mut self, number: usize, packet: &[u8], head: &Head, from: IpAddr, udp_port: u16) {
        let now_ms = self.now_ms();
        let Some(peer) = self.peers.get_mut(number).and_then(Option::as_mut) else { return };
        if head.tag == peer.tag() {
            peer.heard(from, udp_port, now_ms);
            if head.first == chunk::INIT_ACK
                && let Some(init) =
                    packet::chunks(packet).next().and_then(|it| packet::init(it.octets))
            {
                let allowed = allowed(&self.admits, &init.addresses);
                peer.learn(&allowed, packet::ADDRESSES_MAX);
                for address in allowed {
                    self.paths.entry((address, head.source)).or_insert(number);
                }
            }
        }
        let outcome = catch_unwind(AssertUnwindSafe(|| peer.input(packet, now_ms)));
        if outcome.is_err() {
            self.broken(number);
        }
    }

    /// An INIT of somebody new: everything it will take to go on is in the cookie.
    fn init(&mut self, packet: &[u8], head: &Head, from: IpAddr, udp_port: u16, way: usize) {
        let init = packet::chunks(packet).next().and_then(|it| packet::init(it.octets));
        let Some(init) = init.filter(|_| head.tag == 0) else {
            return self.counters.add("unreadable");
        };
        let Some(answer) = self.answer_init(packet, head) else {
            return self.counters.add("unreadable");
        };
        let mut addresses = vec![from];
        addresses.extend(allowed(&self.admits, &init.addresses).into_iter().filter(|a| *a != from));
        let streams_out = self.settings.streams_out.min(init.streams_in);
        let issued_ms = self.now_ms();
        let wrapped = self.wrap(&answer, |inner| Cookie {
            issued_ms,
            port: head.source,
            addresses,
            streams_out,
            inner: inner.to_vec(),
        });
        if let (Some(wrapped), Some(way)) = (wrapped, self.ways.get(way)) {
            way.send(&wrapped, from, udp_port);
        }
    }

    /// The engine's INIT ACK, from one that is forgotten at once.
    fn answer_init(&self, packet: &[u8], head: &Head) -> Option<Vec<u8>> {
        use dcsctp::api::{DcSctpSocket as _, Socket, SocketEvent};
        let options = peer::options(&self.settings, self.port, head.source);
        let answer = catch_unwind(AssertUnwindSafe(|| {
            let mut socket = Socket::new("", &options);
            socket.handle_input(packet);
            std::iter::from_fn(|| socket.poll_event()).find_map(|event| match event {
                SocketEvent::SendPacket(answer) => Some(answer),
                _ => None,
            })
        }));
        answer.ok().flatten()
    }

    /// An INIT or INIT ACK of ours as it leaves: with our addresses, its cookie wrapped.
    fn wrap(&self, packet: &[u8], cookie: impl FnOnce(&[u8]) -> Cookie) -> Option<Vec<u8>> {
        let own: Vec<IpAddr> = self.ways.iter().map(|way| way.local).collect();
        let own = if own.len() > 1 { own.as_slice() } else { &[] };
        packet::with_own_init(packet, own, |inner| self.baker.bake(&cookie(inner)))
    }

    /// A cookie comes back: of somebody new it makes an association.
    fn cookie(
        &mut self,
        packet: &[u8],
        head: &Head,
        from: IpAddr,
        udp_port: u16,
        known: Option<usize>,
    ) {
        let now_ms = self.now_ms();
        let echoed = packet::chunks(packet).next().and_then(|it| it.octets.get(4..));
        let cookie = self.baker.check(echoed.unwrap_or_default(), from, head.source, now_ms);
        let cookie = match cookie {
            Ok(cookie) => cookie,
            Err(why) => return self.counters.add(why),
        };
        let Some(packet) = packet::with_cookie(packet, &cookie.inner) else { return };
        let number = match known {
            Some(number) => number,
            None => {
                let paths = cookie.addresses.iter().map(|address| (*address, udp_port)).collect();
                match self.add(paths, head.source, cookie.streams_out) {
                    Some(number) => number,
                    None => return self.counters.add("too many associations"),
                }
            }
        };
        let Some(peer) = self.peers.get_mut(number).and_then(Option::as_mut) else { return };
        peer.heard(from, udp_port, now_ms);
        if catch_unwind(AssertUnwindSafe(|| peer.input(&packet, now_ms))).is_err() {
            self.broken(number);
        }
        self.due.push(number);
    }

    fn add(&mut self, paths: Vec<(IpAddr, u16)>, port: u16, streams_out: u16) -> Option<usize> {
        let number = self.peers.iter().position(Option::is_none).unwrap_or(self.peers.len());
        if number >= ASSOCIATIONS_MAX {
            return None;
        }
        for (address, _) in &paths {
            self.paths.insert((*address, port), number);
        }
        let limits = Limits {
            receive_octets: self.settings.receive_octets_max,
            send_octets: self.settings.send_octets_max,
        };
        let peer = Peer::new(Birth {
            options: peer::options(&self.settings, self.port, port),
            shared: Arc::new(Shared::new(limits, Arc::clone(&self.bell), number)),
            port,
            paths,
            streams_out,
            silence_ms: u64::from(self.settings.rto_initial_ms) * 2,
            send_octets: self.settings.send_octets_max,
            now_ms: self.now_ms(),
        });
        match self.peers.get_mut(number) {
            Some(slot) => *slot = Some(peer),
            None => self.peers.push(Some(peer)),
        }
        Some(number)
    }

    fn connect(&mut self, connect: Connect) {
        let Connect { addresses, port, encapsulation_port, done } = connect;
        let refuse = |kind, text: &str| Err(io::Error::new(kind, text.to_owned()));
        let paths: Vec<_> = addresses.into_iter().map(|it| (it, encapsulation_port)).collect();
        let Some((first, _)) = paths.first().copied() else {
            // Whoever asked may have gone.
            let _ = done.send(refuse(io::ErrorKind::InvalidInput, "no address to connect to"));
            return;
        };
        if self.paths.contains_key(&(first, port)) {
            let text = "there is an association with this address and port";
            let _ = done.send(refuse(io::ErrorKind::AddrInUse, text));
            return;
        }
        match self.add(paths, port, self.settings.streams_out) {
            None => {
                let text = "too many associations";
                let _ = done.send(refuse(io::ErrorKind::QuotaExceeded, text));
            }
            Some(number) => {
                self.waiting.insert(number, done);
                let now_ms = self.now_ms();
                if let Some(peer) = self.peers.get_mut(number).and_then(Option::as_mut) {
                    peer.connect(now_ms);
                }
                self.due.push(number);
            }
        }
    }

    /// One turn of every association that has something to do.
    fn turn(&mut self) {
        let now_ms = self.now_ms();
        let mut due = std::mem::take(&mut self.due);
        self.bell.take(&mut due);
        let late = |peer: &Peer| peer.deadline_ms().is_some_and(|at| at <= now_ms);
        let late =
            self.peers.iter().enumerate().filter(|(_, peer)| peer.as_ref().is_some_and(late));
        due.extend(late.map(|(number, _)| number));
        due.sort_unstable();
        due.dedup();
        for number in due {
            self.work(number);
            self.turn_of(number, now_ms);
        }
    }

    fn turn_of(&mut self, number: usize, now_ms: u64) {
        let Some(mut peer) = self.peers.get_mut(number).and_then(Option::take) else { return };
        let before = peer.stage;
        let mut packets: Vec<(Vec<u8>, Path)> = Vec::new();
        let outcome = catch_unwind(AssertUnwindSafe(|| {
            peer.turn(now_ms, |packet, path| packets.push((packet, path)));
        }));
        for (packet, path) in packets {
            self.send(&packet, path, &peer, now_ms);
        }
        if outcome.is_err() {
            self.counters.add("engine fault");
            peer.cut("a fault of the engine");
        }
        if before == Stage::Connecting && peer.stage == Stage::Up {
            self.up(number, &mut peer);
        }
        if let Stage::Down(why) = peer.stage {
            if let Some(done) = self.waiting.remove(&number) {
                let error = io::Error::new(io::ErrorKind::ConnectionRefused, why);
                let _ = done.send(Err(error));
            }
            self.paths.retain(|_, owner| *owner != number);
            return;
        }
        if peer.has_more() {
            self.due.push(number);
        }
        if let Some(slot) = self.peers.get_mut(number) {
            *slot = Some(peer);
        }
    }

    fn send(&self, packet: &[u8], path: Path, peer: &Peer, now_ms: u64) {
        let way = self.ways.iter().find(|way| way.local.is_ipv4() == path.address.is_ipv4());
        // From the address of the same place in our list as the peer's in its own: each path then
        // has its own pair, as a multi-homed peer has it with us.
        let place = peer.paths.iter().position(|known| known.address == path.address);
        let same = place.and_then(|place| self.ways.get(place));
        let same = same.filter(|way| way.local.is_ipv4() == path.address.is_ipv4());
        let Some(way) = same.or(way) else { return };
        let kind = packet.get(packet::HEADER_OCTETS).copied();
        let wrapped = matches!(kind, Some(chunk::INIT | chunk::INIT_ACK)).then(|| {
            self.wrap(packet, |inner| Cookie {
                issued_ms: now_ms,
                port: peer.port,
                addresses: peer.addresses(),
                streams_out: peer.streams_out,
                inner: inner.to_vec(),
            })
        });
        match wrapped {
            Some(Some(wrapped)) => way.send(&wrapped, path.address, path.port),
            Some(None) => {}
            None => way.send(packet, path.address, path.port),
        }
    }

    fn up(&mut self, number: usize, peer: &mut Peer) {
        let association = Association::new(
            Arc::clone(&peer.shared),
            peer.streams_out,
            peer.addresses(),
            peer.port,
        );
        match self.waiting.remove(&number) {
            Some(done) => {
                if done.send(Ok(association)).is_err() {
                    self.counters.add("nobody waited");
                }
            }
            None => {
                if self.accepted.try_send(association).is_err() {
                    self.counters.add("not accepted in time");
                }
            }
        }
    }

    /// A bug that a peer's packet brings out costs that peer's association and nothing else.
    fn broken(&mut self, number: usize) {
        self.counters.add("engine fault");
        if let Some(mut peer) = self.peers.get_mut(number).and_then(Option::take) {
            peer.cut("a fault of the engine");
        }
        self.paths.retain(|_, owner| *owner != number);
    }
}

/// Those addresses that an association may use.
fn allowed(admits: &Admits, addresses: &[IpAddr]) -> Vec<IpAddr> {
    addresses.iter().copied().filter(|address| admits(&[*address])).collect()
}

#[cfg(test)]
mod fuzz;
