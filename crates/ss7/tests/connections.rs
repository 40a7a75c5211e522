//! Connections through the gateway: sections coupled by local references.
#![allow(missing_docs, clippy::indexing_slicing, clippy::unwrap_used, clippy::panic)]

mod world;

use procedure::{Code, Finish};
use ss7::config::{Config, Timers};
use ss7::connections::{CONNECTIONS_MAX, SERVER_CONNECTIONS_MAX};
use ss7::view::m3ua::{Data, PointCode};
use ss7::view::sccp::kind;
use ss7::view::sccp::write::AddressBuffer;
use world::*;

type Reference = [u8; 3];

const A: Reference = [1, 2, 3];
const B: Reference = [7, 8, 9];
const CONNECT_MS: u64 = 120_000;
const INACTIVITY_MS: u64 = 21 * 60_000;
const RELEASE_MS: u64 = 60_000;
/// A user's part behind a pointer.
const DATA: [u8; 5] = [1, 3, 0xca, 0xfe, 0x01];

/// The optional part of a request: calling party, data, hop counter.
fn optional(calling: &AddressBuffer, hops: u8) -> Vec<u8> {
    let calling = calling.octets();
    let length = u8::try_from(calling.len()).unwrap();
    [&[4, length][..], calling, &[0x0f, 2, 0xab, 0xcd, 0x11, 1, hops, 0]].concat()
}

fn request(from: Reference, called: &AddressBuffer, optional: &[u8]) -> Vec<u8> {
    let called = called.octets();
    let length = u8::try_from(called.len()).unwrap();
    let behind = if optional.is_empty() { 0 } else { length + 2 };
    [&[kind::CR][..], &from, &[2, 2, behind, length], called, optional].concat()
}

fn confirm(to: Reference, from: Reference) -> Vec<u8> {
    [&[kind::CC][..], &to, &from, &[2, 1, 0x0f, 1, 0x77, 0]].concat()
}

fn released(to: Reference, from: Reference) -> Vec<u8> {
    [&[kind::RLC][..], &to, &from].concat()
}

fn release(to: Reference, from: Reference) -> Vec<u8> {
    [&[kind::RLSD][..], &to, &from, &[0, 0]].concat()
}

/// What arrived: point codes, and the SCCP message.
fn arrived(world: &mut World, link: usize) -> Vec<(PointCode, PointCode, Vec<u8>)> {
    let read = |frame: Vec<u8>| {
        let data = Data::new(&frame).unwrap();
        assert_eq!(data.context.unwrap().1, 101 + u32::try_from(link).unwrap());
        (data.opc, data.dpc, data.user.to_vec())
    };
    world.traffic(link).into_iter().map(read).collect()
}

fn only(world: &mut World, link: usize) -> Vec<u8> {
    let all = arrived(world, link);
    let [(opc, _, user)] = &all[..] else { panic!("{all:02x?}") };
    assert_eq!(*opc, OWN);
    user.clone()
}

fn three(user: &[u8], at: usize) -> Reference {
    user[at..at + 3].try_into().unwrap()
}

/// Says something to our point code.
fn say(world: &mut World, link: usize, user: &[u8]) {
    let code = [VISITED, HOME, OTHER][link];
    let context = 101 + u32::try_from(link).unwrap();
    world.receive(link, &message(context, code, OWN, 4, user));
}

/// Opens a connection from a link to the home; how we number it toward the home and the opener.
fn open(world: &mut World, link: usize, a: Reference, b: Reference) -> (Reference, Reference) {
    say(world, link, &request(a, &hlr(), &[]));
    let ours = three(&only(world, 1), 1);
    say(world, 1, &confirm(ours, b));
    let confirmed = only(world, link);
    assert_eq!(three(&confirmed, 1), a);
    (ours, three(&confirmed, 4))
}

fn last(world: &World) -> (Finish, Code) {
    let record = world.records.last().unwrap();
    (record.finish, record.code)
}

