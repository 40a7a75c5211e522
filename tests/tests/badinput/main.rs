//! Bad input over real sockets: whatever one peer says, the gateway neither ends nor grows, counts
//! and records the reason, and the others notice nothing.
#![allow(
    clippy::disallowed_methods,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used,
    reason = "a test opens sockets and fails by panicking"
)]

mod raw;
mod signalling;
mod trial;

use std::io::{ErrorKind, Write};
use std::time::{Duration, Instant};

use sim::diameter::parse::Outcome;
use sim::diameter::{avp, s6a};
use tests::children::eventually;
use tests::world;

use raw::{PATIENCE, Raw, made_of, outcome};
use trial::{BAD_HSS, BAD_MME, GOOD_HSS, Trial};

/// What is done to a good frame.
type Harm = fn(&mut Vec<u8>);

/// The frames that no connection survives: no next frame can be found behind them.
#[test]
fn frames_without_an_end_close_the_connection() {
    let trial = Trial::new("frames_without_an_end");
    let broken: [(&str, Harm); 5] = [
        ("is not 1", |frame| frame[0] = 2),
        ("exceeds the limit of a frame", |frame| frame[1] = 0xff),
        ("is shorter than the header", |frame| frame[1..4].copy_from_slice(&[0, 0, 16])),
        ("is not a multiple of four", |frame| frame[3] |= 1),
        // Garbage behind a good frame.
        ("is not 1", |frame| frame.extend(b"GET / HTTP/1.1\r\n\r\n")),
    ];
    for (why, harm) in broken {
        let mut bad = Raw::introduced(trial.to(), BAD_MME);
        let mut frame = bad.ulr();
        harm(&mut frame);
        bad.send(&frame);
        assert!(bad.is_closed(PATIENCE), "closed because it {why}");
        trial.malformed(why);
    }
    assert_eq!(trial.counter(BAD_MME, "malformed_in"), 5);
    trial.end();
}

/// A frame whose end is known costs only itself: it is answered, and the next one passes.
#[test]
fn frames_that_contradict_themselves_are_answered() {
    let trial = Trial::new("frames_that_contradict_themselves");
    let mut bad = Raw::introduced(trial.to(), BAD_MME);
    let mut judge = |what: &str, frame: &[u8], expected: u32| {
        bad.send(frame);
        let answer = bad.frame().unwrap_or_else(|| panic!("{what}: closed"));
        let Outcome::Base(code) = outcome(&answer) else { panic!("{what}: no Result-Code") };
        assert_eq!(code, expected, "{what}");
    };
    let origin = |m: &mut sim::diameter::build::Message<'_>| {
        m.bytes(avp::SESSION_ID, b"s;1").bytes(avp::ORIGIN_HOST, BAD_MME.as_bytes());
        m.bytes(avp::ORIGIN_REALM, world::VISITED_REALM.as_bytes());
    };
    let mut long = made_of(origin);
    long[20 + 5] = 0xff;
    judge("an AVP longer than its message", &long, 5014);
    let mut short = made_of(origin);
    short[20 + 7] = 3;
    judge("an AVP shorter than its header", &short, 5014);
    let many = made_of(|m| {
        origin(m);
        for _ in 0..5_000 {
            m.optional(9_999, b"");
        }
    });
    judge("five thousand AVPs", &many, 5009);
    let twice = made_of(|m| {
        origin(m);
        m.bytes(avp::ORIGIN_HOST, GOOD_HSS.as_bytes());
    });
    judge("two Origin-Hosts", &twice, 5009);
    let nobody = made_of(|m| {
        m.bytes(avp::SESSION_ID, b"s;1");
    });
    judge("no origin", &nobody, 5005);
    let mut both = made_of(origin);
    both[4] |= 0x20;
    judge("both R and E", &both, 3008);
    let good = bad.ulr();
    bad.send(&good);
    assert_eq!(outcome(&bad.frame().unwrap()), Outcome::Base(2001), "the connection still serves");
    trial.malformed("is one more than the limit");
    trial.malformed("occurs a second time");
    assert_eq!(trial.counter(BAD_MME, "malformed_in"), 6);
    trial.end();
}

