//! One connection's task: reads while it may, and sees it off in the end.

use std::cell::{Cell, RefCell};
use std::future::poll_fn;
use std::rc::Rc;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use relay::ConnId;
use sctp::Event;

use crate::driver::{HEAD_OCTETS, REST_OCTETS_MAX, Shared, Worker};
use crate::transport::{Stream, Transport};

/// How long a connection that shall close may take to write what waits and to hear the peer's end.
const PART_WAIT_MS: u64 = 3000;
/// Octets of a peer that are thrown away while its connection closes; one that sends more is cut.
pub(crate) const PART_OCTETS_MAX: usize = 1 << 20;
/// Reads of one socket before the others have theirs. The second mostly only says that all is read.
const READS_MAX: usize = 2;
/// Messages of one association before the others have theirs.
const MESSAGES_MAX: usize = 512;

/// What has become of a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fate {
    /// It is used.
    Open,
    /// The gateway wants it closed once its outbox was written.
    Parting,
    /// Writing failed; nothing more can be done with it.
    Broken,
    /// The gateway knows that it is gone.
    Ended,
}

/// A connection as the tasks of its worker share it.
pub(crate) struct Conn {
    pub(crate) id: ConnId,
    pub(crate) stream: RefCell<Stream>,
    /// It is on the worker's list of connections to write.
    pub(crate) dirty: Cell<bool>,
    fate: Cell<Fate>,
    /// What carries it.
    pub(crate) transport: &'static str,
    /// Where the peer is, for logs.
    pub(crate) peer: String,
    /// Why it has ended.
    why: Cell<&'static str>,
    /// Octets of a frame that is not whole yet.
    rest: RefCell<Vec<u8>>,
    /// Octets thrown away since it shall close.
    ignored: Cell<usize>,
    /// Our side has ended.
    finishing: Cell<bool>,
    /// Its transport keeps the bounds of messages.
    carries_messages: bool,
    /// It is on the worker's list of connections that may not be read now.
    pub(crate) stalled: Cell<bool>,
    /// The rest has not been shown to the gateway: it came with the connection.
    is_fresh: Cell<bool>,
    /// Wakes the connection's task.
    waker: RefCell<Option<Waker>>,
}

/// A connection's task.
pub(crate) async fn serve(worker: Shared, conn: Rc<Conn>) {
    let seeing_off = SeeingOff { worker: Rc::clone(&worker), conn: Rc::clone(&conn) };
    poll_fn(|cx| conn.poll_read(cx, &worker)).await;
    if conn.fate() == Fate::Parting {
        let wait = Duration::from_millis(PART_WAIT_MS);
        // Past the wait it is cut off.
        let _ = tokio::time::timeout(wait, poll_fn(|cx| conn.poll_part(cx, &worker))).await;
    }
    drop(seeing_off);
}

/// Tells the gateway that the connection is gone, however its task ends: a bug that one peer's
/// bytes bring out must cost that peer's connection and nothing else.
struct SeeingOff {
    worker: Shared,
    conn: Rc<Conn>,
}

impl Drop for SeeingOff {
    fn drop(&mut self) {
        if let Ok(mut worker) = self.worker.try_borrow_mut() {
            worker.ended(&self.conn);
        }
    }
}

impl Conn {
    pub(crate) fn new(id: ConnId, stream: Stream, first: Vec<u8>) -> Self {
        Self {
            finishing: Cell::new(false),
            carries_messages: matches!(stream, Stream::Sctp(_)),
            transport: stream.name(),
            peer: stream.peer(),
            why: Cell::new(""),
            id,
            stream: RefCell::new(stream),
            dirty: Cell::new(false),
            fate: Cell::new(Fate::Open),
            ignored: Cell::default(),
            stalled: Cell::new(false),
            is_fresh: Cell::new(!first.is_empty()),
            rest: RefCell::new(first),
            waker: RefCell::new(None),
        }
    }

    pub(crate) fn fate(&self) -> Fate {
        self.fate.get()
    }

