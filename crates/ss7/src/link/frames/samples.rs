//! Every message that a link's machine originates, with its bytes: for other judges too.

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

const BYTES: &str = "\
ERR 010000000000002400 0c000800000019 00060008000000670007000c0100040100000008
NTFY AS-ACTIVE 0100000100000018 000d000800010003 0006000800000065
NTFY insufficient 0100000100000018 000d000800020001 0006000800000065
NTFY alternate 0100000100000010 000d000800020002
ASPUP 0100030100000010 0011000800000005
ASPUP ACK 0100030400000008
ASPDN 0100030200000008
ASPDN ACK 0100030500000008
BEAT 0100030300000014 0009000c0102030405060708
BEAT ACK 0100030600000010 0009000761626300
ASPAC 010004010000001c 000b000800000002 0006000c0000006500000066
ASPAC ACK 0100040300000018 000b000800000002 0006000800000065
ASPIA 0100040200000010 0006000800000065
ASPIA ACK 0100040400000010 0006000800000065
DUNA 0100020100000024 0200000800000007 0006000c0000006500000066 0012000800001001
DAVA 0100020200000028 0200000800000007 0006000c0000006500000066 0012000c0000100100001002
DAUD 0100020300000010 0012000803001001
SCON 010002040000002c 0200000800000007 0006000c0000006500000066 0012000800001001 0205000800000002
DUPU 010002050000002c 0200000800000007 0006000c0000006500000066 0012000800001001 0204000800010005
REG RSP 0100090200000040 0208001c 020a000800000009 0212000800000000 0006000800000065 \
0208001c 020a000800000009 0212000800000002 0006000800000000
DEREG RSP 010009040000001c 02090014 0006000800000065 0213000800000005
";

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
