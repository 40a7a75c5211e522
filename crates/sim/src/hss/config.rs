//! How a simulated HSS is set up.

use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use crate::diameter::base::Identity;
use crate::ids::{ImsiRange, Plmn};

/// Which IMSIs the HSS knows; others are answered Experimental-Result 5001.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Subscribers {
    /// Every IMSI.
    All,
    /// Those that start with one of these digit strings.
    Prefixes(Vec<String>),
    /// Those inside the range.
    Range(ImsiRange),
}

impl Subscribers {
    pub(crate) fn know(&self, imsi: &[u8]) -> bool {
        match self {
            Self::All => true,
            Self::Prefixes(list) => list.iter().any(|p| imsi.starts_with(p.as_bytes())),
            Self::Range(range) => crate::ids::number(imsi).is_some_and(|n| range.contains(n)),
        }
    }
}

/// A simulated HSS's configuration. [`HssConfig::new`] gives the usual values.
#[derive(Clone, Debug)]
pub struct HssConfig {
    /// Origin-Host and Origin-Realm.
    pub identity: Identity,
    /// Addresses to accept connections on; port 0 takes a free one.
    pub listen: Vec<SocketAddr>,
    /// Addresses to connect to, one connection each, again and again when it drops.
    pub connect: Vec<SocketAddr>,
    /// The local address of connections it makes.
    pub source_ip: Option<IpAddr>,
    /// Who is known.
    pub subscribers: Subscribers,
    /// ULRs from these visited networks get this Experimental-Result-Code.
    pub rejects: Vec<(Plmn, u32)>,
    /// Wait before each answer is sent.
    pub delay: Duration,
    /// Requests a second; those above it are answered 3004 DIAMETER_TOO_BUSY.
    pub capacity: Option<u32>,
    /// Silence after which a DWR is sent (RFC 3539's Tw).
    pub watchdog: Duration,
    /// How many requests are remembered to detect duplicates; 0 turns it off.
    pub remembered: usize,
    /// Keep the serving node of each subscriber and send it a CLR when another registers.
    pub cancel: bool,
}

impl HssConfig {
    /// An HSS that knows everyone, listens nowhere yet and answers at once.
    #[must_use]
    pub fn new(origin_host: &str) -> Self {
        Self {
            identity: Identity::new(origin_host),
            listen: Vec::new(),
            connect: Vec::new(),
            source_ip: None,
            subscribers: Subscribers::All,
            rejects: Vec::new(),
            delay: Duration::ZERO,
            capacity: None,
            watchdog: Duration::from_secs(30),
            remembered: 1 << 18,
            cancel: false,
        }
    }
}
