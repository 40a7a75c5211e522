use std::collections::BTreeSet;

use relay::{Rng, Stack};

use super::*;
use crate::Config;
use crate::samples::{self, HSS, MME};
use crate::view::{REQUEST, View, code};

mod random;
mod scenes;

const ALL: [LinkTimer; 4] =
    [LinkTimer::Reconnect, LinkTimer::Handshake, LinkTimer::Watchdog, LinkTimer::Teardown];

/// A machine with the gateway's part played around it, which checks after each event what must
/// always hold.
struct Stage {
    machine: Machine,
    rng: Rng,
    now: Time,
    conns: u32,
    live: BTreeSet<ConnId>,
    /// Connections whose capabilities exchange ended in success.
    met: BTreeSet<ConnId>,
    up: Option<ConnId>,
    connects: u32,
    timers: [Option<Time>; 4],
    started: bool,
    /// What was sent since last asked.
    sent: Vec<(ConnId, Vec<u8>)>,
    notes: Vec<(&'static str, u32)>,
}

impl Stage {
    fn new(link: LinkId) -> Self {
        Self::with(samples::config(), link)
    }

    fn with(config: Config, link: LinkId) -> Self {
        Self {
            machine: Machine::new(Arc::new(Shared::new(config)), link),
            rng: Rng::new(1),
            now: Time::from_ms(1000),
            conns: 0,
            live: BTreeSet::new(),
            met: BTreeSet::new(),
            up: None,
            connects: 0,
            timers: [None; 4],
            started: false,
            sent: Vec::new(),
            notes: Vec::new(),
        }
    }

    fn run<T>(&mut self, event: impl FnOnce(&mut Machine, Time, &mut Effects<'_>) -> T) -> T {
        let mut list = Vec::new();
        let mut fx = Effects { list: &mut list, rng: &mut self.rng };
        let result = event(&mut self.machine, self.now, &mut fx);
        for effect in list {
            self.carry_out(effect);
        }
        self.check();
        result
    }

    fn carry_out(&mut self, effect: Effect) {
        match effect {
            Effect::Send { conn, frame } => {
                assert!(self.live.contains(&conn), "sends on a dead connection");
                let shared = Arc::clone(&self.machine.shared);
                let view = View::new(&frame, &shared.limits()).expect("what we send is sound");
                if view.header.command == 257 && view.result == procedure::Code::Base(2001) {
                    self.met.insert(conn);
                }
                self.sent.push((conn, frame));
            }
            Effect::Close { conn } => {
                assert!(self.live.remove(&conn), "closes a dead connection");
                assert_ne!(self.up, Some(conn), "closes the link's connection before Down");
            }
            Effect::Connect => {
                self.connects += 1;
                assert_eq!(self.connects, 1, "one attempt at a time");
            }
            Effect::Up { conn } => {
                assert!(self.live.contains(&conn) && self.met.contains(&conn), "up too soon");
                assert_eq!(self.up.replace(conn), None, "up twice");
            }
            Effect::Down => assert!(self.up.take().is_some(), "down twice"),
            Effect::Arm { timer, at } => {
                assert!(at >= self.now);
                self.timers[slot(timer)] = Some(at);
            }
            Effect::Disarm { timer } => self.timers[slot(timer)] = None,
            Effect::Tidings => {}
            Effect::Note { what, code, .. } => self.notes.push((what, code)),
        }
    }

    /// What holds between events.
    fn check(&self) {
        let machine = &self.machine;
        let known = [machine.own, machine.open, machine.rival.map(|rival| rival.conn)];
        let known: BTreeSet<_> = known.into_iter().flatten().collect();
        assert_eq!(known, self.live, "a connection is forgotten or imagined");
        for timer in ALL {
            assert_eq!(machine.is_armed(timer), self.timers[slot(timer)].is_some(), "{timer:?}");
        }
        let runs = |timer| machine.is_armed(timer);
        let state = machine.state;
        let initiates = machine.shared.peer(machine.link).is_some_and(|peer| peer.initiate);
        match state {
            State::Closed => {
                let waits = initiates && self.started && !machine.is_stopped;
                assert_eq!(runs(LinkTimer::Reconnect), waits, "when to connect again");
                assert!(!runs(LinkTimer::Watchdog) && !runs(LinkTimer::Teardown));
            }
            State::WaitConnAck | State::WaitICea | State::WaitReturns => {
                assert!(runs(LinkTimer::Handshake), "{state:?}");
            }
            State::Open | State::Suspect | State::Reopen => {
                assert!(runs(LinkTimer::Watchdog), "{state:?}");
                assert!(!runs(LinkTimer::Reconnect) && !runs(LinkTimer::Teardown));
            }
            State::Closing => assert!(runs(LinkTimer::Teardown)),
        }
        assert!(!machine.is_stopped || !state.is_open() && machine.rival.is_none(), "opens late");
        assert!(machine.rival.is_none() || runs(LinkTimer::Handshake), "a rival may not stay");
        assert_eq!(self.up.is_some(), state == State::Open, "up exactly while OKAY");
        assert_eq!(machine.open.is_some(), state.is_open() || state == State::Closing);
        assert_eq!(machine.own.is_some(), matches!(state, State::WaitICea | State::WaitReturns));
    }

    fn start(&mut self) {
        self.started = true;
        self.run(Link::start);
    }

    fn opened(&mut self, side: Side) -> ConnId {
        let conn = ConnId(self.conns);
        self.conns += 1;
        self.live.insert(conn);
        if side == Side::Initiator {
            self.connects -= 1;
        }
        self.run(|machine, now, fx| machine.opened(now, conn, side, fx));
        conn
    }

    fn failed(&mut self) {
        self.connects -= 1;
        self.run(Link::failed);
    }

    fn received(&mut self, conn: ConnId, frame: &[u8]) -> Passage {
        let header = Header::read(frame).expect("a header");
        if header.command == 257 && !header.is_request() {
            self.met.insert(conn);
        }
        self.run(|machine, now, fx| machine.received(now, conn, frame, fx))
    }

    fn closed(&mut self, conn: ConnId) {
        assert!(self.live.remove(&conn));
        // The gateway takes the link's port away with its connection.
        self.run(|machine, now, fx| machine.closed(now, conn, fx));
    }

    /// The next timer runs out; says which.
    fn expire(&mut self) -> Option<LinkTimer> {
        let due = ALL.into_iter().filter_map(|timer| Some((self.timers[slot(timer)]?, timer)));
        let (at, timer) = due.min_by_key(|(at, _)| *at)?;
        self.timers[slot(timer)] = None;
        self.now = self.now.max(at);
        self.run(|machine, now, fx| machine.expired(now, timer, fx));
        Some(timer)
    }

    fn pass_ms(&mut self, ms: u64) {
        self.now = self.now.plus_ms(ms);
    }

    fn stop(&mut self) {
        self.run(Link::stop);
    }

    fn state(&self) -> &'static str {
        self.machine.state()
    }