#[test]
fn a_connection_there_and_back() {
    for workers in [1, 2, 3] {
        let mut world = World::of(config(), workers);
        let optional_part = optional(&vlr(), 9);
        say(&mut world, 0, &request(A, &hlr(), &optional_part));
        let asked = arrived(&mut world, 1);
        let (opc, dpc, user) = &asked[0];
        assert_eq!((*opc, *dpc), (OWN, HOME));
        let to_home = three(user, 1);
        let mut expected = request(to_home, &hlr(), &optional_part);
        let hops = expected.len() - 2;
        expected[hops] = 8;
        assert_eq!(*user, expected, "only the reference and the hop counter are others");

        say(&mut world, 1, &confirm(to_home, B));
        let confirmed = arrived(&mut world, 0);
        let (opc, dpc, user) = &confirmed[0];
        assert_eq!((*opc, *dpc), (OWN, VISITED));
        let to_visited = three(user, 4);
        assert_eq!(*user, confirm(A, to_visited));
        assert_ne!(to_visited, to_home);

        // Each kind in both directions, with all that it carries.
        let kinds = [
            (kind::DT1, false, &[&[0][..], &DATA].concat()[..]),
            (kind::DT2, false, &[&[2, 4][..], &DATA].concat()),
            (kind::AK, false, &[6, 3]),
            (kind::ED, false, &DATA),
            (kind::EA, false, &[]),
            (kind::IT, true, &[3, 2, 4, 1]),
            (kind::RSR, true, &[1]),
            (kind::RSC, true, &[]),
        ];
        for (kind, has_from, rest) in kinds {
            let build = |to: Reference, from: Reference| {
                let from = if has_from { &from[..] } else { &[] };
                [&[kind][..], &to, from, rest].concat()
            };
            say(&mut world, 0, &build(to_visited, A));
            assert_eq!(only(&mut world, 1), build(B, to_home), "kind {kind}");
            say(&mut world, 1, &build(to_home, B));
            assert_eq!(only(&mut world, 0), build(A, to_visited), "kind {kind}");
        }
        say(&mut world, 1, &release(to_home, B));
        assert_eq!(only(&mut world, 0), release(A, to_visited));
        say(&mut world, 0, &released(to_visited, A));
        assert_eq!(only(&mut world, 1), released(B, to_home));
        assert!(world.records.iter().all(|it| it.finish == Finish::Passed && it.frames == 1));
        assert_eq!(world.records.len(), 20);

        // It is over.
        say(&mut world, 0, &[&[kind::DT1][..], &to_visited, &[0], &DATA].concat());
        assert!(world.traffic(1).is_empty() && world.traffic(0).is_empty());
        assert_eq!(last(&world).0, Finish::Discarded);
    }
}

#[test]
fn a_request_is_translated_and_readdressed() {
    let mut world = World::up();
    let identity = title(6, 6, "214070000000001");
    for (called, expected) in [(identity, hlr()), (title(6, 1, "88812"), title(6, 1, "3460988812"))]
    {
        for optional_part in [Vec::new(), optional(&vlr(), 15)] {
            say(&mut world, 0, &request(A, &called, &optional_part));
            let asked = only(&mut world, 1);
            let mut expected = request(three(&asked, 1), &expected, &optional_part);
            if !optional_part.is_empty() {
                let hops = expected.len() - 2;
                expected[hops] = 14;
            }
            assert_eq!(asked, expected);
        }
    }
}

#[test]
fn a_refused_connection_is_over() {
    let mut world = World::up();
    say(&mut world, 0, &request(A, &hlr(), &[]));
    let ours = three(&only(&mut world, 1), 1);
    let refusal = |to: Reference| [&[kind::CREF][..], &to, &[10, 0]].concat();
    say(&mut world, 1, &refusal(ours));
    assert_eq!(only(&mut world, 0), refusal(A));
    say(&mut world, 1, &refusal(ours));
    assert!(world.traffic(0).is_empty() && world.traffic(1).is_empty());
    say(&mut world, 1, &confirm(ours, B));
    assert_eq!(only(&mut world, 1), [&[kind::ERR][..], &B, &[0]].concat(), "nobody waits for it");
}

