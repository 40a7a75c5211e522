//! Dialogues through the stack on the walk: a visited network's node, the gateway, a home's HLR.
#![allow(missing_docs, clippy::indexing_slicing, clippy::unwrap_used, clippy::panic)]

mod world;

use procedure::{Act, Code, Domain, Finish, LinkId, Provenance, Refusal};
use ss7::Ss7;
use ss7::view::View;
use ss7::view::m3ua::Data;
use ss7::view::sccp::write::{AddressBuffer, Fields};
use ss7::view::sccp::{Unitdata, cause};
use ss7::view::tcap::Transaction;
use world::*;

#[test]
fn a_location_update_there_and_back() {
    let mut world = World::up();
    world.receive(0, &from_visited(&hex(UL)));
    let onward = world.sent(1);
    let (called, calling) = (hlr().octets().to_vec(), vlr().octets().to_vec());
    assert_eq!(onward.len(), 1);
    assert_eq!(
        seen(&onward[0]),
        (Some(102), OWN.0, HOME.0, called.clone(), calling.clone(), hex(UL))
    );
    assert_eq!(
        world.desk.asked.lock().unwrap()[0],
        Asked {
            act: Act::Register,
            domain: Domain::Cs,
            imsi: Some("214070000000001".into()),
            serving: Some("447700900123".into()),
            origin: "447700900123".into(),
            spoofed: false,
        }
    );
    world.receive(1, &from_home(&hex(UL_OK)));
    let back = world.sent(0);
    assert_eq!(seen(&back[0]), (Some(101), OWN.0, VISITED.0, calling, called, hex(UL_OK)));
    let [record] = world.records[..] else { panic!("{:?}", world.records) };
    assert_eq!((record.finish, record.success, record.frames), (Finish::Answered, true, 2));
    assert_eq!((record.act, record.from, record.to), (Act::Register, LinkId(0), Some(LinkId(1))));
}

#[test]
fn steering_answers_as_the_home_would() {
    let mut world = World::up();
    *world.desk.refuse.lock().unwrap() = Some(Refusal::RoamingNotAllowed);
    world.receive(0, &from_visited(&hex(UL)));
    assert!(world.sent(1).is_empty());
    let answer = world.sent(0);
    let expected = (
        Some(101),
        OWN.0,
        VISITED.0,
        vlr().octets().to_vec(),
        hlr().octets().to_vec(),
        hex(UL_RNA),
    );
    assert_eq!(seen(&answer[0]), expected);
    let [record] = world.records[..] else { panic!("{:?}", world.records) };
    assert_eq!((record.finish, record.code), (Finish::Refused, Code::Error(8)));
    assert_eq!(record.provenance, Provenance::Steering);
}

#[test]
fn a_vlr_and_an_sgsn_of_one_number_have_dialogues_of_their_own() {
    let mut world = World::up();
    let sgsn = title(149, 1, "447700900123");
    world.receive(0, &from_visited(&hex(UL)));
    world.receive(0, &data(101, VISITED, OWN, &hlr(), &sgsn, &hex(UL)));
    assert_eq!(world.sent(1).len(), 2);
    world.receive(1, &data(102, HOME, OWN, &sgsn, &hlr(), &hex(UL_OK)));
    let [record] = world.records[..] else { panic!("{:?}", world.records) };
    assert_eq!((record.success, record.code), (true, Code::None));
    world.receive(1, &from_home(&hex(UL_RNA)));
    let [_, record] = world.records[..] else { panic!("{:?}", world.records) };
    assert_eq!((record.success, record.code), (false, Code::Error(8)));
}

#[test]
fn the_home_says_no_itself() {
    let mut world = World::up();
    world.receive(0, &from_visited(&hex(UL)));
    world.receive(1, &from_home(&hex(UL_RNA)));
    let [record] = world.records[..] else { panic!("{:?}", world.records) };
    assert_eq!((record.finish, record.code), (Finish::Answered, Code::Error(8)));
    assert_eq!((record.success, record.provenance), (false, Provenance::Relayed));
}

