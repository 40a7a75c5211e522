//! The table of subscribers beside packages that could have held it.
//!
//! `cargo test --release -p policy beside -- --ignored --nocapture --test-threads 1`
#![allow(clippy::disallowed_methods, reason = "a stopwatch needs a clock; memory is in /proc")]
#![allow(clippy::indexing_slicing, reason = "a shard that is there")]

use std::hint::black_box;
use std::time::Instant;

use hashbrown::HashTable;
use parking_lot::Mutex;

use super::episode::Episode;
use super::memory::{Memory, SHARDS};
use super::packed::{Key, Tick};
use crate::hash;

const SUBSCRIBERS: u64 = 10_000_000;
const ROUNDS: u64 = 4_000_000;

fn key(n: u64) -> Key {
    Key::of_word((214_070_000_000_000 + n) << 14 | 7)
}

/// Resident octets of this process.
fn resident() -> u64 {
    let text = std::fs::read_to_string("/proc/self/statm").unwrap_or_default();
    let pages = text.split(' ').nth(1).and_then(|pages| pages.parse::<u64>().ok());
    pages.unwrap_or(0) * 4096
}

/// Fills a table, then finds everybody in no order: octets a key, nanoseconds a find.
fn measure(what: &str, mut add: impl FnMut(Key), mut find: impl FnMut(Key) -> bool) -> (f64, f64) {
    let before = resident();
    (0..SUBSCRIBERS).for_each(|n| add(key(n)));
    let octets = resident().saturating_sub(before) as f64 / SUBSCRIBERS as f64;
    let started = Instant::now();
    for round in 0..ROUNDS {
        let n = hash::word(5, round) % SUBSCRIBERS;
        assert!(black_box(find(key(n))));
    }
    let each = started.elapsed().as_nanos() as f64 / ROUNDS as f64;
    println!("{what:<28} {each:>6.0} ns a find, {octets:>6.1} octets resident a subscriber");
    (octets, each)
}

#[test]
#[ignore = "a measurement, for release builds"]
fn ten_million_subscribers_beside_the_packages_that_could_hold_them() {
    let now = Tick::ZERO;
    let memory = Memory::new(2 * SUBSCRIBERS as usize, 3);
    let ours = measure(
        "ours",
        |key| _ = memory.with(key, now, |_| ()),
        |key| memory.with_known(key, |episode| episode.key() == key) == Some(true),
    );
    drop(memory);
    let shards: Vec<Mutex<HashTable<Episode>>> = (0..SHARDS).map(|_| Mutex::default()).collect();
    let hash = |key: Key| hash::word(3, key.word());
    // Neither the bits of the place in a table nor those of its tags.
    let shard = |key: Key| shards[(hash(key) >> 40) as usize % SHARDS].lock();
    let sharded = measure(
        "hashbrown behind mutexes",
        |key| {
            let episode = Episode::new(key, now);
            let _there = shard(key).insert_unique(hash(key), episode, |e| hash(e.key()));
        },
        |key| shard(key).find(hash(key), |episode| episode.key() == key).is_some(),
    );
    drop(shards);
    let cache = moka::sync::Cache::new(2 * SUBSCRIBERS);
    let moka = measure(
        "moka",
        |key| cache.insert(key.word(), [0_u64; 5]),
        |key| cache.get(&key.word()).is_some(),
    );
    assert!(ours.0 <= 64.0 && ours.0 < sharded.0 && ours.0 < moka.0);
    assert!(ours.1 < moka.1);
}
