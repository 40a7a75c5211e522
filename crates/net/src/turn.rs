//! The end of each turn: what the reads of a worker have produced leaves, in one go.

use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll};
use std::time::Duration;

use procedure::{Time, WorkerId};
use relay::Post;
use sctp::{Association, Refused};
use tokio::sync::mpsc;
use tokio::sync::mpsc::error::{SendError, TrySendError};
use tokio::time::{Instant, Sleep};

use crate::Clock;
use crate::conn::{Conn, Fate};
use crate::driver::{Shared, Worker};
use crate::transport::Transport;

/// Records that are handed over without waiting for more.
const RECORDS_BATCH: usize = 256;
/// How old a record may become while it waits for more.
const RECORDS_WAIT_MS: u64 = 50;
/// A deadline that is this much earlier than the armed one is worth re-arming the timer.
const TIMER_COARSE_MS: u64 = 10;
/// Posts taken in one turn.
const POSTS_TURN_MAX: usize = 8;
/// Empty posts kept for re-use.
const POSTS_SPARE_MAX: usize = 8;

/// How posts for one other worker leave.
pub(crate) struct Outlet {
    /// `None` for the worker itself.
    channel: Option<mpsc::Sender<Post>>,
    /// The channel was full; this waits for room.
    room: Option<Room>,
    /// The gateway has a post for it.
    pub(crate) due: bool,
}

type Permit = mpsc::OwnedPermit<Post>;
type Room = Pin<Box<dyn Future<Output = Result<Permit, SendError<()>>>>>;

impl Outlet {
    pub(crate) fn new(channel: Option<mpsc::Sender<Post>>) -> Self {
        Self { channel, room: None, due: false }
    }

    /// Room for one post. `Ready(None)`: the other worker has ended.
    fn poll_room(&mut self, cx: &mut Context<'_>) -> Poll<Option<Permit>> {
        let Some(channel) = &self.channel else { return Poll::Ready(None) };
        if self.room.is_none() {
            match channel.clone().try_reserve_owned() {
                Ok(permit) => return Poll::Ready(Some(permit)),
                Err(TrySendError::Closed(_)) => return Poll::Ready(None),
                Err(TrySendError::Full(channel)) => {
                    self.room = Some(Box::pin(channel.reserve_owned()));
                }
            }
        }
        let Some(room) = &mut self.room else { return Poll::Ready(None) };
        let permit = std::task::ready!(room.as_mut().poll(cx));
        self.room = None;
        Poll::Ready(permit.ok())
    }
}

/// The turn task; never ready.
pub(crate) struct Turn {
    worker: Shared,
    clock: Clock,
    posts: mpsc::Receiver<Post>,
    spare: Vec<Post>,
    timer: Pin<Box<Sleep>>,
    /// For when the timer is armed.
    armed: Option<Time>,
    /// When records that wait have to be handed over.
    records_due: Option<Time>,
    /// Connections being written; kept for its memory.
    writing: Vec<Rc<Conn>>,
}

impl Turn {
    pub(crate) fn new(worker: Shared, clock: Clock, posts: mpsc::Receiver<Post>) -> Self {
        let timer = Box::pin(tokio::time::sleep(Duration::ZERO));
        Self {
            worker,
            clock,
            posts,
            spare: Vec::new(),
            timer,
            armed: Some(Time::default()),
            records_due: None,
            writing: Vec::new(),
        }
    }

    /// Takes what other workers sent.
    fn take_posts(&mut self, cx: &mut Context<'_>, worker: &mut Worker) {
        for _ in 0..POSTS_TURN_MAX {
            // `None`: every other worker has ended, and this one will.
            let Poll::Ready(Some(mut post)) = self.posts.poll_recv(cx) else { return };
            worker.input(|gateway, now| gateway.posted(now, &post));
            post.clear();
            if self.spare.len() < POSTS_SPARE_MAX {
                self.spare.push(post);
            }
        }
        // More may be there; the sockets come first.
        cx.waker().wake_by_ref();
    }

