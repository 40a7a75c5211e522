//! The checker must notice every kind of fault that a relay can commit.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test may stop by panicking")]
#![allow(clippy::disallowed_methods, reason = "fake peers on real sockets")]

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::time::Duration;

use sim::check::{Checker, Verdict};
use sim::diameter::parse::{Message, Outcome, frame_length};
use sim::diameter::s6a::Tail;
use sim::diameter::{avp, base, command};
use sim::mme::{Live, Load, MmeConfig, run};
use sim::{Identity, ImsiRange};

/// Reads one message; `None` at the end of the stream.
fn read(stream: &mut TcpStream) -> Option<Vec<u8>> {
    let mut bytes = vec![0; 4];
    stream.read_exact(&mut bytes).ok()?;
    let length = frame_length(&bytes).unwrap()?;
    bytes.resize(length, 0);
    stream.read_exact(&mut bytes[4..]).ok()?;
    Some(bytes)
}

fn right_answer(me: &Identity, frame: &[u8]) -> Vec<u8> {
    let request = Message::parse(frame).unwrap();
    let mut out = Vec::new();
    match request.command {
        command::CAPABILITIES_EXCHANGE => {
            base::cea(&mut out, me, "127.0.0.1".parse().unwrap(), &request);
        }
        command::DISCONNECT_PEER => base::success(&mut out, me, &request),
        _ => {
            let session = request.find(avp::SESSION_ID).unwrap();
            Tail::plain(me, Outcome::Base(2001)).answer(&mut out, &request, session);
        }
    }
    out
}

fn later(mut stream: TcpStream, wait: Duration, bytes: Vec<u8>) {
    std::thread::spawn(move || {
        std::thread::sleep(wait);
        stream.write_all(&bytes).unwrap();
    });
}

/// Answers request `k`, counted from 0, in the way that `k` asks for.
fn misbehave(stream: &mut TcpStream, k: usize, mut answer: Vec<u8>) {
    let session_end =
        20 + 8 + Message::parse(&answer).unwrap().find(avp::SESSION_ID).unwrap().len();
    match k % 10 {
        1 => answer.extend_from_slice(&answer.clone()),
        2 => return,
        3 => answer[session_end - 1] ^= 1,
        4 => answer[19] ^= 1,
        5 => answer[7] ^= 2,
        6 if k < 60 => {
            return later(stream.try_clone().unwrap(), Duration::from_millis(250), answer);
        }
        6 => return,
        7 => answer[13] ^= 0x40,
        8 => answer[11] ^= 1,
        _ => {}
    }
    stream.write_all(&answer).unwrap();
}

fn config(to: SocketAddr, count: u64) -> MmeConfig {
    let imsi: ImsiRange = "214070000000000..214070000000099".parse().unwrap();
    let mut config = MmeConfig::new(to, "mme1.visited.lab", imsi, "23410".parse().unwrap());
    config.destination_realm = "home.lab".into();
    config.count = Some(count);
    config
}

#[test]
fn each_fault_is_counted_as_what_it_is() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let to = listener.local_addr().unwrap();
    let peer = std::thread::spawn(move || {
        let me = Identity::new("hss1.home.lab");
        let (mut stream, _) = listener.accept().unwrap();
        let mut k = 0;
        while let Some(frame) = read(&mut stream) {
            let answer = right_answer(&me, &frame);
            if Message::parse(&frame).unwrap().application == 0 {
                stream.write_all(&answer).unwrap();
            } else {
                misbehave(&mut stream, k, answer);
                k += 1;
            }
        }
    });
    let mut config = config(to, 100);
    config.load = Load::Rate(200.0);
    config.timeout = Duration::from_millis(200);
    let (_handle, stop) = sim::stop();
    let report = run(config, &stop, Arc::new(Live::default())).unwrap();
    peer.join().unwrap();
    assert_eq!(report.transactions, 100);
    assert_eq!(report.answered, 30, "{report}");
    assert_eq!(report.duplicated, 10, "{report}");
    assert_eq!(report.lost, 30, "{report}");
    assert_eq!(report.mismatched, 50, "{report}");
    assert_eq!(report.late, 6, "{report}");
    assert!(!report.is_clean());
}

