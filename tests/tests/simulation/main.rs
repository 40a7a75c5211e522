//! Everything but sockets, in virtual time, from one seed: several workers, posts that take their
//! time, links that die, answers that come late, twice or never, frames in pieces.
//!
//! Checked on the way: each request is answered once, in its session, in time, over the connection
//! that it came over, unless that has died; requests of one connection reach a link in their
//! order; a repeat is marked. Checked at the end: each frame is in one record, no exchange is left
//! open, and the same seed gives the same records.
#![allow(
    clippy::disallowed_methods,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used,
    reason = "a test fails by panicking"
)]

mod network;
mod peers;

use procedure::{Finish, LinkId, Record, Time};
use tests::desk::{Peer, Settings};

use network::{Network, Taken};
use peers::{COLLIDING, Counts, Peers, REQUEST_TIMEOUT_MS};

/// How long MMEs ask, and how long everything then has to come to rest.
const ASK_MS: u64 = 12_000;
const REST_MS: u64 = 6_000;
/// Seeds in one run of the tests; `IPX_SEEDS` asks for more.
const SEEDS: u64 = 8;

fn world() -> Vec<Peer> {
    let mut peers: Vec<Peer> =
        ["mme1.visited.lab", "hss1.home.lab", "mme2.visited.lab", "hss2.home.lab"]
            .into_iter()
            .chain(["mme3.visited.lab", "hss3.home.lab", "mme4.visited.lab"])
            .map(Peer::new)
            .collect();
    // The gateway connects to one HSS, another connects to it, and with the third both do.
    peers[1].initiate = true;
    peers[COLLIDING.0 as usize].initiate = true;
    peers
}

struct Ended {
    records: Vec<Record>,
    counts: Counts,
}

fn run(workers: u8, seed: u64) -> Ended {
    let list = world();
    let settings = Settings { workers, request_timeout_ms: REQUEST_TIMEOUT_MS, seed };
    let mut network = Network::new(&list, settings);
    let mut peers = Peers::new(&list, Time::from_ms(ASK_MS));
    peers.start(&mut network);
    while let Some(news) = network.step(Time::from_ms(ASK_MS + REST_MS)) {
        for news in news {
            peers.hear(&mut network, news);
        }
    }
    peers.finish();
    at_rest(&network, list.len());
    accounted_for(&network);
    Ended { records: network.records, counts: peers.counts }
}

fn at_rest(network: &Network, links: usize) {
    for (worker, gateway) in network.desk.gateways.iter().enumerate() {
        assert!(gateway.is_drained(), "worker {worker} has exchanges open");
    }
    for link in 0..links {
        let status = network.desk.board.status(LinkId(link as u32)).unwrap();
        assert_eq!((status.pending, status.waiting_octets), (0, 0), "link {link}");
    }
}

/// Each request that was taken in has one record, under its own exchange; each answer closed one of
/// those or has one of its own.
fn accounted_for(network: &Network) {
    for (link, taken) in network.taken.iter().enumerate() {
        let of = |wanted: fn(&Finish) -> bool| {
            let here = network.records.iter().filter(|r| r.from.0 as usize == link);
            here.filter(|record| wanted(&record.finish)).count()
        };
        let strays = of(|finish| *finish == Finish::Stray);
        let opened = of(|finish| *finish != Finish::Stray);
        let closed = network.records.iter().filter(|record| {
            let answered = record.code != procedure::Code::None;
            let by_peer = matches!(record.finish, Finish::Answered | Finish::Discarded);
            record.to.is_some_and(|to| to.0 as usize == link) && by_peer && answered
        });
        let expected = Taken { requests: opened, answers: strays + closed.count() };
        assert_eq!(*taken, expected, "link {link}: frames taken in, then frames in records");
    }
    let opened = network.records.iter().filter(|record| record.exchange != 0);
    let mut exchanges: Vec<u64> = opened.map(|record| record.exchange).collect();
    let all = exchanges.len();
    exchanges.sort_unstable();
    exchanges.dedup();
    assert_eq!(exchanges.len(), all, "one record for an exchange");
}

fn many(workers: u8) {
    let mut total = Counts::default();
    let seeds = std::env::var("IPX_SEEDS").ok().and_then(|seeds| seeds.parse().ok());
    for seed in 1..=seeds.unwrap_or(SEEDS) {
        let ended = run(workers, seed);
        println!("{workers} workers, seed {seed}: {:?}", ended.counts);
        total.accepted += ended.counts.accepted;
        total.steered += ended.counts.steered;
        total.unreachable += ended.counts.unreachable;
        total.resent += ended.counts.resent;
        total.abandoned += ended.counts.abandoned;
    }
    let all = [total.accepted, total.steered, total.unreachable, total.resent, total.abandoned];
    assert!(all.iter().all(|count| *count > 0), "everything happened: {total:?}");
}

#[test]
fn one_worker_answers_everything_once() {
    many(1);
}

#[test]
fn four_workers_answer_everything_once() {
    many(4);
}

#[test]
fn the_same_seed_gives_the_same_records() {
    for workers in [1, 4] {
        let [first, again] = [0, 1].map(|_| run(workers, 42));
        assert_eq!(first.counts, again.counts);
        assert_eq!(format!("{:?}", first.records), format!("{:?}", again.records));
    }
}
