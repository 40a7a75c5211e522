//! What peers do wrong, and who is unharmed by it.

use super::*;

fn gateway() -> World {
    let mut taken = server(1, TrafficMode::Loadshare, &[1]);
    let mut open = server(2, TrafficMode::Loadshare, &[0, 1]);
    taken.network_appearance = Some(3);
    open.registers = true;
    let servers = vec![server(0, TrafficMode::Loadshare, &[0]), taken, open];
    World::new(scope(vec![link(Role::Sgp); 2], servers))
}

fn told(world: &mut World, frame: &[u8]) -> String {
    world.sent(0);
    world.receive(0, frame);
    world.now = world.now.plus_ms(1000);
    world.sent(0).first().cloned().unwrap_or_default()
}

#[test]
fn every_wrong_thing_has_its_code() {
    let mut world = gateway();
    world.opened(0, Side::Responder);
    for kind in [Kind::ASP_ACTIVE, Kind::ASP_INACTIVE, Kind::REG_REQ, Kind::ASP_UP_ACK, Kind::DAUD]
    {
        assert_eq!(told(&mut world, &bare(kind)), "ERR code 6", "{kind:?}");
    }
    assert_eq!(told(&mut world, &bare(Kind(5, 1))), "ERR code 3");
    assert_eq!(told(&mut world, &bare(Kind(3, 9))), "ERR code 4");
    assert_eq!(told(&mut world, &bare(Kind::ERROR)), "");
    let mut old = bare(Kind::ASP_UP);
    old[0] = 2;
    assert_eq!(told(&mut world, &old), "ERR code 1");
    let cut = [1, 0, 3, 1, 0, 0, 0, 12, 0, 0x11, 0, 9];
    assert_eq!(told(&mut world, &cut), "ERR code 12");
    assert_eq!(told(&mut world, &cut[..8]), "ERR code 7");
    world.machines[0].config.asp_identifier = Some(5);
    let up = |id| say(Kind::ASP_UP, |writer| writer.number(tag::ASP_IDENTIFIER, id));
    assert_eq!(told(&mut world, &up(6)), "ERR code f");
    assert_eq!(told(&mut world, &up(5)), "ASPUP ACK");
    assert_eq!(told(&mut world, &bare(Kind::DAUD)), "ERR code 16");
    assert_eq!(told(&mut world, &about(Kind::ASP_ACTIVE, &[101])), "ERR code 19 rc 65");
    let mode = |mode| say(Kind::ASP_ACTIVE, |writer| writer.number(tag::TRAFFIC_MODE, mode));
    assert_eq!(told(&mut world, &mode(1)), "ERR code 5 rc 64");
    assert_eq!(told(&mut world, &mode(9)), "ERR code 5");
    assert_eq!(told(&mut world, &mode(2)), "ASPAC ACK mode 2 rc 64");
    assert!(world.up[0].is_some());
    assert_eq!(told(&mut world, &bare(Kind::ASP_UP)), "ASPUP ACK");
    assert!(world.up[0].is_none(), "an ASPUP while active ends that");
}

#[test]
fn some_contexts_are_good_and_some_are_not() {
    let mut world = gateway();
    world.peer_up(0);
    world.sent(0);
    world.receive(0, &about(Kind::ASP_ACTIVE, &[100, 101, 102, 999]));
    assert_eq!(
        world.sent(0)[..2],
        ["ERR code 19 rc 65 rc 66 rc 3e7", "ASPAC ACK rc 64"],
        "101 is another's and 102 not registered"
    );
}

#[test]
fn errors_are_told_so_many_times_a_second() {
    let mut world = gateway();
    world.opened(0, Side::Responder);
    for _ in 0..100 {
        world.receive(0, &bare(Kind::ASP_ACTIVE));
    }
    assert_eq!(world.sent(0).len(), receive::ERRORS_A_SECOND_MAX as usize);
}

