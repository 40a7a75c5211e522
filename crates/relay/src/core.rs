//! What the walk works on: dialogues, timers, outboxes, posts and records of one worker.

use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::AtomicU64;

use procedure::{LinkId, Record, Rules, StackId, Time, WorkerId};

use crate::assembly::Assemblies;
use crate::board::Counters;
use crate::dialogues::{Dialogue, Dialogues, Ticket};
use crate::gateway::Output;
use crate::link::{ConnId, LinkTimer};
use crate::pass::Progress;
use crate::post::Post;
use crate::rng::Lot;
use crate::wheel::{TimerKey, Wheel};
use crate::{Board, Rng};

/// Octets that may wait on one connection; a peer that lets more pile up is disconnected.
pub(crate) const OUTBOX_OCTETS_MAX: usize = 16 << 20;
/// An outbox gives written octets back to its head once this many were written.
const OUTBOX_COMPACT_OCTETS: usize = 256 << 10;

/// What a timer is for.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Timer {
    /// An exchange's deadline, or the end of its wait.
    Dialogue(Ticket, StackId),
    /// A message in assembly must be whole by now: its link and its key there.
    Assembly(LinkId, u64),
    /// A base-protocol machine's.
    Link(LinkId, LinkTimer),
}

/// One open connection.
#[derive(Debug)]
pub(crate) struct Conn {
    pub(crate) link: LinkId,
    /// The machine wants it closed; nothing that it sends counts any more.
    pub(crate) closing: bool,
    /// `net` knows that there is something to write.
    told: bool,
    outbox: Vec<u8>,
    /// How much of the outbox was written.
    written: usize,
}

/// The state of one worker's gateway that the walk may touch.
pub struct Core {
    pub(crate) worker: WorkerId,
    pub(crate) workers: u8,
    pub(crate) now: Time,
    pub(crate) rules: Arc<dyn Rules>,
    pub(crate) board: Arc<Board>,
    pub(crate) rng: Rng,
    /// What members of a group are drawn with.
    pub(crate) lot: Lot,
    pub(crate) wheel: Wheel<Timer>,
    pub(crate) dialogues: Dialogues,
    pub(crate) assemblies: Assemblies,
    pub(crate) conns: Vec<Option<Conn>>,
    /// By link: the connection that carries its traffic, if it is up and ours.
    pub(crate) ports: Vec<Option<ConnId>>,
    /// By link: exchanges of this worker that wait for an answer over it.
    pub(crate) sent_over: Vec<u32>,
    /// By worker.
    pub(crate) posts: Vec<Post>,
    pub(crate) posts_told: Vec<bool>,
    pub(crate) outputs: VecDeque<Output>,
    /// Connections whose outbox overflowed, to be closed when the walk is over.
    pub(crate) stuck: Vec<ConnId>,
    /// A machine changed what it shares with others.
    pub(crate) tidings: bool,
    pub(crate) records: Vec<Record>,
    pub(crate) request_timeout_ms: u64,
    /// New requests are refused; open ones may finish.
    pub(crate) draining: bool,
    /// Nothing is sent onward any more.
    pub(crate) stopping: bool,
}

impl Core {
    /// The worker that owns a link.
    pub(crate) fn owner(&self, link: LinkId) -> WorkerId {
        WorkerId((link.0 % u32::from(self.workers)) as u8)
    }

    /// Whether anything that is bound for another worker has piled up too high.
    pub(crate) fn is_congested(&self) -> bool {
        self.posts.iter().any(Post::is_full)
    }

