//! Messages that come in segments through the stack on the walk: read, decided and sent as one.
#![allow(missing_docs, clippy::indexing_slicing, clippy::unwrap_used, clippy::panic)]

mod world;

use procedure::{Act, Code, Finish, LinkId, Provenance, Refusal};
use relay::{ASSEMBLIES_MAX, LINK_ASSEMBLIES_MAX, LINK_ASSEMBLY_OCTETS_MAX};
use ss7::view::m3ua::{Data, PointCode};
use ss7::view::sccp::write::AddressBuffer;
use ss7::view::sccp::{Unitdata, cause, kind};
use ss7::view::tcap::Transaction;
use world::*;

/// The time for the last segment and that for a dialogue's silence are both over.
const ALL_OVER_MS: u64 = 60_000;
const REASSEMBLY_MS: u64 = 15_000;

/// Called, calling, and who says it to whom.
struct Plan {
    called: AddressBuffer,
    calling: AddressBuffer,
    dpc: PointCode,
}

impl Plan {
    fn to(dpc: PointCode) -> Self {
        Self { called: hlr(), calling: vlr(), dpc }
    }

    fn segmented(&self) -> Segmented<'_> {
        Segmented {
            context: 101,
            opc: VISITED,
            dpc: self.dpc,
            called: &self.called,
            calling: &self.calling,
            sls: 9,
            reference: 7,
            is_long: false,
        }
    }
}

fn say(world: &mut World, frames: &[Vec<u8>]) {
    frames.iter().for_each(|frame| world.receive(0, frame));
}

fn octets(frames: &[Vec<u8>]) -> u32 {
    u32::try_from(frames.iter().map(Vec::len).sum::<usize>()).unwrap()
}

/// The user's parts, put together.
fn whole(frames: &[Vec<u8>]) -> Vec<u8> {
    let data = |frame: &Vec<u8>| {
        Unitdata::new(Data::new(frame).unwrap().user, false).unwrap().data.to_vec()
    };
    frames.iter().flat_map(data).collect()
}

/// What was given back: its kind, its cause, its user's part.
fn given_back(frame: &[u8]) -> (u8, u8, Vec<u8>) {
    let unit = Unitdata::new(Data::new(frame).unwrap().user, false).unwrap();
    (unit.kind, unit.class, unit.data.to_vec())
}

#[test]
fn no_cut_hides_a_registration_from_steering() {
    let ul = hex(UL);
    for dpc in [OWN, HOME] {
        let plan = Plan::to(dpc);
        for is_long in [false, true] {
            for cut in 0..=ul.len() {
                let mut world = World::up();
                *world.desk.refuse.lock().unwrap() = Some(Refusal::RoamingNotAllowed);
                let said = Segmented { is_long, ..plan.segmented() };
                let frames = said.frames(&[&ul[..cut], &ul[cut..]]);
                say(&mut world, &frames);
                assert!(world.sent(1).is_empty(), "cut at {cut}");
                let answer = world.sent(0);
                assert_eq!(answer.len(), 1);
                assert_eq!(whole(&answer), hex(UL_RNA));
                let [record] = world.records[..] else { panic!("{:?}", world.records) };
                assert_eq!((record.finish, record.code), (Finish::Refused, Code::Error(8)));
                assert_eq!(record.provenance, Provenance::Steering);
                assert_eq!((record.frames, record.request_octets), (2, octets(&frames)));
                let asked = world.desk.asked.lock().unwrap();
                let [asked] = &asked[..] else { panic!("{asked:?}") };
                assert_eq!(asked.act, Act::Register);
                assert_eq!(asked.imsi.as_deref(), Some("214070000000001"));
            }
        }
    }
}

