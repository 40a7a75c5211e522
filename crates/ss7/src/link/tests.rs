use std::collections::{BTreeMap, VecDeque};
use std::net::IpAddr;

use procedure::Symbol;
use relay::Rng;

use super::state::Scope;
use super::*;
use crate::config::{Server, Timers, TrafficMode};
use crate::view::m3ua::{Message, Parameter, Variant, Writer, tag};

mod equals;
mod flows;
mod random;
mod wrong;

/// The point code that belongs to ourselves.
pub(crate) const OWN: PointCode = PointCode(0x1000);

pub(crate) fn link(role: Role) -> LinkConfig {
    LinkConfig {
        role,
        connects: matches!(role, Role::Asp | Role::IpspSingle { leads: true }),
        asp_identifier: None,
        addresses: vec![IpAddr::from([192, 0, 2, 1])],
        titles: Vec::new(),
    }
}

/// Server number `index` with routing context 100 + `index` and point code 0x1001 + `index`.
pub(crate) fn server(index: u32, mode: TrafficMode, links: &[u32]) -> Server {
    Server {
        name: Symbol(50 + index),
        routing_context: Some(100 + index),
        network_appearance: None,
        point_codes: vec![PointCode(0x1001 + index)],
        mode,
        links: links.iter().map(|link| LinkId(*link)).collect(),
        links_min: 1,
        registers: false,
    }
}

pub(crate) fn scope(links: Vec<LinkConfig>, servers: Vec<Server>) -> Scope {
    Scope {
        variant: Variant::Itu,
        point_codes: vec![OWN],
        links: links.into_iter().map(Some).collect(),
        servers,
        timers: Timers::default(),
    }
}

/// All machines of a gateway, with the gateway's part played around them.
struct World {
    state: Arc<State>,
    machines: Vec<Machine>,
    rng: Rng,
    now: Time,
    conns: u32,
    live: Vec<Vec<ConnId>>,
    up: Vec<Option<ConnId>>,
    connects: Vec<u32>,
    timers: BTreeMap<(usize, usize), (Time, LinkTimer)>,
    sent: Vec<VecDeque<Vec<u8>>>,
    tidings: bool,
    /// By link: what the peer knows of each context's server, and of each point code.
    told: Vec<BTreeMap<u32, u32>>,
    gone: Vec<BTreeMap<u32, bool>>,
}

impl World {
    fn new(scope: Scope) -> Self {
        let count = scope.links.len();
        let state = State::of(scope);
        let machine = |link: usize| Machine::new(Arc::clone(&state), LinkId(link as u32));
        Self {
            machines: (0..count).map(|link| machine(link).expect("configured")).collect(),
            state,
            rng: Rng::new(1),
            now: Time::from_ms(10_000),
            conns: 0,
            live: vec![Vec::new(); count],
            up: vec![None; count],
            connects: vec![0; count],
            timers: BTreeMap::new(),
            sent: vec![VecDeque::new(); count],
            tidings: false,
            told: vec![BTreeMap::new(); count],
            gone: vec![BTreeMap::new(); count],
        }
    }

