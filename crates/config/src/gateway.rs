//! `gateway.toml` as a typed value.

use std::net::{IpAddr, SocketAddr};
use std::path::PathBuf;

use procedure::LinkId;

pub use crate::ss7::{
    Destination, M3uaPeer, PeerRole, Server, Ss7Settings, Title, TitlePlan, TrafficMode, Variant,
};

/// Everything about the process that is not policy.
#[derive(Clone, Debug)]
pub struct Gateway {
    /// The gateway's own Diameter identity.
    pub origin_host: String,
    /// The realm it says it belongs to.
    pub origin_realm: String,
    /// What it calls itself in capabilities exchanges.
    pub product_name: String,
    /// How many workers; one for each four processors where left open.
    pub workers: Option<usize>,
    /// Most subscribers that steering remembers.
    pub subscribers_max: usize,
    /// Where the policy files are.
    pub policies: PathBuf,
    /// Diameter's own settings.
    pub diameter: DiameterSettings,
    /// Timers and limits of SCTP, of every listener and peer over it.
    pub sctp: SctpSettings,
    /// The SS7 side; `None` where there is none.
    pub ss7: Option<Ss7Settings>,
    /// Where connections are accepted.
    pub listens: Vec<Listen>,
    /// Who may connect, and whom we connect to. A peer's place is its [`LinkId`].
    pub peers: Vec<Peer>,
    /// Where the admin API listens.
    pub admin: SocketAddr,
    /// Where records go.
    pub journal: JournalSettings,
    /// How logs are written.
    pub log: LogSettings,
}

/// Timers and limits of the base protocol.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DiameterSettings {
    /// How long an answer may take before the asker is answered by us.
    pub request_timeout_ms: u64,
    /// The watchdog's interval.
    pub watchdog_ms: u64,
    /// The first wait before connecting again.
    pub connect_backoff_ms: u64,
    /// The longest one.
    pub connect_backoff_max_ms: u64,
    /// Largest frame taken.
    pub frame_octets_max: usize,
}

/// Timers and limits of SCTP associations.
//= RFC 9260 §16
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SctpSettings {
    /// Between two heartbeats on an idle path; 0: none.
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
}

/// One place where connections are accepted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Listen {
    /// Address and port.
    pub address: SocketAddr,
    /// Further addresses of the same SCTP endpoint.
    pub also: Vec<IpAddr>,
    /// In clear or not.
    pub transport: Transport,
    /// What is spoken there.
    pub protocol: Protocol,
}

/// A protocol family, as listeners and peers name it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Protocol {
    /// Diameter.
    Diameter,
    /// M3UA, and SS7 over it.
    M3ua,
}

impl Protocol {
    /// The word used in files and on the command line.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Diameter => "diameter",
            Self::M3ua => "m3ua",
        }
    }
}

/// How octets travel.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Transport {
    /// TCP in clear.
    Tcp,
    /// TLS over TCP, both sides known by certificate.
    Tls(TlsFiles),
    /// SCTP.
    Sctp(SctpBackend),
}

impl Transport {
    /// The word used in files and on the command line.
    #[must_use]
    pub const fn name(&self) -> &'static str {
        match self {
            Self::Tcp => "tcp",
            Self::Tls(_) => "tls",
            Self::Sctp(SctpBackend::Kernel) => "sctp",
            Self::Sctp(SctpBackend::Udp { .. }) => "sctp-udp",
            Self::Sctp(SctpBackend::Raw) => "sctp-raw",
        }
    }
}

/// Whose SCTP it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SctpBackend {
    /// The kernel's.
    Kernel,
    /// Our own, inside UDP.
    //= RFC 6951 §4
    Udp {
        /// The UDP port: ours of a listener, the peer's of a peer.
        encapsulation_port: u16,
    },
    /// Our own, over raw IP.
    Raw,
}

