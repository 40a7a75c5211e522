//! Links where we ask: as an ASP of another's gateway, and between equals.

use super::*;

fn with(role: Role, mode: TrafficMode) -> World {
    let servers = vec![server(0, mode, &[0]), server(1, TrafficMode::Override, &[0])];
    World::new(scope(vec![link(role)], servers))
}

/// We dial and send what an ASP sends.
fn dial(world: &mut World) {
    world.run(0, Link::start);
    world.opened(0, Side::Initiator);
    assert_eq!(world.sent(0), ["ASPUP"]);
    world.receive(0, &bare(Kind::ASP_UP_ACK));
    assert_eq!(world.sent(0), ["ASPAC mode 1 rc 65", "ASPAC mode 2 rc 64"]);
}

fn data(context: u32) -> Vec<u8> {
    say(Kind::DATA, |writer| {
        let label = [0, 0, 0x10, 2, 0, 0, 0x30, 1, 3, 0, 0, 0];
        writer.number(tag::ROUTING_CONTEXT, context).parameter(tag::PROTOCOL_DATA, &label)
    })
}

//= RFC 4666 §5.5.1
#[test]
fn as_an_asp_with_partial_success() {
    for role in [Role::Asp, Role::IpspSingle { leads: true }] {
        let mut world = with(role, TrafficMode::Loadshare);
        dial(&mut world);
        assert_eq!(world.receive(0, &data(100)), Passage::Traffic, "asked for, so it may come");
        world.receive(0, &about(Kind::ASP_ACTIVE_ACK, &[101]));
        assert!(world.state.carries(LinkId(0), Some(Symbol(51))));
        assert!(!world.state.carries(LinkId(0), Some(Symbol(50))));
        let refusal = say(Kind::ERROR, |writer| {
            writer.number(tag::ERROR_CODE, 0x19).number(tag::ROUTING_CONTEXT, 100)
        });
        world.receive(0, &refusal);
        assert_eq!(world.sent(0), [""; 0], "never an ERR for an ERR");
        assert_eq!(world.expire(), Some((0, LinkTimer::Handshake)));
        assert_eq!(world.sent(0), ["ASPAC mode 2 rc 64"], "only what is missing");
        world.receive(0, &about(Kind::ASP_ACTIVE_ACK, &[100]));
        assert_eq!(world.machines[0].state(), "ASP-ACTIVE");
        world.run(0, Link::stop);
        assert_eq!(world.sent(0), ["ASPIA rc 64 rc 65", "ASPDN"]);
        assert!(world.up[0].is_none() && world.live[0].len() == 1);
        world.receive(0, &bare(Kind::ASP_DOWN_ACK));
        assert!(world.live[0].is_empty());
        assert!(world.timers.values().all(|(_, timer)| *timer == LinkTimer::Recovery), "for good");
    }
}

#[test]
fn another_asp_takes_over_until_it_is_missed() {
    let mut world = with(Role::Asp, TrafficMode::Loadshare);
    dial(&mut world);
    world.receive(0, &bare(Kind::ASP_ACTIVE_ACK));
    let notify = |status| {
        say(Kind::NOTIFY, |writer| {
            writer.number(tag::STATUS, status).number(tag::ROUTING_CONTEXT, 101)
        })
    };
    world.receive(0, &notify(0x0002_0002));
    assert!(!world.state.carries(LinkId(0), Some(Symbol(51))) && world.up[0].is_some());
    assert_eq!(world.receive(0, &data(101)), Passage::Premature);
    world.sent(0);
    world.receive(0, &notify(0x0001_0004));
    assert_eq!(world.sent(0), ["ASPAC mode 1 rc 65"]);
    world.receive(0, &about(Kind::ASP_ACTIVE_ACK, &[101]));
    assert!(world.state.carries(LinkId(0), Some(Symbol(51))));
    // The peer takes us down of its own will: we try again, not at once.
    world.receive(0, &bare(Kind::ASP_DOWN_ACK));
    assert_eq!((world.sent(0).len(), world.up[0]), (0, None));
    assert_eq!(world.expire(), Some((0, LinkTimer::Handshake)));
    assert_eq!(world.sent(0), ["ASPUP"]);
}

#[test]
fn what_the_peers_network_cannot_reach() {
    let mut world = with(Role::Asp, TrafficMode::Loadshare);
    dial(&mut world);
    world.receive(0, &bare(Kind::ASP_ACTIVE_ACK));
    assert!(world.state.is_available(PointCode(0x1001)));
    let said = |kind| say(kind, |writer| writer.number(tag::AFFECTED_POINT_CODE, 0x1001));
    world.receive(0, &said(Kind::DUNA));
    assert!(!world.state.is_available(PointCode(0x1001)));
    assert!(!world.state.passes(LinkId(0), PointCode(0x1001)));
    assert!(world.state.is_available(PointCode(0x1002)));
    assert_eq!(world.expire(), Some((0, LinkTimer::Watchdog)));
    assert_eq!(world.sent(0), ["BEAT", "DAUD rc 64 rc 65 pc 1001"]);
    world.receive(0, &said(Kind::DAVA));
    assert!(world.state.is_available(PointCode(0x1001)));
    world.receive(0, &said(Kind::DUNA));
    world.closed(0);
    assert!(world.state.passes(LinkId(0), PointCode(0x1001)), "forgotten with the association");
}