fn reg(codes: &[u32], extra: Option<(u16, &[u8])>) -> Vec<u8> {
    say(Kind::REG_REQ, |writer| {
        writer.nested(tag::ROUTING_KEY, |out| {
            let put = |out: &mut Vec<u8>, tag, value: &[u8]| {
                crate::view::m3ua::inner(out, tag, |out| out.extend_from_slice(value));
            };
            put(out, tag::LOCAL_KEY, &9_u32.to_be_bytes());
            codes.iter().for_each(|code| put(out, tag::DESTINATION, &code.to_be_bytes()));
            if let Some((tag, value)) = extra {
                put(out, tag, value);
            }
        })
    })
}

/// The status and routing context of the one result that was just sent.
fn result(world: &mut World, link: usize, frame: &[u8]) -> (u32, u32) {
    world.sent[link].clear();
    world.receive(link, frame);
    let sent = world.sent[link].pop_front().expect("an answer");
    let message = Message::new(&sent).expect("sound");
    let value = message.parameters().next().expect("a result").value;
    let number = |wanted: &[u16]| {
        let mut inside = crate::view::m3ua::Parameters::inside(value);
        inside.find(|one| wanted.contains(&one.tag)).and_then(|one| one.number()).expect("there")
    };
    let status = number(&[tag::REGISTRATION_STATUS, tag::DEREGISTRATION_STATUS]);
    (status, number(&[tag::ROUTING_CONTEXT]))
}

#[test]
fn registrations() {
    let mut world = gateway();
    world.peer_up(0);
    world.peer_up(1);
    let asked = |world: &mut World, codes: &[u32], extra| result(world, 0, &reg(codes, extra));
    assert_eq!(asked(&mut world, &[0x1fff], None), (2, 0), "nobody's point code");
    assert_eq!(asked(&mut world, &[0x1002], None), (5, 0), "another's");
    assert_eq!(asked(&mut world, &[0x1001, 0x1003], None), (7, 0), "not as it is configured");
    assert_eq!(asked(&mut world, &[0x0100_1003], None), (6, 0), "a range");
    assert_eq!(asked(&mut world, &[], None), (4, 0));
    let number = |value: u32| value.to_be_bytes();
    let (mode, context, seven) = (number(1), number(100), number(7));
    assert_eq!(asked(&mut world, &[0x1003], Some((tag::TRAFFIC_MODE, &mode))), (10, 0));
    assert_eq!(asked(&mut world, &[0x1003], Some((tag::ROUTING_CONTEXT, &context))), (11, 0));
    assert_eq!(asked(&mut world, &[0x1003], Some((tag::NETWORK_APPEARANCE, &seven))), (3, 0));
    assert_eq!(asked(&mut world, &[0x1003], Some((tag::ORIGINATING, &seven))), (9, 0));
    assert_eq!(asked(&mut world, &[0x1003], Some((tag::SERVICE_INDICATORS, &[5]))), (9, 0));
    assert_eq!(asked(&mut world, &[0x1003], Some((tag::SERVICE_INDICATORS, &[3]))), (0, 102));
    assert_eq!(asked(&mut world, &[0x1003], None), (12, 0), "twice");
    world.peer_active(0, 102);
    assert!(world.state.carries(LinkId(0), Some(Symbol(52))), "unharmed by all that");
    assert_eq!(result(&mut world, 0, &about(Kind::DEREG_REQ, &[102])), (5, 102));
    assert_eq!(result(&mut world, 0, &about(Kind::DEREG_REQ, &[101])), (2, 101));
    assert_eq!(result(&mut world, 1, &about(Kind::DEREG_REQ, &[102])), (4, 102));
    assert!(world.state.carries(LinkId(0), Some(Symbol(52))));
    world.receive(0, &about(Kind::ASP_INACTIVE, &[102]));
    assert_eq!(result(&mut world, 0, &about(Kind::DEREG_REQ, &[102])), (0, 102));
    world.sent(0);
    world.peer_active(0, 102);
    assert_eq!(world.sent(0), ["ERR code 19 rc 66"]);
    assert_eq!(result(&mut world, 0, &reg(&[0x1003], None)), (0, 102), "again");
    world.closed(0);
    world.peer_up(0);
    world.sent(0);
    world.peer_active(0, 102);
    assert_eq!(world.sent(0), ["ERR code 19 rc 66"], "a registration ends with its association");
}