#[test]
fn truncated_frames_are_forgotten_with_their_connection() {
    let trial = Trial::new("truncated_frames");
    for octets in [1, 3, 4, 19, 20, 60] {
        let mut bad = Raw::introduced(trial.to(), BAD_MME);
        let frame = bad.ulr();
        bad.send(&frame[..octets]);
        bad.leave();
        assert!(bad.is_closed(PATIENCE));
    }
    let mut bad = Raw::introduced(trial.to(), BAD_MME);
    let good = bad.ulr();
    bad.send(&good);
    assert_eq!(outcome(&bad.frame().unwrap()), Outcome::Base(2001), "it may come back");
    trial.end();
}

#[test]
fn strange_introductions_are_turned_away() {
    let trial = Trial::new("strange_introductions");
    let cer = |hosts: &[&str]| {
        let mut frame = made_of(|m| {
            for host in hosts {
                m.bytes(avp::ORIGIN_HOST, host.as_bytes());
            }
            m.bytes(avp::ORIGIN_REALM, world::VISITED_REALM.as_bytes());
        });
        // The header of a CER.
        frame[4..12].copy_from_slice(&[0x80, 0, 1, 1, 0, 0, 0, 0]);
        frame
    };
    let garbage = b"GET / HTTP/1.1\r\nHost: gateway\r\n\r\n".to_vec();
    let ulr = Raw::connect(trial.to(), "127.0.0.1", BAD_MME).unwrap().ulr();
    let oversized = cer(&vec!["x".repeat(250).as_str(); 100]);
    for hello in [cer(&[BAD_MME; 64]), cer(&["nobody.visited.lab"]), garbage, ulr, oversized] {
        let before = trial.door(|why| why != "admitted");
        let mut bad = Raw::connect(trial.to(), "127.0.0.1", "any.visited.lab").unwrap();
        bad.send(&hello);
        assert!(bad.is_closed(PATIENCE), "turned away");
        assert_eq!(trial.door(|why| why != "admitted"), before + 1, "and counted");
    }
    trial.end();
}

/// A peer that asks and never reads what it is told, and one that never reads what it is asked.
#[test]
fn peers_that_never_read_hold_nobody_up() {
    let trial = Trial::new("peers_that_never_read");
    let _deaf_hss = Raw::introduced(trial.to(), BAD_HSS);
    let mut deaf_mme = Raw::introduced(trial.to(), BAD_MME);
    deaf_mme.stream.set_write_timeout(Some(Duration::from_millis(300))).unwrap();
    let batch: Vec<u8> =
        (0..200).flat_map(|n| deaf_mme.ulr_to((n % 2 == 0).then_some(BAD_HSS))).collect();
    let until = Instant::now() + Duration::from_secs(6);
    let mut sent = 0_usize;
    while Instant::now() < until {
        match deaf_mme.stream.write(&batch[sent % batch.len()..]) {
            Ok(octets) => sent += octets,
            Err(error) if error.kind() == ErrorKind::WouldBlock => {}
            Err(_) => break,
        }
    }
    println!("{sent} octets written by a peer that never reads");
    trial.end();
}

#[test]
fn a_byte_a_second_is_too_slow_for_the_door_and_harmless_behind_it() {
    let trial = Trial::new("a_byte_a_second");
    let mut knocking = Raw::connect(trial.to(), "127.0.0.1", BAD_HSS).unwrap();
    let mut inside = Raw::introduced(trial.to(), BAD_MME);
    let (cer, ulr) = (knocking.peer.cer(), inside.ulr());
    let mut turned_away = false;
    for at in 0..8 {
        turned_away |= knocking.stream.write_all(&cer[at..=at]).is_err();
        inside.send(&ulr[at..=at]);
        std::thread::sleep(Duration::from_secs(1));
    }
    assert!(turned_away || knocking.is_closed(PATIENCE), "a caller has to come to the point");
    assert!(trial.door(|why| why.contains("slow")) >= 1, "{:#}", trial.daemon.peers());
    inside.send(&ulr[8..]);
    assert_eq!(outcome(&inside.frame().unwrap()), Outcome::Base(2001), "whole at last");
    trial.end();
}

