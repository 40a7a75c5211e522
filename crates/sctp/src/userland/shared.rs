//! What an association's owner and its endpoint's thread have in common: two bounded queues.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::Waker;

use tokio::sync::Notify;

use crate::interface::{Event, MESSAGE_OCTETS_MAX, Message, Refused};

/// What each message costs of a queue's limit besides its octets.
const OVERHEAD_OCTETS: usize = 64;

/// One association's queues.
#[derive(Debug)]
pub(super) struct Shared {
    limits: Limits,
    inbox: Mutex<Inbox>,
    outbox: Mutex<Outbox>,
    /// The thread has been told that there is something to do.
    told: AtomicBool,
    bell: Arc<Bell>,
}

#[derive(Clone, Copy, Debug)]
pub(super) struct Limits {
    pub(super) receive_octets: usize,
    pub(super) send_octets: usize,
}

/// Wakes an endpoint's thread, and says which of its associations have something to do.
#[derive(Debug, Default)]
pub(super) struct Bell {
    pub(super) notify: Notify,
    /// Numbers of associations.
    due: Mutex<Vec<usize>>,
}

#[derive(Debug, Default)]
struct Inbox {
    events: VecDeque<Event>,
    octets: usize,
    /// The thread stopped for want of room.
    was_full: bool,
    waker: Option<Waker>,
    ended: Option<&'static str>,
}

#[derive(Debug, Default)]
struct Outbox {
    messages: VecDeque<Message>,
    octets: usize,
    was_full: bool,
    /// How the owner wants it to end.
    ending: Option<Ending>,
    waker: Option<Waker>,
    number: usize,
}

/// How an owner ends an association.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Ending {
    Shutdown,
    Abort,
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Bell {
    fn ring(&self, number: usize) {
        lock(&self.due).push(number);
        self.notify.notify_one();
    }

    /// Takes the numbers of those that have something to do.
    pub(super) fn take(&self, into: &mut Vec<usize>) {
        into.append(&mut lock(&self.due));
    }
}

impl Shared {
    pub(super) fn new(limits: Limits, bell: Arc<Bell>, number: usize) -> Self {
        let outbox = Mutex::new(Outbox { number, ..Outbox::default() });
        Self { limits, inbox: Mutex::default(), outbox, told: AtomicBool::new(false), bell }
    }

    // The owner's side.

    pub(super) fn poll_event(&self, waker: &Waker) -> Option<Event> {
        let mut inbox = lock(&self.inbox);
        let Some(event) = inbox.events.pop_front() else {
            if let Some(why) = inbox.ended {
                return Some(Event::Down { why });
            }
            keep(&mut inbox.waker, waker);
            return None;
        };
        if let Event::Data(message) = &event {
            inbox.octets -= cost(message);
        }
        let relieved = inbox.was_full && inbox.octets < self.limits.receive_octets / 2;
        inbox.was_full &= !relieved;
        drop(inbox);
        if relieved {
            self.tell();
        }
        Some(event)
    }

    pub(super) fn try_send(&self, stream: u16, ppid: u32, octets: &[u8]) -> Result<(), Refused> {
        if octets.is_empty() || octets.len() > MESSAGE_OCTETS_MAX {
            return Err(Refused::TooLong);
        }
        if lock(&self.inbox).ended.is_some() {
            return Err(Refused::Closed);
        }
        let mut outbox = lock(&self.outbox);
        if outbox.ending.is_some() {
            return Err(Refused::Closed);
        }
        if outbox.octets >= self.limits.send_octets {
            outbox.was_full = true;
            return Err(Refused::Full);
        }
        let message = Message { stream, ppid, unordered: false, octets: octets.to_vec() };
        outbox.octets += cost(&message);
        outbox.messages.push_back(message);
        Ok(())
    }

    /// Whether a message would be taken, or never would be again.
    pub(super) fn poll_writable(&self, waker: &Waker) -> bool {
        let ended = lock(&self.inbox).ended.is_some();
        let mut outbox = lock(&self.outbox);
        if ended || outbox.octets < self.limits.send_octets {
            return true;
        }
        outbox.was_full = true;
        keep(&mut outbox.waker, waker);
        false
    }

    pub(super) fn end(&self, how: Ending) {
        let mut outbox = lock(&self.outbox);
        if outbox.ending != Some(Ending::Abort) {
            outbox.ending = Some(how);
        }
        drop(outbox);
        self.tell();
    }

    /// Tells the thread that there is something to do, once until it has looked.
    pub(super) fn tell(&self) {
        if !self.told.swap(true, Ordering::AcqRel) {
            let number = lock(&self.outbox).number;
            self.bell.ring(number);
        }
    }

    // The thread's side.

    /// The thread is about to look.
    pub(super) fn heard(&self) {
        self.told.store(false, Ordering::Release);
    }

    /// Whether another message may be given.
    pub(super) fn has_room(&self) -> bool {
        let mut inbox = lock(&self.inbox);
        inbox.was_full |= inbox.octets >= self.limits.receive_octets;
        !inbox.was_full
    }

    /// Gives events to the owner.
    pub(super) fn give(&self, events: &mut Vec<Event>) {
        if events.is_empty() {
            return;
        }
        let mut inbox = lock(&self.inbox);
        for event in events.drain(..) {
            match &event {
                Event::Data(message) => inbox.octets += cost(message),
                Event::Down { why } => inbox.ended = inbox.ended.or(Some(why)),
                _ => {}
            }
            inbox.events.push_back(event);
        }
        let (waker, ended) = (inbox.waker.take(), inbox.ended.is_some());
        drop(inbox);
        waker.into_iter().for_each(Waker::wake);
        if ended {
            lock(&self.outbox).waker.take().into_iter().for_each(Waker::wake);
        }
    }

    /// Takes messages of up to so many octets that shall be sent.
    pub(super) fn take(&self, mut octets: usize, into: &mut Vec<Message>) -> Option<Ending> {
        let mut outbox = lock(&self.outbox);
        while let Some(message) = outbox.messages.front().filter(|next| next.octets.len() <= octets)
        {
            octets -= message.octets.len();
            let Some(message) = outbox.messages.pop_front() else { break };
            outbox.octets -= cost(&message);
            into.push(message);
        }
        let relieved = outbox.was_full && outbox.octets < self.limits.send_octets / 2;
        outbox.was_full &= !relieved;
        let waker = outbox.waker.take_if(|_| relieved);
        // What was taken still leaves before an orderly end.
        let ending =
            outbox.ending.filter(|how| *how == Ending::Abort || outbox.messages.is_empty());
        drop(outbox);
        if relieved {
            self.give(&mut vec![Event::Writable]);
        }
        waker.into_iter().for_each(Waker::wake);
        ending
    }
}

const fn cost(message: &Message) -> usize {
    message.octets.len() + OVERHEAD_OCTETS
}

fn keep(slot: &mut Option<Waker>, waker: &Waker) {
    match slot {
        Some(kept) => kept.clone_from(waker),
        None => *slot = Some(waker.clone()),
    }
}
