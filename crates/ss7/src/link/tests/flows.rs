//! The example flows of RFC 4666 §5, toward our peers that are ASPs.

use super::*;

fn gateway(mode: TrafficMode, links: u32) -> World {
    let all: Vec<u32> = (0..links).collect();
    World::new(scope(vec![link(Role::Sgp); links as usize], vec![server(0, mode, &all)]))
}

//= RFC 4666 §5.1.1
#[test]
fn a_single_asp_in_a_server() {
    let mut world = gateway(TrafficMode::Loadshare, 1);
    world.peer_up(0);
    assert_eq!(world.sent(0), ["ASPUP ACK", "NTFY status 10002 rc 64"]);
    assert!(!world.state.carries(LinkId(0), None) && world.up[0].is_none());
    world.peer_active(0, 100);
    assert_eq!(world.sent(0), ["ASPAC ACK rc 64", "NTFY status 10003 rc 64"]);
    assert!(world.state.carries(LinkId(0), Some(Symbol(50))) && world.up[0].is_some());
    assert!(!world.state.carries(LinkId(0), Some(Symbol(51))));
    world.receive(0, &about(Kind::ASP_INACTIVE, &[100]));
    assert_eq!(world.sent(0), ["ASPIA ACK rc 64", "NTFY status 10004 rc 64"]);
    world.receive(0, &bare(Kind::ASP_DOWN));
    assert_eq!(world.sent(0), ["ASPDN ACK"]);
    assert_eq!((world.standing(), world.machines[0].state()), (Standing::Pending, "ASP-DOWN"));
}

//= RFC 4666 §5.1.2
//= RFC 4666 §5.2.1
#[test]
fn one_plus_one_in_override() {
    let mut world = gateway(TrafficMode::Override, 2);
    world.peer_up(0);
    world.peer_up(1);
    world.peer_active(0, 100);
    assert_eq!(world.sent(1), ["ASPUP ACK", "NTFY status 10002 rc 64", "NTFY status 10003 rc 64"]);
    world.sent(0);
    world.peer_active(1, 100);
    assert_eq!(world.sent(1), ["ASPAC ACK rc 64"]);
    assert_eq!(world.sent(0), ["NTFY status 20002 rc 64"], "alternate ASP active");
    assert!(!world.state.carries(LinkId(0), None) && world.state.carries(LinkId(1), None));
    assert_eq!((world.up[0], world.machines[0].state()), (None, "ASP-INACTIVE"));
    // And back.
    world.peer_active(0, 100);
    assert_eq!(world.sent(1), ["NTFY status 20002 rc 64"]);
}

//= RFC 4666 §5.1.3
//= RFC 4666 §5.2.2
#[test]
fn two_share_and_one_fails() {
    let mut scope =
        scope(vec![link(Role::Sgp); 3], vec![server(0, TrafficMode::Loadshare, &[0, 1, 2])]);
    scope.servers[0].links_min = 2;
    let mut world = World::new(scope);
    (0..3).for_each(|link| world.peer_up(link));
    world.peer_active(0, 100);
    assert_eq!(world.standing(), Standing::Inactive, "two are needed");
    let acked = ["ASPUP ACK", "NTFY status 10002 rc 64", "ASPAC ACK rc 64"];
    assert_eq!(world.sent(0), acked, "and no DUNA for its own point code");
    assert!(!world.state.carries(LinkId(0), None));
    world.peer_active(1, 100);
    assert_eq!(world.standing(), Standing::Active);
    assert!(world.state.carries(LinkId(0), None) && world.state.carries(LinkId(1), None));
    world.sent(2);
    world.closed(1);
    assert_eq!(world.standing(), Standing::Active);
    assert_eq!(world.sent(2), ["NTFY status 20001 rc 64"], "insufficient, to the idle one");
    world.peer_active(2, 100);
    assert_eq!(world.sent(2), ["ASPAC ACK rc 64"]);
}

#[test]
fn back_within_recovery_or_not() {
    let mut world = gateway(TrafficMode::Loadshare, 2);
    world.peer_up(0);
    world.peer_up(1);
    world.peer_active(0, 100);
    world.sent(1);
    world.closed(0);
    assert_eq!(world.sent(1), ["NTFY status 10004 rc 64"]);
    assert!(world.state.is_available(PointCode(0x1001)), "it may come back");
    world.peer_active(1, 100);
    assert_eq!(world.sent(1), ["ASPAC ACK rc 64", "NTFY status 10003 rc 64"]);
    assert_eq!(world.expire().map(|fired| fired.1), Some(LinkTimer::Recovery));
    assert_eq!(world.standing(), Standing::Active, "the old T(r) means nothing now");
    world.receive(1, &bare(Kind::ASP_INACTIVE));
    assert_eq!(world.standing(), Standing::Pending);
    assert_eq!(world.expire(), Some((1, LinkTimer::Recovery)));
    assert_eq!(world.standing(), Standing::Inactive);
    assert!(!world.state.is_available(PointCode(0x1001)));
    assert_eq!(
        world.sent(1),
        ["ASPIA ACK rc 64", "NTFY status 10004 rc 64", "NTFY status 10002 rc 64"]
    );
}

