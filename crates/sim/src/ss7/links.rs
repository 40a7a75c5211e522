//! The associations of a node to its signalling gateway, and the loop that drives the node: takes
//! all events, lets the node act, bundles all sends; connects again what has dropped.
#![allow(clippy::disallowed_methods, reason = "the simulator's sockets and clock live here")]

use std::collections::VecDeque;
use std::future::poll_fn;
use std::io;
use std::net::IpAddr;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use sctp::{Association, Backend, Endpoint, Event, Peer, Refused, Settings};
use tokio::sync::{Notify, mpsc};
use tokio::time::timeout;

use super::Outbox;
use super::asp::{Asp, AspConfig, AspCounts, Frame, PPID};
use crate::pacer::Pacer;
use crate::peer::{Backoff, Stop};

/// Events taken from one association before the others have their turn.
const EVENTS_MAX: usize = 512;
/// Longest pause of the loop: the node looks for losses at least so often.
const TICK: Duration = Duration::from_millis(20);
/// How long a leaving node waits for its associations to end.
const PARTING: Duration = Duration::from_millis(500);

/// Where a node's associations go, and how it presents itself there.
#[derive(Clone, Debug)]
pub struct LinkConfig {
    /// Whose SCTP.
    pub backend: Backend,
    /// Local addresses; several make each association multi-homed.
    pub local: Vec<IpAddr>,
    /// SCTP port of the first association, the others follow; 0 takes free ones.
    pub local_port: u16,
    /// SCTP limits and timers.
    pub settings: Settings,
    /// The signalling gateway.
    pub gateway: Peer,
    /// Associations, each an ASP of its own.
    pub connections: usize,
    /// Point codes, routing context. The ASP identifier, if any, is the first one's; the others
    /// follow.
    pub asp: AspConfig,
    /// Where the associations are not alike, one entry for each: then `connections`, `local` and
    /// the ASP identifier in `asp` say nothing.
    pub members: Vec<Member>,
}

/// What one association has for itself.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Member {
    /// Its ASP identifier.
    pub asp_id: Option<u32>,
    /// Its local addresses.
    pub local: Vec<IpAddr>,
}

impl LinkConfig {
    /// One association inside UDP from a free port of loopback.
    #[must_use]
    pub fn new(gateway: Peer, asp: AspConfig) -> Self {
        Self {
            backend: Backend::Udp { encapsulation_port: 0 },
            local: vec![IpAddr::from([127, 0, 0, 1])],
            local_port: 0,
            settings: Settings::default(),
            gateway,
            connections: 1,
            asp,
            members: Vec::new(),
        }
    }

    fn count(&self) -> usize {
        if self.members.is_empty() { self.connections.max(1) } else { self.members.len() }
    }

    fn bind(&self, index: usize) -> io::Result<Endpoint> {
        let known = self.gateway.addresses.clone();
        let admits = Arc::new(move |from: &[IpAddr]| from.iter().all(|ip| known.contains(ip)));
        let offset = u16::try_from(index).unwrap_or(0);
        let next = |port: u16| if port == 0 { 0 } else { port.saturating_add(offset) };
        let backend = match self.backend {
            Backend::Udp { encapsulation_port } => {
                Backend::Udp { encapsulation_port: next(encapsulation_port) }
            }
            other => other,
        };
        let local = self.members.get(index).map_or(&self.local, |member| &member.local);
        Endpoint::bind(backend, local, next(self.local_port), &self.settings, admits)
    }

    fn asp(&self, index: usize) -> AspConfig {
        let offset = u32::try_from(index).unwrap_or(0);
        let asp_id = match self.members.get(index) {
            Some(member) => member.asp_id,
            None => self.asp.asp_id.map(|id| id + offset),
        };
        AspConfig { asp_id, ..self.asp.clone() }
    }
}

/// Whether a node may send.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Room {
    /// Associations over which data may go.
    pub ready: usize,
    /// All associations.
    pub of: usize,
    /// Earlier messages still wait: nothing new should be begun.
    pub choked: bool,
}

/// What the loop drives.
pub(crate) trait Node {
    /// An SCCP message came.
    fn receive(&mut self, sccp: &[u8], now: u64, out: &mut Outbox);
    /// Time has passed, or there is room: sends what is due, returns when it wants the next turn.
    fn turn(&mut self, now: u64, room: Room, out: &mut Outbox) -> Option<u64>;
    /// No association is left.
    fn cut(&mut self, now: u64);
    /// Somebody wants it to end.
    fn stop(&mut self);
    /// It has nothing left to do.
    fn is_over(&self, now: u64) -> bool;
}

/// What the associations have counted.
#[derive(Clone, Debug, Default, serde::Serialize, PartialEq, Eq)]
pub struct LinkCounts {
    /// Associations made.
    pub connected: u64,
    /// Messages that had no association to go on.
    pub unsent: u64,
    /// M3UA, over all associations.
    #[serde(flatten)]
    pub asp: AspCounts,
}

