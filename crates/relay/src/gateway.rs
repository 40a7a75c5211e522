//! The gateway without its sockets: one deterministic value for each worker.
//!
//! **The drive contract.** Give it one input (`start`, `opened`, `failed`, `received`, `closed`,
//! `posted`, `expire`, `drain`, `stop`), then take [`Gateway::poll`] until it says `None`, then
//! sleep until the next input or [`Gateway::deadline`]. Bytes to write are read from
//! [`Gateway::outbox`] and acknowledged by [`Gateway::sent`]; [`Output::Write`] says once when an
//! outbox is no longer empty. Records pile up in [`Gateway::records`]. `now` never goes back.

use std::collections::VecDeque;
use std::sync::Arc;

use procedure::{LinkId, Policy, Record, StackId, Time, WorkerId};

use crate::assembly::{self, Assemblies};
use crate::core::{Core, Timer};
use crate::dialogues::{Dialogue, Dialogues, WORKERS_MAX};
use crate::link::{About, ConnId, Effect, Effects, Link, LinkTimer, Side};
use crate::pass;
use crate::post::{Letter, Post};
use crate::reach::LINK_HIGH_OCTETS;
use crate::rng::Lot;
use crate::stack::{AnyStack, Arrival};
use crate::wheel::{TimerKey, Wheel};
use crate::{Board, Rng};

/// Connections one link may have at the same time: one from each side and one that is closing.
const CONNECTIONS_A_LINK_MAX: usize = 4;

/// Octets that may wait on a connection before it is read no further. Well above what `reach` lets
/// pile up: a home that writes all its answers before it reads on must still be read, or neither
/// side would ever move again.
const READ_STOP_OCTETS: usize = 4 * LINK_HIGH_OCTETS as usize;

/// What a gateway value is made from.
pub struct Setup {
    /// Which worker this is.
    pub worker: WorkerId,
    /// How many there are, at most 64. Link `i` lives on worker `i % workers`.
    pub workers: u8,
    /// The stacks, as `stacks` lists them.
    pub stacks: Vec<Box<dyn AnyStack>>,
    /// By link: its stack.
    pub links: Vec<StackId>,
    /// What decides; shared by all workers.
    pub policy: Arc<dyn Policy>,
    /// Where all workers see all links.
    pub board: Arc<Board>,
    /// How long an exchange may wait for its answer. Well inside the askers' own timers.
    pub request_timeout_ms: u64,
    /// For jitter, weights and identifiers.
    pub seed: u64,
}

/// What `net` shall do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Output {
    /// Connect to the link's peer.
    Connect(LinkId),
    /// Something waits in this connection's outbox. Said once until the outbox was emptied.
    Write(ConnId),
    /// Write what waits, close the socket, then call [`Gateway::closed`].
    Close(ConnId),
    /// A post waits for another worker. Said once until it was taken.
    Post(WorkerId),
    /// Something an operator wants to read about.
    Note {
        /// The link that it is about or comes from.
        link: LinkId,
        /// What it is about.
        about: About,
        /// What happened.
        what: &'static str,
        /// The field that it is about, empty where it is about none.
        field: &'static str,
        /// The protocol's code, 0 when it has none.
        code: u32,
    },
}

/// One configured link of this worker.
struct Port {
    machine: Box<dyn Link>,
    timers: [Option<TimerKey>; 5],
}

/// One worker's gateway.
pub struct Gateway {
    pub(crate) core: Core,
    pub(crate) stacks: Vec<Box<dyn AnyStack>>,
    /// By link, those of other workers too.
    pub(crate) links: Vec<StackId>,
    /// By link; `None` for those of other workers.
    ports: Vec<Option<Port>>,
    policy: Arc<dyn Policy>,
    policy_version: u64,
    effects: Vec<Effect>,
}

