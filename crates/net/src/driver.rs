//! The worker: one thread that drives one [`Gateway`] value with tokio.
//!
//! ```text
//!  thread ipx-door                     thread ipx-worker-N (current-thread tokio, one Gateway)
//!  ┌───────────────────────────┐       ┌──────────────────────────────────────────────────────┐
//!  │ accept ─▷ caller: TLS,    │ Order │ orders ──┐                        ┌─▷ dial (Connect)  │
//!  │ (a task   first message,  ├──────▷│          ▼                        │                   │
//!  │ a listener) admission     │ (64)  │ serve ─▷ Gateway ─▷ poll ─────────┼─▷ dirty ┐         │
//!  └───────────────────────────┘       │ (a task  received   outputs       ├─▷ due   │ lists   │
//!                                      │ a socket)                         └─▷ wake  ▼         │
//!  other workers ── mpsc<Post> (16) ──▷│ turn (one task): posts in, timers, then one flush of  │
//!                ◁─ mpsc<Post> (16) ── │ every dirty socket, posts out, records, next deadline │
//!                                      └──────────────────────────────────────────────────────┘
//! ```
//!
//! **A turn.** When the kernel reports sockets, tokio runs their `serve` tasks one after the other.
//! Each reads all that is there with one call into the worker's one buffer and hands it to the
//! gateway with one call. The first of them wakes the `turn` task, which therefore runs behind all
//! that were ready: it writes every outbox with one call, so a busy socket costs one read and one
//! write for hundreds of messages, and nothing is allocated for a message. Wakes stay inside the
//! thread's own queue (a [`LocalRuntime`]: a `LocalSet` would write to an eventfd for each turn).
//!
//! **Bounds.** A read turn takes at most [`READ_OCTETS`] of a socket before the others have theirs.
//! A partial frame is kept at its exact size; a connection that lets more than
//! [`REST_OCTETS_MAX`] pile up without a frame is closed. Outboxes and posts are bounded by the
//! gateway, which then says that a socket may not be read; such a socket is *stalled* until a turn
//! finds room. A worker never waits for another: a full channel leaves the post where it is, and
//! every worker goes on receiving, so there is no circle to wait in.

use std::cell::RefCell;
use std::collections::HashMap;
use std::rc::{Rc, Weak};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::Waker;
use std::time::Duration;

use procedure::{LinkId, Symbols, Time, WorkerId};
use relay::{About, ConnId, Gateway, Output, Post, Side};
use tokio::runtime::{Builder, LocalRuntime};
use tokio::sync::{Notify, mpsc};

use crate::conn::{Conn, Fate};
use crate::notes::Notes;
use crate::transport::Stream;
use crate::turn::{Outlet, Turn};
use crate::{Clock, PeerTransport, Sink};

/// Octets one read may take of a socket.
pub(crate) const READ_OCTETS: usize = 128 << 10;
/// A partial frame of up to so many octets is put before what is read next; a longer one grows
/// where it is kept.
pub(crate) const HEAD_OCTETS: usize = 16 << 10;
/// Octets of a frame that is not whole yet. More than any stack's frame limit.
pub(crate) const REST_OCTETS_MAX: usize = 16 << 20;
/// Orders that wait for a worker; the door waits when there are more.
pub(crate) const ORDERS_MAX: usize = 64;
/// Posts that wait for a worker from all others; further ones stay with their writers and grow.
pub(crate) const POSTS_MAX: usize = 16;
/// How long parting from the peers may take once the gateway was told to stop: a little more than
/// a base protocol waits for a peer to agree.
const STOP_WAIT_MS: u64 = 6000;

/// What the door and the owner tell a worker.
pub(crate) enum Order {
    /// This caller is the link's peer; these are the octets it sent so far.
    Admitted { link: LinkId, stream: Box<Stream>, first: Vec<u8> },
    /// Refuse new requests, finish open ones.
    Drain,
    /// Part from the peers and end.
    Stop,
}

/// What a worker tells its owner.
#[derive(Debug, Default)]
pub(crate) struct Progress {
    /// It was told to drain, and no exchange is open.
    pub(crate) drained: AtomicBool,
}