impl SctpBackend {
    /// Whether two places can be ends of one endpoint: the same kind, whatever the ports.
    #[must_use]
    pub const fn is_like(self, other: Self) -> bool {
        matches!(
            (self, other),
            (Self::Kernel, Self::Kernel)
                | (Self::Raw, Self::Raw)
                | (Self::Udp { .. }, Self::Udp { .. })
        )
    }
}

/// PEM files of one side of TLS.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TlsFiles {
    /// Our certificate chain.
    pub certificate: PathBuf,
    /// Its key.
    pub key: PathBuf,
    /// Whose certificates we trust.
    pub trust: PathBuf,
}

/// One peer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Peer {
    /// The name it has in policies and records.
    pub name: String,
    /// Source addresses it may connect from.
    pub addresses: Vec<IpAddr>,
    /// Where we connect to it; it connects to us where left open.
    pub connect: Option<SocketAddr>,
    /// Its further addresses, where we connect over SCTP.
    pub connect_also: Vec<IpAddr>,
    /// How we connect to it.
    pub transport: Transport,
    /// What it speaks, and who it is there.
    pub speaks: Speaks,
}

/// What a peer speaks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Speaks {
    /// Diameter.
    Diameter(DiameterPeer),
    /// M3UA.
    M3ua(M3uaPeer),
}

/// A Diameter node.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DiameterPeer {
    /// Its Diameter identity.
    pub origin_host: String,
    /// Its realm.
    pub realm: String,
    /// The name that its certificate must carry.
    pub certificate_name: String,
    /// Realms that it may originate for: exact, `*.suffix`, or `*` for any.
    pub realms: Vec<String>,
}

/// Where records go.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct JournalSettings {
    /// The directory of JSON Lines files; no files where left open.
    pub directory: Option<PathBuf>,
    /// A file is ended at this size.
    pub rotate_octets: u64,
    /// Older files than so many are removed.
    pub keep_files: usize,
    /// Records that may wait to be written.
    pub queue_records: usize,
    /// The key of pseudonyms; one for this run only where left open.
    pub pseudonym_key: Option<[u8; 32]>,
    /// Records of the runs before are folded into steering's memory from so many seconds ago on; 0:
    /// not. Needs a key of pseudonyms that stays.
    pub restore_s: u64,
    /// Write identities in clear. For the laboratory.
    pub clear_identities: bool,
}

/// How logs are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LogSettings {
    /// For people or for machines.
    pub format: LogFormat,
    /// The least severe level that is written.
    pub level: LogLevel,
}

/// For whom logs are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LogFormat {
    /// Lines for people.
    Human,
    /// JSON Lines.
    Json,
}

/// How severe.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs, reason = "the names say it")]
pub enum LogLevel {
    Error,
    Warn,
    Info,
    Debug,
    Trace,
}

impl LogLevel {
    /// The word that log filters know.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Error => "error",
            Self::Warn => "warn",
            Self::Info => "info",
            Self::Debug => "debug",
            Self::Trace => "trace",
        }
    }
}

impl Peer {
    /// What it speaks, without the particulars.
    #[must_use]
    pub const fn protocol(&self) -> Protocol {
        match self.speaks {
            Speaks::Diameter(_) => Protocol::Diameter,
            Speaks::M3ua(_) => Protocol::M3ua,
        }
    }

    /// Its Diameter identity, where it has one.
    #[must_use]
    pub const fn diameter(&self) -> Option<&DiameterPeer> {
        match &self.speaks {
            Speaks::Diameter(peer) => Some(peer),
            Speaks::M3ua(_) => None,
        }
    }
}

impl Gateway {
    /// Every peer's name and link.
    #[must_use]
    pub fn links(&self) -> Vec<(String, LinkId)> {
        let numbers = (0..).map(LinkId);
        self.peers.iter().map(|peer| peer.name.clone()).zip(numbers).collect()
    }

    /// The application servers as groups of links that policies may name.
    #[must_use]
    pub fn server_groups(&self) -> Vec<(String, Vec<LinkId>)> {
        let servers = self.ss7.iter().flat_map(|ss7| &ss7.servers);
        servers.map(|server| (server.name.clone(), server.links.clone())).collect()
    }
}
