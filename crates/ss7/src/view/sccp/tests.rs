use proptest::prelude::*;

use super::address::plan;
use super::write::{AddressBuffer, Changes, Fields, TitleFields, change, give_back, reply};
use super::*;
use crate::view::m3ua::PointCode;

/// Route on title, SSN 6, title of all fields: E.164, international, 34609000001.
const CALLED: [u8; 11] = [0x12, 0x06, 0x00, 0x11, 0x04, 0x43, 0x06, 0x09, 0x00, 0x00, 0x01];
/// The same of SSN 7, 447802000100.
const CALLING: [u8; 11] = [0x12, 0x07, 0x00, 0x12, 0x04, 0x44, 0x87, 0x20, 0x00, 0x10, 0x00];

pub(crate) fn udt(data: &[u8]) -> Vec<u8> {
    let mut octets = vec![kind::UDT, 0x80, 3, 14, 25];
    octets.extend([&[11][..], &CALLED, &[11], &CALLING].concat());
    octets.push(u8::try_from(data.len()).expect("short"));
    octets.extend(data);
    octets
}

fn xudt(data: &[u8]) -> Vec<u8> {
    let mut octets = vec![kind::XUDT, 0x81, 15, 4, 15, 26, 0];
    octets[6] = u8::try_from(26 + data.len()).expect("short");
    octets.extend([&[11][..], &CALLED, &[11], &CALLING].concat());
    octets.push(u8::try_from(data.len()).expect("short"));
    octets.extend(data);
    octets.extend([0x10, 4, 0x82, 1, 2, 3, 0x12, 1, 7, 0]);
    octets
}

fn ludt(data: &[u8]) -> Vec<u8> {
    let length = u16::try_from(data.len()).expect("short");
    let mut octets = vec![kind::LUDT, 0x80, 9, 7, 0, 17, 0, 27, 0, 0, 0];
    octets.extend([&[11][..], &CALLED, &[11], &CALLING].concat());
    octets.extend(length.to_le_bytes());
    octets.extend(data);
    octets
}

fn read(octets: &[u8]) -> Unitdata<'_> {
    Unitdata::new(octets, false).expect("a message")
}

#[test]
fn each_kind_by_hand() {
    for octets in [udt(b"abc"), xudt(b"abc"), ludt(b"abc")] {
        let unit = read(&octets);
        assert_eq!(unit.data, b"abc");
        assert_eq!(octets[unit.data_offset()..][..3], *b"abc");
        assert!(unit.returns && !unit.is_service());
        assert_eq!((unit.called.ssn, unit.calling.ssn), (Some(6), Some(7)));
        let (called, calling) = (unit.called.title.expect("one"), unit.calling.title.expect("one"));
        assert_eq!(called.digits().in_clear(), "34609000001");
        assert_eq!(calling.digits().in_clear(), "447802000100");
        assert_eq!((called.plan, called.nature), (Some(plan::E164), Some(4)));
        assert_eq!((called.is_odd, calling.is_odd), (true, false));
    }
    let octets = xudt(b"abc");
    let unit = read(&octets);
    let segment = Segment { first: true, remaining: 2, reference: 0x01_0203 };
    assert_eq!((unit.class, unit.hops, unit.segment), (1, Some(15), Some(segment)));
}