/// From an address that no peer has, and from one that peers have but without a word.
#[test]
fn ten_thousand_connections_cost_no_one_else() {
    let trial = Trial::new("ten_thousand_connections");
    const CONNECTIONS: usize = 10_000;
    /// Held open at the same time: what fits into this process.
    const HELD: usize = 1_500;
    let mut held = std::collections::VecDeque::new();
    for number in 0..CONNECTIONS {
        let source = if number % 2 == 0 { "127.0.0.77" } else { "127.0.0.1" };
        if let Ok(stranger) = Raw::connect(trial.to(), source, "nobody.visited.lab") {
            held.push_back(stranger);
        }
        if held.len() > HELD {
            held.pop_front();
        }
    }
    drop(held);
    let wanted = CONNECTIONS as u64 * 9 / 10;
    let counted = eventually(PATIENCE, || {
        let turned_away = trial.door(|why| why != "admitted");
        (turned_away >= wanted).then_some(turned_away)
    });
    assert!(counted.is_some(), "every one is counted: {:#}", trial.daemon.peers()["door"]);
    trial.end();
}

#[test]
fn answers_that_nobody_asked_for_go_nowhere() {
    let trial = Trial::new("answers_nobody_asked_for");
    let mut bad = Raw::introduced(trial.to(), BAD_HSS);
    let mut asker = Raw::connect(trial.to(), "127.0.0.1", BAD_MME).unwrap();
    for _ in 0..10 {
        let answer = raw::accept(BAD_HSS, &asker.ulr());
        bad.send(&answer);
    }
    trial.record("a stray", |record| record["finish"] == "stray" && record["from"] == BAD_HSS);
    let counted =
        eventually(PATIENCE, || (trial.counter(BAD_HSS, "strays_in") == 10).then_some(()));
    assert!(counted.is_some(), "{:#}", trial.daemon.peers());
    trial.end();
}

/// The strongest guess there is: another peer knows the Hop-by-Hop and End-to-End Identifiers of an
/// exchange that waits for somebody else's answer.
#[test]
fn an_answer_from_the_wrong_peer_is_a_stray() {
    let trial = Trial::new("an_answer_from_the_wrong_peer");
    let mut slow = Raw::introduced(trial.to(), BAD_HSS);
    let mut thief = Raw::introduced(trial.to(), BAD_MME);
    let request = thief.ulr_to(Some(BAD_HSS));
    // The good pair's MME is busy, so the thief asks as well and answers itself.
    thief.send(&request);
    let asked = slow.frame().unwrap();
    let forged = raw::accept(BAD_HSS, &asked);
    thief.send(&forged);
    trial.record("the forged answer", |record| {
        record["finish"] == "stray" && record["from"] == BAD_MME
    });
    slow.send(&raw::accept(BAD_HSS, &asked));
    assert_eq!(outcome(&thief.frame().unwrap()), Outcome::Base(2001), "the true answer passes");
    slow.send(&raw::accept(BAD_HSS, &asked));
    trial.record("the second answer", |record| {
        record["finish"] == "stray" && record["from"] == BAD_HSS
    });
    trial.end();
}

#[test]
fn nobody_speaks_for_another_realm() {
    let trial = Trial::new("nobody_speaks_for_another_realm");
    let mut bad = Raw::introduced(trial.to(), BAD_MME);
    let me = sim::Identity::new(GOOD_HSS);
    let request = s6a::Request {
        me: &me,
        session: "hss1.home.lab;1;1",
        realm: world::HOME_REALM,
        host: None,
        imsi: &world::imsi(1),
        visited: world::ELSEWHERE.parse::<sim::Plmn>().unwrap().octets(),
        rat: s6a::EUTRAN,
    };
    let mut frame = Vec::new();
    request.clr(&mut frame, (5, 5));
    bad.send(&frame);
    assert_eq!(outcome(&bad.frame().unwrap()), Outcome::Base(5003));
    trial.record("a spoofed realm", |record| {
        record["provenance"] == "screening" && record["from"] == BAD_MME
    });
    trial.end();
}
