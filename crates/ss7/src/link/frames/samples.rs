//! Every message that a link's machine originates, with its bytes.

use super::*;
use crate::view::m3ua::error;

/// Each message's name and bytes.
pub(crate) fn samples() -> Vec<(&'static str, Vec<u8>)> {
    let flow = Flow { appearance: Some(7), contexts: vec![101, 102] };
    let outcome = |status, context| Outcome { key: 9, status, context };
    let modes = Some(TrafficMode::Loadshare);
    vec![
        ("ERR", error(error::INVALID_CONTEXT, &[103], &[1, 0, 4, 1, 0, 0, 0, 8])),
        ("NTFY AS-ACTIVE", notify(Status::Server(3), Some(101))),
        ("NTFY insufficient", notify(Status::Insufficient, Some(101))),
        ("NTFY alternate", notify(Status::Alternate, None)),
        ("ASPUP", up(Some(5))),
        ("ASPUP ACK", bare(Kind::ASP_UP_ACK)),
        ("ASPDN", bare(Kind::ASP_DOWN)),
        ("ASPDN ACK", bare(Kind::ASP_DOWN_ACK)),
        ("BEAT", beat(Kind::BEAT, Some(&[1, 2, 3, 4, 5, 6, 7, 8]))),
        ("BEAT ACK", beat(Kind::BEAT_ACK, Some(b"abc"))),
        ("ASPAC", traffic(Kind::ASP_ACTIVE, modes, &[101, 102])),
        ("ASPAC ACK", traffic(Kind::ASP_ACTIVE_ACK, modes, &[101])),
        ("ASPIA", traffic(Kind::ASP_INACTIVE, None, &[101])),
        ("ASPIA ACK", traffic(Kind::ASP_INACTIVE_ACK, None, &[101])),
        ("DUNA", destinations(Kind::DUNA, &flow, &[0x1001])),
        ("DAVA", destinations(Kind::DAVA, &flow, &[0x1001, 0x1002])),
        ("DAUD", destinations(Kind::DAUD, &Flow::default(), &[0x0300_1001])),
        ("SCON", congestion(&flow, PointCode(0x1001), Some(2))),
        ("DUPU", user_part(&flow, PointCode(0x1001), 5)),
        ("REG RSP", registered(&[outcome(0, 101), outcome(2, 0)])),
        ("DEREG RSP", deregistered(&[outcome(5, 101)])),
    ]
}

/// Written by hand; the workspace's tests show the same file to tshark and pycrate.
const BYTES: &str = include_str!("samples.txt");

#[test]
fn every_message_by_hand() {
    let samples = samples();
    assert_eq!(samples.len(), BYTES.lines().count());
    for ((name, bytes), line) in samples.iter().zip(BYTES.lines()) {
        let by_hand = line.strip_prefix(name).expect("in order").replace(' ', "");
        let hex: String = bytes.iter().map(|octet| format!("{octet:02x}")).collect();
        assert_eq!(hex, by_hand, "{name}");
        assert!(crate::view::m3ua::Message::new(bytes).is_ok(), "{name}");
    }
}
