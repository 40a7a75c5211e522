//! What the stack is told once: who we are, our limits and timers, and who may be our peers.

use std::net::IpAddr;

use procedure::LinkId;

use crate::view::Limits;

/// Octets of the largest frame, unless configured.
pub const FRAME_OCTETS_MAX: usize = 65_536;
/// Above this no configuration may go: the length field must still hold what a rewrite adds.
pub const FRAME_OCTETS_CEILING: usize = (1 << 24) - 4096;
/// Most AVPs at the outer level of a message, unless configured.
pub const AVPS_MAX: usize = 1024;

/// The stack's configuration, checked by who wrote it; immutable afterwards.
#[derive(Clone, Debug)]
pub struct Config {
    /// Our DiameterIdentity.
    pub origin_host: String,
    /// Our realm.
    pub origin_realm: String,
    /// Product-Name in CER and CEA.
    pub product_name: String,
    /// Vendor-Id in CER and CEA, 0 without one.
    pub vendor_id: u32,
    /// Origin-State-Id: grows with every start of the process; the daemon takes the start's time.
    pub origin_state_id: u32,
    /// Host-IP-Address, as told to peers.
    pub host_addresses: Vec<IpAddr>,
    /// Octets of the largest frame taken in.
    pub frame_octets_max: usize,
    /// Most AVPs at the outer level of a message.
    pub avps_max: usize,
    /// Tw: silence after which a peer is asked whether it lives. Jittered by up to 2 s.
    pub watchdog_ms: u64,
    /// How long connecting and introducing may take.
    pub handshake_ms: u64,
    /// How long an open connection has to prove that it lives when its peer calls anew.
    pub probe_ms: u64,
    /// How long a peer may take to agree to part.
    pub teardown_ms: u64,
    /// The first wait before connecting again.
    pub reconnect_min_ms: u64,
    /// The longest wait before connecting again.
    pub reconnect_max_ms: u64,
    /// The wait after a peer said that it is busy or does not want to talk.
    pub unwanted_ms: u64,
    /// The configured peers.
    pub peers: Vec<PeerConfig>,
}

/// One configured peer.
#[derive(Clone, Debug)]
pub struct PeerConfig {
    /// The link to it.
    pub link: LinkId,
    /// Its DiameterIdentity.
    pub origin_host: String,
    /// Its realm.
    pub realm: String,
    /// We connect to it. It may connect to us in any case.
    pub initiate: bool,
    /// Where its connections may come from; empty for anywhere.
    pub addresses: Vec<IpAddr>,
    /// Only over TLS.
    pub tls: bool,
    /// The DNS name that its certificate must carry; its `origin_host` unless given.
    pub certificate_name: Option<String>,
    /// The realms it may originate for: names, `*.suffix`, or `*` for any.
    pub realms: Vec<String>,
}

impl Config {
    /// A configuration with the usual limits and timers and no peers.
    #[must_use]
    pub fn new(origin_host: impl Into<String>, origin_realm: impl Into<String>) -> Self {
        Self {
            origin_host: origin_host.into(),
            origin_realm: origin_realm.into(),
            product_name: "ipxd".into(),
            vendor_id: 0,
            origin_state_id: 1,
            host_addresses: Vec::new(),
            frame_octets_max: FRAME_OCTETS_MAX,
            avps_max: AVPS_MAX,
            //= RFC 3539 §3.4.1
            watchdog_ms: 30_000,
            handshake_ms: 10_000,
            probe_ms: 2_000,
            teardown_ms: 5_000,
            reconnect_min_ms: 1_000,
            //= RFC 6733 §2.1
            reconnect_max_ms: 30_000,
            unwanted_ms: 600_000,
            peers: Vec::new(),
        }
    }
}

impl PeerConfig {
    /// A peer that connects to us from anywhere, without TLS, and may originate for its own realm.
    #[must_use]
    pub fn new(link: LinkId, origin_host: impl Into<String>, realm: impl Into<String>) -> Self {
        let realm = realm.into();
        Self {
            link,
            origin_host: origin_host.into(),
            initiate: false,
            addresses: Vec::new(),
            tls: false,
            certificate_name: None,
            realms: vec![realm.clone()],
            realm,
        }
    }

