//! The codec against a message made by another implementation, and against bytes that are none.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test may stop by panicking")]

use sim::diameter::build::{Head, Message as Build};
use sim::diameter::parse::{Malformed, Message, Outcome, frame_length};
use sim::diameter::{avp, s6a};
use sim::{Identity, Plmn};

/// `dia_ulr_python_diameter` of the laboratory's vectors: python-diameter's ULR, agreed by tshark.
const ULR: &str = "010000e0c000013c000000000000000100000002000001074000001c6d6d65312e7669736974\
65642e6c61623b313b3100000104400000200000010a4000000c000028af000001024000000c0100002300000115400000\
0c0000000100000108400000186d6d65312e766973697465642e6c61620000012840000013766973697465642e6c616200\
0000011b40000010686f6d652e6c616200000001400000173231343037303030303030303030310000000408c000001000\
0028af000003ec0000057dc0000010000028af000000220000057fc000000f000028af12f47000";

fn hex(text: &str) -> Vec<u8> {
    let digit = |b: u8| u8::try_from(char::from(b).to_digit(16).unwrap()).unwrap();
    text.as_bytes().chunks(2).map(|two| digit(two[0]) << 4 | digit(two[1])).collect()
}

#[test]
fn another_implementations_ulr_round_trips() {
    let wire = hex(ULR);
    assert_eq!(frame_length(&wire), Ok(Some(wire.len())));
    let parsed = Message::parse(&wire).unwrap();
    assert!(parsed.is_request());
    assert_eq!((parsed.command, parsed.hop_by_hop, parsed.end_to_end), (316, 1, 2));
    assert_eq!(parsed.find(avp::USER_NAME), Some(&b"214070000000001"[..]));
    let visited = parsed.avps().flatten().find(|a| a.is_3gpp(avp::VISITED_PLMN_ID)).unwrap();
    assert_eq!(visited.data, "21407".parse::<Plmn>().unwrap().octets());

    let mut again = Vec::new();
    let head = Head {
        flags: parsed.flags,
        command: parsed.command,
        application: parsed.application,
        hop_by_hop: parsed.hop_by_hop,
        end_to_end: parsed.end_to_end,
    };
    let mut message = Build::new(&mut again, head);
    for found in parsed.avps().map(Result::unwrap) {
        match (found.vendor, found.code) {
            (0, avp::VENDOR_SPECIFIC_APPLICATION_ID) => message.group(found.code, |m| {
                for inner in found.children().map(Result::unwrap) {
                    m.number(inner.code, inner.number().unwrap());
                }
            }),
            (0, code) => message.bytes(code, found.data),
            (_, code) => message.bytes_3gpp(code, found.data),
        };
    }
    message.finish();
    assert_eq!(again, wire);
}

#[test]
fn our_ulr_says_what_the_other_implementations_does() {
    let theirs = hex(ULR);
    let theirs = Message::parse(&theirs).unwrap();
    let me = Identity::new("mme1.visited.lab");
    let request = s6a::Request {
        me: &me,
        session: "mme1.visited.lab;1;1",
        realm: "home.lab",
        host: None,
        imsi: "214070000000001",
        visited: "21407".parse::<Plmn>().unwrap().octets(),
        rat: s6a::EUTRAN,
    };
    let mut bytes = Vec::new();
    request.ulr(&mut bytes, (1, 2));
    let ours = Message::parse(&bytes).unwrap();
    let (mut a, mut b) = (Vec::new(), Vec::new());
    ours.avps().flatten().for_each(|x| a.push((x.code, x.vendor, x.data.to_vec())));
    theirs.avps().flatten().for_each(|x| b.push((x.code, x.vendor, x.data.to_vec())));
    b.retain(|x| x.0 != avp::VENDOR_SPECIFIC_APPLICATION_ID);
    a.sort();
    b.sort();
    assert_eq!(a, b);
}

#[test]
fn results_are_told_apart() {
    let me = Identity::new("hss1.home.lab");
    let wire = hex(ULR);
    let request = Message::parse(&wire).unwrap();
    for expected in [Outcome::Base(5004), Outcome::Experimental(5004)] {
        let mut out = Vec::new();
        s6a::Tail::plain(&me, expected).answer(&mut out, &request, b"s;1;1");
        let answer = Message::parse(&out).unwrap();
        let found: Vec<_> = answer.avps().flatten().filter_map(|a| Outcome::of(&a)).collect();
        assert_eq!(found, [expected]);
        assert!(!answer.is_request());
        assert_eq!((answer.hop_by_hop, answer.end_to_end), (1, 2));
    }
}

#[test]
fn every_truncation_and_flipped_byte_is_read_without_a_panic() {
    let wire = hex(ULR);
    for length in 0..wire.len() {
        assert!(Message::parse(&wire[..length]).is_err());
    }
    for at in 0..wire.len() {
        for value in [0, 1, 0x7f, 0xff] {
            let mut bytes = wire.clone();
            bytes[at] = value;
            if let Ok(message) = Message::parse(&bytes) {
                let read = message.avps().flatten().map(|a| a.children().flatten().count());
                assert!(read.sum::<usize>() < bytes.len());
            }
        }
    }
}

#[test]
fn impossible_lengths_are_named() {
    assert_eq!(frame_length(&[1, 0, 0]), Ok(None));
    assert_eq!(frame_length(&[2, 0, 0, 20]), Err(Malformed::Version(2)));
    assert_eq!(frame_length(&[1, 0, 0, 16]), Err(Malformed::Length(16)));
    assert_eq!(frame_length(&[1, 0, 0, 22]), Err(Malformed::Length(22)));
    assert_eq!(frame_length(&[1, 0xff, 0xff, 0xfc]), Err(Malformed::Length(0x00ff_fffc)));
}
