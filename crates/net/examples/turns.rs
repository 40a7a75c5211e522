//! What a transaction costs in a worker, protocol aside: 400-octet frames of the tests' toy stack
//! over loopback TCP, `CONNECTIONS` a side with `WINDOW` outstanding each.
//!
//! `cargo run --release -p net --example turns -- [connections] [window] [seconds] [workers]`
//!
//! Prints transactions a second and the CPU that the `ipx-worker` threads took for each; the load
//! runs in the same process, so compare the CPU and not the rate.
#![allow(clippy::disallowed_methods, clippy::unwrap_used, clippy::indexing_slicing)]
#![allow(clippy::panic)]

#[path = "../tests/toy/mod.rs"]
mod toy;

use std::io::{Read, Write};
use std::net::TcpStream;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use toy::stack::{HEAD, frame};
use toy::{Wish, start};

const OCTETS: usize = 400;

fn main() {
    let argument = |index, default| {
        std::env::args().nth(index).map_or(default, |text| text.parse().expect("a number"))
    };
    let (connections, window): (u8, usize) = (argument(1, 4) as u8, argument(2, 256));
    let (seconds, workers) = (argument(3, 5), argument(4, 1) as u8);
    let wish = Wish { workers, links: 2 * connections, keep_records: false, ..Wish::default() };
    let net = start(wish);
    let (done, stop) = (Arc::new(AtomicU64::new(0)), Arc::new(AtomicBool::new(false)));
    for link in 0..connections {
        let home = net.join(connections + link).stream;
        thread::spawn(move || echo(home));
        let asker = net.join(link).stream;
        let (done, stop) = (Arc::clone(&done), Arc::clone(&stop));
        thread::spawn(move || ask(asker, connections + link, window, &done, &stop));
    }
    thread::sleep(Duration::from_millis(500));
    let (start, before, cpu) = (Instant::now(), done.load(Ordering::Relaxed), worker_cpu());
    thread::sleep(Duration::from_secs(seconds as u64));
    let took = start.elapsed().as_secs_f64();
    let transactions = done.load(Ordering::Relaxed) - before;
    let cpu = worker_cpu() - cpu;
    println!(
        "{connections} connections x {window}, {workers} workers: {:.0}/s, {:.3} us of worker CPU each",
        transactions as f64 / took,
        cpu as f64 / 1e3 / transactions as f64,
    );
    stop.store(true, Ordering::Relaxed);
    net.running.stop(Duration::from_secs(1));
}

/// Nanoseconds that the worker threads have run.
fn worker_cpu() -> u64 {
    let mut total = 0;
    for task in std::fs::read_dir("/proc/self/task").unwrap().flatten() {
        let read = |name| std::fs::read_to_string(task.path().join(name)).unwrap_or_default();
        if read("comm").starts_with("ipx-worker") {
            let first = read("schedstat");
            total += first.split_whitespace().next().map_or(0, |ns| ns.parse().unwrap_or(0));
        }
    }
    total
}

/// Turns whole frames into answers, a batch at a time.
fn echo(mut stream: TcpStream) {
    let (mut room, mut filled) = (vec![0; 256 << 10], 0);
    loop {
        let Ok(octets @ 1..) = stream.read(&mut room[filled..]) else { return };
        filled += octets;
        let mut whole = 0;
        while filled - whole >= HEAD && filled - whole >= toy::stack::length(&room[whole..]) {
            room[whole + 4] = b'!';
            whole += toy::stack::length(&room[whole..]);
        }
        if stream.write_all(&room[..whole]).is_err() {
            return;
        }
        room.copy_within(whole..filled, 0);
        filled -= whole;
    }
}

/// Keeps `window` requests outstanding.
fn ask(mut stream: TcpStream, to: u8, window: usize, done: &AtomicU64, stop: &AtomicBool) {
    let batch = frame(b'?', to, 1, 1, &[5; OCTETS - HEAD]).repeat(window);
    stream.write_all(&batch).unwrap();
    let (mut room, mut odd) = (vec![0; 256 << 10], 0);
    while !stop.load(Ordering::Relaxed) {
        let Ok(octets @ 1..) = stream.read(&mut room) else { return };
        let answers = (odd + octets) / OCTETS;
        odd = (odd + octets) % OCTETS;
        done.fetch_add(answers as u64, Ordering::Relaxed);
        if stream.write_all(&batch[..answers * OCTETS]).is_err() {
            return;
        }
    }
}
