//! One association on the endpoint's thread: the engine, the peer's addresses, the owner's queues.

use std::collections::VecDeque;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use dcsctp::api::{
    DcSctpSocket as _, Message as Engines, Options, PpId, SendOptions, Socket, SocketEvent,
    SocketTime, StreamId,
};

use super::packet::Head;
use super::shared::{Ending, Shared};
use crate::interface::{Event, MESSAGE_OCTETS_MAX, Message, Settings};

/// Octets of a packet: fits an Ethernet frame with IP, UDP and SCTP headers.
const MTU_OCTETS: usize = 1_400;
/// Messages given to an owner in one turn; the others have theirs first.
const MESSAGES_A_TURN: usize = 1_024;

/// One of the peer's addresses.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Path {
    pub(super) address: IpAddr,
    /// The UDP port its packets came from last.
    pub(super) port: u16,
    reachable: bool,
}

/// How far an association has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Stage {
    /// We wait for the peer to answer our INIT or cookie.
    Connecting,
    /// It carries messages.
    Up,
    /// It is over.
    Down(&'static str),
}

/// A packet that waits for its turn.
pub(super) struct Arrived {
    pub(super) octets: Vec<u8>,
    pub(super) head: Head,
    pub(super) from: IpAddr,
    pub(super) udp_port: u16,
}

pub(super) struct Peer {
    socket: Socket,
    pub(super) arrived: VecDeque<Arrived>,
    pub(super) shared: Arc<Shared>,
    pub(super) port: u16,
    pub(super) paths: Vec<Path>,
    /// The path in use.
    path: usize,
    /// When something was heard, and when the path was changed, in milliseconds.
    heard_ms: u64,
    changed_ms: u64,
    /// Something was sent since it was last heard.
    waits: bool,
    silence_ms: u64,
    born_ms: u64,
    pub(super) stage: Stage,
    pub(super) streams_out: u16,
    send_octets: usize,
    shutting: bool,
    events: Vec<Event>,
    batch: Vec<Message>,
}

/// The engine's options.
pub(super) fn options(settings: &Settings, local_port: u16, remote_port: u16) -> Options {
    let ms = |ms: u32| Duration::from_millis(u64::from(ms));
    Options {
        local_port,
        remote_port,
        announced_maximum_incoming_streams: settings.streams_in_max,
        announced_maximum_outgoing_streams: settings.streams_out,
        mtu: MTU_OCTETS,
        max_message_size: MESSAGE_OCTETS_MAX,
        max_receiver_window_buffer_size: settings.receive_octets_max.max(2 * MESSAGE_OCTETS_MAX),
        max_send_buffer_size: settings.send_octets_max + 2 * MESSAGE_OCTETS_MAX,
        per_stream_send_queue_limit: settings.send_octets_max + 2 * MESSAGE_OCTETS_MAX,
        rto_initial: ms(settings.rto_initial_ms),
        rto_min: ms(settings.rto_min_ms),
        rto_max: ms(settings.rto_max_ms),
        t1_init_timeout: ms(settings.rto_initial_ms),
        t1_cookie_timeout: ms(settings.rto_initial_ms),
        t2_shutdown_timeout: ms(settings.rto_initial_ms),
        max_timer_backoff_duration: Some(ms(settings.rto_max_ms)),
        heartbeat_interval: ms(settings.heartbeat_ms),
        delayed_ack_max_timeout: ms(settings.rto_min_ms / 2),
        min_rtt_variance: ms(settings.rto_min_ms / 2),
        max_retransmissions: Some(u32::from(settings.association_retransmissions_max)),
        max_init_retransmits: Some(u32::from(settings.init_retransmissions_max)),
        enable_partial_reliability: false,
        ..Options::default()
    }
}

