//! The signalling plane: the real gateway value in virtual time, and around it the visited nodes and
//! the home networks. No socket: what one end writes the other reads a tick later.

use std::sync::Arc;

use policy::{Diagnostic, Engine, Memory, Source};
use procedure::{LinkId, StackId, Symbols, Time, WorkerId};
use relay::{Board, ConnId, Gateway, Output, Side};
use stacks::diameter::{Config, PeerConfig};

use super::calendar::TICK_MS;
use super::ground::{Ground, NONE};
use super::handset::Ask;
use super::ledger::Ledger;
use super::plans;
use super::s6a::{ADDRESS, Heard, Hss, Mme, hss_host, imsi, mme_host};
use crate::Identity;
use crate::diameter::{base, parse};

const GATEWAY: &str = "dra1.ipx.example";
const GATEWAY_REALM: &str = "ipx.example";
/// The gateway answers in an HSS's place after so long.
const REQUEST_TIMEOUT_MS: u64 = 4000;
/// The policy files of a run.
#[derive(Clone, Debug)]
pub(super) struct Policies(pub(super) Vec<Source>);

/// The gateway and everybody it talks to.
pub(super) struct Plane {
    gateway: Gateway,
    pub(super) engine: Arc<Engine>,
    board: Arc<Board>,
    /// By link: its connection, and what waits to go into the gateway.
    conns: Vec<ConnId>,
    inbound: Vec<Vec<u8>>,
    mmes: Vec<Mme>,
    hsss: Vec<Hss>,
    /// Links whose outbox has something, by the gateway's word.
    told: Vec<usize>,
    scratch: Vec<u8>,
    /// What the visited nodes heard in this tick.
    pub(super) heard: Vec<Heard>,
    /// Everything the gateway wrote down.
    pub(super) ledger: Ledger,
    /// Requests put in by visited nodes and home networks.
    pub(super) transactions: u64,
    /// What should never happen on the way, in words.
    pub(super) wrong: Vec<String>,
    /// The frames that went into the gateway, its base protocol's aside.
    pub(super) frames: u64,
}

/// A link by its place: first the MMEs, then the HSSs.
struct Peers(Vec<Identity>);

impl Peers {
    fn new(ground: &Ground) -> Self {
        let mmes = (0..ground.nodes.len()).map(|node| mme_host(ground, node));
        let hsss = ground.scenario.customers.iter().map(|customer| hss_host(customer.plmn));
        Self(mmes.chain(hsss).map(|host| Identity::new(&host)).collect())
    }

    /// Their names in policies: routes lead to `hss-CUSTOMER`.
    fn names(&self, ground: &Ground) -> Vec<(String, LinkId)> {
        let customers = ground.scenario.customers.iter().map(|one| format!("hss-{}", one.name));
        let mmes = self.0.iter().take(ground.nodes.len()).map(|peer| peer.host.clone());
        mmes.chain(customers).zip((0..).map(LinkId)).collect()
    }

    fn config(&self) -> Config {
        let mut config = Config::new(GATEWAY, GATEWAY_REALM);
        config.host_addresses.push(ADDRESS);
        let peer = |(peer, link): (&Identity, u32)| {
            PeerConfig::new(LinkId(link), &peer.host, peer.realm.clone())
        };
        config.peers = self.0.iter().zip(0..).map(peer).collect();
        config
    }
}

/// When a tick is, for the gateway: everything was introduced before the first.
pub(super) fn time(tick: u32) -> Time {
    Time::from_ms((u64::from(tick) + 1) * u64::from(TICK_MS))
}

/// The engine for these policies; also to see whether they are right.
pub(super) fn engine(
    ground: &Ground,
    policies: &Policies,
    seed: u64,
) -> Result<Arc<Engine>, Vec<Diagnostic>> {
    let peers = Peers::new(ground);
    // A subscriber may be remembered in each country and under each identity.
    let subscribers = (ground.scenario.subscribers as usize).saturating_mul(4);
    let setup = policy::Setup {
        symbols: Symbols::default(),
        vocabulary: Arc::new(stacks::vocabulary()),
        peers: Some(peers.names(ground)),
        groups: Vec::new(),
        memory: Arc::new(Memory::new(subscribers.max(1 << 16), seed)),
    };
    Engine::new(&policies.0, setup).map(Arc::new)
}