    /// The one frame that was sent since last asked: connection, command, R, and result.
    fn sent(&mut self) -> (ConnId, u32, bool, procedure::Code) {
        assert_eq!(self.sent.len(), 1, "{:?}", self.sent);
        let (conn, frame) = self.sent.pop().expect("one");
        let stack = samples::diameter();
        let view = stack.view(&frame).expect("sound");
        (conn, view.header.command, view.header.is_request(), view.result)
    }

    /// The Hop-by-Hop Identifier of the CER that the machine just sent.
    fn cer_label(&mut self) -> u32 {
        let (_, frame) = self.sent.pop().expect("a CER");
        let header = Header::read(&frame).expect("a header");
        assert_eq!((header.command, header.is_request()), (257, true));
        header.hop_by_hop
    }

    /// Opens as initiator, up to and with the CEA.
    fn open_to_hss(&mut self) -> ConnId {
        let conn = self.opened(Side::Initiator);
        let label = self.cer_label();
        let cea = samples::cea(label, 2001, "hss1.home.lab", "home.lab");
        assert_eq!(self.received(conn, &cea), Passage::Base);
        conn
    }

    /// Opens as responder, up to and with our CEA.
    fn open_from(&mut self, host: &str, realm: &str) -> ConnId {
        let conn = self.opened(Side::Responder);
        assert_eq!(self.received(conn, &samples::cer(host, realm)), Passage::Base);
        conn
    }

    fn open_from_mme(&mut self) -> ConnId {
        let conn = self.open_from("mme1.visited.lab", "visited.lab");
        assert_eq!(self.sent(), (conn, 257, false, procedure::Code::Base(2001)));
        conn
    }
}

fn dwr() -> Vec<u8> {
    samples::message(REQUEST, 280, (3, 4), &[(code::ORIGIN_HOST, b"x"), (code::ORIGIN_REALM, b"y")])
}

fn dwa() -> Vec<u8> {
    samples::message(0, 280, (3, 4), &[(code::RESULT_CODE, &2001_u32.to_be_bytes())])
}

fn dpr(cause: u32) -> Vec<u8> {
    let cause = cause.to_be_bytes();
    samples::message(REQUEST, 282, (3, 4), &[(264, b"x"), (296, b"y"), (273, &cause)])
}

fn dpa() -> Vec<u8> {
    samples::message(0, 282, (3, 4), &[(code::RESULT_CODE, &2001_u32.to_be_bytes())])
}