#[test]
fn in_transit_segments_pass_octet_for_octet_and_in_order() {
    let (ul, plan) = (hex(UL), Plan::to(HOME));
    let pieces: Vec<_> = ul.chunks(5).collect();
    assert_eq!(pieces.len(), 16, "as many as there can be");
    for (pieces, is_long) in [(&pieces[..], false), (&pieces, true), (&[&ul[..9], &ul[9..]], false)]
    {
        let mut world = World::up();
        let frames = Segmented { is_long, ..plan.segmented() }.frames(pieces);
        say(&mut world, &frames[..frames.len() - 1]);
        assert!(world.sent(1).is_empty() && world.records.is_empty(), "nothing before the last");
        world.receive(0, frames.last().unwrap());
        let mut expected = frames.clone();
        for frame in &mut expected {
            frame[12..16].copy_from_slice(&102_u32.to_be_bytes());
        }
        assert_eq!(world.sent(1), expected);
        world.receive(1, &data(102, HOME, VISITED, &vlr(), &hlr(), &hex(UL_OK)));
        let [record] = world.records[..] else { panic!("{:?}", world.records) };
        let count = u32::try_from(frames.len()).unwrap();
        assert_eq!((record.finish, record.frames), (Finish::Answered, count + 1));
        assert_eq!((record.act, record.request_octets), (Act::Register, octets(&frames)));
    }
}

#[test]
fn translated_segments_go_to_one_place_each_with_its_own_header() {
    let ul = hex(UL);
    for workers in [1, 2, 3] {
        let plan = Plan { called: title(6, 6, "214070000000001"), ..Plan::to(OWN) };
        let mut world = World::of(config(), workers);
        let frames = plan.segmented().frames(&[&ul[..30], &ul[30..50], &ul[50..]]);
        say(&mut world, &frames);
        let onward = world.sent(1);
        assert_eq!((onward.len(), whole(&onward)), (3, ul.clone()));
        for (place, frame) in onward.iter().enumerate() {
            let data = Data::new(frame).unwrap();
            let unit = Unitdata::new(data.user, false).unwrap();
            assert_eq!((data.opc, data.dpc, unit.hops), (OWN, HOME, Some(14)));
            assert_eq!(unit.called.octets, hlr().octets());
            assert_eq!(unit.calling.octets, vlr().octets());
            let segment = unit.segment.unwrap();
            assert_eq!((segment.first, usize::from(segment.remaining)), (place == 0, 2 - place));
        }
        world.receive(1, &from_home(&hex(UL_OK)));
        let [record] = world.records[..] else { panic!("{:?}", world.records) };
        assert_eq!((record.finish, record.frames, record.success), (Finish::Answered, 4, true));
    }
}

#[test]
fn a_message_said_again_is_of_the_same_exchange_and_every_frame_counts() {
    let (ul, plan) = (hex(UL), Plan::to(OWN));
    for workers in [1, 2] {
        let mut world = World::of(config(), workers);
        let frames_out = |world: &World| world.board.status(LinkId(1)).unwrap().counters.frames_out;
        let before = frames_out(&world);
        for reference in [7, 8] {
            let said = Segmented { reference, ..plan.segmented() };
            say(&mut world, &said.frames(&[&ul[..20], &ul[20..40], &ul[40..]]));
        }
        assert_eq!(world.sent(1).len(), 6);
        assert_eq!(frames_out(&world) - before, 6);
        world.receive(1, &from_home(&hex(UL_OK)));
        let [record] = world.records[..] else { panic!("{:?}", world.records) };
        assert_eq!((record.finish, record.frames), (Finish::Answered, 7));
    }
}