impl Plane {
    /// A gateway with these policies whose links are all up.
    pub(super) fn new(ground: &Ground, engine: Arc<Engine>, seed: u64) -> Result<Self, String> {
        let peers = Peers::new(ground);
        let links = peers.0.len();
        let board = Arc::new(Board::new(links));
        let stacks = stacks::Stacks::new(stacks::Config {
            diameter: peers.config(),
            ss7: None,
            secret: seed,
        });
        let gateway = Gateway::new(relay::Setup {
            worker: WorkerId(0),
            workers: 1,
            stacks: stacks.list(),
            links: vec![StackId(0); links],
            policy: Arc::clone(&engine) as Arc<dyn procedure::Policy>,
            board: Arc::clone(&board),
            request_timeout_ms: REQUEST_TIMEOUT_MS,
            seed,
        });
        let mmes = (0..ground.nodes.len()).map(|node| Mme::new(ground, node)).collect();
        let customers = 0..ground.scenario.customers.len();
        let mut plane = Self {
            gateway,
            ledger: Ledger::default(),
            engine,
            board,
            conns: Vec::new(),
            inbound: vec![Vec::new(); links],
            mmes,
            hsss: customers.filter_map(|customer| Hss::new(ground, customer, seed)).collect(),
            told: Vec::new(),
            scratch: Vec::new(),
            heard: Vec::new(),
            transactions: 0,
            wrong: Vec::new(),
            frames: 0,
        };
        plane.introduce(&peers)?;
        Ok(plane)
    }

    /// Every peer connects and says who it is.
    fn introduce(&mut self, peers: &Peers) -> Result<(), String> {
        let now = Time::from_ms(1);
        self.gateway.start(now);
        for (peer, link) in peers.0.iter().zip(0..) {
            let refused = || format!("{} cannot connect", peer.host);
            let conn = self.gateway.opened(now, LinkId(link), Side::Responder).ok_or_else(refused)?;
            let mut cer = Vec::new();
            base::cer(&mut cer, peer, ADDRESS, (1, 1));
            self.gateway.received(now, conn, &cer);
            while self.gateway.poll().is_some() {}
            let octets = self.gateway.outbox(conn).len();
            self.gateway.sent(conn, octets);
            let up = self.board.status(LinkId(link)).is_some_and(|status| status.up);
            if !up {
                return Err(format!("{} is not let in", peer.host));
            }
            self.conns.push(conn);
        }
        Ok(())
    }

    /// A visited node asks, for a handset.
    pub(super) fn ask(&mut self, ground: &Ground, class: u8, ask: &Ask) {
        let customer = ground.class(class).and_then(|class| {
            class.customers.get(usize::from(ask.identity)).copied()
        });
        let imsi = imsi(ground, class, ask.identity, ask.handset);
        let node = usize::from(ask.node);
        if let (Some(mme), Some(out)) = (self.mmes.get_mut(node), self.inbound.get_mut(node)) {
            mme.ask(ask, customer.unwrap_or(NONE), imsi, out);
            self.transactions += 1;
        }
    }

    /// A subscriber is at home again: the home network tells who served it.
    pub(super) fn came_home(&mut self, customer: u8, imsi: u64, ground: &Ground, tick: u32) {
        if let Some(hss) = self.hsss.get_mut(usize::from(customer)) {
            hss.serve(ground, imsi, NONE, tick);
        }
    }

    /// One tick: the gateway's timers, what the homes say now, what the visited nodes ask, and what
    /// comes of it.
    pub(super) fn turn(&mut self, ground: &Ground, tick: u32) {
        let now = time(tick);
        self.heard.clear();
        if self.gateway.deadline().is_some_and(|at| at <= now) {
            self.gateway.expire(now);
            self.listen();
        }
        let first = self.mmes.len();
        for (hss, inbound) in self.hsss.iter_mut().zip(self.inbound.iter_mut().skip(first)) {
            if let Some(due) = hss.due(tick) {
                inbound.append(due);
            }
        }
        self.deliver(ground, tick);
        while self.put_in(ground, tick) {}
        self.ledger.fold(self.gateway.records());
    }

