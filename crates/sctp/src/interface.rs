//! What both backends offer.

use std::io;
use std::net::IpAddr;
use std::sync::Arc;
use std::task::{Context, Poll};

use crate::{kernel, userland};

/// Longest message taken or sent.
pub const MESSAGE_OCTETS_MAX: usize = 1 << 16;

/// Whose SCTP an endpoint is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Backend {
    /// The kernel's.
    Kernel,
    /// Our own, inside UDP.
    //= RFC 6951 §4
    Udp {
        /// The UDP port we take encapsulated packets on; 0 lets the kernel choose.
        encapsulation_port: u16,
    },
    /// Our own, over raw IP (protocol 132).
    Raw,
}

/// Where a peer is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Peer {
    /// Its addresses, the one to begin with first; several when it is multi-homed.
    pub addresses: Vec<IpAddr>,
    /// Its SCTP port.
    pub port: u16,
    /// Its UDP port for encapsulated packets; of no use to other backends.
    pub encapsulation_port: u16,
}

/// Limits and timers of an endpoint's associations.
//= RFC 9260 §16
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Settings {
    /// Streams we ask for.
    pub streams_out: u16,
    /// Streams the peer may have.
    pub streams_in_max: u16,
    /// Between two heartbeats on an idle path; 0 for none.
    pub heartbeat_ms: u32,
    /// RTO.Initial.
    pub rto_initial_ms: u32,
    /// RTO.Min.
    pub rto_min_ms: u32,
    /// RTO.Max.
    pub rto_max_ms: u32,
    /// Path.Max.Retrans.
    pub path_retransmissions_max: u16,
    /// Association.Max.Retrans.
    pub association_retransmissions_max: u16,
    /// Max.Init.Retransmits.
    pub init_retransmissions_max: u16,
    /// Octets received that may wait to be taken; the peer is held back when there are more.
    pub receive_octets_max: usize,
    /// Octets that may wait to be sent.
    pub send_octets_max: usize,
}

impl Default for Settings {
    /// Fit for signalling: a lost path is known within seconds, not minutes.
    fn default() -> Self {
        Self {
            streams_out: 16,
            streams_in_max: 64,
            heartbeat_ms: 5_000,
            rto_initial_ms: 500,
            rto_min_ms: 200,
            rto_max_ms: 2_000,
            path_retransmissions_max: 3,
            association_retransmissions_max: 6,
            init_retransmissions_max: 4,
            receive_octets_max: 4 << 20,
            send_octets_max: 4 << 20,
        }
    }
}

/// One whole message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Message {
    /// The stream it came on.
    pub stream: u16,
    /// Its payload protocol identifier.
    pub ppid: u32,
    /// It may have overtaken others of its stream.
    pub unordered: bool,
    /// Its octets.
    pub octets: Vec<u8>,
}

/// What happened to an association.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Event {
    /// A message came.
    Data(Message),
    /// A path to the peer was lost or came back.
    Path {
        /// The peer's address.
        address: IpAddr,
        /// Whether it is reachable now.
        reachable: bool,
    },
    /// The peer has started anew: what was sent and not acknowledged is lost.
    //= RFC 9260 §5.2.2
    Restart,
    /// A message could not be sent.
    SendFailed,
    /// There is room again after [`Refused::Full`].
    Writable,
    /// It has ended; nothing more will come.
    Down {
        /// Why, for logs.
        why: &'static str,
    },
}

/// Why a message was not taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refused {
    /// Too much waits; [`Event::Writable`] will say when there is room.
    Full,
    /// The association has ended.
    Closed,
    /// It is longer than [`MESSAGE_OCTETS_MAX`].
    TooLong,
}

/// Who may come in: asked with the addresses of whoever wants an association.
pub type Admits = Arc<dyn Fn(&[IpAddr]) -> bool + Send + Sync>;

/// A port with its local addresses, which accepts associations and makes them.
#[derive(Debug)]
pub struct Endpoint(Side);

#[derive(Debug)]
enum Side {
    Kernel(kernel::Endpoint),
    Userland(userland::Endpoint),
}

/// An association with a peer.
#[derive(Debug)]
pub struct Association(End);

#[derive(Debug)]
enum End {
    Kernel(kernel::Association),
    Userland(userland::Association),
}

impl Endpoint {
    /// Binds `port` (0 lets the system choose) on `local`; several addresses make it multi-homed.
    /// Call it inside a tokio runtime.
    ///
    /// # Errors
    /// The system's; where a backend is not there, what to do instead.
    pub fn bind(
        backend: Backend,
        local: &[IpAddr],
        port: u16,
        settings: &Settings,
        admits: Admits,
    ) -> io::Result<Self> {
        Ok(Self(match backend {
            Backend::Kernel => Side::Kernel(kernel::Endpoint::bind(local, port, settings, admits)?),
            Backend::Udp { encapsulation_port } => Side::Userland(userland::Endpoint::bind(
                userland::Carrier::Udp { port: encapsulation_port },
                local,
                port,
                settings,
                admits,
            )?),
            Backend::Raw => Side::Userland(userland::Endpoint::bind(
                userland::Carrier::Raw,
                local,
                port,
                settings,
                admits,
            )?),
        }))
    }

