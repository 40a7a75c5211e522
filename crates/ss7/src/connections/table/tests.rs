use std::collections::HashSet;

use super::*;

fn end(server: u32) -> End {
    let code = PointCode(server);
    End { server: Symbol(server), code, own: PointCode(9), reference: None }
}

const LATER: Time = Time::from_ms(1_000);

fn open(table: &mut Connections, server: u32, now: Time) -> Option<Place> {
    table.open(now, [end(server), end(0)], now.plus_ms(1_000))
}

#[test]
fn both_ends_have_a_number_of_their_own_and_it_ends_with_the_connection() {
    let mut table = Connections::new(7);
    let now = Time::default();
    let place = open(&mut table, 1, now).expect("room");
    let [opener, other] = [Side::Opener, Side::Other].map(|side| reference(place, side));
    assert_ne!(opener, other);
    assert_eq!(table.find(now, opener), Some((place, Side::Opener)));
    assert_eq!(table.find(now, other), Some((place, Side::Other)));
    assert!(table.close(place) && !table.close(place));
    assert_eq!((table.find(now, opener), table.find(now, other)), (None, None));
    let second = open(&mut table, 1, now).expect("room");
    assert_eq!(table.find(now, opener), None);
    assert_eq!(table.find(LATER, reference(second, Side::Opener)), None, "overdue");
    assert!(!table.close(second), "and so it is over");
}

#[test]
fn no_number_comes_again_before_most_others_were_used() {
    let mut table = Connections::new(7);
    let mut seen = HashSet::new();
    for _ in 0..200_000 {
        let place = open(&mut table, 1, Time::default()).expect("room");
        for side in [Side::Opener, Side::Other] {
            let reference = reference(place, side);
            assert!(reference != [0xff; 3] && seen.insert(reference));
        }
        table.close(place);
    }
}

#[test]
fn there_is_room_for_so_many_and_for_one_server_so_many() {
    let mut table = Connections::new(7);
    let now = Time::default();
    for server in 1..=4 {
        for _ in 0..SERVER_CONNECTIONS_MAX {
            assert!(open(&mut table, server, now).is_some());
        }
        assert!(open(&mut table, server, now).is_none());
    }
    assert_eq!(table.slots.len(), CONNECTIONS_MAX);
    assert!(open(&mut table, 5, now).is_none());
    assert!(open(&mut table, 5, LATER).is_some(), "what is overdue makes room");
    assert_eq!(table.slots.len(), CONNECTIONS_MAX);
}

#[test]
fn all_places_are_looked_at_once_a_second_at_most() {
    let mut table = Connections::new(7);
    let (now, late) = (Time::default(), Time::from_ms(100_000));
    for number in 0..SERVER_CONNECTIONS_MAX {
        let deadline = if number + 2 < SERVER_CONNECTIONS_MAX { late } else { LATER };
        assert!(table.open(now, [end(1), end(0)], deadline).is_some());
    }
    let mut at = |ms: u64| {
        table.hand = 0;
        table.open(Time::from_ms(ms), [end(1), end(0)], Time::from_ms(ms + 10)).is_some()
    };
    assert!(!at(999), "nothing is overdue");
    assert!(!at(1_500), "and it was looked for just now");
    assert!(at(2_000) && at(2_001) && !at(2_002), "there were two");
    assert!(!at(2_050) && at(3_100), "and these are over, too");
}

#[test]
fn what_is_overdue_goes_little_by_little() {
    let mut table = Connections::new(7);
    for _ in 0..100 {
        open(&mut table, 1, Time::default());
    }
    for _ in 0..200 / SWEEP {
        let place = table.open(LATER, [end(2), end(0)], LATER.plus_ms(1_000)).expect("room");
        table.close(place);
    }
    assert!(table.slots.iter().all(|slot| slot.open.is_none()));
}