#[test]
fn addresses_of_every_form() {
    let digits = "123456789".parse().expect("digits");
    for ansi in [false, true] {
        for indicator in 1..=if ansi { 2 } else { 4 } {
            for (point_code, ssn) in [(None, Some(8)), (Some(PointCode(0x1234)), None)] {
                let title =
                    TitleFields { indicator, translation_type: 9, plan: 7, nature: 4, digits };
                let fields = Fields {
                    ansi,
                    routes_on_ssn: ssn.is_none(),
                    point_code,
                    ssn,
                    title: Some(title),
                };
                let buffer = AddressBuffer::new(&fields);
                let address = Address::new(buffer.octets(), 0, ansi).expect("an address");
                assert_eq!((address.point_code, address.ssn), (point_code, ssn));
                assert_eq!(address.routes_on_ssn, ssn.is_none());
                let read = address.title.expect("a title");
                let fields = if ansi && indicator == 1 { 3 } else { indicator };
                let expected = match fields {
                    1 => (None, None, Some(4)),
                    2 => (Some(9), None, None),
                    3 => (Some(9), Some(7), None),
                    _ => (Some(9), Some(7), Some(4)),
                };
                assert_eq!((read.translation_type, read.plan, read.nature), expected);
                // Without an encoding nobody can tell filler from a zero.
                let shown = read.digits().in_clear();
                assert_eq!(shown.trim_end_matches('0'), "123456789", "{ansi} {indicator}");
                assert_eq!(shown.len(), if fields == 2 { 10 } else { 9 });
            }
        }
    }
    assert_eq!(Address::new(&[], 0, false).expect("none"), Address::default());
    for short in [&[0x01, 1][..], &[0x02], &[0x12, 6, 0, 0x11], &[0x42]] {
        assert!(Address::new(short, 0, false).is_err(), "{short:?}");
    }
    assert!(Address::new(&[0; 33], 0, false).is_err(), "too long");
}

#[test]
fn our_own_addresses_by_hand() {
    let title = TitleFields {
        indicator: 4,
        translation_type: 0,
        plan: plan::E164,
        nature: 4,
        digits: "34609000001".parse().expect("digits"),
    };
    let fields = Fields { ssn: Some(6), title: Some(title), ..Fields::default() };
    let mut by_hand = CALLED;
    by_hand[10] = 0x01;
    assert_eq!(AddressBuffer::new(&fields).octets(), by_hand);
}

#[test]
fn other_addresses_and_nothing_else() {
    for octets in [udt(b"abc"), xudt(b"abc"), ludt(b"abc")] {
        let unit = read(&octets);
        let mut same = Vec::new();
        assert!(change(&unit, &Changes::default(), &mut same));
        assert_eq!(same, octets);
        for length in [2, 11, 20] {
            let mut called = vec![0x42, 6];
            called.resize(length, 0x55);
            let mut out = b"before".to_vec();
            let changes = Changes { called: Some(&called), hops: Some(3) };
            assert!(change(&unit, &changes, &mut out));
            let again = read(&out[6..]);
            assert_eq!((again.called.octets, again.calling.octets), (&called[..], &CALLING[..]));
            assert_eq!((again.data, again.segment), (unit.data, unit.segment));
            assert_eq!(again.hops, unit.hops.map(|_| 3));
        }
    }
    // The user's part first, so long that a pointer behind it cannot reach further.
    let mut far = vec![kind::UDT, 0, 0, 0, 1, 228];
    far.extend([1; 228]);
    far[2] = u8::try_from(far.len() - 2).expect("reaches");
    far.extend([2, 0x42, 6]);
    far[3] = u8::try_from(far.len() - 3).expect("reaches");
    far.extend([2, 0x42, 7]);
    let mut out = Vec::new();
    let called = [0x42; 31];
    assert!(!change(&read(&far), &Changes { called: Some(&called), hops: None }, &mut out));
    assert!(out.is_empty());
}

#[test]
fn given_back_to_the_sender() {
    for (octets, kind) in [(udt(b"abc"), 10), (xudt(b"abc"), 18), (ludt(&[7; 300]), 20)] {
        let unit = read(&octets);
        let mut out = Vec::new();
        assert!(give_back(&unit, cause::NO_TRANSLATION, 15, &mut out));
        let back = read(&out);
        assert_eq!((back.kind, back.class, back.is_service()), (kind, 1, true));
        assert_eq!((back.called.octets, back.calling.octets), (&CALLING[..], &CALLED[..]));
        assert_eq!((back.data, back.segment), (unit.data, unit.segment));
        assert!(!give_back(&back, 1, 15, &mut Vec::new()), "never a second time");
    }
    let mut quiet = udt(b"abc");
    quiet[1] = 0;
    assert!(!give_back(&read(&quiet), 1, 15, &mut Vec::new()));
}

