//! Exchanges over real sockets: framing, workers, slow and dying peers, the end.
#![allow(missing_docs, clippy::disallowed_methods, clippy::unwrap_used, clippy::indexing_slicing)]
#![allow(clippy::panic)]

mod toy;

use std::io::Write;
use std::net::TcpListener;
use std::thread;
use std::time::{Duration, Instant};

use procedure::{Finish, LinkId};
use toy::stack::{HEAD, check, frame, label};
use toy::{Peer, Wish, loopback, plain, start, wait_until};

#[test]
fn a_frame_may_come_octet_by_octet() {
    let net = start(Wish::default());
    let mut asker = net.join(0);
    let home = net.join(1);
    let home = thread::spawn(|| home.echo());
    for octet in frame(b'?', 1, 5, 6, b"payload") {
        asker.send(&[octet]);
        thread::sleep(Duration::from_millis(1));
    }
    let answer = asker.frame().unwrap();
    assert_eq!((answer[4], label(&answer), check(&answer)), (b'!', 5, 6));
    assert_eq!(answer[HEAD..], *b"payload");
    assert!(net.running.stop(Duration::from_secs(1)));
    assert_eq!(home.join().unwrap(), 1);
    let records = net.records.lock().unwrap();
    assert_eq!(records.len(), 1);
    assert_eq!(records[0].finish, Finish::Answered);
}

#[test]
fn long_frames_may_come_in_any_pieces() {
    let net = start(Wish::default());
    let home = net.join(1);
    let home = thread::spawn(|| home.echo_at_leisure());
    let (mut asker, mut reader) = net.join(0).both();
    let long = |number: u32| frame(b'?', 1, number, 1, &vec![number as u8; 60_000]);
    let all: Vec<u8> =
        (0..20).flat_map(|n| [long(n), frame(b'?', 1, n, 2, b"s")].concat()).collect();
    let writer = thread::spawn(move || {
        for piece in all.chunks(7_001) {
            asker.send(piece);
            thread::sleep(Duration::from_micros(300));
        }
    });
    for number in 0..20 {
        let answer = reader.frame().unwrap();
        assert_eq!((label(&answer), check(&answer)), (number, 1));
        assert_eq!(answer[HEAD..], vec![number as u8; 60_000]);
        assert_eq!(check(&reader.frame().unwrap()), 2);
    }
    writer.join().unwrap();
    drop(reader);
    assert!(net.running.stop(Duration::from_secs(1)));
    assert_eq!(home.join().unwrap(), 40);
}

#[test]
fn the_hello_may_bring_requests_with_it_and_one_read_many_frames() {
    const COUNT: u32 = 20_000;
    let net = start(Wish::default());
    let home = net.join(1);
    let home = thread::spawn(|| home.echo());
    let asker = Peer::connect(net.address);
    let (mut writer, mut reader) = asker.both();
    let writer = thread::spawn(move || {
        let mut all = frame(b'H', 0, 0, 0, &[]);
        for number in 0..COUNT {
            all.extend(frame(b'?', 1, number, u64::from(number) << 8, &[7; 100]));
        }
        writer.send(&all);
    });
    assert_eq!(reader.frame().unwrap()[4], b'H');
    for number in 0..COUNT {
        let answer = reader.frame().unwrap();
        assert_eq!((label(&answer), check(&answer)), (number, u64::from(number) << 8), "in order");
        assert_eq!(answer.len(), HEAD + 100);
    }
    writer.join().unwrap();
    assert!(net.running.stop(Duration::from_secs(1)));
    assert_eq!(home.join().unwrap(), COUNT as usize);
}

