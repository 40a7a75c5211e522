use procedure::{LinkId, StackId, Time};
use relay::Stack;

use super::*;
use crate::samples;
use crate::view::code;

fn arrival(link: LinkId) -> Arrival {
    Arrival { link, time: Time(5), stack: StackId(0) }
}

/// A copy with the data of the first outer AVP of this code overwritten.
fn with(mut frame: Vec<u8>, code: u32, data: &[u8]) -> Vec<u8> {
    let stack = samples::diameter();
    let view = stack.view(&frame).expect("a sound frame");
    let avp = view.avps().find(|avp| avp.code == code).expect("the AVP");
    assert_eq!(avp.data.len(), data.len());
    let at = avp.data.as_ptr() as usize - frame.as_ptr() as usize;
    frame[at..at + data.len()].copy_from_slice(data);
    frame
}

//= TS 29.272 §5.2.1.1
#[test]
fn a_ulr_is_a_registration() {
    let stack = samples::diameter();
    let frame = samples::ulr();
    let view = stack.view(&frame).expect("a sound frame");
    let is = stack.describe(&view, &arrival(samples::MME));
    assert_eq!((is.act, is.domain, is.access), (Act::Register, Domain::Eps, Access::FourG));
    assert_eq!((is.application, is.operation), (S6A, 316));
    assert_eq!(is.imsi, "214070000000001".parse().ok());
    assert_eq!(is.visited, "21407".parse().ok());
    assert_eq!((is.origin.host, is.origin.realm), (&b"mme1.visited.lab"[..], &b"visited.lab"[..]));
    assert_eq!((is.destination.host, is.destination.realm), (&b""[..], &b"home.lab"[..]));
    assert_eq!((is.named, is.repeat, is.looped, is.initial), (None, false, false, true));
    assert!(!is.spoofed);
    assert_eq!((is.from, is.arrived), (samples::MME, Time(5)));
}

//= TS 29.272 §7.3.7
#[test]
fn an_sgsn_registers_for_ps() {
    let stack = samples::diameter();
    let read = |flags: u32, rat: u32| {
        let frame = with(samples::ulr(), code::ULR_FLAGS, &flags.to_be_bytes());
        let frame = with(frame, code::RAT_TYPE, &rat.to_be_bytes());
        let view = stack.view(&frame).expect("a sound frame");
        let is = stack.describe(&view, &arrival(samples::MME));
        (is.domain, is.access, is.initial)
    };
    assert_eq!(read(0, 1000), (Domain::Ps, Access::ThreeG, false));
    assert_eq!(read(0x20, 1001), (Domain::Ps, Access::TwoG, true));
    assert_eq!(read(2, 1000), (Domain::Eps, Access::ThreeG, false), "a combined MME and SGSN");
    assert_eq!(read(0, 1004), (Domain::Eps, Access::FourG, false), "no SGSN serves E-UTRAN");
    assert_eq!(read(2, 1005), (Domain::Eps, Access::FourG, false));
    assert_eq!(read(2, 1006), (Domain::Eps, Access::FiveG, false));
    assert_eq!(read(2, 77), (Domain::Eps, Access::Unknown, false));
}

#[test]
fn commands_are_acts() {
    let expected = [
        (316, Act::Register),
        (317, Act::Deregister),
        (318, Act::Authenticate),
        (319, Act::Provision),
        (320, Act::Provision),
        (321, Act::Purge),
        (322, Act::Recover),
        (323, Act::Notify),
        (324, Act::Transit),
    ];
    for (command, act) in expected {
        assert_eq!(s6a::act(command), act);
    }
}

#[test]
fn a_sender_that_speaks_for_others_is_found_out() {
    let stack = samples::diameter();
    let frame = samples::ulr();
    let view = stack.view(&frame).expect("a sound frame");
    assert!(stack.describe(&view, &arrival(samples::HSS)).spoofed);
    assert!(stack.describe(&view, &arrival(LinkId(9))).spoofed);
}

//= RFC 6733 §6.1.3
#[test]
fn what_was_here_before_is_looped() {
    let mut config = samples::config();
    config.origin_host = "MME1.visited.lab".into();
    let stack = crate::Diameter::new(config);
    let frame = samples::ulr();
    let view = stack.view(&frame).expect("a sound frame");
    assert!(stack.describe(&view, &arrival(samples::MME)).looped, "by its Origin-Host");

    let stack = samples::diameter();
    let mut onward = Vec::new();
    let passage =
        relay::Onward::Request { label: 1, asker: samples::MME, resent: false, hide_origin: false };
    stack.rewrite(&stack.view(&frame).expect("sound"), &passage, &mut onward);
    let mut config = samples::config();
    config.origin_host = "Mme1.visited.lab".into();
    assert!(crate::Diameter::new(config).view(&onward).expect("sound").routed);
    assert!(!stack.view(&onward).expect("sound").routed);
}

#[test]
fn a_repeat_is_the_same_exchange() {
    let stack = samples::diameter();
    let read = |frame: &[u8]| {
        let view = stack.view(frame).expect("a sound frame");
        let is = stack.describe(&view, &arrival(samples::MME));
        (is.exchange, is.repeat)
    };
    let first = samples::ulr();
    let mut second = first.clone();
    second[4] |= REPEATED;
    second[12..16].copy_from_slice(&[9; 4]); // Hop-by-Hop
    let mut other = first.clone();
    other[19] ^= 1; // End-to-End
    assert_eq!((read(&first).0, false, true), (read(&second).0, read(&first).1, read(&second).1));
    assert_ne!(read(&first).0, read(&other).0);
}

#[test]
fn results_of_both_kinds() {
    let read = |avps: &[(u32, &[u8])]| {
        let frame = samples::message(0, 316, (1, 1), avps);
        let stack = samples::diameter();
        stack.outcome(&stack.view(&frame).expect("a sound frame"))
    };
    assert_eq!(read(&[(268, &2001_u32.to_be_bytes())]), (Code::Base(2001), true));
    assert_eq!(read(&[(268, &3002_u32.to_be_bytes())]), (Code::Base(3002), false));
    assert_eq!(read(&[]), (Code::None, false));
    let group = [
        [0, 0, 1, 10, 0x40, 0, 0, 12, 0, 0, 0x28, 0xaf],
        [0, 0, 1, 42, 0x40, 0, 0, 12, 0, 0, 0x13, 0x8c],
    ];
    let expected = Code::Experimental { vendor: 10_415, code: 5004 };
    assert_eq!(read(&[(297, group.as_flattened())]), (expected, false));
    assert_eq!(read(&[(297, &[1, 2, 3])]), (Code::None, false));
}
