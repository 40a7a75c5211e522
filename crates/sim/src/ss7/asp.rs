//! M3UA of an application server process toward a signalling gateway: no sockets and no clock.
//! Time is nanoseconds since a start of the caller's choosing.

use m3ua::{M3uaMessage, MessageType, ProtocolData};
use serde::Serialize;

/// Payload protocol identifier of M3UA.
//= RFC 4666 §1.3.2.1
pub const PPID: u32 = m3ua::SCTP_PPID;
/// T(ack): a request without acknowledgement is sent again after so long.
//= RFC 4666 §4.3.4.1
const T_ACK: u64 = 2_000_000_000;
/// Service indicator of SCCP.
//= Q.704 §14.2.1
const SI_SCCP: u8 = 3;

/// Where a node stands in the signalling network.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AspConfig {
    /// Our point code.
    pub own: u32,
    /// The point code that we send to.
    pub peer: u32,
    /// Network indicator: 0 international, 2 national.
    pub network_indicator: u8,
    /// Routing context, where the gateway wants one.
    pub routing_context: Option<u32>,
    /// ASP identifier, where the gateway wants one.
    pub asp_id: Option<u32>,
    /// Traffic mode: 1 override, 2 loadshare, 3 broadcast.
    pub traffic_mode: Option<u32>,
    /// Nanoseconds between two BEATs; 0 for none.
    pub heartbeat: u64,
}

impl AspConfig {
    /// A node of the international network, without routing context, BEAT every 10 s.
    #[must_use]
    pub fn new(own: u32, peer: u32) -> Self {
        Self {
            own,
            peer,
            network_indicator: 0,
            routing_context: None,
            asp_id: None,
            traffic_mode: None,
            heartbeat: 10_000_000_000,
        }
    }
}

/// Which of the ASP's states.
//= RFC 4666 §4.3.1
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum State {
    /// Not up at the gateway.
    Down,
    /// Up, without traffic.
    Inactive,
    /// Traffic flows.
    Active,
}

/// What an ASP has counted.
#[derive(Clone, Debug, Default, Serialize, PartialEq, Eq)]
pub struct AspCounts {
    /// Times it became active.
    pub activated: u64,
    /// BEATs answered.
    pub beats: u64,
    /// Own BEATs that came back with their data.
    pub beats_returned: u64,
    /// NTFY received.
    pub notifications: u64,
    /// DUNA received.
    pub unavailable: u64,
    /// DAVA received.
    pub available: u64,
    /// ERR received.
    pub errors: u64,
    /// Messages that could not be read, or that make no sense here.
    pub malformed: u64,
}

impl AspCounts {
    /// Adds another association's counters.
    pub(crate) fn add(&mut self, other: &Self) {
        self.activated += other.activated;
        self.beats += other.beats;
        self.beats_returned += other.beats_returned;
        self.notifications += other.notifications;
        self.unavailable += other.unavailable;
        self.available += other.available;
        self.errors += other.errors;
        self.malformed += other.malformed;
    }
}

/// A message to send: the SCTP stream, and its octets.
pub type Frame = (u16, Vec<u8>);

/// One association's ASP.
#[derive(Debug)]
pub struct Asp {
    config: AspConfig,
    state: State,
    connected: bool,
    /// Streams that data may go out on, beside stream 0.
    data_streams: u16,
    /// When a request is due again, or a BEAT.
    due: u64,
    beat: u64,
    /// The peer's point code was said to be unreachable.
    unreachable: bool,
    /// The counters.
    pub counts: AspCounts,
}

impl Asp {
    /// An ASP whose association is not up yet.
    #[must_use]
    pub fn new(config: AspConfig) -> Self {
        Self {
            config,
            state: State::Down,
            connected: false,
            data_streams: 1,
            due: u64::MAX,
            beat: 0,
            unreachable: false,
            counts: AspCounts::default(),
        }
    }

    /// Its state.
    #[must_use]
    pub fn state(&self) -> State {
        self.state
    }

    /// True when data may be sent toward the peer's point code.
    #[must_use]
    pub fn is_ready(&self) -> bool {
        self.state == State::Active && !self.unreachable
    }

    /// The association is up, with so many streams out.
    pub fn up(&mut self, streams: u16, now: u64, out: &mut Vec<Frame>) {
        self.connected = true;
        self.unreachable = false;
        self.state = State::Down;
        self.data_streams = streams.saturating_sub(1).max(1);
        self.request(now, out);
    }

    /// The association is gone.
    pub fn down(&mut self) {
        self.connected = false;
        self.state = State::Down;
        self.due = u64::MAX;
    }