    /// Puts a frame on a link, ours or another worker's; how many octets, or `None` when the link
    /// is no longer up as it was in `generation`.
    pub(crate) fn send(
        &mut self,
        link: LinkId,
        generation: u32,
        write: impl FnOnce(&mut Vec<u8>),
    ) -> Option<usize> {
        if self.board.up(link) != Some(generation) {
            return None;
        }
        let owner = self.owner(link);
        if owner == self.worker {
            let conn = self.ports.get(link.0 as usize).copied().flatten()?;
            self.count(link, |counters| &counters.frames_out, 1);
            return self.append(conn, write);
        }
        let mut octets = 0;
        let post = self.posts.get_mut(usize::from(owner.0))?;
        post.send(link, generation, |out| {
            let start = out.len();
            write(out);
            octets = out.len() - start;
        });
        self.board.posted_add(link, octets, true);
        self.tell_post(owner);
        Some(octets)
    }

    /// Appends to a connection's outbox.
    pub(crate) fn append(&mut self, id: ConnId, write: impl FnOnce(&mut Vec<u8>)) -> Option<usize> {
        let conn = self.conns.get_mut(id.0 as usize)?.as_mut()?;
        if conn.closing {
            return None;
        }
        let start = conn.outbox.len();
        write(&mut conn.outbox);
        let (added, waiting) = (conn.outbox.len() - start, conn.outbox.len() - conn.written);
        if !conn.told && added > 0 {
            conn.told = true;
            self.outputs.push_back(Output::Write(id));
        }
        if waiting > OUTBOX_OCTETS_MAX && !self.stuck.contains(&id) {
            self.stuck.push(id);
        }
        self.note_waiting(id, waiting);
        Some(added)
    }

    /// What waits to be written on a connection.
    pub(crate) fn outbox(&self, id: ConnId) -> &[u8] {
        let conn = self.conns.get(id.0 as usize).and_then(Option::as_ref);
        conn.and_then(|conn| conn.outbox.get(conn.written..)).unwrap_or_default()
    }

    /// So much of the outbox was written.
    pub(crate) fn sent(&mut self, id: ConnId, octets: usize) {
        let Some(conn) = self.conns.get_mut(id.0 as usize).and_then(Option::as_mut) else { return };
        conn.written = conn.outbox.len().min(conn.written + octets);
        if conn.written == conn.outbox.len() {
            conn.outbox.clear();
            conn.written = 0;
            conn.told = false;
        } else if conn.written >= OUTBOX_COMPACT_OCTETS {
            conn.outbox.drain(..conn.written);
            conn.written = 0;
        }
        let (link, waiting) = (conn.link, conn.outbox.len() - conn.written);
        self.note_waiting(id, waiting);
        self.count(link, |counters| &counters.octets_out, octets as u64);
    }

    /// Tells the board what waits on the connection that carries its link's traffic. What an older
    /// one of the link still has to write says nothing about the one in use.
    fn note_waiting(&self, id: ConnId, octets: usize) {
        let Some(link) = self.conn(id).map(|conn| conn.link) else { return };
        if self.ports.get(link.0 as usize).copied().flatten() == Some(id) {
            self.board.set_waiting_octets(link, octets);
        }
    }

    /// Admits a new connection of `link` to the table.
    pub(crate) fn add_conn(&mut self, link: LinkId, limit: usize) -> Option<ConnId> {
        let conn = Conn { link, closing: false, told: false, outbox: Vec::new(), written: 0 };
        let index = self.conns.iter().position(Option::is_none).unwrap_or(self.conns.len());
        if index >= limit {
            return None;
        }
        match self.conns.get_mut(index) {
            Some(free) => *free = Some(conn),
            None => self.conns.push(Some(conn)),
        }
        Some(ConnId(u32::try_from(index).ok()?))
    }

    pub(crate) fn conn(&self, id: ConnId) -> Option<&Conn> {
        self.conns.get(id.0 as usize)?.as_ref()
    }

    /// Hands a frame to the worker whose exchange it answers.
    pub(crate) fn post_answer(&mut self, to: WorkerId, link: LinkId, frame: &[u8]) {
        if let Some(post) = self.posts.get_mut(usize::from(to.0)) {
            post.answer(link, frame);
            self.tell_post(to);
        }
    }