/// Behind a full segment no pointer of one octet reaches the segmentation parameter any more, once
/// the called party has grown.
#[test]
fn a_full_segment_finds_room_for_a_longer_called_party() {
    let mut world = World::up();
    // Not TCAP: between these subsystems it need not be.
    let (called, calling) = (title(250, 1, "8881"), title(250, 1, "4477"));
    let plan = Plan { called, calling, dpc: OWN };
    // The pointer to the optional part stands at its greatest.
    let piece = vec![0x55; 251 - plan.called.octets().len() - plan.calling.octets().len()];
    let frames = plan.segmented().frames(&[&piece, &piece]);
    assert_eq!(Data::new(&frames[0]).unwrap().user[6], 255);
    say(&mut world, &frames);
    let onward = world.sent(1);
    assert_eq!(whole(&onward), [&piece[..], &piece].concat());
    let unit = Unitdata::new(Data::new(&onward[0]).unwrap().user, false).unwrap();
    assert_eq!(unit.called.title.unwrap().digits().in_clear(), "346098881");
    assert_eq!(unit.segment.map(|segment| segment.remaining), Some(1));
}

#[test]
fn what_is_out_of_order_is_given_back_once_and_each_frame_is_recorded_once() {
    let (ul, plan) = (hex(UL), Plan::to(OWN));
    let three = plan.segmented().frames(&[&ul[..20], &ul[20..40], &ul[40..]]);
    // What arrives; whether something is given back; the records' frames.
    let cases: [(&[usize], usize, &[u32]); 7] = [
        (&[1], 0, &[1]),
        (&[2], 0, &[1]),
        (&[1, 0, 2], 1, &[1, 2]),
        (&[0, 2, 1], 1, &[2, 1]),
        (&[0, 1, 1, 2], 1, &[3, 1]),
        (&[0, 0, 1, 2], 1, &[1]),
        (&[0, 1, 0, 1, 2], 1, &[2]),
    ];
    for (order, back, frames) in cases {
        let mut world = World::up();
        order.iter().for_each(|place| world.receive(0, &three[*place]));
        let is_whole = order.ends_with(&[0, 1, 2]);
        assert_eq!(world.sent(1).len(), if is_whole { 3 } else { 0 }, "{order:?}");
        let given: Vec<_> = world.sent(0).iter().map(|frame| given_back(frame)).collect();
        let expected = (kind::XUDTS, cause::ERROR_IN_TRANSPORT, ul[..20].to_vec());
        assert_eq!(given, vec![expected; back], "{order:?}");
        let counted: Vec<_> = world.records.iter().map(|record| record.frames).collect();
        assert_eq!(counted, frames, "{order:?}");
        for record in &world.records {
            assert_eq!(record.provenance, Provenance::Protocol);
            let is_answered = record.answer_octets > 0;
            let finish = if is_answered { Finish::Refused } else { Finish::Discarded };
            assert_eq!(record.finish, finish);
        }
        world.pass_ms(ALL_OVER_MS);
        let all: u32 = world.records.iter().map(|record| record.frames).sum();
        assert_eq!(all as usize, order.len());
        assert!(world.gateways[0].is_drained());
    }
}

#[test]
fn a_message_that_is_never_whole_expires() {
    let (ul, plan) = (hex(UL), Plan::to(OWN));
    let frames = plan.segmented().frames(&[&ul[..20], &ul[20..40], &ul[40..]]);
    let mut world = World::up();
    say(&mut world, &frames[..2]);
    world.pass_ms(REASSEMBLY_MS - 1_000);
    assert!(world.records.is_empty() && !world.gateways[0].is_drained());
    world.pass_ms(2_000);
    let [record] = world.records[..] else { panic!("{:?}", world.records) };
    assert_eq!((record.finish, record.provenance), (Finish::Expired, Provenance::Expired));
    assert_eq!((record.frames, record.request_octets), (2, octets(&frames[..2])));
    assert_eq!(record.code, Code::Returned(u32::from(cause::ERROR_IN_TRANSPORT)));
    assert_eq!(given_back(&world.sent(0)[0]).2, ul[..20]);
    assert!(world.gateways[0].is_drained());
    world.receive(0, &frames[2]);
    assert_eq!(world.records.len(), 2, "what comes too late is its own");
    assert!(world.sent(1).is_empty());
}