    /// The SCTP port it is bound to.
    #[must_use]
    pub fn port(&self) -> u16 {
        match &self.0 {
            Side::Kernel(endpoint) => endpoint.port(),
            Side::Userland(endpoint) => endpoint.port(),
        }
    }

    /// The UDP port encapsulated packets come to; 0 without encapsulation.
    #[must_use]
    pub fn encapsulation_port(&self) -> u16 {
        match &self.0 {
            Side::Kernel(_) => 0,
            Side::Userland(endpoint) => endpoint.encapsulation_port(),
        }
    }

    /// The next association that a peer has made.
    ///
    /// # Errors
    /// The system's; the endpoint is of no use any more unless it is a shortage.
    pub async fn accept(&self) -> io::Result<Association> {
        Ok(Association(match &self.0 {
            Side::Kernel(endpoint) => End::Kernel(endpoint.accept().await?),
            Side::Userland(endpoint) => End::Userland(endpoint.accept().await?),
        }))
    }

    /// Makes an association.
    ///
    /// # Errors
    /// Nobody answered, or the peer refused.
    pub async fn connect(&self, peer: &Peer) -> io::Result<Association> {
        Ok(Association(match &self.0 {
            Side::Kernel(endpoint) => End::Kernel(endpoint.connect(peer).await?),
            Side::Userland(endpoint) => End::Userland(endpoint.connect(peer).await?),
        }))
    }
}

impl Association {
    /// The next event, oldest first; wakes the task when there is one. After [`Event::Down`]
    /// always that.
    pub fn poll_event(&mut self, cx: &mut Context<'_>) -> Poll<Event> {
        match &mut self.0 {
            End::Kernel(association) => association.poll_event(cx),
            End::Userland(association) => association.poll_event(cx),
        }
    }

    /// Takes a message to be sent in order on `stream`. What is taken in one turn may share
    /// packets; it leaves at [`Self::flush`] or soon after.
    ///
    /// # Errors
    /// It was not taken.
    pub fn try_send(&mut self, stream: u16, ppid: u32, octets: &[u8]) -> Result<(), Refused> {
        match &mut self.0 {
            End::Kernel(association) => association.try_send(stream, ppid, octets),
            End::Userland(association) => association.try_send(stream, ppid, octets),
        }
    }

    /// Lets what was taken leave.
    pub fn flush(&mut self) {
        match &mut self.0 {
            End::Kernel(association) => association.flush(),
            End::Userland(association) => association.flush(),
        }
    }

    /// Ready when a message would be taken, or never would be again.
    pub fn poll_writable(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        match &mut self.0 {
            End::Kernel(association) => association.poll_writable(cx),
            End::Userland(association) => association.poll_writable(cx),
        }
    }

    /// Streams we may send on.
    #[must_use]
    pub fn streams_out(&self) -> u16 {
        match &self.0 {
            End::Kernel(association) => association.streams_out(),
            End::Userland(association) => association.streams_out(),
        }
    }

    /// The peer's addresses.
    #[must_use]
    pub fn peer_addresses(&self) -> Vec<IpAddr> {
        match &self.0 {
            End::Kernel(association) => association.peer_addresses(),
            End::Userland(association) => association.peer_addresses(),
        }
    }

    /// The peer's port.
    #[must_use]
    pub fn peer_port(&self) -> u16 {
        match &self.0 {
            End::Kernel(association) => association.peer_port(),
            End::Userland(association) => association.peer_port(),
        }
    }

    /// Ends it once what was taken has reached the peer; [`Event::Down`] follows.
    //= RFC 9260 §9.2
    pub fn shutdown(&mut self) {
        match &mut self.0 {
            End::Kernel(association) => association.shutdown(),
            End::Userland(association) => association.shutdown(),
        }
    }

    /// Ends it at once.
    //= RFC 9260 §9.1
    pub fn abort(&mut self) {
        match &mut self.0 {
            End::Kernel(association) => association.abort(),
            End::Userland(association) => association.abort(),
        }
    }

    /// Takes it out of this thread's event loop, so that another thread may have it.
    ///
    /// # Errors
    /// The kernel's.
    pub fn park(&mut self) -> io::Result<()> {
        match &mut self.0 {
            End::Kernel(association) => association.park(),
            End::Userland(_) => Ok(()),
        }
    }

    /// Puts a parked one into this thread's event loop.
    ///
    /// # Errors
    /// The kernel's.
    pub fn unpark(&mut self) -> io::Result<()> {
        match &mut self.0 {
            End::Kernel(association) => association.unpark(),
            End::Userland(_) => Ok(()),
        }
    }
}
