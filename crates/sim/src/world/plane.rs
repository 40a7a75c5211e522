//! The signalling plane: the real gateway value in virtual time, and around it the visited nodes and
//! the home networks. No socket: what one end writes the other reads a tick later.

use std::sync::Arc;

use policy::{Diagnostic, Engine, Memory, Source};
use procedure::{LinkId, StackId, Symbols, Time, WorkerId};
use relay::{Board, ConnId, Gateway, Output, Side};
use stacks::diameter::{Config, PeerConfig};

use super::calendar::TICK_MS;
use super::ground::{Ground, NONE};
use super::handset::{Ask, Op};
use super::ledger::Ledger;
use super::map::{self, Hlr, Visited};
use super::plans::{self, Numbers};
use super::s6a::{ADDRESS, Heard, Hss, Mme, hss_host, mme_host, subscriber};
use super::scenario::Scenario;
use crate::Identity;
use crate::diameter::{base, parse};

pub(super) const GATEWAY: &str = "dra1.ipx.example";
const GATEWAY_REALM: &str = "ipx.example";
/// The world begins on an ordinary morning: plans know dates and hours.
const STARTED_UNIX_S: u64 = 1_780_300_800;
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
    visited: Vec<Visited>,
    hlrs: Vec<Hlr>,
    /// Links whose outbox has something, by the gateway's word.
    told: Vec<usize>,
    scratch: Vec<u8>,
    books: Books,
}

/// What a plane counts, and what is told from it.
#[derive(Debug, Default)]
pub(super) struct Books {
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

/// What a run needs of the gateway and of everybody that it talks to, in virtual time or live.
pub(super) trait Signalling {
    /// What is counted.
    fn books(&self) -> &Books;
    /// The same, to be taken from.
    fn books_mut(&mut self) -> &mut Books;
    /// A visited node asks, for a handset.
    fn ask(&mut self, ground: &Ground, class: u8, ask: &Ask);
    /// A subscriber is at home again: the home network tells who served it.
    fn came_home(&mut self, customer: u8, imsi: u64, ground: &Ground, tick: u32);
    /// One tick: what the homes say now, what the visited nodes ask, and what comes of it.
    fn turn(&mut self, ground: &Ground, tick: u32);
    /// Whether nothing is on its way any more.
    fn is_at_rest(&self) -> bool;
    /// Whether nothing can come of it any more.
    fn is_lost(&self) -> bool {
        false
    }
    /// Closes the books: what is not empty though everything has ended, in words.
    fn close(&mut self) -> Vec<String>;
}

/// Who is at the other end of a link.
#[derive(Clone, Copy, Debug)]
enum Far {
    Mme(usize),
    Hss(usize),
    Visited(usize),
    Hlr(usize),
}

/// Diameter's peers by link: first the MMEs, then the HSSs. SS7's links come behind them.
pub(super) struct Peers(pub(super) Vec<Identity>);

impl Peers {
    pub(super) fn new(ground: &Ground) -> Self {
        let mmes = (0..ground.nodes.len()).map(|node| mme_host(ground, node));
        let hsss = ground.scenario.customers.iter().map(|customer| hss_host(customer.plmn));
        Self(mmes.chain(hsss).map(|host| Identity::new(&host)).collect())
    }