#[test]
fn an_identity_becomes_the_home_networks_mobile_title() {
    let mut world = World::up();
    let imsi = title(6, 6, "214070000000001");
    world.receive(0, &data(101, VISITED, OWN, &imsi, &vlr(), &hex(UL)));
    assert_eq!(seen(&world.sent(1)[0]).3, hlr().octets());
}

#[test]
fn what_leads_nowhere_is_given_back() {
    let mut world = World::up();
    let stranger = title(6, 1, "999999");
    world.receive(0, &data(101, VISITED, OWN, &stranger, &vlr(), &hex(UL)));
    let back = world.sent(0);
    let data = Data::new(&back[0]).unwrap();
    let unit = Unitdata::new(data.user, false).unwrap();
    assert!(unit.is_service());
    assert_eq!((unit.class, unit.data), (cause::NO_TRANSLATION, &hex(UL)[..]));
    assert_eq!(world.records[0].code, Code::Returned(u32::from(cause::NO_TRANSLATION)));
}

/// The third network's node, which may speak for titles of its own.
fn from_stranger(calling: &AddressBuffer, tcap: &[u8]) -> Vec<u8> {
    data(103, OTHER, OWN, &vlr(), calling, tcap)
}

#[test]
fn nobody_else_has_a_say_in_a_dialogue() {
    let strangers = [
        hlr(),
        title(6, 1, "336890000"),
        AddressBuffer::new(&Fields { ssn: Some(6), ..Fields::default() }),
    ];
    for calling in &strangers {
        let mut world = World::up();
        world.receive(0, &from_visited(&hex(UL)));
        world.sent(1);
        world.receive(2, &from_stranger(calling, &hex(UL_RNA)));
        assert!(world.sent(0).is_empty(), "the VLR hears nothing of it");
        let [record] = world.records[..] else { panic!("{:?}", world.records) };
        assert_eq!((record.from, record.finish), (LinkId(2), Finish::Stray));
        world.receive(1, &from_home(&hex(UL_OK)));
        assert_eq!(world.sent(0).len(), 1, "the home's own answer comes");
        let [_, record] = world.records[..] else { panic!("{:?}", world.records) };
        assert_eq!((record.finish, record.success), (Finish::Answered, true));
    }
}

/// CL in an End that belongs to no dialogue we know of.
#[test]
fn an_order_in_a_closing_message_is_decided_on() {
    let mut world = World::up();
    let order = hex("641f4904000010016c17a115020101020103a30d040812040700000000f10a0100");
    world.receive(2, &from_stranger(&title(6, 1, "336890000"), &order));
    let asked = world.desk.asked.lock().unwrap();
    let [asked] = &asked[..] else { panic!("{asked:?}") };
    assert_eq!((asked.act, asked.imsi.as_deref()), (Act::Deregister, Some("214070000000001")));
}

#[test]
fn who_has_titles_asks_with_one_of_them() {
    let mut world = World::up();
    let nameless = AddressBuffer::new(&Fields { ssn: Some(7), ..Fields::default() });
    world.receive(0, &data(101, VISITED, OWN, &hlr(), &nameless, &hex(UL)));
    assert!(world.sent(1).is_empty());
    assert_eq!(world.records[0].provenance, Provenance::Screening);
}

#[test]
fn a_beginning_that_comes_back_is_not_sent_again() {
    let mut world = World::up();
    world.receive(0, &from_visited(&hex(UL)));
    assert_eq!(world.sent(1).len(), 1);
    // The home's side does not know the title either and sends it on, to us.
    world.receive(1, &data(102, HOME, OWN, &hlr(), &vlr(), &hex(UL)));
    assert!(world.sent(0).is_empty());
    let [record] = world.records[..] else { panic!("{:?}", world.records) };
    assert_eq!((record.finish, record.provenance), (Finish::Refused, Provenance::Protocol));
}