#[test]
fn two_ends_may_use_one_number() {
    let mut world = World::of(config(), 2);
    let (one, to_one) = open(&mut world, 0, A, B);
    let (two, to_two) = open(&mut world, 2, A, B);
    assert_ne!((one, to_one), (two, to_two));
    let data = |to: Reference| [&[kind::DT1][..], &to, &[0], &DATA].concat();
    say(&mut world, 1, &data(one));
    assert_eq!((only(&mut world, 0), world.traffic(2).len()), (data(A), 0));
    say(&mut world, 1, &data(two));
    assert_eq!((only(&mut world, 2), world.traffic(0).len()), (data(A), 0));
    // The end of one is not the other's.
    say(&mut world, 1, &release(one, B));
    say(&mut world, 0, &released(to_one, A));
    world.traffic(0);
    world.traffic(1);
    say(&mut world, 2, &data(to_two));
    assert_eq!(only(&mut world, 1), data(B));
}

#[test]
fn nobody_speaks_on_anothers_connection() {
    let mut world = World::up();
    let (to_home, to_visited) = open(&mut world, 0, A, B);
    let data = |to: Reference| [&[kind::DT1][..], &to, &[0], &DATA].concat();
    let wrong: [(usize, Vec<u8>); 8] = [
        // From elsewhere.
        (2, data(to_visited)),
        (2, data(to_home)),
        (2, release(to_home, B)),
        // From the right place, with the number of the other section.
        (0, data(to_home)),
        (1, data(to_visited)),
        // Under another number than the end has said.
        (0, release(to_visited, [9, 9, 9])),
        (1, confirm(to_home, [9, 9, 9])),
        // What only the other end may say.
        (0, confirm(to_visited, A)),
    ];
    for (link, user) in wrong {
        say(&mut world, link, &user);
        for other in (0..LINKS).filter(|other| *other != link) {
            assert!(world.traffic(other).is_empty(), "{link}: {user:02x?}");
        }
        // Whoever says how it numbers what it speaks of is told.
        let told = world.traffic(link).len();
        assert_eq!(told, usize::from(matches!(user[0], kind::RLSD | kind::CC)), "{user:02x?}");
        let (finish, _) = last(&world);
        assert_eq!(finish, if told > 0 { Finish::Refused } else { Finish::Discarded });
    }
    // From behind the right server, but another node; from behind another, as if it were the node.
    world.receive(0, &message(101, OTHER, OWN, 4, &data(to_visited)));
    world.receive(2, &message(103, VISITED, OWN, 4, &data(to_visited)));
    assert!(world.traffic(1).is_empty());
    say(&mut world, 0, &data(to_visited));
    assert_eq!(only(&mut world, 1), data(B), "the connection is as it was");
}

#[test]
fn what_is_said_before_the_answer_is_not_passed() {
    let mut world = World::up();
    say(&mut world, 0, &request(A, &hlr(), &[]));
    let ours = three(&only(&mut world, 1), 1);
    say(&mut world, 1, &[&[kind::DT1][..], &ours, &[0], &DATA].concat());
    assert!(world.traffic(0).is_empty());
    say(&mut world, 1, &confirm(ours, B));
    assert_eq!(world.traffic(0).len(), 1);
    say(&mut world, 1, &confirm(ours, B));
    assert_eq!(world.traffic(0).len(), 1, "said again, as it was");
}

#[test]
fn unknown_references_are_answered_as_the_standard_has_it() {
    let mut world = World::up();
    let unknown = [0x55; 3];
    let error = |to: Reference| [&[kind::ERR][..], &to, &[0]].concat();
    let cases = [
        (release(unknown, B), Some(released(B, unknown))),
        (released(unknown, B), None),
        (confirm(unknown, B), Some(error(B))),
        ([&[kind::CREF][..], &unknown, &[0, 0]].concat(), None),
        ([&[kind::DT1][..], &unknown, &[0], &DATA].concat(), None),
        ([&[kind::ERR][..], &unknown, &[0]].concat(), None),
        ([&[kind::RSR][..], &unknown, &B, &[0]].concat(), Some(error(B))),
        ([&[kind::IT][..], &unknown, &B, &[2, 0, 0, 0]].concat(), Some(error(B))),
    ];
    for (said, expected) in cases {
        say(&mut world, 1, &said);
        let told: Vec<_> = arrived(&mut world, 1).into_iter().map(|(_, _, user)| user).collect();
        assert_eq!(told, expected.into_iter().collect::<Vec<_>>(), "{said:02x?}");
    }
    assert!(world.traffic(0).is_empty());
    assert_eq!(world.records.len(), 8);
}