struct Link {
    endpoint: Arc<Endpoint>,
    association: Option<Association>,
    asp: Asp,
    /// Frames that found no room.
    waiting: VecDeque<Frame>,
    next: Option<u64>,
    /// How long to wait before the next attempt, until the present one has carried traffic: who is
    /// turned away at the door must not knock again at once.
    backoff: Option<Backoff>,
}

/// An association that was made, for which link, and what the attempt had waited.
type Made = (usize, Association, Backoff);

/// All associations of a node.
pub(crate) struct Links {
    config: LinkConfig,
    links: Vec<Link>,
    start: Instant,
    /// Takes the next message that may go anywhere.
    turn: usize,
    connected: u64,
    unsent: u64,
    made: mpsc::UnboundedSender<Made>,
    fresh: mpsc::UnboundedReceiver<Made>,
    /// Somebody else has something for the node to do.
    wake: Arc<Notify>,
}

fn nanos(duration: Duration) -> u64 {
    u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX)
}

impl Links {
    /// Binds the endpoints; call it inside a tokio runtime.
    pub(crate) fn bind(config: LinkConfig) -> io::Result<Self> {
        let (made, fresh) = mpsc::unbounded_channel();
        let links = (0..config.count()).map(|index| {
            Ok(Link {
                endpoint: Arc::new(config.bind(index)?),
                association: None,
                asp: Asp::new(config.asp(index)),
                waiting: VecDeque::new(),
                next: None,
                backoff: None,
            })
        });
        let links = links.collect::<io::Result<Vec<_>>>()?;
        let start = Instant::now();
        let wake = Arc::new(Notify::new());
        Ok(Self { config, links, start, turn: 0, connected: 0, unsent: 0, made, fresh, wake })
    }

    /// Gives the node a turn whenever `wake` is notified, too.
    pub(crate) fn woken_by(self, wake: Arc<Notify>) -> Self {
        Self { wake, ..self }
    }

    fn now(&self) -> u64 {
        nanos(self.start.elapsed())
    }

    pub(crate) fn counts(&self) -> LinkCounts {
        let mut sum = LinkCounts {
            connected: self.connected,
            unsent: self.unsent,
            asp: AspCounts::default(),
        };
        for link in &self.links {
            sum.asp.add(&link.asp.counts);
        }
        sum
    }

    fn room(&self) -> Room {
        let usable = |l: &&Link| l.association.is_some() && l.asp.is_ready();
        Room {
            ready: self.links.iter().filter(usable).count(),
            of: self.links.len(),
            choked: self.links.iter().any(|l| !l.waiting.is_empty()),
        }
    }

    fn connect(&mut self, index: usize, stop: &Stop) {
        let Some(link) = self.links.get_mut(index) else { return };
        let before = link.backoff.take();
        let (endpoint, peer) = (link.endpoint.clone(), self.config.gateway.clone());
        let (made, mut stop) = (self.made.clone(), stop.clone());
        tokio::spawn(async move {
            let mut waits = before.is_some();
            let mut backoff = before.unwrap_or_else(Backoff::new);
            loop {
                if std::mem::replace(&mut waits, true) {
                    backoff.wait(&mut stop).await;
                }
                if stop.is_stopped() || made.is_closed() {
                    return;
                }
                if let Ok(association) = endpoint.connect(&peer).await {
                    let _gone = made.send((index, association, backoff));
                    return;
                }
            }
        });
    }

    /// Drives `node` until it is over; `deadline` bounds how long the first ASPs may take.
    ///
    /// # Errors
    /// Not all associations carry traffic within `patience`, where that is given.
    pub(crate) async fn drive(
        &mut self,
        node: &mut impl Node,
        patience: Option<Duration>,
        stop: &mut Stop,
    ) -> io::Result<()> {
        let pacer = Pacer::new()?;
        (0..self.links.len()).for_each(|index| self.connect(index, stop));
        let (mut events, mut out) = (Vec::new(), Outbox::new());
        let (mut begun, mut stopping) = (patience.is_none(), false);
        loop {
            let now = self.now();
            let room = self.room();
            begun |= room.ready == room.of;
            if !begun && patience.is_some_and(|p| now > nanos(p)) {
                let text = format!("{} of {} associations carry traffic", room.ready, room.of);
                return Err(io::Error::new(io::ErrorKind::TimedOut, text));
            }
            if stop.is_stopped() && !stopping {
                stopping = true;
                node.stop();
            }
            let next = if begun { node.turn(now, room, &mut out) } else { None };
            self.post(&mut out);
            if node.is_over(now) || (stopping && !begun) {
                self.part().await;
                return Ok(());
            }
            let next = self.flush(now).into_iter().chain(next).min().unwrap_or(u64::MAX);
            let at = self.start + Duration::from_nanos(next.min(now + nanos(TICK)));
            tokio::select! {
                biased;
                () = poll_fn(|cx| poll(&mut self.links, cx, &mut events)) => {}
                Some(made) = self.fresh.recv() => self.up(made),
                () = self.wake.notified() => {}
                waited = pacer.until(at) => waited?,
            }
            let now = self.now();
            for (index, event) in events.drain(..) {
                self.event(index, event, node, now, &mut out);
            }
            self.reconnect(node, stop);
        }
    }