#[test]
fn a_sender_that_completes_nothing_takes_no_more_than_its_share() {
    let (ul, plan) = (hex(UL), Plan::to(OWN));
    let mut world = World::up();
    let begin = |world: &mut World, link: usize, number: usize| {
        let (opc, context) = [(VISITED, 101), (HOME, 102), (OTHER, 103)][link];
        let reference = u8::try_from(number % 256).unwrap();
        let sls = u8::try_from(number / 256).unwrap();
        let said = Segmented { opc, context, reference, sls, ..plan.segmented() };
        world.receive(link, &said.frames(&[&ul[..20], &ul[20..]])[0]);
    };
    (0..LINK_ASSEMBLIES_MAX).for_each(|number| begin(&mut world, 0, number));
    assert!(world.records.is_empty());
    begin(&mut world, 0, LINK_ASSEMBLIES_MAX);
    let [record] = world.records[..] else { panic!("{:?}", world.records) };
    assert_eq!((record.finish, record.provenance), (Finish::Refused, Provenance::Limit));
    assert_eq!(record.code, Code::Returned(u32::from(cause::ERROR_IN_PROCESSING)));
    begin(&mut world, 2, 0);
    assert_eq!(world.records.len(), 1, "others have room");
    const { assert!(LINK_ASSEMBLIES_MAX < ASSEMBLIES_MAX) };
    world.pass_ms(ALL_OVER_MS);
    assert_eq!(world.records.len(), LINK_ASSEMBLIES_MAX + 2);
    assert!(world.gateways[0].is_drained());
}

#[test]
fn nor_more_than_its_share_of_octets() {
    let plan = Plan::to(OWN);
    let mut world = World::up();
    let (mut count, mut said) = (0, 0);
    // The largest there are, none of which is whole.
    let piece = vec![0x55; 8_000];
    while world.records.is_empty() {
        let reference = u8::try_from(count / 15).unwrap();
        let said_as = Segmented { reference, is_long: true, ..plan.segmented() };
        let place = u8::try_from(count % 15).unwrap();
        let first = if place == 0 { 0x80 } else { 0 };
        let frame = said_as.frame(first | (15 - place), &piece);
        world.receive(0, &frame);
        (count, said) = (count + 1, said + frame.len());
    }
    let [record] = world.records[..] else { panic!("{:?}", world.records) };
    assert_eq!(record.provenance, Provenance::Limit);
    assert!(said > LINK_ASSEMBLY_OCTETS_MAX && said < LINK_ASSEMBLY_OCTETS_MAX + 10_000);
    world.pass_ms(ALL_OVER_MS);
    let frames: u32 = world.records.iter().map(|record| record.frames).sum();
    assert_eq!((frames, world.gateways[0].is_drained()), (count, true));
    // All of the room is there again.
    world.records.clear();
    world.receive(0, &plan.segmented().frame(0x81, &hex(UL)[..20]));
    assert!(world.records.is_empty());
}

#[test]
fn what_a_link_had_in_assembly_goes_with_it() {
    let (ul, plan) = (hex(UL), Plan::to(OWN));
    let frames = plan.segmented().frames(&[&ul[..20], &ul[20..]]);
    let mut world = World::up();
    world.receive(0, &frames[0]);
    world.lose(0);
    let [record] = world.records[..] else { panic!("{:?}", world.records) };
    assert_eq!((record.finish, record.frames), (Finish::Discarded, 1));
    assert_eq!(record.provenance, Provenance::Unroutable);
    world.open(0);
    world.receive(0, &frames[1]);
    assert!(world.sent(1).is_empty());
    assert_eq!((world.records.len(), world.records[1].frames), (2, 1));
}