#[test]
fn what_cannot_be_connected_is_refused_with_its_cause() {
    let cases = [
        (title(6, 1, "999999"), 15, 4),
        (AddressBuffer::new(&ss7::view::sccp::write::Fields::default()), 15, 19),
        (hlr(), 1, 16),
    ];
    for (called, hops, cause) in cases {
        let mut world = World::up();
        say(&mut world, 0, &request(A, &called, &optional(&vlr(), hops)));
        assert_eq!(only(&mut world, 0), [&[kind::CREF][..], &A, &[cause, 0]].concat());
        assert_eq!(last(&world), (Finish::Refused, Code::Returned(u32::from(cause))));
    }
    // The home is gone.
    let mut world = World::up();
    world.lose(1);
    say(&mut world, 0, &request(A, &hlr(), &[]));
    assert_eq!(only(&mut world, 0), [&[kind::CREF][..], &A, &[5, 0]].concat());
    // Somebody speaks for another.
    let mut world = World::up();
    say(&mut world, 0, &request(A, &hlr(), &optional(&title(7, 1, "336890000"), 15)));
    assert_eq!(only(&mut world, 0), [&[kind::CREF][..], &A, &[15, 0]].concat());
    assert!(world.traffic(1).is_empty());
    // Where connections are not wanted, none of any kind.
    let mut world = World::of(Config { refuse_connections: true, ..config() }, 1);
    say(&mut world, 0, &request(A, &hlr(), &[]));
    assert_eq!(only(&mut world, 0), [&[kind::CREF][..], &A, &[15, 0]].concat());
    say(&mut world, 0, &[&[kind::DT1][..], &A, &[0], &DATA].concat());
    assert!(world.traffic(0).is_empty() && world.traffic(1).is_empty());
}

#[test]
fn a_table_that_is_full_refuses() {
    let mut world = World::up();
    for number in 0..u16::try_from(SERVER_CONNECTIONS_MAX).unwrap() {
        let [high, low] = number.to_be_bytes();
        say(&mut world, 0, &request([0, high, low], &hlr(), &[]));
    }
    assert_eq!((world.traffic(1).len(), world.traffic(0).len()), (SERVER_CONNECTIONS_MAX, 0));
    say(&mut world, 0, &request(A, &hlr(), &[]));
    assert_eq!(only(&mut world, 0), [&[kind::CREF][..], &A, &[7, 0]].concat());
    assert_eq!(last(&world), (Finish::Refused, Code::Returned(7)));
    let _ = open(&mut world, 2, A, B);
    const { assert!(SERVER_CONNECTIONS_MAX < CONNECTIONS_MAX) };
    // None of them was answered.
    world.pass_ms(CONNECT_MS + 1);
    say(&mut world, 0, &request(A, &hlr(), &[]));
    assert_eq!(world.traffic(1).len(), 1);
}

