use procedure::{LinkId, StackId, Time};
use proptest::prelude::*;
use relay::{Arrival, Caller, Exchange, Onward, Stack};

use super::*;
use crate::samples::{self, MME};

#[test]
fn the_vector_reads_as_it_was_written() {
    let stack = samples::diameter();
    let frame = samples::ulr();
    let view = stack.view(&frame).expect("a sound frame");
    assert_eq!(view.session, Some(&b"mme1.visited.lab;1;1"[..]));
    assert_eq!(view.origin_host, Some(&b"mme1.visited.lab"[..]));
    assert_eq!(view.destination_host, None);
    assert_eq!((view.rat, view.ulr_flags), (Some(1004), Some(0x22)));
    assert_eq!(view.visited, Some(&[0x12, 0xf4, 0x70][..]));
    assert_eq!(view.avps().count(), 10);
    let check = 2 << 32 | 316;
    assert_eq!(stack.correlate(&view), Exchange::Opens { label: 1, check });
    let mut answer = frame.clone();
    answer[4] = 0x40;
    let view = stack.view(&answer).expect("a sound frame");
    assert_eq!(stack.correlate(&view), Exchange::Closes { label: 1, check });
}

/// Code, offset and field of what is wrong with a frame.
fn wrong(frame: &[u8]) -> (u32, u32, &'static str) {
    let malformed = samples::diameter().view(frame).expect_err("not a sound frame");
    (malformed.code, malformed.offset, malformed.field)
}

#[test]
fn what_contradicts_itself_is_said_exactly() {
    let good = samples::ulr();
    let mut frame = good.clone();
    frame[0] = 2;
    assert_eq!(wrong(&frame), (5011, 0, "Version"));
    let mut frame = good.clone();
    frame[3] -= 4;
    assert_eq!(wrong(&frame), (5015, 1, "Message Length"));
    assert_eq!(wrong(&good[..good.len() - 4]), (5015, 1, "Message Length"));
    assert_eq!(wrong(&good[..10]), (5015, 1, "Message Length"));
    assert_eq!(wrong(&[]), (5015, 1, "Message Length"));
    let mut frame = good.clone();
    frame[27] = 0; // Session-Id's length
    assert_eq!(wrong(&frame), (5014, 20, "AVP Length"));
    let mut frame = good.clone();
    frame[20 + 28 + 7] = 0xff; // the second AVP reaches past the end
    assert_eq!(wrong(&frame), (5014, 48, "AVP Length"));
}

#[test]
fn too_many_avps_are_refused() {
    let avps = vec![(99_999, &b""[..]); crate::AVPS_MAX];
    let mut most = vec![(264, &b"m"[..]), (296, b"r")];
    most.extend_from_slice(&avps[2..]);
    let mut frame = samples::message(0xc0, 9, (1, 2), &most);
    frame[11] = 9;
    assert!(samples::diameter().view(&frame).is_ok());
    most.push((99_999, b""));
    let mut frame = samples::message(0xc0, 9, (1, 2), &most);
    frame[11] = 9;
    assert_eq!(wrong(&frame).0, 5009);
}

#[test]
fn a_request_names_itself_once() {
    for code in [263, 264, 296, 283, 293] {
        let twice = [(264, &b"m"[..]), (296, b"r"), (263, b"s"), (283, b"d"), (293, b"h")];
        let mut avps = twice.to_vec();
        avps.push((code, b"again"));
        let mut frame = samples::message(0xc0, 9, (1, 2), &avps);
        frame[11] = 9;
        assert_eq!(wrong(&frame).0, 5009, "{code}");
        frame[4] = 0x40;
        assert!(samples::diameter().view(&frame).is_ok(), "an answer is passed as it is");
    }
}

