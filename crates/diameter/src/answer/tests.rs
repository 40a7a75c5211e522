use procedure::Layer;
use relay::Stack;

use super::*;
use crate::samples;

fn codes(frame: &[u8]) -> Vec<u32> {
    let stack = samples::diameter();
    let view = stack.view(frame).expect("our own answers are sound");
    view.avps().map(|avp| avp.code).collect()
}

fn answered(frame: &[u8], refusal: Refusal) -> (Vec<u8>, Code) {
    let stack = samples::diameter();
    let mut out = Vec::new();
    let code = stack.answer(&stack.view(frame).expect("a sound frame"), refusal, &mut out);
    let view = stack.view(&out).expect("our own answers are sound");
    assert_eq!(stack.outcome(&view), (code, false), "the code that was said");
    let header = Header::read(frame).expect("a header");
    assert_eq!(view.header.hop_by_hop, header.hop_by_hop);
    assert_eq!(view.header.end_to_end, header.end_to_end);
    assert_eq!(view.header.command, header.command);
    assert_eq!(view.header.application, header.application);
    assert_eq!(view.origin_host, Some(&b"gw.ipx.lab"[..]));
    assert_eq!(view.origin_realm, Some(&b"ipx.lab"[..]));
    (out, code)
}

//= TS 29.272 §7.2.4
#[test]
fn a_steered_ulr_hears_roaming_not_allowed() {
    let (out, code) = answered(&samples::ulr(), Refusal::RoamingNotAllowed);
    assert_eq!(code, experimental(5004));
    assert_eq!(out[4], PROXIABLE);
    assert_eq!(codes(&out), [263, 260, 297, 277, 264, 296]);
}

//= RFC 6733 §7.2
#[test]
fn a_protocol_error_has_the_error_flag() {
    let (out, code) = answered(&samples::ulr(), Refusal::Congestion);
    assert_eq!((code, out[4]), (Code::Base(3004), PROXIABLE | ERROR));
    assert_eq!(codes(&out), [263, 268, 264, 296]);
    let (out, code) = answered(&samples::ulr(), Refusal::SystemFailure);
    assert_eq!((code, out[4]), (Code::Base(5012), PROXIABLE));
    assert_eq!(codes(&out), [263, 260, 268, 277, 264, 296]);
}

#[test]
fn what_the_standard_does_not_know_becomes_a_base_code() {
    let mut air = samples::ulr();
    air[7] = 62; // 318
    assert_eq!(answered(&air, Refusal::RoamingNotAllowed).1, Code::Base(5003));
    assert_eq!(answered(&air, Refusal::UnknownSubscriber).1, experimental(5001));
    let mut other = samples::ulr();
    other[8..12].copy_from_slice(&77_u32.to_be_bytes());
    let (out, code) = answered(&other, Refusal::UnknownSubscriber);
    assert_eq!(code, Code::Base(5003));
    assert_eq!(codes(&out), [263, 268, 264, 296], "nothing of S6a's grammar");
}

//= RFC 6733 §6.2
#[test]
fn proxies_get_their_state_back_in_order() {
    let stack = samples::diameter();
    let avps: [(u32, &[u8]); 5] =
        [(263, b"s;1"), (264, b"m"), (296, b"r"), (284, b"first"), (284, b"two")];
    let frame = samples::message(0xc0, 9, (1, 2), &avps);
    let mut frame = frame;
    frame[11] = 9;
    let view = stack.view(&frame).expect("a sound frame");
    let mut out = Vec::new();
    let _ = stack.answer(&view, Refusal::Unroutable, &mut out);
    let view = stack.view(&out).expect("sound");
    let states: Vec<_> = view.avps().filter(|avp| avp.code == 284).map(|avp| avp.data).collect();
    assert_eq!(states, [&b"first"[..], &b"two"[..]]);
}

/// What [`complain`] says of a frame that the view refuses.
fn complained(frame: &[u8]) -> (Malformed, Code, Vec<u8>) {
    let stack = samples::diameter();
    let malformed = stack.view(frame).expect_err("not a sound frame");
    let mut out = Vec::new();
    let code = stack.complain(frame, &malformed, &mut out);
    (malformed, code, out)
}