/// What a worker thread is made from.
pub(crate) struct Plan {
    pub(crate) worker: WorkerId,
    pub(crate) gateway: Box<dyn FnOnce(WorkerId) -> Gateway + Send>,
    pub(crate) sink: Sink,
    pub(crate) clock: Clock,
    pub(crate) peers: Vec<PeerTransport>,
    pub(crate) symbols: Symbols,
    pub(crate) endpoints: Vec<Arc<sctp::Endpoint>>,
    pub(crate) orders: mpsc::Receiver<Order>,
    pub(crate) posts_in: mpsc::Receiver<Post>,
    /// By worker; `None` for this one.
    pub(crate) posts_out: Vec<Option<mpsc::Sender<Post>>>,
    pub(crate) progress: Arc<Progress>,
}

/// How far the worker's life has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Phase {
    Running,
    Draining,
    Stopping,
    Ended,
}

pub(crate) type Shared = Rc<RefCell<Worker>>;

/// Everything that the tasks of one worker share.
pub(crate) struct Worker {
    pub(crate) gateway: Gateway,
    clock: Clock,
    /// The time of this turn, read once.
    turn_time: Option<Time>,
    /// The read buffer: [`HEAD_OCTETS`] for a partial frame, then [`READ_OCTETS`].
    pub(crate) buffer: Box<[u8]>,
    /// By connection number.
    conns: Vec<Option<Rc<Conn>>>,
    /// Connections with something to write, or to be closed.
    pub(crate) dirty: Vec<Rc<Conn>>,
    /// Connections that may not be read until something was written or posted.
    pub(crate) stalled: Vec<Rc<Conn>>,
    /// By worker: how posts leave.
    pub(crate) outlets: Vec<Outlet>,
    peers: HashMap<LinkId, Rc<PeerTransport>>,
    endpoints: Rc<[Arc<sctp::Endpoint>]>,
    /// Attempts to connect that are under way.
    dialling: usize,
    notes: Notes,
    symbols: Symbols,
    pub(crate) phase: Phase,
    pub(crate) progress: Arc<Progress>,
    pub(crate) sink: Sink,
    /// The turn task will run anyway.
    pub(crate) turn_is_due: bool,
    pub(crate) turn_waker: Option<Waker>,
    finished: Rc<Notify>,
    myself: Weak<RefCell<Self>>,
}

/// Runs a worker to its end. The body of its thread.
pub(crate) fn run(plan: Plan) -> std::io::Result<()> {
    let runtime: LocalRuntime = Builder::new_current_thread()
        .enable_io()
        .enable_time()
        .build_local(tokio::runtime::LocalOptions::default())?;
    runtime.block_on(live(plan));
    Ok(())
}

async fn live(plan: Plan) {
    let Plan { worker: id, gateway, sink, clock, peers, symbols, endpoints, .. } = plan;
    let Plan { orders, posts_in, posts_out, progress, .. } = plan;
    let finished = Rc::new(Notify::new());
    let worker = Rc::new_cyclic(|myself| {
        RefCell::new(Worker {
            gateway: gateway(id),
            clock,
            turn_time: None,
            buffer: vec![0; HEAD_OCTETS + READ_OCTETS].into_boxed_slice(),
            conns: Vec::new(),
            dirty: Vec::new(),
            stalled: Vec::new(),
            outlets: posts_out.into_iter().map(Outlet::new).collect(),
            peers: peers.into_iter().map(|peer| (peer.link, Rc::new(peer))).collect(),
            endpoints: endpoints.into(),
            dialling: 0,
            notes: Notes::default(),
            symbols,
            phase: Phase::Running,
            progress,
            sink,
            turn_is_due: false,
            turn_waker: None,
            finished: Rc::clone(&finished),
            myself: Weak::clone(myself),
        })
    });
    worker.borrow_mut().input(Gateway::start);
    let stopping = Rc::new(Notify::new());
    tokio::task::spawn_local(obey(Rc::clone(&worker), orders, Rc::clone(&stopping)));
    let mut turn = tokio::task::spawn_local(Turn::new(Rc::clone(&worker), clock, posts_in));
    let end = async {
        stopping.notified().await;
        let wait = Duration::from_millis(STOP_WAIT_MS);
        if tokio::time::timeout(wait, finished.notified()).await.is_err() {
            tracing::warn!(worker = id.0, "peers did not part in time; closing their connections");
        }
    };
    tokio::select! {
        () = end => turn.abort(),
        // The turn never ends by itself. Without it this worker is dead: let the thread say so.
        lost = &mut turn => if let Some(panic) = lost.err().and_then(|e| e.try_into_panic().ok()) {
            std::panic::resume_unwind(panic);
        },
    }
    worker.borrow_mut().end();
}