/// What makes a [`Peer`].
pub(super) struct Birth {
    pub(super) options: Options,
    pub(super) shared: Arc<Shared>,
    pub(super) port: u16,
    pub(super) paths: Vec<(IpAddr, u16)>,
    pub(super) streams_out: u16,
    pub(super) silence_ms: u64,
    pub(super) send_octets: usize,
    pub(super) now_ms: u64,
}

impl Peer {
    pub(super) fn new(birth: Birth) -> Self {
        let paths = birth.paths.into_iter();
        Self {
            socket: Socket::new("", &birth.options),
            arrived: VecDeque::new(),
            shared: birth.shared,
            port: birth.port,
            paths: paths.map(|(address, port)| Path { address, port, reachable: true }).collect(),
            path: 0,
            heard_ms: birth.now_ms,
            changed_ms: birth.now_ms,
            waits: false,
            silence_ms: birth.silence_ms,
            born_ms: birth.now_ms,
            stage: Stage::Connecting,
            streams_out: birth.streams_out,
            send_octets: birth.send_octets,
            shutting: false,
            events: Vec::new(),
            batch: Vec::new(),
        }
    }

    pub(super) fn connect(&mut self, now_ms: u64) {
        self.advance(now_ms);
        self.socket.connect();
    }

    pub(super) fn tag(&self) -> u32 {
        self.socket.verification_tag()
    }

    pub(super) fn addresses(&self) -> Vec<IpAddr> {
        self.paths.iter().map(|path| path.address).collect()
    }

    /// Learns further addresses of the peer.
    pub(super) fn learn(&mut self, addresses: &[IpAddr], most: usize) {
        let Some(port) = self.paths.first().map(|path| path.port) else { return };
        for address in addresses {
            let known = self.paths.iter().any(|path| path.address == *address);
            if !known && self.paths.len() < most {
                self.paths.push(Path { address: *address, port, reachable: true });
            }
        }
    }

    /// A packet came whose tag is this association's: its way is a good one back.
    pub(super) fn heard(&mut self, from: IpAddr, port: u16, now_ms: u64) {
        self.heard_ms = now_ms;
        self.waits = false;
        let Some(place) = self.paths.iter().position(|path| path.address == from) else { return };
        self.path = place;
        let Some(path) = self.paths.get_mut(place) else { return };
        path.port = port;
        if !std::mem::replace(&mut path.reachable, true) {
            self.events.push(Event::Path { address: from, reachable: true });
        }
    }

    pub(super) fn input(&mut self, packet: &[u8], now_ms: u64) {
        self.advance(now_ms);
        self.socket.handle_input(packet);
    }

    fn advance(&mut self, now_ms: u64) {
        let age = Duration::from_millis(now_ms.saturating_sub(self.born_ms));
        self.socket.advance_time(SocketTime::zero() + age);
    }

    /// When it wants to be woken, in milliseconds of the endpoint's life.
    pub(super) fn deadline_ms(&self) -> Option<u64> {
        let at = self.socket.poll_timeout();
        let age = (at < SocketTime::infinite_future()).then(|| at - SocketTime::zero())?;
        Some(self.born_ms.saturating_add(u64::try_from(age.as_millis()).ok()?.saturating_add(1)))
    }

    /// Whether the path in use says nothing while others may: then the next one is tried.
    //= RFC 9260 §6.4.1
    fn change_path(&mut self, now_ms: u64) {
        let silent = self.waits && now_ms.saturating_sub(self.heard_ms) >= self.silence_ms;
        let tried = now_ms.saturating_sub(self.changed_ms) >= self.silence_ms;
        if !silent || !tried || self.paths.len() < 2 {
            return;
        }
        self.changed_ms = now_ms;
        if let Some(path) = self.paths.get_mut(self.path)
            && std::mem::replace(&mut path.reachable, false)
        {
            self.events.push(Event::Path { address: path.address, reachable: false });
        }
        self.path = (self.path + 1) % self.paths.len();
    }

