//! In steady state nothing is allocated for a message: ten thousand Update-Locations with the real
//! stack and the real policy, steering on, under an allocator that counts.
#![allow(
    clippy::disallowed_methods,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used,
    reason = "a test reads files and clocks, and fails by panicking"
)]
#![allow(unsafe_code, reason = "a counting allocator can be written in no other way")]

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;

use procedure::{LinkId, Time};
use relay::{ConnId, Gateway};
use sim::diameter::parse::{self, Message, Outcome};
use sim::diameter::s6a::{self, Request, Tail};
use tests::desk::{self, Desk, Peer, Settings};
use tests::world;

/// Counts what this thread asks for.
struct Counting;

thread_local! {
    static REQUESTED: Cell<u64> = const { Cell::new(0) };
}

// SAFETY: every call goes to the system's allocator as it came.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        REQUESTED.set(REQUESTED.get() + 1);
        // SAFETY: the caller's promise.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, block: *mut u8, layout: Layout) {
        // SAFETY: the caller's promise.
        unsafe { System.dealloc(block, layout) }
    }

    unsafe fn realloc(&self, block: *mut u8, layout: Layout, octets: usize) -> *mut u8 {
        REQUESTED.set(REQUESTED.get() + 1);
        // SAFETY: the caller's promise.
        unsafe { System.realloc(block, layout, octets) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

const EXCHANGES: usize = 10_000;
/// Requests that arrive in one read.
const BATCH: usize = 100;
/// So many that each asks five times: those who are steered are refused four times, half of them
/// after everything is warm.
const SUBSCRIBERS: usize = 4_000;
/// More than the frames of one batch in either direction.
const BUFFER_OCTETS: usize = 1 << 20;

/// Both ends of every exchange. Its buffers are made once.
struct Ends {
    gateway: Gateway,
    now: Time,
    mme: ConnId,
    hss: ConnId,
    visited_node: sim::Identity,
    home_node: Tail,
    /// IMSI, Session-Id and Visited-PLMN-Id of each subscriber.
    subscribers: Vec<(String, String, [u8; 3])>,
    next: usize,
    incoming: Vec<u8>,
    outgoing: Vec<u8>,
    accepted: usize,
    refused: usize,
}

impl Ends {
    fn new() -> Self {
        let peers = [Peer::new("mme1.visited.lab"), Peer::new("hss1.home.lab")];
        let settings = Settings { workers: 1, request_timeout_ms: 4_000, seed: 7 };
        let mut gateway = Desk::new(&peers, settings).gateways.remove(0);
        let now = Time::from_ms(1);
        let [mme, hss] =
            [0, 1].map(|at| desk::introduce(&mut gateway, now, LinkId(at), &peers[at as usize]));
        let visits = [world::PREFERRED, world::STEERED, world::ELSEWHERE];
        let visits = visits.map(|plmn| plmn.parse::<sim::Plmn>().expect("a PLMN").octets());
        let subscriber = |number: usize| {
            let imsi = world::imsi(number as u64);
            let session = format!("mme1.visited.lab;1;{number}");
            (imsi, session, visits[number % visits.len()])
        };
        let visited_node = peers[0].identity();
        let home_node = s6a::ula(&peers[1].identity());
        Self {
            gateway,
            now,
            mme,
            hss,
            visited_node,
            home_node,
            subscribers: (0..SUBSCRIBERS).map(subscriber).collect(),
            next: 0,
            incoming: Vec::with_capacity(BUFFER_OCTETS),
            outgoing: Vec::with_capacity(BUFFER_OCTETS),
            accepted: 0,
            refused: 0,
        }
    }

    fn exchange(&mut self, count: usize, batch: usize) {
        for _ in 0..count / batch {
            self.now = self.now.plus_ms(1);
            self.ask(batch);
            self.turn(self.mme);
            self.take(self.hss);
            self.answer();
            self.turn(self.hss);
            self.take(self.mme);
            self.judge();
            self.gateway.records().clear();
        }
    }

    fn ask(&mut self, batch: usize) {
        self.outgoing.clear();
        for _ in 0..batch {
            let (imsi, session, visited) = &self.subscribers[self.next % SUBSCRIBERS];
            let request = Request {
                me: &self.visited_node,
                session,
                realm: world::HOME_REALM,
                host: None,
                imsi,
                visited: *visited,
                rat: s6a::EUTRAN,
            };
            let id = u32::try_from(self.next).expect("few exchanges");
            request.ulr(&mut self.outgoing, (id, id));
            self.next += 1;
        }
    }

    /// What waits in `outgoing` arrives over `conn`; the gateway runs until it rests.
    fn turn(&mut self, conn: ConnId) {
        let taken = self.gateway.received(self.now, conn, &self.outgoing);
        assert_eq!(taken, self.outgoing.len());
        while self.gateway.poll().is_some() {}
        if self.gateway.deadline().is_some_and(|at| at <= self.now) {
            self.gateway.expire(self.now);
        }
    }

    fn take(&mut self, conn: ConnId) {
        self.incoming.clear();
        self.incoming.extend_from_slice(self.gateway.outbox(conn));
        self.gateway.sent(conn, self.incoming.len());
    }

    fn answer(&mut self) {
        self.outgoing.clear();
        let mut rest = self.incoming.as_slice();
        while let Some(message) = next(&mut rest) {
            let session = message.find(263).expect("a Session-Id");
            self.home_node.answer(&mut self.outgoing, &message, session);
        }
    }

    fn judge(&mut self) {
        let mut rest = self.incoming.as_slice();
        while let Some(message) = next(&mut rest) {
            match message.avps().flatten().find_map(|avp| Outcome::of(&avp)) {
                Some(Outcome::Base(2001)) => self.accepted += 1,
                Some(Outcome::Experimental(5004)) => self.refused += 1,
                other => panic!("{other:?}"),
            }
        }
    }
}

fn next<'a>(rest: &mut &'a [u8]) -> Option<Message<'a>> {
    let octets = parse::frame_length(rest).expect("framed")?;
    let (frame, tail) = rest.split_at(octets);
    *rest = tail;
    Some(Message::parse(frame).expect("a message"))
}

#[test]
fn nothing_is_allocated_for_a_message_in_steady_state() {
    let mut ends = Ends::new();
    // More at once than later, so that every table has had its largest size.
    ends.exchange(EXCHANGES, 2 * BATCH);
    (ends.accepted, ends.refused) = (0, 0);
    let before = REQUESTED.get();
    ends.exchange(EXCHANGES, BATCH);
    let allocations = REQUESTED.get() - before;
    assert_eq!(ends.accepted + ends.refused, EXCHANGES);
    println!("{} accepted, {} refused, {allocations} allocations", ends.accepted, ends.refused);
    assert!(ends.refused > 0, "steering was at work");
    assert_eq!(allocations, 0);
}