#[test]
fn nothing_goes_back_to_where_it_came_from() {
    let mut world = World::up();
    let own = title(7, 1, "447700900200");
    world.receive(0, &data(101, VISITED, OWN, &own, &vlr(), &hex(UL)));
    world.receive(0, &data(101, VISITED, VISITED, &hlr(), &vlr(), &hex(UL)));
    let back = world.sent(0);
    for (message, expected) in back.iter().zip([cause::HOP_COUNTER, cause::NETWORK_FAILURE]) {
        let data = Data::new(message).unwrap();
        let unit = Unitdata::new(data.user, false).unwrap();
        assert!(unit.is_service(), "given back, not sent on");
        assert_eq!(unit.class, expected);
    }
    assert_eq!((back.len(), world.records.len()), (2, 2));
    for record in &world.records {
        assert_eq!((record.finish, record.provenance), (Finish::Refused, Provenance::Protocol));
    }
}

#[test]
fn nobody_speaks_for_another() {
    let mut world = World::up();
    let other = title(7, 1, "336890000");
    world.receive(0, &data(101, VISITED, OWN, &hlr(), &other, &hex(UL)));
    assert!(world.sent(1).is_empty());
    assert_eq!(world.records[0].finish, Finish::Refused);
    assert_eq!(world.records[0].provenance, Provenance::Screening);
    assert_eq!(world.records[0].code, Code::Error(36), "unexpected data value");
}

#[test]
fn silence_is_recorded_and_the_originator_is_told() {
    let mut world = World::up();
    world.receive(0, &from_visited(&hex(UL)));
    world.sent(1);
    world.pass_ms(6_000);
    let back = world.sent(0);
    let data = Data::new(back.last().unwrap()).unwrap();
    let unit = Unitdata::new(data.user, false).unwrap();
    let abort = Transaction::new(unit.data, 0).unwrap();
    assert_eq!((abort.p_abort, abort.dtid), (Some(1), Some(&[0, 0, 16, 1][..])));
    assert_eq!(world.records[0].finish, Finish::Expired);
}

#[test]
fn what_cannot_be_read_is_aborted_and_harms_nobody() {
    let mut world = World::up();
    let mut broken = hex(UL);
    let components = broken.iter().position(|octet| *octet == 0x6c).unwrap();
    broken[components + 1] = 0x7f;
    world.receive(0, &from_visited(&broken));
    let back = world.sent(0);
    assert_eq!(back.len(), 1);
    let data = Data::new(&back[0]).unwrap();
    let unit = Unitdata::new(data.user, false).unwrap();
    assert_eq!(Transaction::new(unit.data, 0).unwrap().p_abort, Some(2));
    assert!(matches!(world.records[0].finish, Finish::Malformed(_)));
    world.receive(0, &from_visited(&hex(UL)));
    assert_eq!(world.sent(1).len(), 1);
}

#[test]
fn transfer_by_point_code_is_octet_for_octet() {
    let mut world = World::up();
    let there = data(101, VISITED, HOME, &hlr(), &vlr(), &hex(UL));
    world.receive(0, &there);
    let onward = world.sent(1);
    let mut expected = there;
    expected[12..16].copy_from_slice(&102_u32.to_be_bytes());
    assert_eq!(onward, [expected]);
}

proptest::proptest! {
    #[test]
    fn no_octets_panic(place: usize, value: u8, cut: usize) {
        let mut message = from_visited(&hex(UL));
        let place = place % message.len();
        message[place] = value;
        let cut = (8 + cut % (message.len() - 7)) & !3;
        message.truncate(cut.max(8));
        let length = u32::try_from(message.len()).unwrap().to_be_bytes();
        message[4..8].copy_from_slice(&length);
        if let Ok(view) = View::new(&message, false) {
            let stack = Ss7::new(config(), 7);
            let _ = relay::Stack::correlate(&stack, &view);
            let mut out = Vec::new();
            for refusal in [Refusal::RoamingNotAllowed, Refusal::Unroutable] {
                let _ = relay::Stack::answer(&stack, &view, refusal, &mut out);
            }
        }
    }
}