#[test]
fn replies_go_where_the_message_came_from() {
    for octets in [udt(b"abc"), xudt(b"abc"), ludt(b"abc")] {
        let unit = read(&octets);
        let mut out = Vec::new();
        assert!(reply(&unit, 15, &mut out, |out| out.extend_from_slice(b"answer")));
        let back = read(&out);
        assert_eq!((back.called.octets, back.calling.octets), (&CALLING[..], &CALLED[..]));
        assert_eq!((back.data, back.returns, back.class), (&b"answer"[..], false, unit.class));
        let mut none = Vec::new();
        assert!(!reply(&unit, 15, &mut none, |out| out.extend_from_slice(&[0; 256])));
        assert!(none.is_empty(), "too long for its length octet");
    }
}

#[test]
fn what_is_wrong_is_named() {
    let wrong = |octets: &[u8]| Unitdata::new(octets, false).expect_err("wrong");
    assert_eq!(wrong(&[]).field, "Message Type");
    assert_eq!(wrong(&[kind::CR, 0]).why, "not a connectionless message");
    let octets = udt(b"abc");
    for end in 1..octets.len() {
        assert!(Unitdata::new(&octets[..end], false).is_err(), "cut at {end}");
    }
    for (place, value, why) in [
        (2, 0, "has no pointer"),
        (2, 200, "past the end of the message"),
        (3, 4, "parts overlap"),
        (2, 1, "past the end of the message"),
    ] {
        let mut octets = udt(b"abc");
        octets[place] = value;
        let found = Unitdata::new(&octets, false).expect_err("wrong").why;
        assert!(found == why || found == "parts overlap", "{place} {value}: {found}");
    }
    let mut octets = xudt(b"abc");
    let last = octets.len() - 1;
    octets[last] = 0x55;
    assert_eq!(wrong(&octets).field, "Optional Part");
}

#[test]
fn management_both_ways() {
    let sst = scmg::Management { format: scmg::format::SST, ssn: 6, point_code: PointCode(0x1001) };
    let mut out = Vec::new();
    sst.write(false, &mut out);
    assert_eq!(out, [3, 6, 0x01, 0x10, 0]);
    assert_eq!(scmg::Management::read(&out, false), Some(sst));
    out.clear();
    sst.write(true, &mut out);
    assert_eq!(scmg::Management::read(&out, true), Some(sst));
    assert_eq!(scmg::Management::read(&[3, 6, 1], false), None);
}

proptest! {
    #[test]
    fn no_octets_panic_and_what_reads_passes(mut octets: Vec<u8>, which: Option<u8>, ansi: bool) {
        if let (Some(which), Some(first)) = (which, octets.first_mut()) {
            *first = [9, 10, 17, 18, 19, 20][usize::from(which) % 6];
        }
        check(&octets, ansi);
    }

    #[test]
    fn no_mutation_panics(which in 0..3_usize, place: usize, value: u8, ansi: bool) {
        let mut octets = [udt(b"abcdefgh"), xudt(b"abcdefgh"), ludt(b"abcdefgh")][which].clone();
        let place = place % octets.len();
        octets[place] = value;
        check(&octets, ansi);
    }
}

fn check(octets: &[u8], ansi: bool) {
    let Ok(unit) = Unitdata::new(octets, ansi) else { return };
    let mut out = Vec::new();
    assert!(change(&unit, &Changes::default(), &mut out));
    assert_eq!(out, octets);
    out.clear();
    let called = [0x42, 6];
    if change(&unit, &Changes { called: Some(&called), hops: None }, &mut out) {
        let again = Unitdata::new(&out, ansi).expect("still a message");
        assert_eq!(
            (again.data, again.calling, again.segment),
            (unit.data, unit.calling, unit.segment)
        );
    }
    out.clear();
    if give_back(&unit, 1, 15, &mut out) {
        assert!(Unitdata::new(&out, ansi).is_ok());
    }
}