impl Gateway {
    /// A gateway at rest; [`Self::start`] sets it going.
    #[must_use]
    pub fn new(setup: Setup) -> Self {
        let workers = setup.workers.clamp(1, WORKERS_MAX as u8);
        let links = setup.links.len();
        let core = Core {
            worker: setup.worker,
            workers,
            now: Time::default(),
            rules: setup.policy.rules(),
            board: setup.board,
            rng: Rng::new(setup.seed ^ u64::from(setup.worker.0) << 56),
            lot: Lot::default(),
            wheel: Wheel::new(),
            dialogues: Dialogues::new(setup.worker, links),
            assemblies: Assemblies::new(links),
            conns: Vec::new(),
            ports: vec![None; links],
            sent_over: vec![0; links],
            posts: (0..workers).map(|_| Post::default()).collect(),
            posts_told: vec![false; usize::from(workers)],
            outputs: VecDeque::new(),
            stuck: Vec::new(),
            tidings: false,
            records: Vec::new(),
            request_timeout_ms: setup.request_timeout_ms,
            draining: false,
            stopping: false,
        };
        let port = |(index, stack): (usize, &StackId)| {
            let link = LinkId(u32::try_from(index).unwrap_or(u32::MAX));
            if core.owner(link) != core.worker {
                return None;
            }
            let machine = setup.stacks.get(usize::from(stack.0))?.link(link);
            core.board.set_state(link, machine.state());
            Some(Port { machine, timers: [None; 5] })
        };
        let ports = setup.links.iter().enumerate().map(port).collect();
        let policy_version = setup.policy.version();
        let (stacks, links, policy) = (setup.stacks, setup.links, setup.policy);
        Self { core, stacks, links, ports, policy, policy_version, effects: Vec::new() }
    }

    /// Sets every link of this worker going.
    pub fn start(&mut self, now: Time) {
        self.turn(now);
        self.each_link(|machine, fx| machine.start(now, fx));
    }

    /// A connection of `link` is there. `None` when the link has too many: close it.
    pub fn opened(&mut self, now: Time, link: LinkId, side: Side) -> Option<ConnId> {
        self.turn(now);
        self.ports.get(link.0 as usize)?.as_ref()?;
        let same = self.core.conns.iter().flatten().filter(|conn| conn.link == link).count();
        if same >= CONNECTIONS_A_LINK_MAX {
            return None;
        }
        let conn = self.core.add_conn(link, self.ports.len() * CONNECTIONS_A_LINK_MAX)?;
        self.core.count(link, |counters| &counters.connections, 1);
        self.drive(link, |machine, fx| machine.opened(now, conn, side, fx));
        Some(conn)
    }

    /// Our attempt to connect failed.
    pub fn failed(&mut self, now: Time, link: LinkId) {
        self.turn(now);
        self.core.count(link, |counters| &counters.connect_failures, 1);
        self.drive(link, |machine, fx| machine.failed(now, fx));
    }

    /// Whether this connection's socket should be read now. When not, ask again after anything
    /// was written or posted.
    #[must_use]
    pub fn may_read(&self, conn: ConnId) -> bool {
        !self.core.is_congested() && self.core.outbox(conn).len() < READ_STOP_OCTETS
    }

    /// What waits to be written on a connection.
    #[must_use]
    pub fn outbox(&self, conn: ConnId) -> &[u8] {
        self.core.outbox(conn)
    }

    /// The first `octets` of its outbox were written.
    pub fn sent(&mut self, conn: ConnId, octets: usize) {
        self.core.sent(conn, octets);
    }

    /// The socket has ended, whoever wanted it, and why. The number is free afterwards.
    pub fn closed(&mut self, now: Time, conn: ConnId, why: &'static str) {
        self.turn(now);
        let Some(slot) = self.core.conns.get_mut(conn.0 as usize) else { return };
        let Some(ended) = slot.take() else { return };
        if !ended.closing {
            self.drive_for(why, ended.link, |machine, fx| machine.closed(now, conn, fx));
        }
    }

    /// A batch from another worker.
    pub fn posted(&mut self, now: Time, post: &Post) {
        self.turn(now);
        for letter in post.letters() {
            match letter {
                Letter::Send { link, generation, frame } => {
                    // A frame for a link that has died meanwhile is moved by its sender: it read the
                    // board before that "up" ended, so our letter that says so reaches it later.
                    self.core.board.posted_add(link, frame.len(), false);
                    self.core.send(link, generation, |out| out.extend_from_slice(frame));
                }
                Letter::Answer { link, frame } => self.traffic(link, frame),
                Letter::Down { link, generation } => self.reroute(link, generation),
                Letter::Progress { label, progress } => {
                    pass::go_on(&mut self.core, label, progress);
                }
                Letter::Tidings => self.each_link(|machine, fx| machine.tidings(now, fx)),
            }
        }
    }

    /// Swaps the batch for another worker against an empty one.
    pub fn take_post(&mut self, to: WorkerId, empty: Post) -> Post {
        let Some(post) = self.core.posts.get_mut(usize::from(to.0)) else { return empty };
        if let Some(told) = self.core.posts_told.get_mut(usize::from(to.0)) {
            *told = false;
        }
        std::mem::replace(post, empty)
    }