    /// Sends what other workers shall have.
    fn send_posts(&mut self, cx: &mut Context<'_>, worker: &mut Worker) {
        for index in 0..worker.outlets.len() {
            let Some(outlet) = worker.outlets.get_mut(index).filter(|outlet| outlet.due) else {
                continue;
            };
            let Poll::Ready(permit) = outlet.poll_room(cx) else { continue };
            outlet.due = false;
            let to = WorkerId(u8::try_from(index).unwrap_or(u8::MAX));
            let empty = self.spare.pop().unwrap_or_default();
            let post = worker.gateway.take_post(to, empty);
            if let Some(permit) = permit {
                permit.send(post);
            }
        }
    }

    /// Writes every outbox that has something.
    fn flush(&mut self, cx: &mut Context<'_>, worker: &mut Worker) {
        std::mem::swap(&mut self.writing, &mut worker.dirty);
        for conn in self.writing.drain(..) {
            if flush_one(cx, worker, &conn) {
                conn.dirty.set(false);
                if conn.fate() == Fate::Parting {
                    conn.wake();
                }
            } else {
                worker.dirty.push(conn);
            }
        }
    }

    fn hand_over_records(&mut self, worker: &mut Worker) {
        let waiting = worker.gateway.records().len();
        if waiting == 0 {
            return;
        }
        let now = worker.now();
        let due = *self.records_due.get_or_insert(now.plus_ms(RECORDS_WAIT_MS));
        if waiting >= RECORDS_BATCH || due <= now {
            worker.deliver_records();
            self.records_due = None;
        }
    }

    /// Arms the one timer for whatever comes first. An armed timer that is only a little late, or
    /// early, stays as it is.
    fn arm(&mut self, cx: &mut Context<'_>, worker: &mut Worker) {
        let now = worker.now();
        let soon = now.plus_ms(TIMER_COARSE_MS);
        // A stalled socket asks again even if nothing of this worker moves.
        let stalled = (!worker.stalled.is_empty()).then_some(soon);
        let wanted = [worker.gateway.deadline(), self.records_due, stalled];
        let Some(wanted) = wanted.into_iter().flatten().min() else { return };
        let is_soon_enough = |armed: Time| armed <= wanted.plus_ms(TIMER_COARSE_MS);
        if self.armed.is_some_and(is_soon_enough) {
            return;
        }
        // Half the grain ahead at least: a deadline that is past must not make the thread spin.
        let at = wanted.max(now.plus_ms(TIMER_COARSE_MS / 2));
        self.armed = Some(at);
        let at: Instant = self.clock.instant(at);
        self.timer.as_mut().reset(at);
        if self.timer.as_mut().poll(cx).is_ready() {
            cx.waker().wake_by_ref();
        }
    }
}

impl Future for Turn {
    type Output = ();

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        let this = self.get_mut();
        let shared = Rc::clone(&this.worker);
        let worker = &mut *shared.borrow_mut();
        // Inputs from here on are seen to below.
        worker.turn_is_due = true;
        match &mut worker.turn_waker {
            Some(waker) => waker.clone_from(cx.waker()),
            None => worker.turn_waker = Some(cx.waker().clone()),
        }
        this.take_posts(cx, worker);
        if this.armed.is_some() && this.timer.as_mut().poll(cx).is_ready() {
            this.armed = None;
            worker.input(relay::Gateway::expire);
        }
        this.flush(cx, worker);
        // Writing may have made the gateway say something; that is for the next turn to write.
        let blocked = worker.dirty.len();
        worker.pump();
        if worker.dirty.len() > blocked {
            cx.waker().wake_by_ref();
        }
        this.send_posts(cx, worker);
        resume_stalled(worker);
        worker.report();
        this.hand_over_records(worker);
        this.arm(cx, worker);
        worker.forget_time();
        worker.turn_is_due = false;
        Poll::Pending
    }
}