    /// Gives every link's octets to the gateway, and what comes of them to those it is for; false
    /// when there was nothing.
    fn put_in(&mut self, ground: &Ground, tick: u32) -> bool {
        let mut any = false;
        for link in 0..self.inbound.len() {
            let (Some(inbound), Some(conn)) = (self.inbound.get_mut(link), self.conns.get(link))
            else {
                continue;
            };
            if inbound.is_empty() {
                continue;
            }
            any = true;
            self.frames += traffic(inbound);
            let octets = self.gateway.received(time(tick), *conn, inbound);
            if octets != inbound.len() {
                self.wrong.push(format!("link {link}: {octets} of {} octets taken", inbound.len()));
            }
            inbound.clear();
            self.listen();
            self.deliver(ground, tick);
        }
        any
    }

    /// Notes what the gateway wants done.
    fn listen(&mut self) {
        while let Some(output) = self.gateway.poll() {
            match output {
                Output::Write(conn) => {
                    let link = self.conns.iter().position(|known| *known == conn);
                    self.told.extend(link);
                }
                Output::Close(conn) => self.wrong.push(format!("connection {} closes", conn.0)),
                Output::Note { what, link, .. } => {
                    self.wrong.push(format!("link {}: {what}", link.0));
                }
                Output::Connect(_) | Output::Post(_) => {}
            }
        }
    }

    /// Takes what waits in the gateway's outboxes to those it is for.
    fn deliver(&mut self, ground: &Ground, tick: u32) {
        while let Some(link) = self.told.pop() {
            let Some(conn) = self.conns.get(link).copied() else { continue };
            self.scratch.clear();
            self.scratch.extend_from_slice(self.gateway.outbox(conn));
            self.gateway.sent(conn, self.scratch.len());
            let first = self.mmes.len();
            let wrong = match link.checked_sub(first) {
                None => match (self.mmes.get(link), self.inbound.get_mut(link)) {
                    (Some(mme), Some(out)) => mme.take(&self.scratch, &mut self.heard, out),
                    _ => 1,
                },
                Some(home) => match self.hsss.get_mut(home) {
                    Some(hss) => hss.take(ground, &self.scratch, tick),
                    None => 1,
                },
            };
            if wrong > 0 {
                self.wrong.push(format!("link {link}: {wrong} frames cannot be read"));
            }
        }
    }

    /// Whether nothing is on its way any more.
    pub(super) fn is_at_rest(&self) -> bool {
        self.gateway.is_drained()
            && self.hsss.iter().all(Hss::is_at_rest)
            && self.inbound.iter().all(Vec::is_empty)
    }

    /// What is not empty though everything has ended, in words.
    pub(super) fn leftovers(&self) -> Vec<String> {
        let mut left = self.wrong.clone();
        if !self.gateway.is_drained() {
            left.push("the gateway has exchanges open".to_owned());
        }
        for link in 0..self.conns.len() {
            let status = u32::try_from(link).ok().and_then(|link| self.board.status(LinkId(link)));
            let Some(status) = status else { continue };
            if (status.pending, status.waiting_octets) != (0, 0) {
                left.push(format!(
                    "link {link}: {} exchanges and {} octets wait",
                    status.pending, status.waiting_octets
                ));
            }
        }
        let full = self.engine.memory().in_use().full;
        if full > 0 {
            left.push(format!("steering's memory was full {full} times"));
        }
        left
    }
}

/// Frames of traffic among some: those of an application.
fn traffic(frames: &[u8]) -> u64 {
    let (mut count, mut rest) = (0, frames);
    while let Ok(Some(octets)) = parse::frame_length(rest) {
        count += u64::from(rest.get(8..12).is_some_and(|application| application != [0; 4]));
        rest = rest.get(octets..).unwrap_or_default();
    }
    count
}

/// The policy files for a scenario's plans in a style.
pub(super) fn policies(ground: &super::scenario::Scenario, steering: Source) -> Policies {
    Policies(vec![
        plans::networks(ground),
        plans::customers(ground),
        plans::routes(ground),
        steering,
    ])
}