    /// Hands news of an exchange to the worker that keeps its record.
    pub(crate) fn post_progress(&mut self, to: WorkerId, label: u32, progress: Progress) {
        if let Some(post) = self.posts.get_mut(usize::from(to.0)) {
            post.progress(label, progress);
            self.tell_post(to);
        }
    }

    /// Tells every other worker's machines to look again at what they share with ours.
    pub(crate) fn post_tidings(&mut self) {
        let own = self.worker;
        for other in (0..self.workers).map(WorkerId).filter(|other| *other != own) {
            if let Some(post) = self.posts.get_mut(usize::from(other.0)) {
                post.tidings();
                self.tell_post(other);
            }
        }
    }

    /// Tells every other worker that a link of ours is down.
    pub(crate) fn post_down(&mut self, link: LinkId, generation: u32) {
        let own = self.worker;
        for other in (0..self.workers).map(WorkerId).filter(|other| *other != own) {
            if let Some(post) = self.posts.get_mut(usize::from(other.0)) {
                post.down(link, generation);
                self.tell_post(other);
            }
        }
    }

    fn tell_post(&mut self, to: WorkerId) {
        if let Some(told) = self.posts_told.get_mut(usize::from(to.0)).filter(|told| !**told) {
            *told = true;
            self.outputs.push_back(Output::Post(to));
        }
    }

    /// Starts (or restarts) an exchange's timer.
    pub(crate) fn arm(&mut self, ticket: Ticket, stack: StackId, wait_ms: u64) {
        let timer = self.wheel.start(self.now.plus_ms(wait_ms), Timer::Dialogue(ticket, stack));
        self.swap_timer(ticket, Some(timer));
    }

    fn swap_timer(&mut self, ticket: Ticket, timer: Option<TimerKey>) {
        let Some(dialogue) = self.dialogues.get_mut(ticket) else { return };
        if let Some(old) = std::mem::replace(&mut dialogue.timer, timer) {
            self.wheel.stop(old);
        }
    }

    /// Notes on the exchange and on the board where it waits for its answer now.
    pub(crate) fn set_sent(&mut self, ticket: Ticket, sent: Option<(LinkId, u32)>) {
        let Some(dialogue) = self.dialogues.get_mut(ticket) else { return };
        let before = std::mem::replace(&mut dialogue.sent, sent);
        if let Some((link, _)) = sent {
            dialogue.tried.push(link);
            dialogue.record.to = Some(link);
            dialogue.record.sends = dialogue.tried.count();
        }
        for (link, add) in [(before, false), (sent, true)] {
            let Some((link, _)) = link else { continue };
            self.board.pending_add(link, add);
            self.sent_over_add(link, add);
        }
    }

    fn sent_over_add(&mut self, link: LinkId, add: bool) {
        if let Some(count) = self.sent_over.get_mut(link.0 as usize) {
            *count = if add { *count + 1 } else { count.saturating_sub(1) };
        }
    }

    /// Takes an exchange out of the table with all that hangs on it.
    pub(crate) fn close(&mut self, ticket: Ticket) -> Option<Box<Dialogue>> {
        self.set_sent(ticket, None);
        self.swap_timer(ticket, None);
        let label = self.dialogues.label(ticket);
        let closed = self.dialogues.close(ticket)?;
        for key in closed.keys.into_iter().flatten() {
            self.board.index.remove(key, label);
        }
        Some(closed)
    }

    /// The last room of the walk: the exchange is over.
    pub(crate) fn finish(&mut self, record: &mut Record) {
        record.closed = self.now;
        self.rules.learn(record);
        self.records.push(*record);
    }

    pub(crate) fn count(&self, link: LinkId, counter: impl Fn(&Counters) -> &AtomicU64, by: u64) {
        self.board.count(link, counter, by);
    }
}

impl std::fmt::Debug for Core {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Core")
            .field("worker", &self.worker)
            .field("now", &self.now)
            .field("dialogues", &self.dialogues.len())
            .finish_non_exhaustive()
    }
}