    /// Fires the timers whose moment has come.
    pub fn expire(&mut self, now: Time) {
        self.turn(now);
        while let Some(timer) = self.core.wheel.fire(now) {
            match timer {
                Timer::Link(link, which) => {
                    if let Some(slot) = self.timer(link, which) {
                        *slot = None;
                    }
                    self.drive(link, |machine, fx| machine.expired(now, which, fx));
                }
                Timer::Dialogue(ticket, stack) => {
                    if let Some(stack) = self.stacks.get(usize::from(stack.0)) {
                        stack.expire(&mut self.core, ticket);
                    }
                }
                Timer::Assembly(link, key) => {
                    let stack = assembly::stack_of(&self.core, link, key);
                    if let Some(stack) = stack.and_then(|id| self.stacks.get(usize::from(id.0))) {
                        stack.dissolve(&mut self.core, link, key);
                    }
                }
            }
        }
    }

    /// When [`Self::expire`] wants to be called.
    #[must_use]
    pub fn deadline(&self) -> Option<Time> {
        self.core.wheel.deadline()
    }

    /// Refuses new requests from now on; open exchanges may finish.
    pub fn drain(&mut self, now: Time) {
        self.turn(now);
        self.core.draining = true;
    }

    /// Whether no exchange is open and no message in assembly.
    #[must_use]
    pub fn is_drained(&self) -> bool {
        self.core.dialogues.len() == 0 && self.core.assemblies.is_empty()
    }

    /// Answers what is still open, then parts from every peer in order.
    pub fn stop(&mut self, now: Time) {
        self.turn(now);
        self.core.draining = true;
        self.core.stopping = true;
        assembly::drop_all(&mut self.core, None);
        self.move_on(|_| true);
        for link in self.each() {
            self.drive_for("the gateway ends", link, |machine, fx| machine.stop(now, fx));
        }
    }

    /// What to do next; `None` when there is nothing left.
    pub fn poll(&mut self) -> Option<Output> {
        if std::mem::take(&mut self.core.tidings) {
            let now = self.core.now;
            self.core.post_tidings();
            self.each_link(|machine, fx| machine.tidings(now, fx));
        }
        while let Some(conn) = self.core.stuck.pop() {
            let conn_now = self.core.conn(conn).filter(|conn| !conn.closing);
            if let Some(link) = conn_now.map(|conn| conn.link) {
                self.lose(self.core.now, conn, link, ("", "the peer does not read"));
            }
        }
        self.core.outputs.pop_front()
    }

    /// The records completed so far, oldest first, for the caller to take out.
    pub fn records(&mut self) -> &mut Vec<Record> {
        &mut self.core.records
    }

    pub(crate) fn turn(&mut self, now: Time) {
        self.core.now = now;
        self.core.lot.end_run();
        let version = self.policy.version();
        if version != self.policy_version {
            self.policy_version = version;
            self.core.rules = self.policy.rules();
        }
    }

    /// One whole frame: the base protocol's own, or traffic.
    pub(crate) fn frame(&mut self, arrival: &Arrival, conn: ConnId, frame: &[u8]) {
        let Some(port) = self.ports.get_mut(arrival.link.0 as usize).and_then(Option::as_mut)
        else {
            return;
        };
        let mut fx = Effects { list: &mut self.effects, rng: &mut self.core.rng };
        let passage = port.machine.received(arrival.time, conn, frame, &mut fx);
        // First what the machine wants: traffic may be what brings its own link up again.
        if !self.effects.is_empty() {
            self.carry_out(arrival.link, "");
        }
        self.admit(arrival, frame, passage);
    }

    /// Moves every exchange of this worker that waits on a link whose "up" has ended.
    fn reroute(&mut self, link: LinkId, generation: u32) {
        // A link that comes and goes must not have all exchanges looked through each time.
        if self.core.sent_over.get(link.0 as usize).is_some_and(|waiting| *waiting > 0) {
            self.move_on(|dialogue| dialogue.waits_on(link, generation));
        }
    }

    fn move_on(&mut self, is_meant: impl Fn(&Dialogue) -> bool) {
        for (ticket, stack) in self.core.dialogues.list(is_meant) {
            if let Some(stack) = self.stacks.get(usize::from(stack.0)) {
                stack.reroute(&mut self.core, ticket);
            }
        }
    }

