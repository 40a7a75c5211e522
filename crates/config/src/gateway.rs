//! `gateway.toml` as a typed value.

use std::net::{IpAddr, SocketAddr};
use std::path::PathBuf;

use procedure::LinkId;

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

/// One place where connections are accepted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Listen {
    /// Address and port.
    pub address: SocketAddr,
    /// In clear or not.
    pub transport: Transport,
}

/// How octets travel.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Transport {
    /// TCP in clear.
    Tcp,
    /// TLS over TCP, both sides known by certificate.
    Tls(TlsFiles),
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
    /// Its Diameter identity.
    pub origin_host: String,
    /// Its realm.
    pub realm: String,
    /// Source addresses it may connect from.
    pub addresses: Vec<IpAddr>,
    /// Where we connect to it; it connects to us where left open.
    pub connect: Option<SocketAddr>,
    /// How we connect to it.
    pub transport: Transport,
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

impl Gateway {
    /// Every peer's name and link.
    #[must_use]
    pub fn links(&self) -> Vec<(String, LinkId)> {
        let numbers = (0..).map(LinkId);
        self.peers.iter().map(|peer| peer.name.clone()).zip(numbers).collect()
    }
}
