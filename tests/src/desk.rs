//! Gateway values on a desk: driven by hand, in virtual time, with no socket.

use std::sync::Arc;

use diameter::{Config, Diameter, DiameterVocabulary, PeerConfig};
use policy::{Engine, Memory, Source};
use procedure::{LinkId, StackId, Symbols, Time, WorkerId};
use relay::{Board, ConnId, Gateway, Output, Setup, Side};
use sim::diameter::base;

use crate::world;

/// Where simulated peers say that they are.
const ADDRESS: std::net::IpAddr = std::net::IpAddr::V4(std::net::Ipv4Addr::LOCALHOST);
/// Subscribers that steering may remember on the desk.
const SUBSCRIBERS_MAX: usize = 1 << 16;

/// One configured peer; its place in the list is its link.
#[derive(Clone, Debug)]
pub struct Peer {
    /// Its Diameter identity.
    pub host: String,
    /// The gateway connects to it.
    pub initiate: bool,
    /// It is one of the home operator's.
    pub home: bool,
}

/// What a desk of gateways has in common.
#[derive(Debug)]
pub struct Desk {
    /// The workers' gateways, started.
    pub gateways: Vec<Gateway>,
    /// Where they see each other's links.
    pub board: Arc<Board>,
}

/// What there is to set about a desk.
#[derive(Clone, Copy, Debug)]
pub struct Settings {
    /// How many gateway values.
    pub workers: u8,
    /// When an asker is answered whatever happens.
    pub request_timeout_ms: u64,
    /// Everything that is random.
    pub seed: u64,
}

impl Desk {
    /// Gateways between these peers, with steering on, started at time zero.
    ///
    /// # Panics
    /// If the world's policies do not compile.
    #[must_use]
    pub fn new(peers: &[Peer], settings: Settings) -> Self {
        let stack = stack(peers);
        let board = Arc::new(Board::new(peers.len()));
        let policy = Arc::new(engine(peers, settings.seed));
        let setup = |worker| Setup {
            worker: WorkerId(worker),
            workers: settings.workers,
            stacks: vec![Box::new(stack.clone())],
            links: vec![StackId(0); peers.len()],
            policy: policy.clone(),
            board: Arc::clone(&board),
            request_timeout_ms: settings.request_timeout_ms,
            seed: settings.seed,
        };
        let mut gateways: Vec<_> =
            (0..settings.workers).map(|worker| Gateway::new(setup(worker))).collect();
        for gateway in &mut gateways {
            gateway.start(Time::default());
        }
        Self { gateways, board }
    }
}

/// The stack that knows these peers; each may originate for its own realm only.
#[must_use]
pub fn stack(peers: &[Peer]) -> Diameter {
    let mut config = Config::new(world::GATEWAY, world::GATEWAY_REALM);
    config.host_addresses.push(ADDRESS);
    config.peers = peers.iter().zip(0..).map(|(peer, link)| peer.config(LinkId(link))).collect();
    Diameter::new(config)
}

fn engine(peers: &[Peer], seed: u64) -> Engine {
    let home: Vec<&str> = peers.iter().filter(|peer| peer.home).map(|peer| &*peer.host).collect();
    let sources: Vec<Source> = world::policies(&home)
        .into_iter()
        .map(|(name, text)| Source { name: name.into(), text })
        .collect();
    let setup = policy::Setup {
        symbols: Symbols::default(),
        vocabulary: Arc::new(DiameterVocabulary),
        peers: Some(peers.iter().map(|peer| peer.host.clone()).zip((0..).map(LinkId)).collect()),
        groups: Vec::new(),
        memory: Arc::new(Memory::new(SUBSCRIBERS_MAX, seed)),
        started_unix_s: 0,
    };
    Engine::new(&sources, setup).expect("the world's policies compile")
}

impl Peer {
    /// A visited or home node that connects to the gateway.
    #[must_use]
    pub fn new(host: &str) -> Self {
        Self { host: host.into(), initiate: false, home: host.ends_with(world::HOME_REALM) }
    }

    /// Its identity as the simulator's codec wants it.
    #[must_use]
    pub fn identity(&self) -> sim::Identity {
        sim::Identity::new(&self.host)
    }

    /// The Capabilities-Exchange-Request that it says.
    #[must_use]
    pub fn cer(&self) -> Vec<u8> {
        let mut out = Vec::new();
        base::cer(&mut out, &self.identity(), ADDRESS, (1, 1));
        out
    }

    /// Its answer to a Capabilities-Exchange-Request.
    ///
    /// # Panics
    /// If that is no message.
    #[must_use]
    pub fn cea(&self, cer: &[u8]) -> Vec<u8> {
        let mut out = Vec::new();
        let request = sim::diameter::parse::Message::parse(cer).expect("a CER");
        base::cea(&mut out, &self.identity(), ADDRESS, &request);
        out
    }

    fn config(&self, link: LinkId) -> PeerConfig {
        let identity = self.identity();
        let mut config = PeerConfig::new(link, &self.host, identity.realm);
        config.initiate = self.initiate;
        config
    }
}

/// Lets a peer connect and introduce itself to the gateway that owns its link.
///
/// # Panics
/// If the link is not up afterwards.
pub fn introduce(gateway: &mut Gateway, now: Time, link: LinkId, peer: &Peer) -> ConnId {
    let conn = gateway.opened(now, link, Side::Responder).expect("there is room");
    let cer = peer.cer();
    assert_eq!(gateway.received(now, conn, &cer), cer.len());
    while let Some(output) = gateway.poll() {
        assert!(!matches!(output, Output::Close(_)), "{} is refused", peer.host);
    }
    let cea = written(gateway, conn);
    assert!(!cea.is_empty(), "{} gets a CEA", peer.host);
    conn
}

/// Everything that waits to be written on a connection, as if a socket had taken it.
pub fn written(gateway: &mut Gateway, conn: ConnId) -> Vec<u8> {
    let octets = gateway.outbox(conn).to_vec();
    gateway.sent(conn, octets.len());
    octets
}