    //= RFC 4666 §4.3.4.1, §4.3.4.3
    // ASPUP until it is acknowledged, then ASPAC until it is.
    fn request(&mut self, now: u64, out: &mut Vec<Frame>) {
        let message = match self.state {
            State::Down => M3uaMessage::asp_up(self.config.asp_id, None),
            State::Inactive => {
                M3uaMessage::asp_active(self.config.traffic_mode, self.config.routing_context)
            }
            State::Active => return,
        };
        out.push((0, message.encode()));
        self.due = now.saturating_add(T_ACK);
    }

    /// Sends what is due; returns when it wants to be asked again.
    pub fn turn(&mut self, now: u64, out: &mut Vec<Frame>) -> Option<u64> {
        if self.connected && now >= self.due {
            if self.state == State::Active {
                self.beat += 1;
                let data = self.beat.to_be_bytes().to_vec();
                out.push((0, M3uaMessage::heartbeat(Some(data)).encode()));
                self.due = now.saturating_add(self.config.heartbeat);
            } else {
                self.request(now, out);
            }
        }
        (self.due != u64::MAX).then_some(self.due)
    }

    /// Takes a message; gives the SCCP message of a DATA.
    pub fn receive(&mut self, bytes: &[u8], now: u64, out: &mut Vec<Frame>) -> Option<Vec<u8>> {
        let Ok(message) = M3uaMessage::decode(bytes) else {
            self.counts.malformed += 1;
            return None;
        };
        match message.message_type {
            MessageType::Data => return self.data_in(&message),
            MessageType::AspUpAck if self.state == State::Down => {
                self.state = State::Inactive;
                self.request(now, out);
            }
            MessageType::AspActiveAck => self.activated(now),
            MessageType::AspInactiveAck if self.state == State::Active => {
                self.state = State::Inactive;
                self.request(now, out);
            }
            MessageType::AspDownAck if self.state != State::Down => {
                self.state = State::Down;
                self.request(now, out);
            }
            //= RFC 4666 §3.5.6
            // The Heartbeat Data comes back as it was.
            MessageType::Heartbeat => {
                self.counts.beats += 1;
                let data = message.heartbeat_data().map(<[u8]>::to_vec);
                out.push((0, M3uaMessage::heartbeat_ack(data).encode()));
            }
            MessageType::HeartbeatAck => {
                // The answer to an earlier one may be late; that is no fault.
                let data = message.heartbeat_data().and_then(|data| data.try_into().ok());
                let own =
                    data.is_some_and(|data| (1..=self.beat).contains(&u64::from_be_bytes(data)));
                self.counts.beats_returned += u64::from(own);
                self.counts.malformed += u64::from(!own);
            }
            MessageType::Notify => self.counts.notifications += 1,
            MessageType::Duna | MessageType::Dava => self.destination(&message),
            MessageType::Error => self.counts.errors += 1,
            _ => {}
        }
        None
    }

    fn activated(&mut self, now: u64) {
        if self.state == State::Inactive {
            self.state = State::Active;
            self.counts.activated += 1;
            let beat = self.config.heartbeat;
            self.due = if beat == 0 { u64::MAX } else { now.saturating_add(beat) };
        }
    }

    fn destination(&mut self, message: &M3uaMessage) {
        let gone = message.message_type == MessageType::Duna;
        *(if gone { &mut self.counts.unavailable } else { &mut self.counts.available }) += 1;
        if message.affected_point_codes().contains(&self.config.peer) {
            self.unreachable = gone;
        }
    }

    fn data_in(&mut self, message: &M3uaMessage) -> Option<Vec<u8>> {
        let context = self.config.routing_context;
        let ours = message.routing_context().is_none_or(|c| context.is_none_or(|own| own == c));
        match message.protocol_data() {
            Ok(data) if data.si == SI_SCCP && data.dpc == self.config.own && ours => {
                Some(data.user_data)
            }
            _ => {
                self.counts.malformed += 1;
                None
            }
        }
    }

    /// Wraps an SCCP message.
    //= RFC 4666 §1.4.7
    // Data goes out on streams other than 0, one and the same for a link selection.
    #[must_use]
    pub fn data(&self, sls: u8, sccp: Vec<u8>) -> Frame {
        let c = &self.config;
        let data =
            ProtocolData::new(c.own, c.peer, SI_SCCP, c.network_indicator, 0, sls & 0xf, sccp);
        let stream = 1 + u16::from(sls) % self.data_streams;
        (stream, M3uaMessage::data(None, c.routing_context, data, None).encode())
    }

    /// Takes its leave: no more traffic, then down.
    //= RFC 4666 §4.3.4.2, §4.3.4.4
    pub fn leave(&mut self, out: &mut Vec<Frame>) {
        if self.state == State::Active {
            out.push((0, M3uaMessage::asp_inactive(self.config.routing_context).encode()));
        }
        if self.state != State::Down {
            out.push((0, M3uaMessage::asp_down(None).encode()));
        }
        self.down();
    }
}