    pub(crate) fn why(&self) -> &'static str {
        self.why.get()
    }

    pub(crate) fn set_fate(&self, fate: Fate) {
        self.fate.set(fate);
    }

    /// The gateway wants it closed.
    pub(crate) fn part(&self) {
        if self.fate() == Fate::Open {
            self.set_fate(Fate::Parting);
            self.wake();
        }
    }

    /// It cannot be written any more.
    pub(crate) fn break_off(&self) {
        if matches!(self.fate(), Fate::Open | Fate::Parting) {
            self.why.set("the connection broke");
            self.set_fate(Fate::Broken);
            self.wake();
        }
    }

    pub(crate) fn wake(&self) {
        if let Some(waker) = &*self.waker.borrow() {
            waker.wake_by_ref();
        }
    }

    /// Reads and hands over; ready when there is nothing more to read, for whatever reason.
    fn poll_read(self: &Rc<Self>, cx: &mut Context<'_>, worker: &Shared) -> Poll<()> {
        let mut worker = worker.borrow_mut();
        self.keep_waker(cx);
        if self.is_fresh.replace(false) {
            let first = std::mem::take(&mut *self.rest.borrow_mut());
            if self.stream.borrow_mut().association().is_some() {
                worker.input(|gateway, now| gateway.message(now, self.id, &first));
                return self.poll_again(cx);
            }
            let consumed = worker.input(|gateway, now| gateway.received(now, self.id, &first));
            let left = first.get(consumed..).unwrap_or_default();
            self.rest.borrow_mut().extend_from_slice(left);
        }
        for _ in 0..READS_MAX {
            if self.fate() != Fate::Open {
                return Poll::Ready(());
            }
            if !worker.gateway.may_read(self.id) {
                if !self.stalled.replace(true) {
                    worker.stalled.push(Rc::clone(self));
                    worker.pump();
                }
                return Poll::Pending;
            }
            let read = if self.carries_messages {
                self.poll_messages(cx, &mut worker)
            } else {
                self.poll_one_read(cx, &mut worker)
            };
            match read {
                Poll::Ready(true) => {}
                Poll::Ready(false) => return Poll::Ready(()),
                Poll::Pending => return Poll::Pending,
            }
        }
        self.poll_again(cx)
    }

    /// More may be there; the others come first.
    fn poll_again(&self, cx: &Context<'_>) -> Poll<()> {
        cx.waker().wake_by_ref();
        Poll::Pending
    }

    /// The messages of an association that are there; `false` when it has ended.
    fn poll_messages(&self, cx: &mut Context<'_>, worker: &mut Worker) -> Poll<bool> {
        let mut stream = self.stream.borrow_mut();
        let Some(association) = stream.association() else { return Poll::Ready(false) };
        let mut outcome = Poll::Ready(true);
        for _ in 0..MESSAGES_MAX {
            match association.poll_event(cx) {
                Poll::Pending => {
                    outcome = Poll::Pending;
                    break;
                }
                Poll::Ready(Event::Data(message)) => {
                    let now = worker.now();
                    worker.gateway.message(now, self.id, &message.octets);
                    if !worker.gateway.may_read(self.id) {
                        break;
                    }
                }
                Poll::Ready(Event::Path { address, reachable }) => {
                    tracing::info!(%address, reachable, "a path to a peer has changed");
                }
                Poll::Ready(Event::Writable | Event::SendFailed) => {}
                // What the peer knew of us is lost with its earlier life: it begins anew.
                //= RFC 4666 §4.3.1
                Poll::Ready(Event::Restart) => {
                    association.abort();
                    self.why.set("the peer has started anew");
                    outcome = Poll::Ready(false);
                    break;
                }
                Poll::Ready(Event::Down { why }) => {
                    self.why.set(why);
                    outcome = Poll::Ready(false);
                    break;
                }
            }
        }
        worker.pump();
        outcome
    }

    /// One read; `false` when the connection has ended.
    fn poll_one_read(&self, cx: &mut Context<'_>, worker: &mut Worker) -> Poll<bool> {
        let Some((head, room)) = worker.buffer.split_at_mut_checked(HEAD_OCTETS) else {
            return Poll::Ready(false);
        };
        let octets = match self.stream.borrow_mut().poll_receive(cx, room) {
            Poll::Pending => return Poll::Pending,
            Poll::Ready(Ok(0)) => return self.over("the peer closed the connection"),
            Poll::Ready(Err(_)) => return self.over("the connection broke"),
            Poll::Ready(Ok(octets)) => octets,
        };
        let mut rest = self.rest.borrow_mut();
        if let Some(start) = HEAD_OCTETS.checked_sub(rest.len()) {
            // The partial frame goes right before what was just read: both are one slice.
            if let Some(place) = head.get_mut(start..) {
                place.copy_from_slice(&rest);
            }
            let now = worker.now();
            let bytes = worker.buffer.get(start..HEAD_OCTETS + octets).unwrap_or_default();
            let consumed = worker.gateway.received(now, self.id, bytes);
            rest.clear();
            rest.extend_from_slice(bytes.get(consumed..).unwrap_or_default());
        } else {
            // A long one would be copied again for each few octets that come.
            rest.extend_from_slice(room.get(..octets).unwrap_or_default());
            let now = worker.now();
            let consumed = worker.gateway.received(now, self.id, &rest);
            let consumed = consumed.min(rest.len());
            rest.drain(..consumed);
        }
        if rest.len() <= HEAD_OCTETS && rest.capacity() > 2 * HEAD_OCTETS {
            rest.shrink_to(HEAD_OCTETS);
        }
        worker.pump();
        if rest.len() > REST_OCTETS_MAX {
            return self.over("too much of a frame that is not whole");
        }
        Poll::Ready(true)
    }

    fn over(&self, why: &'static str) -> Poll<bool> {
        self.why.set(why);
        Poll::Ready(false)
    }

    /// Waits until the turn task has written all, ends our side, and reads until the peer has ended
    /// its own: closing a socket with unread octets would reset it, and the peer could lose the
    /// last message.
    fn poll_part(&self, cx: &mut Context<'_>, worker: &Shared) -> Poll<()> {
        let mut worker = worker.borrow_mut();
        self.keep_waker(cx);
        if self.fate() != Fate::Parting {
            return Poll::Ready(());
        }
        if self.dirty.get() {
            return Poll::Pending;
        }
        let mut stream = self.stream.borrow_mut();
        let is_first = !self.finishing.replace(true);
        if let Some(association) = stream.association() {
            if is_first {
                association.shutdown();
            }
            return loop {
                match association.poll_event(cx) {
                    Poll::Pending => break Poll::Pending,
                    Poll::Ready(Event::Down { .. }) => break Poll::Ready(()),
                    Poll::Ready(_) => {}
                }
            };
        }
        match stream.poll_finish(cx) {
            Poll::Pending => return Poll::Pending,
            Poll::Ready(Err(_)) => return Poll::Ready(()),
            Poll::Ready(Ok(())) => {}
        }
        for _ in 0..READS_MAX {
            match stream.poll_receive(cx, &mut worker.buffer) {
                Poll::Pending => return Poll::Pending,
                Poll::Ready(Ok(0) | Err(_)) => return Poll::Ready(()),
                Poll::Ready(Ok(octets)) => {
                    let ignored = self.ignored.get() + octets;
                    self.ignored.set(ignored);
                    if ignored > PART_OCTETS_MAX {
                        return Poll::Ready(());
                    }
                }
            }
        }
        cx.waker().wake_by_ref();
        Poll::Pending
    }

    fn keep_waker(&self, cx: &Context<'_>) {
        let mut waker = self.waker.borrow_mut();
        match &mut *waker {
            Some(waker) => waker.clone_from(cx.waker()),
            None => *waker = Some(cx.waker().clone()),
        }
    }
}