/// Askers 0 to 3 and homes 4 to 7, one of each on every worker; every asker asks every home.
#[test]
fn four_workers_answer_each_exactly_once_and_in_order() {
    const COUNT: u32 = 20_000;
    const WINDOW: u32 = 500;
    let net = start(Wish { workers: 4, links: 8, ..Wish::default() });
    let homes: Vec<_> = (4..8)
        .map(|link| {
            let mut home = net.join(link);
            thread::spawn(move || {
                // By asker, the last of its numbers that came.
                let mut last = [None; 4];
                let mut answered = 0_usize;
                while let Ok(mut frame) = home.frame() {
                    if frame[4] != b'?' {
                        continue;
                    }
                    let number = check(&frame);
                    let asker = (number >> 32) as usize;
                    assert!(last[asker] < Some(number), "in order on its link");
                    last[asker] = Some(number);
                    frame[4] = b'!';
                    home.send(&frame);
                    answered += 1;
                }
                answered
            })
        })
        .collect();
    let askers: Vec<_> = (0..4_u8).map(|link| (link, net.join(link))).collect();
    let askers: Vec<_> = askers
        .into_iter()
        .map(|(link, mut asker)| {
            thread::spawn(move || {
                let mut seen = vec![false; COUNT as usize];
                for start in (0..COUNT).step_by(WINDOW as usize) {
                    let mut batch = Vec::new();
                    for number in start..start + WINDOW {
                        let to = 4 + (number % 4) as u8;
                        let check = u64::from(link) << 32 | u64::from(number);
                        batch.extend(frame(b'?', to, number, check, b"cross"));
                    }
                    asker.send(&batch);
                    for _ in 0..WINDOW {
                        let answer = asker.frame().unwrap();
                        assert_eq!(answer[HEAD..], *b"cross");
                        assert_eq!(check(&answer) >> 32, u64::from(link));
                        assert!(!std::mem::replace(&mut seen[label(&answer) as usize], true));
                    }
                }
                seen.iter().all(|seen| *seen)
            })
        })
        .collect();
    for asker in askers {
        assert!(asker.join().unwrap());
    }
    assert!(net.running.stop(Duration::from_secs(2)));
    let answered: usize = homes.into_iter().map(|home| home.join().unwrap()).sum();
    assert_eq!(answered, 4 * COUNT as usize);
    let records = net.records.lock().unwrap();
    assert_eq!(records.len(), 4 * COUNT as usize);
    assert!(records.iter().all(|record| record.finish == Finish::Answered));
}

fn resident_kib() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find(|line| line.starts_with("VmRSS")).unwrap();
    line.split_whitespace().nth(1).unwrap().parse().unwrap()
}

#[test]
fn a_peer_that_never_reads_is_held_back_and_harms_nobody() {
    flood_unread(Peer::echo_at_leisure);
}

/// The home reads its next request only when it has got rid of its last answer, as simple peers
/// do: whoever does not read its answers because its requests pile up would wait for ever.
#[test]
fn a_home_that_answers_before_it_reads_on_is_never_stuck() {
    flood_unread(Peer::echo);
}

fn flood_unread(echo: fn(Peer) -> usize) {
    let net = start(Wish { links: 4, keep_records: false, ..Wish::default() });
    let home = net.join(1);
    let home = thread::spawn(move || echo(home));
    let (mut asker, deaf) = (net.join(0), net.join(2));
    let before = resident_kib();
    // It asks without end and never reads an answer.
    let stream = deaf.stream.try_clone().unwrap();
    stream.set_write_timeout(Some(Duration::from_millis(200))).unwrap();
    let writer = thread::spawn(move || {
        let batch = frame(b'?', 1, 1, 1, &[0; 200]).repeat(64);
        let (mut stream, mut octets) = (stream, 0);
        let start = Instant::now();
        while start.elapsed() < Duration::from_secs(2) {
            // What could only be written in part goes on where it stopped.
            match stream.write(&batch[octets % batch.len()..]) {
                Ok(written) => octets += written,
                Err(error) if error.kind() == std::io::ErrorKind::WouldBlock => {}
                Err(_) => break,
            }
        }
        octets
    });
    let start = Instant::now();
    let mut slowest = Duration::ZERO;
    while start.elapsed() < Duration::from_secs(2) {
        let sent = Instant::now();
        asker.send(&frame(b'?', 1, 9, 9, b"well"));
        // While the flood lasts the home's link may be full; the answer says so, at once.
        let answer = asker.frame().unwrap();
        assert!([&b"well"[..], b"congestion"].contains(&&answer[HEAD..]));
        slowest = slowest.max(sent.elapsed());
    }
    let octets = writer.join().unwrap();
    let grown = resident_kib().saturating_sub(before);
    println!("deaf wrote {octets} octets; slowest other {slowest:?}; memory +{grown} KiB");
    assert!(slowest < Duration::from_secs(1), "{slowest:?}");
    assert!(octets < 64 << 20, "stopped reading it: {octets}");
    // What 65,536 open exchanges take, with the peers' own buffers, all in one debug process.
    assert!(grown < 160 << 10, "{grown} KiB more");
    asker.send(&frame(b'?', 1, 9, 9, b"well"));
    assert_eq!(asker.frame().unwrap()[HEAD..], *b"well");
    drop(deaf);
    net.wait_up(2, false);
    assert!(net.is_up(0) && net.is_up(1));
    net.running.stop(Duration::from_millis(200));
    home.join().unwrap();
}