#[test]
fn what_is_smoothed_leaves_whole_after_its_wait_and_its_silence_is_told() {
    let (ul, plan) = (hex(UL), Plan::to(OWN));
    let mut world = World::up();
    *world.desk.wait_ms.lock().unwrap() = Some(500);
    say(&mut world, &plan.segmented().frames(&[&ul[..20], &ul[20..]]));
    assert!(world.sent(1).is_empty());
    world.pass_ms(600);
    let onward = world.sent(1);
    assert_eq!((onward.len(), whole(&onward)), (2, ul));
    world.pass_ms(6_000);
    let back = world.sent(0);
    assert_eq!(Transaction::new(&whole(&back), 0).unwrap().p_abort, Some(1));
    let [record] = world.records[..] else { panic!("{:?}", world.records) };
    assert_eq!((record.finish, record.frames), (Finish::Expired, 2));
}

#[test]
fn at_the_end_nothing_is_held() {
    let (ul, plan) = (hex(UL), Plan::to(OWN));
    let mut world = World::up();
    let frames = plan.segmented().frames(&[&ul[..20], &ul[20..]]);
    world.receive(0, &frames[0]);
    let now = world.now;
    world.gateways[0].stop(now);
    assert!(world.gateways[0].is_drained());
    assert_eq!(world.gateways[0].records().len(), 1);
}

#[test]
fn only_what_belongs_together_is_put_together() {
    let (ul, plan) = (hex(UL), Plan::to(OWN));
    let pieces = [&ul[..20], &ul[20..]];
    let other_calling = title(7, 1, "447700900124");
    let other_called = title(6, 7, "346090000000002");
    let said = plan.segmented();
    let strangers = [
        Segmented { reference: 8, ..said },
        Segmented { sls: 10, ..said },
        Segmented { opc: OTHER, ..said },
        Segmented { dpc: HOME, ..said },
        Segmented { calling: &other_calling, ..said },
        Segmented { called: &other_called, ..said },
    ];
    for stranger in strangers {
        let mut world = World::up();
        world.receive(0, &said.frames(&pieces)[0]);
        world.receive(0, &stranger.frames(&pieces)[1]);
        assert!(world.sent(1).is_empty());
        // Nor does it disturb the message.
        world.receive(0, &said.frames(&pieces)[1]);
        assert_eq!(whole(&world.sent(1)), ul);
    }
    let mut world = World::up();
    let other = Segmented { reference: 8, ..said }.frames(&pieces);
    let frames = said.frames(&pieces);
    say(&mut world, &[frames[0].clone(), other[0].clone(), frames[1].clone(), other[1].clone()]);
    let sent = world.sent(1);
    assert_eq!((whole(&sent[..2]), whole(&sent[2..])), (ul.clone(), ul.clone()));
    // From another link they are nobody's.
    let mut world = World::up();
    world.receive(0, &frames[0]);
    world.receive(2, &Segmented { context: 103, ..said }.frames(&pieces)[1]);
    assert!(world.sent(1).is_empty());
}

#[test]
fn what_was_given_back_passes_segment_by_segment() {
    let (ul, plan) = (hex(UL), Plan::to(OWN));
    let mut world = World::up();
    let said = plan.segmented();
    let home =
        Segmented { context: 102, opc: HOME, called: &plan.calling, calling: &plan.called, ..said };
    for head in [0x81, 0x00] {
        let mut frame = home.frame(head, &ul[..20]);
        let at = Data::new(&frame).unwrap().user_offset();
        frame[at..at + 2].copy_from_slice(&[kind::XUDTS, 1]);
        world.receive(1, &frame);
        assert_eq!(world.sent(0).len(), 1);
    }
    assert!(world.records.iter().all(|record| record.finish == Finish::Passed));
}

#[test]
fn a_whole_that_cannot_be_read_is_refused_as_a_whole() {
    let (mut ul, plan) = (hex(UL), Plan::to(OWN));
    let components = ul.iter().position(|octet| *octet == 0x6c).unwrap();
    ul[components + 1] = 0x7f;
    let mut world = World::up();
    let frames = plan.segmented().frames(&[&ul[..components + 10], &ul[components + 10..]]);
    say(&mut world, &frames);
    assert!(world.sent(1).is_empty());
    let back = world.sent(0);
    assert_eq!(Transaction::new(&whole(&back), 0).unwrap().p_abort, Some(2));
    let [record] = world.records[..] else { panic!("{:?}", world.records) };
    assert!(matches!(record.finish, Finish::Malformed(_)));
    assert_eq!((record.frames, record.request_octets), (2, octets(&frames)));
}

