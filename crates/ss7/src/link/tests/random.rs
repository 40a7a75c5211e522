//! Random bytes and random lives: what always holds is checked by [`World::check`] after each.

use proptest::prelude::*;

use super::*;

const KINDS: [Kind; 24] = [
    Kind::ERROR,
    Kind::NOTIFY,
    Kind::DATA,
    Kind::DUNA,
    Kind::DAVA,
    Kind::DAUD,
    Kind::SCON,
    Kind::DUPU,
    Kind::ASP_UP,
    Kind::ASP_UP,
    Kind::ASP_DOWN,
    Kind::BEAT,
    Kind::ASP_UP_ACK,
    Kind::ASP_DOWN_ACK,
    Kind::BEAT_ACK,
    Kind::ASP_ACTIVE,
    Kind::ASP_ACTIVE,
    Kind::ASP_ACTIVE,
    Kind::ASP_INACTIVE,
    Kind::ASP_ACTIVE_ACK,
    Kind::ASP_ACTIVE_ACK,
    Kind::ASP_INACTIVE_ACK,
    Kind::REG_REQ,
    Kind::DEREG_REQ,
];

fn world() -> World {
    let roles = [
        Role::Sgp,
        Role::Sgp,
        Role::Asp,
        Role::IpspSingle { leads: true },
        Role::IpspSingle { leads: false },
        Role::IpspDouble,
    ];
    let mut wide = server(1, TrafficMode::Loadshare, &[0, 1, 2, 3, 4, 5]);
    wide.links_min = 2;
    let servers = vec![
        server(0, TrafficMode::Override, &[0, 1, 4, 5]),
        wide,
        server(2, TrafficMode::Broadcast, &[1, 2]),
    ];
    World::new(scope(roles.map(link).to_vec(), servers))
}

fn act(world: &mut World, link: usize, what: u8, kind: Kind, pick: u32) {
    let has = world.live[link].len();
    match what {
        0..=1 if world.connects[link] > 0 => drop(world.opened(link, Side::Initiator)),
        2 if world.connects[link] > 0 => {
            world.connects[link] -= 1;
            world.run(link, Link::failed);
        }
        0..=3 if has < 3 && !world.machines[link].config.connects => {
            let _ = world.opened(link, Side::Responder);
        }
        4 if has > 0 => world.closed(link),
        5..=7 => drop(world.expire()),
        8 if pick.is_multiple_of(16) => world.run(link, Link::stop),
        9 => world.run(link, Link::start),
        _ if has > 0 => {
            let frame = say(kind, |writer| match pick % 4 {
                0 => writer,
                1 => writer.number(tag::ROUTING_CONTEXT, 100 + pick / 4 % 4),
                2 => writer.number(
                    tag::STATUS,
                    [0x1_0002, 0x1_0004, 0x2_0001, 0x2_0002][pick as usize / 4 % 4],
                ),
                _ => writer.number(tag::AFFECTED_POINT_CODE, 0x1000 + pick / 4 % 5),
            });
            let _ = world.receive(link, &frame);
        }
        _ => {}
    }
}

proptest! {
    #[test]
    fn lives_of_all_sorts(
        steps in prop::collection::vec((0..6_usize, 0..24_u8, 0..24_usize, any::<u32>()), 1..150)
    ) {
        let mut world = world();
        (0..6).for_each(|link| world.run(link, Link::start));
        for (link, what, kind, pick) in steps {
            act(&mut world, link, what, KINDS[kind], pick);
        }
    }

    #[test]
    fn no_octets_panic(link in 0..6_usize, frames: Vec<(usize, Vec<u8>)>) {
        let mut world = world();
        world.run(link, Link::start);
        let side = if world.connects[link] > 0 { Side::Initiator } else { Side::Responder };
        let _ = world.opened(link, side);
        let _ = world.receive(link, &bare(Kind::ASP_UP));
        let _ = world.receive(link, &bare(Kind::ASP_UP_ACK));
        for (kind, bytes) in frames {
            let kind = KINDS[kind % KINDS.len()];
            let framed = say(kind, |writer| writer.parameter(tag::ROUTING_KEY, &bytes));
            for frame in [&bytes, &framed] {
                if !world.live[link].is_empty() {
                    let _ = world.receive(link, frame);
                }
            }
        }
    }
}