    fn run<T>(
        &mut self,
        link: usize,
        event: impl FnOnce(&mut Machine, Time, &mut Effects<'_>) -> T,
    ) -> T {
        let result = self.step(link, event);
        while std::mem::take(&mut self.tidings) {
            for link in 0..self.machines.len() {
                self.step(link, Link::tidings);
            }
        }
        self.check();
        result
    }

    fn step<T>(
        &mut self,
        link: usize,
        event: impl FnOnce(&mut Machine, Time, &mut Effects<'_>) -> T,
    ) -> T {
        let mut list = Vec::new();
        let mut fx = Effects { list: &mut list, rng: &mut self.rng };
        let result = event(&mut self.machines[link], self.now, &mut fx);
        for effect in list {
            self.carry_out(link, effect);
        }
        result
    }

    fn carry_out(&mut self, link: usize, effect: Effect) {
        match effect {
            Effect::Send { conn, frame } => {
                assert!(self.live[link].contains(&conn), "sends on a dead connection");
                self.believe(link, &frame);
                self.sent[link].push_back(frame);
            }
            Effect::Close { conn } => {
                assert_ne!(self.up[link], Some(conn), "closes before Down");
                let at = self.live[link].iter().position(|live| *live == conn);
                self.live[link].remove(at.expect("closes a dead connection"));
            }
            Effect::Connect => {
                self.connects[link] += 1;
                assert_eq!(self.connects[link], 1, "one attempt at a time");
            }
            Effect::Up { conn } => {
                assert!(self.live[link].contains(&conn));
                assert_eq!(self.up[link].replace(conn), None, "up twice");
            }
            Effect::Down => assert!(self.up[link].take().is_some(), "down twice"),
            Effect::Arm { timer, at } => {
                let _ = self.timers.insert((link, timer as usize), (at, timer));
            }
            Effect::Disarm { timer } => {
                let _ = self.timers.remove(&(link, timer as usize));
            }
            Effect::Tidings => self.tidings = true,
            Effect::Note { .. } => {}
        }
    }

    /// What a peer takes for true after a message.
    fn believe(&mut self, link: usize, frame: &[u8]) {
        let message = Message::new(frame).expect("what we send is sound");
        let numbers = |tag| {
            message.find(tag).map(|found| found.numbers().collect::<Vec<_>>()).unwrap_or_default()
        };
        match message.kind() {
            Kind::NOTIFY => {
                let status = numbers(tag::STATUS)[0];
                for context in
                    numbers(tag::ROUTING_CONTEXT).into_iter().filter(|_| status >> 16 == 1)
                {
                    self.told[link].insert(context, status & 0xffff);
                }
            }
            kind @ (Kind::DUNA | Kind::DAVA) => {
                for code in numbers(tag::AFFECTED_POINT_CODE) {
                    self.gone[link].insert(code, kind == Kind::DUNA);
                }
            }
            Kind::ASP_UP_ACK => self.gone[link].clear(),
            _ => {}
        }
    }

    /// What always holds while it is quiet.
    fn check(&self) {
        for (link, machine) in self.machines.iter().enumerate() {
            let held =
                machine.conn.into_iter().chain(machine.rival.as_ref().map(|rival| rival.conn));
            assert!(
                held.eq(self.live[link].iter().copied()),
                "a connection is forgotten or imagined"
            );
            let is_active = machine.seats.iter().any(|seat| seat.shared == Asp::Active);
            assert_eq!(self.up[link].is_some(), is_active, "up exactly while active");
            for seat in &machine.seats {
                let asp = self.state.asp(seat.server, LinkId(link as u32));
                assert_eq!(asp, seat.shared, "what is shared is the truth");
                assert!(asp == Asp::Down || machine.conn.is_some(), "there without association");
                let standing = self.state.standing(seat.server);
                if machine.keeper > Asp::Down && asp > Asp::Down && standing != Standing::Down {
                    let told = self.told[link].get(&seat.context.expect("one"));
                    assert_eq!(told, Some(&(standing as u32)), "the peer knows the server's state");
                }
            }
            let keeps = machine.seats.iter().any(|seat| seat.keeper == Asp::Active);
            assert_eq!(machine.keeper == Asp::Active, keeps, "{:?}", machine.seats);
            if machine.config.role == Role::Sgp && machine.keeper == Asp::Active {
                for code in
                    self.state.codes().iter().filter(|code| !machine.own_codes.contains(code))
                {
                    let told = self.gone[link].get(&code.0).copied().unwrap_or_default();
                    assert_eq!(told, !self.state.is_available(*code), "the peer knows {code:?}");
                }
            }
        }
        for (index, server) in self.state.scope.servers.iter().enumerate() {
            let carrying =
                server.links.iter().filter(|link| self.state.carries(**link, Some(server.name)));
            let count = carrying.count();
            assert!(server.mode != TrafficMode::Override || count <= 1, "only one in override");
            assert_eq!(count > 0, self.state.standing(index) == Standing::Active);
        }
    }

    fn opened(&mut self, link: usize, side: Side) -> ConnId {
        let conn = ConnId(self.conns);
        self.conns += 1;
        self.live[link].push(conn);
        if side == Side::Initiator {
            self.connects[link] -= 1;
        }
        self.run(link, |machine, now, fx| machine.opened(now, conn, side, fx));
        conn
    }

    fn closed(&mut self, link: usize) {
        let conn = self.live[link].remove(0);
        // The gateway takes the link's port away with its connection.
        self.run(link, |machine, now, fx| machine.closed(now, conn, fx));
    }

    fn receive(&mut self, link: usize, frame: &[u8]) -> Passage {
        let conn = self.live[link][0];
        self.run(link, |machine, now, fx| machine.received(now, conn, frame, fx))
    }

    /// The next timer of any link runs out; says whose and which.
    fn expire(&mut self) -> Option<(usize, LinkTimer)> {
        let (&key, &(at, timer)) = self.timers.iter().min_by_key(|(_, (at, _))| *at)?;
        self.timers.remove(&key);
        self.now = self.now.max(at);
        self.run(key.0, |machine, now, fx| machine.expired(now, timer, fx));
        Some((key.0, timer))
    }

    /// What was sent to a peer since last asked, in words.
    fn sent(&mut self, link: usize) -> Vec<String> {
        let frames = std::mem::take(&mut self.sent[link]);
        frames.iter().map(|frame| words(frame)).collect()
    }

    fn standing(&self) -> Standing {
        self.state.standing(0)
    }
}

/// A message in words: its kind and the numbers that matter.
fn words(frame: &[u8]) -> String {
    let message = Message::new(frame).expect("sound");
    let name = match message.kind() {
        Kind::ERROR => "ERR",
        Kind::NOTIFY => "NTFY",
        Kind::DUNA => "DUNA",
        Kind::DAVA => "DAVA",
        Kind::DAUD => "DAUD",
        Kind::SCON => "SCON",
        Kind::DUPU => "DUPU",
        Kind::DATA => "DATA",
        Kind::ASP_UP => "ASPUP",
        Kind::ASP_DOWN => "ASPDN",
        Kind::BEAT => "BEAT",
        Kind::ASP_UP_ACK => "ASPUP ACK",
        Kind::ASP_DOWN_ACK => "ASPDN ACK",
        Kind::BEAT_ACK => "BEAT ACK",
        Kind::ASP_ACTIVE => "ASPAC",
        Kind::ASP_INACTIVE => "ASPIA",
        Kind::ASP_ACTIVE_ACK => "ASPAC ACK",
        Kind::ASP_INACTIVE_ACK => "ASPIA ACK",
        Kind::REG_RSP => "REG RSP",
        Kind::DEREG_RSP => "DEREG RSP",
        _ => "?",
    };
    let mut text = name.to_owned();
    for (tag, prefix) in [
        (tag::ERROR_CODE, "code"),
        (tag::STATUS, "status"),
        (tag::TRAFFIC_MODE, "mode"),
        (tag::ROUTING_CONTEXT, "rc"),
        (tag::AFFECTED_POINT_CODE, "pc"),
    ] {
        let found = message.find(tag);
        for number in found.iter().flat_map(Parameter::numbers) {
            text += &format!(" {prefix} {number:x}");
        }
    }
    text
}

/// A message of the peer's.
fn say(kind: Kind, write: impl FnOnce(Writer<'_>) -> Writer<'_>) -> Vec<u8> {
    let mut out = Vec::new();
    let _ = write(Writer::new(&mut out, kind));
    out
}

fn bare(kind: Kind) -> Vec<u8> {
    say(kind, |writer| writer)
}

fn about(kind: Kind, contexts: &[u32]) -> Vec<u8> {
    say(kind, |writer| writer.numbers(tag::ROUTING_CONTEXT, contexts))
}

impl World {
    /// A peer dials and is up.
    fn peer_up(&mut self, link: usize) {
        self.opened(link, Side::Responder);
        assert_eq!(self.receive(link, &bare(Kind::ASP_UP)), Passage::Base);
    }

    fn peer_active(&mut self, link: usize, context: u32) {
        assert_eq!(self.receive(link, &about(Kind::ASP_ACTIVE, &[context])), Passage::Base);
    }
}