/// Carries out what the door and the owner ask for.
async fn obey(worker: Shared, mut orders: mpsc::Receiver<Order>, stopping: Rc<Notify>) {
    while let Some(order) = orders.recv().await {
        let mut this = worker.borrow_mut();
        match order {
            Order::Admitted { link, mut stream, first } => match stream.unpark() {
                Ok(()) => this.adopt(link, Side::Responder, *stream, first),
                Err(error) => {
                    let name = this.name(link);
                    tracing::warn!(name = name.as_deref(), %error, "a caller was lost");
                }
            },
            Order::Drain => {
                this.phase = Phase::Draining;
                this.input(Gateway::drain);
            }
            Order::Stop => {
                this.phase = Phase::Stopping;
                this.input(Gateway::stop);
                this.check_finished();
                stopping.notify_one();
            }
        }
    }
}

impl Worker {
    /// The time of this turn.
    pub(crate) fn now(&mut self) -> Time {
        let clock = self.clock;
        *self.turn_time.get_or_insert_with(|| clock.now())
    }

    /// The turn is over; the next one reads the clock again.
    pub(crate) fn forget_time(&mut self) {
        self.turn_time = None;
    }

    /// Gives the gateway one input and takes all its outputs.
    pub(crate) fn input<T>(&mut self, input: impl FnOnce(&mut Gateway, Time) -> T) -> T {
        let now = self.now();
        let value = input(&mut self.gateway, now);
        self.pump();
        value
    }

    /// Takes all outputs; writing waits for the end of the turn.
    pub(crate) fn pump(&mut self) {
        while let Some(output) = self.gateway.poll() {
            match output {
                Output::Write(id) => self.mark_dirty(id),
                Output::Close(id) => {
                    if let Some(conn) = self.conn(id) {
                        conn.part();
                    }
                    self.mark_dirty(id);
                }
                Output::Connect(link) => self.dial(link),
                Output::Post(to) => {
                    if let Some(outlet) = self.outlets.get_mut(usize::from(to.0)) {
                        outlet.due = true;
                    }
                }
                Output::Note { link, about, what, field, code } => {
                    self.note(link, about, (field, what), code);
                }
            }
        }
        if !std::mem::replace(&mut self.turn_is_due, true)
            && let Some(waker) = &self.turn_waker
        {
            waker.wake_by_ref();
        }
    }

    /// A connection of `link` is there.
    pub(crate) fn adopt(&mut self, link: LinkId, side: Side, stream: Stream, first: Vec<u8>) {
        let now = self.now();
        let Some(id) = self.gateway.opened(now, link, side) else {
            let what = "the link has too many connections; one is closed";
            self.note(link, About::Link, ("", what), 0);
            if side == Side::Initiator {
                self.gateway.failed(now, link);
            }
            self.pump();
            return;
        };
        let Some(myself) = self.myself.upgrade() else { return };
        let conn = Rc::new(Conn::new(id, stream, first));
        let index = id.0 as usize;
        if self.conns.len() <= index {
            self.conns.resize(index + 1, None);
        }
        if let Some(slot) = self.conns.get_mut(index) {
            *slot = Some(Rc::clone(&conn));
        }
        // Only now: the outputs name the connection.
        self.pump();
        tokio::task::spawn_local(crate::conn::serve(myself, conn));
    }

    /// A connection has ended.
    pub(crate) fn ended(&mut self, conn: &Rc<Conn>) {
        if self.phase == Phase::Ended {
            return;
        }
        conn.set_fate(Fate::Ended);
        if let Some(slot) = self.conns.get_mut(conn.id.0 as usize) {
            *slot = None;
        }
        self.input(|gateway, now| gateway.closed(now, conn.id, conn.why()));
        self.check_finished();
    }

