//! What the stack is configured with, checked and typed; compiled from files elsewhere.

use std::net::IpAddr;

use procedure::{Digits, LinkId, Symbol};

use crate::translate::Table;
use crate::view::m3ua::{PointCode, Variant};

/// Most routing contexts that one link serves.
pub const SERVERS_A_LINK_MAX: usize = 64;

/// The stack's configuration. What it refers to by number is in range: whoever compiles it checks.
#[derive(Clone, Debug)]
pub struct Config {
    /// Whose point codes and addresses are spoken.
    pub variant: Variant,
    /// The gateway's own point codes, the primary one first; never empty.
    pub point_codes: Vec<PointCode>,
    /// Network indicator of what the gateway originates: 0 international, 2 national.
    pub network_indicator: u8,
    /// By link; `None` for links of other stacks.
    pub links: Vec<Option<LinkConfig>>,
    /// The application servers, ours and others'.
    pub servers: Vec<Server>,
    /// Global-title translation and point-code routes.
    pub table: Table,
    /// M3UA's timers.
    pub timers: Timers,
    /// How long nothing may be heard of a dialogue before it counts as expired, in milliseconds.
    pub dialogue_timeout_ms: u64,
    /// Abort an expired dialogue toward its originator.
    pub abort_expired: bool,
    /// Refuse connection-oriented SCCP instead of passing it on.
    pub refuse_connections: bool,
}

impl Config {
    /// Whether addresses are ANSI's.
    #[must_use]
    pub fn is_ansi(&self) -> bool {
        self.variant == Variant::Ansi
    }
}

/// One association to a peer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LinkConfig {
    /// What we are to the peer.
    pub role: Role,
    /// Whether we dial; else the peer does.
    pub connects: bool,
    /// What we call ourselves in ASPUP, and what the peer must call itself where it says so.
    pub asp_identifier: Option<u32>,
    /// Addresses it may connect from.
    pub addresses: Vec<IpAddr>,
    /// Calling titles the peer may speak for, as prefixes; empty: any.
    pub titles: Vec<Digits>,
}

/// What we are to a peer.
//= RFC 4666 §1.4
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    /// The signalling gateway; the peer is an application server process.
    Sgp,
    /// An application server process; the peer is another's signalling gateway.
    Asp,
    /// An equal; one exchange of ASPUP and ASPAC, ours if `leads`, is for both directions.
    IpspSingle {
        /// We send ASPUP and ASPAC.
        leads: bool,
    },
    /// An equal; each side exchanges ASPUP and ASPAC for its own direction.
    IpspDouble,
}

/// One application server: the nodes behind a set of links, found by a routing key.
//= RFC 4666 §1.2
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Server {
    /// Its name as a group of links in policies.
    pub name: Symbol,
    /// Its routing context; `None` where its links have only this server.
    pub routing_context: Option<u32>,
    /// Network appearance told in its messages.
    pub network_appearance: Option<u32>,
    /// The point codes behind it, the usual destination first.
    pub point_codes: Vec<PointCode>,
    /// How its traffic is shared among its active links.
    pub mode: TrafficMode,
    /// The links that may serve it.
    pub links: Vec<LinkId>,
    /// Links that must be active before it is: n of n+k.
    pub links_min: u8,
    /// Its links may register for it by its routing key instead of being provisioned.
    pub registers: bool,
}

/// How traffic is shared among the active ASPs of a server.
//= RFC 4666 §3.7.1
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TrafficMode {
    /// All to the one that became active last.
    Override = 1,
    /// To each its share, by signalling link selection.
    Loadshare = 2,
    /// Everything to everyone.
    Broadcast = 3,
}

/// M3UA's timers, in milliseconds.
//= RFC 4666 §4.1
//= RFC 4666 §4.3.4
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Timers {
    /// Between two attempts to be up or active while no acknowledgement comes.
    pub ack_ms: u64,
    /// How long a server may be without an active ASP before it counts as lost, T(r).
    pub recovery_ms: u64,
    /// Between two heartbeats; two that are not answered end the association.
    pub heartbeat_ms: u64,
    /// The first wait before connecting again; doubled and jittered …
    pub connect_backoff_ms: u64,
    /// … up to this.
    pub connect_backoff_max_ms: u64,
    /// Between two audits of destinations that are unavailable, where we are the ASP; 0: none.
    pub audit_ms: u64,
}

impl Default for Timers {
    fn default() -> Self {
        Self {
            ack_ms: 2_000,
            recovery_ms: 2_000,
            heartbeat_ms: 30_000,
            connect_backoff_ms: 1_000,
            connect_backoff_max_ms: 30_000,
            audit_ms: 30_000,
        }
    }
}