/// Every verb over a frame that may be anything; nothing may panic, and what leaves is sound.
fn exercise(frame: &[u8]) {
    let stack = samples::diameter();
    let _ = stack.frame_octets(frame);
    let caller = Caller { source: std::net::Ipv4Addr::LOCALHOST.into(), certificate: None };
    let _ = stack.admission().hello(frame, &caller);
    let mut out = Vec::new();
    let view = match stack.view(frame) {
        Ok(view) => view,
        Err(malformed) => {
            let _ = stack.complain(frame, &malformed, &mut out);
            assert!(out.is_empty() || stack.view(&out).is_ok(), "a complaint is sound");
            return;
        }
    };
    let arrival = Arrival { link: MME, time: Time(1), stack: StackId(0) };
    let before = stack.describe(&view, &arrival);
    let _ = stack.outcome(&view);
    if !view.header.is_request() {
        stack.rewrite(&view, &Onward::Answer { label: view.header.hop_by_hop }, &mut out);
        assert_eq!(out, frame, "an edit-free rewrite");
        return;
    }
    let _ = stack.answer(&view, procedure::Refusal::RoamingNotAllowed, &mut out);
    assert!(stack.view(&out).is_ok(), "an answer is sound");
    for hide_origin in [false, true] {
        out.clear();
        let onward = Onward::Request { label: 77, asker: MME, resent: false, hide_origin };
        stack.rewrite(&view, &onward, &mut out);
        let after = stack.view(&out).expect("a request leaves sound");
        assert_eq!(after.header.hop_by_hop, 77);
        if hide_origin {
            continue;
        }
        let count = |view: &View<'_>| view.avps().count();
        assert_eq!(count(&after), count(&view) + 1, "one Route-Record more");
        let again = stack.describe(&after, &arrival);
        assert_eq!(format!("{before:?}"), format!("{again:?}"), "the same fields");
    }
}

proptest! {
    #[test]
    fn arbitrary_octets_never_panic(octets in proptest::collection::vec(any::<u8>(), 0..300)) {
        exercise(&octets);
    }

    #[test]
    fn arbitrary_avps_never_panic(
        flags in any::<u8>(),
        octets in proptest::collection::vec(any::<u8>(), 0..200),
    ) {
        let mut frame = samples::message(flags, 316, (1, 2), &[]);
        frame[8..12].copy_from_slice(&S6A.to_be_bytes());
        frame.extend_from_slice(&octets);
        frame.resize(frame.len() & !3, 0);
        frame[3] = frame.len() as u8;
        exercise(&frame);
    }

    #[test]
    fn mutated_frames_never_panic(
        changes in proptest::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..6),
        cut in any::<prop::sample::Index>(),
        cuts in any::<bool>(),
    ) {
        let mut frame = samples::ulr();
        for (at, octet) in changes {
            let at = at.index(frame.len());
            frame[at] = octet;
        }
        if cuts {
            frame.truncate(cut.index(frame.len()));
        }
        exercise(&frame);
    }

    #[test]
    fn mutated_introductions_never_panic(
        changes in proptest::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..6),
    ) {
        let mut frame = samples::cer("mme1.visited.lab", "visited.lab");
        for (at, octet) in changes {
            let at = at.index(frame.len());
            frame[at] = octet;
        }
        exercise(&frame);
        let mut machine = Stack::link(&samples::diameter(), LinkId(0));
        let (mut list, mut rng) = (Vec::new(), relay::Rng::new(1));
        let mut fx = relay::Effects { list: &mut list, rng: &mut rng };
        machine.opened(Time(1), relay::ConnId(0), relay::Side::Responder, &mut fx);
        let _ = machine.received(Time(2), relay::ConnId(0), &frame, &mut fx);
    }

    #[test]
    fn any_name_survives_the_way_through_a_header(
        name in proptest::collection::vec(any::<u8>(), 0..40),
        vendor in any::<u32>(),
        code in any::<u32>(),
    ) {
        let header = Header::read(&samples::ulr()).expect("a header");
        let mut out = Vec::new();
        let mut writer = crate::write::Writer::new(&mut out, &header);
        writer.avp_with(code, MANDATORY, vendor, &name);
        writer.finish();
        let avp = Avps::new(&out[20..], 20).next().expect("one").expect("sound");
        prop_assert_eq!((avp.code, avp.vendor, avp.data), (code, vendor, &name[..]));
        prop_assert_eq!(avp.whole.len() % 4, 0);
    }
}