    /// An attempt to connect has ended.
    pub(crate) fn dialled(&mut self, link: LinkId, outcome: std::io::Result<Stream>) {
        self.dialling -= 1;
        match outcome {
            Ok(stream) => self.adopt(link, Side::Initiator, stream, Vec::new()),
            Err(error) => {
                let name = self.name(link);
                tracing::debug!(name = name.as_deref(), %error, "cannot connect");
                self.input(|gateway, now| gateway.failed(now, link));
            }
        }
        self.check_finished();
    }

    /// Cuts off what is left, so that its exchanges are recorded, and hands over the last records.
    fn end(&mut self) {
        self.phase = Phase::Ended;
        let now = self.now();
        for conn in std::mem::take(&mut self.conns).into_iter().flatten() {
            self.gateway.closed(now, conn.id, "the gateway ends");
        }
        self.deliver_records();
    }

    /// Hands completed records to their sink.
    pub(crate) fn deliver_records(&mut self) {
        let records = self.gateway.records();
        if !records.is_empty() {
            (self.sink)(records);
            records.clear();
        }
    }

    fn conn(&self, id: ConnId) -> Option<&Rc<Conn>> {
        self.conns.get(id.0 as usize)?.as_ref()
    }

    fn mark_dirty(&mut self, id: ConnId) {
        let Some(conn) = self.conn(id).map(Rc::clone) else { return };
        if !conn.dirty.replace(true) {
            self.dirty.push(conn);
        }
    }

    fn dial(&mut self, link: LinkId) {
        let Some(myself) = self.myself.upgrade() else { return };
        self.dialling += 1;
        let (peer, endpoints) = (self.peers.get(&link).map(Rc::clone), Rc::clone(&self.endpoints));
        tokio::task::spawn_local(async move {
            let outcome = crate::dial::dial(peer.as_deref(), &endpoints).await;
            myself.borrow_mut().dialled(link, outcome);
        });
    }

    /// Writes a line about a link, unless there were too many.
    fn note(
        &mut self,
        link: LinkId,
        about: About,
        (field, what): (&'static str, &'static str),
        code: u32,
    ) {
        let now = self.now();
        let Some(left_out) = self.notes.admit(now, link) else { return };
        let name = self.name(link);
        let left_out = (left_out > 0).then_some(left_out);
        let (name, said) =
            (name.as_deref(), |text: &'static str| (!text.is_empty()).then_some(text));
        let (field, code) = (said(field), (code != 0).then_some(code));
        match about {
            About::Link => tracing::info!(name, field, code, left_out, "{what}"),
            About::Conn(id) => {
                let address = self.conn(id).map(|conn| conn.peer.as_str());
                tracing::info!(name, address, field, code, left_out, "{what}");
            }
            About::Up(id) => {
                let conn = self.conn(id);
                let transport = conn.map(|conn| conn.transport);
                let address = conn.map(|conn| conn.peer.as_str());
                tracing::info!(name, transport, address, left_out, "a link is up");
            }
            About::Down if matches!(self.phase, Phase::Stopping | Phase::Ended) => {
                tracing::info!(name, why = said(what), code, left_out, "a link is down");
            }
            About::Down => tracing::warn!(name, why = said(what), code, left_out, "a link is down"),
            About::Reached(server) => {
                tracing::info!(server = &*self.symbols.name(server), by = name, left_out, "{what}");
            }
            About::Lost(server) => {
                tracing::warn!(server = &*self.symbols.name(server), by = name, left_out, "{what}");
            }
        }
    }

    fn name(&self, link: LinkId) -> Option<Arc<str>> {
        self.peers.get(&link).map(|peer| Arc::clone(&peer.name))
    }

    fn check_finished(&self) {
        let idle = self.dialling == 0 && self.conns.iter().all(Option::is_none);
        if self.phase == Phase::Stopping && idle {
            self.finished.notify_one();
        }
    }

    /// Says whether all exchanges are over, once that is asked for.
    pub(crate) fn report(&self) {
        if self.phase != Phase::Running {
            self.progress.drained.store(self.gateway.is_drained(), Ordering::Release);
        }
    }
}