    /// One turn: what the owner wants, the engine's timers and events, what came for the owner.
    /// `send` takes a packet and its way.
    pub(super) fn turn(&mut self, now_ms: u64, mut send: impl FnMut(Vec<u8>, Path)) {
        self.shared.heard();
        self.advance(now_ms);
        self.feed();
        self.drain(now_ms, &mut send);
        self.deliver();
        // What was delivered has made room that the peer has to be told about.
        self.drain(now_ms, &mut send);
        self.shared.give(&mut self.events);
    }

    /// Gives the engine what the owner wants sent, as far as it has room.
    fn feed(&mut self) {
        let buffered: usize =
            (0..self.streams_out).map(|stream| self.socket.buffered_amount(StreamId(stream))).sum();
        let room = self.send_octets.saturating_sub(buffered);
        let ending = self.shared.take(room, &mut self.batch);
        if !self.batch.is_empty() {
            let engines = self.batch.drain(..).map(|message| {
                let stream = StreamId(message.stream % self.streams_out.max(1));
                Engines::new(stream, PpId(message.ppid), message.octets)
            });
            let options = SendOptions::default();
            if self.socket.send_many(engines.collect(), &options).is_err() {
                self.events.push(Event::SendFailed);
            }
        }
        match ending {
            Some(Ending::Abort) => {
                self.socket.close();
                self.down("we ended it");
            }
            Some(Ending::Shutdown) if !std::mem::replace(&mut self.shutting, true) => {
                self.socket.shutdown();
            }
            _ => {}
        }
    }

    fn drain(&mut self, now_ms: u64, send: &mut impl FnMut(Vec<u8>, Path)) {
        while let Some(event) = self.socket.poll_event() {
            match event {
                SocketEvent::SendPacket(packet) => {
                    self.change_path(now_ms);
                    if let Some(path) = self.paths.get(self.path) {
                        send(packet, *path);
                    }
                    self.waits = true;
                }
                SocketEvent::OnConnected() if self.stage == Stage::Connecting => {
                    self.stage = Stage::Up;
                    let metrics = self.socket.get_metrics();
                    let streams = metrics.map(|all| all.negotiated_maximum_outgoing_streams);
                    self.streams_out = streams.unwrap_or(self.streams_out).max(1);
                }
                SocketEvent::OnConnectionRestarted() => self.events.push(Event::Restart),
                SocketEvent::OnClosed() => self.down("ended in order"),
                SocketEvent::OnAborted(kind, _) => self.down(match kind {
                    dcsctp::api::ErrorKind::TooManyRetries => "the peer does not answer",
                    dcsctp::api::ErrorKind::PeerReported => "the peer aborted it",
                    dcsctp::api::ErrorKind::ProtocolViolation => "the peer broke the protocol",
                    _ => "aborted",
                }),
                _ => {}
            }
        }
    }

    /// Gives the owner what came for it, as far as it takes more.
    fn deliver(&mut self) {
        for _ in 0..MESSAGES_A_TURN {
            if !self.shared.has_room() {
                break;
            }
            let Some(message) = self.socket.get_next_message() else { return };
            let message = Message {
                stream: message.stream_id.0,
                ppid: message.ppid.0,
                unordered: false,
                octets: message.payload,
            };
            self.events.push(Event::Data(message));
            self.shared.give(&mut self.events);
        }
    }

    /// Whether more waits, of what came or for the owner, than one turn took.
    pub(super) fn has_more(&self) -> bool {
        !self.arrived.is_empty() || self.socket.messages_ready_count() > 0 && self.shared.has_room()
    }

    pub(super) fn down(&mut self, why: &'static str) {
        if !matches!(self.stage, Stage::Down(_)) {
            self.stage = Stage::Down(why);
            self.events.push(Event::Down { why });
        }
    }

    /// It is over, whatever the engine thinks.
    pub(super) fn cut(&mut self, why: &'static str) {
        self.down(why);
        self.shared.give(&mut self.events);
    }
}