/// Of two segmentation parameters whoever takes the message might go by the other one.
#[test]
fn two_segmentation_parameters_are_one_too_many() {
    let (ul, plan) = (hex(UL), Plan::to(HOME));
    let mut frame = plan.segmented().frame(0x80, &ul);
    let end = frame.iter().rposition(|octet| *octet != 0).unwrap();
    assert_eq!(frame[end], 7);
    let at = Data::new(&frame).unwrap();
    let (opc, dpc, user) = (at.opc, at.dpc, at.user.to_vec());
    let user = [&user[..user.len() - 1], &[0x10, 4, 0x81, 0, 0, 7, 0]].concat();
    frame = message(101, opc, dpc, 9, &user);
    let mut world = World::up();
    world.receive(0, &frame);
    assert!(world.sent(1).is_empty());
    assert!(matches!(world.records[0].finish, Finish::Malformed(_)));
}

#[test]
fn nobody_speaks_for_another_in_segments() {
    let (ul, plan) = (hex(UL), Plan { calling: title(7, 1, "336890000"), ..Plan::to(OWN) });
    let mut world = World::up();
    say(&mut world, &plan.segmented().frames(&[&ul[..20], &ul[20..]]));
    assert!(world.sent(1).is_empty());
    let [record] = world.records[..] else { panic!("{:?}", world.records) };
    assert_eq!((record.finish, record.provenance), (Finish::Refused, Provenance::Screening));
    assert_eq!((record.from, record.frames), (LinkId(0), 2));
}

#[test]
fn what_leads_nowhere_is_given_back_by_its_first_segment() {
    let (ul, plan) = (hex(UL), Plan { called: title(6, 1, "999999"), ..Plan::to(OWN) });
    let mut world = World::up();
    say(&mut world, &plan.segmented().frames(&[&ul[..20], &ul[20..]]));
    let back = world.sent(0);
    assert_eq!(back.len(), 1);
    assert_eq!(given_back(&back[0]), (kind::XUDTS, cause::NO_TRANSLATION, ul[..20].to_vec()));
}

proptest::proptest! {
    #![proptest_config(proptest::prelude::ProptestConfig::with_cases(200))]

    /// Whatever becomes of segments: nothing panics, nothing stays, every frame is in one record, and
    /// what goes on is what came, in order.
    #[test]
    fn every_frame_has_one_record(
        steps in proptest::collection::vec((0..3_usize, 0..5_usize, 0..40_usize, 0..400_usize, 0..256_u16), 1..40),
    ) {
        let (ul, plan) = (hex(UL), Plan::to(OWN));
        let mut world = World::up();
        let pieces: Vec<_> = ul.chunks(16).collect();
        let mut count = 0;
        for (message, place, damage, at, value) in steps {
            let said = Segmented { reference: u8::try_from(message).unwrap(), ..plan.segmented() };
            let mut frame = said.frames(&pieces)[place].clone();
            if damage == 0 {
                // In the SCCP message: the link has its own to say about what is before.
                let start = Data::new(&frame).unwrap().user_offset();
                let at = start + at % (frame.len() - start);
                // To subsystem 1 it would be for the link, which does not record.
                frame[at] = u8::try_from(value).unwrap().max(2);
            }
            if damage == 1 {
                world.pass_ms(8_000);
            }
            count += 1;
            world.receive(0, &frame);
        }
        world.pass_ms(ALL_OVER_MS);
        proptest::prop_assert!(world.gateways[0].is_drained());
        let frames: u32 = world.records.iter().map(|record| record.frames).sum();
        proptest::prop_assert_eq!(frames, count);
    }
}