#[test]
fn others_hear_of_what_is_out_of_reach() {
    let servers =
        vec![server(0, TrafficMode::Loadshare, &[0]), server(1, TrafficMode::Loadshare, &[1])];
    let mut world = World::new(scope(vec![link(Role::Sgp); 2], servers));
    world.peer_up(0);
    world.peer_active(0, 100);
    assert_eq!(world.sent(0).last().map(String::as_str), Some("DUNA rc 64 pc 1002"));
    world.peer_up(1);
    world.peer_active(1, 101);
    assert_eq!(world.sent(0), ["DAVA rc 64 pc 1002"]);
    world.sent(1);
    world.closed(0);
    assert_eq!(world.sent(1), [""; 0], "not before T(r)");
    while world.expire().expect("T(r)").1 != LinkTimer::Recovery {}
    assert!(world.sent(1).contains(&"DUNA rc 65 pc 1001".to_owned()));
    // DAUD is answered from the true state: our own, one there, one not, one nobody knows.
    let daud = say(Kind::DAUD, |writer| {
        writer.numbers(tag::AFFECTED_POINT_CODE, &[0x1000, 0x1001, 0x1002, 0x1fff])
    });
    world.receive(1, &daud);
    assert_eq!(world.sent(1), ["DAVA rc 65 pc 1000 pc 1002", "DUNA rc 65 pc 1001 pc 1fff"]);
    let range = say(Kind::DAUD, |writer| writer.number(tag::AFFECTED_POINT_CODE, 0x0200_1000));
    world.receive(1, &range);
    assert_eq!(world.sent(1), ["DAVA rc 65 pc 1002 pc 1000", "DUNA rc 65 pc 1001"]);
    world.peer_up(0);
    world.peer_active(0, 100);
    assert_eq!(world.sent(1), ["DAVA rc 65 pc 1001"]);
    let scon = say(Kind::SCON, |writer| {
        writer.number(tag::AFFECTED_POINT_CODE, 0x1001).number(tag::CONGESTION, 2)
    });
    world.sent(0);
    world.receive(0, &scon);
    assert_eq!((world.sent(0).len(), world.sent(1)), (0, vec!["SCON rc 65 pc 1001".to_owned()]));
}

/// Two workers: the one that was replaced asks again before it has heard of that.
#[test]
fn the_last_one_that_asks_is_active() {
    let mut world = gateway(TrafficMode::Override, 2);
    world.peer_up(0);
    world.peer_up(1);
    world.peer_active(0, 100);
    let active = about(Kind::ASP_ACTIVE, &[100]);
    let other = world.live[1][0];
    world.step(1, |machine, now, fx| machine.received(now, other, &active, fx));
    assert!(world.state.carries(LinkId(1), None));
    world.peer_active(0, 100);
    assert!(world.state.carries(LinkId(0), None) && !world.state.carries(LinkId(1), None));
    assert_eq!(world.sent(1).last().map(String::as_str), Some("NTFY status 20002 rc 64"));
}

#[test]
fn an_older_recovery_ends_nothing() {
    let mut world = gateway(TrafficMode::Loadshare, 2);
    world.peer_up(0);
    world.peer_up(1);
    world.peer_active(0, 100);
    world.receive(0, &bare(Kind::ASP_INACTIVE));
    world.peer_active(1, 100);
    world.now = world.now.plus_ms(1000);
    world.receive(1, &bare(Kind::ASP_INACTIVE));
    assert_eq!(world.expire(), Some((0, LinkTimer::Recovery)));
    assert_eq!(world.standing(), Standing::Pending, "the second one has a second left");
    assert_eq!(world.expire(), Some((1, LinkTimer::Recovery)));
    assert_eq!(world.standing(), Standing::Inactive);
}

#[test]
fn who_rests_hears_later_what_changed() {
    let servers =
        vec![server(0, TrafficMode::Loadshare, &[0]), server(1, TrafficMode::Loadshare, &[1])];
    let mut world = World::new(scope(vec![link(Role::Sgp); 2], servers));
    world.peer_up(0);
    world.peer_active(0, 100);
    assert_eq!(world.sent(0).last().map(String::as_str), Some("DUNA rc 64 pc 1002"));
    world.receive(0, &bare(Kind::ASP_INACTIVE));
    world.peer_up(1);
    world.peer_active(1, 101);
    assert!(!world.sent(0).iter().any(|sent| sent.starts_with("DAVA")), "only active ones");
    world.peer_active(0, 100);
    assert_eq!(world.sent(0).last().map(String::as_str), Some("DAVA rc 64 pc 1002"));
    // One that begins anew may remember or not.
    world.receive(1, &bare(Kind::ASP_INACTIVE));
    while world.state.standing(1) == Standing::Pending {
        assert!(world.expire().is_some());
    }
    world.receive(0, &bare(Kind::ASP_UP));
    world.peer_active(1, 101);
    world.peer_active(0, 100);
    assert_eq!(world.sent(0).last().map(String::as_str), Some("DAVA rc 64 pc 1002"));
}