    fn up(&mut self, (index, association, backoff): Made) {
        let now = self.now();
        let Some(link) = self.links.get_mut(index) else { return };
        let mut frames = Vec::new();
        link.asp.up(association.streams_out(), now, &mut frames);
        link.association = Some(association);
        link.backoff = Some(backoff);
        link.waiting.extend(frames);
        self.connected += 1;
    }

    fn event(
        &mut self,
        index: usize,
        event: Event,
        node: &mut impl Node,
        now: u64,
        out: &mut Outbox,
    ) {
        let Some(link) = self.links.get_mut(index) else { return };
        let mut frames = Vec::new();
        match event {
            Event::Data(message) if message.ppid == PPID => {
                if let Some(sccp) = link.asp.receive(&message.octets, now, &mut frames) {
                    node.receive(&sccp, now, out);
                }
                if link.asp.is_ready() {
                    link.backoff = None;
                }
            }
            Event::Data(_) => link.asp.counts.malformed += 1,
            Event::Restart => {
                let streams = link.association.as_ref().map_or(1, Association::streams_out);
                link.waiting.clear();
                link.asp.up(streams, now, &mut frames);
            }
            Event::SendFailed => self.unsent += 1,
            Event::Down { .. } => {
                link.association = None;
                link.asp.down();
                self.unsent += u64::try_from(link.waiting.len()).unwrap_or(0);
                link.waiting.clear();
                link.next = Some(0);
            }
            Event::Writable | Event::Path { .. } => {}
        }
        link.waiting.extend(frames);
    }

    /// Connects what has dropped; tells the node when nothing is left.
    fn reconnect(&mut self, node: &mut impl Node, stop: &Stop) {
        let dropped = |l: &Link| l.association.is_none() && l.next == Some(0);
        let lost: Vec<usize> =
            self.links.iter().enumerate().filter(|(_, l)| dropped(l)).map(|(i, _)| i).collect();
        if lost.is_empty() {
            return;
        }
        for index in lost {
            if let Some(link) = self.links.get_mut(index) {
                link.next = None;
            }
            self.connect(index, stop);
        }
        if self.links.iter().all(|l| l.association.is_none()) {
            node.cut(self.now());
        }
    }

    /// Spreads the node's messages over the associations that carry traffic.
    fn post(&mut self, out: &mut Outbox) {
        let count = self.links.len();
        for (sls, sccp) in out.drain(..) {
            let order = (self.turn..self.turn + count).map(|i| i % count);
            let usable = |i: &usize| {
                self.links.get(*i).is_some_and(|l| l.association.is_some() && l.asp.is_ready())
            };
            let chosen = order.into_iter().find(usable);
            match chosen.and_then(|i| self.links.get_mut(i)) {
                Some(link) => {
                    let frame = link.asp.data(sls, sccp);
                    link.waiting.push_back(frame);
                }
                None => self.unsent += 1,
            }
            self.turn = chosen.map_or(self.turn, |i| (i + 1) % count);
        }
    }

    /// Hands over what waits, as far as there is room; returns when an ASP wants its turn.
    fn flush(&mut self, now: u64) -> Option<u64> {
        let mut soonest: Option<u64> = None;
        for link in &mut self.links {
            let Some(association) = &mut link.association else { continue };
            let mut frames = Vec::new();
            let next = link.asp.turn(now, &mut frames);
            link.waiting.extend(frames);
            soonest = soonest.into_iter().chain(next).min();
            while let Some((stream, octets)) = link.waiting.front() {
                match association.try_send(*stream, PPID, octets) {
                    Ok(()) => {}
                    Err(Refused::TooLong) => self.unsent += 1,
                    Err(Refused::Full | Refused::Closed) => break,
                }
                link.waiting.pop_front();
            }
            association.flush();
        }
        soonest
    }

    /// Takes leave of the gateway, and waits a moment for the associations to end.
    async fn part(&mut self) {
        for link in &mut self.links {
            let mut frames = Vec::new();
            link.asp.leave(&mut frames);
            link.waiting.extend(frames);
        }
        self.flush(0);
        for association in self.links.iter_mut().filter_map(|l| l.association.as_mut()) {
            association.shutdown();
        }
        let ended = async {
            for link in &mut self.links {
                let Some(association) = &mut link.association else { continue };
                while !matches!(poll_fn(|cx| association.poll_event(cx)).await, Event::Down { .. })
                {
                }
            }
        };
        let _late = timeout(PARTING, ended).await;
    }
}

/// Ready when any association has events, which are taken.
fn poll(links: &mut [Link], cx: &mut Context<'_>, events: &mut Vec<(usize, Event)>) -> Poll<()> {
    for (index, link) in links.iter_mut().enumerate() {
        let Some(association) = &mut link.association else { continue };
        for _ in 0..EVENTS_MAX {
            let Poll::Ready(event) = association.poll_event(cx) else { break };
            let down = matches!(event, Event::Down { .. });
            events.push((index, event));
            if down {
                break;
            }
        }
    }
    if events.is_empty() { Poll::Pending } else { Poll::Ready(()) }
}