#[test]
fn requests_on_a_dropped_connection_are_not_called_lost() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let to = listener.local_addr().unwrap();
    let peer = std::thread::spawn(move || {
        let me = Identity::new("hss1.home.lab");
        for limit in [50, usize::MAX] {
            let (mut stream, _) = listener.accept().unwrap();
            for _ in 0..limit {
                let Some(frame) = read(&mut stream) else { break };
                stream.write_all(&right_answer(&me, &frame)).unwrap();
            }
        }
    });
    let mut config = config(to, 1_000);
    config.load = Load::Window(10);
    let (_handle, stop) = sim::stop();
    let report = run(config, &stop, Arc::new(Live::default())).unwrap();
    peer.join().unwrap();
    assert_eq!(report.transactions, 1_000);
    assert!((1..=10).contains(&report.asker_gone), "{report}");
    assert_eq!(report.answered + report.asker_gone, 1_000, "{report}");
    assert!(report.is_clean(), "{report}");
}

/// An answer as a relay would pass it, to the request with these identifiers and session.
fn answer(ids: (u32, u32), session: &str) -> Vec<u8> {
    let me = Identity::new("hss1.home.lab");
    let request = sim::diameter::s6a::Request {
        me: &me,
        session,
        realm: "r",
        host: None,
        imsi: "1",
        visited: [0; 3],
        rat: 1004,
    };
    let mut bytes = Vec::new();
    request.ulr(&mut bytes, ids);
    right_answer(&me, &bytes)
}

#[test]
fn an_answer_on_the_wrong_connection_fits_nothing() {
    let mut one = Checker::new(1, 1_000, "mme1;7;");
    let mut two = Checker::new(2, 1_000, "mme2;7;");
    let ids = one.issue(command::UPDATE_LOCATION, 'a', 0, 0);
    two.issue(command::UPDATE_LOCATION, 'b', 0, 0);
    let bytes = answer((ids.hop_by_hop, ids.end_to_end), "mme1;7;0000000000");
    let message = Message::parse(&bytes).unwrap();
    assert_eq!(two.judge(&message, 5), Verdict::Mismatched(None));
    assert_eq!(one.judge(&message, 5), Verdict::Answered('a', Outcome::Base(2001)));
    assert_eq!(one.judge(&message, 6), Verdict::Duplicated);
    assert_eq!((one.outstanding(), two.outstanding()), (0, 1));
}

#[test]
fn swapped_answers_are_both_noticed() {
    let mut checker = Checker::new(0, 0, "m;1;");
    let a = checker.issue(command::UPDATE_LOCATION, 'a', 0, 0);
    let b = checker.issue(command::UPDATE_LOCATION, 'b', 0, 0);
    // Right Hop-by-Hop, the other's content.
    let first = answer((a.hop_by_hop, b.end_to_end), "m;1;0000000001");
    let second = answer((b.hop_by_hop, a.end_to_end), "m;1;0000000000");
    let verdict = checker.judge(&Message::parse(&first).unwrap(), 1);
    assert_eq!(verdict, Verdict::Mismatched(Some('a')));
    let verdict = checker.judge(&Message::parse(&second).unwrap(), 1);
    assert_eq!(verdict, Verdict::Mismatched(Some('b')));
    assert_eq!(checker.tally.mismatched, 2);
}

#[test]
fn late_is_told_from_lost_and_numbers_survive_the_wrap_of_24_bits() {
    let mut checker = Checker::new(3, u32::MAX - 5, "m;1;");
    let wrap = 1u64 << 24;
    for number in 0..wrap + 10 {
        let ids = checker.issue(command::UPDATE_LOCATION, number, number, number);
        if number < wrap - 1 {
            checker.expire(number + 1, 1, |_| {});
            continue;
        }
        let session = format!("m;1;{number:010}");
        let bytes = answer((ids.hop_by_hop, ids.end_to_end), &session);
        let verdict = checker.judge(&Message::parse(&bytes).unwrap(), number + 2);
        assert_eq!(verdict, Verdict::Answered(number, Outcome::Base(2001)));
    }
    assert_eq!(checker.tally.lost, wrap - 1);
    let mut checker = Checker::new(3, 0, "m;1;");
    let ids = checker.issue(command::UPDATE_LOCATION, (), 0, 0);
    checker.expire(10, 10, |()| {});
    let bytes = answer((ids.hop_by_hop, ids.end_to_end), "m;1;0000000000");
    let message = Message::parse(&bytes).unwrap();
    assert_eq!(checker.judge(&message, 11), Verdict::Late);
    assert_eq!(checker.judge(&message, 12), Verdict::Duplicated);
}