#[test]
fn whose_answers_are_not_to_be_trusted_is_not_asked() {
    let servers =
        vec![server(0, TrafficMode::Loadshare, &[0]), server(1, TrafficMode::Override, &[0])];
    let mut scope = scope(vec![link(Role::Asp)], servers);
    scope.timers.audit_ms = 0;
    let mut world = World::new(scope);
    dial(&mut world);
    world.receive(0, &bare(Kind::ASP_ACTIVE_ACK));
    let gone = say(Kind::DUNA, |writer| writer.number(tag::AFFECTED_POINT_CODE, 0x1001));
    world.receive(0, &gone);
    for _ in 0..2 {
        assert_eq!(world.expire(), Some((0, LinkTimer::Watchdog)));
        assert_eq!(world.sent(0), ["BEAT"]);
    }
    assert!(!world.state.is_available(PointCode(0x1001)));
}

//= RFC 4666 §5.5.1
#[test]
fn a_single_exchange_that_the_peer_leads() {
    let mut world = with(Role::IpspSingle { leads: false }, TrafficMode::Loadshare);
    world.peer_up(0);
    assert_eq!(world.receive(0, &data(100)), Passage::Premature);
    world.peer_active(0, 100);
    assert_eq!(world.receive(0, &data(100)), Passage::Traffic);
    assert!(world.state.carries(LinkId(0), Some(Symbol(50))), "one exchange for both directions");
    world.run(0, Link::stop);
    assert_eq!(world.sent(0).last().map(String::as_str), Some("ASPDN ACK"));
    assert!(world.live[0].is_empty());
}

//= RFC 4666 §5.5.2
#[test]
fn a_double_exchange() {
    let mut world = with(Role::IpspDouble, TrafficMode::Loadshare);
    world.peer_up(0);
    assert_eq!(
        world.sent(0),
        ["ASPUP", "ASPUP ACK", "NTFY status 10002 rc 64", "NTFY status 10002 rc 65"]
    );
    world.receive(0, &bare(Kind::ASP_UP_ACK));
    world.receive(0, &bare(Kind::ASP_ACTIVE_ACK));
    assert_eq!(world.receive(0, &data(100)), Passage::Traffic);
    assert!(world.up[0].is_none(), "the other direction is not open yet");
    world.peer_active(0, 100);
    assert!(world.up[0].is_some() && world.state.carries(LinkId(0), Some(Symbol(50))));
    world.run(0, Link::stop);
    let sent = world.sent(0);
    assert_eq!(sent[sent.len() - 3..], ["ASPDN ACK", "ASPIA rc 64 rc 65", "ASPDN"]);
    assert_eq!(world.expire().map(|fired| fired.1), Some(LinkTimer::Recovery));
    assert_eq!(world.expire().map(|fired| fired.1), Some(LinkTimer::Teardown));
    assert!(world.live[0].is_empty());
}

#[test]
fn connecting_again_takes_longer_each_time() {
    let mut world = with(Role::Asp, TrafficMode::Loadshare);
    world.run(0, Link::start);
    let mut longest = 0;
    for _ in 0..20 {
        world.connects[0] -= 1;
        let before = world.now;
        world.run(0, Link::failed);
        assert_eq!(world.expire(), Some((0, LinkTimer::Reconnect)));
        longest = longest.max(world.now.as_ms() - before.as_ms());
        assert!(world.now.as_ms() - before.as_ms() >= 500 && longest <= 30_000);
    }
    assert!(longest >= 15_000);
}

#[test]
fn only_one_carries_in_override_where_we_lead() {
    let role = Role::IpspSingle { leads: true };
    let servers = vec![server(0, TrafficMode::Override, &[0, 1])];
    let mut world = World::new(scope(vec![link(role); 2], servers));
    for link in 0..2 {
        world.run(link, Link::start);
        world.opened(link, Side::Initiator);
        world.receive(link, &bare(Kind::ASP_UP_ACK));
        world.receive(link, &bare(Kind::ASP_ACTIVE_ACK));
    }
    let carries = |world: &World| [0, 1].map(|link| world.state.carries(LinkId(link), None));
    assert_eq!(carries(&world), [false, true]);
    world.closed(1);
    assert_eq!(carries(&world), [true, false]);
}