#[test]
fn a_flapping_peer_harms_nobody() {
    let mut world = gateway();
    world.peer_up(1);
    world.peer_active(1, 101);
    for _ in 0..200 {
        world.peer_up(0);
        world.peer_active(0, 100);
        world.closed(0);
        assert!(world.state.carries(LinkId(1), Some(Symbol(51))));
    }
    assert!(world.machines[0].recoveries.len() <= world.state.scope.servers.len());
}

#[test]
fn a_second_connection_takes_over_only_from_a_dead_one() {
    let mut world = gateway();
    world.peer_up(0);
    world.peer_active(0, 100);
    world.opened(0, Side::Responder);
    assert_eq!(world.live[0].len(), 2);
    world.receive(0, &bare(Kind::BEAT_ACK));
    assert_eq!(world.live[0].len(), 1, "the first one lives");
    assert!(world.up[0].is_some());
    let second = world.opened(0, Side::Responder);
    world.run(0, |machine, now, fx| machine.received(now, second, &bare(Kind::ASP_UP), fx));
    world.sent(0);
    assert_eq!(world.expire(), Some((0, LinkTimer::Teardown)));
    assert_eq!((world.live[0].clone(), world.up[0]), (vec![second], None));
    assert_eq!(world.sent(0)[0], "ASPUP ACK", "what it said while it waited was heard");
}

#[test]
fn a_beat_comes_back_as_it_was_and_silence_ends_it() {
    let mut world = gateway();
    world.opened(0, Side::Responder);
    world.receive(0, &say(Kind::BEAT, |writer| writer.parameter(tag::HEARTBEAT_DATA, b"abcde")));
    let mut expected = say(Kind::BEAT, |writer| writer.parameter(tag::HEARTBEAT_DATA, b"abcde"));
    expected[3] = 6;
    assert_eq!(world.sent[0].pop_front(), Some(expected));
    for _ in 0..2 {
        while world.sent(0) != ["BEAT"] {
            assert!(world.expire().is_some());
        }
        assert_eq!(world.live[0].len(), 1);
    }
    while world.timers.contains_key(&(0, LinkTimer::Watchdog as usize)) {
        assert!(world.expire().is_some());
    }
    assert!(world.live[0].is_empty());
}

/// A message to our own point code with this service and user's part.
fn own(service: u8, user: &[u8]) -> Vec<u8> {
    let mut value = vec![0, 0, 0x10, 1, 0, 0, 0x10, 0, service, 2, 0, 6];
    value.extend_from_slice(user);
    say(Kind::DATA, |writer| {
        writer.number(tag::ROUTING_CONTEXT, 100).parameter(tag::PROTOCOL_DATA, &value)
    })
}

#[test]
fn subsystems_are_asked_about_and_others_are_not_there() {
    let mut world = gateway();
    world.peer_up(0);
    world.peer_active(0, 100);
    world.sent(0);
    assert_eq!(world.receive(0, &own(5, &[1, 2, 3])), Passage::Premature);
    assert_eq!(world.sent(0), ["DUPU rc 64 pc 1000"]);
    // UDT, class 0, from SSN 1 to SSN 1: SST for SSN 6 of 0x1000.
    let udt = |format, code: u8| [9, 0, 3, 5, 7, 2, 0x42, 1, 2, 0x42, 1, 5, format, 6, 0, code, 0];
    assert_eq!(world.receive(0, &own(3, &udt(3, 0x10))), Passage::Base);
    let answer = world.sent[0].pop_front().expect("SSA");
    let mut expected = own(3, &udt(1, 0x10));
    expected[20..28].copy_from_slice(&[0, 0, 0x10, 0, 0, 0, 0x10, 1]);
    assert_eq!(answer, expected);
    assert_eq!(world.receive(0, &own(3, &udt(3, 0x11))), Passage::Base);
    assert_eq!(world.receive(0, &own(3, &udt(2, 0x11))), Passage::Base);
    assert!(world.sent(0).is_empty(), "not ours to say");
    let mut other = udt(3, 0x10);
    other[7] = 6;
    assert_eq!(world.receive(0, &own(3, &other)), Passage::Traffic);
}
