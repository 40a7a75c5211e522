//! A visited network's 2G and 3G side: a VLR and an SGSN behind one signalling transfer point, their
//! outstanding dialogues, their answers to homes.
#![allow(clippy::disallowed_methods, reason = "the simulator's sockets and clock live here")]

use std::io;
use std::sync::Arc;
use std::time::Instant;

use parking_lot::Mutex;
use tokio::sync::Notify;

use super::Shared;
use super::config::{Customer, Stack};
use super::handset::{Ask, Tag};
use super::request::{Request, Said};
use super::stats::NetworkSnapshot;
use crate::peer::Stop;
use crate::ss7::Outbox;
use crate::ss7::links::{LinkConfig, Links, Node, Room};
use crate::ss7::map::Version;
use crate::ss7::message::Unit;
use crate::ss7::outcome::Answer;
use crate::ss7::title::{self, ssn};
use crate::ss7::visited::{Heard, Identity, Role, Visited};
use crate::tally::Tally;

/// How often losses are looked for.
const TICK: u64 = 20_000_000;
/// Without an association for so long, what waits has failed.
const PATIENCE: u64 = 2_000_000_000;
/// How long a stopped node still listens after the last message: homes cancel at the node that was
/// left when the last registrations have ended.
const LINGER: u64 = 200_000_000;

/// What the nodes share with the population and with displays.
pub(super) struct Stp {
    link: LinkConfig,
    state: Mutex<State>,
    wake: Arc<Notify>,
}

struct State {
    /// Associations that carry traffic, and those made so far.
    ready: usize,
    opened: u64,
    queue: Vec<Ask>,
    vlr: Visited<Tag>,
    sgsn: Visited<Tag>,
}

impl State {
    fn node(&mut self, role: Role) -> &mut Visited<Tag> {
        match role {
            Role::Vlr => &mut self.vlr,
            Role::Sgsn => &mut self.sgsn,
        }
    }

    fn outstanding(&self) -> usize {
        self.vlr.outstanding() + self.sgsn.outstanding()
    }
}

impl Stp {
    pub(super) fn new(
        (vlr, sgsn): (&str, &str),
        link: &LinkConfig,
        customers: &[Customer],
    ) -> Self {
        let node = |role, number, first_tid| {
            let mut identity = Identity::new(role, number);
            identity.titles = customers.iter().filter_map(|c| c.title.clone()).collect();
            identity.first_tid = first_tid;
            Visited::new(identity)
        };
        let state = State {
            ready: 0,
            opened: 0,
            queue: Vec::new(),
            vlr: node(Role::Vlr, vlr, 1),
            sgsn: node(Role::Sgsn, sgsn, 1 << 31),
        };
        Self { link: link.clone(), state: Mutex::new(state), wake: Arc::default() }
    }

    pub(super) fn enqueue(&self, ask: Ask) {
        self.state.lock().queue.push(ask);
        self.wake.notify_one();
    }

    pub(super) fn is_connected(&self) -> bool {
        self.state.lock().ready > 0
    }

    pub(super) fn read(&self, network: &mut NetworkSnapshot, sum: &mut Tally<Answer>) {
        let state = self.state.lock();
        network.connected = state.ready > 0;
        network.opened = state.opened;
        network.outstanding = u64::try_from(state.outstanding()).unwrap_or(0);
        network.answered = state.vlr.tally.answered + state.sgsn.tally.answered;
        sum.add(&state.vlr.tally);
        sum.add(&state.sgsn.tally);
    }
}

/// Runs the nodes until stopped: connects, serves, connects again.
pub(super) async fn run(shared: &Shared, stp: &Stp, mut stop: Stop) -> io::Result<()> {
    let mut links = Links::bind(stp.link.clone())?.woken_by(stp.wake.clone());
    let mut desk = Desk { shared, stp, last_expiry: 0, last_heard: 0, dry: None, stopped: false };
    let done = links.drive(&mut desk, None, &mut stop).await;
    stp.state.lock().ready = 0;
    done
}

struct Desk<'a> {
    shared: &'a Shared,
    stp: &'a Stp,
    last_expiry: u64,
    last_heard: u64,
    /// Since when no association carries traffic.
    dry: Option<u64>,
    stopped: bool,
}

impl Desk<'_> {
    /// Opens the dialogues that wait in the queue.
    fn ask(&self, now: u64, out: &mut Outbox) {
        let mut state = self.stp.state.lock();
        for ask in std::mem::take(&mut state.queue) {
            let Request::Map(role, operation) = ask.tag.request else { continue };
            let (subject, at) = ((ask.imsi, ask.tag), (now, now));
            state.node(role).ask((operation, Version::V3), subject, at, out);
        }
    }

    /// Ends what will not be answered: what is too old, or everything.
    fn give_up(&self, all: bool, now: u64) {
        let mut tags = Vec::new();
        {
            let mut state = self.stp.state.lock();
            let timeout = self.shared.config.timeout.as_nanos();
            let timeout = u64::try_from(timeout).unwrap_or(u64::MAX);
            for role in [Role::Vlr, Role::Sgsn] {
                if all {
                    state.node(role).abandon(|tag| tags.push(tag));
                } else {
                    state.node(role).expire(now, timeout, |tag| tags.push(tag));
                }
            }
            if all {
                tags.extend(state.queue.drain(..).map(|ask| ask.tag));
            }
        }
        self.shared.fail(&tags);
    }
}

impl Node for Desk<'_> {
    fn receive(&mut self, sccp: &[u8], now: u64, out: &mut Outbox) {
        self.last_heard = now;
        let heard = {
            let mut state = self.stp.state.lock();
            match Unit::read(sccp) {
                Some(unit) if title::parts(&unit.called).2 == ssn::SGSN => {
                    state.sgsn.take(unit, now, out)
                }
                Some(unit) => state.vlr.take(unit, now, out),
                None => state.vlr.receive(sccp, now, out),
            }
        };
        let now = self.shared.nanos(Instant::now());
        self.shared.tell(|population, asks| match heard {
            Heard::Answered { tag, answer, .. } => {
                population.answered(tag, Said::Map(answer.outcome), now, asks);
            }
            Heard::Spoiled(tag) => population.failed(tag, now, asks),
            Heard::Cancelled(_) => population.stats.asked_by_homes(Stack::Ss7, 1),
            Heard::Nothing => {}
        });
    }

    fn turn(&mut self, now: u64, room: Room, out: &mut Outbox) -> Option<u64> {
        {
            let mut state = self.stp.state.lock();
            let fresh = room.ready.saturating_sub(state.ready);
            state.opened += u64::try_from(fresh).unwrap_or(0);
            state.ready = room.ready;
        }
        self.dry = (room.ready == 0).then(|| self.dry.unwrap_or(now));
        if self.dry.is_some_and(|since| now.saturating_sub(since) > PATIENCE) {
            self.dry = Some(now);
            self.give_up(true, now);
        }
        if now >= self.last_expiry.saturating_add(TICK) {
            self.last_expiry = now;
            self.give_up(false, now);
        }
        if self.stopped {
            self.stp.state.lock().queue.clear();
        } else if room.ready > 0 && !room.choked {
            self.ask(now, out);
        }
        None
    }

    fn cut(&mut self, now: u64) {
        self.give_up(true, now);
    }

    fn stop(&mut self) {
        self.stopped = true;
    }

    fn is_over(&self, now: u64) -> bool {
        let quiet = now.saturating_sub(self.last_heard) > LINGER;
        self.stopped && quiet && self.stp.state.lock().outstanding() == 0
    }
}