#[test]
fn a_connection_that_nothing_is_heard_of_is_over() {
    let data = |to: Reference| [&[kind::DT1][..], &to, &[0], &DATA].concat();
    // Nobody answers heartbeats here.
    let timers = Timers { heartbeat_ms: 1 << 32, ..Timers::default() };
    let mut world = World::of(Config { timers, ..config() }, 1);
    let (_, to_visited) = open(&mut world, 0, A, B);
    for _ in 0..3 {
        world.pass_ms(INACTIVITY_MS - 1_000);
        say(&mut world, 0, &[&[kind::IT][..], &to_visited, &A, &[2, 0, 0, 0]].concat());
        assert_eq!(world.traffic(1).len(), 1, "a test of inactivity keeps it");
    }
    world.pass_ms(INACTIVITY_MS + 1);
    say(&mut world, 0, &data(to_visited));
    assert!(world.traffic(1).is_empty());

    // Of one that is being released, less is waited for, whatever is said.
    let (_, to_visited) = open(&mut world, 0, A, B);
    say(&mut world, 0, &release(to_visited, A));
    world.pass_ms(RELEASE_MS / 2 + 1);
    say(&mut world, 0, &release(to_visited, A));
    assert_eq!(world.traffic(1).len(), 2);
    world.pass_ms(RELEASE_MS / 2 + 1);
    say(&mut world, 0, &release(to_visited, A));
    assert_eq!(world.traffic(1).len(), 0);
    assert_eq!(only(&mut world, 0), released(A, to_visited));
}

#[test]
fn where_the_other_end_is_gone_the_sender_is_told_that_it_is_over() {
    let mut world = World::up();
    let (_, to_visited) = open(&mut world, 0, A, B);
    world.lose(1);
    world.traffic(0);
    say(&mut world, 0, &[&[kind::DT1][..], &to_visited, &[0], &DATA].concat());
    let told = only(&mut world, 0);
    assert_eq!(told, [&[kind::RLSD][..], &A, &to_visited, &[10, 0]].concat());
    world.open(1);
    say(&mut world, 0, &[&[kind::DT1][..], &to_visited, &[0], &DATA].concat());
    assert!(world.traffic(1).is_empty(), "it does not come back");
    say(&mut world, 0, &released(to_visited, A));
    assert!(world.traffic(0).is_empty() && world.traffic(1).is_empty());
    // A release is confirmed in the other end's place.
    let (_, to_visited) = open(&mut world, 0, A, B);
    world.lose(1);
    world.traffic(0);
    say(&mut world, 0, &release(to_visited, A));
    assert_eq!(only(&mut world, 0), released(A, to_visited));
    // An opener that is gone is not told; who accepts is.
    let mut world = World::up();
    say(&mut world, 0, &request(A, &hlr(), &[]));
    let ours = three(&only(&mut world, 1), 1);
    world.lose(0);
    world.traffic(1);
    say(&mut world, 1, &confirm(ours, B));
    assert_eq!(only(&mut world, 1), [&[kind::RLSD][..], &B, &ours, &[10, 0]].concat());
}

#[test]
fn beside_us_they_pass_by_their_point_code_octet_for_octet() {
    let mut world = World::up();
    let cases = [request(A, &hlr(), &[]), release(A, B), vec![kind::CR, 1], vec![kind::DT1]];
    for user in cases {
        world.receive(0, &message(101, VISITED, HOME, 4, &user));
        let all = arrived(&mut world, 1);
        assert_eq!(all, [(VISITED, HOME, user)]);
    }
    // To us they have to be readable.
    say(&mut world, 0, &[kind::CR, 1]);
    assert!(matches!(last(&world).0, Finish::Malformed(_)));
}

proptest::proptest! {
    /// Whatever is said of connections: nothing panics, one record a frame, and only what a request of
    /// ours went to hears of it.
    #[test]
    fn no_messages_panic(
        said in proptest::collection::vec(
            (0..LINKS, 1..17_u8, 0..4_usize, proptest::collection::vec(0..=255_u8, 0..12)),
            1..40,
        ),
    ) {
        let mut world = World::up();
        let (to_home, to_visited) = open(&mut world, 0, A, B);
        let before = world.records.len();
        let mut count = 0;
        for (link, kind, to, rest) in said {
            if matches!(kind, 9 | 10) {
                continue;
            }
            let to = [to_home, to_visited, A, B][to];
            say(&mut world, link, &[&[kind][..], &to, &rest].concat());
            count += 1;
        }
        proptest::prop_assert_eq!(world.records.len() - before, count);
        for link in 0..LINKS {
            for frame in world.traffic(link) {
                proptest::prop_assert!(Data::new(&frame).is_ok());
            }
        }
    }
}