#[test]
fn we_connect_again_when_the_peer_was_killed() {
    let listener = TcpListener::bind(loopback()).unwrap();
    let address = listener.local_addr().unwrap();
    let mut peer = plain(1, address);
    peer.source = Some("127.0.0.7".parse().unwrap());
    let net = start(Wish { workers: 2, peers: vec![peer], ..Wish::default() });
    let mut asker = net.join(0);
    for round in 0..3 {
        let (stream, from) = listener.accept().unwrap();
        assert_eq!(from.ip().to_string(), "127.0.0.7");
        let mut home = Peer::new(stream);
        assert_eq!(home.frame().unwrap()[..6], frame(b'H', 1, 0, 0, &[])[..6]);
        home.send(&frame(b'H', 9, 0, 0, &[]));
        net.wait_up(1, true);
        asker.send(&frame(b'?', 1, round, 3, b"again"));
        let mut request = home.frame().unwrap();
        request[4] = b'!';
        home.send(&request);
        assert_eq!(label(&asker.frame().unwrap()), round);
        // One more, which dies with the connection and is answered all the same.
        asker.send(&frame(b'?', 1, 100 + round, 3, b"lost"));
        home.frame().unwrap();
        socket2::SockRef::from(&home.stream).set_linger(Some(Duration::ZERO)).unwrap();
        drop(home);
        let answer = asker.frame().unwrap();
        assert_eq!((label(&answer), &answer[HEAD..]), (100 + round, &b"unroutable"[..]));
    }
    let status = net.board.status(LinkId(1)).unwrap();
    assert!(status.counters.ups == 3 && status.counters.connections >= 3, "{status:?}");
    drop(listener);
    wait_until("a failed attempt", || {
        net.board.status(LinkId(1)).is_some_and(|status| status.counters.connect_failures > 0)
    });
    assert!(net.running.stop(Duration::from_millis(100)));
}

#[test]
fn stopping_lets_open_exchanges_finish_and_parts_in_order() {
    let net = start(Wish { workers: 2, ..Wish::default() });
    let (mut asker, mut home) = (net.join(0), net.join(1));
    asker.send(&frame(b'?', 1, 1, 1, b"open"));
    let mut request = home.frame().unwrap();
    let running = net.running;
    let stopping = thread::spawn(move || running.stop(Duration::from_secs(5)));
    // The door is closed at once; what is new is refused, what is open goes on.
    thread::sleep(Duration::from_millis(100));
    assert!(std::net::TcpStream::connect(net.address).is_err());
    asker.send(&frame(b'?', 1, 2, 2, b"late"));
    let refused = asker.frame().unwrap();
    assert_eq!((label(&refused), &refused[HEAD..]), (2, &b"congestion"[..]));
    assert!(!stopping.is_finished());
    request[4] = b'!';
    home.send(&request);
    assert_eq!(label(&asker.frame().unwrap()), 1);
    for peer in [&mut asker, &mut home] {
        assert_eq!(peer.frame().unwrap()[4], b'B');
        assert!(peer.rest().unwrap().is_empty(), "ended, not reset");
    }
    drop((asker, home));
    assert!(stopping.join().unwrap());
    assert_eq!(net.records.lock().unwrap().len(), 2);
}