    /// Whether a message with this Origin-Realm and Origin-Host may come from this peer: a realm it may
    /// originate for, and a host in it or the peer itself.
    #[must_use]
    pub fn may_originate(&self, realm: &[u8], host: &[u8]) -> bool {
        let is_anybody = self.realms.iter().any(|pattern| pattern == "*");
        let is_its = self.realms.iter().any(|pattern| matches(pattern.as_bytes(), realm));
        let lies_in = || {
            let tail = host.len().checked_sub(realm.len() + 1).and_then(|at| host.get(at..));
            tail.and_then(<[u8]>::split_first)
                .is_some_and(|(dot, tail)| *dot == b'.' && same_name(tail, realm))
        };
        let is_itself = || same_name(host, self.origin_host.as_bytes());
        is_anybody || is_its && (host.is_empty() || is_itself() || lies_in())
    }
}

/// Whether `realm` is the pattern's, any case: the same name, `*.suffix` for what ends so, or `*`.
fn matches(pattern: &[u8], realm: &[u8]) -> bool {
    match pattern {
        b"*" => true,
        [b'*', suffix @ ..] => {
            let tail = realm.len().checked_sub(suffix.len()).and_then(|at| realm.get(at..));
            tail.is_some_and(|tail| same_name(tail, suffix))
        }
        _ => same_name(pattern, realm),
    }
}

/// Whether two names are the same in any case; quick where the case is the same, as it mostly is.
#[inline]
pub(crate) fn same_name(a: &[u8], b: &[u8]) -> bool {
    a.len() == b.len() && (a == b || a.eq_ignore_ascii_case(b))
}

/// The configuration with its look-up tables, shared by every worker's stack and every machine.
#[derive(Debug)]
pub(crate) struct Shared {
    pub(crate) config: Config,
    /// Hash of a peer's name and its place in `config.peers`, sorted.
    by_name: Vec<(u64, usize)>,
    /// By link number: its place in `config.peers`, or none.
    by_link: Vec<Option<usize>>,
}

impl Shared {
    pub(crate) fn new(mut config: Config) -> Self {
        config.frame_octets_max = config.frame_octets_max.min(FRAME_OCTETS_CEILING);
        let name = |peer: &PeerConfig| hash_folded(peer.origin_host.as_bytes());
        let mut by_name: Vec<_> =
            config.peers.iter().enumerate().map(|(at, peer)| (name(peer), at)).collect();
        by_name.sort_unstable();
        let links = config.peers.iter().map(|peer| peer.link.0 as usize + 1).max().unwrap_or(0);
        let mut by_link = vec![None; links];
        for (at, peer) in config.peers.iter().enumerate() {
            if let Some(slot) = by_link.get_mut(peer.link.0 as usize) {
                *slot = Some(at);
            }
        }
        Self { config, by_name, by_link }
    }

    pub(crate) fn limits(&self) -> Limits<'_> {
        Limits {
            frame_octets_max: self.config.frame_octets_max,
            avps_max: self.config.avps_max,
            identity: self.config.origin_host.as_bytes(),
        }
    }

    /// The peer behind a link.
    #[inline]
    pub(crate) fn peer(&self, link: LinkId) -> Option<&PeerConfig> {
        let at = *self.by_link.get(link.0 as usize)?;
        self.config.peers.get(at?)
    }

    /// The peers of this name, any case, in the order of the file.
    pub(crate) fn named(&self, host: &[u8]) -> impl Iterator<Item = &PeerConfig> {
        let hash = hash_folded(host);
        let from = self.by_name.partition_point(|entry| entry.0 < hash);
        let candidates = self.by_name.get(from..).unwrap_or_default();
        let candidates = candidates.iter().take_while(move |entry| entry.0 == hash);
        candidates
            .filter_map(|entry| self.config.peers.get(entry.1))
            .filter(move |peer| same_name(peer.origin_host.as_bytes(), host))
    }

    /// The link to the peer of this name, any case.
    #[inline]
    pub(crate) fn find(&self, host: &[u8]) -> Option<LinkId> {
        self.named(host).next().map(|peer| peer.link)
    }

    /// Whether this is our own name.
    #[inline]
    pub(crate) fn is_own(&self, host: &[u8]) -> bool {
        same_name(self.config.origin_host.as_bytes(), host)
    }

    /// Whether a message with this Origin-Realm and Origin-Host may come over this link.
    #[inline]
    pub(crate) fn may_originate(&self, link: LinkId, realm: &[u8], host: &[u8]) -> bool {
        self.peer(link).is_some_and(|peer| peer.may_originate(realm, host))
    }
}

