use proptest::prelude::*;

use super::*;

/// Route on title, SSN 142, title of all fields: E.164, international, 34609000001.
const CALLED: [u8; 11] = [0x12, 142, 0x00, 0x11, 0x04, 0x43, 0x06, 0x09, 0x00, 0x00, 0x01];
const OPTIONAL: [u8; 15] = [0x04, 4, 0x43, 9, 8, 142, 0x0f, 2, 0xca, 0xfe, 0x11, 1, 7, 0, 0xee];

fn request() -> Vec<u8> {
    [&[kind::CR, 1, 2, 3, 2, 2, 13, 11][..], &CALLED, &OPTIONAL[..14]].concat()
}

/// The optional part in front of the called party.
fn request_turned() -> Vec<u8> {
    [&[kind::CR, 1, 2, 3, 2, 16, 1][..], &OPTIONAL[..14], &[11], &CALLED].concat()
}

fn read(octets: &[u8]) -> Connection<'_> {
    Connection::new(octets, false).expect("a message")
}

#[test]
fn a_request_by_hand() {
    for octets in [request(), request_turned()] {
        let request = read(&octets);
        assert_eq!((request.to, request.from), (None, Some([1, 2, 3])));
        assert_eq!((request.called.octets, request.called.ssn), (&CALLED[..], Some(142)));
        assert_eq!((request.calling.ssn, request.hops), (Some(142), Some(7)));
        let mut out = vec![0xee];
        let changes = Renumbered { from: Some([7, 8, 9]), hops: Some(6), ..Renumbered::default() };
        request.renumber(&changes, &mut out);
        let mut expected = octets.clone();
        expected[1..4].copy_from_slice(&[7, 8, 9]);
        let hops = octets.windows(3).position(|found| found == [0x11, 1, 7]).expect("there");
        expected[hops + 2] = 6;
        assert_eq!(out[1..], expected);
        for called in [&[0x42, 142][..], &[0x55; 20]] {
            let mut out = Vec::new();
            let changes =
                Renumbered { called: Some(called), hops: Some(6), ..Renumbered::default() };
            request.renumber(&changes, &mut out);
            let again = read(&out);
            assert_eq!((again.called.octets, again.hops), (called, Some(6)));
            assert_eq!((again.calling, again.from), (request.calling, request.from));
        }
    }
    let short = [&[kind::CR, 1, 2, 3, 2, 2, 0, 11][..], &CALLED].concat();
    let mut out = Vec::new();
    let changes = Renumbered { called: Some(&[0x42, 142]), hops: Some(6), ..Renumbered::default() };
    read(&short).renumber(&changes, &mut out);
    assert_eq!(out, [kind::CR, 1, 2, 3, 2, 2, 0, 2, 0x42, 142], "no optional part, no hop counter");
}

#[test]
fn references_of_every_kind() {
    let (to, from) = (Some([1, 2, 3]), Some([4, 5, 6]));
    let kinds = [
        (kind::CC, to, from),
        (kind::CREF, to, None),
        (kind::RLSD, to, from),
        (kind::RLC, to, from),
        (kind::DT1, to, None),
        (kind::DT2, to, None),
        (kind::AK, to, None),
        (kind::ED, to, None),
        (kind::EA, to, None),
        (kind::RSR, to, from),
        (kind::RSC, to, from),
        (kind::ERR, to, None),
        (kind::IT, to, from),
    ];
    for (kind, to, from) in kinds {
        let octets = [kind, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10];
        let message = read(&octets);
        assert_eq!((message.to, message.from), (to, from), "kind {kind}");
        let mut out = Vec::new();
        let (other, ours) = (Some([9, 9, 9]), Some([8, 8, 8]));
        message.renumber(&Renumbered { to: other, from: ours, ..Renumbered::default() }, &mut out);
        let again = read(&out);
        assert_eq!((again.to, again.from), (other, ours.filter(|_| from.is_some())));
        let changed = if from.is_some() { 7 } else { 4 };
        assert_eq!(out[changed..], octets[changed..]);
        let least = layout(kind).expect("known").2;
        assert!(Connection::new(&octets[..least - 1], false).is_err(), "kind {kind}");
    }
    for kind in [0, kind::UDT, kind::UDTS, kind::XUDT] {
        assert!(Connection::new(&[kind; 20], false).is_err());
    }
}

#[test]
fn what_is_wrong_with_a_request_is_named() {
    let octets = request();
    for end in 0..octets.len() {
        assert!(Connection::new(&octets[..end], false).is_err(), "cut at {end}");
    }
    for (place, value, why) in [
        (5, 0, "has no pointer"),
        (5, 200, "past the end of the message"),
        (6, 1, "past the end of the message"),
        (6, 3, "parts overlap"),
    ] {
        let mut octets = request();
        octets[place] = value;
        let found = Connection::new(&octets, false).expect_err("wrong").why;
        assert!(found == why || found == "parts overlap", "{place} {value}: {found}");
    }
}

#[test]
fn what_could_be_read_in_two_ways_is_not_read() {
    for more in [&[0x11, 1, 9][..], &[0x11, 2, 9, 9], &[0x04, 1, 0]] {
        let mut octets = request();
        octets.pop();
        octets.extend_from_slice(more);
        octets.push(0);
        assert!(Connection::new(&octets, false).is_err(), "{more:02x?}");
    }
}

proptest! {
    #[test]
    fn no_octets_panic(mut octets: Vec<u8>, which: Option<u8>, ansi: bool) {
        if let (Some(which), Some(first)) = (which, octets.first_mut()) {
            *first = which % 17;
        }
        check(&octets, ansi);
    }

    #[test]
    fn no_mutation_panics(turned: bool, place: usize, value: u8, ansi: bool) {
        let mut octets = if turned { request_turned() } else { request() };
        let place = place % octets.len();
        octets[place] = value;
        check(&octets, ansi);
    }
}

fn check(octets: &[u8], ansi: bool) {
    let Ok(message) = Connection::new(octets, ansi) else { return };
    let mut out = Vec::new();
    message.renumber(&Renumbered::default(), &mut out);
    assert_eq!(out, octets);
    let hops = message.hops.map(|_| 3);
    for called in [None, Some(&[0x42, 6][..]), Some(&[0x42; 31])] {
        let called = called.filter(|_| message.kind == kind::CR);
        out.clear();
        let (to, from) = (Some([1; 3]), Some([2; 3]));
        message.renumber(&Renumbered { to, from, called, hops: Some(3) }, &mut out);
        let again = Connection::new(&out, false).expect("still a message");
        assert_eq!(again.to, message.to.and(to));
        assert_eq!((again.from, again.hops), (message.from.and(from), hops));
        if let Some(called) = called {
            assert_eq!(again.called.octets, called);
        }
    }
}