    /// Their names in policies: routes lead to `hss-CUSTOMER`.
    pub(super) fn names(&self, ground: &Ground) -> Vec<(String, LinkId)> {
        let customers = ground.scenario.customers.iter().map(|one| format!("hss-{}", one.name));
        let mmes = self.0.iter().take(ground.nodes.len()).map(|peer| peer.host.clone());
        let own = mmes.chain(customers).zip((0..).map(LinkId));
        let ss7 = map::servers(ground, self.0.len()).into_iter();
        own.chain(ss7.map(|(name, link, _)| (format!("{name}-asp"), link))).collect()
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
        groups: map::servers(ground, peers.0.len())
            .into_iter()
            .map(|(name, link, _)| (name, vec![link]))
            .collect(),
        memory: Arc::new(Memory::new(subscribers.max(1 << 16), seed)),
        started_unix_s: STARTED_UNIX_S,
    };
    Engine::new(&policies.0, setup).map(Arc::new)
}

impl Plane {
    /// A gateway with these policies whose links are all up.
    pub(super) fn new(ground: &Ground, engine: Arc<Engine>, seed: u64) -> Result<Self, String> {
        let peers = Peers::new(ground);
        let servers = map::servers(ground, peers.0.len()).len();
        let links = peers.0.len() + servers;
        let stack = |link| StackId(u8::from(link >= peers.0.len()));
        let board = Arc::new(Board::new(links));
        let stacks = stacks::Stacks::new(stacks::Config {
            diameter: peers.config(),
            ss7: Some(map::config(ground, peers.0.len(), engine.symbols())),
            secret: seed,
        });
        let gateway = Gateway::new(relay::Setup {
            worker: WorkerId(0),
            workers: 1,
            stacks: stacks.list(),
            links: (0..links).map(stack).collect(),
            policy: Arc::clone(&engine) as Arc<dyn procedure::Policy>,
            board: Arc::clone(&board),
            request_timeout_ms: REQUEST_TIMEOUT_MS,
            seed,
        });
        let mmes = (0..ground.nodes.len()).map(|node| Mme::new(ground, node)).collect();
        let (networks, customers) =
            (ground.scenario.networks.len(), 0..ground.scenario.customers.len());
        let mut plane = Self {
            gateway,
            engine,
            board,
            conns: Vec::new(),
            inbound: vec![Vec::new(); links],
            mmes,
            hsss: customers.clone().filter_map(|one| Hss::new(ground, one, seed)).collect(),
            visited: (0..networks).map(Visited::new).collect(),
            hlrs: customers.filter_map(|one| Hlr::new(ground, one, networks + one, seed)).collect(),
            told: Vec::new(),
            scratch: Vec::new(),
            books: Books::default(),
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
            let conn =
                self.gateway.opened(now, LinkId(link), Side::Responder).ok_or_else(refused)?;
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
        for link in peers.0.len()..self.inbound.len() {
            self.introduce_ss7(now, link)?;
        }
        Ok(())
    }

    /// An application server process comes up and wants traffic.
    fn introduce_ss7(&mut self, now: Time, link: usize) -> Result<(), String> {
        let id = LinkId(u32::try_from(link).unwrap_or(u32::MAX));
        let refused = || format!("the association of link {link} is not let in");
        let conn = self.gateway.opened(now, id, Side::Responder).ok_or_else(refused)?;
        self.conns.push(conn);
        let end = match self.far(link) {
            Far::Visited(place) => self.visited.get_mut(place).map(|one| &mut one.end),
            Far::Hlr(place) => self.hlrs.get_mut(place).map(|one| &mut one.end),
            _ => None,
        };
        let (Some(end), Some(out)) = (end, self.inbound.get_mut(link)) else {
            return Err(refused());
        };
        end.up(out);
        // ASPUP, its acknowledgement, ASPAC, its acknowledgement; and what others hear of it.
        for _ in 0..4 {
            let octets = self.inbound.get_mut(link).map(std::mem::take).unwrap_or_default();
            map::each(&octets, |message, _| self.gateway.message(now, conn, message));
            self.listen();
            self.deliver(None);
        }
        self.books.wrong.clear();
        let up = self.board.status(id).is_some_and(|status| status.up);
        if up { Ok(()) } else { Err(refused()) }
    }

    /// Who is at the other end of a link.
    fn far(&self, link: usize) -> Far {
        let mut place = link;
        for (count, far) in [
            (self.mmes.len(), Far::Mme as fn(usize) -> Far),
            (self.hsss.len(), Far::Hss),
            (self.visited.len(), Far::Visited),
        ] {
            match place.checked_sub(count) {
                None => return far(place),
                Some(rest) => place = rest,
            }
        }
        Far::Hlr(place)
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
            if link < self.mmes.len() + self.hsss.len() {
                self.books.frames += traffic(inbound);
                let octets = self.gateway.received(time(tick), *conn, inbound);
                if octets != inbound.len() {
                    self.books.wrong.push(format!("link {link}: {octets} octets taken"));
                }
            } else {
                map::each(inbound, |message, is_traffic| {
                    self.books.frames += u64::from(is_traffic);
                    self.gateway.message(time(tick), *conn, message);
                });
            }
            inbound.clear();
            self.listen();
            self.deliver(Some((ground, tick)));
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
                Output::Close(conn) => {
                    self.books.wrong.push(format!("connection {} closes", conn.0));
                }
                Output::Note { what, link, .. } => {
                    self.books.wrong.push(format!("link {}: {what}", link.0));
                }
                Output::Connect(_) | Output::Post(_) => {}
            }
        }
    }