/// Multiply-and-fold over words of eight octets: a key for tables, no defence against an enemy.
#[inline]
pub(crate) fn hash(octets: &[u8], seed: u64) -> u64 {
    hash_masked(octets, seed, 0)
}

/// The same for every case of the same ASCII name.
#[inline]
fn hash_folded(octets: &[u8]) -> u64 {
    hash_masked(octets, 0, 0x2020_2020_2020_2020)
}

#[inline]
fn hash_masked(octets: &[u8], seed: u64, mask: u64) -> u64 {
    let mut state = fold(seed ^ 0x9e37_79b9_7f4a_7c15, 0xd6e8_feb8_6659_fd93);
    let (words, rest) = octets.as_chunks::<8>();
    for word in words {
        state = fold(state ^ (u64::from_le_bytes(*word) | mask), 0xa076_1d64_78bd_642f);
    }
    let mut last = [0; 8];
    for (to, from) in last.iter_mut().zip(rest) {
        *to = *from;
    }
    let last = u64::from_le_bytes(last) | mask;
    fold(state ^ last, 0xe703_7ed1_a0b4_28db ^ octets.len() as u64)
}

#[inline]
const fn fold(a: u64, b: u64) -> u64 {
    let product = a as u128 * b as u128;
    (product >> 64) as u64 ^ product as u64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn realms_match_by_name_suffix_or_any() {
        let suffix = "*.mcc234.3gppnetwork.org";
        let cases = [
            ("*", "anything", true),
            ("visited.lab", "Visited.LAB", true),
            ("visited.lab", "not.visited.lab", false),
            (suffix, "epc.mnc010.MCC234.3gppnetwork.org", true),
            (suffix, "mcc234.3gppnetwork.org", false),
            (suffix, "epc.mnc010.mcc235.3gppnetwork.org", false),
            ("", "visited.lab", false),
        ];
        for (pattern, realm, expected) in cases {
            assert_eq!(
                matches(pattern.as_bytes(), realm.as_bytes()),
                expected,
                "{pattern} {realm}"
            );
        }
    }

    #[test]
    fn peers_are_found_in_any_case() {
        let mut config = Config::new("gw.ipx.lab", "ipx.lab");
        for (link, name) in [(3, "hss1.home.lab"), (7, "mme1.visited.lab")] {
            config.peers.push(PeerConfig::new(LinkId(link), name, "home.lab"));
        }
        let shared = Shared::new(config);
        assert_eq!(shared.find(b"HSS1.home.LAB"), Some(LinkId(3)));
        assert_eq!(shared.find(b"mme1.visited.lab"), Some(LinkId(7)));
        assert_eq!(shared.find(b"mme2.visited.lab"), None);
        assert_eq!(shared.peer(LinkId(7)).map(|peer| &*peer.origin_host), Some("mme1.visited.lab"));
        assert!(shared.peer(LinkId(4)).is_none() && shared.peer(LinkId(99)).is_none());
        assert!(shared.is_own(b"GW.ipx.lab"));
        let may = |link, realm: &str, host: &str| {
            shared.may_originate(LinkId(link), realm.as_bytes(), host.as_bytes())
        };
        assert!(may(3, "HOME.lab", "hss1.home.lab") && may(3, "home.lab", "hss9.Home.lab"));
        assert!(may(7, "home.lab", "mme1.visited.lab"), "itself");
        assert!(!may(3, "visited.lab", "hss1.home.lab") && !may(4, "home.lab", "hss1.home.lab"));
        assert!(!may(3, "home.lab", "mme2.visited.lab") && !may(3, "home.lab", "hss.not-home.lab"));
        assert!(!may(3, "home.lab", ".home") && !may(3, "home.lab", "home.lab"));
    }
}