/// The one AVP inside the Failed-AVP.
fn failed(answer: &[u8]) -> (u32, Vec<u8>) {
    let stack = samples::diameter();
    let view = stack.view(answer).expect("our own answers are sound");
    let group = view.avps().find(|avp| avp.code == code::FAILED_AVP).expect("a Failed-AVP");
    let inner = Avps::new(group.data, 0).next().expect("one").expect("sound");
    (inner.code, inner.data.to_vec())
}

//= RFC 6733 §7.1.5
#[test]
fn complaints_name_what_offends() {
    // User-Name, 15 octets of data, stands at 164; its length at 169.
    let mut frame = samples::ulr();
    let at = frame.windows(4).position(|four| four == [0, 0, 0, 1]).filter(|at| *at > 20);
    let at = at.or_else(|| frame.windows(8).position(|w| w == [0, 0, 0, 1, 0x40, 0, 0, 0x17]));
    let at = at.expect("User-Name");
    frame[at + 7] = 3;
    let (malformed, code, out) = complained(&frame);
    assert_eq!((malformed.code, malformed.offset as usize), (5014, at));
    assert_eq!(code, Code::Base(5014));
    assert_eq!(failed(&out), (1, Vec::new()));

    let frame = samples::message(0xc0, 9, (1, 2), &[(263, b"s;1"), (296, b"r")]);
    let mut frame = frame;
    frame[11] = 9;
    let (malformed, code, out) = complained(&frame);
    assert_eq!((malformed.field, code), ("Origin-Host", Code::Base(5005)));
    assert_eq!(failed(&out), (264, Vec::new()));

    let twice = [(264, &b"m"[..]), (264, b"n"), (296, b"r")];
    let mut frame = samples::message(0xc0, 9, (1, 2), &twice);
    frame[11] = 9;
    let (_, code, out) = complained(&frame);
    assert_eq!((code, failed(&out)), (Code::Base(5009), (264, b"n".to_vec())));
}

#[test]
fn flags_that_contradict_are_protocol_errors() {
    let mut frame = samples::ulr();
    frame[4] = 0xe0;
    let (malformed, code, out) = complained(&frame);
    assert_eq!((malformed.offset, code, out[4]), (4, Code::Base(3008), PROXIABLE | ERROR));
    let mut frame = samples::ulr();
    frame[4] = 0x80;
    assert_eq!(complained(&frame).1, Code::Base(3007), "not to be relayed");
}

#[test]
fn answers_and_strangers_are_not_answered() {
    let stack = samples::diameter();
    let malformed =
        Malformed { layer: Layer::Diameter, field: "x", offset: 0, why: "x", code: 5014 };
    let mut answer = samples::ulr();
    answer[4] = 0x40;
    let mut version = samples::ulr();
    version[0] = 2;
    for frame in [&answer[..], &version[..], &[1, 0, 0], &[]] {
        let mut out = Vec::new();
        assert_eq!(stack.complain(frame, &malformed, &mut out), Code::None);
        assert!(out.is_empty());
    }
}

/// Prints our messages as hex for an outside judge (`text2pcap -T 3868,3868`, `tshark -V`).
#[test]
#[ignore = "prints for people"]
fn show() {
    let show = |name: &str, frame: &[u8]| {
        let hex: String = frame.iter().map(|octet| format!("{octet:02x}")).collect();
        println!("FRAME {name} {hex}");
    };
    for refusal in Refusal::ALL {
        show(refusal.name(), &answered(&samples::ulr(), refusal).0);
    }
    let mut frame = samples::ulr();
    frame[48 + 7] = 0xff;
    show("complaint", &complained(&frame).2);
    let shared = Shared::new(samples::config());
    show("cer", &crate::link::capabilities::request(&shared, 1, 2));
    let cer = samples::cer("mme1.visited.lab", "visited.lab");
    let header = Header::read(&cer).expect("a header");
    show("cea", &crate::link::capabilities::accept(&shared, &header));
    show("cea-lost", &crate::link::capabilities::lose(&shared, &header));
}