/// Writes one outbox; `false` when the kernel has no room for all of it.
fn flush_one(cx: &mut Context<'_>, worker: &mut Worker, conn: &Conn) -> bool {
    let mut stream = conn.stream.borrow_mut();
    if let Some(association) = stream.association() {
        return flush_messages(cx, worker, conn, association);
    }
    while matches!(conn.fate(), Fate::Open | Fate::Parting) {
        let outbox = worker.gateway.outbox(conn.id);
        if outbox.is_empty() {
            return match stream.poll_settle(cx) {
                Poll::Pending => false,
                Poll::Ready(Ok(())) => true,
                Poll::Ready(Err(_)) => {
                    conn.break_off();
                    true
                }
            };
        }
        match stream.poll_send(cx, outbox) {
            Poll::Pending => return false,
            Poll::Ready(Ok(octets)) if octets > 0 => worker.gateway.sent(conn.id, octets),
            Poll::Ready(_) => conn.break_off(),
        }
    }
    true
}

/// Writes one outbox message by message; `false` when the association has no room for all.
fn flush_messages(
    cx: &mut Context<'_>,
    worker: &mut Worker,
    conn: &Conn,
    association: &mut Association,
) -> bool {
    let streams = association.streams_out();
    let is_written = loop {
        if !matches!(conn.fate(), Fate::Open | Fate::Parting) {
            break true;
        }
        let Some((message, lane, ppid)) = worker.gateway.outbox_message(conn.id) else {
            break true;
        };
        let octets = message.len();
        // Stream 0 is for what is not traffic; lanes begin with 1 where there are others.
        let stream = if lane == 0 || streams < 2 { 0 } else { 1 + (lane - 1) % (streams - 1) };
        match association.try_send(stream, ppid, message) {
            Ok(()) => worker.gateway.sent(conn.id, octets),
            Err(Refused::Full) => match association.poll_writable(cx) {
                Poll::Ready(()) => {}
                Poll::Pending => break false,
            },
            Err(Refused::Closed | Refused::TooLong) => {
                conn.break_off();
                break true;
            }
        }
    };
    association.flush();
    is_written
}

/// Lets stalled connections try again that now may be read.
fn resume_stalled(worker: &mut Worker) {
    let gateway = &worker.gateway;
    worker.stalled.retain(|conn| {
        let may_go = conn.fate() != Fate::Open || gateway.may_read(conn.id);
        if may_go {
            conn.stalled.set(false);
            conn.wake();
        }
        !may_go
    });
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::sync::atomic::{AtomicUsize, Ordering};
    use std::task::{Wake, Waker};

    use super::*;

    struct Wakes(AtomicUsize);

    impl Wake for Wakes {
        fn wake(self: Arc<Self>) {
            self.0.fetch_add(1, Ordering::Relaxed);
        }
    }

    #[test]
    fn a_full_channel_wakes_its_writer_once_there_is_room() {
        let wakes = Arc::new(Wakes(AtomicUsize::new(0)));
        let waker = Waker::from(Arc::clone(&wakes));
        let mut cx = Context::from_waker(&waker);
        let (sender, mut receiver) = mpsc::channel(1);
        let mut outlet = Outlet::new(Some(sender));
        for round in 1..4 {
            let Poll::Ready(Some(permit)) = outlet.poll_room(&mut cx) else { panic!("room") };
            permit.send(Post::default());
            assert!(outlet.poll_room(&mut cx).is_pending());
            assert!(outlet.poll_room(&mut cx).is_pending(), "asked again by another turn");
            assert!(receiver.try_recv().is_ok());
            assert_eq!(wakes.0.load(Ordering::Relaxed), round);
        }
        drop(receiver);
        assert!(matches!(outlet.poll_room(&mut cx), Poll::Ready(None)), "the other has ended");
        assert!(matches!(Outlet::new(None).poll_room(&mut cx), Poll::Ready(None)));
    }
}