    /// Takes what waits in the gateway's outboxes to those it is for.
    fn deliver(&mut self, world: Option<(&Ground, u32)>) {
        while let Some(link) = self.told.pop() {
            let Some(conn) = self.conns.get(link).copied() else { continue };
            self.scratch.clear();
            self.scratch.extend_from_slice(self.gateway.outbox(conn));
            self.gateway.sent(conn, self.scratch.len());
            let told = std::mem::take(&mut self.scratch);
            self.hand_over(self.far(link), &told, link, world);
            self.scratch = told;
        }
    }

    /// The far end of a link reads what was written to it. While links come up nothing but the base
    /// protocols is spoken, and there is no world yet.
    fn hand_over(&mut self, far: Far, octets: &[u8], link: usize, world: Option<(&Ground, u32)>) {
        let Some(out) = self.inbound.get_mut(link) else { return };
        let heard = &mut self.books.heard;
        let wrong = match (far, world) {
            (Far::Mme(place), _) => {
                self.mmes.get_mut(place).map(|mme| mme.take(octets, heard, out))
            }
            (Far::Visited(place), _) => {
                self.visited.get_mut(place).map(|visited| visited.take(octets, heard, out))
            }
            (Far::Hss(place), Some((ground, tick))) => {
                self.hsss.get_mut(place).map(|hss| hss.take(ground, octets, tick))
            }
            (Far::Hlr(place), Some((ground, tick))) => {
                self.hlrs.get_mut(place).map(|hlr| hlr.take(ground, octets, tick, out))
            }
            (Far::Hlr(place), None) => self.hlrs.get_mut(place).map(|hlr| hlr.come_up(octets, out)),
            (Far::Hss(_), None) => None,
        };
        if wrong != Some(0) {
            self.books.wrong.push(format!("link {link}: frames that cannot be read"));
        }
    }
}

impl Signalling for Plane {
    fn books(&self) -> &Books {
        &self.books
    }

    fn books_mut(&mut self) -> &mut Books {
        &mut self.books
    }

    fn ask(&mut self, ground: &Ground, class: u8, ask: &Ask) {
        let (customer, imsi) = subscriber(ground, class, ask);
        let node = usize::from(ask.node);
        self.books.transactions += 1;
        if !matches!(ask.op, Op::Sai | Op::SaiLater | Op::Ul | Op::Ugl) {
            if let (Some(mme), Some(out)) = (self.mmes.get_mut(node), self.inbound.get_mut(node)) {
                mme.ask(ask, customer, imsi, out);
            }
            return;
        }
        let network = ground.nodes.get(node).map_or(0, |node| usize::from(node.network));
        let link = self.mmes.len() + self.hsss.len() + network;
        if let (Some(visited), Some(out)) =
            (self.visited.get_mut(network), self.inbound.get_mut(link))
        {
            visited.ask(ground, ask, customer, imsi, out);
        }
    }

    fn came_home(&mut self, customer: u8, imsi: u64, ground: &Ground, tick: u32) {
        if let Some(hss) = self.hsss.get_mut(usize::from(customer)) {
            hss.serve(ground, imsi, NONE, tick);
        }
        if let Some(hlr) = self.hlrs.get_mut(usize::from(customer)) {
            hlr.serve(ground, imsi, (NONE, false), tick);
            hlr.serve(ground, imsi, (NONE, true), tick);
        }
    }

    /// One tick: the gateway's timers, what the homes say now, what the visited nodes ask, and what
    /// comes of it.
    fn turn(&mut self, ground: &Ground, tick: u32) {
        let now = time(tick);
        self.books.heard.clear();
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
        let first = first + self.hsss.len() + self.visited.len();
        for (hlr, inbound) in self.hlrs.iter_mut().zip(self.inbound.iter_mut().skip(first)) {
            if let Some(due) = hlr.due(tick) {
                inbound.append(due);
            }
        }
        self.deliver(Some((ground, tick)));
        while self.put_in(ground, tick) {}
        self.books.ledger.fold(self.gateway.records());
    }

    fn is_at_rest(&self) -> bool {
        self.gateway.is_drained()
            && self.hsss.iter().all(Hss::is_at_rest)
            && self.hlrs.iter().all(Hlr::is_at_rest)
            && self.inbound.iter().all(Vec::is_empty)
    }

    fn close(&mut self) -> Vec<String> {
        let mut left = self.books.wrong.clone();
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
pub(super) fn policies(scenario: &Scenario, numbers: &Numbers, steering: Source) -> Policies {
    Policies(vec![
        numbers.source.clone(),
        plans::customers(scenario),
        plans::routes(scenario),
        steering,
    ])
}