    fn each_link(&mut self, call: impl Fn(&mut Box<dyn Link>, &mut Effects<'_>)) {
        for link in self.each() {
            self.drive(link, &call);
        }
    }

    fn each(&self) -> impl Iterator<Item = LinkId> + use<> {
        (0..u32::try_from(self.ports.len()).unwrap_or(u32::MAX)).map(LinkId)
    }

    fn drive(&mut self, link: LinkId, call: impl FnOnce(&mut Box<dyn Link>, &mut Effects<'_>)) {
        self.drive_for("", link, call);
    }

    /// `why` is the reason if the link goes down and its machine gives none.
    fn drive_for(
        &mut self,
        why: &'static str,
        link: LinkId,
        call: impl FnOnce(&mut Box<dyn Link>, &mut Effects<'_>),
    ) {
        let Some(port) = self.ports.get_mut(link.0 as usize).and_then(Option::as_mut) else {
            return;
        };
        let mut fx = Effects { list: &mut self.effects, rng: &mut self.core.rng };
        call(&mut port.machine, &mut fx);
        self.carry_out(link, why);
    }

    /// Closes a connection that broke the rules of framing or does not read.
    pub(crate) fn lose(
        &mut self,
        now: Time,
        conn: ConnId,
        link: LinkId,
        (field, what): (&'static str, &'static str),
    ) {
        let about = About::Conn(conn);
        self.core.outputs.push_back(Output::Note { link, about, what, field, code: 0 });
        self.close_conn(conn);
        self.drive_for(what, link, |machine, fx| machine.closed(now, conn, fx));
    }

    fn close_conn(&mut self, conn: ConnId) {
        let slot = self.core.conns.get_mut(conn.0 as usize).and_then(Option::as_mut);
        if let Some(slot) = slot.filter(|slot| !slot.closing) {
            slot.closing = true;
            self.core.outputs.push_back(Output::Close(conn));
        }
    }

    /// Carries out a machine's effects in order.
    fn carry_out(&mut self, link: LinkId, why: &'static str) {
        let mut effects = std::mem::take(&mut self.effects);
        // The last note on the link waits: if it goes down next that is why, in the same line.
        let mut last = None;
        for effect in effects.drain(..) {
            match effect {
                Effect::Send { conn, frame } => {
                    self.core.append(conn, |out| out.extend_from_slice(&frame));
                }
                Effect::Close { conn } => self.close_conn(conn),
                Effect::Connect => self.core.outputs.push_back(Output::Connect(link)),
                Effect::Up { conn } => self.up(link, conn),
                Effect::Down => {
                    let (_, what, code) = last.take().unwrap_or((About::Link, why, 0));
                    self.note(link, Some((About::Down, what, code)));
                    self.down(link);
                }
                Effect::Arm { timer, at } => {
                    let key = self.core.wheel.start(at, Timer::Link(link, timer));
                    self.swap_timer(link, timer, Some(key));
                }
                Effect::Tidings => self.core.tidings = true,
                Effect::Disarm { timer } => self.swap_timer(link, timer, None),
                Effect::Note { about: About::Link, what, code } => {
                    let earlier = last.replace((About::Link, what, code));
                    self.note(link, earlier);
                }
                Effect::Note { about, what, code } => self.note(link, Some((about, what, code))),
            }
        }
        self.note(link, last);
        self.effects = effects;
        if let Some(port) = self.ports.get(link.0 as usize).and_then(Option::as_ref) {
            self.core.board.set_state(link, port.machine.state());
        }
    }

    fn note(&mut self, link: LinkId, note: Option<(About, &'static str, u32)>) {
        let Some((about, what, code)) = note else { return };
        self.core.outputs.push_back(Output::Note { link, about, what, field: "", code });
    }

    fn up(&mut self, link: LinkId, conn: ConnId) {
        self.note(link, Some((About::Up(conn), "", 0)));
        if self.core.board.up(link).is_some() {
            self.down(link);
        }
        if let Some(port) = self.core.ports.get_mut(link.0 as usize) {
            *port = Some(conn);
        }
        self.core.board.set_up(link, true);
        self.core.count(link, |counters| &counters.ups, 1);
    }

    fn down(&mut self, link: LinkId) {
        let Some(ended) = self.core.board.up(link) else { return };
        self.core.board.set_up(link, false);
        self.core.board.set_waiting_octets(link, 0);
        if let Some(port) = self.core.ports.get_mut(link.0 as usize) {
            *port = None;
        }
        assembly::drop_all(&mut self.core, Some(link));
        self.core.post_down(link, ended);
        self.reroute(link, ended);
    }

    fn swap_timer(&mut self, link: LinkId, timer: LinkTimer, key: Option<TimerKey>) {
        let Some(slot) = self.timer(link, timer) else { return };
        if let Some(old) = std::mem::replace(slot, key) {
            self.core.wheel.stop(old);
        }
    }

    fn timer(&mut self, link: LinkId, timer: LinkTimer) -> Option<&mut Option<TimerKey>> {
        let port = self.ports.get_mut(link.0 as usize)?.as_mut()?;
        port.timers.get_mut(timer as usize)
    }
}

impl std::fmt::Debug for Gateway {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Gateway").field("core", &self.core).finish_non_exhaustive()
    }
}
